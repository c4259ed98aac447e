//! Text of ciphertexts, signatures and tags (`ark:v3:BASE64`), and what a ciphertext is bound to.

use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::{Context, Error};

/// Bytes of a context at most, names and values together.
const CONTEXT_MAX: usize = 4_096;

pub(super) fn write(version: u32, bytes: &[u8]) -> String {
    format!("ark:v{version}:{}", BASE64_STANDARD.encode(bytes))
}

/// Version and bytes of a ciphertext, signature or tag, for protocols that carry the bytes alone; `None` for any other text.
#[must_use]
pub fn bytes_of(text: &str) -> Option<(u32, Vec<u8>)> {
    parse(text)
}

/// The text of bytes that came without it, as of this version.
#[must_use]
pub fn text_of(version: u32, bytes: &[u8]) -> String {
    write(version, bytes)
}

/// The version that such a text names, whatever its bytes are.
pub(crate) fn version_of(text: &str) -> Option<u32> {
    split(text).map(|(version, _)| version)
}

/// Version and bytes, or `None` for any other text. There is one text for a value: no leading zeros, padded base64.
pub(super) fn parse(text: &str) -> Option<(u32, Vec<u8>)> {
    let (version, body) = split(text)?;
    Some((version, BASE64_STANDARD.decode(body).ok()?))
}

fn split(text: &str) -> Option<(u32, &str)> {
    let (number, body) = text.strip_prefix("ark:v")?.split_once(':')?;
    if number.starts_with('0') || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some((number.parse().ok()?, body))
}

/// What GCM authenticates beside the ciphertext: key, version and context, each with its length.
pub(super) fn associated(uid: &[u8; 16], version: u32, context: &Context) -> Result<Vec<u8>, Error> {
    let found = context.iter().map(|(name, value)| name.len() + value.len()).sum();
    if found > CONTEXT_MAX {
        return Err(Error::TooLarge { what: "encryption context, bytes", found, limit: CONTEXT_MAX });
    }
    let mut bytes = b"lintel/ark/ciphertext/1/".to_vec();
    bytes.extend(uid);
    bytes.extend(version.to_be_bytes());
    for text in context.iter().flat_map(|(name, value)| [name, value]) {
        bytes.extend((text.len() as u64).to_be_bytes());
        bytes.extend(text.as_bytes());
    }
    Ok(bytes)
}
