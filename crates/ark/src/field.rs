//! Which personal fields are sealed, and how sensitive each is (JR/T 0171-2020).

use crate::{error::Error, mask, secret::Secret};

/// How sensitive personal financial information is (个人金融信息类别, JR/T 0171-2020).
///
/// The number is stored beside every sealed field and is forever. C3 (what authenticates a person, and track data, CVN
/// or PIN of a card) has no value here: nothing of it is sealed, because nothing of it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Used inside the institution: opening time, branch, token.
    C1 = 1,
    /// Names or reaches a person: account number, identity, phone, login, address.
    C2 = 2,
}

impl From<Class> for u8 {
    fn from(class: Class) -> Self {
        class as u8
    }
}

impl TryFrom<u8> for Class {
    type Error = Error;

    fn try_from(number: u8) -> Result<Self, Error> {
        match number {
            1 => Ok(Self::C1),
            2 => Ok(Self::C2),
            other => Err(Error::Class(other)),
        }
    }
}

/// What sort of text a field holds; decides its class and its mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The name of a person.
    Name,
    /// The number of a certificate: resident identity card, passport.
    IdentityNumber,
    /// A bank account or bank card number (银行卡号).
    BankAccount,
    /// A phone number.
    Phone,
    /// The name one logs in with; often an e-mail address.
    Login,
    /// A postal address.
    Address,
    /// A merchant's API secret, a party's and not a person's. Nothing of it is ever shown.
    Credential,
}

impl Kind {
    /// The class of JR/T 0171 that such text has.
    #[must_use]
    pub const fn class(self) -> Class {
        match self {
            Self::Name
            | Self::IdentityNumber
            | Self::BankAccount
            | Self::Phone
            | Self::Login
            | Self::Address
            | Self::Credential => Class::C2,
        }
    }

    /// What of the text may be shown without unmasking.
    #[must_use]
    pub fn mask(self, text: &Secret) -> String {
        let text = text.expose();
        match self {
            Self::Name => mask::name(text),
            Self::IdentityNumber => mask::identity_number(text),
            Self::BankAccount => mask::bank_account(text),
            Self::Phone => mask::phone(text),
            Self::Login => mask::login(text),
            Self::Address => mask::address(text),
            Self::Credential => mask::credential(text),
        }
    }
}

/// One sealed place in the platform: where it stands and what it holds.
///
/// The name is part of what a sealed field is bound to: moved to another place, it does not open. Names are forever.
///
/// ```
/// use ark::{Field, Kind};
/// const SETTLEMENT_ACCOUNT: Field = Field::new("merchant.settlement_account", Kind::BankAccount);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Field {
    name: &'static str,
    kind: Kind,
}

impl Field {
    /// The field of this name, such as `merchant.settlement_account`.
    ///
    /// # Panics
    /// If the name is empty: for a `const`, when it is compiled.
    #[must_use]
    pub const fn new(name: &'static str, kind: Kind) -> Self {
        assert!(!name.is_empty(), "a sealed field has a name");
        Self { name, kind }
    }

    /// Where it stands.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// What it holds.
    #[must_use]
    pub const fn kind(self) -> Kind {
        self.kind
    }
}
