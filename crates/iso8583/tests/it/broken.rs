//! Bytes that contradict the profile: each is refused at its place, and none makes the codec panic.

use iso8583::{Builder, Message, Place, Problem, Value};

use crate::support::{profiles, sale, terminals};

#[track_caller]
fn refused(hex: &str) -> (Place, Option<usize>, Problem) {
    let profile = terminals();
    let bytes = hex::decode(hex.replace(' ', "")).unwrap();
    let error = Message::decode(&profile, &bytes).unwrap_err();
    (error.place, error.offset, error.problem)
}

#[test]
fn a_message_that_breaks_off_anywhere_is_refused() {
    let profile = terminals();
    let bytes = sale(&profile);
    for length in 0..bytes.len() {
        let error = Message::decode(&profile, &bytes[..length]).unwrap_err();
        assert!(matches!(error.problem, Problem::Truncated { .. }), "{length}: {error}");
    }
}

#[test]
fn what_follows_the_last_field_is_refused() {
    let profile = terminals();
    let mut bytes = sale(&profile);
    let end = bytes.len();
    bytes.push(0);
    let error = Message::decode(&profile, &bytes).unwrap_err();
    assert_eq!((error.offset, error.problem), (Some(end), Problem::Surplus { surplus: 1 }));
}

#[test]
fn a_bitmap_that_lies_is_refused() {
    assert_eq!(refused("0200 8000000000000000"), (Place::Bitmap, Some(2), Problem::SecondBitmap));
    // Bit 5, of a field that the profile has not.
    assert_eq!(refused("0200 0800000000000000"), (Place::Field(5), Some(10), Problem::Undescribed));
    let missing = Problem::Truncated { needed: 3, left: 0 };
    assert_eq!(refused("0200 2000000000000000"), (Place::Field(3), Some(10), missing));
}

#[test]
fn odd_digits_prefixes_and_padding_are_refused() {
    let letter = Problem::Character { position: 5, found: Some(b'A'), format: "n" };
    assert_eq!(refused("0200 2000000000000000 00000A"), (Place::Field(3), Some(12), letter));
    let prefix = Problem::PrefixDigit { found: 0x1F };
    assert_eq!(refused("0200 4000000000000000 1F 62"), (Place::Field(2), Some(10), prefix));
    let long = Problem::TooLong { found: 20, most: 19 };
    assert_eq!(refused("0200 4000000000000000 20 62"), (Place::Field(2), Some(10), long));
    let padding = Problem::Padding { found: 0xF, expected: 0 };
    assert_eq!(refused("0200 0000040000000000 051F"), (Place::Field(22), Some(11), padding));
    assert_eq!(refused("0200 0000020000000000 F001"), (Place::Field(23), Some(10), padding));
    let mti = Problem::Character { position: 1, found: Some(b'B'), format: "n" };
    assert_eq!(refused("0B00 0000000000000000"), (Place::Mti, Some(0), mti));
}

#[test]
fn longer_than_a_frame_is_refused() {
    for profile in profiles() {
        let error = Message::decode(&profile, &vec![0; 65_536]).unwrap_err();
        assert_eq!(error.problem, Problem::TooLarge { found: 65_536 });
    }
}

#[test]
fn an_error_says_field_byte_finding_and_remedy() {
    let profile = terminals();
    let error = Message::decode(&profile, &hex::decode("0200400000000000000020").unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "field 2 at byte 10: length 20; the profile allows at most 19");
}

#[test]
fn bytes_that_are_no_hexadecimal_are_not_built() {
    for profile in profiles() {
        let mut builder = Builder::new(&profile, *b"0200").unwrap();
        let odd = builder.set(52, Value::Hex(b"010203040506070")).unwrap_err();
        assert_eq!(odd.problem, Problem::Odd { found: 15 });
        let letter = builder.set(52, Value::Hex(b"01020304050607g8")).unwrap_err();
        let problem = Problem::Character { position: 14, found: None, format: "hexadecimal, upper case" };
        assert_eq!((letter.place, letter.problem), (Place::Field(52), problem));
        assert!(builder.set(52, Value::Hex(b"01020304050607F8")).is_ok());
    }
}

#[test]
fn what_was_read_before_something_is_wrong_is_kept() {
    let profile = terminals();
    let bytes = sale(&profile);
    let whole = Message::decode(&profile, &bytes).unwrap();
    // One byte of field 22 is no digit any more.
    let mut wrong = bytes.clone();
    wrong[whole.place(22).unwrap().start] = 0xA0;
    let (kept, error) = Message::decode_until_wrong(&profile, &wrong).unwrap();
    assert_eq!(kept.fields().collect::<Vec<_>>(), [2, 3, 4, 11, 14]);
    assert_eq!(kept.digits(11).unwrap(), "000077");
    assert_eq!(error, Message::decode(&profile, &wrong).err());
    assert!(!kept.has(22) && !kept.has(64) && format!("{kept:?}").ends_with("14: <4 digits>, }"));

    let (all, none) = Message::decode_until_wrong(&profile, &bytes).unwrap();
    assert_eq!((all.fields().count(), none), (whole.fields().count(), None));
    let (no_bitmap, error) = Message::decode_until_wrong(&profile, &bytes[..9]).unwrap();
    assert_eq!((no_bitmap.mti(), no_bitmap.fields().count(), error.unwrap().place), (*b"0200", 0, Place::Bitmap));
    assert!(Message::decode_until_wrong(&profile, &bytes[..1]).is_err());
}
