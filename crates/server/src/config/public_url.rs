//! The address under which others reach the platform.

use std::net::SocketAddr;

use serde::Deserialize;

/// A web address without a path, or nothing.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct PublicUrl(String);

impl TryFrom<String> for PublicUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let plain =
            |host: &str| !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:[]".contains(&b));
        if !text.is_empty() && !host.is_some_and(plain) {
            let message = "use an address without a path or a stroke at its end, such as \"https://pay.example.com\"";
            return Err(format!("public_url is \"{text:.200}\": {message}"));
        }
        Ok(Self(text))
    }
}

impl PublicUrl {
    /// The address; where none is set, the one that the platform listens on.
    pub(crate) fn or(&self, listen: SocketAddr) -> String {
        if self.0.is_empty() { format!("http://{listen}") } else { self.0.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        let listen = SocketAddr::from(([127, 0, 0, 1], 7880));
        let url = |text: &str| PublicUrl::try_from(text.to_owned()).map(|url| url.or(listen));
        assert_eq!(url(""), Ok("http://127.0.0.1:7880".into()));
        for right in ["https://pay.example.com", "http://[::1]:7880"] {
            assert_eq!(url(right), Ok(right.into()));
        }
        for wrong in
            ["pay.example.com", "ftp://a", "https://", "https://a/", "https://a/b", "https://a?b", "https://a b"]
        {
            assert!(url(wrong).is_err_and(|message| message.contains(wrong)), "{wrong}");
        }
    }
}
