//! An engine whose keys leave memory answers as one that forgets nothing, over random histories with restarts between.

use std::collections::{BTreeMap, BTreeSet};

use domain::State;
use domain::ids::AccountId;
use engine::keys::filter::hash;
use engine::{Admitted, Answer, Engine, KeyBinding, KeyFilter, Keys, LookedUp, Parked, Request, Span};
use journal::Record;

use crate::support::{NINE, begun, keyed, open, row_at, submit, transfer};

const HISTORIES: u64 = 24;
const STEPS: usize = 1_500;
/// Keys of the test: few, so that most are asked for again.
const KEYS: u64 = 400;
/// Keys of a run.
const RUN: usize = 5;

/// A request on its way: parked, or with the store's word.
struct Waiting {
    parked: Parked,
    request: Request,
    looked_up: Option<LookedUp>,
}

/// An engine that forgets, one that does not, and what a disk would hold.
struct World {
    engine: Engine,
    forgetting_nothing: Engine,
    accounts: (AccountId, AccountId),
    rows: Vec<Record>,
    /// Keys of durable rows that no checkpoint holds yet.
    projected: Vec<KeyBinding>,
    stored: BTreeMap<(String, String), KeyBinding>,
    checkpoint: u64,
    kept: Vec<KeyFilter>,
    due: Vec<Span>,
    waiting: Vec<Waiting>,
    random: u64,
    seen: Seen,
}

/// What happened in a history.
#[derive(Debug, Default)]
struct Seen {
    parked: u32,
    parked_again: u32,
    first_answers: u32,
    false_positives: u32,
    filters: u32,
    merged: u32,
    restarts: u32,
}

impl World {
    fn begin(seed: u64) -> Self {
        let mut engine = begun();
        let accounts = (open(&mut engine, true), open(&mut engine, false));
        let rows = vec![row_at(&mut engine, 1)];
        engine.set_run_keys(RUN);
        let mut world = Self {
            engine,
            forgetting_nothing: Engine::new(State::default(), Keys::default(), 1),
            accounts,
            rows,
            projected: Vec::new(),
            stored: BTreeMap::new(),
            checkpoint: 0,
            kept: Vec::new(),
            due: Vec::new(),
            waiting: Vec::new(),
            random: seed,
            seen: Seen::default(),
        };
        world.forgetting_nothing.replay(&world.rows[0]).unwrap();
        world
    }

    /// A number below `bound` (SplitMix64).
    fn random(&mut self, bound: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn step(&mut self) {
        match self.random(20) {
            0..=9 => self.request(),
            10..=11 => self.look_up(),
            12..=14 => self.resume(),
            15..=16 => self.seal(),
            17 => self.write_checkpoint(),
            18 => self.build(),
            _ if self.random(8) == 0 => self.restart(),
            _ => {}
        }
    }

    fn request(&mut self) {
        let number = self.random(KEYS);
        let body = u8::from(self.random(10) == 0);
        let amount = i64::try_from(number % 7).unwrap() + 1;
        let (from, to) = if number.is_multiple_of(3) { (self.accounts.1, self.accounts.0) } else { self.accounts };
        let mut request = keyed(transfer(from, to, amount), &number.to_string(), body);
        if number.is_multiple_of(4) {
            request.meta.keys.insert(0, format!("voucher:{}", self.random(KEYS)));
        }
        match self.engine.admit(request.clone(), NINE).unwrap() {
            Admitted::Answered(answer) => self.compare(request, &answer),
            Admitted::Parked(parked) => {
                self.seen.parked += 1;
                self.waiting.push(Waiting { parked, request, looked_up: None });
            }
        }
    }

    /// The store is asked for one of those that wait; its answer is not taken up yet.
    fn look_up(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let at = usize::try_from(self.random(self.waiting.len() as u64)).unwrap();
        let (scope, keys) = (self.waiting[at].parked.scope(), self.waiting[at].parked.keys());
        let stored = keys.iter().filter_map(|key| self.stored.get(&(scope.to_owned(), key.clone())));
        let looked_up = LookedUp { through: self.checkpoint, bound: stored.cloned().collect(), rows: Vec::new() };
        self.seen.false_positives += u32::from(looked_up.bound.is_empty());
        self.waiting[at].looked_up = Some(looked_up);
    }

    fn resume(&mut self) {
        let Some(at) = self.waiting.iter().position(|waiting| waiting.looked_up.is_some()) else { return };
        let Waiting { parked, request, looked_up } = self.waiting.swap_remove(at);
        match self.engine.resume(parked, &looked_up.unwrap(), NINE).unwrap() {
            Admitted::Answered(answer) => {
                self.seen.first_answers += u32::from(answer.repeated);
                self.compare(request, &answer);
            }
            Admitted::Parked(parked) => {
                self.seen.parked_again += 1;
                self.waiting.push(Waiting { parked, request, looked_up: None });
            }
        }
    }

    /// The engine that forgets nothing decides in the same order.
    fn compare(&mut self, request: Request, answer: &Answer) {
        let expected = submit(&mut self.forgetting_nothing, request.clone());
        assert_eq!(*answer, expected, "{:?} of {:?}", request.meta.keys, request.command);
    }

    fn seal(&mut self) {
        let Some(sealed) = self.engine.seal() else { return };
        self.forgetting_nothing.seal().unwrap();
        self.projected.extend(sealed.projection.keys.iter().cloned());
        self.rows.push(crate::support::record(sealed.batch, self.rows.len() as u64 + 1));
    }

    fn write_checkpoint(&mut self) {
        for binding in self.projected.drain(..) {
            let twice = self.stored.insert((binding.scope.clone(), binding.key.clone()), binding);
            assert_eq!(twice, None, "a key is bound once");
        }
        self.checkpoint = self.rows.last().unwrap().next() - 1;
    }

    /// Builds what is due and may be, and keeps it.
    fn build(&mut self) {
        self.due.extend(std::iter::from_fn(|| self.engine.take_due()));
        let (now, later) = self.due.drain(..).partition(|span| span.through <= self.checkpoint);
        self.due = later;
        let now: Vec<Span> = now;
        for span in now {
            let filter = self.filter_of(span);
            self.kept.retain(|kept| kept.span().after < span.after || kept.span().through > span.through);
            self.kept.push(filter.clone());
            self.kept.sort_by_key(KeyFilter::span);
            let before = self.engine.keys().filters().1;
            self.engine.install(filter).expect("it was built for this engine");
            self.seen.filters += 1;
            self.seen.merged += u32::from(self.engine.keys().filters().1 < before);
        }
    }

    /// The filter of a span, which takes some keys for used that never were: real ones do so too rarely for a test.
    fn filter_of(&self, span: Span) -> KeyFilter {
        let within = |binding: &&KeyBinding| binding.position > span.after && binding.position <= span.through;
        let of_span: Vec<&KeyBinding> = self.stored.values().filter(within).collect();
        let mut hashes: Vec<u64> = of_span.iter().map(|binding| hash(&binding.scope, &binding.key)).collect();
        hashes.extend((0..KEYS).filter(|number| number.is_multiple_of(5)).map(idempotency_hash));
        let built = KeyFilter::build(span, hashes).unwrap();
        KeyFilter::from_bytes(span, of_span.len() as u64, &built.to_bytes()).unwrap()
    }

    /// What was not durable is lost with everything that waits; the rest comes from the checkpoint and the rows after it.
    fn restart(&mut self) {
        self.seen.restarts += 1;
        (self.forgetting_nothing, self.projected) = (Engine::new(State::default(), Keys::default(), 1), Vec::new());
        let checkpointed = self.rows.partition_point(|row| row.first <= self.checkpoint);
        for row in &self.rows[..checkpointed] {
            self.forgetting_nothing.replay(row).unwrap();
        }
        let state = self.forgetting_nothing.state().clone();
        for row in &self.rows[checkpointed..] {
            self.projected.extend(self.forgetting_nothing.replay(row).unwrap().keys);
        }
        let mut keys = Keys::behind(self.kept.clone());
        keys.set_run_keys(RUN);
        let filtered = keys.filtered_through();
        let mut unfiltered: Vec<&KeyBinding> = self.stored.values().filter(|key| key.position > filtered).collect();
        unfiltered.sort_by_key(|binding| binding.position);
        unfiltered.into_iter().for_each(|binding| keys.bind(binding.clone()));
        self.engine = Engine::new(state, keys, 1);
        for row in &self.rows[checkpointed..] {
            self.engine.replay(row).unwrap();
        }
        (self.due, self.waiting) = (Vec::new(), Vec::new());
    }
}

fn idempotency_hash(number: u64) -> u64 {
    hash("operator", &format!("idempotency:{number}"))
}

#[test]
fn an_engine_that_forgets_answers_as_one_that_does_not() {
    let mut all = Seen::default();
    let mut few_in_memory = BTreeSet::new();
    for seed in 0..HISTORIES {
        let mut world = World::begin(seed);
        for _ in 0..STEPS {
            world.step();
        }
        let keys = world.engine.keys();
        assert_eq!(keys.len(), world.forgetting_nothing.keys().len());
        assert_eq!(world.engine.state().differing(world.forgetting_nothing.state()), Vec::<&str>::new());
        few_in_memory.insert(keys.len_in_memory() < keys.len() / 2);
        let seen = world.seen;
        all.parked += seen.parked;
        all.parked_again += seen.parked_again;
        all.first_answers += seen.first_answers;
        all.false_positives += seen.false_positives;
        all.filters += seen.filters;
        all.merged += seen.merged;
        all.restarts += seen.restarts;
    }
    let Seen { parked, parked_again, first_answers, false_positives, filters, merged, restarts } = all;
    assert!([parked, first_answers, false_positives, filters].iter().all(|count| *count > 500), "{all:?}");
    assert!([parked_again, merged, restarts].iter().all(|count| *count > 20), "{all:?}");
    assert!(few_in_memory.contains(&true));
}
