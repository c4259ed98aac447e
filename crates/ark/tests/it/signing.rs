//! The gateway's signatures: the published vectors, and what is refused and how.

use std::{fs, path::Path, sync::Arc};

use ark::{
    KeyService, MacKey, Provider as _, Soft,
    ceremony::RootKey,
    keys::{By, Context, Purpose, Spec, text_of},
    provider::{Check, KeyError, KeyKind, PublicKey, Signing},
    signing::{
        Authorization, Credential, Request, Scheme, SigningError, Stamp, sign_answer, string_to_sign, verify_answer,
    },
};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{keys_oracle::knows_sm2, oracle::openssl, support::skip};

const PAGE: &str = include_str!("../../../../docs/api/signing.md");
/// The secret of the published vectors.
const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const NONCE: &str = "5K8264ILTKCH16CQ2502SI8ZNMTM67VS";
const SIGNATURE: &str = "RAyzJshn6HJqvHy9hXnWs05y2Bs4YNwuuWYA+Vud6yY=";
const REQUEST: Request<'_> =
    Request { method: "POST", target: "/v1/orders?dry_run=false", body: br#"{"amount":500000,"currency":"CNY"}"# };

fn key() -> MacKey {
    MacKey::from_hex(KEY).expect("64 hexadecimal digits")
}

fn stamp(timestamp: &str, nonce: &str) -> Stamp {
    Stamp::parse(timestamp, nonce).expect("a stamp")
}

fn header() -> String {
    format!(
        "LINTEL-HMAC-SM3 mch_id=\"mch_12\",nonce=\"{NONCE}\",timestamp=\"1767225600\",serial_no=\"K1\",\
         signature=\"{SIGNATURE}\""
    )
}

/// The table of the module's documentation; the signatures were computed with the `openssl` program.
#[test]
fn published_vectors_of_requests() {
    let credential = Credential { merchant: "mch_12", serial: "K1", key: &key() };
    let table = [
        (REQUEST, "1767225600", NONCE, SIGNATURE),
        (
            Request { method: "GET", target: "/v1/accounts/acc_42", body: b"" },
            "1767225601",
            "C380BEC2BFD727A4B6845133519F3AD6",
            "JKgD1N3hs2IHgK10vjHJjWSEAk+3iRDz/A2jk/loY70=",
        ),
        (
            Request { method: "POST", target: "/v1/merchants", body: r#"{"name":"示例商户"}"#.as_bytes() },
            "1767225602",
            "0123456789abcdef",
            "WItwL25S2Fhg1E8SW+rYsrNJKVsYS54GD4pYg3ZOvPo=",
        ),
    ];
    for (request, timestamp, nonce, signature) in table {
        let signed = Authorization::sign(&credential, stamp(timestamp, nonce), &request).expect("signed");
        assert!(signed.to_string().ends_with(&format!("signature=\"{signature}\"")), "{signed}");
        let read = Authorization::parse(&signed.to_string()).expect("its own form");
        assert_eq!(read, signed);
        assert_eq!(read.verify(&key(), &request), Ok(()));
    }
}

/// The published table itself, so that it cannot drift from the code.
#[test]
fn the_table_in_the_documentation_is_right() {
    let documentation = include_str!("../../src/signing.rs");
    let rows = documentation.lines().filter_map(|line| line.strip_prefix("//! | `"));
    let rows: Vec<_> = rows.filter(|row| row.contains("\\n")).collect();
    assert_eq!(rows.len(), 5);
    for row in rows {
        let (text, signature) =
            row.split_once("` | `").or_else(|| row.split_once("` (UTF-8) | `")).expect("two columns");
        let tag = key().tag(text.replace("\\n", "\n").as_bytes());
        assert_eq!(signature.trim_end_matches("` |"), STANDARD.encode(tag), "{text}");
    }
}

#[test]
fn published_vectors_of_answers() {
    let table: [(&str, &str, &[u8], &str); 2] = [
        (
            "1767225603",
            "7Q0d3nJr2gEo1yB4wT6uLs9xKvHcMzPa",
            br#"{"id":"ord_7","status":"SUCCESS"}"#,
            "49prP9Mr6i4JOwzDk+EEC0x7xUqlu8d/jPyXla5BUq8=",
        ),
        ("1767225604", "C380BEC2BFD727A4B6845133519F3AD6", b"", "m3ULi9mffsiSk1oTHusOQPwXfEG6+HOWNqs6Reo9At0="),
    ];
    for (timestamp, nonce, body, signature) in table {
        let stamp = stamp(timestamp, nonce);
        assert_eq!(sign_answer(&key(), &stamp, body), signature);
        assert_eq!(verify_answer(&key(), &stamp, body, signature), Ok(()));
        assert_eq!(verify_answer(&key(), &stamp, b"{}", signature), Err(SigningError::Mismatch));
        let refused = verify_answer(&key(), &stamp, body, &signature[1..]);
        assert!(matches!(refused, Err(SigningError::Value { parameter: "signature", .. })), "{refused:?}");
    }
}

#[test]
fn a_header_reads_back_in_any_order_and_spacing() {
    let expected = Authorization::parse(&header()).expect("a header");
    assert_eq!((expected.merchant(), expected.serial()), ("mch_12", "K1"));
    assert_eq!((expected.stamp().timestamp(), expected.stamp().nonce()), (1_767_225_600, NONCE));
    assert_eq!(expected.to_string(), header());
    let (scheme, parameters) = header().split_once(' ').map(|(a, b)| (a.to_lowercase(), b.to_owned())).expect("two");
    let reversed: Vec<_> = parameters.split(',').rev().collect();
    assert_eq!(Authorization::parse(&format!("{scheme} {}", reversed.join(", "))), Ok(expected));
}

#[test]
fn each_changed_part_is_a_mismatch() {
    let signed = Authorization::parse(&header()).expect("a header");
    assert_eq!(signed.verify(&key(), &REQUEST), Ok(()));
    let requests = [
        Request { method: "PUT", ..REQUEST },
        Request { method: "post", ..REQUEST },
        Request { target: "/v1/orders", ..REQUEST },
        Request { target: "/v1/orders?dry_run=true", ..REQUEST },
        Request { body: br#"{"amount":500001,"currency":"CNY"}"#, ..REQUEST },
        Request { body: b"", ..REQUEST },
    ];
    for request in requests {
        assert_eq!(signed.verify(&key(), &request), Err(SigningError::Mismatch), "{request:?}");
    }
    for (was, is) in [("1767225600", "1767225601"), ("5K8264", "5K8265"), ("RAyz", "RAyy")] {
        let changed = Authorization::parse(&header().replace(was, is)).expect("still a header");
        assert_eq!(changed.verify(&key(), &REQUEST), Err(SigningError::Mismatch), "{was} became {is}");
    }
    assert_eq!(signed.verify(&MacKey::from_bytes([1; 32]), &REQUEST), Err(SigningError::Mismatch));
}

#[test]
fn a_malformed_header_names_the_parameter() {
    let cut = |text: &str| header().replacen(text, "", 1);
    let swap = |was: &str, is: &str| header().replacen(was, is, 1);
    let table = [
        (String::new(), "Authorization"),
        ("LINTEL-HMAC-SM3".to_owned(), "Authorization"),
        (swap("LINTEL-HMAC-SM3", "Bearer"), "Authorization"),
        (swap("\"mch_12\"", "mch_12"), "Authorization"),
        (swap("mch_id=", "mch_id"), "Authorization"),
        (format!("{},", header()), "Authorization"),
        (format!("{},extra=\"1\"", header()), "Authorization"),
        (cut("mch_id=\"mch_12\","), "mch_id"),
        (cut(&format!("nonce=\"{NONCE}\",")), "nonce"),
        (cut("timestamp=\"1767225600\","), "timestamp"),
        (cut("serial_no=\"K1\","), "serial_no"),
        (cut(&format!(",signature=\"{SIGNATURE}\"")), "signature"),
        (format!("{},nonce=\"{NONCE}\"", header()), "nonce"),
        (swap("mch_12", ""), "mch_id"),
        (swap("mch_12", "mch 12"), "mch_id"),
        (swap("mch_12", &"m".repeat(65)), "mch_id"),
        (swap("K1", "K\u{e9}"), "serial_no"),
        (swap(NONCE, "short"), "nonce"),
        (swap(NONCE, &"n".repeat(65)), "nonce"),
        (swap("1767225600", "1767225600.0"), "timestamp"),
        (swap("1767225600", "01767225600"), "timestamp"),
        (swap("1767225600", "+1767225600"), "timestamp"),
        (swap("1767225600", "-1"), "timestamp"),
        (swap("1767225600", "99999999999999999999"), "timestamp"),
        (swap(SIGNATURE, &SIGNATURE[..43]), "signature"),
        (swap(SIGNATURE, "RAyz"), "signature"),
        (swap("yY=", "yZ="), "signature"),
    ];
    for (text, parameter) in table {
        let error = Authorization::parse(&text).expect_err(&text);
        assert_eq!((error.parameter(), error.code()), (parameter, "signature_malformed"), "{text}: {error}");
        assert!(error.to_string().contains(parameter), "{error}");
    }
}

#[test]
fn a_stamp_is_fresh_for_five_minutes_either_way() {
    let signed = Authorization::parse(&header()).expect("a header");
    for now in [1_767_225_300, 1_767_225_600, 1_767_225_900] {
        assert_eq!(signed.check_fresh(now), Ok(()));
    }
    for now in [0, 1_767_225_299, 1_767_225_901, u64::MAX] {
        let error = signed.check_fresh(now).expect_err("stale");
        assert_eq!(error, SigningError::Stale { timestamp: 1_767_225_600, now });
        assert_eq!((error.code(), error.parameter()), ("signature_stale", "timestamp"));
    }
}

#[test]
fn random_nonces_differ_and_are_in_their_own_form() {
    let [one, two] = [(); 2].map(|()| Stamp::random(7).expect("random bytes"));
    assert_ne!(one, two);
    assert_eq!(Stamp::parse("7", one.nonce()), Ok(one));
}

#[test]
fn what_cannot_be_sent_is_not_signed() {
    let credential = Credential { merchant: "mch 12", serial: "K1", key: &key() };
    let refused = Authorization::sign(&credential, stamp("1", NONCE), &REQUEST);
    assert!(matches!(refused, Err(SigningError::Value { parameter: "mch_id", .. })), "{refused:?}");
}

/// A row of the tables of vectors in `docs/api/signing.md`.
struct Vector {
    /// What was signed or encrypted.
    text: Vec<u8>,
    /// `hmac`, `sm2` or `rsa`.
    key: &'static str,
    encrypted: bool,
    /// The signature or the ciphertext.
    value: Vec<u8>,
}

/// The published vectors, from the page itself.
fn vectors() -> Vec<Vector> {
    let (_, section) = PAGE.split_once("\n## Test vectors\n").expect("the vectors' section");
    assert!(section.contains(&format!("`{KEY}`")), "the secret that the page names");
    let row = |row: &'static str| {
        let cells: Vec<_> = row.split(" | ").map(|cell| cell.trim_matches('`')).collect();
        let [text, key, value] = cells[..] else { panic!("three cells in {row}") };
        let (encrypted, value) = value.strip_prefix("encrypted:").map_or((false, value), |sealed| (true, sealed));
        let value = STANDARD.decode(value).expect("base64");
        Vector { text: text.replace("\\n", "\n").into_bytes(), key, encrypted, value }
    };
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let vectors: Vec<_> = rows.map(|line| row(line.strip_suffix(" |").expect("a whole row"))).collect();
    let count =
        |key: &str, encrypted: bool| vectors.iter().filter(|row| row.key == key && row.encrypted == encrypted).count();
    assert_eq!([count("hmac", false), count("sm2", false), count("rsa", false)], [3, 3, 3], "signatures");
    assert_eq!([count("sm2", true), count("rsa", true), vectors.len()], [1, 1, 11], "ciphertexts, and nothing else");
    vectors
}

/// `docs/api/signing.md`: every signature there verifies by this code.
#[test]
fn the_published_signatures_verify() {
    let soft = Soft::new().expect("self-tests");
    for Vector { text, key: name, value: signature, .. } in vectors().into_iter().filter(|row| !row.encrypted) {
        if name == "hmac" {
            assert_eq!(key().tag(&text).as_slice(), signature);
            continue;
        }
        let (public, scheme) = match name {
            "sm2" => (public_key(KeyKind::Sm2, include_str!("../../../../fixtures/signing/sm2.pub.pem")), Signing::SM2),
            _ => {
                let pem = include_str!("../../../../fixtures/signing/rsa.pub.pem");
                (public_key(KeyKind::Rsa2048, pem), Signing::RsaPkcs1Sha256)
            }
        };
        let check = |message: &[u8]| soft.verify(&Check { public: &public, scheme, message, signature: &signature });
        assert!(check(&text).is_ok(), "{}", text.escape_ascii());
        assert!(matches!(check(&text[1..]), Err(KeyError::Signature)), "{}", text.escape_ascii());
    }
}

/// `docs/api/signing.md`: every row there holds by the `openssl` program, without this code; changed, none does.
#[test]
fn the_published_vectors_are_those_of_openssl() {
    if !knows_sm2() {
        return skip("openssl", "apt-get install openssl (version 3, with SM2 and SM3)");
    }
    for name in ["sm2", "rsa"] {
        let public = openssl(&["pkey", "-in", &pem(name, "key"), "-pubout"], b"").expect("the private half is read");
        assert_eq!(public, fs::read(pem(name, "pub")).expect("the public half"), "{name} is one pair");
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("signature");
    for row in vectors() {
        let said = format!("{} by {}", row.text.escape_ascii(), row.key);
        assert!(openssl_agrees(&row, &file), "{said}");
        let cut = Vector { text: row.text[1..].to_vec(), value: row.value.clone(), ..row };
        assert!(!openssl_agrees(&cut, &file), "{said}, but of another text");
        for at in [0, row.value.len() / 2, row.value.len() - 1] {
            let mut touched = Vector { text: row.text.clone(), value: row.value.clone(), ..row };
            touched.value[at] ^= 1;
            assert!(!openssl_agrees(&touched, &file), "{said}, but touched at {at}");
        }
    }
}

/// Half of a published pair: `key` or `pub`.
fn pem(name: &str, half: &str) -> String {
    format!("{}/../../fixtures/signing/{name}.{half}.pem", env!("CARGO_MANIFEST_DIR"))
}

/// Whether the program finds that a row's value belongs to its text; a signature lies in `file` meanwhile.
fn openssl_agrees(row: &Vector, file: &Path) -> bool {
    fs::write(file, &row.value).expect("written");
    let file = file.to_str().expect("a path in UTF-8");
    let (public, private) = (pem(row.key, "pub"), pem(row.key, "key"));
    let verified = |how: &[&str]| {
        let arguments = [&["dgst", "-verify", &public, "-signature", file], how].concat();
        openssl(&arguments, &row.text).is_some()
    };
    let opened = |how: &[&str]| {
        let arguments = [&["pkeyutl", "-decrypt", "-inkey", &private], how].concat();
        openssl(&arguments, &row.value).is_some_and(|text| text == row.text)
    };
    match (row.key, row.encrypted) {
        ("hmac", false) => {
            let secret = format!("hexkey:{KEY}");
            let tag = openssl(&["dgst", "-sm3", "-mac", "HMAC", "-macopt", &secret, "-binary"], &row.text);
            tag.expect("openssl has HMAC-SM3") == row.value
        }
        ("sm2", false) => verified(&["-sm3", "-sigopt", "distid:1234567812345678"]),
        ("rsa", false) => verified(&["-sha256"]),
        ("sm2", true) => opened(&[]),
        ("rsa", true) => {
            let [padding, hash, mask] = ["rsa_padding_mode:oaep", "rsa_oaep_md:sha256", "rsa_mgf1_md:sha256"];
            opened(&["-pkeyopt", padding, "-pkeyopt", hash, "-pkeyopt", mask])
        }
        (key, _) => panic!("no published key {key}"),
    }
}

/// `docs/api/signing.md`: what `openssl` encrypted for the fixtures' public keys opens under their private ones, in the key service.
#[test]
fn the_published_ciphertexts_open() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (soft, root) = (Arc::new(Soft::new().expect("self-tests")), RootKey::generate().expect("random bytes"));
    let by = By::new("test", "vectors", 1_800_000_000_000);
    let service = KeyService::init(directory.path(), soft, &root, &by).expect("a new key service");
    let der = |pem: &str| STANDARD.decode(pem.lines().filter(|line| !line.starts_with('-')).collect::<String>());
    let sm2 = der(include_str!("../../../../fixtures/signing/sm2.key.pem")).expect("base64");
    let rsa = der(include_str!("../../../../fixtures/signing/rsa.key.pem")).expect("base64");
    let take_in = |name, kind, bytes: &[u8]| {
        service.take_in(&by, &Spec::new(name, kind, Purpose::Decrypt), bytes).expect("taken in");
    };
    // The scalar within PKCS #8.
    take_in("sm2", KeyKind::Sm2, &sm2[36..68]);
    take_in("rsa", KeyKind::Rsa2048, &rsa);
    for Vector { text, key: kind, value: sealed, .. } in vectors().into_iter().filter(|row| row.encrypted) {
        let open = |sealed: &[u8]| service.decrypt(&by, kind, &Context::new(), &text_of(1, sealed));
        assert_eq!(open(&sealed).expect("opens").as_slice(), text);
        for at in [0, sealed.len() / 2, sealed.len() - 1] {
            let mut touched = sealed.clone();
            touched[at] ^= 1;
            assert_eq!(open(&touched).expect_err("touched").code(), "decryption_failed", "{kind} at {at}");
        }
    }
}

fn public_key(kind: KeyKind, pem: &str) -> PublicKey {
    let text: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = STANDARD.decode(text).expect("base64");
    let bytes = if kind == KeyKind::Sm2 { der[der.len() - 65..].to_vec() } else { der };
    PublicKey { kind, bytes }
}

/// A header of each pair reads back and verifies; the other scheme's key, another request and a shared secret do not.
#[test]
fn a_pair_signs_for_its_own_scheme_only() {
    let soft = Soft::new().expect("self-tests");
    let pairs =
        [(KeyKind::Sm2, Scheme::Sm2WithSm3), (KeyKind::Rsa2048, Scheme::Sha256Rsa2048)].map(|(kind, scheme)| {
            let handle = soft.generate(kind).expect("a pair");
            (handle, soft.public_key(handle).expect("its public key"), scheme)
        });
    for (at, (handle, public, scheme)) in pairs.iter().enumerate() {
        let stamp = stamp("1767225600", NONCE);
        let message = string_to_sign(&REQUEST, &stamp);
        let signature = soft.sign(*handle, scheme.signing().expect("a pair's"), &message).expect("signed");
        let header = Authorization::of(*scheme, "mch_12", "A1", stamp, signature).expect("a header").to_string();
        assert!(header.starts_with(scheme.name()), "{header}");
        let read = Authorization::parse(&header).expect("its own form");
        assert_eq!((read.scheme(), read.serial()), (*scheme, "A1"));
        assert_eq!(read.verify_by(&soft, public, &REQUEST), Ok(()));
        let other = Request { target: "/v1/orders?dry_run=true", ..REQUEST };
        assert_eq!(read.verify_by(&soft, public, &other), Err(SigningError::Mismatch));
        assert_eq!(read.verify_by(&soft, &pairs[1 - at].1, &REQUEST), Err(SigningError::OtherScheme));
        assert_eq!(read.verify(&key(), &REQUEST), Err(SigningError::OtherScheme));
        let shared = header.replace(scheme.name(), "LINTEL-HMAC-SM3");
        assert!(matches!(Authorization::parse(&shared), Err(SigningError::Value { parameter: "signature", .. })));
    }
    let shared = Authorization::parse(&self::header()).expect("a header");
    assert_eq!(shared.verify_by(&soft, &pairs[0].1, &REQUEST), Err(SigningError::OtherScheme));
}
