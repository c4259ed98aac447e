//! What Node and its packages say of the clients: types, signatures and ciphertexts of the TypeScript one, signatures of the
//! collection's script. Without them each test names itself as skipped, in CI too: nothing of the project needs Node.

use std::env;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Output};

use crate::{node_packages, workspace};

/// Prints `SKIP name: install`, and appends it to the file that `LINTEL_SKIPS` names.
fn skip(name: &str, install: &str) {
    let line = format!("SKIP {name}: {install}");
    println!("{line}");
    if let Some(path) = env::var_os("LINTEL_SKIPS") {
        let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        file.write_all(format!("{line}\n").as_bytes()).unwrap();
    }
}

#[track_caller]
fn went_well(output: &Output) {
    let said = [&output.stdout, &output.stderr].map(|said| String::from_utf8_lossy(said));
    assert!(output.status.success(), "{}{}", said[0], said[1]);
}

/// The client as JavaScript, beside the packages that it imports; gone with this.
struct Built(PathBuf);

impl Built {
    fn of(packages: &Path) -> Self {
        let built = Self(packages.join(format!("client-{}", process::id())));
        let mut compile = Command::new("node");
        compile.arg(packages.join("node_modules/typescript/bin/tsc"));
        compile.arg("-p").arg(workspace::root().join("clients/typescript")).arg("--outDir").arg(&built.0);
        went_well(&compile.output().unwrap());
        fs::write(built.0.join("package.json"), "{\"type\":\"module\"}\n").unwrap();
        built
    }

    fn test(&self, name: &str) {
        let path = workspace::root().join("clients/typescript/test").join(name);
        went_well(&Command::new("node").arg(path).env("LINTEL_CLIENT", &self.0).output().unwrap());
    }
}

impl Drop for Built {
    fn drop(&mut self) {
        // Of a compilation that failed there may be nothing.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Compiling it checks its types. Then what needs no package, against a platform that loses, forges and refuses; then SM2 and what is encrypted.
#[test]
fn the_typescript_client_signs_sends_again_and_believes_as_the_vectors_and_openssl_say() {
    let Some(packages) = node_packages::found() else { return skip("node", node_packages::INSTALL) };
    let built = Built::of(&packages);
    built.test("runtime.test.js");
    if !workspace::answers(Command::new("openssl").arg("version")) {
        return skip("openssl", "apt-get install openssl");
    }
    built.test("signing.test.js");
}

/// `runtime.ts` is written by hand: the version that it names is the one that the calls were generated from.
#[test]
fn the_typescript_client_names_the_version_of_the_document() {
    let read = |path: &str| fs::read_to_string(workspace::root().join(path)).unwrap();
    let document: serde_json::Value = serde_json::from_str(&read(super::DOCUMENT)).unwrap();
    let version = document["info"]["version"].as_str().unwrap();
    let line = format!("export const API_VERSION = \"{version}\";");
    assert!(read("clients/typescript/src/runtime.ts").contains(&line), "{line}");
}

#[test]
fn the_script_of_the_collection_signs_as_the_vectors_say() {
    let script = workspace::root().join("clients/bruno/sign.test.js");
    match Command::new("node").arg(script).output() {
        Ok(output) => went_well(&output),
        Err(_) => skip("node", "install Node 18 or later"),
    }
}
