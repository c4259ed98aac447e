//! Faults that are planted on purpose, to show that the checks find what they are for.

/// A fault of the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// After a start, one attempt of the outbox is not carried on.
    LostOutbox,
    /// Recovery folds the journal's last row into the state twice.
    DoubleApply,
    /// A balance that leaves the range of 64 bits wraps. It lies in `domain`, behind its feature `planted-faults`, which
    /// only tests have, and in books whose institution bears the name of [`PLANTED_OVERFLOW`](crate::PLANTED_OVERFLOW).
    UncheckedOverflow,
    /// Answers pass the gate before they are durable.
    EarlyReply,
    /// Reads pass the gate before what they saw is durable.
    EarlyRead,
    /// What got no answer is sent again under a new serial.
    ResendNewSerial,
    /// Recovery forgets which keys were used.
    ForgottenKeys,
    /// A "not found" is believed although the request may still be on its way.
    EarlyNotFound,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 8] = [
        Self::LostOutbox,
        Self::DoubleApply,
        Self::UncheckedOverflow,
        Self::EarlyReply,
        Self::EarlyRead,
        Self::ResendNewSerial,
        Self::ForgottenKeys,
        Self::EarlyNotFound,
    ];

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LostOutbox => "lost-outbox",
            Self::DoubleApply => "double-apply",
            Self::UncheckedOverflow => "unchecked-overflow",
            Self::EarlyReply => "early-reply",
            Self::EarlyRead => "early-read",
            Self::ResendNewSerial => "resend-new-serial",
            Self::ForgottenKeys => "forgotten-keys",
            Self::EarlyNotFound => "early-not-found",
        }
    }

    /// The fault of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.name() == name)
    }
}
