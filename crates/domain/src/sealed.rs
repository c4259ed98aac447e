//! Personal fields as they lie in journal and state: sealed, with a mask to show. Nothing here can open one.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use minicbor::{Decode, Encode};

/// The class of a personal field (JR/T 0171). Class C3 of a card has no value here: it cannot be encoded at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum DataClass {
    /// C1: opening time, branch, token.
    #[n(1)]
    C1,
    /// C2: account number, identity, phone, address.
    #[n(2)]
    C2,
}

/// A sealed personal field.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct Sealed {
    /// Nonce, ciphertext and tag, as the key service made them.
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    pub ciphertext: Vec<u8>,
    /// Which key opens it.
    #[n(1)]
    pub key: u64,
    /// What may be shown (掩码).
    #[n(2)]
    pub mask: String,
    /// Its class.
    #[n(3)]
    pub class: DataClass,
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({})", self.mask)
    }
}
