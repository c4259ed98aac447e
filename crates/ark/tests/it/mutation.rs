//! Everything that takes bytes from outside, fed with altered and random ones under fixed seeds: it answers with one of
//! its errors, or with what the original said, and never panics.

use ark::{
    Financial as _, Provider as _, Secret, Soft,
    financial::{PinSide, Purpose, TerminalCipher, TerminalMac, Track, TrackForm, TrackSide},
    provider::{Check, Cipher, KeyError, KeyKind, PublicKey, PublicKeyEncryption, Signing},
};
use proptest::{
    collection::vec,
    prelude::{Just, Strategy, any, prop_oneof},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

/// What is done to bytes on their way.
#[derive(Debug, Clone)]
enum Change {
    /// One bit of the byte that far along, by thousandths.
    Flip(usize, u8),
    /// Cut off there.
    Cut(usize),
    /// Another byte inserted there.
    Insert(usize, u8),
    /// Something else altogether.
    Replace(Vec<u8>),
    /// As it was.
    Nothing,
}

impl Change {
    fn apply(&self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        let place = |thousandths: usize| thousandths * bytes.len() / 1000;
        match self {
            Self::Flip(at, bit) => {
                let place = place(*at);
                bytes[place] ^= 1 << bit;
            }
            Self::Cut(at) => bytes.truncate(place(*at)),
            Self::Insert(at, byte) => bytes.insert(place(*at), *byte),
            Self::Replace(other) => bytes.clone_from(other),
            Self::Nothing => {}
        }
        bytes
    }
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        4 => (0..1000_usize, 0..8_u8).prop_map(|(at, bit)| Change::Flip(at, bit)),
        2 => (0..1000_usize).prop_map(Change::Cut),
        2 => (0..1000_usize, any::<u8>()).prop_map(|(at, byte)| Change::Insert(at, byte)),
        2 => vec(any::<u8>(), 0..200).prop_map(Change::Replace),
        1 => Just(Change::Nothing),
    ]
}

/// The same cases in every run; a failing one shrinks.
fn run(cases: u32, test: impl Fn(&Change)) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    TestRunner::new_with_rng(config, random)
        .run(&change(), |change| {
            test(&change);
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
}

fn code<T>(result: Result<T, KeyError>) -> &'static str {
    result.map_or_else(|error| error.code(), |_| "done")
}

#[test]
fn signatures_and_public_keys() {
    let soft = Soft::with_known_keys(0).expect("self-tests pass");
    for (kind, scheme) in [
        (KeyKind::Sm2, Signing::SM2),
        (KeyKind::P256, Signing::P256Sha256),
        (KeyKind::Rsa2048, Signing::RsaPkcs1Sha256),
        (KeyKind::Ed25519, Signing::Ed25519),
    ] {
        let pair = soft.generate(kind).expect("random bytes");
        let public = soft.public_key(pair).expect("a pair");
        let message = b"message".as_slice();
        let signature = soft.sign(pair, scheme, message).expect("signed");
        run(400, |change| {
            let altered = change.apply(&signature);
            let same = altered == signature;
            let answer = code(soft.verify(&Check { public: &public, scheme, message, signature: &altered }));
            assert_eq!(answer, if same { "done" } else { "signature_invalid" }, "{kind} {change:?}");

            let altered = PublicKey { kind, bytes: change.apply(&public.bytes) };
            let same = altered == public;
            let answer = code(soft.verify(&Check { public: &altered, scheme, message, signature: &signature }));
            let expected: &[_] = if same { &["done"] } else { &["signature_invalid", "public_key_invalid"] };
            assert!(expected.contains(&answer), "{kind} {change:?}: {answer}");
        });
    }
}

#[test]
fn ciphertexts_and_wrapped_keys() {
    let soft = Soft::new().expect("self-tests pass");
    let (sm2, rsa, sm4) = (
        soft.generate(KeyKind::Sm2).expect("random bytes"),
        soft.generate(KeyKind::Rsa2048).expect("random bytes"),
        soft.generate(KeyKind::Sm4).expect("random bytes"),
    );
    for (pair, scheme) in [
        (sm2, PublicKeyEncryption::Sm2Raw),
        (sm2, PublicKeyEncryption::Sm2Der),
        (rsa, PublicKeyEncryption::RsaOaepSha256),
    ] {
        let public = soft.public_key(pair).expect("a pair");
        let ciphertext = soft.encrypt_for(&public, scheme, b"a message of some length").expect("encrypted");
        run(400, |change| {
            let altered = change.apply(&ciphertext);
            let same = altered == ciphertext;
            let expected = if same { "done" } else { "decryption_failed" };
            assert_eq!(code(soft.decrypt_with(pair, scheme, &altered)), expected, "{scheme:?} {change:?}");
            let public = PublicKey { kind: public.kind, bytes: change.apply(&public.bytes) };
            let answer = code(soft.encrypt_for(&public, scheme, b"m"));
            assert!(["done", "public_key_invalid"].contains(&answer), "{scheme:?} {change:?}: {answer}");
        });
    }
    let sealed = soft.seal(sm4, b"about", &[7; 300]).expect("sealed");
    let wrapped = soft.wrap(rsa, sm4).expect("wrapped");
    run(2000, |change| {
        let altered = change.apply(&sealed);
        let expected = if altered == sealed { "done" } else { "decryption_failed" };
        assert_eq!(code(soft.open(sm4, b"about", &altered)), expected, "{change:?}");
        let altered = change.apply(&wrapped);
        if altered != wrapped {
            assert_eq!(code(soft.unwrap(&altered, KeyKind::Rsa2048, sm4)), "decryption_failed", "{change:?}");
        }
        let answer = code(soft.decrypt(sm4, Cipher::Cbc { iv: &[0; 16] }, &altered));
        assert!(["done", "decryption_failed"].contains(&answer), "{change:?}: {answer}");
    });
}

#[test]
fn keys_from_outside() {
    let soft = Soft::new().expect("self-tests pass");
    for kind in KeyKind::ALL.into_iter().filter(|kind| ![KeyKind::Rsa2048, KeyKind::Rsa3072].contains(kind)) {
        run(300, |change| {
            let answer = code(soft.import(kind, &change.apply(&[0x5a; 32])));
            assert!(["done", "key_bytes_invalid"].contains(&answer), "{kind} {change:?}: {answer}");
        });
    }
    for kind in [KeyKind::Rsa2048, KeyKind::Rsa3072] {
        run(300, |change| {
            let answer =
                code(soft.import(kind, &change.apply(&hex::decode("30820122300d06092a864886f70d01").expect("hex"))));
            assert_eq!(answer, "key_bytes_invalid", "{kind} {change:?}");
        });
    }
}

#[test]
fn terminal_keys_macs_and_pin_blocks() {
    let soft = Soft::new().expect("self-tests pass");
    let make = |purpose, cipher| soft.generate_terminal_key(purpose, cipher).expect("random bytes");
    for cipher in [TerminalCipher::TripleDes2, TerminalCipher::Sm4] {
        let (master, pin, mac) =
            (make(Purpose::Master, cipher), make(Purpose::Pin, cipher), make(Purpose::Mac, cipher));
        let encrypted = soft.export_terminal_key(pin, master).expect("out");
        let check = soft.terminal_check_value(pin).expect("there");
        let tag = soft.terminal_mac(mac, TerminalMac::Ecb, b"message").expect("a MAC");
        let card_number = "6230606601007726888";
        run(1000, |change| {
            let altered = change.apply(&encrypted);
            // A change under the master key changes a whole block of the key, far beyond parity.
            let answer = code(soft.import_terminal_key(Purpose::Pin, cipher, &altered, &check, master));
            assert_eq!(answer, if altered == encrypted { "done" } else { "decryption_failed" }, "{change:?}");

            let altered = change.apply(&tag);
            let answer = code(soft.check_terminal_mac(mac, TerminalMac::Ecb, b"message", &altered));
            assert_eq!(answer, if altered == tag { "done" } else { "tag_mismatch" }, "{change:?}");

            let side = PinSide { key: pin, card_number };
            assert_eq!(
                code(soft.translate_pin(side, side, &change.apply(&encrypted))),
                "decryption_failed",
                "{change:?}"
            );
            let text = String::from_utf8_lossy(&change.apply(card_number.as_bytes())).into_owned();
            let answer = code(soft.translate_pin(PinSide { key: pin, card_number: &text }, side, &encrypted));
            assert!(["length_invalid", "decryption_failed"].contains(&answer), "{change:?}: {answer}");
        });
    }
}

/// Blocks are encrypted by themselves: a track may be cut at the end of a block and is one still, and an altered block of 8
/// bytes is digits once in some thousand times. Of 16 bytes none is.
#[test]
fn tracks() {
    let soft = Soft::new().expect("self-tests pass");
    let text = Secret::new("6230606601007726888D30122010000012345".to_owned());
    for cipher in [TerminalCipher::TripleDes2, TerminalCipher::Sm4] {
        let key = soft.generate_terminal_key(Purpose::Data, cipher).expect("random bytes");
        let side = TrackSide { key, form: TrackForm::Whole };
        let encrypted = soft.encrypt_track(side, Track::Two, &text).expect("a track");
        run(1000, |change| {
            let altered = String::from_utf8_lossy(&change.apply(encrypted.as_bytes())).into_owned();
            let answer = code(soft.translate_track(side, side, Track::Two, &altered));
            if altered.eq_ignore_ascii_case(&encrypted) {
                assert_eq!(answer, "done", "{change:?}");
            } else if altered.len() < encrypted.len() || cipher == TerminalCipher::TripleDes2 {
                assert!(["done", "decryption_failed"].contains(&answer), "{change:?}: {answer}");
            } else {
                assert_eq!(answer, "decryption_failed", "{change:?}");
            }
        });
    }
}
