//! Every metric that the platform counts stands in docs/operations.md with what it means: nobody watches what nobody explains.

use super::tree::Tree;
use super::{Finding, finding};

const PAGE: &str = "docs/operations.md";
const SOURCES: &str = "crates/";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let page = tree.file(PAGE).map(|file| file.text().to_owned()).unwrap_or_default();
    let mut found = Vec::new();
    for file in tree.below(SOURCES).filter(|file| file.path.ends_with(".rs") && file.path.contains("/src/")) {
        for (line, number) in file.text().lines().zip(1..) {
            let Some(name) = counted(line) else { continue };
            if !page.contains(&format!("`{name}")) {
                let remedy = format!("say in {PAGE} what it means");
                found.push(finding(&file.path, number, format!("the metric {name} is explained nowhere"), remedy));
            }
        }
    }
    found
}

/// The metric that a line counts, if it does.
fn counted(line: &str) -> Option<&str> {
    let macros = ["counter!(\"", "gauge!(\"", "histogram!(\""];
    let behind = macros.iter().find_map(|start| line.split_once(start))?.1;
    behind.split_once('"').map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_that_the_page_does_not_name_is_found() {
        let source = ("crates/server/src/a.rs", "metrics::counter!(\"lintel_a_total\").increment(1);\nlet b = 1;");
        let whats = |page| {
            let found = check(&Tree::of(&[source, (PAGE, page)]));
            found.into_iter().map(|found| (found.line, found.what)).collect::<Vec<_>>()
        };
        assert_eq!(whats("nothing"), [(1, "the metric lintel_a_total is explained nowhere".to_owned())]);
        assert_eq!(whats("| `lintel_a_total` | how many |"), []);
        assert_eq!(whats("| `lintel_a_total{kind}` | how many |"), []);
    }
}
