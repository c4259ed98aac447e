//! Load generators: each drives a real server process over loopback and says what it measured.
//!
//! | where | what |
//! |---|---|
//! | [`ledger`] | `bench ledger`: transfers in postings, shape by shape |
//! | [`preset`] | the shapes |
//! | [`payments`] | `bench payments`: orders paid through the sandbox bank |
//! | [`keys`] | `bench keys`: data keys and signatures of the key service |
//! | [`terminals`] | `bench terminals`: connections of terminals, and what each costs |
//! | [`pos`] | `bench pos`: card transactions of many terminals, through the sandbox's card network |
//! | [`postings`], [`holds`] | what is sent: made from a seed, written in CBOR or JSON |
//! | [`load`] | the maker thread, and the lanes that send |
//! | [`connection`] | signed requests over connections that stay, with little work of their own |
//! | [`accounts`], [`place`] | what stands before the clock runs: accounts, directories, PostgreSQL |
//! | [`monitor`], [`raw`], [`statistics`] | what is measured beside: slices, the bare disk, percentiles |
//! | [`report`], [`plot`], [`progress`] | what is said |

mod accounts;
pub(crate) mod connection;
mod holds;
pub mod keys;
pub mod ledger;
mod load;
mod monitor;
pub mod numbers;
pub mod payments;
mod place;
mod plot;
pub mod pos;
mod postings;
pub mod preset;
mod progress;
mod raw;
mod report;
pub(crate) mod statistics;
pub mod terminals;
