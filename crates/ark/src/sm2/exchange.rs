//! Key exchange of SM2 (GB/T 32918.3): two sides, each with a lasting pair and one of this exchange, agree on a key and
//! prove to each other that they have it.
//!
//! ```text
//!  initiator A                                  responder B
//!      R_A ────────────────────────────────────►
//!          ◄──────────────────────────── R_B, S_B      S_B = SM3(02 ‖ y ‖ SM3(x ‖ Z_A ‖ Z_B ‖ R_A ‖ R_B))
//!      S_A ────────────────────────────────────►       S_A the same with 03
//! ```
//!
//! `(x, y)` is `[d + x̄ r](P' + [x̄'] R')` on both sides, with x̄ the lower 127 bits of a point's x and the bit above set.

use sm2::{ProjectivePoint, Scalar, elliptic_curve::PrimeField as _};
use zeroize::Zeroizing;

use super::{coordinates, derive, hash, key::PrivateKey, point::Point};
use crate::provider::Side;

/// One side's two pairs and what it knows of the other.
pub(crate) struct Sides<'a> {
    pub(crate) side: Side,
    pub(crate) own: &'a PrivateKey,
    pub(crate) own_ephemeral: &'a PrivateKey,
    pub(crate) own_hash: [u8; 32],
    pub(crate) peer: Point,
    pub(crate) peer_ephemeral: Point,
    pub(crate) peer_hash: [u8; 32],
}

/// What came of it.
pub(crate) struct Shared {
    pub(crate) key: Zeroizing<Vec<u8>>,
    pub(crate) own_tag: [u8; 32],
    pub(crate) peer_tag: [u8; 32],
}

/// A key of `length` bytes; `None` if the points cancel out or the key is all zeros.
pub(crate) fn exchange(sides: &Sides<'_>, length: usize) -> Option<Shared> {
    let own_point = sides.own_ephemeral.public();
    let own = Zeroizing::new(*sides.own.scalar() + half(&own_point.coordinates()) * sides.own_ephemeral.scalar());
    let peer_half = half(&sides.peer_ephemeral.coordinates());
    let sum =
        ProjectivePoint::from(*sides.peer.affine()) + ProjectivePoint::from(*sides.peer_ephemeral.affine()) * peer_half;
    let point = Point::new((sum * *own).to_affine())?;
    let common = Zeroizing::new(coordinates(point.affine()));

    let own_coordinates = own_point.coordinates();
    let peer_coordinates = sides.peer_ephemeral.coordinates();
    let (hashes, points, own_mark, peer_mark) = match sides.side {
        Side::Initiator => ([sides.own_hash, sides.peer_hash], [own_coordinates, peer_coordinates], 3, 2),
        Side::Responder => ([sides.peer_hash, sides.own_hash], [peer_coordinates, own_coordinates], 2, 3),
    };
    let input = Zeroizing::new([common.as_slice(), &hashes[0], &hashes[1]].concat());
    let mut key = Zeroizing::new(vec![0; length]);
    derive(&input, &mut key);
    let any = key.iter().fold(0, |any, byte| any | byte);

    let (x, y) = common.split_at(32);
    let inner = hash(&[x, &hashes[0], &hashes[1], &points[0], &points[1]]);
    let tag = |mark: u8| hash(&[&[mark], y, &inner]);
    let (own_tag, peer_tag) = (tag(own_mark), tag(peer_mark));
    (any != 0).then_some(Shared { key, own_tag, peer_tag })
}

/// 2^127 and the lower 127 bits of x.
fn half(coordinates: &[u8; 64]) -> Scalar {
    let mut bytes = [0; 32];
    bytes[16..].copy_from_slice(&coordinates[16..32]);
    bytes[16] |= 0x80;
    let scalar: Option<Scalar> = Scalar::from_repr(bytes.into()).into();
    scalar.expect("128 bits are below n")
}

#[cfg(test)]
mod tests {
    use super::{Sides, exchange};
    use crate::{
        provider::Side,
        sm2::{DEFAULT_ID, key::PrivateKey},
    };

    fn key(text: &str) -> PrivateKey {
        PrivateKey::from_bytes(&hex::decode(text).expect("hex")).expect("a key")
    }

    /// The example of GB/T 32918.5, appendix B: both sides, key and both tags.
    #[test]
    fn standard_example() {
        let a = key("81EB26E941BB5AF16DF116495F90695272AE2CD63D6C4AE1678418BE48230029");
        let b = key("785129917D45A9EA5437A59356B82338EAADDA6CEB199088F14AE10DEFA229B5");
        let a_once = key("D4DE15474DB74D06491C440D305E012400990F3E390C7E87153C12DB2EA60BB3");
        let b_once = key("7E07124814B309489125EAED101113164EBF0F3458C5BD88335C1F9D596243D6");
        let hash = |key: &PrivateKey| key.public().identity_hash(DEFAULT_ID).expect("a short id");
        let sides = |side, own, own_once, peer: &PrivateKey, peer_once: &PrivateKey| Sides {
            side,
            own,
            own_ephemeral: own_once,
            own_hash: hash(own),
            peer: peer.public(),
            peer_ephemeral: peer_once.public(),
            peer_hash: hash(peer),
        };
        let of_a = exchange(&sides(Side::Initiator, &a, &a_once, &b, &b_once), 16).expect("a key");
        let of_b = exchange(&sides(Side::Responder, &b, &b_once, &a, &a_once), 16).expect("a key");
        assert_eq!(hex::encode_upper(&*of_a.key), "6C89347354DE2484C60B4AB1FDE4C6E5");
        assert_eq!(*of_a.key, *of_b.key);
        let tags = [
            "18C7894B3816DF16CF07B05C5EC0BEF5D655D58F779CC1B400A4F3884644DB88",
            "D3A0FE15DEE185CEAE907A6B595CC32A266ED7B3367E9983A896DC32FA20F8EB",
        ];
        assert_eq!([of_a.own_tag, of_a.peer_tag].map(hex::encode_upper), tags);
        assert_eq!([of_b.peer_tag, of_b.own_tag].map(hex::encode_upper), tags);
    }
}
