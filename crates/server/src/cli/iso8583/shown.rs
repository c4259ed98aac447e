//! A message as JSON that may be shown: what is C3 hidden, card numbers as 6 + 4 digits, on every way out alike.

use encoding_rs::GBK;
use iso8583::profile::{Class, Encoding, Field, Length};
use iso8583::{Digits, Message, Value as Held, tlv};
use serde_json::{Map, Value, json};

use super::tags;
use crate::pos::answer_code;

/// Field 39, and what its codes mean.
const ANSWER_CODE: u8 = 39;
/// Field 55, chip data.
const CHIP_DATA: u8 = 55;
/// What field 60 calls the part whose codes are known.
const NETWORK_CODE: &str = "network code";

/// The message as an object, and what is wrong with its chip data. `begin` is where it begins in what was given.
pub(super) fn message(message: &Message<'_, '_>, begin: usize) -> (Value, Option<String>) {
    let mut complaint = None;
    let mut fields = Vec::new();
    for number in message.fields() {
        let Some(field) = message.profile().field(number) else { continue };
        let Ok(held) = message.value(number) else { continue };
        let place = message.place(number).unwrap_or_default();
        let mut object = Map::from_iter([
            ("field".to_owned(), json!(number)),
            ("name".to_owned(), json!(field.name)),
            ("layout".to_owned(), json!(layout(field))),
            ("at".to_owned(), json!(begin + place.start)),
            ("bytes".to_owned(), json!(place.len())),
        ]);
        show(&mut object, held, field.class);
        if let (ANSWER_CODE, Held::Text(code)) = (number, held) {
            let meaning = str::from_utf8(code).ok().and_then(answer_code::meaning);
            object.insert("meaning".to_owned(), json!(meaning.unwrap_or("a code that the dialect does not have")));
        }
        if !field.parts.is_empty() {
            object.insert("parts".to_owned(), parts(message, number, field));
        }
        if number == CHIP_DATA {
            let start = begin + place.end - held_bytes(held);
            match chip(held, start) {
                Ok(elements) => drop(object.insert("tags".to_owned(), elements)),
                Err(error) => complaint = Some(format!("field 55: {error}")),
            }
        }
        fields.push(Value::Object(object));
    }
    let mti = String::from_utf8_lossy(&message.mti()).into_owned();
    let meaning = type_meaning(message.mti());
    let profile = message.profile().name();
    (json!({"profile": profile, "mti": mti, "meaning": meaning, "fields": fields}), complaint)
}

/// Format, encoding, length and size of a field in one word: `n..19 LL bcd`.
pub(super) fn layout(field: &Field) -> String {
    let (dots, prefix) = match field.length {
        Length::Fixed => ("", ""),
        Length::Ll => ("..", "LL "),
        Length::Lll => ("..", "LLL "),
    };
    let encoding = match field.encoding {
        Encoding::Bcd => "bcd",
        Encoding::Ascii => "ascii",
        Encoding::Binary => "binary",
        Encoding::Hex => "hex",
    };
    format!("{}{dots}{} {prefix}{encoding}", field.format.letters(), field.size)
}

/// Bytes in the message, without a prefix; of digits nobody asks.
fn held_bytes(held: Held<'_>) -> usize {
    match held {
        Held::Digits(digits) => digits.len(),
        Held::Text(bytes) | Held::Bytes(bytes) | Held::Hex(bytes) => bytes.len(),
    }
}

/// Puts in what a value may show.
fn show(object: &mut Map<String, Value>, held: Held<'_>, class: Class) {
    let value = match class {
        Class::C1 => json!(plain(held)),
        Class::C2 => {
            object.insert("masked".to_owned(), json!(true));
            json!(masked(&plain(held)))
        }
        Class::C3 => {
            object.insert("hidden".to_owned(), json!(true));
            Value::Null
        }
    };
    object.insert("value".to_owned(), value);
    object.insert("length".to_owned(), json!(length(held)));
}

/// Digits, characters or bytes.
fn length(held: Held<'_>) -> usize {
    match held {
        Held::Digits(digits) => digits.len(),
        Held::Text(bytes) | Held::Bytes(bytes) => bytes.len(),
        Held::Hex(characters) => characters.len() / 2,
    }
}

fn plain(held: Held<'_>) -> String {
    match held {
        Held::Digits(digits) => text_of(digits),
        Held::Text(text) => GBK.decode_without_bom_handling(text).0.into_owned(),
        Held::Bytes(bytes) => hex::encode_upper(bytes),
        Held::Hex(characters) => String::from_utf8_lossy(characters).into_owned(),
    }
}

fn text_of(digits: Digits<'_>) -> String {
    digits.iter().map(char::from).collect()
}

/// The first 6 and the last 4; nothing of what is too short to hide the rest.
fn masked(text: &str) -> String {
    let count = text.chars().count();
    let shown = |index: usize| count > 12 && (index < 6 || index + 4 >= count);
    text.chars().enumerate().map(|(index, character)| if shown(index) { character } else { '*' }).collect()
}

fn parts(message: &Message<'_, '_>, number: u8, field: &Field) -> Value {
    let there = (0..field.parts.len()).map_while(|index| Some((index, message.part(number, index).ok()?)));
    let shown = there.zip(&field.parts).map(|((index, held), part)| {
        let mut object = Map::from_iter([
            ("part".to_owned(), json!(format!("{number}.{}", index + 1))),
            ("name".to_owned(), json!(part.name)),
        ]);
        show(&mut object, held, field.class);
        if part.name == NETWORK_CODE && field.class == Class::C1 {
            object.insert("meaning".to_owned(), json!(network_code(&plain(held))));
        }
        Value::Object(object)
    });
    shown.collect()
}

/// What a terminal wants of the platform itself, in the dialect's codes.
fn network_code(code: &str) -> Option<&'static str> {
    Some(match code {
        "000" => "a transaction",
        "001" | "003" | "004" => "sign-in",
        "002" => "sign-out",
        "201" => "batch close",
        "202" | "207" => "end of a batch upload",
        "203" => "batch upload of chip transactions",
        "301" => "echo",
        _ => return None,
    })
}

/// What a message type says, by its digits: class, function, who sends.
fn type_meaning(mti: [u8; 4]) -> String {
    let [version, class, function, origin] = mti;
    let class = match class {
        b'1' => "authorisation",
        b'2' => "financial",
        b'3' => "file",
        b'4' => "reversal",
        b'5' => "reconciliation",
        b'6' => "administrative",
        b'7' => "fee collection",
        b'8' => "network management",
        _ => "reserved",
    };
    let function = match function {
        b'0' => "request",
        b'1' => "answer",
        b'2' => "advice",
        b'3' => "answer to an advice",
        b'4' => "notification",
        _ => "reserved",
    };
    let repeated = if matches!(origin, b'1' | b'3' | b'5') { ", repeated" } else { "" };
    let version = match version {
        b'0' => "1987",
        b'1' => "1993",
        b'2' => "2003",
        _ => "of a version that is reserved",
    };
    format!("{class} {function}{repeated} (ISO 8583:{version})")
}

/// The elements of chip data that begins at byte `begin`.
fn chip(held: Held<'_>, begin: usize) -> Result<Value, tlv::TlvError> {
    match held {
        Held::Bytes(bytes) => {
            tlv::check(bytes).map_err(|error| error.moved(begin))?;
            elements(bytes, begin, 1)
        }
        Held::Hex(characters) => {
            // What lies there as two characters a byte was checked to be such.
            let bytes = hex::decode(characters).unwrap_or_default();
            tlv::check(&bytes)?;
            elements(&bytes, begin, 2)
        }
        Held::Digits(_) | Held::Text(_) => Ok(Value::Null),
    }
}

/// One level; [`tlv::check`] has bounded how deep they go. A byte takes `width` of what was given.
fn elements(bytes: &[u8], begin: usize, width: usize) -> Result<Value, tlv::TlvError> {
    let mut all = Vec::new();
    for element in tlv::Reader::new(bytes) {
        let element = element?;
        let known = tags::known(element.tag);
        let at = begin + element.offset * width;
        let mut object = Map::from_iter([
            ("tag".to_owned(), json!(format!("{:02X}", element.tag))),
            ("name".to_owned(), json!(known.map_or("unknown", |tag| tag.name))),
            ("at".to_owned(), json!(at)),
        ]);
        if element.constructed {
            object.insert("tags".to_owned(), elements(element.value, at, width)?);
        } else if known.is_some_and(|tag| tag.shown) {
            object.insert("value".to_owned(), json!(hex::encode_upper(element.value)));
        } else {
            object.insert("hidden".to_owned(), json!(true));
        }
        object.insert("length".to_owned(), json!(element.value.len()));
        all.push(Value::Object(object));
    }
    Ok(Value::Array(all))
}
