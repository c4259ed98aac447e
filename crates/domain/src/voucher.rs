//! Vouchers (凭证): the only way a balance changes. Debits equal credits per book and currency.
//!
//! A voucher is one event, so its position in the journal is its address. Nothing is updated or deleted: a mistake is
//! undone by a contra (冲销), a voucher with the sides turned.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use crate::account::{Account, AccountStatus, Owner};
use crate::book::{Book, Side, Subject};
use crate::calendar::Date;
use crate::command::Reply;
use crate::draft::Draft;
use crate::envelope::Time;
use crate::ids::{AccountId, MerchantId, VoucherId};
use crate::money::{Currency, Minor, positive};
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;
use crate::{agreement, freeze, suspense, tree};

mod business;
mod event_code;
#[cfg(test)]
mod tests;

pub use business::{BusinessKind, BusinessNumber};
pub use event_code::EventCode;

/// The most entries of one voucher.
pub const MAX_ENTRIES: usize = 1_000;

/// One line of a voucher (分录).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Entry {
    /// The account.
    #[n(0)]
    pub account: AccountId,
    /// Debit or credit.
    #[n(1)]
    pub side: Side,
    /// Minor units above zero.
    #[n(2)]
    pub amount: Minor,
    /// Must be the account's.
    #[n(3)]
    pub currency: Currency,
}

impl Entry {
    /// A debit (借).
    #[must_use]
    pub const fn debit(account: AccountId, amount: Minor, currency: Currency) -> Self {
        Self { account, side: Side::Debit, amount, currency }
    }

    /// A credit (贷).
    #[must_use]
    pub const fn credit(account: AccountId, amount: Minor, currency: Currency) -> Self {
        Self { account, side: Side::Credit, amount, currency }
    }
}

/// What a voucher is counted under beside its accounts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub struct Dimensions {
    /// The legal entity, where one platform serves several.
    #[n(0)]
    pub legal_entity: Option<u16>,
    /// The product.
    #[n(1)]
    pub product: Option<String>,
    /// The region (GB/T 2260, six digits).
    #[n(2)]
    pub region: Option<u32>,
    /// The channel.
    #[n(3)]
    pub channel: Option<String>,
    /// The merchant.
    #[n(4)]
    pub merchant: Option<MerchantId>,
    /// The network's clearing date.
    #[n(5)]
    pub clearing_date: Option<Date>,
}

/// A voucher as it stands in the journal.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Voucher {
    /// The business number.
    #[n(0)]
    pub business: BusinessNumber,
    /// The step of the business.
    #[n(1)]
    pub event: EventCode,
    /// The accounting date (会计日期).
    #[n(2)]
    pub date: Date,
    /// Two or more.
    #[n(3)]
    pub entries: Vec<Entry>,
    /// What it is counted under.
    #[n(4)]
    pub dimensions: Option<Box<Dimensions>>,
    /// The voucher that this one undoes.
    #[n(5)]
    pub contra_of: Option<VoucherId>,
}

/// An entry as the account's history keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostedEntry {
    /// The account.
    pub account: AccountId,
    /// The entry's number within the account, from 1.
    pub number: u64,
    /// The voucher.
    pub voucher: VoucherId,
    /// When it was posted.
    pub posted_at: Time,
    /// The accounting date.
    pub date: Date,
    /// Debit or credit.
    pub side: Side,
    /// The step of the business.
    pub event: EventCode,
    /// Minor units above zero.
    pub amount: Minor,
    /// The account's balance after it, in the order of the entry numbers.
    pub balance: Minor,
    /// The first account on the voucher's other side.
    pub counterpart: AccountId,
    /// The business number.
    pub business: BusinessNumber,
    /// What it is counted under.
    pub dimensions: Option<Box<Dimensions>>,
}

/// Posts one voucher by the caller's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostVoucher {
    /// The caller's business number.
    pub business: BusinessNumber,
    /// The step of the business.
    pub event: EventCode,
    /// The accounting date the caller expects, if it matters to it.
    pub date: Option<Date>,
    /// Two or more.
    pub entries: Vec<Entry>,
    /// What it is counted under.
    pub dimensions: Option<Box<Dimensions>>,
}

/// Posts one voucher.
///
/// # Errors
/// Every refusal of [`check`]; `day_closed` and `day_not_open` if the date is not the open day; `subject_not_allowed` for
/// entries that are not made by hand.
pub fn decide_post(draft: &mut Draft<'_>, command: PostVoucher) -> Result<Reply, Refusal> {
    let date = draft.state.days.posting_date(command.date)?;
    let PostVoucher { business, event, entries, dimensions, .. } = command;
    let voucher = Voucher { business, event, date, entries, dimensions, contra_of: None };
    check_by_hand(draft.state, &voucher)?;
    Ok(Reply::Voucher(draft.emit_voucher(&voucher)))
}

/// As [`check`], for a voucher by the caller's own words.
///
/// # Errors
/// Every refusal of [`check`]; `subject_not_allowed` on 1101, which moves only on a statement line, on 2241, which moves by
/// items, and where money would leave an agreement's account; `quota_exceeded`.
pub(crate) fn check_by_hand(state: &State, voucher: &Voucher) -> Result<(), Refusal> {
    check(state, voucher)?;
    let limited = refuse_entries_by_hand(state, &voucher.entries)?;
    if limited { check_quotas(state, &voucher.entries) } else { Ok(()) }
}

/// Refuses entries that would take more out of a child account than its quota allows.
fn check_quotas(state: &State, entries: &[Entry]) -> Result<(), Refusal> {
    for (at, entry) in entries.iter().enumerate() {
        let limited = state.accounts.get(entry.account.0).filter(|account| account.rare.quota.is_some());
        let Some(account) = limited.filter(|_| !entries.iter().take(at).any(|one| one.account == entry.account)) else {
            continue;
        };
        let out = entries.iter().filter(|one| one.account == account.id && !account.grows_on(one.side));
        tree::quota::check(state, account, out.map(|one| one.amount).fold(0, Minor::saturating_add))?;
    }
    Ok(())
}

/// Refuses entries that no one makes by hand. Says whether a quota limits one of the accounts.
pub(crate) fn refuse_entries_by_hand(state: &State, entries: &[Entry]) -> Result<bool, Refusal> {
    let mut limited = false;
    for entry in entries {
        if let Some(account) = state.accounts.get(entry.account.0) {
            refuse_by_hand(account, entry.side)?;
            limited |= account.rare.quota.is_some();
        }
    }
    Ok(limited)
}

/// Refuses an entry on `side` of the account if no one makes it by hand.
pub(crate) fn refuse_by_hand(account: &Account, side: Side) -> Result<(), Refusal> {
    if account.subject == Subject::CentralBank {
        let message = format!("{} is 1101, which moves only on a statement line of the central bank", account.id);
        return Err(Refusal::new(RefusalCode::SubjectNotAllowed, "account", message));
    }
    if account.subject == Subject::Suspense {
        let message =
            format!("{} is 2241, which moves by items: what comes back opens one, two people allocate it", account.id);
        return Err(Refusal::new(RefusalCode::SubjectNotAllowed, "account", message));
    }
    if account.grows_on(side) { Ok(()) } else { agreement::refuse_by_hand(account) }
}

/// Whether a voucher may be posted as the accounts stand.
///
/// # Errors
/// `voucher_too_short`, `voucher_too_long`, `amount_not_positive`, `account_unknown`, `account_closed`,
/// `currency_mismatch`, `account_restricted`, `insufficient_funds`, `amount_overflow`, `voucher_currencies`,
/// `voucher_unbalanced`.
pub fn check(state: &State, voucher: &Voucher) -> Result<(), Refusal> {
    let entries = &voucher.entries;
    if entries.len() < 2 {
        let message = format!("the voucher has {} entries; it needs at least two", entries.len());
        return Err(Refusal::new(RefusalCode::VoucherTooShort, "entries", message));
    }
    if entries.len() > MAX_ENTRIES {
        let message =
            format!("the voucher has {} entries; split it into vouchers of at most {MAX_ENTRIES}", entries.len());
        return Err(Refusal::new(RefusalCode::VoucherTooLong, "entries", message));
    }
    for (at, entry) in entries.iter().enumerate() {
        let account = check_entry(state, entry)?;
        let seen_before = entries.iter().take(at).any(|earlier| earlier.account == entry.account);
        if !seen_before {
            check_account(state, account, voucher)?;
        }
    }
    if !state.customer_frozen.is_empty() {
        freeze::check_customers(state, voucher)?;
    }
    check_one_currency(entries)?;
    check_balanced(state, entries)
}

/// As [`check`], for money that the law takes: neither freezes nor restrictions keep it, but what is held does.
///
/// # Errors
/// Those of [`check`] but `account_restricted`.
pub(crate) fn check_deduction(state: &State, voucher: &Voucher) -> Result<(), Refusal> {
    for entry in &voucher.entries {
        let account = check_entry(state, entry)?;
        let (grows, shrinks) = moved(state, account, voucher)?;
        if shrinks > grows && account.balance.saturating_sub(account.held_out) < shrinks {
            let message = format!("{} has {} of which {} is held", account.id, account.balance, account.held_out);
            return Err(Refusal::new(RefusalCode::InsufficientFunds, "amount", message));
        }
    }
    check_balanced(state, &voucher.entries)
}

/// As [`check_deduction`], for money that a hold kept until now: what other holds keep stays, and what may be overdrawn may
/// be.
///
/// # Errors
/// Those of [`check`] but `account_restricted`.
fn check_held(state: &State, voucher: &Voucher) -> Result<(), Refusal> {
    for entry in &voucher.entries {
        let account = check_entry(state, entry)?;
        let (grows, shrinks) = moved(state, account, voucher)?;
        let out = shrinks.saturating_sub(grows);
        if out > 0 && !account.overdraft && account.balance.saturating_sub(account.held_out) < out {
            let message = format!("{} has {} of which {} is held", account.id, account.balance, account.held_out);
            return Err(Refusal::new(RefusalCode::InsufficientFunds, "amount", message));
        }
    }
    check_one_currency(&voucher.entries)?;
    check_balanced(state, &voucher.entries)
}

impl State {
    /// Brings what the next vouchers touch into the processor's cache. Checking one voucher after the other waits for memory
    /// at each account; loads that do not depend on each other wait together.
    pub(crate) fn warm(&self, entries: &[Entry], date: Date) {
        let touched = entries.iter().fold(0_i64, |touched, entry| {
            let moved = self.days.turnover(entry.account, date).map_or(0, |turnover| turnover.debit);
            // Fields at both ends and in the middle: a row lies across two or three lines of the cache.
            let row = self.accounts.get(entry.account.0).map_or(0, |account| {
                account.balance ^ i64::from(account.overdraft) ^ i64::from(matches!(account.owner, Owner::Institution))
            });
            touched ^ moved ^ row
        });
        core::hint::black_box(touched);
    }
}

fn check_entry<'a>(state: &'a State, entry: &Entry) -> Result<&'a Account, Refusal> {
    positive(entry.amount, "amount")?;
    let account = state.open_account(entry.account, "account")?;
    debug_assert_eq!(account.status, AccountStatus::Open);
    if account.currency != entry.currency {
        let message =
            format!("{} is kept in {}, the entry is in {}", account.id, account.currency.code(), entry.currency.code());
        return Err(Refusal::new(RefusalCode::CurrencyMismatch, "currency", message));
    }
    Ok(account)
}

/// By how much the whole voucher makes one of its accounts larger and smaller.
fn moved(state: &State, account: &Account, voucher: &Voucher) -> Result<(Minor, Minor), Refusal> {
    let overflow = || {
        let message = format!("the voucher would take {} out of the range of 64-bit minor units", account.id);
        Refusal::new(RefusalCode::AmountOverflow, "amount", message)
    };
    let (mut grows, mut shrinks) = (0_i64, 0_i64);
    for entry in voucher.entries.iter().filter(|entry| entry.account == account.id) {
        let sum = if account.grows_on(entry.side) { &mut grows } else { &mut shrinks };
        *sum = sum.checked_add(entry.amount).ok_or_else(overflow)?;
    }
    if !is_planted(state) {
        // Entries are applied one by one, in the order in which they stand: each sum on the way must fit.
        account.balance.checked_add(grows).ok_or_else(overflow)?;
        account.balance.checked_sub(shrinks).ok_or_else(overflow)?;
    }
    state.days.check_turnover(account, grows.max(shrinks), voucher.date).ok_or_else(overflow)?;
    Ok((grows, shrinks))
}

/// What the whole voucher does to one of its accounts. A contra may bring money back to an account that is barred from
/// taking any: it undoes an entry and adds nothing.
fn check_account(state: &State, account: &Account, voucher: &Voucher) -> Result<(), Refusal> {
    let (grows, shrinks) = moved(state, account, voucher)?;
    let (change, bars) = (grows.saturating_sub(shrinks), account.barred());
    let in_barred = grows > 0 && bars.in_barred && voucher.contra_of.is_none();
    let out_barred = shrinks > 0 && bars.out_barred;
    if in_barred || out_barred {
        let way = if out_barred { "out" } else { "in" };
        let why = freeze::who_bars(state, account, out_barred);
        let message = format!("{} is restricted: no money may go {way}; {why}", account.id);
        return Err(Refusal::new(RefusalCode::AccountRestricted, "account", message));
    }
    if change < 0 && !account.overdraft && account.available().saturating_add(change) < 0 {
        let message = format!(
            "{} has {} available of balance {} and the voucher takes {}",
            account.id,
            account.available(),
            account.balance,
            change.saturating_neg()
        );
        return Err(Refusal::new(RefusalCode::InsufficientFunds, "amount", message));
    }
    Ok(())
}

/// A voucher of two currencies would hide a conversion; what belongs together is two vouchers under one business number.
fn check_one_currency(entries: &[Entry]) -> Result<(), Refusal> {
    let Some((first, others)) = entries.split_first() else { return Ok(()) };
    let Some(other) = others.iter().find(|entry| entry.currency != first.currency) else { return Ok(()) };
    let (one, two) = (first.currency.code(), other.currency.code());
    let message = format!("the voucher has entries in {one} and in {two}; post one for each, or make a conversion");
    Err(Refusal::new(RefusalCode::VoucherCurrencies, "entries", message))
}

fn check_balanced(state: &State, entries: &[Entry]) -> Result<(), Refusal> {
    for (at, entry) in entries.iter().enumerate() {
        let key = book_and_currency(state, entry);
        if entries.iter().take(at).any(|earlier| book_and_currency(state, earlier) == key) {
            continue;
        }
        let (mut debits, mut credits) = (0_i128, 0_i128);
        for other in entries.iter().filter(|other| book_and_currency(state, other) == key) {
            let sum = match other.side {
                Side::Debit => &mut debits,
                Side::Credit => &mut credits,
            };
            *sum = sum.saturating_add(i128::from(other.amount));
        }
        if debits != credits {
            let book = key.map_or("?", |(book, _)| book.name());
            let message = format!(
                "in {book} and {} debits are {debits} and credits {credits}; make them equal",
                entry.currency.code()
            );
            return Err(Refusal::new(RefusalCode::VoucherUnbalanced, "entries", message));
        }
    }
    Ok(())
}

fn book_and_currency(state: &State, entry: &Entry) -> Option<(Book, Currency)> {
    state.accounts.get(entry.account.0).map(|account| (account.subject.book(), account.currency))
}

/// A voucher was posted: its accounts move and each entry gets its number and the balance after it.
pub(crate) fn apply_posted(state: &mut State, voucher: &Voucher) {
    let id = VoucherId(state.position);
    let slot = state.days.slot(voucher.date).expect("decide stamped an open day");
    let planted = is_planted(state);
    for entry in &voucher.entries {
        let account = state.accounts.change(entry.account.0).expect("decide checked the account");
        let change = if account.grows_on(entry.side) { entry.amount } else { -entry.amount };
        let wrapped = planted.then(|| account.balance.wrapping_add(change));
        account.balance = wrapped.or_else(|| account.balance.checked_add(change)).expect("decide checked the sum");
        account.entries += 1;
        let (number, balance) = (account.entries, account.balance);
        let quota = account.rare.quota.filter(|_| change < 0);
        state.days.turn_over(slot, account, entry);
        let counterpart =
            voucher.entries.iter().find(|other| other.side != entry.side).map_or(entry.account, |other| other.account);
        state.posted.push(PostedEntry {
            account: entry.account,
            number,
            voucher: id,
            posted_at: state.now,
            date: voucher.date,
            side: entry.side,
            event: voucher.event,
            amount: entry.amount,
            balance,
            counterpart,
            business: voucher.business.clone(),
            dimensions: voucher.dimensions.clone(),
        });
        if let Some(link) = quota.filter(|_| voucher.business.is_callers_own()) {
            tree::quota::apply_left(state, link, voucher.date, entry.amount);
        }
    }
}

/// Whether sums are left unchecked in these books: in a simulator's test of exactly that, and nowhere else.
#[cfg(all(feature = "planted-faults", debug_assertions))]
fn is_planted(state: &State) -> bool {
    crate::planted::overflows(state)
}

#[cfg(not(all(feature = "planted-faults", debug_assertions)))]
const fn is_planted(_state: &State) -> bool {
    false
}

impl Draft<'_> {
    /// Checks and posts a voucher of the open day for a business object.
    ///
    /// # Errors
    /// Every refusal of [`check`].
    pub fn post(
        &mut self,
        business: BusinessNumber,
        event: EventCode,
        entries: Vec<Entry>,
        dimensions: Dimensions,
    ) -> Result<VoucherId, Refusal> {
        self.post_contra(business, event, entries, dimensions, None)
    }

    /// As [`Self::post`], for a voucher that may undo another (冲销): the entries stand as they shall be posted.
    ///
    /// # Errors
    /// Every refusal of [`check`].
    pub fn post_contra(
        &mut self,
        business: BusinessNumber,
        event: EventCode,
        entries: Vec<Entry>,
        dimensions: Dimensions,
        contra_of: Option<VoucherId>,
    ) -> Result<VoucherId, Refusal> {
        let date = self.state.days.posting_date(None)?;
        let dimensions = (dimensions != Dimensions::default()).then(|| Box::new(dimensions));
        let voucher = Voucher { business, event, date, entries, dimensions, contra_of };
        check(self.state, &voucher)?;
        suspense::check(self.state, &voucher)?;
        let id = self.emit_voucher(&voucher);
        suspense::follow(self, id, &voucher);
        Ok(id)
    }

    /// As [`Self::post_contra`], for money that a hold kept until now: a freeze that came after the hold never bit on it.
    ///
    /// # Errors
    /// Every refusal of [`check`] but `account_restricted`.
    pub(crate) fn post_held(
        &mut self,
        business: BusinessNumber,
        event: EventCode,
        entries: Vec<Entry>,
        dimensions: Dimensions,
        contra_of: Option<VoucherId>,
    ) -> Result<VoucherId, Refusal> {
        let date = self.state.days.posting_date(None)?;
        let voucher = Voucher { business, event, date, entries, dimensions: Some(Box::new(dimensions)), contra_of };
        check_held(self.state, &voucher)?;
        Ok(self.emit_voucher(&voucher))
    }
}
