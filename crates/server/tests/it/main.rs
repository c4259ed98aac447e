//! The server as its callers meet it: a real process with its own directory, asked over TCP.

mod bad_input;
mod books;
mod client;
#[path = "../../../journal/tests/it/cluster.rs"]
mod cluster;
mod command_line;
mod export;
mod features;
mod form;
mod import;
mod import_berka;
mod log;
mod open;
mod orders;
mod restart;
mod server;
mod start;
