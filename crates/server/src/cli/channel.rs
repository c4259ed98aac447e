//! `lintel channel`: channels and their sites, who gets which share of new requests.

use anyhow::Result;
use clap::Subcommand;

use super::client::{Client, target};
use super::remote::Answer;
use super::table::{Field, number, record, table, text};

pub(super) const EXAMPLES: &str = "\
Examples:
  lintel channel list
  lintel channel sites epcc

A channel is called by the rail that it carries: epcc, unionpay, fund or own_bank.";

/// Channels and their sites.
#[derive(Debug, Subcommand)]
pub(crate) enum Channel {
    /// The channels, each with its breaker and how its calls of late ended.
    List,
    /// A channel's sites: weight, share, state, calls.
    Sites {
        /// The channel: epcc, unionpay, fund or own_bank.
        channel: String,
    },
}

const CHANNEL: [Field; 8] = [
    text("channel"),
    text("name"),
    text("breaker"),
    number("sites"),
    number("up"),
    number("peak"),
    number("calls"),
    number("failed"),
];
const SITES: [Field; 10] = [
    text("site"),
    text("state"),
    number("weight"),
    number("percent"),
    number("settings_weight"),
    number("capacity"),
    number("open"),
    number("calls"),
    number("failed"),
    text("url"),
];

impl Channel {
    /// Asks for it.
    pub(super) fn ask(&self, client: &Client) -> Result<Answer> {
        match self {
            Self::List => {
                let channels = client.get(&target(&["v1", "channels"], &[]))?;
                let text = table(&CHANNEL, &channels["data"], None);
                Ok(Answer::new(channels, text))
            }
            Self::Sites { channel } => {
                let sites = client.get(&target(&["v1", "channels", channel, "sites"], &[]))?;
                let text = format!("{}\n{}", record(&CHANNEL, &sites["channel"]), table(&SITES, &sites["data"], None));
                Ok(Answer::new(sites, text))
            }
        }
    }
}
