//! Faults that a library before libc injects.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Faulty, health, is_ready, metric, until};
use crate::client::Client;
use crate::open::{Books, balance, number, person, text, trial_balance, voucher};
use crate::server::{Server, is_embedded};

/// The lines of an account's statement of the first day, which must end in its balance.
#[track_caller]
fn statement(client: &Client, account: &str) -> Vec<Value> {
    let seen = client.get(&format!("/v1/accounts/{account}/statement?from=2026-03-05&to=2026-03-05&limit=1000")).ok();
    assert_eq!(number(&seen, "/closing"), balance(client, account));
    seen["data"].as_array().unwrap().clone()
}

/// The journal fails as told, service ends, the journal is sound again, service returns: in one process, with every answer
/// kept, and with what was in doubt done once or not at all until it is asked for again.
fn journal_fails(faults: &str, words: &str) {
    let Some(mut faulty) = is_embedded().then(Faulty::start).flatten() else { return };
    let books = Books::open(&faulty.server);
    let Books { operator, rich, poor, .. } = &books;
    let kept = operator.post_keyed("/v1/vouchers", "kept", &voucher("kept", rich, poor, 300)).ok();

    faulty.disk(faults);
    let body = voucher("doubt", rich, poor, 700);
    let refused = operator.post_keyed("/v1/vouchers", "doubt", &body);
    assert_eq!(refused.error(), (503, "unavailable".into(), String::new()));
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert!(refused.text().contains("may be done or not"), "{}", refused.text());
    until("the platform says that it recovers", || !health(&faulty.server)["recovering"].is_null());
    let cause = text(&health(&faulty.server), "/recovering");
    assert!(cause.contains(words), "{cause}");
    // Nobody sees a state that the journal may not hold, nor is anything taken.
    let asked = [
        operator.get(&format!("/v1/accounts/{poor}")),
        operator.get(&format!("/v1/accounts/{poor}/statement?from=2026-03-05&to=2026-03-05")),
        operator.post_keyed("/v1/vouchers", "later", &voucher("later", rich, poor, 1)),
    ];
    for answer in asked {
        assert_eq!(answer.error(), (503, "unavailable".into(), String::new()));
    }
    assert!(!is_ready(&faulty.server));
    assert_eq!(metric(&faulty.server, "lintel_recovering"), 1.0);
    let tries = || faulty.server.log().matches("the journal is not there yet").count();
    until("the journal is tried again", || tries() >= 2);

    faulty.disk("");
    until("service returns", || is_ready(&faulty.server));
    assert!(faulty.server.runs(), "{}", faulty.server.log());
    assert_eq!(metric(&faulty.server, "lintel_recovering"), 0.0);
    once_each(&faulty.server, &books, &kept, &body);
    let later = operator.post_keyed("/v1/vouchers", "later", &voucher("later", rich, poor, 1));
    assert!(!later.repeated(), "what was refused while recovering was not done");
    later.ok();
    check_and_restart(&mut faulty.server, poor, &[300, 700, 1]);
}

/// 300 were acknowledged with `kept`; the 700 of `doubt` were done or not, and are once they are asked for again.
fn once_each(server: &Server, Books { rich, poor, .. }: &Books, kept: &Value, doubt: &Value) {
    let operator = server.operator();
    let moved = balance(&operator, poor);
    assert!([300, 1_000].contains(&moved), "{moved}");
    let again = operator.post_keyed("/v1/vouchers", "doubt", doubt);
    assert_eq!(again.repeated(), moved == 1_000, "{}", again.text());
    again.ok();
    let repeated = operator.post_keyed("/v1/vouchers", "kept", &voucher("kept", rich, poor, 300));
    assert!(repeated.repeated());
    assert_eq!(&repeated.ok(), kept);
}

/// The books show these amounts once each, before and after a kill, and the journal is intact.
fn check_and_restart(server: &mut Server, account: &str, amounts: &[i64]) {
    let check = |server: &Server| {
        let operator = server.operator();
        let lines = statement(&operator, account);
        let found: Vec<i64> = lines.iter().map(|line| number(line, "/amount")).collect();
        assert_eq!(found, amounts);
        trial_balance(&operator, "2026-03-05");
    };
    check(server);
    server.kill();
    let verified = server.lintel(&["journal", "verify"]);
    assert!(verified.status.success(), "{verified:?}");
    server.start_again();
    check(server);
}

#[test]
fn a_sync_error_refuses_writes_until_the_disk_is_sound() {
    journal_fails("journal.db sync EIO\n/probe sync EIO", "disk I/O error");
}

#[test]
fn a_failing_disk_lets_the_server_stop_and_start_only_when_it_is_sound() {
    let Some(mut faulty) = is_embedded().then(Faulty::start).flatten() else { return };
    let books = Books::open(&faulty.server);
    let Books { operator, rich, poor, .. } = &books;
    let kept = operator.post_keyed("/v1/vouchers", "kept", &voucher("kept", rich, poor, 300)).ok();
    faulty.disk("journal.db sync EIO\n/probe sync EIO");
    let doubt = voucher("doubt", rich, poor, 700);
    assert_eq!(operator.post_keyed("/v1/vouchers", "doubt", &doubt).status, 503);
    until("the platform says that it recovers", || !health(&faulty.server)["recovering"].is_null());
    assert!(!faulty.server.stop().success(), "its journal had failed");
    let words = faulty.server.start_refused();
    assert!(words.contains("journal.db") && words.contains("error"), "{words}");
    faulty.disk("");
    faulty.server.start_again();
    once_each(&faulty.server, &books, &kept, &doubt);
    check_and_restart(&mut faulty.server, poor, &[300, 700]);
}

#[test]
fn a_full_disk_refuses_writes_until_there_is_room() {
    journal_fails("/data/ write ENOSPC", "no space left");
}

#[test]
fn a_read_only_file_system_refuses_writes_until_it_can_be_written() {
    journal_fails("/data/ write EROFS\n/data/ open EROFS", "disk I/O error");
}

/// A disk that fails, recovers and fails again while four callers post and ask again under the same key: each of their
/// vouchers is there once.
#[test]
fn what_was_in_flight_is_there_once_however_often_the_disk_fails() {
    const SENDERS: usize = 4;
    const EACH: usize = 60;
    let Some(mut faulty) = is_embedded().then(Faulty::start).flatten() else { return };
    let books = Books::open(&faulty.server);
    let (unsure, open) = (AtomicUsize::new(0), AtomicUsize::new(SENDERS));
    thread::scope(|scope| {
        for sender in 0..SENDERS {
            let (operator, books, unsure, open) = (faulty.server.operator(), &books, &unsure, &open);
            scope.spawn(move || {
                for at in 0..EACH {
                    let key = format!("{sender}-{at}");
                    let body = voucher(&key, &books.rich, &books.poor, 1);
                    until("a voucher is acknowledged", || {
                        let answer = operator.post_keyed("/v1/vouchers", &key, &body);
                        assert!([200, 503].contains(&answer.status), "{}", answer.text());
                        unsure.fetch_add(usize::from(answer.status == 503), Ordering::Relaxed);
                        answer.status == 200
                    });
                }
                open.fetch_sub(1, Ordering::Relaxed);
            });
        }
        let faults =
            ["journal.db sync EIO", "journal.db-wal write ENOSPC", "journal.db write EIO", "journal.db sync 20"];
        for fault in faults.iter().cycle().take_while(|_| open.load(Ordering::Relaxed) > 0) {
            let failures = metric(&faulty.server, "lintel_journal_failures_total");
            let before = balance_or(&faulty.server, &books.poor, 0);
            faulty.disk(fault);
            until("the fault is met, or nobody posts any more", || {
                let failed = metric(&faulty.server, "lintel_journal_failures_total") > failures;
                let moved = fault.ends_with("20") && balance_or(&faulty.server, &books.poor, before) > before;
                failed || moved || open.load(Ordering::Relaxed) == 0
            });
            faulty.disk("");
            // Some are taken between two faults.
            until("service returns", || is_ready(&faulty.server));
        }
    });
    assert!(unsure.load(Ordering::Relaxed) > 0, "no caller ever met a fault");
    assert!(faulty.server.runs(), "{}", faulty.server.log());
    check_and_restart(&mut faulty.server, &books.poor, &[1; SENDERS * EACH]);
}

/// The balance, or this while nobody may see one.
fn balance_or(server: &Server, account: &str, otherwise: i64) -> i64 {
    let seen = server.operator().get(&format!("/v1/accounts/{account}"));
    if seen.status == 200 { number(&seen.json(), "/balance") } else { otherwise }
}

#[test]
fn an_answer_waits_for_a_slow_disk() {
    const SLOW_MS: u64 = 250;
    let Some(faulty) = is_embedded().then(Faulty::start).flatten() else { return };
    let Books { operator, rich, poor, .. } = &Books::open(&faulty.server);
    faulty.disk(&format!("journal.db sync {SLOW_MS}"));
    let began = Instant::now();
    operator.post("/v1/vouchers", &voucher("slow", rich, poor, 5)).ok();
    assert!(began.elapsed() >= Duration::from_millis(SLOW_MS), "answered after {:?}", began.elapsed());
    assert_eq!(balance(operator, poor), 5);
    assert!(health(&faulty.server)["recovering"].is_null(), "slow is not broken");
}

/// Tables and files fail while the journal is sound: postings and statements go on from memory, and once the disk is sound the
/// checkpoints catch up and leave no half file behind.
#[test]
fn tables_and_files_that_fail_hold_nobody_up() {
    let Some(mut faulty) = is_embedded().then(Faulty::start).flatten() else { return };
    let Books { operator, rich, poor, .. } = &Books::open(&faulty.server);
    for fault in ["store.db write EIO", "/lake/ write ENOSPC", "/lake/ sync EIO", "/lake/ open EROFS"] {
        faulty.disk(fault);
        let posted = operator.post("/v1/vouchers", &voucher(fault, rich, poor, 10));
        posted.ok();
        until("the projector meets the fault", || !health(&faulty.server)["behind"].is_null());
        until("the metric says so too", || metric(&faulty.server, "lintel_projector_failing") == 1.0);
        assert!(is_ready(&faulty.server), "{fault}");
        let last = operator.post("/v1/vouchers", &voucher(&format!("{fault} again"), rich, poor, 10));
        last.ok();
        let lines = statement(operator, poor);
        assert_eq!(number(lines.last().unwrap(), "/balance"), balance(operator, poor));
        faulty.disk("");
        until("checkpoints are written again", || health(&faulty.server)["behind"].is_null());
        let listed = operator.get(&format!("/v1/accounts?subject=2201&min_position={}", last.position()));
        assert_eq!(listed.ok()["data"].as_array().unwrap().len(), 2);
    }
    let files = walk(&faulty.server.directory().join("data/lake"));
    assert!(files.iter().all(|name| name.ends_with(".parquet")), "{files:?}");
    check_and_restart(&mut faulty.server, poor, &[10; 8]);
}

#[test]
fn a_vault_that_cannot_be_written_refuses_and_returns() {
    let Some(faulty) = Faulty::start() else { return };
    let operator = faulty.server.operator();
    faulty.disk("vault.db write ENOSPC");
    let refused = operator.post("/v1/customers", &person("王五", "110105194912310054"));
    assert_eq!(refused.error(), (503, "unavailable".into(), String::new()));
    faulty.disk("");
    operator.post("/v1/customers", &person("王五", "110105194912310054")).ok();
}

/// The names of all files below a folder.
fn walk(folder: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries
        .flat_map(|entry| match entry.file_type().unwrap().is_dir() {
            true => walk(&entry.path()),
            false => vec![entry.file_name().into_string().unwrap()],
        })
        .collect()
}
