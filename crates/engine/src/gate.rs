//! The gate: every output waits here until the journal holds the state it was computed from.

use std::collections::VecDeque;

/// Outputs in the order of the positions they were computed from.
#[derive(Debug)]
pub struct Gate<T> {
    parked: VecDeque<(u64, T)>,
    durable: u64,
}

impl<T> Gate<T> {
    /// A gate open up to `durable`.
    #[must_use]
    pub fn new(durable: u64) -> Self {
        Self { parked: VecDeque::new(), durable }
    }

    /// The last position that is durable.
    #[must_use]
    pub fn durable(&self) -> u64 {
        self.durable
    }

    /// How many outputs wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.parked.len()
    }

    /// Parks an output computed from the state at `position`; positions never go down.
    pub fn park(&mut self, position: u64, output: T) {
        self.parked.push_back((position, output));
    }

    /// Opens the gate up to `durable` and gives the outputs that may leave, in order.
    pub fn release(&mut self, durable: u64) -> impl Iterator<Item = T> + '_ {
        self.durable = self.durable.max(durable);
        std::iter::from_fn(move || match self.parked.front() {
            Some((position, _)) if *position <= self.durable => self.parked.pop_front().map(|(_, output)| output),
            Some(_) | None => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_before_its_position_is_durable() {
        let mut gate = Gate::new(3);
        gate.park(3, "read");
        gate.park(5, "reply");
        assert_eq!(gate.release(3).collect::<Vec<_>>(), ["read"]);
        assert_eq!(gate.release(4).count(), 0);
        assert_eq!(gate.release(9).collect::<Vec<_>>(), ["reply"]);
        assert_eq!(gate.release(2).count(), 0);
        assert_eq!(gate.durable(), 9);
    }
}
