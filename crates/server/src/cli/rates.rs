//! `lintel rates`: success rates of orders, each with numerator and denominator.

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use super::client::{Client, target};
use super::remote::{Answer, Connection};
use super::table::{Field, number, table, text};
use crate::config::Config;

pub(super) const EXAMPLES: &str = "\
Examples:
  lintel rates --date 2026-03-06                        of orders
  lintel rates --by channel,bank --from 2026-03-01      of tries at channels, with the class of every failure";

/// Success rates.
#[derive(Debug, Args)]
pub(crate) struct Rates {
    #[command(flatten)]
    connection: Connection,
    /// As seen on this date; today unless said.
    #[arg(long)]
    date: Option<String>,
    /// Of tries at channels: by date, channel, product, bank, with commas between.
    #[arg(long, conflicts_with = "date")]
    by: Option<String>,
    /// With --by: tries that were asked for on this date or later; that of --to unless said.
    #[arg(long, requires = "by")]
    from: Option<String>,
    /// With --by: on this date or earlier; today unless said.
    #[arg(long, requires = "by")]
    to: Option<String>,
    /// With --by: in, out, back, check or sign_up.
    #[arg(long, requires = "by")]
    direction: Option<String>,
}

const RATES: [Field; 4] = [text("rate"), number("numerator"), number("denominator"), number("percent")];

const CHANNELS: [Field; 14] = [
    text("direction"),
    text("date"),
    text("channel"),
    text("product"),
    text("bank"),
    number("tries"),
    number("success"),
    number("failures/user"),
    number("failures/risk"),
    number("failures/bank"),
    number("failures/system"),
    number("failures/not_found"),
    number("unknown"),
    number("effective/percent"),
];

impl Rates {
    /// Asks for them.
    pub(super) fn run(&self, config: &Config) -> Result<()> {
        self.connection.ask(config, |client| self.ask(client))
    }

    fn ask(&self, client: &Client) -> Result<Answer> {
        if let Some(by) = &self.by {
            let query = [
                ("by", Some(by.as_str())),
                ("from", self.from.as_deref()),
                ("to", self.to.as_deref()),
                ("direction", self.direction.as_deref()),
            ];
            let rates = client.get(&target(&["v1", "rates", "channels"], &query))?;
            let text = table(&CHANNELS, &rates["data"], None);
            return Ok(Answer::new(rates, text));
        }
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
