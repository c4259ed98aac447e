//! Verifying everything: the journal by its chain, files and rows by their checksums, and both against a replay.
//!
//! ```text
//!  catalogue ─► each file: bytes, rows, order, chain of balances
//!  journal ─ row by row: checksum, chain ─► replay ─┬ a day is sealed ─► its end-of-day file
//!                                                   ├ keys ─► the table of keys
//!                                                   └ at the store's checkpoint ─► every row and column of every table,
//!                                                                                  every account's entries in history
//! ```
//! Nothing is changed, and nothing that was found ends the walk but a journal that is damaged: what lies behind its damage
//! cannot be replayed. Tables are then looked at by themselves.

mod files;
mod keys;
mod tally;

use std::collections::BTreeSet;
use std::fmt;

use domain::State;
use domain::business_day::{Day, DayStatus};
use domain::calendar::Date;
use engine::{Engine, EngineError, Keys};
use history::{DayBalance, History, HistoryError};
use journal::{JournalError, Reader, Record};
use store::{Checkpoint, Database, SegmentKind, SegmentRow, StoreError};

use self::keys::KeyWalk;
use self::tally::Tallies;
use crate::close::{self, Seals};

/// Accounts of one end-of-day file that are named at most.
const ACCOUNTS_SHOWN: usize = 20;

/// Damages that are named; those behind them are counted.
const NAMED: usize = 10_000;

/// Where damage lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The journal: service stops there; only a backup helps.
    Journal,
    /// A table of the store: rebuilt from the journal.
    Table,
    /// A file of history: rebuilt from the journal.
    File,
    /// An account's entries in history, all files together: rebuilt from the journal.
    Account,
    /// The vault, which nothing rebuilds: put back from a backup. It is not looked at here but by whoever holds its key.
    Vault,
}

impl Part {
    /// Its word in messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Journal => "journal",
            Self::Table => "table",
            Self::File => "file",
            Self::Account => "account",
            Self::Vault => "vault",
        }
    }
}

/// One thing that is not what was written, or not what the journal gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Where.
    pub part: Part,
    /// The table's name, the file's path.
    pub name: String,
    /// The row's id, the account.
    pub id: Option<String>,
    /// The journal's position, where it can be told.
    pub position: Option<u64>,
    /// What was found and what was expected.
    pub what: String,
}

impl Damage {
    /// Damage whose row or position is not known.
    pub fn new(part: Part, name: impl Into<String>, what: impl Into<String>) -> Self {
        Self { part, name: name.into(), id: None, position: None, what: what.into() }
    }

    /// A table, or a row of it, that does not read.
    fn of_store(table: &str, error: StoreError) -> Self {
        let what = error.to_string();
        let StoreError::Corrupt { table, id, reason } = error else { return Self::new(Part::Table, table, what) };
        Self { id: Some(id), ..Self::new(Part::Table, table, reason) }
    }
}

/// What was found so far.
#[derive(Debug, Default)]
struct Found {
    named: Vec<Damage>,
    more: u64,
}

impl Found {
    /// Damage behind which the journal is not compared: it is named first, and always.
    fn add_first(&mut self, damage: Damage) {
        self.named.insert(0, damage);
    }

    fn add(&mut self, damages: impl IntoIterator<Item = Damage>) {
        for damage in damages {
            if self.named.len() < NAMED {
                self.named.push(damage);
            } else {
                self.more += 1;
            }
        }
    }

    /// What was read, or nothing, if it is damaged.
    fn sound<T>(&mut self, table: &str, read: Result<T, StoreError>) -> Option<T> {
        read.map_err(|error| self.add([Damage::of_store(table, error)])).ok()
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.part.name(), self.name)?;
        self.id.iter().try_for_each(|id| write!(f, ", {id}"))?;
        self.position.iter().try_for_each(|position| write!(f, ", position {position}"))?;
        write!(f, ": {}", self.what)
    }
}

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The walk over the journal.
    pub journal: journal::Report,
    /// Where the store stands.
    pub checkpoint: Option<Checkpoint>,
    /// Whether the replay reached it, so that tables and history were compared with it.
    pub compared: bool,
    /// Files looked at.
    pub files: u64,
    /// Accounts whose history was compared.
    pub accounts: u64,
    /// Keys that were compared.
    pub keys: u64,
    /// The highest id of a customer in what could be replayed of the journal; 0 if there is none.
    pub last_customer: u64,
    /// [`crate::digest::of`] the state at the journal's end, if it could be replayed to there.
    pub state: Option<[u8; 32]>,
    /// What is wrong; empty if nothing is.
    pub damages: Vec<Damage>,
    /// How many more damages there are than are named.
    pub more: u64,
}

/// How far a verification is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress<'a> {
    /// This file is looked at, one of so many.
    File(&'a str, usize),
    /// The journal was read up to this position, of so many.
    Journal(u64, u64),
    /// This table is looked at.
    Table(&'a str),
    /// Every account's history is added up.
    Accounts,
}

/// Why it cannot be told whether all is well.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The store cannot be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file cannot be read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// A newer program wrote the journal.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Verifies a data directory that nobody writes. `store` is the tables, or why they cannot be opened.
///
/// # Errors
/// [`VerifyError`]: the disk or a database failed. What is merely wrong is in the report.
pub fn verify(
    journal: &mut Reader,
    store: Result<&Database, String>,
    history: &History,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Report, VerifyError> {
    let last = match journal.tip() {
        Ok(tip) => tip.next.saturating_sub(1),
        // The walk will name it.
        Err(JournalError::Corrupt(_)) => 0,
        Err(error) => return Err(error.into()),
    };
    let mut walk = Walk::begin(store, history, last, progress);
    walk.look_at_files()?;
    let report = journal.verify(|record| walk.take(record))?;
    walk.end(report)
}

/// What is under way.
struct Walk<'a> {
    store: Option<&'a Database>,
    history: &'a History,
    checkpoint: Option<Checkpoint>,
    /// How far files may go: to the checkpoint, or anywhere if that does not read.
    through: u64,
    /// The catalogue reads, so that a file that is not in it is missing.
    has_files: bool,
    files: Vec<SegmentRow>,
    /// Files that are damaged: what is in them is compared with nothing.
    broken: BTreeSet<String>,
    engine: Engine,
    tallies: Tallies,
    keys: KeyWalk,
    seals: Seals,
    found: Found,
    compared: bool,
    accounts: u64,
    /// The journal's last position.
    last: u64,
    /// A row did not fold in: nothing behind it can.
    stuck: bool,
    /// The disk or a database failed.
    failed: Option<VerifyError>,
    progress: &'a mut dyn FnMut(Progress<'_>),
}

impl<'a> Walk<'a> {
    fn begin(
        store: Result<&'a Database, String>,
        history: &'a History,
        last: u64,
        progress: &'a mut dyn FnMut(Progress<'_>),
    ) -> Self {
        let mut found = Found::default();
        let (mut checkpoint, mut files, mut keys) = (None, Vec::new(), KeyWalk::default());
        let (mut through, mut has_files) = (0, true);
        match &store {
            Ok(store) => {
                let latest = found.sound("checkpoint", store::checkpoint::latest(store));
                through = latest.map_or(u64::MAX, |latest| latest.map_or(0, |latest| latest.position));
                checkpoint = latest.flatten();
                let rows = found.sound("runs", store::run::all(store));
                has_files = rows.is_some();
                files = rows.unwrap_or_default();
                let (walk, damages) = KeyWalk::begin(store);
                keys = walk;
                found.add(damages);
            }
            Err(why) => found.add([Damage::new(Part::Table, "store", why.clone())]),
        }
        Self {
            store: store.ok(),
            history,
            checkpoint,
            through,
            has_files,
            files,
            broken: BTreeSet::new(),
            // The store has every row, closed or not, and what came back must be what the events make it.
            engine: Engine::new(State { keep_closed: true, ..State::default() }, Keys::default(), 0),
            tallies: Tallies::default(),
            keys,
            seals: Seals::default(),
            found,
            compared: false,
            accounts: 0,
            last,
            stuck: false,
            failed: None,
            progress,
        }
    }

    /// Every file of the catalogue by itself.
    fn look_at_files(&mut self) -> Result<(), VerifyError> {
        let through = self.through;
        for row in &self.files {
            (self.progress)(Progress::File(&row.path, self.files.len()));
            let what = match self.history.verify(row) {
                Ok(()) if row.last_position > through => {
                    format!("it goes up to position {}, behind the store's checkpoint at {through}", row.last_position)
                }
                Ok(()) => match files::differs(row) {
                    None => continue,
                    Some(what) => what,
                },
                Err(HistoryError::Broken(it)) => it.row.map_or(it.what.clone(), |at| format!("row {at}: {}", it.what)),
                Err(HistoryError::Parquet { source, .. }) => format!("it does not read: {source}"),
                Err(error) => return Err(error.into()),
            };
            self.found.add([Damage::new(Part::File, &row.path, what)]);
            self.broken.insert(row.path.clone());
        }
        Ok(())
    }

    /// Takes the journal's next sound row.
    fn take(&mut self, record: &Record) {
        if record.count == 0 || self.stuck || self.failed.is_some() {
            return;
        }
        let projection = match self.engine.replay(record) {
            Ok(projection) => projection,
            Err(error @ EngineError::Level { .. }) => {
                self.failed = Some(error.into());
                return;
            }
            Err(error) => {
                self.stuck = true;
                let name = format!("row {}", record.row);
                let damage = Damage::new(Part::Journal, name, error.to_string());
                self.found.add_first(Damage { position: Some(record.first), ..damage });
                return;
            }
        };
        (self.progress)(Progress::Journal(projection.last, self.last));
        let Some(checkpoint) = self.checkpoint else { return };
        if projection.last <= checkpoint.position {
            self.failed = self.compare(projection, record, checkpoint).err();
        }
    }

    fn compare(
        &mut self,
        projection: engine::Projection,
        record: &Record,
        checkpoint: Checkpoint,
    ) -> Result<(), VerifyError> {
        let Some(store) = self.store else { return Ok(()) };
        let last = projection.last;
        self.tallies.take(&projection.posted);
        self.found.add(self.keys.take(store, projection));
        for date in self.seals.take(self.engine.state()) {
            self.compare_day(date)?;
        }
        if last == checkpoint.position {
            if record.hash.0 != checkpoint.hash {
                let what = format!("it is of another journal: at position {last} that has hash {}", record.hash);
                self.found.add([Damage { position: Some(last), ..Damage::new(Part::Table, "checkpoint", what) }]);
            }
            self.compare_all(store, last)?;
        }
        Ok(())
    }

    /// The end-of-day file of a day that was just sealed.
    fn compare_day(&mut self, date: Date) -> Result<(), VerifyError> {
        // A batch that closed it too left nothing to compare with.
        let Ok(snapshot) = close::snapshot(self.engine.state(), date) else { return Ok(()) };
        let is_its = |row: &&SegmentRow| {
            (row.kind, row.date, row.last_position) == (SegmentKind::EndOfDay, date, snapshot.sealed)
        };
        let Some(row) = self.files.iter().find(is_its).filter(|row| !self.broken.contains(&row.path)) else {
            return Ok(());
        };
        let told: Vec<DayBalance> = self.history.day_balances(row)?.collect::<Result<_, _>>()?;
        // Holds, freezes and entry numbers in it are of when it was written.
        let figures = |it: &DayBalance| (it.account, it.subject, it.currency, it.posted, it.debit, it.credit);
        let mut told = told.iter().map(figures).peekable();
        let mut shown = 0;
        for own in snapshot.balances.iter().map(figures) {
            let found = told.next_if(|found| found.0 == own.0);
            // An account that was opened between the seal and the writing of the file is in one of them only.
            if found.is_none_or(|found| found == own) || shown == ACCOUNTS_SHOWN {
                continue;
            }
            shown += 1;
            let what = format!("it says {found:?}, the journal gives {own:?} (balance, debits, credits last)");
            let damage = Damage::new(Part::File, &row.path, what);
            self.found.add([Damage { id: Some(own.0.to_string()), position: Some(snapshot.sealed), ..damage }]);
        }
        Ok(())
    }

    /// The tables and history at the checkpoint.
    fn compare_all(&mut self, store: &Database, position: u64) -> Result<(), VerifyError> {
        self.compared = true;
        self.found.add(self.keys.compare(store, position));
        let progress = &mut self.progress;
        let found =
            store::audit::audit(store, Some(self.engine.state()), &mut |table| progress(Progress::Table(table)))?;
        self.found.add(found.into_iter().map(of_table));
        self.look_for_ends();
        if !self.has_files {
            return Ok(());
        }
        // The entries of a damaged file would be missing everywhere; the file is named already.
        let entries = self.files.iter().filter(|row| row.kind == SegmentKind::Entries);
        if entries.clone().any(|row| self.broken.contains(&row.path)) {
            return Ok(());
        }
        (self.progress)(Progress::Accounts);
        let told = Tallies::of_files(self.history, &self.files)?;
        let state = self.engine.state();
        self.accounts = state.accounts.iter().count() as u64;
        self.found.add(self.tallies.compare(&told, state));
        Ok(())
    }

    /// Every closed day has its end-of-day file.
    fn look_for_ends(&mut self) {
        let closed = |day: &&Day| self.has_files && day.status == DayStatus::Closed;
        for day in self.engine.state().days.iter().filter(closed) {
            let end = close::end_of_day(&self.files, day.date).map(|row| row.last_position);
            if end.is_none() || end != day.sealed {
                let what =
                    format!("the day is closed, sealed at {:?}, and has no end-of-day file of that seal", day.sealed);
                self.found.add([Damage::new(Part::File, format!("end of day {}", day.date), what)]);
            }
        }
    }

    fn end(mut self, journal: journal::Report) -> Result<Report, VerifyError> {
        if let Some(failed) = self.failed {
            return Err(failed);
        }
        if let Some(fault) = &journal.fault {
            let damage = Damage::new(Part::Journal, format!("row {}", fault.row), &fault.what);
            self.found.add_first(Damage { position: fault.position, ..damage });
        }
        let is_whole = journal.fault.is_none() && !self.stuck;
        if !self.compared && self.checkpoint.is_none() {
            self.look_for_ends();
        }
        if let (false, Some(store)) = (self.compared, self.store) {
            if let Some(Checkpoint { position, .. }) = self.checkpoint.filter(|_| is_whole) {
                let what = format!("it stands at position {position}, where no row of the journal ends");
                self.found.add([Damage { position: Some(position), ..Damage::new(Part::Table, "checkpoint", what) }]);
            }
            let progress = &mut self.progress;
            let found = store::audit::audit(store, None, &mut |table| progress(Progress::Table(table)))?;
            self.found.add(found.into_iter().map(of_table));
        }
        Ok(Report {
            journal,
            checkpoint: self.checkpoint,
            compared: self.compared,
            files: self.files.len() as u64,
            accounts: self.accounts,
            keys: self.keys.seen,
            last_customer: self.engine.state().customers.next_id().saturating_sub(1),
            state: is_whole.then(|| crate::digest::of(self.engine.state())),
            damages: self.found.named,
            more: self.found.more,
        })
    }
}

fn of_table(damage: store::audit::Damage) -> Damage {
    let store::audit::Damage { table, id, what } = damage;
    Damage { id, ..Damage::new(Part::Table, table, what) }
}
