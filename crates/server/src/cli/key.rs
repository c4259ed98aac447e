//! `lintel key`: the secret of an API key, for whoever may read the data directory.

use anyhow::Result;
use clap::Args;

use crate::config::Config;
use crate::http::auth::{KEY_SERIAL, OPERATOR, api_key};

/// Print the secret of an API key.
#[derive(Debug, Args)]
pub(crate) struct Key {
    /// `operator` for the institution's programs, an operator's or a merchant's id.
    #[arg(default_value = OPERATOR)]
    id: String,
}

impl Key {
    /// Prints it as 64 hexadecimal digits.
    ///
    /// # Errors
    /// A vault that does not open.
    pub(crate) fn run(&self, config: &Config) -> Result<()> {
        let root = ark::Vault::open(&config.data_dir)?.fingerprint_key();
        super::print(&format!("{}\n", api_key(&root, &self.id, KEY_SERIAL).to_hex().expose()));
        Ok(())
    }
}
