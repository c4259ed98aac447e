//! Who asked, from where, with whose approval: kept with every command for ever.

use alloc::string::String;

use minicbor::{Decode, Encode};

use crate::ids::{ApprovalId, MerchantId, UserId};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Encode, Decode)]
#[cbor(transparent)]
pub struct Time(#[n(0)] pub i64);

impl Time {
    /// This time and `ms` milliseconds.
    #[must_use]
    pub const fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

/// Who asked for a change.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Actor {
    /// A user of a product.
    #[n(0)]
    User(#[n(0)] UserId),
    /// A merchant, by the serial number of the key that signed.
    #[n(1)]
    Merchant {
        /// The merchant.
        #[n(0)]
        merchant: MerchantId,
        /// The key's serial number.
        #[n(1)]
        key: String,
    },
    /// An operator of the institution, by login name.
    #[n(2)]
    Operator(#[n(0)] String),
    /// The platform's own timer.
    #[n(3)]
    Timer,
    /// A channel that answered.
    #[n(4)]
    Channel(#[n(0)] String),
}

/// Where a command came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Origin {
    /// The HTTP API.
    #[n(0)]
    Api,
    /// The command line.
    #[n(1)]
    Cli,
    /// A timer.
    #[n(2)]
    Timer,
    /// A channel's answer.
    #[n(3)]
    Channel,
    /// Books brought in from another system.
    #[n(4)]
    Import,
}

/// What `decide` may know beside state and command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// The engine's time: never behind what the journal holds.
    pub now: Time,
    /// Who asks.
    pub actor: Actor,
    /// The second person's approval, where one was needed.
    pub approval: Option<ApprovalId>,
    /// Where it came in.
    pub origin: Origin,
    /// The leader's epoch, kept with every attempt at a channel.
    pub epoch: u64,
}
