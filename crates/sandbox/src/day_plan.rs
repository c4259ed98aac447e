//! The plan of a day: load curve, faults, outage and seed in one committed file, [`DAY_PLAN`], which explains each value. The simulator
//! runs all of it; the day player plays what this module reads, on a day of as many orders as it is given and a clock that runs faster.
//!
//! ```text
//!  curve ─► weight of each minute ─► orders and load of each stretch of the day
//!                                └─► the busiest minutes ─ widened until a tenth of the orders is in them ─► outage
//! ```

use serde::Deserialize;

/// The plan that is run and played.
pub const DAY_PLAN: &str = include_str!("../plans/day.toml");

/// Minutes of a day.
pub const MINUTES: usize = 24 * 60;
/// Minutes of an hour.
pub const HOUR: usize = 60;
/// The player's outage lasts while so much of the orders comes, one in so many: the plan's minutes are too short for a small day to have
/// any order in them.
const OUTAGE_ONE_IN: u64 = 10;

/// What the day player plays of the plan.
#[derive(Debug, Clone, Deserialize)]
pub struct DayPlan {
    /// How much comes in each hour, from midnight on, against the other hours.
    pub curve: Vec<u32>,
    /// What goes wrong on the way.
    pub faults: Faults,
    /// The site that is down for a while.
    pub outage: Outage,
    /// The sites of the rail.
    pub sites: SitesPlan,
    /// The caller's patience.
    pub executor: Executor,
}

/// What goes wrong with answers, of 10,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Faults {
    /// They never come.
    pub lost: u32,
    /// They come after the caller gave up.
    pub slow: u32,
    /// So many milliseconds after it at most.
    pub slow_ms: u64,
    /// They come twice.
    pub doubled: u32,
}

/// A site that is down in the busiest minutes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Outage {
    /// Whose site.
    pub rail: String,
    /// Which; the first is 1.
    pub site: usize,
    /// How long on a day of 24 hours.
    pub minutes: usize,
}

/// The sites of a rail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct SitesPlan {
    /// Their weights.
    pub weights: [u32; 2],
}

/// How long the caller waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Executor {
    /// For an answer, in milliseconds.
    pub timeout_ms: u64,
}

/// A stretch of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// The minute after midnight at which it begins.
    pub begins: usize,
    /// The one at which it is over.
    pub ends: usize,
    /// How many orders come in it.
    pub orders: u64,
    /// Its load against that of the busiest minute, in percent.
    pub load_percent: u64,
}

impl DayPlan {
    /// The committed plan.
    ///
    /// # Errors
    /// If it lacks something, which a test refuses.
    pub fn committed() -> Result<Self, toml::de::Error> {
        toml::from_str(DAY_PLAN)
    }

    /// When the site of the outage goes down and comes back, in minutes after midnight: the busiest minutes in a row in which a tenth of
    /// all orders come, but the plan's own at least.
    #[must_use]
    pub fn outage_minutes(&self) -> (usize, usize) {
        let minutes = by_minute(&self.curve);
        let all: u64 = minutes.iter().sum();
        let holds = |begins: usize, length: usize| minutes.iter().skip(begins).take(length).sum::<u64>();
        let mut windows =
            (self.outage.minutes.clamp(1, MINUTES)..=MINUTES).map(|length| (busiest(&self.curve, length), length));
        let found = windows.find(|(begins, length)| holds(*begins, *length) >= all / OUTAGE_ONE_IN);
        found.map_or((0, MINUTES), |(begins, length)| (begins, begins + length))
    }

    /// The hours of a day of so many orders, cut where the outage begins and ends.
    #[must_use]
    pub fn stretches(&self, orders: u64) -> Vec<Stretch> {
        let minutes = by_minute(&self.curve);
        let weight = |begins: usize, ends: usize| minutes[begins..ends].iter().sum::<u64>();
        let (all, peak) = (weight(0, MINUTES).max(1), minutes.iter().copied().max().unwrap_or(0).max(1));
        // So many by a minute: what is rounded off is made up for by the next.
        let due = |minute: usize| {
            let due = u128::from(weight(0, minute)) * u128::from(orders) / u128::from(all);
            u64::try_from(due).unwrap_or(orders)
        };
        let (down, up) = self.outage_minutes();
        let mut bounds: Vec<usize> = (0..=MINUTES).step_by(HOUR).chain([down, up]).collect();
        bounds.sort_unstable();
        bounds.dedup();
        let stretch = |pair: &[usize]| {
            let (begins, ends) = (pair[0], pair[1]);
            let load_percent = weight(begins, ends) * 100 / (peak * (ends - begins) as u64);
            Stretch { begins, ends, orders: due(ends) - due(begins), load_percent }
        };
        bounds.windows(2).map(stretch).collect()
    }
}

/// How much comes in each minute of the day, against the others: an hour's weight in its middle, and between two middles in proportion.
#[must_use]
pub fn by_minute(curve: &[u32]) -> Vec<u64> {
    let hours = curve.len();
    let weight = |hour: usize| u64::from(curve.get(hour % hours.max(1)).copied().unwrap_or(0));
    let minute = |at: usize| {
        // From the middle of one hour to that of the next; the last goes over into the first.
        let shifted = at + MINUTES - HOUR / 2;
        let (hour, passed) = ((shifted / HOUR) % hours.max(1), (shifted % HOUR) as u64);
        weight(hour) * (HOUR as u64 - passed) + weight(hour + 1) * passed
    };
    (0..MINUTES).map(minute).collect()
}

/// The first of the `length` minutes in a row in which most comes.
#[must_use]
pub fn busiest(curve: &[u32], length: usize) -> usize {
    let minutes = by_minute(curve);
    let sums = minutes.windows(length.clamp(1, MINUTES)).map(|window| window.iter().sum::<u64>());
    let found = sums.enumerate().fold((0, 0), |best, (at, sum)| if sum > best.1 { (at, sum) } else { best });
    found.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_plan_is_read() {
        let plan = DayPlan::committed().unwrap();
        let Faults { lost, slow, doubled, .. } = plan.faults;
        assert_eq!((lost, slow, doubled), (100, 50, 10));
        assert_eq!((plan.outage.rail.as_str(), plan.outage.site, plan.outage.minutes), ("epcc", 1, 10));
        assert_eq!((plan.curve.len(), plan.sites.weights), (24, [8, 1]));
    }

    #[test]
    fn every_order_comes_once_by_the_curve_and_a_tenth_of_them_in_the_outage() {
        let plan = DayPlan::committed().unwrap();
        let (down, up) = plan.outage_minutes();
        // Around the hour from ten to eleven, which is the busiest.
        assert!(down < 10 * HOUR + 30 && 10 * HOUR + 30 < up, "{down} to {up}");
        for orders in [1, 200, 20_000] {
            let stretches = plan.stretches(orders);
            assert_eq!(stretches.iter().map(|stretch| stretch.orders).sum::<u64>(), orders);
            assert_eq!((stretches[0].begins, stretches[stretches.len() - 1].ends), (0, MINUTES));
            assert!(stretches.windows(2).all(|pair| pair[0].ends == pair[1].begins));
            assert!(stretches.iter().all(|stretch| stretch.load_percent <= 100));
            let inside = stretches.iter().filter(|stretch| down <= stretch.begins && stretch.ends <= up);
            let inside: u64 = inside.map(|stretch| stretch.orders).sum();
            assert!(inside.abs_diff(orders / 10) <= orders / 100 + 1, "{inside} of {orders}");
        }
        let load = |hour: usize| {
            let stretches = plan.stretches(20_000);
            stretches.iter().find(|stretch| stretch.begins == hour * HOUR).map_or(0, |stretch| stretch.load_percent)
        };
        assert!(load(3) < 5 && load(20) > 70, "{} and {}", load(3), load(20));
    }
}
