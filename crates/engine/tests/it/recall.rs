//! What left memory is answered as if it had not, whatever the store knows by when.

use std::collections::BTreeMap;

use domain::bulk::{BulkItem, PostBulk};
use domain::hold::{Hold, HoldStatus, PlaceHold};
use domain::ids::{AccountId, HoldId};
use domain::money::Currency;
use domain::recall::{Row, RowId};
use domain::{Command, Event, RefusalCode, Reply, State};
use engine::engine::checkpoint;
use engine::{Admitted, Engine, EngineError, Keys, LookedUp, Parked, Request};
use journal::Record;

use crate::support::{NINE, begun, keyed, open, record, submit, unkeyed};

/// An engine, its journal, and the holds that a store has.
struct World {
    engine: Engine,
    account: AccountId,
    rows: Vec<Record>,
    pending: Vec<(u64, Hold)>,
    stored: BTreeMap<u64, Hold>,
    at: u64,
}

impl World {
    fn begin() -> Self {
        let mut engine = begun();
        let account = open(&mut engine, true);
        let (rows, pending, stored) = (Vec::new(), Vec::new(), BTreeMap::new());
        let mut world = Self { engine, account, rows, pending, stored, at: 0 };
        world.seal();
        world
    }

    fn seal(&mut self) {
        let Some(sealed) = self.engine.seal() else { return };
        self.pending.extend(sealed.projection.changes.holds);
        self.rows.push(record(sealed.batch, self.rows.len() as u64 + 1));
    }

    /// The store is at everything that was sealed.
    fn write(&mut self) {
        self.stored.extend(self.pending.drain(..));
        self.at = self.rows.last().map_or(0, |row| row.next() - 1);
    }

    fn place(&mut self) -> HoldId {
        let (account, expires_at) = (self.account, NINE.plus_ms(60_000));
        let place = PlaceHold { account, amount: 100, currency: Currency::Cny, expires_at };
        match submit(&mut self.engine, unkeyed(Command::PlaceHold(place))).result {
            Ok(Reply::Hold(id)) => id,
            other => panic!("a hold was to be placed: {other:?}"),
        }
    }

    fn cancel(&mut self, hold: HoldId) {
        submit(&mut self.engine, unkeyed(Command::CancelHold(hold))).result.unwrap();
    }

    /// A hold that was cancelled, is in the store and left memory.
    fn left(&mut self) -> HoldId {
        let hold = self.place();
        self.cancel(hold);
        self.seal();
        self.write();
        self.let_go();
        assert!(self.engine.state().is_away(hold.into()));
        hold
    }

    fn let_go(&mut self) {
        submit(&mut self.engine, checkpoint(self.at)).result.unwrap();
        self.seal();
    }

    /// What the store says of the rows of a parked request.
    fn look_up(&self, parked: &Parked) -> LookedUp {
        let row = |row: &RowId| Row::Hold(self.stored[&row.id].clone());
        LookedUp { through: self.at, bound: Vec::new(), rows: parked.rows().iter().map(row).collect() }
    }

    fn parks(&mut self, request: Request) -> Parked {
        match self.engine.admit(request, NINE).unwrap() {
            Admitted::Parked(parked) => parked,
            Admitted::Answered(answer) => panic!("it was to be parked: {answer:?}"),
        }
    }

    /// A replay that lets go as the engine did.
    fn replayed(&self) -> Engine {
        let mut replayed = Engine::new(State::default(), Keys::default(), 1);
        self.rows.iter().for_each(|row| drop(replayed.replay(row).unwrap()));
        replayed
    }
}

#[test]
fn a_command_waits_for_the_row_that_it_asks_for_and_is_answered_as_ever() {
    let mut world = World::begin();
    let hold = world.left();
    let position = world.engine.state().position;
    let parked = world.parks(keyed(Command::CancelHold(hold), "again", 1));
    assert_eq!((parked.rows(), parked.least()), (&[RowId::from(hold)][..], world.at));
    assert_eq!(world.engine.state().position, position, "a command that waits leaves nothing behind");
    // Others go on meanwhile.
    let other = world.place();
    let told = world.look_up(&parked);
    let Admitted::Answered(answer) = world.engine.resume(parked, &told, NINE).unwrap() else {
        panic!("it is told all")
    };
    let refusal = answer.result.clone().unwrap_err();
    assert_eq!(refusal.code, RefusalCode::HoldState, "it is cancelled, not unknown");
    assert_eq!(submit(&mut world.engine, keyed(Command::CancelHold(hold), "again", 1)).result, answer.result);
    world.cancel(other);
    world.seal();
    let replayed = world.replayed();
    assert_eq!(replayed.state().differing(world.engine.state()), Vec::<&str>::new());
    let (here, there) = (world.engine.state().holds.iter(), replayed.state().holds.iter());
    assert!(here.eq(there), "a replay has the same rows in memory");
    assert_eq!(replayed.keys().len(), 1, "the refusal bound its key, and waiting bound none");
}

#[test]
fn a_posting_waits_once_for_all_holds_that_its_items_name() {
    for atomic in [false, true] {
        let mut world = World::begin();
        let holds = [world.left(), world.left(), world.left()];
        let posting = || {
            let items = holds.into_iter().map(BulkItem::Cancel).collect();
            let (stream, fingerprint) = ("ends".into(), [1; 16]);
            unkeyed(Command::PostBulk(PostBulk { stream, number: 1, fingerprint, atomic, date: None, items }))
        };
        let position = world.engine.state().position;
        let parked = world.parks(posting());
        assert_eq!(parked.rows(), holds.map(RowId::from), "all at once");
        assert_eq!(world.engine.state().position, position, "and nothing of it was done");
        let told = world.look_up(&parked);
        let Admitted::Answered(answer) = world.engine.resume(parked, &told, NINE).unwrap() else {
            panic!("it is told all")
        };
        match answer.result {
            Ok(Reply::Bulk(reply)) => {
                assert!(!atomic);
                assert!(reply.refused.iter().all(|(_, refusal)| refusal.code == RefusalCode::HoldState));
                assert_eq!(reply.refused.len(), holds.len(), "they are cancelled, not unknown");
                world.seal();
                world.write();
                world.let_go();
                let again = submit(&mut world.engine, posting());
                assert_eq!(again.result, Ok(Reply::Bulk(reply)), "sent again it asks for none");
            }
            refused => assert_eq!((atomic, refused.unwrap_err().code), (true, RefusalCode::HoldState)),
        }
        world.seal();
        assert_eq!(world.replayed().state().differing(world.engine.state()), Vec::<&str>::new());
    }
}

#[test]
fn an_answer_of_a_store_from_before_the_row_left_is_asked_for_again() {
    let mut world = World::begin();
    let hold = world.left();
    let parked = world.parks(unkeyed(Command::CancelHold(hold)));
    // As of a crash that cost the store its last commits: it had the hold, and open.
    let early = world.at - 1;
    let stale = Hold { status: HoldStatus::Open, ..world.stored[&hold.0].clone() };
    let told = LookedUp { through: early, bound: Vec::new(), rows: vec![Row::Hold(stale)] };
    let Admitted::Parked(parked) = world.engine.resume(parked, &told, NINE).unwrap() else { panic!("it is too old") };
    assert_eq!((parked.rows(), parked.least()), (&[RowId::from(hold)][..], world.at));
    let told = world.look_up(&parked);
    // Meanwhile others left: the hold may have been back, changed, and left with them.
    world.left();
    let Admitted::Parked(parked) = world.engine.resume(parked, &told, NINE).unwrap() else {
        panic!("it may be too old")
    };
    let told = world.look_up(&parked);
    let Admitted::Answered(answer) = world.engine.resume(parked, &told, NINE).unwrap() else {
        panic!("it is new enough")
    };
    assert_eq!(answer.result.unwrap_err().code, RefusalCode::HoldState);
}

#[test]
fn what_the_open_batch_closed_stays_though_a_checkpoint_passes() {
    let mut world = World::begin();
    let hold = world.place();
    world.seal();
    world.write();
    world.cancel(hold);
    submit(&mut world.engine, checkpoint(world.at)).result.unwrap();
    assert!(!world.engine.state().is_away(hold.into()));
    world.seal();
    assert_eq!(
        world.pending.last().map(|(_, hold)| hold.status),
        Some(HoldStatus::Cancelled),
        "the store will have it"
    );
    world.let_go();
    assert!(!world.engine.state().is_away(hold.into()), "which it has not yet");
    world.write();
    world.let_go();
    assert!(world.engine.state().is_away(hold.into()));
}

#[test]
fn a_row_that_came_back_otherwise_stops_a_replay() {
    let mut world = World::begin();
    let hold = world.left();
    let parked = world.parks(unkeyed(Command::CancelHold(hold)));
    let mut told = world.look_up(&parked);
    let Row::Hold(row) = &mut told.rows[0] else { panic!("a hold was asked for") };
    row.amount += 1;
    world.engine.resume(parked, &told, NINE).unwrap();
    world.seal();
    assert!(world.rows.iter().all(|row| row.level == engine::LEVEL));
    let state = State { keep_closed: true, ..State::default() };
    let mut keeping = Engine::new(state, Keys::default(), 1);
    let (last, before) = world.rows.split_last().unwrap();
    before.iter().for_each(|row| drop(keeping.replay(row).unwrap()));
    let recalled = engine::record::decode(&last.payload).unwrap().into_iter().flat_map(|command| command.events);
    assert!(recalled.into_iter().any(|event| matches!(event, Event::Recalled(_))));
    let error = keeping.replay(last).unwrap_err();
    assert!(matches!(error, EngineError::Recalled { row, .. } if row == hold.into()), "{error}");
}

#[test]
fn memory_holds_what_is_open() {
    let mut world = World::begin();
    let open = world.place();
    for _ in 0..50 {
        for _ in 0..100 {
            let hold = world.place();
            world.cancel(hold);
        }
        world.seal();
        world.write();
        world.let_go();
    }
    let holds = &world.engine.state().holds;
    assert_eq!((holds.len(), holds.next_id()), (1, 5_002));
    assert_eq!(holds.iter().next().map(|(_, hold)| hold.id), Some(open));
    assert_eq!(world.replayed().state().holds.len(), 1, "after a replay too");
}
