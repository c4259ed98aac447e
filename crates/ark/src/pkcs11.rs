//! Keys in tokens behind any library of PKCS #11: loaded at run time, several with the same keys as one provider.
//!
//! ```text
//!  named key     on the token, by label, found or made (`create`)     never leaves it, outlives this process
//!  KEK           a named AES key that wraps and does nothing else     makes and takes in keys
//!  other key     here as ciphertext under the KEK ── taken into a session when one needs it, let go with it
//! ```
//!
//! Invariants: no clear key is ever in this process; a key that is not named is known to every token that has the same
//! KEK, so a token can take over in the middle; whatever the token refuses to open is [`KeyError::Decryption`]; what
//! needs no secret (verify, encrypt for a public key) is done in this process; the host sees what is encrypted and
//! decrypted, so there are no financial commands here. What a token lacks is refused with the mechanism's name.

mod config;
mod provider;
mod status;
mod template;
mod token;

use std::sync::Arc;

use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};

pub use self::{
    config::{Config, TokenConfig},
    token::Info,
};

use self::{
    template::Usage,
    token::{Open, Token},
};
use crate::{
    Soft,
    device::{DeviceError, Handles, Health, Pool, Profile},
    provider::{KeyError, KeyHandle, KeyKind, PublicKey},
};

/// Length of the id (`CKA_ID`) of a named key in bytes.
const ID_LENGTH: usize = 16;
/// The longest label.
const LABEL_LENGTH_MAX: usize = 64;

/// One key of the provider. No secret.
enum Key {
    /// On the tokens, by label.
    Named { label: String, kind: KeyKind, usage: Usage, public: Option<PublicKey> },
    /// As a token wrapped it under the key-encryption key with this label.
    Wrapped { kek: String, kind: KeyKind, bytes: Vec<u8>, public: Option<PublicKey> },
}

impl Key {
    fn kind(&self) -> KeyKind {
        match self {
            Self::Named { kind, .. } | Self::Wrapped { kind, .. } => *kind,
        }
    }

    fn public(&self) -> Option<&PublicKey> {
        match self {
            Self::Named { public, .. } | Self::Wrapped { public, .. } => public.as_ref(),
        }
    }

    fn wrong(&self, operation: &'static str) -> KeyError {
        KeyError::WrongKind { operation, kind: self.kind() }
    }
}

/// Tokens of PKCS #11.
pub struct Pkcs11 {
    pool: Pool<Token>,
    profile: Profile,
    kek: Option<String>,
    keys: Handles<KeyHandle, Key>,
    /// For what needs no secret.
    public: Soft,
}

impl Pkcs11 {
    /// Loads the libraries and asks whether a token answers. One that does not is routed around until it does.
    ///
    /// # Errors
    /// [`DeviceError::Library`] for a library that cannot be used, [`DeviceError::Configuration`],
    /// [`DeviceError::Password`], [`DeviceError::Unavailable`] if no token answers; [`KeyError::SelfTest`].
    pub fn open(config: Config) -> Result<Self, KeyError> {
        let tokens = config.tokens.into_iter().map(Token::load).collect::<Result<_, DeviceError>>()?;
        let provider = Self {
            pool: Pool::new(tokens, config.limits)?,
            profile: config.profile,
            kek: config.kek,
            keys: Handles::new(KeyHandle),
            public: Soft::new()?,
        };
        provider.info()?;
        Ok(provider)
    }

    /// What the token that answers first says of itself.
    ///
    /// # Errors
    /// [`DeviceError::Unavailable`] if none does.
    pub fn info(&self) -> Result<Info, KeyError> {
        self.pool.run(|open| Ok(open.info()?))
    }

    /// Asks each token whether it answers.
    #[must_use]
    pub fn check(&self) -> Vec<Health> {
        self.pool.check()
    }

    /// What is known of each token, without asking it.
    #[must_use]
    pub fn health(&self) -> Vec<Health> {
        self.pool.health()
    }

    /// A key on the tokens, by its label (`CKA_LABEL`). [`crate::Provider::destroy`] forgets the handle, not the key.
    ///
    /// # Errors
    /// [`DeviceError::NoKey`] if the token has none, [`DeviceError::Configuration`] if the label names several or a key
    /// of another kind than [`KeyKind`] knows, or is the `kek` of the configuration, which wraps and does nothing else;
    /// [`KeyError::PublicKey`] if a pair shows no public key.
    pub fn named(&self, label: &str) -> Result<KeyHandle, KeyError> {
        if self.kek.as_deref() == Some(label) {
            let needed = "another key: a key-encryption key that decrypts would open what it wrapped; `kek` names it";
            return Err(DeviceError::Configuration { what: format!("key \"{label}\" is the kek"), needed }.into());
        }
        let (kind, public) = self.pool.run(|open| look_up(open, label))?;
        Ok(self.keys.keep(Key::Named { label: label.to_owned(), kind, usage: Usage::Data, public }))
    }

    /// An AES key on the tokens to wrap and unwrap under, by its label.
    ///
    /// # Errors
    /// As [`Pkcs11::named`]; [`KeyError::WrongKind`] if it is no AES key; [`DeviceError::Configuration`] if the token lets
    /// it encrypt or decrypt.
    pub fn kek(&self, label: &str) -> Result<KeyHandle, KeyError> {
        let (kind, _) = self.pool.run(|open| {
            let found = look_up(open, label)?;
            if template::aes_length(found.0).is_none() {
                return Err(KeyError::WrongKind { operation: "wrap: only an AES key does", kind: found.0 });
            }
            find_kek(open, label)?;
            Ok(found)
        })?;
        Ok(self.keys.keep(Key::Named { label: label.to_owned(), kind, usage: Usage::Kek, public: None }))
    }

    /// Makes a key that lives on the token under this label and never leaves it.
    ///
    /// # Errors
    /// [`DeviceError::Configuration`] for a label that is taken, empty or longer than 64 bytes, and where there are several
    /// tokens: a label would then name another key on each. Make it on one, and copy it with the vendor's tool;
    /// [`DeviceError::Unsupported`] for a kind that the token does not make.
    pub fn create(&self, label: &str, kind: KeyKind) -> Result<KeyHandle, KeyError> {
        self.create_for(label, kind, Usage::Data)?;
        self.named(label)
    }

    /// Makes an AES-256 key-encryption key on the token, under this label.
    ///
    /// # Errors
    /// As [`Pkcs11::create`].
    pub fn create_kek(&self, label: &str) -> Result<KeyHandle, KeyError> {
        self.create_for(label, KeyKind::Aes256, Usage::Kek)?;
        self.kek(label)
    }

    /// Deletes a key, and both halves of a pair, from the token: what it sealed or wrapped never opens again, unless
    /// another token has it.
    ///
    /// # Errors
    /// [`DeviceError::NoKey`] if there is none; [`DeviceError::Configuration`] where there are several tokens.
    pub fn erase(&self, label: &str) -> Result<(), KeyError> {
        self.on_one_token()?;
        let what = format!("key \"{label}\"");
        self.pool.run(|open| {
            let (object, _) = find_named(open, label)?;
            let halves = template::called(label, ObjectClass::PUBLIC_KEY);
            let publics = open.session()?.find_objects(&halves);
            let publics = publics.map_err(|error| open.failed("C_FindObjects", &what, &error))?;
            for object in publics.into_iter().chain([object]) {
                let done = open.session()?.destroy_object(object);
                done.map_err(|error| open.failed("C_DestroyObject", &what, &error))?;
            }
            Ok(())
        })
    }

    /// What changes a token says which one: the pool would take whichever answers.
    fn on_one_token(&self) -> Result<(), DeviceError> {
        let count = self.pool.health().len();
        if count == 1 {
            return Ok(());
        }
        let needed = "one: keys are made and erased on one token and copied to the others with the vendor's tool";
        Err(DeviceError::Configuration { what: format!("{count} tokens are configured"), needed })
    }

    fn create_for(&self, label: &str, kind: KeyKind, usage: Usage) -> Result<(), KeyError> {
        self.on_one_token()?;
        if label.is_empty() || label.len() > LABEL_LENGTH_MAX {
            let what = format!("label of {} bytes", label.len());
            return Err(DeviceError::Configuration { what, needed: "a label has 1 to 64 bytes" }.into());
        }
        let mut id = [0; ID_LENGTH];
        crate::Provider::random(self, &mut id)?;
        self.pool.run(|open| {
            match find_named(open, label) {
                Err(DeviceError::NoKey { .. }) => {}
                Ok(_) => {
                    let what = format!("label \"{label}\" names a key on device {}", open.device);
                    return Err(DeviceError::Configuration { what, needed: "a label that no key has" }.into());
                }
                Err(error) => return Err(error.into()),
            }
            provider::generate(open, kind, usage, Some((label, &id)))?;
            Ok(())
        })
    }

    fn key(&self, handle: KeyHandle) -> Result<Arc<Key>, KeyError> {
        self.keys.get(handle).ok_or(KeyError::UnknownKey(handle))
    }

    /// Does `work` with a key, in a session that has it.
    fn with_key<R>(
        &self,
        handle: KeyHandle,
        mut work: impl FnMut(&Open, ObjectHandle) -> Result<R, DeviceError>,
    ) -> Result<R, KeyError> {
        let key = self.key(handle)?;
        self.pool.run(|open| {
            let before = open.kept(handle).is_some();
            let object = self.place(open, handle, &key)?;
            match work(open, object) {
                // Someone else deleted the object that this session knew; there may be a new one.
                Err(DeviceError::NoKey { .. }) if before => {
                    open.let_go(|kept| kept != handle);
                    let object = self.place(open, handle, &key)?;
                    Ok(work(open, object)?)
                }
                done => Ok(done?),
            }
        })
    }

    /// The key's object in this session; found or taken in if it was not there.
    fn place(&self, open: &mut Open, handle: KeyHandle, key: &Key) -> Result<ObjectHandle, DeviceError> {
        if self.keys.forgot(&mut open.destroyed) {
            open.let_go(|kept| self.keys.has(kept));
        }
        if let Some(object) = open.kept(handle) {
            return Ok(object);
        }
        let (object, passing) = match key {
            Key::Named { label, .. } => (find_named(open, label)?.0, false),
            Key::Wrapped { kek, kind, bytes, .. } => (provider::take_in(open, kek, *kind, bytes)?, true),
        };
        open.keep(handle, object, passing);
        Ok(object)
    }
}

/// The secret or private key with this label.
fn find_named(open: &Open, label: &str) -> Result<(ObjectHandle, ObjectClass), DeviceError> {
    let what = format!("key \"{label}\"");
    match open.find(&what, &template::called(label, ObjectClass::SECRET_KEY)) {
        Err(DeviceError::NoKey { .. }) => {
            let class = ObjectClass::PRIVATE_KEY;
            Ok((open.find(&what, &template::called(label, class))?, class))
        }
        found => Ok((found?, ObjectClass::SECRET_KEY)),
    }
}

/// The AES key with this label, if it wraps and does nothing else.
fn find_kek(open: &Open, label: &str) -> Result<ObjectHandle, DeviceError> {
    let what = format!("key \"{label}\"");
    let (object, _) = find_named(open, label)?;
    let found = open.attributes(object, &what, &[AttributeType::Encrypt, AttributeType::Decrypt])?;
    if found.iter().any(|attribute| matches!(attribute, Attribute::Encrypt(true) | Attribute::Decrypt(true))) {
        let needed = "a key-encryption key without CKA_ENCRYPT and CKA_DECRYPT: one with them opens what it wrapped";
        return Err(DeviceError::Configuration { what: format!("device {}: {what}", open.device), needed });
    }
    Ok(object)
}

/// The kind of a named key and its public key.
fn look_up(open: &Open, label: &str) -> Result<(KeyKind, Option<PublicKey>), KeyError> {
    let what = format!("key \"{label}\"");
    let (object, class) = find_named(open, label)?;
    let kind = template::kind_of(&open.attributes(object, &what, &template::KIND)?);
    let kind = kind.ok_or_else(|| DeviceError::Configuration {
        what: format!("device {}: {what}", open.device),
        needed: "AES of 128 or 256 bits, RSA of 2048 or 3072, P-256 or Ed25519",
    })?;
    if class == ObjectClass::SECRET_KEY {
        return Ok((kind, None));
    }
    let public = open.find(&what, &template::called(label, ObjectClass::PUBLIC_KEY));
    let wanted: &[AttributeType] = &template::PUBLIC;
    let attributes = match public {
        Ok(public) => open.attributes(public, &what, wanted)?,
        // An RSA key shows its public numbers itself.
        Err(DeviceError::NoKey { .. }) => open.attributes(object, &what, wanted)?,
        Err(error) => return Err(error.into()),
    };
    let public = template::public_key(kind, &attributes).ok_or(KeyError::PublicKey { kind })?;
    Ok((kind, Some(public)))
}

/// Prints the tokens and how many keys there are.
impl std::fmt::Debug for Pkcs11 {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let keys = self.keys.len();
        formatter.debug_struct("Pkcs11").field("tokens", &self.pool).field("keys", &keys).finish_non_exhaustive()
    }
}
