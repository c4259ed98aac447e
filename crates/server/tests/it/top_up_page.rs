//! Top-ups at a channel's page (网银充值), over UnionPay and over EPCC: the form is fetched, a browser posts it to the sandbox (a
//! process of its own), and what the channel tells, or a query asks, is what becomes of the top-up. What pages are besides:
//! `front_page.rs`.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{Answer, Client, exchange};
use crate::epcc::Epcc;
use crate::front_page::{form_of, posted};
use crate::keys::{becomes, metric};
use crate::open::{Books, balance, number, own, session_line, text};
use crate::sandbox::Sandbox;
use crate::server::Server;

const PATIENCE: Duration = Duration::from_secs(60);
/// From then on UnionPay's "no such order" is its last word on a page of nine o'clock.
const SETTLED: &str = "2026-03-05T09:31:01+08:00";
const QUERIES: [&str; 2] = ["executor.query_first_ms=20", "executor.query_max_ms=100"];

/// UnionPay in the sandbox, a platform that speaks to it, and a payment account with nothing on it.
struct World {
    sandbox: Sandbox,
    server: Server,
    operator: Client,
    account: String,
}

impl World {
    fn start() -> Option<Self> {
        let own = ["bank", "--listen", "127.0.0.1:0", "--faults", "none", "--date", "2026-03-05"];
        let sandbox = Sandbox::start(own.map(OsStr::new))?;
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("lintel.toml");
        let address = &sandbox.addresses[0];
        let text = format!(
            "[[channels]]\nname = \"unionpay_online\"\nurl = \"http://{address}\"\n[channels.settings]\n\
             merchant = \"777290058110048\"\nsign_method = \"12\"\nkey = \"sandbox-secret-of-unionpay-online\"\n\
             tr_id = \"62000000001\"\nfront_url = \"https://shop.example/back\"\n\
             back_url = \"https://pay.example/v1/channels/unionpay/notify\"\n"
        );
        fs::write(&path, text).unwrap();
        let server = Server::start_in(directory, &QUERIES, vec![("LINTEL_CONFIG".to_owned(), OsString::from(path))]);
        let Books { operator, poor: account, .. } = Books::open(&server);
        let world = Self { sandbox, server, operator, account };
        let url = format!("http://{}/v1/channels/unionpay/notify", world.server.address());
        assert_eq!(world.told("route", &json!({ "url": url })), 200);
        Some(world)
    }

    /// Tells the sandbox itself something; the status says whether it was so.
    fn told(&self, what: &str, body: &Value) -> u16 {
        let headers = [("content-type", "application/json")];
        let target = format!("/sandbox/unionpay/{what}");
        exchange(&self.sandbox.addresses[0], "POST", &target, &headers, body.to_string().as_bytes()).unwrap().status
    }

    fn ask(&self) -> String {
        let redirect = json!({"return_url": "https://shop.example/wallet"});
        let body = json!({"account": self.account, "redirect": redirect, "amount": 70_000, "currency": "CNY"});
        text(&self.operator.post("/v1/top-ups", &body).ok(), "/id")
    }

    fn seen(&self, top_up: &str) -> Value {
        self.operator.get(&format!("/v1/top-ups/{top_up}")).ok()
    }

    fn page(&self, top_up: &str, accept: &str) -> Answer {
        self.operator.get_with(&format!("/v1/top-ups/{top_up}/front-page"), ("accept", accept))
    }

    fn close(&self, top_up: &str) -> Answer {
        self.operator.post(&format!("/v1/top-ups/{top_up}/close"), &json!({}))
    }

    /// Fetches the form, posts it as a browser does, and gives its serial number at the channel.
    fn send_the_payer(&self, top_up: &str) -> String {
        let (action, fields) = form_of(&self.page(top_up, "text/html").text());
        let shown = self.browse(&action, &fields);
        assert!(shown.status == 200 && shown.text().contains("700.00"), "{}", shown.text());
        fields.iter().find(|(name, _)| name == "orderId").unwrap().1.clone()
    }

    fn browse(&self, action: &str, fields: &[(String, String)]) -> Answer {
        let address = &self.sandbox.addresses[0];
        let target = action.strip_prefix(&format!("http://{address}")).unwrap();
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        exchange(address, "POST", target, &headers, posted(fields).as_bytes()).unwrap()
    }

    fn click_pay(&self, serial: &str) {
        let fields = [("orderId".to_owned(), serial.to_owned()), ("action".to_owned(), "pay".to_owned())];
        self.browse(&format!("http://{}/gateway/pay.do", self.sandbox.addresses[0]), &fields);
    }

    fn until(&self, top_up: &str, status: &str) -> Value {
        until(&self.operator, top_up, status)
    }

    fn money(&self) -> [i64; 3] {
        let of = |subject| balance(&self.operator, &own(&self.operator, subject));
        [balance(&self.operator, &self.account), of(1122), of(2243)]
    }
}

fn until(operator: &Client, top_up: &str, status: &str) -> Value {
    let began = Instant::now();
    loop {
        let found = operator.get(&format!("/v1/top-ups/{top_up}")).ok();
        if found["status"] == status {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "{found}");
        std::thread::yield_now();
    }
}

#[test]
fn the_payer_is_sent_on_and_what_is_paid_is_credited_once() {
    let Some(world) = World::start() else { return };
    let top_up = world.ask();
    let asked = world.seen(&top_up);
    assert_eq!((text(&asked, "/status"), text(&asked, "/rail")), ("sent".into(), "unionpay".into()));
    assert_eq!(text(&asked, "/front_page"), format!("/v1/top-ups/{top_up}/front-page"));
    assert_eq!((&asked["agreement"], &asked["mask"]), (&Value::Null, &Value::Null));
    assert_eq!(asked["allowed_actions"], json!(["front_page", "close"]));
    assert_eq!(text(&asked, "/page_expires_at"), "2026-03-05T01:15:00Z");

    let (html, fields) = (world.page(&top_up, "text/html"), world.page(&top_up, "application/json").ok());
    assert_eq!(html.header("cache-control"), Some("no-store"));
    assert_eq!((text(&fields, "/top_up"), &fields["order"]), (top_up.clone(), &Value::Null));
    let (action, form) = form_of(&html.text());
    assert_eq!(text(&fields, "/action"), action);
    assert!(form.contains(&("frontUrl".to_owned(), "https://shop.example/wallet".to_owned())), "{form:?}");
    assert_eq!(text(&world.seen(&top_up), "/status"), "unknown", "what was handed out may be paid");

    let serial = world.send_the_payer(&top_up);
    assert_eq!((serial.clone(), world.money()), (text(&fields, "/serial"), [0, 0, 0]));
    world.click_pay(&serial);
    let paid = world.until(&top_up, "success");
    assert_eq!(
        (&paid["front_page"], &paid["failure"], &paid["allowed_actions"]),
        (&Value::Null, &Value::Null, &json!([]))
    );
    assert_eq!(world.money(), [70_000, 70_000, 0]);
    for (again, code) in [(world.page(&top_up, "text/html"), "top_up_state"), (world.close(&top_up), "top_up_state")] {
        assert_eq!(again.error(), (422, code.to_owned(), "top_up".to_owned()));
    }
    // Told a second time, it is credited no second time.
    assert_eq!(world.told("tell", &json!({ "order": serial })), 200);
    let repeated = "lintel_notifications_total{rail=\"unionpay\",outcome=\"repeated\"}";
    becomes(&world.operator, repeated, |count| count > 0.5);
    assert_eq!(world.money(), [70_000, 70_000, 0]);
    let receipt = world.operator.get(&format!("/v1/receipts/{top_up}")).ok();
    assert_eq!((number(&receipt, "/receipt/amount"), &receipt["receipt"]["payer"]["account"]), (70_000, &Value::Null));
}

#[test]
fn one_that_is_given_up_fails_by_the_channels_word_and_is_credited_if_it_was_paid_after_all() {
    let Some(world) = World::start() else { return };
    let unseen = world.ask();
    let closed = world.close(&unseen).ok();
    assert_eq!((text(&closed, "/status"), text(&closed, "/failure/code")), ("failed".into(), "closed".into()));

    let top_up = world.ask();
    let serial = world.send_the_payer(&top_up);
    // What is told of another amount is refused, and books nothing.
    assert_eq!(world.told("tell", &json!({ "order": serial, "amount": 70_001 })), 200);
    becomes(&world.operator, "lintel_notifications_total{rail=\"unionpay\",outcome=\"foreign\"}", |count| count > 0.5);
    assert_eq!(world.told("end", &json!({ "order": serial })), 200);
    let closing = world.close(&top_up).ok();
    assert_eq!((text(&closing, "/status"), &closing["closing"]), ("unknown".into(), &json!(true)));
    assert_eq!(world.page(&top_up, "text/html").error().1, "top_up_state");
    world.operator.post("/v1/sandbox/clock", &json!({ "now": SETTLED })).ok();
    let failed = world.until(&top_up, "failed");
    assert_eq!((text(&failed, "/failure/class"), text(&failed, "/failure/code")), ("user".into(), "closed".into()));
    assert_eq!((&failed["closing"], world.money()), (&json!(false), [0, 0, 0]));

    assert_eq!(world.told("pay", &json!({ "order": serial })), 200);
    world.until(&top_up, "success");
    assert_eq!(world.money(), [70_000, 70_000, 0]);
    let settled = "lintel_notifications_total{rail=\"unionpay\",outcome=\"settled\"}";
    assert!(metric(&world.operator, settled) < 1.5);
}

#[test]
fn money_of_another_amount_goes_through_2243_and_back_to_its_source() {
    let Some(world) = World::start() else { return };
    let top_up = world.ask();
    let serial = world.send_the_payer(&top_up);
    let lines = json!([{"serial": serial, "kind": "debit", "amount": 70_001, "currency": "CNY"}]);
    let file = json!({"rail": "unionpay", "date": "2026-03-05", "part": 1, "last": true, "lines": lines});
    let file = world.operator.post("/v1/clearing", &file).ok();
    assert_eq!((number(&file, "/matched"), number(&file, "/different")), (1, 1));
    let failed = world.seen(&top_up);
    assert_eq!((text(&failed, "/failure/code"), number(&failed, "/back/amount")), ("other_amount".into(), 70_001));
    let back = world.operator.get(&format!("/v1/attempts/{}", text(&failed, "/back/attempt"))).ok();
    assert_eq!((text(&back, "/purpose"), text(&back, "/operation")), (top_up, "refund".into()));
    let [of_the_payer, _, due] = world.money();
    let reserve = || balance(&world.operator, &own(&world.operator, 1101));
    assert_eq!((of_the_payer, due, reserve()), (0, 0, 0));
    session_line(&world.operator, "unionpay", "2026-03-05", 70_001);
    assert_eq!(reserve(), 70_001);
}

#[test]
fn bad_ways_to_ask_are_refused_and_named() {
    let Some(world) = World::start() else { return };
    let refused = |more: Value, status: u16, code: &str, param: &str| {
        let mut body = json!({"account": world.account, "amount": 1, "currency": "CNY"});
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        let answer = world.operator.post("/v1/top-ups", &body);
        assert_eq!(answer.error(), (status, code.to_owned(), param.to_owned()), "{}", answer.text());
    };
    refused(json!({}), 400, "field_malformed", "agreement");
    refused(json!({"agreement": "A1"}), 400, "field_malformed", "agreement");
    refused(json!({"agreement": "A1", "mask": "6222", "redirect": {}}), 400, "field_malformed", "agreement");
    refused(json!({"agreement": "A1", "mask": "6222", "rail": "fund"}), 400, "field_malformed", "rail");
    refused(json!({"redirect": {"rail": "fund"}}), 400, "field_malformed", "redirect.rail");
    refused(json!({"redirect": {"return_url": "shop.example"}}), 422, "value_invalid", "return_url");
    let by_card = json!({"account": world.account, "agreement": "A1", "mask": "622202******2230", "rail": "unionpay",
        "amount": 70_000, "currency": "CNY"});
    let by_card = text(&world.operator.post("/v1/top-ups", &by_card).ok(), "/id");
    let done = world.until(&by_card, "success");
    assert_eq!((text(&done, "/agreement"), world.money()), ("A1".into(), [70_000, 70_000, 0]));
    assert_eq!(world.close(&by_card).error().1, "top_up_state");
}

#[test]
fn a_top_up_at_epccs_page_is_paid_and_one_that_is_given_up_ends_as_soon_as_epcc_has_ended_it() {
    let Some(epcc) = Epcc::start() else { return };
    let server = epcc.platform();
    let Books { operator, poor: account, .. } = Books::open(&server);
    let address = epcc.0.addresses[0].clone();
    let before = balance(&operator, &own(&operator, 1121));
    let browse = |target: &str, fields: &[(String, String)]| {
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        exchange(&address, "POST", target, &headers, posted(fields).as_bytes()).unwrap()
    };
    let ask = || {
        let body = json!({"account": account, "redirect": {"rail": "epcc"}, "amount": 70_000, "currency": "CNY"});
        let top_up = text(&operator.post("/v1/top-ups", &body).ok(), "/id");
        let html = operator.get_with(&format!("/v1/top-ups/{top_up}/front-page"), ("accept", "text/html"));
        let (action, fields) = form_of(&html.text());
        assert_eq!(action, format!("http://{address}/gateway"));
        let shown = browse("/gateway", &fields);
        assert!(shown.status == 200 && shown.text().contains("700.00"), "{}", shown.text());
        let attempt = text(&operator.get(&format!("/v1/top-ups/{top_up}")).ok(), "/attempt");
        (top_up, text(&operator.get(&format!("/v1/attempts/{attempt}")).ok(), "/serial"))
    };
    let click = |serial: &str| {
        let fields = [("transaction".to_owned(), serial.to_owned()), ("action".to_owned(), "pay".to_owned())];
        browse("/gateway/pay", &fields)
    };
    let (paid, serial) = ask();
    click(&serial);
    until(&operator, &paid, "success");
    let clearing = balance(&operator, &own(&operator, 1121)) - before;
    assert_eq!((balance(&operator, &account), clearing), (70_000, 70_000));

    // Time stands still: its page would end by itself in a quarter of an hour.
    let (closed, serial) = ask();
    operator.post(&format!("/v1/top-ups/{closed}/close"), &json!({})).ok();
    assert_eq!(text(&until(&operator, &closed, "failed"), "/failure/code"), "closed");
    assert!(click(&serial).text().contains("closed"));
    assert_eq!(balance(&operator, &account), 70_000);
}
