//! Requests and responses as bytes, with nothing of the network in them.

use std::fmt;

use domain::calendar::Date;
use domain::money::{Currency, Minor};
use zeroize::Zeroizing;

use crate::channel::About;
use crate::error::ChannelError;
use crate::form::Form;
use crate::manifest::OperationKind;

/// A request to be sent exactly as it is.
#[derive(Clone)]
pub struct Request {
    /// In upper case.
    pub method: &'static str,
    /// Path and query, without a host.
    pub path: String,
    /// Name in lower case, and value.
    pub headers: Vec<(&'static str, String)>,
    pub(crate) body: Zeroizing<Vec<u8>>,
    pub(crate) asked: Asked,
}

impl Request {
    /// The body; it may hold personal fields in readable form, so it is only for the wire.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The same message in a field of a form, which a browser posts to this path.
    pub(crate) fn in_form(self, path: &str, field: &str) -> Self {
        let mut form = Form::default();
        form.set(field, String::from_utf8_lossy(&self.body));
        let headers = vec![("content-type", String::from("application/x-www-form-urlencoded; charset=UTF-8"))];
        Self { path: path.to_owned(), headers, body: form.body(), ..self }
    }

    /// The fields of a request that is a form, sorted by name: what a browser posts of it, in any order, is what is signed.
    #[must_use]
    pub fn fields(&self) -> Option<Vec<(String, String)>> {
        let is_form = |(name, value): &(&str, String)| {
            *name == "content-type" && value.starts_with("application/x-www-form-urlencoded")
        };
        self.headers.iter().any(is_form).then(|| Form::of_notification(&self.body)).flatten().map(Form::into_fields)
    }
}

/// Shows neither headers nor body.
impl fmt::Debug for Request {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Request")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("body_length", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// What a request asked, so that only an answer to it is taken for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    /// The word that binds the answer to this request.
    pub(crate) nonce: String,
    pub(crate) what: What,
}

/// What a request is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    /// An operation: to do it, or, if `query`, what became of it.
    Operation { serial: String, kind: OperationKind, amount: Minor, currency: Currency, query: bool },
    /// A clearing file, which carries its own signature.
    Statement,
    /// A month's batch handed in, or its result file, which carries its own signature.
    Batch,
    /// What a fund pays of a month's rent for a lease.
    Quota { contract: String, period: String },
    /// An agreement to be signed: its serial number, and whether this brings the code.
    SignUp { serial: String, confirms: bool },
    /// A real-name check: its serial number, and whether this asks what became of it.
    RealName { serial: String, query: bool },
    /// The payments that came back on a date.
    Returns { date: Date },
}

impl What {
    /// An operation, or what became of it.
    pub(crate) fn of(about: &About<'_>, query: bool) -> Self {
        let &About { serial, kind, amount, currency, .. } = about;
        Self::Operation { serial: serial.to_owned(), kind, amount, currency, query }
    }
}

/// What came back.
#[derive(Clone)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: Headers,
    /// The bytes.
    pub body: Vec<u8>,
}

/// Shows neither headers nor body.
impl fmt::Debug for Response {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Response")
            .field("status", &self.status)
            .field("body_length", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Headers of a message from outside. Their names are compared without regard to case.
#[derive(Clone, Default)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// The value of a header; nothing if it is not there or there more than once.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut values = self.0.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        match (values.next(), values.next()) {
            (Some((_, value)), None) => Some(value),
            (Some(_), Some(_)) | (None, _) => None,
        }
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(headers: I) -> Self {
        Self(headers.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

/// Shows the names only.
impl fmt::Debug for Headers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// A serial number: 31 digits.
pub(crate) fn serial(text: &str) -> Result<&str, ChannelError> {
    if is_serial(text) { Ok(text) } else { Err(ChannelError::Serial(text.to_owned())) }
}

/// Whether the text has the form of a serial number.
pub(crate) fn is_serial(text: &str) -> bool {
    text.len() == 31 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A nonce: 16 to 64 letters, digits, `_` or `-`.
pub(crate) fn nonce(text: &str) -> Result<&str, ChannelError> {
    if (16..=64).contains(&text.len()) && is_word(text) { Ok(text) } else { Err(ChannelError::Nonce(text.len())) }
}

/// Whether the text is letters, digits, `_` and `-` only, and not empty.
pub(crate) fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

/// Whether the text is letters and digits only, and not empty.
pub(crate) fn is_alphanumeric(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Whether the text is so many digits.
pub(crate) fn is_digits(length: usize) -> impl Fn(&str) -> bool {
    move |text: &str| text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether the text is a path that messages can be posted to.
pub(crate) fn is_path(text: &str) -> bool {
    text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#')
}

/// Whether the text is an address that a browser can be sent to.
pub(crate) fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic()))
}

/// A whole number in decimal digits, without sign and leading zeros.
pub(crate) fn number<T: std::str::FromStr + ToString>(text: &str) -> Option<T> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|value: &T| digits && value.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_is_there_twice_has_no_value() {
        let headers: Headers = [("X-One", "1"), ("x-two", "2"), ("X-TWO", "3")].into_iter().collect();
        assert_eq!(headers.get("x-ONE"), Some("1"));
        assert_eq!(headers.get("x-two"), None);
        assert_eq!(headers.get("x-three"), None);
    }

    #[test]
    fn debug_shows_no_body_and_no_header_value() {
        let headers: Headers = [("x-signature", "0badc0de")].into_iter().collect();
        let response = Response { status: 200, headers: headers.clone(), body: b"6222020200112233445".to_vec() };
        let what = What::Statement;
        let asked = Asked { nonce: String::from("0123456789abcdef"), what };
        let body = Zeroizing::new(b"6222020200112233445".to_vec());
        let request = Request {
            method: "POST",
            path: String::from("/x"),
            headers: vec![("x-signature", String::from("0badc0de"))],
            body,
            asked,
        };
        let shown = format!("{response:?} {headers:?} {request:?}");
        assert!(!shown.contains("6222") && !shown.contains("0badc0de"), "{shown}");
    }
}
