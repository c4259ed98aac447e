//! Which answer belongs to which request, over all links of a network and however often they break.
//!
//! ```text
//!  expect ─► QUEUED ─ the writer begins it ─► SENT ─┬─ its answer ─► told
//!              │                                    └─ withdrawn (time-out) ─► its answer is late
//!              ├─ withdrawn ─► never sent
//!              └─ its link breaks ─► unsent: another link may take it
//! ```
//!
//! Invariants: a request that is SENT stays expected when its link breaks, since the answer may come by another; one that
//! was withdrawn before the writer began it is never written; an answer is paired if message type, F7, F11, F32 and F33 are
//! those that the request calls for and F3, F4, F37, F41 and F42 contradict it nowhere, and else with nothing.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::pos::network::Fields;

/// Fields that come back as they went, where they come back.
const SAME: [u8; 5] = [3, 4, 37, 41, 42];

/// What an answer is known by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    answer: [u8; 4],
    sent_at: Vec<u8>,
    trace: Vec<u8>,
    acquirer: Vec<u8>,
    forwarder: Vec<u8>,
}

impl Key {
    /// Of a request: what its answer must have.
    pub(super) fn of_request(mti: [u8; 4], fields: &Fields) -> Self {
        Self::of(answer_type(mti), fields)
    }

    /// Of an answer.
    pub(super) fn of_answer(mti: [u8; 4], fields: &Fields) -> Self {
        Self::of(mti, fields)
    }

    fn of(answer: [u8; 4], fields: &Fields) -> Self {
        let field = |number| fields.get(number).unwrap_or_default().to_vec();
        Self { answer, sent_at: field(7), trace: field(11), acquirer: field(32), forwarder: field(33) }
    }
}

/// The type of the answer to a request, an advice, or the repetition of either.
pub(super) fn answer_type([version, class, function, _]: [u8; 4]) -> [u8; 4] {
    let function = match function {
        b'0' => b'1',
        b'2' => b'3',
        other => other,
    };
    [version, class, function, b'0']
}

/// Whether a message type is an answer's.
pub(super) fn is_answer([_, _, function, _]: [u8; 4]) -> bool {
    matches!(function, b'1' | b'3')
}

/// What a request comes to.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Its answer.
    Answer(Fields),
    /// Its link broke before the first byte of it.
    Unsent,
}

/// What became of one that was withdrawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Withdrawn {
    /// It was not sent and will not be.
    Unsent,
    /// It was, or is being, sent.
    Sent,
    /// It had its outcome already.
    Told,
}

/// What an answer came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paired {
    /// Its request has it.
    Told,
    /// Nobody waits for it: late, doubled, or never asked for.
    Unexpected,
    /// The names are a request's, and the content is not.
    Contradicts,
}

struct Waiting {
    same: Vec<(u8, Vec<u8>)>,
    sent: bool,
    tell: oneshot::Sender<Outcome>,
}

/// What is waited for.
#[derive(Default)]
pub(super) struct Mux {
    waiting: Mutex<HashMap<Key, Waiting>>,
}

impl Mux {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on this is waited for; `None` if something of these names is already.
    pub(super) fn expect(&self, key: &Key, request: &Fields) -> Option<oneshot::Receiver<Outcome>> {
        let mut waiting = self.lock();
        if waiting.contains_key(key) {
            return None;
        }
        let same = SAME.into_iter().filter_map(|number| Some((number, request.get(number)?.to_vec()))).collect();
        let (tell, told) = oneshot::channel();
        waiting.insert(key.clone(), Waiting { same, sent: false, tell });
        Some(told)
    }

    /// The writer is about to write it; false if it was withdrawn.
    pub(super) fn begin(&self, key: &Key) -> bool {
        self.lock().get_mut(key).is_some_and(|waiting| {
            waiting.sent = true;
            true
        })
    }

    /// Nobody waits for it any more.
    pub(super) fn withdraw(&self, key: &Key) -> Withdrawn {
        match self.lock().remove(key) {
            Some(Waiting { sent: true, .. }) => Withdrawn::Sent,
            Some(Waiting { sent: false, .. }) => Withdrawn::Unsent,
            None => Withdrawn::Told,
        }
    }

    /// The link that had it in its queue broke.
    pub(super) fn unsent(&self, key: &Key) {
        if let Some(waiting) = self.lock().remove(key) {
            // Who went away does not care.
            drop(waiting.tell.send(Outcome::Unsent));
        }
    }

    /// Gives an answer to its request.
    pub(super) fn answered(&self, key: &Key, fields: Fields) -> Paired {
        let mut all = self.lock();
        // What was not sent has no answer, whatever came.
        let Some(waiting) = all.get(key).filter(|waiting| waiting.sent) else { return Paired::Unexpected };
        let contradicts = |(number, sent): &(u8, Vec<u8>)| fields.get(*number).is_some_and(|came| came != sent);
        if waiting.same.iter().any(contradicts) {
            return Paired::Contradicts;
        }
        match all.remove(key).map(|waiting| waiting.tell.send(Outcome::Answer(fields))) {
            Some(Ok(())) => Paired::Told,
            Some(Err(_)) | None => Paired::Unexpected,
        }
    }

    /// How many are waited for.
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(trace: &str) -> Fields {
        let mut fields = Fields::default();
        for (number, content) in [
            (3, "000000"),
            (4, "000000010000"),
            (7, "0305090000"),
            (11, trace),
            (32, "48021000"),
            (33, "48021000"),
            (37, "000000000001"),
        ] {
            fields.set(number, content);
        }
        fields
    }

    fn with(mut fields: Fields, number: u8, content: &str) -> Fields {
        fields.set(number, content);
        fields
    }

    #[test]
    fn an_answer_is_paired_by_every_one_of_its_names_and_contradicted_by_content() {
        let (mux, asked) = (Mux::default(), request("000001"));
        let key = Key::of_request(*b"0200", &asked);
        let mut told = mux.expect(&key, &asked).unwrap();
        assert!(mux.expect(&key, &asked).is_none());
        let answered = |mti: &[u8; 4], fields: Fields| mux.answered(&Key::of_answer(*mti, &fields), fields.clone());
        // Nothing that was not written is answered.
        assert_eq!(answered(b"0210", asked.clone()), Paired::Unexpected);
        assert!(mux.begin(&key));
        for (number, other) in [(7, "0305090001"), (11, "000002"), (32, "48021001"), (33, "48021001")] {
            assert_eq!(answered(b"0210", with(asked.clone(), number, other)), Paired::Unexpected, "{number}");
        }
        assert_eq!(answered(b"0230", asked.clone()), Paired::Unexpected);
        assert_eq!(answered(b"0430", asked.clone()), Paired::Unexpected);
        for (number, other) in [(3, "200000"), (4, "000000010001"), (37, "000000000002")] {
            assert_eq!(answered(b"0210", with(asked.clone(), number, other)), Paired::Contradicts, "{number}");
        }
        assert!(told.try_recv().is_err());
        assert_eq!(answered(b"0210", with(asked.clone(), 39, "00")), Paired::Told);
        let Ok(Outcome::Answer(fields)) = told.try_recv() else { panic!("it was told") };
        assert_eq!(fields.text(39), Some("00"));
        // The same once more.
        assert_eq!(answered(b"0210", with(asked, 39, "00")), Paired::Unexpected);
        assert_eq!(mux.len(), 0);
    }

    #[test]
    fn what_was_withdrawn_before_it_was_begun_is_never_written() {
        let (mux, asked) = (Mux::default(), request("000001"));
        let key = Key::of_request(*b"0200", &asked);
        let _told = mux.expect(&key, &asked);
        assert_eq!(mux.withdraw(&key), Withdrawn::Unsent);
        assert!(!mux.begin(&key));
        let _told = mux.expect(&key, &asked);
        assert!(mux.begin(&key));
        assert_eq!((mux.withdraw(&key), mux.withdraw(&key)), (Withdrawn::Sent, Withdrawn::Told));
        let mut told = mux.expect(&key, &asked).unwrap();
        mux.unsent(&key);
        assert!(matches!(told.try_recv(), Ok(Outcome::Unsent)));
    }

    #[test]
    fn answers_have_the_type_that_their_request_calls_for() {
        for (asked, told) in [(b"0200", b"0210"), (b"0421", b"0430"), (b"0820", b"0830"), (b"0100", b"0110")] {
            assert_eq!(answer_type(*asked), *told);
            assert!(is_answer(*told) && !is_answer(*asked));
        }
    }
}
