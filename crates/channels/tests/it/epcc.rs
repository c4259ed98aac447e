//! EPCC with SM2 against the `openssl` program, with a key of one run; its key in the key service; its settings.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use ark::keys::{By, KeyUse, Purpose, Spec};
use ark::provider::KeyKind;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use channels::{Answer, ChannelError, Headers, Original, Response, Try, by_name, with_keys};
use domain::attempt::Operation;
use domain::money::Currency;
use serde_json::{Value, json};

use crate::fixture::{self, AT, sealed};
use crate::openssl::{openssl, skip};

const SERIAL: &str = "2026030500000000000000420000042";
/// The pair of GB/T 32918.5, appendix A.
const OURS: &str = "3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8";
const OURS_PUBLIC: &str = "3059301306072a8648ce3d020106082a811ccf5501822d034200\
    0409f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020\
    ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13";
const BY: By<'static> = By::new("test", "", 1_800_000_000_000);

fn config(key: &str, peer_key: &str) -> Value {
    json!({
        "institution": "Z2026031000019", "epcc": "G4000311000018", "account": "42000010101", "sign_method": "sm2",
        "key": key, "sign_sn": "4002569999", "peer_key": peer_key,
    })
}

fn debit() -> Operation {
    Operation::Debit { agreement: String::from("AGR-7"), amount: 500_000, currency: Currency::Cny }
}

fn tried(operation: &Operation) -> Try<'_> {
    Try { serial: SERIAL, requested_at: AT, operation, original: None }
}

/// What is signed of a body, and the signature.
fn cut(body: &[u8]) -> (String, Vec<u8>) {
    let (text, signature) = str::from_utf8(body).unwrap().split_once("{S:").unwrap();
    (text.to_owned(), BASE64_STANDARD.decode(signature.strip_suffix('}').unwrap()).unwrap())
}

/// A key of EPCC in a file of this directory; its public key. Nothing without the program.
fn epcc(directory: &Path) -> Option<String> {
    let pem = openssl(&["genpkey", "-algorithm", "SM2"], b"")?;
    fs::write(directory.join("epcc.pem"), &pem).unwrap();
    Some(BASE64_STANDARD.encode(openssl(&["pkey", "-pubout", "-outform", "DER"], &pem)?))
}

/// Signs as EPCC does.
fn signed(directory: &Path, text: &str) -> Vec<u8> {
    let (message, key) = (directory.join("message"), directory.join("epcc.pem"));
    fs::write(&message, text).unwrap();
    let (message, key) = (message.to_str().unwrap(), key.to_str().unwrap());
    let id = "distid:1234567812345678";
    let arguments = ["pkeyutl", "-sign", "-rawin", "-digest", "sm3", "-pkeyopt", id, "-in", message, "-inkey", key];
    let signature = BASE64_STANDARD.encode(openssl(&arguments, b"").unwrap());
    format!("{text}{{S:{signature}}}").into_bytes()
}

fn answer() -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><root><MsgHeader><MsgTp>epcc.202.001.01</MsgTp><IssrId>G4000311000018</IssrId>\
         <Drctn>21</Drctn></MsgHeader><MsgBody><SysRtnInf><SysRtnCd>00000000</SysRtnCd></SysRtnInf><BizInf><TrxId>{SERIAL}</TrxId>\
         <TrxAmt>CNY5000.00</TrxAmt><TrxTp>epcc.201.001.01</TrxTp><TrxStatus>00</TrxStatus><BizStsCd>00000000</BizStsCd>\
         <BatchId>B202603050011</BatchId></BizInf><InstgId>Z2026031000019</InstgId></MsgBody></root>"
    )
}

#[test]
fn sm2_signatures_are_those_of_openssl_both_ways() {
    let directory = tempfile::tempdir().unwrap();
    let Some(public) = epcc(directory.path()) else { return skip("openssl", "apt-get install openssl") };
    let channel = by_name("epcc", &config(OURS, &public)).unwrap();
    let operation = debit();
    let request = channel.build(&tried(&operation), &fixture::open).unwrap();
    let (text, signature) = cut(request.body());
    let path = |name: &str, bytes: &[u8]| {
        let path = directory.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let public = openssl(&["pkey", "-pubin", "-inform", "DER"], &hex::decode(OURS_PUBLIC).unwrap()).unwrap();
    let (public, message, signature) = (path("ours", &public), path("asked", text.as_bytes()), path("by", &signature));
    let id = "distid:1234567812345678";
    let verify = ["pkeyutl", "-verify", "-pubin", "-inkey", &public, "-rawin", "-digest", "sm3", "-pkeyopt", id];
    openssl(&[&verify[..], &["-in", &message, "-sigfile", &signature]].concat(), b"").unwrap();

    let parsed = |body: Vec<u8>| {
        fixture::settled(channel.parse(&request, &Response { status: 200, headers: Headers::default(), body }))
    };
    let right = signed(directory.path(), &answer());
    assert!(matches!(parsed(right.clone()), Answer::Success { .. }));
    for index in (0..right.len()).step_by(7) {
        let mut body = right.clone();
        body[index] ^= 1;
        assert_eq!(parsed(body), Answer::Unknown, "byte {index}");
    }
    assert_eq!(
        channel.parse(&request, &Response { status: 503, headers: Headers::default(), body: Vec::new() }),
        Answer::Unknown
    );
    // The request's own signature is not EPCC's.
    assert_eq!(parsed(request.body().to_vec()), Answer::Unknown);
}

#[test]
fn it_signs_with_a_key_of_the_key_service() {
    let directory = tempfile::tempdir().unwrap();
    let keys = ark::KeyService::open_with_key_file(directory.path(), Arc::new(ark::Soft::new().unwrap()), &BY).unwrap();
    keys.create(&BY, &Spec::new("channel/epcc", KeyKind::Sm2, Purpose::Sign)).unwrap();
    let public = keys.public_key("channel/epcc").unwrap().unwrap();
    let keys: Arc<dyn KeyUse> = Arc::new(keys);
    let frame = hex::decode(&OURS_PUBLIC[..52]).unwrap();
    let peer = BASE64_STANDARD.encode([frame, public.bytes].concat());
    let channel = with_keys("epcc", &config("ark:channel/epcc", &peer), &keys).unwrap();
    // What it signs itself under that public key has a signature that fits, and is still nothing of EPCC's.
    let operation = debit();
    let request = channel.build(&tried(&operation), &fixture::open).unwrap();
    let told = channel.notify(&Headers::default(), request.body()).unwrap_err();
    assert_eq!(told.code(), "channel_format");
    assert!(!format!("{channel:?}").contains(&peer));
}

#[test]
fn settings_are_refused_by_name() {
    let public = BASE64_STANDARD.encode(hex::decode(OURS_PUBLIC).unwrap());
    let good = config(OURS, &public);
    assert!(by_name("epcc", &good).is_ok());
    let wrong = [
        ("institution", "Z1"),
        ("epcc", "G40003110000181"),
        ("account", "one two"),
        ("sign_method", "12"),
        ("key", "5ec2e7"),
        ("sign_sn", ""),
        ("peer_key", "MFkwEwYHKoZIzj0CAQYIKoEcz1UBgi0DQgAE"),
        ("path", "epcc"),
        ("page_path", "gateway"),
        ("page_field", "Req Msg"),
        ("front_url", "shop.example"),
        ("codes", "PB1=user"),
    ];
    for (setting, value) in wrong {
        let mut config = good.clone();
        config[setting] = json!(value);
        let error = by_name("epcc", &config).unwrap_err();
        assert!(!error.to_string().contains("5ec2e7"), "{error}");
        let ChannelError::Config { setting: told, .. } = error else { panic!("{error}") };
        assert_eq!(told, setting);
    }
}

#[test]
fn codes_of_the_settings_take_the_place_of_the_sandboxs() {
    let public = BASE64_STANDARD.encode(hex::decode(OURS_PUBLIC).unwrap());
    let mut config = config(OURS, &public);
    config["codes"] = json!("AB123456=risk");
    let channel = by_name("epcc", &config).unwrap();
    assert_eq!(channel.manifest().settings.len(), 13);
    // A refund names when what it refunds was asked for, not only its serial number.
    let refund = Operation::Refund { original: SERIAL.to_owned(), amount: 1, currency: Currency::Cny };
    let error = channel.build(&tried(&refund), &fixture::open).unwrap_err();
    assert_eq!(error.code(), "channel_subject");
    let original =
        Original { reference: String::from("B202603040001-1"), requested_at: AT.plus_ms(-86_400_000), agreement: None };
    let attempt = Try { original: Some(&original), ..tried(&refund) };
    let request = channel.build(&attempt, &fixture::open).unwrap();
    assert!(cut(request.body()).0.contains("<OriTrxDtTm>2026-03-04T10:00:00</OriTrxDtTm>"));
}

#[test]
fn a_name_with_marks_of_xml_in_it_is_text() {
    let public = BASE64_STANDARD.encode(hex::decode(OURS_PUBLIC).unwrap());
    let channel = by_name("epcc", &config(OURS, &public)).unwrap();
    let name = sealed("</AcctNm><AcctId>1</AcctId>&");
    let account = sealed("6222020200112233445");
    let pay = Operation::Pay { account, name, amount: 1, currency: Currency::Cny, bank: None };
    let request = channel.build(&tried(&pay), &fixture::open).unwrap();
    let text = cut(request.body()).0;
    assert!(text.contains("<AcctNm>&lt;/AcctNm&gt;&lt;AcctId&gt;1&lt;/AcctId&gt;&amp;</AcctNm>"), "{text}");
    assert!(!format!("{request:?}").contains("6222"));
}
