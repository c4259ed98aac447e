//! The conformance suite: the same golden fixtures and the same tampering for every channel in the registry.
//!
//! `fixtures/channels/CHANNEL/*.txt` are conversations, written down as bytes and judged line by line;
//! `fixtures/channels/CHANNEL/*.clr` are clearing files, `wrong` beside them those that must be refused, `sm2` the conversations under
//! SM2, `centre` what goes to a fund's centre and what comes. Their signatures were not made by this crate.

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
