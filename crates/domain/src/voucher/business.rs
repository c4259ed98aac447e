//! Business numbers (业务编号): what a voucher belongs to. With the event code a number is unique.

use alloc::boxed::Box;

use minicbor::{Decode, Encode};

use crate::ids::StreamId;

/// What kind of business object a voucher belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum BusinessKind {
    /// An order.
    #[n(0)]
    Order,
    /// A leg of a payment.
    #[n(1)]
    Leg,
    /// A split.
    #[n(2)]
    Split,
    /// A refund.
    #[n(3)]
    Refund,
    /// A payout or withdrawal.
    #[n(4)]
    Payout,
    /// A settlement.
    #[n(5)]
    Settlement,
    /// A clearing file.
    #[n(6)]
    Clearing,
    /// A hold.
    #[n(7)]
    Hold,
    /// An agreement.
    #[n(8)]
    Agreement,
    /// One try at a channel.
    #[n(9)]
    Attempt,
    /// A run of sweeps and allocations.
    #[n(18)]
    TreeRun,
    /// An item of suspense.
    #[n(10)]
    Suspense,
    /// An approval, which a manual voucher was posted for.
    #[n(11)]
    Approval,
    /// A line of the reserve account's statement.
    #[n(24)]
    ReserveLine,
    /// An instruction between own money and reserve.
    #[n(25)]
    OwnTransfer,
    /// Arrears of a merchant.
    #[n(26)]
    Arrears,
    /// A chargeback.
    #[n(27)]
    Chargeback,
    /// An advance.
    #[n(28)]
    Advance,
    /// A conversion between currencies.
    #[n(21)]
    Conversion,
    /// A top-up.
    #[n(30)]
    TopUp,
    /// A transfer between payment accounts.
    #[n(31)]
    Transfer,
    /// A card transaction.
    #[n(50)]
    CardTransaction,
    /// A part of the network's file of card transactions.
    #[n(51)]
    CardClearing,
}

impl BusinessKind {
    /// The prefix of the object's id.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Order => "ord",
            Self::Leg => "leg",
            Self::Split => "spl",
            Self::Refund => "rfd",
            Self::Payout => "pay",
            Self::Settlement => "stl",
            Self::Clearing => "clr",
            Self::Hold => "hld",
            Self::Agreement => "agr",
            Self::ReserveLine => "rln",
            Self::OwnTransfer => "otr",
            Self::Arrears => "arr",
            Self::Chargeback => "cbk",
            Self::Advance => "adv",
            Self::Attempt => "att",
            Self::TreeRun => "trn",
            Self::Suspense => "sus",
            Self::Approval => "apr",
            Self::Conversion => "cnv",
            Self::TopUp => "tup",
            Self::Transfer => "trf",
            Self::CardTransaction => "ctx",
            Self::CardClearing => "ccl",
        }
    }
}

/// The business number (业务编号): with the event code it is unique.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum BusinessNumber {
    /// One voucher of a bulk posting.
    #[n(0)]
    Bulk {
        /// The stream.
        #[n(0)]
        stream: StreamId,
        /// The posting's number in the stream.
        #[n(1)]
        number: u64,
        /// The voucher's place in the posting, from 0.
        #[n(2)]
        index: u32,
    },
    /// A step of a business object.
    #[n(1)]
    Object {
        /// Its kind.
        #[n(0)]
        kind: BusinessKind,
        /// Its id.
        #[n(1)]
        id: u64,
    },
    /// A number the caller gave.
    #[n(2)]
    Text(#[n(0)] Box<str>),
    /// One of several steps of the same kind of a business object, such as the second confirm of a hold.
    #[n(3)]
    Step {
        /// Its kind.
        #[n(0)]
        kind: BusinessKind,
        /// Its id.
        #[n(1)]
        id: u64,
        /// Which one, from 1.
        #[n(2)]
        step: u32,
    },
}

impl BusinessNumber {
    /// The number of a step of a business object.
    #[must_use]
    pub const fn object(kind: BusinessKind, id: u64) -> Self {
        Self::Object { kind, id }
    }

    /// Whether a caller gave it, so that the voucher is by its own words.
    #[must_use]
    pub const fn is_callers_own(&self) -> bool {
        match self {
            Self::Bulk { .. } | Self::Text(_) => true,
            Self::Object { .. } | Self::Step { .. } => false,
        }
    }

    /// The number of the `step`-th of several such steps, from 1.
    #[must_use]
    pub const fn step(kind: BusinessKind, id: u64, step: u32) -> Self {
        Self::Step { kind, id, step }
    }
}

impl core::fmt::Display for BusinessNumber {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Bulk { stream, number, index } => write!(f, "{stream}/{number}/{index}"),
            Self::Object { kind, id } => write!(f, "{}_{id}", kind.prefix()),
            Self::Text(text) => f.write_str(text),
            Self::Step { kind, id, step } => write!(f, "{}_{id}/{step}", kind.prefix()),
        }
    }
}
