//! ISO 8583 by profile: which fields there are and how each one lies in the message is a TOML file, not code.
//!
//! ```text
//!   profile.toml ─► Profile ─┬─► Message: ranges into the caller's bytes, typed access
//!                            └─► Builder: fields in any order, then one message
//! ```
//!
//! The codec begins at the message type (MTI) and ends with the last field: frame, TPDU and headers belong to whoever
//! holds the connection. It never panics on any bytes and never shows sensitive content, neither in errors nor in
//! `Debug` (JR/T 0171: class C3 hidden, card numbers as 6 + 4 digits).

pub mod builder;
pub mod error;
pub mod message;
pub mod profile;
pub mod tlv;
pub mod value;

pub use builder::Builder;
pub use error::{Error, Place, Problem};
pub use message::Message;
pub use profile::{Profile, ProfileError};
pub use value::{Digits, Value};

/// The highest field there is.
pub const LAST_FIELD: u8 = 128;

/// The longest message in bytes: what a frame's two length bytes can say.
pub const LONGEST: usize = 65_535;
