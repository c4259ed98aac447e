//! Devices of the key service, by configuration: those that keep its root key, and financial modules.
//!
//! ```text
//!  ark.provider   soft              no device: custodians bring the root key
//!                 sdf, pkcs11       the root key is made in the device and opens the service at start
//!                 fhsm              custodians bring the root key; the modules are for terminals' keys
//! ```
//! A device that does not answer is tried again; what only a person can mend, such as a refused PIN, is not: tokens lock.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ark::device::{DeviceError, Health, Rooted};
use ark::fhsm::{self, Fhsm};
use ark::keys::{By, Error, Home};
use ark::pkcs11::{self, Pkcs11};
use ark::provider::{KeyError, KeyHandle, KeyKind};
use ark::sdf::{self, Sdf};
use ark::{KeyService, Provider, Soft};

use crate::config::{ArkConfig, ArkProvider};

/// How long a device that did not answer is left alone.
const AGAIN: Duration = Duration::from_secs(2);

/// The devices of the settings, once they answer.
pub(crate) struct Devices {
    config: ArkConfig,
    state: Mutex<State>,
}

enum State {
    Untried,
    Open(Arc<Device>),
    Failed {
        said: String,
        /// `None` if trying again does not help.
        again: Option<Instant>,
    },
}

impl Devices {
    /// Those of the settings; none with `soft`.
    pub(crate) fn of(config: &ArkConfig) -> Option<Self> {
        let has = match config.provider {
            ArkProvider::Soft => false,
            ArkProvider::Sdf | ArkProvider::Pkcs11 | ArkProvider::Fhsm => true,
        };
        has.then(|| Self { config: config.clone(), state: Mutex::new(State::Untried) })
    }

    /// The devices, opened if they are not.
    ///
    /// # Errors
    /// [`DeviceError`], which names what is wrong; for some seconds after a failure the same again.
    pub(crate) fn get(&self) -> Result<Arc<Device>, KeyError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match &*state {
            State::Open(device) => return Ok(Arc::clone(device)),
            State::Failed { said, again } if again.is_none_or(|again| Instant::now() < again) => {
                return Err(DeviceError::Unavailable { tried: said.clone() }.into());
            }
            State::Failed { .. } | State::Untried => {}
        }
        match Device::open(&self.config) {
            Ok(device) => {
                let device = Arc::new(device);
                *state = State::Open(Arc::clone(&device));
                Ok(device)
            }
            Err(error) => {
                let again = helps_to_wait(&error).then(|| Instant::now() + AGAIN);
                *state = State::Failed { said: error.to_string(), again };
                Err(error)
            }
        }
    }

    /// What is known of each device, without asking it; nothing before they were opened.
    pub(crate) fn health(&self) -> Vec<Health> {
        match &*self.state.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Open(device) => device.health(),
            State::Untried | State::Failed { .. } => Vec::new(),
        }
    }
}

/// Whether nobody need mend it first.
fn helps_to_wait(error: &KeyError) -> bool {
    !matches!(error.code(), "device_configuration" | "device_library" | "device_password" | "device_key_missing")
}

/// One sort of devices.
pub(crate) enum Device {
    /// Keeps the root key, under the key-encryption key of this index.
    Sdf(Arc<Sdf>, u32),
    /// Keeps the root key, under the key-encryption key of this label.
    Pkcs11(Arc<Pkcs11>, String),
    /// Financial modules.
    Fhsm(Arc<Fhsm>),
}

impl Device {
    fn open(config: &ArkConfig) -> Result<Self, KeyError> {
        let path = &config.provider_file;
        let text = std::fs::read_to_string(path).map_err(|error| DeviceError::Configuration {
            what: format!("ark.provider_file = \"{}\" does not read ({error})", path.display()),
            needed: "name a file with the devices, as docs/ark.md shows for each ark.provider",
        })?;
        let no_kek = || DeviceError::Configuration {
            what: format!("{} has no kek", path.display()),
            needed: "the key service's root key is made under a key-encryption key of the device: name it",
        };
        match config.provider {
            ArkProvider::Soft => Err(no_kek().into()),
            ArkProvider::Sdf => {
                let config = sdf::Config::from_toml(&text)?;
                let kek = config.kek.ok_or_else(no_kek)?;
                Ok(Self::Sdf(Arc::new(Sdf::open(config)?), kek))
            }
            ArkProvider::Pkcs11 => {
                let config = pkcs11::Config::from_toml(&text)?;
                let kek = config.kek.clone().ok_or_else(no_kek)?;
                Ok(Self::Pkcs11(Arc::new(Pkcs11::open(config)?), kek))
            }
            ArkProvider::Fhsm => {
                let modules = Fhsm::unasked(fhsm::Config::from_toml(&text)?)?;
                // A module that is away keeps nothing else from service; who starts the platform for the first time learns why.
                if let Err(error) = modules.answers() {
                    tracing::error!(%error, code = error.code(), "{}", absent_modules(path));
                }
                Ok(Self::Fhsm(Arc::new(modules)))
            }
        }
    }

    fn health(&self) -> Vec<Health> {
        match self {
            Self::Sdf(sdf, _) => sdf.health(),
            Self::Pkcs11(tokens, _) => tokens.health(),
            Self::Fhsm(modules) => modules.health(),
        }
    }

    /// Opens the key service of a directory or schema: unsealed if the device keeps its root key.
    ///
    /// # Errors
    /// Those of [`KeyService::open`] and of the device; [`Error::File`] if the root key was dealt to custodians.
    pub(crate) fn open_service(&self, home: &Home, by: &By<'_>) -> Result<KeyService, Error> {
        let Some(root) = self.root() else { return Ok(self.beside(open_soft(home)?)) };
        let rooted = Arc::new(Rooted::new(root.provider())?);
        let service = KeyService::open_in_device(home, Arc::clone(&rooted) as _)?;
        let dealt = "its root key was dealt to custodians: it opens with ark.provider = \"soft\"";
        let kept = service.root_in_device()?;
        let kept = kept.ok_or_else(|| Error::File { path: home.name(), reason: dealt })?;
        rooted.take_root(root.find(&kept)?)?;
        service.unseal_root(Rooted::ROOT, by)?;
        Ok(service)
    }

    /// The key service, whose keys of terminals and zones are the financial modules' if these are such.
    pub(crate) fn beside(&self, service: KeyService) -> KeyService {
        match self {
            Self::Sdf(..) | Self::Pkcs11(..) => service,
            Self::Fhsm(modules) => service.with_module(Arc::clone(modules)),
        }
    }

    /// Makes the key service of a directory or schema under a root key made in the device; `None` of a device that keeps none.
    ///
    /// # Errors
    /// Those of [`KeyService::init_in_device`] and of the device.
    pub(crate) fn init_service(&self, home: &Home, by: &By<'_>) -> Result<Option<KeyService>, Error> {
        let Some(root) = self.root() else { return Ok(None) };
        let (handle, kept) = root.make()?;
        let rooted = Arc::new(Rooted::new(root.provider())?);
        rooted.take_root(handle)?;
        KeyService::init_in_device(home, rooted, Rooted::ROOT, &kept, by).map(Some)
    }

    /// Whether the root key is made in it.
    pub(crate) fn keeps_root(&self) -> bool {
        self.root().is_some()
    }

    fn root(&self) -> Option<Root<'_>> {
        match self {
            Self::Sdf(sdf, kek) => Some(Root::Sdf(sdf, *kek)),
            Self::Pkcs11(tokens, kek) => Some(Root::Pkcs11(tokens, kek)),
            Self::Fhsm(_) => None,
        }
    }
}

/// What to do when no financial module answers at start.
fn absent_modules(path: &Path) -> String {
    format!(
        "no financial module answers as {} says: keys of terminals and zones wait for one, everything else goes on. Look that a module \
         runs, that its [[module]] address is reached from here, and that `dialect` is the file of its vendor; it is tried again with \
         each command, without a restart. The root key is not in the modules: `lintel ark init --shares N --threshold M` deals it to \
         custodians",
        path.display()
    )
}

/// A device that keeps a root key.
enum Root<'a> {
    Sdf(&'a Arc<Sdf>, u32),
    Pkcs11(&'a Arc<Pkcs11>, &'a str),
}

impl Root<'_> {
    fn provider(&self) -> Arc<dyn Provider> {
        match self {
            Self::Sdf(sdf, _) => Arc::clone(sdf) as _,
            Self::Pkcs11(tokens, _) => Arc::clone(tokens) as _,
        }
    }

    /// What the device does best of what both sides know.
    fn kind(&self) -> KeyKind {
        match self {
            Self::Sdf(..) => KeyKind::Sm4,
            Self::Pkcs11(..) => KeyKind::Aes256,
        }
    }

    fn kek(&self) -> Result<KeyHandle, KeyError> {
        match self {
            Self::Sdf(sdf, kek) => Ok(sdf.kek(*kek)),
            Self::Pkcs11(tokens, kek) => tokens.kek(kek),
        }
    }

    /// A token has no tool of the standard's to make a key-encryption key with: one that is missing is made.
    fn kek_or_made(&self) -> Result<KeyHandle, KeyError> {
        match (self, self.kek()) {
            (Self::Pkcs11(tokens, kek), Err(KeyError::Device(DeviceError::NoKey { .. }))) => tokens.create_kek(kek),
            (Self::Pkcs11(..) | Self::Sdf(..), found) => found,
        }
    }

    /// A new root key, and what the device needs to find it again: the key as it wrapped it.
    fn make(&self) -> Result<(KeyHandle, Vec<u8>), KeyError> {
        let (provider, kek) = (self.provider(), self.kek_or_made()?);
        let root = provider.generate(self.kind())?;
        let kept = provider.wrap(root, kek)?;
        Ok((root, kept))
    }

    fn find(&self, kept: &[u8]) -> Result<KeyHandle, KeyError> {
        self.provider().unwrap(kept, self.kind(), self.kek()?)
    }
}

/// Opens the key service of a directory or schema in this process, sealed.
///
/// # Errors
/// Those of [`KeyService::open`]; [`Error::File`] if a device keeps its root key.
pub(crate) fn open_soft(home: &Home) -> Result<KeyService, Error> {
    let service = KeyService::open(home, Arc::new(Soft::new()?))?;
    match service.root_in_device()? {
        None => Ok(service),
        Some(_) => {
            let reason = "a device keeps its root key: name it by ark.provider and ark.provider_file";
            Err(Error::File { path: home.name(), reason })
        }
    }
}
