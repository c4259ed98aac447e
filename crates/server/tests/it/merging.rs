//! Files of history are merged while the platform runs, and nobody who asks it can tell.

use serde_json::{Value, json};

use crate::client::Client;
use crate::keys::{becomes, metric};
use crate::open::Books;
use crate::server::{Server, lintel};

const DAY: &str = "2026-03-05";

/// All pages of a list, and what each of them says of the whole.
fn pages(operator: &Client, path: &str) -> Vec<Value> {
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = operator.get(&format!("{path}{cursor}")).ok();
        found.extend(page["data"].as_array().unwrap().iter().cloned());
        found.extend(["opening", "closing", "count"].map(|name| page[name].clone()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

fn statement(operator: &Client, account: &str) -> Vec<Value> {
    pages(operator, &format!("/v1/accounts/{account}/statement?from={DAY}&to={DAY}&limit=7"))
}

#[test]
fn statements_vouchers_and_the_close_are_the_same_while_files_are_merged() {
    let mut server = Server::start_with(&["history.merge=2"]);
    let books = Books::open(&server);
    let operator = &books.operator;
    let mut posted = 0;
    // A checkpoint a second: five files at least become three, two or one.
    while metric(operator, "lintel_merges_total") < 3.0 {
        posted += 1;
        books.post(&format!("m-{posted}"), &books.rich, &books.poor, 1 + posted % 7).ok();
        if posted % 50 == 0 {
            let lines = statement(operator, &books.poor);
            let amounts = lines.iter().filter(|line| line.get("amount").is_some()).count();
            assert_eq!(amounts as i64, posted, "every line once");
        }
    }
    let (rich, poor) = (statement(operator, &books.rich), statement(operator, &books.poor));
    assert!(metric(operator, "lintel_merged_entries_total") > 0.0);

    // What the last checkpoint wrote is merged too, as far as it goes: one file of each level at most.
    operator.post("/v1/days/cut", &json!({})).ok();
    let closed = operator.post(&format!("/v1/days/{DAY}/close"), &json!({})).ok();
    assert_eq!(closed["status"], "closed", "{closed}");
    becomes(operator, "lintel_history_files", |files| files <= 8.0);
    let vouchers = pages(operator, &format!("/v1/days/{DAY}/vouchers?limit=40"));
    assert_eq!(vouchers.iter().filter(|line| line.get("entries").is_some()).count() as i64, posted + 1);
    assert_eq!((statement(operator, &books.rich), statement(operator, &books.poor)), (rich.clone(), poor.clone()));

    server.kill();
    server.start_again();
    let operator = server.operator();
    assert_eq!((statement(&operator, &books.rich), statement(&operator, &books.poor)), (rich, poor));
    assert_eq!(pages(&operator, &format!("/v1/days/{DAY}/vouchers?limit=40")), vouchers);
}

#[test]
fn a_number_of_files_that_makes_no_merge_is_refused_at_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let output = lintel(directory.path(), &["--set", "history.merge=1", "serve", "--listen", "127.0.0.1:0"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("history.merge is 1: use 2 to 100"), "{said}");
}
