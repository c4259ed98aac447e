//! Reading files sorted by account: footers are kept, and of a file only the pages of the asked account are read.
//!
//! The first time a file is opened its CRC-32 is compared with its row in the catalogue, so what is decoded is what was
//! written. Footers (with the page index) are kept up to [`FOOTER_BYTES`]; the least recently used goes first.

use std::collections::{HashMap, HashSet};
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use parquet::data_type::Int64Type;
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::page_index::offset_index::PageLocation;
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::statistics::Statistics;
use store::run::SegmentRow;

use crate::History;
use crate::error::HistoryError;

/// Memory for footers. A page takes 24 bytes a column, so a million entries in one segment about a quarter of a megabyte.
const FOOTER_BYTES: usize = 128 << 20;
/// Every file of this crate is sorted by its first column.
const ACCOUNT: usize = 0;

/// Some neighbouring rows of one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) group: usize,
    pub(crate) rows: Range<usize>,
}

/// A committed file, open for reading.
pub(crate) struct File {
    path: String,
    bytes: Arc<Positioned>,
    metadata: Arc<ParquetMetaData>,
}

impl History {
    /// Opens a committed file.
    pub(crate) fn open(&self, row: &SegmentRow) -> Result<File, HistoryError> {
        let file = open_file(&self.directory, row)?;
        let bytes = Arc::new(Positioned { file, length: row.bytes });
        let metadata = match self.footers.get(&row.path) {
            Some(metadata) => metadata,
            None => self.first_open(row, &bytes)?,
        };
        Ok(File { path: row.path.clone(), bytes, metadata })
    }

    fn first_open(&self, row: &SegmentRow, bytes: &Positioned) -> Result<Arc<ParquetMetaData>, HistoryError> {
        if !self.footers.is_checked(&row.path) {
            check_bytes(&self.directory, row)?;
        }
        let metadata = ParquetMetaDataReader::new()
            .with_column_index_policy(PageIndexPolicy::Optional)
            .with_offset_index_policy(PageIndexPolicy::Required)
            .parse_and_finish(bytes)
            .map_err(|error| HistoryError::parquet(format!("reading the footer of {}", row.path), error))?;
        let metadata = Arc::new(metadata);
        self.footers.put(&row.path, Arc::clone(&metadata));
        Ok(metadata)
    }
}

fn open_file(directory: &Path, row: &SegmentRow) -> Result<std::fs::File, HistoryError> {
    std::fs::File::open(directory.join(&row.path)).map_err(|error| {
        if error.kind() == io::ErrorKind::NotFound {
            HistoryError::broken(&row.path, None, "the catalogue names it and it is not there")
        } else {
            HistoryError::io(format!("opening {}", row.path), error)
        }
    })
}

/// Compares a file's length and CRC-32 with its row.
pub(crate) fn check_bytes(directory: &Path, row: &SegmentRow) -> Result<(), HistoryError> {
    let failed = |error| HistoryError::io(format!("reading {}", row.path), error);
    let mut file = open_file(directory, row)?;
    let mut hasher = crc32fast::Hasher::new();
    let mut buffer = vec![0; 1 << 18];
    let mut length = 0;
    loop {
        let count = file.read(&mut buffer).map_err(failed)?;
        if count == 0 {
            break;
        }
        length += count as u64;
        hasher.update(buffer.get(..count).unwrap_or_default());
    }
    if length != row.bytes {
        return Err(HistoryError::broken(
            &row.path,
            None,
            format!("it has {length} bytes, {} were written", row.bytes),
        ));
    }
    let found = hasher.finalize();
    if found != row.checksum {
        let what = format!("its CRC-32 is {found:08x}, {:08x} was written", row.checksum);
        return Err(HistoryError::broken(&row.path, None, what));
    }
    Ok(())
}

impl File {
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn metadata(&self) -> &ParquetMetaData {
        &self.metadata
    }

    pub(crate) fn bytes(&self) -> Arc<Positioned> {
        Arc::clone(&self.bytes)
    }

    /// How many groups it has.
    pub(crate) fn groups(&self) -> usize {
        self.metadata.num_row_groups()
    }

    /// How many rows a group has.
    pub(crate) fn rows(&self, group: usize) -> usize {
        usize::try_from(self.metadata.row_group(group).num_rows()).unwrap_or(0)
    }

    /// The number of a group's first row in the file.
    pub(crate) fn first_row(&self, group: usize) -> u64 {
        (0..group).map(|before| self.rows(before) as u64).sum()
    }

    pub(crate) fn pages(&self, group: usize, column: usize) -> &[PageLocation] {
        let index = self.metadata.offset_index().and_then(|groups| groups.get(group)?.get(column));
        index.map_or(&[], |index| index.page_locations().as_slice())
    }

    pub(crate) fn failed(&self, column: usize, error: ParquetError) -> HistoryError {
        HistoryError::parquet(format!("reading column {column} of {}", self.path), error)
    }

    /// The rows of one account.
    pub(crate) fn locate(&self, account: u64) -> Result<Vec<Span>, HistoryError> {
        let mut spans = Vec::new();
        for group in 0..self.groups() {
            if self.bounds(group).is_some_and(|(low, high)| account < low || high < account) {
                continue;
            }
            let start = self.boundary(group, |other| other < account)?;
            let end = self.boundary(group, |other| other <= account)?;
            if start < end {
                spans.push(Span { group, rows: start..end });
            }
        }
        Ok(spans)
    }

    /// The lowest and the highest account of a group.
    fn bounds(&self, group: usize) -> Option<(u64, u64)> {
        match self.metadata.row_group(group).column(ACCOUNT).statistics()? {
            Statistics::Int64(bounds) => Some((bounds.min_opt()?.cast_unsigned(), bounds.max_opt()?.cast_unsigned())),
            Statistics::Boolean(_)
            | Statistics::Int32(_)
            | Statistics::Int96(_)
            | Statistics::Float(_)
            | Statistics::Double(_)
            | Statistics::ByteArray(_)
            | Statistics::FixedLenByteArray(_) => None,
        }
    }

    /// The first row of a group whose account is not `before`: at most one page is decoded.
    fn boundary(&self, group: usize, before: impl Fn(u64) -> bool) -> Result<usize, HistoryError> {
        let pages = self.pages(group, ACCOUNT);
        let index = self.metadata.column_index().and_then(|groups| groups.get(group)?.get(ACCOUNT));
        let mut rows = 0..self.rows(group);
        if let Some(ColumnIndexMetaData::INT64(index)) = index {
            let page = index.max_values().partition_point(|high| before(high.cast_unsigned()));
            let first_row = |page: usize| pages.get(page).and_then(|page| usize::try_from(page.first_row_index).ok());
            rows = first_row(page).unwrap_or(rows.end)..first_row(page + 1).unwrap_or(rows.end);
            if index.min_values().get(page).is_none_or(|low| !before(low.cast_unsigned())) {
                return Ok(rows.start);
            }
        }
        let accounts = self.read::<Int64Type>(group, rows.clone(), ACCOUNT)?;
        Ok(rows.start + accounts.partition_point(|account| before(account.cast_unsigned())))
    }
}

/// Footers of files that were opened, by path.
#[derive(Default)]
pub(crate) struct Footers {
    state: Mutex<FootersState>,
}

#[derive(Default)]
struct FootersState {
    kept: HashMap<String, Footer>,
    /// Files whose checksum was compared since the process began, or which it wrote.
    checked: HashSet<String>,
    bytes: usize,
    uses: u64,
}

struct Footer {
    metadata: Arc<ParquetMetaData>,
    bytes: usize,
    last_use: u64,
}

impl std::fmt::Debug for Footers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Footers").finish_non_exhaustive()
    }
}

impl Footers {
    fn get(&self, path: &str) -> Option<Arc<ParquetMetaData>> {
        let mut state = self.lock();
        state.uses += 1;
        let use_number = state.uses;
        let footer = state.kept.get_mut(path)?;
        footer.last_use = use_number;
        Some(Arc::clone(&footer.metadata))
    }

    fn is_checked(&self, path: &str) -> bool {
        self.lock().checked.contains(path)
    }

    /// This process wrote the file: it need not be compared with its checksum.
    pub(crate) fn written(&self, path: &str) {
        let mut state = self.lock();
        state.forget(path);
        state.checked.insert(path.to_owned());
    }

    /// The file is removed.
    pub(crate) fn gone(&self, path: &str) {
        let mut state = self.lock();
        state.forget(path);
        state.checked.remove(path);
    }

    fn put(&self, path: &str, metadata: Arc<ParquetMetaData>) {
        let bytes = metadata.memory_size();
        let mut state = self.lock();
        state.forget(path);
        state.checked.insert(path.to_owned());
        while state.bytes + bytes > FOOTER_BYTES {
            let oldest = state.kept.iter().min_by_key(|(_, footer)| footer.last_use).map(|(path, _)| path.clone());
            let Some(oldest) = oldest else { break };
            state.forget(&oldest);
        }
        state.bytes += bytes;
        let last_use = state.uses;
        state.kept.insert(path.to_owned(), Footer { metadata, bytes, last_use });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, FootersState> {
        // A cache: at worst a panic elsewhere left a footer uncounted.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FootersState {
    fn forget(&mut self, path: &str) {
        if let Some(footer) = self.kept.remove(path) {
            self.bytes -= footer.bytes;
        }
    }
}

/// A file read at positions: threads that share it do not share a cursor.
pub(crate) struct Positioned {
    file: std::fs::File,
    length: u64,
}

impl Length for Positioned {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for Positioned {
    type T = io::Cursor<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        // Only the eight bytes at the end are read this way: pages are read by their location.
        let rest = usize::try_from(self.length.saturating_sub(start))?;
        self.get_bytes(start, rest).map(io::Cursor::new)
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let mut buffer = vec![0; length];
        self.file.read_exact_at(&mut buffer, start)?;
        Ok(buffer.into())
    }
}
