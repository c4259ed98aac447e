//! The text at one key of an answer. All else is read over, and none of it kept: a load looks at one word of a thousand bytes.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

/// The text at a key of a JSON object; none if there is no such key, or something else at it.
///
/// # Errors
/// If it is no JSON object.
pub(super) fn text_at(key: &str, body: &[u8]) -> serde_json::Result<Option<String>> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let found = deserializer.deserialize_map(Object(key))?;
    deserializer.end().map(|()| found)
}

/// An object with a text at this key.
struct Object<'k>(&'k str);

impl<'de> Visitor<'de> for Object<'_> {
    type Value = Option<String>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<String>, A::Error> {
        let mut found = None;
        while let Some(is_it) = map.next_key_seed(Is(self.0))? {
            if is_it {
                found = map.next_value::<serde_json::Value>()?.as_str().map(str::to_owned);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

/// Whether a key is this one.
struct Is<'k>(&'k str);

impl<'de> DeserializeSeed<'de> for Is<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Is<'_> {
    type Value = bool;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<bool, E> {
        Ok(key == self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_at_a_key_of_the_object_itself_is_found() {
        let body = br#"{"items":[{"status":"within"}],"n":7,"status":"succ\u0065ss","last":null}"#;
        assert_eq!(text_at("status", body).unwrap().as_deref(), Some("success"));
        for (key, why) in [("n", "a number"), ("last", "nothing"), ("items", "a list"), ("other", "no such key")] {
            assert_eq!(text_at(key, body).unwrap(), None, "{why}");
        }
        for wrong in ["", "[]", "{\"status\":\"a\"", "{} {}"] {
            assert!(text_at("status", wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
