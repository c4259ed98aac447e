//! Multiples of a point, so that multiplying it by a public number takes additions only.
//!
//! A number is written in digits of w bits from −2^(w−1) to 2^(w−1); row i holds 1 to 2^(w−1) times `2^(w i)` times the
//! point. One addition a digit, and no doubling. Which rows are read depends on the number, so numbers must be public:
//! this is for verifying only.

use sm2::{
    AffinePoint, ProjectivePoint, Scalar,
    elliptic_curve::{BatchNormalize as _, Group as _, PrimeField as _},
};

pub(super) struct Table {
    width: usize,
    points: Vec<AffinePoint>,
}

impl Table {
    /// The table of `point` with digits of `width` bits, from 2 to 16.
    pub(super) fn new(point: &AffinePoint, width: usize) -> Self {
        let mut base = ProjectivePoint::from(*point);
        let mut points = Vec::new();
        for row in 0..rows(width) {
            let mut multiple = base;
            points.push(multiple);
            for _ in 1..row_length(width, row) {
                multiple += &base;
                points.push(multiple);
            }
            // The last of a whole row is 2^(w−1) times its base.
            base = multiple.double();
        }
        Self { width, points: ProjectivePoint::batch_normalize(points.as_slice()) }
    }

    /// Adds `number` times the point to `sum`.
    pub(super) fn add_to(&self, sum: &mut ProjectivePoint, number: &Scalar) {
        let bytes = number.to_repr();
        let half = 1_usize << (self.width - 1);
        let mut carry = 0;
        for row in 0..rows(self.width) {
            let value = bits(&bytes, row * self.width, self.width) + carry;
            carry = usize::from(value > half);
            let start = row * half;
            if carry == 1 {
                let magnitude = (1 << self.width) - value;
                if magnitude != 0 {
                    *sum -= &self.points[start + magnitude - 1];
                }
            } else if value != 0 {
                *sum += &self.points[start + value - 1];
            }
        }
    }
}

/// One row more than whole digits fit into 256 bits: it takes what is left, and the carry.
const fn rows(width: usize) -> usize {
    256 / width + 1
}

const fn row_length(width: usize, row: usize) -> usize {
    let left = 256 - row * width;
    if left < width { 1 << left } else { 1 << (width - 1) }
}

/// `count` bits of a big-endian number of 32 bytes from bit `from` upwards, zeros beyond it.
fn bits(bytes: &[u8], from: usize, count: usize) -> usize {
    let byte = |index: usize| if index < 32 { usize::from(bytes[31 - index]) } else { 0 };
    let first = from / 8;
    let window = byte(first) | byte(first + 1) << 8 | byte(first + 2) << 16;
    (window >> (from % 8)) & ((1 << count) - 1)
}

#[cfg(test)]
mod tests {
    use sm2::{
        AffinePoint, ProjectivePoint, Scalar,
        elliptic_curve::{Group as _, PrimeField as _},
    };

    use super::Table;

    /// Against the library's own multiplication, with numbers whose digits carry, are zero or are as large as can be.
    #[test]
    fn a_table_multiplies_as_the_library_does() {
        let point = (ProjectivePoint::GENERATOR * Scalar::from(12_345_u64)).to_affine();
        let random = |seed: u8| Scalar::from_repr(crate::sm3(&[seed]).into()).expect("below n, as its digest shows");
        let numbers = [Scalar::ZERO, Scalar::ONE, -Scalar::ONE, -Scalar::from(2_u64), Scalar::from(128_u64)]
            .into_iter()
            .chain((0..20).map(random))
            .chain(
                std::iter::successors(Some(Scalar::from(31_u64)), |number| Some(*number * Scalar::from(32_u64)))
                    .take(51),
            );
        for number in numbers {
            for width in [2, 5, 7, 8, 10, 11] {
                let mut sum = ProjectivePoint::IDENTITY;
                Table::new(&point, width).add_to(&mut sum, &number);
                assert_eq!(sum, point * number, "{width} bits");
            }
        }
        assert!(bool::from(ProjectivePoint::from(AffinePoint::IDENTITY).is_identity()));
    }
}
