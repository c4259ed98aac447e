//! Nothing readable gets out by the side: not by `Debug`, not by an error, not by a file.

use std::fs;

use ark::{
    CertificateType, Identity, MacKey, Secret, key_file,
    signing::{Authorization, Credential, Request, Stamp},
};

use crate::support::{ACCOUNT, new_vault, said};

const NUMBER: &str = "990101190001019999";
const ACCOUNT_NUMBER: &str = "6222021234567890123";

#[test]
fn debug_of_every_public_type_that_holds_a_secret() {
    let (directory, vault) = new_vault();
    let identity = Identity::new(CertificateType::ResidentIdentity, &NUMBER.into()).expect("a number");
    let customer = vault.get_or_create(&identity).expect("created");
    let sealed = vault.seal(customer.id(), ACCOUNT, &ACCOUNT_NUMBER.into()).expect("sealed");
    let key = MacKey::generate().expect("random bytes");
    let root = key_file::read(&directory.path().join("ark.key")).expect("readable").expect("there");
    let request = Request { method: "POST", target: "/v1/x?phone=13812345678", body: ACCOUNT_NUMBER.as_bytes() };
    let credential = Credential { merchant: "mch_1", serial: "1", key: &key };
    let authorization =
        Authorization::sign(&credential, Stamp::random(1).expect("random bytes"), &request).expect("signed");

    let printed =
        format!("{vault:#?} {identity:#?} {customer:#?} {sealed:#?} {request:#?} {credential:#?} {authorization:#?}");
    let signature = authorization.to_string().rsplit('"').nth(1).expect("the last value").to_owned();
    for secret in [NUMBER, ACCOUNT_NUMBER, &sealed.mask, "13812345678", &signature, key.to_hex().expose()] {
        assert!(!printed.contains(secret), "{secret} in {printed}");
    }
    // What holds nothing but a secret prints nothing but its name, so no encoding of it can slip by.
    assert!(printed.contains("key: MacKey(…)") && printed.contains("number: Secret(…)"), "{printed}");
    assert_eq!(format!("{:?}", Secret::from(ACCOUNT_NUMBER)), "Secret(…)");
    assert_eq!(format!("{root:?} {key:?}"), "Sm4Key(…) MacKey(…)");
    assert_eq!(format!("{:?}", key.mac().update(ACCOUNT_NUMBER.as_bytes())), "Mac(…)");
    assert_eq!(format!("{:?}", ark::Sm3::new().update(ACCOUNT_NUMBER.as_bytes())), "Sm3(…)");
}

#[test]
fn errors_do_not_repeat_what_was_given() {
    let (_directory, vault) = new_vault();
    let identity = Identity::new(CertificateType::ResidentIdentity, &NUMBER.into()).expect("a number");
    let one = vault.get_or_create(&identity).expect("created").id();
    let mut sealed = vault.seal(one, ACCOUNT, &ACCOUNT_NUMBER.into()).expect("sealed");
    sealed.ciphertext.reverse();
    let wrong_number = format!("{NUMBER}?");
    let errors = [
        said(&vault.unseal(one, ACCOUNT, &sealed).expect_err("tampered")),
        said(&Identity::new(CertificateType::Passport, &wrong_number.as_str().into()).expect_err("no number")),
        said(&MacKey::from_hex(&wrong_number).expect_err("no key")),
        said(&Authorization::parse(&format!("Bearer {NUMBER}")).expect_err("another scheme")),
        said(&Authorization::parse(&format!("LINTEL-HMAC-SM3 {NUMBER}=\"1\"")).expect_err("unknown parameter")),
        said(&Stamp::parse(NUMBER, ACCOUNT_NUMBER).and_then(|_| Stamp::parse("x", NUMBER)).expect_err("no stamp")),
    ];
    for error in errors {
        assert!(!error.contains(NUMBER) && !error.contains(ACCOUNT_NUMBER), "{error}");
    }
}

#[test]
fn no_file_holds_a_number_or_a_text() {
    let (directory, vault) = new_vault();
    let identity = Identity::new(CertificateType::ResidentIdentity, &NUMBER.into()).expect("a number");
    let one = vault.get_or_create(&identity).expect("created").id();
    vault.seal(one, ACCOUNT, &ACCOUNT_NUMBER.into()).expect("sealed");
    let plain_hash = ark::sm3(NUMBER.as_bytes());
    for entry in fs::read_dir(directory.path()).expect("the directory lists") {
        let bytes = fs::read(entry.expect("an entry").path()).expect("readable");
        for secret in [NUMBER.as_bytes(), ACCOUNT_NUMBER.as_bytes(), &plain_hash] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret));
        }
    }
}
