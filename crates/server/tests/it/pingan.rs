//! Both sides of Ping An's 见证宝 against each other, with SM2 and in GBK: the channel of the platform, and the sandbox as a process
//! of its own. An order paid from a sub-account, refunded, cleared by the files of the day; what is told with another amount or
//! another's signature.

use std::time::{Duration, Instant};

use ark::provider::KeyKind;
use ark::{Provider as _, Soft};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::epcc::Epcc;
use crate::open::{number, text};
use crate::orders::Market;
use crate::server::Server;

const PATIENCE: Duration = Duration::from_secs(60);
/// The known keys of every sandbox.
const OURS: &str = "4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d";
const THEIRS: &str = "3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c";

fn public(private: &str) -> String {
    let soft = Soft::with_known_keys(0).unwrap();
    let pair = soft.import(KeyKind::Sm2, &hex::decode(private).unwrap()).unwrap();
    let frame = hex::decode("3059301306072a8648ce3d020106082a811ccf5501822d034200").unwrap();
    BASE64_STANDARD.encode([frame, soft.public_key(pair).unwrap().bytes].concat())
}

/// A platform that reaches the bank.
fn platform(bank: &Epcc) -> Server {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("lintel.toml");
    let text = format!(
        "[[channels]]\nname = \"pingan_jzb\"\nurl = \"http://{}\"\n[channels.settings]\nmarket = \"3045\"\n\
         summary_account = \"11014892664003\"\naccount = \"3045000000000001\"\nmember = \"LINTEL\"\nname = \"平台\"\n\
         sign_method = \"sm2\"\nkey = \"{OURS}\"\npeer_key = \"{}\"\npath = \"/jzb\"\n",
        bank.0.addresses[0],
        public(THEIRS)
    );
    std::fs::write(&path, text).unwrap();
    let server = Server::start_in(directory, &[], vec![("LINTEL_CONFIG".to_owned(), path.into_os_string())]);
    let url = format!("http://{}/v1/channels/pingan/notify", server.address());
    bank.asked("POST", "/sandbox/pingan/route", &json!({ "url": url }));
    server
}

/// The object at `path`, once its status is this.
fn becomes(market: &Market, path: &str, status: &str) -> Value {
    let began = Instant::now();
    loop {
        let now = market.operator.get(path).ok();
        if now["status"] == status {
            return now;
        }
        assert!(began.elapsed() < PATIENCE, "not {status}: {now}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn an_order_is_paid_from_a_sub_account_refunded_and_cleared() {
    let Some(bank) = Epcc::start() else { return };
    let server = platform(&bank);
    let market = Market::open(&server);
    let order = text(&market.order("T1", 500_000).ok(), "/id");
    let path = format!("/v1/orders/{order}");
    let from = |agreement: &str| {
        let mask = "304500******2458";
        json!({ "instruments": [
            {"type": "card", "agreement": agreement, "mask": mask, "rail": "pingan", "amount": 500_000},
        ]})
    };
    // A card's agreement names no sub-account: nothing is sent. The order takes another one.
    let paying = market.operator.post(&format!("{path}/pay"), &from("AGR7")).ok();
    let refused = text(&paying, "/legs/0/open_attempt");
    let refused = becomes(&market, &format!("/v1/attempts/{refused}"), "declined");
    assert_eq!(text(&refused, "/failure/code"), "not_sent:channel_subject");
    let paying = market.operator.post(&format!("{path}/pay"), &from("3045000000002458-110000001566")).ok();
    let attempt = paying["legs"].as_array().unwrap().iter().find_map(|leg| leg["open_attempt"].as_str()).unwrap();
    let attempt = becomes(&market, &format!("/v1/attempts/{attempt}"), "success");
    let serial = text(&attempt, "/serial");
    let front = [&serial[2..8], &serial[16..24]].concat();
    assert_eq!(text(&attempt, "/reference"), format!("{front}-3045000000002458"));
    becomes(&market, &path, "success");

    // What is told with another amount, or by somebody else, is refused; what is told again changes nothing.
    for twist in [json!({"amount": 500_001}), json!({"forged": true}), json!({})] {
        let mut asked = twist;
        asked["transaction"] = json!(serial);
        bank.asked("POST", "/sandbox/pingan/tell", &asked);
    }
    let told = |outcome: &str| format!("lintel_notifications_total{{rail=\"pingan\",outcome=\"{outcome}\"}}");
    crate::keys::becomes(&market.operator, &told("foreign"), |count| count > 0.5);
    crate::keys::becomes(&market.operator, &told("unsigned"), |count| count > 0.5);
    crate::keys::becomes(&market.operator, &told("repeated"), |count| count > 0.5);
    becomes(&market, &path, "success");

    let refund = json!({"out_refund_no": "F1", "amount": 200_000, "return_fee": false});
    let refund = text(&market.operator.post(&format!("{path}/refunds"), &refund).ok(), "/id");
    becomes(&market, &format!("/v1/refunds/{refund}"), "success");

    // The day is not over there; once it is, its two files match every line.
    let asked = json!({"rail": "pingan", "date": "2026-03-05"});
    let early = market.operator.post("/v1/clearing/fetch", &asked);
    assert_eq!(early.status, 409, "{}", early.text());
    bank.asked("POST", "/sandbox/clock", &json!({"date": "2026-03-06"}));
    market.next_day();
    let file = market.operator.post("/v1/clearing/fetch", &asked).ok();
    let found = ["/matched", "/different", "/debited", "/refunded", "/net"].map(|pointer| number(&file, pointer));
    assert_eq!(found, [2, 0, 500_000, 200_000, 300_000], "{file}");
    let stats = bank.asked("GET", "/sandbox/stats", &Value::Null);
    assert_eq!(number(&stats, "/sent_again"), 0, "{stats}");
}
