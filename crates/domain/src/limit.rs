//! Limits (限额) on what is paid from the balance of personal payment accounts (2201), as 非银行支付机构网络支付业务管理办法
//! classes them (支付账户分类) and as two-factor rules bound them by the day.
//!
//! What counts, as domain.md is read here:
//! - **Class I** (Ⅰ类): 1,000 yuan since the account was opened, everything that left its balance, withdrawals to an own bank
//!   account included. It is the account's own sum.
//! - **Class II and III**: 100,000 and 200,000 yuan a calendar year. The sum is the person's: every payment from every
//!   personal payment account, of whatever class; the limit is that of the account that pays. Withdrawals to an own bank
//!   account are outside.
//! - **A day's balance payments**, of all the person's accounts, by how the payer proved itself: two factors with
//!   certificate or e-signature: as agreed, so no sum is kept; two without: 5,000; fewer: 1,000. Each kind has its own sum.
//!   Withdrawals to an own bank account are outside. Orders that are paid from the balance are in.
//! - A fee leaves the balance too: amount and fee count. What comes back is given back to the sums it was counted in: all
//!   of it when a withdrawal fails or is cancelled, the amount when it is returned (its fee is kept); of an order what is refunded.
//! - Years and days turn at midnight in Asia/Shanghai by the engine's time, not by the accounting day. Only the current year
//!   and day are kept: what comes back later has no sum left to go back to, except that of Class I.
//! - An account that was not classed is bound as class III: books that began before classes were kept go on, and nothing is
//!   without a limit. Limits are in yuan; accounts in another currency are not counted.
//!
//! Figures come from the policy in force (the latest `from` that is not after today, else the law's), which two people set.
//! Credits, refunds and what is paid from company accounts (2206) are never refused here.

use alloc::format;
use alloc::string::String;

use minicbor::{Decode, Encode};

use crate::account::Account;
use crate::approval;
use crate::book::Subject;
use crate::calendar::Date;
use crate::command::{Command, Reply};
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::{AccountId, CustomerId, LimitPolicyId};
use crate::money::{Currency, Minor, add, positive};
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;

mod sums;
#[cfg(test)]
mod tests;

pub use sums::{AccountLimit, Count, CountKind, CustomerUse};
pub(crate) use sums::{check, count, counted, give_back};

/// The class of a personal payment account (支付账户分类).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum AccountClass {
    /// Ⅰ类: the holder was checked against one source.
    #[n(1)]
    One,
    /// Ⅱ类: against three, or face to face.
    #[n(2)]
    Two,
    /// Ⅲ类: against five, or face to face.
    #[n(3)]
    Three,
}

impl AccountClass {
    /// Every class.
    pub const ALL: [Self; 3] = [Self::One, Self::Two, Self::Three];

    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::One => "one",
            Self::Two => "two",
            Self::Three => "three",
        }
    }
}

/// How a payer proved that it is the holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Factors {
    /// Two or more, a certificate or an e-signature among them.
    #[n(0)]
    TwoWithCertificate,
    /// Two or more without.
    #[n(1)]
    Two,
    /// Fewer than two.
    #[n(2)]
    Fewer,
}

impl Factors {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::TwoWithCertificate, Self::Two, Self::Fewer];

    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TwoWithCertificate => "two_with_certificate",
            Self::Two => "two",
            Self::Fewer => "fewer",
        }
    }
}

/// The limits, in fen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Limits {
    /// Class I, since opening.
    #[n(0)]
    pub class_one: Minor,
    /// Class II, a year.
    #[n(1)]
    pub class_two: Minor,
    /// Class III, a year.
    #[n(2)]
    pub class_three: Minor,
    /// Two factors without certificate, a day.
    #[n(3)]
    pub two_factors: Minor,
    /// Fewer factors, a day.
    #[n(4)]
    pub fewer_factors: Minor,
}

impl Limits {
    /// What the law says: 1,000, 100,000, 200,000, 5,000 and 1,000 yuan.
    pub const LAW: Self = Self {
        class_one: 100_000,
        class_two: 10_000_000,
        class_three: 20_000_000,
        two_factors: 500_000,
        fewer_factors: 100_000,
    };
}

/// A version of the limits.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct LimitPolicy {
    /// Its id.
    #[n(0)]
    pub id: LimitPolicyId,
    /// The first day on which it holds.
    #[n(1)]
    pub from: Date,
    /// What it says.
    #[n(2)]
    pub limits: Limits,
    /// When it was set.
    #[n(3)]
    pub set_at: Time,
    /// Who proposed it.
    #[n(4)]
    pub set_by: String,
    /// Who approved it.
    #[n(5)]
    pub approver: Option<String>,
}

/// Sets the limits from a day on.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SetLimitPolicy {
    /// The first day on which they hold; not one that has passed.
    #[n(0)]
    pub from: Date,
    /// All above zero; the three classes and the two days in rising order of trust.
    #[n(1)]
    pub limits: Limits,
}

impl SetLimitPolicy {
    /// The command that carries it out once it is approved.
    #[must_use]
    pub const fn command(self) -> Command {
        Command::Limit(LimitCommand::SetPolicy(self))
    }
}

/// What is wanted of limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LimitCommand {
    /// Set the limits; two people.
    SetPolicy(SetLimitPolicy),
    /// Class a personal payment account.
    Classify {
        /// The account.
        account: AccountId,
        /// Its class from now on.
        class: AccountClass,
    },
}

/// What happened to limits.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum LimitEvent {
    /// Limits were set.
    #[n(0)]
    PolicySet(#[n(0)] LimitPolicy),
    /// An account was classed, or its sum moved: its new image.
    #[n(1)]
    AccountMoved(#[n(0)] AccountLimit),
    /// A person's sums moved: their new image.
    #[n(2)]
    CustomerMoved(#[n(0)] CustomerUse),
}

/// Changes limits.
///
/// # Errors
/// Policy: `approval_required`, `value_invalid`, `amount_not_positive`. Class: `account_unknown`, `account_closed`,
/// `subject_not_allowed`.
pub fn decide(draft: &mut Draft<'_>, command: LimitCommand) -> Result<Reply, Refusal> {
    match command {
        LimitCommand::SetPolicy(command) => set_policy(draft, &command),
        LimitCommand::Classify { account, class } => classify(draft, account, class),
    }
}

fn set_policy(draft: &mut Draft<'_>, command: &SetLimitPolicy) -> Result<Reply, Refusal> {
    approval::require(draft, "setting the limits")?;
    let SetLimitPolicy { from, limits } = *command;
    let today = Date::in_shanghai(draft.context.now);
    if from < today {
        let message = format!("{from} has passed; limits are set from {today} on or later");
        return Err(Refusal::new(RefusalCode::ValueInvalid, "from", message));
    }
    let Limits { class_one, class_two, class_three, two_factors, fewer_factors } = limits;
    for (amount, param) in [(class_one, "class_one"), (fewer_factors, "fewer_factors")] {
        positive(amount, param)?;
    }
    let rising = [
        (class_one, class_two, "class_two"),
        (class_two, class_three, "class_three"),
        (fewer_factors, two_factors, "two_factors"),
    ];
    for (lower, higher, param) in rising {
        if higher < lower {
            let message = format!("{higher} is below {lower}, the limit of those who are known less well");
            return Err(Refusal::new(RefusalCode::ValueInvalid, param, message));
        }
    }
    let id = LimitPolicyId(draft.state.limit_policies.next_id());
    let (set_at, set_by, approver) = (draft.context.now, draft.operator(), draft.approver());
    draft.emit(Event::Limit(LimitEvent::PolicySet(LimitPolicy { id, from, limits, set_at, set_by, approver })));
    Ok(Reply::LimitPolicy(id))
}

fn classify(draft: &mut Draft<'_>, id: AccountId, class: AccountClass) -> Result<Reply, Refusal> {
    let account = draft.state.open_account(id, "account")?;
    if account.subject != Subject::Personal {
        let message = format!("{id} is {}; only personal payment accounts (2201) have a class", account.subject.code());
        return Err(Refusal::new(RefusalCode::SubjectNotAllowed, "account", message));
    }
    let (classed_at, classed_by) = (Some(draft.context.now), Some(draft.operator()));
    let row = AccountLimit { class: Some(class), classed_at, classed_by, ..draft.state.account_limit(id) };
    draft.emit(Event::Limit(LimitEvent::AccountMoved(row)));
    Ok(Reply::Account(id))
}

impl State {
    /// The limits in force on a day.
    #[must_use]
    pub fn limits(&self, today: Date) -> Limits {
        let begun = self.limit_policies.iter().map(|(_, policy)| policy).filter(|policy| policy.from <= today);
        begun.max_by_key(|policy| (policy.from, policy.id)).map_or(Limits::LAW, |policy| policy.limits)
    }

    /// The version of the limits.
    ///
    /// # Errors
    /// `limit_policy_unknown`.
    pub fn limit_policy(&self, id: LimitPolicyId) -> Result<&LimitPolicy, Refusal> {
        let unknown = || Refusal::new(RefusalCode::LimitPolicyUnknown, "policy", format!("there are no limits {id}"));
        self.limit_policies.get(id.0).ok_or_else(unknown)
    }

    /// The class and the sum of an account; an account without a row was not classed and has paid nothing.
    #[must_use]
    pub fn account_limit(&self, id: AccountId) -> AccountLimit {
        let fresh = AccountLimit { id, class: None, since_opening: 0, classed_at: None, classed_by: None };
        self.account_limits.get(id.0).cloned().unwrap_or(fresh)
    }

    /// A person's sums of the year and day of `today`.
    #[must_use]
    pub fn customer_use(&self, id: CustomerId, today: Date) -> CustomerUse {
        self.customer_uses.get(id.0).copied().unwrap_or(CustomerUse::fresh(id, today)).on(today)
    }
}

/// Whether an account is bound by limits at all, and whose sums they are.
fn bound(state: &State, account: &Account) -> Option<CustomerId> {
    let counted = account.subject == Subject::Personal && account.currency == Currency::Cny;
    state.customer_of(account.owner).filter(|_| counted)
}

/// Folds an event into the state.
pub(crate) fn apply(state: &mut State, event: &LimitEvent) {
    match event {
        LimitEvent::PolicySet(policy) => state.limit_policies.insert(policy.id.0, policy.clone()),
        LimitEvent::AccountMoved(row) => state.account_limits.insert(row.id.0, row.clone()),
        LimitEvent::CustomerMoved(row) => state.customer_uses.insert(row.id.0, *row),
    }
}

fn total(amount: Minor, used: Minor) -> Result<Minor, Refusal> {
    add(amount, used, "amount")
}
