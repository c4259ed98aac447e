//! Random histories over many days, some closed, some not, with checkpoints and restarts between: at every day of them
//! statements, end-of-day files, the state's own columns and a plain sum of the vouchers say the same, and so do the roll-ups
//! of accounts that are put under one another and taken away again.

use std::collections::BTreeMap;

use domain::account::{OpenAccount, Owner};
use domain::book::{Side, Subject};
use domain::business_day::DayStatus;
use domain::calendar::Date;
use domain::customer::{Customer, CustomerKind};
use domain::ids::{AccountId, CustomerId, TreeLinkId, UserId};
use domain::money::Currency;
use domain::sealed::{DataClass, Sealed};
use domain::tree::{Figures, LinkAccounts, TreeCommand, roll_up, walk};
use domain::{Command, Reply, State};
use history::StatementQuery;
use node::close;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::world::{World, day, transfer_in};

#[derive(Debug, Clone)]
enum Act {
    Open,
    Transfer {
        from: Index,
        to: Index,
        amount: i64,
    },
    /// Puts one account under another.
    Link {
        parent: Index,
        child: Index,
    },
    /// Takes one away.
    Unlink(Index),
    /// The next day, so many later.
    Cut(i32),
    /// The oldest cut day is sealed, checked and closed.
    Close,
    Checkpoint,
    Restart,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let transfer = (any::<Index>(), any::<Index>(), 1_i64..1_000_000);
    let act = prop_oneof![
        1 => Just(Act::Open),
        12 => transfer.prop_map(|(from, to, amount)| Act::Transfer { from, to, amount }),
        3 => (any::<Index>(), any::<Index>()).prop_map(|(parent, child)| Act::Link { parent, child }),
        1 => any::<Index>().prop_map(Act::Unlink),
        3 => (1_i32..4).prop_map(Act::Cut),
        2 => Just(Act::Close),
        2 => Just(Act::Checkpoint),
        1 => Just(Act::Restart),
    ];
    proptest::collection::vec(act, 1..100)
}

/// What a link or its end was answered with: at which position, under which number, on which day.
struct Linking {
    position: u64,
    id: TreeLinkId,
    date: Date,
    /// Parent and child; none where the link ended.
    made: Option<(AccountId, AccountId)>,
}

/// What the acts brought about, as far as the world does not tell it.
#[derive(Default)]
struct Known {
    accounts: Vec<AccountId>,
    linkings: Vec<Linking>,
}

impl Known {
    /// Those under an account at the end of a day.
    fn children(&self, id: AccountId, date: Date) -> impl Iterator<Item = AccountId> {
        let ended = move |id: TreeLinkId| {
            self.linkings.iter().any(|linking| linking.id == id && linking.made.is_none() && linking.date <= date)
        };
        let made = self.linkings.iter().filter(move |linking| linking.date <= date && !ended(linking.id));
        made.filter_map(|linking| linking.made).filter(move |(parent, _)| *parent == id).map(|(_, child)| child)
    }

    /// The sum of an account and all below it, by currency.
    fn sum(
        &self,
        id: AccountId,
        date: Date,
        own: &dyn Fn(AccountId) -> Option<(Currency, i64)>,
    ) -> BTreeMap<Currency, i128> {
        let mut sums: BTreeMap<Currency, i128> =
            own(id).into_iter().map(|(currency, amount)| (currency, amount.into())).collect();
        for child in self.children(id, date) {
            for (currency, amount) in self.sum(child, date, own) {
                *sums.entry(currency).or_default() += amount;
            }
        }
        sums
    }
}

/// Books with a user whose custody accounts, in yuan and in dollars by turns, may be overdrawn.
fn books() -> (World, Known) {
    let mut world = World::of("Test Pay");
    let sealed = || Sealed { ciphertext: vec![7; 24], key: 1, mask: "张*".into(), class: DataClass::C2 };
    let (id, kind) = (CustomerId(1), CustomerKind::Person);
    world.given(Command::RegisterCustomer(Customer {
        id,
        kind,
        name: sealed(),
        certificate: sealed(),
        phone: None,
        verification: None,
    }));
    world.given(Command::OpenUser { customer: id, product: "rent".into() });
    let mut known = Known::default();
    for _ in 0..4 {
        open(&mut world, &mut known);
    }
    world.flush();
    (world, known)
}

fn open(world: &mut World, known: &mut Known) {
    let currency = if known.accounts.len().is_multiple_of(3) { Currency::Usd } else { Currency::Cny };
    let (subject, owner) = (Subject::CustodySub, Owner::User(UserId(1)));
    let opened = world.given(Command::OpenAccount(OpenAccount { subject, currency, owner, overdraft: true }));
    let Reply::Account(id) = opened else { panic!("an account was to be opened") };
    known.accounts.push(id);
}

fn link(world: &mut World, known: &mut Known, parent: AccountId, child: AccountId) {
    let command = TreeCommand::link(LinkAccounts { parent, child, agreement: None });
    // A cycle, a second parent and a tree too deep are refused.
    let Ok(Reply::TreeLink(id)) = world.when(command) else { return };
    let (position, date) = (world.engine.state().position, world.engine.state().days.current().unwrap());
    known.linkings.push(Linking { position, id, date, made: Some((parent, child)) });
}

fn unlink(world: &mut World, known: &mut Known, link: Index) {
    let made: Vec<TreeLinkId> =
        known.linkings.iter().filter(|linking| linking.made.is_some()).map(|linking| linking.id).collect();
    if made.is_empty() {
        return;
    }
    let id = *link.get(&made);
    // One that has ended is refused.
    if world.when(Command::Tree(TreeCommand::Unlink(id))).is_ok() {
        let (position, date) = (world.engine.state().position, world.engine.state().days.current().unwrap());
        known.linkings.push(Linking { position, id, date, made: None });
    }
}

fn closed(state: &State) -> Vec<Date> {
    state.days.iter().filter(|day| day.status == DayStatus::Closed).map(|day| day.date).collect()
}

/// Seals, checks and closes the oldest day that is cut.
fn close_oldest(world: &mut World) {
    let current = world.engine.state().days.current();
    let oldest = world.engine.state().days.open_days().next().filter(|date| Some(*date) != current);
    let Some(date) = oldest else { return };
    world.given(Command::SealDay(date));
    world.flush();
    let snapshot = close::snapshot(world.engine.state(), date).unwrap();
    let found = world.projector.close(&snapshot).unwrap();
    let checks = snapshot.checks.iter().cloned().chain([found]).collect::<Vec<_>>();
    assert!(checks.iter().all(|check| check.holds), "{checks:?}");
    world.given(Command::CloseDay { date, position: snapshot.sealed, checks });
    world.flush();
    assert_eq!(world.engine.state().days.get(date).unwrap().status, DayStatus::Closed);
}

fn perform(world: &mut World, known: &mut Known, act: &Act) {
    match act {
        Act::Open => open(world, known),
        // An account that pays itself, and one that pays another currency's, is refused.
        Act::Transfer { from, to, amount } => {
            let (from, to) = (*from.get(&known.accounts), *to.get(&known.accounts));
            let currency = world.engine.state().account(from, "from").unwrap().currency;
            drop(world.when(transfer_in(from, to, *amount, currency)));
        }
        Act::Link { parent, child } => {
            let (parent, child) = (*parent.get(&known.accounts), *child.get(&known.accounts));
            link(world, known, parent, child);
        }
        Act::Unlink(link) => unlink(world, known, *link),
        // The eighth open day is refused.
        Act::Cut(days) => {
            let next = world.engine.state().days.current().map(|date| date.plus_days(*days));
            drop(world.when(Command::CutDay { next }));
        }
        Act::Close => close_oldest(world),
        Act::Checkpoint => world.checkpoint(),
        Act::Restart => {
            let durable = world.durable_accounts();
            known.accounts.retain(|account| account.0 <= durable);
        }
    }
}

/// The sum of all vouchers dated on a day or before, on the side on which the account grows.
fn summed(world: &World, account: AccountId, side: Side) -> BTreeMap<Date, i64> {
    let mut sums = BTreeMap::new();
    let mut entries: Vec<_> = world.posted.iter().filter(|entry| entry.account == account).collect();
    entries.sort_by_key(|entry| (entry.date, entry.number));
    let mut sum = 0;
    for entry in entries {
        sum += if entry.side == side { entry.amount } else { -entry.amount };
        sums.insert(entry.date, sum);
    }
    sums
}

/// Every account at every day: four ways to the same figure, and two to that of all below it.
fn every_day_agrees(world: &World, known: &Known) {
    let (state, rows, tail) = (world.engine.state(), world.rows(), world.tail.snapshot());
    let last = state.days.current().unwrap();
    let all: Vec<Date> = (0..).map(day).take_while(|date| *date <= last).collect();
    let closed = closed(state);
    let mut ends: BTreeMap<(Date, AccountId), i64> = BTreeMap::new();
    for (_, account) in state.accounts.iter() {
        let side = account.subject.side();
        let sums = summed(world, account.id, side);
        let at = |date: Date| sums.range(..=date).next_back().map_or(0, |(_, sum)| *sum);
        for date in all.iter().copied() {
            let query = StatementQuery { account: account.id, side, from: date, to: date, after: None, limit: 1 };
            let statement = world.history.statement(&query, &tail, &rows).unwrap();
            ends.insert((date, account.id), at(date));
            let expected = (at(date.plus_days(-1)), at(date));
            assert_eq!((statement.opening, statement.closing), expected, "{} on {date}", account.id);
            if let Some(closing) = state.days.closing(account, date) {
                assert_eq!(closing, at(date), "{} on {date} in the state", account.id);
            }
            if closed.contains(&date) {
                let end = close::end_of_day(&rows, date).expect("a closed day has its file");
                let filed = world.history.day_balance(end, account.id).unwrap();
                // An account opened later is not in the file.
                assert_eq!(filed.map_or(0, |filed| filed.posted), at(date), "{} on {date} in its file", account.id);
            }
        }
    }
    for date in all {
        every_roll_up_agrees(world, known, date, &ends);
    }
}

/// What each account and all below it held at the end of a day: by the tree of that day over the day's file or, while it is
/// open, the state; and by the links as they were answered over plain sums.
fn every_roll_up_agrees(world: &World, known: &Known, date: Date, ends: &BTreeMap<(Date, AccountId), i64>) {
    let (state, rows) = (world.engine.state(), world.rows());
    let is_closed = closed(state).contains(&date);
    let end = close::end_of_day(&rows, date).filter(|_| is_closed);
    let shown = |id: AccountId| match end {
        Some(end) => {
            let filed = world.history.day_balance(end, id).unwrap()?;
            Some(((filed.subject, filed.currency), Figures::at_end(filed.posted)))
        }
        None => domain::tree::own_at_end(state, id, date),
    };
    let summed = |id: AccountId| {
        let currency = state.account(id, "account").unwrap().currency;
        ends.get(&(date, id)).map(|amount| (currency, *amount))
    };
    // A day between two accounting days has neither an end nor a tree of its own.
    if !is_closed && !state.days.open_days().any(|open| open == date) {
        return;
    }
    for id in &known.accounts {
        let sums = roll_up(&walk(state, *id, Some(date)), shown).into_iter().next().unwrap_or_default();
        let mut told: BTreeMap<Currency, i128> = BTreeMap::new();
        for ((subject, currency), figures) in sums {
            assert_eq!(subject, Subject::CustodySub);
            *told.entry(currency).or_default() += figures.balance;
        }
        // An account opened later is not in the file; it held nothing.
        told.retain(|_, sum| *sum != 0);
        let mut expected = known.sum(*id, date, &summed);
        expected.retain(|_, sum| *sum != 0);
        assert_eq!(told, expected, "{id} and below it on {date}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(16) })]

    #[test]
    fn statements_and_ends_of_days_agree_at_every_day(acts in acts()) {
        let (mut world, mut known) = books();
        for act in &acts {
            perform(&mut world, &mut known, act);
            if matches!(act, Act::Restart) {
                world = world.reopened();
                let durable = world.engine.state().position;
                known.linkings.retain(|linking| linking.position <= durable);
                every_day_agrees(&world, &known);
            }
        }
        world.flush();
        every_day_agrees(&world, &known);
        world.checkpoint();
        every_day_agrees(&world, &known);
    }
}
