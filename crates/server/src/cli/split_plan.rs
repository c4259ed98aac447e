//! `lintel split-plan`: what each role of a broker network gets of a commission; setting it is proposed for two people.

use anyhow::Result;
use clap::Subcommand;
use serde_json::{Value, json};

use super::approval::propose;
use super::client::Client;
use super::object::pair;
use super::remote::Answer;
use super::table::{Field, table, text};

pub(super) const EXAMPLES: &str = "\
Examples:
  lintel split-plan list
  lintel split-plan set agent_network --from 2026-04-01 --role listing:200000 --role key:50000 --role closing:750000 \\
      --remainder-to closing --return-order closing --return-order listing --reason 'agreed on 2026-03-20' --as opr_5
  lintel approval approve apr_7 --totp 287082 --as opr_6
  lintel split make ord_7 --number S3 --amount 99000 --plan agent_network --role listing=mch_4 --role closing=mch_5

Rates are millionths and add up to 1000000. A version holds from its day until a later one of its name does. One without
an id stands in the settings, and holds until a version of its name does.";

/// Plans of splits.
#[derive(Debug, Subcommand)]
pub(crate) enum SplitPlan {
    /// Those of the settings, and versions, oldest first.
    List,
    /// Propose what each role gets from a day on; in force once a second treasurer approves it.
    Set {
        /// What a split calls it by.
        name: String,
        /// The first accounting day on which it holds.
        #[arg(long, value_name = "DATE")]
        from: String,
        /// What a role gets; may be given several times, together 1000000 millionths.
        #[arg(long = "role", value_name = "ROLE:MILLIONTHS", required = true)]
        roles: Vec<String>,
        /// The role whose merchant gets what rounding leaves, and the rates of roles that nobody had.
        #[arg(long, value_name = "ROLE")]
        remainder_to: String,
        /// Which role's part a refund takes back first; may be given several times. The last part first unless said.
        #[arg(long, value_name = "ROLE")]
        return_order: Vec<String>,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

const PLANS: [Field; 9] = [
    text("id"),
    text("name"),
    text("from"),
    text("in_force"),
    text("roles"),
    text("remainder_to"),
    text("return_order"),
    text("operator"),
    text("approver"),
];

impl SplitPlan {
    /// Asks for it.
    pub(super) fn ask(&self, client: &Client) -> Result<Answer> {
        match self {
            Self::List => {
                let plans = client.get("/v1/split-plans")?;
                let text = table(&PLANS, &readable(&plans["data"]), None);
                Ok(Answer::new(plans, text))
            }
            Self::Set { name, from, roles, remainder_to, return_order, reason } => {
                let roles = roles.iter().map(|text| role(text)).collect::<Result<Vec<Value>>>()?;
                let proposal = json!({"kind": "split_plan", "name": name, "from": from, "roles": roles,
                    "remainder_to": remainder_to, "return_order": return_order});
                propose(client, &proposal, reason, None)
            }
        }
    }
}

/// A role of the command line.
fn role(text: &str) -> Result<Value> {
    let (name, rate) = pair(text)?;
    Ok(json!({"name": name, "rate": rate}))
}

/// The plans with their roles as the command line takes them.
fn readable(plans: &Value) -> Value {
    let mut plans = plans.clone();
    for plan in plans.as_array_mut().into_iter().flatten() {
        let role = |role: &Value| format!("{}:{}", role["name"].as_str().unwrap_or_default(), role["rate"]);
        let roles: Vec<String> = plan["roles"].as_array().into_iter().flatten().map(role).collect();
        plan["roles"] = json!(roles.join(" "));
    }
    plans
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_a_name_and_a_rate_and_is_shown_as_it_is_named() {
        assert_eq!(role("listing:300000").unwrap(), json!({"name": "listing", "rate": 300_000}));
        for wrong in ["listing", "listing:", "listing:0.3", "listing=300000"] {
            assert!(role(wrong).is_err(), "{wrong}");
        }
        let plans = json!([{"roles": [role("listing:300000").unwrap(), role("closing:700000").unwrap()]}]);
        assert_eq!(readable(&plans)[0]["roles"], "listing:300000 closing:700000");
    }
}
