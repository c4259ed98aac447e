//! The files of the repository in memory, as the rules see them.

use std::fs;
use std::path::Path;

use anyhow::Context as _;

use super::scan::Masked;

/// One file.
#[derive(Debug)]
pub(super) struct File {
    /// Relative to the root, with `/`.
    pub(super) path: String,
    pub(super) bytes: Vec<u8>,
    /// For Rust only: code and comments apart.
    pub(super) rust: Option<Masked>,
}

impl File {
    fn new(path: String, bytes: Vec<u8>) -> Self {
        let text = str::from_utf8(&bytes).ok();
        let rust = text.filter(|_| path.ends_with(".rs")).map(Masked::new);
        Self { path, bytes, rust }
    }

    /// The text; empty for what is not text.
    pub(super) fn text(&self) -> &str {
        str::from_utf8(&self.bytes).unwrap_or_default()
    }

    pub(super) fn has_extension(&self, extensions: &[&str]) -> bool {
        self.path.rsplit_once('.').is_some_and(|(_, extension)| extensions.contains(&extension))
    }
}

/// All files, sorted by path.
#[derive(Debug)]
pub(super) struct Tree {
    files: Vec<File>,
}

impl Tree {
    /// Reads everything below `root` but hidden folders and what the root's `.gitignore` names as `/entry`.
    /// Git itself is not asked: the rules also hold in an unpacked archive.
    pub(super) fn read(root: &Path) -> anyhow::Result<Self> {
        let ignored = fs::read_to_string(root.join(".gitignore")).unwrap_or_default();
        let ignored: Vec<&str> =
            ignored.lines().filter_map(|line| line.strip_prefix('/')).map(|line| line.trim_end_matches('/')).collect();
        let mut files = Vec::new();
        read_folder(root, "", &ignored, &mut files)?;
        Ok(Self::sorted(files))
    }

    /// A small tree for a test.
    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        let file = |(path, text): &(&str, &str)| File::new((*path).to_owned(), text.as_bytes().to_vec());
        Self::sorted(files.iter().map(file).collect())
    }

    fn sorted(mut files: Vec<File>) -> Self {
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Self { files }
    }

    pub(super) fn files(&self) -> &[File] {
        &self.files
    }

    /// Rust files with their code and comments apart.
    pub(super) fn rust(&self) -> impl Iterator<Item = (&File, &Masked)> {
        self.files.iter().filter_map(|file| file.rust.as_ref().map(|rust| (file, rust)))
    }

    pub(super) fn file(&self, path: &str) -> Option<&File> {
        let found = self.files.binary_search_by(|file| file.path.as_str().cmp(path)).ok()?;
        self.files.get(found)
    }

    /// Whether a path is a file or a folder with files in it.
    pub(super) fn has(&self, path: &str) -> bool {
        let folder = format!("{}/", path.trim_end_matches('/'));
        path.is_empty() || self.file(path).is_some() || self.below(&folder).next().is_some()
    }

    /// The files whose path begins with `folder` (which ends with `/`).
    pub(super) fn below(&self, folder: &str) -> impl Iterator<Item = &File> {
        self.files.iter().filter(move |file| file.path.starts_with(folder))
    }
}

fn read_folder(folder: &Path, prefix: &str, ignored: &[&str], files: &mut Vec<File>) -> anyhow::Result<()> {
    let context = || format!("reading {}", folder.display());
    for entry in fs::read_dir(folder).with_context(context)? {
        let entry = entry.with_context(context)?;
        let name = entry.file_name();
        let path = format!("{prefix}{}", name.to_string_lossy());
        let kind = entry.file_type().with_context(context)?;
        // In a working tree beside the clone `.git` is a file.
        if ignored.contains(&path.as_str()) || path == ".git" || kind.is_dir() && is_foreign(&path) {
            continue;
        }
        if kind.is_dir() {
            read_folder(&entry.path(), &format!("{path}/"), ignored, files)?;
        } else if kind.is_file() {
            let bytes = fs::read(entry.path()).with_context(|| format!("reading {path}"))?;
            files.push(File::new(path, bytes));
        }
    }
    Ok(())
}

/// Folders that are not ours: git's, and what other tools put into the clone. `.ci` and `.cargo` are ours.
fn is_foreign(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let hidden = name.starts_with('.') && ![".ci", ".cargo", ".github"].contains(&name);
    hidden || name == "node_modules"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_folders_are_found() {
        let tree = Tree::of(&[("docs/adr/0001.md", "x"), ("README.md", "y")]);
        for path in ["README.md", "docs", "docs/", "docs/adr", "docs/adr/0001.md", ""] {
            assert!(tree.has(path), "{path}");
        }
        for path in ["doc", "docs/adr/0002.md", "README"] {
            assert!(!tree.has(path), "{path}");
        }
    }

    #[test]
    fn the_real_tree_is_read_without_what_is_built() {
        let tree = Tree::read(&crate::workspace::root()).unwrap();
        assert!(tree.has("xtask/src/tidy/tree.rs") && tree.has(".ci/run"));
        assert!(!tree.has("target") && !tree.has(".git"));
    }
}
