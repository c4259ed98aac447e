//! Signing an agreement (协议支付签约): the holder of an account lets the institution debit it, by a code on the phone that the
//! bank knows.
//!
//! ```text
//!  build_sign_up ─► the bank compares account, name, certificate and phone, and sends a code ─► CodeSent
//!  build_confirmation, with the code ─► Signed: the number under which debits are asked for
//! ```
//! No money moves, so nothing is lost by an answer that does not come: the holder asks for another code under another number.

use ark::Secret;
use domain::attempt::FailureClass;
use domain::envelope::Time;
use domain::sealed::Sealed;

use crate::channel::Open;
use crate::error::ChannelError;
use crate::message::is_digits;

/// Who wants to sign, with what the bank compares (四要素).
#[derive(Debug, Clone, Copy)]
pub struct SignUp<'a> {
    /// A serial number as an operation has, of its own.
    pub serial: &'a str,
    /// When it was asked for.
    pub requested_at: Time,
    /// The bank's interbank number (联行号), 12 digits.
    pub bank: &'a str,
    /// Whether it is a credit card.
    pub credit: bool,
    /// The account's number.
    pub account: &'a Sealed,
    /// The holder's name.
    pub name: &'a Sealed,
    /// The number of the holder's identity card.
    pub certificate: &'a Sealed,
    /// The phone that the bank knows.
    pub phone: &'a Sealed,
}

/// What the bank compares, in readable form.
pub(crate) struct Readable {
    pub(crate) account: Secret,
    pub(crate) name: Secret,
    pub(crate) certificate: Secret,
    pub(crate) phone: Secret,
}

impl SignUp<'_> {
    /// Opens what the bank compares.
    ///
    /// # Errors
    /// [`ChannelError::Subject`] for a bank that has no such number; [`ChannelError::Opening`].
    pub(crate) fn opened(&self, channel: &'static str, open: Open<'_>) -> Result<Readable, ChannelError> {
        if !is_digits(12)(self.bank) {
            return Err(ChannelError::Subject { channel, field: "bank", reason: "an interbank number is 12 digits" });
        }
        let opened = |field, sealed| open(sealed).map_err(|source| ChannelError::Opening { field, source });
        let (account, name) = (opened("account", self.account)?, opened("name", self.name)?);
        let (certificate, phone) = (opened("certificate", self.certificate)?, opened("phone", self.phone)?);
        Ok(Readable { account, name, certificate, phone })
    }
}

/// What an answer says of it.
#[derive(Clone, PartialEq, Eq)]
pub enum SignedUp {
    /// The phone was sent a code.
    CodeSent,
    /// The agreement stands.
    Signed {
        /// Its number at the channel.
        agreement: String,
    },
    /// Refused; to a code: another one is wanted.
    Refused {
        /// Whose refusal.
        class: FailureClass,
        /// The channel's code.
        code: String,
    },
    /// It proves nothing.
    Unknown,
}

/// An agreement's number is as good as the account's: it is not shown.
impl std::fmt::Debug for SignedUp {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::CodeSent => formatter.write_str("CodeSent"),
            Self::Signed { .. } => formatter.write_str("Signed"),
            Self::Refused { class, code } => write!(formatter, "Refused({}, {code})", class.name()),
            Self::Unknown => formatter.write_str("Unknown"),
        }
    }
}

/// Whether a code may be one: 4 to 8 digits.
pub(crate) fn is_code(code: &Secret) -> bool {
    let text = code.expose();
    (4..=8).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}
