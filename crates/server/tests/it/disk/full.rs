//! A file system that is really full: a small one of its own, which takes root to mount.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use serde_json::json;
use tempfile::TempDir;

use super::{health, is_ready, until};
use crate::open::{Books, balance, entry, text, trial_balance};
use crate::server::{Server, is_embedded};
use crate::skip::skip;

/// What the file system holds.
const SIZE: &str = "size=64m";

/// A small file system, gone with this value.
struct Mounted(TempDir);

impl Mounted {
    /// Mounts it; `None` where this user may not.
    fn new() -> Option<Self> {
        let place = TempDir::new().unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", SIZE, "lintel-test"]).arg(place.path()).output();
        mount.is_ok_and(|output| output.status.success()).then_some(Self(place))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Lazily: a process that a failed test left behind may still hold files in it.
        drop(Command::new("umount").arg("-l").arg(self.0.path()).status());
    }
}

/// Fills the file system to the last byte.
fn fill(path: &Path) {
    let mut file = File::create(path).unwrap();
    for size in [1 << 20, 1 << 12, 1] {
        let block = vec![0; size];
        while file.write_all(&block).is_ok() {}
    }
}

#[test]
fn a_full_file_system_is_waited_for() {
    if !is_embedded() {
        return;
    }
    let Some(mounted) = Mounted::new() else {
        skip("disk-full", "run the tests as root, with mount(8)");
        return;
    };
    let directory = TempDir::new().unwrap();
    std::os::unix::fs::symlink(mounted.0.path(), directory.path().join("data")).unwrap();
    let filler = mounted.0.path().join("filler");
    let mut server = Server::start_in(directory, &[], Vec::new());
    let Books { operator, rich, poor, .. } = &Books::open(&server);
    fill(&filler);
    // What the journal's file still has room for is taken; a posting is 1,000 vouchers of one fen.
    let pair = json!({"entries": [entry(rich, "debit", 1), entry(poor, "credit", 1)]});
    let body = |number: u64| json!({"stream": "full", "number": number, "vouchers": vec![pair.clone(); 1_000]});
    let post = |number: u64| operator.send("POST", "/v1/postings", &[], body(number).to_string().as_bytes());
    let mut number = 1;
    until("the disk is full for the journal too", || {
        let answer = post(number);
        assert!([200, 503].contains(&answer.status), "{}", answer.text());
        number += u64::from(answer.status == 200);
        answer.status == 503
    });
    until("the platform says that it recovers", || !health(&server)["recovering"].is_null());
    assert!(text(&health(&server), "/recovering").contains("no space left"));
    assert!(!is_ready(&server));

    std::fs::remove_file(&filler).unwrap();
    until("service returns", || is_ready(&server));
    assert!(server.runs(), "{}", server.log());
    let acknowledged = i64::try_from(number - 1).unwrap() * 1_000;
    let moved = balance(operator, poor);
    assert!([acknowledged, acknowledged + 1_000].contains(&moved), "{moved} moved, {acknowledged} acknowledged");
    post(number).ok();
    assert_eq!(balance(operator, poor), acknowledged + 1_000);
    trial_balance(operator, "2026-03-05");
    until("checkpoints are written again", || health(&server)["behind"].is_null());
    assert!(server.stop().success(), "{}", server.log());
    assert!(server.lintel(&["journal", "verify"]).status.success());
    server.start_again();
    assert_eq!(balance(&server.operator(), poor), acknowledged + 1_000);
    assert!(server.stop().success(), "{}", server.log());
}
