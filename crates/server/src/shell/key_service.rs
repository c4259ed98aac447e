//! The key service as the server has it: opened or made at start, ticked every second, sealed at the end.
//!
//! ```text
//!  nothing ── ark.unseal = "file" ──► made under ark.key, open            nothing ── `lintel ark init` ──► sealed
//!  keys.db and its ark.key ── ark.unseal = "file" ──► open
//!  keys.db otherwise ──► sealed ── shares ──► open ── seal, stop ──► sealed
//! ```
//! Time is the machine's, also where the books' clock stands: keys and their trail belong to no business day.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Result, bail};
use ark::ceremony::RootKey;
use ark::keys::{By, Error, KEYS_NAME, KeyUse};
use ark::vault::KEY_FILE_NAME;
use ark::{KeyService, Soft};
use tokio::sync::Notify;

use super::clock::wall_ms;
use crate::config::{ArkConfig, ArkUnseal};
use crate::http::auth::OPERATOR;

/// Who ticks and seals, for the trail.
const SELF: &str = "lintel";
const EVERY: Duration = Duration::from_secs(1);

/// The key service of a data directory.
pub(crate) struct Ark {
    directory: PathBuf,
    opened: Mutex<Option<Arc<KeyService>>>,
    keys: Arc<dyn KeyUse>,
    unsealed: Notify,
    copying: Mutex<()>,
}

impl Ark {
    /// The key service of this directory: made where there is none and the settings say so, open if its root key lies in a
    /// file, else sealed.
    ///
    /// # Errors
    /// No key service and no way to make one, keys that were lost, and those of [`KeyService::open`].
    pub(crate) fn start(directory: &Path, config: &ArkConfig) -> Result<Self> {
        let service = Arc::new(found(directory, config.unseal)?);
        Ok(Self {
            directory: directory.to_owned(),
            opened: Mutex::new(Some(Arc::clone(&service))),
            keys: service,
            unsealed: Notify::new(),
            copying: Mutex::default(),
        })
    }

    /// What the platform uses of it.
    pub(crate) fn keys(&self) -> Arc<dyn KeyUse> {
        Arc::clone(&self.keys)
    }

    /// Whether it is sealed.
    pub(crate) fn is_sealed(&self) -> bool {
        self.keys.is_sealed()
    }

    /// Ends once it is not sealed.
    pub(crate) async fn unsealed(&self) {
        while self.is_sealed() {
            self.unsealed.notified().await;
        }
    }

    /// To be called after shares were brought.
    pub(crate) fn shares_were_brought(&self) {
        if !self.is_sealed() {
            self.unsealed.notify_one();
        }
    }

    /// The key service, sealed or open; `None` at the end.
    pub(crate) fn service(&self) -> Option<Arc<KeyService>> {
        self.opened().clone()
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
        let service = self.service()?;
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

/// Opens or makes it.
fn found(directory: &Path, unseal: ArkUnseal) -> Result<KeyService> {
    ark::vault::refuse_lost_keys(directory)?;
    let (made, has_file) = (directory.join(KEYS_NAME).exists(), directory.join(KEY_FILE_NAME).exists());
    let by = By::new(OPERATOR, "ark.unseal = \"file\"", wall_ms());
    match unseal {
        ArkUnseal::File if has_file || !made => match ark::vault::open_keys_with_key_file(directory, &by) {
            Err(error) if made && matches!(error.of_keys(), Some(Error::Root { .. })) => {
                tracing::warn!("ark.key is not the root key of keys.db");
            }
            opened => {
                tracing::warn!("{}", ark::KEY_FILE_WARNING);
                return Ok(opened?);
            }
        },
        ArkUnseal::Shares if !made => bail!(
            "there is no key service in {} yet: make one and deal its root key with `lintel ark init`, or set ark.unseal = \
             \"file\" for development",
            directory.display()
        ),
        ArkUnseal::File | ArkUnseal::Shares => {}
    }
    Ok(KeyService::open(directory, Arc::new(Soft::new()?))?)
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
