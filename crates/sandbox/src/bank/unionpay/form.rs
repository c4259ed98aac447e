//! Forms of UnionPay online as its other side reads and writes them, from the fixtures.
//!
//! ```text
//! signed        every field but `signature`, sorted by name: name=value&…, as [`super::sign`] says
//! request, notification   name=value&…, escaped
//! answer        the same, not escaped
//! ```

use std::collections::BTreeMap;

use super::sign::UnionPaySign;

/// Fields by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Form(BTreeMap<String, String>);

impl Form {
    /// Reads a body; nothing if it is no form, or has a field twice.
    pub(crate) fn read(body: &[u8]) -> Option<Self> {
        let mut fields = BTreeMap::new();
        for pair in str::from_utf8(body).ok()?.split('&') {
            let (name, value) = pair.split_once('=')?;
            if fields.insert(unescape(name)?, unescape(value)?).is_some() {
                return None;
            }
        }
        Some(Self(fields))
    }

    /// The value of a field that is there and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// With these fields besides, or in place of those of the same name.
    pub(crate) fn with<'f>(mut self, fields: impl IntoIterator<Item = (&'f str, String)>) -> Self {
        self.0.extend(fields.into_iter().map(|(name, value)| (name.to_owned(), value)));
        self
    }

    /// Only these fields.
    pub(crate) fn only(&self, names: &[&str]) -> Self {
        let kept = self.0.iter().filter(|(name, _)| names.contains(&name.as_str()));
        Self(kept.map(|(name, value)| (name.clone(), value.clone())).collect())
    }

    /// Signed.
    pub(crate) fn signed(self, sign: &UnionPaySign) -> Self {
        let form = self.with([("signMethod", sign.method().to_owned())]);
        let signature = sign.sign(&form.text());
        form.with([("signature", signature)])
    }

    /// The same with a signature of something else.
    pub(crate) fn forged(self, sign: &UnionPaySign) -> Self {
        self.signed(sign).with([("signature", sign.sign("something else"))])
    }

    /// Whether the platform signed it.
    pub(crate) fn is_signed(&self, sign: &UnionPaySign) -> bool {
        let signature = self.get("signature").filter(|_| self.get("signMethod") == Some(sign.method()));
        signature.is_some_and(|signature| sign.fits(&self.text(), signature))
    }

    /// What is signed.
    fn text(&self) -> String {
        let fields = self.0.iter().filter(|(name, value)| *name != "signature" && !value.is_empty());
        fields.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
    }

    /// The fields in order.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// As an answer.
    pub(crate) fn answer(&self) -> String {
        self.fields().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
    }

    /// As a request or notification.
    pub(crate) fn posted(&self) -> String {
        self.fields().map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect::<Vec<_>>().join("&")
    }
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => u8::from_str_radix(str::from_utf8(&[rest.next()?, rest.next()?]).ok()?, 16).ok()?,
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_browser_posts_reads_back_and_a_field_twice_does_not() {
        let (secret, another) = (UnionPaySign::secret("secret"), UnionPaySign::secret("another"));
        let form = Form::default().with([("a", String::from("+/= 中&")), ("b", String::from("1"))]).signed(&secret);
        let read = Form::read(form.posted().as_bytes()).unwrap();
        assert!(read == form && read.is_signed(&secret) && !read.is_signed(&another));
        assert!(!read.clone().forged(&secret).is_signed(&secret));
        // Browsers write a space as `+`.
        assert_eq!(Form::read(b"a=1+2&b=%2B").unwrap().answer(), "a=1 2&b=+");
        for wrong in ["a=1&a=2", "a", "a=%2", "a=%zz", "a=%ff", "a=%+1%"] {
            assert!(Form::read(wrong.as_bytes()).is_none(), "{wrong}");
        }
        assert!(!read.with([("b", String::from("2"))]).is_signed(&secret));
    }
}
