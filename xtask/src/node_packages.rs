//! What the TypeScript client is built and tested with: its compiler, and the package that has SM2. Both are installed once, in pinned
//! versions, into a folder of their own below our cache, so that nothing of the machine or the clone is changed.
//!
//! Node itself is not installed: nothing else of the project needs it. Where it or these packages are not, the tests name it as a skip.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use crate::workspace;

/// By name and version; `clients/typescript/package.json` allows others of the same major version.
const PACKAGES: [(&str, &str); 2] = [("typescript", "5.9.3"), ("sm-crypto-v2", "1.15.1")];

/// Looks whether they are there, and says before it fetches anything.
pub(crate) fn install_if_missing() {
    let Some(folder) = folder().filter(|folder| !has_them(folder)) else { return };
    let is_there = |program: &str| workspace::answers(Command::new(program).arg("--version"));
    if !is_there("node") || !is_there("npm") {
        return;
    }
    let packages = PACKAGES.map(|(name, version)| format!("{name}@{version}"));
    println!("installing {} with npm into {} (once)", packages.join(" and "), folder.display());
    let made = fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()));
    let mut npm = Command::new("npm");
    // A machine without a network is told so soon.
    npm.args(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1", "--fetch-timeout=20000"]);
    npm.arg("--prefix").arg(&folder).args(packages).current_dir(&folder);
    if let Err(error) = made.and_then(|()| workspace::run(&mut npm)) {
        println!("{error:#}");
    }
}

/// The folder that has `node_modules`, with all packages in it and a Node to run them.
#[cfg(test)]
pub(crate) fn found() -> Option<PathBuf> {
    folder().filter(|folder| has_them(folder) && workspace::answers(Command::new("node").arg("--version")))
}

/// What a test says that finds none.
#[cfg(test)]
pub(crate) const INSTALL: &str = "install Node 18 or later with npm; `cargo xtask test` then fetches the packages";

fn folder() -> Option<PathBuf> {
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")));
    cache.map(|cache| cache.join("lintel/node"))
}

fn has_them(folder: &Path) -> bool {
    PACKAGES.iter().all(|(name, version)| {
        let described = fs::read(folder.join("node_modules").join(name).join("package.json")).unwrap_or_default();
        let described: serde_json::Value = serde_json::from_slice(&described).unwrap_or_default();
        described["version"] == *version
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A range of a package file reaches to the next major version; ours lies in it.
    #[test]
    fn the_pinned_packages_are_ones_that_the_client_allows() {
        let path = workspace::root().join("clients/typescript/package.json");
        let described: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        for (name, version) in PACKAGES {
            let range = described["devDependencies"][name].as_str().unwrap();
            let numbers = |text: &str| text.split('.').map(|part| part.parse().unwrap()).collect::<Vec<u32>>();
            let (least, pinned) = (numbers(range.strip_prefix('^').unwrap()), numbers(version));
            assert!(pinned[0] == least[0] && pinned >= least, "{name} {version} is not in {range}");
        }
    }
}
