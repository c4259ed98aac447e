//! The files of the sandbox fund's monthly batch: the instruction, and the centre's result. `docs/sandbox.md` describes the format.
//!
//! ```text
//! H|LINTEL-FUND-BATCH-1|channel|city|batch|date|currency|count|sum of amounts
//! D|serial|contract|period|amount
//! T|count|SM3 of all bytes before this line|HMAC-SM3(key, FUND-BATCH \n those bytes)
//!
//! H|LINTEL-FUND-RESULT-1|channel|city|batch|date|currency|count|sum of what was paid
//! D|serial|contract|masked id|period|applied|paid|code|reference       no reference where nothing was paid
//! T|count|SM3 of all bytes before this line|HMAC-SM3(key, FUND-RESULT \n those bytes)
//! ```
//! What a result file needs to have is public knowledge of the trade (city, batch, date, count and sum in the header; contract, masked
//! id, period, applied, paid, code and the bank's reference in a row; a hash at the end); the layout, the serial in each row and the
//! codes are ours, and a real centre's differ. Count and sum are of the rows as they stand there, also of one that stands there twice.

use std::fmt::Write as _;

use ark::sm3;
use domain::attempt::FailureClass;
use domain::calendar::Date;
use domain::fund_batch::{FundResult, FundResultRow, MAX_RESULT_ROWS};
use domain::money::{Currency, Minor};
use zeroize::Zeroizing;

use crate::batch::{Batch, BatchResult};
use crate::error::ChannelError;
use crate::message::{self, Asked, Request, What, is_serial, is_word, number};
use crate::sandbox_seal::Seal;
use crate::sandbox_wire::{Wire, is_reference};
use crate::verified::Verified;

const SEAL: Seal = Seal {
    what: "result file of a fund's batch",
    head: b"FUND-RESULT\n",
    not_a_file: "a result file ends with a line T|count|SM3|HMAC-SM3",
    counts: "rows",
};
const INSTRUCTION: &str = "LINTEL-FUND-BATCH-1";
const RESULT: &str = "LINTEL-FUND-RESULT-1";
/// All of what was applied for was paid.
const PAID: &str = "00000000";
/// A part was paid: the quota of the month or the year holds no more, and the rest is the payer's.
const PAID_IN_PART: &str = "00000005";
/// The most digits of an identity number that a mask may show.
const MASK_DIGITS: usize = 10;
const NUMBER_LENGTH_MAX: usize = 32;

/// The request that hands in a month's batch. Its nonce is the batch's own number: the same bytes can be sent again.
///
/// # Errors
/// [`ChannelError::Subject`] for what would break the file's lines, [`ChannelError::Key`].
pub(super) fn ask(wire: &Wire, batch: &Batch<'_>) -> Result<Request, ChannelError> {
    let number = numbered(wire, batch.number)?;
    let body = write(wire, batch)?;
    let asked = Asked { nonce: format!("batch-{number:-<16}"), what: What::Batch };
    let mut request = wire.signed("POST", format!("{}/batch", wire.root), body, asked)?;
    request.headers.iter_mut().filter(|(name, _)| *name == "content-type").for_each(|(_, value)| {
        "text/plain; charset=utf-8".clone_into(value);
    });
    Ok(request)
}

/// The request for the result file of a month's batch.
///
/// # Errors
/// [`ChannelError::Nonce`], [`ChannelError::Subject`], [`ChannelError::Key`].
pub(super) fn ask_result(wire: &Wire, number: &str, nonce: &str) -> Result<Request, ChannelError> {
    let path = format!("{}/batch-result?number={}", wire.root, numbered(wire, number)?);
    let asked = Asked { nonce: message::nonce(nonce)?.to_owned(), what: What::Batch };
    wire.signed("GET", path, Zeroizing::new(Vec::new()), asked)
}

fn numbered<'n>(wire: &Wire, number: &'n str) -> Result<&'n str, ChannelError> {
    let fits = number.len() <= NUMBER_LENGTH_MAX && is_word(number);
    let reason = "a batch's number is 1 to 32 letters, digits, `_` or `-`";
    let wrong = ChannelError::Subject { channel: wire.channel, field: "number", reason };
    if fits { Ok(number) } else { Err(wrong) }
}

/// The instruction as bytes.
fn write(wire: &Wire, batch: &Batch<'_>) -> Result<Zeroizing<Vec<u8>>, ChannelError> {
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'|');
    let subject = |field, reason| ChannelError::Subject { channel: wire.channel, field, reason };
    let Batch { number, city, period, date, rows } = *batch;
    let sum = rows.iter().try_fold(0, |sum: Minor, row| sum.checked_add(row.amount));
    let sum = sum.ok_or_else(|| subject("sum", "the rows are more than 64 bits together"))?;
    let (channel, currency, count) = (wire.channel, Currency::Cny.code(), rows.len());
    let mut text = format!("H|{INSTRUCTION}|{channel}|{city}|{number}|{date}|{currency}|{count}|{sum}\n");
    for row in rows {
        if !plain(row.contract) || row.contract.is_empty() || !is_serial(row.serial) {
            return Err(subject("contract", "a lease is named by visible ASCII characters without '|'"));
        }
        writeln!(text, "D|{}|{}|{period}|{}", row.serial, row.contract, row.amount).expect("a String takes every text");
    }
    let tag = wire.key.tag(wire.channel, b"FUND-BATCH\n", text.as_bytes())?;
    let (hash, tag) = (hex::encode(sm3(text.as_bytes())), hex::encode(tag));
    writeln!(text, "T|{count}|{hash}|{tag}").expect("a String takes every text");
    Ok(Zeroizing::new(text.into_bytes()))
}

/// A result file, checked.
///
/// # Errors
/// [`ChannelError::Signature`], [`ChannelError::Format`], [`ChannelError::Key`].
pub(super) fn read(wire: &Wire, file: &[u8]) -> Result<Verified<BatchResult>, ChannelError> {
    let reader = Reader { wire };
    SEAL.open(wire, file, |text| {
        let result = reader.result(text)?;
        let rows = result.rows.len();
        Ok((result, rows))
    })
}

struct Reader<'w> {
    wire: &'w Wire,
}

impl Reader<'_> {
    fn result(&self, text: &str) -> Result<BatchResult, ChannelError> {
        let mut lines = text.lines().zip(1_u32..);
        let (header, _) = lines.next().ok_or_else(|| self.wrong("line 1", "the header is missing"))?;
        let (mut result, count, sum) = self.header(header)?;
        for (line, number) in lines {
            let row = self.row(line, result.date).ok_or_else(|| {
                self.wrong(
                    format!("line {number}"),
                    "it is not D|serial|contract|masked id|period|applied|paid|code|reference",
                )
            })?;
            result.rows.push(row);
        }
        if result.rows.len() > MAX_RESULT_ROWS {
            return Err(self.wrong("lines", format!("there are more than {MAX_RESULT_ROWS}")));
        }
        let paid = result.rows.iter().try_fold(0, |sum: Minor, row| sum.checked_add(row.result.paid));
        if (Some(result.rows.len()), paid) != (number(count), number(sum)) || paid.is_none() {
            return Err(self.wrong("header", "its count and sum are not those of the rows"));
        }
        Ok(result)
    }

    fn header<'l>(&self, line: &'l str) -> Result<(BatchResult, &'l str, &'l str), ChannelError> {
        let fields: Vec<&str> = line.split('|').collect();
        let &["H", RESULT, channel, city, batch, date, currency, count, sum] = fields.as_slice() else {
            return Err(self.wrong("line 1", format!("it is not a header H|{RESULT}|… of 9 fields")));
        };
        if channel != self.wire.channel {
            return Err(self.wrong("line 1", format!("it is not of {}", self.wire.channel)));
        }
        let date = date.parse().ok().filter(|_| is_word(city) && is_word(batch) && currency == Currency::Cny.code());
        let date = date.ok_or_else(|| self.wrong("line 1", "a field is not in its form"))?;
        let (city, number) = (city.to_owned(), batch.to_owned());
        Ok((BatchResult { city, number, date, rows: Vec::new() }, count, sum))
    }

    fn row(&self, line: &str, date: Date) -> Option<FundResultRow> {
        let fields: Vec<&str> = line.split('|').collect();
        let &["D", serial, contract, id, period, applied, paid, code, reference] = fields.as_slice() else {
            return None;
        };
        let (applied, paid): (Minor, Minor) = (number(applied)?, number(paid)?);
        // Whose it is is shown masked and kept nowhere.
        let masked = id.contains('*') && id.bytes().filter(u8::is_ascii_digit).count() <= MASK_DIGITS;
        let whole = masked && is_serial(serial) && !contract.is_empty() && reference.is_empty() == (paid == 0);
        if !whole || !(reference.is_empty() || is_reference(reference)) {
            return None;
        }
        let class = self.class(code, applied, paid)?;
        let (code, reference) = (code.to_owned(), reference.to_owned());
        Some(FundResultRow {
            serial: serial.to_owned(),
            contract: contract.to_owned(),
            period: period.to_owned(),
            applied,
            result: FundResult { paid, code, class, reference, date },
        })
    }

    /// Whose failure it was that less was paid than applied for; nothing if code and amounts do not go together.
    fn class(&self, code: &str, applied: Minor, paid: Minor) -> Option<Option<FailureClass>> {
        match code {
            PAID => (paid == applied && paid > 0).then_some(None),
            PAID_IN_PART => (0 < paid && paid < applied).then_some(Some(FailureClass::User)),
            code => {
                let known = self.wire.declines.iter().find(|(known, _)| *known == code)?;
                (paid == 0 && applied > 0).then_some(Some(known.1))
            }
        }
    }

    fn wrong(&self, place: impl Into<String>, reason: impl Into<String>) -> ChannelError {
        SEAL.wrong(self.wire, place, reason)
    }
}
