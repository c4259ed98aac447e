//! What most verbs do: ask for one object or a page of them, or have one made, and show it; and how parts of one stand on the command line.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::client::{Client, target};
use super::remote::Answer;
use super::seal::read;
use super::table::{Field, page, record};

/// One object.
///
/// # Errors
/// No answer, or the platform's refusal.
pub(super) fn one(client: &Client, fields: &[Field], path: &[&str]) -> Result<Answer> {
    Ok(shown(fields, client.get(&target(path, &[]))?))
}

/// A page of objects.
///
/// # Errors
/// As [`one`].
pub(super) fn many(client: &Client, fields: &[Field], target: &str) -> Result<Answer> {
    let objects = client.get(target)?;
    let text = page(fields, &objects, None);
    Ok(Answer::new(objects, text))
}

/// An object that is made or changed.
///
/// # Errors
/// As [`one`].
pub(super) fn made(client: &Client, fields: &[Field], path: &[&str], body: &Value) -> Result<Answer> {
    Ok(shown(fields, client.post(&target(path, &[]), body)?))
}

/// An object with what people see of it.
pub(super) fn shown(fields: &[Field], object: Value) -> Answer {
    let text = record(fields, &object);
    Answer::new(object, text)
}

/// `NAME:NUMBER` of the command line, such as an amount in fen: `mch_4:99000`.
///
/// # Errors
/// Anything else.
pub(super) fn pair(text: &str) -> Result<(&str, i64)> {
    let wrong = || format!("'{text}' is not NAME:NUMBER, such as mch_4:99000");
    let (name, number) = text.split_once(':').with_context(wrong)?;
    Ok((name, number.parse().with_context(wrong)?))
}

/// JSON of a file, or of standard input for `-`.
///
/// # Errors
/// If it does not read, or is no JSON. What stands in it is in no error.
pub(super) fn json_file(file: &Path) -> Result<Value> {
    let text = read(file)?;
    serde_json::from_str(text.expose()).ok().with_context(|| format!("{} is not JSON", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_a_name_and_a_number() {
        assert_eq!(pair("mch_4:99000").unwrap(), ("mch_4", 99_000));
        for wrong in ["", "mch_4", "mch_4:", "mch_4:1.5", "mch_4:1:2"] {
            let error = pair(wrong).unwrap_err();
            assert!(format!("{error:#}").contains("NAME:NUMBER"), "{error:#}");
        }
    }
}
