//! The files of a day (6103) as the parts of a clearing file: 1 is JY, payments and refunds; 2 is TX, withdrawals and those that
//! came back. [doubtful: the types are public; that 6103 brings the file itself, and its layout, are ours.]
//!
//! ```text
//! JY&date&in count&in sum&out count&out sum&        sums of both files
//! flag&ThirdLogNo&FrontLogNo&amount&our sub-account&      2 payment, 7 refund │ 3 withdrawal, T came back
//! ```

use domain::money::Currency;

use super::header::{ANSWER, serial_of};
use super::{DONE, NAME, PingAn, short_word};
use crate::amount::{sum_of, yuan_of};
use crate::error::ChannelError;
use crate::fixed_header::{Message, values};
use crate::statement::{Line, LineKind, StatementPart, Totals};
use crate::time::day_of;

pub(super) const FUNCTION: &str = "6103";
pub(super) const WHAT: &str = "file of a day";
const KINDS: [&str; 2] = ["JY", "TX"];

/// The type of a part's file.
pub(super) fn kind(part: u32) -> Option<&'static str> {
    KINDS.get(usize::try_from(part).ok()?.checked_sub(1)?).copied()
}

pub(super) fn read(channel: &PingAn, message: &Message<'_>) -> Result<StatementPart, ChannelError> {
    let told = [message.told("function"), message.told("service"), message.told("code")];
    let is_file = told == [FUNCTION, ANSWER, DONE];
    let text = message.text().filter(|_| is_file);
    let text = text.ok_or_else(|| ChannelError::format(NAME, WHAT, "message", "it brings no file"))?;
    let line = |text: &str, part: &StatementPart| line(channel, text, part);
    StatementPart::read((NAME, WHAT), &text, |text| header(channel, text), line)
}

fn header(channel: &PingAn, line: &str) -> Option<StatementPart> {
    let fields = values(line)?;
    let &[kind, on, in_count, in_sum, out_count, out_sum] = fields.as_slice() else { return None };
    let totals = Totals::read([in_count, in_sum, out_count, out_sum], |text| sum_of(&format!("CNY{text}")))?;
    let (part, _) = (1_u32..).zip(KINDS).find(|(_, known)| *known == kind)?;
    let (rail, date, currency) = (channel.manifest.rail, day_of(on)?, Currency::Cny);
    Some(StatementPart { channel: NAME, rail, date, currency, part, parts: 2, totals, lines: Vec::new() })
}

fn line(channel: &PingAn, text: &str, part: &StatementPart) -> Option<Line> {
    let fields = values(text)?;
    let &[flag, log, front, amount, ours] = fields.as_slice() else { return None };
    let kind = match (part.part, flag) {
        (1, "2") => LineKind::Debit,
        (1, "7") => LineKind::Refund,
        (2, "3") => LineKind::Pay,
        (2, "T") => LineKind::Return,
        _ => return None,
    };
    let (serial, amount, reference) = (serial_of(log)?, yuan_of(amount)?, short_word(front)?.to_owned());
    let (currency, clearing_date) = (part.currency, part.date);
    (ours == channel.account).then_some(Line { serial, kind, amount, currency, clearing_date, reference })
}
