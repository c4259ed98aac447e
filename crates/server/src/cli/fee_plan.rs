//! `lintel fee-plan`: what orders cost their merchants or their payers, and payouts and withdrawals the accounts that pay
//! them; setting it is proposed for two people.

use anyhow::{Context as _, Result};
use clap::Subcommand;
use serde_json::{Value, json};

use super::approval::propose;
use super::client::Client;
use super::remote::{Answer, Page};
use super::table::{Field, money, page, text};

pub(super) const EXAMPLES: &str = "\
Examples:
  lintel fee-plan list --merchant mch_3
  lintel fee-plan set mch_3 --from 2026-04-01 --tier 0:6000 --tier 100000:5000:100 --least 50 --cap 8000 \\
      --rounding half_up --reason 'contract of 2026-03-20' --as opr_5
  lintel fee-plan set mch_3 --of payout --from 2026-04-01 --tier 0:0:200 --reason 'contract of 2026-03-20' --as opr_5
  lintel fee-plan set --product rent --of withdrawal --from 2026-04-01 --tier 0:1000 --least 10 \\
      --reason 'price list' --as opr_5

A tier is FROM:RATE or FROM:RATE:FIXED: its least amount in fen, millionths of the whole amount (0.60 % is 6000), fen
added to that. The first is from 0. Without a plan a merchant pays of orders the rate that it was opened with, and of
payouts nothing.";

/// Plans of fees.
#[derive(Debug, Subcommand)]
pub(crate) enum FeePlan {
    /// Versions, oldest first.
    List {
        /// Of this merchant.
        #[arg(long)]
        merchant: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// Propose what orders, payouts or withdrawals cost from a day on; in force once a second treasurer approves it.
    Set {
        /// The merchant, unless it is of the users of a product.
        #[arg(required_unless_present = "product")]
        merchant: Option<String>,
        /// Of the users of this product.
        #[arg(long, value_name = "NAME", conflicts_with = "merchant")]
        product: Option<String>,
        /// What it prices: order, payout (to others) or withdrawal (to oneself).
        #[arg(long, value_name = "WHAT", default_value = "order")]
        of: String,
        /// The first accounting day on which it holds.
        #[arg(long, value_name = "DATE")]
        from: String,
        /// A tier by the amount; may be given several times, the smallest first.
        #[arg(long = "tier", value_name = "FROM:RATE[:FIXED]", required = true)]
        tiers: Vec<String>,
        /// The least that a fee comes to; no bound unless given.
        #[arg(long, value_name = "FEN")]
        least: Option<i64>,
        /// The most that a fee comes to; no bound unless given.
        #[arg(long, value_name = "FEN")]
        cap: Option<i64>,
        /// Who pays an order's: merchant, out of its amount, unless given, or payer, on top of it.
        #[arg(long, value_name = "WHO")]
        payer: Option<String>,
        /// How the rate's part is rounded: half_up, down or up.
        #[arg(long, value_name = "RULE", default_value = "half_up")]
        rounding: String,
        /// What becomes of an order's fee when it is refunded: kept, returned, or as_asked by each refund unless given.
        #[arg(long, value_name = "RULE")]
        on_refund: Option<String>,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

const PLANS: [Field; 13] = [
    text("id"),
    text("merchant"),
    text("product"),
    text("of"),
    text("from"),
    text("tiers"),
    money("least"),
    money("cap"),
    text("payer"),
    text("rounding"),
    text("on_refund"),
    text("operator"),
    text("approver"),
];

impl FeePlan {
    /// Asks for it.
    pub(super) fn ask(&self, client: &Client) -> Result<Answer> {
        match self {
            Self::List { merchant, page: wanted } => {
                let plans = client.get(&wanted.target(&["v1", "fee-plans"], &[("merchant", merchant.as_deref())]))?;
                let text = page(&PLANS, &readable(&plans), None);
                Ok(Answer::new(plans, text))
            }
            Self::Set { merchant, product, of, from, tiers, least, cap, payer, rounding, on_refund, reason } => {
                let tiers = tiers.iter().map(|text| tier(text)).collect::<Result<Vec<Value>>>()?;
                let proposal = json!({"kind": "fee_plan", "merchant": merchant, "product": product, "of": of,
                    "from": from, "tiers": tiers, "least": least, "cap": cap, "payer": payer, "rounding": rounding,
                    "on_refund": on_refund});
                propose(client, &proposal, reason, None)
            }
        }
    }
}

/// A tier of the command line.
fn tier(text: &str) -> Result<Value> {
    let wrong = || format!("'{text}' is no tier; name FROM:RATE or FROM:RATE:FIXED, such as 100000:5000:100");
    let numbers = text.split(':').map(str::parse).collect::<Result<Vec<i64>, _>>().with_context(wrong)?;
    match *numbers {
        [from, rate] => Ok(json!({"from": from, "rate": rate})),
        [from, rate, fixed] => Ok(json!({"from": from, "rate": rate, "fixed": fixed})),
        _ => Err(anyhow::Error::msg(wrong())),
    }
}

/// The plans with their tiers as the command line takes them.
fn readable(plans: &Value) -> Value {
    let mut plans = plans.clone();
    for plan in plans["data"].as_array_mut().into_iter().flatten() {
        let tier = |tier: &Value| format!("{}:{}:{}", tier["from"], tier["rate"], tier["fixed"]);
        let tiers: Vec<String> = plan["tiers"].as_array().into_iter().flatten().map(tier).collect();
        plan["tiers"] = json!(tiers.join(" "));
    }
    plans
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tier_is_two_numbers_or_three_and_is_shown_as_it_is_named() {
        assert_eq!(tier("0:6000").unwrap(), json!({"from": 0, "rate": 6_000}));
        assert_eq!(tier("100000:5000:100").unwrap(), json!({"from": 100_000, "rate": 5_000, "fixed": 100}));
        for wrong in ["", "0", "0:6000:1:2", "0:0.6", "0:6000:"] {
            let error = tier(wrong).unwrap_err().to_string();
            assert!(error.contains("FROM:RATE:FIXED"), "{error}");
        }
        let plans = json!({"data": [{"tiers": [tier("0:6000:0").unwrap(), tier("5:1:2").unwrap()]}]});
        assert_eq!(readable(&plans)["data"][0]["tiers"], "0:6000:0 5:1:2");
    }
}
