//! `lintel ark serve`: what the command line says of the key service as a process of its own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::super::remote::Connection;
use crate::config::Config;
use crate::{ark_serve, log, tls};

/// Run the key service as a process of its own.
///
/// It serves /v1/ark/* of the key service in the data directory (--data-dir) over TLS. Callers show a certificate signed by
/// the CA of --ca; its common name (CN) is what roles, policies and approvals know them by, and `operator` is the
/// institution's programs. Make the key service with `lintel ark init` on the same directory, before or after.
///
/// --cert, --cert-key and --ca are its own certificate, that one's key, and the CA of its callers; the settings below
/// [ark.serve] say the same.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Where to listen (setting ark.serve.listen).
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// Listen without TLS on a loopback address and believe the header Lintel-Caller: for development.
    #[arg(long)]
    insecure_loopback: bool,
    /// Write the address that is listened on to this file.
    #[arg(long)]
    port_file: Option<PathBuf>,
}

impl Serve {
    /// Runs until it is told to stop. What keeps it from running goes to its log, in the log's form.
    pub(super) fn run(&self, connection: &Connection, mut config: Config) -> ExitCode {
        log::begin(config.log);
        config.ark.serve.listen = self.listen.unwrap_or(config.ark.serve.listen);
        let Err(error) = self.serve(connection, &config) else { return ExitCode::SUCCESS };
        tracing::error!("stopped: {error:#}");
        ExitCode::FAILURE
    }

    fn serve(&self, connection: &Connection, config: &Config) -> Result<()> {
        let set = &config.ark.serve;
        let files = match connection.files()? {
            Some(files) => Some(files),
            None => tls::Files::of(&set.certificate, &set.certificate_key, &set.ca)?,
        };
        ark_serve::run(config, files.as_ref(), self.insecure_loopback, self.port_file.as_deref())
    }
}
