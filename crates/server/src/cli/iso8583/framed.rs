//! What goes before a message: recognised by how it begins, or what the caller says.
//!
//! ```text
//!  begins with                                  is
//!  4 ASCII digits, 2E 02 · 2E 02                a frame of the link to a card network, with or without its length
//!  2 bytes that say how many follow, 60 · 60    a terminal's frame, with or without its length
//!  anything else                                a message alone
//! ```

use anyhow::{Result, anyhow, bail};
use channels::host_link;
use clap::ValueEnum;
use serde_json::{Value, json};

use super::input::is_ascii_message;
use crate::pos::envelope::{Envelope, TPDU_ID};

/// What goes before a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    /// Nothing.
    Message,
    /// Length of 2 bytes, TPDU, header of 6 bytes.
    Terminal,
    /// Length of 4 digits, header of 46 bytes.
    HostLink,
}

/// Bytes, with where the message begins in them.
#[derive(Debug)]
pub(super) struct Framed {
    /// As shown; `null` for a message alone.
    pub(super) shown: Value,
    pub(super) at: usize,
    /// Which of the built-in profiles such messages have.
    pub(super) profile: &'static str,
}

/// Takes apart what goes before the message.
///
/// # Errors
/// What is said, or what it begins as, is broken: place and remedy.
pub(super) fn read(bytes: &[u8], said: Option<Kind>) -> Result<Framed> {
    match said.unwrap_or_else(|| recognised(bytes)) {
        Kind::Message => Ok(Framed { shown: Value::Null, at: 0, profile: profile_of(bytes) }),
        Kind::Terminal => terminal(bytes),
        Kind::HostLink => network(bytes),
    }
}

fn recognised(bytes: &[u8]) -> Kind {
    let digits = bytes.first_chunk::<4>().is_some_and(|length| length.iter().all(u8::is_ascii_digit));
    let behind = if digits { bytes.get(host_link::LENGTH..) } else { None };
    if bytes.starts_with(&host_link::BEGIN) || behind.is_some_and(|rest| rest.starts_with(&host_link::BEGIN)) {
        return Kind::HostLink;
    }
    // A message type begins with 0: neither it nor two bytes of length can be taken for a TPDU.
    match bytes {
        [TPDU_ID, ..] | [_, _, TPDU_ID, _, _, _, _, 0x60..=0x69 | b'L', ..] => Kind::Terminal,
        _ => Kind::Message,
    }
}

/// The profile of a message alone: ASCII digits with a bitmap in hexadecimal, in binary, or packed digits.
fn profile_of(message: &[u8]) -> &'static str {
    if is_ascii_message(message) {
        "ascii_1987"
    } else if message.first_chunk::<4>().is_some_and(|mti| mti.iter().all(u8::is_ascii_digit)) {
        "host_link"
    } else {
        "pos_terminal"
    }
}

fn terminal(bytes: &[u8]) -> Result<Framed> {
    let (length, frame) = match bytes {
        [TPDU_ID, ..] => (None, bytes),
        [high, low, frame @ ..] => (Some(usize::from(u16::from_be_bytes([*high, *low]))), frame),
        _ => bail!("byte 0: {} bytes are no terminal's frame: length, TPDU, header, message", bytes.len()),
    };
    if let Some(length) = length.filter(|length| *length != frame.len()) {
        bail!(
            "byte 0: the frame's length says {length}, {} bytes follow; give one whole frame, or --frame message for what \
             has none",
            frame.len()
        );
    }
    let prefix = bytes.len() - frame.len();
    let read = Envelope::read(frame).map_err(|error| anyhow!("{}", error.moved(prefix)))?;
    let header = read.header;
    let shown = json!({
        "kind": "terminal",
        "length": length,
        "tpdu": format!("{:?}", read.tpdu),
        "lri": read.lri.map(hex::encode_upper),
        "header": format!("{header:?}"),
        "application_class": format!("{:02X}", header.class()),
        "version": format!("{:02X}", header.version()),
        "terminal_state": header.state(),
        "processing_request": header.request(),
        "sub_version": hex::encode_upper(header.sub_version()),
    });
    Ok(Framed { shown, at: prefix + read.message_at(), profile: "pos_terminal" })
}

fn network(bytes: &[u8]) -> Result<Framed> {
    let prefix = if bytes.starts_with(&host_link::BEGIN) { 0 } else { host_link::LENGTH };
    let frame = bytes.get(prefix..).unwrap_or_default();
    let length = match bytes.first_chunk::<4>() {
        Some(digits) if prefix > 0 && digits.iter().all(u8::is_ascii_digit) => Some(host_link::number(digits)),
        Some(_) | None if prefix > 0 => bail!("byte 0: a frame of the host link begins with 4 ASCII digits of length"),
        Some(_) | None => None,
    };
    let (header, total) =
        host_link::Header::read(frame).map_err(|error| anyhow!("host-link header, behind byte {prefix}: {error}"))?;
    for (what, said) in [("frame's length", length), ("header's total length", Some(total))] {
        if let Some(said) = said.filter(|said| *said != frame.len()) {
            bail!("the {what} says {said}, {} bytes follow byte {prefix}; give one whole frame", frame.len());
        }
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    let shown = json!({
        "kind": "host_link",
        "length": length,
        "destination": text(&header.destination),
        "source": text(&header.source),
        "reserved": hex::encode_upper(header.reserved),
        "batch": header.batch,
        "transaction": text(&header.transaction),
        "user": header.user,
        "reject_code": text(&header.reject),
    });
    Ok(Framed { shown, at: prefix + host_link::HEADER, profile: "host_link" })
}
