//! Serial numbers, verbs and rails, as they stand in requests and files.

use std::fmt;
use std::str::FromStr;

/// A serial number: 31 digits, kept as the number they spell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serial(u128);

/// A text that is not a serial number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a serial number is 31 digits")]
pub struct SerialError;

impl FromStr for Serial {
    type Err = SerialError;

    fn from_str(text: &str) -> Result<Self, SerialError> {
        let digits = text.len() == 31 && text.bytes().all(|byte| byte.is_ascii_digit());
        // 31 digits are less than 2^103.
        text.parse().ok().filter(|_| digits).map(Self).ok_or(SerialError)
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:031}", self.0)
    }
}

impl Serial {
    /// No serial number: 31 digits spell less.
    pub(crate) const NONE: Self = Self(u128::MAX);

    /// The two halves of the number, for hashing.
    pub(crate) fn halves(self) -> [u64; 2] {
        #[expect(clippy::cast_possible_truncation, reason = "each half is what is wanted")]
        [self.0 as u64, (self.0 >> 64) as u64]
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$each:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$each])* $variant,)* }

        impl $name {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word in requests and files.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The one of this word.
            #[must_use]
            pub fn parse(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.name() == word)
            }
        }
    };
}

words! {
    /// What can be asked.
    Verb {
        /// Take money from a payer.
        Debit = "debit",
        /// Give money of a debit or capture back.
        Refund = "refund",
        /// Pay to an account.
        Pay = "pay",
        /// Hold provident-fund money.
        Hold = "hold",
        /// Take money that is held.
        Capture = "capture",
        /// Let go of money that is held.
        Release = "release",
        /// Let the payer pay at the network's page.
        Redirect = "redirect",
    }
}

words! {
    /// The way money travels.
    Rail {
        /// 网联.
        Epcc = "epcc",
        /// 银联.
        UnionPay = "unionpay",
        /// 公积金中心.
        Fund = "fund",
        /// 见证宝: sub-accounts at Ping An.
        PingAn = "pingan",
        /// 银企直连: the platform's own account at the bank.
        OwnBank = "own_bank",
    }
}

words! {
    /// Who is asked.
    House {
        /// The bank, under `/bank/v1`.
        Bank = "bank",
        /// The provident-fund centre, under `/fund/v1`.
        Fund = "fund",
    }
}

impl Verb {
    /// What its `original` must be, where it has one.
    pub(crate) const fn originals(self) -> &'static [Self] {
        match self {
            Self::Debit | Self::Pay | Self::Hold | Self::Redirect => &[],
            Self::Refund => &[Self::Debit, Self::Capture, Self::Redirect],
            Self::Capture | Self::Release => &[Self::Hold],
        }
    }

    /// Whether money moves towards the platform (`Some(true)`), away from it, or not at all.
    pub(crate) const fn inbound(self) -> Option<bool> {
        match self {
            Self::Debit | Self::Capture | Self::Redirect => Some(true),
            Self::Refund | Self::Pay => Some(false),
            Self::Hold | Self::Release => None,
        }
    }
}

impl House {
    /// The name in clearing files.
    pub(crate) const fn channel(self) -> &'static str {
        match self {
            Self::Bank => "sandbox_bank",
            Self::Fund => "sandbox_fund",
        }
    }

    /// What can be asked of it.
    pub(crate) const fn does(self, verb: Verb) -> bool {
        match verb {
            Verb::Debit | Verb::Pay => matches!(self, Self::Bank),
            Verb::Hold | Verb::Capture | Verb::Release => matches!(self, Self::Fund),
            Verb::Refund => true,
            // A browser posts it, to UnionPay's own address.
            Verb::Redirect => false,
        }
    }

    /// Which rails lead to it.
    pub(crate) const fn reached_by(self, rail: Rail) -> bool {
        match rail {
            Rail::Epcc | Rail::UnionPay | Rail::PingAn | Rail::OwnBank => matches!(self, Self::Bank),
            Rail::Fund => matches!(self, Self::Fund),
        }
    }
}

impl Rail {
    /// Whether money travels this way by a verb of the sandbox's own: from the platform's own account it is paid, and no more.
    pub(crate) const fn carries(self, verb: Verb) -> bool {
        match self {
            Self::Epcc | Self::UnionPay | Self::Fund | Self::PingAn => true,
            Self::OwnBank => matches!(verb, Verb::Pay),
        }
    }

    /// Whether a clearing file tells of it.
    pub(crate) const fn is_cleared(self) -> bool {
        match self {
            Self::Epcc | Self::UnionPay | Self::Fund | Self::PingAn => true,
            Self::OwnBank => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_number_reads_back_with_its_zeros() {
        for text in ["0000000000000000000000000000000", "2026030500000000000000420000042", &"9".repeat(31)] {
            assert_eq!(text.parse::<Serial>().unwrap().to_string(), text);
        }
        for text in ["", "42", &"9".repeat(30), &"9".repeat(32), "+026030500000000000000420000042"] {
            assert_eq!(text.parse::<Serial>(), Err(SerialError), "{text}");
        }
    }
}
