//! Rows that are not what was written: refused by table and id, never decoded into something else.

use domain::hold::Hold;
use domain::ids::HoldId;
use store::customer::CustomerFilter;
use store::hold::HoldFilter;
use store::{Database, StoreError, Value, get, list, recovery};

use crate::place::{Place, on_both};
use crate::world::World;

on_both! {
    a_flipped_bit_in_a_blob_is_named
    a_blob_of_another_row_is_named
    a_blob_that_is_nothing_is_named
    a_core_that_is_not_what_was_written_is_named
}

fn stored(place: &Place) -> Database {
    let database = place.open();
    World::full().store(&database);
    database
}

fn expect_corrupt(database: &Database, table: &str, row: &str, reason: &str) {
    let error = recovery::load_all(database).unwrap_err();
    let StoreError::Corrupt { table: found, id, reason: why } = &error else { panic!("not corrupt: {error}") };
    assert_eq!((*found, id.as_str()), (table, row));
    assert!(why.contains(reason), "{why}");
}

fn blob(database: &Database, table: &str, id: i64) -> Vec<u8> {
    let rows = database.query(&format!("SELECT blob FROM {table} WHERE id = $1"), &[id.into()]).unwrap();
    rows[0].bytes(0).unwrap().to_vec()
}

fn set(database: &Database, table: &str, id: i64, column: &str, value: Value) {
    let sql = format!("UPDATE {table} SET {column} = $1 WHERE id = $2");
    assert_eq!(database.execute(&sql, &[value, id.into()]), Ok(1));
}

fn a_flipped_bit_in_a_blob_is_named(place: &Place) {
    let database = stored(place);
    let mut bytes = blob(&database, "holds", 1);
    bytes[3] ^= 1;
    set(&database, "holds", 1, "blob", bytes.into());
    expect_corrupt(&database, "holds", "1", "checksum");
    assert!(get::<Hold>(&database, HoldId(1)).is_err());
    assert!(list(&database, &HoldFilter::default(), None, 10).is_err());
    assert!(list(&database, &CustomerFilter::default(), None, 10).is_ok(), "other tables can be read");
}

fn a_blob_of_another_row_is_named(place: &Place) {
    let database = stored(place);
    let other = blob(&database, "customers", 1);
    set(&database, "customers", 2, "checksum", i64::from(crc32fast::hash(&other)).into());
    set(&database, "customers", 2, "blob", other.into());
    expect_corrupt(&database, "customers", "2", "that of row 1");
}

fn a_blob_that_is_nothing_is_named(place: &Place) {
    let database = stored(place);
    set(&database, "users", 1, "checksum", i64::from(crc32fast::hash(b"\xff")).into());
    set(&database, "users", 1, "blob", b"\xff".as_slice().into());
    expect_corrupt(&database, "users", "1", "cannot be read");
}

fn a_core_that_is_not_what_was_written_is_named(place: &Place) {
    let database = stored(place);
    set(&database, "checkpoint", 1, "core_checksum", 5.into());
    expect_corrupt(&database, "checkpoint", "1", "core");
    // As an older program leaves it: without a core, which is no error.
    set(&database, "checkpoint", 1, "core", Value::Null);
    assert_eq!(recovery::load_all(&database).unwrap().core, None);
}
