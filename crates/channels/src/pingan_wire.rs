//! Ping An Bank's messages as bytes: two headers of fixed length, fields that each end with `&`, a signature. The first header is
//! that of all its interfaces for companies.
//!
//! ```text
//! network header, 222 bytes
//!   A001 │ target 2 │ charset 2 │ protocol 2 │ market 20 │ length 10 │ 000000 │ teller 5 │ service 2 │ time 14
//!   │ serial number 20 │ code 6 │ text 100 │ more packets 1 │ times 3 │ signed 1 │ packet 1 │ algorithm 12
//!   │ length of the signature 10 │ attachments 1
//! business header, 122 bytes
//!   transaction 4 │ service 2 │ MAC 16 │ time 14 │ code 6 │ text 42 │ more packets 1 │ length 8 │ teller 5
//!   │ serial number 20 │ market 4
//! body       value&value&…
//! signature  base64, over every byte before it with ten zeros where its length stands
//! ```
//! The first length counts the business header and the body, the second the body. All of it is of public code but the place of the
//! signature, which is ours: public code leaves signing to the bank's own program.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use encoding_rs::{Encoding, GBK, UTF_8};
use zeroize::Zeroizing;

use crate::answer::Answer;
use crate::error::ChannelError;
use crate::message;
use crate::signed_text::Signer;
use crate::verified::Verified;

const BUSINESS: usize = 122;
/// The network header, and both.
const HEADERS: usize = 222 + BUSINESS;
/// The widths of their fields, in their order.
const WIDTHS: [usize; 31] =
    [4, 2, 2, 2, 20, 10, 6, 5, 2, 14, 20, 6, 100, 1, 3, 1, 1, 12, 10, 1, 4, 2, 16, 14, 6, 42, 1, 8, 5, 20, 4];
/// Where the length of the signature stands.
const SIGNATURE_LENGTH: std::ops::Range<usize> = 211..221;
const VERSION: &str = "A001";
/// HTTP: it is the body of a POST.
const PROTOCOL: &str = "02";
const TELLER: &str = "PA001";
/// What stands in a request where an answer has its code.
const NO_CODE: &str = "999999";
pub(crate) const REQUEST: &str = "01";
pub(crate) const ANSWER: &str = "02";

/// How text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Charset {
    Gbk,
    Utf8,
}

impl Charset {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            "gbk" => Some(Self::Gbk),
            "utf-8" => Some(Self::Utf8),
            _ => None,
        }
    }

    const fn code(self) -> &'static str {
        match self {
            Self::Gbk => "01",
            Self::Utf8 => "02",
        }
    }

    const fn encoding(self) -> &'static Encoding {
        match self {
            Self::Gbk => GBK,
            Self::Utf8 => UTF_8,
        }
    }
}

/// What the headers of every message of one institution have in common.
#[derive(Debug)]
pub(crate) struct Wire {
    /// The channel that speaks.
    pub(crate) channel: &'static str,
    pub(crate) signer: Signer,
    pub(crate) charset: Charset,
    /// The system that is spoken to.
    pub(crate) target: String,
    /// Our number (Qydm).
    pub(crate) market: String,
    /// What a signature's algorithm is called.
    pub(crate) algorithm: &'static str,
}

/// What differs between the headers of two requests.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head<'a> {
    /// The number of the transaction.
    pub(crate) function: &'a str,
    /// YYYYMMDDhhmmss.
    pub(crate) at: &'a str,
    /// Our serial number of 20 characters (ThirdLogNo).
    pub(crate) log: &'a str,
}

/// A value with the name of its field, which is not sent.
pub(crate) type Field<'a> = (&'static str, &'a str);

/// Why bytes are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// The bank did not sign them.
    Unsigned,
    /// They are signed, and not in their form or for somebody else.
    Foreign,
}

impl From<Unfit> for Answer {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::Unsigned => Self::UNSIGNED,
            Unfit::Foreign => Self::FOREIGN,
        }
    }
}

/// A message that was read, and signed by the bank. Its fields may be personal: no `Debug`.
pub(crate) struct Message<'b> {
    pub(crate) function: &'b str,
    pub(crate) service: &'b str,
    pub(crate) log: &'b str,
    pub(crate) code: &'b str,
    pub(crate) body: &'b [u8],
    charset: Charset,
}

impl Message<'_> {
    /// The text of the body; nothing if it is not in its charset.
    pub(crate) fn text(&self) -> Option<Zeroizing<String>> {
        let text = self.charset.encoding().decode_without_bom_handling_and_without_replacement(self.body)?;
        Some(Zeroizing::new(text.into_owned()))
    }
}

/// The values of a text, each of which ends with `&`; nothing if the last one does not.
pub(crate) fn values(text: &str) -> Option<Vec<&str>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    Some(text.strip_suffix('&')?.split('&').collect())
}

impl Wire {
    /// A signed request.
    ///
    /// # Errors
    /// [`ChannelError::Subject`] for a value that would end its field or has no form in the charset; [`ChannelError::Key`].
    pub(crate) fn write(&self, head: Head<'_>, body: &[Field<'_>]) -> Result<Zeroizing<Vec<u8>>, ChannelError> {
        // Room for every body, so that growing leaves no copy of a personal field behind.
        let mut fields = Zeroizing::new(Vec::with_capacity(2048));
        for &(field, value) in body {
            self.put(&mut fields, field, value)?;
        }
        let mut whole = Zeroizing::new(Vec::with_capacity(4096));
        whole.extend_from_slice(self.headers(head, fields.len()).as_bytes());
        whole.extend_from_slice(&fields);
        let signature = BASE64_STANDARD.encode(self.signer.ours.sign(self.channel, &whole)?);
        whole[SIGNATURE_LENGTH].copy_from_slice(format!("{:010}", signature.len()).as_bytes());
        whole.extend_from_slice(signature.as_bytes());
        Ok(whole)
    }

    fn put(&self, fields: &mut Vec<u8>, field: &'static str, value: &str) -> Result<(), ChannelError> {
        let refused = |reason| ChannelError::Subject { channel: self.channel, field, reason };
        if value.chars().any(|letter| letter == '&' || letter.is_control()) {
            return Err(refused("it has an ampersand or a control character in it, which would end the field"));
        }
        let (bytes, _, lossy) = self.charset.encoding().encode(value);
        if lossy {
            return Err(refused("it has a character that the bank's charset does not have"));
        }
        fields.extend_from_slice(&bytes);
        fields.push(b'&');
        Ok(())
    }

    fn headers(&self, head: Head<'_>, length: usize) -> String {
        let Head { function, at, log } = head;
        let Self { charset, target, market, algorithm, .. } = self;
        let (charset, whole) = (charset.code(), length.saturating_add(BUSINESS));
        let network = format!(
            "{VERSION}{target}{charset}{PROTOCOL}{market:<20}{whole:010}000000{TELLER}{REQUEST}{at}{log}{NO_CODE}{:100}\
             000010{algorithm:<12}{:010}0",
            "", 0
        );
        let business = format!("{function}{REQUEST}{:16}{at}{NO_CODE}{:42}0{length:08}{TELLER}{log}{market}", "", "");
        [network, business].concat()
    }

    /// A message of the bank for this institution, if its signature fits and it is in its form.
    pub(crate) fn opened<'b>(&self, bytes: &'b [u8]) -> Result<Verified<Message<'b>>, Unfit> {
        let (signed, signature) = Self::cut(bytes).ok_or(Unfit::Unsigned)?;
        let mut text = Zeroizing::new(signed.to_vec());
        text[SIGNATURE_LENGTH].fill(b'0');
        let signature = BASE64_STANDARD.decode(signature).map_err(|_| Unfit::Unsigned)?;
        let fits = self.signer.theirs.fits(&text, &signature);
        Verified::if_signed(signed, fits)
            .ok_or(Unfit::Unsigned)?
            .try_map(|bytes| self.read(bytes).ok_or(Unfit::Foreign))
    }

    /// What is signed, and its signature.
    fn cut(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
        let length = usize::try_from(number(bytes.get(SIGNATURE_LENGTH)?)?).ok()?;
        bytes.split_at_checked(bytes.len().checked_sub(length).filter(|end| *end >= HEADERS)?)
    }

    fn read<'b>(&self, bytes: &'b [u8]) -> Option<Message<'b>> {
        let (mut rest, body) = bytes.split_at_checked(HEADERS)?;
        let mut fields = [&b""[..]; WIDTHS.len()];
        for (field, width) in fields.iter_mut().zip(WIDTHS) {
            (*field, rest) = rest.split_at_checked(width)?;
        }
        let [version, target, charset, protocol, market, whole, _, _, service, at, log, code, _, more, times, signed] =
            fields[..16]
        else {
            return None;
        };
        let [packet, algorithm, _, attachments, function, again, _, at_again, code_again, _, more_again, length] =
            fields[16..28]
        else {
            return None;
        };
        let [_, log_again, market_again] = fields[28..] else { return None };
        let is = |field: &[u8], text: &str| field.trim_ascii_end() == text.as_bytes();
        let ours = is(version, VERSION)
            && is(target, &self.target)
            && is(charset, self.charset.code())
            && is(protocol, PROTOCOL)
            && is(market, &self.market)
            && is(market_again, &self.market)
            && is(algorithm, self.algorithm);
        // One packet, with a bare signature and without attachments.
        let alone =
            [more, times, signed, packet, attachments, more_again] == [&b"0"[..], b"000", b"1", b"0", b"0", b"0"];
        let (length, whole) = (number(length)?, number(whole)?);
        let lengths = usize::try_from(length) == Ok(body.len()) && whole.checked_sub(length) == Some(BUSINESS as u64);
        // What stands in both headers is the same, or it is neither.
        let same = (service, at, log, code) == (again, at_again, log_again, code_again);
        let text = |field: &'b [u8]| str::from_utf8(field).ok();
        let (function, service, log, code) = (text(function)?, text(service)?, text(log)?, text(code)?);
        let message = Message { function, service, log, code, body, charset: self.charset };
        (ours && alone && lengths && same).then_some(message)
    }
}

/// ThirdLogNo of our serial number.
pub(crate) fn log_of(serial: &str) -> Result<String, ChannelError> {
    message::serial(serial)?;
    let parts = serial.get(2..8).zip(serial.get(10..24));
    let log =
        parts.map(|(date, number)| [date, number].concat()).filter(|log| serial_of(log).as_deref() == Some(serial));
    log.ok_or_else(|| ChannelError::Serial(serial.to_owned()))
}

/// The serial number of a ThirdLogNo of ours.
pub(crate) fn serial_of(log: &str) -> Option<String> {
    let digits = log.len() == 20 && log.bytes().all(|byte| byte.is_ascii_digit());
    let (date, number) = log.split_at_checked(6).filter(|_| digits)?;
    Some(format!("20{date}00{number}0{}", number.get(8..)?))
}

/// ThirdLogNo of a question: the first 20 characters of its nonce.
pub(crate) fn log_of_nonce(nonce: &str) -> Result<String, ChannelError> {
    let nonce = message::nonce(nonce)?;
    Ok(format!("{:0<20}", nonce.get(..20).unwrap_or(nonce)))
}

/// A number in digits, with zeros before it.
fn number(digits: &[u8]) -> Option<u64> {
    str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_number_goes_into_twenty_characters_and_comes_back() {
        let serial = "2026030500000000000000420000042";
        assert_eq!(log_of(serial).unwrap(), "26030500000000000042");
        assert_eq!(serial_of("26030500000000000042").as_deref(), Some(serial));
        assert_eq!(
            serial_of(&log_of("2026030500000012345678900567890").unwrap()).unwrap(),
            "2026030500000012345678900567890"
        );
        // What would not come back is no serial number of ours: another century, a number too long, other control digits.
        for wrong in [
            "",
            "1926030500000000000000420000042",
            "2026030501000000000000420000042",
            "2026030500000000000000420000043",
        ] {
            assert!(matches!(log_of(wrong), Err(ChannelError::Serial(_))), "{wrong}");
        }
        for wrong in ["", "2603050000000000004", "2603050000000000004x", "260305000000000000420"] {
            assert_eq!(serial_of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_question_has_twenty_characters_of_its_nonce() {
        assert_eq!(log_of_nonce("0123456789abcdef").unwrap(), "0123456789abcdef0000");
        assert_eq!(log_of_nonce("0123456789abcdefghijklm").unwrap(), "0123456789abcdefghij");
        assert!(log_of_nonce("short").is_err());
    }

    #[test]
    fn every_value_ends_with_its_mark() {
        assert_eq!(values("a&&b&"), Some(vec!["a", "", "b"]));
        assert_eq!((values(""), values("&"), values("a&b")), (Some(Vec::new()), Some(vec![""]), None));
    }

    #[test]
    fn the_widths_are_those_of_the_headers() {
        assert_eq!(WIDTHS.iter().sum::<usize>(), HEADERS);
        assert_eq!(WIDTHS[..18].iter().sum::<usize>(), SIGNATURE_LENGTH.start);
    }
}
