//! Who may have an advance, and how much: rules that two people set, and what they ask of a merchant.
//!
//! Without rules nobody has an advance. A merchant is barred while it is too young, has not traded long enough without a
//! gap, owes arrears, is frozen or barred from paying, or its settlement account awaits verification. A trading day is an
//! accounting day on which at least one of its orders was paid; days follow one another as the books' accounting days do.

use alloc::format;
use alloc::string::String;

use minicbor::{Decode, Encode};

use super::{AdvanceCommand, AdvanceEvent, AdvanceStatus};
use crate::approval;
use crate::book::Subject;
use crate::calendar::Date;
use crate::command::{Command, Reply};
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::{AdvanceId, AdvancePolicyId, MerchantId};
use crate::merchant::Merchant;
use crate::money::{Currency, Minor, RATE_WHOLE, add};
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;

/// The rules for advances, a version of them.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct AdvancePolicy {
    /// The version.
    #[n(0)]
    pub id: AdvancePolicyId,
    /// The institution's fee, in parts of [`RATE_WHOLE`].
    #[n(1)]
    pub fee_rate: Minor,
    /// The most that one merchant is advanced on an accounting day, in minor units.
    #[n(2)]
    pub merchant_quota: Minor,
    /// The most that own money has outstanding over all merchants, in minor units.
    #[n(3)]
    pub total_quota: Minor,
    /// How many days a merchant must have been open.
    #[n(4)]
    pub min_days: u32,
    /// How many trading days in a row it must have had up to now.
    #[n(5)]
    pub min_trading_days: u32,
    /// When it was set.
    #[n(6)]
    pub set_at: Time,
    /// Who set it.
    #[n(7)]
    pub operator: String,
    /// Who approved it.
    #[n(8)]
    pub approver: Option<String>,
}

/// Replaces the rules for advances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct SetAdvancePolicy {
    /// The institution's fee, in parts of [`RATE_WHOLE`].
    #[n(0)]
    pub fee_rate: Minor,
    /// The most that one merchant is advanced on an accounting day; zero advances nothing.
    #[n(1)]
    pub merchant_quota: Minor,
    /// The most that own money has outstanding over all merchants.
    #[n(2)]
    pub total_quota: Minor,
    /// How many days a merchant must have been open; 90 in the trade.
    #[n(3)]
    pub min_days: u32,
    /// How many trading days in a row it must have had; 30 in the trade.
    #[n(4)]
    pub min_trading_days: u32,
}

impl SetAdvancePolicy {
    /// Carries out an approved change of the rules.
    #[must_use]
    pub const fn command(self) -> Command {
        Command::Advance(AdvanceCommand::SetPolicy(self))
    }
}

/// How long a merchant has traded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
pub struct Trading {
    /// The accounting day it was opened on.
    #[n(0)]
    pub opened: Option<Date>,
    /// Its last trading day.
    #[n(1)]
    pub last: Option<Date>,
    /// How many trading days in a row there were up to that one.
    #[n(2)]
    pub run: u32,
}

impl Trading {
    /// How many trading days in a row there were up to now: none after a whole accounting day without an order.
    #[must_use]
    pub fn run_now(&self, current: Date, before: Option<Date>) -> u32 {
        if self.last.is_some_and(|last| last == current || Some(last) == before) { self.run } else { 0 }
    }
}

/// Replaces the rules; two people.
///
/// # Errors
/// `approval_required`, `value_invalid`.
pub(super) fn decide_set(draft: &mut Draft<'_>, command: SetAdvancePolicy) -> Result<Reply, Refusal> {
    approval::require(draft, "rules for advances")?;
    let SetAdvancePolicy { fee_rate, merchant_quota, total_quota, min_days, min_trading_days } = command;
    if !(0..RATE_WHOLE).contains(&fee_rate) {
        let message = format!("{fee_rate} is not a fee rate; use 0 to 999,999 millionths (0.60 % is 6000)");
        return Err(Refusal::new(RefusalCode::ValueInvalid, "fee_rate", message));
    }
    for (quota, param) in [(merchant_quota, "merchant_quota"), (total_quota, "total_quota")] {
        if quota < 0 {
            let message = format!("{quota} is below zero; a quota is zero or more minor units");
            return Err(Refusal::new(RefusalCode::ValueInvalid, param, message));
        }
    }
    let id = AdvancePolicyId(draft.state.advance_policies.next_id());
    let (set_at, operator, approver) = (draft.context.now, draft.operator(), draft.approver());
    draft.emit(Event::Advance(AdvanceEvent::PolicySet(AdvancePolicy {
        id,
        fee_rate,
        merchant_quota,
        total_quota,
        min_days,
        min_trading_days,
        set_at,
        operator,
        approver,
    })));
    Ok(Reply::Done)
}

fn barred(param: &'static str, message: String) -> Refusal {
    Refusal::new(RefusalCode::AdvanceBarred, param, message)
}

/// The rules in force, if the merchant meets them.
pub(super) fn eligible(state: &State, merchant: &Merchant) -> Result<AdvancePolicy, Refusal> {
    let id = merchant.id;
    let policy = state
        .advance_policy()
        .ok_or_else(|| barred("merchant", String::from("no rules for advances are set; two people set them first")))?;
    let current = state.days.posting_date(None)?;
    let age = merchant.trading.opened.map_or(0, |opened| i64::from(current.0) - i64::from(opened.0));
    if age < i64::from(policy.min_days) {
        let message = format!("{id} has been open for {age} days; {} are needed", policy.min_days);
        return Err(barred("merchant", message));
    }
    let run = merchant.trading.run_now(current, state.days.before(current));
    if run < policy.min_trading_days {
        let message = format!("{id} has traded {run} days in a row; {} are needed", policy.min_trading_days);
        return Err(barred("merchant", message));
    }
    if state.has_arrears(id) {
        return Err(barred("merchant", format!("{id} owes arrears; they are collected first")));
    }
    if merchant.settlement_suspended {
        let message = format!("a payout to the settlement account of {id} came back; verify the account first");
        return Err(Refusal::new(RefusalCode::SettlementSuspended, "merchant", message));
    }
    for account in [merchant.pending, merchant.available] {
        let row = state.open_account(account, "merchant")?;
        if row.rare.frozen > 0 || state.frozen_customer(row).is_some() || row.barred().out_barred {
            let message = format!("{account} of {id} is frozen or barred from paying; an advance would go around that");
            return Err(Refusal::new(RefusalCode::AccountRestricted, "merchant", message));
        }
    }
    Ok(policy.clone())
}

/// Refuses what exceeds the merchant's quota of the day or the quota over all merchants.
pub(super) fn within_quotas(
    state: &State,
    policy: &AdvancePolicy,
    merchant: MerchantId,
    amount: Minor,
    outlay: Minor,
) -> Result<(), Refusal> {
    let today = state.advanced(merchant, state.days.posting_date(None)?);
    if add(today, amount, "orders")? > policy.merchant_quota {
        let message = format!(
            "{merchant} was advanced {today} today and asks for {amount}; its quota is {} a day",
            policy.merchant_quota
        );
        return Err(barred("merchant_quota", message));
    }
    let advances = state.account(state.institution(Subject::Advances, Currency::Cny)?, "account")?.balance;
    let outstanding = add(advances, state.claimed_of_advances(), "orders")?;
    if add(outstanding, outlay, "orders")? > policy.total_quota {
        let message = format!(
            "own money has {outstanding} outstanding and this would add {outlay}; the quota is {}",
            policy.total_quota
        );
        return Err(barred("total_quota", message));
    }
    Ok(())
}

impl State {
    /// The rules for advances in force.
    #[must_use]
    pub fn advance_policy(&self) -> Option<&AdvancePolicy> {
        self.advance_policies.get(self.advance_policies.next_id().saturating_sub(1))
    }

    /// What a merchant was advanced on an accounting day; what failed or came back does not count. What its bank paid after it had failed
    /// does, whoever owes it in the end: that day's money left.
    #[must_use]
    pub fn advanced(&self, merchant: MerchantId, date: Date) -> Minor {
        let day = (merchant, date, AdvanceId(0))..=(merchant, date, AdvanceId(u64::MAX));
        let advances = self.merchant_advances.range(day).filter_map(|((_, _, id), ())| self.advances.get(id.0));
        advances
            .filter(|advance| match advance.status {
                AdvanceStatus::Sent | AdvanceStatus::Unknown | AdvanceStatus::Success | AdvanceStatus::Repaid => true,
                AdvanceStatus::Failed => advance.claim.is_some(),
                AdvanceStatus::Returned => false,
            })
            .fold(0, |sum, advance| sum.saturating_add(advance.amount))
    }
}

/// An order of the merchant was paid: today is a trading day.
pub(crate) fn apply_traded(state: &mut State, id: MerchantId) {
    let Some(today) = state.days.current() else { return };
    let before = state.days.before(today);
    let Some(merchant) = state.merchants.get(id.0).filter(|merchant| merchant.trading.last != Some(today)) else {
        return;
    };
    let Trading { opened, last, run } = merchant.trading;
    let goes_on = last.is_some() && last == before;
    let run = if goes_on { run.saturating_add(1) } else { 1 };
    let merchant = state.merchants.get_mut(id.0).expect("it was there just now");
    merchant.trading = Trading { opened: opened.or(Some(today)), last: Some(today), run };
}
