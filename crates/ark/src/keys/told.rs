//! What the key service tells of its keys, of its trail, and of its algorithms when they are tested.

use std::sync::PoisonError;

use super::{
    By, Error, Info, KeyService,
    service::{Slot, act, checked},
};
use crate::{
    audit::{self, Broken, Record, Verified},
    provider::{KeyError, PublicKey},
    randomness::{self, TestResult},
    soft,
};

/// How self-tests on request went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelfTest {
    /// Names of the known answers that did not come out.
    pub failed: Vec<&'static str>,
    /// How the tests of randomness went, if they were asked for.
    pub randomness: Vec<TestResult>,
}

impl SelfTest {
    /// Whether all is well.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.failed.is_empty() && self.randomness.iter().all(TestResult::is_good)
    }
}

impl KeyService {
    /// Every key by name, damaged ones left out.
    ///
    /// # Errors
    /// [`Error::Sealed`].
    pub fn list(&self) -> Result<Vec<Info>, Error> {
        let open = self.opened()?;
        let keys = open.keys.read().unwrap_or_else(PoisonError::into_inner);
        let infos = keys.values().filter_map(|slot| match slot {
            Slot::Key(key) => Some(self.info_of(key)),
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
        Ok(self.info_of(&*self.key(&*self.opened()?, name)?))
    }

    /// Tests the algorithms by their known answers, and what the provider gives as random if that is asked for, which takes
    /// seconds. If one does not pass, or there are no random bytes to test, the service seals itself: root key and all keys leave memory,
    /// and nothing is done with keys until it is unsealed again.
    ///
    /// # Errors
    /// [`Error::Sealed`]; [`Error::Provider`] if there are no random bytes; those of [`KeyService::seal`]. It is sealed all the same.
    pub fn self_test(&self, by: &By<'_>, randomness: bool) -> Result<SelfTest, Error> {
        checked(by)?;
        self.opened()?;
        let failed = soft::self_test();
        let randomness = if randomness { randomness::check(&*self.provider) } else { Ok(Vec::new()) };
        let tested = randomness.map(|randomness| SelfTest { failed, randomness });
        self.conclude(by, tested.as_ref().is_ok_and(SelfTest::is_good))?;
        Ok(tested?)
    }

    fn conclude(&self, by: &By<'_>, is_good: bool) -> Result<(), Error> {
        let outcome = if is_good { audit::OK } else { KeyError::SelfTest(Vec::new()).code() };
        let noted = self.note_act(act(by, "", 0, "self-test", outcome), by.now);
        if is_good {
            return noted;
        }
        // Also where the trail cannot be written.
        let sealed = self.seal(by);
        noted.and(sealed)
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
        let mut place = self.place();
        self.write_trail(&mut place, None)?;
        Ok(audit::list(&place.read()?, after, limit)?)
    }

    /// Verifies the whole trail; keeps changes waiting meanwhile, uses only where they write.
    ///
    /// # Errors
    /// [`Broken`] names the first record that is wrong.
    pub fn verify_audit(&self, public: &PublicKey) -> Result<Verified, Broken> {
        audit::verify(&mut self.place(), &*self.provider, public)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{KeyService, SelfTest};
    use crate::{ceremony::RootKey, keys::By, provider::Provider as _, randomness::TestResult, soft::Soft};

    #[test]
    fn what_does_not_pass_is_forgotten_where_no_trail_can_be_written_too() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let (root, by) = (RootKey::generate().expect("random bytes"), By::new("test", "", 1));
        let soft = Arc::new(Soft::new().expect("self-tests pass"));
        let service = KeyService::init(directory.path(), soft.clone(), &root, &by).expect("a key service");
        let open = service.opened().expect("open");
        let handles = [open.root, open.rows, open.audit];
        drop(open);
        assert!(handles.iter().all(|key| soft.kind(*key).is_ok()));
        let meddler = rusqlite::Connection::open(directory.path().join(crate::keys::KEYS_NAME)).expect("opens");
        meddler.execute_batch("DROP TABLE audit").expect("no trail");
        assert!(service.conclude(&by, false).is_err(), "it is not in the trail");
        assert!(service.is_sealed());
        assert!(handles.iter().all(|key| soft.kind(*key).is_err()), "neither the root key nor another is in memory");
    }

    #[test]
    fn what_does_not_pass_seals_the_service() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let (root, by) = (RootKey::generate().expect("random bytes"), By::new("test", "", 1));
        let soft = Arc::new(Soft::new().expect("self-tests pass"));
        let service = KeyService::init(directory.path(), soft, &root, &by).expect("a key service");
        assert!(service.self_test(&by, false).expect("open").is_good());
        assert!(!service.is_sealed());
        let biased = TestResult { name: "monobit", samples: 20, passed: 3, repeated: true };
        for tested in [
            SelfTest { failed: vec!["sm3"], randomness: vec![] },
            SelfTest { failed: vec![], randomness: vec![biased] },
        ] {
            service.conclude(&by, tested.is_good()).expect("written");
            assert!(service.is_sealed());
            assert!(service.self_test(&by, false).is_err(), "nothing is tested while it is sealed");
            service.unseal(&root, &by).expect("its root key");
            let last =
                service.audit(0, 100).expect("a trail").into_iter().rfind(|record| record.act.operation == "self-test");
            assert_eq!(last.expect("a record").act.outcome, "self_test_failed");
        }
    }
}
