//! What the platform asks of its key service, wherever that runs: in this process or in one of its own.
//!
//! Callers hold an `Arc<dyn KeyUse>`. It is only what the platform does with its own keys: it makes them once, and uses
//! them by name. Ceremonies, roles, rotation and the trail are the key service's own business.

use std::fmt;

use zeroize::Zeroizing;

use super::{By, Context, Error, Info, KeyService, Spec, by_platform, life::Use};
use crate::provider::PublicKey;

/// What came of each value of a batch, in their order; or what was wrong with the batch.
pub type Many<T> = Result<Vec<Result<T, Error>>, Error>;

/// Keys by name. Calls block: on the disk, and on the network where the keys are elsewhere; uses of keys that are
/// [at hand](Self::is_at_hand) do not.
///
/// Every operation may fail with [`Error::Sealed`], after which the same call works again once custodians have unsealed.
pub trait KeyUse: fmt::Debug + Send + Sync {
    /// The key of this name, made if there is none. Two callers that ask at once get the same key.
    ///
    /// # Errors
    /// [`Error::OtherKey`] if there is one of another kind or purpose, or one that may leave where this one may not; those
    /// of [`KeyService::create`] but [`Error::Exists`].
    fn ensure(&self, by: &By<'_>, spec: &Spec<'_>) -> Result<Info, Error>;

    /// As [`KeyService::info`].
    ///
    /// # Errors
    /// [`Error::Sealed`], [`Error::Unknown`], [`Error::Damaged`].
    fn info(&self, name: &str) -> Result<Info, Error>;

    /// Whether it is sealed, as far as is known here: cheap enough to be asked for each request.
    fn is_sealed(&self) -> bool;

    /// Whether a use of this key waits for nothing now, neither a disk nor a device nor the network, so that a task may do it
    /// where it stands. It may be otherwise a moment later: such a use waits as others do. Never for keys that are elsewhere.
    fn is_at_hand(&self, _by: &By<'_>, _name: &str, _act: Use) -> bool {
        false
    }

    /// As [`KeyService::encrypt`].
    ///
    /// # Errors
    /// Those of [`KeyService::encrypt`].
    fn encrypt(&self, by: &By<'_>, name: &str, context: &Context, message: &[u8]) -> Result<String, Error>;

    /// As [`KeyService::encrypt_many`]: at most [`super::BATCH_MAX`] values.
    ///
    /// # Errors
    /// Those of [`KeyService::encrypt_many`].
    fn encrypt_many(&self, by: &By<'_>, name: &str, values: &[(&Context, &[u8])]) -> Many<String>;

    /// As [`KeyService::decrypt`].
    ///
    /// # Errors
    /// Those of [`KeyService::decrypt`].
    fn decrypt(&self, by: &By<'_>, name: &str, context: &Context, text: &str) -> Result<Zeroizing<Vec<u8>>, Error>;

    /// As [`KeyService::decrypt_many`]: at most [`super::BATCH_MAX`] values.
    ///
    /// # Errors
    /// Those of [`KeyService::decrypt_many`].
    fn decrypt_many(&self, by: &By<'_>, name: &str, values: &[(&Context, &str)]) -> Many<Zeroizing<Vec<u8>>>;

    /// As [`KeyService::hmac`]; [`super::bytes_of`] takes the tag out of its text.
    ///
    /// # Errors
    /// Those of [`KeyService::hmac`].
    fn hmac(&self, by: &By<'_>, name: &str, message: &[u8]) -> Result<String, Error>;

    /// As [`KeyService::verify_hmac`]; [`super::text_of`] makes the text of a tag that came without a version.
    ///
    /// # Errors
    /// Those of [`KeyService::verify_hmac`].
    fn verify_hmac(&self, by: &By<'_>, name: &str, message: &[u8], tag: &str) -> Result<(), Error>;

    /// As [`KeyService::sign`].
    ///
    /// # Errors
    /// Those of [`KeyService::sign`].
    fn sign(&self, by: &By<'_>, name: &str, message: &[u8]) -> Result<String, Error>;

    /// As [`KeyService::verify`].
    ///
    /// # Errors
    /// Those of [`KeyService::verify`].
    fn verify(&self, by: &By<'_>, name: &str, message: &[u8], signature: &str) -> Result<(), Error>;

    /// The public key of the version that signs now; `None` of a key that is no pair, or has no version that signs.
    ///
    /// # Errors
    /// As [`KeyUse::info`].
    fn public_key(&self, name: &str) -> Result<Option<PublicKey>, Error> {
        let info = self.info(name)?;
        Ok(info.current(by_platform("").now).and_then(|version| version.public.clone()))
    }
}

impl KeyUse for KeyService {
    fn ensure(&self, by: &By<'_>, spec: &Spec<'_>) -> Result<Info, Error> {
        let found = match KeyService::info(self, spec.name) {
            Err(Error::Unknown(_)) => match self.create(by, spec) {
                // Another caller made it meanwhile.
                Err(Error::Exists(_)) => KeyService::info(self, spec.name)?,
                made => return made,
            },
            found => found?,
        };
        let same = found.kind == spec.kind && found.purpose == spec.purpose && (spec.exportable || !found.exportable);
        if same { Ok(found) } else { Err(Error::OtherKey(spec.name.to_owned())) }
    }

    fn info(&self, name: &str) -> Result<Info, Error> {
        KeyService::info(self, name)
    }

    fn is_sealed(&self) -> bool {
        KeyService::is_sealed(self)
    }

    fn is_at_hand(&self, by: &By<'_>, name: &str, act: Use) -> bool {
        KeyService::is_at_hand(self, by, name, act)
    }

    fn encrypt(&self, by: &By<'_>, name: &str, context: &Context, message: &[u8]) -> Result<String, Error> {
        KeyService::encrypt(self, by, name, context, message)
    }

    fn encrypt_many(&self, by: &By<'_>, name: &str, values: &[(&Context, &[u8])]) -> Many<String> {
        KeyService::encrypt_many(self, by, name, values)
    }

    fn decrypt(&self, by: &By<'_>, name: &str, context: &Context, text: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
        KeyService::decrypt(self, by, name, context, text)
    }

    fn decrypt_many(&self, by: &By<'_>, name: &str, values: &[(&Context, &str)]) -> Many<Zeroizing<Vec<u8>>> {
        KeyService::decrypt_many(self, by, name, values)
    }

    fn hmac(&self, by: &By<'_>, name: &str, message: &[u8]) -> Result<String, Error> {
        KeyService::hmac(self, by, name, message)
    }

    fn verify_hmac(&self, by: &By<'_>, name: &str, message: &[u8], tag: &str) -> Result<(), Error> {
        KeyService::verify_hmac(self, by, name, message, tag)
    }

    fn sign(&self, by: &By<'_>, name: &str, message: &[u8]) -> Result<String, Error> {
        KeyService::sign(self, by, name, message)
    }

    fn verify(&self, by: &By<'_>, name: &str, message: &[u8], signature: &str) -> Result<(), Error> {
        KeyService::verify(self, by, name, message, signature)
    }
}
