//! What the messages of a channel prove.

use domain::attempt::{FailureClass, Outcome};
use domain::calendar::Date;
use domain::money::{Currency, Minor};

use crate::manifest::OperationKind;

/// What a response proves about an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Done.
    Success {
        /// The channel's own reference.
        reference: String,
        /// The network's clearing date.
        clearing_date: Date,
        /// What was done, in minor units, where it is less than was asked for: only of a manifest that says
        /// [`in_part`](crate::Manifest::in_part).
        part: Option<Minor>,
    },
    /// Taken, and not finished: query later.
    Pending,
    /// Refused for good.
    Declined {
        /// Whose failure.
        class: FailureClass,
        /// The channel's code.
        code: String,
    },
    /// A page for payers has ended before anybody paid, and nobody can any more (关单): the last word.
    Closed,
    /// The channel has not seen the serial number. Conclusive only after `send_before` and the settling delay.
    NotFound,
    /// It proves nothing: not understood, or "duplicate serial number".
    Unknown,
    /// It is not believed. It settles no more than [`Self::Unknown`], and somebody is to look.
    Disbelieved(Doubt),
}

/// Why an answer is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// The channel did not sign it, or not for this question.
    Unsigned,
    /// It is signed, and about another operation, amount or institution than what was asked.
    Foreign,
}

impl Doubt {
    /// The name in metrics and in the log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unsigned => "unsigned",
            Self::Foreign => "foreign",
        }
    }
}

impl Answer {
    pub(crate) const UNSIGNED: Self = Self::Disbelieved(Doubt::Unsigned);
    pub(crate) const FOREIGN: Self = Self::Disbelieved(Doubt::Foreign);

    /// What the domain is told: what is pending is not known yet.
    #[must_use]
    pub fn outcome(self) -> Outcome {
        match self {
            Self::Success { reference, clearing_date, part } => Outcome::Success { reference, clearing_date, part },
            Self::Declined { class, code } => Outcome::Declined { class, code },
            Self::Closed | Self::NotFound => Outcome::NotFound,
            Self::Pending | Self::Unknown | Self::Disbelieved(_) => Outcome::Unknown,
        }
    }
}

/// A payment that came back after it had succeeded (退票). The payment stays a success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Return {
    /// The payment's serial number.
    pub serial: String,
    /// Minor units, the whole payment.
    pub amount: Minor,
    /// Its currency.
    pub currency: Currency,
    /// The clearing date on which it came back.
    pub return_date: Date,
    /// The channel's reference of the return: the same return listed again has the same one.
    pub reference: String,
    /// Why, in the channel's code.
    pub code: String,
}

/// What a channel tells of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// The channel's id of it: the same one twice is the same event.
    pub id: String,
    /// The operation's serial number.
    pub serial: String,
    /// What happened.
    pub event: Notified,
}

/// What a notification is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notified {
    /// An operation has its answer. Whoever believes it compares kind and amount with what was asked.
    Answered {
        /// Success or declined.
        answer: Answer,
        /// What was done.
        kind: OperationKind,
        /// Minor units.
        amount: Minor,
        /// Its currency.
        currency: Currency,
    },
    /// A payment came back.
    Returned(Return),
}
