//! How the fields of one command lie in a frame, as the profile file says it: `"purpose"`, `"key"`, `"message binary len4"`,
//! `"=00"`.
//!
//! Invariant: an answer is read to its last byte, each field has the length it must have, and what a module sends back of
//! the request is what was sent; anything else is a problem, told without the bytes.

use zeroize::Zeroizing;

/// What stands in a request or an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Purpose,
    Cipher,
    Count,
    MacForm,
    Track,
    TrackForm,
    TrackFormTo,
    Key,
    Under,
    To,
    Components,
    Encrypted,
    Check,
    Message,
    Mac,
    Block,
    Card,
    CardTo,
    Text,
    Factor,
}

impl Field {
    const ALL: [(&'static str, Self); 20] = [
        ("purpose", Self::Purpose),
        ("cipher", Self::Cipher),
        ("count", Self::Count),
        ("mac_form", Self::MacForm),
        ("track", Self::Track),
        ("track_form", Self::TrackForm),
        ("track_form_to", Self::TrackFormTo),
        ("key", Self::Key),
        ("under", Self::Under),
        ("to", Self::To),
        ("components", Self::Components),
        ("encrypted", Self::Encrypted),
        ("check", Self::Check),
        ("message", Self::Message),
        ("mac", Self::Mac),
        ("block", Self::Block),
        ("card", Self::Card),
        ("card_to", Self::CardTo),
        ("text", Self::Text),
        ("factor", Self::Factor),
    ];

    pub(super) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, field)| *field == self).map_or("", |(name, _)| name)
    }

    /// Whether it is data with a coding of its own, and not a name or a key of the profile.
    fn is_data(self) -> bool {
        match self {
            Self::Components
            | Self::Encrypted
            | Self::Check
            | Self::Message
            | Self::Mac
            | Self::Block
            | Self::Card
            | Self::CardTo
            | Self::Text
            | Self::Factor => true,
            Self::Purpose
            | Self::Cipher
            | Self::Count
            | Self::MacForm
            | Self::Track
            | Self::TrackForm
            | Self::TrackFormTo
            | Self::Key
            | Self::Under
            | Self::To => false,
        }
    }
}

/// How bytes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Coding {
    /// Two hexadecimal digits a byte, upper case; read in either.
    #[default]
    Hex,
    /// As they are.
    Raw,
}

impl Coding {
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "hex" => Some(Self::Hex),
            "binary" | "text" => Some(Self::Raw),
            _ => None,
        }
    }

    pub(super) fn write(self, bytes: &[u8]) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(match self {
            Self::Hex => hex::encode_upper(bytes).into_bytes(),
            Self::Raw => bytes.to_vec(),
        })
    }

    fn read(self, written: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        match self {
            Self::Hex => hex::decode(written).ok().map(Zeroizing::new),
            Self::Raw => Some(Zeroizing::new(written.to_vec())),
        }
    }

    const fn width(self) -> usize {
        match self {
            Self::Hex => 2,
            Self::Raw => 1,
        }
    }
}

/// One piece of a layout.
#[derive(Debug, Clone)]
pub(super) enum Part {
    Literal(Vec<u8>),
    /// As the profile writes names and keys.
    Named(Field),
    /// Data, behind its length in so many decimal digits if there are any.
    Data {
        field: Field,
        coding: Coding,
        digits: usize,
    },
}

impl Part {
    /// Reads one piece of a layout; the problem names it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if let Some(literal) = text.strip_prefix('=') {
            return literal_bytes(literal).map(Self::Literal);
        }
        let mut words = text.split_whitespace();
        let name = words.next().unwrap_or_default();
        let known = || Field::ALL.map(|(name, _)| name).join(", ");
        let field = Field::ALL.iter().find(|(known, _)| *known == name).map(|(_, field)| *field);
        let field = field.ok_or_else(|| format!("\"{text}\" names no field; fields are {}", known()))?;
        if !field.is_data() {
            return match words.next() {
                None => Ok(Self::Named(field)),
                Some(_) => Err(format!("\"{text}\": {name} is written as the profile names it and takes no coding")),
            };
        }
        let coding = words.next().and_then(Coding::named);
        let coding = coding.ok_or_else(|| format!("\"{text}\": {name} is followed by hex, binary or text"))?;
        let digits = match words.next() {
            None => 0,
            Some(word) => match word.strip_prefix("len").map(str::parse::<usize>) {
                Some(Ok(digits @ 1..=6)) => digits,
                Some(_) | None => return Err(format!("\"{text}\": a length is len1 to len6, its decimal digits")),
            },
        };
        if words.next().is_some() {
            return Err(format!("\"{text}\" has more than field, coding and length"));
        }
        Ok(Self::Data { field, coding, digits })
    }

    pub(super) const fn field(&self) -> Option<Field> {
        match self {
            Self::Literal(_) => None,
            Self::Named(field) | Self::Data { field, .. } => Some(*field),
        }
    }

    /// Whether it can be read wherever it stands, though its length is not known beforehand.
    pub(super) const fn has_length(&self) -> bool {
        matches!(self, Self::Data { digits, .. } if *digits > 0)
    }
}

/// Text as it is, or bytes behind `hex:`.
pub(super) fn literal_bytes(text: &str) -> Result<Vec<u8>, String> {
    match text.strip_prefix("hex:") {
        Some(digits) => hex::decode(digits).map_err(|_| format!("\"{text}\" is not hexadecimal behind hex:")),
        None if text.is_ascii() => Ok(text.as_bytes().to_vec()),
        None => Err(format!("\"{text}\" is not ASCII; write other bytes as hex:…")),
    }
}

/// What one side wrote, field by field: names and keys as they are written, data as bytes.
pub(super) type Values = Vec<(Field, Zeroizing<Vec<u8>>)>;

pub(super) fn value(values: &Values, field: Field) -> Option<&[u8]> {
    values.iter().find(|(known, _)| *known == field).map(|(_, bytes)| bytes.as_slice())
}

/// The body of a request. The problem is a length that its digits cannot say, or a field that is not there.
pub(super) fn write(parts: &[Part], sent: &Values) -> Result<Zeroizing<Vec<u8>>, &'static str> {
    let mut body = Zeroizing::new(Vec::new());
    for part in parts {
        match part {
            Part::Literal(bytes) => body.extend_from_slice(bytes),
            Part::Named(field) => body.extend_from_slice(value(sent, *field).ok_or(field.name())?),
            Part::Data { field, coding, digits } => {
                let written = coding.write(value(sent, *field).ok_or(field.name())?);
                if *digits > 0 {
                    let length = format!("{:0digits$}", written.len(), digits = *digits);
                    if length.len() > *digits {
                        return Err(field.name());
                    }
                    body.extend_from_slice(length.as_bytes());
                }
                body.extend_from_slice(&written);
            }
        }
    }
    Ok(body)
}

/// What an answer gives: a key as it is written, and data whose length is known or is not.
pub(super) struct Awaited<'a> {
    /// What stands in front of a key, and how many bytes it has.
    pub(super) key: Option<(&'a [u8], Coding, usize)>,
    pub(super) lengths: &'a [(Field, usize)],
}

/// Reads the body of an answer.
pub(super) fn read(parts: &[Part], body: &[u8], sent: &Values, awaited: &Awaited<'_>) -> Result<Values, String> {
    let mut rest = body;
    let mut given = Values::new();
    for part in parts {
        match part {
            Part::Literal(bytes) => same(&mut rest, bytes, "constant")?,
            Part::Named(field) => match (field, &awaited.key) {
                (Field::Key, Some((prefix, coding, length))) => {
                    same(&mut rest, prefix, "prefix of a key")?;
                    let written = take(&mut rest, length * coding.width(), "key")?;
                    let bytes = coding.read(written).ok_or("a key that is not hexadecimal")?;
                    given.push((Field::Key, bytes));
                }
                (field, _) => same(&mut rest, value(sent, *field).unwrap_or_default(), field.name())?,
            },
            Part::Data { field, coding, digits } => {
                let name = field.name();
                let known = awaited.lengths.iter().find(|(known, _)| known == field).map(|(_, length)| *length);
                let length = match (digits, known) {
                    (0, Some(bytes)) => bytes * coding.width(),
                    (0, None) => rest.len(),
                    (digits, _) => {
                        let written = take(&mut rest, *digits, "length")?;
                        let number =
                            std::str::from_utf8(written).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
                        number
                            .and_then(|text| text.parse().ok())
                            .ok_or_else(|| format!("a length of {name} that is no number"))?
                    }
                };
                let written = take(&mut rest, length, name)?;
                let bytes = coding.read(written).ok_or_else(|| format!("{name} that is not hexadecimal"))?;
                if known.is_some_and(|known| known != bytes.len()) {
                    return Err(format!("{name} of {} bytes", bytes.len()));
                }
                given.push((*field, bytes));
            }
        }
    }
    if rest.is_empty() { Ok(given) } else { Err(format!("{} bytes behind its last field", rest.len())) }
}

fn same(rest: &mut &[u8], expected: &[u8], what: &str) -> Result<(), String> {
    let found = take(rest, expected.len(), what)?;
    if found == expected { Ok(()) } else { Err(format!("another {what} than was asked for")) }
}

fn take<'a>(rest: &mut &'a [u8], length: usize, what: &str) -> Result<&'a [u8], String> {
    let (taken, left) = rest
        .split_at_checked(length)
        .ok_or_else(|| format!("{what} cut off: {} bytes where {length} should be", rest.len()))?;
    *rest = left;
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::{Awaited, Coding, Field, Part, Values, read, value, write};

    fn parts(texts: &[&str]) -> Vec<Part> {
        texts.iter().map(|text| Part::parse(text).expect("a piece")).collect()
    }

    #[test]
    fn a_request_is_its_fields_in_a_row() {
        let value = |field, bytes: &[u8]| (field, Zeroizing::new(bytes.to_vec()));
        let sent = vec![value(Field::Purpose, b"P"), value(Field::Message, b"abc"), value(Field::Mac, &[0xde, 0xad])];
        let layout = parts(&["=hex:00FF", "purpose", "message binary len4", "mac hex len2"]);
        assert_eq!(*write(&layout, &sent).expect("written"), b"\x00\xffP0003abc04DEAD");
        let short = parts(&["message binary len1", "mac hex len1"]);
        let long = vec![value(Field::Message, &[0; 10])];
        assert_eq!(write(&short, &long).expect_err("10 has two digits"), "message");
        assert_eq!(write(&short, &Values::new()).expect_err("there is none"), "message");
    }

    /// Cut anywhere, or longer, it is no answer; altered anywhere, it is one of the same form or none.
    #[test]
    fn an_answer_is_read_to_its_last_byte() {
        let layout = parts(&["=AB", "purpose", "key", "check hex", "text text len2"]);
        let sent = vec![(Field::Purpose, Zeroizing::new(b"P".to_vec()))];
        let awaited = Awaited { key: Some((b"U".as_slice(), Coding::Hex, 2)), lengths: &[(Field::Check, 3)] };
        let body = b"ABPU0102aabbcc05hello";
        let given = read(&layout, body, &sent, &awaited).expect("read");
        assert_eq!(value(&given, Field::Key), Some([1, 2].as_slice()));
        assert_eq!(value(&given, Field::Check), Some([0xaa, 0xbb, 0xcc].as_slice()));
        assert_eq!(value(&given, Field::Text), Some(b"hello".as_slice()));
        for end in 0..body.len() {
            assert!(read(&layout, &body[..end], &sent, &awaited).is_err(), "{end}");
        }
        assert!(read(&layout, &[body.as_slice(), b"!"].concat(), &sent, &awaited).is_err());
        for place in 0..body.len() {
            for byte in 0..=u8::MAX {
                let mut altered = body.to_vec();
                altered[place] = byte;
                if let Ok(given) = read(&layout, &altered, &sent, &awaited) {
                    let lengths: Vec<usize> = given.iter().map(|(_, bytes)| bytes.len()).collect();
                    assert_eq!(lengths, [2, 3, 5], "{place} {byte}");
                }
            }
        }
    }
}
