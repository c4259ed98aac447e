//! Leaving memory: what is closed leaves, and comes back when a command needs it. Memory grows with what is open.
//!
//! ```text
//!  open row ─ closed ─► in memory ─ Checkpointed at or behind its batch ─► away: the store has it
//!     ▲                     ▲                                               │ a command asks for it
//!     └─ changed again ─────┴────────── Recalled, with what the store has ◄─┘ and waits
//! ```
//! - A row leaves when the store has its last change for certain, by an event: a replay lets go of the same rows.
//! - `decide` never loads. A table notes that a row was asked for which is away; whoever runs the command takes it back, has
//!   the store asked, lets `Recalled` happen and runs it again. So what a command comes to never hangs on what is in memory.
//! - Closed means at rest: nothing is awaited of the row, and no index names it. A command may still change it: it asks for it
//!   first, the row comes back, and leaves again later. An event changes only what its command asked for.
//! - A walk over a table that leaves may need rows that are open, and no others. What is counted over all of them is kept as a
//!   sum ([`crate::rates`]).
//! - A start reads of the store what was in memory then: what is open, and what was written later than the last position at
//!   which closed rows left.
//! - A state that is told to keep what is closed lets nothing go: by it a replay checks each `Recalled`.

use alloc::boxed::Box;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use crate::agreement::AgreementPayment;
use crate::attempt::{Attempt, Purpose, attempt_of_serial};
use crate::bulk;
use crate::card_clearing;
use crate::card_transaction::CardTransaction;
use crate::command::{Command, Reply};
use crate::draft::Draft;
use crate::event::Event;
use crate::hold::Hold;
use crate::ids::{
    AgreementPaymentId, AttemptId, CardTransactionId, HoldId, LegId, OrderId, PayoutId, RefundId, SettlementId,
    SplitId, TopUpId, TransferId,
};
use crate::leg::Leg;
use crate::order::Order;
use crate::payout::Payout;
use crate::refund::Refund;
use crate::refusal::Refusal;
use crate::settlement::Settlement;
use crate::split::Split;
use crate::state::State;
use crate::table::Table;
use crate::top_up::TopUp;
use crate::transfer::Transfer;

#[cfg(test)]
mod tests;

/// The kinds that `Checkpointed` events of this program let go of: those up to this generation.
pub const GENERATION: u8 = 2;

/// A row of a kind that leaves memory.
pub trait Leaves: Clone + PartialEq {
    /// Whether it is at rest: nothing is awaited of it, and no index names it.
    fn is_closed(&self) -> bool;
}

/// A kind whose rows leave memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Holds.
    Hold,
    /// Orders.
    Order,
    /// Legs of payments.
    Leg,
    /// Attempts at channels.
    Attempt,
    /// Splits.
    Split,
    /// Refunds.
    Refund,
    /// Payouts.
    Payout,
    /// Settlements.
    Settlement,
    /// Top-ups.
    TopUp,
    /// Transfers.
    Transfer,
    /// Payments out of agreement accounts.
    AgreementPayment,
    /// Card transactions.
    CardTransaction,
}

impl Kind {
    /// All of them, each at its number.
    pub const ALL: [Self; 12] = [
        Self::Hold,
        Self::Order,
        Self::Leg,
        Self::Attempt,
        Self::Split,
        Self::Refund,
        Self::Payout,
        Self::Settlement,
        Self::TopUp,
        Self::Transfer,
        Self::AgreementPayment,
        Self::CardTransaction,
    ];

    /// The first generation of `Checkpointed` events that let go of them: what an earlier one let go of leaves the others
    /// where they are, for ever.
    #[must_use]
    pub const fn since(self) -> u8 {
        match self {
            Self::Hold => 0,
            Self::Order
            | Self::Leg
            | Self::Attempt
            | Self::Split
            | Self::Refund
            | Self::Payout
            | Self::Settlement
            | Self::TopUp
            | Self::Transfer
            | Self::AgreementPayment => 1,
            Self::CardTransaction => 2,
        }
    }

    /// Their name in words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hold => "holds",
            Self::Order => "orders",
            Self::Leg => "legs",
            Self::Attempt => "attempts",
            Self::Split => "splits",
            Self::Refund => "refunds",
            Self::Payout => "payouts",
            Self::Settlement => "settlements",
            Self::TopUp => "top_ups",
            Self::Transfer => "transfers",
            Self::AgreementPayment => "agreement_payments",
            Self::CardTransaction => "card_transactions",
        }
    }
}

/// Which row of a kind that leaves memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowId {
    /// The kind.
    pub kind: Kind,
    /// Its id's number.
    pub id: u64,
}

macro_rules! row_ids {
    ($($kind:ident: $id:ident,)*) => {$(
        impl From<$id> for RowId {
            fn from(id: $id) -> Self {
                Self { kind: Kind::$kind, id: id.0 }
            }
        }
    )*};
}

row_ids! {
    Hold: HoldId,
    Order: OrderId,
    Leg: LegId,
    Attempt: AttemptId,
    Split: SplitId,
    Refund: RefundId,
    Payout: PayoutId,
    Settlement: SettlementId,
    TopUp: TopUpId,
    Transfer: TransferId,
    AgreementPayment: AgreementPaymentId,
    CardTransaction: CardTransactionId,
}

/// A row of a kind that leaves memory.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Row {
    /// A hold.
    #[n(0)]
    Hold(#[n(0)] Hold),
    /// An order.
    #[n(1)]
    Order(#[n(0)] Order),
    /// A leg.
    #[n(2)]
    Leg(#[n(0)] Leg),
    /// An attempt.
    #[n(3)]
    Attempt(#[n(0)] Attempt),
    /// A split.
    #[n(4)]
    Split(#[n(0)] Split),
    /// A refund.
    #[n(5)]
    Refund(#[n(0)] Refund),
    /// A payout.
    #[n(6)]
    Payout(#[n(0)] Payout),
    /// A settlement.
    #[n(7)]
    Settlement(#[n(0)] Settlement),
    /// A top-up.
    #[n(8)]
    TopUp(#[n(0)] TopUp),
    /// A transfer.
    #[n(9)]
    Transfer(#[n(0)] Transfer),
    /// A payment out of an agreement account.
    #[n(10)]
    AgreementPayment(#[n(0)] AgreementPayment),
    /// A card transaction.
    #[n(11)]
    CardTransaction(#[n(0)] Box<CardTransaction>),
}

impl Row {
    /// Which one it is.
    #[must_use]
    pub fn id(&self) -> RowId {
        match self {
            Self::Hold(row) => row.id.into(),
            Self::Order(row) => row.id.into(),
            Self::Leg(row) => row.id.into(),
            Self::Attempt(row) => row.id.into(),
            Self::Split(row) => row.id.into(),
            Self::Refund(row) => row.id.into(),
            Self::Payout(row) => row.id.into(),
            Self::Settlement(row) => row.id.into(),
            Self::TopUp(row) => row.id.into(),
            Self::Transfer(row) => row.id.into(),
            Self::AgreementPayment(row) => row.id.into(),
            Self::CardTransaction(row) => row.id.into(),
        }
    }

    /// The rows that whoever asks for this one likely asks for next: an order's legs, and the attempts that brought their
    /// money; of a card transaction what it is about and what took it for itself.
    #[must_use]
    pub fn family(&self) -> Vec<RowId> {
        match self {
            Self::Hold(_) | Self::Settlement(_) | Self::Transfer(_) | Self::AgreementPayment(_) => Vec::new(),
            Self::Order(order) => order.legs.iter().map(|leg| (*leg).into()).collect(),
            Self::Leg(leg) => {
                let attempts = [leg.held_by, leg.captured_by].into_iter().flatten().map(RowId::from);
                attempts.chain([leg.order.into()]).collect()
            }
            Self::Attempt(attempt) => match attempt.purpose {
                Purpose::Leg(leg) => [leg.into()].into(),
                Purpose::Refund(refund) => [refund.into()].into(),
                Purpose::Payout(payout) => [payout.into()].into(),
                Purpose::TopUp(top_up) => [top_up.into()].into(),
                Purpose::Advance(_) => Vec::new(),
            },
            Self::Split(split) => [split.order.into()].into(),
            Self::Refund(refund) => [refund.order.into()].into(),
            Self::CardTransaction(row) => row.relatives().map(RowId::from).collect(),
            Self::Payout(Payout { attempt, .. }) => attempt.iter().map(|attempt| (*attempt).into()).collect(),
            Self::TopUp(TopUp { attempt, back, .. }) => {
                attempt.iter().chain(back.iter().map(|back| &back.attempt)).map(|id| (*id).into()).collect()
            }
        }
    }
}

/// A row that came back.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Recalled {
    /// The position of the store that had it so; the row left before it.
    #[n(0)]
    pub as_of: u64,
    /// What it holds.
    #[n(1)]
    pub row: Row,
}

/// A number for each kind, by [`Kind::ALL`]; an older program wrote fewer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
#[cbor(transparent)]
pub struct PerKind(#[n(0)] Vec<u64>);

impl PerKind {
    /// A number for each.
    pub fn of(number: impl FnMut(Kind) -> u64) -> Self {
        Self(Kind::ALL.into_iter().map(number).collect())
    }

    /// These, with the numbers of `other` for the kinds that whoever wrote this did not know.
    #[must_use]
    pub fn completed(mut self, other: &Self) -> Self {
        self.0.extend(other.0.iter().skip(self.0.len()));
        self
    }

    /// The one of a kind; nothing if whoever wrote this did not know the kind.
    #[must_use]
    pub fn get(&self, kind: Kind) -> Option<u64> {
        self.0.get(kind as usize).copied()
    }
}

/// How far the journal let closed rows go: a start goes by it, so it hangs on the journal alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
pub struct Left {
    /// Rows that are away were last changed here or before.
    #[n(0)]
    pub checkpointed: u64,
    /// Rows of which kinds are: those of this generation and of earlier ones.
    #[n(1)]
    pub generation: u8,
}

/// Lets go of what is closed, now that the store is at `position`. Nothing happens if nothing would leave.
///
/// # Errors
/// None yet.
pub fn decide(draft: &mut Draft<'_>, position: u64) -> Result<Reply, Refusal> {
    if draft.state.would_leave(position) {
        draft.emit(Event::Checkpointed { position, generation: GENERATION });
    }
    Ok(Reply::Done)
}

/// The rows that a command will ask for and that are away, all at once, of those that name many: a bulk posting may not be to
/// be taken back, and a clearing file would come again for each of its lines. Any other command is run, and taken back where
/// it asks for one.
#[must_use]
pub fn wanted(state: &State, command: &Command) -> Vec<RowId> {
    let mut rows: Vec<RowId> = if let Command::PostBulk(posting) = command {
        bulk::holds_named(state, posting).map(RowId::from).collect()
    } else if let Command::TakeClearingFile(file) = command {
        file.lines.iter().filter_map(|line| attempt_of_serial(&line.serial)).map(RowId::from).collect()
    } else if let Command::TakeCardFile(file) = command {
        card_clearing::named(state, file).map(RowId::from).collect()
    } else {
        return Vec::new();
    };
    rows.retain(|row| state.is_away(*row));
    rows.sort_unstable();
    rows.dedup();
    rows
}

/// What is asked of a table whatever its kind.
trait Rows {
    fn len(&self) -> usize;
    fn next_id(&self) -> u64;
    fn reached(&mut self, last: u64);
    fn is_away(&self, id: u64) -> bool;
    fn missed(&self) -> Vec<u64>;
    fn open_count(&self) -> usize;
    fn has_leaving(&self, position: u64) -> bool;
    fn leave(&mut self, position: u64);
    fn note_written(&mut self, id: u64, position: u64);
}

impl<V: Leaves> Rows for Table<V> {
    fn len(&self) -> usize {
        self.len()
    }

    fn next_id(&self) -> u64 {
        self.next_id()
    }

    fn reached(&mut self, last: u64) {
        self.reached(last);
    }

    fn is_away(&self, id: u64) -> bool {
        self.is_away(id)
    }

    fn missed(&self) -> Vec<u64> {
        self.missed()
    }

    fn open_count(&self) -> usize {
        self.open_count(V::is_closed)
    }

    fn has_leaving(&self, position: u64) -> bool {
        self.has_leaving(position)
    }

    fn leave(&mut self, position: u64) {
        self.leave(position);
    }

    fn note_written(&mut self, id: u64, position: u64) {
        self.note_written(id, position);
    }
}

impl State {
    fn rows(&self, kind: Kind) -> &dyn Rows {
        match kind {
            Kind::Hold => &self.holds,
            Kind::Order => &self.orders,
            Kind::Leg => &self.legs,
            Kind::Attempt => &self.attempts,
            Kind::Split => &self.splits,
            Kind::Refund => &self.refunds,
            Kind::Payout => &self.payouts,
            Kind::Settlement => &self.settlements,
            Kind::TopUp => &self.top_ups,
            Kind::Transfer => &self.transfers,
            Kind::AgreementPayment => &self.agreement_payments,
            Kind::CardTransaction => &self.card_transactions,
        }
    }

    fn rows_mut(&mut self, kind: Kind) -> &mut dyn Rows {
        match kind {
            Kind::Hold => &mut self.holds,
            Kind::Order => &mut self.orders,
            Kind::Leg => &mut self.legs,
            Kind::Attempt => &mut self.attempts,
            Kind::Split => &mut self.splits,
            Kind::Refund => &mut self.refunds,
            Kind::Payout => &mut self.payouts,
            Kind::Settlement => &mut self.settlements,
            Kind::TopUp => &mut self.top_ups,
            Kind::Transfer => &mut self.transfers,
            Kind::AgreementPayment => &mut self.agreement_payments,
            Kind::CardTransaction => &mut self.card_transactions,
        }
    }

    /// Whether a checkpoint at `position` lets something go.
    #[must_use]
    pub fn would_leave(&self, position: u64) -> bool {
        let is_behind = position >= self.checkpointed && position <= self.position;
        is_behind && !self.keep_closed && Kind::ALL.into_iter().any(|kind| self.rows(kind).has_leaving(position))
    }

    /// The rows that were asked for since [`Self::forget_missed`], and are away: each once, in order.
    #[must_use]
    pub fn missed(&self) -> Vec<RowId> {
        let of_kind = |kind| self.rows(kind).missed().into_iter().map(move |id| RowId { kind, id });
        Kind::ALL.into_iter().flat_map(of_kind).collect()
    }

    /// Whether rows are away.
    #[must_use]
    pub fn has_left(&self) -> bool {
        Kind::ALL.into_iter().map(|kind| self.rows(kind)).any(|rows| rows.next_id() > rows.len() as u64 + 1)
    }

    /// Whether a row was there and is not in memory: the store has it, once it is at [`State::checkpointed`].
    #[must_use]
    pub fn is_away(&self, row: RowId) -> bool {
        self.rows(row.kind).is_away(row.id)
    }

    /// Whether a row that comes back is not otherwise than the one in memory, if there is one: a replay that keeps what is
    /// closed has each.
    #[must_use]
    pub fn agrees_with(&self, recalled: &Recalled) -> bool {
        let id = recalled.row.id();
        if self.is_away(id) {
            return true;
        }
        match &recalled.row {
            Row::Hold(row) => self.holds.get(id.id) == Some(row),
            Row::Order(row) => self.orders.get(id.id) == Some(row),
            Row::Leg(row) => self.legs.get(id.id) == Some(row),
            Row::Attempt(row) => self.attempts.get(id.id) == Some(row),
            Row::Split(row) => self.splits.get(id.id) == Some(row),
            Row::Refund(row) => self.refunds.get(id.id) == Some(row),
            Row::Payout(row) => self.payouts.get(id.id) == Some(row),
            Row::Settlement(row) => self.settlements.get(id.id) == Some(row),
            Row::TopUp(row) => self.top_ups.get(id.id) == Some(row),
            Row::Transfer(row) => self.transfers.get(id.id) == Some(row),
            Row::AgreementPayment(row) => self.agreement_payments.get(id.id) == Some(row),
            Row::CardTransaction(row) => self.card_transactions.get(id.id) == Some(row),
        }
    }

    /// Looks at the state as if these rows, as a store at `as_of` has them, were in memory. Those that may have changed since
    /// are left out.
    pub fn with_rows<T>(&mut self, as_of: u64, rows: &[Row], look: impl FnOnce(&Self) -> T) -> T {
        if rows.is_empty() || as_of < self.checkpointed {
            return look(self);
        }
        self.begin(true);
        rows.iter().for_each(|row| put_back(self, row));
        let seen = look(self);
        self.rollback();
        seen
    }

    /// How many rows are open: as many as a start must find.
    #[must_use]
    pub fn open_rows(&self) -> PerKind {
        PerKind::of(|kind| self.rows(kind).open_count() as u64)
    }

    /// The highest ids there ever were.
    #[must_use]
    pub fn last_ids(&self) -> PerKind {
        PerKind::of(|kind| self.rows(kind).next_id().saturating_sub(1))
    }

    /// When the store wrote rows that are closed and in memory: they leave as soon as it is there, as they did before.
    pub(crate) fn written(&mut self, written: &[(RowId, u64)]) {
        for (row, position) in written {
            self.rows_mut(row.kind).note_written(row.id, *position);
        }
    }

    /// Rows up to these ids were there, in memory or not.
    pub(crate) fn reached(&mut self, last_ids: &PerKind) {
        for kind in Kind::ALL {
            self.rows_mut(kind).reached(last_ids.get(kind).unwrap_or_default());
        }
    }
}

/// The store is at a position.
pub(crate) fn apply_checkpointed(state: &mut State, position: u64, generation: u8) {
    state.checkpointed = state.checkpointed.max(position);
    if generation > 0 {
        let Left { checkpointed, generation: latest } = state.left;
        state.left = Left { checkpointed: checkpointed.max(position), generation: latest.max(generation) };
    }
    if state.keep_closed {
        return;
    }
    for kind in Kind::ALL.into_iter().filter(|kind| kind.since() <= generation) {
        state.rows_mut(kind).leave(position);
    }
}

/// A row came back.
pub(crate) fn apply_recalled(state: &mut State, Recalled { as_of: _, row }: &Recalled) {
    put_back(state, row);
}

fn put_back(state: &mut State, row: &Row) {
    match row {
        Row::Hold(row) => state.holds.put_back(row.id.0, row.clone()),
        Row::Order(row) => state.orders.put_back(row.id.0, row.clone()),
        Row::Leg(row) => state.legs.put_back(row.id.0, row.clone()),
        Row::Attempt(row) => state.attempts.put_back(row.id.0, row.clone()),
        Row::Split(row) => state.splits.put_back(row.id.0, row.clone()),
        Row::Refund(row) => state.refunds.put_back(row.id.0, row.clone()),
        Row::Payout(row) => state.payouts.put_back(row.id.0, row.clone()),
        Row::Settlement(row) => state.settlements.put_back(row.id.0, row.clone()),
        Row::TopUp(row) => state.top_ups.put_back(row.id.0, row.clone()),
        Row::Transfer(row) => state.transfers.put_back(row.id.0, row.clone()),
        Row::AgreementPayment(row) => state.agreement_payments.put_back(row.id.0, row.clone()),
        Row::CardTransaction(row) => state.card_transactions.put_back(row.id.0, (**row).clone()),
    }
}
