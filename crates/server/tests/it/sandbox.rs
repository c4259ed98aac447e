//! The sandbox as a process of its own; it ends with the test.
//!
//! The program is the `lintel-sandbox` beside this crate's own, as a build of the workspace puts it there.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::skip::skip;

const PATIENCE: Duration = Duration::from_secs(60);

/// One that runs.
pub(crate) struct Sandbox {
    child: Child,
    /// Where it listens, in the order in which it says so.
    pub(crate) addresses: Vec<String>,
    _directory: TempDir,
}

impl Sandbox {
    /// Runs one with these arguments, which have it listen somewhere; `None` where it is not built, which is said.
    pub(crate) fn start<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Option<Self> {
        let program = Path::new(env!("CARGO_BIN_EXE_lintel"));
        let program = program.with_file_name(format!("lintel-sandbox{}", std::env::consts::EXE_SUFFIX));
        if !program.exists() {
            skip("lintel-sandbox", "cargo build -p sandbox");
            return None;
        }
        let directory = TempDir::new().unwrap();
        let port_file = directory.path().join("port");
        let mut command = Command::new(program);
        let child = command.args(arguments).arg("--port-file").arg(&port_file).stdout(Stdio::null()).spawn().unwrap();
        let mut sandbox = Self { child, addresses: Vec::new(), _directory: directory };
        let began = Instant::now();
        // The file is there whole, or not at all.
        while sandbox.addresses.is_empty() {
            assert!(began.elapsed() < PATIENCE, "the sandbox did not come up");
            std::thread::sleep(Duration::from_millis(5));
            let text = std::fs::read_to_string(&port_file).unwrap_or_default();
            sandbox.addresses = text.lines().map(str::to_owned).collect();
        }
        Some(sandbox)
    }
}

impl Sandbox {
    /// It goes, and answers nothing any more.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
