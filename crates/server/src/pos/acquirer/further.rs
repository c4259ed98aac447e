//! Further data of a message (field 59): elements, each a tag of two characters, three digits of length, and content.
//!
//! No text that we read settles them, so field and tags are the acquirer's profile's. What lies there is sensitive: a payer's
//! one-time code pays for whoever holds it.

use anyhow::{Context as _, Result, bail, ensure};
use ark::Secret;
use domain::card_fee::{CardScheme, CardType};
use iso8583::profile::Format;
use iso8583::{Message, Profile};
use serde::Deserialize;

use crate::pos::bin::{scheme_and_type, starts};

/// Characters of a tag, and of a length.
const TAG: usize = 2;
const LENGTH: usize = 3;

/// The file's part.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FurtherFile {
    field: u8,
    code: String,
    codes: Vec<CodeLine>,
    terminal: String,
    serial: String,
    serial_factor: String,
    serial_proof: String,
    serial_shown: Shown,
}

/// What is asked of a terminal's serial (TUSN) in messages that book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Shown {
    /// It may lack; what is shown must be the terminal's.
    MayLack,
    /// It must be there.
    Must,
    /// With its proof, under the terminal's key for it.
    Proved,
}

/// What a terminal says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShownSerial {
    pub(crate) serial: String,
    /// What was enciphered with it, so that a proof is not used twice.
    pub(crate) factor: String,
    pub(crate) proof: Option<Vec<u8>>,
}

/// Payers' codes that begin so.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CodeLine {
    begins: String,
    digits: usize,
    scheme: String,
    r#type: String,
}

/// What a payer's code begins with, its length, and whose it is.
type Code = (String, usize, CardScheme, CardType);

/// Where further data lie, and which codes pay.
#[derive(Debug)]
pub(crate) struct Further {
    field: u8,
    code: String,
    codes: Vec<Code>,
    terminal: [String; 4],
    pub(crate) serial_shown: Shown,
}

impl Further {
    pub(super) fn of(file: FurtherFile, messages: &Profile) -> Result<Self> {
        let holds = messages.field(file.field).is_some_and(|field| field.format == Format::B);
        ensure!(holds, "field is {}: name one of {} with format b", file.field, messages.name());
        ensure!(file.code.len() == TAG, "code is \"{}\": a tag has {TAG} characters", file.code);
        let terminal = [file.terminal, file.serial, file.serial_factor, file.serial_proof];
        if let Some(tag) = terminal.iter().find(|tag| tag.len() != TAG) {
            bail!("\"{tag}\" is no tag: it has {TAG} characters");
        }
        let mut codes = Vec::with_capacity(file.codes.len());
        for CodeLine { begins, digits, scheme, r#type } in file.codes {
            ensure!((16..=24).contains(&digits), "codes: {digits} digits; a payer's code has 16 to 24");
            let (scheme, kind) = scheme_and_type(&scheme, &r#type).context("codes")?;
            codes.push((starts(begins).context("codes")?, digits, scheme, kind));
        }
        codes.sort_by_key(|(begins, ..)| std::cmp::Reverse(begins.len()));
        Ok(Self { field: file.field, code: file.code, codes, terminal, serial_shown: file.serial_shown })
    }

    /// The payer's one-time code of a message.
    pub(crate) fn code(&self, message: &Message<'_, '_>) -> Option<Secret> {
        let content = element(message.bytes(self.field).ok()?, &self.code)?;
        std::str::from_utf8(content).ok().map(|code| Secret::new(code.to_owned()))
    }

    /// What a terminal says of itself; nothing of a message without.
    pub(crate) fn serial(&self, message: &Message<'_, '_>) -> Option<ShownSerial> {
        let [terminal, serial, factor, proof] = &self.terminal;
        let own = element(message.bytes(self.field).ok()?, terminal)?;
        let text = |tag| element(own, tag).and_then(|content| std::str::from_utf8(content).ok()).map(ToOwned::to_owned);
        let proof = element(own, proof).map(<[u8]>::to_vec);
        Some(ShownSerial { serial: text(serial)?, factor: text(factor).unwrap_or_default(), proof })
    }

    /// Whose a code is and by which card's fees it is booked; `None` of what is no code, or nobody's.
    pub(crate) fn whose(&self, code: &str) -> Option<(CardScheme, CardType)> {
        let is_code = code.bytes().all(|byte| byte.is_ascii_digit());
        let fits = |(begins, digits, ..): &&Code| code.len() == *digits && code.starts_with(begins.as_str());
        self.codes.iter().find(fits).filter(|_| is_code).map(|(_, _, scheme, kind)| (*scheme, *kind))
    }
}

/// The content of an element; `None` if it is not there, or what goes before it is no element.
pub(crate) fn element<'m>(mut bytes: &'m [u8], wanted: &str) -> Option<&'m [u8]> {
    while !bytes.is_empty() {
        let (tag, rest) = bytes.split_at_checked(TAG)?;
        let (length, rest) = rest.split_at_checked(LENGTH)?;
        let is_length = length.iter().all(u8::is_ascii_digit);
        let length = std::str::from_utf8(length).ok().filter(|_| is_length)?.parse().ok()?;
        let (content, rest) = rest.split_at_checked(length)?;
        if tag == wanted.as_bytes() {
            return Some(content);
        }
        bytes = rest;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_found_behind_others_and_what_is_none_ends_the_search() {
        let bytes = b"A2005abcdeA30026X04000";
        assert_eq!(element(bytes, "A3"), Some(&b"6X"[..]));
        assert_eq!(element(bytes, "04"), Some(&b""[..]));
        assert_eq!(element(bytes, "A4"), None);
        for cut in ["A3", "A300", "A3002", "A30026", "A3+02xx", "A2009A30026X"] {
            assert_eq!(element(cut.as_bytes(), "A3"), None, "{cut}");
        }
    }
}
