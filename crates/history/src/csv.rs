//! A statement as CSV (RFC 4180): one header row, an opening row, a row an entry, a closing row.
//!
//! Amounts stand twice: in minor units for machines, as decimals of the major unit for people. Times are in
//! Asia/Shanghai with their offset.

use std::fmt::Write;

use domain::calendar::Date;
use domain::envelope::Time;
use domain::money::{Currency, Minor};

use crate::statement::{Line, Statement};

const HEADER: &str = "row,account,currency,date,number,posted_at,voucher,event,business,counterpart,side,\
    amount_minor,amount,balance_minor,balance,product,region,channel,merchant,clearing_date,legal_entity";
/// Columns behind `balance`.
const DIMENSIONS: usize = 6;

/// How to write a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CsvFormat {
    /// The account's currency, which gives the decimals.
    pub currency: Currency,
    /// For Excel: a byte order mark, and an apostrophe before a caller's text that Excel would take for a formula.
    pub for_excel: bool,
}

/// The statement as a CSV file.
#[must_use]
pub fn statement_csv(statement: &Statement, format: CsvFormat) -> String {
    let mut csv = Csv { text: String::with_capacity(200 * (statement.lines.len() + 3)), format };
    if format.for_excel {
        csv.text.push('\u{feff}');
    }
    csv.text.push_str(HEADER);
    csv.text.push_str("\r\n");
    csv.balance("opening", statement, statement.from, statement.opening);
    for line in &statement.lines {
        csv.line(statement, line);
    }
    csv.balance("closing", statement, statement.to, statement.closing);
    csv.text
}

struct Csv {
    text: String,
    format: CsvFormat,
}

impl Csv {
    /// The row of a balance: EOD of the day before `date` for the opening, of `date` for the closing.
    fn balance(&mut self, row: &str, statement: &Statement, date: Date, balance: Minor) {
        let date = date.to_string();
        let account = statement.account.to_string();
        let currency = self.format.currency;
        let empty = [""; 9];
        self.ours(&[row, &account, currency.code(), &date]);
        self.ours(&empty);
        self.ours(&[&balance.to_string(), &decimal(balance, currency)]);
        self.ours(&empty[..DIMENSIONS]);
        self.end();
    }

    fn line(&mut self, statement: &Statement, line: &Line) {
        let entry = &line.entry;
        let currency = self.format.currency;
        self.ours(&["entry", &statement.account.to_string(), currency.code(), &entry.date.to_string()]);
        self.ours(&[&entry.number.to_string(), &time_in_shanghai(entry.posted_at), &entry.voucher.to_string()]);
        self.ours(&[entry.event.name()]);
        self.theirs(&entry.business.to_string());
        self.ours(&[&entry.counterpart.to_string(), entry.side.name()]);
        self.ours(&[&entry.amount.to_string(), &decimal(entry.amount, currency)]);
        self.ours(&[&line.balance.to_string(), &decimal(line.balance, currency)]);
        let of = entry.dimensions.as_deref();
        let or_empty = |text: Option<String>| text.unwrap_or_default();
        self.theirs(of.and_then(|of| of.product.as_deref()).unwrap_or_default());
        self.ours(&[&or_empty(of.and_then(|of| of.region).map(|region| region.to_string()))]);
        self.theirs(of.and_then(|of| of.channel.as_deref()).unwrap_or_default());
        self.ours(&[
            &or_empty(of.and_then(|of| of.merchant).map(|merchant| merchant.to_string())),
            &or_empty(of.and_then(|of| of.clearing_date).map(|date| date.to_string())),
            &or_empty(of.and_then(|of| of.legal_entity).map(|entity| entity.to_string())),
        ]);
        self.end();
    }

    /// Cells that need no quotes.
    fn ours(&mut self, cells: &[&str]) {
        for cell in cells {
            self.text.push_str(cell);
            self.text.push(',');
        }
    }

    /// A cell that a caller wrote.
    fn theirs(&mut self, cell: &str) {
        let is_formula = self.format.for_excel && cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
        let guard = if is_formula { "'" } else { "" };
        if cell.contains([',', '"', '\r', '\n']) {
            let quoted = cell.replace('"', "\"\"");
            write!(self.text, "\"{guard}{quoted}\",").expect("a String takes every text");
        } else {
            write!(self.text, "{guard}{cell},").expect("a String takes every text");
        }
    }

    /// The last cell's comma becomes the end of the row.
    fn end(&mut self) {
        self.text.pop();
        self.text.push_str("\r\n");
    }
}

/// Minor units as a decimal of the major unit: `-0.05`, `1234.50`, `100` for a currency without decimals.
#[must_use]
pub fn decimal(amount: Minor, currency: Currency) -> String {
    let scale = currency.scale() as usize;
    let sign = if amount < 0 { "-" } else { "" };
    let digits = format!("{:0width$}", amount.unsigned_abs(), width = scale + 1);
    match digits.split_at(digits.len() - scale) {
        (whole, "") => format!("{sign}{whole}"),
        (whole, part) => format!("{sign}{whole}.{part}"),
    }
}

/// A time in Asia/Shanghai: `2026-03-05T08:00:00.000+08:00`.
fn time_in_shanghai(time: Time) -> String {
    let date = Date::in_shanghai(time);
    let ms = time.0.saturating_sub(date.starts_at().0);
    let (hours, minutes, seconds) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
    format!("{date}T{hours:02}:{minutes:02}:{seconds:02}.{:03}+08:00", ms % 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_follow_the_scale_of_the_currency() {
        assert_eq!(decimal(0, Currency::Cny), "0.00");
        assert_eq!(decimal(-5, Currency::Cny), "-0.05");
        assert_eq!(decimal(123_450, Currency::Cny), "1234.50");
        assert_eq!(decimal(-100, Currency::Jpy), "-100");
        assert_eq!(decimal(Minor::MIN, Currency::Cny), "-92233720368547758.08");
    }

    #[test]
    fn times_are_in_shanghai() {
        let date: Date = "2026-03-05".parse().unwrap();
        assert_eq!(time_in_shanghai(date.starts_at()), "2026-03-05T00:00:00.000+08:00");
        assert_eq!(time_in_shanghai(date.starts_at().plus_ms(-1)), "2026-03-04T23:59:59.999+08:00");
        assert_eq!(time_in_shanghai(Time(0)), "1970-01-01T08:00:00.000+08:00");
    }
}
