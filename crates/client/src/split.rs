//! Splits (分账) of what orders brought, and what receivers give back of them without a refund (分账回退).

use serde::{Deserialize, Serialize};

use crate::client::{Client, IdempotencyKey};
use crate::error::Error;
use crate::model::Minor;

/// A split (分账) of what an order brought.
#[derive(Debug, Clone, Serialize)]
pub struct NewSplit {
    /// The merchant's own number, unique for the order.
    pub out_split_no: String,
    /// Who gets what.
    pub parts: Vec<SplitPart>,
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
