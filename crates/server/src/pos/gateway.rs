//! What becomes of one frame.
//!
//! ```text
//!  frame ─► envelope ─► message ─► echo ────────────────► approved
//!             │           │        known transaction ─► queue ─► switch ─► its code
//!             │           │                                └ full: overloaded, or close
//!             │           │                                  the answer's MAC, by the switch
//!             │           │        another one ─────────► invalid transaction
//!             │           ├ fields wrong ───────────────► format error, with what could be read
//!             │           └ no request: nothing is answered
//!             └ no envelope, no message type: framing is lost, close
//! ```

use std::sync::Arc;

use domain::envelope::Time;
use domain::ids::CardTransactionId;
use iso8583::Message;
use tokio::sync::Semaphore;

use super::acquirer::{Acquirer, Lri, Overload};
use super::answer::{MAC, answer, answer_type};
use super::envelope::{Envelope, put_frame};
use super::session::Connected;
use super::switch::{Asked, Decision, Switch, Told};
use crate::shell::Clock;

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Gateway<S> {
    pub(crate) acquirer: Acquirer,
    pub(crate) switch: S,
    pub(crate) clock: Clock,
    /// How many messages may be with the switch at once.
    pub(crate) queue: Semaphore,
}

/// What to do about a frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// Send this. If it cannot be delivered, the switch takes the transaction back.
    Send(Vec<u8>, Option<CardTransactionId>),
    /// Nothing; go on.
    Nothing,
    /// End the connection.
    Close(&'static str),
}

impl<S: Switch> Gateway<S> {
    /// Reads a frame, which lies there without its length, and says what to do.
    pub(crate) async fn reply(&self, frame: &[u8], connected: &Arc<Connected>) -> Reply {
        let envelope = match Envelope::read(frame) {
            Ok(envelope) if envelope.lri.is_some() && self.acquirer.lri == Lri::Refused => {
                return close("lri_refused", &"an LRI block, which the acquirer's profile refuses");
            }
            Ok(envelope) => envelope,
            Err(error) => return close("envelope", &error),
        };
        let (message, wrong) = match self.read(envelope.message) {
            Ok(read) => read,
            Err(error) => return close("message", &error.moved(envelope.message_at())),
        };
        let Some(told_as) = answer_type(message.mti()) else {
            refused("not_a_request");
            return Reply::Nothing;
        };
        let told = match wrong {
            Some(error) => {
                tracing::debug!(error = %error.moved(envelope.message_at()), "a message that does not read");
                refused("format_error");
                Told::of(&self.acquirer.codes.format_error)
            }
            None => match self.told(&message, connected).await {
                Decision::Tell(told) => told,
                Decision::Close(why) => return Reply::Close(why),
            },
        };
        match self.answer(&envelope, &message, told_as, &told).await {
            Ok(frame) => Reply::Send(frame, told.card),
            Err(why) => {
                if let Some(card) = told.card {
                    self.switch.undelivered(card).await;
                }
                why
            }
        }
    }

    /// The message, and what is wrong with it. Terminals of SM4 have longer PIN blocks: what does not read in the one layout
    /// may read in the other.
    fn read<'b>(&'b self, bytes: &'b [u8]) -> Result<(Message<'b, 'b>, Option<iso8583::Error>), iso8583::Error> {
        let read = Message::decode_until_wrong(&self.acquirer.messages, bytes)?;
        if read.1.is_none() {
            return Ok(read);
        }
        match Message::decode(&self.acquirer.sm4_messages, bytes) {
            Ok(message) => Ok((message, None)),
            Err(_) => Ok(read),
        }
    }

    /// The frame of an answer, with its MAC.
    async fn answer(
        &self,
        envelope: &Envelope<'_>,
        message: &Message<'_, '_>,
        told_as: [u8; 4],
        told: &Told,
    ) -> Result<Vec<u8>, Reply> {
        let mut bytes =
            answer(&self.acquirer, message, told_as, told, self.now()).map_err(|error| close("answer", &error))?;
        if let Some(terminal) = told.proof {
            let at = bytes.len().saturating_sub(MAC);
            let (proved, mac) = bytes.split_at_mut(at);
            let made = self.switch.prove(&self.acquirer, terminal, proved).await;
            mac.copy_from_slice(&made.ok_or(Reply::Close("mac"))?);
        }
        let mut out = Vec::new();
        let asks = if told.sign_in { &self.acquirer.codes.mac_wrong } else { &told.code };
        let request = match (self.acquirer.request(asks), told.download) {
            (0, Some(part)) => self.acquirer.download(part),
            (digit, _) => digit,
        };
        let header = envelope.header.answer(request);
        match put_frame(&mut out, envelope.tpdu.answer(), header, &bytes) {
            Ok(()) => Ok(out),
            Err(length) => Err(close("answer", &format!("{length} bytes"))),
        }
    }

    /// What becomes of a message that was read whole.
    async fn told(&self, message: &Message<'_, '_>, connected: &Arc<Connected>) -> Decision {
        let codes = &self.acquirer.codes;
        let told = |code: &String| Decision::Tell(Told::of(code));
        if self.acquirer.is_echo(message) {
            metrics::counter!("lintel_pos_messages_total", "outcome" => "echo").increment(1);
            return told(&codes.approved);
        }
        let Some(kind) = self.acquirer.kind(message) else {
            refused("invalid_transaction");
            return told(&codes.invalid_transaction);
        };
        let Ok(_place) = self.queue.try_acquire() else {
            refused("overloaded");
            return match self.acquirer.overload {
                Overload::Answer => told(&codes.overloaded),
                Overload::Close => Decision::Close("overloaded"),
            };
        };
        metrics::counter!("lintel_pos_messages_total", "outcome" => "decided").increment(1);
        self.switch.decide(Asked { acquirer: &self.acquirer, message, kind, connected }).await
    }

    fn now(&self) -> Time {
        self.clock.now()
    }
}

/// Counts a message that the gateway itself refuses.
fn refused(outcome: &'static str) {
    metrics::counter!("lintel_pos_messages_total", "outcome" => outcome).increment(1);
}

fn close(why: &'static str, error: &dyn std::fmt::Display) -> Reply {
    tracing::debug!(why, %error, "framing is lost");
    Reply::Close(why)
}
