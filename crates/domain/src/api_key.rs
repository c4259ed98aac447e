//! API keys (API密钥): which serial numbers of a caller's shared secret sign now. The secrets themselves are derived and kept nowhere.
//!
//! ```text
//!  serial 1, from birth ─ rotate ─► serial n + 1 signs; serial n signs until its overlap is over
//!                                          └ end ─► the old one signs nothing more, at once
//! ```
//! Who never rotated has no row and signs with serial 1. A serial number ends for ever: the next rotation takes the next number.
//! At most two sign at a time. Whether one signs is decided against the wall clock, as the signature's own time is.

use alloc::format;
use alloc::string::String;

use minicbor::{Decode, Encode};

use crate::command::Reply;
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::{ApiKeyId, MerchantId, OperatorId};
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;

#[cfg(test)]
mod tests;

/// The longest that an old secret may go on signing: thirty days.
pub const MAX_OVERLAP_MS: i64 = 30 * 86_400_000;

/// Whose secret it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum KeyOwner {
    /// The institution's own programs.
    #[n(0)]
    Programs,
    /// A merchant.
    #[n(1)]
    Merchant(#[n(0)] MerchantId),
    /// A person of the institution.
    #[n(2)]
    Operator(#[n(0)] OperatorId),
}

impl core::fmt::Display for KeyOwner {
    /// As `mch_id` names it.
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Programs => formatter.write_str("operator"),
            Self::Merchant(id) => id.fmt(formatter),
            Self::Operator(id) => id.fmt(formatter),
        }
    }
}

impl core::str::FromStr for KeyOwner {
    type Err = crate::ids::IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "operator" {
            return Ok(Self::Programs);
        }
        text.parse().map(Self::Operator).or_else(|_| text.parse().map(Self::Merchant))
    }
}

/// One serial number of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ApiKey {
    /// Its id.
    #[n(0)]
    pub id: ApiKeyId,
    /// Whose it is.
    #[n(1)]
    pub owner: KeyOwner,
    /// Which one, from 1.
    #[n(2)]
    pub serial: u32,
    /// When it began to sign; of the first its owner's first rotation, for nobody noted when it was born.
    #[n(3)]
    pub since: Time,
    /// When it signs no more; none: the newest.
    #[n(4)]
    pub ends_at: Option<Time>,
    /// Who made it, or ended it.
    #[n(5)]
    pub by: String,
}

impl ApiKey {
    /// Whether it signs at `now`, by the wall clock.
    #[must_use]
    pub fn signs(&self, now: Time) -> bool {
        self.ends_at.is_none_or(|end| now < end)
    }
}

/// What is wanted of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiKeyCommand {
    /// Make the next one.
    Rotate {
        /// Whose.
        owner: KeyOwner,
        /// How long the present one still signs, in milliseconds.
        overlap_ms: i64,
        /// The wall clock's time.
        wall: Time,
    },
    /// End the old one before its overlap is over.
    End {
        /// Whose.
        owner: KeyOwner,
        /// Which one.
        serial: u32,
        /// The wall clock's time.
        wall: Time,
    },
}

/// What happened to a secret.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum ApiKeyEvent {
    /// The next one was made.
    #[n(0)]
    Rotated {
        /// The one before, with its end.
        #[n(0)]
        before: ApiKey,
        /// The one that signs now.
        #[n(1)]
        next: ApiKey,
    },
    /// The old one was ended: its new image.
    #[n(1)]
    Ended(#[n(0)] ApiKey),
}

/// Rotates or ends a secret.
///
/// # Errors
/// `merchant_unknown`, `operator_unknown`; `value_invalid` for the overlap. Rotate: `api_key_state` while the one before the present
/// one still signs. End: `api_key_unknown`, `api_key_state` for the newest or one that ended.
pub fn decide(draft: &mut Draft<'_>, command: ApiKeyCommand) -> Result<Reply, Refusal> {
    match command {
        ApiKeyCommand::Rotate { owner, overlap_ms, wall } => rotate(draft, owner, overlap_ms, wall),
        ApiKeyCommand::End { owner, serial, wall } => end(draft, owner, serial, wall),
    }
}

fn rotate(draft: &mut Draft<'_>, owner: KeyOwner, overlap_ms: i64, wall: Time) -> Result<Reply, Refusal> {
    match owner {
        KeyOwner::Programs => {}
        KeyOwner::Merchant(id) => draft.state.merchant(id).map(|_| ())?,
        KeyOwner::Operator(id) => draft.state.operator(id).map(|_| ())?,
    }
    if !(0..=MAX_OVERLAP_MS).contains(&overlap_ms) {
        let message = format!("{overlap_ms} ms is no overlap; use 0 to {MAX_OVERLAP_MS}, which is thirty days");
        return Err(Refusal::new(RefusalCode::ValueInvalid, "overlap_seconds", message));
    }
    if let Some(old) = draft.state.api_keys_of(owner).find(|key| key.ends_at.is_some() && key.signs(wall)) {
        let message = format!(
            "serial number {} still signs beside {}; end it first",
            old.serial,
            draft.state.newest_api_key(owner)
        );
        return Err(Refusal::new(RefusalCode::ApiKeyState, "serial_no", message));
    }
    let (by, first) = (draft.operator(), ApiKeyId(draft.state.api_keys.next_id()));
    let present = draft.state.api_keys_of(owner).last().cloned();
    let (mut before, id) = match present {
        Some(present) => (present, first),
        None => {
            let present = ApiKey { id: first, owner, serial: 1, since: wall, ends_at: None, by: by.clone() };
            (present, ApiKeyId(first.0.saturating_add(1)))
        }
    };
    before.ends_at = Some(wall.plus_ms(overlap_ms));
    let serial = before.serial.saturating_add(1);
    let next = ApiKey { id, owner, serial, since: wall, ends_at: None, by };
    draft.emit(Event::ApiKey(ApiKeyEvent::Rotated { before, next }));
    Ok(Reply::ApiKey(id))
}

fn end(draft: &mut Draft<'_>, owner: KeyOwner, serial: u32, wall: Time) -> Result<Reply, Refusal> {
    let Some(key) = draft.state.api_keys_of(owner).find(|key| key.serial == serial) else {
        let message = format!(
            "there is no old secret of serial number {serial}; the newest is {}",
            draft.state.newest_api_key(owner)
        );
        return Err(Refusal::new(RefusalCode::ApiKeyUnknown, "serial_no", message));
    };
    let why = match key.ends_at {
        Some(_) if key.signs(wall) => None,
        Some(_) => Some("it ended already"),
        None => Some("it is the newest; rotate without overlap in place of that"),
    };
    if let Some(why) = why {
        let message = format!("serial number {serial}: {why}");
        return Err(Refusal::new(RefusalCode::ApiKeyState, "serial_no", message));
    }
    let mut key = key.clone();
    (key.ends_at, key.by) = (Some(wall), draft.operator());
    let id = key.id;
    draft.emit(Event::ApiKey(ApiKeyEvent::Ended(key)));
    Ok(Reply::ApiKey(id))
}

impl State {
    /// The serial numbers of a caller's secret, the oldest first; none of one that never rotated, which signs with 1.
    pub fn api_keys_of(&self, owner: KeyOwner) -> impl Iterator<Item = &ApiKey> {
        let all = (owner, ApiKeyId(0))..=(owner, ApiKeyId(u64::MAX));
        self.owner_api_keys.range(all).filter_map(|((_, id), ())| self.api_keys.get(id.0))
    }

    /// The newest serial number of a caller's secret, which it signs with if it knows no other.
    #[must_use]
    pub fn newest_api_key(&self, owner: KeyOwner) -> u32 {
        self.api_keys_of(owner).last().map_or(1, |key| key.serial)
    }
}

/// Folds an event into the state.
pub(crate) fn apply(state: &mut State, event: &ApiKeyEvent) {
    let mut put = |key: &ApiKey| {
        state.owner_api_keys.insert((key.owner, key.id), ());
        state.api_keys.insert(key.id.0, key.clone());
    };
    match event {
        ApiKeyEvent::Rotated { before, next } => {
            put(before);
            put(next);
        }
        ApiKeyEvent::Ended(key) => put(key),
    }
}
