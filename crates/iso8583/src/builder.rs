//! A message that is being made: fields in any order, each checked when it is set.
//!
//! A builder keeps its memory: [`Builder::clear`] and it is ready for the next message.

use std::fmt;

use crate::error::{Error, Place, Problem};
use crate::message::{Message, allows, nibble, numbers};
use crate::profile::{Align, Class, Counts, Encoding, Field, Length, Profile};
use crate::value::{Digits, Value};
use crate::{LAST_FIELD, LONGEST};

/// Fields set so far.
pub struct Builder<'p> {
    profile: &'p Profile,
    mti: [u8; 4],
    /// Bit `n - 1` for field `n`.
    present: u128,
    /// Where each field lies in `buffer`, with its prefix.
    spans: [(u32, u32); LAST_FIELD as usize + 1],
    buffer: Vec<u8>,
}

impl<'p> Builder<'p> {
    /// A message without fields, of a type such as `*b"0200"`.
    ///
    /// # Errors
    /// [`Problem::Character`]: a message type is four digits.
    pub fn new(profile: &'p Profile, mti: [u8; 4]) -> Result<Self, Error> {
        let spans = [(0, 0); LAST_FIELD as usize + 1];
        let mut builder = Self { profile, mti, present: 0, spans, buffer: Vec::new() };
        builder.clear(mti)?;
        Ok(builder)
    }

    /// The same with all the fields of a message, which may be of another profile.
    ///
    /// # Errors
    /// As [`Self::set`]: this profile lays out a field so that it cannot hold what is there.
    pub fn from_message(profile: &'p Profile, message: &Message<'_, '_>) -> Result<Self, Error> {
        let mut builder = Self::new(profile, message.mti())?;
        for number in message.fields() {
            builder.set(number, message.value(number)?)?;
        }
        Ok(builder)
    }

    /// Begins anew and keeps the memory.
    ///
    /// # Errors
    /// [`Problem::Character`]: a message type is four digits.
    pub fn clear(&mut self, mti: [u8; 4]) -> Result<(), Error> {
        if let Some((position, &found)) = mti.iter().enumerate().find(|(_, digit)| !digit.is_ascii_digit()) {
            let problem = Problem::Character { position, found: Some(found), format: "n" };
            return Err(Error::building(Place::Mti, problem));
        }
        self.mti = mti;
        self.present = 0;
        self.buffer.clear();
        Ok(())
    }

    /// Takes a field out again; says whether it was there.
    pub fn remove(&mut self, number: u8) -> bool {
        let bit = number.checked_sub(1).and_then(|shift| 1_u128.checked_shl(u32::from(shift))).unwrap_or(0);
        let there = self.present & bit != 0;
        self.present &= !bit;
        there
    }

    /// Sets digits written as characters; `=` in track data is packed as `D`.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub fn digits(&mut self, number: u8, digits: &str) -> Result<&mut Self, Error> {
        self.set(number, Value::Digits(Digits::of(digits)))
    }

    /// Sets text; a fixed field that it does not fill gets blanks on the right.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub fn text(&mut self, number: u8, text: &str) -> Result<&mut Self, Error> {
        self.set(number, Value::Text(text.as_bytes()))
    }

    /// Sets bytes.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub fn bytes(&mut self, number: u8, bytes: &[u8]) -> Result<&mut Self, Error> {
        self.set(number, Value::Bytes(bytes))
    }

    /// Sets an amount in minor units, with the zeros in front that a fixed field needs.
    ///
    /// # Errors
    /// [`Problem::Number`]: it is negative, or has more digits than the field; else as [`Self::set`].
    pub fn amount(&mut self, number: u8, amount: i64) -> Result<&mut Self, Error> {
        let place = Place::Field(number);
        let field = self.profile.field(number).ok_or(Error::building(place, Problem::Undescribed))?;
        let mut rest = u64::try_from(amount).map_err(|_| Error::building(place, Problem::Number))?;
        // Twenty digits hold 64 bits; a longer fixed field has more zeros in front than any amount has digits.
        let mut digits = [b'0'; 32];
        let mut used = 0;
        for slot in digits.iter_mut().rev() {
            if rest == 0 && used > 0 {
                break;
            }
            *slot += u8::try_from(rest % 10).unwrap_or_default();
            rest /= 10;
            used += 1;
        }
        let size = usize::from(field.size);
        let count = if field.length == Length::Fixed { size } else { used };
        if used > size || count > digits.len() {
            return Err(Error::building(place, Problem::Number));
        }
        let written = digits.get(digits.len() - count..).unwrap_or_default();
        self.set(number, Value::Digits(Digits::characters(written)))
    }

    /// Sets what a field holds; what was set before is replaced.
    ///
    /// # Errors
    /// The profile does not describe the field, or its format, length or characters are others.
    pub fn set(&mut self, number: u8, value: Value<'_>) -> Result<&mut Self, Error> {
        let place = Place::Field(number);
        let profile = self.profile;
        let field = profile.field(number).ok_or(Error::building(place, Problem::Undescribed))?;
        let begin = self.buffer.len();
        let done = self.write(field, value).and_then(|()| {
            let end = u32::try_from(self.buffer.len()).map_err(|_| Problem::TooLarge { found: self.buffer.len() })?;
            Ok((u32::try_from(begin).unwrap_or(end), end))
        });
        match (done, self.spans.get_mut(usize::from(number))) {
            (Ok(span), Some(slot)) => {
                *slot = span;
                self.present |= 1_u128 << (number - 1);
                Ok(self)
            }
            (Ok(_), None) => Err(Error::building(place, Problem::Undescribed)),
            (Err(problem), _) => {
                self.buffer.truncate(begin);
                Err(Error::building(place, problem))
            }
        }
    }

    /// Appends the message to `out`.
    ///
    /// # Errors
    /// [`Problem::TooLarge`]: longer than any frame.
    pub fn encode_into(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        let begin = out.len();
        match self.profile.mti {
            Encoding::Bcd => pack(out, self.mti.len(), self.mti.into_iter(), false, 0),
            Encoding::Ascii | Encoding::Binary | Encoding::Hex => out.extend_from_slice(&self.mti),
        }
        let second = self.present >> 64 != 0 || self.profile.bitmap.always_second;
        let bits = (self.present | u128::from(second)).reverse_bits().to_be_bytes();
        let bits = bits.get(..if second { 16 } else { 8 }).unwrap_or_default();
        if self.profile.bitmap.encoding == Encoding::Hex {
            unpack(out, bits)
        } else {
            out.extend_from_slice(bits)
        }
        for number in numbers(self.present) {
            let (from, to) = self.spans.get(usize::from(number)).copied().unwrap_or_default();
            // An index of 32 bits fits every machine that this runs on; elsewhere the field would be empty.
            let range = usize::try_from(from).unwrap_or(0)..usize::try_from(to).unwrap_or(0);
            out.extend_from_slice(self.buffer.get(range).unwrap_or_default());
        }
        let found = out.len() - begin;
        if found > LONGEST {
            out.truncate(begin);
            return Err(Error::building(Place::Message, Problem::TooLarge { found }));
        }
        Ok(())
    }

    /// The message.
    ///
    /// # Errors
    /// As [`Self::encode_into`].
    pub fn encode(&self) -> Result<Vec<u8>, Error> {
        let mut out = Vec::with_capacity(self.buffer.len() + 36);
        self.encode_into(&mut out)?;
        Ok(out)
    }

    /// Prefix and content of one field.
    fn write(&mut self, field: &Field, value: Value<'_>) -> Result<(), Problem> {
        let kind = |asked| Problem::Kind { format: field.format.letters(), asked };
        match value {
            Value::Digits(digits) => {
                if !field.format.is_digits() {
                    return Err(kind("digits"));
                }
                self.write_digits(field, digits)
            }
            Value::Text(text) => {
                if field.encoding != Encoding::Ascii || field.format.is_digits() {
                    return Err(kind("text"));
                }
                check(field, text.iter().copied())?;
                let size = usize::from(field.size);
                let blanks = if field.length == Length::Fixed { size.saturating_sub(text.len()) } else { 0 };
                self.write_prefix(field, text.len() + blanks)?;
                self.buffer.extend_from_slice(text);
                self.buffer.resize(self.buffer.len() + blanks, b' ');
                Ok(())
            }
            Value::Bytes(bytes) => {
                let hex = match field.encoding {
                    Encoding::Binary => false,
                    Encoding::Hex => true,
                    Encoding::Bcd | Encoding::Ascii => return Err(kind("bytes")),
                };
                let twice = hex && field.counts == Counts::Digits;
                self.write_prefix(field, if twice { bytes.len() * 2 } else { bytes.len() })?;
                if hex {
                    unpack(&mut self.buffer, bytes)
                } else {
                    self.buffer.extend_from_slice(bytes)
                }
                Ok(())
            }
            Value::Hex(characters) => {
                if !characters.len().is_multiple_of(2) {
                    return Err(Problem::Odd { found: characters.len() });
                }
                if let Some(position) = characters.iter().position(|character| nibble(*character).is_none()) {
                    return Err(Problem::Character { position, found: None, format: "hexadecimal, upper case" });
                }
                let bytes: Vec<u8> = characters.chunks_exact(2).map(byte_of).collect();
                self.write(field, Value::Bytes(&bytes))
            }
        }
    }

    /// Characters, which most fields are set from, are read as a slice: that is twice as fast.
    fn write_digits(&mut self, field: &Field, digits: Digits<'_>) -> Result<(), Problem> {
        match digits.as_characters() {
            Some(characters) => self.write_each(field, characters.len(), characters.iter().copied()),
            None => self.write_each(field, digits.len(), digits.iter()),
        }
    }

    fn write_each(
        &mut self,
        field: &Field,
        count: usize,
        digits: impl Iterator<Item = u8> + Clone,
    ) -> Result<(), Problem> {
        check(field, digits.clone())?;
        let halved = field.encoding == Encoding::Bcd && field.counts == Counts::Bytes;
        if halved && !count.is_multiple_of(2) {
            return Err(Problem::Odd { found: count });
        }
        self.write_prefix(field, if halved { count / 2 } else { count })?;
        match field.encoding {
            Encoding::Bcd => pack(&mut self.buffer, count, digits, field.align == Align::Right, field.pad.nibble()),
            Encoding::Ascii | Encoding::Binary | Encoding::Hex => self.buffer.extend(digits),
        }
        Ok(())
    }

    /// Checks the length, in what the field counts, and writes the prefix that it has.
    fn write_prefix(&mut self, field: &Field, units: usize) -> Result<(), Problem> {
        let size = usize::from(field.size);
        match field.length {
            Length::Fixed if units != size => return Err(Problem::NotFixed { found: units, size }),
            Length::Ll | Length::Lll if units > size => return Err(Problem::TooLong { found: units, most: size }),
            Length::Fixed | Length::Ll | Length::Lll => {}
        }
        // At most 999, so each is one digit.
        let digit = |scale: usize| u8::try_from(units / scale % 10).unwrap_or_default();
        let all = [digit(100), digit(10), digit(1)].map(|digit| b'0' + digit);
        let digits = all.get(3 - field.length.digits()..).unwrap_or_default();
        match field.prefix {
            Encoding::Bcd => pack(&mut self.buffer, digits.len(), digits.iter().copied(), true, 0),
            Encoding::Ascii | Encoding::Binary | Encoding::Hex => self.buffer.extend_from_slice(digits),
        }
        Ok(())
    }
}

/// Shows which fields are set, not what they hold.
impl fmt::Debug for Builder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.mti))?;
        f.debug_list().entries(numbers(self.present)).finish()
    }
}

/// Every character is one that the format has.
fn check(field: &Field, characters: impl Iterator<Item = u8>) -> Result<(), Problem> {
    match characters.enumerate().find(|(_, character)| !allows(field.format, *character)) {
        Some((position, found)) => {
            let found = (field.class == Class::C1).then_some(found);
            Err(Problem::Character { position, found, format: field.format.letters() })
        }
        None => Ok(()),
    }
}

/// Two digits a byte; an odd number is filled up by `pad`, in front where `right`.
fn pack(out: &mut Vec<u8>, count: usize, digits: impl Iterator<Item = u8>, right: bool, pad: u8) {
    out.reserve(count.div_ceil(2));
    let odd = !count.is_multiple_of(2);
    let mut high = (odd && right).then_some(pad);
    for digit in digits {
        // `=` is the only character without a half byte of its own that a format has.
        let low = nibble(digit).unwrap_or(0x0D);
        match high.take() {
            Some(high) => out.push(high << 4 | low),
            None => high = Some(low),
        }
    }
    out.extend(high.map(|high| high << 4 | pad));
}

/// Two hexadecimal characters a byte.
fn unpack(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend(Digits::packed(bytes, 0, bytes.len() * 2).iter());
}

fn byte_of(pair: &[u8]) -> u8 {
    pair.iter().fold(0, |byte, &digit| byte << 4 | nibble(digit).unwrap_or_default())
}
