//! What happened to card transactions, folded into the state; and under which keys the indexes know a transaction.

use alloc::string::String;
use alloc::vec::Vec;

use super::{
    CardKind, CardStatus, CardTransaction, CardTransactionEvent, Effect, Reversal, ReversalReason, Reverser,
    ScriptResults, TraceKey, script,
};
use crate::acquiring::{self, CardUse};
use crate::calendar::Date;
use crate::ids::{AcquiringId, CardTransactionId, HoldId, MerchantId, VoucherId};
use crate::money::Minor;
use crate::recall::Leaves;
use crate::state::State;
use crate::terminal;

/// The network said yes.
const APPROVED: &str = "00";

/// The transaction, if the network owes it an answer.
pub(crate) fn outbox_key(row: &CardTransaction) -> Option<CardTransactionId> {
    (row.status.is_open() || script::is_owed(row)).then_some(row.id)
}

/// Its place in the index of what is to be settled, and how much of it.
pub(crate) fn due_key(row: &CardTransaction) -> Option<((MerchantId, Date, CardTransactionId), Minor)> {
    let amount = row.money.pending.saturating_sub(row.money.reserved);
    let due = row.due.filter(|_| row.brought_money() && amount != 0)?;
    Some(((row.merchant, due, row.id), amount))
}

/// Its place in the index of what the network's file must name.
pub(crate) fn uncleared_key(row: &CardTransaction) -> Option<(Date, CardTransactionId)> {
    row.clearing_date.filter(|_| row.awaits_file).map(|date| (date, row.id))
}

/// What its terminal may still ask for it by.
pub(crate) fn trace_key(row: &CardTransaction) -> Option<TraceKey> {
    row.key.filter(|_| row.traced)
}

/// What a completion or a cancel knows a pre-authorisation by: until one has taken it, and then while its trace is known, so
/// that a second one hears why it is refused.
pub(crate) fn preauthorisation_key(row: &CardTransaction) -> Option<(AcquiringId, String, String, CardTransactionId)> {
    let is_held = row.kind == CardKind::PreAuthorisation && row.status == CardStatus::Approved;
    let holds = is_held && (row.followed_by.is_none() || row.traced);
    let code = row.authorisation.clone().filter(|_| holds)?;
    Some((row.acquiring, row.card.token.clone(), code, row.id))
}

/// The holds that end with it.
pub(crate) fn hold_keys(row: &CardTransaction) -> Vec<HoldId> {
    let waits = matches!(row.status, CardStatus::Requested | CardStatus::Unknown);
    row.taken.iter().filter(|_| waits).flat_map(|taken| taken.holds.iter().copied()).collect()
}

impl Leaves for CardTransaction {
    fn is_closed(&self) -> bool {
        let is_named = outbox_key(self).is_some()
            || due_key(self).is_some()
            || uncleared_key(self).is_some()
            || trace_key(self).is_some()
            || preauthorisation_key(self).is_some()
            || !hold_keys(self).is_empty();
        !is_named
    }
}

/// Changes a transaction and keeps the indexes in step with it.
pub(crate) fn change(state: &mut State, id: CardTransactionId, change: impl FnOnce(&mut CardTransaction)) {
    let row = state.card_transactions.get_mut(id.0).expect("decide checked the transaction");
    let before = row.clone();
    change(row);
    let after = row.clone();
    unindex(state, &before);
    index(state, &after);
}

fn index(state: &mut State, row: &CardTransaction) {
    if let Some(key) = outbox_key(row) {
        state.card_outbox.insert(key, ());
    }
    if let Some((key, amount)) = due_key(row) {
        state.card_due.insert(key, amount);
    }
    if let Some(key) = uncleared_key(row) {
        state.uncleared_cards.insert(key, ());
    }
    if let Some(key) = trace_key(row) {
        state.card_traces.insert(key, row.id);
    }
    if let Some(key) = preauthorisation_key(row) {
        state.preauthorisations.insert(key, ());
    }
    for hold in hold_keys(row) {
        state.card_holds.insert(hold, row.id);
    }
}

fn unindex(state: &mut State, row: &CardTransaction) {
    if let Some(key) = outbox_key(row) {
        state.card_outbox.remove(&key);
    }
    if let Some((key, _)) = due_key(row) {
        state.card_due.remove(&key);
    }
    if let Some(key) = uncleared_key(row) {
        state.uncleared_cards.remove(&key);
    }
    if let Some(key) = trace_key(row) {
        state.card_traces.remove(&key);
    }
    if let Some(key) = preauthorisation_key(row) {
        state.preauthorisations.remove(&key);
    }
    for hold in hold_keys(row) {
        state.card_holds.remove(&hold);
    }
}

/// Folds what happened to a card transaction into the state.
pub(crate) fn apply(state: &mut State, event: &CardTransactionEvent) {
    match event {
        CardTransactionEvent::Requested { transaction, used } => {
            acquiring::apply_used(state, transaction.acquiring, *used);
            requested(state, transaction);
        }
        CardTransactionEvent::Approved {
            transaction,
            authorisation,
            clearing_date,
            cost,
            voucher,
            suspended,
            used,
        } => {
            let now = state.now;
            change(state, *transaction, |row| {
                row.status = CardStatus::Approved;
                if authorisation.is_some() {
                    row.authorisation.clone_from(authorisation);
                }
                row.code = Some(APPROVED.into());
                row.answered_at = Some(now);
                row.clearing_date = Some(*clearing_date);
                row.voucher = *voucher;
                row.suspended = *suspended;
                row.money.cost = *cost;
            });
            let row = row(state, *transaction);
            acquiring::apply_used(state, row.acquiring, *used);
            approved(state, &row);
        }
        CardTransactionEvent::Declined { transaction, code, used } => declined(state, *transaction, code, *used),
        CardTransactionEvent::Unanswered(id) => change(state, *id, |row| row.status = CardStatus::Unknown),
        CardTransactionEvent::ReversalAsked { transaction, reason, by } => {
            reversal_asked(state, *transaction, *reason, *by);
        }
        CardTransactionEvent::ApprovedLate { transaction, authorisation } => {
            let now = state.now;
            change(state, *transaction, |row| {
                row.authorisation.clone_from(authorisation);
                row.code = Some(APPROVED.into());
                row.answered_at = Some(now);
            });
        }
        CardTransactionEvent::ReversalRefused { transaction, code } => {
            change(state, *transaction, |row| {
                if let Some(reversal) = &mut row.reversal {
                    reversal.code = Some(code.clone());
                }
            });
        }
        CardTransactionEvent::Reversed { transaction, code, voucher, used } => {
            reversed(state, *transaction, code, *voucher, *used);
        }
        CardTransactionEvent::ScriptsReported { transaction, results } => {
            let (reported_at, results) = (state.now, results.clone());
            let scripts = ScriptResults { results, reported_at, taken_at: None, code: None };
            change(state, *transaction, |row| row.scripts = Some(scripts));
        }
        CardTransactionEvent::ScriptsTaken { transaction, code } => {
            let now = state.now;
            change(state, *transaction, |row| {
                if let Some(scripts) = &mut row.scripts {
                    (scripts.taken_at, scripts.code) = (Some(now), Some(code.clone()));
                }
            });
        }
    }
}

fn declined(state: &mut State, id: CardTransactionId, code: &str, used: Option<CardUse>) {
    let (now, before) = (state.now, row(state, id));
    change(state, id, |row| {
        row.status = CardStatus::Declined;
        row.code = Some(code.into());
        row.answered_at = Some(now);
        row.counted = false;
    });
    acquiring::apply_used(state, before.acquiring, used);
    give_back(state, &before);
    unfollow(state, &before);
}

fn reversed(state: &mut State, id: CardTransactionId, code: &str, voucher: Option<VoucherId>, used: Option<CardUse>) {
    let (now, before) = (state.now, row(state, id));
    change(state, id, |row| {
        row.status = CardStatus::Reversed;
        row.money.pending = 0;
        row.counted = false;
        if let Some(reversal) = &mut row.reversal {
            reversal.code = Some(code.into());
            reversal.taken_at = Some(now);
            reversal.voucher = voucher.or(reversal.voucher);
        }
    });
    acquiring::apply_used(state, before.acquiring, used);
    if voucher.is_some() {
        restore_undone(state, &before);
    }
    unfollow(state, &before);
}

fn row(state: &State, id: CardTransactionId) -> CardTransaction {
    state.card_transactions.get(id.0).cloned().expect("decide checked the transaction")
}

fn requested(state: &mut State, transaction: &CardTransaction) {
    state.card_transactions.insert(transaction.id.0, transaction.clone());
    index(state, transaction);
    if let Some(key) = transaction.key {
        terminal::row(state, key.terminal).trace = key.trace;
    }
    let Some(original) = transaction.original else { return };
    change(state, original, |original| {
        if transaction.kind.follows_alone() {
            original.followed_by = Some(transaction.id);
        }
        let Some(taken) = &transaction.taken else { return };
        if !taken.settled {
            original.money.reserved += taken.merchant;
        }
        if transaction.kind.effect() == Effect::Out {
            original.money.refunded += transaction.amount;
            original.money.fee_returned += taken.fee;
            original.money.cost_returned += taken.cost;
        }
    });
}

/// What an approval does to its own row and to its original's.
fn approved(state: &mut State, transaction: &CardTransaction) {
    let fees = transaction.money.fees;
    let net = if transaction.suspended { 0 } else { transaction.amount - fees.merchant };
    match transaction.kind.effect() {
        Effect::In if transaction.kind == CardKind::Adjustment => {}
        Effect::In => change(state, transaction.id, |row| {
            row.money.pending = net;
            row.awaits_file = true;
        }),
        Effect::Out => change(state, transaction.id, |row| row.awaits_file = true),
        Effect::Undo | Effect::Nothing => {}
    }
    let Some(original) = transaction.original else { return };
    let cleared = state.card_transactions.get(original.0).is_some_and(|original| original.cleared.is_some());
    if cleared && transaction.kind.effect() == Effect::Undo {
        // The network's file named its original before it was undone.
        change(state, transaction.id, |row| row.awaits_file = true);
    }
    let taken = transaction.taken.as_ref();
    change(state, original, |original| match transaction.kind.effect() {
        Effect::In if transaction.kind == CardKind::Adjustment => {
            let money = &mut original.money;
            original.amount += transaction.amount;
            money.fees.merchant += fees.merchant;
            money.fees.interchange += fees.interchange;
            money.fees.network += fees.network;
            money.cost += transaction.money.cost;
            money.pending += net;
            original.adjustments += 1;
            original.followed_by = None;
        }
        Effect::Undo | Effect::Out => {
            if let Some(taken) = taken.filter(|taken| !taken.settled) {
                original.money.pending -= taken.merchant;
                original.money.reserved -= taken.merchant;
            } else if let Some(taken) = taken {
                original.money.settled -= taken.merchant;
            }
            if transaction.kind.effect() == Effect::Undo {
                original.awaits_file = false;
                original.counted = false;
            }
        }
        Effect::Nothing if transaction.kind == CardKind::PreAuthorisationCancel => original.counted = false,
        Effect::In | Effect::Nothing => {}
    });
}

/// What was held for an answer is the original's again.
fn give_back(state: &mut State, transaction: &CardTransaction) {
    let (Some(original), Some(taken)) = (transaction.original, &transaction.taken) else { return };
    change(state, original, |original| {
        if !taken.settled {
            original.money.reserved -= taken.merchant;
        }
        if transaction.kind.effect() == Effect::Out {
            original.money.refunded -= transaction.amount;
            original.money.fee_returned -= taken.fee;
            original.money.cost_returned -= taken.cost;
        }
    });
}

/// Something else may follow on the original.
fn unfollow(state: &mut State, transaction: &CardTransaction) {
    if let Some(original) = transaction.original {
        change(state, original, |original| {
            if original.followed_by == Some(transaction.id) {
                original.followed_by = None;
            }
        });
    }
}

fn reversal_asked(state: &mut State, id: CardTransactionId, reason: ReversalReason, by: Reverser) {
    let (now, before) = (state.now, row(state, id));
    change(state, id, |row| {
        row.status = CardStatus::Reversing;
        row.awaits_file = false;
        match &mut row.reversal {
            Some(reversal) => {
                reversal.reason = reason;
                reversal.begun += 1;
            }
            None => {
                let (code, taken_at, voucher) = (None, None, None);
                row.reversal = Some(Reversal { reason, by, asked_at: now, begun: 1, code, taken_at, voucher });
            }
        }
    });
    if matches!(before.status, CardStatus::Requested | CardStatus::Unknown) {
        give_back(state, &before);
    }
}

/// What a void had undone is the merchant's again.
fn restore_undone(state: &mut State, transaction: &CardTransaction) {
    let (Some(original), Some(taken)) = (transaction.original, &transaction.taken) else { return };
    change(state, original, |original| {
        original.money.pending += taken.merchant;
        original.awaits_file = original.cleared.is_none();
    });
}
