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

use crate::real_name::RealName;

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

impl<'a> SignUp<'a> {
    /// What the bank compares of it.
    pub(crate) fn elements(&self) -> RealName<'a> {
        let Self { serial, requested_at, bank, credit, account, name, certificate, phone } = *self;
        RealName { serial, requested_at, bank, credit, account, name, certificate, phone: Some(phone) }
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
