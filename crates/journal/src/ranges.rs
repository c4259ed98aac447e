//! Sealed ranges: rows that left the database, in files of the data directory's `journal` folder.
//!
//! ```text
//!  journal/rows-000000000001-000000004711-000000000000001-000000000093040     row 1 to 4711, positions 1 to 93039
//!  journal/rows-000000004712-…                                                 the next ones, without a gap
//!  journal.db                                                                  from the row behind the last of them on
//! ```
//! A file holds the bytes of [`crate::copy::encode`], row by row. What is read from it is as unchecked as what is read from the
//! database: [`crate::chain::Chain::check`] decides. Where its rows begin is found by one pass over it at its first use.

use std::fs::{self, File};
use std::io::{BufReader, ErrorKind, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::chain::StoredRow;
use crate::copy::{self, HEAD};
use crate::error::{Fault, JournalError};
use crate::rows::PAGE_ROWS;

/// The folder in a data directory.
pub(crate) const FOLDER: &str = "journal";
/// Files whose rows' places are kept in memory: 20 bytes a row.
const KNOWN_FILES: usize = 8;

/// Which rows a file holds, as its name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) first_row: u64,
    pub(crate) last_row: u64,
    /// The position of its first event, or where that would be.
    pub(crate) first: u64,
    /// The position behind its last event.
    pub(crate) next: u64,
}

impl Span {
    pub(crate) fn name(&self) -> String {
        let Self { first_row, last_row, first, next } = self;
        format!("rows-{first_row:012}-{last_row:012}-{first:015}-{next:015}")
    }

    fn parse(name: &str) -> Option<Self> {
        let mut numbers = name.strip_prefix("rows-")?.split('-').map(str::parse::<u64>);
        let mut next = || numbers.next()?.ok();
        let span = Self { first_row: next()?, last_row: next()?, first: next()?, next: next()? };
        (span.name() == name).then_some(span)
    }
}

/// Where a row of a file begins.
#[derive(Debug, Clone, Copy)]
struct Place {
    offset: u64,
    first: u64,
    count: u32,
}

/// The sealed ranges of a data directory, in order.
#[derive(Debug)]
pub(crate) struct Ranges {
    folder: PathBuf,
    spans: Vec<Span>,
    /// The files used last, newest last.
    known: Vec<(u64, Arc<Vec<Place>>)>,
}

impl Ranges {
    /// Finds them.
    ///
    /// # Errors
    /// [`JournalError::Corrupt`] naming the first row of a file that is missing between others, [`JournalError::Io`].
    pub(crate) fn open(data_dir: &Path) -> Result<Self, JournalError> {
        let folder = data_dir.join(FOLDER);
        let mut spans = Vec::new();
        for name in names(&folder)? {
            spans.extend(Span::parse(&name));
        }
        spans.sort_by_key(|span| span.first_row);
        let mut row = 1;
        for span in &spans {
            if span.first_row != row {
                let what = format!("no file of {} holds it; put the file back from a copy", folder.display());
                return Err(Fault { row, position: None, what }.into());
            }
            row = span.last_row + 1;
        }
        Ok(Self { folder, spans, known: Vec::new() })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The last row in them; 0 if there are none.
    pub(crate) fn last_row(&self) -> u64 {
        self.spans.last().map_or(0, |span| span.last_row)
    }

    /// A file was finished.
    pub(crate) fn add(&mut self, span: Span) {
        self.spans.push(span);
    }

    /// Rows from `row` on up to the end of their file; as [`crate::rows::Rows::page`]. None if no file holds it.
    pub(crate) fn page(&mut self, row: u64, max_bytes: usize) -> Result<Vec<StoredRow>, JournalError> {
        let Some(span) = self.holding(row) else { return Ok(Vec::new()) };
        let places = self.places(span)?;
        let Some(at) = places.get(index(row - span.first_row)) else { return Err(self.short(span, row)) };
        let (mut rows, mut bytes) = (Vec::new(), 0);
        let mut reader = self.reader(span, at.offset)?;
        let left = usize::try_from(span.last_row - row + 1).unwrap_or(usize::MAX).min(PAGE_ROWS as usize);
        while rows.len() < left && (rows.is_empty() || bytes < max_bytes.max(1)) {
            let next = next_row(&mut reader).map_err(|error| self.unreadable(span, error))?;
            let Some(next) = next else { return Err(self.short(span, row + rows.len() as u64)) };
            bytes += if next.count > 0 { next.payload.len() } else { 0 };
            rows.push(next);
        }
        Ok(rows)
    }

    /// As [`crate::rows::Rows::head`].
    pub(crate) fn head(&mut self, row: u64) -> Result<Option<StoredRow>, JournalError> {
        let found = self.page(row, 0)?.into_iter().next();
        Ok(found.map(|found| StoredRow { payload: Vec::new(), ..found }))
    }

    /// As [`crate::rows::Rows::floor`].
    pub(crate) fn floor(&mut self, position: u64) -> Result<Option<u64>, JournalError> {
        let holding = self.spans.iter().rfind(|span| span.first <= position && span.first < span.next).copied();
        let Some(span) = holding else { return Ok(None) };
        let places = self.places(span)?;
        let at = places.iter().rposition(|place| place.first <= position && place.count > 0);
        Ok(at.map(|at| span.first_row + at as u64))
    }

    fn holding(&self, row: u64) -> Option<Span> {
        let at = self.spans.partition_point(|span| span.last_row < row);
        self.spans.get(at).filter(|span| span.first_row <= row).copied()
    }

    /// Where the rows of a file begin.
    fn places(&mut self, span: Span) -> Result<Arc<Vec<Place>>, JournalError> {
        if let Some(at) = self.known.iter().position(|(first_row, _)| *first_row == span.first_row) {
            let known = self.known.remove(at);
            let places = known.1.clone();
            self.known.push(known);
            return Ok(places);
        }
        let mut reader = self.reader(span, 0)?;
        let places = find_places(&mut reader).map_err(|error| self.unreadable(span, error))?;
        if self.known.len() == KNOWN_FILES {
            self.known.remove(0);
        }
        let places = Arc::new(places);
        self.known.push((span.first_row, places.clone()));
        Ok(places)
    }

    fn reader(&self, span: Span, offset: u64) -> Result<BufReader<File>, JournalError> {
        let open = || -> std::io::Result<BufReader<File>> {
            let mut file = File::open(self.folder.join(span.name()))?;
            file.seek(SeekFrom::Start(offset))?;
            Ok(BufReader::with_capacity(256 << 10, file))
        };
        open().map_err(|error| self.unreadable(span, error))
    }

    fn unreadable(&self, span: Span, error: std::io::Error) -> JournalError {
        JournalError::io(format!("reading {}", self.folder.join(span.name()).display()), error)
    }

    fn short(&self, span: Span, row: u64) -> JournalError {
        let what = format!("{} ends before it; put the file back from a copy", self.folder.join(span.name()).display());
        Fault { row, position: None, what }.into()
    }
}

/// The names in a folder; none if it is not there.
fn names(folder: &Path) -> Result<Vec<String>, JournalError> {
    let failed = |error| JournalError::io(format!("reading the folder {}", folder.display()), error);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    entries.map(|entry| Ok(entry.map_err(failed)?.file_name().to_string_lossy().into_owned())).collect()
}

/// The next row of a file, unchecked; `None` where it ends, or ends in the middle of a row.
pub(crate) fn next_row(reader: &mut BufReader<File>) -> std::io::Result<Option<StoredRow>> {
    let mut bytes = vec![0; HEAD];
    if !fill(reader, &mut bytes)? {
        return Ok(None);
    }
    let length = copy::payload_length(&bytes);
    // A damaged length must not make room for what is not there.
    let left = reader.get_ref().metadata()?.len();
    if length as u64 > left {
        return Ok(None);
    }
    bytes.resize(HEAD + length, 0);
    let (_, payload) = bytes.split_at_mut(HEAD);
    Ok(if fill(reader, payload)? { copy::decode(&mut bytes.as_slice()) } else { None })
}

fn find_places(reader: &mut BufReader<File>) -> std::io::Result<Vec<Place>> {
    let (mut places, mut offset, mut head) = (Vec::new(), 0, vec![0; HEAD]);
    while fill(reader, &mut head)? {
        let length = copy::payload_length(&head) as u64;
        let (first, count) = copy::events(&head);
        places.push(Place { offset, first, count });
        offset += HEAD as u64 + length;
        reader.seek_relative(i64::try_from(length).unwrap_or(i64::MAX))?;
    }
    Ok(places)
}

/// Fills `bytes`; false where the file ends before.
fn fill(reader: &mut BufReader<File>, bytes: &mut [u8]) -> std::io::Result<bool> {
    match reader.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
