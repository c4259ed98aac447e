//! The node's steps over a real journal, store and history.

mod recovery;
mod world;
