//! `lintel withdrawal`: automatic withdrawals, their plans and batches, which failures are tried again, what customers are
//! told. A batch takes the enrichment's answers from a file.

use std::io::Read;

use anyhow::{Context, Result};
use clap::Subcommand;
use serde_json::{Value, json};

use super::client::{Client, target};
use super::remote::{Answer, Page};
use super::table::{Field, money, number, page, record, table, text};

pub(super) const EXAMPLES: &str = "\
Examples:
  lintel withdrawal due > accounts
  lintel withdrawal run --date 2026-03-05 --number 1 banks.json
  lintel withdrawal list --status carried
  lintel withdrawal show wdr_4
  lintel withdrawal suspend wpl_5
  lintel withdrawal retry-rule PB520008 --retryable false
The file of a batch is what the enrichment answered:
  [{\"account\": \"acc_51\", \"bank\": {\"name\": \"Bank of Shanghai\", \"code\": \"313290000017\"}}, …]";

/// Automatic withdrawals.
#[derive(Debug, Subcommand)]
pub(crate) enum Withdrawal {
    /// One withdrawal with its tries.
    Show {
        /// Its id, such as wdr_4.
        id: String,
    },
    /// Withdrawals, oldest first.
    List {
        /// trying, waiting, carried, success, failed or returned.
        #[arg(long)]
        status: Option<String>,
        /// From this account.
        #[arg(long, value_name = "ID")]
        account: Option<String>,
        /// Tried last by this batch.
        #[arg(long, value_name = "ID")]
        batch: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// Plans, oldest first.
    Plans {
        /// active, suspended or ended.
        #[arg(long)]
        status: Option<String>,
        /// Of this account.
        #[arg(long, value_name = "ID")]
        account: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// One plan.
    Plan {
        /// Its id, such as wpl_5.
        id: String,
    },
    /// Leave a plan alone for a while.
    Suspend {
        /// Its id.
        id: String,
    },
    /// Take a suspended plan again.
    Resume {
        /// Its id.
        id: String,
    },
    /// End a plan.
    End {
        /// Its id.
        id: String,
    },
    /// Which plans are due.
    Due {
        /// On this accounting day; the open one unless said.
        #[arg(long)]
        date: Option<String>,
    },
    /// Run a batch.
    Run {
        /// The open accounting day.
        #[arg(long)]
        date: String,
        /// The batch's number on that day: from 1, without gaps.
        #[arg(long)]
        number: u32,
        /// JSON: what the enrichment answered; - for standard input.
        file: String,
    },
    /// Batches, oldest first.
    Batches {
        /// Of this accounting day.
        #[arg(long)]
        date: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// One batch, with the plans that it left out.
    Batch {
        /// Its id, such as wba_3.
        id: String,
    },
    /// Say whether failures of a channel's code are tried again.
    RetryRule {
        /// The channel's code.
        code: String,
        /// true or false.
        #[arg(long, action = clap::ArgAction::Set)]
        retryable: bool,
    },
    /// Rules of retries.
    RetryRules {
        #[command(flatten)]
        page: Page,
    },
    /// What customers are to be told, in order.
    Notices {
        /// About this withdrawal.
        #[arg(long, value_name = "ID")]
        withdrawal: Option<String>,
        #[command(flatten)]
        page: Page,
    },
}

const WITHDRAWAL: [Field; 19] = [
    text("id"),
    text("plan"),
    text("customer"),
    text("account"),
    text("bank_account/account"),
    text("bank_account/holder"),
    text("bank/name"),
    text("bank/code"),
    money("amount"),
    money("fee"),
    text("fee_plan"),
    text("status"),
    text("made_by"),
    text("batch"),
    text("tries"),
    text("retry_at"),
    text("failure/code"),
    text("made_at"),
    text("ended_at"),
];
const WITHDRAWALS: [Field; 7] =
    [text("id"), text("account"), money("amount"), text("status"), text("batch"), text("tries"), text("failure/code")];
const PLAN: [Field; 13] = [
    text("id"),
    text("account"),
    text("to"),
    text("bank_account/account"),
    text("card"),
    money("terms/keep"),
    money("terms/minimum"),
    money("terms/fee"),
    text("status"),
    text("taken_on"),
    text("changed_at"),
    text("changed_by"),
    text("allowed_actions"),
];
const PLANS: [Field; 8] = [
    text("id"),
    text("account"),
    text("to"),
    text("bank_account/account"),
    money("terms/keep"),
    money("terms/minimum"),
    text("status"),
    text("taken_on"),
];
const DUE: [Field; 3] = [text("plan"), text("account"), money("amount")];
const BATCH: [Field; 11] = [
    text("id"),
    text("date"),
    number("number"),
    number("due"),
    number("made"),
    money("amount"),
    number("waiting"),
    number("refused"),
    number("taken_up"),
    text("run_at"),
    text("run_by"),
];
const REFUSALS: [Field; 2] = [text("plan"), text("code")];
const RULE: [Field; 5] = [text("id"), text("code"), text("retryable"), text("set_at"), text("set_by")];
const NOTICES: [Field; 8] = [
    text("id"),
    text("customer"),
    text("kind"),
    text("withdrawal"),
    money("amount"),
    text("mask"),
    text("code"),
    text("raised_at"),
];

impl Withdrawal {
    /// Asks for it.
    pub(super) fn ask(&self, client: &Client) -> Result<Answer> {
        match self {
            Self::Show { id } => one(client, &WITHDRAWAL, &["v1", "withdrawals", id]),
            Self::List { status, account, batch, page: wanted } => {
                let filters =
                    [("status", status.as_deref()), ("account", account.as_deref()), ("batch", batch.as_deref())];
                many(client, &WITHDRAWALS, &wanted.target(&["v1", "withdrawals"], &filters))
            }
            Self::Plans { status, account, page: wanted } => {
                let filters = [("status", status.as_deref()), ("account", account.as_deref())];
                many(client, &PLANS, &wanted.target(&["v1", "withdrawal-plans"], &filters))
            }
            Self::Plan { id } => one(client, &PLAN, &["v1", "withdrawal-plans", id]),
            Self::Suspend { id } => move_plan(client, id, "suspend"),
            Self::Resume { id } => move_plan(client, id, "resume"),
            Self::End { id } => move_plan(client, id, "end"),
            Self::Due { date } => {
                let due = client.get(&target(&["v1", "withdrawal-batches", "due"], &[("date", date.as_deref())]))?;
                let text = table(&DUE, &due["data"], None);
                Ok(Answer::new(due, text))
            }
            Self::Run { date, number, file } => {
                let body = json!({ "date": date, "number": number, "enriched": answers(file)? });
                Ok(batch(client.post(&target(&["v1", "withdrawal-batches"], &[]), &body)?))
            }
            Self::Batches { date, page: wanted } => {
                many(client, &BATCH, &wanted.target(&["v1", "withdrawal-batches"], &[("date", date.as_deref())]))
            }
            Self::Batch { id } => Ok(batch(client.get(&target(&["v1", "withdrawal-batches", id], &[]))?)),
            Self::RetryRule { code, retryable } => {
                let body = json!({ "code": code, "retryable": retryable });
                let rule = client.post(&target(&["v1", "retry-rules"], &[]), &body)?;
                let text = record(&RULE, &rule);
                Ok(Answer::new(rule, text))
            }
            Self::RetryRules { page: wanted } => many(client, &RULE, &wanted.target(&["v1", "retry-rules"], &[])),
            Self::Notices { withdrawal, page: wanted } => {
                let filters = [("withdrawal", withdrawal.as_deref())];
                many(client, &NOTICES, &wanted.target(&["v1", "notices"], &filters))
            }
        }
    }
}

fn one(client: &Client, fields: &[Field], path: &[&str]) -> Result<Answer> {
    let object = client.get(&target(path, &[]))?;
    let text = record(fields, &object);
    Ok(Answer::new(object, text))
}

fn many(client: &Client, fields: &[Field], target: &str) -> Result<Answer> {
    let objects = client.get(target)?;
    let text = page(fields, &objects, None);
    Ok(Answer::new(objects, text))
}

fn move_plan(client: &Client, id: &str, verb: &str) -> Result<Answer> {
    let plan = client.post(&target(&["v1", "withdrawal-plans", id, verb], &[]), &json!({}))?;
    let text = record(&PLAN, &plan);
    Ok(Answer::new(plan, text))
}

fn batch(batch: Value) -> Answer {
    let refusals = table(&REFUSALS, &batch["refusals"], None);
    let text = format!("{}\nLeft out:\n{refusals}", record(&BATCH, &batch));
    Answer::new(batch, text)
}

fn answers(file: &str) -> Result<Value> {
    let mut text = String::new();
    if file == "-" {
        std::io::stdin().read_to_string(&mut text).context("reading standard input")?;
    } else {
        text = std::fs::read_to_string(file).with_context(|| format!("reading {file}"))?;
    }
    serde_json::from_str(&text).with_context(|| format!("{file} is not JSON"))
}
