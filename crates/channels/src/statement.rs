//! The clearing file (清算文件): what the network says was done on one date, in parts, each signed.

use std::collections::BTreeSet;

use domain::attempt::Rail;
use domain::calendar::Date;
use domain::clearing::{self, ClearingLine};
use domain::money::{Currency, Minor};

use crate::error::ChannelError;
use crate::message::number;
use crate::verified::Verified;

/// What a line of a clearing file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LineKind {
    /// Money in: a debit of a payer.
    Debit,
    /// Money out: back to a payer.
    Refund,
    /// Money out: to a bank account.
    Pay,
    /// Money in: a payment that came back; its line carries the payment's serial number.
    Return,
    /// Money in: provident fund.
    FundCapture,
}

impl LineKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Debit, Self::Refund, Self::Pay, Self::Return, Self::FundCapture];

    /// Whether it brings money to the institution.
    #[must_use]
    pub const fn inbound(self) -> bool {
        match self {
            Self::Debit | Self::Return | Self::FundCapture => true,
            Self::Refund | Self::Pay => false,
        }
    }

    /// The name in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Debit => "debit",
            Self::Refund => "refund",
            Self::Pay => "pay",
            Self::Return => "return",
            Self::FundCapture => "capture",
        }
    }

    /// The kind of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// One operation that moved money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its serial number; of a return, the payment's.
    pub serial: String,
    /// What it was.
    pub kind: LineKind,
    /// Minor units, above zero.
    pub amount: Minor,
    /// Its currency.
    pub currency: Currency,
    /// When the network clears it.
    pub clearing_date: Date,
    /// The channel's own reference.
    pub reference: String,
}

/// The line as the books take it: of either debit it is money of a payer that came in. A reference that they do not take is left out,
/// for the line is true without it.
impl From<&Line> for ClearingLine {
    fn from(line: &Line) -> Self {
        let kind = match line.kind {
            LineKind::Debit | LineKind::FundCapture => clearing::LineKind::Debit,
            LineKind::Refund => clearing::LineKind::Refund,
            LineKind::Pay => clearing::LineKind::Pay,
            LineKind::Return => clearing::LineKind::Return,
        };
        let reference = Some(line.reference.clone()).filter(|reference| (1..=64).contains(&reference.len()));
        Self { serial: line.serial.clone(), kind, amount: line.amount, currency: line.currency, reference }
    }
}

/// Counts and sums of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// How many bring money.
    pub in_count: u64,
    /// Minor units.
    pub in_sum: Minor,
    /// How many take money.
    pub out_count: u64,
    /// Minor units.
    pub out_sum: Minor,
}

impl Totals {
    /// These lines counted and added; nothing if a sum leaves 64 bits.
    #[must_use]
    pub fn of(lines: &[Line]) -> Option<Self> {
        lines.iter().try_fold(Self::default(), |sums, line| {
            Some(if line.kind.inbound() {
                Self { in_count: sums.in_count.checked_add(1)?, in_sum: sums.in_sum.checked_add(line.amount)?, ..sums }
            } else {
                let out_sum = sums.out_sum.checked_add(line.amount)?;
                Self { out_count: sums.out_count.checked_add(1)?, out_sum, ..sums }
            })
        })
    }

    /// Counts and sums as a header has them: in, then out.
    pub(crate) fn read(texts: [&str; 4], sum: impl Fn(&str) -> Option<Minor>) -> Option<Self> {
        let [in_count, in_sum, out_count, out_sum] = texts;
        let (in_count, out_count) = (number(in_count)?, number(out_count)?);
        Some(Self { in_count, in_sum: sum(in_sum)?, out_count, out_sum: sum(out_sum)? })
    }

    /// What reaches (above zero) or leaves the account at the central bank.
    ///
    /// Both sums are at or above zero, so their difference always fits.
    #[must_use]
    pub const fn net(&self) -> Minor {
        self.in_sum.saturating_sub(self.out_sum)
    }
}

/// One part of a clearing file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementPart {
    /// The channel's name.
    pub channel: &'static str,
    /// The rail it clears.
    pub rail: Rail,
    /// The clearing date.
    pub date: Date,
    /// The currency of every line.
    pub currency: Currency,
    /// Which part, from 1.
    pub part: u32,
    /// How many there are.
    pub parts: u32,
    /// Of all parts together.
    pub totals: Totals,
    /// The lines of this part.
    pub lines: Vec<Line>,
}

impl StatementPart {
    /// Reads a file, which is `what` of a channel, as a header and a line each behind it.
    ///
    /// # Errors
    /// [`ChannelError::Format`] with the number of the line that has another form.
    pub(crate) fn read(
        (channel, what): (&'static str, &'static str),
        file: &str,
        header: impl FnOnce(&str) -> Option<Self>,
        line: impl Fn(&str, &Self) -> Option<Line>,
    ) -> Result<Self, ChannelError> {
        let wrong = |place: &str, reason: &str| ChannelError::format(channel, what, place, reason);
        let mut texts = file.strip_suffix('\n').unwrap_or_default().split('\n').zip(1_u32..);
        let part = texts.next().and_then(|(text, _)| header(text));
        let mut part = part.ok_or_else(|| wrong("line 1", "it is no header of a file for this institution"))?;
        for (text, number) in texts {
            let read = line(text, &part);
            part.lines.push(read.ok_or_else(|| wrong(&format!("line {number}"), "it is not in its form"))?);
        }
        Ok(part)
    }
}

/// A whole clearing file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The channel's name.
    pub channel: &'static str,
    /// The rail it clears.
    pub rail: Rail,
    /// The clearing date.
    pub date: Date,
    /// The currency of every line.
    pub currency: Currency,
    /// Of all lines.
    pub totals: Totals,
    /// In the order of the file.
    pub lines: Vec<Line>,
}

impl Statement {
    /// Puts the parts, in their order, together and checks that they are all there, that the lines add up to the
    /// totals and that none is there twice.
    ///
    /// # Errors
    /// [`ChannelError::Incomplete`].
    pub fn assemble(parts: Vec<Verified<StatementPart>>) -> Result<Verified<Self>, ChannelError> {
        let mut parts = parts.into_iter();
        let incomplete = |reason: &str| ChannelError::Incomplete(reason.to_owned());
        let first = parts.next().ok_or_else(|| incomplete("there is no part"))?;
        first.try_map(|first| {
            let StatementPart { channel, rail, date, currency, part, parts: count, totals, mut lines } = first;
            if part != 1 {
                return Err(ChannelError::Incomplete(format!("the first is part {part}, not 1")));
            }
            let mut last = 1_u32;
            for next in parts {
                let next = next.into_inner();
                last = last.saturating_add(1);
                let same = (next.channel, next.rail, next.date, next.currency, next.parts, next.totals)
                    == (channel, rail, date, currency, count, totals);
                if !same || next.part != last {
                    let what = format!("part {} of {} where part {last} of {date} should be", next.part, next.date);
                    return Err(ChannelError::Incomplete(what));
                }
                lines.extend(next.lines);
            }
            if last != count {
                return Err(ChannelError::Incomplete(format!("{last} of {count} parts are there")));
            }
            if Totals::of(&lines) != Some(totals) {
                return Err(ChannelError::Incomplete(format!("the lines of {date} do not add up to {totals:?}")));
            }
            refuse_doubles(&lines)?;
            Ok(Self { channel, rail, date, currency, totals, lines })
        })
    }
}

fn refuse_doubles(lines: &[Line]) -> Result<(), ChannelError> {
    let mut seen = BTreeSet::new();
    match lines.iter().find(|line| !seen.insert((line.serial.as_str(), line.kind))) {
        None => Ok(()),
        Some(line) => {
            let what = format!("the {} of serial {} is there twice", line.kind.name(), line.serial);
            Err(ChannelError::Incomplete(what))
        }
    }
}
