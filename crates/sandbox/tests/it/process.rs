//! `lintel-sandbox bank` as a process: the port file, the arguments, a graceful stop.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lintel-sandbox"));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Ends the process with the test, whatever happened.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn wait_for(what: &str, mut ready: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !ready() {
        assert!(Instant::now() < deadline, "{what} did not happen in a minute");
        std::thread::yield_now();
    }
}

fn folder(name: &str) -> std::path::PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("sandbox-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder
}

#[tokio::test]
async fn it_writes_its_address_serves_and_stops_on_sigterm() {
    let folder = folder("process");
    let port_file = folder.join("port");
    let arguments = ["bank", "--seed", "7", "--faults", "none", "--date", "2026-03-05", "--port-file"];
    let mut running = Running(program().args(arguments).arg(&port_file).spawn().unwrap());
    wait_for("the port file", || port_file.exists());
    let address = fs::read_to_string(&port_file).unwrap();
    let stats: serde_json::Value =
        reqwest::get(format!("http://{address}/sandbox/stats")).await.unwrap().json().await.unwrap();
    assert_eq!((stats["clearing_date"].as_str(), stats["sent_again"].as_u64()), (Some("2026-03-05"), Some(0)));

    let pid = running.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let mut status = None;
    wait_for("the end", || {
        status = running.0.try_wait().unwrap();
        status.is_some()
    });
    assert!(status.unwrap().success());
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn wrong_arguments_are_named() {
    let plan = folder("plan").join("plan.toml");
    fs::write(&plan, "[debit]\nlate = 6000\nlost_after = 6000").unwrap();
    let plan = plan.to_str().unwrap();
    let wrong = [
        (["--faults", "/nowhere/plan.toml"], "/nowhere/plan.toml"),
        (["--faults", plan], "the rates of faults are 12000"),
        (["--key", "5ec2e7"], "64 hexadecimal digits"),
        (["--date", "tomorrow"], "dates look like 2026-03-05"),
        (["--listen", "nowhere"], "--listen"),
        (["--threads", "0"], "--threads"),
    ];
    for (arguments, expected) in wrong {
        let output = program().arg("bank").args(arguments).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && told.contains(expected), "{arguments:?}: {told}");
    }
    fs::remove_dir_all(Path::new(plan).parent().unwrap()).unwrap();
}
