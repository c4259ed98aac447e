//! Messages with a header of fixed length, as the hosts of banks write them. Which fields a header has is a table of the channel's
//! ([`Layout`]); how they are written, read, compared and signed is here, the same for every bank of this style.
//!
//! ```text
//! header     fields of fixed widths side by side: text with blanks behind it, numbers with zeros before them
//! body       value&value&…
//! signature  base64, over every byte before it with zeros where its length stands
//! ```

use std::fmt::Write as _;
use std::ops::Range;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use encoding_rs::{Encoding, GBK, UTF_8};
use zeroize::Zeroizing;

use crate::answer::Answer;
use crate::error::ChannelError;
use crate::signed_text::Signer;
use crate::verified::Verified;

/// The fields of a header in their order: how wide each is, and what it holds. One of them holds the length of the signature.
pub(crate) type Layout = &'static [(usize, Holds)];

/// What a field of a header holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holds {
    /// This text, in every message.
    Text(&'static str),
    /// What the institution has under this name, in every message.
    Ours(&'static str),
    /// What the message has under this name, and the same wherever the name stands.
    Told(&'static str),
    /// Nothing that counts: this is written, and anything is read.
    Filler(&'static str),
    /// The length of the body and so many bytes more.
    Length(usize),
    /// The length of the signature.
    Signature,
}

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

    const fn encoding(self) -> &'static Encoding {
        match self {
            Self::Gbk => GBK,
            Self::Utf8 => UTF_8,
        }
    }
}

/// A value with the name of its field; of a field of the body the name is not sent.
pub(crate) type Field<'a> = (&'static str, &'a str);

/// What every message of one institution has in common.
#[derive(Debug)]
pub(crate) struct Wire {
    /// The channel that speaks.
    pub(crate) channel: &'static str,
    pub(crate) signer: Signer,
    pub(crate) charset: Charset,
    pub(crate) layout: Layout,
    /// What the institution has in its headers, by name.
    pub(crate) ours: Vec<(&'static str, String)>,
}

/// Why bytes are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// The bank did not sign them.
    Unsigned,
    /// They are signed, and not in their form or for somebody else.
    Foreign,
}

impl Unfit {
    /// The error that says it of a message of this kind.
    pub(crate) fn error(self, channel: &'static str, what: &'static str) -> ChannelError {
        let reason = "it is not in its form, or not from the bank to this institution";
        match self {
            Self::Unsigned => ChannelError::Signature { channel, what },
            Self::Foreign => ChannelError::format(channel, what, "message", reason),
        }
    }
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
    told: Vec<Field<'b>>,
    body: &'b [u8],
    charset: Charset,
}

impl<'b> Message<'b> {
    /// What its header has under this name; empty if the layout has no such name.
    pub(crate) fn told(&self, name: &str) -> &'b str {
        self.told.iter().find(|(known, _)| *known == name).map_or("", |(_, text)| *text)
    }

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
    /// A signed message with `told` in its header.
    ///
    /// # Errors
    /// [`ChannelError::Subject`] for a value that would end its field or has no form in the charset; [`ChannelError::Key`].
    pub(crate) fn write(&self, told: &[Field<'_>], body: &[Field<'_>]) -> Result<Zeroizing<Vec<u8>>, ChannelError> {
        // Room for every body, so that growing leaves no copy of a personal field behind.
        let mut values = Zeroizing::new(Vec::with_capacity(2048));
        for &(field, value) in body {
            self.put(&mut values, field, value)?;
        }
        let mut whole = Zeroizing::new(Vec::with_capacity(4096));
        whole.extend_from_slice(self.header(told, values.len()).as_bytes());
        whole.extend_from_slice(&values);
        let signature = BASE64_STANDARD.encode(self.signer.ours.sign(self.channel, &whole)?);
        let (at, length) = (self.signature_at(), signature.len());
        let width = at.len();
        whole[at].copy_from_slice(format!("{length:0width$}").as_bytes());
        whole.extend_from_slice(signature.as_bytes());
        Ok(whole)
    }

    fn put(&self, values: &mut Vec<u8>, field: &'static str, value: &str) -> Result<(), ChannelError> {
        let refused = |reason| ChannelError::Subject { channel: self.channel, field, reason };
        if value.chars().any(|letter| letter == '&' || letter.is_control()) {
            return Err(refused("it has an ampersand or a control character in it, which would end the field"));
        }
        let (bytes, _, lossy) = self.charset.encoding().encode(value);
        if lossy {
            return Err(refused("it has a character that the bank's charset does not have"));
        }
        values.extend_from_slice(&bytes);
        values.push(b'&');
        Ok(())
    }

    fn header(&self, told: &[Field<'_>], length: usize) -> String {
        let mut header = String::with_capacity(self.length());
        for &(width, holds) in self.layout {
            let written = match holds {
                Holds::Text(text) | Holds::Filler(text) => write!(header, "{text:<width$}"),
                Holds::Ours(name) => write!(header, "{:<width$}", self.ours(name)),
                Holds::Told(name) => {
                    let text = told.iter().find(|(known, _)| *known == name).map_or("", |(_, text)| *text);
                    write!(header, "{text:<width$}")
                }
                Holds::Length(more) => write!(header, "{:0width$}", length.saturating_add(more)),
                Holds::Signature => write!(header, "{:0width$}", 0),
            };
            written.expect("a String takes every text");
        }
        header
    }

    fn ours(&self, name: &str) -> &str {
        self.ours.iter().find(|(known, _)| *known == name).map_or("", |(_, text)| text.as_str())
    }

    /// How long a header is.
    fn length(&self) -> usize {
        self.layout.iter().map(|(width, _)| *width).sum()
    }

    /// Where the length of the signature stands.
    fn signature_at(&self) -> Range<usize> {
        let mut start = 0_usize;
        for &(width, holds) in self.layout {
            let end = start.saturating_add(width);
            if holds == Holds::Signature {
                return start..end;
            }
            start = end;
        }
        start..start
    }

    /// A message of the bank for this institution, if its signature fits and it is in its form.
    pub(crate) fn opened<'b>(&self, bytes: &'b [u8]) -> Result<Verified<Message<'b>>, Unfit> {
        let (signed, signature) = self.cut(bytes).ok_or(Unfit::Unsigned)?;
        let mut text = Zeroizing::new(signed.to_vec());
        text[self.signature_at()].fill(b'0');
        let signature = BASE64_STANDARD.decode(signature).map_err(|_| Unfit::Unsigned)?;
        let fits = self.signer.theirs.fits(&text, &signature);
        Verified::if_signed(signed, fits)
            .ok_or(Unfit::Unsigned)?
            .try_map(|bytes| self.read(bytes).ok_or(Unfit::Foreign))
    }

    /// What is signed, and its signature.
    fn cut<'b>(&self, bytes: &'b [u8]) -> Option<(&'b [u8], &'b [u8])> {
        let length = number(bytes.get(self.signature_at())?)?;
        bytes.split_at_checked(bytes.len().checked_sub(length).filter(|end| *end >= self.length())?)
    }

    fn read<'b>(&self, bytes: &'b [u8]) -> Option<Message<'b>> {
        let (mut rest, body) = bytes.split_at_checked(self.length())?;
        let mut told: Vec<Field<'b>> = Vec::new();
        for &(width, holds) in self.layout {
            let (field, after) = rest.split_at_checked(width)?;
            rest = after;
            let is = |text: &str| field.trim_ascii_end() == text.as_bytes();
            let fits = match holds {
                Holds::Text(text) => is(text),
                Holds::Ours(name) => is(self.ours(name)),
                Holds::Told(name) => {
                    let text = str::from_utf8(field).ok()?;
                    let before = told.iter().find(|(known, _)| *known == name).map(|(_, before)| *before);
                    if before.is_none() {
                        told.push((name, text));
                    }
                    before.is_none_or(|before| before == text)
                }
                Holds::Length(more) => number(field)? == body.len().checked_add(more)?,
                Holds::Filler(_) | Holds::Signature => true,
            };
            if !fits {
                return None;
            }
        }
        Some(Message { told, body, charset: self.charset })
    }
}

/// A number in digits, with zeros before it.
fn number(digits: &[u8]) -> Option<usize> {
    str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{KeyPair, PeerKeys, Scheme};

    /// The pair of GB/T 32918.5, appendix A.
    const PRIVATE: &str = "3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8";
    const PUBLIC: &str = "3059301306072a8648ce3d020106082a811ccf5501822d034200\
        0409f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020\
        ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13";
    /// Of a bank that there is not.
    const LAYOUT: Layout = &[
        (2, Holds::Text("B1")),
        (6, Holds::Ours("member")),
        (4, Holds::Told("number")),
        (3, Holds::Filler("?")),
        (5, Holds::Length(4)),
        (4, Holds::Signature),
        (4, Holds::Told("number")),
        (3, Holds::Length(0)),
    ];
    /// The same widths, where a message may contradict itself.
    const LOOSE: Layout = &[
        (2, Holds::Text("B1")),
        (6, Holds::Ours("member")),
        (4, Holds::Told("number")),
        (3, Holds::Filler("?")),
        (5, Holds::Told("length")),
        (4, Holds::Signature),
        (4, Holds::Told("again")),
        (3, Holds::Length(0)),
    ];

    /// Both sides of a conversation at once: what it signs it believes.
    fn wire(layout: Layout, member: &str) -> Wire {
        let public = BASE64_STANDARD.encode(hex::decode(PUBLIC).unwrap());
        let ours = KeyPair::read("test", PRIVATE, Scheme::Sm2, None).unwrap();
        let signer = Signer { ours, theirs: PeerKeys::read(&public, Scheme::Sm2).unwrap() };
        Wire { channel: "test", signer, charset: Charset::Gbk, layout, ours: vec![("member", member.to_owned())] }
    }

    #[test]
    fn what_is_written_is_laid_out_by_the_table_and_read_back() {
        let wire = wire(LAYOUT, "M-1");
        let bytes = wire.write(&[("number", "6034")], &[("name", "张三"), ("note", "")]).unwrap();
        // 张三, as GB/T 2312 numbers them; the length of an SM2 signature varies.
        assert_eq!(&bytes[..20], b"B1M-1   6034?  00010");
        assert_eq!(&bytes[24..37], b"6034006\xd5\xc5\xc8\xfd&&");
        let length: usize = str::from_utf8(&bytes[20..24]).unwrap().parse().unwrap();
        assert_eq!(bytes.len(), 37 + length);
        let message = wire.opened(&bytes).unwrap();
        assert_eq!((message.told("number"), message.told("nothing")), ("6034", ""));
        assert_eq!(message.text().as_deref().map(String::as_str), Some("张三&&"));
        for index in 0..bytes.len() {
            let mut touched = bytes.to_vec();
            touched[index] ^= 1;
            assert_eq!(wire.opened(&touched).err(), Some(Unfit::Unsigned), "byte {index}");
        }
        for cut in 0..bytes.len() {
            assert_eq!(wire.opened(&bytes[..cut]).err(), Some(Unfit::Unsigned), "{cut} bytes");
        }
    }

    #[test]
    fn what_is_signed_and_of_another_form_or_for_another_is_told_apart() {
        let ours = wire(LAYOUT, "M-1");
        let told = |member: &str, values: [Field<'_>; 3]| {
            let bytes = wire(LOOSE, member).write(&values, &[("name", "a")]).unwrap();
            ours.opened(&bytes).err()
        };
        let fine = [("number", "6034"), ("again", "6034"), ("length", "00006")];
        assert_eq!(told("M-1", fine), None);
        assert_eq!(told("M-2", fine), Some(Unfit::Foreign));
        for (index, wrong) in [(0, "6035"), (1, "603"), (2, "00007"), (2, "6"), (2, "-0006")] {
            let mut values = fine;
            values[index].1 = wrong;
            assert_eq!(told("M-1", values), Some(Unfit::Foreign), "{wrong}");
        }
        assert_eq!((Answer::from(Unfit::Foreign), Answer::from(Unfit::Unsigned)), (Answer::FOREIGN, Answer::UNSIGNED));
        assert_eq!(Unfit::Unsigned.error("test", "file").code(), "channel_signature");
        assert_eq!(Unfit::Foreign.error("test", "file").code(), "channel_format");
    }

    #[test]
    fn what_a_field_cannot_hold_is_not_written() {
        let wire = wire(LAYOUT, "M-1");
        for wrong in ["a&b", "a\nb", "𠮷野"] {
            let error = wire.write(&[("number", "6034")], &[("name", wrong)]).unwrap_err();
            assert!(matches!(error, ChannelError::Subject { field: "name", .. }), "{error}");
        }
    }

    #[test]
    fn every_value_ends_with_its_mark() {
        assert_eq!(values("a&&b&"), Some(vec!["a", "", "b"]));
        assert_eq!((values(""), values("&"), values("a&b")), (Some(Vec::new()), Some(vec![""]), None));
    }
}
