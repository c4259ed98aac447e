//! A channel is something that one person reads in an hour: one file or one folder of at most 600 lines, its tests not counted. What is
//! outside of it is for any channel of its style.

use std::fs;
use std::path::{Path, PathBuf};

use channels::registry::CHANNELS;

const LINES_MAX: usize = 600;

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every file that a path leads to.
fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    fs::read_dir(path).unwrap().flat_map(|entry| files(&entry.unwrap().path())).collect()
}

/// The lines of a file before its tests, which end it.
fn lines_of(path: &Path) -> usize {
    let text = fs::read_to_string(path).unwrap();
    let (code, tests) = text.split_once("\n#[cfg(test)]\n").unwrap_or((text.as_str(), ""));
    let ends = tests.starts_with("mod tests {\n") && tests.find("\n}\n").is_some_and(|at| at + 3 == tests.len());
    assert!(tests.is_empty() || ends, "{} has something behind its tests", path.display());
    code.lines().count()
}

#[test]
fn a_channel_is_one_file_or_folder_of_at_most_600_lines() {
    for entry in CHANNELS {
        let (file, folder) = (sources().join(format!("{}.rs", entry.name)), sources().join(entry.name));
        assert!(file.is_file() != folder.is_dir(), "{} is one file or one folder", entry.name);
        let channel = if file.is_file() { file } else { folder };
        let lines: usize = files(&channel).iter().map(|path| lines_of(path)).sum();
        assert!(lines <= LINES_MAX, "{} has {lines} lines: at most {LINES_MAX}", entry.name);
    }
}

/// Neither by its name (`pingan_wire.rs` would be of `pingan_jzb`, but `sandbox_wire.rs` is of two), nor by what it uses.
#[test]
fn nothing_of_a_channel_lies_beside_it() {
    let word = |name: &str| name.split('_').next().unwrap_or_default().to_owned();
    for path in fs::read_dir(sources()).unwrap().map(|entry| entry.unwrap().path()) {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        if CHANNELS.iter().any(|entry| entry.name == stem) {
            continue;
        }
        let of_one = CHANNELS.iter().filter(|entry| word(entry.name) == word(stem)).count() == 1;
        assert!(!of_one, "{} belongs into the folder of the channel of its name", path.display());
        for file in files(&path) {
            let text = fs::read_to_string(&file).unwrap();
            let used = CHANNELS.iter().find(|entry| text.contains(&format!("{}::", entry.name)));
            assert!(used.is_none(), "{} uses {}", file.display(), used.unwrap().name);
        }
    }
}
