//! More than one who believes to lead: at most one goes on, and nothing acknowledged is lost or
//! doubled.

use std::thread;

use journal::{Journal, JournalError, Postgres};

use crate::cluster::cluster;
use crate::server::{Admin, Schema, waiting_writers};
use crate::suite::batch;

#[test]
fn the_older_of_two_writers_is_deposed() {
    let Some(cluster) = cluster("the_older_of_two_writers_is_deposed") else { return };
    let schema = Schema::new(cluster);
    let mut older = schema.journal();
    older.append(&batch(&older, 1, b"one")).unwrap();
    let mut newer = schema.journal();
    assert_eq!((newer.tip().epoch, newer.tip().next), (2, 2));

    let error = older.append(&batch(&older, 1, b"lost")).unwrap_err();
    assert!(matches!(error, JournalError::Deposed { row: 3, epoch: 1 }), "{error}");
    let error = older.append(&batch(&older, 1, b"lost")).unwrap_err();
    assert!(matches!(error, JournalError::Stopped), "{error}");

    newer.append(&batch(&newer, 1, b"two")).unwrap();
    assert_eq!(schema.texts(), ["one", "two"]);
}

#[test]
fn the_fence_alone_stops_a_writer_whose_connection_lives() {
    let Some(cluster) = cluster("the_fence_alone_stops_a_writer") else { return };
    let meddling = [
        // The number is taken.
        "INSERT INTO journal SELECT row + 1, first, 0, epoch, level, time_ms, previous, hash, checksum, payload
         FROM journal WHERE row = 1",
        // The position is taken.
        "INSERT INTO journal SELECT row + 9, first, 1, epoch, level, time_ms, previous, hash, checksum, payload
         FROM journal WHERE row = 1",
        // The row before is not what it was; or is gone.
        "UPDATE journal SET hash = previous WHERE row = 1",
        "DELETE FROM journal WHERE row = 1",
    ];
    for sql in meddling {
        let schema = Schema::new(cluster);
        let mut journal = schema.journal();
        let table = format!("{}.journal", schema.config.schema);
        Admin::new(&cluster.url()).execute(&sql.replace("journal", &table));
        let error = journal.append(&batch(&journal, 1, b"lost")).unwrap_err();
        assert!(matches!(error, JournalError::Deposed { row: 2, epoch: 1 }), "{sql}: {error}");
    }
}

#[test]
fn a_dead_leaders_unfinished_append_does_not_keep_its_successor_out() {
    let Some(cluster) = cluster("a_dead_leaders_unfinished_append") else { return };
    let schema = Schema::new(cluster);
    let name = &schema.config.schema;
    let mut older = schema.journal();
    let epoch_1 = format!("journal/{name}/1");

    // A backend of the older writer, as a network cut leaves it: its insert is done, its
    // transaction open for ever.
    let dead = Admin::new(&cluster.url());
    dead.execute(&format!(
        "SET application_name = '{epoch_1}'; BEGIN;
         INSERT INTO {name}.journal SELECT 2, 1, 1, 1, 1, 0, hash, hash, 0, 'never acknowledged'
         FROM {name}.journal WHERE row = 1"
    ));
    let mut newer = schema.journal();
    newer.append(&batch(&newer, 1, b"one")).unwrap();
    assert_eq!(schema.texts(), ["one"]);
    older.append(&batch(&older, 1, b"lost")).unwrap_err();
}

#[test]
fn a_writer_in_doubt_learns_that_it_was_deposed() {
    let Some(cluster) = cluster("a_writer_in_doubt_learns_that_it_was_deposed") else { return };
    let schema = Schema::new(cluster);
    let name = schema.config.schema.clone();
    let mut older = schema.journal();
    let admin = Admin::new(&cluster.url());
    admin.execute(&format!("BEGIN; LOCK TABLE {name}.journal IN SHARE MODE"));
    let appending = thread::spawn(move || older.append(&batch(&older, 1, b"old")));
    admin.until(&waiting_writers(&name));
    let config = schema.config.clone();
    let opening = thread::spawn(move || Postgres::open(&config, 0));
    // Both wait for the lock, the older writer perhaps on its second connection; whichever goes
    // first, both end well.
    admin.until(&format!("{} AND application_name LIKE '%/2'", waiting_writers(&name)));
    admin.execute("COMMIT");
    let mut newer = opening.join().unwrap().unwrap();
    let older = appending.join().unwrap();
    newer.append(&batch(&newer, 1, b"new")).unwrap();
    match older {
        Ok(_) => assert_eq!(schema.texts(), ["old", "new"]),
        // Its row may have gone in before it was deposed; then it counts, like any row that is
        // there.
        Err(JournalError::Deposed { .. }) => {
            assert!(schema.texts() == ["new"] || schema.texts() == ["old", "new"]);
        }
        Err(other) => panic!("neither appended nor deposed: {other}"),
    }
}

#[test]
fn writers_who_keep_deposing_each_other_lose_and_double_nothing() {
    let Some(cluster) = cluster("writers_who_keep_deposing_each_other") else { return };
    let schema = Schema::new(cluster);
    drop(schema.journal());
    let writers: Vec<_> = (0..3)
        .map(|writer| {
            let config = schema.config.clone();
            thread::spawn(move || acknowledged_by(writer, &config))
        })
        .collect();
    let mut acknowledged: Vec<String> = writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect();
    let found = schema.texts();
    let mut unique = found.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), found.len(), "doubled: {found:?}");
    acknowledged.retain(|text| !found.contains(text));
    assert_eq!(acknowledged, [] as [String; 0], "acknowledged and lost");
}

/// Leads four times, up to five batches each; what was acknowledged.
fn acknowledged_by(writer: usize, config: &journal::PostgresConfig) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for term in 0..4 {
        let mut journal = match Postgres::open(config, 0) {
            Ok(journal) => journal,
            Err(JournalError::Corrupt(fault)) => panic!("{fault}"),
            // Another got in between; the next term tries again.
            Err(_) => continue,
        };
        for number in 0..5 {
            let text = format!("writer {writer} term {term} number {number}");
            match journal.append(&batch(&journal, 1, text.as_bytes())) {
                Ok(_) => acknowledged.push(text),
                Err(JournalError::Deposed { .. }) => break,
                Err(other) => panic!("{other}"),
            }
        }
    }
    acknowledged
}
