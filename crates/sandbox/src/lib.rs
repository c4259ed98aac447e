//! The world around the platform, simulated: a bank and a provident-fund centre that behave badly on purpose.
//!
//! Real ones cannot be had on a developer's machine, so this crate writes the other side of each format itself, from
//! its description in `docs/sandbox.md` and without a line of the platform's own code (keys and hashes come from
//! `ark`): a misunderstanding on one side shows as an answer that is not believed on the other.
//!
//! | where | what |
//! |---|---|
//! | [`bank`] | bank and fund over HTTP: exact books, and faults by a plan with a seed |
//! | [`card_network`] | a card network with its issuers, over TCP |
//! | [`terminal`] | terminals at points of sale, over TCP |
//! | [`cipher`] | ciphers of card messages, for both |
//! | [`day_plan`] | the committed plan of a day, which the player plays and the simulator runs |
//! | [`play`] | one business day of house payments, played over the public API |
//! | [`bench`] | load generators |
//! | [`crash`] | kills of the platform under load, and what must hold after each |
//! | [`api`] | the platform's public API, signed |
//! | [`receive`] | a merchant's receiver of webhooks |
//! | [`process`] | starting, killing and measuring the platform as a process |

pub mod api;
pub mod bank;
pub mod bench;
pub mod card_network;
pub mod cipher;
pub mod crash;
pub mod day_plan;
mod person;
pub mod play;
pub mod process;
pub mod receive;
pub mod terminal;
