//! Where the gateway ends: what decides a message that is no echo.
//!
//! The gateway knows bytes, frames and fields; it books nothing and has no key. Whoever implements [`Switch`] gets each
//! message that was read whole, in the order of its connection, and says what field 39 of the answer says.

use iso8583::Message;

use super::acquirer::{Acquirer, Kind};

/// A message that was read whole and is a transaction that the acquirer's profile knows.
#[derive(Debug)]
pub(crate) struct Asked<'m> {
    pub(crate) acquirer: &'m Acquirer,
    pub(crate) message: &'m Message<'m, 'm>,
    pub(crate) kind: Kind,
}

/// What the terminal is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    /// Field 39.
    pub(crate) code: String,
}

/// Decides messages.
pub(crate) trait Switch: Send + Sync + 'static {
    /// Decides one. Others are decided meanwhile; the next one of the same connection is not.
    fn decide<'m>(&'m self, asked: Asked<'m>) -> impl Future<Output = Told> + Send + 'm;
}

/// The switch of a platform on which no terminal is registered: each is unknown, whatever it wants.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NoTerminals;

impl Switch for NoTerminals {
    async fn decide<'m>(&'m self, asked: Asked<'m>) -> Told {
        let Asked { acquirer, message, kind } = asked;
        let fields = message.fields().count();
        tracing::debug!(?kind, fields, "a message of a terminal that nobody registered");
        Told { code: acquirer.codes.unknown_terminal.clone() }
    }
}
