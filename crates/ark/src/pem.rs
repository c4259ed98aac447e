//! DER as text (PEM, RFC 7468): public keys and private ones.

use der::pem::{LineEnding, encode_string};

/// What is in DER between the BEGIN and END lines of its label, in base64 of 64 characters a line.
///
/// A private key may go through it: the text has its length from the start, so none of it stays behind where it grew, and
/// the base64 takes the same time for every key. Whoever asks for it puts it into a [`Secret`](crate::Secret).
///
/// # Panics
/// If `label` is not one of RFC 7468, such as `PUBLIC KEY`.
#[must_use]
pub fn encode(label: &str, der: &[u8]) -> String {
    encode_string(label, LineEnding::LF, der).expect("a label of RFC 7468")
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use base64::{Engine as _, prelude::BASE64_STANDARD};

    use super::*;

    #[test]
    fn keys_are_written_byte_for_byte_as_openssl_writes_them() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/signing");
        for (file, label) in [
            ("sm2.key.pem", "PRIVATE KEY"),
            ("rsa.key.pem", "PRIVATE KEY"),
            ("sm2.pub.pem", "PUBLIC KEY"),
            ("rsa.pub.pem", "PUBLIC KEY"),
        ] {
            let text = fs::read_to_string(folder.join(file)).expect("the fixture");
            let base64: String = text.lines().filter(|line| !line.starts_with('-')).collect();
            assert_eq!(encode(label, &BASE64_STANDARD.decode(base64).expect("base64")), text, "{file}");
        }
    }

    #[test]
    fn a_last_line_that_is_full_is_followed_by_no_empty_one() {
        let line = "A".repeat(64);
        let lines = |lines: &[&str]| format!("-----BEGIN X-----\n{}\n-----END X-----\n", lines.join("\n"));
        assert_eq!(encode("X", &[0; 48]), lines(&[&line]));
        assert_eq!(encode("X", &[0; 49]), lines(&[&line, "AA=="]));
        assert_eq!(encode("X", &[0; 96]), lines(&[&line, &line]));
    }
}
