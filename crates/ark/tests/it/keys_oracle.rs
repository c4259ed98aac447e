//! The provider against two programs that share no protocol code with it: `openssl`, and `gmcrypto-core`'s own SM2.

use std::{fs, path::Path, process::Command};

use ark::{
    Provider as _, Soft,
    provider::{Authentication, Check, Cipher, Exchange, KeyKind, PublicKey, PublicKeyEncryption, Side, Signing},
};
use gmcrypto_core::sm2::{
    Sm2PrivateKey, Sm2PublicKey,
    key_exchange::{Sm2KxConfirm, Sm2KxEphemeralPoint, Sm2KxInitiator},
};

use crate::{
    oracle::openssl,
    support::{bytes, skip},
};

const INSTALL: &str = "apt-get install openssl (version 3, with SM2, SM3 and SM4)";

/// `SubjectPublicKeyInfo` of a point, in front of it: the curve's name differs, the lengths do not.
const SM2_INFO: &str = "3059301306072a8648ce3d020106082a811ccf5501822d034200";
const P256_INFO: &str = "3059301306072a8648ce3d020106082a8648ce3d030107034200";
/// The same for Ed25519.
const ED25519_INFO: &str = "302a300506032b6570032100";

/// What stands in front of the public key's bytes.
fn front(kind: KeyKind) -> Vec<u8> {
    let front = match kind {
        KeyKind::Sm2 => SM2_INFO,
        KeyKind::P256 => P256_INFO,
        KeyKind::Ed25519 => ED25519_INFO,
        KeyKind::Rsa2048 | KeyKind::Rsa3072 => "",
        KeyKind::Sm4
        | KeyKind::HmacSm3
        | KeyKind::Aes128
        | KeyKind::Aes256
        | KeyKind::TripleDes2
        | KeyKind::TripleDes3 => unreachable!("a symmetric key has no public one"),
    };
    hex::decode(front).expect("hex")
}

fn information(public: &PublicKey) -> Vec<u8> {
    [front(public.kind), public.bytes.clone()].concat()
}

/// Whether `openssl ARGUMENTS` succeeds in `directory`; `None` without the program.
fn succeeds(directory: &Path, arguments: &[&str]) -> Option<bool> {
    Some(Command::new("openssl").args(arguments).current_dir(directory).output().ok()?.status.success())
}

/// Only what the program itself says it has: another build may lack the national algorithms.
pub(crate) fn knows_sm2() -> bool {
    openssl(&["genpkey", "-algorithm", "SM2"], b"").is_some()
}

/// Signs `message` with a key that openssl makes. Gives public key and signature.
fn signed_by_openssl(directory: &Path, make: &[&str], sign: &[&str], message: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    fs::write(directory.join("message"), message).expect("written");
    if !succeeds(directory, &[&["genpkey", "-out", "key.pem"], make].concat())?
        || !succeeds(directory, &["pkey", "-in", "key.pem", "-pubout", "-outform", "DER", "-out", "public.der"])?
    {
        return None;
    }
    let sign =
        [&["pkeyutl", "-sign", "-inkey", "key.pem", "-rawin", "-in", "message", "-out", "signature"], sign].concat();
    assert_eq!(succeeds(directory, &sign), Some(true), "openssl {sign:?}");
    let read = |name| fs::read(directory.join(name)).expect("openssl wrote it");
    Some((read("public.der"), read("signature")))
}

#[test]
fn signatures_verify_in_both_directions() {
    if !knows_sm2() {
        return skip("openssl", INSTALL);
    }
    let soft = Soft::new().expect("self-tests pass");
    let directory = tempfile::tempdir().expect("a directory");
    let directory = directory.path();
    let sm2 = ["-digest", "sm3", "-pkeyopt", "distid:1234567812345678"];
    let sha256 = ["-digest", "sha256"];
    let kinds: [(KeyKind, Signing<'_>, &[&str], &[&str]); 5] = [
        (KeyKind::Sm2, Signing::SM2, &["-algorithm", "SM2"], &sm2),
        (KeyKind::P256, Signing::P256Sha256, &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], &sha256),
        (
            KeyKind::Rsa2048,
            Signing::RsaPkcs1Sha256,
            &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
            &sha256,
        ),
        (
            KeyKind::Rsa3072,
            Signing::RsaPkcs1Sha256,
            &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"],
            &sha256,
        ),
        (KeyKind::Ed25519, Signing::Ed25519, &["-algorithm", "ED25519"], &[]),
    ];
    for (kind, scheme, make, sign) in kinds {
        let message = bytes(kind as u64, 300);
        let (information_of, signature) =
            signed_by_openssl(directory, make, sign, &message).expect("openssl has the kind");
        let public = PublicKey { kind, bytes: information_of[front(kind).len()..].to_vec() };
        assert_eq!(information(&public), information_of, "{kind}");
        soft.verify(&Check { public: &public, scheme, message: &message, signature: &signature })
            .expect("openssl's verifies");

        let own = soft.generate(kind).expect("random bytes");
        let signature = soft.sign(own, scheme, &message).expect("signed");
        fs::write(directory.join("own.der"), information(&soft.public_key(own).expect("a pair"))).expect("written");
        fs::write(directory.join("signature"), &signature).expect("written");
        let verify = [
            &["pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", "own.der", "-rawin", "-in", "message"],
            ["-sigfile", "signature"].as_slice(),
            sign,
        ]
        .concat();
        assert_eq!(succeeds(directory, &verify), Some(true), "openssl verifies ours, {kind}");
        fs::write(directory.join("message"), b"another").expect("written");
        assert_eq!(succeeds(directory, &verify), Some(false), "and not for another message, {kind}");
    }
}

#[test]
fn sm2_ciphertexts_open_in_both_directions() {
    if !knows_sm2() {
        return skip("openssl", INSTALL);
    }
    let soft = Soft::new().expect("self-tests pass");
    let directory = tempfile::tempdir().expect("a directory");
    let directory = directory.path();
    for length in [1, 32, 33, 200] {
        let message = bytes(length as u64, length);
        fs::write(directory.join("message"), &message).expect("written");
        for arguments in [
            &["genpkey", "-algorithm", "SM2", "-out", "key.pem"][..],
            &["pkey", "-in", "key.pem", "-pubout", "-outform", "DER", "-out", "public.der"],
        ] {
            assert_eq!(succeeds(directory, arguments), Some(true));
        }
        let information_of = fs::read(directory.join("public.der")).expect("openssl wrote it");
        let public = PublicKey { kind: KeyKind::Sm2, bytes: information_of[SM2_INFO.len() / 2..].to_vec() };
        let ciphertext = soft.encrypt_for(&public, PublicKeyEncryption::Sm2Der, &message).expect("encrypted");
        fs::write(directory.join("ciphertext"), ciphertext).expect("written");
        let decrypt = ["pkeyutl", "-decrypt", "-inkey", "key.pem", "-in", "ciphertext", "-out", "opened"];
        assert_eq!(succeeds(directory, &decrypt), Some(true), "openssl opens ours, {length} bytes");
        assert_eq!(fs::read(directory.join("opened")).expect("openssl wrote it"), message);

        let own = soft.generate(KeyKind::Sm2).expect("random bytes");
        fs::write(directory.join("own.der"), information(&soft.public_key(own).expect("a pair"))).expect("written");
        let encrypt = [
            "pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-inkey", "own.der", "-in", "message", "-out", "theirs",
        ];
        assert_eq!(succeeds(directory, &encrypt), Some(true));
        let theirs = fs::read(directory.join("theirs")).expect("openssl wrote it");
        assert_eq!(*soft.decrypt_with(own, PublicKeyEncryption::Sm2Der, &theirs).expect("opens"), message);
    }
}

#[test]
fn block_modes_and_cmac_agree_with_openssl() {
    let soft = Soft::new().expect("self-tests pass");
    let kinds = [
        (KeyKind::Sm4, 16, "sm4"),
        (KeyKind::Aes128, 16, "aes-128"),
        (KeyKind::Aes256, 32, "aes-256"),
        (KeyKind::TripleDes2, 16, "des-ede"),
        (KeyKind::TripleDes3, 24, "des-ede3"),
    ];
    for (kind, key_length, name) in kinds {
        let block = if key_length == 16 && kind == KeyKind::TripleDes2 || key_length == 24 { 8 } else { 16 };
        let key_bytes = bytes(kind as u64, key_length);
        let key = soft.import(kind, &key_bytes).expect("a key");
        let iv = bytes(50, block);
        let (key_hex, iv_hex) = (hex::encode(&key_bytes), hex::encode(&iv));
        for length in [block, 64, 1024] {
            let message = bytes(length as u64, length);
            let run = |mode: &str| {
                let cipher = if block == 8 && mode == "ecb" { format!("-{name}") } else { format!("-{name}-{mode}") };
                let mut arguments = vec!["enc", &cipher, "-K", &key_hex, "-nopad"];
                if mode != "ecb" {
                    arguments.extend(["-iv", &iv_hex]);
                }
                openssl(&arguments, &message)
            };
            let Some(expected) = run("cbc") else { return skip("openssl", INSTALL) };
            assert_eq!(soft.encrypt(key, Cipher::Cbc { iv: &iv }, &message).expect("whole blocks"), expected, "{name}");
            if length <= 64 {
                let ours = soft.encrypt(key, Cipher::Ecb, &message).expect("a key block");
                assert_eq!(ours, run("ecb").expect("as CBC"), "{name}");
            }
            if block == 16 {
                let odd = [message.as_slice(), b"odd"].concat();
                let ours = soft.encrypt(key, Cipher::Ctr { counter: &iv }, &odd).expect("any length");
                let mode = format!("-{name}-ctr");
                let theirs = openssl(&["enc", &mode, "-K", &key_hex, "-iv", &iv_hex], &odd).expect("as CBC");
                assert_eq!(ours, theirs, "{name}");
            }
        }
        // openssl has no CMAC over two-part triple DES.
        if kind != KeyKind::TripleDes2 {
            for length in [0, 1, block, block + 1, 100] {
                let message = bytes(length as u64, length);
                let (cipher, key_option) = (format!("cipher:{name}-cbc"), format!("hexkey:{key_hex}"));
                let arguments =
                    ["mac", "-macopt", &cipher, "-macopt", &key_option, "-binary", "-in", "/dev/stdin", "CMAC"];
                let Some(expected) = openssl(&arguments, &message) else { return skip("openssl", INSTALL) };
                assert_eq!(soft.authenticate(key, Authentication::Cmac, &message).expect("a tag"), expected, "{name}");
            }
        }
    }
}

#[test]
fn oaep_opens_in_openssl() {
    let soft = Soft::new().expect("self-tests pass");
    let directory = tempfile::tempdir().expect("a directory");
    let directory = directory.path();
    let made =
        succeeds(directory, &["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", "key.pem"]);
    if made != Some(true) {
        return skip("openssl", INSTALL);
    }
    let information =
        succeeds(directory, &["pkey", "-in", "key.pem", "-pubout", "-outform", "DER", "-out", "public.der"]);
    let private =
        succeeds(directory, &["pkcs8", "-topk8", "-nocrypt", "-in", "key.pem", "-outform", "DER", "-out", "key.der"]);
    assert_eq!((information, private), (Some(true), Some(true)));
    let read = |name| fs::read(directory.join(name)).expect("openssl wrote it");
    let public = PublicKey { kind: KeyKind::Rsa2048, bytes: read("public.der") };
    let ciphertext = soft.encrypt_for(&public, PublicKeyEncryption::RsaOaepSha256, b"message").expect("encrypted");
    fs::write(directory.join("ciphertext"), &ciphertext).expect("written");
    let options = ["-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha256"];
    let decrypt =
        [&["pkeyutl", "-decrypt", "-inkey", "key.pem", "-in", "ciphertext", "-out", "opened"], &options[..]].concat();
    assert_eq!(succeeds(directory, &decrypt), Some(true));
    assert_eq!(read("opened"), b"message");
    // And a private key that openssl made comes in.
    let key = soft.import(KeyKind::Rsa2048, &read("key.der")).expect("a key");
    assert_eq!(soft.public_key(key).expect("a pair"), public);
    assert_eq!(*soft.decrypt_with(key, PublicKeyEncryption::RsaOaepSha256, &ciphertext).expect("opens"), b"message");
    assert_eq!(soft.import(KeyKind::Rsa3072, &read("key.der")).expect_err("another size").code(), "key_bytes_invalid");
}

/// `gmcrypto-core` as the initiator, the provider as the responder: the key is the same, and each takes the other's tag.
#[test]
fn a_key_is_agreed_on_with_another_implementation() {
    let soft = Soft::new().expect("self-tests pass");
    let theirs = Option::<Sm2PrivateKey>::from(Sm2PrivateKey::from_bytes_be(&[0x21; 32])).expect("a key");
    let (own, once) =
        (soft.generate(KeyKind::Sm2).expect("random bytes"), soft.generate(KeyKind::Sm2).expect("random bytes"));
    let point = |key| -> [u8; 65] { soft.public_key(key).expect("a pair").bytes.try_into().expect("65 bytes") };
    let (own_point, once_point) = (point(own), point(once));
    let our_public = Sm2PublicKey::from_sec1_bytes(&own_point).expect("on the curve");
    let initiator = Sm2KxInitiator::new(&theirs, &our_public, b"theirs", b"ours", 16).expect("parameters");
    let (ephemeral, waiting) = initiator.produce_ephemeral(&mut getrandom::SysRng).expect("random bytes");
    let sm2 = |bytes: &[u8]| PublicKey { kind: KeyKind::Sm2, bytes: bytes.to_vec() };
    let agreed = soft
        .agree(&Exchange {
            side: Side::Responder,
            own,
            own_ephemeral: once,
            own_id: b"ours",
            peer: &sm2(&theirs.public_key().to_sec1_uncompressed()),
            peer_ephemeral: &sm2(&ephemeral.to_bytes()),
            peer_id: b"theirs",
            kind: KeyKind::Sm4,
        })
        .expect("agreed");
    let (shared, tag) = waiting
        .confirm(&Sm2KxEphemeralPoint::from_bytes(&once_point), &Sm2KxConfirm::from_bytes(&agreed.own_tag()))
        .expect("their side takes our tag");
    let key = agreed.confirm(&tag.to_bytes()).expect("our side takes theirs");
    let same = soft.import(KeyKind::Sm4, shared.as_bytes()).expect("a key");
    assert_eq!(soft.check_value(key).expect("a cipher"), soft.check_value(same).expect("a cipher"));
}
