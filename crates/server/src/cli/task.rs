//! `lintel task`: what channels refused, or two people allocated to 2243, and only a person can move on.

use anyhow::{Context, Result, bail};
use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::approval::propose;
use super::client::{Client, target};
use super::remote::{Answer, Page};
use super::table::{Field, money, number, page, record, text};

pub(super) const EXAMPLES: &str = "\
Examples:
  lintel task list legs                                 their undo, reversal or release was refused
  lintel task list refunds                              money of 2243 that its source refused; what a bank owes
  lintel task list payouts                              what a bank paid after it had refused
  lintel task list suspense                             money allocated to 2243, to be given back
  lintel task list advances                             what own money's bank paid after it had refused
  lintel task retry rfd_3                               ask the channel again, by a new attempt
  lintel task settle leg_9 --template back-by-hand --to acc_42 --document memo.pdf=SHA256 \\
    --reason \"paid back by hand, bank slip 17\" --as opr_3
  lintel task settle leg_9 --document memo.pdf=SHA256 --reason \"the centre released it\" --as opr_3";

/// What only a person can move on.
#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// One, by the leg, the refund, the payout, the item of suspense or the advance that it is about.
    Show {
        /// Its id, such as leg_9, rfd_3, pay_4, sus_3 or adv_3.
        id: String,
    },
    /// What waits for a person, oldest first.
    List {
        /// Legs of payments, refunds, payouts, items of suspense that were allocated to 2243, or advances.
        #[arg(value_enum)]
        what: What,
        /// Of this order; not of payouts, suspense or advances.
        #[arg(long, value_name = "ID")]
        order: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// Have the channel asked again.
    Retry {
        /// Its id.
        id: String,
    },
    /// Propose that it was settled by hand: as much as waits now, and nothing that is added before another person approves it.
    Settle {
        /// Its id.
        id: String,
        /// The template of the voucher that takes its money from 2205 or 2243; with --to.
        #[arg(long, value_name = "CODE", requires = "to")]
        template: Option<String>,
        /// The account that the voucher credits.
        #[arg(long, value_name = "ID", requires = "template")]
        to: Option<String>,
        /// The document that shows it: its name and its SHA-256 in hexadecimal digits.
        #[arg(long, value_name = "NAME=SHA256")]
        document: String,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

/// What tasks are about.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum What {
    /// Legs of payments.
    Legs,
    /// Refunds: of money that no order can use, and those that a bank owes.
    Refunds,
    /// Payouts that a bank paid after they had failed, and owes.
    Payouts,
    /// Items of suspense that were allocated to 2243.
    Suspense,
    /// Advances that own money's bank paid after they had failed.
    Advances,
}

const TASK: [Field; 14] = [
    text("id"),
    text("order"),
    text("rail"),
    money("amount"),
    text("status"),
    text("failure"),
    number("lies_on"),
    text("account"),
    text("needs_person"),
    text("since"),
    text("open_attempt"),
    text("retried_as"),
    text("settled_by"),
    text("allowed_actions"),
];
const TASKS: [Field; 8] = [
    text("id"),
    text("order"),
    text("rail"),
    money("amount"),
    text("status"),
    number("lies_on"),
    text("since"),
    text("allowed_actions"),
];

impl Task {
    /// Asks for it.
    pub(super) fn ask(&self, client: &Client) -> Result<Answer> {
        match self {
            Self::Show { id } => Ok(shown(client.get(&target(&["v1", "tasks", id], &[]))?)),
            Self::List { what, order, page: wanted } => {
                let what = match what {
                    What::Legs => "legs",
                    What::Refunds => "refunds",
                    What::Payouts | What::Suspense | What::Advances if order.is_some() => {
                        bail!("payouts, items of suspense and advances are of no order; leave --order out")
                    }
                    What::Payouts => "payouts",
                    What::Suspense => "suspense",
                    What::Advances => "advances",
                };
                let tasks = client.get(&wanted.target(&["v1", "tasks", what], &[("order", order.as_deref())]))?;
                let text = page(&TASKS, &tasks, None);
                Ok(Answer::new(tasks, text))
            }
            Self::Retry { id } => Ok(shown(client.post(&target(&["v1", "tasks", id, "retry"], &[]), &json!({}))?)),
            Self::Settle { id, template, to, document, reason } => {
                let task = client.get(&target(&["v1", "tasks", id], &[]))?;
                let by = template.as_ref().zip(to.as_ref());
                let voucher = by.map(|(template, to)| voucher(&task, id, template, to)).transpose()?;
                let (name, digest) = document.split_once('=').context("--document is NAME=SHA256")?;
                let evidence = json!({"name": name, "algorithm": "SHA-256", "digest": digest});
                let body = json!({"kind": "settle_task", "task": id, "voucher": voucher, "amount": task["amount"]});
                propose(client, &body, reason, Some(evidence))
            }
        }
    }
}

/// The voucher that takes all money of a task from where it lies.
fn voucher(task: &Value, id: &str, template: &str, to: &str) -> Result<Value> {
    let (amount, currency) = (&task["amount"], &task["currency"]);
    let Some(from) = task["account"].as_str() else { bail!("no money of {id} lies on these books; name no template") };
    Ok(json!({
        "template": template,
        "entries": [
            {"account": from, "side": "debit", "amount": amount, "currency": currency},
            {"account": to, "side": "credit", "amount": amount, "currency": currency},
        ],
    }))
}

fn shown(task: Value) -> Answer {
    let text = record(&TASK, &task);
    Answer::new(task, text)
}
