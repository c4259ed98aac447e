//! The server as its callers meet it: a real process with its own directory, asked over TCP.

mod agreements;
mod approvals;
mod backup;
mod bad_input;
mod books;
mod client;
#[path = "../../../journal/tests/it/cluster.rs"]
mod cluster;
mod command_line;
mod conversions;
mod disk;
mod export;
mod features;
mod form;
mod freezes;
mod holds;
mod import;
mod import_berka;
mod keys;
mod log;
mod manual;
mod mending;
mod open;
mod orders;
mod own_money;
mod restart;
mod server;
mod skip;
mod staff;
mod start;
mod trees;
mod wallets;
mod withdrawals;
