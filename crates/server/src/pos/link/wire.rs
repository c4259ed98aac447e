//! Bytes of a link: frames in and out, messages as fields.

use std::io;

use channels::host_link::{BEGIN, HEADER, Header, LENGTH, number};
use iso8583::value::Digits;
use iso8583::{Builder, Message, Profile, Value};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use zeroize::Zeroizing;

use crate::pos::network::Fields;

/// The field of the MAC, the last one.
pub(super) const MAC: u8 = 128;
/// Its bytes.
pub(super) const MAC_BYTES: usize = 8;
/// No message is shorter behind its header: message type and bitmap.
const SHORTEST: usize = HEADER + 4;

/// Why a connection's bytes make no sense any more, or have ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("the connection ended")]
    Ended,
    #[error("the connection failed: {0}")]
    Failed(#[from] io::Error),
    #[error("framing is lost: {0}")]
    Framing(&'static str),
}

/// What a link knows of its messages and members.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) profile: Profile,
    header: Header,
}

/// A message that came, read whole.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) mti: [u8; 4],
    pub(super) fields: Fields,
    /// What its MAC covers, if it has one.
    pub(super) covered: Option<Zeroizing<Vec<u8>>>,
    /// Whether the network sent one of ours back as unreadable.
    pub(super) rejected: bool,
}

impl Wire {
    /// The wire of a member to the network's centre.
    pub(super) fn new(profile: Profile, member: &str, centre: &str) -> Self {
        Self { profile, header: Header::between(padded(member), padded(centre)) }
    }

    /// A message without its MAC, and how many of its bytes the MAC covers.
    ///
    /// # Errors
    /// A field that the profile does not have, or that does not fit it.
    pub(super) fn message(&self, mti: [u8; 4], fields: &Fields, with_mac: bool) -> Result<Made, iso8583::Error> {
        let mut builder = Builder::new(&self.profile, mti)?;
        for (number, content) in fields.iter() {
            builder.set(number, self.value(number, content))?;
        }
        if with_mac {
            builder.bytes(MAC, &[0; MAC_BYTES])?;
        }
        Ok(Made { bytes: Zeroizing::new(builder.encode()?), with_mac })
    }

    /// A field's content in the form that the profile asks for.
    fn value<'c>(&self, number: u8, content: &'c [u8]) -> Value<'c> {
        use iso8583::profile::Format;
        match self.profile.field(number).map(|field| field.format) {
            Some(Format::N | Format::Z) => match std::str::from_utf8(content) {
                Ok(text) => Value::Digits(Digits::of(text)),
                Err(_) => Value::Text(content),
            },
            Some(Format::B) => Value::Bytes(content),
            Some(Format::An | Format::Ans) | None => Value::Text(content),
        }
    }

    /// Length, header and message.
    ///
    /// # Errors
    /// A message that is longer than a frame can say.
    pub(super) fn frame(&self, message: &[u8]) -> Result<Zeroizing<Vec<u8>>, channels::host_link::HeaderError> {
        let mut out = Zeroizing::new(Vec::with_capacity(LENGTH + HEADER + message.len()));
        self.header.frame(message, &mut out)?;
        Ok(out)
    }

    /// Reads a frame that came, without its length.
    ///
    /// # Errors
    /// A header that is none: framing is lost. A message that does not read is `None`: framing is kept.
    pub(super) fn read(&self, frame: &[u8]) -> Result<Option<Incoming>, Broken> {
        let (header, total) = Header::read(frame).map_err(|error| {
            tracing::warn!(%error, "a header of the card network");
            Broken::Framing("no header where one belongs")
        })?;
        if total != frame.len() {
            return Err(Broken::Framing("the header's length is another than the frame's"));
        }
        let message = match Message::decode(&self.profile, frame.get(HEADER..).unwrap_or_default()) {
            Ok(message) => message,
            Err(error) => {
                tracing::warn!(%error, "a message of the card network does not read");
                return Ok(None);
            }
        };
        let mut fields = Fields::default();
        for number in message.fields() {
            match message.value(number) {
                Ok(Value::Digits(digits)) => fields.set(number, digits.iter().collect::<Vec<u8>>()),
                Ok(Value::Text(content) | Value::Bytes(content)) => fields.set(number, content),
                Ok(Value::Hex(content)) => match hex::decode(content) {
                    Ok(bytes) => fields.set(number, bytes),
                    Err(_) => return Ok(None),
                },
                Err(_) => return Ok(None),
            };
        }
        let covered = message.before(MAC).map(|bytes| Zeroizing::new(bytes.to_vec()));
        Ok(Some(Incoming { mti: message.mti(), fields, covered, rejected: header.reject != *b"00000" }))
    }
}

/// A message that was made.
pub(super) struct Made {
    bytes: Zeroizing<Vec<u8>>,
    with_mac: bool,
}

impl Made {
    /// What the MAC covers.
    pub(super) fn covered(&self) -> &[u8] {
        let end = self.bytes.len() - if self.with_mac { MAC_BYTES } else { 0 };
        self.bytes.get(..end).unwrap_or_default()
    }

    /// The message with its MAC.
    pub(super) fn with(mut self, mac: [u8; MAC_BYTES]) -> Zeroizing<Vec<u8>> {
        if self.with_mac {
            let begin = self.covered().len();
            self.bytes.truncate(begin);
            self.bytes.extend_from_slice(&mac);
        }
        self.bytes
    }

    /// The message that has none.
    pub(super) fn plain(self) -> Zeroizing<Vec<u8>> {
        self.bytes
    }
}

/// A code of at most eleven digits with blanks behind.
fn padded(code: &str) -> [u8; 11] {
    let mut out = [b' '; 11];
    for (to, from) in out.iter_mut().zip(code.bytes()) {
        *to = from;
    }
    out
}

/// The next frame without its length.
///
/// # Errors
/// [`Broken`]: the stream is of no use any more.
pub(super) async fn next<R: AsyncRead + Unpin>(stream: &mut R) -> Result<Zeroizing<Vec<u8>>, Broken> {
    let mut length = [0; LENGTH];
    if let Err(error) = stream.read_exact(&mut length).await {
        return Err(if error.kind() == io::ErrorKind::UnexpectedEof { Broken::Ended } else { error.into() });
    }
    if !length.iter().all(u8::is_ascii_digit) {
        return Err(Broken::Framing("no length where one belongs"));
    }
    let length = number(&length);
    if length < SHORTEST {
        return Err(Broken::Framing("a length that no message has"));
    }
    let mut frame = Zeroizing::new(vec![0; length]);
    stream.read_exact(&mut frame).await?;
    if !frame.starts_with(&BEGIN) {
        return Err(Broken::Framing("no header behind the length"));
    }
    Ok(frame)
}
