//! The only randomness there is: a stream of numbers that a seed gives, and what is drawn from it.

use sandbox::bench::numbers::Numbers;

/// A stream of numbers.
#[derive(Debug, Clone)]
pub(crate) struct Random(Numbers);

impl Random {
    /// The stream of a seed.
    pub(crate) const fn new(seed: u64) -> Self {
        Self(Numbers(seed))
    }

    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0.draw()
    }

    /// A number below `bound`, which is above zero.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// A number from `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = u64::try_from(high - low + 1).expect("low is not above high");
        low + i64::try_from(self.below(span)).expect("it is below the span")
    }

    /// True in so many of 1,000 cases.
    pub(crate) fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1_000) < per_mille
    }

    /// One of these.
    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        let count = u64::try_from(from.len()).expect("a list is shorter than 2^64");
        if count == 0 {
            return None;
        }
        from.get(usize::try_from(self.below(count)).expect("an index fits"))
    }
}
