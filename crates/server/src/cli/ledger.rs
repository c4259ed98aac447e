//! `lintel ledger`: books that come from another system, and vouchers that go to one.

use anyhow::Result;
use clap::Subcommand;

use super::export::Export;
use super::import::Import;
use super::remote::Remote;
use crate::config::Config;

/// Books from and for other systems.
#[derive(Debug, Subcommand)]
pub(crate) enum Ledger {
    /// Bring another system's history into empty books.
    Import(Import),
    /// Write vouchers for a finance ledger, with control totals.
    Export(Export),
}

/// Does it.
///
/// # Errors
/// What the verb says.
pub(super) fn run(remote: &Remote<Ledger>, config: &Config) -> Result<()> {
    let (connection, ledger) = remote.parts();
    match ledger {
        Ledger::Import(import) => import.run(connection, config),
        Ledger::Export(export) => export.run(connection, config),
    }
}
