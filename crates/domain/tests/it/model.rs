//! What the books should show, told in maps: balances move by the two sides of a transfer, available is what is left.

use std::collections::BTreeMap;

use domain::book::{Side, Subject};
use domain::calendar::Date;
use domain::envelope::Time;
use domain::ids::{AccountId, FreezeId, HoldId, PayoutId};
use domain::money::Currency;

/// One account.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) subject: Subject,
    pub(crate) currency: Currency,
    pub(crate) balance: i128,
    pub(crate) in_barred: bool,
    pub(crate) out_barred: bool,
    pub(crate) closed: bool,
    pub(crate) of_agreement: bool,
}

/// Where a payout stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Held,
    Sent,
    Arrived,
    Over,
}

/// One payout.
#[derive(Debug, Clone)]
pub(crate) struct Payout {
    pub(crate) account: AccountId,
    pub(crate) amount: i128,
    pub(crate) fee: i128,
    pub(crate) stage: Stage,
    /// Whether it goes to a settlement account.
    pub(crate) settles: bool,
    /// Where it arrives if that is in these books.
    pub(crate) within: Option<AccountId>,
}

/// The books.
#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    pub(crate) accounts: BTreeMap<AccountId, Line>,
    /// What is still held by hand, until when.
    pub(crate) holds: BTreeMap<HoldId, (AccountId, i128, Time)>,
    /// What is still frozen, until when.
    pub(crate) freezes: BTreeMap<FreezeId, (AccountId, i128, Option<Time>)>,
    pub(crate) payouts: BTreeMap<PayoutId, Payout>,
    /// Debits and credits of each day that is not closed.
    pub(crate) turnover: BTreeMap<(Date, AccountId), (i128, i128)>,
    /// Every balance at the end of each day that was cut and is not closed.
    pub(crate) ends: BTreeMap<Date, BTreeMap<AccountId, i128>>,
    pub(crate) today: Date,
}

/// Whether a sum can stand in an account.
fn fits(sum: i128) -> bool {
    i64::try_from(sum).is_ok()
}

impl Model {
    pub(crate) fn opened(&mut self, id: AccountId, subject: Subject, currency: Currency, of_agreement: bool) {
        let line =
            Line { subject, currency, balance: 0, in_barred: false, out_barred: false, closed: false, of_agreement };
        self.accounts.insert(id, line);
    }

    fn line(&self, id: AccountId) -> &Line {
        self.accounts.get(&id).expect("the model knows the account")
    }

    pub(crate) fn held(&self, id: AccountId) -> i128 {
        let by_hand = self.holds.values().filter(|(account, ..)| *account == id).map(|(_, left, _)| *left);
        let payouts = self.payouts.values().filter(|p| p.account == id && p.stage == Stage::Held);
        by_hand.chain(payouts.map(|p| p.amount + p.fee)).sum()
    }

    pub(crate) fn frozen(&self, id: AccountId) -> i128 {
        self.freezes.values().filter(|(account, ..)| *account == id).map(|(_, left, _)| *left).sum()
    }

    pub(crate) fn available(&self, id: AccountId) -> i128 {
        let free = self.line(id).balance - self.held(id);
        // Of an account that may be overdrawn without bound more can be held than a sum can show.
        (free - self.frozen(id).min(free.max(0))).max(i64::MIN.into())
    }

    /// Whether `amount` may be held on the account.
    pub(crate) fn may_hold(&self, id: AccountId, amount: i128) -> bool {
        let line = self.line(id);
        let covered = line.subject.overdraft() || self.available(id) >= amount;
        amount > 0 && !line.closed && !line.out_barred && covered && fits(self.held(id) + amount)
    }

    /// Whether someone may move `amount` from one account to another by hand, both in one book and currency.
    pub(crate) fn may_transfer(&self, debit: AccountId, credit: AccountId, amount: i128) -> bool {
        let may_enter = |id: AccountId, side: Side| {
            let line = self.line(id);
            let grows = line.subject.side() == side;
            let barred = if grows { line.in_barred } else { line.out_barred };
            let covered = grows || line.subject.overdraft() || self.available(id) >= amount;
            let sum = line.balance + if grows { amount } else { -amount };
            let by_hand = line.subject != Subject::CentralBank && (grows || !line.of_agreement);
            // The day's turnover must fit on either side, whichever this entry is on.
            let (debits, credits) = self.turnover.get(&(self.today, id)).copied().unwrap_or_default();
            let room = fits(debits + amount) && fits(credits + amount);
            !line.closed && !barred && covered && fits(sum) && by_hand && room
        };
        amount > 0
            && debit != credit
            && self.line(debit).subject.book() == self.line(credit).subject.book()
            && self.line(debit).currency == self.line(credit).currency
            && may_enter(debit, Side::Debit)
            && may_enter(credit, Side::Credit)
    }

    /// Whether every sum is far from the range's end, so that nothing is refused for it.
    pub(crate) fn is_small(&self) -> bool {
        let balances = self.accounts.values().map(|line| line.balance.abs());
        let moved = self.turnover.values().flat_map(|(debits, credits)| [*debits, *credits]);
        balances.chain(moved).all(|sum| sum < i128::from(i64::MAX / 2))
    }

    /// Moves `amount`.
    pub(crate) fn transfer(&mut self, debit: AccountId, credit: AccountId, amount: i128) {
        for (id, side) in [(debit, Side::Debit), (credit, Side::Credit)] {
            let line = self.accounts.get_mut(&id).expect("the model knows the account");
            line.balance += if line.subject.side() == side { amount } else { -amount };
            let (debits, credits) = self.turnover.entry((self.today, id)).or_default();
            *match side {
                Side::Debit => debits,
                Side::Credit => credits,
            } += amount;
        }
    }

    /// Time goes on: what has expired is gone.
    pub(crate) fn expire(&mut self, now: Time) {
        self.holds.retain(|_, (.., expires_at)| *expires_at > now);
        self.freezes.retain(|_, (.., expires_at)| expires_at.is_none_or(|at| at > now));
    }

    /// The account's payouts that are not sent are cancelled.
    pub(crate) fn cancel_unsent(&mut self, wanted: impl Fn(&Payout) -> bool) {
        for payout in self.payouts.values_mut().filter(|p| p.stage == Stage::Held && wanted(p)) {
            payout.stage = Stage::Over;
        }
    }

    /// The day is cut: what stands there now is its end.
    pub(crate) fn cut(&mut self, next: Date) {
        let balances = self.accounts.iter().map(|(id, line)| (*id, line.balance)).collect();
        self.ends.insert(self.today, balances);
        self.today = next;
    }

    /// The day is closed.
    pub(crate) fn closed(&mut self, date: Date) {
        self.ends.remove(&date);
        self.turnover.retain(|(day, _), _| *day != date);
    }
}
