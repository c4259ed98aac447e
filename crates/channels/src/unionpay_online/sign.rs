//! Signatures of forms, both ways.
//!
//! ```text
//! signMethod 01   base64( RSA PKCS #1 with SHA-256 over hex(SHA-256(text)) )        our key pair, UnionPay's public key
//! signMethod 12   hex( SM3( text & hex(SM3(secret)) ) )                             one secret on both sides
//! ```
//! The other side's certificate travels in `signPubKeyCert`. It is signed with the rest and otherwise not looked at:
//! who believes it would believe every certificate of its issuer. What is believed is the public key in the settings.

use ark::sm3;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha256};

use crate::error::ChannelError;
use crate::form::Form;
use crate::key::{KeyPair, PeerKeys, SharedSecret};

/// How forms are signed.
#[derive(Debug)]
pub(super) enum Signer {
    /// 01.
    Rsa { ours: Box<KeyPair>, cert_id: String, theirs: Box<PeerKeys> },
    /// 12.
    Sm3 { secret: SharedSecret },
}

impl Signer {
    /// The code in `signMethod`.
    const fn method(&self) -> &'static str {
        match self {
            Self::Rsa { .. } => "01",
            Self::Sm3 { .. } => "12",
        }
    }

    /// Signs a form.
    ///
    /// # Errors
    /// [`ChannelError::Key`].
    pub(super) fn sign(&self, channel: &'static str, form: &mut Form) -> Result<(), ChannelError> {
        form.set("signMethod", self.method());
        let signature = match self {
            Self::Rsa { ours, cert_id, .. } => {
                form.set("certId", cert_id);
                BASE64_STANDARD.encode(ours.sign(channel, digest(form).as_bytes())?)
            }
            Self::Sm3 { secret } => hashed(channel, secret, form)?,
        };
        form.set("signature", signature);
        Ok(())
    }

    /// Whether the other side signed the form.
    ///
    /// # Errors
    /// [`ChannelError::Key`]: then nobody knows.
    pub(super) fn fits(&self, channel: &'static str, form: &Form) -> Result<bool, ChannelError> {
        let (Some(method), Some(signature)) = (form.get("signMethod"), form.get("signature")) else {
            return Ok(false);
        };
        if method != self.method() {
            return Ok(false);
        }
        match self {
            Self::Rsa { theirs, .. } => {
                let signature = BASE64_STANDARD.decode(signature);
                Ok(signature.is_ok_and(|signature| theirs.fits(digest(form).as_bytes(), &signature)))
            }
            // The hashes are compared: how long that takes says nothing of the right signature.
            Self::Sm3 { secret } => {
                let right = hashed(channel, secret, form)?;
                Ok(sm3(right.as_bytes()) == sm3(signature.as_bytes()))
            }
        }
    }
}

fn digest(form: &Form) -> String {
    hex::encode(Sha256::digest(form.signed_text().as_bytes()))
}

fn hashed(channel: &'static str, secret: &SharedSecret, form: &Form) -> Result<String, ChannelError> {
    let key = secret.with(channel, |bytes| hex::encode(sm3(bytes)))?;
    let mut text = form.signed_text();
    text.push('&');
    text.push_str(&key);
    Ok(hex::encode(sm3(text.as_bytes())))
}
