//! The state again from what was kept of it: the rows of a checkpoint, and the balances and turnovers that history adds up.
//!
//! ```text
//!  events 1 … n ─► State at n ─┬─ Core and Changes (rows) ─────► the store ─┐
//!                              └─ posted entries ──────────────► history ───┴─► State::restore = State at n
//! ```
//! Rows hold everything but what entries say (balance and entry count of an account, the columns of open days, the
//! general ledger). Each index follows from rows; every restore in a test is compared with the state it is of, so an index
//! that is forgotten here shows there.
//! The general ledger is added up from the accounts, so its comparison with them (总分核对) is independent of the restore
//! only in what is posted after it; the check here is that debits equal credits in every book and currency.

use alloc::string::String;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use crate::account::Account;
use crate::advance::Advance;
use crate::approval::{Approval, ApprovalStatus};
use crate::attempt::{Attempt, AttemptStatus, Rail};
use crate::book::{Book, Side, Subject};
use crate::business_day::{Days, Turnover};
use crate::calendar::{Calendar, Date};
use crate::card_transaction::{self, CardTransaction};
use crate::channel::ChannelName;
use crate::clearing::difference::twice::stood_key;
use crate::clearing::{difference, returns, uncleared_key};
use crate::envelope::Time;
use crate::hold::{Hold, HoldStatus};
use crate::ids::{AccountId, AttemptId, HoldId, OwnTransferId, PayoutId, TreeRunId};
use crate::index::Index;
use crate::initialise::Genesis;
use crate::money::{Currency, Minor};
use crate::order::expiry;
use crate::own_transfer::{OwnTransfer, OwnTransferStatus};
use crate::payout::{Payout, PayoutStatus};
use crate::rates::{RateSums, Rates};
use crate::recall::{Kind, Left, PerKind, RowId};
use crate::reserve_line::{LineTarget, ReserveLine, session};
use crate::split_plan::SplitPlan;
use crate::state::{Changes, State, Timer};
use crate::table::Table;
use crate::tree::{self, RunCause, TreeLink, TreeRun};
use crate::{bank_card, block_list, freeze, front_page, fund_batch, sign_up, suspense, withdrawal, withdrawal_plan};

/// What of the state is no row.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub struct Core {
    /// What the books began with.
    #[n(0)]
    pub genesis: Option<Genesis>,
    /// The working days.
    #[n(1)]
    pub calendar: Calendar,
    /// The engine's time.
    #[n(2)]
    pub now: Time,
    /// The position of the last event.
    #[n(3)]
    pub position: u64,
    /// The highest ids of the kinds whose rows leave memory; an older program wrote none.
    #[n(4)]
    pub last_ids: Option<PerKind>,
    /// How many rows of those kinds are open; an older program wrote none.
    #[n(5)]
    pub open: Option<PerKind>,
    /// What of the rates of orders does not hang on missing answers; an older program wrote none, and let no order go.
    #[n(6)]
    pub rates: Option<Rates>,
    /// How far closed rows left by the journal; an older program wrote none, and let holds go only, which nothing changes
    /// once they are closed.
    #[n(7)]
    pub left: Option<Left>,
    /// Versions of plans of splits; none where nobody set any, as an older program wrote.
    #[n(8)]
    pub split_plans: Option<Vec<SplitPlan>>,
}

impl Core {
    /// This, with what an older program did not write of `other`.
    #[must_use]
    pub fn completed(self, other: &Self) -> Self {
        let Self { genesis, calendar, now, position, last_ids, open, rates, left, split_plans } = self;
        let all = |of: Option<PerKind>, other: &Option<PerKind>| match (of, other) {
            (Some(of), Some(other)) => Some(of.completed(other)),
            (of, other) => of.or_else(|| other.clone()),
        };
        let (last_ids, open) = (all(last_ids, &other.last_ids), all(open, &other.open));
        Self {
            genesis,
            calendar,
            now,
            position,
            last_ids,
            open,
            rates: rates.or(other.rates),
            left: left.or(other.left),
            split_plans,
        }
    }
}

/// What the entries of an account add up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestoredAccount {
    /// The account.
    pub account: AccountId,
    /// Its balance, on the side on which it grows.
    pub balance: Minor,
    /// The number of its last entry.
    pub entries: u64,
}

/// Rows, balances and turnovers that are not of one state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// History has entries of an account without a row.
    #[error("history has entries of {account} and there is no row of it; rebuild the store from the journal")]
    AccountUnknown {
        /// The account.
        account: AccountId,
    },
    /// A turnover of a day that has none.
    #[error("history has entries of {account} on {date}, which is not an open day; rebuild the store from the journal")]
    DayNotOpen {
        /// The day.
        date: Date,
        /// The account.
        account: AccountId,
    },
    /// The store says that other rows are open than its checkpoint counted.
    #[error("the store has {found} open {} and its checkpoint {expected}; rebuild the store from the journal", .kind.name())]
    OpenRows {
        /// Of which kind.
        kind: Kind,
        /// As many as there were.
        expected: u64,
        /// As many as there are.
        found: u64,
    },
    /// Debits are not credits.
    #[error(
        "in {} and {} the restored debits exceed the credits by {difference}, not 0; rebuild the store from the journal",
        .book.name(), .currency.code()
    )]
    Unbalanced {
        /// The book.
        book: Book,
        /// The currency.
        currency: Currency,
        /// Debits less credits.
        difference: i128,
    },
}

impl State {
    /// What of the state is no row.
    #[must_use]
    pub fn core(&self) -> Core {
        let (genesis, calendar) = (self.genesis.clone(), self.calendar.clone());
        let (last_ids, open) = (Some(self.last_ids()), Some(self.open_rows()));
        let (now, position, rates, left) = (self.now, self.position, Some(self.rates.get()), Some(self.left));
        let split_plans = (!self.split_plans.is_empty()).then(|| self.split_plans.clone());
        Core { genesis, calendar, now, position, last_ids, open, rates, left, split_plans }
    }

    /// The state at `core.position`: `rows` is every row that was in memory there (of those that leave it what is open, and what was
    /// written later than [`Left::checkpointed`]; `written` says of those that are closed when that was), `balances` every account that has entries, `turnovers`
    /// every account's of every day that is not closed, each once. Nothing counts as changed.
    ///
    /// # Errors
    /// [`RestoreError`] if the parts are not of one state.
    pub fn restore(
        core: Core,
        rows: Changes,
        written: &[(RowId, u64)],
        balances: impl Iterator<Item = RestoredAccount>,
        turnovers: impl Iterator<Item = (Date, AccountId, Turnover)>,
    ) -> Result<Self, RestoreError> {
        let Core { genesis, calendar, now, position, last_ids, open, rates, left, split_plans } = core;
        let mut rows = rows;
        let days = core::mem::take(&mut rows.days);
        for (_, row) in &mut rows.accounts {
            (row.balance, row.entries) = (0, 0);
        }
        let (left, checkpointed) = (left.unwrap_or_default(), position);
        let counted = || Rates::of_all(rows.orders.iter().map(|(_, order)| order));
        let rates = RateSums::restored(rates.unwrap_or_else(counted));
        let rows = Self::of_rows(rows, position);
        let split_plans = split_plans.unwrap_or_default();
        let mut state = Self { genesis, now, position, calendar, split_plans, checkpointed, left, rates, ..rows };
        let found = state.open_rows();
        for kind in Kind::ALL {
            let (expected, found) =
                (open.as_ref().and_then(|open| open.get(kind)), found.get(kind).unwrap_or_default());
            if let Some(expected) = expected.filter(|expected| *expected != found) {
                return Err(RestoreError::OpenRows { kind, expected, found });
            }
        }
        state.written(written);
        state.reached(&last_ids.unwrap_or_default());
        for RestoredAccount { account, balance, entries } in balances {
            let row = state.accounts.change(account.0).ok_or(RestoreError::AccountUnknown { account })?;
            (row.balance, row.entries) = (balance, entries);
        }
        balanced(&state.accounts)?;
        state.days = Days::restored(days, &state.accounts, turnovers)?;
        state.index_parties();
        state.index_accounts();
        state.index_business();
        state.index_own_money();
        state.index_acquiring();
        state.index_timers();
        Ok(state)
    }

    /// Who is who.
    fn index_parties(&mut self) {
        self.users_by_product =
            Index::restored(all(&self.users).map(|user| ((user.customer, user.product.clone()), user.id)));
        self.operator_logins = Index::restored(all(&self.operators).map(|it| (it.login.clone(), it.id)));
        self.agreement_keys = Index::restored(all(&self.agreements).map(|it| (it.key(), it.id)));
        self.stream_names = Index::restored(all(&self.streams).map(|stream| (stream.name.clone(), stream.id)));
        self.template_codes = Index::restored(all(&self.voucher_templates).map(|it| (it.code.clone(), it.id)));
    }

    /// What lies on accounts.
    fn index_accounts(&mut self) {
        let of_customer = |account: &Account| Some(((self.customer_of(account.owner)?, account.id), ()));
        self.customer_accounts = Index::restored(all(&self.accounts).filter_map(of_customer));
        self.institution = Index::restored(all(&self.accounts).filter_map(own_account));
        self.freezes_in_force = Index::restored(all(&self.freezes).filter_map(freeze::in_force_key));
        self.customer_frozen = Index::restored(freeze::customer_sums(all(&self.freezes)));
        self.stop_payments = Index::restored(all(&self.freezes).filter_map(freeze::stop_key));
        self.tree_parents = Index::restored(current(&self.tree_links).map(|link| (link.child, link.id)));
        self.tree_children =
            Index::restored(current(&self.tree_links).map(|link| ((link.parent, link.child), link.id)));
        self.tree_history = Index::restored(all(&self.tree_links).map(|link| ((link.parent, link.id), ())));
        self.tree_run_numbers = Index::restored(all(&self.tree_runs).filter_map(run_number));
        self.quota_charges_by_hold = Index::restored(all(&self.quota_charges).map(|charge| (charge.hold, charge.id)));
        self.open_suspense =
            Index::restored(all(&self.suspense_items).filter_map(suspense::open_key).map(|key| (key, ())));
        self.merchant_certificates =
            Index::restored(all(&self.certificates).map(|certificate| ((certificate.merchant, certificate.id), ())));
        self.certificate_keys = Index::restored(
            all(&self.certificates).map(|certificate| (certificate.public_key.clone(), certificate.id)),
        );
        self.owner_api_keys = Index::restored(all(&self.api_keys).map(|key| ((key.owner, key.id), ())));
        self.customer_sign_ups = Index::restored(all(&self.sign_ups).filter_map(sign_up::customer_key));
        self.sign_up_agreements = Index::restored(all(&self.sign_ups).filter_map(sign_up::agreement_key));
        self.asked_sign_ups = Index::restored(all(&self.sign_ups).filter_map(sign_up::asked_key));
        let checks = all(&self.real_name_checks).filter_map(crate::real_name_check::open_key);
        self.open_real_name_checks = Index::restored(checks);
        self.payee_receivers =
            Index::restored(all(&self.split_receivers).map(|row| ((row.payee, row.receiver), row.id)));
        self.merchant_webhooks =
            Index::restored(all(&self.webhooks).map(|webhook| ((webhook.merchant, webhook.id), ())));
        self.blocked = Index::restored(all(&self.block_entries).filter_map(block_list::index_key));
        self.stopped_cards = Index::restored(all(&self.bank_cards).filter_map(bank_card::index_key));
        self.plans_by_account = Index::restored(all(&self.withdrawal_plans).filter_map(withdrawal_plan::index_key));
    }

    /// What is not finished.
    fn index_business(&mut self) {
        self.open_payouts = Index::restored(all(&self.payouts).filter_map(open_payout));
        self.due = Index::restored(all(&self.orders).flat_map(|order| order.dues()));
        self.uncleared = Index::restored(all(&self.attempts).filter_map(uncleared));
        self.uncleared_returns = Index::restored(all(&self.payouts).filter_map(uncleared_return));
        self.clearing_files =
            Index::restored(all(&self.clearings).map(|it| ((it.channel_name(), it.date, it.part), it.id)));
        let differences = all(&self.clearings).flat_map(difference::open_keys);
        self.open_differences = Index::restored(differences.map(|id| (id, ())));
        let stood = all(&self.clearings).flat_map(|it| it.numbered()).filter_map(|(id, it)| stood_key(id, it));
        self.stood_lines = Index::restored(stood.map(|key| (key, ())));
        let uncertain = || all(&self.attempts).filter(|it| is_uncertain(it));
        let leases = uncertain().filter_map(fund_batch::quota::lease_key).map(|key| (key, ()));
        (self.outbox, self.lease_tries) = (Index::restored(uncertain().map(|it| (it.id, ()))), Index::restored(leases));
        self.batches_by_day =
            Index::restored(all(&self.withdrawal_batches).map(|batch| ((batch.date, batch.number), batch.id)));
        self.open_withdrawals = Index::restored(all(&self.withdrawals).filter_map(withdrawal::open_key));
        self.carried_withdrawals = Index::restored(all(&self.withdrawals).filter_map(withdrawal::carried_key));
        self.retry_codes = Index::restored(all(&self.retry_rules).map(|rule| (rule.code.clone(), rule.id)));
    }

    /// What concerns the institution's own money.
    fn index_own_money(&mut self) {
        let found = || all(&self.suspense_items).flat_map(|item| &item.allocations);
        let of_found = |it: &suspense::Allocation| Some((it.session?, it.amount));
        let files = all(&self.clearings).map(|it| (it.session(), it.session_net()));
        let cards = all(&self.card_clearings).map(|it| (it.session(), it.net()));
        let lines = all(&self.reserve_lines).filter_map(ReserveLine::of_session);
        let sessions = session::restored(files.chain(cards), lines.chain(found().filter_map(of_found)));
        // Of what was booked before its line: what booked it, the lines that booked nothing, and what left 1101.
        let bank = self.institution.get(&(Subject::CentralBank, Currency::Cny));
        let files = all(&self.clearings).map(|it| (it.session(), it.booked_ahead()));
        let cards = all(&self.card_clearings).filter(|it| it.voucher.is_some()).map(|it| (it.session(), it.net()));
        let lines = all(&self.reserve_lines).filter(|it| it.voucher.is_none()).filter_map(ReserveLine::of_session);
        let left = found().filter(|it| Some(&it.to) == bank).filter_map(of_found);
        let booked = session::restored(files.chain(cards), lines.chain(left));
        self.booked_sessions = Index::restored(booked);
        let of_session = |(&(rail, date), &awaited): (&(Rail, Date), &Minor)| {
            ((Currency::Cny, awaited, LineTarget::Clearing { rail, date }), ())
        };
        let transfers = all(&self.own_transfers).filter_map(OwnTransfer::awaited).map(|key| (key, ()));
        self.awaited_lines = Index::restored(transfers.chain(sessions.iter().map(of_session)));
        self.awaited_sessions = Index::restored(sessions);
        self.line_references = Index::restored(all(&self.reserve_lines).map(|line| (line.reference.clone(), line.id)));
        self.statement_balances =
            Index::restored(all(&self.reserve_balances).map(|it| ((it.date, it.currency), it.id)));
        self.transfer_holds = Index::restored(all(&self.own_transfers).filter_map(transfer_hold));
        let owed = all(&self.arrears).filter(|it| it.left() > 0);
        self.open_arrears = Index::restored(owed.map(|it| ((it.merchant, it.id), ())));
        self.chargeback_cases = Index::restored(all(&self.chargebacks).map(|it| (it.case_number.clone(), it.id)));
        self.merchant_advances = Index::restored(all(&self.advances).map(|it| ((it.merchant, it.date, it.id), ())));
        let uncertain = all(&self.advances).filter(|it| Advance::is_uncertain(it));
        self.open_advances = Index::restored(uncertain.map(|it| ((it.merchant, it.id), ())));
        let claimed = all(&self.advances).filter(|it| it.needs_person());
        self.claimed_advances = Index::restored(claimed.map(|it| (it.id, ())));
    }

    /// What concerns cards at terminals.
    fn index_acquiring(&mut self) {
        self.card_fee_plan_codes =
            Index::restored(all(&self.card_fee_plans).map(|it| ((it.code.clone(), it.from), it.id)));
        self.card_cost_days = Index::restored(all(&self.card_costs).map(|it| ((it.scheme, it.from), it.id)));
        self.fee_plan_days =
            Index::restored(all(&self.fee_plans).map(|it| ((it.owner.clone(), it.of, it.from), it.id)));
        self.merchant_numbers = Index::restored(all(&self.acquirings).map(|it| (it.number, it.id)));
        let by_category = all(&self.acquirings).map(|it| ((it.merchant, it.number.category()), it.id));
        self.acquiring_categories = Index::restored(by_category);
        let cards = || all(&self.card_transactions);
        let (outbox, traces) = (cards().filter_map(card_transaction::outbox_key).map(|key| (key, ())), cards());
        let traces = traces.filter_map(|it| card_transaction::trace_key(it).map(|key| (key, it.id)));
        let held = |it: &CardTransaction| {
            card_transaction::hold_keys(it).into_iter().map(|hold| (hold, it.id)).collect::<Vec<_>>()
        };
        let preauthorised = cards().filter_map(card_transaction::preauthorisation_key).map(|key| (key, ()));
        let uncleared = cards().filter_map(card_transaction::uncleared_key).map(|key| (key, ()));
        let indexes = (
            Index::restored(outbox),
            Index::restored(traces),
            Index::restored(preauthorised),
            Index::restored(cards().flat_map(held)),
            Index::restored(uncleared),
            Index::restored(cards().filter_map(card_transaction::due_key)),
        );
        (
            self.card_outbox,
            self.card_traces,
            self.preauthorisations,
            self.card_holds,
            self.uncleared_cards,
            self.card_due,
        ) = indexes;
        self.terminal_batches = Index::restored(all(&self.batch_closes).map(|it| ((it.terminal, it.batch), it.id)));
        self.card_files = Index::restored(all(&self.card_clearings).map(|it| ((it.date, it.part), it.id)));
        self.terminal_serials = Index::restored(all(&self.terminals).map(|it| (it.serial.clone(), it.id)));
    }

    /// What falls due when.
    fn index_timers(&mut self) {
        let timers = all(&self.holds).filter_map(hold_timer);
        let timers = timers.chain(all(&self.freezes).filter_map(freeze::timer_key));
        let timers = timers.chain(all(&self.tree_links).filter_map(tree::timer));
        let timers = timers.chain(all(&self.approvals).filter_map(approval_timer));
        let timers = timers.chain(all(&self.withdrawals).filter_map(withdrawal::timer));
        let timers = timers.chain(all(&self.attempts).filter_map(front_page::timer));
        let timers = timers.chain(all(&self.sign_ups).filter_map(sign_up::timer));
        let timers = timers.chain(all(&self.orders).filter_map(expiry::timer));
        self.timers = Index::restored(timers);
    }
}

fn all<V: Clone>(table: &Table<V>) -> impl Iterator<Item = &V> {
    table.iter().map(|(_, row)| row)
}

/// Σ debits = Σ credits in each book and currency.
fn balanced(accounts: &Table<Account>) -> Result<(), RestoreError> {
    let mut sums = [[0_i128; Currency::ALL.len()]; Book::ALL.len()];
    for account in all(accounts) {
        let sum =
            sums.get_mut(account.subject.book() as usize).and_then(|sums| sums.get_mut(account.currency as usize));
        let balance = i128::from(account.balance);
        *sum.expect("each book and currency has its sum") += match account.subject.side() {
            Side::Debit => balance,
            Side::Credit => -balance,
        };
    }
    for (book, sums) in Book::ALL.into_iter().zip(sums) {
        for (currency, difference) in Currency::ALL.into_iter().zip(sums) {
            if difference != 0 {
                return Err(RestoreError::Unbalanced { book, currency, difference });
            }
        }
    }
    Ok(())
}

fn transfer_hold(transfer: &OwnTransfer) -> Option<(HoldId, OwnTransferId)> {
    match transfer.status {
        OwnTransferStatus::Open => transfer.hold.map(|hold| (hold, transfer.id)),
        OwnTransferStatus::Done | OwnTransferStatus::Cancelled => None,
    }
}

fn own_account(account: &Account) -> Option<((Subject, Currency), AccountId)> {
    (!account.subject.is_held_by_others()).then_some(((account.subject, account.currency), account.id))
}

fn open_payout(payout: &Payout) -> Option<((AccountId, PayoutId), ())> {
    match payout.status {
        PayoutStatus::Created | PayoutStatus::Held | PayoutStatus::Sent | PayoutStatus::Unknown => {
            Some(((payout.account, payout.id), ()))
        }
        PayoutStatus::Success | PayoutStatus::Failed | PayoutStatus::Cancelled | PayoutStatus::Returned => None,
    }
}

fn uncleared(attempt: &Attempt) -> Option<((ChannelName, Date, AttemptId), ())> {
    match attempt.cleared {
        None => uncleared_key(attempt).map(|key| (key, ())),
        Some(_) => None,
    }
}

fn uncleared_return(payout: &Payout) -> Option<((Rail, Date, PayoutId), ())> {
    match payout.return_cleared {
        None => returns::uncleared_key(payout).map(|key| (key, ())),
        Some(_) => None,
    }
}

fn is_uncertain(attempt: &Attempt) -> bool {
    match attempt.status {
        AttemptStatus::Requested | AttemptStatus::Unknown | AttemptStatus::Waiting => true,
        AttemptStatus::Settled(_) => false,
    }
}

fn hold_timer(hold: &Hold) -> Option<((Time, Timer), ())> {
    match hold.status {
        HoldStatus::Open => Some(((hold.expires_at, Timer::Hold(hold.id)), ())),
        HoldStatus::Confirmed | HoldStatus::Cancelled | HoldStatus::Expired => None,
    }
}

fn current(links: &Table<TreeLink>) -> impl Iterator<Item = &TreeLink> {
    all(links).filter(|link| link.is_current())
}

fn run_number(run: &TreeRun) -> Option<((AccountId, String), TreeRunId)> {
    match &run.cause {
        RunCause::Number(number) => Some(((run.parent, number.clone()), run.id)),
        RunCause::Command | RunCause::Timer => None,
    }
}

fn approval_timer(approval: &Approval) -> Option<((Time, Timer), ())> {
    match approval.status {
        ApprovalStatus::Pending => Some(((approval.expires_at, Timer::Approval(approval.id)), ())),
        ApprovalStatus::Approved | ApprovalStatus::Rejected | ApprovalStatus::Withdrawn | ApprovalStatus::Expired => {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;
    use core::iter::empty;

    use super::*;
    use crate::testkit::{Kit, date};

    fn of(account: u64, balance: Minor) -> RestoredAccount {
        RestoredAccount { account: AccountId(account), balance, entries: 1 }
    }

    #[test]
    fn begun_books_come_back() {
        Kit::new().restore();
        let nothing = State::restore(Core::default(), Changes::default(), &[], empty(), empty()).unwrap();
        assert!(nothing.differing(&State::default()).is_empty());
    }

    #[test]
    fn parts_of_different_states_are_refused() {
        let kit = Kit::new();
        let (core, rows) = (kit.state.core(), kit.rows.clone());
        let restore = |balances: Vec<RestoredAccount>, turnovers: Option<(Date, AccountId, Turnover)>| {
            State::restore(core.clone(), rows.clone(), &[], balances.into_iter(), turnovers.into_iter()).unwrap_err()
        };
        assert_eq!(restore([of(999, 5)].into(), None), RestoreError::AccountUnknown { account: AccountId(999) });
        let error = restore([of(1, 5)].into(), None);
        assert!(matches!(error, RestoreError::Unbalanced { difference: 5 | -5, .. }), "{error}");
        let (day, account) = (date("2026-03-09"), AccountId(1));
        let error = restore(Vec::new(), Some((day, account, Turnover { debit: 1, credit: 0 })));
        assert_eq!(error, RestoreError::DayNotOpen { date: day, account });
        let unknown = AccountId(999);
        let turnover = Some((date("2026-03-05"), unknown, Turnover::default()));
        assert_eq!(restore(Vec::new(), turnover), RestoreError::AccountUnknown { account: unknown });
    }

    #[test]
    fn a_difference_is_named() {
        let mut kit = Kit::new();
        let mut other = kit.state.clone();
        other.now = other.now.plus_ms(1);
        assert_eq!(other.differing(&kit.state), ["now"]);
        kit.user();
        assert_eq!(other.differing(&kit.state), ["now", "position", "customers", "users", "users_by_product"]);
    }
}
