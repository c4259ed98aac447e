//! The running system without HTTP: loading, projecting, carrying out attempts, closing days. Steps only: threads, clocks
//! and sockets are the server's shell's.

mod balances;
pub mod checkpointer;
pub mod close;
pub mod digest;
pub mod executor;
pub mod fields;
pub mod keys;
pub mod load;
pub mod merger;
pub mod projector;
pub mod publisher;
pub mod rebuild;
pub mod site;
pub mod verify;
pub mod webhook;
pub mod working_day;
