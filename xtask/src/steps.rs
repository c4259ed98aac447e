//! Runs named steps one after another: one line a step with its duration, then a summary.
//!
//! A failed step does not stop the ones after it, so one run shows everything that is wrong.
//! What could not run is a skip, named in the summary; under `LINTEL_CI` a skip is a failure.

use std::env;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// How a step ended; an error is a failure.
#[derive(Debug)]
pub(crate) enum Outcome {
    Passed,
    /// Holds the line `SKIP name: what to install`.
    Skipped(String),
}

/// One step that has run.
#[derive(Debug)]
struct Done {
    name: &'static str,
    word: &'static str,
    took: Duration,
}

/// The steps so far.
#[derive(Debug)]
pub(crate) struct Steps {
    done: Vec<Done>,
    skips: Vec<String>,
    skip_fails: bool,
    failed: bool,
}

impl Steps {
    /// No steps yet; `LINTEL_CI` says whether a skip fails.
    pub(crate) fn new() -> Self {
        Self::with(env::var_os("LINTEL_CI").is_some())
    }

    fn with(skip_fails: bool) -> Self {
        Self { done: Vec::new(), skips: Vec::new(), skip_fails, failed: false }
    }

    /// Runs one step, which streams its own output, and prints its line.
    pub(crate) fn run(&mut self, name: &'static str, step: impl FnOnce() -> anyhow::Result<Outcome>) {
        println!("── {name}");
        let started = Instant::now();
        let outcome = step();
        let took = started.elapsed();
        let word = match outcome {
            Ok(Outcome::Passed) => "ok",
            Ok(Outcome::Skipped(line)) => {
                println!("{line}");
                self.skips.push(line);
                self.failed |= self.skip_fails;
                if self.skip_fails { "FAILED (a skip, under LINTEL_CI)" } else { "skipped" }
            }
            Err(error) => {
                println!("{name}: {error:#}");
                self.failed = true;
                "FAILED"
            }
        };
        println!("── {name}: {word}, {:.1} s\n", took.as_secs_f64());
        self.done.push(Done { name, word, took });
    }

    /// Adds what tests said they skipped; they decide themselves whether that fails.
    pub(crate) fn add_skips(&mut self, lines: impl IntoIterator<Item = String>) {
        self.skips.extend(lines);
    }

    pub(crate) fn all_passed(&self) -> bool {
        !self.failed
    }

    /// A table of the steps and every skip by name.
    pub(crate) fn summary(&self) -> String {
        let mut text = String::new();
        let width = self.done.iter().map(|done| done.name.len()).max().unwrap_or(0);
        for Done { name, word, took } in &self.done {
            let seconds = took.as_secs_f64();
            writeln!(text, "{name:width$}  {seconds:7.1} s  {word}").expect("a String takes any text");
        }
        if self.skips.is_empty() {
            text.push_str("nothing was skipped\n");
        } else {
            text.push_str("skipped:\n");
            for line in &self.skips {
                writeln!(text, "  {line}").expect("a String takes any text");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skip() -> anyhow::Result<Outcome> {
        Ok(Outcome::Skipped("SKIP cargo-deny: install it".to_owned()))
    }

    #[test]
    fn a_failed_step_does_not_stop_the_next_one() {
        let mut steps = Steps::with(false);
        steps.run("first", || anyhow::bail!("broken"));
        steps.run("second", || Ok(Outcome::Passed));
        assert!(!steps.all_passed());
        let summary = steps.summary();
        assert!(summary.contains("first ") && summary.contains("FAILED"), "{summary}");
        assert!(summary.contains("second") && summary.contains("ok"), "{summary}");
    }

    #[test]
    fn a_skip_is_named_and_passes_outside_ci() {
        let mut steps = Steps::with(false);
        steps.run("deny", skip);
        assert!(steps.all_passed());
        assert!(steps.summary().contains("SKIP cargo-deny: install it"), "{}", steps.summary());
    }

    #[test]
    fn a_skip_fails_in_ci() {
        let mut steps = Steps::with(true);
        steps.run("deny", skip);
        assert!(!steps.all_passed());
    }

    #[test]
    fn a_clean_run_says_that_nothing_was_skipped() {
        let mut steps = Steps::with(true);
        steps.run("fmt", || Ok(Outcome::Passed));
        assert!(steps.all_passed());
        assert!(steps.summary().contains("nothing was skipped"));
    }
}
