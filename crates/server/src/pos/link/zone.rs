//! The zone's keys: what is done with them, and how new ones come in.
//!
//! ```text
//!  zone/NAME/master   ZMK, formed by custodians      ─ takes in ─► zone/NAME/pin    ZPK: PINs are translated into it
//!                                                                  zone/NAME/mac    ZAK: field 128
//!                                                                  zone/NAME/track  ZDK, where tracks go out encrypted
//! ```
//! A key comes by a key reset (0800, code 101): F53 says which one, F48 brings it encrypted under the master key, F96 its
//! check value; the message's own MAC is made with the new key where it is a MAC key. It becomes the next version; what the
//! network made under the version before is believed for some minutes more.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ark::financial::{Purpose as Duty, TerminalMac};
use ark::keys::life::Use;
use ark::keys::{Birth, By, Error, FinancialUse, KeyAt, Kind, Purpose, Spec, VersionInfo};
use zeroize::Zeroizing;

use super::wire::MAC_BYTES;
use crate::pos::keys::used;

/// How long the version before a new one is believed.
const GRACE: Duration = Duration::from_secs(600);

/// How the trail of the key service names who uses them.
const REASON: &str = "card network";

/// A key of the zone that a reset brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ZoneKey {
    Pin,
    Mac,
    Track,
}

impl ZoneKey {
    /// The first digit of F53 [known for PIN and MAC; ours for tracks].
    pub(super) const fn digit(self) -> char {
        match self {
            Self::Pin => '1',
            Self::Mac => '2',
            Self::Track => '3',
        }
    }

    /// Which one F53 means.
    pub(super) fn of(security_control: &str) -> Option<Self> {
        [Self::Pin, Self::Mac, Self::Track].into_iter().find(|key| security_control.starts_with(key.digit()))
    }

    const fn duty(self) -> Duty {
        match self {
            Self::Pin => Duty::Pin,
            Self::Mac => Duty::Mac,
            Self::Track => Duty::Data,
        }
    }

    /// The last part of its name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Pin => "pin",
            Self::Mac => "mac",
            Self::Track => "track",
        }
    }
}

/// A key that a reset brought.
pub(super) struct Brought {
    pub(super) key: ZoneKey,
    pub(super) encrypted: Vec<u8>,
    pub(super) check: Vec<u8>,
    /// What the message's MAC covers, and that MAC.
    pub(super) covered: Zeroizing<Vec<u8>>,
    pub(super) mac: Vec<u8>,
}

/// The keys of a network's zone.
pub(super) struct Zone {
    keys: Arc<dyn FinancialUse>,
    name: String,
    form: TerminalMac,
    /// When the MAC key last changed in this process.
    changed: Mutex<Option<Instant>>,
}

impl Zone {
    pub(super) fn new(keys: Arc<dyn FinancialUse>, network: &str, form: TerminalMac) -> Self {
        Self { keys, name: format!("zone/{network}"), form, changed: Mutex::default() }
    }

    /// The name of a key.
    pub(super) fn key(&self, key: ZoneKey) -> String {
        format!("{}/{}", self.name, key.name())
    }

    /// Whether the key is there.
    pub(super) async fn has(self: &Arc<Self>, key: ZoneKey) -> bool {
        self.beside(move |zone| zone.keys.info(&zone.key(key)).map(drop)).await.is_ok()
    }

    /// The MAC of what it covers.
    ///
    /// # Errors
    /// Those of the key service: there is no such key, it is sealed, …
    pub(super) async fn mac(&self, covered: &[u8]) -> Result<[u8; MAC_BYTES], Error> {
        let (name, form, covered) = (self.key(ZoneKey::Mac), self.form, Zeroizing::new(covered.to_vec()));
        let key = name.clone();
        let tag =
            move |keys: &dyn FinancialUse, by: &By<'_>| keys.terminal_mac(by, KeyAt::current(&key), form, &covered);
        used(&self.keys, by(), &[(name.as_str(), Use::Protect)], tag).await
    }

    /// Whether a MAC is what it should be.
    ///
    /// # Errors
    /// Those of the key service but a MAC that is wrong.
    pub(super) async fn verifies(self: &Arc<Self>, covered: Zeroizing<Vec<u8>>, mac: Vec<u8>) -> Result<bool, Error> {
        let (name, zone) = (self.key(ZoneKey::Mac), Arc::clone(self));
        used(&self.keys, by(), &[(name.as_str(), Use::Verify)], move |_, _| zone.compare(&covered, &mac)).await
    }

    /// Takes a new key in, once the message that brings it is believed.
    ///
    /// # Errors
    /// A key or check value that is wrong, a MAC that is wrong (`None`), and those of the key service.
    pub(super) async fn take(self: &Arc<Self>, brought: Brought) -> Result<Option<()>, Error> {
        self.beside(move |zone| zone.take_in(&brought)).await
    }

    fn compare(&self, covered: &[u8], mac: &[u8]) -> Result<bool, Error> {
        let name = self.key(ZoneKey::Mac);
        if self.matches(KeyAt::current(&name), covered, mac)? {
            return Ok(true);
        }
        let changed = *self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        if changed.is_none_or(|changed| changed.elapsed() > GRACE) {
            return Ok(false);
        }
        let before = self.keys.info(&name)?.versions.iter().rev().nth(1).map(|version| version.version);
        before.map_or(Ok(false), |version| self.matches(KeyAt { name: &name, version: Some(version) }, covered, mac))
    }

    fn matches(&self, at: KeyAt<'_>, covered: &[u8], mac: &[u8]) -> Result<bool, Error> {
        match self.keys.verify_terminal_mac(&by(), at, self.form, covered, mac) {
            Ok(()) => Ok(true),
            Err(Error::Provider(ark::provider::KeyError::Tag)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn take_in(&self, brought: &Brought) -> Result<Option<()>, Error> {
        let Brought { key, check, covered, mac, .. } = brought;
        let name = self.key(*key);
        let kind: Kind = self.keys.info(&format!("{}/master", self.name))?.kind;
        // What brings a PIN key is believed by the MAC key that is there. A MAC key proves itself, under a name where nothing
        // uses it: else a message that was changed on its way would put a key in use first.
        let believed = if *key == ZoneKey::Mac {
            let waiting = format!("{name}/incoming");
            self.import(&waiting, kind, brought)?;
            self.matches(KeyAt::current(&waiting), covered, mac)?
        } else {
            self.compare(covered, mac)?
        };
        if !believed {
            return Ok(None);
        }
        let known = match self.keys.info(&name) {
            Ok(info) => info.versions,
            Err(Error::Unknown(_)) => Vec::new(),
            Err(error) => return Err(error),
        };
        let same = |version: &VersionInfo| version.check_value.is_some_and(|known| known.starts_with(check));
        // The network repeats what was not answered; anybody can repeat what the network sent long ago.
        if let Some(at) = known.iter().position(same) {
            return Ok((at + 1 == known.len()).then_some(()));
        }
        self.import(&name, kind, brought)?;
        if *key == ZoneKey::Mac {
            *self.changed.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
        Ok(Some(()))
    }

    /// Takes it in as the next version of this name, or its first.
    fn import(&self, name: &str, kind: Kind, brought: &Brought) -> Result<(), Error> {
        let birth = match self.keys.info(name) {
            Ok(_) => Birth::Version,
            Err(Error::Unknown(_)) => Birth::Key,
            Err(error) => return Err(error),
        };
        let spec = Spec::new(name, kind, Purpose::Zone(brought.key.duty()));
        let master = format!("{}/master", self.name);
        let brought = (brought.encrypted.as_slice(), brought.check.as_slice());
        match self.keys.import_terminal_key(&by(), &spec, birth, brought, &master) {
            // A key service elsewhere may have been asked twice.
            Err(Error::Exists(_)) => {
                let versions = self.keys.info(name)?.versions;
                let made = versions.last().and_then(|version| version.check_value);
                let same = made.is_some_and(|made| made.starts_with(brought.1));
                if same { Ok(()) } else { Err(Error::Exists(name.to_owned())) }
            }
            imported => imported.map(drop),
        }
    }

    /// Beside the runtime: the key service may ask a disk or another machine.
    async fn beside<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let zone = Arc::clone(self);
        match tokio::task::spawn_blocking(move || work(&zone)).await {
            Ok(result) => result,
            // A panic of the key service is none of its errors.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

fn by() -> By<'static> {
    ark::keys::by_platform(REASON)
}
