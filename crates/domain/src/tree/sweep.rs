//! Sweep up (归集) and allocate down (下拨), by command and by rule.
//!
//! ```text
//!  sweep      Dr child  / Cr parent          allocate   Dr parent / Cr child
//! ```
//! | child | parent | moves |
//! |---|---|---|
//! | 2206 | 2206 | both ways; of two customers by the link's agreement |
//! | 9201 without agreement | 9201 | both ways |
//! | 2201 | 2201 | both ways, of one customer |
//! | 2203 | its own merchant's 2206 | up only: 2203 pays no one else |
//!
//! Everything else (2202, 2204, 2251, agreement accounts, two currencies) is only looked at together. Nothing takes more
//! than is available after holds and freezes. A run sweeps first and tops up then, each by child, so that what came up can
//! go down again; what cannot move is skipped and its line says why. A run looks at one parent's own children: a group
//! with branches of branches is swept from below, by runs at later and later times.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::{
    MAX_NUMBER, Movement, RuleKind, RunCause, RunLine, Signed, Skipped, SweepRule, TreeEvent, TreeLink, TreeRun, Way,
};
use crate::account::{Account, Owner};
use crate::agreement;
use crate::book::Subject;
use crate::calendar::Date;
use crate::command::Reply;
use crate::draft::Draft;
use crate::envelope::Time;
use crate::ids::{AccountId, TreeLinkId, TreeRunId, VoucherId};
use crate::money::{Minor, positive};
use crate::refusal::{Refusal, RefusalCode};
use crate::state::{State, Timer};
use crate::voucher::{BusinessKind, BusinessNumber, Dimensions, Entry, EventCode};

const MINUTES_OF_DAY: u16 = 24 * 60;
const MINUTE_MS: i64 = 60_000;

/// Sets or removes a child's rule.
///
/// # Errors
/// `tree_link_unknown`, `tree_link_ended`, `value_invalid`, and where money may not move at all `currency_mismatch` and
/// `subject_not_allowed`.
pub(super) fn decide_set_rule(
    draft: &mut Draft<'_>,
    id: TreeLinkId,
    rule: Option<SweepRule>,
) -> Result<Reply, Refusal> {
    let link = draft.state.current_link(id)?;
    if let Some(rule) = rule {
        let (child, parent) = (draft.state.account(link.child, "child")?, draft.state.account(link.parent, "parent")?);
        may_move(draft.state, child, parent, rule.kind.way())?;
        check_rule(rule)?;
    }
    let due = rule.and_then(|rule| rule.minute_of_day).map(|minute| next_time(draft.context.now, minute));
    let set = Signed::of(draft);
    draft.emit_tree(TreeEvent::RuleSet { link: id, rule, due, set });
    Ok(Reply::TreeLink(id))
}

fn check_rule(rule: SweepRule) -> Result<(), Refusal> {
    let invalid = |param, message: String| Err(Refusal::new(RefusalCode::ValueInvalid, param, message));
    check_kind(rule.kind)?;
    if rule.minimum < 1 {
        return invalid("minimum", format!("{} is no minimum; use 1 or more minor units", rule.minimum));
    }
    match rule.minute_of_day {
        Some(minute) if minute >= MINUTES_OF_DAY => {
            invalid("at", format!("{minute} is no minute of a day; use 0 to {}", MINUTES_OF_DAY - 1))
        }
        Some(_) | None => Ok(()),
    }
}

fn check_kind(kind: RuleKind) -> Result<(), Refusal> {
    let (param, amount, least) = match kind {
        RuleKind::SweepAll => return Ok(()),
        RuleKind::SweepAbove(keep) => ("keep", keep, 0),
        RuleKind::TopUpTo(target) => ("target", target, 1),
    };
    if amount >= least {
        return Ok(());
    }
    Err(Refusal::new(
        RefusalCode::ValueInvalid,
        param,
        format!("{amount} is too little; use {least} or more minor units"),
    ))
}

/// The first time after `now` that is this minute of a day in Shanghai.
fn next_time(now: Time, minute: u16) -> Time {
    let today = Date::in_shanghai(now);
    let at = |date: Date| date.starts_at().plus_ms(i64::from(minute).saturating_mul(MINUTE_MS));
    if at(today) > now { at(today) } else { at(today.plus_days(1)) }
}

/// Whether money may move between the two, see the table above.
fn may_move(state: &State, child: &Account, parent: &Account, way: Way) -> Result<(), Refusal> {
    if child.currency != parent.currency {
        let (ours, theirs) = (child.currency.code(), parent.currency.code());
        let message =
            format!("{} is kept in {ours} and {} in {theirs}; no money moves between them", child.id, parent.id);
        return Err(Refusal::new(RefusalCode::CurrencyMismatch, "link", message));
    }
    agreement::refuse_by_hand(child)?;
    let pair = (child.subject, parent.subject);
    let one_customer = state.customer_of(child.owner) == state.customer_of(parent.owner);
    let to_its_own = child.owner == parent.owner && way == Way::Up;
    let allowed = pair == (Subject::Company, Subject::Company)
        || pair == (Subject::CustodySub, Subject::CustodySub)
        || pair == (Subject::Personal, Subject::Personal) && one_customer
        || pair == (Subject::MerchantAvailable, Subject::Company) && to_its_own;
    if allowed {
        return Ok(());
    }
    let message = format!(
        "no {} between child {} ({}) and parent {} ({}): 2206 and 9201 move both ways, 2201 of one customer too, 2203 up to \
         its merchant's 2206",
        way.name(),
        child.id,
        child.subject.code(),
        parent.id,
        parent.subject.code()
    );
    Err(Refusal::new(RefusalCode::SubjectNotAllowed, "link", message))
}

/// What a rule of this kind moves now, or why nothing.
fn wanted(state: &State, kind: RuleKind, minimum: Minor, child: &Account, parent: &Account) -> Result<Minor, Skipped> {
    let amount = match kind {
        RuleKind::SweepAll => state.available(child),
        RuleKind::SweepAbove(keep) => state.available(child).saturating_sub(keep),
        RuleKind::TopUpTo(target) => {
            let lacks = target.saturating_sub(child.balance.saturating_sub(child.held_out));
            if lacks > 0 && state.available(parent) <= 0 {
                return Err(Skipped::ParentEmpty);
            }
            lacks.min(state.available(parent))
        }
    };
    match amount {
        ..=0 => Err(Skipped::NothingToMove),
        amount if amount < minimum => Err(Skipped::BelowMinimum),
        amount => Ok(amount),
    }
}

/// Moves money between a child and its parent.
///
/// # Errors
/// `tree_link_unknown`, `tree_link_ended`, `amount_not_positive`, `value_invalid`, `currency_mismatch`,
/// `subject_not_allowed`, `nothing_to_move`, and those of the voucher.
pub(super) fn decide_move(draft: &mut Draft<'_>, id: TreeLinkId, movement: Movement) -> Result<Reply, Refusal> {
    let link = draft.state.current_link(id)?;
    let parent_id = link.parent;
    let (child, parent) = (draft.state.account(link.child, "child")?, draft.state.account(parent_id, "parent")?);
    let (way, amount) = match movement {
        Movement::Sweep(amount) => (Way::Up, positive(amount, "amount")?),
        Movement::Allocate(amount) => (Way::Down, positive(amount, "amount")?),
        Movement::Rule(kind) => {
            check_kind(kind)?;
            let nothing = |skipped: Skipped| {
                let message = format!("{} and {} stand so that nothing moves: {}", child.id, parent.id, skipped.name());
                Refusal::new(RefusalCode::NothingToMove, "amount", message)
            };
            (kind.way(), wanted(draft.state, kind, 1, child, parent).map_err(nothing)?)
        }
    };
    may_move(draft.state, child, parent, way)?;
    let child = link.child;
    let run = TreeRunId(draft.state.tree_runs.next_id());
    let voucher = post(draft, (run, 1), id, way, amount)?;
    let lines = vec![RunLine { link: id, child, way, amount, voucher: Some(voucher), skipped: None }];
    done(draft, run, parent_id, RunCause::Command, lines, Vec::new())
}

/// Runs the rules of a parent's children. A number that was used before answers with its run.
///
/// # Errors
/// `account_unknown`, `account_closed`, `value_invalid` for the number.
pub(super) fn decide_run(draft: &mut Draft<'_>, parent: AccountId, number: String) -> Result<Reply, Refusal> {
    let key = (parent, number);
    if let Some(run) = draft.state.tree_run_numbers.get(&key) {
        return Ok(Reply::TreeRun(*run));
    }
    let (_, number) = key;
    draft.state.open_account(parent, "parent")?;
    if number.trim().is_empty() || number.len() > MAX_NUMBER {
        let message = format!("the number has {} bytes; use 1 to {MAX_NUMBER}, not only blanks", number.len());
        return Err(Refusal::new(RefusalCode::ValueInvalid, "number", message));
    }
    let links: Vec<TreeLinkId> = draft.state.links_below(parent).map(|link| link.id).collect();
    run(draft, parent, RunCause::Number(number), &links, Vec::new())
}

/// The time of day came that rules of this parent's children name. Says how many children it looked at.
pub(crate) fn run_due(draft: &mut Draft<'_>, parent: AccountId) -> usize {
    let now = draft.context.now;
    let mut next = Vec::new();
    for link in draft.state.links_below(parent).filter(|link| link.due.is_some_and(|due| due <= now)) {
        if let Some(minute) = link.rule.and_then(|rule| rule.minute_of_day) {
            next.push((link.id, next_time(now, minute)));
        }
    }
    let links: Vec<TreeLinkId> = next.iter().map(|(id, _)| *id).collect();
    if links.is_empty() {
        return 0;
    }
    // Without a day that takes postings there are no accounts yet, so nothing falls due.
    match run(draft, parent, RunCause::Timer, &links, next) {
        Ok(_) | Err(_) => links.len(),
    }
}

fn run(
    draft: &mut Draft<'_>,
    parent: AccountId,
    cause: RunCause,
    links: &[TreeLinkId],
    next: Vec<(TreeLinkId, Time)>,
) -> Result<Reply, Refusal> {
    let id = TreeRunId(draft.state.tree_runs.next_id());
    let mut lines = Vec::new();
    for way in [Way::Up, Way::Down] {
        for (link, step) in links.iter().zip(1..) {
            let link = draft.state.current_link(*link)?;
            let (link, child, rule) = (link.id, link.child, link.rule);
            let Some(rule) = rule.filter(|rule| rule.kind.way() == way) else { continue };
            let moved = follow(draft, (id, step), link, rule);
            let (amount, voucher) = moved.unwrap_or_default();
            lines.push(RunLine { link, child, way, amount, voucher, skipped: moved.err() });
        }
    }
    done(draft, id, parent, cause, lines, next)
}

/// Does what a rule says: minor units and the voucher, or why nothing moved.
fn follow(
    draft: &mut Draft<'_>,
    step: (TreeRunId, u32),
    id: TreeLinkId,
    rule: SweepRule,
) -> Result<(Minor, Option<VoucherId>), Skipped> {
    let refused = |refusal: Refusal| Skipped::Refused(refusal.code);
    let link = draft.state.current_link(id).map_err(refused)?;
    let child = draft.state.open_account(link.child, "child").map_err(refused)?;
    let parent = draft.state.open_account(link.parent, "parent").map_err(refused)?;
    may_move(draft.state, child, parent, rule.kind.way()).map_err(refused)?;
    let amount = wanted(draft.state, rule.kind, rule.minimum, child, parent)?;
    let voucher = post(draft, step, id, rule.kind.way(), amount).map_err(refused)?;
    Ok((amount, Some(voucher)))
}

/// Posts the voucher of one movement, or changes nothing.
fn post(
    draft: &mut Draft<'_>,
    (run, step): (TreeRunId, u32),
    link: TreeLinkId,
    way: Way,
    amount: Minor,
) -> Result<VoucherId, Refusal> {
    let TreeLink { parent, child, .. } = *draft.state.current_link(link)?;
    let account = draft.state.account(child, "child")?;
    let currency = account.currency;
    let merchant = match account.owner {
        Owner::Merchant(id) => Some(id),
        Owner::User(_) | Owner::Institution => None,
    };
    let (from, to, event) = match way {
        Way::Up => (child, parent, EventCode::SweptUp),
        Way::Down => (parent, child, EventCode::AllocatedDown),
    };
    let entries = vec![Entry::debit(from, amount, currency), Entry::credit(to, amount, currency)];
    let business = BusinessNumber::step(BusinessKind::TreeRun, run.0, step);
    draft.post(business, event, entries, Dimensions { merchant, ..Dimensions::default() })
}

fn done(
    draft: &mut Draft<'_>,
    id: TreeRunId,
    parent: AccountId,
    cause: RunCause,
    lines: Vec<RunLine>,
    next: Vec<(TreeLinkId, Time)>,
) -> Result<Reply, Refusal> {
    let date = draft.state.days.posting_date(None)?;
    let run = TreeRun { id, parent, cause, date, made: Signed::of(draft), lines };
    draft.emit_tree(TreeEvent::RunDone { run, next });
    Ok(Reply::TreeRun(id))
}

/// The timer of a link's rule, if it has one.
pub(crate) fn timer(link: &TreeLink) -> Option<((Time, Timer), ())> {
    link.due.map(|due| ((due, Timer::TreeRules(link.parent)), ()))
}

/// A rule was set or removed.
pub(super) fn apply_rule_set(
    state: &mut State,
    id: TreeLinkId,
    rule: Option<SweepRule>,
    due: Option<Time>,
    set: &Signed,
) {
    move_due(state, &[(id, due)]);
    let link = state.link_row(id);
    link.rule = rule;
    link.rule_set = Some(set.clone());
}

/// A run was done.
pub(super) fn apply_run(state: &mut State, run: &TreeRun, next: &[(TreeLinkId, Time)]) {
    let next: Vec<_> = next.iter().map(|(id, due)| (*id, Some(*due))).collect();
    move_due(state, &next);
    if let RunCause::Number(number) = &run.cause {
        state.tree_run_numbers.insert((run.parent, number.clone()), run.id);
    }
    state.tree_runs.insert(run.id.0, run.clone());
}

/// Links fall due at other times. Children of one parent share a timer where they fall due together.
pub(super) fn move_due(state: &mut State, moves: &[(TreeLinkId, Option<Time>)]) {
    let mut left = BTreeSet::new();
    for (id, due) in moves {
        let link = state.link_row(*id);
        let parent = link.parent;
        left.extend(link.due.map(|before| (before, parent)));
        link.due = *due;
        if let Some(due) = due {
            state.timers.insert((*due, Timer::TreeRules(parent)), ());
        }
    }
    for (before, parent) in left {
        if !state.links_below(parent).any(|link| link.due == Some(before)) {
            state.timers.remove(&(before, Timer::TreeRules(parent)));
        }
    }
}
