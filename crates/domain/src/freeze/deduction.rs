//! Judicial deduction (扣划): frozen money goes to its authority's bank account, in one step with the freeze's decrease.
//!
//! ```text
//!  approved ─► the freeze falls by the amount · Dr 220x / Cr 2212 · an attempt at the channel
//!               ├ success ─► it is over
//!               ├ no answer: the freeze stays lower and the payout is unknown, until a query or file settles it
//!               └ declined, not found, or returned later ─► the money and the freeze come back
//! ```
//! It is a payout of its own kind, without a hold: frozen money is not available. All of 2201–2206 may be deducted from, an
//! agreement's 2204 too: a court's order stands above the agreement's rules, and above the institution's own restriction.
//! Another authority's whole freeze that stands earlier in the queue does bar it.
//!
//! A freeze comes back with its id and its place. If its expiry has passed by then it is in force for 48 hours, so that the
//! authority can renew it or deduct again, rather than find that the money left with the bank's answer.

use alloc::format;
use alloc::string::String;

use minicbor::{Decode, Encode};

use super::steps::{account_of, check_texts, not_past, ordered};
use super::{Change, EMERGENCY_MS, Freeze, FreezeCommand, FreezeKind, FreezeScope, change, queue};
use crate::account::Account;
use crate::approval;
use crate::command::{Command, Reply};
use crate::draft::Draft;
use crate::ids::{AccountId, FreezeId, PayoutId};
use crate::money::{Minor, positive};
use crate::payout::{self, Deduction, Payout, Receiver};
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;

/// Deducts frozen money.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct DeductFreeze {
    /// The freeze; it must be precise.
    #[n(0)]
    pub freeze: FreezeId,
    /// The account to take it from; needed where the freeze lies on a customer.
    #[n(1)]
    pub account: Option<AccountId>,
    /// Minor units above zero, at most what the freeze bites on there.
    #[n(2)]
    pub amount: Minor,
    /// Who orders it: the authority that froze.
    #[n(3)]
    pub authority: String,
    /// The number of the document that orders it.
    #[n(4)]
    pub document: String,
    /// The authority's bank account.
    #[n(5)]
    pub receiver: Receiver,
}

impl DeductFreeze {
    /// What carries it out, once it is approved.
    #[must_use]
    pub const fn command(self) -> Command {
        Command::Freeze(FreezeCommand::Deduct(self))
    }
}

/// Deducts. It takes two people.
///
/// # Errors
/// `approval_required`, `freeze_unknown`, `freeze_state`, `authority_mismatch`, `value_invalid` for an account that the
/// freeze does not reach or an empty document, `subject_not_allowed` outside 2201–2206, `account_restricted`,
/// `amount_not_positive`, `freeze_exceeded`, and those of the voucher.
pub(super) fn decide_deduct(draft: &mut Draft<'_>, command: DeductFreeze) -> Result<Reply, Refusal> {
    approval::require(draft, "deducting from a freeze")?;
    let DeductFreeze { freeze: id, account, amount, authority, document, receiver } = command;
    let state = &*draft.state;
    let freeze = ordered(state, id, &authority)?;
    check_texts(&[(&document, "document")])?;
    not_past(freeze, draft.context.now)?;
    if freeze.kind != FreezeKind::Precise {
        let message = format!("{id} freezes no amount; place a precise freeze and deduct from that");
        return Err(Refusal::new(RefusalCode::FreezeState, "freeze", message));
    }
    let account = state.open_account(account_of(state, freeze, account)?, "account")?;
    if !queue::is_customers(account.subject) {
        let message = format!("{} is {}; deductions leave 2201 to 2206", account.id, account.subject.code());
        return Err(Refusal::new(RefusalCode::SubjectNotAllowed, "account", message));
    }
    refuse_behind_another(state, freeze, account)?;
    positive(amount, "amount")?;
    let bites = state.bites(freeze);
    let there = bites.iter().find(|bite| bite.account == account.id).map_or(0, |bite| bite.amount);
    if amount > there {
        let message = format!("{id} bites on {there} of {} now and {amount} were to be deducted", account.id);
        return Err(Refusal::new(RefusalCode::FreezeExceeded, "amount", message));
    }
    let (account, currency) = (account.id, account.currency);
    let payout = PayoutId(draft.state.payouts.next_id());
    change(draft, id, Change::Deducted { payout, account, amount }, Some(document));
    payout::deduct(draft, payout, Deduction { freeze: id, account, amount, currency, receiver })?;
    Ok(Reply::Payout(payout))
}

/// Refuses where another authority, earlier in the queue, bars the way out as a whole.
fn refuse_behind_another(state: &State, freeze: &Freeze, account: &Account) -> Result<(), Refusal> {
    let customer = state.customer_of(account.owner).map(FreezeScope::Customer);
    let scopes = [Some(FreezeScope::Account(account.id)), customer];
    let mut others = scopes.into_iter().flatten().flat_map(|scope| state.freezes_on(scope));
    let bars = |other: &&Freeze| {
        other.bars.out_barred && other.authority != freeze.authority && other.order() < freeze.order()
    };
    match others.find(bars) {
        None => Ok(()),
        Some(other) => {
            let message =
                format!("{} of '{}' stands before {} and bars the way out", other.id, other.authority, freeze.id);
            Err(Refusal::new(RefusalCode::AccountRestricted, "account", message))
        }
    }
}

/// Gives a freeze back what a payout took from it and what came back.
pub(crate) fn give_back(draft: &mut Draft<'_>, payout: &Payout) {
    let Some(freeze) = payout.freeze.and_then(|id| draft.state.freezes.get(id.0)) else { return };
    let (id, now) = (freeze.id, draft.context.now);
    let expires_at = match freeze.expires_at {
        Some(at) if at <= now => Some(now.plus_ms(EMERGENCY_MS)),
        other => other,
    };
    change(draft, id, Change::GivenBack { payout: payout.id, amount: payout.amount, expires_at }, None);
}
