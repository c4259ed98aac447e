//! The key service in a schema of a real PostgreSQL: what it keeps, who may have it, and what a lost connection leaves.

use std::{fs, time::Duration};

use ark::{
    KeyService,
    audit::CHECKPOINT_INTERVAL_MS,
    ceremony::RootKey,
    keys::{
        self, By, Change, Context, Error, Home, KEYS_NAME, PostgresConfig, Proposal, Purpose, Role, Spec, State, Step,
        TOMBSTONES_NAME,
    },
    provider::KeyKind,
};
use tempfile::TempDir;
use tokio_postgres::NoTls;

use crate::{
    cluster::cluster,
    keys::{make, soft},
};

const NOW: i64 = 1_800_000_000_000;
const BY: By<'static> = By::new("test", "why not", NOW);

/// A schema of its own, and the directory beside it.
struct Place {
    directory: TempDir,
    config: PostgresConfig,
    root: RootKey,
}

impl Place {
    /// `None` where there is no PostgreSQL.
    fn new(test: &str) -> Option<Self> {
        let cluster = cluster(test)?;
        let mut config = PostgresConfig::new(cluster.url(), cluster.schema());
        config.retry_after = Duration::ZERO;
        let directory = tempfile::tempdir().expect("a temporary directory");
        Some(Self { directory, config, root: RootKey::generate().expect("random bytes") })
    }

    fn home(&self) -> Home {
        Home::new(self.directory.path(), Some(self.config.clone()))
    }

    fn init(&self) -> KeyService {
        KeyService::init(self.home(), soft(), &self.root, &BY).expect("a new key service")
    }

    fn again(&self) -> KeyService {
        let service = KeyService::open(self.home(), soft()).expect("the same key service");
        service.unseal(&self.root, &BY).expect("its root key");
        service
    }

    /// Does it as somebody who has the database; the first number of what it answers.
    fn sql(&self, sql: &str) -> Option<i64> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&self.config.url, NoTls).await.expect("connected");
            let driven = tokio::spawn(connection);
            client.batch_execute(&format!("SET search_path = {}", self.config.schema)).await.expect("set");
            let row = client.query(sql, &[]).await.expect(sql).into_iter().next();
            drop(client);
            driven.await.expect("no panic").expect("closed");
            row.map(|row| row.get(0))
        })
    }

    /// Ends the sessions of the key service, as a restart of the server does.
    fn cut(&self) {
        let schema = &self.config.schema;
        let ended = self.sql(&format!(
            "SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity WHERE application_name LIKE 'ark/{schema}/%'"
        ));
        assert!(ended > Some(0), "there was a session");
    }
}

fn code<T>(result: Result<T, Error>) -> &'static str {
    result.map_or_else(|error| error.code(), |_| "ok")
}

fn later(now: i64) -> By<'static> {
    By { now, ..BY }
}

fn encrypt(service: &KeyService, name: &str) -> Result<String, Error> {
    service.encrypt(&BY, name, &Context::new(), b"message")
}

#[test]
fn keys_rights_and_trail_survive_a_restart() {
    let Some(place) = Place::new("keys_rights_and_trail_survive_a_restart") else { return };
    assert!(!place.home().is_made().expect("reached"));
    assert_eq!(code(KeyService::open(place.home(), soft())), "keys_file", "none is made yet");
    let service = place.init();
    assert!(place.home().is_made().expect("reached"));
    for kind in KeyKind::ALL {
        for purpose in [Purpose::Encrypt, Purpose::Sign, Purpose::Mac, Purpose::Wrap] {
            if purpose.takes(kind) {
                make(&service, &format!("{purpose}/{kind}"), kind, purpose);
            }
        }
    }
    let text = encrypt(&service, "encrypt/sm4").expect("encrypted");
    service.rotate(&BY, "encrypt/sm4").expect("rotated");
    for caller in ["one", "two"] {
        let change = Change::Grant { caller: caller.to_owned(), role: Role::Administrator };
        service.change_access(&BY, &change, None).expect("the founder's time");
    }
    let proposal = Proposal::destroy("encrypt/sm4", 1);
    let asked = service.propose(&By { caller: "one", ..BY }, &proposal).expect("asked").id;
    service.decide(&By { caller: "two", ..BY }, asked, true).expect("approved");
    assert!(service.use_code(&By { caller: "two", ..BY }, 1_000).expect("open"), "the first time");
    // NUL, which PostgreSQL has no place for, does not stop the trail.
    assert_eq!(code(service.encrypt(&By::new("a\0b", "c\0d", NOW), "no\0key", &Context::new(), b"m")), "key_not_found");
    assert!(service.tick(&later(NOW + CHECKPOINT_INTERVAL_MS)).expect("ticked").signed);
    assert_eq!(service.rotate_kek(&BY).expect("rotated"), 2);
    while service.rewrap_keys(&BY, 3).expect("moved") > 0 {}
    let (keys, access) = (service.list().expect("open").len(), service.access().expect("open"));
    let public = service.audit_public_key().expect("open");
    let records = service.audit(0, 10_000).expect("the trail").len();
    assert_eq!(code(KeyService::open(place.home(), soft())), "keys_file", "one process has it");
    drop(service);

    let service = place.again();
    assert_eq!((service.list().expect("open").len(), service.access().expect("open")), (keys, access));
    let opened = service.decrypt(&BY, "encrypt/sm4", &Context::new(), &text).expect("decrypted");
    assert_eq!(opened.as_slice(), b"message");
    service.redeem(&By { caller: "one", ..BY }, Some(asked), &proposal).expect("approved before");
    assert!(!service.use_code(&By { caller: "two", ..BY }, 1_000).expect("open"), "the second time");
    let found = service.verify_audit(&public).expect("whole");
    assert!(found.records as usize > records && found.checkpoints == 1, "{found:?}");
    place.sql("UPDATE audit SET caller = 'other' WHERE number = 3");
    let broken = service.verify_audit(&public).expect_err("altered").to_string();
    assert!(broken.contains("audit record 3 is"), "{broken}");
    drop(service);
    place.sql("UPDATE key SET exportable = 1 WHERE name = 'sign/sm2'");
    let service = place.again();
    assert_eq!(code(service.sign(&BY, "sign/sm2", b"m")), "key_damaged");
    encrypt(&service, "encrypt/sm4").expect("the others serve");
}

#[test]
fn a_backup_goes_from_either_place_into_either_and_brings_no_destroyed_key_back() {
    let Some(place) = Place::new("a_backup_goes_from_either_place_into_either") else { return };
    let service = place.init();
    make(&service, "k", KeyKind::Sm4, Purpose::Encrypt);
    make(&service, "gone", KeyKind::Sm4, Purpose::Encrypt);
    let text = encrypt(&service, "k").expect("encrypted");
    let public = service.audit_public_key().expect("open");
    let backup = place.directory.path().join("backup.db");
    service.backup(&BY, &backup).expect("backed up");
    let (beside, stones) = (place.directory.path().join("beside.db"), place.directory.path().join("stones"));
    assert!(!keys::copy(place.home(), &beside, &stones).expect("copied beside it"));
    let read = keys::open_beside(place.home(), &place.root, "k", &Context::new(), &text).expect("opened beside it");
    assert_eq!(read.as_slice(), b"message");
    for step in [Step::Deactivate, Step::Schedule] {
        service.step(&BY, "gone", 1, step).expect("a step");
    }
    assert_eq!(service.tick(&later(NOW + Spec::WAIT_MS)).expect("ticked").destroyed, 1);
    assert_eq!(place.sql("SELECT count(*) FROM version WHERE wrapped IS NULL"), Some(1));
    assert_eq!(code(keys::restore(&backup, place.home())), "keys_file", "somebody has it");
    drop(service);
    assert_eq!(code(keys::restore(&backup, place.home())), "keys_file", "there are keys");

    // Into a file.
    let elsewhere = tempfile::tempdir().expect("a temporary directory");
    let tombstones = |to: &TempDir| {
        fs::copy(place.directory.path().join(TOMBSTONES_NAME), to.path().join(TOMBSTONES_NAME)).expect("copied")
    };
    keys::restore(&backup, elsewhere.path()).expect("restored");
    tombstones(&elsewhere);
    let in_file = crate::keys::again(elsewhere.path(), &place.root);
    assert_eq!(in_file.info("gone").expect("known").versions[0].state, State::Destroyed);
    in_file.decrypt(&BY, "k", &Context::new(), &text).expect("decrypted");
    in_file.verify_audit(&public).expect("whole");
    let second = elsewhere.path().join("second.db");
    in_file.backup(&BY, &second).expect("backed up");
    drop(in_file);

    // And from there into a schema, beside which no file may have keys.
    let other = Place::new("another schema").expect("as before");
    fs::copy(&second, other.directory.path().join(KEYS_NAME)).expect("copied");
    let both = keys::restore(&second, other.home());
    assert!(
        both.as_ref().is_err_and(|error| error.to_string().contains("restore its backup into the schema")),
        "{both:?}"
    );
    fs::remove_file(other.directory.path().join(KEYS_NAME)).expect("removed");
    keys::restore(&second, other.home()).expect("restored");
    tombstones(&other.directory);
    let service = KeyService::open(other.home(), soft()).expect("restored");
    service.unseal(&place.root, &BY).expect("the same root key");
    service.decrypt(&BY, "k", &Context::new(), &text).expect("decrypted");
    assert_eq!(service.info("gone").expect("known").versions[0].state, State::Destroyed);
    service.verify_audit(&public).expect("whole");
    make(&service, "new", KeyKind::Sm4, Purpose::Encrypt);
}

#[test]
fn a_lost_connection_is_made_again_and_rows_that_changed_meanwhile_are_read_anew() {
    let Some(place) = Place::new("a_lost_connection_is_made_again") else { return };
    let service = place.init();
    make(&service, "before", KeyKind::Sm4, Purpose::Encrypt);
    place.cut();
    make(&service, "after", KeyKind::Sm4, Purpose::Encrypt);
    encrypt(&service, "before").expect("encrypted");

    // While the schema is not as it must be, nothing is changed and the trail stops uses; once it does, all goes on.
    let schema = &place.config.schema;
    place.sql(&format!("ALTER TABLE {schema}.place RENAME TO away"));
    place.cut();
    assert_eq!(code(service.create(&BY, &Spec::new("never", KeyKind::Sm4, Purpose::Encrypt))), "keys_unavailable");
    let second = By { now: NOW + 1_000, ..BY };
    assert_eq!(code(service.encrypt(&second, "before", &Context::new(), b"m")), "keys_unavailable");
    place.sql(&format!("ALTER TABLE {schema}.away RENAME TO place"));
    service.tick(&BY).expect("it is back");
    make(&service, "then", KeyKind::Sm4, Purpose::Encrypt);

    // Somebody else had it: what is in memory is not what the rows say.
    place.sql("UPDATE place SET epoch = epoch + 1, change = change + 1");
    place.sql("DELETE FROM version WHERE uid = (SELECT uid FROM key WHERE name = 'then')");
    let refused = service.create(&BY, &Spec::new("never", KeyKind::Sm4, Purpose::Encrypt));
    assert_eq!(code(refused), "keys_unavailable");
    service.tick(&BY).expect("read anew");
    assert_eq!(code(encrypt(&service, "then")), "key_damaged", "as the rows say");
    make(&service, "at-last", KeyKind::Sm4, Purpose::Encrypt);
    let operations: Vec<_> =
        service.audit(0, 1_000).expect("the trail").into_iter().map(|record| record.act.operation).collect();
    assert!(operations.iter().any(|operation| operation == "read-anew"), "{operations:?}");
    service.verify_audit(&service.audit_public_key().expect("open")).expect("whole");
}

#[test]
fn settings_that_cannot_be_are_named_and_a_server_that_is_not_there_is_unavailable() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let open = |url: &str, schema: &str| {
        let home = Home::new(directory.path(), Some(PostgresConfig::new(url, schema)));
        KeyService::open(home, soft()).expect_err("nothing there")
    };
    assert!(open("host=/nowhere", "Ark").to_string().contains("`Ark`"));
    assert!(open("password=secret nonsense", "ark").to_string().contains("(not shown)"));
    let away = open("host=/nowhere user=a password=secret", "ark");
    assert_eq!(away.code(), "keys_unavailable");
    assert!(!format!("{away} {away:?}").contains("secret"));
}

/// A caller on a thread of an async runtime neither panics nor stops it.
#[tokio::test]
async fn it_is_called_from_a_runtime_too() {
    let Some(place) = Place::new("it_is_called_from_a_runtime_too") else { return };
    let service = place.init();
    make(&service, "k", KeyKind::Sm4, Purpose::Encrypt);
    encrypt(&service, "k").expect("encrypted");
}
