//! Statements over any mixture of segments, end-of-day files and tail are those of the model.

use domain::book::Subject;
use domain::ids::AccountId;
use domain::money::Currency;
use history::{DayBalance, History, Snapshot, Tail};
use proptest::prelude::*;
use store::run::SegmentRow;
use tempfile::TempDir;

use crate::model::{Ledger, SIDE, day, publish, read_pages};

const ACCOUNTS: u64 = 4;
const DAYS: i32 = 4;

/// What happens next. Numbers are cut to what is there.
#[derive(Debug, Clone)]
enum Step {
    /// A transfer, dated so many days before the open one.
    Transfer { from: u64, to: u64, amount: i64, days_ago: i32 },
    /// The projector publishes what was posted.
    Publish,
    /// A checkpoint cuts up to so many hundredths of what was published since the last one.
    Checkpoint { hundredths: u64 },
    /// A checkpoint that crashes before its commit.
    Crash,
    /// The day before the open one is sealed, again perhaps.
    Seal,
    /// The next day opens.
    NextDay,
}

fn step() -> impl Strategy<Value = Step> {
    let transfer = (1..=ACCOUNTS, 1..ACCOUNTS, 1..1_000_i64, prop_oneof![3 => Just(0), 1 => 1..3_i32]);
    prop_oneof![
        12 => transfer.prop_map(|(from, distance, amount, days_ago)| {
            Step::Transfer { from, to: (from + distance - 1) % ACCOUNTS + 1, amount, days_ago }
        }),
        3 => Just(Step::Publish),
        2 => (1..=100_u64).prop_map(|hundredths| Step::Checkpoint { hundredths }),
        1 => Just(Step::Crash),
        1 => Just(Step::Seal),
        1 => Just(Step::NextDay),
    ]
}

/// The running system, as far as the history sees it.
struct System {
    history: History,
    _directory: TempDir,
    ledger: Ledger,
    tail: Tail,
    rows: Vec<SegmentRow>,
    published: usize,
    cut: u64,
    today: i32,
}

impl System {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self {
            history: History::new(directory.path()),
            _directory: directory,
            ledger: Ledger::default(),
            tail: Tail::new(),
            rows: Vec::new(),
            published: 0,
            cut: 0,
            today: 0,
        }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Transfer { from, to, amount, days_ago } => {
                self.ledger.transfer(day((self.today - days_ago).max(0)), from, to, amount);
            }
            Step::Publish => self.publish(),
            Step::Checkpoint { hundredths } => self.checkpoint(hundredths),
            Step::Crash => {
                let through = self.tail.snapshot().last().unwrap_or(self.cut);
                self.history.cut(self.tail.snapshot().chunks(), self.cut + 1..=through.max(self.cut + 1)).unwrap();
            }
            Step::Seal => self.seal(),
            Step::NextDay => self.today = (self.today + 1).min(DAYS - 1),
        }
    }

    fn publish(&mut self) {
        publish(&self.tail, &self.ledger.entries[self.published..], 5);
        self.published = self.ledger.entries.len();
    }

    /// Cuts at any position, so that a chunk may be cut in part and stay. A reader who took its snapshot just before must
    /// see the same as one who takes it after.
    fn checkpoint(&mut self, hundredths: u64) {
        let before = self.tail.snapshot();
        let last = before.last().unwrap_or(self.cut);
        let through = self.cut + (last - self.cut.min(last)) * hundredths / 100;
        if through <= self.cut {
            return;
        }
        self.rows.extend(self.history.cut(before.chunks(), self.cut + 1..=through).unwrap());
        self.cut = through;
        self.check(&before);
        self.tail.drop_through(through);
    }

    fn seal(&mut self) {
        self.publish();
        let date = day(self.today - 1);
        let balances = (1..=ACCOUNTS).map(|account| DayBalance {
            account: AccountId(account),
            subject: Subject::Personal,
            currency: Currency::Cny,
            posted: self.ledger.balance_at(account, date),
            held_out: 0,
            held_in: 0,
            frozen: 0,
            debit: 0,
            credit: 0,
            entries: 0,
        });
        let row = self.history.write_end_of_day(date, self.ledger.position, balances).unwrap();
        // The catalogue commits a path once.
        self.rows.retain(|other| other.path != row.path);
        self.rows.push(row);
    }

    fn check(&self, tail: &Snapshot) {
        let model = Ledger { entries: self.ledger.entries[..self.published].to_vec(), position: self.ledger.position };
        for account in 1..=ACCOUNTS {
            for from in -1..=DAYS {
                let date = day(from);
                let balance = self.history.balance_at(AccountId(account), SIDE, date, tail, &self.rows).unwrap();
                assert_eq!(balance, model.balance_at(account, date), "EOD of {date}");
                for to in from..=DAYS {
                    let expected = model.statement(account, date, day(to));
                    for limit in [2, 1_000] {
                        let found = read_pages(&self.history, (account, date, day(to)), limit, tail, &self.rows);
                        assert_eq!(found, expected);
                    }
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_statement_is_that_of_the_model(steps in proptest::collection::vec(step(), 1..60)) {
        let mut system = System::new();
        for step in &steps {
            system.step(step);
        }
        system.publish();
        system.check(&system.tail.snapshot());
        for row in &system.rows {
            system.history.verify(row).unwrap();
        }
    }
}

#[test]
fn an_adjustment_behind_the_seal_counts_before_and_after_the_next_seal() {
    let mut system = System::new();
    let transfer = |from, amount, days_ago| Step::Transfer { from, to: 2, amount, days_ago };
    for step in
        [transfer(1, 100, 0), Step::NextDay, transfer(1, 7, 0), Step::Seal, Step::Checkpoint { hundredths: 100 }]
    {
        system.step(&step);
    }
    for step in [transfer(1, 20, 1), Step::Publish, Step::Checkpoint { hundredths: 100 }] {
        system.step(&step);
    }
    system.check(&system.tail.snapshot());
    let opening = |system: &System| {
        read_pages(&system.history, (2, day(1), day(1)), 10, &system.tail.snapshot(), &system.rows).opening
    };
    assert_eq!(opening(&system), 120);
    system.step(&Step::Seal);
    assert_eq!(opening(&system), 120);
    system.check(&system.tail.snapshot());
}
