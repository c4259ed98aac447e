//! The one writer: it decides commands in order, gathers their events into batches and lets nothing out before it is
//! durable.
//!
//! ```text
//!  request ─► Engine::submit ─► answer ─► Gate::park(position)           (held back)
//!                 │ events join the open batch
//!             Engine::seal ─► journal::Batch ─► append, fsync ─► Gate::release(position) ─► answers, projections go out
//! ```
//! Everything here is a step without a thread, a clock or a file: `node` and the server's shell own those, so that a
//! simulation runs the same code. While one batch syncs the next is being decided.

pub mod engine;
pub mod gate;
pub mod keys;
pub mod record;

pub use engine::{Admitted, Answer, Engine, EngineError, Parked, Projection, SealedBatch};
pub use gate::Gate;
pub use keys::filter::{FilterError, KeyFilter, Span};
pub use keys::{KeyBinding, Keys, LookedUp, Retired};
pub use record::{LEVEL, Meta, Request};
