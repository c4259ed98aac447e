//! Keys from outside: what is taken in is a key that works.
#![no_main]

use ark::{
    Provider as _,
    provider::{KeyKind, Signing},
};
use ark_fuzz::{choice, soft};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((chosen, data)) = choice(data) else { return };
    let kind = KeyKind::ALL[chosen % KeyKind::ALL.len()];
    let Ok(key) = soft().import(kind, data) else { return };
    match kind {
        KeyKind::Sm2 => drop(soft().sign(key, Signing::SM2, b"m").expect("a key signs")),
        KeyKind::P256 => drop(soft().sign(key, Signing::P256Sha256, b"m").expect("a key signs")),
        KeyKind::Ed25519 => drop(soft().sign(key, Signing::Ed25519, b"m").expect("a key signs")),
        KeyKind::Rsa2048 | KeyKind::Rsa3072 => {
            drop(soft().sign(key, Signing::RsaPkcs1Sha256, b"m").expect("a key signs"));
        }
        KeyKind::Sm4 | KeyKind::Aes128 | KeyKind::Aes256 | KeyKind::TripleDes2 | KeyKind::TripleDes3 => {
            soft().check_value(key).expect("a key encrypts");
        }
        KeyKind::HmacSm3 => {}
    }
    soft().destroy(key);
});
