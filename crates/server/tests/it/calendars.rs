//! The calendar of working days over the API and the command line: it ends, which is told; two people set the next year, and what was
//! refused for want of it goes on. The dates of 2027 here are made up.

use serde_json::{Value, json};

use crate::command_line::{json_of, printed, refused};
use crate::keys::becomes;
use crate::open::{number, text};
use crate::orders::Market;
use crate::server::Server;
use crate::sites::until;
use crate::staff::Staff;

const LEFT: &str = "lintel_calendar_days_left";
const ENDS: &str = "the calendar of working days ends soon";

/// New Year's Day off, which is a Friday, and the Sunday after it worked.
fn next_year() -> Value {
    json!({"kind": "calendar", "year": 2027, "holidays": ["2027-01-01"], "make_up_days": ["2027-01-03"]})
}

fn clock(market: &Market, date: &str) {
    let now = format!("{date}T09:00:00+08:00");
    market.operator.post("/v1/sandbox/clock", &json!({ "now": now })).ok();
}

fn left(market: &Market, days: i32) {
    becomes(&market.operator, LEFT, |shown| (shown - f64::from(days)).abs() < 0.5);
}

#[test]
fn two_people_set_the_next_year_and_what_was_refused_for_want_of_it_goes_on() {
    let mut server = Server::start();
    let staff = Staff::hire(&server);
    let mut market = Market::open(&server);
    let known = market.operator.get("/v1/calendars").ok();
    assert_eq!((text(&known, "/today"), text(&known, "/until")), ("2026-03-05".into(), "2026-12-31".into()));
    assert_eq!((number(&known, "/days_left"), number(&known, "/data/0/year")), (302, 2026));
    assert_eq!(known["data"][0], market.operator.get("/v1/calendars/2026").ok());
    assert_eq!((&known["data"][0]["approval"], known["data"].as_array().unwrap().len()), (&Value::Null, 1));

    let order = text(&market.order("T1", 500_000).ok(), "/id");
    let paying = market.pay(&order, 500_000).ok();
    let serial = market.serial(&text(&paying, "/legs/0/open_attempt"));
    let lines = json!([{"serial": serial, "kind": "debit", "amount": 500_000, "currency": "CNY"}]);
    let file = json!({"rail": "epcc", "date": "2026-12-31", "part": 1, "last": false, "lines": lines});
    assert_eq!(market.operator.post("/v1/clearing", &file).error().1, "calendar_unknown");
    wrong(&staff);

    assert_eq!(staff.decided(&next_year()), "2027");
    market.cleared("2026-12-31", 1, &serial, "debit", 500_000);
    let paid = market.operator.get(&format!("/v1/orders/{order}")).ok();
    assert_eq!(text(&paid, "/due"), "2027-01-03");

    server.kill();
    server.start_again();
    market.operator = server.operator();
    let year = market.operator.get("/v1/calendars/2027").ok();
    assert_eq!((&year["holidays"], &year["make_up_days"]), (&json!(["2027-01-01"]), &json!(["2027-01-03"])));
    let approval = market.operator.get(&format!("/v1/approvals/{}", text(&year, "/approval"))).ok();
    assert_eq!((&approval["proposal"], text(&approval, "/outcome")), (&next_year(), "2027".into()));
    assert_eq!(market.operator.get("/v1/calendars/2028").error(), (422, "calendar_unknown".into(), "year".into()));
    left(&market, 302 + 365);
}

/// What no accountant can propose.
fn wrong(staff: &Staff) {
    let with = |name: &str, value: Value| {
        let mut year = next_year();
        year[name] = value;
        staff.maker.propose(&year).error()
    };
    let begun = json!({"kind": "calendar", "year": 2026, "holidays": ["2026-10-01"], "make_up_days": []});
    assert_eq!(staff.maker.propose(&begun).error(), (422, "calendar_year_begun".into(), "year".into()));
    assert_eq!(with("year", json!(2028)), (422, "value_invalid".into(), "holidays".into()));
    assert_eq!(with("holidays", json!([])), (422, "value_invalid".into(), "holidays".into()));
    assert_eq!(with("holidays", json!(["2027-01-01", "2027-01-01"])).1, "value_invalid");
    assert_eq!(with("make_up_days", json!(["2027-01-04"])), (422, "value_invalid".into(), "make_up_days".into()));
    assert_eq!(with("holidays", json!(["2027-02-29"])).1, "field_malformed");
    assert_eq!(staff.first.propose(&next_year()).error().1, "role_missing", "an administrator");
}

#[test]
fn sixty_days_before_the_calendar_ends_it_is_told_each_day_once_until_the_next_year_is_set() {
    let server = Server::start();
    let staff = Staff::hire(&server);
    let market = Market::open(&server);
    let told = || server.log().matches(ENDS).count();
    left(&market, 302);
    clock(&market, "2026-11-01");
    left(&market, 61);
    assert_eq!(told(), 0);
    clock(&market, "2026-11-02");
    left(&market, 60);
    until("it is told", || told() == 1);
    clock(&market, "2026-11-03");
    left(&market, 59);
    until("it is told the next day too", || told() == 2);

    assert_eq!(staff.decided(&next_year()), "2027");
    left(&market, 59 + 365);
    clock(&market, "2026-12-31");
    left(&market, 1 + 365);
    clock(&market, "2028-01-01");
    left(&market, 0);
    until("it has ended", || server.log().contains("the working days of this year are not known"));
    assert_eq!(told(), 2);
}

#[test]
fn a_year_is_shown_and_set_as_a_file() {
    let server = Server::start();
    let staff = Staff::hire(&server);
    let listed = printed(&server.lintel(&["calendar", "list"]));
    assert!(listed.contains("days left") && listed.lines().any(|line| line.contains("2026  ")), "{listed}");
    assert_eq!(json_of(&server, &["calendar", "list"]), server.operator().get("/v1/calendars").ok());
    assert_eq!(json_of(&server, &["calendar", "show", "2026"]), server.operator().get("/v1/calendars/2026").ok());
    let unknown = refused(&server.lintel(&["calendar", "show", "2027"]));
    assert!(
        unknown.contains("(calendar_unknown, parameter year") && unknown.contains("lintel calendar set"),
        "{unknown}"
    );

    // What is shown is a file that can be set: not that of a year that has begun.
    let path = server.directory().join("year.toml");
    let file = path.to_str().unwrap();
    let set = ["calendar", "set", file, "--reason", "as published", "--as", "opr_3"];
    std::fs::write(&path, printed(&server.lintel(&["calendar", "show", "2026"]))).unwrap();
    let begun = refused(&server.lintel(&set));
    assert!(begun.contains("(calendar_year_begun, parameter year"), "{begun}");
    std::fs::write(&path, "year = 2027\nholidays = [2027-01-01]\n").unwrap();
    let form = refused(&server.lintel(&set));
    assert!(form.contains("dates in quotes"), "{form}");

    std::fs::write(&path, "year = 2027\nholidays = [\"2027-01-01\"]\nmake_up_days = [\"2027-01-03\"]\n").unwrap();
    let proposed = json_of(&server, &set);
    assert_eq!(proposed["proposal"], next_year());
    let approval = text(&proposed, "/id");
    assert_eq!(text(&staff.checker.approve(&approval).ok(), "/outcome"), "2027");
    let shown = printed(&server.lintel(&["calendar", "show", "2027"]));
    assert_eq!(
        shown,
        format!(
            "# Set by {approval}.\nyear = 2027\nholidays = [\n  \"2027-01-01\",\n]\nmake_up_days = [\n  \"2027-01-03\",\n]\n"
        )
    );
}
