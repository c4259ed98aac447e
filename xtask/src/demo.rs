//! `cargo xtask demo`: builds the platform and the world around it, then plays a business day.
//!
//! The player is `lintel-sandbox play`: it starts `lintel serve` and the sandbox bank as processes of their
//! own, on loopback. Nothing is done here but building, finding and becoming it.

use std::process::{Command, ExitCode};

use crate::{binaries, workspace};

/// Plays the day; `arguments` are the player's.
pub(crate) fn run(arguments: &[&str]) -> anyhow::Result<ExitCode> {
    let built = binaries::build()?;
    let mut player = Command::new(&built.sandbox);
    player.arg("play").arg("--lintel").arg(&built.lintel).args(arguments);
    workspace::become_program(player)
}
