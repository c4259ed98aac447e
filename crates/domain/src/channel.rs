//! What channels are called: by the rail that they carry, and by a word of their own where the rail has further ones.
//!
//! ```text
//!  unionpay        the rail's first channel: whatever names no other goes there
//!  unionpay_acme   a further one: another acquirer, with a merchant number and keys of its own
//! ```
//! A rail says to which account of the books money is cleared; a channel says whom the platform asks. Which channels there are is the
//! settings' to say. What names none, as every attempt from before there were further ones, names the first.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt::{self, Display, Formatter};

use minicbor::{Decode, Encode};

use crate::book::Subject;
use crate::refusal::{Refusal, RefusalCode};

/// The most bytes of a further channel's word.
pub const MAX_WORD: usize = 16;

/// The way money travels, which gives the clearing account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum Rail {
    /// 网联: account-based payments.
    #[n(0)]
    Epcc,
    /// 银联: cards.
    #[n(1)]
    UnionPay,
    /// 公积金中心: provident fund.
    #[n(2)]
    Fund,
    /// 银企直连: the institution's own account at its bank. No network clears what it moves.
    #[n(3)]
    OwnBank,
    /// 见证宝: sub-accounts at Ping An Bank. The bank itself moves and clears it.
    #[n(4)]
    PingAn,
}

impl Rail {
    /// Every rail that a channel may carry.
    pub const ALL: [Self; 5] = [Self::Epcc, Self::UnionPay, Self::Fund, Self::OwnBank, Self::PingAn];

    /// The clearing or receivable account it posts to.
    #[must_use]
    pub const fn subject(self) -> Subject {
        match self {
            Self::Epcc => Subject::ClearingEpcc,
            Self::UnionPay => Subject::ClearingUnionPay,
            // Money that the bank moved among its sub-accounts is due from it.
            Self::Fund | Self::PingAn => Subject::ReceivableFund,
            Self::OwnBank => Subject::OwnBank,
        }
    }

    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Epcc => "epcc",
            Self::UnionPay => "unionpay",
            Self::Fund => "fund",
            Self::OwnBank => "own_bank",
            Self::PingAn => "pingan",
        }
    }

    /// The rail of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rail| rail.name() == name)
    }

    /// Whether several channels may carry it: where payers' cards and pages travel, which name the channel that brought their money.
    /// Payouts leave over one of them. Own money, sub-accounts and a fund's leases lie with one bank or centre.
    #[must_use]
    pub const fn has_further(self) -> bool {
        match self {
            Self::Epcc | Self::UnionPay => true,
            Self::Fund | Self::OwnBank | Self::PingAn => false,
        }
    }
}

/// The name of a channel; in text its rail's, and behind `_` the word of a further one. The first stands before the further ones.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChannelName {
    /// The way its money travels.
    pub rail: Rail,
    /// The word of a further channel; none of the rail's first.
    pub word: Option<String>,
}

impl ChannelName {
    /// The channel of a name; none if no channel may be called so.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(rail) = Rail::parse(text) {
            return Some(Self::from(rail));
        }
        let of = |rail: Rail| {
            let word = text.strip_prefix(rail.name())?.strip_prefix('_')?;
            Some(Self { rail, word: Some(word.to_string()) })
        };
        Rail::ALL.into_iter().find_map(of).filter(Self::may_be)
    }

    fn may_be(&self) -> bool {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
        self.word.as_ref().is_none_or(|word| {
            self.rail.has_further() && (1..=MAX_WORD).contains(&word.len()) && word.bytes().all(plain)
        })
    }

    /// Refuses what no channel may be called.
    ///
    /// # Errors
    /// `value_invalid`.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        if self.may_be() {
            return Ok(());
        }
        let name = self.to_string();
        let message = format!(
            "'{name:.40}' is no channel: only epcc and unionpay have further ones, called by their rail, '_' and 1 to {MAX_WORD} small \
             letters, digits, '-' or '_'"
        );
        Err(Refusal::new(RefusalCode::ValueInvalid, "channel", message))
    }
}

impl From<Rail> for ChannelName {
    /// The rail's first channel.
    fn from(rail: Rail) -> Self {
        Self { rail, word: None }
    }
}

impl Display for ChannelName {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.rail.name())?;
        match &self.word {
            None => Ok(()),
            Some(word) => write!(f, "_{word}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::attempt::{Attempt, AttemptStatus, Operation, Purpose};
    use crate::envelope::Time;
    use crate::ids::{AttemptId, RefundId};
    use crate::money::Currency;

    /// A row of a rail's first channel is the bytes that it was before there were others.
    #[test]
    fn a_first_channel_adds_nothing_to_a_row() {
        let attempt = |word: Option<&str>| Attempt {
            id: AttemptId(1),
            rail: Rail::UnionPay,
            operation: Operation::Refund { original: String::new(), amount: 1, currency: Currency::Cny },
            purpose: Purpose::Refund(RefundId(1)),
            epoch: 1,
            requested_at: Time(0),
            send_before: Time(0),
            status: AttemptStatus::Requested,
            cleared: None,
            page_site: None,
            channel: word.map(String::from),
        };
        // An array as long as what is there: to the status, and to the channel.
        for (word, first_byte) in [(None, 0x88), (Some("acme"), 0x8b)] {
            let bytes = minicbor::to_vec(attempt(word)).unwrap();
            assert_eq!((bytes[0], minicbor::decode::<Attempt>(&bytes).unwrap()), (first_byte, attempt(word)));
        }
    }

    #[test]
    fn a_name_is_its_rails_or_begins_with_it() {
        for rail in Rail::ALL {
            assert_eq!(ChannelName::parse(rail.name()), Some(ChannelName::from(rail)));
        }
        let further = ChannelName { rail: Rail::UnionPay, word: Some("acme_2".into()) };
        assert_eq!(ChannelName::parse("unionpay_acme_2").as_ref(), Some(&further));
        assert_eq!(further.to_string(), "unionpay_acme_2");
        let long = format!("epcc_{}", "a".repeat(MAX_WORD + 1));
        for wrong in [
            "",
            "visa",
            "unionpay_",
            "unionpay_A",
            "unionpayb",
            "fund_b",
            "own_bank_b",
            "pingan_b",
            "epcc_ä",
            long.as_str(),
        ] {
            assert_eq!(ChannelName::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_first_channel_of_a_rail_stands_before_the_others() {
        let mut names: Vec<_> =
            ["unionpay_b", "epcc_z", "unionpay", "epcc"].iter().filter_map(|text| ChannelName::parse(text)).collect();
        names.sort();
        let texts: Vec<_> = names.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["epcc", "epcc_z", "unionpay", "unionpay_b"]);
    }
}
