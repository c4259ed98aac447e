//! `lintel bin`: whose a card is and what fees it pays, by how its number begins. Asks no platform: the table of the settings, or
//! of a file that is not in force yet. A whole number never comes into an argument, where shells and process lists keep it.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Subcommand;
use serde_json::json;

use super::print;
use crate::config::Config;
use crate::pos::bin;
use crate::pos::cards;

pub(super) const EXAMPLES: &str = "\
Examples:
  lintel bin explain 625012                        whose card, debit or credit, and by which line
  lintel bin explain 625012 --file new.csv --json
  lintel bin check new.csv

A line of the file: begins,digits,scheme,type    such as 625012,16,unionpay,credit; digits may be empty; # begins a remark.
The setting pos.bins names the file; docs/pos.md says more.";

/// Whose a card is, by how its number begins (卡 BIN).
#[derive(Debug, Subcommand)]
pub(crate) enum Bin {
    /// Say whose cards begin so.
    Explain {
        /// The first 6 to 12 digits of a number; never all of it.
        #[arg(value_name = "BEGINNING")]
        beginning: String,
        /// How many digits the number has; the lines of every length unless said.
        #[arg(long)]
        digits: Option<usize>,
        /// A table that is not in force yet.
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Check a file, and count its lines.
    Check {
        /// The file.
        file: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

impl Bin {
    /// Does it.
    ///
    /// # Errors
    /// A table that does not read, or a beginning that is none.
    pub(super) fn run(&self, config: &Config) -> Result<()> {
        match self {
            Self::Check { file, json: as_json } => {
                let lines = bin::lines(file)?.len();
                let found = json!({"file": file, "lines": lines});
                print(&if *as_json { format!("{found}\n") } else { format!("{}: {lines} lines\n", file.display()) });
                Ok(())
            }
            Self::Explain { beginning, digits, file, json: as_json } => {
                // What was given is not said again: it may be a whole number after all.
                if !(6..=12).contains(&beginning.len()) || !beginning.bytes().all(|byte| byte.is_ascii_digit()) {
                    bail!("give the first 6 to 12 digits of a card's number, and never all of it");
                }
                let table = cards(&config.pos, file.as_deref())?;
                let lines: Vec<_> = table.explain(beginning, *digits).collect();
                let view = |line: &&bin::Bin| json!({"begins": line.begins, "digits": line.digits, "scheme": line.scheme.name(), "type": line.kind.name()});
                let found = json!({
                    "beginning": beginning, "line": lines.first().map(view), "others": lines.iter().skip(1).map(view).collect::<Vec<_>>(),
                });
                let text = match lines.first() {
                    None => format!("{beginning}: no line; such a card is refused (15)"),
                    Some(line) => {
                        let digits =
                            line.digits.map_or_else(|| "any length".to_owned(), |digits| format!("{digits} digits"));
                        let (scheme, kind) = (line.scheme.name(), line.kind.name());
                        format!("{beginning}: {scheme} {kind}, by the line that begins with {} ({digits})", line.begins)
                    }
                };
                print(&if *as_json { format!("{found}\n") } else { format!("{text}\n") });
                Ok(())
            }
        }
    }
}
