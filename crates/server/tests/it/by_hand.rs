//! Orders, refunds, splits, payouts, transfers and own money by the command line: the same answers as the API's, and what people see.

use serde_json::json;

use crate::command_line::{json_of, printed, refused};
use crate::open::{Books, balance, number, text};
use crate::orders::Market;
use crate::server::Server;

/// A file of the server's directory, for a command to read.
fn file(server: &Server, name: &str, content: &str) -> String {
    let path = server.directory().join(name);
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn an_order_is_created_paid_split_and_refunded_by_hand() {
    let server = Server::start();
    let market = Market::open(&server);
    let (payee, agent) = (text(&market.landlord, "/id"), text(market.agent(), "/id"));
    let create = |number: &str| {
        let order = ["order", "create", "--merchant", &payee, "--payer", &market.payer, "--number", number];
        json_of(&server, &[&order[..], &["--item", "rent:300000", "--item", "deposit:200000"]].concat())
    };
    let unpaid = text(&create("C0"), "/id");
    assert_eq!(json_of(&server, &["order", "close", &unpaid])["status"], "closed");
    let order = text(&create("C1"), "/id");
    let card =
        json!([{"type": "card", "agreement": "A1", "mask": "622202******2230", "rail": "epcc", "amount": 500_000}]);
    let card = file(&server, "instruments.json", &card.to_string());
    let paying = json_of(&server, &["order", "pay", &order, &card]);
    assert_eq!(text(&paying, "/status"), "paying");
    market.cleared("2026-03-05", 1, &market.serial(&text(&paying, "/legs/0/open_attempt")), "debit", 500_000);
    assert!(printed(&server.lintel(&["order", "show", &order])).contains("success"));
    assert!(printed(&server.lintel(&["clearing", "show", "clr_1"])).contains("5000.00 CNY"));
    let line = ["reserve-line", "take", "--reference", "L-1", "--date", "2026-03-05", "--direction", "in"];
    let session = ["--amount", "500000", "--rail", "epcc", "--session", "2026-03-05"];
    let taken = json_of(&server, &[&line[..], &session].concat());
    assert!(text(&taken, "/voucher").starts_with("vch_") && taken["clearing"]["rail"] == "epcc", "{taken}");

    json_of(&server, &["receiver", "register", &payee, &agent, "--relation", "agent"]);
    let (part, rate, taken) = (format!("{agent}:99000"), format!("{agent}:1000000"), format!("{agent}:20000"));
    let made = json_of(&server, &["split", "make", &order, "--number", "S1", "--part", &part]);
    assert_eq!(made, market.operator.get(&format!("/v1/splits/{}", text(&made, "/id"))).ok());
    let rates = ["split", "make", &order, "--number", "S2", "--amount", "1000", "--rate", &rate];
    let made = json_of(&server, &[&rates[..], &["--remainder-to", &agent]].concat());
    assert_eq!((number(&made, "/amount"), number(&made, "/parts/0/amount")), (1_000, 1_000));
    let no_plan = ["split", "make", &order, "--number", "S3", "--amount", "1", "--plan", "p", "--role", "seller=mch_9"];
    assert!(refused(&server.lintel(&no_plan)).contains("parameter plan.name"));
    assert!(printed(&server.lintel(&["split", "show", &text(&made, "/id")])).contains("10.00 CNY"));
    let back = ["split", "return", &text(&made, "/id"), "--receiver", &agent, "--number", "R1", "--amount", "400"];
    let given = json_of(&server, &back);
    assert_eq!((text(&given, "/receiver"), number(&given, "/amount")), (agent.clone(), 400));
    let shown = printed(&server.lintel(&["split", "show", &text(&made, "/id")]));
    assert!(shown.contains("Returned without a refund:") && shown.contains("4.00 CNY"), "{shown}");
    let over = ["split", "return", &text(&made, "/id"), "--receiver", &agent, "--number", "R2", "--amount", "601"];
    assert!(refused(&server.lintel(&over)).contains("(split_amount, parameter amount"));

    let refund = ["refund", "make", &order, "--number", "F1", "--amount", "50000", "--item", "1:50000"];
    let made = json_of(&server, &[&refund[..], &["--take-from", &taken]].concat());
    assert_eq!((number(&made, "/amount"), &made["items"]), (50_000, &json!([{"item": 1, "amount": 50_000}])));
    let shown = printed(&server.lintel(&["refund", "show", &text(&made, "/id")]));
    for words in ["in_transit", "500.00 CNY", "Items:", "Returned by receivers:", "200.00 CNY"] {
        assert!(shown.contains(words), "no {words} in {shown}");
    }
    let wrong = ["refund", "make", &order, "--number", "F2", "--amount", "1", "--item", "rent:1"];
    assert!(refused(&server.lintel(&wrong)).contains("'rent' is no place of an item"));
    let leg = text(&json_of(&server, &["order", "show", &order]), "/legs/0/id");
    let less = ["refund", "make", &order, "--number", "F4", "--amount", "7000", "--leg", &format!("{leg}:6999")];
    assert!(refused(&server.lintel(&less)).contains("the legs add up to 6999"));
    let over = ["refund", "make", &order, "--number", "F3", "--amount", "450001"];
    assert!(refused(&server.lintel(&over)).contains("(refund_exceeded, parameter amount"));
    let position = number(&market.operator.get("/health/ready").ok(), "/position");
    let listed = market.operator.get(&format!("/v1/refunds?order={order}&min_position={position}")).ok();
    assert_eq!(json_of(&server, &["refund", "list", "--order", &order])["data"], listed["data"]);
    assert_eq!(listed["data"].as_array().unwrap().len(), 1);
}

#[test]
fn balances_are_topped_up_transferred_and_withdrawn_by_hand() {
    let server = Server::start();
    let Books { operator, rich, poor, .. } = &Books::open(&server);
    let top_up = ["top-up", "create", poor, "--agreement", "A1", "--mask", "622202******2230", "--amount", "70000"];
    let asked = json_of(&server, &top_up);
    assert_eq!((text(&asked, "/status"), balance(operator, poor)), ("sent".into(), 0));
    assert_eq!(json_of(&server, &["top-up", "show", &text(&asked, "/id")]), asked);
    let by_page = ["top-up", "create", poor, "--page", "--rail", "epcc", "--amount", "70000"];
    let by_page = json_of(&server, &by_page);
    let id = text(&by_page, "/id");
    assert_eq!(by_page["front_page"], json!(format!("/v1/top-ups/{id}/front-page")));
    assert!(refused(&server.lintel(&["top-up", "page", &id])).contains("(channel_unknown"));
    assert_eq!(json_of(&server, &["top-up", "close", &id])["failure"]["code"], "closed");
    assert!(refused(&server.lintel(&["top-up", "close", &id])).contains("(top_up_state, parameter top_up"));

    let transfer = |amount: &str, more: &[&str]| {
        let made = ["transfer", "make", rich, poor, "--factors", "two", "--amount", amount];
        server.lintel(&[&made[..], more].concat())
    };
    let moved = printed(&transfer("1250", &["--note", "March water"]));
    assert!(moved.contains("12.50 CNY") && moved.contains("March water"), "{moved}");
    assert_eq!(balance(operator, poor), 1_250);
    assert!(refused(&transfer("100000", &[])).contains("(insufficient_funds, parameter amount"));
    let owner = text(&operator.get(&format!("/v1/accounts/{rich}")).ok(), "/owner");
    let (right, wrong) = (file(&server, "right", "246801\n"), file(&server, "wrong", "135790\n"));
    json_of(&server, &["pay-password", "set", &owner, "--from", &right]);
    assert!(refused(&transfer("1", &[])).contains("(pay_password_required"));
    assert!(refused(&transfer("1", &["--pay-password", &wrong])).contains("(pay_password_wrong"));
    assert!(printed(&transfer("1", &["--pay-password", &right])).contains("0.01 CNY"));

    let account = file(&server, "account.json", &json!({"account": "6222020200112248", "holder": "张三"}).to_string());
    let create = ["payout", "create", rich, "--to", "bank", "--amount", "5000"];
    assert!(refused(&server.lintel(&create)).contains("--bank-account"));
    let held = json_of(&server, &[&create[..], &["--bank-account", &account]].concat());
    assert_eq!((text(&held, "/status"), text(&held, "/kind")), ("held".into(), "withdrawal".into()));
    let shown = printed(&server.lintel(&["payout", "show", &text(&held, "/id")]));
    assert!(shown.contains("622202******2248") && !shown.contains("6222020200112248"), "{shown}");
    assert_eq!(json_of(&server, &["payout", "send", &text(&held, "/id")])["status"], "sent");
    let returns = refused(&server.lintel(&["payout", "fetch-returns", "--date", "2026-03-06"]));
    assert!(returns.contains("(channel_unknown"), "{returns}");
}

#[test]
fn chargebacks_arrears_advances_and_lines_of_the_reserve_are_looked_after_by_hand() {
    let server = Server::start();
    let market = Market::open(&server);
    let (order, merchant) = (market.paid(), text(&market.landlord, "/id"));
    let leg = text(&order, "/legs/0/id");
    let receive = ["chargeback", "receive", "--leg", &leg, "--case", "CB-1", "--reason", "4853", "--amount", "200000"];
    let received = json_of(&server, &receive);
    let id = text(&received, "/id");
    assert_eq!(text(&received, "/status"), "received");
    let booked = printed(&server.lintel(&["chargeback", "book", &id]));
    assert!(booked.contains("booked") && booked.contains("Taken from:") && booked.contains("2000.00 CNY"), "{booked}");
    assert_eq!(json_of(&server, &["chargeback", "win", &id])["status"], "won");
    assert!(refused(&server.lintel(&["chargeback", "win", &id])).contains("(chargeback_state"));
    assert!(printed(&server.lintel(&["arrears", "list", "--merchant", &merchant])).contains("(none)"));
    assert!(
        refused(&server.lintel(&["arrears", "collect", &merchant])).contains("(arrears_unknown, parameter merchant")
    );

    assert!(printed(&server.lintel(&["advance", "policies"])).contains("(none)"));
    let advance = refused(&server.lintel(&["advance", "request", "mch_99", "--order", &text(&order, "/id")]));
    assert!(advance.contains("(merchant_unknown"), "{advance}");
    assert!(refused(&server.lintel(&["advance", "repay", "adv_1"])).contains("(advance_unknown"));
    let back = ["advance", "return", "adv_1", "--reference", "RT1", "--date", "2026-03-06"];
    assert!(refused(&server.lintel(&back)).contains("(advance_unknown"));

    let take = ["reserve-line", "take", "--reference", "L-1", "--date", "2026-03-05", "--amount", "7"];
    let taken = json_of(&server, &[&take[..], &["--direction", "in"]].concat());
    assert_eq!((&taken["suspended"], &taken["direction"]), (&json!(true), &json!("in")));
    let out =
        ["reserve-line", "take", "--reference", "L-2", "--date", "2026-03-05", "--amount", "7", "--direction", "out"];
    assert!(refused(&server.lintel(&out)).contains("(reserve_line_unmatched"));
    let closing = printed(&server.lintel(&["reserve-line", "balance", "2026-03-05", "--amount", "600007"]));
    assert!(closing.contains("6000.07 CNY"), "{closing}");
    assert_eq!(json_of(&server, &["reserve-line", "show", &text(&taken, "/id")]), taken);
}
