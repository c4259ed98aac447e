//! Texts of the key service: ciphertexts, signatures, tags, names, contexts.
#![no_main]

use std::sync::OnceLock;

use ark::{
    KeyService,
    ceremony::RootKey,
    keys::{Context, Purpose, Spec},
    provider::KeyKind,
};
use ark_fuzz::{BY, part, soft};
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

fn service() -> &'static (TempDir, KeyService) {
    static SERVICE: OnceLock<(TempDir, KeyService)> = OnceLock::new();
    SERVICE.get_or_init(|| {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let root = RootKey::generate().expect("random bytes");
        let service = KeyService::init(directory.path(), soft(), &root, &BY).expect("a key service");
        for (name, kind, purpose) in [
            ("seal", KeyKind::Sm4, Purpose::Encrypt),
            ("sign", KeyKind::Sm2, Purpose::Sign),
            ("mac", KeyKind::HmacSm3, Purpose::Mac),
        ] {
            service.create(&BY, &Spec::new(name, kind, purpose)).expect("a new key");
        }
        (directory, service)
    })
}

fuzz_target!(|data: &[u8]| {
    let (first, second) = part(data);
    let (Ok(first), Ok(second)) = (str::from_utf8(first), str::from_utf8(second)) else { return };
    let service = &service().1;
    let context = Context::from([(first.to_owned(), second.to_owned())]);
    assert!(service.decrypt(&BY, "seal", &context, second).is_err(), "it opened what it did not make");
    assert!(service.verify(&BY, "sign", first.as_bytes(), second).is_err(), "it took a signature it did not make");
    assert!(service.verify_hmac(&BY, "mac", first.as_bytes(), second).is_err(), "it took a tag it did not make");
    let _ = service.info(first);
    let _ = service.import(&BY, &Spec::new(first, KeyKind::Sm4, Purpose::Encrypt), second.as_bytes(), "seal");
});
