//! Own money and reserve as the treasurer sees them: transfers that only a line of the statement books.

use serde_json::{Value, json};

use crate::client::Client;
use crate::features::close;
use crate::keys::becomes;
use crate::open::{balance, number, own, session_line, text, voucher};
use crate::orders::Market;
use crate::server::Server;
use crate::staff::Staff;

const AWAITED: &str = "/v1/reserve-lines/awaited";

fn line(reference: &str, direction: &str, amount: i64, date: &str) -> Value {
    json!({"reference": reference, "date": date, "direction": direction, "amount": amount, "currency": "CNY"})
}

/// The open accounting day.
fn today(operator: &Client) -> String {
    let days = operator.get("/v1/days?min_position=1").ok();
    text(days["data"].as_array().unwrap().last().unwrap(), "/date")
}

/// The accountants may act as treasurers too.
fn treasurers(server: &Server) -> Staff {
    let staff = Staff::hire(server);
    let roles = json!(["accountant", "treasurer"]);
    for (operator, by, of) in [("opr_3", &staff.first, &staff.second), ("opr_4", &staff.second, &staff.first)] {
        let change =
            json!({"kind": "operator", "action": "change_roles", "operator": operator, "roles": roles.clone()});
        of.approve(&text(&by.propose(&change).ok(), "/id")).ok();
    }
    staff
}

#[test]
fn an_injection_is_booked_by_its_line_and_a_sweep_can_be_cancelled() {
    let server = Server::start();
    let operator = &server.operator();
    let staff = treasurers(&server);
    let [central, bank, capital, due] = [1101, 1103, 3001, 2291].map(|subject| own(operator, subject));
    operator.post("/v1/vouchers", &voucher("capital", &bank, &capital, 1_000_000)).ok();

    let inject = json!({"kind": "inject_own_money", "amount": 600_000, "currency": "CNY"});
    let injection = staff.decided(&inject);
    let open = operator.get(&format!("/v1/own-transfers/{injection}")).ok();
    assert_eq!((text(&open, "/status"), balance(operator, &central)), ("open".into(), 0));
    let awaited = operator.get(AWAITED).ok();
    assert_eq!(
        (text(&awaited, "/data/0/transfer"), text(&awaited, "/data/0/direction")),
        (injection.clone(), "in".into())
    );
    assert_eq!(text(&awaited, "/data/0/since"), text(&open, "/instructed_at"));
    let day = today(operator);
    let taken = operator.post("/v1/reserve-lines", &line("L-1", "in", 600_000, &day)).ok();
    assert_eq!((text(&taken, "/transfer"), taken["suspended"].clone()), (injection.clone(), json!(false)));
    let balances = [&central, &bank, &due].map(|account| balance(operator, account));
    assert_eq!(balances, [600_000, 400_000, 600_000]);
    let done = operator.get(&format!("/v1/own-transfers/{injection}")).ok();
    assert_eq!((text(&done, "/status"), text(&done, "/line")), ("done".into(), text(&taken, "/id")));

    // The same line again is the same line; another content under its reference is refused.
    assert_eq!(operator.post("/v1/reserve-lines", &line("L-1", "in", 600_000, &day)).ok()["id"], taken["id"]);
    let other = operator.post("/v1/reserve-lines", &line("L-1", "in", 600_001, &day)).error();
    assert_eq!((other.1.as_str(), other.2.as_str()), ("reserve_line_conflict", "reference"));

    let sweep = staff.decided(&json!({"kind": "sweep_income", "amount": 100_000, "currency": "CNY"}));
    let cancel = format!("/v1/own-transfers/{sweep}/cancel");
    let cancelled = operator.post(&cancel, &json!({})).ok();
    assert_eq!((text(&cancelled, "/status"), cancelled["allowed_actions"].clone()), ("cancelled".into(), json!([])));
    assert_eq!(operator.post(&cancel, &json!({})).error().1, "own_transfer_state");
    let left = operator.post("/v1/reserve-lines", &line("L-2", "out", 100_000, &day)).error();
    assert_eq!((left.1.as_str(), left.2.as_str()), ("reserve_line_unmatched", "reference"));

    let stray = operator.post("/v1/reserve-lines", &line("L-3", "in", 7, &day)).ok();
    assert_eq!(stray["suspended"], json!(true));
    let closing = json!({"date": day, "balance": 600_007, "currency": "CNY"});
    assert_eq!(number(&operator.post("/v1/reserve-balances", &closing).ok(), "/balance"), 600_007);
    assert_eq!(balance(operator, &central), 600_007);
}

#[test]
fn a_session_is_on_1101_by_its_line_alone_and_the_close_compares_it_with_the_statement() {
    let server = Server::start();
    let market = Market::open(&server);
    let operator = &market.operator;
    market.paid();
    let [central, clearing] = [1101, 1121].map(|subject| own(operator, subject));
    let balances = || [&central, &clearing].map(|account| balance(operator, account));
    let file = operator.get("/v1/clearing/clr_1").ok();
    assert_eq!((number(&file, "/net"), &file["voucher"], balances()), (500_000, &Value::Null, [0, 500_000]));
    let sessions = "lintel_reserve_lines_awaited{target=\"sessions\"}";
    let awaited = json!({
        "transfer": null, "clearing": {"rail": "epcc", "date": "2026-03-05"}, "direction": "in", "amount": 500_000,
        "currency": "CNY", "since": file["taken_at"], "differences": [],
    });
    assert_eq!(operator.get(AWAITED).ok()["data"], json!([awaited]));
    becomes(operator, sessions, |sessions| sessions > 0.5);
    let declared = |date: &str, balance: i64| {
        let body = json!({"date": date, "balance": balance, "currency": "CNY"});
        operator.post("/v1/reserve-balances", &body).ok();
    };
    let compared = |date: &str| {
        let day = close(operator, date);
        let checks = day["checks"].as_array().unwrap();
        let check = checks.iter().find(|check| check["name"] == "1101_equals_statement").unwrap();
        (check["holds"].clone(), text(check, "/detail"))
    };

    // The network settles on the next day: the first day's statement has no line of it.
    declared("2026-03-05", 0);
    market.next_day();
    becomes(operator, "lintel_reserve_line_awaited_oldest_seconds", |seconds| seconds > 43_200.0);
    let listed = server.lintel(&["reserve-line", "awaited"]).stdout;
    assert!(String::from_utf8(listed).unwrap().contains("5000.00 CNY"));
    assert_eq!(compared("2026-03-05"), (json!(true), "0 CNY".into()));
    let booked = session_line(operator, "epcc", "2026-03-05", 500_000);
    assert_eq!(session_line(operator, "epcc", "2026-03-05", 500_000), booked, "the same line is the same line");
    assert_eq!((balances(), operator.get(AWAITED).ok()["data"].clone()), ([500_000, 0], json!([])));
    becomes(operator, sessions, |sessions| sessions < 0.5);
    let day = operator.get("/v1/days/2026-03-06/vouchers").ok();
    let vouchers = day["data"].as_array().unwrap();
    let of_it: Vec<&Value> = vouchers.iter().filter(|voucher| voucher["event"] == "clearing_session").collect();
    assert_eq!((of_it.len(), text(of_it[0], "/id")), (1, booked));
    let mut again = line("L-2", "in", 500_000, "2026-03-06");
    again["clearing"] = json!({"rail": "epcc", "date": "2026-03-05"});
    let refused = operator.post("/v1/reserve-lines", &again).error();
    assert_eq!((refused.1.as_str(), refused.2.as_str()), ("value_invalid", "target"), "the session awaits no line");
    declared("2026-03-06", 500_000);
    operator.post("/v1/days/cut", &json!({"next": "2026-03-09"})).ok();
    assert_eq!(compared("2026-03-06"), (json!(true), "500000 CNY".into()));
}

#[test]
fn bad_input_of_own_money_is_named() {
    let server = Server::start();
    let operator = &server.operator();
    let day = today(operator);
    let refused = |path: &str, body: &Value| {
        let (_, code, param) = operator.post(path, body).error();
        (code, param)
    };
    let is = |code: &str, param: &str| (code.to_owned(), param.to_owned());
    let lines = "/v1/reserve-lines";
    assert_eq!(refused(lines, &line("L", "up", 1, &day)).1, "direction");
    assert_eq!(refused(lines, &line("L", "in", 0, &day)), is("amount_not_positive", "amount"));
    let mut both = line("L", "in", 1, &day);
    both["transfer"] = json!("otr_1");
    assert_eq!(refused(lines, &both), is("value_invalid", "target"));
    both["clearing"] = json!({"rail": "epcc", "date": day});
    assert_eq!(refused(lines, &both).1, "clearing");
    let closing = json!({"date": day, "balance": -1, "currency": "CNY"});
    assert_eq!(refused("/v1/reserve-balances", &closing), is("value_invalid", "balance"));

    let chargeback = json!({"leg": "leg_1", "case_number": "C-1", "reason": "4853", "amount": 1, "currency": "CNY"});
    assert_eq!(refused("/v1/chargebacks", &chargeback).0, "leg_unknown");
    for action in ["book", "win"] {
        let path = format!("/v1/chargebacks/cbk_1/{action}");
        assert_eq!(refused(&path, &json!({})), is("chargeback_unknown", "chargeback"));
    }
    assert_eq!(refused("/v1/advances", &json!({"merchant": "mch_1", "orders": ["ord_1"]})).0, "merchant_unknown");
    assert_eq!(refused("/v1/advances", &json!({"merchant": "mch_1", "orders": ["rent"]})).1, "orders");
    assert_eq!(refused("/v1/advances/adv_1/repay", &json!({})), is("advance_unknown", "advance"));
    assert_eq!(refused("/v1/merchants/mch_1/arrears/collect", &json!({})).0, "merchant_unknown");
    for (path, code) in [
        ("/v1/reserve-lines/rln_1", "reserve_line_unmatched"),
        ("/v1/own-transfers/otr_1", "own_transfer_unknown"),
        ("/v1/arrears/arr_1", "arrears_unknown"),
        ("/v1/chargebacks/cbk_1", "chargeback_unknown"),
        ("/v1/advances/adv_1", "advance_unknown"),
    ] {
        assert_eq!(operator.get(path).error().1, code, "{path}");
    }
    for path in [
        "/v1/reserve-lines?direction=in&suspended=false",
        "/v1/reserve-lines/awaited",
        "/v1/reserve-balances",
        "/v1/own-transfers?kind=repayment&status=open",
        "/v1/arrears?status=open",
        "/v1/chargebacks?case_number=C-1&status=won",
        "/v1/advances?status=repaid",
        "/v1/advance-policies",
    ] {
        assert_eq!(operator.get(path).ok()["data"], json!([]), "{path}");
    }
}

#[test]
fn a_chargeback_is_booked_from_what_is_unsettled_and_won_back() {
    let server = Server::start();
    let market = Market::open(&server);
    let operator = &market.operator;
    let order = market.paid();
    let pending = text(&market.landlord, "/pending");
    assert_eq!(balance(operator, &pending), 499_000);
    let chargeback = |amount: i64| {
        let leg = text(&order, "/legs/0/id");
        json!({"leg": leg, "case_number": "CB-1", "reason": "4853", "amount": amount, "currency": "CNY"})
    };
    let beyond = operator.post("/v1/chargebacks", &chargeback(500_001)).error();
    assert_eq!(beyond.2, "amount", "{beyond:?}");
    let received = operator.post("/v1/chargebacks", &chargeback(200_000)).ok();
    assert_eq!((text(&received, "/status"), balance(operator, &pending)), ("received".into(), 499_000));
    let path = format!("/v1/chargebacks/{}", text(&received, "/id"));
    let booked = operator.post(&format!("{path}/book"), &json!({})).ok();
    assert_eq!((text(&booked, "/status"), number(&booked, "/lack")), ("booked".into(), 0));
    assert_eq!((number(&booked, "/taken/0/amount"), balance(operator, &pending)), (200_000, 299_000));
    assert_eq!(operator.post(&format!("{path}/book"), &json!({})).error().1, "chargeback_state");
    let won = operator.post(&format!("{path}/win"), &json!({})).ok();
    assert_eq!((text(&won, "/status"), won["allowed_actions"].clone()), ("won".into(), json!([])));
    assert_eq!(operator.get(&path).ok(), won);
}
