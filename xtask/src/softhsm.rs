//! SoftHSM, the token that `ark`'s tests speak PKCS #11 with: installed once from the distribution where CI runs as root
//! beside `apt-get`. A developer's machine is not changed unasked: there the tests say what to install.

use std::env;
use std::process::Command;

use crate::workspace;

/// Looks whether it is there; what cannot be installed the tests name as a skip.
pub(crate) fn install_if_missing() {
    if workspace::answers(Command::new("softhsm2-util").arg("--version")) || !may_install() {
        return;
    }
    println!("installing softhsm2 with apt-get (once)");
    // A machine that never asked for the list of packages knows none.
    if !apt(&["install", "--yes", "--no-install-recommends", "softhsm2"]) {
        let _ = apt(&["update"]) && apt(&["install", "--yes", "--no-install-recommends", "softhsm2"]);
    }
}

fn may_install() -> bool {
    if env::var_os("LINTEL_CI").is_none() {
        return false;
    }
    let user = Command::new("id").arg("-u").output();
    let is_root = user.is_ok_and(|user| user.stdout.trim_ascii() == b"0");
    is_root && workspace::answers(Command::new("apt-get").arg("--version"))
}

fn apt(arguments: &[&str]) -> bool {
    let mut command = Command::new("apt-get");
    // A machine without a network is told so soon.
    command.args(["-o", "Acquire::Retries=0", "-o", "Acquire::http::Timeout=20", "-o", "Acquire::https::Timeout=20"]);
    command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
    workspace::run(&mut command).inspect_err(|error| println!("{error:#}")).is_ok()
}
