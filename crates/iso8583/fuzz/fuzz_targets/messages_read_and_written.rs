//! What was read is written, by its own profile so that it reads the same, by another one or refused.
#![no_main]

use iso8583::{Builder, Message, Value};
use iso8583_fuzz::profiles;
use libfuzzer_sys::fuzz_target;

/// What a value says, however it lies in the message; an equals sign of a track is packed as `D`.
fn said(value: Value<'_>) -> Vec<u8> {
    match value {
        Value::Digits(digits) => digits.iter().map(|digit| if digit == b'=' { b'D' } else { digit }).collect(),
        Value::Text(text) => text.to_vec(),
        Value::Bytes(bytes) => bytes.to_vec(),
        Value::Hex(digits) => {
            let nibble = |digit: u8| char::from(digit).to_digit(16).expect("checked") as u8;
            digits.chunks(2).map(|pair| nibble(pair[0]) << 4 | nibble(pair[1])).collect()
        }
    }
}

fuzz_target!(|data: &[u8]| {
    for profile in profiles() {
        let Ok(read) = Message::decode(profile, data) else { continue };
        let written = Builder::from_message(profile, &read).and_then(|builder| builder.encode()).expect("it was read");
        for other in profiles() {
            let Ok(bytes) = Builder::from_message(other, &read).and_then(|builder| builder.encode()) else { continue };
            let again = Message::decode(other, &bytes).expect("what is written is read");
            assert_eq!((again.mti(), again.fields().collect::<Vec<_>>()), (read.mti(), read.fields().collect()));
            if profile.name() == other.name() {
                assert_eq!(bytes, written);
                for number in read.fields() {
                    assert_eq!(again.value(number).map(said), read.value(number).map(said), "field {number}");
                }
                let third = Builder::from_message(other, &again).and_then(|builder| builder.encode());
                assert_eq!(third.as_ref(), Ok(&bytes), "from then on byte by byte");
            }
        }
    }
});
