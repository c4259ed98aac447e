//! A message from what people write: `field=value` and the JSON that `decode --json` prints.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use channels::host_link;
use encoding_rs::GBK;
use iso8583::profile::{Field, Format, Profile};
use iso8583::{Builder, tlv};
use serde_json::Value;

use crate::pos::envelope::{Header, Tpdu, put_frame};

/// Field 55, whose tags may be given one by one.
const CHIP_DATA: u8 = 55;

/// What was written, by its name: `mti`, a field, a part such as `60.1`, a tag such as `55.9F26`, an item of a frame.
#[derive(Default)]
pub(super) struct Written {
    items: BTreeMap<String, Value>,
    /// In the order in which they came: tags are a list.
    tags: Vec<(u32, Vec<u8>)>,
}

impl Written {
    /// Takes `NAME=VALUE`, the `position`th argument.
    ///
    /// # Errors
    /// No `=`, or a name that there is not. Values are not repeated: they may be card numbers.
    pub(super) fn argument(&mut self, position: usize, argument: &str) -> Result<()> {
        let (name, value) = argument.split_once('=').with_context(|| {
            format!("argument {position} is no FIELD=VALUE, such as mti=0200, 3=000000, 60.1=22 or 55.9F26=…")
        })?;
        self.put(name, Value::String(value.to_owned()))
    }

    /// Takes an object: what `decode --json` prints, or `{"mti": …, "fields": {"3": …}}`.
    ///
    /// # Errors
    /// No such object, or one in which something is hidden.
    pub(super) fn json(&mut self, text: &str) -> Result<()> {
        let object: Value = serde_json::from_str(text).context("this is no JSON")?;
        let mti = object.get("mti").context("the JSON has no `mti`, such as \"0200\"")?;
        self.put("mti", mti.clone())?;
        match &object["fields"] {
            Value::Object(fields) => fields.iter().try_for_each(|(name, value)| self.put(name, value.clone()))?,
            Value::Array(fields) => fields.iter().try_for_each(|field| self.shown(field))?,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                bail!(
                    "the JSON has no `fields`: an object of values by number, or the list that `decode --json` prints"
                )
            }
        }
        let frame = object["frame"].as_object();
        for (name, value) in frame.into_iter().flatten().filter(|(name, _)| FRAME.contains(&name.as_str())) {
            self.put(name, value.clone())?;
        }
        Ok(())
    }

    /// The profile that JSON names.
    pub(super) fn profile_of(text: &str) -> Option<String> {
        let object: Value = serde_json::from_str(text).ok()?;
        Some(object.get("profile")?.as_str()?.to_owned())
    }

    /// A field as `decode` shows it.
    fn shown(&mut self, field: &Value) -> Result<()> {
        let number = field["field"].as_u64().context("an entry of `fields` has no `field`, its number")?;
        if let (true, Some(tags)) = (number == u64::from(CHIP_DATA), field["tags"].as_array()) {
            for tag in tags {
                let name = tag["tag"].as_str().context("a tag of field 55 has no `tag`, such as 9F26")?;
                let value = tag["value"].as_str().with_context(|| {
                    format!("field 55: tag {name} is hidden in this JSON; write its `value` in hexadecimal")
                })?;
                self.put(&format!("55.{name}"), Value::String(value.to_owned()))?;
            }
            return Ok(());
        }
        if field["hidden"] == true || field["masked"] == true {
            bail!("field {number} is hidden in this JSON; put its `value` in, and take `hidden` or `masked` out");
        }
        self.put(&number.to_string(), field["value"].clone())
    }

    fn put(&mut self, name: &str, value: Value) -> Result<()> {
        let tag = name.strip_prefix("55.").map(|tag| (tag, value.as_str().and_then(|value| hex::decode(value).ok())));
        if let Some((tag, value)) = tag {
            let number = u32::from_str_radix(tag, 16).ok().with_context(|| format!("{tag} is no tag, such as 9F26"))?;
            self.tags.push((number, value.with_context(|| format!("55.{tag}: its value is not hexadecimal"))?));
            return Ok(());
        }
        let (number, part) = name.split_once('.').map_or((name, None), |(number, part)| (number, Some(part)));
        let is_number = |text: &str| text.parse::<u8>().is_ok_and(|number| number > 0);
        let known = name == "mti" || FRAME.contains(&name) || is_number(number) && part.is_none_or(is_number);
        ensure!(
            known,
            "there is no field `{name}`: write a number, 60.1 for a part, 55.9F26 for a tag, mti, {}",
            FRAME.join(", ")
        );
        self.items.insert(name.to_owned(), value);
        Ok(())
    }

    /// The message, with a frame if something of one was given.
    ///
    /// # Errors
    /// What the profile does not allow, by field.
    pub(super) fn encode(mut self, profile: &Profile) -> Result<Vec<u8>> {
        let mti = self.items.remove("mti").context("the message type is missing: mti=0200")?;
        let mti = mti.as_str().and_then(|mti| mti.as_bytes().first_chunk::<4>().copied().filter(|_| mti.len() == 4));
        let mut message = Builder::new(profile, mti.context("the message type is four digits, such as mti=0200")?)?;
        let (frame, fields): (BTreeMap<_, _>, BTreeMap<_, _>) =
            self.items.into_iter().partition(|(name, _)| FRAME.contains(&name.as_str()));
        let mut parts: BTreeMap<u8, BTreeMap<u8, String>> = BTreeMap::new();
        for (name, value) in fields {
            match name.split_once('.') {
                Some((number, part)) => {
                    let value = value.as_str().with_context(|| format!("{name}: its value is no text"))?.to_owned();
                    parts.entry(number.parse()?).or_default().insert(part.parse()?, value);
                }
                None => set(&mut message, profile, name.parse()?, &value)?,
            }
        }
        for (number, parts) in parts {
            let joined = joined(profile, number, &parts)?;
            set(&mut message, profile, number, &Value::String(joined))?;
        }
        if !self.tags.is_empty() {
            let mut chip = Vec::new();
            self.tags.iter().try_for_each(|(tag, value)| tlv::put(&mut chip, *tag, value))?;
            message.bytes(CHIP_DATA, &chip)?;
        }
        framed(&message.encode()?, &frame)
    }
}

/// What of a frame can be given; else it follows from the message.
const FRAME: [&str; 7] = ["tpdu", "header", "destination", "source", "batch", "transaction", "reject_code"];

/// Sets one field from what was written for it.
fn set(message: &mut Builder<'_>, profile: &Profile, number: u8, value: &Value) -> Result<()> {
    let field = profile.field(number).with_context(|| {
        let name = profile.name();
        format!("field {number}: profile {name} does not describe it; see `lintel iso8583 profile {name}`")
    })?;
    let text = match value {
        Value::String(text) => text,
        Value::Number(amount) if field.format == Format::N => {
            message.amount(number, amount.as_i64().with_context(|| format!("field {number}: no whole number"))?)?;
            return Ok(());
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            bail!("field {number}: its value is no text")
        }
    };
    match field.format {
        Format::N | Format::Z => message.digits(number, text)?,
        Format::An | Format::Ans => {
            let (bytes, _, lost) = GBK.encode(text);
            ensure!(!lost, "field {number}: it has a character that GBK does not have");
            message.set(number, iso8583::Value::Text(&bytes))?
        }
        Format::B => {
            let bytes = hex::decode(text).ok();
            message.bytes(
                number,
                &bytes.with_context(|| format!("field {number}: it is bytes; write them in hexadecimal"))?,
            )?
        }
    };
    Ok(())
}

/// The parts of a field in order, from the first, each of its size.
fn joined(profile: &Profile, number: u8, given: &BTreeMap<u8, String>) -> Result<String> {
    let all = profile.field(number).map_or(&[][..], |field: &Field| &field.parts);
    let last = given.keys().next_back().copied().unwrap_or_default();
    ensure!(
        usize::from(last) <= all.len(),
        "field {number} has {} parts in profile {}, no part {last}",
        all.len(),
        profile.name()
    );
    (1..=last)
        .zip(all)
        .map(|(index, part)| {
            let value = given.get(&index).with_context(|| {
                format!("field {number}: {number}.{index} ({}) is missing before {number}.{last}", part.name)
            })?;
            let (found, size) = (value.chars().count(), usize::from(part.size));
            ensure!(found == size, "{number}.{index} ({}): length {found}; the profile has {size}", part.name);
            Ok(value.as_str())
        })
        .collect()
}

fn framed(message: &[u8], frame: &BTreeMap<String, Value>) -> Result<Vec<u8>> {
    let has = |names: &[&str]| names.iter().any(|name| frame.contains_key(*name));
    let text = |name: &str, usual: &str| -> Result<String> {
        match frame.get(name) {
            Some(value) => Ok(value.as_str().map_or_else(|| value.to_string(), str::to_owned)),
            None => Ok(usual.to_owned()),
        }
    };
    let mut out = Vec::new();
    match (has(&["tpdu", "header"]), has(&["destination", "source", "batch", "transaction", "reject_code"])) {
        (false, false) => return Ok(message.to_vec()),
        (true, true) => {
            bail!("tpdu and header are a terminal's; destination and source are of the host link: give one kind")
        }
        (true, false) => {
            let tpdu = digits(&text("tpdu", "6000000000")?, "tpdu")?;
            let header = digits(&text("header", "600000000000")?, "header")?;
            put_frame(&mut out, Tpdu(tpdu), Header(header), message)
                .map_err(|found| anyhow!("a frame of {found} bytes; at most 65535 fit its length"))?;
        }
        (false, true) => {
            let mut header = host_link::Header::between(
                padded(&text("source", "")?, "source")?,
                padded(&text("destination", "")?, "destination")?,
            );
            header.transaction = padded(&text("transaction", "00000000")?, "transaction")?;
            header.reject = padded(&text("reject_code", "00000")?, "reject_code")?;
            header.batch = text("batch", "0")?.parse().context("batch is a number from 0 to 255")?;
            header.frame(message, &mut out)?;
        }
    }
    Ok(out)
}

fn digits<const N: usize>(text: &str, what: &str) -> Result<[u8; N]> {
    let bytes = hex::decode(text).ok().filter(|_| text.bytes().all(|digit| digit.is_ascii_digit()));
    let array = bytes.and_then(|bytes| <[u8; N]>::try_from(bytes).ok());
    array.with_context(|| format!("{what} is {} digits, not \"{text}\"", N * 2))
}

fn padded<const N: usize>(text: &str, what: &str) -> Result<[u8; N]> {
    ensure!(
        text.len() <= N && text.bytes().all(|byte| matches!(byte, 0x20..=0x7E)),
        "{what} is at most {N} printable ASCII characters"
    );
    let mut out = [b' '; N];
    out.iter_mut().zip(text.bytes()).for_each(|(slot, byte)| *slot = byte);
    Ok(out)
}
