//! Every crate and every module of it begins by saying what it is for.

use std::collections::BTreeSet;

use super::tree::Tree;
use super::{Finding, finding};

/// Fewer words than this only repeat the module's name.
const WORDS: usize = 4;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut crates = BTreeSet::new();
    for (file, _) in tree.rust() {
        let folders: Vec<&str> = file.path.split('/').collect();
        let (["crates", name, "src", ..] | [name @ "xtask", "src", ..]) = folders.as_slice() else {
            continue;
        };
        crates.insert(*name);
        let header: Vec<&str> = file.text().lines().map_while(|line| line.strip_prefix("//!")).collect();
        if header.is_empty() {
            let remedy = "begin the file with `//!`: what it is for, its states, its invariants";
            found.push(finding(&file.path, 1, "no header", remedy));
        } else if header.iter().flat_map(|line| line.split_whitespace()).count() < WORDS {
            let remedy = "say in a sentence what the module is for";
            found.push(finding(&file.path, 1, "a header that says nothing", remedy));
        }
    }
    for name in crates.into_iter().filter(|name| *name != "xtask") {
        let folder = format!("crates/{name}/src");
        if !["lib.rs", "main.rs"].iter().any(|root| tree.file(&format!("{folder}/{root}")).is_some()) {
            found.push(finding(&folder, 1, "neither lib.rs nor main.rs", "add the root with its header"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_without_a_header_is_found() {
        let tree = Tree::of(&[
            ("crates/ark/src/lib.rs", "//! Guards keys and sealed fields.\n"),
            ("crates/ark/src/vault.rs", "use std::fs;\n//! too late\n"),
            ("crates/ark/src/key.rs", "//! key\n"),
            ("crates/ark/tests/it/main.rs", "mod a;\n"),
        ]);
        let found: Vec<String> = check(&tree).iter().map(|f| format!("{} {}", f.path, f.what)).collect();
        assert_eq!(found, ["crates/ark/src/key.rs a header that says nothing", "crates/ark/src/vault.rs no header"]);
    }

    #[test]
    fn a_crate_has_a_root() {
        let tree = Tree::of(&[("crates/ark/src/a.rs", "//! A module that is not the root.\n")]);
        assert_eq!(check(&tree)[0].what, "neither lib.rs nor main.rs");
    }
}
