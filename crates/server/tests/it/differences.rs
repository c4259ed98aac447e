//! Differences of clearing files over the wire: open, counted, ended by a later file or by two people.

use serde_json::{Value, json};

use crate::client::Client;
use crate::fund_batches::{card, centre, pays, platform, until as until_order};
use crate::keys::becomes;
use crate::open::{closing, entry, number, own, session_line, text, trial_balance};
use crate::orders::Market;
use crate::server::Server;
use crate::sites::until;
use crate::staff::Staff;

const DAY: &str = "2026-03-05";
const OPEN: &str = "lintel_clearing_differences_open{channel=\"epcc\"}";

/// Takes a clearing file of one debit.
fn takes(operator: &Client, rail: &str, serial: &str, amount: i64) -> Value {
    let lines = json!([{"serial": serial, "kind": "debit", "amount": amount, "currency": "CNY"}]);
    let body = json!({"rail": rail, "date": DAY, "part": 1, "last": true, "lines": lines});
    operator.post("/v1/clearing", &body).ok()
}

fn listed(operator: &Client, query: &str) -> Vec<Value> {
    let page = operator.get(&format!("/v1/clearing/differences?{query}")).ok();
    page["data"].as_array().unwrap().clone()
}

#[test]
fn a_succeeded_debit_of_another_amount_is_open_until_two_people_settle_it() {
    let Some(bank) = centre("") else { return };
    let server = platform(&bank.addresses[0], "");
    let (market, staff) = (Market::open(&server), Staff::hire(&server));
    let operator = &market.operator;
    let order = pays(&market, "T1", &json!([card(5_000)]));
    until_order(&market, &order, |order| text(order, "/status") == "success");
    let due = || operator.get(&format!("/v1/orders/{order}")).ok()["due"].clone();
    let serial = market.serial("att_1");
    let file = text(&takes(operator, "epcc", &serial, 5_001), "/id");
    assert_eq!(due(), Value::Null, "the file has no line of 5,000");

    until("it is listed", || !listed(operator, "open=true&rail=epcc").is_empty());
    let open = listed(operator, "open=true");
    assert_eq!(open.len(), 1, "{open:?}");
    let id = text(&open[0], "/id");
    assert_eq!((&id, text(&open[0], "/clearing")), (&format!("{file}_1"), file.clone()));
    let said = ["kind", "line", "serial", "channel"].map(|name| text(&open[0], &format!("/{name}")));
    assert_eq!(said, ["other_content", "debit", serial.as_str(), "epcc"]);
    assert_eq!((number(&open[0], "/amount"), &open[0]["ended"]), (5_001, &Value::Null));
    assert_eq!(open[0]["allowed_actions"], json!(["settle"]));
    becomes(operator, OPEN, |open| open > 0.5);
    assert!(server.lintel(&["clearing", "differences", "--rail", "epcc"]).status.success());

    let line = |subject: u16, side: &str| json!({"subject": subject, "side": side});
    staff.decided(&json!({
        "kind": "voucher_template", "action": "set", "code": "too-many", "title": "More than was asked for",
        "event": "manual_voucher", "lines": [line(1121, "debit"), line(2241, "credit")],
    }));
    let settles = |amount: i64| {
        let entries = [entry(&own(operator, 1121), "debit", amount), entry(&own(operator, 2241), "credit", amount)];
        let voucher = json!({"template": "too-many", "entries": entries});
        json!({"kind": "settle_difference", "difference": id, "accepted": true, "voucher": voucher})
    };
    assert_eq!(staff.maker.propose(&settles(1)).error().1, "evidence_required");
    assert_eq!(staff.maker.propose_shown(&settles(2)).error().1, "difference_voucher");
    assert_eq!(staff.decided(&settles(1)), file);
    assert_eq!(due(), "2026-03-06");
    let closings = || {
        let books = trial_balance(operator, DAY);
        [1101, 1121, 2241].map(|subject| closing(&books, subject))
    };
    assert_eq!(closings(), [0, 5_001, 1], "its session awaits the line of the statement");
    session_line(operator, "epcc", DAY, 5_001);
    assert_eq!(closings(), [5_001, 0, 1]);

    until("nothing is open", || listed(operator, "open=true").is_empty());
    let ended = listed(operator, "open=false").remove(0);
    assert_eq!((text(&ended, "/id"), text(&ended, "/ended")), (id.clone(), "settled".into()));
    assert!(text(&ended, "/ended_by").starts_with("apr_"), "{ended}");
    assert_eq!((&ended["accepted"], number(&ended, "/booked")), (&json!(true), 5_001));
    assert_eq!(staff.maker.propose_shown(&settles(1)).error().1, "difference_state");
    becomes(operator, OPEN, |open| open < 0.5);
}

#[test]
fn a_file_under_a_wrong_name_ends_with_the_right_one() {
    let server = Server::start();
    let market = Market::open(&server);
    let operator = &market.operator;
    let order = text(&market.order("T1", 500_000).ok(), "/id");
    let paying = market.pay(&order, 500_000).ok();
    let serial = market.serial(&text(&paying, "/legs/0/open_attempt"));
    let wrong = text(&takes(operator, "unionpay", &serial, 500_000), "/id");
    until("it is listed", || listed(operator, "open=true").len() == 1);
    let right = text(&takes(operator, "epcc", &serial, 500_000), "/id");
    until("nothing is open", || listed(operator, "open=true").is_empty());
    let ended = listed(operator, "rail=unionpay").remove(0);
    assert_eq!((text(&ended, "/clearing"), text(&ended, "/kind")), (wrong, "unknown_serial".into()));
    assert_eq!((text(&ended, "/ended"), text(&ended, "/ended_by")), ("matched".into(), right));
    assert_eq!(ended["allowed_actions"], json!([]));
    assert!(listed(operator, "rail=epcc").is_empty());
    let error = operator.get("/v1/clearing/differences?open=maybe").error();
    assert_eq!((error.0, error.1.as_str(), error.2.as_str()), (400, "field_malformed", "open"));
}

#[test]
fn a_line_that_may_be_a_sessions_waits_and_what_lies_in_suspense_is_not_accepted() {
    let server = Server::start();
    let (market, staff) = (Market::open(&server), Staff::hire(&server));
    let operator = &market.operator;
    let file = text(&takes(operator, "epcc", &"7".repeat(31), 700), "/id");
    let stands = json!({"kind": "settle_difference", "difference": format!("{file}_1"), "accepted": true});
    assert_eq!(staff.maker.propose_shown(&stands).error().1, "difference_voucher");
    let mut line = json!({"reference": "L-1", "date": DAY, "direction": "in", "amount": 700, "currency": "CNY"});
    let refused = operator.post("/v1/reserve-lines", &line).error();
    assert_eq!((refused.1.as_str(), refused.2.as_str()), ("reserve_line_session", "reference"));
    line["suspense"] = json!(true);
    let mut wrong = line.clone();
    wrong["direction"] = json!("out");
    let refused = operator.post("/v1/reserve-lines", &wrong).error();
    assert_eq!((refused.1.as_str(), refused.2.as_str()), ("value_invalid", "suspense"));
    let take = ["reserve-line", "take", "--reference", "L-1", "--date", DAY, "--direction", "in", "--amount", "700"];
    assert!(!server.lintel(&take).status.success(), "it does not say that it is suspense");
    assert!(server.lintel(&[&take[..], &["--suspense"]].concat()).status.success());
    assert_eq!(operator.post("/v1/reserve-lines", &line).ok()["suspended"], json!(true), "taken before");
    assert_eq!(staff.maker.propose_shown(&stands).error().1, "difference_state");
}

#[test]
fn what_suspense_has_of_a_session_clears_it_by_two_people() {
    let server = Server::start();
    let (market, staff) = (Market::open(&server), Staff::hire(&server));
    let operator = &market.operator;
    let line = json!({"reference": "L-1", "date": DAY, "direction": "in", "amount": 500_000, "currency": "CNY"});
    assert_eq!(operator.post("/v1/reserve-lines", &line).ok()["suspended"], json!(true), "its file was not there");
    let order = text(&market.order("T1", 500_000).ok(), "/id");
    let paying = market.pay(&order, 500_000).ok();
    takes(operator, "epcc", &market.serial(&text(&paying, "/legs/0/open_attempt")), 500_000);
    let closings = || {
        let books = trial_balance(operator, DAY);
        [1101, 1121, 2241].map(|subject| closing(&books, subject))
    };
    assert_eq!(closings(), [500_000, 500_000, 500_000], "the line brought it to 1101, and the file does not");
    let allocates = |date: &str| {
        json!({"kind": "suspense_allocation", "item": "sus_1", "to": own(operator, 1101),
            "clearing": {"rail": "epcc", "date": date}})
    };
    let refused = staff.maker.propose(&allocates("2026-03-04")).error();
    assert_eq!((refused.1.as_str(), refused.2.as_str()), ("value_invalid", "clearing"));
    assert_eq!(staff.decided(&allocates(DAY)), "sus_1");
    assert_eq!(closings(), [500_000, 0, 0]);
    let item = operator.get("/v1/suspense/sus_1").ok();
    assert_eq!(item["allocations"][0]["clearing"], json!({"rail": "epcc", "date": DAY}));
    assert_eq!(text(&item, "/allocations/0/to"), own(operator, 1121));
}
