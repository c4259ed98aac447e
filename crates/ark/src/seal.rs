//! The sealed field: a personal text under the data key of its person.
//!
//! ```text
//! ciphertext = nonce (12) ‖ SM4-GCM(data key, text) ‖ tag (16)
//! associated = "lintel/field/1" ‖ class ‖ customer (8) ‖ key (8) ‖ length of field name (2) ‖ field name ‖ mask
//! ```
//!
//! Invariant: a sealed field opens only as what it was sealed: the same person, key, field name, class and mask. So a
//! ciphertext copied onto another person or into another field, or shown with another mask, is found out.

use std::fmt;

use zeroize::Zeroize as _;

use crate::{
    error::Error,
    field::{Class, Field},
    secret::Secret,
    sm4_gcm::Sm4Key,
    vault::CustomerId,
};

/// A sealed field in parts, for the caller to carry in types of its own. None of the parts is a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedParts {
    /// Nonce, ciphertext and tag.
    pub ciphertext: Vec<u8>,
    /// Which data key of the vault it is sealed under.
    pub key: u64,
    /// Its class when it was sealed.
    pub class: Class,
    /// What may be shown of it without unmasking.
    pub mask: String,
}

/// Prints which key and class, not the mask: what is fit for the person's own page is not fit for a log.
impl fmt::Debug for SealedParts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SealedParts")
            .field("key", &self.key)
            .field("class", &self.class)
            .field("ciphertext_length", &self.ciphertext.len())
            .finish_non_exhaustive()
    }
}

/// Whose field it is, which one, and under which data key.
pub(crate) struct Place {
    pub(crate) customer: CustomerId,
    pub(crate) key: u64,
    pub(crate) field: Field,
}

impl Place {
    pub(crate) fn seal(&self, data_key: &Sm4Key, text: &Secret) -> Result<SealedParts, Error> {
        let kind = self.field.kind();
        let (class, mask) = (kind.class(), kind.mask(text));
        let ciphertext = data_key.seal(&self.associated(class, &mask), text.expose().as_bytes())?;
        Ok(SealedParts { ciphertext, key: self.key, class, mask })
    }

    pub(crate) fn open(&self, data_key: &Sm4Key, parts: &SealedParts) -> Result<Secret, Error> {
        let mut plaintext = data_key
            .open(&self.associated(parts.class, &parts.mask), &parts.ciphertext)
            .map_err(|_| self.not_authentic())?;
        String::from_utf8(std::mem::take(&mut *plaintext)).map(Secret::new).map_err(|error| {
            error.into_bytes().zeroize();
            self.not_authentic()
        })
    }

    pub(crate) fn not_authentic(&self) -> Error {
        Error::NotAuthentic { customer: self.customer, field: self.field.name() }
    }

    fn associated(&self, class: Class, mask: &str) -> Vec<u8> {
        let name = self.field.name().as_bytes();
        let name_length = u16::try_from(name.len()).expect("a field name is a short word in the source");
        [
            b"lintel/field/1".as_slice(),
            &[u8::from(class)],
            &self.customer.0.to_be_bytes(),
            &self.key.to_be_bytes(),
            &name_length.to_be_bytes(),
            name,
            mask.as_bytes(),
        ]
        .concat()
    }
}
