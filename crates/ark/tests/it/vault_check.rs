//! Looking at a whole vault: what is whole passes, and each thing that is wrong is named by its id and nothing else.

use ark::keys::{By, Step, VAULT_KEY};
use ark::vault::{Checked, RewrapFrom, VAULT_NAME};
use ark::{CustomerId, Error, Vault};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::support::{customer, new_vault, open, vault_and_keys};

/// Three customers, of whom the second is erased, and an operator with one-time codes.
fn full() -> TempDir {
    let (directory, vault) = new_vault();
    for serial in 1..=3 {
        customer(&vault, serial);
    }
    vault.erase(CustomerId(2)).expect("erased");
    vault.enrol_totp(7, 1).expect("made").expect("the first time");
    directory
}

fn verified(directory: &TempDir) -> Checked {
    open(directory.path()).and_then(|vault: Vault| vault.verify()).expect("it reads")
}

/// What is found after a statement by someone who meddles.
fn after(sql: &str) -> Vec<String> {
    let directory = full();
    let connection = Connection::open(directory.path().join(VAULT_NAME)).expect("opens");
    connection.execute_batch("PRAGMA foreign_keys = OFF").expect("set");
    assert_eq!(connection.execute(sql, []).expect(sql), 1, "{sql}");
    drop(connection);
    verified(&directory).damages
}

#[test]
fn a_whole_vault_passes_and_every_key_of_it_opened() {
    let directory = full();
    let expected = Checked { last: Some(CustomerId(3)), opened: 3, damages: Vec::new() };
    assert_eq!(verified(&directory), expected);
    let (empty, vault) = new_vault();
    assert_eq!(vault.verify().expect("it reads"), Checked::default());
    drop(empty);
}

#[test]
fn what_is_wrong_is_named_by_its_id() {
    let cases = [
        ("UPDATE data_key SET wrapped = zeroblob(length(wrapped)) WHERE id = 1", "data key 1 of customer 1"),
        (
            "UPDATE data_key SET wrapped = (SELECT wrapped FROM data_key WHERE id = 3) WHERE id = 1",
            "data key 1 of customer 1",
        ),
        ("UPDATE data_key SET wrapped = NULL WHERE id = 3", "data key 3: it is gone"),
        ("UPDATE customer SET erased = 1 WHERE id = 3", "customer 3 is erased and it is not"),
        ("UPDATE totp SET serial = 2", "one-time codes of operator 7"),
        ("DELETE FROM data_key WHERE id = 1", "data_key 1 is missing"),
        ("DELETE FROM identity WHERE customer = 3", "customer 3 has no identity"),
        ("DELETE FROM customer WHERE id = 1", "customer 1 is missing"),
        ("UPDATE identity SET customer = 9 WHERE customer = 1", "refers to no customer"),
        ("UPDATE data_key SET customer = 3 WHERE id = 1", "customer 1 has no data key"),
    ];
    for (sql, named) in cases {
        let damages = after(sql);
        assert!(damages.iter().any(|damage| damage.contains(named)), "{sql}: {damages:?}");
    }
}

#[test]
fn what_a_compromised_version_wraps_is_named_and_the_rest_is_looked_at() {
    // The MAC root and customer 1 lie under version 2, customers 2 and 3 and an operator under version 1.
    let (_directory, vault, keys) = vault_and_keys();
    let by = By::new("test", "", 1_800_000_000_000);
    for serial in 1..=3 {
        customer(&vault, serial);
    }
    vault.enrol_totp(7, 1).expect("made").expect("the first time");
    keys.rotate(&by, VAULT_KEY).expect("rotated");
    let data_keys = vault.rewrap_page(RewrapFrom::default(), 9).expect("a page").next.expect("more");
    assert_eq!(vault.rewrap_page(data_keys, 1).expect("a page").moved, 1);
    keys.step(&by, VAULT_KEY, 1, Step::Compromise).expect("compromised");

    let checked = vault.verify().expect("it reads");
    let barred = "version 1 of key `platform/vault` is compromised: it cannot decrypt";
    let named = ["data key 2 of customer 2", "data key 3 of customer 3", "one-time codes of operator 7"];
    assert_eq!((checked.opened, checked.damages), (1, named.map(|row| format!("{row}: {barred}")).to_vec()));
}

#[test]
fn damage_of_the_file_is_found() {
    let directory = full();
    let path = directory.path().join(VAULT_NAME);
    Connection::open(&path)
        .expect("opens")
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .expect("written into the file");
    let whole = std::fs::read(&path).expect("it reads");
    let filled: Vec<usize> = (4_096..whole.len()).filter(|at| whole[*at] != 0).collect();
    for at in filled.into_iter().step_by(97) {
        let mut bytes = whole.clone();
        bytes[at] ^= 8;
        std::fs::write(&path, bytes).expect("written");
        let found = open(directory.path()).and_then(|vault| vault.verify());
        match found {
            // A blind index may be any bytes: which person it is of, nothing in the vault says twice.
            Ok(checked) if checked.damages.is_empty() => {
                assert!(is_of_a_blind_index(&whole, at), "byte {at} was not found")
            }
            Ok(_) | Err(Error::Database { .. } | Error::KeysOfAnotherVault { .. } | Error::VaultFormat { .. }) => {}
            Err(error) => panic!("byte {at}: {error}"),
        }
    }
    std::fs::write(&path, &whole).expect("written");
    assert_eq!(verified(&directory).damages, Vec::<String>::new());
}

/// Whether a byte lies in a page of an index, which the table of identities is.
fn is_of_a_blind_index(bytes: &[u8], at: usize) -> bool {
    const LEAF_OF_AN_INDEX: u8 = 0x0a;
    bytes[at / 4_096 * 4_096] == LEAF_OF_AN_INDEX
}
