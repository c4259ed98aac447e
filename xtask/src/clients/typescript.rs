//! The TypeScript client's types and calls: a file a tag. A type stands in the file of the first tag that uses it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::Value;

use super::{DOCUMENT, FOLDERS, Operation, text};

const REFERENCE: &str = "#/components/schemas/";

/// Every generated file.
pub(super) fn files(document: &Value, operations: &[Operation<'_>]) -> BTreeMap<String, String> {
    let schemas = document.pointer("/components/schemas").cloned().unwrap_or_default();
    let mut tags: Vec<&str> = operations.iter().map(|operation| operation.tag).collect();
    tags.dedup();
    let mut home: BTreeMap<String, &str> = BTreeMap::new();
    for operation in operations {
        let mut reached = BTreeSet::new();
        for schema in operation.body().into_iter().chain(operation.answer()) {
            reach(&schemas, schema, &mut reached);
        }
        for name in reached {
            home.entry(name).or_insert(operation.tag);
        }
    }
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for tag in &tags {
        files.insert(format!("{}{tag}.ts", FOLDERS[0]), file(tag, &schemas, &home, operations));
    }
    let exports: String = tags.iter().map(|tag| format!("export * from \"./{tag}.js\";\n")).collect();
    files.insert(format!("{}index.ts", FOLDERS[0]), format!("{}{exports}", header()));
    files
}

fn header() -> String {
    format!("// Generated from {DOCUMENT} by `cargo xtask clients`: do not edit.\n\n")
}

/// Adds the names of all schemas that this one needs.
fn reach(schemas: &Value, schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(fields) => {
            if let Some(name) = fields.get("$ref").and_then(Value::as_str).and_then(|name| name.strip_prefix(REFERENCE))
                && found.insert(name.to_owned())
                && let Some(named) = schemas.get(name)
            {
                reach(schemas, named, found);
            }
            fields.values().for_each(|value| reach(schemas, value, found));
        }
        Value::Array(all) => all.iter().for_each(|value| reach(schemas, value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn file(tag: &str, schemas: &Value, home: &BTreeMap<String, &str>, operations: &[Operation<'_>]) -> String {
    let mut body = String::new();
    let mut used = BTreeSet::new();
    for (name, _) in home.iter().filter(|(_, at)| **at == tag) {
        let schema = schemas.get(name).unwrap_or(&Value::Null);
        direct(schema, &mut used);
        declare(&mut body, name, schema);
    }
    for operation in operations.iter().filter(|operation| operation.tag == tag) {
        operation.body().into_iter().chain(operation.answer()).for_each(|schema| direct(schema, &mut used));
        call(&mut body, operation);
    }
    let mut imports: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for name in &used {
        if let Some(at) = home.get(name).filter(|at| **at != tag) {
            imports.entry(at).or_default().push(name);
        }
    }
    let imports: String = imports
        .iter()
        .map(|(at, names)| format!("import type {{ {} }} from \"./{at}.js\";\n", names.join(", ")))
        .collect();
    let options: Vec<&str> =
        ["Changing", "Reading"].into_iter().filter(|name| body.contains(&format!("options: {name}"))).collect();
    let options = options.iter().map(|name| format!(", {name}")).collect::<String>();
    format!("{}import type {{ Api{options} }} from \"../runtime.js\";\n{imports}\n{body}", header())
}

/// The names that a schema itself writes down.
fn direct(schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(fields) => {
            if let Some(name) = fields.get("$ref").and_then(Value::as_str).and_then(|name| name.strip_prefix(REFERENCE))
            {
                found.insert(name.to_owned());
            }
            fields.values().for_each(|value| direct(value, found));
        }
        Value::Array(all) => all.iter().for_each(|value| direct(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn comment(out: &mut String, indent: &str, words: &str) {
    let words = words.replace("*/", "* /").split_whitespace().collect::<Vec<_>>().join(" ");
    if !words.is_empty() {
        writeln!(out, "{indent}/** {words} */").expect("a String takes every text");
    }
}

fn declare(out: &mut String, name: &str, schema: &Value) {
    comment(out, "", text(schema, "description"));
    let properties = schema.get("properties").and_then(Value::as_object);
    match properties.filter(|_| schema.get("allOf").is_none() && schema.get("oneOf").is_none()) {
        Some(_) => writeln!(out, "export interface {name} {}\n", object(schema, "")),
        None => writeln!(out, "export type {name} = {};\n", kind(schema)),
    }
    .expect("a String takes every text");
}

fn object(schema: &Value, indent: &str) -> String {
    let required: Vec<&str> =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let mut text_of = String::from("{\n");
    let inner = format!("{indent}  ");
    for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        comment(&mut text_of, &inner, text(property, "description"));
        let mark = if required.contains(&name.as_str()) { "" } else { "?" };
        let quoted = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let name = if quoted { name.clone() } else { format!("\"{name}\"") };
        writeln!(text_of, "{inner}{name}{mark}: {};", kind(property)).expect("a String takes every text");
    }
    format!("{text_of}{indent}}}")
}

/// The type of a schema.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
        return name.trim_start_matches(REFERENCE).to_owned();
    }
    let joined = |key: &str, with: &str| {
        let all = schema.get(key)?.as_array()?;
        Some(all.iter().map(|one| format!("({})", kind(one))).collect::<Vec<_>>().join(with))
    };
    if let Some(union) = joined("oneOf", " | ").or_else(|| joined("anyOf", " | ")) {
        return union;
    }
    if let Some(both) = joined("allOf", " & ") {
        let more = schema.get("properties").map(|_| format!(" & {}", object(schema, "")));
        return format!("{both}{}", more.unwrap_or_default());
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        return words.iter().map(Value::to_string).collect::<Vec<_>>().join(" | ");
    }
    match schema.get("type") {
        Some(Value::Array(all)) => {
            let each = all.iter().filter_map(Value::as_str).map(|word| plain(word, schema));
            each.collect::<Vec<_>>().join(" | ")
        }
        Some(Value::String(word)) => plain(word, schema),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => String::from("unknown"),
    }
}

fn plain(word: &str, schema: &Value) -> String {
    match word {
        "string" => String::from("string"),
        "integer" | "number" => String::from("number"),
        "boolean" => String::from("boolean"),
        "null" => String::from("null"),
        "array" => format!("Array<{}>", schema.get("items").map_or_else(|| String::from("unknown"), kind)),
        _ => match schema.get("additionalProperties").filter(|more| more.is_object()) {
            Some(more) => format!("Record<string, {}>", kind(more)),
            None if schema.get("properties").is_some() => object(schema, ""),
            None => String::from("Record<string, unknown>"),
        },
    }
}

/// `order_create` as `orderCreate`.
pub(super) fn name(id: &str) -> String {
    let mut words = id.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| {
        let (head, tail) = word.split_at_checked(1).unwrap_or((word, ""));
        format!("{name}{}{tail}", head.to_ascii_uppercase())
    })
}

fn call(out: &mut String, operation: &Operation<'_>) {
    let mut arguments = vec![String::from("api: Api")];
    let mut target = operation.path.to_owned();
    for parameter in operation.parameters("path") {
        let name = text(parameter, "name");
        arguments.push(format!("{name}: string"));
        target = target.replace(&format!("{{{name}}}"), &format!("${{encodeURIComponent({name})}}"));
    }
    if let Some(body) = operation.body() {
        arguments.push(format!("body: {}", kind(body)));
    }
    let query: Vec<String> = operation
        .parameters("query")
        .iter()
        .map(|parameter| {
            let schema = parameter.get("schema").unwrap_or(&Value::Null);
            format!(
                "{}?: {}",
                text(parameter, "name"),
                if kind(schema).contains("number") { "number" } else { "string" }
            )
        })
        .collect();
    let options = if operation.needs_key() { "Changing" } else { "Reading" };
    let shape = if query.is_empty() { options.to_owned() } else { format!("{options} & {{ {} }}", query.join("; ")) };
    let default = if operation.needs_key() { "" } else { " = {}" };
    arguments.push(format!("options: {shape}{default}"));
    let answer = operation.answer().map_or_else(|| String::from("unknown"), kind);
    comment(out, "", &format!("{}. {} {}", operation.summary, operation.method, operation.path));
    let body = if operation.body().is_some() { "body" } else { "undefined" };
    let names: Vec<String> =
        operation.parameters("query").iter().map(|parameter| format!("\"{}\"", text(parameter, "name"))).collect();
    let (id, method, names) = (name(operation.id), operation.method, names.join(", "));
    let arguments = arguments.join(", ");
    writeln!(out, "export function {id}({arguments}): Promise<{answer}> {{").expect("a String takes every text");
    writeln!(out, "  return api.call(\"{method}\", `{target}`, [{names}], {body}, options);\n}}\n").expect("as above");
}
