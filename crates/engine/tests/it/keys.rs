//! The same request gets the same answer; another request under the same key is refused.

use domain::{RefusalCode, Reply};

use crate::support::{begun, keyed, open, row, submit, transfer};

#[test]
fn the_same_request_is_done_once_and_answered_the_same() {
    let mut engine = begun();
    let (from, to) = (open(&mut engine, true), open(&mut engine, false));
    let first = submit(&mut engine, keyed(transfer(from, to, 100), "a", 1));
    let again = submit(&mut engine, keyed(transfer(from, to, 100), "a", 1));
    assert_eq!(first.result, again.result);
    assert!(!first.repeated && again.repeated);
    assert_eq!(engine.state().account(to, "to").unwrap().balance, 100);
}

#[test]
fn the_same_key_with_another_body_is_refused_and_changes_nothing() {
    let mut engine = begun();
    let (from, to) = (open(&mut engine, true), open(&mut engine, false));
    submit(&mut engine, keyed(transfer(from, to, 100), "a", 1));
    let position = engine.state().position;
    let other = submit(&mut engine, keyed(transfer(from, to, 200), "a", 2));
    assert_eq!(other.result.unwrap_err().code, RefusalCode::KeyReused);
    assert_eq!(engine.state().position, position);
}

#[test]
fn a_refusal_that_depends_on_the_state_binds_its_key() {
    let mut engine = begun();
    let (from, to) = (open(&mut engine, true), open(&mut engine, false));
    let refused = submit(&mut engine, keyed(transfer(to, from, 100), "a", 1));
    assert_eq!(refused.result.unwrap_err().code, RefusalCode::InsufficientFunds);
    submit(&mut engine, keyed(transfer(from, to, 100), "b", 2));
    let late = submit(&mut engine, keyed(transfer(to, from, 100), "a", 1));
    assert_eq!(late.result.unwrap_err().code, RefusalCode::InsufficientFunds, "the sender was told no");
    assert!(late.repeated);
}

#[test]
fn a_malformed_request_binds_nothing() {
    let mut engine = begun();
    let (from, to) = (open(&mut engine, true), open(&mut engine, false));
    let wrong = submit(&mut engine, keyed(transfer(from, to, 0), "a", 1));
    assert_eq!(wrong.result.unwrap_err().code, RefusalCode::AmountNotPositive);
    let mended = submit(&mut engine, keyed(transfer(from, to, 100), "a", 2));
    assert!(matches!(mended.result, Ok(Reply::Voucher(_))));
}

#[test]
fn keys_are_bound_again_by_replay() {
    let mut engine = begun();
    let (from, to) = (open(&mut engine, true), open(&mut engine, false));
    let first = submit(&mut engine, keyed(transfer(from, to, 100), "a", 1));
    let refused = submit(&mut engine, keyed(transfer(to, from, 101), "b", 2));
    let row = row(&mut engine);
    let mut recovered = engine::Engine::new(domain::State::default(), engine::Keys::default(), 2);
    let projection = recovered.replay(&row).unwrap();
    assert_eq!(projection.keys.len(), 2);
    assert_eq!(submit(&mut recovered, keyed(transfer(from, to, 100), "a", 1)).result, first.result);
    assert_eq!(submit(&mut recovered, keyed(transfer(to, from, 101), "b", 2)).result, refused.result);
}
