//! Whatever is damaged is found and named; what is whole passes; and store and history come back out of the journal.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use domain::calendar::Date;
use domain::ids::AccountId;
use domain::recall::Kind;
use engine::Span;
use history::{DayBalance, History, HistoryError, Movement};
use journal::{DirectoryLock, Reader};
use node::close;
use node::rebuild::{self, RebuildError};
use node::verify::{self, Damage, Part, Report};
use rusqlite::types::Value;
use rusqlite::{Connection, params};
use store::{Database, SegmentKind};

use crate::crash_world::{Disk, Node};

/// Books of some days with a bit of everything, at a checkpoint, and something in the journal behind it.
fn books(seed: u64) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let mut node = Node::begin(directory.path(), seed);
    for round in 0..60 {
        match node.random(20) {
            0..=6 => node.transfer(),
            7 => node.open_account(),
            8..=11 => node.hold_or_freeze(),
            12..=14 => node.order(),
            15..=17 => node.flush(),
            _ => {
                node.flush();
                node.checkpoint();
            }
        }
        if round % 20 == 19 {
            node.cut();
            node.close();
        }
    }
    node.transfer();
    node.flush();
    node.checkpoint();
    node.transfer();
    node.flush();
    directory
}

fn verified(directory: &Path) -> Report {
    verified_in(directory, directory)
}

/// The journal of one directory, store and history of another.
fn verified_in(directory: &Path, derived: &Path) -> Report {
    let lock = DirectoryLock::acquire(directory).unwrap();
    let mut journal = Reader::sqlite(&lock).unwrap();
    let store = Database::sqlite(&derived.join("store.db"));
    let store = store.as_ref().map_err(ToString::to_string);
    verify::verify(&mut journal, store, &History::new(derived), &mut |_| ()).unwrap()
}

#[track_caller]
fn passes(report: &Report) {
    assert_eq!(report.damages, Vec::<Damage>::new());
    assert!(report.compared && report.files > 3 && report.accounts > 3 && report.keys > 3, "{report:?}");
}

/// A number below `bound` (SplitMix64).
fn random(seed: &mut u64, bound: usize) -> usize {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *seed;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).unwrap()
}

fn flip(bytes: &mut [u8], seed: &mut u64) {
    let at = random(seed, bytes.len());
    bytes[at] ^= 1 << random(seed, 8);
}

fn strings(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

#[test]
fn what_is_whole_passes_and_says_what_it_compared() {
    for seed in 0..3 {
        let directory = books(seed);
        let first = verified(directory.path());
        passes(&first);
        assert_eq!(verified(directory.path()), first, "and looking changes nothing");
    }
}

#[test]
fn a_flipped_bit_in_any_journal_row_is_found_and_named() {
    let (directory, mut seed) = (books(1), 11);
    let rows = verified(directory.path()).journal.rows;
    let database = directory.path().join("journal.db");
    for _ in 0..12 {
        let row = 1 + i64::try_from(random(&mut seed, usize::try_from(rows).unwrap())).unwrap();
        let connection = Connection::open(&database).unwrap();
        let read = |column: &str| -> Vec<u8> {
            connection
                .query_row(&format!("SELECT {column} FROM journal WHERE row = ?1"), [row], |row| row.get(0))
                .unwrap()
        };
        let column = if read("payload").is_empty() { "hash" } else { "payload" };
        let (whole, mut bytes) = (read(column), read(column));
        flip(&mut bytes, &mut seed);
        let write = |bytes: &[u8]| {
            let connection = Connection::open(&database).unwrap();
            let sql = format!("UPDATE journal SET {column} = ?1 WHERE row = ?2");
            assert_eq!(connection.execute(&sql, params![bytes, row]).unwrap(), 1);
        };
        drop(connection);
        write(&bytes);
        let report = verified(directory.path());
        let Some(damage) = report.damages.first() else { panic!("row {row} was not found") };
        assert_eq!((damage.part, damage.name.as_str()), (Part::Journal, format!("row {row}").as_str()), "{damage}");
        assert!(report.state.is_none());
        assert!(Disk::open_fails(directory.path()), "a start stops there too");
        write(&whole);
    }
    passes(&verified(directory.path()));
}

#[test]
fn a_flipped_bit_in_any_file_is_found_and_named_and_never_read_as_another_balance() {
    let (directory, mut seed) = (books(2), 12);
    let rows = store::run::all(&Database::sqlite(&directory.path().join("store.db")).unwrap()).unwrap();
    assert!(rows.iter().any(|row| row.kind == SegmentKind::EndOfDay), "{rows:?}");
    for row in rows {
        let path = directory.path().join(&row.path);
        let whole = std::fs::read(&path).unwrap();
        let mut bytes = whole.clone();
        flip(&mut bytes, &mut seed);
        std::fs::write(&path, &bytes).unwrap();
        let damages = verified(directory.path()).damages;
        let named = damages.iter().any(|it| (it.part, &it.name) == (Part::File, &row.path));
        assert!(named && damages.iter().all(|it| it.part == Part::File), "{}: {damages:?}", row.path);
        let history = History::new(directory.path());
        let error = match row.kind {
            SegmentKind::Entries => history.movements(&row).map(|_| ()).unwrap_err(),
            SegmentKind::EndOfDay => history.day_balances(&row).map(|_| ()).unwrap_err(),
        };
        assert!(matches!(error, HistoryError::Broken(_)), "{error}");
        std::fs::remove_file(&path).unwrap();
        let damages = verified(directory.path()).damages;
        assert!(damages.iter().any(|it| it.name == row.path && it.what.contains("not there")), "{damages:?}");
        std::fs::write(&path, &whole).unwrap();
    }
    passes(&verified(directory.path()));
}

/// Tables of aggregates that hold rows.
fn tables(database: &Path) -> Vec<String> {
    let connection = Connection::open(database).unwrap();
    let with_blobs = "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE '%blob%' ORDER BY name";
    let mut names = strings(&connection, with_blobs);
    names.retain(|name| {
        let columns = strings(&connection, &format!("SELECT name FROM pragma_table_info('{name}')"));
        let count: i64 = connection.query_row(&format!("SELECT count(*) FROM {name}"), [], |row| row.get(0)).unwrap();
        count > 0 && ["id", "checksum", "blob"].iter().all(|column| columns.iter().any(|own| own == column))
    });
    names
}

/// Puts another value into a column of a random row, and says what was there and in which row.
fn put(database: &Path, table: &str, column: &str, seed: &mut u64) -> (i64, Value) {
    let connection = Connection::open(database).unwrap();
    let ids: Vec<i64> = {
        let mut statement = connection.prepare(&format!("SELECT id FROM {table} ORDER BY id")).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let id = ids[random(seed, ids.len())];
    let was: Value =
        connection.query_row(&format!("SELECT {column} FROM {table} WHERE id = ?1"), [id], |row| row.get(0)).unwrap();
    put_back(database, table, column, id, &other(&was, seed));
    (id, was)
}

/// Whether a start reads a row: of kinds that leave memory, one that is open, or was written later than closed ones left.
fn is_read(database: &Path, table: &str, id: i64, left: i64) -> bool {
    if Kind::ALL.iter().all(|kind| kind.name() != table) {
        return true;
    }
    let sql = format!("SELECT closed, position FROM {table} WHERE id = ?1");
    let connection = Connection::open(database).unwrap();
    let (closed, position): (i64, i64) =
        connection.query_row(&sql, [id], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    closed == 0 || position > left
}

/// Closed rows left memory up to this position.
fn left(database: &Path) -> i64 {
    let core = store::recovery::load_all(&Database::sqlite(database).unwrap()).unwrap().core;
    core.and_then(|core| core.left).unwrap_or_default().checkpointed.cast_signed()
}

/// Another value of the same kind.
fn other(was: &Value, seed: &mut u64) -> Value {
    match was.clone() {
        Value::Null => Value::Integer(7),
        Value::Integer(number) => Value::Integer(number ^ 1),
        Value::Real(_) => panic!("no column is a float"),
        Value::Text(text) => Value::Text(format!("{text}x")),
        Value::Blob(mut bytes) => {
            flip(&mut bytes, seed);
            Value::Blob(bytes)
        }
    }
}

fn put_back(database: &Path, table: &str, column: &str, id: i64, value: &Value) {
    let connection = Connection::open(database).unwrap();
    let sql = format!("UPDATE {table} SET {column} = ?1 WHERE id = ?2");
    assert_eq!(connection.execute(&sql, params![value, id]).unwrap(), 1);
}

#[test]
fn a_flipped_bit_in_a_row_of_any_table_is_found_and_named_and_stops_a_start() {
    let (directory, mut seed) = (books(3), 13);
    let database = directory.path().join("store.db");
    let (tables, left) = (tables(&database), left(&database));
    assert!(tables.len() >= 10, "{tables:?}");
    for table in tables {
        let (id, was) = put(&database, &table, "blob", &mut seed);
        let is_read = is_read(&database, &table, id, left);
        let damages = verified(directory.path()).damages;
        assert_eq!(damages.len(), 1, "{table} {id}: {damages:?}");
        let Damage { part, name, id: named, .. } = &damages[0];
        assert_eq!((*part, name, named), (Part::Table, &table, &Some(id.to_string())));
        assert_eq!(Disk::open(directory.path()).load(|_| {}).is_err(), is_read, "{table} {id} at a start");
        put_back(&database, &table, "blob", id, &was);
    }
    passes(&verified(directory.path()));
}

#[test]
fn an_open_hold_that_is_called_closed_stops_a_start_and_a_closed_one_that_is_called_open_changes_nothing() {
    let mut seen = [0, 0];
    for seed in 1.. {
        let directory = books(seed);
        let database = directory.path().join("store.db");
        let connection = Connection::open(&database).unwrap();
        let holds: Vec<(i64, i64)> = {
            // Of those that are closed and not away yet it says nothing: a start reads them either way.
            let sql = format!("SELECT id, closed FROM holds WHERE position <= {}", left(&database));
            let mut statement = connection.prepare(&sql).unwrap();
            statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
        };
        for (closed, seen) in [0_i64, 1].into_iter().zip(&mut seen) {
            let Some((id, _)) = holds.iter().find(|hold| hold.1 == closed) else { continue };
            let set = |to: i64| connection.execute("UPDATE holds SET closed = ?2 WHERE id = ?1", [*id, to]).unwrap();
            set(1 - closed);
            match Disk::open(directory.path()).load(|_| {}) {
                // It is read, and let go of.
                Ok(_) => assert_eq!(closed, 1, "an open hold was left out"),
                Err(error) => assert!(closed == 0 && error.to_string().contains("open holds"), "{closed}: {error}"),
            }
            set(closed);
            *seen += 1;
        }
        drop(connection);
        passes(&verified(directory.path()));
        if seen.iter().all(|seen| *seen > 0) {
            return;
        }
        assert!(seed < 30, "books with holds of both kinds are not rare: {seen:?}");
    }
}

#[test]
fn a_changed_query_column_of_any_table_is_found_and_named() {
    let (directory, mut seed) = (books(4), 14);
    let database = directory.path().join("store.db");
    let mut changed = 0;
    for table in tables(&database) {
        let columns = {
            let connection = Connection::open(&database).unwrap();
            strings(&connection, &format!("SELECT name FROM pragma_table_info('{table}')"))
        };
        let own = |column: &&String| !["id", "position", "checksum", "blob"].contains(&column.as_str());
        for column in columns.iter().filter(own) {
            let (id, was) = put(&database, &table, column, &mut seed);
            let damages = verified(directory.path()).damages;
            let found = damages.iter().any(|it| {
                it.name == table && it.id == Some(id.to_string()) && it.what.contains(&format!("'{column}'"))
            });
            assert!(found, "{table} {id} {column}: {damages:?}");
            put_back(&database, &table, column, id, &was);
            changed += 1;
        }
    }
    assert!(changed > 20, "{changed}");
    passes(&verified(directory.path()));
}

#[test]
fn a_changed_column_of_the_catalogue_or_the_checkpoint_or_a_filter_is_found_and_named() {
    let (directory, mut seed) = (books(15), 15);
    let database = directory.path().join("store.db");
    let span = Span { after: 0, through: 20 };
    node::keys::build(&Database::sqlite(&database).unwrap(), span, || true).unwrap().unwrap();
    passes(&verified(directory.path()));
    for (table, name) in [("runs", None), ("checkpoint", Some("checkpoint")), ("key_filters", Some("key_filters"))] {
        let (columns, rows) = {
            let connection = Connection::open(&database).unwrap();
            let columns = strings(&connection, &format!("SELECT name FROM pragma_table_info('{table}')"));
            (columns, strings(&connection, &format!("SELECT CAST(rowid AS TEXT) FROM {table}")))
        };
        // An epoch is of the leader, which the journal names elsewhere; the one row's id can be no other.
        let own = |column: &&String| !(table == "checkpoint" && ["epoch", "id"].contains(&column.as_str()));
        for column in columns.iter().filter(own) {
            let row = &rows[random(&mut seed, rows.len())];
            let connection = Connection::open(&database).unwrap();
            let read = format!("SELECT {column} FROM {table} WHERE rowid = {row}");
            let was: Value = connection.query_row(&read, [], |row| row.get(0)).unwrap();
            let write = format!("UPDATE {table} SET {column} = ?1 WHERE rowid = {row}");
            connection.execute(&write, [other(&was, &mut seed)]).unwrap();
            drop(connection);
            let damages = verified(directory.path()).damages;
            let named = |it: &Damage| name.map_or(it.part != Part::Journal, |name| it.name == name);
            assert!(damages.iter().any(named), "{table} {row} {column}, was {was:?}: {damages:?}");
            Connection::open(&database).unwrap().execute(&write, [was]).unwrap();
        }
    }
    passes(&verified(directory.path()));
}

/// What every table holds, read row by row and by no index.
fn dump(database: &Path) -> Option<Vec<String>> {
    let read = || -> rusqlite::Result<Vec<String>> {
        let connection = Connection::open(database)?;
        let mut names = connection.prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")?;
        let names = names.query_map([], |row| row.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
        let mut shown = Vec::new();
        for name in names {
            let mut statement = connection.prepare(&format!("SELECT * FROM {name} NOT INDEXED"))?;
            let columns = statement.column_count();
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let values: Vec<Value> = (0..columns).map(|at| row.get(at)).collect::<Result<_, _>>()?;
                shown.push(format!("{name} {values:?}"));
            }
        }
        Ok(shown)
    };
    read().ok()
}

/// Has everything in the file itself.
fn without_log(database: &Path) {
    let connection = Connection::open(database).unwrap();
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
}

/// The damages after `at` in the store's file was changed; the file is as before then.
fn with_flipped(directory: &Path, at: usize, bit: u8) -> (Vec<Damage>, Option<Vec<String>>) {
    let database = directory.join("store.db");
    let whole = std::fs::read(&database).unwrap();
    let mut bytes = whole.clone();
    bytes[at] ^= 1 << bit;
    std::fs::write(&database, &bytes).unwrap();
    let damages = verified(directory).damages;
    let shown = dump(&database);
    for log in ["store.db-wal", "store.db-shm"] {
        drop(std::fs::remove_file(directory.join(log)));
    }
    std::fs::write(&database, &whole).unwrap();
    (damages, shown)
}

#[test]
fn a_flipped_bit_anywhere_in_the_stores_file_is_found_or_changes_no_row() {
    let (directory, mut seed) = (books(16), 16);
    let database = directory.path().join("store.db");
    without_log(&database);
    let (before, bytes) = (dump(&database).unwrap(), std::fs::read(&database).unwrap());
    // Most of a page of a small table is empty, and stays so.
    let filled: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
    let mut found = 0;
    for _ in 0..60 {
        let (at, bit) = (filled[random(&mut seed, filled.len())], u8::try_from(random(&mut seed, 8)).unwrap());
        let (damages, after) = with_flipped(directory.path(), at, bit);
        found += usize::from(!damages.is_empty());
        assert!(!damages.is_empty() || after.as_ref() == Some(&before), "byte {at}, bit {bit}");
    }
    assert!(found > 20, "{found}");
    passes(&verified(directory.path()));
}

#[test]
fn a_flipped_bit_in_an_index_is_found_though_every_row_is_whole() {
    let directory = books(17);
    let database = directory.path().join("store.db");
    without_log(&database);
    let (indexes, page): (Vec<String>, usize) = {
        let connection = Connection::open(&database).unwrap();
        let of = "SELECT name || ' ' || tbl_name || ' ' || rootpage || ' ' || sql FROM sqlite_master
                  WHERE type = 'index' AND sql <> ''";
        let found = strings(&connection, of).into_iter().filter(|index| {
            let (table, condition) = (index.split(' ').nth(1).unwrap(), index.split_once(" WHERE "));
            let condition = condition.map_or("true", |(_, condition)| condition);
            let sql = format!("SELECT count(*) > 0 FROM {table} WHERE {condition}");
            connection.query_row(&sql, [], |row| row.get(0)).unwrap()
        });
        let page: i64 = connection.query_row("PRAGMA page_size", [], |row| row.get(0)).unwrap();
        (found.collect(), usize::try_from(page).unwrap())
    };
    assert!(indexes.len() > 5, "{indexes:?}");
    let before = dump(&database).unwrap();
    for index in indexes {
        // A page's content is filled from its end: this is the number of the row that was put in first.
        let root: usize = index.split(' ').nth(2).unwrap().parse().unwrap();
        let (damages, after) = with_flipped(directory.path(), root * page - 1, 1);
        assert_eq!(after.as_ref(), Some(&before), "{index}");
        let named = damages.iter().any(|it| it.name == "store" && it.what.contains("index"));
        assert!(named, "{index}: {damages:?}");
    }
}

#[test]
fn golden_journals_are_rebuilt_and_what_was_rebuilt_is_whole() {
    for path in crate::golden::journals() {
        let rows = std::fs::read(path.with_extension("rows")).unwrap();
        let (directory, lock) = crate::golden::written(&rows).unwrap();
        drop(lock);
        let made = tempfile::tempdir().unwrap();
        let rebuilt = rebuilt(directory.path(), made.path()).unwrap();
        let report = verified_in(directory.path(), made.path());
        assert_eq!(report.damages, Vec::<Damage>::new(), "{}", path.display());
        let reached = report.checkpoint.map_or(0, |checkpoint| checkpoint.position);
        assert_eq!((reached, report.journal.tip.next - 1), (rebuilt.position, rebuilt.position));
        assert!(report.compared && report.state.is_some(), "{}", path.display());
    }
}

/// Runs a statement on the store and verifies.
fn after(directory: &Path, sql: &str) -> Vec<Damage> {
    let connection = Connection::open(directory.join("store.db")).unwrap();
    assert!(connection.execute(sql, []).unwrap() > 0, "{sql}");
    drop(connection);
    verified(directory).damages
}

#[test]
fn rows_keys_and_files_that_are_missing_or_invented_are_found_and_named() {
    let cases = [
        ("DELETE FROM orders WHERE id = 1", Part::Table, "orders", "is missing from the store"),
        (
            "INSERT INTO idempotency_keys (scope, key, position, fingerprint, reply, month) \
             SELECT scope, CAST('k' AS BLOB), position, fingerprint, reply, month FROM idempotency_keys LIMIT 1",
            Part::Table,
            "idempotency_keys",
            "not in the journal",
        ),
        (
            "DELETE FROM idempotency_keys WHERE rowid = (SELECT max(rowid) FROM idempotency_keys)",
            Part::Table,
            "idempotency_keys",
            "missing",
        ),
        ("UPDATE idempotency_keys SET reply = x'00'", Part::Table, "idempotency_keys", "another body"),
        ("UPDATE idempotency_keys SET checksum = checksum + 1", Part::Table, "idempotency_keys", "a checksum"),
        (
            "DELETE FROM runs WHERE path = (SELECT path FROM runs WHERE kind = 'entries' LIMIT 1)",
            Part::Account,
            "history",
            "the journal gives",
        ),
        ("DELETE FROM runs WHERE kind = 'end_of_day'", Part::File, "end of day", "has no end-of-day file"),
        ("UPDATE checkpoint SET hash = zeroblob(32)", Part::Table, "checkpoint", "another journal"),
        ("UPDATE checkpoint SET core_checksum = 1", Part::Table, "checkpoint", "checksum"),
        ("UPDATE checkpoint SET position = position + 1000", Part::Table, "checkpoint", "no row of the journal ends"),
    ];
    for (sql, part, name, what) in cases {
        let directory = books(5);
        let damages = after(directory.path(), sql);
        let found = damages.iter().any(|it| it.part == part && it.name.starts_with(name) && it.what.contains(what));
        assert!(found, "{sql}: {damages:?}");
    }
}

#[test]
fn an_end_of_day_that_was_made_up_is_found_by_the_replay() {
    let directory = books(5);
    let database = directory.path().join("store.db");
    let rows = store::run::all(&Database::sqlite(&database).unwrap()).unwrap();
    let row = rows.iter().find(|row| row.kind == SegmentKind::EndOfDay).unwrap();
    let history = History::new(directory.path());
    let mut balances: Vec<DayBalance> = history.day_balances(row).unwrap().map(Result::unwrap).collect();
    let account = balances[1].account;
    balances[1].posted += 1;
    let made_up = history.write_end_of_day(row.date, row.last_position, balances).unwrap();
    assert_eq!(made_up.path, row.path);
    let connection = Connection::open(&database).unwrap();
    let sql = "UPDATE runs SET bytes = ?1, checksum = ?2 WHERE path = ?3";
    let bytes = i64::try_from(made_up.bytes).unwrap();
    connection.execute(sql, params![bytes, made_up.checksum, made_up.path]).unwrap();
    drop(connection);
    let damages = verified(directory.path()).damages;
    let found = |it: &Damage| it.name == row.path && it.id == Some(account.to_string());
    assert!(damages.len() == 1 && found(&damages[0]), "{damages:?}");
}

#[test]
fn a_store_that_is_gone_is_named() {
    let directory = books(6);
    let lock = DirectoryLock::acquire(directory.path()).unwrap();
    let mut journal = Reader::sqlite(&lock).unwrap();
    let gone = Err("store.db is not there".to_owned());
    let report = verify::verify(&mut journal, gone, &History::new(directory.path()), &mut |_| ()).unwrap();
    assert!(report.damages.iter().any(|it| it.what.contains("not there")), "{:?}", report.damages);
    assert!(report.damages.iter().any(|it| it.name.starts_with("end of day")), "{:?}", report.damages);
}

/// What files say of each closed or sealed day: what does not depend on when the file was written.
type Ends = BTreeMap<(Date, u64), Vec<(AccountId, i64, i64, i64)>>;

/// Every entry by account and number, with its date.
type Entries = BTreeMap<(AccountId, u64), (Date, Movement)>;

/// Ends of days, and every entry, whatever file it is in.
fn told(directory: &Path) -> (Ends, Entries) {
    let store = Database::sqlite(&directory.join("store.db")).unwrap();
    let history = History::new(directory);
    let (mut ends, mut entries) = (Ends::new(), Entries::new());
    for row in store::run::all(&store).unwrap() {
        match row.kind {
            SegmentKind::EndOfDay => {
                let balances = history.day_balances(&row).unwrap().map(Result::unwrap);
                let figures = |it: DayBalance| (it.account, it.posted, it.debit, it.credit);
                ends.insert((row.date, row.last_position), balances.map(figures).collect());
            }
            SegmentKind::Entries => {
                let movements = history.movements(&row).unwrap().map(Result::unwrap);
                entries.extend(movements.map(|it| ((it.account, it.number), (row.date, it))));
            }
        }
    }
    (ends, entries)
}

fn rebuilt(directory: &Path, into: &Path) -> Result<rebuild::Rebuilt, RebuildError> {
    let lock = DirectoryLock::acquire(directory).unwrap();
    let mut journal = Reader::sqlite(&lock).unwrap();
    let store = Arc::new(Database::sqlite(&into.join("store.db")).unwrap());
    rebuild::rebuild(&mut journal, store, Arc::new(History::new(into)), &mut |_, _| ())
}

#[test]
fn store_and_history_come_back_out_of_the_journal() {
    for seed in 7..10 {
        let (directory, made) = (books(seed), tempfile::tempdir().unwrap());
        let mut disk = Disk::open(directory.path());
        disk.load(|_| {}).unwrap();
        drop(disk);
        let position = verified(directory.path()).journal.tip.next - 1;
        let rebuilt = rebuilt(directory.path(), made.path()).unwrap();
        assert_eq!(rebuilt.position, position);
        passes(&verified_in(directory.path(), made.path()));
        let ((ends, entries), (new_ends, new_entries)) = (told(directory.path()), told(made.path()));
        assert!(!ends.is_empty());
        for (seal, figures) in &ends {
            // The file of the running node may hold accounts that were opened after the seal.
            let new: BTreeMap<_, _> = new_ends[seal].iter().map(|it| (it.0, it)).collect();
            assert!(figures.iter().all(|it| new.get(&it.0).is_none_or(|new| new == &it)), "{seal:?}");
        }
        assert!(entries.iter().all(|(number, entry)| new_entries[number] == *entry));
        assert!(new_entries.len() > entries.len(), "what no checkpoint held is in it too");
        // The trial balance of a day is the same from either file.
        for (date, sealed) in ends.keys() {
            let trial = |directory: &Path| {
                let rows = store::run::all(&Database::sqlite(&directory.join("store.db")).unwrap()).unwrap();
                let end = rows.iter().find(|row| row.kind == SegmentKind::EndOfDay && row.last_position == *sealed);
                close::trial_balance(&History::new(directory), end.unwrap()).unwrap()
            };
            assert_eq!(trial(directory.path()), trial(made.path()), "{date}");
        }
    }
}

#[test]
fn nothing_is_rebuilt_from_a_damaged_journal() {
    let (directory, made) = (books(10), tempfile::tempdir().unwrap());
    let connection = Connection::open(directory.path().join("journal.db")).unwrap();
    connection.execute("UPDATE journal SET time_ms = time_ms + 1 WHERE row = 5", []).unwrap();
    drop(connection);
    let error = rebuilt(directory.path(), made.path()).unwrap_err();
    assert!(matches!(&error, RebuildError::Damaged(fault) if fault.row == 5), "{error}");
    assert!(error.to_string().contains("row 5"), "{error}");
}
