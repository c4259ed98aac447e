//! The clearing file of the sandbox bank and the sandbox fund. `docs/sandbox.md` describes the format.
//!
//! ```text
//! H|LINTEL-CLEARING-1|channel|rail|date|currency|part|parts|in count|in sum|out count|out sum    sums of all parts
//! D|serial|kind|amount|reference                                                                at most 5,000 a part
//! T|lines of this part|SM3 of all bytes before this line|HMAC-SM3(key, FILE \n those bytes)
//! ```
//!
//! The hash tells a damaged file from a forged one; only the HMAC makes the lines [`Verified`].

use domain::calendar::Date;
use domain::money::{Currency, Minor};

use crate::error::ChannelError;
use crate::message::{is_serial, number};
use crate::sandbox_seal::Seal;
use crate::sandbox_wire::{Wire, currency_of, is_reference};
use crate::statement::{Line, LineKind, StatementPart, Totals};
use crate::verified::Verified;

/// No part has more lines.
pub(crate) const LINES_MAX: usize = 5_000;

const SEAL: Seal = Seal {
    what: "clearing file",
    head: b"FILE\n",
    not_a_file: "a clearing file ends with a line T|lines|SM3|HMAC-SM3",
    counts: "lines",
};
const FORMAT: &str = "LINTEL-CLEARING-1";

/// One part, checked.
pub(crate) fn read(wire: &Wire, file: &[u8]) -> Result<Verified<StatementPart>, ChannelError> {
    let reader = Reader { wire };
    SEAL.open(wire, file, |text| {
        let part = reader.part(text)?;
        let lines = part.lines.len();
        Ok((part, lines))
    })
}

struct Reader<'w> {
    wire: &'w Wire,
}

impl Reader<'_> {
    fn part(&self, text: &str) -> Result<StatementPart, ChannelError> {
        let mut lines = text.lines().zip(1_u32..);
        let (header, _) = lines.next().ok_or_else(|| self.wrong("line 1", "the header is missing"))?;
        let mut part = self.header(header)?;
        for (line, number) in lines {
            let line = self
                .line(line, part.date, part.currency)
                .ok_or_else(|| self.wrong(format!("line {number}"), "it is not D|serial|kind|amount|reference"))?;
            part.lines.push(line);
        }
        if part.lines.len() > LINES_MAX {
            return Err(self.wrong("lines", format!("there are more than {LINES_MAX} in one part")));
        }
        if part.parts == 1 && Totals::of(&part.lines) != Some(part.totals) {
            return Err(self.wrong("header", "its counts and sums are not those of the lines"));
        }
        Ok(part)
    }

    fn header(&self, line: &str) -> Result<StatementPart, ChannelError> {
        let wrong = |reason: &str| self.wrong("line 1", reason);
        let fields: Vec<&str> = line.split('|').collect();
        let &["H", FORMAT, channel, rail, date, currency, part, parts, in_count, in_sum, out_count, out_sum] =
            fields.as_slice()
        else {
            return Err(wrong("it is not a header H|LINTEL-CLEARING-1|… of 12 fields"));
        };
        let (channel_here, rail_here) = (self.wire.channel, self.wire.rail);
        if channel != channel_here || rail != rail_here.name() {
            return Err(wrong(&format!("it is not of {channel_here} on {}", rail_here.name())));
        }
        let read = || {
            Some(StatementPart {
                channel: channel_here,
                rail: rail_here,
                date: date.parse().ok()?,
                currency: currency_of(currency)?,
                part: number(part)?,
                parts: number(parts)?,
                totals: Totals::read([in_count, in_sum, out_count, out_sum], number)?,
                lines: Vec::new(),
            })
        };
        let header = read().ok_or_else(|| wrong("a field is not in its form"))?;
        if header.part < 1 || header.part > header.parts {
            return Err(wrong(&format!("there is no part {part} of {parts}")));
        }
        Ok(header)
    }

    fn line(&self, line: &str, clearing_date: Date, currency: Currency) -> Option<Line> {
        let fields: Vec<&str> = line.split('|').collect();
        let &["D", serial, kind, amount, reference] = fields.as_slice() else { return None };
        let amount: Minor = number(amount)?;
        let kind = LineKind::parse(kind)?;
        let whole = is_serial(serial) && is_reference(reference) && amount > 0;
        let line = || Line {
            serial: serial.to_owned(),
            kind,
            amount,
            currency,
            clearing_date,
            reference: reference.to_owned(),
        };
        whole.then(line)
    }

    fn wrong(&self, place: impl Into<String>, reason: impl Into<String>) -> ChannelError {
        SEAL.wrong(self.wire, place, reason)
    }
}
