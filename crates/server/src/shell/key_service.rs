//! The key service as the server has it: opened or made at start, ticked every second, sealed at the end.
//!
//! ```text
//!  nothing ── ark.unseal = "file" ──► made under ark.key, open            nothing ── `lintel ark init` ──► sealed
//!  keys and their ark.key ── ark.unseal = "file" ──► open
//!  keys, ark.provider = "sdf", "pkcs11" ── the device ──► open; while it is away: sealed, tried again
//!  keys otherwise ──► sealed ── shares ──► open ── seal, stop ──► sealed
//!  ark.remote.url ──► elsewhere, a process of its own
//! ```
//! Keys lie in `keys.db` of the data directory, or in the schema of `[ark.place]`: one process at a time has them, and a second one is
//! refused at its start. A database that is lost while this process runs is tried again by each call and each tick.
//!
//! Time is the machine's, also where the books' clock stands: keys and their trail belong to no business day.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use ark::ceremony::RootKey;
use ark::device::Health;
use ark::keys::{By, Error, FinancialUse, Home, KEYS_NAME, KeyUse};
use ark::vault::KEY_FILE_NAME;
use ark::{KeyService, Soft};
use tokio::sync::Notify;

use super::clock::wall_ms;
use super::key_devices::{Devices, open_soft};
use super::key_slot::Slot;
use super::remote_keys::RemoteKeys;
use crate::config::{ArkConfig, ArkMode, ArkProfile, ArkProvider, ArkUnseal, Config};
use crate::http::auth::OPERATOR;

/// Who ticks and seals, for the trail.
const SELF: &str = "lintel";
const EVERY: Duration = Duration::from_secs(1);

/// The key service of a data directory and of a schema, if the settings name one, or the one that is elsewhere.
pub(crate) struct Ark {
    home: Home,
    /// Where it is, if another process has it.
    elsewhere: Option<Arc<RemoteKeys>>,
    /// What is not this process's memory, by configuration.
    devices: Option<Devices>,
    /// The one of this process: none while its device is away, and at the end.
    here: Arc<Slot>,
    unsealed: Notify,
    copying: Mutex<()>,
    /// Whether platforms ask over the network, and none is in this process.
    serves_platforms: bool,
    profile: ArkProfile,
    mode: ArkMode,
    overlap_ms: i64,
}

impl Ark {
    /// The key service of this directory, or the one of the settings that is elsewhere: made where there is none and the settings
    /// say so, open if its root key lies in a file or in a device that answers, else sealed.
    ///
    /// # Errors
    /// No key service and no way to make one, keys that were lost, those of [`KeyService::open`], and settings that cannot be: of
    /// another key service, or of devices.
    pub(crate) fn start(directory: &Path, config: &ArkConfig) -> Result<Self> {
        Self::begin(directory, config, false)
    }

    /// As [`Self::start`], for a process that is a key service and nothing else.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub(crate) fn start_alone(directory: &Path, config: &ArkConfig) -> Result<Self> {
        Self::begin(directory, config, true)
    }

    fn begin(directory: &Path, config: &ArkConfig, serves_platforms: bool) -> Result<Self> {
        let is_elsewhere = !config.remote.url.is_empty();
        let elsewhere = is_elsewhere.then(|| RemoteKeys::new(&config.remote).map(Arc::new)).transpose()?;
        let devices = if is_elsewhere { None } else { Devices::of(config) };
        let (here, unsealed, copying) = (Arc::default(), Notify::new(), Mutex::default());
        let ark = Self {
            home: config.home(directory),
            elsewhere,
            devices,
            here,
            unsealed,
            copying,
            serves_platforms,
            profile: config.profile,
            mode: config.mode,
            overlap_ms: config.signing_overlap_ms()?,
        };
        if ark.elsewhere.is_some() {
            return Ok(ark);
        }
        match ark.keeps_root() {
            Err(error) if matches!(error.code(), "device_configuration" | "device_library") => {
                return Err(error).context("the devices of ark.provider");
            }
            // Whoever makes it does so beside this process, which finds it.
            Ok(_) if serves_platforms && config.unseal == ArkUnseal::Shares && !ark.home.is_made()? => {}
            Ok(false) => {
                let service = found(&ark.home, config)?;
                let service = match &ark.devices {
                    Some(devices) => devices.get()?.beside(service),
                    None => service,
                };
                *ark.here.service() = Some(ark.taken(service));
            }
            Ok(true) | Err(_) => ark.begin_by_device()?,
        }
        Ok(ark)
    }

    /// Whether it has been taken at the end.
    pub(crate) fn has_ended(&self) -> bool {
        self.here.has_ended()
    }

    /// Whether a device has the root key.
    fn keeps_root(&self) -> Result<bool, Error> {
        self.devices.as_ref().map_or(Ok(false), |devices| Ok(devices.get()?.keeps_root()))
    }

    fn begin_by_device(&self) -> Result<()> {
        ark::vault::refuse_lost_keys(&self.home)?;
        if !self.home.is_made()? {
            if self.serves_platforms {
                return Ok(());
            }
            bail!(
                "there is no key service in {} yet: `lintel ark init` makes one, with its root key in the device of ark.provider",
                of(&self.home)
            );
        }
        if let Err(error) = self.service() {
            tracing::error!(%error, code = error.code(), "the key service stays sealed");
        }
        Ok(())
    }

    /// The key service that the settings name, if another process has it.
    pub(crate) fn elsewhere(&self) -> Option<&Arc<RemoteKeys>> {
        self.elsewhere.as_ref()
    }

    /// What the platform uses of it, wherever it is.
    pub(crate) fn keys(&self) -> Arc<dyn KeyUse> {
        match &self.elsewhere {
            Some(keys) => Arc::clone(keys) as _,
            None => Arc::clone(&self.here) as _,
        }
    }

    /// What its terminals and card networks use of it, wherever it is.
    pub(crate) fn financial(&self) -> Arc<dyn FinancialUse> {
        match &self.elsewhere {
            Some(keys) => Arc::clone(keys) as _,
            None => Arc::clone(&self.here) as _,
        }
    }

    /// Whether it is sealed.
    pub(crate) fn is_sealed(&self) -> bool {
        self.elsewhere.as_ref().map_or_else(|| self.here.is_sealed(), |keys| keys.is_sealed())
    }

    /// Ends once it is not sealed.
    pub(crate) async fn unsealed(self: &Arc<Self>) {
        while self.is_sealed() {
            tokio::select! {
                () = self.unsealed.notified() => {}
                // What is elsewhere, and a device, tell nobody.
                () = tokio::time::sleep(EVERY) => self.try_again().await,
            }
        }
    }

    async fn try_again(self: &Arc<Self>) {
        let ark = Arc::clone(self);
        // What keeps the device away is logged by the tick, and not by each try.
        drop(tokio::task::spawn_blocking(move || ark.service().map(drop)).await);
    }

    /// To be called after shares were brought.
    pub(crate) fn shares_were_brought(&self) {
        if !self.is_sealed() {
            self.unsealed.notify_one();
        }
    }

    /// The key service of this process, sealed or open; `None` before it is made, at the end, and if it is elsewhere.
    ///
    /// # Errors
    /// Those of [`KeyService::open`], and of its device, which is tried again.
    pub(crate) fn service(&self) -> Result<Option<Arc<KeyService>>, Error> {
        let mut here = self.here.service();
        let may_come = here.is_none() && self.elsewhere.is_none() && !self.has_ended();
        if may_come && self.home.is_made()? {
            let by = By::new(SELF, "the device", wall_ms());
            let service = match &self.devices {
                Some(devices) => devices.get()?.open_service(&self.home, &by)?,
                None => open_soft(&self.home)?,
            };
            *here = Some(self.taken(service));
        }
        Ok(here.clone())
    }

    fn taken(&self, service: KeyService) -> Arc<KeyService> {
        if self.serves_platforms {
            service.serve_platforms();
        }
        let service = service.with_overlap(self.overlap_ms);
        let service = match self.profile {
            ArkProfile::Development => service,
            ArkProfile::Production => service.in_production(),
        };
        Arc::new(match self.mode {
            ArkMode::Any => service,
            ArkMode::Approved => service.in_approved_mode(),
        })
    }

    /// What is known of the devices.
    pub(crate) fn device_health(&self) -> Vec<Health> {
        self.devices.as_ref().map(Devices::health).unwrap_or_default()
    }

    /// A copy of the keys as they are now: a file like `keys.db`, wherever they lie.
    ///
    /// # Errors
    /// Those of [`KeyService::backup`].
    pub(crate) fn copy(&self, service: &KeyService, by: &By<'_>) -> Result<Vec<u8>, Error> {
        let path = self.home.directory().join(format!("{KEYS_NAME}.copying"));
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

    /// What is due.
    fn tick(&self) -> Result<(), Error> {
        // A device or a database that was away may be back.
        let Some(service) = self.service()? else { return Ok(()) };
        match service.tick(&By::new(SELF, "tick", wall_ms())) {
            Ok(_) | Err(Error::Sealed) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Seals it, so that what is pending in the trail is written and no key is left in memory.
    pub(crate) fn stop(&self) {
        let Some(service) = self.here.end() else { return };
        match service.seal(&By::new(SELF, "stop", wall_ms())) {
            Ok(()) | Err(Error::Sealed) => {}
            Err(error) => tracing::error!(%error, "the key service could not write the end of its trail"),
        }
    }
}

/// The keys of the settings' platform where its root key is not in the directory: in another process, or in a device; else `None`.
///
/// # Errors
/// Settings that cannot be, a device that does not answer, and those of [`KeyService::open`].
pub(crate) fn held_elsewhere(config: &Config) -> Result<Option<Arc<dyn KeyUse>>> {
    if !config.ark.remote.url.is_empty() {
        return Ok(Some(Arc::new(RemoteKeys::new(&config.ark.remote)?)));
    }
    let device = Devices::of(&config.ark).map(|devices| devices.get()).transpose()?;
    let Some(device) = device.filter(|device| device.keeps_root()) else { return Ok(None) };
    let service = device.open_service(&config.ark_home(), &By::new(OPERATOR, "lintel key", wall_ms()))?;
    Ok(Some(Arc::new(service)))
}

/// Opens or makes it.
fn found(home: &Home, config: &ArkConfig) -> Result<KeyService> {
    if config.profile == ArkProfile::Production && config.unseal == ArkUnseal::File {
        bail!(
            "ark.profile = \"production\" and ark.unseal = \"file\": whoever copies the directory would have the keys; deal the root \
             key with `lintel ark init` and set ark.unseal = \"shares\""
        );
    }
    ark::vault::refuse_lost_keys(home)?;
    let (made, has_file) = (home.is_made()?, home.directory().join(KEY_FILE_NAME).exists());
    let by = By::new(OPERATOR, "ark.unseal = \"file\"", wall_ms());
    match config.unseal {
        ArkUnseal::File if has_file || !made => match ark::vault::open_keys_with_key_file(home, &by) {
            Err(error) if made && matches!(error.of_keys(), Some(Error::Root { .. })) => {
                tracing::warn!("ark.key is not the root key of {}", home.name().display());
            }
            opened => {
                tracing::warn!("{}", ark::KEY_FILE_WARNING);
                return Ok(opened?);
            }
        },
        ArkUnseal::Shares if !made => bail!(
            "there is no key service in {} yet: make one and deal its root key with `lintel ark init --shares N --threshold M`, or set \
             ark.unseal = \"file\" for development{}",
            of(home),
            match config.provider {
                ArkProvider::Fhsm => {
                    ". Financial modules (ark.provider = \"fhsm\") hold terminals' keys alone: the root key is custodians' there too"
                }
                ArkProvider::Soft | ArkProvider::Sdf | ArkProvider::Pkcs11 => "",
            }
        ),
        ArkUnseal::File | ArkUnseal::Shares => {}
    }
    Ok(open_soft(home)?)
}

/// The directory, or the schema: where a key service is looked for.
fn of(home: &Home) -> String {
    let place = if home.is_in_postgres() { home.name() } else { home.directory().to_owned() };
    place.display().to_string()
}

/// Makes the key service of a directory or schema under a new root key, and deals that.
///
/// # Errors
/// Those of [`KeyService::init`] and [`RootKey::deal`].
pub(crate) fn init(home: &Home, threshold: u8, shares: u8, by: &By<'_>) -> Result<(KeyService, Vec<String>), Error> {
    let root = RootKey::generate()?;
    // Dealt first: a key service whose shares nobody has would never open again.
    let dealt = root.deal(threshold, shares)?.iter().map(|share| share.text().to_string()).collect();
    Ok((KeyService::init(home, Arc::new(Soft::new()?), &root, by)?, dealt))
}

/// Ticks until the runtime ends. A failure is logged when it begins, when another one takes its place, and when it is over.
pub(crate) async fn tick(ark: Arc<Ark>) {
    let mut every = tokio::time::interval(EVERY);
    let mut last = None;
    loop {
        every.tick().await;
        let ticked = Arc::clone(&ark);
        let done = tokio::task::spawn_blocking(move || ticked.tick()).await;
        let (code, said) = match done {
            Ok(Ok(())) => (None, String::new()),
            Ok(Err(error)) => (Some(error.code()), error.to_string()),
            Err(_) => (Some("panicked"), "its words are above".to_owned()),
        };
        metrics::gauge!("lintel_key_service_failing").set(if code.is_some() { 1.0 } else { 0.0 });
        if code != last {
            match code {
                Some(code) => {
                    tracing::error!(
                        code,
                        error = said,
                        "the key service could not do what is due; its trail may stand still"
                    );
                }
                None => tracing::info!("the key service does what is due again"),
            }
        }
        last = code;
    }
}
