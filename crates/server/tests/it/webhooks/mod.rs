//! Merchants are told: real receivers on loopback that are slow, dead, fail or redirect, and a platform that is killed meanwhile.

pub(crate) mod receiver;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tempfile::TempDir;

use self::receiver::{Manner, Receiver, until};
use crate::certificates::{Pair, RSA, SM2};
use crate::client::{Answer, Client};
use crate::fund_batches::{card, platform_in};
use crate::keys::{becomes, metric};
use crate::open::{merchant, number, text};
use crate::orders::Market;
use crate::server::Server;
use crate::sites::Bank;
use crate::staff::client_of;

/// In a hurry: what takes hours takes milliseconds.
const HURRY: [&str; 3] = ["webhooks.retry_first_ms=20", "webhooks.retry_max_ms=100", "webhooks.timeout_ms=2000"];

/// A market whose landlord has a webhook.
struct Shop {
    market: Market,
    landlord: Client,
    id: String,
    hook: String,
}

impl Shop {
    fn open(server: &Server, url: &str, kinds: &[&str]) -> Self {
        let market = Market::open(server);
        let id = text(&market.landlord, "/id");
        let landlord = client_of(server, &id);
        let hook = register(&landlord, &id, url, kinds);
        Self { market, landlord, id, hook }
    }

    /// After a start: the same through the new process.
    fn again(&mut self, server: &Server) {
        self.market.operator = server.operator();
        self.landlord = client_of(server, &self.id);
    }

    /// Closes a new order; its id.
    fn closes(&self, name: &str) -> String {
        let order = text(&self.market.order(name, 700).ok(), "/id");
        self.market.operator.post(&format!("/v1/orders/{order}/close"), &json!({})).ok();
        order
    }

    fn deliveries(&self, query: &str) -> Vec<Value> {
        let all = self.landlord.get(&format!("/v1/webhooks/{}/deliveries?limit=500&{query}", self.hook)).ok();
        all["data"].as_array().unwrap().clone()
    }

    #[track_caller]
    fn until_state(&self, state: &str, count: usize) -> Vec<Value> {
        until(
            || self.deliveries(&format!("state={state}")).len() == count,
            || format!("{count} {state}: {:?}", self.deliveries("")),
        );
        self.deliveries(&format!("state={state}"))
    }

    fn delivery(&self, id: &str) -> Value {
        self.landlord.get(&format!("/v1/webhook-deliveries/{id}")).ok()
    }

    /// Pays 100,000 out, which arrives and comes back; the payout's id.
    fn payout_that_returns(&self) -> String {
        let (market, operator) = (&self.market, &self.market.operator);
        market.paid();
        market.next_day();
        operator.post("/v1/settlements", &json!({"merchant": self.id, "date": "2026-03-06"})).ok();
        let account = text(&market.landlord, "/available");
        let to = json!({"type": "settlement"});
        let body = json!({"account": account, "to": to, "amount": 100_000, "currency": "CNY", "send_now": true});
        let sent = operator.post("/v1/payouts", &body).ok();
        market.cleared("2026-03-06", 1, &market.serial(&text(&sent, "/attempt")), "pay", 100_000);
        let id = text(&sent, "/id");
        let back = json!({"reference": "RT1", "date": "2026-03-06"});
        operator.post(&format!("/v1/payouts/{id}/return"), &back).ok();
        id
    }
}

fn register(client: &Client, merchant: &str, url: &str, kinds: &[&str]) -> String {
    text(&client.post(&format!("/v1/merchants/{merchant}/webhooks"), &json!({"url": url, "kinds": kinds})).ok(), "/id")
}

const ALL: [&str; 18] = [
    "order.paid",
    "order.failed",
    "order.closed",
    "refund.succeeded",
    "refund.failed",
    "payout.succeeded",
    "payout.failed",
    "payout.returned",
    "settlement.made",
    "top_up.succeeded",
    "top_up.failed",
    "transfer.made",
    "card_transaction.approved",
    "card_transaction.declined",
    "card_transaction.reversed",
    "advance.succeeded",
    "advance.failed",
    "advance.returned",
];

#[test]
fn a_merchant_is_told_what_happened_under_a_signature_that_openssl_verifies() {
    let (Some(sm2), Some(rsa)) = (Pair::new(SM2), Pair::new(RSA)) else { return };
    let server = Server::start_with(&HURRY);
    let receiver = Receiver::start(Manner::Take);
    let shop = Shop::open(&server, &receiver.url, &ALL);
    let payout = shop.payout_that_returns();
    let told = receiver.until_taken(4);
    let kinds: BTreeSet<_> = told.iter().map(receiver::Got::kind).collect();
    assert_eq!(
        kinds,
        ["order.paid", "payout.returned", "payout.succeeded", "settlement.made"].map(str::to_owned).into()
    );

    let keys = shop.landlord.get("/v1/platform-keys").ok();
    let key = |serial: &str| -> String {
        let keys = keys["data"].as_array().unwrap();
        text(keys.iter().find(|key| key["serial_no"] == serial).unwrap(), "/public_key")
    };
    for got in &told {
        let [time, nonce, serial, signature] =
            ["lintel-timestamp", "lintel-nonce", "lintel-serial", "lintel-signature"].map(|name| got.header(name));
        let message = [format!("{time}\n{nonce}\n").as_bytes(), &got.body, b"\n"].concat();
        assert!(sm2.verifies(&key(serial), &message, signature), "{got:?}");
        assert!(!sm2.verifies(&key(serial), &[&message[..], b"x"].concat(), signature));
        assert_eq!((got.header("lintel-delivery"), got.header("lintel-attempt")), (got.id().as_str(), "1"));
    }
    let paid = told.iter().find(|got| got.kind() == "order.paid").unwrap().json();
    assert_eq!((number(&paid, "/object/amount"), text(&paid, "/object/out_trade_no")), (500_000, "T1".into()));
    let returned = told.iter().find(|got| got.kind() == "payout.returned").unwrap().json();
    assert_eq!((text(&returned, "/object/id"), text(&returned, "/merchant")), (payout, shop.id.clone()));
    let all = told.iter().map(|got| String::from_utf8_lossy(&got.body).into_owned()).collect::<String>();
    assert!(!all.contains("王五") && !all.contains("622202"), "nothing of a person: {all}");

    // From then on under the platform's RSA pair.
    let change = json!({"algorithm": "sha256_rsa2048", "kinds": ["order.closed"]});
    shop.landlord.post(&format!("/v1/webhooks/{}/change", shop.hook), &change).ok();
    shop.closes("C1");
    let closed = receiver.until_taken(5).pop().unwrap();
    assert_eq!(text(&closed.json(), "/object/close_reason"), "requested");
    let keys = shop.landlord.get("/v1/platform-keys").ok();
    let key = keys["data"].as_array().unwrap().iter().find(|key| key["serial_no"] == "PLATFORM-RSA-1").unwrap().clone();
    let [time, nonce, signature] =
        ["lintel-timestamp", "lintel-nonce", "lintel-signature"].map(|name| closed.header(name));
    let message = [format!("{time}\n{nonce}\n").as_bytes(), &closed.body, b"\n"].concat();
    assert!(rsa.verifies(&text(&key, "/public_key"), &message, signature), "{closed:?}");
    documented_by_openssl(&sm2, &told[0], &keys);
}

/// The commands of docs/api/webhooks.md, word for word, over what a receiver got.
fn documented_by_openssl(pair: &Pair, got: &receiver::Got, keys: &Value) {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/api/webhooks.md")).unwrap();
    let scripts = page.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    let script = scripts.into_iter().find(|script| script.contains("openssl")).expect("a script of openssl");
    let write = |name: &str, bytes: &[u8]| std::fs::write(pair.path().join(name), bytes).unwrap();
    let platform = keys["data"].as_array().unwrap().iter().find(|key| key["serial_no"] == "PLATFORM-SM2-1").unwrap();
    write("platform.pem", text(platform, "/public_key").as_bytes());
    write("body", &got.body);
    let run = |body: &[u8]| {
        write("body", body);
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", script]).current_dir(pair.path());
        for (name, header) in
            [("TIMESTAMP", "lintel-timestamp"), ("NONCE", "lintel-nonce"), ("SIGNATURE", "lintel-signature")]
        {
            shell.env(name, got.header(header));
        }
        shell.output().unwrap()
    };
    let good = run(&got.body);
    assert!(good.status.success(), "{good:?}");
    assert!(!run(b"{}").status.success(), "another body is not verified");
}

#[test]
fn the_next_of_an_object_waits_for_the_one_before_it_and_others_do_not() {
    let server = Server::start_with(&HURRY);
    let receiver = Receiver::start(Manner::Refuse(500, "order of 13800001234 unknown: 张三"));
    let shop = Shop::open(&server, &receiver.url, &["payout.succeeded", "payout.returned", "order.closed"]);
    let payout = shop.payout_that_returns();
    shop.until_state("behind", 1);
    receiver.until_got(3);
    assert!(receiver.got().iter().all(|got| got.kind() == "payout.succeeded"), "{:?}", receiver.got());
    let other = shop.closes("C1");
    until(|| receiver.got().iter().any(|got| got.kind() == "order.closed"), || format!("{:?}", receiver.got()));

    receiver.becomes(Manner::Take);
    let told: Vec<_> =
        receiver.until_taken(3).iter().map(|got| (text(&got.json(), "/object/id"), got.kind())).collect();
    let of_payout: Vec<_> = told.iter().filter(|(id, _)| *id == payout).map(|(_, kind)| kind.as_str()).collect();
    assert_eq!(of_payout, ["payout.succeeded", "payout.returned"]);
    assert!(told.contains(&(other, "order.closed".into())));

    let accepted = shop.until_state("accepted", 3);
    let first = accepted.iter().find(|delivery| delivery["kind"] == "payout.succeeded").unwrap();
    let log = shop.delivery(&text(first, "/id"));
    let tries = log["log"].as_array().unwrap();
    assert_eq!((number(&log, "/tries"), number(&log, "/log/0/number")), (tries.len() as i64, 1));
    assert_eq!(tries[0]["status"], 500);
    let error = text(&tries[0], "/error");
    assert_eq!(error, "answered 500: order of *********** unknown: ......");
    let last = tries.last().unwrap();
    assert_eq!((&last["status"], text(last, "/error")), (&json!(200), String::new()));
}

#[test]
fn a_dead_receiver_costs_its_merchant_alone_and_the_platform_nothing() {
    let server =
        Server::start_with(&["webhooks.timeout_ms=60000", "webhooks.at_once=4", "webhooks.at_once_per_merchant=3"]);
    let (dead, well) = (Receiver::start(Manner::Silent), Receiver::start(Manner::Take));
    let shop = Shop::open(&server, &dead.url, &["order.closed"]);
    let other = merchant(&shop.market.operator, "landlord", "李四", "110105194912310038");
    let other_id = text(&other, "/id");
    register(&client_of(&server, &other_id), &other_id, &well.url, &["order.closed"]);
    (0..12).for_each(|at| drop(shop.closes(&format!("D{at}"))));
    dead.until_got(3);
    // Its three places are taken for a minute; the fourth of all is everyone else's.
    let items = json!([{"kind": "rent", "amount": 700}]);
    for at in 0..20 {
        let body = json!({
            "merchant": other_id, "out_trade_no": format!("W{at}"), "payer": shop.market.payer, "items": items, "currency": "CNY",
        });
        let order = text(&shop.market.operator.post("/v1/orders", &body).ok(), "/id");
        shop.market.operator.post(&format!("/v1/orders/{order}/close"), &json!({})).ok();
    }
    assert_eq!(well.until_taken(20).len(), 20);
    assert_eq!((dead.got().len(), well.most_at_once()), (3, 1));
    becomes(&shop.market.operator, "lintel_webhook_under_way", |under_way| (under_way - 3.0).abs() < 0.5);
}

/// Nothing of a payment waits for a delivery: its end is answered while the receiver holds all that it got, and it is
/// released only afterwards.
#[test]
fn a_receiver_that_never_answers_holds_up_no_payment() {
    let Some(bank) = Bank::start() else { return };
    let own = ["webhooks.retry_first_ms=20", "webhooks.retry_max_ms=100", "webhooks.timeout_ms=60000"];
    let server = platform_in((TempDir::new().unwrap(), Vec::new()), &own, &bank.0.addresses[0], "");
    let (silent, well) = (Receiver::start(Manner::Silent), Receiver::start(Manner::Take));
    let shop = Shop::open(&server, &silent.url, &["order.paid"]);
    let operator = &shop.market.operator;
    let other = text(&merchant(operator, "landlord", "李四", "110105194912310038"), "/id");
    register(&client_of(&server, &other), &other, &well.url, &["order.paid"]);
    let pays = |merchant: &str, name: &str| {
        let items = json!([{"kind": "rent", "amount": 5_000}]);
        let new = json!({
            "merchant": merchant, "out_trade_no": name, "payer": shop.market.payer, "items": items, "currency": "CNY",
        });
        let order = text(&operator.post("/v1/orders", &new).ok(), "/id");
        let instruments = json!({"instruments": [card(5_000)]});
        let paid = operator.post(&format!("/v1/orders/{order}/pay?wait=30"), &instruments).ok();
        assert_eq!(text(&paid, "/status"), "success", "{paid}");
        order
    };
    // Its four places are taken, and more of its deliveries wait behind them with every payment from here on.
    let mut of_silent: BTreeSet<String> = (0..4).map(|at| pays(&shop.id, &format!("A{at}"))).collect();
    until(|| silent.held() >= 4, || format!("{:?}", silent.got()));
    let mut of_other = BTreeSet::new();
    for at in 0..12 {
        of_silent.insert(pays(&shop.id, &format!("S{at}")));
        of_other.insert(pays(&other, &format!("W{at}")));
        assert!(silent.held() >= 4, "it has let none go");
    }
    let objects =
        |told: &[receiver::Got]| told.iter().map(|got| text(&got.json(), "/object/id")).collect::<BTreeSet<_>>();
    let told = well.until_taken(12);
    assert_eq!((told.len(), objects(&told)), (12, of_other));
    let rates = operator.get("/v1/rates").ok();
    assert_eq!(["/first_try/numerator", "/first_try/denominator"].map(|at| number(&rates, at)), [28, 28], "{rates}");
    assert!(silent.held() >= 4 && silent.got().iter().all(|got| !got.taken), "{:?}", silent.got());
    assert_eq!(shop.deliveries("state=accepted").len(), 0);

    silent.becomes(Manner::Take);
    let told = silent.until_taken(16);
    assert_eq!((told.len(), objects(&told)), (16, of_silent));
}

#[test]
fn a_kill_loses_nothing_and_what_was_taken_is_not_told_again() {
    let mut server = Server::start_with(&HURRY);
    let receiver = Receiver::start(Manner::Take);
    let mut shop = Shop::open(&server, &receiver.url, &["order.closed"]);
    let taken = shop.closes("K0");
    receiver.until_taken(1);
    shop.until_state("accepted", 1);

    receiver.becomes(Manner::Refuse(503, "closed for today"));
    let before: BTreeSet<_> = (1..10).map(|at| shop.closes(&format!("K{at}"))).collect();
    receiver.until_got(4);
    // What is closed last may be in no checkpoint yet.
    let last = shop.closes("K10");
    server.kill();
    receiver.becomes(Manner::Take);
    server.start_again();
    shop.again(&server);
    let told = receiver.until_taken(11);
    shop.until_state("accepted", 11);
    let object = |got: &receiver::Got| text(&got.json(), "/object/id");
    let objects: BTreeSet<_> = told.iter().skip(1).map(object).collect();
    assert_eq!((object(&told[0]), objects), (taken, before.into_iter().chain([last]).collect()));
    assert_eq!(receiver.until_taken(11).len(), 11, "each of them once");

    // A stop by request waits for what is under way; a start has nothing left to tell.
    shop.closes("K11");
    receiver.until_taken(12);
    assert!(server.stop().success());
    server.start_again();
    shop.again(&server);
    shop.closes("K12");
    assert_eq!(receiver.until_taken(13).len(), 13);
    let ids: BTreeSet<_> = receiver.got().iter().filter(|got| got.taken).map(receiver::Got::id).collect();
    assert_eq!(ids.len(), 13);
}

#[test]
fn what_nobody_takes_is_given_up_seen_and_told_again_when_asked_for() {
    let server = Server::start_with(&["webhooks.give_up_ms=200", "webhooks.retry_first_ms=20"]);
    let receiver = Receiver::start(Manner::Refuse(404, ""));
    let shop = Shop::open(&server, &receiver.url, &["order.closed"]);
    let orders = [shop.closes("G1"), shop.closes("G2")];
    let given_up = shop.until_state("given_up", 2);
    assert!(given_up.iter().all(|delivery| delivery["ended_at"].is_string() && delivery["next_at"].is_null()));
    assert_eq!(text(&shop.delivery(&text(&given_up[0], "/id")), "/log/0/error"), "answered 404");
    assert!(metric(&shop.market.operator, "lintel_webhook_given_up_total") >= 2.0);
    receiver.becomes(Manner::Take);

    let first = given_up.iter().find(|delivery| delivery["object"] == orders[0].as_str()).unwrap();
    let id = text(first, "/id");
    shop.landlord.post(&format!("/v1/webhook-deliveries/{id}/replay"), &json!({})).ok();
    let told = receiver.until_taken(1);
    assert_eq!((told[0].id(), told[0].header("lintel-delivery")), (id.clone(), id.as_str()));
    shop.until_state("accepted", 1);

    // All since a time: the accepted one again, and the one that was given up.
    let replay =
        |since: &str| shop.landlord.post(&format!("/v1/webhooks/{}/replay", shop.hook), &json!({"since": since})).ok();
    assert_eq!(replay("2026-03-05T09:00:01+08:00")["replayed"], 0, "the books' clock stands at nine");
    assert_eq!(replay("2026-03-05T09:00:00+08:00")["replayed"], 2);
    let told: BTreeSet<_> = receiver.until_taken(3)[1..].iter().map(|got| text(&got.json(), "/object/id")).collect();
    assert_eq!(told, orders.into());
    let listed = String::from_utf8(server.lintel(&["webhook", "deliveries", &shop.hook]).stdout).unwrap();
    assert!(listed.contains("order.closed") && listed.contains(&id), "{listed}");
    let shown = String::from_utf8(server.lintel(&["webhook", "delivery", &id]).stdout).unwrap();
    assert!(shown.contains("answered 404"), "{shown}");
    let unknown = shop.landlord.get("/v1/webhook-deliveries/whd_999999_1");
    assert_eq!(unknown.error(), (404, "delivery_unknown".into(), "id".into()));
}

#[test]
fn a_redirect_is_not_followed() {
    let server = Server::start_with(&HURRY);
    let elsewhere = Receiver::start(Manner::Take);
    let receiver = Receiver::start(Manner::RedirectTo(elsewhere.url.clone()));
    let shop = Shop::open(&server, &receiver.url, &["order.closed"]);
    shop.closes("R1");
    receiver.until_got(2);
    let delivery = text(&shop.deliveries("")[0], "/id");
    let log = shop.delivery(&delivery);
    assert_eq!(log["log"][0]["status"], 307);
    assert!(text(&log, "/log/0/error").contains("redirect"), "{log}");
    assert_eq!(elsewhere.got().len(), 0);
    // Changed to where it leads, what is outstanding goes there.
    shop.landlord.post(&format!("/v1/webhooks/{}/change", shop.hook), &json!({"url": elsewhere.url})).ok();
    assert_eq!(elsewhere.until_taken(1)[0].id(), delivery);
}

#[test]
fn a_disabled_webhook_waits_and_a_removed_one_is_given_up() {
    let server = Server::start_with(&HURRY);
    let receiver = Receiver::start(Manner::Refuse(500, ""));
    let shop = Shop::open(&server, &receiver.url, &["order.closed"]);
    shop.closes("X1");
    receiver.until_got(1);
    let change = |body: Value| shop.landlord.post(&format!("/v1/webhooks/{}/change", shop.hook), &body).ok();
    assert_eq!(change(json!({"enabled": false}))["status"], "disabled");
    shop.closes("X2");
    receiver.becomes(Manner::Take);
    assert_eq!(change(json!({"enabled": true}))["status"], "enabled");
    assert_eq!(receiver.until_taken(1).len(), 1);
    shop.until_state("accepted", 1);
    assert_eq!(shop.deliveries("").len(), 1, "nothing was announced while it was disabled");

    receiver.becomes(Manner::Refuse(500, ""));
    shop.closes("X3");
    shop.until_state("ready", 1);
    shop.landlord.post(&format!("/v1/webhooks/{}/remove", shop.hook), &json!({})).ok();
    let given_up = shop.until_state("given_up", 1);
    let replay = format!("/v1/webhook-deliveries/{}/replay", text(&given_up[0], "/id"));
    assert_eq!(shop.landlord.post(&replay, &json!({})).error().1, "webhook_state");
}

#[test]
fn a_merchant_keeps_to_its_own_webhooks_and_an_address_is_one() {
    let server = Server::start();
    let receiver = Receiver::start(Manner::Take);
    let shop = Shop::open(&server, &receiver.url, &["order.closed"]);
    shop.closes("M1");
    let delivery = text(&shop.until_state("accepted", 1)[0], "/id");
    let other = text(&merchant(&shop.market.operator, "landlord", "李四", "110105194912310038"), "/id");
    let stranger = client_of(&server, &other);
    let forbidden = |answer: &Answer| assert_eq!(answer.error().1, "not_permitted");
    let hook = &shop.hook;
    for target in [
        format!("/v1/webhooks/{hook}"),
        format!("/v1/webhooks/{hook}/deliveries"),
        format!("/v1/webhook-deliveries/{delivery}"),
        format!("/v1/webhooks?merchant={}", shop.id),
    ] {
        forbidden(&stranger.get(&target));
    }
    for (target, body) in [
        (format!("/v1/webhooks/{hook}/change"), json!({"enabled": false})),
        (format!("/v1/webhooks/{hook}/remove"), json!({})),
        (format!("/v1/webhooks/{hook}/replay"), json!({"since": "2026-03-05T09:00:00+08:00"})),
        (format!("/v1/webhook-deliveries/{delivery}/replay"), json!({})),
        (format!("/v1/merchants/{}/webhooks", shop.id), json!({"url": "https://a.example/", "kinds": ["order.paid"]})),
    ] {
        forbidden(&stranger.post(&target, &body));
    }
    let post = |url: &str, kind: &str| {
        shop.landlord
            .post(&format!("/v1/merchants/{}/webhooks", shop.id), &json!({"url": url, "kinds": [kind]}))
            .error()
    };
    for url in ["nowhere", "https://user:secret@a.example/", "https://a.example/#here"] {
        assert_eq!(post(url, "order.paid"), (400, "field_malformed".into(), "url".into()), "{url}");
    }
    assert_eq!(post("ftp://a.example/", "order.paid").1, "webhook_url");
    assert_eq!(post("https://a.example/", "order.sold"), (400, "field_malformed".into(), "kinds".into()));

    // The same by the command line.
    let registered =
        server.lintel(&["webhook", "register", &other, "https://b.example/", "--kind", "order.paid", "--json"]);
    assert!(registered.status.success(), "{registered:?}");
    let registered: Value = serde_json::from_slice(&registered.stdout).unwrap();
    assert_eq!((text(&registered, "/status"), &registered["kinds"]), ("enabled".into(), &json!(["order.paid"])));
    let listed = String::from_utf8(server.lintel(&["webhook", "list", "--merchant", &shop.id]).stdout).unwrap();
    assert!(listed.contains(hook.as_str()) && !listed.contains(&text(&registered, "/id")), "{listed}");
}

#[test]
fn a_rebuild_keeps_what_was_told_and_goes_on_with_what_was_not() {
    let mut server = Server::start_with(&HURRY);
    let receiver = Receiver::start(Manner::Take);
    let mut shop = Shop::open(&server, &receiver.url, &["order.closed"]);
    (0..3).for_each(|at| drop(shop.closes(&format!("B{at}"))));
    shop.until_state("accepted", 3);
    receiver.becomes(Manner::Refuse(500, ""));
    shop.closes("B3");
    receiver.until_got(4);
    assert!(server.stop().success());
    let rebuilt = server.lintel(&["rebuild", "--json"]);
    assert!(rebuilt.status.success(), "{rebuilt:?}");
    receiver.becomes(Manner::Take);
    server.start_again();
    shop.again(&server);
    shop.until_state("accepted", 4);
    assert_eq!(receiver.until_taken(4).len(), 4, "three were told before, and one after");
    let log = shop.delivery(&receiver.until_taken(4)[3].id());
    assert!(number(&log, "/tries") > 1 && log["log"][0]["status"] == 500, "its tries are carried too: {log}");
}

/// A ping takes the way of every delivery: signed, tried again, after a kill too; and nobody registers for it.
#[test]
fn a_ping_is_delivered_until_it_is_taken() {
    let mut server = Server::start_with(&HURRY);
    let receiver = Receiver::start(Manner::Refuse(500, "not yet"));
    let mut shop = Shop::open(&server, &receiver.url, &["order.paid"]);
    let kinds = json!({"url": receiver.url, "kinds": ["ping"]});
    let refused = shop.landlord.post(&format!("/v1/merchants/{}/webhooks", shop.id), &kinds);
    assert_eq!(refused.error(), (400, "field_malformed".into(), "kinds".into()), "{}", refused.text());
    let path = format!("/v1/webhooks/{}/ping", shop.hook);
    let pinged = shop.landlord.post_keyed(&path, "once", &json!({}));
    assert!(!pinged.repeated() && shop.landlord.post_keyed(&path, "once", &json!({})).repeated());
    assert_eq!(pinged.ok()["allowed_actions"], json!(["change", "remove", "replay", "ping"]));
    receiver.until_got(2);
    server.kill();
    server.start_again();
    shop.again(&server);
    receiver.becomes(Manner::Take);
    let got = receiver.until_taken(1).pop().unwrap();
    let body = got.json();
    assert_eq!(
        (got.kind(), text(&body, "/object/type"), text(&body, "/object/id")),
        ("ping".into(), "webhook".into(), shop.hook.clone())
    );
    shop.until_state("accepted", 1);
    shop.landlord.post(&format!("/v1/webhooks/{}/change", shop.hook), &json!({"enabled": false})).ok();
    assert_eq!(shop.landlord.post(&path, &json!({})).error().1, "webhook_state");
    let other = client_of(&server, &text(shop.market.agent(), "/id"));
    assert_eq!(other.post(&path, &json!({})).error().1, "not_permitted");
}
