//! `lintel ark financial`: keys of terminals and zones by hand. What is hexadecimal at a terminal is hexadecimal here;
//! components, card numbers and tracks come from standard input or a file, never from the command line.

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::super::client::Client;
use super::super::remote::Answer;
use super::super::table::{record, text};
use super::verbs::{key_text, one, shown};
use super::{Input, Why};

/// Keys of terminals and zones.
#[derive(Debug, Subcommand)]
pub(crate) enum Financial {
    /// Make a key at random.
    Generate {
        #[command(flatten)]
        key: New,
        #[command(flatten)]
        why: Why,
    },
    /// Begin to form a key of components; custodians bring them within the hour.
    Form {
        #[command(flatten)]
        key: New,
        /// Of how many: two to nine, each from another custodian.
        #[arg(long, default_value_t = 2)]
        components: u8,
        #[command(flatten)]
        why: Why,
    },
    /// Bring a component, hexadecimal digits from standard input; --as says who brings it.
    Component {
        /// The key that was begun.
        name: String,
        #[command(flatten)]
        input: Input,
        #[command(flatten)]
        why: Why,
    },
    /// Take in a key that lies under a master key, hexadecimal digits from standard input.
    Import {
        #[command(flatten)]
        key: New,
        /// The master key of the same side.
        #[arg(long)]
        under: String,
        /// The start of its check value, 3 to 8 bytes.
        #[arg(long, value_name = "HEX")]
        check_value: String,
        #[command(flatten)]
        input: Input,
        #[command(flatten)]
        why: Why,
    },
    /// Make a key from a factor.
    Derive {
        #[command(flatten)]
        key: New,
        /// The key that derives, of the same side and kind.
        #[arg(long)]
        from: String,
        /// Eight bytes.
        #[arg(long, value_name = "HEX")]
        factor: String,
        #[command(flatten)]
        why: Why,
    },
    /// Print a key under a master key of its side; a master key takes an approval of export.
    Export {
        #[command(flatten)]
        key: At,
        /// The master key.
        #[arg(long)]
        under: String,
        #[command(flatten)]
        why: Why,
    },
    /// Print the check value that the provider makes now.
    CheckValue {
        #[command(flatten)]
        key: At,
        #[command(flatten)]
        why: Why,
    },
    /// Translate a PIN block: card number and block, a line each, from standard input; a third line is the card number on
    /// the far side, where it is another.
    TranslatePin {
        /// A PIN key of a terminal or zone.
        from: String,
        /// A zone's PIN key.
        to: String,
        #[command(flatten)]
        input: Input,
        #[command(flatten)]
        why: Why,
    },
    /// Make a MAC of standard input.
    Mac {
        /// The key's name.
        name: String,
        /// ecb, cbc, x9.19 or cmac.
        #[arg(long, default_value = "ecb")]
        form: String,
        #[command(flatten)]
        input: Input,
        #[command(flatten)]
        why: Why,
    },
    /// Verify a MAC of standard input.
    VerifyMac {
        #[command(flatten)]
        key: At,
        /// Eight bytes in hexadecimal.
        mac: String,
        /// ecb, cbc, x9.19 or cmac.
        #[arg(long, default_value = "ecb")]
        form: String,
        #[command(flatten)]
        input: Input,
        #[command(flatten)]
        why: Why,
    },
    /// Encrypt a track from standard input.
    EncryptTrack {
        /// The key's name.
        name: String,
        /// 2 or 3.
        #[arg(long, default_value = "2")]
        track: String,
        /// whole or tail.
        #[arg(long, default_value = "whole")]
        form: String,
        #[command(flatten)]
        input: Input,
        #[command(flatten)]
        why: Why,
    },
    /// Translate a track from standard input; prints its card number, for routing, and the track under the zone's key.
    TranslateTrack {
        /// A key for tracks of a terminal or zone.
        from: String,
        /// A zone's key for tracks.
        to: String,
        /// 2 or 3.
        #[arg(long, default_value = "2")]
        track: String,
        /// How it came: whole or tail.
        #[arg(long, default_value = "whole")]
        form: String,
        /// How it goes on: whole or tail.
        #[arg(long, default_value = "whole")]
        to_form: String,
        #[command(flatten)]
        input: Input,
        #[command(flatten)]
        why: Why,
    },
}

/// A key that is to come.
#[derive(Debug, Args)]
pub(crate) struct New {
    /// 1 to 128 of a-z0-9-_./
    name: String,
    /// des, 3des-2 or sm4.
    #[arg(long)]
    kind: String,
    /// terminal- or zone- with master, pin, mac, track or derive.
    #[arg(long)]
    purpose: String,
    /// It may leave, under a master key.
    #[arg(long)]
    exportable: bool,
    /// It is the next version of the key of this name, kind and purpose.
    #[arg(long)]
    next_version: bool,
}

impl New {
    fn body(&self, mut more: Value) -> Value {
        let Self { name, kind, purpose, exportable, next_version } = self;
        more["key"] = json!({"name": name, "kind": kind, "purpose": purpose, "exportable": exportable});
        more["next_version"] = json!(next_version);
        more
    }
}

/// A key that is there.
#[derive(Debug, Args)]
pub(crate) struct At {
    /// The key's name.
    name: String,
    /// Which version; the current one unless said.
    #[arg(long)]
    version: Option<u32>,
}

/// Asks for it.
pub(super) fn ask(command: &Financial, client: &Client) -> Result<Answer> {
    match command {
        Financial::Generate { key, why } => made(client.post(&target(why, &["generate"]), &key.body(json!({})))?),
        Financial::Form { key, components, why } => {
            let body = key.body(json!({"components": components}));
            made(client.post(&target(why, &["form"]), &body)?)
        }
        Financial::Component { name, input, why } => {
            let body = json!({"component": from_hex(&input.text()?)?});
            made(client.post(&target(why, &["component", name]), &body)?)
        }
        Financial::Import { key, under, check_value, input, why } => {
            let encrypted = from_hex(&input.text()?)?;
            let body = key.body(json!({"encrypted": encrypted, "check_value": check_value, "under": under}));
            made(client.post(&target(why, &["import"]), &body)?)
        }
        Financial::Derive { key, from, factor, why } => {
            let body = key.body(json!({"from": from, "factor": from_hex(factor)?}));
            made(client.post(&target(why, &["derive"]), &body)?)
        }
        Financial::Export { key, under, why } => {
            let body = json!({"key": key.name, "version": key.version, "under": under});
            let mut answer = client.post(&target(why, &["export"]), &body)?;
            answer["encrypted"] = to_hex(&answer["encrypted"])?;
            shown(answer, |out| record(&[text("encrypted"), text("check_value")], out))
        }
        Financial::CheckValue { key, why } => {
            let body = json!({"key": key.name, "version": key.version});
            one(client.post(&target(why, &["check-value"]), &body)?, "check_value")
        }
        Financial::TranslatePin { from, to, input, why } => translate_pin(client, (from, to), input, why),
        Financial::Mac { name, form, input, why } => {
            let body = json!({"form": form, "message": BASE64_STANDARD.encode(input.bytes()?)});
            let mut answer = client.post(&target(why, &["mac", name]), &body)?;
            answer["mac"] = to_hex(&answer["mac"])?;
            one(answer, "mac")
        }
        Financial::VerifyMac { key, mac, form, input, why } => {
            let message = BASE64_STANDARD.encode(input.bytes()?);
            let body = json!({"form": form, "message": message, "mac": from_hex(mac)?, "version": key.version});
            let answer = client.post(&target(why, &["verify-mac", &key.name]), &body)?;
            let valid = answer["valid"] == true;
            let complaint = (!valid).then(|| format!("this is not the MAC of this message under `{}`", key.name));
            Ok(Answer::new(answer, if valid { "valid\n".to_owned() } else { String::new() }).complaining(complaint))
        }
        Financial::EncryptTrack { name, track, form, input, why } => {
            let body = json!({"form": form, "track": track, "text": input.text()?});
            one(client.post(&target(why, &["encrypt-track", name]), &body)?, "track")
        }
        Financial::TranslateTrack { from, to, track, form, to_form, input, why } => {
            let (from, to) = (json!({"key": from, "form": form}), json!({"key": to, "form": to_form}));
            let body = json!({"from": from, "to": to, "track": track, "text": input.text()?});
            let answer = client.post(&target(why, &["translate-track"]), &body)?;
            shown(answer, |translated| record(&[text("card_number"), text("track")], translated))
        }
    }
}

fn translate_pin(client: &Client, (from, to): (&str, &str), input: &Input, why: &Why) -> Result<Answer> {
    let lines = input.text()?;
    let (card, block, far) = match lines.lines().map(str::trim).collect::<Vec<_>>()[..] {
        [card, block] => (card, block, card),
        [card, block, far] => (card, block, far),
        _ => bail!("bring card number and block, a line each, and the card number on the far side if it is another"),
    };
    let (from, to) = (json!({"key": from, "card_number": card}), json!({"key": to, "card_number": far}));
    let body = json!({"from": from, "to": to, "block": from_hex(block)?});
    let mut answer = client.post(&target(why, &["translate-pin"]), &body)?;
    answer["block"] = to_hex(&answer["block"])?;
    one(answer, "block")
}

fn target(why: &Why, path: &[&str]) -> String {
    why.target(&[&["financial"], path].concat())
}

/// Hexadecimal digits as the interface takes bytes. The error does not repeat them.
fn from_hex(text: &str) -> Result<String> {
    let digits: String = text.split_whitespace().collect();
    Ok(BASE64_STANDARD.encode(hex::decode(digits).ok().context("these are not pairs of hexadecimal digits")?))
}

fn to_hex(value: &Value) -> Result<Value> {
    Ok(json!(hex::encode_upper(BASE64_STANDARD.decode(value.as_str().unwrap_or_default())?)))
}

/// A key, or how far its components are.
fn made(answer: Value) -> Result<Answer> {
    shown(answer, |answer| {
        let components = match (&answer["found"], &answer["wanted"]) {
            (Value::Null, _) => String::new(),
            (found, wanted) => format!("{found} of {wanted} components are here\n"),
        };
        let key = if answer["key"].is_object() { key_text(&answer["key"]) } else { String::new() };
        components + &key
    })
}
