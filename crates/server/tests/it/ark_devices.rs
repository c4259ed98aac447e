//! The key service over devices, by configuration: a library of GM/T 0018 of `ark`'s tests, and SoftHSM.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{Answer, exchange};
use crate::key_server::KeyServer;
use crate::open::text;
use crate::server::{Server, lintel_in};
use crate::skip::{note, skip};

/// How long a device may take to be noticed.
const PATIENCE: Duration = Duration::from_secs(60);

/// What cargo makes of an example of `ark`, with the workspace's tests.
fn example(name: &str, prefix: &str, suffix: &str) -> Option<PathBuf> {
    let test = env::current_exe().unwrap();
    let folder = test.parent().and_then(Path::parent).unwrap();
    let made = folder.join("examples").join(format!("{prefix}{name}{suffix}"));
    if made.exists() {
        return Some(made);
    }
    skip(name, &format!("cargo build -p ark --example {name}"));
    None
}

/// A directory with a device's settings; what its processes find in their environment.
struct Devices {
    directory: TempDir,
    provider: &'static str,
    environment: Vec<(String, OsString)>,
}

impl Devices {
    fn sdf() -> Option<Self> {
        let library = example("sdf_device", env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX)?;
        let directory = TempDir::new().unwrap();
        fs::copy(library, directory.path().join("device.so")).unwrap();
        let devices = Self { directory, provider: "sdf", environment: Vec::new() };
        let library = devices.path("device.so");
        devices.write(&format!("kek = 1\nwait_ms = 200\n[[device]]\nname = \"sdf-a\"\nlibrary = \"{library}\"\n"));
        Some(devices)
    }

    fn softhsm() -> Option<Self> {
        let places = [
            "/usr/lib/softhsm/libsofthsm2.so",
            "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
            "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
            "/usr/local/lib/softhsm/libsofthsm2.so",
            "/opt/homebrew/lib/softhsm/libsofthsm2.so",
        ];
        let library = places.into_iter().find(|path| Path::new(path).exists());
        let (Some(library), true) = (library, Command::new("softhsm2-util").arg("--version").output().is_ok()) else {
            note("softhsm", "apt-get install softhsm2 (SoftHSM 2.6 and its softhsm2-util)");
            return None;
        };
        let mut devices = Self { directory: TempDir::new().unwrap(), provider: "pkcs11", environment: Vec::new() };
        fs::create_dir(devices.directory.path().join("tokens")).unwrap();
        let settings = format!("directories.tokendir = {}\nlog.level = ERROR\n", devices.path("tokens"));
        fs::write(devices.path("softhsm2.conf"), settings).unwrap();
        devices.environment = vec![("SOFTHSM2_CONF".to_owned(), devices.path("softhsm2.conf").into())];
        let made = Command::new("softhsm2-util")
            .args(["--init-token", "--free", "--label", "lintel", "--so-pin", "so-pin-7", "--pin", "let-me-in-7"])
            .envs(devices.environment.iter().cloned())
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        fs::write(devices.path("pin"), "let-me-in-7\n").unwrap();
        fs::set_permissions(devices.path("pin"), fs::Permissions::from_mode(0o600)).unwrap();
        let pin = devices.path("pin");
        devices.write(&format!(
            "kek = \"lintel-kek\"\n[[device]]\nname = \"hsm-a\"\nlibrary = \"{library}\"\ntoken = \"lintel\"\npin_file = \"{pin}\"\n"
        ));
        Some(devices)
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).to_str().unwrap().to_owned()
    }

    fn write(&self, settings: &str) {
        fs::write(self.path("devices.toml"), settings).unwrap();
    }

    fn settings(&self) -> [String; 2] {
        [format!("ark.provider={}", self.provider), format!("ark.provider_file={}", self.path("devices.toml"))]
    }

    /// Runs `lintel ark …` on a data directory.
    fn lintel(&self, data: &Path, arguments: &[&str]) -> Output {
        self.lintel_of(data, &[&["ark"], arguments].concat())
    }

    /// Runs `lintel …` on a data directory.
    fn lintel_of(&self, data: &Path, arguments: &[&str]) -> Output {
        let settings = self.settings();
        let settings: Vec<&str> = settings.iter().flat_map(|setting| ["--set", setting.as_str()]).collect();
        let environment: Vec<_> =
            self.environment.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap().to_owned())).collect();
        lintel_in(data, &[arguments, &settings].concat(), &environment)
    }

    /// Makes the key service in a new directory and serves it.
    fn serve(&self) -> KeyServer {
        let directory = TempDir::new().unwrap();
        let made = self.lintel(&directory.path().join("data"), &["init"]);
        assert!(made.status.success(), "{}", said(&made));
        let settings = self.settings().into_iter().flat_map(|setting| ["--set".to_owned(), setting]);
        let arguments = std::iter::once("--insecure-loopback".to_owned()).chain(settings).collect();
        KeyServer::start_in(directory, arguments, self.environment.clone())
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn ask(server: &KeyServer, target: &str, body: Option<&Value>) -> Answer {
    let (method, body) = body.map_or(("GET", String::new()), |body| ("POST", body.to_string()));
    exchange(server.address(), method, target, &[("lintel-caller", "operator")], body.as_bytes()).unwrap()
}

fn post(server: &KeyServer, target: &str, body: &Value) -> Value {
    ask(server, target, Some(body)).ok()
}

/// Opened by the device alone, again after a restart; what was sealed before opens after.
fn the_device_opens_it(devices: &Devices, name: &str) {
    let mut server = devices.serve();
    let status = ask(&server, "/v1/ark/status", None).ok();
    assert_eq!((&status["made"], &status["sealed"]), (&json!(true), &json!(false)), "{status}");
    assert_eq!(status["devices"], json!([{"name": name, "alive": true, "losses": 0}]));
    post(&server, "/v1/ark/keys", &json!({"name": "orders", "kind": "sm4", "purpose": "encrypt"}));
    let allowed =
        json!({"action": "allow", "caller": "operator", "prefix": "orders", "operations": ["encrypt", "decrypt"]});
    post(&server, "/v1/ark/access", &allowed);
    let sealed = text(&post(&server, "/v1/ark/encrypt/orders", &json!({"plaintext": "c2VjcmV0"})), "/ciphertext");
    post(&server, "/v1/ark/rewrap-keys", &json!({}));
    let share = json!({"share": "ark-share-1-nonsense"});
    assert!(server.stop().success());
    server.start_again();
    assert_eq!(ask(&server, "/health/ready", None).status, 200);
    let opened = post(&server, "/v1/ark/decrypt/orders", &json!({"ciphertext": sealed}));
    assert_eq!(opened["plaintext"], "c2VjcmV0");
    post(&server, "/v1/ark/seal", &json!({}));
    assert_eq!(ask(&server, "/v1/ark/unseal", Some(&share)).error().1, "share_form");
    assert_eq!(ask(&server, "/health/ready", None).error().1, "sealed", "who seals by hand wants it sealed");
    assert!(!server.log().contains("let-me-in-7"), "a PIN is in the log");
}

#[test]
fn a_device_of_gmt_0018_keeps_the_root_key() {
    let Some(devices) = Devices::sdf() else { return };
    the_device_opens_it(&devices, "sdf-a");
}

#[test]
fn a_token_keeps_the_root_key() {
    let Some(devices) = Devices::softhsm() else { return };
    the_device_opens_it(&devices, "hsm-a");
}

#[test]
fn a_device_that_is_away_at_start_opens_it_when_it_is_back() {
    let Some(devices) = Devices::sdf() else { return };
    let mut server = devices.serve();
    assert!(server.stop().success());
    fs::write(devices.path("device.so.faults"), "dead").unwrap();
    server.start_again();
    let (status, code, _) = ask(&server, "/v1/ark/keys", None).error();
    assert_eq!((status, code.as_str()), (503, "device_unavailable"));
    assert!(server.log().contains("sdf-a"), "the log names the device");
    let status = ask(&server, "/v1/ark/status", None).ok();
    assert_eq!((&status["made"], &status["sealed"]), (&json!(true), &json!(true)), "{status}");
    fs::remove_file(devices.path("device.so.faults")).unwrap();
    let began = Instant::now();
    while ask(&server, "/health/ready", None).status != 200 {
        assert!(began.elapsed() < PATIENCE, "{}", server.log());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A simulated financial module; it ends with its standard input.
struct Module(Child);

impl Drop for Module {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn financial_modules_are_opened_beside_keys_of_this_process() {
    let Some(program) = example("fhsm_device", "", env::consts::EXE_SUFFIX) else { return };
    let directory = TempDir::new().unwrap();
    let devices = Devices { directory, provider: "fhsm", environment: Vec::new() };
    let mut module = Command::new(program);
    module.args(["text", &devices.path("faults")]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut module = Module(module.spawn().unwrap());
    let mut port = String::new();
    BufReader::new(module.0.stdout.take().unwrap()).read_line(&mut port).unwrap();
    let dialect = concat!(env!("CARGO_MANIFEST_DIR"), "/../ark/tests/it/fhsm/text.toml");
    let address = format!("127.0.0.1:{}", port.trim());
    devices.write(&format!("dialect = \"{dialect}\"\n[[module]]\nname = \"fhsm-a\"\naddress = \"{address}\"\n"));
    let settings = devices.settings();
    let settings = settings.iter().map(String::as_str).chain(["ark.unseal=file"]);
    let settings = settings.flat_map(|setting| ["--set".to_owned(), setting.to_owned()]);
    let arguments = std::iter::once("--insecure-loopback".to_owned()).chain(settings).collect();
    let server = KeyServer::start_in(TempDir::new().unwrap(), arguments, Vec::new());
    let status = ask(&server, "/v1/ark/status", None).ok();
    assert_eq!((&status["sealed"], &status["devices"][0]["name"]), (&json!(false), &json!("fhsm-a")), "{status}");
    assert_eq!(status["devices"][0]["alive"], true);
    post(&server, "/v1/ark/keys", &json!({"name": "orders", "kind": "sm4", "purpose": "encrypt"}));
}

#[test]
fn a_first_start_without_its_financial_modules_says_what_to_do_and_serves_all_else() {
    let devices = Devices { directory: TempDir::new().unwrap(), provider: "fhsm", environment: Vec::new() };
    // Nobody listens there once it is given back.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let dialect = concat!(env!("CARGO_MANIFEST_DIR"), "/../ark/tests/it/fhsm/text.toml");
    devices.write(&format!("dialect = \"{dialect}\"\n[[module]]\nname = \"fhsm-a\"\naddress = \"{address}\"\n"));
    let data = TempDir::new().unwrap();
    let refused = devices.lintel_of(data.path(), &["serve", "--sandbox", "--set", "ark.unseal=shares"]);
    assert!(!refused.status.success());
    for words in ["lintel ark init --shares", "custodians' there too", "no financial module answers", "[[module]]"] {
        assert!(said(&refused).contains(words), "{words}: {}", said(&refused));
    }

    let settings = devices.settings();
    let settings = settings.iter().map(String::as_str).chain(["ark.unseal=file"]);
    let settings = settings.flat_map(|setting| ["--set".to_owned(), setting.to_owned()]);
    let arguments = std::iter::once("--insecure-loopback".to_owned()).chain(settings).collect();
    let server = KeyServer::start_in(TempDir::new().unwrap(), arguments, Vec::new());
    let status = ask(&server, "/v1/ark/status", None).ok();
    assert_eq!((&status["sealed"], &status["devices"][0]["alive"]), (&json!(false), &json!(false)), "{status}");
    assert!(server.log().contains("no financial module answers"), "{}", server.log());
    post(&server, "/v1/ark/keys", &json!({"name": "orders", "kind": "sm4", "purpose": "encrypt"}));
    let terminal = json!({"name": "t1/mak", "kind": "sm4", "purpose": "terminal-mac"});
    let (status, code, _) = ask(&server, "/v1/ark/keys", Some(&terminal)).error();
    assert_eq!((status, code.as_str()), (503, "device_unavailable"));
}

#[test]
fn settings_that_cannot_be_are_refused_by_name() {
    let Some(devices) = Devices::sdf() else { return };
    let data = TempDir::new().unwrap();
    let refuses = |arguments: &[&str], words: &str| {
        let output = devices.lintel(data.path(), arguments);
        assert!(!output.status.success() && said(&output).contains(words), "{words}: {}", said(&output));
    };
    refuses(&["init", "--shares", "3", "--threshold", "2"], "nothing to deal");
    let serve = ["serve", "--insecure-loopback"];
    let library = devices.path("device.so");
    devices.write(&format!("[[device]]\nname = \"a\"\nlibrary = \"{library}\"\n"));
    refuses(&serve, "has no kek");
    devices.write("kek = 1\nkey = 2\ndevice = []\n");
    refuses(&serve, "unknown field `key`");
    devices.write("kek = 1\n[[device]]\nname = \"a\"\nlibrary = \"/nowhere/libsdf.so\"\n");
    refuses(&serve, "/nowhere/libsdf.so");
    fs::remove_file(devices.path("devices.toml")).unwrap();
    refuses(&serve, "ark.provider_file");
    let soft = crate::server::lintel(data.path(), &["ark", "init"]);
    assert!(!soft.status.success() && said(&soft).contains("--shares"), "{}", said(&soft));
    assert!(!data.path().join("keys.db").exists());
}

#[test]
fn the_platforms_own_key_service_opens_by_the_device_too() {
    let Some(devices) = Devices::sdf() else { return };
    let directory = TempDir::new().unwrap();
    assert!(devices.lintel(&directory.path().join("data"), &["init"]).status.success());
    let settings = devices.settings();
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let key = devices.lintel_of(&directory.path().join("data"), &["key"]);
    assert!(key.status.success(), "{}", said(&key));
    let server = Server::start_known(directory, &settings, devices.environment.clone(), &key.stdout);
    let status = server.operator().get("/v1/ark/status").ok();
    assert_eq!((&status["sealed"], &status["devices"][0]["name"]), (&json!(false), &json!("sdf-a")), "{status}");
}

#[test]
fn a_key_service_of_a_device_is_not_opened_without_it() {
    let Some(devices) = Devices::sdf() else { return };
    let mut server = devices.serve();
    assert!(server.stop().success());
    let data = server.data();
    let copy = TempDir::new().unwrap();
    fs::create_dir(copy.path().join("data")).unwrap();
    fs::copy(data.join("keys.db"), copy.path().join("data/keys.db")).unwrap();
    let output = crate::server::lintel(&copy.path().join("data"), &["ark", "serve", "--insecure-loopback"]);
    assert!(!output.status.success() && said(&output).contains("a device keeps its root key"), "{}", said(&output));
}
