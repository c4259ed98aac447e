//! What left memory, in tests: which rows a store would have, and a world in which all that is closed is away.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::Kit;
use crate::approval::Approved;
use crate::command::{Command, Reply, decide};
use crate::draft::Draft;
use crate::envelope::Context;
use crate::event::{Event, apply};
use crate::hold::Hold;
use crate::ids::HoldId;
use crate::recall::{self, Kind, Leaves, Recalled, Row, RowId};
use crate::refusal::Refusal;
use crate::state::{Changes, State};
use crate::table::Table;

fn find<V: Clone>(rows: &[(u64, V)], id: u64) -> Option<V> {
    rows.iter().find(|(row, _)| *row == id).map(|(_, row)| row.clone())
}

fn aside<V: Leaves>(table: &mut Table<V>, row: impl Fn(V) -> Row, all: &mut Vec<Row>) {
    all.extend(table.set_aside(V::is_closed).into_iter().map(|(_, value)| row(value)));
}

fn ids<V>(rows: &[(u64, V)], kind: Kind) -> impl Iterator<Item = RowId> {
    rows.iter().map(move |(id, _)| RowId { kind, id: *id })
}

impl Changes {
    /// The rows of kinds that leave memory.
    pub(super) fn leaving(&self) -> Vec<RowId> {
        let rows = ids(&self.holds, Kind::Hold).chain(ids(&self.orders, Kind::Order)).chain(ids(&self.legs, Kind::Leg));
        let rows = rows.chain(ids(&self.attempts, Kind::Attempt)).chain(ids(&self.splits, Kind::Split));
        let rows = rows.chain(ids(&self.refunds, Kind::Refund)).chain(ids(&self.payouts, Kind::Payout));
        let rows = rows.chain(ids(&self.settlements, Kind::Settlement)).chain(ids(&self.top_ups, Kind::TopUp));
        let rows = rows.chain(ids(&self.transfers, Kind::Transfer));
        let rows = rows.chain(ids(&self.agreement_payments, Kind::AgreementPayment));
        rows.chain(ids(&self.card_transactions, Kind::CardTransaction)).collect()
    }

    /// A row of a kind that leaves memory.
    pub(super) fn row(&self, RowId { kind, id }: RowId) -> Option<Row> {
        match kind {
            Kind::Hold => find(&self.holds, id).map(Row::Hold),
            Kind::Order => find(&self.orders, id).map(Row::Order),
            Kind::Leg => find(&self.legs, id).map(Row::Leg),
            Kind::Attempt => find(&self.attempts, id).map(Row::Attempt),
            Kind::Split => find(&self.splits, id).map(Row::Split),
            Kind::Refund => find(&self.refunds, id).map(Row::Refund),
            Kind::Payout => find(&self.payouts, id).map(Row::Payout),
            Kind::Settlement => find(&self.settlements, id).map(Row::Settlement),
            Kind::TopUp => find(&self.top_ups, id).map(Row::TopUp),
            Kind::Transfer => find(&self.transfers, id).map(Row::Transfer),
            Kind::AgreementPayment => find(&self.agreement_payments, id).map(Row::AgreementPayment),
            Kind::CardTransaction => find(&self.card_transactions, id).map(|row| Row::CardTransaction(Box::new(row))),
        }
    }

    /// What a start reads of these rows: not those that are away.
    pub(crate) fn in_memory(mut self, state: &State) -> Self {
        self.holds.retain(|(_, row)| !state.is_away(row.id.into()));
        self.orders.retain(|(_, row)| !state.is_away(row.id.into()));
        self.legs.retain(|(_, row)| !state.is_away(row.id.into()));
        self.attempts.retain(|(_, row)| !state.is_away(row.id.into()));
        self.splits.retain(|(_, row)| !state.is_away(row.id.into()));
        self.refunds.retain(|(_, row)| !state.is_away(row.id.into()));
        self.payouts.retain(|(_, row)| !state.is_away(row.id.into()));
        self.settlements.retain(|(_, row)| !state.is_away(row.id.into()));
        self.top_ups.retain(|(_, row)| !state.is_away(row.id.into()));
        self.transfers.retain(|(_, row)| !state.is_away(row.id.into()));
        self.agreement_payments.retain(|(_, row)| !state.is_away(row.id.into()));
        self.card_transactions.retain(|(_, row)| !state.is_away(row.id.into()));
        self
    }
}

/// Takes all that is closed out of memory as if it had left.
fn set_aside(state: &mut State) -> Vec<Row> {
    let mut rows = Vec::new();
    aside(&mut state.holds, Row::Hold, &mut rows);
    aside(&mut state.orders, Row::Order, &mut rows);
    aside(&mut state.legs, Row::Leg, &mut rows);
    aside(&mut state.attempts, Row::Attempt, &mut rows);
    aside(&mut state.splits, Row::Split, &mut rows);
    aside(&mut state.refunds, Row::Refund, &mut rows);
    aside(&mut state.payouts, Row::Payout, &mut rows);
    aside(&mut state.settlements, Row::Settlement, &mut rows);
    aside(&mut state.top_ups, Row::TopUp, &mut rows);
    aside(&mut state.transfers, Row::Transfer, &mut rows);
    aside(&mut state.agreement_payments, Row::AgreementPayment, &mut rows);
    aside(&mut state.card_transactions, |row| Row::CardTransaction(Box::new(row)), &mut rows);
    rows
}

impl Kit {
    /// A hold as a store has it, in memory or not.
    #[track_caller]
    pub(crate) fn stored_hold(&self, id: HoldId) -> Hold {
        find(&self.rows.holds, id.0).expect("every row is kept")
    }

    /// A row that left comes back from the rows that a store would hold.
    pub(super) fn recall(&mut self, row: RowId) {
        let stored = self.rows.row(row).expect("every row is kept");
        let recalled = Recalled { as_of: self.state.position, row: stored };
        assert!(self.replayed.agrees_with(&recalled), "what comes back is what the events make it");
        let event = Event::Recalled(recalled);
        apply(&mut self.state, &event);
        self.replay(core::slice::from_ref(&event));
        self.events.push(event);
    }

    /// All that is closed leaves memory, as by a checkpoint at this very position.
    pub(crate) fn let_go(&mut self) {
        self.given(Command::Checkpoint { position: self.state.position });
    }

    /// What a command comes to on a copy of the state whose closed rows left memory, and come back as they are asked for;
    /// nothing if there are none, and for most commands of a long walk, which would take its time.
    pub(super) fn decides_without_closed(
        &self,
        context: &Context,
        command: &Command,
        approved: Option<&Approved>,
    ) -> Option<(Result<Reply, Refusal>, Vec<Event>)> {
        if self.hurried || self.events.len() > 200 && !self.events.len().is_multiple_of(4) {
            return None;
        }
        let mut state = self.state.clone();
        let mut aside = set_aside(&mut state);
        if aside.is_empty() {
            return None;
        }
        // What left before, the caller brings back first.
        let mut come_back = |state: &mut State, missed: Vec<RowId>| {
            for id in missed {
                let at = aside.iter().position(|row| row.id() == id)?;
                recall::apply_recalled(state, &Recalled { as_of: 0, row: aside.swap_remove(at) });
            }
            Some(())
        };
        let wanted = recall::wanted(&state, command);
        come_back(&mut state, wanted)?;
        loop {
            let mut draft = Draft::begin(&mut state, context, command.needs_undo());
            draft.approved = approved.cloned();
            let result = decide(&mut draft, command.clone());
            let missed = draft.state.missed();
            if missed.is_empty() {
                return Some((result, draft.commit().events()));
            }
            draft.rollback();
            come_back(&mut state, missed)?;
        }
    }
}
