//! A throw-away PostgreSQL for tests: one cluster a test binary, one schema a test.
//!
//! The cluster listens on a Unix socket in its own temporary directory. Statics are not dropped
//! when a process ends, so a small shell process stops the cluster and deletes the directory: it
//! waits on a pipe whose other end this process holds and the system closes, however the process
//! ends.
//!
//! This file needs the standard library only; other crates' tests include it by `#[path]`.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// The user that PostgreSQL runs as when the tests run as root, which it refuses.
const SERVER_USER: &str = "postgres";

/// A running cluster.
pub(crate) struct Cluster {
    directory: PathBuf,
    schemas: AtomicU32,
    /// Held for its standard input: when that closes, the cluster stops.
    _keeper: Child,
}

/// The cluster of this test binary, started on first use; `None`, after a line that says what to
/// install, where there is no PostgreSQL. With `LINTEL_CI` set, that is a failure.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
pub(crate) fn cluster(test: &str) -> Option<&'static Cluster> {
    static CLUSTER: OnceLock<Option<Cluster>> = OnceLock::new();
    let cluster = CLUSTER.get_or_init(|| Some(start(&programs()?))).as_ref();
    if cluster.is_none() {
        let skip = format!("SKIP {test}: install PostgreSQL 15 or later (initdb, pg_ctl)");
        assert!(std::env::var_os("LINTEL_CI").is_none(), "{skip}");
        eprintln!("{skip}");
    }
    cluster
}

impl Cluster {
    /// How to connect, as key=value pairs that every client library knows; the user may do
    /// everything.
    pub(crate) fn url(&self) -> String {
        format!("host={} user=lintel dbname=postgres", self.directory.display())
    }

    /// A schema name that no other test has.
    pub(crate) fn schema(&self) -> String {
        format!("test_{}", self.schemas.fetch_add(1, Ordering::Relaxed))
    }
}

/// Where the newest server's programs are.
fn programs() -> Option<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    for entry in fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten() {
        let version = entry.file_name().to_string_lossy().parse().unwrap_or(0);
        found.push((version, entry.path().join("bin")));
    }
    found.sort();
    let installed = found.into_iter().rev().map(|(_, path)| path);
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    let on_path: Vec<PathBuf> = std::env::split_paths(&on_path).collect();
    installed.chain(on_path).find(|path| path.join("initdb").exists() && path.join("pg_ctl").exists())
}

fn start(programs: &Path) -> Cluster {
    let directory = std::env::temp_dir().join(format!("lintel-pg-{}", std::process::id()));
    fs::create_dir(&directory).expect("a new directory for the cluster");
    if is_root() {
        run(Command::new("chown").arg(SERVER_USER).arg(&directory));
    }
    let data = directory.join("data");
    // The keeper first, so that nothing stays behind if what follows fails.
    let keeper = keep(programs, &directory, &data);
    let enters = as_server_user(Path::new(""), "test", Path::new("/")).arg("-x").arg(&directory).status();
    assert!(
        enters.expect("a program to look into the directory with").success(),
        "the user that PostgreSQL runs as cannot enter {}: set TMPDIR to a directory that it can",
        directory.display()
    );
    run(as_server_user(programs, "initdb", &directory)
        .args(["--username=lintel", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"])
        .arg("--pgdata")
        .arg(&data));
    let options = format!(
        "-c listen_addresses= -c unix_socket_directories={} -c max_connections=100 -c shared_buffers=32MB",
        directory.display()
    );
    run(as_server_user(programs, "pg_ctl", &directory)
        .args(["start", "--wait", "--silent", "--options", &options])
        .arg("--log")
        .arg(directory.join("log"))
        .arg("--pgdata")
        .arg(&data));
    Cluster { directory, schemas: AtomicU32::new(1), _keeper: keeper }
}

/// The process that outlives this one by as long as it takes to stop the cluster.
fn keep(programs: &Path, directory: &Path, data: &Path) -> Child {
    let stop = as_server_user(programs, "pg_ctl", directory);
    Command::new("sh")
        .args(["-c", r#"read _; dir=$1; shift; "$@"; rm -rf "$dir""#, "keeper"])
        .arg(directory)
        .arg(stop.get_program())
        .args(stop.get_args())
        .args(["stop", "--mode=immediate", "--silent", "--pgdata"])
        .arg(data)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Out of the terminal's group, so that Ctrl-C reaches the tests and not their keeper.
        .process_group(0)
        .spawn()
        .expect("a shell to keep the cluster")
}

fn as_server_user(programs: &Path, program: &str, directory: &Path) -> Command {
    let mut command = if is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", SERVER_USER, "--regid", SERVER_USER, "--init-groups"]).arg(programs.join(program));
        command
    } else {
        Command::new(programs.join(program))
    };
    command.current_dir(directory);
    command
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    // A process owns its own entry in /proc; elsewhere, ask the environment.
    fs::metadata("/proc/self")
        .map_or_else(|_| std::env::var("USER").is_ok_and(|user| user == "root"), |entry| entry.uid() == 0)
}

fn run(command: &mut Command) {
    let status = command
        .stdin(Stdio::null())
        // pg_ctl hands its output on to the server, which would keep a pipe open for ever.
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap_or_else(|error| panic!("starting {command:?}: {error}"));
    assert!(status.success(), "{command:?}: {status}");
}
