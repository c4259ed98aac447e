//! `lintel ledger export`: rows by template, control totals, and what is not published.

use serde_json::{Value, json};

use crate::books::{report, said};
use crate::open::{Books, account, entry, number, text};
use crate::server::Server;

const TEMPLATE: &str = r#"
header = ["VOUCHERS {from} {to}"]
trailer = ["TOTAL {vouchers} {entries} {totals}"]

[file]
delimiter = ";"
date = "YYYYMMDD"

[[columns]]
title = "no"
field = "voucher_number"
[[columns]]
title = "line"
field = "line"
[[columns]]
title = "date"
field = "date"
[[columns]]
title = "ours"
field = "subject"
[[columns]]
title = "theirs"
field = "finance_subject"
[[columns]]
title = "debit"
field = "debit"
[[columns]]
title = "credit"
field = "credit"
[[columns]]
title = "ccy"
field = "currency"
[[columns]]
title = "book"
field = "book"
[[columns]]
title = "memo"
field = "business"
[[columns]]
title = "by"
text = "LINTEL"

[subjects]
1121 = "1012.01"
2201 = "2241.01"
1291 = "1221"
5001 = "6051"
2291 = "2241.99"
"#;

/// Two closed days with vouchers in two books, and an open one.
fn days(server: &Server) -> Books {
    let books = Books::open(server);
    let own = |subject| crate::open::own(&books.operator, subject);
    let (fee, due, mirror) = (own(5001), own(2291), own(1291));
    // A payment with a fee of 10: reserve and own books in one voucher.
    let entries = [
        entry(&books.clearing, "debit", 5_000),
        entry(&books.poor, "credit", 4_990),
        entry(&due, "credit", 10),
        entry(&mirror, "debit", 10),
        entry(&fee, "credit", 10),
    ];
    let body = json!({"business_number": "pay;1", "event": "payment_captured", "entries": entries});
    books.operator.post("/v1/vouchers", &body).ok();
    for _ in 0..2 {
        books.operator.post("/v1/days/cut", &json!({})).ok();
        books.post(&format!("move-{}", server.log().len()), &books.rich, &books.poor, 250).ok();
    }
    for date in ["2026-03-05", "2026-03-06"] {
        let closed = books.operator.post(&format!("/v1/days/{date}/close"), &json!({})).ok();
        assert_eq!(closed["status"], "closed", "{closed}");
    }
    books
}

fn export(server: &Server, from: &str, to: &str, out: &str, more: &[&str]) -> std::process::Output {
    let template = server.directory().join("template.toml");
    if !template.exists() {
        std::fs::write(&template, TEMPLATE).unwrap();
    }
    let out = server.directory().join(out);
    let fixed = ["ledger", "export", "--from", from, "--to", to, "--template", template.to_str().unwrap(), "--out"];
    server.lintel(&[&fixed[..], &[out.to_str().unwrap()], more].concat())
}

#[test]
fn closed_days_are_written_by_template_with_control_totals() {
    let server = Server::start();
    days(&server);
    let output = export(&server, "2026-03-05", "2026-03-06", "out.csv", &["--json"]);
    assert!(output.status.success(), "{}", said(&output));
    let file = std::fs::read_to_string(server.directory().join("out.csv")).unwrap();
    let lines: Vec<&str> = file.split_terminator("\r\n").collect();
    assert_eq!(
        lines,
        [
            "VOUCHERS 2026-03-05 2026-03-06",
            "no;line;date;ours;theirs;debit;credit;ccy;book;memo;by",
            "1;1;20260305;1121;1012.01;1000.00;;CNY;RESERVE;opening;LINTEL",
            "1;2;20260305;2201;2241.01;;1000.00;CNY;RESERVE;opening;LINTEL",
            "2;1;20260305;1121;1012.01;50.00;;CNY;RESERVE;\"pay;1\";LINTEL",
            "2;2;20260305;1291;1221;0.10;;CNY;OWN;\"pay;1\";LINTEL",
            "2;3;20260305;2291;2241.99;;0.10;CNY;RESERVE;\"pay;1\";LINTEL",
            "2;4;20260305;5001;6051;;0.10;CNY;OWN;\"pay;1\";LINTEL",
            "2;5;20260305;2201;2241.01;;49.90;CNY;RESERVE;\"pay;1\";LINTEL",
            lines[9],
            lines[10],
            "TOTAL 3 9 OWN CNY 10 10; RESERVE CNY 105250 105250",
        ]
    );
    assert!(lines[9].starts_with("3;1;20260306;2201;2241.01;2.50;;CNY;RESERVE;move-"), "{}", lines[9]);
    assert!(lines[10].starts_with("3;2;20260306;2201;2241.01;;2.50;CNY;RESERVE;move-"), "{}", lines[10]);

    let control = report(&output);
    let beside = std::fs::read_to_string(server.directory().join("out.csv.control.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&beside).unwrap(), control);
    assert_eq!((number(&control, "/vouchers"), number(&control, "/entries")), (3, 9));
    assert_eq!(number(&control, "/file/bytes"), i64::try_from(file.len()).unwrap());
    assert_eq!(text(&control, "/file/sm3"), hex::encode(ark::sm3(file.as_bytes())));
    assert_eq!(
        control["totals"][1],
        json!({"book": "RESERVE", "currency": "CNY", "debit": 105_250, "credit": 105_250})
    );
    assert!(number(&control, "/journal/position") > 0 && text(&control, "/journal/hash").len() == 64);
    assert_eq!(control["days"][1]["status"], "closed");
    let first = text(&control, "/first_voucher");
    assert!(first.starts_with("vch_") && first < text(&control, "/last_voucher"), "{control}");
    // A file that is there is left alone.
    let again = export(&server, "2026-03-05", "2026-03-06", "out.csv", &[]);
    assert!(said(&again).contains("out.csv is there already"), "{}", said(&again));
}

#[test]
fn an_open_day_is_taken_only_if_asked_for() {
    let server = Server::start();
    days(&server);
    let refused = export(&server, "2026-03-05", "2026-03-07", "out.csv", &[]);
    assert!(said(&refused).contains("2026-03-07 is open, not closed"), "{}", said(&refused));
    assert!(!server.directory().join("out.csv").exists());
    let taken = export(&server, "2026-03-07", "2026-03-07", "out.csv", &["--open", "--json"]);
    let control = report(&taken);
    assert_eq!((number(&control, "/vouchers"), &control["days"][0]["status"]), (1, &"open".into()), "{}", said(&taken));
    let none = export(&server, "2027-01-01", "2027-01-02", "none.csv", &[]);
    assert!(said(&none).contains("no accounting day from 2027-01-01"), "{}", said(&none));
}

#[test]
fn a_subject_that_the_list_lacks_and_currencies_that_cannot_be_told_apart_are_refused() {
    let server = Server::start();
    let books = days(&server);
    let short = TEMPLATE.replace("5001 = \"6051\"\n", "");
    std::fs::write(server.directory().join("template.toml"), short).unwrap();
    let refused = export(&server, "2026-03-05", "2026-03-05", "out.csv", &[]);
    assert!(said(&refused).contains("on 5001, which [subjects] lacks"), "{}", said(&refused));
    // Of one book alone it is not needed.
    std::fs::write(
        server.directory().join("template.toml"),
        format!("books = [\"RESERVE\"]\n{}", TEMPLATE.replace("5001 = \"6051\"\n", "")),
    )
    .unwrap();
    let output = export(&server, "2026-03-05", "2026-03-05", "reserve.csv", &["--json"]);
    assert_eq!(number(&report(&output), "/entries"), 5, "{}", said(&output));

    let user = text(&books.operator.get(&format!("/v1/accounts/{}", books.rich)).ok(), "/owner");
    let dollars = account(&books.operator, 2201, "USD", &user);
    let position = books.operator.get(&format!("/v1/accounts/{dollars}")).position();
    let own = format!("/v1/accounts?owner=institution&subject=1121&min_position={position}");
    let own = books.operator.get(&own).ok();
    let own = own["data"].as_array().unwrap().iter().find(|account| account["currency"] == "USD");
    let own = own.map_or_else(|| panic!("no books in dollars"), |account| text(account, "/id"));
    let line = |account: &str, side: &str| json!({"account": account, "side": side, "amount": 7, "currency": "USD"});
    let body = json!({"business_number": "usd", "entries": [line(&own, "debit"), line(&dollars, "credit")]});
    books.operator.post("/v1/vouchers", &body).ok();
    let blind = "[[columns]]\ntitle = \"s\"\nfield = \"signed\"\n";
    std::fs::write(server.directory().join("template.toml"), blind).unwrap();
    let refused = export(&server, "2026-03-07", "2026-03-07", "blind.csv", &["--open"]);
    assert!(said(&refused).contains("no column for the currency"), "{}", said(&refused));
    assert!(!server.directory().join("blind.csv").exists());
}

#[test]
fn the_endpoints_behind_it_say_what_is_wrong() {
    let server = Server::start();
    let books = days(&server);
    let operator = &books.operator;
    let page = operator.get("/v1/days/2026-03-05/vouchers?limit=1").ok();
    let next = text(&page, "/next_cursor");
    let rest = operator.get(&format!("/v1/days/2026-03-05/vouchers?limit=10&cursor={next}")).ok();
    assert_eq!((rest["data"].as_array().map(Vec::len), &rest["next_cursor"]), (Some(1), &Value::Null));
    let page = operator.get("/v1/days/2026-03-05/balances?subject=2201&limit=1").ok();
    assert_eq!((number(&page, "/data/0/balance"), number(&page, "/data/0/credit")), (100_000, 100_000));
    let rest =
        operator.get(&format!("/v1/days/2026-03-05/balances?subject=2201&cursor={}", text(&page, "/next_cursor")));
    assert_eq!(number(&rest.ok(), "/data/0/balance"), 4_990);
    // Of an open day it is as of now.
    let open = operator.get("/v1/days/2026-03-07/balances?subject=2201").ok();
    assert_eq!((open["status"].as_str(), number(&open, "/data/1/balance")), (Some("open"), 5_490));
    let unknown = operator.get("/v1/postings/nobody").ok();
    assert_eq!((&unknown["stream"], number(&unknown, "/mark")), (&Value::Null, 0));
    for (target, status, code, param) in [
        ("/v1/days/2026-03-05/vouchers?limit=0", 400, "field_malformed", "limit"),
        ("/v1/days/2026-03-05/vouchers?cursor=acc_1", 400, "cursor_malformed", "cursor"),
        ("/v1/days/yesterday/vouchers", 400, "field_malformed", "date"),
        ("/v1/days/2020-01-01/vouchers", 404, "day_not_open", "date"),
        ("/v1/days/2026-03-05/balances?limit=10001", 400, "field_malformed", "limit"),
        ("/v1/days/2026-03-05/balances?subject=1", 400, "field_malformed", "subject"),
        ("/v1/days/2020-01-01/balances", 404, "day_not_open", "date"),
    ] {
        let (found, name, about) = operator.get(target).error();
        assert_eq!((name.as_str(), about.as_str()), (code, param), "{target}");
        assert!(found == status || code == "day_not_open", "{target}: {found}");
    }
}
