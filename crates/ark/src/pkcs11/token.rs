//! One token: its library, the slot it is in, and logged-in sessions with what they have of the provider's keys.
//!
//! Invariants: a refused PIN is not tried again, because tokens lock after a few; the library is never finalised here,
//! because others in this process may use it; an object of a session is used in that session alone. A library that was
//! finalised and initialised again may give a new session the number of an old one, on another token even: so a session
//! of before is neither used nor closed.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11 as Library},
    error::{Error, RvError},
    mechanism::MechanismType,
    object::{Attribute, AttributeType, ObjectHandle},
    session::{Session, UserType},
    slot::{Slot, TokenInfo},
    types::AuthPin,
};

use super::{config::TokenConfig, status};
use crate::{
    device::{Device, DeviceError},
    provider::KeyHandle,
};

/// So many keys are kept in a session; tokens have little memory.
const SESSION_KEYS: usize = 16;

/// What a token says of itself.
#[derive(Debug, Clone)]
pub struct Info {
    /// Its name in the configuration.
    pub device: String,
    /// Who made it.
    pub manufacturer: String,
    /// Its model.
    pub model: String,
    /// Its serial number.
    pub serial: String,
    /// The mechanisms it has, by their names in the standard.
    pub mechanisms: Vec<String>,
}

pub(super) struct Token {
    config: TokenConfig,
    library: Library,
    pin_refused: AtomicBool,
    /// How often the library was initialised by this process.
    starts: Arc<AtomicU64>,
}

/// [`Token::starts`] of a library, the same for all tokens behind it.
fn starts_of(library: &Path) -> Arc<AtomicU64> {
    static ALL: OnceLock<Mutex<HashMap<PathBuf, Arc<AtomicU64>>>> = OnceLock::new();
    let mut all = ALL.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(all.entry(library.to_owned()).or_default())
}

/// A session, and what is in it.
pub(super) struct Open {
    pub(super) device: String,
    /// Always there until it is dropped.
    session: Option<Session>,
    starts: Arc<AtomicU64>,
    /// [`Token::starts`] when the session was opened.
    started: u64,
    library: Library,
    slot: Slot,
    mechanisms: Vec<MechanismType>,
    /// The oldest first; whether the object lives in this session alone.
    objects: Vec<(KeyHandle, ObjectHandle, bool)>,
    /// How many keys of the provider were destroyed when the objects were last compared.
    pub(super) destroyed: u64,
}

impl Token {
    pub(super) fn load(config: TokenConfig) -> Result<Self, DeviceError> {
        let library = Library::new(&config.library).map_err(|error| {
            let problem = if let Error::MissingSymbol(name) = &error {
                format!("no {name}: it is no library of PKCS #11")
            } else {
                status::text(&error)
            };
            DeviceError::Library { device: config.name.clone(), path: config.library.display().to_string(), problem }
        })?;
        let starts = starts_of(&config.library);
        Ok(Self { config, library, pin_refused: AtomicBool::new(false), starts })
    }

    /// The slot that the token is in now: it may have been plugged into another one.
    fn slot(&self) -> Result<Slot, DeviceError> {
        let lost = |error: &Error| self.lost("C_GetSlotList", status::text(error));
        let slots = match self.library.get_slots_with_token() {
            Err(error) if status::value(&error) == Some(RvError::CryptokiNotInitialized) => {
                self.initialize()?;
                self.library.get_slots_with_token()
            }
            other => other,
        };
        let mut others = Vec::new();
        for slot in slots.map_err(|error| lost(&error))? {
            // A slot that does not say what is in it is not ours.
            let Ok(info) = self.library.get_token_info(slot) else { continue };
            let names = [info.label().trim_end(), info.serial_number().trim_end()];
            if !info.token_initialized() {
                continue;
            }
            if names.contains(&self.config.token.as_str()) {
                return Ok(slot);
            }
            others.push(info.label().trim_end().to_owned());
        }
        others.sort();
        let status = format!("no token \"{}\"; there are: {}", self.config.token, others.join(", "));
        Err(self.lost("C_GetSlotList", status))
    }

    fn initialize(&self) -> Result<(), DeviceError> {
        match self.library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            Err(error) if status::value(&error) != Some(RvError::CryptokiAlreadyInitialized) => {
                Err(self.lost("C_Initialize", status::text(&error)))
            }
            // Another thread, or another user of the library, was first.
            Err(_) => Ok(()),
            Ok(()) => {
                self.starts.fetch_add(1, Ordering::AcqRel);
                Ok(())
            }
        }
    }

    fn lost(&self, operation: &'static str, status: String) -> DeviceError {
        DeviceError::Lost { device: self.config.name.clone(), operation, status }
    }

    fn password(&self) -> DeviceError {
        let what = format!("the user of token \"{}\"", self.config.token);
        DeviceError::Password { device: self.config.name.clone(), what }
    }

    fn login(&self, session: &Session) -> Result<(), DeviceError> {
        let pin = AuthPin::from(self.config.pin.expose());
        let Err(error) = session.login(UserType::User, Some(&pin)) else { return Ok(()) };
        if status::value(&error) == Some(RvError::UserAlreadyLoggedIn) {
            // All sessions of a process share the login.
            return Ok(());
        }
        let error = status::error(&self.config.name, "C_Login", "its user", &error, || false);
        if matches!(error, DeviceError::Password { .. }) {
            self.pin_refused.store(true, Ordering::Release);
            return Err(self.password());
        }
        Err(error)
    }
}

impl Device for Token {
    type Session = Open;

    fn name(&self) -> &str {
        &self.config.name
    }

    fn connect(&self) -> Result<Open, DeviceError> {
        if self.pin_refused.load(Ordering::Acquire) {
            return Err(self.password());
        }
        let name = &self.config.name;
        let failed = |operation, error: &Error| status::error(name, operation, "session", error, || false);
        let slot = self.slot()?;
        let started = self.starts.load(Ordering::Acquire);
        let session = self.library.open_rw_session_no_drop(slot).map_err(|error| failed("C_OpenSession", &error))?;
        // Closed when dropped, also where what follows fails.
        let mut open = Open {
            device: name.clone(),
            session: Some(session),
            starts: Arc::clone(&self.starts),
            started,
            library: self.library.clone(),
            slot,
            mechanisms: Vec::new(),
            objects: Vec::new(),
            destroyed: 0,
        };
        self.login(open.session()?)?;
        let mechanisms = self.library.get_mechanism_list(slot);
        open.mechanisms = mechanisms.map_err(|error| failed("C_GetMechanismList", &error))?;
        Ok(open)
    }

    fn probe(&self, open: &mut Open) -> Result<(), DeviceError> {
        let failed = |error: &Error| status::error(&open.device, "C_GetSessionInfo", "session", error, || false);
        open.session()?.get_session_info().map_err(|error| failed(&error))?;
        open.token_info().map(drop)
    }
}

impl Open {
    /// # Errors
    /// [`DeviceError::Lost`] if the library was initialised again since the session was opened.
    pub(super) fn session(&self) -> Result<&Session, DeviceError> {
        match &self.session {
            Some(session) if self.started == self.starts.load(Ordering::Acquire) => Ok(session),
            Some(_) | None => Err(DeviceError::Lost {
                device: self.device.clone(),
                operation: "the session",
                status: "that its library was initialised again".to_owned(),
            }),
        }
    }

    fn token_info(&self) -> Result<TokenInfo, DeviceError> {
        let info = self.library.get_token_info(self.slot);
        info.map_err(|error| status::error(&self.device, "C_GetTokenInfo", "token", &error, || false))
    }

    pub(super) fn info(&self) -> Result<Info, DeviceError> {
        let info = self.token_info()?;
        Ok(Info {
            device: self.device.clone(),
            manufacturer: info.manufacturer_id().to_owned(),
            model: info.model().to_owned(),
            serial: info.serial_number().to_owned(),
            mechanisms: self.mechanisms.iter().map(ToString::to_string).collect(),
        })
    }

    /// What an answer of the token means; where it says nothing, the token is asked whether it is still there.
    pub(super) fn failed(&self, operation: &'static str, what: &str, error: &Error) -> DeviceError {
        let answers = || {
            let session = self.session().is_ok_and(|session| session.get_session_info().is_ok());
            session && self.token_info().is_ok()
        };
        status::error(&self.device, operation, what, error, answers)
    }

    /// # Errors
    /// [`DeviceError::Unsupported`] if the token has no such mechanism.
    pub(super) fn needs(&self, mechanism: MechanismType, operation: &'static str) -> Result<(), DeviceError> {
        if self.mechanisms.contains(&mechanism) {
            return Ok(());
        }
        let reason = format!("the token has no {mechanism}");
        Err(DeviceError::Unsupported { device: self.device.clone(), operation, reason })
    }

    /// The one object on the token that these attributes name.
    pub(super) fn find(&self, what: &str, attributes: &[Attribute]) -> Result<ObjectHandle, DeviceError> {
        let found =
            self.session()?.find_objects(attributes).map_err(|error| self.failed("C_FindObjects", what, &error))?;
        match found[..] {
            [one] => Ok(one),
            [] => Err(DeviceError::NoKey { device: self.device.clone(), what: what.to_owned() }),
            [..] => Err(DeviceError::Configuration {
                what: format!("device {} has {} objects called {what}", self.device, found.len()),
                needed: "a label names one key: rename or delete the others with the vendor's tool",
            }),
        }
    }

    pub(super) fn attributes(
        &self,
        object: ObjectHandle,
        what: &str,
        wanted: &[AttributeType],
    ) -> Result<Vec<Attribute>, DeviceError> {
        let read = self.session()?.get_attributes(object, wanted);
        read.map_err(|error| self.failed("C_GetAttributeValue", what, &error))
    }

    /// Nothing can be done about an object that does not go; it goes with the session.
    pub(super) fn discard(&self, object: ObjectHandle) {
        if let Ok(session) = self.session() {
            let _ = session.destroy_object(object);
        }
    }

    pub(super) fn kept(&self, key: KeyHandle) -> Option<ObjectHandle> {
        self.objects.iter().find(|(kept, ..)| *kept == key).map(|(_, object, _)| *object)
    }

    /// Keeps an object for the next use of the key; `passing` says that it lives in this session alone.
    pub(super) fn keep(&mut self, key: KeyHandle, object: ObjectHandle, passing: bool) {
        if self.objects.len() >= SESSION_KEYS {
            let oldest = self.objects[0].0;
            self.let_go(|kept| kept != oldest);
        }
        self.objects.push((key, object, passing));
    }

    /// Lets go of the keys that `stays` does not name.
    pub(super) fn let_go(&mut self, stays: impl Fn(KeyHandle) -> bool) {
        let (kept, gone): (Vec<_>, Vec<_>) = self.objects.drain(..).partition(|(key, ..)| stays(*key));
        self.objects = kept;
        for (_, object, passing) in gone {
            if passing {
                self.discard(object);
            }
        }
    }
}

/// Closes the session, if its number still means it.
impl Drop for Open {
    fn drop(&mut self) {
        if self.session().is_ok()
            && let Some(session) = self.session.take()
        {
            // One that is gone needs no closing.
            let _ = session.close();
        }
    }
}
