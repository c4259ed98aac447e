//! What a terminal downloads: its parameters, and a master key that was made for its public key.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{IssuedKey, TerminalEvent, TerminalKey, TerminalStatus, emit};
use crate::command::Reply;
use crate::draft::Draft;
use crate::ids::TerminalId;
use crate::order::name_fits;
use crate::refusal::{Refusal, RefusalCode};
use crate::terminal_parameter::ParameterPart;

/// Bytes of a point of SM2.
const POINT: usize = 65;
/// The most bytes of a key that was encrypted by SM2.
const MAX_ISSUED: usize = 256;

pub(super) fn use_parameters(draft: &mut Draft<'_>, id: TerminalId, set: String) -> Result<Reply, Refusal> {
    let terminal = draft.state.terminal(id)?;
    if terminal.status == TerminalStatus::Scrapped {
        let message = format!("{id} is scrapped and takes no parameters");
        return Err(Refusal::new(RefusalCode::TerminalState, "terminal", message));
    }
    if draft.state.parameters_of(&set).is_none() {
        let message = format!("there is no parameter set '{set:.40}'; set it first");
        return Err(Refusal::new(RefusalCode::ParametersUnknown, "set", message));
    }
    Ok(emit(draft, id, TerminalEvent::ParametersUsed { terminal: id, set }))
}

/// What it downloaded must be what is in force: a set that changed meanwhile is downloaded again.
pub(super) fn took_parameters(
    draft: &mut Draft<'_>,
    id: TerminalId,
    part: ParameterPart,
    version: u32,
) -> Result<Reply, Refusal> {
    let terminal = draft.state.terminal(id)?;
    let set = terminal.parameters.as_ref().and_then(|uses| draft.state.parameters_of(&uses.set));
    let in_force = set.filter(|set| set.has(part)).map(|set| set.version);
    if in_force != Some(version) {
        let part = part.name();
        let message = format!("{id} took version {version} of its {part}; it downloads what is in force again");
        return Err(Refusal::new(RefusalCode::ParametersOther, "version", message));
    }
    Ok(emit(draft, id, TerminalEvent::ParametersTaken { terminal: id, part, version }))
}

pub(super) fn register_public_key(draft: &mut Draft<'_>, id: TerminalId, point: Vec<u8>) -> Result<Reply, Refusal> {
    draft.state.terminal(id)?.require("load_key")?;
    if point.len() != POINT || point.first() != Some(&4) {
        let message = format!("a public key of {} bytes; SM2 has {POINT}, the first of them 04", point.len());
        return Err(Refusal::new(RefusalCode::ValueInvalid, "public_key", message));
    }
    Ok(emit(draft, id, TerminalEvent::PublicKeyRegistered { terminal: id, point }))
}

pub(super) fn issue_key(
    draft: &mut Draft<'_>,
    id: TerminalId,
    name: String,
    issued: IssuedKey,
) -> Result<Reply, Refusal> {
    let terminal = draft.state.terminal(id)?;
    terminal.require("load_key")?;
    if terminal.public_key.is_none() {
        let message = format!("{id} has no public key; register the one that it shows");
        return Err(Refusal::new(RefusalCode::PublicKeyMissing, "terminal", message));
    }
    name_fits(&name, "name")?;
    let is_check = issued.check_value.len() == 16 && issued.check_value.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_check || !(1..=MAX_ISSUED).contains(&issued.encrypted.len()) {
        let message = "an issued key is 1 to 256 bytes with a check value of 16 hexadecimal digits";
        return Err(Refusal::new(RefusalCode::ValueInvalid, "check_value", message));
    }
    let key = TerminalKey { name, check_value: issued.check_value.clone(), loaded_at: draft.context.now };
    Ok(emit(draft, id, TerminalEvent::KeyIssued { terminal: id, key, issued }))
}
