//! A node in a directory: journal, store, history and engine, driven by hand and crashed at will.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use domain::account::{OpenAccount, Owner};
use domain::attempt::{Attempt, Outcome, Rail};
use domain::book::Subject;
use domain::calendar::{Calendar, Date, Year};
use domain::channel::ChannelName;
use domain::clearing::{ClearingLine, LineKind, TakeClearingFile};
use domain::customer::{Customer, CustomerKind};
use domain::envelope::Time;
use domain::freeze::{Measure, PlaceFreeze};
use domain::hold::PlaceHold;
use domain::ids::{AccountId, CustomerId, HoldId, MerchantId, OrderId, UserId};
use domain::initialise::Genesis;
use domain::leg::Instrument;
use domain::merchant::{MerchantKind, OpenMerchant, SettlementAccount};
use domain::money::Currency;
use domain::order::{CreateOrder, Item, ItemKind};
use domain::refund::CreateRefund;
use domain::sealed::{DataClass, Sealed};
use domain::voucher::{BusinessNumber, Entry, EventCode, PostVoucher};
use domain::{Actor, Command, Origin, Refusal, Reply};
use engine::{Admitted, Answer, Engine, Meta, Request};
use history::{History, Tail};
use journal::{DirectoryLock, Journal, Sqlite};
use node::close;
use node::keys;
use node::load::{self, LoadError, Loaded};
use node::merger::Merger;
use node::projector::{Projected, Projector};
use store::Database;

const CNY: Currency = Currency::Cny;

/// Keys of a run: few, so that most keys are behind filters.
const RUN: usize = 4;

/// The journal, the store and the history of a directory.
pub(crate) struct Disk {
    pub(crate) journal: Sqlite,
    pub(crate) store: Arc<Database>,
    pub(crate) history: Arc<History>,
}

impl Disk {
    pub(crate) fn open(directory: &Path) -> Self {
        let lock = DirectoryLock::acquire(directory).unwrap();
        let journal = Sqlite::open(&lock, 0).unwrap();
        let store = Arc::new(Database::sqlite(&directory.join("store.db")).unwrap());
        Self { journal, store, history: Arc::new(History::new(directory)) }
    }

    /// Whether a start on the directory stops, at opening the journal or at loading.
    pub(crate) fn open_fails(directory: &Path) -> bool {
        let lock = DirectoryLock::acquire(directory).unwrap();
        let Ok(mut journal) = Sqlite::open(&lock, 0) else { return true };
        let store = Database::sqlite(&directory.join("store.db")).unwrap();
        load::load(&mut journal, &store, &History::new(directory), |_| {}).is_err()
    }

    pub(crate) fn load(&mut self, project: impl FnMut(Projected)) -> Result<Loaded, LoadError> {
        load::load(&mut self.journal, &self.store, &self.history, project)
    }
}

/// A running node.
pub(crate) struct Node {
    pub(crate) engine: Engine,
    pub(crate) disk: Disk,
    projector: Projector,
    now: Time,
    keys: u64,
    random: u64,
}

fn sealed() -> Sealed {
    Sealed { ciphertext: vec![7; 24], key: 1, mask: "6222**********0001".into(), class: DataClass::C2 }
}

/// A request's keys: one that no other has.
pub(crate) fn meta(number: u64) -> Meta {
    let meta = Meta::unkeyed(Actor::Operator("test".into()), Origin::Api);
    let key = format!("Idempotency-Key:{number}");
    Meta { scope: "test".into(), keys: vec![key], fingerprint: [1; 16], ..meta }
}

/// Takes a request in; what the engine does not know the store is asked.
pub(crate) fn asked(engine: &mut Engine, store: &Database, request: Request, now: Time) -> Answer {
    let mut admitted = engine.admit(request, now).unwrap();
    loop {
        match admitted {
            Admitted::Answered(answer) => return answer,
            Admitted::Parked(parked) => {
                let looked_up = keys::look_up(store, &parked).unwrap().expect("the store is at its checkpoint");
                admitted = engine.resume(parked, &looked_up, now).unwrap();
            }
        }
    }
}

impl Node {
    /// New books with a merchant and custody accounts in an empty directory.
    pub(crate) fn begin(directory: &Path, seed: u64) -> Self {
        let mut node = Self::start(directory, seed);
        let first_day: Date = "2026-03-05".parse().unwrap();
        node.now = first_day.starts_at();
        let year = Year::default();
        let (institution, calendar) = ("Test Pay".into(), Calendar { years: [(2026, year)].into() });
        node.given(Command::Initialise(Genesis { institution, first_day, calendar, sandbox: true }));
        let (id, kind) = (CustomerId(1), CustomerKind::Person);
        let customer = Customer { id, kind, name: sealed(), certificate: sealed(), phone: None, verification: None };
        node.given(Command::RegisterCustomer(customer));
        node.given(Command::OpenUser { customer: id, product: "rent".into() });
        let settlement = SettlementAccount { account: sealed(), name: sealed() };
        let (kind, name) = (MerchantKind::Agency, "Homes".into());
        node.given(Command::OpenMerchant(OpenMerchant { customer: id, kind, name, fee_rate: 2_000, settlement }));
        for _ in 0..3 {
            node.open_account();
        }
        node.flush();
        node
    }

    /// Starts on what the directory holds: by the checkpoint, and compares that with a replay of the whole journal.
    pub(crate) fn start(directory: &Path, seed: u64) -> Self {
        let mut disk = Disk::open(directory);
        let tail = Tail::new();
        let epoch = disk.journal.tip().epoch;
        let mut projector = Projector::new(disk.store.clone(), disk.history.clone(), tail, epoch).unwrap();
        let checkpoint = projector.checkpoint();
        let mut replayed = load::replay(&mut disk.journal, |_| {}).unwrap();
        let loaded = disk.load(|projected| {
            assert!(projected.projection.first > checkpoint, "what the checkpoint holds is not replayed");
            projector.take(projected, 0);
        });
        let Loaded { mut engine, restored, .. } = loaded.unwrap();
        assert_eq!(restored, checkpoint);
        assert_eq!(engine.state().differing(replayed.state()), Vec::<&str>::new());
        assert_eq!(engine.keys().len(), replayed.keys().len());
        assert!(engine.seal().is_none(), "nothing restored is written again");
        engine.set_run_keys(RUN);
        let (now, keys) = (engine.state().now, engine.keys().len() as u64);
        for number in 0..keys {
            let again = || Request { command: Command::MarkTime, meta: meta(number) };
            let answer = asked(&mut engine, &disk.store, again(), now);
            assert!(answer.repeated, "key {number}");
            assert_eq!(answer, replayed.submit(again(), now).unwrap(), "key {number}");
        }
        Self { engine, disk, projector, now, keys, random: seed }
    }

    /// A number below `bound` (SplitMix64).
    pub(crate) fn random(&mut self, bound: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    /// Submits under a key of its own.
    pub(crate) fn tries(&mut self, command: Command) -> Result<Reply, Refusal> {
        let request = Request { command, meta: meta(self.keys) };
        let answer = asked(&mut self.engine, &self.disk.store, request, self.now);
        self.keys = self.engine.keys().len() as u64;
        answer.result
    }

    pub(crate) fn given(&mut self, command: Command) -> Reply {
        self.tries(command).unwrap_or_else(|refusal| panic!("{refusal}"))
    }

    /// As [`Self::given`], in the name of an operator.
    pub(crate) fn given_by(&mut self, login: &str, command: Command) -> Reply {
        let meta = Meta { actor: Actor::Operator(login.into()), ..meta(self.keys) };
        let answer = asked(&mut self.engine, &self.disk.store, Request { command, meta }, self.now);
        self.keys = self.engine.keys().len() as u64;
        answer.result.unwrap_or_else(|refusal| panic!("{refusal}"))
    }

    /// What day it is.
    pub(crate) fn today(&self) -> Date {
        Date::in_shanghai(self.now)
    }

    /// Moves the clock.
    pub(crate) fn later(&mut self, ms: i64) {
        self.now = self.now.plus_ms(ms);
    }

    /// Makes what was decided durable, and projects it.
    pub(crate) fn flush(&mut self) {
        let Some(sealed) = self.engine.seal() else { return };
        let hash = self.disk.journal.append(&sealed.batch).unwrap().hash;
        self.projector.take(Projected { projection: sealed.projection, hash }, 0);
    }

    pub(crate) fn checkpoint(&mut self) {
        self.projector.write(&[]).unwrap();
        // Two become one at once, so that every answer comes from merged files, old and new.
        let merger = Merger::new(self.disk.store.clone(), self.disk.history.clone(), 2);
        while merger.step(|| true).unwrap().merged.is_some() {}
        let at = self.projector.checkpoint();
        self.engine.submit(engine::engine::checkpoint(at), self.now).unwrap().result.unwrap();
        self.build_filters();
    }

    /// Builds the filters that are due and may be built; how many were not.
    pub(crate) fn build_filters(&mut self) -> usize {
        let mut later = Vec::new();
        while let Some(span) = self.engine.take_due() {
            match keys::build(&self.disk.store, span, || true).unwrap() {
                Some(filter) => drop(self.engine.install(filter).expect("it was built for this engine")),
                None => later.push(span),
            }
        }
        later.iter().for_each(|span| self.engine.put_back(*span));
        later.len()
    }

    pub(crate) fn open_account(&mut self) {
        let owner = Owner::User(UserId(1));
        self.given(Command::OpenAccount(OpenAccount {
            subject: Subject::CustodySub,
            currency: CNY,
            owner,
            overdraft: true,
        }));
    }

    /// One of the custody accounts.
    fn account(&mut self) -> AccountId {
        let custody = |subject: Subject| subject == Subject::CustodySub;
        let accounts = self.engine.state().accounts.iter().map(|(_, account)| account);
        let all: Vec<AccountId> = accounts.filter(|it| custody(it.subject)).map(|it| it.id).collect();
        all[usize::try_from(self.random(all.len() as u64)).unwrap()]
    }

    pub(crate) fn transfer(&mut self) {
        let (from, to) = (self.account(), self.account());
        let amount = 1 + i64::try_from(self.random(1_000)).unwrap();
        let bank = self.engine.state().institution(Subject::CustodyBank, CNY).unwrap();
        let entries = if from == to {
            vec![Entry::debit(bank, amount, CNY), Entry::credit(to, amount, CNY)]
        } else {
            vec![Entry::debit(from, amount, CNY), Entry::credit(to, amount, CNY)]
        };
        let business = BusinessNumber::Text(format!("t{}", self.keys).into());
        let (event, date, dimensions) = (EventCode::Transfer, None, None);
        // A frozen or held account may refuse: that is an answer too, and bound to its key.
        drop(self.tries(Command::PostVoucher(PostVoucher { business, event, date, entries, dimensions })));
    }

    pub(crate) fn hold_or_freeze(&mut self) {
        let account = self.account();
        let at = self.now.plus_ms(60_000);
        drop(match self.random(4) {
            0 => self.tries(Command::PlaceHold(PlaceHold { account, amount: 5, currency: CNY, expires_at: at })),
            1 => {
                let hold = HoldId(1 + self.random(8));
                self.tries(Command::CancelHold(hold))
            }
            2 => self.tries(Command::PlaceFreeze(PlaceFreeze {
                scope: account.into(),
                measure: Measure::Amount { amount: 9, currency: CNY },
                reason: "case".into(),
                authority: "court".into(),
                document: "1".into(),
                source: None,
                priority: 100,
                expires_at: Some(at),
            })),
            _ => {
                self.now = self.now.plus_ms(20_000);
                Ok(self.given(Command::Tick))
            }
        });
    }

    /// An order that is paid by card, and now and then the channel's answer to one.
    pub(crate) fn order(&mut self) {
        let (currency, amount) = (CNY, 5_000);
        let Reply::Order(order) = self.given(Command::CreateOrder(CreateOrder {
            merchant: MerchantId(1),
            out_trade_no: format!("R-{}", self.keys),
            payer: UserId(1),
            items: vec![Item { kind: ItemKind::Rent, amount }],
            currency,
            destination: None,
            tries_allowed: 3,
            expires_at: None,
            instruments: Vec::new(),
        })) else {
            panic!("an order was created")
        };
        let (agreement, mask, rail) = ("AG-1".into(), "622202******0001".into(), Rail::Epcc);
        // Every third goes by a further channel of the rail.
        let (bank, alternatives, channel) = (None, Vec::new(), (order.0 % 3 == 0).then(|| "b".into()));
        let card = Instrument::Card { agreement, mask, rail, amount, credit: false, bank, alternatives, channel };
        self.given(Command::PayOrder { order, instruments: vec![card] });
        let attempt = self.engine.state().outbox.first().map(|(id, ())| *id);
        if let (Some(attempt), true) = (attempt, self.random(3) > 0) {
            let outcome = match self.random(3) {
                0 => Outcome::Unknown,
                1 => Outcome::NotFound,
                _ => {
                    Outcome::Success { reference: "ref".into(), clearing_date: Date::in_shanghai(self.now), part: None }
                }
            };
            self.given(Command::AnswerAttempt { attempt, outcome });
        }
    }

    /// All that the network moved is cleared, and all that is due settled: orders come to rest.
    pub(crate) fn clear_and_settle(&mut self) {
        let (state, date) = (self.engine.state(), Date::in_shanghai(self.now));
        let line = |attempt: &Attempt| {
            let (amount, currency) = attempt.operation.money();
            let kind = LineKind::of(&attempt.operation).unwrap();
            ClearingLine { serial: attempt.serial(), kind, amount, currency, reference: None }
        };
        let mut files = BTreeMap::from([(ChannelName::from(Rail::Epcc), Vec::new())]);
        for ((name, _, id), ()) in state.uncleared.iter() {
            files.entry(name.clone()).or_default().push(line(state.attempt(*id).unwrap()));
        }
        let part = u32::try_from(self.keys).unwrap() + 1;
        for (ChannelName { rail, word: channel }, lines) in files {
            let file = TakeClearingFile { rail, date, part, last: false, lines, channel };
            // More may have gone back than came in.
            drop(self.tries(Command::TakeClearingFile(file)));
        }
        // What is paid today is due on the next working day.
        self.flush();
        self.now = self.now.plus_ms(4 * 24 * 3_600_000);
        let today = Date::in_shanghai(self.now);
        drop(self.tries(Command::Settle { merchant: MerchantId(1), today }));
    }

    /// Refunds a part of some order; true if that had left memory.
    pub(crate) fn refund(&mut self) -> bool {
        let orders = self.engine.state().orders.next_id() - 1;
        let order = OrderId(1 + self.random(orders.max(1)));
        let away = self.engine.state().is_away(order.into());
        let (out_refund_no, amount) = (format!("F-{}", self.keys), 10);
        let refund = CreateRefund {
            order,
            out_refund_no,
            amount,
            return_fee: true,
            take_from: vec![],
            items: vec![],
            legs: vec![],
        };
        self.tries(Command::CreateRefund(refund)).is_ok() && away
    }

    pub(crate) fn cut(&mut self) {
        drop(self.tries(Command::CutDay { next: None }));
    }

    /// Closes the oldest day if it is cut; postings go on between its seal and its close.
    pub(crate) fn close(&mut self) {
        let open: Vec<Date> = self.engine.state().days.open_days().collect();
        let [date, _, ..] = open[..] else { return };
        // A batch has one time: what fell due during the last one happens in the next.
        self.flush();
        self.given(Command::Tick);
        self.given(Command::SealDay(date));
        self.transfer();
        self.flush();
        let snapshot = close::snapshot(self.engine.state(), date).unwrap();
        self.transfer();
        self.flush();
        self.checkpoint();
        let rows = store::run::segments(&self.disk.store, None, None, Some(date), None).unwrap();
        let mut checks = snapshot.checks.clone();
        checks.push(close::check_history(&self.disk.history, &rows, &snapshot).unwrap());
        assert!(checks.iter().all(|check| check.holds), "{checks:?}");
        let file = self.disk.history.write_end_of_day(date, snapshot.sealed, snapshot.balances.iter().copied());
        self.projector.write(&[file.unwrap()]).unwrap();
        if self.random(4) > 0 {
            self.given(Command::CloseDay { date, position: snapshot.sealed, checks });
        }
    }
}
