//! A terminal's batch (批): what was approved since it settled last, as totals and as records.

use serde::Serialize;

use super::message::{Kind, Receipt};

/// Records of one upload message.
const RECORDS: usize = 8;
/// Numbers of batches end here and begin again with 1.
const LAST: u32 = 999_999;

/// Sums and counts, in fen. Every card of the sandbox is a domestic one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Totals {
    /// Σ of what cards paid.
    pub debit: i64,
    /// How many.
    pub debit_count: u32,
    /// Σ of what went back.
    pub credit: i64,
    /// How many.
    pub credit_count: u32,
}

/// A settlement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Settled {
    /// The batch that ended.
    pub batch: u32,
    /// Whether the platform counts the same. If not, the terminal sent its records.
    pub balanced: bool,
    /// What the terminal counts.
    pub totals: Totals,
}

/// A record: trace, card, fen, whether the card paid.
#[derive(Debug, Clone)]
struct Record {
    trace: u32,
    card: String,
    amount: i64,
    pays: bool,
}

/// The batch.
#[derive(Debug, Clone)]
pub(super) struct Batch {
    pub(super) number: u32,
    records: Vec<Record>,
}

impl Batch {
    pub(super) fn new(number: u32) -> Self {
        Self { number, records: Vec::new() }
    }

    /// The next one.
    pub(super) fn next(&self) -> Self {
        Self::new(if self.number >= LAST { 1 } else { self.number + 1 })
    }

    /// Takes in what was approved; `about` is the trace of what it is about.
    pub(super) fn take(&mut self, receipt: &Receipt, about: Option<u32>) {
        let pays = match receipt.kind {
            Kind::Sale | Kind::Completion | Kind::CompletionAdvice | Kind::Offline => true,
            Kind::Void | Kind::CompletionVoid | Kind::Refund => false,
            Kind::Tip => {
                let sale = self.records.iter_mut().find(|record| Some(record.trace) == about);
                return sale.into_iter().for_each(|sale| sale.amount += receipt.amount);
            }
            Kind::Balance | Kind::PreAuthorisation | Kind::PreAuthorisationCancel => return,
        };
        let (trace, card, amount) = (receipt.trace, receipt.card.number().to_owned(), receipt.amount);
        self.records.push(Record { trace, card, amount, pays });
    }

    /// How many records there are.
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    pub(super) fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for record in &self.records {
            let (sum, count) = match record.pays {
                true => (&mut totals.debit, &mut totals.debit_count),
                false => (&mut totals.credit, &mut totals.credit_count),
            };
            *sum += record.amount;
            *count += 1;
        }
        totals
    }

    /// F48 of a batch close: domestic, then foreign, of which there is nothing.
    pub(super) fn closing(&self) -> String {
        let Totals { debit, debit_count, credit, credit_count } = self.totals();
        format!("{debit:012}{debit_count:03}{credit:012}{credit_count:03}0{}", "0".repeat(31))
    }

    /// F48 of each message that uploads it.
    pub(super) fn uploads(&self) -> Vec<String> {
        let record = |Record { trace, card, amount, .. }: &Record| format!("00{trace:06}{card:0<20}{amount:012}");
        let message = |part: &[Record]| format!("{:02}{}", part.len(), part.iter().map(record).collect::<String>());
        self.records.chunks(RECORDS).map(message).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal::Card;

    #[test]
    fn a_batch_counts_what_was_paid_and_what_went_back() {
        let receipt = |kind, trace, amount| Receipt {
            kind,
            batch: 3,
            trace,
            amount,
            card: Card::made_up(1),
            date: "0305".into(),
            reference: String::new(),
            authorisation: None,
            balance: None,
        };
        let mut batch = Batch::new(LAST);
        for (kind, trace, amount, tipped) in [
            (Kind::Sale, 1, 10_000, None),
            (Kind::Tip, 2, 500, Some(1)),
            (Kind::PreAuthorisation, 3, 700, None),
            (Kind::Completion, 4, 600, None),
            (Kind::Void, 5, 10_000, None),
            (Kind::Balance, 6, 0, None),
        ] {
            batch.take(&receipt(kind, trace, amount), tipped);
        }
        assert_eq!(batch.totals(), Totals { debit: 11_100, debit_count: 2, credit: 10_000, credit_count: 1 });
        assert_eq!(batch.closing(), format!("0000000111000020000000100000010{}", "0".repeat(31)));
        let uploads = batch.uploads();
        assert_eq!((uploads.len(), uploads[0].len(), &uploads[0][..10]), (1, 2 + 3 * 40, "0300000001"));
        assert_eq!((batch.next().number, batch.next().len()), (1, 0));
    }
}
