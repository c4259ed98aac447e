//! How a test says that it could not run here.

use std::fs::OpenOptions;
use std::io::Write as _;

/// Prints `SKIP name: install`, and appends it to the file that `LINTEL_SKIPS` names.
#[expect(clippy::print_stdout, reason = "a skipped test says so where tests speak")]
pub(crate) fn note(name: &str, install: &str) -> String {
    let line = format!("SKIP {name}: {install}");
    println!("{line}");
    if let Some(path) = std::env::var_os("LINTEL_SKIPS") {
        let mut file = OpenOptions::new().create(true).append(true).open(path).expect("LINTEL_SKIPS can be opened");
        // One write, so that lines of parallel tests do not mix.
        file.write_all(format!("{line}\n").as_bytes()).expect("LINTEL_SKIPS can be written");
    }
    line
}

/// As [`note`]; in CI that is a failure.
pub(crate) fn skip(name: &str, install: &str) {
    let line = note(name, install);
    assert!(std::env::var_os("LINTEL_CI").is_none(), "under LINTEL_CI a skip fails: {line}");
}
