//! What people read: tables with aligned columns, and records, one field a line. Amounts are decimals with their currency.

use domain::money::Currency;
use history::csv::decimal;
use serde_json::Value;

/// The currency of an object that names none: all of ours that do not are in yuan.
const YUAN: &str = "CNY";
/// Stands where there is nothing.
const NOTHING: &str = "-";

/// A field of the API's objects, and how it is shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    /// Its name; of a field within a field, both, with `/`.
    name: &'static str,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Money,
}

/// A text, a truth or a list.
pub(crate) const fn text(name: &'static str) -> Field {
    Field { name, kind: Kind::Text }
}

/// A number that is not money.
pub(crate) const fn number(name: &'static str) -> Field {
    Field { name, kind: Kind::Number }
}

/// Minor units of the object's currency.
pub(crate) const fn money(name: &'static str) -> Field {
    Field { name, kind: Kind::Money }
}

impl Field {
    fn heading(self) -> String {
        self.name.replace(['_', '/'], " ")
    }

    fn cell(self, row: &Value, currency: Option<&str>) -> Option<String> {
        let value = row.pointer(&format!("/{}", self.name)).filter(|value| !value.is_null())?;
        let own = row.get("currency").and_then(Value::as_str);
        let amount = if self.kind == Kind::Money { value.as_i64() } else { None };
        let Some(amount) = amount else { return Some(plain(value)) };
        let code = own.or(currency).unwrap_or(YUAN);
        Some(match Currency::parse(code) {
            Ok(currency) => format!("{} {code}", decimal(amount, currency)),
            Err(_) => format!("{amount} minor units of {code}"),
        })
    }
}

/// One amount of an object, in its own currency.
pub(crate) fn amount(object: &Value, name: &'static str) -> String {
    money(name).cell(object, None).unwrap_or_else(|| NOTHING.to_owned())
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => NOTHING.to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(list) if list.is_empty() => NOTHING.to_owned(),
        Value::Array(list) => list.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

/// Rows under their headings. `currency` is that of rows which do not name their own.
pub(crate) fn table(fields: &[Field], rows: &Value, currency: Option<&str>) -> String {
    let rows = rows.as_array().map_or(&[][..], Vec::as_slice);
    let mut lines = vec![fields.iter().map(|field| field.heading()).collect::<Vec<_>>()];
    for row in rows {
        let cell = |field: &Field| field.cell(row, currency).unwrap_or_else(|| NOTHING.to_owned());
        lines.push(fields.iter().map(cell).collect());
    }
    let width = |at: usize| lines.iter().map(|line| line[at].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..fields.len()).map(width).collect();
    let mut out = String::new();
    for line in &lines {
        let cells = line.iter().zip(fields).zip(&widths).map(|((cell, field), width)| match field.kind {
            Kind::Text => format!("{cell:<width$}"),
            Kind::Number | Kind::Money => format!("{cell:>width$}"),
        });
        out.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        out.push('\n');
    }
    if rows.is_empty() {
        out.push_str("(none)\n");
    }
    out
}

/// One object, a line for each field that it has.
pub(crate) fn record(fields: &[Field], object: &Value) -> String {
    let shown = fields.iter().filter_map(|field| Some((field.heading(), field.cell(object, None)?)));
    let shown: Vec<_> = shown.collect();
    let width = shown.iter().map(|(heading, _)| heading.chars().count()).max().unwrap_or(0);
    shown.iter().map(|(heading, cell)| format!("{heading:<width$}  {cell}\n")).collect()
}

/// A page of a list, and how to ask for the next one.
pub(crate) fn page(fields: &[Field], page: &Value, currency: Option<&str>) -> String {
    let mut out = table(fields, &page["data"], currency);
    if let Some(cursor) = page["next_cursor"].as_str() {
        out.push_str(&format!("more: --cursor {cursor}\n"));
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_are_aligned_and_amounts_are_decimals() {
        let rows = json!([
            {"id": "acc_1", "balance": 123_456, "currency": "CNY", "entries": 2, "open": true},
            {"id": "acc_42", "balance": -5, "currency": "JPY", "entries": 10, "open": null},
        ]);
        let fields = [text("id"), money("balance"), number("entries"), text("open")];
        assert_eq!(
            table(&fields, &rows, None),
            "id          balance  entries  open\n\
             acc_1   1234.56 CNY        2  yes\n\
             acc_42       -5 JPY       10  -\n"
        );
        assert!(table(&fields, &json!([]), None).ends_with("(none)\n"));
    }

    #[test]
    fn a_record_leaves_out_what_is_not_there() {
        let object = json!({"id": "pay_5", "failure": null, "bank_account": {"holder": "张*"}, "amount": 50});
        let fields = [text("id"), text("failure"), text("bank_account/holder"), money("amount")];
        assert_eq!(
            record(&fields, &object),
            "id                   pay_5\nbank account holder  张*\namount               0.50 CNY\n"
        );
    }

    #[test]
    fn a_sum_beyond_64_bits_is_shown_as_it_came() {
        let object: Value = serde_json::from_str(r#"{"closing": 18446744073709551615}"#).unwrap();
        assert_eq!(record(&[money("closing")], &object), "closing  18446744073709551615\n");
    }
}
