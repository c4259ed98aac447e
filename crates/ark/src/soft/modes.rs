//! Block ciphers and their modes: one key, one cipher, and what [`Cipher`] asks of it.
//!
//! Modes are the libraries' (`cbc`, `ctr`, `cmac`, the generic GCM of `aes-gcm`), except SM4-GCM ([`super::sm4`]).

pub(super) use cbc::cipher;

use aes::{Aes128, Aes256};
use aes_gcm::{AesGcm, aead::AeadInOut as _, aead::consts::U12};
use cipher::{
    BlockCipherDecrypt, BlockCipherEncrypt, BlockModeDecrypt as _, BlockModeEncrypt as _, BlockSizeUser,
    InnerIvInit as _, Iv, KeyInit as _, StreamCipher as _, StreamCipherCoreWrapper,
};
use cmac::{Mac as _, digest::common::InnerInit as _};
use des::{Des, TdesEde2, TdesEde3};
use zeroize::Zeroizing;

use super::sm4::{GCM_TAG_LENGTH, Sm4, Sm4Gcm};
use crate::provider::{CHECK_VALUE_LENGTH, Cipher, ECB_LENGTH_MAX, KeyError, KeyKind};

/// A block cipher under one key. Wiped when dropped, no `Debug`.
pub(super) enum BlockCipher {
    Sm4(Sm4, Sm4Gcm),
    Aes128(Aes128),
    Aes256(Aes256),
    TripleDes2(TdesEde2),
    TripleDes3(TdesEde3),
    /// For MACs of terminals only; no general key is one.
    Des(Des),
}

/// The same expression over whichever cipher it is.
macro_rules! each {
    ($cipher:expr, $name:ident => $body:expr) => {
        match $cipher {
            BlockCipher::Sm4($name, _) => $body,
            BlockCipher::Aes128($name) => $body,
            BlockCipher::Aes256($name) => $body,
            BlockCipher::TripleDes2($name) => $body,
            BlockCipher::TripleDes3($name) => $body,
            BlockCipher::Des($name) => $body,
        }
    };
}

impl BlockCipher {
    pub(super) fn sm4(key: &[u8; 16]) -> Self {
        let cipher = Sm4::new(key);
        let gcm = Sm4Gcm::new(&cipher);
        Self::Sm4(cipher, gcm)
    }

    pub(super) fn aes128(key: &[u8; 16]) -> Self {
        Self::Aes128(Aes128::new(key.into()))
    }

    pub(super) fn aes256(key: &[u8; 32]) -> Self {
        Self::Aes256(Aes256::new(key.into()))
    }

    pub(super) fn triple_des2(key: &[u8; 16]) -> Self {
        Self::TripleDes2(TdesEde2::new(key.into()))
    }

    pub(super) fn triple_des3(key: &[u8; 24]) -> Self {
        Self::TripleDes3(TdesEde3::new(key.into()))
    }

    pub(super) fn des(key: &[u8; 8]) -> Self {
        Self::Des(Des::new(key.into()))
    }

    pub(super) fn block_length(&self) -> usize {
        each!(self, cipher => block_length(cipher))
    }

    /// Each whole block by itself.
    pub(super) fn encrypt_each_block(&self, bytes: &mut [u8]) {
        each!(self, cipher => ecb_encrypt(cipher, bytes));
    }

    /// Each whole block by itself.
    pub(super) fn decrypt_each_block(&self, bytes: &mut [u8]) {
        each!(self, cipher => ecb_decrypt(cipher, bytes));
    }

    /// The first bytes of one block of zeros encrypted.
    pub(super) fn check_value(&self) -> [u8; CHECK_VALUE_LENGTH] {
        let mut block = [0; 16];
        each!(self, cipher => ecb_encrypt(cipher, &mut block[..block_length(cipher)]));
        std::array::from_fn(|index| block[index])
    }

    pub(super) fn cmac(&self, message: &[u8]) -> Vec<u8> {
        each!(self, cipher => {
            let mut mac = cmac::Cmac::inner_init(cipher);
            mac.update(message);
            mac.finalize().into_bytes().to_vec()
        })
    }

    pub(super) fn check_cmac(&self, message: &[u8], tag: &[u8]) -> Result<(), KeyError> {
        each!(self, cipher => {
            let mut mac = cmac::Cmac::inner_init(cipher);
            mac.update(message);
            mac.verify_slice(tag).map_err(|_| KeyError::Tag)
        })
    }

    pub(super) fn encrypt(&self, kind: KeyKind, mode: Cipher<'_>, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        match mode {
            Cipher::Ecb => {
                self.whole_blocks(message)?;
                if message.len() > ECB_LENGTH_MAX {
                    let needed = "ECB takes key blocks, at most 64 bytes; use GCM for data";
                    return Err(KeyError::Length { what: "message", found: message.len(), needed });
                }
                let mut bytes = message.to_vec();
                each!(self, cipher => ecb_encrypt(cipher, &mut bytes));
                Ok(bytes)
            }
            Cipher::Cbc { iv } => {
                self.whole_blocks(message)?;
                each!(self, cipher => {
                    let mut mode = cbc::Encryptor::inner_iv_init(cipher, block_of(iv, "chaining value")?);
                    let mut bytes = message.to_vec();
                    for block in bytes.chunks_exact_mut(block_length(cipher)) {
                        mode.encrypt_block(block.try_into().expect("cut to blocks"));
                    }
                    Ok(bytes)
                })
            }
            Cipher::Ctr { counter } => {
                let mut bytes = message.to_vec();
                self.counter(kind, counter, &mut bytes)?;
                Ok(bytes)
            }
            Cipher::Gcm { nonce, associated } => self.gcm_encrypt(kind, nonce, associated, message),
        }
    }

    pub(super) fn decrypt(
        &self,
        kind: KeyKind,
        mode: Cipher<'_>,
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let copy = || Zeroizing::new(ciphertext.to_vec());
        match mode {
            Cipher::Ecb => {
                if self.whole_blocks(ciphertext).is_err() || ciphertext.len() > ECB_LENGTH_MAX {
                    return Err(KeyError::Decryption);
                }
                let mut bytes = copy();
                each!(self, cipher => ecb_decrypt(cipher, &mut bytes));
                Ok(bytes)
            }
            Cipher::Cbc { iv } => {
                self.whole_blocks(ciphertext).map_err(|_| KeyError::Decryption)?;
                let mut bytes = copy();
                each!(self, cipher => cbc_decrypt(cipher, block_of(iv, "chaining value")?, &mut bytes));
                Ok(bytes)
            }
            Cipher::Ctr { counter } => {
                let mut bytes = copy();
                self.counter(kind, counter, &mut bytes)?;
                Ok(bytes)
            }
            Cipher::Gcm { nonce, associated } => self.gcm_decrypt(kind, nonce, associated, ciphertext),
        }
    }

    fn counter(&self, kind: KeyKind, counter: &[u8], bytes: &mut [u8]) -> Result<(), KeyError> {
        match self {
            Self::Sm4(cipher, _) => counter_mode(cipher, counter, bytes),
            Self::Aes128(cipher) => counter_mode(cipher, counter, bytes),
            Self::Aes256(cipher) => counter_mode(cipher, counter, bytes),
            Self::TripleDes2(_) | Self::TripleDes3(_) | Self::Des(_) => {
                Err(KeyError::WrongKind { operation: "encrypt in counter mode", kind })
            }
        }
    }

    fn gcm_encrypt(
        &self,
        kind: KeyKind,
        nonce: &[u8; 12],
        associated: &[u8],
        message: &[u8],
    ) -> Result<Vec<u8>, KeyError> {
        match self {
            Self::Sm4(cipher, gcm) => Ok(gcm.encrypt(cipher, nonce, associated, message)),
            Self::Aes128(cipher) => Ok(gcm_seal(&gcm_of(cipher), nonce, associated, message)),
            Self::Aes256(cipher) => Ok(gcm_seal(&gcm_of(cipher), nonce, associated, message)),
            Self::TripleDes2(_) | Self::TripleDes3(_) | Self::Des(_) => {
                Err(KeyError::WrongKind { operation: "encrypt with GCM", kind })
            }
        }
    }

    fn gcm_decrypt(
        &self,
        kind: KeyKind,
        nonce: &[u8; 12],
        associated: &[u8],
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let opened = match self {
            Self::Sm4(cipher, gcm) => gcm.decrypt(cipher, nonce, associated, ciphertext),
            Self::Aes128(cipher) => gcm_open(&gcm_of(cipher), nonce, associated, ciphertext),
            Self::Aes256(cipher) => gcm_open(&gcm_of(cipher), nonce, associated, ciphertext),
            Self::TripleDes2(_) | Self::TripleDes3(_) | Self::Des(_) => {
                return Err(KeyError::WrongKind { operation: "decrypt with GCM", kind });
            }
        };
        opened.ok_or(KeyError::Decryption)
    }

    fn whole_blocks(&self, message: &[u8]) -> Result<(), KeyError> {
        let length = self.block_length();
        if message.is_empty() || !message.len().is_multiple_of(length) {
            let needed =
                "this mode takes whole blocks, 16 bytes each for SM4 and AES, 8 for triple DES; pad the message";
            return Err(KeyError::Length { what: "message", found: message.len(), needed });
        }
        Ok(())
    }
}

fn block_length<C: BlockSizeUser>(_cipher: &C) -> usize {
    C::block_size()
}

/// A block out of bytes from the caller.
fn block_of<'a, T: 'a>(bytes: &'a [u8], what: &'static str) -> Result<&'a T, KeyError>
where
    &'a T: TryFrom<&'a [u8]>,
{
    let needed = "it is one block, 16 bytes for SM4 and AES, 8 for triple DES";
    bytes.try_into().map_err(|_| KeyError::Length { what, found: bytes.len(), needed })
}

fn ecb_encrypt<C: BlockCipherEncrypt>(cipher: &C, bytes: &mut [u8]) {
    for block in bytes.chunks_exact_mut(C::block_size()) {
        cipher.encrypt_block(block.try_into().expect("cut to blocks"));
    }
}

fn ecb_decrypt<C: BlockCipherDecrypt>(cipher: &C, bytes: &mut [u8]) {
    for block in bytes.chunks_exact_mut(C::block_size()) {
        cipher.decrypt_block(block.try_into().expect("cut to blocks"));
    }
}

fn counter_mode<C>(cipher: &C, counter: &[u8], bytes: &mut [u8]) -> Result<(), KeyError>
where
    C: BlockCipherEncrypt + BlockSizeUser<BlockSize = cipher::consts::U16>,
{
    let core = ctr::CtrCore::<&C, ctr::flavors::Ctr128BE>::inner_iv_init(cipher, block_of(counter, "counter")?);
    StreamCipherCoreWrapper::from_core(core).apply_keystream(bytes);
    Ok(())
}

fn cbc_decrypt<C: BlockCipherDecrypt + BlockCipherEncrypt>(cipher: &C, iv: &Iv<cbc::Decryptor<&C>>, bytes: &mut [u8]) {
    let (blocks, _) = cipher::Array::slice_as_chunks_mut(bytes);
    cbc::Decryptor::inner_iv_init(cipher, iv).decrypt_blocks(blocks);
}

fn gcm_of<C>(cipher: &C) -> AesGcm<C, U12>
where
    C: BlockCipherEncrypt + BlockSizeUser<BlockSize = cipher::consts::U16> + Clone,
    AesGcm<C, U12>: From<C>,
{
    AesGcm::from(cipher.clone())
}

/// Ciphertext ‖ tag.
fn gcm_seal<C>(gcm: &AesGcm<C, U12>, nonce: &[u8; 12], associated: &[u8], message: &[u8]) -> Vec<u8>
where
    C: BlockCipherEncrypt + BlockSizeUser<BlockSize = cipher::consts::U16>,
{
    let mut bytes = Vec::with_capacity(message.len() + GCM_TAG_LENGTH);
    bytes.extend_from_slice(message);
    let tag = gcm.encrypt_inout_detached(nonce.into(), associated, bytes.as_mut_slice().into());
    bytes.extend_from_slice(&tag.expect("no process holds the 64 GiB that GCM does not take"));
    bytes
}

/// The message; `None` if it does not open.
fn gcm_open<C>(
    gcm: &AesGcm<C, U12>,
    nonce: &[u8; 12],
    associated: &[u8],
    ciphertext: &[u8],
) -> Option<Zeroizing<Vec<u8>>>
where
    C: BlockCipherEncrypt + BlockSizeUser<BlockSize = cipher::consts::U16>,
{
    let (ciphertext, tag) = ciphertext.split_last_chunk::<GCM_TAG_LENGTH>()?;
    let mut bytes = Zeroizing::new(ciphertext.to_vec());
    gcm.decrypt_inout_detached(nonce.into(), associated, bytes.as_mut_slice().into(), tag.into()).ok()?;
    Some(bytes)
}
