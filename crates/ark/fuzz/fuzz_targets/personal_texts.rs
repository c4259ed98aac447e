//! Certificate numbers, masks, and links and codes of authenticator apps.
#![no_main]

use ark::{CertificateType, Identity, TotpSecret, mask};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = str::from_utf8(data) else { return };
    let _ = text.parse::<CertificateType>();
    for certificate in CertificateType::ALL {
        if let Ok(identity) = Identity::new(certificate, &text.into()) {
            let again = Identity::new(certificate, identity.number()).expect("the one spelling is one");
            assert_eq!(again.number().expose(), identity.number().expose());
        }
    }
    for mask in [mask::bank_account, mask::phone, mask::identity_number, mask::name, mask::login, mask::address] {
        let _ = mask(text);
    }
    let _ = TotpSecret::from_uri(text);
    let _ = TotpSecret::from_bytes([7; 20]).verify(text, 1_800_000_000);
});
