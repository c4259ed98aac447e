//! SM4 over eight blocks at a time, and GCM over it (RFC 8998, SP 800-38D).
//!
//! The cipher is `gmcrypto-core`'s: without tables, so its time does not depend on key or data, and over a whole vector
//! register where the processor has one. GCM's hash is the `ghash` crate's. What stands here is only the order: the
//! block that masks the tag goes through the cipher together with the key stream, so a short message costs one pass.

use ghash::{GHash, universal_hash::UniversalHash as _};
use gmcrypto_core::sm4::Sm4Cipher;
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize as _, Zeroizing, zeroize_bytes};

use super::modes::cipher::{
    Block, BlockCipherDecBackend, BlockCipherDecClosure, BlockCipherDecrypt, BlockCipherEncBackend,
    BlockCipherEncClosure, BlockCipherEncrypt, BlockSizeUser, InOut, ParBlocks, ParBlocksSizeUser,
    consts::{U8, U16},
};

const BLOCK: usize = 16;
/// Blocks that the cipher takes at once on the widest processors.
const BATCH: usize = 8;
/// Blocks of key stream made at a time: half a kilobyte on the stack.
const STREAM: usize = 32;

pub(crate) const GCM_TAG_LENGTH: usize = 16;

/// A key for SM4, expanded. Wiped when dropped, no `Debug`.
pub(crate) struct Sm4 {
    cipher: Sm4Cipher,
}

impl Sm4 {
    pub(crate) fn new(key: &[u8; BLOCK]) -> Self {
        Self { cipher: Sm4Cipher::new(key) }
    }

    fn encrypt_one(&self, block: &mut [u8; BLOCK]) {
        if is_slow_alone() {
            in_batch(block, |batch| self.cipher.encrypt_blocks(batch));
        } else {
            self.cipher.encrypt_block(block);
        }
    }

    fn decrypt_one(&self, block: &mut [u8; BLOCK]) {
        if is_slow_alone() {
            in_batch(block, |batch| self.cipher.decrypt_blocks(batch));
        } else {
            self.cipher.decrypt_block(block);
        }
    }
}

/// Whether a block takes longer alone than as one of a batch: so it is where the processor has wide registers but no
/// instruction for a byte's inverse. The library computes that of a lone block by shifting and adding then.
fn is_slow_alone() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        let inverts = is_x86_feature_detected!("gfni") && is_x86_feature_detected!("avx512f");
        is_x86_feature_detected!("avx2") && !inverts
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}

/// Takes a block through the cipher with seven that are thrown away. They are no secret, and wiped like it.
fn in_batch(block: &mut [u8; BLOCK], crypt: impl FnOnce(&mut [[u8; BLOCK]])) {
    let mut batch = [[0; BLOCK]; BATCH];
    batch[0] = *block;
    crypt(&mut batch);
    *block = batch[0];
    zeroize_bytes(batch.as_flattened_mut());
}

/// SM4-GCM under one key, with the hash key made once.
pub(crate) struct Sm4Gcm {
    hash: GHash,
}

impl Sm4Gcm {
    pub(crate) fn new(cipher: &Sm4) -> Self {
        let mut hash_key = [0; BLOCK];
        cipher.encrypt_one(&mut hash_key);
        let gcm = Self { hash: GHash::new(&hash_key.into()) };
        hash_key.zeroize();
        gcm
    }

    /// Ciphertext ‖ tag.
    pub(crate) fn encrypt(&self, cipher: &Sm4, nonce: &[u8; 12], associated: &[u8], message: &[u8]) -> Vec<u8> {
        let mut output = Vec::with_capacity(message.len() + GCM_TAG_LENGTH);
        output.extend_from_slice(message);
        let mask = stream(cipher, nonce, &mut output);
        let tag = self.tag(associated, &output, mask);
        output.extend_from_slice(&tag);
        output
    }

    /// The message; `None` if anything is not as it was encrypted. The tag is compared before the caller sees a byte.
    pub(crate) fn decrypt(
        &self,
        cipher: &Sm4,
        nonce: &[u8; 12],
        associated: &[u8],
        ciphertext: &[u8],
    ) -> Option<Zeroizing<Vec<u8>>> {
        let (ciphertext, tag) = ciphertext.split_last_chunk::<GCM_TAG_LENGTH>()?;
        let mut message = Zeroizing::new(ciphertext.to_vec());
        let mask = stream(cipher, nonce, &mut message);
        let same = self.tag(associated, ciphertext, mask).ct_eq(tag);
        bool::from(same).then_some(message)
    }

    fn tag(&self, associated: &[u8], ciphertext: &[u8], mask: [u8; BLOCK]) -> [u8; GCM_TAG_LENGTH] {
        let mut hash = self.hash.clone();
        hash.update_padded(associated);
        hash.update_padded(ciphertext);
        let mut lengths = [0; BLOCK];
        lengths[..8].copy_from_slice(&(associated.len() as u64 * 8).to_be_bytes());
        lengths[8..].copy_from_slice(&(ciphertext.len() as u64 * 8).to_be_bytes());
        hash.update(&[lengths.into()]);
        let mut tag: [u8; BLOCK] = hash.finalize().into();
        for (byte, mask) in tag.iter_mut().zip(mask) {
            *byte ^= mask;
        }
        tag
    }
}

/// XORs the key stream of counters 2, 3, … onto `data`; gives the cipher of counter 1, which masks the tag.
///
/// Counters are 32 bits: a message of 64 GiB, which no process holds, would be the first to use one twice.
fn stream(cipher: &Sm4, nonce: &[u8; 12], data: &mut [u8]) -> [u8; BLOCK] {
    let mut counter = 1_u32;
    let mut blocks = [[0; BLOCK]; STREAM];
    let mut next = |blocks: &mut [[u8; BLOCK]; STREAM], count: usize| {
        let made = &mut blocks[..whole_batches(count)];
        for block in made.iter_mut() {
            block[..12].copy_from_slice(nonce);
            block[12..].copy_from_slice(&counter.to_be_bytes());
            counter = counter.wrapping_add(1);
        }
        cipher.cipher.encrypt_blocks(made);
    };
    // The first batch has the mask in front, so it covers one block of data less.
    let (first, rest) = data.split_at_mut(data.len().min((STREAM - 1) * BLOCK));
    let count = 1 + first.len().div_ceil(BLOCK);
    next(&mut blocks, count);
    let mask = blocks[0];
    xor(first, &blocks[1..count]);
    for chunk in rest.chunks_mut(STREAM * BLOCK) {
        let count = chunk.len().div_ceil(BLOCK);
        next(&mut blocks, count);
        xor(chunk, &blocks[..count]);
    }
    // The first pass filled the most.
    zeroize_bytes(blocks[..whole_batches(count)].as_flattened_mut());
    mask
}

/// A rest of half a batch or more is filled up to a whole one, which is faster than block by block; any rest, where one block is
/// slow alone.
fn whole_batches(count: usize) -> usize {
    let enough = if is_slow_alone() { 1 } else { BATCH / 2 };
    if count % BATCH >= enough { count.next_multiple_of(BATCH) } else { count }
}

fn xor(data: &mut [u8], stream: &[[u8; BLOCK]]) {
    for (byte, stream) in data.iter_mut().zip(stream.as_flattened()) {
        *byte ^= stream;
    }
}

// The other modes are the libraries', over the traits of the `cipher` crate.

impl BlockSizeUser for Sm4 {
    type BlockSize = U16;
}

impl ParBlocksSizeUser for Sm4 {
    type ParBlocksSize = U8;
}

impl BlockCipherEncBackend for Sm4 {
    fn encrypt_block(&self, mut block: InOut<'_, '_, Block<Self>>) {
        let mut bytes: [u8; BLOCK] = (*block.get_in()).into();
        self.encrypt_one(&mut bytes);
        *block.get_out() = bytes.into();
    }

    fn encrypt_par_blocks(&self, mut blocks: InOut<'_, '_, ParBlocks<Self>>) {
        let mut bytes: [[u8; BLOCK]; BATCH] = std::array::from_fn(|index| blocks.get_in()[index].into());
        self.cipher.encrypt_blocks(&mut bytes);
        for (block, bytes) in blocks.get_out().iter_mut().zip(bytes) {
            *block = bytes.into();
        }
    }
}

impl BlockCipherDecBackend for Sm4 {
    fn decrypt_block(&self, mut block: InOut<'_, '_, Block<Self>>) {
        let mut bytes: [u8; BLOCK] = (*block.get_in()).into();
        self.decrypt_one(&mut bytes);
        *block.get_out() = bytes.into();
    }

    fn decrypt_par_blocks(&self, mut blocks: InOut<'_, '_, ParBlocks<Self>>) {
        let mut bytes: [[u8; BLOCK]; BATCH] = std::array::from_fn(|index| blocks.get_in()[index].into());
        self.cipher.decrypt_blocks(&mut bytes);
        for (block, bytes) in blocks.get_out().iter_mut().zip(bytes) {
            *block = bytes.into();
        }
    }
}

impl BlockCipherEncrypt for Sm4 {
    fn encrypt_with_backend(&self, closure: impl BlockCipherEncClosure<BlockSize = U16>) {
        closure.call(self);
    }
}

impl BlockCipherDecrypt for Sm4 {
    fn decrypt_with_backend(&self, closure: impl BlockCipherDecClosure<BlockSize = U16>) {
        closure.call(self);
    }
}

#[cfg(test)]
mod tests {
    use aes_gcm::{
        AesGcm, KeyInit as _,
        aead::{Aead as _, Payload, consts::U12},
    };

    use super::{BLOCK, Sm4, Sm4Gcm};

    /// GB/T 32907, appendix A.2: one block a million times over.
    #[test]
    fn a_million_times_over() {
        let key = hex::decode("0123456789abcdeffedcba9876543210").expect("hex");
        let mut block: [u8; BLOCK] = key.as_slice().try_into().expect("a block");
        let cipher = Sm4::new(&block);
        for _ in 0..1_000_000 {
            cipher.encrypt_one(&mut block);
        }
        assert_eq!(hex::encode(block), "595298c7c6fd271f0402f804c33d3f66");
    }

    /// Whichever way this processor takes: alone and in a batch, there and back.
    #[test]
    fn a_block_in_a_batch_is_what_it_is_alone() {
        let cipher = Sm4::new(&[5; BLOCK]);
        for byte in 0..=u8::MAX {
            let (mut alone, mut batched) = ([byte; BLOCK], [byte; BLOCK]);
            cipher.cipher.encrypt_block(&mut alone);
            super::in_batch(&mut batched, |batch| cipher.cipher.encrypt_blocks(batch));
            assert_eq!(alone, batched);
            cipher.decrypt_one(&mut alone);
            super::in_batch(&mut batched, |batch| cipher.cipher.decrypt_blocks(batch));
            assert_eq!((alone, batched), ([byte; BLOCK], [byte; BLOCK]));
        }
    }

    /// Another cipher and another GCM: `sm4` under `aes-gcm`, at every length around blocks, batches and the chunk of key
    /// stream.
    #[test]
    fn gcm_is_that_of_another_implementation() {
        let key = crate::sm3(b"key")[..16].try_into().expect("a key");
        let (nonce, associated) = ([9; 12], [3; 20]);
        let cipher = Sm4::new(&key);
        let gcm = Sm4Gcm::new(&cipher);
        let other = AesGcm::<sm4::Sm4, U12>::new(&key.into());
        for length in (0..600).chain([1008, 1023, 1024, 1025, 5000, 70_001]) {
            let message: Vec<u8> = (0..length).map(|place| (place * 7 + place / 251) as u8).collect();
            let associated = &associated[..length % 21];
            let ours = gcm.encrypt(&cipher, &nonce, associated, &message);
            let theirs =
                other.encrypt(&nonce.into(), Payload { msg: &message, aad: associated }).expect("short enough");
            assert_eq!(ours, theirs, "{length} bytes");
            assert_eq!(gcm.decrypt(&cipher, &nonce, associated, &ours).as_deref(), Some(&message), "{length} bytes");
        }
    }
}
