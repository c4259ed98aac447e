//! Clearing files as rows, one a part, and the differences that they tell of.

use domain::attempt::Rail;
use domain::calendar::Date;
use domain::channel::ChannelName;
use domain::clearing::difference::{Difference, DifferenceId};
use domain::clearing::{Clearing, MAX_DIFFERENCES};
use domain::envelope::Time;
use domain::ids::ClearingId;

use crate::db::{Database, Value};
use crate::error::StoreError;
use crate::list::{Cursor, Filter, Page, Term, list};
use crate::table::Stored;

/// How many files are read at once for their differences.
const FILES: u32 = 16;
/// How many bits of a cursor say which difference of its file it is.
const NUMBER_BITS: u32 = 16;
const _: () = assert!(MAX_DIFFERENCES < 1 << NUMBER_BITS, "a cursor tells the differences of a file apart");

impl Stored for Clearing {
    type Id = ClearingId;
    const TABLE: &'static str = "clearings";
    const COLUMNS: &'static [&'static str] = &["rail", "date", "different", "open_differences"];

    fn id(&self) -> ClearingId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        vec![self.rail.name().into(), self.date.0.into(), self.different.into(), self.open_differences().into()]
    }
}

/// What lists of clearing files may be narrowed by.
#[derive(Debug, Clone, Copy, Default)]
pub struct ClearingFilter {
    /// Of this way.
    pub rail: Option<Rail>,
    /// Of this clearing date.
    pub date: Option<Date>,
}

impl Filter for ClearingFilter {
    type Of = Clearing;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![self.rail.map(|rail| Term::equal("rail", rail.name())), self.date.map(|date| Term::equal("date", date.0))]
    }
}

/// What lists of differences may be narrowed by.
#[derive(Debug, Clone, Copy, Default)]
pub struct DifferenceFilter {
    /// Of files of this way.
    pub rail: Option<Rail>,
    /// Whether it has not ended.
    pub open: Option<bool>,
}

// Of files that list any that are wanted.
impl Filter for DifferenceFilter {
    type Of = Clearing;

    fn terms(&self) -> Vec<Option<Term>> {
        let column = if self.open == Some(true) { "open_differences" } else { "different" };
        vec![self.rail.map(|rail| Term::equal("rail", rail.name())), Some(Term::from(column, 1))]
    }
}

/// A difference with what its file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundDifference {
    /// Its id.
    pub id: DifferenceId,
    /// Whose file told of it.
    pub channel: ChannelName,
    /// The clearing date of that file.
    pub date: Date,
    /// When that file was taken.
    pub since: Time,
    /// What it says.
    pub difference: Difference,
}

/// The differences behind `cursor` (from the first one if `None`) that the filter takes, `limit` of them at most, oldest file first.
///
/// # Errors
/// As [`list`].
pub fn differences(
    database: &Database,
    filter: &DifferenceFilter,
    cursor: Option<Cursor>,
    limit: u32,
) -> Result<Page<FoundDifference>, StoreError> {
    let limit = limit.max(1) as usize;
    let after = cursor.map_or(i64::MIN, |cursor| cursor.0);
    // The file of the last one is read once more: it may have others.
    let mut files = cursor.map(|cursor| Cursor((cursor.0 >> NUMBER_BITS).saturating_sub(1)));
    let (mut data, mut position) = (Vec::new(), None);
    loop {
        let page = list(database, filter, files, FILES)?;
        position = position.or(Some(page.position));
        let found = page.data.iter().flat_map(found_in);
        let wanted = |it: &FoundDifference| filter.open.is_none_or(|open| it.difference.is_open() == open);
        data.extend(found.filter(|it| place(it.id) > after && wanted(it)));
        files = page.next_cursor;
        if files.is_none() || data.len() > limit {
            break;
        }
    }
    let more = data.len() > limit;
    data.truncate(limit);
    let next_cursor = data.last().filter(|_| more).map(|last| Cursor(place(last.id)));
    Ok(Page { data, next_cursor, position: position.unwrap_or_default() })
}

fn found_in(file: &Clearing) -> impl Iterator<Item = FoundDifference> {
    file.numbered().map(move |(id, difference)| {
        let (channel, difference) = (file.channel_name(), difference.clone());
        FoundDifference { id, channel, date: file.date, since: file.taken_at, difference }
    })
}

/// Where it stands among all.
fn place(id: DifferenceId) -> i64 {
    (id.clearing.0 << NUMBER_BITS).cast_signed() | i64::from(id.number)
}
