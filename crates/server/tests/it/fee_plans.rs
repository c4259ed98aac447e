//! Order fees over the API and the command line: two treasurers set a plan, orders are priced by it and keep what they were
//! priced with.

use ark::MacKey;
use serde_json::{Value, json};

use crate::cashier::Payer;
use crate::client::Client;
use crate::open::{number, text};
use crate::orders::Market;
use crate::outflow::treasurers;
use crate::server::Server;
use crate::staff::Staff;

/// 0.60 %, and from 5,000 yuan on 0.50 % and one yuan; at least 50 fen, at most 80 yuan.
fn plan(merchant: &str) -> Value {
    json!({
        "kind": "fee_plan", "merchant": merchant, "from": "2026-03-05", "least": 50, "cap": 8_000,
        "tiers": [{"from": 0, "rate": 6_000}, {"from": 500_000, "rate": 5_000, "fixed": 100}],
    })
}

/// Fee, net and plan of an order.
fn price(order: &Value) -> (i64, i64, Value) {
    (number(order, "/fee"), number(order, "/net"), order["fee_plan"].clone())
}

#[test]
fn a_plan_of_two_treasurers_prices_the_orders_from_its_day_on() {
    let server = Server::start();
    let staff = treasurers(&server);
    let market = Market::open(&server);
    let merchant = text(&market.landlord, "/id");
    let before = market.order("T0", 500_000).ok();
    assert_eq!(price(&before), (1_000, 499_000, Value::Null), "by the rate of the merchant");
    refused(&staff, &merchant);

    assert_eq!(staff.decided(&plan(&merchant)), "fpl_1");
    let order = market.order("T1", 500_000).ok();
    assert_eq!(price(&order), (2_600, 497_400, json!("fpl_1")));
    assert_eq!(price(&market.order("T2", 499_999).ok()), (3_000, 496_999, json!("fpl_1")));
    assert_eq!(price(&market.order("T3", 9_000_000).ok()), (8_000, 8_992_000, json!("fpl_1")));
    assert_eq!(market.order("T4", 49).error(), (422, "fee_above_amount".into(), "items".into()));
    let last = market.order("T5", 50);
    assert_eq!(price(&last.ok()), (50, 0, json!("fpl_1")));
    listed(&server, &market, last.position());

    let second = by_command_line(&server, &merchant);
    assert_eq!(text(&staff.checker.approve(&second).ok(), "/outcome"), "fpl_2");
    market.next_day();
    assert_eq!(price(&market.order("T6", 500_000).ok()), (700, 499_300, json!("fpl_2")));
    for order in [before, order] {
        let now = market.operator.get(&format!("/v1/orders/{}", text(&order, "/id"))).ok();
        assert_eq!(price(&now), price(&order), "an order keeps its fee");
    }
}

fn refused(staff: &Staff, merchant: &str) {
    let with = |name: &str, value: Value| {
        let mut plan = plan(merchant);
        plan[name] = value;
        staff.maker.propose(&plan).error()
    };
    assert_eq!(with("payer", json!("bank")).1, "field_malformed");
    assert_eq!(with("from", json!("2026-03-04")), (422, "value_invalid".into(), "from".into()));
    assert_eq!(with("cap", json!(49)).1, "value_invalid", "below the least");
    assert_eq!(with("rounding", json!("bankers")).1, "field_malformed");
    assert_eq!(with("on_refund", json!("halved")).1, "field_malformed");
    assert_eq!(with("merchant", json!("mch_99")).1, "merchant_unknown");
    assert_eq!(staff.first.propose(&plan(merchant)).error().1, "role_missing", "an administrator");
}

#[test]
fn the_payer_pays_on_top_and_is_told_so_everywhere() {
    let server = Server::start();
    let staff = treasurers(&server);
    let market = Market::open(&server);
    let (operator, merchant) = (&market.operator, text(&market.landlord, "/id"));
    let mut plan = plan(&merchant);
    plan["payer"] = json!("payer");
    assert_eq!(staff.decided(&plan), "fpl_1");
    let order = market.order("T1", 500_000);
    let plans = operator.get(&format!("/v1/fee-plans?min_position={}", order.position())).ok();
    assert_eq!(plans["data"][0]["payer"], "payer");
    let order = order.ok();
    assert_eq!(price(&order), (2_600, 500_000, json!("fpl_1")));
    let shown = (number(&order, "/amount"), number(&order, "/payable"), text(&order, "/fee_payer"));
    assert_eq!(shown, (500_000, 502_600, "payer".into()));

    let order = text(&order, "/id");
    let payer = Payer::of(&server, operator, &order, 600).get("").ok();
    let shown = (number(&payer, "/amount"), number(&payer, "/fee"), number(&payer, "/payable"));
    assert_eq!(shown, (500_000, 2_600, 502_600));
    assert_eq!(market.pay(&order, 500_000).error(), (422, "order_amount".into(), "instruments".into()));
    let paying = market.pay(&order, 502_600).ok();
    market.cleared("2026-03-05", 1, &market.serial(&text(&paying, "/legs/0/open_attempt")), "debit", 502_600);
    let path = format!("/v1/orders/{order}");
    let paid = operator.get(&path).ok();
    assert_eq!((text(&paid, "/status"), number(&paid, "/shares/0/amount")), ("success".into(), 500_000));
    let receipt = operator.get(&format!("/v1/receipts/{order}")).ok();
    assert_eq!((number(&receipt, "/receipt/amount"), number(&receipt, "/receipt/fee")), (500_000, 2_600));

    let refund = json!({"out_refund_no": "F1", "amount": 250_000, "return_fee": true});
    let refund = operator.post(&format!("{path}/refunds"), &refund).ok();
    assert_eq!((number(&refund, "/amount"), number(&refund, "/fee")), (251_300, 1_300));
    market.cleared("2026-03-05", 2, &market.serial(&text(&refund, "/parts/0/attempt")), "refund", 251_300);
    let receipt = operator.get(&format!("/v1/receipts/{}", text(&refund, "/id"))).ok();
    assert_eq!((number(&receipt, "/receipt/amount"), number(&receipt, "/receipt/fee")), (250_000, 1_300));
    let paid = operator.get(&path).ok();
    assert_eq!((number(&paid, "/refunded"), number(&paid, "/fee_returned")), (251_300, 1_300));
    let beyond = json!({"out_refund_no": "F2", "amount": 250_001, "return_fee": true});
    assert_eq!(operator.post(&format!("{path}/refunds"), &beyond).error().1, "refund_exceeded");
}

#[test]
fn a_plan_that_returns_the_fee_returns_it_unasked_and_one_that_keeps_it_gives_none() {
    let server = Server::start();
    let staff = treasurers(&server);
    let market = Market::open(&server);
    let merchant = text(&market.landlord, "/id");
    let refund = |order: &Value, return_fee: bool| {
        let order = text(order, "/id");
        let body = json!({"out_refund_no": format!("F-{order}"), "amount": 250_000, "return_fee": return_fee});
        market.operator.post(&format!("/v1/orders/{order}/refunds"), &body)
    };
    let mut plan = plan(&merchant);
    plan["on_refund"] = json!("returned");
    assert_eq!(staff.decided(&plan), "fpl_1");
    let order = market.paid();
    assert_eq!(number(&order, "/fee"), 2_600);
    assert_eq!(number(&refund(&order, false).ok(), "/fee"), 1_300);

    plan["from"] = json!("2026-03-06");
    plan["on_refund"] = json!("kept");
    assert_eq!(staff.decided(&plan), "fpl_2");
    market.next_day();
    let created = market.order("T2", 500_000);
    let order = created.ok();
    let paying = market.pay(&text(&order, "/id"), 500_000).ok();
    market.cleared("2026-03-06", 1, &market.serial(&text(&paying, "/legs/0/open_attempt")), "debit", 500_000);
    assert_eq!(refund(&order, true).error(), (422, "value_invalid".into(), "return_fee".into()));
    let plans = market.operator.get(&format!("/v1/fee-plans?min_position={}", created.position())).ok();
    assert_eq!([&plans["data"][0]["on_refund"], &plans["data"][1]["on_refund"]], ["returned", "kept"]);
}

/// A merchant sees its own, the institution all.
fn listed(server: &Server, market: &Market, position: u64) {
    let [own, other] = [&market.landlord, market.agent()].map(|merchant| text(merchant, "/id"));
    let path = format!("/v1/fee-plans?min_position={position}");
    let key = market.operator.post(&format!("/v1/merchants/{own}/key"), &json!({})).ok();
    let key = MacKey::from_hex(&text(&key, "/secret")).unwrap();
    let seller = Client::new(server.address(), &own, key);
    for shown in [market.operator.get(&path).ok(), seller.get(&path).ok()] {
        let row = &shown["data"][0];
        assert_eq!(
            (text(row, "/id"), text(row, "/merchant"), number(row, "/cap")),
            ("fpl_1".into(), own.clone(), 8_000)
        );
        let tiers = json!([{"from": 0, "rate": 6_000, "fixed": 0}, {"from": 500_000, "rate": 5_000, "fixed": 100}]);
        assert_eq!((&row["tiers"], text(row, "/rounding")), (&tiers, "half_up".into()));
        assert_ne!(text(row, "/operator"), text(row, "/approver"));
    }
    let others = format!("{path}&merchant={other}");
    assert_eq!(market.operator.get(&others).ok()["data"], json!([]));
    assert_eq!(seller.get(&others).error().1, "not_permitted");
}

/// Tomorrow's plan, proposed by hand: its approval.
fn by_command_line(server: &Server, merchant: &str) -> String {
    let run = |arguments: &[&str]| {
        let output = server.lintel(arguments);
        (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let (well, told) = run(&["fee-plan", "list", "--merchant", merchant]);
    assert!(well && told.contains("0:6000:0 500000:5000:100") && told.contains("80.00 CNY"), "{told}");
    let set = |tier: &'static str| {
        [
            "fee-plan",
            "set",
            merchant,
            "--from",
            "2026-03-06",
            "--tier",
            tier,
            "--reason",
            "by contract",
            "--as",
            "opr_3",
        ]
    };
    let (well, told) = run(&set("0:0.7"));
    assert!(!well && told.contains("FROM:RATE:FIXED"), "{told}");
    let output = server.lintel(&[&set("0:0:700")[..], &["--json"]].concat());
    assert!(output.status.success(), "{output:?}");
    text(&serde_json::from_slice(&output.stdout).unwrap(), "/id")
}
