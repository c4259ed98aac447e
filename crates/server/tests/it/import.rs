//! `lintel ledger import`: broken off and run again, refused, rejected, stopped.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::books::{Books, Running, report, said};
use crate::open::{closing, text, voucher};

/// Money in and out of accounts that may be overdrawn.
const CUSTODY: &str = r#"
stream = "old-bank"
first_day = "2020-01-30"

[columns]
account = "account"
date = "date"
amount = "amount"
reference = "id"

[date]
form = "YYYY-MM-DD"

[amount]
unit = "decimal"
sign = "signed"

[books]
currency = "CNY"
subject = 9201
overdraft = true
contra = 9101
"#;

/// The same into personal accounts, which are never overdrawn.
fn personal() -> String {
    CUSTODY.replace("subject = 9201\noverdraft = true\ncontra = 9101", "subject = 2201\ncontra = 1121")
}

/// Rows on 31 of 40 days from 2020-01-30, of 7 accounts; some of them are out of order.
fn rows() -> String {
    let mut lines = Vec::new();
    for number in 0..260_i64 {
        // Any mixing will do, if it is always the same.
        let day = (number * 37) % 31;
        let (month, day) = if day < 2 { (1, 30 + day) } else { (2, day - 1) };
        let sign = if number % 3 == 0 { "-" } else { "" };
        let cents = (number * 7_919) % 100;
        lines.push(format!("T{number},A{},2020-{month:02}-{day:02},{sign}{}.{cents:02}", number % 7, 1 + number % 50));
    }
    format!("id,account,date,amount\n{}\n", lines.join("\n"))
}

fn import(books: &Books, file: &str, format: &str, more: &[&str]) -> std::process::Output {
    let arguments = ["ledger", "import", file, "--format", format, "--json"];
    books.lintel(&[&arguments[..], more].concat())
}

/// What the books come to: every voucher, and every day's balances.
fn whole(running: &Running) -> (Vec<Value>, Vec<Vec<(String, String)>>) {
    let days = running.client.get("/v1/days").ok();
    let dates = days["data"].as_array().unwrap().iter().map(|day| text(day, "/date"));
    (running.vouchers(), dates.map(|date| running.balances(&date, 9201)).collect())
}

/// Starts an import and kills it once so many days are over; false if it ended before.
fn killed_at(books: &Books, arguments: &[&str], days: usize) -> bool {
    let mut child = books.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    loop {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        if books.days_over() >= days {
            child.kill().unwrap();
            child.wait().unwrap();
            return true;
        }
        assert!(began.elapsed() < Duration::from_secs(120), "the import stands still");
        std::thread::yield_now();
    }
}

#[test]
fn an_import_that_is_killed_again_and_again_ends_the_same_to_the_cent() {
    let (smooth, rough) = (Books::new(), Books::new());
    let finished = |books: &Books| {
        let (file, format) = (books.write("rows.csv", rows()), books.write("format.toml", CUSTODY));
        let output = import(books, &file, &format, &[]);
        assert!(output.status.success(), "{}", said(&output));
        report(&output)
    };
    assert_eq!(finished(&smooth)["posted"], 260);

    let (file, format) = (rough.write("rows.csv", rows()), rough.write("format.toml", CUSTODY));
    let inside = ["ledger", "import", &file, "--format", &format];
    // Inside the command: the platform dies with it, wherever it is.
    for days in [0, 1, 4, 5, 11] {
        assert!(killed_at(&rough, &inside, days), "it ended before day {days}");
    }
    // Beside a platform: first the import dies, then the platform under it.
    let running = rough.serve("2020-01-30");
    let beside = [&inside[..], &["--url", &running.url]].concat();
    assert!(killed_at(&rough, &beside, 16));
    running.kill();
    let running = rough.serve("2020-01-30");
    let beside = [&inside[..], &["--url", &running.url]].concat();
    let mut child = rough.command(&beside).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    while rough.days_over() < 22 {
        assert!(child.try_wait().unwrap().is_none(), "it ended before the platform was killed");
        std::thread::yield_now();
    }
    running.kill();
    let broken_off = child.wait_with_output().unwrap();
    assert!(said(&broken_off).contains("run the same command again"), "{}", said(&broken_off));

    let last = finished(&rough);
    assert_eq!(last["posted_before"].as_i64().unwrap() + last["posted"].as_i64().unwrap(), 260);
    assert_eq!(whole(&smooth.serve("2020-01-30")), whole(&rough.serve("2020-01-30")));
    // A third time there is nothing to do.
    let (file, format) = (rough.path("rows.csv"), rough.path("format.toml"));
    let output = import(&rough, file.to_str().unwrap(), format.to_str().unwrap(), &[]);
    assert_eq!((report(&output)["state"].as_str(), output.status.success()), (Some("nothing_to_do"), true));
}

#[test]
fn an_import_that_is_asked_to_stop_stops_between_steps_and_goes_on() {
    let books = Books::new();
    let (file, format) = (books.write("rows.csv", rows()), books.write("format.toml", CUSTODY));
    let arguments = ["ledger", "import", &file, "--format", &format, "--json"];
    let mut child = books.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while books.days_over() < 3 {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it was stopped");
        std::thread::yield_now();
    }
    let signal = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(signal.success());
    let output = child.wait_with_output().unwrap();
    let stopped = report(&output);
    assert_eq!((output.status.code(), stopped["state"].as_str()), (Some(1), Some("stopped")), "{}", said(&output));
    assert!((3..31).contains(&stopped["days_closed"].as_i64().unwrap()), "{stopped}");
    let output = import(&books, &file, &format, &[]);
    let finished = report(&output);
    assert_eq!(finished["state"], "finished", "{}", said(&output));
    assert_eq!(finished["posted"].as_i64().unwrap() + stopped["posted"].as_i64().unwrap(), 260);
}

#[test]
fn books_with_anything_else_in_them_are_refused() {
    let books = Books::new();
    let (file, format) = (books.write("rows.csv", rows()), books.write("format.toml", CUSTODY));
    let running = books.serve("2020-01-30");
    let own = |subject| crate::open::own(&running.client, subject);
    let (debit, credit) = (own(9101), crate::open::account(&running.client, 9201, "CNY", "institution"));
    running.client.post("/v1/vouchers", &voucher("n-1", &debit, &credit, 5)).ok();
    let before = running.client.get("/v1/days").ok();
    let output = import(&books, &file, &format, &["--url", &running.url]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("(n-1, 2020-01-30), which is not of this import"), "{}", said(&output));
    assert_eq!(running.client.get("/v1/days").ok(), before, "nothing was changed");
    assert_eq!(running.vouchers().len(), 1);
}

#[test]
fn a_changed_file_or_format_is_found_by_the_row_that_differs() {
    let books = Books::new();
    let format = books.write("format.toml", CUSTODY);
    let lines = "id,account,date,amount\n1,A,2020-01-30,10.00\n2,B,2020-01-31,5.00\n3,A,2020-01-31,-1.00\n";
    let file = books.write("rows.csv", lines);
    assert!(import(&books, &file, &format, &[]).status.success());
    let cases = [
        (lines.replace("5.00", "5.01"), CUSTODY.to_owned(), "line 3 of the file and differs from it in its entries"),
        (lines.replace("2,B", "2,A"), CUSTODY.to_owned(), "differs from it in its account"),
        (lines.replace("3,A,2020-01-31,-1", "3,A,2020-01-31,1"), CUSTODY.to_owned(), "differs from it in its entries"),
        (lines.replace("2020-01-31", "2020-02-01"), CUSTODY.to_owned(), "differs from it in its date"),
        (lines.to_owned(), format!("{CUSTODY}event = \"opening\"\n"), "differs from it in its event"),
        (lines.to_owned(), CUSTODY.replace("old-bank", "other"), "which is not of this import"),
        ("id,account,date,amount\n1,A,2020-01-30,10.00\n".to_owned(), CUSTODY.to_owned(), "of another file or format"),
    ];
    for (rows, form, expected) in cases {
        let (file, format) = (books.write("changed.csv", &rows), books.write("changed.toml", &form));
        let output = import(&books, &file, &format, &[]);
        assert!(said(&output).contains(expected), "{expected}: {}", said(&output));
        assert_eq!(output.status.code(), Some(1));
    }
    assert_eq!(report(&import(&books, &file, &format, &[]))["state"], "nothing_to_do");
}

#[test]
fn books_whose_day_is_later_than_the_rows_are_refused() {
    let books = Books::new();
    let (file, format) = (books.write("rows.csv", rows()), books.write("format.toml", CUSTODY));
    let running = books.serve("2020-02-03");
    let output = import(&books, &file, &format, &["--url", &running.url]);
    assert!(said(&output).contains("2020-02-03 and the next row's date 2020-01-30"), "{}", said(&output));
    // A dry run of books that are named says the same, and one without them looks at the file alone.
    let dry = import(&books, &file, &format, &["--url", &running.url, "--dry-run"]);
    assert!(said(&dry).contains("the next row's date"), "{}", said(&dry));
    let dry = import(&books, &file, &format, &["--dry-run"]);
    assert_eq!((report(&dry)["state"].as_str(), report(&dry)["rows"].as_i64()), (Some("dry_run"), Some(260)));
    assert!(running.vouchers().is_empty());
}

#[test]
fn what_the_books_refuse_is_rejected_and_the_rest_is_posted() {
    let books = Books::new();
    let format = books.write("format.toml", personal());
    let lines =
        "id,account,date,amount\n1,A,2020-01-30,10.00\n2,A,2020-01-30,-10.01\n3,A,2020-02-02,-4.00\nx,B,2020-13-01,1\n";
    let file = books.write("rows.csv", lines);
    let output = import(&books, &file, &format, &["--rejected", "left-out.csv"]);
    let first = report(&output);
    assert_eq!((output.status.code(), first["posted"].as_i64()), (Some(1), Some(2)), "{}", said(&output));
    assert_eq!((first["rejected"].as_i64(), first["refused"].as_i64()), (Some(1), Some(1)));
    let rejected = books.read("left-out.csv");
    let found: Vec<&str> = rejected.lines().collect();
    assert_eq!(found.len(), 3, "{rejected}");
    assert!(found[1].starts_with("3,") && found[1].contains("(insufficient_funds)"), "{rejected}");
    assert!(found[2].starts_with("5,") && found[2].contains("there is no date 2020-13-01"), "{rejected}");
    // Run again it still knows which rows are not there.
    let again = report(&import(&books, &file, &format, &["--rejected", "left-out.csv"]));
    assert_eq!((again["state"].as_str(), again["refused"].as_i64()), (Some("nothing_to_do"), Some(1)));
    assert!(
        books.read("left-out.csv").contains("3,\"the books refused it in an earlier run, as voucher 1 of posting 1")
    );
    let running = books.serve("2020-01-30");
    assert_eq!(closing(&running.client.get("/v1/days/2020-02-02/trial-balance").ok(), 2201), 600);
}

#[test]
fn strict_posts_nothing_of_a_file_with_a_row_that_does_not_read() {
    let books = Books::new();
    let format = books.write("format.toml", personal());
    let bad = books.write("bad.csv", "id,account,date,amount\n1,A,2020-01-30,10.00\n2,A,yesterday,1.00\n");
    let output = import(&books, &bad, &format, &["--strict"]);
    assert!(said(&output).contains("1 rows cannot be read, and nothing was posted"), "{}", said(&output));
    assert!(books.read("bad.csv.rejected.csv").contains("3,the date 'yesterday' is not of the form YYYY-MM-DD"));
    assert!(!books.data().exists(), "no books were begun");
    // A row that only the books refuse takes its whole posting with it.
    let poor = books.write("poor.csv", "id,account,date,amount\n1,A,2020-01-30,10.00\n2,A,2020-01-30,-11.00\n");
    let output = import(&books, &poor, &format, &["--strict"]);
    assert!(said(&output).contains("nothing of this posting was posted"), "{}", said(&output));
    assert!(books.serve("2020-01-30").vouchers().is_empty());
}

#[test]
fn days_without_rows_are_closed_or_passed_over_as_the_format_says() {
    for (days, closed) in [("calendar", 5), ("rows", 2)] {
        let books = Books::new();
        let format = books.write("format.toml", CUSTODY.replace("[columns]", &format!("days = \"{days}\"\n[columns]")));
        let file = books.write("rows.csv", "id,account,date,amount\n1,A,2020-01-30,1\n2,A,2020-02-03,2\n");
        let output = import(&books, &file, &format, &[]);
        let report = report(&output);
        assert_eq!(report["days_closed_in_all"], closed, "{days}: {}", said(&output));
        assert_eq!(report["open_day"], "2020-02-04");
    }
}
