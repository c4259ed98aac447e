//! What the targets share: one provider for a whole run, and inputs cut into parts.

use std::sync::{Arc, OnceLock};

use ark::{Soft, keys::By};

/// Who asks the key service.
pub const BY: By<'static> = By::new("fuzz", "fuzz", 1_800_000_000_000);

/// The soft provider, its self-tests run once. Without tables of multiples: every public key is new.
pub fn soft() -> Arc<Soft> {
    static SOFT: OnceLock<Arc<Soft>> = OnceLock::new();
    Arc::clone(SOFT.get_or_init(|| Arc::new(Soft::with_known_keys(0).expect("self-tests pass"))))
}

/// The first byte, which chooses, and the rest.
pub fn choice(data: &[u8]) -> Option<(usize, &[u8])> {
    let (first, rest) = data.split_first()?;
    Some((usize::from(*first), rest))
}

/// A part whose length, two bytes, stands before it, and the rest; a length beyond the end takes everything.
pub fn part(data: &[u8]) -> (&[u8], &[u8]) {
    let Some((length, rest)) = data.split_first_chunk() else { return (data, &[]) };
    rest.split_at(rest.len().min(u16::from_be_bytes(*length).into()))
}
