//! One feature, one word, one file a layer: every `domain` file with a `decide` has a file of that name in
//! `store` and in `server/http`, or a reason in `xtask/features.toml` why it has none.

use toml::{Table, Value};

use super::scan::positions;
use super::tree::Tree;
use super::{Finding, finding};

const EXCUSES: &str = "xtask/features.toml";
const DOMAIN: &str = "crates/domain/src/";

/// Name of the layer in the excuses, and where its files lie.
const LAYERS: [(&str, &str); 2] = [("store", "crates/store/src"), ("http", "crates/server/src/http")];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let text = tree.file(EXCUSES).map(|file| file.text()).unwrap_or_default();
    let excuses: Table = match text.parse() {
        Ok(excuses) => excuses,
        Err(error) => return vec![finding(EXCUSES, 1, error.to_string(), "repair it")],
    };
    let features = features(tree);
    let mut found = Vec::new();
    for (feature, path) in &features {
        let given = excuses.get(*feature).and_then(Value::as_table);
        for (layer, folder) in LAYERS {
            let exists = exists(tree, folder, feature);
            let excused = given.is_some_and(|given| given.contains_key(layer));
            if !exists && !excused {
                let remedy = format!("write {folder}/{feature}.rs, or give the reason in {EXCUSES}");
                found.push(finding(path, 1, format!("the feature is missing in {layer}"), remedy));
            } else if exists && excused {
                let what = format!("`{feature}` is excused in {layer}, but {folder}/{feature}.rs exists");
                found.push(finding(EXCUSES, line_of(text, feature), what, "remove the line"));
            }
        }
    }
    let known = |name: &String| features.iter().any(|(feature, _)| feature == name);
    for (name, given) in &excuses {
        let line = line_of(text, name);
        if !known(name) {
            let what = format!("`{name}` is no feature: no {DOMAIN}{name}.rs with a `decide`");
            found.push(finding(EXCUSES, line, what, "remove the entry"));
        }
        found.extend(malformed(name, given, line));
    }
    found
}

/// Every feature with the path of its `domain` file.
fn features(tree: &Tree) -> Vec<(&str, &str)> {
    let candidates = tree.rust().filter_map(|(file, rust)| {
        let path = file.path.strip_prefix(DOMAIN)?;
        let name = path.strip_suffix("/mod.rs").or_else(|| path.strip_suffix(".rs"))?;
        (!name.contains('/') && name != "lib").then_some((name, file, rust))
    });
    let features = candidates.filter(|(_, _, rust)| decides(&rust.code));
    features.map(|(name, file, _)| (name, file.path.as_str())).collect()
}

/// `pub fn decide`, `pub(crate) fn decide_…`: a private helper of that name makes no feature.
fn decides(code: &str) -> bool {
    let mut functions = positions(code, "fn").filter(|at| code[at + 2..].trim_start().starts_with("decide"));
    functions.any(|at| {
        let line = code[..at].lines().next_back().unwrap_or_default().trim_start();
        line.starts_with("pub ") || line.starts_with("pub(")
    })
}

fn exists(tree: &Tree, folder: &str, feature: &str) -> bool {
    [format!("{folder}/{feature}.rs"), format!("{folder}/{feature}/mod.rs")]
        .iter()
        .any(|path| tree.file(path).is_some())
}

/// An entry is a table of layer = "reason".
fn malformed(name: &str, given: &Value, line: usize) -> Vec<Finding> {
    let remedy = "write `[FEATURE]` and under it `store = \"reason\"` or `http = \"reason\"`";
    let Some(given) = given.as_table() else {
        return vec![finding(EXCUSES, line, format!("`{name}` is not a table"), remedy)];
    };
    let wrong = given.iter().filter(|(layer, reason)| {
        let known = LAYERS.iter().any(|(known, _)| known == layer);
        !known || reason.as_str().is_none_or(|reason| reason.trim().is_empty())
    });
    wrong.map(|(layer, _)| finding(EXCUSES, line, format!("`{layer}` of `{name}` is no reason"), remedy)).collect()
}

fn line_of(text: &str, feature: &str) -> usize {
    let header = format!("[{feature}]");
    text.lines().position(|line| line.trim() == header).map_or(1, |line| line + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUND: (&str, &str) = ("crates/domain/src/refund.rs", "pub(crate) fn decide(x: u8) {}");
    const STORE: (&str, &str) = ("crates/store/src/refund.rs", "");
    const HTTP: (&str, &str) = ("crates/server/src/http/refund.rs", "");

    fn whats(files: &[(&str, &str)]) -> Vec<String> {
        check(&Tree::of(files)).into_iter().map(|found| found.what).collect()
    }

    #[test]
    fn a_feature_is_in_every_layer() {
        assert_eq!(whats(&[REFUND, STORE, HTTP]), [""; 0]);
        assert_eq!(whats(&[REFUND, STORE]), ["the feature is missing in http"]);
        assert_eq!(whats(&[REFUND, ("crates/store/src/refund/mod.rs", ""), HTTP]), [""; 0]);
    }

    #[test]
    fn only_a_file_with_a_public_decide_is_a_feature() {
        assert_eq!(whats(&[("crates/domain/src/money.rs", "fn decide() {}\n// pub fn decide")]), [""; 0]);
        assert_eq!(whats(&[("crates/domain/src/lib.rs", "pub fn decide() {}")]), [""; 0]);
        assert_eq!(whats(&[("crates/domain/src/hold.rs", "    pub fn decide_place() {}")]).len(), 2);
    }

    #[test]
    fn a_reason_excuses_a_missing_file() {
        let excuses = (EXCUSES, "[refund]\nhttp = \"a timer, nobody calls it\"\n");
        assert_eq!(whats(&[REFUND, STORE, excuses]), [""; 0]);
    }

    #[test]
    fn an_excuse_for_what_exists_is_found() {
        let excuses = (EXCUSES, "\n[refund]\nhttp = \"later\"\n");
        let found = check(&Tree::of(&[REFUND, STORE, HTTP, excuses]));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].to_string().split(": ").next(), Some("xtask/features.toml:2"));
    }

    #[test]
    fn a_wrong_entry_is_found() {
        assert_eq!(whats(&[(EXCUSES, "[gone]\n")]).len(), 1);
        let wrong = (EXCUSES, "[refund]\nhttp = \" \"\nweb = \"x\"\n");
        assert_eq!(
            whats(&[REFUND, STORE, wrong]),
            ["`http` of `refund` is no reason", "`web` of `refund` is no reason"]
        );
        assert_eq!(whats(&[(EXCUSES, "[x")]).len(), 1);
    }
}
