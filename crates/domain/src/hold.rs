//! Holds (预占): a two-phase reservation on an account, of money that will go out or of money that is announced to come in.
//!
//! ```text
//!  place ─► OPEN ─ confirm all, or the last part ─► CONFIRMED
//!            ├ confirm a part: stays OPEN with the rest
//!            ├ extend, by who placed it: stays OPEN for longer
//!            ├ cancel ─► CANCELLED     (the rest is free again)
//!            └ the timer ─► EXPIRED    (the rest is free again)
//! ```
//! - Direction out takes from what is available until it ends. Direction in adds to `held_in`, never to what is available:
//!   it needs no balance, and confirming it moves the money from the source that it names.
//! - Each confirm is one voucher under a number of its own, `hld_7/2` the second of `hld_7`.
//! - A hold past its expiry is not confirmed or extended, whether the timer has run or not.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use crate::account::Account;
use crate::bulk::BulkConfirm;
use crate::calendar::Date;
use crate::command::Reply;
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::{AccountId, HoldId, PayoutId, VoucherId};
use crate::money::{Currency, Minor, add, positive};
use crate::recall::Leaves;
use crate::refusal::{Refusal, RefusalCode};
use crate::state::{State, Timer};
use crate::voucher::refuse_by_hand;
use crate::{freeze, tree};

mod confirm;
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

impl HoldStatus {
    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Confirmed => "confirmed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }
}

/// Which way the money of a hold goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Encode, Decode)]
#[cbor(index_only)]
pub enum HoldDirection {
    /// Out of the account.
    #[default]
    #[n(0)]
    Out,
    /// Into the account.
    #[n(1)]
    In,
}

impl HoldDirection {
    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Out => "out",
            Self::In => "in",
        }
    }
}

/// One account's share of a confirm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct HoldPart {
    /// The account on the voucher's other side.
    #[n(0)]
    pub account: AccountId,
    /// Minor units above zero.
    #[n(1)]
    pub amount: Minor,
}

/// One confirm of a hold.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct HoldConfirm {
    /// Its number within the hold, from 1.
    #[n(0)]
    pub number: u32,
    /// Minor units, the sum of its parts.
    #[n(1)]
    pub amount: Minor,
    /// Who took it, or who gave it.
    #[n(2)]
    pub parts: Vec<HoldPart>,
    /// Its voucher.
    #[n(3)]
    pub voucher: VoucherId,
    /// When.
    #[n(4)]
    pub at: Time,
    /// Who confirmed.
    #[n(5)]
    pub by: String,
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
    /// Whether the money will go out or come in.
    #[n(7)]
    #[cbor(default)]
    pub direction: HoldDirection,
    /// Where announced money will come from.
    #[n(8)]
    pub source: Option<AccountId>,
    /// What the placer knows it by.
    #[n(9)]
    pub reference: Option<String>,
    /// Who placed it, and alone extends it; unknown of holds placed before this was kept.
    #[n(10)]
    pub placed_by: Option<String>,
    /// Its confirms by hand, oldest first; a payout's is booked by the payout.
    #[n(11)]
    #[cbor(default)]
    pub confirms: Vec<HoldConfirm>,
}

impl Leaves for Hold {
    fn is_closed(&self) -> bool {
        match self.status {
            HoldStatus::Open => false,
            HoldStatus::Confirmed | HoldStatus::Cancelled | HoldStatus::Expired => true,
        }
    }
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

    /// What may be done with it by hand at a time.
    #[must_use]
    pub fn allowed_actions(&self, now: Time) -> &'static [&'static str] {
        match (self.status, self.payout) {
            (HoldStatus::Open, None) if now < self.expires_at => &["confirm", "cancel", "extend"],
            (HoldStatus::Open, None) => &["cancel"],
            (HoldStatus::Open, Some(_)) | (HoldStatus::Confirmed | HoldStatus::Cancelled | HoldStatus::Expired, _) => {
                &[]
            }
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

/// Holds money, or announces it, with what the simple form leaves out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewHold {
    /// What to hold.
    pub terms: PlaceHold,
    /// Where announced money will come from: with it the direction is in, without it out.
    pub source: Option<AccountId>,
    /// What the placer knows it by, at most 128 bytes.
    pub reference: Option<String>,
}

/// What can be done with holds beside the first three commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HoldCommand {
    /// Hold or announce money.
    Place(NewHold),
    /// Move held money out, to one or several receivers by one voucher.
    Confirm {
        /// The hold, of direction out.
        hold: HoldId,
        /// Each receiver once.
        parts: Vec<HoldPart>,
    },
    /// Book announced money that came.
    Receive {
        /// The hold, of direction in.
        hold: HoldId,
        /// All that is still announced if none.
        amount: Option<Minor>,
    },
    /// Let a hold last longer.
    Extend {
        /// The hold.
        hold: HoldId,
        /// Later than it expires now.
        expires_at: Time,
    },
}

/// What happened to holds beside the first four events.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum HoldEvent {
    /// What a confirm let go was moved by its voucher.
    #[n(0)]
    Moved {
        /// The hold.
        #[n(0)]
        hold: HoldId,
        /// The confirm.
        #[n(1)]
        confirm: HoldConfirm,
    },
    /// A hold lasts longer.
    #[n(1)]
    Extended {
        /// The hold.
        #[n(0)]
        hold: HoldId,
        /// When it expires now.
        #[n(1)]
        expires_at: Time,
    },
}

/// The most bytes of a reference.
const MAX_REFERENCE: usize = 128;

/// Decides what can be done with holds beside the first three commands.
///
/// # Errors
/// Those of [`decide_place`], [`decide_confirm`] and [`decide_cancel`]; `hold_direction` for a confirm of the other
/// direction; `hold_placer` for an extension by someone else; `receiver_not_allowed` for a source or receiver that cannot
/// be one.
pub fn decide(draft: &mut Draft<'_>, command: HoldCommand) -> Result<Reply, Refusal> {
    match command {
        HoldCommand::Place(new) => place_new(draft, new).map(Reply::Hold),
        HoldCommand::Confirm { hold, parts } => confirm::to_many(draft, hold, &parts),
        HoldCommand::Receive { hold, amount } => confirm::receive(draft, hold, amount),
        HoldCommand::Extend { hold, expires_at } => extend(draft, hold, expires_at),
    }
}

/// Holds money.
///
/// # Errors
/// `amount_not_positive`, `account_unknown`, `account_closed`, `subject_not_allowed` for 1101 and agreement accounts,
/// `currency_mismatch`, `account_restricted`, `insufficient_funds`, `quota_exceeded`, `value_invalid` for an expiry that has passed.
pub fn decide_place(draft: &mut Draft<'_>, command: &PlaceHold) -> Result<Reply, Refusal> {
    let new = NewHold { terms: command.clone(), source: None, reference: None };
    place_new(draft, new).map(Reply::Hold)
}

/// Holds or announces money; nothing changes before all of it is checked.
pub(crate) fn place_new(draft: &mut Draft<'_>, new: NewHold) -> Result<HoldId, Refusal> {
    let NewHold { terms, source, reference } = new;
    if let Some(account) = draft.state.accounts.get(terms.account.0) {
        refuse_by_hand(account, account.subject.side().opposite())?;
    }
    if reference.as_ref().is_some_and(|text| text.trim().is_empty() || text.len() > MAX_REFERENCE) {
        let message = format!("use 1 to {MAX_REFERENCE} bytes, not only blanks, or leave it out");
        return Err(Refusal::new(RefusalCode::ValueInvalid, "reference", message));
    }
    check_terms(draft, &terms)?;
    match source {
        None => check_out(draft.state, &terms)?,
        Some(source) => check_in(draft.state, &terms, source)?,
    }
    Ok(emit_placed(draft, &terms, None, source, reference))
}

/// As [`decide_place`], for a payout.
pub(crate) fn place(draft: &mut Draft<'_>, command: &PlaceHold, payout: Option<PayoutId>) -> Result<HoldId, Refusal> {
    check_terms(draft, command)?;
    check_out(draft.state, command)?;
    Ok(emit_placed(draft, command, payout, None, None))
}

fn check_terms(draft: &Draft<'_>, terms: &PlaceHold) -> Result<(), Refusal> {
    positive(terms.amount, "amount")?;
    let account = draft.state.open_account(terms.account, "account")?;
    if account.currency != terms.currency {
        let message = format!("{} is kept in {}", account.id, account.currency.code());
        return Err(Refusal::new(RefusalCode::CurrencyMismatch, "currency", message));
    }
    if terms.expires_at <= draft.context.now {
        return Err(Refusal::new(RefusalCode::ValueInvalid, "expires_at", "the expiry has passed; name a later time"));
    }
    Ok(())
}

fn check_out(state: &State, terms: &PlaceHold) -> Result<(), Refusal> {
    let (account, amount) = (state.account(terms.account, "account")?, terms.amount);
    if account.barred().out_barred {
        return Err(restricted(state, account, true));
    }
    let available = state.available(account);
    if !account.overdraft && available < amount {
        let message = format!("{} has {available} available and the hold takes {amount}", account.id);
        return Err(Refusal::new(RefusalCode::InsufficientFunds, "amount", message));
    }
    add(account.held_out, amount, "amount")?;
    tree::quota::check(state, account, amount)
}

/// Announced money needs no balance, but a source that could pay it by hand: an open account of the same book and
/// currency.
fn check_in(state: &State, terms: &PlaceHold, source: AccountId) -> Result<(), Refusal> {
    let (account, amount) = (state.account(terms.account, "account")?, terms.amount);
    if account.barred().in_barred {
        return Err(restricted(state, account, false));
    }
    let from = state.open_account(source, "source")?;
    refuse_by_hand(from, account.subject.side().opposite())?;
    let same_books = from.subject.book() == account.subject.book() && from.currency == account.currency;
    if source == account.id || !same_books {
        let message = format!(
            "{source} lies in {} and {}; name another account than {}, in {} and {}",
            from.subject.book().name(),
            from.currency.code(),
            account.id,
            account.subject.book().name(),
            account.currency.code()
        );
        return Err(Refusal::new(RefusalCode::ReceiverNotAllowed, "source", message));
    }
    add(account.rare.held_in, amount, "amount").map(|_| ())
}

fn restricted(state: &State, account: &Account, out: bool) -> Refusal {
    let (way, why) = (if out { "out" } else { "in" }, freeze::who_bars(state, account, out));
    let message = format!("{} is restricted: no money may go {way}; {why}", account.id);
    Refusal::new(RefusalCode::AccountRestricted, "account", message)
}

fn emit_placed(
    draft: &mut Draft<'_>,
    terms: &PlaceHold,
    payout: Option<PayoutId>,
    source: Option<AccountId>,
    reference: Option<String>,
) -> HoldId {
    let id = HoldId(draft.state.holds.next_id());
    let placed_by = Some(draft.operator());
    draft.emit(Event::HoldPlaced(Hold {
        id,
        account: terms.account,
        amount: terms.amount,
        confirmed: 0,
        expires_at: terms.expires_at,
        status: HoldStatus::Open,
        payout,
        direction: if source.is_some() { HoldDirection::In } else { HoldDirection::Out },
        source,
        reference,
        placed_by,
        confirms: Vec::new(),
    }));
    id
}

/// Confirms `amount` of a hold (all that is held if `None`) and moves it to another account.
///
/// # Errors
/// `hold_unknown`, `hold_state`, `hold_expired`, `hold_exceeded`, `hold_direction` for announced money,
/// `subject_not_allowed` for 1101, and those of the voucher.
pub fn decide_confirm(
    draft: &mut Draft<'_>,
    id: HoldId,
    amount: Option<Minor>,
    to: AccountId,
) -> Result<Reply, Refusal> {
    confirm::to_one(draft, id, amount, to)
}

/// Confirms a hold as an item of a bulk posting on `date`; nothing changes before all of it is checked.
pub(crate) fn confirm_in_bulk(draft: &mut Draft<'_>, item: &BulkConfirm, date: Date) -> Result<VoucherId, Refusal> {
    confirm::item(draft, item, date)
}

/// Frees `amount` of the hold for the voucher that the caller posts next.
pub(crate) fn confirm(draft: &mut Draft<'_>, id: HoldId, amount: Minor) -> Result<(), Refusal> {
    check_confirm(draft.state, draft.context.now, id, amount)?;
    draft.emit(Event::HoldConfirmed { hold: id, amount });
    Ok(())
}

fn check_confirm(state: &State, now: Time, id: HoldId, amount: Minor) -> Result<(), Refusal> {
    let hold = open_hold(state, id)?;
    let amount = positive(amount, "amount")?;
    not_expired(hold, now)?;
    if amount > hold.held() {
        let message = format!("{id} still holds {} and {amount} were to be confirmed", hold.held());
        return Err(Refusal::new(RefusalCode::HoldExceeded, "amount", message));
    }
    Ok(())
}

fn not_expired(hold: &Hold, now: Time) -> Result<(), Refusal> {
    if now < hold.expires_at {
        return Ok(());
    }
    let message = format!("{} has expired; place a new hold", hold.id);
    Err(Refusal::new(RefusalCode::HoldExpired, "hold", message))
}

/// Extends (延长) a hold: only who placed it knows how long the other side was promised it.
fn extend(draft: &mut Draft<'_>, id: HoldId, expires_at: Time) -> Result<Reply, Refusal> {
    let hold = free_hold(draft.state, id)?;
    not_expired(hold, draft.context.now)?;
    let (placer, asks) = (hold.placed_by.as_deref(), draft.operator());
    if placer != Some(asks.as_str()) {
        let placer = placer.unwrap_or("someone not recorded");
        let message = format!("{id} was placed by {placer}, not by {asks}; only its placer extends it");
        return Err(Refusal::new(RefusalCode::HoldPlacer, "hold", message));
    }
    if expires_at <= hold.expires_at {
        let message = format!("{id} lasts until then already; name a later time than its expiry");
        return Err(Refusal::new(RefusalCode::ValueInvalid, "expires_at", message));
    }
    draft.emit(Event::Hold(HoldEvent::Extended { hold: id, expires_at }));
    Ok(Reply::Hold(id))
}

/// Lets the rest of a hold go.
///
/// # Errors
/// `hold_unknown`, `hold_state`, `hold_expired` for one whose time ran out.
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
    if let Some(transfer) = state.transfer_holds.get(&id) {
        let message = format!("{id} is for {transfer}; it ends with the transfer");
        return Err(Refusal::new(RefusalCode::HoldState, "hold", message));
    }
    if let Some(transaction) = state.card_holds.get(&id) {
        let message = format!("{id} is for {transaction}; it ends with its answer");
        return Err(Refusal::new(RefusalCode::HoldState, "hold", message));
    }
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
    let (code, what) = match hold.status {
        HoldStatus::Open => return Ok(hold),
        HoldStatus::Confirmed | HoldStatus::Cancelled => (RefusalCode::HoldState, "only an open hold can change"),
        HoldStatus::Expired => (RefusalCode::HoldExpired, "place a new hold"),
    };
    Err(Refusal::new(code, "hold", format!("{id} is {}; {what}", hold.status.name())))
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

/// A hold was placed.
pub(crate) fn apply_placed(state: &mut State, hold: &Hold) {
    *held_row(state, hold.account, hold.direction) += hold.amount;
    state.timers.insert((hold.expires_at, Timer::Hold(hold.id)), ());
    tree::quota::apply_hold(state, hold);
    state.holds.insert(hold.id.0, hold.clone());
}

/// Held money was let go to move.
pub(crate) fn apply_confirmed(state: &mut State, id: HoldId, amount: Minor) {
    let hold = state.holds.get_mut(id.0).expect("decide checked the hold");
    hold.confirmed += amount;
    let (account, direction) = (hold.account, hold.direction);
    if hold.held() == 0 {
        hold.status = HoldStatus::Confirmed;
        let timer = (hold.expires_at, Timer::Hold(id));
        state.timers.remove(&timer);
    }
    *held_row(state, account, direction) -= amount;
}

/// A hold was let go, or its time ran out.
pub(crate) fn apply_ended(state: &mut State, id: HoldId, status: HoldStatus) {
    let hold = state.holds.get_mut(id.0).expect("decide checked the hold");
    let (account, direction, rest) = (hold.account, hold.direction, hold.held());
    let timer = (hold.expires_at, Timer::Hold(id));
    hold.status = status;
    state.timers.remove(&timer);
    *held_row(state, account, direction) -= rest;
    tree::quota::apply_given_back(state, id, rest);
}

/// What happened to holds beside the first four events.
pub(crate) fn apply(state: &mut State, event: &HoldEvent) {
    match event {
        HoldEvent::Moved { hold, confirm } => {
            let hold = state.holds.get_mut(hold.0).expect("decide checked the hold");
            hold.confirms.push(confirm.clone());
        }
        HoldEvent::Extended { hold: id, expires_at } => {
            let hold = state.holds.get_mut(id.0).expect("decide checked the hold");
            let before = (hold.expires_at, Timer::Hold(*id));
            hold.expires_at = *expires_at;
            state.timers.remove(&before);
            state.timers.insert((*expires_at, Timer::Hold(*id)), ());
        }
    }
}

fn held_row(state: &mut State, account: AccountId, direction: HoldDirection) -> &mut Minor {
    held_of(state.account_row(account), direction)
}

fn held_of(account: &mut Account, direction: HoldDirection) -> &mut Minor {
    match direction {
        HoldDirection::Out => &mut account.held_out,
        HoldDirection::In => &mut account.rare.held_in,
    }
}
