//! The load curve: when in the day each order comes, and which minutes are the busiest.

pub(crate) use sandbox::day_plan::busiest;
use sandbox::day_plan::by_minute;

use crate::random::Random;

/// Milliseconds of a minute.
pub(crate) const MINUTE_MS: i64 = 60_000;

/// When each of `orders` comes, in milliseconds after midnight, in order: as many in each minute as the curve says, anywhere in it.
pub(crate) fn arrivals(curve: &[u32], orders: u64, random: &mut Random) -> Vec<i64> {
    let minutes = by_minute(curve);
    let all: u128 = minutes.iter().map(|weight| u128::from(*weight)).sum::<u128>().max(1);
    let (mut arrivals, mut passed, mut placed) = (Vec::new(), 0_u128, 0_u64);
    for (begins, weight) in (0_i64..).step_by(60_000).zip(&minutes) {
        passed += u128::from(*weight);
        // So many by the end of this minute: what is rounded off is made up for by the next.
        let due = u64::try_from(passed * u128::from(orders) / all).unwrap_or(orders);
        let mut in_minute: Vec<i64> = (placed..due).map(|_| begins + random.between(0, MINUTE_MS - 1)).collect();
        in_minute.sort_unstable();
        placed = due;
        arrivals.extend(in_minute);
    }
    arrivals
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_comes_once_and_by_the_curve() {
        let mut curve = [10_u32; 24];
        curve[9] = 40;
        let arrivals = arrivals(&curve, 20_000, &mut Random::new(1));
        assert_eq!(arrivals.len(), 20_000);
        assert!(arrivals.is_sorted() && arrivals.iter().all(|at| (0..86_400_000).contains(at)));
        // From the busiest ten minutes, around half past nine, to as many after midnight.
        let begins = i64::try_from(busiest(&curve, 10)).unwrap();
        assert_eq!(begins, 9 * 60 + 25);
        let count = |from: i64| arrivals.iter().filter(|at| (from..from + 10).contains(&(**at / MINUTE_MS))).count();
        assert!(count(begins) > 3 * count(60), "{} and {}", count(begins), count(60));
    }
}
