//! `cargo xtask fuzz`: the fuzz targets of every crate that has some, on the stable compiler.
//!
//! libFuzzer learns from coverage, which rustc puts in by LLVM's pass; the options that ask for it are stable, so
//! neither a nightly compiler nor `cargo fuzz` is needed. With those, `cargo fuzz run TARGET` in the crate does the
//! same with the address sanitizer. What was learned lies in the crate's `fuzz/corpus`, inputs that fail in `artifacts`;
//! git has neither. What is worth keeping goes to `fuzz/seeds`, with which every run begins, by `--keep`: the inputs that
//! reach something which no seed reached.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

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
/// So long each target runs unless told otherwise.
const SECONDS: &str = "60";
const USAGE: &str =
    "`fuzz` takes a target, `--seconds N` and `--keep`: cargo xtask fuzz [TARGET] [--seconds N] [--keep]";

/// A target, and the folder of the fuzz crate that has it.
#[derive(Debug, Clone)]
struct Target {
    name: String,
    folder: PathBuf,
}

/// What was asked for.
struct Asked<'a> {
    target: Option<&'a str>,
    seconds: &'a str,
    keep: bool,
}

/// Runs one target, or all of them, for some seconds each.
pub(crate) fn run(arguments: &[&str]) -> anyhow::Result<ExitCode> {
    let asked = asked(arguments)?;
    let known = targets()?;
    let chosen = match asked.target {
        None => known,
        Some(name) => vec![one(&known, name)?],
    };
    let host = host()?;
    for target in chosen {
        println!("── {}", target.name);
        let [corpus, artifacts] = ["corpus", "artifacts"].map(|name| target.folder.join(name).join(&target.name));
        for folder in [&corpus, &artifacts] {
            fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
        }
        let seeds = target.folder.join("seeds").join(&target.name);
        let mut command = target.command(&host);
        command.arg(&corpus).args(seeds.is_dir().then_some(&seeds));
        command.arg(format!("-artifact_prefix={}/", artifacts.display()));
        command.args([format!("-max_total_time={}", asked.seconds), "-print_final_stats=1".to_owned()]);
        workspace::run(&mut command)?;
        if asked.keep {
            keep(&target, &host, &seeds, &corpus)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn asked<'a>(arguments: &[&'a str]) -> anyhow::Result<Asked<'a>> {
    let mut asked = Asked { target: None, seconds: SECONDS, keep: false };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match *argument {
            "--keep" => asked.keep = true,
            "--seconds" => asked.seconds = rest.next().context(USAGE)?,
            option if option.starts_with("--") => bail!("there is no option {option}: {USAGE}"),
            target if asked.target.is_none() => asked.target = Some(target),
            surplus => bail!("one target or all, but got `{surplus}` too: {USAGE}"),
        }
    }
    let seconds = asked.seconds;
    ensure!(seconds.parse::<u32>().is_ok(), "--seconds {seconds}: a whole number of seconds");
    Ok(asked)
}

/// Adds to the seeds what reaches more than they do.
fn keep(target: &Target, host: &str, seeds: &Path, corpus: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(seeds).with_context(|| format!("creating {}", seeds.display()))?;
    workspace::run(target.command(host).arg("-set_cover_merge=1").args([seeds, corpus]))
}

impl Target {
    fn command(&self, host: &str) -> Command {
        // Naming the host as the target keeps the flags away from build scripts and macros.
        let mut command = workspace::cargo(&["run", "--release", "--target", host, "--bin", &self.name, "--"]);
        command.current_dir(&self.folder).env("RUSTFLAGS", FLAGS.join(" "));
        command
    }
}

fn one(known: &[Target], name: &str) -> anyhow::Result<Target> {
    let found = known.iter().find(|known| known.name == name);
    let names: Vec<_> = known.iter().map(|target| target.name.as_str()).collect();
    found.cloned().with_context(|| format!("there is no fuzz target `{name}`: {}", names.join(", ")))
}

/// The targets of all crates, by their files.
fn targets() -> anyhow::Result<Vec<Target>> {
    let mut targets = Vec::new();
    for member in entries(&workspace::root().join("crates"))? {
        let folder = member.join("fuzz");
        let files = folder.join("fuzz_targets");
        if !files.is_dir() {
            continue;
        }
        let names =
            entries(&files)?.into_iter().filter_map(|file| Some(file.file_stem()?.to_string_lossy().into_owned()));
        targets.extend(names.map(|name| Target { name, folder: folder.clone() }));
    }
    targets.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(targets)
}

fn entries(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let reading = || format!("reading {}", folder.display());
    let entries = fs::read_dir(folder).with_context(reading)?;
    entries.map(|entry| Ok(entry.with_context(reading)?.path())).collect()
}

/// This machine, as rustc names it.
fn host() -> anyhow::Result<String> {
    let output = workspace::cargo(&["-vV"]).output().context("starting cargo -vV")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("cargo -vV names no host")
}
