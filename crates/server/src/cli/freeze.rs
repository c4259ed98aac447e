//! `lintel freeze`: freezes and their queues; place one, stop payments, renew. Releasing and deducting take two people:
//! `lintel approval`.

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::client::{Client, target};
use super::remote::{Answer, Page};
use super::table::{Field, money, number, page, record, table, text};

pub(super) const EXAMPLES: &str = "\
Examples:
  lintel freeze place --account acc_42 --amount 500000 --currency CNY \\
      --authority 'Chaoyang court' --document 2026-118 --reason 'case 118' --expires-at 2026-09-05T00:00:00+08:00
  lintel freeze place --customer cus_7 --bar out --authority 'Chaoyang court' --document 2026-119 --reason 'case 118'
  lintel freeze stop --account acc_42 --authority 'Chaoyang police' --document S-77 --reason 'fraud report 77'
  lintel freeze list --status in_force --authority 'Chaoyang court'
  lintel freeze show frz_2";

/// Freezes.
#[derive(Debug, Subcommand)]
pub(crate) enum Freeze {
    /// One freeze: its place in the queue, what it bites on, what was done to it.
    Show {
        /// Its id, such as frz_2.
        id: String,
    },
    /// Freezes, oldest first.
    List {
        /// in_force, released, expired, deducted, lapsed or followed.
        #[arg(long)]
        status: Option<String>,
        /// precise, whole or stop_payment.
        #[arg(long)]
        kind: Option<String>,
        /// On this account itself.
        #[arg(long, value_name = "ID")]
        account: Option<String>,
        /// On this customer itself.
        #[arg(long, value_name = "ID")]
        customer: Option<String>,
        /// Placed by the document of this number.
        #[arg(long, value_name = "NUMBER")]
        document: Option<String>,
        /// Ordered by this authority.
        #[arg(long, value_name = "NAME")]
        authority: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// Freeze an amount, or bar the way in, out or both.
    Place {
        #[command(flatten)]
        order: Order,
        /// Minor units.
        #[arg(long, requires = "currency", conflicts_with = "bar", allow_negative_numbers = true)]
        amount: Option<i64>,
        /// The amount's currency.
        #[arg(long)]
        currency: Option<String>,
        /// in, out or both.
        #[arg(long, value_name = "WAY")]
        bar: Option<String>,
        /// Smaller is served first; 100 unless said.
        #[arg(long, value_name = "NUMBER")]
        priority: Option<u16>,
        /// When it ends by itself.
        #[arg(long, value_name = "TIME")]
        expires_at: Option<String>,
        /// The account and each below it, all or none.
        #[arg(long, conflicts_with = "customer")]
        down_the_tree: bool,
    },
    /// Stop payments for 48 hours (止付).
    Stop {
        #[command(flatten)]
        order: Order,
    },
    /// Let a freeze end later (续冻).
    Renew {
        /// Its id.
        id: String,
        /// The authority that froze.
        #[arg(long, value_name = "NAME")]
        authority: String,
        /// The number of the document that orders it.
        #[arg(long, value_name = "NUMBER")]
        document: String,
        /// When it ends then.
        #[arg(long, value_name = "TIME")]
        expires_at: String,
    },
}

/// What every order to freeze says.
#[derive(Debug, Args)]
pub(crate) struct Order {
    /// The account.
    #[arg(long, value_name = "ID", required_unless_present = "customer", conflicts_with = "customer")]
    account: Option<String>,
    /// The customer, across its accounts of 2201 to 2206.
    #[arg(long, value_name = "ID")]
    customer: Option<String>,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Who orders it.
    #[arg(long, value_name = "NAME")]
    authority: String,
    /// The number of the authority's document.
    #[arg(long, value_name = "NUMBER")]
    document: String,
}

const FREEZE: [Field; 20] = [
    text("id"),
    text("kind"),
    text("account"),
    text("customer"),
    money("amount"),
    money("released"),
    money("deducted"),
    money("frozen"),
    money("bitten"),
    number("queue_place"),
    text("bars/in_barred"),
    text("bars/out_barred"),
    text("reason"),
    text("authority"),
    text("document"),
    number("priority"),
    text("placed_at"),
    text("expires_at"),
    text("status"),
    text("allowed_actions"),
];
const FREEZES: [Field; 9] = [
    text("id"),
    text("kind"),
    text("account"),
    text("customer"),
    money("frozen"),
    money("bitten"),
    number("queue_place"),
    text("authority"),
    text("status"),
];
const BITES: [Field; 2] = [text("account"), money("amount")];
const CHANGES: [Field; 8] = [
    text("what"),
    text("at"),
    text("operator"),
    text("approver"),
    text("document"),
    money("amount"),
    text("payout"),
    text("expires_at"),
];

impl Freeze {
    /// Asks for it.
    pub(super) fn ask(&self, client: &Client) -> Result<Answer> {
        match self {
            Self::Show { id } => Ok(shown(client.get(&target(&["v1", "freezes", id], &[]))?)),
            Self::List { status, kind, account, customer, document, authority, page: wanted } => {
                let filters = [
                    ("status", status.as_deref()),
                    ("kind", kind.as_deref()),
                    ("account", account.as_deref()),
                    ("customer", customer.as_deref()),
                    ("document", document.as_deref()),
                    ("authority", authority.as_deref()),
                ];
                let freezes = client.get(&wanted.target(&["v1", "freezes"], &filters))?;
                let text = page(&FREEZES, &freezes, None);
                Ok(Answer::new(freezes, text))
            }
            Self::Place { order, amount, currency, bar, priority, expires_at, down_the_tree } => {
                let mut body = order.body();
                match (amount, bar.as_deref()) {
                    (Some(amount), None) => body.extend(named("amount", *amount)),
                    (None, Some(way)) => body.extend(named("bars", bars(way)?)),
                    (None, None) | (Some(_), Some(_)) => {
                        bail!("give --amount with --currency, or --bar in, out or both")
                    }
                }
                body.extend(currency.iter().flat_map(|currency| named("currency", currency.as_str())));
                body.extend(priority.iter().flat_map(|priority| named("priority", *priority)));
                body.extend(expires_at.iter().flat_map(|at| named("expires_at", at.as_str())));
                body.extend(down_the_tree.then(|| named("down_the_tree", true)).into_iter().flatten());
                Ok(shown(client.post(&target(&["v1", "freezes"], &[]), &Value::Object(body))?))
            }
            Self::Stop { order } => {
                let body = Value::Object(order.body());
                Ok(shown(client.post(&target(&["v1", "stop-payments"], &[]), &body)?))
            }
            Self::Renew { id, authority, document, expires_at } => {
                let body = json!({ "authority": authority, "document": document, "expires_at": expires_at });
                Ok(shown(client.post(&target(&["v1", "freezes", id, "renew"], &[]), &body)?))
            }
        }
    }
}

impl Order {
    fn body(&self) -> Map<String, Value> {
        let Self { account, customer, reason, authority, document } = self;
        let texts = [
            ("account", account.as_ref()),
            ("customer", customer.as_ref()),
            ("reason", Some(reason)),
            ("authority", Some(authority)),
            ("document", Some(document)),
        ];
        texts.into_iter().flat_map(|(name, text)| text.and_then(|text| named(name, text.as_str()))).collect()
    }
}

fn named(name: &str, value: impl Into<Value>) -> Option<(String, Value)> {
    Some((name.to_owned(), value.into()))
}

fn bars(way: &str) -> Result<Value> {
    let (in_barred, out_barred) = match way {
        "in" => (true, false),
        "out" => (false, true),
        "both" => (true, true),
        _ => bail!("'{way}' is no way to bar; use in, out or both"),
    };
    Ok(json!({ "in_barred": in_barred, "out_barred": out_barred }))
}

fn shown(freeze: Value) -> Answer {
    let currency = freeze["currency"].as_str();
    let (bites, changes) = (table(&BITES, &freeze["bites"], currency), table(&CHANGES, &freeze["changes"], currency));
    let text = format!("{}\nBites on:\n{bites}\nChanges:\n{changes}", record(&FREEZE, &freeze));
    Answer::new(freeze, text)
}
