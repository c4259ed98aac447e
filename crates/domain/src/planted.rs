//! A fault planted on purpose, so that the simulator's tests can show that it would be found. It is compiled in only with
//! the feature `planted-faults`, which nothing but those tests may ask for, never in a build without debug assertions, as
//! every release is, whatever features it has, and does nothing but in books whose institution bears its name.

use crate::state::State;

/// The institution in whose books a balance that leaves the range of 64 bits wraps in place of being refused.
pub const UNCHECKED_OVERFLOW: &str = "planted: unchecked overflow";

/// Whether these are such books.
pub(crate) fn overflows(state: &State) -> bool {
    state.genesis.as_ref().is_some_and(|genesis| genesis.institution == UNCHECKED_OVERFLOW)
}
