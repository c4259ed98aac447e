//! Orders that somebody waits for: what is to be looked at, and let out, once the try of one has ended.
//!
//! ```text
//!  a request's view: the try is under way ─ wait_for ─► kept ─ a durable batch has the order, its try ended ─► looked at, let out
//!                                                        └ the caller left or had enough: the ticket is dropped ─► forgotten
//! ```
//! Looks are kept on the writer's thread, by views of the state that has the try, and taken there when batches became durable, so
//! none comes too late for its order.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::State;
use domain::ids::OrderId;
use domain::order::Order;

use super::Leaving;

/// A look at the state as of then; what of it left memory, it does not see.
pub(crate) type Look = Box<dyn FnOnce(&State) -> Leaving + Send>;

/// Looks by the order whose try they wait for.
#[derive(Default)]
pub(crate) struct Awaited(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    looks: HashMap<OrderId, Vec<(u64, Look)>>,
    last: u64,
}

/// That somebody waits. Dropped, nobody does.
pub(crate) struct Ticket {
    awaited: Arc<Awaited>,
    order: OrderId,
    number: u64,
}

impl Awaited {
    /// Looks at the state once the try of this order has ended.
    pub(crate) fn wait_for(self: &Arc<Self>, order: OrderId, look: Look) -> Ticket {
        let mut kept = self.kept();
        kept.last = kept.last.wrapping_add(1);
        let number = kept.last;
        kept.looks.entry(order).or_default().push((number, look));
        Ticket { awaited: Arc::clone(self), order, number }
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
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut kept = self.awaited.kept();
        let Some(looks) = kept.looks.get_mut(&self.order) else { return };
        looks.retain(|(number, _)| *number != self.number);
        if looks.is_empty() {
            kept.looks.remove(&self.order);
        }
    }
}
