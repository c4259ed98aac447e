//! A sandbox makes a merchant's pair: the file is its owner's alone, the public half is registered, and what the private half
//! signs is taken; `openssl` reads the file. Books of no sandbox refuse.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use client::{Client, Credential};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::books::Books;
use crate::command_line::{json_of, printed, refused};
use crate::open::{merchant, text};
use crate::server::Server;
use crate::skip::skip;

/// What a file in PEM holds.
fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap()
}

/// The lines between the first and the last one: what must not be anywhere else.
fn inner(pem: &str) -> Vec<&str> {
    pem.lines().filter(|line| !line.starts_with('-')).collect()
}

/// The public half that `openssl` makes of a private one; `None` without the program, or one without SM2.
fn public_by_openssl(private: &str) -> Option<String> {
    let run = |arguments: &[&str]| Command::new("openssl").args(arguments).output().ok();
    let knows = run(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:SM2"])?;
    if !knows.status.success() {
        return None;
    }
    let output = run(&["pkey", "-in", private, "-check", "-pubout"])?;
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    let from = said.find("-----BEGIN PUBLIC KEY-----")?;
    Some(said[from..].to_owned())
}

/// A request that the merchant signs with its new pair, and an answer that it believes.
fn looks_at_itself(server: &Server, id: &str, serial: &str, private: &str) {
    let base = format!("http://{}", server.address());
    let secret = Credential::secret(id, &printed(&server.lintel(&["key", id]))).unwrap();
    let pair = Credential::pair(id, serial, private).unwrap();
    Runtime::new().unwrap().block_on(async {
        let keys = Client::new(&base, secret).unwrap().platform_keys().await.unwrap();
        let client = Client::new(&base, pair).unwrap().trusting(keys);
        let own: Value = client.get(&format!("/v1/merchants/{id}")).await.unwrap();
        assert_eq!(text(&own, "/id"), id);
        let other = client.get::<Value>("/v1/merchants/mch_999").await.unwrap_err();
        assert_eq!(other.code(), Some("not_permitted"), "{other}");
    });
}

#[test]
fn a_sandbox_makes_a_merchants_pairs_and_takes_what_they_sign() {
    let server = Server::start();
    let id = text(&merchant(&server.operator(), "landlord", "张三", "110101199003070134"), "/id");
    let folder = server.directory().join("keys");
    let folder = folder.to_str().unwrap();
    let kinds: [(&[&str], &str); 2] = [(&[], "LINTEL-SM2-WITH-SM3"), (&["--rsa"], "LINTEL-SHA256-RSA2048")];
    for (own, scheme) in kinds {
        let command = [&["key", id.as_str(), "--pair", folder][..], own].concat();
        let made = json_of(&server, &command);
        assert_eq!((text(&made, "/merchant"), text(&made, "/scheme")), (id.clone(), scheme.to_owned()));
        let [serial, path, public] = ["/serial_no", "/private_key_file", "/public_key_file"].map(|at| text(&made, at));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let (private, public) = (read(&path), read(&public));
        assert!(private.starts_with("-----BEGIN PRIVATE KEY-----\n"), "{path} is PKCS #8");

        let registered = server.operator().get(&format!("/v1/certificates/{}", text(&made, "/certificate"))).ok();
        assert_eq!((text(&registered, "/public_key"), text(&registered, "/status")), (public.clone(), "valid".into()));
        looks_at_itself(&server, &id, &serial, &private);
        match public_by_openssl(&path) {
            Some(theirs) => assert_eq!(theirs, public),
            None => skip("openssl", "apt-get install openssl (version 3, with SM2)"),
        }

        let again = refused(&server.lintel(&command));
        assert!(again.contains(&path) && again.contains("not written over"), "{again}");
        assert_eq!(read(&path), private);
        let said = [again, made.to_string(), registered.to_string(), server.log()].concat();
        assert!(inner(&private).iter().all(|line| !said.contains(line)), "the private half is in its file alone");
    }
    // For people, into another directory: a second SM2 pair beside the first.
    let other = server.directory().join("next");
    let told = printed(&server.lintel(&["key", &id, "--pair", other.to_str().unwrap()]));
    assert!(told.contains("openssl dgst -sm3 -sign '") && told.contains(&format!("{id}.sm2.key.pem")), "{told}");
    assert!(told.contains("serial_no=\"") && !told.contains("BEGIN"), "{told}");
}

#[test]
fn a_pair_of_nobody_is_not_made() {
    let server = Server::start();
    let directory = TempDir::new().unwrap();
    let folder = directory.path().join("keys");
    let path = folder.to_str().unwrap();
    let unnamed = refused(&server.lintel(&["key", "--pair", path]));
    assert!(unnamed.contains("lintel key mch_1 --pair"), "{unnamed}");
    let unknown = refused(&server.lintel(&["key", "mch_7", "--pair", path]));
    assert!(unknown.contains("(merchant_unknown"), "{unknown}");
    let outside = server.lintel(&["key", "../mch_7", "--pair", path]);
    assert!(refused(&outside).contains("lintel key mch_1 --pair"));
    assert!(!folder.exists());
    // A secret is printed in a form for programs too.
    let secret = json_of(&server, &["key", "mch_7"]);
    assert_eq!((text(&secret, "/mch_id"), text(&secret, "/serial_no")), ("mch_7".into(), "1".into()));
    assert_eq!(text(&secret, "/secret"), printed(&server.lintel(&["key", "mch_7"])).trim());
}

#[test]
fn books_of_no_sandbox_refuse_and_nothing_is_made() {
    let books = Books::new();
    let running = books.serve("2026-03-05");
    assert_eq!(running.client.get("/v1/sandbox/clock").ok()["sandbox"], false);
    let said = refused(&books.lintel(&["key", "mch_1", "--pair", "keys"]));
    assert!(said.contains("not a sandbox's") && said.contains("lintel certificate register"), "{said}");
    assert!(!books.path("keys").exists());
    let listed = running.client.get("/v1/certificates").ok();
    assert_eq!(listed["data"].as_array().map(Vec::len), Some(0), "{listed}");
}
