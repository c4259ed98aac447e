//! Payments that name no channel: rules choose, a definite failure goes on, rates by channel show all of it. No channel is asked
//! here: the clearing file answers, and a settled attempt is enough.

use std::path::PathBuf;
use std::process::Output;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::keys::metric;
use crate::open::{number, text};
use crate::orders::Market;
use crate::server::{Server, lintel};

const KEY: &str = "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";
const RULES: &str = r#"
[costs.epcc]
fixed = 30
[costs.unionpay]
rate = 600

[[rules]]
name = "credit"
instruments = ["credit_card"]
channels = ["unionpay"]

[[rules]]
name = "icbc"
banks = ["102"]
amount_from = 10000
channels = ["epcc", "unionpay"]
prefer = "success"
min_tries = 2
cascade = true

[[rules]]
name = "rest"
channels = ["epcc", "unionpay"]
prefer = "cost"
"#;

fn written(directory: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = directory.path().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// A platform with two channels at addresses where nobody is, and these rules.
fn start(rules: &str) -> Server {
    let directory = TempDir::new().unwrap();
    let path = settings(&directory, rules);
    Server::start_in(directory, &[], vec![("LINTEL_CONFIG".to_owned(), path.into_os_string())])
}

fn settings(directory: &TempDir, rules: &str) -> PathBuf {
    let file = written(directory, "routing.toml", rules);
    let channel = |name: &str, rail: &str| {
        format!(
            "[[channels]]\nname = \"{name}\"\nurl = \"http://127.0.0.1:9\"\n[channels.settings]\nrail = \"{rail}\"\n\
             institution = \"lintel\"\nkey = \"{KEY}\"\n"
        )
    };
    let both = channel("sandbox_bank", "epcc") + &channel("sandbox_bank", "unionpay");
    written(directory, "lintel.toml", &format!("{both}[routing]\nfile = \"{}\"\n", file.display()))
}

fn card(bank: &str, amount: i64) -> Value {
    let agreements = json!({"epcc": "A1", "unionpay": "U7"});
    json!({"type": "card", "agreements": agreements, "bank": bank, "mask": "622202******2230", "amount": amount})
}

/// Pays a new order; its first leg.
fn pays(market: &Market, name: &str, instrument: &Value, amount: i64) -> Value {
    let order = text(&market.order(name, amount).ok(), "/id");
    let body = json!({"instruments": [instrument]});
    market.operator.post(&format!("/v1/orders/{order}/pay"), &body).ok()["legs"][0].clone()
}

#[test]
fn rules_choose_the_channel_of_a_payment_that_names_none() {
    let server = start(RULES);
    let market = Market::open(&server);
    let rail = |name: &str, instrument: &Value, amount| text(&pays(&market, name, instrument, amount), "/rail");
    assert_eq!(rail("R1", &card("102", 20_000), 20_000), "epcc", "nothing is known yet: as listed");
    assert_eq!(rail("R2", &card("105", 20_000), 20_000), "unionpay", "12 is less than 30");
    assert_eq!(rail("R3", &card("105", 60_000), 60_000), "epcc", "30 is less than 36");
    let mut credit = card("105", 60_000);
    credit["credit"] = json!(true);
    assert_eq!(rail("R4", &credit, 60_000), "unionpay");
    let named =
        json!({"type": "card", "agreement": "A1", "mask": "622202******2230", "rail": "unionpay", "amount": 60_000});
    assert_eq!(rail("R5", &named, 60_000), "unionpay", "who names a channel goes there");
    assert!((metric(&market.operator, "lintel_routed_total{rule=\"rest\"}") - 2.0).abs() < 0.5);

    let order = text(&market.order("R6", 700).ok(), "/id");
    let neither = json!({"type": "card", "mask": "622202******2230", "amount": 700});
    let refused = market.operator.post(&format!("/v1/orders/{order}/pay"), &json!({"instruments": [neither]}));
    assert_eq!(refused.error(), (400, "field_malformed".into(), "instruments[0].agreement".into()));
    let mut elsewhere = card("102", 700);
    elsewhere["agreements"] = json!({"visa": "V1"});
    let refused = market.operator.post(&format!("/v1/orders/{order}/pay"), &json!({"instruments": [elsewhere]}));
    assert_eq!(refused.error().1, "field_malformed");
}

#[test]
fn a_running_platform_says_where_a_payment_would_go_now() {
    let server = start(RULES);
    let market = Market::open(&server);
    let leg = pays(&market, "R1", &card("102", 20_000), 20_000);
    market.cleared("2026-03-05", 1, &market.serial(&text(&leg, "/open_attempt")), "debit", 20_000);
    // What is known of channels may be ten seconds old.
    let began = std::time::Instant::now();
    let now = loop {
        let now = market.operator.get("/v1/routes?instrument=debit_card&bank=102&amount=20000").ok();
        if now["success"] != json!([]) || began.elapsed().as_secs() > 30 {
            break now;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    };
    assert_eq!((&now["rule"], &now["channels"]), (&json!("icbc"), &json!(["epcc", "unionpay"])), "{now}");
    let rate = json!({"numerator": 1, "denominator": 1, "percent": "100.000"});
    assert_eq!(now["success"], json!([{"channel": "epcc", "effective": rate}]));
    let rest = market.operator.get("/v1/routes?instrument=debit_card&bank=105&amount=20000&offered=epcc").ok();
    assert_eq!((&rest["rule"], &rest["channels"]), (&json!("rest"), &json!(["epcc"])), "{rest}");
    assert!(rest["rules"].as_array().unwrap().iter().any(|rule| rule["matched"] == json!(false)), "{rest}");
    let wrong = |target: &str| market.operator.get(target).error();
    assert_eq!(wrong("/v1/routes?instrument=cash&amount=1").2, "instrument");
    assert_eq!(wrong("/v1/routes?instrument=redirect&amount=0").2, "amount");
    assert_eq!(wrong("/v1/routes?instrument=redirect&amount=1&bank=ICBC").2, "bank");
    assert_eq!(wrong("/v1/routes?instrument=redirect&amount=1&offered=visa").2, "offered");

    let shown = server.lintel(&["route", "now", "--instrument", "credit_card", "--amount", "60000"]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("to unionpay (by rule 'credit')"), "{shown}");
}

#[test]
fn rates_by_channel_and_bank_have_numerator_denominator_and_classes() {
    let server = start(RULES);
    let market = Market::open(&server);
    let leg = pays(&market, "R1", &card("102", 20_000), 20_000);
    let serial = market.serial(&text(&leg, "/open_attempt"));
    let cleared = market.cleared("2026-03-05", 1, &serial, "debit", 20_000);
    let ask = |query: &str| market.operator.get(&format!("/v1/rates/channels?{query}")).ok();
    let began = std::time::Instant::now();
    let found = loop {
        let found = ask("by=channel,product,bank&direction=in");
        if found["data"].as_array().is_some_and(|rows| !rows.is_empty()) || began.elapsed().as_secs() > 30 {
            break found;
        }
    };
    let row = &found["data"][0];
    let [channel, product, bank] = ["/channel", "/product", "/bank"].map(|pointer| text(row, pointer));
    assert_eq!((channel.as_str(), product.as_str(), bank.as_str()), ("epcc", "rent", "102"), "{cleared}");
    let numbers =
        ["/tries", "/success", "/failures/bank", "/unknown", "/effective/numerator", "/effective/denominator"];
    assert_eq!(numbers.map(|pointer| number(row, pointer)), [1, 1, 0, 0, 1, 1]);
    assert_eq!((text(row, "/effective/percent"), &row["date"]), ("100.000".into(), &Value::Null));
    assert!(ask("direction=out")["data"].as_array().unwrap().is_empty());
    let labels = "bank=\"102\",outcome=\"success\"";
    let metrics = market.operator.get("/metrics").text();
    assert!(
        metrics.lines().any(|line| line.starts_with("lintel_channel_tries_total{") && line.contains(labels)),
        "{metrics}"
    );
    let wrong = market.operator.get("/v1/rates/channels?by=weather");
    assert_eq!(wrong.error(), (400, "field_malformed".into(), "by".into()));
    let shown = server.lintel(&["rates", "--by", "channel,bank"]);
    assert!(String::from_utf8(shown.stdout).unwrap().contains("102"));
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn explain_says_which_rule_matched_and_why_others_did_not() {
    let directory = TempDir::new().unwrap();
    let file = written(&directory, "routing.toml", RULES);
    let explain = |more: &[&str]| {
        let all = [&["route", "explain", "--file", file.to_str().unwrap()], more].concat();
        lintel(directory.path(), &all)
    };
    let told = said(&explain(&["--instrument", "debit_card", "--bank", "102", "--amount", "20000"]));
    assert!(told.contains("rule 'credit' does not match\n    it is for credit_card, not debit_card"), "{told}");
    assert!(told.contains("to epcc (by rule 'icbc'); after a definite failure to unionpay"), "{told}");
    let better = ["--success", "epcc=1/2", "--success", "unionpay=2/2", "--json"];
    let asked = [&["--instrument", "debit_card", "--bank", "102", "--amount", "20000"], &better[..]].concat();
    let told: Value = serde_json::from_slice(&explain(&asked).stdout).unwrap();
    assert_eq!((&told["rule"], &told["channels"]), (&json!("icbc"), &json!(["unionpay", "epcc"])));
    assert_eq!(told["rules"][0]["matched"], false);
    for (arguments, says) in [
        (["--instrument", "gold", "--amount", "1"], "credit_card"),
        (["--instrument", "redirect", "--amount", "x"], "amount"),
    ] {
        let refused = explain(&arguments);
        assert!(!refused.status.success() && said(&refused).contains(says), "{}", said(&refused));
    }
    assert!(said(&lintel(directory.path(), &["route", "check", file.to_str().unwrap()])).contains("3 rules"));
}

#[test]
fn rules_that_cannot_be_keep_the_platform_from_starting_and_are_named() {
    for (rules, says) in [
        ("[[rules]]\nname = \"r\"\nchannels = [\"visa\"]\n", "rule 'r' names the channel 'visa': use epcc or unionpay"),
        ("[[rules]]\nname = \"r\"\nchannels = [\"epcc\"]\nsooner = 1\n", "unknown field `sooner`"),
        ("[[rules]]\nname = \"r\"\nchannels = [\"epcc\"]\ncascade = true\n", "name another"),
    ] {
        let mut server = start(RULES);
        server.stop();
        std::fs::write(server.directory().join("routing.toml"), rules).unwrap();
        let log = server.start_refused();
        assert!(log.contains(says), "{says}: {log}");
    }
}
