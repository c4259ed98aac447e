//! The whole system in one process under one seed: clients, node, journal, files, network and banks, with a clock of its
//! own and every fault there is. `docs/simulator.md` says what is simulated, what is not, and how to read a trace.
//!
//! ```text
//!  seed ─► weather, clients, order of events ─► World ─► laws after every step ─► Outcome: figures │ violation, trace
//! ```
//! The same seed does the same on every machine, line by line of its trace. Only the ciphertext of sealed fields differs,
//! which no decision looks at.
//!
//! | where | what |
//! |---|---|
//! | `world` | the clock, the queue, starts and crashes |
//! | `writer`, `flights` | one life: the shell's writer, projector and executor, step by step |
//! | `client`, `commands`, `operator` | what is asked of the platform, and what was answered |
//! | `fund_batch`, `by_hand` | what the operator does about a fund's month, and about what channels refused |
//! | `sessions` | the lines of the statement that clearing sessions await, and the laws of 1101 |
//! | `disk`, `files`, `directory` | the journal's disk; the store's and the lake's files, and where they lie |
//! | `sites` | two ways to each bank, which go down and come back |
//! | `network` | wires to the banks of `sandbox`, which carry the channels' true bytes |
//! | `day` | a day of many orders under a plan: curve, faults, figures |
//! | `follower`, `check`, `under_way`, `end` | the laws: of each durable row, of each state, of all that ever was, of the end |
//! | `rare` | how often what seldom happens did |

mod by_hand;
mod check;
mod client;
mod commands;
mod day;
mod directory;
mod disk;
mod end;
mod fault;
mod files;
mod flights;
mod follower;
mod fund_batch;
mod network;
mod node;
mod operator;
mod random;
mod rare;
mod run;
mod secrets;
mod sessions;
mod sites;
mod terms;
mod trace;
mod under_way;
mod weather;
mod world;
mod writer;

pub use check::Violation;
pub use day::{DayOutcome, Figures, PlanError, Rate, run_day};
pub use fault::Fault;
pub use rare::{RARE, Rare};
pub use run::{Outcome, PLANTED_OVERFLOW, run};
pub use trace::Stats;
