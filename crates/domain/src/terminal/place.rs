//! Places on the map in whole numbers, and how far they are from each other.

use alloc::format;

use minicbor::{Decode, Encode};

use crate::refusal::{Refusal, RefusalCode};

/// A place, in millionths of a degree (WGS 84).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Place {
    /// North of the equator; below zero south of it.
    #[n(0)]
    pub latitude: i32,
    /// East of Greenwich; below zero west of it.
    #[n(1)]
    pub longitude: i32,
}

/// A degree of a great circle in metres, by a mean radius of 6,371,009 m.
const DEGREE_M: i128 = 111_195;
const MILLION: i128 = 1_000_000;

impl Place {
    /// # Errors
    /// `value_invalid` for a place that is not on the earth.
    pub(super) fn check(self) -> Result<(), Refusal> {
        if self.latitude.unsigned_abs() <= 90_000_000 && self.longitude.unsigned_abs() <= 180_000_000 {
            return Ok(());
        }
        let message = format!(
            "{}, {} is no place in millionths of a degree; use at most ±90,000,000 and ±180,000,000",
            self.latitude, self.longitude
        );
        Err(Refusal::new(RefusalCode::ValueInvalid, "place", message))
    }

    /// How far another place is, in metres: on a plane whose degree of longitude is that of the latitude between both. Within
    /// a city it is right to half a per cent; far beyond that it is only far, which is all that is asked of it.
    #[must_use]
    pub fn distance_m(self, other: Self) -> u32 {
        let between = i128::midpoint(i128::from(self.latitude), i128::from(other.latitude));
        let north = i128::from(self.latitude) - i128::from(other.latitude);
        let turn = (i128::from(self.longitude) - i128::from(other.longitude)).abs();
        let east = turn.min(360 * MILLION - turn) * cosine_millionths(between) / MILLION;
        // Millimetres, so that the root keeps whole metres.
        let [north, east] = [north, east].map(|side| side * DEGREE_M / 1_000);
        let metres = (north * north + east * east).isqrt() / 1_000;
        u32::try_from(metres).unwrap_or(u32::MAX)
    }
}

/// The cosine of a latitude in millionths of a degree, in millionths: Bhāskara's (180² − 4x²) / (180² + x²), at most two
/// thousandths off.
fn cosine_millionths(latitude: i128) -> i128 {
    let (square, half_turn) = (latitude * latitude, 180 * MILLION * 180 * MILLION);
    ((half_turn - 4 * square) * MILLION / (half_turn + square)).max(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn place(latitude: i32, longitude: i32) -> Place {
        Place { latitude, longitude }
    }

    #[test]
    fn distances_are_those_of_the_map() {
        let square = place(39_908_722, 116_397_499);
        // From Tiananmen to Beijing West station, to the Bund, and to itself; by the haversine 6,582 m and 1,068,6xx m.
        for (other, metres, off) in [
            (place(39_894_800, 116_322_100), 6_617, 40),
            (place(31_240_000, 121_490_000), 1_068_000, 8_000),
            (square, 0, 0),
            (place(39_908_722, 116_398_499), 85, 1),
        ] {
            let found = square.distance_m(other);
            assert!(found.abs_diff(metres) <= off, "{found} and not {metres}");
            assert_eq!(found, other.distance_m(square));
        }
        assert_eq!(place(0, 179_999_000).distance_m(place(0, -179_999_000)), 222, "across the date line");
        assert!(place(90_000_000, 180_000_000).distance_m(place(-90_000_000, -180_000_000)) > 20_000_000);
    }

    #[test]
    fn what_is_not_on_the_earth_is_refused() {
        for wrong in [place(90_000_001, 0), place(0, -180_000_001), place(i32::MIN, i32::MIN)] {
            assert_eq!(wrong.check().unwrap_err().code, RefusalCode::ValueInvalid);
        }
        assert_eq!(place(-90_000_000, 180_000_000).check(), Ok(()));
    }
}
