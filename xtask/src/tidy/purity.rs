//! `domain` is pure: no standard library (so no clock, file, socket, environment or randomness), no map
//! whose order depends on a hash outside the one module that hides it, and no float near money.

use super::scan::{lines_with, positions};
use super::tree::Tree;
use super::{Finding, finding};

const ROOT: &str = "crates/domain/src/lib.rs";
const FOLDER: &str = "crates/domain/src/";

/// The one module that may hold a hash map: it lets nobody iterate.
const MAP: &str = "crates/domain/src/map.rs";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (file, rust) in tree.rust().filter(|(file, _)| file.path.starts_with(FOLDER)) {
        if file.path == ROOT && !rust.code.contains("#![no_std]") {
            found.push(finding(ROOT, 1, "no `#![no_std]`", "add it: `domain` is pure, on `core` and `alloc`"));
        }
        let mut refuse = |word: &str, remedy: &str| {
            let lines = lines_with(&rust.code, word);
            found.extend(lines.map(|line| finding(&file.path, line, format!("`{word}` in domain"), remedy)));
        };
        for word in ["std::", "extern crate std"] {
            refuse(word, "use `core` or `alloc`; what needs the outside belongs to another crate");
        }
        if file.path != MAP {
            for word in ["HashMap", "HashSet", "hashbrown", "RandomState"] {
                refuse(word, "use a BTreeMap, a slab, or the map of map.rs, which cannot be iterated");
            }
        }
        found.extend(floats(&rust.code).map(|(line, float)| {
            let remedy = "use integers in minor units, checked";
            finding(&file.path, line, format!("`{float}` in domain"), remedy)
        }));
    }
    found
}

/// Float types, also as the end of a number (`1f64`).
fn floats(code: &str) -> impl Iterator<Item = (usize, &'static str)> + '_ {
    let on_line = |line: &str, float: &str| {
        let suffix = line.match_indices(float).any(|(at, _)| line[..at].ends_with(|c: char| c.is_ascii_digit()));
        suffix || positions(line, float).next().is_some()
    };
    let lines = code.lines().zip(1..);
    lines.flat_map(move |(line, number)| {
        ["f32", "f64"].into_iter().filter(move |float| on_line(line, float)).map(move |float| (number, float))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whats(path: &str, text: &str) -> Vec<String> {
        check(&Tree::of(&[(path, text)])).into_iter().map(|found| found.what).collect()
    }

    #[test]
    fn the_root_is_no_std() {
        assert_eq!(whats(ROOT, "//! x\n#![no_std]\nextern crate alloc;\n"), [""; 0]);
        assert_eq!(whats(ROOT, "//! `#![no_std]`\n"), ["no `#![no_std]`"]);
    }

    #[test]
    fn the_standard_library_and_hash_maps_are_refused() {
        assert_eq!(whats("crates/domain/src/a.rs", "use std::time::Instant;"), ["`std::` in domain"]);
        assert_eq!(whats("crates/domain/src/a.rs", "extern crate std;"), ["`extern crate std` in domain"]);
        assert_eq!(whats("crates/domain/src/a.rs", "x: HashMap<u8, u8>"), ["`HashMap` in domain"]);
        assert_eq!(whats("crates/domain/src/map.rs", "x: HashMap<u8, u8>"), [""; 0]);
        assert_eq!(whats("crates/store/src/a.rs", "use std::collections::HashMap; 1f64"), [""; 0]);
    }

    #[test]
    fn floats_are_refused_and_what_looks_like_one_is_not() {
        assert_eq!(whats("crates/domain/src/a.rs", "a as f64;\nlet b = 1f32;"), ["`f64` in domain", "`f32` in domain"]);
        assert_eq!(whats("crates/domain/src/a.rs", "buf64; // f64\n\"f32\""), [""; 0]);
    }
}
