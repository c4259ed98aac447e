//! The books of card transactions: what comes in, what is held for what goes out, what undoes either.

use alloc::format;
use alloc::vec::Vec;

use super::{CardKind, CardTaken, CardTransaction, Effect};
use crate::account::AccountStatus;
use crate::attempt::Rail;
use crate::book::Subject;
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::hold::{self, PlaceHold};
use crate::ids::{AccountId, MerchantId, VoucherId};
use crate::money::{Currency, Minor, add, proportion, subtract};
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;
use crate::voucher::{BusinessKind, BusinessNumber, Dimensions, Entry, EventCode};

/// What a hold of a transaction ends with: the transaction, not a time.
const NEVER: Time = Time(i64::MAX);
/// The product that vouchers of cards are counted under.
const PRODUCT: &str = "acquiring";

/// One amount and what of it is whose.
#[derive(Debug, Clone, Copy)]
struct Sum {
    amount: Minor,
    /// The merchant's fee.
    fee: Minor,
    /// What issuer and network keep.
    cost: Minor,
}

/// What an approval booked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Booked {
    pub(super) voucher: Option<VoucherId>,
    pub(super) cost: Minor,
    pub(super) suspended: bool,
}

/// Whether 2202 of a merchant takes money now.
fn takes(state: &State, account: AccountId) -> bool {
    let open = state.accounts.get(account.0).filter(|account| account.status == AccountStatus::Open);
    open.is_some_and(|account| !account.barred().in_barred)
}

/// Refuses what could not be booked where it belongs.
///
/// # Errors
/// `account_restricted`.
pub(super) fn can_place(state: &State, kind: CardKind, merchant: MerchantId) -> Result<(), Refusal> {
    let (pending, effect) = (state.merchant(merchant)?.pending, kind.effect());
    if effect != Effect::In || takes(state, pending) {
        return Ok(());
    }
    let message = format!("{pending} takes no money now, so {merchant} takes no card");
    Err(Refusal::new(RefusalCode::AccountRestricted, "merchant", message))
}

/// Holds what `amount` of an original takes from its merchant and from 2291.
///
/// # Errors
/// `insufficient_funds`, `account_restricted`, `account_closed`, `amount_overflow`.
pub(super) fn hold(draft: &mut Draft<'_>, original: &CardTransaction, amount: Minor) -> Result<CardTaken, Refusal> {
    let money = &original.money;
    let so_far = add(money.refunded, amount, "amount")?;
    let fee = subtract(proportion(money.fees.merchant, so_far, original.amount)?, money.fee_returned, "amount")?;
    let cost = subtract(proportion(money.cost, so_far, original.amount)?, money.cost_returned, "amount")?;
    let merchant = subtract(amount, fee, "amount")?;
    let settled = subtract(money.pending, money.reserved, "amount")? < merchant;
    let account = source(draft.state, original.merchant, settled)?;
    let own = draft.state.institution(Subject::DueToOwn, Currency::Cny)?;
    let mut holds = Vec::new();
    for (account, amount) in [(account, merchant), (own, subtract(fee, cost, "amount")?)] {
        if amount > 0 {
            let terms = PlaceHold { account, amount, currency: Currency::Cny, expires_at: NEVER };
            holds.push(hold::place(draft, &terms, None)?);
        }
    }
    Ok(CardTaken { merchant, settled, fee, cost, holds })
}

fn source(state: &State, merchant: MerchantId, settled: bool) -> Result<AccountId, Refusal> {
    let merchant = state.merchant(merchant)?;
    Ok(if settled { merchant.available } else { merchant.pending })
}

/// Lets go of what a transaction held.
pub(super) fn release(draft: &mut Draft<'_>, transaction: &CardTransaction) {
    for hold in transaction.taken.iter().flat_map(|taken| &taken.holds) {
        draft.emit(Event::HoldCancelled(*hold));
    }
}

/// Books an approved transaction by its kind.
///
/// # Errors
/// Those of the voucher; none while sums fit.
pub(super) fn post(draft: &mut Draft<'_>, transaction: &CardTransaction) -> Result<Booked, Refusal> {
    match transaction.kind.effect() {
        Effect::In => come_in(draft, transaction),
        Effect::Undo | Effect::Out => go_out(draft, transaction),
        Effect::Nothing => Ok(Booked { voucher: None, cost: 0, suspended: false }),
    }
}

fn come_in(draft: &mut Draft<'_>, transaction: &CardTransaction) -> Result<Booked, Refusal> {
    let fees = transaction.money.fees;
    let fee = fees.merchant;
    let own = draft.state.institution(Subject::DueToOwn, Currency::Cny)?;
    // What 2291 cannot pay of a losing plan is recognised with the network's file.
    let most = add(fee, draft.state.usable(own, Currency::Cny), "amount")?;
    let cost = fees.cost()?.min(most);
    let pending = draft.state.merchant(transaction.merchant)?.pending;
    let suspended = !takes(draft.state, pending);
    let to = if suspended { draft.state.institution(Subject::Suspense, Currency::Cny)? } else { pending };
    let sum = Sum { amount: transaction.amount, fee, cost };
    let entries = entries(draft.state, to, sum)?;
    let event = match transaction.kind {
        CardKind::Adjustment => EventCode::CardAdjusted,
        CardKind::Sale
        | CardKind::QrSale
        | CardKind::Completion
        | CardKind::CompletionAdvice
        | CardKind::Offline
        | CardKind::Void
        | CardKind::PreAuthorisation
        | CardKind::PreAuthorisationCancel
        | CardKind::CompletionVoid
        | CardKind::Refund
        | CardKind::CreditAdjustment => EventCode::CardPaid,
    };
    let voucher = draft.post(number(transaction), event, entries, dimensions(transaction))?;
    Ok(Booked { voucher: Some(voucher), cost, suspended })
}

fn go_out(draft: &mut Draft<'_>, transaction: &CardTransaction) -> Result<Booked, Refusal> {
    let taken = transaction.taken.as_ref().expect("what goes out was held when it was asked for");
    for hold in &taken.holds {
        let amount = draft.state.hold(*hold)?.held();
        hold::confirm(draft, *hold, amount)?;
    }
    let original = transaction.original.map(|id| draft.state.card_transaction(id)).transpose()?;
    let undone = original.filter(|original| transaction.kind.effect() == Effect::Undo && original.adjustments == 0);
    let contra_of = undone.and_then(|original| original.voucher);
    let from = source(draft.state, transaction.merchant, taken.settled)?;
    let sum = Sum { amount: transaction.amount, fee: taken.fee, cost: taken.cost };
    let entries = turned(entries(draft.state, from, sum)?);
    let event = match transaction.kind.effect() {
        Effect::Undo => EventCode::CardVoided,
        Effect::In | Effect::Out | Effect::Nothing => EventCode::CardRefunded,
    };
    let voucher = draft.post_held(number(transaction), event, entries, dimensions(transaction), contra_of)?;
    Ok(Booked { voucher: Some(voucher), cost: 0, suspended: false })
}

/// Undoes what a transaction that is reversed booked, by an exact contra; nothing where it booked nothing.
///
/// # Errors
/// Those of the voucher: `insufficient_funds` or `account_restricted` where the merchant's money is frozen. Then the reversal
/// stays under way, and its next answer is booked as soon as it can be.
pub(super) fn reverse(draft: &mut Draft<'_>, transaction: &CardTransaction) -> Result<Option<VoucherId>, Refusal> {
    let Some(voucher) = transaction.voucher else { return Ok(None) };
    let entries = match (transaction.kind.effect(), &transaction.taken) {
        (Effect::In, _) => {
            let money = &transaction.money;
            let to = if transaction.suspended {
                draft.state.institution(Subject::Suspense, Currency::Cny)?
            } else {
                draft.state.merchant(transaction.merchant)?.pending
            };
            let sum = Sum { amount: transaction.amount, fee: money.fees.merchant, cost: money.cost };
            turned(entries(draft.state, to, sum)?)
        }
        (Effect::Undo | Effect::Out, Some(taken)) => {
            let from = source(draft.state, transaction.merchant, taken.settled)?;
            entries(draft.state, from, Sum { amount: transaction.amount, fee: taken.fee, cost: taken.cost })?
        }
        (Effect::Undo | Effect::Out | Effect::Nothing, _) => return Ok(None),
    };
    let (business, dimensions) = (number(transaction), dimensions(transaction));
    draft.post_contra(business, EventCode::CardReversed, entries, dimensions, Some(voucher)).map(Some)
}

/// Dr 1122 / Cr the merchant's account, Cr 2291 the margin · OWN Dr 1291 the margin, Dr 6001 / Cr 5001. Where a plan loses
/// money the margin stands on the other sides.
fn entries(state: &State, account: AccountId, Sum { amount, fee, cost }: Sum) -> Result<Vec<Entry>, Refusal> {
    let own = |subject| state.institution(subject, Currency::Cny);
    let margin = subtract(fee, cost, "amount")?;
    let loss = margin.saturating_neg();
    let lines = [
        Entry::debit(own(Rail::UnionPay.subject())?, subtract(amount, cost, "amount")?, Currency::Cny),
        Entry::debit(own(Subject::DueToOwn)?, loss, Currency::Cny),
        Entry::credit(account, subtract(amount, fee, "amount")?, Currency::Cny),
        Entry::credit(own(Subject::DueToOwn)?, margin, Currency::Cny),
        Entry::debit(own(Subject::DueFromReserve)?, margin, Currency::Cny),
        Entry::debit(own(Subject::ChannelCost)?, cost, Currency::Cny),
        Entry::credit(own(Subject::FeeIncome)?, fee, Currency::Cny),
        Entry::credit(own(Subject::DueFromReserve)?, loss, Currency::Cny),
    ];
    Ok(lines.into_iter().filter(|entry| entry.amount > 0).collect())
}

fn turned(mut entries: Vec<Entry>) -> Vec<Entry> {
    for entry in &mut entries {
        entry.side = entry.side.opposite();
    }
    entries
}

fn number(transaction: &CardTransaction) -> BusinessNumber {
    BusinessNumber::object(BusinessKind::CardTransaction, transaction.id.0)
}

/// What a transaction's vouchers are counted under.
pub(crate) fn dimensions(transaction: &CardTransaction) -> Dimensions {
    Dimensions {
        product: Some(PRODUCT.into()),
        channel: Some(Rail::UnionPay.name().into()),
        merchant: Some(transaction.merchant),
        clearing_date: transaction.clearing_date,
        ..Dimensions::default()
    }
}
