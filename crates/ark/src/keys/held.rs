//! A key as the provider has it. Keys of terminals and zones are taken into the provider when they are first used: a
//! financial module is asked about the terminals that come, not about all of them at each start, and one that is away
//! leaves the rest of the key service in service.

use std::sync::{Arc, Mutex, PoisonError};

use super::{
    Error, KeyService, Kind, Purpose,
    row::VersionRow,
    service::{Key, Open, shown},
};
use crate::{
    Financial,
    fhsm::Fhsm,
    financial::TerminalKey,
    provider::{CHECK_VALUE_LENGTH, KeyError, KeyHandle, KeyKind},
};

/// One version's key.
#[derive(Clone)]
pub(super) enum Held {
    General(KeyHandle),
    Terminal(Arc<Terminal>),
}

impl Held {
    /// The handle of a general key.
    pub(super) fn general(&self) -> Option<KeyHandle> {
        match self {
            Self::General(handle) => Some(*handle),
            Self::Terminal(_) => None,
        }
    }
}

/// A key of a terminal or zone.
pub(super) struct Terminal {
    pub(super) check: [u8; CHECK_VALUE_LENGTH],
    /// In the provider, once it was used.
    handle: Mutex<Option<TerminalKey>>,
}

impl Terminal {
    fn new(check: [u8; CHECK_VALUE_LENGTH], handle: Option<TerminalKey>) -> Self {
        Self { check, handle: Mutex::new(handle) }
    }

    pub(super) fn is_taken_in(&self) -> bool {
        self.handle().is_some()
    }

    fn handle(&self) -> std::sync::MutexGuard<'_, Option<TerminalKey>> {
        self.handle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The check value that stands in front of a wrapped key of a terminal or zone, and the key.
fn parted(wrapped: &[u8]) -> Option<(&[u8; CHECK_VALUE_LENGTH], &[u8])> {
    wrapped.split_first_chunk()
}

impl KeyService {
    /// Has the keys of terminals and zones in a financial module from now on: in `keys.db` they lie as it encrypts them
    /// under its own master. All else stays with the provider.
    #[must_use]
    pub fn with_module(mut self, module: Arc<Fhsm>) -> Self {
        self.module = Some(module);
        self
    }

    /// Has PIN and terminal keys of a production in a financial module alone from now on: without one their commands are refused, for
    /// the keys would be where this host can read them.
    #[must_use]
    pub fn in_production(mut self) -> Self {
        self.production = true;
        self
    }

    /// Makes and uses keys of national algorithms alone from now on: the approved mode of GM/T 0028. Keys of other kinds stay, to be
    /// looked at, deactivated and destroyed.
    #[must_use]
    pub fn in_approved_mode(mut self) -> Self {
        self.approved_only = true;
        self
    }

    /// Whether it is in approved mode.
    #[must_use]
    pub fn is_in_approved_mode(&self) -> bool {
        self.approved_only
    }

    /// # Errors
    /// [`Error::NotApproved`] for a kind that this mode does not have.
    pub(super) fn in_mode(&self, name: &str, kind: Kind) -> Result<(), Error> {
        if self.approved_only && !kind.is_approved() {
            return Err(Error::NotApproved { name: shown(name), kind });
        }
        Ok(())
    }

    /// The provider of financial commands: the module, or what keeps the general keys.
    ///
    /// # Errors
    /// [`KeyError::Purpose`] if there is none, [`KeyError::Production`] if it must be a module and is none.
    pub(super) fn financial(&self) -> Result<&dyn Financial, Error> {
        if let Some(module) = &self.module {
            return Ok(&**module);
        }
        if self.production {
            return Err(KeyError::Production { provider: "of this process" }.into());
        }
        let needed = "this key service has no provider that knows financial commands";
        Ok(self.provider.financial().ok_or(KeyError::Purpose { needed })?)
    }

    /// A new key.
    pub(super) fn generated(&self, kind: Kind, purpose: Purpose) -> Result<Held, Error> {
        match (kind, purpose.duty()) {
            (Kind::General(kind), None) => Ok(Held::General(self.provider.generate(kind)?)),
            (Kind::Financial(cipher), Some(duty)) => self.held(self.financial()?.generate_terminal_key(duty, cipher)?),
            (Kind::General(_), Some(_)) | (Kind::Financial(_), None) => Err(Error::Kind { kind, purpose }),
        }
    }

    /// A key of a terminal or zone that was just made.
    pub(super) fn held(&self, handle: TerminalKey) -> Result<Held, Error> {
        let check = self.financial()?.terminal_check_value(handle)?;
        Ok(Held::Terminal(Arc::new(Terminal::new(check, Some(handle)))))
    }

    /// As it may lie in the file.
    pub(super) fn wrapped(&self, held: &Held, under: KeyHandle) -> Result<Vec<u8>, Error> {
        match held {
            Held::General(handle) => Ok(self.provider.wrap(*handle, under)?),
            Held::Terminal(terminal) => {
                let handle = terminal.handle().ok_or(Error::Decryption)?;
                let wrapped = self.financial()?.wrap_terminal_key(handle, under)?;
                Ok([terminal.check.as_slice(), &wrapped].concat())
            }
        }
    }

    /// From the file. A key of a terminal or zone is only looked at.
    pub(super) fn unwrapped(&self, kind: Kind, wrapped: &[u8], under: KeyHandle) -> Result<Held, Error> {
        match kind {
            Kind::General(kind) => Ok(Held::General(self.provider.unwrap(wrapped, kind, under)?)),
            Kind::Financial(_) => {
                let (check, _) = parted(wrapped).ok_or(Error::Decryption)?;
                Ok(Held::Terminal(Arc::new(Terminal::new(*check, None))))
            }
        }
    }

    /// The provider's handle of a key of a terminal or zone, which is taken in from its row if it was not used yet.
    pub(super) fn taken_in(
        &self,
        open: &Open,
        key: &Key,
        terminal: &Terminal,
        row: impl FnOnce() -> Result<VersionRow, Error>,
    ) -> Result<TerminalKey, Error> {
        if let Some(handle) = *terminal.handle() {
            return Ok(handle);
        }
        // Before this key's lock: the row is behind the lock of the file.
        let row = row()?;
        let mut handle = terminal.handle();
        if let Some(handle) = *handle {
            return Ok(handle);
        }
        let wrapped = row.wrapped.ok_or(Error::Decryption)?;
        let (check, wrapped) = parted(&wrapped).ok_or(Error::Decryption)?;
        let (Kind::Financial(cipher), Some(duty)) = (key.row.kind, key.row.purpose.duty()) else {
            return Err(Error::Decryption);
        };
        let keks = open.keks.read().unwrap_or_else(PoisonError::into_inner);
        // A module looks at none of them, so the row's own may be gone.
        let kek = keks.get(&row.kek).or(keks.values().last()).copied().ok_or(Error::Sealed)?;
        let taken = self.financial()?.unwrap_terminal_key(duty, cipher, wrapped, check, kek)?;
        *handle = Some(taken);
        Ok(taken)
    }

    /// The same key under another key-encryption key. What a module encrypted lies under none of ours.
    pub(super) fn moved(
        &self,
        open: &Open,
        key: &Key,
        held: &Held,
        row: &VersionRow,
        under: KeyHandle,
    ) -> Result<Vec<u8>, Error> {
        if let Held::Terminal(terminal) = held {
            if self.module.is_some() {
                return row.wrapped.clone().ok_or(Error::Decryption);
            }
            self.taken_in(open, key, terminal, || Ok(row.clone()))?;
        }
        self.wrapped(held, under)
    }

    /// Lets the provider forget a key.
    pub(super) fn let_go(&self, held: &Held) {
        match held {
            Held::General(handle) => self.provider.destroy(*handle),
            Held::Terminal(terminal) => {
                if let (Some(handle), Ok(financial)) = (terminal.handle().take(), self.financial()) {
                    financial.destroy_terminal_key(handle);
                }
            }
        }
    }

    pub(super) fn kek(&self) -> Result<KeyHandle, KeyError> {
        self.provider.generate(KeyKind::Sm4)
    }
}
