//! What the catalogue says of a file beside what its path says: both were written at once, and a column that was changed since
//! would have a statement pass the file over.

use store::{SegmentKind, SegmentRow};

/// In what a row of the catalogue is not of its file's path.
pub(super) fn differs(row: &SegmentRow) -> Option<String> {
    let SegmentRow { path, kind, date, first_position, last_position, .. } = row;
    let begins = match kind {
        SegmentKind::Entries => format!("lake/entries/dt={date}/seg-{first_position}-{last_position}"),
        SegmentKind::EndOfDay if *first_position == 0 => format!("lake/end_of_day/dt={date}/run={last_position}"),
        SegmentKind::EndOfDay => "first position 0".to_owned(),
    };
    let rest = path.strip_prefix(&begins);
    let is_its = rest.is_some_and(|rest| !rest.starts_with(|letter: char| letter.is_ascii_digit()));
    let kind = kind.name();
    (!is_its).then(|| {
        format!(
            "the catalogue says {kind}, date {date}, positions {first_position} to {last_position}; its name does not"
        )
    })
}
