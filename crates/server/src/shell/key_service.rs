//! The key service as the server has it: opened once its file is there, ticked every second, sealed at the end.
//!
//! ```text
//!  no keys.db ── init, here or by `lintel ark init` ──► sealed ── shares ──► open ── seal, stop ──► sealed
//!                            ├── setting ark.unseal = "file": open at start, for development ──┤
//!                            └── ark.provider = "sdf", "pkcs11": open at start, by the device ──┘
//! ```
//! Time is the machine's, also where the books' clock stands: keys and their trail belong to no business day.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use ark::ceremony::RootKey;
use ark::device::Health;
use ark::keys::{By, Error, KEYS_NAME};
use ark::{KeyService, Soft};

use super::clock::wall_ms;
use super::key_devices::{Devices, open_soft};
use super::remote_keys::RemoteKeys;
use crate::config::{ArkConfig, ArkProvider, ArkUnseal};
use crate::http::auth::OPERATOR;

/// What the log says where the root key of the key service lies in a file.
pub(crate) const FILE_WARNING: &str = "ark.unseal = \"file\": the key service opens with the file ark.key beside its \
     keys, without custodians. This is for development; deal the root key with `lintel ark init` where keys matter";
/// Who ticks and seals, for the trail.
const SELF: &str = "lintel";
const EVERY: Duration = Duration::from_secs(1);

/// The key service of a data directory, whether it was made or not.
pub(crate) struct Ark {
    directory: PathBuf,
    /// Where it is, if another process has it.
    elsewhere: Option<Arc<RemoteKeys>>,
    /// What is not this process's memory, by configuration.
    devices: Option<Devices>,
    opened: Mutex<Option<Arc<KeyService>>>,
    copying: Mutex<()>,
}

impl Ark {
    /// The key service of this directory, or the one of the settings that is elsewhere. What keeps it from opening by itself
    /// is logged and leaves it sealed: the platform runs without it.
    ///
    /// # Errors
    /// Settings that cannot be: of another key service, or of devices.
    pub(crate) fn start(directory: &Path, config: &ArkConfig) -> anyhow::Result<Self> {
        let is_elsewhere = !config.remote.url.is_empty();
        let elsewhere = is_elsewhere.then(|| RemoteKeys::new(&config.remote).map(Arc::new)).transpose()?;
        let devices = if is_elsewhere { None } else { Devices::of(config) };
        let (opened, copying) = (Mutex::default(), Mutex::default());
        let ark = Self { directory: directory.to_owned(), elsewhere, devices, opened, copying };
        if ark.elsewhere.is_none()
            && let Err(error) = ark.begin(config)
        {
            if matches!(error.code(), "device_configuration" | "device_library") {
                return Err(error).context("the devices of ark.provider");
            }
            tracing::error!(%error, code = error.code(), "the key service stays sealed");
        }
        Ok(ark)
    }

    /// Opens it where that takes no custodian.
    fn begin(&self, config: &ArkConfig) -> Result<(), Error> {
        if let Some(devices) = &self.devices {
            devices.get()?;
            self.service()?;
        }
        if config.unseal == ArkUnseal::File && matches!(config.provider, ArkProvider::Soft | ArkProvider::Fhsm) {
            tracing::warn!("{FILE_WARNING}");
            self.open_by_file()?;
        }
        Ok(())
    }

    /// The key service that the settings name, if another process has it.
    pub(crate) fn elsewhere(&self) -> Option<&Arc<RemoteKeys>> {
        self.elsewhere.as_ref()
    }

    fn open_by_file(&self) -> Result<(), Error> {
        let mut opened = self.opened();
        // One process has the file, and this process once.
        *opened = None;
        let soft = Arc::new(Soft::new()?);
        let by = By::new(OPERATOR, "ark.unseal = \"file\"", wall_ms());
        *opened = Some(Arc::new(KeyService::open_with_key_file(&self.directory, soft, &by)?));
        Ok(())
    }

    /// The key service, sealed or open; `None` before it is made.
    ///
    /// # Errors
    /// Those of [`KeyService::open`], and of the devices.
    pub(crate) fn service(&self) -> Result<Option<Arc<KeyService>>, Error> {
        let mut opened = self.opened();
        if opened.is_none() && self.directory.join(KEYS_NAME).exists() {
            let by = By::new(SELF, "the device", wall_ms());
            let service = match &self.devices {
                None => open_soft(&self.directory),
                Some(devices) => devices.get()?.open_service(&self.directory, &by),
            };
            *opened = Some(Arc::new(service?));
        }
        Ok(opened.clone())
    }

    /// What is known of the devices.
    pub(crate) fn device_health(&self) -> Vec<Health> {
        self.devices.as_ref().map(Devices::health).unwrap_or_default()
    }

    /// Makes the key service and deals its root key; the lines for the custodians. It is open then.
    ///
    /// # Errors
    /// Those of [`KeyService::init`] and [`RootKey::deal`].
    pub(crate) fn init(&self, threshold: u8, shares: u8, by: &By<'_>) -> Result<Vec<String>, Error> {
        let mut opened = self.opened();
        if let Some(devices) = &self.devices
            && devices.get()?.keeps_root()
        {
            return Err(Error::RootInDevice);
        }
        let (service, dealt) = init(&self.directory, threshold, shares, by)?;
        *opened = Some(Arc::new(service));
        Ok(dealt)
    }

    /// A copy of the keys file as it is now.
    ///
    /// # Errors
    /// Those of [`KeyService::backup`].
    pub(crate) fn copy(&self, service: &KeyService, by: &By<'_>) -> Result<Vec<u8>, Error> {
        let path = self.directory.join(format!("{KEYS_NAME}.copying"));
        let failed = |action| {
            let path = path.clone();
            move |source| Error::Io { action, path, source }
        };
        // One at a time; what a crash left of another is in the way.
        let _held = self.copying.lock().unwrap_or_else(PoisonError::into_inner);
        if path.exists() {
            std::fs::remove_file(&path).map_err(failed("remove"))?;
        }
        service.backup(by, &path)?;
        let bytes = std::fs::read(&path).map_err(failed("read"));
        std::fs::remove_file(&path).map_err(failed("remove"))?;
        bytes
    }

    fn opened(&self) -> MutexGuard<'_, Option<Arc<KeyService>>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is due; the code of what failed.
    fn tick(&self) -> Option<&'static str> {
        // A device that was away may be back.
        let found = if self.devices.is_some() { self.service() } else { Ok(self.opened().clone()) };
        let service = match found {
            Ok(service) => service?,
            Err(error) => return Some(error.code()),
        };
        let failed = service.tick(&By::new(SELF, "tick", wall_ms())).err()?;
        (!matches!(failed, Error::Sealed)).then(|| failed.code())
    }

    /// Seals it, so that what is pending in the trail is written and no key is left in memory.
    pub(crate) fn stop(&self) {
        let Some(service) = self.opened().take() else { return };
        match service.seal(&By::new(SELF, "stop", wall_ms())) {
            Ok(()) | Err(Error::Sealed) => {}
            Err(error) => tracing::error!(%error, "the key service could not write the end of its trail"),
        }
    }
}

/// Makes the key service of a directory under a new root key, and deals that.
///
/// # Errors
/// Those of [`KeyService::init`] and [`RootKey::deal`].
pub(crate) fn init(
    directory: &Path,
    threshold: u8,
    shares: u8,
    by: &By<'_>,
) -> Result<(KeyService, Vec<String>), Error> {
    let root = RootKey::generate()?;
    // Dealt first: a key service whose shares nobody has would never open again.
    let dealt = root.deal(threshold, shares)?.iter().map(|share| share.text().to_string()).collect();
    Ok((KeyService::init(directory, Arc::new(Soft::new()?), &root, by)?, dealt))
}

/// Ticks until the runtime ends. A failure is logged when it begins and when another one takes its place.
pub(crate) async fn tick(ark: Arc<Ark>) {
    let mut every = tokio::time::interval(EVERY);
    let mut last = None;
    loop {
        every.tick().await;
        let ticked = Arc::clone(&ark);
        let failed = tokio::task::spawn_blocking(move || ticked.tick()).await.unwrap_or(Some("panicked"));
        if let Some(code) = failed.filter(|_| failed != last) {
            tracing::error!(code, "the key service could not do what is due; its trail may stand still");
        }
        last = failed;
    }
}
