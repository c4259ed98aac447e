//! Answers that nobody waits for any more, told to the books: a yes that comes late is taken back, and a second one like the
//! first changes nothing.
//!
//! ```text
//!  F37 ─► the transaction ─ F7, F11 and F4 are its own? ─ no ─► counted
//!                              └ yes ─► Answer: the books decide, by where it stands
//! ```

use std::sync::Arc;

use domain::calendar::Date;
use domain::card_transaction::{CardAnswer, CardTransactionCommand, transaction_of_reference};
use domain::{Actor, Command, Origin, State};
use engine::{Meta, Request};
use store::Database;
use tokio::sync::mpsc;

use crate::pos::network::{Answered, Fields, Identity};
use crate::shell::{Clock, Platform, recall};

/// Late answers, as they come.
pub(crate) struct Late {
    pub(super) comes: mpsc::Receiver<Fields>,
}

impl Late {
    /// Tells the books of each, until the network is gone.
    pub(crate) async fn run(mut self, platform: Platform, store: Arc<Database>, clock: Clock) {
        while let Some(fields) = self.comes.recv().await {
            let outcome = told((&platform, &store), &clock, fields).await;
            metrics::counter!("lintel_pos_network_late_told_total", "outcome" => outcome).increment(1);
        }
    }
}

/// What the books made of it.
async fn told((platform, store): (&Platform, &Arc<Database>), clock: &Clock, fields: Fields) -> &'static str {
    let Some(id) = fields.text(37).and_then(transaction_of_reference) else { return "unknown" };
    let [sent_at, trace, amount] = [7, 11, 4].map(|number| fields.get(number).unwrap_or_default().to_vec());
    let is_its_own = move |state: &State| {
        state.card_transaction(id).is_ok_and(|row| {
            let identity = Identity::of(row);
            let asked = format!("{:012}", row.amount);
            identity.sent_at[..] == sent_at && identity.trace[..] == trace && asked.as_bytes() == amount
        })
    };
    match recall::see(platform, store, is_its_own).await {
        Ok((true, _)) => {}
        Ok((false, _)) => return "unknown",
        Err(_) => return "unavailable",
    }
    let answer = Answered { fields }.for_the_books(Date::in_shanghai(clock.now()));
    // Silence is known already.
    if answer == CardAnswer::NotAnswered {
        return "unclear";
    }
    let command = Command::CardTransaction(CardTransactionCommand::Answer { transaction: id, answer });
    let meta = Meta::unkeyed(Actor::Channel("card_network".into()), Origin::Channel);
    match platform.submit(Request { command, meta }).await {
        Ok(seen) => match seen.result {
            Ok(_) => "told",
            Err(refusal) => {
                tracing::warn!(transaction = %id, %refusal, "a late answer of the card network");
                "refused"
            }
        },
        // The network's file names what was charged; a difference of it finds the rest.
        Err(error) => {
            tracing::error!(transaction = %id, %error, "a late answer of the card network is lost");
            "unavailable"
        }
    }
}
