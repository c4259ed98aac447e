//! Credit adjustments (贷记调整): money of a transaction that its terminal gave up goes back to the card, by two people.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;

use minicbor::{Decode, Encode};

use super::{CardKind, CardMoney, CardStatus, CardTransaction, CardTransactionEvent, SEND_WITHIN_MS, answer, booking};
use crate::approval;
use crate::calendar::Date;
use crate::command::Reply;
use crate::draft::Draft;
use crate::event::Event;
use crate::ids::CardTransactionId;
use crate::money::{Minor, positive};
use crate::order::name_fits;
use crate::refusal::{Refusal, RefusalCode};

/// Gives back what a terminal gave up: it was approved here, and the terminal's reversal never came.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct CreditAdjustment {
    /// The transaction.
    #[n(0)]
    pub transaction: CardTransactionId,
    /// Fen above zero.
    #[n(1)]
    pub amount: Minor,
    /// The case at the network; 1 to 64 bytes.
    #[n(2)]
    pub case_number: String,
}

/// It is booked at once: the network's platform took it, and the network's file names it.
///
/// # Errors
/// `approval_required`, `card_transaction_unknown`, `card_transaction_state`, `refund_exceeded`, `amount_not_positive`,
/// `value_invalid`, and those of the voucher: `insufficient_funds` above all.
pub(super) fn decide(draft: &mut Draft<'_>, command: CreditAdjustment) -> Result<Reply, Refusal> {
    approval::require(draft, "a credit adjustment")?;
    let CreditAdjustment { transaction, amount, case_number } = command;
    let original = draft.state.card_transaction(transaction)?.clone();
    positive(amount, "amount")?;
    name_fits(&case_number, "case_number")?;
    if !original.brought_money() || original.suspended {
        let message = format!("{} is a {} and {}", original.id, original.kind.name(), original.status.name());
        return Err(Refusal::new(RefusalCode::CardTransactionState, "transaction", message));
    }
    if amount > original.refundable() {
        let message = format!("{} of {} is left to give back, not {amount}", original.refundable(), original.id);
        return Err(Refusal::new(RefusalCode::RefundExceeded, "amount", message));
    }
    let taken = Some(booking::hold(draft, &original, amount)?);
    let now = draft.context.now;
    let id = CardTransactionId(draft.state.card_transactions.next_id());
    let adjustment = CardTransaction {
        id,
        kind: CardKind::CreditAdjustment,
        key: None,
        local_date: Date::in_shanghai(now),
        amount,
        original: Some(original.id),
        status: CardStatus::Requested,
        requested_at: now,
        epoch: draft.context.epoch,
        send_before: now.plus_ms(SEND_WITHIN_MS),
        authorisation: None,
        code: None,
        answered_at: None,
        clearing_date: None,
        voucher: None,
        money: CardMoney::default(),
        taken,
        followed_by: None,
        adjustments: 0,
        reversal: None,
        awaits_file: false,
        cleared: None,
        due: None,
        suspended: false,
        charged_back: 0,
        case_number: Some(case_number),
        traced: false,
        counted: false,
        scripts: None,
        ..original
    };
    let event = CardTransactionEvent::Requested { transaction: Box::new(adjustment.clone()), used: None };
    draft.emit(Event::CardTransaction(event));
    answer::approve(draft, adjustment, None, Date::in_shanghai(now))?;
    Ok(Reply::CardTransaction(id))
}
