//! The rows of an export: each entry's fields in the order of the template's columns.

use anyhow::{Context, Result};
use domain::book::Subject;
use domain::money::{Currency, Minor};
use history::csv::decimal;

use super::template::{Cell, Field, Template};
use crate::cli::day_vouchers::{Dimensions, Entry, Voucher};

/// One entry and where it stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) voucher: &'a Voucher,
    pub(crate) entry: &'a Entry,
    /// The voucher's number in the file, from 1.
    pub(crate) voucher_number: u64,
    /// The entry's number within the voucher's part of the file, from 1.
    pub(crate) line: usize,
}

impl Template {
    /// The row of titles.
    pub(crate) fn titles(&self) -> Vec<String> {
        self.columns.iter().map(|column| column.title.clone()).collect()
    }

    /// The row of an entry.
    ///
    /// # Errors
    /// A subject that the finance ledger's list lacks, a currency that is not known.
    pub(crate) fn row(&self, place: Place<'_>) -> Result<Vec<String>> {
        let cell = |column: &super::template::Column| match &column.cell {
            Cell::Text(text) => Ok(text.clone()),
            Cell::Field(field) => self.field(*field, place),
        };
        self.columns.iter().map(cell).collect()
    }

    fn field(&self, field: Field, place: Place<'_>) -> Result<String> {
        let Place { voucher, entry, voucher_number, line } = place;
        let nothing = Dimensions::default();
        let dimensions = voucher.dimensions.as_ref().unwrap_or(&nothing);
        let or_empty = |text: &Option<String>| text.clone().unwrap_or_default();
        let is_debit = entry.side == "debit";
        Ok(match field {
            Field::VoucherNumber => voucher_number.to_string(),
            Field::Line => line.to_string(),
            Field::Voucher => voucher.id.clone(),
            Field::Date => self.file.date.of(&voucher.date),
            Field::PostedAt => voucher.posted_at.clone(),
            Field::Event => voucher.event.clone(),
            Field::Business => voucher.business.clone(),
            Field::Account => entry.account.clone(),
            Field::Owner => entry.owner.clone(),
            Field::Subject => entry.subject.to_string(),
            Field::SubjectName => known(entry.subject)?.name().to_owned(),
            Field::SubjectNameZh => known(entry.subject)?.name_zh().to_owned(),
            Field::FinanceSubject => {
                self.subjects.get(&entry.subject).cloned().with_context(|| {
                    format!("{} has an entry on {}, which [subjects] lacks", voucher.id, entry.subject)
                })?
            }
            Field::Book => entry.book.clone(),
            Field::Currency => entry.currency.clone(),
            Field::Side => entry.side.clone(),
            Field::Amount => self.money(entry.amount, entry)?,
            Field::Debit => self.side(is_debit, entry)?,
            Field::Credit => self.side(!is_debit, entry)?,
            Field::Signed => self.money(if is_debit { entry.amount } else { -entry.amount }, entry)?,
            Field::Number => entry.number.to_string(),
            Field::Balance => self.money(entry.balance, entry)?,
            Field::LegalEntity => dimensions.legal_entity.map(|entity| entity.to_string()).unwrap_or_default(),
            Field::Product => or_empty(&dimensions.product),
            Field::Region => dimensions.region.map(|region| format!("{region:06}")).unwrap_or_default(),
            Field::Channel => or_empty(&dimensions.channel),
            Field::Merchant => or_empty(&dimensions.merchant),
            Field::ClearingDate => {
                dimensions.clearing_date.as_ref().map(|date| self.file.date.of(date)).unwrap_or_default()
            }
        })
    }

    fn side(&self, stands: bool, entry: &Entry) -> Result<String> {
        match (stands, self.file.zeros) {
            (true, _) => self.money(entry.amount, entry),
            (false, true) => self.money(0, entry),
            (false, false) => Ok(String::new()),
        }
    }

    fn money(&self, amount: Minor, entry: &Entry) -> Result<String> {
        let text = decimal(amount, currency(&entry.currency)?);
        Ok(if self.file.decimal_mark == '.' { text } else { text.replace('.', ",") })
    }
}

fn known(code: u16) -> Result<Subject> {
    Subject::from_code(code).with_context(|| format!("{code} is no subject that this program knows"))
}

/// A currency that the platform named.
///
/// # Errors
/// One that this program does not know.
pub(crate) fn currency(code: &str) -> Result<Currency> {
    Currency::parse(code).map_err(|refusal| anyhow::anyhow!(refusal.message))
}
