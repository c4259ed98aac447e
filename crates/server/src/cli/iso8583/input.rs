//! Bytes as people have them: an argument, a file or standard input, in hexadecimal, base64 or as they are.

use std::io::{IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use clap::ValueEnum;

/// How bytes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// Two hexadecimal digits a byte; blanks, line breaks and colons between them do not count.
    Hex,
    Base64,
    /// As they are.
    Binary,
}

/// Reads the argument, else the file, else standard input.
///
/// # Errors
/// A file that does not read, nothing to read, or bytes in another form.
pub(super) fn bytes(argument: Option<&str>, file: Option<&Path>, form: Option<Form>) -> Result<Vec<u8>> {
    let given = match (argument.filter(|argument| *argument != "-"), file) {
        (Some(argument), None) => argument.as_bytes().to_vec(),
        (None, Some(path)) => std::fs::read(path).with_context(|| format!("reading {}", path.display()))?,
        (None, None) => standard_input()?,
        (Some(_), Some(_)) => bail!("give the message as an argument or with --in FILE, not both"),
    };
    let bytes = match form {
        None => guessed(given),
        Some(Form::Binary) => given,
        Some(Form::Hex) => {
            from_hex(&given).context("the message is not hexadecimal: an even number of digits 0 to F")?
        }
        Some(Form::Base64) => from_base64(&given).context("the message is not base64")?,
    };
    if bytes.is_empty() {
        bail!("there are no bytes to read: give a message as an argument, with --in FILE or on standard input");
    }
    Ok(bytes)
}

/// Text that is given as a file, or on standard input.
///
/// # Errors
/// It does not read, or is not UTF-8.
pub(super) fn text(file: Option<&PathBuf>) -> Result<String> {
    let bytes = match file.filter(|path| path.as_os_str() != "-") {
        Some(path) => std::fs::read(path).with_context(|| format!("reading {}", path.display()))?,
        None => standard_input()?,
    };
    String::from_utf8(bytes).ok().context("the JSON is not UTF-8 text")
}

fn standard_input() -> Result<Vec<u8>> {
    let mut input = std::io::stdin().lock();
    if input.is_terminal() {
        super::super::tell("reading standard input; end with Ctrl-D");
    }
    let mut bytes = Vec::new();
    input.read_to_end(&mut bytes).context("reading standard input")?;
    Ok(bytes)
}

/// Text that can be hexadecimal is; then a message in ASCII; then base64; else bytes as they are.
fn guessed(given: Vec<u8>) -> Vec<u8> {
    if let Some(bytes) = from_hex(&given) {
        return bytes;
    }
    let ascii = is_ascii_message(&given);
    if let Some(bytes) = from_base64(&given).filter(|_| !ascii) {
        return bytes;
    }
    given
}

/// Whether bytes begin as a message whose type is four ASCII digits and whose bitmap is hexadecimal.
pub(super) fn is_ascii_message(bytes: &[u8]) -> bool {
    let hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'A'..=b'F');
    bytes.get(..4).is_some_and(|mti| mti.iter().all(u8::is_ascii_digit) && mti[0] == b'0')
        && bytes.get(4..20).is_some_and(|bitmap| bitmap.iter().all(hex))
}

fn from_hex(given: &[u8]) -> Option<Vec<u8>> {
    let digits: Vec<u8> = given.iter().copied().filter(|byte| !byte.is_ascii_whitespace() && *byte != b':').collect();
    hex::decode(digits).ok()
}

fn from_base64(given: &[u8]) -> Option<Vec<u8>> {
    let text: Vec<u8> = given.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    BASE64_STANDARD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_hexadecimal_is_and_a_message_in_ascii_is_no_base64() {
        assert_eq!(guessed(b"08 00\n20:20".to_vec()), [8, 0, 0x20, 0x20]);
        assert_eq!(guessed(b"CAAgIA==\n".to_vec()), [8, 0, 0x20, 0x20]);
        // Twenty-four letters and digits could be base64 too.
        let ascii = b"02000000000002000000T1T1".to_vec();
        assert_eq!(guessed(ascii.clone()), ascii);
        assert_eq!(guessed(vec![2, 0, 0xFF]), [2, 0, 0xFF]);
    }
}
