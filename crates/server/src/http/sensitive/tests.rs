//! Which values of a body are opened, who reads them, and which are refused in clear.

use serde::Deserialize;

use super::super::extract::from_json;
use super::*;

fn found(body: &str) -> Vec<(String, String)> {
    marked(body.as_bytes()).unwrap().into_iter().map(|value| (value.field, value.letters)).collect()
}

#[test]
fn values_are_found_where_a_text_begins_with_the_mark() {
    let body = r#"{"name" : "encrypted:AA==","of":{"number":"encrypted:B\/B"},"list":["encrypted:CC"],"note":"say \"encrypted:no"}"#;
    let expected = [("name", "AA=="), ("number", "B/B"), ("body", "CC")];
    assert_eq!(found(body), expected.map(|(field, letters)| (field.to_owned(), letters.to_owned())));
    assert_eq!(found(r#"{"note":"encrypted "}"#), []);
    assert_eq!(found(""), []);
    for broken in [r#"{"name":"encrypted:AA"#.to_owned(), format!(r#"{{"name":"encrypted:{}"}}"#, "A".repeat(1_025))] {
        let error = marked(broken.as_bytes()).err().unwrap();
        assert_eq!(error.code(), "ciphertext_invalid");
    }
}

#[test]
fn a_serial_number_names_one_key() {
    assert_eq!(key_of("PLATFORM-ENC-SM2-3").unwrap(), (ENCRYPTION_KEY, 3));
    assert_eq!(key_of("PLATFORM-ENC-RSA-1").unwrap(), (RSA_ENCRYPTION_KEY, 1));
    for wrong in ["", "PLATFORM-SM2-1", "PLATFORM-ENC-SM2-", "PLATFORM-ENC-SM2-x", "PLATFORM-ENC-SM2--1", "1"] {
        assert_eq!(key_of(wrong).unwrap_err().code(), "encryption_serial_unknown", "{wrong}");
    }
}

#[derive(Debug, Deserialize)]
struct Fields {
    title: String,
    name: Personal,
    password: Option<Encrypted>,
}

fn opened(required: bool) -> Opened {
    let values = Arc::new(BTreeMap::from([("AA==".to_owned(), Secret::from("张三"))]));
    Opened { values, required }
}

#[test]
fn only_fields_of_personal_texts_see_what_was_opened() {
    let body = br#"{"title":"encrypted:AA==","name":"encrypted:AA==","password":"encrypted:AA=="}"#;
    let fields: Fields = opened(false).read(|| from_json(body)).unwrap();
    assert_eq!(fields.title, "encrypted:AA==", "it would show another's ciphertext in clear");
    assert_eq!(fields.name.checked("name").unwrap().expose(), "张三");
    assert_eq!(fields.password.unwrap().checked("password").unwrap().expose(), "张三");
    // Nothing of it is there for the next body.
    let error = from_json::<Fields>(body).unwrap_err();
    assert_eq!(error.code(), "encryption_serial_missing");
}

#[test]
fn clear_text_is_refused_where_encryption_is_required() {
    let password = br#"{"title":"t","name":"n","password":"123456"}"#;
    let error = from_json::<Fields>(password).unwrap_err();
    assert_eq!(error.code(), "encryption_required");
    let text = format!("{error:?}");
    assert!(text.contains(r#"Some("password")"#) && !text.contains("123456"), "{text}");
    let name = br#"{"title":"t","name":"n"}"#;
    assert!(from_json::<Fields>(name).is_ok());
    assert!(opened(false).read(|| from_json::<Fields>(name)).is_ok());
    assert_eq!(opened(true).read(|| from_json::<Fields>(name)).unwrap_err().code(), "encryption_required");
}
