//! A batch close (批结算) over the wire: totals, and where they differ the records.
//!
//! ```text
//!  0500 totals ─┬─ equal ──► 00, result 1, a new batch
//!               └─ not ────► 00, result 2 ─► 0320 records … ─► 0320 end ─► 0500 again: the same answer, a new batch
//!
//!  field 48 of 0500: domestic │ foreign, each: debit 12, count 3 │ credit 12, count 3 │ result 1
//!  of 0320: count 2, then 40 digits a record: type 2, trace 6, card number 20, amount 12; of the end: count 4
//! ```
//! These messages carry no MAC in the dialect; they compare and book nothing.

use domain::batch_close::{BatchClose, BatchCloseCommand, BatchTotals, Totals, UploadedRecord};
use domain::{Command, Reply, State};

use super::desk::Desk;
use super::known::{Known, digits};
use super::{Asked, Decision, Told};
use crate::pos::network::CardNetwork;

const TOTALS: u8 = 48;
/// Digits of the totals of one side, with its result.
const SIDE: usize = 31;
/// Digits of a record, and where trace and amount lie in it.
const RECORD: usize = 40;
const RECORD_TRACE: std::ops::Range<usize> = 2..8;
const RECORD_AMOUNT: std::ops::Range<usize> = 28..40;

impl<N: CardNetwork> Desk<N> {
    pub(super) async fn close_batch(&self, asked: &Asked<'_>, known: &Known) -> Result<Told, Decision> {
        let said = digits(asked.message, TOTALS, None).ok_or_else(|| asked.format_error())?;
        let theirs = totals(&said).ok_or_else(|| asked.format_error())?;
        let command = BatchCloseCommand::Close { terminal: known.id, batch: asked.batch()?, theirs };
        let close = self.compared(asked, known, command).await?;
        let mut told = Told::of(&asked.acquirer.codes.approved);
        let result = |ours: Totals, theirs: Totals| if ours == theirs { '1' } else { '2' };
        let (ours, sides) = (close.ours, said.get(..SIDE - 1).zip(said.get(SIDE..2 * SIDE - 1)));
        let (domestic, foreign) = sides.ok_or_else(|| asked.format_error())?;
        let results = (result(ours.domestic, theirs.domestic), result(ours.foreign, theirs.foreign));
        told.fields.set(TOTALS, format!("{domestic}{}{foreign}{}", results.0, results.1));
        Ok(told)
    }

    pub(super) async fn upload_batch(&self, asked: &Asked<'_>, known: &Known) -> Result<Told, Decision> {
        let records = match digits(asked.message, TOTALS, None) {
            Some(said) => records(&said),
            // A transaction by chip comes alone, with its data in the fields of the message.
            None => alone(asked),
        };
        let records = records.ok_or_else(|| asked.format_error())?;
        self.compared(asked, known, BatchCloseCommand::Upload { terminal: known.id, records }).await?;
        Ok(Told::of(&asked.acquirer.codes.approved))
    }

    pub(super) async fn end_upload(&self, asked: &Asked<'_>, known: &Known) -> Result<Told, Decision> {
        let count = digits(asked.message, TOTALS, None).and_then(|said| said.parse().ok());
        let count = count.ok_or_else(|| asked.format_error())?;
        self.compared(asked, known, BatchCloseCommand::EndUpload { terminal: known.id, count }).await?;
        Ok(Told::of(&asked.acquirer.codes.approved))
    }

    async fn compared(
        &self,
        asked: &Asked<'_>,
        known: &Known,
        command: BatchCloseCommand,
    ) -> Result<BatchClose, Decision> {
        let view = |state: &State, reply: &Reply| {
            let Reply::BatchClose(id) = reply else { return None };
            state.batch_close(*id).ok().cloned()
        };
        self.submit(asked.acquirer, known.id, Command::BatchClose(command), view).await
    }
}

fn totals(said: &str) -> Option<BatchTotals> {
    let side = |from: usize| {
        let number = |at: usize, digits: usize| said.get(from + at..from + at + digits)?.parse::<i64>().ok();
        let count = |at: usize| number(at, 3).and_then(|count| u32::try_from(count).ok());
        Some(Totals {
            debit: number(0, 12)?,
            debit_count: count(12)?,
            credit: number(15, 12)?,
            credit_count: count(27)?,
        })
    };
    (said.len() == 2 * SIDE).then(|| Some(BatchTotals { domestic: side(0)?, foreign: side(SIDE)? }))?
}

fn records(said: &str) -> Option<Vec<UploadedRecord>> {
    let count: usize = said.get(..2)?.parse().ok()?;
    let rest = said.get(2..)?;
    let record = |at: usize| {
        let record = rest.get(at * RECORD..(at + 1) * RECORD)?;
        let (trace, amount) = (record.get(RECORD_TRACE)?.parse().ok()?, record.get(RECORD_AMOUNT)?.parse().ok()?);
        Some(UploadedRecord { trace, amount })
    };
    (rest.len() == count.checked_mul(RECORD)?).then(|| (0..count).map(record).collect())?
}

fn alone(asked: &Asked<'_>) -> Option<Vec<UploadedRecord>> {
    let trace = digits(asked.message, 11, None)?.parse().ok()?;
    Some(vec![UploadedRecord { trace, amount: asked.message.amount(4).ok()? }])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_and_records_are_read_from_their_digits_or_not_at_all() {
        let said = concat!(
            "000000012345",
            "002",
            "000000000100",
            "001",
            "0",
            "000000000000",
            "000",
            "000000000000",
            "000",
            "0"
        );
        let domestic = Totals { debit: 12_345, debit_count: 2, credit: 100, credit_count: 1 };
        assert_eq!(totals(said), Some(BatchTotals { domestic, foreign: Totals::default() }));
        assert_eq!(totals(&said[1..]), None);
        assert_eq!(totals(""), None);
        let record = concat!("00", "000077", "62306066010077268880", "000000012345");
        let read = UploadedRecord { trace: 77, amount: 12_345 };
        assert_eq!(records(&format!("02{record}{record}")), Some(vec![read, read]));
        assert_eq!(records("00"), Some(Vec::new()));
        for wrong in ["", "0", "02", &format!("02{record}"), &format!("01{record}0")] {
            assert_eq!(records(wrong), None, "{wrong}");
        }
    }
}
