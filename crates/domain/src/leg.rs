//! Legs: one instrument's share of an order's try. What moves them is in `payment`.
//!
//! ```text
//!  CREATED ─► SENT ─► HELD ─► CAPTURED ─► REVERSED
//!               │       └───► RELEASED
//!     │         └─► CAPTURED │ FAILED
//!     └─► CAPTURED: from a balance, with the try itself
//!  UNKNOWN, from SENT or HELD: the channel did not say; ends as HELD │ CAPTURED │ RELEASED │ FAILED
//! ```

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use crate::attempt::{FailureClass, Rail};
use crate::calendar::Date;
use crate::channel::ChannelName;
use crate::fund_batch::{FundRoute, Monthly};
use crate::ids::{AccountId, ApprovalId, AttemptId, LegId, OrderId, VoucherId};
use crate::limit::Factors;
use crate::money::{Currency, Minor};
use crate::order::Order;
use crate::recall::Leaves;
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;
use crate::voucher::{BusinessKind, BusinessNumber};

/// Digits of the interbank number (联行号) that name the bank.
pub(crate) const BANK_DIGITS: usize = 3;

/// The bank that an interbank number names, as rules, rates and [`Instrument::Card`] name it: its first three digits.
#[must_use]
pub fn bank_of_number(number: &str) -> Option<String> {
    number.get(..BANK_DIGITS).map(String::from)
}

/// What pays.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Instrument {
    /// A bank card under a signed agreement (协议支付).
    #[n(0)]
    Card {
        /// The agreement's number at the network; a token of class C1.
        #[n(0)]
        agreement: String,
        /// The card as it may be shown, 6 + 4.
        #[n(1)]
        mask: String,
        /// Over which network.
        #[n(2)]
        rail: Rail,
        /// Minor units.
        #[n(3)]
        amount: Minor,
        /// Whether it is a credit card.
        #[n(4)]
        credit: bool,
        /// The first three digits of the bank's interbank number (联行号), where it is known.
        #[n(5)]
        bank: Option<String>,
        /// Where a definite failure of a bank or a system cascades to, in this order.
        #[n(6)]
        #[cbor(default)]
        alternatives: Vec<Alternative>,
        /// The word of the rail's further channel; the rail's first if none.
        #[n(7)]
        channel: Option<String>,
    },
    /// The payer's provident fund (公积金).
    #[n(1)]
    Fund {
        /// The lease's number at the centre; a token of class C1.
        #[n(0)]
        contract: String,
        /// Minor units.
        #[n(1)]
        amount: Minor,
        /// Whether the centre holds money first; one that cannot pays at once, before the card.
        #[n(2)]
        holds: bool,
        /// Where the centre pays by its monthly batch: then it holds nothing.
        #[n(3)]
        #[cbor(default)]
        monthly: Option<Monthly>,
        /// What follows where the centre pays less at once than it was asked for; none if it does not, or by batch.
        #[n(4)]
        on_part: Option<OnPart>,
    },
    /// The payer pays at the channel's own page, with what it takes there (网关支付).
    #[n(2)]
    Redirect {
        /// Over which network.
        #[n(0)]
        rail: Rail,
        /// Minor units.
        #[n(1)]
        amount: Minor,
        /// Where the payer's browser goes afterwards; the channel's setting if none.
        #[n(2)]
        return_url: Option<String>,
        /// The word of the rail's further channel; the rail's first if none.
        #[n(3)]
        channel: Option<String>,
    },
    /// The payer's balance with the institution (余额支付): no channel carries it.
    #[n(3)]
    Balance {
        /// The payer's own 2201.
        #[n(0)]
        account: AccountId,
        /// Minor units.
        #[n(1)]
        amount: Minor,
        /// How the payer proved itself.
        #[n(2)]
        factors: Factors,
    },
}

/// What follows where a fund pays a part at once, or nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum OnPart {
    /// The try fails: card and fund go back where they came from.
    #[n(0)]
    Undo,
    /// The card is asked for the shortfall (CONVERT).
    #[n(1)]
    Convert,
}

/// Another network, or another channel of one, over which the same card may pay.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Alternative {
    /// The network.
    #[n(0)]
    pub rail: Rail,
    /// The card's agreement there; a token of class C1.
    #[n(1)]
    pub agreement: String,
    /// The word of the network's further channel; its first if none.
    #[n(2)]
    pub channel: Option<String>,
}

impl Alternative {
    /// The channel.
    #[must_use]
    pub fn channel_name(&self) -> ChannelName {
        ChannelName { rail: self.rail, word: self.channel.clone() }
    }
}

impl Instrument {
    /// Minor units.
    #[must_use]
    pub const fn amount(&self) -> Minor {
        match self {
            Self::Card { amount, .. }
            | Self::Fund { amount, .. }
            | Self::Redirect { amount, .. }
            | Self::Balance { amount, .. } => *amount,
        }
    }

    /// Sets what it pays; 0 for nothing.
    pub(crate) const fn set_amount(&mut self, pays: Minor) {
        match self {
            Self::Card { amount, .. }
            | Self::Fund { amount, .. }
            | Self::Redirect { amount, .. }
            | Self::Balance { amount, .. } => *amount = pays,
        }
    }

    /// How a fund pays by its centre's monthly batch, if it does.
    #[must_use]
    pub const fn monthly(&self) -> Option<&Monthly> {
        match self {
            Self::Fund { monthly, .. } => monthly.as_ref(),
            Self::Card { .. } | Self::Redirect { .. } | Self::Balance { .. } => None,
        }
    }

    /// What follows where a fund pays a part at once, if its centre may.
    #[must_use]
    pub const fn on_part(&self) -> Option<OnPart> {
        match self {
            Self::Fund { on_part, .. } => *on_part,
            Self::Card { .. } | Self::Redirect { .. } | Self::Balance { .. } => None,
        }
    }

    /// Whether the order's card pays what the fund does not (CONVERT).
    #[must_use]
    pub fn converts(&self) -> bool {
        self.on_part() == Some(OnPart::Convert) || self.monthly().is_some_and(|monthly| monthly.converts)
    }

    /// Whether its money goes to the landlord and never comes here.
    #[must_use]
    pub fn pays_directly(&self) -> bool {
        self.monthly().is_some_and(|monthly| monthly.route == FundRoute::Direct)
    }

    /// The way its money comes; none for a balance, whose money is here.
    #[must_use]
    pub const fn rail(&self) -> Option<Rail> {
        match self {
            Self::Card { rail, .. } | Self::Redirect { rail, .. } => Some(*rail),
            Self::Fund { .. } => Some(Rail::Fund),
            Self::Balance { .. } => None,
        }
    }

    /// The channel that its money comes by; none for a balance.
    #[must_use]
    pub fn channel_name(&self) -> Option<ChannelName> {
        let word = match self {
            Self::Card { channel, .. } | Self::Redirect { channel, .. } => channel.clone(),
            Self::Fund { .. } | Self::Balance { .. } => None,
        };
        self.rail().map(|rail| ChannelName { rail, word })
    }

    /// The agreements of a card, at every network over which it may pay.
    pub fn agreements(&self) -> impl Iterator<Item = &String> {
        let (first, others) = match self {
            Self::Card { agreement, alternatives, .. } => (Some(agreement), alternatives.as_slice()),
            Self::Fund { .. } | Self::Redirect { .. } | Self::Balance { .. } => (None, [].as_slice()),
        };
        first.into_iter().chain(others.iter().map(|other| &other.agreement))
    }

    /// Whether it is provident-fund money, which never goes to a card.
    #[must_use]
    pub const fn is_fund(&self) -> bool {
        match self {
            Self::Card { .. } | Self::Redirect { .. } | Self::Balance { .. } => false,
            Self::Fund { .. } => true,
        }
    }

    /// Whether the payer pays at the channel's page.
    #[must_use]
    pub const fn is_redirect(&self) -> bool {
        match self {
            Self::Redirect { .. } => true,
            Self::Card { .. } | Self::Fund { .. } | Self::Balance { .. } => false,
        }
    }

    /// Whether it is paid from the payer's balance.
    #[must_use]
    pub const fn is_balance(&self) -> bool {
        match self {
            Self::Balance { .. } => true,
            Self::Card { .. } | Self::Fund { .. } | Self::Redirect { .. } => false,
        }
    }
}

/// Where a leg stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum LegStatus {
    /// Not asked for yet.
    #[n(0)]
    Created,
    /// Asked for.
    #[n(1)]
    Sent,
    /// The centre holds the money.
    #[n(2)]
    Held,
    /// The money is ours to pass on; of a fund that pays the landlord directly: the landlord has it.
    #[n(3)]
    Captured,
    /// It did not come.
    #[n(4)]
    Failed,
    /// The channel did not say.
    #[n(5)]
    Unknown,
    /// What was held is free again.
    #[n(6)]
    Released,
    /// What came went back.
    #[n(7)]
    Reversed,
}

impl LegStatus {
    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Sent => "sent",
            Self::Held => "held",
            Self::Captured => "captured",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Released => "released",
            Self::Reversed => "reversed",
        }
    }
}

/// One instrument's share of a try.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Leg {
    /// Its id.
    #[n(0)]
    pub id: LegId,
    /// The order.
    #[n(1)]
    pub order: OrderId,
    /// The order's try, from 1.
    #[n(2)]
    pub try_number: u8,
    /// What pays.
    #[n(3)]
    pub instrument: Instrument,
    /// Its currency.
    #[n(4)]
    pub currency: Currency,
    /// Where it stands.
    #[n(5)]
    pub status: LegStatus,
    /// The attempt whose answer it waits for; its operation says which step it is.
    #[n(6)]
    pub open: Option<AttemptId>,
    /// The attempt that held the money.
    #[n(7)]
    pub held_by: Option<AttemptId>,
    /// The attempt that brought the money: what a refund names to the channel. None for a balance.
    #[n(8)]
    pub captured_by: Option<AttemptId>,
    /// How often a capture was asked for.
    #[n(9)]
    pub captures: u8,
    /// Whose failure it was.
    #[n(10)]
    pub failure: Option<FailureClass>,
    /// Its money lies where only a person can move it: on 2205, or held at a centre that will not release it.
    #[n(11)]
    pub needs_person: bool,
    /// The clearing date that the network named.
    #[n(12)]
    pub clearing_date: Option<Date>,
    /// The clearing file's date that it was matched in; of what no file has (a balance, a fund paid directly) the day it was paid.
    #[n(13)]
    pub cleared: Option<Date>,
    /// Refunded, or on its way back.
    #[n(14)]
    pub refunded: Minor,
    /// What the undo put on its way, to be turned if it fails.
    #[n(15)]
    pub undo: Option<VoucherId>,
    /// Charged back by the payer's bank, or about to be.
    #[n(16)]
    #[cbor(default)]
    pub charged_back: Minor,
    /// Nobody paid at the page before it expired, or before its order was closed.
    #[n(17)]
    #[cbor(default)]
    pub expired: bool,
    /// The approval by which two people settled by hand what its channel refused, see [`task`](crate::task).
    #[n(18)]
    pub settled_by: Option<ApprovalId>,
    /// What of `refunded` its channel carried out after it had failed, and was taken again from whoever gives it.
    #[n(19)]
    #[cbor(default, skip_if = "crate::fee_plan::is_default")]
    pub taken_again: Minor,
    /// What its channel gave back besides what was to go back, and nobody has settled, in minor units (level 15).
    #[n(20)]
    #[cbor(default, skip_if = "crate::fee_plan::is_default")]
    pub claimed: Minor,
}

impl Leaves for Leg {
    /// Whether it waits for no channel, no clearing file and no person. It may be refunded or charged back still.
    fn is_closed(&self) -> bool {
        let ended = match self.status {
            LegStatus::Created | LegStatus::Sent | LegStatus::Held | LegStatus::Unknown => false,
            LegStatus::Captured | LegStatus::Failed | LegStatus::Released | LegStatus::Reversed => true,
        };
        ended && self.open.is_none() && !self.needs_person && (self.captured_by.is_none() || self.cleared.is_some())
    }
}

impl Leg {
    /// Minor units.
    #[must_use]
    pub const fn amount(&self) -> Minor {
        self.instrument.amount()
    }

    /// What waits for a person, if anything does, in minor units: what its bank owes, which may be its amount several times, else its
    /// amount. A bank's debt of before level 15 is its amount, too.
    #[must_use]
    pub const fn waiting(&self) -> Minor {
        if self.claimed > 0 { self.claimed } else { self.amount() }
    }

    /// What of it can still go back: neither refunded nor charged back.
    #[must_use]
    pub fn refundable(&self) -> Minor {
        // What the landlord was paid directly is not here to be given back.
        if self.instrument.pays_directly() {
            return 0;
        }
        self.amount().saturating_sub(self.refunded).saturating_sub(self.charged_back)
    }

    /// What went back of it, or is on its way, but for what was taken again: that was asked for before it failed, and replaces nothing.
    pub(crate) const fn asked_back(&self) -> Minor {
        self.refunded.saturating_sub(self.taken_again)
    }

    pub(crate) fn business(&self) -> BusinessNumber {
        BusinessNumber::object(BusinessKind::Leg, self.id.0)
    }
}

impl State {
    /// The leg.
    ///
    /// # Errors
    /// `leg_unknown`.
    pub fn leg(&self, id: LegId) -> Result<&Leg, Refusal> {
        let unknown = || Refusal::new(RefusalCode::LegUnknown, "leg", format!("there is no leg {id}"));
        self.legs.get(id.0).ok_or_else(unknown)
    }

    /// The legs of one try of an order.
    pub fn legs_of<'a>(&'a self, order: &'a Order, try_number: u8) -> impl Iterator<Item = &'a Leg> {
        order.legs.iter().filter_map(|id| self.legs.get(id.0)).filter(move |leg| leg.try_number == try_number)
    }
}
