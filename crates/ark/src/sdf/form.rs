//! Points, signatures and ciphertexts as GM/T 0018-2012 lays them out: numbers at the end of 64 bytes, zeros before.

/// How many bits a number of SM2 has.
pub(super) const ECC_BITS: u32 = 256;

/// `ECCrefPublicKey`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct EccPoint {
    pub(super) bits: u32,
    x: [u8; 64],
    y: [u8; 64],
}

/// `ECCSignature`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct EccSignature {
    r: [u8; 64],
    s: [u8; 64],
}

/// `ECCCipher`: C1, C3 and C2.
pub(super) struct EccCipher {
    pub(super) c1: [u8; 64],
    pub(super) c3: [u8; 32],
    pub(super) c2: Vec<u8>,
}

impl EccPoint {
    pub(super) const EMPTY: Self = Self { bits: 0, x: [0; 64], y: [0; 64] };

    /// Of `x ‖ y`.
    pub(super) fn new(coordinates: &[u8; 64]) -> Self {
        let (x, y) = halves(coordinates);
        Self { bits: ECC_BITS, x: wide(x), y: wide(y) }
    }

    /// `x ‖ y`; `None` if it is no number of 256 bits. Whether it is a point is not asked here.
    pub(super) fn coordinates(&self) -> Option<[u8; 64]> {
        if self.bits != ECC_BITS {
            return None;
        }
        Some(joined(narrow(&self.x)?, narrow(&self.y)?))
    }
}

impl EccSignature {
    pub(super) const EMPTY: Self = Self { r: [0; 64], s: [0; 64] };

    /// Of `r ‖ s`.
    pub(super) fn new(numbers: &[u8; 64]) -> Self {
        let (r, s) = halves(numbers);
        Self { r: wide(r), s: wide(s) }
    }

    /// `r ‖ s`; `None` if one is longer than 256 bits.
    pub(super) fn numbers(&self) -> Option<[u8; 64]> {
        Some(joined(narrow(&self.r)?, narrow(&self.s)?))
    }
}

impl EccCipher {
    /// As the device wrote it, for a message of this length.
    pub(super) fn from_bytes(bytes: &[u8], message: usize) -> Option<Self> {
        let (x, rest) = bytes.split_first_chunk::<64>()?;
        let (y, rest) = rest.split_first_chunk::<64>()?;
        let (c3, rest) = rest.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        if u32::from_ne_bytes(*length) as usize != message {
            return None;
        }
        let c1 = joined(narrow(x)?, narrow(y)?);
        Some(Self { c1, c3: *c3, c2: rest.get(..message)?.to_vec() })
    }

    /// With room behind, for libraries that read the longer structure of the draft (C of 136 bytes).
    pub(super) fn to_bytes(&self, room: usize) -> Vec<u8> {
        let (x, y) = halves(&self.c1);
        let length = u32::try_from(self.c2.len()).unwrap_or(u32::MAX).to_ne_bytes();
        [wide(x).as_slice(), &wide(y), &self.c3, &length, &self.c2, &vec![0; room]].concat()
    }
}

fn halves(numbers: &[u8; 64]) -> (&[u8], &[u8]) {
    numbers.split_at(32)
}

fn joined(first: [u8; 32], second: [u8; 32]) -> [u8; 64] {
    let mut both = [0; 64];
    both[..32].copy_from_slice(&first);
    both[32..].copy_from_slice(&second);
    both
}

/// 32 bytes at the end of 64.
fn wide(number: &[u8]) -> [u8; 64] {
    let mut wide = [0; 64];
    wide[32..].copy_from_slice(number);
    wide
}

fn narrow(wide: &[u8; 64]) -> Option<[u8; 32]> {
    let (zeros, number) = wide.split_at(32);
    if zeros.iter().any(|byte| *byte != 0) {
        return None;
    }
    number.try_into().ok()
}

#[cfg(test)]
mod tests {
    use std::mem::{offset_of, size_of};

    use super::{EccCipher, EccPoint, EccSignature};

    /// The sizes and places of GM/T 0018-2012, 5.
    #[test]
    fn layouts_are_the_standards() {
        assert_eq!((size_of::<EccPoint>(), offset_of!(EccPoint, x), offset_of!(EccPoint, y)), (132, 4, 68));
        assert_eq!((size_of::<EccSignature>(), offset_of!(EccSignature, s)), (128, 64));
        let cipher = EccCipher { c1: [1; 64], c3: [3; 32], c2: vec![2; 5] };
        let bytes = cipher.to_bytes(3);
        assert_eq!(bytes.len(), 164 + 5 + 3);
        assert_eq!((bytes[31], bytes[32], bytes[95], bytes[96], bytes[128], bytes[164]), (0, 1, 0, 1, 3, 2));
        assert_eq!(u32::from_ne_bytes(bytes[160..164].try_into().expect("4 bytes")), 5);
        assert_eq!(EccCipher::from_bytes(&bytes, 5).expect("its own").c2, [2; 5]);
    }

    #[test]
    fn what_does_not_fit_is_none() {
        let good = EccPoint::new(&[7; 64]);
        assert_eq!(good.coordinates(), Some([7; 64]));
        assert_eq!(EccPoint { bits: 512, ..good }.coordinates(), None);
        assert_eq!(EccPoint { x: [7; 64], ..good }.coordinates(), None);
        assert_eq!(EccSignature { r: [0; 64], s: [1; 64] }.numbers(), None);
        let bytes = EccCipher { c1: [1; 64], c3: [3; 32], c2: vec![2; 5] }.to_bytes(0);
        for length in [0, 4, 6, 1 << 20] {
            assert!(EccCipher::from_bytes(&bytes, length).is_none(), "{length}");
        }
        assert!(EccCipher::from_bytes(&bytes[..168], 5).is_none());
        assert!(EccCipher::from_bytes(b"", 0).is_none());
    }
}
