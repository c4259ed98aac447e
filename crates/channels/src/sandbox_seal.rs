//! What closes a file of the sandbox's houses: its last line, `T|lines|SM3 of all bytes before it|HMAC-SM3(key, head and those bytes)`.
//!
//! The hash tells a damaged file from a forged one; only the HMAC makes what stands there [`Verified`].

use ark::sm3;

use crate::error::ChannelError;
use crate::sandbox_wire::Wire;
use crate::verified::Verified;

/// A kind of sealed file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seal {
    /// What errors call it.
    pub(crate) what: &'static str,
    /// What the HMAC is made over before the bytes.
    pub(crate) head: &'static [u8],
    /// What a file that is not sealed is told.
    pub(crate) not_a_file: &'static str,
    /// What the trailer counts.
    pub(crate) counts: &'static str,
}

impl Seal {
    /// What `read` makes of the lines before the trailer, with their number, once they are what the key signed.
    ///
    /// # Errors
    /// [`ChannelError::Signature`], [`ChannelError::Format`], [`ChannelError::Key`], and those of `read`.
    pub(crate) fn open<T>(
        &self,
        wire: &Wire,
        file: &[u8],
        read: impl FnOnce(&str) -> Result<(T, usize), ChannelError>,
    ) -> Result<Verified<T>, ChannelError> {
        let not_a_file = || self.wrong(wire, "trailer", self.not_a_file);
        let (signed, trailer) = cut(file).ok_or_else(not_a_file)?;
        let fields: Vec<&str> = trailer.split('|').collect();
        let &["T", count, hash, tag] = fields.as_slice() else { return Err(not_a_file()) };
        if hash != hex::encode(sm3(signed)) {
            let reason = "its SM3 is not that of the lines before it: fetch the file again";
            return Err(self.wrong(wire, "trailer", reason));
        }
        let tag = hex::decode(tag).unwrap_or_default();
        let verified = Verified::by_mac(wire.channel, &wire.key, self.head, signed, &tag)?
            .ok_or(ChannelError::Signature { channel: wire.channel, what: self.what })?;
        verified.try_map(|bytes| {
            let text = str::from_utf8(bytes).map_err(|_| self.wrong(wire, "text", "it is not UTF-8"))?;
            let (read, lines) = read(text)?;
            if count != lines.to_string() {
                return Err(self.wrong(wire, "trailer", format!("it counts {count:.20} {} of {lines}", self.counts)));
            }
            Ok(read)
        })
    }

    /// A file that is not as it should be, there and for this reason.
    pub(crate) fn wrong(&self, wire: &Wire, place: impl Into<String>, reason: impl Into<String>) -> ChannelError {
        ChannelError::Format { channel: wire.channel, what: self.what, place: place.into(), reason: reason.into() }
    }
}

/// What is signed, and the trailer without its line feed.
fn cut(file: &[u8]) -> Option<(&[u8], &str)> {
    let body = file.strip_suffix(b"\n")?;
    let start = body.iter().rposition(|byte| *byte == b'\n')?.saturating_add(1);
    let (signed, trailer) = body.split_at_checked(start)?;
    Some((signed, str::from_utf8(trailer).ok()?))
}
