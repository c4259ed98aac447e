//! Builds our two programs and says where they are.
//!
//! The paths come from cargo's own messages, never from a guess below `target/`: a target directory set by
//! an environment variable, a configuration file or a build target all move it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::workspace;

/// `lintel`, the platform, and `lintel-sandbox`, the world around it.
#[derive(Debug)]
pub(crate) struct Binaries {
    pub(crate) lintel: PathBuf,
    pub(crate) sandbox: PathBuf,
}

/// Builds both with the profile `fast`; cargo's progress and errors go to stderr.
///
/// Both are always built together: `lintel bench` and `lintel sandbox` execute the `lintel-sandbox` that
/// lies beside `lintel`, and it must not be an older one.
pub(crate) fn build() -> anyhow::Result<Binaries> {
    let mut executables = programs(&[("server", "lintel"), ("sandbox", "lintel-sandbox")])?;
    let mut take = |name: &str| executables.remove(name).with_context(|| format!("cargo built no program `{name}`"));
    Ok(Binaries { lintel: take("lintel")?, sandbox: take("lintel-sandbox")? })
}

/// Builds the simulator with the same profile, and the others beside it: by itself it would be built with other features of
/// what they share, and all of that twice.
pub(crate) fn build_sim() -> anyhow::Result<PathBuf> {
    let wanted = [("server", "lintel"), ("sandbox", "lintel-sandbox"), ("sim", "sim")];
    programs(&wanted)?.remove("sim").context("cargo built no program `sim`")
}

/// Builds programs, each of a package, and says where they are; cargo's progress and errors go to stderr.
fn programs(wanted: &[(&str, &str)]) -> anyhow::Result<BTreeMap<String, PathBuf>> {
    let mut command = workspace::cargo(&["build", "--profile=fast", "--message-format=json-render-diagnostics"]);
    for (package, program) in wanted {
        command.args([format!("--package={package}"), format!("--bin={program}")]);
    }
    let child = command.stdout(Stdio::piped()).spawn().context("starting cargo build")?;
    let output = child.wait_with_output().context("waiting for cargo build")?;
    ensure!(output.status.success(), "the programs did not build (see above)");
    executables(&String::from_utf8_lossy(&output.stdout))
}

/// The integration-test binary of a crate, as the whole workspace builds it: by itself it would be built again with other
/// features of its dependencies.
pub(crate) fn test_binary(package: &str) -> anyhow::Result<PathBuf> {
    let mut command =
        workspace::cargo(&["test", "--workspace", "--no-run", "--message-format=json-render-diagnostics"]);
    let child = command.stdout(Stdio::piped()).spawn().context("starting cargo test")?;
    let output = child.wait_with_output().context("waiting for cargo test")?;
    ensure!(output.status.success(), "the tests did not build (see above)");
    test_of(&String::from_utf8_lossy(&output.stdout), package)
        .with_context(|| format!("cargo built no integration test of `{package}`"))
}

fn test_of(messages: &str, package: &str) -> Option<PathBuf> {
    let place = format!("/crates/{package}#");
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut tests = messages.filter(|message| {
        let is_ours = message["package_id"].as_str().is_some_and(|id| id.contains(&place));
        is_ours && message["target"]["kind"] == serde_json::json!(["test"])
    });
    tests.find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

/// Program name → path, from cargo's messages, one JSON object a line.
fn executables(messages: &str) -> anyhow::Result<BTreeMap<String, PathBuf>> {
    let mut found = BTreeMap::new();
    for line in messages.lines().filter(|line| line.starts_with('{')) {
        let message: Value =
            serde_json::from_str(line).with_context(|| format!("reading a message of cargo: {line}"))?;
        if message["reason"] != "compiler-artifact" {
            continue;
        }
        if let (Some(name), Some(path)) = (message["target"]["name"].as_str(), message["executable"].as_str()) {
            found.insert(name.to_owned(), PathBuf::from(path));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_artifacts_with_an_executable_are_programs() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","target":{"name":"node"},"executable":null}"#,
            "\n",
            r#"{"reason":"compiler-artifact","target":{"name":"lintel"},"executable":"/else/fast/lintel"}"#,
            "\nnot a message\n",
            r#"{"reason":"build-finished","success":true}"#,
        );
        let found = executables(messages).unwrap();
        assert_eq!(found, BTreeMap::from([("lintel".to_owned(), PathBuf::from("/else/fast/lintel"))]));
    }

    #[test]
    fn the_test_of_a_crate_is_found_by_its_place() {
        let messages = concat!(
            r#"{"package_id":"path+file:///x/crates/store#0.1.0","target":{"kind":["test"]},"executable":"/deps/it-1"}"#,
            "\n",
            r#"{"package_id":"path+file:///x/crates/server#0.1.0","target":{"kind":["bin"]},"executable":"/lintel"}"#,
            "\n",
            r#"{"package_id":"path+file:///x/crates/server#0.1.0","target":{"kind":["test"]},"executable":"/deps/it-2"}"#,
        );
        assert_eq!(test_of(messages, "server"), Some(PathBuf::from("/deps/it-2")));
        assert_eq!(test_of(messages, "node"), None);
    }

    #[test]
    fn a_broken_message_is_an_error_that_shows_it() {
        let error = executables("{\"reason\":").unwrap_err();
        assert!(format!("{error:#}").contains("{\"reason\":"), "{error:#}");
    }
}
