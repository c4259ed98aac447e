//! What a device of GM/T 0018-2012 can do of [`Provider`], and the names of what it cannot.

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::{Key, PIECE, PairUse, Sdf, WRAP, cipher_of, ffi, undecided};
use crate::{
    device::DeviceError,
    provider::{
        Agreed, Authentication, CHECK_VALUE_LENGTH, Check, Cipher, ECB_LENGTH_MAX, Exchange, KeyError, KeyHandle,
        KeyKind, Provider, PublicKey, PublicKeyEncryption, Signing,
    },
    sm2::{
        ID_LENGTH_MAX,
        encrypt::{Ciphertext, Layout},
        key::Signature,
        point::Point,
    },
};

const BLOCK: usize = 16;

crate::device::refuse_financial!(Sdf, "sdf");

impl Provider for Sdf {
    fn financial(&self) -> Option<&dyn crate::Financial> {
        Some(self)
    }

    fn generate(&self, kind: KeyKind) -> Result<KeyHandle, KeyError> {
        match kind {
            KeyKind::Sm4 => self.generate_sm4(),
            KeyKind::Sm2 => {
                Err(lacks("make an SM2 pair", "pairs are made inside with the vendor's tool; name their index"))
            }
            KeyKind::HmacSm3
            | KeyKind::Aes128
            | KeyKind::Aes256
            | KeyKind::TripleDes2
            | KeyKind::TripleDes3
            | KeyKind::Rsa2048
            | KeyKind::Rsa3072
            | KeyKind::P256
            | KeyKind::Ed25519 => Err(lacks("make a key of this kind", "it is used for SM2 and SM4 only")),
        }
    }

    fn destroy(&self, key: KeyHandle) {
        self.keys.forget(key);
    }

    fn kind(&self, key: KeyHandle) -> Result<KeyKind, KeyError> {
        Ok(self.key(key)?.kind())
    }

    fn public_key(&self, key: KeyHandle) -> Result<PublicKey, KeyError> {
        let key = self.key(key)?;
        let Key::Pair { public, .. } = &*key else { return Err(key.wrong("have a public key")) };
        Ok(PublicKey { kind: KeyKind::Sm2, bytes: [[4].as_slice(), public].concat() })
    }

    fn check_value(&self, key: KeyHandle) -> Result<[u8; CHECK_VALUE_LENGTH], KeyError> {
        self.check_value_of(key)
    }

    /// `sdf1 ‖ check value ‖ the key as the device encrypted it`: the check value takes the place of a tag.
    fn wrap(&self, key: KeyHandle, under: KeyHandle) -> Result<Vec<u8>, KeyError> {
        let (inner, kek) = (self.key(key)?, self.kek_index(under)?);
        match &*inner {
            Key::Wrapped { kek: own, bytes } if *own == kek => {
                let check = self.check_value_of(key)?;
                Ok([WRAP.as_slice(), &check, bytes].concat())
            }
            Key::Wrapped { .. } | Key::Sealed { .. } => {
                Err(lacks("wrap this key", "the interface wraps a key when it is made, under the KEK it is made with"))
            }
            Key::Pair { .. } | Key::Kek { .. } => Err(inner.wrong("leave the device")),
        }
    }

    fn unwrap(&self, wrapped: &[u8], kind: KeyKind, under: KeyHandle) -> Result<KeyHandle, KeyError> {
        let kek = self.kek_index(under)?;
        let rest = wrapped.strip_prefix(WRAP).filter(|_| kind == KeyKind::Sm4).ok_or(KeyError::Decryption)?;
        let (check, bytes) = rest.split_first_chunk::<CHECK_VALUE_LENGTH>().ok_or(KeyError::Decryption)?;
        if !(BLOCK..=128).contains(&bytes.len()) {
            return Err(KeyError::Decryption);
        }
        let key = self.keys.keep(Key::Wrapped { kek, bytes: bytes.to_vec() });
        if bool::from(self.proven(key)?.ct_eq(check)) {
            Ok(key)
        } else {
            self.keys.forget(key);
            Err(KeyError::Decryption)
        }
    }

    fn derive(&self, key: KeyHandle, _context: &[u8], _kind: KeyKind) -> Result<KeyHandle, KeyError> {
        self.key(key)?;
        Err(lacks("derive keys", "GM/T 0018-2012 has no HMAC-SM3 key"))
    }

    fn sign(&self, key: KeyHandle, scheme: Signing<'_>, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let key = self.key(key)?;
        let id = sm2_id(scheme, key.kind(), "sign with another scheme than SM2")?;
        let Key::Pair { index, usage: PairUse::Sign, public } = &*key else {
            return Err(key.wrong("sign: it is no pair that signs"));
        };
        let signature = self.pool.run(|open| {
            let digest = open.session.hash(Some((public, id)), message)?;
            let what = self.right(open, *index, PairUse::Sign)?;
            Ok(open.session.sign(*index, &digest, &what)?)
        })?;
        let signature = signature.numbers().and_then(|numbers| Signature::from_numbers(&numbers));
        signature.map(Signature::to_der).ok_or_else(|| bad_answer("SDF_InternalSign_ECC", "no SM2 signature"))
    }

    fn verify(&self, check: &Check<'_>) -> Result<(), KeyError> {
        let id = sm2_id(check.scheme, check.public.kind, "verify with another scheme than SM2")?;
        let public = sm2_point(check.public)?;
        let signature = Signature::from_der(check.signature).ok_or(KeyError::Signature)?;
        let signature = super::form::EccSignature::new(&signature.numbers());
        let valid = self.pool.run(|open| {
            let digest = open.session.hash(Some((&public, id)), check.message)?;
            Ok(open.session.verify(&public, &digest, &signature)?)
        })?;
        if valid { Ok(()) } else { Err(KeyError::Signature) }
    }

    fn encrypt_for(
        &self,
        public: &PublicKey,
        scheme: PublicKeyEncryption,
        message: &[u8],
    ) -> Result<Vec<u8>, KeyError> {
        let layout = layout(scheme, public.kind)?;
        let public = sm2_point(public)?;
        if !(1..=PIECE).contains(&message.len()) {
            let needed = "a device encrypts 1 to 8,192 bytes with SM2, some only 136";
            return Err(KeyError::Length { what: "message", found: message.len(), needed });
        }
        let cipher = self.pool.run(|open| Ok(open.session.encrypt_for(&public, message)?))?;
        Ok(Ciphertext { c1: cipher.c1, c3: cipher.c3, c2: cipher.c2 }.to_bytes(layout))
    }

    fn decrypt_with(
        &self,
        key: KeyHandle,
        scheme: PublicKeyEncryption,
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let key = self.key(key)?;
        let layout = layout(scheme, key.kind())?;
        let Key::Pair { index, usage: PairUse::Encrypt, .. } = &*key else {
            return Err(key.wrong("decrypt: it is no pair that encrypts"));
        };
        let cipher = cipher_of(layout, ciphertext).ok_or(KeyError::Decryption)?;
        let opened = self.pool.run(|open| {
            let what = self.right(open, *index, PairUse::Encrypt)?;
            Ok(open.session.decrypt_with(*index, &cipher, &what)?)
        });
        opened.map_err(undecided)
    }

    fn encrypt(&self, key: KeyHandle, cipher: Cipher<'_>, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let iv = self.mode(key, cipher)?;
        if !whole_blocks(message, iv.is_none()) {
            let needed = "whole blocks of 16 bytes; ECB takes key blocks, at most 64 bytes";
            return Err(KeyError::Length { what: "message", found: message.len(), needed });
        }
        self.blocks(key, true, iv, message).map(|mut bytes| std::mem::take(&mut *bytes))
    }

    fn decrypt(&self, key: KeyHandle, cipher: Cipher<'_>, ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let iv = self.mode(key, cipher)?;
        if !whole_blocks(ciphertext, iv.is_none()) {
            return Err(KeyError::Decryption);
        }
        self.blocks(key, false, iv, ciphertext).map_err(undecided)
    }

    fn authenticate(&self, key: KeyHandle, scheme: Authentication, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        match scheme {
            Authentication::Cmac => self.cmac(key, message).map(|tag| tag.to_vec()),
            Authentication::HmacSm3 => {
                Err(self.key(key)?.wrong("authenticate with HMAC-SM3, which GM/T 0018-2012 has not"))
            }
        }
    }

    fn check_tag(&self, key: KeyHandle, scheme: Authentication, message: &[u8], tag: &[u8]) -> Result<(), KeyError> {
        let expected = self.authenticate(key, scheme, message)?;
        if bool::from(expected.as_slice().ct_eq(tag)) { Ok(()) } else { Err(KeyError::Tag) }
    }

    fn agree(&self, exchange: &Exchange<'_>) -> Result<Agreed, KeyError> {
        self.key(exchange.own)?;
        Err(lacks(
            "agree on a key",
            "its agreement keeps the pair of one exchange in the session, where no handle names it",
        ))
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), KeyError> {
        for piece in bytes.chunks_mut(PIECE) {
            self.pool.run(|open| Ok(open.session.random(piece)?))?;
        }
        Ok(())
    }
}

impl Sdf {
    fn generate_sm4(&self) -> Result<KeyHandle, KeyError> {
        let kek = self.kek.ok_or_else(|| DeviceError::Configuration {
            what: "kek is not set".to_owned(),
            needed: "the index of a key-encryption key in the devices, under which keys are made",
        })?;
        let bytes = self.pool.run(|open| {
            let (bytes, key) = open.session.generate_key(kek, &format!("key-encryption key {kek}"))?;
            open.session.destroy_key(key);
            Ok(bytes)
        })?;
        let key = self.keys.keep(Key::Wrapped { kek, bytes });
        // A key that the devices cannot take in again is none.
        self.proven(key).map(|_| key)
    }

    fn kek_index(&self, under: KeyHandle) -> Result<u32, KeyError> {
        let under = self.key(under)?;
        match &*under {
            Key::Kek { index } => Ok(*index),
            Key::Pair { .. } | Key::Wrapped { .. } | Key::Sealed { .. } => {
                Err(under.wrong("wrap: only a key-encryption key in the device does"))
            }
        }
    }

    /// The chaining value, or `None` for ECB.
    fn mode(&self, key: KeyHandle, cipher: Cipher<'_>) -> Result<Option<[u8; BLOCK]>, KeyError> {
        let key = self.key(key)?;
        match cipher {
            Cipher::Ecb => Ok(None),
            Cipher::Cbc { iv } => {
                let needed = "a chaining value is a block of 16 bytes";
                let wrong = KeyError::Length { what: "chaining value", found: iv.len(), needed };
                iv.try_into().map(Some).map_err(|_| wrong)
            }
            Cipher::Ctr { .. } | Cipher::Gcm { .. } => match &*key {
                Key::Pair { .. } => Err(key.wrong("encrypt with a block cipher")),
                Key::Kek { .. } | Key::Wrapped { .. } | Key::Sealed { .. } => {
                    Err(lacks("encrypt with CTR or GCM", "GM/T 0018-2012 has ECB and CBC; take CBC and a CMAC over it"))
                }
            },
        }
    }

    /// Piece by piece, the chain going on from one to the next.
    fn blocks(
        &self,
        key: KeyHandle,
        encrypts: bool,
        iv: Option<[u8; BLOCK]>,
        message: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let algorithm = if iv.is_some() { ffi::SM4_CBC } else { ffi::SM4_ECB };
        let mut chain = iv.unwrap_or_default();
        let mut done = Zeroizing::new(Vec::with_capacity(message.len()));
        for piece in message.chunks(PIECE) {
            let answer = self.with_key(key, "encrypt with a block cipher", |session, key| {
                session.cipher(key, (encrypts, algorithm), chain, piece)
            })?;
            let sealed: &[u8] = if encrypts { &answer } else { piece };
            chain.copy_from_slice(&sealed[sealed.len() - BLOCK..]);
            done.extend_from_slice(&answer);
        }
        Ok(done)
    }

    /// CMAC of the device's chain: its last block is masked here with the subkeys (SP 800-38B, 6.1 and 6.2).
    fn cmac(&self, key: KeyHandle, message: &[u8]) -> Result<[u8; BLOCK], KeyError> {
        let operation = "authenticate with CMAC";
        let zero = self.with_key(key, operation, |session, key| {
            session.cipher(key, (true, ffi::SM4_ECB), [0; BLOCK], &[0; BLOCK])
        })?;
        let mut subkey = doubled(&zero);
        let whole = !message.is_empty() && message.len().is_multiple_of(BLOCK);
        let mut blocks = Zeroizing::new(message.to_vec());
        if !whole {
            subkey = doubled(&*subkey);
            blocks.push(0x80);
            let length = blocks.len().next_multiple_of(BLOCK);
            blocks.resize(length, 0);
        }
        let last = blocks.len() - BLOCK;
        for (byte, mask) in blocks[last..].iter_mut().zip(subkey.iter()) {
            *byte ^= mask;
        }
        let mut chain = [0; BLOCK];
        for piece in blocks.chunks_mut(PIECE) {
            // The chain goes on where the last piece ended: its first block takes the chain in.
            for (byte, before) in piece.iter_mut().zip(&chain) {
                *byte ^= before;
            }
            chain = self.with_key(key, operation, |session, key| session.mac(key, piece))?;
        }
        Ok(chain)
    }
}

/// Twice a block in GF(2¹²⁸), without a branch on it.
fn doubled(block: &[u8]) -> Zeroizing<[u8; BLOCK]> {
    let mut doubled = Zeroizing::new([0; BLOCK]);
    for (place, byte) in doubled.iter_mut().enumerate() {
        let next = block.get(place + 1).map_or(0, |next| next >> 7);
        *byte = block[place] << 1 | next;
    }
    doubled[BLOCK - 1] ^= 0x87 & 0_u8.wrapping_sub(block[0] >> 7);
    doubled
}

fn whole_blocks(message: &[u8], ecb: bool) -> bool {
    let fits = !ecb || message.len() <= ECB_LENGTH_MAX;
    !message.is_empty() && message.len().is_multiple_of(BLOCK) && fits
}

fn sm2_id<'a>(scheme: Signing<'a>, kind: KeyKind, operation: &'static str) -> Result<&'a [u8], KeyError> {
    match scheme {
        Signing::Sm2 { id } if id.len() > ID_LENGTH_MAX => {
            Err(KeyError::Length { what: "id", found: id.len(), needed: "an SM2 id has at most 8,191 bytes" })
        }
        Signing::Sm2 { id } => Ok(id),
        Signing::RsaPkcs1Sha256 | Signing::P256Sha256 | Signing::Ed25519 => {
            Err(KeyError::WrongKind { operation, kind })
        }
    }
}

fn layout(scheme: PublicKeyEncryption, kind: KeyKind) -> Result<Layout, KeyError> {
    match scheme {
        PublicKeyEncryption::Sm2Raw => Ok(Layout::Raw),
        PublicKeyEncryption::Sm2Der => Ok(Layout::Der),
        PublicKeyEncryption::RsaOaepSha256 => Err(KeyError::WrongKind { operation: "encrypt with RSA", kind }),
    }
}

fn sm2_point(public: &PublicKey) -> Result<[u8; 64], KeyError> {
    if public.kind != KeyKind::Sm2 {
        return Err(KeyError::WrongKind { operation: "do this with SM2", kind: public.kind });
    }
    let point = Point::from_bytes(&public.bytes).ok_or(KeyError::PublicKey { kind: KeyKind::Sm2 })?;
    Ok(point.coordinates())
}

fn lacks(operation: &'static str, reason: &str) -> KeyError {
    DeviceError::Unsupported { device: "of GM/T 0018".to_owned(), operation, reason: reason.to_owned() }.into()
}

fn bad_answer(operation: &'static str, problem: &str) -> KeyError {
    DeviceError::Answer { device: "of GM/T 0018".to_owned(), operation, problem: problem.to_owned() }.into()
}
