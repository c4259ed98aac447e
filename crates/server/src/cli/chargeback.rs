//! `lintel chargeback`: a card's bank takes a payment back (拒付); taken down, booked, won.

use anyhow::Result;
use clap::Subcommand;
use serde_json::{Value, json};

use super::client::{Client, target};
use super::object::many;
use super::remote::{Answer, Page};
use super::table::{Field, money, record, table, text};

pub(super) const EXAMPLES: &str = "\
Examples:
  lintel chargeback receive --leg leg_9 --case CB-2026-000017 --reason 4853 --amount 200000 --as opr_5
  lintel chargeback book cbk_2 --as opr_5      from what the merchant has; own money pays the rest
  lintel chargeback win cbk_2 --as opr_5       what is left of its arrears is undone
  lintel chargeback list --merchant mch_3 --status received";

/// Chargebacks.
#[derive(Debug, Subcommand)]
pub(crate) enum Chargeback {
    /// Take one down as the network tells of it: its amount cannot be refunded from then on.
    Receive {
        /// The captured card payment that it takes back, such as leg_9.
        #[arg(
            long,
            value_name = "ID",
            required_unless_present = "card_transaction",
            conflicts_with = "card_transaction"
        )]
        leg: Option<String>,
        /// In its place the card transaction at a terminal, such as ctx_42.
        #[arg(long, value_name = "ID")]
        card_transaction: Option<String>,
        /// The network's case number, never used before.
        #[arg(long = "case", value_name = "TEXT")]
        case_number: String,
        /// The network's reason code.
        #[arg(long, value_name = "CODE")]
        reason: String,
        /// How much.
        #[arg(long, value_name = "FEN")]
        amount: i64,
        /// The payment's currency.
        #[arg(long, value_name = "CODE", default_value = "CNY")]
        currency: String,
    },
    /// Take its money.
    Book {
        /// Its id, such as cbk_2.
        id: String,
    },
    /// Say that it was won.
    Win {
        /// Its id.
        id: String,
    },
    /// One chargeback, with what was taken from whom.
    Show {
        /// Its id.
        id: String,
    },
    /// Chargebacks, oldest first.
    List {
        /// Of this merchant.
        #[arg(long, value_name = "ID")]
        merchant: Option<String>,
        /// Of this order.
        #[arg(long, value_name = "ID")]
        order: Option<String>,
        /// Of exactly this case.
        #[arg(long = "case", value_name = "TEXT")]
        case_number: Option<String>,
        /// received, booked or won.
        #[arg(long)]
        status: Option<String>,
        #[command(flatten)]
        page: Page,
    },
}

const CHARGEBACK: [Field; 15] = [
    text("id"),
    text("case_number"),
    text("reason"),
    text("leg"),
    text("order"),
    text("card_transaction"),
    text("merchant"),
    money("amount"),
    text("status"),
    money("lack"),
    text("arrears"),
    text("received/at"),
    text("booked/at"),
    text("won/at"),
    text("allowed_actions"),
];
const CHARGEBACKS: [Field; 7] = [
    text("id"),
    text("case_number"),
    text("merchant"),
    text("order"),
    money("amount"),
    text("status"),
    text("arrears"),
];
const TAKEN: [Field; 4] = [text("merchant"), text("account"), money("amount"), text("settled")];

impl Chargeback {
    /// Asks for it.
    pub(super) fn ask(&self, client: &Client) -> Result<Answer> {
        let step =
            |id: &str, verb: &str| Ok(shown(client.post(&target(&["v1", "chargebacks", id, verb], &[]), &json!({}))?));
        match self {
            Self::Receive { leg, card_transaction, case_number, reason, amount, currency } => {
                let body = json!({"leg": leg, "card_transaction": card_transaction, "case_number": case_number,
                    "reason": reason, "amount": amount, "currency": currency});
                Ok(shown(client.post(&target(&["v1", "chargebacks"], &[]), &body)?))
            }
            Self::Book { id } => step(id, "book"),
            Self::Win { id } => step(id, "win"),
            Self::Show { id } => Ok(shown(client.get(&target(&["v1", "chargebacks", id], &[]))?)),
            Self::List { merchant, order, case_number, status, page } => {
                let filters = [
                    ("merchant", merchant.as_deref()),
                    ("order", order.as_deref()),
                    ("case_number", case_number.as_deref()),
                    ("status", status.as_deref()),
                ];
                many(client, &CHARGEBACKS, &page.target(&["v1", "chargebacks"], &filters))
            }
        }
    }
}

fn shown(chargeback: Value) -> Answer {
    let taken = table(&TAKEN, &chargeback["taken"], chargeback["currency"].as_str());
    let text = format!("{}\nTaken from:\n{taken}", record(&CHARGEBACK, &chargeback));
    Answer::new(chargeback, text)
}
