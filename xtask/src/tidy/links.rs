//! Links of our documents to our own files lead somewhere. Links to the web are not followed.

use super::tree::{File, Tree};
use super::{Finding, finding};

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let documents = tree.files().iter().filter(|file| file.has_extension(&["md"]));
    documents.flat_map(|file| broken(tree, file)).collect()
}

fn broken(tree: &Tree, file: &File) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (line, number) in file.text().lines().zip(1..) {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        for target in targets(&without_code(line)) {
            let leads_somewhere = resolve(&file.path, target).is_some_and(|path| tree.has(&path));
            if !leads_somewhere {
                let what = format!("a link to `{target}`, which is not there");
                found.push(finding(&file.path, number, what, "correct the path, from the document's own folder"));
            }
        }
    }
    found
}

/// The line without what stands between backticks.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join(" ")
}

/// What a line links to in this repository: `[text](target)`, `[name]: target` and `src="target"`,
/// without the part behind `#`.
fn targets(line: &str) -> Vec<&str> {
    let inline = line.split("](").skip(1).map(|rest| rest.split([')', ' ']).next().unwrap_or_default());
    let named = line.strip_prefix('[').and_then(|rest| rest.split_once("]: ")).map(|(_, target)| target.trim());
    let html = line.split("src=\"").skip(1).map(|rest| rest.split('"').next().unwrap_or_default());
    let all = inline.chain(named).chain(html);
    let paths = all.map(|target| target.trim_matches(['<', '>']).split('#').next().unwrap_or_default());
    paths.filter(|path| !path.is_empty() && !path.contains("://") && !path.starts_with("mailto:")).collect()
}

/// The path from the root; nothing if the link leaves the repository.
fn resolve(document: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = document.split('/').collect();
    parts.pop();
    if target.starts_with('/') {
        parts.clear();
    }
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<usize> {
        let tree = Tree::of(&[("docs/a.md", text), ("docs/b.md", ""), ("README.md", "")]);
        check(&tree).iter().map(|found| found.line).collect()
    }

    #[test]
    fn links_that_lead_somewhere_pass() {
        let text = "[b](b.md#part) [up](../README.md) [here](#x) [folder](../docs/)\n[web](https://x.org/y)\n[n]: b.md\n<img src=\"/README.md\">";
        assert_eq!(lines(text), [0; 0]);
    }

    #[test]
    fn links_that_lead_nowhere_are_found() {
        assert_eq!(lines("[c](c.md)\n[out](../../README.md)\n[n]: c.md\n<img src=\"c.svg\">"), [1, 2, 3, 4]);
    }

    #[test]
    fn code_is_no_link() {
        assert_eq!(lines("`[c](c.md)`\n```\n[c](c.md)\n```\n[c](c.md)"), [5]);
    }
}
