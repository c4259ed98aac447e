//! The boundary to whatever holds keys: a module in this process, or a device.
//!
//! ```text
//!  caller ── handle, data ──► Provider ─┬─ Soft      keys in this process's memory (embedded default)
//!         ◄─ result ─────────           └─ devices   the same names, keys that never were here
//! ```
//!
//! Keys are named by [`KeyHandle`] and stay inside. What comes out is a public key, a result, a check value, or a key
//! wrapped under another one. Invariants: no function returns a secret key; every decryption, unwrapping or agreement
//! that fails does so with [`KeyError::Decryption`] whatever the reason; tags are compared in constant time, inside.
//!
//! Each operation takes its scheme, so that a ciphertext or signature is never read under another scheme than the one
//! the caller names; a key of a kind that the scheme does not take is [`KeyError::WrongKind`].

mod error;

use std::fmt;

use zeroize::Zeroizing;

pub use self::error::KeyError;

/// Length of the nonce of GCM in bytes.
pub const GCM_NONCE_LENGTH: usize = 12;
/// The longest message that ECB takes: it is there for key blocks (密钥块) and check values, not for data.
pub const ECB_LENGTH_MAX: usize = 64;
/// Length of a check value in bytes.
pub const CHECK_VALUE_LENGTH: usize = 8;

/// Names a key inside one provider, for as long as that provider lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyHandle(pub(crate) u64);

/// What a key is for. The kind fixes what it can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyKind {
    /// SM2 key pair (GB/T 32918): sign, decrypt, agree.
    Sm2,
    /// SM4 key (GB/T 32907), 16 bytes: encrypt, authenticate, wrap.
    Sm4,
    /// Key for HMAC-SM3, 32 bytes: authenticate, derive.
    HmacSm3,
    /// AES key of 16 bytes (FIPS 197).
    Aes128,
    /// AES key of 32 bytes.
    Aes256,
    /// Triple DES key of two parts, 16 bytes, for terminals that know no better.
    TripleDes2,
    /// Triple DES key of three parts, 24 bytes.
    TripleDes3,
    /// RSA key pair of 2048 bits: sign, decrypt.
    Rsa2048,
    /// RSA key pair of 3072 bits.
    Rsa3072,
    /// ECDSA key pair on P-256 (FIPS 186-5).
    P256,
    /// Ed25519 key pair (RFC 8032).
    Ed25519,
}

impl KeyKind {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::Sm2,
        Self::Sm4,
        Self::HmacSm3,
        Self::Aes128,
        Self::Aes256,
        Self::TripleDes2,
        Self::TripleDes3,
        Self::Rsa2048,
        Self::Rsa3072,
        Self::P256,
        Self::Ed25519,
    ];

    /// Its name, for ever.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sm2 => "sm2",
            Self::Sm4 => "sm4",
            Self::HmacSm3 => "hmac-sm3",
            Self::Aes128 => "aes-128",
            Self::Aes256 => "aes-256",
            Self::TripleDes2 => "3des-2",
            Self::TripleDes3 => "3des-3",
            Self::Rsa2048 => "rsa-2048",
            Self::Rsa3072 => "rsa-3072",
            Self::P256 => "p-256",
            Self::Ed25519 => "ed25519",
        }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A public key as it goes over a wire. It is checked where it is used.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PublicKey {
    /// The kind of the pair.
    pub kind: KeyKind,
    /// SM2 and P-256: the point, `04 ‖ x ‖ y`, 65 bytes. Ed25519: 32 bytes. RSA: `SubjectPublicKeyInfo` in DER.
    pub bytes: Vec<u8>,
}

/// How to sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signing<'a> {
    /// SM2 with SM3 (GB/T 32918.2) by a signer with this id (可辨别标识); usually [`Signing::SM2`]. Signature: DER
    /// (GM/T 0009).
    Sm2 {
        /// At most 8,191 bytes.
        id: &'a [u8],
    },
    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017).
    RsaPkcs1Sha256,
    /// ECDSA on P-256 with SHA-256. Signature: DER.
    P256Sha256,
    /// Ed25519 (RFC 8032). Signature: 64 bytes.
    Ed25519,
}

impl Signing<'static> {
    /// SM2 with the id that everyone uses who was told none (GM/T 0009).
    pub const SM2: Self = Self::Sm2 { id: crate::sm2::DEFAULT_ID };
}

/// How to encrypt for the holder of a private key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublicKeyEncryption {
    /// SM2 (GB/T 32918.4), `C1 ‖ C3 ‖ C2`, C1 as `04 ‖ x ‖ y`.
    Sm2Raw,
    /// SM2, the same three in DER (GM/T 0009).
    Sm2Der,
    /// RSAES-OAEP with SHA-256 (RFC 8017), no label.
    RsaOaepSha256,
}

/// How to use a block cipher. The caller pads, where a mode needs whole blocks: a provider that checked padding could
/// be asked about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cipher<'a> {
    /// Each block by itself: key blocks only, at most [`ECB_LENGTH_MAX`] bytes.
    Ecb,
    /// Chained blocks, whole blocks only. The chaining value is a block.
    Cbc {
        /// The block before the first one.
        iv: &'a [u8],
    },
    /// Counter mode over ciphers of 16-byte blocks, any length. Never the same counter twice under one key.
    Ctr {
        /// The first counter block; 128 bits count up.
        counter: &'a [u8],
    },
    /// GCM (RFC 8998 for SM4, SP 800-38D for AES): ciphertext ‖ tag of 16 bytes. Never the same nonce twice under one
    /// key; [`Provider::seal`] chooses it.
    Gcm {
        /// 96 bits.
        nonce: &'a [u8; GCM_NONCE_LENGTH],
        /// What is bound to the ciphertext and not in it.
        associated: &'a [u8],
    },
}

/// How to authenticate with a shared key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authentication {
    /// HMAC-SM3, 32 bytes.
    HmacSm3,
    /// CMAC (SP 800-38B; GB/T 15852.1 algorithm 5) over SM4, AES or triple DES, a block long.
    Cmac,
}

/// One signature among many to verify.
#[derive(Debug, Clone, Copy)]
pub struct Check<'a> {
    /// Whose signature it should be.
    pub public: &'a PublicKey,
    /// Under which scheme.
    pub scheme: Signing<'a>,
    /// What was signed.
    pub message: &'a [u8],
    /// The signature.
    pub signature: &'a [u8],
}

/// Which side of a key agreement (密钥交换) one is: the two sides hash in the initiator's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Sent the first message (A in the standard).
    Initiator,
    /// Answered it (B).
    Responder,
}

/// What one side of an SM2 key exchange (GB/T 32918.3) brings together.
#[derive(Debug, Clone, Copy)]
pub struct Exchange<'a> {
    /// Which side this is.
    pub side: Side,
    /// This side's key pair.
    pub own: KeyHandle,
    /// This side's key pair of this one exchange; its public key went to the other side. It is destroyed by the
    /// exchange, whatever comes of it.
    pub own_ephemeral: KeyHandle,
    /// This side's id.
    pub own_id: &'a [u8],
    /// The other side's public key.
    pub peer: &'a PublicKey,
    /// The other side's public key of this one exchange.
    pub peer_ephemeral: &'a PublicKey,
    /// The other side's id.
    pub peer_id: &'a [u8],
    /// The kind of the key to agree on: a symmetric one.
    pub kind: KeyKind,
}

/// A key agreed on, and the tags by which the two sides prove to each other that they have it.
pub struct Agreed {
    key: KeyHandle,
    own_tag: [u8; 32],
    peer_tag: [u8; 32],
}

impl Agreed {
    pub(crate) fn new(key: KeyHandle, own_tag: [u8; 32], peer_tag: [u8; 32]) -> Self {
        Self { key, own_tag, peer_tag }
    }

    /// What this side sends to prove that it has the key.
    #[must_use]
    pub fn own_tag(&self) -> [u8; 32] {
        self.own_tag
    }

    /// The key, if the other side has it too: `tag` is what it sent. Compared in constant time.
    ///
    /// # Errors
    /// [`KeyError::Agreement`] if it is not the tag of this agreement. The key is then still in the provider, under
    /// [`Agreed::unconfirmed`], to be destroyed.
    pub fn confirm(&self, tag: &[u8]) -> Result<KeyHandle, KeyError> {
        use subtle::ConstantTimeEq as _;

        if bool::from(self.peer_tag.as_slice().ct_eq(tag)) { Ok(self.key) } else { Err(KeyError::Agreement) }
    }

    /// The key without proof that the other side has it, for exchanges whose next message proves it, and to destroy it.
    #[must_use]
    pub fn unconfirmed(&self) -> KeyHandle {
        self.key
    }
}

/// Prints the handle, not the tags: who read the other side's could pretend to be it.
impl fmt::Debug for Agreed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Agreed").field("key", &self.key).finish_non_exhaustive()
    }
}

/// Where keys are and what is done with them: in this process or in a device.
///
/// A device answers [`KeyError::Device`] where it is lost, refuses, or lacks an operation.
pub trait Provider: fmt::Debug + Send + Sync {
    /// The same provider as one that knows financial commands, be it to refuse them by name; `None` where there are none.
    fn financial(&self) -> Option<&dyn crate::Financial> {
        None
    }

    /// Makes a key.
    ///
    /// # Errors
    /// [`KeyError::Random`].
    fn generate(&self, kind: KeyKind) -> Result<KeyHandle, KeyError>;

    /// Forgets a key and wipes it. Forgetting what is not there is no error.
    fn destroy(&self, key: KeyHandle);

    /// What kind of key it is.
    ///
    /// # Errors
    /// [`KeyError::UnknownKey`].
    fn kind(&self, key: KeyHandle) -> Result<KeyKind, KeyError>;

    /// The public key of a pair.
    ///
    /// # Errors
    /// [`KeyError::WrongKind`] for a symmetric key, [`KeyError::UnknownKey`].
    fn public_key(&self, key: KeyHandle) -> Result<PublicKey, KeyError>;

    /// The check value (校验值) of a cipher's key: the first 8 bytes of one block of zeros encrypted. It proves which key
    /// it is without showing it.
    ///
    /// # Errors
    /// [`KeyError::WrongKind`] for a key that is no block cipher's, [`KeyError::UnknownKey`].
    fn check_value(&self, key: KeyHandle) -> Result<[u8; CHECK_VALUE_LENGTH], KeyError>;

    /// The key encrypted and authenticated under an SM4 or AES key.
    ///
    /// # Errors
    /// [`KeyError::WrongKind`], [`KeyError::UnknownKey`], [`KeyError::Random`].
    fn wrap(&self, key: KeyHandle, under: KeyHandle) -> Result<Vec<u8>, KeyError>;

    /// Takes in what [`Provider::wrap`] gave out, as a key of the kind it had.
    ///
    /// # Errors
    /// [`KeyError::Decryption`] if it is anything else; [`KeyError::WrongKind`] and [`KeyError::UnknownKey`] about `under`.
    fn unwrap(&self, wrapped: &[u8], kind: KeyKind, under: KeyHandle) -> Result<KeyHandle, KeyError>;

    /// A symmetric key of `kind` from an HMAC-SM3 key and a context: the KDF of GB/T 32918.4 over HMAC-SM3 of the kind's
    /// name and the context.
    ///
    /// # Errors
    /// [`KeyError::WrongKind`] if `key` is no HMAC-SM3 key or `kind` is a pair, [`KeyError::UnknownKey`].
    fn derive(&self, key: KeyHandle, context: &[u8], kind: KeyKind) -> Result<KeyHandle, KeyError>;

    /// Signs a message.
    ///
    /// # Errors
    /// [`KeyError::WrongKind`], [`KeyError::UnknownKey`], [`KeyError::Length`] for a longer id, [`KeyError::Random`].
    fn sign(&self, key: KeyHandle, scheme: Signing<'_>, message: &[u8]) -> Result<Vec<u8>, KeyError>;

    /// Verifies a signature.
    ///
    /// # Errors
    /// [`KeyError::Signature`] if it is not valid, [`KeyError::PublicKey`] if the public key is none,
    /// [`KeyError::WrongKind`] if the scheme is of another kind, [`KeyError::Length`] for a longer id.
    fn verify(&self, check: &Check<'_>) -> Result<(), KeyError>;

    /// Verifies many, each by itself; the answers stand in the order of `checks`.
    fn verify_many(&self, checks: &[Check<'_>]) -> Vec<Result<(), KeyError>> {
        checks.iter().map(|check| self.verify(check)).collect()
    }

    /// Encrypts for the holder of a private key.
    ///
    /// # Errors
    /// [`KeyError::PublicKey`], [`KeyError::WrongKind`], [`KeyError::Length`] for an empty message under SM2 or one that
    /// is too long for OAEP, [`KeyError::Random`].
    fn encrypt_for(&self, public: &PublicKey, scheme: PublicKeyEncryption, message: &[u8])
    -> Result<Vec<u8>, KeyError>;

    /// Decrypts what was encrypted for this key.
    ///
    /// # Errors
    /// [`KeyError::Decryption`] for whatever is wrong with the ciphertext; [`KeyError::WrongKind`],
    /// [`KeyError::UnknownKey`].
    fn decrypt_with(
        &self,
        key: KeyHandle,
        scheme: PublicKeyEncryption,
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, KeyError>;

    /// Encrypts with a shared key.
    ///
    /// # Errors
    /// [`KeyError::Length`] for a chaining value, counter or message of a length the mode does not take,
    /// [`KeyError::WrongKind`], [`KeyError::UnknownKey`].
    fn encrypt(&self, key: KeyHandle, cipher: Cipher<'_>, message: &[u8]) -> Result<Vec<u8>, KeyError>;

    /// Decrypts with a shared key.
    ///
    /// # Errors
    /// [`KeyError::Decryption`] for whatever is wrong with the ciphertext, its length too; [`KeyError::Length`] for a
    /// chaining value or counter, [`KeyError::WrongKind`], [`KeyError::UnknownKey`].
    fn decrypt(&self, key: KeyHandle, cipher: Cipher<'_>, ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError>;

    /// GCM with a random nonce in front: `nonce ‖ ciphertext ‖ tag`. At most 2³² messages under one key.
    ///
    /// # Errors
    /// As [`Provider::encrypt`], and [`KeyError::Random`].
    fn seal(&self, key: KeyHandle, associated: &[u8], message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let mut nonce = [0; GCM_NONCE_LENGTH];
        self.random(&mut nonce)?;
        let sealed = self.encrypt(key, Cipher::Gcm { nonce: &nonce, associated }, message)?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Opens what [`Provider::seal`] made.
    ///
    /// # Errors
    /// As [`Provider::decrypt`].
    fn open(&self, key: KeyHandle, associated: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let (nonce, ciphertext) = sealed.split_first_chunk().ok_or(KeyError::Decryption)?;
        self.decrypt(key, Cipher::Gcm { nonce, associated }, ciphertext)
    }

    /// The tag of a message.
    ///
    /// # Errors
    /// [`KeyError::WrongKind`], [`KeyError::UnknownKey`].
    fn authenticate(&self, key: KeyHandle, scheme: Authentication, message: &[u8]) -> Result<Vec<u8>, KeyError>;

    /// Compares a tag from outside with the one of the message, in constant time.
    ///
    /// # Errors
    /// [`KeyError::Tag`] if it is another or of another length; [`KeyError::WrongKind`], [`KeyError::UnknownKey`].
    fn check_tag(&self, key: KeyHandle, scheme: Authentication, message: &[u8], tag: &[u8]) -> Result<(), KeyError>;

    /// One side of an SM2 key exchange; see [`Exchange`].
    ///
    /// # Errors
    /// [`KeyError::Decryption`] if the points give no key, [`KeyError::PublicKey`], [`KeyError::Length`] for a longer
    /// id, [`KeyError::WrongKind`] if a key is no SM2 pair or the agreed kind is a pair, [`KeyError::UnknownKey`].
    fn agree(&self, exchange: &Exchange<'_>) -> Result<Agreed, KeyError>;

    /// Fills `bytes` from the provider's source of randomness.
    ///
    /// # Errors
    /// [`KeyError::Random`].
    fn random(&self, bytes: &mut [u8]) -> Result<(), KeyError>;
}
