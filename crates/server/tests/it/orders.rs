//! An order's way: created, paid, split, matched in the clearing file, settled, paid out, returned, refunded. No channel is
//! configured here: the clearing file answers what was asked of the networks.

use serde_json::{Value, json};

use crate::client::{Answer, Client};
use crate::features::close;
use crate::keys::{becomes, metric};
use crate::open::{balance, closing, customer, merchant, number, own, text, trial_balance, user};
use crate::server::Server;

/// A landlord and an agent who sell, a user who pays.
pub(crate) struct Market {
    pub(crate) operator: Client,
    pub(crate) landlord: Value,
    agent: Value,
    pub(crate) payer: String,
}

impl Market {
    pub(crate) fn open(server: &Server) -> Self {
        let operator = server.operator();
        let landlord = merchant(&operator, "landlord", "王五", "110105194912310046");
        let agent = merchant(&operator, "agent", "赵六", "110105194912310054");
        let payer = user(&operator, &customer(&operator, "钱七", "110105194912310062"));
        Self { operator, landlord, agent, payer }
    }

    pub(crate) fn order(&self, number: &str, amount: i64) -> Answer {
        let items = json!([{"kind": "rent", "amount": amount}]);
        let merchant = text(&self.landlord, "/id");
        let body = json!({
            "merchant": merchant, "out_trade_no": number, "payer": self.payer, "items": items, "currency": "CNY",
        });
        self.operator.post("/v1/orders", &body)
    }

    /// An order of 500,000 that can be paid until then.
    fn order_until(&self, number: &str, expires_at: &str) -> Answer {
        let items = json!([{"kind": "rent", "amount": 500_000}]);
        let merchant = text(&self.landlord, "/id");
        let body = json!({
            "merchant": merchant, "out_trade_no": number, "payer": self.payer, "items": items, "currency": "CNY",
            "expires_at": expires_at,
        });
        self.operator.post("/v1/orders", &body)
    }

    pub(crate) fn agent(&self) -> &Value {
        &self.agent
    }

    /// Lets a merchant receive from splits of the landlord's orders.
    pub(crate) fn receives(&self, receiver: &str) {
        let receivers = format!("/v1/merchants/{}/receivers", text(&self.landlord, "/id"));
        self.operator.post(&receivers, &json!({"receiver": receiver, "relation": "agent"})).ok();
    }

    pub(crate) fn pay(&self, order: &str, amount: i64) -> Answer {
        let card = json!({
            "type": "card", "agreement": "A1", "mask": "622202******2230", "rail": "epcc", "amount": amount,
        });
        self.operator.post(&format!("/v1/orders/{order}/pay"), &json!({"instruments": [card]}))
    }

    /// The order, once its payment is on its way.
    fn until_paying(&self, order: &str) -> Value {
        loop {
            let answer = self.operator.get(&format!("/v1/orders/{order}"));
            if answer.status == 200 {
                break answer.ok();
            }
            std::thread::yield_now();
        }
    }

    pub(crate) fn serial(&self, attempt: &str) -> String {
        text(&self.operator.get(&format!("/v1/attempts/{attempt}")).ok(), "/serial")
    }

    /// Takes a clearing file of one line.
    pub(crate) fn cleared(&self, date: &str, part: u32, serial: &str, kind: &str, amount: i64) -> Value {
        let lines = json!([{"serial": serial, "kind": kind, "amount": amount, "currency": "CNY"}]);
        let body = json!({"rail": "epcc", "date": date, "part": part, "last": false, "lines": lines});
        let clearing = self.operator.post("/v1/clearing", &body).ok();
        assert_eq!((number(&clearing, "/matched"), number(&clearing, "/different")), (1, 0), "{clearing}");
        clearing
    }

    /// An order of 500,000 that was paid and cleared on 2026-03-05.
    pub(crate) fn paid(&self) -> Value {
        let order = text(&self.order("T1", 500_000).ok(), "/id");
        let paying = self.pay(&order, 500_000).ok();
        assert_eq!((text(&paying, "/status"), text(&paying, "/legs/0/status")), ("paying".into(), "sent".into()));
        let serial = self.serial(&text(&paying, "/legs/0/open_attempt"));
        self.cleared("2026-03-05", 1, &serial, "debit", 500_000);
        self.operator.get(&format!("/v1/orders/{order}")).ok()
    }

    /// The next working day, on which that order is settled.
    pub(crate) fn next_day(&self) {
        self.operator.post("/v1/sandbox/clock", &json!({"now": "2026-03-06T09:00:00+08:00"})).ok();
        self.operator.post("/v1/days/cut", &json!({"next": "2026-03-06"})).ok();
    }

    pub(crate) fn settle(&self, merchant: &Value, date: &str) -> Answer {
        self.operator.post("/v1/settlements", &json!({"merchant": text(merchant, "/id"), "date": date}))
    }
}

#[test]
fn a_paid_order_is_split_settled_paid_out_and_refunded() {
    let server = Server::start();
    let market = Market::open(&server);
    let operator = &market.operator;
    let order = market.paid();
    assert_eq!(
        (text(&order, "/status"), number(&order, "/fee"), number(&order, "/net")),
        ("success".into(), 1_000, 499_000)
    );
    assert_eq!((text(&order, "/due"), &order["settled"]), ("2026-03-06".into(), &json!(false)));
    assert_eq!(order["allowed_actions"], json!(["split", "refund"]));

    let path = format!("/v1/orders/{}", text(&order, "/id"));
    market.receives(&text(&market.agent, "/id"));
    let parts = json!([{"merchant": text(&market.agent, "/id"), "amount": 99_000}]);
    let split = json!({"out_split_no": "S1", "parts": parts});
    let made = operator.post(&format!("{path}/splits"), &split).ok();
    assert_eq!(number(&made, "/amount"), 99_000);
    assert_eq!(operator.post(&format!("{path}/splits"), &split).ok(), made, "out_split_no is a key of its own");
    assert_eq!(market.settle(&market.landlord, "2026-03-05").error().1, "not_cleared");

    market.next_day();
    let due = operator.get("/v1/settlements/due").ok();
    let amounts: Vec<_> = due["data"].as_array().unwrap().iter().map(|due| number(due, "/amount")).collect();
    assert_eq!(amounts, [400_000, 99_000]);
    market.settle(&market.landlord, "2026-03-06").ok();
    market.settle(&market.agent, "2026-03-06").ok();
    assert_eq!(operator.get(&path).ok()["settled"], true);
    assert_eq!(balance(operator, &text(&market.landlord, "/available")), 400_000);

    pay_out_and_take_back(&market);
    let refund = json!({"out_refund_no": "F1", "amount": 250_000, "return_fee": true});
    let refund = operator.post(&format!("{path}/refunds"), &refund).ok();
    assert_eq!((text(&refund, "/status"), number(&refund, "/fee")), ("in_transit".into(), 500));
    let serial = market.serial(&text(&refund, "/parts/0/attempt"));
    market.cleared("2026-03-06", 3, &serial, "refund", 250_000);
    let refund = operator.get(&format!("/v1/refunds/{}", text(&refund, "/id"))).ok();
    assert_eq!((text(&refund, "/status"), number(&refund, "/succeeded")), ("success".into(), 250_000));
    assert_eq!(operator.get(&path).ok()["refunded"], 250_000);

    let trial = trial_balance(operator, "2026-03-06");
    assert_eq!(trial["cover"]["holds"], true, "{trial}");
    assert_eq!(text(&close(operator, "2026-03-05"), "/status"), "closed");
    let rates = operator.get("/v1/rates").ok();
    assert_eq!((number(&rates, "/first_try/numerator"), number(&rates, "/first_try/denominator")), (1, 1));
}

#[test]
fn an_order_expires_by_itself_and_one_at_its_channel_by_the_channels_word() {
    const UNTIL: &str = "2026-03-05T09:30:00+08:00";
    let mut server = Server::start();
    let mut market = Market::open(&server);
    let malformed = market.order_until("E0", "tomorrow").error();
    assert_eq!(malformed, (400, "field_malformed".into(), "expires_at".into()));
    for at in ["2026-03-05T08:59:59+08:00", "2026-04-06T00:00:00+08:00"] {
        let refused = market.order_until("E0", at).error();
        assert_eq!(refused, (422, "value_invalid".into(), "expires_at".into()), "{at}");
    }
    let unpaid = market.order_until("E1", UNTIL).ok();
    assert_eq!((text(&unpaid, "/expires_at"), &unpaid["close_reason"]), ("2026-03-05T01:30:00Z".into(), &json!(null)));
    assert_eq!(unpaid["allowed_actions"], json!(["pay", "close"]));
    let (unpaid, paid) = (text(&unpaid, "/id"), text(&market.order_until("E2", UNTIL).ok(), "/id"));
    let paying = market.pay(&paid, 500_000).ok();
    let for_ever = market.order("E3", 500_000).ok();
    assert_eq!(for_ever["expires_at"], json!(null));

    // What falls due when is there again after a kill.
    server.kill();
    server.start_again();
    market.operator = server.operator();
    let seen = |market: &Market, order: &str| market.operator.get(&format!("/v1/orders/{order}")).ok();
    assert_eq!(text(&seen(&market, &unpaid), "/status"), "created");
    market.operator.post("/v1/sandbox/clock", &json!({ "now": UNTIL })).ok();
    let closed = seen(&market, &unpaid);
    assert_eq!((text(&closed, "/status"), text(&closed, "/close_reason")), ("closed".into(), "expired".into()));
    assert!(closed["ended_at"].is_string() && closed["allowed_actions"] == json!([]), "{closed}");
    let late = market.pay(&unpaid, 500_000).error();
    assert_eq!(late, (422, "order_expired".into(), "order".into()));
    assert_eq!(text(&seen(&market, &text(&for_ever, "/id")), "/status"), "created");

    let closing = seen(&market, &paid);
    assert_eq!((text(&closing, "/status"), &closing["closing"]), ("paying".into(), &json!(true)));
    assert_eq!(market.pay(&paid, 500_000).error().1, "order_expired");
    let serial = market.serial(&text(&paying, "/legs/0/open_attempt"));
    market.cleared("2026-03-05", 1, &serial, "debit", 500_000);
    let success = seen(&market, &paid);
    assert_eq!((text(&success, "/status"), &success["closing"]), ("success".into(), &json!(false)));
    assert_eq!(success["close_reason"], json!(null));
}

/// Waits until so many rows of a kind are in memory.
fn in_memory(operator: &Client, kind: &str, expected: f64) {
    let name = format!("lintel_objects_in_memory{{kind=\"{kind}\"}}");
    becomes(operator, &name, |found| (found - expected).abs() < 0.5);
}

#[test]
fn an_order_that_left_memory_is_shown_and_refunded_as_one_that_is_there() {
    const KINDS: [&str; 5] = ["orders", "legs", "attempts", "refunds", "settlements"];
    let mut server = Server::start();
    let mut market = Market::open(&server);
    let order = text(&market.paid(), "/id");
    in_memory(&market.operator, "orders", 1.0);
    market.next_day();
    let settlement = market.settle(&market.landlord, "2026-03-06").ok();
    let path = format!("/v1/orders/{order}");
    let settled = market.operator.get(&path).ok();
    assert_eq!((text(&settled, "/status"), &settled["settled"]), ("success".into(), &json!(true)));
    assert_eq!(settled["allowed_actions"], json!(["refund"]));
    KINDS.iter().for_each(|kind| in_memory(&market.operator, kind, 0.0));
    let shown = |market: &Market| {
        let operator = &market.operator;
        assert_eq!(operator.get(&path).ok(), settled, "with its leg");
        assert_eq!(operator.get(&format!("/v1/settlements/{}", text(&settlement, "/id"))).ok(), settlement);
        let listed =
            operator.get(&format!("/v1/orders?out_trade_no=T1&merchant={}", text(&market.landlord, "/id"))).ok();
        assert_eq!(listed["data"], json!([settled]));
        let repeated = market.order("T1", 500_000);
        assert!(repeated.repeated());
        assert_eq!(repeated.ok(), settled, "shown as it stands now");
        assert_eq!(market.order("T1", 1).error().1, "key_reused", "its number is never free again");
        assert_eq!(text(&operator.get("/v1/attempts/att_1").ok(), "/status"), "success");
        assert_eq!(metric(operator, "lintel_row_lookups_total") as usize, 0, "no command asked for it");
    };
    shown(&market);
    server.kill();
    server.start_again();
    market.operator = server.operator();
    KINDS.iter().for_each(|kind| in_memory(&market.operator, kind, 0.0));
    shown(&market);
    let rates = market.operator.get("/v1/rates").ok();
    assert_eq!((number(&rates, "/first_try/numerator"), number(&rates, "/effective/denominator")), (1, 1));

    let refund = json!({"out_refund_no": "F1", "amount": 250_000, "return_fee": true});
    let refund = market.operator.post(&format!("{path}/refunds"), &refund).ok();
    assert_eq!(
        metric(&market.operator, "lintel_row_lookups_total") as usize,
        3,
        "the order, its leg and its attempt at once"
    );
    let serial = market.serial(&text(&refund, "/parts/0/attempt"));
    in_memory(&market.operator, "orders", 0.0);
    in_memory(&market.operator, "refunds", 1.0);
    market.cleared("2026-03-06", 1, &serial, "refund", 250_000);
    KINDS.iter().for_each(|kind| in_memory(&market.operator, kind, 0.0));
    let refund = market.operator.get(&format!("/v1/refunds/{}", text(&refund, "/id"))).ok();
    assert_eq!((text(&refund, "/status"), number(&refund, "/succeeded")), ("success".into(), 250_000));
    assert_eq!(market.operator.get(&path).ok()["refunded"], 250_000);
    assert_eq!(text(&close(&market.operator, "2026-03-05"), "/status"), "closed");
}

#[test]
fn a_payout_that_left_memory_is_shown_and_returned_as_one_that_is_there() {
    let server = Server::start();
    let market = Market::open(&server);
    market.paid();
    market.next_day();
    market.settle(&market.landlord, "2026-03-06").ok();
    let operator = &market.operator;
    let (to, account) = (json!({"type": "settlement"}), text(&market.landlord, "/available"));
    let body = json!({"account": account, "to": to, "amount": 100_000, "currency": "CNY", "send_now": true});
    let sent = operator.post("/v1/payouts", &body).ok();
    let (path, serial) = (format!("/v1/payouts/{}", text(&sent, "/id")), market.serial(&text(&sent, "/attempt")));
    in_memory(operator, "payouts", 1.0);
    market.cleared("2026-03-06", 1, &serial, "pay", 100_000);
    ["payouts", "attempts"].iter().for_each(|kind| in_memory(operator, kind, 0.0));
    let arrived = operator.get(&path).ok();
    assert_eq!((text(&arrived, "/status"), &arrived["allowed_actions"]), ("success".into(), &json!(["return"])));
    let listed = operator.get(&format!("/v1/payouts?account={account}")).ok();
    assert_eq!(listed["data"], json!([arrived]));
    assert_eq!(metric(operator, "lintel_row_lookups_total") as usize, 0, "no command asked for it");

    let back = json!({"reference": "RT1", "date": "2026-03-06"});
    let returned = operator.post(&format!("{path}/return"), &back).ok();
    assert_eq!(text(&returned, "/status"), "returned");
    assert_eq!(metric(operator, "lintel_row_lookups_total") as usize, 2, "the payout and its attempt at once");
    in_memory(operator, "attempts", 0.0);
    in_memory(operator, "payouts", 1.0);
    market.cleared("2026-03-06", 2, &serial, "return", 100_000);
    in_memory(operator, "payouts", 0.0);
    let cleared = operator.get(&path).ok();
    assert_eq!((text(&cleared, "/status"), balance(operator, &account)), ("returned".into(), 499_000));
    assert_eq!(operator.post(&format!("{path}/return"), &back).error().1, "payout_state");
}

/// Pays 100,000 out, which arrives and comes back: nothing more goes there until the account is verified.
fn pay_out_and_take_back(market: &Market) {
    let operator = &market.operator;
    let available = text(&market.landlord, "/available");
    let create = |amount: i64, send_now: bool| {
        let to = json!({"type": "settlement"});
        let body = json!({"account": available, "to": to, "amount": amount, "currency": "CNY", "send_now": send_now});
        operator.post("/v1/payouts", &body)
    };
    let held = create(50_000, false).ok();
    assert_eq!((text(&held, "/status"), text(&held, "/kind")), ("held".into(), "withdrawal".into()));
    assert_eq!(held["allowed_actions"], json!(["send", "cancel"]));
    let cancelled = operator.post(&format!("/v1/payouts/{}/cancel", text(&held, "/id")), &json!({})).ok();
    assert_eq!((text(&cancelled, "/status"), text(&cancelled, "/cancelled")), ("cancelled".into(), "asked".into()));

    let sent = create(100_000, true).ok();
    assert_eq!(text(&sent, "/status"), "sent");
    let path = format!("/v1/payouts/{}", text(&sent, "/id"));
    market.cleared("2026-03-06", 1, &market.serial(&text(&sent, "/attempt")), "pay", 100_000);
    assert_eq!(text(&operator.get(&path).ok(), "/status"), "success");
    assert_eq!(balance(operator, &available), 300_000);
    let back = operator.post(&format!("{path}/return"), &json!({"reference": "RT1", "date": "2026-03-06"})).ok();
    assert_eq!(text(&back, "/status"), "returned");
    assert_eq!(balance(operator, &available), 400_000);
    assert_eq!(create(1, true).error().1, "settlement_suspended");
    let verify = format!("/v1/merchants/{}/settlement-account", text(&market.landlord, "/id"));
    let replacement = json!({"replacement": {"account": "6222020200112248", "holder": "王五"}});
    let verified = operator.post(&verify, &replacement).ok();
    assert_eq!(verified["settlement_suspended"], false);
    assert!(text(&verified, "/settlement/account").ends_with("2248"));
    create(1, false).ok();
}

#[test]
fn out_trade_no_is_unique_for_a_merchant_whoever_asks() {
    let server = Server::start();
    let market = Market::open(&server);
    let first = market.order("T1", 100).ok();
    assert_eq!(market.order("T1", 100).ok(), first);
    assert_eq!(market.order("T1", 101).error().1, "key_reused");
    let id = text(&market.landlord, "/id");
    let key = market.operator.post(&format!("/v1/merchants/{id}/key"), &json!({})).ok();
    let own = Client::new(server.address(), &id, ark::MacKey::from_hex(&text(&key, "/secret")).unwrap());
    let items = json!([{"kind": "rent", "amount": 102}]);
    let body = json!({"out_trade_no": "T1", "payer": market.payer, "items": items, "currency": "CNY"});
    assert_eq!(own.post("/v1/orders", &body).error().1, "key_reused");
    let listed = own.get("/v1/orders?status=created&min_position=1").ok();
    assert!(listed["data"].as_array().unwrap().iter().all(|order| order["merchant"] == id.as_str()));
    let closed = own.post(&format!("/v1/orders/{}/close", text(&first, "/id")), &json!({})).ok();
    assert_eq!((text(&closed, "/status"), &closed["allowed_actions"]), ("closed".into(), &json!([])));
}

#[test]
fn a_list_waits_for_the_position_of_a_write() {
    let server = Server::start();
    let market = Market::open(&server);
    let created = market.order("T1", 100);
    let position = created.position();
    let listed = market.operator.get(&format!("/v1/orders?out_trade_no=T1&min_position={position}")).ok();
    assert_eq!(listed["data"][0], created.ok());
    assert!(number(&listed, "/position") >= i64::try_from(position).unwrap());
}

#[test]
fn an_order_is_created_and_paid_by_one_request_that_waits_for_its_end() {
    let server = Server::start();
    let market = Market::open(&server);
    let operator = server.operator();
    let card = |amount: i64| json!([{"type": "card", "agreement": "A1", "mask": "622202******2230", "rail": "epcc", "amount": amount}]);
    let body = |number: &str, amount: i64| {
        json!({
            "merchant": text(&market.landlord, "/id"), "out_trade_no": number, "payer": market.payer, "currency": "CNY",
            "items": [{"kind": "rent", "amount": 500_000}], "instruments": card(amount),
        })
    };
    let refused = operator.post("/v1/orders", &body("W1", 499_999)).error();
    assert_eq!(refused.1, "order_amount");
    assert_eq!(operator.get("/v1/orders/ord_1").error().1, "order_unknown", "neither is done");
    assert_eq!(operator.post("/v1/orders?wait=31", &body("W2", 500_000)).error().1, "field_malformed");

    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| server.operator().post("/v1/orders?wait=30", &body("W3", 500_000)).ok());
        // It waits: no channel is configured, so the clearing file brings its end.
        let paying = market.until_paying("ord_1");
        let looking = scope.spawn(|| server.operator().get("/v1/orders/ord_1?wait=30").ok());
        let serial = market.serial(&text(&paying, "/legs/0/open_attempt"));
        market.cleared("2026-03-05", 1, &serial, "debit", 500_000);
        let paid = waiting.join().expect("the request that paid");
        assert_eq!((text(&paid, "/status"), text(&paid, "/legs/0/status")), ("success".into(), "captured".into()));
        assert_eq!(looking.join().expect("the request that looked"), paid);
    });
    // The merchant's number is a key too, and how long an answer may wait is no part of what is asked for.
    for target in ["/v1/orders?wait=30", "/v1/orders?wait=1", "/v1/orders"] {
        let again = operator.post(target, &body("W3", 500_000)).ok();
        assert_eq!((text(&again, "/id"), text(&again, "/status")), ("ord_1".into(), "success".into()), "{target}");
    }
    assert_eq!(operator.post("/v1/orders?wait=5", &body("W3", 500_001)).error().1, "key_reused");
    // Nobody answers for this one: the answer comes when the time is over. Who then has more patience, or none, asks for the same.
    let open = operator.post_keyed("/v1/orders?wait=1", "W4", &body("W4", 500_000));
    let timing = open.header("server-timing").unwrap_or_default();
    let total = timing.strip_prefix("channel;dur=0.000, total;dur=").and_then(|ms| ms.parse::<f64>().ok());
    assert!(total.is_some_and(|ms| ms >= 1_000.0), "no channel was asked meanwhile, and it waited a second: {timing}");
    let open = open.ok();
    assert_eq!((text(&open, "/id"), text(&open, "/status")), ("ord_2".into(), "paying".into()));
    for target in ["/v1/orders?wait=2", "/v1/orders"] {
        let again = operator.post_keyed(target, "W4", &body("W4", 500_000));
        assert_eq!((again.repeated(), text(&again.ok(), "/id")), (true, "ord_2".into()), "{target}");
        assert_eq!(again.header("server-timing").is_some(), target.contains("wait"), "{target}");
    }
}

#[test]
fn payments_that_do_not_fit_the_order_change_nothing() {
    let server = Server::start();
    let market = Market::open(&server);
    let order = text(&market.order("T1", 500_000).ok(), "/id");
    assert_eq!(market.pay(&order, 499_999).error(), (422, "order_amount".into(), "instruments".into()));
    let fund = |amount: i64| json!({"type": "fund", "contract": "L1", "amount": amount});
    let path = format!("/v1/orders/{order}/pay");
    let two = market.operator.post(&path, &json!({"instruments": [fund(1), fund(499_999)]}));
    assert_eq!(two.error(), (422, "instrument_not_allowed".into(), "instruments".into()));
    let unknown = market.operator.post(&path, &json!({"instruments": [{"type": "cash", "amount": 1}]}));
    assert_eq!(unknown.error().1, "field_malformed");
    let rail = json!({"type": "card", "agreement": "A1", "mask": "6222", "rail": "fund", "amount": 500_000});
    let wrong = market.operator.post(&path, &json!({"instruments": [rail]}));
    assert_eq!(wrong.error(), (400, "field_malformed".into(), "instruments[0].rail".into()));
    let card_number =
        json!({"type": "card", "agreement": "A1", "mask": "6222020200112230", "rail": "epcc", "amount": 500_000});
    let shown = market.operator.post(&path, &json!({"instruments": [card_number]}));
    assert_eq!(shown.error(), (422, "value_invalid".into(), "mask".into()));
    let unpaid = market.operator.get(&format!("/v1/orders/{order}")).ok();
    assert_eq!((text(&unpaid, "/status"), number(&unpaid, "/tries")), ("created".into(), 0));
    assert_eq!(balance(&market.operator, &own(&market.operator, 1121)), 0);
    assert_eq!(closing(&trial_balance(&market.operator, "2026-03-05"), 1121), 0);
}

/// The plan of a broker network is agreed on once; a deal says who had which role.
#[test]
fn a_commission_is_split_by_the_plan_of_the_network() {
    let directory = tempfile::TempDir::new().unwrap();
    let path = directory.path().join("lintel.toml");
    let plan = "[[split_plans]]\nname = \"agent_network\"\nremainder_to = \"closing\"\n\
                return_order = [\"closing\", \"listing\"]\n\
                roles = [{ name = \"listing\", rate = 333_333 }, { name = \"closing\", rate = 666_667 }]\n";
    std::fs::write(&path, plan).unwrap();
    let server = Server::start_in(directory, &[], vec![("LINTEL_CONFIG".to_owned(), path.into_os_string())]);
    let market = Market::open(&server);
    let operator = &market.operator;
    let listing = text(&market.agent, "/id");
    let closing = text(&merchant(operator, "agent", "李四", "110101199003070215"), "/id");
    let role = |name: &str, rate: i64| json!({"name": name, "rate": rate});
    let listed = json!([{
        "name": "agent_network", "roles": [role("listing", 333_333), role("closing", 666_667)],
        "remainder_to": "closing", "return_order": ["closing", "listing"], "in_force": true,
        "id": null, "from": null, "set_at": null, "operator": null, "approver": null,
    }]);
    assert_eq!(operator.get("/v1/split-plans").ok()["data"], listed);
    let path = format!("/v1/orders/{}/splits", text(&market.paid(), "/id"));
    let by = |name: &str, roles: Value| json!({"out_split_no": "S1", "plan": {"name": name, "amount": 100_000, "roles": roles}});
    let roles = json!({"listing": listing, "closing": closing});
    for (number, mut wrong, refusal, param) in [
        ("W1", by("other_network", roles.clone()), "split_plan_unknown", "plan.name"),
        ("W2", by("agent_network", json!({"listing": listing})), "split_plan_role", "plan.roles"),
        ("W3", by("agent_network", json!({"closing": closing, "cook": listing})), "split_plan_role", "plan.roles"),
    ] {
        wrong["out_split_no"] = json!(number);
        let (_, code, about) = operator.post(&path, &wrong).error();
        assert_eq!((code.as_str(), about.as_str()), (refusal, param));
    }
    let mut both = by("agent_network", roles.clone());
    both["parts"] = json!([{"merchant": listing, "amount": 1}]);
    assert_eq!(operator.post(&path, &both).error().1, "field_malformed");

    // A plan pays registered receivers, as every split.
    market.receives(&listing);
    let mut first = by("agent_network", roles.clone());
    first["out_split_no"] = json!("S0");
    assert_eq!(operator.post(&path, &first).error().1, "receiver_not_registered");
    market.receives(&closing);
    let made = operator.post(&path, &by("agent_network", roles.clone())).ok();
    let expected = json!([{"merchant": listing, "amount": 33_333}, {"merchant": closing, "amount": 66_667}]);
    assert_eq!((&made["parts"], &made["return_order"]), (&expected, &json!([closing, listing])));
    assert_eq!(operator.post(&path, &by("agent_network", roles)).ok(), made, "the same number again is the same split");
}

#[test]
fn refunds_at_once_never_give_back_more_than_was_paid() {
    let server = Server::start();
    let market = Market::open(&server);
    let order = format!("/v1/orders/{}", text(&market.paid(), "/id"));
    let (operator, path) = (&market.operator, &format!("{order}/refunds"));
    let codes: Vec<String> = std::thread::scope(|scope| {
        let refund =
            |number: usize| json!({"out_refund_no": format!("F{number}"), "amount": 100_000, "return_fee": true});
        let ask = |number| scope.spawn(move || operator.post(path, &refund(number)));
        let asked: Vec<_> = (0..8).map(ask).collect();
        let answers = asked.into_iter().map(|thread| thread.join().unwrap());
        answers.map(|answer| if answer.status == 200 { "taken".to_owned() } else { answer.error().1 }).collect()
    });
    let count = |code: &str| codes.iter().filter(|found| *found == code).count();
    assert_eq!((count("taken"), count("refund_exceeded")), (5, 3), "{codes:?}");
    assert_eq!(number(&operator.get(&order).ok(), "/refunded"), 500_000);
    assert_eq!(balance(operator, &text(&market.landlord, "/pending")), 0);
}

#[test]
fn refunds_at_once_never_give_back_more_than_a_leg_paid() {
    let server = Server::start();
    let market = Market::open(&server);
    let operator = &market.operator;
    let items = json!([{"kind": "rent", "amount": 300_001}, {"kind": "deposit", "amount": 199_999}]);
    let new = json!({
        "merchant": text(&market.landlord, "/id"), "out_trade_no": "T1", "payer": market.payer, "items": items,
        "currency": "CNY",
    });
    let order = format!("/v1/orders/{}", text(&operator.post("/v1/orders", &new).ok(), "/id"));
    let instruments = json!([
        {"type": "card", "agreement": "A1", "mask": "622202******2230", "rail": "epcc", "amount": 199_999},
        {"type": "fund", "contract": "L1", "amount": 300_001, "holds": false},
    ]);
    operator.post(&format!("{order}/pay"), &json!({"instruments": instruments})).ok();
    // A fund that holds nothing pays before the card.
    for (leg, rail, amount) in [(1, "fund", 300_001), (0, "epcc", 199_999)] {
        let paying = operator.get(&order).ok();
        let serial = market.serial(&text(&paying, &format!("/legs/{leg}/open_attempt")));
        let lines = json!([{"serial": serial, "kind": "debit", "amount": amount, "currency": "CNY"}]);
        let file = json!({"rail": rail, "date": "2026-03-05", "part": 1, "last": false, "lines": lines});
        assert_eq!(number(&operator.post("/v1/clearing", &file).ok(), "/matched"), 1);
    }
    let paid = operator.get(&order).ok();
    assert_eq!(text(&paid, "/status"), "success");
    let (card, fund, path) = (text(&paid, "/legs/0/id"), text(&paid, "/legs/1/id"), &format!("{order}/refunds"));

    let of_fund = |number: usize, amount: i64| {
        json!({"out_refund_no": format!("F{number}"), "amount": amount, "return_fee": true,
            "legs": [{"leg": fund, "amount": amount}]})
    };
    let codes: Vec<String> = std::thread::scope(|scope| {
        let ask = |number| {
            let refund = of_fund(number, 100_000);
            scope.spawn(move || operator.post(path, &refund))
        };
        let asked: Vec<_> = (0..8).map(ask).collect();
        let answers = asked.into_iter().map(|thread| thread.join().unwrap());
        answers.map(|answer| if answer.status == 200 { "taken".to_owned() } else { answer.error().1 }).collect()
    });
    let count = |code: &str| codes.iter().filter(|found| *found == code).count();
    assert_eq!((count("taken"), count("refund_exceeded")), (3, 5), "{codes:?}");
    assert_eq!(operator.post(path, &of_fund(8, 2)).error(), (422, "refund_exceeded".into(), "legs".into()));
    let last = operator.post(path, &of_fund(9, 1)).ok();
    assert_eq!((&last["parts"][0]["leg"], &last["parts"][0]["rail"]), (&json!(fund), &json!("fund")));

    let deposit = json!([{"item": 1, "amount": 199_999}]);
    let by_item = json!({"out_refund_no": "F10", "amount": 199_999, "return_fee": true, "items": deposit});
    let by_item = operator.post(path, &by_item).ok();
    assert_eq!((&by_item["parts"][0]["leg"], &by_item["parts"][0]["items"]), (&json!(card), &deposit));
    assert_eq!(number(&operator.get(&order).ok(), "/refunded"), 500_000);
    assert_eq!(balance(operator, &text(&market.landlord, "/pending")), 0);
}
