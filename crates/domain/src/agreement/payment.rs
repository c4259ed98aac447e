//! Payments out of an agreement's account: to a listed receiver, by a rule, or the rest to the party.

use alloc::format;
use alloc::string::String;
use alloc::vec;

use minicbor::{Decode, Encode};

use super::{Agreement, AgreementEvent, PayFromAgreement, open_agreement};
use crate::calendar::Date;
use crate::command::Reply;
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::{AccountId, AgreementId, AgreementPaymentId, VoucherId};
use crate::money::{Currency, Minor, add, positive};
use crate::recall::Leaves;
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;
use crate::voucher::{BusinessKind, BusinessNumber, Dimensions, Entry, EventCode};

/// A payment out of an agreement's account.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct AgreementPayment {
    /// Its id.
    #[n(0)]
    pub id: AgreementPaymentId,
    /// The agreement.
    #[n(1)]
    pub agreement: AgreementId,
    /// Its number within the agreement, from 1.
    #[n(2)]
    pub number: u64,
    /// The rule it was made by; none for an agreement without rules and for the rest.
    #[n(3)]
    pub rule: Option<u16>,
    /// Who was paid.
    #[n(4)]
    pub to: AccountId,
    /// What for.
    #[n(5)]
    pub purpose: String,
    /// Minor units.
    #[n(6)]
    pub amount: Minor,
    /// The agreement's currency.
    #[n(7)]
    pub currency: Currency,
    /// The voucher.
    #[n(8)]
    pub voucher: VoucherId,
    /// When.
    #[n(9)]
    pub at: Time,
    /// Who paid.
    #[n(10)]
    pub operator: String,
}

impl Leaves for AgreementPayment {
    /// It is over once it is made.
    fn is_closed(&self) -> bool {
        true
    }
}

/// Pays by a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayByRule {
    /// The agreement.
    pub agreement: AgreementId,
    /// The rule's number; it names who is paid and what for.
    pub rule: u16,
    /// Minor units above zero.
    pub amount: Minor,
}

/// What the rest is paid for.
const REST: &str = "return of the rest";

/// Pays a receiver that an agreement without rules lists.
pub(super) fn to_listed(draft: &mut Draft<'_>, command: &PayFromAgreement) -> Result<Reply, Refusal> {
    let agreement = running(draft, command.agreement)?;
    if !agreement.rules.is_empty() {
        let message = format!("{} pays only by its {} rules; name one", agreement.id, agreement.rules.len());
        return Err(Refusal::new(RefusalCode::AgreementState, "rule", message));
    }
    if !agreement.receivers.contains(&command.to) {
        let (id, receivers) = (agreement.id, &agreement.receivers);
        let message = format!("{id} does not list {}; its receivers are {receivers:?}", command.to);
        return Err(Refusal::new(RefusalCode::ReceiverNotListed, "to", message));
    }
    let purpose = agreement.purpose.clone();
    pay(draft, command.agreement, None, command.to, purpose, command.amount, EventCode::AgreementPayment)
}

/// Pays by a rule.
pub(super) fn by_rule(draft: &mut Draft<'_>, command: &PayByRule) -> Result<Reply, Refusal> {
    let agreement = running(draft, command.agreement)?;
    let rule = agreement.rule(command.rule)?;
    rule.ready(agreement, Date::in_shanghai(draft.context.now))?;
    let paid = add(rule.paid, positive(command.amount, "amount")?, "amount")?;
    if let Some(cap) = rule.terms.cap.filter(|cap| paid > *cap) {
        let (number, amount) = (command.rule, command.amount);
        let message = format!("rule {number} pays {cap} in all, has paid {} and was to pay {amount}", rule.paid);
        return Err(Refusal::new(RefusalCode::RuleExceeded, "amount", message));
    }
    let (to, purpose) = (rule.terms.receiver, rule.terms.purpose.clone());
    let (id, rule) = (command.agreement, Some(command.rule));
    pay(draft, id, rule, to, purpose, command.amount, EventCode::AgreementPayment)
}

/// Returns what is available to the party's account that the agreement named at birth.
pub(super) fn return_rest(draft: &mut Draft<'_>, id: AgreementId) -> Result<Reply, Refusal> {
    let agreement = open_agreement(draft.state, id)?;
    let wrong = |message| Err(Refusal::new(RefusalCode::AgreementState, "agreement", message));
    let Some(closing) = agreement.closing else {
        return wrong(format!("{id} does not say what happens with the rest; pay it by its receivers or rules"));
    };
    if !agreement.has_ended(Date::in_shanghai(draft.context.now)) && !agreement.is_used_up() {
        return wrong(format!("{id} may still pay; the rest returns after its end date or when every rule is used up"));
    }
    let account = draft.state.open_account(agreement.account, "agreement")?;
    let amount = draft.state.available(account);
    if amount <= 0 {
        let message = format!("{} has {amount} available of balance {}", account.id, account.balance);
        return Err(Refusal::new(RefusalCode::InsufficientFunds, "agreement", message));
    }
    pay(draft, id, None, closing.rest_to, String::from(REST), amount, EventCode::AgreementRest)
}

/// An open agreement whose end date has not passed.
fn running<'d>(draft: &'d Draft<'_>, id: AgreementId) -> Result<&'d Agreement, Refusal> {
    let agreement = open_agreement(draft.state, id)?;
    if agreement.has_ended(Date::in_shanghai(draft.context.now)) {
        let message = format!("{id} has ended; only the rest goes, to its party");
        return Err(Refusal::new(RefusalCode::AgreementState, "agreement", message));
    }
    Ok(agreement)
}

fn pay(
    draft: &mut Draft<'_>,
    id: AgreementId,
    rule: Option<u16>,
    to: AccountId,
    purpose: String,
    amount: Minor,
    event: EventCode,
) -> Result<Reply, Refusal> {
    let agreement = draft.state.agreement(id)?;
    let (from, currency) = (agreement.account, agreement.currency);
    let amount = positive(amount, "amount")?;
    let number = agreement.payments.saturating_add(1);
    // An agreement pays many times: the payment's number makes (business number, event code) unique.
    let step = u32::try_from(number).unwrap_or(u32::MAX);
    let business = BusinessNumber::step(BusinessKind::Agreement, id.0, step);
    let entries = vec![Entry::debit(from, amount, currency), Entry::credit(to, amount, currency)];
    let voucher = draft.post(business, event, entries, Dimensions::default())?;
    draft.emit(Event::AgreementPaid { agreement: id, voucher });
    let payment = AgreementPayment {
        id: AgreementPaymentId(draft.state.agreement_payments.next_id()),
        agreement: id,
        number,
        rule,
        to,
        purpose,
        amount,
        currency,
        voucher,
        at: draft.context.now,
        operator: draft.operator(),
    };
    draft.emit(Event::Agreement(AgreementEvent::PaymentKept(payment)));
    Ok(Reply::Voucher(voucher))
}

/// A payment was made.
pub(super) fn apply_kept(state: &mut State, payment: &AgreementPayment) {
    state.agreement_payments.insert(payment.id.0, payment.clone());
    let agreement = state.agreements.get_mut(payment.agreement.0).expect("decide checked the agreement");
    for rule in agreement.rules.iter_mut().filter(|rule| Some(rule.number) == payment.rule) {
        rule.paid += payment.amount;
        rule.payments += 1;
    }
}
