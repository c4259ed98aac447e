//! `cargo xtask sim SEED` and `cargo xtask sim --seeds N`: builds the simulator with the profile all programs share, then
//! runs it; and the step of `cargo xtask test` that runs a thousand seeds.

use std::process::{Command, ExitCode};

use anyhow::bail;

use crate::binaries::Tested;
use crate::steps::Outcome;
use crate::{binaries, workspace};

/// Seeds of every test run, from 1 on.
const SEEDS: &str = "1000";

/// Runs them: none may break a law.
pub(crate) fn check() -> anyhow::Result<Outcome> {
    workspace::run(Command::new(Tested::build()?.sim()?).args(["--seeds", SEEDS]))?;
    Ok(Outcome::Passed)
}

/// Runs the simulator; `arguments` are its own.
pub(crate) fn run(arguments: &[&str]) -> anyhow::Result<ExitCode> {
    if arguments.is_empty() {
        bail!("`sim` needs a seed, e.g. `cargo xtask sim 7`, or how many, e.g. `cargo xtask sim --seeds 1000`");
    }
    let mut sim = Command::new(binaries::build_sim()?);
    sim.args(arguments);
    workspace::become_program(sim)
}
