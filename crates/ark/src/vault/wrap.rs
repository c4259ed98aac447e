//! What the vault wraps, by the key service: data keys, the MAC root, secrets of one-time codes, card numbers.
//!
//! Each lies under the key `platform/vault`, bound to what it is and whose, so that a wrapped key put in another's place does
//! not open.

use std::{fmt, sync::Arc};

use zeroize::Zeroizing;

use crate::{
    error::Error,
    keys::{self, BATCH_MAX, Context, KeyUse, Purpose, Spec, State, VAULT_KEY, by_platform},
    provider::KeyKind,
    vault::CustomerId,
};

/// Why, in the key service's trail.
const REASON: &str = "vault";

/// Wraps and unwraps.
#[derive(Clone)]
pub(super) struct Wrapper {
    keys: Arc<dyn KeyUse>,
}

impl Wrapper {
    pub(super) fn new(keys: Arc<dyn KeyUse>) -> Self {
        Self { keys }
    }

    pub(super) fn is_sealed(&self) -> bool {
        self.keys.is_sealed()
    }

    /// Makes the key for a vault that has none yet.
    pub(super) fn ensure(&self) -> Result<(), Error> {
        self.keys.ensure(&by_platform(REASON), &Spec::new(VAULT_KEY, KeyKind::Sm4, Purpose::Encrypt))?;
        Ok(())
    }

    pub(super) fn wrap(&self, what: &Context, bytes: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(self.keys.encrypt(&by_platform(REASON), VAULT_KEY, what, bytes)?.into_bytes())
    }

    /// Many, in their order: all or none.
    pub(super) fn wrap_many(&self, values: &[(Context, Zeroizing<Vec<u8>>)]) -> Result<Vec<Vec<u8>>, Error> {
        let mut wrapped = Vec::with_capacity(values.len());
        for part in values.chunks(BATCH_MAX) {
            let part: Vec<_> = part.iter().map(|(what, bytes)| (what, bytes.as_slice())).collect();
            for text in self.keys.encrypt_many(&by_platform(REASON), VAULT_KEY, &part)? {
                wrapped.push(text?.into_bytes());
            }
        }
        Ok(wrapped)
    }

    /// `None` if it is not what was wrapped for this; other failures are the key service's.
    pub(super) fn unwrap(&self, what: &Context, wrapped: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        let Ok(text) = std::str::from_utf8(wrapped) else { return Ok(None) };
        match self.keys.decrypt(&by_platform(REASON), VAULT_KEY, what, text) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if is_of_nothing(&error) || matches!(error, keys::Error::Unknown(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Up to [`BATCH_MAX`], in their order, each as [`Wrapper::unwrap`]; all must be texts of the key service.
    pub(super) fn unwrap_many(&self, values: &[(&Context, &[u8])]) -> Result<Vec<Option<Zeroizing<Vec<u8>>>>, Error> {
        if values.is_empty() {
            return Ok(Vec::new());
        }
        let texts: Vec<_> =
            values.iter().map(|(what, wrapped)| (*what, std::str::from_utf8(wrapped).unwrap_or_default())).collect();
        let opened = self.keys.decrypt_many(&by_platform(REASON), VAULT_KEY, &texts)?;
        let one = |opened| match opened {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if is_of_nothing(&error) || is_barred(&error) => Ok(None),
            Err(error) => Err(error.into()),
        };
        opened.into_iter().map(one).collect()
    }

    /// The version that wraps now; 0 if none is active.
    pub(super) fn newest(&self) -> Result<u32, Error> {
        let versions = self.keys.info(VAULT_KEY)?.versions;
        let active = versions.iter().filter(|version| version.state == State::Active);
        Ok(active.map(|version| version.version).max().unwrap_or(0))
    }
}

/// Whether this was wrapped by a version before `newest`. What is no wrapping at all is not: nothing could move it.
pub(super) fn is_older(wrapped: &[u8], newest: u32) -> bool {
    version_of(wrapped).is_some_and(|version| version < newest)
}

/// The version that wrapped this, if anything did.
pub(super) fn version_of(wrapped: &[u8]) -> Option<u32> {
    std::str::from_utf8(wrapped).ok().and_then(keys::version_of)
}

/// Whether it is no text that this key made. By the code, for a key service elsewhere answers with that.
fn is_of_nothing(error: &keys::Error) -> bool {
    matches!(error.code(), "decryption_failed" | "key_version")
}

/// Whether the version that wrapped it may not open now: it is suspended, compromised or destroyed.
pub(super) fn is_barred(error: &keys::Error) -> bool {
    error.code() == "key_state"
}

/// Prints which key service it is.
impl fmt::Debug for Wrapper {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.keys.fmt(formatter)
    }
}

fn context(what: &str, pairs: &[(&str, u64)]) -> Context {
    let numbers = pairs.iter().map(|(name, number)| ((*name).to_owned(), number.to_string()));
    numbers.chain([("vault".to_owned(), what.to_owned())]).collect()
}

/// What the wrapped MAC root is bound to.
pub(super) fn mac_root() -> Context {
    context("mac-root", &[])
}

/// What a wrapped data key is bound to.
pub(super) fn data_key(customer: CustomerId, key: u64) -> Context {
    context("data-key", &[("customer", customer.0), ("key", key)])
}

/// What the secret of an operator's one-time codes is bound to.
pub(super) fn totp(operator: u64, serial: u32) -> Context {
    context("totp", &[("operator", operator), ("serial", u64::from(serial))])
}

/// What a card's number is bound to.
pub(super) fn card(token: &str) -> Context {
    let mut bound = context("card", &[]);
    bound.insert("token".to_owned(), token.to_owned());
    bound
}
