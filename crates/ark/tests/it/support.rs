//! Words and helpers of the tests.

use std::{fmt::Debug, fs::OpenOptions, io::Write as _, path::Path, sync::Arc};

use ark::{CertificateType, CustomerId, Error, Field, Identity, KeyService, Kind, Vault, keys::By};
use tempfile::TempDir;

pub(crate) const PHONE: Field = Field::new("customer.phone", Kind::Phone);
pub(crate) const SECOND_PHONE: Field = Field::new("customer.second_phone", Kind::Phone);
pub(crate) const ACCOUNT: Field = Field::new("merchant.settlement_account", Kind::BankAccount);

/// A made-up number of a resident identity card; each `serial` is another person.
pub(crate) fn person(serial: u32) -> Identity {
    let number = format!("99010119000101{serial:04}");
    Identity::new(CertificateType::ResidentIdentity, &number.into()).expect("a number in its form")
}

/// A vault in a directory of its own, which lives as long as the test.
pub(crate) fn new_vault() -> (TempDir, Vault) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let vault = open(directory.path()).expect("a new vault");
    (directory, vault)
}

/// The same, and the key service that wraps its keys.
pub(crate) fn vault_and_keys() -> (TempDir, Vault, Arc<KeyService>) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let keys = Arc::new(keys_of(directory.path()).expect("a new key service"));
    let vault = Vault::open(directory.path(), keys.clone()).expect("a new vault");
    (directory, vault, keys)
}

/// The key service of a directory under its key file.
pub(crate) fn keys_of(directory: &Path) -> Result<KeyService, Error> {
    ark::vault::open_keys_with_key_file(directory, &By::new("test", "", 1_800_000_000_000))
}

pub(crate) fn open(directory: &Path) -> Result<Vault, Error> {
    Vault::open_with_key_file(directory)
}

pub(crate) fn customer(vault: &Vault, serial: u32) -> CustomerId {
    vault.get_or_create(&person(serial)).expect("a customer").id()
}

/// The message and the debug form of an error, for what both must not say.
pub(crate) fn said<E: std::error::Error + Debug>(error: &E) -> String {
    let mut text = format!("{error} {error:?}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(" {error} {error:?}"));
        cause = error.source();
    }
    text
}

/// Says that a test could not run here; in CI that is a failure.
pub(crate) fn skip(name: &str, install: &str) {
    let line = skip_anywhere(name, install);
    assert!(std::env::var_os("LINTEL_CI").is_none(), "under LINTEL_CI a skip fails: {line}");
}

/// Says that a test could not run here, which is no failure in CI either: what is missing is not on every machine.
#[expect(clippy::print_stdout, reason = "a skipped test says so where tests speak")]
pub(crate) fn skip_anywhere(name: &str, install: &str) -> String {
    let line = format!("SKIP {name}: {install}");
    println!("{line}");
    if let Some(path) = std::env::var_os("LINTEL_SKIPS") {
        let mut file = OpenOptions::new().create(true).append(true).open(path).expect("LINTEL_SKIPS can be opened");
        // One write, so that lines of parallel tests do not mix.
        file.write_all(format!("{line}\n").as_bytes()).expect("LINTEL_SKIPS can be written");
    }
    line
}

/// Bytes that look random and are the same in every run: SM4-GCM under a fixed key would be circular, so plain
/// arithmetic (a 64-bit linear congruential generator, Knuth's constants).
pub(crate) fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed;
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    })
    .take(length)
    .collect()
}

/// Bytes of a hexadecimal text, either case.
pub(crate) fn unhex(text: &str) -> Vec<u8> {
    hex::decode(text).expect("hexadecimal digits")
}
