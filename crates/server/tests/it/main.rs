//! The server as its callers meet it: a real process with its own directory, asked over TCP.

mod agreements;
mod bad_input;
mod client;
#[path = "../../../journal/tests/it/cluster.rs"]
mod cluster;
mod command_line;
mod conversions;
mod features;
mod form;
mod holds;
mod log;
mod open;
mod orders;
mod restart;
mod server;
mod start;
