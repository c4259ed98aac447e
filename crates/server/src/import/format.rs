//! The format file: what the columns of another system's file mean, and what its rows become. `docs/import.md` teaches it.

use std::path::Path;

use anyhow::{Context, Result, bail};
use domain::account::Owner;
use domain::book::Subject;
use domain::calendar::Date;
use domain::money::Currency;
use domain::voucher::EventCode;
use serde::Deserialize;

use super::amount::AmountForm;
use super::date_form::DateForm;

#[cfg(test)]
mod tests;

/// The most bytes of a stream's name here: keys of accounts hold it too.
const STREAM_BYTES: usize = 40;

/// Everything the format file says, checked.
#[derive(Debug, Clone)]
pub(crate) struct Format {
    /// The stream of the postings.
    pub(crate) stream: String,
    /// The first accounting day; rows before it are rejected.
    pub(crate) first_day: Date,
    /// Which days are cut and closed.
    pub(crate) days: Days,
    /// How the file is written.
    pub(crate) file: FileForm,
    /// Where its columns are.
    pub(crate) columns: Columns,
    /// How dates are written.
    pub(crate) date: DateForm,
    /// How amounts are written.
    pub(crate) amount: AmountForm,
    /// How a row says whether money came in or went out.
    pub(crate) sign: Sign,
    /// What the rows become.
    pub(crate) books: Books,
}

/// Which days are cut and closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Days {
    /// Every day from the first to the last row's.
    Calendar,
    /// Only those with rows.
    Rows,
}

/// How the file is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileForm {
    /// A label of the WHATWG encoding standard.
    #[serde(default = "utf_8")]
    pub(crate) encoding: String,
    /// One ASCII character.
    #[serde(default = "comma")]
    pub(crate) delimiter: char,
    /// One ASCII character.
    #[serde(default = "double_quote")]
    pub(crate) quote: char,
    /// Whether the first row names the columns.
    #[serde(default = "yes")]
    pub(crate) header: bool,
}

/// A column, by the name its header has or by its number from 1.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(crate) enum Column {
    /// Its header.
    Name(String),
    /// Its number, from 1.
    Number(usize),
}

/// Where the columns are.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Columns {
    /// The account's number in the other system.
    pub(crate) account: Column,
    /// The accounting date.
    pub(crate) date: Column,
    /// The amount, unless there are two columns of it.
    pub(crate) amount: Option<Column>,
    /// The word that says in or out.
    pub(crate) kind: Option<Column>,
    /// What came in, where there are two columns.
    #[serde(rename = "in")]
    pub(crate) money_in: Option<Column>,
    /// What went out, where there are two columns.
    #[serde(rename = "out")]
    pub(crate) money_out: Option<Column>,
    /// The row's own number in the other system; no two rows may have the same.
    pub(crate) reference: Option<Column>,
    /// The dimension product.
    pub(crate) product: Option<Column>,
    /// The dimension channel.
    pub(crate) channel: Option<Column>,
    /// The dimension region, six digits.
    pub(crate) region: Option<Column>,
}

/// How a row says whether money came in or went out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sign {
    /// A column holds a word of one of two lists.
    Kind {
        /// In.
        money_in: Vec<String>,
        /// Out.
        money_out: Vec<String>,
    },
    /// Above zero is in, below is out.
    Signed,
    /// One column for in, one for out; a row fills one of them.
    TwoColumns,
}

/// What the rows become.
#[derive(Debug, Clone)]
pub(crate) struct Books {
    /// The currency of all rows.
    pub(crate) currency: Currency,
    /// The subject of the accounts.
    pub(crate) subject: Subject,
    /// Whether they may go below zero.
    pub(crate) overdraft: bool,
    /// The institution's subject on the other side of every row.
    pub(crate) contra: Subject,
    /// Whose the accounts are.
    pub(crate) owner: Owner,
    /// The step of the business that the vouchers book.
    pub(crate) event: EventCode,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    stream: String,
    first_day: String,
    #[serde(default = "every_day")]
    days: Days,
    #[serde(default)]
    file: FileForm,
    columns: Columns,
    date: WireDate,
    amount: WireAmount,
    books: WireBooks,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireDate {
    form: String,
    pivot: Option<u8>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireAmount {
    unit: Unit,
    #[serde(default = "point")]
    decimal_mark: char,
    group_mark: Option<char>,
    sign: WireSign,
    #[serde(default, rename = "in")]
    money_in: Vec<String>,
    #[serde(default, rename = "out")]
    money_out: Vec<String>,
}

/// What an amount counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unit {
    /// The currency's major unit, with decimals.
    Decimal,
    /// Its minor unit, whole.
    Minor,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WireSign {
    Kind,
    Signed,
    TwoColumns,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireBooks {
    currency: String,
    subject: u16,
    #[serde(default)]
    overdraft: bool,
    contra: u16,
    #[serde(default = "institution")]
    owner: String,
    #[serde(default = "imported")]
    event: String,
}

impl Default for FileForm {
    fn default() -> Self {
        Self { encoding: utf_8(), delimiter: comma(), quote: double_quote(), header: true }
    }
}

fn utf_8() -> String {
    "utf-8".to_owned()
}

const fn comma() -> char {
    ','
}

const fn double_quote() -> char {
    '"'
}

const fn point() -> char {
    '.'
}

const fn yes() -> bool {
    true
}

const fn every_day() -> Days {
    Days::Calendar
}

fn institution() -> String {
    "institution".to_owned()
}

fn imported() -> String {
    EventCode::Imported.name().to_owned()
}

impl Format {
    /// Reads a format file.
    ///
    /// # Errors
    /// A file that does not read, and every contradiction in it, named.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("the format file {}", path.display()))
    }

    /// Reads the text of a format file.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let wire: Wire = toml::from_str(text)?;
        let stream = wire.stream;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if stream.is_empty() || stream.len() > STREAM_BYTES || !stream.bytes().all(is_plain) {
            bail!("stream is '{stream:.64}'; use 1 to {STREAM_BYTES} of a–z, A–Z, 0–9, '.', '_', '-'");
        }
        let first_day = wire.first_day.parse().context("first_day")?;
        let books = wire.books.books()?;
        let WireAmount { unit, decimal_mark, group_mark, sign, money_in, money_out } = wire.amount;
        let format = Self {
            stream,
            first_day,
            days: wire.days,
            file: wire.file,
            date: DateForm::new(&wire.date.form, wire.date.pivot).context("[date]")?,
            amount: AmountForm::new(unit, decimal_mark, group_mark, books.currency).context("[amount]")?,
            sign: match sign {
                WireSign::Kind => Sign::Kind { money_in, money_out },
                WireSign::Signed | WireSign::TwoColumns if !(money_in.is_empty() && money_out.is_empty()) => {
                    bail!("[amount] in and out list words of the column 'kind'; they go with sign = \"kind\" alone")
                }
                WireSign::Signed => Sign::Signed,
                WireSign::TwoColumns => Sign::TwoColumns,
            },
            columns: wire.columns,
            books,
        };
        format.file.check()?;
        format.check_columns()?;
        Ok(format)
    }

    fn check_columns(&self) -> Result<()> {
        let Columns { amount, kind, money_in, money_out, .. } = &self.columns;
        let (has_amount, has_kind, has_both) =
            (amount.is_some(), kind.is_some(), money_in.is_some() && money_out.is_some());
        let has_either = money_in.is_some() || money_out.is_some();
        match &self.sign {
            Sign::Kind { money_in, money_out } => {
                if !has_amount || !has_kind || has_either {
                    bail!("sign = \"kind\" takes the columns 'amount' and 'kind', and neither 'in' nor 'out'");
                }
                if money_in.is_empty() || money_out.is_empty() {
                    bail!("sign = \"kind\" takes the words that mean in and those that mean out: [amount] in and out");
                }
                if let Some(word) = money_in.iter().find(|word| money_out.contains(word)) {
                    bail!("'{word}' stands in both lists, in and out; a word means one of them");
                }
            }
            Sign::Signed if !has_amount || has_kind || has_either => {
                bail!("sign = \"signed\" takes the column 'amount', and none of 'kind', 'in', 'out'")
            }
            Sign::TwoColumns if has_amount || has_kind || !has_both => {
                bail!("sign = \"two_columns\" takes the columns 'in' and 'out', and neither 'amount' nor 'kind'")
            }
            Sign::Signed | Sign::TwoColumns => {}
        }
        for column in self.columns.all() {
            match column {
                Column::Name(name) if !self.file.header => {
                    bail!("the column '{name}' is named, and the file has no header; give its number, from 1")
                }
                Column::Number(0) => bail!("columns are counted from 1"),
                Column::Name(_) | Column::Number(_) => {}
            }
        }
        Ok(())
    }
}

impl Columns {
    /// Every column that is named.
    fn all(&self) -> impl Iterator<Item = &Column> {
        let Self { account, date, amount, kind, money_in, money_out, reference, product, channel, region } = self;
        let optional = [amount, kind, money_in, money_out, reference, product, channel, region];
        [account, date].into_iter().chain(optional.into_iter().flatten())
    }
}

impl FileForm {
    fn check(&self) -> Result<()> {
        for (name, mark) in [("delimiter", self.delimiter), ("quote", self.quote)] {
            if !mark.is_ascii() || mark == '\n' || mark == '\r' {
                bail!("[file] {name} is {mark:?}; use one ASCII character that ends no line");
            }
        }
        if self.delimiter == self.quote {
            bail!("[file] delimiter and quote are both {:?}; they must differ", self.quote);
        }
        if encoding_rs::Encoding::for_label(self.encoding.as_bytes()).is_none() {
            bail!("[file] encoding is '{}'; use a label such as utf-8, gb18030 or windows-1250", self.encoding);
        }
        Ok(())
    }
}

impl WireBooks {
    fn books(self) -> Result<Books> {
        let subject_of = |name: &str, code: u16| {
            Subject::from_code(code)
                .with_context(|| format!("[books] {name} is {code}, which is no subject of the chart of accounts"))
        };
        let (subject, contra) = (subject_of("subject", self.subject)?, subject_of("contra", self.contra)?);
        let currency =
            Currency::parse(&self.currency).map_err(|refusal| anyhow::anyhow!("[books] {}", refusal.message))?;
        if !subject.is_held_by_others() || subject == Subject::Agreement {
            bail!("[books] subject is {}; accounts are imported as 2201, 2202, 2203, 2206, 2251 or 9201", self.subject);
        }
        if self.overdraft && subject.never_overdrawn() {
            bail!("[books] accounts of {} are never overdrawn (2201–2206 and 2291); leave overdraft out", self.subject);
        }
        if contra.is_held_by_others() || contra == Subject::CentralBank {
            bail!("[books] contra is {}; name one of the institution's own subjects other than 1101", self.contra);
        }
        if contra.book() != subject.book() {
            bail!(
                "[books] subject {} lies in {} and contra {} in {}; a voucher balances in each book, so name two of one",
                self.subject,
                subject.book().name(),
                self.contra,
                contra.book().name()
            );
        }
        let owner = crate::http::wire::owner(&self.owner, "owner");
        let owner = owner.map_err(|_| {
            anyhow::anyhow!("[books] owner is '{:.64}'; use institution, or the id of a user or merchant", self.owner)
        })?;
        let event = EventCode::parse(&self.event);
        let event = event.with_context(|| format!("[books] event '{:.64}' is no event code", self.event))?;
        Ok(Books { currency, subject, overdraft: self.overdraft, contra, owner, event })
    }
}
