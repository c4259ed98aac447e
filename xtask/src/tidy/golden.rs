//! Golden journals are never edited: what was once written must replay for ever. Each
//! `fixtures/journals/vN` holds a `SHA256SUMS` (as the program sha256sum writes it) of all its files.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::tree::Tree;
use super::{Finding, finding};

const FOLDER: &str = "fixtures/journals/";
const SUMS: &str = "SHA256SUMS";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let versions: BTreeSet<&str> = tree
        .below(FOLDER)
        .filter_map(|file| file.path[FOLDER.len()..].split_once('/'))
        .map(|(version, _)| version)
        .collect();
    versions.into_iter().flat_map(|version| check_version(tree, &format!("{FOLDER}{version}/"))).collect()
}

fn check_version(tree: &Tree, folder: &str) -> Vec<Finding> {
    let sums_path = format!("{folder}{SUMS}");
    let Some(sums) = tree.file(&sums_path) else {
        let remedy = format!("write it once: cd {folder} && find . -type f ! -name {SUMS} | xargs sha256sum > {SUMS}");
        return vec![finding(&sums_path, 1, "no checksums beside golden files", remedy)];
    };
    let mut found = Vec::new();
    let mut expected = BTreeMap::new();
    for (line, number) in sums.text().lines().zip(1..) {
        match line.split_once([' ', '\t']) {
            Some((sum, name)) => {
                let name = name.trim_start_matches([' ', '*']).trim_start_matches("./");
                expected.insert(format!("{folder}{name}"), (sum, number));
            }
            None => found.push(finding(&sums_path, number, "not `sum  name`", "restore the line")),
        }
    }
    for file in tree.below(folder).filter(|file| file.path != sums_path) {
        match expected.remove(&file.path) {
            Some((sum, _)) if sum == sha256(&file.bytes) => {}
            Some(_) => {
                let remedy = "restore it: a golden file is never edited; a new level gets a new folder";
                found.push(finding(&file.path, 1, "a golden file was changed", remedy));
            }
            None => {
                let remedy = format!("add its line to {sums_path}");
                found.push(finding(&file.path, 1, "a golden file without a checksum", remedy));
            }
        }
    }
    for (path, (_, line)) in expected {
        found.push(finding(&sums_path, line, format!("{path} is gone"), "restore it"));
    }
    found
}

fn sha256(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(bytes) {
        write!(text, "{byte:02x}").expect("a String takes any text");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    // FIPS 180-4, the example with the message "abc".
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn whats(files: &[(&str, &str)]) -> Vec<String> {
        check(&Tree::of(files)).into_iter().map(|found| found.what).collect()
    }

    #[test]
    fn an_untouched_file_passes_and_a_changed_one_does_not() {
        let sums = format!("{ABC}  ./journal.db\n");
        let sums = ("fixtures/journals/v1/SHA256SUMS", sums.as_str());
        assert_eq!(whats(&[sums, ("fixtures/journals/v1/journal.db", "abc")]), [""; 0]);
        let found = whats(&[sums, ("fixtures/journals/v1/journal.db", "abd")]);
        assert_eq!(found, ["a golden file was changed"]);
    }

    #[test]
    fn files_and_checksums_match_one_to_one() {
        let sums = format!("{ABC} *a/b\nnonsense\n");
        let sums = ("fixtures/journals/v1/SHA256SUMS", sums.as_str());
        let found = whats(&[sums, ("fixtures/journals/v1/c", "abc")]);
        assert_eq!(found, ["not `sum  name`", "a golden file without a checksum", "fixtures/journals/v1/a/b is gone"]);
        assert_eq!(whats(&[("fixtures/journals/v2/c", "abc")]), ["no checksums beside golden files"]);
    }
}
