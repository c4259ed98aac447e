//! What an acquirer's terminals prove and hide their messages with.

use anyhow::{Context as _, Result, ensure};
use ark::financial::{TerminalCipher, TerminalMac, TrackForm};
use iso8583::Profile;
use iso8583::profile::Format;
use serde::Deserialize;

/// Where the check value of a MAC key of 8 bytes lies among the work keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CheckAt {
    /// Behind the zeros that fill it up.
    End,
    /// Right behind the key.
    Key,
}

/// The file's part.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SecurityFile {
    mac: String,
    mac_field: u8,
    mac_key: String,
    mac_check_at: CheckAt,
    check_bytes: usize,
    work_keys: Vec<WorkKeysLine>,
    serial_field: u8,
    serial_begins: String,
    track: String,
    pin_block_sm4: u16,
}

/// Which work keys the answer to a sign-in brings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct WorkKeysLine {
    network_code: String,
    track: bool,
}

/// How terminals prove and hide.
#[derive(Debug)]
pub(crate) struct Security {
    /// How MACs are made.
    pub(crate) mac: TerminalMac,
    /// The last field, which holds it.
    pub(crate) mac_field: u8,
    /// The MAC key under a master key of triple DES.
    pub(crate) mac_key: TerminalCipher,
    pub(crate) mac_check_at: CheckAt,
    /// How much of a check value is sent.
    pub(crate) check_bytes: usize,
    /// How an encrypted track lies in its field.
    pub(crate) track: TrackForm,
    /// The field of a sign-in with the terminal's serial.
    pub(crate) serial_field: u8,
    serial_begins: String,
    work_keys: Vec<WorkKeysLine>,
}

impl Security {
    /// Reads it; gives besides how messages of SM4 terminals are laid out, whose PIN blocks are longer.
    pub(super) fn of(file: SecurityFile, messages: &Profile) -> Result<(Self, Profile)> {
        let named = |setting: &str, text: &str, names: String| format!("{setting}: \"{text}\" is none of {names}");
        let mac = TerminalMac::ALL
            .into_iter()
            .find(|form| form.name() == file.mac)
            .with_context(|| named("mac", &file.mac, TerminalMac::ALL.map(TerminalMac::name).join(", ")))?;
        let ciphers = [TerminalCipher::Des, TerminalCipher::TripleDes2];
        let mac_key = ciphers
            .into_iter()
            .find(|cipher| cipher.name() == file.mac_key)
            .with_context(|| named("mac_key", &file.mac_key, ciphers.map(TerminalCipher::name).join(", ")))?;
        let track = TrackForm::ALL
            .into_iter()
            .find(|form| form.name() == file.track)
            .with_context(|| named("track", &file.track, TrackForm::ALL.map(TrackForm::name).join(", ")))?;
        ensure!(
            matches!(file.check_bytes, 4 | 8),
            "check_bytes is {}: send the first 4 or 8 bytes of a check value",
            file.check_bytes
        );
        let last = messages.bitmap().bits;
        let holds_mac =
            messages.field(file.mac_field).is_some_and(|field| (field.format, field.size) == (Format::B, 8));
        ensure!(
            file.mac_field == last && holds_mac,
            "mac_field is {}: a MAC is the last field of its bitmap ({last}), 8 bytes of format b",
            file.mac_field
        );
        for line in &file.work_keys {
            let right = line.network_code.len() == 3 && line.network_code.bytes().all(|byte| byte.is_ascii_digit());
            ensure!(right, "work_keys: \"{}\" is no network code of three digits", line.network_code);
        }
        let sm4 = messages.resized(52, file.pin_block_sm4).context("pin_block_sm4")?;
        let security = Self {
            mac,
            mac_field: file.mac_field,
            mac_key,
            mac_check_at: file.mac_check_at,
            check_bytes: file.check_bytes,
            track,
            serial_field: file.serial_field,
            serial_begins: file.serial_begins,
            work_keys: file.work_keys,
        };
        Ok((security, sm4))
    }

    /// Whether a sign-in of this network code brings a key for tracks; `None` if it brings keys that nobody makes here.
    pub(crate) fn brings_track_key(&self, network_code: &str) -> Option<bool> {
        self.work_keys.iter().find(|line| line.network_code == network_code).map(|line| line.track)
    }

    /// The terminal's serial: behind some words, after two digits of length.
    pub(crate) fn serial<'m>(&self, field: &'m [u8]) -> Option<&'m str> {
        let rest = field.strip_prefix(self.serial_begins.as_bytes())?;
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let length: usize = std::str::from_utf8(length).ok()?.parse().ok()?;
        std::str::from_utf8(rest.get(..length)?).ok().filter(|serial| !serial.is_empty())
    }
}
