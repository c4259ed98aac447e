//! Amendments: what changes after an agreement's birth, with a document and two people. At birth the same additions are made
//! without one.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};

use super::terms::check_rule;
use super::{
    Agreement, AgreementEvent, Condition, ConditionKind, MAX_RECEIVERS, Rule, RuleTerms, check_receiver, open_agreement,
};
use crate::approval;
use crate::command::Reply;
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::{AccountId, AgreementId};
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;

/// The most conditions of one agreement, and the most rules.
const MAX_TERMS: usize = 100;
/// The most amendments of one agreement, and the most changes of one amendment.
const MAX_AMENDMENTS: usize = 100;

/// One change of an agreement.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum AgreementChange {
    /// Another account may receive its money.
    #[n(0)]
    AddReceiver(#[n(0)] AccountId),
    /// Another condition, under the next number.
    #[n(1)]
    AddCondition(#[n(0)] ConditionKind),
    /// Another rule, under the next number. With the first one nothing is paid without a rule any more.
    #[n(2)]
    AddRule(#[n(0)] RuleTerms),
    /// A rule says something else from now on; what it has paid counts.
    #[n(3)]
    ChangeRule {
        /// Its number.
        #[n(0)]
        rule: u16,
        /// What it says.
        #[n(1)]
        terms: RuleTerms,
    },
    /// A rule pays no more.
    #[n(4)]
    EndRule(#[n(0)] u16),
}

/// Amends an agreement. It takes two people.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct AmendAgreement {
    /// The agreement.
    #[n(0)]
    pub agreement: AgreementId,
    /// The digest of the amendment's document.
    #[n(1)]
    pub document: ByteArray<32>,
    /// What changes, in this order; all of it or nothing.
    #[n(2)]
    pub changes: Vec<AgreementChange>,
}

/// An amendment as it was made.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Amendment {
    /// Its number within the agreement, from 1.
    #[n(0)]
    pub number: u16,
    /// The digest of its document.
    #[n(1)]
    pub document: ByteArray<32>,
    /// What changed.
    #[n(2)]
    pub changes: Vec<AgreementChange>,
    /// Who proposed it.
    #[n(3)]
    pub operator: String,
    /// Who approved it.
    #[n(4)]
    pub approver: Option<String>,
    /// When.
    #[n(5)]
    pub at: Time,
}

/// What an agreement says at birth.
pub(super) fn add_all(
    state: &State,
    agreement: &mut Agreement,
    conditions: Vec<ConditionKind>,
    rules: Vec<RuleTerms>,
) -> Result<(), Refusal> {
    let conditions = conditions.into_iter().map(AgreementChange::AddCondition);
    for change in conditions.chain(rules.into_iter().map(AgreementChange::AddRule)) {
        check(state, agreement, &change)?;
        make(agreement, &change);
    }
    Ok(())
}

/// Amends an agreement.
pub(super) fn amend(draft: &mut Draft<'_>, command: AmendAgreement) -> Result<Reply, Refusal> {
    let AmendAgreement { agreement: id, document, changes } = command;
    let mut amended = open_agreement(draft.state, id)?.clone();
    let before = amended.amendments.len();
    if !(1..=MAX_AMENDMENTS).contains(&changes.len()) || before >= MAX_AMENDMENTS {
        let message = format!("make 1 to {MAX_AMENDMENTS} changes, and amend {id} at most {MAX_AMENDMENTS} times");
        return Err(Refusal::new(RefusalCode::ValueInvalid, "changes", message));
    }
    for change in &changes {
        check(draft.state, &amended, change)?;
        make(&mut amended, change);
    }
    approval::require(draft, "amending an agreement")?;
    let (operator, approver, at) = (draft.operator(), draft.approver(), draft.context.now);
    let amendment = Amendment { number: next(before), document, changes, operator, approver, at };
    draft.emit(Event::Agreement(AgreementEvent::Amended { agreement: id, amendment }));
    Ok(Reply::Agreement(id))
}

fn check(state: &State, agreement: &Agreement, change: &AgreementChange) -> Result<(), Refusal> {
    match change {
        AgreementChange::AddReceiver(account) => {
            not_full(agreement.receivers.len(), MAX_RECEIVERS, "receivers")?;
            if agreement.receivers.contains(account) {
                let message = format!("{} lists {account} already", agreement.id);
                return Err(Refusal::new(RefusalCode::AlreadyExists, "receivers", message));
            }
            let book = state.account(agreement.account, "agreement")?.subject.book();
            check_receiver(state, *account, book, agreement.currency)
        }
        AgreementChange::AddCondition(kind) => {
            not_full(agreement.conditions.len(), MAX_TERMS, "conditions")?;
            kind.check(state)
        }
        AgreementChange::AddRule(terms) => {
            not_full(agreement.rules.len(), MAX_TERMS, "rules")?;
            check_rule(agreement, terms, 0)
        }
        AgreementChange::ChangeRule { rule, terms } => check_rule(agreement, terms, live(agreement, *rule)?.paid),
        AgreementChange::EndRule(rule) => live(agreement, *rule).map(|_| ()),
    }
}

fn not_full(count: usize, most: usize, param: &'static str) -> Result<(), Refusal> {
    if count < most {
        return Ok(());
    }
    let message = format!("the agreement has {count} of them, which is the most");
    Err(Refusal::new(RefusalCode::ValueInvalid, param, message))
}

/// A rule that was not ended.
fn live(agreement: &Agreement, number: u16) -> Result<&Rule, Refusal> {
    let rule = agreement.rule(number)?;
    if rule.ended {
        let message = format!("rule {number} of {} was ended; add a new one", agreement.id);
        return Err(Refusal::new(RefusalCode::AgreementState, "rule", message));
    }
    Ok(rule)
}

impl Agreement {
    /// One of its rules.
    ///
    /// # Errors
    /// `rule_unknown`.
    pub fn rule(&self, number: u16) -> Result<&Rule, Refusal> {
        self.rules.iter().find(|rule| rule.number == number).ok_or_else(|| {
            let message = format!("{} has no rule {number}; it has {}", self.id, self.rules.len());
            Refusal::new(RefusalCode::RuleUnknown, "rule", message)
        })
    }
}

/// Makes a change that was checked: additions get the next number.
fn make(agreement: &mut Agreement, change: &AgreementChange) {
    match change {
        AgreementChange::AddReceiver(account) => agreement.receivers.push(*account),
        AgreementChange::AddCondition(kind) => {
            let (number, kind) = (next(agreement.conditions.len()), kind.clone());
            agreement.conditions.push(Condition { number, kind, evidence: Vec::new() });
        }
        AgreementChange::AddRule(terms) => {
            let (number, terms) = (next(agreement.rules.len()), terms.clone());
            agreement.rules.push(Rule { number, terms, paid: 0, payments: 0, ended: false });
        }
        AgreementChange::ChangeRule { rule, terms } => {
            for row in agreement.rules.iter_mut().filter(|row| row.number == *rule) {
                row.terms = terms.clone();
            }
        }
        AgreementChange::EndRule(rule) => {
            for row in agreement.rules.iter_mut().filter(|row| row.number == *rule) {
                row.ended = true;
            }
        }
    }
}

fn next(count: usize) -> u16 {
    u16::try_from(count).map_or(u16::MAX, |count| count.saturating_add(1))
}

/// An agreement was amended.
pub(super) fn apply_amended(agreement: &mut Agreement, amendment: &Amendment) {
    for change in &amendment.changes {
        make(agreement, change);
    }
    agreement.amendments.push(amendment.clone());
}
