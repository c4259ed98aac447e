//! What an agreement may say beside its receivers: conditions with their evidence, payment rules, and its end.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};

use super::{Agreement, AgreementEvent, CreateAgreement, check_text, open_agreement};
use crate::account::{Owner, owner_known};
use crate::calendar::Date;
use crate::command::Reply;
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::{AccountId, AgreementId};
use crate::money::{Minor, positive};
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;

/// The most parties whose confirmation one condition asks for.
const MAX_PARTIES: usize = 10;

/// What has to be shown before money leaves.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum ConditionKind {
    /// The title was transferred (过户).
    #[n(0)]
    TitleTransfer,
    /// The mortgage was released (解押).
    #[n(1)]
    MortgageReleased,
    /// The tax was paid (完税).
    #[n(2)]
    TaxPaid,
    /// The loan was paid out (放款).
    #[n(3)]
    LoanPaidOut,
    /// Each of the named parties confirmed (双方确认).
    #[n(4)]
    PartiesConfirm(#[n(0)] Vec<Owner>),
    /// An authority ordered it.
    #[n(5)]
    GovernmentOrder,
    /// A day in Shanghai has come; it needs no evidence.
    #[n(6)]
    DateReached(#[n(0)] Date),
    /// Something else, by name.
    #[n(7)]
    Other(#[n(0)] String),
}

impl ConditionKind {
    /// The name in API and files.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::TitleTransfer => "title_transfer",
            Self::MortgageReleased => "mortgage_released",
            Self::TaxPaid => "tax_paid",
            Self::LoanPaidOut => "loan_paid_out",
            Self::PartiesConfirm(_) => "parties_confirm",
            Self::GovernmentOrder => "government_order",
            Self::DateReached(_) => "date_reached",
            Self::Other(_) => "other",
        }
    }

    /// Whether a document fulfils it; a date fulfils itself.
    #[must_use]
    pub const fn takes_evidence(&self) -> bool {
        match self {
            Self::DateReached(_) => false,
            Self::TitleTransfer
            | Self::MortgageReleased
            | Self::TaxPaid
            | Self::LoanPaidOut
            | Self::PartiesConfirm(_)
            | Self::GovernmentOrder
            | Self::Other(_) => true,
        }
    }

    pub(super) fn check(&self, state: &State) -> Result<(), Refusal> {
        match self {
            Self::Other(name) => check_text(name, "conditions"),
            Self::PartiesConfirm(parties) => check_parties(state, parties),
            Self::TitleTransfer
            | Self::MortgageReleased
            | Self::TaxPaid
            | Self::LoanPaidOut
            | Self::GovernmentOrder
            | Self::DateReached(_) => Ok(()),
        }
    }
}

fn check_parties(state: &State, parties: &[Owner]) -> Result<(), Refusal> {
    let invalid = |message| Err(Refusal::new(RefusalCode::ValueInvalid, "conditions", message));
    if !(2..=MAX_PARTIES).contains(&parties.len()) {
        return invalid(format!("{} parties are to confirm; name 2 to {MAX_PARTIES}", parties.len()));
    }
    for (at, party) in parties.iter().enumerate() {
        owner_known(state, *party)?;
        if *party == Owner::Institution || parties.iter().take(at).any(|earlier| earlier == party) {
            return invalid(format!("name users or merchants, each once; {} is not", party_text(*party)));
        }
    }
    Ok(())
}

fn party_text(party: Owner) -> String {
    match party {
        Owner::Institution => String::from("the institution"),
        Owner::User(id) => id.to_string(),
        Owner::Merchant(id) => id.to_string(),
    }
}

/// A document that fulfils a condition, or a party's share of it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Evidence {
    /// The document's digest.
    #[n(0)]
    pub document: ByteArray<32>,
    /// Who said so, such as the registry that issued it.
    #[n(1)]
    pub said_by: String,
    /// The party that confirmed, where parties confirm.
    #[n(2)]
    pub party: Option<Owner>,
    /// Who took it in.
    #[n(3)]
    pub operator: String,
    /// Who approved that, where it was an approval.
    #[n(4)]
    pub approver: Option<String>,
    /// When.
    #[n(5)]
    pub at: Time,
}

/// A condition of an agreement.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Condition {
    /// Its number within the agreement, from 1.
    #[n(0)]
    pub number: u16,
    /// What has to be shown.
    #[n(1)]
    pub kind: ConditionKind,
    /// What was shown.
    #[n(2)]
    pub evidence: Vec<Evidence>,
}

impl Condition {
    /// Whether it is fulfilled on a day in Shanghai.
    #[must_use]
    pub fn is_fulfilled(&self, today: Date) -> bool {
        match &self.kind {
            ConditionKind::DateReached(date) => today >= *date,
            ConditionKind::PartiesConfirm(parties) => parties.iter().all(|party| self.has_confirmed(*party)),
            ConditionKind::TitleTransfer
            | ConditionKind::MortgageReleased
            | ConditionKind::TaxPaid
            | ConditionKind::LoanPaidOut
            | ConditionKind::GovernmentOrder
            | ConditionKind::Other(_) => !self.evidence.is_empty(),
        }
    }

    fn has_confirmed(&self, party: Owner) -> bool {
        self.evidence.iter().any(|evidence| evidence.party == Some(party))
    }
}

/// What a rule says.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct RuleTerms {
    /// Who is paid: one of the agreement's receivers.
    #[n(0)]
    pub receiver: AccountId,
    /// What for.
    #[n(1)]
    pub purpose: String,
    /// Minor units it pays in all, at most.
    #[n(2)]
    pub cap: Option<Minor>,
    /// The numbers of the conditions it needs, all of them.
    #[n(3)]
    pub conditions: Vec<u16>,
    /// The first day in Shanghai on which it pays.
    #[n(4)]
    pub not_before: Option<Date>,
}

/// A payment rule of an agreement.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Rule {
    /// Its number within the agreement, from 1.
    #[n(0)]
    pub number: u16,
    /// What it says.
    #[n(1)]
    pub terms: RuleTerms,
    /// Minor units it has paid.
    #[n(2)]
    pub paid: Minor,
    /// How many payments that were.
    #[n(3)]
    pub payments: u32,
    /// Whether an amendment ended it.
    #[n(4)]
    pub ended: bool,
}

impl Rule {
    /// True if it will not pay again as it stands.
    #[must_use]
    pub fn is_used_up(&self) -> bool {
        self.ended || self.terms.cap.is_some_and(|cap| self.paid >= cap)
    }

    /// Whether it pays on a day in Shanghai.
    ///
    /// # Errors
    /// `agreement_state` if it was ended, `rule_exceeded` if it has paid all, `condition_not_fulfilled`.
    pub fn ready(&self, agreement: &Agreement, today: Date) -> Result<(), Refusal> {
        let (id, number) = (agreement.id, self.number);
        if self.ended {
            let message = format!("rule {number} of {id} was ended by an amendment; pay by another");
            return Err(Refusal::new(RefusalCode::AgreementState, "rule", message));
        }
        if self.is_used_up() {
            let message = format!("rule {number} of {id} has paid its {}; it pays no more", self.paid);
            return Err(Refusal::new(RefusalCode::RuleExceeded, "rule", message));
        }
        if let Some(first) = self.terms.not_before.filter(|first| today < *first) {
            let message = format!("rule {number} of {id} pays from {first} on");
            return Err(Refusal::new(RefusalCode::ConditionNotFulfilled, "rule", message));
        }
        let open: Vec<&Condition> = agreement
            .conditions
            .iter()
            .filter(|it| self.terms.conditions.contains(&it.number) && !it.is_fulfilled(today))
            .collect();
        let Some(first) = open.first() else { return Ok(()) };
        let numbers: Vec<u16> = open.iter().map(|condition| condition.number).collect();
        let message = format!(
            "rule {number} of {id} waits for its conditions {numbers:?}, the first of them {}",
            first.kind.name()
        );
        Err(Refusal::new(RefusalCode::ConditionNotFulfilled, "rule", message))
    }
}

/// What happens with what is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Closing {
    /// The account of the agreement's party that gets it: one of the receivers.
    #[n(0)]
    pub rest_to: AccountId,
    /// The last day in Shanghai on which anything else is paid.
    #[n(1)]
    pub ends_on: Option<Date>,
}

/// Creates an agreement with conditions, rules and an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAgreement {
    /// What every agreement says.
    pub agreement: CreateAgreement,
    /// Its conditions; the first is number 1.
    pub conditions: Vec<ConditionKind>,
    /// Its rules; the first is number 1.
    pub rules: Vec<RuleTerms>,
    /// What happens with the rest.
    pub closing: Option<Closing>,
    /// The digest of the agreement's document.
    pub document: Option<ByteArray<32>>,
}

impl NewAgreement {
    /// One that lists receivers and says no more.
    #[must_use]
    pub const fn simple(agreement: CreateAgreement) -> Self {
        Self { agreement, conditions: Vec::new(), rules: Vec::new(), closing: None, document: None }
    }
}

/// Fulfils a condition, or a party's share of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FulfilCondition {
    /// The agreement.
    pub agreement: AgreementId,
    /// The condition's number.
    pub condition: u16,
    /// The digest of the document that shows it.
    pub document: ByteArray<32>,
    /// Who says so.
    pub said_by: String,
    /// The party that confirms, where parties confirm.
    pub party: Option<Owner>,
}

/// Refuses a rest that would not go to the party, and an end that has passed.
pub(super) fn check_closing(draft: &Draft<'_>, agreement: &Agreement) -> Result<(), Refusal> {
    let Some(Closing { rest_to, ends_on }) = agreement.closing else { return Ok(()) };
    if !agreement.receivers.contains(&rest_to) {
        let message = format!("the rest would go to {rest_to}, which is no receiver; list it");
        return Err(Refusal::new(RefusalCode::ReceiverNotListed, "rest_to", message));
    }
    if draft.state.open_account(rest_to, "rest_to")?.owner != agreement.party {
        let message = format!("{rest_to} is not the party's; what is left returns to an account of the party");
        return Err(Refusal::new(RefusalCode::ReceiverNotAllowed, "rest_to", message));
    }
    let today = Date::in_shanghai(draft.context.now);
    if let Some(last) = ends_on.filter(|last| *last < today) {
        let message = format!("{last} has passed; name today or a later day");
        return Err(Refusal::new(RefusalCode::ValueInvalid, "ends_on", message));
    }
    Ok(())
}

/// Refuses a rule that the agreement cannot keep. `paid` is what it has paid so far.
pub(super) fn check_rule(agreement: &Agreement, terms: &RuleTerms, paid: Minor) -> Result<(), Refusal> {
    check_text(&terms.purpose, "purpose")?;
    if !agreement.receivers.contains(&terms.receiver) {
        let message = format!("{} is no receiver of the agreement; list it first", terms.receiver);
        return Err(Refusal::new(RefusalCode::ReceiverNotListed, "receiver", message));
    }
    if let Some(cap) = terms.cap
        && positive(cap, "cap")? < paid
    {
        let message = format!("the rule has paid {paid} already; a cap of {cap} is below that");
        return Err(Refusal::new(RefusalCode::ValueInvalid, "cap", message));
    }
    for (at, number) in terms.conditions.iter().enumerate() {
        if !agreement.conditions.iter().any(|condition| condition.number == *number) {
            let message = format!("there is no condition {number}; there are {}", agreement.conditions.len());
            return Err(Refusal::new(RefusalCode::RuleUnknown, "conditions", message));
        }
        if terms.conditions.iter().take(at).any(|earlier| earlier == number) {
            let message = format!("condition {number} is named twice");
            return Err(Refusal::new(RefusalCode::ValueInvalid, "conditions", message));
        }
    }
    Ok(())
}

/// Takes a document for a condition.
pub(super) fn fulfil(draft: &mut Draft<'_>, command: FulfilCondition) -> Result<Reply, Refusal> {
    let FulfilCondition { agreement: id, condition: number, document, said_by, party } = command;
    let agreement = open_agreement(draft.state, id)?;
    let condition = agreement.conditions.iter().find(|it| it.number == number).ok_or_else(|| {
        let message = format!("{id} has no condition {number}; it has {}", agreement.conditions.len());
        Refusal::new(RefusalCode::RuleUnknown, "condition", message)
    })?;
    check_text(&said_by, "said_by")?;
    may_be_fulfilled(id, condition, party)?;
    let (operator, approver, at) = (draft.operator(), draft.approver(), draft.context.now);
    let evidence = Evidence { document, said_by, party, operator, approver, at };
    let event = AgreementEvent::EvidenceGiven { agreement: id, condition: number, evidence };
    draft.emit(Event::Agreement(event));
    Ok(Reply::Agreement(id))
}

fn may_be_fulfilled(id: AgreementId, condition: &Condition, party: Option<Owner>) -> Result<(), Refusal> {
    let number = condition.number;
    let invalid = |message| Err(Refusal::new(RefusalCode::ValueInvalid, "party", message));
    let done = |message| Err(Refusal::new(RefusalCode::AgreementState, "condition", message));
    match (&condition.kind, party) {
        (ConditionKind::DateReached(date), _) => {
            done(format!("condition {number} of {id} is fulfilled by {date} itself, not by a document"))
        }
        (ConditionKind::PartiesConfirm(parties), Some(party)) if parties.contains(&party) => {
            if condition.has_confirmed(party) {
                return done(format!("{} confirmed condition {number} of {id} before", party_text(party)));
            }
            Ok(())
        }
        (ConditionKind::PartiesConfirm(parties), _) => {
            let parties: Vec<String> = parties.iter().map(|party| party_text(*party)).collect();
            invalid(format!("condition {number} of {id} is confirmed by {}; name one", parties.join(", ")))
        }
        (
            ConditionKind::TitleTransfer
            | ConditionKind::MortgageReleased
            | ConditionKind::TaxPaid
            | ConditionKind::LoanPaidOut
            | ConditionKind::GovernmentOrder
            | ConditionKind::Other(_),
            party,
        ) => {
            if party.is_some() {
                return invalid(format!("condition {number} of {id} is no confirmation of parties; name none"));
            }
            if !condition.evidence.is_empty() {
                return done(format!("condition {number} of {id} is fulfilled already"));
            }
            Ok(())
        }
    }
}

/// Evidence for a condition came.
pub(super) fn apply_evidence(agreement: &mut Agreement, number: u16, evidence: &Evidence) {
    let condition = agreement.conditions.iter_mut().find(|condition| condition.number == number);
    condition.expect("decide checked the condition").evidence.push(evidence.clone());
}
