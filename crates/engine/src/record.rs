//! What a journal row holds: commands in order, each a header and its events, as a sequence of CBOR items; how events are
//! written is in [`domain::emitted`].

use domain::emitted::{Emitted, Events};
use domain::ids::ApprovalId;
use domain::{Actor, Command, Event, Origin};
use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};

use crate::keys::FirstAnswer;

/// The level of what this version writes: new events, new fields or a changed meaning raise it.
pub const LEVEL: u16 = 18;

/// Who asks, and under which keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    /// Whose keys these are; an empty text with no keys.
    pub scope: String,
    /// Keys that must be new, or all of the same request, each behind the name of the parameter that bears it:
    /// `Idempotency-Key:…`, `out_trade_no:…`.
    pub keys: Vec<String>,
    /// A keyed digest of the caller's body, without server-made parts.
    pub fingerprint: [u8; 16],
    /// Who asks.
    pub actor: Actor,
    /// The second person's approval.
    pub approval: Option<ApprovalId>,
    /// Where it came in.
    pub origin: Origin,
}

impl Meta {
    /// A request without keys, for what the platform itself does.
    #[must_use]
    pub fn unkeyed(actor: Actor, origin: Origin) -> Self {
        Self { scope: String::new(), keys: Vec::new(), fingerprint: [0; 16], actor, approval: None, origin }
    }
}

/// A command and who asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What is wanted.
    pub command: Command,
    /// By whom.
    pub meta: Meta,
}

/// A command's header in the journal.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Header {
    /// Who asked.
    #[n(0)]
    pub actor: Actor,
    /// Where it came in.
    #[n(1)]
    pub origin: Origin,
    /// How many events follow.
    #[n(2)]
    pub events: u32,
    /// The second person's approval.
    #[n(3)]
    pub approval: Option<ApprovalId>,
    /// The keys it binds.
    #[n(4)]
    pub keys: Option<HeaderKeys>,
}

/// The keys of a command and the answer they are bound to.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct HeaderKeys {
    /// Whose.
    #[n(0)]
    pub scope: String,
    /// The keys.
    #[n(1)]
    pub keys: Vec<String>,
    /// The digest of the body.
    #[n(2)]
    pub fingerprint: ByteArray<16>,
    /// The first answer.
    #[n(3)]
    pub answer: FirstAnswer,
}

/// One command as read back from the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandRecord {
    /// Its header.
    pub header: Header,
    /// Its events.
    pub events: Vec<Event>,
}

/// Appends a command to a batch's payload.
pub(crate) fn encode(payload: &mut Vec<u8>, header: &Header, events: &Emitted) {
    let written = minicbor::encode(header, &mut *payload);
    written.expect("writing CBOR to memory does not fail");
    payload.extend_from_slice(events.bytes());
}

/// Reads the commands of a journal row.
///
/// # Errors
/// The decoder's words, with the byte they are about.
pub fn decode(payload: &[u8]) -> Result<Vec<CommandRecord>, minicbor::decode::Error> {
    let mut decoder = minicbor::Decoder::new(payload);
    let mut records = Vec::new();
    while decoder.position() < payload.len() {
        let header: Header = decoder.decode()?;
        let events = Events::new(&mut decoder, header.events).collect::<Result<_, _>>()?;
        records.push(CommandRecord { header, events });
    }
    Ok(records)
}
