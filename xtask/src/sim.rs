//! `cargo xtask sim SEED` and `cargo xtask sim --seeds N`: builds the simulator with the profile all programs share, then
//! runs it.

use std::process::{Command, ExitCode};

use anyhow::bail;

use crate::{binaries, workspace};

/// Runs the simulator; `arguments` are its own.
pub(crate) fn run(arguments: &[&str]) -> anyhow::Result<ExitCode> {
    if arguments.is_empty() {
        bail!("`sim` needs a seed, e.g. `cargo xtask sim 7`, or how many, e.g. `cargo xtask sim --seeds 1000`");
    }
    let mut sim = Command::new(binaries::build_sim()?);
    sim.args(arguments);
    workspace::become_program(sim)
}
