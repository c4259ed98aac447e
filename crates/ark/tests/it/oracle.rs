//! An independent oracle: the `openssl` program, which shares no code with the libraries used here.
//!
//! It knows SM3, HMAC and SM4 in counter mode, but not SM4-GCM everywhere; so GCM's authentication is added here after
//! NIST SP 800-38D, bit by bit, as the standard writes it and no library does.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use ark::{MacKey, sm4_gcm::Sm4Key};

use crate::support::{bytes, skip};

/// What `openssl ARGUMENTS` makes of `input`; `None` if there is no such program or it does not know the algorithm.
pub(crate) fn openssl(arguments: &[&str], input: &[u8]) -> Option<Vec<u8>> {
    let mut child = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    // A program that refuses its arguments may be gone before it reads; its exit code tells.
    let _ = child.stdin.take().expect("piped above").write_all(input);
    let output = child.wait_with_output().expect("openssl ends");
    output.status.success().then_some(output.stdout)
}

fn array<const N: usize>(seed: u64) -> [u8; N] {
    bytes(seed, N).try_into().expect("as many as asked")
}

/// Around the block of 64 bytes and the length field of the padding.
const LENGTHS: [usize; 12] = [0, 1, 31, 55, 56, 63, 64, 65, 119, 120, 1000, 70_000];

#[test]
fn sm3_agrees_with_openssl() {
    for (seed, length) in (1..).zip(LENGTHS) {
        let message = bytes(seed, length);
        let Some(expected) = openssl(&["dgst", "-sm3", "-binary"], &message) else {
            return skip("openssl", "apt-get install openssl (version 3, with SM3)");
        };
        assert_eq!(ark::sm3(&message).as_slice(), expected, "{length} bytes");
    }
}

#[test]
fn hmac_sm3_agrees_with_openssl() {
    for (seed, length) in (100..).zip(LENGTHS) {
        let (key, message) = (array(seed), bytes(seed + 1, length));
        let option = format!("hexkey:{}", hex::encode(key));
        let arguments = ["dgst", "-sm3", "-mac", "HMAC", "-macopt", &option, "-binary"];
        let Some(expected) = openssl(&arguments, &message) else {
            return skip("openssl", "apt-get install openssl (version 3, with SM3)");
        };
        assert_eq!(MacKey::from_bytes(key).tag(&message).as_slice(), expected, "{length} bytes");
    }
}

#[test]
fn sm4_gcm_agrees_with_openssl_and_the_standard() {
    for (seed, (about, length)) in (200..).zip([(0, 0), (0, 1), (1, 16), (15, 17), (16, 64), (33, 1000)]) {
        let (key, associated, message) = (array(seed), bytes(seed + 1, about), bytes(seed + 2, length));
        let sealed = Sm4Key::from_bytes(key).seal(&associated, &message).expect("random bytes");
        let (nonce, body) = sealed.split_at(12);
        let Some(expected) = gcm_by_the_standard(&hex::encode(key), nonce, &associated, &message) else {
            return skip("openssl", "apt-get install openssl (version 3, with SM4)");
        };
        assert_eq!(hex::encode(body), hex::encode(expected), "{length} bytes about {about}");
    }
}

/// NIST SP 800-38D, 7.1, for a nonce of 96 bits. SM4 itself is openssl's: its counter mode over zeros gives the
/// cipher of a block (the key stream of a counter is that counter's cipher).
fn gcm_by_the_standard(key: &str, nonce: &[u8], associated: &[u8], message: &[u8]) -> Option<Vec<u8>> {
    let counter_mode =
        |counter: [u8; 16], input: &[u8]| openssl(&["enc", "-sm4-ctr", "-K", key, "-iv", &hex::encode(counter)], input);
    let block = |number: u32| {
        let mut counter = [0; 16];
        counter[..12].copy_from_slice(nonce);
        counter[12..].copy_from_slice(&number.to_be_bytes());
        counter
    };
    let number = |bytes: Vec<u8>| u128::from_be_bytes(bytes.try_into().expect("one block"));
    let hash_key = number(counter_mode([0; 16], &[0; 16])?);
    let tag_mask = number(counter_mode(block(1), &[0; 16])?);
    let ciphertext = counter_mode(block(2), message)?;
    let tag = ghash(hash_key, associated, &ciphertext) ^ tag_mask;
    Some([ciphertext, tag.to_be_bytes().to_vec()].concat())
}

/// GHASH of SP 800-38D, 6.4, over both parts padded with zeros, and their lengths in bits.
fn ghash(key: u128, associated: &[u8], ciphertext: &[u8]) -> u128 {
    let padded = associated.chunks(16).chain(ciphertext.chunks(16)).map(|chunk| {
        let mut block = [0; 16];
        block[..chunk.len()].copy_from_slice(chunk);
        u128::from_be_bytes(block)
    });
    let lengths = ((associated.len() as u128 * 8) << 64) | (ciphertext.len() as u128 * 8);
    padded.chain([lengths]).fold(0, |sum, block| multiply(sum ^ block, key))
}

/// The product in GF(2¹²⁸) of SP 800-38D, 6.3: the leftmost bit is the lowest power.
fn multiply(left: u128, right: u128) -> u128 {
    const REDUCTION: u128 = 0xe1 << 120;
    let (mut product, mut power) = (0, right);
    for bit in (0..128).rev() {
        if left >> bit & 1 == 1 {
            product ^= power;
        }
        power = (power >> 1) ^ if power & 1 == 1 { REDUCTION } else { 0 };
    }
    product
}
