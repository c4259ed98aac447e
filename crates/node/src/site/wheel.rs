//! Smooth weighted round robin (平滑加权轮询): the next site, so that any window of picks holds each by its weight.
//!
//! Each pick gives every site its weight as credit; the one with the most credit is picked and pays what all got together.
//! Credits come back to zero after as many picks as the weights add up to, divided by their greatest common divisor; from
//! there on the picks repeat, so every window of that length holds the same sites: at 8:1, any nine are 8 and 1.

/// The credits of a channel's sites.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wheel {
    credits: Vec<i64>,
}

impl Wheel {
    /// A wheel of so many sites, at its beginning.
    #[must_use]
    pub fn new(sites: usize) -> Self {
        Self { credits: vec![0; sites] }
    }

    /// The next site by these weights, which stand as the sites do; `None` if all are zero. A site of weight zero is
    /// passed over and keeps its credit.
    pub fn next(&mut self, weights: &[u32]) -> Option<usize> {
        let mut best: Option<usize> = None;
        let mut given = 0_i64;
        for (at, weight) in weights.iter().enumerate().filter(|(_, weight)| **weight > 0) {
            let credit = self.credits.get_mut(at)?;
            *credit = credit.saturating_add(i64::from(*weight));
            given = given.saturating_add(i64::from(*weight));
            if best.is_none_or(|best| self.credits[at] > self.credits[best]) {
                best = Some(at);
            }
        }
        let best = best?;
        self.credits[best] = self.credits[best].saturating_sub(given);
        Some(best)
    }

    /// Begins again: credits of other weights would bend the first picks by the new ones.
    pub fn reset(&mut self) {
        self.credits.fill(0);
    }
}
