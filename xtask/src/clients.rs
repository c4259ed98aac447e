//! `cargo xtask clients`: writes what is generated of `docs/openapi.json` for merchants: the calls and types of the TypeScript client
//! and the Bruno collection. `tidy` refuses those that are stale.
//!
//! Only what merchants use is in them ([`MERCHANTS`]); whoever needs more adds a tag.

mod bruno;
#[cfg(test)]
mod node_tests;
mod typescript;

use std::collections::BTreeMap;
use std::fs;
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::Value;

use crate::workspace;

/// The document that everything is made of.
pub(crate) const DOCUMENT: &str = "docs/openapi.json";
/// The folders that hold nothing but what is generated.
pub(crate) const FOLDERS: [&str; 2] = ["clients/typescript/src/generated/", "clients/bruno/calls/"];
/// The tags of the operations that merchants use.
const MERCHANTS: [&str; 24] = [
    "account",
    "api_key",
    "cashier",
    "certificate",
    "customer",
    "fee_plan",
    "merchant",
    "order",
    "pay_password",
    "payment",
    "payout",
    "real_name_check",
    "receipt",
    "receiver",
    "refund",
    "refusal",
    "settlement",
    "sign_up",
    "split",
    "statement",
    "top_up",
    "transfer",
    "user",
    "webhook",
];

/// One operation of the document.
struct Operation<'d> {
    tag: &'d str,
    id: &'d str,
    method: &'static str,
    path: &'d str,
    summary: &'d str,
    value: &'d Value,
}

impl Operation<'_> {
    /// The names of parameters that stand at `place`: `path` or `query`.
    fn parameters(&self, place: &str) -> Vec<&Value> {
        let all = self.value.get("parameters").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        all.iter().filter(|one| one.get("in").and_then(Value::as_str) == Some(place)).collect()
    }

    fn needs_key(&self) -> bool {
        self.parameters("header").iter().any(|one| text(one, "name") == "Idempotency-Key")
    }

    /// The schema of the body, if there is one in JSON.
    fn body(&self) -> Option<&Value> {
        self.value.pointer("/requestBody/content/application~1json/schema")
    }

    /// The schema of the answer, if it is JSON.
    fn answer(&self) -> Option<&Value> {
        self.value.pointer("/responses/200/content/application~1json/schema")
    }
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The operations of merchants, by tag, then in the order of their paths.
fn operations(document: &Value) -> Vec<Operation<'_>> {
    let paths = document.get("paths").and_then(Value::as_object);
    let mut found = Vec::new();
    for (path, methods) in paths.into_iter().flatten() {
        for (word, method) in [("get", "GET"), ("post", "POST")] {
            let Some(value) = methods.get(word) else { continue };
            let tag = value.pointer("/tags/0").and_then(Value::as_str).unwrap_or_default();
            // What a payer asks with a token is no merchant's call.
            let signed = value.pointer("/security/0/LINTEL-CASHIER").is_none();
            if MERCHANTS.contains(&tag) && signed {
                let (id, summary) = (text(value, "operationId"), text(value, "summary"));
                found.push(Operation { tag, id, method, path, summary, value });
            }
        }
    }
    found.sort_by_key(|operation| operation.tag);
    found
}

/// Every generated file with its text.
pub(crate) fn files(document: &Value) -> BTreeMap<String, String> {
    let operations = operations(document);
    let mut files = typescript::files(document, &operations);
    files.extend(bruno::files(document, &operations));
    files
}

/// `cargo xtask clients`.
pub(crate) fn run() -> anyhow::Result<ExitCode> {
    let root = workspace::root();
    let raw = fs::read(root.join(DOCUMENT)).with_context(|| format!("reading {DOCUMENT}"))?;
    let document = serde_json::from_slice(&raw).with_context(|| format!("{DOCUMENT} is no JSON"))?;
    for folder in FOLDERS {
        match fs::remove_dir_all(root.join(folder)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("removing {folder}"));
            }
            Ok(()) | Err(_) => {}
        }
    }
    let files = files(&document);
    for (path, text) in &files {
        let path = root.join(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        }
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    println!("clients: {} files from {DOCUMENT}", files.len());
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> Value {
        serde_json::from_slice(&fs::read(workspace::root().join(DOCUMENT)).unwrap()).unwrap()
    }

    #[test]
    fn every_tag_of_merchants_has_operations_and_each_is_in_both_clients() {
        let document = document();
        let operations = operations(&document);
        for tag in MERCHANTS {
            assert!(operations.iter().any(|operation| operation.tag == tag), "no operation has the tag {tag}");
        }
        let files = files(&document);
        for operation in &operations {
            let named = |folder: &str, what: &str| {
                files.iter().any(|(path, text)| path.starts_with(folder) && text.contains(what))
            };
            assert!(named(FOLDERS[0], &format!(" {}(", typescript::name(operation.id))), "{}", operation.id);
            assert!(named(FOLDERS[1], &format!("name: {}", operation.id)), "{}", operation.id);
        }
    }

    #[test]
    fn a_schema_becomes_a_type() {
        let document = serde_json::json!({
            "paths": { "/v1/orders/{id}": { "post": {
                "tags": ["order"], "operationId": "order_do", "summary": "Do",
                "parameters": [
                    { "name": "id", "in": "path" }, { "name": "wait", "in": "query", "schema": { "type": "integer" } },
                    { "name": "Idempotency-Key", "in": "header" },
                ],
                "requestBody": { "content": { "application/json": { "schema": { "$ref": "#/components/schemas/New" } } } },
                "responses": { "200": { "content": { "application/json": { "schema": { "type": "array", "items": { "type": "string" } } } } } },
            } } },
            "components": { "schemas": { "New": {
                "type": "object", "required": ["kind"],
                "properties": {
                    "kind": { "type": "string", "enum": ["a", "b"], "description": "Which." },
                    "note": { "type": ["string", "null"] }, "more": { "type": "object", "additionalProperties": { "type": "integer" } },
                },
            } } },
        });
        let files = files(&document);
        let order = &files["clients/typescript/src/generated/order.ts"];
        for part in [
            "export interface New {",
            "  /** Which. */\n  kind: \"a\" | \"b\";",
            "note?: string | null;",
            "more?: Record<string, number>;",
            "export function orderDo(api: Api, id: string, body: New, options: Changing & { wait?: number }): Promise<Array<string>>",
        ] {
            assert!(order.contains(part), "{part} is not in\n{order}");
        }
        let bruno = &files["clients/bruno/calls/order/order_do.bru"];
        assert!(bruno.contains("post {") && bruno.contains("{{base}}/v1/orders/{{id}}"), "{bruno}");
    }
}
