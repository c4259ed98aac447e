//! Turns: of messages under one trace one after another, so that one that comes twice is sent to the network once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use domain::card_transaction::TraceKey;
use tokio::sync::OwnedMutexGuard;

type Turn = tokio::sync::Mutex<()>;

/// Who is at work under which trace.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<BTreeMap<TraceKey, Arc<Turn>>>);

/// A turn; the next one begins when it is dropped.
pub(super) struct Taken<'t> {
    turns: &'t Turns,
    key: TraceKey,
    turn: Option<OwnedMutexGuard<()>>,
}

impl Turns {
    /// Waits for the one before.
    pub(super) async fn take(&self, key: TraceKey) -> Taken<'_> {
        let turn = Arc::clone(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default());
        Taken { turns: self, key, turn: Some(turn.lock_owned().await) }
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let mut turns = self.turns.0.lock().unwrap_or_else(PoisonError::into_inner);
        self.turn = None;
        // Who waits holds a share of it; with no share but the map's own nobody does.
        if turns.get(&self.key).is_some_and(|turn| Arc::strong_count(turn) == 1) {
            turns.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use domain::ids::TerminalId;

    use super::*;

    #[tokio::test]
    async fn the_second_waits_for_the_first_and_nothing_is_left() {
        let turns = Turns::default();
        let key = |trace| TraceKey { terminal: TerminalId(1), batch: 1, trace };
        let first = turns.take(key(1)).await;
        let _other = turns.take(key(2)).await;
        let mut second = Box::pin(turns.take(key(1)));
        let waits = std::future::poll_fn(|context| Poll::Ready(second.as_mut().poll(context).is_pending())).await;
        assert!(waits);
        drop(first);
        drop(second.await);
        assert_eq!(turns.0.lock().unwrap().len(), 1, "only the other's");
    }
}
