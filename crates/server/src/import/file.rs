//! The file of the other system, row by row: what can be read of it, and each row that cannot, with its line and reason.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use csv::StringRecord;
use domain::calendar::Date;
use domain::money::Minor;

use super::format::{Column, Format, Sign};

#[cfg(test)]
mod tests;

/// The most bytes of an account's number in the other system.
const ACCOUNT_BYTES: usize = 64;
/// Stands where a byte sequence was none of the encoding.
const REPLACEMENT: char = '\u{fffd}';

/// Which way money went, seen from the imported account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Into it.
    In,
    /// Out of it.
    Out,
}

/// A row that can be posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// The line of the file it begins on, from 1.
    pub(crate) line: u64,
    /// The accounting date.
    pub(crate) date: Date,
    /// The account's number in the other system.
    pub(crate) account: Arc<str>,
    /// In or out.
    pub(crate) way: Way,
    /// Minor units above zero.
    pub(crate) amount: Minor,
    /// The row's own number in the other system.
    pub(crate) reference: Option<Arc<str>>,
    /// The dimension product.
    pub(crate) product: Option<Arc<str>>,
    /// The dimension channel.
    pub(crate) channel: Option<Arc<str>>,
    /// The dimension region.
    pub(crate) region: Option<u32>,
}

/// A row that is not posted, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rejected {
    /// The line of the file it begins on, from 1.
    pub(crate) line: u64,
    /// What was wrong, and what would be right.
    pub(crate) reason: String,
}

/// A file that was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Contents {
    /// How many rows it has, the header aside.
    pub(crate) read: u64,
    /// Those that can be posted, in the file's order.
    pub(crate) rows: Vec<Row>,
    /// The others.
    pub(crate) rejected: Vec<Rejected>,
}

/// Reads a file.
///
/// # Errors
/// A file that cannot be opened, or whose header lacks a column. What is wrong with a row rejects the row alone.
pub(crate) fn read(path: &Path, format: &Format) -> Result<Contents> {
    let bytes = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    parse(&bytes, format).with_context(|| format!("the file {}", path.display()))
}

/// Reads the bytes of a file.
///
/// # Errors
/// As [`read`].
pub(crate) fn parse(bytes: &[u8], format: &Format) -> Result<Contents> {
    let encoding =
        encoding_rs::Encoding::for_label(format.file.encoding.as_bytes()).context("the format was checked")?;
    // A byte order mark is taken off, and says more than the format does.
    let (text, ..) = encoding.decode(bytes);
    let ascii = |mark: char| u8::try_from(mark).context("the format was checked");
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(ascii(format.file.delimiter)?)
        .quote(ascii(format.file.quote)?)
        .has_headers(format.file.header)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let header = if format.file.header { Some(reader.headers().context("its header")?.clone()) } else { None };
    let places = Places::find(format, header.as_ref())?;
    let mut reading =
        Reading { format, places, contents: Contents::default(), texts: BTreeSet::new(), seen: HashMap::new() };
    let (mut record, mut lines) = (StringRecord::new(), Lines { bytes: text.as_bytes(), at: 0, line: 1 });
    loop {
        let begin = reader.position().byte();
        match reader.read_record(&mut record) {
            Ok(false) => return Ok(reading.contents),
            Ok(true) => {
                let (first, last) = lines.of(begin, reader.position().byte());
                reading.take(&record, first, last);
            }
            Err(error) => bail!("line {}: {error}", lines.of(begin, begin).0),
        }
    }
}

/// Counts a file's lines: the reader's own count leaves out those that end in CR LF.
struct Lines<'t> {
    bytes: &'t [u8],
    at: usize,
    line: u64,
}

impl Lines<'_> {
    /// The first and the last line of what lies between two places, the breaks around it aside.
    fn of(&mut self, begin: u64, end: u64) -> (u64, u64) {
        let place = |byte| usize::try_from(byte).unwrap_or(usize::MAX).min(self.bytes.len());
        let (begin, end) = (place(begin), place(end));
        let is_break = |byte: &&u8| matches!(byte, b'\r' | b'\n');
        let within = self.bytes.get(begin..end).unwrap_or_default();
        let before = within.iter().take_while(is_break).count();
        let after = within.iter().rev().take_while(is_break).count();
        let first = self.advance(begin + before);
        (first, self.advance(end.saturating_sub(after).max(begin + before)))
    }

    fn advance(&mut self, to: usize) -> u64 {
        let passed = self.bytes.get(self.at..to).unwrap_or_default();
        let breaks = passed.iter().filter(|byte| **byte == b'\n').count();
        (self.at, self.line) = (to.max(self.at), self.line.saturating_add(u64::try_from(breaks).unwrap_or(u64::MAX)));
        self.line
    }
}

/// Which fields of a record are which columns.
#[derive(Debug)]
struct Places {
    /// How many fields a record has; `None` without a header.
    fields: Option<usize>,
    account: usize,
    date: usize,
    amount: Option<usize>,
    kind: Option<usize>,
    money_in: Option<usize>,
    money_out: Option<usize>,
    reference: Option<usize>,
    product: Option<usize>,
    channel: Option<usize>,
    region: Option<usize>,
}

impl Places {
    fn find(format: &Format, header: Option<&StringRecord>) -> Result<Self> {
        let place = |column: &Column| match (column, header) {
            (Column::Number(number), None) => Ok(number.saturating_sub(1)),
            (Column::Number(number), Some(header)) if *number <= header.len() => Ok(number.saturating_sub(1)),
            (Column::Number(number), Some(header)) => {
                bail!("the format names column {number}, and the header has {}", header.len())
            }
            (Column::Name(name), header) => {
                let header = header.context("the format was checked")?;
                let mut places = header.iter().enumerate().filter(|(_, own)| own == name).map(|(place, _)| place);
                match (places.next(), places.next()) {
                    (Some(place), None) => Ok(place),
                    (None, _) => bail!("no column is called '{name}'; the header has {}", listed(header)),
                    (Some(_), Some(_)) => bail!("two columns are called '{name}'; give the column's number, from 1"),
                }
            }
        };
        let some = |column: &Option<Column>| column.as_ref().map(place).transpose();
        let columns = &format.columns;
        Ok(Self {
            fields: header.map(StringRecord::len),
            account: place(&columns.account)?,
            date: place(&columns.date)?,
            amount: some(&columns.amount)?,
            kind: some(&columns.kind)?,
            money_in: some(&columns.money_in)?,
            money_out: some(&columns.money_out)?,
            reference: some(&columns.reference)?,
            product: some(&columns.product)?,
            channel: some(&columns.channel)?,
            region: some(&columns.region)?,
        })
    }
}

fn listed(header: &StringRecord) -> String {
    header.iter().collect::<Vec<_>>().join(", ")
}

struct Reading<'a> {
    format: &'a Format,
    places: Places,
    contents: Contents,
    /// Each text once: a column repeats a few of them on every row.
    texts: BTreeSet<Arc<str>>,
    /// The line of every reference.
    seen: HashMap<Arc<str>, u64>,
}

impl Reading<'_> {
    fn take(&mut self, record: &StringRecord, line: u64, last: u64) {
        self.contents.read += 1;
        match self.row(record, line) {
            Ok(row) => self.contents.rows.push(row),
            Err(mut reason) => {
                if last > line {
                    reason.push_str(&format!(" (the row goes on to line {last}: is a quote not closed?)"));
                }
                self.contents.rejected.push(Rejected { line, reason });
            }
        }
    }

    fn row(&mut self, record: &StringRecord, line: u64) -> Result<Row, String> {
        if let Some(fields) = self.places.fields.filter(|fields| *fields != record.len()) {
            return Err(format!("it has {} fields, and the header {fields}", record.len()));
        }
        if record.iter().any(|field| field.contains(REPLACEMENT)) {
            return Err(format!("it holds bytes that are no {}", self.format.file.encoding));
        }
        let account = field(record, self.places.account, "account")?;
        if account.is_empty() || account.len() > ACCOUNT_BYTES || account.chars().any(char::is_control) {
            return Err(format!("the account '{account:.64}' is not 1 to {ACCOUNT_BYTES} bytes on one line"));
        }
        let date = self.format.date.parse(field(record, self.places.date, "date")?)?;
        if date < self.format.first_day {
            return Err(format!("{date} is before the first day {}", self.format.first_day));
        }
        let (way, amount) = self.movement(record)?;
        let region = match optional(record, self.places.region, "region")? {
            Some(text) => Some(region(text)?),
            None => None,
        };
        let reference = optional(record, self.places.reference, "reference")?;
        if self.places.reference.is_some() && reference.is_none() {
            return Err("it has no reference".to_owned());
        }
        let product = optional(record, self.places.product, "product")?.map(|text| self.text(text));
        let channel = optional(record, self.places.channel, "channel")?.map(|text| self.text(text));
        let account = self.text(account);
        let reference = reference.map(Arc::<str>::from);
        if let Some(reference) = &reference {
            if let Some(first) = self.seen.get(reference) {
                return Err(format!("the reference '{reference:.64}' stands on line {first} already"));
            }
            self.seen.insert(reference.clone(), line);
        }
        Ok(Row { line, date, account, way, amount, reference, product, channel, region })
    }

    fn movement(&self, record: &StringRecord) -> Result<(Way, Minor), String> {
        let read =
            |place: Option<usize>, name| self.format.amount.parse(field(record, place.unwrap_or_default(), name)?);
        let (way, amount) = match &self.format.sign {
            Sign::Kind { money_in, money_out } => {
                let kind = field(record, self.places.kind.unwrap_or_default(), "kind")?;
                let is_in = |words: &[String]| words.iter().any(|word| word == kind);
                let way = match (is_in(money_in), is_in(money_out)) {
                    (true, _) => Way::In,
                    (_, true) => Way::Out,
                    (false, false) => return Err(format!("the kind '{kind:.32}' is in neither list of [amount]")),
                };
                (way, read(self.places.amount, "amount")?)
            }
            Sign::Signed => {
                let amount = read(self.places.amount, "amount")?;
                let beyond = || "the amount leaves the range of 64-bit minor units".to_owned();
                let way = if amount < 0 { Way::Out } else { Way::In };
                (way, amount.checked_abs().ok_or_else(beyond)?)
            }
            Sign::TwoColumns => {
                // An empty field and a zero both say that nothing moved this way.
                let amount = |place: Option<usize>, name| match optional(record, place, name)? {
                    Some(text) => self.format.amount.parse(text),
                    None => Ok(0),
                };
                match (amount(self.places.money_in, "in")?, amount(self.places.money_out, "out")?) {
                    (money_in, 0) => (Way::In, money_in),
                    (0, money_out) => (Way::Out, money_out),
                    (_, _) => return Err("it has an amount in both columns, in and out".to_owned()),
                }
            }
        };
        match amount {
            0 => Err("the amount is zero; nothing moved".to_owned()),
            amount if amount < 0 => {
                Err("the amount is below zero, and the row says already which way it went".to_owned())
            }
            amount => Ok((way, amount)),
        }
    }

    fn text(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return known.clone();
        }
        let new: Arc<str> = text.into();
        self.texts.insert(new.clone());
        new
    }
}

fn field<'a>(record: &'a StringRecord, place: usize, name: &str) -> Result<&'a str, String> {
    record.get(place).ok_or_else(|| format!("it has {} fields, and '{name}' is column {}", record.len(), place + 1))
}

/// A field that need not be filled.
fn optional<'a>(record: &'a StringRecord, place: Option<usize>, name: &str) -> Result<Option<&'a str>, String> {
    let Some(place) = place else { return Ok(None) };
    Ok(Some(field(record, place, name)?).filter(|text| !text.is_empty()))
}

fn region(text: &str) -> Result<u32, String> {
    let is_code = text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit());
    let code = if is_code { text.parse().ok() } else { None };
    code.ok_or_else(|| format!("the region '{text:.32}' is not six digits (GB/T 2260)"))
}
