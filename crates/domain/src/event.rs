//! Events: what happened. Their numbers are for ever; a changed meaning is a new event.

use minicbor::{Decode, Encode};

use crate::account::{self, Account, AccountStatus, Restriction};
use crate::attempt::{self, Attempt, Outcome};
use crate::bulk::{self, BulkReply};
use crate::business_day::{self, CheckResult};
use crate::calendar::{Calendar, Date};
use crate::customer::Customer;
use crate::hold::{self, Hold, HoldStatus};
use crate::ids::{AccountId, AttemptId, HoldId, StreamId};
use crate::initialise::{self, Genesis};
use crate::merchant::Merchant;
use crate::money::Minor;
use crate::state::State;
use crate::user::{self, User};
use crate::voucher::{self, Voucher};

/// What happened. One event takes one position of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Event {
    /// A voucher was posted.
    #[n(0)]
    VoucherPosted(#[n(0)] Voucher),
    /// The books began.
    #[n(1)]
    Initialised(#[n(0)] Genesis),
    /// The calendar was replaced.
    #[n(2)]
    CalendarSet(#[n(0)] Calendar),
    /// The day was cut.
    #[n(3)]
    DayCut {
        /// The day that takes no more postings.
        #[n(0)]
        date: Date,
        /// The day that takes them now.
        #[n(1)]
        next: Date,
    },
    /// A cut day's postings ended.
    #[n(4)]
    DaySealed {
        /// The day.
        #[n(0)]
        date: Date,
        /// No voucher behind this position bears its date.
        #[n(1)]
        position: u64,
    },
    /// A day's checks found a break.
    #[n(5)]
    DayChecksFailed {
        /// The day.
        #[n(0)]
        date: Date,
        /// What was found.
        #[n(1)]
        checks: alloc::vec::Vec<CheckResult>,
    },
    /// A day was closed.
    #[n(6)]
    DayClosed {
        /// The day.
        #[n(0)]
        date: Date,
        /// What was found.
        #[n(1)]
        checks: alloc::vec::Vec<CheckResult>,
    },
    /// An account was opened.
    #[n(10)]
    AccountOpened(#[n(0)] Account),
    /// An account was closed.
    #[n(11)]
    AccountClosed(#[n(0)] AccountId),
    /// An account was barred or freed as a whole.
    #[n(12)]
    AccountRestricted {
        /// The account.
        #[n(0)]
        account: AccountId,
        /// What is barred from now on.
        #[n(1)]
        restriction: Restriction,
    },
    /// A stream of bulk postings was named.
    #[n(13)]
    StreamOpened {
        /// Its id.
        #[n(0)]
        stream: StreamId,
        /// Its name.
        #[n(1)]
        name: alloc::string::String,
    },
    /// A bulk posting was answered.
    #[n(14)]
    StreamAdvanced {
        /// The digest of its body.
        #[n(0)]
        fingerprint: minicbor::bytes::ByteArray<16>,
        /// The answer.
        #[n(1)]
        reply: BulkReply,
    },
    /// Money was held.
    #[n(15)]
    HoldPlaced(#[n(0)] Hold),
    /// Held money was let go to move.
    #[n(16)]
    HoldConfirmed {
        /// The hold.
        #[n(0)]
        hold: HoldId,
        /// Minor units.
        #[n(1)]
        amount: Minor,
    },
    /// A hold was let go.
    #[n(17)]
    HoldCancelled(#[n(0)] HoldId),
    /// A hold's time ran out.
    #[n(18)]
    HoldExpired(#[n(0)] HoldId),
    /// A customer was registered.
    #[n(20)]
    CustomerRegistered(#[n(0)] Customer),
    /// A user was opened.
    #[n(21)]
    UserOpened(#[n(0)] User),
    /// A merchant was opened.
    #[n(22)]
    MerchantOpened(#[n(0)] Merchant),
    /// An attempt entered the outbox.
    #[n(30)]
    AttemptRequested(#[n(0)] Attempt),
    /// A channel answered an attempt.
    #[n(31)]
    AttemptAnswered {
        /// The attempt.
        #[n(0)]
        attempt: AttemptId,
        /// What it said.
        #[n(1)]
        outcome: Outcome,
    },
}

/// Folds an event into the state. It adds and sets; it never chooses.
pub fn apply(state: &mut State, event: &Event) {
    state.position += 1;
    match event {
        Event::VoucherPosted(voucher) => voucher::apply_posted(state, voucher),
        Event::Initialised(genesis) => initialise::apply_initialised(state, genesis),
        Event::CalendarSet(calendar) => state.calendar = calendar.clone(),
        Event::DayCut { date, next } => business_day::apply_opened(state, Some(*date), *next),
        Event::DaySealed { date, position } => business_day::apply_sealed(state, *date, *position),
        Event::DayChecksFailed { date, checks } => business_day::apply_checks_failed(state, *date, checks),
        Event::DayClosed { date, checks } => business_day::apply_closed(state, *date, checks),
        Event::AccountOpened(account) => account::apply_opened(state, account),
        Event::AccountClosed(id) => state.account_row(*id).status = AccountStatus::Closed,
        Event::AccountRestricted { account, restriction } => state.account_row(*account).restriction = *restriction,
        Event::StreamOpened { stream, name } => bulk::apply_opened(state, *stream, name),
        Event::StreamAdvanced { fingerprint, reply } => bulk::apply_advanced(state, **fingerprint, reply),
        Event::HoldPlaced(hold) => hold::apply_placed(state, hold),
        Event::HoldConfirmed { hold, amount } => hold::apply_confirmed(state, *hold, *amount),
        Event::HoldCancelled(id) => hold::apply_ended(state, *id, HoldStatus::Cancelled),
        Event::HoldExpired(id) => hold::apply_ended(state, *id, HoldStatus::Expired),
        Event::CustomerRegistered(customer) => state.customers.insert(customer.id.0, customer.clone()),
        Event::UserOpened(user) => user::apply_opened(state, user),
        Event::MerchantOpened(merchant) => state.merchants.insert(merchant.id.0, merchant.clone()),
        Event::AttemptRequested(attempt) => attempt::apply_requested(state, attempt),
        Event::AttemptAnswered { attempt, outcome } => attempt::apply_answered(state, *attempt, outcome),
    }
}
