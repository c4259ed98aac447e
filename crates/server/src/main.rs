//! `lintel`: the platform as one program.

mod cli;
mod config;
mod http;
mod log;
mod serve;
mod shell;

fn main() -> anyhow::Result<()> {
    cli::run()
}
