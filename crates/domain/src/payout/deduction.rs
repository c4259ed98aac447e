//! The payout of a deduction: frozen money that the law takes, sent in the same step, without a hold.

use alloc::boxed::Box;
use alloc::vec;

use super::{Destination, NewPayout, Payout, PayoutKind, RAIL, Receiver, booking};
use crate::attempt::{self, Operation, Purpose};
use crate::book::Subject;
use crate::draft::Draft;
use crate::event::Event;
use crate::ids::{AccountId, FreezeId, PayoutId};
use crate::money::{Currency, Minor};
use crate::refusal::Refusal;
use crate::voucher::{self, Entry, EventCode, Voucher};

/// What is deducted, as the freeze has checked.
#[derive(Debug)]
pub(crate) struct Deduction {
    /// The freeze it was taken from.
    pub(crate) freeze: FreezeId,
    /// The account that pays.
    pub(crate) account: AccountId,
    /// Minor units.
    pub(crate) amount: Minor,
    /// The account's currency.
    pub(crate) currency: Currency,
    /// The authority's bank account.
    pub(crate) receiver: Receiver,
}

/// Posts Dr 220x / Cr 2212 and asks the channel, as payout `id`.
///
/// # Errors
/// Those of [`voucher::check_deduction`].
pub(crate) fn deduct(draft: &mut Draft<'_>, id: PayoutId, deduction: Deduction) -> Result<(), Refusal> {
    let Deduction { freeze, account, amount, currency, receiver } = deduction;
    let receiver = Receiver { own: false, ..receiver };
    let operation =
        Operation::Pay { account: receiver.account.clone(), name: receiver.name.clone(), amount, currency, bank: None };
    let new = NewPayout {
        kind: PayoutKind::Deduction,
        account,
        destination: Destination::Bank(receiver),
        amount,
        fee: 0,
        currency,
        bank: None,
        withdrawal: None,
        fee_plan: None,
        // What an authority takes leaves by the first channel, whatever the rules say.
        channel: None,
    };
    let payout = Payout { freeze: Some(freeze), ..new.created(id, draft.context.now) };
    let transit = draft.state.institution(Subject::PayoutTransit, currency)?;
    let voucher = Voucher {
        business: booking::number(&payout),
        event: EventCode::FreezeDeducted,
        date: draft.state.days.posting_date(None)?,
        entries: vec![Entry::debit(account, amount, currency), Entry::credit(transit, amount, currency)],
        dimensions: Some(Box::new(booking::dimensions(draft.state, &payout))),
        contra_of: None,
    };
    voucher::check_deduction(draft.state, &voucher)?;
    draft.emit(Event::PayoutCreated(Box::new(payout)));
    let voucher = draft.emit_voucher(&voucher);
    let attempt = Some(attempt::request(draft, RAIL, operation, Purpose::Payout(id)));
    draft.emit(Event::PayoutSent { payout: id, voucher, attempt });
    Ok(())
}
