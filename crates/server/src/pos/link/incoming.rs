//! What becomes of a message that came by a link.
//!
//! ```text
//!  an answer ─ its MAC ─ wrong, missing ─► dropped; three in a row: the network is asked for a new MAC key
//!                 │ right               (answers about the link itself have none)
//!                 └► its request │ late: the books │ contradicts its request: dropped
//!  the network's own: echo · sign-on · sign-off · key reset ─► 00, or why not
//!  one of ours, sent back ─► dropped; its request ends by time-out, since nothing proves that nobody took it
//! ```

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use zeroize::Zeroizing;

use super::Shared;
use super::line::{Handed, Line, LinkState, code, dropped};
use super::mux::{Key, Paired, answer_type, is_answer};
use super::wire::{Incoming, MAC};
use super::zone::{Brought, ZoneKey};
use crate::pos::network::Fields;

/// So many wrong MACs in a row mean that the two sides have different keys.
const WRONG_MACS: u64 = 3;
/// What field 48 of a key reset begins with; the key follows in hexadecimal.
const NEW_KEY: &str = "NK";
/// Fields of the network's own messages that come back.
const REPEATED: [u8; 4] = [7, 11, 33, 70];

/// Done; a MAC or a key that is wrong; nothing that this side knows.
const DONE: &str = "00";
const WRONG: &str = "A0";
const UNKNOWN: &str = "12";

/// Takes a message.
pub(super) async fn arrived(shared: &Arc<Shared>, line: &Arc<Line>, message: Incoming) {
    if message.rejected {
        tracing::warn!(link = line.name, "the card network sent a message back");
        return dropped("sent_back");
    }
    let is_management = message.mti[1] == b'8';
    match (is_answer(message.mti), is_management) {
        (true, true) => pair(shared, message.mti, message.fields),
        (true, false) => {
            if believed(shared, line, &message).await {
                pair(shared, message.mti, message.fields);
            }
        }
        (false, true) => manage(shared, line, message).await,
        (false, false) => dropped("unasked"),
    }
}

fn pair(shared: &Shared, mti: [u8; 4], fields: Fields) {
    let key = Key::of_answer(mti, &fields);
    match shared.mux.answered(&key, fields.clone()) {
        Paired::Told => {}
        Paired::Contradicts => {
            tracing::warn!("an answer of the card network contradicts its request");
            dropped("contradicts");
        }
        // Of reversals and advices the forwarder repeats what has no answer.
        Paired::Unexpected if matches!(&mti, b"0110" | b"0210" | b"0230") => {
            metrics::counter!("lintel_pos_network_late_total").increment(1);
            if shared.late.try_send(fields).is_err() {
                dropped("late_full");
            }
        }
        Paired::Unexpected => dropped("unexpected"),
    }
}

/// Whether the MAC is there and right.
async fn believed(shared: &Arc<Shared>, line: &Arc<Line>, message: &Incoming) -> bool {
    let (Some(covered), Some(mac)) = (message.covered.clone(), message.fields.get(MAC)) else {
        dropped("no_mac");
        return false;
    };
    match shared.zone.verifies(covered, mac.to_vec()).await {
        Ok(true) => {
            shared.wrong_macs.store(0, Ordering::Relaxed);
            true
        }
        Ok(false) => {
            dropped("wrong_mac");
            let wrong = shared.wrong_macs.fetch_add(1, Ordering::Relaxed) + 1;
            tracing::warn!(link = line.name, wrong, "a wrong MAC from the card network");
            if wrong.is_multiple_of(WRONG_MACS) {
                let (line, shared) = (Arc::clone(line), Arc::clone(shared));
                tokio::spawn(async move { line.ask(&shared, code::KEY_RESET, Some(ZoneKey::Mac)).await });
            }
            false
        }
        Err(error) => {
            tracing::error!(%error, "no MAC of the card network can be checked");
            dropped("no_key");
            false
        }
    }
}

/// Does what the network asks of the link itself, and answers.
async fn manage(shared: &Arc<Shared>, line: &Arc<Line>, message: Incoming) {
    let what = message.fields.text(70).unwrap_or_default();
    let (told, with_mac) = match what {
        code::ECHO => (DONE, false),
        code::SIGN_ON => (turned(line, LinkState::Resting, LinkState::Up), false),
        code::SIGN_OFF => (turned(line, LinkState::Up, LinkState::Resting), false),
        code::KEY_RESET => (reset(shared, line, &message).await, true),
        _ => (UNKNOWN, false),
    };
    if let Err(error) = answer(shared, line, &message, told, with_mac).await {
        tracing::warn!(link = line.name, error, "the card network gets no answer");
    }
}

/// A link that stands so from now on stands otherwise; any other stays.
fn turned(line: &Line, from: LinkState, to: LinkState) -> &'static str {
    if line.standing().0 == from {
        line.becomes(to);
    }
    DONE
}

async fn answer(
    shared: &Arc<Shared>,
    line: &Line,
    asked: &Incoming,
    told: &str,
    with_mac: bool,
) -> Result<(), &'static str> {
    let mut fields = Fields::default();
    for number in REPEATED {
        if let Some(content) = asked.fields.get(number) {
            fields.set(number, content);
        }
    }
    fields.set(39, told);
    // A side without a MAC key cannot say so with a MAC.
    let with_mac = with_mac && told == DONE;
    let made = shared.wire.message(answer_type(asked.mti), &fields, with_mac).map_err(|_| "format")?;
    let message = if with_mac {
        let mac = shared.zone.mac(made.covered()).await.map_err(|_| "key")?;
        made.with(mac)
    } else {
        made.plain()
    };
    let frame = shared.wire.frame(&message).map_err(|_| "too_long")?;
    if line.hand(Handed { key: None, frame }) { Ok(()) } else { Err("no_link") }
}

/// Takes a new key in.
async fn reset(shared: &Arc<Shared>, line: &Line, message: &Incoming) -> &'static str {
    let fields = &message.fields;
    let Some(key) = fields.text(53).and_then(ZoneKey::of) else { return UNKNOWN };
    let encrypted = fields.text(48).and_then(|text| text.strip_prefix(NEW_KEY)).map(hex::decode);
    let (Some(Ok(encrypted)), Some(check)) = (encrypted, fields.get(96)) else { return "30" };
    let (Some(covered), Some(mac)) = (message.covered.clone(), fields.get(MAC)) else { return WRONG };
    let brought =
        Brought { key, encrypted, check: check.to_vec(), covered: covered as Zeroizing<_>, mac: mac.to_vec() };
    let outcome = match shared.zone.take(brought).await {
        Ok(Some(())) => DONE,
        Ok(None) => WRONG,
        Err(error) => {
            let mut refused = shared.refused_keys.lock().unwrap_or_else(PoisonError::into_inner);
            let why = error.to_string();
            if refused.insert(key.name(), why.clone()) != Some(why) {
                // Before custodians have formed the master key there is nothing wrong yet.
                if error.code() == "key_not_found" {
                    tracing::warn!(link = line.name, key = key.name(), %error, "the card network's keys wait for the master key");
                } else {
                    tracing::error!(link = line.name, key = key.name(), %error, "a new key of the card network was refused");
                }
            }
            "96"
        }
    };
    if outcome == DONE {
        shared.refused_keys.lock().unwrap_or_else(PoisonError::into_inner).remove(key.name());
        tracing::info!(link = line.name, key = key.name(), "a new key of the card network");
    }
    metrics::counter!("lintel_pos_network_keys_total", "key" => key.name(), "code" => outcome).increment(1);
    outcome
}
