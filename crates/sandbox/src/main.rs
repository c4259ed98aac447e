//! `lintel-sandbox`: the world around the platform, simulated, as one program with a command for each part of it.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line program speaks through its standard streams"
)]

mod cli;

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// As the platform's own: bank, terminals and load generators share its processors when they are measured with it.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    match cli::run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("lintel-sandbox: {error:#}");
            ExitCode::FAILURE
        }
    }
}
