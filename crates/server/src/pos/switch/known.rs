//! What the books know of a terminal, and what every message of it says.

use domain::State;
use domain::acquiring::MerchantNumber;
use domain::calendar::Date;
use domain::card_transaction::TraceKey;
use domain::ids::TerminalId;
use domain::terminal::{Terminal, TerminalStatus};
use iso8583::{Message, Value};

use super::{Asked, Decision, Told};

/// The field of the terminal's number, of the merchant's, and of type, batch and network code.
const TERMINAL: u8 = 41;
const MERCHANT: u8 = 42;
const BATCH: (u8, usize) = (60, 1);
const TRACE: u8 = 11;
const DATE: u8 = 13;

/// A terminal as the books know it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub(super) id: TerminalId,
    pub(super) status: TerminalStatus,
    pub(super) batch: u32,
    /// Of the merchant that it is with.
    pub(super) number: Option<MerchantNumber>,
}

impl Known {
    pub(super) fn of(state: &State, id: TerminalId) -> Option<Self> {
        state.terminal(id).ok().map(|terminal: &Terminal| Self {
            id,
            status: terminal.status,
            batch: terminal.batch,
            number: terminal.binding.as_ref().map(|binding| binding.number),
        })
    }
}

/// The digits of a field, or of a part of one.
pub(super) fn digits(message: &Message<'_, '_>, number: u8, part: Option<usize>) -> Option<String> {
    let value = match part {
        Some(part) => message.part(number, part),
        None => message.value(number),
    };
    match value.ok()? {
        Value::Digits(digits) => Some(digits.iter().map(char::from).collect()),
        Value::Text(_) | Value::Bytes(_) | Value::Hex(_) => None,
    }
}

impl Asked<'_> {
    /// The terminal that a message names: our id in 8 digits.
    pub(super) fn terminal(&self) -> Option<TerminalId> {
        let text = self.message.text(TERMINAL).ok()?;
        let digits = Some(text).filter(|text| text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit()));
        digits.and_then(|digits| digits.parse().ok()).map(TerminalId)
    }

    /// The merchant's number that it names.
    pub(super) fn merchant(&self) -> Option<MerchantNumber> {
        self.message.text(MERCHANT).ok()?.parse().ok()
    }

    /// Batch and trace.
    pub(super) fn trace_key(&self, terminal: TerminalId) -> Result<TraceKey, Decision> {
        let number = |digits: Option<String>| digits.and_then(|digits| digits.parse::<u32>().ok());
        let batch = number(digits(self.message, BATCH.0, Some(BATCH.1)));
        let trace = number(digits(self.message, TRACE, None));
        match (batch, trace) {
            (Some(batch), Some(trace)) => Ok(TraceKey { terminal, batch, trace }),
            (None, _) | (_, None) => Err(self.format_error()),
        }
    }

    /// The batch that it names.
    pub(super) fn batch(&self) -> Result<u32, Decision> {
        let batch = digits(self.message, BATCH.0, Some(BATCH.1)).and_then(|digits| digits.parse().ok());
        batch.ok_or_else(|| self.format_error())
    }

    /// Field 4, in fen.
    pub(super) fn amount(&self) -> Result<i64, Decision> {
        self.message.amount(4).map_err(|_| self.format_error())
    }

    /// The terminal's date, if it says one.
    pub(super) fn local_date(&self, today: Date) -> Option<Date> {
        digits(self.message, DATE, None).and_then(|day| day_near(&day, today))
    }

    /// A message that lacks what its kind needs.
    pub(super) fn format_error(&self) -> Decision {
        Decision::Tell(Told::of(&self.acquirer.codes.format_error))
    }
}

/// The date of a month and a day (MMDD) that is nearest to today.
pub(super) fn day_near(day: &str, today: Date) -> Option<Date> {
    let (month, day) = (day.get(..2)?.parse().ok()?, day.get(2..4)?.parse().ok()?);
    let years = [today.year().checked_sub(1)?, today.year(), today.year().checked_add(1)?];
    let far = |date: &Date| date.starts_at().0.abs_diff(today.starts_at().0);
    years.into_iter().filter_map(|year| Date::new(year, month, day)).min_by_key(far)
}
