//! Freezes (冻结): by law or for risk, an authority freezes an amount, or bars money from moving at all.
//!
//! ```text
//!  place ─► IN FORCE ─ release all, or the last part ─────────► RELEASED ┐
//!            ├ deduct the last part (扣划) ────────────────────► DEDUCTED ┤ a deduction that the bank declines or
//!            ├ the timer ─────────────────────────────────────► EXPIRED ─┤ returns: IN FORCE again, the same freeze
//!            │                                                           └─► in the same place, with what came back
//!            ├ renew before the expiry (续冻), release or deduct a part: stays IN FORCE
//!            └ of a stop-payment (止付): ├ the timer, 48 hours on ─► LAPSED
//!                                        └ a freeze takes over ───► FOLLOWED
//! ```
//! **Scope.** An account, or a customer across its accounts of 2201–2206, those opened later included.
//! **Measure.** Precise (精准冻结): an amount; whole (整户): in, out or both are barred (judicial: in allowed, out barred);
//! stop-payment: out is barred for 48 hours, unless a freeze of the same authority follows, which takes over without a gap.
//!
//! A freeze writes no voucher. Precise freezes queue (轮候) by priority, then by the order of placing; what each bites on is
//! computed from the balances, see `queue`, so a freeze on an empty account bites as money arrives, available never goes
//! below zero because of a queue, and when one ends the next bites. Only the authority that froze renews, releases or deducts;
//! release and deduction take two people. Placing cancels the unsent payouts of every account in scope; what is at a bank
//! already is outside. An account's freeze reaches those below it in its tree only when asked, see `group`.
//!
//! Invariants: an account's `frozen` and `freezes` count what lies on it, `State::customer_frozen` what lies on each customer,
//! and `State::freezes_in_force` names every freeze in force (see `index`). Every change keeps who did it in `changes`.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::{AccountId, CustomerId, FreezeId, PayoutId, VoucherId};
use crate::money::{Currency, Minor};
use crate::refusal::{Refusal, RefusalCode};
use crate::restriction::Restriction;
use crate::state::State;

mod deduction;
mod group;
mod index;
mod queue;
mod steps;
#[cfg(test)]
mod tests;

pub use deduction::DeductFreeze;
pub(crate) use deduction::give_back;
pub(crate) use index::{apply_placed, barred_from_birth, customer_sums, in_force_key, stop_key, timer_key};
pub use queue::Bite;
pub(crate) use queue::{check_customers, in_scope, who_bars};
pub(crate) use steps::expire;
pub use steps::{FreezeCommand, PlaceFreeze, ReleaseFreeze, RenewFreeze, decide, decide_release, place};

/// How long a stop-payment bars, and how long a freeze that comes back after its expiry is in force, so that its
/// authority can renew it or deduct again.
pub const EMERGENCY_MS: i64 = 48 * 3_600_000;

/// What is frozen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum FreezeScope {
    /// One account.
    #[n(0)]
    Account(#[n(0)] AccountId),
    /// A customer, across its accounts of 2201–2206.
    #[n(1)]
    Customer(#[n(0)] CustomerId),
}

impl From<AccountId> for FreezeScope {
    fn from(account: AccountId) -> Self {
        Self::Account(account)
    }
}

impl From<CustomerId> for FreezeScope {
    fn from(customer: CustomerId) -> Self {
        Self::Customer(customer)
    }
}

/// How it is frozen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// An amount (精准冻结).
    Amount {
        /// Minor units above zero; it may be more than there is.
        amount: Minor,
        /// Of an account's freeze the account's.
        currency: Currency,
    },
    /// The way in, out or both.
    Whole(Restriction),
    /// The way out, for 48 hours.
    StopPayment,
}

/// The kind of a measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
#[cbor(index_only)]
pub enum FreezeKind {
    /// An amount.
    #[default]
    #[n(0)]
    Precise,
    /// The way in, out or both.
    #[n(1)]
    Whole,
    /// The way out, for 48 hours.
    #[n(2)]
    StopPayment,
}

impl FreezeKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Precise, Self::Whole, Self::StopPayment];

    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Precise => "precise",
            Self::Whole => "whole",
            Self::StopPayment => "stop_payment",
        }
    }
}

/// Where a freeze stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum FreezeStatus {
    /// It freezes.
    #[n(0)]
    InForce,
    /// All of it, or the rest, was released.
    #[n(1)]
    Released,
    /// Its time ran out.
    #[n(2)]
    Expired,
    /// All of it, or the rest, was deducted.
    #[n(3)]
    Deducted,
    /// A stop-payment whose 48 hours ran out.
    #[n(4)]
    Lapsed,
    /// A stop-payment that a freeze took over.
    #[n(5)]
    Followed,
}

impl FreezeStatus {
    /// Every status.
    pub const ALL: [Self; 6] =
        [Self::InForce, Self::Released, Self::Expired, Self::Deducted, Self::Lapsed, Self::Followed];

    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InForce => "in_force",
            Self::Released => "released",
            Self::Expired => "expired",
            Self::Deducted => "deducted",
            Self::Lapsed => "lapsed",
            Self::Followed => "followed",
        }
    }
}

/// An entry that a freeze is ordered for, such as the stolen money's arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct SourceEntry {
    /// The voucher.
    #[n(0)]
    pub voucher: VoucherId,
    /// The entry's place in the voucher, from 1.
    #[n(1)]
    pub place: u32,
}

/// What changed about a freeze.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Change {
    /// It was placed.
    #[n(0)]
    Placed,
    /// It ends later (续冻).
    #[n(1)]
    Renewed {
        /// When now.
        #[n(0)]
        expires_at: Time,
    },
    /// All or part was released.
    #[n(2)]
    Released {
        /// Minor units; zero of a whole freeze.
        #[n(0)]
        amount: Minor,
    },
    /// All or part was deducted (扣划).
    #[n(3)]
    Deducted {
        /// The payout that carries it to the authority.
        #[n(0)]
        payout: PayoutId,
        /// The account it was taken from.
        #[n(1)]
        account: AccountId,
        /// Minor units.
        #[n(2)]
        amount: Minor,
    },
    /// A deduction came back.
    #[n(4)]
    GivenBack {
        /// Its payout.
        #[n(0)]
        payout: PayoutId,
        /// Minor units.
        #[n(1)]
        amount: Minor,
        /// When the freeze ends now.
        #[n(2)]
        expires_at: Option<Time>,
    },
    /// Its time ran out.
    #[n(5)]
    Expired,
    /// The 48 hours of a stop-payment ran out.
    #[n(6)]
    Lapsed,
    /// A freeze of the same authority took a stop-payment over, or came after it had lapsed.
    #[n(7)]
    Followed {
        /// The freeze.
        #[n(0)]
        by: FreezeId,
    },
}

/// One change of a freeze and who did it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct FreezeChange {
    /// What changed.
    #[n(0)]
    pub what: Change,
    /// When.
    #[n(1)]
    pub at: Time,
    /// Who did it; empty where a journal of before names were kept says so.
    #[n(2)]
    pub operator: String,
    /// Who approved it, where that was needed.
    #[n(3)]
    pub approver: Option<String>,
    /// The number of the authority's document, where one ordered it.
    #[n(4)]
    pub document: Option<String>,
}

/// A freeze.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Freeze {
    /// Its id.
    #[n(0)]
    pub id: FreezeId,
    /// The account, unless it lies on a customer.
    #[n(1)]
    pub account: Option<AccountId>,
    /// Minor units frozen at first; zero unless precise.
    #[n(2)]
    pub amount: Minor,
    /// Minor units released so far.
    #[n(3)]
    pub released: Minor,
    /// Why.
    #[n(4)]
    pub reason: String,
    /// Who ordered it; only the same may renew, release or deduct.
    #[n(5)]
    pub authority: String,
    /// The number of the authority's document (文书号).
    #[n(6)]
    pub document: String,
    /// When it ends by itself.
    #[n(7)]
    pub expires_at: Option<Time>,
    /// Where it stands.
    #[n(8)]
    pub status: FreezeStatus,
    /// When it was placed.
    #[n(9)]
    pub placed_at: Time,
    /// The customer, unless it lies on an account.
    #[n(10)]
    pub customer: Option<CustomerId>,
    /// Precise, whole or a stop-payment.
    #[n(11)]
    #[cbor(default)]
    pub kind: FreezeKind,
    /// What it bars, unless precise.
    #[n(12)]
    #[cbor(default)]
    pub bars: Restriction,
    /// Of what currency a precise freeze of a customer is.
    #[n(13)]
    pub currency: Option<Currency>,
    /// The entry it is ordered for.
    #[n(14)]
    pub source: Option<SourceEntry>,
    /// Its priority in the queue: smaller first, then in the order of placing.
    #[n(15)]
    #[cbor(default)]
    pub priority: u16,
    /// Minor units deducted and not given back.
    #[n(16)]
    #[cbor(default)]
    pub deducted: Minor,
    /// Minor units that were frozen when it expired.
    #[n(17)]
    #[cbor(default)]
    pub expired: Minor,
    /// The freeze that took a stop-payment over, or came after it had lapsed.
    #[n(18)]
    pub followed_by: Option<FreezeId>,
    /// What was done to it, oldest first.
    #[n(19)]
    #[cbor(default)]
    pub changes: Vec<FreezeChange>,
    /// The head of the freezes placed with it down a tree, itself among them.
    #[n(20)]
    pub group: Option<FreezeId>,
}

impl Freeze {
    /// What it lies on.
    ///
    /// # Panics
    /// If it lies on nothing, which no event says.
    #[must_use]
    pub fn scope(&self) -> FreezeScope {
        let account = self.account.map(FreezeScope::Account);
        account.or(self.customer.map(FreezeScope::Customer)).expect("a freeze lies on an account or a customer")
    }

    /// What is still frozen; it bites on what the balances cover.
    #[must_use]
    pub fn frozen(&self) -> Minor {
        match self.status {
            FreezeStatus::InForce => {
                self.amount.saturating_sub(self.released).saturating_sub(self.deducted).saturating_sub(self.expired)
            }
            FreezeStatus::Released
            | FreezeStatus::Expired
            | FreezeStatus::Deducted
            | FreezeStatus::Lapsed
            | FreezeStatus::Followed => 0,
        }
    }

    /// What may be done with it now.
    #[must_use]
    pub const fn allowed_actions(&self) -> &'static [&'static str] {
        match (self.status, self.kind, self.expires_at) {
            (FreezeStatus::InForce, FreezeKind::Precise, Some(_)) => &["renew", "release", "deduct"],
            (FreezeStatus::InForce, FreezeKind::Precise, None) => &["release", "deduct"],
            (FreezeStatus::InForce, FreezeKind::Whole, Some(_)) => &["renew", "release"],
            (FreezeStatus::InForce, FreezeKind::Whole, None) | (FreezeStatus::InForce, FreezeKind::StopPayment, _) => {
                &["release"]
            }
            (
                FreezeStatus::Released
                | FreezeStatus::Expired
                | FreezeStatus::Deducted
                | FreezeStatus::Lapsed
                | FreezeStatus::Followed,
                ..,
            ) => &[],
        }
    }

    /// Its place among others: smaller is served first.
    #[must_use]
    pub const fn order(&self) -> (u16, FreezeId) {
        (self.priority, self.id)
    }
}

impl State {
    /// The freeze.
    ///
    /// # Errors
    /// `freeze_unknown`.
    pub fn freeze(&self, id: FreezeId) -> Result<&Freeze, Refusal> {
        let unknown = || Refusal::new(RefusalCode::FreezeUnknown, "freeze", format!("there is no freeze {id}"));
        self.freezes.get(id.0).ok_or_else(unknown)
    }
}

/// Emits a change, with who does it.
fn change(draft: &mut Draft<'_>, freeze: FreezeId, what: Change, document: Option<String>) {
    let change = signed(draft, what, document);
    draft.emit(Event::FreezeChanged { freeze, change });
}

fn signed(draft: &Draft<'_>, what: Change, document: Option<String>) -> FreezeChange {
    FreezeChange { what, at: draft.context.now, operator: draft.operator(), approver: draft.approver(), document }
}

/// A freeze changed.
pub(crate) fn apply_changed(state: &mut State, id: FreezeId, change: &FreezeChange) {
    let before = state.freezes.get(id.0).expect("decide checked the freeze").clone();
    let mut after = before.clone();
    match change.what {
        Change::Placed => {}
        Change::Renewed { expires_at } => after.expires_at = Some(expires_at),
        Change::Released { amount } => {
            after.released += amount;
            ends_with_nothing_left(&mut after, FreezeStatus::Released);
        }
        Change::Deducted { amount, .. } => {
            after.deducted += amount;
            ends_with_nothing_left(&mut after, FreezeStatus::Deducted);
        }
        Change::GivenBack { amount, expires_at, .. } => {
            after.deducted -= amount;
            after.expires_at = expires_at;
            after.status = FreezeStatus::InForce;
        }
        Change::Expired => {
            after.expired += before.frozen();
            after.status = FreezeStatus::Expired;
        }
        Change::Lapsed => after.status = FreezeStatus::Lapsed,
        Change::Followed { by } => {
            after.followed_by = Some(by);
            if before.status == FreezeStatus::InForce {
                after.status = FreezeStatus::Followed;
            }
        }
    }
    after.changes.push(change.clone());
    index::replace(state, &before, after);
}

fn ends_with_nothing_left(freeze: &mut Freeze, status: FreezeStatus) {
    if freeze.frozen() == 0 {
        freeze.status = status;
    }
}

/// As [`apply_changed`], for a change that a journal tells without who did it.
pub(crate) fn apply_unsigned(state: &mut State, id: FreezeId, what: Change) {
    let change = FreezeChange { what, at: state.now, operator: String::new(), approver: None, document: None };
    apply_changed(state, id, &change);
}
