//! A profile: how one acquirer's or network's messages are laid out, read from TOML.
//!
//! Sizes count digits for `n` and `z`, and bytes for all else, unless the field says `counts = "bytes"`. A field that
//! says nothing of encoding, prefix, alignment or padding takes the profile's `[defaults]`. A profile that was read is
//! consistent: every combination that the codec could not carry out is refused here, with field and remedy.

use std::collections::BTreeMap;

use serde::Deserialize;
use thiserror::Error;

use crate::LAST_FIELD;

/// The dialect of point-of-sale terminals: packed digits, binary bitmap of 64 bits.
pub const POS_TERMINAL: &str = include_str!("../profiles/pos_terminal.toml");
/// The link to a card network: ASCII digits, binary bitmaps, 128 fields.
pub const HOST_LINK: &str = include_str!("../profiles/host_link.toml");
/// Plain ASCII ISO 8583:1987 with bitmaps and binary fields in hexadecimal.
pub const ASCII_1987: &str = include_str!("../profiles/ascii_1987.toml");

/// A profile cannot be used; the message says what to change.
#[derive(Debug, Error)]
pub enum ProfileError {
    /// No TOML, or a key or word that there is not; the text of the parser names line and choice.
    #[error("the profile cannot be read: {0}")]
    Toml(#[from] toml::de::Error),
    /// A field contradicts itself.
    #[error("profile `{profile}`, field {field}: {found}; {remedy}")]
    Field {
        /// The profile's `name`.
        profile: String,
        /// The key under `[fields]`, as written.
        field: String,
        /// What is wrong.
        found: String,
        /// What to write instead.
        remedy: &'static str,
    },
}

/// What a field may hold, in the standard's letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Digits 0 to 9.
    N,
    /// Track data: digits and the codes above 9; in ASCII `=` or `D` and the letters of encrypted digits.
    Z,
    /// Letters, digits and blanks.
    An,
    /// Printable ASCII, and bytes from 0x80 for text in GBK, which this crate does not decode.
    Ans,
    /// Bytes.
    B,
}

impl Format {
    /// The standard's letters: `n`, `z`, `an`, `ans`, `b`.
    #[must_use]
    pub fn letters(self) -> &'static str {
        match self {
            Self::N => "n",
            Self::Z => "z",
            Self::An => "an",
            Self::Ans => "ans",
            Self::B => "b",
        }
    }

    /// Whether sizes count digits.
    pub(crate) fn is_digits(self) -> bool {
        matches!(self, Self::N | Self::Z)
    }
}

/// How content lies in the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// Two digits a byte.
    Bcd,
    /// A character a byte.
    Ascii,
    /// As it is.
    Binary,
    /// Two upper-case hexadecimal characters for each byte.
    Hex,
}

/// How long a field is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum Length {
    /// Always `size`.
    #[default]
    #[serde(rename = "fixed")]
    Fixed,
    /// Two digits of length go before it.
    #[serde(rename = "LL")]
    Ll,
    /// Three digits of length go before it.
    #[serde(rename = "LLL")]
    Lll,
}

impl Length {
    /// Digits of the prefix.
    pub(crate) fn digits(self) -> usize {
        match self {
            Self::Fixed => 0,
            Self::Ll => 2,
            Self::Lll => 3,
        }
    }
}

/// What sizes and length prefixes count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Counts {
    /// Digits; of a field in hexadecimal its characters.
    Digits,
    /// Bytes; of a field in hexadecimal the bytes that are meant.
    Bytes,
}

/// On which side of the packed bytes an odd number of digits lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Align {
    /// The padding comes last: `123` is `1230`.
    #[default]
    Left,
    /// The padding comes first: `123` is `0123`.
    Right,
}

/// The half byte that fills an odd number of packed digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum Pad {
    /// `0`
    #[default]
    #[serde(rename = "0")]
    Zero,
    /// `F`
    #[serde(rename = "F")]
    Fifteen,
}

impl Pad {
    pub(crate) fn nibble(self) -> u8 {
        match self {
            Self::Zero => 0x0,
            Self::Fifteen => 0xF,
        }
    }
}

/// How sensitive the content is, after JR/T 0171; the later, the more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize)]
pub enum Class {
    /// Shown.
    #[default]
    #[serde(rename = "C1")]
    C1,
    /// A card or account number: shown as its first 6 and last 4 digits.
    #[serde(rename = "C2")]
    C2,
    /// Track, PIN, expiry, chip data, keys: never shown.
    #[serde(rename = "C3")]
    C3,
}

impl Class {
    /// What a field has by the standard at least, so that a profile that forgets to say so shows no track and no PIN.
    #[must_use]
    pub fn least(number: u8) -> Self {
        match number {
            2 | 34 => Self::C2,
            14 | 35 | 36 | 45 | 52 | 55 => Self::C3,
            _ => Self::C1,
        }
    }
}

/// A run of characters within a field that has a meaning of its own, such as the batch number in field 60.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// What people call it.
    pub name: String,
    /// How many characters or digits.
    pub size: u16,
}

/// One field's layout, consistent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// What people call it.
    pub name: String,
    /// What it may hold.
    pub format: Format,
    /// How that lies in the message.
    pub encoding: Encoding,
    /// Fixed, or with a prefix.
    pub length: Length,
    /// How the digits of the prefix lie in the message: BCD or ASCII.
    pub prefix: Encoding,
    /// The size, or the largest, in what `counts` counts.
    pub size: u16,
    /// What `size` and the prefix count.
    pub counts: Counts,
    /// Where an odd number of packed digits lies.
    pub align: Align,
    /// What fills it up.
    pub pad: Pad,
    /// How sensitive it is.
    pub class: Class,
    /// What it is made of, in order; a field may end before its last parts. Empty: it is one thing.
    pub parts: Vec<Part>,
}

impl Field {
    /// Bytes in the message that `units` (digits or bytes, as `counts` says) take.
    pub(crate) fn wire(&self, units: usize) -> usize {
        match (self.encoding, self.counts) {
            (Encoding::Bcd, Counts::Digits) => units.div_ceil(2),
            (Encoding::Hex, Counts::Bytes) => units * 2,
            (Encoding::Bcd, Counts::Bytes) | (Encoding::Hex, Counts::Digits) => units,
            (Encoding::Ascii | Encoding::Binary, _) => units,
        }
    }

    /// Bytes in the message of the length prefix.
    pub(crate) fn prefix_wire(&self) -> usize {
        if self.prefix == Encoding::Bcd { self.length.digits().div_ceil(2) } else { self.length.digits() }
    }
}

/// The bitmap's layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bitmap {
    /// 64, or 128: then a second half follows where bit 1 is set.
    pub bits: u8,
    /// Binary or hexadecimal.
    pub encoding: Encoding,
    /// Whether the second half is sent although no field above 64 is there.
    #[serde(default)]
    pub always_second: bool,
}

/// The layout of all messages on one kind of link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    pub(crate) name: String,
    pub(crate) mti: Encoding,
    pub(crate) bitmap: Bitmap,
    /// By number; 0 and 1 are always `None`.
    pub(crate) fields: Vec<Option<Field>>,
}

impl Profile {
    /// Reads a profile.
    ///
    /// # Errors
    /// [`ProfileError`]: it is no TOML, has an unknown key or word, or a field contradicts itself.
    pub fn parse(text: &str) -> Result<Self, ProfileError> {
        let file: File = toml::from_str(text)?;
        let wrong = |field: &str, found: String, remedy| {
            Err(ProfileError::Field { profile: file.name.clone(), field: field.to_owned(), found, remedy })
        };
        if !matches!(file.mti, Encoding::Bcd | Encoding::Ascii) {
            return wrong("mti", format!("{:?}", file.mti), "write mti = \"bcd\" or \"ascii\"");
        }
        if !matches!(file.bitmap.bits, 64 | 128) {
            return wrong("bitmap", format!("{} bits", file.bitmap.bits), "write bits = 64 or bits = 128");
        }
        if !matches!(file.bitmap.encoding, Encoding::Binary | Encoding::Hex) {
            return wrong("bitmap", format!("{:?}", file.bitmap.encoding), "write encoding = \"binary\" or \"hex\"");
        }
        if file.bitmap.always_second && file.bitmap.bits == 64 {
            return wrong("bitmap", "always_second with 64 bits".to_owned(), "write bits = 128, or drop always_second");
        }
        let mut fields = vec![None; usize::from(LAST_FIELD) + 1];
        for (key, entry) in &file.fields {
            let number = key.parse::<u8>().ok().filter(|number| (2..=file.bitmap.bits).contains(number));
            let slot = number.and_then(|number| fields.get_mut(usize::from(number)));
            let Some(slot) = slot.filter(|slot| slot.is_none()) else {
                return wrong(
                    key,
                    "no such field, or twice".to_owned(),
                    "number each once, from 2 to the bitmap's bits",
                );
            };
            let least = number.map_or(Class::C1, Class::least);
            match entry.resolve(&file.defaults) {
                Ok(field) if field.class < least => {
                    let remedy = "it holds a card number, track, expiry, PIN or chip data: write class = \"C3\" (of 2 and 34: \"C2\")";
                    return wrong(key, format!("class {:?}", field.class), remedy);
                }
                Ok(field) => *slot = Some(field),
                Err((found, remedy)) => return wrong(key, found, remedy),
            }
        }
        Ok(Self { name: file.name, mti: file.mti, bitmap: file.bitmap, fields })
    }

    /// The same with another size of one field, where systems differ in nothing else.
    ///
    /// # Errors
    /// A field that the profile does not have, or a size of 0.
    pub fn resized(&self, number: u8, size: u16) -> Result<Self, ProfileError> {
        let wrong = |found: String, remedy| {
            Err(ProfileError::Field { profile: self.name.clone(), field: number.to_string(), found, remedy })
        };
        let mut resized = self.clone();
        match resized.fields.get_mut(usize::from(number)).and_then(Option::as_mut) {
            Some(field) if size > 0 => field.size = size,
            Some(_) => return wrong(format!("size {size}"), "a field has at least 1"),
            None => return wrong("no such field".to_owned(), "describe it in the profile"),
        }
        Ok(resized)
    }

    /// What the profile calls itself.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The bitmap's layout.
    #[must_use]
    pub fn bitmap(&self) -> Bitmap {
        self.bitmap
    }

    /// A field's layout, if the profile has that field.
    #[must_use]
    pub fn field(&self, number: u8) -> Option<&Field> {
        self.fields.get(usize::from(number))?.as_ref()
    }

    /// Every field of the profile with its number, ascending.
    pub fn fields(&self) -> impl Iterator<Item = (u8, &Field)> {
        (0..=LAST_FIELD).zip(&self.fields).filter_map(|(number, field)| Some((number, field.as_ref()?)))
    }
}

/// The file as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    mti: Encoding,
    bitmap: Bitmap,
    defaults: Defaults,
    fields: BTreeMap<String, Entry>,
}

/// What fields take that say nothing.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Defaults {
    digits: Encoding,
    bytes: Encoding,
    prefix: Encoding,
    #[serde(default)]
    align: Align,
    #[serde(default)]
    pad: Pad,
}

/// One field as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    format: Format,
    size: u16,
    #[serde(default)]
    length: Length,
    encoding: Option<Encoding>,
    prefix: Option<Encoding>,
    counts: Option<Counts>,
    align: Option<Align>,
    pad: Option<Pad>,
    #[serde(default)]
    class: Class,
    #[serde(default)]
    parts: Vec<Part>,
}

impl Entry {
    /// The field with the defaults in it, or what is wrong and its remedy.
    fn resolve(&self, defaults: &Defaults) -> Result<Field, (String, &'static str)> {
        let (usual, counted) = match self.format {
            Format::N | Format::Z => (defaults.digits, Counts::Digits),
            Format::An | Format::Ans => (Encoding::Ascii, Counts::Bytes),
            Format::B => (defaults.bytes, Counts::Bytes),
        };
        let field = Field {
            name: self.name.clone(),
            format: self.format,
            encoding: self.encoding.unwrap_or(usual),
            length: self.length,
            prefix: self.prefix.unwrap_or(defaults.prefix),
            size: self.size,
            counts: self.counts.unwrap_or(counted),
            align: self.align.unwrap_or(defaults.align),
            pad: self.pad.unwrap_or(defaults.pad),
            class: self.class,
            parts: self.parts.clone(),
        };
        let fits = match field.format {
            Format::N | Format::Z => matches!(field.encoding, Encoding::Bcd | Encoding::Ascii),
            Format::An | Format::Ans => field.encoding == Encoding::Ascii,
            Format::B => matches!(field.encoding, Encoding::Binary | Encoding::Hex),
        };
        let most = match field.length {
            Length::Fixed => 9_999,
            Length::Ll => 99,
            Length::Lll => 999,
        };
        if !fits {
            let found = format!("format {:?} in encoding {:?}", field.format, field.encoding);
            return Err((found, "digits are bcd or ascii, text is ascii, bytes are binary or hex"));
        }
        if !matches!(field.prefix, Encoding::Bcd | Encoding::Ascii) {
            return Err((format!("a length prefix in {:?}", field.prefix), "write prefix = \"bcd\" or \"ascii\""));
        }
        if field.size == 0 || field.size > most {
            let remedy = "fixed fields have 1 to 9999, LL 1 to 99, LLL 1 to 999";
            return Err((format!("size {}", field.size), remedy));
        }
        let hex = field.encoding == Encoding::Hex && field.counts == Counts::Digits;
        if hex && !field.size.is_multiple_of(2) {
            return Err((format!("{} hexadecimal digits", field.size), "a byte has two: write an even size"));
        }
        let sum = field.parts.iter().map(|part| usize::from(part.size)).sum::<usize>();
        if sum > usize::from(field.size) || field.parts.iter().any(|part| part.size == 0) {
            let remedy = "each part has a size, and together at most the field's";
            return Err((format!("parts of {sum} together in a field of {}", field.size), remedy));
        }
        if field.format == Format::B && !field.parts.is_empty() {
            return Err(("parts of format b".to_owned(), "only digits and text have parts"));
        }
        Ok(field)
    }
}
