//! `lintel iso8583`: reads and writes card messages by a profile, without a platform.
//!
//! What JR/T 0171 puts in class C3 is hidden on every way out, and card numbers are 6 + 4 digits: no option shows them.

mod framed;
mod input;
mod made;
mod paint;
mod shown;
mod tags;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use clap::{Args, Subcommand};
use iso8583::profile::{ASCII_1987, Align, Class, Encoding, HOST_LINK, POS_TERMINAL, Pad};
use iso8583::{Message, Profile};
use serde_json::{Value, json};

use self::framed::Kind;
use self::input::Form;
use self::made::Written;
use super::print;

/// What stands in the help.
pub(crate) const EXAMPLES: &str = "\
Examples:
  lintel iso8583 decode 0026600003000060310000000008000020000000C00012…      a terminal's frame
  lintel iso8583 decode --in capture.bin --json
  xxd -p capture.bin | lintel iso8583 decode --profile acquirer.toml
  lintel iso8583 encode mti=0820 11=000001 41=10000001 42=898110070110001 60.1=00 60.2=000001 60.3=301 \\
      tpdu=6000030000 header=603100000000
  lintel iso8583 decode … --json | lintel iso8583 encode --in - 4=000000012345
  lintel iso8583 profile                                       the built-in ones
  lintel iso8583 profile pos_terminal --toml > acquirer.toml   one to change; docs/iso8583.md says each word
  lintel iso8583 profile acquirer.toml                         what is wrong with it, or its fields

Tracks, PIN blocks, expiry, keys and what names a card or person in chip data are never shown; card numbers are shown as 6 + 4
digits. Other users of this machine see arguments: prefer a file or standard input for real messages.";

/// Card messages (ISO 8583): show one, make one, look at profiles.
#[derive(Debug, Subcommand)]
pub(crate) enum Iso8583 {
    /// Show a message as a table, or as JSON.
    #[command(after_help = EXAMPLES)]
    Decode(Decode),
    /// Make a message of FIELD=VALUE, or of JSON.
    #[command(after_help = EXAMPLES)]
    Encode(Encode),
    /// Show the built-in profiles, one profile's fields, or what is wrong with a profile file.
    #[command(after_help = EXAMPLES)]
    Profile(Show),
}

#[derive(Debug, Args)]
pub(crate) struct Decode {
    /// The message, with what goes before it or without; standard input if neither this nor --in is given.
    message: Option<String>,
    /// A file with the message.
    #[arg(long = "in", value_name = "FILE")]
    file: Option<PathBuf>,
    /// How its bytes are written; else hexadecimal if they can be, a message in ASCII, base64, or as they are.
    #[arg(long, value_enum)]
    from: Option<Form>,
    /// pos_terminal, host_link, ascii_1987 or a file; else the one that fits how the message begins.
    #[arg(long, value_name = "NAME|FILE")]
    profile: Option<String>,
    /// What goes before the message; else recognised by how it begins.
    #[arg(long, value_enum)]
    frame: Option<Kind>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Encode {
    /// mti=0200, a field (4=000000012345), a part (60.1=22), a chip tag (55.9F26=…), or of a frame tpdu=, header=,
    /// destination=, source=. Bytes are hexadecimal.
    #[arg(value_name = "FIELD=VALUE")]
    fields: Vec<String>,
    /// JSON as `decode --json` prints it, or {"mti": …, "fields": {"3": …}}; `-` is standard input. FIELD=VALUE overrides it.
    #[arg(long = "in", value_name = "FILE")]
    file: Option<PathBuf>,
    /// pos_terminal, host_link, ascii_1987 or a file; else the one that the JSON names, else pos_terminal.
    #[arg(long, value_name = "NAME|FILE")]
    profile: Option<String>,
    /// How the bytes are printed.
    #[arg(long, value_enum, default_value_t = Form::Hex)]
    to: Form,
    /// Print one JSON object: bytes, hex, base64.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// pos_terminal, host_link, ascii_1987 or a file; all built-in ones unless said.
    #[arg(value_name = "NAME|FILE")]
    profile: Option<String>,
    /// Print the file, to be changed.
    #[arg(long, requires = "profile", conflicts_with = "json")]
    toml: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl Iso8583 {
    /// Does it.
    ///
    /// # Errors
    /// What cannot be read or made: byte, field and remedy.
    pub(crate) fn run(&self) -> Result<()> {
        match self {
            Self::Decode(decode) => decode.run(),
            Self::Encode(encode) => encode.run(),
            Self::Profile(show) => show.run(),
        }
    }
}

impl Decode {
    fn run(&self) -> Result<()> {
        let bytes = input::bytes(self.message.as_deref(), self.file.as_deref(), self.from)?;
        let framed = framed::read(&bytes, self.frame)?;
        let profile = named(self.profile.as_deref().unwrap_or(framed.profile))?;
        let message = bytes.get(framed.at..).unwrap_or_default();
        let says = |error: iso8583::Error| {
            let behind =
                if framed.at == 0 { String::new() } else { format!(" (the message begins at byte {})", framed.at) };
            format!("this is no message of profile {}: {}{behind}", profile.name(), error.moved(framed.at))
        };
        let (read, wrong) = Message::decode_until_wrong(&profile, message).map_err(|error| anyhow!(says(error)))?;
        let (mut shown, complaint) = shown::message(&read, framed.at);
        let complaint = wrong.map(says).or(complaint);
        shown["frame"] = framed.shown;
        shown["error"] = json!(complaint);
        print(&if self.json { format!("{shown}\n") } else { paint::message(&shown, paint::wants_colour()) });
        complaint.map_or(Ok(()), |complaint| bail!(complaint))
    }
}

impl Encode {
    fn run(&self) -> Result<()> {
        let mut written = Written::default();
        let json = self.file.as_ref().map(|file| input::text(Some(file))).transpose()?;
        if let Some(json) = &json {
            written.json(json)?;
        }
        for (position, argument) in self.fields.iter().enumerate() {
            written.argument(position + 1, argument)?;
        }
        let of_json = json.as_deref().and_then(Written::profile_of);
        let profile = named(self.profile.as_deref().or(of_json.as_deref()).unwrap_or("pos_terminal"))?;
        let bytes = written.encode(&profile)?;
        let (hex, base64) = (hex::encode_upper(&bytes), BASE64_STANDARD.encode(&bytes));
        if self.json {
            print(&format!("{}\n", json!({"bytes": bytes.len(), "hex": hex, "base64": base64})));
            return Ok(());
        }
        match self.to {
            Form::Hex => print(&format!("{hex}\n")),
            Form::Base64 => print(&format!("{base64}\n")),
            Form::Binary => drop(std::io::stdout().write_all(&bytes)),
        }
        Ok(())
    }
}

impl Show {
    fn run(&self) -> Result<()> {
        let Some(name) = &self.profile else {
            let all = BUILT_IN.map(|(name, _)| named(name).map(|profile| summary(&profile)));
            let all = Value::Array(all.into_iter().collect::<Result<_>>()?);
            let fields = [super::table::text("name"), super::table::number("fields"), super::table::text("bitmap")];
            print(&if self.json {
                format!("{}\n", json!({ "data": all }))
            } else {
                super::table::table(&fields, &all, None)
            });
            return Ok(());
        };
        if self.toml {
            print(&text_of(name)?);
            return Ok(());
        }
        let profile = named(name)?;
        let mut shown = summary(&profile);
        shown["fields"] = profile.fields().map(|(number, field)| described(number, field)).collect();
        print(&if self.json { format!("{shown}\n") } else { paint::profile(&shown, paint::wants_colour()) });
        Ok(())
    }
}

const BUILT_IN: [(&str, &str); 3] =
    [("pos_terminal", POS_TERMINAL), ("host_link", HOST_LINK), ("ascii_1987", ASCII_1987)];

/// A built-in profile's text, or a file's.
fn text_of(name: &str) -> Result<String> {
    if let Some((_, text)) = BUILT_IN.iter().find(|(known, _)| *known == name) {
        return Ok((*text).to_owned());
    }
    let known = BUILT_IN.map(|(known, _)| known).join(", ");
    std::fs::read_to_string(Path::new(name))
        .with_context(|| format!("the profile {name} is none of {known}, and no file that can be read"))
}

fn named(name: &str) -> Result<Profile> {
    Profile::parse(&text_of(name)?).with_context(|| format!("the profile {name}"))
}

fn summary(profile: &Profile) -> Value {
    let bitmap = profile.bitmap();
    let kind = match bitmap.encoding {
        Encoding::Hex => "hexadecimal",
        Encoding::Binary | Encoding::Bcd | Encoding::Ascii => "binary",
    };
    let always = if bitmap.always_second { ", both halves always" } else { "" };
    json!({
        "name": profile.name(),
        "fields": profile.fields().count(),
        "bitmap": format!("{} bits, {kind}{always}", bitmap.bits),
    })
}

fn described(number: u8, field: &iso8583::profile::Field) -> Value {
    let class = match field.class {
        Class::C1 => "C1",
        Class::C2 => "C2",
        Class::C3 => "C3",
    };
    let packed = field.encoding == Encoding::Bcd;
    let padding = packed.then(|| {
        let (side, with) = (field.align, if field.pad == Pad::Zero { "0" } else { "F" });
        format!("odd digits {}, padded with {with}", if side == Align::Left { "left" } else { "right" })
    });
    let parts = (1..).zip(&field.parts);
    let parts: Vec<_> = parts
        .map(|(index, part): (usize, _)| json!({"part": format!("{number}.{index}"), "name": part.name, "size": part.size}))
        .collect();
    json!({
        "field": number,
        "name": field.name,
        "layout": shown::layout(field),
        "class": class,
        "padding": padding,
        "parts": parts,
    })
}
