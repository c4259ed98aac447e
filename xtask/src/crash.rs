//! `cargo xtask crash`: builds the programs, then kills the platform under load again and again.
//!
//! The driver is `lintel-sandbox crash`: it starts `lintel serve` and the sandbox bank as processes of their own, on
//! loopback. Nothing is done here but building, finding and becoming it.

use std::process::{Command, ExitCode};

use crate::binaries::{Binaries, Tested};
use crate::steps::Outcome;
use crate::{binaries, workspace};

/// Rounds of the step in `cargo xtask test`.
const ROUNDS: &str = "20";

/// Runs the driver; `arguments` are its own.
pub(crate) fn run(arguments: &[&str]) -> anyhow::Result<ExitCode> {
    let mut driver = driver(&binaries::build()?);
    driver.args(arguments);
    workspace::become_program(driver)
}

/// The step of `cargo xtask test`.
pub(crate) fn check() -> anyhow::Result<Outcome> {
    workspace::run(driver(&Tested::build()?.binaries()?).args(["--rounds", ROUNDS]))?;
    Ok(Outcome::Passed)
}

fn driver(built: &Binaries) -> Command {
    let mut driver = Command::new(&built.sandbox);
    driver.arg("crash").arg("--lintel").arg(&built.lintel);
    driver
}
