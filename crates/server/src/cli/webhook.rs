//! `lintel webhook`: where merchants are told what, what they were told, and telling it again.

use anyhow::Result;
use clap::Subcommand;
use domain::webhook::WebhookKind;
use serde_json::{Value, json};

use super::client::{Client, target};
use super::remote::{Answer, Page};
use super::table::{Field, number, page, record, text};

const EXAMPLES: &str = "\
Examples:
  lintel webhook register mch_3 https://shop.example/lintel --kind order.paid --kind refund.succeeded
  lintel webhook list --merchant mch_3
  lintel webhook ping whk_1                            a delivery that says nothing, to see that it is taken
  lintel webhook change whk_1 --to https://shop.example/new
  lintel webhook change whk_1 --enabled false          nothing new is announced; what is outstanding waits
  lintel webhook deliveries whk_1 --state given_up     what its receiver never took
  lintel webhook delivery whd_1042_1                   one of them, with every try
  lintel webhook replay whd_1042_1                     tell it again
  lintel webhook replay whk_1 --since 2026-03-05T09:00:00+08:00";

/// The examples, and every kind there is.
pub(super) fn help() -> String {
    let names = WebhookKind::ALL.map(WebhookKind::name);
    let kinds = names.chunks(3).map(|three| three.join(" ")).collect::<Vec<_>>().join("\n       ");
    format!("{EXAMPLES}\n\nKinds: {kinds}\n\nWhat a receiver gets and how it verifies it: docs/api/webhooks.md")
}

/// Where merchants are told what.
#[derive(Debug, Subcommand)]
pub(crate) enum Webhook {
    /// Register where a merchant is told what.
    Register {
        /// The merchant, such as mch_3.
        merchant: String,
        /// Where: https://…, in a sandbox also http://….
        #[arg(value_name = "URL")]
        address: String,
        /// What it is told of, such as order.paid; several times for several.
        #[arg(long = "kind", value_name = "KIND", required = true)]
        kinds: Vec<String>,
        /// sm2_with_sm3 or sha256_rsa2048: by which of the platform's pairs deliveries are signed.
        #[arg(long)]
        algorithm: Option<String>,
    },
    /// One webhook.
    Show {
        /// Its id, such as whk_1.
        id: String,
    },
    /// Webhooks, oldest first.
    List {
        /// Of this merchant.
        #[arg(long, value_name = "ID")]
        merchant: Option<String>,
        /// enabled, disabled or removed.
        #[arg(long)]
        status: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// Change one; what is not named stays.
    Change {
        /// Its id.
        id: String,
        /// Where, from now on.
        #[arg(long, value_name = "URL")]
        to: Option<String>,
        /// What it is told of, in place of the present kinds; several times for several.
        #[arg(long = "kind", value_name = "KIND")]
        kinds: Vec<String>,
        /// sm2_with_sm3 or sha256_rsa2048.
        #[arg(long)]
        algorithm: Option<String>,
        /// true or false.
        #[arg(long)]
        enabled: Option<bool>,
    },
    /// Remove one for ever; what is outstanding is given up.
    Remove {
        /// Its id.
        id: String,
    },
    /// Have one told a ping, to see that it takes deliveries.
    Ping {
        /// Its id.
        id: String,
    },
    /// What one was told or is to be told, newest first.
    Deliveries {
        /// The webhook's id.
        id: String,
        /// new, ready, behind, accepted or given_up.
        #[arg(long)]
        state: Option<String>,
        /// About this object, such as ord_7.
        #[arg(long, value_name = "ID")]
        object: Option<String>,
        /// Rows, 1 to 500.
        #[arg(long)]
        limit: Option<u32>,
        /// next_cursor of the page before.
        #[arg(long)]
        cursor: Option<String>,
    },
    /// One delivery, with every try at its receiver.
    Delivery {
        /// Its id, such as whd_1042_1.
        id: String,
    },
    /// Tell a delivery again, or all of a webhook since a time.
    Replay {
        /// A delivery (whd_…), or a webhook (whk_…) with --since.
        id: String,
        /// Of a webhook: everything that happened then or later, such as 2026-03-05T09:00:00+08:00.
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
    },
}

const WEBHOOK: [Field; 9] = [
    text("id"),
    text("merchant"),
    text("url"),
    text("kinds"),
    text("algorithm"),
    text("status"),
    text("registered_by"),
    text("changed_at"),
    text("changed_by"),
];
const WEBHOOKS: [Field; 5] = [text("id"), text("merchant"), text("status"), text("kinds"), text("url")];
const DELIVERY: [Field; 8] = [
    text("id"),
    text("kind"),
    text("object"),
    text("state"),
    number("tries"),
    text("next_at"),
    text("since"),
    text("ended_at"),
];
const TRIES: [Field; 5] = [number("number"), text("at"), number("status"), number("duration_ms"), text("error")];

impl Webhook {
    /// Asks for it.
    pub(super) fn ask(&self, client: &Client) -> Result<Answer> {
        match self {
            Self::Register { merchant, address, kinds, algorithm } => {
                let body = json!({"url": address, "kinds": kinds, "algorithm": algorithm});
                Ok(shown(client.post(&target(&["v1", "merchants", merchant, "webhooks"], &[]), &body)?))
            }
            Self::Show { id } => Ok(shown(client.get(&target(&["v1", "webhooks", id], &[]))?)),
            Self::List { merchant, status, page: wanted } => {
                let filters = [("merchant", merchant.as_deref()), ("status", status.as_deref())];
                let all = client.get(&wanted.target(&["v1", "webhooks"], &filters))?;
                let text = page(&WEBHOOKS, &all, None);
                Ok(Answer::new(all, text))
            }
            Self::Change { id, to, kinds, algorithm, enabled } => {
                let kinds = (!kinds.is_empty()).then_some(kinds);
                let body = json!({"url": to, "kinds": kinds, "algorithm": algorithm, "enabled": enabled});
                Ok(shown(client.post(&target(&["v1", "webhooks", id, "change"], &[]), &body)?))
            }
            Self::Remove { id } => Ok(shown(client.post(&target(&["v1", "webhooks", id, "remove"], &[]), &json!({}))?)),
            Self::Ping { id } => Ok(shown(client.post(&target(&["v1", "webhooks", id, "ping"], &[]), &json!({}))?)),
            Self::Deliveries { id, state, object, limit, cursor } => {
                let limit = limit.map(|it| it.to_string());
                let query = [
                    ("state", state.as_deref()),
                    ("object", object.as_deref()),
                    ("limit", limit.as_deref()),
                    ("cursor", cursor.as_deref()),
                ];
                let all = client.get(&target(&["v1", "webhooks", id, "deliveries"], &query))?;
                let text = page(&DELIVERY, &all, None);
                Ok(Answer::new(all, text))
            }
            Self::Delivery { id } => Ok(logged(client.get(&target(&["v1", "webhook-deliveries", id], &[]))?)),
            Self::Replay { id, since: None } => {
                Ok(logged(client.post(&target(&["v1", "webhook-deliveries", id, "replay"], &[]), &json!({}))?))
            }
            Self::Replay { id, since: Some(since) } => {
                let target = target(&["v1", "webhooks", id, "replay"], &[]);
                let replayed = client.post(&target, &json!({ "since": since }))?;
                let text = record(&[number("replayed")], &replayed);
                Ok(Answer::new(replayed, text))
            }
        }
    }
}

fn shown(webhook: Value) -> Answer {
    let text = record(&WEBHOOK, &webhook);
    Answer::new(webhook, text)
}

fn logged(delivery: Value) -> Answer {
    let log = json!({"data": delivery["log"], "next_cursor": null});
    let text = record(&DELIVERY, &delivery) + "\n" + &page(&TRIES, &log, None);
    Answer::new(delivery, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_and_page_name_every_kind() {
        let (help, page) = (help(), include_str!("../../../../docs/api/webhooks.md"));
        for kind in WebhookKind::ALL.map(WebhookKind::name) {
            assert!(help.split_whitespace().any(|word| word == kind), "{kind} in {help}");
            assert!(page.contains(&format!("`{kind}`")), "{kind} in docs/api/webhooks.md");
        }
    }
}
