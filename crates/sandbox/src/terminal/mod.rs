//! Terminals (POS 终端), simulated: each with its own keys, its batch and its memory, over TCP, as a shop's cashier works it.
//!
//! ```text
//!  Terminal::new ─► connect ─► sign_in ─► transact … transact ─► settle ─► sign_out
//!                                │           │ no answer, or none that is proved: owed
//!                                │           └► before anything else: 0400 until 00 or 25, a bounded number of times
//!                                └ again after 99, A0 or whenever the answer's header asks for it
//! ```
//!
//! | where | what |
//! |---|---|
//! | [`device`] | a terminal: what it does with the platform, and what it remembers |
//! | [`message`] | what is asked and answered, field by field |
//! | [`wire`] | frames, and the TCP connection |
//! | [`batch`] | what was approved since the last settlement, as totals and records |
//! | [`shift`] | a shift by a seeded plan |
//! | [`fleet`] | many terminals at once, summed up |
//! | [`register`] | prices, keys, merchants and terminals at a platform, over its API |
//!
//! A terminal writes down what it will have to take back before it sends anything, as a real one does in memory that survives a
//! power cut. So whoever drops a future half-way, calls [`Terminal::hang_up`] or kills the platform may go on with the same
//! [`Terminal`] afterwards, and no transaction is forgotten.
//!
//! It shares the codec with the platform, and nothing else: MACs, PIN blocks, envelopes and totals are written here from
//! `docs/pos.md`, so that a misunderstanding shows.

pub mod batch;
pub mod device;
pub mod fleet;
pub mod message;
pub mod register;
pub mod shift;
pub mod wire;

pub use batch::{Settled, Totals};
pub use device::{Counts, Identity, Outcome, Terminal};
pub use fleet::Summary;
pub use message::{Card, Heard, Kind, Receipt, Request, Transaction};
pub use shift::{Shift, Watch};
pub use wire::{Dialect, Fault, Way};
