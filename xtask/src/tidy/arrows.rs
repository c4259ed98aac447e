//! The direction of dependencies: which crate may know which. The table is the architecture; an arrow that
//! is not in it fails, whatever its kind (a dev-dependency is an arrow too).

use std::path::Path;

use serde_json::Value;

use super::{Finding, finding};

/// Crate → the crates of ours it may depend on.
const ALLOWED: [(&str, &[&str]); 15] = [
    ("domain", &[]),
    ("journal", &[]),
    ("iso8583", &[]),
    ("ark", &[]),
    // For signatures only.
    ("client", &["ark"]),
    ("engine", &["domain", "journal"]),
    ("store", &["domain"]),
    ("history", &["domain", "store"]),
    ("channels", &["domain", "ark", "iso8583"]),
    // Not there yet: its place is kept, so that it comes as what `OPTIONAL` wants and knows neither journal nor node.
    ("warehouse", &["domain", "history", "store"]),
    ("node", &["domain", "journal", "engine", "store", "history", "channels", "ark"]),
    (
        "server",
        &[
            "node",
            "iso8583",
            "domain",
            "journal",
            "engine",
            "store",
            "history",
            "channels",
            "ark",
            "warehouse",
            "client",
        ],
    ),
    ("sandbox", &["ark", "iso8583", "client"]),
    (
        "sim",
        &["node", "sandbox", "domain", "journal", "engine", "store", "history", "channels", "ark", "iso8583", "client"],
    ),
    ("xtask", &[]),
];

/// The only crate that is optional for its one user: off by default, on in releases. It comes with its first code.
const OPTIONAL: (&str, &str) = ("server", "warehouse");

/// A feature of `domain` that is for the tests of one crate alone: a dev-dependency, so that no program has it.
const PLANTED: (&str, &str) = ("planted-faults", "sim");

pub(super) fn check(metadata: &Value) -> Vec<Finding> {
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let ours: Vec<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    packages.iter().flat_map(|package| check_package(package, &ours).into_iter().chain(planted(package))).collect()
}

/// Whoever asks for the faults that are planted for tests, but those tests.
fn planted(package: &Value) -> Vec<Finding> {
    let (feature, user) = PLANTED;
    let name = package["name"].as_str().unwrap_or_default();
    let has = |list: &Value| {
        let words = list.as_array().map(Vec::as_slice).unwrap_or_default().iter().filter_map(Value::as_str);
        words.into_iter().any(|word| word.ends_with(feature))
    };
    let dependencies = package["dependencies"].as_array().map(Vec::as_slice).unwrap_or_default();
    let of_tests = |dependency: &Value| name == user && dependency["kind"] == "dev";
    let asks = dependencies.iter().any(|dependency| has(&dependency["features"]) && !of_tests(dependency));
    let passes_on = package["features"].as_object().is_some_and(|features| features.values().any(has));
    let remedy = format!("remove it: only the tests of `{user}` have it, as a dev-dependency");
    let found = finding(&manifest(package).0, 1, format!("`{name}` asks for the feature `{feature}`"), remedy);
    if asks || passes_on { vec![found] } else { Vec::new() }
}

fn check_package(package: &Value, ours: &[&str]) -> Vec<Finding> {
    let name = package["name"].as_str().unwrap_or_default();
    let (manifest, folder) = manifest(package);
    let mut found = Vec::new();
    if folder != name {
        let remedy = "give the folder and the crate one name";
        found.push(finding(&manifest, 1, format!("the crate `{name}` lies in the folder `{folder}`"), remedy));
    }
    let Some((_, allowed)) = ALLOWED.iter().find(|(known, _)| *known == name) else {
        let remedy = "enter its arrows in xtask/src/tidy/arrows.rs and in ARCHITECTURE.md";
        found.push(finding(&manifest, 1, format!("the crate `{name}` has no place in the architecture"), remedy));
        return found;
    };
    let dependencies = package["dependencies"].as_array().map(Vec::as_slice).unwrap_or_default();
    for dependency in dependencies {
        let Some(to) = dependency["name"].as_str().filter(|to| ours.contains(to)) else {
            continue;
        };
        if !allowed.contains(&to) {
            let kind = dependency["kind"].as_str().map_or(String::new(), |kind| format!(" ({kind}-dependency)"));
            let may = if allowed.is_empty() { "nothing of ours".to_owned() } else { allowed.join(", ") };
            let remedy = format!("remove it: `{name}` may depend on {may}");
            found.push(finding(&manifest, 1, format!("the arrow {name} → {to}{kind}"), remedy));
        }
        if (name, to) == OPTIONAL && !is_optional(package, dependency, to) {
            let remedy = "make it `optional = true` behind a feature that is off by default";
            found.push(finding(&manifest, 1, format!("the arrow {name} → {to} is always on"), remedy));
        }
    }
    found
}

/// The manifest's path from the root, and the name of its folder.
fn manifest(package: &Value) -> (String, String) {
    let path = Path::new(package["manifest_path"].as_str().unwrap_or_default());
    let part = |path: Option<&Path>| {
        path.and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    };
    let folder = part(path.parent());
    let above = part(path.parent().and_then(Path::parent));
    let prefix = if above == "crates" { "crates/" } else { "" };
    (format!("{prefix}{folder}/Cargo.toml"), folder)
}

fn is_optional(package: &Value, dependency: &Value, to: &str) -> bool {
    let defaults = package["features"]["default"].as_array().map(Vec::as_slice).unwrap_or_default();
    let on = defaults.iter().any(|feature| feature == to || *feature == format!("dep:{to}"));
    dependency["optional"] == true && !on
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn package(name: &str, dependencies: &Value, features: &Value) -> Value {
        let manifest_path = format!("/clone/crates/{name}/Cargo.toml");
        json!({"name": name, "manifest_path": manifest_path, "dependencies": dependencies, "features": features})
    }

    fn whats(packages: &[Value]) -> Vec<String> {
        check(&json!({ "packages": packages })).into_iter().map(|found| found.what).collect()
    }

    #[test]
    fn arrows_of_the_table_pass_and_others_fail() {
        let domain = package("domain", &json!([{"name": "minicbor", "kind": null}]), &json!({}));
        let store = package("store", &json!([{"name": "domain", "kind": null}]), &json!({}));
        assert_eq!(whats(&[domain, store.clone()]), [""; 0]);
        let domain = package("domain", &json!([{"name": "store", "kind": null}]), &json!({}));
        assert_eq!(whats(&[domain, store]), ["the arrow domain → store"]);
    }

    #[test]
    fn a_dev_dependency_is_an_arrow() {
        let ark = package("ark", &json!([{"name": "domain", "kind": "dev"}]), &json!({}));
        let domain = package("domain", &json!([]), &json!({}));
        assert_eq!(whats(&[ark, domain]), ["the arrow ark → domain (dev-dependency)"]);
    }

    #[test]
    fn a_crate_has_a_place_and_its_folder_has_its_name() {
        let mut stray = package("stray", &json!([]), &json!({}));
        assert_eq!(whats(&[stray.clone()]), ["the crate `stray` has no place in the architecture"]);
        stray["name"] = json!("ark");
        assert_eq!(whats(&[stray]), ["the crate `ark` lies in the folder `stray`"]);
    }

    #[test]
    fn the_warehouse_is_optional_and_off() {
        let warehouse = package("warehouse", &json!([]), &json!({}));
        let server = |optional: bool, features: Value| {
            package("server", &json!([{"name": "warehouse", "kind": null, "optional": optional}]), &features)
        };
        let expected = ["the arrow server → warehouse is always on"];
        assert_eq!(whats(&[server(true, json!({"default": []})), warehouse.clone()]), [""; 0]);
        assert_eq!(whats(&[server(true, json!({"default": ["warehouse"]})), warehouse.clone()]), expected);
        assert_eq!(whats(&[server(false, json!({})), warehouse]), expected);
    }

    #[test]
    fn planted_faults_are_for_the_tests_of_the_simulator_alone() {
        let domain = package("domain", &json!([]), &json!({"planted-faults": []}));
        let asks = |name: &str, kind: &Value, features: &Value| {
            let dependency = json!([{"name": "domain", "kind": kind, "features": ["planted-faults"]}]);
            whats(&[domain.clone(), package(name, &dependency, features)])
        };
        assert_eq!(asks("sim", &json!("dev"), &json!({})), [""; 0]);
        assert_eq!(asks("sim", &json!(null), &json!({})), ["`sim` asks for the feature `planted-faults`"]);
        assert_eq!(asks("server", &json!("dev"), &json!({})), ["`server` asks for the feature `planted-faults`"]);
        let passes_on = package("server", &json!([]), &json!({"default": ["domain/planted-faults"]}));
        assert_eq!(whats(&[domain.clone(), passes_on]), ["`server` asks for the feature `planted-faults`"]);
    }

    #[test]
    fn the_table_itself_keeps_the_rules() {
        for (at, (name, allowed)) in ALLOWED.iter().enumerate() {
            for to in *allowed {
                assert!(!["server", "sim", "xtask"].contains(to), "{name} → {to}");
                assert!(*to != "sandbox" || *name == "sim", "only sim depends on sandbox, not {name}");
                assert!(*to != "warehouse" || *name == "server", "only server depends on warehouse, not {name}");
                let before = ALLOWED[..at].iter().any(|(earlier, _)| earlier == to);
                assert!(before, "{name} → {to} points forward: the table would allow a cycle");
            }
        }
    }
}
