//! Keys that left memory are answered from the store, whatever became of their filters.

use domain::{Command, RefusalCode};
use engine::keys::filter::hash;
use engine::{Admitted, Answer, KeyFilter, Request, Span};
use node::keys::{self, KeysError};
use store::{FilterRow, key_filter};

use crate::crash_world::{Node, asked, meta};

/// A node on whose books many keys were used; nearly all are behind filters.
fn many_keys(directory: &std::path::Path) -> Node {
    let mut node = Node::begin(directory, 7);
    for _ in 0..100 {
        node.transfer();
        node.flush();
    }
    node.checkpoint();
    assert!(node.engine.keys().len_in_memory() <= 5, "{}", node.engine.keys().len_in_memory());
    node
}

/// Asks again under a key.
fn again(node: &mut Node, number: u64, fingerprint: u8) -> Answer {
    let mut meta = meta(number);
    meta.fingerprint = [fingerprint; 16];
    let now = node.engine.state().now;
    asked(&mut node.engine, &node.disk.store, Request { command: Command::MarkTime, meta }, now)
}

#[test]
fn a_key_that_left_memory_has_its_first_answer_and_no_other_body() {
    let directory = tempfile::tempdir().unwrap();
    let mut node = many_keys(directory.path());
    let keys = node.engine.keys().len() as u64;
    assert_eq!(store::key::all(&node.disk.store).unwrap().len() as u64, keys);
    let first = again(&mut node, 20, 1);
    assert!(first.repeated && first.result.is_ok(), "{first:?}");
    let refused = again(&mut node, 20, 2).result.unwrap_err();
    assert_eq!(refused.code, RefusalCode::KeyReused);
    assert!(refused.message.contains("'20' was used before"), "{}", refused.message);
    let request = Request { command: Command::MarkTime, meta: meta(keys + 1) };
    let now = node.engine.state().now;
    assert!(matches!(node.engine.admit(request, now), Ok(Admitted::Answered(_))), "a new key asks nobody");
}

#[test]
fn the_platforms_own_way_in_refuses_what_it_would_have_to_look_up() {
    let directory = tempfile::tempdir().unwrap();
    let mut node = many_keys(directory.path());
    let now = node.engine.state().now;
    let error = node.engine.submit(Request { command: Command::MarkTime, meta: meta(20) }, now).unwrap_err();
    assert!(error.to_string().contains("'test'"), "{error}");
}

#[test]
fn a_start_takes_up_the_filters_and_few_keys() {
    let directory = tempfile::tempdir().unwrap();
    let node = many_keys(directory.path());
    let (keys, filters) = (node.engine.keys().len(), node.engine.keys().filters());
    drop(node);
    let mut node = Node::start(directory.path(), 8);
    assert_eq!((node.engine.keys().len(), node.engine.keys().filters()), (keys, filters));
    assert!(node.engine.keys().len_in_memory() <= 5);
    assert!(again(&mut node, 20, 1).repeated);
}

#[test]
fn filters_that_are_gone_or_do_not_know_their_keys_are_built_again() {
    let directory = tempfile::tempdir().unwrap();
    let node = many_keys(directory.path());
    let rows = key_filter::sound(&node.disk.store).unwrap().0;
    assert!(rows.len() > 2);
    // As by a version that hashes in another way: everything fits but what it says.
    let FilterRow { after, through, keys, .. } = rows[1];
    let others = (0..keys).map(|number| hash("other", &number.to_string())).collect();
    let filter = KeyFilter::build(Span { after, through }, others).unwrap().to_bytes();
    key_filter::replace(&node.disk.store, &FilterRow { after, through, keys, filter }).unwrap();
    let position = store::checkpoint::latest(&node.disk.store).unwrap().unwrap().position;
    assert_eq!(keys::load(&node.disk.store, position, 6).unwrap().1, Some(through), "and it is named");
    drop(node);
    let mut node = Node::start(directory.path(), 8);
    assert!((0..60).all(|number| again(&mut node, number, 1).repeated));
    // One that is cut anew ends elsewhere.
    let through = key_filter::sound(&node.disk.store).unwrap().0[0].through;
    let sql = "UPDATE key_filters SET keys = keys + 1 WHERE through_position = $1";
    assert_eq!(node.disk.store.execute(sql, &[through.into()]), Ok(1));
    assert_eq!(keys::load(&node.disk.store, position, 6).unwrap().1, Some(through));
    node.disk.store.execute("DELETE FROM key_filters", &[]).unwrap();
    drop(node);
    let mut node = Node::start(directory.path(), 9);
    assert!((0..60).all(|number| again(&mut node, number, 1).repeated));
}

#[test]
fn a_start_without_filters_builds_them_on_the_way() {
    let directory = tempfile::tempdir().unwrap();
    let node = many_keys(directory.path());
    let store = &node.disk.store;
    let position = store::checkpoint::latest(store).unwrap().unwrap().position;
    let before = key_filter::sound(store).unwrap().0;
    store.execute("DELETE FROM key_filters", &[]).unwrap();
    let (keys, refused) = keys::load(store, position, 6).unwrap();
    assert_eq!(refused, None, "one that is gone is not damaged");
    assert_eq!(keys.len(), node.engine.keys().len());
    assert!(keys.len_in_memory() <= 7, "{}", keys.len_in_memory());
    assert_eq!(keys.filters().1, keys.len() / 6 - usize::from(keys.len().is_multiple_of(6)));
    let kept = key_filter::sound(store).unwrap().0;
    assert_eq!(kept.len(), keys.filters().1);
    assert_ne!(kept, before);
}

#[test]
fn a_filter_waits_for_the_checkpoint_and_ends_when_asked() {
    let directory = tempfile::tempdir().unwrap();
    let mut node = many_keys(directory.path());
    for _ in 0..8 {
        node.transfer();
    }
    node.flush();
    let before = node.engine.keys().len_in_memory();
    assert!(node.build_filters() > 0, "the store does not have these keys yet");
    assert_eq!(node.engine.keys().len_in_memory(), before);
    node.checkpoint();
    assert!(node.engine.keys().len_in_memory() < before);
    let span = Span { after: 0, through: node.engine.keys().filtered_through() };
    let stopped = keys::build(&node.disk.store, span, || false);
    assert!(matches!(stopped, Err(KeysError::Stopped)), "{stopped:?}");
}

#[test]
fn a_filter_that_knows_other_keys_than_memory_is_not_taken() {
    let directory = tempfile::tempdir().unwrap();
    let mut node = many_keys(directory.path());
    for _ in 0..8 {
        node.transfer();
    }
    node.flush();
    let span = node.engine.take_due().expect("a run is full");
    let before = node.engine.keys().len();
    let short = KeyFilter::build(span, vec![1, 2]).unwrap();
    assert!(node.engine.install(short).is_none());
    let elsewhere = KeyFilter::build(Span { after: span.after + 1, ..span }, vec![1, 2, 3, 4]).unwrap();
    assert!(node.engine.install(elsewhere).is_none());
    assert_eq!(node.engine.keys().len(), before);
}
