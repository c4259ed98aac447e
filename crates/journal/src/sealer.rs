//! Sealing: the oldest rows leave the database for files, step by step, while no batch waits.
//!
//! ```text
//!              more than `keep` lies in the database
//!  Nothing ───────────────────────────────────────────► Copying ─ a range is full ─► Checking ─ renamed ─► Forgetting ─► Nothing
//!    │                                                    │ 1 MiB a step, synced        │ read back from the disk, the chain checked
//!    │                                                    │                             └─ to a storage: Sending ─► read back ─┘
//!    │                                                    └──── the disk refuses: the file goes away, tried again later
//!    └─ a file holds rows that the database holds too, as a stop before the deletion leaves it ─► Proving ─► Forgetting
//! ```
//! Invariants: a row is deleted only once a range that was read back holds it; the last row never leaves, so that the fence and
//! the journal's end are in the database. A stop at any step leaves each row in the database, in a range, or in both.

use std::fs::{self, File};
use std::io::{self, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

use crate::chain::Chain;
use crate::copy;
use crate::error::{Fault, JournalError};
use crate::page_cache;
use crate::ranges::{Ranges, Span, next_row};
use crate::record::Hash;
use crate::rows::{self, Rows};
use crate::storage::Storage;

/// Bytes of one step at most.
const STEP_BYTES: usize = 1 << 20;
/// Bytes of a file at most, and one row more.
const RANGE_BYTES: u64 = 64 << 20;

/// What sealing asks of a database, whose rows it reads with those of the ranges before them.
pub(crate) trait Sealable: Rows {
    fn ranges(&self) -> &Ranges;

    fn ranges_mut(&mut self) -> &mut Ranges;

    /// The first row that is in the database.
    fn first(&mut self) -> Result<Option<u64>, JournalError>;

    /// Whether more than so many bytes lie in it; `None` if that takes another step to tell.
    fn holds_over(&mut self, bytes: u64) -> Result<Option<bool>, JournalError>;

    /// Deletes rows that lie in ranges, `max_bytes` of payload or a little more; whether there are more of them.
    fn forget_sealed(&mut self, max_bytes: usize) -> Result<bool, JournalError>;
}

/// How much may lie in the database before rows leave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Bytes of the database that stay.
    pub database: u64,
    /// Bytes of rows in a file.
    pub range: u64,
}

impl Keep {
    /// The newest `database` bytes stay; older rows leave in files of 64 MiB, or of `database` bytes where that is less.
    #[must_use]
    pub const fn newest(database: u64) -> Self {
        Self { database, range: if database < RANGE_BYTES { database } else { RANGE_BYTES } }
    }
}

/// What a step of sealing came to.
#[derive(Debug)]
pub enum Sealing {
    /// Nothing is to be done.
    Idle,
    /// Something was done, and there is more.
    More,
    /// A file was finished, and there is more.
    Sealed,
    /// A file is on its way to where it goes; a later step sees to it.
    Waiting,
    /// The file could not be written or read back; the journal is as it was, and a later step begins anew.
    Failed(JournalError),
}

/// Seals the rows of a database.
#[derive(Debug)]
pub(crate) struct Sealer {
    keep: Keep,
    doing: Doing,
}

#[derive(Debug)]
enum Doing {
    Nothing,
    Copying(Draft),
    Checking(Draft, Box<BufReader<File>>),
    Sending(Draft, Span, JoinHandle<io::Result<()>>),
    /// What files hold is read once more, after the chain so far.
    Proving(Chain),
    Forgetting,
}

/// A file in the making.
#[derive(Debug)]
struct Draft {
    path: PathBuf,
    file: File,
    span: Span,
    bytes: u64,
    /// Before its first row.
    before: Chain,
    /// After its last one; while it is checked, after the last one that was read back.
    chain: Chain,
    /// The hash of its last row.
    hash: Hash,
}

impl Sealer {
    pub(crate) const fn new(keep: Keep) -> Self {
        Self { keep, doing: Doing::Nothing }
    }

    /// Bytes of one step. After so many new ones it is worth a look whether something is to be done.
    pub(crate) fn step_bytes(&self) -> usize {
        usize::try_from(self.keep.range / 4).unwrap_or(usize::MAX).min(STEP_BYTES)
    }

    /// One step: some milliseconds of a disk.
    ///
    /// # Errors
    /// Those of the database, and [`JournalError::Corrupt`] if a row is not what was written.
    pub(crate) fn step(&mut self, rows: &mut dyn Sealable) -> Result<Sealing, JournalError> {
        match std::mem::replace(&mut self.doing, Doing::Nothing) {
            Doing::Nothing => self.begin(rows),
            Doing::Copying(draft) => self.copy(rows, draft),
            Doing::Checking(draft, reader) => self.check(rows, draft, reader),
            Doing::Sending(draft, span, sending) => Ok(self.sent(rows, draft, span, sending)),
            Doing::Proving(chain) => self.prove(rows, chain),
            Doing::Forgetting => {
                let more = rows.forget_sealed(self.step_bytes())?;
                self.doing = if more { Doing::Forgetting } else { Doing::Nothing };
                Ok(Sealing::More)
            }
        }
    }

    fn begin(&mut self, rows: &mut dyn Sealable) -> Result<Sealing, JournalError> {
        let Some(first_row) = rows.first()? else { return Ok(Sealing::Idle) };
        if first_row <= rows.ranges().last_row() {
            self.doing = Doing::Proving(rows::chain_at(rows, first_row - 1)?);
            return Ok(Sealing::More);
        }
        match rows.holds_over(self.keep.database.saturating_add(self.keep.range))? {
            None => return Ok(Sealing::More),
            Some(false) => return Ok(Sealing::Idle),
            Some(true) => {}
        }
        let before = rows::chain_at(rows, first_row - 1)?;
        Ok(self.or_later(Draft::create(rows.ranges(), first_row, before).map(Doing::Copying)))
    }

    /// Reads what files say of rows that the database has too, before it forgets them.
    fn prove(&mut self, rows: &mut dyn Sealable, mut chain: Chain) -> Result<Sealing, JournalError> {
        let last = rows.ranges().last_row();
        let page = match rows.ranges_mut().page(chain.row + 1, self.step_bytes()) {
            Ok(page) => page,
            Err(error) => return Ok(Sealing::Failed(error)),
        };
        if page.is_empty() {
            return Ok(Sealing::Idle);
        }
        for stored in page {
            if let Err(fault) = chain.check(stored) {
                return Ok(Sealing::Failed(fault.into()));
            }
        }
        if chain.row < last {
            self.doing = Doing::Proving(chain);
            return Ok(Sealing::More);
        }
        if rows::chain_at(rows, last)?.hash != chain.hash {
            let what = "a sealed file has another row than the database; the file is of another journal".to_owned();
            return Ok(Sealing::Failed(Fault { row: last, position: None, what }.into()));
        }
        self.doing = Doing::Forgetting;
        Ok(Sealing::More)
    }

    fn copy(&mut self, rows: &mut dyn Sealable, mut draft: Draft) -> Result<Sealing, JournalError> {
        let last = rows.last()?.unwrap_or(0);
        let mut bytes = Vec::new();
        for stored in rows.page(draft.chain.row + 1, self.step_bytes())? {
            if u64::try_from(stored.row).is_ok_and(|row| row >= last) {
                break;
            }
            let record = draft.chain.check(stored)?;
            copy::encode(&record, &mut bytes);
        }
        let ended = bytes.is_empty();
        draft.bytes += bytes.len() as u64;
        let written = draft.file.write_all(&bytes).and_then(|()| draft.file.sync_data());
        if let Err(error) = written {
            return Ok(Sealing::Failed(draft.failed("writing", error)));
        }
        if !ended && draft.bytes < self.keep.range {
            self.doing = Doing::Copying(draft);
            return Ok(Sealing::More);
        }
        if draft.bytes == 0 {
            draft.remove();
            return Ok(Sealing::Idle);
        }
        Ok(self.or_later(draft.read_back()))
    }

    fn check(
        &mut self,
        rows: &mut dyn Sealable,
        mut draft: Draft,
        mut reader: Box<BufReader<File>>,
    ) -> Result<Sealing, JournalError> {
        let mut bytes = 0;
        while bytes < self.step_bytes() {
            let checked = match next_row(&mut reader) {
                Ok(Some(stored)) => {
                    bytes += stored.payload.len().max(1);
                    draft.chain.check(stored).map(drop).map_err(JournalError::from)
                }
                Ok(None) => return self.finish(rows, draft),
                Err(error) => Err(JournalError::io(format!("reading {}", draft.path.display()), error)),
            };
            if let Err(error) = checked {
                draft.remove();
                return Ok(Sealing::Failed(error));
            }
        }
        self.doing = Doing::Checking(draft, reader);
        Ok(Sealing::More)
    }

    fn finish(&mut self, rows: &mut dyn Sealable, draft: Draft) -> Result<Sealing, JournalError> {
        if draft.chain.hash != draft.hash {
            let (row, what) = (draft.chain.row + 1, format!("{} ends before it", draft.path.display()));
            draft.remove();
            return Ok(Sealing::Failed(Fault { row, position: None, what }.into()));
        }
        let span = Span { last_row: draft.chain.row, next: draft.chain.tip.next, ..draft.span };
        let Some(storage) = rows.ranges().storage() else { return Ok(self.name(rows, draft, span)) };
        // It takes longer than a batch may wait.
        let (path, name) = (draft.path.clone(), span.name());
        let sending = thread::Builder::new().name("ranges".into()).spawn(move || send(&*storage, &path, &name));
        let sending = sending.map_err(|error| draft.failed("sending", error));
        let next = sending.map(|sending| Doing::Sending(draft, span, sending));
        let begun = self.or_later(next);
        Ok(if matches!(begun, Sealing::More) { Sealing::Waiting } else { begun })
    }

    fn name(&mut self, rows: &mut dyn Sealable, draft: Draft, span: Span) -> Sealing {
        let folder = rows.ranges().folder();
        let named = fs::rename(&draft.path, folder.join(span.name()))
            .and_then(|()| File::open(folder).and_then(|folder| folder.sync_all()));
        if let Err(error) = named {
            return Sealing::Failed(draft.failed("naming", error));
        }
        self.named(rows, span)
    }

    fn named(&mut self, rows: &mut dyn Sealable, span: Span) -> Sealing {
        rows.ranges_mut().add(span);
        self.doing = Doing::Forgetting;
        Sealing::Sealed
    }

    fn sent(
        &mut self,
        rows: &mut dyn Sealable,
        draft: Draft,
        span: Span,
        sending: JoinHandle<io::Result<()>>,
    ) -> Sealing {
        if !sending.is_finished() {
            self.doing = Doing::Sending(draft, span, sending);
            return Sealing::Waiting;
        }
        let sent = sending.join().unwrap_or_else(|_| Err(io::Error::other("the thread that sent it panicked")));
        if let Err(error) = sent {
            return Sealing::Failed(draft.failed("sending", error));
        }
        draft.remove();
        self.named(rows, span)
    }

    fn or_later(&mut self, next: Result<Doing, JournalError>) -> Sealing {
        match next {
            Ok(doing) => {
                self.doing = doing;
                Sealing::More
            }
            Err(error) => Sealing::Failed(error),
        }
    }
}

/// Sends a file, and reads back what then is there.
fn send(storage: &dyn Storage, path: &Path, name: &str) -> io::Result<()> {
    let bytes = fs::read(path)?;
    storage.write(name, bytes.clone())?;
    if storage.read(name)? == bytes {
        Ok(())
    } else {
        Err(io::Error::other("it gives back other bytes than were sent"))
    }
}

impl Draft {
    fn create(ranges: &Ranges, first_row: u64, before: Chain) -> Result<Self, JournalError> {
        let path = ranges.part();
        let create = || -> io::Result<File> {
            fs::create_dir_all(ranges.folder())?;
            if let Some(data_dir) = ranges.folder().parent() {
                File::open(data_dir)?.sync_all()?;
            }
            File::create(&path)
        };
        let file = create().map_err(|error| JournalError::io(format!("making {}", path.display()), error))?;
        let span = Span { first_row, last_row: first_row, first: before.tip.next, next: before.tip.next };
        Ok(Self { path, file, span, bytes: 0, before, chain: before, hash: before.hash })
    }

    /// Has it read from its beginning, from the disk.
    fn read_back(mut self) -> Result<Doing, JournalError> {
        let reader = page_cache::forget(&self.path).and_then(|()| File::open(&self.path));
        match reader {
            Ok(file) => {
                (self.hash, self.chain) = (self.chain.hash, self.before);
                Ok(Doing::Checking(self, Box::new(BufReader::with_capacity(256 << 10, file))))
            }
            Err(error) => Err(self.failed("reading", error)),
        }
    }

    fn failed(&self, doing: &str, error: io::Error) -> JournalError {
        self.remove();
        JournalError::io(format!("{doing} {}", self.path.display()), error)
    }

    /// Takes the file away; the next one that is begun would be written over it all the same.
    fn remove(&self) {
        fs::remove_file(&self.path).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Batch, Record};
    use crate::{DirectoryLock, Journal, Reader, Sqlite};

    const KEEP: Keep = Keep { database: 0, range: 20_000 };

    fn open(directory: &std::path::Path) -> Result<Sqlite, JournalError> {
        Ok(Sqlite::open(&DirectoryLock::acquire(directory)?, 0)?.keeping(KEEP))
    }

    fn fill(journal: &mut Sqlite, batches: u64) {
        for _ in 0..batches {
            let first = journal.tip().next;
            let payload = vec![u8::try_from(first % 251).unwrap(); 700 + usize::try_from(first % 7).unwrap() * 900];
            journal.append(&Batch { first, count: 3, level: 1, time_ms: 7, payload }).unwrap();
        }
    }

    /// Steps until nothing is to be done; how many files were finished.
    fn seal(journal: &mut Sqlite) -> usize {
        let mut files = 0;
        loop {
            // Looked for anew, as after a megabyte of appends.
            match journal.seal().unwrap() {
                Sealing::Idle => return files,
                Sealing::More => {}
                Sealing::Waiting => std::thread::yield_now(),
                Sealing::Sealed => files += 1,
                Sealing::Failed(error) => panic!("{error}"),
            }
        }
    }

    fn all(directory: &std::path::Path) -> Vec<Record> {
        let lock = DirectoryLock::acquire(directory).unwrap();
        let mut records = Vec::new();
        let report = Reader::sqlite(&lock).unwrap().verify(|record| records.push(record.clone())).unwrap();
        assert_eq!(report.fault, None);
        records
    }

    #[test]
    fn a_journal_reads_the_same_wherever_its_rows_lie() {
        let directory = tempfile::tempdir().unwrap();
        let mut journal = open(directory.path()).unwrap();
        fill(&mut journal, 60);
        drop(journal);
        let before = all(directory.path());
        let mut journal = open(directory.path()).unwrap();
        assert!(seal(&mut journal) >= 4, "no range was sealed");
        assert!(journal.read(1, 1).unwrap()[0] == before[1]);
        for record in before.iter().filter(|record| record.count > 0) {
            for position in record.first..record.next() {
                assert_eq!(&journal.read(position, 1).unwrap()[0], record, "position {position}");
            }
        }
        for record in &before {
            assert_eq!(&journal.rows(record.row, 1).unwrap()[0], record);
        }
        fill(&mut journal, 60);
        seal(&mut journal);
        drop(journal);
        let after = all(directory.path());
        assert_eq!(after[..before.len()], before);
        assert_eq!(after.len(), before.len() + 1 + 60);
        let names: Vec<_> = std::fs::read_dir(directory.path().join("journal")).unwrap().collect();
        assert!(names.len() > 8, "{names:?}");
    }

    #[test]
    fn a_stop_between_any_two_steps_loses_no_row() {
        let directory = tempfile::tempdir().unwrap();
        let mut journal = open(directory.path()).unwrap();
        fill(&mut journal, 30);
        drop(journal);
        let before = all(directory.path());
        let mut steps = 0;
        loop {
            let mut journal = open(directory.path()).unwrap();
            let mut idle = false;
            for _ in 0..steps {
                idle = matches!(journal.seal().unwrap(), Sealing::Idle);
            }
            drop(journal);
            assert_eq!(all(directory.path())[..before.len()], before, "after {steps} steps");
            if idle {
                break;
            }
            steps += 1;
        }
        assert!(steps > 5, "only {steps} steps");
    }

    #[test]
    fn damage_in_a_file_is_named_by_its_row() {
        let directory = tempfile::tempdir().unwrap();
        let mut journal = open(directory.path()).unwrap();
        fill(&mut journal, 30);
        seal(&mut journal);
        drop(journal);
        let folder = directory.path().join("journal");
        let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let sound = std::fs::read(&files[0]).unwrap();
        for at in (0..sound.len()).step_by(sound.len() / 150) {
            let mut bytes = sound.clone();
            bytes[at] ^= 1 << (at % 8);
            std::fs::write(&files[0], bytes).unwrap();
            let lock = DirectoryLock::acquire(directory.path()).unwrap();
            let found = Reader::sqlite(&lock).unwrap().verify(|_| {});
            let fault = match found {
                Ok(report) => report.fault.unwrap_or_else(|| panic!("byte {at} was not missed")),
                Err(JournalError::Corrupt(fault)) => fault,
                Err(error) => panic!("byte {at}: {error}"),
            };
            assert!(fault.row <= 30, "byte {at}: {fault:?}");
        }
        std::fs::write(&files[0], &sound[..sound.len() - 1]).unwrap();
        let sound_rows = open(directory.path()).unwrap().read(1, 1).unwrap();
        assert_eq!(sound_rows[0].row, 2, "rows before the damage are sound");
        std::fs::write(&files[0], &sound).unwrap();
        std::fs::remove_file(&files[1]).unwrap();
        let error = open(directory.path()).unwrap_err();
        assert!(error.to_string().contains("put the file back"), "{error}");
    }

    #[test]
    fn a_folder_that_cannot_be_written_leaves_the_rows_where_they_are() {
        let directory = tempfile::tempdir().unwrap();
        let mut journal = open(directory.path()).unwrap();
        fill(&mut journal, 30);
        std::fs::write(directory.path().join("journal"), "a file, where a folder should be").unwrap();
        let sealing = journal.seal().unwrap();
        assert!(matches!(sealing, Sealing::Failed(_)), "{sealing:?}");
        assert!(matches!(journal.seal().unwrap(), Sealing::Idle), "it is not tried again at once");
        fill(&mut journal, 1);
        std::fs::remove_file(directory.path().join("journal")).unwrap();
        drop(journal);
        assert_eq!(all(directory.path()).len(), 32);
    }

    #[test]
    fn little_is_left_where_it_is_and_the_database_gets_no_larger() {
        let directory = tempfile::tempdir().unwrap();
        let lock = DirectoryLock::acquire(directory.path()).unwrap();
        let mut journal = Sqlite::open(&lock, 0).unwrap().keeping(Keep { database: 400_000, range: 100_000 });
        fill(&mut journal, 20);
        assert_eq!(seal(&mut journal), 0);
        let mut sizes = Vec::new();
        for _ in 0..6 {
            fill(&mut journal, 400);
            seal(&mut journal);
            journal.rest().unwrap();
            sizes.push(std::fs::metadata(directory.path().join("journal.db")).unwrap().len());
        }
        assert!(sizes[5] <= sizes[1] + 200_000, "{sizes:?}");
    }
}
