//! `cargo xtask test`: lints, tidy and every test, in one command that is exactly what CI runs.
//!
//! **Skips.** A test that needs an outside program which is not there prints `SKIP name: what to install`,
//! appends the same line to the file named by `LINTEL_SKIPS` if that is set, and panics if `LINTEL_CI` is
//! set (not for want of SoftHSM or Node). The file is there because cargo hides what a passing test prints; each line is repeated in the
//! summary, once, with the number of tests that said it.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;
use std::{env, fs, io, process, thread};

use anyhow::{Context as _, bail, ensure};

use crate::binaries::Tested;
use crate::steps::{Outcome, Steps};
use crate::{crash, days, deny, node_packages, pyiso8583, sim, softhsm, tidy, workspace};

/// The steps in the order they run: the quick ones first.
const STEPS: [&str; 10] = ["fmt", "tidy", "clippy", "deny", "build", "test", "postgres", "sim", "days", "crash"];

/// After so much silence we look whether cargo test has ended.
const SILENCE: Duration = Duration::from_secs(5);

/// Runs all steps, or only the named ones.
pub(crate) fn run(only: &[&str]) -> anyhow::Result<ExitCode> {
    if let Some(unknown) = only.iter().find(|name| !STEPS.contains(name)) {
        bail!("`test` has no step `{unknown}`: {}", STEPS.join(", "));
    }
    let skips_file = env::temp_dir().join(format!("lintel-skips-{}", process::id()));
    let mut results = Vec::new();
    let mut steps = Steps::new();
    for name in STEPS.into_iter().filter(|name| only.is_empty() || only.contains(name)) {
        steps.run(name, || match name {
            "fmt" => formatted(),
            "tidy" => tidy::step(),
            "clippy" => {
                component("clippy", "clippy", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])
            }
            "deny" => deny::check(),
            // Apart from the tests, so that the duration of each is known and cargo can draw its progress.
            "build" => cargo(&["test", "--workspace", "--no-run"]),
            "postgres" => on_postgres(),
            "sim" => sim::check(),
            "days" => days::check(),
            "crash" => crash::check(),
            _ => run_tests(&skips_file, &mut results),
        });
    }
    steps.add_skips(skips(&skips_file)?);
    if !results.is_empty() {
        println!("{}\n{}", results.join("\n"), total(&results));
    }
    print!("{}", steps.summary());
    if !only.is_empty() {
        println!("only some of the steps were run: {}", only.join(", "));
    }
    Ok(if steps.all_passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn cargo(arguments: &[&str]) -> anyhow::Result<Outcome> {
    workspace::run(&mut workspace::cargo(arguments))?;
    Ok(Outcome::Passed)
}

/// A step of a cargo subcommand that a minimal Rust installation lacks.
fn component(component: &str, subcommand: &str, arguments: &[&str]) -> anyhow::Result<Outcome> {
    if !workspace::answers(&mut workspace::cargo(&[subcommand, "--version"])) {
        return Ok(Outcome::Skipped(format!("SKIP {component}: rustup component add {component}")));
    }
    cargo(arguments)
}

/// Every file is written as rustfmt writes it. It looks into no macro, and one declares the modules of the channels: it is given them.
fn formatted() -> anyhow::Result<Outcome> {
    let sources = workspace::root().join("crates/channels/src");
    let entries = fs::read_dir(&sources).with_context(|| format!("listing {}", sources.display()))?;
    let modules = entries.flatten().map(|entry| entry.path());
    let modules = modules.map(|path| if path.is_dir() { path.join("mod.rs") } else { path });
    let modules = modules.filter(|path| path.is_file()).map(|path| path.display().to_string());
    let arguments = ["fmt", "--all", "--check", "--"].map(str::to_owned).into_iter().chain(modules);
    let arguments: Vec<String> = arguments.collect();
    component("rustfmt", "fmt", &arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The server's tests once more, with journal and store in PostgreSQL; and those of the key service there, which the server's build
/// on. The tests of journal and store run on both by themselves.
fn on_postgres() -> anyhow::Result<Outcome> {
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut programs = installed.map(|version| version.path().join("bin/initdb")).chain([PathBuf::from("initdb")]);
    if !programs.any(|initdb| workspace::answers(Command::new(initdb).arg("--version"))) {
        return Ok(Outcome::Skipped("SKIP postgres: apt-get install postgresql".to_owned()));
    }
    let tested = Tested::build()?;
    workspace::run(Command::new(tested.test_of("ark")?).arg("keys_postgres"))?;
    let mut command = Command::new(tested.test_of("server")?);
    workspace::run(command.env("LINTEL_TEST_PLACE", "postgres"))?;
    Ok(Outcome::Passed)
}

/// Runs every test, showing all output as it comes and keeping cargo's own summary lines.
fn run_tests(skips_file: &Path, results: &mut Vec<String>) -> anyhow::Result<Outcome> {
    softhsm::install_if_missing();
    pyiso8583::install_if_missing();
    node_packages::install_if_missing();
    let (reader, writer) = io::pipe().context("making a pipe for the output of cargo test")?;
    let mut command = workspace::cargo(&["test", "--workspace", "--no-fail-fast"]);
    command.env("LINTEL_SKIPS", skips_file);
    // One pipe for both streams keeps the name of a test binary (stderr) before its results (stdout).
    command.stderr(writer.try_clone().context("sharing the pipe")?).stdout(writer);
    let mut child = command.spawn().context("starting cargo test")?;
    // The command holds the writing ends; while it lives, the reader would wait for more.
    drop::<Command>(command);
    let lines = read_lines(reader);
    loop {
        match lines.recv_timeout(SILENCE) {
            Ok(line) => {
                println!("{line}");
                if is_summary(&line) {
                    results.push(line);
                }
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                if child.try_wait().context("asking for cargo test")?.is_some() {
                    println!("a process that a test started still runs and holds the output open");
                    break;
                }
            }
        }
    }
    let status = child.wait().context("waiting for cargo test")?;
    ensure!(status.success(), "cargo test ended with {status}");
    Ok(Outcome::Passed)
}

/// The lines of a stream as they come, from a thread of their own: a process that a test left behind may
/// hold the stream open for ever, and that must not hold us.
fn read_lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Lines of cargo test that the closing output repeats: which binary, and how it went.
fn is_summary(line: &str) -> bool {
    ["     Running ", "   Doc-tests ", "test result: "].iter().any(|start| line.starts_with(start))
}

/// All test binaries added up.
fn total(results: &[String]) -> String {
    let results = results.iter().filter_map(|line| line.strip_prefix("test result: "));
    let (mut binaries, mut passed, mut failed, mut ignored) = (0, 0, 0, 0);
    for line in results {
        binaries += 1;
        passed += count(line, " passed");
        failed += count(line, " failed");
        ignored += count(line, " ignored");
    }
    format!("tests: {passed} passed, {failed} failed, {ignored} ignored in {binaries} binaries\n")
}

/// The number before `what` in `ok. 3 passed; 0 failed; …`.
fn count(line: &str, what: &str) -> u64 {
    let before = line.split(what).next().unwrap_or_default();
    before.rsplit([' ', ';']).next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// The skips that tests wrote down, each once, with how often; the file is removed.
fn skips(file: &PathBuf) -> anyhow::Result<Vec<String>> {
    if !file.exists() {
        return Ok(Vec::new());
    }
    let text = fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    fs::remove_file(file).with_context(|| format!("removing {}", file.display()))?;
    Ok(counted(&text))
}

fn counted(text: &str) -> Vec<String> {
    let mut times: BTreeMap<&str, u64> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        *times.entry(line).or_default() += 1;
    }
    let said = |(line, times): (&str, u64)| match times {
        1 => line.to_owned(),
        _ => format!("{line} ({times} tests)"),
    };
    times.into_iter().map(said).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_lines_of_cargo_are_kept_and_others_are_not() {
        assert!(is_summary("test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured"));
        assert!(is_summary("     Running unittests src/lib.rs (target/debug/deps/ark-1)"));
        assert!(is_summary("   Doc-tests ark"));
        assert!(!is_summary("test money::adds ... ok"));
    }

    #[test]
    fn results_add_up() {
        let lines = [
            "     Running unittests src/lib.rs (deps/ark-1)",
            "test result: ok. 13 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out",
            "test result: FAILED. 2 passed; 4 failed; 0 ignored; 0 measured; 0 filtered out",
        ];
        let total = total(&lines.map(str::to_owned));
        assert_eq!(total, "tests: 15 passed, 4 failed, 1 ignored in 2 binaries\n");
    }

    #[test]
    fn a_skip_is_repeated_once_with_its_count() {
        let text = "SKIP postgres: apt-get install postgresql\nSKIP root: run as root\nSKIP postgres: apt-get install postgresql\n";
        assert_eq!(counted(text), ["SKIP postgres: apt-get install postgresql (2 tests)", "SKIP root: run as root"]);
    }

    #[test]
    fn an_unknown_step_is_refused_with_the_known_ones() {
        let error = run(&["frmt"]).unwrap_err();
        let known = "fmt, tidy, clippy, deny, build, test, postgres, sim, days, crash";
        assert_eq!(error.to_string(), format!("`test` has no step `frmt`: {known}"));
    }
}
