//! `lintel`: the platform as one program.

mod cli;
mod config;
mod http;
mod serve;
mod shell;

fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_env("LINTEL_LOG").unwrap_or_else(|_| "info".into()))
        .with_writer(std::io::stderr)
        .init();
    cli::run()
}
