//! Idempotency: which keys were used, for what body, with what answer.
//!
//! ```text
//!  bound ─► the open run ─ full ─► a sealed run ─ checkpointed; its filter is built from the store ─► a filter
//!           in memory              in memory, due                                                    16 of them ─► one
//! ```
//! Keys are bound in the order of the journal, so a run is the keys of a span of positions, and so is a filter. Every
//! position up to the last one bound is behind exactly one filter or in exactly one run.
//!
//! A key that no run holds and no filter may contain is surely new. One that a filter may contain is looked up in the store
//! before its command is decided: the command is parked, and comes back with what the store says and the position up to
//! which it says it. What was bound since then is in a run, or behind a filter that reaches beyond that position and is
//! asked again. So what is decided is what an engine that forgets nothing would decide, and nothing of the looking up
//! needs to be in the journal.

pub mod filter;
mod run;

use std::collections::VecDeque;

use domain::recall::Row;
use domain::{Refusal, RefusalCode, Reply};
use minicbor::{Decode, Encode};

use filter::{KeyFilter, Span};
use run::{Bound, Run, joined};

/// Keys in a run: what a table of 2^19 places takes without growing. Two runs and a little are in memory at most, as long as
/// checkpoints keep up.
pub const RUN_KEYS: usize = 450_000;

/// So many filters of a run become one: a new key asks every filter.
const MERGED: usize = 16;

/// The first answer given under a key.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum FirstAnswer {
    /// It was done.
    #[n(0)]
    Done(#[n(0)] Reply),
    /// It was refused, and stays refused: a late duplicate must not succeed after its sender was told no.
    #[n(1)]
    Refused(#[n(0)] Refusal),
}

impl FirstAnswer {
    /// As the sender gets it.
    pub(crate) fn result(self) -> Result<Reply, Refusal> {
        match self {
            Self::Done(reply) => Ok(reply),
            Self::Refused(refusal) => Err(refusal),
        }
    }
}

/// A key and what it is bound to, as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyBinding {
    /// Whose key it is.
    pub scope: String,
    /// The key, behind the name of the parameter that bears it: `Idempotency-Key:`, `out_trade_no:`.
    pub key: String,
    /// The position after its command.
    pub position: u64,
    /// A keyed digest of the caller's body.
    pub fingerprint: [u8; 16],
    /// The first answer.
    pub answer: FirstAnswer,
}

/// What the store says of all keys of one request, and of the rows that it asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookedUp {
    /// The store's position: it knows every key bound up to there.
    pub through: u64,
    /// Those of the keys that were used up to there.
    pub bound: Vec<KeyBinding>,
    /// The rows, as they are at that position.
    pub rows: Vec<Row>,
}

/// What is known of a request's keys.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// None was used before.
    New,
    /// One was, for the same body: the first answer.
    First(FirstAnswer),
    /// The store must say.
    Elsewhere,
}

/// What left memory, to be dropped where that stops nobody.
#[derive(Debug)]
pub struct Retired {
    _runs: Vec<Run>,
    _filters: Vec<KeyFilter>,
}

/// Every key in use: those of the last runs, and filters of all before.
#[derive(Debug)]
pub struct Keys {
    filters: Vec<KeyFilter>,
    /// Full runs whose filters are not there yet.
    sealed: VecDeque<Run>,
    open: Run,
    run_keys: usize,
    /// Spans whose filter is to be built.
    due: VecDeque<Span>,
}

impl Default for Keys {
    fn default() -> Self {
        Self::behind(Vec::new())
    }
}

impl Keys {
    /// The keys behind filters that follow on each other from position 0, and no others yet.
    #[must_use]
    pub fn behind(filters: Vec<KeyFilter>) -> Self {
        let through = filters.last().map_or(0, |filter| filter.span().through);
        let open = Run::after(through, RUN_KEYS);
        let mut keys = Self { filters, sealed: VecDeque::new(), open, run_keys: RUN_KEYS, due: VecDeque::new() };
        keys.due = keys.small_filters().chunks_exact(MERGED).filter_map(around).collect();
        keys
    }

    /// From now on a run is full with `keys` keys instead of [`RUN_KEYS`].
    pub fn set_run_keys(&mut self, keys: usize) {
        self.run_keys = keys.max(1);
    }

    /// The first answer and its position, if one of `keys` was used before and is in memory. Only an engine that never
    /// dropped keys, as a replay makes it, knows by this that a key is new.
    ///
    /// # Errors
    /// `key_reused` if it was used for another body.
    pub fn find(
        &self,
        scope: &str,
        keys: &[String],
        fingerprint: [u8; 16],
    ) -> Result<Option<(FirstAnswer, u64)>, Refusal> {
        for key in keys {
            let Some(bound) = self.in_memory(&joined(scope, key)) else { continue };
            return verdict(key, fingerprint, bound.fingerprint, &bound.answer)
                .map(|answer| Some((answer, bound.position)));
        }
        Ok(None)
    }

    /// What is known of a request's keys, with what the store said of them if it was asked. The first key that was used
    /// decides, as it would if all were in memory.
    ///
    /// # Errors
    /// `key_reused` if it was used for another body.
    pub(crate) fn search(
        &self,
        scope: &str,
        keys: &[String],
        fingerprint: [u8; 16],
        looked_up: Option<&LookedUp>,
    ) -> Result<Found, Refusal> {
        let asked_through = looked_up.map_or(0, |looked_up| looked_up.through);
        for key in keys {
            if let Some(bound) = self.in_memory(&joined(scope, key)) {
                return verdict(key, fingerprint, bound.fingerprint, &bound.answer).map(Found::First);
            }
            let mut told = looked_up.into_iter().flat_map(|looked_up| &looked_up.bound);
            if let Some(bound) = told.find(|bound| bound.scope == scope && bound.key == *key) {
                return verdict(key, fingerprint, bound.fingerprint, &bound.answer).map(Found::First);
            }
            if self.may_be_behind_a_filter(scope, key, asked_through) {
                return Ok(Found::Elsewhere);
            }
        }
        Ok(Found::New)
    }

    /// True if none of these keys was used, without asking the store.
    #[must_use]
    pub fn is_new(&self, scope: &str, keys: &[String]) -> bool {
        self.search(scope, keys, [0; 16], None) == Ok(Found::New)
    }

    fn in_memory(&self, joined: &str) -> Option<&Bound> {
        self.open.get(joined).or_else(|| self.sealed.iter().find_map(|run| run.get(joined)))
    }

    /// Newest filters first: those up to the position the store was asked at need not be asked.
    fn may_be_behind_a_filter(&self, scope: &str, key: &str, asked_through: u64) -> bool {
        let hash = filter::hash(scope, key);
        let newer = self.filters.iter().rev().take_while(|filter| filter.span().through > asked_through);
        newer.into_iter().any(|filter| filter.may_contain(hash))
    }

    /// Binds a key, behind all that were bound before.
    pub fn bind(&mut self, binding: KeyBinding) {
        let through = self.open.span().through;
        if self.open.len() >= self.run_keys && binding.position > through {
            let full = std::mem::replace(&mut self.open, Run::after(through, self.run_keys));
            self.due.push_back(full.span());
            self.sealed.push_back(full);
        }
        self.open.bind(binding);
    }

    /// The next span whose filter is to be built, from all keys that the store has of it, once its checkpoint is at or
    /// behind the span's end; each span comes once.
    pub fn take_due(&mut self) -> Option<Span> {
        self.due.pop_front()
    }

    /// Gives a span back that was taken and whose filter was not built.
    pub fn put_back(&mut self, span: Span) {
        self.due.push_back(span);
    }

    /// Puts a filter in the place of the run or of the filters that it was built for, and gives those back. `None`, and
    /// nothing changed, if it does not know exactly as many keys as they do: it is of another engine, or the store is not
    /// what it should be.
    #[must_use]
    pub fn install(&mut self, filter: KeyFilter) -> Option<Retired> {
        let is_of_run = |run: &Run| run.span() == filter.span() && run.len() as u64 == filter.keys();
        if self.sealed.front().is_some_and(is_of_run) {
            let _runs = self.sealed.pop_front().into_iter().collect();
            self.filters.push(filter);
            let small = self.small_filters();
            // Older ones, if their merging is under way, are due already.
            let whole = if small.len().is_multiple_of(MERGED) { small.chunks_exact(MERGED).last() } else { None };
            self.due.extend(whole.and_then(around));
            return Some(Retired { _runs, _filters: Vec::new() });
        }
        let from = self.filters.iter().position(|it| it.span().after == filter.span().after)?;
        let to = self.filters.iter().position(|it| it.span().through == filter.span().through)?;
        let keys: u64 = self.filters.get(from..=to)?.iter().map(KeyFilter::keys).sum();
        if keys != filter.keys() {
            return None;
        }
        let _filters = self.filters.splice(from..=to, [filter]).collect();
        Some(Retired { _runs: Vec::new(), _filters })
    }

    /// The newest filters that were not merged yet.
    fn small_filters(&self) -> &[KeyFilter] {
        let few = self.run_keys.saturating_mul(MERGED / 2) as u64;
        let merged = self.filters.iter().rposition(|filter| filter.keys() >= few);
        self.filters.get(merged.map_or(0, |at| at + 1)..).unwrap_or_default()
    }

    /// The position up to which keys are behind filters.
    #[must_use]
    pub fn filtered_through(&self) -> u64 {
        self.filters.last().map_or(0, |filter| filter.span().through)
    }

    /// How many keys were used ever.
    #[must_use]
    pub fn len(&self) -> usize {
        let behind: u64 = self.filters.iter().map(KeyFilter::keys).sum();
        self.len_in_memory() + usize::try_from(behind).unwrap_or(usize::MAX)
    }

    /// How many keys are in memory.
    #[must_use]
    pub fn len_in_memory(&self) -> usize {
        self.open.len() + self.sealed.iter().map(Run::len).sum::<usize>()
    }

    /// Bytes that filters take in memory, and how many there are.
    #[must_use]
    pub fn filters(&self) -> (usize, usize) {
        (self.filters.iter().map(KeyFilter::bytes).sum(), self.filters.len())
    }

    /// True without keys.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The span of filters that follow on each other.
fn around(filters: &[KeyFilter]) -> Option<Span> {
    Some(Span { after: filters.first()?.span().after, through: filters.last()?.span().through })
}

/// The first answer, if the key was used for the same body.
fn verdict(key: &str, asked: [u8; 16], bound: [u8; 16], answer: &FirstAnswer) -> Result<FirstAnswer, Refusal> {
    if bound == asked {
        return Ok(answer.clone());
    }
    let (kind, value) = key.split_once(':').unwrap_or(("key", key));
    let message =
        format!("{kind} '{value:.64}' was used before with other content; send the same body or a new {kind}");
    Err(Refusal { code: RefusalCode::KeyReused, param: kind.to_owned().into(), message })
}
