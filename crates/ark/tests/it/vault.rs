//! The vault: ids, reopening, erasure, bulk, threads.

use std::{collections::BTreeSet, fs, os::unix::fs::PermissionsExt as _};

use ark::vault::{VAULT_NAME, is_made};
use ark::{CertificateType, CustomerId, Error, Identity, Known, Vault};

use crate::support::{ACCOUNT, PHONE, customer, keys_of, new_vault, open, person, vault_and_keys};

#[test]
fn ids_are_dense_from_one_and_given_once() {
    let (_directory, vault) = new_vault();
    assert_eq!(vault.last_customer().expect("readable"), None);
    assert_eq!(vault.identity(&person(1)).expect("readable"), None);
    for serial in 1..=3 {
        let id = CustomerId(u64::from(serial));
        assert_eq!(vault.get_or_create(&person(serial)).expect("created"), Known::Created(id));
        assert_eq!(vault.get_or_create(&person(serial)).expect("found"), Known::Existing(id));
        assert_eq!(vault.identity(&person(serial)).expect("readable"), Some(Known::Existing(id)));
    }
    assert_eq!(vault.last_customer().expect("readable"), Some(CustomerId(3)));
}

#[test]
fn the_same_number_of_another_certificate_is_another_customer() {
    let (_directory, vault) = new_vault();
    let one = customer(&vault, 1);
    let passport = Identity::new(CertificateType::Passport, person(1).number()).expect("a number");
    assert_ne!(vault.get_or_create(&passport).expect("created").id(), one);
}

#[test]
fn many_are_made_in_order_and_once_each() {
    let (_directory, vault) = new_vault();
    let two = customer(&vault, 2);
    let known = vault.get_or_create_many(&[1, 2, 3, 1].map(person)).expect("created");
    assert_eq!(
        known,
        [
            Known::Created(CustomerId(2)),
            Known::Existing(two),
            Known::Created(CustomerId(3)),
            Known::Existing(CustomerId(2)),
        ]
    );
    assert_eq!(vault.get_or_create_many(&[]).expect("nothing to do"), []);
}

#[test]
fn a_file_without_tables_is_no_vault_yet() {
    let directory = tempfile::tempdir().expect("a directory");
    let made = || is_made(directory.path()).expect("readable");
    drop(keys_of(directory.path()).expect("a new key service"));
    assert!(!made(), "no file");
    fs::write(directory.path().join(VAULT_NAME), "").expect("written");
    assert!(!made(), "its maker is about to make the tables, or died");
    drop(open(directory.path()).expect("made"));
    assert!(made());
}

#[test]
fn ids_fields_and_keys_survive_reopening() {
    let (directory, vault) = new_vault();
    let one = customer(&vault, 1);
    let sealed = vault.seal(one, PHONE, &"13812345678".into()).expect("sealed");
    let fingerprint = vault.request_keys().expect("open").root.tag(b"body");
    drop(vault);

    let vault = open(directory.path()).expect("the same vault");
    assert_eq!(vault.identity(&person(1)).expect("readable"), Some(Known::Existing(one)));
    assert_eq!(vault.unseal(one, PHONE, &sealed).expect("unsealed").expose(), "13812345678");
    assert_eq!(vault.request_keys().expect("open").root.tag(b"body"), fingerprint);
    assert_eq!(customer(&vault, 2), CustomerId(2));
}

#[test]
fn two_vaults_share_nothing() {
    let ((_one, first), (_two, second)) = (new_vault(), new_vault());
    let id = customer(&first, 1);
    assert_eq!(customer(&second, 1), id);
    let sealed = first.seal(id, PHONE, &"13812345678".into()).expect("sealed");
    assert!(matches!(second.unseal(id, PHONE, &sealed), Err(Error::NotAuthentic { .. })));
    assert_ne!(first.request_keys().expect("open").root.tag(b""), second.request_keys().expect("open").root.tag(b""));
}

#[test]
fn erased_is_for_good_and_the_id_stays_known() {
    let (directory, vault) = new_vault();
    let (one, two) = (customer(&vault, 1), customer(&vault, 2));
    let [of_one, of_two] = [one, two].map(|id| vault.seal(id, ACCOUNT, &"6222021234567890123".into()).expect("sealed"));

    vault.erase(one).expect("erased");
    vault.erase(one).expect("erasing again changes nothing");
    drop(vault);
    let vault = open(directory.path()).expect("the same vault");

    assert!(matches!(vault.unseal(one, ACCOUNT, &of_one), Err(Error::Erased(id)) if id == one));
    assert!(matches!(vault.seal(one, ACCOUNT, &"1".into()), Err(Error::Erased(id)) if id == one));
    assert_eq!(vault.get_or_create(&person(1)).expect("found"), Known::Erased(one));
    assert_eq!(vault.identity(&person(1)).expect("found"), Some(Known::Erased(one)));
    assert_eq!(vault.unseal(two, ACCOUNT, &of_two).expect("another's stay").expose(), "6222021234567890123");
    assert_eq!(customer(&vault, 3), CustomerId(3));
}

/// The wrapped key must be gone from the bytes on disk, not only from the table.
#[test]
fn an_erased_key_is_overwritten_on_disk() {
    let (directory, vault) = new_vault();
    vault.get_or_create_many(&(1..=50).map(person).collect::<Vec<_>>()).expect("created");
    let wrapped: Vec<u8> = rusqlite::Connection::open(directory.path().join("vault.db"))
        .and_then(|reader| reader.query_row("SELECT wrapped FROM data_key WHERE customer = 25", [], |row| row.get(0)))
        .expect("the wrapped key");
    let on_disk = || {
        ["vault.db", "vault.db-wal"].iter().any(|name| {
            let bytes = fs::read(directory.path().join(name)).unwrap_or_default();
            bytes.windows(wrapped.len()).any(|window| window == wrapped)
        })
    };
    assert!(on_disk(), "it lies there before, else the test could not fail");
    vault.erase(CustomerId(25)).expect("erased");
    assert!(!on_disk());
}

/// What cannot be overwritten now is reported, and asking again finishes it.
#[test]
fn erasure_held_up_by_a_reader_is_not_reported_done() {
    let (directory, vault) = new_vault();
    let one = customer(&vault, 1);
    let reader = rusqlite::Connection::open(directory.path().join("vault.db")).expect("a second connection");
    reader.execute_batch("BEGIN; SELECT count(*) FROM customer;").expect("a read that lasts");
    assert!(matches!(vault.erase(one), Err(Error::Database { .. })));
    reader.execute_batch("COMMIT").expect("the read ends");
    vault.erase(one).expect("now it can");
    assert_eq!(vault.identity(&person(1)).expect("found"), Some(Known::Erased(one)));
}

#[test]
fn ids_never_given_out_are_unknown() {
    let (_directory, vault) = new_vault();
    let one = customer(&vault, 1);
    let sealed = vault.seal(one, PHONE, &"13812345678".into()).expect("sealed");
    for id in [0, 2, u64::MAX].map(CustomerId) {
        assert!(matches!(vault.seal(id, PHONE, &"1".into()), Err(Error::UnknownCustomer(unknown)) if unknown == id));
        assert!(matches!(vault.unseal(id, PHONE, &sealed), Err(Error::UnknownCustomer(unknown)) if unknown == id));
        assert!(matches!(vault.erase(id), Err(Error::UnknownCustomer(unknown)) if unknown == id));
    }
}

#[test]
fn a_damaged_data_key_is_named() {
    let (directory, vault) = new_vault();
    let one = customer(&vault, 1);
    let sealed = vault.seal(one, PHONE, &"13812345678".into()).expect("sealed");
    rusqlite::Connection::open(directory.path().join("vault.db"))
        .and_then(|writer| writer.execute("UPDATE data_key SET wrapped = zeroblob(44)", []))
        .expect("damaged");
    assert!(
        matches!(vault.unseal(one, PHONE, &sealed), Err(Error::DataKeyDamaged { customer, .. }) if customer == one)
    );
}

#[test]
fn a_vault_of_a_newer_program_is_refused() {
    let (directory, vault) = new_vault();
    drop(vault);
    rusqlite::Connection::open(directory.path().join("vault.db"))
        .and_then(|writer| writer.execute_batch("PRAGMA user_version = 5"))
        .expect("a newer format");
    let error = open(directory.path()).expect_err("too new");
    assert!(matches!(error, Error::VaultFormat { found: 5, supported: 4, .. }), "{error}");
}

#[test]
fn a_secret_of_one_time_codes_is_shown_once_and_gone_with_its_renewal() {
    let (directory, vault, keys) = vault_and_keys();
    assert!(vault.totp(7, 1).expect("readable").is_none());
    let first = vault.enrol_totp(7, 1).expect("made").expect("the first time");
    assert!(vault.enrol_totp(7, 1).expect("asked").is_none(), "shown once");
    let vault = Vault::open(directory.path(), keys).expect("another opening");
    let kept = vault.totp(7, 1).expect("readable").expect("kept");
    assert_eq!(kept.code(99), first.code(99));
    assert!(vault.totp(8, 1).expect("readable").is_none(), "another operator's is another");
    let renewed = vault.enrol_totp(7, 2).expect("made").expect("a renewal");
    assert!((0..3).any(|step| renewed.code(step) != first.code(step)));
    assert!(vault.totp(7, 1).expect("readable").is_none() && vault.totp(7, 2).expect("readable").is_some());
    assert!(vault.enrol_totp(7, 1).expect("asked").is_none(), "the old one does not come back");
}

#[test]
fn a_secret_that_was_moved_to_another_operator_does_not_open() {
    let (directory, vault) = new_vault();
    vault.enrol_totp(7, 1).expect("made");
    let secret = vault.totp(7, 1).expect("readable").expect("kept");
    rusqlite::Connection::open(directory.path().join("vault.db"))
        .and_then(|writer| writer.execute("UPDATE totp SET operator = 8", []))
        .expect("moved");
    assert!(matches!(vault.totp(8, 1), Err(Error::TotpDamaged { operator: 8, .. })));
    let file = fs::read(directory.path().join("vault.db")).expect("the file reads");
    let link = secret.uri("a", "b").expose().to_owned();
    let text = link.split(['=', '&']).nth(1).expect("the secret");
    let digits =
        text.bytes().map(|byte| u8::try_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".find(char::from(byte)).unwrap()));
    let bits: Vec<u8> = digits.flat_map(|digit| (0..5).rev().map(move |at| digit.unwrap() >> at & 1)).collect();
    let bytes: Vec<u8> = bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |sum, bit| sum << 1 | bit)).collect();
    assert_eq!(bytes.len(), 20);
    assert!(!file.windows(20).any(|window| window == bytes), "it lies there sealed");
}

#[test]
fn threads_and_processes_agree_on_ids() {
    let (directory, vault, keys) = vault_and_keys();
    let second = Vault::open(directory.path(), keys).expect("a second opening, as another process would");
    let ids: BTreeSet<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                let vault = if thread % 2 == 0 { &vault } else { &second };
                scope.spawn(move || (1..=20).map(|serial| (serial, customer(vault, serial))).collect::<Vec<_>>())
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    });
    assert_eq!(ids.len(), 20, "one id a person, whoever asked");
    assert_eq!(vault.last_customer().expect("readable"), Some(CustomerId(20)));
}

#[test]
fn files_are_for_their_owner_alone() {
    let (directory, vault) = new_vault();
    customer(&vault, 1);
    for entry in fs::read_dir(directory.path()).expect("the directory lists") {
        let entry = entry.expect("an entry");
        let mode = entry.metadata().expect("its mode").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", entry.path().display());
    }
}
