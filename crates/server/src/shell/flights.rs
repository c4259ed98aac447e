//! The flights under way, by attempt: so that one can be told that its attempt was settled by something else, a notification
//! or a file, and ends in place of asking on; or that what it pays is being closed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::attempt::{Attempt, Purpose};
use domain::ids::AttemptId;
use tokio::sync::Notify;

/// Every flight of this process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flights(Arc<Mutex<BTreeMap<AttemptId, Arc<Word>>>>);

/// What a flight is told.
#[derive(Debug)]
struct Word {
    of: Purpose,
    settled: AtomicBool,
    closing: AtomicBool,
    told: Notify,
}

/// A flight's place among them; it is taken out when it is dropped.
#[derive(Debug)]
pub(crate) struct UnderWay {
    flights: Flights,
    attempt: AttemptId,
    word: Arc<Word>,
}

impl Flights {
    /// Takes a flight in. An older one of the same attempt, of an epoch that ended, is told nothing any more.
    pub(crate) fn begin(&self, attempt: &Attempt) -> UnderWay {
        self.put(attempt.id, attempt.purpose)
    }

    fn put(&self, attempt: AttemptId, of: Purpose) -> UnderWay {
        let (settled, closing, told) = (AtomicBool::new(false), AtomicBool::new(false), Notify::new());
        let word = Arc::new(Word { of, settled, closing, told });
        let mut all = self.all();
        all.insert(attempt, Arc::clone(&word));
        show(&all);
        drop(all);
        UnderWay { flights: self.clone(), attempt, word }
    }

    /// Tells the flights for a leg, or a top-up, that its order, or it itself, is being closed.
    pub(crate) fn close(&self, of: Purpose) {
        for word in self.all().values().filter(|word| word.of == of) {
            word.closing.store(true, Ordering::Release);
            word.told.notify_one();
        }
    }

    /// Tells the flight of an attempt, if there is one, that the engine knows its end.
    pub(crate) fn settle(&self, attempt: AttemptId) {
        if let Some(word) = self.all().get(&attempt) {
            word.settled.store(true, Ordering::Release);
            word.told.notify_one();
        }
    }

    fn all(&self) -> std::sync::MutexGuard<'_, BTreeMap<AttemptId, Arc<Word>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn show(all: &BTreeMap<AttemptId, Arc<Word>>) {
    metrics::gauge!("lintel_flights").set(f64::from(u32::try_from(all.len()).unwrap_or(u32::MAX)));
}

impl UnderWay {
    /// Whether the engine knows the end.
    pub(crate) fn is_settled(&self) -> bool {
        self.word.settled.load(Ordering::Acquire)
    }

    /// Whether what it pays is being closed.
    pub(crate) fn is_closing(&self) -> bool {
        self.word.closing.load(Ordering::Acquire)
    }

    /// Waits, or until the engine knows the end, or what it pays is being closed.
    pub(crate) async fn wait(&self, pause: Duration) {
        if self.is_settled() {
            return;
        }
        // Either way the flight takes its next step.
        tokio::time::timeout(pause, self.word.told.notified()).await.ok();
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut all = self.flights.all();
        if all.get(&self.attempt).is_some_and(|word| Arc::ptr_eq(word, &self.word)) {
            all.remove(&self.attempt);
            show(&all);
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::ids::{LegId, TopUpId};

    use super::*;

    const LEG: Purpose = Purpose::Leg(LegId(3));
    const LONG: Duration = Duration::from_secs(3_600);

    #[tokio::test]
    async fn a_flight_that_waits_is_told_and_waits_no_longer() {
        let flights = Flights::default();
        let flight = flights.put(AttemptId(7), LEG);
        flights.close(Purpose::Leg(LegId(4)));
        flights.close(Purpose::TopUp(TopUpId(3)));
        assert!(!flight.is_closing());
        flights.close(LEG);
        flight.wait(LONG).await;
        assert!(flight.is_closing() && !flight.is_settled());
        let telling = flights.clone();
        let told = tokio::spawn(async move { telling.settle(AttemptId(7)) });
        flight.wait(LONG).await;
        assert!(flight.is_settled());
        flight.wait(LONG).await;
        told.await.unwrap();
        flights.settle(AttemptId(8));
    }

    #[tokio::test]
    async fn an_older_flight_that_ends_leaves_the_newer_ones_place() {
        let flights = Flights::default();
        let older = flights.put(AttemptId(7), LEG);
        let newer = flights.put(AttemptId(7), LEG);
        drop(older);
        flights.settle(AttemptId(7));
        assert!(newer.is_settled());
        drop(newer);
        assert!(flights.all().is_empty());
    }
}
