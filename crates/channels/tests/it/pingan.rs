//! Ping An's 见证宝 with SM2 against the `openssl` program, with a key of one run; GBK; its settings; what cannot be asked.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use channels::{Answer, ChannelError, Headers, Original, Response, Try, by_name};
use domain::attempt::Operation;
use domain::money::Currency;
use serde_json::{Value, json};

use crate::fixture::{self, AT, sealed};
use crate::openssl::{openssl, skip};

const SERIAL: &str = "2026030500000000000000420000042";
const NONCE: &str = "0123456789abcdef";
/// The pair of GB/T 32918.5, appendix A.
const OURS: &str = "3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8";
const OURS_PUBLIC: &str = "3059301306072a8648ce3d020106082a811ccf5501822d034200\
    0409f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020\
    ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13";
/// Where the length of the signature stands, and where the fields begin.
const LENGTH_AT: std::ops::Range<usize> = 211..221;
const BODY_AT: usize = 344;

fn config(peer_key: &str) -> Value {
    json!({
        "market": "3045", "summary_account": "11014892664003", "account": "3045000000000001", "member": "LINTEL",
        "name": "平台", "sign_method": "sm2", "key": OURS, "peer_key": peer_key,
    })
}

fn ours_public() -> String {
    BASE64_STANDARD.encode(hex::decode(OURS_PUBLIC).unwrap())
}

fn debit() -> Operation {
    let agreement = String::from("3045000000002458-110000001566");
    Operation::Debit { agreement, amount: 500_000, currency: Currency::Cny }
}

fn pay(name: &str) -> Operation {
    let (account, name) = (sealed("6222020200112233445"), sealed(name));
    Operation::Pay { account, name, amount: 497_000, currency: Currency::Cny, bank: None }
}

fn tried(operation: &Operation) -> Try<'_> {
    Try { serial: SERIAL, requested_at: AT, operation, original: None }
}

/// What is signed of a message, and the signature.
fn cut(message: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let length: usize = str::from_utf8(&message[LENGTH_AT]).unwrap().parse().unwrap();
    let (signed, signature) = message.split_at(message.len() - length);
    let mut signed = signed.to_vec();
    signed[LENGTH_AT].fill(b'0');
    (signed, BASE64_STANDARD.decode(signature).unwrap())
}

/// A key of the bank in a file of this directory; its public key. Nothing without the program.
fn bank(directory: &Path) -> Option<String> {
    let pem = openssl(&["genpkey", "-algorithm", "SM2"], b"")?;
    fs::write(directory.join("bank.pem"), &pem).unwrap();
    Some(BASE64_STANDARD.encode(openssl(&["pkey", "-pubout", "-outform", "DER"], &pem)?))
}

/// Signs as the bank does.
fn signed(directory: &Path, mut unsigned: Vec<u8>) -> Vec<u8> {
    let (message, key) = (directory.join("message"), directory.join("bank.pem"));
    fs::write(&message, &unsigned).unwrap();
    let (message, key) = (message.to_str().unwrap(), key.to_str().unwrap());
    let id = "distid:1234567812345678";
    let arguments = ["pkeyutl", "-sign", "-rawin", "-digest", "sm3", "-pkeyopt", id, "-in", message, "-inkey", key];
    let signature = BASE64_STANDARD.encode(openssl(&arguments, b"").unwrap());
    unsigned[LENGTH_AT].copy_from_slice(format!("{:010}", signature.len()).as_bytes());
    [unsigned, signature.into_bytes()].concat()
}

/// An answer without its signature, of the bank to this institution, in GBK.
fn answer(function: &str, log: &str, body: &[u8]) -> Vec<u8> {
    let at = "20260305100000";
    let (whole, length) = (122 + body.len(), body.len());
    let head = format!(
        "A0011301023045{:16}{whole:010}000000PA00102{at}{log}000000{:100}000010SM2-SM3     00000000000\
         {function}02{:16}{at}000000{:42}0{length:08}PA001{log}3045",
        "", "", "", ""
    );
    assert_eq!(head.len(), BODY_AT);
    [head.as_bytes(), body].concat()
}

#[test]
fn sm2_signatures_are_those_of_openssl_both_ways() {
    let directory = tempfile::tempdir().unwrap();
    let Some(public) = bank(directory.path()) else { return skip("openssl", "apt-get install openssl") };
    let channel = by_name("pingan_jzb", &config(&public)).unwrap();
    let operation = debit();
    let request = channel.build(&tried(&operation), &fixture::open).unwrap();
    let (text, signature) = cut(request.body());
    let path = |name: &str, bytes: &[u8]| {
        let path = directory.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let public = openssl(&["pkey", "-pubin", "-inform", "DER"], &hex::decode(OURS_PUBLIC).unwrap()).unwrap();
    let (public, message, signature) = (path("ours", &public), path("asked", &text), path("by", &signature));
    let id = "distid:1234567812345678";
    let verify = ["pkeyutl", "-verify", "-pubin", "-inkey", &public, "-rawin", "-digest", "sm3", "-pkeyopt", id];
    openssl(&[&verify[..], &["-in", &message, "-sigfile", &signature]].concat(), b"").unwrap();

    let question = channel.build_query(&tried(&operation).about(), NONCE).unwrap();
    // 余额 in GBK.
    let body = b"2&0&5000.00&20260305&100000&3045000000000001&3045000000002458&&26030500000042&\xd3\xe0\xb6\xee&";
    let right = signed(directory.path(), answer("6110", "0123456789abcdef0000", body));
    let parsed = |body: Vec<u8>| {
        fixture::settled(channel.parse(&question, &Response { status: 200, headers: Headers::default(), body }))
    };
    let Answer::Success { reference, .. } = parsed(right.clone()) else { panic!("it is done") };
    assert_eq!(reference, "26030500000042-3045000000002458");
    for index in (0..right.len()).step_by(7) {
        let mut body = right.clone();
        body[index] ^= 1;
        assert_eq!(parsed(body), Answer::Unknown, "byte {index}");
    }
    // Signed, and in no charset: it proves nothing. Nor does the question's own signature.
    let broken = answer("6110", "0123456789abcdef0000", b"2&0&5000.00&20260305&100000&3045000000000001&\xff&&1&&");
    assert_eq!(parsed(signed(directory.path(), broken)), Answer::Unknown);
    assert_eq!(parsed(question.body().to_vec()), Answer::Unknown);
}

#[test]
fn names_are_written_in_gbk() {
    let channel = by_name("pingan_jzb", &config(&ours_public())).unwrap();
    let request = channel.build(&tried(&pay("张三")), &fixture::open).unwrap();
    let (text, _) = cut(request.body());
    assert_eq!(&text[..10], b"A001130102");
    // 张三, as GB/T 2312 numbers them.
    let named = b"&6222020200112233445&\xd5\xc5\xc8\xfd&RMB&4970.00&";
    assert!(text.windows(named.len()).any(|window| window == named), "{}", String::from_utf8_lossy(&text));
    assert!(!format!("{request:?} {channel:?}").contains("6222"));
}

/// Nothing is escaped in these messages, so what would end a field, or has no form, is refused before it is sent.
#[test]
fn what_a_field_cannot_hold_is_not_sent() {
    let channel = by_name("pingan_jzb", &config(&ours_public())).unwrap();
    for name in ["张三&11014892664003", "张\n三", "𠮷野"] {
        let error = channel.build(&tried(&pay(name)), &fixture::open).unwrap_err();
        assert!(matches!(error, ChannelError::Subject { field: "OutAcctIdName", .. }), "{error}");
        assert!(!error.to_string().contains('张'), "{error}");
    }
    for agreement in ["", "3045000000002458", "-1", "1-", "3045000000002458-1100 0000"] {
        let operation = Operation::Debit { agreement: agreement.to_owned(), amount: 1, currency: Currency::Cny };
        let error = channel.build(&tried(&operation), &fixture::open).unwrap_err();
        assert!(matches!(error, ChannelError::Subject { field: "agreement", .. }), "{agreement}: {error}");
    }
    let error = channel.build_statement("2026-03-05".parse().unwrap(), 3, NONCE).unwrap_err();
    assert!(matches!(error, ChannelError::Subject { field: "part", .. }), "{error}");
}

#[test]
fn a_refund_names_the_sub_account_that_paid() {
    let channel = by_name("pingan_jzb", &config(&ours_public())).unwrap();
    let refund = Operation::Refund { original: SERIAL.to_owned(), amount: 1, currency: Currency::Cny };
    let of = |reference: Option<&str>, agreement: Option<&str>| {
        let agreement = agreement.map(str::to_owned);
        let original = reference.map(|text| Original { reference: text.to_owned(), requested_at: AT, agreement });
        let attempt = Try { original: original.as_ref(), ..tried(&refund) };
        channel.build(&attempt, &fixture::open).map(|request| String::from_utf8_lossy(request.body()).into_owned())
    };
    let build = |reference: Option<&str>| of(reference, None);
    // The last two are what the books write where a file alone said that it succeeded, of an agreement that nobody knows.
    for reference in [None, Some("26030500000042"), Some("file pingan 2026-03-05")] {
        assert_eq!(build(reference).unwrap_err().code(), "channel_subject");
    }
    assert!(
        build(Some("26030500000042-3045000000002458")).unwrap().contains("&26030500000000000042&3045000000002458&&")
    );
    // What a file alone told is refunded to the sub-account of its agreement.
    for reference in ["26030500000042", "file pingan 2026-03-05"] {
        let request = of(Some(reference), Some("3045000000002458-11000000")).unwrap();
        assert!(request.contains("&26030500000000000042&3045000000002458&&"), "{reference}: {request}");
    }
    assert_eq!(of(Some("26030500000042"), Some("no agreement")).unwrap_err().code(), "channel_subject");
}

#[test]
fn settings_are_refused_by_name() {
    let good = config(&ours_public());
    assert_eq!(by_name("pingan_jzb", &good).unwrap().manifest().settings.len(), 13);
    let wrong = [
        ("market", "304"),
        ("summary_account", "no digits"),
        ("account", "one-two"),
        ("member", "one two"),
        ("name", "平&台"),
        ("sign_method", "12"),
        ("key", "5ec2e7"),
        ("peer_key", "MFkwEwYHKoZIzj0CAQYIKoEcz1UBgi0DQgAE"),
        ("charset", "latin1"),
        ("target", "1"),
        ("debit_flag", "direct"),
        ("path", "jzb"),
        ("codes", "ERR0201=user"),
    ];
    for (setting, value) in wrong {
        let mut config = good.clone();
        config[setting] = json!(value);
        let error = by_name("pingan_jzb", &config).unwrap_err();
        assert!(!error.to_string().contains("5ec2e7"), "{error}");
        let ChannelError::Config { setting: told, .. } = error else { panic!("{error}") };
        assert_eq!(told, setting);
    }
}
