//! The server as its callers meet it: a real process with its own directory, asked over TCP.

mod bad_input;
mod client;
mod features;
mod form;
mod open;
mod orders;
mod restart;
mod server;
