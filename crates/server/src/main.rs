//! `lintel`: the platform as one program.

mod cli;
mod config;
mod export;
mod http;
mod import;
mod log;
mod serve;
mod shell;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run().unwrap_or_else(|error| {
        cli::complain(&error);
        ExitCode::FAILURE
    })
}
