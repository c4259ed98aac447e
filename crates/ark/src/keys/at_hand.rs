//! Which uses touch memory alone.
//!
//! | a use waits for | when |
//! |---|---|
//! | a device, or a process elsewhere | keys lie there |
//! | the row of a key of a terminal or zone | it was not used since the start |
//! | the next block of counted uses | those of the last block are nearly used up |
//! | the trail | it was not written for seconds, or could not be: [`crate::audit`] |
//!
//! All else is some microseconds of arithmetic, so that a task may do it where it stands.

use super::{By, KeyService, held::Held, life::Use};

/// Uses at the end of a block that count as used: so many callers may be told at once that a key is at hand.
const SPARE: u64 = 64;

impl KeyService {
    /// Whether a use of this key's current version waits for nothing now.
    #[must_use]
    pub fn is_at_hand(&self, by: &By<'_>, name: &str, act: Use) -> bool {
        if self.soft.is_none() || self.pending().due(by.now) {
            return false;
        }
        let Some(key) = self.opened().and_then(|open| self.key(&open, name)).ok() else { return false };
        let Some(version) = key.current_at(by.now, self.overlap_of(name)) else { return false };
        let is_there = match &version.held {
            Some(Held::General(_)) => true,
            Some(Held::Terminal(terminal)) => self.module.is_none() && terminal.is_taken_in(),
            None => false,
        };
        is_there && (act != Use::Protect || version.uses.has(SPARE))
    }
}
