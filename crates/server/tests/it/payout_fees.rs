//! Fees of payouts and withdrawals over the API and the command line: two treasurers set them, a merchant cannot name
//! another, and automatic withdrawals leave room for them.

use serde_json::{Value, json};

use crate::client::Client;
use crate::open::{Books, balance, closing, merchant, number, text, trial_balance};
use crate::outflow::treasurers;
use crate::server::Server;
use crate::staff::client_of;

const TODAY: &str = "2026-03-05";

/// Two yuan below 50 yuan, 0.10 % from there, at least one yuan and at most 50.
fn plan(owner: &str, name: &str, of: &str) -> Value {
    let mut plan = json!({
        "kind": "fee_plan", "of": of, "from": TODAY, "least": 100, "cap": 5_000,
        "tiers": [{"from": 0, "rate": 0, "fixed": 200}, {"from": 5_000, "rate": 1_000}],
    });
    plan[owner] = json!(name);
    plan
}

/// A payout to the merchant's settlement account.
fn to_settlement(account: &str, amount: i64) -> Value {
    json!({"account": account, "to": {"type": "settlement"}, "amount": amount, "currency": "CNY", "send_now": false})
}

/// Amount, fee and plan of a payout or withdrawal.
fn price(paid: &Value) -> (i64, i64, Value) {
    (number(paid, "/amount"), number(paid, "/fee"), paid["fee_plan"].clone())
}

/// A landlord with 1,000 yuan on 2203, its account, and its own client.
fn landlord(server: &Server, books: &Books) -> (String, String, Client) {
    let landlord = merchant(&books.operator, "landlord", "王五", "110105194912310046");
    let (id, available) = (text(&landlord, "/id"), text(&landlord, "/available"));
    books.post("landlord", &books.clearing, &available, 100_000).ok();
    let client = client_of(server, &id);
    (id, available, client)
}

#[test]
fn a_plan_prices_a_merchants_withdrawals_and_only_the_institution_names_another_fee() {
    let server = Server::start();
    let staff = treasurers(&server);
    let books = Books::open(&server);
    let (id, available, seller) = landlord(&server, &books);
    let create = |client: &Client, amount: i64, fee: Option<i64>| {
        let mut body = to_settlement(&available, amount);
        if let Some(fee) = fee {
            body["fee"] = json!(fee);
        }
        client.post("/v1/payouts", &body)
    };
    let before = create(&seller, 1_000, None).ok();
    assert_eq!(price(&before), (1_000, 0, Value::Null), "without a plan nothing");

    assert_eq!(staff.decided(&plan("merchant", &id, "withdrawal")), "fpl_1");
    let priced = create(&seller, 4_999, None).ok();
    assert_eq!(price(&priced), (4_999, 200, json!("fpl_1")));
    assert_eq!(price(&create(&seller, 5_000, Some(0)).ok()), (5_000, 100, json!("fpl_1")), "a fee of 0 names none");
    for fee in [1, 99, 101] {
        assert_eq!(create(&seller, 5_000, Some(fee)).error().1, "not_permitted");
    }
    let named = create(&books.operator, 5_000, Some(7)).ok();
    assert_eq!(price(&named), (5_000, 7, Value::Null));
    assert_eq!(price(&create(&books.operator, 5_000, None).ok()), (5_000, 100, json!("fpl_1")));
    assert_eq!(create(&seller, 78_500, None).error().1, "insufficient_funds", "the fee is held too");
    listed(&server, &books, &seller, create(&seller, 1, None).position());

    let path = format!("/v1/payouts/{}", text(&priced, "/id"));
    assert_eq!(text(&seller.post(&format!("{path}/send"), &json!({})).ok(), "/status"), "sent");
    assert_eq!(balance(&books.operator, &available), 100_000 - 5_199);
    let attempt = text(&books.operator.get(&path).ok(), "/attempt");
    cleared(&books, &attempt);
    assert_eq!(price(&books.operator.get(&path).ok()), price(&priced));
    let trial = trial_balance(&books.operator, TODAY);
    assert_eq!([2291, 1291, 5001].map(|subject| closing(&trial, subject)), [200; 3]);
}

/// The network paid what this attempt asked for, from what it brought of another's top-up.
fn cleared(books: &Books, attempt: &str) {
    let operator = &books.operator;
    let top_up = json!({
        "account": books.poor, "agreement": "A1", "mask": "622202******2230", "amount": 100_000, "currency": "CNY",
    });
    let brought = text(&operator.post("/v1/top-ups", &top_up).ok(), "/attempt");
    let line = |(kind, attempt): (&str, &str)| {
        let attempt = operator.get(&format!("/v1/attempts/{attempt}")).ok();
        let (serial, amount) = (text(&attempt, "/serial"), number(&attempt, "/amount"));
        json!({"serial": serial, "kind": kind, "amount": amount, "currency": "CNY"})
    };
    let lines: Vec<Value> = [("debit", &*brought), ("pay", attempt)].map(line).into();
    let file = json!({"rail": "epcc", "date": TODAY, "part": 1, "last": false, "lines": lines});
    assert_eq!(number(&operator.post("/v1/clearing", &file).ok(), "/matched"), 2);
}

/// A merchant sees its plan before it pays by it, and so does who looks by hand.
fn listed(server: &Server, books: &Books, seller: &Client, position: u64) {
    let path = format!("/v1/fee-plans?min_position={position}");
    for shown in [books.operator.get(&path).ok(), seller.get(&path).ok()] {
        let row = &shown["data"][0];
        assert_eq!(
            (text(row, "/id"), text(row, "/of"), number(row, "/cap")),
            ("fpl_1".into(), "withdrawal".into(), 5_000)
        );
        assert_eq!((&row["product"], &row["payer"]), (&Value::Null, &Value::Null), "the account pays it");
    }
    let output = server.lintel(&["fee-plan", "list"]);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(told.contains("withdrawal") && told.contains("0:0:200 5000:1000:0"), "{told}");
}

#[test]
fn bad_plans_of_payouts_are_refused_and_named() {
    let server = Server::start();
    let staff = treasurers(&server);
    let books = Books::open(&server);
    let (id, ..) = landlord(&server, &books);
    let with = |name: &str, value: Value| {
        let mut plan = plan("merchant", &id, "payout");
        plan[name] = value;
        staff.maker.propose(&plan).error()
    };
    assert_eq!(with("payer", json!("payer")), (422, "value_invalid".into(), "payer".into()));
    assert_eq!(with("of", json!("top_up")).1, "field_malformed");
    assert_eq!(with("product", json!("rent")).1, "field_malformed", "either a merchant or a product");
    assert_eq!(with("merchant", Value::Null).1, "field_malformed");
    assert_eq!(with("merchant", json!("mch_99")).1, "merchant_unknown");
    assert_eq!(with("from", json!("2026-03-04")), (422, "value_invalid".into(), "from".into()));
    let orders = staff.maker.propose(&plan("product", "rent", "order")).error();
    assert_eq!(orders, (422, "value_invalid".into(), "of".into()), "orders are a merchant's");
    assert_eq!(staff.first.propose(&plan("merchant", &id, "payout")).error().1, "role_missing", "an administrator");
}

#[test]
fn a_products_plan_by_the_command_line_leaves_room_in_automatic_withdrawals() {
    let server = Server::start();
    let staff = treasurers(&server);
    let books = Books::open(&server);
    let bank_account = json!({"account": "6222020200112248", "holder": "张三"});
    let to = json!({"type": "bank", "bank_account": bank_account});
    let terms = json!({"keep": 0, "minimum": 1, "fee": 0});
    let new = json!({"account": books.rich, "to": to, "terms": terms});
    books.operator.post("/v1/withdrawal-plans", &new).ok();
    let due = |operator: &Client| {
        number(&operator.get(&format!("/v1/withdrawal-batches/due?date={TODAY}")).ok(), "/data/0/amount")
    };
    assert_eq!(due(&books.operator), 100_000);

    let set = ["fee-plan", "set", "--product", "rent", "--of", "withdrawal", "--from", TODAY, "--tier", "0:1000"];
    let rest = ["--least", "10", "--reason", "price list", "--as", "opr_3", "--json"];
    let output = server.lintel(&[&set[..], &rest].concat());
    assert!(output.status.success(), "{output:?}");
    let approval = text(&serde_json::from_slice(&output.stdout).unwrap(), "/id");
    assert_eq!(text(&staff.checker.approve(&approval).ok(), "/outcome"), "fpl_1");
    let neither = server.lintel(&["fee-plan", "set", "--from", TODAY, "--tier", "0:1000", "--reason", "price list"]);
    assert!(!neither.status.success(), "no merchant and no product: {neither:?}");

    assert_eq!(due(&books.operator), 99_900, "0.10 % of 99,900 is 99.9, half up 100");
    let bank = json!({"name": "Bank of Shanghai", "code": "313290000017"});
    let enriched = json!([{"account": books.rich, "bank": bank}]);
    let batch = json!({"date": TODAY, "number": 1, "enriched": enriched});
    assert_eq!(number(&books.operator.post("/v1/withdrawal-batches", &batch).ok(), "/amount"), 99_900);
    let made = books.operator.get("/v1/withdrawals/wdr_1").ok();
    assert_eq!(price(&made), (99_900, 100, json!("fpl_1")));
    let tried = books.operator.get(&format!("/v1/payouts/{}", text(&made, "/tries/0"))).ok();
    assert_eq!((price(&tried), balance(&books.operator, &books.rich)), (price(&made), 0));
    cleared(&books, &text(&tried, "/attempt"));
    let shown = server.lintel(&["withdrawal", "show", "wdr_1"]);
    let told = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(told.contains("fpl_1") && told.contains("success"), "{told}");
}
