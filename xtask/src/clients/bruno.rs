//! The Bruno collection's calls: a folder a tag, a file an operation. What signs them is `collection.bru` with `sign.js`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{FOLDERS, Operation, text};

const REFERENCE: &str = "#/components/schemas/";
/// Examples within each other at most.
const DEPTH_MAX: usize = 16;

/// Every generated file.
pub(super) fn files(document: &Value, operations: &[Operation<'_>]) -> BTreeMap<String, String> {
    let file = |(at, operation): (usize, &Operation<'_>)| {
        let path = format!("{}{}/{}.bru", FOLDERS[1], operation.tag, operation.id);
        (path, call(document, operation, at.saturating_add(1)))
    };
    operations.iter().enumerate().map(file).collect()
}

fn call(document: &Value, operation: &Operation<'_>, number: usize) -> String {
    let method = operation.method.to_ascii_lowercase();
    let mut url = format!("{{{{base}}}}{}", operation.path);
    let mut parameters = String::new();
    for parameter in operation.parameters("path") {
        let name = text(parameter, "name");
        let value = shown(&example(document, parameter, 0), name);
        // A merchant's own id is the one that signs.
        let own = value.starts_with("mch_");
        url = url.replace(&format!("/{{{name}}}"), &format!("/{{{{{}}}}}", if own { "merchant" } else { name }));
        if !own {
            parameters.push_str(&format!("  {name}: {value}\n"));
        }
    }
    let needed =
        operation.parameters("query").into_iter().filter(|one| one.get("required") == Some(&Value::Bool(true)));
    for (at, parameter) in needed.enumerate() {
        let name = text(parameter, "name");
        url.push_str(&format!("{}{name}={{{{{name}}}}}", if at == 0 { '?' } else { '&' }));
        parameters.push_str(&format!("  {name}: {}\n", shown(&example(document, parameter, 0), name)));
    }
    let parameters =
        if parameters.is_empty() { parameters } else { format!("\nvars:pre-request {{\n{parameters}}}\n") };
    let key = if operation.needs_key() { "\nheaders {\n  Idempotency-Key: {{$guid}}\n}\n" } else { "" };
    let body = operation.body().map(|schema| {
        let shown = serde_json::to_string_pretty(&example(document, schema, 0)).unwrap_or_default();
        let lines: String = shown.lines().map(|line| format!("  {line}\n")).collect();
        format!("\nbody:json {{\n{lines}}}\n")
    });
    let (mode, body) = (if body.is_some() { "json" } else { "none" }, body.unwrap_or_default());
    format!(
        "meta {{\n  name: {}\n  type: http\n  seq: {number}\n}}\n\n{method} {{\n  url: {url}\n  body: {mode}\n  auth: none\n}}\n\
         {parameters}{key}{body}\ndocs {{\n  {}\n}}\n",
        operation.id, operation.summary
    )
}

/// A value as it stands in an address.
fn shown(value: &Value, name: &str) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => name.to_owned(),
    }
}

/// A value of a schema, from its examples.
fn example(document: &Value, schema: &Value, depth: usize) -> Value {
    if let Some(example) = schema.get("example") {
        return example.clone();
    }
    if depth > DEPTH_MAX {
        return Value::Null;
    }
    let deeper = |schema: &Value| example(document, schema, depth.saturating_add(1));
    if let Some(name) = schema.get("$ref").and_then(Value::as_str).and_then(|name| name.strip_prefix(REFERENCE)) {
        let named = document.pointer("/components/schemas").and_then(|all| all.get(name));
        return named.map_or(Value::Null, deeper);
    }
    for key in ["oneOf", "anyOf", "allOf"] {
        if let Some(first) = schema.get(key).and_then(|all| all.get(0)) {
            return deeper(first);
        }
    }
    if let Some(word) = schema.get("enum").and_then(|words| words.get(0)) {
        return word.clone();
    }
    let word = match schema.get("type") {
        Some(Value::Array(all)) => all.first().and_then(Value::as_str),
        other => other.and_then(Value::as_str),
    };
    match word {
        Some("object") => {
            let required: Vec<&str> = schema
                .get("required")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
            let needed = properties.filter(|(name, _)| required.contains(&name.as_str()));
            Value::Object(needed.map(|(name, schema)| (name.clone(), deeper(schema))).collect::<Map<_, _>>())
        }
        Some("array") => Value::Array(schema.get("items").map(deeper).into_iter().collect()),
        Some("integer" | "number") => Value::from(1),
        Some("boolean") => Value::Bool(false),
        Some("string") => Value::from("text"),
        Some(_) | None => Value::Null,
    }
}
