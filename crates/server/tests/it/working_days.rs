//! The working day as a timer of a real server: a whole T+1 without a hand, a file that is late, over kills, advances that the reserve
//! pays back, and a node that waits.

use std::ffi::OsString;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::exchange;
use crate::features::close;
use crate::keys::{becomes, metric};
use crate::open::{balance, number, own, session_line, text, voucher};
use crate::orders::Market;
use crate::outflow::staff_with;
use crate::server::{Server, in_postgres};
use crate::sites::{Bank, pay, until, until_paid};

const KEY: &str = "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";
const TIMES: &str = "[working_day]\ncut_at = \"23:30\"\nclearing_at = \"02:00\"\nclearing_deadline = \"09:00\"\n\
    returns_at = [\"02:30\", \"18:00\"]\nsettle_at = \"03:00\"\nretry_minutes = 30\n";
const STEPS: [&str; 4] = ["cut", "clearing", "returns", "settle"];
/// Midnight in Shanghai before 2026-03-05, in seconds.
const MARCH_5: f64 = 1_772_640_000.0;

/// Where a platform finds that its card goes to the bank, and its times.
fn environment(directory: &TempDir, bank: &Bank) -> Vec<(String, OsString)> {
    let path = directory.path().join("lintel.toml");
    let address = &bank.0.addresses[0];
    let text = format!(
        "[[channels]]\nname = \"sandbox_bank\"\nurl = \"http://{address}\"\n[channels.settings]\nrail = \"epcc\"\n\
         institution = \"lintel\"\nkey = \"{KEY}\"\n{TIMES}"
    );
    std::fs::write(&path, text).unwrap();
    vec![("LINTEL_CONFIG".to_owned(), path.into_os_string())]
}

fn start(bank: &Bank) -> Server {
    let directory = TempDir::new().unwrap();
    let environment = environment(&directory, bank);
    Server::start_in(directory, &[], environment)
}

/// The same with the institution's own account at that bank, and a time at which the reserve pays it back.
fn start_repaying(bank: &Bank) -> Server {
    let directory = TempDir::new().unwrap();
    let environment = environment(&directory, bank);
    let path = directory.path().join("lintel.toml");
    let (text, address) = (std::fs::read_to_string(&path).unwrap(), &bank.0.addresses[0]);
    let more = format!(
        "repay_at = \"04:00\"\n[[channels]]\nname = \"sandbox_bank\"\nurl = \"http://{address}\"\n[channels.settings]\n\
         rail = \"own_bank\"\ninstitution = \"lintel\"\nkey = \"{KEY}\"\n"
    );
    std::fs::write(&path, text + &more).unwrap();
    Server::start_in(directory, &[], environment)
}

/// Rules for advances that a landlord of today meets, by two people, and own money for some.
fn may_advance(server: &Server, market: &Market) {
    let staff = staff_with(server, &["accountant", "treasurer"]);
    let rules = json!({
        "kind": "advance_policy", "fee_rate": 0, "merchant_quota": 1_000_000, "total_quota": 2_000_000,
        "min_days": 0, "min_trading_days": 1,
    });
    staff.checker.approve(&text(&staff.maker.propose(&rules).ok(), "/id")).ok();
    let operator = &market.operator;
    let capital = voucher("capital", &own(operator, 1103), &own(operator, 3001), 20_000);
    operator.post("/v1/vouchers", &capital).ok();
}

/// A sale of 5,000 whose 4,990 own money advances; the advance's path.
fn advanced(market: &Market, number: &str) -> String {
    let order = pay(market, number);
    until_paid(market, &order);
    let wanted = json!({"merchant": text(&market.landlord, "/id"), "orders": [order]});
    let sent = market.operator.post("/v1/advances", &wanted).ok();
    let path = format!("/v1/advances/{}", text(&sent, "/id"));
    until("the advance arrived", || text(&market.operator.get(&path).ok(), "/status") == "success");
    path
}

/// What pays an advance back, and where the advance stands.
fn repayment(market: &Market, path: &str) -> (Value, String) {
    let advance = market.operator.get(path).ok();
    (advance["repayment"].clone(), text(&advance, "/status"))
}

/// A sale of 5,000 on the first day, of which the landlord has 4,990.
fn sold(market: &Market) -> String {
    let order = pay(market, "T1");
    until_paid(market, &order);
    order
}

fn clock(market: &Market, day: u8, time: &str) {
    let now = format!("2026-03-{day:02}T{time}:00+08:00");
    market.operator.post("/v1/sandbox/clock", &json!({ "now": now })).ok();
}

/// The bank's own day: files of the days before are there.
fn banks_day(bank: &Bank, day: u8) {
    told(bank, "/sandbox/clock", &json!({"date": format!("2026-03-{day:02}")}));
}

fn told(bank: &Bank, path: &str, body: &Value) -> Value {
    let headers = [("content-type", "application/json")];
    let answer = exchange(&bank.0.addresses[0], "POST", path, &headers, body.to_string().as_bytes()).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.ok()
}

/// Waits until this process has seen a step off, which its time on a day of March began.
fn seen_off(market: &Market, step: &str, day: i32, hour: i32, minute: i32) {
    let at = MARCH_5 + f64::from((day - 5) * 86_400 + hour * 3_600 + minute * 60);
    let name = format!("lintel_working_day_last_seconds{{step=\"{step}\"}}");
    becomes(&market.operator, &name, |found| (found - at).abs() < 0.5);
}

fn failures(market: &Market) -> usize {
    let of = |step: &str| metric(&market.operator, &format!("lintel_working_day_failures_total{{step=\"{step}\"}}"));
    STEPS.iter().map(|step| of(step) as usize).sum()
}

fn days(market: &Market) -> Vec<String> {
    let days = market.operator.get("/v1/days").ok();
    days["data"].as_array().unwrap().iter().map(|day| text(day, "/date")).collect()
}

/// What is due of a step.
fn due(market: &Market, step: usize) -> Value {
    let day = market.operator.get("/v1/working-day").ok();
    assert_eq!(text(&day, &format!("/steps/{step}/step")), STEPS[step]);
    day["steps"][step]["due"].clone()
}

/// What is due of advances.
fn to_repay(market: &Market) -> Value {
    let day = market.operator.get("/v1/working-day").ok();
    assert_eq!((text(&day, "/steps/4/step"), &day["steps"][4]["at"]), ("repay".into(), &json!(["04:00"])));
    day["steps"][4]["due"].clone()
}

/// A process that was killed and starts again.
fn killed(server: &mut Server, market: &mut Market) {
    server.kill();
    server.start_again();
    market.operator = server.operator();
}

fn available(market: &Market) -> i64 {
    balance(&market.operator, &text(&market.landlord, "/available"))
}

/// One settlement, of the order, for a day.
fn settled_once(market: &Market, order: &str, date: &str) {
    let settlement = market.operator.get("/v1/settlements/stl_1").ok();
    assert_eq!((text(&settlement, "/date"), number(&settlement, "/amount")), (date.into(), 4_990));
    assert_eq!(text(&settlement, "/shares/0/order"), order);
    assert_eq!(market.operator.get("/v1/settlements/stl_2").error().1, "settlement_unknown");
    assert_eq!(market.operator.get(&format!("/v1/orders/{order}")).ok()["settled"], true);
}

/// The first evening and the morning after: cut, file, returns, settlement.
fn overnight(market: &Market, bank: &Bank) {
    clock(market, 5, "23:30");
    seen_off(market, "cut", 5, 23, 30);
    assert_eq!(days(market), ["2026-03-05", "2026-03-06"]);
    banks_day(bank, 6);
    clock(market, 6, "02:00");
    seen_off(market, "clearing", 6, 2, 0);
    clock(market, 6, "03:00");
    seen_off(market, "returns", 6, 2, 30);
    seen_off(market, "settle", 6, 3, 0);
}

/// A payout that arrived and comes back by the bank's word; its path.
fn comes_back(market: &Market, bank: &Bank) -> String {
    let (account, to) = (text(&market.landlord, "/available"), json!({"type": "settlement"}));
    let body = json!({"account": account, "to": to, "amount": 1_000, "currency": "CNY", "send_now": true});
    let sent = market.operator.post("/v1/payouts", &body).ok();
    let path = format!("/v1/payouts/{}", text(&sent, "/id"));
    until("the payout arrived", || text(&market.operator.get(&path).ok(), "/status") == "success");
    let serial = market.serial(&text(&sent, "/attempt"));
    assert_eq!(told(bank, "/sandbox/return", &json!({ "serial": serial }))["returned"], 1);
    path
}

#[test]
fn a_whole_t_plus_1_goes_by_without_a_hand() {
    let Some(bank) = Bank::start() else { return };
    let server = start(&bank);
    let market = Market::open(&server);
    let order = sold(&market);
    clock(&market, 5, "23:29");
    assert_eq!(days(&market), ["2026-03-05"]);
    overnight(&market, &bank);

    let taken = market.operator.get("/v1/clearing/clr_1").ok();
    assert_eq!((text(&taken, "/date"), text(&taken, "/rail")), ("2026-03-05".into(), "epcc".into()));
    assert_eq!((number(&taken, "/matched"), number(&taken, "/different"), &taken["last"]), (1, 0, &json!(true)));
    settled_once(&market, &order, "2026-03-06");
    assert_eq!(available(&market), 4_990);
    let output = server.lintel(&["day", "next", "--json"]);
    assert!(output.status.success(), "{output:?}");
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    let next = |step: usize| text(&shown, &format!("/steps/{step}/next"));
    assert_eq!([0_usize, 1, 2, 3].map(|step| &shown["steps"][step]["due"]), [&json!([]); 4], "{shown}");
    assert_eq!([next(0), next(2)], ["2026-03-06T15:30:00Z", "2026-03-06T10:00:00Z"]);
    assert_eq!([next(1), next(3)], ["2026-03-08T18:00:00Z", "2026-03-08T19:00:00Z"], "on Monday");

    // What came back during the day is in the evening's list.
    let payout = comes_back(&market, &bank);
    assert_eq!(available(&market), 3_990);
    clock(&market, 6, "18:00");
    seen_off(&market, "returns", 6, 18, 0);
    assert_eq!(text(&market.operator.get(&payout).ok(), "/status"), "returned");
    assert_eq!(available(&market), 4_990);

    // From Friday to Monday: one accounting day, and a file of each date.
    clock(&market, 6, "23:30");
    seen_off(&market, "cut", 6, 23, 30);
    assert_eq!(days(&market), ["2026-03-05", "2026-03-06", "2026-03-09"]);
    banks_day(&bank, 9);
    clock(&market, 9, "02:00");
    seen_off(&market, "clearing", 9, 2, 0);
    for (part, date, lines) in [(2, "2026-03-06", 2), (3, "2026-03-07", 0), (4, "2026-03-08", 0)] {
        let taken = market.operator.get(&format!("/v1/clearing/clr_{part}")).ok();
        assert_eq!((text(&taken, "/date"), number(&taken, "/lines")), (date.into(), lines), "{taken}");
        assert_eq!(number(&taken, "/different"), 0, "{taken}");
    }
    assert_eq!(text(&close(&market.operator, "2026-03-05"), "/status"), "closed");
    assert_eq!(failures(&market), 0);
}

#[test]
fn a_file_that_is_late_is_an_alarm_and_is_taken_and_settled_once_over_kills() {
    let Some(bank) = Bank::start() else { return };
    let mut server = start(&bank);
    let mut market = Market::open(&server);
    let order = sold(&market);
    clock(&market, 5, "23:30");
    seen_off(&market, "cut", 5, 23, 30);
    server.kill();
    server.start_again();
    market.operator = server.operator();
    seen_off(&market, "cut", 5, 23, 30);
    assert_eq!(days(&market), ["2026-03-05", "2026-03-06"]);

    // The bank's day is not over.
    let asked = |server: &Server| server.log().matches("a file is not there yet").count();
    clock(&market, 6, "02:00");
    until("it is asked for", || asked(&server) == 1);
    clock(&market, 6, "03:00");
    until("it is asked for again", || asked(&server) == 2);
    assert_eq!((due(&market, 1), due(&market, 3)), (json!(["epcc 2026-03-05"]), json!([])));
    let late = "lintel_working_day_files_late{channel=\"epcc\"}";
    assert_eq!(metric(&market.operator, late) as usize, 0);

    clock(&market, 6, "09:00");
    becomes(&market.operator, late, |count| (count - 1.0).abs() < 0.5);
    assert_eq!(due(&market, 1), json!(["epcc 2026-03-05 late"]));
    assert_eq!(server.log().matches("is not there at its deadline").count(), 1);
    // The others' money goes on; here nobody has any.
    seen_off(&market, "settle", 6, 3, 0);
    assert_eq!(market.operator.get("/v1/settlements/stl_1").error().1, "settlement_unknown");
    until("it is asked for still", || asked(&server) == 3);
    server.kill();
    server.start_again();
    market.operator = server.operator();
    until("who starts asks at once", || asked(&server) == 4);

    banks_day(&bank, 6);
    clock(&market, 6, "09:30");
    seen_off(&market, "clearing", 6, 2, 0);
    becomes(&market.operator, late, |count| count < 0.5);
    until("its money is settled", || available(&market) == 4_990);
    settled_once(&market, &order, "2026-03-06");
    server.kill();
    server.start_again();
    market.operator = server.operator();
    STEPS.iter().zip([(5, 23, 30), (6, 2, 0), (6, 2, 30), (6, 3, 0)]).for_each(|(step, (day, hour, minute))| {
        seen_off(&market, step, day, hour, minute);
    });
    settled_once(&market, &order, "2026-03-06");
    assert_eq!(market.operator.get("/v1/clearing/clr_2").error().1, "clearing_unknown");
    assert_eq!((days(&market).len(), available(&market), failures(&market)), (2, 4_990, 0));
}

#[test]
fn a_channel_that_is_gone_is_a_failure_told_once_and_asked_again() {
    let Some(mut bank) = Bank::start() else { return };
    let server = start(&bank);
    let market = Market::open(&server);
    sold(&market);
    bank.0.kill();
    clock(&market, 5, "23:30");
    seen_off(&market, "cut", 5, 23, 30);
    clock(&market, 6, "02:00");
    let failed = "lintel_working_day_failures_total{step=\"clearing\"}";
    becomes(&market.operator, failed, |count| count > 0.5);
    let told = |step: &str| {
        let log = server.log();
        let lines = log.lines().filter(|line| line.contains("a step of the working day failed"));
        lines.filter(|line| line.contains(step)).count()
    };
    until("both are told", || told("clearing") == 1 && told("returns") == 1);
    assert_eq!(metric(&market.operator, failed) as usize, 1, "it rests");
    assert_eq!(due(&market, 1), json!(["epcc 2026-03-05"]));
    clock(&market, 6, "02:30");
    becomes(&market.operator, failed, |count| count > 1.5);
    assert_eq!((told("clearing"), told("returns")), (1, 1));
}

#[test]
fn an_advance_is_paid_back_at_its_time_after_its_file_and_once_over_kills() {
    let Some(bank) = Bank::start() else { return };
    let mut server = start_repaying(&bank);
    let mut market = Market::open(&server);
    may_advance(&server, &market);
    let first = advanced(&market, "T1");
    clock(&market, 5, "23:30");
    seen_off(&market, "cut", 5, 23, 30);
    banks_day(&bank, 6);
    clock(&market, 6, "02:00");
    seen_off(&market, "clearing", 6, 2, 0);
    // Who starts between file and time makes up yesterday's, which it is not due by.
    killed(&mut server, &mut market);
    seen_off(&market, "repay", 5, 4, 0);
    assert_eq!(repayment(&market, &first), (json!(null), "success".into()));
    assert_eq!(to_repay(&market), json!(["adv_1 not_cleared"]), "by yesterday");
    let second = advanced(&market, "T2");
    let told = |server: &Server| server.log().matches("had the reserve told to pay advances back").count();
    let before = told(&server);

    clock(&market, 6, "04:00");
    seen_off(&market, "repay", 6, 4, 0);
    assert_eq!(repayment(&market, &first), (json!("otr_1"), "success".into()));
    assert_eq!(repayment(&market, &second), (json!(null), "success".into()), "it is in tomorrow's file");
    assert_eq!(to_repay(&market), json!(["adv_2 not_cleared"]));
    assert_eq!(told(&server), before + 1, "a line in the log counts both");
    let transfer = market.operator.get("/v1/own-transfers/otr_1").ok();
    let of = ["/kind", "/advance", "/status", "/instructed_by"].map(|pointer| text(&transfer, pointer));
    assert_eq!((of, number(&transfer, "/amount")), (["repayment", "adv_1", "open", "timer"].map(String::from), 4_990));
    killed(&mut server, &mut market);
    seen_off(&market, "repay", 6, 4, 0);
    assert_eq!(market.operator.get("/v1/own-transfers/otr_2").error().1, "own_transfer_unknown");

    // Whoever cancels it knows why, and instructs it again or books a return.
    market.operator.post("/v1/own-transfers/otr_1/cancel", &json!({})).ok();
    killed(&mut server, &mut market);
    seen_off(&market, "repay", 6, 4, 0);
    assert_eq!(to_repay(&market), json!(["adv_1 cancelled", "adv_2 not_cleared"]));
    assert_eq!(market.operator.get("/v1/own-transfers/otr_2").error().1, "own_transfer_unknown");
    market.operator.post(&format!("{first}/repay"), &json!({})).ok();
    let date = "2026-03-06";
    session_line(&market.operator, "epcc", "2026-03-05", 5_000);
    let line = json!({"reference": "L-1", "date": date, "direction": "out", "amount": 4_990, "currency": "CNY"});
    assert_eq!(market.operator.post("/v1/reserve-lines", &line).ok()["transfer"], "otr_2");
    assert_eq!(repayment(&market, &first), (json!("otr_2"), "repaid".into()));

    clock(&market, 6, "23:30");
    seen_off(&market, "cut", 6, 23, 30);
    banks_day(&bank, 9);
    clock(&market, 9, "04:00");
    seen_off(&market, "repay", 9, 4, 0);
    assert_eq!(repayment(&market, &second), (json!("otr_3"), "success".into()));
    assert_eq!((to_repay(&market), failures(&market)), (json!([]), 0));
    let failed = "lintel_working_day_failures_total{step=\"repay\"}";
    assert_eq!(metric(&market.operator, failed) as usize, 0);
}

#[test]
fn a_node_that_waits_for_the_lease_does_nothing() {
    let Some(settings) = in_postgres("a_node_that_waits_for_the_lease_does_nothing") else { return };
    let Some(bank) = Bank::start() else { return };
    let directory = TempDir::new().unwrap();
    let environment = environment(&directory, &bank);
    let leader = Server::start_on_with(directory, &settings, environment.clone());
    let market = Market::open(&leader);
    let order = sold(&market);
    let mut other = Server::start_waiting(TempDir::new().unwrap(), &settings, environment);
    until("the other waits", || other.log().contains("another node leads this journal"));
    overnight(&market, &bank);
    settled_once(&market, &order, "2026-03-06");
    assert_eq!((days(&market).len(), failures(&market)), (2, 0));
    assert!(other.runs());
    let log = other.log();
    assert!(!["cut the day", "took a clearing file", "settled the merchants"].iter().any(|step| log.contains(step)));
    assert!(
        ["cut the day", "took a clearing file", "settled the merchants"].iter().all(|step| leader.log().contains(step))
    );
}
