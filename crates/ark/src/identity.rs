//! One legal identity (certificate type and number) and its blind index.
//!
//! The vault must find a person by their number without keeping the number: it keeps HMAC-SM3 of it under a key of its
//! own. Without that key the index tells nothing, although there are few enough numbers to try them all.
//!
//! Invariant: two spellings of one number give one index. Full-width forms become ASCII, letters upper case, blanks
//! and hyphens go away. Whether a number is a real one is the question of know-your-customer checks, not of this
//! module.

use std::{fmt, str::FromStr};

use crate::{mac::MacKey, secret::Secret};

/// No certificate in use has a longer number.
const NUMBER_LENGTH_MAX: usize = 40;

/// Type of certificate (证件类型). The number is part of every blind index and is forever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CertificateType {
    /// Resident identity card (居民身份证).
    ResidentIdentity = 1,
    /// Passport (护照).
    Passport = 2,
    /// Permit of Hong Kong and Macao residents for the mainland (港澳居民来往内地通行证).
    HongKongMacaoPermit = 3,
    /// Permit of Taiwan residents for the mainland (台湾居民来往大陆通行证).
    TaiwanPermit = 4,
    /// Permanent residence of a foreigner (外国人永久居留身份证).
    ForeignPermanentResidence = 5,
    /// Unified social credit code of a legal person (统一社会信用代码).
    UnifiedSocialCredit = 6,
}

impl CertificateType {
    /// Every type.
    pub const ALL: [Self; 6] = [
        Self::ResidentIdentity,
        Self::Passport,
        Self::HongKongMacaoPermit,
        Self::TaiwanPermit,
        Self::ForeignPermanentResidence,
        Self::UnifiedSocialCredit,
    ];

    /// Its word in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ResidentIdentity => "resident_identity",
            Self::Passport => "passport",
            Self::HongKongMacaoPermit => "hong_kong_macao_permit",
            Self::TaiwanPermit => "taiwan_permit",
            Self::ForeignPermanentResidence => "foreign_permanent_residence",
            Self::UnifiedSocialCredit => "unified_social_credit",
        }
    }
}

impl fmt::Display for CertificateType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for CertificateType {
    type Err = IdentityError;

    fn from_str(word: &str) -> Result<Self, IdentityError> {
        Self::ALL.into_iter().find(|known| known.as_str() == word).ok_or(IdentityError::CertificateType)
    }
}

/// A certificate type and a number in its one spelling. Its `Debug` shows the type only.
#[derive(Debug, Clone)]
pub struct Identity {
    certificate: CertificateType,
    number: Secret,
}

impl Identity {
    /// Brings the number into its one spelling.
    ///
    /// # Errors
    /// [`IdentityError`] if nothing is left, too much is, or a character is no letter or digit of a certificate.
    pub fn new(certificate: CertificateType, number: &Secret) -> Result<Self, IdentityError> {
        // Room at once, so that growing leaves no copy of the number behind in freed memory.
        let mut spelling = String::with_capacity(number.expose().len());
        for (index, character) in number.expose().chars().enumerate() {
            match half_width(character).to_ascii_uppercase() {
                ' ' | '\u{3000}' | '-' => {}
                plain if plain.is_ascii_alphanumeric() || matches!(plain, '(' | ')' | '/') => spelling.push(plain),
                _ => return Err(IdentityError::Character { position: index + 1 }),
            }
        }
        let number = Secret::new(spelling);
        match number.expose().len() {
            0 => Err(IdentityError::Empty),
            1..=NUMBER_LENGTH_MAX => Ok(Self { certificate, number }),
            length => Err(IdentityError::Length { length }),
        }
    }

    /// Its type.
    #[must_use]
    pub fn certificate(&self) -> CertificateType {
        self.certificate
    }

    /// Its number in the one spelling, to be sealed as a field.
    #[must_use]
    pub fn number(&self) -> &Secret {
        &self.number
    }

    /// What the vault keeps instead of the number: HMAC-SM3(key, type ‖ number).
    pub(crate) fn blind_index(&self, key: &MacKey) -> [u8; 32] {
        key.mac().update(&[self.certificate as u8]).update(self.number.expose().as_bytes()).finish()
    }
}

/// Full-width letters, digits and signs (U+FF01 to U+FF5E), as Chinese input methods write them, to ASCII.
fn half_width(character: char) -> char {
    match character {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(character) - 0xfee0).unwrap_or(character),
        other => other,
    }
}

/// A certificate that cannot be one. Never shows the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The word is no certificate type.
    #[error(
        "the certificate type is none of resident_identity, passport, hong_kong_macao_permit, taiwan_permit, \
         foreign_permanent_residence, unified_social_credit"
    )]
    CertificateType,
    /// Nothing but blanks.
    #[error("the certificate number is empty")]
    Empty,
    /// Longer than any certificate's.
    #[error("the certificate number has {length} characters; the longest in use have {NUMBER_LENGTH_MAX}")]
    Length {
        /// Its length without blanks.
        length: usize,
    },
    /// A character that no certificate has.
    #[error("character {position} of the certificate number is not a letter, a digit, a bracket or a slash")]
    Character {
        /// Counted from 1.
        position: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::{CertificateType, Identity, IdentityError};
    use crate::mac::MacKey;

    fn identity(number: &str) -> Result<Identity, IdentityError> {
        Identity::new(CertificateType::ResidentIdentity, &number.into())
    }

    #[test]
    fn spellings_of_one_number_are_one() {
        for spelling in [
            "11010119900101001X",
            " 110101 19900101 001x ",
            "１１０１０１１９９００１０１００１ｘ",
            "110101-19900101-001x",
        ] {
            assert_eq!(identity(spelling).expect("a number").number().expose(), "11010119900101001X", "{spelling}");
        }
    }

    #[test]
    fn refused_without_showing_the_number() {
        assert_eq!(identity(" \u{3000}").err(), Some(IdentityError::Empty));
        assert_eq!(identity(&"1".repeat(41)).err(), Some(IdentityError::Length { length: 41 }));
        assert_eq!(identity("1101张").err(), Some(IdentityError::Character { position: 5 }));
        assert_eq!(identity("1101\n").err(), Some(IdentityError::Character { position: 5 }));
        assert_eq!("driving_licence".parse::<CertificateType>(), Err(IdentityError::CertificateType));
    }

    #[test]
    fn words_read_back() {
        for certificate in CertificateType::ALL {
            assert_eq!(certificate.to_string().parse(), Ok(certificate));
        }
    }

    #[test]
    fn index_depends_on_type_number_and_key() {
        let (one, two) = (MacKey::from_bytes([1; 32]), MacKey::from_bytes([2; 32]));
        let card = identity("12345678").expect("a number");
        let passport = Identity::new(CertificateType::Passport, card.number()).expect("a number");
        let index = card.blind_index(&one);
        assert_eq!(index, identity("1234 5678").expect("a number").blind_index(&one));
        assert_ne!(index, passport.blind_index(&one));
        assert_ne!(index, card.blind_index(&two));
        assert_ne!(index, identity("12345679").expect("a number").blind_index(&one));
    }
}
