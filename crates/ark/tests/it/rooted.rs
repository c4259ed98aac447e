//! The key service whose root key is in a device: a library of GM/T 0018 of the tests' own.

use std::{fs, path::Path, sync::Arc, time::Duration};

use ark::{
    KeyService, Provider as _,
    device::{Limits, Profile, Rooted},
    keys::{By, Context, Error, Purpose, Spec},
    provider::KeyKind,
    sdf::{Config, DeviceConfig, Sdf},
};

const BY: By<'static> = By::new("operator", "", 1_000);

fn devices(folder: &Path) -> Sdf {
    let library = folder.join("device.so");
    if !library.exists() {
        fs::copy(crate::sdf::library(), &library).expect("copied");
    }
    let devices = vec![DeviceConfig { name: "a".to_owned(), library, decrypt_takes_algorithm: false }];
    let limits = Limits { sessions: 2, wait: Duration::from_millis(20), retry_after: Duration::ZERO };
    Sdf::open(Config { profile: Profile::Development, devices, kek: Some(1), pairs: Vec::new(), limits }).expect("open")
}

/// As a process that starts: the file, then the device's root key.
fn open(folder: &Path) -> Result<KeyService, Error> {
    open_on(&Arc::new(devices(folder)), folder)
}

fn open_on(sdf: &Arc<Sdf>, folder: &Path) -> Result<KeyService, Error> {
    let rooted = Arc::new(Rooted::new(Arc::clone(sdf) as _)?);
    let service = KeyService::open_in_device(folder, Arc::clone(&rooted) as _)?;
    let kept = service.root_in_device()?.expect("in the file");
    rooted.take_root(sdf.unwrap(&kept, KeyKind::Sm4, sdf.kek(1))?)?;
    service.unseal_root(Rooted::ROOT, &BY)?;
    Ok(service)
}

fn init(folder: &Path) -> KeyService {
    let sdf = Arc::new(devices(folder));
    let root = sdf.generate(KeyKind::Sm4).expect("made");
    let kept = sdf.wrap(root, sdf.kek(1)).expect("wrapped");
    let rooted = Arc::new(Rooted::new(Arc::clone(&sdf) as _).expect("self-tests pass"));
    rooted.take_root(root).expect("a cipher's key");
    KeyService::init_in_device(folder, rooted, Rooted::ROOT, &kept, &BY).expect("made")
}

#[test]
fn what_was_sealed_opens_after_a_restart_with_the_device_alone() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let service = init(folder.path());
    service.create(&BY, &Spec::new("orders", KeyKind::Sm4, Purpose::Encrypt)).expect("made");
    let text = service.encrypt(&BY, "orders", &Context::new(), b"a secret").expect("open");
    let share = ark::ceremony::RootKey::generate().and_then(|root| root.deal(2, 2)).expect("dealt").remove(0);
    service.seal(&BY).expect("sealed");
    assert!(matches!(service.encrypt(&BY, "orders", &Context::new(), b""), Err(Error::Sealed)));
    service.unseal_root(Rooted::ROOT, &BY).expect("the device still has it");
    service.rotate_kek(&BY).expect("wrapped under the root key again");
    while service.rewrap_keys(&BY, 10).expect("moved") > 0 {}
    drop(service);

    let service = open(folder.path()).expect("open");
    let opened = service.decrypt(&BY, "orders", &Context::new(), &text).expect("the same key");
    assert_eq!(opened.as_slice(), b"a secret");
    service.seal(&BY).expect("sealed");
    assert!(matches!(service.unseal_share(share, &BY), Err(Error::RootInDevice)));
}

#[test]
fn a_device_that_is_gone_leaves_it_sealed_and_another_root_key_does_not_open_it() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    drop(init(folder.path()));
    let sdf = Arc::new(devices(folder.path()));
    let rooted = Arc::new(Rooted::new(Arc::clone(&sdf) as _).expect("self-tests pass"));
    let service = KeyService::open_in_device(folder.path(), Arc::clone(&rooted) as _).expect("there");
    rooted.take_root(sdf.generate(KeyKind::Sm4).expect("made")).expect("a cipher's key");
    assert!(matches!(service.unseal_root(Rooted::ROOT, &BY), Err(Error::Root { .. })));
    drop(service);

    fs::write(folder.path().join("device.so.faults"), "dead").expect("written");
    let gone = open_on(&sdf, folder.path()).map_err(|error| error.code());
    assert_eq!(gone.err(), Some("device_unavailable"));
    fs::remove_file(folder.path().join("device.so.faults")).expect("removed");
    drop(open(folder.path()).expect("the device is back"));
}
