//! Text with a signature behind it, as networks put it behind XML and files: `{S:` base64 `}`, over every byte before it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use zeroize::Zeroizing;

use crate::answer::Answer;
use crate::error::ChannelError;
use crate::key::{KeyPair, PeerKeys};
use crate::message::Response;
use crate::verified::Verified;

const BEGIN: &str = "{S:";
const END: &str = "}";

/// How messages are signed, both ways.
#[derive(Debug)]
pub(crate) struct Signer {
    pub(crate) ours: KeyPair,
    pub(crate) theirs: PeerKeys,
}

impl Signer {
    /// The message with its signature.
    ///
    /// # Errors
    /// [`ChannelError::Key`].
    pub(crate) fn signed(&self, channel: &'static str, text: &str) -> Result<Zeroizing<Vec<u8>>, ChannelError> {
        let signature = BASE64_STANDARD.encode(self.ours.sign(channel, text.as_bytes())?);
        Ok(Zeroizing::new([text, BEGIN, &signature, END].concat().into_bytes()))
    }

    /// The text before the signature, which the other side made.
    ///
    /// # Errors
    /// [`ChannelError::Signature`].
    pub(crate) fn verified<'b>(
        &self,
        channel: &'static str,
        what: &'static str,
        body: &'b [u8],
    ) -> Result<Verified<&'b str>, ChannelError> {
        let opened = self.opened(body).and_then(|(text, signed)| Verified::if_signed(text, signed));
        opened.ok_or(ChannelError::Signature { channel, what })
    }

    /// The text before the signature of an answer, or what an answer without it is.
    ///
    /// # Errors
    /// [`Answer::Disbelieved`]; [`Answer::Unknown`] for a status that brings no answer.
    pub(crate) fn answered<'r>(&self, response: &'r Response) -> Result<&'r str, Answer> {
        match self.opened(&response.body) {
            _ if response.status != 200 => Err(Answer::Unknown),
            Some((text, true)) => Ok(text),
            Some((_, false)) | None => Err(Answer::UNSIGNED),
        }
    }

    /// The text before the signature, and whether the other side made it; `None` if there is none.
    pub(crate) fn opened<'b>(&self, body: &'b [u8]) -> Option<(&'b str, bool)> {
        let whole = str::from_utf8(body).ok()?;
        let (text, signature) = whole.strip_suffix(END)?.rsplit_once(BEGIN)?;
        let signature = BASE64_STANDARD.decode(signature).ok()?;
        Some((text, self.theirs.fits(text.as_bytes(), &signature)))
    }
}
