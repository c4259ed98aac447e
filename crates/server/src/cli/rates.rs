//! `lintel rates`: success rates of orders, each with numerator and denominator.

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use super::client::{Client, target};
use super::remote::{Answer, Connection};
use super::table::{Field, number, table, text};
use crate::config::Config;

pub(super) const EXAMPLES: &str = "\
Example:
  lintel rates --date 2026-03-06";

/// Success rates.
#[derive(Debug, Args)]
pub(crate) struct Rates {
    #[command(flatten)]
    connection: Connection,
    /// As seen on this date; today unless said.
    #[arg(long)]
    date: Option<String>,
}

const RATES: [Field; 4] = [text("rate"), number("numerator"), number("denominator"), number("percent")];

impl Rates {
    /// Asks for them.
    pub(super) fn run(&self, config: &Config) -> Result<()> {
        self.connection.ask(config, |client| self.ask(client))
    }

    fn ask(&self, client: &Client) -> Result<Answer> {
        let rates = client.get(&target(&["v1", "rates"], &[("date", self.date.as_deref())]))?;
        let row = |name: &str| {
            let rate = &rates[name];
            json!({
                "rate": name.replace('_', " "), "numerator": rate["numerator"], "denominator": rate["denominator"],
                "percent": rate["percent"],
            })
        };
        let rows = Value::Array(vec![row("effective"), row("first_try")]);
        let text = table(&RATES, &rows, None);
        Ok(Answer::new(rates, text))
    }
}
