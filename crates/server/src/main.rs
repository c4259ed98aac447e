//! `lintel`: the platform as one program.

mod ark_serve;
#[cfg(test)]
#[path = "../tests/it/authority.rs"]
#[expect(dead_code, reason = "the integration tests use more of it")]
mod authority;
mod backup;
mod cli;
mod config;
mod export;
mod files;
mod http;
mod import;
mod log;
#[cfg(test)]
#[path = "../tests/it/maker.rs"]
mod maker;
mod pos;
mod serve;
mod shell;
#[cfg(test)]
#[path = "../tests/it/skip.rs"]
mod skip;
mod tls;

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
