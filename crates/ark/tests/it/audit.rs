//! The trail: everything leaves a record, and no record is altered unseen.

use std::{fs, path::Path};

use ark::{
    KeyService, Soft,
    audit::{self, CHECKPOINT_INTERVAL_MS},
    financial::{Purpose as Duty, TerminalCipher, TerminalMac},
    keys::{Birth, By, Context, Error, KEYS_NAME, KeyAt, Purpose, Spec, life::Use},
    provider::KeyKind,
};
use rusqlite::Connection;

use crate::keys::{again, make, service};

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

fn tag(service: &KeyService, now: i64) -> Result<String, Error> {
    service.hmac(&By::new("a", "", now), "k", b"m")
}

/// Uses and records of them that are on disk, seen beside the service.
fn on_disk(directory: &Path) -> (i64, i64) {
    let file = Connection::open(directory.join(KEYS_NAME)).expect("the file");
    let sql = "SELECT coalesce(sum(count), 0), count(*) FROM audit WHERE operation = 'hmac'";
    file.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).expect("numbers")
}

#[test]
fn a_use_is_on_disk_with_the_next_tick_and_without_one_by_the_third_second() {
    let (directory, service, _root) = service();
    make(&service, "k", KeyKind::HmacSm3, Purpose::Mac);
    for now in [NOW, NOW + 999, NOW + 1_000, NOW + 2_999] {
        tag(&service, now).expect("tagged");
        assert_eq!(on_disk(directory.path()), (0, 0), "no use writes while ticks may come");
    }
    tag(&service, NOW + 3_000).expect("tagged");
    assert_eq!(on_disk(directory.path()), (4, 3), "no tick came: this one wrote those before it");
    service.tick(&By::new("clock", "", NOW + 3_500)).expect("ticked");
    assert_eq!(on_disk(directory.path()), (5, 4));
    tag(&service, NOW + 4_000).expect("tagged");
    drop(service);
    assert_eq!(on_disk(directory.path()), (5, 4), "a crash loses what came since the tick");
}

#[test]
fn a_trail_that_cannot_be_written_stops_uses_until_it_can() {
    let (directory, service, _root) = service();
    make(&service, "k", KeyKind::HmacSm3, Purpose::Mac);
    tag(&service, NOW).expect("tagged");
    let file = Connection::open(directory.path().join(KEYS_NAME)).expect("the file");
    file.execute_batch("CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'full'); END")
        .expect("no more records");
    tag(&service, NOW).expect("nobody has tried to write yet");
    let at_hand = |now| service.is_at_hand(&By::new("a", "", now), "k", Use::Protect);
    assert!(at_hand(NOW));
    assert!(service.tick(&By::new("clock", "", NOW)).is_err());
    assert!(!at_hand(NOW), "it would try to write");
    for now in [NOW, NOW + 10_000] {
        assert_eq!(tag(&service, now).expect_err("no trail, no use").code(), "keys_unavailable");
    }
    file.execute_batch("DROP TRIGGER full").expect("records again");
    tag(&service, NOW).expect("it writes what is pending, and goes on");
    assert!(at_hand(NOW));
    assert_eq!(on_disk(directory.path()), (2, 1), "those without a result are not counted");
    service.tick(&By::new("clock", "", NOW)).expect("ticked");
    assert_eq!(on_disk(directory.path()), (3, 2));
    service.verify_audit(&service.audit_public_key().expect("open")).expect("whole");
}

/// What is said to wait for nothing waits for nothing: the rows are locked by another all the while.
#[test]
fn a_key_is_at_hand_where_its_use_touches_memory_alone() {
    let (directory, service, root) = service();
    let by = By::new("a", "", NOW);
    make(&service, "k", KeyKind::HmacSm3, Purpose::Mac);
    let mac = Spec::new("t", TerminalCipher::Sm4, Purpose::Terminal(Duty::Mac));
    service.generate_terminal_key(&by, &mac, Birth::Key).expect("a key of a terminal");
    let at_hand =
        |service: &KeyService, name| [Use::Verify, Use::Protect].map(|act| service.is_at_hand(&by, name, act));
    let made = |service: &KeyService| service.terminal_mac(&by, KeyAt::current("t"), TerminalMac::Ecb, b"m");
    for name in ["k", "t"] {
        assert_eq!(at_hand(&service, name), [true, false], "its first block of uses is not counted ahead yet");
    }
    assert_eq!(at_hand(&service, "nobody"), [false, false]);
    tag(&service, NOW).expect("tagged");
    made(&service).expect("a MAC");
    for name in ["k", "t"] {
        assert_eq!(at_hand(&service, name), [true, true]);
    }
    {
        let other = Connection::open(directory.path().join(KEYS_NAME)).expect("the file");
        other.execute_batch("BEGIN IMMEDIATE").expect("nobody else writes");
        let began = std::time::Instant::now();
        let mut uses = 1;
        while service.is_at_hand(&by, "k", Use::Protect) {
            tag(&service, NOW).expect("tagged");
            uses += 1;
        }
        assert!((3_000..4_096).contains(&uses), "{uses} of a block, and some are spared");
        made(&service).expect("a MAC");
        assert!(began.elapsed() < std::time::Duration::from_secs(4), "a writer waits for longer than that");
    }
    service.seal(&by).expect("sealed");
    assert_eq!(at_hand(&service, "k"), [false, false]);
    drop(service);
    let service = again(directory.path(), &root);
    assert_eq!((at_hand(&service, "k"), at_hand(&service, "t")), ([true, false], [false, false]));
    made(&service).expect("a MAC");
    assert_eq!(at_hand(&service, "t"), [true, true], "taken in by its first use");
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
