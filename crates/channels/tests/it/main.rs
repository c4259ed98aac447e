//! The conformance suite: the same golden fixtures and the same tampering for every channel in the registry.
//!
//! `tests/fixtures/CHANNEL/*.txt` are conversations, written down as bytes and judged line by line;
//! `tests/fixtures/CHANNEL/*.clr` are clearing files. Their signatures were not made by this crate.

mod clearing;
mod conformance;
mod fixture;
mod named_key;
mod registry;
mod unknown;
