//! Plans of automatic withdrawals (自动提现): what of an account's balance goes to its holder's bank account, day by day.
//!
//! ```text
//!  create ─► ACTIVE ⇄ SUSPENDED
//!               └───────┴─ end ─► ENDED
//! ```
//! A plan is due on an accounting day if what is available, less what it keeps and the fee, reaches its minimum, if it was
//! not taken on that day before, and if its last withdrawal has ended. It stays due until a batch takes it: see
//! [`crate::withdrawal_batch`]. An account has one plan that has not ended. 2203 goes to its merchant's settlement account,
//! 2201 to an own card, 2206 to either.
//!
//! The fee is the one that the plan's terms name, or, where that is zero, what the fee plan of the account says of
//! withdrawals ([`crate::fee_plan`]): then a withdrawal takes as much as leaves room for it.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use crate::account::{Account, Owner};
use crate::book::Subject;
use crate::calendar::Date;
use crate::command::Reply;
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::fee_plan::{self, FeeOf};
use crate::ids::{AccountId, FeePlanId, WithdrawalPlanId};
use crate::money::{Currency, Minor, positive};
use crate::payout::{self, Destination, Receiver};
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;

#[cfg(test)]
mod tests;

/// Where a plan's withdrawals go.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum PlanTo {
    /// The merchant's settlement account, as it is when a withdrawal is made.
    #[n(0)]
    Settlement,
    /// An own bank account.
    #[n(1)]
    Bank(#[n(0)] Receiver),
}

/// Where a plan stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum PlanStatus {
    /// Batches take it when it is due.
    #[n(0)]
    Active,
    /// They leave it alone.
    #[n(1)]
    Suspended,
    /// For ever.
    #[n(2)]
    Ended,
}

impl PlanStatus {
    /// Every status.
    pub const ALL: [Self; 3] = [Self::Active, Self::Suspended, Self::Ended];

    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Ended => "ended",
        }
    }
}

/// How much a plan takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct PlanTerms {
    /// Minor units that stay on the account, zero or above.
    #[n(0)]
    pub keep: Minor,
    /// The least that is withdrawn, above zero.
    #[n(1)]
    pub minimum: Minor,
    /// Minor units of fee beside each withdrawal; zero for what the fee plan says, which is nothing without one.
    #[n(2)]
    pub fee: Minor,
}

/// A plan.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct WithdrawalPlan {
    /// Its id.
    #[n(0)]
    pub id: WithdrawalPlanId,
    /// The account that pays: 2201, 2203 or 2206.
    #[n(1)]
    pub account: AccountId,
    /// Where it goes.
    #[n(2)]
    pub to: PlanTo,
    /// How much.
    #[n(3)]
    pub terms: PlanTerms,
    /// The account's currency: yuan, which is what the networks pay in.
    #[n(4)]
    pub currency: Currency,
    /// Where it stands.
    #[n(5)]
    pub status: PlanStatus,
    /// The accounting day on which a batch took it last.
    #[n(6)]
    pub taken_on: Option<Date>,
    /// When it was created.
    #[n(7)]
    pub created_at: Time,
    /// Who changed it last, from its creation on.
    #[n(8)]
    pub changed_by: String,
    /// When.
    #[n(9)]
    pub changed_at: Time,
}

/// What may be done with a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlanAction {
    /// Change its terms.
    Change,
    /// Leave it alone for a while.
    Suspend,
    /// Take it again.
    Resume,
    /// End it.
    End,
}

impl PlanAction {
    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Change => "change",
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::End => "end",
        }
    }
}

impl WithdrawalPlan {
    /// What may be done with it now; `decide` goes by the same list.
    #[must_use]
    pub const fn allowed_actions(&self) -> &'static [PlanAction] {
        match self.status {
            PlanStatus::Active => &[PlanAction::Change, PlanAction::Suspend, PlanAction::End],
            PlanStatus::Suspended => &[PlanAction::Change, PlanAction::Resume, PlanAction::End],
            PlanStatus::Ended => &[],
        }
    }

    /// What a withdrawal of it would take now, by what is available on its account; none below its minimum.
    #[must_use]
    pub fn takes(&self, state: &State, account: &Account) -> Option<Takes> {
        let sum = state.available(account).saturating_sub(self.terms.keep);
        let by_plan = fee_plan::plan_in_force(state, account.owner, FeeOf::Withdrawal).filter(|_| self.terms.fee == 0);
        let takes = match by_plan {
            Some(plan) => {
                let (amount, fee) = plan.most_within(sum)?;
                Takes { amount, fee, fee_plan: Some(plan.id) }
            }
            None => Takes { amount: sum.saturating_sub(self.terms.fee), fee: self.terms.fee, fee_plan: None },
        };
        (takes.amount >= self.terms.minimum).then_some(takes)
    }
}

/// What a withdrawal takes of its account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Takes {
    /// Minor units that shall arrive.
    pub amount: Minor,
    /// Minor units of fee beside them.
    pub fee: Minor,
    /// The version of the fee plan that gave the fee; none where the terms name it, or without one.
    pub fee_plan: Option<FeePlanId>,
}

/// Creates a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateWithdrawalPlan {
    /// 2201, 2203 or 2206, without another plan.
    pub account: AccountId,
    /// Where its withdrawals go.
    pub to: PlanTo,
    /// How much.
    pub terms: PlanTerms,
}

/// What is wanted of plans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WithdrawalPlanCommand {
    /// Create one.
    Create(CreateWithdrawalPlan),
    /// Change how much it takes.
    Change {
        /// The plan.
        plan: WithdrawalPlanId,
        /// From now on.
        terms: PlanTerms,
    },
    /// Leave it alone for a while.
    Suspend(WithdrawalPlanId),
    /// Take it again.
    Resume(WithdrawalPlanId),
    /// End it.
    End(WithdrawalPlanId),
}

/// What happened to a plan.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum WithdrawalPlanEvent {
    /// It was created.
    #[n(0)]
    Created(#[n(0)] WithdrawalPlan),
    /// Its terms or its status are others.
    #[n(1)]
    Changed {
        /// The plan.
        #[n(0)]
        plan: WithdrawalPlanId,
        /// How much from now on.
        #[n(1)]
        terms: PlanTerms,
        /// Where it stands from now on.
        #[n(2)]
        status: PlanStatus,
        /// Who did it.
        #[n(3)]
        by: String,
    },
    /// A batch took it.
    #[n(2)]
    Taken {
        /// The plan.
        #[n(0)]
        plan: WithdrawalPlanId,
        /// The accounting day.
        #[n(1)]
        date: Date,
    },
}

/// Creates or changes a plan.
///
/// # Errors
/// `account_unknown`, `account_closed`, `subject_not_allowed`, `receiver_not_allowed`, `currency_mismatch`,
/// `already_exists`, `value_invalid`, `amount_not_positive`; `withdrawal_plan_unknown`, `withdrawal_plan_state`.
pub fn decide(draft: &mut Draft<'_>, command: WithdrawalPlanCommand) -> Result<Reply, Refusal> {
    match command {
        WithdrawalPlanCommand::Create(command) => create(draft, command),
        WithdrawalPlanCommand::Change { plan, terms } => {
            check_terms(&terms)?;
            let status = require(draft.state, plan, PlanAction::Change)?.status;
            changed(draft, plan, terms, status)
        }
        WithdrawalPlanCommand::Suspend(plan) => {
            let terms = require(draft.state, plan, PlanAction::Suspend)?.terms;
            changed(draft, plan, terms, PlanStatus::Suspended)
        }
        WithdrawalPlanCommand::Resume(plan) => {
            let terms = require(draft.state, plan, PlanAction::Resume)?.terms;
            changed(draft, plan, terms, PlanStatus::Active)
        }
        WithdrawalPlanCommand::End(plan) => {
            let terms = require(draft.state, plan, PlanAction::End)?.terms;
            changed(draft, plan, terms, PlanStatus::Ended)
        }
    }
}

fn changed(
    draft: &mut Draft<'_>,
    plan: WithdrawalPlanId,
    terms: PlanTerms,
    status: PlanStatus,
) -> Result<Reply, Refusal> {
    let by = draft.operator();
    draft.emit(Event::WithdrawalPlan(WithdrawalPlanEvent::Changed { plan, terms, status, by }));
    Ok(Reply::WithdrawalPlan(plan))
}

fn create(draft: &mut Draft<'_>, command: CreateWithdrawalPlan) -> Result<Reply, Refusal> {
    let CreateWithdrawalPlan { account, to, terms } = command;
    check_terms(&terms)?;
    let from = draft.state.open_account(account, "account")?;
    check_receiver(from, &to)?;
    if from.currency != Currency::Cny {
        let message = format!("{account} is kept in {}; the networks pay in CNY", from.currency.code());
        return Err(Refusal::new(RefusalCode::CurrencyMismatch, "account", message));
    }
    if draft.state.customer_of(from.owner).is_none() {
        let message = format!("{account} is the institution's own; automatic withdrawals are for customers");
        return Err(Refusal::new(RefusalCode::SubjectNotAllowed, "account", message));
    }
    if let Some(existing) = draft.state.plans_by_account.get(&account) {
        let message = format!("{account} has {existing} already; change it, or end it first");
        return Err(Refusal::new(RefusalCode::AlreadyExists, "account", message));
    }
    let currency = from.currency;
    let (id, now, by) = (WithdrawalPlanId(draft.state.withdrawal_plans.next_id()), draft.context.now, draft.operator());
    draft.emit(Event::WithdrawalPlan(WithdrawalPlanEvent::Created(WithdrawalPlan {
        id,
        account,
        to,
        terms,
        currency,
        status: PlanStatus::Active,
        taken_on: None,
        created_at: now,
        changed_by: by,
        changed_at: now,
    })));
    Ok(Reply::WithdrawalPlan(id))
}

fn check_terms(terms: &PlanTerms) -> Result<(), Refusal> {
    positive(terms.minimum, "minimum")?;
    for (amount, param) in [(terms.keep, "keep"), (terms.fee, "fee")] {
        if amount < 0 {
            let message = format!("{amount} is below zero; it is zero or more minor units");
            return Err(Refusal::new(RefusalCode::ValueInvalid, param, message));
        }
    }
    Ok(())
}

fn check_receiver(from: &Account, to: &PlanTo) -> Result<(), Refusal> {
    let right = match (from.subject, from.owner, to) {
        (Subject::Personal | Subject::Company, _, PlanTo::Bank(receiver)) if receiver.own => return Ok(()),
        (Subject::MerchantAvailable | Subject::Company, Owner::Merchant(_), PlanTo::Settlement) => return Ok(()),
        (Subject::Personal, ..) => "a bank account of its own holder",
        (Subject::Company, ..) => "a bank account of its own holder or the settlement account",
        (Subject::MerchantAvailable, ..) => "its merchant's settlement account",
        (subject, ..) => {
            let message = format!("{} is {}; withdrawals leave 2201, 2203 or 2206", from.id, subject.code());
            return Err(Refusal::new(RefusalCode::SubjectNotAllowed, "account", message));
        }
    };
    let message = format!("{} is {}, whose withdrawals go to {right}", from.id, from.subject.code());
    Err(Refusal::new(RefusalCode::ReceiverNotAllowed, "to", message))
}

fn require(state: &State, id: WithdrawalPlanId, action: PlanAction) -> Result<&WithdrawalPlan, Refusal> {
    let plan = state.withdrawal_plan(id)?;
    if plan.allowed_actions().contains(&action) {
        return Ok(plan);
    }
    let allowed: Vec<&str> = plan.allowed_actions().iter().map(|action| action.name()).collect();
    let allowed = if allowed.is_empty() { String::from("nothing") } else { allowed.join(", ") };
    let message = format!("{id} is {} and cannot {}; allowed now: {allowed}", plan.status.name(), action.name());
    Err(Refusal::new(RefusalCode::WithdrawalPlanState, "plan", message))
}

/// Where a withdrawal of the plan made now would go.
///
/// # Errors
/// `settlement_suspended`.
pub(crate) fn destination(state: &State, plan: &WithdrawalPlan) -> Result<Destination, Refusal> {
    match (&plan.to, state.account(plan.account, "account")?.owner) {
        (PlanTo::Bank(receiver), _) => Ok(Destination::Bank(receiver.clone())),
        (PlanTo::Settlement, Owner::Merchant(merchant)) => {
            payout::settlement_receiver(state.merchant(merchant)?).map(Destination::Settlement)
        }
        (PlanTo::Settlement, Owner::User(_) | Owner::Institution) => {
            let message = format!("{} belongs to no merchant and has no settlement account", plan.account);
            Err(Refusal::new(RefusalCode::ReceiverNotAllowed, "to", message))
        }
    }
}

impl State {
    /// The plan.
    ///
    /// # Errors
    /// `withdrawal_plan_unknown`.
    pub fn withdrawal_plan(&self, id: WithdrawalPlanId) -> Result<&WithdrawalPlan, Refusal> {
        let unknown = || Refusal::new(RefusalCode::WithdrawalPlanUnknown, "plan", format!("there is no plan {id}"));
        self.withdrawal_plans.get(id.0).ok_or_else(unknown)
    }
}

/// The place of a plan that has not ended in the index by account.
pub(crate) fn index_key(plan: &WithdrawalPlan) -> Option<(AccountId, WithdrawalPlanId)> {
    match plan.status {
        PlanStatus::Active | PlanStatus::Suspended => Some((plan.account, plan.id)),
        PlanStatus::Ended => None,
    }
}

/// Folds an event into the state.
pub(crate) fn apply(state: &mut State, event: &WithdrawalPlanEvent) {
    let now = state.now;
    match event {
        WithdrawalPlanEvent::Created(plan) => {
            state.plans_by_account.insert(plan.account, plan.id);
            state.withdrawal_plans.insert(plan.id.0, plan.clone());
        }
        WithdrawalPlanEvent::Changed { plan, terms, status, by } => {
            let row = row(state, *plan);
            row.terms = *terms;
            row.status = *status;
            row.changed_by.clone_from(by);
            row.changed_at = now;
            let (account, ended) = (row.account, index_key(row).is_none());
            if ended {
                state.plans_by_account.remove(&account);
            }
        }
        WithdrawalPlanEvent::Taken { plan, date } => row(state, *plan).taken_on = Some(*date),
    }
}

fn row(state: &mut State, id: WithdrawalPlanId) -> &mut WithdrawalPlan {
    state.withdrawal_plans.get_mut(id.0).expect("decide checked the plan before it emitted the event")
}
