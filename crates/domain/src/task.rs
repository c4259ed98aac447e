//! Tasks (人工任务): money that only a person can move on, since the channel that was asked to refused.
//!
//! ```text
//!  a leg whose undo, reversal or release was refused; a leg that a centre paid to the landlord of an order that failed
//!  money on 2243 whose refund its source refused; what a bank owes us, see `claim`: settle alone
//!  money that two people allocated from suspense to 2243: settle alone
//!     OPEN ─ retry: one operator, a new attempt; the earlier one is final ─► UNDER WAY ─ success ─► over
//!      │ ▲                                                                       └─ refused ─► OPEN: the leg, or the new refund
//!      └ settle: two people, by a manual voucher that takes just this money from 2205 or 2243, if it lies there ─► SETTLED
//! ```
//! Nothing of it is kept beside what it is about: a leg says `needs_person`, an item of suspense what of it is due, a refund follows from
//! its kind, its status and what was done about it. A channel that carries an earlier attempt out after all, of a leg whose money went
//! back or was settled by hand, gave it back twice: that is booked as a claim on its bank (1131), and the leg, REVERSED by then, is a task
//! until two people say that it is settled.
//! So is a refund, FAILED, that its channel carried out after all when its money could not be taken again: its part has the claim. And a
//! payout, FAILED, that its bank paid after all. And an item of suspense, which its source had refused, that people allocated and that its
//! source took back after all. And an advance, FAILED, that its bank paid after all: own money's claim, which settling books where it waits
//! for own money.

use alloc::format;
use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use minicbor::{Decode, Encode};

use crate::advance::{self, Advance};
use crate::approval;
use crate::book::{Side, Subject};
use crate::command::{Command, Reply};
use crate::draft::Draft;
use crate::event::Event;
use crate::ids::{AdvanceId, ApprovalId, IdError, LegId, PayoutId, RefundId, SuspenseId, VoucherId};
use crate::leg::{Leg, LegStatus};
use crate::manual_voucher::{self, ManualVoucher};
use crate::money::{Currency, Minor};
use crate::payment::again;
use crate::payout::Payout;
use crate::refund::{self, Refund};
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;
use crate::suspense::SuspenseItem;

pub(crate) mod claim;
mod since;
#[cfg(test)]
mod tests;

pub use claim::Claim;
pub use since::{since_of_advance, since_of_leg, since_of_payout, since_of_refund, since_of_suspense, waits_since};

/// What a task is about, which names it too: `leg_9`, `rfd_3`, `pay_4`, `sus_3`, `adv_3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum TaskOf {
    /// A leg of a payment.
    #[n(0)]
    Leg(#[n(0)] LegId),
    /// A refund: of money that no order can use, or one that its bank owes.
    #[n(1)]
    Refund(#[n(0)] RefundId),
    /// A payout that its bank paid after it had failed.
    #[n(2)]
    Payout(#[n(0)] PayoutId),
    /// An item of suspense that was allocated to 2243, or that its bank owes (level 15).
    #[n(3)]
    Suspense(#[n(0)] SuspenseId),
    /// An advance that its bank paid after it had failed (level 16).
    #[n(4)]
    Advance(#[n(0)] AdvanceId),
}

impl fmt::Display for TaskOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leg(id) => fmt::Display::fmt(id, f),
            Self::Refund(id) => fmt::Display::fmt(id, f),
            Self::Payout(id) => fmt::Display::fmt(id, f),
            Self::Suspense(id) => fmt::Display::fmt(id, f),
            Self::Advance(id) => fmt::Display::fmt(id, f),
        }
    }
}

impl FromStr for TaskOf {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        if text.starts_with(RefundId::PREFIX) {
            text.parse().map(Self::Refund)
        } else if text.starts_with(PayoutId::PREFIX) {
            text.parse().map(Self::Payout)
        } else if text.starts_with(SuspenseId::PREFIX) {
            text.parse().map(Self::Suspense)
        } else if text.starts_with(AdvanceId::PREFIX) {
            text.parse().map(Self::Advance)
        } else {
            text.parse().map(Self::Leg)
        }
    }
}

/// Says that a task was settled by hand.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SettleTask {
    /// Which.
    #[n(0)]
    pub task: TaskOf,
    /// What takes its money from 2205 or 2243; none where no money of it lies there.
    #[n(1)]
    pub voucher: Option<ManualVoucher>,
    /// What waits for a person of it, in minor units, as it was seen; no other amount is settled. None in proposals of before level 15.
    #[n(2)]
    pub amount: Option<Minor>,
}

impl SettleTask {
    /// Notes what waits now, unless its maker said what they saw: that much is what two people decide on.
    pub(crate) fn note_amount(&mut self, state: &State) {
        self.amount = self.amount.or_else(|| waiting(state, self.task).ok());
    }
}

/// What is done about a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskCommand {
    /// Ask the channel again.
    Retry(TaskOf),
    /// Settle it by hand; takes two people.
    Settle(SettleTask),
}

impl From<SettleTask> for Command {
    fn from(command: SettleTask) -> Self {
        Self::Task(TaskCommand::Settle(command))
    }
}

/// What was done about a task. That a leg's channel is asked again is said by the leg itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum TaskEvent {
    /// Money that its source refused is on its way back again.
    #[n(0)]
    RefundRetried {
        /// What failed.
        #[n(0)]
        refund: RefundId,
        /// What was made in its place.
        #[n(1)]
        again: RefundId,
    },
    /// Settled by hand.
    #[n(1)]
    Settled {
        /// Which.
        #[n(0)]
        task: TaskOf,
        /// What took its money, if it lay on these books.
        #[n(1)]
        voucher: Option<VoucherId>,
        /// Whose decision it was.
        #[n(2)]
        approval: ApprovalId,
    },
    /// A bank paid a payout after it had failed: the voucher before claims that.
    #[n(2)]
    PayoutClaimed(#[n(0)] PayoutId),
}

/// Acts on a task.
///
/// # Errors
/// `leg_unknown`, `refund_unknown`, `payout_unknown`, `suspense_unknown`, `advance_unknown`; `task_state` if nothing of it waits for a
/// person, or no channel can be asked, or another amount waits than was seen, or it was settled since; to settle also
/// `approval_required`, `task_voucher` for a voucher that does not take just its money, and those of a manual voucher; of an advance
/// `insufficient_funds` while own money does not have what left.
pub fn decide(draft: &mut Draft<'_>, command: TaskCommand) -> Result<Reply, Refusal> {
    match command {
        TaskCommand::Retry(task) => retry(draft, task),
        TaskCommand::Settle(command) => settle(draft, command),
    }
}

fn retry(draft: &mut Draft<'_>, task: TaskOf) -> Result<Reply, Refusal> {
    match task {
        TaskOf::Leg(id) => {
            let leg = draft.state.leg(id)?.clone();
            waits(task, leg.needs_person)?;
            can_be_asked(task, again::is_possible(&leg))?;
            again::ask(draft, &leg)?;
            Ok(Reply::Task(task))
        }
        TaskOf::Refund(id) => {
            let refund = draft.state.refund(id)?.clone();
            waits(task, refund.needs_person())?;
            can_be_asked(task, refund.is_due())?;
            let again = refund::start_again(draft, &refund)?;
            draft.emit(Event::Task(TaskEvent::RefundRetried { refund: id, again }));
            Ok(Reply::Task(TaskOf::Refund(again)))
        }
        TaskOf::Payout(id) => {
            waits(task, draft.state.payout(id)?.needs_person())?;
            can_be_asked(task, false)?;
            Ok(Reply::Task(task))
        }
        TaskOf::Suspense(id) => {
            waits(task, draft.state.suspense_item(id)?.needs_person())?;
            can_be_asked(task, false)?;
            Ok(Reply::Task(task))
        }
        TaskOf::Advance(id) => {
            waits(task, draft.state.advance(id)?.needs_person())?;
            can_be_asked(task, false)?;
            Ok(Reply::Task(task))
        }
    }
}

fn settle(draft: &mut Draft<'_>, command: SettleTask) -> Result<Reply, Refusal> {
    let approval = approval::require(draft, "settling by hand what a channel refused")?.id;
    let SettleTask { task, voucher, amount } = command;
    let refuse = |message: String| Err(Refusal::new(RefusalCode::TaskVoucher, "voucher", message));
    let money = money_of(draft.state, task)?;
    is_as_seen(task, waiting(draft.state, task)?, amount)?;
    is_not_settled_since(draft.state, task, approval)?;
    let voucher = match (money, voucher) {
        (Some(money), Some(voucher)) => {
            takes(draft.state, &voucher, money)?;
            Some(manual_voucher::post(draft, voucher)?)
        }
        (Some(money), None) => {
            let (amount, currency, subject) = (money.amount, money.currency.code(), money.lies_on.code());
            return refuse(format!("{amount} {currency} of {task} lie on {subject}; name the voucher that takes them"));
        }
        (None, Some(_)) => return refuse(format!("no money of {task} lies on these books; name no voucher")),
        (None, None) => None,
    };
    if let TaskOf::Advance(id) = task {
        advance::book_claim(draft, id)?;
    }
    draft.emit(Event::Task(TaskEvent::Settled { task, voucher, approval }));
    Ok(Reply::Task(task))
}

/// Money of a task on an account of the institution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskMoney {
    /// 2205 or 2243.
    pub lies_on: Subject,
    /// Minor units.
    pub amount: Minor,
    /// Its currency.
    pub currency: Currency,
}

impl TaskMoney {
    /// Of a leg that waits for a person: what came stays on 2205. What a centre holds, or paid to a landlord, is not here, nor what a
    /// channel gave back twice.
    #[must_use]
    pub fn of_leg(leg: &Leg) -> Option<Self> {
        let here = leg.status == LegStatus::Captured && !leg.instrument.pays_directly();
        let (amount, currency) = (leg.amount(), leg.currency);
        here.then_some(Self { lies_on: Subject::PaymentInProgress, amount, currency })
    }

    /// Of a refund that waits for a person: it is back on 2243. What a bank owes is not here.
    #[must_use]
    pub fn of_refund(refund: &Refund) -> Option<Self> {
        let (amount, currency) = (refund.amount, refund.currency);
        refund.is_due().then_some(Self { lies_on: Subject::RefundDue, amount, currency })
    }

    /// Of an item of suspense: what of it was allocated to 2243.
    #[must_use]
    pub fn of_suspense(item: &SuspenseItem) -> Option<Self> {
        item.due.map(|amount| Self { lies_on: Subject::RefundDue, amount, currency: item.currency })
    }
}

/// Where the money of a task lies that waits for a person.
fn money_of(state: &State, task: TaskOf) -> Result<Option<TaskMoney>, Refusal> {
    match task {
        TaskOf::Leg(id) => {
            let leg = state.leg(id)?;
            waits(task, leg.needs_person)?;
            Ok(TaskMoney::of_leg(leg))
        }
        TaskOf::Refund(id) => {
            let refund = state.refund(id)?;
            waits(task, refund.needs_person())?;
            Ok(TaskMoney::of_refund(refund))
        }
        TaskOf::Payout(id) => {
            waits(task, state.payout(id)?.needs_person())?;
            Ok(None)
        }
        TaskOf::Suspense(id) => {
            let item = state.suspense_item(id)?;
            waits(task, item.needs_person())?;
            Ok(TaskMoney::of_suspense(item))
        }
        TaskOf::Advance(id) => {
            waits(task, state.advance(id)?.needs_person())?;
            Ok(None)
        }
    }
}

fn waits(task: TaskOf, needs_person: bool) -> Result<(), Refusal> {
    if needs_person {
        return Ok(());
    }
    let message = format!("nothing of {task} waits for a person: it is under way, over or settled");
    Err(Refusal::new(RefusalCode::TaskState, "task", message))
}

/// What of a task waits for a person, in minor units, if anything does.
fn waiting(state: &State, task: TaskOf) -> Result<Minor, Refusal> {
    Ok(match task {
        TaskOf::Leg(id) => state.leg(id)?.waiting(),
        TaskOf::Refund(id) => state.refund(id)?.waiting(),
        TaskOf::Payout(id) => state.payout(id)?.amount,
        TaskOf::Suspense(id) => state.suspense_item(id)?.waiting(),
        TaskOf::Advance(id) => state.advance(id)?.outlay(),
    })
}

/// Whether what waits is what was seen: what a bank owes may have grown since, by another part of a refund or another undo of a leg.
fn is_as_seen(task: TaskOf, waiting: Minor, seen: Option<Minor>) -> Result<(), Refusal> {
    match seen {
        Some(seen) if seen != waiting => {
            let message = format!("{waiting} of {task} wait for a person, not {seen}; look at it and propose it again");
            Err(Refusal::new(RefusalCode::TaskState, "amount", message))
        }
        Some(_) | None => Ok(()),
    }
}

/// Whether nobody settled anything of it since this was proposed: what waits now came after that, be it as much, and was not seen.
fn is_not_settled_since(state: &State, task: TaskOf, approval: ApprovalId) -> Result<(), Refusal> {
    let last = match task {
        TaskOf::Leg(id) => state.leg(id)?.settled_by,
        TaskOf::Refund(id) => state.refund(id)?.last_settled_by(),
        TaskOf::Suspense(id) => state.suspense_item(id)?.settled_by,
        // Their banks owe once.
        TaskOf::Payout(_) | TaskOf::Advance(_) => None,
    };
    let proposed = state.approvals.get(approval.0).map(|row| row.created_at);
    let settled = last.and_then(|last| state.approvals.get(last.0)?.decided_at);
    if settled.zip(proposed).is_some_and(|(settled, proposed)| settled > proposed) {
        let message =
            format!("what {approval} saw of {task} was settled since it was made; look at it and propose it again");
        return Err(Refusal::new(RefusalCode::TaskState, "task", message));
    }
    Ok(())
}

/// Whether a channel can be asked again for what waits.
fn can_be_asked(task: TaskOf, is_possible: bool) -> Result<(), Refusal> {
    if is_possible {
        return Ok(());
    }
    let message = format!("no channel can be asked to take {task} back; settle it by hand");
    Err(Refusal::new(RefusalCode::TaskState, "task", message))
}

/// Whether a voucher takes just this money from where it lies.
fn takes(state: &State, voucher: &ManualVoucher, money: TaskMoney) -> Result<(), Refusal> {
    let TaskMoney { lies_on, amount, currency } = money;
    let taken = taken_from(state, voucher, lies_on, currency)?;
    if taken == i128::from(amount) {
        return Ok(());
    }
    let (currency, subject) = (currency.code(), lies_on.code());
    let message = format!("the voucher takes {taken} {currency} from {subject}; take {amount}, no more and no less");
    Err(Refusal::new(RefusalCode::TaskVoucher, "voucher", message))
}

/// What a voucher takes from a subject: its debits there less its credits.
pub(crate) fn taken_from(
    state: &State,
    voucher: &ManualVoucher,
    subject: Subject,
    currency: Currency,
) -> Result<i128, Refusal> {
    let mut taken = 0_i128;
    for entry in voucher.entries.iter().filter(|entry| entry.currency == currency) {
        if state.account(entry.account, "account")?.subject == subject {
            let of_entry = i128::from(entry.amount);
            taken = match entry.side {
                Side::Debit => taken.saturating_add(of_entry),
                Side::Credit => taken.saturating_sub(of_entry),
            };
        }
    }
    Ok(taken)
}

/// What may be done about a leg now.
#[must_use]
pub fn actions_of_leg(leg: &Leg) -> &'static [&'static str] {
    match (leg.needs_person, again::is_possible(leg)) {
        (true, true) => &["retry", "settle"],
        (true, false) => &["settle"],
        (false, _) => &[],
    }
}

/// What may be done about a refund now.
#[must_use]
pub fn actions_of_refund(refund: &Refund) -> &'static [&'static str] {
    match (refund.needs_person(), refund.is_due()) {
        (true, true) => &["retry", "settle"],
        (true, false) => &["settle"],
        (false, _) => &[],
    }
}

/// What may be done about a payout now.
#[must_use]
pub fn actions_of_payout(payout: &Payout) -> &'static [&'static str] {
    if payout.needs_person() { &["settle"] } else { &[] }
}

/// What may be done about an advance now, as a task.
#[must_use]
pub fn actions_of_advance(advance: &Advance) -> &'static [&'static str] {
    if advance.needs_person() { &["settle"] } else { &[] }
}

/// What may be done about an item of suspense now, as a task.
#[must_use]
pub const fn actions_of_suspense(item: &SuspenseItem) -> &'static [&'static str] {
    if item.needs_person() { &["settle"] } else { &[] }
}

/// Folds what was done into the state.
pub(crate) fn apply(state: &mut State, event: &TaskEvent) {
    match *event {
        TaskEvent::RefundRetried { refund, again } => {
            state.refunds.get_mut(refund.0).expect("decide checked the refund").retried_as = Some(again);
        }
        TaskEvent::Settled { task: TaskOf::Refund(id), voucher: _, approval } => {
            state.refunds.get_mut(id.0).expect("decide checked the refund").settle(approval);
        }
        TaskEvent::PayoutClaimed(id) => claimed(state, id, Claim::Open),
        TaskEvent::Settled { task: TaskOf::Payout(id), voucher: _, approval } => {
            claimed(state, id, Claim::Settled(approval));
        }
        TaskEvent::Settled { task: TaskOf::Leg(id), voucher: _, approval } => {
            let leg = state.legs.get_mut(id.0).expect("decide checked the leg");
            leg.needs_person = false;
            leg.claimed = 0;
            leg.settled_by = Some(approval);
        }
        TaskEvent::Settled { task: TaskOf::Suspense(id), voucher: _, approval } => {
            let item = state.suspense_items.get_mut(id.0).expect("decide checked the item");
            item.settle(approval);
        }
        TaskEvent::Settled { task: TaskOf::Advance(id), voucher: _, approval } => {
            advance::apply_settled(state, id, approval);
        }
    }
}

fn claimed(state: &mut State, id: PayoutId, claim: Claim) {
    state.payouts.get_mut(id.0).expect("decide checked the payout").claim = Some(claim);
}
