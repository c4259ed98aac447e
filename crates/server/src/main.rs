//! `lintel`: the platform as one program.

mod backup;
mod cli;
mod config;
mod export;
mod files;
mod http;
mod import;
mod log;
mod serve;
mod shell;

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Requests and batches are made on one thread and freed on another, which this allocator does with less work.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    cli::run().unwrap_or_else(|error| {
        cli::complain(&error);
        ExitCode::FAILURE
    })
}
