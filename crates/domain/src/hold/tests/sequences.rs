//! Sequences of confirms in a table, a line a step; and random ones beside a small obvious model.

use alloc::collections::BTreeMap;
use alloc::vec;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;

#[derive(Debug, Clone, Copy)]
enum Step {
    Confirm(Option<Minor>),
    Cancel,
    /// So many milliseconds later the timer runs.
    Tick(i64),
    /// So many milliseconds pass and no timer runs.
    Pass(i64),
    Extend(i64),
}

/// What a step is refused with, or balance, held out, available, the receiver's balance and how many confirms there were.
type Line = (Step, Result<[Minor; 5], RefusalCode>);

fn run(lines: &[Line]) {
    let mut world = world();
    for (at, (step, expected)) in lines.iter().enumerate() {
        let hold = world.hold;
        let command = match *step {
            Step::Confirm(amount) => world.confirm(amount),
            Step::Cancel => Command::CancelHold(hold),
            Step::Tick(ms) => {
                world.kit.later(ms);
                Command::Tick
            }
            Step::Pass(ms) => {
                world.kit.later(ms);
                continue;
            }
            Step::Extend(ms) => {
                let expires_at = world.kit.stored_hold(hold).expires_at.plus_ms(ms);
                Command::Hold(HoldCommand::Extend { hold, expires_at })
            }
        };
        let found = world.kit.when(command).map_err(|refusal| refusal.code).map(|_| {
            let (balance, held, available) = world.money();
            let confirms = world.kit.stored_hold(hold).confirms.len();
            [balance, held, available, world.kit.balance(world.to), Minor::try_from(confirms).unwrap()]
        });
        assert_eq!(&found, expected, "line {at}: {step:?}");
        world.kit.restore();
    }
}

#[test]
fn parts_up_to_the_held_amount() {
    use RefusalCode::{AmountNotPositive, HoldExceeded, HoldState};
    run(&[
        // of 1,000 on the account 600 are held
        (Step::Confirm(Some(601)), Err(HoldExceeded)),
        (Step::Confirm(Some(1)), Ok([999, 599, 400, 1, 1])),
        (Step::Confirm(Some(0)), Err(AmountNotPositive)),
        (Step::Confirm(Some(-5)), Err(AmountNotPositive)),
        (Step::Confirm(Some(299)), Ok([700, 300, 400, 300, 2])),
        (Step::Confirm(Some(301)), Err(HoldExceeded)),
        (Step::Confirm(Some(299)), Ok([401, 1, 400, 599, 3])),
        (Step::Confirm(Some(2)), Err(HoldExceeded)),
        (Step::Confirm(Some(1)), Ok([400, 0, 400, 600, 4])),
        (Step::Confirm(Some(1)), Err(HoldState)),
        (Step::Confirm(None), Err(HoldState)),
        (Step::Cancel, Err(HoldState)),
        (Step::Extend(1), Err(HoldState)),
    ]);
}

#[test]
fn cancel_of_the_rest_after_part_confirms() {
    use RefusalCode::HoldState;
    run(&[
        (Step::Confirm(Some(100)), Ok([900, 500, 400, 100, 1])),
        (Step::Confirm(Some(50)), Ok([850, 450, 400, 150, 2])),
        (Step::Cancel, Ok([850, 0, 850, 150, 2])),
        (Step::Confirm(Some(1)), Err(HoldState)),
        (Step::Tick(60_000), Ok([850, 0, 850, 150, 2])),
        (Step::Cancel, Err(HoldState)),
    ]);
}

#[test]
fn expiry_of_the_rest_after_part_confirms() {
    use RefusalCode::HoldExpired;
    run(&[
        (Step::Confirm(Some(100)), Ok([900, 500, 400, 100, 1])),
        (Step::Tick(59_999), Ok([900, 500, 400, 100, 1])),
        (Step::Confirm(Some(100)), Ok([800, 400, 400, 200, 2])),
        (Step::Pass(1), Ok([0; 5])),
        (Step::Confirm(Some(100)), Err(HoldExpired)),
        (Step::Extend(1), Err(HoldExpired)),
        (Step::Tick(0), Ok([800, 0, 800, 200, 2])),
        (Step::Confirm(Some(100)), Err(HoldExpired)),
        (Step::Cancel, Err(HoldExpired)),
        (Step::Extend(1), Err(HoldExpired)),
    ]);
}

#[test]
fn an_extension_moves_the_expiry_and_nothing_else() {
    use RefusalCode::{HoldExpired, ValueInvalid};
    run(&[
        (Step::Extend(0), Err(ValueInvalid)),
        (Step::Extend(-1), Err(ValueInvalid)),
        (Step::Extend(1_000), Ok([1_000, 600, 400, 0, 0])),
        (Step::Tick(60_000), Ok([1_000, 600, 400, 0, 0])),
        (Step::Confirm(Some(10)), Ok([990, 590, 400, 10, 1])),
        (Step::Tick(1_000), Ok([990, 0, 990, 10, 1])),
        (Step::Confirm(None), Err(HoldExpired)),
    ]);
}

/// A random step: which hold or account, how much, how long.
#[derive(Debug, Clone)]
enum Any {
    Place { account: usize, source: Option<usize>, amount: Minor, ms: i64 },
    Confirm { hold: u64, to: usize, amount: Option<Minor> },
    Split { hold: u64, first: Minor, second: Minor },
    Receive { hold: u64, amount: Option<Minor> },
    Cancel { hold: u64 },
    Extend { hold: u64, ms: i64 },
    Later { ms: i64, tick: bool },
}

fn any_step() -> impl Strategy<Value = Any> {
    let amount = || prop_oneof![4 => 1..400_i64, 1 => -1..=1_i64];
    let part = || proptest::option::of(amount());
    let hold = || 1..9_u64;
    prop_oneof![
        4 => (0..3_usize, proptest::option::of(0..3_usize), amount(), 0..5_000_i64)
            .prop_map(|(account, source, amount, ms)| Any::Place { account, source, amount, ms }),
        4 => (hold(), 0..3_usize, part()).prop_map(|(hold, to, amount)| Any::Confirm { hold, to, amount }),
        2 => (hold(), amount(), amount()).prop_map(|(hold, first, second)| Any::Split { hold, first, second }),
        4 => (hold(), part()).prop_map(|(hold, amount)| Any::Receive { hold, amount }),
        1 => hold().prop_map(|hold| Any::Cancel { hold }),
        1 => (hold(), -500..3_000_i64).prop_map(|(hold, ms)| Any::Extend { hold, ms }),
        2 => (0..2_000_i64, any::<bool>()).prop_map(|(ms, tick)| Any::Later { ms, tick }),
    ]
}

/// What the model knows of a hold: on which account, from where, how much is left, until when, and whether it was ended.
#[derive(Debug, Clone)]
struct Kept {
    account: usize,
    source: Option<usize>,
    left: Minor,
    until: i64,
    over: bool,
}

/// Three accounts with 1,000 each and what is held on them, in the plainest words.
#[derive(Debug, Clone)]
struct Model {
    balances: [Minor; 3],
    holds: BTreeMap<u64, Kept>,
    now: i64,
}

impl Model {
    fn held(&self, account: usize, incoming: bool) -> Minor {
        let on = self.holds.values().filter(|it| it.account == account && it.source.is_some() == incoming && !it.over);
        on.map(|it| it.left).sum()
    }

    fn free(&self, account: usize) -> Minor {
        self.balances[account] - self.held(account, false)
    }

    /// Whether so much of a hold can move now.
    fn moves(&self, hold: u64, amount: Option<Minor>, incoming: bool) -> Option<Minor> {
        let line = self.holds.get(&hold).filter(|it| !it.over && it.until > self.now)?;
        let amount = amount.unwrap_or(line.left);
        (line.source.is_some() == incoming && amount > 0 && amount <= line.left).then_some(amount)
    }

    fn take(&mut self, hold: u64, amount: Minor) -> Kept {
        let line = self.holds.get_mut(&hold).expect("it moves");
        line.left -= amount;
        line.over = line.left == 0;
        line.clone()
    }

    /// Does a step if it may be done.
    fn step(&mut self, step: &Any) -> bool {
        match *step {
            Any::Place { account, source, amount, ms } => {
                let covered = source.is_some() || self.free(account) >= amount;
                let may = amount > 0 && ms > 0 && covered && source != Some(account);
                if may {
                    let id = self.holds.len() as u64 + 1;
                    let line = Kept { account, source, left: amount, until: self.now + ms, over: false };
                    self.holds.insert(id, line);
                }
                may
            }
            Any::Confirm { hold, to, amount } => {
                let Some(amount) = self.moves(hold, amount, false).filter(|_| self.holds[&hold].account != to) else {
                    return false;
                };
                let from = self.take(hold, amount).account;
                self.balances[from] -= amount;
                self.balances[to] += amount;
                true
            }
            Any::Split { hold, first, second } => {
                let may = first > 0 && second > 0 && self.moves(hold, Some(first + second), false).is_some();
                if may {
                    let from = self.take(hold, first + second).account;
                    self.balances[from] -= first + second;
                    self.balances[(from + 1) % 3] += first;
                    self.balances[(from + 2) % 3] += second;
                }
                may
            }
            Any::Receive { hold, amount } => {
                let Some(amount) = self.moves(hold, amount, true) else { return false };
                let source = self.holds[&hold].source.expect("announced money names its source");
                if self.free(source) < amount {
                    return false;
                }
                let account = self.take(hold, amount).account;
                self.balances[source] -= amount;
                self.balances[account] += amount;
                true
            }
            Any::Cancel { hold } => {
                self.holds.get_mut(&hold).is_some_and(|line| !core::mem::replace(&mut line.over, true))
            }
            Any::Extend { hold, ms } => {
                let now = self.now;
                let line = self.holds.get_mut(&hold).filter(|it| !it.over && it.until > now && ms > 0);
                line.map(|line| line.until += ms).is_some()
            }
            Any::Later { ms, tick } => {
                self.now += ms;
                for line in self.holds.values_mut().filter(|line| tick && line.until <= self.now) {
                    line.over = true;
                }
                true
            }
        }
    }
}

fn command(kit: &mut Kit, accounts: [AccountId; 3], step: &Any) -> Option<Command> {
    Some(Command::Hold(match *step {
        Any::Place { account, source, amount, ms } => {
            let (account, expires_at) = (accounts[account], kit.now.plus_ms(ms));
            let terms = PlaceHold { account, amount, currency: CNY, expires_at };
            HoldCommand::Place(NewHold { terms, source: source.map(|at| accounts[at]), reference: None })
        }
        Any::Confirm { hold, to, amount } => {
            return Some(Command::ConfirmHold { hold: HoldId(hold), amount, to: accounts[to] });
        }
        Any::Split { hold, first, second } => {
            let from = kit.state.hold(HoldId(hold)).ok()?.account;
            let at = accounts.iter().position(|account| *account == from)?;
            let part = |way: usize, amount| HoldPart { account: accounts[(at + way) % 3], amount };
            HoldCommand::Confirm { hold: HoldId(hold), parts: vec![part(1, first), part(2, second)] }
        }
        Any::Receive { hold, amount } => HoldCommand::Receive { hold: HoldId(hold), amount },
        Any::Cancel { hold } => return Some(Command::CancelHold(HoldId(hold))),
        Any::Extend { hold, ms } => {
            let expires_at = kit.state.hold(HoldId(hold)).ok()?.expires_at.plus_ms(ms);
            HoldCommand::Extend { hold: HoldId(hold), expires_at }
        }
        Any::Later { ms, tick } => {
            kit.later(ms);
            return tick.then_some(Command::Tick);
        }
    }))
}

fn walk(steps: &[Any]) -> [usize; 2] {
    let mut kit = Kit::new();
    let owner = Owner::User(kit.user());
    let accounts = [(); 3].map(|()| kit.account(Subject::Personal, owner));
    for account in accounts {
        kit.fund(account, 1_000);
    }
    let mut model = Model { balances: [1_000; 3], holds: BTreeMap::new(), now: 0 };
    let mut counts = [0, 0];
    for (at, step) in steps.iter().enumerate() {
        // The checks of the kit hold after what was done, so the timer runs before what will be; what is refused meets holds
        // whose time ran out and whose timer did not run.
        let overdue = model.holds.values().any(|line| !line.over && line.until <= model.now);
        if overdue && model.clone().step(step) {
            model.step(&Any::Later { ms: 0, tick: true });
            kit.given(Command::Tick);
        }
        let expected = model.step(step);
        // A step on a hold that there is not has no command; the model refuses it too. The clock alone has none either.
        let found = command(&mut kit, accounts, step).map(|command| kit.when(command));
        if let Some(found) = found {
            assert_eq!(found.is_ok(), expected, "step {at}: {step:?}: {found:?}");
            counts[usize::from(expected)] += 1;
        } else {
            assert!(!expected || matches!(step, Any::Later { .. }), "step {at}: {step:?}");
        }
        if at % 7 == 0 && kit.state.now == kit.now {
            kit.restore();
        }
        for (at, account) in accounts.iter().enumerate() {
            let row = kit.state.account(*account, "account").unwrap();
            let seen = [row.balance, row.held_out, row.rare.held_in, row.available()];
            let told = [model.balances[at], model.held(at, false), model.held(at, true), model.free(at)];
            assert_eq!(seen, told, "{account} after {step:?}");
        }
    }
    counts
}

#[test]
fn random_holds_in_and_out_do_what_the_model_says() {
    let mut runner = TestRunner::new_with_rng(
        Config { cases: 64, failure_persistence: None, ..Config::default() },
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    let totals = core::cell::Cell::new([0_usize; 2]);
    let steps = proptest::collection::vec(any_step(), 1..60);
    let result = runner.run(&steps, |steps| {
        let [refused, done] = walk(&steps);
        let [before_refused, before_done] = totals.get();
        totals.set([before_refused + refused, before_done + done]);
        Ok(())
    });
    assert!(result.is_ok(), "{result:?}");
    let [refused, done] = totals.get();
    assert!(refused > 200 && done > 200, "both ways were walked: {refused} refused, {done} done");
}
