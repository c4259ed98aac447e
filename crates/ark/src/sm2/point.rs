//! Public keys of SM2: taken in only if they are points of the curve, and hashed with their owner's id.

use sm2::{
    AffinePoint,
    elliptic_curve::{point::AffineCoordinates as _, subtle::CtOption},
};

use super::{ID_LENGTH_MAX, coordinates, hash};

/// `a ‖ b ‖ x ‖ y` of curve and base point (GB/T 32918.5).
const CURVE: [u8; 128] = *b"\
\xff\xff\xff\xfe\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xfc\
\x28\xe9\xfa\x9e\x9d\x9f\x5e\x34\x4d\x5a\x9e\x4b\xcf\x65\x09\xa7\xf3\x97\x89\xf5\x15\xab\x8f\x92\xdd\xbc\xbd\x41\x4d\x94\x0e\x93\
\x32\xc4\xae\x2c\x1f\x19\x81\x19\x5f\x99\x04\x46\x6a\x39\xc9\x94\x8f\xe3\x0b\xbf\xf2\x66\x0b\xe1\x71\x5a\x45\x89\x33\x4c\x74\xc7\
\xbc\x37\x36\xa2\xf4\xf6\x77\x9c\x59\xbd\xce\xe3\x6b\x69\x21\x53\xd0\xa9\x87\x7c\xc6\x2a\x47\x40\x02\xdf\x32\xe5\x21\x39\xf0\xa0";

/// Length of `04 ‖ x ‖ y`.
pub(crate) const POINT_LENGTH: usize = 65;

/// A point of the curve that is not infinity; the curve has a prime number of points, so every one of them will do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Point(AffinePoint);

impl Point {
    /// Takes in `04 ‖ x ‖ y`. `None` if it has another form or length, a coordinate that is no field element, or is not
    /// on the curve. Infinity has no such form.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let coordinates: &[u8; POINT_LENGTH] = bytes.try_into().ok()?;
        let (4, coordinates) = coordinates.split_first()? else { return None };
        Self::from_coordinates(coordinates.try_into().ok()?)
    }

    /// Takes in `x ‖ y`.
    pub(crate) fn from_coordinates(bytes: &[u8; 64]) -> Option<Self> {
        let (x, y) = bytes.split_at(32);
        let point: CtOption<AffinePoint> = AffinePoint::from_coordinates(x.try_into().ok()?, y.try_into().ok()?);
        Option::from(point).map(Self)
    }

    /// The point of an affine one; `None` for infinity.
    pub(crate) fn new(point: AffinePoint) -> Option<Self> {
        (!bool::from(point.is_identity())).then_some(Self(point))
    }

    pub(crate) fn affine(&self) -> &AffinePoint {
        &self.0
    }

    /// `x ‖ y`.
    pub(crate) fn coordinates(&self) -> [u8; 64] {
        coordinates(&self.0)
    }

    /// `04 ‖ x ‖ y`.
    pub(crate) fn to_bytes(self) -> [u8; POINT_LENGTH] {
        let mut bytes = [4; POINT_LENGTH];
        bytes[1..].copy_from_slice(&self.coordinates());
        bytes
    }

    /// Z, the hash of this key and its owner's id (GB/T 32918.2, 5.5); `None` if the id is longer than
    /// [`ID_LENGTH_MAX`].
    pub(crate) fn identity_hash(&self, id: &[u8]) -> Option<[u8; 32]> {
        if id.len() > ID_LENGTH_MAX {
            return None;
        }
        let bits = u16::try_from(id.len() * 8).ok()?;
        Some(hash(&[&bits.to_be_bytes(), id, &CURVE, &self.coordinates()]))
    }
}

/// Prints the point: it is public.
impl std::fmt::Debug for Point {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Point({})", hex::encode(self.coordinates()))
    }
}
