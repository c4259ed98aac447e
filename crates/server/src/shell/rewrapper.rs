//! The rewrapper's thread: after a rotation of `platform/vault` it moves what the vault holds under the newest version, so that
//! the versions before can be destroyed.
//!
//! ```text
//!  rest ─ a version that it has not seen, or asked for ─► count what is left ─ nothing ─► rest
//!   ▲                                                        │       ▲
//!   └─ what is left was refused: it says so                  │       └ end of the pass
//!                                                            └─► page, pause, page, pause … ─┘
//! ```
//! Everything else goes on meanwhile: a page holds the vault only while it is read and written, and so many rows a second are
//! moved as the settings allow. A key service that is sealed or away, and a disk that fails, make it pause and go on with the
//! same page. Nothing is lost by a stop: what was moved is passed over by the next start, which counts again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use ark::keys::BATCH_MAX;
use ark::vault::RewrapFrom;
use ark::{Error, Vault};

use super::background;
use super::clock::wall_ms;

/// How often it is looked whether the key was rotated.
const LOOK: Duration = Duration::from_secs(1);
/// The pause after the first failure; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Between two pages of a count, so that others come to the vault.
const GIVE_WAY: Duration = Duration::from_millis(1);
/// Pages a second while rows move: each as large as the rate then takes.
const PAGES_PER_SECOND: u32 = 10;

/// What it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Phase {
    /// Nothing, until the key is rotated or it is asked.
    #[default]
    Resting,
    /// Looks how many rows are left.
    Counting,
    /// Moves them.
    Moving,
}

/// Where it stands. Rows are the MAC root, people's data keys, and secrets of one-time codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Progress {
    /// What it does.
    pub(crate) phase: Phase,
    /// The version that rows move to; 0 before it looked.
    pub(crate) version: u32,
    /// Rows under an older version, as far as they were counted.
    pub(crate) left: u64,
    /// Rows that this run moved, or the last one.
    pub(crate) moved: u64,
    /// Rows that do not open by their version, or not any more: they stay.
    pub(crate) refused: u64,
    /// When this run began, or the last one, in milliseconds of Unix time.
    pub(crate) began: Option<i64>,
    /// When the last run ended; `None` while one is under way.
    pub(crate) ended: Option<i64>,
    /// The code of what keeps it from going on; it is tried again by itself.
    pub(crate) trouble: Option<&'static str>,
    /// A run was asked for and has not begun.
    asked: bool,
}

impl Progress {
    /// Whether nothing lies under an older version: those may be destroyed.
    pub(crate) fn is_complete(&self) -> bool {
        !self.is_under_way() && self.ended.is_some() && self.trouble.is_none() && self.left == 0
    }

    /// Whether a run is under way, or will begin at once.
    pub(crate) fn is_under_way(&self) -> bool {
        self.asked || self.phase != Phase::Resting
    }
}

enum Word {
    Look,
    Stop,
}

/// The way to the rewrapper, for whoever asks.
#[derive(Clone)]
pub(crate) struct Rewrapper {
    words: mpsc::Sender<Word>,
    progress: Arc<Mutex<Progress>>,
    per_second: u32,
}

impl Rewrapper {
    /// Where it stands.
    pub(crate) fn progress(&self) -> Progress {
        *held(&self.progress)
    }

    /// Has it look at the whole vault now, or again if it is at it.
    pub(crate) fn run(&self) -> Progress {
        held(&self.progress).asked = true;
        // One that has ended needs no telling: the platform stops.
        self.words.send(Word::Look).ok();
        self.progress()
    }

    /// Rows that it moves a second at most.
    pub(crate) fn per_second(&self) -> u32 {
        self.per_second
    }
}

/// A rewrapper at work.
pub(crate) struct Rewrapping {
    way: Rewrapper,
    thread: thread::JoinHandle<()>,
}

impl Rewrapping {
    /// The way to it.
    pub(crate) fn way(&self) -> Rewrapper {
        self.way.clone()
    }

    /// Has it stop, and waits until it has: at most for one page.
    pub(crate) fn stop(self) {
        self.way.words.send(Word::Stop).ok();
        if self.thread.join().is_err() {
            tracing::error!("the rewrapper panicked; its words are above, and every row of the vault is whole");
        }
    }
}

/// Starts it: it looks at the vault at once. `per_second` is how many rows it moves a second at most, from 1.
///
/// # Errors
/// The system gives no thread.
pub(crate) fn start(vault: Arc<Vault>, per_second: u32) -> std::io::Result<Rewrapping> {
    let (words, told) = mpsc::channel();
    let progress: Arc<Mutex<Progress>> = Arc::default();
    let worker = Worker { vault, per_second: per_second.max(1), told, progress: Arc::clone(&progress) };
    let thread = background::spawn("rewrapper", move || worker.work())?;
    Ok(Rewrapping { way: Rewrapper { words, progress, per_second }, thread })
}

fn held(progress: &Mutex<Progress>) -> MutexGuard<'_, Progress> {
    progress.lock().unwrap_or_else(PoisonError::into_inner)
}

/// It was told to stop.
struct Stopped;

struct Worker {
    vault: Arc<Vault>,
    per_second: u32,
    told: mpsc::Receiver<Word>,
    progress: Arc<Mutex<Progress>>,
}

/// What a pass over the whole vault came to, in rows.
#[derive(Default)]
struct Pass {
    moved: u64,
    refused: u64,
}

impl Worker {
    fn work(&self) {
        let mut seen = 0;
        while let Ok(due) = self.due(seen) {
            if let Some(version) = due {
                if self.run(version).is_err() {
                    return;
                }
                seen = version;
            }
            match self.told.recv_timeout(LOOK) {
                Ok(Word::Look) | Err(mpsc::RecvTimeoutError::Timeout) => {}
                Ok(Word::Stop) | Err(mpsc::RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// The version to move to, if it is not the one of the last run or somebody asked.
    fn due(&self, seen: u32) -> Result<Option<u32>, Stopped> {
        let newest = self.until_done(|| self.vault.newest_version())?;
        let mut progress = held(&self.progress);
        let asked = std::mem::take(&mut progress.asked);
        if !asked && newest == seen {
            return Ok(None);
        }
        let (phase, began) = (Phase::Counting, Some(wall_ms()));
        *progress = Progress { phase, version: newest, began, ..Progress::default() };
        Ok(Some(newest))
    }

    /// Moves everything to this version, or to a later one if the key is rotated meanwhile.
    fn run(&self, version: u32) -> Result<(), Stopped> {
        let (began, mut moved, mut refused) = (Instant::now(), 0, 0);
        loop {
            let left = self.count(version)?;
            if left <= refused {
                break;
            }
            if moved + refused == 0 {
                let per_second = self.per_second;
                tracing::info!(version, rows = left, per_second, "the vault moves under the newest version of its key");
            }
            let pass = self.pass()?;
            (moved, refused) = (moved + pass.moved, pass.refused);
        }
        let seconds = began.elapsed().as_secs_f64();
        if moved > 0 {
            tracing::info!(version, moved, refused, seconds, "the vault was moved under the newest version of its key");
        }
        if refused > 0 {
            tracing::warn!(
                version,
                refused,
                "rows of the vault do not open, or their version of its key may not: they stay; `lintel verify` names them"
            );
        }
        self.note(|progress| (progress.phase, progress.ended) = (Phase::Resting, Some(wall_ms())));
        Ok(())
    }

    /// Rows under a version before this one.
    fn count(&self, version: u32) -> Result<u64, Stopped> {
        self.note(|progress| progress.phase = Phase::Counting);
        let (mut left, mut from) = (0, RewrapFrom::default());
        loop {
            let page = self.until_done(|| self.vault.rewrap_left(version, from, BATCH_MAX))?;
            left += page.left;
            let Some(next) = page.next else { break };
            from = next;
            self.pause(GIVE_WAY)?;
        }
        self.note(|progress| progress.left = left);
        Ok(left)
    }

    /// Looks at every row once, and moves it if it is to be moved.
    fn pass(&self) -> Result<Pass, Stopped> {
        self.note(|progress| (progress.phase, progress.refused) = (Phase::Moving, 0));
        let rows = (self.per_second / PAGES_PER_SECOND).max(1) as usize;
        let (mut pass, mut from) = (Pass::default(), RewrapFrom::default());
        loop {
            let began = Instant::now();
            let page = self.until_done(|| self.vault.rewrap_page(from, rows))?;
            (pass.moved, pass.refused) = (pass.moved + page.moved, pass.refused + page.refused);
            metrics::counter!("lintel_vault_rewrapped_total").increment(page.moved);
            self.note(|progress| {
                progress.moved += page.moved;
                progress.refused = pass.refused;
                progress.left = progress.left.saturating_sub(page.moved + page.changed);
            });
            let Some(next) = page.next else { return Ok(pass) };
            from = next;
            let touched = page.moved + page.changed + page.refused;
            self.pause(wait(touched, self.per_second, began.elapsed()))?;
        }
    }

    /// Does it, after pauses that grow again and again, until it succeeds.
    fn until_done<T>(&self, step: impl Fn() -> Result<T, Error>) -> Result<T, Stopped> {
        let mut pause = FIRST_PAUSE;
        loop {
            match step() {
                Ok(done) => {
                    self.note(|progress| progress.trouble = None);
                    return Ok(done);
                }
                Err(error) => self.is_in_trouble(&error),
            }
            self.pause(pause)?;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Says what is wrong, once. That the key service is sealed, others say.
    fn is_in_trouble(&self, error: &Error) {
        let code = error.of_keys().map_or("vault_unavailable", ark::keys::Error::code);
        let before = held(&self.progress).trouble.replace(code);
        if before != Some(code) && code != "sealed" {
            metrics::counter!("lintel_vault_rewrap_failures_total").increment(1);
            tracing::warn!(%error, code, "the vault's re-wrap waits, and goes on where it was");
        }
    }

    fn note(&self, change: impl FnOnce(&mut Progress)) {
        let mut progress = held(&self.progress);
        change(&mut progress);
        let gauge = |rows: u64| f64::from(u32::try_from(rows).unwrap_or(u32::MAX));
        metrics::gauge!("lintel_vault_rewrap_left").set(gauge(progress.left));
        metrics::gauge!("lintel_vault_rewrap_refused").set(gauge(progress.refused));
    }

    /// Waits so long, or until it is told to stop. Who asks for a run meanwhile has it after this one.
    fn pause(&self, length: Duration) -> Result<(), Stopped> {
        let until = Instant::now() + length;
        loop {
            match self.told.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Word::Look) => {}
                Ok(Word::Stop) | Err(mpsc::RecvTimeoutError::Disconnected) => return Err(Stopped),
                Err(mpsc::RecvTimeoutError::Timeout) => return Ok(()),
            }
        }
    }
}

/// How long to wait after a page that took so long and touched so many rows.
fn wait(touched: u64, per_second: u32, took: Duration) -> Duration {
    let touched = u32::try_from(touched).unwrap_or(u32::MAX);
    let due = Duration::from_secs_f64(f64::from(touched) / f64::from(per_second.max(1)));
    due.saturating_sub(took).max(GIVE_WAY)
}

#[cfg(test)]
mod tests {
    use ark::ceremony::RootKey;
    use ark::keys::{By, Step, VAULT_KEY};
    use ark::{CertificateType, CustomerId, Identity, KeyService, Soft};
    use tempfile::TempDir;

    use super::*;

    const BY: By<'_> = By::new("test", "", 1_800_000_000_000);

    /// A vault with so many people, its key service, and the directory of both.
    fn people(count: u32) -> (TempDir, Arc<Vault>, Arc<KeyService>) {
        people_under(&RootKey::generate().unwrap(), count)
    }

    fn people_under(root: &RootKey, count: u32) -> (TempDir, Arc<Vault>, Arc<KeyService>) {
        let directory = TempDir::new().unwrap();
        let soft = Arc::new(Soft::new().unwrap());
        let keys = Arc::new(KeyService::init(directory.path(), soft, root, &BY).unwrap());
        let vault = Arc::new(Vault::open(directory.path(), keys.clone()).unwrap());
        let person = |serial: u32| {
            Identity::new(CertificateType::Passport, &format!("E{serial:08}").into()).expect("a passport's number")
        };
        vault.get_or_create_many(&(1..=count).map(person).collect::<Vec<_>>()).unwrap();
        (directory, vault, keys)
    }

    /// Looks until it is so; a thread has its own time.
    fn until(way: &Rewrapper, so: impl Fn(&Progress) -> bool) -> Progress {
        let began = Instant::now();
        loop {
            let progress = way.progress();
            if so(&progress) {
                return progress;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "{progress:?}");
            thread::yield_now();
        }
    }

    #[test]
    fn what_was_rotated_moves_by_itself_and_a_second_run_finds_nothing() {
        let (_directory, vault, keys) = people(50);
        let rewrapping = start(Arc::clone(&vault), 100_000).unwrap();
        let way = rewrapping.way();
        assert_eq!(until(&way, Progress::is_complete).moved, 0, "nothing is old before a rotation");
        keys.rotate(&BY, VAULT_KEY).unwrap();
        let done = until(&way, |progress| progress.version == 2 && progress.is_complete());
        assert_eq!((done.moved, done.left, done.refused), (51, 0, 0));
        keys.step(&BY, VAULT_KEY, 1, Step::Compromise).unwrap();
        assert_eq!(vault.verify().unwrap().damages, Vec::<String>::new());
        assert!(way.run().is_under_way(), "asked for, it is not taken for done before it has looked");
        assert_eq!(until(&way, Progress::is_complete).moved, 0);
        rewrapping.stop();
    }

    #[test]
    fn told_to_stop_it_stops_at_a_page_and_the_next_start_moves_the_rest() {
        let (_directory, vault, keys) = people(50);
        keys.rotate(&BY, VAULT_KEY).unwrap();
        // A row a second: it cannot be through.
        let rewrapping = start(Arc::clone(&vault), 1).unwrap();
        let way = rewrapping.way();
        let moved = until(&way, |progress| progress.moved > 0).moved;
        let began = Instant::now();
        rewrapping.stop();
        assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
        assert!(!way.progress().is_complete());
        assert_eq!(vault.verify().unwrap().damages, Vec::<String>::new());
        let rewrapping = start(Arc::clone(&vault), 100_000).unwrap();
        let done = until(&rewrapping.way(), Progress::is_complete);
        assert!(moved < 51 && done.moved >= 51 - moved - 1, "{moved} and {done:?}");
        rewrapping.stop();
    }

    #[test]
    fn sealed_it_waits_and_goes_on_when_it_is_open() {
        let root = RootKey::generate().unwrap();
        let (_directory, vault, keys) = people_under(&root, 50);
        keys.rotate(&BY, VAULT_KEY).unwrap();
        keys.seal(&BY).unwrap();
        let rewrapping = start(Arc::clone(&vault), 100_000).unwrap();
        let way = rewrapping.way();
        until(&way, |progress| progress.trouble == Some("sealed"));
        keys.unseal(&root, &BY).unwrap();
        assert_eq!(until(&way, Progress::is_complete).moved, 51);
        rewrapping.stop();
    }

    #[test]
    fn what_may_not_open_stays_and_is_said() {
        let (_directory, vault, keys) = people(3);
        keys.rotate(&BY, VAULT_KEY).unwrap();
        // The MAC root moves; then the old version is barred.
        let data_keys = vault.rewrap_page(RewrapFrom::default(), 9).unwrap().next.unwrap();
        assert_eq!(vault.rewrap_page(data_keys, 1).unwrap().moved, 1);
        keys.step(&BY, VAULT_KEY, 1, Step::Compromise).unwrap();
        let rewrapping = start(Arc::clone(&vault), 100_000).unwrap();
        let done = until(&rewrapping.way(), |progress| !progress.is_under_way() && progress.ended.is_some());
        assert_eq!((done.moved, done.left, done.refused, done.is_complete()), (0, 2, 2, false));
        // One of them is erased, which needs no key.
        vault.erase(CustomerId(2)).unwrap();
        rewrapping.way().run();
        let done = until(&rewrapping.way(), |progress| !progress.is_under_way());
        assert_eq!((done.left, done.refused), (1, 1));
        rewrapping.stop();
    }

    #[test]
    fn a_page_is_paid_for_by_the_pause_behind_it() {
        let second = Duration::from_secs(1);
        assert_eq!(wait(200, 2_000, Duration::ZERO), second / 10);
        assert_eq!(wait(200, 2_000, Duration::from_millis(40)), Duration::from_millis(60));
        assert_eq!(wait(0, 2_000, Duration::ZERO), GIVE_WAY, "what was passed over costs nothing");
        assert_eq!(wait(1, 1, second * 5), GIVE_WAY);
    }
}
