//! The engine on a journal in memory: what it answers, what it binds, what replay gives back.

mod forgetting;
mod keys;
mod recall;
mod replay;
mod support;
