//! Ping An's messages as their other side reads and writes them, from the fixtures: two headers of 222 and 122 bytes, values that
//! each end with `&`, and a signature over all of it, with zeros where its length stands.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use encoding_rs::{Encoding, GBK, UTF_8};

use super::super::epcc::EpccKeys;
use super::{Refused, SANDBOX_PINGAN_MARKET};

const HEADERS: usize = 344;
const LENGTH_AT: std::ops::Range<usize> = 211..221;

/// A message of the platform whose signature was checked.
pub(super) struct Asked {
    pub(super) function: String,
    pub(super) at: String,
    pub(super) log: String,
    pub(super) values: Vec<String>,
    pub(super) charset: Charset,
}

/// How a message is written: the platform chooses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Charset(&'static Encoding);

impl Charset {
    fn of(code: &str) -> Option<Self> {
        match code {
            "01" => Some(Self(GBK)),
            "02" => Some(Self(UTF_8)),
            _ => None,
        }
    }

    fn code(self) -> &'static str {
        if self.0 == GBK { "01" } else { "02" }
    }

    /// The text in so many bytes, with blanks behind it.
    fn padded(self, text: &str, width: usize) -> Vec<u8> {
        let (bytes, ..) = self.0.encode(text);
        let mut bytes = bytes.into_owned();
        bytes.resize(width, b' ');
        bytes
    }
}

/// What the bank says: an answer, or something that it tells.
pub(super) struct Saying<'a> {
    /// 01: it tells; 02: it answers.
    pub(super) service: &'a str,
    pub(super) function: &'a str,
    pub(super) at: &'a str,
    pub(super) log: &'a str,
    pub(super) code: (&'a str, &'a str),
    /// Values, each with its `&`.
    pub(super) body: String,
}

/// A message before its signature, and that.
fn cut(raw: &[u8]) -> Option<(&[u8], &[u8])> {
    let length: usize = str::from_utf8(raw.get(LENGTH_AT)?).ok()?.parse().ok()?;
    raw.split_at_checked(raw.len().checked_sub(length)?)
}

/// A message with the signature of another one.
pub(super) fn signed_as(message: &[u8], other: &[u8]) -> Vec<u8> {
    let ((text, _), (_, signature)) = (cut(message).unwrap_or_default(), cut(other).unwrap_or_default());
    let mut forged = [text, signature].concat();
    if let Some((length, of_other)) = forged.get_mut(LENGTH_AT).zip(other.get(LENGTH_AT)) {
        length.copy_from_slice(of_other);
    }
    forged
}

/// What is signed of a message, if the platform signed it.
pub(super) fn opened(keys: &EpccKeys, raw: &[u8]) -> Option<Vec<u8>> {
    let (text, signature) = cut(raw)?;
    let mut text = text.to_vec();
    text.get_mut(LENGTH_AT)?.fill(b'0');
    keys.fits(&text, &BASE64_STANDARD.decode(signature).ok()?).then_some(text)
}

/// Reads what was signed.
pub(super) fn read(text: &[u8]) -> Result<Asked, Refused> {
    let part = |from: usize, to: usize, name: &'static str| {
        text.get(from..to).and_then(|bytes| str::from_utf8(bytes).ok()).ok_or(Refused::Field(name))
    };
    let is = |from: usize, right: &str, name: &'static str| {
        let there = text.get(from..from.saturating_add(right.len())) == Some(right.as_bytes());
        there.then_some(()).ok_or(Refused::Field(name))
    };
    for (from, right, name) in [
        (0, "A001", "version"),
        (8, "02", "protocol"),
        (10, SANDBOX_PINGAN_MARKET, "market"),
        (51, "01", "service"),
        (197, "10", "signature"),
        (221, "0", "attachments"),
        (226, "01", "service"),
        (340, SANDBOX_PINGAN_MARKET, "market"),
    ] {
        is(from, right, name)?;
    }
    let (at, log) = (part(53, 67, "time")?, part(67, 87, "ThirdLogNo")?);
    is(244, at, "time")?;
    is(320, log, "ThirdLogNo")?;
    let charset = Charset::of(part(6, 8, "charset")?).ok_or(Refused::Field("charset"))?;
    let body = text.get(HEADERS..).ok_or(Refused::Field("length"))?;
    is(30, &format!("{:010}", body.len().saturating_add(122)), "length")?;
    is(307, &format!("{:08}", body.len()), "length")?;
    let body = charset.0.decode_without_bom_handling_and_without_replacement(body).ok_or(Refused::Field("charset"))?;
    let values = body.strip_suffix('&').ok_or(Refused::Field("body"))?.split('&').map(str::to_owned).collect();
    let function = part(222, 226, "TranFunc")?.to_owned();
    Ok(Asked { function, at: at.to_owned(), log: log.to_owned(), values, charset })
}

/// A message of the bank, signed.
pub(super) fn said(keys: &EpccKeys, charset: Charset, saying: &Saying<'_>) -> Vec<u8> {
    let &Saying { service, function, at, log, code: (code, text), ref body } = saying;
    let (body, ..) = charset.0.encode(body);
    let (whole, length) = (body.len().saturating_add(122), body.len());
    let algorithm = if keys.are_sm2() { "SM2-SM3" } else { "RSA-SHA256" };
    let first =
        format!("A00113{}02{SANDBOX_PINGAN_MARKET:<20}{whole:010}000000PA001{service}{at}{log}{code}", charset.code());
    let second = format!("000010{algorithm:<12}{:010}0{function}{service}{:16}{at}{code}", 0, "");
    let third = format!("0{length:08}PA001{log}{SANDBOX_PINGAN_MARKET}");
    let (long, short) = (charset.padded(text, 100), charset.padded(text, 42));
    let mut message = [first.as_bytes(), &long, second.as_bytes(), &short, third.as_bytes(), &body].concat();
    let signature = BASE64_STANDARD.encode(keys.sign(&message));
    let length = format!("{:010}", signature.len());
    message.get_mut(LENGTH_AT).expect("both headers are longer").copy_from_slice(length.as_bytes());
    message.extend_from_slice(signature.as_bytes());
    message
}
