//! The sealed field opens only as what it was sealed.

use ark::{Class, Error, Field, Kind, SealedParts};
use proptest::prelude::*;

use crate::support::{ACCOUNT, PHONE, SECOND_PHONE, customer, new_vault};

const TEXT: &str = "13812345678";

#[test]
fn parts_carry_class_and_mask_of_the_kind() {
    let (_directory, vault) = new_vault();
    let one = customer(&vault, 1);
    let sealed = vault.seal(one, PHONE, &TEXT.into()).expect("sealed");
    assert_eq!((sealed.class, sealed.mask.as_str()), (Class::C2, "138****5678"));
    assert_eq!(sealed.ciphertext.len(), 12 + TEXT.len() + 16);
    let secret = Field::new("merchant.api_secret", Kind::Credential);
    let sealed = vault.seal(one, secret, &TEXT.into()).expect("sealed");
    assert_eq!((sealed.class, sealed.mask.as_str()), (Class::C2, "******"));
}

#[test]
fn class_numbers_are_for_ever() {
    for (class, number) in [(Class::C1, 1), (Class::C2, 2)] {
        assert_eq!(u8::from(class), number);
        assert_eq!(Class::try_from(number).expect("a class"), class);
    }
    for number in [0, 3, 255] {
        assert!(matches!(Class::try_from(number), Err(Error::Class(wrong)) if wrong == number));
    }
}

#[test]
fn another_person_field_class_mask_or_key_is_refused() {
    let (_directory, vault) = new_vault();
    let (one, two) = (customer(&vault, 1), customer(&vault, 2));
    let sealed = vault.seal(one, PHONE, &TEXT.into()).expect("sealed");
    let of_two = vault.seal(two, PHONE, &TEXT.into()).expect("sealed");
    let with = |change: fn(&mut SealedParts)| {
        let mut changed = sealed.clone();
        change(&mut changed);
        changed
    };
    let attempts = [
        (two, PHONE, sealed.clone()),
        (one, SECOND_PHONE, sealed.clone()),
        (one, ACCOUNT, sealed.clone()),
        (one, PHONE, with(|parts| parts.class = Class::C1)),
        (one, PHONE, with(|parts| parts.mask = "139****5678".to_owned())),
        (one, PHONE, with(|parts| parts.mask.clear())),
        (one, PHONE, with(|parts| parts.key = 99)),
        (one, PHONE, with(|parts| parts.key = u64::MAX)),
        (one, PHONE, with(|parts| parts.ciphertext.clear())),
        // The other person's key named for this person, and their key moved over with their ciphertext.
        (one, PHONE, SealedParts { key: of_two.key, ..sealed.clone() }),
        (two, PHONE, SealedParts { key: of_two.key, ..sealed.clone() }),
    ];
    for (customer, field, parts) in attempts {
        let error = vault.unseal(customer, field, &parts).expect_err("not what was sealed");
        let Error::NotAuthentic { customer: named, field: name } = error else { panic!("{error}") };
        assert_eq!((named, name), (customer, field.name()));
    }
    assert_eq!(vault.unseal(one, PHONE, &sealed).expect("unchanged it opens").expose(), TEXT);
}

#[test]
fn every_flipped_bit_of_the_ciphertext_is_refused() {
    let (_directory, vault) = new_vault();
    let one = customer(&vault, 1);
    let sealed = vault.seal(one, PHONE, &TEXT.into()).expect("sealed");
    for bit in 0..sealed.ciphertext.len() * 8 {
        let mut changed = sealed.clone();
        changed.ciphertext[bit / 8] ^= 1 << (bit % 8);
        assert!(matches!(vault.unseal(one, PHONE, &changed), Err(Error::NotAuthentic { .. })), "bit {bit}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_comes_back(texts in prop::collection::vec("\\PC{0,60}", 1..8)) {
        let (_directory, vault) = new_vault();
        let one = customer(&vault, 1);
        for text in texts {
            for kind in [Kind::Name, Kind::Address, Kind::Login, Kind::BankAccount] {
                let field = Field::new("customer.any", kind);
                let sealed = vault.seal(one, field, &text.as_str().into()).expect("sealed");
                let opened = vault.unseal(one, field, &sealed).expect("unsealed");
                prop_assert_eq!(opened.expose(), text.as_str());
            }
        }
    }
}
