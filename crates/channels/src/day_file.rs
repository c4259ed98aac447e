//! A day's file as lines with bars between their fields, in a layout of ours for a network whose own is not public: the channel says what
//! its batches, types and statuses mean.
//!
//! ```text
//! TAG|institution|date|CNY|part|parts|in count|in sum|out count|out sum        sums of all parts
//! batch|serial|type|status|amount|return                                       a return: it came back
//! ```

use domain::attempt::Rail;
use domain::calendar::Date;
use domain::money::Currency;

use crate::amount::{amount_of, sum_of};
use crate::error::ChannelError;
use crate::message::{is_serial, is_word, number};
use crate::statement::{Line, LineKind, StatementPart, Totals};

/// No part has more lines.
const LINES_MAX: usize = 5_000;

/// Whose file it is, and what its words mean.
pub(crate) struct Layout<'a> {
    pub(crate) channel: &'static str,
    /// The file's name in errors.
    pub(crate) what: &'static str,
    pub(crate) rail: Rail,
    /// The header's first field.
    pub(crate) tag: &'a str,
    /// Our number there.
    pub(crate) institution: &'a str,
    /// The clearing date of a batch.
    pub(crate) cleared: fn(&str) -> Option<Date>,
    /// What a line of this type and status is.
    pub(crate) kind: fn(&str, &str) -> Option<LineKind>,
}

impl Layout<'_> {
    pub(crate) fn read(&self, text: &str) -> Result<StatementPart, ChannelError> {
        let wrong = |place: &str, reason: &str| ChannelError::format(self.channel, self.what, place, reason);
        let mut lines = text.strip_suffix('\n').unwrap_or_default().split('\n').zip(1_u32..);
        let header = lines.next().and_then(|(line, _)| self.header(line));
        let mut part = header.ok_or_else(|| wrong("line 1", "it is no header of a file for this institution"))?;
        for (text, number) in lines {
            let line = self.line(text, &part);
            part.lines.push(line.ok_or_else(|| wrong(&format!("line {number}"), "it is not in its form"))?);
        }
        let whole = part.parts > 1 || Totals::of(&part.lines) == Some(part.totals);
        if part.lines.len() > LINES_MAX || !whole {
            return Err(wrong("lines", "they do not add up to the header, or are more than 5000"));
        }
        Ok(part)
    }

    fn header(&self, line: &str) -> Option<StatementPart> {
        let fields: Vec<&str> = line.split('|').collect();
        let &[tag, to, date, "CNY", part, parts, in_count, in_sum, out_count, out_sum] = fields.as_slice() else {
            return None;
        };
        let totals = Totals {
            in_count: number(in_count)?,
            in_sum: sum_of(in_sum)?,
            out_count: number(out_count)?,
            out_sum: sum_of(out_sum)?,
        };
        let (channel, rail, date, currency) = (self.channel, self.rail, date.parse().ok()?, Currency::Cny);
        let (part, parts): (u32, u32) = (number(part)?, number(parts)?);
        let there = tag == self.tag && to == self.institution && part >= 1 && part <= parts;
        there.then(|| StatementPart { channel, rail, date, currency, part, parts, totals, lines: Vec::new() })
    }

    fn line(&self, text: &str, part: &StatementPart) -> Option<Line> {
        let fields: Vec<&str> = text.split('|').collect();
        let &[batch, serial, told, status, amount, back] = fields.as_slice() else { return None };
        let kind = (self.kind)(told, status)?;
        let came_back = kind == LineKind::Return;
        let reference = if came_back { back.to_owned() } else { format!("{batch}-{serial}") };
        let (amount, clearing_date, currency) = (amount_of(amount)?, part.date, part.currency);
        let fits = (self.cleared)(batch)? == part.date
            && is_serial(serial)
            && if came_back { is_word(back) } else { back.is_empty() };
        fits.then(|| Line { serial: serial.to_owned(), kind, amount, currency, clearing_date, reference })
    }
}
