//! What the network answered: it is booked, let go, or taken back.

use alloc::format;
use alloc::string::String;

use super::{
    CardAnswer, CardKind, CardStatus, CardTransaction, CardTransactionEvent, ReversalReason, Reverser, booking,
    reversal, uncounted,
};
use crate::acquiring::CardUse;
use crate::calendar::Date;
use crate::command::Reply;
use crate::draft::Draft;
use crate::event::Event;
use crate::ids::CardTransactionId;
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;

/// Takes an answer. The same answer again, and silence about what was answered, change nothing.
///
/// # Errors
/// `card_transaction_unknown`; `card_transaction_state` for a no to what was approved, and for a yes to what was declined and
/// cannot be reversed; those of the voucher.
pub(super) fn decide(draft: &mut Draft<'_>, id: CardTransactionId, answer: CardAnswer) -> Result<Reply, Refusal> {
    let transaction = draft.state.answered_card_transaction(id)?.clone();
    match (answer, transaction.status) {
        (CardAnswer::Approved { authorisation, clearing_date }, CardStatus::Requested | CardStatus::Unknown) => {
            approve(draft, transaction, authorisation, clearing_date)?;
        }
        (CardAnswer::Approved { authorisation, .. }, CardStatus::Reversing) => {
            draft.emit(event(CardTransactionEvent::ApprovedLate { transaction: id, authorisation }));
        }
        (CardAnswer::Approved { authorisation, .. }, CardStatus::Reversed | CardStatus::Declined) => {
            after_all(draft, &transaction, authorisation)?;
        }
        (CardAnswer::Declined { code }, CardStatus::Requested | CardStatus::Unknown) => {
            decline(draft, &transaction, code)?;
        }
        (CardAnswer::Declined { code }, CardStatus::Approved) => {
            let message = format!("{id} is approved; the network says {code:.2} now");
            return Err(Refusal::new(RefusalCode::CardTransactionState, "answer", message));
        }
        (CardAnswer::NotAnswered, CardStatus::Requested) => unanswered(draft, &transaction)?,
        (CardAnswer::Approved { .. }, CardStatus::Approved)
        | (CardAnswer::Declined { .. }, CardStatus::Declined | CardStatus::Reversing | CardStatus::Reversed)
        | (
            CardAnswer::NotAnswered,
            CardStatus::Approved
            | CardStatus::Declined
            | CardStatus::Unknown
            | CardStatus::Reversing
            | CardStatus::Reversed,
        ) => {}
    }
    Ok(Reply::CardTransaction(id))
}

fn event(event: CardTransactionEvent) -> Event {
    Event::CardTransaction(event)
}

/// Books a yes.
pub(crate) fn approve(
    draft: &mut Draft<'_>,
    transaction: CardTransaction,
    authorisation: Option<String>,
    clearing_date: Date,
) -> Result<(), Refusal> {
    let transaction = CardTransaction { clearing_date: Some(clearing_date), ..transaction };
    let used = undone(draft.state, &transaction)?;
    let booking::Booked { voucher, cost, suspended } = booking::post(draft, &transaction)?;
    draft.emit(event(CardTransactionEvent::Approved {
        transaction: transaction.id,
        authorisation,
        clearing_date,
        cost,
        voucher,
        suspended,
        used,
    }));
    Ok(())
}

/// What the merchant took on the day without what a void or a cancel undoes.
fn undone(state: &State, transaction: &CardTransaction) -> Result<Option<CardUse>, Refusal> {
    match transaction.kind {
        CardKind::Void | CardKind::PreAuthorisationCancel => {
            let original = transaction.original.map(|id| state.card_transaction(id)).transpose()?;
            original.map_or(Ok(None), |original| uncounted(state, original))
        }
        CardKind::Sale
        | CardKind::QrSale
        | CardKind::PreAuthorisation
        | CardKind::Completion
        | CardKind::CompletionVoid
        | CardKind::CompletionAdvice
        | CardKind::Refund
        | CardKind::Adjustment
        | CardKind::Offline
        | CardKind::CreditAdjustment => Ok(None),
    }
}

fn decline(draft: &mut Draft<'_>, transaction: &CardTransaction, code: String) -> Result<(), Refusal> {
    if code.is_empty() || code.len() > 2 {
        let message = format!("an answer code of {} bytes; F39 has 2", code.len());
        return Err(Refusal::new(RefusalCode::ValueInvalid, "code", message));
    }
    let used = uncounted(draft.state, transaction)?;
    booking::release(draft, transaction);
    draft.emit(event(CardTransactionEvent::Declined { transaction: transaction.id, code, used }));
    Ok(())
}

/// A silence is unknown, and where the kind is reversed it is taken back at once: the switch owns it from here.
fn unanswered(draft: &mut Draft<'_>, transaction: &CardTransaction) -> Result<(), Refusal> {
    draft.emit(event(CardTransactionEvent::Unanswered(transaction.id)));
    if transaction.kind.is_reversed() {
        reversal::begin(draft, transaction, ReversalReason::NoAnswer, Reverser::Switch);
    }
    Ok(())
}

/// The terminal saw it fail, so the card must not be charged for it.
fn after_all(
    draft: &mut Draft<'_>,
    transaction: &CardTransaction,
    authorisation: Option<String>,
) -> Result<(), Refusal> {
    if !transaction.kind.is_reversed() {
        let message = format!(
            "{} is {} and the network approves it now; a {} is not reversed: ask the network",
            transaction.id,
            transaction.status.name(),
            transaction.kind.name()
        );
        return Err(Refusal::new(RefusalCode::CardTransactionState, "answer", message));
    }
    reversal::begin(draft, transaction, ReversalReason::LateApproval, Reverser::Switch);
    draft.emit(event(CardTransactionEvent::ApprovedLate { transaction: transaction.id, authorisation }));
    Ok(())
}
