//! What an operator does by hand: the subcommands ask the same API as everyone, and show the same answers.

use std::process::Output;

use serde_json::{Value, json};

use crate::open::{Books, balance, number, text};
use crate::orders::Market;
use crate::server::{Server, lintel};

/// What a command that must go well printed.
#[track_caller]
pub(crate) fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[track_caller]
pub(crate) fn json_of(server: &Server, arguments: &[&str]) -> Value {
    let text = printed(&server.lintel(&[arguments, &["--json"]].concat()));
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("not JSON: {text}"))
}

/// What a command that must be refused said.
#[track_caller]
pub(crate) fn refused(output: &Output) -> String {
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn what_is_looked_at_with_json_is_the_answer_of_the_api() {
    let server = Server::start();
    let market = Market::open(&server);
    let order = text(&market.paid(), "/id");
    market.order("T2", 70_000).ok();
    // The lists show everything that was done from here on.
    let position = number(&market.operator.get("/health/ready").ok(), "/position");
    market.operator.get(&format!("/v1/orders?min_position={position}")).ok();
    let account = text(&market.landlord, "/available");
    let statement = format!("/v1/accounts/{account}/statement?from=2026-03-05&to=2026-03-05&limit=5");
    let cases: [(&[&str], &str); 13] = [
        (&["day", "next"], "/v1/working-day"),
        (&["day", "list"], "/v1/days"),
        (&["day", "show", "2026-03-05"], "/v1/days/2026-03-05"),
        (&["day", "trial-balance", "2026-03-05"], "/v1/days/2026-03-05/trial-balance"),
        (&["account", "show", &account], &format!("/v1/accounts/{account}")),
        (&["account", "statement", &account, "--from", "2026-03-05", "--to", "2026-03-05", "--limit", "5"], &statement),
        (&["order", "show", &order], &format!("/v1/orders/{order}")),
        (&["order", "list", "--status", "success"], "/v1/orders?status=success"),
        (&["payout", "list"], "/v1/payouts"),
        (&["attempt", "list"], "/v1/attempts"),
        (&["attempt", "show", "att_1"], "/v1/attempts/att_1"),
        (&["settlement", "due", "--date", "2026-03-06"], "/v1/settlements/due?date=2026-03-06"),
        (&["rates"], "/v1/rates"),
    ];
    for (arguments, target) in cases {
        let (mut shown, mut answered) = (json_of(&server, arguments), market.operator.get(target).ok());
        // A list says how far it goes, and the platform's own clock may move that between the two looks.
        for side in [&mut shown, &mut answered] {
            if let Some(object) = side.as_object_mut() {
                object.remove("position");
            }
        }
        assert_eq!(shown, answered, "{arguments:?}");
    }
}

#[test]
fn people_read_aligned_tables_with_decimals() {
    let server = Server::start();
    let books = Books::open(&server);
    books.post("n-1", &books.rich, &books.poor, 1_250).ok();
    let shown = printed(&server.lintel(&["account", "show", &books.rich]));
    assert!(shown.lines().any(|line| line.starts_with("balance ") && line.ends_with("  987.50 CNY")), "{shown}");

    let range = ["--from", "2026-03-05", "--to", "2026-03-05"];
    let statement = printed(&server.lintel(&[&["account", "statement", &books.rich], &range[..]].concat()));
    let amounts: Vec<_> = statement.lines().filter(|line| line.contains("2026-03-05  transfer")).collect();
    assert_eq!(amounts.len(), 2, "{statement}");
    assert!(amounts[0].ends_with("1000.00 CNY  1000.00 CNY") && amounts[1].ends_with("  12.50 CNY   987.50 CNY"));
    let page = printed(&server.lintel(&[&["account", "statement", &books.rich, "--limit", "1"], &range[..]].concat()));
    assert!(page.contains("more: --cursor 2026-03-05.1"), "{page}");
    let csv = printed(&server.lintel(&[&["account", "statement", &books.rich, "--csv"], &range[..]].concat()));
    assert!(csv.contains("987.50") && !csv.contains("more:"), "{csv}");

    let trial = printed(&server.lintel(&["day", "trial-balance", "2026-03-05"]));
    assert!(trial.contains("balanced  yes") && trial.contains("1000.00 CNY"), "{trial}");
    assert!(printed(&server.lintel(&["attempt", "list"])).contains("(none)"));
}

#[test]
fn a_day_is_cut_and_closed_by_hand() {
    let server = Server::start();
    let cut = ["day", "cut", "--next", "2026-03-06", "--idempotency-key", "cut-1"];
    let first = json_of(&server, &cut);
    assert_eq!((text(&first, "/date"), text(&first, "/status")), ("2026-03-06".into(), "open".into()));
    assert_eq!(json_of(&server, &cut), first, "under the same key it is cut once");
    let again = refused(&server.lintel(&["day", "cut", "--next", "2026-03-06"]));
    assert!(again.contains("(day_state, parameter next, request req_"), "{again}");

    let closed = printed(&server.lintel(&["day", "close", "2026-03-05"]));
    assert!(closed.contains("status") && closed.contains("closed") && closed.contains("trial_balance"), "{closed}");
    let open = refused(&server.lintel(&["day", "close", "2026-03-06"]));
    assert!(open.contains("(day_state, parameter ") && open.contains("2026-03-06"), "{open}");
}

#[test]
fn a_merchant_is_settled_and_payouts_are_cancelled_and_returned_by_hand() {
    let server = Server::start();
    let market = Market::open(&server);
    market.paid();
    market.next_day();
    let merchant = text(&market.landlord, "/id");
    let settled = printed(&server.lintel(&["settlement", "settle", &merchant, "--date", "2026-03-06"]));
    assert!(settled.contains("4990.00 CNY"), "{settled}");
    let available = text(&market.landlord, "/available");
    let create = |amount: i64, send_now: bool| {
        let to = json!({"type": "settlement"});
        let body = json!({"account": available, "to": to, "amount": amount, "currency": "CNY", "send_now": send_now});
        market.operator.post("/v1/payouts", &body).ok()
    };
    let held = text(&create(50_000, false), "/id");
    assert_eq!(json_of(&server, &["payout", "cancel", &held])["status"], "cancelled");

    let sent = create(100_000, true);
    market.cleared("2026-03-06", 1, &market.serial(&text(&sent, "/attempt")), "pay", 100_000);
    let id = text(&sent, "/id");
    assert!(printed(&server.lintel(&["payout", "show", &id])).contains("success"));
    let back = ["payout", "return", &id, "--reference", "RT1", "--date", "2026-03-06"];
    assert_eq!(json_of(&server, &back)["status"], "returned");
    assert_eq!(balance(&market.operator, &available), 499_000);
    let no_channel = refused(&server.lintel(&["clearing", "fetch", "--rail", "epcc", "--date", "2026-03-06"]));
    assert!(no_channel.contains("(channel_unknown, parameter rail, request req_"), "{no_channel}");
}

#[test]
fn who_has_no_key_or_no_address_is_told_what_to_give() {
    let mut server = Server::start();
    let key = printed(&server.lintel(&["key"]));
    let url = format!("http://{}", server.address());
    let elsewhere = tempfile::TempDir::new().unwrap();
    let no_vault = refused(&lintel(elsewhere.path(), &["day", "list", "--url", &url]));
    assert!(no_vault.contains("--data-dir") && no_vault.contains("--key"), "{no_vault}");
    assert_eq!(elsewhere.path().read_dir().unwrap().count(), 0, "no vault was made there");
    let with_key = lintel(elsewhere.path(), &["day", "list", "--url", &url, "--key", key.trim()]);
    assert!(printed(&with_key).contains("2026-03-05"));
    let zeros = "0".repeat(64);
    let wrong = refused(&server.lintel(&["day", "list", "--key", &zeros]));
    assert!(wrong.contains("(signature_mismatch") && !wrong.contains(&zeros), "{wrong}");

    assert!(server.stop().success());
    let gone = refused(&server.lintel(&["day", "cut", "--idempotency-key", "cut-7"]));
    assert!(gone.contains("no answer from http://127.0.0.1:") && gone.contains("--idempotency-key cut-7"), "{gone}");
}

#[test]
fn help_teaches_with_an_example() {
    let server = Server::start();
    let nouns =
        ["day", "calendar", "account", "freeze", "order", "payout", "attempt", "settlement", "clearing", "rates"];
    let of_money = [
        "refund",
        "split",
        "split-plan",
        "top-up",
        "transfer",
        "advance",
        "chargeback",
        "arrears",
        "reserve-line",
        "fund-batch",
    ];
    for noun in nouns.into_iter().chain(of_money) {
        let help = printed(&server.lintel(&[noun, "--help"]));
        assert!(help.contains("Example") && help.contains(&format!("lintel {noun} ")), "{help}");
    }
    let help = printed(&server.lintel(&["payout", "return", "-h"]));
    assert!(help.contains("lintel payout return pay_5 --reference"), "{help}");
}

#[test]
fn two_people_decide_by_hand_each_under_its_own_name() {
    let server = Server::start();
    for (login, id) in [("admin.one", "opr_1"), ("admin.two", "opr_2")] {
        let made = json_of(&server, &["operator", "register", login, "--role", "administrator"]);
        assert_eq!(text(&made, "/id"), id);
    }
    let third = ["operator", "register", "maker", "--role", "accountant", "--role", "risk"];
    assert!(refused(&server.lintel(&third)).contains("approval_required"));
    let proposed = json_of(&server, &[&third[..], &["--reason", "joins finance", "--as", "opr_1"]].concat());
    assert_eq!(proposed["proposal"]["roles"], json!(["accountant", "risk"]));
    let uri = printed(&server.lintel(&["operator", "enrol", "opr_2", "--as", "opr_2"]));
    assert!(refused(&server.lintel(&["operator", "enrol", "opr_2", "--as", "opr_2"])).contains("(totp_enrolled"));
    let code = ark::TotpSecret::from_uri(uri.trim()).unwrap().code(crate::client::now() / ark::totp::STEP_SECONDS);
    let approve = ["approval", "approve", "apr_1", "--totp", &code];
    assert!(refused(&server.lintel(&approve)).contains("not_permitted"), "the programs approve nothing");
    let approved = printed(&server.lintel(&[&approve[..], &["--as", "opr_2", "--remark", "welcome"]].concat()));
    assert!(approved.contains("approved") && approved.contains("opr_3") && approved.contains("welcome"), "{approved}");

    let file = server.directory().join("proposal.json");
    let proposal = json!({"kind": "operator", "action": "suspend", "operator": "opr_3"});
    std::fs::write(&file, proposal.to_string()).unwrap();
    let file = file.to_str().unwrap();
    let leaves = json_of(&server, &["approval", "propose", file, "--reason", "leaves", "--as", "opr_1"]);
    assert_eq!((text(&leaves, "/id"), &leaves["proposal"]), ("apr_2".into(), &proposal));
    let withdrawn = json_of(&server, &["approval", "withdraw", "apr_2", "--as", "opr_1"]);
    assert_eq!(withdrawn["status"], "withdrawn");
    let again = json_of(&server, &["operator", "suspend", "opr_3", "--reason", "leaves", "--as", "opr_1"]);
    assert_eq!(again["proposal"], proposal);
    let rejected = ["approval", "reject", "apr_3", "--remark", "stays", "--as", "opr_2"];
    assert!(printed(&server.lintel(&rejected)).contains("rejected"));

    assert!(printed(&server.lintel(&["suspense", "ageing"])).contains("(none)"));
    assert!(printed(&server.lintel(&["suspense", "list", "--status", "open"])).contains("(none)"));
    assert!(printed(&server.lintel(&["task", "list", "legs"])).contains("(none)"));
    assert!(printed(&server.lintel(&["task", "list", "refunds"])).contains("(none)"));
    assert!(refused(&server.lintel(&["task", "retry", "leg_1"])).contains("(leg_unknown"));
    let allocate = ["suspense", "allocate", "sus_1", "--to", "acc_1", "--reason", "found", "--as", "opr_3"];
    assert!(refused(&server.lintel(&allocate)).contains("(suspense_unknown"));
    let waive = ["day", "waive", "2026-03-05", "--check", "cover", "--reason", "r", "--as", "opr_3"];
    assert!(refused(&server.lintel(&waive)).contains("(day_state, parameter position"));
    let position = number(&server.operator().get("/health/ready").ok(), "/position");
    server.operator().get(&format!("/v1/operators?min_position={position}")).ok();
    let shown = server.operator().get("/v1/approvals?status=rejected").ok();
    assert_eq!(json_of(&server, &["approval", "list", "--status", "rejected"]), shown);
    assert_eq!(json_of(&server, &["operator", "list"]), server.operator().get("/v1/operators").ok());
}
