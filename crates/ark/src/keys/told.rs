//! What the key service tells of its keys and of its trail.

use std::sync::PoisonError;

use super::{Error, Info, KeyService, service::Slot};
use crate::{
    audit::{self, Broken, Record, Verified},
    provider::PublicKey,
};

impl KeyService {
    /// Every key by name, damaged ones left out.
    ///
    /// # Errors
    /// [`Error::Sealed`].
    pub fn list(&self) -> Result<Vec<Info>, Error> {
        let open = self.opened()?;
        let keys = open.keys.read().unwrap_or_else(PoisonError::into_inner);
        let infos = keys.values().filter_map(|slot| match slot {
            Slot::Key(key) => Some(key.info()),
            Slot::Damaged(_) => None,
        });
        let mut infos: Vec<_> = infos.collect();
        infos.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(infos)
    }

    /// What may be shown of a key.
    ///
    /// # Errors
    /// [`Error::Sealed`], [`Error::Unknown`], [`Error::Damaged`].
    pub fn info(&self, name: &str) -> Result<Info, Error> {
        Ok(self.key(&*self.opened()?, name)?.info())
    }

    /// The public key that signs the trail: keep it elsewhere than the file.
    ///
    /// # Errors
    /// [`Error::Sealed`].
    pub fn audit_public_key(&self) -> Result<PublicKey, Error> {
        Ok(self.provider.public_key(self.opened()?.audit)?)
    }

    /// At most `limit` records of the trail behind number `after`, those of this second included.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub fn audit(&self, after: i64, limit: u32) -> Result<Vec<Record>, Error> {
        let mut file = self.file();
        self.write_trail(&mut file, None)?;
        Ok(audit::list(&file, after, limit)?)
    }

    /// Verifies the whole trail; keeps changes waiting meanwhile, uses only where they write.
    ///
    /// # Errors
    /// [`Broken`] names the first record that is wrong.
    pub fn verify_audit(&self, public: &PublicKey) -> Result<Verified, Broken> {
        audit::verify(&self.file(), &*self.provider, public)
    }
}
