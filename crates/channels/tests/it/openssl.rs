//! The `openssl` program: the other side, made apart from this code.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// What `openssl ARGUMENTS` makes of `input`; nothing if there is no such program.
pub(crate) fn openssl(arguments: &[&str], input: &[u8]) -> Option<Vec<u8>> {
    let mut command = Command::new("openssl");
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().ok()?;
    // A program that refuses its arguments may be gone before it reads; its exit code tells.
    let _ = child.stdin.take().expect("piped above").write_all(input);
    let output = child.wait_with_output().expect("openssl ends");
    assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Some(output.stdout)
}

/// Says that a test was skipped, and fails it where that may not be.
#[expect(clippy::print_stdout, reason = "a skipped test says so where tests speak")]
pub(crate) fn skip(name: &str, install: &str) {
    assert!(std::env::var_os("LINTEL_CI").is_none(), "{name} is missing: {install}");
    println!("SKIP {name}: {install}");
    if let Some(path) = std::env::var_os("LINTEL_SKIPS") {
        let file = fs::OpenOptions::new().append(true).create(true).open(path);
        writeln!(file.unwrap(), "SKIP {name}: {install}").unwrap();
    }
}
