//! The journal against real files and a real PostgreSQL.

mod cluster;
mod corrupt;
mod directory;
mod doubt;
mod leaders;
mod lease;
mod property;
mod proxy;
mod ranges;
mod server;
mod suite;
