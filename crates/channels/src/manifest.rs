//! What a channel says of itself: its operations, limits and settings. What is not here fails before it is sent.

use domain::attempt::{Operation, Rail};
use domain::money::{Currency, Minor};

use crate::channel::About;
use crate::error::ChannelError;

/// An operation without its amounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OperationKind {
    /// [`Operation::Debit`].
    Debit,
    /// [`Operation::Refund`].
    Refund,
    /// [`Operation::Pay`].
    Pay,
    /// [`Operation::FundHold`].
    FundHold,
    /// [`Operation::FundCapture`].
    FundCapture,
    /// [`Operation::FundRelease`].
    FundRelease,
    /// [`Operation::FundBatch`]: no request of its own carries it, so no manifest names it.
    FundBatch,
    /// [`Operation::Redirect`].
    Redirect,
}

impl OperationKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Debit,
        Self::Refund,
        Self::Pay,
        Self::FundHold,
        Self::FundCapture,
        Self::FundRelease,
        Self::FundBatch,
        Self::Redirect,
    ];

    /// The kind of an operation.
    #[must_use]
    pub const fn of(operation: &Operation) -> Self {
        match operation {
            Operation::Debit { .. } => Self::Debit,
            Operation::Refund { .. } => Self::Refund,
            Operation::Pay { .. } => Self::Pay,
            Operation::FundHold { .. } => Self::FundHold,
            Operation::FundCapture { .. } => Self::FundCapture,
            Operation::FundRelease { .. } => Self::FundRelease,
            Operation::FundBatch { .. } => Self::FundBatch,
            Operation::Redirect { .. } => Self::Redirect,
        }
    }

    /// The name in logs, metrics and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Debit => "debit",
            Self::Refund => "refund",
            Self::Pay => "pay",
            Self::FundHold => "hold",
            Self::FundCapture => "capture",
            Self::FundRelease => "release",
            Self::FundBatch => "batch",
            Self::Redirect => "redirect",
        }
    }

    /// The kind of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// One operation that a channel carries out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Supported {
    /// Which.
    pub kind: OperationKind,
    /// Whether the same serial number sent twice is done once: only then may identical bytes be sent again.
    pub idempotent: bool,
    /// The largest amount of one operation, in minor units.
    pub amount_max: Minor,
}

/// One setting of a channel's configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Its name.
    pub name: &'static str,
    /// Whether its value is kept out of logs and of `--help`.
    pub secret: bool,
    /// What it is and which form it has.
    pub doc: &'static str,
}

impl Setting {
    pub(crate) const fn open(name: &'static str, doc: &'static str) -> Self {
        Self { name, secret: false, doc }
    }

    pub(crate) const fn secret(name: &'static str, doc: &'static str) -> Self {
        Self { name, secret: true, doc }
    }
}

/// What a channel can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The name in the registry; one instance is one name on one rail.
    pub name: &'static str,
    /// The way its money travels.
    pub rail: Rail,
    /// The operations it carries out.
    pub operations: &'static [Supported],
    /// The currencies it takes.
    pub currencies: &'static [Currency],
    /// How long after `send_before` a request may still turn up there: only later is "not found" the last word.
    pub settle_delay_ms: i64,
    /// Whether its clearing file is read over this interface.
    pub statement: bool,
    /// Whether it lists the payments that came back: else it only tells of each.
    pub lists_returns: bool,
    /// Whether it tells of itself what became of an operation.
    pub notifies: bool,
    /// Whether a fund may hold, capture or debit less than it was asked for, and says how much. Where it may not, a success of another
    /// amount is not believed; one of more never is.
    pub in_part: bool,
    /// Whether agreements are signed over this interface, with a code by SMS.
    pub sign_ups: bool,
    /// Whether a person's real name is checked over this interface, without an agreement.
    pub real_name_checks: bool,
    /// Its settings.
    pub settings: &'static [Setting],
}

impl Manifest {
    /// What it says of a kind, if it carries it out.
    #[must_use]
    pub fn supported(&self, kind: OperationKind) -> Option<&Supported> {
        self.operations.iter().find(|supported| supported.kind == kind)
    }

    /// Whether `done` is a part of an operation of `asked` that the channel may do in part: what the books take in part too.
    #[must_use]
    pub fn takes_part(&self, kind: OperationKind, asked: Minor, done: Minor) -> bool {
        let in_part = match kind {
            OperationKind::FundHold | OperationKind::FundCapture | OperationKind::Debit => true,
            OperationKind::Refund
            | OperationKind::Pay
            | OperationKind::FundRelease
            | OperationKind::FundBatch
            | OperationKind::Redirect => false,
        };
        self.in_part && in_part && (1..asked).contains(&done)
    }

    /// Refuses a kind that the channel does not carry out. Queries need no more: limits may have changed since.
    pub(crate) fn knows(&self, kind: OperationKind) -> Result<&Supported, ChannelError> {
        self.supported(kind).ok_or(ChannelError::Unsupported { channel: self.name, kind })
    }

    /// Refuses what the channel does not carry out.
    pub(crate) fn admit(&self, about: &About<'_>) -> Result<OperationKind, ChannelError> {
        let (channel, kind, amount, currency) = (self.name, about.kind, about.amount, about.currency);
        let supported = self.knows(kind)?;
        if !self.currencies.contains(&currency) {
            return Err(ChannelError::Currency { channel, currency: currency.code() });
        }
        if amount < 1 || amount > supported.amount_max {
            return Err(ChannelError::Limit { channel, kind, amount, max: supported.amount_max });
        }
        Ok(kind)
    }
}
