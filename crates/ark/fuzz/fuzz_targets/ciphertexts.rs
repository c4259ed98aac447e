//! Ciphertexts and wrapped keys: nothing opens that was not made, and nothing but one error is told.
#![no_main]

use std::sync::OnceLock;

use ark::{
    Provider as _,
    provider::{Cipher, KeyError, KeyHandle, KeyKind, PublicKeyEncryption},
};
use ark_fuzz::{choice, soft};
use libfuzzer_sys::fuzz_target;

fn keys() -> &'static [KeyHandle; 3] {
    static KEYS: OnceLock<[KeyHandle; 3]> = OnceLock::new();
    KEYS.get_or_init(|| {
        [KeyKind::Sm2, KeyKind::Rsa2048, KeyKind::Sm4].map(|kind| soft().generate(kind).expect("random bytes"))
    })
}

fuzz_target!(|data: &[u8]| {
    let Some((chosen, data)) = choice(data) else { return };
    let [sm2, rsa, sm4] = *keys();
    let opened = match chosen % 6 {
        0 => soft().decrypt_with(sm2, PublicKeyEncryption::Sm2Raw, data).map(drop),
        1 => soft().decrypt_with(sm2, PublicKeyEncryption::Sm2Der, data).map(drop),
        2 => soft().decrypt_with(rsa, PublicKeyEncryption::RsaOaepSha256, data).map(drop),
        3 => soft().open(sm4, b"", data).map(drop),
        4 => soft().unwrap(data, KeyKind::ALL[chosen / 6 % KeyKind::ALL.len()], sm4).map(drop),
        // Chains open whatever they are.
        _ => return drop(soft().decrypt(sm4, Cipher::Cbc { iv: &[0; 16] }, data)),
    };
    assert!(matches!(opened, Err(KeyError::Decryption)), "{opened:?}");
});
