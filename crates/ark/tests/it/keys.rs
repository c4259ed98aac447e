//! The key service over real files: what it does, what it refuses, and what a crash or an old backup leaves.

use std::{fs, path::Path, sync::Arc};

use ark::{
    KeyService, Provider as _, Soft,
    ceremony::{RootKey, Share},
    financial::{Purpose as Duty, TerminalCipher},
    keys::{
        self, BATCH_MAX, By, Context, Error, KEYS_NAME, KeyUse as _, Purpose, Rotation, Spec, State, Step,
        TOMBSTONES_NAME,
    },
    provider::{KeyKind, PublicKeyEncryption},
};
use proptest::prelude::*;
use rusqlite::Connection;
use tempfile::TempDir;

use crate::support::said;

const NOW: i64 = 1_800_000_000_000;
const BY: By<'static> = By::new("test", "why not", NOW);

pub(crate) fn soft() -> Arc<Soft> {
    Arc::new(Soft::new().expect("self-tests pass"))
}

pub(crate) fn service() -> (TempDir, KeyService, RootKey) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let root = RootKey::generate().expect("random bytes");
    let service = KeyService::init(directory.path(), soft(), &root, &BY).expect("a new key service");
    (directory, service, root)
}

pub(crate) fn again(directory: &Path, root: &RootKey) -> KeyService {
    let service = KeyService::open(directory, soft()).expect("the same key service");
    service.unseal(root, &BY).expect("its root key");
    service
}

pub(crate) fn make(service: &KeyService, name: &str, kind: KeyKind, purpose: Purpose) {
    service.create(&BY, &Spec::new(name, kind, purpose)).expect("a new key");
}

fn context(value: &str) -> Context {
    Context::from([("merchant".to_owned(), value.to_owned())])
}

fn for_pair(kind: KeyKind) -> PublicKeyEncryption {
    if kind == KeyKind::Sm2 { PublicKeyEncryption::Sm2Der } else { PublicKeyEncryption::RsaOaepSha256 }
}

fn code<T>(result: Result<T, Error>) -> &'static str {
    result.map_or_else(|error| error.code(), |_| "ok")
}

fn later(now: i64) -> By<'static> {
    By { now, ..BY }
}

#[test]
fn every_kind_does_what_it_is_for_and_survives_a_restart() {
    let (directory, service, root) = service();
    let mut kept = vec![];
    for kind in KeyKind::ALL {
        for purpose in Purpose::ALL {
            let name = format!("{purpose}/{kind}");
            let made = code(service.create(&BY, &Spec::new(&name, kind, purpose)));
            assert_eq!(made, if purpose.takes(kind) { "ok" } else { "key_kind" }, "{name}");
            if !purpose.takes(kind) {
                continue;
            }
            let text = match purpose {
                Purpose::Encrypt => service.encrypt(&BY, &name, &context("1"), b"message").expect("encrypted"),
                Purpose::Sign => service.sign(&BY, &name, b"message").expect("signed"),
                Purpose::Mac => service.hmac(&BY, &name, b"message").expect("tagged"),
                Purpose::Decrypt => {
                    let public = service.public_key(&name).expect("open").expect("a pair");
                    let sealed = soft().encrypt_for(&public, for_pair(kind), b"message").expect("encrypted");
                    keys::text_of(1, &sealed)
                }
                Purpose::Wrap | Purpose::Terminal(_) | Purpose::Zone(_) => continue,
            };
            assert!(text.starts_with("ark:v1:"), "{text}");
            kept.push((name, purpose, text));
        }
    }
    let before = service.list().expect("open");
    drop(service);
    let service = again(directory.path(), &root);
    for (before, after) in before.iter().zip(service.list().expect("open")) {
        let values = |info: &keys::Info| (info.versions[0].check_value, info.versions[0].public.clone());
        assert_eq!(values(before), values(&after), "{}", after.name);
        assert!(after.versions[0].uses >= before.versions[0].uses, "counted too few");
    }
    for (name, purpose, text) in kept {
        match purpose {
            Purpose::Encrypt => {
                let opened = service.decrypt(&BY, &name, &context("1"), &text).expect("decrypted");
                assert_eq!(opened.as_slice(), b"message");
                assert_eq!(code(service.sign(&BY, &name, b"message")), "key_usage");
            }
            Purpose::Decrypt => {
                let opened = service.decrypt(&BY, &name, &Context::new(), &text).expect("decrypted");
                assert_eq!(opened.as_slice(), b"message");
                assert_eq!(code(service.decrypt(&BY, &name, &context("1"), &text)), "decryption_failed", "no context");
                assert_eq!(code(service.decrypt(&BY, &name, &Context::new(), "ark:v1:AAAA")), "decryption_failed");
                assert_eq!(code(service.decrypt(&BY, &name, &Context::new(), "ark:v2:AAAA")), "key_version");
                assert_eq!(code(service.sign(&BY, &name, b"message")), "key_usage", "such a pair never signs");
                assert_eq!(code(service.encrypt(&BY, &name, &Context::new(), b"message")), "key_usage");
            }
            Purpose::Sign => {
                assert_eq!(code(service.decrypt(&BY, &name, &Context::new(), &text)), "key_usage");
                service.verify(&BY, &name, b"message", &text).expect("verified");
                assert_eq!(code(service.verify(&BY, &name, b"other", &text)), "signature_invalid");
            }
            Purpose::Mac => {
                service.verify_hmac(&BY, &name, b"message", &text).expect("verified");
                assert_eq!(code(service.verify_hmac(&BY, &name, b"other", &text)), "tag_mismatch");
            }
            Purpose::Wrap | Purpose::Terminal(_) | Purpose::Zone(_) => {}
        }
    }
}

#[test]
fn the_approved_mode_makes_and_uses_national_kinds_alone() {
    let (directory, service, root) = service();
    make(&service, "foreign", KeyKind::Aes128, Purpose::Encrypt);
    make(&service, "signer", KeyKind::P256, Purpose::Sign);
    make(&service, "wrapper", KeyKind::Sm4, Purpose::Wrap);
    let sealed = service.encrypt(&BY, "foreign", &context("1"), b"message").expect("encrypted");
    let signature = service.sign(&BY, "signer", b"message").expect("signed");
    drop(service);

    let service = KeyService::open(directory.path(), soft()).expect("the same key service").in_approved_mode();
    service.unseal(&root, &BY).expect("its root key");
    for kind in KeyKind::ALL {
        let national = matches!(kind, KeyKind::Sm2 | KeyKind::Sm4 | KeyKind::HmacSm3);
        for purpose in Purpose::ALL.into_iter().filter(|purpose| purpose.takes(kind)) {
            let made = code(service.create(&BY, &Spec::new(&format!("{purpose}/{kind}"), kind, purpose)));
            assert_eq!(made, if national { "ok" } else { "not_approved" }, "{purpose} {kind}");
        }
    }
    let foreign = Spec::new("brought", KeyKind::Aes128, Purpose::Encrypt);
    assert_eq!(code(service.take_in(&BY, &foreign, &[7; 16])), "not_approved");
    assert_eq!(code(service.import(&BY, &foreign, &[7; 40], "wrapper")), "not_approved");
    assert_eq!(code(service.encrypt(&BY, "foreign", &context("1"), b"message")), "not_approved");
    assert_eq!(code(service.decrypt(&BY, "foreign", &context("1"), &sealed)), "not_approved");
    assert_eq!(code(service.datakey(&BY, "foreign", &context("1"), 16)), "not_approved");
    assert_eq!(code(service.sign(&BY, "signer", b"message")), "not_approved");
    assert_eq!(code(service.verify(&BY, "signer", b"message", &signature)), "not_approved");
    assert_eq!(code(service.rotate(&BY, "signer")), "not_approved");
    // What is left to do with such keys: look at them, and end them.
    assert!(!service.info("signer").expect("shown").kind.is_approved());
    service.step(&BY, "signer", 1, Step::Deactivate).expect("deactivated");

    for (kind, purpose, made) in [
        (TerminalCipher::Sm4, Purpose::Terminal(Duty::Mac), "ok"),
        (TerminalCipher::TripleDes2, Purpose::Terminal(Duty::Mac), "not_approved"),
        (TerminalCipher::Des, Purpose::Zone(Duty::Mac), "not_approved"),
    ] {
        assert_eq!(
            code(service.create(&BY, &Spec::new(&format!("{purpose}/{kind:?}").to_lowercase(), kind, purpose))),
            made
        );
    }
}

#[test]
fn the_approved_mode_rotates_national_kinds_alone_and_goes_on_with_the_rest() {
    let (directory, service, root) = service();
    let rotation = Rotation { age: Some(1_000), uses: None };
    for (name, kind) in [("a-foreign", KeyKind::Aes128), ("b-national", KeyKind::Sm4)] {
        service.create(&BY, &Spec { rotation, ..Spec::new(name, kind, Purpose::Encrypt) }).expect("a new key");
    }
    drop(service);
    let service = KeyService::open(directory.path(), soft()).expect("the same key service").in_approved_mode();
    service.unseal(&root, &BY).expect("its root key");
    let later = By { now: NOW + 4_000_000, ..BY };
    let done = service.tick(&later).expect("what is due");
    assert_eq!((done.rotated, done.signed), (1, true), "the foreign one keeps neither the other nor the trail");
    let versions = |name: &str| service.info(name).expect("shown").versions.len();
    assert_eq!((versions("a-foreign"), versions("b-national")), (1, 2));
    let trail = service.audit(0, 1_000).expect("a trail");
    assert!(trail.iter().all(|record| record.act.outcome == "ok"), "each second would be a refusal: {trail:?}");
    // In the other mode its time has come.
    drop(service);
    let service = again(directory.path(), &root);
    assert_eq!(service.tick(&later).expect("what is due").rotated, 1);
    assert_eq!(service.info("a-foreign").expect("shown").versions.len(), 2);
}

#[test]
fn versions_rotate_and_states_rule() {
    let (_directory, service, _root) = service();
    make(&service, "k", KeyKind::Sm4, Purpose::Encrypt);
    let old = service.encrypt(&BY, "k", &context("1"), b"message").expect("encrypted");
    service.rotate(&BY, "k").expect("rotated");
    let new = service.rewrap(&BY, "k", &context("1"), &old).expect("rewrapped");
    assert!(old.starts_with("ark:v1:") && new.starts_with("ark:v2:"));
    let open = |by: &By<'_>, text: &str| code(service.decrypt(by, "k", &context("1"), text));
    assert_eq!((open(&BY, &old), open(&BY, &new)), ("ok", "ok"));
    // The version is in the text and bound to it; the context and the key are bound too.
    assert_eq!(open(&BY, &new.replacen("v2", "v1", 1)), "decryption_failed");
    assert_eq!(open(&BY, &new.replacen("v2", "v3", 1)), "key_version");
    assert_eq!(code(service.decrypt(&BY, "k", &context("2"), &new)), "decryption_failed");
    make(&service, "other", KeyKind::Sm4, Purpose::Encrypt);
    service.rotate(&BY, "other").expect("rotated");
    assert_eq!(code(service.decrypt(&BY, "other", &context("1"), &new)), "decryption_failed");

    service.step(&BY, "k", 2, Step::Suspend).expect("suspended");
    assert_eq!(code(service.encrypt(&BY, "k", &context("1"), b"m")), "key_state");
    assert_eq!(open(&BY, &new), "key_state");
    service.step(&BY, "k", 2, Step::Resume).expect("resumed");
    service.step(&BY, "k", 1, Step::Compromise).expect("compromised");
    assert_eq!(open(&BY, &old), "key_state");
    assert_eq!(open(&By { compromised_too: true, ..BY }, &old), "ok");
    assert_eq!(code(service.step(&BY, "k", 1, Step::Activate)), "key_state");

    service.step(&BY, "k", 1, Step::Schedule).expect("scheduled");
    let due = NOW + Spec::WAIT_MS;
    assert_eq!(service.tick(&later(due - 1)).expect("ticked").destroyed, 0);
    service.step(&BY, "k", 1, Step::Cancel).expect("cancelled");
    service.step(&BY, "k", 1, Step::Schedule).expect("scheduled");
    assert_eq!(service.tick(&later(due)).expect("ticked").destroyed, 1);
    let info = service.info("k").expect("known");
    assert_eq!((info.versions[0].state, info.versions[0].check_value), (State::Destroyed, None));
    assert_eq!(open(&By { compromised_too: true, ..BY }, &old), "key_state");
}

#[test]
fn rotation_by_use_and_age() {
    let (_directory, service, _root) = service();
    let rotation = |age, uses| Rotation { age, uses };
    for (name, rotation) in [("age", rotation(Some(1_000), None)), ("uses", rotation(None, Some(3)))] {
        let spec = Spec { rotation, ..Spec::new(name, KeyKind::Sm4, Purpose::Encrypt) };
        service.create(&BY, &spec).expect("a new key");
    }
    for _ in 0..3 {
        service.encrypt(&BY, "uses", &context("1"), b"m").expect("encrypted");
    }
    assert_eq!(service.tick(&later(NOW + 999)).expect("ticked").rotated, 1);
    assert_eq!(service.info("uses").expect("known").versions.len(), 2);
    assert_eq!(service.tick(&later(NOW + 1_000)).expect("ticked").rotated, 1);
    assert_eq!(service.info("age").expect("known").versions.len(), 2);
}

#[test]
fn export_only_wrapped_and_only_if_born_so() {
    let (_directory, service, _root) = service();
    make(&service, "wrapper", KeyKind::Sm4, Purpose::Wrap);
    make(&service, "stays", KeyKind::Sm2, Purpose::Sign);
    let spec = Spec { exportable: true, ..Spec::new("goes", KeyKind::Sm2, Purpose::Sign) };
    service.create(&BY, &spec).expect("a new key");
    assert_eq!(code(service.export(&BY, "stays", 1, "wrapper")), "key_not_exportable");
    assert_eq!(code(service.export(&BY, "goes", 1, "stays")), "key_usage");
    let wrapped = service.export(&BY, "goes", 1, "wrapper").expect("exported");
    let spec = Spec::new("came", KeyKind::Sm2, Purpose::Sign);
    service.import(&BY, &spec, &wrapped, "wrapper").expect("imported");
    let public = |name| service.info(name).expect("known").versions[0].public.clone();
    assert_eq!(public("goes"), public("came"));
    let signature = service.sign(&BY, "came", b"m").expect("signed");
    service.verify(&BY, "goes", b"m", &signature).expect("the same key");
    let spec = Spec::new("bad", KeyKind::Sm2, Purpose::Sign);
    assert_eq!(code(service.import(&BY, &spec, &wrapped[1..], "wrapper")), "decryption_failed");
}

#[test]
fn shares_unseal_in_any_order_and_across_calls() {
    let (directory, service, root) = service();
    make(&service, "k", KeyKind::Sm4, Purpose::Encrypt);
    let texts: Vec<_> = root.deal(3, 5).expect("dealt").iter().map(Share::text).collect();
    let share = |place: usize| Share::parse(&texts[place]).expect("its own text");
    service.seal(&BY).expect("sealed");
    assert_eq!(code(service.encrypt(&BY, "k", &context("1"), b"m")), "sealed");
    for place in [4, 0] {
        service.unseal_share(share(place), &BY).expect("taken");
        assert!(service.is_sealed());
    }
    assert_eq!(code(service.unseal_share(share(0), &BY)), "share_duplicate");
    service.unseal_share(share(2), &BY).expect("taken");
    service.encrypt(&BY, "k", &context("1"), b"m").expect("encrypted");

    // Another root's shares make another key, which is refused, and the next ones begin anew.
    service.seal(&BY).expect("sealed");
    let other = RootKey::generate().expect("random bytes").deal(2, 2).expect("dealt");
    service.unseal_share(other[0].clone(), &BY).expect("taken");
    assert_eq!(code(service.unseal_share(other[1].clone(), &BY)), "root_wrong");
    // A new root: the old one opens nothing.
    service.unseal(&root, &BY).expect("unsealed");
    let new = RootKey::generate().expect("random bytes");
    service.change_root(&BY, &new).expect("changed");
    assert_eq!(code(service.unseal(&root, &BY)), "root_wrong");
    service.unseal(&new, &BY).expect("unsealed");
    drop(service);
    assert!(!again(directory.path(), &new).is_sealed());
}

#[test]
fn a_key_file_opens_it_for_development() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let open = || KeyService::open_with_key_file(directory.path(), soft(), &BY);
    let service = open().expect("made");
    make(&service, "k", KeyKind::Sm4, Purpose::Encrypt);
    assert_eq!(code(KeyService::open(directory.path(), soft())), "keys_file", "one process has the file");
    drop(service);
    open().expect("opened").info("k").expect("known");
    fs::remove_file(directory.path().join("ark.key")).expect("removed");
    assert_eq!(code(open()), "keys_file");
}

#[test]
fn a_rewrap_in_steps_goes_on_after_a_crash_while_keys_serve() {
    let (directory, service, root) = service();
    for number in 0..10 {
        make(&service, &format!("k{number}"), KeyKind::Sm4, Purpose::Encrypt);
    }
    let text = service.encrypt(&BY, "k7", &context("1"), b"m").expect("encrypted");
    assert_eq!(service.rotate_kek(&BY).expect("rotated"), 2);
    let mut service = service;
    let mut left = 10;
    while left > 0 {
        let found = service.rewrap_keys(&BY, 3).expect("moved");
        assert!(found < left);
        left = found;
        service.decrypt(&BY, "k7", &context("1"), &text).expect("served all the while");
        drop(service);
        service = again(directory.path(), &root);
        service.decrypt(&BY, "k7", &context("1"), &text).expect("served after the crash");
    }
    drop(service);
    let file = Connection::open(directory.path().join(KEYS_NAME)).expect("the file");
    let count = |sql| file.query_row(sql, [], |row| row.get::<_, i64>(0)).expect("a number");
    assert_eq!(count("SELECT count(*) FROM system_key WHERE name = 'kek'"), 1);
    assert_eq!(count("SELECT count(*) FROM version WHERE kek <> 2"), 0);
}

#[test]
fn values_are_rewrapped_in_bulk_while_others_are_served() {
    let (_directory, service, _root) = service();
    make(&service, "k", KeyKind::Sm4, Purpose::Encrypt);
    let context = context("1");
    let texts: Vec<_> = (0..500).map(|_| service.encrypt(&BY, "k", &context, b"m").expect("encrypted")).collect();
    std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            for _ in 0..500 {
                let text = service.encrypt(&BY, "k", &context, b"m").expect("never refused");
                service.decrypt(&BY, "k", &context, &text).expect("never refused");
            }
        });
        service.rotate(&BY, "k").expect("rotated");
        let values: Vec<_> = texts.iter().map(|text| (&context, text.as_str())).collect();
        for moved in service.rewrap_many(&BY, "k", &values).expect("a batch") {
            assert!(moved.expect("rewrapped").starts_with("ark:v2:"));
        }
        other.join().expect("no panic");
    });
    let many = vec![b"m".as_slice(); BATCH_MAX + 1];
    assert_eq!(code(service.sign_many(&BY, "k", &many)), "batch_too_large");
}

/// Each column of each row, altered one at a time: the key it belongs to is refused by name, the other one serves.
#[test]
fn altered_rows_are_refused_and_named() {
    let (directory, service, root) = service();
    make(&service, "a", KeyKind::Sm4, Purpose::Encrypt);
    make(&service, "b", KeyKind::Sm4, Purpose::Encrypt);
    drop(service);
    let path = directory.path().join(KEYS_NAME);
    let good = fs::read(&path).expect("read");
    let of_a = "WHERE uid = (SELECT uid FROM key WHERE name = 'a')";
    for sql in [
        "UPDATE key SET exportable = 1 WHERE name = 'a'".to_owned(),
        "UPDATE key SET purpose = 'wrap' WHERE name = 'a'".to_owned(),
        "UPDATE key SET kind = 'aes-128' WHERE name = 'a'".to_owned(),
        "UPDATE key SET wait_ms = 0 WHERE name = 'a'".to_owned(),
        "UPDATE key SET rotate_uses = 5 WHERE name = 'a'".to_owned(),
        "UPDATE key SET mac = x'00' WHERE name = 'a'".to_owned(),
        format!("UPDATE version SET state = 'suspended' {of_a}"),
        format!("UPDATE version SET created = 1 {of_a}"),
        format!("UPDATE version SET destroy_at = 1 {of_a}"),
        format!("UPDATE version SET reserved = 1 {of_a}"),
        format!("UPDATE version SET wrapped = NULL {of_a}"),
        format!(
            "UPDATE version SET (wrapped, mac) = (SELECT other.wrapped, other.mac FROM version AS other \
             WHERE other.uid <> version.uid) {of_a}"
        ),
        format!("DELETE FROM version {of_a}"),
    ] {
        fs::write(&path, &good).expect("written");
        let file = Connection::open(&path).expect("the file");
        assert_eq!(file.execute(&sql, []).expect("altered"), 1, "{sql}");
        drop(file);
        let service = again(directory.path(), &root);
        let error = service.encrypt(&BY, "a", &context("1"), b"m").expect_err(&sql);
        assert_eq!(error.code(), "key_damaged", "{sql}");
        assert!(error.to_string().contains("`a`"), "{error}");
        service.encrypt(&BY, "b", &context("1"), b"m").expect("the other key serves");
    }
}

#[test]
fn an_old_backup_does_not_bring_a_destroyed_key_back() {
    let (directory, service, root) = service();
    make(&service, "k", KeyKind::Sm4, Purpose::Encrypt);
    let text = service.encrypt(&BY, "k", &context("1"), b"m").expect("encrypted");
    let backup = directory.path().join("backup.db");
    service.backup(&BY, &backup).expect("backed up");
    assert_eq!(code(service.backup(&BY, &backup)), "keys_unavailable", "never over another file");
    service.step(&BY, "k", 1, Step::Deactivate).expect("deactivated");
    service.step(&BY, "k", 1, Step::Schedule).expect("scheduled");
    service.tick(&later(NOW + Spec::WAIT_MS)).expect("destroyed");
    drop(service);

    let elsewhere = tempfile::tempdir().expect("a temporary directory");
    keys::restore(&backup, elsewhere.path()).expect("restored");
    assert_eq!(code(keys::restore(&backup, elsewhere.path())), "keys_unavailable");
    let stones = directory.path().join(TOMBSTONES_NAME);
    fs::copy(&stones, elsewhere.path().join(TOMBSTONES_NAME)).expect("copied");
    let service = again(elsewhere.path(), &root);
    assert_eq!(service.info("k").expect("known").versions[0].state, State::Destroyed);
    assert_eq!(code(service.decrypt(&BY, "k", &context("1"), &text)), "key_state");
    drop(service);

    // An altered tombstone stops the unsealing; one cut short never came about.
    let good = fs::read(&stones).expect("read");
    let mut altered = good.clone();
    altered[0] = if altered[0] == b'0' { b'1' } else { b'0' };
    for (bytes, expected) in [(altered, "key_damaged"), (good[..good.len() - 5].to_vec(), "ok")] {
        fs::write(elsewhere.path().join(TOMBSTONES_NAME), bytes).expect("written");
        let service = KeyService::open(elsewhere.path(), soft()).expect("opened");
        assert_eq!(code(service.unseal(&root, &BY)), expected);
    }
}

#[test]
fn nothing_secret_is_said_or_written() {
    let (directory, service, root) = service();
    make(&service, "k", KeyKind::Sm4, Purpose::Encrypt);
    let data = service.datakey(&BY, "k", &context("1"), 32).expect("a data key");
    let opened = service.decrypt(&BY, "k", &context("1"), &data.ciphertext).expect("decrypted");
    assert_eq!(opened, data.plaintext);
    let shares = root.deal(2, 3).expect("dealt");
    let (first, second) = (shares[0].text(), shares[1].text());
    let secret_of = |text: &str| text.split('-').nth(6).expect("its value").to_owned();
    let said_of_all = format!("{service:?} {root:?} {shares:?} {data:?}");
    let mut collected = ark::ceremony::Shares::default();
    collected.add(shares[0].clone()).expect("taken");
    let errors = [
        said(&collected.add(shares[0].clone()).expect_err("twice")),
        said(&Share::parse(&first.replace("ark-share-1", "ark-share-2")).expect_err("another form")),
        said(&service.decrypt(&BY, "k", &context("2"), &data.ciphertext).expect_err("another context")),
    ];
    for secret in [hex::encode(&*data.plaintext), secret_of(&first), secret_of(&second)] {
        assert_eq!(secret.len() % 32, 0, "{}", secret.len());
        assert!(!said_of_all.contains(&secret) && errors.iter().all(|error| !error.contains(&secret)));
    }
    drop(service);
    let holds =
        |path: &Path, secret: &[u8]| fs::read(path).expect("read").windows(secret.len()).any(|window| window == secret);
    let path = directory.path().join(KEYS_NAME);
    assert!(!holds(&path, &data.plaintext) && !holds(&path, hex::encode(&*data.plaintext).as_bytes()));

    // The root key, whose bytes the key file tells: it is in no other file, and what it opens is no secret of the file.
    let directory = tempfile::tempdir().expect("a temporary directory");
    let service = KeyService::open_with_key_file(directory.path(), soft(), &BY).expect("made");
    make(&service, "k", KeyKind::Sm4, Purpose::Encrypt);
    drop(service);
    let line = fs::read_to_string(directory.path().join("ark.key")).expect("read");
    let text = line.split(' ').nth(2).expect("the key");
    let bytes = hex::decode(text).expect("hexadecimal digits");
    assert!(holds(&directory.path().join("ark.key"), text.as_bytes()), "the search finds what is there");
    for entry in fs::read_dir(directory.path()).expect("listed").map(|entry| entry.expect("an entry").path()) {
        assert!(!holds(&entry, &bytes), "{entry:?}");
        assert!(entry.ends_with("ark.key") || !holds(&entry, text.as_bytes()), "{entry:?}");
    }
}

#[test]
fn bad_input_has_its_code() {
    let (directory, service, root) = service();
    make(&service, "k", KeyKind::Sm4, Purpose::Encrypt);
    let none = Context::new();
    let long = "x".repeat(300);
    for name in ["", "K", "钥", &long] {
        assert_eq!(code(service.create(&BY, &Spec::new(name, KeyKind::Sm4, Purpose::Encrypt))), "key_name");
    }
    assert_eq!(code(service.create(&BY, &Spec::new("k", KeyKind::Sm4, Purpose::Encrypt))), "key_exists");
    assert_eq!(code(service.encrypt(&BY, "nobody", &none, b"m")), "key_not_found");
    assert_eq!(code(service.encrypt(&By { caller: &long, ..BY }, "k", &none, b"m")), "too_large");
    assert_eq!(code(service.encrypt(&BY, "k", &context(&"x".repeat(5_000)), b"m")), "too_large");
    assert_eq!(code(service.datakey(&BY, "k", &none, 8)), "length_invalid");
    assert_eq!(code(service.random(&BY, 1 << 20)), "too_large");
    assert_eq!(service.random(&BY, 32).expect("random bytes").len(), 32);
    assert_eq!(code(service.step(&BY, "k", 9, Step::Suspend)), "key_version");
    drop(service);
    assert_eq!(code(KeyService::init(directory.path(), soft(), &root, &BY)), "keys_file");
    let empty = tempfile::tempdir().expect("a temporary directory");
    assert_eq!(code(KeyService::open(empty.path(), soft())), "keys_file");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any change, cut or addition of a ciphertext: refused, and as nothing but a wrong version is it ever told apart.
    #[test]
    fn altered_ciphertexts_do_not_open(
        edits in prop::collection::vec((any::<prop::sample::Index>(), "[a-zA-Z0-9+/=:]"), 1..64),
        cut in any::<prop::sample::Index>(),
    ) {
        let (_directory, service, _root) = service();
        make(&service, "k", KeyKind::Sm4, Purpose::Encrypt);
        let text = service.encrypt(&BY, "k", &context("1"), b"a message").expect("encrypted");
        let mut all = vec![text[..cut.index(text.len())].to_owned(), format!("{text}A"), text.replace("v1", "v01")];
        for (place, letter) in edits {
            let place = place.index(text.len());
            let mut altered = text.clone();
            altered.replace_range(place..=place, &letter);
            all.push(altered);
        }
        for altered in all.iter().filter(|altered| **altered != text) {
            let found = code(service.decrypt(&BY, "k", &context("1"), altered));
            prop_assert!(found == "decryption_failed" || found == "key_version", "{} {}", found, altered);
        }
    }
}
