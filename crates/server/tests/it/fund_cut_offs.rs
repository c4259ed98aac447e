//! A city's cut-off as a timer of a real server: it closes the month once, over a kill, and makes up what it missed; and a centre that is
//! asked what a lease may draw before a payment is taken.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::Answer;
use crate::fund_batches::{card, centre, fund, leg, legs, pays, platform, platform_in, settings_of, until};
use crate::keys::metric;
use crate::open::{number, text};
use crate::orders::Market;
use crate::sandbox::Sandbox;
use crate::server::Server;

const CUT_OFF: &str = "cut_off = \"5 17:00\"";
const PATIENCE: Duration = Duration::from_secs(60);

fn of_month(lease: &str, amount: i64, period: &str) -> Value {
    json!({"type": "fund", "contract": lease, "amount": amount, "period": period})
}

fn pay(market: &Market, name: &str, instruments: &Value) -> Answer {
    let order = text(&market.order(name, 5_000).ok(), "/id");
    market.operator.post(&format!("/v1/orders/{order}/pay"), &json!({"instruments": instruments}))
}

fn clock(market: &Market, now: &str) {
    market.operator.post("/v1/sandbox/clock", &json!({ "now": now })).ok();
}

/// A batch by its number; 404 where there is none.
fn batch(market: &Market, nth: u32) -> Answer {
    market.operator.get(&format!("/v1/fund-batches/fbt_{nth}"))
}

/// A batch once it is there, which is the last.
fn closed(market: &Market, nth: u32) -> Value {
    let began = Instant::now();
    while batch(market, nth).status != 200 {
        assert!(began.elapsed() < PATIENCE, "no batch {nth}");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(batch(market, nth + 1).error().1, "fund_batch_unknown");
    batch(market, nth).ok()
}

fn is_paid(order: &Value) -> bool {
    text(order, "/status") == "success"
}

#[test]
fn a_month_is_closed_at_its_cut_off_once_over_a_kill() {
    let Some(centre) = centre("result_after = 1") else { return };
    let mut server = platform(&centre.addresses[0], CUT_OFF);
    let mut market = Market::open(&server);
    let first = pays(&market, "T1", &json!([of_month("L1", 5_000, "2026-03")]));
    let paying = market.operator.get(&format!("/v1/orders/{first}")).ok();
    assert_eq!(text(&paying, "/legs/0/cut_off"), "2026-03-05T09:00:00Z");
    // The month after: the 5th and 4th are holidays.
    let next = pays(&market, "T2", &json!([of_month("L2", 5_000, "2026-04")]));
    let paying = market.operator.get(&format!("/v1/orders/{next}")).ok();
    assert_eq!(text(&paying, "/legs/0/cut_off"), "2026-04-03T09:00:00Z");
    clock(&market, "2026-03-05T16:59:59+08:00");
    let second = pays(&market, "T3", &json!([of_month("L3", 5_000, "2026-03")]));
    assert_eq!(batch(&market, 1).error().1, "fund_batch_unknown");

    clock(&market, "2026-03-05T17:00:00+08:00");
    let march = closed(&market, 1);
    server.kill();
    server.start_again();
    market.operator = server.operator();
    let shown = ["/period", "/closed_by", "/closed_at"].map(|pointer| text(&march, pointer));
    assert_eq!(shown, ["2026-03", "timer", "2026-03-05T09:00:00Z"]);
    assert_eq!((number(&march, "/rows"), number(&march, "/applied")), (2, 10_000));
    for order in [&first, &second] {
        until(&market, order, is_paid);
    }
    let refused = pay(&market, "T4", &json!([of_month("L4", 5_000, "2026-03")]));
    assert_eq!(refused.error().1, "fund_cut_off_passed");
    assert!(refused.text().contains("2026-03-05 17:00"), "{}", refused.text());

    // Nothing more of March; April at its own.
    clock(&market, "2026-04-03T16:59:59+08:00");
    closed(&market, 1);
    clock(&market, "2026-04-03T17:00:00+08:00");
    let april = closed(&market, 2);
    assert_eq!((text(&april, "/period"), number(&april, "/rows")), ("2026-04".into(), 1));
    until(&market, &next, is_paid);
    assert_eq!(metric(&market.operator, "lintel_fund_cut_offs_total") as u64, 1, "of this process");
    assert_eq!(metric(&market.operator, "lintel_fund_cut_off_failures_total") as u64, 0);
    closed(&market, 2);
    assert!(server.stop().success());
}

#[test]
fn a_cut_off_that_was_missed_is_made_up_at_the_start_and_the_command_remains() {
    let Some(centre) = centre("result_after = 1") else { return };
    let mut server = platform(&centre.addresses[0], "");
    let mut market = Market::open(&server);
    let early = pays(&market, "T1", &json!([of_month("L1", 5_000, "2026-03")]));
    market.operator.post("/v1/fund-batches", &json!({"period": "2026-03"})).ok();
    until(&market, &early, is_paid);
    let missed = pays(&market, "T2", &json!([of_month("L2", 5_000, "2026-03")]));
    let waits = pays(&market, "T3", &json!([of_month("L3", 5_000, "2026-04")]));
    clock(&market, "2026-03-09T09:00:00+08:00");
    server.kill();
    std::fs::write(server.directory().join("lintel.toml"), settings_of(&centre.addresses[0], CUT_OFF)).unwrap();
    server.start_again();
    market.operator = server.operator();
    let made_up = closed(&market, 2);
    assert_eq!((text(&made_up, "/closed_by"), number(&made_up, "/rows")), ("timer".into(), 1));
    until(&market, &missed, is_paid);
    let order = market.operator.get(&format!("/v1/orders/{waits}")).ok();
    assert_eq!(legs(&order), [leg("sent", 5_000)], "April's is to come");
    let by_hand = market.operator.post("/v1/fund-batches", &json!({"period": "2026-04"})).ok();
    assert_eq!(number(&by_hand, "/rows"), 1);
    until(&market, &waits, is_paid);
    closed(&market, 3);
}

/// A centre with figures of a lease, and a city with all rules.
fn bounded() -> Option<(Sandbox, Server)> {
    let figures =
        "result_after = 1\n[quota]\nrent = 500000\ncontribution = 4000\nyear = 9000\nmonths = 3\nunfiled = [\"L9\"]";
    let centre = centre(figures)?;
    let rules = "quota = \"ask\"\ncap_minor = \"4500\"\nmonths_min = \"3\"\nfrequency = \"2/month\"";
    let own = ["executor.query_first_ms=20", "executor.query_max_ms=100"];
    let server = platform_in((TempDir::new().unwrap(), Vec::new()), &own, &centre.addresses[0], rules);
    Some((centre, server))
}

fn quota(market: &Market, period: &str) -> Value {
    market.operator.get(&format!("/v1/fund-quota?contract=L1&period={period}")).ok()
}

#[test]
fn a_payment_is_bounded_by_what_the_centre_says_and_the_citys_rules() {
    let Some((mut centre, server)) = bounded() else { return };
    let market = Market::open(&server);
    let refused = pay(&market, "T1", &json!([fund("L1", 5_000, false)]));
    let (status, code, param) = refused.error();
    assert_eq!((status, code.as_str(), param.as_str()), (422, "fund_over_quota", "amount"));
    assert!(refused.text().contains("4000 at most, bounded by contribution"), "{}", refused.text());
    assert_eq!(pay(&market, "T2", &json!([fund("L9", 4_000, false)])).error().1, "fund_lease_unknown");

    let shown = quota(&market, "2026-03");
    assert_eq!((number(&shown, "/at_most"), text(&shown, "/bound")), (4_000, "contribution".into()));
    assert_eq!((&shown["refusal"], &shown["draws"], number(&shown, "/cap")), (&Value::Null, &json!([]), 4_500));
    let split = json!({"instruments": [fund("L1", 4_000, true), card(1_000)]});
    let order = text(&market.order("T3", 5_000).ok(), "/id");
    let path = format!("/v1/orders/{order}/pay");
    market.operator.post_keyed(&path, "first", &split).ok();
    let twice = pay(&market, "T3b", &split["instruments"]);
    assert_eq!(twice.error().1, "fund_over_quota");
    assert!(twice.text().contains("4000 waits for its batch"), "{}", twice.text());
    market.operator.post("/v1/fund-batches", &json!({"period": "2026-03"})).ok();
    until(&market, &order, is_paid);
    let again = text(&market.order("T4", 5_000).ok(), "/id");
    market.operator.post(&format!("/v1/orders/{again}/pay"), &split).ok();
    market.operator.post("/v1/fund-batches", &json!({"period": "2026-03"})).ok();
    until(&market, &again, is_paid);

    let used = pay(&market, "T5", &split["instruments"]);
    assert_eq!((used.error().1.as_str(), used.error().2.as_str()), ("fund_draws_used_up", "period"));
    let repeated = market.operator.post_keyed(&path, "first", &split);
    assert!(repeated.repeated(), "what was taken before is answered as before: {}", repeated.text());
    let shown = quota(&market, "2026-03");
    assert_eq!((number(&shown, "/at_most"), text(&shown, "/refusal")), (0, "fund_draws_used_up".into()));
    assert_eq!(shown["draws"], json!(["2026-03", "2026-03"]));
    let april = quota(&market, "2026-04");
    assert_eq!((number(&april, "/at_most"), text(&april, "/bound")), (1_000, "remaining".into()));
    let output = server.lintel(&["fund-batch", "quota", "--contract", "L1", "--period", "2026-04"]);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && told.contains("10.00 CNY") && told.contains("remaining"), "{output:?}");
    assert_eq!(market.operator.get("/v1/fund-quota?contract=L1&period=2026-13").error().1, "value_invalid");

    centre.kill();
    assert_eq!(pay(&market, "T6", &json!([fund("L1", 1_000, false)])).error().1, "channel_unavailable");
}

#[test]
fn a_city_whose_settings_leave_the_quota_to_the_centre_is_not_asked() {
    let Some(centre) = centre("result_after = 1\n[quota]\nrent = 1") else { return };
    let server = platform(&centre.addresses[0], "");
    let market = Market::open(&server);
    pays(&market, "T1", &json!([fund("L1", 5_000, false)]));
    let told = market.operator.get("/v1/fund-quota?contract=L1&period=2026-03");
    assert_eq!(told.error().1, "channel_unknown");
    assert!(told.text().contains("quota `ask`"), "{}", told.text());
}
