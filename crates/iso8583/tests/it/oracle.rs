//! Messages that pyiso8583 made (`fixtures/iso8583/make.py`): read field by field, and made again byte by byte.

use std::collections::BTreeMap;

use iso8583::profile::{ASCII_1987, HOST_LINK, POS_TERMINAL};
use iso8583::{Builder, Message, Profile, Value};
use serde::Deserialize;

#[derive(Deserialize)]
struct Foreign {
    /// In hexadecimal.
    message: String,
    /// By number; `t` is the message type.
    fields: BTreeMap<String, String>,
}

/// How many there were, and how many with field 55.
fn read_and_written_the_same(profile: &str, messages: &str) -> (usize, usize) {
    let profile = Profile::parse(profile).unwrap();
    let (mut count, mut with_chip) = (0, 0);
    for line in messages.lines() {
        let foreign: Foreign = serde_json::from_str(line).unwrap();
        let message = hex::decode(&foreign.message).unwrap();
        let read = Message::decode(&profile, &message).unwrap();
        assert_eq!(read.mti(), foreign.fields["t"].as_bytes());
        assert_eq!(read.fields().count(), foreign.fields.len() - 1);
        for (number, expected) in foreign.fields.iter().filter(|(number, _)| *number != "t") {
            let found: Vec<u8> = match read.value(number.parse().unwrap()).unwrap() {
                Value::Digits(digits) => digits.iter().collect(),
                Value::Text(raw) | Value::Hex(raw) => raw.to_vec(),
                Value::Bytes(raw) => hex::encode_upper(raw).into_bytes(),
            };
            assert_eq!(found, expected.as_bytes(), "field {number}");
        }
        assert_eq!(Builder::from_message(&profile, &read).unwrap().encode().unwrap(), message);
        count += 1;
        with_chip += usize::from(read.has(55));
    }
    (count, with_chip)
}

#[test]
fn what_pyiso8583_writes_is_read_and_written_the_same() {
    let ascii = include_str!("../../../../fixtures/iso8583/ascii_1987.jsonl");
    let network = include_str!("../../../../fixtures/iso8583/host_link.jsonl");
    let terminals = include_str!("../../../../fixtures/iso8583/pos_terminal.jsonl");
    for (profile, messages, count) in [(ASCII_1987, ascii, 40), (HOST_LINK, network, 30), (POS_TERMINAL, terminals, 40)]
    {
        let (read, with_chip) = read_and_written_the_same(profile, messages);
        assert_eq!(read, count);
        assert!(with_chip > 9, "{with_chip} with field 55");
    }
}
