//! Splits (分账) of what orders brought, the plans that they go by (分账方案), and what receivers give back of them without a refund
//! (分账回退).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::client::{Client, IdempotencyKey};
use crate::error::Error;
use crate::model::{Minor, Rows};

/// A split (分账) of what an order brought.
#[derive(Debug, Clone, Serialize)]
pub struct NewSplit {
    /// The merchant's own number, unique for the merchant.
    pub out_split_no: String,
    /// Who gets what.
    #[serde(flatten)]
    pub by: SplitBy,
    /// The receivers, each once, in the order in which a refund takes their parts back; as the plan says unless named, or else the last
    /// part first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub return_order: Vec<String>,
}

impl NewSplit {
    /// With the return order that the plan has, or else the last part first.
    #[must_use]
    pub fn of(out_split_no: &str, by: SplitBy) -> Self {
        Self { out_split_no: out_split_no.to_owned(), by, return_order: Vec::new() }
    }
}

/// How a split says who gets what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SplitBy {
    /// In minor units.
    Parts(Vec<SplitPart>),
    /// In millionths of an amount.
    Rates(SplitRates),
    /// By a plan of the platform (分账方案), see [`Client::split_plans`].
    Plan(SplitByPlan),
}

/// A split by rates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SplitRates {
    /// What is split, in minor units.
    pub amount: Minor,
    /// Together 1,000,000 millionths. Each part is rounded down.
    pub rates: Vec<SplitRate>,
    /// The receiver of what rounding leaves, one of them.
    pub remainder_to: String,
}

/// One receiver's rate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SplitRate {
    /// The receiver: `mch_…`.
    pub merchant: String,
    /// Millionths.
    pub rate: i64,
}

/// A split by a plan: who had which role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SplitByPlan {
    /// The plan's name. The version of the accounting day holds.
    pub name: String,
    /// What is split, in minor units.
    pub amount: Minor,
    /// The merchants by their roles. What a role gets that nobody had goes to whoever has what rounding leaves.
    pub roles: BTreeMap<String, String>,
}

/// A version of a plan of splits, or a plan of the platform's settings, which holds before the first version of its name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SplitPlan {
    /// `spp_…`; none of a plan of the settings.
    #[serde(default)]
    pub id: Option<String>,
    /// As a split names it.
    pub name: String,
    /// The first accounting day on which it holds; none of a plan of the settings.
    #[serde(default)]
    pub from: Option<String>,
    /// Whether a split of today that names it goes by it.
    pub in_force: bool,
    /// What each role gets, together 1,000,000 millionths.
    pub roles: Vec<SplitRole>,
    /// The role whose merchant gets what rounding leaves, and what roles get that nobody had.
    pub remainder_to: String,
    /// The roles in the order in which a refund takes their parts back; the last part first if empty.
    #[serde(default)]
    pub return_order: Vec<String>,
}

/// A role of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SplitRole {
    /// As [`SplitByPlan::roles`] names it.
    pub name: String,
    /// Millionths.
    pub rate: i64,
}

/// One receiver's part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitPart {
    /// The receiver: `mch_…`.
    pub merchant: String,
    /// Minor units.
    pub amount: Minor,
}

/// A split that was made.
#[derive(Debug, Clone, Deserialize)]
pub struct Split {
    /// `spl_…`.
    pub id: String,
    /// Of which order.
    pub order: String,
    /// The merchant's own number.
    pub out_split_no: String,
    /// Who got what.
    pub parts: Vec<SplitPart>,
    /// Minor units together.
    pub amount: Minor,
    /// The receivers in the order in which a refund takes their parts back.
    #[serde(default)]
    pub return_order: Vec<String>,
    /// The version of a plan that it went by: `spp_…`; none where it named none, or one of the platform's settings.
    #[serde(default)]
    pub plan: Option<String>,
    /// What receivers gave back of it without a refund, the oldest first.
    #[serde(default)]
    pub returns: Vec<SplitReturn>,
}

/// What a receiver is to give back to the payee.
#[derive(Debug, Clone, Serialize)]
pub struct NewSplitReturn {
    /// The receiver's own number, unique for it.
    pub out_return_no: String,
    /// Who gives it back, a receiver of the split: the caller itself.
    pub receiver: String,
    /// Minor units, at most what the split gave it and it still has.
    pub amount: Minor,
}

/// What a receiver gave back to the payee.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SplitReturn {
    /// `spl_…`.
    pub split: String,
    /// Of which order.
    pub order: String,
    /// The receiver's own number.
    pub out_return_no: String,
    /// Who gave it back.
    pub receiver: String,
    /// Minor units.
    pub amount: Minor,
    /// The voucher that posted it: `vch_…`.
    pub voucher: String,
    /// When it was made.
    pub created_at: String,
}

impl Client {
    /// A split.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn split(&self, split: &str) -> Result<Split, Error> {
        self.get(&format!("/v1/splits/{split}")).await
    }

    /// The plans that splits may name: those of the platform's settings, then the versions that its treasurers set, oldest first.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn split_plans(&self) -> Result<Vec<SplitPlan>, Error> {
        Ok(self.get::<Rows<SplitPlan>>("/v1/split-plans").await?.data)
    }

    /// Gives money of a split back to the payee, without a refund. It is the receiver's: the payee cannot take it.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn return_split(
        &self,
        split: &str,
        new: &NewSplitReturn,
        key: &IdempotencyKey,
    ) -> Result<SplitReturn, Error> {
        self.post(&format!("/v1/splits/{split}/returns"), key, new).await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_split_is_sent_by_parts_by_rates_or_by_a_plan() {
        let sent = |new: &NewSplit| serde_json::to_value(new).unwrap();
        let part = SplitPart { merchant: "mch_4".to_owned(), amount: 99_000 };
        let by_parts = NewSplit::of("S1", SplitBy::Parts(vec![part]));
        assert_eq!(sent(&by_parts), json!({"out_split_no": "S1", "parts": [{"merchant": "mch_4", "amount": 99_000}]}));

        let rate = SplitRate { merchant: "mch_4".to_owned(), rate: 1_000_000 };
        let rates = SplitRates { amount: 99_000, rates: vec![rate], remainder_to: "mch_4".to_owned() };
        let return_order = vec!["mch_4".to_owned()];
        let by_rates = NewSplit { return_order, ..NewSplit::of("S2", SplitBy::Rates(rates)) };
        let rates = json!({
            "amount": 99_000, "rates": [{"merchant": "mch_4", "rate": 1_000_000}], "remainder_to": "mch_4",
        });
        assert_eq!(sent(&by_rates), json!({"out_split_no": "S2", "rates": rates, "return_order": ["mch_4"]}));

        let roles = BTreeMap::from([("closing".to_owned(), "mch_4".to_owned())]);
        let plan = SplitByPlan { name: "agent_network".to_owned(), amount: 99_000, roles };
        let by_plan = NewSplit::of("S3", SplitBy::Plan(plan));
        let plan = json!({"name": "agent_network", "amount": 99_000, "roles": {"closing": "mch_4"}});
        assert_eq!(sent(&by_plan), json!({"out_split_no": "S3", "plan": plan}));
    }
}
