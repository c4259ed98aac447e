//! Payment accounts of persons: topped up, transferred between, bound by limits and block lists. No channel is configured:
//! the clearing file answers what was asked of the networks.

use serde_json::{Value, json};

use crate::client::{Answer, Client};
use crate::open::{Books, account, balance, customer, merchant, number, own, text, user};
use crate::server::Server;
use crate::staff::{Person, Staff};

fn top_up(operator: &Client, account: &str, amount: i64) -> Answer {
    let body = json!({
        "account": account, "agreement": "A1", "mask": "622202******2230", "amount": amount, "currency": "CNY",
    });
    operator.post("/v1/top-ups", &body)
}

fn transfer(operator: &Client, from: &str, to: &str, amount: i64, factors: &str) -> Answer {
    let body = json!({"from": from, "to": to, "amount": amount, "currency": "CNY", "factors": factors});
    operator.post("/v1/transfers", &body)
}

/// Two of risk control, hired by the administrators; each of those approves one, as a code is good once.
pub(crate) fn risk(server: &Server, staff: &Staff) -> [Person; 2] {
    let hired =
        [("opr_5", "risk.one", &staff.first, &staff.second), ("opr_6", "risk.two", &staff.second, &staff.first)];
    hired.map(|(id, login, by, of)| {
        let register = json!({"kind": "operator", "action": "register", "login": login, "roles": ["risk"]});
        let proposed = by.propose(&register).ok();
        assert_eq!(text(&of.approve(&text(&proposed, "/id")).ok(), "/outcome"), id);
        Person::enrol(server, id)
    })
}

#[test]
fn a_top_up_is_there_when_the_channel_says_so() {
    let server = Server::start();
    let Books { operator, poor, .. } = &Books::open(&server);
    let asked = top_up(operator, poor, 70_000).ok();
    assert_eq!((text(&asked, "/status"), balance(operator, poor)), ("sent".into(), 0));
    let serial = text(&operator.get(&format!("/v1/attempts/{}", text(&asked, "/attempt"))).ok(), "/serial");
    let lines = json!([{"serial": serial, "kind": "debit", "amount": 70_000, "currency": "CNY"}]);
    let file = json!({"rail": "epcc", "date": "2026-03-05", "part": 1, "last": false, "lines": lines});
    assert_eq!(number(&operator.post("/v1/clearing", &file).ok(), "/matched"), 1);
    let done = operator.get(&format!("/v1/top-ups/{}", text(&asked, "/id")));
    assert_eq!((text(&done.ok(), "/status"), balance(operator, poor)), ("success".into(), 70_000));
    let listed =
        operator.get(&format!("/v1/top-ups?account={poor}&status=success&min_position={}", done.position())).ok();
    assert_eq!(listed["data"], json!([done.ok()]));
}

#[test]
fn bad_top_ups_and_transfers_are_refused_and_named() {
    let server = Server::start();
    let Books { operator, clearing, rich, poor, .. } = &Books::open(&server);
    let refused = |answer: Answer, status: u16, code: &str, param: &str| {
        assert_eq!(answer.error(), (status, code.to_owned(), param.to_owned()), "{}", answer.text());
    };
    refused(top_up(operator, "acc_999999", 1), 404, "account_unknown", "account");
    refused(top_up(operator, "konto", 1), 400, "field_malformed", "account");
    refused(top_up(operator, clearing, 1), 422, "subject_not_allowed", "account");
    refused(top_up(operator, poor, 0), 422, "amount_not_positive", "amount");
    let card = json!({"account": poor, "agreement": "A1", "mask": "6222020200112230", "amount": 1, "currency": "CNY"});
    refused(operator.post("/v1/top-ups", &card), 422, "value_invalid", "mask");
    refused(operator.get("/v1/top-ups/tup_9"), 404, "top_up_unknown", "top_up");
    refused(operator.get("/v1/top-ups?status=lost"), 400, "field_malformed", "status");
    refused(transfer(operator, rich, rich, 1, "two"), 422, "receiver_not_allowed", "to");
    refused(transfer(operator, rich, clearing, 1, "two"), 422, "subject_not_allowed", "to");
    refused(transfer(operator, rich, poor, 1, "three"), 400, "field_malformed", "factors");
    refused(transfer(operator, rich, poor, 100_001, "two"), 422, "insufficient_funds", "amount");
    refused(operator.get("/v1/transfers/trf_9"), 404, "transfer_unknown", "transfer");
    assert_eq!((balance(operator, rich), balance(operator, poor)), (100_000, 0));
}

#[test]
fn limits_bind_what_leaves_a_balance_and_two_people_set_them() {
    let server = Server::start();
    let books = Books::open(&server);
    let Books { operator, rich, poor, clearing } = &books;
    books.post("more", clearing, rich, 1_900_000).ok();
    let today = operator.get("/v1/limits").ok();
    assert_eq!((text(&today, "/date"), number(&today, "/limits/class_one")), ("2026-03-05".into(), 100_000));

    // A day with fewer than two factors: 1,000 yuan.
    let made = transfer(operator, rich, poor, 100_000, "fewer").ok();
    assert_eq!(operator.get(&format!("/v1/transfers/{}", text(&made, "/id"))).ok(), made);
    let over = transfer(operator, rich, poor, 1, "fewer");
    assert_eq!(over.error(), (422, "limit_exceeded".into(), "factors".into()));
    // Class I: 1,000 yuan since it was opened.
    let classed = operator.post(&format!("/v1/accounts/{poor}/class"), &json!({"class": "one"})).ok();
    assert_eq!((text(&classed, "/class"), number(&classed, "/since_opening")), ("one".into(), 0));
    transfer(operator, poor, rich, 99_999, "two").ok();
    let over = transfer(operator, poor, rich, 2, "two_with_certificate");
    assert!(over.text().contains("at most 1 is left"), "{}", over.text());
    let malformed = operator.post(&format!("/v1/accounts/{poor}/class"), &json!({"class": "four"}));
    assert_eq!(malformed.error(), (400, "field_malformed".into(), "class".into()));
    let of_account = operator.get(&format!("/v1/accounts/{poor}/limit")).ok();
    assert_eq!(number(&of_account, "/since_opening"), 99_999);
    let holder = text(&operator.get(&format!("/v1/accounts/{rich}")).ok(), "/owner");
    let holder = text(&operator.get(&format!("/v1/users/{holder}")).ok(), "/customer");
    let used = operator.get(&format!("/v1/customers/{holder}/limit-use")).ok();
    assert_eq!((number(&used, "/year_used"), number(&used, "/fewer_factors")), (100_000, 100_000));

    let staff = Staff::hire(&server);
    let [maker, checker] = risk(&server, &staff);
    let limits = json!({"class_one": 100_000, "class_two": 10_000_000, "class_three": 20_000_000,
        "two_factors": 500_000, "fewer_factors": 200_000});
    let policy = json!({"kind": "limit_policy", "from": "2026-03-05", "limits": limits});
    assert_eq!(staff.maker.propose(&policy).error().1, "role_missing");
    let mut late = policy.clone();
    late["from"] = json!("2026-03-04");
    assert_eq!(maker.propose(&late).error(), (422, "value_invalid".into(), "from".into()));
    let proposed = maker.propose(&policy).ok();
    assert_eq!(text(&checker.approve(&text(&proposed, "/id")).ok(), "/outcome"), "lmp_1");
    let set = operator.get("/v1/limit-policies/lmp_1").ok();
    assert_eq!((text(&set, "/operator"), text(&set, "/approver")), ("risk.one".into(), "risk.two".into()));
    assert_eq!(number(&operator.get("/v1/limits").ok(), "/limits/fewer_factors"), 200_000);
    transfer(operator, rich, poor, 100_000, "fewer").ok();
}

#[test]
fn who_is_blocked_takes_part_in_nothing_until_two_people_say_otherwise() {
    let server = Server::start();
    let Books { operator, rich, poor, .. } = &Books::open(&server);
    let holder = text(&operator.get(&format!("/v1/accounts/{poor}")).ok(), "/owner");
    let holder = text(&operator.get(&format!("/v1/users/{holder}")).ok(), "/customer");
    let staff = Staff::hire(&server);
    let [maker, checker] = risk(&server, &staff);
    let block = json!({"list": "customer", "key": holder, "reason": "case 2026-118", "source": "police"});
    assert_eq!(staff.maker.client.post("/v1/block-list", &block).error().0, 403, "an accountant may not");
    let entry = maker.client.post("/v1/block-list", &block).ok();
    assert_eq!((text(&entry, "/put_by"), &entry["in_force"]), ("risk.one".into(), &json!(true)));
    let refused = transfer(operator, rich, poor, 1, "two");
    assert_eq!(refused.error(), (422, "blocked".into(), "request".into()));
    assert!(!refused.text().contains("police"), "nobody learns by whose entry");

    let remove = json!({"kind": "remove_block", "entry": text(&entry, "/id"), "reason": "mistaken identity"});
    let proposed = maker.propose(&remove).ok();
    checker.approve(&text(&proposed, "/id")).ok();
    let removed = operator.get(&format!("/v1/block-list/{}", text(&entry, "/id"))).ok();
    assert_eq!((text(&removed, "/removed/approver"), &removed["in_force"]), ("risk.two".into(), &json!(false)));
    transfer(operator, rich, poor, 1, "two").ok();
}

#[test]
fn a_card_is_blocked_by_its_number_and_only_its_token_is_kept() {
    let server = Server::start();
    let Books { operator, rich, .. } = &Books::open(&server);
    let block = |body: &Value| operator.post("/v1/block-list", body);
    let card = json!({"list": "card", "number": "6222 0202 0011 2248", "reason": "stolen", "source": "network"});
    let made = block(&card);
    let entry = made.ok();
    let token = text(&entry, "/key");
    let beside = entry.to_string().replace(&token, "");
    assert!(token.starts_with("crd_") && !beside.contains("6222") && !token.contains("622202"), "{entry}");
    let to = json!({"type": "bank", "bank_account": {"account": "6222020200112248", "holder": "张三"}});
    let pay = json!({"account": rich, "to": to, "amount": 100, "currency": "CNY", "send_now": true});
    assert_eq!(operator.post("/v1/payouts", &pay).error().1, "blocked");
    let position = made.position();
    let list = format!("/v1/block-list?list=card&key={token}&removed=false&min_position={position}");
    let listed = operator.get(&list).ok();
    assert_eq!(text(&listed, "/data/0/id"), text(&entry, "/id"));

    for (body, param) in [
        (json!({"list": "people", "key": "x", "reason": "r", "source": "s"}), "list"),
        (json!({"list": "card", "reason": "r", "source": "s"}), "key"),
        (json!({"list": "device", "number": "6222020200112248", "reason": "r", "source": "s"}), "number"),
        (json!({"list": "customer", "key": "mch_1", "reason": "r", "source": "s"}), "key"),
        (json!({"list": "card", "number": "card seven", "reason": "r", "source": "s"}), "number"),
        (json!({"list": "device", "key": "d", "reason": "r", "source": "s", "until": "tomorrow"}), "until"),
    ] {
        assert_eq!(block(&body).error(), (400, "field_malformed".into(), param.into()), "{body}");
    }
    let number = json!({"list": "card", "key": "6222020200112248", "reason": "r", "source": "s"});
    assert_eq!(block(&number).error(), (422, "value_invalid".into(), "key".into()));
    assert_eq!(operator.get("/v1/block-list?list=people").error().2, "list");
    assert_eq!(operator.get("/v1/block-list/blk_9").error().1, "block_entry_unknown");
}

#[test]
fn a_merchant_transfers_from_its_own_account_alone() {
    let server = Server::start();
    let operator = server.operator();
    let agency = merchant(&operator, "agency", "王五", "110105194912310046");
    let person = account(&operator, 2201, "CNY", &user(&operator, &customer(&operator, "张三", "11010519491231002X")));
    let company = text(&agency, "/company");
    let clearing = own(&operator, 1121);
    operator.post("/v1/vouchers", &crate::open::voucher("in", &clearing, &company, 500)).ok();
    let client = crate::staff::client_of(&server, &text(&agency, "/id"));
    let made = transfer(&client, &company, &person, 200, "two_with_certificate").ok();
    assert_eq!((balance(&operator, &company), balance(&operator, &person)), (300, 200));
    assert_eq!(client.get(&format!("/v1/transfers/{}", text(&made, "/id"))).ok(), made);
    for answer in [
        transfer(&client, &person, &company, 1, "two"),
        top_up(&client, &person, 1),
        client.get(&format!("/v1/accounts/{person}/limit")),
        client.get("/v1/transfers"),
        client.get("/v1/block-list"),
        client.get("/v1/limit-policies"),
        client.get("/v1/notices"),
    ] {
        assert_eq!(answer.error().0, 403, "{}", answer.text());
    }
}
