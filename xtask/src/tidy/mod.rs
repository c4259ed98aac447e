//! `cargo xtask tidy`: the rules of this repository that no compiler knows.
//!
//! A rule is a function from the tree of files to findings; it does no input or output of its own, so its
//! tests are small trees written down in the test. One file holds one group of rules. Every finding says
//! where, what, and what to do about it.

mod arrows;
mod clients;
mod features;
mod golden;
mod headers;
mod links;
mod metrics;
mod purity;
mod scan;
mod size;
mod tree;
mod unsafety;
mod words;

use std::fmt;
use std::process::ExitCode;

use anyhow::ensure;
use tree::Tree;

use crate::steps::Outcome;
use crate::workspace;

/// Something that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    /// Relative to the root, with `/`.
    path: String,
    /// From 1.
    line: usize,
    what: String,
    remedy: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, what, remedy } = self;
        write!(out, "{path}:{line}: {what} — {remedy}")
    }
}

/// A finding, in the order in which it is read.
fn finding(path: &str, line: usize, what: impl Into<String>, remedy: impl Into<String>) -> Finding {
    Finding { path: path.to_owned(), line, what: what.into(), remedy: remedy.into() }
}

/// Every rule that looks at files. (The direction of dependencies looks at `cargo metadata` instead.)
const RULES: [fn(&Tree) -> Vec<Finding>; 13] = [
    clients::check,
    features::check,
    golden::check,
    headers::check,
    links::check,
    metrics::check,
    purity::check,
    size::long_files,
    size::long_functions,
    unsafety::check,
    words::stray,
    words::allowed_lints,
    words::ignored_tests,
];

/// `cargo xtask tidy`.
pub(crate) fn run() -> anyhow::Result<ExitCode> {
    step()?;
    Ok(ExitCode::SUCCESS)
}

/// The same as a step of `cargo xtask test`.
pub(crate) fn step() -> anyhow::Result<Outcome> {
    let root = workspace::root();
    let tree = Tree::read(&root)?;
    let mut findings = arrows::check(&workspace::metadata()?);
    findings.extend(RULES.iter().flat_map(|rule| rule(&tree)));
    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }
    ensure!(findings.is_empty(), "{} findings in {} files", findings.len(), tree.files().len());
    println!("tidy: nothing found in {} files", tree.files().len());
    Ok(Outcome::Passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_says_where_what_and_what_to_do() {
        let shown = finding("a/b.rs", 7, "too long", "cut it").to_string();
        assert_eq!(shown, "a/b.rs:7: too long — cut it");
    }

    #[test]
    fn an_empty_tree_breaks_no_rule() {
        let tree = Tree::of(&[]);
        let findings: Vec<Finding> = RULES.iter().flat_map(|rule| rule(&tree)).collect();
        assert_eq!(findings, []);
    }
}
