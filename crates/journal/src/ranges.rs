//! Sealed ranges: rows that left the database, in files of a folder or objects of a storage.
//!
//! ```text
//!  journal/rows-000000000001-000000004711-000000000000001-000000000093040     row 1 to 4711, positions 1 to 93039
//!  journal/rows-000000004712-…                                                 the next ones, without a gap
//!  the database                                                                from the row behind the last of them on
//! ```
//! A file holds the bytes of [`crate::copy::encode`], row by row. What is read from it is as unchecked as what is read from the
//! database: [`crate::chain::Chain::check`] decides. Where its rows begin is found by one pass over it at its first use.
//!
//! A writer that was deposed may have named a range that overlaps the next writer's. Both hold the same rows, since what is sealed is
//! never changed; so of two that begin alike the longer one counts, and a row is read from the first that holds it.

use std::cmp::Reverse;
use std::collections::{BTreeSet, VecDeque};
use std::fs::{self, File};
use std::io::{BufReader, ErrorKind, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::chain::StoredRow;
use crate::copy::{self, HEAD};
use crate::error::{Fault, JournalError};
use crate::rows::PAGE_ROWS;
use crate::storage::{RangePlace, Storage};

/// Files whose rows' places are kept in memory: 20 bytes a row.
const KNOWN_FILES: usize = 8;
/// Copies of a storage's ranges that are kept in the folder.
const COPIES: usize = 8;
/// A file being written, unless its writer has one of its own.
const PART: &str = "rows.part";

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

/// The sealed ranges of a journal, in order.
#[derive(Debug)]
pub(crate) struct Ranges {
    /// None if no row ever leaves the database.
    place: Option<RangePlace>,
    part: String,
    spans: Vec<Span>,
    /// The files used last, newest last.
    known: Vec<(u64, Arc<Vec<Place>>)>,
    /// Copies in the folder of what the storage has, oldest first.
    copies: VecDeque<String>,
}

impl Ranges {
    /// Finds them.
    ///
    /// # Errors
    /// [`JournalError::Corrupt`] naming the first row of a file that is missing between others, [`JournalError::Io`].
    pub(crate) fn open(place: &RangePlace) -> Result<Self, JournalError> {
        let mut ranges = Self { place: Some(place.clone()), ..Self::nowhere() };
        ranges.look_again()?;
        Ok(ranges)
    }

    /// Of a journal that has none.
    pub(crate) fn nowhere() -> Self {
        let (spans, known, copies) = (Vec::new(), Vec::new(), VecDeque::new());
        Self { place: None, part: PART.to_owned(), spans, known, copies }
    }

    /// Looks which there are now; whether these are others than were known.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(crate) fn look_again(&mut self) -> Result<bool, JournalError> {
        let Some(RangePlace { folder, storage }) = &self.place else { return Ok(false) };
        let here = names(folder)?;
        let mut all: BTreeSet<String> = here.iter().cloned().collect();
        if let Some(storage) = storage {
            let there = storage
                .names()
                .map_err(|error| JournalError::io(format!("listing the ranges in {storage:?}"), error))?;
            self.copies = here.into_iter().filter(|name| there.contains(name) && Span::parse(name).is_some()).collect();
            all.extend(there);
        }
        let spans = in_order(all.iter().filter_map(|name| Span::parse(name)).collect(), &self.place_name())?;
        let changed = spans != self.spans;
        self.spans = spans;
        Ok(changed)
    }

    /// Has files that are begun bear this epoch: others may write in the same folder.
    pub(crate) fn write_in(&mut self, epoch: u64) {
        self.part = format!("rows-{epoch}.part");
    }

    /// A file in the making.
    pub(crate) fn part(&self) -> PathBuf {
        self.folder().join(&self.part)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.place.as_ref().map_or(Path::new(""), |place| &place.folder)
    }

    /// Where ranges go, if that is not the folder.
    pub(crate) fn storage(&self) -> Option<Arc<dyn Storage>> {
        self.place.as_ref()?.storage.clone()
    }

    fn place_name(&self) -> String {
        match self.storage() {
            Some(storage) => format!("{storage:?}"),
            None => self.folder().display().to_string(),
        }
    }

    /// The last row in them; 0 if there are none.
    pub(crate) fn last_row(&self) -> u64 {
        self.spans.last().map_or(0, |span| span.last_row)
    }

    /// Sees that they are the beginning of the journal whose last row in the database is `last`: that one never leaves it.
    ///
    /// # Errors
    /// [`JournalError::Corrupt`] if they go on behind it.
    pub(crate) fn refuse_others(&self, last: Option<u64>) -> Result<(), JournalError> {
        let (held, last) = (self.last_row(), last.unwrap_or(0));
        if held == 0 || held < last {
            return Ok(());
        }
        let what = format!(
            "{} holds rows up to {held} and the database ends with row {last}: they are of another journal, or of this one \
             before it was restored; name a place of its own for this journal's",
            self.place_name()
        );
        Err(Fault { row: last + 1, position: None, what }.into())
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

    fn reader(&mut self, span: Span, offset: u64) -> Result<BufReader<File>, JournalError> {
        let mut open = || -> std::io::Result<BufReader<File>> {
            let mut file = self.file(span)?;
            file.seek(SeekFrom::Start(offset))?;
            Ok(BufReader::with_capacity(256 << 10, file))
        };
        open().map_err(|error| self.unreadable(span, error))
    }

    /// The file in the folder, copied there from the storage if it is not there.
    fn file(&mut self, span: Span) -> std::io::Result<File> {
        let (name, folder) = (span.name(), self.folder().to_owned());
        let path = folder.join(&name);
        match (File::open(&path), self.storage()) {
            (Err(error), Some(storage)) if error.kind() == ErrorKind::NotFound => {
                let bytes = storage.read(&name)?;
                fs::create_dir_all(&folder)?;
                let part = folder.join(format!("copy-{}.part", std::process::id()));
                fs::write(&part, bytes)?;
                fs::rename(&part, &path)?;
                self.copies.push_back(name);
                if self.copies.len() > COPIES {
                    // What cannot be removed takes room and nothing else.
                    self.copies.pop_front().and_then(|oldest| fs::remove_file(folder.join(oldest)).ok());
                }
                File::open(&path)
            }
            (opened, _) => opened,
        }
    }

    fn unreadable(&self, span: Span, error: std::io::Error) -> JournalError {
        JournalError::io(format!("reading {}/{}", self.place_name(), span.name()), error)
    }

    fn short(&self, span: Span, row: u64) -> JournalError {
        let what =
            format!("{} ends before it; put the file back from a copy", self.folder().join(span.name()).display());
        Fault { row, position: None, what }.into()
    }
}

/// The spans that hold every row once or, where they overlap, twice; those that others hold whole are left out.
fn in_order(mut spans: Vec<Span>, place: &str) -> Result<Vec<Span>, JournalError> {
    spans.sort_by_key(|span| (span.first_row, Reverse(span.last_row)));
    let (mut row, mut kept) = (1, Vec::new());
    for span in spans {
        if span.first_row > row {
            let what = format!("no file of {place} holds it; put the file back from a copy");
            return Err(Fault { row, position: None, what }.into());
        }
        if span.last_row >= row {
            row = span.last_row + 1;
            kept.push(span);
        }
    }
    Ok(kept)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(spans: &[(u64, u64)]) -> Result<Vec<(u64, u64)>, JournalError> {
        let span =
            |(first_row, last_row): &(u64, u64)| Span { first_row: *first_row, last_row: *last_row, first: 1, next: 1 };
        let kept = in_order(spans.iter().map(span).collect(), "the place")?;
        Ok(kept.into_iter().map(|span| (span.first_row, span.last_row)).collect())
    }

    #[test]
    fn ranges_may_overlap_and_not_leave_a_gap() {
        assert_eq!(kept(&[]).unwrap(), []);
        assert_eq!(kept(&[(11, 20), (1, 10)]).unwrap(), [(1, 10), (11, 20)]);
        assert_eq!(kept(&[(1, 10), (1, 12), (5, 9), (11, 20), (13, 30)]).unwrap(), [(1, 12), (11, 20), (13, 30)]);
        for (gap, row) in [(vec![(2, 10)], "row 1:"), (vec![(1, 10), (12, 20)], "row 11:")] {
            let error = kept(&gap).unwrap_err().to_string();
            assert!(error.contains(row) && error.contains("put the file back"), "{error}");
        }
    }
}
