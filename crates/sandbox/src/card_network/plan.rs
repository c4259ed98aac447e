//! What goes wrong on the card network, and how often.

use serde::Deserialize;

/// Rates are of so many.
const WHOLE: u64 = 10_000;

/// An amount that is declined.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decline {
    /// Fen.
    pub amount: i64,
    /// With this code (F39).
    pub code: String,
}

/// What goes wrong. The default is nothing. Rates are whole numbers of 10,000 messages, drawn by seed and name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CardPlan {
    /// Decides with a message's name what goes wrong with it.
    pub seed: u64,
    /// Amounts that are declined.
    pub decline: Vec<Decline>,
    /// How long the issuer takes.
    pub delay_ms: u64,
    /// How late a late answer is.
    pub late_ms: u64,
    /// The request never arrives.
    pub lost_before: u32,
    /// Carried out, and the answer never comes.
    pub lost_after: u32,
    /// Carried out, and answered late.
    pub late: u32,
    /// Answered twice.
    pub twice: u32,
    /// Carried out, and the link is cut in place of the answer.
    pub cut: u32,
}

/// What becomes of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Answered,
    LostBefore,
    LostAfter,
    Late,
    Twice,
    Cut,
}

impl CardPlan {
    /// What becomes of the message of this name.
    pub(super) fn fate(&self, name: &str) -> Fate {
        let drawn = u64::from(u32::try_from(spread(self.seed, name) % WHOLE).unwrap_or(0));
        let mut bound = 0;
        let fates = [
            (self.lost_before, Fate::LostBefore),
            (self.lost_after, Fate::LostAfter),
            (self.late, Fate::Late),
            (self.twice, Fate::Twice),
            (self.cut, Fate::Cut),
        ];
        for (rate, fate) in fates {
            bound += u64::from(rate);
            if drawn < bound {
                return fate;
            }
        }
        Fate::Answered
    }

    /// The code by which this amount is declined.
    pub(super) fn declines(&self, amount: i64) -> Option<&str> {
        self.decline.iter().find(|rule| rule.amount == amount).map(|rule| rule.code.as_str())
    }
}

/// Spreads a name evenly (FNV-1a, then SplitMix64's finish).
pub(super) fn spread(seed: u64, name: &str) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325 ^ seed;
    let mixed = name.bytes().fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
