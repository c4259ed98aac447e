//! Quotas (额度): what may leave a child for anyone but its parent.
//!
//! ```text
//!  used ◄─ a hold is placed, by hand or for a payout        (its confirm uses nothing more)
//!       ◄─ a voucher by the caller's own words takes money out
//!  given back ◄─ a hold is cancelled or expires: what it still held
//!             ◄─ a payout fails: all of it; comes back after success: what came back, its fee is kept
//! ```
//! Use counts by accounting day and by the calendar month of accounting days, on the day on which it was used: what is
//! given back later lifts that day's and that month's use while they last. Sweeps to the parent, refunds, splits, freezes
//! and deductions use nothing and are never refused by a quota. What was held or posted before a quota was set does not
//! count. The account's row names its link, so an account without a quota costs nothing.

use alloc::format;

use super::{Quota, QuotaCharge, QuotaUse, Signed, TreeEvent, TreeLink};
use crate::account::Account;
use crate::agreement;
use crate::calendar::Date;
use crate::command::Reply;
use crate::draft::Draft;
use crate::hold::{Hold, HoldDirection};
use crate::ids::{HoldId, QuotaChargeId, TreeLinkId};
use crate::money::{Minor, positive};
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;

impl TreeLink {
    /// What has left the child on the accounting day, and in its month.
    #[must_use]
    pub fn used_on(&self, date: Date) -> (Minor, Minor) {
        self.used.map_or((0, 0), |used| {
            let day = if used.date == date { used.day } else { 0 };
            let month = if used.date.month() == date.month() { used.month } else { 0 };
            (day, month)
        })
    }
}

/// Sets or removes a child's quota.
///
/// # Errors
/// `tree_link_unknown`, `tree_link_ended`, `subject_not_allowed` for an agreement's account, `amount_not_positive`,
/// `value_invalid` for a quota without any limit or with a smaller span above a larger one.
pub(super) fn decide_set(draft: &mut Draft<'_>, id: TreeLinkId, quota: Option<Quota>) -> Result<Reply, Refusal> {
    let link = draft.state.current_link(id)?;
    if let Some(quota) = quota {
        agreement::refuse_by_hand(draft.state.account(link.child, "child")?)?;
        check_quota(quota)?;
    }
    let set = Signed::of(draft);
    draft.emit_tree(TreeEvent::QuotaSet { link: id, quota, set });
    Ok(Reply::TreeLink(id))
}

fn check_quota(quota: Quota) -> Result<(), Refusal> {
    let mut before: Option<(Minor, &str)> = None;
    for (limit, name) in [(quota.single, "single"), (quota.day, "day"), (quota.month, "month")] {
        let Some(limit) = limit else { continue };
        positive(limit, name)?;
        if let Some((smaller, of)) = before.filter(|(smaller, _)| *smaller > limit) {
            let message = format!("{limit} is less than {smaller}, the limit of {of}; make it that much or more");
            return Err(Refusal::new(RefusalCode::ValueInvalid, name, message));
        }
        before = Some((limit, name));
    }
    if before.is_none() {
        let message = "the quota limits nothing; name single, day or month, or remove it";
        return Err(Refusal::new(RefusalCode::ValueInvalid, "quota", message));
    }
    Ok(())
}

/// Whether `amount` may leave the account now.
///
/// # Errors
/// `quota_exceeded`.
pub(crate) fn check(state: &State, account: &Account, amount: Minor) -> Result<(), Refusal> {
    let Some(link) = account.rare.quota.and_then(|id| state.tree_links.get(id.0)) else {
        return Ok(());
    };
    let Some(quota) = link.quota else { return Ok(()) };
    let (day, month) = link.used_on(state.days.posting_date(None)?);
    let spans = [(quota.single, 0, "at once"), (quota.day, day, "a day"), (quota.month, month, "a month")];
    for (limit, used, span) in spans {
        if let Some(limit) = limit.filter(|limit| used.saturating_add(amount) > *limit) {
            let message = format!(
                "{} may pay {limit} {span} as a child of {} ({}), has used {used}, and {amount} were to leave",
                account.id, link.parent, link.id
            );
            return Err(Refusal::new(RefusalCode::QuotaExceeded, "amount", message));
        }
    }
    Ok(())
}

/// A quota was set or removed.
pub(super) fn apply_set(state: &mut State, id: TreeLinkId, quota: Option<Quota>, set: &Signed) {
    let link = state.link_row(id);
    link.quota = quota;
    link.quota_set = Some(set.clone());
    let child = link.child;
    state.account_row(child).rare.quota = quota.map(|_| id);
}

/// Money left a child by a voucher of the caller's own words.
pub(crate) fn apply_left(state: &mut State, id: TreeLinkId, date: Date, amount: Minor) {
    let used = &mut state.link_row(id).used;
    *used = Some(match *used {
        // A voucher of a day before the last one used counts in the month that both share.
        Some(QuotaUse { date: last, day, month }) if date <= last => QuotaUse {
            date: last,
            day: if date == last { day.saturating_add(amount) } else { day },
            month: if date.month() == last.month() { month.saturating_add(amount) } else { month },
        },
        Some(QuotaUse { date: last, month, .. }) if last.month() == date.month() => {
            QuotaUse { date, day: amount, month: month.saturating_add(amount) }
        }
        Some(_) | None => QuotaUse { date, day: amount, month: amount },
    });
}

/// A hold was placed: if its account has a quota, it uses that much of it until it is given back.
pub(crate) fn apply_hold(state: &mut State, hold: &Hold) {
    let link = state.accounts.get(hold.account.0).and_then(|account| account.rare.quota);
    let (Some(link), HoldDirection::Out) = (link, hold.direction) else {
        return;
    };
    let Some(date) = state.days.current() else { return };
    apply_left(state, link, date, hold.amount);
    let id = QuotaChargeId(state.quota_charges.next_id());
    state.quota_charges_by_hold.insert(hold.id, id);
    state.quota_charges.insert(id.0, QuotaCharge { id, link, hold: hold.id, date, amount: hold.amount });
}

/// `amount` of what a hold used did not leave, or came back.
pub(crate) fn apply_given_back(state: &mut State, hold: HoldId, amount: Minor) {
    let Some(id) = state.quota_charges_by_hold.get(&hold).copied() else {
        return;
    };
    let Some(charge) = state.quota_charges.get_mut(id.0).filter(|_| amount > 0) else {
        return;
    };
    charge.amount = charge.amount.saturating_sub(amount);
    let (link, date) = (charge.link, charge.date);
    if let Some(used) = &mut state.link_row(link).used {
        if used.date == date {
            used.day = used.day.saturating_sub(amount);
        }
        if used.date.month() == date.month() {
            used.month = used.month.saturating_sub(amount);
        }
    }
}
