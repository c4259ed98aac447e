//! Advances that the reserve may pay back by a working day: for a timer, and for who looks at it.
//!
//! An advance is due by the day on which every order of it is, one working day after the file that cleared it. One whose repayment
//! somebody cancelled is left to people: they know whether its money left, or comes back (退票) and is to be booked first.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::{Advance, AdvanceStatus};
use crate::calendar::Date;
use crate::ids::AdvanceId;
use crate::own_transfer::{OwnTransfer, OwnTransferStatus, TransferKind};
use crate::state::State;

/// Where an advance stands that arrived and that nothing pays back yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repayable {
    /// Every order of it is due.
    Due,
    /// An order of it stands in no clearing file yet, or is due on a later day.
    NotCleared,
    /// Somebody cancelled its repayment: the next one is people's to instruct.
    Cancelled,
}

impl Repayable {
    /// The name in API and log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::NotCleared => "not_cleared",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Some of the advances that arrived and that nothing pays back yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepayPage {
    /// They, in the order of their ids, and where each stands.
    pub advances: Vec<(AdvanceId, Repayable)>,
    /// From which on the next page looks; none after the last.
    pub next: Option<AdvanceId>,
}

/// The advances from `from` on that arrived and that nothing pays back yet, and where each stands by `today`. The page ends with the
/// advance by which `most` advances and orders were looked at, so that nobody waits long for it. An order that cannot be read is not
/// cleared.
#[must_use]
pub fn repay_page(state: &State, today: Date, from: AdvanceId, most: usize) -> RepayPage {
    let (mut advances, mut id, mut looked_at) = (Vec::new(), from.0.max(1), 0_usize);
    let (end, mut cancelled) = (state.advances.next_id(), None);
    while id < end && looked_at < most.max(1) {
        looked_at = looked_at.saturating_add(1);
        if let Some(advance) = state.advances.get(id).filter(|it| is_owed(it)) {
            looked_at = looked_at.saturating_add(advance.shares.len());
            let cancelled = cancelled.get_or_insert_with(|| cancelled_repayments(state));
            let stands = if cancelled.contains(&advance.id) {
                Repayable::Cancelled
            } else if is_due(state, advance, today) {
                Repayable::Due
            } else {
                Repayable::NotCleared
            };
            advances.push((advance.id, stands));
        }
        id = id.saturating_add(1);
    }
    RepayPage { advances, next: (id < end).then_some(AdvanceId(id)) }
}

/// Whether the merchant has it and nothing pays it back yet.
fn is_owed(advance: &Advance) -> bool {
    advance.status == AdvanceStatus::Success && advance.repayment.is_none()
}

/// Whether every order of it is due by `today`; all of them are asked for, so that those that left memory come back at once.
fn is_due(state: &State, advance: &Advance, today: Date) -> bool {
    let due = |order| state.order(order).is_ok_and(|order| order.due.is_some_and(|due| due <= today));
    let mut all = true;
    for share in &advance.shares {
        all &= due(share.order);
    }
    all
}

/// The advances of which a repayment was cancelled.
fn cancelled_repayments(state: &State) -> BTreeSet<AdvanceId> {
    let of = |transfer: &OwnTransfer| match transfer.kind {
        TransferKind::Repayment(advance) => (transfer.status == OwnTransferStatus::Cancelled).then_some(advance),
        TransferKind::IncomeSweep | TransferKind::Injection => None,
    };
    state.own_transfers.iter().filter_map(|(_, transfer)| of(transfer)).collect()
}
