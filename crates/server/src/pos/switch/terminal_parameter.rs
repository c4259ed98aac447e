//! What a terminal downloads (参数下载, 主密钥下载): lists, records, the end of a part; and the master key that was made for its
//! public key. All of it lies in field 62.
//!
//! ```text
//!  sign-in, its header asks for a part ─► list: "1" and how many it has heard of ─► "1" (all) or "2" (more) and the names, "0" for none
//!                                         record: names (9F06, of a key 9F22 too) ─► "1" and all of it, "0" if it is not there
//!                                         end ─► 00: the books know that it has the version that the list was of
//! ```
//! None of it carries a MAC in the dialect: parameters and public keys are no secrets, the master key opens for one terminal
//! only, and nothing is booked. No text that we read settles these messages; how they lie here is ours.

use domain::ids::TerminalId;
use domain::terminal::TerminalCommand;
use domain::terminal_parameter::{ParameterPart, ParameterSet};
use domain::{Command, State};
use iso8583::tlv::{Reader, put};

use super::desk::Desk;
use super::known::Known;
use super::{Asked, Decision, Told};
use crate::pos::network::CardNetwork;

/// The field of all of it.
const FIELD: u8 = 62;
/// The most bytes of names in a list.
const LIST: usize = 800;
const APPLICATION: u32 = 0x9F06;
const INDEX: u32 = 0x9F22;
const ENDS: u32 = 0xDF05;
/// Bytes of a RID, behind which a key's index lies in what it is known by.
const RID: usize = 5;

/// What of a set is told.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Listed {
    version: u32,
    bytes: Vec<u8>,
}

impl<N: CardNetwork> Desk<N> {
    /// Tells which records of a part there are.
    pub(super) async fn list(&self, asked: &Asked<'_>, known: &Known, part: ParameterPart) -> Result<Told, Decision> {
        let heard = heard(asked.message.bytes(FIELD).unwrap_or_default()).ok_or_else(|| asked.format_error())?;
        let terminal = known.id;
        let look = move |state: &State| of_set(state, terminal, |set| listed(set, part, heard));
        let Some(listed) = self.look(asked.acquirer, look).await? else {
            return Ok(with(asked, b"0".to_vec()));
        };
        self.downloads.begin(terminal, part, (listed.version, heard == 0));
        Ok(with(asked, listed.bytes))
    }

    /// Tells a record, or the settings.
    pub(super) async fn download(
        &self,
        asked: &Asked<'_>,
        known: &Known,
        part: ParameterPart,
    ) -> Result<Told, Decision> {
        let (terminal, field) = (known.id, asked.message.bytes(FIELD).unwrap_or_default());
        let wanted = named(field, part);
        let look = move |state: &State| of_set(state, terminal, |set| (set.version, record(set, part, &wanted)));
        let found = self.look(asked.acquirer, look).await?;
        if let (Some((version, _)), ParameterPart::Settings) = (&found, part) {
            self.downloads.begin(terminal, part, (*version, true));
        }
        let record = found.and_then(|(_, record)| record);
        Ok(with(asked, record.map_or_else(|| b"0".to_vec(), |record| [b"1".as_slice(), &record].concat())))
    }

    /// Takes a terminal's word that it has all of a part.
    pub(super) async fn downloaded(
        &self,
        asked: &Asked<'_>,
        known: &Known,
        part: ParameterPart,
    ) -> Result<Told, Decision> {
        let terminal = known.id;
        // Of what it has no list it says nothing.
        let version = self.downloads.end(terminal, part).ok_or_else(|| asked.format_error())?;
        let command = Command::Terminal(TerminalCommand::TookParameters { terminal, part, version });
        self.submit(asked.acquirer, terminal, command, |_, _| Some(())).await?;
        metrics::counter!("lintel_pos_downloads_total", "part" => part.name()).increment(1);
        let download = self.missing(asked, terminal).await?;
        Ok(Told { download, ..Told::of(&asked.acquirer.codes.approved) })
    }

    /// The part of its parameters that a terminal lacks the version in force of.
    pub(super) async fn missing(
        &self,
        asked: &Asked<'_>,
        terminal: TerminalId,
    ) -> Result<Option<ParameterPart>, Decision> {
        let look = move |state: &State| state.terminal(terminal).ok().and_then(|row| row.parameters_missing(state));
        self.look(asked.acquirer, look).await
    }

    /// Hands out the master key that was made for the terminal's public key, to who names its serial.
    pub(super) async fn master_key(&self, asked: &Asked<'_>, known: &Known) -> Result<Told, Decision> {
        let (security, codes) = (&asked.acquirer.security, &asked.acquirer.codes);
        let serial = asked.message.bytes(security.serial_field).ok().and_then(|field| security.serial(field));
        let serial = serial.ok_or_else(|| asked.format_error())?.to_owned();
        let terminal = known.id;
        let look = move |state: &State| {
            let row = state.terminal(terminal).ok()?;
            Some((row.serial == serial, row.issued.clone()))
        };
        let (is_own, issued) = self.look(asked.acquirer, look).await?.unwrap_or((false, None));
        if !is_own {
            tracing::warn!(%terminal, "another serial asks for the terminal's master key");
            metrics::counter!("lintel_pos_downloads_total", "part" => "master_key_foreign").increment(1);
            return Ok(Told::of(&codes.not_signed_in));
        }
        let Some(issued) = issued else { return Ok(Told::of(&codes.not_supported)) };
        let check = hex::decode(&issued.check_value).unwrap_or_default();
        let check = check.get(..security.check_bytes).unwrap_or_default();
        metrics::counter!("lintel_pos_downloads_total", "part" => "master_key").increment(1);
        Ok(with(asked, [issued.encrypted.as_slice(), check].concat()))
    }
}

fn with(asked: &Asked<'_>, field: Vec<u8>) -> Told {
    let mut told = Told::of(&asked.acquirer.codes.approved);
    told.fields.set(FIELD, field);
    told
}

/// Looks at the set that a terminal uses; nothing of one without.
fn of_set<T>(state: &State, terminal: TerminalId, look: impl FnOnce(&ParameterSet) -> T) -> Option<T> {
    let uses = state.terminal(terminal).ok()?.parameters.as_ref()?;
    state.parameters_of(&uses.set).map(look)
}

/// How many records a terminal has heard of.
fn heard(field: &[u8]) -> Option<usize> {
    match field {
        [] => Some(0),
        [b'1', count @ ..] if count.len() == 2 => std::str::from_utf8(count).ok()?.parse().ok(),
        _ => None,
    }
}

/// Whether these are the last ones, and what they are known by.
fn listed(set: &ParameterSet, part: ParameterPart, heard: usize) -> Listed {
    let (records, mut bytes, mut told) = (set.records(part), Vec::new(), heard);
    for record in records.iter().skip(heard) {
        let name = name(part, &record.identity, &record.content);
        if bytes.len() + name.len() > LIST {
            break;
        }
        bytes.extend(name);
        told += 1;
    }
    let flag = match (records.is_empty(), told < records.len()) {
        (true, _) => b'0',
        (false, true) => b'2',
        (false, false) => b'1',
    };
    bytes.insert(0, flag);
    Listed { version: set.version, bytes }
}

/// What a record is called in a list: of a key RID, index, and when it ends.
fn name(part: ParameterPart, identity: &[u8], content: &[u8]) -> Vec<u8> {
    match (part, identity.split_at_checked(RID)) {
        (ParameterPart::PublicKeys, Some((rid, index))) => {
            let ends = Reader::new(content).map_while(Result::ok).find(|found| found.tag == ENDS);
            let ends = ends.map(|found| element(ENDS, found.value)).unwrap_or_default();
            [element(APPLICATION, rid), element(INDEX, index), ends].concat()
        }
        (ParameterPart::PublicKeys | ParameterPart::Applications | ParameterPart::Settings, _) => {
            element(APPLICATION, identity)
        }
    }
}

/// One element; nothing of what cannot be written, which no set holds.
fn element(tag: u32, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    if put(&mut out, tag, value).is_err() {
        out.clear();
    }
    out
}

/// What a terminal asks for, as the set knows it.
fn named(field: &[u8], part: ParameterPart) -> Vec<u8> {
    let value = |tag| Reader::new(field).map_while(Result::ok).find(|element| element.tag == tag);
    let application = value(APPLICATION).map(|element| element.value).unwrap_or_default();
    let index = value(INDEX).map(|element| element.value).unwrap_or_default();
    match part {
        ParameterPart::PublicKeys => [application, index].concat(),
        ParameterPart::Applications | ParameterPart::Settings => application.to_vec(),
    }
}

fn record(set: &ParameterSet, part: ParameterPart, identity: &[u8]) -> Option<Vec<u8>> {
    match part {
        ParameterPart::Settings => Some(set.settings.clone().into_bytes()).filter(|settings| !settings.is_empty()),
        ParameterPart::PublicKeys | ParameterPart::Applications => {
            let found = set.records(part).iter().find(|record| record.identity == identity);
            found.map(|record| record.content.clone())
        }
    }
}
