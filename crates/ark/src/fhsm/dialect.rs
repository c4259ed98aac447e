//! The profile file of a vendor: frames, names, and where each command's fields lie. Everything that differs between
//! modules stands in it, so that a new one needs no code.
//!
//! Invariants: a dialect that was read can write every request and read every answer of the commands it has; a command it
//! has not is refused by name, and so is a purpose, cipher or form without a name.

use std::{collections::BTreeMap, fs, path::Path};

use serde::Deserialize;
use zeroize::Zeroizing;

use super::layout::{Coding, Field, Part, literal_bytes};
use crate::{
    device::DeviceError,
    financial::{Purpose, TerminalCipher, TerminalMac, Track, TrackForm},
};

/// What can be asked of a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    Probe,
    Generate,
    Form,
    Import,
    Export,
    CheckValue,
    Mac,
    CheckMac,
    TranslatePin,
    EncryptTrack,
    TranslateTrack,
    Derive,
}

/// A command's fields: what its request must have, may have, and what its answer gives.
struct Shape {
    must: &'static [Field],
    may: &'static [Field],
    gives: &'static [Field],
}

impl Command {
    pub(super) const ALL: [Self; 12] = [
        Self::Probe,
        Self::Generate,
        Self::Form,
        Self::Import,
        Self::Export,
        Self::CheckValue,
        Self::Mac,
        Self::CheckMac,
        Self::TranslatePin,
        Self::EncryptTrack,
        Self::TranslateTrack,
        Self::Derive,
    ];

    /// Its name in a profile file and in messages.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Probe => "probe",
            Self::Generate => "generate",
            Self::Form => "form",
            Self::Import => "import",
            Self::Export => "export",
            Self::CheckValue => "check_value",
            Self::Mac => "mac",
            Self::CheckMac => "check_mac",
            Self::TranslatePin => "translate_pin",
            Self::EncryptTrack => "encrypt_track",
            Self::TranslateTrack => "translate_track",
            Self::Derive => "derive",
        }
    }

    /// A module that makes a key is told its purpose: one that is not cannot keep keys of two purposes apart.
    const fn shape(self) -> Shape {
        use Field as F;
        let (must, may, gives): (&[F], &[F], &[F]) = match self {
            Self::Probe => (&[], &[], &[]),
            Self::Generate => (&[F::Purpose, F::Cipher], &[], &[F::Key, F::Check]),
            Self::Form => (&[F::Purpose, F::Components], &[F::Cipher, F::Count], &[F::Key, F::Check]),
            Self::Import => (&[F::Purpose, F::Under, F::Encrypted], &[F::Cipher, F::Check], &[F::Key, F::Check]),
            Self::Export => (&[F::Key, F::Under], &[F::Purpose, F::Cipher], &[F::Encrypted]),
            Self::CheckValue => (&[F::Key], &[F::Purpose, F::Cipher], &[F::Check]),
            Self::Mac => (&[F::Key, F::MacForm, F::Message], &[F::Purpose, F::Cipher], &[F::Mac]),
            Self::CheckMac => (&[F::Key, F::MacForm, F::Message, F::Mac], &[F::Purpose, F::Cipher], &[]),
            Self::TranslatePin => {
                (&[F::Key, F::To, F::Block, F::Card], &[F::CardTo, F::Purpose, F::Cipher], &[F::Block])
            }
            Self::EncryptTrack => (&[F::Key, F::TrackForm, F::Text], &[F::Track, F::Purpose, F::Cipher], &[F::Text]),
            Self::TranslateTrack => (
                &[F::Key, F::To, F::TrackForm, F::TrackFormTo, F::Text],
                &[F::Track, F::Purpose, F::Cipher],
                &[F::Card, F::Text],
            ),
            Self::Derive => (&[F::Purpose, F::Key, F::Factor], &[F::Cipher], &[F::Key, F::Check]),
        };
        Shape { must, may, gives }
    }
}

/// How one command is written.
#[derive(Debug)]
pub(super) struct Verb {
    pub(super) code: Vec<u8>,
    pub(super) answer: Vec<u8>,
    pub(super) request: Vec<Part>,
    pub(super) response: Vec<Part>,
}

/// What a status other than "done" means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Meaning {
    /// A key, PIN block or track that does not open.
    Decryption,
    /// A MAC that is another.
    Tag,
    /// A key by index that is not there.
    NoKey,
    /// No room for this request now.
    Busy,
    /// The module itself is not fit: another one may do it.
    Lost,
    /// A command that is not there or not allowed.
    Unsupported,
}

/// How keys of one cipher are written.
#[derive(Debug)]
pub(super) struct CipherNames {
    pub(super) name: Vec<u8>,
    /// In front of a key under the module's master.
    pub(super) prefix: Vec<u8>,
    /// Of a key under the module's master.
    pub(super) bytes: usize,
}

type Names = BTreeMap<String, Vec<u8>>;

/// A vendor's profile.
#[derive(Debug)]
pub struct Dialect {
    pub(super) name: String,
    pub(super) length_bytes: usize,
    pub(super) max_bytes: usize,
    pub(super) ok: Vec<u8>,
    pub(super) check_bytes: usize,
    pub(super) key_coding: Coding,
    header: Vec<u8>,
    sequence_digits: usize,
    index_prefix: Vec<u8>,
    index_digits: usize,
    purposes: Names,
    ciphers: BTreeMap<String, CipherNames>,
    macs: Names,
    tracks: Names,
    track_forms: Names,
    statuses: BTreeMap<Vec<u8>, Meaning>,
    verbs: BTreeMap<String, Verb>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    frame: WrittenFrame,
    key: WrittenKey,
    #[serde(default)]
    purpose: BTreeMap<String, String>,
    #[serde(default)]
    cipher: BTreeMap<String, WrittenCipher>,
    #[serde(default)]
    mac_form: BTreeMap<String, String>,
    #[serde(default)]
    track: BTreeMap<String, String>,
    #[serde(default)]
    track_form: BTreeMap<String, String>,
    #[serde(default)]
    status: BTreeMap<String, Meaning>,
    command: BTreeMap<String, WrittenVerb>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenFrame {
    length_bytes: usize,
    #[serde(default)]
    sequence_digits: usize,
    #[serde(default)]
    header: String,
    ok: String,
    max_bytes: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenKey {
    coding: String,
    #[serde(default)]
    index_prefix: String,
    #[serde(default)]
    index_digits: usize,
    check_bytes: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenCipher {
    name: String,
    #[serde(default)]
    prefix: String,
    bytes: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenVerb {
    code: String,
    #[serde(default)]
    answer: String,
    #[serde(default)]
    request: Vec<String>,
    #[serde(default)]
    response: Vec<String>,
}

fn wrong(what: impl Into<String>, needed: &'static str) -> DeviceError {
    DeviceError::Configuration { what: what.into(), needed }
}

const SEE: &str = "see \"Financial modules\" in docs/ark.md for every setting of a profile file";

fn bytes_of(what: &str, text: &str) -> Result<Vec<u8>, DeviceError> {
    literal_bytes(text).map_err(|problem| wrong(format!("{what}: {problem}"), SEE))
}

fn names(what: &str, known: &[&str], written: BTreeMap<String, String>) -> Result<Names, DeviceError> {
    let mut names = Names::new();
    for (name, text) in written {
        if !known.contains(&name.as_str()) {
            return Err(wrong(format!("[{what}] {name}: there are {}", known.join(", ")), SEE));
        }
        let bytes = bytes_of(&format!("[{what}] {name}"), &text)?;
        if let Some((other, _)) = names.iter().find(|(_, taken)| **taken == bytes) {
            return Err(wrong(
                format!("[{what}] {name} and {other} are both \"{text}\""),
                "each has a name of its own",
            ));
        }
        names.insert(name, bytes);
    }
    Ok(names)
}

impl Dialect {
    /// Reads a profile file.
    ///
    /// # Errors
    /// [`DeviceError::Configuration`] that names the setting, its value and what would be right.
    pub fn from_toml(text: &str) -> Result<Self, DeviceError> {
        let written: Written =
            toml::from_str(text).map_err(|error| wrong(error.to_string().trim_end().to_owned(), SEE))?;
        let frame = &written.frame;
        frame.check()?;
        let key = &written.key;
        if !(8..=16).contains(&key.check_bytes) {
            let needed = "a check value of 8 to 16 bytes; its first 8 are used";
            return Err(wrong(format!("check_bytes = {}", key.check_bytes), needed));
        }
        let key_coding = Coding::named(&key.coding)
            .ok_or_else(|| wrong(format!("[key] coding = \"{}\"", key.coding), "hex or binary"))?;
        let mut ciphers = BTreeMap::new();
        for (name, cipher) in written.cipher {
            ciphers.insert(name.clone(), cipher.read(&name)?);
        }
        let mut verbs = BTreeMap::new();
        for (name, verb) in written.command {
            let command = Command::ALL.into_iter().find(|command| command.name() == name);
            let known = || Command::ALL.map(Command::name).join(", ");
            let command = command.ok_or_else(|| wrong(format!("[command.{name}]: there are {}", known()), SEE))?;
            verbs.insert(name, verb.read(command)?);
        }
        let mut statuses = BTreeMap::new();
        let ok = bytes_of("ok", &frame.ok)?;
        for (text, meaning) in written.status {
            let status = bytes_of("[status]", &text)?;
            if status.len() != ok.len() || status == ok {
                let needed = "statuses are as long as `ok`, and none is it";
                return Err(wrong(format!("[status] \"{text}\""), needed));
            }
            statuses.insert(status, meaning);
        }
        Ok(Self {
            name: written.name,
            length_bytes: frame.length_bytes,
            max_bytes: frame.max_bytes,
            ok,
            check_bytes: key.check_bytes,
            key_coding,
            header: bytes_of("header", &frame.header)?,
            sequence_digits: frame.sequence_digits,
            index_prefix: bytes_of("index_prefix", &key.index_prefix)?,
            index_digits: key.index_digits,
            purposes: names("purpose", &["master", "pin", "mac", "data", "derive"], written.purpose)?,
            ciphers,
            macs: names("mac_form", &["ecb", "cbc", "x9.19", "cmac"], written.mac_form)?,
            tracks: names("track", &["2", "3"], written.track)?,
            track_forms: names("track_form", &["whole", "tail"], written.track_form)?,
            statuses,
            verbs,
        })
    }

    /// Reads the profile file at `path`.
    ///
    /// # Errors
    /// As [`Dialect::from_toml`], and for a file that cannot be read.
    pub fn read(path: &Path) -> Result<Self, DeviceError> {
        let text = fs::read_to_string(path).map_err(|error| {
            wrong(format!("dialect {}: {error}", path.display()), "the profile file of the module's vendor")
        })?;
        Self::from_toml(&text).map_err(|error| {
            if let DeviceError::Configuration { what, needed } = error {
                wrong(format!("{}: {what}", path.display()), needed)
            } else {
                error
            }
        })
    }

    /// A sequence number, if there is one, and the text that never changes.
    pub(super) fn header(&self, sequence: u64) -> Vec<u8> {
        let digits = format!("{sequence:016X}");
        [&digits.as_bytes()[16 - self.sequence_digits..], &self.header].concat()
    }

    pub(super) fn frame(&self, parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let length = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
        let mut frame = Zeroizing::new(length[4 - self.length_bytes..].to_vec());
        parts.iter().for_each(|part| frame.extend_from_slice(part));
        frame
    }

    pub(super) fn verb(&self, command: Command) -> Result<&Verb, DeviceError> {
        let reason = || format!("its profile \"{}\" has no [command.{}]", self.name, command.name());
        self.verbs.get(command.name()).ok_or_else(|| self.lacks("do this", reason()))
    }

    pub(super) fn meaning(&self, status: &[u8]) -> Option<Meaning> {
        self.statuses.get(status).copied()
    }

    /// The error of a status other than "done" and those that say something of a ciphertext.
    pub(super) fn status(&self, device: &str, operation: &'static str, status: &[u8]) -> DeviceError {
        let device = device.to_owned();
        let shown = if status.iter().all(u8::is_ascii_graphic) {
            format!("\"{}\"", String::from_utf8_lossy(status))
        } else {
            format!("hex:{}", hex::encode_upper(status))
        };
        match self.meaning(status) {
            Some(Meaning::NoKey) => {
                DeviceError::NoKey { device, what: format!("key that {operation} asked for (status {shown})") }
            }
            Some(Meaning::Busy) => DeviceError::Full { device, status: shown },
            Some(Meaning::Lost) => DeviceError::Lost { device, operation, status: shown },
            Some(Meaning::Unsupported) => {
                let reason = format!("it answers status {shown}");
                DeviceError::Unsupported { device, operation, reason }
            }
            Some(Meaning::Decryption | Meaning::Tag) | None => {
                DeviceError::Refused { device, operation, status: format!("status {shown}") }
            }
        }
    }

    pub(super) fn purpose(&self, purpose: Purpose) -> Result<&[u8], DeviceError> {
        let name = match purpose {
            Purpose::Master => "master",
            Purpose::Pin => "pin",
            Purpose::Mac => "mac",
            Purpose::Data => "data",
            Purpose::Derive => "derive",
        };
        self.named("purpose", &self.purposes, name)
    }

    pub(super) fn cipher(&self, cipher: TerminalCipher) -> Result<&CipherNames, DeviceError> {
        let name = cipher_name(cipher);
        let reason = || format!("its profile \"{}\" has no [cipher.{name}]", self.name);
        self.ciphers.get(name).ok_or_else(|| self.lacks("use a key of this cipher", reason()))
    }

    pub(super) fn mac_form(&self, form: TerminalMac) -> Result<&[u8], DeviceError> {
        let name = match form {
            TerminalMac::Ecb => "ecb",
            TerminalMac::Cbc => "cbc",
            TerminalMac::X919 => "x9.19",
            TerminalMac::Cmac => "cmac",
        };
        self.named("mac_form", &self.macs, name)
    }

    pub(super) fn track(&self, track: Track) -> Result<&[u8], DeviceError> {
        let name = match track {
            Track::Two => "2",
            Track::Three => "3",
        };
        self.named("track", &self.tracks, name)
    }

    pub(super) fn track_form(&self, form: TrackForm) -> Result<&[u8], DeviceError> {
        let name = match form {
            TrackForm::Whole => "whole",
            TrackForm::Tail => "tail",
        };
        self.named("track_form", &self.track_forms, name)
    }

    /// A key that the module keeps by index, as it is written in a request.
    pub(super) fn index(&self, index: u32) -> Result<Vec<u8>, DeviceError> {
        let digits = format!("{index:0width$}", width = self.index_digits);
        if self.index_digits == 0 || digits.len() > self.index_digits {
            let needed =
                "[key] index_digits of the profile file says how many digits an index has, 0 that there is none";
            return Err(wrong(format!("key index {index}"), needed));
        }
        Ok([self.index_prefix.as_slice(), digits.as_bytes()].concat())
    }

    fn named<'a>(&self, what: &str, names: &'a Names, name: &str) -> Result<&'a [u8], DeviceError> {
        let reason = || format!("its profile \"{}\" has no name for {name} in [{what}]", self.name);
        names.get(name).map(Vec::as_slice).ok_or_else(|| self.lacks("do this", reason()))
    }

    pub(super) fn lacks(&self, operation: &'static str, reason: String) -> DeviceError {
        DeviceError::Unsupported { device: format!("of GM/T 0045 ({})", self.name), operation, reason }
    }
}

const fn cipher_name(cipher: TerminalCipher) -> &'static str {
    match cipher {
        TerminalCipher::Des => "des",
        TerminalCipher::TripleDes2 => "3des-2",
        TerminalCipher::Sm4 => "sm4",
    }
}

impl WrittenFrame {
    fn check(&self) -> Result<(), DeviceError> {
        if ![2, 4].contains(&self.length_bytes) {
            return Err(wrong(format!("length_bytes = {}", self.length_bytes), "2 or 4 bytes, the highest first"));
        }
        if !(64..=1 << 20).contains(&self.max_bytes) || (self.length_bytes == 2 && self.max_bytes > 0xffff) {
            let needed = "64 to 1,048,576 bytes, and no more than the length can say (65,535 for 2 bytes)";
            return Err(wrong(format!("max_bytes = {}", self.max_bytes), needed));
        }
        if self.sequence_digits > 16 {
            let needed = "0 (none) to 16 hexadecimal digits";
            return Err(wrong(format!("sequence_digits = {}", self.sequence_digits), needed));
        }
        Ok(())
    }
}

impl WrittenCipher {
    fn read(self, name: &str) -> Result<CipherNames, DeviceError> {
        let known = [TerminalCipher::Des, TerminalCipher::TripleDes2, TerminalCipher::Sm4];
        let cipher = known.into_iter().find(|cipher| cipher_name(*cipher) == name);
        let cipher = cipher
            .ok_or_else(|| wrong(format!("[cipher.{name}]: there are {}", known.map(cipher_name).join(", ")), SEE))?;
        if !(cipher.key_length()..=256).contains(&self.bytes) {
            let needed = "a key under the module's master is as long as the key or longer, 256 bytes at most";
            return Err(wrong(format!("[cipher.{name}] bytes = {}", self.bytes), needed));
        }
        let prefix = bytes_of("prefix", &self.prefix)?;
        Ok(CipherNames { name: bytes_of("name", &self.name)?, prefix, bytes: self.bytes })
    }
}

impl WrittenVerb {
    fn read(self, command: Command) -> Result<Verb, DeviceError> {
        let name = command.name();
        let layout = |side: &str, parts: &[String]| -> Result<Vec<Part>, DeviceError> {
            let problem = |problem: String| wrong(format!("[command.{name}] {side}: {problem}"), SEE);
            parts.iter().map(|part| Part::parse(part).map_err(&problem)).collect()
        };
        let (request, response) = (layout("request", &self.request)?, layout("response", &self.response)?);
        let shape = command.shape();
        let allowed: Vec<Field> = shape.must.iter().chain(shape.may).copied().collect();
        check_fields(&format!("[command.{name}] request"), &request, shape.must, &allowed)?;
        // What was sent may come back, and must then be the same.
        let named = request.iter().filter(|part| matches!(part, Part::Named(_))).filter_map(Part::field);
        let echoed: Vec<Field> = named.chain(shape.gives.iter().copied()).collect();
        check_fields(&format!("[command.{name}] response"), &response, shape.gives, &echoed)?;
        let unbounded = |part: &Part| matches!(part.field(), Some(Field::Card | Field::Text)) && !part.has_length();
        if response.iter().rev().skip(1).any(unbounded) {
            let needed = "card and text are of any length: give them a length (len2), or put one of them last";
            return Err(wrong(format!("[command.{name}] response"), needed));
        }
        let (code, answer) = (bytes_of("code", &self.code)?, bytes_of("answer", &self.answer)?);
        Ok(Verb { code, answer, request, response })
    }
}

fn check_fields(what: &str, parts: &[Part], must: &[Field], allowed: &[Field]) -> Result<(), DeviceError> {
    let fields: Vec<Field> = parts.iter().filter_map(Part::field).collect();
    for (place, field) in fields.iter().enumerate() {
        if !allowed.contains(field) {
            let allowed = allowed.iter().map(|field| field.name()).collect::<Vec<_>>().join(", ");
            return Err(wrong(format!("{what}: {} does not belong here; {allowed} do", field.name()), SEE));
        }
        if fields[..place].contains(field) {
            return Err(wrong(format!("{what}: {} twice", field.name()), "each field stands once"));
        }
    }
    match must.iter().find(|field| !fields.contains(field)) {
        None => Ok(()),
        Some(field) => Err(wrong(format!("{what}: {} is missing", field.name()), SEE)),
    }
}
