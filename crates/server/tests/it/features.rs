//! Each feature of an account's life, as its caller sees it.

use serde_json::{Value, json};

use crate::client::Client;
use crate::open::{
    Books, account, balance, closing, customer, entry, number, person, text, trial_balance, user, voucher,
};
use crate::server::Server;

fn actions(view: &Value) -> Vec<&str> {
    view["allowed_actions"].as_array().unwrap().iter().map(|action| action.as_str().unwrap()).collect()
}

#[test]
fn an_identity_is_one_customer_and_never_readable() {
    let server = Server::start();
    let operator = server.operator();
    let first = operator.post("/v1/customers", &person("张三", "11010519491231002X")).ok();
    assert_eq!((text(&first, "/name"), text(&first, "/kind")), ("张*".into(), "person".into()));
    let again = operator.post("/v1/customers", &person("张三", "11010519491231002x"));
    assert!(again.repeated(), "the number in another spelling is the same identity");
    assert_eq!(again.ok(), first);
    let batch = json!({"customers": [
        person("李四", "110105194912310038"), person("张三", "11010519491231002X"), person("王五", "110105194912310046"),
    ]});
    let answer = operator.post("/v1/customers/batch", &batch);
    let (position, batch) = (answer.position(), answer.ok());
    let ids: Vec<_> = (0..3).map(|at| text(&batch, &format!("/data/{at}/id"))).collect();
    assert_eq!(ids[1], text(&first, "/id"));
    assert!(ids[0] != ids[2] && ids[0] != ids[1]);

    let listed = operator.get(&format!("/v1/customers?limit=2&min_position={position}")).ok();
    assert_eq!(listed["data"].as_array().unwrap().len(), 2);
    let rest = operator.get(&format!("/v1/customers?cursor={}", text(&listed, "/next_cursor"))).ok();
    assert_eq!(rest["data"].as_array().unwrap().len(), 1);
    assert_eq!(rest["next_cursor"], Value::Null);
    nothing_readable(&server, &["11010519491231002X", "11010519491231002x", "张三", "13800001234"]);
}

/// No file of the data directory and no line of the log holds any of the texts.
fn nothing_readable(server: &Server, secrets: &[&str]) {
    let mut directories = vec![server.directory().to_owned()];
    let mut files = 0;
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            files += 1;
            let content = std::fs::read(&path).unwrap();
            for secret in secrets {
                let found = content.windows(secret.len()).any(|window| window == secret.as_bytes());
                assert!(!found, "{} holds a personal text", path.display());
            }
        }
    }
    assert!(files > 3);
    assert!(server.log().contains("answered"), "requests are in the log");
}

#[test]
fn a_user_is_one_in_a_product() {
    let server = Server::start();
    let operator = server.operator();
    let id = customer(&operator, "张三", "11010519491231002X");
    let first = user(&operator, &id);
    let second = operator.post("/v1/users", &json!({"customer": id, "product": "rent"}));
    assert_eq!(second.error(), (409, "already_exists".into(), "product".into()));
    assert_eq!(text(&operator.get(&format!("/v1/users/{first}")).ok(), "/customer"), id);
    let unknown = operator.post("/v1/users", &json!({"customer": "cus_99", "product": "rent"}));
    assert_eq!(unknown.error(), (404, "customer_unknown".into(), "customer".into()));
}

#[test]
fn a_merchant_settles_to_an_account_in_its_own_name() {
    let server = Server::start();
    let operator = server.operator();
    let id = customer(&operator, "张三", "11010519491231002X");
    let open = |holder: &str, number: &str| {
        let settlement = json!({"account": number, "holder": holder});
        let body = json!({"customer": id, "kind": "agency", "name": "Lamp", "fee_rate": 0, "settlement": settlement});
        operator.post("/v1/merchants", &body)
    };
    let other = open("李四", "6222020200112230").error();
    assert_eq!(other, (422, "holder_mismatch".into(), "settlement.holder".into()));
    let letters = open("张三", "62220202001122ab").error();
    assert_eq!(letters, (400, "field_malformed".into(), "settlement.account".into()));
    let merchant = open("张三", "6222020200112230").ok();
    assert!(text(&merchant, "/settlement/account").ends_with("2230"));
    for pointer in ["/pending", "/available", "/company"] {
        let account = operator.get(&format!("/v1/accounts/{}", text(&merchant, pointer))).ok();
        assert_eq!(text(&account, "/owner"), text(&merchant, "/id"));
    }
    nothing_readable(&server, &["6222020200112230", "张三"]);
}

#[test]
fn a_hold_is_confirmed_in_parts_cancelled_or_expires() {
    let server = Server::start();
    let Books { operator, rich, poor, .. } = &Books::open(&server);
    let place = |amount: i64| {
        let expires_at = "2026-03-05T18:00:00+08:00";
        let body = json!({"account": rich, "amount": amount, "currency": "CNY", "expires_at": expires_at});
        operator.post("/v1/holds", &body)
    };
    let hold = place(60_000).ok();
    assert_eq!(actions(&hold), ["confirm", "cancel", "extend"]);
    assert_eq!(text(&hold, "/expires_at"), "2026-03-05T10:00:00Z");
    assert_eq!(place(40_001).error().1, "insufficient_funds");
    let confirm = format!("/v1/holds/{}/confirm", text(&hold, "/id"));
    let part = operator.post(&confirm, &json!({"to": poor, "amount": 20_000})).ok();
    assert_eq!((number(&part, "/held"), text(&part, "/status")), (40_000, "open".into()));
    assert_eq!(operator.post(&confirm, &json!({"to": poor, "amount": 40_001})).error().1, "hold_exceeded");
    let cancelled = operator.post(&format!("/v1/holds/{}/cancel", text(&hold, "/id")), &json!({})).ok();
    assert_eq!((actions(&cancelled), text(&cancelled, "/status")), (vec![], "cancelled".into()));
    assert_eq!(balance(operator, poor), 20_000);

    let hold = place(80_000).ok();
    operator.post("/v1/sandbox/clock", &json!({"now": "2026-03-05T18:00:00+08:00"})).ok();
    let expired = operator.get(&format!("/v1/holds/{}", text(&hold, "/id"))).ok();
    assert_eq!(text(&expired, "/status"), "expired");
    let backwards = operator.post("/v1/sandbox/clock", &json!({"now": "2026-03-05T17:00:00+08:00"}));
    assert_eq!(backwards.error(), (422, "clock_backwards".into(), "now".into()));
}

#[test]
fn money_leaves_an_agreement_only_to_its_receivers() {
    let server = Server::start();
    let Books { operator, rich, poor, .. } = &Books::open(&server);
    let party = text(&operator.get(&format!("/v1/accounts/{rich}")).ok(), "/owner");
    let body = json!({
        "number": "A-1", "party": party, "purpose": "earnest money", "book": "RESERVE", "currency": "CNY",
        "receivers": [poor],
    });
    let agreement = operator.post("/v1/agreements", &body).ok();
    assert_eq!(operator.post("/v1/agreements", &body).error().1, "already_exists");
    let (id, held) = (text(&agreement, "/id"), text(&agreement, "/account"));
    operator.post("/v1/vouchers", &voucher("in", rich, &held, 30_000)).ok();
    let by_hand = operator.post("/v1/vouchers", &voucher("out", &held, poor, 30_000));
    assert_eq!(by_hand.error().1, "subject_not_allowed");
    let pay = |to: &str, amount: i64| {
        operator.post(&format!("/v1/agreements/{id}/pay"), &json!({"to": to, "amount": amount}))
    };
    assert_eq!(pay(rich, 1).error().1, "receiver_not_listed");
    assert_eq!(number(&pay(poor, 30_000).ok(), "/balance"), 0);
    let closed = operator.post(&format!("/v1/agreements/{id}/close"), &json!({})).ok();
    assert_eq!((text(&closed, "/status"), actions(&closed)), ("closed".into(), vec![]));
}

#[test]
fn a_posting_is_answered_by_index_in_json_and_cbor() {
    let server = Server::start();
    let Books { operator, rich, poor, .. } = &Books::open(&server);
    let pair = |amount: i64| json!({"entries": [entry(rich, "debit", amount), entry(poor, "credit", amount)]});
    let vouchers = [pair(10), pair(-1), pair(20)];
    let send = |body: &Value| operator.send("POST", "/v1/postings", &[], body.to_string().as_bytes());
    let answer = send(&json!({"stream": "rent", "number": 1, "vouchers": vouchers})).ok();
    assert_eq!(answer["refused"][0]["index"], 1);
    assert_eq!(answer["refused"][0]["code"], "amount_not_positive");
    assert_eq!(balance(operator, poor), 30);
    let atomic = send(&json!({"stream": "rent", "number": 2, "atomic": true, "vouchers": vouchers}));
    assert_eq!(atomic.error(), (422, "amount_not_positive".into(), "amount".into()));
    assert_eq!(balance(operator, poor), 30);

    let id = |account: &str| account.trim_start_matches("acc_").parse::<u64>().unwrap();
    let entries = [(id(rich), 0_u8, 5_i64, 0_u8), (id(poor), 1, 5, 0)];
    let body = minicbor::to_vec(("rent", 3_u64, true, [(0_u8, entries)])).unwrap();
    let answer = operator.send("POST", "/v1/postings", &[("content-type", "application/cbor")], &body);
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/cbor")));
    assert_eq!(balance(operator, poor), 35);
}

#[test]
fn a_statement_adds_up_in_json_and_csv() {
    let server = Server::start();
    let Books { operator, rich, poor, .. } = &Books::open(&server);
    for at in 1..=5 {
        operator.post("/v1/vouchers", &voucher(&format!("s-{at}"), rich, poor, at * 100)).ok();
    }
    let path = format!("/v1/accounts/{rich}/statement?from=2026-03-05&to=2026-03-05");
    let first = operator.get(&format!("{path}&limit=4")).ok();
    assert_eq!((number(&first, "/opening"), number(&first, "/closing"), number(&first, "/count")), (0, 98_500, 6));
    let rest = operator.get(&format!("{path}&cursor={}", text(&first, "/next_cursor"))).ok();
    let lines: Vec<&Value> = [&first, &rest].into_iter().flat_map(|page| page["data"].as_array().unwrap()).collect();
    assert_eq!(lines.iter().map(|line| number(line, "/number")).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    let mut running = 0;
    for line in lines {
        running += if line["side"] == "credit" { number(line, "/amount") } else { -number(line, "/amount") };
        assert_eq!(number(line, "/balance"), running);
    }
    assert_eq!(running, 98_500);
    let csv = operator.get_with(&path, ("accept", "text/csv"));
    assert!(csv.header("content-type").unwrap().starts_with("text/csv"));
    assert!(csv.text().contains("985.00"), "{}", csv.text());
    let backwards = operator.get(&format!("/v1/accounts/{rich}/statement?from=2026-03-06&to=2026-03-05"));
    assert_eq!(backwards.error(), (400, "field_malformed".into(), "from".into()));
}

#[test]
fn a_day_is_cut_without_a_pause_closed_and_still_shown() {
    let server = Server::start();
    let books = Books::open(&server);
    let operator = &books.operator;
    let cut = operator.post("/v1/days/cut", &json!({})).ok();
    assert_eq!((text(&cut, "/date"), text(&cut, "/status")), ("2026-03-06".into(), "open".into()));
    books.post("next", &books.rich, &books.poor, 1_000).ok();
    let before = trial_balance(operator, "2026-03-05");
    let closed = close(operator, "2026-03-05");
    assert_eq!(text(&closed, "/status"), "closed", "{closed}");
    assert!(closed["checks"].as_array().unwrap().iter().all(|check| check["holds"] == true));
    let after = trial_balance(operator, "2026-03-05");
    assert_eq!(after["lines"], before["lines"], "the end-of-day file says what the engine said");
    assert_eq!((closing(&after, 1121), closing(&after, 2201)), (100_000, 100_000));
    assert_eq!(close(operator, "2026-03-05"), closed, "a closed day stays as it is");
    assert_eq!(operator.post("/v1/days/2026-03-06/close", &json!({})).error().1, "day_state");
    assert_eq!(operator.get("/v1/days/2026-03-09").error().1, "day_not_open");
}

pub(crate) fn close(operator: &Client, date: &str) -> Value {
    operator.post(&format!("/v1/days/{date}/close"), &json!({})).ok()
}

#[test]
fn codes_and_subjects_are_listed() {
    let server = Server::start();
    let operator = server.operator();
    let codes = operator.get("/v1/codes").ok();
    let names: Vec<_> = codes["data"].as_array().unwrap().iter().map(|code| text(code, "/code")).collect();
    assert!(
        ["insufficient_funds", "json_malformed", "nonce_reused"].iter().all(|code| names.contains(&code.to_string()))
    );
    let subjects = operator.get("/v1/subjects").ok();
    assert!(subjects["data"].as_array().unwrap().iter().any(|subject| subject["code"] == 2202));
    let opened = account(&operator, 9201, "CNY", "institution");
    assert_eq!(text(&operator.get(&format!("/v1/accounts/{opened}")).ok(), "/book"), "CUSTODY");
}
