//! `lintel outflow`: what leaves by a channel, how much may, and who stopped it.

use anyhow::Result;
use clap::Subcommand;
use serde_json::json;

use super::approval::propose;
use super::client::{Client, target};
use super::remote::Answer;
use super::table::{Field, money, number, record, table, text};

pub(super) const EXAMPLES: &str = "\
Examples:
  lintel outflow show epcc
  lintel outflow bound epcc --floor 50000000 --percent 300 --reason 'three times the busiest hour' --as opr_3
  lintel outflow stop epcc --reason 'payouts to one bank doubled' --as opr_3
  lintel outflow resume epcc --waiting send --reason 'it was the end of a month' --as opr_3

A channel is called by the rail that it carries: epcc, unionpay, fund, own_bank or pingan.";

/// What leaves by a channel: payouts, refunds and advances.
#[derive(Debug, Subcommand)]
pub(crate) enum Outflow {
    /// The last hour, what it may come to, whether it is stopped and what waits.
    Show {
        /// The channel: epcc, unionpay, fund, own_bank or pingan.
        channel: String,
    },
    /// Propose what an hour may come to; in force once a second person approves it.
    ///
    /// An hour may reach the larger of the floor and the percentage of the busiest hour of the last seven days. What would pass it
    /// stops the channel: it waits, with all that comes after it, until two people resume.
    Bound {
        /// The channel.
        channel: String,
        /// Minor units that an hour may always reach.
        #[arg(long, value_name = "MINOR")]
        floor: i64,
        /// Percent of the busiest hour that an hour may reach, 100 to 10000.
        #[arg(long, value_name = "PERCENT", default_value_t = 300)]
        percent: u32,
        #[command(flatten)]
        why: Why,
    },
    /// Stop it at once: payouts, refunds and advances wait.
    ///
    /// What was asked for before and is not written to the channel yet is not sent any more: it fails for certain, with the code
    /// not_sent:outflow_stopped, and its money is back where it was. What may have been written is asked about, as ever.
    Stop {
        /// The channel.
        channel: String,
        #[command(flatten)]
        why: Why,
    },
    /// Propose that money leaves again; it does once a second person approves it.
    Resume {
        /// The channel.
        channel: String,
        /// What becomes of what waits: send, or refuse so that its money goes back.
        #[arg(long, value_name = "send|refuse")]
        waiting: String,
        #[command(flatten)]
        why: Why,
    },
}

/// Of which currency, and why.
#[derive(Debug, clap::Args)]
pub(crate) struct Why {
    /// The currency.
    #[arg(long, value_name = "CODE", default_value = "CNY")]
    currency: String,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

const OUTFLOW: [Field; 10] = [
    text("channel"),
    text("currency"),
    text("status"),
    money("last_hour"),
    money("bound"),
    money("busiest_hour"),
    money("floor"),
    number("percent"),
    number("waiting"),
    money("waiting_amount"),
];

impl Outflow {
    /// Asks for it.
    pub(super) fn ask(&self, client: &Client) -> Result<Answer> {
        match self {
            Self::Show { channel } => {
                let outflows = client.get(&target(&["v1", "channels", channel, "outflows"], &[]))?;
                let text = table(&OUTFLOW, &outflows["data"], None);
                Ok(Answer::new(outflows, text))
            }
            Self::Bound { channel, floor, percent, why: Why { currency, reason } } => {
                let proposal = json!({"kind": "outflow_bound", "channel": channel, "currency": currency,
                    "floor": floor, "percent": percent});
                propose(client, &proposal, reason, None)
            }
            Self::Stop { channel, why: Why { currency, reason } } => {
                let path = target(&["v1", "channels", channel, "outflows", "stop"], &[]);
                let stopped = client.post(&path, &json!({"currency": currency, "reason": reason}))?;
                let text = record(&OUTFLOW, &stopped);
                Ok(Answer::new(stopped, text))
            }
            Self::Resume { channel, waiting, why: Why { currency, reason } } => {
                let proposal = json!({"kind": "resume_outflow", "channel": channel, "currency": currency,
                    "waiting": waiting});
                propose(client, &proposal, reason, None)
            }
        }
    }
}
