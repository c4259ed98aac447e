//! A run: the keys of a span of the journal, in memory, with their answers.

use std::collections::HashMap;
use std::sync::Arc;

use super::filter::Span;
use super::{FirstAnswer, KeyBinding};

/// Places beyond the bound: a run ends behind the command that fills it, which may bring several keys.
const ROOM: usize = 64;

/// What the keys of one command are bound to.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) position: u64,
    pub(super) fingerprint: [u8; 16],
    pub(super) answer: FirstAnswer,
}

impl Bound {
    fn is(&self, position: u64, fingerprint: &[u8; 16], answer: &FirstAnswer) -> bool {
        self.position == position && self.fingerprint == *fingerprint && self.answer == *answer
    }
}

/// Keys that were bound one after the other.
#[derive(Debug)]
pub(super) struct Run {
    span: Span,
    /// All its places are there from the beginning: a table that grows stops the writer while it is copied.
    bound: HashMap<Box<str>, Arc<Bound>>,
    last: Option<Arc<Bound>>,
}

/// Scope and key as one text.
pub(super) fn joined(scope: &str, key: &str) -> String {
    [scope, "\0", key].concat()
}

impl Run {
    /// An empty run behind a position, with places for so many keys.
    pub(super) fn after(position: u64, keys: usize) -> Self {
        let bound = HashMap::with_capacity(keys.saturating_add(ROOM));
        Self { span: Span { after: position, through: position }, bound, last: None }
    }

    pub(super) fn span(&self) -> Span {
        self.span
    }

    pub(super) fn len(&self) -> usize {
        self.bound.len()
    }

    pub(super) fn get(&self, joined: &str) -> Option<&Bound> {
        self.bound.get(joined).map(|bound| &**bound)
    }

    /// Binds a key; the keys of one command, which come one behind the other, share what they are bound to.
    pub(super) fn bind(&mut self, binding: KeyBinding) {
        let KeyBinding { scope, key, position, fingerprint, answer } = binding;
        let bound = match self.last.take() {
            Some(last) if last.is(position, &fingerprint, &answer) => last,
            Some(_) | None => Arc::new(Bound { position, fingerprint, answer }),
        };
        self.bound.insert(joined(&scope, &key).into_boxed_str(), Arc::clone(&bound));
        self.last = Some(bound);
        self.span.through = position;
    }
}
