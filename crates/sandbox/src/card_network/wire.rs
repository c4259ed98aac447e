//! Frames of the host link, on the network's side: four digits of length, 46 bytes of header, a message.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};
use iso8583::profile::{Format, HOST_LINK};
use iso8583::{Builder, Digits, Message, Profile, Value};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::cipher::CardCipher;

/// Makes the MAC of a message.
type Tag<'t> = dyn Fn(&[u8]) -> [u8; 8] + 't;

const HEADER: usize = 46;
/// The field of the MAC.
pub(super) const MAC: u8 = 128;

/// Fields without their encoding.
pub(super) type Fields = BTreeMap<u8, Vec<u8>>;

/// A field's text, or none.
pub(super) fn text(fields: &Fields, number: u8) -> &str {
    fields.get(&number).and_then(|content| std::str::from_utf8(content).ok()).unwrap_or_default()
}

/// A message that came, with whose it is.
#[derive(Debug, Clone)]
pub(super) struct Came {
    pub(super) mti: [u8; 4],
    pub(super) fields: Fields,
    pub(super) covered: Vec<u8>,
    source: [u8; 11],
    destination: [u8; 11],
}

/// How messages lie on the link.
#[derive(Debug)]
pub(super) struct Wire {
    profile: Profile,
}

impl Wire {
    /// PIN blocks are as long as the cipher's blocks.
    pub(super) fn new(cipher: CardCipher) -> Result<Self> {
        let mut table: toml::Table = HOST_LINK.parse().context("the profile")?;
        let field = table.get_mut("fields").and_then(|fields| fields.get_mut("52")).and_then(toml::Value::as_table_mut);
        let size = i64::try_from(cipher.block()).context("a block")?;
        field.context("field 52 of the profile")?.insert("size".to_owned(), toml::Value::Integer(size));
        Ok(Self { profile: Profile::parse(&table.to_string()).context("the profile")? })
    }

    /// Reads a frame that lies there without its length.
    pub(super) fn read(&self, frame: &[u8]) -> Result<Came> {
        let (header, message) = frame.split_at_checked(HEADER).context("a header")?;
        ensure!(header.starts_with(&[0x2E, 0x02]), "a header begins with 2E02");
        let total: usize = std::str::from_utf8(&header[2..6])?.parse().context("the total length")?;
        ensure!(total == frame.len(), "the header says {total} bytes of {}", frame.len());
        let read = Message::decode(&self.profile, message)?;
        let mut fields = Fields::new();
        for number in read.fields() {
            let content = match read.value(number)? {
                Value::Digits(digits) => digits.iter().collect(),
                Value::Text(content) | Value::Bytes(content) => content.to_vec(),
                Value::Hex(content) => hex::decode(content)?,
            };
            fields.insert(number, content);
        }
        let covered = read.before(MAC).unwrap_or_default().to_vec();
        let taken = |from: usize| -> Result<[u8; 11]> { Ok(header[from..from + 11].try_into()?) };
        Ok(Came { mti: read.mti(), fields, covered, destination: taken(6)?, source: taken(17)? })
    }

    /// The frame of a message to whoever sent `to`, its MAC by `tag` if there is one.
    pub(super) fn frame(&self, to: &Came, mti: [u8; 4], fields: &Fields, tag: Option<&Tag<'_>>) -> Result<Vec<u8>> {
        let mut builder = Builder::new(&self.profile, mti)?;
        for (number, content) in fields {
            let value = match self.profile.field(*number).map(|field| field.format) {
                Some(Format::N | Format::Z) => Value::Digits(Digits::of(std::str::from_utf8(content)?)),
                Some(Format::B) => Value::Bytes(content),
                Some(Format::An | Format::Ans) => Value::Text(content),
                None => bail!("no field {number}"),
            };
            builder.set(*number, value)?;
        }
        if tag.is_some() {
            builder.bytes(MAC, &[0; 8])?;
        }
        let mut message = builder.encode()?;
        if let Some(tag) = tag {
            let covered = message.len() - 8;
            let mac = tag(&message[..covered]);
            message.truncate(covered);
            message.extend_from_slice(&mac);
        }
        let total = format!("{:04}", HEADER + message.len());
        let mut out = Vec::with_capacity(4 + HEADER + message.len());
        out.extend_from_slice(total.as_bytes());
        out.extend_from_slice(&[0x2E, 0x02]);
        out.extend_from_slice(total.as_bytes());
        out.extend_from_slice(&to.source);
        out.extend_from_slice(&to.destination);
        out.extend_from_slice(&[0, 0, 0, 0]);
        out.extend_from_slice(b"00000000\x0000000");
        out.extend_from_slice(&message);
        Ok(out)
    }
}

/// The type of a request's answer.
pub(super) fn answer_type([version, class, function, _]: [u8; 4]) -> [u8; 4] {
    [version, class, function + 1, b'0']
}

/// The next frame without its length.
pub(super) async fn next<R: AsyncRead + Unpin>(stream: &mut R) -> Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).await?;
    let length: usize = std::str::from_utf8(&length)?.parse().context("a length")?;
    let mut frame = vec![0; length];
    stream.read_exact(&mut frame).await?;
    Ok(frame)
}
