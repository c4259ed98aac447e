//! The end of a run, when every day is closed and nothing is open: the books, the banks and the files are compared.

use domain::attempt::{AttemptStatus, Outcome, Rail};
use domain::business_day::DayStatus;
use domain::calendar::Date;
use domain::ids::AccountId;
use history::StatementQuery;
use journal::Journal as _;
use sandbox::bank;

use crate::check::{Checked, broken};
use crate::operator::Chore;
use crate::rare;
use crate::sessions;
use crate::under_way;
use crate::world::World;

impl World {
    /// Takes what the banks still have to tell, and compares.
    pub(crate) fn ends(&mut self, days: &[Date]) -> Checked {
        // Once more: what was done at the banks after a day's file was taken is in the last one.
        self.chore(Chore::Cut);
        let last = days.last().copied().unwrap_or_default().plus_days(1);
        self.finish_day(last);
        // A payment may come back on any day, also on the one that just began.
        for date in days.iter().copied().chain([last.plus_days(1)]) {
            self.chore(Chore::Returns(date));
        }
        self.drains()?;
        self.takes_owed_lines();
        self.drains()?;
        for date in days.iter().chain([&last]) {
            let status = self.follower.state().days.get(*date).map(|day| day.status);
            if status != Some(DayStatus::Closed) {
                return broken("every day closes", format!("{date} is {status:?}"));
            }
        }
        under_way::sound(self.follower.state())?;
        sessions::sound(self.follower.state())?;
        self.banks_agree()?;
        // What is given back of money that no order could use is done at the banks on the day after.
        self.sums_agree(days.first().copied().unwrap_or_default(), last.plus_days(1))?;
        sessions::all_came(self.follower.state())?;
        self.statements_agree(last.plus_days(1))?;
        self.follower.replays(&self.disk)?;
        self.last_start()?;
        self.stats.rare = rare::of(self.follower.state());
        self.stats.events = self.follower.position();
        self.stats.rows = u64::try_from(self.follower.rows()).expect("it fits");
        self.rots()
    }

    /// What each serial came to is what the bank says of it.
    fn banks_agree(&mut self) -> Checked {
        let attempts: Vec<_> = self.follower.state().attempts.iter().map(|(_, attempt)| attempt.clone()).collect();
        for attempt in attempts {
            let done = self.bank_did(&attempt);
            let booked = matches!(attempt.status, AttemptStatus::Settled(Outcome::Success { .. }));
            if done != booked {
                let says = if done { "that it did it" } else { "that it did not" };
                let found = format!("{} is {:?} in the books, the bank says {says}", attempt.id, attempt.status);
                return broken("banks and books agree", found);
            }
        }
        Ok(())
    }

    /// What the banks did on all days and rails, in sum, is what the books say they did: no serial is in one alone.
    fn sums_agree(&self, first: Date, last: Date) -> Checked {
        for (rail, there) in
            [(Rail::Epcc, bank::Rail::Epcc), (Rail::UnionPay, bank::Rail::UnionPay), (Rail::Fund, bank::Rail::Fund)]
        {
            let (mut at_bank, mut in_books) = (0_i128, 0_i128);
            let mut date = first;
            while date <= last {
                let civil: jiff::civil::Date = date.to_string().parse().expect("a date is a date");
                let totals = self.network.bank.ledger_totals(civil, there);
                at_bank += i128::from(totals.in_sum) - i128::from(totals.out_sum);
                date = date.plus_days(1);
            }
            let state = self.follower.state();
            let subject = state.institution(rail.subject(), domain::money::Currency::Cny);
            if let Ok(account) = subject {
                in_books += self.follower.balance_at(account, self.follower.position());
            }
            // The claims lie on the account over which a fund is cleared.
            in_books -= if rail == Rail::Fund { self.follower.claimed() } else { 0 };
            // What the lines of its sessions moved on to the central bank counts too.
            in_books += sessions::brought(state, rail);
            if at_bank != in_books {
                let found = format!("{}: the banks moved {at_bank}, the books {in_books}", rail.name());
                return broken("banks and books agree", found);
            }
        }
        Ok(())
    }

    /// Statements of some accounts over files and tail close at their balances.
    fn statements_agree(&mut self, to: Date) -> Checked {
        for _ in 0..4 {
            let ids: Vec<AccountId> = self.follower.state().accounts.iter().map(|(_, account)| account.id).collect();
            let Some(account) = self.random.pick(&ids).copied() else { return Ok(()) };
            let Some(node) = &self.node else { return Ok(()) };
            let side = self.follower.state().accounts.get(account.0).map(|account| account.subject.side());
            let Some(side) = side else { continue };
            let tail = node.tail.snapshot();
            let law = "statements are the books";
            let _reading = node.history.reading();
            let rows = store::run::segments(&node.store, None, None, Some(to), Some(account));
            let rows = rows.or_else(|error| broken(law, error.to_string()))?;
            let from = crate::commands::first_day();
            let query = StatementQuery { account, side, from, to, after: None, limit: 10_000 };
            let statement = node.history.statement(&query, &tail, &rows);
            let statement = statement.or_else(|error| broken(law, error.to_string()))?;
            let expected = self.follower.balance_at(account, self.follower.position());
            if i128::from(statement.closing) != expected {
                let found = format!("{account} closes at {}, its entries add up to {expected}", statement.closing);
                return broken(law, found);
            }
        }
        Ok(())
    }

    /// A last stop and start: everything answered is still there.
    fn last_start(&mut self) -> Checked {
        self.crash()?;
        self.run_until("the last start", |world| world.node.is_some())
    }

    /// One turned bit, anywhere in the journal, is found by whoever reads it.
    fn rots(&mut self) -> Checked {
        let selector = self.random.next();
        let Some(node) = &mut self.node else { return Ok(()) };
        if self.disk.rot(selector) && node.journal.read(1, usize::MAX).is_ok() {
            return broken("a turned bit is found", format!("selector {selector}"));
        }
        Ok(())
    }
}
