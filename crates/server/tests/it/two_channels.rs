//! Two acquirers on one rail: UnionPay online twice, with merchant numbers and secrets of their own, each a sandbox of its own. Rules
//! name them, a definite failure at one goes on to the other, and what follows is asked of whoever brought the money.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::PathBuf;
use std::process::Output;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{Answer, Client, exchange};
use crate::front_page::{form_of, posted};
use crate::keys::becomes;
use crate::open::{balance, number, own, session_line, text};
use crate::orders::Market;
use crate::sandbox::Sandbox;
use crate::server::{Server, lintel};

const PATIENCE: Duration = Duration::from_secs(60);
const QUERIES: [&str; 2] = ["executor.query_first_ms=20", "executor.query_max_ms=100"];
/// Nothing is asked about while a test runs: only what is told counts.
const NO_QUERIES: [&str; 2] = ["executor.query_first_ms=600000", "executor.query_max_ms=600000"];
const RULES: &str = r#"
[[rules]]
name = "pages"
instruments = ["redirect"]
channels = ["unionpay_acme"]

[[rules]]
name = "cards"
channels = ["unionpay", "unionpay_acme"]
cascade = true
"#;

fn written(directory: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = directory.path().join(name);
    fs::write(&path, text).unwrap();
    path
}

/// UnionPay online at an address, as this channel.
fn channel(called: &str, address: &str) -> String {
    // The first takes its name from its rail.
    let (id, merchant) = match called {
        "unionpay" => (String::new(), "777290058110048"),
        further => (format!("id = \"{further}\"\n"), "898110057310001"),
    };
    format!(
        "[[channels]]\nname = \"unionpay_online\"\n{id}url = \"http://{address}\"\n[channels.settings]\n\
         merchant = \"{merchant}\"\nsign_method = \"12\"\nkey = \"the secret of {called}\"\ntr_id = \"62000000001\"\n\
         front_url = \"https://shop.example/back\"\nback_url = \"https://pay.example/v1/channels/{called}/notify\"\n"
    )
}

/// Two sandboxes, and a platform to which they are two channels of one rail.
struct World {
    first: Sandbox,
    further: Sandbox,
    server: Server,
    market: Market,
}

impl World {
    /// The first acquirer plays by this plan; the further one does all that it is asked. `None` where the sandbox is not built.
    fn start(plan: &str, own: &[&str]) -> Option<Self> {
        let directory = TempDir::new().unwrap();
        let bank = |called: &str, plan: &str| {
            let (faults, secret) = (written(&directory, called, plan), format!("the secret of {called}"));
            let own = ["bank", "--listen", "127.0.0.1:0", "--date", "2026-03-05", "--unionpay-secret", &secret];
            let own = own.iter().map(OsStr::new).chain([OsStr::new("--faults"), faults.as_os_str()]);
            Sandbox::start(own)
        };
        let (first, further) = (bank("unionpay", plan)?, bank("unionpay_acme", "")?);
        let rules = written(&directory, "routing.toml", RULES);
        let channels = channel("unionpay_acme", &further.addresses[0]) + &channel("unionpay", &first.addresses[0]);
        let settings = format!("{channels}[routing]\nfile = \"{}\"\n", rules.display());
        let path = written(&directory, "lintel.toml", &settings);
        let server = Server::start_in(directory, own, vec![("LINTEL_CONFIG".to_owned(), OsString::from(path))]);
        let market = Market::open(&server);
        let world = Self { first, further, server, market };
        world.is_told(&world.first, "unionpay");
        world.is_told(&world.further, "unionpay_acme");
        Some(world)
    }

    /// A sandbox reaches the platform as this channel.
    fn is_told(&self, sandbox: &Sandbox, called: &str) {
        let url = format!("http://{}/v1/channels/{called}/notify", self.server.address());
        asked(sandbox, "route", &json!({ "url": url }));
    }

    fn operator(&self) -> &Client {
        &self.market.operator
    }

    /// The path of a new order of 500,000, which is being paid by this.
    fn paying(&self, number: &str, instrument: &Value) -> (String, Value) {
        let path = format!("/v1/orders/{}", text(&self.market.order(number, 500_000).ok(), "/id"));
        let paying = self.operator().post(&format!("{path}/pay"), &json!({"instruments": [instrument]})).ok();
        (path, paying)
    }

    fn until(&self, path: &str, status: &str) -> Value {
        let began = Instant::now();
        loop {
            let order = self.operator().get(path).ok();
            if order["status"] == status {
                return order;
            }
            assert!(began.elapsed() < PATIENCE, "{order}");
            std::thread::yield_now();
        }
    }

    /// What UnionPay owes, once it is this.
    fn until_due(&self, amount: i64) {
        let (account, began) = (own(self.operator(), 1122), Instant::now());
        while balance(self.operator(), &account) != amount {
            assert!(began.elapsed() < PATIENCE, "1122 is {}, not {amount}", balance(self.operator(), &account));
        }
    }

    fn takes_file(&self, rail: &str, serial: &str) -> Answer {
        let lines = json!([{"serial": serial, "kind": "debit", "amount": 500_000, "currency": "CNY"}]);
        let file = json!({"rail": rail, "date": "2026-03-05", "part": 1, "last": false, "lines": lines});
        self.operator().post("/v1/clearing", &file)
    }
}

/// Has a sandbox do something.
fn asked(sandbox: &Sandbox, what: &str, body: &Value) {
    let headers = [("content-type", "application/json")];
    let target = format!("/sandbox/unionpay/{what}");
    let answer = exchange(&sandbox.addresses[0], "POST", &target, &headers, body.to_string().as_bytes()).unwrap();
    assert_eq!(answer.status, 200, "{what}");
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn a_card_refused_by_one_acquirer_pays_at_the_other_and_all_that_follows_stays_there() {
    let declines = "[debit]\ndecline = 10000\ndecline_codes = [\"30000001\"]";
    let Some(world) = World::start(declines, &QUERIES) else { return };
    let operator = world.operator();
    let now =
        ["route", "now", "--instrument", "debit_card", "--amount", "500000", "--offered", "unionpay,unionpay_acme"];
    let told = said(&world.server.lintel(&now));
    assert!(told.contains("to unionpay (by rule 'cards'); after a definite failure to unionpay_acme"), "{told}");

    let agreements = json!({"unionpay": "TOKEN-1", "unionpay_acme": "TOKEN-2"});
    let card = json!({"type": "card", "agreements": agreements, "mask": "622202******2230", "amount": 500_000});
    let (path, paying) = world.paying("T1", &card);
    assert_eq!(
        (text(&paying, "/legs/0/rail"), text(&paying, "/legs/0/channel")),
        ("unionpay".into(), "unionpay".into())
    );
    let paid = world.until(&path, "success");
    let legs: Vec<_> =
        paid["legs"].as_array().unwrap().iter().map(|leg| (&leg["rail"], &leg["channel"], &leg["status"])).collect();
    let [unionpay, acme, failed, captured] =
        ["unionpay", "unionpay_acme", "failed", "captured"].map(|word| json!(word));
    assert_eq!(legs, [(&unionpay, &unionpay, &failed), (&unionpay, &acme, &captured)], "{paid}");
    assert_eq!(text(&paid, "/legs/0/failure"), "bank");

    // The first acquirer knows no such payment to refund.
    let refund = json!({"out_refund_no": "F1", "amount": 200_000, "return_fee": false});
    operator.post(&format!("{path}/refunds"), &refund).ok();
    world.until_due(300_000);
    let refunded = operator.get("/v1/attempts/att_3").ok();
    assert_eq!(
        ["/operation", "/channel", "/status"].map(|at| text(&refunded, at)),
        ["refund", "unionpay_acme", "success"]
    );

    let serial = world.market.serial("att_2");
    let foreign = world.takes_file("unionpay", &serial).ok();
    assert_eq!((number(&foreign, "/matched"), text(&foreign, "/differences/0/kind")), (0, "unknown_serial".into()));
    let taken = world.takes_file("unionpay_acme", &serial).ok();
    assert_eq!(
        (number(&taken, "/matched"), number(&taken, "/different")),
        (1, 0),
        "the same day and part, another's file"
    );
    assert_eq!((text(&taken, "/rail"), text(&taken, "/channel")), ("unionpay".into(), "unionpay_acme".into()));
    assert_eq!(world.takes_file("unionpay_acme", &serial).error().1, "clearing_duplicate");
    assert_eq!(world.takes_file("own_bank_b", &serial).error().1, "field_malformed");

    let began = Instant::now();
    let rows = loop {
        let rates = operator.get("/v1/rates/channels?direction=in&by=channel").ok();
        if rates["data"].as_array().is_some_and(|rows| rows.len() == 2) || began.elapsed() > PATIENCE {
            break rates["data"].clone();
        }
    };
    let counted = ["/0/channel", "/1/channel"].map(|at| text(&rows, at));
    assert_eq!(counted, ["unionpay", "unionpay_acme"], "{rows}");
    let ends = ["/0/success", "/0/failures/bank", "/1/success", "/1/failures/bank"].map(|at| number(&rows, at));
    assert_eq!(ends, [0, 1, 1, 0], "{rows}");
    let channels = operator.get("/v1/channels").ok();
    assert_eq!(["/data/0/channel", "/data/1/channel"].map(|at| text(&channels, at)), ["unionpay", "unionpay_acme"]);
    let sites = operator.get("/v1/channels/unionpay_acme/sites").ok();
    assert_eq!(text(&sites, "/data/0/url"), format!("http://{}", world.further.addresses[0]));
    assert_eq!(operator.get("/v1/channels/unionpay_other/sites").error().1, "channel_unknown");
}

#[test]
fn nothing_goes_on_to_the_other_acquirer_after_a_refusal_of_the_payers() {
    let declines = "[debit]\ndecline = 10000\ndecline_codes = [\"10000001\"]";
    let Some(world) = World::start(declines, &QUERIES) else { return };
    let agreements = json!({"unionpay": "TOKEN-1", "unionpay_acme": "TOKEN-2"});
    let card = json!({"type": "card", "agreements": agreements, "mask": "622202******2230", "amount": 500_000});
    let (path, _) = world.paying("T1", &card);
    let began = Instant::now();
    let order = loop {
        let order = world.operator().get(&path).ok();
        if order["legs"][0]["status"] == "failed" {
            break order;
        }
        assert!(began.elapsed() < PATIENCE, "{order}");
    };
    assert_eq!(
        (order["legs"].as_array().unwrap().len(), text(&order, "/legs/0/failure")),
        (1, "user".into()),
        "{order}"
    );
}

#[test]
fn a_page_is_the_chosen_acquirers_and_only_its_own_word_is_believed() {
    let Some(world) = World::start("", &NO_QUERIES) else { return };
    let operator = world.operator();
    // The network is named, and among its channels the rules choose.
    let (path, paying) = world.paying("T1", &json!({"type": "redirect", "rail": "unionpay", "amount": 500_000}));
    assert_eq!(text(&paying, "/legs/0/channel"), "unionpay_acme");
    let page = operator.get_with(&format!("{path}/front-page"), ("accept", "text/html")).text();
    let (action, fields) = form_of(&page);
    let field = |name: &str| fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.clone()).unwrap();
    assert_eq!(field("merId"), "898110057310001");
    let (address, serial) = (&world.further.addresses[0], field("orderId"));
    let target = action.strip_prefix(&format!("http://{address}")).expect("the page is the further acquirer's");
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let browse = |target: &str, body: String| exchange(address, "POST", target, &headers, body.as_bytes()).unwrap();
    assert_eq!(browse(target, posted(&fields)).status, 200);

    // What it tells as the other channel is signed by nobody who is known there.
    world.is_told(&world.further, "unionpay");
    browse("/gateway/pay.do", format!("orderId={serial}&action=pay"));
    let told = |outcome: &str| format!("lintel_notifications_total{{rail=\"unionpay\",outcome=\"{outcome}\"}}");
    becomes(operator, &told("unsigned"), |count| count > 0.5);
    assert_eq!(operator.get(&path).ok()["status"], "paying");
    world.is_told(&world.further, "unionpay_acme");
    asked(&world.further, "tell", &json!({ "order": serial }));
    becomes(operator, &told("settled"), |count| count > 0.5);
    assert_eq!(text(&world.until(&path, "success"), "/legs/0/channel"), "unionpay_acme");
}

/// The sandbox bank as a network's acquirer, which gives files.
fn bank(id: &str, address: &str, key: &str) -> String {
    format!(
        "[[channels]]\nname = \"sandbox_bank\"\n{id}url = \"http://{address}\"\n[channels.settings]\nrail = \"unionpay\"\n\
         institution = \"lintel\"\nkey = \"{key}\"\n"
    )
}

#[test]
fn each_channel_gives_its_own_file_and_each_matches_its_own_payments() {
    let keys = ["5a".repeat(32), "6b".repeat(32)];
    let start = |key: &str| {
        let own = ["bank", "--listen", "127.0.0.1:0", "--date", "2026-03-05", "--faults", "none", "--key", key];
        Sandbox::start(own)
    };
    let (Some(first), Some(further)) = (start(&keys[0]), start(&keys[1])) else { return };
    let directory = TempDir::new().unwrap();
    let channels =
        bank("", &first.addresses[0], &keys[0]) + &bank("id = \"unionpay_acme\"\n", &further.addresses[0], &keys[1]);
    let path = written(&directory, "lintel.toml", &channels);
    let server = Server::start_in(directory, &QUERIES, vec![("LINTEL_CONFIG".to_owned(), OsString::from(path))]);
    let world = World { first, further, market: Market::open(&server), server };
    // Nothing is routed by rules: a card goes where it has its agreement.
    for (number, called) in [("T1", "unionpay"), ("T2", "unionpay_acme")] {
        let agreements = json!({ called: "AGR-7" });
        let card = json!({"type": "card", "agreements": agreements, "mask": "622202******2230", "amount": 500_000});
        let (path, paying) = world.paying(number, &card);
        assert_eq!(text(&paying, "/legs/0/channel"), called);
        world.until(&path, "success");
    }
    for sandbox in [&world.first, &world.further] {
        let (headers, body) = ([("content-type", "application/json")], br#"{"date":"2026-03-06"}"#);
        let answer = exchange(&sandbox.addresses[0], "POST", "/sandbox/clock", &headers, body).unwrap();
        assert!(answer.status < 300, "{}", answer.text());
    }
    world.market.next_day();
    let fetch = |rail: &str| {
        let file = world.operator().post("/v1/clearing/fetch", &json!({"rail": rail, "date": "2026-03-05"})).ok();
        let found = ["/lines", "/matched", "/different", "/net", "/repeated_parts"].map(|at| number(&file, at));
        (text(&file, "/channel"), found)
    };
    assert_eq!(fetch("unionpay"), ("unionpay".into(), [1, 1, 0, 500_000, 0]));
    assert_eq!(fetch("unionpay_acme"), ("unionpay_acme".into(), [1, 1, 0, 500_000, 0]));
    assert_eq!(fetch("unionpay_acme").1[4], 1, "once");
    // One session of the network, and one line of the statement.
    world.until_due(1_000_000);
    session_line(world.operator(), "unionpay", "2026-03-05", 1_000_000);
    world.until_due(0);
    let fetched = ["clearing", "fetch", "--rail", "unionpay_acme", "--date", "2026-03-05"];
    assert!(said(&world.server.lintel(&fetched)).contains("unionpay_acme"));
    let missing = world.operator().post("/v1/clearing/fetch", &json!({"rail": "unionpay_b", "date": "2026-03-05"}));
    assert_eq!(missing.error().1, "channel_unknown");
}

#[test]
fn channels_that_cannot_be_keep_the_platform_from_starting_and_are_named() {
    let directory = TempDir::new().unwrap();
    let refused = |channels: &str| {
        let path = written(&directory, "wrong.toml", channels);
        let arguments = ["--config", path.to_str().unwrap(), "serve", "--listen", "127.0.0.1:0", "--sandbox"];
        let output = lintel(directory.path(), &arguments);
        assert!(!output.status.success());
        said(&output)
    };
    let further = channel("unionpay_acme", "127.0.0.1:9");
    let alone = refused(&further);
    assert!(alone.contains("channel unionpay_acme: no channel is called unionpay"), "{alone}");
    let first = channel("unionpay", "127.0.0.1:9");
    let twice = refused(&(first.clone() + &further + &further));
    assert!(twice.contains("another channel carries unionpay_acme already"), "{twice}");
    let other = refused(&(first + &channel("epcc_b", "127.0.0.1:9")));
    assert!(other.contains("its id is 'epcc_b'") && other.contains("called unionpay, or unionpay_"), "{other}");
    let bank = "[[channels]]\nname = \"sandbox_bank\"\nid = \"own_bank_b\"\nurl = \"http://127.0.0.1:9\"\n[channels.settings]\n";
    let key = "5a".repeat(32);
    let bank = refused(&format!("{bank}rail = \"own_bank\"\ninstitution = \"lintel\"\nkey = \"{key}\"\n"));
    assert!(bank.contains("one channel alone carries own_bank"), "{bank}");
}

#[test]
fn explain_names_the_channels_of_one_rail() {
    let directory = TempDir::new().unwrap();
    let file = written(&directory, "routing.toml", RULES);
    let explain = |more: &[&str]| {
        let asked = ["route", "explain", "--file", file.to_str().unwrap(), "--amount", "500000", "--instrument"];
        said(&lintel(directory.path(), &[&asked[..], more].concat()))
    };
    let told = explain(&["debit_card"]);
    assert!(told.contains("to unionpay (by rule 'cards'); after a definite failure to unionpay_acme"), "{told}");
    let told = explain(&["debit_card", "--offered", "unionpay_acme"]);
    assert!(told.contains("unionpay: the instrument has no agreement there"), "{told}");
    assert!(told.contains("to unionpay_acme (by rule 'cards'); a failure there is the end"), "{told}");
    let told = explain(&["redirect"]);
    assert!(told.contains("to unionpay_acme (by rule 'pages')"), "{told}");
    assert!(explain(&["debit_card", "--offered", "unionpay_A"]).contains("'unionpay_A' is no channel"));
}
