//! The journal against real files and a real PostgreSQL.

mod corrupt;
mod directory;
mod suite;
