//! `lintel operator`: the people of the institution, their roles, and the secret of one's own one-time codes.

use anyhow::Result;
use clap::Subcommand;
use serde_json::{Value, json};

use super::approval::propose;
use super::client::{Client, target};
use super::remote::{Answer, Page};
use super::table::{Field, number, page, record, text};

pub(super) const EXAMPLES: &str = "\
Examples:
  lintel operator register li.wei --role administrator        the first two, by the institution's programs
  lintel --set data_dir=data key opr_1                        the operator's own secret, where the vault lies
  lintel operator enrol opr_1 --as opr_1                      its one-time codes, shown once
  lintel operator register wang.fang --role accountant --reason \"joins finance\" --as opr_1
  lintel operator suspend opr_3 --reason \"leaves\" --as opr_1";

/// The people of the institution.
#[derive(Debug, Subcommand)]
pub(crate) enum Operator {
    /// One operator.
    Show {
        /// Its id, such as opr_1.
        id: String,
    },
    /// Operators, oldest first.
    List {
        /// active or suspended.
        #[arg(long)]
        status: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// Register one: with --reason by an approval, without it one of the first two administrators.
    Register {
        /// 3 to 32 of a-z0-9._-
        login: String,
        /// administrator, accountant, treasurer, risk or auditor; may be given several times.
        #[arg(long = "role", value_name = "ROLE", required = true)]
        roles: Vec<String>,
        /// Why; proposes it.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Propose other roles.
    Roles {
        /// Its id.
        id: String,
        /// All of them from then on.
        #[arg(long = "role", value_name = "ROLE", required = true)]
        roles: Vec<String>,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Propose that it act no more.
    Suspend {
        /// Its id.
        id: String,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Propose that it act again.
    Resume {
        /// Its id.
        id: String,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Propose that it enrol a new secret for its one-time codes.
    RenewTotp {
        /// Its id.
        id: String,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Make the secret of one's own one-time codes and print it as a link for an authenticator app, this once.
    Enrol {
        /// One's own id.
        id: String,
    },
}

const OPERATOR: [Field; 9] = [
    text("id"),
    text("login"),
    text("roles"),
    text("status"),
    text("created_at"),
    number("totp_serial"),
    text("changed_at"),
    text("changed_by"),
    text("approved_by"),
];
const OPERATORS: [Field; 5] = [text("id"), text("login"), text("roles"), text("status"), text("created_at")];

impl Operator {
    /// Asks for it.
    pub(super) fn ask(&self, client: &Client) -> Result<Answer> {
        let change = |action: &str, id: &str, reason: &str| {
            let body = json!({"kind": "operator", "action": action, "operator": id});
            propose(client, &body, reason, None)
        };
        match self {
            Self::Show { id } => Ok(shown(client.get(&target(&["v1", "operators", id], &[]))?)),
            Self::List { status, page: wanted } => {
                let operators = client.get(&wanted.target(&["v1", "operators"], &[("status", status.as_deref())]))?;
                let text = page(&OPERATORS, &operators, None);
                Ok(Answer::new(operators, text))
            }
            Self::Register { login, roles, reason: Some(reason) } => {
                let body = json!({"kind": "operator", "action": "register", "login": login, "roles": roles});
                propose(client, &body, reason, None)
            }
            Self::Register { login, roles, reason: None } => {
                let body = json!({"login": login, "roles": roles});
                Ok(shown(client.post(&target(&["v1", "operators"], &[]), &body)?))
            }
            Self::Roles { id, roles, reason } => {
                let body = json!({"kind": "operator", "action": "change_roles", "operator": id, "roles": roles});
                propose(client, &body, reason, None)
            }
            Self::Suspend { id, reason } => change("suspend", id, reason),
            Self::Resume { id, reason } => change("resume", id, reason),
            Self::RenewTotp { id, reason } => change("renew_totp", id, reason),
            Self::Enrol { id } => {
                let made = client.post(&target(&["v1", "operators", id, "totp"], &[]), &json!({}))?;
                let text = format!("{}\n", made.pointer("/uri").and_then(Value::as_str).unwrap_or_default());
                Ok(Answer::new(made, text))
            }
        }
    }
}

fn shown(operator: Value) -> Answer {
    let text = record(&OPERATOR, &operator);
    Answer::new(operator, text)
}
