//! Sealed fields: what the vault seals opens again, as the same field only.

use ark::{CertificateType, CustomerId, Error, Identity, Secret, Vault};
use domain::sealed::Sealed;
use node::fields::{self, BANK_ACCOUNT, BANK_ACCOUNT_NAME, CERTIFICATE_NUMBER, CUSTOMER_NAME, CUSTOMER_PHONE};
use tempfile::TempDir;

const NUMBER: &str = "6222020200112233445";

/// A vault that knows two people.
fn vault() -> (TempDir, Vault, [CustomerId; 2]) {
    let directory = tempfile::tempdir().unwrap();
    let vault = Vault::open_with_key_file(directory.path()).unwrap();
    let person = |number: &str| {
        let identity = Identity::new(CertificateType::ResidentIdentity, &number.into()).unwrap();
        vault.get_or_create(&identity).unwrap().id()
    };
    let people = [person("990101190001010001"), person("990101190001010002")];
    (directory, vault, people)
}

fn sealed(vault: &Vault, customer: CustomerId) -> Sealed {
    fields::seal(vault, customer, BANK_ACCOUNT, &Secret::from(NUMBER)).unwrap()
}

#[test]
fn every_field_opens_as_it_was_sealed() {
    let (_directory, vault, people) = vault();
    for field in [CUSTOMER_NAME, CERTIFICATE_NUMBER, CUSTOMER_PHONE, BANK_ACCOUNT, BANK_ACCOUNT_NAME] {
        for customer in people {
            let sealed = fields::seal(&vault, customer, field, &Secret::from(NUMBER)).unwrap();
            assert_ne!(sealed.mask, NUMBER, "the mask of {field:?} shows all");
            assert_eq!(fields::open(&vault, field, &sealed).unwrap().expose(), NUMBER, "{field:?}");
        }
    }
}

#[test]
fn it_opens_after_the_vault_was_opened_again() {
    let (directory, vault, [customer, _]) = vault();
    let sealed = sealed(&vault, customer);
    drop(vault);
    let vault = Vault::open_with_key_file(directory.path()).unwrap();
    assert_eq!(fields::open(&vault, BANK_ACCOUNT, &sealed).unwrap().expose(), NUMBER);
}

#[test]
fn another_field_or_another_persons_key_opens_nothing() {
    let (_directory, vault, [customer, other]) = vault();
    let sealed = sealed(&vault, customer);
    let error = fields::open(&vault, BANK_ACCOUNT_NAME, &sealed).unwrap_err();
    assert!(matches!(error, Error::NotAuthentic { .. }), "{error}");
    let key = fields::seal(&vault, other, BANK_ACCOUNT, &Secret::from(NUMBER)).unwrap().key;
    let error = fields::open(&vault, BANK_ACCOUNT, &Sealed { key, ..sealed }).unwrap_err();
    assert!(matches!(error, Error::NotAuthentic { .. }), "{error}");
}

#[test]
fn a_key_that_nobody_has_opens_nothing() {
    let (_directory, vault, [customer, _]) = vault();
    let sealed = Sealed { key: 99, ..sealed(&vault, customer) };
    let error = fields::open(&vault, BANK_ACCOUNT, &sealed).unwrap_err();
    assert!(matches!(error, Error::UnknownCustomer(CustomerId(0))), "{error}");
}

#[test]
fn nothing_of_an_erased_person_opens() {
    let (_directory, vault, [customer, _]) = vault();
    let sealed = sealed(&vault, customer);
    vault.erase(customer).unwrap();
    let error = fields::open(&vault, BANK_ACCOUNT, &sealed).unwrap_err();
    assert!(matches!(error, Error::Erased(found) if found == customer), "{error}");
}
