//! Holds (预占): a two-phase reservation on an account.
//!
//! ```text
//!  place ─► OPEN ─ confirm all, or the last part ─► CONFIRMED
//!            ├ confirm a part: stays OPEN with the rest
//!            ├ cancel ─► CANCELLED     (the rest is free again)
//!            └ the timer ─► EXPIRED    (the rest is free again)
//! ```

use alloc::format;
use alloc::vec;

use minicbor::{Decode, Encode};

use crate::command::Reply;
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::freeze;
use crate::ids::{AccountId, HoldId, PayoutId};
use crate::money::{Currency, Minor, positive};
use crate::refusal::{Refusal, RefusalCode};
use crate::state::{State, Timer};
use crate::tree;
use crate::voucher::{
    BusinessKind, BusinessNumber, Dimensions, Entry, EventCode, refuse_by_hand, refuse_entries_by_hand,
};

#[cfg(test)]
mod tests;

/// Where a hold stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum HoldStatus {
    /// Something is still held.
    #[n(0)]
    Open,
    /// All of it moved.
    #[n(1)]
    Confirmed,
    /// The rest was let go.
    #[n(2)]
    Cancelled,
    /// Its time ran out.
    #[n(3)]
    Expired,
}

/// A hold.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Hold {
    /// Its id.
    #[n(0)]
    pub id: HoldId,
    /// The account that money is held on.
    #[n(1)]
    pub account: AccountId,
    /// Minor units held at first.
    #[n(2)]
    pub amount: Minor,
    /// Minor units confirmed so far.
    #[n(3)]
    pub confirmed: Minor,
    /// When it expires.
    #[n(4)]
    pub expires_at: Time,
    /// Where it stands.
    #[n(5)]
    pub status: HoldStatus,
    /// The payout it is for, which alone confirms or cancels it.
    #[n(6)]
    pub payout: Option<PayoutId>,
}

impl Hold {
    /// What is still held.
    #[must_use]
    pub fn held(&self) -> Minor {
        match self.status {
            HoldStatus::Open => self.amount.saturating_sub(self.confirmed),
            HoldStatus::Confirmed | HoldStatus::Cancelled | HoldStatus::Expired => 0,
        }
    }
}

/// Holds money on an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceHold {
    /// The account.
    pub account: AccountId,
    /// Minor units above zero.
    pub amount: Minor,
    /// Must be the account's.
    pub currency: Currency,
    /// Later than now.
    pub expires_at: Time,
}

/// Holds money.
///
/// # Errors
/// `amount_not_positive`, `account_unknown`, `account_closed`, `subject_not_allowed` for 1101 and agreement accounts,
/// `currency_mismatch`, `account_restricted`, `insufficient_funds`, `quota_exceeded`, `value_invalid` for an expiry that has passed.
pub fn decide_place(draft: &mut Draft<'_>, command: &PlaceHold) -> Result<Reply, Refusal> {
    if let Some(account) = draft.state.accounts.get(command.account.0) {
        refuse_by_hand(account, account.subject.side().opposite())?;
    }
    place(draft, command, None).map(Reply::Hold)
}

/// As [`decide_place`], for a payout.
pub(crate) fn place(draft: &mut Draft<'_>, command: &PlaceHold, payout: Option<PayoutId>) -> Result<HoldId, Refusal> {
    let amount = positive(command.amount, "amount")?;
    let account = draft.state.open_account(command.account, "account")?;
    if account.currency != command.currency {
        let message = format!("{} is kept in {}", account.id, account.currency.code());
        return Err(Refusal::new(RefusalCode::CurrencyMismatch, "currency", message));
    }
    if account.barred().out_barred {
        let why = freeze::who_bars(draft.state, account, true);
        let message = format!("{} is restricted: no money may go out; {why}", account.id);
        return Err(Refusal::new(RefusalCode::AccountRestricted, "account", message));
    }
    let available = draft.state.available(account);
    if !account.overdraft && available < amount {
        let message = format!("{} has {available} available and the hold takes {amount}", account.id);
        return Err(Refusal::new(RefusalCode::InsufficientFunds, "amount", message));
    }
    crate::money::add(account.held_out, amount, "amount")?;
    tree::quota::check(draft.state, account, amount)?;
    if command.expires_at <= draft.context.now {
        return Err(Refusal::new(RefusalCode::ValueInvalid, "expires_at", "the expiry has passed; name a later time"));
    }
    let id = HoldId(draft.state.holds.next_id());
    draft.emit(Event::HoldPlaced(Hold {
        id,
        account: command.account,
        amount,
        confirmed: 0,
        expires_at: command.expires_at,
        status: HoldStatus::Open,
        payout,
    }));
    Ok(id)
}

/// Confirms `amount` of a hold (all that is held if `None`) and moves it to another account.
///
/// # Errors
/// `hold_unknown`, `hold_state`, `hold_expired`, `hold_exceeded`, `subject_not_allowed` for 1101, and those of the
/// voucher.
pub fn decide_confirm(
    draft: &mut Draft<'_>,
    id: HoldId,
    amount: Option<Minor>,
    to: AccountId,
) -> Result<Reply, Refusal> {
    let hold = free_hold(draft.state, id)?;
    let (account, amount) = (hold.account, amount.unwrap_or(hold.held()));
    confirm(draft, id, amount)?;
    let currency = draft.state.account(account, "account")?.currency;
    let entries = if draft.state.account(account, "account")?.grows_on(crate::book::Side::Credit) {
        vec![Entry::debit(account, amount, currency), Entry::credit(to, amount, currency)]
    } else {
        vec![Entry::credit(account, amount, currency), Entry::debit(to, amount, currency)]
    };
    refuse_entries_by_hand(draft.state, &entries)?;
    let business = BusinessNumber::object(BusinessKind::Hold, id.0);
    draft.post(business, EventCode::HoldConfirmed, entries, Dimensions::default())?;
    Ok(Reply::Hold(id))
}

/// Frees `amount` of the hold for the voucher that the caller posts next.
pub(crate) fn confirm(draft: &mut Draft<'_>, id: HoldId, amount: Minor) -> Result<(), Refusal> {
    let hold = open_hold(draft.state, id)?;
    let amount = positive(amount, "amount")?;
    if hold.expires_at <= draft.context.now {
        let message = format!("{id} has expired; place a new hold");
        return Err(Refusal::new(RefusalCode::HoldExpired, "hold", message));
    }
    if amount > hold.held() {
        let message = format!("{id} still holds {} and {amount} were to be confirmed", hold.held());
        return Err(Refusal::new(RefusalCode::HoldExceeded, "amount", message));
    }
    draft.emit(Event::HoldConfirmed { hold: id, amount });
    Ok(())
}

/// Lets the rest of a hold go.
///
/// # Errors
/// `hold_unknown`, `hold_state`.
pub fn decide_cancel(draft: &mut Draft<'_>, id: HoldId) -> Result<Reply, Refusal> {
    free_hold(draft.state, id)?;
    draft.emit(Event::HoldCancelled(id));
    Ok(Reply::Hold(id))
}

/// The timer ran out.
pub(crate) fn expire(draft: &mut Draft<'_>, id: HoldId) {
    if draft.state.holds.get(id.0).is_some_and(|hold| hold.status == HoldStatus::Open) {
        draft.emit(Event::HoldExpired(id));
    }
}

/// An open hold that is not a payout's.
fn free_hold(state: &State, id: HoldId) -> Result<&Hold, Refusal> {
    let hold = open_hold(state, id)?;
    match hold.payout {
        None => Ok(hold),
        Some(payout) => {
            let message = format!("{id} is for {payout}; send or cancel the payout");
            Err(Refusal::new(RefusalCode::HoldState, "hold", message))
        }
    }
}

fn open_hold(state: &State, id: HoldId) -> Result<&Hold, Refusal> {
    let hold = state.hold(id)?;
    match hold.status {
        HoldStatus::Open => Ok(hold),
        HoldStatus::Confirmed | HoldStatus::Cancelled | HoldStatus::Expired => {
            let message = format!("{id} is {:?}; only an open hold can change", hold.status);
            Err(Refusal::new(RefusalCode::HoldState, "hold", message))
        }
    }
}

impl State {
    /// The hold.
    ///
    /// # Errors
    /// `hold_unknown`.
    pub fn hold(&self, id: HoldId) -> Result<&Hold, Refusal> {
        self.holds
            .get(id.0)
            .ok_or_else(|| Refusal::new(RefusalCode::HoldUnknown, "hold", format!("there is no hold {id}")))
    }
}

pub(crate) fn apply_placed(state: &mut State, hold: &Hold) {
    state.account_row(hold.account).held_out += hold.amount;
    state.timers.insert((hold.expires_at, Timer::Hold(hold.id)), ());
    tree::quota::apply_hold(state, hold);
    state.holds.insert(hold.id.0, hold.clone());
}

pub(crate) fn apply_confirmed(state: &mut State, id: HoldId, amount: Minor) {
    let hold = state.holds.get_mut(id.0).expect("decide checked the hold");
    hold.confirmed += amount;
    let account = hold.account;
    if hold.held() == 0 {
        hold.status = HoldStatus::Confirmed;
        let timer = (hold.expires_at, Timer::Hold(id));
        state.timers.remove(&timer);
    }
    state.account_row(account).held_out -= amount;
}

pub(crate) fn apply_ended(state: &mut State, id: HoldId, status: HoldStatus) {
    let hold = state.holds.get_mut(id.0).expect("decide checked the hold");
    let (account, rest, timer) = (hold.account, hold.held(), (hold.expires_at, Timer::Hold(id)));
    hold.status = status;
    state.timers.remove(&timer);
    state.account_row(account).held_out -= rest;
    tree::quota::apply_given_back(state, id, rest);
}
