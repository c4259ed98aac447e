//! `lintel channel`: channels and their sites, who gets which share of new requests.

use anyhow::{Context, Result};
use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::approval::propose;
use super::client::{Client, target};
use super::remote::{Answer, Page};
use super::table::{Field, number, page, record, table, text};

pub(super) const EXAMPLES: &str = "\
Examples:
  lintel channel list
  lintel channel sites epcc
  lintel channel weight epcc beijing=0 shanghai=1 --reason 'line work in Beijing' --as opr_3
  lintel channel weights epcc
  lintel channel undo epcc --as opr_3

A channel is called by the rail that it carries: epcc, unionpay, fund, own_bank or pingan; a further one of epcc or unionpay by the id of
the settings, such as unionpay_acme.";

/// Channels and their sites.
#[derive(Debug, Subcommand)]
pub(crate) enum Channel {
    /// The channels, each with its breaker and how its calls of late ended.
    List,
    /// A channel's sites: weight, share, state, calls.
    Sites {
        /// The channel: epcc, unionpay, fund, own_bank or pingan, or a further one such as unionpay_acme.
        channel: String,
    },
    /// Propose weights of a channel's sites; they are in force once a second person approves them.
    ///
    /// A site that is not named gets the weight of the settings. 0 takes a site out.
    Weight {
        /// The channel.
        channel: String,
        /// A site and its weight, such as beijing=8.
        #[arg(value_name = "SITE=WEIGHT", required = true)]
        weights: Vec<String>,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// The versions of the weights that were set, oldest first; the last is in force.
    Weights {
        /// The channel.
        channel: String,
        #[command(flatten)]
        page: Page,
    },
    /// Take the newest version of the weights back: what stood before is in force again, at once.
    Undo {
        /// The channel.
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
const WEIGHTS: [Field; 8] = [
    text("id"),
    text("channel"),
    number("version"),
    text("weights"),
    number("undoes"),
    text("set_at"),
    text("operator"),
    text("approver"),
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
            Self::Weight { channel, weights, reason } => {
                let weights = weights.iter().map(|text| weight(text)).collect::<Result<Map<_, _>>>()?;
                let proposal = json!({"kind": "site_weights", "channel": channel, "weights": weights});
                propose(client, &proposal, reason, None)
            }
            Self::Weights { channel, page: wanted } => {
                let versions = client.get(&wanted.target(&["v1", "channels", channel, "weights"], &[]))?;
                let text = page(&WEIGHTS, &versions, None);
                Ok(Answer::new(versions, text))
            }
            Self::Undo { channel } => {
                let sites = client.get(&target(&["v1", "channels", channel, "sites"], &[]))?;
                let version = sites["version"].as_u64();
                let version = version.with_context(|| format!("nothing was set for {channel}: nothing to undo"))?;
                let path = target(&["v1", "channels", channel, "weights", "undo"], &[]);
                let set = client.post(&path, &json!({ "version": version }))?;
                let text = record(&WEIGHTS, &set);
                Ok(Answer::new(set, text))
            }
        }
    }
}

/// A site and its weight.
fn weight(text: &str) -> Result<(String, Value)> {
    let (site, weight) =
        text.split_once('=').with_context(|| format!("'{text}' is not SITE=WEIGHT, such as beijing=8"))?;
    let weight: u32 = weight.parse().with_context(|| format!("the weight of {site} is a number, not '{weight}'"))?;
    Ok((site.to_owned(), json!(weight)))
}
