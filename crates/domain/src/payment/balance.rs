//! Balance payment (余额支付): an order paid from the payer's own account at the institution. No channel is asked: it is decided and
//! posted in one command, or refused and nothing moved.
//!
//! ```text
//!  PayOrder ─► Dr 2201 500 / Cr 2202 499, Cr 2291 1 · OWN Dr 1291 1 / Cr 5001 1 ─► SUCCESS
//!  refund   ─► Dr the payee / Cr 2211 ─► Dr 2211 / Cr 2201: SUCCESS, in the same command
//! ```
//! It pays alone: the table of combined payments has a card and a fund. The limits of [`crate::limit`] count what the payer pays, as
//! they count a transfer, and what a refund gives back counts no more. No clearing file has it: its leg is cleared on the day in
//! China on which it was paid, and the order is due one working day later.

use alloc::format;

use super::{move_leg, paid_entries};
use crate::account::Owner;
use crate::book::Subject;
use crate::calendar::Date;
use crate::clearing;
use crate::draft::Draft;
use crate::event::Event;
use crate::ids::AccountId;
use crate::leg::{Instrument, Leg, LegStatus};
use crate::limit::{self, CountKind};
use crate::money::Minor;
use crate::order::Order;
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;
use crate::voucher::{BusinessKind, BusinessNumber, EventCode};

/// Refuses an account that is not the payer's to pay this order from.
///
/// # Errors
/// `account_unknown`, `account_not_own`, `account_closed`, `subject_not_allowed`, `currency_mismatch`.
pub(super) fn check(state: &State, order: &Order, instrument: &Instrument) -> Result<(), Refusal> {
    let Instrument::Balance { account: id, .. } = *instrument else { return Ok(()) };
    if state.account(id, "account")?.owner != Owner::User(order.payer) {
        let message =
            format!("{id} is not of {}, who pays {}; name an account of the payer's own", order.payer, order.id);
        return Err(Refusal::new(RefusalCode::AccountNotOwn, "account", message));
    }
    let account = state.open_account(id, "account")?;
    if account.subject != Subject::Personal {
        let message = format!("{id} is {}; an order is paid from a balance of 2201", account.subject.code());
        return Err(Refusal::new(RefusalCode::SubjectNotAllowed, "account", message));
    }
    if account.currency != order.currency {
        let message = format!("{id} is kept in {}, the order is in {}", account.currency.code(), order.currency.code());
        return Err(Refusal::new(RefusalCode::CurrencyMismatch, "account", message));
    }
    Ok(())
}

/// Pays the order of a try: what the account or the destination refuses refuses the payment.
///
/// # Errors
/// `limit_exceeded`, `insufficient_funds`, `account_restricted`, `account_closed` of the destination, `calendar_unknown`.
pub(super) fn pay(draft: &mut Draft<'_>, order: &Order, leg: &Leg) -> Result<(), Refusal> {
    let Instrument::Balance { account, amount, factors } = leg.instrument else { return Ok(()) };
    let now = draft.context.now;
    let payer = draft.state.account(account, "account")?;
    let counted = limit::check(draft.state, now, payer, amount, CountKind::Balance(factors));
    let counted = counted.map_err(|refusal| discreet(refusal, account))?;
    let entries = paid_entries(draft.state, order, account)?;
    let business = BusinessNumber::object(BusinessKind::Order, order.id.0);
    let voucher = draft.post(business, EventCode::PaymentCaptured, entries, order.dimensions(None, None));
    let voucher = voucher.map_err(|refusal| discreet(refusal, account))?;
    if let Some(counted) = counted {
        limit::count(draft, &counted, amount);
    }
    // By the clock, as the limits count it: a refund gives back to the sums of this day.
    let today = Date::in_shanghai(now);
    move_leg(draft, leg, LegStatus::Captured, |leg| leg.cleared = Some(today));
    draft.emit(Event::OrderSucceeded { order: order.id, voucher });
    clearing::clear_orders(draft, &[order.id])
}

/// A refusal as a merchant may read it: not what is on the payer's account, what its limits have used, or who froze it.
pub(crate) fn discreet(refusal: Refusal, account: AccountId) -> Refusal {
    let message = if refusal.code == RefusalCode::InsufficientFunds {
        format!("less than the order costs is available on {account}")
    } else if refusal.code == RefusalCode::LimitExceeded {
        format!("the limits of {account} leave less than the order costs; its holder may be told how much")
    } else if refusal.code == RefusalCode::AccountRestricted {
        format!("{account}, or the account that would be paid, is restricted; the institution knows why")
    } else {
        return refusal;
    };
    Refusal { message, ..refusal }
}

/// The limits count no more what a refund gave back.
///
/// # Errors
/// `account_unknown`.
pub(crate) fn came_back(draft: &mut Draft<'_>, leg: &Leg, amount: Minor) -> Result<(), Refusal> {
    let (Instrument::Balance { account, factors, .. }, Some(paid)) = (&leg.instrument, leg.cleared) else {
        return Ok(());
    };
    let account = draft.state.account(*account, "account")?;
    if let Some(counted) = limit::counted(draft.state, account, paid, *factors) {
        limit::give_back(draft, &counted, amount);
    }
    Ok(())
}
