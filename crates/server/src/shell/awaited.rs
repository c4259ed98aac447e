//! Orders that somebody waits for: what is to be looked at, and let out, once the try of one has ended.
//!
//! ```text
//!  a request's view: the try is under way ─ wait_for ─► kept ─ a durable batch has the order, its try ended ─► looked at, let out
//!                                                        └ the caller left or had enough: the ticket is dropped ─► forgotten
//! ```
//! Looks are kept on the writer's thread, by views of the state that has the try, and taken there when batches became durable, so
//! none comes too late for its order. One that waits for what its own command did goes with it if the journal fails first. What the channels take of the time meanwhile is added up by leg, as long as somebody waits.
//! Who waits for a real-name check is told of every answer to one, and looks again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::State;
use domain::ids::{LegId, OrderId};
use domain::order::Order;
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
    /// Of the legs that somebody waits for: how many do, and how long calls of channels took meanwhile.
    spent: HashMap<LegId, (usize, Duration)>,
    last: u64,
}

/// That somebody waits. Dropped, nobody does.
pub(crate) struct Ticket {
    awaited: Arc<Awaited>,
    order: OrderId,
    legs: Vec<LegId>,
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
    pub(crate) fn wait_for(self: &Arc<Self>, order: OrderId, legs: Vec<LegId>, look: Look) -> Ticket {
        let mut kept = self.kept();
        kept.last = kept.last.wrapping_add(1);
        let number = kept.last;
        kept.looks.entry(order).or_default().push((number, look));
        for leg in &legs {
            let (waiting, _) = kept.spent.entry(*leg).or_default();
            *waiting = waiting.saturating_add(1);
        }
        Ticket { awaited: Arc::clone(self), order, legs, number, durable: Arc::default() }
    }

    /// A call of a channel took so long for a leg.
    pub(crate) fn spend(&self, leg: Option<LegId>, took: Duration) {
        let Some(leg) = leg else { return };
        if let Some((_, spent)) = self.kept().spent.get_mut(&leg) {
            *spent = spent.saturating_add(took);
        }
    }

    /// The looks of those of these orders whose try has ended, to be taken at once.
    pub(crate) fn ended<'a>(&self, orders: impl Iterator<Item = &'a Order>) -> Vec<Look> {
        let mut kept = self.kept();
        if kept.looks.is_empty() {
            return Vec::new();
        }
        let ended = orders.filter(|order| !order.trying).filter_map(|order| kept.looks.remove(&order.id));
        ended.flatten().map(|(_, look)| look).collect()
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

impl Kept {
    fn take_out(&mut self, order: OrderId, number: u64) {
        let Some(looks) = self.looks.get_mut(&order) else { return };
        looks.retain(|(kept, _)| *kept != number);
        if looks.is_empty() {
            self.looks.remove(&order);
        }
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
    /// How long calls of channels took so far for the legs that the order had when this wait, or an earlier one that still lasts, began.
    pub(crate) fn spent(&self) -> Duration {
        let kept = self.awaited.kept();
        self.legs.iter().filter_map(|leg| kept.spent.get(leg)).map(|(_, spent)| *spent).sum()
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
        for leg in &self.legs {
            let Some((waiting, _)) = kept.spent.get_mut(leg) else { continue };
            *waiting = waiting.saturating_sub(1);
            if *waiting == 0 {
                kept.spent.remove(leg);
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
            (awaited.wait_for(OrderId(7), vec![], nothing()), awaited.wait_for(OrderId(7), vec![], nothing()));
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
        let ticket = awaited.wait_for(OrderId(7), vec![LegId(1), LegId(2)], nothing());
        awaited.spend(Some(LegId(1)), ms(20));
        awaited.spend(Some(LegId(2)), ms(3));
        awaited.spend(Some(LegId(3)), ms(50));
        awaited.spend(None, ms(50));
        assert_eq!(ticket.spent(), ms(23));
        let second = awaited.wait_for(OrderId(7), vec![LegId(1), LegId(2)], nothing());
        drop(ticket);
        assert_eq!(second.spent(), ms(23), "somebody still waits");
        drop(second);
        let kept = awaited.kept();
        assert!(kept.looks.is_empty() && kept.spent.is_empty());
    }
}
