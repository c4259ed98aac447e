//! What goes back to who paid (退款): of which items, to which legs, from which receivers of splits.

use serde::{Deserialize, Serialize};

use crate::model::{Minor, SplitPart, statuses};

statuses! {
    /// Where a refund stands.
    RefundStatus {
        /// Nothing was sent yet.
        Created,
        /// On its way.
        InTransit,
        /// The money is back.
        Success,
        /// It is not, at least in part.
        Failed,
        /// The channel's answer did not come.
        Unknown,
    }
}

/// A refund to be made (退款).
#[derive(Debug, Clone, Serialize)]
pub struct NewRefund {
    /// The merchant's own number, unique for the order.
    pub out_refund_no: String,
    /// Minor units.
    pub amount: Minor,
    /// Whether the fee goes back too.
    pub return_fee: bool,
    /// What of which items, together `amount`; the order as a whole where none is named.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<ItemRefund>,
    /// What goes back to which leg, together `amount`; where none is named, of rent the fund first, of anything else the card.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub legs: Vec<LegRefund>,
    /// What receivers of splits return for it; where none is named, in the order's return order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub take_from: Vec<SplitPart>,
}

impl NewRefund {
    /// Of so much, without its fee, from where it is taken unless said.
    #[must_use]
    pub fn of(out_refund_no: &str, amount: Minor) -> Self {
        let (items, legs, take_from) = (Vec::new(), Vec::new(), Vec::new());
        Self { out_refund_no: out_refund_no.to_owned(), amount, return_fee: false, items, legs, take_from }
    }
}

/// What of an item goes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemRefund {
    /// Its place in the order, from 0.
    pub item: u32,
    /// Minor units.
    pub amount: Minor,
}

/// What a leg gets back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LegRefund {
    /// One that paid the order: `leg_…`.
    pub leg: String,
    /// Minor units.
    pub amount: Minor,
}

/// A refund.
#[derive(Debug, Clone, Deserialize)]
pub struct Refund {
    /// `rfd_…`.
    pub id: String,
    /// Of which order.
    pub order: String,
    /// The merchant's own number.
    pub out_refund_no: String,
    /// Minor units asked for.
    pub amount: Minor,
    /// Minor units that are with the payer.
    pub succeeded: Minor,
    /// Minor units of the amount that are returned fee.
    pub fee: Minor,
    /// Where it stands.
    pub status: RefundStatus,
    /// What of which items; the order as a whole if there are none.
    pub items: Vec<ItemRefund>,
    /// What goes back to which leg.
    pub parts: Vec<RefundPart>,
    /// What receivers of splits returned for it.
    pub returned: Vec<SplitPart>,
}

/// What goes back to one leg.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RefundPart {
    /// `leg_…`.
    pub leg: String,
    /// `epcc`, `unionpay`, `fund` or `pingan`; `balance` where it went back to the payer's balance.
    pub rail: String,
    /// Minor units.
    pub amount: Minor,
    /// Minor units of it that are returned fee.
    pub fee: Minor,
    /// Where it stands.
    pub status: RefundStatus,
    /// What of which items it is; nothing if the refund names none.
    pub items: Vec<ItemRefund>,
}
