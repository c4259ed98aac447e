//! Backup: the journal's rows in files of a directory or objects of a bucket, with a manifest that says what each must be, and the vault beside them.
//!
//! ```text
//!  take:     rows behind the last range ─► each checked against the chain ─► RANGE.part ─ sync ─► RANGE ─► manifest.json
//!            then the vault, which knows every customer of those rows
//!  restore:  manifest ─► size and SM3 of each file ─► rows checked again ─► journal of a new directory ─► renamed into place
//! ```
//! A range exists once the manifest names it; taking again adds what came since. Everything else (tables, files of history) is
//! made again from the journal by a rebuild. The root key of personal data is never copied: a backup alone opens nothing.

mod bucket;
pub(crate) mod manifest;
pub(crate) mod place;
pub(crate) mod restore;
pub(crate) mod take;
