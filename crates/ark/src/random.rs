//! Random bytes from the operating system, the only source of randomness in this crate.

use crate::error::Error;

/// `N` random bytes.
///
/// # Errors
/// [`Error::Random`] if the operating system has none; nothing that needs a key or a nonce may go on then.
pub(crate) fn random_bytes<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(Error::Random)?;
    Ok(bytes)
}
