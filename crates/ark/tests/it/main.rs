//! What the ark promises to its callers, over real files and against another implementation.

mod key_file;
mod oracle;
mod seal;
mod secrecy;
mod signing;
mod support;
mod vault;
