//! One-time codes (动态口令) by time: RFC 6238 with HMAC-SHA-1, six digits, steps of 30 seconds, which is what every
//! authenticator app makes of an `otpauth://` link.
//!
//! A secret is made here and lies sealed in the [vault](crate::vault); its owner sees it once, as a link. It prints as
//! nothing. A code is checked for the step of the clock and its two neighbours; that a step is used once is the
//! caller's to keep.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use zeroize::{Zeroize as _, Zeroizing};

use crate::error::Error;
use crate::random::random_bytes;
use crate::secret::Secret;

/// How long a code lasts.
pub const STEP_SECONDS: u64 = 30;
/// How many steps a clock may be off, either way.
pub const SKEW_STEPS: u64 = 1;
/// How many digits a code has.
pub const DIGITS: usize = 6;
/// Bytes of a secret: as long as the digest, as RFC 4226 recommends.
const SECRET_BYTES: usize = 20;
/// RFC 4648.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// What an operator's one-time codes are made from.
#[derive(Clone)]
pub struct TotpSecret(Zeroizing<[u8; SECRET_BYTES]>);

impl TotpSecret {
    /// A new one.
    ///
    /// # Errors
    /// [`Error::Random`].
    pub fn generate() -> Result<Self, Error> {
        random_bytes().map(Self::from_bytes)
    }

    /// That of these bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; SECRET_BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, for sealing only.
    pub(crate) fn expose(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// The link that an authenticator app reads, mostly as a QR code. `issuer` and `account` must be made of unreserved
    /// characters of RFC 3986.
    #[must_use]
    pub fn uri(&self, issuer: &str, account: &str) -> Secret {
        let secret = Zeroizing::new(base32(self.expose()));
        Secret::new(format!(
            "otpauth://totp/{issuer}:{account}?secret={}&issuer={issuer}&algorithm=SHA1&digits={DIGITS}&period={STEP_SECONDS}",
            secret.as_str()
        ))
    }

    /// The secret that such a link holds, as an authenticator app reads it; `None` if it holds none of ours.
    #[must_use]
    pub fn from_uri(uri: &str) -> Option<Self> {
        let query = uri.strip_prefix("otpauth://totp/")?.split_once('?')?.1;
        let text = query.split('&').find_map(|pair| pair.strip_prefix("secret="))?;
        let bytes = Zeroizing::new(from_base32(text)?);
        bytes.as_slice().try_into().ok().map(Self::from_bytes)
    }

    /// The code of a step: that of a time is the step `seconds / 30`.
    #[must_use]
    pub fn code(&self, step: u64) -> String {
        format!("{:0DIGITS$}", self.truncated(step))
    }

    /// The step that `code` is of, at `now` in seconds of Unix time or a step beside it. How long it takes says nothing of
    /// the code.
    #[must_use]
    pub fn verify(&self, code: &str, now: u64) -> Option<u64> {
        if code.len() != DIGITS || !code.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let given: u32 = code.parse().ok()?;
        let step = now / STEP_SECONDS;
        let mut found = None;
        for candidate in step.saturating_sub(SKEW_STEPS)..=step.saturating_add(SKEW_STEPS) {
            if self.truncated(candidate) ^ given == 0 {
                found = Some(candidate);
            }
        }
        found
    }

    /// RFC 4226, 5.3.
    fn truncated(&self, step: u64) -> u32 {
        let mut mac = Hmac::<Sha1>::new_from_slice(self.expose()).expect("HMAC takes a key of any length");
        mac.update(&step.to_be_bytes());
        let mut digest: [u8; SECRET_BYTES] = mac.finalize().into_bytes().into();
        let at = usize::from(digest[SECRET_BYTES - 1] & 0x0f);
        let word = [digest[at] & 0x7f, digest[at + 1], digest[at + 2], digest[at + 3]];
        digest.zeroize();
        u32::from_be_bytes(word) % 1_000_000
    }
}

/// Prints nothing of it.
impl fmt::Debug for TotpSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TotpSecret(…)")
    }
}

/// RFC 4648 without padding.
fn base32(bytes: &[u8]) -> String {
    let digits = bytes.chunks(5).flat_map(|chunk| {
        let mut word = [0; 8];
        word[3..3 + chunk.len()].copy_from_slice(chunk);
        let word = u64::from_be_bytes(word);
        (0..(chunk.len() * 8).div_ceil(5))
            .map(move |at| BASE32[usize::try_from(word >> (35 - 5 * at) & 31).unwrap_or(0)])
    });
    digits.map(char::from).collect()
}

/// Reads what [`base32`] writes.
fn from_base32(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut word, mut bits) = (Vec::with_capacity(text.len() * 5 / 8), 0_u32, 0_u32);
    for digit in text.bytes() {
        let digit = BASE32.iter().position(|known| *known == digit).and_then(|at| u32::try_from(at).ok())?;
        (word, bits) = (word << 5 | digit, bits + 5);
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(word >> bits & 0xff).ok()?);
            word &= (1 << bits) - 1;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The secret of RFC 6238, appendix B.
    fn of_the_rfc() -> TotpSecret {
        TotpSecret::from_bytes(*b"12345678901234567890")
    }

    #[test]
    fn codes_are_those_of_rfc_6238() {
        // The appendix shows eight digits; of six, the last ones.
        for (seconds, eight) in [
            (59, "94287082"),
            (1_111_111_109, "07081804"),
            (1_111_111_111, "14050471"),
            (1_234_567_890, "89005924"),
            (2_000_000_000, "69279037"),
            (20_000_000_000, "65353130"),
        ] {
            assert_eq!(of_the_rfc().code(seconds / STEP_SECONDS), eight[2..], "at {seconds}");
        }
    }

    #[test]
    fn codes_are_those_of_rfc_4226() {
        let codes =
            ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"];
        for (step, code) in (0..).zip(codes) {
            assert_eq!(of_the_rfc().code(step), code);
        }
    }

    #[test]
    fn a_code_is_taken_one_step_early_or_late_and_no_more() {
        let secret = of_the_rfc();
        let code = secret.code(1_000);
        for (step, found) in
            [(998, None), (999, Some(1_000)), (1_000, Some(1_000)), (1_001, Some(1_000)), (1_002, None)]
        {
            assert_eq!(secret.verify(&code, step * STEP_SECONDS), found, "at step {step}");
            assert_eq!(secret.verify(&code, step * STEP_SECONDS + 29), found, "at the end of step {step}");
        }
        assert_eq!(secret.verify(&secret.code(0), 0), Some(0));
    }

    #[test]
    fn what_is_no_code_is_none() {
        let secret = of_the_rfc();
        let now = 1_000 * STEP_SECONDS;
        let right = secret.code(1_000);
        for wrong in ["", "12345", "1234567", "+12345", "abcdef", &format!("{right} "), &right[1..]] {
            assert_eq!(secret.verify(wrong, now), None, "'{wrong}'");
        }
    }

    #[test]
    fn base32_is_that_of_rfc_4648() {
        for (bytes, text) in [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ] {
            assert_eq!(base32(bytes.as_bytes()), text);
            assert_eq!(from_base32(text).as_deref(), Some(bytes.as_bytes()));
        }
        assert_eq!(from_base32("MZXW1"), None);
    }

    #[test]
    fn a_link_gives_the_secret_back() {
        let secret = TotpSecret::generate().unwrap();
        let read = TotpSecret::from_uri(secret.uri("Lintel", "li.wei").expose()).unwrap();
        assert_eq!(read.code(7), secret.code(7));
        for wrong in
            ["", "otpauth://totp/a", "otpauth://totp/a?issuer=b", "otpauth://totp/a?secret=MZXW6", "secret=MZXW6"]
        {
            assert!(TotpSecret::from_uri(wrong).is_none(), "'{wrong}'");
        }
    }

    #[test]
    fn its_owner_sees_a_link_and_nobody_sees_it_printed() {
        let secret = of_the_rfc();
        assert_eq!(
            secret.uri("Lintel", "li.wei").expose(),
            "otpauth://totp/Lintel:li.wei?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Lintel&algorithm=SHA1&digits=6&period=30"
        );
        assert_eq!(format!("{secret:?} {:?}", secret.uri("a", "b")), "TotpSecret(…) Secret(…)");
    }
}
