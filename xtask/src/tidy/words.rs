//! Words that must not stay: unfinished work, lints switched off, tests that do not run.

use super::scan::lines_with;
use super::tree::{File, Tree};
use super::{Finding, finding};

/// Marks of unfinished work, in the comments of every language we write.
const MARKS: [&str; 3] = ["TODO", "FIXME", "XXX"];

/// Macros of unfinished work.
const MACROS: [&str; 3] = ["todo!", "unimplemented!", "dbg!"];

/// Work that was left for later without a place to find it again.
pub(super) fn stray(tree: &Tree) -> Vec<Finding> {
    let remedy = "do it now, or open an issue and name it in the comment without this mark";
    let mut found = Vec::new();
    for file in tree.files() {
        let comments = match &file.rust {
            Some(rust) => rust.comments.as_str(),
            None if file.has_extension(&["sql", "toml", "ts", "tsx"]) => file.text(),
            None => continue,
        };
        found.extend(each(file, comments, &MARKS, remedy));
    }
    for (file, rust) in tree.rust() {
        found.extend(each(file, &rust.code, &MACROS, "write what is missing"));
    }
    found
}

/// `allow` stays silent when its reason is gone; `expect` does not.
pub(super) fn allowed_lints(tree: &Tree) -> Vec<Finding> {
    let remedy = "write `#[expect(lint, reason = \"…\")]`, or repair what the lint says";
    let attributes = ["#[allow(", "#![allow("];
    tree.rust().flat_map(|(file, rust)| each(file, &rust.code, &attributes, remedy)).collect()
}

/// A test that does not run proves nothing.
pub(super) fn ignored_tests(tree: &Tree) -> Vec<Finding> {
    let remedy = "let it run; where something is missing, print `SKIP name: what to install`";
    tree.rust().flat_map(|(file, rust)| each(file, &rust.code, &["#[ignore"], remedy)).collect()
}

fn each(file: &File, text: &str, words: &[&'static str], remedy: &str) -> Vec<Finding> {
    let lines = words.iter().flat_map(|word| lines_with(text, word).map(move |line| (word, line)));
    lines.map(|(word, line)| finding(&file.path, line, format!("`{word}`"), remedy)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(findings: &[Finding]) -> Vec<usize> {
        findings.iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn marks_count_in_comments_and_macros_in_code() {
        let text = "// TODO later\nlet a = \"TODO\";\n// todo!() is a macro\ntodo!()\n/* XXX */ dbg!(a)\nmy_todo!()";
        assert_eq!(lines(&stray(&Tree::of(&[("a.rs", text)]))), [1, 5, 4, 5]);
        assert_eq!(lines(&stray(&Tree::of(&[("a.sql", "select 1;\n-- FIXME")]))), [2]);
        assert_eq!(stray(&Tree::of(&[("a.md", "TODO")])), []);
    }

    #[test]
    fn expect_is_the_only_way_to_switch_a_lint_off() {
        let text = "#[allow(dead_code)]\n#[expect(dead_code, reason = \"x\")]\nfn a() {}\n// #[allow(x)]";
        assert_eq!(lines(&allowed_lints(&Tree::of(&[("a.rs", text)]))), [1]);
        assert_eq!(lines(&allowed_lints(&Tree::of(&[("a.rs", "\n#![allow(x)]")]))), [2]);
    }

    #[test]
    fn no_test_is_ignored() {
        let text = "#[test]\n#[ignore]\nfn a() {}\n#[ignore = \"slow\"]\nfn b() {}\n#[derive(A)] struct S;";
        assert_eq!(lines(&ignored_tests(&Tree::of(&[("a.rs", text)]))), [2, 4]);
    }
}
