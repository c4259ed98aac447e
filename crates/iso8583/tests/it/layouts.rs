//! What lies where: bytes written by hand from the dialect's rules beside what the codec makes and reads.

use iso8583::{Builder, Message, Place, Problem, Profile, Value};

use crate::support::{profiles, sale, terminals};

#[test]
fn a_sign_in_is_laid_out_as_the_dialect_says() {
    let profile = terminals();
    let mut sign_in = Builder::new(&profile, *b"0800").unwrap();
    sign_in.digits(11, "000001").unwrap();
    sign_in.text(41, "10000001").unwrap().text(42, "898110070110001").unwrap();
    sign_in.digits(60, "00000001003").unwrap().text(63, "01 ").unwrap();
    // Type; bits 11, 41, 42, 60, 63; trace; terminal; merchant; 60 with eleven digits, left-aligned; 63.
    let by_hand = "0800 0020000000C00012 000001 3130303030303031 383938313130303730313130303031 \
                   0011 000000010030 0003 303120";
    assert_eq!(hex::encode_upper(sign_in.encode().unwrap()), by_hand.replace(' ', ""));
}

#[test]
fn odd_digits_lie_left_or_right_as_the_profile_says() {
    let profile = terminals();
    let mut message = Builder::new(&profile, *b"0200").unwrap();
    message.digits(2, "621234567890123").unwrap();
    message.digits(22, "051").unwrap().digits(23, "001").unwrap().digits(35, "62123=301").unwrap();
    let bytes = message.encode().unwrap();
    let by_hand = "0200 4000060020000000 15 6212345678901230 0510 0001 09 62123D3010";
    assert_eq!(hex::encode_upper(&bytes), by_hand.replace(' ', ""));
    let read = Message::decode(&profile, &bytes).unwrap();
    assert_eq!(read.digits(23).unwrap(), "001");
    assert_eq!(read.digits(22).unwrap(), "051");
    assert_eq!(read.digits(35).unwrap(), "62123D301");
}

#[test]
fn the_key_material_of_a_sign_in_comes_out_as_it_went_in() {
    let profile = terminals();
    let keys = hex::decode("6701EAD6A9AD51E51AA406E2C27FCFA98D0A74B8B651F9E9BACE9AE10000000000000000AB7153CA").unwrap();
    let mut answer = Builder::new(&profile, *b"0810").unwrap();
    answer.bytes(62, &keys).unwrap();
    let bytes = answer.encode().unwrap();
    assert_eq!(&bytes[10..12], [0x00, 0x40], "the prefix counts bytes");
    assert_eq!(Message::decode(&profile, &bytes).unwrap().bytes(62).unwrap(), keys);
}

#[test]
fn a_sale_is_read_field_by_field() {
    let profile = terminals();
    let bytes = sale(&profile);
    let read = Message::decode(&profile, &bytes).unwrap();
    assert_eq!(read.mti(), *b"0200");
    assert_eq!(read.amount(4), Ok(12_345));
    assert_eq!(read.digits(2).unwrap(), "6230606601007726888");
    assert_eq!(read.text(42), Ok("898110070110001"));
    assert_eq!(read.bytes(64), Ok(b"9EC7D31F".as_slice()));
    let numbers: Vec<u8> = read.fields().collect();
    assert_eq!(numbers, [2, 3, 4, 11, 14, 22, 23, 25, 26, 35, 41, 42, 49, 52, 53, 55, 60, 64]);
    // What a MAC covers is all that stands before it.
    assert_eq!(read.before(64), Some(&bytes[..bytes.len() - 8]));
}

#[test]
fn what_is_asked_for_as_something_else_is_told() {
    let profile = terminals();
    let bytes = sale(&profile);
    let read = Message::decode(&profile, &bytes).unwrap();
    assert_eq!(read.digits(37).unwrap_err().problem, Problem::Absent);
    let wrong = read.text(4).unwrap_err();
    assert_eq!((wrong.place, wrong.problem), (Place::Field(4), Problem::Kind { format: "n", asked: "text" }));
    assert!(!read.has(0) && !read.has(1) && !read.has(200));
}

#[test]
fn one_field_is_replaced_and_one_left_out_and_the_rest_stays() {
    let profile = terminals();
    let bytes = sale(&profile);
    let read = Message::decode(&profile, &bytes).unwrap();
    let mut reversal = Builder::from_message(&profile, &read).unwrap();
    assert_eq!(reversal.encode().unwrap(), bytes);
    assert!(reversal.remove(52) && !reversal.remove(52) && reversal.remove(35));
    reversal.text(39, "98").unwrap().amount(4, 1).unwrap();
    let bytes = reversal.encode().unwrap();
    let again = Message::decode(&profile, &bytes).unwrap();
    assert!(!again.has(52) && !again.has(35));
    assert_eq!((again.text(39), again.amount(4)), (Ok("98"), Ok(1)));
    assert_eq!(again.digits(2).unwrap(), "6230606601007726888");
}

#[test]
fn a_second_bitmap_goes_with_fields_above_64_or_where_the_profile_says_always() {
    let [terminals, host, ascii] = profiles();
    let network = |profile: &Profile| {
        let mut message = Builder::new(profile, *b"0800").unwrap();
        message.digits(7, "1128034500").unwrap();
        let short = message.encode().unwrap();
        message.digits(70, "301").unwrap();
        (short, message.encode().unwrap())
    };
    let (short, long) = network(&ascii);
    assert_eq!(short, b"080002000000000000001128034500");
    assert_eq!(long, b"0800820000000000000004000000000000001128034500301");
    let (short, long) = network(&host);
    assert_eq!((short.len(), long.len()), (4 + 16 + 10, 4 + 16 + 10 + 3));
    let mut message = Builder::new(&terminals, *b"0800").unwrap();
    assert_eq!(message.digits(70, "301").unwrap_err().problem, Problem::Undescribed);
}

#[test]
fn a_value_that_does_not_fit_is_told_and_what_was_set_stays() {
    let profile = terminals();
    let mut message = Builder::new(&profile, *b"0200").unwrap();
    message.amount(4, 100).unwrap();
    assert_eq!(message.amount(4, -1).unwrap_err().problem, Problem::Number);
    assert_eq!(message.amount(4, 1_000_000_000_000).unwrap_err().problem, Problem::Number);
    assert_eq!(message.digits(4, "12").unwrap_err().problem, Problem::NotFixed { found: 2, size: 12 });
    let long = Problem::TooLong { found: 20, most: 19 };
    assert_eq!(message.digits(2, "62306066010077268880").unwrap_err().problem, long);
    let letter = Problem::Character { position: 2, found: Some(b'x'), format: "n" };
    assert_eq!(message.digits(3, "00x000").unwrap_err().problem, letter);
    let hidden = Problem::Character { position: 0, found: None, format: "n" };
    assert_eq!(message.digits(14, "x012").unwrap_err().problem, hidden);
    let bytes = message.encode().unwrap();
    assert_eq!(Message::decode(&profile, &bytes).unwrap().amount(4), Ok(100));
    assert!(Builder::new(&profile, *b"02x0").is_err());
}

#[test]
fn bytes_in_hexadecimal_are_copied_out() {
    let [_, _, ascii] = profiles();
    let mut message = Builder::new(&ascii, *b"0200").unwrap();
    message.bytes(52, &[0xCD, 0x01, 0xD6, 0xAD, 0x8F, 0x0A, 0x48, 0x4C]).unwrap();
    let bytes = message.encode().unwrap();
    assert!(bytes.ends_with(b"CD01D6AD8F0A484C"));
    let read = Message::decode(&ascii, &bytes).unwrap();
    let mut out = [0; 16];
    assert_eq!(hex::encode(read.copy_bytes(52, &mut out).unwrap()), "cd01d6ad8f0a484c");
    assert_eq!(read.copy_bytes(52, &mut [0; 4]).unwrap_err().problem, Problem::TooLong { found: 8, most: 4 });
}

#[test]
fn parts_of_a_field_are_read_as_far_as_it_goes() {
    let profile = terminals();
    let mut echo = Builder::new(&profile, *b"0820").unwrap();
    let bytes = echo.digits(60, "0000012330").unwrap().encode().unwrap();
    let read = Message::decode(&profile, &bytes).unwrap();
    let part = |index| match read.part(60, index) {
        Ok(Value::Digits(digits)) => Ok(digits.iter().map(char::from).collect::<String>()),
        Ok(Value::Text(_) | Value::Bytes(_) | Value::Hex(_)) => panic!("digits are digits"),
        Err(error) => Err(error.problem),
    };
    // The network code has three digits; there are two.
    assert_eq!([part(0), part(1), part(2)].map(Result::unwrap), ["00", "000123", "30"]);
    assert_eq!([part(3), part(7)], [Err(Problem::Absent), Err(Problem::Absent)]);
}
