//! A sealed field that is not one: it does not open.
#![no_main]

use std::sync::OnceLock;

use ark::{CertificateType, Class, CustomerId, Field, Identity, Kind, SealedParts, Vault};
use ark_fuzz::{choice, part};
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

const PHONE: Field = Field::new("customer.phone", Kind::Phone);

fn vault() -> &'static (TempDir, Vault, CustomerId, SealedParts) {
    static VAULT: OnceLock<(TempDir, Vault, CustomerId, SealedParts)> = OnceLock::new();
    VAULT.get_or_init(|| {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let vault = Vault::open_with_key_file(directory.path()).expect("a vault");
        let identity = Identity::new(CertificateType::ResidentIdentity, &"990101190001010007".into());
        let customer = vault.get_or_create(&identity.expect("a number in its form")).expect("a customer").id();
        let sealed = vault.seal(customer, PHONE, &"13800000000".into()).expect("sealed");
        (directory, vault, customer, sealed)
    })
}

fuzz_target!(|data: &[u8]| {
    let (_, vault, customer, sealed) = vault();
    let Some((chosen, data)) = choice(data) else { return };
    let class = u8::try_from(chosen).ok().and_then(|byte| Class::try_from(byte).ok()).unwrap_or(sealed.class);
    let (mask, ciphertext) = part(data);
    let mask = String::from_utf8_lossy(mask).into_owned();
    let parts = SealedParts { ciphertext: ciphertext.to_vec(), key: sealed.key, class, mask };
    assert!(vault.unseal(*customer, PHONE, &parts).is_err(), "it opened what it did not make");
});
