//! Readable text that must not spread: it prints as `Secret(…)` and is wiped when dropped.

use std::fmt;

use zeroize::Zeroizing;

/// The plaintext of a sealed field, or an API secret on its way to the merchant.
///
/// It can be read only by [`Secret::expose`], so every place that reads one is found by that word.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text over; the only copy is wiped when this value is dropped.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text itself. Do not log it, do not put it in an error, do not copy it into another `String` that lives on.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text.to_owned())
    }
}

/// Prints neither the text nor its length.
impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}
