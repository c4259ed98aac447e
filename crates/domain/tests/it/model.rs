//! What the books should show, told in maps: balances move by the two sides of a transfer, available is what is left.

use std::collections::{BTreeMap, BTreeSet};

use domain::book::{Side, Subject};
use domain::calendar::Date;
use domain::envelope::Time;
use domain::ids::{AccountId, FreezeId, HoldId, PayoutId, TreeLinkId};
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
    /// Its bank refused it, and may pay it after all.
    Refused,
    /// It did.
    Owed,
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

/// An account under another: from the accounting day on which it was put there until the one on which it was taken away.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) id: TreeLinkId,
    pub(crate) parent: AccountId,
    pub(crate) child: AccountId,
    pub(crate) from: Date,
    pub(crate) until: Option<Date>,
}

/// Money that was announced: to where, from where, how much of it, until when.
#[derive(Debug, Clone)]
pub(crate) struct Announced {
    pub(crate) account: AccountId,
    pub(crate) source: AccountId,
    pub(crate) left: i128,
    pub(crate) expires_at: Time,
}

/// The books.
#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    pub(crate) accounts: BTreeMap<AccountId, Line>,
    /// What is still held by hand, until when.
    pub(crate) holds: BTreeMap<HoldId, (AccountId, i128, Time)>,
    pub(crate) announced: BTreeMap<HoldId, Announced>,
    /// Every link that ever was.
    pub(crate) links: Vec<Link>,
    /// What is still frozen, until when.
    pub(crate) freezes: BTreeMap<FreezeId, (AccountId, i128, Option<Time>)>,
    /// What is still frozen of the one customer there is, in which currency, until when.
    pub(crate) customer_freezes: BTreeMap<FreezeId, (Currency, i128, Option<Time>)>,
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

    pub(crate) fn held_in(&self, id: AccountId) -> i128 {
        self.announced.values().filter(|announced| announced.account == id).map(|announced| announced.left).sum()
    }

    /// Whether `amount` may be announced to an account from another.
    pub(crate) fn may_announce(&self, id: AccountId, source: AccountId, amount: i128) -> bool {
        let (line, from) = (self.line(id), self.line(source));
        let grows = from.subject.side() == line.subject.side().opposite();
        amount > 0
            && id != source
            && !line.closed
            && !line.in_barred
            && !line.of_agreement
            && !from.closed
            && (grows || !from.of_agreement)
            && line.subject.book() == from.subject.book()
            && line.currency == from.currency
            && fits(self.held_in(id) + amount)
    }

    /// Those under an account, now or at the end of a day.
    fn children(&self, id: AccountId, date: Option<Date>) -> impl Iterator<Item = AccountId> {
        let holds = move |link: &&Link| match date {
            None => link.until.is_none(),
            Some(date) => link.from <= date && link.until.is_none_or(|until| date < until),
        };
        self.links.iter().filter(move |link| link.parent == id).filter(holds).map(|link| link.child)
    }

    pub(crate) fn parent(&self, id: AccountId) -> Option<AccountId> {
        self.links.iter().find(|link| link.child == id && link.until.is_none()).map(|link| link.parent)
    }

    /// Whether an account is under another or has one under it.
    pub(crate) fn is_linked(&self, id: AccountId) -> bool {
        self.parent(id).is_some() || self.children(id, None).next().is_some()
    }

    /// How many levels there are from an account down.
    fn levels(&self, id: AccountId) -> usize {
        1 + self.children(id, None).map(|child| self.levels(child)).max().unwrap_or_default()
    }

    /// Whether one may be put under the other; both are of the one customer there is, or the institution's.
    pub(crate) fn may_link(&self, parent: AccountId, child: AccountId) -> bool {
        let (above, below) = (self.line(parent), self.line(child));
        let up: Vec<AccountId> = std::iter::successors(Some(parent), |id| self.parent(*id)).collect();
        [above, below].iter().all(|line| line.subject.is_held_by_others() && !line.closed)
            && !above.of_agreement
            && above.subject.book() == below.subject.book()
            && self.parent(child).is_none()
            && !up.contains(&child)
            && up.len() + self.levels(child) <= domain::tree::MAX_DEPTH
    }

    /// What an account and all below it hold, by subject and currency: as `own` tells it of each.
    pub(crate) fn rolled_up(
        &self,
        id: AccountId,
        date: Option<Date>,
        own: &dyn Fn(AccountId) -> Option<i128>,
    ) -> BTreeMap<(Subject, Currency), i128> {
        let mut sums = BTreeMap::new();
        if let Some(amount) = own(id) {
            sums.insert((self.line(id).subject, self.line(id).currency), amount);
        }
        for child in self.children(id, date) {
            for (key, amount) in self.rolled_up(child, date, own) {
                *sums.entry(key).or_default() += amount;
            }
        }
        sums
    }

    pub(crate) fn frozen(&self, id: AccountId) -> i128 {
        self.freezes.values().filter(|(account, ..)| *account == id).map(|(_, left, _)| *left).sum()
    }

    /// The customer's accounts that a freeze of the customer lies on.
    pub(crate) fn in_scope(&self) -> BTreeSet<AccountId> {
        let of_customer = |line: &Line| matches!(line.subject.code(), 2201..=2204 | 2206);
        self.accounts.iter().filter(|(_, line)| of_customer(line)).map(|(id, _)| *id).collect()
    }

    /// What an account's own holds and freezes leave of it, if its balance were changed so.
    fn free(&self, id: AccountId, change: i128) -> i128 {
        (self.line(id).balance + change - self.held(id) - self.frozen(id)).max(0)
    }

    /// What may leave all accounts of the customer in a currency together; without bound where nothing is frozen.
    fn room(&self, currency: Currency) -> Option<i128> {
        let frozen: Vec<i128> =
            self.customer_freezes.values().filter(|(of, ..)| *of == currency).map(|(_, left, _)| *left).collect();
        if frozen.is_empty() {
            return None;
        }
        let scope = self.in_scope().into_iter().filter(|id| self.line(*id).currency == currency);
        let free: i128 = scope.map(|id| self.free(id, 0)).sum();
        Some((free - frozen.iter().sum::<i128>()).max(0))
    }

    /// Whether the customer's freezes let a transfer go: what its accounts lose together is within the room.
    fn customer_lets(&self, debit: AccountId, credit: AccountId, amount: i128) -> bool {
        let Some(room) = self.room(self.line(debit).currency) else { return true };
        let scope = self.in_scope();
        let lost = |id: AccountId, side: Side| {
            let change = if self.line(id).subject.side() == side { amount } else { -amount };
            if scope.contains(&id) { self.free(id, 0) - self.free(id, change) } else { 0 }
        };
        lost(debit, Side::Debit) + lost(credit, Side::Credit) <= room
    }

    /// What may go out of an account, the customer's freezes counted.
    pub(crate) fn available(&self, id: AccountId) -> i128 {
        let own = self.own_available(id);
        let room = self.room(self.line(id).currency).filter(|_| self.in_scope().contains(&id));
        room.map_or(own, |room| own.min(room))
    }

    fn own_available(&self, id: AccountId) -> i128 {
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
            let covered = grows || line.subject.overdraft() || self.own_available(id) >= amount;
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
            && self.customer_lets(debit, credit, amount)
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
        self.announced.retain(|_, announced| announced.expires_at > now);
        self.freezes.retain(|_, (.., expires_at)| expires_at.is_none_or(|at| at > now));
        self.customer_freezes.retain(|_, (.., expires_at)| expires_at.is_none_or(|at| at > now));
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
