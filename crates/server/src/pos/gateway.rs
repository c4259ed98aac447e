//! What becomes of one frame.
//!
//! ```text
//!  frame ─► envelope ─► message ─► echo ────────────────► approved
//!             │           │        known transaction ─► queue ─► switch ─► its code
//!             │           │                                └ full: overloaded, or close
//!             │           │        another one ─────────► invalid transaction
//!             │           ├ fields wrong ───────────────► format error, with what could be read
//!             │           └ no request: nothing is answered
//!             └ no envelope, no message type: framing is lost, close
//! ```

use domain::envelope::Time;
use iso8583::Message;
use tokio::sync::Semaphore;

use super::acquirer::{Acquirer, Lri, Overload};
use super::answer::{answer, answer_type};
use super::envelope::{Envelope, put_frame};
use super::switch::{Asked, Switch, Told};
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
    /// Send this.
    Send(Vec<u8>),
    /// Nothing; go on.
    Nothing,
    /// End the connection.
    Close(&'static str),
}

impl<S: Switch> Gateway<S> {
    /// Reads a frame, which lies there without its length, and says what to do.
    pub(crate) async fn reply(&self, frame: &[u8]) -> Reply {
        let envelope = match Envelope::read(frame) {
            Ok(envelope) if envelope.lri.is_some() && self.acquirer.lri == Lri::Refused => {
                return close("lri_refused", &"an LRI block, which the acquirer's profile refuses");
            }
            Ok(envelope) => envelope,
            Err(error) => return close("envelope", &error),
        };
        let (message, wrong) = match Message::decode_until_wrong(&self.acquirer.messages, envelope.message) {
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
                Told { code: self.acquirer.codes.format_error.clone() }
            }
            None => match self.told(&message).await {
                Some(told) => told,
                None => return Reply::Close("overloaded"),
            },
        };
        let bytes = match answer(&self.acquirer, &message, told_as, &told.code, self.now()) {
            Ok(bytes) => bytes,
            Err(error) => return close("answer", &error),
        };
        let mut out = Vec::new();
        let header = envelope.header.answer(self.acquirer.request(&told.code));
        match put_frame(&mut out, envelope.tpdu.answer(), header, &bytes) {
            Ok(()) => Reply::Send(out),
            Err(length) => close("answer", &format!("{length} bytes")),
        }
    }

    /// What a message that was read whole is told; `None` if the connection is to be closed.
    async fn told(&self, message: &Message<'_, '_>) -> Option<Told> {
        let codes = &self.acquirer.codes;
        let told = |code: &String| Told { code: code.clone() };
        if self.acquirer.is_echo(message) {
            metrics::counter!("lintel_pos_messages_total", "outcome" => "echo").increment(1);
            return Some(told(&codes.approved));
        }
        let Some(kind) = self.acquirer.kind(message) else {
            refused("invalid_transaction");
            return Some(told(&codes.invalid_transaction));
        };
        let Ok(_place) = self.queue.try_acquire() else {
            refused("overloaded");
            return match self.acquirer.overload {
                Overload::Answer => Some(told(&codes.overloaded)),
                Overload::Close => None,
            };
        };
        metrics::counter!("lintel_pos_messages_total", "outcome" => "decided").increment(1);
        Some(self.switch.decide(Asked { acquirer: &self.acquirer, message, kind }).await)
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
