//! Unsafe code stands only in the modules that `xtask/unsafe.toml` names, and each use says why it is sound.

use std::collections::BTreeMap;

use super::scan::lines_with;
use super::tree::Tree;
use super::{Finding, finding};

const LIST: &str = "xtask/unsafe.toml";

/// A `SAFETY:` comment stands at most so many lines above its use.
const NEAR: usize = 5;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let (mut listed, mut found) = listed(tree);
    for (file, rust) in tree.rust() {
        let uses: Vec<usize> = lines_with(&rust.code, "unsafe").collect();
        if uses.is_empty() {
            continue;
        }
        if listed.remove(&file.path).is_none() {
            let remedy = format!("write it safely, or name the module with its reason in {LIST}");
            found.extend(uses.iter().map(|line| finding(&file.path, *line, "`unsafe`", remedy.as_str())));
            continue;
        }
        let reasons: Vec<usize> = lines_with(&rust.comments, "SAFETY:").collect();
        for line in uses {
            if !reasons.iter().any(|reason| (line.saturating_sub(NEAR)..=line).contains(reason)) {
                let remedy = "say above it, after `SAFETY:`, why it is sound";
                found.push(finding(&file.path, line, "`unsafe` without a reason", remedy));
            }
        }
    }
    for (path, line) in listed {
        found.push(finding(LIST, line, format!("{path} has no unsafe code"), "remove the entry"));
    }
    found
}

/// Path → line of its entry; and what is wrong with the list itself.
fn listed(tree: &Tree) -> (BTreeMap<String, usize>, Vec<Finding>) {
    let text = tree.file(LIST).map(|file| file.text()).unwrap_or_default();
    let table: toml::Table = match text.parse() {
        Ok(table) => table,
        Err(error) => {
            return (BTreeMap::new(), vec![finding(LIST, 1, error.to_string(), "repair it")]);
        }
    };
    let mut paths = BTreeMap::new();
    let mut found = Vec::new();
    let modules = table.get("module").and_then(toml::Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for module in modules {
        let field = |name| module.get(name).and_then(toml::Value::as_str).unwrap_or_default();
        let path = field("path");
        let line = text.lines().position(|line| line.contains(path)).map_or(1, |line| line + 1);
        if path.is_empty() || field("reason").is_empty() {
            found.push(finding(LIST, line, "an entry without path or reason", "give both"));
        }
        paths.insert(path.to_owned(), line);
    }
    (paths, found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: &str = "[[module]]\npath = \"crates/ark/src/c.rs\"\nreason = \"C\"\n";

    fn whats(files: &[(&str, &str)]) -> Vec<String> {
        check(&Tree::of(files)).into_iter().map(|found| found.what).collect()
    }

    #[test]
    fn unsafe_code_must_be_listed() {
        let text = "// unsafe in words\n#[expect(unsafe_code, reason = \"x\")]\nunsafe { a() }";
        assert_eq!(whats(&[("crates/ark/src/c.rs", text)]), ["`unsafe`"]);
    }

    #[test]
    fn a_listed_module_gives_a_reason_at_each_use() {
        let text = "// SAFETY: a has no preconditions\nunsafe { a() }";
        assert_eq!(whats(&[(LIST, ENTRY), ("crates/ark/src/c.rs", text)]), [""; 0]);
        let found = whats(&[(LIST, ENTRY), ("crates/ark/src/c.rs", "unsafe { a() }")]);
        assert_eq!(found, ["`unsafe` without a reason"]);
    }

    #[test]
    fn a_stale_or_broken_entry_is_found() {
        assert_eq!(whats(&[(LIST, ENTRY)]), ["crates/ark/src/c.rs has no unsafe code"]);
        let entry = "[[module]]\npath = \"a.rs\"\n";
        assert_eq!(whats(&[(LIST, entry), ("a.rs", "// SAFETY: x\nunsafe {}")]), ["an entry without path or reason"]);
        assert_eq!(whats(&[(LIST, "[[module")]).len(), 1);
    }
}
