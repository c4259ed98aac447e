//! The boundary to a card network: what goes out, what comes back, and under which names.
//!
//! ```text
//!  switch, forward ─ Outgoing ─► CardNetwork::exchange ─► Answered: the answer of this request and no other, its MAC checked
//!                                                      ├► NotSent: not a byte of it left this process
//!                                                      └► Unanswered: it may have arrived; only a reversal says more
//! ```
//!
//! What names a transaction on the link follows from its row in the books alone ([`Identity`]): after a restart its
//! reversal names it the same way, and an answer that comes late is known by it.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use domain::calendar::Date;
use domain::card_transaction::{CardAnswer, CardTransaction};
use domain::envelope::Time;
use zeroize::Zeroizing;

use super::moment::local;

/// A trace (F11) is one of so many.
const TRACES: u64 = 999_999;

/// Field 39 of an answer that is a yes. All but 00 are a yes with a remark: an important customer, a track to be renewed, a
/// yes that stands in for the issuer's [known].
const YES: [&str; 7] = ["00", "11", "16", "A2", "A4", "A5", "A6"];

/// A yes to a part of the amount, which nobody asked for: it is taken back as if no answer had come.
const PARTIAL: &str = "10";

/// The way to a card network.
pub(crate) trait CardNetwork: Send + Sync + 'static {
    /// Sends one request and waits for its answer, at most as long as it says.
    ///
    /// Adds fields 7, 11, 32, 33, 37 and 128, and the header. Never sends anything twice.
    fn exchange(&self, request: Outgoing) -> impl Future<Output = Exchange> + Send;

    /// The zone's PIN key in the key service, by name: a PIN is translated into its current version.
    fn pin_key(&self) -> &str;

    /// The zone's key for tracks in the key service, by name; `None` where tracks go out readable.
    fn track_key(&self) -> Option<&str>;

    /// The institution's code there: acquirer and forwarder of all messages (F32, F33), in F90 too.
    fn member(&self) -> &str;
}

/// What names a transaction on the link, apart from acquirer and forwarder (F32, F33).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Identity {
    /// F7, MMDDhhmmss of Shanghai: when it was asked for.
    pub(crate) sent_at: [u8; 10],
    /// F11.
    pub(crate) trace: [u8; 6],
    /// F37.
    pub(crate) reference: [u8; 12],
}

impl Identity {
    /// The identity of a transaction: of this one alone among a million in the same second.
    pub(crate) fn of(transaction: &CardTransaction) -> Self {
        Self {
            sent_at: sent_at(transaction.requested_at),
            trace: trace(transaction.id.0),
            reference: digits(&transaction.reference()),
        }
    }
}

/// F11 of a running number.
fn trace(number: u64) -> [u8; 6] {
    digits(&format!("{:06}", number % TRACES + 1))
}

/// The traces of messages that no transaction names: those about a link itself, and reversals.
#[derive(Debug)]
pub(crate) struct Traces(AtomicU64);

impl Traces {
    /// Two runs within a second are not to use the same.
    pub(crate) fn new(now: Time) -> Self {
        Self(AtomicU64::new(now.0.unsigned_abs() % TRACES))
    }

    /// The next.
    pub(crate) fn next(&self) -> [u8; 6] {
        trace(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

/// F7 of a moment: MMDDhhmmss of Shanghai.
pub(crate) fn sent_at(moment: Time) -> [u8; 10] {
    let (day, time) = local(moment);
    digits(&[day, time].concat())
}

/// Digits of a length that is known.
pub(crate) fn digits<const N: usize>(text: &str) -> [u8; N] {
    text.as_bytes().first_chunk().copied().unwrap_or([b'0'; N])
}

/// Fields of a host-link message, each without its encoding: digits and text in ASCII, bytes as they are. They are wiped when
/// they go.
#[derive(Clone, Default)]
pub(crate) struct Fields(Vec<(u8, Zeroizing<Vec<u8>>)>);

impl Fields {
    /// Sets a field, in place of what it held.
    pub(crate) fn set(&mut self, number: u8, content: impl Into<Vec<u8>>) -> &mut Self {
        self.0.retain(|(known, _)| *known != number);
        self.0.push((number, Zeroizing::new(content.into())));
        self
    }

    /// A field.
    pub(crate) fn get(&self, number: u8) -> Option<&[u8]> {
        self.0.iter().find(|(known, _)| *known == number).map(|(_, content)| content.as_slice())
    }

    /// A field of digits or text.
    pub(crate) fn text(&self, number: u8) -> Option<&str> {
        self.get(number).and_then(|content| std::str::from_utf8(content).ok())
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u8, &[u8])> {
        self.0.iter().map(|(number, content)| (*number, content.as_slice()))
    }
}

/// Numbers of fields, and no content.
impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.iter().map(|(number, _)| number)).finish()
    }
}

/// A request to the network.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    /// `0100`, `0200`, `0220`, `0420`, …
    pub(crate) mti: [u8; 4],
    /// What names it.
    pub(crate) identity: Identity,
    /// All fields but 7, 11, 32, 33, 37 and 128.
    pub(crate) fields: Fields,
    /// How long an answer is waited for.
    pub(crate) timeout: Duration,
}

/// An answer whose MAC was right.
#[derive(Debug, Clone)]
pub(crate) struct Answered {
    /// All its fields.
    pub(crate) fields: Fields,
}

impl Answered {
    /// F39; nothing reads as a format error (30).
    pub(crate) fn code(&self) -> &str {
        self.fields.text(39).unwrap_or("30")
    }

    /// Whether it is a yes to all that was asked for.
    pub(crate) fn is_yes(&self) -> bool {
        YES.contains(&self.code())
    }

    /// What the books are told. `today` completes the clearing date (F15), of which the network says month and day.
    pub(crate) fn for_the_books(&self, today: Date) -> CardAnswer {
        if self.is_yes() {
            let authorisation = self.fields.text(38).map(str::trim_end).filter(|code| !code.is_empty());
            let clearing_date = self.fields.text(15).and_then(|day| nearest(day, today)).unwrap_or(today);
            return CardAnswer::Approved { authorisation: authorisation.map(ToOwned::to_owned), clearing_date };
        }
        match self.code() {
            PARTIAL => CardAnswer::NotAnswered,
            code => CardAnswer::Declined { code: code.to_owned() },
        }
    }
}

/// The date of a month and a day (MMDD) that is nearest to today.
fn nearest(day: &str, today: Date) -> Option<Date> {
    let (month, day) = (day.get(..2)?.parse().ok()?, day.get(2..4)?.parse().ok()?);
    let years = [today.year() - 1, today.year(), today.year() + 1];
    let far = |date: &Date| date.starts_at().0.abs_diff(today.starts_at().0);
    years.into_iter().filter_map(|year| Date::new(year, month, day)).min_by_key(far)
}

/// What came of a request.
#[derive(Debug, Clone)]
pub(crate) enum Exchange {
    /// The network answered.
    Answered(Answered),
    /// Not a byte of it left this process: it may be declined, or tried again.
    NotSent {
        /// Why, for metrics and logs.
        reason: &'static str,
    },
    /// No answer in time: the network may have it or not.
    Unanswered,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(fields: &[(u8, &str)]) -> Answered {
        let mut told = Fields::default();
        for (number, content) in fields {
            told.set(*number, *content);
        }
        Answered { fields: told }
    }

    #[test]
    fn what_the_books_are_told_follows_from_field_39() {
        let today = Date::new(2027, 1, 1).unwrap();
        let yes = |authorisation: Option<&str>, clearing_date: &str| CardAnswer::Approved {
            authorisation: authorisation.map(ToOwned::to_owned),
            clearing_date: clearing_date.parse().unwrap(),
        };
        for (fields, told) in [
            (&[(39, "00"), (38, "12AB  "), (15, "1231")][..], yes(Some("12AB"), "2026-12-31")),
            (&[(39, "00"), (15, "0102")], yes(None, "2027-01-02")),
            (&[(39, "11"), (15, "0230")], yes(None, "2027-01-01")),
            (&[(39, "51"), (15, "0102")], CardAnswer::Declined { code: "51".into() }),
            (&[(39, "10")], CardAnswer::NotAnswered),
            (&[(15, "0102")], CardAnswer::Declined { code: "30".into() }),
        ] {
            assert_eq!(answered(fields).for_the_books(today), told);
        }
    }

    #[test]
    fn a_moment_is_written_in_the_time_of_shanghai() {
        // 2026-12-31 16:00:59.999 in Greenwich.
        assert_eq!(&sent_at(Time(1_798_732_859_999)), b"0101000059");
    }

    #[test]
    fn debug_shows_which_fields_there_are_and_no_content() {
        let told = answered(&[(2, "6230606601007726888"), (2, "6230606601007726896"), (39, "00")]);
        assert_eq!(format!("{told:?}"), "Answered { fields: {2, 39} }");
        assert_eq!((told.fields.text(2), told.fields.iter().count()), (Some("6230606601007726896"), 2));
    }
}
