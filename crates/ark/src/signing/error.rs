//! Why a signed message is refused.

use super::{SKEW_MAX_SECONDS, scheme::SCHEMES};

/// Why a signed message is refused. What the caller sent is not repeated: it may be a secret in the wrong place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SigningError {
    /// Another scheme, or none.
    #[error("the Authorization header must begin with {SCHEMES} and a space")]
    Scheme,
    /// A scheme that does not fit the key: a shared secret for a signature of a pair, or the other way round.
    #[error("`serial_no` names a key of another scheme than the one the Authorization header begins with")]
    OtherScheme,
    /// Something else than `name="value"` between the commas.
    #[error("the Authorization header must be `SCHEME name=\"value\",…`: each value in double quotes, commas between")]
    Malformed,
    /// A parameter beyond the five.
    #[error("the Authorization header has a parameter that is none of mch_id, nonce, timestamp, serial_no, signature")]
    Unknown,
    /// A parameter is not there.
    #[error("the Authorization header lacks `{parameter}`")]
    Missing {
        /// Which one.
        parameter: &'static str,
    },
    /// A parameter is there twice.
    #[error("the Authorization header has `{parameter}` twice; give it once")]
    Twice {
        /// Which one.
        parameter: &'static str,
    },
    /// A value in another form.
    #[error("`{parameter}` must be {expected}")]
    Value {
        /// Which one.
        parameter: &'static str,
        /// Its right form.
        expected: &'static str,
    },
    /// Signed too long ago or in the future.
    #[error(
        "`timestamp` {timestamp} is more than {SKEW_MAX_SECONDS} seconds from this server's clock, {now}; set the \
         clock and sign again"
    )]
    Stale {
        /// Seconds since 1970 in the message.
        timestamp: u64,
        /// Seconds since 1970 on the verifier's clock.
        now: u64,
    },
    /// The signature is another message's or another key's.
    #[error(
        "`signature` does not fit: check that the string to sign has the path with its query and the body byte for \
         byte as sent, and that `serial_no` names the key that signed"
    )]
    Mismatch,
}

impl SigningError {
    /// Its stable code in the API.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Scheme
            | Self::Malformed
            | Self::Unknown
            | Self::Missing { .. }
            | Self::Twice { .. }
            | Self::Value { .. }
            | Self::OtherScheme => "signature_malformed",
            Self::Stale { .. } => "signature_stale",
            Self::Mismatch => "signature_mismatch",
        }
    }

    /// The parameter at fault.
    #[must_use]
    pub const fn parameter(self) -> &'static str {
        match self {
            Self::Scheme | Self::Malformed | Self::Unknown => "Authorization",
            Self::OtherScheme => "serial_no",
            Self::Missing { parameter } | Self::Twice { parameter } | Self::Value { parameter, .. } => parameter,
            Self::Stale { .. } => "timestamp",
            Self::Mismatch => "signature",
        }
    }
}
