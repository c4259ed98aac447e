//! `lintel route`: which channel a payment would go to, by which rule, and why not by the others: by the rules of the settings or of a
//! file that is not in force yet, without asking a platform; or now, by what a running one knows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use channels::routing::{Asked, Known, Paying, Route as Chosen, Routing, Verdict, is_bank};
use clap::{Args, Subcommand};
use domain::attempt::Rail;
use domain::channel::ChannelName;
use domain::money::Minor;
use domain::rates::Rate;
use serde::{Deserialize, Serialize};

use super::client::{Client, target};
use super::print;
use super::remote::{Answer, Connection};
use super::table::{Field, number, table, text};
use crate::config::Config;
use crate::shell::routing;

pub(super) const EXAMPLES: &str = "\
Examples:
  lintel route explain --instrument debit_card --bank 102 --amount 500000
  lintel route explain --instrument redirect --amount 500000 --success epcc=940/1000 --success unionpay=990/1000
  lintel route explain --file new.toml --instrument credit_card --amount 100 --offered unionpay,unionpay_acme --json
  lintel route explain --instrument payout --bank 102 --amount 500000     where what leaves would go
  lintel route check new.toml
  lintel route now --instrument debit_card --bank 102 --amount 500000     by a running platform's rules and rates

How rules are written: docs/routing.md";

const NOWHERE: &str = "no channel may carry it";

const SUCCESS: [Field; 4] =
    [text("channel"), number("effective/numerator"), number("effective/denominator"), number("effective/percent")];

/// Rules of routing.
#[derive(Debug, Subcommand)]
pub(crate) enum Route {
    /// Say where a payment would go, by which rule, and why not by the others.
    Explain(Explain),
    /// Say where a payment would go now, by the rules and rates of success of a running platform.
    Now(Now),
    /// Check a file of rules.
    Check {
        /// The file.
        file: PathBuf,
    },
}

/// A payment that names no channel, or a payout.
#[derive(Debug, Args)]
struct Payment {
    /// debit_card, credit_card, redirect or payout.
    #[arg(long)]
    instrument: String,
    /// The first three digits of the bank's interbank number, such as 102.
    #[arg(long)]
    bank: Option<String>,
    /// Minor units, such as 500000 for 5,000.00.
    #[arg(long)]
    amount: Minor,
    /// Channels that the card has agreements at, with commas between; all that are configured, and may carry it, unless said.
    #[arg(long, value_delimiter = ',', value_name = "CHANNEL")]
    offered: Vec<String>,
}

/// A payment to ask a platform about.
#[derive(Debug, Args)]
pub(crate) struct Now {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    payment: Payment,
}

/// A payment to explain.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    #[command(flatten)]
    payment: Payment,
    /// Suppose that so many of so many succeed: CHANNEL=N/M. Nothing is known of the others.
    #[arg(long, value_name = "CHANNEL=N/M")]
    success: Vec<String>,
    /// Rules that are not in force yet, in place of those of the settings.
    #[arg(long)]
    file: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

fn channel(name: &str) -> Result<ChannelName> {
    let unknown =
        || format!("'{name}' is no channel: use epcc or unionpay, or a further channel of theirs, such as unionpay_b");
    ChannelName::parse(name).with_context(unknown)
}

/// `epcc=940/1000`.
fn success(text: &str) -> Result<(ChannelName, Rate)> {
    let wrong = || format!("--success {text}: use CHANNEL=N/M, such as epcc=940/1000");
    let (name, rate) = text.split_once('=').with_context(wrong)?;
    let (numerator, denominator) = rate.split_once('/').with_context(wrong)?;
    let (numerator, denominator) = (numerator.parse().with_context(wrong)?, denominator.parse().with_context(wrong)?);
    if numerator > denominator {
        bail!("--success {text}: {numerator} is more than {denominator}");
    }
    Ok((channel(name)?, Rate { numerator, denominator }))
}

/// The channels that the settings name, by the registry.
fn configured(config: &Config) -> Result<BTreeSet<ChannelName>> {
    let rail_of = |entry: &crate::config::ChannelConfig| {
        let set = entry.settings.get("rail").and_then(serde_json::Value::as_str).and_then(Rail::parse);
        // A channel whose settings name no rail carries the one that its manifest names.
        let by_name = || {
            let carried = [("unionpay", Rail::UnionPay), ("fund", Rail::Fund), ("pingan", Rail::PingAn)];
            carried.into_iter().find(|(word, _)| entry.name.contains(word)).map_or(Rail::Epcc, |(_, rail)| rail)
        };
        set.unwrap_or_else(by_name)
    };
    config.channels.iter().map(|entry| entry.called(rail_of(entry))).collect()
}

impl Route {
    /// Does it.
    ///
    /// # Errors
    /// Rules or a payment that cannot be.
    pub(super) fn run(&self, config: &Config) -> Result<()> {
        match self {
            Self::Explain(explain) => explain.run(config),
            Self::Now(now) => now.connection.ask(config, |client| now.payment.ask(client)),
            Self::Check { file } => {
                let rules = routing::read(file)?.rules.len();
                print(&format!("{} is a file of {rules} rules\n", file.display()));
                Ok(())
            }
        }
    }
}

impl Payment {
    /// Asks a platform.
    fn ask(&self, client: &Client) -> Result<Answer> {
        let (amount, offered) = (self.amount.to_string(), self.offered.join(","));
        let query = [
            ("instrument", Some(self.instrument.as_str())),
            ("bank", self.bank.as_deref()),
            ("amount", Some(amount.as_str())),
            ("offered", Some(offered.as_str()).filter(|offered| !offered.is_empty())),
        ];
        let route = client.get(&target(&["v1", "routes"], &query))?;
        let mut text = table(&SUCCESS, &route["success"], None);
        text.push_str(&of_people(&serde_json::from_value(route.clone()).context("the answer is no route")?));
        let nowhere = route["channels"].as_array().is_some_and(Vec::is_empty);
        let complaint = nowhere.then(|| NOWHERE.to_owned());
        Ok(Answer::new(route, text).complaining(complaint))
    }
}

impl Explain {
    fn run(&self, config: &Config) -> Result<()> {
        let asked = &self.payment;
        let file =
            self.file.as_ref().or_else(|| Some(&config.routing.file).filter(|file| !file.as_os_str().is_empty()));
        let routing = file.map_or_else(|| Ok(Routing::default()), |file| routing::read(file))?;
        let paying = Paying::ALL.into_iter().find(|paying| paying.name() == asked.instrument);
        let paying = paying.with_context(|| {
            format!("--instrument {}: use debit_card, credit_card, redirect or payout", asked.instrument)
        })?;
        if let Some(bank) = asked.bank.as_deref().filter(|bank| !is_bank(bank)) {
            bail!("--bank {bank}: use the first three digits of its interbank number, such as 102");
        }
        let offered = asked.offered.iter().map(|name| channel(name)).collect::<Result<Vec<_>>>()?;
        let success = self.success.iter().map(|text| success(text)).collect::<Result<BTreeMap<_, _>>>()?;
        let mut configured = configured(config)?;
        if configured.is_empty() {
            // Rules are written before channels are.
            let named = routing.rules.iter().flat_map(|rule| &rule.channels);
            configured = named.filter_map(|name| ChannelName::parse(name)).collect();
            configured.extend([Rail::Epcc, Rail::UnionPay].map(ChannelName::from));
        }
        let mut offered = if offered.is_empty() { configured.iter().cloned().collect() } else { offered };
        offered.retain(|name| paying.travels(name.rail));
        let asked = Asked { paying, bank: asked.bank.clone(), amount: asked.amount, offered };
        let chosen = Shown::from(routing.route(&asked, &Known { configured, success }));
        print(&if self.json { of_programs(&chosen)? } else { of_people(&chosen) });
        if chosen.channels.is_empty() {
            bail!(NOWHERE);
        }
        Ok(())
    }
}

/// A choice as it is shown.
#[derive(Debug, Serialize, Deserialize)]
struct Shown {
    rule: Option<String>,
    channels: Vec<String>,
    rules: Vec<Verdict>,
}

impl From<Chosen> for Shown {
    fn from(Chosen { rule, channels, verdicts }: Chosen) -> Self {
        let channels = channels.iter().map(ChannelName::to_string).collect();
        Self { rule, channels, rules: verdicts }
    }
}

fn of_programs(chosen: &Shown) -> Result<String> {
    Ok(format!("{}\n", serde_json::to_string(chosen)?))
}

fn of_people(chosen: &Shown) -> String {
    let mut text = String::new();
    for verdict in &chosen.rules {
        let mark = if verdict.matched { "matches" } else { "does not match" };
        text.push_str(&format!("rule '{}' {mark}\n", verdict.rule));
        verdict.why.iter().for_each(|why| text.push_str(&format!("    {why}\n")));
    }
    let by = chosen
        .rule
        .as_ref()
        .map_or_else(|| "no rule matches: as offered".to_owned(), |rule| format!("by rule '{rule}'"));
    match chosen.channels.split_first() {
        None => text.push_str(&format!("nowhere ({by})\n")),
        Some((first, [])) => text.push_str(&format!("to {first} ({by}); a failure there is the end\n")),
        Some((first, rest)) => {
            text.push_str(&format!("to {first} ({by}); after a definite failure to {}\n", rest.join(", then ")));
        }
    }
    text
}
