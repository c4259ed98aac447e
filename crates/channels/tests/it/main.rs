//! The conformance suite: the same golden fixtures and the same tampering for every channel in the registry.
//!
//! `fixtures/channels/CHANNEL/*.txt` are conversations, written down as bytes and judged line by line;
//! `fixtures/channels/CHANNEL/*.clr` are clearing files, `*.fbt` the files of a fund's monthly batch, `quota_*.json` what it says of
//! a lease. Their signatures were not made by this crate.

mod batch;
mod centre;
mod clearing;
mod conformance;
mod epcc;
mod fixture;
mod named_key;
mod openssl;
mod pingan;
mod quota;
mod real_name;
mod registry;
mod signed_files;
mod size;
mod sm2;
mod unionpay;
mod unknown;
mod words;
mod wrong_files;
