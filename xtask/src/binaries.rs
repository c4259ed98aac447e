//! Builds our two programs and says where they are.
//!
//! The paths come from cargo's own messages, never from a guess below `target/`: a target directory set by
//! an environment variable, a configuration file or a build target all move it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::workspace;

/// `lintel`, the platform, and `lintel-sandbox`, the world around it.
#[derive(Debug)]
pub(crate) struct Binaries {
    pub(crate) lintel: PathBuf,
    pub(crate) sandbox: PathBuf,
}

impl Binaries {
    fn among(executables: &mut BTreeMap<String, PathBuf>) -> anyhow::Result<Self> {
        Ok(Self { lintel: take(executables, "lintel")?, sandbox: take(executables, "lintel-sandbox")? })
    }
}

fn take(executables: &mut BTreeMap<String, PathBuf>, name: &str) -> anyhow::Result<PathBuf> {
    executables.remove(name).with_context(|| format!("cargo built no program `{name}`"))
}

/// Builds both with the profile `fast`; cargo's progress and errors go to stderr.
///
/// Both are always built together: `lintel bench` and `lintel sandbox` execute the `lintel-sandbox` that
/// lies beside `lintel`, and it must not be an older one.
pub(crate) fn build() -> anyhow::Result<Binaries> {
    Binaries::among(&mut programs(&[("server", "lintel"), ("sandbox", "lintel-sandbox")])?)
}

/// Builds the simulator with the same profile, and the others beside it: by itself it would be built with other features of
/// what they share, and all of that twice.
pub(crate) fn build_sim() -> anyhow::Result<PathBuf> {
    take(&mut programs(&[("server", "lintel"), ("sandbox", "lintel-sandbox"), ("sim", "sim")])?, "sim")
}

/// Builds programs, each of a package, and says where they are.
fn programs(wanted: &[(&str, &str)]) -> anyhow::Result<BTreeMap<String, PathBuf>> {
    let mut command = workspace::cargo(&["build", "--profile=fast", "--message-format=json-render-diagnostics"]);
    for (package, program) in wanted {
        command.args([format!("--package={package}"), format!("--bin={program}")]);
    }
    executables(&messages(&mut command, "the programs")?)
}

/// Runs cargo for its messages, one JSON object a line; its progress and errors go to stderr.
fn messages(cargo: &mut Command, what: &str) -> anyhow::Result<String> {
    let child = cargo.stdout(Stdio::piped()).spawn().context("starting cargo")?;
    let output = child.wait_with_output().context("waiting for cargo")?;
    ensure!(output.status.success(), "{what} did not build (see above)");
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What the workspace's tests are built with: the tests, and the programs that they start. The steps of `cargo xtask test`
/// use these and no others, so that CI compiles everything once; sums are checked in them, which `fast` leaves out.
#[derive(Debug)]
pub(crate) struct Tested {
    messages: String,
}

impl Tested {
    /// Builds them as the step `build` does: by itself a package would be built again with other features of what it shares.
    pub(crate) fn build() -> anyhow::Result<Self> {
        let arguments = ["test", "--workspace", "--no-run", "--message-format=json-render-diagnostics"];
        Ok(Self { messages: messages(&mut workspace::cargo(&arguments), "the tests")? })
    }

    pub(crate) fn binaries(&self) -> anyhow::Result<Binaries> {
        Binaries::among(&mut executables(&self.messages)?)
    }

    pub(crate) fn sim(&self) -> anyhow::Result<PathBuf> {
        take(&mut executables(&self.messages)?, "sim")
    }

    /// The integration-test binary of a crate.
    pub(crate) fn test_of(&self, package: &str) -> anyhow::Result<PathBuf> {
        test_of(&self.messages, package).with_context(|| format!("cargo built no integration test of `{package}`"))
    }
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

/// Program name → path, from cargo's messages, one JSON object a line; the tests inside a program bear its name and are none.
fn executables(messages: &str) -> anyhow::Result<BTreeMap<String, PathBuf>> {
    let mut found = BTreeMap::new();
    for line in messages.lines().filter(|line| line.starts_with('{')) {
        let message: Value =
            serde_json::from_str(line).with_context(|| format!("reading a message of cargo: {line}"))?;
        if message["reason"] != "compiler-artifact" || message["profile"]["test"] == true {
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
    fn only_artifacts_with_an_executable_that_are_no_tests_are_programs() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","target":{"name":"node"},"executable":null}"#,
            "\n",
            r#"{"reason":"compiler-artifact","target":{"name":"lintel"},"executable":"/else/fast/lintel"}"#,
            "\n",
            r#"{"reason":"compiler-artifact","target":{"name":"lintel"},"profile":{"test":true},"executable":"/deps/lintel-1"}"#,
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
