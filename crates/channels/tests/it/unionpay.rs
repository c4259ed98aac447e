//! UnionPay online against the `openssl` program, with keys of one run; its keys in the key service; its settings.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use ark::keys::{By, KeyUse, Purpose, Spec};
use ark::provider::KeyKind;
use channels::{
    Answer, Channel, ChannelError, Doubt, Headers, Notified, Original, Request, Response, Try, by_name, with_keys,
};
use domain::attempt::Operation;
use domain::money::Currency;
use serde_json::{Value, json};

use crate::fixture;
use crate::openssl::{openssl, skip};

const SERIAL: &str = "2026030500000000000000420000042";
const SECRET: &str = "a secret of one test";
const BY: By<'static> = By::new("test", "", 1_800_000_000_000);

/// The fields of a form, read apart from the crate: in their order, unescaped.
fn fields(body: &[u8]) -> Vec<(String, String)> {
    let unescape = |text: &str| {
        let mut parts = text.split('%');
        let mut bytes = parts.next().unwrap().as_bytes().to_vec();
        for part in parts {
            bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
            bytes.extend_from_slice(&part.as_bytes()[2..]);
        }
        String::from_utf8(bytes).unwrap()
    };
    let pairs = str::from_utf8(body).unwrap().split('&').map(|pair| pair.split_once('=').unwrap());
    pairs.map(|(name, value)| (unescape(name), unescape(value))).collect()
}

fn value<'f>(fields: &'f [(String, String)], name: &str) -> &'f str {
    &fields.iter().find(|(field, _)| field == name).unwrap().1
}

/// What is signed of the fields.
fn text(fields: &[(String, String)]) -> String {
    let mut fields: Vec<_> = fields.iter().filter(|(name, _)| name != "signature").collect();
    fields.sort();
    fields.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

fn config(method: &str) -> Value {
    json!({
        "merchant": "777290058110048", "sign_method": method, "tr_id": "62000000001",
        "front_url": "https://shop.example/back", "back_url": "https://pay.example/notify",
    })
}

fn debit() -> Operation {
    Operation::Debit { agreement: String::from("TOKEN-1"), amount: 500_000, currency: Currency::Cny }
}

fn asked_for(operation: &Operation) -> Try<'_> {
    Try { serial: SERIAL, requested_at: fixture::AT, operation, original: None }
}

/// Two key pairs of this run, as files.
struct Pairs {
    directory: tempfile::TempDir,
}

impl Pairs {
    fn make() -> Option<Self> {
        let pairs = Self { directory: tempfile::tempdir().unwrap() };
        for name in ["ours", "theirs"] {
            let (private, public) = (pairs.path(&format!("{name}.pem")), pairs.path(&format!("{name}.pub")));
            openssl(&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", &private], b"")?;
            openssl(&["pkey", "-in", &private, "-pubout", "-out", &public], b"")?;
        }
        Some(pairs)
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).to_str().unwrap().to_owned()
    }

    fn ours(&self) -> Vec<u8> {
        let arguments = ["pkcs8", "-topk8", "-nocrypt", "-in", &self.path("ours.pem"), "-outform", "DER"];
        openssl(&arguments, b"").unwrap()
    }

    fn config(&self, key: &str) -> Value {
        let mut config = config("01");
        config["key"] = json!(key);
        config["cert_id"] = json!("68759585097");
        config["peer_key"] = json!(fs::read_to_string(self.path("theirs.pub")).unwrap());
        config
    }

    fn channel(&self) -> Arc<dyn Channel> {
        let hexadecimal: String = self.ours().iter().map(|byte| format!("{byte:02x}")).collect();
        by_name("unionpay_online", &self.config(&hexadecimal)).unwrap()
    }

    /// The signature of fields by the other side, in base64.
    fn sign(&self, fields: &[(String, String)]) -> String {
        let digest = hex_of("-sha256", text(fields).as_bytes());
        let signature = openssl(&["dgst", "-sha256", "-sign", &self.path("theirs.pem")], digest.as_bytes()).unwrap();
        String::from_utf8(openssl(&["base64", "-A"], &signature).unwrap()).unwrap()
    }

    /// Whether our signature of a request fits, in the eyes of `openssl`.
    fn verify(&self, request: &Request) {
        let fields = fields(request.body());
        let signature = openssl(&["base64", "-d", "-A"], value(&fields, "signature").as_bytes()).unwrap();
        let file = self.path("signature");
        fs::write(Path::new(&file), signature).unwrap();
        let digest = hex_of("-sha256", text(&fields).as_bytes());
        let arguments = ["dgst", "-sha256", "-verify", &self.path("ours.pub"), "-signature", &file];
        openssl(&arguments, digest.as_bytes()).unwrap();
    }
}

fn hex_of(hash: &str, bytes: &[u8]) -> String {
    let told = String::from_utf8(openssl(&["dgst", hash, "-r"], bytes).unwrap()).unwrap();
    told.split_whitespace().next().unwrap().to_owned()
}

fn owned(fields: &[(&str, &str)]) -> Vec<(String, String)> {
    fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// A query's answer that says "done", not signed yet.
fn done(method: &str) -> Vec<(String, String)> {
    owned(&[
        ("merId", "777290058110048"),
        ("orderId", SERIAL),
        ("txnTime", "20260305100000"),
        ("txnType", "01"),
        ("bizType", "000902"),
        ("txnAmt", "500000"),
        ("currencyCode", "156"),
        ("respCode", "00"),
        ("origRespCode", "00"),
        ("queryId", "472603051000000000018"),
        ("settleDate", "0305"),
        ("signMethod", method),
    ])
}

fn response(fields: &[(String, String)]) -> Response {
    let pairs: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
    Response { status: 200, headers: Headers::default(), body: pairs.join("&").into_bytes() }
}

#[test]
fn rsa_signatures_agree_with_openssl_both_ways() {
    let Some(pairs) = Pairs::make() else { return skip("openssl", "apt-get install openssl") };
    let channel = pairs.channel();
    let operation = debit();
    let about = asked_for(&operation).about();
    pairs.verify(&channel.build(&asked_for(&operation), &fixture::open).unwrap());
    let query = channel.build_query(&about, "0123456789abcdef").unwrap();
    pairs.verify(&query);
    let (amount, currency, expires_at) = (500_000, Currency::Cny, fixture::AT.plus_ms(900_000));
    for return_url in [None, Some(String::from("https://shop.example/orders/7?from=unionpay&lang=zh"))] {
        let page = Operation::Redirect { amount, currency, expires_at, return_url };
        let page = channel.build_redirect(&asked_for(&page)).unwrap();
        pairs.verify(&page);
        // What a browser is given is what is signed.
        assert_eq!(page.fields().unwrap(), fields(page.body()));
    }

    let mut told = done("01");
    let signature = pairs.sign(&told);
    told.push((String::from("signature"), signature));
    assert!(matches!(channel.parse(&query, &response(&told)), Answer::Success { .. }));
    told[5].1 = String::from("500001");
    assert_eq!(channel.parse(&query, &response(&told)), Answer::Disbelieved(Doubt::Unsigned));
}

#[test]
fn sm3_signatures_agree_with_openssl_both_ways() {
    let hashed = |fields: &[(String, String)]| {
        let secret = hex_of("-sm3", SECRET.as_bytes());
        hex_of("-sm3", format!("{}&{secret}", text(fields)).as_bytes())
    };
    if openssl(&["version"], b"").is_none() {
        return skip("openssl", "apt-get install openssl (version 3, with SM3)");
    }
    let mut config = config("12");
    config["key"] = json!(SECRET);
    let channel = by_name("unionpay_online", &config).unwrap();
    let operation = debit();
    let request = channel.build(&asked_for(&operation), &fixture::open).unwrap();
    let sent = fields(request.body());
    assert_eq!(value(&sent, "signature"), hashed(&sent));

    let mut told = done("12");
    let signature = hashed(&told);
    told.push((String::from("signature"), signature));
    let query = channel.build_query(&asked_for(&operation).about(), "0123456789abcdef").unwrap();
    assert!(matches!(channel.parse(&query, &response(&told)), Answer::Success { .. }));
    let body: Vec<_> = told.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let notified = channel.notify(&Headers::default(), body.join("&").as_bytes()).unwrap();
    assert!(matches!(notified.event, Notified::Answered { amount: 500_000, .. }));
}

#[test]
fn keys_in_the_key_service_make_the_same_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let keys = Arc::new(ark::vault::open_keys_with_key_file(directory.path(), &BY).unwrap());
    let used: Arc<dyn KeyUse> = Arc::clone(&keys) as _;
    let operation = debit();
    let body = |channel: &Arc<dyn Channel>| {
        channel.build(&asked_for(&operation), &fixture::open).map(|request| request.body().to_vec())
    };

    if let Some(pairs) = Pairs::make() {
        let named = with_keys("unionpay_online", &pairs.config("ark:channel/unionpay"), &used).unwrap();
        let missing = body(&named).unwrap_err();
        assert_eq!(missing.of_keys().unwrap().code(), "key_not_found");
        keys.take_in(&BY, &Spec::new("channel/unionpay", KeyKind::Rsa2048, Purpose::Sign), &pairs.ours()).unwrap();
        assert_eq!(body(&named).unwrap(), body(&pairs.channel()).unwrap());
    }

    keys.create(&BY, &Spec::new("channel/secrets", KeyKind::Sm4, Purpose::Encrypt)).unwrap();
    let context = [(String::from("channel"), String::from("unionpay_online"))].into();
    let sealed = keys.encrypt(&BY, "channel/secrets", &context, SECRET.as_bytes()).unwrap();
    let mut config = config("12");
    config["key"] = json!(format!("ark:channel/secrets={sealed}"));
    let named = with_keys("unionpay_online", &config, &used).unwrap();
    config["key"] = json!(SECRET);
    assert_eq!(body(&named).unwrap(), body(&by_name("unionpay_online", &config).unwrap()).unwrap());
    keys.seal(&BY).unwrap();
    assert_eq!(body(&named).unwrap_err().of_keys().unwrap().code(), "sealed");
}

#[test]
fn wrong_settings_are_named_and_their_values_are_not_shown() {
    let mut good = config("12");
    good["key"] = json!(SECRET);
    let refused = |config: &Value| match by_name("unionpay_online", config) {
        Err(error @ ChannelError::Config { .. }) => {
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains(SECRET), "{shown}");
            let ChannelError::Config { setting, .. } = error else { unreachable!("matched above") };
            setting
        }
        other => panic!("{other:?}"),
    };
    by_name("unionpay_online", &good).unwrap();
    let wrong = [
        ("merchant", "77729005811004"),
        ("merchant", "77729005811004&"),
        ("sign_method", "11"),
        ("key", ""),
        ("key", "ark:channel/secrets=ark:v1:AAAA"),
        ("cert_id", "1"),
        ("peer_key", "AAAA"),
        ("front_url", "shop.example"),
        ("back_url", "https://"),
        ("tr_id", "6200 1"),
        ("gateway_biz_type", "201"),
        ("token_biz_type", "00090x"),
        ("channel_type", "7"),
    ];
    for (setting, value) in wrong {
        let mut config = good.clone();
        config[setting] = json!(value);
        assert_eq!(refused(&config), setting, "{value}");
    }
    let mut one = good.clone();
    one["front_url"] = one["back_url"].clone();
    assert_eq!(refused(&one), "front_url", "no browser tells what was paid");
    let mut rsa = config("01");
    for (setting, value) in [("cert_id", "x"), ("key", "00"), ("peer_key", "AAAA")] {
        rsa[setting] = json!(value);
    }
    assert_eq!(refused(&rsa), "cert_id");
    rsa["cert_id"] = json!("1");
    assert_eq!(refused(&rsa), "key");
}

#[test]
fn a_token_that_would_break_out_of_its_field_is_refused() {
    let mut config = config("12");
    config["key"] = json!(SECRET);
    let channel = by_name("unionpay_online", &config).unwrap();
    for agreement in ["", "T&trId=2", "T}", "T 1", "标记"] {
        let operation = Operation::Debit { agreement: agreement.to_owned(), amount: 1, currency: Currency::Cny };
        let error = channel.build(&asked_for(&operation), &fixture::open).unwrap_err();
        assert!(matches!(error, ChannelError::Subject { field: "agreement", .. }), "{error}");
    }
    let refund = Operation::Refund { original: SERIAL.to_owned(), amount: 1, currency: Currency::Cny };
    // The last is what the books write where a file alone said that it succeeded.
    for reference in [None, Some("file unionpay 2026-03-05")] {
        let original =
            reference.map(|text| Original { reference: text.to_owned(), requested_at: fixture::AT, agreement: None });
        let attempt = Try { original: original.as_ref(), ..asked_for(&refund) };
        assert_eq!(channel.build(&attempt, &fixture::open).unwrap_err().code(), "channel_subject", "{reference:?}");
    }
    // What a file told with its queryId is refunded by that.
    let original =
        Some(Original { reference: "472603051000000000018".into(), requested_at: fixture::AT, agreement: None });
    let request = channel.build(&Try { original: original.as_ref(), ..asked_for(&refund) }, &fixture::open).unwrap();
    let body = String::from_utf8_lossy(request.body()).into_owned();
    assert!(body.contains("origQryId=472603051000000000018"), "{body}");
}
