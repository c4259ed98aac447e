//! Account history: every entry of every account, for ever (账户明细).
//!
//! ```text
//!  projector ─ push ─► Tail (memory, immutable chunks) ─ cut at a checkpoint ─► segment: one Parquet file a date
//!                        │ snapshot                       day closed ─► end of day: one file of all accounts
//!                        └──────────────► statement ◄──────────────────────┘
//!                        opening = EOD(from − 1), lines by (date, entry number), closing = EOD(to)
//! ```
//! - A file exists only if the catalogue of runs ([`store::run::SegmentRow`]) has its row. [`History`] never lists a
//!   directory: it reads the rows it is given, so a file left by a crash is no one's truth.
//! - A file is never changed. It is written under another name, synced, renamed, and its directory synced.
//! - Segments of one date are merged; the files they were are removed once no reader can still want them ([`retired`]).
//! - Readers take the tail's snapshot first and the catalogue after it. What a checkpoint moves between the two is then
//!   seen twice, and told apart by its entry number; the other way round it would be missing.
//! - Nothing here asks the writer of the journal for anything.

pub mod csv;
pub mod end_of_day;
pub mod error;
pub mod merge;
pub mod retired;
pub mod segment;
pub mod statement;
pub mod tail;
pub mod verify;
pub mod voucher;

mod columns;
mod delta;
mod entry;
mod lake_file;
mod numbers;
mod radix;
mod reader;

use std::path::PathBuf;

pub use end_of_day::DayBalance;
pub use error::{Break, HistoryError};
pub use retired::Reading;
pub use segment::Movement;
pub use statement::{Cursor, Line, Statement, StatementQuery};
pub use tail::{Chunk, Snapshot, Tail};
pub use voucher::{KeptVoucher, VoucherPage, VouchersWanted};

/// The files of the lake that hold entries and end-of-day balances. Shared by threads behind an `Arc`.
#[derive(Debug)]
pub struct History {
    directory: PathBuf,
    footers: reader::Footers,
    retired: retired::Retired,
}

impl History {
    /// The history below a data directory. Nothing is read or made yet.
    #[must_use]
    pub fn new(data_directory: impl Into<PathBuf>) -> Self {
        let (footers, retired) = (reader::Footers::default(), retired::Retired::default());
        Self { directory: data_directory.into(), footers, retired }
    }
}
