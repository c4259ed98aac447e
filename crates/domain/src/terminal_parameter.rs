//! Parameters of terminals (终端参数): the public keys of card schemes, the applications of chips, settings of their own. A terminal
//! downloads them over its own protocol.
//!
//! ```text
//!  set NAME ─► version 1 ─ set NAME again ─► version 2 … in force: the newest
//!                 │                              │
//!                 └── a terminal that uses NAME and has another version of a part is asked to download that part
//! ```
//! A set is a version as a whole; a terminal takes it part by part, and what it has of each stands on its row
//! ([`crate::terminal::TerminalParameters`]). What a record holds is the maker's and the scheme's business: here it is bytes,
//! known by what a terminal asks for it by.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use crate::command::Reply;
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::ParameterSetId;
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;

#[cfg(test)]
mod tests;

/// The most records of a part.
pub const MAX_RECORDS: usize = 99;
/// The most bytes of a record: one fits a message.
pub const MAX_RECORD: usize = 900;
/// The most bytes of a set's name.
const MAX_NAME: usize = 32;

/// A part of a set, which a terminal takes as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum ParameterPart {
    /// Public keys of card schemes (公钥).
    #[n(0)]
    PublicKeys,
    /// Applications of chips (IC 卡参数).
    #[n(1)]
    Applications,
    /// The terminal's own settings (终端参数).
    #[n(2)]
    Settings,
}

impl ParameterPart {
    /// Every part, in the order in which a terminal is asked to take them.
    pub const ALL: [Self; 3] = [Self::PublicKeys, Self::Applications, Self::Settings];

    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PublicKeys => "public_keys",
            Self::Applications => "applications",
            Self::Settings => "settings",
        }
    }
}

/// One public key or one application.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ParameterRecord {
    /// What a terminal asks for it by: RID and index of a key (6 bytes), the AID of an application (5 to 16).
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    pub identity: Vec<u8>,
    /// All of it, as it goes out.
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    pub content: Vec<u8>,
}

/// A version of a set.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ParameterSet {
    /// Its id.
    #[n(0)]
    pub id: ParameterSetId,
    /// The set's name.
    #[n(1)]
    pub name: String,
    /// Which of its versions; the first is 1.
    #[n(2)]
    pub version: u32,
    /// Public keys.
    #[n(3)]
    pub public_keys: Vec<ParameterRecord>,
    /// Applications.
    #[n(4)]
    pub applications: Vec<ParameterRecord>,
    /// Settings, as they go out; empty for none.
    #[n(5)]
    pub settings: String,
    /// When it was set.
    #[n(6)]
    pub set_at: Time,
    /// Who set it.
    #[n(7)]
    pub set_by: String,
}

impl ParameterSet {
    /// Whether it has anything of a part.
    #[must_use]
    pub fn has(&self, part: ParameterPart) -> bool {
        match part {
            ParameterPart::PublicKeys => !self.public_keys.is_empty(),
            ParameterPart::Applications => !self.applications.is_empty(),
            ParameterPart::Settings => !self.settings.is_empty(),
        }
    }

    /// The records of a part; settings are none.
    #[must_use]
    pub fn records(&self, part: ParameterPart) -> &[ParameterRecord] {
        match part {
            ParameterPart::PublicKeys => &self.public_keys,
            ParameterPart::Applications => &self.applications,
            ParameterPart::Settings => &[],
        }
    }
}

/// Sets a set's next version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetParameters {
    /// The set: small letters, digits, `-` and `_`, 1 to 32 bytes.
    pub name: String,
    /// At most [`MAX_RECORDS`], each identity once.
    pub public_keys: Vec<ParameterRecord>,
    /// The same.
    pub applications: Vec<ParameterRecord>,
    /// ASCII, at most [`MAX_RECORD`] bytes.
    pub settings: String,
}

/// What happened to parameters.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum ParameterEvent {
    /// A version is in force.
    #[n(0)]
    Set(#[n(0)] ParameterSet),
}

/// Sets parameters.
///
/// # Errors
/// `value_invalid`.
pub fn decide(draft: &mut Draft<'_>, command: SetParameters) -> Result<Reply, Refusal> {
    check(&command)?;
    let SetParameters { name, public_keys, applications, settings } = command;
    let newest = draft.state.parameters_of(&name).map_or(0, |newest| newest.version);
    let version = newest.checked_add(1).ok_or_else(|| invalid("name", "there can be no further version"))?;
    let id = ParameterSetId(draft.state.parameter_sets.next_id());
    let (set_at, set_by) = (draft.context.now, draft.operator());
    let set = ParameterSet { id, name, version, public_keys, applications, settings, set_at, set_by };
    draft.emit(Event::Parameter(ParameterEvent::Set(set)));
    Ok(Reply::ParameterSet(id))
}

fn check(command: &SetParameters) -> Result<(), Refusal> {
    let SetParameters { name, public_keys, applications, settings } = command;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(plain) {
        let message = format!("'{name:.40}' is no set's name: 1 to {MAX_NAME} small letters, digits, '-' or '_'");
        return Err(invalid("name", &message));
    }
    check_records("public_keys", public_keys, 6..=6)?;
    check_records("applications", applications, 5..=16)?;
    if settings.len() > MAX_RECORD || !settings.is_ascii() {
        let message = format!("settings of {} bytes; use ASCII, at most {MAX_RECORD}", settings.len());
        return Err(invalid("settings", &message));
    }
    if public_keys.is_empty() && applications.is_empty() && settings.is_empty() {
        return Err(invalid("public_keys", "the set holds nothing; give it keys, applications or settings"));
    }
    Ok(())
}

fn check_records(
    param: &'static str,
    records: &[ParameterRecord],
    identity: core::ops::RangeInclusive<usize>,
) -> Result<(), Refusal> {
    if records.len() > MAX_RECORDS {
        return Err(invalid(param, &format!("{} records; at most {MAX_RECORDS} are possible", records.len())));
    }
    for (at, record) in records.iter().enumerate() {
        if !identity.contains(&record.identity.len()) || !(1..=MAX_RECORD).contains(&record.content.len()) {
            let (name, content) = (record.identity.len(), record.content.len());
            let message = format!("record {at} is known by {name} bytes and holds {content}; at most {MAX_RECORD}");
            return Err(invalid(param, &message));
        }
        if records.iter().take(at).any(|other| other.identity == record.identity) {
            return Err(invalid(param, &format!("record {at} is there twice; give each once")));
        }
    }
    Ok(())
}

fn invalid(param: &'static str, message: &str) -> Refusal {
    Refusal::new(RefusalCode::ValueInvalid, param, message)
}

impl State {
    /// The version of a set that is in force.
    #[must_use]
    pub fn parameters_of(&self, name: &str) -> Option<&ParameterSet> {
        let all = self.parameter_sets.iter().map(|(_, set)| set);
        all.filter(|set| set.name == name).max_by_key(|set| set.version)
    }

    /// A version of a set.
    ///
    /// # Errors
    /// `parameters_unknown`.
    pub fn parameter_set(&self, id: ParameterSetId) -> Result<&ParameterSet, Refusal> {
        let unknown = || Refusal::new(RefusalCode::ParametersUnknown, "id", format!("there is no parameter set {id}"));
        self.parameter_sets.get(id.0).ok_or_else(unknown)
    }
}

/// Folds an event into the state.
pub(crate) fn apply(state: &mut State, event: &ParameterEvent) {
    match event {
        ParameterEvent::Set(set) => state.parameter_sets.insert(set.id.0, set.clone()),
    }
}
