//! Public-key encryption of SM2 (GB/T 32918.4): C1 is a point of this one message, C3 a hash, C2 the message under a
//! key stream derived from the common point.
//!
//! Invariant: whatever is wrong with a ciphertext, decrypting says only that it does not open, and nothing of what was
//! decrypted before C3 was compared gets out.

use sm2::{ProjectivePoint, Scalar, elliptic_curve::Group as _};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::{
    coordinates, derive, hash,
    key::{PrivateKey, random_scalar},
    point::{POINT_LENGTH, Point},
};
use crate::provider::KeyError;

/// The three parts; C1 as `x ‖ y`, not yet known to be a point.
pub(crate) struct Ciphertext {
    pub(crate) c1: [u8; 64],
    pub(crate) c3: [u8; 32],
    pub(crate) c2: Vec<u8>,
}

/// How the three parts lie in bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// `04 ‖ x ‖ y ‖ C3 ‖ C2`
    Raw,
    /// DER (GM/T 0009).
    Der,
}

/// Encrypts for the holder of `public`'s private key.
pub(crate) fn encrypt(public: &Point, layout: Layout, message: &[u8]) -> Result<Vec<u8>, KeyError> {
    if message.is_empty() {
        return Err(KeyError::Length { what: "message", found: 0, needed: "SM2 encrypts at least one byte" });
    }
    loop {
        if let Some(ciphertext) = encrypt_with(public, message, &*random_scalar()?) {
            return Ok(ciphertext.to_bytes(layout));
        }
    }
}

/// With this k; `None` where the standard says to take another one.
fn encrypt_with(public: &Point, message: &[u8], k: &Scalar) -> Option<Ciphertext> {
    let c1 = coordinates(&ProjectivePoint::mul_by_generator(k).to_affine());
    let shared = Shared::new(public, k)?;
    let mut stream = shared.stream(message.len())?;
    for (byte, message) in stream.iter_mut().zip(message) {
        *byte ^= message;
    }
    let c3 = shared.hash(message);
    Some(Ciphertext { c1, c3, c2: std::mem::take(&mut *stream) })
}

/// Decrypts; `None` for every ciphertext that was not made for this key.
pub(crate) fn decrypt(key: &PrivateKey, layout: Layout, ciphertext: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let Ciphertext { c1, c3, c2 } = Ciphertext::from_bytes(layout, ciphertext)?;
    let shared = Shared::new(&Point::from_coordinates(&c1)?, key.scalar())?;
    let mut message = shared.stream(c2.len())?;
    for (byte, cipher) in message.iter_mut().zip(&c2) {
        *byte ^= cipher;
    }
    let same = shared.hash(&message).ct_eq(&c3);
    bool::from(same).then_some(message)
}

/// `x ‖ y` of the point that both sides can make.
struct Shared(Zeroizing<[u8; 64]>);

impl Shared {
    fn new(point: &Point, scalar: &Scalar) -> Option<Self> {
        let point = (ProjectivePoint::from(*point.affine()) * scalar).to_affine();
        Point::new(point).map(|point| Self(Zeroizing::new(point.coordinates())))
    }

    /// The key stream; `None` if it is empty or all zeros.
    fn stream(&self, length: usize) -> Option<Zeroizing<Vec<u8>>> {
        let mut stream = Zeroizing::new(vec![0; length]);
        derive(&*self.0, &mut stream);
        let any = stream.iter().fold(0, |any, byte| any | byte);
        (any != 0).then_some(stream)
    }

    fn hash(&self, message: &[u8]) -> [u8; 32] {
        let (x, y) = self.0.split_at(32);
        hash(&[x, message, y])
    }
}

impl Ciphertext {
    pub(crate) fn from_bytes(layout: Layout, bytes: &[u8]) -> Option<Self> {
        match layout {
            Layout::Raw => {
                let (c1, rest) = bytes.split_first_chunk::<POINT_LENGTH>()?;
                let (c3, c2) = rest.split_first_chunk()?;
                let (4, c1) = c1.split_first()? else { return None };
                Some(Self { c1: c1.try_into().ok()?, c3: *c3, c2: c2.to_vec() })
            }
            Layout::Der => Self::from_der(bytes),
        }
    }

    pub(crate) fn to_bytes(&self, layout: Layout) -> Vec<u8> {
        match layout {
            Layout::Raw => [[4].as_slice(), &self.c1, &self.c3, &self.c2].concat(),
            Layout::Der => self.to_der(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Layout, encrypt_with};
    use crate::sm2::{key::PrivateKey, test_scalar};

    /// The example of GB/T 32918.5, appendix C.
    #[test]
    fn standard_example() {
        let key = PrivateKey::from_bytes(
            &hex::decode("3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8").expect("hex"),
        )
        .expect("a key");
        let k = test_scalar("59276E27D506861A16680F3AD9C02DCCEF3CC1FA3CDBE4CE6D54B80DEAC1BC21");
        let ciphertext = encrypt_with(&key.public(), b"encryption standard", &k).expect("a stream that is not zero");
        let bytes = ciphertext.to_bytes(Layout::Raw);
        assert_eq!(
            hex::encode_upper(&bytes),
            "0404EBFC718E8D1798620432268E77FEB6415E2EDE0E073C0F4F640ECD2E149A73E858F9D81E5430A57B36DAAB8F950A3C\
             64E6EE6A63094D99283AFF767E124DF059983C18F809E262923C53AEC295D30383B54E39D609D160AFCB1908D0BD8766\
             21886CA989CA9C7D58087307CA93092D651EFA"
        );
        let message = super::decrypt(&key, Layout::Raw, &bytes).expect("opens");
        assert_eq!(message.as_slice(), b"encryption standard");
    }
}
