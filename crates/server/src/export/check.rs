//! The file read back: what a finance ledger will add up is what the books moved, or it is not published.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use csv::StringRecord;
use domain::money::Minor;

use super::control::{Sides, Turnovers};
use super::rows::currency;
use super::template::{Encoding, Field, Template};
use crate::import::amount::AmountForm;
use crate::import::format::Unit;

#[cfg(test)]
mod tests;

/// What a row of the file says of itself: book, subject, currency, as far as there are columns of them.
type Key = (Option<String>, Option<String>, String);

/// Reads a file back and compares its sums with the turnovers of its days.
///
/// The comparison is as fine as the file's columns: by book, subject and currency where they stand in it.
///
/// # Errors
/// What differs; a file whose columns do not tell its currencies apart.
pub(crate) fn check(template: &Template, bytes: &[u8], rows: u64, moved: &Turnovers) -> Result<()> {
    let only = only_currency(template, moved)?;
    let expected = expected(template, moved);
    let (found, read) = found(template, bytes, rows, only.as_deref())?;
    if read != rows {
        bail!("{rows} rows were written and {read} read back");
    }
    for key in expected.keys().chain(found.keys()) {
        let of = |sums: &BTreeMap<Key, Sides>| sums.get(key).copied().unwrap_or_default();
        let (expected, found) = (of(&expected), of(&found));
        if expected != found {
            let (book, subject, currency) = key;
            let place = [book.as_deref(), subject.as_deref(), Some(currency)]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(" ");
            bail!(
                "{place}: the file says debits {} and credits {}, the trial balance {} and {} (minor units)",
                found.debit,
                found.credit,
                expected.debit,
                expected.credit
            );
        }
    }
    Ok(())
}

/// The currency of a file without a column of it.
fn only_currency(template: &Template, moved: &Turnovers) -> Result<Option<String>> {
    if template.has(Field::Currency) {
        return Ok(None);
    }
    let mut currencies: Vec<&String> = moved.keys().map(|(_, _, currency)| currency).collect();
    currencies.sort_unstable();
    currencies.dedup();
    match currencies.as_slice() {
        [] => Ok(Some("CNY".to_owned())),
        [only] => Ok(Some((*only).clone())),
        _ => bail!("these days moved {currencies:?}, and the template has no column for the currency"),
    }
}

fn expected(template: &Template, moved: &Turnovers) -> BTreeMap<Key, Sides> {
    let mut sums: BTreeMap<Key, Sides> = BTreeMap::new();
    for ((book, subject, currency), sides) in moved {
        let book = template.has(Field::Book).then(|| book.clone());
        let subject = template.has(Field::Subject).then(|| subject.to_string());
        let sum = sums.entry((book, subject, currency.clone())).or_default();
        sum.debit += sides.debit;
        sum.credit += sides.credit;
    }
    sums
}

fn found(template: &Template, bytes: &[u8], rows: u64, only: Option<&str>) -> Result<(BTreeMap<Key, Sides>, u64)> {
    let encoding = match template.file.encoding {
        Encoding::Utf8 => encoding_rs::UTF_8,
        Encoding::Gb18030 => encoding_rs::GB18030,
    };
    let (text, _, had_errors) = encoding.decode(bytes);
    if had_errors {
        bail!("the file does not read in its own encoding");
    }
    let before = template.header.len();
    let body = text.splitn(before + 1, "\r\n").nth(before).context("the file ends in its header")?;
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(u8::try_from(template.file.delimiter).context("the template was checked")?)
        .has_headers(template.file.titles)
        .flexible(true)
        .from_reader(body.as_bytes());
    let mut sums: BTreeMap<Key, Sides> = BTreeMap::new();
    let mut read = 0;
    let mut records = reader.records();
    while read < rows {
        let Some(record) = records.next() else { break };
        let record = record.context("reading the file back")?;
        let code = match only {
            Some(only) => only.to_owned(),
            None => cell(template, &record, Field::Currency)?.to_owned(),
        };
        let (is_debit, amount) = movement(template, &record, &code)?;
        let some = |field: Field| -> Result<Option<String>> {
            template.has(field).then(|| cell(template, &record, field).map(str::to_owned)).transpose()
        };
        sums.entry((some(Field::Book)?, some(Field::Subject)?, code)).or_default().add(is_debit, amount);
        read += 1;
    }
    let behind = records.count();
    if behind != template.trailer.iter().filter(|line| !line.is_empty()).count() {
        bail!("{behind} rows follow the last entry, and the trailer has {} lines", template.trailer.len());
    }
    Ok((sums, read))
}

fn cell<'a>(template: &Template, record: &'a StringRecord, field: Field) -> Result<&'a str> {
    let place = template.place(field).with_context(|| format!("the template has no column {field:?}"))?;
    record.get(place).with_context(|| format!("a row has no column {}", place + 1))
}

/// Whether a row is a debit, and of how much, by the columns that a finance ledger would use.
fn movement(template: &Template, record: &StringRecord, code: &str) -> Result<(bool, Minor)> {
    let form = AmountForm::new(Unit::Decimal, template.file.decimal_mark, None, currency(code)?)?;
    let amount = |field: Field| -> Result<Minor> {
        match cell(template, record, field)? {
            "" => Ok(0),
            text => form.parse(text).map_err(|reason| anyhow::anyhow!(reason)),
        }
    };
    if template.has(Field::Debit) && template.has(Field::Credit) {
        return match (amount(Field::Debit)?, amount(Field::Credit)?) {
            (debit, 0) => Ok((true, debit)),
            (0, credit) => Ok((false, credit)),
            (_, _) => bail!("a row has both a debit and a credit"),
        };
    }
    if template.has(Field::Signed) {
        let amount = amount(Field::Signed)?;
        return Ok((amount > 0, amount.checked_abs().context("an amount beyond 64 bits")?));
    }
    match cell(template, record, Field::Side)? {
        "debit" => Ok((true, amount(Field::Amount)?)),
        "credit" => Ok((false, amount(Field::Amount)?)),
        other => bail!("'{other}' is neither debit nor credit"),
    }
}
