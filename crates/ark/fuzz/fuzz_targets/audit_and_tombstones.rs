//! The files beside the keys file: tombstones, and a keys file whose bytes are not what was written.
#![no_main]

use std::{fs, sync::OnceLock};

use ark::{KeyService, ceremony::RootKey, keys::TOMBSTONES_NAME, provider::PublicKey};
use ark_fuzz::{BY, choice, part, soft};
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

struct Made {
    directory: TempDir,
    root: RootKey,
    public: PublicKey,
    keys: Vec<u8>,
}

fn made() -> &'static Made {
    static MADE: OnceLock<Made> = OnceLock::new();
    MADE.get_or_init(|| {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let root = RootKey::generate().expect("random bytes");
        let service = KeyService::init(directory.path(), soft(), &root, &BY).expect("a key service");
        let public = service.audit_public_key().expect("open");
        let copy = directory.path().join("copy");
        fs::create_dir(&copy).expect("made");
        service.backup(&BY, &copy.join("keys.db")).expect("copied");
        let keys = fs::read(copy.join("keys.db")).expect("copied");
        Made { directory, root, public, keys }
    })
}

fuzz_target!(|data: &[u8]| {
    let Some((chosen, data)) = choice(data) else { return };
    let made = made();
    let directory = tempfile::tempdir_in(made.directory.path()).expect("a temporary directory");
    let keys = directory.path().join(ark::keys::KEYS_NAME);
    let mut bytes = made.keys.clone();
    if chosen % 2 == 0 {
        fs::write(directory.path().join(TOMBSTONES_NAME), data).expect("written");
    } else {
        let (place, patch) = part(data);
        let place = place.iter().fold(0, |place, byte| place << 8 | usize::from(*byte)) % bytes.len();
        let end = bytes.len().min(place + patch.len());
        bytes[place..end].copy_from_slice(&patch[..end - place]);
    }
    fs::write(&keys, bytes).expect("written");
    let _ = ark::audit::verify_file(&keys, &*soft(), &made.public);
    if let Ok(service) = KeyService::open(directory.path(), soft()) {
        let _ = service.unseal(&made.root, &BY);
    }
});
