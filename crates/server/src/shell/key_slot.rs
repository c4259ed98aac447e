//! The key service of this process for whoever holds it as [`KeyUse`] or [`ark::keys::FinancialUse`]: sealed while it is not
//! there.
//!
//! It comes when its device answers, and goes at the end; the vault and the channels hold this in its place.

mod financial;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ark::KeyService;
use ark::keys::life::Use;
use ark::keys::{By, Context, Error, Info, KeyUse, Many, Spec};
use zeroize::Zeroizing;

/// A place for a key service.
#[derive(Default)]
pub(crate) struct Slot {
    service: Mutex<Option<Arc<KeyService>>>,
    ended: AtomicBool,
}

impl Slot {
    /// What is there, to be put there or taken.
    pub(crate) fn service(&self) -> MutexGuard<'_, Option<Arc<KeyService>>> {
        self.service.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes it for good.
    pub(crate) fn end(&self) -> Option<Arc<KeyService>> {
        let mut service = self.service();
        self.ended.store(true, Ordering::Relaxed);
        service.take()
    }

    /// Whether it was taken for good.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    fn open(&self) -> Result<Arc<KeyService>, Error> {
        self.service().clone().ok_or(Error::Sealed)
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").field("is_sealed", &self.is_sealed()).finish_non_exhaustive()
    }
}

impl KeyUse for Slot {
    fn ensure(&self, by: &By<'_>, spec: &Spec<'_>) -> Result<Info, Error> {
        KeyUse::ensure(&*self.open()?, by, spec)
    }

    fn info(&self, name: &str) -> Result<Info, Error> {
        self.open()?.info(name)
    }

    fn is_sealed(&self) -> bool {
        self.open().map_or(true, |service| service.is_sealed())
    }

    fn is_at_hand(&self, by: &By<'_>, name: &str, act: Use) -> bool {
        self.open().is_ok_and(|service| service.is_at_hand(by, name, act))
    }

    fn encrypt(&self, by: &By<'_>, name: &str, context: &Context, message: &[u8]) -> Result<String, Error> {
        self.open()?.encrypt(by, name, context, message)
    }

    fn encrypt_many(&self, by: &By<'_>, name: &str, values: &[(&Context, &[u8])]) -> Many<String> {
        self.open()?.encrypt_many(by, name, values)
    }

    fn decrypt(&self, by: &By<'_>, name: &str, context: &Context, text: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
        self.open()?.decrypt(by, name, context, text)
    }

    fn decrypt_many(&self, by: &By<'_>, name: &str, values: &[(&Context, &str)]) -> Many<Zeroizing<Vec<u8>>> {
        self.open()?.decrypt_many(by, name, values)
    }

    fn hmac(&self, by: &By<'_>, name: &str, message: &[u8]) -> Result<String, Error> {
        self.open()?.hmac(by, name, message)
    }

    fn verify_hmac(&self, by: &By<'_>, name: &str, message: &[u8], tag: &str) -> Result<(), Error> {
        self.open()?.verify_hmac(by, name, message, tag)
    }

    fn sign(&self, by: &By<'_>, name: &str, message: &[u8]) -> Result<String, Error> {
        self.open()?.sign(by, name, message)
    }

    fn verify(&self, by: &By<'_>, name: &str, message: &[u8], signature: &str) -> Result<(), Error> {
        self.open()?.verify(by, name, message, signature)
    }
}
