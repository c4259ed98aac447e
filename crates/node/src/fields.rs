//! The names of the sealed fields. A name is part of the ciphertext, so it is for ever.

use ark::{CustomerId, Error, Field, Kind, SealedParts, Secret, Vault};
use domain::sealed::{DataClass, Sealed};

/// A customer's name (姓名, 名称).
pub const CUSTOMER_NAME: Field = Field::new("customer.name", Kind::Name);
/// A certificate's number (证件号码).
pub const CERTIFICATE_NUMBER: Field = Field::new("customer.certificate", Kind::IdentityNumber);
/// A customer's phone number.
pub const CUSTOMER_PHONE: Field = Field::new("customer.phone", Kind::Phone);
/// The number of a bank account that money is paid to.
pub const BANK_ACCOUNT: Field = Field::new("bank_account.number", Kind::BankAccount);
/// The name of its holder.
pub const BANK_ACCOUNT_NAME: Field = Field::new("bank_account.name", Kind::Name);

/// Salt and tag of a user's pay password, sealed for the customer.
pub const PAY_PASSWORD: Field = Field::new("user.pay_password", Kind::Credential);
/// Where a terminal stands; it is sealed for the customer that its merchant is.
pub const TERMINAL_ADDRESS: Field = Field::new("terminal.address", Kind::Address);

/// Seals a text as a customer's field.
///
/// # Errors
/// Those of the vault.
pub fn seal(vault: &Vault, customer: CustomerId, field: Field, text: &Secret) -> Result<Sealed, Error> {
    let SealedParts { ciphertext, key, class, mask } = vault.seal(customer, field, text)?;
    let class = match class {
        ark::Class::C1 => DataClass::C1,
        ark::Class::C2 => DataClass::C2,
    };
    Ok(Sealed { ciphertext, key, mask, class })
}

/// Opens a sealed field of whoever's key it names: only to build the request that needs it.
///
/// # Errors
/// Those of the vault; of customer 0, whom no vault knows, for a key that nobody has.
pub fn open(vault: &Vault, field: Field, sealed: &Sealed) -> Result<Secret, Error> {
    let class = match sealed.class {
        DataClass::C1 => ark::Class::C1,
        DataClass::C2 => ark::Class::C2,
    };
    let customer = vault.customer_of(sealed.key)?.unwrap_or(CustomerId(0));
    let parts =
        SealedParts { ciphertext: sealed.ciphertext.clone(), key: sealed.key, class, mask: sealed.mask.clone() };
    vault.unseal(customer, field, &parts)
}
