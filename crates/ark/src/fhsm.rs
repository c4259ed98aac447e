//! Financial modules (金融数据密码机, GM/T 0045) over their TCP command interface: terminal and network keys that are never
//! clear outside, PIN blocks and tracks that are opened inside only.
//!
//! ```text
//!  key by index       in the module, put there at its console        written as its index
//!  key as ciphertext  here, under the module's master                goes along with each command that uses it
//!
//!  command ─► fields in the vendor's layout ─► Pool ─► one connection, one request ─► answer, or the connection is closed
//! ```
//!
//! Codes, headers and the places of fields differ from vendor to vendor and stand in a profile file ([`Dialect`]).
//! Invariants: the module keeps nothing of a key that is here as ciphertext, so any module with the same master can take
//! over in the middle; what a module refuses to open is [`KeyError::Decryption`]; an answer that does not belong to its
//! request is never believed; no message carries what stood in a frame.

mod commands;
mod config;
mod dialect;
mod fuzz;
mod layout;
mod provider;
mod wire;

use std::{sync::Arc, time::Duration};

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

pub use self::{
    config::{Config, ModuleConfig},
    dialect::Dialect,
};

use self::{
    dialect::{Command, Meaning},
    layout::{Awaited, Field, Values},
    wire::{Answer, Connection},
};
use crate::{
    device::{Device, DeviceError, Handles, Health, Pool},
    financial::{Purpose, TerminalCipher, TerminalKey},
    provider::{CHECK_VALUE_LENGTH, KeyError},
};

/// Where a key is.
#[derive(Clone)]
enum Held {
    /// In the module.
    Index(u32),
    /// Here, under the module's master.
    Stored(Vec<u8>),
}

struct Key {
    purpose: Purpose,
    cipher: TerminalCipher,
    held: Held,
}

/// A key as the module encrypted it under its master: what may lie in a database, and is taken in again after a restart.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// What it is for.
    pub purpose: Purpose,
    /// Its cipher.
    pub cipher: TerminalCipher,
    /// The ciphertext.
    pub bytes: Vec<u8>,
    /// By which it is known again.
    pub check: [u8; CHECK_VALUE_LENGTH],
}

/// Prints no ciphertext.
impl std::fmt::Debug for StoredKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = formatter.debug_struct("StoredKey");
        debug.field("purpose", &self.purpose).field("cipher", &self.cipher).field("check", &hex::encode(self.check));
        debug.finish_non_exhaustive()
    }
}

/// One module's address.
struct Module {
    name: String,
    address: String,
    dialect: Arc<Dialect>,
    times: (Duration, Duration),
}

impl Device for Module {
    type Session = Connection;

    fn name(&self) -> &str {
        &self.name
    }

    fn connect(&self) -> Result<Connection, DeviceError> {
        Connection::open(&self.name, &self.address, &self.dialect, self.times)
    }

    fn probe(&self, connection: &mut Connection) -> Result<(), DeviceError> {
        probe(&self.dialect, connection)
    }
}

/// Without a command for it, only whether the connection stands.
fn probe(dialect: &Dialect, connection: &mut Connection) -> Result<(), DeviceError> {
    let operation = Command::Probe.name();
    let Ok(verb) = dialect.verb(Command::Probe) else { return connection.idle(operation) };
    let problem = |_| DeviceError::Configuration { what: "[command.probe]".to_owned(), needed: "constants only" };
    let body = layout::write(&verb.request, &Values::new()).map_err(problem)?;
    match connection.exchange(operation, verb, &body)? {
        Answer::Done(fields) => {
            let awaited = Awaited { key: None, lengths: &[] };
            let read = layout::read(&verb.response, &fields, &Values::new(), &awaited);
            read.map(drop).map_err(|problem| connection.wrong(operation, problem))
        }
        Answer::Status(status) => Err(dialect.status(&connection.device, operation, &status)),
    }
}

/// Modules of GM/T 0045 with the same master key.
pub struct Fhsm {
    pool: Pool<Module>,
    dialect: Arc<Dialect>,
    keys: Handles<TerminalKey, Key>,
}

impl Fhsm {
    /// Connects, and asks whether a module answers. One that does not is routed around until it does.
    ///
    /// # Errors
    /// [`DeviceError::Configuration`], and those of [`Fhsm::answers`].
    pub fn open(config: Config) -> Result<Self, KeyError> {
        let fhsm = Self::unasked(config)?;
        fhsm.answers()?;
        Ok(fhsm)
    }

    /// The same without a connection yet: each command makes one where there is none.
    ///
    /// # Errors
    /// [`DeviceError::Configuration`].
    pub fn unasked(config: Config) -> Result<Self, KeyError> {
        let Config { modules, dialect, limits, connect, answer } = config;
        let module = |module: ModuleConfig| Module {
            name: module.name,
            address: module.address,
            dialect: Arc::clone(&dialect),
            times: (connect, answer),
        };
        let pool = Pool::new(modules.into_iter().map(module).collect(), limits)?;
        Ok(Self { pool, dialect, keys: Handles::new(TerminalKey) })
    }

    /// Asks whether a module answers.
    ///
    /// # Errors
    /// [`DeviceError::Unavailable`] if none does, and whatever the first one says that answers something else than its profile
    /// file foresees.
    pub fn answers(&self) -> Result<(), KeyError> {
        self.pool.run(|connection| Ok(probe(&self.dialect, connection)?))
    }

    /// Asks each module whether it answers.
    #[must_use]
    pub fn check(&self) -> Vec<Health> {
        self.pool.check()
    }

    /// What is known of each module, without asking it.
    #[must_use]
    pub fn health(&self) -> Vec<Health> {
        self.pool.health()
    }

    /// A key in the modules, by index. [`crate::Financial::destroy_terminal_key`] forgets the handle, not the key.
    ///
    /// # Errors
    /// [`DeviceError::NoKey`] if the module says that it has none; [`KeyError::Purpose`] for DES with another purpose than
    /// MACs; [`DeviceError::Configuration`] for an index that the profile cannot write.
    pub fn key_at(&self, purpose: Purpose, cipher: TerminalCipher, index: u32) -> Result<TerminalKey, KeyError> {
        purpose.allows(cipher)?;
        let key = Key { purpose, cipher, held: Held::Index(index) };
        self.check_value_of(&key)?;
        Ok(self.keys.keep(key))
    }

    /// A key as ciphertext under the modules' master, to be kept.
    ///
    /// # Errors
    /// [`KeyError::UnknownTerminalKey`]; [`DeviceError::Unsupported`] for a key that the module keeps by index.
    pub fn stored(&self, key: TerminalKey) -> Result<StoredKey, KeyError> {
        let key = self.key(key)?;
        match &key.held {
            Held::Index(index) => {
                let reason = format!("key {index} is kept by the module: name its index again after a restart");
                Err(self.dialect.lacks("give out this key", reason).into())
            }
            Held::Stored(bytes) => Ok(StoredKey {
                purpose: key.purpose,
                cipher: key.cipher,
                bytes: bytes.clone(),
                check: self.check_value_of(&key)?,
            }),
        }
    }

    /// Takes in what [`Fhsm::stored`] gave out.
    ///
    /// # Errors
    /// [`KeyError::Decryption`] if the modules do not open it, or it opens to another key; [`KeyError::Purpose`].
    pub fn take_in(&self, stored: &StoredKey) -> Result<TerminalKey, KeyError> {
        stored.purpose.allows(stored.cipher)?;
        if stored.bytes.len() != self.dialect.cipher(stored.cipher)?.bytes {
            return Err(KeyError::Decryption);
        }
        let held = Held::Stored(stored.bytes.clone());
        let key = Key { purpose: stored.purpose, cipher: stored.cipher, held };
        let check = self.check_value_of(&key).map_err(undecided)?;
        if bool::from(check.ct_eq(&stored.check)) { Ok(self.keys.keep(key)) } else { Err(KeyError::Decryption) }
    }

    fn key(&self, handle: TerminalKey) -> Result<Arc<Key>, KeyError> {
        self.keys.get(handle).ok_or(KeyError::UnknownTerminalKey(handle))
    }

    fn key_for(&self, handle: TerminalKey, purpose: Purpose) -> Result<Arc<Key>, KeyError> {
        let key = self.key(handle)?;
        if key.purpose == purpose { Ok(key) } else { Err(KeyError::Purpose { needed: purpose.needed() }) }
    }

    /// One command, on whichever module answers.
    fn ask(&self, command: Command, sent: &Values, awaited: &Awaited<'_>) -> Result<Values, KeyError> {
        let (verb, operation) = (self.dialect.verb(command)?, command.name());
        let body = layout::write(&verb.request, sent).map_err(|what| {
            let found = sent.iter().find(|(field, _)| field.name() == what).map_or(0, |(_, bytes)| bytes.len());
            KeyError::Length {
                what,
                found,
                needed: "the length of this field in the module's profile has fewer digits",
            }
        })?;
        let longest = self.dialect.max_bytes.saturating_sub(self.dialect.header(0).len() + verb.code.len());
        if body.len() > longest {
            let needed = "a frame of the module takes no more: max_bytes in its profile";
            return Err(KeyError::Length { what: "request", found: body.len(), needed });
        }
        self.pool.run(|connection| match connection.exchange(operation, verb, &body)? {
            Answer::Done(fields) => layout::read(&verb.response, &fields, sent, awaited)
                .map_err(|problem| connection.wrong(operation, problem).into()),
            Answer::Status(status) => Err(match self.dialect.meaning(&status) {
                Some(Meaning::Decryption) => KeyError::Decryption,
                Some(Meaning::Tag) => KeyError::Tag,
                Some(Meaning::NoKey | Meaning::Busy | Meaning::Lost | Meaning::Unsupported) | None => {
                    self.dialect.status(&connection.device, operation, &status).into()
                }
            }),
        })
    }

    fn wants(&self, command: Command, field: Field) -> bool {
        self.dialect.verb(command).is_ok_and(|verb| verb.request.iter().any(|part| part.field() == Some(field)))
    }

    /// What every request may say: the purpose and cipher of the key it makes or uses.
    fn about(&self, command: Command, purpose: Purpose, cipher: TerminalCipher) -> Result<Values, KeyError> {
        let mut sent = Values::new();
        if self.wants(command, Field::Purpose) {
            sent.push((Field::Purpose, Zeroizing::new(self.dialect.purpose(purpose)?.to_vec())));
        }
        if self.wants(command, Field::Cipher) {
            sent.push((Field::Cipher, Zeroizing::new(self.dialect.cipher(cipher)?.name.clone())));
        }
        Ok(sent)
    }

    fn written(&self, key: &Key) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        Ok(Zeroizing::new(match &key.held {
            Held::Index(index) => self.dialect.index(*index)?,
            Held::Stored(bytes) => {
                let prefix = &self.dialect.cipher(key.cipher)?.prefix;
                [prefix.as_slice(), &self.dialect.key_coding.write(bytes)].concat()
            }
        }))
    }

    fn check_value_of(&self, key: &Key) -> Result<[u8; CHECK_VALUE_LENGTH], KeyError> {
        let mut sent = self.about(Command::CheckValue, key.purpose, key.cipher)?;
        sent.push((Field::Key, self.written(key)?));
        let awaited = Awaited { key: None, lengths: &[(Field::Check, self.dialect.check_bytes)] };
        Ok(commands::check_of(&self.ask(Command::CheckValue, &sent, &awaited)?))
    }
}

/// What a module refuses to open does not open: why is not told, be it a check value that is another. A module that is lost
/// or lacks something is.
fn undecided(error: KeyError) -> KeyError {
    if matches!(error, KeyError::Tag | KeyError::Device(DeviceError::Refused { .. })) {
        KeyError::Decryption
    } else {
        error
    }
}

/// Prints the modules and how many keys there are.
impl std::fmt::Debug for Fhsm {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let keys = self.keys.len();
        formatter.debug_struct("Fhsm").field("modules", &self.pool).field("keys", &keys).finish_non_exhaustive()
    }
}
