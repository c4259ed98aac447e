//! The sums that limits bound: what counts into which, and how it comes back.

use alloc::format;
use alloc::string::String;

use minicbor::{Decode, Encode};

use super::{AccountClass, Factors, LimitEvent, Limits, bound, total};
use crate::account::Account;
use crate::calendar::Date;
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::{AccountId, CustomerId};
use crate::money::Minor;
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;

/// The class and the sum of a personal payment account.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct AccountLimit {
    /// The account.
    #[n(0)]
    pub id: AccountId,
    /// Its class; none before it was classed.
    #[n(1)]
    pub class: Option<AccountClass>,
    /// Everything that left its balance, less what came back.
    #[n(2)]
    pub since_opening: Minor,
    /// When it was classed.
    #[n(3)]
    pub classed_at: Option<Time>,
    /// Who classed it.
    #[n(4)]
    pub classed_by: Option<String>,
}

/// A person's sums: of one year and of one day in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct CustomerUse {
    /// Who.
    #[n(0)]
    pub id: CustomerId,
    /// The year.
    #[n(1)]
    pub year: i16,
    /// Payments of the year.
    #[n(2)]
    pub year_used: Minor,
    /// The day.
    #[n(3)]
    pub day: Date,
    /// Payments of the day with two factors without certificate.
    #[n(4)]
    pub two_factors: Minor,
    /// Payments of the day with fewer factors.
    #[n(5)]
    pub fewer_factors: Minor,
}

impl CustomerUse {
    /// Nothing used.
    pub(super) fn fresh(id: CustomerId, today: Date) -> Self {
        Self { id, year: today.year(), year_used: 0, day: today, two_factors: 0, fewer_factors: 0 }
    }

    /// The sums as they stand on `today`: those of a year or a day that is over are zero.
    #[must_use]
    pub(super) fn on(self, today: Date) -> Self {
        let fresh = Self::fresh(self.id, today);
        let year_used = if self.year == fresh.year { self.year_used } else { 0 };
        if self.day == today { Self { year_used, ..self } } else { Self { year_used, ..fresh } }
    }

    /// The sum of the day for a kind of proof; none where nothing is bounded.
    #[must_use]
    pub const fn of_day(&self, factors: Factors) -> Option<Minor> {
        match factors {
            Factors::TwoWithCertificate => None,
            Factors::Two => Some(self.two_factors),
            Factors::Fewer => Some(self.fewer_factors),
        }
    }

    fn moved(self, factors: Factors, change: Minor) -> Self {
        let moved = |sum: Minor| sum.saturating_add(change).max(0);
        let mut after = Self { year_used: moved(self.year_used), ..self };
        match factors {
            Factors::TwoWithCertificate => {}
            Factors::Two => after.two_factors = moved(self.two_factors),
            Factors::Fewer => after.fewer_factors = moved(self.fewer_factors),
        }
        after
    }
}

/// What a payment is to the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum CountKind {
    /// To a bank account of the holder's own name.
    #[n(0)]
    OwnBank,
    /// To another, proved so.
    #[n(1)]
    Balance(#[n(0)] Factors),
}

/// What a payment was counted as, kept with it so that it can be given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Count {
    /// The account that paid.
    #[n(0)]
    pub account: AccountId,
    /// Whose it is.
    #[n(1)]
    pub customer: CustomerId,
    /// The day in Shanghai on which it was counted.
    #[n(2)]
    pub date: Date,
    /// What it is.
    #[n(3)]
    pub kind: CountKind,
}

/// Whether the limits leave this much of an account; `None` where none binds it.
///
/// # Errors
/// `limit_exceeded`, `amount_overflow`.
pub(crate) fn check(
    state: &State,
    now: Time,
    account: &Account,
    amount: Minor,
    kind: CountKind,
) -> Result<Option<Count>, Refusal> {
    let Some(customer) = bound(state, account) else { return Ok(None) };
    let date = Date::in_shanghai(now);
    let limits = state.limits(date);
    let (own, of_person) = (state.account_limit(account.id), state.customer_use(customer, date));
    within_class(&limits, &own, &of_person, amount, kind)?;
    if let CountKind::Balance(factors) = kind {
        within_day(&limits, &of_person, amount, factors)?;
    }
    Ok(Some(Count { account: account.id, customer, date, kind }))
}

fn within_class(
    limits: &Limits,
    own: &AccountLimit,
    of_person: &CustomerUse,
    amount: Minor,
    kind: CountKind,
) -> Result<(), Refusal> {
    let class = own.class.unwrap_or(AccountClass::Three);
    let (limit, used, what) = match (class, kind) {
        (AccountClass::One, _) => (limits.class_one, own.since_opening, "since it was opened"),
        (AccountClass::Two | AccountClass::Three, CountKind::OwnBank) => return Ok(()),
        (AccountClass::Two, CountKind::Balance(_)) => (limits.class_two, of_person.year_used, "a year"),
        (AccountClass::Three, CountKind::Balance(_)) => (limits.class_three, of_person.year_used, "a year"),
    };
    if total(amount, used)? <= limit {
        return Ok(());
    }
    let left = limit.saturating_sub(used).max(0);
    let message = format!(
        "{} is of class {} and pays {limit} {what}; {used} is used, so at most {left} is left, not {amount}",
        own.id,
        class.name()
    );
    Err(Refusal::new(RefusalCode::LimitExceeded, "amount", message))
}

fn within_day(limits: &Limits, of_person: &CustomerUse, amount: Minor, factors: Factors) -> Result<(), Refusal> {
    let Some(used) = of_person.of_day(factors) else { return Ok(()) };
    let limit = match factors {
        Factors::TwoWithCertificate => return Ok(()),
        Factors::Two => limits.two_factors,
        Factors::Fewer => limits.fewer_factors,
    };
    if total(amount, used)? <= limit {
        return Ok(());
    }
    let message = format!(
        "{} pays {limit} a day with factors '{}'; {used} is used, so at most {} is left, not {amount}; prove the payer better",
        of_person.id,
        factors.name(),
        limit.saturating_sub(used).max(0)
    );
    Err(Refusal::new(RefusalCode::LimitExceeded, "factors", message))
}

/// As what a payment from the balance was counted on its day; `None` where no limit binds the account.
pub(crate) fn counted(state: &State, account: &Account, date: Date, factors: Factors) -> Option<Count> {
    let customer = bound(state, account)?;
    Some(Count { account: account.id, customer, date, kind: CountKind::Balance(factors) })
}

/// Counts a payment that [`check`] let through.
pub(crate) fn count(draft: &mut Draft<'_>, count: &Count, amount: Minor) {
    moved(draft, count, amount, count.date);
}

/// Gives a payment that came back, or this much of it, back to the sums it was counted in.
pub(crate) fn give_back(draft: &mut Draft<'_>, count: &Count, amount: Minor) {
    let today = Date::in_shanghai(draft.context.now);
    moved(draft, count, amount.saturating_neg(), today);
}

fn moved(draft: &mut Draft<'_>, count: &Count, change: Minor, today: Date) {
    let before = draft.state.account_limit(count.account);
    let since_opening = before.since_opening.saturating_add(change).max(0);
    draft.emit(Event::Limit(LimitEvent::AccountMoved(AccountLimit { since_opening, ..before })));
    let CountKind::Balance(factors) = count.kind else { return };
    let before = draft.state.customer_use(count.customer, today);
    // What was counted in a year or on a day that is over has no sum left to go back to.
    let after = match (count.date.year() == before.year, count.date == before.day) {
        (true, true) => before.moved(factors, change),
        (true, false) => before.moved(Factors::TwoWithCertificate, change),
        (false, _) => return,
    };
    draft.emit(Event::Limit(LimitEvent::CustomerMoved(after)));
}
