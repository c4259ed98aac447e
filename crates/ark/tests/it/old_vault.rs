//! A vault of a program before the key service: brought up whole or not at all, with everything it holds.
//!
//! `fixtures/vault-2` is one of format 2: 1,200 customers of whom the second is erased, and one secret of one-time codes.

use std::{
    fmt, fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use ark::{
    Class, CustomerId, Error, KeyService, Known, MacKey, SealedParts, Vault,
    keys::{By, Context, Error as KeyError, Info, KeyUse, Many, Spec},
    vault::api_root_beside,
};
use tempfile::TempDir;
use zeroize::Zeroizing;

use crate::support::{PHONE, keys_of, open, person, unhex};

const FIELDS: [(u64, &str, &str); 3] = [
    (1, "34fd1bec0b6283e45c780c156e3a17161b01d467650a54cafb319489c99ed0c65ff7f9cfc11e55", "138****0001"),
    (2, "a6c281079f4bb88110a9f9cf7f96dba9bb5afddd8913819037a335073f356775840793bb7d1ee5", "138****0002"),
    (1200, "3c4efe053ad984cf4c653faa6db86c7a99ddb2978b56967dcaae14ec67c1f877a383a7cd307778", "138****1200"),
];
/// The institution's API secret of that vault: `HMAC-SM3(its request key, "api-key" 0 "operator" 0 "1")`.
const OPERATOR_SECRET: &str = "859d70341fe16676da622779c59b8989338700b7792579d8c3c71a6b721c3f45";

/// The old directory, for a test to change.
fn old() -> TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for name in ["vault.db", "ark.key"] {
        let path = directory.path().join(name);
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/vault-2").join(name);
        fs::copy(from, &path).expect("copied");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its mode is ours to set");
    }
    directory
}

fn operator_secret(root: &MacKey) -> String {
    MacKey::from_bytes(root.tag(b"api-key\0operator\x001")).to_hex().expose().to_owned()
}

#[track_caller]
fn holds_everything(vault: &Vault) {
    for (id, ciphertext, mask) in FIELDS {
        let parts = SealedParts { ciphertext: unhex(ciphertext), key: id, class: Class::C2, mask: mask.to_owned() };
        let opened = vault.unseal(CustomerId(id), PHONE, &parts);
        if id == 2 {
            assert!(matches!(opened, Err(Error::Erased(CustomerId(2)))), "an erased customer stays erased");
            assert_eq!(vault.identity(&person(2)).expect("readable"), Some(Known::Erased(CustomerId(2))));
        } else {
            assert_eq!(opened.expect("it opens").expose(), format!("1381234{id:04}"));
        }
    }
    assert_eq!(vault.totp(7, 1).expect("readable").expect("kept").code(99), "538334");
    assert_eq!(vault.get_or_create(&person(1200)).expect("found"), Known::Existing(CustomerId(1200)));
    assert_eq!(operator_secret(&vault.request_keys().expect("open").root), OPERATOR_SECRET);
}

fn wrapped(directory: &Path) -> Vec<Vec<u8>> {
    let reader = rusqlite::Connection::open(directory.join("vault.db")).expect("it opens");
    let sql = "SELECT wrapped FROM data_key WHERE wrapped IS NOT NULL UNION ALL SELECT wrapped FROM mac_root \
               UNION ALL SELECT wrapped FROM totp";
    let mut statement = reader.prepare(sql).expect("its tables");
    let rows = statement.query_map([], |row| row.get(0)).expect("rows");
    rows.collect::<Result<_, _>>().expect("bytes")
}

#[test]
fn everything_moves_under_the_key_service_and_nothing_stays_under_the_file() {
    let directory = old();
    let before = wrapped(directory.path());
    assert_eq!(operator_secret(&api_root_beside(directory.path(), None).expect("read beside")), OPERATOR_SECRET);
    let vault = open(directory.path()).expect("brought up");
    holds_everything(&vault);
    let after = wrapped(directory.path());
    assert_eq!((before.len(), after.len()), (1_201, 1_201));
    assert!(after.iter().all(|wrapped| wrapped.starts_with(b"ark:v1:")));
    for name in ["vault.db", "vault.db-wal"] {
        let bytes = fs::read(directory.path().join(name)).unwrap_or_default();
        for old in before.iter().step_by(97) {
            assert!(!bytes.windows(old.len()).any(|window| window == old.as_slice()), "it lies in {name} still");
        }
    }
    drop(vault);
    holds_everything(&open(directory.path()).expect("and again"));
    assert_eq!(operator_secret(&api_root_beside(directory.path(), None).expect("read beside")), OPERATOR_SECRET);
}

#[test]
fn with_custodians_the_file_is_needed_once() {
    let directory = old();
    let soft = || Arc::new(ark::Soft::new().expect("self-tests pass"));
    let root = ark::ceremony::RootKey::generate().expect("random bytes");
    let by = By::new("test", "", 1_800_000_000_000);
    let keys = KeyService::init(directory.path(), soft(), &root, &by).expect("another root than the file's");
    holds_everything(&Vault::open(directory.path(), Arc::new(keys)).expect("brought up"));
    fs::remove_file(directory.path().join("ark.key")).expect("removed");
    let keys = KeyService::open(directory.path(), soft()).expect("the same");
    keys.unseal(&root, &by).expect("its root key");
    holds_everything(&Vault::open(directory.path(), Arc::new(keys)).expect("without the file"));
    let beside = api_root_beside(directory.path(), Some(&root)).expect("by the custodians' root key");
    assert_eq!(operator_secret(&beside), OPERATOR_SECRET);
    assert!(matches!(api_root_beside(directory.path(), None), Err(Error::KeyFileMissing { .. })));
}

/// Every call to the key service may be the last one before a crash.
#[test]
fn broken_off_anywhere_it_is_the_old_vault_still() {
    let directory = old();
    let before = wrapped(directory.path());
    let mut calls = 0;
    loop {
        let keys = Arc::new(keys_of(directory.path()).expect("a key service"));
        let failing = Arc::new(Failing { keys, left: AtomicU32::new(calls) });
        match Vault::open(directory.path(), failing) {
            Ok(vault) => {
                holds_everything(&vault);
                break;
            }
            Err(error) if calls < 6 => assert!(matches!(error, Error::Keys(_)), "{error}"),
            Err(error) => panic!("it should be through by now: {error}"),
        }
        // Only the last call of all, which reads what was committed, comes after the change.
        if calls < 5 {
            assert_eq!(wrapped(directory.path()), before, "after {calls} calls");
        }
        calls += 1;
    }
    assert_eq!(calls, 6, "ensure, MAC root, two batches of data keys, codes, and the first use");
}

#[test]
fn a_key_file_that_is_not_its_own_changes_nothing() {
    let directory = old();
    let before = wrapped(directory.path());
    let path = directory.path().join("ark.key");
    let own = fs::read(&path).expect("readable");
    fs::remove_file(&path).expect("removed");
    let soft = Arc::new(ark::Soft::new().expect("self-tests pass"));
    let root = ark::ceremony::RootKey::generate().expect("random bytes");
    let by = By::new("test", "", 1_800_000_000_000);
    let keys = Arc::new(KeyService::init(directory.path(), soft, &root, &by).expect("custodians' keys"));
    let open = || Vault::open(directory.path(), keys.clone());
    assert!(matches!(open(), Err(Error::KeyFileMissing { .. })));
    ark::key_file::create(&path).expect("another key");
    assert!(matches!(open(), Err(Error::KeyFileOfAnotherVault { .. })));
    assert_eq!(wrapped(directory.path()), before);
    fs::write(&path, own).expect("put back");
    holds_everything(&open().expect("its own key"));
}

#[test]
fn a_damaged_data_key_keeps_no_other_customer_back() {
    let directory = old();
    let write = |sql: &str| {
        let writer = rusqlite::Connection::open(directory.path().join("vault.db")).expect("it opens");
        writer.execute_batch(sql).expect("written");
    };
    write("UPDATE data_key SET wrapped = zeroblob(44) WHERE customer = 3");
    write("DROP TABLE totp; PRAGMA user_version = 1");
    let vault = open(directory.path()).expect("brought up, of format 1 too");
    assert!(matches!(vault.seal(CustomerId(3), PHONE, &"1".into()), Err(Error::DataKeyDamaged { .. })));
    vault.seal(CustomerId(4), PHONE, &"1".into()).expect("another's is sound");
    assert!(vault.enrol_totp(1, 1).expect("made").is_some());
}

#[test]
fn keys_that_are_lost_are_not_made_anew() {
    let directory = old();
    drop(open(directory.path()).expect("brought up"));
    fs::remove_file(directory.path().join("keys.db")).expect("removed");
    let error = open(directory.path()).expect_err("its keys are gone");
    assert!(matches!(error, Error::KeysMissing { .. }) && error.to_string().contains("keys.db"), "{error}");
    assert!(!directory.path().join("keys.db").exists());
}

#[test]
fn another_key_service_does_not_open_it_and_a_sealed_one_not_now() {
    let (one, other) = (old(), old());
    drop(open(one.path()).expect("brought up"));
    let foreign = Arc::new(keys_of(other.path()).expect("another key service"));
    drop(Vault::open(other.path(), foreign.clone()).expect("brought up"));
    assert!(matches!(Vault::open(one.path(), foreign), Err(Error::KeysOfAnotherVault { .. })));

    let keys = Arc::new(keys_of(one.path()).expect("its own"));
    let vault = Vault::open(one.path(), keys.clone()).expect("it opens");
    keys.seal(&By::new("test", "", 1_800_000_000_000)).expect("sealed");
    let sealed = |error: &Error| matches!(error.of_keys(), Some(KeyError::Sealed));
    assert!(vault.kept_request_keys().is_none());
    assert!(sealed(&vault.request_keys().expect_err("sealed")));
    assert!(sealed(&vault.seal(CustomerId(1), PHONE, &"1".into()).expect_err("sealed")));
    assert!(sealed(&vault.get_or_create(&person(5_000)).expect_err("sealed")));
    assert_eq!(vault.last_customer().expect("no key is needed"), Some(CustomerId(1200)), "nothing was made");
    drop((vault, keys));
    holds_everything(&open(one.path()).expect("unsealed"));
}

/// A key service that stops answering.
struct Failing {
    keys: Arc<KeyService>,
    left: AtomicU32,
}

impl Failing {
    fn step(&self) -> Result<(), KeyError> {
        let left = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        left.map(drop).map_err(|_| KeyError::Sealed)
    }
}

impl fmt::Debug for Failing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.keys.fmt(formatter)
    }
}

impl KeyUse for Failing {
    fn ensure(&self, by: &By<'_>, spec: &Spec<'_>) -> Result<Info, KeyError> {
        self.step().and_then(|()| KeyUse::ensure(&*self.keys, by, spec))
    }

    fn info(&self, name: &str) -> Result<Info, KeyError> {
        self.step().and_then(|()| self.keys.info(name))
    }

    fn is_sealed(&self) -> bool {
        false
    }

    fn encrypt(&self, by: &By<'_>, name: &str, context: &Context, message: &[u8]) -> Result<String, KeyError> {
        self.step().and_then(|()| self.keys.encrypt(by, name, context, message))
    }

    fn encrypt_many(&self, by: &By<'_>, name: &str, values: &[(&Context, &[u8])]) -> Many<String> {
        self.step().and_then(|()| self.keys.encrypt_many(by, name, values))
    }

    fn decrypt(&self, by: &By<'_>, name: &str, context: &Context, text: &str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        self.step().and_then(|()| self.keys.decrypt(by, name, context, text))
    }

    fn decrypt_many(&self, by: &By<'_>, name: &str, values: &[(&Context, &str)]) -> Many<Zeroizing<Vec<u8>>> {
        self.step().and_then(|()| self.keys.decrypt_many(by, name, values))
    }

    fn hmac(&self, by: &By<'_>, name: &str, message: &[u8]) -> Result<String, KeyError> {
        self.step().and_then(|()| self.keys.hmac(by, name, message))
    }

    fn verify_hmac(&self, by: &By<'_>, name: &str, message: &[u8], tag: &str) -> Result<(), KeyError> {
        self.step().and_then(|()| self.keys.verify_hmac(by, name, message, tag))
    }

    fn sign(&self, by: &By<'_>, name: &str, message: &[u8]) -> Result<String, KeyError> {
        self.step().and_then(|()| self.keys.sign(by, name, message))
    }

    fn verify(&self, by: &By<'_>, name: &str, message: &[u8], signature: &str) -> Result<(), KeyError> {
        self.step().and_then(|()| self.keys.verify(by, name, message, signature))
    }
}
