//! Private keys of SM2, and signing (GB/T 32918.2, 6).
//!
//! With d the key and k a number of one signature: `r = e + x([k]G)` and `s = (1+d)⁻¹ (k − r d)`, which is
//! `(1+d)⁻¹ (k + r) − r`; the inverse is made once for a key.

use getrandom::SysRng;
use sm2::{
    FieldBytes, NonZeroScalar, ProjectivePoint, Scalar,
    elliptic_curve::{Generate as _, Group as _, PrimeField as _, ops::Reduce as _, point::AffineCoordinates as _},
};
use zeroize::Zeroizing;

use super::point::Point;
use crate::provider::KeyError;

/// A private key: wiped when dropped, no `Debug`.
pub(crate) struct PrivateKey {
    scalar: Zeroizing<Scalar>,
    /// (1+d)⁻¹
    inverse: Zeroizing<Scalar>,
    public: Point,
}

/// r and s of a signature, neither of them zero.
#[derive(Clone, Copy)]
pub(crate) struct Signature {
    pub(crate) r: Scalar,
    pub(crate) s: Scalar,
}

impl PrivateKey {
    pub(crate) fn generate() -> Result<Self, KeyError> {
        loop {
            let scalar = random_scalar()?;
            if let Some(key) = Self::from_scalar(scalar) {
                return Ok(key);
            }
        }
    }

    /// The key of 32 bytes; `None` if they are not from 1 to n − 2.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: [u8; 32] = bytes.try_into().ok()?;
        let scalar: Option<Scalar> = Scalar::from_repr(bytes.into()).into();
        Self::from_scalar(Zeroizing::new(scalar?))
    }

    fn from_scalar(scalar: Zeroizing<Scalar>) -> Option<Self> {
        if bool::from(scalar.is_zero()) {
            return None;
        }
        // n − 1 has no inverse of 1 + d.
        let inverse: Option<Scalar> = (*scalar + Scalar::ONE).invert().into();
        let public = Point::new(ProjectivePoint::mul_by_generator(&scalar).to_affine())?;
        Some(Self { inverse: Zeroizing::new(inverse?), scalar, public })
    }

    pub(crate) fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.scalar.to_repr().to_vec())
    }

    pub(crate) fn scalar(&self) -> &Scalar {
        &self.scalar
    }

    pub(crate) fn public(&self) -> Point {
        self.public
    }

    /// Signs the digest e, which is SM3 of Z and the message.
    pub(crate) fn sign(&self, digest: &[u8; 32]) -> Result<Signature, KeyError> {
        loop {
            let k = random_scalar()?;
            if let Some(signature) = self.sign_with(digest, &k) {
                return Ok(signature);
            }
        }
    }

    /// The signature with this k; `None` where the standard says to take another one.
    pub(crate) fn sign_with(&self, digest: &[u8; 32], k: &Scalar) -> Option<Signature> {
        let x = ProjectivePoint::mul_by_generator(k).to_affine().x();
        let r = Scalar::reduce(&FieldBytes::from(*digest)) + Scalar::reduce(&x);
        let sum = Zeroizing::new(r + k);
        let s = *self.inverse * *sum - r;
        (!bool::from(r.is_zero() | sum.is_zero() | s.is_zero())).then_some(Signature { r, s })
    }
}

/// A random number from 1 to n − 1.
pub(crate) fn random_scalar() -> Result<Zeroizing<Scalar>, KeyError> {
    let scalar = NonZeroScalar::try_generate_from_rng(&mut SysRng).map_err(KeyError::Random)?;
    Ok(Zeroizing::new(*scalar))
}

#[cfg(test)]
mod tests {
    use super::PrivateKey;
    use crate::sm2::{DEFAULT_ID, test_scalar, verify::digest};

    /// The example of GB/T 32918.5, appendix A: public key, Z, e, r and s.
    #[test]
    fn standard_example() {
        let key = hex::decode("3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8").expect("hex");
        let key = PrivateKey::from_bytes(&key).expect("a key");
        let hash = key.public().identity_hash(DEFAULT_ID).expect("a short id");
        let e = digest(&hash, b"message digest");
        let k = test_scalar("59276E27D506861A16680F3AD9C02DCCEF3CC1FA3CDBE4CE6D54B80DEAC1BC21");
        let signature = key.sign_with(&e, &k).expect("none of the numbers is zero");
        assert_eq!(
            [key.public().coordinates().as_slice(), &hash, &e, &signature.to_der()].map(hex::encode_upper),
            [
                "09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020\
                 CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13",
                "B2E14C5C79C6DF5B85F4FE7ED8DB7A262B9DA7E07CCB0EA9F4747B8CCDA8A4F3",
                "F0B43E94BA45ACCAACE692ED534382EB17E6AB5A19CE7B31F4486FDFC0D28640",
                "3046022100F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3\
                 022100B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA",
            ]
        );
    }

    #[test]
    fn zero_and_what_has_no_inverse_are_no_keys() {
        let n_minus = |less: u8| {
            let mut n = hex::decode("FFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123").expect("hex");
            n[31] -= less;
            n
        };
        for bytes in [vec![0; 32], n_minus(0), n_minus(1), vec![0xff; 32], vec![1; 31], vec![1; 33], Vec::new()] {
            assert!(PrivateKey::from_bytes(&bytes).is_none(), "{}", hex::encode(bytes));
        }
        assert!(PrivateKey::from_bytes(&n_minus(2)).is_some());
    }
}
