//! Public keys and signatures of every scheme, and encryption for such a public key.
#![no_main]

use ark::{
    Provider as _,
    provider::{Check, KeyKind, PublicKey, PublicKeyEncryption, Signing},
};
use ark_fuzz::{choice, part, soft};
use libfuzzer_sys::fuzz_target;

const SCHEMES: [(KeyKind, Signing<'static>); 5] = [
    (KeyKind::Sm2, Signing::SM2),
    (KeyKind::P256, Signing::P256Sha256),
    (KeyKind::Ed25519, Signing::Ed25519),
    (KeyKind::Rsa2048, Signing::RsaPkcs1Sha256),
    (KeyKind::Rsa3072, Signing::RsaPkcs1Sha256),
];

fuzz_target!(|data: &[u8]| {
    let Some((chosen, data)) = choice(data) else { return };
    let (kind, scheme) = SCHEMES[chosen % SCHEMES.len()];
    let (bytes, data) = part(data);
    let (signature, message) = part(data);
    let public = PublicKey { kind, bytes: bytes.to_vec() };
    let _ = soft().verify(&Check { public: &public, scheme, message, signature });
    for scheme in [PublicKeyEncryption::Sm2Raw, PublicKeyEncryption::Sm2Der, PublicKeyEncryption::RsaOaepSha256] {
        let _ = soft().encrypt_for(&public, scheme, b"m");
    }
});
