//! The command line: what an operator does by hand.

mod account;
mod attempt;
mod clearing;
mod client;
mod day;
mod journal;
mod key;
mod order;
mod payout;
mod rates;
mod remote;
mod settlement;
mod table;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::config::{self, Config};
use crate::log::{self, LogFormat};
use crate::serve;

/// Lintel: an open-source core for a payment institution that serves property.
#[derive(Debug, Parser)]
#[command(name = "lintel", version, max_term_width = 100)]
struct Cli {
    /// A file of settings; see `lintel config`.
    #[arg(long, global = true, env = "LINTEL_CONFIG")]
    config: Option<PathBuf>,
    /// One setting, as KEY=VALUE; may be given several times.
    #[arg(long = "set", global = true, value_name = "KEY=VALUE")]
    sets: Vec<String>,
    /// The data directory (setting data_dir).
    #[arg(long, global = true)]
    data_dir: Option<PathBuf>,
    #[command(subcommand)]
    command: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Run the platform.
    Serve(Serve),
    /// Print every setting with its default and its meaning.
    Config,
    /// Accounting days: list, cut, close, trial balance.
    Day(Remote<day::Day>),
    /// Accounts: one with its balances, or its statement.
    Account(Remote<account::Account>),
    /// Orders and their legs.
    Order(Remote<order::Order>),
    /// Payouts: look, cancel, book one that came back.
    Payout(Remote<payout::Payout>),
    /// Attempts at channels, above all those without a certain answer.
    Attempt(Remote<attempt::Attempt>),
    /// Settlements (T+1): what is due, and settling it.
    Settlement(Remote<settlement::Settlement>),
    /// Clearing files.
    Clearing(Remote<clearing::Clearing>),
    /// Success rates, each with numerator and denominator.
    Rates(RemoteRates),
    /// Print the secret of an API key.
    Key(key::Key),
    /// Look at the journal.
    #[command(subcommand)]
    Journal(journal::Journal),
    /// Load generators: runs `lintel-sandbox bench …`.
    Bench {
        /// Passed on.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// The sandbox bank, centres and players: runs `lintel-sandbox …`.
    Sandbox {
        /// Passed on.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
}

#[derive(Debug, Parser)]
struct Serve {
    /// Where to listen (setting listen).
    #[arg(long)]
    listen: Option<String>,
    /// Begin sandbox books if there are none yet (setting sandbox).
    #[arg(long)]
    sandbox: bool,
    /// `wall` or `manual` (setting clock).
    #[arg(long)]
    clock: Option<String>,
    /// Write the address that is listened on to this file.
    #[arg(long)]
    port_file: Option<PathBuf>,
}

/// Runs what the command line says.
///
/// # Errors
/// What went wrong, with what was being done.
pub(crate) fn run() -> Result<()> {
    let Cli { config, mut sets, data_dir, command } = Cli::parse();
    if let Some(directory) = data_dir {
        sets.push(format!("data_dir={}", directory.display()));
    }
    match command {
        What::Serve(Serve { listen, sandbox, clock, port_file }) => {
            sets.extend(listen.map(|listen| format!("listen={listen}")));
            sets.extend(sandbox.then(|| "sandbox=true".to_owned()));
            sets.extend(clock.map(|clock| format!("clock={clock}")));
            serve::run(&Config::load(config.as_deref(), &sets)?, port_file.as_deref())
        }
        What::Config => {
            print(config::DEFAULT);
            Ok(())
        }
        What::Key(key) => key.run(&Config::load(config.as_deref(), &sets)?),
        What::Journal(journal) => journal.run(&Config::load(config.as_deref(), &sets)?),
        What::Bench { args } => sandbox(&["bench".to_owned()], &args),
        What::Sandbox { args } => sandbox(&[], &args),
    }
}

/// Prints to standard output; a closed pipe is not an error of ours.
pub(crate) fn print(text: &str) {
    use std::io::Write;
    drop(std::io::stdout().write_all(text.as_bytes()));
}

fn sandbox(first: &[String], args: &[String]) -> Result<()> {
    use anyhow::Context;
    let own = std::env::current_exe().context("finding this program")?;
    let beside = own.with_file_name(format!("lintel-sandbox{}", std::env::consts::EXE_SUFFIX));
    let mut command = std::process::Command::new(&beside);
    command.args(first).args(args).env("LINTEL_BINARY", &own);
    let status =
        command.status().with_context(|| format!("running {}; it is built beside lintel", beside.display()))?;
    std::process::exit(status.code().unwrap_or(1));
}
