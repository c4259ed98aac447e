//! The catalogue of runs and the idempotency keys.

use std::slice::from_ref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use domain::ids::AccountId;
use domain::restore::Core;
use domain::state::Changes;
use store::run::{self, SegmentKind, SegmentRow};
use store::{Database, KeyRow, StoreError, checkpoint, key, recovery};

use crate::place::{Place, on_both};
use crate::world::{at, date};

on_both! {
    committed_files_are_found_by_kind_date_and_account
    a_day_follows_from_the_last_end_before_it_and_what_that_does_not_hold
    merged_files_take_the_place_of_all_they_were_or_of_none
    crowded_dates_are_those_with_so_many_files_of_entries
    rows_are_written_with_pauses_on_this_machines_processor
    keys_come_back_by_name
    keys_come_back_by_position
    keys_of_a_request_come_with_the_position_the_store_stands_at
    a_key_may_be_any_text
    more_keys_than_a_page_come_back_in_order
    a_changed_bit_in_any_column_of_a_key_is_found_when_it_is_read
    keys_of_a_program_of_before_have_no_checksum_and_are_read
}

fn segment(path: &str, kind: SegmentKind, day: i8, accounts: (u64, u64)) -> SegmentRow {
    SegmentRow {
        path: path.into(),
        kind,
        date: date(3, day),
        first_position: 1,
        last_position: 1_000_000,
        rows: 9,
        bytes: 4_096,
        checksum: 0xfeed_beef,
        min_account: accounts.0,
        max_account: accounts.1,
    }
}

fn commit(database: &Database, segments: &[SegmentRow], keys: &[KeyRow]) {
    checkpoint::commit(database, None, &at(1), &Core::default(), &Changes::default(), segments, keys).unwrap();
}

fn committed_files_are_found_by_kind_date_and_account(place: &Place) {
    let database = place.open();
    let files = [
        segment("a", SegmentKind::Entries, 5, (1, 10)),
        segment("b", SegmentKind::Entries, 5, (11, 20)),
        segment("c", SegmentKind::EndOfDay, 5, (1, 20)),
        segment("d", SegmentKind::Entries, 6, (1, 20)),
    ];
    commit(&database, &files, &[]);
    assert_eq!(run::all(&database).unwrap(), files);
    assert_eq!(recovery::load_all(&database).unwrap().segments, files);
    let found = |kind, from, to, account: Option<u64>| -> String {
        let rows = run::segments(&database, kind, from, to, account.map(AccountId)).unwrap();
        rows.iter().map(|row| row.path.as_str()).collect()
    };
    let entries = Some(SegmentKind::Entries);
    assert_eq!(found(entries, None, None, None), "abd");
    assert_eq!(found(entries, None, None, Some(12)), "bd");
    assert_eq!(found(None, Some(date(3, 5)), Some(date(3, 5)), Some(1)), "ac");
    assert_eq!(found(entries, Some(date(3, 6)), None, None), "d");
    assert_eq!(found(None, None, None, Some(u64::MAX)), "");
}

fn key_row(scope: &str, key: &str, month: u32) -> KeyRow {
    let (scope, key) = (scope.into(), key.into());
    KeyRow { scope, key, position: 7, fingerprint: vec![1; 16], reply: vec![0, 255], month }
}

fn a_day_follows_from_the_last_end_before_it_and_what_that_does_not_hold(place: &Place) {
    let database = place.open();
    let file =
        |path: &str, kind, day: i8, last: u64| SegmentRow { last_position: last, ..segment(path, kind, day, (1, 20)) };
    let end = |path: &str, day, sealed| file(path, SegmentKind::EndOfDay, day, sealed);
    let entries = |path: &str, day, last| file(path, SegmentKind::Entries, day, last);
    // The 6th was sealed twice: the later seal counts, whatever its path is. An entry of the 5th came after all of them.
    let files = [
        [entries("5", 5, 9), end("a", 5, 10), entries("6", 6, 19), end("z", 6, 20), end("b", 6, 30)],
        [entries("7", 7, 39), end("c", 7, 40), entries("late", 5, 35), entries("8", 8, 50), entries("9", 9, 60)],
    ];
    commit(&database, &files.concat(), &[]);
    let of = |day| {
        let rows = run::since_last_end(&database, date(3, day)).unwrap();
        rows.into_iter().map(|row| row.path).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(of(5), "5 a late");
    assert_eq!(of(6), "late 6 b z a");
    assert_eq!(of(7), "late 7 c b");
    assert_eq!(of(8), "8 c");
    assert_eq!(of(9), "8 9 c");
}

fn merged_files_take_the_place_of_all_they_were_or_of_none(place: &Place) {
    let database = place.open();
    let files = ["a", "b", "c"].map(|path| segment(path, SegmentKind::Entries, 5, (1, 10)));
    commit(&database, &files, &[]);
    let merged = SegmentRow { rows: 18, ..segment("m", SegmentKind::Entries, 5, (1, 10)) };
    let changed = [files[0].clone(), SegmentRow { checksum: 1, ..files[1].clone() }];
    let gone = [files[0].clone(), segment("d", SegmentKind::Entries, 5, (1, 10))];
    for (taken, path) in [(changed, "b"), (gone, "d")] {
        let refused = run::replace(&database, &taken, &merged);
        assert_eq!(refused, Err(StoreError::FilesChanged { path: path.into() }));
        assert_eq!(run::all(&database).unwrap(), files);
    }
    let after = [files[2].clone(), merged.clone()];
    // Twice: the first answer may have been lost on its way.
    for _ in 0..2 {
        assert_eq!(run::replace(&database, &files[..2], &merged), Ok(()));
        assert_eq!(run::all(&database).unwrap(), after);
    }
    assert_eq!(run::at_checkpoint(&database, date(3, 5)).unwrap(), (Some(at(1)), after.to_vec()));
    assert_eq!(run::at_checkpoint(&database, date(3, 6)).unwrap(), (Some(at(1)), vec![]));
}

fn crowded_dates_are_those_with_so_many_files_of_entries(place: &Place) {
    let database = place.open();
    assert_eq!(run::crowded(&database, 2), Ok((0, vec![])));
    let files = [
        segment("a", SegmentKind::Entries, 5, (1, 10)),
        segment("b", SegmentKind::EndOfDay, 5, (1, 10)),
        segment("c", SegmentKind::Entries, 6, (1, 10)),
        segment("d", SegmentKind::Entries, 6, (1, 10)),
    ];
    commit(&database, &files, &[]);
    assert_eq!(run::crowded(&database, 2), Ok((4, vec![date(3, 6)])));
    assert_eq!(run::crowded(&database, 3), Ok((4, vec![])));
}

fn keys_come_back_by_name(place: &Place) {
    let database = place.open();
    let keys = [key_row("mch_1", "a", 202_602), key_row("mch_1", "b", 202_603), key_row("mch_2", "a", 202_603)];
    commit(&database, &[], &keys);
    assert_eq!(key::find(&database, "mch_2", "a"), Ok(Some(keys[2].clone())));
    assert_eq!(key::find(&database, "mch_2", "b"), Ok(None));
    assert_eq!(key::all(&database).unwrap(), keys);
    let later = KeyRow { position: 9, ..keys[0].clone() };
    let again = checkpoint::commit(
        &database,
        Some(&at(1)),
        &at(2),
        &Core::default(),
        &Changes::default(),
        &[],
        from_ref(&later),
    );
    assert_eq!((again, key::find(&database, "mch_1", "a")), (Ok(()), Ok(Some(later))));
}

fn a_key_may_be_any_text(place: &Place) {
    let database = place.open();
    let keys: Vec<KeyRow> =
        ["", "a\0b", "a\u{fffd}b", "租金", "'"].iter().map(|key| key_row("mch_1", key, 202_603)).collect();
    commit(&database, &[], &keys);
    for key in &keys {
        assert_eq!(key::find(&database, "mch_1", &key.key), Ok(Some(key.clone())));
    }
    assert_eq!(key::all(&database).unwrap().len(), keys.len());
}

fn more_keys_than_a_page_come_back_in_order(place: &Place) {
    let database = place.open();
    let keys: Vec<KeyRow> = (0..9_000).map(|number| key_row("mch_1", &format!("{number:06}"), 202_603)).collect();
    commit(&database, &[], &keys);
    assert_eq!(key::all(&database).unwrap(), keys);
}

fn rows_are_written_with_pauses_on_this_machines_processor(place: &Place) {
    let (database, pauses) = (place.open(), Arc::new(AtomicU64::new(0)));
    let counted = pauses.clone();
    let count = move || {
        counted.fetch_add(1, Ordering::Relaxed);
    };
    database.pause_by(count).unwrap();
    let keys: Vec<KeyRow> = (0..2_000).map(|number| key_row("mch_1", &format!("{number:06}"), 202_603)).collect();
    commit(&database, &[], &keys);
    let pauses = pauses.load(Ordering::Relaxed);
    let expected = if place.file().is_some() { 20..=2_000 } else { 0..=0 };
    assert!(expected.contains(&pauses), "{pauses} times in {} rows", keys.len());
    assert_eq!(key::all(&database).unwrap(), keys);
}

fn keys_come_back_by_position(place: &Place) {
    let database = place.open();
    // Three keys a command, over several pages, so that some command's keys lie on two of them.
    let rows = (0..9_000).map(|number| {
        let scope = if number % 2 == 0 { "mch_1" } else { "mch_2" };
        KeyRow { position: 10 + number / 3, ..key_row(scope, &format!("{:05}", 9_000 - number), 202_603) }
    });
    let mut keys: Vec<KeyRow> = rows.collect();
    commit(&database, &[], &keys);
    keys.sort_by_key(|key| (key.position, key.scope.clone(), key.key.clone()));
    let between = |after, through| {
        let mut found = Vec::new();
        let read = key::each(&database, after, through, |row| {
            found.push(row);
            Ok::<(), StoreError>(())
        });
        read.unwrap();
        found
    };
    assert_eq!(between(0, u64::MAX >> 1), keys);
    assert_eq!(between(9, 10), keys[..3]);
    assert_eq!(between(10, 2_012), keys[3..6_009]);
    assert_eq!(between(3_009, 9_999), []);
    let stopped = key::each(&database, 0, 99, |row| Err(StoreError::BadCursor(row.key)));
    assert_eq!(stopped, Err(StoreError::BadCursor(keys[0].key.clone())));
}

fn keys_of_a_request_come_with_the_position_the_store_stands_at(place: &Place) {
    let database = place.open();
    let names = ["c", "a", "b"].map(str::to_owned);
    assert_eq!(key::find_all(&database, "mch_1", &names), Ok((0, Vec::new())));
    let keys = [key_row("mch_1", "a", 202_603), key_row("mch_1", "c", 202_603), key_row("mch_2", "b", 202_603)];
    commit(&database, &[], &keys);
    let found = vec![keys[1].clone(), keys[0].clone()];
    assert_eq!(key::find_all(&database, "mch_1", &names), Ok((1, found)));
}

/// The rows that an audit of all keys does not find sound.
fn unsound(database: &Database) -> Vec<KeyRow> {
    let mut found = Vec::new();
    key::audit(database, 0, u64::MAX >> 1, |row, is_sound| {
        if !is_sound {
            found.push(row);
        }
    })
    .unwrap();
    found
}

fn a_changed_bit_in_any_column_of_a_key_is_found_when_it_is_read(place: &Place) {
    let database = place.open();
    let keys: Vec<KeyRow> = (0..5).map(|number| key_row("mch_1", &format!("key-{number}"), 202_603)).collect();
    commit(&database, &[], &keys);
    assert_eq!(unsound(&database), []);
    let changes = [
        ("position", "position = 6"),
        ("month", "month = 202602"),
        ("checksum", "checksum = 1 - checksum"),
        ("fingerprint", "fingerprint = reply"),
        ("reply", "reply = fingerprint"),
    ];
    for ((column, change), own) in changes.into_iter().zip(&keys) {
        let sql = format!("UPDATE idempotency_keys SET {change} WHERE key = $1");
        assert_eq!(database.execute(&sql, &[own.key.as_bytes().into()]), Ok(1));
        let error = key::find(&database, "mch_1", &own.key).unwrap_err();
        let StoreError::Corrupt { table, id, reason } = &error else { panic!("{column}: {error}") };
        let position = if column == "position" { "bound at position 6" } else { "bound at position 7" };
        assert_eq!(
            (*table, id.as_str(), reason.contains("checksum")),
            ("idempotency_keys", position, true),
            "{column}"
        );
        assert!(!error.to_string().contains("key-"), "{error}");
        assert!(key::find_all(&database, "mch_1", std::slice::from_ref(&own.key)).is_err());
    }
    assert_eq!(unsound(&database).len(), keys.len());
    assert!(key::all(&database).is_err() && key::first(&database, 0, 9, 9).is_err());
    // What a checkpoint writes again is whole again.
    commit_again(&database, &keys);
    assert_eq!(key::all(&database).unwrap(), keys);
}

fn commit_again(database: &Database, keys: &[KeyRow]) {
    checkpoint::commit(database, Some(&at(1)), &at(2), &Core::default(), &Changes::default(), &[], keys).unwrap();
}

fn keys_of_a_program_of_before_have_no_checksum_and_are_read(place: &Place) {
    let database = place.open();
    let keys = [key_row("mch_1", "a", 202_603), key_row("mch_1", "b", 202_603)];
    commit(&database, &[], &keys);
    assert_eq!(database.execute("UPDATE idempotency_keys SET checksum = NULL", &[]), Ok(2));
    assert_eq!(key::all(&database).unwrap(), keys);
    assert_eq!(unsound(&database), []);
}
