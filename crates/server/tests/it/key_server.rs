//! A real `lintel ark serve` in a directory of its own, and who asks it.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::authority::Authority;

/// How long the process may take to be there.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running `lintel ark serve`; it ends with the test.
pub(crate) struct KeyServer {
    child: Option<Child>,
    directory: TempDir,
    arguments: Vec<String>,
    environment: Vec<(String, OsString)>,
    address: String,
}

impl KeyServer {
    /// With the certificate `server` of this CA, for callers of the same.
    pub(crate) fn start(authority: &Authority, settings: &[&str]) -> Self {
        authority.issue("server", "/CN=ark");
        let set = ["ark.unseal=shares"]
            .iter()
            .chain(settings)
            .flat_map(|setting| ["--set".to_owned(), (*setting).to_owned()]);
        let arguments = authority.arguments("server").into_iter().chain(set).collect();
        Self::start_in(TempDir::new().unwrap(), arguments, Vec::new())
    }

    /// In a directory, with arguments and variables of its own.
    pub(crate) fn start_in(directory: TempDir, arguments: Vec<String>, environment: Vec<(String, OsString)>) -> Self {
        let mut server = Self { child: None, directory, arguments, environment, address: String::new() };
        server.start_again();
        server
    }

    /// Starts it, on the same directory and, once it had one, the same address.
    pub(crate) fn start_again(&mut self) {
        let port_file = self.directory.path().join("address");
        drop(fs::remove_file(&port_file));
        let listen = if self.address.is_empty() { "127.0.0.1:0" } else { self.address.as_str() };
        let log = File::options().create(true).append(true).open(self.directory.path().join("log")).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_lintel"))
            .args(["ark", "serve", "--listen", listen, "--data-dir"])
            .arg(self.data())
            .arg("--port-file")
            .arg(&port_file)
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env("LINTEL_LOG", "debug")
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let began = Instant::now();
        loop {
            let address = fs::read_to_string(&port_file).unwrap_or_default();
            if !address.is_empty() {
                (self.child, self.address) = (Some(child), address);
                return;
            }
            if let Some(status) = child.try_wait().unwrap() {
                panic!("it ended with {status}:\n{}", self.log());
            }
            assert!(began.elapsed() < PATIENCE, "it did not come up");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap()
    }

    /// Asks it to stop and waits until it has.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("it runs");
        assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
        child.wait().unwrap()
    }

    /// Runs `lintel ark …` against it, showing this certificate.
    pub(crate) fn lintel(&self, authority: &Authority, name: &str, arguments: &[&str]) -> Output {
        let proof = authority.arguments(name);
        let proof: Vec<&str> = proof.iter().map(String::as_str).collect();
        let url = self.url();
        let arguments = [&["ark"], arguments, &["--url", url.as_str()], proof.as_slice()].concat();
        crate::server::lintel(&self.data(), &arguments)
    }
}

impl Drop for KeyServer {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself; either way it is gone after this.
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// Who asks over HTTPS.
pub(crate) struct Caller {
    runtime: tokio::runtime::Runtime,
    http: reqwest::Client,
    url: String,
}

impl Caller {
    /// With a certificate of one CA, if any, that trusts another one.
    pub(crate) fn new(url: &str, shown: Option<(&Authority, &str)>, trusted: &Authority) -> Self {
        let root = reqwest::Certificate::from_pem(&trusted.read("ca.pem")).unwrap();
        let mut http = reqwest::Client::builder().no_proxy().tls_certs_only([root]);
        if let Some((authority, name)) = shown {
            let pem = [authority.read(&format!("{name}.key")), authority.read(&format!("{name}.pem"))].concat();
            http = http.identity(reqwest::Identity::from_pem(&pem).unwrap());
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { runtime, http: http.build().unwrap(), url: url.to_owned() }
    }

    /// Of the server's own CA.
    pub(crate) fn of(server: &KeyServer, authority: &Authority, name: &str) -> Self {
        Self::new(&server.url(), Some((authority, name)), authority)
    }

    /// GET, or POST with a body: status and JSON, or that no answer came.
    pub(crate) fn try_ask(&self, target: &str, body: Option<&Value>) -> reqwest::Result<(u16, Value)> {
        let url = format!("{}{target}", self.url);
        let request = match body {
            Some(body) => self.http.post(url).json(body),
            None => self.http.get(url),
        };
        self.runtime.block_on(async {
            let answer = request.send().await?;
            let status = answer.status().as_u16();
            Ok((status, answer.json().await?))
        })
    }

    pub(crate) fn get(&self, target: &str) -> (u16, Value) {
        self.try_ask(target, None).unwrap()
    }

    pub(crate) fn post(&self, target: &str, body: &Value) -> (u16, Value) {
        self.try_ask(target, Some(body)).unwrap()
    }

    /// POST that must go well.
    #[track_caller]
    pub(crate) fn done(&self, target: &str, body: &Value) -> Value {
        let (status, answer) = self.post(target, body);
        assert_eq!(status, 200, "{answer}");
        answer
    }
}

/// Makes the key service in a directory; the custodians' shares.
pub(crate) fn ceremony(data: &Path) -> Vec<String> {
    let made = crate::server::lintel(data, &["ark", "init", "--shares", "3", "--threshold", "2"]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    String::from_utf8(made.stdout).unwrap().lines().map(str::to_owned).collect()
}
