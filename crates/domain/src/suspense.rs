//! Suspense (挂账): money in 2241 as items, each with what it came from and what became of it.
//!
//! ```text
//!  a credit to 2241 opens an item: a payout that came back, a refund nobody can take, a manual voucher
//!     OPEN ─ allocate, all or part: Dr 2241 / Cr the account found ─► OPEN with the rest │ ALLOCATED at zero
//!             ├ to the rail: a line of the statement, which brought it to 1101, was a clearing session's (to 1101 itself where the
//!             │ session's files had booked it there before, up to level 17)
//!             ├ to 2243: it is to be given back to a payer, by people: a [`task`](crate::task) until two have settled it
//!             └ and its channel, which had refused to take it back, did so after all: a claim on its bank, a task too
//! ```
//! Allocating takes two people. What passes through 2241 within one business step (a payout that comes back to its
//! account) opens an item and allocates it at once, so nothing lies in 2241 without a name. Nobody posts to 2241 by the
//! caller's own words; a manual voucher may credit it and never debits it. The check `suspense_items` at close compares
//! the items with the ledger, for each currency and as of the day.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use alloc::{format, vec};

use minicbor::{Decode, Encode};

use crate::account::Account;
use crate::approval;
use crate::book::{Book, Side, Subject};
use crate::calendar::Date;
use crate::command::Reply;
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::{AccountId, ApprovalId, SuspenseId, VoucherId};
use crate::money::{Currency, Minor, positive};
use crate::refusal::{Refusal, RefusalCode};
use crate::reserve_line::{LineTarget, Session, session as sessions};
use crate::state::State;
use crate::task::Claim;
use crate::trial_balance::TrialBalance;
use crate::voucher::{BusinessKind, BusinessNumber, Dimensions, Entry, EventCode, Voucher};

#[cfg(test)]
mod tests;

/// Where an item stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum SuspenseStatus {
    /// Something of it still lies in 2241.
    #[n(0)]
    Open,
    /// All of it found its account.
    #[n(1)]
    Allocated,
}

impl SuspenseStatus {
    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Allocated => "allocated",
        }
    }
}

/// Money that left an item.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Allocation {
    /// The voucher that debits 2241.
    #[n(0)]
    pub voucher: VoucherId,
    /// Its accounting date.
    #[n(1)]
    pub date: Date,
    /// Minor units.
    #[n(2)]
    pub amount: Minor,
    /// The account found.
    #[n(3)]
    pub to: AccountId,
    /// When.
    #[n(4)]
    pub at: Time,
    /// Who wanted it.
    #[n(5)]
    pub operator: String,
    /// Who approved it; none where the business step that brought it in took it out again.
    #[n(6)]
    pub approver: Option<String>,
    /// The clearing session that awaited it (level 17).
    #[n(7)]
    pub session: Option<Session>,
}

/// Money in 2241.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SuspenseItem {
    /// Its id.
    #[n(0)]
    pub id: SuspenseId,
    /// Its currency.
    #[n(1)]
    pub currency: Currency,
    /// Minor units at first.
    #[n(2)]
    pub amount: Minor,
    /// The business number of the voucher that brought it.
    #[n(3)]
    pub source: BusinessNumber,
    /// That voucher.
    #[n(4)]
    pub voucher: VoucherId,
    /// Its accounting date.
    #[n(5)]
    pub date: Date,
    /// When it was opened.
    #[n(6)]
    pub opened_at: Time,
    /// Where it stands.
    #[n(7)]
    pub status: SuspenseStatus,
    /// What left it, in order.
    #[n(8)]
    pub allocations: Vec<Allocation>,
    /// What of it lies on 2243, in minor units, until people have given it back.
    #[n(9)]
    pub due: Option<Minor>,
    /// By whose decision what lay on 2243 was given back, or its claim was settled, the last time.
    #[n(10)]
    pub settled_by: Option<ApprovalId>,
    /// All of it left by the channel that had refused to take it back, after people had allocated it: its bank owes it (level 15).
    #[n(11)]
    pub claim: Option<Claim>,
}

impl SuspenseItem {
    /// What still lies in 2241.
    #[must_use]
    pub fn rest(&self) -> Minor {
        self.allocations.iter().fold(self.amount, |rest, allocation| rest.saturating_sub(allocation.amount))
    }

    /// What lay in 2241 of it at the end of a day.
    fn rest_at(&self, date: Date) -> Minor {
        let until = self.allocations.iter().filter(|allocation| allocation.date <= date);
        if self.date > date { 0 } else { until.fold(self.amount, |rest, it| rest.saturating_sub(it.amount)) }
    }

    /// How long it has lain there.
    #[must_use]
    pub fn age(&self, now: Time) -> Age {
        Age::of_days(Date::in_shanghai(now).0.saturating_sub(Date::in_shanghai(self.opened_at).0))
    }

    /// Whether something of it lies on 2243, where only a person moves it on, or its bank owes it and nobody has settled that.
    #[must_use]
    pub const fn needs_person(&self) -> bool {
        self.due.is_some() || matches!(self.claim, Some(Claim::Open))
    }

    /// What waits for a person, in minor units: what lies on 2243 of it, else what its bank owes.
    #[must_use]
    pub fn waiting(&self) -> Minor {
        let owed = if matches!(self.claim, Some(Claim::Open)) { self.amount } else { 0 };
        self.due.unwrap_or(owed)
    }

    /// Two people settled it as a task: what lay on 2243, else what its bank owed.
    pub(crate) fn settle(&mut self, approval: ApprovalId) {
        if self.due.take().is_none() {
            self.claim = Some(Claim::Settled(approval));
        }
        self.settled_by = Some(approval);
    }

    /// What may be done with it now.
    #[must_use]
    pub const fn allowed_actions(&self) -> &'static [&'static str] {
        match self.status {
            SuspenseStatus::Open => &["allocate"],
            SuspenseStatus::Allocated => &[],
        }
    }
}

/// How old an item is (账龄), in days of Asia/Shanghai since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Age {
    /// 0 or 1.
    UpTo1,
    /// 2 to 7.
    UpTo7,
    /// 8 to 30.
    UpTo30,
    /// More than 30.
    Over30,
}

impl Age {
    /// All, youngest first.
    pub const ALL: [Self; 4] = [Self::UpTo1, Self::UpTo7, Self::UpTo30, Self::Over30];

    /// The bucket of so many days.
    #[must_use]
    pub const fn of_days(days: i32) -> Self {
        match days {
            i32::MIN..=1 => Self::UpTo1,
            2..=7 => Self::UpTo7,
            8..=30 => Self::UpTo30,
            31..=i32::MAX => Self::Over30,
        }
    }

    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UpTo1 => "0-1",
            Self::UpTo7 => "2-7",
            Self::UpTo30 => "8-30",
            Self::Over30 => "over_30",
        }
    }
}

/// Allocates an item.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct AllocateSuspense {
    /// The item.
    #[n(0)]
    pub item: SuspenseId,
    /// Whose money it is: an account that others hold, 2243 to give it back to its payer, or 1131 if a bank paid what it owes. 1101 names
    /// a clearing session's: its line stands there already, so what it brought goes to the rail's clearing account.
    #[n(1)]
    pub to: AccountId,
    /// All that is left if none, or what the session awaits; a proposal notes what it awaits when it is made.
    #[n(2)]
    pub amount: Option<Minor>,
    /// The clearing session that awaits this of the statement's line (level 17).
    #[n(3)]
    pub session: Option<Session>,
}

impl AllocateSuspense {
    /// Notes what its session awaits now, unless its maker said what they saw: that much is what two people decide on.
    pub(crate) fn note_amount(&mut self, state: &State) {
        if let Some(Session { rail, date }) = self.session {
            self.amount = self.amount.or_else(|| state.awaited_sessions.get(&(rail, date)).copied());
        }
    }
}

/// What happened to an item.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum SuspenseEvent {
    /// Money came to lie in 2241.
    #[n(0)]
    Opened(#[n(0)] SuspenseItem),
    /// All or part of it left.
    #[n(1)]
    Allocated {
        /// The item.
        #[n(0)]
        item: SuspenseId,
        /// What left it.
        #[n(1)]
        allocation: Allocation,
    },
    /// What left it went to 2243: a task (level 15).
    #[n(2)]
    Due {
        /// The item.
        #[n(0)]
        item: SuspenseId,
        /// Minor units.
        #[n(1)]
        amount: Minor,
    },
    /// A channel took it back after people had allocated it; the voucher before claims that (level 15).
    #[n(3)]
    Claimed(#[n(0)] SuspenseId),
    /// What left it last was what a clearing session awaited (level 17).
    #[n(4)]
    Matched {
        /// The item.
        #[n(0)]
        item: SuspenseId,
        /// Which session.
        #[n(1)]
        session: Session,
    },
}

/// Allocates all or part of an item; two people must have agreed.
///
/// # Errors
/// `approval_required`, `suspense_unknown`, `suspense_state`, `suspense_exceeded`, `amount_not_positive`, `value_invalid` of a session
/// that does not await just this, `subject_not_allowed`, and those of the voucher.
pub fn decide_allocate(draft: &mut Draft<'_>, command: &AllocateSuspense) -> Result<Reply, Refusal> {
    approval::require(draft, "allocating suspense")?;
    let item = draft.state.suspense_item(command.item)?;
    let (id, currency) = (item.id, item.currency);
    if item.status != SuspenseStatus::Open {
        let message = format!("{id} is {}; only an open item can be allocated", item.status.name());
        return Err(Refusal::new(RefusalCode::SuspenseState, "item", message));
    }
    let awaited = command.session.map(|session| awaited(draft.state, item, session, command.amount)).transpose()?;
    let amount = positive(awaited.or(command.amount).unwrap_or(item.rest()), "amount")?;
    if amount > item.rest() {
        let message = format!("{id} has {} left and {amount} were to be allocated", item.rest());
        return Err(Refusal::new(RefusalCode::SuspenseExceeded, "amount", message));
    }
    let to = draft.state.open_account(command.to, "to")?;
    let found = if command.session.is_some() {
        to.subject == Subject::CentralBank
    } else {
        to.subject.is_held_by_others() || matches!(to.subject, Subject::RefundDue | Subject::ReceivableFund)
    };
    if !found || to.subject.book() != Book::Reserve {
        let message = format!(
            "{} is {}; allocate to an account that someone else holds in RESERVE, to 2243 to give it back, or to 1131; name 1101 for \
             what a session awaits",
            to.id,
            to.subject.code()
        );
        return Err(Refusal::new(RefusalCode::SubjectNotAllowed, "to", message));
    }
    let to = match command.session {
        Some(session) if !session.is_booked(draft.state) => {
            draft.state.institution(session.rail.subject(), Currency::Cny)?
        }
        Some(_) | None => to.id,
    };
    let step = u32::try_from(item.allocations.len()).unwrap_or(u32::MAX).saturating_add(1);
    let suspense = draft.state.institution(Subject::Suspense, currency)?;
    let entries = vec![Entry::debit(suspense, amount, currency), Entry::credit(to, amount, currency)];
    let business = BusinessNumber::step(BusinessKind::Suspense, id.0, step);
    let dimensions = command.session.map_or_else(Dimensions::default, Session::dimensions);
    draft.post(business, EventCode::SuspenseAllocated, entries, dimensions)?;
    if let Some(session) = command.session {
        draft.emit(Event::Suspense(SuspenseEvent::Matched { item: id, session }));
    }
    Ok(Reply::Suspense(id))
}

/// What a clearing session awaits, if a line of the statement in suspense may have it in it.
fn awaited(state: &State, item: &SuspenseItem, session: Session, said: Option<Minor>) -> Result<Minor, Refusal> {
    let Session { rail, date } = session;
    let awaited = state.awaited_sessions.get(&(rail, date)).copied().unwrap_or_default();
    let line = match item.source {
        BusinessNumber::Object { kind: BusinessKind::ReserveLine, id } => state.reserve_lines.get(id),
        BusinessNumber::Object { .. }
        | BusinessNumber::Bulk { .. }
        | BusinessNumber::Text(_)
        | BusinessNumber::Step { .. } => None,
    };
    let may_be = line.is_some_and(|line| line.currency == Currency::Cny && line.date >= date);
    if may_be && awaited > 0 && said.is_none_or(|said| said == awaited) {
        return Ok(awaited);
    }
    let message = format!(
        "{} awaits {awaited} CNY; take just that, if it is above zero, from a line of the statement of {date} or later; \
         {} is of {}",
        LineTarget::Clearing { rail, date },
        item.id,
        item.source
    );
    Err(Refusal::new(RefusalCode::ValueInvalid, "clearing", message))
}

/// Whether the items cover what a voucher takes out of 2241.
///
/// # Errors
/// `suspense_exceeded`.
pub(crate) fn check(state: &State, voucher: &Voucher) -> Result<(), Refusal> {
    let mut wanted: BTreeMap<Currency, Minor> = BTreeMap::new();
    for entry in of_suspense(state, voucher).filter(|entry| entry.side == Side::Debit) {
        let sum = wanted.entry(entry.currency).or_default();
        *sum = sum.saturating_add(entry.amount);
    }
    for (currency, wanted) in wanted {
        let items = open_items(state, &voucher.business, currency);
        let there = items.iter().fold(0, |sum: Minor, (_, rest)| sum.saturating_add(*rest));
        if wanted > there {
            let message = format!("{} has {there} in suspense and the voucher takes {wanted}", voucher.business);
            return Err(Refusal::new(RefusalCode::SuspenseExceeded, "entries", message));
        }
    }
    Ok(())
}

/// Opens an item for each credit to 2241 of a voucher that was just posted, and allocates for each debit.
pub(crate) fn follow(draft: &mut Draft<'_>, id: VoucherId, voucher: &Voucher) {
    let entries: Vec<Entry> = of_suspense(draft.state, voucher).copied().collect();
    let to = voucher.entries.iter().find(|entry| entry.side == Side::Credit).map(|entry| entry.account);
    for entry in entries {
        match entry.side {
            Side::Credit => open(draft, id, voucher, entry),
            Side::Debit => allocate(draft, id, voucher, entry, to.unwrap_or(entry.account)),
        }
    }
}

fn open(draft: &mut Draft<'_>, voucher: VoucherId, of: &Voucher, entry: Entry) {
    let item = SuspenseItem {
        id: SuspenseId(draft.state.suspense_items.next_id()),
        currency: entry.currency,
        amount: entry.amount,
        source: of.business.clone(),
        voucher,
        date: of.date,
        opened_at: draft.context.now,
        status: SuspenseStatus::Open,
        allocations: Vec::new(),
        due: None,
        settled_by: None,
        claim: None,
    };
    draft.emit(Event::Suspense(SuspenseEvent::Opened(item)));
}

/// Takes what [`check`] found from the items of the voucher's business number, the oldest first.
fn allocate(draft: &mut Draft<'_>, voucher: VoucherId, of: &Voucher, entry: Entry, to: AccountId) {
    let mut left = entry.amount;
    let due = draft.state.accounts.get(to.0).is_some_and(|account| account.subject == Subject::RefundDue);
    for (item, rest) in open_items(draft.state, &of.business, entry.currency) {
        let amount = rest.min(left);
        if amount == 0 {
            break;
        }
        left = left.saturating_sub(amount);
        let (at, operator, approver) = (draft.context.now, draft.operator(), draft.approver());
        let allocation = Allocation { voucher, date: of.date, amount, to, at, operator, approver, session: None };
        draft.emit(Event::Suspense(SuspenseEvent::Allocated { item, allocation }));
        if due {
            draft.emit(Event::Suspense(SuspenseEvent::Due { item, amount }));
        }
    }
}

fn of_suspense<'v>(state: &'v State, voucher: &'v Voucher) -> impl Iterator<Item = &'v Entry> {
    let is_suspense = |account: &Account| account.subject == Subject::Suspense;
    voucher.entries.iter().filter(move |entry| state.accounts.get(entry.account.0).is_some_and(is_suspense))
}

/// The open items that a voucher of this business number may take from, oldest first, with what is left of each.
fn open_items(state: &State, business: &BusinessNumber, currency: Currency) -> Vec<(SuspenseId, Minor)> {
    let rest = |item: &SuspenseItem| {
        (item.currency == currency && item.status == SuspenseStatus::Open).then(|| (item.id, item.rest()))
    };
    if let BusinessNumber::Step { kind: BusinessKind::Suspense, id, .. } = business {
        return state.suspense_items.get(*id).and_then(rest).into_iter().collect();
    }
    let all = (business.clone(), SuspenseId(0))..=(business.clone(), SuspenseId(u64::MAX));
    let items = state.open_suspense.range(all).filter_map(|((_, id), ())| state.suspense_items.get(id.0));
    items.filter_map(rest).collect()
}

/// The item that a voucher of this business number opened, whatever was allocated of it.
pub(crate) fn opened_by(state: &State, business: &BusinessNumber) -> Option<SuspenseId> {
    let mut items = state.suspense_items.iter().map(|(_, item)| item);
    items.find(|item| item.source == *business).map(|item| item.id)
}

/// Σ items = 2241 in each currency at the end of the day; the breaks, or what was compared.
pub(crate) fn compare(state: &State, trial: &TrialBalance) -> Result<String, Vec<String>> {
    let mut sums: BTreeMap<Currency, i128> = BTreeMap::new();
    let mut open = 0_usize;
    for (_, item) in state.suspense_items.iter() {
        let rest = item.rest_at(trial.date);
        let sum = sums.entry(item.currency).or_default();
        *sum = sum.saturating_add(i128::from(rest));
        open = open.saturating_add(usize::from(rest != 0));
    }
    let mut breaks = Vec::new();
    for currency in Currency::ALL {
        let (ledger, items) = (trial.closing(Subject::Suspense, currency), sums.get(&currency).copied());
        let items = items.unwrap_or_default();
        if ledger != items {
            breaks.push(format!("2241 {}: ledger {ledger}, items {items}", currency.code()));
        }
    }
    if breaks.is_empty() { Ok(format!("{open} open items equal 2241").to_string()) } else { Err(breaks) }
}

/// The key of an item among the open ones.
pub(crate) fn open_key(item: &SuspenseItem) -> Option<(BusinessNumber, SuspenseId)> {
    match item.status {
        SuspenseStatus::Open => Some((item.source.clone(), item.id)),
        SuspenseStatus::Allocated => None,
    }
}

impl State {
    /// The suspense item.
    ///
    /// # Errors
    /// `suspense_unknown`.
    pub fn suspense_item(&self, id: SuspenseId) -> Result<&SuspenseItem, Refusal> {
        let unknown = || Refusal::new(RefusalCode::SuspenseUnknown, "item", format!("there is no suspense item {id}"));
        self.suspense_items.get(id.0).ok_or_else(unknown)
    }

    /// What lies in 2241, item by item.
    pub fn open_suspense_items(&self) -> impl Iterator<Item = &SuspenseItem> {
        self.open_suspense.iter().filter_map(|((_, id), ())| self.suspense_items.get(id.0))
    }
}

/// Folds what happened to an item into the state.
pub(crate) fn apply(state: &mut State, event: &SuspenseEvent) {
    match event {
        SuspenseEvent::Opened(item) => {
            state.open_suspense.insert((item.source.clone(), item.id), ());
            state.suspense_items.insert(item.id.0, item.clone());
        }
        SuspenseEvent::Allocated { item, allocation } => {
            let item = state.suspense_items.get_mut(item.0).expect("decide chose the item");
            item.allocations.push(allocation.clone());
            if item.rest() == 0 {
                item.status = SuspenseStatus::Allocated;
                let key = (item.source.clone(), item.id);
                state.open_suspense.remove(&key);
            }
        }
        SuspenseEvent::Due { item, amount } => {
            let item = state.suspense_items.get_mut(item.0).expect("decide chose the item");
            item.due = Some(item.due.unwrap_or_default().saturating_add(*amount));
        }
        SuspenseEvent::Matched { item, session } => {
            let item = state.suspense_items.get_mut(item.0).expect("decide chose the item");
            let allocation = item.allocations.last_mut().expect("the voucher before allocated it");
            allocation.session = Some(*session);
            let (change, to) = (allocation.amount.saturating_neg(), allocation.to);
            sessions::await_session(state, *session, change);
            // What left 1101 was there twice.
            if state.accounts.get(to.0).is_some_and(|account| account.subject == Subject::CentralBank) {
                sessions::booked_ahead(state, *session, change);
            }
        }
        SuspenseEvent::Claimed(item) => {
            state.suspense_items.get_mut(item.0).expect("decide chose the item").claim = Some(Claim::Open);
        }
    }
}
