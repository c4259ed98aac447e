//! End-of-day files: every account as it stood when its day was sealed (日终余额).
//!
//! One file a day and seal, sorted by account: `lake/end_of_day/dt=2026-03-05/run=POSITION/part-0.parquet`, where POSITION
//! is the position at which the day was sealed. A day sealed again after an adjustment gets another file; of the
//! committed ones the one with the highest position counts.

use std::ops::Range;

use domain::book::Subject;
use domain::calendar::Date;
use domain::ids::AccountId;
use domain::money::{Currency, Minor};
use parquet::data_type::{ByteArray, ByteArrayType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use store::run::{SegmentKind, SegmentRow};

use crate::History;
use crate::error::HistoryError;
use crate::lake_file::{GROUP_ROWS, GroupWriter, LakeFile};
use crate::reader::{File, Span};

const MESSAGE: &str = "
    message end_of_day {
        required int64 account (INTEGER(64,false));
        required int32 subject (INTEGER(16,false));
        required binary currency (STRING);
        required int64 posted;
        required int64 held_out;
        required int64 held_in;
        required int64 frozen;
        required int64 debit;
        required int64 credit;
        required int64 entries (INTEGER(64,false));
    }";

/// An account at the end of a day. Amounts are minor units in its currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayBalance {
    /// The account.
    pub account: AccountId,
    /// Its subject.
    pub subject: Subject,
    /// Its currency.
    pub currency: Currency,
    /// EOD(D): all entries dated D or before, on the side on which the subject grows.
    pub posted: Minor,
    /// Reserved to go out.
    pub held_out: Minor,
    /// Announced to come in.
    pub held_in: Minor,
    /// The sum of the precise freezes in force.
    pub frozen: Minor,
    /// The day's debits.
    pub debit: Minor,
    /// The day's credits.
    pub credit: Minor,
    /// The number of its last entry at the seal, entries of later days among them.
    pub entries: u64,
}

impl History {
    /// Writes the end of a day sealed at a position and returns the row to commit.
    ///
    /// # Errors
    /// `Unsorted` unless the balances come by account, each once; `Io`, `Parquet`.
    pub fn write_end_of_day(
        &self,
        date: Date,
        sealed: u64,
        balances: impl IntoIterator<Item = DayBalance>,
    ) -> Result<SegmentRow, HistoryError> {
        let path = format!("lake/end_of_day/dt={date}/run={sealed}/part-0.parquet");
        let mut file = LakeFile::create(&self.directory, path.clone(), MESSAGE, 1)?;
        let mut columns = BalanceColumns::default();
        let (mut rows, mut lowest, mut before) = (0_u64, 0, None);
        for balance in balances {
            match before {
                Some(before) if before >= balance.account => {
                    return Err(HistoryError::Unsorted { before, next: balance.account });
                }
                Some(_) => {}
                None => lowest = balance.account.0,
            }
            before = Some(balance.account);
            rows += 1;
            columns.push(&balance);
            if columns.account.len() == GROUP_ROWS {
                file.group(|group| columns.write(group))?;
                columns = BalanceColumns::default();
            }
        }
        if !columns.account.is_empty() {
            file.group(|group| columns.write(group))?;
        }
        let written = file.commit()?;
        self.footers.written(&path);
        Ok(SegmentRow {
            path,
            kind: SegmentKind::EndOfDay,
            date,
            first_position: 0,
            last_position: sealed,
            rows,
            bytes: written.bytes,
            checksum: written.checksum,
            min_account: lowest,
            max_account: before.map_or(0, |account| account.0),
        })
    }

    /// One account in an end-of-day file; `None` if it was opened later.
    ///
    /// # Errors
    /// `Io`, `Parquet`, `Broken`.
    pub fn day_balance(&self, row: &SegmentRow, account: AccountId) -> Result<Option<DayBalance>, HistoryError> {
        if account.0 < row.min_account || row.max_account < account.0 {
            return Ok(None);
        }
        let file = self.open(row)?;
        let Some(span) = file.locate(account.0)?.into_iter().next() else {
            return Ok(None);
        };
        Ok(read_balances(&file, &span)?.into_iter().next())
    }

    /// Every account of an end-of-day file, by account.
    ///
    /// # Errors
    /// `Io`, `Parquet`, `Broken`.
    pub fn day_balances(&self, row: &SegmentRow) -> Result<DayBalances, HistoryError> {
        Ok(DayBalances { file: self.open(row)?, group: 0, loaded: Vec::new().into_iter() })
    }
}

/// The accounts of an end-of-day file, read a row group at a time.
pub struct DayBalances {
    file: File,
    group: usize,
    loaded: std::vec::IntoIter<DayBalance>,
}

impl std::fmt::Debug for DayBalances {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DayBalances").field("path", &self.file.path()).finish_non_exhaustive()
    }
}

impl Iterator for DayBalances {
    type Item = Result<DayBalance, HistoryError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(balance) = self.loaded.next() {
                return Some(Ok(balance));
            }
            if self.group >= self.file.groups() {
                return None;
            }
            let span = Span { group: self.group, rows: 0..self.file.rows(self.group) };
            self.group += 1;
            match read_balances(&self.file, &span) {
                Ok(balances) => self.loaded = balances.into_iter(),
                Err(error) => {
                    self.group = self.file.groups();
                    return Some(Err(error));
                }
            }
        }
    }
}

#[derive(Default)]
struct BalanceColumns {
    account: Vec<i64>,
    subject: Vec<i32>,
    currency: Vec<ByteArray>,
    posted: Vec<i64>,
    held_out: Vec<i64>,
    held_in: Vec<i64>,
    frozen: Vec<i64>,
    debit: Vec<i64>,
    credit: Vec<i64>,
    entries: Vec<i64>,
}

impl BalanceColumns {
    fn push(&mut self, balance: &DayBalance) {
        self.account.push(balance.account.0.cast_signed());
        self.subject.push(i32::from(balance.subject.code()));
        self.currency.push(ByteArray::from(balance.currency.code()));
        self.posted.push(balance.posted);
        self.held_out.push(balance.held_out);
        self.held_in.push(balance.held_in);
        self.frozen.push(balance.frozen);
        self.debit.push(balance.debit);
        self.credit.push(balance.credit);
        self.entries.push(balance.entries.cast_signed());
    }

    fn write(&self, group: &mut GroupWriter<'_>) -> Result<(), ParquetError> {
        group.numbers(&self.account)?;
        group.numbers(&self.subject)?;
        group.values::<ByteArrayType>(&self.currency, None)?;
        group.numbers(&self.posted)?;
        group.numbers(&self.held_out)?;
        group.numbers(&self.held_in)?;
        group.numbers(&self.frozen)?;
        group.numbers(&self.debit)?;
        group.numbers(&self.credit)?;
        group.numbers(&self.entries)
    }

    fn read(file: &File, group: usize, rows: &Range<usize>) -> Result<Self, HistoryError> {
        let mut columns = 0..;
        let mut next = || columns.next().unwrap_or_default();
        Ok(Self {
            account: file.read::<Int64Type>(group, rows.clone(), next())?,
            subject: file.read::<Int32Type>(group, rows.clone(), next())?,
            currency: file.read::<ByteArrayType>(group, rows.clone(), next())?,
            posted: file.read::<Int64Type>(group, rows.clone(), next())?,
            held_out: file.read::<Int64Type>(group, rows.clone(), next())?,
            held_in: file.read::<Int64Type>(group, rows.clone(), next())?,
            frozen: file.read::<Int64Type>(group, rows.clone(), next())?,
            debit: file.read::<Int64Type>(group, rows.clone(), next())?,
            credit: file.read::<Int64Type>(group, rows.clone(), next())?,
            entries: file.read::<Int64Type>(group, rows.clone(), next())?,
        })
    }
}

fn read_balances(file: &File, span: &Span) -> Result<Vec<DayBalance>, HistoryError> {
    let columns = BalanceColumns::read(file, span.group, &span.rows)?;
    let mut balances = Vec::with_capacity(columns.account.len());
    for row in 0..columns.account.len() {
        let broken = |what: String| {
            HistoryError::broken(file.path(), Some(file.first_row(span.group) + (span.rows.start + row) as u64), what)
        };
        let code = columns.subject[row];
        let subject = u16::try_from(code).ok().and_then(Subject::from_code);
        let text = columns.currency[row].data();
        let currency = Currency::ALL.into_iter().find(|known| known.code().as_bytes() == text);
        balances.push(DayBalance {
            account: AccountId(columns.account[row].cast_unsigned()),
            subject: subject.ok_or_else(|| broken(format!("no subject has the code {code}")))?,
            currency: currency.ok_or_else(|| broken("a currency without books here".to_owned()))?,
            posted: columns.posted[row],
            held_out: columns.held_out[row],
            held_in: columns.held_in[row],
            frozen: columns.frozen[row],
            debit: columns.debit[row],
            credit: columns.credit[row],
            entries: columns.entries[row].cast_unsigned(),
        });
    }
    Ok(balances)
}
