//! Picks of new requests, in rows of as many as the weights add up to: each row holds each site by its weight.

/// The picks of one rail since its sites last changed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Picks {
    weights: Vec<u32>,
    row: Vec<usize>,
    /// Whether all sites have all of their weight.
    even: bool,
    /// Rows that were looked at.
    pub(crate) rows: u64,
    /// Rows that held the sites otherwise than by their weights.
    pub(crate) bent: u64,
}

impl Picks {
    /// None yet, of sites with these weights, all up.
    pub(crate) fn new(weights: &[u32]) -> Self {
        Self { weights: weights.to_vec(), row: Vec::new(), even: true, rows: 0, bent: 0 }
    }

    /// Begins a new row: shares changed, and all sites have all of their weight, or not.
    pub(crate) fn changed(&mut self, even: bool) {
        self.even = even;
        self.row.clear();
    }

    /// Another pick.
    pub(crate) fn add(&mut self, site: usize) {
        let length: u32 = self.weights.iter().sum();
        if !self.even {
            return;
        }
        self.row.push(site);
        if self.row.len() as u64 > u64::from(length) {
            self.row.remove(0);
        }
        if self.row.len() as u64 == u64::from(length) {
            self.rows += 1;
            let held = |at: usize| self.row.iter().filter(|site| **site == at).count() as u64;
            let right = self.weights.iter().enumerate().all(|(at, weight)| held(at) == u64::from(*weight));
            self.bent += u64::from(!right);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_row_of_nine_is_looked_at_and_one_that_is_bent_is_found() {
        let mut picks = Picks::new(&[8, 1]);
        let fair = [0, 0, 0, 0, 1, 0, 0, 0, 0];
        fair.iter().cycle().take(20).for_each(|site| picks.add(*site));
        assert_eq!((picks.rows, picks.bent), (12, 0));
        picks.changed(false);
        picks.add(1);
        picks.changed(true);
        fair.iter().take(8).for_each(|site| picks.add(*site));
        assert_eq!((picks.rows, picks.bent), (12, 0), "a row does not reach over a change");
        picks.add(1);
        assert_eq!((picks.rows, picks.bent), (13, 1));
    }
}
