//! An order paid and refunded over UnionPay online: taken by request, told by notification, asked about by query. The other
//! side is written here, from the fixtures and apart from `channels`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{Answer, exchange};
use crate::keys::{becomes, metric};
use crate::open::{number, text};
use crate::orders::Market;
use crate::server::Server;

const SECRET: &str = "a secret of one test";
const QUERY_ID: &str = "472603050900000000007";

type Form = BTreeMap<String, String>;

fn hashed(text: &str) -> String {
    ark::sm3(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn signature(form: &Form, secret: &str) -> String {
    let fields = form.iter().filter(|(name, _)| *name != "signature");
    let text: Vec<_> = fields.map(|(name, value)| format!("{name}={value}")).collect();
    hashed(&format!("{}&{}", text.join("&"), hashed(secret)))
}

fn read_form(body: &str) -> Form {
    let unescape = |text: &str| {
        let mut parts = text.split('%');
        let mut bytes = parts.next().unwrap().as_bytes().to_vec();
        for part in parts {
            bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
            bytes.extend_from_slice(&part.as_bytes()[2..]);
        }
        String::from_utf8(bytes).unwrap()
    };
    body.split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.into(), unescape(value)))
        .collect()
}

/// A form as an answer or notification: nothing in it needs escaping.
fn written(mut form: Form, secret: &str) -> String {
    form.insert("signMethod".into(), "12".into());
    form.insert("signature".into(), signature(&form, secret));
    form.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

fn with(form: &Form, fields: &[(&str, &str)]) -> Form {
    let mut form = form.clone();
    form.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    form
}

/// What was taken, by order number; a debit stays in progress for queries, a refund is done at once.
#[derive(Default)]
struct UnionPay {
    taken: Mutex<BTreeMap<String, Form>>,
    more: Condvar,
    /// So many queries about debits are answered with another amount.
    lies: AtomicU32,
    /// So many queries are answered under another secret, that the order was paid.
    forged: AtomicU32,
}

/// Takes one of so many, if there is one left.
fn takes_one(left: &AtomicU32) -> bool {
    left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok()
}

fn paid(order: &Form) -> Form {
    with(order, &[("respCode", "00"), ("origRespCode", "00"), ("queryId", QUERY_ID), ("settleDate", "0305")])
}

impl UnionPay {
    fn open() -> (Arc<Self>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let unionpay = Arc::new(Self::default());
        let serving = Arc::clone(&unionpay);
        std::thread::spawn(move || listener.incoming().flatten().for_each(|stream| drop(serving.answer(stream))));
        (unionpay, address)
    }

    fn answer(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream);
        let (mut line, mut length) = (String::new(), 0);
        reader.read_line(&mut line)?;
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            let Some((name, value)) = header.trim().split_once(": ") else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.parse().unwrap_or_default();
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let asked = read_form(&String::from_utf8_lossy(&body));
        let query = line.contains("/queryTrans.do");
        let said = if query && takes_one(&self.forged) {
            written(paid(&self.taken.lock().unwrap()[&asked["orderId"]]), "another secret")
        } else if asked.get("signature") == Some(&signature(&asked, SECRET)) {
            written(self.judge(query, &asked), SECRET)
        } else {
            String::from("unsigned")
        };
        let head = format!("HTTP/1.1 200 -\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", said.len());
        reader.get_mut().write_all(format!("{head}{said}").as_bytes())
    }

    fn judge(&self, query: bool, asked: &Form) -> Form {
        let mut taken = self.taken.lock().unwrap();
        if !query {
            taken.insert(asked["orderId"].clone(), told(asked));
            self.more.notify_all();
            return with(&told(asked), &[("respCode", "00")]);
        }
        match taken.get(&asked["orderId"]) {
            None => with(&told(asked), &[("respCode", "34")]),
            Some(order) if order["txnType"] == "04" => {
                let done = [("respCode", "00"), ("origRespCode", "00"), ("queryId", "472603050900000000008")];
                with(&with(order, &done), &[("settleDate", "0305")])
            }
            Some(order) if takes_one(&self.lies) => with(&paid(order), &[("txnAmt", "500001")]),
            Some(order) => with(order, &[("respCode", "00"), ("origRespCode", "05")]),
        }
    }

    /// The order of this type, once it was taken.
    fn until_taken(&self, txn_type: &str) -> Form {
        let mut taken = self.taken.lock().unwrap();
        loop {
            if let Some(order) = taken.values().find(|order| order["txnType"] == txn_type) {
                return order.clone();
            }
            let (guard, waited) = self.more.wait_timeout(taken, Duration::from_secs(60)).unwrap();
            assert!(!waited.timed_out(), "nothing of type {txn_type} came in a minute");
            taken = guard;
        }
    }
}

/// What a message of the other side repeats of a request.
fn told(asked: &Form) -> Form {
    let repeated =
        ["merId", "orderId", "txnTime", "txnType", "txnSubType", "bizType", "txnAmt", "currencyCode", "origQryId"];
    asked.iter().filter(|(name, _)| repeated.contains(&name.as_str())).map(|(n, v)| (n.clone(), v.clone())).collect()
}

fn start(address: &str) -> Server {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("lintel.toml");
    let text = format!(
        "[[channels]]\nname = \"unionpay_online\"\nurl = \"http://{address}\"\n[channels.settings]\n\
         merchant = \"777290058110048\"\nsign_method = \"12\"\nkey = \"{SECRET}\"\ntr_id = \"62000000001\"\n\
         front_url = \"https://shop.example/back\"\nback_url = \"https://pay.example/v1/channels/unionpay/notify\"\n",
    );
    fs::write(&path, text).unwrap();
    Server::start_in(directory, &[], vec![("LINTEL_CONFIG".to_owned(), OsString::from(path))])
}

fn notify(server: &Server, form: &Form, secret: &str) -> Answer {
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let body = written(form.clone(), secret);
    exchange(server.address(), "POST", "/v1/channels/unionpay/notify", &headers, body.as_bytes()).unwrap()
}

#[test]
fn an_order_is_paid_by_notification_and_refunded_by_query() {
    let (unionpay, address) = UnionPay::open();
    let server = start(&address);
    let market = Market::open(&server);
    let order = text(&market.order("T1", 500_000).ok(), "/id");
    let path = format!("/v1/orders/{order}");
    let card = json!({
        "type": "card", "agreement": "TOKEN-1", "mask": "622202******2230", "rail": "unionpay", "amount": 500_000,
    });
    let paying = market.operator.post(&format!("{path}/pay"), &json!({"instruments": [card]})).ok();
    let attempt = format!("/v1/attempts/{}", text(&paying, "/legs/0/open_attempt"));
    let taken = unionpay.until_taken("01");
    assert_eq!((taken["txnAmt"].as_str(), taken["txnTime"].as_str()), ("500000", "20260305090000"));

    let done = with(&taken, &[("respCode", "00"), ("queryId", QUERY_ID), ("settleDate", "0305")]);
    let refused = [
        (done.clone(), "another secret"),
        (with(&done, &[("txnAmt", "500001")]), SECRET),
        (with(&done, &[("merId", "777290058110049")]), SECRET),
        (with(&done, &[("orderId", "2026030500000000000099990009999")]), SECRET),
        (with(&done, &[("txnType", "04")]), SECRET),
    ];
    for (form, secret) in refused {
        let (status, code, message) = notify(&server, &form, secret).error();
        assert_eq!((status, code.as_str()), (400, "notification_refused"), "{message}");
    }
    assert_eq!(market.operator.get(&path).ok()["status"], "paying");

    // Told twice, then the contrary: it is settled once.
    for _ in 0..2 {
        let answer = notify(&server, &done, SECRET);
        assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
        assert_eq!(market.operator.get(&path).ok()["status"], "success");
    }
    assert_eq!(notify(&server, &with(&done, &[("respCode", "64")]), SECRET).status, 200);
    assert_eq!(market.operator.get(&path).ok()["status"], "success");
    assert_eq!(text(&market.operator.get(&attempt).ok(), "/reference"), QUERY_ID);
    // Queries of it would be told "in progress" for ever; the flight ended with the notification.
    becomes(&market.operator, "lintel_flights", |flights| flights < 0.5);
    let metrics = market.operator.get("/metrics").text();
    for (outcome, count) in [("settled", 1), ("repeated", 1), ("contradicts", 1), ("unsigned", 1), ("foreign", 4)] {
        let line = format!("lintel_notifications_total{{rail=\"unionpay\",outcome=\"{outcome}\"}} {count}");
        assert!(metrics.contains(&line), "{line}");
    }

    let refund = json!({"out_refund_no": "F1", "amount": 200_000, "return_fee": false});
    let refund = text(&market.operator.post(&format!("{path}/refunds"), &refund).ok(), "/id");
    let sent = unionpay.until_taken("04");
    assert_eq!((sent["origQryId"].as_str(), sent["txnAmt"].as_str()), (QUERY_ID, "200000"));
    let began = Instant::now();
    loop {
        let now = market.operator.get(&format!("/v1/refunds/{refund}")).ok();
        if now["status"] == "success" {
            assert_eq!(number(&now, "/succeeded"), 200_000);
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{now}");
        std::thread::yield_now();
    }
}

/// Signed by the channel, and of another amount: who watches is told, and the attempt stays unknown until something is believed.
#[test]
fn an_answer_of_another_amount_is_an_alarm_and_settles_nothing() {
    let (unionpay, address) = UnionPay::open();
    unionpay.lies.store(2, Relaxed);
    let server = start(&address);
    let market = Market::open(&server);
    let order = text(&market.order("T1", 500_000).ok(), "/id");
    let path = format!("/v1/orders/{order}");
    let card = json!({
        "type": "card", "agreement": "TOKEN-1", "mask": "622202******2230", "rail": "unionpay", "amount": 500_000,
    });
    market.operator.post(&format!("{path}/pay"), &json!({"instruments": [card]})).ok();
    let taken = unionpay.until_taken("01");
    let alarm = "lintel_answers_disbelieved_total{rail=\"unionpay\",why=\"foreign\"}";
    becomes(&market.operator, alarm, |count| count > 1.5);
    assert_eq!(market.operator.get(&path).ok()["status"], "paying");
    assert!(server.log().contains("an answer of a channel is not believed"));
    let done = with(&taken, &[("respCode", "00"), ("queryId", QUERY_ID), ("settleDate", "0305")]);
    assert_eq!(notify(&server, &done, SECRET).status, 200);
    assert_eq!(market.operator.get(&path).ok()["status"], "success");
}

/// Word for word what would settle it, and not signed by the channel: who watches is told, and nothing is settled by it.
#[test]
fn an_answer_that_somebody_else_signed_is_an_alarm_and_settles_nothing() {
    let (unionpay, address) = UnionPay::open();
    unionpay.forged.store(2, Relaxed);
    let server = start(&address);
    let market = Market::open(&server);
    let order = text(&market.order("T1", 500_000).ok(), "/id");
    let path = format!("/v1/orders/{order}");
    let card = json!({
        "type": "card", "agreement": "TOKEN-1", "mask": "622202******2230", "rail": "unionpay", "amount": 500_000,
    });
    let paying = market.operator.post(&format!("{path}/pay"), &json!({"instruments": [card]})).ok();
    let taken = unionpay.until_taken("01");
    let alarm = |why: &str| format!("lintel_answers_disbelieved_total{{rail=\"unionpay\",why=\"{why}\"}}");
    becomes(&market.operator, &alarm("unsigned"), |count| count > 1.5);
    assert_eq!((metric(&market.operator, &alarm("foreign")), unionpay.forged.load(Relaxed)), (0.0, 0));
    assert_eq!(market.operator.get(&path).ok()["status"], "paying");
    let attempt = market.operator.get(&format!("/v1/attempts/{}", text(&paying, "/legs/0/open_attempt"))).ok();
    assert_eq!((text(&attempt, "/status"), &attempt["reference"]), ("unknown".into(), &Value::Null), "{attempt}");
    assert!(server.log().contains("an answer of a channel is not believed"));
    let done = with(&taken, &[("respCode", "00"), ("queryId", QUERY_ID), ("settleDate", "0305")]);
    assert_eq!(notify(&server, &done, "another secret").error().1, "notification_refused");
    assert_eq!(notify(&server, &done, SECRET).status, 200);
    assert_eq!(market.operator.get(&path).ok()["status"], "success");
}

/// Neither told nor queried, only in the file: the queryId that it has is what the refund names.
#[test]
fn a_debit_that_the_file_alone_knows_is_refunded_by_the_files_reference() {
    let (unionpay, address) = UnionPay::open();
    let server = start(&address);
    let market = Market::open(&server);
    let order = text(&market.order("T1", 500_000).ok(), "/id");
    let path = format!("/v1/orders/{order}");
    let card = json!({
        "type": "card", "agreement": "TOKEN-1", "mask": "622202******2230", "rail": "unionpay", "amount": 500_000,
    });
    let paying = market.operator.post(&format!("{path}/pay"), &json!({"instruments": [card]})).ok();
    let attempt = format!("/v1/attempts/{}", text(&paying, "/legs/0/open_attempt"));
    let serial = unionpay.until_taken("01")["orderId"].clone();
    let file = |reference: &str| {
        let line =
            json!({"serial": serial, "kind": "debit", "amount": 500_000, "currency": "CNY", "reference": reference});
        let file = json!({"rail": "unionpay", "date": "2026-03-05", "part": 1, "last": true, "lines": [line]});
        market.operator.post("/v1/clearing", &file)
    };
    assert_eq!(file("").error().1, "value_invalid");
    assert_eq!(number(&file(QUERY_ID).ok(), "/matched"), 1);
    let paid = market.operator.get(&attempt).ok();
    assert_eq!((text(&paid, "/status"), text(&paid, "/reference")), ("success".into(), QUERY_ID.to_owned()));
    let refund = json!({"out_refund_no": "F1", "amount": 200_000, "return_fee": false});
    market.operator.post(&format!("{path}/refunds"), &refund).ok();
    assert_eq!(unionpay.until_taken("04")["origQryId"], QUERY_ID);
}
