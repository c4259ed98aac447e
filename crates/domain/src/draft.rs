//! A draft: the state as a command would leave it. A refusal takes everything back.

use crate::approval::Approved;
use crate::emitted::Emitted;
use crate::envelope::Context;
use crate::event::{Event, apply};
use crate::ids::VoucherId;
use crate::refusal::Refusal;
use crate::state::State;
use crate::voucher::{self, Voucher};

/// One command's work on the state: each event is applied at once, so later steps see earlier ones.
#[derive(Debug)]
pub struct Draft<'a> {
    /// The state, with the events so far applied.
    pub state: &'a mut State,
    /// What the command may know beside it.
    pub context: &'a Context,
    /// What a second person approved, while it is carried out; see [`crate::approval`].
    pub approved: Option<Approved>,
    emitted: Emitted,
    posted: usize,
    announced: usize,
    ended_tries: usize,
    position: u64,
}

impl<'a> Draft<'a> {
    /// Begins. Without `recording` nothing can be taken back: only for a command that checks each step before it changes
    /// anything and is never refused after its first event.
    pub fn begin(state: &'a mut State, context: &'a Context, recording: bool) -> Self {
        state.begin(recording);
        state.forget_missed();
        let (posted, announced, ended_tries) = (state.posted.len(), state.announced.len(), state.ended_tries.len());
        let position = state.position;
        Self { state, context, approved: None, emitted: Emitted::default(), posted, announced, ended_tries, position }
    }

    /// Emits an event that was checked, and applies it.
    pub fn emit(&mut self, event: Event) {
        apply(self.state, &event);
        self.emitted.push(&event);
    }

    /// As [`Self::emit`], for a voucher that its maker keeps.
    pub(crate) fn emit_voucher(&mut self, voucher: &Voucher) -> VoucherId {
        self.state.position += 1;
        voucher::apply_posted(self.state, voucher);
        self.emitted.push_voucher(voucher);
        VoucherId(self.state.position)
    }

    /// Tries a step and takes it back, whatever comes of it: in a draft that records, before its first event.
    pub(crate) fn trial<T>(&mut self, step: impl FnOnce(&mut Self) -> Result<T, Refusal>) -> Result<T, Refusal> {
        debug_assert!(self.emitted.is_empty(), "a trial after an event would take that back too");
        let result = step(self);
        self.take_back();
        self.emitted.clear();
        self.state.begin(true);
        result
    }

    /// The events so far.
    #[cfg(test)]
    pub(crate) fn events(&self) -> alloc::vec::Vec<Event> {
        self.emitted.events()
    }

    /// Keeps the work; the events are to be journaled.
    #[must_use]
    pub fn commit(self) -> Emitted {
        self.state.commit();
        self.emitted
    }

    /// Takes the work back.
    pub fn rollback(mut self) {
        self.take_back();
    }

    fn take_back(&mut self) {
        self.state.rollback();
        self.state.posted.truncate(self.posted);
        self.state.announced.truncate(self.announced);
        self.state.ended_tries.truncate(self.ended_tries);
        self.state.position = self.position;
    }
}
