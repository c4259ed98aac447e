//! Monthly batches of a provident-fund centre (公积金中心批次): what is instructed in one file, and what its result file says.

use domain::calendar::Date;
use domain::fund_batch::cut_off::CutOff;
use domain::fund_batch::quota::QuotaRules;
use domain::fund_batch::{FundResultRow, FundRoute};
use domain::money::Minor;

/// The centre behind a channel, as its settings have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FundCentre {
    /// The city, by whatever the centre calls it in its files.
    pub city: String,
    /// To whom it pays.
    pub route: FundRoute,
    /// When the platform closes a month's batch by itself; none if it does not.
    pub cut_off: Option<CutOff>,
    /// The city's rules of how much a lease draws; none if the centre is not asked before a payment.
    pub quota: Option<QuotaRules>,
}

/// A batch to be instructed.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    /// Its number, which the centre knows it by: the same number is the same batch.
    pub number: &'a str,
    /// The city that it was closed for.
    pub city: &'a str,
    /// The month, `2026-03`.
    pub period: &'a str,
    /// When it was closed.
    pub date: Date,
    /// What it asks for.
    pub rows: &'a [BatchRow<'a>],
}

/// A row of an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchRow<'a> {
    /// The try's serial number.
    pub serial: &'a str,
    /// The lease's number at the centre.
    pub contract: &'a str,
    /// Minor units.
    pub amount: Minor,
}

/// A result file whose signature, trailer, count and sum were checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchResult {
    /// Whose it is.
    pub city: String,
    /// Of which batch.
    pub number: String,
    /// The date that what was paid is cleared under.
    pub date: Date,
    /// Its rows as they stand there: one may be missing, or stand there twice.
    pub rows: Vec<FundResultRow>,
}
