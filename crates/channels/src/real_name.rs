//! A real-name check (实名核验): a bank says whether name, certificate, card and phone are one person's. Nobody signs anything.
//!
//! ```text
//!  build_real_name ─► the bank compares three or four elements ─► Matched │ Refused │ Pending, Unknown
//!  no answer, or pending ─ build_real_name_query ─► the same │ NotFound
//! ```
//! No money moves, but it may cost, and a bank may count it: it is sent once, and asked about until it has an end.

use ark::Secret;
use domain::attempt::FailureClass;
use domain::envelope::Time;
use domain::sealed::Sealed;

use crate::channel::{Open, opened};
use crate::error::ChannelError;
use crate::message::is_digits;

/// Who is checked, with what the bank compares: three elements (三要素), or four (四要素) with the phone.
#[derive(Debug, Clone, Copy)]
pub struct RealName<'a> {
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
    /// The phone that the bank knows, if it is compared too.
    pub phone: Option<&'a Sealed>,
}

/// The elements in readable form.
pub(crate) struct Readable {
    pub(crate) account: Secret,
    pub(crate) name: Secret,
    pub(crate) certificate: Secret,
    pub(crate) phone: Option<Secret>,
}

impl RealName<'_> {
    /// Opens what the bank compares.
    pub(crate) fn opened(&self, channel: &'static str, open: Open<'_>) -> Result<Readable, ChannelError> {
        if !is_digits(12)(self.bank) {
            return Err(ChannelError::Subject { channel, field: "bank", reason: "an interbank number is 12 digits" });
        }
        Ok(Readable {
            account: opened(open, "account", self.account)?,
            name: opened(open, "name", self.name)?,
            certificate: opened(open, "certificate", self.certificate)?,
            phone: self.phone.map(|phone| opened(open, "phone", phone)).transpose()?,
        })
    }
}

impl Readable {
    /// Them as fields of a message, under the names of bank, card's kind and number, name, certificate's kind and number, and phone;
    /// with the words for a debit and a credit card, and for an identity card.
    pub(crate) fn fields<'a>(
        &'a self,
        who: &RealName<'a>,
        names: [&'a str; 7],
        (kinds, identity_card): ([&'a str; 2], &'a str),
    ) -> Vec<(&'a str, &'a str)> {
        let values = [
            who.bank,
            kinds[usize::from(who.credit)],
            self.account.expose(),
            self.name.expose(),
            identity_card,
            self.certificate.expose(),
        ];
        names.into_iter().zip(values.into_iter().chain(self.phone.as_ref().map(Secret::expose))).collect()
    }
}

/// What an answer says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RealNameSaid {
    /// The elements are one person's.
    Matched,
    /// Refused; of class USER: they are not.
    Refused {
        /// Whose refusal.
        class: FailureClass,
        /// The channel's code.
        code: String,
    },
    /// The bank has not compared yet.
    Pending,
    /// The channel has no such check. It is the last word only where nothing can be on its way any more.
    NotFound,
    /// It proves nothing.
    Unknown,
}
