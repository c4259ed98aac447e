//! Reversals (冲正): one a transaction, keyed by terminal, batch, trace and date, forwarded until the network took it.

use alloc::format;
use alloc::string::String;

use super::{
    CardStatus, CardTransaction, CardTransactionEvent, ReversalReason, ReverseCardTransaction, Reverser, booking,
    uncounted, unknown,
};
use crate::command::Reply;
use crate::draft::Draft;
use crate::event::Event;
use crate::ids::CardTransactionId;
use crate::refusal::{Refusal, RefusalCode};

/// The network took the reversal.
const DONE: &str = "00";
/// The network knows no such transaction, so there is nothing to take back.
const NOT_THERE: &str = "25";

/// Takes a wish for a reversal. What is under way, done, or was declined is answered the same, as often as it is asked.
///
/// # Errors
/// `card_transaction_unknown` where terminal, batch, trace and date name nothing: nothing is booked and 25 is answered;
/// `card_amount`; `not_reversible` for its kind; `card_transaction_state` for what was voided, refunded, completed or cleared.
pub(super) fn decide(draft: &mut Draft<'_>, command: &ReverseCardTransaction) -> Result<Reply, Refusal> {
    let ReverseCardTransaction { key, local_date, amount, reason, by } = *command;
    let known = draft.state.card_transaction_of(key).filter(|known| known.local_date == local_date);
    let Some(transaction) = known.cloned() else {
        let message = format!("{} has no trace {} in batch {} of {local_date}", key.terminal, key.trace, key.batch);
        return Err(unknown(message));
    };
    let id = transaction.id;
    draft.state.answered_card_transaction(id)?;
    if transaction.amount != amount {
        let message = format!("{id} came to {}, not {amount}", transaction.amount);
        return Err(Refusal::new(RefusalCode::CardAmount, "amount", message));
    }
    if !transaction.kind.is_reversed() {
        let message = format!("{id} is a {}, which is never reversed", transaction.kind.name());
        return Err(Refusal::new(RefusalCode::NotReversible, "original", message));
    }
    match transaction.status {
        CardStatus::Declined | CardStatus::Reversing | CardStatus::Reversed => {}
        CardStatus::Requested | CardStatus::Unknown => begin(draft, &transaction, reason, by),
        CardStatus::Approved => {
            check_untouched(&transaction)?;
            begin(draft, &transaction, reason, by);
        }
    }
    Ok(Reply::CardTransaction(id))
}

/// Nothing followed on it: what was voided, refunded or completed is undone the same way, latest first.
fn check_untouched(transaction: &CardTransaction) -> Result<(), Refusal> {
    let money = &transaction.money;
    let touched = transaction.followed_by.is_some()
        || transaction.adjustments != 0
        || transaction.cleared.is_some()
        || transaction.charged_back != 0
        || money.refunded != 0
        || money.reserved != 0;
    if !touched {
        return Ok(());
    }
    let message = format!("{} was voided, completed, adjusted, refunded, charged back or cleared", transaction.id);
    Err(Refusal::new(RefusalCode::CardTransactionState, "original", message))
}

/// It is on its way back; what it held for its answer is let go.
pub(super) fn begin(draft: &mut Draft<'_>, transaction: &CardTransaction, reason: ReversalReason, by: Reverser) {
    if matches!(transaction.status, CardStatus::Requested | CardStatus::Unknown) {
        booking::release(draft, transaction);
    }
    let transaction = transaction.id;
    draft.emit(Event::CardTransaction(CardTransactionEvent::ReversalAsked { transaction, reason, by }));
}

/// Takes the network's answer to a reversal; the same answer again changes nothing.
///
/// # Errors
/// `card_transaction_unknown`, `card_transaction_state` where none is under way, `value_invalid`, and those of the voucher.
pub(super) fn decide_answer(draft: &mut Draft<'_>, id: CardTransactionId, code: String) -> Result<Reply, Refusal> {
    let transaction = draft.state.answered_card_transaction(id)?.clone();
    match transaction.status {
        CardStatus::Reversing => {}
        CardStatus::Reversed => return Ok(Reply::CardTransaction(id)),
        CardStatus::Requested | CardStatus::Approved | CardStatus::Declined | CardStatus::Unknown => {
            let message = format!("{id} is {}; no reversal of it is under way", transaction.status.name());
            return Err(Refusal::new(RefusalCode::CardTransactionState, "transaction", message));
        }
    }
    if code.is_empty() || code.len() > 2 {
        let message = format!("an answer code of {} bytes; F39 has 2", code.len());
        return Err(Refusal::new(RefusalCode::ValueInvalid, "code", message));
    }
    if code != DONE && code != NOT_THERE {
        draft.emit(Event::CardTransaction(CardTransactionEvent::ReversalRefused { transaction: id, code }));
        return Ok(Reply::CardTransaction(id));
    }
    // A second reversal, after a late approval, has nothing left to undo here.
    let undone = transaction.reversal.as_ref().is_some_and(|reversal| reversal.taken_at.is_some());
    let (voucher, used) = if undone {
        (None, None)
    } else {
        (booking::reverse(draft, &transaction)?, uncounted(draft.state, &transaction)?)
    };
    draft.emit(Event::CardTransaction(CardTransactionEvent::Reversed { transaction: id, code, voucher, used }));
    Ok(Reply::CardTransaction(id))
}
