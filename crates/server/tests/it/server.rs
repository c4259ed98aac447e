//! A real `lintel serve` on sandbox books in a directory of its own; it ends with the test.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use ark::MacKey;
use tempfile::TempDir;

use crate::client::Client;

/// How long the server may take to be there, or to be gone.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server. The books begin on Thursday 2026-03-05 at 09:00 in Shanghai and time stands until it is moved.
pub(crate) struct Server {
    child: Option<Child>,
    directory: TempDir,
    operator: MacKey,
    address: String,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::start_in(TempDir::new().unwrap())
    }

    fn start_in(directory: TempDir) -> Self {
        let (child, address) = serve(directory.path());
        let operator = operator_key(directory.path());
        let server = Self { child: Some(child), directory, operator, address };
        assert_eq!(server.operator().get("/health/ready").status, 200);
        server
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The institution's own client.
    pub(crate) fn operator(&self) -> Client {
        Client::new(&self.address, "operator", self.operator.clone())
    }

    /// Asks it to stop and waits until it has.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        let child = self.child.as_mut().expect("the server runs");
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let status = child.wait().unwrap();
        self.child = None;
        status
    }

    /// Kills it without a word.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().expect("the server runs");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Starts it again on the same directory.
    pub(crate) fn start_again(&mut self) {
        assert!(self.child.is_none(), "the server runs");
        let (child, address) = serve(self.directory.path());
        (self.child, self.address) = (Some(child), address);
    }

    /// Everything it logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself; either way it is gone after this.
            drop(child.kill());
            drop(child.wait());
        }
    }
}

fn serve(directory: &Path) -> (Child, String) {
    let port_file = directory.join("port");
    drop(std::fs::remove_file(&port_file));
    let log = File::options().create(true).append(true).open(directory.join("log")).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_lintel"))
        .args(["--set", "first_day=2026-03-05", "--data-dir"])
        .arg(directory.join("data"))
        .args(["serve", "--listen", "127.0.0.1:0", "--sandbox", "--clock", "manual", "--port-file"])
        .arg(&port_file)
        .env("LINTEL_LOG", "debug")
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    let began = Instant::now();
    loop {
        let address = std::fs::read_to_string(&port_file).unwrap_or_default();
        if !address.is_empty() && std::net::TcpStream::connect(&address).is_ok() {
            return (child, address);
        }
        if let Some(status) = child.try_wait().unwrap() {
            let log = std::fs::read_to_string(directory.join("log")).unwrap();
            panic!("the server ended with {status}:\n{log}");
        }
        assert!(began.elapsed() < PATIENCE, "the server did not come up");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn operator_key(directory: &Path) -> MacKey {
    let data = directory.join("data");
    let output = Command::new(env!("CARGO_BIN_EXE_lintel")).arg("--data-dir").arg(data).arg("key").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    MacKey::from_hex(String::from_utf8(output.stdout).unwrap().trim()).unwrap()
}
