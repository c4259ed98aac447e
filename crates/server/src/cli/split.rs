//! `lintel split`: a paid order's money shared among merchants before it is settled.

use anyhow::{Context as _, Result};
use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::client::{Client, target};
use super::object::{made, many, pair};
use super::remote::{Answer, Page};
use super::table::{Field, money, record, table, text};

pub(super) const EXAMPLES: &str = "\
Examples:
  lintel split make ord_7 --number S1 --part mch_4:99000
  lintel split make ord_7 --number S2 --amount 99000 --rate mch_4:600000 --rate mch_5:400000 --remainder-to mch_4
  lintel split make ord_7 --number S3 --amount 99000 --plan agent_network --role listing=mch_4 --role closing=mch_5
  lintel split return spl_3 --receiver mch_4 --number R1 --amount 40000       without a refund: the receiver signs, or an operator
  lintel split list --order ord_7

Amounts are in the order's minor units (fen), rates in millionths. Only registered receivers get a part: lintel receiver --help";

/// Splits.
#[derive(Debug, Subcommand)]
pub(crate) enum Split {
    /// Split what an order brought: by parts, by rates of an amount, or by a plan.
    Make {
        /// The order, such as ord_7.
        order: String,
        /// The merchant's own number for it, never used before.
        #[arg(long, value_name = "TEXT")]
        number: String,
        /// Who receives what; may be given several times.
        #[arg(long = "part", value_name = "ID:FEN", group = "how")]
        parts: Vec<String>,
        /// Who receives how much of the amount, together 1000000 millionths; may be given several times.
        #[arg(long = "rate", value_name = "ID:MILLIONTHS", group = "how", requires_all = ["amount", "remainder_to"])]
        rates: Vec<String>,
        /// The receiver of what rounding leaves of rates.
        #[arg(long, value_name = "ID", requires = "rates")]
        remainder_to: Option<String>,
        /// A plan of the platform: lintel split-plan list.
        #[arg(long, value_name = "NAME", group = "how", requires = "amount")]
        plan: Option<String>,
        /// Who had which role of the plan; may be given several times.
        #[arg(long = "role", value_name = "ROLE=ID", requires = "plan")]
        roles: Vec<String>,
        /// What rates or a plan split.
        #[arg(long, value_name = "FEN", conflicts_with = "parts")]
        amount: Option<i64>,
        /// Whose part a refund takes back first; may be given several times. The last part first unless said.
        #[arg(long, value_name = "ID")]
        return_order: Vec<String>,
    },
    /// Give money of a split back to its payee, without a refund.
    Return {
        /// The split, such as spl_3.
        id: String,
        /// Who gives it back.
        #[arg(long, value_name = "ID")]
        receiver: String,
        /// The receiver's own number for it, never used before.
        #[arg(long, value_name = "TEXT")]
        number: String,
        /// How much of what the split gave it.
        #[arg(long, value_name = "FEN")]
        amount: i64,
    },
    /// One split with its parts, and what was given back of them.
    Show {
        /// Its id, such as spl_3.
        id: String,
    },
    /// Splits, oldest first.
    List {
        /// Of this order.
        #[arg(long, value_name = "ID")]
        order: Option<String>,
        /// With this number of the merchant's.
        #[arg(long, value_name = "TEXT")]
        number: Option<String>,
        /// Of this merchant's share.
        #[arg(long, value_name = "ID")]
        payee: Option<String>,
        #[command(flatten)]
        page: Page,
    },
}

const SPLIT: [Field; 10] = [
    text("id"),
    text("order"),
    text("out_split_no"),
    text("payee"),
    money("amount"),
    text("return_order"),
    text("plan"),
    text("voucher"),
    text("created_at"),
    text("allowed_actions"),
];
const SPLITS: [Field; 6] =
    [text("id"), text("order"), text("out_split_no"), text("payee"), money("amount"), text("created_at")];
const PARTS: [Field; 2] = [text("merchant"), money("amount")];
const RETURN: [Field; 7] = [
    text("split"),
    text("order"),
    text("out_return_no"),
    text("receiver"),
    money("amount"),
    text("voucher"),
    text("created_at"),
];
const RETURNS: [Field; 4] = [text("receiver"), text("out_return_no"), money("amount"), text("created_at")];

impl Split {
    /// Asks for it.
    pub(super) fn ask(&self, client: &Client) -> Result<Answer> {
        match self {
            Self::Make { order, number, parts, rates, remainder_to, plan, roles, amount, return_order } => {
                let mut body = json!({"out_split_no": number, "return_order": return_order});
                if !parts.is_empty() {
                    body["parts"] = json!(pairs(parts, "amount")?);
                } else if !rates.is_empty() {
                    let rates = pairs(rates, "rate")?;
                    body["rates"] = json!({"amount": amount, "rates": rates, "remainder_to": remainder_to});
                } else if let Some(name) = plan {
                    let roles = roles.iter().map(|text| role(text)).collect::<Result<Map<String, Value>>>()?;
                    body["plan"] = json!({"name": name, "amount": amount, "roles": roles});
                }
                Ok(shown(client.post(&target(&["v1", "orders", order, "splits"], &[]), &body)?))
            }
            Self::Return { id, receiver, number, amount } => {
                let body = json!({"out_return_no": number, "receiver": receiver, "amount": amount});
                made(client, &RETURN, &["v1", "splits", id, "returns"], &body)
            }
            Self::Show { id } => Ok(shown(client.get(&target(&["v1", "splits", id], &[]))?)),
            Self::List { order, number, payee, page: wanted } => {
                let filters =
                    [("order", order.as_deref()), ("out_split_no", number.as_deref()), ("payee", payee.as_deref())];
                many(client, &SPLITS, &wanted.target(&["v1", "splits"], &filters))
            }
        }
    }
}

/// Merchants, each with its number under `name`.
fn pairs(texts: &[String], name: &str) -> Result<Vec<Value>> {
    let one = |text: &String| {
        let (merchant, number) = pair(text)?;
        Ok(json!({"merchant": merchant, name: number}))
    };
    texts.iter().map(one).collect()
}

fn role(text: &str) -> Result<(String, Value)> {
    let (role, merchant) = text.split_once('=').with_context(|| format!("'{text}' is not ROLE=ID"))?;
    Ok((role.to_owned(), merchant.into()))
}

fn shown(split: Value) -> Answer {
    let currency = split["currency"].as_str();
    let parts = table(&PARTS, &split["parts"], currency);
    let mut text = format!("{}\nParts:\n{parts}", record(&SPLIT, &split));
    if split["returns"].as_array().is_some_and(|list| !list.is_empty()) {
        text.push_str(&format!("\nReturned without a refund:\n{}", table(&RETURNS, &split["returns"], currency)));
    }
    Answer::new(split, text)
}

#[cfg(test)]
mod tests {
    use super::super::split_plan;
    use super::EXAMPLES;
    use crate::config::DEFAULT;

    #[test]
    fn the_roles_of_the_examples_are_those_of_the_plan_that_the_settings_show() {
        for examples in [EXAMPLES, split_plan::EXAMPLES] {
            let example = examples.lines().find(|line| line.contains("--plan agent_network")).unwrap();
            let roles: Vec<&str> = example.split("--role ").skip(1).filter_map(|rest| rest.split('=').next()).collect();
            assert!(roles.iter().all(|role| DEFAULT.contains(&format!("{{ name = \"{role}\", rate"))), "{example}");
            assert!(roles.contains(&"closing") && DEFAULT.contains("remainder_to = \"closing\""), "{example}");
        }
    }
}
