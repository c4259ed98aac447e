//! What a token can do of [`Provider`], and the names of what it cannot.

use std::ffi::c_ulong;

use cryptoki::{
    context::Function,
    error::Error,
    mechanism::{
        Mechanism, MechanismType,
        aead::GcmParams,
        eddsa::{EddsaParams, EddsaSignatureScheme},
        rsa::{PkcsMgfType, PkcsOaepParams, PkcsOaepSource},
        vendor_defined::VendorDefinedMechanism,
    },
    object::ObjectHandle,
};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::{
    Key, Pkcs11, find_kek, find_named, status,
    template::{self, Usage},
    token::Open,
};
use crate::{
    device::DeviceError,
    provider::{
        Agreed, Authentication, CHECK_VALUE_LENGTH, Check, Cipher, ECB_LENGTH_MAX, Exchange, KeyError, KeyHandle,
        KeyKind, Provider, PublicKey, PublicKeyEncryption, Signing,
    },
};

const BLOCK: usize = 16;
const TAG: usize = 16;
/// What stands in front of a wrapped key: the format.
const WRAP: &[u8; 4] = b"p111";
/// A wrapped key is at most so long, with its public key.
const WRAPPED_LENGTH_MAX: usize = 8192;
/// So many random bytes are asked for in one call.
const RANDOM_PIECE: usize = 8192;

crate::device::refuse_financial!(Pkcs11, "pkcs11");

/// `CK_AES_CTR_PARAMS`.
#[repr(C)]
struct CtrParams {
    bits: c_ulong,
    block: [u8; BLOCK],
}

impl Provider for Pkcs11 {
    fn financial(&self) -> Option<&dyn crate::Financial> {
        Some(self)
    }

    /// Under the key-encryption key of the configuration, so that every token that has it can go on.
    fn generate(&self, kind: KeyKind) -> Result<KeyHandle, KeyError> {
        if template::generator(kind).is_none() {
            return Err(lacks("make a key of this kind", "it is used for AES, RSA, P-256 and Ed25519"));
        }
        let kek = self.kek.as_ref().ok_or_else(|| DeviceError::Configuration {
            what: "kek is not set".to_owned(),
            needed: "the label of an AES key on the tokens, under which keys are made; `create` makes named keys",
        })?;
        let (bytes, public) = self.pool.run(|open| {
            let (object, public) = generate(open, kind, Usage::Data, None)?;
            let bytes = wrap_under(open, kek, kind, object);
            open.discard(object);
            Ok((bytes?, public))
        })?;
        let key = self.keys.keep(Key::Wrapped { kek: kek.clone(), kind, bytes, public });
        // A key that the tokens cannot take in again is none.
        self.proven(key).map(|()| key)
    }

    fn destroy(&self, key: KeyHandle) {
        self.keys.forget(key);
    }

    fn kind(&self, key: KeyHandle) -> Result<KeyKind, KeyError> {
        Ok(self.key(key)?.kind())
    }

    fn public_key(&self, key: KeyHandle) -> Result<PublicKey, KeyError> {
        let key = self.key(key)?;
        key.public().cloned().ok_or_else(|| key.wrong("have a public key"))
    }

    fn check_value(&self, key: KeyHandle) -> Result<[u8; CHECK_VALUE_LENGTH], KeyError> {
        let block = self.cipher(key, Cipher::Ecb, &[0; BLOCK], true)?;
        Ok(std::array::from_fn(|index| block[index]))
    }

    /// `p111 ‖ length of the public key ‖ public key ‖ RFC 3394 or 5649`, the length in two bytes.
    fn wrap(&self, key: KeyHandle, under: KeyHandle) -> Result<Vec<u8>, KeyError> {
        let (inner, kek) = (self.key(key)?, self.kek_label(under)?);
        let Key::Wrapped { kek: own, kind, bytes, public } = &*inner else {
            return Err(inner.wrong("leave the token: it was made to stay there"));
        };
        let again = if *own == kek {
            None
        } else {
            let wrapped = self.pool.run(|open| {
                let object = self.place(open, key, &inner)?;
                Ok(wrap_under(open, &kek, *kind, object)?)
            });
            Some(wrapped?)
        };
        let public = public.as_ref().map_or(&[][..], |public| &public.bytes[..]);
        let length = u16::try_from(public.len()).expect("a public key is some hundred bytes");
        Ok([WRAP.as_slice(), &length.to_be_bytes(), public, again.as_ref().unwrap_or(bytes)].concat())
    }

    fn unwrap(&self, wrapped: &[u8], kind: KeyKind, under: KeyHandle) -> Result<KeyHandle, KeyError> {
        let kek = self.kek_label(under)?;
        let (public, bytes) = wrapped_parts(wrapped).ok_or(KeyError::Decryption)?;
        let has_public = template::aes_length(kind).is_none();
        let whole = wrapped_length(kind).is_none_or(|length| length == bytes.len());
        if template::generator(kind).is_none() || has_public == public.is_empty() || !whole {
            return Err(KeyError::Decryption);
        }
        let public = has_public.then(|| PublicKey { kind, bytes: public.to_vec() });
        let key = self.keys.keep(Key::Wrapped { kek, kind, bytes: bytes.to_vec(), public });
        self.proven(key).map(|()| key).map_err(undecided)
    }

    fn derive(&self, key: KeyHandle, _context: &[u8], _kind: KeyKind) -> Result<KeyHandle, KeyError> {
        self.key(key)?;
        Err(lacks("derive keys", "PKCS #11 has no HMAC-SM3 key"))
    }

    fn sign(&self, key: KeyHandle, scheme: Signing<'_>, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let (kind, digest) = (self.key(key)?.kind(), Sha256::digest(message));
        let sign = |mechanism: &Mechanism<'_>, data: &[u8]| {
            self.with_key(key, |open, object| {
                open.needs(mechanism.mechanism_type(), "sign")?;
                let signed = open.session()?.sign(mechanism, object, data);
                signed.map_err(|error| open.failed("C_Sign", "this key", &error))
            })
        };
        match (scheme, kind) {
            (Signing::RsaPkcs1Sha256, KeyKind::Rsa2048 | KeyKind::Rsa3072) => sign(&Mechanism::Sha256RsaPkcs, message),
            // Every token has ECDSA over a digest, not every one a digest of its own.
            (Signing::P256Sha256, KeyKind::P256) => {
                let numbers = sign(&Mechanism::Ecdsa, &digest)?;
                let signature = p256::ecdsa::Signature::from_slice(&numbers);
                let signature = signature.map_err(|_| bad_answer("C_Sign", "no ECDSA signature"))?;
                Ok(signature.to_der().as_bytes().to_vec())
            }
            (Signing::Ed25519, KeyKind::Ed25519) => {
                sign(&Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Pure)), message)
            }
            (Signing::Sm2 { .. } | Signing::RsaPkcs1Sha256 | Signing::P256Sha256 | Signing::Ed25519, kind) => {
                Err(KeyError::WrongKind { operation: "sign with this scheme", kind })
            }
        }
    }

    fn verify(&self, check: &Check<'_>) -> Result<(), KeyError> {
        self.public.verify(check)
    }

    fn verify_many(&self, checks: &[Check<'_>]) -> Vec<Result<(), KeyError>> {
        self.public.verify_many(checks)
    }

    fn encrypt_for(
        &self,
        public: &PublicKey,
        scheme: PublicKeyEncryption,
        message: &[u8],
    ) -> Result<Vec<u8>, KeyError> {
        self.public.encrypt_for(public, scheme, message)
    }

    fn decrypt_with(
        &self,
        key: KeyHandle,
        scheme: PublicKeyEncryption,
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let kind = self.key(key)?.kind();
        if scheme != PublicKeyEncryption::RsaOaepSha256 || !matches!(kind, KeyKind::Rsa2048 | KeyKind::Rsa3072) {
            return Err(KeyError::WrongKind { operation: "decrypt with this scheme", kind });
        }
        let params = PkcsOaepParams::new(MechanismType::SHA256, PkcsMgfType::MGF1_SHA256, PkcsOaepSource::empty());
        let mechanism = Mechanism::RsaPkcsOaep(params);
        let opened = self.with_key(key, |open, object| {
            let operation = "decrypt RSA-OAEP with SHA-256";
            open.needs(MechanismType::RSA_PKCS_OAEP, operation)?;
            let opened = open.session()?.decrypt(&mechanism, object, ciphertext).map(Zeroizing::new);
            opened.map_err(|error| {
                let begins = matches!(error, Error::Pkcs11(_, Function::DecryptInit));
                let failed = open.failed("C_Decrypt", "this key", &error);
                if !begins || !matches!(failed, DeviceError::Refused { .. }) {
                    return failed;
                }
                // Before it saw a ciphertext: it does not take these parameters.
                DeviceError::Unsupported { device: open.device.clone(), operation, reason: status::text(&error) }
            })
        });
        opened.map_err(undecided)
    }

    fn encrypt(&self, key: KeyHandle, cipher: Cipher<'_>, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        if !fits(cipher, message) {
            let needed = "CBC takes whole blocks of 16 bytes, ECB one to four, and neither takes nothing";
            return Err(KeyError::Length { what: "message", found: message.len(), needed });
        }
        Ok(std::mem::take(&mut *self.cipher(key, cipher, message, true)?))
    }

    fn decrypt(&self, key: KeyHandle, cipher: Cipher<'_>, ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let whole = fits(cipher, ciphertext) && (!matches!(cipher, Cipher::Gcm { .. }) || ciphertext.len() >= TAG);
        if !whole {
            // The key is asked first, as where the length is right.
            self.data_key(key, "encrypt with a block cipher")?;
            return Err(KeyError::Decryption);
        }
        self.cipher(key, cipher, ciphertext, false).map_err(undecided)
    }

    fn authenticate(&self, key: KeyHandle, scheme: Authentication, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        match scheme {
            Authentication::Cmac => {
                self.data_key(key, "authenticate with CMAC")?;
                self.with_key(key, |open, object| {
                    open.needs(MechanismType::AES_CMAC, "authenticate with CMAC")?;
                    let tag = open.session()?.sign(&Mechanism::AesCMac, object, message);
                    let tag = tag.map_err(|error| open.failed("C_Sign", "this key", &error))?;
                    if tag.len() == BLOCK {
                        return Ok(tag);
                    }
                    let problem = format!("a tag of {} bytes", tag.len());
                    Err(DeviceError::Answer { device: open.device.clone(), operation: "C_Sign", problem })
                })
            }
            Authentication::HmacSm3 => Err(self.key(key)?.wrong("authenticate with HMAC-SM3, which PKCS #11 has not")),
        }
    }

    fn check_tag(&self, key: KeyHandle, scheme: Authentication, message: &[u8], tag: &[u8]) -> Result<(), KeyError> {
        let expected = self.authenticate(key, scheme, message)?;
        if bool::from(expected.as_slice().ct_eq(tag)) { Ok(()) } else { Err(KeyError::Tag) }
    }

    fn agree(&self, exchange: &Exchange<'_>) -> Result<Agreed, KeyError> {
        self.key(exchange.own)?;
        Err(lacks("agree on a key", "PKCS #11 has no SM2"))
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), KeyError> {
        for piece in bytes.chunks_mut(RANDOM_PIECE) {
            self.pool.run(|open| {
                let made = open.session()?.generate_random_slice(piece);
                Ok(made.map_err(|error| open.failed("C_GenerateRandom", "randomness", &error))?)
            })?;
        }
        Ok(())
    }
}

impl Pkcs11 {
    /// # Errors
    /// [`KeyError::WrongKind`] if it is no AES key for data.
    fn data_key(&self, handle: KeyHandle, operation: &'static str) -> Result<(), KeyError> {
        let key = self.key(handle)?;
        if template::aes_length(key.kind()).is_none() {
            return Err(key.wrong(operation));
        }
        match &*key {
            Key::Named { usage: Usage::Kek, .. } => Err(key.wrong("do this: it wraps keys and nothing else")),
            Key::Named { usage: Usage::Data, .. } | Key::Wrapped { .. } => Ok(()),
        }
    }

    fn kek_label(&self, under: KeyHandle) -> Result<String, KeyError> {
        let under = self.key(under)?;
        match &*under {
            Key::Named { label, usage: Usage::Kek, .. } => Ok(label.clone()),
            Key::Named { usage: Usage::Data, .. } | Key::Wrapped { .. } => {
                Err(under.wrong("wrap: only a key-encryption key on the token does"))
            }
        }
    }

    /// That a key which just came in opens, and that a pair fits its public key; it is forgotten if not.
    fn proven(&self, handle: KeyHandle) -> Result<(), KeyError> {
        self.prove(handle).inspect_err(|_| self.keys.forget(handle))
    }

    fn prove(&self, handle: KeyHandle) -> Result<(), KeyError> {
        let key = self.key(handle)?;
        let scheme = match key.kind() {
            KeyKind::Rsa2048 | KeyKind::Rsa3072 => Signing::RsaPkcs1Sha256,
            KeyKind::P256 => Signing::P256Sha256,
            KeyKind::Ed25519 => Signing::Ed25519,
            KeyKind::Aes128
            | KeyKind::Aes256
            | KeyKind::Sm2
            | KeyKind::Sm4
            | KeyKind::HmacSm3
            | KeyKind::TripleDes2
            | KeyKind::TripleDes3 => return self.with_key(handle, |_, _| Ok(())),
        };
        let public = self.public_key(handle)?;
        let message = b"lintel/ark/pkcs11/proof";
        let signature = self.sign(handle, scheme, message)?;
        // Tells no more than that what came in is no pair.
        let check = Check { public: &public, scheme, message, signature: &signature };
        self.public.verify(&check).map_err(|_| KeyError::Decryption)
    }

    fn cipher(
        &self,
        key: KeyHandle,
        cipher: Cipher<'_>,
        message: &[u8],
        encrypts: bool,
    ) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        self.data_key(key, "encrypt with a block cipher")?;
        let operation = operation(cipher);
        let block = |what, bytes: &[u8]| -> Result<[u8; BLOCK], KeyError> {
            let wrong = KeyError::Length { what, found: bytes.len(), needed: "a block of 16 bytes" };
            bytes.try_into().map_err(|_| wrong)
        };
        let start = match cipher {
            Cipher::Cbc { iv } => block("chaining value", iv)?,
            Cipher::Ctr { counter } => block("counter", counter)?,
            Cipher::Ecb | Cipher::Gcm { .. } => [0; BLOCK],
        };
        if message.is_empty() && matches!(cipher, Cipher::Ctr { .. }) {
            return Ok(Zeroizing::default());
        }
        let expected = match cipher {
            Cipher::Ecb | Cipher::Cbc { .. } | Cipher::Ctr { .. } => message.len(),
            Cipher::Gcm { .. } if encrypts => message.len() + TAG,
            Cipher::Gcm { .. } => message.len() - TAG,
        };
        let (ctr, mut nonce) = (CtrParams { bits: 128, block: start }, [0; crate::provider::GCM_NONCE_LENGTH]);
        self.with_key(key, |open, object| {
            let mechanism = match cipher {
                Cipher::Ecb => Mechanism::AesEcb,
                Cipher::Cbc { .. } => Mechanism::AesCbc(start),
                Cipher::Ctr { .. } => {
                    Mechanism::VendorDefined(VendorDefinedMechanism::new(MechanismType::AES_CTR, Some(&ctr)))
                }
                Cipher::Gcm { nonce: given, associated } => {
                    nonce = *given;
                    let params = GcmParams::new(&mut nonce, associated, 128_u64.into());
                    Mechanism::AesGcm(params.map_err(|error| open.failed(operation, "this key", &error))?)
                }
            };
            open.needs(mechanism.mechanism_type(), operation)?;
            let done = if encrypts {
                open.session()?.encrypt(&mechanism, object, message)
            } else {
                open.session()?.decrypt(&mechanism, object, message)
            };
            let done = done.map(Zeroizing::new).map_err(|error| open.failed(operation, "this key", &error))?;
            if done.len() == expected {
                return Ok(done);
            }
            let problem = format!("{} bytes for {expected}", done.len());
            Err(DeviceError::Answer { device: open.device.clone(), operation, problem })
        })
    }
}

/// Makes a key: on the token under a label and id, or in this session. Gives back the secret half and the public key.
pub(super) fn generate(
    open: &Open,
    kind: KeyKind,
    usage: Usage,
    named: Option<(&str, &[u8])>,
) -> Result<(ObjectHandle, Option<PublicKey>), DeviceError> {
    let operation = "make a key of this kind";
    let Some(mechanism) = template::generator(kind) else {
        let reason = "it is used for AES, RSA, P-256 and Ed25519".to_owned();
        return Err(DeviceError::Unsupported { device: open.device.clone(), operation, reason });
    };
    open.needs(mechanism.mechanism_type(), operation)?;
    let mut secret = template::secret(kind, usage, named);
    if let Some(length) = template::aes_length(kind) {
        secret.push(cryptoki::object::Attribute::ValueLen(length.into()));
        let made = open.session()?.generate_key(&mechanism, &secret);
        return made.map(|key| (key, None)).map_err(|error| open.failed("C_GenerateKey", "a new key", &error));
    }
    // The mechanism says class and type; some tokens refuse them in a template for pairs.
    let secret = &secret[2..];
    let made = open.session()?.generate_key_pair(&mechanism, &template::public(kind, named), secret);
    let (public, private) = made.map_err(|error| open.failed("C_GenerateKeyPair", "a new pair", &error))?;
    let attributes = open.attributes(public, "a new pair", &template::PUBLIC);
    if named.is_none() {
        open.discard(public);
    }
    let shown = attributes.map(|attributes| template::public_key(kind, &attributes));
    match shown {
        Ok(Some(public)) => Ok((private, Some(public))),
        Ok(None) => {
            open.discard(private);
            let problem = "no public key of this kind".to_owned();
            Err(DeviceError::Answer { device: open.device.clone(), operation: "C_GenerateKeyPair", problem })
        }
        Err(error) => {
            open.discard(private);
            Err(error)
        }
    }
}

fn wrap_under(open: &Open, kek: &str, kind: KeyKind, key: ObjectHandle) -> Result<Vec<u8>, DeviceError> {
    let (mechanism, type_) = template::wrapper(kind);
    open.needs(type_, "wrap a key of this kind")?;
    let kek = find_kek(open, kek)?;
    let wrapped = open.session()?.wrap_key(&mechanism, kek, key);
    let mut wrapped = wrapped.map_err(|error| open.failed("C_WrapKey", "key-encryption key", &error))?;
    if let Some(length) = wrapped_length(kind) {
        // Some tokens ask for more room than they need, and it comes back whole.
        wrapped.truncate(length);
    }
    Ok(wrapped)
}

/// How long RFC 3394 makes an AES key: the length tells its kind.
fn wrapped_length(kind: KeyKind) -> Option<usize> {
    template::aes_length(kind).and_then(|length| usize::try_from(length).ok()).map(|length| length + 8)
}

/// Takes a wrapped key into a session.
pub(super) fn take_in(open: &Open, kek: &str, kind: KeyKind, bytes: &[u8]) -> Result<ObjectHandle, DeviceError> {
    let (mechanism, type_) = template::wrapper(kind);
    open.needs(type_, "unwrap a key of this kind")?;
    let (kek, _) = find_named(open, kek)?;
    let object = open.session()?.unwrap_key(&mechanism, kek, bytes, &template::secret(kind, Usage::Data, None));
    object.map_err(|error| open.failed("C_UnwrapKey", "key-encryption key", &error))
}

fn wrapped_parts(wrapped: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = wrapped.strip_prefix(WRAP).filter(|rest| rest.len() <= WRAPPED_LENGTH_MAX)?;
    let (length, rest) = rest.split_first_chunk()?;
    let (public, bytes) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
    // RFC 3394 and 5649: blocks of eight bytes, one more than the key.
    (bytes.len() >= 24 && bytes.len().is_multiple_of(8)).then_some((public, bytes))
}

const fn operation(cipher: Cipher<'_>) -> &'static str {
    match cipher {
        Cipher::Ecb => "encrypt with ECB",
        Cipher::Cbc { .. } => "encrypt with CBC",
        Cipher::Ctr { .. } => "encrypt with CTR",
        Cipher::Gcm { .. } => "encrypt with GCM",
    }
}

/// Whether the mode takes a message of this length.
fn fits(cipher: Cipher<'_>, message: &[u8]) -> bool {
    let whole = !message.is_empty() && message.len().is_multiple_of(BLOCK);
    match cipher {
        Cipher::Ecb => whole && message.len() <= ECB_LENGTH_MAX,
        Cipher::Cbc { .. } => whole,
        Cipher::Ctr { .. } | Cipher::Gcm { .. } => true,
    }
}

/// What the token refuses to open does not open: why is not told. A token that is lost or lacks something is.
fn undecided(error: KeyError) -> KeyError {
    if matches!(error, KeyError::Device(DeviceError::Refused { .. })) { KeyError::Decryption } else { error }
}

fn lacks(operation: &'static str, reason: &str) -> KeyError {
    DeviceError::Unsupported { device: "of PKCS #11".to_owned(), operation, reason: reason.to_owned() }.into()
}

fn bad_answer(operation: &'static str, problem: &str) -> KeyError {
    DeviceError::Answer { device: "of PKCS #11".to_owned(), operation, problem: problem.to_owned() }.into()
}
