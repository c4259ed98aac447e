//! Nothing sensitive is shown, by `Debug` or by an error.

use iso8583::{Builder, Message};

use crate::support::{sale, terminals};

#[test]
fn card_numbers_are_shortened_and_tracks_and_keys_not_shown() {
    let profile = terminals();
    let bytes = sale(&profile);
    let shown = format!("{:?}", Message::decode(&profile, &bytes).unwrap());
    assert!(shown.contains("2: 623060*********6888,") && shown.contains("4: 000000012345,"), "{shown}");
    for secret in ["6601007726", "3012", "CD01D6AD", "11223344", "201000001"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    let mut builder = Builder::new(&profile, *b"0200").unwrap();
    builder.digits(35, "6230606601007726888D3012").unwrap();
    assert_eq!(format!("{builder:?}"), "0200[35]");
}

#[test]
fn an_error_in_a_sensitive_field_names_no_character() {
    let profile = terminals();
    // An expiry with a letter.
    let bytes = hex::decode("0200000400000000000030B2").unwrap();
    let error = Message::decode(&profile, &bytes).unwrap_err();
    assert_eq!(error.to_string(), "field 14 at byte 11: position 2 is outside format n");
}
