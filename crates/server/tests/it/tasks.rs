//! What only a person can move on, against a real bank that takes nothing back: listed, counted, asked for again, settled by two people.

use serde_json::{Value, json};

use crate::fund_batches::{card, centre, leg, legs, pays, platform, until as until_order};
use crate::keys::becomes;
use crate::open::{balance, closing, entry, number, own, text, trial_balance};
use crate::orders::Market;
use crate::sites::until;
use crate::staff::Staff;

/// The centre captures nothing, and the bank gives nothing back.
const PLAN: &str = "[capture]\ndecline = 10000\n[refund]\ndecline = 10000";
const LEGS: &str = "lintel_tasks{kind=\"legs\"}";

#[test]
fn what_a_bank_will_not_take_back_is_listed_retried_and_settled_by_two_people() {
    let Some(bank) = centre(PLAN) else { return };
    let server = platform(&bank.addresses[0], "");
    let (market, staff) = (Market::open(&server), Staff::hire(&server));
    let operator = &market.operator;
    let fund = json!({"type": "fund", "contract": "L1", "amount": 3_000});
    let order = pays(&market, "T1", &json!([card(2_000), fund]));
    let failed = until_order(&market, &order, |order| text(order, "/status") == "failed");
    assert_eq!(legs(&failed), [leg("captured", 2_000), leg("failed", 3_000)], "{failed}");
    assert_eq!(failed["legs"][0]["needs_person"], true);
    let id = text(&failed, "/legs/0/id");

    let listed = || operator.get(&format!("/v1/tasks/legs?order={order}")).ok()["data"].clone();
    until("the leg is listed", || listed().as_array().is_some_and(|all| all.len() == 1));
    let task = listed()[0].clone();
    assert_eq!(
        (text(&task, "/id"), text(&task, "/order"), number(&task, "/amount")),
        (id.clone(), order.clone(), 2_000)
    );
    assert_eq!((number(&task, "/lies_on"), text(&task, "/account")), (2205, own(operator, 2205)));
    assert_eq!(task["allowed_actions"], json!(["retry", "settle"]));
    let since = text(&task, "/since");
    assert_eq!(since, text(&failed, "/ended_at"));
    becomes(operator, LEGS, |legs| legs > 0.5);
    let listing = server.lintel(&["task", "list", "legs"]);
    assert!(listing.status.success());
    assert!(String::from_utf8_lossy(&listing.stdout).contains(&since), "{listing:?}");
    for others in ["refunds", "payouts"] {
        let none = operator.get(&format!("/v1/tasks/{others}")).ok();
        assert!(none["data"].as_array().is_some_and(Vec::is_empty), "{none}");
        assert!(server.lintel(&["task", "list", others]).status.success());
    }

    // Asked for again, and refused again.
    let path = format!("/v1/tasks/{id}");
    assert_eq!(staff.first.client.post(&format!("{path}/retry"), &json!({})).error().1, "not_permitted");
    let retried = staff.maker.client.post(&format!("{path}/retry"), &json!({})).ok();
    assert_eq!((&retried["needs_person"], &retried["allowed_actions"]), (&json!(false), &json!([])), "{retried}");
    assert!(text(&retried, "/open_attempt").starts_with("att_"), "{retried}");
    until("it waits for a person again", || operator.get(&path).ok()["needs_person"] == true);

    let line = |subject: u16, side: &str| json!({"subject": subject, "side": side});
    staff.decided(&json!({
        "kind": "voucher_template", "action": "set", "code": "back", "title": "Paid back by hand",
        "event": "manual_voucher", "lines": [line(2205, "debit"), line(1121, "credit")],
    }));
    let settles = |amount: i64| {
        let entries = [entry(&own(operator, 2205), "debit", amount), entry(&own(operator, 1121), "credit", amount)];
        json!({"kind": "settle_task", "task": id, "voucher": {"template": "back", "entries": entries}})
    };
    assert_eq!(staff.maker.propose(&settles(2_000)).error().1, "evidence_required");
    assert_eq!(staff.maker.propose_shown(&settles(1_999)).error().1, "task_voucher");
    let bare: Value = json!({"kind": "settle_task", "task": id});
    assert_eq!(staff.maker.propose_shown(&bare).error().1, "task_voucher");
    assert_eq!(staff.decided(&settles(2_000)), id);
    let settled = operator.get(&path).ok();
    assert!(text(&settled, "/settled_by").starts_with("apr_"), "{settled}");
    assert_eq!((&settled["needs_person"], &settled["lies_on"]), (&json!(false), &Value::Null));
    assert_eq!(settled["since"], Value::Null);
    assert_eq!(staff.maker.client.post(&format!("{path}/retry"), &json!({})).error().1, "task_state");
    assert_eq!(closing(&trial_balance(operator, "2026-03-05"), 2205), 0);
    until("nothing is listed", || listed().as_array().is_some_and(Vec::is_empty));
    becomes(operator, LEGS, |legs| legs < 0.5);
}

/// The bank refuses what goes back and what goes out, and the file says that it was carried out.
#[test]
fn what_a_bank_refused_and_carried_out_after_all_is_the_payees_or_the_banks_debt() {
    let Some(bank) = centre("[refund]\ndecline = 10000\n[pay]\ndecline = 10000") else { return };
    let server = platform(&bank.addresses[0], "");
    let (market, staff) = (Market::open(&server), Staff::hire(&server));
    let operator = &market.operator;
    let refused = |path: &str| {
        until("the bank refuses", || operator.get(path).ok()["status"] == "failed");
        operator.get(path).ok()
    };
    let order = pays(&market, "T1", &json!([card(5_000)]));
    until_order(&market, &order, |order| text(order, "/status") == "success");
    market.cleared("2026-03-05", 1, &market.serial("att_1"), "debit", 5_000);

    let new = json!({"out_refund_no": "F1", "amount": 2_000, "return_fee": false});
    let asked = operator.post(&format!("/v1/orders/{order}/refunds"), &new).ok();
    let refund = format!("/v1/refunds/{}", text(&asked, "/id"));
    let serial = market.serial(&text(&refused(&refund), "/parts/0/attempt"));
    let pending = || balance(operator, &text(&market.landlord, "/pending"));
    let before = pending();
    market.cleared("2026-03-05", 2, &serial, "refund", 2_000);
    let late = operator.get(&refund).ok();
    assert_eq!((text(&late, "/status"), number(&late, "/succeeded")), ("success".into(), 2_000));
    assert_eq!(pending(), before - 2_000, "taken from the payee again");

    market.next_day();
    market.settle(&market.landlord, "2026-03-06").ok();
    let account = text(&market.landlord, "/available");
    let new =
        json!({"account": account, "to": {"type": "settlement"}, "amount": 1_000, "currency": "CNY", "send_now": true});
    let sent = operator.post("/v1/payouts", &new).ok();
    let id = text(&sent, "/id");
    let payout = format!("/v1/payouts/{id}");
    refused(&payout);
    let before = balance(operator, &account);
    market.cleared("2026-03-06", 1, &market.serial(&text(&sent, "/attempt")), "pay", 1_000);
    assert_eq!(text(&operator.get(&payout).ok(), "/status"), "failed", "its account has the money");
    assert_eq!((balance(operator, &account), balance(operator, &own(operator, 1131))), (before, 1_000));

    let path = format!("/v1/tasks/{id}");
    let task = operator.get(&path).ok();
    assert_eq!((&task["needs_person"], &task["allowed_actions"]), (&json!(true), &json!(["settle"])), "{task}");
    let settles = |amount: i64| json!({"kind": "settle_task", "task": id, "amount": amount});
    assert_eq!(staff.maker.propose_shown(&settles(999)).error().1, "task_state");
    assert_eq!(staff.decided(&settles(1_000)), id);
    assert_eq!(operator.get(&path).ok()["needs_person"], false);
}
