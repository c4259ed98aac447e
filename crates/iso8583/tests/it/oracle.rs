//! Messages that pyiso8583 made (`fixtures/iso8583/make.py`): read field by field, and made again byte by byte.

use std::collections::BTreeMap;

use iso8583::profile::ASCII_1987;
use iso8583::{Builder, Message, Profile, Value};
use serde::Deserialize;

const MESSAGES: &str = include_str!("../../../../fixtures/iso8583/ascii_1987.jsonl");

#[derive(Deserialize)]
struct Foreign {
    message: String,
    /// By number; `t` is the message type.
    fields: BTreeMap<String, String>,
}

#[test]
fn what_pyiso8583_writes_is_read_and_written_the_same() {
    let profile = Profile::parse(ASCII_1987).unwrap();
    let mut count = 0;
    for line in MESSAGES.lines() {
        let foreign: Foreign = serde_json::from_str(line).unwrap();
        let read = Message::decode(&profile, foreign.message.as_bytes()).unwrap();
        assert_eq!(read.mti(), foreign.fields["t"].as_bytes());
        assert_eq!(read.fields().count(), foreign.fields.len() - 1);
        for (number, expected) in foreign.fields.iter().filter(|(number, _)| *number != "t") {
            let found: Vec<u8> = match read.value(number.parse().unwrap()).unwrap() {
                Value::Digits(digits) => digits.iter().collect(),
                Value::Text(raw) | Value::Hex(raw) | Value::Bytes(raw) => raw.to_vec(),
            };
            assert_eq!(found, expected.as_bytes(), "field {number}");
        }
        let again = Builder::from_message(&profile, &read).unwrap().encode().unwrap();
        assert_eq!(again, foreign.message.as_bytes());
        count += 1;
    }
    assert_eq!(count, 60);
}
