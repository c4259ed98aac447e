//! A message for people: what goes before it, then a line for each field, part and chip tag; in colour on a terminal.

use std::io::IsTerminal as _;

use serde_json::Value;

/// What a cell is, which says its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ink {
    Plain,
    Number,
    Faint,
    Hidden,
    Meaning,
}

impl Ink {
    /// The number of the colour in an escape sequence (ECMA-48).
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "0",
            Self::Number => "1",
            Self::Faint => "2",
            Self::Hidden => "33",
            Self::Meaning => "36",
        }
    }
}

/// Whether standard output is a terminal whose owner has not asked for none (`NO_COLOR`).
pub(super) fn wants_colour() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// The whole, from what [`super::shown::message`] made with its `frame`.
pub(super) fn message(shown: &Value, colour: bool) -> String {
    let mut out = frame(&shown["frame"]);
    let text = |name: &str| shown[name].as_str().unwrap_or_default();
    out.push_str(&format!("{} {}, profile {}\n\n", text("mti"), text("meaning"), text("profile")));
    let mut table = Table::new(["field", "name", "layout", "byte", "value"]);
    for field in list(&shown["fields"]) {
        table.field(field);
    }
    out.push_str(&table.written(colour));
    out
}

/// What a profile has, a line for each field.
pub(super) fn profile(shown: &Value, colour: bool) -> String {
    let mut table = Table::new(["field", "name", "layout", "class", ""]);
    for field in list(&shown["fields"]) {
        let cell = |name: &str| plain(&field[name]);
        let class = (cell("class"), if field["class"] == "C1" { Ink::Plain } else { Ink::Hidden });
        let padding = (cell("padding"), Ink::Faint);
        table.row([
            (cell("field"), Ink::Number),
            (cell("name"), Ink::Plain),
            (cell("layout"), Ink::Faint),
            class,
            padding,
        ]);
        for part in list(&field["parts"]) {
            let name = format!("  {}", plain(&part["name"]));
            let none = (String::new(), Ink::Plain);
            let size = (format!("{}", part["size"]), Ink::Faint);
            table.row([(plain(&part["part"]), Ink::Number), (name, Ink::Plain), size, none.clone(), none]);
        }
    }
    table.written(colour)
}

fn frame(frame: &Value) -> String {
    let Some(items) = frame.as_object() else { return String::new() };
    let shown = items.iter().filter(|(name, value)| *name != "kind" && !value.is_null());
    let width = shown.clone().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let lines = shown.map(|(name, value)| format!("  {:<width$}  {}\n", name.replace('_', " "), plain(value)));
    let kind = if frame["kind"] == "terminal" { "frame of a terminal" } else { "frame of the host link" };
    format!("{kind}\n{}\n", lines.collect::<String>())
}

/// Rows of five cells; the last one is as long as it is.
struct Table {
    rows: Vec<[(String, Ink); 5]>,
}

impl Table {
    fn new(heading: [&str; 5]) -> Self {
        Self { rows: vec![heading.map(|text| (text.to_owned(), Ink::Faint))] }
    }

    fn row(&mut self, row: [(String, Ink); 5]) {
        self.rows.push(row);
    }

    fn field(&mut self, field: &Value) {
        let cell = |name: &str| plain(&field[name]);
        let (number, name) = ((cell("field"), Ink::Number), (cell("name"), Ink::Plain));
        self.row([number, name, (cell("layout"), Ink::Faint), (cell("at"), Ink::Faint), value(field)]);
        for part in list(&field["parts"]) {
            let (number, name) = (plain(&part["part"]), format!("  {}", plain(&part["name"])));
            let none = (String::new(), Ink::Plain);
            self.row([(number, Ink::Number), (name, Ink::Plain), none.clone(), none, value(part)]);
        }
        self.tags(list(&field["tags"]), 1);
    }

    fn tags(&mut self, tags: &[Value], level: usize) {
        for tag in tags {
            let name = format!("{:indent$}{}", "", plain(&tag["name"]), indent = 2 * level);
            let number = (plain(&tag["tag"]), Ink::Number);
            let none = (String::new(), Ink::Plain);
            self.row([number, (name, Ink::Plain), none, (plain(&tag["at"]), Ink::Faint), value(tag)]);
            self.tags(list(&tag["tags"]), level + 1);
        }
    }

    fn written(&self, colour: bool) -> String {
        let width = |at: usize| self.rows.iter().map(|row| row[at].0.chars().count()).max().unwrap_or(0);
        let widths: [usize; 4] = std::array::from_fn(width);
        let mut out = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (at, (text, ink)) in row.iter().enumerate() {
                // Numbers of fields and bytes stand to the right.
                let wide = widths.get(at).copied().unwrap_or(0);
                let padded = if matches!(at, 0 | 3) { format!("{text:>wide$}") } else { format!("{text:<wide$}") };
                if colour && *ink != Ink::Plain {
                    line.push_str(&format!("\x1b[{}m{padded}\x1b[0m  ", ink.code()));
                } else {
                    line.push_str(&padded);
                    line.push_str("  ");
                }
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}

/// What a field, part or tag holds, or that it is hidden, and what it means.
fn value(object: &Value) -> (String, Ink) {
    if object["hidden"] == true {
        return (format!("hidden, {} long", object["length"]), Ink::Hidden);
    }
    let value = plain(&object["value"]);
    match object["meaning"].as_str() {
        Some(meaning) => (format!("{value}  {meaning}"), Ink::Meaning),
        None if object["masked"] == true => (value, Ink::Hidden),
        None => (value, Ink::Plain),
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}
