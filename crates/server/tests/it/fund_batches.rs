//! A month's batch against a real centre: each kind of row, over a kill before it is handed in; a result by hand; the command line.

use std::ffi::OsString;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::exchange;
use crate::keys::metric;
use crate::open::{balance, closing, number, session_line, text, trial_balance};
use crate::orders::Market;
use crate::sandbox::Sandbox;
use crate::server::Server;

pub(crate) const KEY: &str = "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";

/// A centre and a bank whose plan has these lines in its `[batch]`.
pub(crate) fn centre(plan: &str) -> Option<Sandbox> {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("plan.toml");
    std::fs::write(&path, format!("[batch]\n{plan}\n")).unwrap();
    let faults = path.to_str().unwrap();
    Sandbox::start(["bank", "--listen", "127.0.0.1:0", "--date", "2026-03-05", "--faults", faults])
}

/// A platform whose card goes to the bank, and its fund to the centre: `settings` are more of the latter's.
pub(crate) fn platform(address: &str, settings: &str) -> Server {
    platform_in((TempDir::new().unwrap(), Vec::new()), &[], address, settings)
}

/// The same in a directory, with variables and settings of its own.
pub(crate) fn platform_in(
    (directory, mut environment): (TempDir, Vec<(String, OsString)>),
    own: &[&str],
    address: &str,
    settings: &str,
) -> Server {
    let path = directory.path().join("lintel.toml");
    std::fs::write(&path, settings_of(address, settings)).unwrap();
    environment.push(("LINTEL_CONFIG".to_owned(), OsString::from(path)));
    Server::start_in(directory, own, environment)
}

/// The settings of such a platform.
pub(crate) fn settings_of(address: &str, fund: &str) -> String {
    let channel = |name: &str, more: &str| {
        format!(
            "[[channels]]\nname = \"{name}\"\nurl = \"http://{address}\"\n[channels.settings]\n\
             institution = \"lintel\"\nkey = \"{KEY}\"\n{more}\n"
        )
    };
    channel("sandbox_bank", "rail = \"epcc\"") + &channel("sandbox_fund", fund)
}

pub(crate) fn fund(lease: &str, amount: i64, by_card: bool) -> Value {
    json!({"type": "fund", "contract": lease, "amount": amount, "period": "2026-03", "shortfall_by_card": by_card})
}

pub(crate) fn card(amount: i64) -> Value {
    json!({"type": "card", "agreement": "A1", "mask": "622202******2230", "rail": "epcc", "amount": amount})
}

/// An order of 5,000 that these are to pay.
pub(crate) fn pays(market: &Market, name: &str, instruments: &Value) -> String {
    let order = text(&market.order(name, 5_000).ok(), "/id");
    market.operator.post(&format!("/v1/orders/{order}/pay"), &json!({"instruments": instruments})).ok();
    order
}

pub(crate) fn order(market: &Market, id: &str) -> Value {
    market.operator.get(&format!("/v1/orders/{id}")).ok()
}

/// The order, once it has ended.
fn ended(market: &Market, id: &str) -> Value {
    until(market, id, |order| text(order, "/status") != "paying")
}

/// The order, once it is so.
pub(crate) fn until(market: &Market, id: &str, so: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let found = order(market, id);
        if so(&found) {
            return found;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{found}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub(crate) fn legs(order: &Value) -> Vec<(String, i64)> {
    order["legs"].as_array().unwrap().iter().map(|leg| (text(leg, "/status"), number(leg, "/amount"))).collect()
}

pub(crate) fn leg(status: &str, amount: i64) -> (String, i64) {
    (status.to_owned(), amount)
}

#[test]
fn each_row_of_a_batch_ends_its_order_over_a_kill_before_it_is_handed_in() {
    let plan = "result_after = 1\npart_nth = [2, 3]\nrefused_nth = [4]\nmissing_nth = [5]\ntwice_nth = [1]";
    let Some(centre) = centre(plan) else { return };
    let mut server = platform(&centre.addresses[0], "");
    let mut market = Market::open(&server);
    let whole = pays(&market, "T1", &json!([fund("L1", 5_000, false)]));
    let part = pays(&market, "T2", &json!([fund("L2", 5_000, true), card(0)]));
    let short = pays(&market, "T3", &json!([fund("L3", 5_000, false)]));
    let refused = pays(&market, "T4", &json!([fund("L4", 3_000, true), card(2_000)]));
    let late = pays(&market, "T5", &json!([fund("L5", 5_000, false)]));
    let sixth = pays(&market, "T6", &json!([fund("L6", 5_000, false)]));
    assert_eq!(legs(&order(&market, &whole)), [leg("sent", 5_000)]);

    let closed = market.operator.post("/v1/fund-batches", &json!({"period": "2026-03"})).ok();
    server.kill();
    server.start_again();
    market.operator = server.operator();
    let id = text(&closed, "/id");
    assert_eq!((number(&closed, "/rows"), number(&closed, "/applied")), (6, 28_000));
    assert_eq!(market.operator.post("/v1/fund-batches", &json!({"period": "2026-03"})).error().1, "fund_batch_empty");

    assert_eq!(legs(&ended(&market, &whole)), [leg("captured", 5_000)]);
    assert_eq!(legs(&ended(&market, &part)), [leg("captured", 2_500), leg("captured", 2_500)]);
    // It went back to the centre, and the order may take another try.
    let short = until(&market, &short, |order| text(order, "/legs/0/status") == "reversed");
    assert_eq!((text(&short, "/status"), legs(&short)), ("paying".into(), vec![leg("reversed", 2_500)]));
    assert_eq!(short["allowed_actions"], json!(["pay", "close"]));
    assert_eq!(legs(&ended(&market, &refused)), [leg("failed", 0), leg("captured", 5_000)]);
    // Not in the first file.
    assert_eq!(legs(&ended(&market, &late)), [leg("captured", 5_000)]);
    assert_eq!(legs(&ended(&market, &sixth)), [leg("captured", 5_000)]);

    let batch = market.operator.get(&format!("/v1/fund-batches/{id}")).ok();
    let shown = (text(&batch, "/status"), number(&batch, "/files"), number(&batch, "/paid"));
    assert_eq!(shown, ("answered".into(), 2, 20_000));
    assert_eq!((number(&batch, "/data/1/paid"), text(&batch, "/data/1/code")), (2_500, "00000005".into()));
    assert_eq!(text(&batch, "/data/3/failure"), "user");
    assert_eq!(metric(&market.operator, "lintel_fund_results_refused_total") as u64, 0);
    cleared(&market, &centre, &whole);
    by_command_line(&server, &id);
}

/// The next day's files of both match, their lines of the statement come, and what the fund paid is settled.
fn cleared(market: &Market, centre: &Sandbox, whole: &str) {
    let headers = [("content-type", "application/json")];
    let body = br#"{"date":"2026-03-06"}"#;
    assert_eq!(exchange(&centre.addresses[0], "POST", "/sandbox/clock", &headers, body).unwrap().status, 200);
    market.next_day();
    for (rail, net) in [("fund", 17_500), ("epcc", 7_500)] {
        let file = json!({"rail": rail, "date": "2026-03-05"});
        let fetched = market.operator.post("/v1/clearing/fetch", &file).ok();
        assert_eq!((number(&fetched, "/different"), number(&fetched, "/net")), (0, net), "{fetched}");
        session_line(&market.operator, rail, "2026-03-05", net);
    }
    assert_eq!(text(&order(market, whole), "/due"), "2026-03-06");
    market.settle(&market.landlord, "2026-03-06").ok();
    assert_eq!(balance(&market.operator, &text(&market.landlord, "/available")), 5 * 4_990);
    let trial = trial_balance(&market.operator, "2026-03-06");
    assert_eq!([1131, 1121, 2205, 2211, 2243].map(|subject| closing(&trial, subject)), [0; 5], "{trial}");
    assert_eq!(closing(&trial, 1101), 25_000);
}

fn by_command_line(server: &Server, id: &str) {
    let run = |arguments: &[&str]| {
        let output = server.lintel(arguments);
        (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let (done, told) = run(&["fund-batch", "show", id]);
    assert!(done && told.contains("L2") && told.contains("25.00"), "{told}");
    // Lists come from the store, which follows the books.
    crate::sites::until("the list has the batch", || {
        let (done, told) = run(&["fund-batch", "list", "--period", "2026-03", "--open", "false", "--json"]);
        assert!(done, "{told}");
        told.contains("\"answered\"")
    });
    let (done, told) = run(&["fund-batch", "fetch", id, "--json"]);
    let fetched: Value = serde_json::from_str(&told).unwrap();
    assert!(done && fetched["came"] == "taken", "a file that says the same again brings nothing: {told}");
    assert_eq!(number(&fetched, "/files"), 2);
    let (done, told) = run(&["fund-batch", "close", "--period", "2026-04"]);
    assert!(!done && told.contains("fund_batch_empty"), "{told}");
}

#[test]
fn a_centre_that_pays_the_landlord_is_a_memo_and_a_wrong_file_is_an_alarm() {
    let Some(centre) = centre("result_after = 100000\ndirect = true") else { return };
    let server = platform(&centre.addresses[0], "fund_route = \"direct\"");
    let market = Market::open(&server);
    let refused = text(&market.order("T1", 5_000).ok(), "/id");
    let refused =
        market.operator.post(&format!("/v1/orders/{refused}/pay"), &json!({"instruments": [fund("L1", 5_000, false)]}));
    assert_eq!(refused.error().1, "instrument_not_allowed");
    let order_of = pays(&market, "T2", &json!([fund("L2", 3_000, true), card(2_000)]));
    let closed = market.operator.post("/v1/fund-batches", &json!({"period": "2026-03"})).ok();
    let path = format!("/v1/fund-batches/{}/result", text(&closed, "/id"));
    let take = |file: &str| market.operator.post(&path, &json!({"file": file}));

    let row = |serial: &str, paid: i64, code: &str| {
        format!("D|{serial}|L2|310***********0002|2026-03|3000|{paid}|{code}|F{serial}\n")
    };
    let serial = text(&closed, "/data/0/serial");
    let head = format!("H|LINTEL-FUND-RESULT-1|sandbox_fund|310000|{}|2026-03-05|CNY|", text(&closed, "/number"));
    let good = sealed(&format!("{head}1|2000\n{}", row(&serial, 2_000, "00000005")));
    assert_eq!(take(&good.replace("|2000|0", "|2001|0")).error().1, "channel_rejected", "another hash");
    let sum = sealed(&format!("{head}1|3000\n{}", row(&serial, 2_000, "00000005")));
    assert_eq!(take(&sum).error().1, "channel_rejected");
    let twice = row(&serial, 2_000, "00000005") + &row(&serial, 1_000, "00000005");
    assert_eq!(take(&sealed(&format!("{head}2|3000\n{twice}"))).error().1, "fund_result_rejected");
    let foreign = row(&serial.replace("2026", "2025"), 2_000, "00000005");
    assert_eq!(take(&sealed(&format!("{head}1|2000\n{foreign}"))).error().1, "fund_result_rejected");
    assert_eq!(metric(&market.operator, "lintel_fund_results_refused_total") as u64, 4);
    assert_eq!(text(&order(&market, &order_of), "/status"), "paying");

    let batch = take(&good).ok();
    assert_eq!((text(&batch, "/status"), number(&batch, "/paid")), ("answered".into(), 2_000));
    let paid = ended(&market, &order_of);
    assert_eq!(legs(&paid), [leg("captured", 2_000), leg("captured", 3_000)]);
    let figures = ["/outside", "/fee", "/net"].map(|pointer| number(&paid, pointer));
    assert_eq!((text(&paid, "/status"), figures), ("success".into(), [2_000, 6, 2_994]));
    assert_eq!((text(&paid, "/legs/0/fund_route"), text(&paid, "/legs/0/period")), ("direct".into(), "2026-03".into()));
    assert_eq!(take(&good).ok()["files"], 1, "the same file again");
    let trial = trial_balance(&market.operator, "2026-03-05");
    assert_eq!([1131, 1121, 2205].map(|subject| closing(&trial, subject)), [0, 3_000, 0], "{trial}");
}

/// A result file as the centre seals it.
fn sealed(text: &str) -> String {
    let hexadecimal = |bytes: [u8; 32]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let key = ark::MacKey::from_hex(KEY).unwrap();
    let tag = key.mac().update(b"FUND-RESULT\n").update(text.as_bytes()).finish();
    let count = text.lines().filter(|line| line.starts_with("D|")).count();
    format!("{text}T|{count}|{}|{}\n", hexadecimal(ark::sm3(text.as_bytes())), hexadecimal(tag))
}

#[test]
fn a_route_that_no_channel_carries_and_a_batch_without_a_centre_are_told_what_to_do() {
    let server = Server::start();
    let market = Market::open(&server);
    let order = text(&market.order("T1", 5_000).ok(), "/id");
    let pay =
        market.operator.post(&format!("/v1/orders/{order}/pay"), &json!({"instruments": [fund("L1", 5_000, false)]}));
    assert_eq!(pay.error().1, "channel_unknown");
    assert_eq!(market.operator.post("/v1/fund-batches", &json!({"period": "2026-03"})).error().1, "channel_unknown");
    assert_eq!(market.operator.get("/v1/fund-batches/fbt_1").error().1, "fund_batch_unknown");
}
