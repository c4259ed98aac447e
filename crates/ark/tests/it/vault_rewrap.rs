//! Moving the vault under a newer version of its key: all of it, in pages, broken off anywhere, with nothing lost.

use ark::{
    CustomerId, KeyService, Vault,
    keys::{By, Step, VAULT_KEY},
    vault::{RewrapFrom, VAULT_NAME},
};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::support::{PHONE, customer, keys_of, person, vault_and_keys};

const BY: By<'_> = By::new("test", "", 1_800_000_000_000);
/// Rows of each part: the MAC root, data keys not erased, secrets of one-time codes.
const ROWS: u64 = 1 + 6 + 2;

/// Seven customers, of whom the fourth is erased, and two operators with one-time codes.
fn full(vault: &Vault) {
    for serial in 1..=7 {
        customer(vault, serial);
    }
    vault.erase(CustomerId(4)).expect("erased");
    for operator in [7, 9] {
        vault.enrol_totp(operator, 1).expect("made").expect("the first time");
    }
}

/// Makes pages of `rows` until the end of a pass; rows moved.
fn pass(vault: &Vault, mut from: RewrapFrom, rows: usize) -> u64 {
    let mut moved = 0;
    loop {
        let page = vault.rewrap_page(from, rows).expect("a page");
        assert_eq!((page.changed, page.refused), (0, 0));
        moved += page.moved;
        match page.next {
            Some(next) => from = next,
            None => return moved,
        }
    }
}

/// Wrapped keys whose text begins so.
fn under(directory: &TempDir, version: &str) -> u64 {
    let connection = Connection::open(directory.path().join(VAULT_NAME)).expect("opens");
    let sql = "SELECT count(*) FROM (SELECT wrapped FROM mac_root UNION ALL SELECT wrapped FROM data_key
               UNION ALL SELECT wrapped FROM totp) WHERE CAST(wrapped AS TEXT) LIKE ?1";
    connection
        .query_row(sql, [format!("ark:{version}:%")], |row| row.get::<_, i64>(0))
        .expect("counted")
        .cast_unsigned()
}

/// Rows that a re-wrap to version 2 still has to move.
fn left(vault: &Vault) -> u64 {
    let (mut left, mut from) = (0, Some(RewrapFrom::default()));
    while let Some(place) = from {
        let page = vault.rewrap_left(2, place, 2).expect("a page");
        (left, from) = (left + page.left, page.next);
    }
    left
}

fn compromise_first(keys: &KeyService) {
    keys.step(&BY, VAULT_KEY, 1, Step::Compromise).expect("compromised");
}

#[test]
fn everything_moves_and_opens_without_the_old_version() {
    let (directory, vault, keys) = vault_and_keys();
    full(&vault);
    let sealed = vault.seal(CustomerId(1), PHONE, &"13812345678".into()).expect("sealed");
    let tag = vault.request_keys().expect("open").root.tag(b"body");
    assert_eq!(pass(&vault, RewrapFrom::default(), 500), 0, "nothing is old before a rotation");

    keys.rotate(&BY, VAULT_KEY).expect("rotated");
    assert_eq!((under(&directory, "v1"), under(&directory, "v2")), (ROWS, 0));
    assert_eq!((vault.newest_version().expect("open"), left(&vault)), (2, ROWS));
    assert_eq!([1, 2].map(|version| vault.rows_under(version).expect("counted")), [ROWS, 0]);
    assert_eq!(pass(&vault, RewrapFrom::default(), 2), ROWS);
    assert_eq!((under(&directory, "v1"), under(&directory, "v2")), (0, ROWS));
    assert_eq!(pass(&vault, RewrapFrom::default(), 2), 0, "a second pass finds nothing");
    assert_eq!(left(&vault), 0);
    assert_eq!([1, 2].map(|version| vault.rows_under(version).expect("counted")), [0, ROWS]);

    compromise_first(&keys);
    drop((vault, keys));
    let keys = keys_of(directory.path()).expect("the same keys");
    let vault = Vault::open(directory.path(), std::sync::Arc::new(keys)).expect("opens without version 1");
    let checked = vault.verify().expect("it reads");
    assert_eq!((checked.opened, checked.damages), (ROWS - 1, Vec::new()));
    assert_eq!(vault.request_keys().expect("open").root.tag(b"body"), tag);
    assert_eq!(vault.unseal(CustomerId(1), PHONE, &sealed).expect("opens").expose(), "13812345678");
    assert!(vault.seal(CustomerId(4), PHONE, &"13812345678".into()).is_err(), "erased is erased");
}

#[test]
fn broken_off_anywhere_it_goes_on() {
    for pages in 0..8 {
        let (directory, vault, keys) = vault_and_keys();
        full(&vault);
        keys.rotate(&BY, VAULT_KEY).expect("rotated");
        let (mut from, mut moved) = (RewrapFrom::default(), 0);
        for _ in 0..pages {
            let page = vault.rewrap_page(from, 2).expect("a page");
            moved += page.moved;
            let Some(next) = page.next else { break };
            from = next;
        }
        drop((vault, keys));
        let keys = keys_of(directory.path()).expect("the same keys");
        let vault = Vault::open(directory.path(), std::sync::Arc::new(keys)).expect("opens half moved");
        assert_eq!(vault.verify().expect("it reads").damages, Vec::<String>::new());
        assert_eq!(moved + pass(&vault, RewrapFrom::default(), 2), ROWS, "after {pages} pages");
        assert_eq!(under(&directory, "v2"), ROWS);
    }
}

#[test]
fn what_does_not_open_stays_and_is_counted() {
    let (directory, vault, keys) = vault_and_keys();
    full(&vault);
    let connection = Connection::open(directory.path().join(VAULT_NAME)).expect("opens");
    let swap = "UPDATE data_key SET wrapped = (SELECT wrapped FROM data_key WHERE id = 1) WHERE id = 2";
    assert_eq!(connection.execute(swap, []).expect("meddled"), 1);
    keys.rotate(&BY, VAULT_KEY).expect("rotated");
    let data_keys = vault.rewrap_page(RewrapFrom::default(), 500).expect("a page").next.expect("more");
    let page = vault.rewrap_page(data_keys, 500).expect("a page");
    assert_eq!((page.moved, page.changed, page.refused), (5, 0, 1));
    assert_eq!(under(&directory, "v1"), 1 + 2);
    assert_eq!(left(&vault), 1 + 2, "what was refused is still left");
}

#[test]
fn others_erase_and_create_while_it_moves() {
    let (directory, vault, keys) = vault_and_keys();
    let people: Vec<_> = (1..=400).map(person).collect();
    vault.get_or_create_many(&people).expect("created");
    keys.rotate(&BY, VAULT_KEY).expect("rotated");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for customer in (1..=400).step_by(8) {
                vault.erase(CustomerId(customer)).expect("erased");
                self::customer(&vault, 1_000 + u32::try_from(customer).expect("small"));
            }
        });
        let mut from = Some(RewrapFrom::default());
        while let Some(place) = from {
            from = vault.rewrap_page(place, 16).expect("a page").next;
        }
    });
    pass(&vault, RewrapFrom::default(), 100);
    assert_eq!((under(&directory, "v1"), under(&directory, "v2")), (0, 1 + 400));
    let checked = vault.verify().expect("it reads");
    assert_eq!((checked.opened, checked.damages), (400, Vec::new()));
}
