//! The soft provider: keys in this process's memory, the embedded default.
//!
//! Invariants: there is no provider without passed self-tests ([`self_test`]); a key is in the table or wiped; nothing of
//! a key is printed. What it cannot do: keep keys from whoever reads this process's memory, so terminal and PIN keys of
//! a production belong into a financial module.

mod financial;
mod material;
mod modes;
mod new_pair;
mod pairs;
pub(crate) mod self_test;
pub(crate) mod sm4;

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, OnceLock, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use zeroize::Zeroizing;

use self::financial::Terminal;
use self::material::{Material, from_derived, symmetric_length};
use crate::{
    device::Profile,
    financial::TerminalKey,
    provider::{
        Agreed, Authentication, CHECK_VALUE_LENGTH, Check, Cipher, Exchange, KeyError, KeyHandle, KeyKind, Provider,
        PublicKey, PublicKeyEncryption, Signing,
    },
    sm2::{
        encrypt,
        exchange::{Sides, exchange},
        key::Signature,
        known::KnownKeys,
        point::Point,
        verify::{Pending, digest},
    },
};

pub use self::new_pair::NewPair;
pub use self::self_test::self_test;

/// How many public keys have a table of multiples unless one says otherwise: 21 MB.
pub const KNOWN_KEYS: usize = 128;

/// What wrapping binds to a key: the format and the kind.
const WRAP: &[u8] = b"lintel/ark/wrap/1/";

/// Keys in memory.
pub struct Soft {
    keys: RwLock<HashMap<KeyHandle, Arc<Material>>>,
    terminal: RwLock<HashMap<TerminalKey, Arc<Terminal>>>,
    next: AtomicU64,
    known: KnownKeys,
    profile: Profile,
}

impl Soft {
    /// A provider without keys, for development. The first one of a process runs the self-tests; the later ones know the
    /// outcome.
    ///
    /// # Errors
    /// [`KeyError::SelfTest`] if a known answer did not come out.
    pub fn new() -> Result<Self, KeyError> {
        Self::with_known_keys(KNOWN_KEYS)
    }

    /// The same for an installation of this profile: in a production it refuses every financial command.
    ///
    /// # Errors
    /// As [`Soft::new`].
    pub fn for_profile(profile: Profile) -> Result<Self, KeyError> {
        Ok(Self { profile, ..Self::new()? })
    }

    /// The same with tables of multiples for at most so many SM2 public keys, each of 167 KB; 0 makes none.
    ///
    /// # Errors
    /// As [`Soft::new`].
    pub fn with_known_keys(capacity: usize) -> Result<Self, KeyError> {
        static FAILED: OnceLock<Vec<&'static str>> = OnceLock::new();
        let failed = FAILED.get_or_init(self_test);
        if !failed.is_empty() {
            return Err(KeyError::SelfTest(failed.clone()));
        }
        Ok(Self {
            keys: RwLock::default(),
            terminal: RwLock::default(),
            next: AtomicU64::new(1),
            known: KnownKeys::new(capacity),
            profile: Profile::Development,
        })
    }

    /// Takes in a key from outside. Only the soft provider does: a key that came this way was readable somewhere.
    ///
    /// Forms: SM2, P-256 and Ed25519 32 bytes; RSA PKCS #8 in DER with the exponent 65,537; ciphers and HMAC the key.
    ///
    /// # Errors
    /// [`KeyError::KeyBytes`] if they are no key of this kind; triple DES with equal parts is none.
    pub fn import(&self, kind: KeyKind, bytes: &[u8]) -> Result<KeyHandle, KeyError> {
        let material = Material::from_bytes(kind, bytes);
        material.map(|material| self.keep(material)).ok_or(KeyError::KeyBytes { kind, found: bytes.len() })
    }

    fn keep(&self, material: Material) -> KeyHandle {
        let handle = KeyHandle(self.next.fetch_add(1, Ordering::Relaxed));
        self.keys.write().unwrap_or_else(PoisonError::into_inner).insert(handle, Arc::new(material));
        handle
    }

    fn key(&self, handle: KeyHandle) -> Result<Arc<Material>, KeyError> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.get(&handle).cloned().ok_or(KeyError::UnknownKey(handle))
    }

    /// The point of an SM2 signature, or why there is none.
    fn sm2_pending(&self, check: &Check<'_>, id: &[u8]) -> Result<Pending, KeyError> {
        let key = sm2_point(check.public)?;
        let hash = key.identity_hash(id).ok_or_else(|| long_id(id))?;
        let signature = Signature::from_der(check.signature).ok_or(KeyError::Signature)?;
        let table = self.known.table(&key);
        Pending::new(&key, table.as_deref(), &digest(&hash, check.message), &signature).ok_or(KeyError::Signature)
    }
}

/// Prints how many keys there are.
impl fmt::Debug for Soft {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner).len();
        formatter.debug_struct("Soft").field("keys", &keys).finish_non_exhaustive()
    }
}

impl Provider for Soft {
    fn financial(&self) -> Option<&dyn crate::Financial> {
        Some(self)
    }

    fn generate(&self, kind: KeyKind) -> Result<KeyHandle, KeyError> {
        Ok(self.keep(Material::generate(kind)?))
    }

    fn destroy(&self, key: KeyHandle) {
        self.keys.write().unwrap_or_else(PoisonError::into_inner).remove(&key);
    }

    fn kind(&self, key: KeyHandle) -> Result<KeyKind, KeyError> {
        Ok(self.key(key)?.kind)
    }

    fn public_key(&self, key: KeyHandle) -> Result<PublicKey, KeyError> {
        let material = self.key(key)?;
        material.public().ok_or_else(|| material.wrong("have a public key"))
    }

    fn check_value(&self, key: KeyHandle) -> Result<[u8; CHECK_VALUE_LENGTH], KeyError> {
        Ok(self.key(key)?.cipher("have a check value")?.check_value())
    }

    fn wrap(&self, key: KeyHandle, under: KeyHandle) -> Result<Vec<u8>, KeyError> {
        let material = self.key(key)?;
        self.seal(under, &wrap_context(material.kind), &material.to_bytes())
    }

    fn unwrap(&self, wrapped: &[u8], kind: KeyKind, under: KeyHandle) -> Result<KeyHandle, KeyError> {
        let bytes = self.open(under, &wrap_context(kind), wrapped)?;
        Material::from_bytes(kind, &bytes).map(|material| self.keep(material)).ok_or(KeyError::Decryption)
    }

    fn derive(&self, key: KeyHandle, context: &[u8], kind: KeyKind) -> Result<KeyHandle, KeyError> {
        let material = self.key(key)?;
        let hmac = material.hmac("derive keys")?;
        let length = symmetric_length(kind).ok_or(KeyError::WrongKind { operation: "be derived", kind })?;
        // A name has no byte 0, so it and the context cannot be cut elsewhere.
        let input =
            hmac.mac().update(b"lintel/ark/derive/1/").update(kind.name().as_bytes()).update(&[0]).update(context);
        let input = Zeroizing::new(input.finish());
        let mut bytes = Zeroizing::new(vec![0; length]);
        crate::sm2::derive(&*input, &mut bytes);
        // Only triple DES with equal parts is no key: as likely as guessing 56 bits.
        from_derived(kind, bytes).map(|material| self.keep(material)).ok_or(KeyError::KeyBytes { kind, found: length })
    }

    fn sign(&self, key: KeyHandle, scheme: Signing<'_>, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let material = self.key(key)?;
        match scheme {
            Signing::Sm2 { id } => {
                let key = material.sm2("sign with SM2")?;
                let hash = key.public().identity_hash(id).ok_or_else(|| long_id(id))?;
                Ok(key.sign(&digest(&hash, message))?.to_der())
            }
            Signing::RsaPkcs1Sha256 => material.rsa("sign with RSA")?.sign(message),
            Signing::P256Sha256 => material.p256("sign with P-256")?.sign(message),
            Signing::Ed25519 => Ok(material.ed25519("sign with Ed25519")?.sign(message)),
        }
    }

    fn verify(&self, check: &Check<'_>) -> Result<(), KeyError> {
        let Check { public, scheme, message, signature } = check;
        match scheme {
            Signing::Sm2 { id } => {
                if self.sm2_pending(check, id)?.holds() {
                    Ok(())
                } else {
                    Err(KeyError::Signature)
                }
            }
            Signing::RsaPkcs1Sha256 => {
                let bits = pairs::rsa_bits(public.kind).ok_or_else(|| wrong_public(public, "verify with RSA"))?;
                pairs::rsa_verify(public, bits, message, signature)
            }
            Signing::P256Sha256 => {
                of_kind(public, KeyKind::P256, "verify with P-256")?;
                pairs::p256_verify(public, message, signature)
            }
            Signing::Ed25519 => {
                of_kind(public, KeyKind::Ed25519, "verify with Ed25519")?;
                pairs::ed25519_verify(public, message, signature)
            }
        }
    }

    /// SM2 signatures share one division.
    fn verify_many(&self, checks: &[Check<'_>]) -> Vec<Result<(), KeyError>> {
        let mut pending = Vec::with_capacity(checks.len());
        let mut places = Vec::with_capacity(checks.len());
        let mut results = Vec::with_capacity(checks.len());
        for (place, check) in checks.iter().enumerate() {
            results.push(match check.scheme {
                Signing::Sm2 { id } => self.sm2_pending(check, id).map(|made| {
                    pending.push(made);
                    places.push(place);
                }),
                Signing::RsaPkcs1Sha256 | Signing::P256Sha256 | Signing::Ed25519 => self.verify(check),
            });
        }
        for (place, holds) in places.into_iter().zip(Pending::hold(&pending)) {
            if !holds {
                results[place] = Err(KeyError::Signature);
            }
        }
        results
    }

    fn encrypt_for(
        &self,
        public: &PublicKey,
        scheme: PublicKeyEncryption,
        message: &[u8],
    ) -> Result<Vec<u8>, KeyError> {
        match scheme {
            PublicKeyEncryption::Sm2Raw => encrypt::encrypt(&sm2_point(public)?, encrypt::Layout::Raw, message),
            PublicKeyEncryption::Sm2Der => encrypt::encrypt(&sm2_point(public)?, encrypt::Layout::Der, message),
            PublicKeyEncryption::RsaOaepSha256 => {
                let bits = pairs::rsa_bits(public.kind).ok_or_else(|| wrong_public(public, "encrypt with RSA"))?;
                pairs::rsa_encrypt(public, bits, message)
            }
        }
    }

    fn decrypt_with(
        &self,
        key: KeyHandle,
        scheme: PublicKeyEncryption,
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let material = self.key(key)?;
        let opened = match scheme {
            PublicKeyEncryption::Sm2Raw => {
                encrypt::decrypt(material.sm2("decrypt with SM2")?, encrypt::Layout::Raw, ciphertext)
            }
            PublicKeyEncryption::Sm2Der => {
                encrypt::decrypt(material.sm2("decrypt with SM2")?, encrypt::Layout::Der, ciphertext)
            }
            PublicKeyEncryption::RsaOaepSha256 => material.rsa("decrypt with RSA")?.decrypt(ciphertext),
        };
        opened.ok_or(KeyError::Decryption)
    }

    fn encrypt(&self, key: KeyHandle, cipher: Cipher<'_>, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let material = self.key(key)?;
        material.cipher("encrypt with a block cipher")?.encrypt(material.kind, cipher, message)
    }

    fn decrypt(&self, key: KeyHandle, cipher: Cipher<'_>, ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let material = self.key(key)?;
        material.cipher("decrypt with a block cipher")?.decrypt(material.kind, cipher, ciphertext)
    }

    fn authenticate(&self, key: KeyHandle, scheme: Authentication, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let material = self.key(key)?;
        match scheme {
            Authentication::HmacSm3 => Ok(material.hmac("authenticate with HMAC-SM3")?.tag(message).to_vec()),
            Authentication::Cmac => Ok(material.cipher("authenticate with CMAC")?.cmac(message)),
        }
    }

    fn check_tag(&self, key: KeyHandle, scheme: Authentication, message: &[u8], tag: &[u8]) -> Result<(), KeyError> {
        let material = self.key(key)?;
        match scheme {
            Authentication::HmacSm3 => {
                let mac = material.hmac("authenticate with HMAC-SM3")?.mac().update(message);
                mac.verify(tag).map_err(|_| KeyError::Tag)
            }
            Authentication::Cmac => material.cipher("authenticate with CMAC")?.check_cmac(message, tag),
        }
    }

    fn agree(&self, exchange: &Exchange<'_>) -> Result<Agreed, KeyError> {
        let own_ephemeral = self.key(exchange.own_ephemeral)?;
        // A pair of one exchange serves one exchange, whatever comes of it.
        self.destroy(exchange.own_ephemeral);
        self.agree_with(exchange, &own_ephemeral)
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), KeyError> {
        getrandom::fill(bytes).map_err(KeyError::Random)
    }
}

impl Soft {
    fn agree_with(&self, parts: &Exchange<'_>, own_ephemeral: &Material) -> Result<Agreed, KeyError> {
        let agree = "agree on a key with SM2";
        let own = self.key(parts.own)?;
        let own = own.sm2(agree)?;
        let peer = sm2_point(parts.peer)?;
        let kind = parts.kind;
        let length = symmetric_length(kind).ok_or(KeyError::WrongKind { operation: "be agreed on", kind })?;
        let sides = Sides {
            side: parts.side,
            own,
            own_ephemeral: own_ephemeral.sm2(agree)?,
            own_hash: own.public().identity_hash(parts.own_id).ok_or_else(|| long_id(parts.own_id))?,
            peer,
            peer_ephemeral: sm2_point(parts.peer_ephemeral)?,
            peer_hash: peer.identity_hash(parts.peer_id).ok_or_else(|| long_id(parts.peer_id))?,
        };
        let shared = exchange(&sides, length).ok_or(KeyError::Decryption)?;
        let material = from_derived(kind, shared.key).ok_or(KeyError::Decryption)?;
        Ok(Agreed::new(self.keep(material), shared.own_tag, shared.peer_tag))
    }
}

fn wrap_context(kind: KeyKind) -> Vec<u8> {
    [WRAP, kind.name().as_bytes()].concat()
}

fn sm2_point(public: &PublicKey) -> Result<Point, KeyError> {
    of_kind(public, KeyKind::Sm2, "do this with SM2")?;
    Point::from_bytes(&public.bytes).ok_or(KeyError::PublicKey { kind: KeyKind::Sm2 })
}

fn of_kind(public: &PublicKey, kind: KeyKind, operation: &'static str) -> Result<(), KeyError> {
    if public.kind == kind { Ok(()) } else { Err(wrong_public(public, operation)) }
}

fn wrong_public(public: &PublicKey, operation: &'static str) -> KeyError {
    KeyError::WrongKind { operation, kind: public.kind }
}

fn long_id(id: &[u8]) -> KeyError {
    KeyError::Length { what: "id", found: id.len(), needed: "an SM2 id has at most 8,191 bytes" }
}
