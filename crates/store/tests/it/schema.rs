//! The schema: applied once, found again, refused where it is another program's.

use store::{Database, PostgresConfig, StoreError};

use crate::place::{Place, on_both};
use crate::world::World;

on_both! {
    opening_again_changes_nothing
    many_may_open_at_once
    the_store_of_a_newer_program_is_refused
    an_edited_file_is_refused
}

fn versions(database: &Database) -> Vec<(i64, String)> {
    let rows = database.query("SELECT version, name FROM schema_version ORDER BY version", &[]).unwrap();
    rows.iter().map(|row| (row.int(0).unwrap(), row.text(1).unwrap().to_owned())).collect()
}

fn open(place: &Place) -> Result<Database, StoreError> {
    match place {
        Place::Sqlite(_) => Database::sqlite(&place.file().unwrap()),
        Place::Postgres(config) => Database::postgres(config),
    }
}

fn opening_again_changes_nothing(place: &Place) {
    let first = place.open();
    World::full().store(&first);
    let before = (versions(&first), store::checkpoint::latest(&first));
    assert!(!before.0.is_empty());
    let second = place.open();
    assert_eq!((versions(&second), store::checkpoint::latest(&second)), before);
}

fn many_may_open_at_once(place: &Place) {
    std::thread::scope(|scope| {
        let openers: Vec<_> = (0..4).map(|_| scope.spawn(|| versions(&place.open()).len())).collect();
        let counts: Vec<usize> = openers.into_iter().map(|opener| opener.join().unwrap()).collect();
        assert!(counts.iter().all(|count| *count == counts[0]), "{counts:?}");
    });
}

fn the_store_of_a_newer_program_is_refused(place: &Place) {
    let sql = "INSERT INTO schema_version (version, name, checksum) VALUES ($1, $2, $3)";
    place.open().execute(sql, &[9_999.into(), "9999_later.sql".into(), 0.into()]).unwrap();
    let refused = open(place).unwrap_err();
    assert!(matches!(&refused, StoreError::Schema { file, .. } if file == "9999_later.sql"), "{refused}");
}

fn an_edited_file_is_refused(place: &Place) {
    place.open().execute("UPDATE schema_version SET checksum = $1 WHERE version = $2", &[1.into(), 1.into()]).unwrap();
    let refused = open(place).unwrap_err();
    assert!(matches!(&refused, StoreError::Schema { file, .. } if file == "0001_checkpoint.sql"), "{refused}");
}

#[test]
fn a_lost_connection_is_replaced() {
    let Some(place) = Place::postgres("a_lost_connection_is_replaced") else { return };
    let Place::Postgres(PostgresConfig { url, schema, .. }) = &place else { panic!("asked for PostgreSQL") };
    let database = place.open();
    World::full().store(&database);
    let before = store::checkpoint::latest(&database);
    let other = Database::postgres(&PostgresConfig::new(url, format!("{schema}_killer"))).unwrap();
    let kill = "SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity WHERE application_name = $1";
    let killed = other.query(kill, &[format!("store/{schema}").into()]).unwrap();
    assert!(killed[0].int(0).unwrap() > 0);
    // The first call may still meet the dead connection, and says so; it is not given out again.
    let answers: Vec<_> = (0..3).map(|_| store::checkpoint::latest(&database)).collect();
    assert_eq!(answers[2], before, "{answers:?}");
}

#[test]
fn settings_that_cannot_work_are_refused_without_showing_a_password() {
    for schema in ["", "Store", "1st", "a-b", "x; DROP SCHEMA public"] {
        let refused = Database::postgres(&PostgresConfig::new("host=/nowhere", schema)).unwrap_err();
        assert!(matches!(refused, StoreError::BadSetting { name: "schema", .. }), "{refused}");
    }
    let config = PostgresConfig::new("postgresql://user:secret@[", "store");
    let refused = Database::postgres(&config).unwrap_err();
    assert!(!format!("{refused} {refused:?} {config:?}").contains("secret"), "{refused}");
}

#[test]
fn a_database_that_is_not_there_is_named() {
    let refused = Database::sqlite("/nowhere/store.db".as_ref()).unwrap_err().to_string();
    assert!(refused.contains("/nowhere/store.db"), "{refused}");
    let refused = Database::postgres(&PostgresConfig::new("host=/nowhere user=x", "store")).unwrap_err().to_string();
    assert!(refused.contains("schema store"), "{refused}");
}
