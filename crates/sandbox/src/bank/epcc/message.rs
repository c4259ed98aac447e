//! EPCC's messages as their other side reads and writes them, from the fixtures: XML, and a signature behind it.
//!
//! ```text
//! <?xml …?><root><MsgHeader>…</MsgHeader><MsgBody>…</MsgBody></root>{S:base64}     signed: every byte before {S:
//! ```
//! Elements and text with XML's five entities are all that is read.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::keys::EpccKeys;

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
const ENTITIES: [(&str, &str); 5] = [("lt", "<"), ("gt", ">"), ("quot", "\""), ("apos", "'"), ("amp", "&")];

/// A message that was read: its texts by their paths.
#[derive(Debug, Default)]
pub(crate) struct Message(Vec<(String, String)>);

impl Message {
    /// Reads a message; nothing if it is none.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let mut rest = text.trim_start();
        if let Some(declared) = rest.strip_prefix("<?xml") {
            rest = declared.split_once("?>")?.1;
        }
        let (mut path, mut fields): (Vec<&str>, Vec<(String, String)>) = (Vec::new(), Vec::new());
        let mut leaf = false;
        while let Some((before, after)) = rest.split_once('<') {
            let (tag, following) = after.split_once('>')?;
            rest = following;
            if let Some(name) = tag.strip_prefix('/') {
                if leaf {
                    fields.push((path.join("/"), plain(before)?));
                } else if !before.trim().is_empty() {
                    return None;
                }
                (path.pop()? == name).then_some(())?;
                leaf = false;
                if path.is_empty() {
                    return rest.trim().is_empty().then_some(Self(fields));
                }
            } else {
                let named = !tag.is_empty() && tag.bytes().all(|byte| byte.is_ascii_alphanumeric());
                (named && before.trim().is_empty()).then_some(())?;
                path.push(tag);
                leaf = true;
            }
        }
        None
    }

    /// The text of the one element at this path, if it is there once and not empty.
    pub(crate) fn get(&self, path: &str) -> Option<&str> {
        let mut found = self.0.iter().filter(|(known, _)| known == path);
        match (found.next(), found.next()) {
            (Some((_, text)), None) => Some(text.as_str()).filter(|text| !text.is_empty()),
            (Some(_), Some(_)) | (None, _) => None,
        }
    }
}

/// A text without its entities; nothing if one is another than XML's five.
fn plain(text: &str) -> Option<String> {
    let mut parts = text.split('&');
    let mut plain = parts.next()?.to_owned();
    for part in parts {
        let (name, after) = part.split_once(';')?;
        plain.push_str(ENTITIES.iter().find(|(known, _)| *known == name)?.1);
        plain.push_str(after);
    }
    Some(plain)
}

/// An element with others in it.
pub(crate) fn group(name: &str, fields: &[(&str, &str)]) -> String {
    let fields: String = fields.iter().map(|(name, text)| element(name, text)).collect();
    format!("<{name}>{fields}</{name}>")
}

/// An element with text in it.
pub(crate) fn element(name: &str, text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!("<{name}>{text}</{name}>")
}

/// A message of these two halves.
pub(crate) fn whole(header: &str, body: &str) -> String {
    format!("{DECLARATION}<root>{header}<MsgBody>{body}</MsgBody></root>")
}

/// The text with EPCC's signature behind it.
pub(crate) fn signed(keys: &EpccKeys, text: &str) -> String {
    format!("{text}{{S:{}}}", BASE64_STANDARD.encode(keys.sign(text.as_bytes())))
}

/// What is before the signature, if the platform made that.
pub(crate) fn opened<'b>(keys: &EpccKeys, body: &'b [u8]) -> Option<&'b str> {
    let (text, signature) = str::from_utf8(body).ok()?.strip_suffix('}')?.rsplit_once("{S:")?;
    let signature = BASE64_STANDARD.decode(signature).ok()?;
    keys.fits(text.as_bytes(), &signature).then_some(text)
}

/// Fen as `CNY5000.00`.
pub(crate) fn amount_text(fen: i64) -> String {
    format!("CNY{}.{:02}", fen / 100, fen % 100)
}

/// Fen of that form, and of no other; above zero.
pub(crate) fn amount_of(text: &str) -> Option<i64> {
    let (yuan, fen) = text.strip_prefix("CNY")?.split_once('.')?;
    let amount = yuan.parse::<i64>().ok()?.checked_mul(100)?.checked_add(fen.parse().ok()?)?;
    (amount > 0 && amount_text(amount) == text).then_some(amount)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_other_xml_is_not() {
        let text = whole(&group("MsgHeader", &[("A", "1 & <2>")]), &group("B", &[("C", "张三"), ("D", "")]));
        let message = Message::read(&text).unwrap();
        assert_eq!(message.get("root/MsgHeader/A"), Some("1 & <2>"));
        assert_eq!((message.get("root/MsgBody/B/C"), message.get("root/MsgBody/B/D")), (Some("张三"), None));
        for wrong in [
            "",
            "<r>",
            "<r>1</s>",
            "<r>1</r>2",
            "<r>1<a>2</a></r>",
            "<r><a>2</a>1</r>",
            "<r>&x;</r>",
            "<r a=\"1\">2</r>",
            "<!DOCTYPE r><r>1</r>",
            "<r><a/></r>",
        ] {
            assert!(Message::read(wrong).is_none(), "{wrong}");
        }
        assert_eq!(Message::read("<r><a>1</a><a>2</a></r>").unwrap().get("r/a"), None, "twice is no text");
    }

    #[test]
    fn amounts_have_one_form() {
        for (fen, text) in [(1, "CNY0.01"), (500_000, "CNY5000.00"), (120, "CNY1.20")] {
            assert_eq!((amount_text(fen).as_str(), amount_of(text)), (text, Some(fen)));
        }
        for wrong in ["", "5000.00", "CNY5000", "CNY5000.0", "CNY05.00", "CNY0.00", "CNY-1.00", "USD1.00"] {
            assert_eq!(amount_of(wrong), None, "{wrong}");
        }
    }
}
