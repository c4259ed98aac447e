//! Parent and child accounts as their callers meet them: links, roll-ups of today and of closed days, sweeps, rules, quotas.

use serde_json::{Value, json};

use crate::client::Client;
use crate::features::close;
use crate::open::{account, balance, entry, merchant, number, own, text};
use crate::server::Server;

/// A company with three accounts of 2206: 100,000 on the head, and 50,000 and 30,000 on two branches below it.
struct Company {
    operator: Client,
    merchant: Value,
    clearing: String,
    head: String,
    first: String,
    second: String,
    links: [String; 2],
    posted: std::cell::Cell<u64>,
}

impl Company {
    fn open(server: &Server) -> Self {
        let operator = server.operator();
        let merchant = merchant(&operator, "agency", "张三", "11010519491231002X");
        let (owner, head) = (text(&merchant, "/id"), text(&merchant, "/company"));
        let [first, second] = [(); 2].map(|()| account(&operator, 2206, "CNY", &owner));
        let link = |child: &str| {
            let body = json!({"parent": head, "child": child});
            text(&operator.post("/v1/tree-links", &body).ok(), "/id")
        };
        let links = [link(&first), link(&second)];
        let (clearing, posted) = (own(&operator, 1121), std::cell::Cell::new(0));
        let company = Self { operator, merchant, clearing, head, first, second, links, posted };
        for (account, amount) in [(&company.head, 100_000), (&company.first, 50_000), (&company.second, 30_000)] {
            company.fund(account, amount);
        }
        company
    }

    fn fund(&self, account: &str, amount: i64) {
        self.posted.set(self.posted.get() + 1);
        let entries = [entry(&self.clearing, "debit", amount), entry(account, "credit", amount)];
        let vouchers = [json!({"event": "top_up", "entries": entries})];
        let body = json!({"stream": "money", "number": self.posted.get(), "vouchers": vouchers});
        let answer = self.operator.send("POST", "/v1/postings", &[], body.to_string().as_bytes()).ok();
        assert_eq!(answer["refused"], json!([]), "{answer}");
    }

    fn roll_up(&self, account: &str, query: &str) -> Value {
        self.operator.get(&format!("/v1/accounts/{account}/roll-up{query}")).ok()
    }

    fn on_link(&self, at: usize, what: &str, body: &Value) -> crate::client::Answer {
        self.operator.post(&format!("/v1/tree-links/{}/{what}", self.links[at]), body)
    }
}

/// The one sum of a roll-up of one subject and currency.
#[track_caller]
fn sum(roll_up: &Value) -> i64 {
    assert_eq!(roll_up["roll_up"].as_array().map(Vec::len), Some(1), "{roll_up}");
    number(roll_up, "/roll_up/0/balance")
}

#[test]
fn a_closed_day_shows_the_tree_and_the_balances_that_were_then() {
    let server = Server::start();
    let company = Company::open(&server);
    let (head, first) = (&company.head, &company.first);
    let day = "?date=2026-03-05&tree=true";
    let open = company.roll_up(head, day);
    assert_eq!((text(&open, "/status"), sum(&open), number(&open, "/accounts")), ("open".into(), 180_000, 3));
    company.operator.post("/v1/days/cut", &json!({})).ok();
    let cut = company.roll_up(head, day);
    assert_eq!((&cut["roll_up"], &cut["tree"]), (&open["roll_up"], &open["tree"]));

    // The next day goes on: a branch leaves, another moves below it, and money moves.
    company.on_link(0, "end", &json!({})).ok();
    company.on_link(1, "end", &json!({})).ok();
    company.operator.post("/v1/tree-links", &json!({"parent": first, "child": company.second})).ok();
    company.fund(first, 777);
    let closed = close(&company.operator, "2026-03-05");
    assert_eq!(text(&closed, "/status"), "closed", "{closed}");
    let check = closed["checks"].as_array().unwrap().iter().find(|check| check["name"] == "roll_ups").unwrap();
    assert_eq!(check["detail"], "1 trees with 2 children roll up to their accounts");

    let after = company.roll_up(head, day);
    assert_eq!(text(&after, "/status"), "closed");
    assert_eq!((&after["roll_up"], &after["tree"]), (&open["roll_up"], &open["tree"]));
    assert_eq!(after["roll_up"][0]["held"], Value::Null, "what is held has no day");
    assert_eq!(sum(&company.roll_up(first, "?date=2026-03-05")), 50_000);
    assert_eq!((sum(&company.roll_up(head, "")), sum(&company.roll_up(first, ""))), (100_000, 80_777));
    assert_eq!(sum(&company.roll_up(first, "?date=2026-03-06")), 80_777);
    for (query, code) in [("?date=2026-03-07", "day_not_open"), ("?date=yesterday", "field_malformed")] {
        let refused = company.operator.get(&format!("/v1/accounts/{head}/roll-up{query}"));
        assert_eq!(refused.error().1, code);
    }
}

#[test]
fn money_is_swept_and_allocated_by_command_and_by_rule() {
    let server = Server::start();
    let company = Company::open(&server);
    let Company { operator, head, first, second, .. } = &company;
    let swept = company.on_link(0, "sweep", &json!({"keep": 20_000})).ok();
    assert_eq!((number(&swept, "/swept"), text(&swept, "/cause")), (30_000, "command".into()));
    assert_eq!(balance(operator, head), 130_000);
    let down = company.on_link(1, "allocate", &json!({"target": 35_000})).ok();
    assert_eq!((number(&down, "/allocated"), text(&down, "/lines/0/child")), (5_000, second.clone()));

    company.on_link(0, "rule", &json!({"kind": "sweep_all"})).ok();
    let rule = company.on_link(1, "rule", &json!({"kind": "top_up_to", "target": 40_000, "at": "23:00"})).ok();
    assert_eq!((text(&rule, "/rule/at"), text(&rule, "/rule/due")), ("23:00".into(), "2026-03-05T15:00:00Z".into()));
    let run = format!("/v1/accounts/{head}/tree-runs");
    let answer = operator.post(&run, &json!({"number": "night-1"})).ok();
    assert_eq!((number(&answer, "/swept"), number(&answer, "/allocated")), (20_000, 5_000));
    company.fund(first, 60);
    let again = operator.post(&run, &json!({"number": "night-1"})).ok();
    assert_eq!((again, balance(operator, first)), (answer, 60));

    // At 23:00 only the rule that says so runs: it finds nothing to do.
    operator.post("/v1/sandbox/clock", &json!({"now": "2026-03-05T23:00:00+08:00"})).ok();
    let runs = operator.get(&format!("/v1/tree-runs?parent={head}&cause=timer&min_position=1")).ok();
    let by_timer = operator.get("/v1/tree-runs/trn_4").ok();
    assert_eq!((text(&by_timer, "/cause"), text(&by_timer, "/made/operator")), ("timer".into(), "timer".into()));
    assert_eq!(by_timer["lines"].as_array().unwrap().len(), 1);
    assert_eq!(text(&by_timer, "/lines/0/skipped"), "nothing_to_move");
    assert!(runs["data"].as_array().unwrap().len() <= 1, "{runs}");
    let gone = company.on_link(1, "rule/remove", &json!({})).ok();
    assert_eq!(gone["rule"], Value::Null);
    let statement = format!("/v1/accounts/{head}/statement?from=2026-03-05&to=2026-03-05");
    let statement = operator.get(&statement).ok();
    let events: Vec<_> = statement["data"].as_array().unwrap().iter().map(|line| text(line, "/event")).collect();
    assert_eq!(events, ["top_up", "swept_up", "allocated_down", "swept_up", "allocated_down"]);
    assert_eq!(text(&statement, "/data/1/business"), "trn_1/1");
}

#[test]
fn a_quota_limits_what_leaves_a_child_and_shows_what_is_used() {
    let server = Server::start();
    let company = Company::open(&server);
    let link = company.on_link(0, "quota", &json!({"single": 1_000, "day": 1_500})).ok();
    assert_eq!((number(&link, "/quota/day"), &link["quota"]["month"]), (1_500, &Value::Null));
    let hold = |amount: i64| {
        let expires_at = "2026-03-05T18:00:00+08:00";
        let body = json!({"account": company.first, "amount": amount, "currency": "CNY", "expires_at": expires_at});
        company.operator.post("/v1/holds", &body)
    };
    assert_eq!(hold(1_001).error(), (422, "quota_exceeded".into(), "amount".into()));
    let held = hold(900).ok();
    assert_eq!(hold(601).error().1, "quota_exceeded");
    let children = format!("/v1/accounts/{}/children", company.head);
    let seen = company.operator.get(&children).ok();
    assert_eq!(text(&seen, "/data/0/account/id"), company.first);
    assert_eq!(number(&seen, "/data/0/link/quota/used_today"), 900);
    assert_eq!((number(&seen, "/data/0/account/available"), &seen["parent"]), (49_100, &Value::Null));
    company.operator.post(&format!("/v1/holds/{}/cancel", text(&held, "/id")), &json!({})).ok();
    assert_eq!(number(&company.operator.get(&children).ok(), "/data/0/link/quota/used_this_month"), 0);
    company.on_link(0, "quota/remove", &json!({})).ok();
    hold(40_000).ok();
}

#[test]
fn what_does_not_fit_a_tree_is_refused() {
    let server = Server::start();
    let company = Company::open(&server);
    let Company { operator, head, first, .. } = &company;
    let other = text(&merchant(operator, "agency", "李四", "110105194912310038"), "/company");
    let link = |parent: &str, child: &str, agreement: Value| {
        operator.post("/v1/tree-links", &json!({"parent": parent, "child": child, "agreement": agreement})).error()
    };
    let pooled = json!("pooling agreement 2026-7");
    for (parent, child, agreement, error) in [
        (first, head, Value::Null, (422, "tree_shape", "child")),
        (&other, first, Value::Null, (422, "link_agreement_needed", "agreement")),
        (head, &other, pooled, (422, "approval_required", "approval")),
        (head, first, Value::Null, (422, "account_linked", "child")),
        (head, &company.clearing, Value::Null, (422, "subject_not_allowed", "child")),
        (head, &"acc_9999".to_owned(), Value::Null, (404, "account_unknown", "child")),
        (head, &"konto".to_owned(), Value::Null, (400, "field_malformed", "child")),
    ] {
        assert_eq!(link(parent, child, agreement), (error.0, error.1.into(), error.2.into()));
    }
    for (what, body, code, param) in [
        ("sweep", json!({"amount": 5, "keep": 5}), "field_malformed", "keep"),
        ("sweep", json!({"amount": 50_001}), "insufficient_funds", "amount"),
        ("sweep", json!({"amount": 0}), "amount_not_positive", "amount"),
        ("sweep", json!({"keep": 50_000}), "nothing_to_move", "amount"),
        ("allocate", json!({}), "field_malformed", "amount"),
        ("rule", json!({"kind": "sweep_above"}), "field_malformed", "keep"),
        ("rule", json!({"kind": "sweep_all", "at": "25:00"}), "field_malformed", "at"),
        ("rule", json!({"kind": "sweep_all", "minimum": 0}), "value_invalid", "minimum"),
        ("quota", json!({}), "value_invalid", "quota"),
        ("quota", json!({"day": 5, "month": 4}), "value_invalid", "month"),
        ("end", json!({"now": true}), "field_unknown", "now"),
    ] {
        let error = company.on_link(0, what, &body).error();
        assert_eq!((error.1.as_str(), error.2.as_str()), (code, param), "{what} {body}");
    }
    let empty = operator.post(&format!("/v1/accounts/{head}/tree-runs"), &json!({"number": " "}));
    assert_eq!(empty.error().1, "value_invalid");
    assert_eq!(operator.post(&format!("/v1/accounts/{head}/close"), &json!({})).error().1, "account_not_empty");
    for (target, code) in [
        ("/v1/tree-links/lnk_9", "tree_link_unknown"),
        ("/v1/tree-runs/trn_9", "tree_run_unknown"),
        ("/v1/accounts/acc_9999/children", "account_unknown"),
        ("/v1/accounts/acc_9999/roll-up", "account_unknown"),
        ("/v1/tree-links?status=cut", "field_malformed"),
        ("/v1/tree-runs?cause=moon", "field_malformed"),
    ] {
        assert_eq!(operator.get(target).error().1, code, "{target}");
    }
    company.on_link(0, "end", &json!({})).ok();
    assert_eq!(company.on_link(0, "sweep", &json!({})).error().1, "tree_link_ended");
}

#[test]
fn a_merchant_sees_its_own_tree_and_changes_none() {
    let server = Server::start();
    let company = Company::open(&server);
    let client = |merchant: &str| {
        let key = company.operator.post(&format!("/v1/merchants/{merchant}/key"), &json!({})).ok();
        Client::new(server.address(), merchant, ark::MacKey::from_hex(&text(&key, "/secret")).unwrap())
    };
    let own = client(&text(&company.merchant, "/id"));
    let stranger = merchant(&company.operator, "agency", "李四", "110105194912310038");
    let stranger = client(&text(&stranger, "/id"));
    company.on_link(0, "sweep", &json!({"amount": 5})).ok();
    let head = &company.head;
    for target in [
        format!("/v1/accounts/{head}/roll-up?tree=true"),
        format!("/v1/accounts/{head}/children"),
        format!("/v1/tree-links/{}", company.links[0]),
        "/v1/tree-runs/trn_1".to_owned(),
    ] {
        own.get(&target).ok();
        assert_eq!(stranger.get(&target).error().1, "not_permitted", "{target}");
    }
    for target in ["/v1/tree-links", "/v1/tree-runs"] {
        assert_eq!(own.get(target).error().1, "not_permitted", "{target}");
    }
    let [link, run] = [&company.links[0], head];
    for (target, body) in [
        (format!("/v1/tree-links/{link}/sweep"), json!({})),
        (format!("/v1/tree-links/{link}/allocate"), json!({"amount": 5})),
        (format!("/v1/tree-links/{link}/rule"), json!({"kind": "sweep_all"})),
        (format!("/v1/tree-links/{link}/rule/remove"), json!({})),
        (format!("/v1/tree-links/{link}/quota"), json!({"day": 5})),
        (format!("/v1/tree-links/{link}/quota/remove"), json!({})),
        (format!("/v1/tree-links/{link}/end"), json!({})),
        (format!("/v1/accounts/{run}/tree-runs"), json!({"number": "1"})),
        ("/v1/tree-links".to_owned(), json!({"parent": head, "child": company.first})),
    ] {
        assert_eq!(own.post(&target, &body).error().1, "not_permitted", "{target}");
    }
}

#[test]
fn a_tree_is_drawn_and_pooled_on_the_command_line() {
    let server = Server::start();
    let company = Company::open(&server);
    let Company { head, first, second, links, .. } = &company;
    let printed = |arguments: &[&str]| {
        let output = server.lintel(arguments);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let drawn = format!(
        "now\n{head} 2206 1000.00 CNY   Σ 2206 1800.00 CNY\n├─ {first} 2206 500.00 CNY\n└─ {second} 2206 300.00 CNY\n"
    );
    assert_eq!(printed(&["tree", "show", head]), drawn);
    let past = printed(&["tree", "show", head, "--date", "2026-03-05"]);
    assert_eq!(past, drawn.replace("now", "at the end of 2026-03-05 (open)"));
    let quota = printed(&["tree", "quota", &links[0], "--day", "1500"]);
    assert!(quota.contains("single none, day 1500 (used 0), month none (used 0)"), "{quota}");
    let rule = printed(&["tree", "rule", &links[0], "--kind", "sweep_above", "--keep", "20000"]);
    assert!(rule.contains("sweep_above"), "{rule}");
    let run = printed(&["tree", "run", head, "--number", "1"]);
    assert!(run.contains("300.00 CNY") && run.contains("rules"), "{run}");
    let sweep = printed(&["tree", "sweep", &links[1], "--amount", "100"]);
    assert!(sweep.contains("1.00 CNY") && sweep.contains("sweep"), "{sweep}");
    let down = printed(&["tree", "allocate", &links[1], "--target", "30000"]);
    assert!(down.contains("1.00 CNY") && down.contains("allocate"), "{down}");
    assert!(printed(&["tree", "rule", &links[0], "--remove"]).contains("linked"));
    assert!(printed(&["tree", "quota", &links[0], "--remove"]).contains("linked"));
    assert!(printed(&["tree", "unlink", &links[0]]).contains("ended"));
    assert!(printed(&["tree", "link", "--parent", second, "--child", first]).contains("linked"));
    printed(&["tree", "links", "--parent", head]);
    printed(&["tree", "runs", "--parent", head]);
    let help = printed(&["tree", "--help"]);
    assert!(help.contains("lintel tree show acc_42"), "{help}");
}
