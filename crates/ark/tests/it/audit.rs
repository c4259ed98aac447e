//! The trail: everything leaves a record, and no record is altered unseen.

use std::fs;

use ark::{
    Soft,
    audit::{self, CHECKPOINT_INTERVAL_MS},
    keys::{By, Context, KEYS_NAME, Purpose},
    provider::KeyKind,
};
use rusqlite::Connection;

use crate::keys::{make, service};

const NOW: i64 = 1_800_000_000_000;

#[test]
fn uses_are_counted_changes_and_refusals_are_there() {
    let (_directory, service, _root) = service();
    make(&service, "k", KeyKind::Sm4, Purpose::Encrypt);
    let none = Context::new();
    for caller in ["a", "b", "a", "a"] {
        service.encrypt(&By::new(caller, "order 1", NOW), "k", &none, b"m").expect("encrypted");
    }
    assert!(service.decrypt(&By::new("a", "", NOW), "k", &none, "ark:v1:AAAA").is_err());
    assert!(service.rotate(&By::new("a", "", NOW), "nobody").is_err());
    let found: Vec<_> = service
        .audit(0, 100)
        .expect("the trail")
        .into_iter()
        .map(|record| {
            let act = record.act;
            format!("{} {} {} v{} {} x{}", act.caller, act.operation, act.key, act.version, act.outcome, record.count)
        })
        .collect();
    assert_eq!(
        found,
        [
            "test init  v0 ok x1",
            "test unseal  v0 ok x1",
            "test create k v1 ok x1",
            "a decrypt k v1 decryption_failed x1",
            "a encrypt k v1 ok x3",
            "b encrypt k v1 ok x1",
            "a rotate nobody v0 key_not_found x1",
        ]
    );
}

#[test]
fn a_use_is_on_disk_with_the_next_second() {
    let (directory, service, _root) = service();
    make(&service, "k", KeyKind::HmacSm3, Purpose::Mac);
    for second in 0..3 {
        service.hmac(&By::new("a", "", NOW + second * 1_000), "k", b"m").expect("tagged");
    }
    drop(service);
    let file = Connection::open(directory.path().join(KEYS_NAME)).expect("the file");
    let sql = "SELECT count(*) FROM audit WHERE operation = 'hmac'";
    assert_eq!(file.query_row(sql, [], |row| row.get::<_, i64>(0)).expect("a number"), 2);
}

/// Every column of a record, records taken out or exchanged, and checkpoints: the first that is wrong is named.
#[test]
fn every_alteration_is_found_and_named() {
    let (directory, service, _root) = service();
    make(&service, "k", KeyKind::Sm4, Purpose::Encrypt);
    make(&service, "l", KeyKind::Sm4, Purpose::Encrypt);
    let tick = |now| service.tick(&By::new("clock", "", now)).expect("ticked").signed;
    assert!(tick(NOW));
    make(&service, "m", KeyKind::Sm4, Purpose::Encrypt);
    assert!(!tick(NOW + CHECKPOINT_INTERVAL_MS - 1));
    assert!(tick(NOW + CHECKPOINT_INTERVAL_MS));
    assert!(!tick(NOW + 3 * CHECKPOINT_INTERVAL_MS), "nothing new to sign");
    let public = service.audit_public_key().expect("open");
    let whole = service.verify_audit(&public).expect("whole");
    assert_eq!((whole.records, whole.checkpoints, whole.signed_to), (5, 2, 5));
    drop(service);

    let path = directory.path().join(KEYS_NAME);
    let good = fs::read(&path).expect("read");
    let soft = Soft::new().expect("self-tests pass");
    let record = "audit record 3 is";
    for (sql, named) in [
        ("UPDATE audit SET at = at + 1 WHERE number = 3", record),
        ("UPDATE audit SET caller = 'other' WHERE number = 3", record),
        ("UPDATE audit SET key = 'other' WHERE number = 3", record),
        ("UPDATE audit SET version = 2 WHERE number = 3", record),
        ("UPDATE audit SET operation = 'other' WHERE number = 3", record),
        ("UPDATE audit SET reason = '' WHERE number = 3", record),
        ("UPDATE audit SET outcome = 'other' WHERE number = 3", record),
        ("UPDATE audit SET count = 2 WHERE number = 3", record),
        ("UPDATE audit SET chain = zeroblob(32) WHERE number = 3", record),
        ("DELETE FROM audit WHERE number = 3", record),
        ("DELETE FROM audit WHERE number = 1", "audit record 1 is"),
        ("DELETE FROM audit WHERE number = 5", "checkpoint at record 5"),
        ("UPDATE checkpoint SET signature = zeroblob(70) WHERE number = 4", "checkpoint at record 4"),
        ("UPDATE checkpoint SET at = at + 1 WHERE number = 5", "checkpoint at record 5"),
        ("UPDATE checkpoint SET number = 2 WHERE number = 4", "checkpoint at record 2"),
    ] {
        fs::write(&path, &good).expect("written");
        let file = Connection::open(&path).expect("the file");
        assert_eq!(file.execute(sql, []).expect("altered"), 1, "{sql}");
        drop(file);
        let broken = audit::verify_file(&path, &soft, &public).expect_err(sql).to_string();
        assert!(broken.contains(named), "{sql}: {broken}");
    }
    fs::write(&path, &good).expect("written");
    assert_eq!(audit::verify_file(&path, &soft, &public).expect("whole"), whole);
}
