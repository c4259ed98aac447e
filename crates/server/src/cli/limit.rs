//! `lintel limit`: what is in force, an account's class, what is used; setting limits is proposed for two people.

use anyhow::Result;
use clap::Subcommand;
use serde_json::json;

use super::approval::propose;
use super::client::{Client, target};
use super::remote::{Answer, Page};
use super::table::{Field, money, number, page, record, text};

pub(super) const EXAMPLES: &str = "\
Examples:
  lintel limit show --date 2026-04-01
  lintel limit account acc_42
  lintel limit customer cus_12
  lintel limit class acc_42 two --as opr_5
  lintel limit set --from 2026-04-01 --class-one 100000 --class-two 10000000 --class-three 20000000 \\
      --two-factors 500000 --fewer-factors 100000 --reason 'board of 2026-03-20' --as opr_5";

/// Limits on personal payment accounts.
#[derive(Debug, Subcommand)]
pub(crate) enum Limit {
    /// What is in force.
    Show {
        /// On this date; today unless said.
        #[arg(long)]
        date: Option<String>,
    },
    /// Versions, oldest first.
    Policies {
        #[command(flatten)]
        page: Page,
    },
    /// An account's class, and what left its balance.
    Account {
        /// Its id.
        id: String,
    },
    /// What a person paid this year and today.
    Customer {
        /// Its id.
        id: String,
    },
    /// Class a personal payment account.
    Class {
        /// The account.
        id: String,
        /// one, two or three.
        class: String,
    },
    /// Propose limits from a day on; all in fen.
    Set {
        /// The first day on which they hold.
        #[arg(long, value_name = "DATE")]
        from: String,
        /// Class I, since opening.
        #[arg(long, value_name = "FEN")]
        class_one: i64,
        /// Class II, a year.
        #[arg(long, value_name = "FEN")]
        class_two: i64,
        /// Class III, a year.
        #[arg(long, value_name = "FEN")]
        class_three: i64,
        /// Two factors without certificate, a day.
        #[arg(long, value_name = "FEN")]
        two_factors: i64,
        /// Fewer factors, a day.
        #[arg(long, value_name = "FEN")]
        fewer_factors: i64,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

const LIMITS: [Field; 6] = [
    text("date"),
    money("limits/class_one"),
    money("limits/class_two"),
    money("limits/class_three"),
    money("limits/two_factors"),
    money("limits/fewer_factors"),
];
const POLICIES: [Field; 9] = [
    text("id"),
    text("from"),
    money("limits/class_one"),
    money("limits/class_two"),
    money("limits/class_three"),
    money("limits/two_factors"),
    money("limits/fewer_factors"),
    text("operator"),
    text("approver"),
];
const ACCOUNT: [Field; 5] =
    [text("account"), text("class"), text("classed_at"), text("classed_by"), money("since_opening")];
const CUSTOMER: [Field; 6] =
    [text("customer"), number("year"), money("year_used"), text("day"), money("two_factors"), money("fewer_factors")];

impl Limit {
    /// Asks for it.
    pub(super) fn ask(&self, client: &Client) -> Result<Answer> {
        match self {
            Self::Show { date } => one(client, &LIMITS, &target(&["v1", "limits"], &[("date", date.as_deref())])),
            Self::Policies { page: wanted } => {
                let policies = client.get(&wanted.target(&["v1", "limit-policies"], &[]))?;
                let text = page(&POLICIES, &policies, None);
                Ok(Answer::new(policies, text))
            }
            Self::Account { id } => one(client, &ACCOUNT, &target(&["v1", "accounts", id, "limit"], &[])),
            Self::Customer { id } => one(client, &CUSTOMER, &target(&["v1", "customers", id, "limit-use"], &[])),
            Self::Class { id, class } => {
                let body = json!({ "class": class });
                let account = client.post(&target(&["v1", "accounts", id, "class"], &[]), &body)?;
                let text = record(&ACCOUNT, &account);
                Ok(Answer::new(account, text))
            }
            Self::Set { from, class_one, class_two, class_three, two_factors, fewer_factors, reason } => {
                let limits = json!({
                    "class_one": class_one, "class_two": class_two, "class_three": class_three,
                    "two_factors": two_factors, "fewer_factors": fewer_factors,
                });
                propose(client, &json!({"kind": "limit_policy", "from": from, "limits": limits}), reason, None)
            }
        }
    }
}

fn one(client: &Client, fields: &[Field], target: &str) -> Result<Answer> {
    let object = client.get(target)?;
    let text = record(fields, &object);
    Ok(Answer::new(object, text))
}
