//! `cargo xtask bench NAME`: builds with the profile all measurements share, then runs `lintel bench NAME`.

use std::process::{Command, ExitCode};

use anyhow::bail;

use crate::{binaries, workspace};

/// Runs one benchmark; `arguments` are its name and its own arguments.
pub(crate) fn run(arguments: &[&str]) -> anyhow::Result<ExitCode> {
    let Some(name) = arguments.first().filter(|name| !name.is_empty()) else {
        bail!("`bench` needs a name, e.g. `cargo xtask bench ledger`");
    };
    if name.starts_with('-') {
        bail!("`bench` takes its name first, e.g. `cargo xtask bench ledger {name}`");
    }
    let built = binaries::build()?;
    let mut bench = Command::new(&built.lintel);
    bench.arg("bench").args(arguments);
    workspace::become_program(bench)
}
