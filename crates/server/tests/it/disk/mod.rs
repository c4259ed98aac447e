//! Disks that fail under a running server: sync errors, full and read-only file systems, slowness. Writes are refused, nothing
//! is seen that the journal does not hold, and service returns by itself, in the same process.

mod full;
mod injected;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::client::exchange;
use crate::server::Server;
use crate::skip::skip;

/// How long service may take to end or to return.
const PATIENCE: Duration = Duration::from_secs(60);

/// A disk that fails as told.
#[derive(Clone)]
pub(crate) struct Disk(PathBuf);

impl Disk {
    /// A sound one, the directory on it, and what a process finds in its environment to meet it; a plain directory where
    /// there is no C compiler, which is said.
    pub(crate) fn sound() -> (Option<Self>, TempDir, Vec<(String, OsString)>) {
        let directory = TempDir::new().unwrap();
        let Some(library) = library() else { return (None, directory, Vec::new()) };
        let disk = Self(directory.path().join("faults"));
        disk.becomes("");
        let environment = vec![
            ("LD_PRELOAD".to_owned(), library.into_os_string()),
            ("LINTEL_FAULTS".to_owned(), disk.0.clone().into_os_string()),
        ];
        (Some(disk), directory, environment)
    }

    /// Has it fail from now on; `faults.c` says how faults are written. None is a sound disk.
    pub(crate) fn becomes(&self, faults: &str) {
        // Renamed into its place: the library never reads half of it.
        let new = self.0.with_extension("new");
        std::fs::write(&new, faults).unwrap();
        std::fs::rename(&new, &self.0).unwrap();
    }
}

/// A server whose disk fails as told.
struct Faulty {
    server: Server,
    disk: Disk,
}

impl Faulty {
    /// A server on a sound disk, or nothing where there is no C compiler.
    fn start() -> Option<Self> {
        let (disk, directory, environment) = Disk::sound();
        Some(Self { disk: disk?, server: Server::start_in(directory, &[], environment) })
    }

    fn disk(&self, faults: &str) {
        self.disk.becomes(faults);
    }
}

/// The library of faults, compiled once; `None`, with a word, where it cannot be.
fn library() -> Option<PathBuf> {
    static LIBRARY: OnceLock<Option<PathBuf>> = OnceLock::new();
    let compiled = LIBRARY.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/disk/faults.c");
        let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("faults-{}.so", std::process::id()));
        let mut compiler = Command::new("cc");
        compiler.args(["-O1", "-shared", "-fPIC", "-o"]).arg(&library).arg(source).arg("-ldl");
        let output = compiler.output().ok()?;
        assert!(output.status.success(), "cc: {}", String::from_utf8_lossy(&output.stderr));
        Some(library)
    });
    if compiled.is_none() {
        skip("disk-faults", "install a C compiler as cc (apt-get install gcc)");
    }
    compiled.clone()
}

/// Asks until it is so.
#[track_caller]
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "{what}: not within {} s", PATIENCE.as_secs());
        std::thread::yield_now();
    }
}

/// What the process says of itself, unsigned.
fn health(server: &Server) -> Value {
    exchange(server.address(), "GET", "/health/live", &[], b"").unwrap().ok()
}

fn is_ready(server: &Server) -> bool {
    exchange(server.address(), "GET", "/health/ready", &[], b"").unwrap().status == 200
}

/// The value of a metric without labels; 0 if it was never set.
fn metric(server: &Server, name: &str) -> f64 {
    let text = exchange(server.address(), "GET", "/metrics", &[], b"").unwrap().text();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
    line.unwrap_or(0.0)
}
