//! Rows of the key service with another value in a column, or gone: none of them is believed.
#![no_main]

use std::{fs, sync::OnceLock};

use ark::{
    KeyService,
    ceremony::RootKey,
    keys::{Access, Change, Info, KEYS_NAME, Purpose, Role, Spec},
    provider::KeyKind,
};
use ark_fuzz::{BY, choice, soft};
use libfuzzer_sys::fuzz_target;
use rusqlite::{Connection, types::Value};
use tempfile::TempDir;

const CALLER: &str = "caller";

struct Made {
    directory: TempDir,
    root: RootKey,
    keys: Vec<u8>,
    infos: Vec<Info>,
    access: Access,
}

fn made() -> &'static Made {
    static MADE: OnceLock<Made> = OnceLock::new();
    MADE.get_or_init(|| {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let root = RootKey::generate().expect("random bytes");
        let service = KeyService::init(directory.path(), soft(), &root, &BY).expect("a key service");
        let specs = [
            Spec::new("data", KeyKind::Sm4, Purpose::Encrypt),
            Spec::new("tags", KeyKind::HmacSm3, Purpose::Mac),
            Spec { pre_active: true, ..Spec::new("later", KeyKind::Sm4, Purpose::Wrap) },
        ];
        for spec in specs {
            service.create(&BY, &spec).expect("made");
        }
        service.rotate(&BY, "data").expect("rotated");
        let grant = Change::Grant { caller: CALLER.to_owned(), role: Role::Auditor };
        service.change_access(&BY, &grant, None).expect("granted");
        let (infos, access) = (service.list().expect("open"), service.access().expect("open"));
        let copy = directory.path().join("copy.db");
        service.backup(&BY, &copy).expect("copied");
        Made { root, infos, access, keys: fs::read(copy).expect("copied"), directory }
    })
}

/// What the bytes say: the first chooses the kind.
fn value(data: &[u8]) -> Value {
    let Some((kind, rest)) = choice(data) else { return Value::Null };
    let number = rest.iter().take(8).fold(0_i64, |number, byte| number << 8 | i64::from(*byte));
    match kind % 4 {
        0 => Value::Null,
        1 => Value::Integer(number),
        2 => Value::Text(String::from_utf8_lossy(rest).into_owned()),
        _ => Value::Blob(rest.to_vec()),
    }
}

/// The columns of a table, those of its key apart.
fn columns(database: &Connection, table: &str) -> (Vec<String>, Vec<String>) {
    let mut asked = database.prepare("SELECT name, pk FROM pragma_table_info(?1)").expect("a query");
    let rows = asked.query_map([table], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))).expect("rows");
    let rows: Vec<(String, i64)> = rows.map(|row| row.expect("a row")).collect();
    let key = rows.iter().filter(|(_, key)| *key > 0).map(|(name, _)| name.clone()).collect();
    (rows.into_iter().map(|(name, _)| name).collect(), key)
}

/// Alters the file; `None` if its constraints say no, else whether rows are gone.
fn alter(path: &std::path::Path, data: &[u8]) -> Option<bool> {
    let [table, column, row, rest @ ..] = data else { return None };
    let database = Connection::open(path).expect("the copy opens");
    let mut asked = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").expect("a query");
    let tables: Vec<String> =
        asked.query_map([], |row| row.get(0)).expect("rows").map(|name| name.expect("a name")).collect();
    let table = &tables[usize::from(*table) % tables.len()];
    let (names, key) = columns(&database, table);
    let key = if key.is_empty() { "rowid".to_owned() } else { key.join(", ") };
    let which = format!("({key}) IN (SELECT {key} FROM {table} LIMIT 1 OFFSET {})", row % 8);
    let is_gone = *column == u8::MAX;
    let done = if is_gone {
        database.execute(&format!("DELETE FROM {table} WHERE {which}"), [])
    } else {
        let column = &names[usize::from(*column) % names.len()];
        database.execute(&format!("UPDATE {table} SET {column} = ?1 WHERE {which}"), [value(rest)])
    };
    done.ok().filter(|rows| *rows > 0).map(|_| is_gone)
}

fuzz_target!(|data: &[u8]| {
    let made = made();
    let directory = tempfile::tempdir_in(made.directory.path()).expect("a temporary directory");
    let keys = directory.path().join(KEYS_NAME);
    fs::write(&keys, &made.keys).expect("written");
    let Some(is_gone) = alter(&keys, data) else { return };
    let Ok(service) = KeyService::open(directory.path(), soft()) else { return };
    if service.unseal(&made.root, &BY).is_err() {
        return;
    }
    for info in &made.infos {
        if let Ok(found) = service.info(&info.name) {
            assert_eq!(found.versions.len(), info.versions.len());
            for (found, info) in found.versions.iter().zip(&info.versions) {
                assert_eq!((found.state, found.destroy_at, found.check_value), (info.state, info.destroy_at, info.check_value));
            }
            let same = (found.kind, found.purpose, found.exportable) == (info.kind, info.purpose, info.exportable);
            assert!(same, "{} is believed to be another key", info.name);
        }
    }
    if !is_gone {
        assert_eq!(service.access().expect("open"), made.access);
    }
});
