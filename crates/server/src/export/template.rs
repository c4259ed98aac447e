//! The template file: which columns a finance ledger wants, and what it calls our subjects. `docs/export.md` teaches it.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use domain::book::{Book, Subject};
use serde::Deserialize;

/// Everything the template says, checked.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    /// How the file is written.
    pub(crate) file: FileForm,
    /// Its columns.
    pub(crate) columns: Vec<Column>,
    /// The books it takes.
    pub(crate) books: Vec<Book>,
    /// What the finance ledger calls our subjects.
    pub(crate) subjects: BTreeMap<u16, String>,
    /// Lines before everything else, with `{names}` of control totals.
    pub(crate) header: Vec<String>,
    /// Lines after everything else, likewise.
    pub(crate) trailer: Vec<String>,
}

/// How the file is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FileForm {
    /// `utf-8` or `gb18030`.
    pub(crate) encoding: Encoding,
    /// A byte order mark, as Excel wants it.
    pub(crate) byte_order_mark: bool,
    /// One ASCII character.
    pub(crate) delimiter: char,
    /// Whether a row of titles stands before the rows.
    pub(crate) titles: bool,
    /// How dates are written.
    pub(crate) date: DateForm,
    /// `.` or `,`.
    pub(crate) decimal_mark: char,
    /// Whether the side on which an entry does not stand is `0.00` instead of empty.
    pub(crate) zeros: bool,
}

impl Default for FileForm {
    fn default() -> Self {
        Self {
            encoding: Encoding::Utf8,
            byte_order_mark: false,
            delimiter: ',',
            titles: true,
            date: DateForm::Dashed,
            decimal_mark: '.',
            zeros: false,
        }
    }
}

/// Of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum Encoding {
    /// Every text.
    #[serde(rename = "utf-8")]
    Utf8,
    /// Every text too, as older Chinese programs read it.
    #[serde(rename = "gb18030")]
    Gb18030,
}

/// How dates are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum DateForm {
    /// `2026-03-05`.
    #[serde(rename = "YYYY-MM-DD")]
    Dashed,
    /// `20260305`.
    #[serde(rename = "YYYYMMDD")]
    Plain,
    /// `2026/03/05`.
    #[serde(rename = "YYYY/MM/DD")]
    Slashed,
}

impl DateForm {
    /// Writes a date given as `2026-03-05`.
    pub(crate) fn of(self, date: &str) -> String {
        match self {
            Self::Dashed => date.to_owned(),
            Self::Plain => date.replace('-', ""),
            Self::Slashed => date.replace('-', "/"),
        }
    }
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    /// What the row of titles calls it.
    pub(crate) title: String,
    /// What stands in it.
    pub(crate) cell: Cell,
}

/// What stands in a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cell {
    /// A field of the entry or its voucher.
    Field(Field),
    /// The same text on every row.
    Text(String),
}

/// A field of an entry or its voucher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Field {
    /// The voucher's number in this file, from 1.
    VoucherNumber,
    /// The entry's number within its voucher, from 1.
    Line,
    /// The voucher's id.
    Voucher,
    /// The accounting date.
    Date,
    /// When it was posted, RFC 3339.
    PostedAt,
    /// The event code.
    Event,
    /// The business number.
    Business,
    /// Our account.
    Account,
    /// Whose it is.
    Owner,
    /// Our subject's code.
    Subject,
    /// Our subject's English name.
    SubjectName,
    /// Our subject's Chinese name.
    SubjectNameZh,
    /// What the finance ledger calls the subject.
    FinanceSubject,
    /// RESERVE, OWN or CUSTODY.
    Book,
    /// ISO 4217.
    Currency,
    /// `debit` or `credit`.
    Side,
    /// The amount, above zero.
    Amount,
    /// The amount of a debit.
    Debit,
    /// The amount of a credit.
    Credit,
    /// The amount, below zero for a credit.
    Signed,
    /// The entry's number within its account.
    Number,
    /// The account's balance after the entry.
    Balance,
    /// Dimension.
    LegalEntity,
    /// Dimension.
    Product,
    /// Dimension.
    Region,
    /// Dimension.
    Channel,
    /// Dimension.
    Merchant,
    /// Dimension.
    ClearingDate,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    #[serde(default)]
    file: FileForm,
    #[serde(default = "all_books")]
    books: Vec<String>,
    columns: Vec<WireColumn>,
    #[serde(default)]
    subjects: BTreeMap<String, String>,
    #[serde(default)]
    header: Vec<String>,
    #[serde(default)]
    trailer: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireColumn {
    title: String,
    field: Option<Field>,
    text: Option<String>,
}

fn all_books() -> Vec<String> {
    Book::ALL.iter().map(|book| book.name().to_owned()).collect()
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// A file that does not read, and every contradiction in it, named.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("the template {}", path.display()))
    }

    /// Reads the text of a template.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let Wire { file, books, columns, subjects, header, trailer } = toml::from_str(text)?;
        if !file.delimiter.is_ascii() || matches!(file.delimiter, '"' | '\n' | '\r') {
            bail!(
                "[file] delimiter is {:?}; use one ASCII character that is no quote and ends no line",
                file.delimiter
            );
        }
        if !matches!(file.decimal_mark, '.' | ',') {
            bail!("[file] decimal_mark is {:?}; use . or ,", file.decimal_mark);
        }
        if file.byte_order_mark && file.encoding != Encoding::Utf8 {
            bail!("[file] byte_order_mark goes with utf-8");
        }
        let template = Self {
            file,
            columns: columns.into_iter().map(WireColumn::column).collect::<Result<_>>()?,
            books: books.iter().map(|name| book(name)).collect::<Result<_>>()?,
            subjects: subjects.into_iter().map(|(code, name)| subject(&code, name)).collect::<Result<_>>()?,
            header,
            trailer,
        };
        template.check()?;
        Ok(template)
    }

    fn check(&self) -> Result<()> {
        if self.books.is_empty() {
            bail!("books is empty; name RESERVE, OWN or CUSTODY, or leave it out for all");
        }
        if let Some(line) = self.header.iter().chain(&self.trailer).find(|line| line.contains(['\n', '\r'])) {
            bail!("a line of header or trailer has a line break in it: {line:?}");
        }
        let says_it: [&[Field]; 3] = [&[Field::Debit, Field::Credit], &[Field::Signed], &[Field::Side, Field::Amount]];
        if !says_it.iter().any(|fields| fields.iter().all(|field| self.has(*field))) {
            bail!("the columns do not say what is a debit: take debit and credit, or signed, or side and amount");
        }
        if self.has(Field::FinanceSubject) && self.subjects.is_empty() {
            bail!("the column finance_subject takes [subjects]: what the finance ledger calls each of ours");
        }
        Ok(())
    }

    /// Whether a column holds the field.
    pub(crate) fn has(&self, field: Field) -> bool {
        self.place(field).is_some()
    }

    /// Which column holds the field.
    pub(crate) fn place(&self, field: Field) -> Option<usize> {
        self.columns.iter().position(|column| column.cell == Cell::Field(field))
    }

    /// Whether it takes a book.
    pub(crate) fn takes(&self, name: &str) -> bool {
        self.books.iter().any(|book| book.name() == name)
    }
}

impl WireColumn {
    fn column(self) -> Result<Column> {
        let cell = match (self.field, self.text) {
            (Some(field), None) => Cell::Field(field),
            (None, Some(text)) => Cell::Text(text),
            (Some(_), Some(_)) | (None, None) => {
                bail!("the column '{}' takes either field or text", self.title)
            }
        };
        Ok(Column { title: self.title, cell })
    }
}

fn book(name: &str) -> Result<Book> {
    let found = Book::ALL.into_iter().find(|book| book.name() == name);
    found.with_context(|| format!("'{name:.32}' is no book; name RESERVE, OWN or CUSTODY"))
}

fn subject(code: &str, name: String) -> Result<(u16, String)> {
    let number = code.parse().ok().filter(|number| Subject::from_code(*number).is_some());
    let number = number.with_context(|| format!("[subjects] '{code:.32}' is no subject of the chart of accounts"))?;
    Ok((number, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "
        columns = [{ title = 'd', field = 'debit' }, { title = 'c', field = 'credit' }, { title = 'x', text = 'LT' }]
    ";

    #[test]
    fn a_short_template_has_defaults() {
        let template = Template::parse(GOOD).unwrap();
        assert_eq!(template.books, Book::ALL);
        assert_eq!((template.file.delimiter, template.file.titles), (',', true));
        assert_eq!(template.place(Field::Credit), Some(1));
        assert_eq!(template.columns[2].cell, Cell::Text("LT".into()));
    }

    #[test]
    fn contradictions_are_named() {
        let cases = [
            ("columns = []", "what is a debit"),
            ("columns = [{ title = 'a', field = 'amount' }]", "what is a debit"),
            ("columns = [{ title = 'a', field = 'colour' }]", "colour"),
            ("columns = [{ title = 'a' }]", "either field or text"),
            ("columns = [{ title = 'a', field = 'debit', text = 'x' }]", "either field or text"),
            ("books = ['OWNS']\ncolumns = [{ title = 'a', field = 'signed' }]", "OWNS"),
            ("books = []\ncolumns = [{ title = 'a', field = 'signed' }]", "books is empty"),
            ("columns = [{ title = 'a', field = 'signed' }]\n[subjects]\n1234 = 'x'", "1234"),
            ("columns = [{ title = 'a', field = 'signed' }, { title = 'f', field = 'finance_subject' }]", "[subjects]"),
            ("columns = [{ title = 'a', field = 'signed' }]\n[file]\ndelimiter = '\"'", "delimiter"),
            ("columns = [{ title = 'a', field = 'signed' }]\n[file]\ndecimal_mark = 'x'", "decimal_mark"),
            (
                "columns = [{ title = 'a', field = 'signed' }]\n[file]\nencoding = 'gb18030'\nbyte_order_mark = true",
                "utf-8",
            ),
            ("header = ['a\\nb']\ncolumns = [{ title = 'a', field = 'signed' }]", "line break"),
            ("colums = []", "colums"),
        ];
        for (text, expected) in cases {
            // A basic string, so that an escape in it is one.
            let text = text.replace("['a\\nb']", "[\"a\\nb\"]");
            let error = format!("{:#}", Template::parse(&text).unwrap_err());
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn dates_follow_the_form() {
        let of = |form: DateForm| form.of("2026-03-05");
        assert_eq!(of(DateForm::Dashed), "2026-03-05");
        assert_eq!(of(DateForm::Plain), "20260305");
        assert_eq!(of(DateForm::Slashed), "2026/03/05");
    }
}
