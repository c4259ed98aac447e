//! cargo-deny: which licences, versions and sources may come into the dependency tree (`deny.toml`), and
//! which published advisories speak against what is in it.
//!
//! A new machine has no cargo-deny, so it is installed once, in one pinned version, outside the clone. The
//! check in `test` needs no network: only `advisories` fetches a list.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::Context as _;

use crate::steps::Outcome;
use crate::workspace;

/// Pinned: a newer cargo-deny may find more, and a check must not fail on a day when nothing changed.
const VERSION: &str = "0.20.2";

/// Exit code of `advisories` when the list could not be fetched: not clean, not guilty, unknown.
const NOT_FETCHED: u8 = 2;

/// Licences, bans and sources, as a step of `cargo xtask test`.
pub(crate) fn check() -> anyhow::Result<Outcome> {
    let Some(program) = installed_or_install()? else {
        return Ok(skipped());
    };
    let mut command = Command::new(program);
    command.current_dir(workspace::root());
    command.args(["--locked", "check", "--hide-inclusion-graph", "licenses", "bans", "sources"]);
    workspace::run(&mut command)?;
    Ok(Outcome::Passed)
}

/// `cargo xtask advisories`: 0 none, 1 some, 2 unknown because the list could not be fetched.
pub(crate) fn advisories() -> anyhow::Result<ExitCode> {
    let Some(program) = installed_or_install()? else {
        println!("cargo-deny {VERSION} could not be installed, so no advisory was looked up");
        return Ok(ExitCode::from(NOT_FETCHED));
    };
    let root = workspace::root();
    let fetched = Command::new(&program).args(["fetch", "db"]).current_dir(&root).status();
    if !fetched.context("starting cargo-deny fetch")?.success() {
        println!("the list of advisories could not be fetched: nothing is known about this tree");
        return Ok(ExitCode::from(NOT_FETCHED));
    }
    let mut check = Command::new(program);
    check.args(["--offline", "check", "advisories"]).current_dir(root);
    workspace::run(&mut check)?;
    Ok(ExitCode::SUCCESS)
}

fn skipped() -> Outcome {
    Outcome::Skipped(format!(
        "SKIP cargo-deny: cargo install cargo-deny --version ={VERSION} --locked (it could not be installed, see above)"
    ))
}

/// The pinned cargo-deny: ours, the one on PATH if it is that version, or a fresh installation; none if
/// it cannot be installed.
fn installed_or_install() -> anyhow::Result<Option<PathBuf>> {
    let home = tools_directory()?;
    let ours = home.join("bin/cargo-deny");
    for candidate in [ours.clone(), PathBuf::from("cargo-deny")] {
        if is_pinned(&candidate) {
            return Ok(Some(candidate));
        }
    }
    fs::create_dir_all(&home).with_context(|| format!("creating {}", home.display()))?;
    println!("installing cargo-deny {VERSION} into {} (once, some minutes)", home.display());
    let started = Instant::now();
    let target = home.join("target");
    let version = format!("={VERSION}");
    let mut install = workspace::cargo(&["install", "cargo-deny", "--version", &version]);
    install
        .args(["--locked", "--profile", "dev", "--root"])
        .arg(&home)
        // A target directory of its own: ours may be locked, and its profile is another one.
        .env("CARGO_TARGET_DIR", &target)
        .env("CARGO_PROFILE_DEV_DEBUG", "false");
    let installed = workspace::run(&mut install);
    if let Err(error) = installed {
        println!("{error:#}");
        return Ok(None);
    }
    fs::remove_dir_all(&target).with_context(|| format!("removing {}", target.display()))?;
    println!("installed in {} s", started.elapsed().as_secs());
    Ok(Some(ours))
}

fn is_pinned(program: &PathBuf) -> bool {
    let output = Command::new(program).arg("--version").output();
    output.is_ok_and(|output| output.stdout.trim_ascii() == format!("cargo-deny {VERSION}").as_bytes())
}

/// `${XDG_CACHE_HOME:-$HOME/.cache}/lintel/tools/cargo-deny-VERSION`.
fn tools_directory() -> anyhow::Result<PathBuf> {
    let named = |name: &str| env::var_os(name).filter(|value: &OsString| !value.is_empty());
    let cache = named("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| named("HOME").map(|home| PathBuf::from(home).join(".cache")))
        .context("neither XDG_CACHE_HOME nor HOME says where tools may be kept")?;
    Ok(cache.join("lintel/tools").join(format!("cargo-deny-{VERSION}")))
}
