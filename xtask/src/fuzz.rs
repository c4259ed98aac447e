//! `cargo xtask fuzz`: the fuzz targets of `ark`'s parsers, on the stable compiler.
//!
//! libFuzzer learns from coverage, which rustc puts in by LLVM's pass; the options that ask for it are stable, so
//! neither a nightly compiler nor `cargo fuzz` is needed. With those, `cargo fuzz run TARGET` in `crates/ark` does the
//! same with the address sanitizer. What was learned lies in `crates/ark/fuzz/corpus`, inputs that fail in `artifacts`.

use std::fs;
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};

use crate::workspace;

/// What `cargo fuzz` gives rustc, without a sanitizer.
const FLAGS: [&str; 8] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=1",
    "--cfg",
    "fuzzing",
];
const FOLDER: &str = "crates/ark/fuzz";
/// So long each target runs unless told otherwise.
const SECONDS: &str = "60";

/// Runs one target, or all of them, for some seconds each.
pub(crate) fn run(arguments: &[&str]) -> anyhow::Result<ExitCode> {
    let known = targets()?;
    let (chosen, seconds) = match arguments {
        [] => (known, SECONDS),
        ["--seconds", seconds] => (known, *seconds),
        [target] => (vec![one(&known, target)?], SECONDS),
        [target, "--seconds", seconds] => (vec![one(&known, target)?], *seconds),
        _ => bail!("`fuzz` takes a target and `--seconds N`: cargo xtask fuzz [TARGET] [--seconds N]"),
    };
    ensure!(seconds.parse::<u32>().is_ok(), "--seconds {seconds}: a whole number of seconds");
    let host = host()?;
    for target in chosen {
        println!("── {target}");
        let folder = workspace::root().join(FOLDER);
        let [corpus, artifacts] = ["corpus", "artifacts"].map(|name| folder.join(name).join(&target));
        for folder in [&corpus, &artifacts] {
            fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
        }
        // Naming the host as the target keeps the flags away from build scripts and macros.
        let mut command = workspace::cargo(&["run", "--release", "--target", &host, "--bin", &target, "--"]);
        command.current_dir(&folder).env("RUSTFLAGS", FLAGS.join(" ")).arg(corpus);
        command.arg(format!("-artifact_prefix={}/", artifacts.display()));
        command.args([format!("-max_total_time={seconds}"), "-print_final_stats=1".to_owned()]);
        workspace::run(&mut command)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn one(known: &[String], target: &str) -> anyhow::Result<String> {
    let found = known.iter().find(|known| *known == target);
    found.cloned().with_context(|| format!("there is no fuzz target `{target}`: {}", known.join(", ")))
}

/// The targets by their files.
fn targets() -> anyhow::Result<Vec<String>> {
    let folder = workspace::root().join(FOLDER).join("fuzz_targets");
    let files = fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut names = Vec::new();
    for file in files {
        let path = file.with_context(|| format!("reading {}", folder.display()))?.path();
        names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

/// This machine, as rustc names it.
fn host() -> anyhow::Result<String> {
    let output = workspace::cargo(&["-vV"]).output().context("starting cargo -vV")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("cargo -vV names no host")
}
