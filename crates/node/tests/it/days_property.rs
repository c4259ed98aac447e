//! Random histories over many days, some closed, some not, with checkpoints and restarts between: at every day of them
//! statements, end-of-day files, the state's own columns and a plain sum of the vouchers say the same.

use std::collections::BTreeMap;

use domain::book::Side;
use domain::business_day::DayStatus;
use domain::calendar::Date;
use domain::ids::AccountId;
use domain::{Command, State};
use history::StatementQuery;
use node::close;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::world::{World, day, transfer};

#[derive(Debug, Clone)]
enum Act {
    Open,
    Transfer {
        from: Index,
        to: Index,
        amount: i64,
    },
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
        3 => (1_i32..4).prop_map(Act::Cut),
        2 => Just(Act::Close),
        2 => Just(Act::Checkpoint),
        1 => Just(Act::Restart),
    ];
    proptest::collection::vec(act, 1..100)
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

fn perform(world: &mut World, accounts: &mut Vec<AccountId>, act: &Act) {
    match act {
        Act::Open => accounts.push(world.open_account()),
        // An account that pays itself is refused.
        Act::Transfer { from, to, amount } => {
            drop(world.when(transfer(*from.get(accounts), *to.get(accounts), *amount)));
        }
        // The eighth open day is refused.
        Act::Cut(days) => {
            let next = world.engine.state().days.current().map(|date| date.plus_days(*days));
            drop(world.when(Command::CutDay { next }));
        }
        Act::Close => close_oldest(world),
        Act::Checkpoint => world.checkpoint(),
        Act::Restart => {
            let durable = world.durable_accounts();
            accounts.retain(|account| account.0 <= durable);
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

/// Every account at every day: four ways to the same figure.
fn every_day_agrees(world: &World) {
    let (state, rows, tail) = (world.engine.state(), world.rows(), world.tail.snapshot());
    let last = state.days.current().unwrap();
    let all: Vec<Date> = (0..).map(day).take_while(|date| *date <= last).collect();
    let closed = closed(state);
    for (_, account) in state.accounts.iter() {
        let side = account.subject.side();
        let sums = summed(world, account.id, side);
        let at = |date: Date| sums.range(..=date).next_back().map_or(0, |(_, sum)| *sum);
        for date in all.iter().copied() {
            let query = StatementQuery { account: account.id, side, from: date, to: date, after: None, limit: 1 };
            let statement = world.history.statement(&query, &tail, &rows).unwrap();
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
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(16) })]

    #[test]
    fn statements_and_ends_of_days_agree_at_every_day(acts in acts()) {
        let mut world = World::of("Test Pay");
        let mut accounts = vec![world.open_account(), world.open_account()];
        world.flush();
        for act in &acts {
            perform(&mut world, &mut accounts, act);
            if matches!(act, Act::Restart) {
                world = world.reopened();
                every_day_agrees(&world);
            }
        }
        world.flush();
        every_day_agrees(&world);
        world.checkpoint();
        every_day_agrees(&world);
    }
}
