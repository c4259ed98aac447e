//! `lintel refund`: money of a paid order back to where each leg of it came from.

use anyhow::{Context as _, Result};
use clap::Subcommand;
use serde_json::{Value, json};

use super::client::{Client, target};
use super::object::{many, pair};
use super::remote::{Answer, Page};
use super::table::{Field, money, number, record, table, text};

pub(super) const EXAMPLES: &str = "\
Examples:
  lintel refund make ord_7 --number F1 --amount 250000 --return-fee
  lintel refund make ord_7 --number F2 --amount 50000 --item 1:50000          of the order's second item
  lintel refund make ord_7 --number F3 --amount 50000 --take-from mch_4:20000 what a split's receiver returns
  lintel refund make ord_7 --number F4 --amount 1500 --leg leg_9:500 --leg leg_10:1000
  lintel refund list --order ord_7
  lintel refund list --status unknown

Amounts are in the order's minor units (fen). A number that was used already answers with the refund that was made under it.";

/// Refunds.
#[derive(Debug, Subcommand)]
pub(crate) enum Refund {
    /// Give money of an order back.
    Make {
        /// The order, such as ord_7.
        order: String,
        /// The merchant's own number for it, never used before.
        #[arg(long, value_name = "TEXT")]
        number: String,
        /// How much.
        #[arg(long, value_name = "FEN")]
        amount: i64,
        /// Return the fee too, in proportion.
        #[arg(long)]
        return_fee: bool,
        /// What of an item goes back, by its place in the order from 0; may be given several times, together the amount.
        #[arg(long = "item", value_name = "PLACE:FEN")]
        items: Vec<String>,
        /// What goes back to a leg that paid; may be given several times, together the amount. Of rent the fund first, of anything else the
        /// card, unless said.
        #[arg(long = "leg", value_name = "ID:FEN")]
        legs: Vec<String>,
        /// What a receiver of splits returns; may be given several times. In the order's return order unless said.
        #[arg(long, value_name = "ID:FEN")]
        take_from: Vec<String>,
    },
    /// One refund, with what goes back to which leg and what receivers returned.
    Show {
        /// Its id, such as rfd_3.
        id: String,
    },
    /// Refunds, oldest first.
    List {
        /// Of this order.
        #[arg(long, value_name = "ID")]
        order: Option<String>,
        /// With this number of the merchant's.
        #[arg(long, value_name = "TEXT")]
        number: Option<String>,
        /// created, in_transit, success, failed or unknown.
        #[arg(long)]
        status: Option<String>,
        /// Created on this date or later.
        #[arg(long, value_name = "DATE")]
        from: Option<String>,
        /// Created on this date or earlier.
        #[arg(long, value_name = "DATE")]
        to: Option<String>,
        #[command(flatten)]
        page: Page,
    },
}

const REFUND: [Field; 12] = [
    text("id"),
    text("order"),
    text("out_refund_no"),
    text("kind"),
    text("status"),
    money("amount"),
    money("succeeded"),
    money("fee"),
    money("suspense"),
    text("created_at"),
    text("ended_at"),
    text("allowed_actions"),
];
const REFUNDS: [Field; 8] = [
    text("id"),
    text("order"),
    text("out_refund_no"),
    text("kind"),
    text("status"),
    money("amount"),
    money("succeeded"),
    text("created_at"),
];
const PARTS: [Field; 6] = [text("leg"), text("rail"), text("attempt"), money("amount"), money("fee"), text("status")];
const RETURNED: [Field; 3] = [text("merchant"), text("account"), money("amount")];
const ITEMS: [Field; 2] = [number("item"), money("amount")];

impl Refund {
    /// Asks for it.
    pub(super) fn ask(&self, client: &Client) -> Result<Answer> {
        match self {
            Self::Make { order, number, amount, return_fee, items, legs, take_from } => {
                let items = items.iter().map(|text| item(text)).collect::<Result<Vec<Value>>>()?;
                let (legs, take_from) = (amounts(legs, "leg")?, amounts(take_from, "merchant")?);
                let body = json!({"out_refund_no": number, "amount": amount, "return_fee": return_fee,
                    "items": items, "legs": legs, "take_from": take_from});
                Ok(shown(client.post(&target(&["v1", "orders", order, "refunds"], &[]), &body)?))
            }
            Self::Show { id } => Ok(shown(client.get(&target(&["v1", "refunds", id], &[]))?)),
            Self::List { order, number, status, from, to, page: wanted } => {
                let filters = [
                    ("order", order.as_deref()),
                    ("out_refund_no", number.as_deref()),
                    ("status", status.as_deref()),
                    ("created_from", from.as_deref()),
                    ("created_to", to.as_deref()),
                ];
                many(client, &REFUNDS, &wanted.target(&["v1", "refunds"], &filters))
            }
        }
    }
}

/// Ids, each under this name and with its amount.
fn amounts(texts: &[String], name: &str) -> Result<Vec<Value>> {
    let one = |text: &String| {
        let (id, amount) = pair(text)?;
        Ok(json!({name: id, "amount": amount}))
    };
    texts.iter().map(one).collect()
}

fn item(text: &str) -> Result<Value> {
    let (place, amount) = pair(text)?;
    let place: u32 = place.parse().with_context(|| format!("'{place}' is no place of an item: count from 0"))?;
    Ok(json!({"item": place, "amount": amount}))
}

fn shown(refund: Value) -> Answer {
    let currency = refund["currency"].as_str();
    let rows = |fields: &[Field], name: &str| table(fields, &refund[name], currency);
    let mut text = format!("{}\nLegs:\n{}", record(&REFUND, &refund), rows(&PARTS, "parts"));
    for (heading, fields, name) in
        [("Items", &ITEMS[..], "items"), ("Returned by receivers", &RETURNED[..], "returned")]
    {
        if refund[name].as_array().is_some_and(|list| !list.is_empty()) {
            text.push_str(&format!("\n{heading}:\n{}", rows(fields, name)));
        }
    }
    Answer::new(refund, text)
}
