//! The outflow breaker against a real bank: what would pass the bound is not sent, over a kill and a start, until two people let it go.
//! What one person stops is not written either where it was asked for before, nor what the books do not agree with by then.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::Client;
use crate::keys::{becomes, metric};
use crate::open::{number, text};
use crate::orders::Market;
use crate::sandbox::Sandbox;
use crate::server::Server;
use crate::sites::{Bank, pay, site, start, until, until_paid};
use crate::staff::Staff;

const DISAGREEMENTS: &str = "lintel_outflow_disagreements_total{what=\"object\"}";
const STOPPED: &str = "lintel_outflow_stopped{channel=\"epcc\",currency=\"CNY\"}";

/// Staff whose two accountants became treasurers.
pub(crate) fn treasurers(server: &Server) -> Staff {
    staff_with(server, &["treasurer"])
}

/// Staff whose two accountants have these roles now.
pub(crate) fn staff_with(server: &Server, roles: &[&str]) -> Staff {
    let staff = Staff::hire(server);
    for (operator, by, of) in [("opr_3", &staff.first, &staff.second), ("opr_4", &staff.second, &staff.first)] {
        let change = json!({"kind": "operator", "action": "change_roles", "operator": operator, "roles": roles});
        let proposed = by.propose(&change).ok();
        of.approve(&text(&proposed, "/id")).ok();
    }
    staff
}

fn decided(staff: &Staff, proposal: &Value) {
    let proposed = staff.maker.propose(proposal).ok();
    staff.checker.approve(&text(&proposed, "/id")).ok();
}

fn refund(operator: &Client, order: &str, number: &str, amount: i64) -> Value {
    let body = json!({"out_refund_no": number, "amount": amount, "return_fee": false});
    operator.post(&format!("/v1/orders/{order}/refunds"), &body).ok()
}

fn becomes_final(operator: &Client, refund: &Value) -> String {
    let path = format!("/v1/refunds/{}", text(refund, "/id"));
    let status = || text(&operator.get(&path).ok(), "/status");
    until("the refund is final", || matches!(&*status(), "success" | "failed"));
    status()
}

fn refunds_at(bank: &Bank) -> i64 {
    number(&bank.stats(), "/verbs/refund/received")
}

#[test]
fn what_would_pass_the_bound_waits_over_a_kill_until_two_people_let_it_go() {
    let Some(bank) = Bank::start() else { return };
    let url = format!("http://{}", bank.0.addresses[0]);
    let mut server = start(&site("a", &url, ""));
    let staff = treasurers(&server);
    let bound = json!({"kind": "outflow_bound", "channel": "epcc", "currency": "CNY", "floor": 2_000, "percent": 300});
    assert_eq!(staff.first.propose(&bound).error().1, "role_missing", "an administrator");
    decided(&staff, &bound);
    let market = Market::open(&server);
    let orders: Vec<String> = (0..2).map(|order| pay(&market, &format!("T{order}"))).collect();
    orders.iter().for_each(|order| until_paid(&market, order));

    let within = refund(&market.operator, &orders[0], "F1", 2_000);
    assert_eq!(becomes_final(&market.operator, &within), "success");
    let beyond = refund(&market.operator, &orders[1], "F2", 1);
    becomes(&server.operator(), STOPPED, |stopped| stopped > 0.5);
    let attempt =
        |server: &Server| server.operator().get(&format!("/v1/attempts/{}", text(&beyond, "/parts/0/attempt"))).ok();
    assert_eq!(text(&attempt(&server), "/status"), "waiting");
    let later = refund(&market.operator, &orders[1], "F3", 1);
    drop(market);
    server.kill();
    server.start_again();
    assert_eq!(text(&attempt(&server), "/status"), "waiting");
    let shown = server.operator().get("/v1/channels/epcc/outflows").ok();
    let row = &shown["data"][0];
    assert_eq!(
        (text(row, "/status"), number(row, "/waiting"), number(row, "/waiting_amount")),
        ("stopped".into(), 2, 2)
    );
    assert_eq!((number(row, "/stop/hour"), number(row, "/stop/bound")), (2_001, 2_000));
    assert_eq!((number(row, "/last_hour"), &row["allowed_actions"]), (2_000, &json!(["bound", "resume"])));
    assert_eq!(refunds_at(&bank), 1, "nothing of what waits was sent");

    let operator = server.operator();
    decided(
        &staff_of(&server, staff),
        &json!({"kind": "resume_outflow", "channel": "epcc", "currency": "CNY", "waiting": "send"}),
    );
    for refund in [&beyond, &later] {
        assert_eq!(becomes_final(&operator, refund), "success");
    }
    assert_eq!((refunds_at(&bank), number(&bank.stats(), "/sent_again")), (3, 0));
    assert_eq!(metric(&operator, STOPPED) as u64, 0);
    by_command_line(&server);
}

#[test]
fn a_stop_reaches_what_was_asked_for_before_it_and_is_not_written_yet() {
    let Some(bank) = Bank::start() else { return };
    let url = format!("http://{}", bank.0.addresses[0]);
    let mut server = start(&site("a", &url, ""));
    let market = Market::open(&server);
    let order = pay(&market, "T0");
    until_paid(&market, &order);
    drop(market);
    // A site that is down carries out what comes on a connection that is open: after a start there is none.
    server.stop();
    bank.first_site(false);
    server.start_again();
    treasurers(&server);
    let operator = server.operator();
    let before = refund(&operator, &order, "F1", 2_000);
    let attempt = |refund: &Value| operator.get(&format!("/v1/attempts/{}", text(refund, "/parts/0/attempt"))).ok();
    assert_eq!(text(&attempt(&before), "/status"), "requested", "no connection is there to write it on");
    let stopped = server.lintel(&["outflow", "stop", "epcc", "--reason", "doubled refunds", "--as", "opr_3"]);
    assert!(stopped.status.success(), "{stopped:?}");
    // Within the half minute in which it would be sent.
    assert_eq!(becomes_final(&operator, &before), "failed");
    let told = attempt(&before);
    assert_eq!((text(&told, "/status"), text(&told, "/failure/class")), ("declined".into(), "risk".into()), "{told}");
    assert_eq!(text(&told, "/failure/code"), "not_sent:outflow_stopped");
    bank.first_site(true);
    let after = refund(&operator, &order, "F2", 4_000);
    assert_eq!(
        text(&attempt(&after), "/status"),
        "waiting",
        "both would be more than was paid: the first gave its money back"
    );
    let stats = bank.stats();
    assert_eq!((refunds_at(&bank), number(&stats, "/sent_again")), (0, 0), "{stats}");
    assert!(server.log().contains("what leaves by its channel is stopped"));
}

/// The bank did take the money back that it had refused to, while another refund in its place waits for a connection: nothing of that one
/// is written.
#[test]
fn what_the_books_do_not_agree_with_any_more_is_not_written_and_is_an_alarm() {
    let Some(bank) = refusing_bank() else { return };
    let url = format!("http://{}", bank.0.addresses[0]);
    let mut server = start(&site("a", &url, ""));
    let mut market = Market::open(&server);
    // A card that the bank declined, and debited all the same, for an order that has no try left.
    let items = json!([{"kind": "rent", "amount": 5_000}]);
    let order = json!({
        "merchant": text(&market.landlord, "/id"), "out_trade_no": "T1", "payer": market.payer, "items": items,
        "currency": "CNY", "tries_allowed": 1,
    });
    let order = text(&market.operator.post("/v1/orders", &order).ok(), "/id");
    let paying = market.pay(&order, 5_000).ok();
    let debit = market.serial(&text(&paying, "/legs/0/open_attempt"));
    until("it is declined", || market.operator.get(&format!("/v1/orders/{order}")).ok()["status"] == "failed");
    market.cleared("2026-03-05", 1, &debit, "debit", 5_000);
    let first = market.operator.get("/v1/refunds/rfd_1").ok();
    assert_eq!((text(&first, "/kind"), becomes_final(&market.operator, &first)), ("useless".into(), "failed".into()));
    let first = market.serial(&text(&first, "/parts/0/attempt"));
    assert_eq!(refunds_at(&bank), 1);

    // A site that is down carries out what comes on a connection that is open: after a start there is none.
    server.kill();
    bank.first_site(false);
    server.start_again();
    market.operator = server.operator();
    let operator = &market.operator;
    let people = Staff::hire(&server);
    people.maker.client.post("/v1/tasks/rfd_1/retry", &json!({})).ok();
    let second = operator.get("/v1/refunds/rfd_2").ok();
    let attempt = || operator.get(&format!("/v1/attempts/{}", text(&second, "/parts/0/attempt"))).ok();
    assert_eq!(text(&attempt(), "/status"), "requested", "no connection is there to write it on");
    assert_eq!(metric(operator, DISAGREEMENTS), 0.0);
    market.cleared("2026-03-05", 2, &first, "refund", 5_000);

    becomes(operator, DISAGREEMENTS, |count| count > 0.5);
    assert_eq!(becomes_final(operator, &second), "failed");
    let told = attempt();
    let failure = ["/failure/class", "/failure/code"].map(|at| text(&told, at));
    assert_eq!(
        (text(&told, "/status"), failure),
        ("declined".into(), ["system", "not_sent:disagrees"].map(Into::into))
    );
    assert_eq!(metric(operator, DISAGREEMENTS) as u64, 1, "one attempt, told once");
    let log = server.log();
    let line = log.lines().find(|line| line.contains("stopped before money left")).unwrap();
    assert!(line.contains(&text(&told, "/id")) && line.contains("object"), "{line}");
    bank.first_site(true);
    let stats = bank.stats();
    assert_eq!((refunds_at(&bank), number(&stats, "/sent_again")), (1, 0), "{stats}");
    assert_eq!(operator.get("/v1/refunds/rfd_1").ok()["status"], "success");
}

/// The bank at two addresses, which declines every card and takes nothing back.
fn refusing_bank() -> Option<Bank> {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("plan.toml");
    fs::write(&path, "[debit]\ndecline = 10000\n[refund]\ndecline = 10000\n").unwrap();
    let listen = ["--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0"];
    let rest = ["--date", "2026-03-05", "--faults", path.to_str().unwrap()];
    Sandbox::start(["bank"].into_iter().chain(listen).chain(rest)).map(Bank)
}

/// The same people, at a server that started again elsewhere.
fn staff_of(server: &Server, staff: Staff) -> Staff {
    let Staff { first, second, maker, checker } = staff;
    let [first, second, maker, checker] = [(first, "opr_1"), (second, "opr_2"), (maker, "opr_3"), (checker, "opr_4")]
        .map(|(person, id)| person.at(server, id));
    Staff { first, second, maker, checker }
}

/// One person stops it from the command line, and is told what cannot be.
fn by_command_line(server: &Server) {
    let run = |arguments: &[&str]| {
        let output = server.lintel(arguments);
        (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let stop = ["outflow", "stop", "epcc", "--reason", "doubled payouts", "--as", "opr_3"];
    let (well, told) = run(&stop);
    assert!(well && told.contains("stopped"), "{told}");
    let (well, told) = run(&stop);
    assert!(!well && told.contains("outflow_state"), "{told}");
    let (well, told) = run(&["outflow", "show", "epcc"]);
    assert!(well && told.contains("20.00 CNY") && told.contains("stopped"), "{told}");
    let (well, told) = run(&["outflow", "resume", "epcc", "--waiting", "both", "--reason", "x", "--as", "opr_3"]);
    assert!(!well && told.contains("send, refuse"), "{told}");
    let wrong = ["outflow", "bound", "epcc", "--floor", "0", "--percent", "99", "--reason", "x", "--as", "opr_3"];
    let (well, told) = run(&wrong);
    assert!(!well && told.contains("100 to 10000"), "{told}");
}
