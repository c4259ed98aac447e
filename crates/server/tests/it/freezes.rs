//! Freezes as the authority's officer and the operator see them.

use serde_json::{Value, json};

use crate::client::{Answer, Client};
use crate::open::{Books, account, number, text, voucher};
use crate::server::Server;
use crate::staff::Staff;
use crate::wallets::risk;

/// An order to freeze 1,500.00 on an account.
fn order(account: &str) -> Value {
    json!({
        "account": account, "amount": 150_000, "currency": "CNY", "reason": "case 118", "authority": "Chaoyang court",
        "document": "2026-118",
    })
}

/// The same with some fields otherwise; null takes one away.
fn with(mut body: Value, changes: &Value) -> Value {
    let fields = body.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            fields.remove(name);
        } else {
            fields.insert(name.clone(), value.clone());
        }
    }
    body
}

fn place(operator: &Client, body: &Value) -> Answer {
    operator.post("/v1/freezes", body)
}

fn look(operator: &Client, freeze: &Value) -> Value {
    operator.get(&format!("/v1/freezes/{}", text(freeze, "/id"))).ok()
}

fn account_of(operator: &Client, id: &str) -> Value {
    operator.get(&format!("/v1/accounts/{id}")).ok()
}

/// What an account shows: frozen by its own freezes, by its customer's, available.
fn shows(operator: &Client, id: &str) -> (i64, i64, i64) {
    let account = account_of(operator, id);
    (number(&account, "/frozen"), number(&account, "/frozen_by_customer"), number(&account, "/available"))
}

/// The customer behind an account.
fn customer_of(operator: &Client, id: &str) -> String {
    let owner = text(&account_of(operator, id), "/owner");
    text(&operator.get(&format!("/v1/users/{owner}")).ok(), "/customer")
}

#[test]
fn a_queue_of_freezes_bites_as_money_arrives() {
    let server = Server::start();
    let Books { operator, rich, clearing, .. } = &Books::open(&server);
    let first = place(operator, &order(rich)).ok();
    let source = json!({"voucher": "vch_7", "place": 2});
    let urgent = json!({"amount": 30_000, "priority": 1, "authority": "Haidian court", "source": source});
    let second = place(operator, &with(order(rich), &urgent)).ok();
    let stands = |freeze: &Value| {
        let freeze = look(operator, freeze);
        (number(&freeze, "/queue_place"), number(&freeze, "/bitten"), number(&freeze, "/frozen"))
    };
    assert_eq!((stands(&first), stands(&second)), ((2, 70_000, 150_000), (1, 30_000, 30_000)));
    assert_eq!(second["source"], source);
    assert_eq!(shows(operator, rich), (100_000, 0, 0));
    operator.post("/v1/vouchers", &voucher("more", clearing, rich, 90_000)).ok();
    assert_eq!((stands(&first), shows(operator, rich)), ((2, 150_000, 150_000), (180_000, 0, 10_000)));
    let seen = look(operator, &first);
    assert_eq!(seen["bites"], json!([{"account": rich, "amount": 150_000}]));
    assert_eq!(seen["allowed_actions"], json!(["release", "deduct"]));
    assert_eq!((&seen["changes"][0]["what"], &seen["changes"][0]["operator"]), (&json!("placed"), &json!("operator")));
}

#[test]
fn a_freeze_of_a_customer_lies_on_all_its_accounts() {
    let server = Server::start();
    let Books { operator, rich, clearing, .. } = &Books::open(&server);
    let owner = text(&account_of(operator, rich), "/owner");
    let customer = customer_of(operator, rich);
    let other = account(operator, 2201, "CNY", &owner);
    operator.post("/v1/vouchers", &voucher("other", clearing, &other, 20_000)).ok();
    let on_customer = json!({"account": null, "customer": customer, "amount": 110_000});
    let freeze = place(operator, &with(order(rich), &on_customer)).ok();
    assert_eq!((text(&freeze, "/customer"), &freeze["account"]), (customer.clone(), &Value::Null));
    assert_eq!((shows(operator, rich), shows(operator, &other)), ((0, 100_000, 10_000), (0, 10_000, 10_000)));
    let out = operator.post("/v1/vouchers", &voucher("out", rich, clearing, 10_001));
    assert_eq!(out.error(), (422, "insufficient_funds".into(), "amount".into()));
    operator.post("/v1/vouchers", &voucher("within", rich, &other, 100_000)).ok();
    let position = operator.post("/v1/vouchers", &voucher("out-2", &other, clearing, 10_000)).position();
    let listed = operator.get(&format!("/v1/freezes?customer={customer}&min_position={position}")).ok();
    assert_eq!(listed["data"], json!([look(operator, &freeze)]));
    let none = operator.get("/v1/freezes?customer=cus_99&authority=Chaoyang%20court").ok();
    assert_eq!(none["data"], json!([]));
}

#[test]
fn a_stop_payment_lapses_or_a_freeze_takes_over() {
    let server = Server::start();
    let Books { operator, rich, poor, .. } = &Books::open(&server);
    let stop = |account: &str| {
        let gone = json!({"account": account, "amount": null, "currency": null});
        operator.post("/v1/stop-payments", &with(order(account), &gone))
    };
    let (first, second) = (stop(rich).ok(), stop(poor).ok());
    assert_eq!(
        (text(&first, "/kind"), text(&first, "/expires_at")),
        ("stop_payment".into(), text(&second, "/expires_at"))
    );
    assert_eq!(stop(rich).error(), (422, "stop_payment_repeated".into(), "authority".into()));
    let out = operator.post("/v1/vouchers", &voucher("out", rich, poor, 1));
    assert_eq!(out.error(), (422, "account_restricted".into(), "account".into()));
    assert_eq!(account_of(operator, rich)["out_barred"], true);

    let judicial = json!({"amount": null, "currency": null, "bars": {"in_barred": false, "out_barred": true}});
    let freeze = place(operator, &with(order(rich), &judicial)).ok();
    let followed = look(operator, &first);
    assert_eq!(
        (text(&followed, "/status"), text(&followed, "/followed_by")),
        ("followed".into(), text(&freeze, "/id"))
    );
    operator.post("/v1/sandbox/clock", &json!({"now": "2026-03-08T00:00:00+08:00"})).ok();
    assert_eq!(text(&look(operator, &second), "/status"), "lapsed");
    let barred = [rich, poor].map(|id| account_of(operator, id)["out_barred"].clone());
    assert_eq!(barred, [json!(true), json!(false)]);
}

#[test]
fn a_freeze_is_renewed_by_its_authority_before_it_ends() {
    let server = Server::start();
    let Books { operator, rich, .. } = &Books::open(&server);
    let ends = json!({"expires_at": "2026-03-06T09:00:00+08:00"});
    let freeze = place(operator, &with(order(rich), &ends)).ok();
    let renew = |authority: &str, expires_at: &str| {
        let body = json!({"authority": authority, "document": "2026-200", "expires_at": expires_at});
        operator.post(&format!("/v1/freezes/{}/renew", text(&freeze, "/id")), &body)
    };
    let later = "2026-03-07T09:00:00+08:00";
    assert_eq!(renew("Haidian court", later).error(), (422, "authority_mismatch".into(), "authority".into()));
    assert_eq!(renew("Chaoyang court", "2026-03-06").error(), (400, "field_malformed".into(), "expires_at".into()));
    let renewed = renew("Chaoyang court", later).ok();
    assert_eq!(text(&renewed, "/expires_at"), "2026-03-07T01:00:00Z");
    assert_eq!(
        (&renewed["changes"][1]["what"], &renewed["changes"][1]["document"]),
        (&json!("renewed"), &json!("2026-200"))
    );
    operator.post("/v1/sandbox/clock", &json!({"now": later})).ok();
    assert_eq!(renew("Chaoyang court", "2026-03-09T09:00:00+08:00").error().1, "freeze_state");
    assert_eq!((shows(operator, rich), text(&look(operator, &freeze), "/status")), ((0, 0, 100_000), "expired".into()));
}

#[test]
fn bad_orders_cost_a_clear_error() {
    let server = Server::start();
    let Books { operator, rich, .. } = &Books::open(&server);
    let both = json!({"in_barred": true, "out_barred": true});
    let table = [
        (json!({"account": null}), 400, "field_malformed", "account"),
        (json!({"customer": "cus_1"}), 400, "field_malformed", "account"),
        (json!({"account": null, "customer": "usr_1"}), 400, "field_malformed", "customer"),
        (json!({"account": null, "customer": "cus_999"}), 404, "customer_unknown", "customer"),
        (json!({"currency": null}), 400, "field_malformed", "currency"),
        (json!({"currency": "XAU"}), 422, "currency_unknown", "currency"),
        (json!({"currency": "USD"}), 422, "currency_mismatch", "currency"),
        (json!({"amount": null, "currency": null}), 400, "field_malformed", "amount"),
        (json!({"bars": both}), 400, "field_malformed", "amount"),
        (json!({"amount": 1.5}), 400, "amount_not_whole", "amount"),
        (json!({"amount": 0}), 422, "amount_not_positive", "amount"),
        (json!({"amount": i64::MAX}), 422, "amount_overflow", "amount"),
        (json!({"authority": " "}), 422, "value_invalid", "authority"),
        (json!({"priority": -1}), 400, "field_malformed", "priority"),
        (json!({"source": {"voucher": "acc_1", "place": 1}}), 400, "field_malformed", "source.voucher"),
        (json!({"source": {"voucher": "vch_99999", "place": 1}}), 422, "value_invalid", "source"),
        (json!({"expires_at": "2026-03-04T00:00:00+08:00"}), 422, "value_invalid", "expires_at"),
    ];
    for (changes, status, code, param) in table {
        let answer = place(operator, &with(order(rich), &changes));
        assert_eq!(answer.error(), (status, code.to_owned(), param.to_owned()), "{changes}: {}", answer.text());
    }
    assert_eq!(operator.get("/v1/freezes/frz_1").error(), (404, "freeze_unknown".into(), "freeze".into()));
    let kind = operator.get("/v1/freezes?kind=partial");
    assert_eq!(kind.error(), (400, "field_malformed".into(), "kind".into()));
}

#[test]
fn a_parent_account_is_frozen_with_all_below_it_when_asked() {
    let server = Server::start();
    let Books { operator, rich, .. } = &Books::open(&server);
    let owner = text(&account_of(operator, rich), "/owner");
    let below = account(operator, 2201, "CNY", &owner);
    operator.post("/v1/tree-links", &json!({"parent": rich, "child": below})).ok();
    let alone = place(operator, &with(order(rich), &json!({"amount": 1}))).ok();
    assert_eq!(alone["group"], Value::Null);
    let head = place(operator, &with(order(rich), &json!({"amount": 30_000, "down_the_tree": true}))).ok();
    assert_eq!((text(&head, "/account"), &head["group"]), (rich.clone(), &head["id"]));
    let position = number(&operator.get("/health/ready").ok(), "/position");
    let listed = operator.get(&format!("/v1/freezes?account={below}&min_position={position}")).ok();
    let child = &listed["data"][0];
    assert_eq!((number(child, "/amount"), &child["group"]), (30_000, &head["id"]));
    assert_eq!((shows(operator, rich), shows(operator, &below)), ((30_001, 0, 69_999), (0, 0, 0)));

    // One that cannot be frozen so, and none is.
    let dollars = account(operator, 2201, "USD", &owner);
    operator.post("/v1/tree-links", &json!({"parent": below, "child": dollars})).ok();
    let refused = place(operator, &with(order(rich), &json!({"down_the_tree": true})));
    assert_eq!(refused.error(), (422, "currency_mismatch".into(), "currency".into()));
    assert_eq!(shows(operator, rich), (30_001, 0, 69_999));
    let customer = json!({"account": null, "customer": customer_of(operator, rich), "down_the_tree": true});
    let refused = place(operator, &with(order(rich), &customer));
    assert_eq!(refused.error(), (422, "value_invalid".into(), "down_the_tree".into()));
}

#[test]
fn the_command_line_freezes_stops_and_renews() {
    let server = Server::start();
    let Books { operator, rich, poor, .. } = &Books::open(&server);
    let run = |arguments: &[&str]| {
        let output = server.lintel(&[&["freeze"], arguments].concat());
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let order = ["--authority", "Chaoyang court", "--document", "2026-118", "--reason", "case 118"];
    let ends = ["--expires-at", "2026-03-06T09:00:00+08:00", "--amount", "150000", "--currency", "CNY"];
    let placed = run(&[&["place", "--account", rich], &order[..], &ends[..]].concat());
    assert!(
        placed.contains("1500.00 CNY") && placed.contains("Bites on:") && placed.contains("1000.00 CNY"),
        "{placed}"
    );
    let customer = customer_of(operator, poor);
    let barred = run(&[&["place", "--customer", &customer, "--bar", "both"], &order[..]].concat());
    assert!(barred.contains("bars in barred   yes"), "{barred}");
    run(&[&["stop", "--account", poor], &order[..]].concat());
    let by = ["--authority", "Chaoyang court", "--document", "2026-200", "--expires-at", "2026-03-07T09:00:00+08:00"];
    let renewed = run(&[&["renew", "frz_1"], &by[..]].concat());
    assert!(renewed.contains("renewed") && renewed.contains("2026-03-07T01:00:00Z"), "{renewed}");
    let position = number(&operator.get("/health/ready").ok(), "/position");
    operator.get(&format!("/v1/freezes?min_position={position}")).ok();
    let listed = run(&["list", "--kind", "stop_payment", "--json"]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed, operator.get("/v1/freezes?kind=stop_payment").ok());
    let shown: Value = serde_json::from_str(&run(&["show", "frz_2", "--json"])).unwrap();
    assert_eq!(shown, operator.get("/v1/freezes/frz_2").ok());
    let neither = server.lintel(&[&["freeze", "place", "--account", rich], &order[..]].concat());
    assert!(!neither.status.success() && String::from_utf8_lossy(&neither.stderr).contains("--bar"), "{neither:?}");
}

#[test]
fn frozen_money_is_deducted_by_two_people_and_comes_back_with_its_freeze() {
    let server = Server::start();
    let Books { operator, rich, .. } = &Books::open(&server);
    let staff = Staff::hire(&server);
    let [maker, checker] = risk(&server, &staff);
    let freeze = place(operator, &with(order(rich), &json!({"amount": 60_000}))).ok();
    let path = format!("/v1/freezes/{}/deductions", text(&freeze, "/id"));
    let bank_account = json!({"account": "6222000000000118", "holder": "Chaoyang court"});
    let deduction = json!({
        "amount": 40_000, "authority": "Chaoyang court", "document": "2026-119", "reason": "ruling",
        "bank_account": bank_account,
    });
    let by_another = with(deduction.clone(), &json!({"authority": "Haidian court"}));
    assert_eq!(maker.client.post(&path, &by_another).error().1, "authority_mismatch");
    assert_eq!(operator.post(&path, &deduction).error().0, 403, "programs propose nothing");
    let proposed = maker.client.post(&path, &deduction).ok();
    assert!(!proposed.to_string().contains("6222000000000118"), "{proposed}");
    assert_eq!(maker.approve(&text(&proposed, "/id")).error().1, "same_person");
    let payout = text(&checker.approve(&text(&proposed, "/id")).ok(), "/outcome");

    // Money and freeze went down together.
    let sent = operator.get(&format!("/v1/payouts/{payout}")).ok();
    assert_eq!((text(&sent, "/kind"), text(&sent, "/freeze")), ("deduction".into(), text(&freeze, "/id")));
    assert_eq!(shows(operator, rich), (20_000, 0, 40_000));
    let changed = look(operator, &freeze);
    assert_eq!((number(&changed, "/deducted"), number(&changed, "/frozen")), (40_000, 20_000));
    let last = changed["changes"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        (text(&last, "/what"), text(&last, "/operator"), text(&last, "/approver"), text(&last, "/document")),
        ("deducted".into(), "risk.one".into(), "risk.two".into(), "2026-119".into())
    );
}
