//! A payer at UnionPay's page: the form is fetched, a browser posts it to the sandbox (a process of its own), and what the
//! sandbox tells, or a query asks, is what becomes of the order.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{Answer, Client, exchange};
use crate::keys::{becomes, metric};
use crate::open::{balance, own, text};
use crate::orders::Market;
use crate::sandbox::Sandbox;
use crate::server::Server;

const PATIENCE: Duration = Duration::from_secs(60);
/// The page of a payment that was asked for at nine ends then.
const PAGE_ENDS: &str = "2026-03-05T09:15:00+08:00";
/// And from then on UnionPay's "no such order" is its last word.
const SETTLED: &str = "2026-03-05T09:31:01+08:00";
/// Nothing is asked about while a test runs: only what is told counts.
const NO_QUERIES: [&str; 2] = ["executor.query_first_ms=600000", "executor.query_max_ms=600000"];
const QUERIES: [&str; 2] = ["executor.query_first_ms=20", "executor.query_max_ms=100"];

/// The sandbox bank.
struct Bank(Sandbox);

impl Bank {
    /// One that plays by this plan, under these further arguments; `None` where it was not built.
    fn start(directory: &Path, plan: &str, more: &[&str]) -> Option<Self> {
        let faults = directory.join("faults.toml");
        fs::write(&faults, plan).unwrap();
        let own = ["bank", "--listen", "127.0.0.1:0", "--date", "2026-03-05", "--faults"].map(OsStr::new);
        Sandbox::start(own.into_iter().chain([faults.as_os_str()]).chain(more.iter().map(OsStr::new))).map(Self)
    }

    fn address(&self) -> &str {
        &self.0.addresses[0]
    }

    /// Tells the sandbox itself something; the status says whether it was so.
    fn told(&self, what: &str, body: &Value) -> u16 {
        let headers = [("content-type", "application/json")];
        let target = format!("/sandbox/unionpay/{what}");
        exchange(self.address(), "POST", &target, &headers, body.to_string().as_bytes()).unwrap().status
    }
}

/// A platform, the sandbox it speaks to, and an order of 500,000 to be paid there.
struct World {
    sandbox: Bank,
    server: Server,
    market: Market,
    order: String,
}

impl World {
    /// One whose forms are signed with a secret (signMethod 12).
    fn start(plan: &str, own: &[&str]) -> Option<Self> {
        let secret = "sign_method = \"12\"\nkey = \"sandbox-secret-of-unionpay-online\"\n";
        Self::signed(plan, own, secret, &[])
    }

    /// One whose forms are signed as these settings of the channel and arguments of the sandbox say.
    fn signed(plan: &str, own: &[&str], signs: &str, more: &[&str]) -> Option<Self> {
        let directory = TempDir::new().unwrap();
        let sandbox = Bank::start(directory.path(), plan, more)?;
        let path = directory.path().join("lintel.toml");
        let text = format!(
            "[[channels]]\nname = \"unionpay_online\"\nurl = \"http://{}\"\n[channels.settings]\n\
             merchant = \"777290058110048\"\n{signs}\
             tr_id = \"62000000001\"\nfront_url = \"https://shop.example/back\"\n\
             back_url = \"https://pay.example/v1/channels/unionpay/notify\"\n",
            sandbox.address()
        );
        fs::write(&path, text).unwrap();
        let server = Server::start_in(directory, own, vec![("LINTEL_CONFIG".to_owned(), OsString::from(path))]);
        let market = Market::open(&server);
        let order = text_of_order(&market, "T1");
        let world = Self { sandbox, server, market, order };
        world.route();
        Some(world)
    }

    /// The sandbox reaches backUrl at the server's port of now.
    fn route(&self) {
        let url = format!("http://{}/v1/channels/unionpay/notify", self.server.address());
        assert_eq!(self.sandbox.told("route", &json!({ "url": url })), 200);
    }

    fn operator(&self) -> Client {
        self.server.operator()
    }

    fn path(&self) -> String {
        format!("/v1/orders/{}", self.order)
    }

    fn seen(&self) -> Value {
        self.operator().get(&self.path()).ok()
    }

    fn pay(&self) -> Answer {
        let instrument = json!({"type": "redirect", "rail": "unionpay", "amount": 500_000, "return_url": "https://shop.example/T1?a=1&b=2"});
        self.operator().post(&format!("{}/pay", self.path()), &json!({"instruments": [instrument]}))
    }

    fn page(&self, accept: &str) -> Answer {
        self.operator().get_with(&format!("{}/front-page", self.path()), ("accept", accept))
    }

    /// Fetches the form, posts it as a browser does, and gives its serial number at the channel.
    fn send_the_payer(&self) -> String {
        let page = self.page("text/html");
        assert_eq!(page.status, 200, "{}", page.text());
        let (action, fields) = form_of(&page.text());
        let shown = self.browse(&action, &fields);
        assert!(shown.status == 200 && shown.text().contains("5000.00"), "{}", shown.text());
        fields.iter().find(|(name, _)| name == "orderId").unwrap().1.clone()
    }

    fn browse(&self, action: &str, fields: &[(String, String)]) -> Answer {
        let target = action.strip_prefix(&format!("http://{}", self.sandbox.address())).unwrap();
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        exchange(self.sandbox.address(), "POST", target, &headers, posted(fields).as_bytes()).unwrap()
    }

    /// The payer confirms; the page that takes the browser back comes next.
    fn click_pay(&self, serial: &str) -> Answer {
        let fields = [("orderId".to_owned(), serial.to_owned()), ("action".to_owned(), "pay".to_owned())];
        self.browse(&format!("http://{}/gateway/pay.do", self.sandbox.address()), &fields)
    }

    fn clock(&self, now: &str) {
        self.operator().post("/v1/sandbox/clock", &json!({ "now": now })).ok();
    }

    fn until(&self, status: &str) -> Value {
        let began = Instant::now();
        loop {
            let order = self.seen();
            if order["status"] == status {
                return order;
            }
            assert!(began.elapsed() < PATIENCE, "{order}");
            std::thread::yield_now();
        }
    }

    fn notified(&self, outcome: &str) -> f64 {
        metric(&self.operator(), &notifications(outcome))
    }

    /// At least so many: the refund that a late payment brings about is told of too.
    fn has_notified_of(&self, outcome: &str, count: f64) {
        becomes(&self.operator(), &notifications(outcome), |found| found >= count);
    }

    fn has_notified(&self, outcome: &str, count: f64) {
        becomes(&self.operator(), &notifications(outcome), |found| found >= count);
        assert!((self.notified(outcome) - count).abs() < 0.5, "{outcome}");
    }

    fn subject(&self, subject: u16) -> i64 {
        balance(&self.operator(), &own(&self.operator(), subject))
    }

    /// Waits until one of the institution's accounts is at this.
    fn until_subject(&self, subject: u16, amount: i64) {
        let began = Instant::now();
        while self.subject(subject) != amount {
            assert!(began.elapsed() < PATIENCE, "{subject} is {}, not {amount}", self.subject(subject));
        }
    }
}

fn text_of_order(market: &Market, number: &str) -> String {
    text(&market.order(number, 500_000).ok(), "/id")
}

fn notifications(outcome: &str) -> String {
    format!("lintel_notifications_total{{rail=\"unionpay\",outcome=\"{outcome}\"}}")
}

/// Action and fields of a page's form, as a browser reads them.
pub(crate) fn form_of(html: &str) -> (String, Vec<(String, String)>) {
    let plain = |text: &str| {
        let text = text.replace("&quot;", "\"").replace("&#39;", "'").replace("&lt;", "<").replace("&gt;", ">");
        text.replace("&amp;", "&")
    };
    let between = |from: &str, start: &str| {
        let (_, rest) = from.split_once(start).unwrap_or_else(|| panic!("no {start} in {from}"));
        plain(rest.split_once('"').unwrap().0)
    };
    let inputs = html.split("<input ").skip(1);
    let fields = inputs.map(|input| (between(input, "name=\""), between(input, "value=\""))).collect();
    (between(html, "action=\""), fields)
}

pub(crate) fn posted(fields: &[(String, String)]) -> String {
    let escape = |text: &str| {
        let byte =
            |byte: u8| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") };
        text.bytes().map(byte).collect::<String>()
    };
    fields.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect::<Vec<_>>().join("&")
}

#[test]
fn the_payer_is_sent_on_and_the_notification_pays_the_order() {
    let Some(mut world) = World::start("", &NO_QUERIES) else { return };
    let refused = world.page("*/*").error();
    assert_eq!((refused.0, refused.1.as_str()), (422, "order_state"), "nothing is paid by a page yet");
    let paying = world.pay().ok();
    assert_eq!((text(&paying, "/legs/0/type"), text(&paying, "/legs/0/status")), ("redirect".into(), "sent".into()));
    assert_eq!(paying["allowed_actions"], json!(["front_page", "close"]));

    let (html, fields) = (world.page("text/html,*/*;q=0.8"), world.page("application/json").ok());
    assert_eq!(html.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!((html.header("cache-control"), html.position() > 0), (Some("no-store"), true));
    let (action, form) = form_of(&html.text());
    assert_eq!(text(&fields, "/action"), action);
    let listed = fields["fields"].as_array().unwrap().iter();
    let listed: Vec<_> = listed.map(|field| (text(field, "/name"), text(field, "/value"))).collect();
    assert_eq!(listed, form, "the same form either way");
    assert!(form.contains(&("frontUrl".to_owned(), "https://shop.example/T1?a=1&b=2".to_owned())), "{form:?}");
    assert_eq!((text(&fields, "/serial").len(), text(&fields, "/expires_at")), (31, "2026-03-05T01:15:00Z".into()));
    assert_eq!(text(&world.seen(), "/legs/0/status"), "unknown", "what was handed out may be paid");

    // The same bytes after a crash, by another leader.
    world.server.kill();
    world.server.start_again();
    world.route();
    assert_eq!(world.page("text/html").body, html.body);

    let serial = world.send_the_payer();
    assert_eq!(serial, text(&fields, "/serial"));
    assert_eq!(world.seen()["status"], "paying", "the payer is at the page");
    let back = world.click_pay(&serial);
    assert!(back.text().contains("action=\"https://shop.example/T1?a=1&amp;b=2\""), "{}", back.text());
    let paid = world.until("success");
    assert_eq!((text(&paid, "/legs/0/status"), &paid["legs"][0]["expired"]), ("captured".into(), &json!(false)));
    assert_eq!((world.subject(1122), world.subject(2243)), (500_000, 0));
    world.has_notified("settled", 1.0);
    assert_eq!(world.page("text/html").error().1, "order_state", "there is nothing to pay any more");

    // The refund goes by the queryId that the notification brought.
    let refund = json!({"out_refund_no": "F1", "amount": 200_000, "return_fee": false});
    world.operator().post(&format!("{}/refunds", world.path()), &refund).ok();
    world.until_subject(1122, 300_000);
}

/// signMethod 01 from end to end: the page and what is told of it, a debit by token that a query settles, a refund.
#[test]
fn with_rsa_an_order_is_paid_at_the_page_and_another_by_token() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/channels/unionpay_online/rsa.json");
    let keys: Value = serde_json::from_str(&fs::read_to_string(fixture).unwrap()).unwrap();
    let line = |name: &str| format!("{name} = \"{}\"\n", text(&keys, &format!("/{name}")));
    let signs = ["sign_method", "key", "cert_id", "peer_key"].map(line).concat();
    let more = ["--unionpay-sign-method", "01"];
    let Some(mut world) = World::signed("", &NO_QUERIES, &signs, &more) else { return };
    let by_token = text_of_order(&world.market, "T2");
    world.pay().ok();
    let (_, form) = form_of(&world.page("text/html").text());
    assert!(form.contains(&("signMethod".to_owned(), "01".to_owned())), "{form:?}");
    let serial = world.send_the_payer();
    world.click_pay(&serial);
    world.until("success");
    world.has_notified("settled", 1.0);
    let refund = json!({"out_refund_no": "F1", "amount": 200_000, "return_fee": false});
    world.operator().post(&format!("{}/refunds", world.path()), &refund).ok();
    world.until_subject(1122, 300_000);

    world.server.kill();
    world.server.set(&NO_QUERIES, &QUERIES);
    world.server.start_again();
    let world = World { order: by_token, ..world };
    let card = json!({
        "type": "card", "agreement": "TOKEN-1", "mask": "622202******2230", "rail": "unionpay", "amount": 500_000,
    });
    world.operator().post(&format!("{}/pay", world.path()), &json!({"instruments": [card]})).ok();
    world.until("success");
    world.until_subject(1122, 800_000);
    assert_eq!(metric(&world.operator(), "lintel_answers_disbelieved_total{rail=\"unionpay\",why=\"unsigned\"}"), 0.0);
}

#[test]
fn a_lost_notification_is_asked_after_and_the_browsers_return_books_nothing() {
    let Some(mut world) = World::start("[redirect]\nlost_after = 10000", &NO_QUERIES) else { return };
    world.pay().ok();
    let serial = world.send_the_payer();
    let (_, told) = form_of(&world.click_pay(&serial).text());
    let told = |name: &str| told.iter().find(|(field, _)| field == name).map(|(_, value)| value.clone());
    assert_eq!((told("respCode"), told("orderId")), (Some("00".into()), Some(serial)), "the browser says: paid");
    // It says so to the shop, which asks the platform: nothing is known until the channel itself says so.
    let asked = world.operator().get(&format!("{}?wait=1", world.path())).ok();
    assert_eq!((text(&asked, "/status"), world.subject(1122)), ("paying".into(), 0));
    assert_eq!(world.notified("settled"), 0.0);

    world.server.kill();
    world.server.set(&NO_QUERIES, &QUERIES);
    world.server.start_again();
    world.until("success");
    assert_eq!((world.subject(1122), world.notified("settled")), (500_000, 0.0), "a query said it");
}

#[test]
fn who_never_pays_has_an_order_that_closes_and_who_pays_after_that_gets_it_back() {
    let Some(world) = World::start("", &QUERIES) else { return };
    let items = json!([{"kind": "rent", "amount": 500_000}]);
    let body = json!({
        "merchant": text(&world.market.landlord, "/id"), "out_trade_no": "T2", "payer": world.market.payer,
        "items": items, "currency": "CNY", "tries_allowed": 1,
    });
    let order = text(&world.operator().post("/v1/orders", &body).ok(), "/id");
    let world = World { order, ..world };
    world.pay().ok();
    let serial = world.send_the_payer();
    assert_eq!(world.sandbox.told("end", &json!({ "order": serial })), 200);
    world.clock(PAGE_ENDS);
    assert_eq!(world.page("text/html").error().1, "order_state", "its time is over");
    let before = metric(&world.operator(), "lintel_attempt_outcomes_total{outcome=\"not_found\"}");
    assert_eq!((before, world.seen()["status"].clone()), (0.0, json!("paying")));
    world.clock(SETTLED);
    let closed = world.until("closed");
    assert_eq!((text(&closed, "/legs/0/failure"), &closed["legs"][0]["expired"]), ("user".into(), &json!(true)));

    assert_eq!(world.sandbox.told("pay", &json!({ "order": serial })), 200);
    world.has_notified_of("settled", 1.0);
    // Through 2243, on its way back, and back.
    world.until_subject(1122, 0);
    assert_eq!((world.seen()["status"].clone(), world.subject(2243), world.subject(2211)), (json!("closed"), 0, 0));
    let back = world.operator().get("/v1/refunds/rfd_1").ok();
    assert_eq!((text(&back, "/kind"), text(&back, "/order")), ("useless".into(), world.order.clone()));
}

#[test]
fn an_order_that_expires_at_the_page_closes_by_the_channels_word_and_late_money_goes_back() {
    let Some(world) = World::start("", &QUERIES) else { return };
    let items = json!([{"kind": "rent", "amount": 500_000}]);
    let body = json!({
        "merchant": text(&world.market.landlord, "/id"), "out_trade_no": "T2", "payer": world.market.payer,
        "items": items, "currency": "CNY", "expires_at": "2026-03-05T09:10:00+08:00",
    });
    let order = text(&world.operator().post("/v1/orders", &body).ok(), "/id");
    let world = World { order, ..world };
    world.pay().ok();
    let fields = world.page("application/json").ok();
    assert_eq!(text(&fields, "/expires_at"), "2026-03-05T01:10:00Z", "the page ends with its order");
    let serial = world.send_the_payer();
    assert_eq!(world.sandbox.told("end", &json!({ "order": serial })), 200);
    world.clock("2026-03-05T09:10:00+08:00");
    let closing = world.seen();
    assert_eq!((text(&closing, "/status"), &closing["closing"]), ("paying".into(), &json!(true)));
    assert_eq!(world.pay().error().1, "order_expired");
    // UnionPay has no close: its "no such order" is its last word once the page's end is long enough ago.
    world.clock("2026-03-05T09:26:01+08:00");
    assert_eq!(text(&world.until("closed"), "/close_reason"), "expired");

    assert_eq!(world.sandbox.told("pay", &json!({ "order": serial })), 200);
    world.has_notified_of("settled", 1.0);
    world.until_subject(1122, 0);
    assert_eq!((world.seen()["status"].clone(), world.subject(2243), world.subject(2211)), (json!("closed"), 0, 0));
    let back = world.operator().get("/v1/refunds/rfd_1").ok();
    assert_eq!((text(&back, "/kind"), text(&back, "/order")), ("useless".into(), world.order.clone()));
}

#[test]
fn a_close_waits_for_the_channel_and_a_payment_before_it_counts() {
    let Some(world) = World::start("", &QUERIES) else { return };
    world.pay().ok();
    let first = world.send_the_payer();
    let close = |world: &World| world.operator().post(&format!("{}/close", world.path()), &json!({}));
    let closing = close(&world).ok();
    assert_eq!((&closing["status"], &closing["closing"]), (&json!("paying"), &json!(true)));
    assert_eq!((close(&world).error().1, world.page("*/*").error().1), ("order_state".into(), "order_state".into()));
    world.click_pay(&first);
    let paid = world.until("success");
    assert_eq!((&paid["closing"], world.subject(1122)), (&json!(false), 500_000));

    let world = World { order: text_of_order(&world.market, "T2"), ..world };
    world.pay().ok();
    let second = world.send_the_payer();
    close(&world).ok();
    assert_eq!(world.sandbox.told("end", &json!({ "order": second })), 200);
    world.clock(SETTLED);
    world.until("closed");
    assert_eq!(world.subject(1122), 500_000);
}

#[test]
fn forged_replayed_and_wrong_notifications_book_nothing() {
    let Some(world) = World::start("[redirect]\ntwice = 10000", &NO_QUERIES) else { return };
    world.pay().ok();
    let serial = world.send_the_payer();
    let twists = [
        (json!({ "forged": true }), "unsigned", 1.0),
        (json!({ "amount": 500_001 }), "foreign", 1.0),
        (json!({ "amount": 1 }), "foreign", 2.0),
    ];
    for (mut twist, outcome, count) in twists {
        twist["order"] = json!(serial);
        assert_eq!(world.sandbox.told("tell", &twist), 200);
        world.has_notified(outcome, count);
    }
    assert_eq!((world.seen()["status"].clone(), world.subject(1122)), (json!("paying"), 0));
    world.click_pay(&serial);
    world.until("success");
    // The sandbox tells it twice; a third time it is played again.
    world.has_notified("repeated", 1.0);
    assert_eq!(world.sandbox.told("tell", &json!({ "order": serial })), 200);
    world.has_notified("repeated", 2.0);
    assert_eq!((world.notified("settled"), world.subject(1122), world.subject(2243)), (1.0, 500_000, 0));
}

#[test]
fn two_pages_of_one_order_that_are_both_paid_pay_it_once() {
    let Some(world) = World::start("", &QUERIES) else { return };
    world.pay().ok();
    let first = world.send_the_payer();
    assert_eq!(world.sandbox.told("end", &json!({ "order": first })), 200);
    world.clock(SETTLED);
    let began = Instant::now();
    while world.seen()["legs"][0]["status"] != "failed" {
        assert!(began.elapsed() < PATIENCE, "{}", world.seen());
    }
    world.pay().ok();
    let second = world.send_the_payer();
    assert_ne!(first, second);
    world.click_pay(&second);
    world.until("success");
    assert_eq!(world.sandbox.told("pay", &json!({ "order": first })), 200);
    world.has_notified_of("settled", 2.0);
    world.until_subject(1122, 500_000);
    assert_eq!((world.subject(2243), world.subject(2211), world.seen()["refunded"].clone()), (0, 0, json!(0)));
}

#[test]
fn a_rail_without_such_a_page_fails_at_once() {
    let Some(world) = World::start("", &NO_QUERIES) else { return };
    let instrument = json!({"type": "redirect", "rail": "epcc", "amount": 500_000});
    world.operator().post(&format!("{}/pay", world.path()), &json!({"instruments": [instrument]})).ok();
    // No channel at all: nothing is handed out, and closing it is free.
    assert_eq!(world.page("*/*").error().1, "channel_unknown");
    let closed = world.operator().post(&format!("{}/close", world.path()), &json!({})).ok();
    assert_eq!(closed["status"], "closed");
}
