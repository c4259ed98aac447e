//! Batches of automatic withdrawals, and which failures are tried again.
//!
//! ```text
//!  Run(accounting day, number 1, 2, …, what the enrichment answered)
//!    what earlier batches carried over ─► tried again, from its snapshot
//!    each due plan ─ its bank is named and valid ─► a withdrawal with its snapshot, sent at once
//!                  ├ no answer of the enrichment, or one that no request can be built from ─► stays due; nobody is told
//!                  └ refused (frozen, blocked, over a limit, stopped card …) ─► stays due; the batch lists it
//! ```
//! Bank names come from a service outside, which the caller asks: what it answered comes in with the command, an account
//! that it did not answer for counts as one without an answer. It may be half down for as long as it likes: a withdrawal
//! exists only once its snapshot is whole, so none is ever sent, failed or told about for want of a name.
//!
//! A batch is one (day, number), run once. A plan is taken once a day at most, so a second batch of a day takes what the first
//! left.
//!
//! Failures of the class SYSTEM are tried again, those of USER, RISK and BANK are not; a rule for a channel's code says
//! otherwise for that code. Rules are data, see [`RetryRule`].

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use crate::attempt::FailureClass;
use crate::calendar::Date;
use crate::command::Reply;
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::{AccountId, RetryRuleId, WithdrawalBatchId, WithdrawalId, WithdrawalPlanId};
use crate::money::{Minor, add};
use crate::order::name_fits;
use crate::payout::{Bank, PayoutFailure};
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;
use crate::withdrawal::{self, Snapshot};
use crate::withdrawal_plan::{self, PlanStatus, Takes, WithdrawalPlan, WithdrawalPlanEvent};

#[cfg(test)]
mod tests;

/// The most accounts that one batch has answers for; a second batch takes the rest.
pub const MAX_ENRICHED: usize = 10_000;
/// How many refusals a batch lists; all are counted.
pub const MAX_REFUSALS: usize = 1_000;

/// A rule whether failures of a channel's code are tried again.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct RetryRule {
    /// Its id.
    #[n(0)]
    pub id: RetryRuleId,
    /// The channel's code.
    #[n(1)]
    pub code: String,
    /// Whether another try is worth it.
    #[n(2)]
    pub retryable: bool,
    /// Who set it last.
    #[n(3)]
    pub set_by: String,
    /// When.
    #[n(4)]
    pub set_at: Time,
}

/// What the enrichment answered for an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enriched {
    /// The account of a plan.
    pub account: AccountId,
    /// The bank of the bank account that its plan goes to; none if the service did not say.
    pub bank: Option<Bank>,
    /// The word of the rail's further channel that its withdrawal leaves by; the rail's first if none.
    pub channel: Option<String>,
}

/// Runs a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunWithdrawalBatch {
    /// The open accounting day.
    pub date: Date,
    /// The batch's number on that day: from 1, without gaps.
    pub number: u32,
    /// What the enrichment answered, an account once.
    pub enriched: Vec<Enriched>,
}

/// A due plan that a batch left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct RefusedPlan {
    /// The plan.
    #[n(0)]
    pub plan: WithdrawalPlanId,
    /// Why.
    #[n(1)]
    pub code: RefusalCode,
}

/// A batch as it was run.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct WithdrawalBatch {
    /// Its id.
    #[n(0)]
    pub id: WithdrawalBatchId,
    /// The accounting day.
    #[n(1)]
    pub date: Date,
    /// Its number on that day.
    #[n(2)]
    pub number: u32,
    /// How many plans were due: made, waiting and refused together.
    #[n(3)]
    pub due: u32,
    /// How many withdrawals it made and sent.
    #[n(4)]
    pub made: u32,
    /// Σ of their amounts, in fen.
    #[n(5)]
    pub amount: Minor,
    /// How many plans stay due without a valid answer of the enrichment.
    #[n(6)]
    pub waiting: u32,
    /// How many plans stay due as a withdrawal was refused.
    #[n(7)]
    pub refused: u32,
    /// The first [`MAX_REFUSALS`] of them.
    #[n(8)]
    pub refusals: Vec<RefusedPlan>,
    /// How many carried withdrawals it took up.
    #[n(9)]
    pub taken_up: u32,
    /// When it was run.
    #[n(10)]
    pub run_at: Time,
    /// Who ran it.
    #[n(11)]
    pub run_by: String,
}

/// What is wanted of batches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WithdrawalBatchCommand {
    /// Run one.
    Run(RunWithdrawalBatch),
    /// Say whether failures of a code are tried again.
    SetRetryRule {
        /// The channel's code.
        code: String,
        /// Whether another try is worth it.
        retryable: bool,
    },
}

/// What happened to batches.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum WithdrawalBatchEvent {
    /// One was run; what it made stands in events before.
    #[n(0)]
    Run(#[n(0)] WithdrawalBatch),
    /// A rule was set.
    #[n(1)]
    RetryRuleSet(#[n(0)] RetryRule),
}

/// Runs a batch, or sets a rule.
///
/// # Errors
/// Run: `day_closed`, `day_not_open`, `already_exists`, `value_invalid`, `amount_overflow`. Rule: `value_invalid`.
pub fn decide(draft: &mut Draft<'_>, command: WithdrawalBatchCommand) -> Result<Reply, Refusal> {
    match command {
        WithdrawalBatchCommand::Run(command) => run(draft, command),
        WithdrawalBatchCommand::SetRetryRule { code, retryable } => set_rule(draft, code, retryable),
    }
}

fn set_rule(draft: &mut Draft<'_>, code: String, retryable: bool) -> Result<Reply, Refusal> {
    name_fits(&code, "code")?;
    let fresh = RetryRuleId(draft.state.retry_rules.next_id());
    let id = draft.state.retry_codes.get(&code).copied().unwrap_or(fresh);
    let (set_by, set_at) = (draft.operator(), draft.context.now);
    let rule = RetryRule { id, code, retryable, set_by, set_at };
    draft.emit(Event::WithdrawalBatch(WithdrawalBatchEvent::RetryRuleSet(rule)));
    Ok(Reply::RetryRule(id))
}

/// Whether a failure is worth another try.
pub(crate) fn is_retryable(state: &State, failure: &PayoutFailure) -> bool {
    let rule = state.retry_codes.get(&failure.code).and_then(|id| state.retry_rules.get(id.0));
    let by_class = match failure.class {
        FailureClass::System => true,
        FailureClass::User | FailureClass::Risk | FailureClass::Bank => false,
    };
    rule.map_or(by_class, |rule| rule.retryable)
}

fn run(draft: &mut Draft<'_>, command: RunWithdrawalBatch) -> Result<Reply, Refusal> {
    let RunWithdrawalBatch { date, number, enriched } = command;
    draft.state.days.posting_date(Some(date))?;
    check_number(draft.state, date, number)?;
    let ways = ways(enriched)?;
    let id = WithdrawalBatchId(draft.state.withdrawal_batches.next_id());
    let mut batch = WithdrawalBatch {
        id,
        date,
        number,
        due: 0,
        made: 0,
        amount: 0,
        waiting: 0,
        refused: 0,
        refusals: Vec::new(),
        taken_up: 0,
        run_at: draft.context.now,
        run_by: draft.operator(),
    };
    let carried: Vec<WithdrawalId> = draft.state.carried_withdrawals.iter().map(|(id, ())| *id).collect();
    for withdrawal in carried {
        withdrawal::take_up(draft, withdrawal, id)?;
        batch.taken_up += 1;
    }
    let plans: Vec<WithdrawalPlanId> = due(draft.state, date).map(|due| due.plan).collect();
    for plan in plans {
        take(draft, plan, &ways, &mut batch)?;
    }
    draft.emit(Event::WithdrawalBatch(WithdrawalBatchEvent::Run(batch)));
    Ok(Reply::WithdrawalBatch(id))
}

fn check_number(state: &State, date: Date, number: u32) -> Result<(), Refusal> {
    let of_day = state.batches_by_day.range((date, 0)..=(date, u32::MAX));
    let next = of_day.last().map_or(1, |((_, last), _)| last.saturating_add(1));
    if let Some(earlier) = state.batches_by_day.get(&(date, number)) {
        let message = format!("batch {number} of {date} was run as {earlier}; the next one is {next}");
        return Err(Refusal::new(RefusalCode::AlreadyExists, "number", message));
    }
    if number != next {
        let message = format!("{number} is not the next batch of {date}; that is {next}");
        return Err(Refusal::new(RefusalCode::ValueInvalid, "number", message));
    }
    Ok(())
}

/// Where an account's withdrawal goes, and by which channel of the rail.
type Way = (Bank, Option<String>);

fn ways(enriched: Vec<Enriched>) -> Result<BTreeMap<AccountId, Way>, Refusal> {
    let refuse = |message: String| Err(Refusal::new(RefusalCode::ValueInvalid, "enriched", message));
    if enriched.len() > MAX_ENRICHED {
        return refuse(format!("{} answers are too many; give at most {MAX_ENRICHED} a batch", enriched.len()));
    }
    let mut ways = BTreeMap::new();
    for Enriched { account, bank, channel } in enriched {
        if ways.insert(account, (bank, channel)).is_some() {
            return refuse(format!("{account} stands there twice"));
        }
    }
    // An answer that no request can be built from is none.
    let valid = |(account, (bank, channel)): (AccountId, (Option<Bank>, Option<String>))| {
        Some((account, (bank.filter(Bank::is_valid)?, channel)))
    };
    Ok(ways.into_iter().filter_map(valid).collect())
}

fn take(
    draft: &mut Draft<'_>,
    id: WithdrawalPlanId,
    ways: &BTreeMap<AccountId, Way>,
    batch: &mut WithdrawalBatch,
) -> Result<(), Refusal> {
    batch.due += 1;
    let plan = draft.state.withdrawal_plan(id)?.clone();
    let Some(way) = ways.get(&plan.account) else {
        batch.waiting += 1;
        return Ok(());
    };
    let snapshot = match snapshot(draft, &plan, way) {
        Ok(snapshot) => snapshot,
        Err(refusal) => {
            batch.refused += 1;
            if batch.refusals.len() < MAX_REFUSALS {
                batch.refusals.push(RefusedPlan { plan: id, code: refusal.code });
            }
            return Ok(());
        }
    };
    let owner = draft.state.account(plan.account, "account")?.owner;
    let customer = draft.state.customer_of(owner).expect("an account with a plan has a holder");
    batch.made += 1;
    batch.amount = add(batch.amount, snapshot.amount, "amount")?;
    draft.emit(Event::WithdrawalPlan(WithdrawalPlanEvent::Taken { plan: id, date: batch.date }));
    withdrawal::make(draft, id, customer, snapshot, batch.id)
}

/// What a withdrawal of the plan would be, if one may be made now.
fn snapshot(draft: &Draft<'_>, plan: &WithdrawalPlan, (bank, channel): &Way) -> Result<Snapshot, Refusal> {
    let account = draft.state.open_account(plan.account, "account")?;
    let too_little = Takes { amount: 0, fee: plan.terms.fee, fee_plan: None };
    let Takes { amount, fee, fee_plan } = plan.takes(draft.state, account).unwrap_or(too_little);
    let destination = withdrawal_plan::destination(draft.state, plan)?;
    let (bank, channel, currency) = (bank.clone(), channel.clone(), plan.currency);
    let snapshot = Snapshot { account: plan.account, destination, bank, amount, fee, currency, fee_plan, channel };
    let next = WithdrawalId(draft.state.withdrawals.next_id());
    withdrawal::check(draft.state, draft.context.now, plan.id, next, &snapshot)?;
    Ok(snapshot)
}

/// A plan that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// The plan.
    pub plan: WithdrawalPlanId,
    /// Its account.
    pub account: AccountId,
    /// What a withdrawal of it would bring now.
    pub amount: Minor,
}

/// The plans that are due on an accounting day, by id.
pub fn due(state: &State, date: Date) -> impl Iterator<Item = Due> {
    state.withdrawal_plans.iter().filter_map(move |(_, plan)| {
        let free = plan.status == PlanStatus::Active
            && plan.taken_on != Some(date)
            && state.open_withdrawals.get(&plan.id).is_none();
        let account = state.open_account(plan.account, "account").ok().filter(|_| free)?;
        plan.takes(state, account).map(|takes| Due { plan: plan.id, account: plan.account, amount: takes.amount })
    })
}

impl State {
    /// The batch.
    ///
    /// # Errors
    /// `withdrawal_batch_unknown`.
    pub fn withdrawal_batch(&self, id: WithdrawalBatchId) -> Result<&WithdrawalBatch, Refusal> {
        let unknown = || Refusal::new(RefusalCode::WithdrawalBatchUnknown, "batch", format!("there is no batch {id}"));
        self.withdrawal_batches.get(id.0).ok_or_else(unknown)
    }

    /// The rule of retries.
    ///
    /// # Errors
    /// `retry_rule_unknown`.
    pub fn retry_rule(&self, id: RetryRuleId) -> Result<&RetryRule, Refusal> {
        let unknown = || Refusal::new(RefusalCode::RetryRuleUnknown, "rule", format!("there is no rule {id}"));
        self.retry_rules.get(id.0).ok_or_else(unknown)
    }
}

/// Folds an event into the state.
pub(crate) fn apply(state: &mut State, event: &WithdrawalBatchEvent) {
    match event {
        WithdrawalBatchEvent::Run(batch) => {
            state.batches_by_day.insert((batch.date, batch.number), batch.id);
            state.withdrawal_batches.insert(batch.id.0, batch.clone());
        }
        WithdrawalBatchEvent::RetryRuleSet(rule) => {
            state.retry_codes.insert(rule.code.clone(), rule.id);
            state.retry_rules.insert(rule.id.0, rule.clone());
        }
    }
}
