//! A message that was read: ranges into the caller's bytes, checked once.
//!
//! Decoding allocates nothing. Everything the profile says is checked before a [`Message`] exists: lengths, digits,
//! padding, that nothing follows. What the platform has no use for stays in it and goes out again as it came.

use std::fmt;
use std::ops::Range;

use crate::error::{Error, Place, Problem};
use crate::profile::{Align, Class, Counts, Encoding, Field, Format, Profile};
use crate::value::{Digits, Value};
use crate::{LAST_FIELD, LONGEST};

/// One field's place. Offsets fit: a message has at most [`LONGEST`] bytes.
#[derive(Clone, Copy, Default)]
struct Span {
    /// With its length prefix.
    begin: u16,
    /// Without it.
    start: u16,
    end: u16,
    /// What the prefix or the profile says, in what the field counts.
    units: u16,
}

/// A decoded message, borrowing profile and bytes.
#[derive(Clone)]
pub struct Message<'p, 'b> {
    profile: &'p Profile,
    bytes: &'b [u8],
    mti: [u8; 4],
    /// Bit `n - 1` for field `n`.
    present: u128,
    spans: [Span; LAST_FIELD as usize + 1],
}

impl<'p, 'b> Message<'p, 'b> {
    /// Reads a message that begins with its type and ends with its last field.
    ///
    /// # Errors
    /// [`Error`]: the first place that contradicts the profile. No bytes make it panic.
    pub fn decode(profile: &'p Profile, bytes: &'b [u8]) -> Result<Self, Error> {
        let (mut message, cursor) = Self::begin(profile, bytes)?;
        message.read(cursor)?;
        Ok(message)
    }

    /// As [`Self::decode`], but keeps what lies before the first thing that is wrong, for who answers the sender or shows
    /// what came; with what is wrong, if something is.
    ///
    /// # Errors
    /// [`Error`]: not even the message type can be read.
    pub fn decode_until_wrong(profile: &'p Profile, bytes: &'b [u8]) -> Result<(Self, Option<Error>), Error> {
        let (mut message, cursor) = Self::begin(profile, bytes)?;
        let wrong = message.read(cursor).err();
        Ok((message, wrong))
    }

    /// The type; the message has no field yet.
    fn begin(profile: &'p Profile, bytes: &'b [u8]) -> Result<(Self, Cursor<'b>), Error> {
        if bytes.len() > LONGEST {
            return Err(Error::at(Place::Message, LONGEST, Problem::TooLarge { found: bytes.len() }));
        }
        let mut cursor = Cursor { bytes, at: 0 };
        let mti = read_mti(profile, &mut cursor)?;
        let spans = [Span::default(); LAST_FIELD as usize + 1];
        Ok((Self { profile, bytes, mti, present: 0, spans }, cursor))
    }

    /// Reads bitmaps and fields; what lies before an error is in the message then.
    fn read(&mut self, mut cursor: Cursor<'b>) -> Result<(), Error> {
        let present = read_bitmaps(self.profile, &mut cursor)?;
        for number in numbers(present) {
            let place = Place::Field(number);
            let read = match self.profile.field(number) {
                Some(field) => read_field(place, field, &mut cursor),
                None => Err(Error::at(place, cursor.at, Problem::Undescribed)),
            };
            match (read, self.spans.get_mut(usize::from(number))) {
                (Ok(span), Some(slot)) => *slot = span,
                (Ok(_), None) => return Err(Error::at(place, cursor.at, Problem::Undescribed)),
                (Err(error), _) => {
                    self.present = present & ((1 << (number - 1)) - 1);
                    return Err(error);
                }
            }
        }
        self.present = present;
        match self.bytes.len() - cursor.at {
            0 => Ok(()),
            surplus => Err(Error::at(Place::Message, cursor.at, Problem::Surplus { surplus })),
        }
    }

    /// The message type, four digits, such as `*b"0200"`.
    #[must_use]
    pub fn mti(&self) -> [u8; 4] {
        self.mti
    }

    /// The profile that it was read by.
    #[must_use]
    pub fn profile(&self) -> &'p Profile {
        self.profile
    }

    /// Whether the message has this field.
    #[must_use]
    pub fn has(&self, number: u8) -> bool {
        self.span(number).is_some()
    }

    /// The numbers of its fields, ascending.
    pub fn fields(&self) -> impl Iterator<Item = u8> + use<> {
        numbers(self.present)
    }

    /// The bytes from the message type up to this field, which a MAC in it covers.
    #[must_use]
    pub fn before(&self, number: u8) -> Option<&'b [u8]> {
        self.bytes.get(..usize::from(self.span(number)?.begin))
    }

    /// The bytes that a field takes, with its length prefix, counted from the message type.
    #[must_use]
    pub fn place(&self, number: u8) -> Option<Range<usize>> {
        self.span(number).map(|span| usize::from(span.begin)..usize::from(span.end))
    }

    /// What lies in one of the profile's parts of a field, counted from 0; the field may end within it.
    ///
    /// # Errors
    /// [`Problem::Absent`]: no such field, the profile gives it no such part, or it ends before it.
    pub fn part(&self, number: u8, index: usize) -> Result<Value<'b>, Error> {
        let (field, ..) = self.find(number)?;
        let absent = self.problem(number, Problem::Absent);
        let start = field.parts.iter().take(index).map(|part| usize::from(part.size)).sum::<usize>();
        let size = usize::from(field.parts.get(index).ok_or(absent)?.size);
        let part = match self.value(number)? {
            Value::Digits(digits) => digits.part(start, size).map(Value::Digits),
            Value::Text(text) => {
                let rest = text.get(start..).filter(|rest| !rest.is_empty());
                rest.map(|rest| Value::Text(rest.get(..size).unwrap_or(rest)))
            }
            Value::Bytes(_) | Value::Hex(_) => None,
        };
        part.ok_or(absent)
    }

    /// What a field holds.
    ///
    /// # Errors
    /// [`Problem::Absent`].
    pub fn value(&self, number: u8) -> Result<Value<'b>, Error> {
        let (field, span, raw) = self.find(number)?;
        let units = usize::from(span.units);
        Ok(match (field.format, field.encoding) {
            (Format::N | Format::Z, Encoding::Bcd) => {
                let count = if field.counts == Counts::Digits { units } else { units * 2 };
                let skip = usize::from(count % 2 == 1 && field.align == Align::Right);
                Value::Digits(Digits::packed(raw, skip, count))
            }
            (Format::N | Format::Z, _) => Value::Digits(Digits::characters(raw)),
            (Format::An | Format::Ans, _) => Value::Text(raw),
            (Format::B, Encoding::Hex) => Value::Hex(raw),
            (Format::B, _) => Value::Bytes(raw),
        })
    }

    /// The digits of a field of format `n` or `z`.
    ///
    /// # Errors
    /// [`Problem::Absent`] or [`Problem::Kind`].
    pub fn digits(&self, number: u8) -> Result<Digits<'b>, Error> {
        match self.value(number)? {
            Value::Digits(digits) => Ok(digits),
            Value::Text(_) | Value::Bytes(_) | Value::Hex(_) => Err(self.kind(number, "digits")),
        }
    }

    /// The text of a field of format `an` or `ans`.
    ///
    /// # Errors
    /// [`Problem::Absent`], [`Problem::Kind`], or [`Problem::Text`]: it is in GBK.
    pub fn text(&self, number: u8) -> Result<&'b str, Error> {
        match self.value(number)? {
            Value::Text(text) => str::from_utf8(text).map_err(|_| self.problem(number, Problem::Text)),
            Value::Digits(_) | Value::Bytes(_) | Value::Hex(_) => Err(self.kind(number, "text")),
        }
    }

    /// The bytes of a field in binary, or those of a text.
    ///
    /// # Errors
    /// [`Problem::Absent`], or [`Problem::Kind`]: digits, or bytes that lie there in hexadecimal, for which there is
    /// [`Self::copy_bytes`].
    pub fn bytes(&self, number: u8) -> Result<&'b [u8], Error> {
        match self.value(number)? {
            Value::Bytes(bytes) | Value::Text(bytes) => Ok(bytes),
            Value::Digits(_) | Value::Hex(_) => Err(self.kind(number, "borrowed bytes")),
        }
    }

    /// Copies the bytes of a field of format `b`, from binary or hexadecimal, to the beginning of `out`.
    ///
    /// # Errors
    /// [`Problem::Absent`], [`Problem::Kind`], or [`Problem::TooLong`]: `out` is too short.
    pub fn copy_bytes<'o>(&self, number: u8, out: &'o mut [u8]) -> Result<&'o [u8], Error> {
        let (raw, hex) = match self.value(number)? {
            Value::Bytes(raw) => (raw, false),
            Value::Hex(raw) => (raw, true),
            Value::Digits(_) | Value::Text(_) => return Err(self.kind(number, "bytes")),
        };
        let (found, most) = (if hex { raw.len() / 2 } else { raw.len() }, out.len());
        let Some(out) = out.get_mut(..found) else {
            return Err(self.problem(number, Problem::TooLong { found, most }));
        };
        if hex {
            for (byte, pair) in out.iter_mut().zip(raw.chunks_exact(2)) {
                *byte = pair.iter().fold(0, |byte, &digit| byte << 4 | nibble(digit).unwrap_or_default());
            }
        } else {
            out.copy_from_slice(raw);
        }
        Ok(out)
    }

    /// A field of format `n` as an amount in minor units.
    ///
    /// # Errors
    /// [`Problem::Absent`], [`Problem::Kind`], or [`Problem::Number`]: more than 64 bits with a sign hold.
    pub fn amount(&self, number: u8) -> Result<i64, Error> {
        let amount = self.digits(number)?.to_u64().and_then(|amount| i64::try_from(amount).ok());
        amount.ok_or_else(|| self.problem(number, Problem::Number))
    }

    fn span(&self, number: u8) -> Option<Span> {
        let bit = 1_u128.checked_shl(u32::from(number.checked_sub(1)?))?;
        (number != 1 && self.present & bit != 0).then(|| self.spans.get(usize::from(number)).copied())?
    }

    fn find(&self, number: u8) -> Result<(&'p Field, Span, &'b [u8]), Error> {
        let found = self.span(number).and_then(|span| {
            let raw = self.bytes.get(usize::from(span.start)..usize::from(span.end))?;
            Some((self.profile.field(number)?, span, raw))
        });
        found.ok_or(Error { place: Place::Field(number), offset: None, problem: Problem::Absent })
    }

    fn problem(&self, number: u8, problem: Problem) -> Error {
        let offset = self.span(number).map(|span| usize::from(span.start));
        Error { place: Place::Field(number), offset, problem }
    }

    fn kind(&self, number: u8, asked: &'static str) -> Error {
        let format = self.profile.field(number).map_or("", |field| field.format.letters());
        self.problem(number, Problem::Kind { format, asked })
    }
}

/// Type and fields; C3 hidden, card numbers as 6 + 4 digits, bytes in hexadecimal.
impl fmt::Debug for Message<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {{", String::from_utf8_lossy(&self.mti))?;
        for number in self.fields() {
            let Ok((field, ..)) = self.find(number) else { continue };
            write!(f, " {number}: ")?;
            match (field.class, self.value(number).map_err(|_| fmt::Error)?) {
                (Class::C3, value) => write!(f, "{value:?}")?,
                (Class::C2, Value::Digits(digits)) => masked(f, digits.len(), digits.iter())?,
                (Class::C2, Value::Text(text)) => masked(f, text.len(), text.iter().copied())?,
                (Class::C2, value @ (Value::Bytes(_) | Value::Hex(_))) => write!(f, "{value:?}")?,
                (Class::C1, Value::Digits(digits)) => {
                    digits.iter().try_for_each(|digit| write!(f, "{}", char::from(digit)))?;
                }
                (Class::C1, Value::Text(text)) => write!(f, "{:?}", String::from_utf8_lossy(text))?,
                (Class::C1, Value::Hex(text)) => write!(f, "{}", String::from_utf8_lossy(text))?,
                (Class::C1, Value::Bytes(bytes)) => bytes.iter().try_for_each(|byte| write!(f, "{byte:02X}"))?,
            }
            write!(f, ",")?;
        }
        f.write_str(" }")
    }
}

/// The first 6 and the last 4; nothing of what is too short to hide the rest.
fn masked(f: &mut fmt::Formatter<'_>, count: usize, mut all: impl Iterator<Item = u8>) -> fmt::Result {
    (0..count).zip(&mut all).try_for_each(|(index, digit)| {
        let shown = count > 12 && (index < 6 || index + 4 >= count);
        write!(f, "{}", if shown { char::from(digit) } else { '*' })
    })
}

/// Whether a format has this character.
pub(crate) fn allows(format: Format, character: u8) -> bool {
    match format {
        Format::N => character.is_ascii_digit(),
        Format::Z => character == b'=' || nibble(character).is_some(),
        Format::An => character == b' ' || character.is_ascii_alphanumeric(),
        Format::Ans => matches!(character, 0x20..=0x7E | 0x80..),
        Format::B => true,
    }
}

/// The half byte that a character writes: digits and upper-case letters to F.
pub(crate) fn nibble(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'A'..=b'F' => Some(character - b'A' + 10),
        _ => None,
    }
}

/// Field numbers of a set, ascending, without the bit of the second bitmap.
pub(crate) fn numbers(present: u128) -> impl Iterator<Item = u8> {
    let mut rest = present & !1;
    std::iter::from_fn(move || {
        let bit = u8::try_from(rest.trailing_zeros()).ok().filter(|bit| *bit < LAST_FIELD)?;
        rest &= rest - 1;
        Some(bit + 1)
    })
}

/// The bytes and how far they were read.
struct Cursor<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Cursor<'b> {
    fn take(&mut self, place: Place, needed: usize) -> Result<&'b [u8], Error> {
        let left = self.bytes.len() - self.at;
        let Some(taken) = self.bytes.get(self.at..).and_then(|rest| rest.get(..needed)) else {
            return Err(Error::at(place, self.at, Problem::Truncated { needed, left }));
        };
        self.at += needed;
        Ok(taken)
    }
}

fn read_mti(profile: &Profile, cursor: &mut Cursor<'_>) -> Result<[u8; 4], Error> {
    let packed = profile.mti == Encoding::Bcd;
    let raw = cursor.take(Place::Mti, if packed { 2 } else { 4 })?;
    let digits = if packed { Digits::packed(raw, 0, 4) } else { Digits::characters(raw) };
    let mut mti = [0; 4];
    for (position, (slot, digit)) in mti.iter_mut().zip(digits.iter()).enumerate() {
        if !digit.is_ascii_digit() {
            let offset = if packed { position / 2 } else { position };
            let problem = Problem::Character { position, found: Some(digit), format: "n" };
            return Err(Error::at(Place::Mti, offset, problem));
        }
        *slot = digit;
    }
    Ok(mti)
}

fn read_bitmaps(profile: &Profile, cursor: &mut Cursor<'_>) -> Result<u128, Error> {
    let begin = cursor.at;
    let first = read_bitmap(profile, cursor)?;
    let mut present = u128::from(first);
    if first & 1 != 0 {
        if profile.bitmap.bits == 64 {
            return Err(Error::at(Place::Bitmap, begin, Problem::SecondBitmap));
        }
        present |= u128::from(read_bitmap(profile, cursor)?) << 64;
    }
    Ok(present)
}

/// Sixty-four bits, the first field's lowest.
fn read_bitmap(profile: &Profile, cursor: &mut Cursor<'_>) -> Result<u64, Error> {
    let hex = profile.bitmap.encoding == Encoding::Hex;
    let begin = cursor.at;
    let raw = cursor.take(Place::Bitmap, if hex { 16 } else { 8 })?;
    let mut bits = 0_u64;
    for (position, &byte) in raw.iter().enumerate() {
        let (digit, width) = if hex { (nibble(byte), 4) } else { (Some(byte), 8) };
        let Some(digit) = digit else {
            let problem = Problem::Character { position, found: Some(byte), format: "hexadecimal, upper case" };
            return Err(Error::at(Place::Bitmap, begin + position, problem));
        };
        bits = bits << width | u64::from(digit);
    }
    Ok(bits.reverse_bits())
}

fn read_field(place: Place, field: &Field, cursor: &mut Cursor<'_>) -> Result<Span, Error> {
    let begin = cursor.at;
    let size = usize::from(field.size);
    let units = if field.prefix_wire() == 0 { size } else { read_prefix(place, field, cursor)? };
    if units > size {
        return Err(Error::at(place, begin, Problem::TooLong { found: units, most: size }));
    }
    if field.encoding == Encoding::Hex && field.counts == Counts::Digits && !units.is_multiple_of(2) {
        return Err(Error::at(place, begin, Problem::Odd { found: units }));
    }
    let start = cursor.at;
    let raw = cursor.take(place, field.wire(units))?;
    match field.encoding {
        Encoding::Bcd => check_packed(place, field, units, start, raw)?,
        Encoding::Ascii | Encoding::Hex => check_characters(place, field, start, raw)?,
        Encoding::Binary => {}
    }
    // All are at most the length of the message, which was bounded before.
    let fits = |at: usize| u16::try_from(at).unwrap_or(u16::MAX);
    Ok(Span { begin: fits(begin), start: fits(start), end: fits(cursor.at), units: fits(units) })
}

fn read_prefix(place: Place, field: &Field, cursor: &mut Cursor<'_>) -> Result<usize, Error> {
    let begin = cursor.at;
    let raw = cursor.take(place, field.prefix_wire())?;
    let mut units = 0_usize;
    for (position, &found) in raw.iter().enumerate() {
        let (digits, scale) = match field.prefix {
            Encoding::Bcd => (
                (found & 0x0F <= 9 && found >> 4 <= 9)
                    .then(|| usize::from(found >> 4) * 10 + usize::from(found & 0x0F)),
                100,
            ),
            Encoding::Ascii | Encoding::Binary | Encoding::Hex => {
                (found.is_ascii_digit().then(|| usize::from(found - b'0')), 10)
            }
        };
        let Some(digits) = digits else {
            return Err(Error::at(place, begin + position, Problem::PrefixDigit { found }));
        };
        units = units * scale + digits;
    }
    Ok(units)
}

/// Digits of format `n` are 0 to 9, and the half byte beside an odd number is the profile's.
fn check_packed(place: Place, field: &Field, units: usize, start: usize, raw: &[u8]) -> Result<(), Error> {
    let odd = field.counts == Counts::Digits && !units.is_multiple_of(2);
    let skip = usize::from(odd && field.align == Align::Right);
    if odd {
        let (index, shift) = if skip == 1 { (0, 4) } else { (raw.len().saturating_sub(1), 0) };
        let found = raw.get(index).map_or(0, |byte| byte >> shift & 0x0F);
        let expected = field.pad.nibble();
        if found != expected {
            return Err(Error::at(place, start + index, Problem::Padding { found, expected }));
        }
    }
    if field.format == Format::Z || raw.iter().all(|byte| byte & 0x0F <= 9 && byte >> 4 <= 9) {
        return Ok(());
    }
    let count = if field.counts == Counts::Digits { units } else { units * 2 };
    let digits = Digits::packed(raw, skip, count);
    match digits.iter().enumerate().find(|(_, digit)| !digit.is_ascii_digit()) {
        Some((position, found)) => Err(character(place, field, start + (position + skip) / 2, position, found)),
        None => Ok(()),
    }
}

fn check_characters(place: Place, field: &Field, start: usize, raw: &[u8]) -> Result<(), Error> {
    let hex = field.encoding == Encoding::Hex;
    let right = |byte: u8| if hex { nibble(byte).is_some() } else { allows(field.format, byte) };
    match raw.iter().enumerate().find(|(_, byte)| !right(**byte)) {
        Some((position, &found)) => Err(character(place, field, start + position, position, found)),
        None => Ok(()),
    }
}

fn character(place: Place, field: &Field, offset: usize, position: usize, found: u8) -> Error {
    let found = (field.class == Class::C1).then_some(found);
    Error::at(place, offset, Problem::Character { position, found, format: field.format.letters() })
}
