//! Agreement accounts (协议账户): money that leaves only by the agreement's own rules.
//!
//! ```text
//!  create ─► OPEN ─ close (at zero, nothing held, frozen or on its way) ─► CLOSED
//!             ├ pay a listed receiver, where there are no rules
//!             ├ pay by a rule whose conditions are fulfilled, where there are
//!             ├ fulfil a condition, with a document
//!             ├ amend, with a document and two people
//!             └ return the rest, once the end date has passed or every rule is used up
//! ```
//! - Its key is (number, party, purpose). At birth it is said whether its money lies in RESERVE (2204) or in CUSTODY (9201)
//!   and who may receive it: accounts of the same book and currency.
//! - A rule ([`RuleTerms`]) names a receiver, a purpose, at most how much in all, the conditions it needs and from which day
//!   on it pays. Conditions ([`ConditionKind`]) are typed evidence. An agreement with rules pays by no other way.
//! - After its end date only the rest goes, to the account of its party that it named at birth.
//! - No voucher, hold or payout by hand takes money out, see [`refuse_by_hand`].

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};

pub use self::amendment::{AgreementChange, AmendAgreement, Amendment};
pub use self::payment::{AgreementPayment, PayByRule};
pub use self::terms::{Closing, Condition, ConditionKind, Evidence, FulfilCondition, NewAgreement, Rule, RuleTerms};
use crate::account::{Owner, is_empty, open, open_currency, owner_known};
use crate::book::{Book, Subject};
use crate::calendar::Date;
use crate::command::{Command, Reply};
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::{AccountId, AgreementId};
use crate::money::{Currency, Minor};
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;

mod amendment;
mod payment;
mod terms;
#[cfg(test)]
mod tests;

/// The most bytes of a number or a purpose.
const MAX_TEXT: usize = 128;
/// The most receivers one agreement lists.
const MAX_RECEIVERS: usize = 100;

/// What names an agreement: its number, whose money it is, and what for.
pub type AgreementKey = (String, Owner, String);

/// Open or closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum AgreementStatus {
    /// Takes and pays money.
    #[n(0)]
    Open,
    /// At zero for ever.
    #[n(1)]
    Closed,
}

impl AgreementStatus {
    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }
}

/// An agreement with its account.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Agreement {
    /// Its id.
    #[n(0)]
    pub id: AgreementId,
    /// The agreement's number.
    #[n(1)]
    pub number: String,
    /// Whose money it is.
    #[n(2)]
    pub party: Owner,
    /// What it is for.
    #[n(3)]
    pub purpose: String,
    /// Its account: 2204 or 9201.
    #[n(4)]
    pub account: AccountId,
    /// Its currency.
    #[n(5)]
    pub currency: Currency,
    /// Who may receive its money.
    #[n(6)]
    pub receivers: Vec<AccountId>,
    /// Open or closed.
    #[n(7)]
    pub status: AgreementStatus,
    /// How many payments it has made; the number of its last one.
    #[n(8)]
    pub payments: u64,
    /// Its conditions, by number from 1.
    #[n(9)]
    #[cbor(default)]
    pub conditions: Vec<Condition>,
    /// Its payment rules, by number from 1.
    #[n(10)]
    #[cbor(default)]
    pub rules: Vec<Rule>,
    /// What happens with the rest, and from when on.
    #[n(11)]
    pub closing: Option<Closing>,
    /// The digest of the agreement's document.
    #[n(12)]
    pub document: Option<ByteArray<32>>,
    /// What was changed after birth, oldest first.
    #[n(13)]
    #[cbor(default)]
    pub amendments: Vec<Amendment>,
    /// Who created it; unknown of agreements created before this was kept.
    #[n(14)]
    pub operator: Option<String>,
}

impl Agreement {
    /// Its place in the index by number, party and purpose.
    pub(crate) fn key(&self) -> AgreementKey {
        (self.number.clone(), self.party, self.purpose.clone())
    }

    /// True once the end date has passed: only the rest goes out.
    #[must_use]
    pub fn has_ended(&self, today: Date) -> bool {
        self.closing.and_then(|closing| closing.ends_on).is_some_and(|last| today > last)
    }

    /// True where there are rules and none of them will ever pay again.
    #[must_use]
    pub fn is_used_up(&self) -> bool {
        !self.rules.is_empty() && self.rules.iter().all(Rule::is_used_up)
    }

    /// What may be done with it at a time.
    #[must_use]
    pub fn allowed_actions(&self, now: Time) -> Vec<&'static str> {
        let mut actions = Vec::new();
        if self.status == AgreementStatus::Closed {
            return actions;
        }
        let today = Date::in_shanghai(now);
        let pays = self.rules.is_empty() || self.rules.iter().any(|rule| rule.ready(self, today).is_ok());
        let rest = self.closing.is_some() && (self.has_ended(today) || self.is_used_up());
        let waits = self.conditions.iter().any(|it| !it.is_fulfilled(today) && it.kind.takes_evidence());
        for (allowed, action) in [
            (pays && !self.has_ended(today), "pay"),
            (true, "close"),
            (waits, "fulfil"),
            (true, "amend"),
            (rest, "return_rest"),
        ] {
            if allowed {
                actions.push(action);
            }
        }
        actions
    }
}

/// Creates an agreement and opens its account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateAgreement {
    /// The agreement's number.
    pub number: String,
    /// Whose money it will be.
    pub party: Owner,
    /// What it is for.
    pub purpose: String,
    /// RESERVE (2204) or CUSTODY (9201).
    pub book: Book,
    /// Its currency.
    pub currency: Currency,
    /// Who may receive its money: open accounts of the same book and currency.
    pub receivers: Vec<AccountId>,
}

/// Pays from an agreement's account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayFromAgreement {
    /// The agreement.
    pub agreement: AgreementId,
    /// One of its receivers.
    pub to: AccountId,
    /// Minor units above zero.
    pub amount: Minor,
}

/// What can be done with agreements beside the first three commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgreementCommand {
    /// Create one with conditions, rules and an end.
    Create(NewAgreement),
    /// Pay by a rule.
    Pay(PayByRule),
    /// Fulfil a condition.
    Fulfil(FulfilCondition),
    /// Change one after birth.
    Amend(AmendAgreement),
    /// Return what is left to the party.
    ReturnRest(AgreementId),
}

impl From<AmendAgreement> for Command {
    fn from(amend: AmendAgreement) -> Self {
        Self::Agreement(AgreementCommand::Amend(amend))
    }
}

/// What happened to agreements beside the first three events.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum AgreementEvent {
    /// A payment was made, as it is kept; [`Event::AgreementPaid`] stands before it.
    #[n(0)]
    PaymentKept(#[n(0)] AgreementPayment),
    /// Evidence for a condition came.
    #[n(1)]
    EvidenceGiven {
        /// The agreement.
        #[n(0)]
        agreement: AgreementId,
        /// The condition's number.
        #[n(1)]
        condition: u16,
        /// The evidence.
        #[n(2)]
        evidence: Evidence,
    },
    /// It was changed.
    #[n(2)]
    Amended {
        /// The agreement.
        #[n(0)]
        agreement: AgreementId,
        /// How, and by whose approval.
        #[n(1)]
        amendment: Amendment,
    },
}

/// Decides what can be done with agreements beside the first three commands.
///
/// # Errors
/// Those of [`decide_create`] and [`decide_pay`]; `rule_unknown`; `condition_not_fulfilled`; `rule_exceeded`;
/// `approval_required` to amend; `agreement_state` for what its rules, its end or its conditions do not allow.
pub fn decide(draft: &mut Draft<'_>, command: AgreementCommand) -> Result<Reply, Refusal> {
    match command {
        AgreementCommand::Create(new) => create(draft, new),
        AgreementCommand::Pay(command) => payment::by_rule(draft, &command),
        AgreementCommand::Fulfil(command) => terms::fulfil(draft, command),
        AgreementCommand::Amend(command) => amendment::amend(draft, command),
        AgreementCommand::ReturnRest(id) => payment::return_rest(draft, id),
    }
}

/// Creates an agreement.
///
/// # Errors
/// `value_invalid` for number, purpose or receivers, `user_unknown`, `merchant_unknown`, `subject_not_allowed` for a book
/// or party that holds none, `already_exists`, `account_unknown`, `account_closed` or `receiver_not_allowed` for a
/// receiver.
pub fn decide_create(draft: &mut Draft<'_>, command: CreateAgreement) -> Result<Reply, Refusal> {
    create(draft, NewAgreement::simple(command))
}

fn create(draft: &mut Draft<'_>, new: NewAgreement) -> Result<Reply, Refusal> {
    let NewAgreement { agreement: command, conditions, rules, closing, document } = new;
    let subject = subject_of(command.book)?;
    check_text(&command.number, "number")?;
    check_text(&command.purpose, "purpose")?;
    if command.party == Owner::Institution {
        let message = "the institution holds no agreement account; name a user or a merchant";
        return Err(Refusal::new(RefusalCode::SubjectNotAllowed, "party", message));
    }
    owner_known(draft.state, command.party)?;
    let key = (command.number.clone(), command.party, command.purpose.clone());
    if let Some(existing) = draft.state.agreement_keys.get(&key) {
        let message = format!("this number, party and purpose are {existing} already");
        return Err(Refusal::new(RefusalCode::AlreadyExists, "number", message));
    }
    check_receivers(draft.state, &command)?;
    let CreateAgreement { number, party, purpose, currency, receivers, .. } = command;
    let operator = Some(draft.operator());
    let mut agreement = Agreement {
        id: AgreementId(draft.state.agreements.next_id()),
        number,
        party,
        purpose,
        account: AccountId(0),
        currency,
        receivers,
        status: AgreementStatus::Open,
        payments: 0,
        conditions: Vec::new(),
        rules: Vec::new(),
        closing,
        document,
        amendments: Vec::new(),
        operator,
    };
    terms::check_closing(draft, &agreement)?;
    amendment::add_all(draft.state, &mut agreement, conditions, rules)?;
    open_currency(draft, currency);
    agreement.account = open(draft, subject, currency, party, false, Some(agreement.id));
    let id = agreement.id;
    draft.emit(Event::AgreementCreated(agreement));
    Ok(Reply::Agreement(id))
}

/// Refuses an empty or overlong text.
fn check_text(text: &str, param: &'static str) -> Result<(), Refusal> {
    if text.trim().is_empty() || text.len() > MAX_TEXT {
        let message = format!("{param} has {} bytes; use 1 to {MAX_TEXT}, not only blanks", text.len());
        return Err(Refusal::new(RefusalCode::ValueInvalid, param, message));
    }
    Ok(())
}

fn subject_of(book: Book) -> Result<Subject, Refusal> {
    match book {
        Book::Reserve => Ok(Subject::Agreement),
        Book::Custody => Ok(Subject::CustodySub),
        Book::Own => {
            let message = "money of others never lies in OWN; name RESERVE or CUSTODY";
            Err(Refusal::new(RefusalCode::SubjectNotAllowed, "book", message))
        }
    }
}

fn check_receivers(state: &State, command: &CreateAgreement) -> Result<(), Refusal> {
    let count = command.receivers.len();
    if count == 0 || count > MAX_RECEIVERS {
        let message = format!("the agreement lists {count} receivers; list 1 to {MAX_RECEIVERS}");
        return Err(Refusal::new(RefusalCode::ValueInvalid, "receivers", message));
    }
    for id in &command.receivers {
        check_receiver(state, *id, command.book, command.currency)?;
    }
    Ok(())
}

/// A receiver is an open account of someone else than the institution, in the agreement's book and currency.
fn check_receiver(state: &State, id: AccountId, book: Book, currency: Currency) -> Result<(), Refusal> {
    let account = state.open_account(id, "receivers")?;
    let fits = account.subject.is_held_by_others() && account.subject.book() == book && account.currency == currency;
    if fits {
        return Ok(());
    }
    let message = format!(
        "{id} is {} in {} and {}; a receiver is an account of a user or merchant in {} and {}",
        account.subject.code(),
        account.subject.book().name(),
        account.currency.code(),
        book.name(),
        currency.code()
    );
    Err(Refusal::new(RefusalCode::ReceiverNotAllowed, "receivers", message))
}

/// Pays a listed receiver of an agreement without rules.
///
/// # Errors
/// `agreement_unknown`, `agreement_state`, `receiver_not_listed`, `amount_not_positive`, and those of the voucher.
pub fn decide_pay(draft: &mut Draft<'_>, command: &PayFromAgreement) -> Result<Reply, Refusal> {
    payment::to_listed(draft, command)
}

/// Closes an agreement and its account.
///
/// # Errors
/// `agreement_unknown`, `agreement_state`, `account_not_empty`.
pub fn decide_close(draft: &mut Draft<'_>, id: AgreementId) -> Result<Reply, Refusal> {
    let account = open_agreement(draft.state, id)?.account;
    is_empty(draft.state, draft.state.open_account(account, "agreement")?)?;
    draft.emit(Event::AccountClosed(account));
    draft.emit(Event::AgreementClosed(id));
    Ok(Reply::Agreement(id))
}

fn open_agreement(state: &State, id: AgreementId) -> Result<&Agreement, Refusal> {
    let agreement = state.agreement(id)?;
    match agreement.status {
        AgreementStatus::Open => Ok(agreement),
        AgreementStatus::Closed => {
            Err(Refusal::new(RefusalCode::AgreementState, "agreement", format!("{id} is closed; name an open one")))
        }
    }
}

/// Refuses entries by hand that take money out of an agreement's account.
///
/// # Errors
/// `subject_not_allowed`.
pub(crate) fn refuse_by_hand(account: &crate::account::Account) -> Result<(), Refusal> {
    let Some(agreement) = account.rare.agreement else {
        return Ok(());
    };
    let message = format!("{} belongs to {agreement}; its money leaves only by a payment of it", account.id);
    Err(Refusal::new(RefusalCode::SubjectNotAllowed, "account", message))
}

impl State {
    /// The agreement.
    ///
    /// # Errors
    /// `agreement_unknown`.
    pub fn agreement(&self, id: AgreementId) -> Result<&Agreement, Refusal> {
        let unknown =
            || Refusal::new(RefusalCode::AgreementUnknown, "agreement", format!("there is no agreement {id}"));
        self.agreements.get(id.0).ok_or_else(unknown)
    }
}

/// An agreement was created.
pub(crate) fn apply_created(state: &mut State, agreement: &Agreement) {
    state.agreement_keys.insert(agreement.key(), agreement.id);
    state.agreements.insert(agreement.id.0, agreement.clone());
}

/// An agreement paid.
pub(crate) fn apply_paid(state: &mut State, id: AgreementId) {
    state.agreements.get_mut(id.0).expect("decide checked the agreement").payments += 1;
}

/// An agreement was closed.
pub(crate) fn apply_closed(state: &mut State, id: AgreementId) {
    state.agreements.get_mut(id.0).expect("decide checked the agreement").status = AgreementStatus::Closed;
}

/// What happened to agreements beside the first three events.
pub(crate) fn apply(state: &mut State, event: &AgreementEvent) {
    let row = |state: &mut State, id: AgreementId, change: &dyn Fn(&mut Agreement)| {
        change(state.agreements.get_mut(id.0).expect("decide checked the agreement"));
    };
    match event {
        AgreementEvent::PaymentKept(payment) => payment::apply_kept(state, payment),
        AgreementEvent::EvidenceGiven { agreement, condition, evidence } => {
            row(state, *agreement, &|row| terms::apply_evidence(row, *condition, evidence));
        }
        AgreementEvent::Amended { agreement, amendment } => {
            row(state, *agreement, &|row| amendment::apply_amended(row, amendment));
        }
    }
}
