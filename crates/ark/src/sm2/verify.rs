//! Verifying SM2 signatures (GB/T 32918.2, 7), one or many.
//!
//! With `t = r + s`, the point `[s]G + [t]P` must have an x that is `r − e` modulo n. The multiples of G, and those of
//! keys seen before, come out of a table. The division by the point's z, which an x would need, is avoided for one
//! signature by making the point from the x that is expected, and shared among many.

use std::sync::LazyLock;

use sm2::{
    AffinePoint, FieldBytes, ProjectivePoint, Scalar,
    elliptic_curve::{
        BatchNormalize as _, Group as _, PrimeField as _,
        ops::{MulVartime as _, Reduce as _},
        point::{AffineCoordinates as _, DecompressPoint as _},
        subtle::Choice,
    },
};

use super::{hash, key::Signature, point::Point, table::Table};

/// Digits of ten bits: 26 additions, 0.9 MB, made once a process.
static BASE: LazyLock<Table> = LazyLock::new(|| Table::new(&AffinePoint::GENERATOR, 10));

/// Digits of seven bits: 37 additions, 167 KB a key.
const KEY_WIDTH: usize = 7;

/// A public key with its multiples.
pub(crate) struct VerifyingTable(Table);

impl VerifyingTable {
    pub(crate) fn new(key: &Point) -> Self {
        Self(Table::new(key.affine(), KEY_WIDTH))
    }
}

/// A signature whose point is made and whose x is still to be compared.
pub(crate) struct Pending {
    point: ProjectivePoint,
    x: Scalar,
}

/// The digest e of a message (GB/T 32918.2, 6.1): SM3 of the signer's hash Z and the message.
pub(crate) fn digest(identity_hash: &[u8; 32], message: &[u8]) -> [u8; 32] {
    hash(&[identity_hash, message])
}

impl Pending {
    /// Makes the point of a signature; `None` if it cannot be valid. `table` is that of `key`, if there is one.
    pub(crate) fn new(
        key: &Point,
        table: Option<&VerifyingTable>,
        digest: &[u8; 32],
        signature: &Signature,
    ) -> Option<Self> {
        let t = signature.r + signature.s;
        if bool::from(t.is_zero()) {
            return None;
        }
        let mut point = match table {
            Some(table) => {
                let mut point = ProjectivePoint::IDENTITY;
                table.0.add_to(&mut point, &t);
                point
            }
            None => ProjectivePoint::from(*key.affine()).mul_vartime(&t),
        };
        BASE.add_to(&mut point, &signature.s);
        if bool::from(point.is_identity()) {
            return None;
        }
        Some(Self { point, x: signature.r - Scalar::reduce(&FieldBytes::from(*digest)) })
    }

    /// Whether the point has the x.
    pub(crate) fn holds(&self) -> bool {
        let x = self.x.to_repr();
        // Below 2^128 an x and the same plus n may both be field elements.
        if x[..16] == [0; 16] {
            return self.has(&self.point.to_affine());
        }
        let point: Option<AffinePoint> = AffinePoint::decompress(&x, Choice::from(0)).into();
        // Two points have this x; they differ by their sign.
        point.map(ProjectivePoint::from).is_some_and(|point| point == self.point || -point == self.point)
    }

    /// The same for many, with one division among them.
    pub(crate) fn hold(many: &[Self]) -> Vec<bool> {
        let points: Vec<ProjectivePoint> = many.iter().map(|pending| pending.point).collect();
        let affine: Vec<AffinePoint> = ProjectivePoint::batch_normalize(points.as_slice());
        many.iter().zip(&affine).map(|(pending, point)| pending.has(point)).collect()
    }

    fn has(&self, point: &AffinePoint) -> bool {
        Scalar::reduce(&point.x()) == self.x
    }
}
