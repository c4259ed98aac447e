//! What the ark promises to its callers, over real files and against another implementation.

mod access;
mod audit;
#[path = "../../../journal/tests/it/cluster.rs"]
mod cluster;
mod fhsm;
mod financial;
mod key_file;
mod keys;
mod keys_financial;
mod keys_oracle;
mod keys_postgres;
mod mutation;
mod old_vault;
mod oracle;
mod overlap;
mod pkcs11;
mod pool;
mod provider;
mod rooted;
mod sdf;
mod seal;
mod secrecy;
mod signing;
mod support;
mod vault;
mod vault_check;
mod vault_rewrap;
