//! Control totals (控制总数): how many vouchers and entries, what they add up to, and what journal they were read from.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use domain::money::Minor;
use serde::{Deserialize, Serialize};

use crate::cli::day_vouchers::{JournalPlace, Voucher};

/// Debits and credits, in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub(crate) struct Sides {
    pub(crate) debit: i128,
    pub(crate) credit: i128,
}

impl Sides {
    /// Adds an entry.
    pub(crate) fn add(&mut self, is_debit: bool, amount: Minor) {
        let sum = if is_debit { &mut self.debit } else { &mut self.credit };
        *sum += i128::from(amount);
    }
}

/// Debits and credits of a book in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct BookTotal {
    pub(crate) book: String,
    pub(crate) currency: String,
    #[serde(flatten)]
    pub(crate) sides: Sides,
}

/// A day of the export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct DayTotal {
    pub(crate) date: String,
    /// `open`, `cutting` or `closed` when it was read.
    pub(crate) status: String,
    pub(crate) vouchers: u64,
    pub(crate) entries: u64,
}

/// The file that the totals are of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct FileTotal {
    pub(crate) name: String,
    pub(crate) bytes: u64,
    /// SM3 of the whole file.
    pub(crate) sm3: String,
}

/// The control totals of an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Control {
    pub(crate) from: String,
    pub(crate) to: String,
    /// Vouchers with an entry in the file.
    pub(crate) vouchers: u64,
    pub(crate) entries: u64,
    pub(crate) first_voucher: Option<String>,
    pub(crate) last_voucher: Option<String>,
    /// By book and currency.
    pub(crate) totals: Vec<BookTotal>,
    /// Where the journal stood when the last of it was read.
    pub(crate) journal: Option<JournalPlace>,
    pub(crate) days: Vec<DayTotal>,
    pub(crate) file: Option<FileTotal>,
}

impl Control {
    /// The totals of nothing yet.
    pub(crate) fn new(from: String, to: String) -> Self {
        Self {
            from,
            to,
            vouchers: 0,
            entries: 0,
            first_voucher: None,
            last_voucher: None,
            totals: Vec::new(),
            journal: None,
            days: Vec::new(),
            file: None,
        }
    }

    /// Counts a voucher, of which only the entries that the file takes are left.
    pub(crate) fn count(&mut self, voucher: &Voucher) {
        self.vouchers += 1;
        self.entries += voucher.entries.len() as u64;
        self.first_voucher.get_or_insert_with(|| voucher.id.clone());
        self.last_voucher = Some(voucher.id.clone());
    }

    /// A line of header or trailer with its `{names}` filled in.
    ///
    /// # Errors
    /// A name that there is not.
    pub(crate) fn fill(&self, line: &str) -> Result<String> {
        let journal = self.journal.as_ref();
        let or_none = |text: &Option<String>| text.clone().unwrap_or_default();
        let values = [
            ("from", self.from.clone()),
            ("to", self.to.clone()),
            ("vouchers", self.vouchers.to_string()),
            ("entries", self.entries.to_string()),
            ("first_voucher", or_none(&self.first_voucher)),
            ("last_voucher", or_none(&self.last_voucher)),
            ("totals", self.totals_text()),
            ("position", journal.map(|place| place.position.to_string()).unwrap_or_default()),
            ("hash", journal.map(|place| place.hash.clone()).unwrap_or_default()),
        ];
        let (mut out, mut rest) = (String::new(), line);
        while let Some((before, after)) = rest.split_once('{') {
            let (name, behind) =
                after.split_once('}').with_context(|| format!("'{line}' opens a brace and closes none"))?;
            let value = values.iter().find(|(known, _)| *known == name).map(|(_, value)| value);
            let names = || values.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
            out.push_str(before);
            out.push_str(value.with_context(|| format!("'{{{name}}}' is no control total; there are {}", names()))?);
            rest = behind;
        }
        out.push_str(rest);
        Ok(out)
    }

    /// `RESERVE CNY 5000.00 5000.00; OWN CNY …`: debits, then credits, in minor units.
    fn totals_text(&self) -> String {
        let total = |total: &BookTotal| {
            let BookTotal { book, currency, sides } = total;
            format!("{book} {currency} {} {}", sides.debit, sides.credit)
        };
        self.totals.iter().map(total).collect::<Vec<_>>().join("; ")
    }
}

/// Turnover of a subject in one currency.
pub(crate) type Turnovers = BTreeMap<(String, u16, String), Sides>;

#[derive(Deserialize)]
struct Trial {
    lines: Vec<Line>,
}

#[derive(Deserialize)]
struct Line {
    book: String,
    subject: u16,
    currency: String,
    debit: i128,
    credit: i128,
}

/// The turnovers of a day by its trial balance, those that moved.
///
/// # Errors
/// An answer that is no trial balance.
pub(crate) fn turnovers(trial: serde_json::Value) -> Result<Turnovers> {
    let Trial { lines } = serde_json::from_value(trial).context("the trial balance")?;
    let moved = lines.into_iter().filter(|line| line.debit != 0 || line.credit != 0);
    let of = |Line { book, subject, currency, debit, credit }| ((book, subject, currency), Sides { debit, credit });
    Ok(moved.map(of).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_braces_are_filled_in_and_others_refused() {
        let mut control = Control::new("2026-03-05".into(), "2026-03-06".into());
        control.vouchers = 7;
        control.totals =
            vec![BookTotal { book: "OWN".into(), currency: "CNY".into(), sides: Sides { debit: 100, credit: 100 } }];
        let line = control.fill("T|{vouchers}|{from}-{to}|{totals}|{first_voucher}").unwrap();
        assert_eq!(line, "T|7|2026-03-05-2026-03-06|OWN CNY 100 100|");
        assert!(control.fill("{voucher}").unwrap_err().to_string().contains("first_voucher"));
        assert!(control.fill("{vouchers").unwrap_err().to_string().contains("closes none"));
        assert_eq!(control.fill("plain }").unwrap(), "plain }");
    }
}
