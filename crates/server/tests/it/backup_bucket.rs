//! A backup in a bucket: the same drill as in a directory, over S3's wire with signatures checked.

use std::io::copy;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Output;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;
use tempfile::TempDir;

use crate::backup::{self, refused};
use crate::open::{Books, balance, number, trial_balance, voucher};
use crate::server::{Server, lintel_in};
use crate::storage::Storage;

const DAY: &str = "2026-03-05";

#[track_caller]
fn said(output: &Output) -> Value {
    serde_json::from_str(&backup::said(output)).unwrap()
}

struct Drill {
    server: Server,
    books: Books,
    storage: Storage,
    folder: TempDir,
}

impl Drill {
    fn new() -> Self {
        let server = Server::start();
        let books = Books::open(&server);
        Self { server, books, storage: Storage::start(), folder: TempDir::new().unwrap() }
    }

    fn place(&self) -> String {
        self.storage.place("lintel/main")
    }

    fn backup(&self, verb: &str, further: &[&str]) -> Output {
        let place = self.place();
        self.server.lintel_in(&[&["backup", verb, &place, "--json"], further].concat(), &self.storage.environment())
    }

    fn restore(&self) -> (PathBuf, Output) {
        let (data, key) = (self.folder.path().join("data"), self.server.directory().join("data/ark.key"));
        let arguments = ["restore", &self.place(), "--json", "--root-key", key.to_str().unwrap()];
        let output = lintel_in(&data, &arguments, &self.storage.environment());
        (data, output)
    }
}

#[test]
fn a_backup_in_a_bucket_grows_and_is_restored() {
    let drill = Drill::new();
    let Books { operator, rich, poor, .. } = &drill.books;
    operator.post("/v1/vouchers", &voucher("v-1", rich, poor, 100)).ok();
    let first = said(&drill.backup("take", &[]));
    operator.post("/v1/vouchers", &voucher("v-2", rich, poor, 1_000)).ok();
    let second = said(&drill.backup("take", &[]));
    assert!(number(&second, "/rows_added") >= 1, "{second}");
    assert!(number(&second, "/last_position") > number(&first, "/last_position"), "{first} {second}");
    let listed = said(&drill.backup("list", &[]));
    assert_eq!(listed["ranges"].as_array().unwrap().len(), 2, "{listed}");
    assert_eq!(said(&drill.backup("check", &[]))["rows"], second["last_row"]);
    let vaults = std::fs::read_dir(drill.storage.object("lintel/main")).unwrap();
    let names = vaults.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    let names: Vec<_> = names.filter(|name| name.ends_with(".db")).collect();
    let of = |kind: &str| names.iter().filter(|name| name.starts_with(kind)).count();
    assert_eq!((of("vault-"), of("keys-")), (1, 1), "the copies before are gone: {names:?}");

    let (_, output) = drill.restore();
    assert_eq!(said(&output)["last_position"], second["last_position"]);
    let directory = TempDir::new().unwrap();
    std::fs::rename(drill.folder.path().join("data"), directory.path().join("data")).unwrap();
    let restored = Server::start_embedded(directory);
    let other = restored.operator();
    assert_eq!(trial_balance(&other, DAY), trial_balance(operator, DAY));
    assert_eq!(balance(&other, poor), 1_100);
}

#[test]
fn a_damaged_object_is_named_and_restores_nothing() {
    let drill = Drill::new();
    said(&drill.backup("take", &[]));
    let manifest: Value =
        serde_json::from_slice(&std::fs::read(drill.storage.object("lintel/main/manifest.json")).unwrap()).unwrap();
    let file = manifest["ranges"][0]["file"].as_str().unwrap();
    let path = drill.storage.object(&format!("lintel/main/{file}"));
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let error = refused(&drill.backup("check", &[]));
    assert!(error.contains(&format!("{}/{file}", drill.place())) && error.contains("damaged"), "{error}");
    let (data, output) = drill.restore();
    assert!(refused(&output).contains("damaged"));
    assert!(!data.exists());
    std::fs::remove_file(&path).unwrap();
    let error = refused(&drill.backup("check", &[]));
    assert!(error.contains("is not there"), "{error}");
}

#[test]
fn a_place_that_does_not_answer_as_it_should_is_named() {
    let drill = Drill::new();
    let error = refused(&drill.backup("check", &[]));
    assert!(error.contains("s3://backups/lintel/main is no backup"), "{error}");
    let mut environment = drill.storage.environment();
    environment.iter_mut().filter(|(name, _)| *name == "AWS_SECRET_ACCESS_KEY").for_each(|(_, value)| value.push('x'));
    let error = refused(&drill.server.lintel_in(&["backup", "take", &drill.place()], &environment));
    assert!(error.contains("s3://backups/lintel/main/manifest.json"), "{error}");
    assert!(!error.contains("a-secret-of-no-one"), "{error}");
    let error = refused(&drill.server.lintel_in(&["backup", "take", "s3://"], &drill.storage.environment()));
    assert!(error.contains("s3://BUCKET/PREFIX"), "{error}");
}

/// Whoever is overtaken while it reads rows finds another manifest than it had read, and leaves that one alone.
#[test]
fn of_two_that_take_one_backup_the_slower_one_changes_nothing() {
    let drill = Drill::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let to: SocketAddr = drill.server.address().parse().unwrap();
    let place = drill.place();
    let through = AtomicBool::new(false);
    let overtaken = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut overtaken = false;
            while let Ok((slower, _)) = listener.accept() {
                if through.load(Ordering::Relaxed) {
                    return;
                }
                if !std::mem::replace(&mut overtaken, true) {
                    said(&drill.backup("take", &[]));
                }
                std::thread::spawn(move || forward(slower, to));
            }
        });
        let data = drill.server.directory().join("data");
        let arguments = ["backup", "--url", &url, "take", &place, "--json"];
        let output = lintel_in(&data, &arguments, &drill.storage.environment());
        through.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(listener.local_addr().unwrap()));
        output
    });
    let error = refused(&overtaken);
    assert!(error.contains("another one takes this backup at the same time"), "{error}");
    said(&drill.backup("check", &[]));
}

/// Hands bytes on in both directions until both sides are through.
fn forward(client: TcpStream, to: SocketAddr) {
    let server = TcpStream::connect(to).unwrap();
    let (mut from_client, mut into_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let (mut from_server, mut into_client) = (server, client);
    let asking = std::thread::spawn(move || {
        // Either side may close first.
        drop(copy(&mut from_client, &mut into_server));
        drop(into_server.shutdown(Shutdown::Write));
    });
    drop(copy(&mut from_server, &mut into_client));
    drop(into_client.shutdown(Shutdown::Both));
    asking.join().unwrap();
}
