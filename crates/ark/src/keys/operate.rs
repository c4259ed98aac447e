//! What named keys do. Each call leaves a trace, also where it is refused.

use std::{
    fmt,
    sync::{MutexGuard, PoisonError},
};

use zeroize::Zeroizing;

use super::{
    By, Context, Error, KeyService, Kind, Purpose,
    held::Held,
    life::Use,
    service::{Key, Open, Version, act, checked},
    text,
};
use crate::{
    audit::{self, Act, Pending},
    provider::{Authentication, Check, KeyError, KeyHandle, KeyKind, PublicKeyEncryption, Signing},
};

/// Values in one batch at most.
pub const BATCH_MAX: usize = 1_000;
/// Random bytes of one call at most.
pub const RANDOM_MAX: usize = 65_536;

/// A fresh data key: in clear for the caller, and as it may be kept.
pub struct DataKey {
    /// The key itself, wiped when dropped.
    pub plaintext: Zeroizing<Vec<u8>>,
    /// The key as [`KeyService::decrypt`] takes it, `ark:vN:…`.
    pub ciphertext: String,
}

/// Prints the ciphertext only.
impl fmt::Debug for DataKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("DataKey").field("ciphertext", &self.ciphertext).finish_non_exhaustive()
    }
}

impl KeyService {
    /// Encrypts under the current version: `ark:vN:…`, bound to key, version and context.
    ///
    /// # Errors
    /// [`Error::Sealed`], [`Error::Unknown`], [`Error::Usage`], [`Error::State`], [`Error::TooLarge`].
    pub fn encrypt(&self, by: &By<'_>, name: &str, context: &Context, message: &[u8]) -> Result<String, Error> {
        self.operate(by, name, "encrypt", |open, key, used| self.seal_under(open, key, used, context, message))
    }

    /// Decrypts what [`KeyService::encrypt`] made of this key, under any version that may still open. Of a pair that decrypts: what
    /// anyone encrypted for the public key of the version that `ark:vN:…` names, SM2 in DER or RSA-OAEP with SHA-256, without a context.
    ///
    /// # Errors
    /// [`Error::Decryption`] for whatever is wrong with the text or the context; [`Error::Version`], [`Error::State`],
    /// and as [`KeyService::encrypt`].
    pub fn decrypt(
        &self,
        by: &By<'_>,
        name: &str,
        context: &Context,
        ciphertext: &str,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        self.operate(by, name, "decrypt", |_, key, used| self.open_under(by, key, used, context, ciphertext))
    }

    /// The same message under the current version; the caller does not see it.
    ///
    /// # Errors
    /// As [`KeyService::decrypt`] and [`KeyService::encrypt`].
    pub fn rewrap(&self, by: &By<'_>, name: &str, context: &Context, ciphertext: &str) -> Result<String, Error> {
        self.operate(by, name, "rewrap", |open, key, used| {
            let message = self.open_under(by, key, used, context, ciphertext)?;
            self.seal_under(open, key, used, context, &message)
        })
    }

    /// A random data key of 16 to 64 bytes.
    ///
    /// # Errors
    /// As [`KeyService::encrypt`]; [`Error::Provider`] for another length.
    pub fn datakey(&self, by: &By<'_>, name: &str, context: &Context, length: usize) -> Result<DataKey, Error> {
        self.operate(by, name, "datakey", |open, key, used| {
            if !(16..=64).contains(&length) {
                let needed = "a data key has 16 to 64 bytes";
                return Err(KeyError::Length { what: "data key", found: length, needed }.into());
            }
            let mut plaintext = Zeroizing::new(vec![0; length]);
            self.provider.random(&mut plaintext)?;
            let ciphertext = self.seal_under(open, key, used, context, &plaintext)?;
            Ok(DataKey { plaintext, ciphertext })
        })
    }

    /// Signs a message under the current version: SM2 with SM3 and the usual id, PKCS #1 v1.5, ECDSA or Ed25519, by the
    /// key's kind. One that [waits](KeyService::with_overlap) is not current yet. `ark:vN:…`
    ///
    /// # Errors
    /// As [`KeyService::encrypt`].
    pub fn sign(&self, by: &By<'_>, name: &str, message: &[u8]) -> Result<String, Error> {
        self.operate(by, name, "sign", |open, key, used| {
            let version = key.current_at(by.now, self.overlap_of(name));
            let (version, handle) = self.protect_by(open, key, version, used, Purpose::Sign, "sign")?;
            Ok(text::write(version.number, &self.provider.sign(handle, scheme(key)?, message)?))
        })
    }

    /// Verifies what [`KeyService::sign`] made.
    ///
    /// # Errors
    /// [`Error::Provider`] with `signature_invalid` for whatever is wrong with it; [`Error::Version`],
    /// [`Error::State`], [`Error::Usage`].
    pub fn verify(&self, by: &By<'_>, name: &str, message: &[u8], signature: &str) -> Result<(), Error> {
        self.operate(by, name, "verify", |_, key, used| {
            of_purpose(key, Purpose::Sign, "verify")?;
            let (number, signature) = text::parse(signature).ok_or(KeyError::Signature)?;
            *used = number;
            let version = key.version(number)?;
            let handle = self.allowed(key, version, Use::Verify, "verify", by.compromised_too)?;
            let made;
            let public = match &version.public {
                Some(public) => public,
                None => {
                    made = self.provider.public_key(handle)?;
                    &made
                }
            };
            let check = Check { public, scheme: scheme(key)?, message, signature: &signature };
            Ok(self.provider.verify(&check)?)
        })
    }

    /// The tag of a message under the current version: HMAC-SM3 or CMAC, by the key's kind. `ark:vN:…`
    ///
    /// # Errors
    /// As [`KeyService::encrypt`].
    pub fn hmac(&self, by: &By<'_>, name: &str, message: &[u8]) -> Result<String, Error> {
        self.operate(by, name, "hmac", |open, key, used| {
            let (version, handle) = self.protect(open, key, used, Purpose::Mac, "make tags")?;
            Ok(text::write(version.number, &self.provider.authenticate(handle, authentication(key), message)?))
        })
    }

    /// Compares a tag with the message's, in constant time.
    ///
    /// # Errors
    /// [`Error::Provider`] with `tag_mismatch` for whatever is wrong with it; [`Error::Version`], [`Error::State`],
    /// [`Error::Usage`].
    pub fn verify_hmac(&self, by: &By<'_>, name: &str, message: &[u8], tag: &str) -> Result<(), Error> {
        self.operate(by, name, "verify-hmac", |_, key, used| {
            of_purpose(key, Purpose::Mac, "verify tags")?;
            let (number, tag) = text::parse(tag).ok_or(KeyError::Tag)?;
            *used = number;
            let version = key.version(number)?;
            let handle = self.allowed(key, version, Use::Verify, "verify tags", by.compromised_too)?;
            Ok(self.provider.check_tag(handle, authentication(key), message, &tag)?)
        })
    }

    /// Random bytes of the provider, at most [`RANDOM_MAX`].
    ///
    /// # Errors
    /// [`Error::Sealed`], [`Error::TooLarge`], [`Error::Provider`].
    pub fn random(&self, by: &By<'_>, length: usize) -> Result<Zeroizing<Vec<u8>>, Error> {
        checked(by)?;
        self.opened()?;
        let result = if length > RANDOM_MAX {
            Err(Error::TooLarge { what: "random, bytes", found: length, limit: RANDOM_MAX })
        } else {
            let mut bytes = Zeroizing::new(vec![0; length]);
            self.provider.random(&mut bytes).map(|()| bytes).map_err(Error::from)
        };
        self.note(by, "", 0, "random", result.as_ref().err())?;
        result
    }

    /// [`KeyService::encrypt`] of many, in their order, each by itself: no lock is held over the batch.
    ///
    /// # Errors
    /// [`Error::BatchTooLarge`] for more than [`BATCH_MAX`]; those of one value stand in its place.
    pub fn encrypt_many(
        &self,
        by: &By<'_>,
        name: &str,
        values: &[(&Context, &[u8])],
    ) -> Result<Vec<Result<String, Error>>, Error> {
        batch(values, |(context, message)| self.encrypt(by, name, context, message))
    }

    /// [`KeyService::decrypt`] of many.
    ///
    /// # Errors
    /// As [`KeyService::encrypt_many`].
    #[expect(clippy::type_complexity, reason = "a result for each, in a result for all")]
    pub fn decrypt_many(
        &self,
        by: &By<'_>,
        name: &str,
        values: &[(&Context, &str)],
    ) -> Result<Vec<Result<Zeroizing<Vec<u8>>, Error>>, Error> {
        batch(values, |(context, ciphertext)| self.decrypt(by, name, context, ciphertext))
    }

    /// [`KeyService::rewrap`] of many.
    ///
    /// # Errors
    /// As [`KeyService::encrypt_many`].
    pub fn rewrap_many(
        &self,
        by: &By<'_>,
        name: &str,
        values: &[(&Context, &str)],
    ) -> Result<Vec<Result<String, Error>>, Error> {
        batch(values, |(context, ciphertext)| self.rewrap(by, name, context, ciphertext))
    }

    /// [`KeyService::datakey`], one for each context.
    ///
    /// # Errors
    /// As [`KeyService::encrypt_many`].
    pub fn datakey_many(
        &self,
        by: &By<'_>,
        name: &str,
        contexts: &[&Context],
        length: usize,
    ) -> Result<Vec<Result<DataKey, Error>>, Error> {
        batch(contexts, |context| self.datakey(by, name, context, length))
    }

    /// [`KeyService::sign`] of many.
    ///
    /// # Errors
    /// As [`KeyService::encrypt_many`].
    pub fn sign_many(&self, by: &By<'_>, name: &str, messages: &[&[u8]]) -> Result<Vec<Result<String, Error>>, Error> {
        batch(messages, |message| self.sign(by, name, message))
    }

    /// [`KeyService::verify`] of many: message and signature.
    ///
    /// # Errors
    /// As [`KeyService::encrypt_many`].
    pub fn verify_many(
        &self,
        by: &By<'_>,
        name: &str,
        values: &[(&[u8], &str)],
    ) -> Result<Vec<Result<(), Error>>, Error> {
        batch(values, |(message, signature)| self.verify(by, name, message, signature))
    }

    /// [`KeyService::hmac`] of many.
    ///
    /// # Errors
    /// As [`KeyService::encrypt_many`].
    pub fn hmac_many(&self, by: &By<'_>, name: &str, messages: &[&[u8]]) -> Result<Vec<Result<String, Error>>, Error> {
        batch(messages, |message| self.hmac(by, name, message))
    }

    /// [`KeyService::verify_hmac`] of many: message and tag.
    ///
    /// # Errors
    /// As [`KeyService::encrypt_many`].
    pub fn verify_hmac_many(
        &self,
        by: &By<'_>,
        name: &str,
        values: &[(&[u8], &str)],
    ) -> Result<Vec<Result<(), Error>>, Error> {
        batch(values, |(message, tag)| self.verify_hmac(by, name, message, tag))
    }

    fn seal_under(
        &self,
        open: &Open,
        key: &Key,
        used: &mut u32,
        context: &Context,
        message: &[u8],
    ) -> Result<String, Error> {
        let (version, handle) = self.protect(open, key, used, Purpose::Encrypt, "encrypt")?;
        let associated = text::associated(&key.row.uid, version.number, context)?;
        Ok(text::write(version.number, &self.provider.seal(handle, &associated, message)?))
    }

    pub(super) fn open_under(
        &self,
        by: &By<'_>,
        key: &Key,
        used: &mut u32,
        context: &Context,
        ciphertext: &str,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let pair = key.row.purpose == Purpose::Decrypt;
        if !pair {
            of_purpose(key, Purpose::Encrypt, "decrypt")?;
        }
        let (number, sealed) = text::parse(ciphertext).ok_or(Error::Decryption)?;
        *used = number;
        let version = key.version(number)?;
        let handle = self.allowed(key, version, Use::Open, "decrypt", by.compromised_too)?;
        if pair {
            return if context.is_empty() { self.open_for(key, handle, &sealed) } else { Err(Error::Decryption) };
        }
        let associated = text::associated(&key.row.uid, number, context)?;
        Ok(self.provider.open(handle, &associated, &sealed)?)
    }

    /// Opens what was encrypted for a pair.
    fn open_for(&self, key: &Key, handle: KeyHandle, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let scheme = if key.row.kind.is(KeyKind::Sm2) {
            PublicKeyEncryption::Sm2Der
        } else {
            PublicKeyEncryption::RsaOaepSha256
        };
        Ok(self.provider.decrypt_with(handle, scheme, sealed)?)
    }

    /// The version that protects now, its use counted.
    pub(super) fn protect<'a>(
        &self,
        open: &Open,
        key: &'a Key,
        used: &mut u32,
        purpose: Purpose,
        operation: &'static str,
    ) -> Result<(&'a Version, KeyHandle), Error> {
        self.protect_by(open, key, key.current(), used, purpose, operation)
    }

    /// This version, its use counted.
    fn protect_by<'a>(
        &self,
        open: &Open,
        key: &Key,
        version: Option<&'a Version>,
        used: &mut u32,
        purpose: Purpose,
        operation: &'static str,
    ) -> Result<(&'a Version, KeyHandle), Error> {
        of_purpose(key, purpose, operation)?;
        let version = version.ok_or_else(|| Error::Unknown(key.row.name.clone()))?;
        *used = version.number;
        let handle = self.allowed(key, version, Use::Protect, operation, false)?;
        self.count(open, key, version)?;
        Ok((version, handle))
    }

    pub(super) fn allowed(
        &self,
        key: &Key,
        version: &Version,
        act: Use,
        operation: &'static str,
        compromised_too: bool,
    ) -> Result<KeyHandle, Error> {
        self.in_mode(&key.row.name, key.row.kind)?;
        let held = allowed(key, version, act, operation, compromised_too)?;
        let (name, purpose) = (key.row.name.clone(), key.row.purpose);
        held.general().ok_or(Error::Usage { name, purpose, operation })
    }

    /// Does it and counts it in the trail: a result leaves only once it is counted.
    fn operate<T>(
        &self,
        by: &By<'_>,
        name: &str,
        operation: &'static str,
        run: impl FnOnce(&Open, &Key, &mut u32) -> Result<T, Error>,
    ) -> Result<T, Error> {
        checked(by)?;
        let open = self.opened()?;
        let mut version = 0;
        let result = self.key(&open, name).and_then(|key| run(&open, &key, &mut version));
        self.note(by, name, version, operation, result.as_ref().err())?;
        result
    }

    pub(super) fn note(
        &self,
        by: &By<'_>,
        name: &str,
        version: u32,
        operation: &str,
        error: Option<&Error>,
    ) -> Result<(), Error> {
        self.note_act(act(by, name, version, operation, error.map_or(audit::OK, Error::code)), by.now)
    }

    pub(super) fn note_act(&self, act: Act, now: i64) -> Result<(), Error> {
        let mut pending = self.pending();
        if pending.due(now) {
            drop(pending);
            let mut place = self.place();
            // Another thread may have written it while this one waited for the place.
            if self.pending().due(now) {
                self.write_trail(&mut place, None)?;
            }
            pending = self.pending();
        }
        pending.count(act, now);
        Ok(())
    }

    pub(super) fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn batch<V: Copy, T>(values: &[V], run: impl FnMut(V) -> T) -> Result<Vec<T>, Error> {
    if values.len() > BATCH_MAX {
        return Err(Error::BatchTooLarge { found: values.len(), limit: BATCH_MAX });
    }
    Ok(values.iter().copied().map(run).collect())
}

pub(super) fn of_purpose(key: &Key, purpose: Purpose, operation: &'static str) -> Result<(), Error> {
    if key.row.purpose == purpose {
        return Ok(());
    }
    Err(Error::Usage { name: key.row.name.clone(), purpose: key.row.purpose, operation })
}

/// The key of a version whose state allows it.
pub(super) fn allowed<'a>(
    key: &Key,
    version: &'a Version,
    act: Use,
    operation: &'static str,
    compromised_too: bool,
) -> Result<&'a Held, Error> {
    let held = version.held.as_ref().filter(|_| version.life.state.allows(act, compromised_too));
    held.ok_or_else(|| Error::State {
        name: key.row.name.clone(),
        version: version.number,
        state: version.life.state,
        operation,
    })
}

fn scheme(key: &Key) -> Result<Signing<'static>, Error> {
    let Kind::General(kind) = key.row.kind else {
        return Err(Error::Kind { kind: key.row.kind, purpose: Purpose::Sign });
    };
    match kind {
        KeyKind::Sm2 => Ok(Signing::SM2),
        KeyKind::Rsa2048 | KeyKind::Rsa3072 => Ok(Signing::RsaPkcs1Sha256),
        KeyKind::P256 => Ok(Signing::P256Sha256),
        KeyKind::Ed25519 => Ok(Signing::Ed25519),
        kind @ (KeyKind::Sm4
        | KeyKind::HmacSm3
        | KeyKind::Aes128
        | KeyKind::Aes256
        | KeyKind::TripleDes2
        | KeyKind::TripleDes3) => Err(Error::Kind { kind: kind.into(), purpose: Purpose::Sign }),
    }
}

fn authentication(key: &Key) -> Authentication {
    if key.row.kind.is(KeyKind::HmacSm3) { Authentication::HmacSm3 } else { Authentication::Cmac }
}
