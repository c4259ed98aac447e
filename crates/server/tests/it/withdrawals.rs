//! Automatic withdrawals over HTTP: plans, batches, what is tried again, and the incident of 225. No channel is configured:
//! the clearing file answers what was asked of the network.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::client::{Answer, Client};
use crate::open::{account, balance, customer, merchant, number, own, text, user};
use crate::server::Server;

const TODAY: &str = "2026-03-05";

fn bank(account: &str) -> Value {
    json!({"account": account, "bank": {"name": "Bank of Shanghai", "code": "313290000017"}})
}

fn run(operator: &Client, number: u32, enriched: &[Value]) -> Answer {
    operator.post("/v1/withdrawal-batches", &json!({"date": TODAY, "number": number, "enriched": enriched}))
}

/// A plan to an own bank account of the holder.
fn plan(operator: &Client, account: &str, holder: &str) -> Answer {
    let to = json!({"type": "bank", "bank_account": {"account": "6222020200112248", "holder": holder}});
    let terms = json!({"keep": 0, "minimum": 100, "fee": 0});
    operator.post("/v1/withdrawal-plans", &json!({"account": account, "to": to, "terms": terms}))
}

/// Due, made, waiting, refused, taken up.
fn counts(batch: &Value) -> [i64; 5] {
    ["/due", "/made", "/waiting", "/refused", "/taken_up"].map(|pointer| number(batch, pointer))
}

/// Everything of a list that fits a page, as of now.
fn all(operator: &Client, list: &str) -> Vec<Value> {
    let position = number(&operator.get("/health/ready").ok(), "/position");
    let join = if list.contains('?') { '&' } else { '?' };
    operator.get(&format!("{list}{join}limit=500&min_position={position}")).ok()["data"].as_array().unwrap().clone()
}

/// The serial and the amount of each payment that the network has.
fn sent(operator: &Client) -> Vec<(String, i64)> {
    let payouts = all(operator, "/v1/payouts?status=sent");
    let serial = |payout: &Value| {
        let attempt = operator.get(&format!("/v1/attempts/{}", text(payout, "/attempt"))).ok();
        (text(&attempt, "/serial"), number(payout, "/amount"))
    };
    payouts.iter().map(serial).collect()
}

/// A part of the network's file of the day: all of these were debited (`debit`) or paid (`pay`).
fn cleared(operator: &Client, part: u32, kind: &str, done: &[(String, i64)]) -> Value {
    let line =
        |(serial, amount): &(String, i64)| json!({"serial": serial, "kind": kind, "amount": amount, "currency": "CNY"});
    let lines: Vec<_> = done.iter().map(line).collect();
    let file = json!({"rail": "epcc", "date": TODAY, "part": part, "last": false, "lines": lines});
    operator.post("/v1/clearing", &file).ok()
}

/// Asks for a top-up of 1,000 yuan: its serial and amount.
fn tops_up(operator: &Client, account: &str) -> (String, i64) {
    let body = json!({
        "account": account, "agreement": "A1", "mask": "622202******2230", "amount": 100_000, "currency": "CNY",
    });
    let attempt = text(&operator.post("/v1/top-ups", &body).ok(), "/attempt");
    (text(&operator.get(&format!("/v1/attempts/{attempt}")).ok(), "/serial"), 100_000)
}

/// A person with 1,000 yuan.
fn wallet(operator: &Client) -> String {
    let account = account(operator, 2201, "CNY", &user(operator, &customer(operator, "张三", "11010519491231002X")));
    cleared(operator, 1, "debit", &[tops_up(operator, &account)]);
    account
}

/// The people of the incident with their accounts and plans; four at a time, as each asks the server five things.
fn people(server: &Server, count: usize) -> Vec<String> {
    let operator = server.operator();
    let name = |at: usize| format!("客{at}");
    let customers: Vec<_> = (0..count)
        .map(|at| {
            json!({"kind": "person", "name": name(at), "phone": "13800001234",
            "certificate": {"type": "passport", "number": format!("E{:08}", at + 10_000_000)}})
        })
        .collect();
    let made = operator.post("/v1/customers/batch", &json!({"customers": customers})).ok();
    let ids: Vec<_> = (0..count).map(|at| text(&made, &format!("/data/{at}/id"))).collect();
    let open = |at: usize| {
        let operator = server.operator();
        let account = account(&operator, 2201, "CNY", &user(&operator, &ids[at]));
        plan(&operator, &account, &name(at)).ok();
        let asked = tops_up(&operator, &account);
        (account, asked)
    };
    let workers = 4;
    let (accounts, asked): (Vec<_>, Vec<_>) = std::thread::scope(|scope| {
        let work = |worker| move || (worker..count).step_by(workers).map(open).collect::<Vec<_>>();
        let running: Vec<_> = (0..workers).map(|worker| scope.spawn(work(worker))).collect();
        running.into_iter().flat_map(|worker| worker.join().unwrap()).unzip()
    });
    assert_eq!(usize::try_from(number(&cleared(&operator, 1, "debit", &asked), "/matched")), Ok(count));
    accounts
}

#[test]
fn the_incident_225_due_with_the_enrichment_down_are_paid_once_by_the_next_batch_and_told_once() {
    let server = Server::start();
    let operator = server.operator();
    let accounts = people(&server, 225);
    let due = operator.get("/v1/withdrawal-batches/due").ok();
    assert_eq!((due["data"].as_array().unwrap().len(), &due["more"]), (225, &json!(false)));

    // Half of the service answers nothing, half of the rest an empty name, as it once did.
    let half_down = accounts.iter().enumerate().filter_map(|(at, account)| match at % 4 {
        0 | 1 => None,
        2 => Some(json!({"account": account, "bank": null})),
        _ => Some(json!({"account": account, "bank": {"name": "", "code": "313290000017"}})),
    });
    let first = run(&operator, 1, &half_down.collect::<Vec<_>>()).ok();
    assert_eq!(counts(&first), [225, 0, 225, 0, 0]);
    for list in ["/v1/payouts", "/v1/withdrawals", "/v1/notices"] {
        assert_eq!(all(&operator, list), Vec::<Value>::new(), "{list}: none was sent, none failed, nobody was told");
    }

    let answers: Vec<_> = accounts.iter().map(|account| bank(account)).collect();
    assert_eq!(counts(&run(&operator, 2, &answers).ok()), [225, 225, 0, 0, 0]);
    let paid = sent(&operator);
    let serials: BTreeSet<_> = paid.iter().map(|(serial, _)| serial).collect();
    assert_eq!((serials.len(), paid.iter().map(|(_, amount)| amount).sum()), (225, 22_500_000));
    assert!(all(&operator, "/v1/notices").is_empty(), "what is on its way is not told");
    let payouts = all(&operator, "/v1/payouts");
    assert!(payouts.iter().all(|payout| text(payout, "/bank/name") == "Bank of Shanghai"), "each names its bank");

    assert_eq!(number(&cleared(&operator, 2, "pay", &paid), "/matched"), 225);
    assert_eq!(counts(&run(&operator, 3, &answers).ok()), [0; 5], "nothing is paid twice");
    assert_eq!(all(&operator, "/v1/withdrawals?status=success").len(), 225);
    let notices = all(&operator, "/v1/notices");
    let told: BTreeSet<_> = notices.iter().map(|notice| text(notice, "/customer")).collect();
    assert_eq!((told.len(), notices.len()), (225, 225), "each was told once");
    assert!(notices.iter().all(|notice| text(notice, "/kind") == "withdrawal_succeeded"));
    assert!(accounts.iter().step_by(50).all(|account| balance(&operator, account) == 0));
}

#[test]
fn a_plan_is_made_changed_suspended_resumed_and_ended() {
    let server = Server::start();
    let operator = server.operator();
    let account = wallet(&operator);
    let made = plan(&operator, &account, "张三").ok();
    let path = format!("/v1/withdrawal-plans/{}", text(&made, "/id"));
    assert_eq!(
        (text(&made, "/status"), text(&made, "/bank_account/account")),
        ("active".into(), "622202******2248".into())
    );
    let terms = json!({"terms": {"keep": 20_000, "minimum": 1, "fee": 100}});
    let changed = operator.post(&format!("{path}/change"), &terms).ok();
    assert_eq!((number(&changed, "/terms/keep"), text(&changed, "/changed_by")), (20_000, "operator".into()));
    let due = operator.get(&format!("/v1/withdrawal-batches/due?date={TODAY}")).ok();
    assert_eq!(number(&due, "/data/0/amount"), 79_900);
    let suspended = operator.post(&format!("{path}/suspend"), &json!({})).ok();
    assert_eq!(suspended["allowed_actions"], json!(["change", "resume", "end"]));
    assert_eq!(operator.get("/v1/withdrawal-batches/due").ok()["data"], json!([]));
    let again = operator.post(&format!("{path}/suspend"), &json!({}));
    assert_eq!(again.error(), (422, "withdrawal_plan_state".into(), "plan".into()));
    operator.post(&format!("{path}/resume"), &json!({})).ok();
    let ended = operator.post(&format!("{path}/end"), &json!({})).ok();
    assert_eq!((text(&ended, "/status"), &ended["allowed_actions"]), ("ended".into(), &json!([])));
    assert_eq!(operator.get(&path).ok(), ended);
    assert_eq!(all(&operator, &format!("/v1/withdrawal-plans?account={account}&status=ended")), [ended]);
}

#[test]
fn bad_plans_batches_and_rules_are_refused_and_named() {
    let server = Server::start();
    let operator = server.operator();
    let wallet = wallet(&operator);
    let refused = |answer: Answer, status: u16, code: &str, param: &str| {
        assert_eq!(answer.error(), (status, code.to_owned(), param.to_owned()), "{}", answer.text());
    };
    refused(plan(&operator, &wallet, "李四"), 422, "receiver_not_allowed", "to");
    refused(plan(&operator, &own(&operator, 1121), "张三"), 422, "subject_not_allowed", "account");
    let body = |to: Value, minimum: i64| {
        json!({
            "account": wallet, "to": to, "terms": {"keep": 0, "minimum": minimum, "fee": 0},
        })
    };
    let settlement = json!({"type": "settlement"});
    refused(operator.post("/v1/withdrawal-plans", &body(settlement, 1)), 422, "receiver_not_allowed", "to");
    let short = json!({"type": "bank", "bank_account": {"account": "62", "holder": "张三"}});
    let answer = operator.post("/v1/withdrawal-plans", &body(short, 1));
    refused(answer, 400, "field_malformed", "to.bank_account.account");
    plan(&operator, &wallet, "张三").ok();
    refused(plan(&operator, &wallet, "张三"), 409, "already_exists", "account");
    let change = json!({"terms": {"keep": -1, "minimum": 1, "fee": 0}});
    refused(operator.post("/v1/withdrawal-plans/wpl_1/change", &change), 422, "value_invalid", "keep");
    refused(operator.post("/v1/withdrawal-plans/wpl_9/end", &json!({})), 404, "withdrawal_plan_unknown", "plan");

    refused(run(&operator, 2, &[]), 422, "value_invalid", "number");
    refused(run(&operator, 1, &[bank(&wallet), bank(&wallet)]), 422, "value_invalid", "enriched");
    refused(run(&operator, 1, &[bank("acc")]), 400, "field_malformed", "enriched[0].account");
    let tomorrow = json!({"date": "2026-03-06", "number": 1, "enriched": []});
    refused(operator.post("/v1/withdrawal-batches", &tomorrow), 422, "day_not_open", "date");
    run(&operator, 1, &[]).ok();
    refused(run(&operator, 1, &[]), 409, "already_exists", "number");
    refused(operator.get("/v1/withdrawal-batches/wba_9"), 404, "withdrawal_batch_unknown", "batch");
    refused(operator.post("/v1/retry-rules", &json!({"code": "", "retryable": true})), 422, "value_invalid", "code");
    refused(operator.get("/v1/retry-rules/rtr_9"), 404, "retry_rule_unknown", "rule");
    refused(operator.get("/v1/withdrawals/wdr_9"), 404, "withdrawal_unknown", "withdrawal");
    refused(operator.get("/v1/withdrawals?status=lost"), 400, "field_malformed", "status");
    refused(operator.get("/v1/notices/ntc_9"), 404, "notice_unknown", "notice");
    refused(operator.get("/v1/bank-cards/bcd_9"), 404, "bank_card_unknown", "card");
    refused(operator.post("/v1/bank-cards/bcd_9/verify", &json!({})), 404, "bank_card_unknown", "card");
    refused(operator.get("/v1/bank-cards?verified=perhaps"), 400, "field_malformed", "verified");
}

#[test]
fn a_card_that_sent_money_back_is_verified_before_the_next_withdrawal() {
    let server = Server::start();
    let operator = server.operator();
    let wallet = wallet(&operator);
    let planned = plan(&operator, &wallet, "张三").ok();
    let made = run(&operator, 1, &[bank(&wallet)]).ok();
    assert_eq!(counts(&made), [1, 1, 0, 0, 0]);
    cleared(&operator, 2, "pay", &sent(&operator));
    let back = json!({"reference": "RT1", "date": "2026-03-05"});
    let returned = operator.post("/v1/payouts/pay_1/return", &back).ok();
    assert_eq!((text(&returned, "/card"), balance(&operator, &wallet)), (text(&planned, "/card"), 100_000));
    assert_eq!(text(&operator.get("/v1/withdrawals/wdr_1").ok(), "/status"), "returned");
    let kinds: Vec<_> = all(&operator, "/v1/notices?withdrawal=wdr_1").iter().map(|it| text(it, "/kind")).collect();
    assert_eq!(kinds, ["withdrawal_succeeded", "withdrawal_returned"]);

    operator.post("/v1/sandbox/clock", &json!({"now": "2026-03-06T09:00:00+08:00"})).ok();
    operator.post("/v1/days/cut", &json!({"next": "2026-03-06"})).ok();
    let batch = |number: u32| {
        let body = json!({"date": "2026-03-06", "number": number, "enriched": [bank(&wallet)]});
        operator.post("/v1/withdrawal-batches", &body).ok()
    };
    let stopped = batch(1);
    assert_eq!((counts(&stopped), text(&stopped, "/refusals/0/code")), ([1, 0, 0, 1, 0], "card_stopped".into()));
    let cards = all(&operator, "/v1/bank-cards?verified=false");
    assert_eq!((cards.len(), text(&cards[0], "/payout")), (1, "pay_1".into()));
    let output = server.lintel(&["bank-card", "verify", "bcd_1", "--json"]);
    let verified: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((text(&verified, "/status"), text(&verified, "/verified/by")), ("verified".into(), "operator".into()));
    assert_eq!(counts(&batch(2)), [1, 1, 0, 0, 0]);
}

#[test]
fn a_merchant_sees_and_changes_its_own_plan_and_sets_no_fee() {
    let server = Server::start();
    let operator = server.operator();
    let landlord = merchant(&operator, "landlord", "王五", "110105194912310046");
    let foreign = wallet(&operator);
    let client = crate::staff::client_of(&server, &text(&landlord, "/id"));
    let body = |account: &str, fee: i64| {
        json!({
            "account": account, "to": {"type": "settlement"}, "terms": {"keep": 0, "minimum": 1, "fee": fee},
        })
    };
    let available = text(&landlord, "/available");
    assert_eq!(client.post("/v1/withdrawal-plans", &body(&available, 1)).error().0, 403, "the institution sets fees");
    assert_eq!(client.post("/v1/withdrawal-plans", &body(&foreign, 0)).error().0, 403, "another's account");
    let made = client.post("/v1/withdrawal-plans", &body(&available, 0)).ok();
    assert_eq!((text(&made, "/to"), &made["bank_account"]), ("settlement".into(), &Value::Null));
    let path = format!("/v1/withdrawal-plans/{}", text(&made, "/id"));
    client.post(&format!("{path}/suspend"), &json!({})).ok();
    plan(&operator, &foreign, "张三").ok();
    for answer in [
        client.get("/v1/withdrawal-plans/wpl_2"),
        client.post("/v1/withdrawal-plans/wpl_2/end", &json!({})),
        client.get("/v1/withdrawal-batches/due"),
        run(&client, 1, &[]),
        client.post("/v1/retry-rules", &json!({"code": "51", "retryable": true})),
        client.post("/v1/bank-cards/bcd_1/verify", &json!({})),
    ] {
        assert_eq!(answer.error().0, 403, "{}", answer.text());
    }
}

#[test]
fn the_command_line_shows_what_the_api_answers() {
    let server = Server::start();
    let operator = server.operator();
    let wallet = wallet(&operator);
    plan(&operator, &wallet, "张三").ok();
    let file = server.directory().join("banks.json");
    std::fs::write(&file, json!([bank(&wallet)]).to_string()).unwrap();
    let lintel = |arguments: &[&str]| {
        let output = server.lintel(&[arguments, &["--json"]].concat());
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let run = ["withdrawal", "run", "--date", TODAY, "--number", "1", file.to_str().unwrap()];
    assert_eq!(counts(&lintel(&run)), [1, 1, 0, 0, 0]);
    let rule = lintel(&["withdrawal", "retry-rule", "PB520008", "--retryable", "false"]);
    assert_eq!(operator.get("/v1/retry-rules/rtr_1").ok(), rule);
    let entry = ["block-list", "add", "device", "phone-7", "--reason", "fraud", "--source", "police"];
    let entry = lintel(&entry);
    assert_eq!(operator.get("/v1/block-list/blk_1").ok(), entry);
    assert_eq!(text(&lintel(&["limit", "class", &wallet, "two"]), "/class"), "two");
    all(&operator, "/v1/withdrawals");
    let holder = text(&operator.get("/v1/customers?min_position=1").ok(), "/data/0/id");
    let cases: [(&[&str], String); 10] = [
        (&["withdrawal", "show", "wdr_1"], "/v1/withdrawals/wdr_1".into()),
        (&["withdrawal", "list", "--status", "trying"], "/v1/withdrawals?status=trying".into()),
        (&["withdrawal", "plans"], "/v1/withdrawal-plans".into()),
        (&["withdrawal", "due"], "/v1/withdrawal-batches/due".into()),
        (&["withdrawal", "batch", "wba_1"], "/v1/withdrawal-batches/wba_1".into()),
        (&["withdrawal", "notices"], "/v1/notices".into()),
        (&["limit", "show"], "/v1/limits".into()),
        (&["limit", "account", &wallet], format!("/v1/accounts/{wallet}/limit")),
        (&["limit", "customer", &holder], format!("/v1/customers/{holder}/limit-use")),
        (&["block-list", "list", "--list", "device"], "/v1/block-list?list=device".into()),
    ];
    for (arguments, target) in cases {
        assert_eq!(lintel(arguments), operator.get(&target).ok(), "{arguments:?}");
    }
    let output = server.lintel(&["withdrawal", "show", "wdr_1"]);
    assert!(String::from_utf8(output.stdout).unwrap().contains("1000.00 CNY"));
}
