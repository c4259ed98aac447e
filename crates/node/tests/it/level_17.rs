//! A node goes on from what a program of level 17 wrote: of a clearing session that its file booked, the line books nothing; of the
//! next one it does.

use std::path::Path;

use domain::attempt::{Attempt, Rail};
use domain::book::Subject;
use domain::calendar::Date;
use domain::clearing::{ClearingLine, LineKind, TakeClearingFile};
use domain::envelope::Time;
use domain::money::{Currency, Minor};
use domain::reserve_line::{LineDirection, LineTarget, ReserveLineCommand, TakeReserveLine};
use domain::{Command, Reply};
use engine::{Engine, Request};
use history::Tail;
use journal::Journal as _;
use journal::copy::decode;
use node::load::{self, Loaded};
use node::projector::{Projected, Projector};

use crate::crash_world::{Disk, asked, meta};
use crate::golden;

/// Nine o'clock in Shanghai, the morning after what the golden journal holds.
const MORNING: Time = Time(1_772_758_800_000);

/// What sessions await where none awaits a line.
const NOTHING: Vec<(Rail, Date, Minor)> = Vec::new();

/// What is under way in it.
const REFUNDS: [(LineKind, Minor); 2] = [(LineKind::Refund, 10_000), (LineKind::Refund, 5_000)];

/// A node in a directory, without its threads.
struct Node {
    engine: Engine,
    disk: Disk,
    projector: Projector,
}

impl Node {
    /// Starts on what the directory holds: by its checkpoint, if it has one, and the rows behind that.
    fn start(directory: &Path) -> Self {
        let mut disk = Disk::open(directory);
        let (store, history, epoch) = (disk.store.clone(), disk.history.clone(), disk.journal.tip().epoch);
        let mut projector = Projector::new(store, history, Tail::new(), epoch).unwrap();
        let replayed = load::replay(&mut disk.journal, |_| {}).unwrap();
        let Loaded { engine, restored, .. } = disk.load(|projected| projector.take(projected, 0)).unwrap();
        assert_eq!(restored, projector.checkpoint());
        assert_eq!(engine.state().differing(replayed.state()), Vec::<&str>::new());
        Self { engine, disk, projector }
    }

    /// Writes a checkpoint, and starts by it.
    fn again(mut self, directory: &Path) -> Self {
        self.projector.write(&[]).unwrap();
        let at = self.engine.state().position;
        drop(self);
        let node = Self::start(directory);
        assert_eq!(node.projector.checkpoint(), at);
        node
    }

    /// Does a command and makes it durable: its answer, and how many entries it posted.
    fn given(&mut self, command: Command) -> (Reply, usize) {
        let request = Request { command, meta: meta(self.engine.state().position) };
        let answer = asked(&mut self.engine, &self.disk.store, request, MORNING);
        let reply = answer.result.unwrap_or_else(|refusal| panic!("{refusal}"));
        let Some(sealed) = self.engine.seal() else { return (reply, 0) };
        let hash = self.disk.journal.append(&sealed.batch).unwrap().hash;
        let posted = sealed.projection.posted.len();
        self.projector.take(Projected { projection: sealed.projection, hash }, 0);
        (reply, posted)
    }

    /// What the reserve account at the central bank and the clearing account hold, and what sessions await.
    fn books(&self) -> (Minor, Minor, Vec<(Rail, Date, Minor)>) {
        let state = self.engine.state();
        let own = |subject| {
            let id = state.institution(subject, Currency::Cny).unwrap();
            state.account(id, "account").unwrap().balance
        };
        let awaited = state.awaited_sessions.iter().map(|((rail, date), amount)| (*rail, *date, *amount));
        (own(Subject::CentralBank), own(Subject::ClearingEpcc), awaited.collect())
    }
}

fn line(reference: &str, direction: LineDirection, amount: Minor) -> Command {
    Command::ReserveLine(ReserveLineCommand::TakeLine(TakeReserveLine {
        reference: reference.into(),
        date: Date::in_shanghai(MORNING),
        direction,
        amount,
        currency: Currency::Cny,
        target: None,
        suspense: false,
    }))
}

/// The line of a clearing file that says that an attempt succeeded.
fn cleared(attempt: &Attempt) -> ClearingLine {
    let (amount, currency) = attempt.operation.money();
    let kind = LineKind::of(&attempt.operation).unwrap();
    ClearingLine { serial: attempt.serial(), kind, amount, currency, reference: None }
}

#[test]
fn a_session_that_level_17_booked_takes_its_line_and_the_next_one_is_booked_by_its_own() {
    let rows = std::fs::read(golden::folder().join("v13/two-splits-of-an-order.rows")).unwrap();
    let mut rest = rows.as_slice();
    assert_eq!(std::iter::from_fn(|| decode(&mut rest)).map(|row| row.level).max(), Some(17));
    let (directory, lock) = golden::written(&rows).unwrap();
    drop(lock);
    let (before, today): (Date, Date) = ("2026-03-05".parse().unwrap(), Date::in_shanghai(MORNING));

    let node = Node::start(directory.path());
    let found = (500_000, 0, vec![(Rail::Epcc, before, 500_000)]);
    assert_eq!(node.books(), found, "its file booked what it awaits");
    let mut node = node.again(directory.path());
    assert_eq!(node.books(), found);
    let came = || line("net-5", LineDirection::In, 500_000);
    let (reply, posted) = node.given(came());
    let Reply::ReserveLine(taken) = reply else { panic!("a line was taken: {reply:?}") };
    let row = node.engine.state().reserve_line(taken).unwrap();
    let target = Some(LineTarget::Clearing { rail: Rail::Epcc, date: before });
    assert_eq!((row.target, row.voucher, posted), (target, None, 0), "it is on 1101 already");
    assert_eq!(node.given(came()), (Reply::ReserveLine(taken), 0));
    assert_eq!(node.books(), (500_000, 0, NOTHING));
    let mut node = node.again(directory.path());

    // The file of the next date says that the two refunds under way succeeded.
    let lines: Vec<ClearingLine> = node.engine.state().in_outbox().map(cleared).collect();
    assert_eq!(lines.iter().map(|line| (line.kind, line.amount)).collect::<Vec<_>>(), REFUNDS);
    let file = TakeClearingFile { rail: Rail::Epcc, date: today, part: 1, last: true, lines, channel: None };
    let (Reply::Clearing(file), _) = node.given(Command::TakeClearingFile(file)) else { panic!("a file was taken") };
    let clearing = node.engine.state().clearing(file).unwrap();
    assert_eq!((clearing.matched, clearing.different, clearing.voucher), (2, 0, None));
    assert_eq!(node.books(), (500_000, -15_000, vec![(Rail::Epcc, today, -15_000)]), "its line books it");
    let mut node = node.again(directory.path());
    let (reply, posted) = node.given(line("net-6", LineDirection::Out, 15_000));
    let Reply::ReserveLine(taken) = reply else { panic!("a line was taken: {reply:?}") };
    assert!(node.engine.state().reserve_line(taken).unwrap().voucher.is_some());
    assert_eq!((posted, node.books()), (2, (485_000, 0, NOTHING)));
    assert_eq!(node.again(directory.path()).books(), (485_000, 0, NOTHING));
}
