//! The file of the vault's root key.
#![no_main]

use std::{fs, os::unix::fs::PermissionsExt as _};

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("ark.key");
    fs::write(&path, data).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its owner's alone");
    let _ = ark::key_file::read(&path);
});
