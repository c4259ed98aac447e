//! `lintel advance`: own money pays a merchant today what the reserve settles later (垫付, D0).

use anyhow::Result;
use clap::Subcommand;
use serde_json::{Value, json};

use super::client::{Client, target};
use super::object::{made, many};
use super::remote::{Answer, Page};
use super::table::{Field, money, number, record, table, text};

pub(super) const EXAMPLES: &str = "\
Examples:
  lintel advance request mch_4 --order ord_7 --order ord_8 --as opr_5
  lintel advance repay adv_3 --as opr_5       once its orders are in their clearing files
  lintel advance return adv_3 --reference RT1 --date 2026-03-06 --as opr_5
  lintel advance list --status unknown
  lintel advance policies

Its rules are set by two people: lintel approval propose FILE, kind advance_policy.";

/// Advances.
#[derive(Debug, Subcommand)]
pub(crate) enum Advance {
    /// Pay a merchant at once all that is unsettled of these orders.
    Request {
        /// The merchant, such as mch_4.
        merchant: String,
        /// A paid order of it; may be given up to 100 times.
        #[arg(long = "order", value_name = "ID", required = true)]
        orders: Vec<String>,
    },
    /// Instruct the repayment by hand, where the working day's timer (repay_at) does not; the reserve account's statement line books it.
    Repay {
        /// Its id, such as adv_3.
        id: String,
    },
    /// Book an advance that came back after success; lintel payout fetch-returns books what the channel lists.
    Return {
        /// Its id.
        id: String,
        /// The bank's reference of the return.
        #[arg(long, value_name = "TEXT")]
        reference: String,
        /// The date on which it came back.
        #[arg(long, value_name = "DATE")]
        date: String,
    },
    /// One advance with its orders.
    Show {
        /// Its id.
        id: String,
    },
    /// Advances, oldest first.
    List {
        /// Of this merchant.
        #[arg(long, value_name = "ID")]
        merchant: Option<String>,
        /// sent, unknown, success, failed, repaid or returned.
        #[arg(long)]
        status: Option<String>,
        /// Sent on this accounting day.
        #[arg(long)]
        date: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// Versions of the rules; the last one is in force.
    Policies {
        #[command(flatten)]
        page: Page,
    },
}

const ADVANCE: [Field; 21] = [
    text("id"),
    text("merchant"),
    money("amount"),
    money("fee"),
    money("outstanding"),
    text("status"),
    text("date"),
    text("attempt"),
    text("voucher"),
    text("sent_at"),
    text("asked_by"),
    text("reference"),
    text("failure/code"),
    text("repayment"),
    text("ended_at"),
    text("return_reference"),
    text("return_date"),
    text("claim"),
    text("claim_voucher"),
    text("claim_settled_by"),
    text("allowed_actions"),
];
const ADVANCES: [Field; 8] = [
    text("id"),
    text("merchant"),
    money("amount"),
    money("outstanding"),
    text("status"),
    text("date"),
    text("attempt"),
    text("repayment"),
];
const SHARES: [Field; 2] = [text("order"), money("amount")];
const REPAYMENT: [Field; 8] = [
    text("id"),
    text("kind"),
    text("advance"),
    money("amount"),
    text("status"),
    text("hold"),
    text("instructed_at"),
    text("instructed_by"),
];
const POLICIES: [Field; 9] = [
    text("id"),
    number("fee_rate"),
    money("merchant_quota"),
    money("total_quota"),
    number("min_days"),
    number("min_trading_days"),
    text("set_at"),
    text("set_by"),
    text("approver"),
];

impl Advance {
    /// Asks for it.
    pub(super) fn ask(&self, client: &Client) -> Result<Answer> {
        match self {
            Self::Request { merchant, orders } => {
                let body = json!({"merchant": merchant, "orders": orders});
                Ok(shown(client.post(&target(&["v1", "advances"], &[]), &body)?))
            }
            Self::Repay { id } => made(client, &REPAYMENT, &["v1", "advances", id, "repay"], &json!({})),
            Self::Return { id, reference, date } => {
                let body = json!({"reference": reference, "date": date});
                Ok(shown(client.post(&target(&["v1", "advances", id, "return"], &[]), &body)?))
            }
            Self::Show { id } => Ok(shown(client.get(&target(&["v1", "advances", id], &[]))?)),
            Self::List { merchant, status, date, page } => {
                let filters =
                    [("merchant", merchant.as_deref()), ("status", status.as_deref()), ("date", date.as_deref())];
                many(client, &ADVANCES, &page.target(&["v1", "advances"], &filters))
            }
            Self::Policies { page } => many(client, &POLICIES, &page.target(&["v1", "advance-policies"], &[])),
        }
    }
}

fn shown(advance: Value) -> Answer {
    let shares = table(&SHARES, &advance["shares"], advance["currency"].as_str());
    let text = format!("{}\nOrders:\n{shares}", record(&ADVANCE, &advance));
    Answer::new(advance, text)
}
