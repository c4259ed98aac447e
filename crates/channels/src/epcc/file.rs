//! The daily file (对账文件) [doubtful: EPCC's real layout is not public].
//!
//! ```text
//! EPCC-DAY-1|institution|date|CNY|part|parts|in count|in sum|out count|out sum        sums of all parts
//! BatchId|TrxId|TrxTp|TrxStatus|TrxAmt|RtnId                                          04 and a RtnId: it came back
//! {S:base64}
//! ```

use domain::money::Currency;

use super::{Epcc, NAME, cleared, types};
use crate::amount::{amount_of, sum_of};
use crate::error::ChannelError;
use crate::manifest::OperationKind;
use crate::message::{is_serial, is_word, number};
use crate::statement::{Line, LineKind, StatementPart, Totals};

/// What it is asked with.
pub(super) const ASKED: &str = "epcc.311.001.01";
pub(super) const WHAT: &str = "daily file";
/// No part has more lines.
const LINES_MAX: usize = 5_000;

pub(super) fn read(epcc: &Epcc, text: &str) -> Result<StatementPart, ChannelError> {
    let part = StatementPart::read((NAME, WHAT), text, |text| header(epcc, text), line)?;
    let whole = part.parts > 1 || Totals::of(&part.lines) == Some(part.totals);
    if part.lines.len() > LINES_MAX || !whole {
        let reason = "they do not add up to the header, or are more than 5000";
        return Err(ChannelError::format(NAME, WHAT, "lines", reason));
    }
    Ok(part)
}

fn header(epcc: &Epcc, line: &str) -> Option<StatementPart> {
    let fields: Vec<&str> = line.split('|').collect();
    let &["EPCC-DAY-1", to, date, "CNY", part, parts, in_count, in_sum, out_count, out_sum] = fields.as_slice() else {
        return None;
    };
    let totals = Totals::read([in_count, in_sum, out_count, out_sum], sum_of)?;
    let (channel, rail, date, currency) = (NAME, epcc.manifest.rail, date.parse().ok()?, Currency::Cny);
    let (part, parts): (u32, u32) = (number(part)?, number(parts)?);
    let there = to == epcc.institution && part >= 1 && part <= parts;
    there.then(|| StatementPart { channel, rail, date, currency, part, parts, totals, lines: Vec::new() })
}

fn line(text: &str, part: &StatementPart) -> Option<Line> {
    let fields: Vec<&str> = text.split('|').collect();
    let &[batch, serial, told, status, amount, back] = fields.as_slice() else { return None };
    let is = |kind| types(kind).is_ok_and(|(asked, _)| asked == told);
    let (kind, reference) = match status {
        "00" if is(OperationKind::Debit) || is(OperationKind::Redirect) => {
            (LineKind::Debit, format!("{batch}-{serial}"))
        }
        "00" if is(OperationKind::Refund) => (LineKind::Refund, format!("{batch}-{serial}")),
        "00" if is(OperationKind::Pay) => (LineKind::Pay, format!("{batch}-{serial}")),
        "04" if is(OperationKind::Pay) && is_word(back) => (LineKind::Return, back.to_owned()),
        _ => return None,
    };
    let (amount, clearing_date, currency) = (amount_of(amount)?, part.date, part.currency);
    let fits = cleared(batch)? == part.date && is_serial(serial) && (status == "04" || back.is_empty());
    fits.then(|| Line { serial: serial.to_owned(), kind, amount, currency, clearing_date, reference })
}
