//! One terminal, one session: a connection on which a terminal has proved itself ends the one before.
//!
//! Whose a connection is, only a right MAC says: a message that merely names a terminal ends nobody's connection.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use domain::ids::TerminalId;
use tokio::sync::Notify;

/// A connection, as far as sessions know it.
#[derive(Debug, Default)]
pub(crate) struct Connected {
    superseded: Notify,
}

impl Connected {
    /// Ends once its terminal has proved itself on another connection.
    pub(crate) async fn superseded(&self) {
        self.superseded.notified().await;
    }
}

/// The connection of each terminal that proved itself.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<HashMap<TerminalId, Weak<Connected>>>);

impl Sessions {
    /// The terminal is here now; where it was before, it is not any more.
    pub(crate) fn take(&self, terminal: TerminalId, here: &Arc<Connected>) {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = sessions.insert(terminal, Arc::downgrade(here)).and_then(|before| before.upgrade());
        if let Some(before) = before.filter(|before| !Arc::ptr_eq(before, here)) {
            // Kept until the connection looks, which it does between two messages.
            before.superseded.notify_one();
        }
    }

    /// The terminal is nowhere any more.
    pub(crate) fn leave(&self, terminal: TerminalId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&terminal);
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use super::*;

    #[tokio::test]
    async fn a_terminal_that_comes_again_ends_its_connection_before_and_nobody_elses() {
        let sessions = Sessions::default();
        let [first, second, other] = [(); 3].map(|()| Arc::new(Connected::default()));
        sessions.take(TerminalId(1), &first);
        sessions.take(TerminalId(1), &first);
        sessions.take(TerminalId(2), &other);
        let ended = |connected: Arc<Connected>| async move {
            let mut superseded = Box::pin(connected.superseded());
            std::future::poll_fn(|context| Poll::Ready(superseded.as_mut().poll(context).is_ready())).await
        };
        assert!(!ended(Arc::clone(&first)).await, "the same connection again");
        sessions.take(TerminalId(1), &second);
        assert!(ended(first).await && !ended(second).await && !ended(other).await);
    }
}
