//! Where the gateway ends: what decides a message that is no echo.
//!
//! The gateway knows bytes, frames and fields; it books nothing and has no key. Whoever implements [`Switch`] gets each
//! message that was read whole, in the order of its connection, and says what the answer says.

mod balance;
mod batch;
mod card;
mod desk;
mod downloads;
mod known;
mod outgoing;
mod reversal;
mod script;
mod serial;
mod sign_in;
mod terminal_parameter;
#[cfg(test)]
mod tests;
mod transaction;
mod turns;

use std::sync::Arc;

use domain::ids::{CardTransactionId, TerminalId};
use domain::terminal_parameter::ParameterPart;
use iso8583::Message;

use super::acquirer::{Acquirer, Kind};
use super::network::Fields;
use super::session::Connected;

pub(crate) use self::desk::Desk;

/// A message that was read whole and is a transaction that the acquirer's profile knows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'m> {
    pub(crate) acquirer: &'m Acquirer,
    pub(crate) message: &'m Message<'m, 'm>,
    pub(crate) kind: Kind,
    /// Where it came from.
    pub(crate) connected: &'m Arc<Connected>,
}

/// What the terminal is told.
#[derive(Debug, Clone, Default)]
pub(crate) struct Told {
    /// Field 39.
    pub(crate) code: String,
    /// Fields beside what the profile repeats, without their encoding.
    pub(crate) fields: Fields,
    /// For whom the answer is proved by a MAC.
    pub(crate) proof: Option<TerminalId>,
    /// Whether the terminal is asked to sign in again, whatever the code.
    pub(crate) sign_in: bool,
    /// The part of its parameters that the terminal is asked to download, unless it is asked to sign in.
    pub(crate) download: Option<ParameterPart>,
    /// What must be taken back if this cannot be delivered.
    pub(crate) card: Option<CardTransactionId>,
}

impl Told {
    /// A code and nothing else.
    pub(crate) fn of(code: impl Into<String>) -> Self {
        Self { code: code.into(), ..Self::default() }
    }
}

/// What becomes of a message.
#[derive(Debug, Clone)]
pub(crate) enum Decision {
    /// It is answered.
    Tell(Told),
    /// Nobody knows what is right to say: the connection ends, and the terminal takes back what it did not hear of.
    Close(&'static str),
}

/// Decides messages.
pub(crate) trait Switch: Send + Sync + 'static {
    /// Decides one. Others are decided meanwhile; the next one of the same connection is not.
    fn decide<'m>(&'m self, asked: Asked<'m>) -> impl Future<Output = Decision> + Send + 'm;

    /// The MAC of an answer to a terminal over these bytes; `None` if it cannot be made now.
    fn prove<'m>(
        &'m self,
        acquirer: &'m Acquirer,
        terminal: TerminalId,
        bytes: &'m [u8],
    ) -> impl Future<Output = Option<[u8; 8]>> + Send + 'm;

    /// An approval did not reach its terminal, for certain.
    fn undelivered(&self, card: CardTransactionId) -> impl Future<Output = ()> + Send;
}
