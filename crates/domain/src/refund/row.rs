//! A refund as a row: its parts, where it stands, and what of it waits for a person.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use super::ItemRefund;
use crate::attempt::Rail;
use crate::envelope::Time;
use crate::ids::{ApprovalId, ArrearsId, AttemptId, LegId, OrderId, RefundId, VoucherId};
use crate::money::{Currency, Minor};
use crate::order::{Share, can_refund};
use crate::recall::Leaves;
use crate::state::State;
use crate::task::Claim;

/// Where a refund, or a part of it, stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum RefundStatus {
    /// Not yet on its way.
    #[n(0)]
    Created,
    /// On its way.
    #[n(1)]
    InTransit,
    /// With the payer.
    #[n(2)]
    Success,
    /// Not with the payer, at least in part.
    #[n(3)]
    Failed,
    /// The channel did not say.
    #[n(4)]
    Unknown,
}

impl RefundStatus {
    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::InTransit => "in_transit",
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}

/// Why money goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum RefundKind {
    /// The merchant gives it back.
    #[n(0)]
    Order,
    /// No order can use it.
    #[n(1)]
    Useless,
}

/// What goes back to one leg.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct RefundPart {
    /// The leg.
    #[n(0)]
    pub leg: LegId,
    /// The way; none back to a balance.
    #[n(1)]
    pub rail: Option<Rail>,
    /// The try at the channel; none back to a balance.
    #[n(2)]
    pub attempt: Option<AttemptId>,
    /// Minor units.
    #[n(3)]
    pub amount: Minor,
    /// How much of it is returned fee.
    #[n(4)]
    pub fee: Minor,
    /// Where it stands.
    #[n(5)]
    pub status: RefundStatus,
    /// What it took from the payee.
    #[n(6)]
    pub taken: Vec<Share>,
    /// The voucher that put it on its way.
    #[n(7)]
    pub voucher: VoucherId,
    /// What the payee lacked and own money paid.
    #[n(8)]
    #[cbor(default)]
    pub covered: Minor,
    /// The arrears that became of it.
    #[n(9)]
    pub arrears: Option<ArrearsId>,
    /// What of which items it is; nothing if the refund names none.
    #[n(10)]
    #[cbor(default)]
    pub items: Vec<ItemRefund>,
    /// What the leg's other refunds came to when it failed, but for what was taken again, in minor units: what came since may have been
    /// made in its place.
    #[n(11)]
    pub beside: Option<Minor>,
    /// Its channel carried it out after it had failed, and its money was not there to be taken again.
    #[n(12)]
    pub claim: Option<Claim>,
}

/// A refund.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Refund {
    /// Its id.
    #[n(0)]
    pub id: RefundId,
    /// The order.
    #[n(1)]
    pub order: OrderId,
    /// The merchant's own number; empty for money that no order can use.
    #[n(2)]
    pub out_refund_no: String,
    /// Why.
    #[n(3)]
    pub kind: RefundKind,
    /// What goes back, in minor units, returned fee and all.
    #[n(4)]
    pub amount: Minor,
    /// Its currency.
    #[n(5)]
    pub currency: Currency,
    /// Whether the fee is returned too.
    #[n(6)]
    pub returns_fee: bool,
    /// How much of it is returned fee.
    #[n(7)]
    pub fee: Minor,
    /// What goes back to which leg.
    #[n(8)]
    pub parts: Vec<RefundPart>,
    /// What receivers of splits returned for it.
    #[n(9)]
    pub returned: Vec<Share>,
    /// Where they returned it to.
    #[n(10)]
    pub payee: Option<Share>,
    /// The voucher of it.
    #[n(11)]
    pub return_voucher: Option<VoucherId>,
    /// Where it stands.
    #[n(12)]
    pub status: RefundStatus,
    /// When it was created.
    #[n(13)]
    pub created_at: Time,
    /// When it became final.
    #[n(14)]
    pub ended_at: Option<Time>,
    /// What came back and could not go to the merchant: it lies in suspense, for a person.
    #[n(15)]
    pub suspense: Minor,
    /// What of which items; the order as a whole if empty.
    #[n(16)]
    #[cbor(default)]
    pub items: Vec<ItemRefund>,
    /// The refund by which an operator had its source asked again, see [`task`](crate::task).
    #[n(17)]
    pub retried_as: Option<RefundId>,
    /// The approval by which two people settled by hand what its source refused.
    #[n(18)]
    pub settled_by: Option<ApprovalId>,
    /// The earlier refund of the same money, tried again as this one, that its source carried out after all.
    #[n(19)]
    pub overtaken_by: Option<RefundId>,
}

impl Leaves for Refund {
    /// Whether each part of it is with the payer or back.
    fn is_closed(&self) -> bool {
        match self.status {
            RefundStatus::Created | RefundStatus::InTransit | RefundStatus::Unknown => false,
            RefundStatus::Success | RefundStatus::Failed => true,
        }
    }
}

impl Refund {
    /// Whether it is money that no order can use, its source refused it, and nobody has acted on that: it lies on 2243.
    #[must_use]
    pub fn is_due(&self) -> bool {
        let refused = self.kind == RefundKind::Useless && self.status == RefundStatus::Failed;
        refused && self.retried_as.is_none() && self.settled_by.is_none() && self.overtaken_by.is_none()
    }

    /// What its channels gave back besides what was to go back, and nobody has settled, in minor units.
    #[must_use]
    pub fn claimed(&self) -> Minor {
        self.parts.iter().filter(|part| part.claim == Some(Claim::Open)).map(|part| part.amount).sum()
    }

    /// What waits for a person, in minor units: what lies on 2243, else what its banks owe.
    #[must_use]
    pub fn waiting(&self) -> Minor {
        if self.is_due() { self.amount } else { self.claimed() }
    }

    /// Whether only a person can move it on: it lies on 2243, or a bank owes some of it.
    #[must_use]
    pub fn needs_person(&self) -> bool {
        self.is_due() || self.claimed() > 0
    }

    /// Two people said that it is settled: what lay on 2243, else what a bank owes.
    pub(crate) fn settle(&mut self, approval: ApprovalId) {
        if self.is_due() {
            self.settled_by = Some(approval);
            return;
        }
        for part in self.parts.iter_mut().filter(|part| part.claim == Some(Claim::Open)) {
            part.claim = Some(Claim::Settled(approval));
        }
    }

    /// The last approval by which two people said that it is settled.
    #[must_use]
    pub fn last_settled_by(&self) -> Option<ApprovalId> {
        let of_claims = self.parts.iter().filter_map(|part| part.claim.and_then(Claim::settled_by));
        of_claims.chain(self.settled_by).max()
    }

    /// What reached the payer.
    #[must_use]
    pub fn succeeded(&self) -> Minor {
        let done = self.parts.iter().filter(|part| part.status == RefundStatus::Success);
        done.map(|part| part.amount).sum()
    }

    /// What may be done about it now, by the guards that `decide` asks: what failed may be refunded anew.
    #[must_use]
    pub fn allowed_actions(&self, state: &State) -> Vec<&'static str> {
        let again = match self.status {
            RefundStatus::Failed => state.order(self.order).and_then(can_refund).is_ok(),
            RefundStatus::Created | RefundStatus::InTransit | RefundStatus::Success | RefundStatus::Unknown => false,
        };
        if again && self.kind == RefundKind::Order { vec!["refund"] } else { Vec::new() }
    }

    /// Where the refund stands by its parts.
    pub(super) fn status_of(parts: &[RefundPart]) -> RefundStatus {
        let any = |status| parts.iter().any(|part| part.status == status);
        if any(RefundStatus::Unknown) {
            RefundStatus::Unknown
        } else if any(RefundStatus::InTransit) || any(RefundStatus::Created) {
            RefundStatus::InTransit
        } else if any(RefundStatus::Failed) {
            RefundStatus::Failed
        } else {
            RefundStatus::Success
        }
    }
}
