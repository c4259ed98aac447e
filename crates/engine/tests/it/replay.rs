//! Replay gives the state back, and refuses rows that this version cannot read or that do not fit.

use domain::envelope::Time;
use domain::{Command, State};
use engine::{Engine, EngineError, Keys, LEVEL};

use crate::support::{NINE, begun, open, row, submit, transfer, unkeyed};

#[test]
fn a_replay_gives_balances_entries_and_time_back() {
    let mut engine = begun();
    let (from, to) = (open(&mut engine, true), open(&mut engine, false));
    for amount in 1..=50 {
        submit(&mut engine, unkeyed(transfer(from, to, amount))).result.unwrap();
    }
    let row = row(&mut engine);
    let mut recovered = Engine::new(State::default(), Keys::default(), 2);
    let projection = recovered.replay(&row).unwrap();
    assert_eq!(projection.posted.len(), 100);
    assert_eq!(projection.last, engine.state().position);
    for id in [from, to] {
        assert_eq!(recovered.state().account(id, "id"), engine.state().account(id, "id"));
    }
    assert_eq!(recovered.state().now, NINE);
    assert_eq!(recovered.state().days.current(), engine.state().days.current());
}

#[test]
fn time_never_goes_back_and_a_batch_has_one_time() {
    let mut engine = begun();
    engine.seal().unwrap();
    engine.submit(unkeyed(Command::CutDay { next: None }), Time(NINE.0 - 5_000)).unwrap();
    assert_eq!(engine.state().now, NINE);
    engine.submit(unkeyed(Command::CutDay { next: None }), Time(NINE.0 + 5_000)).unwrap();
    assert_eq!(engine.state().now, NINE, "the open batch has its time already");
    engine.seal().unwrap();
    engine.submit(unkeyed(Command::CutDay { next: None }), Time(NINE.0 + 5_000)).unwrap();
    assert_eq!(engine.state().now.0, NINE.0 + 5_000);
}

#[test]
fn a_batch_takes_the_positions_of_its_events() {
    let mut engine = begun();
    let sealed = engine.seal().unwrap();
    assert_eq!(sealed.batch.first, 1);
    assert_eq!(u64::from(sealed.batch.count), engine.state().position);
    assert!(engine.seal().is_none(), "nothing was decided since");
    open(&mut engine, false);
    assert_eq!(engine.seal().unwrap().batch.first, sealed.projection.last + 1);
}

#[test]
fn a_newer_level_stops_the_replay() {
    let mut engine = begun();
    let mut row = row(&mut engine);
    row.level = LEVEL + 1;
    let error = Engine::new(State::default(), Keys::default(), 2).replay(&row).unwrap_err();
    assert!(matches!(error, EngineError::Level { position: 1, .. }), "{error}");
}

#[test]
fn a_payload_that_was_cut_off_is_named() {
    let mut engine = begun();
    let mut row = row(&mut engine);
    row.payload.pop();
    let error = Engine::new(State::default(), Keys::default(), 2).replay(&row).unwrap_err();
    assert!(matches!(error, EngineError::Decode { position: 1, .. }), "{error}");
}

#[test]
fn a_row_whose_count_is_wrong_is_named() {
    let mut engine = begun();
    let mut row = row(&mut engine);
    row.count += 1;
    let error = Engine::new(State::default(), Keys::default(), 2).replay(&row).unwrap_err();
    assert!(matches!(error, EngineError::Count { .. }), "{error}");
}
