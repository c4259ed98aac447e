//! Devices behind any library of GM/T 0018-2012 (SDF): loaded at run time, several with the same keys as one provider.
//!
//! ```text
//!  pair          in the device, by index, made with the vendor's tool      sign, or decrypt and take in keys
//!  KEK           in the device, by index                                  makes and takes in SM4 keys
//!  SM4 key       here as ciphertext under the KEK ── taken into a session when one needs it, let go with it
//! ```
//!
//! Invariants: no clear key is ever in this process, so `SDF_GenerateKeyPair_ECC`, which gives out a private key, is not
//! used; a key is known to every device that has the same KEK or pair, so a device can take over in the middle; whatever
//! the device refuses to open is [`KeyError::Decryption`]; the host sees what is encrypted and decrypted, so there are no
//! financial commands here. What the standard lacks (GCM, CTR, HMAC, agreement by handle) is refused by name.

mod config;
mod ffi;
mod form;
mod provider;
mod status;

use std::sync::Arc;

pub use self::{
    config::{Config, DeviceConfig, PairConfig, PairUse},
    ffi::Info,
};

use self::{
    ffi::{Api, Session, SessionKey},
    form::EccCipher,
};
use crate::{
    device::{Device, DeviceError, Handles, Health, Pool, Profile},
    provider::{CHECK_VALUE_LENGTH, KeyError, KeyHandle, KeyKind},
    sm2::encrypt::{Ciphertext, Layout},
};

/// So many keys are kept in a session; devices have tables of a few dozen.
const SESSION_KEYS: usize = 16;
/// What a device takes in one call; longer messages go piece by piece.
const PIECE: usize = 8192;
/// What stands in front of a wrapped key: the format.
const WRAP: &[u8; 4] = b"sdf1";

/// One key of the provider. No secret.
enum Key {
    /// A pair in the device, and its public key.
    Pair { index: u32, usage: PairUse, public: [u8; 64] },
    /// A key-encryption key in the device.
    Kek { index: u32 },
    /// An SM4 key as the device encrypted it under its key-encryption key.
    Wrapped { kek: u32, bytes: Vec<u8> },
    /// An SM4 key that came encrypted for a pair of the device.
    Sealed { index: u32, cipher: EccCipher },
}

impl Key {
    fn kind(&self) -> KeyKind {
        match self {
            Self::Pair { .. } => KeyKind::Sm2,
            Self::Kek { .. } | Self::Wrapped { .. } | Self::Sealed { .. } => KeyKind::Sm4,
        }
    }

    fn wrong(&self, operation: &'static str) -> KeyError {
        KeyError::WrongKind { operation, kind: self.kind() }
    }
}

/// One device's library.
struct SdfDevice {
    name: String,
    api: Arc<Api>,
}

/// A session, and what was done in it.
struct Open {
    session: Session,
    /// Pairs that the password was given for.
    rights: Vec<u32>,
    /// The oldest first.
    keys: Vec<(KeyHandle, SessionKey)>,
    /// [`Handles::forgot`] when the keys were last compared.
    destroyed: u64,
}

impl Device for SdfDevice {
    type Session = Open;

    fn name(&self) -> &str {
        &self.name
    }

    fn connect(&self) -> Result<Open, DeviceError> {
        Ok(Open { session: self.api.open()?, rights: Vec::new(), keys: Vec::new(), destroyed: 0 })
    }

    fn probe(&self, open: &mut Open) -> Result<(), DeviceError> {
        open.session.info().map(drop)
    }
}

/// Devices of GM/T 0018-2012.
pub struct Sdf {
    pool: Pool<SdfDevice>,
    profile: Profile,
    kek: Option<u32>,
    pairs: Vec<PairConfig>,
    keys: Handles<KeyHandle, Key>,
}

impl Sdf {
    /// Loads the libraries and asks each device whether it answers. One that does not is routed around until it does.
    ///
    /// # Errors
    /// [`DeviceError::Library`] for a library that cannot be used, [`DeviceError::Configuration`],
    /// [`DeviceError::Unavailable`] if no device answers.
    pub fn open(config: Config) -> Result<Self, KeyError> {
        let device = |device: &DeviceConfig| {
            let api = Api::load(&device.name, &device.library, device.decrypt_takes_algorithm)?;
            Ok(SdfDevice { name: device.name.clone(), api })
        };
        let devices = config.devices.iter().map(device).collect::<Result<_, DeviceError>>()?;
        let sdf = Self {
            pool: Pool::new(devices, config.limits)?,
            profile: config.profile,
            kek: config.kek,
            pairs: config.pairs,
            keys: Handles::new(KeyHandle),
        };
        sdf.info()?;
        Ok(sdf)
    }

    /// What the device that answers first says of itself.
    ///
    /// # Errors
    /// [`DeviceError::Unavailable`] if none does.
    pub fn info(&self) -> Result<Info, KeyError> {
        self.pool.run(|open| Ok(open.session.info()?))
    }

    /// Asks each device whether it answers.
    #[must_use]
    pub fn check(&self) -> Vec<Health> {
        self.pool.check()
    }

    /// What is known of each device, without asking it.
    #[must_use]
    pub fn health(&self) -> Vec<Health> {
        self.pool.health()
    }

    /// A pair in the devices, by index. [`crate::Provider::destroy`] forgets the handle, not the pair.
    ///
    /// # Errors
    /// [`DeviceError::NoKey`] if the device has none; [`KeyError::PublicKey`] if it gives out no point of the curve.
    pub fn pair(&self, index: u32, usage: PairUse) -> Result<KeyHandle, KeyError> {
        let what = format!("{} pair {index}", usage.name());
        let public = self.pool.run(|open| Ok(open.session.public_key(index, usage == PairUse::Sign, &what)?))?;
        crate::sm2::point::Point::from_coordinates(&public).ok_or(KeyError::PublicKey { kind: KeyKind::Sm2 })?;
        Ok(self.keys.keep(Key::Pair { index, usage, public }))
    }

    /// A key-encryption key in the devices, by index: to wrap and unwrap under. Whether it is there shows when it is used.
    pub fn kek(&self, index: u32) -> KeyHandle {
        self.keys.keep(Key::Kek { index })
    }

    /// Takes in an SM4 key that someone encrypted for a pair of the devices (数字信封), DER (GM/T 0009).
    ///
    /// # Errors
    /// [`KeyError::Decryption`] if it does not open; [`KeyError::WrongKind`] if `pair` is no pair that encrypts.
    pub fn import_sealed(&self, pair: KeyHandle, sealed: &[u8]) -> Result<KeyHandle, KeyError> {
        let pair = self.key(pair)?;
        let Key::Pair { index, usage: PairUse::Encrypt, .. } = &*pair else {
            return Err(pair.wrong("take in a key that was encrypted for it"));
        };
        let cipher = cipher_of(Layout::Der, sealed).ok_or(KeyError::Decryption)?;
        let key = self.keys.keep(Key::Sealed { index: *index, cipher });
        self.proven(key).map(|_| key)
    }

    /// SM3 of a message, inside; `signer` puts the hash of a public key (`x ‖ y`) and id in front.
    ///
    /// # Errors
    /// [`DeviceError::Unsupported`] if the device does not hash.
    pub fn digest(&self, signer: Option<(&[u8; 64], &[u8])>, message: &[u8]) -> Result<[u8; 32], KeyError> {
        self.pool.run(|open| Ok(open.session.hash(signer, message)?))
    }

    fn key(&self, handle: KeyHandle) -> Result<Arc<Key>, KeyError> {
        self.keys.get(handle).ok_or(KeyError::UnknownKey(handle))
    }

    /// The check value of a key that just came in; the key is forgotten if it does not open.
    fn proven(&self, handle: KeyHandle) -> Result<[u8; CHECK_VALUE_LENGTH], KeyError> {
        self.check_value_of(handle).map_err(|error| {
            self.keys.forget(handle);
            undecided(error)
        })
    }

    fn check_value_of(&self, handle: KeyHandle) -> Result<[u8; CHECK_VALUE_LENGTH], KeyError> {
        let block = self.with_key(handle, "have a check value", |session, key| {
            session.cipher(key, (true, ffi::SM4_ECB), [0; 16], &[0; 16])
        })?;
        Ok(std::array::from_fn(|index| block[index]))
    }

    /// Does `work` with an SM4 key, in a session that has it.
    fn with_key<R>(
        &self,
        handle: KeyHandle,
        operation: &'static str,
        mut work: impl FnMut(&mut Session, &SessionKey) -> Result<R, DeviceError>,
    ) -> Result<R, KeyError> {
        let key = self.key(handle)?;
        if matches!(&*key, Key::Pair { .. } | Key::Kek { .. }) {
            return Err(key.wrong(operation));
        }
        self.pool.run(|open| {
            let place = self.place(open, handle, &key)?;
            Ok(work(&mut open.session, &open.keys[place].1)?)
        })
    }

    /// Where in the session's keys this one is; taken in if it was not there.
    fn place(&self, open: &mut Open, handle: KeyHandle, key: &Key) -> Result<usize, KeyError> {
        self.let_go(open);
        if let Some(place) = open.keys.iter().position(|(kept, _)| *kept == handle) {
            return Ok(place);
        }
        if open.keys.len() >= SESSION_KEYS {
            let (_, oldest) = open.keys.remove(0);
            open.session.destroy_key(oldest);
        }
        let inside = match key {
            Key::Wrapped { kek, bytes } => {
                open.session.import_key(*kek, bytes, &format!("key-encryption key {kek}"))?
            }
            Key::Sealed { index, cipher } => {
                let what = self.right(open, *index, PairUse::Encrypt)?;
                open.session.import_sealed(*index, cipher, &what)?
            }
            Key::Pair { .. } | Key::Kek { .. } => return Err(key.wrong("encrypt")),
        };
        open.keys.push((handle, inside));
        Ok(open.keys.len() - 1)
    }

    /// Destroys in the session what was destroyed here.
    fn let_go(&self, open: &mut Open) {
        if !self.keys.forgot(&mut open.destroyed) {
            return;
        }
        let (kept, gone) = open.keys.drain(..).partition(|(handle, _)| self.keys.has(*handle));
        open.keys = kept;
        for (_, key) in gone {
            open.session.destroy_key(key);
        }
    }

    /// Gives the password of a pair, once a session. Gives back the pair's name.
    fn right(&self, open: &mut Open, index: u32, usage: PairUse) -> Result<String, KeyError> {
        let what = format!("{} pair {index}", usage.name());
        let pair = self.pairs.iter().find(|pair| pair.index == index);
        // A pair without a password in the configuration is one that the device asks none for.
        if let (Some(pair), false) = (pair, open.rights.contains(&index)) {
            open.session.access(index, pair.password.expose().as_bytes(), &what)?;
            open.rights.push(index);
        }
        Ok(what)
    }
}

/// What the device refuses to open does not open: why is not told. A device that is lost or lacks something is.
fn undecided(error: KeyError) -> KeyError {
    if matches!(error, KeyError::Device(DeviceError::Refused { .. })) { KeyError::Decryption } else { error }
}

fn cipher_of(layout: Layout, bytes: &[u8]) -> Option<EccCipher> {
    let Ciphertext { c1, c3, c2 } = Ciphertext::from_bytes(layout, bytes)?;
    // A point that is none does not go to the device.
    crate::sm2::point::Point::from_coordinates(&c1)?;
    (!c2.is_empty() && c2.len() <= PIECE).then_some(EccCipher { c1, c3, c2 })
}

/// Prints the devices and how many keys there are.
impl std::fmt::Debug for Sdf {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let keys = self.keys.len();
        formatter.debug_struct("Sdf").field("devices", &self.pool).field("keys", &keys).finish_non_exhaustive()
    }
}
