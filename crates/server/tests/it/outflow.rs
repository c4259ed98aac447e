//! The outflow breaker against a real bank: what would pass the bound is not sent, over a kill and a start, until two people let it go.
//! What one person stops is not written either where it was asked for before.

use serde_json::{Value, json};

use crate::client::Client;
use crate::keys::{becomes, metric};
use crate::open::{number, text};
use crate::orders::Market;
use crate::server::Server;
use crate::sites::{Bank, pay, site, start, until, until_paid};
use crate::staff::Staff;

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
