//! Orders that somebody waits for: what is to be looked at, and let out, once the try of one has ended.
//!
//! ```text
//!  a request's view: the try is under way ─ wait_for ─► kept ─ a durable batch has the order, its try ended ─► looked at, let out
//!                                                        └ the caller left or had enough: the ticket is dropped ─► forgotten
//! ```
//! Looks are kept on the writer's thread, by views of the state that has the try, and taken there when batches became durable, so
//! none comes too late for its order. One that waits for what its own command did goes with it if the journal fails first. What the
//! channels take of the time meanwhile is added up by order, as long as somebody waits: for the legs that it had, and for those that a
//! durable batch brings, which the writer tells before they are carried out.
//! Who waits for a real-name check is told of every answer to one, and looks again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::State;
use domain::ids::{LegId, OrderId};
use tokio::sync::Notify;

use super::Leaving;

/// A look at the state as of then; what of it left memory, it does not see.
pub(crate) type Look = Box<dyn FnOnce(&State) -> Leaving + Send>;

/// Looks by the order whose try they wait for.
#[derive(Default)]
pub(crate) struct Awaited {
    kept: Mutex<Kept>,
    checked: Notify,
}

#[derive(Default)]
struct Kept {
    looks: HashMap<OrderId, Vec<(u64, Look)>>,
    /// Of the orders that somebody waits for.
    spent: HashMap<OrderId, Spent>,
    /// Their legs.
    legs: HashMap<LegId, OrderId>,
    last: u64,
}

/// How many wait for an order, and how long calls of channels took meanwhile.
#[derive(Default)]
struct Spent {
    waiting: usize,
    took: Duration,
    legs: Vec<LegId>,
}

impl Kept {
    /// These legs are of an order that somebody waits for.
    fn join(&mut self, order: OrderId, legs: &[LegId]) {
        let Some(spent) = self.spent.get_mut(&order) else { return };
        for leg in legs {
            if self.legs.insert(*leg, order).is_none() {
                spent.legs.push(*leg);
            }
        }
    }

    fn take_out(&mut self, order: OrderId, number: u64) {
        let Some(looks) = self.looks.get_mut(&order) else { return };
        looks.retain(|(kept, _)| *kept != number);
        if looks.is_empty() {
            self.looks.remove(&order);
        }
    }
}

/// That somebody waits. Dropped, nobody does.
pub(crate) struct Ticket {
    awaited: Arc<Awaited>,
    order: OrderId,
    number: u64,
    durable: Arc<AtomicBool>,
}

/// That a look waits for what a command did which is not durable yet. Dropped before [`Self::passed`] it takes the look along.
pub(crate) struct UntilDurable {
    awaited: Arc<Awaited>,
    order: OrderId,
    number: u64,
    durable: Arc<AtomicBool>,
}

impl Awaited {
    /// Looks at the state once the try of this order, which has these legs, has ended.
    pub(crate) fn wait_for(self: &Arc<Self>, order: OrderId, legs: &[LegId], look: Look) -> Ticket {
        let mut kept = self.kept();
        kept.last = kept.last.wrapping_add(1);
        let number = kept.last;
        kept.looks.entry(order).or_default().push((number, look));
        let spent = kept.spent.entry(order).or_default();
        spent.waiting = spent.waiting.saturating_add(1);
        kept.join(order, legs);
        Ticket { awaited: Arc::clone(self), order, number, durable: Arc::default() }
    }

    /// A call of a channel took so long for a leg.
    pub(crate) fn spend(&self, leg: Option<LegId>, took: Duration) {
        let Some(leg) = leg else { return };
        let mut kept = self.kept();
        let order = kept.legs.get(&leg).copied();
        if let Some(spent) = order.and_then(|order| kept.spent.get_mut(&order)) {
            spent.took = spent.took.saturating_add(took);
        }
    }

    /// The looks of those of these orders whose try has ended, to be taken at once: each order with whether it is trying, and with its
    /// legs. One that joined the others, for a shortfall or at the next network, is of what is waited for from now on.
    pub(crate) fn ended<'a>(&self, orders: impl Iterator<Item = (OrderId, bool, &'a [LegId])>) -> Vec<Look> {
        let mut kept = self.kept();
        if kept.spent.is_empty() {
            return Vec::new();
        }
        let mut looks = Vec::new();
        for (order, trying, legs) in orders {
            kept.join(order, legs);
            if !trying {
                looks.extend(kept.looks.remove(&order).into_iter().flatten().map(|(_, look)| look));
            }
        }
        looks
    }

    /// Nobody waits any longer: each is told that nothing comes.
    pub(crate) fn give_up(&self) {
        let looks = std::mem::take(&mut self.kept().looks);
        drop(looks);
        self.tell_checked();
    }

    /// Ends with the next answer to any real-name check from now on.
    pub(crate) fn checked(&self) -> impl Future<Output = ()> {
        self.checked.notified()
    }

    /// A real-name check was answered.
    pub(crate) fn tell_checked(&self) {
        self.checked.notify_waiters();
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl UntilDurable {
    /// It is durable: the look stays until its order's try has ended.
    pub(crate) fn passed(self) {
        self.durable.store(true, Ordering::Release);
    }
}

impl Drop for UntilDurable {
    fn drop(&mut self) {
        if !self.durable.load(Ordering::Acquire) {
            self.awaited.kept().take_out(self.order, self.number);
        }
    }
}

impl Ticket {
    /// How long calls of channels took for the order since this wait, or an earlier one that still lasts, began.
    pub(crate) fn spent(&self) -> Duration {
        self.awaited.kept().spent.get(&self.order).map(|spent| spent.took).unwrap_or_default()
    }

    /// For the gate: what the wait began with is not durable yet.
    pub(crate) fn until_durable(&self) -> UntilDurable {
        let (awaited, durable) = (Arc::clone(&self.awaited), Arc::clone(&self.durable));
        UntilDurable { awaited, order: self.order, number: self.number, durable }
    }

    /// Whether it has become durable since.
    pub(crate) fn is_durable(&self) -> bool {
        self.durable.load(Ordering::Acquire)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut kept = self.awaited.kept();
        if let Some(spent) = kept.spent.get_mut(&self.order) {
            spent.waiting = spent.waiting.saturating_sub(1);
        }
        if kept.spent.get(&self.order).is_some_and(|spent| spent.waiting == 0)
            && let Some(spent) = kept.spent.remove(&self.order)
        {
            for leg in &spent.legs {
                kept.legs.remove(leg);
            }
        }
        kept.take_out(self.order, self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing() -> Look {
        let look = |_: &State| -> Leaving { Box::new(|| ()) };
        Box::new(look)
    }

    #[test]
    fn a_look_goes_with_a_command_that_does_not_become_durable() {
        let awaited = Arc::new(Awaited::default());
        let (lost, durable) =
            (awaited.wait_for(OrderId(7), &[], nothing()), awaited.wait_for(OrderId(7), &[], nothing()));
        drop(lost.until_durable());
        durable.until_durable().passed();
        assert!(!lost.is_durable() && durable.is_durable());
        assert_eq!(awaited.kept().looks.get(&OrderId(7)).map(Vec::len), Some(1));
        drop(lost);
        assert_eq!(awaited.kept().looks.get(&OrderId(7)).map(Vec::len), Some(1), "the other's stays");
        drop(durable);
        assert!(awaited.kept().looks.is_empty());
    }

    #[test]
    fn the_time_of_channels_is_kept_for_legs_that_somebody_waits_for() {
        let awaited = Arc::new(Awaited::default());
        let ms = Duration::from_millis;
        awaited.spend(Some(LegId(1)), ms(5));
        let ticket = awaited.wait_for(OrderId(7), &[LegId(1), LegId(2)], nothing());
        awaited.spend(Some(LegId(1)), ms(20));
        awaited.spend(Some(LegId(2)), ms(3));
        awaited.spend(Some(LegId(3)), ms(50));
        awaited.spend(None, ms(50));
        assert_eq!(ticket.spent(), ms(23));
        let second = awaited.wait_for(OrderId(7), &[LegId(1), LegId(2)], nothing());
        drop(ticket);
        assert_eq!(second.spent(), ms(23), "somebody still waits");
        // A leg that joins, of this order and of one that nobody waits for.
        let joined = [(OrderId(7), true, &[LegId(1), LegId(2), LegId(4)][..]), (OrderId(8), true, &[LegId(5)][..])];
        assert_eq!(awaited.ended(joined.into_iter()).len(), 0);
        awaited.spend(Some(LegId(4)), ms(7));
        awaited.spend(Some(LegId(5)), ms(50));
        assert_eq!(second.spent(), ms(30));
        assert_eq!(awaited.ended([(OrderId(7), false, &[LegId(1)][..])].into_iter()).len(), 1);
        drop(second);
        let kept = awaited.kept();
        assert!(kept.looks.is_empty() && kept.spent.is_empty() && kept.legs.is_empty());
    }
}
