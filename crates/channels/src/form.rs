//! Forms as Chinese acquirers sign them: what is signed of one, and its two shapes on the wire.
//!
//! ```text
//! signed        every field but `signature`, sorted by name, as name=value joined by &, nothing escaped
//! we send       the fields with every byte escaped that is no letter, digit, `-`, `.`, `_` or `~`
//! notification  the same, where `+` may stand for a space
//! answer        not escaped at all; a value that begins with `{` ends at the `}` before an `&`, or at the end
//! ```

use std::collections::BTreeMap;
use std::fmt::Write as _;

use zeroize::Zeroizing;

/// The name of the field that is not signed.
const SIGNATURE: &str = "signature";

/// Fields by name.
#[derive(Default)]
pub(crate) struct Form(BTreeMap<String, String>);

impl Form {
    pub(crate) fn new<const N: usize>(fields: [(&'static str, &str); N]) -> Self {
        let fields = fields.into_iter().filter(|(_, value)| !value.is_empty());
        Self(fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.0.insert(name.to_owned(), value.into());
    }

    /// The value of a field that is there and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub(crate) fn into_fields(self) -> Vec<(String, String)> {
        self.0.into_iter().collect()
    }

    /// The text that is signed.
    pub(crate) fn signed_text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(1024));
        for (name, value) in self.0.iter().filter(|(name, _)| *name != SIGNATURE) {
            let between = if text.is_empty() { "" } else { "&" };
            write!(text, "{between}{name}={value}").expect("a string takes what is written");
        }
        text
    }

    /// The body of a request.
    pub(crate) fn body(&self) -> Zeroizing<Vec<u8>> {
        let mut body = Zeroizing::new(Vec::with_capacity(2048));
        for (name, value) in &self.0 {
            if !body.is_empty() {
                body.push(b'&');
            }
            body.extend_from_slice(name.as_bytes());
            body.push(b'=');
            value.bytes().for_each(|byte| escape(&mut body, byte));
        }
        body
    }

    /// Reads an answer; `None` if it is not one, or has a field twice.
    pub(crate) fn of_answer(bytes: &[u8]) -> Option<Self> {
        let mut rest = str::from_utf8(bytes).ok()?.trim_end_matches(['\r', '\n']);
        let mut form = Self::default();
        while !rest.is_empty() {
            let (name, value) = rest.split_once('=')?;
            let end =
                if value.starts_with('{') { value.find("}&").map(|at| at.saturating_add(1)) } else { value.find('&') };
            let (value, after) = value.split_at(end.unwrap_or(value.len()));
            form.add(name, value.to_owned())?;
            rest = after.strip_prefix('&').unwrap_or(after);
        }
        Some(form)
    }

    /// Reads a notification; `None` if it is not one, or has a field twice.
    pub(crate) fn of_notification(bytes: &[u8]) -> Option<Self> {
        let mut form = Self::default();
        for pair in str::from_utf8(bytes).ok()?.split('&') {
            let (name, value) = pair.split_once('=')?;
            form.add(&unescape(name)?, unescape(value)?)?;
        }
        Some(form)
    }

    fn add(&mut self, name: &str, value: String) -> Option<()> {
        let named = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        let fresh = named && self.0.insert(name.to_owned(), value).is_none();
        fresh.then_some(())
    }
}

fn escape(body: &mut Vec<u8>, byte: u8) {
    if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
        body.push(byte);
    } else {
        body.extend_from_slice(format!("%{byte:02X}").as_bytes());
    }
}

fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let value = digit(rest.next()?)?.checked_mul(16)?.checked_add(digit(rest.next()?)?)?;
                u8::try_from(value).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_read_back_as_it_was() {
        let form = Form::new([("b", "1 & 2=3"), ("a", "+/=%\u{4e2d}"), ("none", ""), ("signature", "s")]);
        let body = form.body();
        assert_eq!(&body[..], b"a=%2B%2F%3D%25%E4%B8%AD&b=1%20%26%202%3D3&signature=s");
        let read = Form::of_notification(&body).unwrap();
        assert_eq!((read.get("a"), read.get("b"), read.get("none")), (Some("+/=%\u{4e2d}"), Some("1 & 2=3"), None));
        assert_eq!(&**read.signed_text(), "a=+/=%\u{4e2d}&b=1 & 2=3");
    }

    #[test]
    fn an_answer_is_not_escaped_and_braces_hold_ampersands() {
        let read = Form::of_answer(b"z=%2B&t={token=1&trId=2}&cert=--\nAB==\n--&signature=a+b==\n").unwrap();
        assert_eq!((read.get("z"), read.get("t")), (Some("%2B"), Some("{token=1&trId=2}")));
        assert_eq!(&**read.signed_text(), "cert=--\nAB==\n--&t={token=1&trId=2}&z=%2B");
        assert_eq!(Form::of_answer(b"t={a&b").unwrap().get("t"), Some("{a&b"));
    }

    #[test]
    fn a_field_twice_or_no_field_is_no_form() {
        for wrong in ["a=1&a=1", "a", "=1", "<html>", "a=1&&b=2"] {
            assert!(Form::of_answer(wrong.as_bytes()).is_none(), "{wrong}");
            assert!(Form::of_notification(wrong.as_bytes()).is_none(), "{wrong}");
        }
        for wrong in ["", "a=%2", "a=%zz", "a=%ff"] {
            assert!(Form::of_notification(wrong.as_bytes()).is_none(), "{wrong}");
        }
        assert!(Form::of_answer(&[0xff]).is_none());
    }
}
