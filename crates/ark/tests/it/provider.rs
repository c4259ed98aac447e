//! The soft provider through its boundary: what goes round, what is refused, and that no input makes it panic.

use ark::{
    Provider, Soft,
    provider::{
        Authentication, Check, Cipher, Exchange, KeyError, KeyHandle, KeyKind, PublicKey, PublicKeyEncryption, Side,
        Signing,
    },
    soft::self_test,
};

use crate::support::bytes;

const SIGNING: [(KeyKind, Signing<'static>); 4] = [
    (KeyKind::Sm2, Signing::SM2),
    (KeyKind::Rsa2048, Signing::RsaPkcs1Sha256),
    (KeyKind::P256, Signing::P256Sha256),
    (KeyKind::Ed25519, Signing::Ed25519),
];

const CIPHERS: [(KeyKind, usize); 5] = [
    (KeyKind::Sm4, 16),
    (KeyKind::Aes128, 16),
    (KeyKind::Aes256, 16),
    (KeyKind::TripleDes2, 8),
    (KeyKind::TripleDes3, 8),
];

fn soft() -> Soft {
    Soft::new().expect("self-tests pass")
}

/// A key of each kind. Making an RSA key takes long, so both sizes are made once a test that needs them.
fn key(soft: &Soft, kind: KeyKind) -> KeyHandle {
    soft.generate(kind).expect("random bytes")
}

fn code<T>(result: Result<T, KeyError>) -> &'static str {
    result.map_or_else(|error| error.code(), |_| "done")
}

#[test]
fn self_tests_pass_and_a_provider_has_no_keys_at_first() {
    assert_eq!(self_test(), Vec::<&str>::new());
    assert_eq!(format!("{:?}", soft()), "Soft { keys: 0, .. }");
}

#[test]
fn signatures_of_every_kind_verify_and_nothing_else_does() {
    let soft = soft();
    for (kind, scheme) in SIGNING {
        let pair = key(&soft, kind);
        let public = soft.public_key(pair).expect("a pair");
        let other = soft.public_key(key(&soft, kind)).expect("a pair");
        let signature = soft.sign(pair, scheme, b"message").expect("signed");
        let verify = |public: &PublicKey, message: &[u8], signature: &[u8]| {
            code(soft.verify(&Check { public, scheme, message, signature }))
        };
        // More often than it takes to earn a table.
        for _ in 0..7 {
            assert_eq!(verify(&public, b"message", &signature), "done", "{kind}");
        }
        assert_eq!(verify(&public, b"Message", &signature), "signature_invalid", "{kind}");
        assert_eq!(verify(&other, b"message", &signature), "signature_invalid", "{kind}");
        assert_eq!(verify(&public, b"message", b""), "signature_invalid", "{kind}");
        for place in 0..signature.len() {
            let mut altered = signature.clone();
            altered[place] ^= 1;
            assert_eq!(verify(&public, b"message", &altered), "signature_invalid", "{kind}, byte {place}");
        }
        let longer = [signature.as_slice(), &[0]].concat();
        assert_eq!(verify(&public, b"message", &longer), "signature_invalid", "{kind}");
    }
}

#[test]
fn many_signatures_are_answered_one_by_one() {
    let soft = soft();
    let pairs: Vec<_> = SIGNING.iter().map(|(kind, scheme)| (key(&soft, *kind), *scheme)).collect();
    let made: Vec<_> = (0..40)
        .map(|number: u8| {
            let (pair, scheme) = pairs[usize::from(number) % pairs.len()];
            let signature = soft.sign(pair, scheme, &[number]).expect("signed");
            (soft.public_key(pair).expect("a pair"), scheme, number, signature)
        })
        .collect();
    let messages: Vec<_> = (0..40).map(|number: u8| [number + u8::from(number.is_multiple_of(7))]).collect();
    let checks: Vec<_> = made
        .iter()
        .zip(&messages)
        .map(|((public, scheme, _, signature), message)| Check { public, scheme: *scheme, message, signature })
        .collect();
    let answers = soft.verify_many(&checks);
    for ((answer, check), (_, _, number, _)) in answers.into_iter().zip(&checks).zip(&made) {
        let expected = if number.is_multiple_of(7) { "signature_invalid" } else { "done" };
        assert_eq!(code(soft.verify(check)), expected, "{number}");
        assert_eq!(code(answer), expected, "{number}");
    }
    assert!(soft.verify_many(&[]).is_empty());
}

#[test]
fn an_sm2_signature_is_bound_to_its_id() {
    let soft = soft();
    let pair = key(&soft, KeyKind::Sm2);
    let public = soft.public_key(pair).expect("a pair");
    let long = [b'x'; 8192];
    let signature = soft.sign(pair, Signing::Sm2 { id: b"ALICE123@YAHOO.COM" }, b"message").expect("signed");
    let verify = |id| {
        code(soft.verify(&Check {
            public: &public,
            scheme: Signing::Sm2 { id },
            message: b"message",
            signature: &signature,
        }))
    };
    assert_eq!(verify(b"ALICE123@YAHOO.COM"), "done");
    assert_eq!(verify(b"1234567812345678"), "signature_invalid");
    assert_eq!(verify(b""), "signature_invalid");
    assert_eq!(verify(&long), "length_invalid");
    assert_eq!(code(soft.sign(pair, Signing::Sm2 { id: &long }, b"message")), "length_invalid");
    assert_eq!(code(soft.sign(pair, Signing::Sm2 { id: &long[1..] }, b"message")), "done");
}

#[test]
fn what_is_encrypted_for_a_key_opens_with_it_alone() {
    let soft = soft();
    let schemes = [
        (KeyKind::Sm2, PublicKeyEncryption::Sm2Raw),
        (KeyKind::Sm2, PublicKeyEncryption::Sm2Der),
        (KeyKind::Rsa2048, PublicKeyEncryption::RsaOaepSha256),
    ];
    for (kind, scheme) in schemes {
        let (pair, other) = (key(&soft, kind), key(&soft, kind));
        let public = soft.public_key(pair).expect("a pair");
        for length in [1, 31, 32, 33, 190] {
            let message = bytes(length as u64, length);
            let ciphertext = soft.encrypt_for(&public, scheme, &message).expect("encrypted");
            assert_ne!(ciphertext, soft.encrypt_for(&public, scheme, &message).expect("encrypted"), "it is random");
            assert_eq!(*soft.decrypt_with(pair, scheme, &ciphertext).expect("opens"), message, "{kind}");
            assert_eq!(code(soft.decrypt_with(other, scheme, &ciphertext)), "decryption_failed");
            for place in 0..ciphertext.len() {
                let mut altered = ciphertext.clone();
                altered[place] ^= 0x40;
                assert_eq!(
                    code(soft.decrypt_with(pair, scheme, &altered)),
                    "decryption_failed",
                    "{kind}, byte {place}"
                );
            }
            for cut in [0, 1, 64, 65, 97, ciphertext.len() - 1] {
                let cut = &ciphertext[..cut.min(ciphertext.len() - 1)];
                assert_eq!(code(soft.decrypt_with(pair, scheme, cut)), "decryption_failed");
            }
        }
    }
    let rsa = soft.public_key(key(&soft, KeyKind::Rsa2048)).expect("a pair");
    assert_eq!(code(soft.encrypt_for(&rsa, PublicKeyEncryption::RsaOaepSha256, &[1; 191])), "length_invalid");
    let sm2 = soft.public_key(key(&soft, KeyKind::Sm2)).expect("a pair");
    assert_eq!(code(soft.encrypt_for(&sm2, PublicKeyEncryption::Sm2Der, b"")), "length_invalid");
}

#[test]
fn modes_go_round_and_refuse_what_is_not_theirs() {
    let soft = soft();
    for (kind, block) in CIPHERS {
        let key = key(&soft, kind);
        let iv = bytes(7, block);
        let nonce = [3; 12];
        let has_all = block == 16;
        for length in [0, 1, 15, 16, 17, 24, 63, 64, 65, 128, 496, 512, 520, 4096] {
            let message = bytes(length as u64, length);
            let whole = length > 0 && length % block == 0;
            let modes = [
                (Cipher::Ecb, whole && length <= 64),
                (Cipher::Cbc { iv: &iv }, whole),
                (Cipher::Ctr { counter: &iv }, has_all),
                (Cipher::Gcm { nonce: &nonce, associated: b"about" }, has_all),
            ];
            for (mode, taken) in modes {
                match soft.encrypt(key, mode, &message) {
                    Ok(ciphertext) => {
                        assert!(taken, "{kind} {mode:?} {length}");
                        assert_eq!(
                            *soft.decrypt(key, mode, &ciphertext).expect("opens"),
                            message,
                            "{kind} {mode:?} {length}"
                        );
                    }
                    Err(error) => {
                        assert!(!taken, "{kind} {mode:?} {length}: {error}");
                        assert!(["length_invalid", "key_kind"].contains(&error.code()), "{error}");
                    }
                }
            }
        }
        assert_eq!(code(soft.encrypt(key, Cipher::Cbc { iv: &iv[1..] }, &[0; 16])), "length_invalid");
        assert_eq!(code(soft.decrypt(key, Cipher::Cbc { iv: &iv }, &[0; 7])), "decryption_failed");
        assert_eq!(code(soft.decrypt(key, Cipher::Ecb, &[0; 80])), "decryption_failed");
    }
}

#[test]
fn a_sealed_message_opens_only_whole_and_in_its_place() {
    let soft = soft();
    for kind in [KeyKind::Sm4, KeyKind::Aes128, KeyKind::Aes256] {
        let (pair, other) = (key(&soft, kind), key(&soft, kind));
        for length in [0, 1, 64, 100] {
            let message = bytes(9, length);
            let sealed = soft.seal(pair, b"place", &message).expect("sealed");
            assert_eq!(*soft.open(pair, b"place", &sealed).expect("opens"), message);
            assert_eq!(code(soft.open(pair, b"Place", &sealed)), "decryption_failed");
            assert_eq!(code(soft.open(other, b"place", &sealed)), "decryption_failed");
            for place in 0..sealed.len() {
                let mut altered = sealed.clone();
                altered[place] ^= 0x10;
                assert_eq!(code(soft.open(pair, b"place", &altered)), "decryption_failed");
                assert_eq!(code(soft.open(pair, b"place", &sealed[..place])), "decryption_failed");
            }
        }
    }
}

#[test]
fn tags_fit_their_message_only() {
    let soft = soft();
    let kinds = CIPHERS.map(|(kind, block)| (kind, Authentication::Cmac, block));
    for (kind, scheme, length) in [(KeyKind::HmacSm3, Authentication::HmacSm3, 32)].into_iter().chain(kinds) {
        let key = key(&soft, kind);
        for message in [b"".as_slice(), b"m", &[5; 16], &[5; 100]] {
            let tag = soft.authenticate(key, scheme, message).expect("a tag");
            assert_eq!(tag.len(), length);
            assert_eq!(code(soft.check_tag(key, scheme, message, &tag)), "done");
            assert_eq!(code(soft.check_tag(key, scheme, &[message, b"!"].concat(), &tag)), "tag_mismatch");
            assert_eq!(code(soft.check_tag(key, scheme, message, &tag[1..])), "tag_mismatch");
            assert_eq!(code(soft.check_tag(key, scheme, message, b"")), "tag_mismatch");
            let mut altered = tag;
            altered[0] ^= 0x80;
            assert_eq!(code(soft.check_tag(key, scheme, message, &altered)), "tag_mismatch");
        }
    }
}

#[test]
fn keys_of_every_kind_come_out_wrapped_and_come_back_the_same() {
    let soft = soft();
    let (under, other) = (key(&soft, KeyKind::Sm4), key(&soft, KeyKind::Aes256));
    for kind in KeyKind::ALL {
        let original = key(&soft, kind);
        let wrapped = soft.wrap(original, under).expect("wrapped");
        let back = soft.unwrap(&wrapped, kind, under).expect("comes back");
        assert_eq!(soft.kind(back).expect("there"), kind);
        match soft.public_key(original) {
            Ok(public) => assert_eq!(soft.public_key(back).expect("a pair"), public),
            Err(error) => {
                assert_eq!(error.code(), "key_kind");
                assert_eq!(code(soft.public_key(back)), "key_kind");
            }
        }
        if let Ok(value) = soft.check_value(original) {
            assert_eq!(soft.check_value(back).expect("a cipher"), value);
        }
        assert_eq!(code(soft.unwrap(&wrapped, kind, other)), "decryption_failed");
        for another in KeyKind::ALL.into_iter().filter(|another| *another != kind) {
            assert_eq!(code(soft.unwrap(&wrapped, another, under)), "decryption_failed", "{kind} as {another}");
        }
        assert_eq!(code(soft.unwrap(&wrapped[..wrapped.len() - 1], kind, under)), "decryption_failed");
        soft.destroy(original);
        assert_eq!(code(soft.kind(original)), "key_unknown");
        assert_eq!(code(soft.wrap(original, under)), "key_unknown");
        assert_eq!(code(soft.kind(back)), "done", "the other copy lives");
    }
}

#[test]
fn rsa_keys_have_their_size_and_come_in_from_outside() {
    let soft = soft();
    for (kind, size) in [(KeyKind::Rsa2048, 256), (KeyKind::Rsa3072, 384)] {
        let pair = key(&soft, kind);
        let signature = soft.sign(pair, Signing::RsaPkcs1Sha256, b"message").expect("signed");
        assert_eq!(signature.len(), size);
        let public = soft.public_key(pair).expect("a pair");
        let check =
            Check { public: &public, scheme: Signing::RsaPkcs1Sha256, message: b"message", signature: &signature };
        assert_eq!(code(soft.verify(&check)), "done");
        let other = if size == 256 { KeyKind::Rsa3072 } else { KeyKind::Rsa2048 };
        let renamed = PublicKey { kind: other, ..public.clone() };
        assert_eq!(code(soft.verify(&Check { public: &renamed, ..check })), "public_key_invalid");
    }
}

#[test]
fn derived_keys_are_told_apart_by_context_and_kind() {
    let soft = soft();
    let root = soft.import(KeyKind::HmacSm3, &[7; 32]).expect("a key");
    let again = soft.import(KeyKind::HmacSm3, &[7; 32]).expect("a key");
    for (kind, _) in CIPHERS {
        let value = |root, context: &[u8]| {
            let key = soft.derive(root, context, kind).expect("derived");
            soft.check_value(key).expect("a cipher")
        };
        assert_eq!(value(root, b"one"), value(again, b"one"));
        assert_ne!(value(root, b"one"), value(root, b"two"));
    }
    let sm4 = soft.derive(root, b"one", KeyKind::Sm4).expect("derived");
    let aes = soft.derive(root, b"one", KeyKind::Aes128).expect("derived");
    assert_ne!(soft.check_value(sm4).expect("a cipher"), soft.check_value(aes).expect("a cipher"));
    assert_eq!(code(soft.derive(root, b"one", KeyKind::Sm2)), "key_kind");
    assert_eq!(code(soft.derive(sm4, b"one", KeyKind::Sm4)), "key_kind");
}

/// Two sides over nothing but what they send each other.
#[test]
fn two_sides_agree_on_a_key_and_know_it() {
    let soft = soft();
    let (a, b, a_once, b_once) =
        (key(&soft, KeyKind::Sm2), key(&soft, KeyKind::Sm2), key(&soft, KeyKind::Sm2), key(&soft, KeyKind::Sm2));
    let public = |key| soft.public_key(key).expect("a pair");
    let (of_a, of_b, of_a_once, of_b_once) = (public(a), public(b), public(a_once), public(b_once));
    let from_a = Exchange {
        side: Side::Initiator,
        own: a,
        own_ephemeral: a_once,
        own_id: b"a",
        peer: &of_b,
        peer_ephemeral: &of_b_once,
        peer_id: b"b",
        kind: KeyKind::Sm4,
    };
    let from_b = Exchange {
        side: Side::Responder,
        own: b,
        own_ephemeral: b_once,
        own_id: b"b",
        peer: &of_a,
        peer_ephemeral: &of_a_once,
        peer_id: b"a",
        kind: KeyKind::Sm4,
    };
    let at_a = soft.agree(&from_a).expect("agreed");
    let at_b = soft.agree(&from_b).expect("agreed");
    let key_a = at_a.confirm(&at_b.own_tag()).expect("b has it");
    let key_b = at_b.confirm(&at_a.own_tag()).expect("a has it");
    assert_eq!(soft.check_value(key_a).expect("a cipher"), soft.check_value(key_b).expect("a cipher"));
    assert_eq!(code(at_a.confirm(&at_a.own_tag())), "agreement_unconfirmed", "one's own proves nothing");
    assert_eq!(code(at_a.confirm(b"")), "agreement_unconfirmed");
    assert_eq!(format!("{at_a:?}"), format!("Agreed {{ key: {key_a:?}, .. }}"), "no tag is printed");
    assert_eq!(code(soft.agree(&from_a)), "key_unknown", "a pair of one exchange is gone after it");

    // Another id gives another key, and neither side confirms it.
    let (a_once, b_once) = (key(&soft, KeyKind::Sm2), key(&soft, KeyKind::Sm2));
    let (of_a_once, of_b_once) = (public(a_once), public(b_once));
    let at_a = soft.agree(&Exchange { own_ephemeral: a_once, peer_ephemeral: &of_b_once, ..from_a }).expect("a key");
    let other_id = Exchange { own_ephemeral: b_once, peer_ephemeral: &of_a_once, peer_id: b"x", ..from_b };
    let at_b = soft.agree(&other_id).expect("a key");
    assert_eq!(code(at_a.confirm(&at_b.own_tag())), "agreement_unconfirmed");
    assert_eq!(
        code(soft.agree(&Exchange { own_ephemeral: key(&soft, KeyKind::Sm2), kind: KeyKind::P256, ..from_a })),
        "key_kind"
    );
}

#[test]
fn points_that_are_none_are_refused_everywhere() {
    let soft = soft();
    let pair = key(&soft, KeyKind::Sm2);
    let good = soft.public_key(pair).expect("a pair").bytes;
    let mut off_curve = good.clone();
    off_curve[64] ^= 1;
    let mut compressed = good[..33].to_vec();
    compressed[0] = 2 + (good[64] & 1);
    let mut other_mark = good.clone();
    other_mark[0] = 6;
    // p itself: a coordinate beyond the field.
    let p = "fffffffeffffffffffffffffffffffffffffffff00000000ffffffffffffffff";
    let beyond = hex::decode(format!("04{p}{p}")).expect("hex");
    let zero = [[4].as_slice(), &[0; 64]].concat();
    for bytes in [
        vec![],
        vec![0],
        vec![0; 65],
        zero,
        beyond,
        off_curve,
        compressed,
        other_mark,
        good[1..].to_vec(),
        [&good[..], &[0]].concat(),
    ] {
        let public = PublicKey { kind: KeyKind::Sm2, bytes };
        let check = Check { public: &public, scheme: Signing::SM2, message: b"", signature: b"" };
        assert_eq!(code(soft.verify(&check)), "public_key_invalid");
        assert_eq!(code(soft.encrypt_for(&public, PublicKeyEncryption::Sm2Der, b"m")), "public_key_invalid");
        let own = Exchange {
            side: Side::Initiator,
            own: pair,
            own_ephemeral: key(&soft, KeyKind::Sm2),
            own_id: b"",
            peer: &public,
            peer_ephemeral: &public,
            peer_id: b"",
            kind: KeyKind::Sm4,
        };
        assert_eq!(code(soft.agree(&own)), "public_key_invalid");
    }
    // A small-order point of Ed25519, under which one signature fits many messages.
    let weak = PublicKey { kind: KeyKind::Ed25519, bytes: [[1].as_slice(), &[0; 31]].concat() };
    let check = Check { public: &weak, scheme: Signing::Ed25519, message: b"", signature: &[0; 64] };
    assert_eq!(code(soft.verify(&check)), "public_key_invalid");
}

#[test]
fn a_key_of_another_kind_is_told_from_a_wrong_message() {
    let soft = soft();
    let (sm2, sm4) = (key(&soft, KeyKind::Sm2), key(&soft, KeyKind::Sm4));
    let public = soft.public_key(sm2).expect("a pair");
    for (kind, scheme) in SIGNING {
        assert_eq!(code(soft.sign(sm4, scheme, b"")), "key_kind");
        if kind != KeyKind::Sm2 {
            assert_eq!(code(soft.sign(sm2, scheme, b"")), "key_kind");
            assert_eq!(code(soft.verify(&Check { public: &public, scheme, message: b"", signature: b"" })), "key_kind");
        }
    }
    assert_eq!(code(soft.encrypt(sm2, Cipher::Ecb, &[0; 16])), "key_kind");
    assert_eq!(code(soft.decrypt(sm2, Cipher::Ecb, &[0; 16])), "key_kind");
    assert_eq!(code(soft.check_value(sm2)), "key_kind");
    assert_eq!(code(soft.authenticate(sm4, Authentication::HmacSm3, b"")), "key_kind");
    assert_eq!(code(soft.authenticate(sm2, Authentication::Cmac, b"")), "key_kind");
    assert_eq!(code(soft.decrypt_with(sm4, PublicKeyEncryption::Sm2Der, b"")), "key_kind");
    assert_eq!(code(soft.encrypt_for(&public, PublicKeyEncryption::RsaOaepSha256, b"m")), "key_kind");
    assert_eq!(code(soft.wrap(sm4, sm2)), "key_kind");
    let triple_des = key(&soft, KeyKind::TripleDes3);
    assert_eq!(code(soft.wrap(sm4, triple_des)), "key_kind");
}

#[test]
fn bytes_that_are_no_key_are_refused() {
    let soft = soft();
    for kind in KeyKind::ALL {
        for length in [0, 1, 15, 17, 31, 33, 48] {
            assert_eq!(code(soft.import(kind, &vec![0xff; length])), "key_bytes_invalid", "{kind} of {length}");
        }
    }
    // Triple DES whose parts differ in parity only is DES.
    let parts = [[0x10; 8], [0x11; 8]].concat();
    assert_eq!(code(soft.import(KeyKind::TripleDes2, &parts)), "key_bytes_invalid");
    assert_eq!(code(soft.import(KeyKind::TripleDes3, &[parts.as_slice(), &[0x42; 8]].concat())), "key_bytes_invalid");
    assert_eq!(code(soft.import(KeyKind::TripleDes2, &[[0x10; 8], [0x13; 8]].concat())), "done");
}

#[test]
fn nothing_of_a_key_is_printed() {
    let soft = soft();
    let secret = [0xa5; 32];
    let handle = soft.import(KeyKind::HmacSm3, &secret).expect("a key");
    let error = soft.public_key(handle).expect_err("no pair");
    let printed = format!("{soft:#?} {handle:?} {error:?} {error}");
    for form in ["a5a5", "A5A5", "165, 165", "165,\n"] {
        assert!(!printed.contains(form), "{printed}");
    }
}
