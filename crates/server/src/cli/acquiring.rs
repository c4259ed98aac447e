//! `lintel acquiring`: under which number, plan of fees and limits merchants take cards.

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::client::{Client, target};
use super::remote::{Answer, Page};
use super::table::{Field, money, page, record, text};

pub(super) const EXAMPLES: &str = "\
Examples:
  lintel acquiring open mch_3 --acquirer 898 --area 1100 --category 6513 --fee-plan standard
  lintel acquiring terms acq_2 --fee-plan standard --credit-single 5000000 --credit-daily 20000000
  lintel acquiring suspend acq_2 --reason 'complaints under review'
  lintel acquiring list --merchant mch_3

Plans of fees are set by two people: lintel approval propose --help";

/// Merchants' acquiring.
#[derive(Debug, Subcommand)]
pub(crate) enum Acquiring {
    /// One merchant's.
    Show {
        /// Its id, such as acq_2.
        id: String,
    },
    /// All, oldest first.
    List {
        /// Of this merchant.
        #[arg(long, value_name = "ID")]
        merchant: Option<String>,
        /// Under this number of 15 digits.
        #[arg(long)]
        number: Option<String>,
        /// active or suspended.
        #[arg(long)]
        status: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// Let a merchant take cards: it gets the next number.
    Open {
        /// The merchant.
        merchant: String,
        /// The institution's own number at the network, 3 digits.
        #[arg(long)]
        acquirer: String,
        /// The network's number of the area, 4 digits.
        #[arg(long)]
        area: String,
        /// The merchant's category, 4 digits.
        #[arg(long)]
        category: String,
        #[command(flatten)]
        terms: Terms,
    },
    /// Change what it takes cards under: all of it.
    Terms {
        /// Its id.
        id: String,
        #[command(flatten)]
        terms: Terms,
    },
    /// Take no card; refunds and reversals go on.
    Suspend {
        /// Its id.
        id: String,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Take cards again.
    Resume {
        /// Its id.
        id: String,
    },
}

/// Under what. A bound that is left out is none.
// Its group would bear the name of the command that takes it.
#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct Terms {
    /// The name of its plan of card fees.
    #[arg(long)]
    fee_plan: String,
    /// The most of one debit transaction, in fen.
    #[arg(long, value_name = "FEN")]
    debit_single: Option<i64>,
    /// The most of a day, in fen.
    #[arg(long, value_name = "FEN")]
    debit_daily: Option<i64>,
    /// The most of one credit transaction, in fen.
    #[arg(long, value_name = "FEN")]
    credit_single: Option<i64>,
    /// The most of a day, in fen.
    #[arg(long, value_name = "FEN")]
    credit_daily: Option<i64>,
}

impl Terms {
    fn json(&self) -> Value {
        json!({
            "fee_plan": self.fee_plan,
            "debit": {"single": self.debit_single, "daily": self.debit_daily},
            "credit": {"single": self.credit_single, "daily": self.credit_daily},
        })
    }
}

const ACQUIRING: [Field; 13] = [
    text("id"),
    text("merchant"),
    text("number"),
    text("status"),
    text("terms/fee_plan"),
    money("terms/debit/single"),
    money("terms/debit/daily"),
    money("terms/credit/single"),
    money("terms/credit/daily"),
    text("suspended/reason"),
    text("opened_at"),
    text("opened_by"),
    text("allowed_actions"),
];
const ACQUIRINGS: [Field; 5] = [text("id"), text("merchant"), text("number"), text("status"), text("terms/fee_plan")];

impl Acquiring {
    /// Asks for it.
    pub(super) fn ask(&self, client: &Client) -> Result<Answer> {
        let act = |id: &str, what: &str, body: Value| client.post(&target(&["v1", "acquirings", id, what], &[]), &body);
        let acquiring = match self {
            Self::Show { id } => client.get(&target(&["v1", "acquirings", id], &[]))?,
            Self::List { merchant, number, status, page: wanted } => {
                let filters =
                    [("merchant", merchant.as_deref()), ("number", number.as_deref()), ("status", status.as_deref())];
                let rows = client.get(&wanted.target(&["v1", "acquirings"], &filters))?;
                let shown = page(&ACQUIRINGS, &rows, None);
                return Ok(Answer::new(rows, shown));
            }
            Self::Open { merchant, acquirer, area, category, terms } => {
                let body = json!({
                    "merchant": merchant, "acquirer": acquirer, "area": area, "category": category,
                    "terms": terms.json(),
                });
                client.post(&target(&["v1", "acquirings"], &[]), &body)?
            }
            Self::Terms { id, terms } => act(id, "terms", json!({"terms": terms.json()}))?,
            Self::Suspend { id, reason } => act(id, "suspend", json!({ "reason": reason }))?,
            Self::Resume { id } => act(id, "resume", json!({}))?,
        };
        let shown = record(&ACQUIRING, &acquiring);
        Ok(Answer::new(acquiring, shown))
    }
}
