//! Why a channel could not be asked, or why a message of it is not believed. No message carries a personal field.

use domain::money::Minor;

use crate::manifest::OperationKind;

/// A request that cannot be built or a message that is not believed. Nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// The operation is not in the manifest.
    #[error("channel {channel} does not {}; route it to one that does", kind.name())]
    Unsupported {
        /// The channel.
        channel: &'static str,
        /// What was asked.
        kind: OperationKind,
    },

    /// The amount is outside the channel's limits.
    #[error("{amount} is outside what channel {channel} takes in one {}: 1 to {max} minor units", kind.name())]
    Limit {
        /// The channel.
        channel: &'static str,
        /// What was asked.
        kind: OperationKind,
        /// The amount.
        amount: Minor,
        /// The largest the manifest allows.
        max: Minor,
    },

    /// The channel does not take the currency.
    #[error("channel {channel} does not take {currency}")]
    Currency {
        /// The channel.
        channel: &'static str,
        /// The currency's code.
        currency: &'static str,
    },

    /// Not a serial number.
    #[error("'{0:.40}' is not a serial number of 31 digits")]
    Serial(String),

    /// Not a nonce.
    #[error("a nonce is 16 to 64 letters, digits, `_` or `-`; this one of {0} bytes is not")]
    Nonce(usize),

    /// What an operation refers to has another form than the channel takes.
    #[error("channel {channel} cannot take this {field}: {reason}")]
    Subject {
        /// The channel.
        channel: &'static str,
        /// Which field.
        field: &'static str,
        /// What would be right.
        reason: &'static str,
    },

    /// No clearing file of the channel is read over this interface.
    #[error("no clearing file of channel {channel} is read over this interface; bring its lines by POST /v1/clearing")]
    NoStatement {
        /// The channel.
        channel: &'static str,
    },

    /// No provident-fund centre that pays by monthly batches is behind the channel.
    #[error(
        "channel {channel} takes no monthly batches; batches go to a provident fund's centre, over a channel of the rail fund"
    )]
    NoBatch {
        /// The channel.
        channel: &'static str,
    },

    /// The channel signs no agreements over this interface.
    #[error(
        "channel {channel} signs no agreements over this interface; have them signed where the channel says, and name their numbers"
    )]
    NoSignUp {
        /// The channel.
        channel: &'static str,
    },

    /// The channel checks no real names over this interface.
    #[error(
        "channel {channel} checks no real names over this interface; route the check to one that does, or have a card signed"
    )]
    NoRealNameCheck {
        /// The channel.
        channel: &'static str,
    },

    /// A personal field could not be opened.
    #[error("the {field} of the payee cannot be opened")]
    Opening {
        /// Which field.
        field: &'static str,
        /// Why.
        source: ark::Error,
    },

    /// The key service cannot use the key that is shared with the channel, now: it is sealed, or the key is not there yet.
    #[error("channel {channel} cannot use its key `{name}`: {source}")]
    Key {
        /// The channel.
        channel: &'static str,
        /// The key's name.
        name: String,
        /// Why not.
        source: Box<ark::keys::Error>,
    },

    /// A setting is missing or wrong. The value is not repeated: it may be a key.
    #[error("channel {channel}, setting '{setting}': {reason}")]
    Config {
        /// The channel.
        channel: &'static str,
        /// The setting.
        setting: String,
        /// What would be right.
        reason: String,
    },

    /// No channel has the name.
    #[error("there is no channel '{name:.40}'; known are {known}")]
    Unregistered {
        /// The name.
        name: String,
        /// Every name there is.
        known: String,
    },

    /// The message is not signed by the channel.
    #[error("the {what} of channel {channel} does not carry the channel's signature")]
    Signature {
        /// The channel.
        channel: &'static str,
        /// What kind of message.
        what: &'static str,
    },

    /// The message is signed, but is not what it should be.
    #[error("the {what} of channel {channel}, {place}: {reason}")]
    Format {
        /// The channel.
        channel: &'static str,
        /// What kind of message.
        what: &'static str,
        /// Where in it.
        place: String,
        /// What would be right.
        reason: String,
    },

    /// Parts of a clearing file that do not make one.
    #[error("the parts of the clearing file do not fit together: {0}")]
    Incomplete(String),
}

impl ChannelError {
    /// A message that is signed, and not in its form.
    pub(crate) fn format(channel: &'static str, what: &'static str, place: &str, reason: &str) -> Self {
        Self::Format { channel, what, place: place.to_owned(), reason: reason.to_owned() }
    }

    /// A code that never changes its meaning. Where `build` fails and the attempt cannot have been sent before, the
    /// executor reports it as the code of a decline of class SYSTEM.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unsupported { .. } => "channel_unsupported",
            Self::Limit { .. } => "channel_limit",
            Self::Currency { .. } => "channel_currency",
            Self::Serial(_) => "channel_serial",
            Self::Nonce(_) => "channel_nonce",
            Self::Subject { .. } => "channel_subject",
            Self::NoStatement { .. } => "channel_no_statement",
            Self::NoBatch { .. } => "channel_no_batch",
            Self::NoSignUp { .. } => "channel_no_sign_up",
            Self::NoRealNameCheck { .. } => "channel_no_real_name_check",
            Self::Opening { .. } => "channel_opening",
            Self::Key { .. } => "channel_key",
            Self::Config { .. } => "channel_config",
            Self::Unregistered { .. } => "channel_unregistered",
            Self::Signature { .. } => "channel_signature",
            Self::Format { .. } => "channel_format",
            Self::Incomplete(_) => "channel_incomplete",
        }
    }

    /// What the key service said, if it was that: it may pass, so what was to be done waits as for a bank out of reach.
    #[must_use]
    pub fn of_keys(&self) -> Option<&ark::keys::Error> {
        match self {
            Self::Key { source, .. } => Some(source.as_ref()),
            Self::Opening { source, .. } => source.of_keys(),
            Self::Unsupported { .. }
            | Self::Limit { .. }
            | Self::Currency { .. }
            | Self::Serial(_)
            | Self::Nonce(_)
            | Self::Subject { .. }
            | Self::NoStatement { .. }
            | Self::NoBatch { .. }
            | Self::NoSignUp { .. }
            | Self::NoRealNameCheck { .. }
            | Self::Config { .. }
            | Self::Unregistered { .. }
            | Self::Signature { .. }
            | Self::Format { .. }
            | Self::Incomplete(_) => None,
        }
    }
}
