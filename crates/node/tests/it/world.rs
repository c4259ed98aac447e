//! Books on disk: a real journal, store and lake in a directory, driven without threads.

use std::sync::Arc;

use domain::account::{OpenAccount, Owner};
use domain::book::Subject;
use domain::calendar::{Calendar, Date};
use domain::envelope::Time;
use domain::ids::AccountId;
use domain::initialise::Genesis;
use domain::money::{Currency, Minor};
use domain::voucher::{BusinessNumber, Entry, EventCode, PostVoucher, PostedEntry};
use domain::{Actor, Command, Origin, Refusal, Reply, State};
use engine::{Engine, Keys, Meta, Request};
use history::{History, Statement, StatementQuery, Tail};
use journal::{DirectoryLock, Journal, Sqlite};
use node::load::LoadError;
use node::projector::{Projected, Projector};
use store::{Database, SegmentRow};
use tempfile::TempDir;

/// Nine o'clock in Shanghai on the first day.
const NINE: Time = Time(1_772_672_400_000);

/// The first day and those after it.
pub(crate) fn day(number: i32) -> Date {
    "2026-03-05".parse::<Date>().unwrap().plus_days(number)
}

/// The words of a node without its threads.
pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) store: Arc<Database>,
    pub(crate) history: Arc<History>,
    pub(crate) tail: Tail,
    pub(crate) projector: Projector,
    /// Every entry posted, as the engine told it.
    pub(crate) posted: Vec<PostedEntry>,
    /// The last account that the journal holds.
    last_account: u64,
    journal: Sqlite,
    _lock: DirectoryLock,
    pub(crate) directory: TempDir,
}

impl World {
    /// New books of an institution, initialised and durable, with no checkpoint.
    pub(crate) fn of(institution: &str) -> Self {
        let mut world = Self::open(tempfile::tempdir().unwrap());
        let genesis = Genesis {
            institution: institution.into(),
            first_day: day(0),
            calendar: Calendar::default(),
            sandbox: true,
        };
        world.given(Command::Initialise(genesis));
        world.flush();
        world
    }

    /// Opens a directory as a node does: replays the journal and brings up what follows it.
    fn open(directory: TempDir) -> Self {
        let lock = DirectoryLock::acquire(directory.path()).unwrap();
        let mut journal = Sqlite::open(&lock, NINE.0).unwrap();
        let store = Arc::new(Database::sqlite(&directory.path().join("store.db")).unwrap());
        let history = Arc::new(History::new(directory.path()));
        let tail = Tail::new();
        let mut engine = Engine::new(State::default(), Keys::default(), journal.tip().epoch);
        let mut projector = Projector::new(store.clone(), history.clone(), tail.clone(), journal.tip().epoch).unwrap();
        let mut posted = Vec::new();
        for row in journal.read(1, usize::MAX).unwrap() {
            let projection = engine.replay(&row).unwrap();
            posted.extend(projection.posted.iter().cloned());
            projector.take(Projected { projection, hash: row.hash }, 0);
        }
        let loaded = node::load::load(&mut journal, &store, &history, |_| ()).unwrap();
        assert_eq!(loaded.engine.state().differing(engine.state()), Vec::<&str>::new());
        let last_account = engine.state().accounts.next_id() - 1;
        Self { engine, store, history, tail, projector, posted, last_account, journal, _lock: lock, directory }
    }

    /// Stops, losing what was not durable, and starts again.
    pub(crate) fn reopened(self) -> Self {
        Self::open(self.stopped())
    }

    /// Lets go of everything but the directory.
    fn stopped(self) -> TempDir {
        self.directory
    }

    /// The last account that survives a restart; ids are dense.
    pub(crate) fn durable_accounts(&self) -> u64 {
        self.last_account
    }

    /// Does a command.
    pub(crate) fn when(&mut self, command: Command) -> Result<Reply, Refusal> {
        self.request(Meta::unkeyed(Actor::Operator("test".into()), Origin::Api), command)
    }

    /// Does a command that must succeed.
    #[track_caller]
    pub(crate) fn given(&mut self, command: Command) -> Reply {
        self.when(command).unwrap()
    }

    /// Does a command in the name of an operator.
    pub(crate) fn when_by(&mut self, login: &str, command: Command) -> Result<Reply, Refusal> {
        self.request(Meta::unkeyed(Actor::Operator(login.into()), Origin::Api), command)
    }

    /// Does a command under a key.
    pub(crate) fn keyed(&mut self, key: &str, command: Command) -> Result<Reply, Refusal> {
        let mut meta = Meta::unkeyed(Actor::Operator("test".into()), Origin::Api);
        meta.scope = "operator".into();
        meta.keys = vec![format!("Idempotency-Key:{key}")];
        self.request(meta, command)
    }

    fn request(&mut self, meta: Meta, command: Command) -> Result<Reply, Refusal> {
        self.engine.submit(Request { command, meta }, NINE).unwrap().result
    }

    /// Makes the open batch durable and projects it.
    pub(crate) fn flush(&mut self) {
        let Some(sealed) = self.engine.seal() else { return };
        let hash = self.journal.append(&sealed.batch).unwrap().hash;
        self.posted.extend(sealed.projection.posted.iter().cloned());
        self.last_account = self.engine.state().accounts.next_id() - 1;
        self.projector.take(Projected { projection: sealed.projection, hash }, 0);
    }

    /// Makes the open batch durable and writes a checkpoint.
    pub(crate) fn checkpoint(&mut self) {
        self.flush();
        self.projector.write(&[]).unwrap();
    }

    /// Has another hand write the checkpoint that is pending, as one happens whose answer was lost on its way.
    pub(crate) fn checkpoint_unseen(&mut self) {
        let (store, epoch) = (self.store.clone(), self.journal.tip().epoch);
        let mut other = Projector::new(store, self.history.clone(), Tail::new(), epoch).unwrap();
        node::load::replay(&mut self.journal, |projected| other.take(projected, 0)).unwrap();
        other.write(&[]).unwrap();
    }

    /// What loading says of this world's store beside another world's journal.
    pub(crate) fn check_store_against(&self, other: &mut Self) -> Result<(), LoadError> {
        node::load::load(&mut other.journal, &self.store, &self.history, |_| ()).map(|_| ())
    }

    /// Opens a custody account that may be overdrawn.
    pub(crate) fn open_account(&mut self) -> AccountId {
        let (subject, currency) = (Subject::CustodySub, Currency::Cny);
        let open = OpenAccount { subject, currency, owner: Owner::Institution, overdraft: true };
        let Reply::Account(id) = self.given(Command::OpenAccount(open)) else { panic!("an account was to be opened") };
        id
    }

    /// Every committed file.
    pub(crate) fn rows(&self) -> Vec<SegmentRow> {
        store::run::all(&self.store).unwrap()
    }

    /// Every file of entries there is, committed or not.
    pub(crate) fn entry_files(&self) -> usize {
        let days = std::fs::read_dir(self.directory.path().join("lake/entries")).unwrap();
        days.map(|day| std::fs::read_dir(day.unwrap().path()).unwrap().count()).sum()
    }

    /// The statement of an account over all days, as a reader sees it now.
    pub(crate) fn statement(&self, account: AccountId) -> Statement {
        let side = self.engine.state().account(account, "account").unwrap().subject.side();
        let tail = self.tail.snapshot();
        let query = StatementQuery { account, side, from: day(0), to: day(90), after: None, limit: usize::MAX };
        self.history.statement(&query, &tail, &self.rows()).unwrap()
    }

    /// The statements say what the engine posted, whatever part of it lies in files and what in memory.
    #[track_caller]
    pub(crate) fn statements_equal_postings(&self) {
        for (_, account) in self.engine.state().accounts.iter() {
            let statement = self.statement(account.id);
            let shown: Vec<PostedEntry> = statement.lines.into_iter().map(|line| line.entry).collect();
            let mut own: Vec<PostedEntry> =
                self.posted.iter().filter(|entry| entry.account == account.id).cloned().collect();
            own.sort_by_key(|entry| (entry.date, entry.number));
            assert_eq!(shown, own, "{}", account.id);
            assert_eq!(statement.closing, own.last().map_or(0, |entry| entry.balance), "{}", account.id);
        }
    }

    /// The tables hold the state, which has no open batch and stands at the checkpoint.
    #[track_caller]
    pub(crate) fn store_equals_state(&self) {
        let differences = store::recovery::verify(&self.store, self.engine.state()).unwrap();
        assert!(differences.is_empty(), "{differences:?}");
        assert_eq!(store::key::all(&self.store).unwrap().len(), self.engine.keys().len());
    }
}

/// The voucher that moves `amount` from one custody account to the other.
pub(crate) fn transfer(from: AccountId, to: AccountId, amount: Minor) -> Command {
    transfer_in(from, to, amount, Currency::Cny)
}

/// As [`transfer`], in a currency.
pub(crate) fn transfer_in(from: AccountId, to: AccountId, amount: Minor, currency: Currency) -> Command {
    Command::PostVoucher(PostVoucher {
        business: BusinessNumber::Text("t".into()),
        event: EventCode::Transfer,
        date: None,
        entries: vec![Entry::debit(from, amount, currency), Entry::credit(to, amount, currency)],
        dimensions: None,
    })
}
