//! pyiso8583, which the terminal of another making is written on: installed once into an environment of its own below our cache,
//! so that nothing of the machine is changed. Where that cannot be, the tests name it as a skip.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::workspace;

const PACKAGE: &str = "pyiso8583==4.0.1";

/// Looks whether it is there.
pub(crate) fn install_if_missing() {
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")));
    let Some(venv) = cache.map(|cache| cache.join("lintel/venv")) else { return };
    let python = venv.join("bin/python");
    if has_it(&python) || has_it(Path::new("python3")) {
        return;
    }
    println!("installing {PACKAGE} into {} (once)", venv.display());
    let made = workspace::run(Command::new("python3").args(["-m", "venv"]).arg(&venv));
    // A machine without a network is told so soon.
    let install = ["-m", "pip", "install", "--quiet", "--retries", "1", "--timeout", "20", PACKAGE];
    if let Err(error) = made.and_then(|()| workspace::run(Command::new(&python).args(install))) {
        println!("{error:#}");
    }
}

fn has_it(python: &Path) -> bool {
    workspace::answers(Command::new(python).args(["-c", "import iso8583, iso8583.specs"]))
}
