//! Merging: neighbouring segments of one accounting date become one file with the same rows in the same order.
//!
//! ```text
//!  seg-1-90, seg-91-200, … (ten of level 0)  ─ by (account, entry number) ─►  seg-1-980-1 (level 1)
//!   checksum of each compared first                 a page or so of each in memory, one row group of the new one
//! ```
//! Positions of committed segments of one date never overlap, so of an account all rows of an earlier segment come before
//! those of a later one: an account's run is taken from each segment in turn. On the way each row is checked as `verify`
//! checks it, since the files it comes from will be gone. The new file is the same bytes however often it is made.
//!
//! Until the catalogue names it in the place of the others, the new file does not exist.

use std::vec::IntoIter;

use domain::voucher::PostedEntry;
use store::run::{SegmentKind, SegmentRow};

use crate::History;
use crate::entry::{self, EntryColumns, read_entries};
use crate::error::HistoryError;
use crate::lake_file::{GROUP_ROWS, LakeFile, PAGE_ROWS};
use crate::reader::{File, Span, check_bytes};
use crate::segment::Movement;
use crate::verify::Chain;

/// Rows of a segment in memory at once.
const READ_ROWS: usize = 4 * PAGE_ROWS;
/// Entries gathered at once: what fits the processor's nearest cache.
const GATHERED_ROWS: usize = 256;

/// How often the entries of a segment were merged: 0 as it was cut. Its file's name says so.
#[must_use]
pub fn level(row: &SegmentRow) -> u32 {
    let name = row.path.rsplit('/').next().and_then(|name| name.strip_suffix(".parquet"));
    name.and_then(|name| name.splitn(4, '-').nth(3)?.parse().ok()).unwrap_or(0)
}

/// The path of the segment that `rows` become.
fn merged_path(rows: &[SegmentRow], first: u64, last: u64) -> Option<String> {
    let date = rows.first()?.date;
    let above = rows.iter().map(level).max()?.saturating_add(1);
    Some(format!("lake/entries/dt={date}/seg-{first}-{last}-{above}.parquet"))
}

impl History {
    /// Writes one segment with all rows of `rows`, neighbouring segments of one date in the order of their positions, and
    /// returns its row, to be committed in their place ([`store::run::replace`]). `go_on` is asked before each row group
    /// and may wait; if it says no there is nothing, and no file.
    ///
    /// # Errors
    /// `Broken` for a segment that is not what its row says, and for rows that are no such neighbours; `Io`, `Parquet`.
    pub fn merge(
        &self,
        rows: &[SegmentRow],
        mut go_on: impl FnMut() -> bool,
    ) -> Result<Option<SegmentRow>, HistoryError> {
        check_neighbours(rows)?;
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(None) };
        let (first, last) = (first.first_position, last.last_position);
        let Some(path) = merged_path(rows, first, last) else { return Ok(None) };
        let mut merging = Merging { sources: Vec::with_capacity(rows.len()), chain: Chain::default() };
        for row in rows {
            // What rotted since it was written must not get a new checksum.
            check_bytes(&self.directory, row)?;
            merging.sources.push(Source::open(row, self.open(row)?)?);
        }
        let mut file = LakeFile::create(&self.directory, path.clone(), entry::MESSAGE, 2)?;
        let mut columns = EntryColumns::default();
        let (mut written, mut gathered) = (0_u64, Vec::with_capacity(GATHERED_ROWS));
        loop {
            if !go_on() {
                return Ok(None);
            }
            columns.clear();
            let mut group_rows = 0;
            while group_rows < GROUP_ROWS && merging.gather(&mut gathered)? {
                columns.extend(&gathered.iter().collect::<Vec<_>>());
                group_rows += gathered.len();
                gathered.clear();
            }
            if group_rows == 0 {
                break;
            }
            file.group(|group| columns.write(group))?;
            written += group_rows as u64;
        }
        merging.check_counts()?;
        let bytes = file.commit()?;
        self.footers.written(&path);
        Ok(Some(SegmentRow {
            path,
            kind: SegmentKind::Entries,
            date: rows[0].date,
            first_position: first,
            last_position: last,
            rows: written,
            bytes: bytes.bytes,
            checksum: bytes.checksum,
            min_account: rows.iter().map(|row| row.min_account).min().unwrap_or(0),
            max_account: rows.iter().map(|row| row.max_account).max().unwrap_or(0),
        }))
    }
}

/// Refuses rows that could not be merged without changing what readers see.
fn check_neighbours(rows: &[SegmentRow]) -> Result<(), HistoryError> {
    if let Some(row) = rows.iter().find(|row| row.kind != SegmentKind::Entries) {
        return Err(HistoryError::broken(&row.path, None, "it holds no entries and is not merged"));
    }
    for pair in rows.windows(2) {
        let [before, row] = pair else { continue };
        if row.date != before.date {
            let what = format!("its date is {}, that of {} is {}", row.date, before.path, before.date);
            return Err(HistoryError::broken(&row.path, None, what));
        }
        if row.first_position <= before.last_position {
            let what = format!(
                "it begins at position {} and {} ends at {}",
                row.first_position, before.path, before.last_position
            );
            return Err(HistoryError::broken(&row.path, None, what));
        }
    }
    Ok(())
}

/// The segments being merged, in the order of their positions.
struct Merging<'a> {
    sources: Vec<Source<'a>>,
    chain: Chain,
}

impl Merging<'_> {
    /// Gathers the next entries, at most [`GATHERED_ROWS`]; false if there are none.
    fn gather(&mut self, gathered: &mut Vec<PostedEntry>) -> Result<bool, HistoryError> {
        while gathered.len() < GATHERED_ROWS {
            // The first of those with the lowest account: its numbers are the lowest too.
            let next = self.sources.iter_mut().filter(|source| source.account().is_some());
            let Some(source) = next.min_by_key(|source| source.account()) else { break };
            source.take_run(GATHERED_ROWS - gathered.len(), &mut self.chain, gathered)?;
        }
        Ok(!gathered.is_empty())
    }

    fn check_counts(&self) -> Result<(), HistoryError> {
        for Source { row, taken, .. } in &self.sources {
            if *taken != row.rows {
                let what = format!("it has {taken} rows, the catalogue says {}", row.rows);
                return Err(HistoryError::broken(&row.path, None, what));
            }
        }
        Ok(())
    }
}

/// A segment being read from its first row to its last.
struct Source<'a> {
    row: &'a SegmentRow,
    file: File,
    group: usize,
    next_row: usize,
    loaded: IntoIter<PostedEntry>,
    taken: u64,
}

impl<'a> Source<'a> {
    fn open(row: &'a SegmentRow, file: File) -> Result<Self, HistoryError> {
        let mut source = Self { row, file, group: 0, next_row: 0, loaded: Vec::new().into_iter(), taken: 0 };
        source.load()?;
        Ok(source)
    }

    /// The account of its next entry; `None` at its end.
    fn account(&self) -> Option<u64> {
        self.loaded.as_slice().first().map(|entry| entry.account.0)
    }

    /// Moves at most `limit` entries of its next account over, each checked.
    fn take_run(&mut self, limit: usize, chain: &mut Chain, into: &mut Vec<PostedEntry>) -> Result<(), HistoryError> {
        let Some(account) = self.account() else { return Ok(()) };
        let own = self.loaded.as_slice().iter().take(limit).take_while(|entry| entry.account.0 == account);
        for entry in own.clone() {
            let found = self.check(entry).and_then(|()| chain.see(&Movement::from(entry)));
            found.map_err(|what| HistoryError::broken(&self.row.path, Some(self.taken), what))?;
            self.taken += 1;
        }
        let count = own.count();
        into.extend(self.loaded.by_ref().take(count));
        if self.loaded.as_slice().is_empty() { self.load() } else { Ok(()) }
    }

    fn check(&self, entry: &PostedEntry) -> Result<(), String> {
        let (date, position) = (entry.date, entry.voucher.0);
        if date != self.row.date {
            return Err(format!("its date is {date}, the file's {}", self.row.date));
        }
        if position < self.row.first_position || self.row.last_position < position {
            let range = (self.row.first_position, self.row.last_position);
            return Err(format!("position {position} is outside {}–{}", range.0, range.1));
        }
        Ok(())
    }

    /// Reads its next rows; nothing at its end.
    fn load(&mut self) -> Result<(), HistoryError> {
        while self.group < self.file.groups() {
            let rows = self.file.rows(self.group);
            if self.next_row < rows {
                let end = rows.min(self.next_row + READ_ROWS);
                let span = Span { group: self.group, rows: self.next_row..end };
                self.next_row = end;
                self.loaded = read_entries(&self.file, &span)?.into_iter();
                return Ok(());
            }
            (self.group, self.next_row) = (self.group + 1, 0);
        }
        Ok(())
    }
}
