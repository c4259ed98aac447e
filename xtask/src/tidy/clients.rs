//! Generated clients are fresh: each file is what `docs/openapi.json` gives now, and there is no other.

use std::collections::BTreeMap;

use super::tree::Tree;
use super::{Finding, finding};
use crate::clients::{DOCUMENT, FOLDERS, files};

const REMEDY: &str = "run cargo xtask clients";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let Some(document) = tree.file(DOCUMENT).and_then(|file| serde_json::from_slice(&file.bytes).ok()) else {
        return Vec::new();
    };
    let mut fresh: BTreeMap<String, String> = files(&document);
    let mut found = Vec::new();
    for folder in FOLDERS {
        for file in tree.below(folder) {
            match fresh.remove(&file.path) {
                Some(text) if text.as_bytes() == file.bytes => {}
                Some(_) => found.push(finding(&file.path, 1, "it is stale", REMEDY)),
                None => found.push(finding(&file.path, 1, format!("{DOCUMENT} gives no such file"), REMEDY)),
            }
        }
    }
    found.extend(fresh.into_keys().map(|path| finding(&path, 1, "it is missing", REMEDY)));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stale_missing_or_too_much_is_found() {
        let document =
            r#"{"paths":{"/v1/orders":{"get":{"tags":["order"],"operationId":"order_list","summary":"List"}}}}"#;
        let fresh = files(&serde_json::from_str(document).unwrap());
        let mut all: Vec<(&str, &str)> = fresh.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        all.push((DOCUMENT, document));
        assert_eq!(check(&Tree::of(&all)), []);
        let gone = all.remove(0);
        assert_eq!(check(&Tree::of(&all)), [finding(gone.0, 1, "it is missing", REMEDY)]);
        all.push((gone.0, "edited"));
        assert_eq!(check(&Tree::of(&all)), [finding(gone.0, 1, "it is stale", REMEDY)]);
        all.pop();
        all.extend([gone, ("clients/bruno/calls/order/another.bru", "")]);
        assert_eq!(check(&Tree::of(&all)).len(), 1);
    }
}
