//! The steps of a payout: create, send, take the answer, cancel, return.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{
    Bank, CancelReason, Destination, Payout, PayoutAction, PayoutFailure, PayoutKind, PayoutStatus, RAIL, Receiver,
    booking,
};
use crate::account::{Account, Owner};
use crate::attempt::{self, Attempt, FailureClass, Operation, Outcome, Purpose};
use crate::bank_card;
use crate::block_list::{self, Blocked};
use crate::book::Subject;
use crate::calendar::Date;
use crate::channel::ChannelName;
use crate::command::Reply;
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::fee_plan;
use crate::freeze;
use crate::hold::{self, PlaceHold};
use crate::ids::{AccountId, FeePlanId, PayoutId, WithdrawalId};
use crate::limit::{self, Count, CountKind};
use crate::merchant::Merchant;
use crate::money::{Currency, Minor, add, positive};
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;
use crate::task::{TaskEvent, claim};
use crate::voucher::{Dimensions, EventCode};
use crate::withdrawal;

/// A payout's hold does not expire: it ends with the payout.
const NEVER: Time = Time(i64::MAX);

/// Whom a command wants to pay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PayTo {
    /// A bank account, from 2201 (own only) or 2206.
    Bank(Receiver),
    /// The settlement account of the merchant whose account pays, from 2203 or 2206.
    Settlement,
    /// The merchant's own 2206, from its 2203.
    Company,
}

/// Creates a payout or withdrawal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatePayout {
    /// 2201, 2203 or 2206.
    pub account: AccountId,
    /// Who is paid.
    pub to: PayTo,
    /// Minor units that shall arrive, above zero.
    pub amount: Minor,
    /// Minor units of fee beside them; zero for what the plan says, which is nothing without one.
    pub fee: Minor,
    /// Must be the account's.
    pub currency: Currency,
    /// Send it in the same step.
    pub send_now: bool,
    /// The receiver's bank, if the institution knows it.
    pub bank: Option<Bank>,
    /// The word of the rail's further channel that it leaves by; its first if none.
    pub channel: Option<String>,
}

/// What a payout is made of, once it is known whom it pays.
#[derive(Debug, Clone)]
pub(crate) struct NewPayout {
    /// To another or to oneself.
    pub(crate) kind: PayoutKind,
    /// The account that pays.
    pub(crate) account: AccountId,
    /// Where it goes.
    pub(crate) destination: Destination,
    /// Minor units that shall arrive.
    pub(crate) amount: Minor,
    /// Minor units of fee beside them.
    pub(crate) fee: Minor,
    /// Must be the account's.
    pub(crate) currency: Currency,
    /// The receiver's bank, where it is known.
    pub(crate) bank: Option<Bank>,
    /// The automatic withdrawal that it is a try of.
    pub(crate) withdrawal: Option<WithdrawalId>,
    /// The version of the plan that gave its fee.
    pub(crate) fee_plan: Option<FeePlanId>,
    /// The word of the rail's further channel that it leaves by; its first if none.
    pub(crate) channel: Option<String>,
}

impl NewPayout {
    /// The payout as it begins, counted by no limit and taken from no freeze.
    pub(super) fn created(self, id: PayoutId, at: Time) -> Payout {
        let Self { kind, account, destination, amount, fee, currency, bank, withdrawal, fee_plan, channel } = self;
        Payout {
            id,
            kind,
            account,
            destination,
            amount,
            fee,
            currency,
            status: PayoutStatus::Created,
            created_at: at,
            hold: None,
            attempt: None,
            sent: None,
            ended_at: None,
            failure: None,
            cancelled: None,
            reference: None,
            return_reference: None,
            return_date: None,
            return_cleared: None,
            freeze: None,
            counted: None,
            withdrawal,
            bank,
            fee_plan,
            claim: None,
            channel,
        }
    }
}

/// Creates a payout with its hold; with `send_now` sends it too.
///
/// # Errors
/// `amount_not_positive`, `value_invalid` for a fee below zero, a bank or a channel that cannot be, `amount_overflow`,
/// `account_unknown`, `account_closed`, `subject_not_allowed`, `receiver_not_allowed`, `settlement_suspended`, `card_stopped`,
/// `blocked`, `limit_exceeded`, and those of the hold.
pub fn decide_create(draft: &mut Draft<'_>, command: CreatePayout) -> Result<Reply, Refusal> {
    let CreatePayout { account, to, amount, fee, currency, send_now, bank, channel } = command;
    total(amount, fee)?;
    check_way(bank.as_ref(), channel.as_ref())?;
    let from = draft.state.open_account(account, "account")?;
    let (kind, destination) = destination(draft.state, from, to)?;
    let (fee, fee_plan) = fee_plan::beside(draft.state, from.owner, (kind, &destination), amount, fee)?;
    let withdrawal = None;
    let new = NewPayout { kind, account, destination, amount, fee, currency, bank, withdrawal, fee_plan, channel };
    let id = create(draft, new)?;
    if send_now {
        send(draft, id)?;
    }
    Ok(Reply::Payout(id))
}

/// Refuses a bank that no request can name, and what no channel of the rail may be called.
///
/// # Errors
/// `value_invalid`.
fn check_way(bank: Option<&Bank>, channel: Option<&String>) -> Result<(), Refusal> {
    if bank.is_some_and(|bank| !bank.is_valid()) {
        let message = "the bank has no name of 1 to 128 bytes, or no interbank number of 12 digits";
        return Err(Refusal::new(RefusalCode::ValueInvalid, "bank", message));
    }
    ChannelName { rail: RAIL, word: channel.cloned() }.check()
}

fn total(amount: Minor, fee: Minor) -> Result<Minor, Refusal> {
    positive(amount, "amount")?;
    if fee < 0 {
        let message = format!("{fee} is below zero; a fee is zero or more minor units");
        return Err(Refusal::new(RefusalCode::ValueInvalid, "fee", message));
    }
    add(amount, fee, "amount")
}

/// Whether a payout may be made now, and what the limits count it as. It asks everything that its creation and its sending
/// ask, except whether sums fit 64 bits, so that a batch can leave one out before anything is emitted for it.
///
/// # Errors
/// Those of [`decide_create`].
pub(crate) fn check(state: &State, now: Time, new: &NewPayout) -> Result<Option<Count>, Refusal> {
    let total = total(new.amount, new.fee)?;
    let from = state.open_account(new.account, "account")?;
    let (own, card) = match &new.destination {
        Destination::Bank(receiver) => (receiver.own, receiver.token.clone()),
        Destination::Settlement(receiver) => {
            still_settled_to(state, from, receiver)?;
            (true, receiver.token.clone())
        }
        Destination::Company(_) => (true, None),
    };
    if let (true, Some(token), Some(customer)) = (own, &card, state.customer_of(from.owner)) {
        bank_card::refuse_stopped(state, customer, token)?;
    }
    let parties = block_list::of_owner(state, from.owner).chain(card.map(Blocked::Card));
    block_list::refuse(state, now, parties)?;
    covered(state, from, total, new.currency)?;
    limit::check(state, now, from, total, CountKind::OwnBank)
}

/// Whether the account can give this much; the hold asks it again.
fn covered(state: &State, from: &Account, total: Minor, currency: Currency) -> Result<(), Refusal> {
    if from.currency != currency {
        let message = format!("{} is kept in {}", from.id, from.currency.code());
        return Err(Refusal::new(RefusalCode::CurrencyMismatch, "currency", message));
    }
    if from.restriction.out_barred {
        let message = format!("{} is restricted: no money may go out", from.id);
        return Err(Refusal::new(RefusalCode::AccountRestricted, "account", message));
    }
    let available = state.available(from);
    if available < total {
        let message = format!("{} has {available} available and the payout takes {total}", from.id);
        return Err(Refusal::new(RefusalCode::InsufficientFunds, "amount", message));
    }
    Ok(())
}

/// Whether this is the merchant's settlement account now, and takes money.
fn still_settled_to(state: &State, from: &Account, receiver: &Receiver) -> Result<(), Refusal> {
    let Owner::Merchant(merchant) = from.owner else { return Ok(()) };
    let now = settlement_receiver(state.merchant(merchant)?)?;
    if (&now.account, &now.name) == (&receiver.account, &receiver.name) {
        return Ok(());
    }
    let message = format!("{merchant} settles to another bank account by now");
    Err(Refusal::new(RefusalCode::ReceiverNotAllowed, "to", message))
}

fn create(draft: &mut Draft<'_>, new: NewPayout) -> Result<PayoutId, Refusal> {
    let counted = check(draft.state, draft.context.now, &new)?;
    let (account, currency, total) = (new.account, new.currency, add(new.amount, new.fee, "amount")?);
    let id = PayoutId(draft.state.payouts.next_id());
    let payout = Payout { counted, ..new.created(id, draft.context.now) };
    draft.emit(Event::PayoutCreated(Box::new(payout)));
    if let Some(counted) = counted {
        limit::count(draft, &counted, total);
    }
    let hold = hold::place(draft, &PlaceHold { account, amount: total, currency, expires_at: NEVER }, Some(id))?;
    draft.emit(Event::PayoutHeld { payout: id, hold });
    Ok(id)
}

/// Creates a payout and sends it.
///
/// # Errors
/// Those of [`check`], and of the vouchers.
pub(crate) fn create_and_send(draft: &mut Draft<'_>, new: NewPayout) -> Result<PayoutId, Refusal> {
    let id = create(draft, new)?;
    send(draft, id)?;
    Ok(id)
}

/// Whether this account may pay there.
fn destination(state: &State, from: &Account, to: PayTo) -> Result<(PayoutKind, Destination), Refusal> {
    let refused = |right: &str| {
        let message = format!("{} is {}, which pays {right}", from.id, from.subject.code());
        Err(Refusal::new(RefusalCode::ReceiverNotAllowed, "to", message))
    };
    let merchant = match from.owner {
        Owner::Merchant(id) => Some(state.merchant(id)?),
        Owner::User(_) | Owner::Institution => None,
    };
    match (from.subject, merchant, to) {
        (Subject::Personal, _, PayTo::Bank(receiver)) if receiver.own => {
            Ok((PayoutKind::Withdrawal, Destination::Bank(receiver)))
        }
        (Subject::Personal, ..) => refused("only a bank account of its own holder"),
        (Subject::Company, _, PayTo::Bank(receiver)) => {
            let kind = if receiver.own { PayoutKind::Withdrawal } else { PayoutKind::Payout };
            Ok((kind, Destination::Bank(receiver)))
        }
        (Subject::MerchantAvailable | Subject::Company, Some(merchant), PayTo::Settlement) => {
            Ok((PayoutKind::Withdrawal, Destination::Settlement(settlement_receiver(merchant)?)))
        }
        (Subject::MerchantAvailable, Some(Merchant { company: Some(company), .. }), PayTo::Company) => {
            Ok((PayoutKind::Withdrawal, Destination::Company(*company)))
        }
        (Subject::MerchantAvailable, ..) => {
            refused("only its merchant's settlement account or its merchant's own 2206")
        }
        (Subject::Company, ..) => refused("bank accounts"),
        (subject, ..) => {
            let message = format!("{} is {}; payouts leave 2201, 2203 or 2206", from.id, subject.code());
            Err(Refusal::new(RefusalCode::SubjectNotAllowed, "account", message))
        }
    }
}

pub(crate) fn settlement_receiver(merchant: &Merchant) -> Result<Receiver, Refusal> {
    if merchant.settlement_suspended {
        let message = format!(
            "a payout to the settlement account of {} came back; verify the account before the next",
            merchant.id
        );
        return Err(Refusal::new(RefusalCode::SettlementSuspended, "to", message));
    }
    let settlement = merchant.settlement.clone();
    Ok(Receiver { account: settlement.account, name: settlement.name, own: true, token: None })
}

/// Sends a held payout.
///
/// # Errors
/// `payout_unknown`, `payout_state`, and those of the voucher.
pub fn decide_send(draft: &mut Draft<'_>, id: PayoutId) -> Result<Reply, Refusal> {
    send(draft, id)?;
    Ok(Reply::Payout(id))
}

fn send(draft: &mut Draft<'_>, id: PayoutId) -> Result<(), Refusal> {
    let payout = draft.state.payout(id)?.clone();
    payout.require(PayoutAction::Send)?;
    let hold = payout.hold.expect("a held payout has its hold");
    hold::confirm(draft, hold, payout.total())?;
    let voucher = booking::sent(draft, &payout)?;
    let attempt = payout.destination.receiver().map(|receiver| {
        let operation = Operation::Pay {
            account: receiver.account.clone(),
            name: receiver.name.clone(),
            amount: payout.amount,
            currency: payout.currency,
            bank: payout.bank.clone(),
        };
        attempt::request(draft, payout.channel_name(), operation, Purpose::Payout(id))
    });
    draft.emit(Event::PayoutSent { payout: id, voucher, attempt });
    if attempt.is_none() {
        // Its own 2206 lies in these books: nobody else has to answer.
        succeed(draft, id, None)?;
    }
    Ok(())
}

/// Takes the answer to a payout's attempt.
///
/// # Errors
/// Those of the voucher; none while sums fit.
pub(crate) fn answered(
    draft: &mut Draft<'_>,
    id: PayoutId,
    attempt: &Attempt,
    outcome: &Outcome,
) -> Result<(), Refusal> {
    match outcome {
        Outcome::Success { clearing_date, .. } if draft.state.payout(id)?.status == PayoutStatus::Failed => {
            paid_late(draft, id, attempt, *clearing_date)
        }
        Outcome::Success { reference, clearing_date, .. } => succeed(draft, id, Some((reference, *clearing_date))),
        Outcome::Declined { class, code } => fail(draft, id, PayoutFailure { class: *class, code: code.clone() }),
        Outcome::NotFound => {
            fail(draft, id, PayoutFailure { class: FailureClass::System, code: String::from("not_found") })
        }
        Outcome::Unknown => {
            draft.emit(Event::PayoutUnknown(id));
            Ok(())
        }
    }
}

fn succeed(draft: &mut Draft<'_>, id: PayoutId, answer: Option<(&String, Date)>) -> Result<(), Refusal> {
    let payout = draft.state.payout(id)?.clone();
    let voucher = booking::succeeded(draft, &payout, answer.map(|(_, date)| date))?;
    let reference = answer.map(|(reference, _)| reference.clone());
    draft.emit(Event::PayoutSucceeded { payout: id, voucher, reference });
    withdrawal::told(draft, id);
    Ok(())
}

/// It had failed, and its money is back on its account; the bank paid it all the same. Whether another was made in its place nobody here
/// knows: it stays FAILED, and what the bank paid is a claim and a task for two people.
fn paid_late(draft: &mut Draft<'_>, id: PayoutId, attempt: &Attempt, clearing_date: Date) -> Result<(), Refusal> {
    let dimensions = booking::dimensions(draft.state, draft.state.payout(id)?);
    let dimensions = Dimensions { clearing_date: Some(clearing_date), ..dimensions };
    claim::post(draft, attempt, EventCode::ClaimedLate, dimensions)?;
    draft.emit(Event::Task(TaskEvent::PayoutClaimed(id)));
    Ok(())
}

fn fail(draft: &mut Draft<'_>, id: PayoutId, failure: PayoutFailure) -> Result<(), Refusal> {
    let payout = draft.state.payout(id)?.clone();
    let voucher = booking::failed(draft, &payout)?;
    draft.emit(Event::PayoutFailed { payout: id, voucher, failure });
    give_back(draft, &payout, payout.total());
    withdrawal::told(draft, id);
    freeze::give_back(draft, &payout);
    Ok(())
}

/// Cancels a payout that was not sent.
///
/// # Errors
/// `payout_unknown`, `payout_state`.
pub fn decide_cancel(draft: &mut Draft<'_>, id: PayoutId) -> Result<Reply, Refusal> {
    draft.state.payout(id)?.require(PayoutAction::Cancel)?;
    cancel(draft, id, CancelReason::Asked);
    Ok(Reply::Payout(id))
}

fn cancel(draft: &mut Draft<'_>, id: PayoutId, reason: CancelReason) {
    let payout = draft.state.payouts.get(id.0).cloned().expect("what is cancelled is there");
    if let Some(hold) = payout.hold {
        draft.emit(Event::HoldCancelled(hold));
    }
    draft.emit(Event::PayoutCancelled { payout: id, reason });
    give_back(draft, &payout, payout.total());
    withdrawal::told(draft, id);
}

/// Gives back to the limits what came back of a payout that they counted.
fn give_back(draft: &mut Draft<'_>, payout: &Payout, amount: Minor) {
    if let Some(counted) = &payout.counted {
        limit::give_back(draft, counted, amount);
    }
}

/// Cancels what an account has not sent yet.
pub(crate) fn cancel_unsent(draft: &mut Draft<'_>, account: AccountId, reason: CancelReason) {
    cancel_unsent_where(draft, account, reason, |_, _| true);
}

/// Cancels those of an account's unsent payouts that are wanted.
pub(crate) fn cancel_unsent_where(
    draft: &mut Draft<'_>,
    account: AccountId,
    reason: CancelReason,
    wanted: impl Fn(&State, &Payout) -> bool,
) {
    for payout in unsent(draft.state, account, |payout| wanted(draft.state, payout)) {
        cancel(draft, payout, reason);
    }
}

fn unsent(state: &State, account: AccountId, wanted: impl Fn(&Payout) -> bool) -> Vec<PayoutId> {
    let all = (account, PayoutId(0))..=(account, PayoutId(u64::MAX));
    let open = state.open_payouts.range(all).filter_map(|((_, id), ())| state.payouts.get(id.0));
    open.filter(|payout| payout.allowed_actions().contains(&PayoutAction::Cancel) && wanted(payout))
        .map(|payout| payout.id)
        .collect()
}

/// Books a payout that came back after success. Its fee is kept. Money that its account cannot take any more stays in
/// suspense, and so does that of one that had failed, which is owed.
///
/// # Errors
/// `payout_unknown`, `payout_state`, `value_invalid` for an empty reference, and those of the voucher.
pub fn decide_return(draft: &mut Draft<'_>, id: PayoutId, reference: String, date: Date) -> Result<Reply, Refusal> {
    let payout = draft.state.payout(id)?.clone();
    payout.require(PayoutAction::Return)?;
    check_reference(&reference)?;
    come_back(draft, &payout, reference, date)?;
    Ok(Reply::Payout(id))
}

/// Refuses a bank's reference of a return that is none: 1 to 128 bytes, not only blanks.
///
/// # Errors
/// `value_invalid`.
pub(crate) fn check_reference(reference: &str) -> Result<(), Refusal> {
    if reference.trim().is_empty() || reference.len() > 128 {
        let message = format!("the reference has {} bytes; use 1 to 128, not only blanks", reference.len());
        return Err(Refusal::new(RefusalCode::ValueInvalid, "reference", message));
    }
    Ok(())
}

/// Books the return of a payout that had arrived.
///
/// # Errors
/// Those of the voucher; none while sums fit.
pub(crate) fn come_back(draft: &mut Draft<'_>, payout: &Payout, reference: String, date: Date) -> Result<(), Refusal> {
    let id = payout.id;
    let voucher = booking::returned(draft, payout, date)?;
    // Of one that was paid after it had failed the account has the money again, and so have limits and freeze.
    let is_owed = payout.claim.is_some();
    let credited = if is_owed { None } else { booking::credited(draft, payout)? };
    draft.emit(Event::PayoutReturned { payout: id, voucher, credited, reference, date });
    if !is_owed {
        give_back(draft, payout, payout.amount);
        freeze::give_back(draft, payout);
    }
    match payout.destination {
        Destination::Settlement(_) => suspend_settlement(draft, payout.account)?,
        Destination::Bank(_) => bank_card::stop(draft, payout),
        Destination::Company(_) => {}
    }
    if !is_owed {
        withdrawal::told(draft, id);
    }
    Ok(())
}

/// Nothing more goes to the settlement account that sent money back: not what is unsent, not what is new.
///
/// # Errors
/// None for an account that is there, of a merchant that is.
pub(crate) fn suspend_settlement(draft: &mut Draft<'_>, account: AccountId) -> Result<(), Refusal> {
    let Owner::Merchant(merchant) = draft.state.account(account, "account")?.owner else {
        return Ok(());
    };
    draft.emit(Event::SettlementSuspended(merchant));
    let Merchant { available, company, .. } = draft.state.merchant(merchant)?;
    let accounts = [Some(*available), *company];
    for account in accounts.into_iter().flatten() {
        let settles = |payout: &Payout| matches!(payout.destination, Destination::Settlement(_));
        for payout in unsent(draft.state, account, settles) {
            cancel(draft, payout, CancelReason::SettlementSuspended);
        }
    }
    Ok(())
}
