//! Messages as XML: what is written, and what is read as paths with their text.
//!
//! Only what such messages need is read: elements and text, with the five entities of XML. Anything else (a document type,
//! other entities, instructions, text beside elements) is refused, and so is a message that is too deep or too large.

use quick_xml::Reader;
use quick_xml::escape::{escape, resolve_xml_entity};
use quick_xml::events::Event;
use zeroize::Zeroizing;

/// Elements within each other at most.
const DEPTH_MAX: usize = 8;
/// Elements with text at most.
const FIELDS_MAX: usize = 512;

/// A message that is being written.
pub(crate) struct Writer(Zeroizing<String>);

impl Writer {
    pub(crate) fn new() -> Self {
        Self(Zeroizing::new(String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>")))
    }

    /// An element with others in it.
    pub(crate) fn inside(&mut self, name: &str, fill: impl FnOnce(&mut Self)) {
        self.0.push_str(&format!("<{name}>"));
        fill(self);
        self.0.push_str(&format!("</{name}>"));
    }

    /// Elements with text in them, in an element.
    pub(crate) fn group(&mut self, name: &str, fields: &[(&str, &str)]) {
        self.inside(name, |writer| fields.iter().for_each(|(name, text)| writer.field(name, text)));
    }

    fn field(&mut self, name: &str, text: &str) {
        let text = Zeroizing::new(escape(text).into_owned());
        for part in ["<", name, ">", &text, "</", name, ">"] {
            self.0.push_str(part);
        }
    }

    pub(crate) fn finish(self) -> Zeroizing<String> {
        self.0
    }
}

/// A message that was read. Its texts may be personal: no `Debug`.
pub(crate) struct Message(Vec<(String, String)>);

impl Message {
    /// Reads a message; `None` if it is none.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let mut reader = Reader::from_str(text);
        let (mut path, mut texts, mut fields) = (Vec::<String>::new(), Vec::<Option<String>>::new(), Vec::new());
        let mut ended = false;
        loop {
            match reader.read_event().ok()? {
                Event::Decl(_) if path.is_empty() && !ended => {}
                Event::Start(start) if !ended && path.len() < DEPTH_MAX => {
                    // An element that has others in it has no text of its own.
                    if texts.last_mut().and_then(Option::take).is_some_and(|text| !text.trim().is_empty()) {
                        return None;
                    }
                    path.push(str::from_utf8(start.name().as_ref()).ok()?.to_owned());
                    texts.push(Some(String::new()));
                }
                Event::End(_) => {
                    if let Some(text) = texts.pop()? {
                        fields.push((path.join("/"), text));
                    }
                    path.pop()?;
                    ended = path.is_empty();
                }
                Event::Text(text) => put(&mut texts, &text.xml10_content().ok()?)?,
                Event::GeneralRef(name) => put(&mut texts, resolve_xml_entity(&name.decode().ok()?)?)?,
                Event::Eof if ended && fields.len() <= FIELDS_MAX => return Some(Self(fields)),
                Event::Start(_)
                | Event::Eof
                | Event::Empty(_)
                | Event::CData(_)
                | Event::Comment(_)
                | Event::Decl(_)
                | Event::PI(_)
                | Event::DocType(_) => return None,
            }
        }
    }

    /// The text of the one element with this path; nothing if there is none, or more than one.
    pub(crate) fn get(&self, path: &str) -> Option<&str> {
        let mut found = self.0.iter().filter(|(known, _)| known == path);
        match (found.next(), found.next()) {
            (Some((_, text)), None) => Some(text),
            (Some(_), Some(_)) | (None, _) => None,
        }
    }
}

/// Adds text to the innermost element. Outside of those that have text there are blanks only.
fn put(texts: &mut [Option<String>], more: &str) -> Option<()> {
    match texts.last_mut() {
        Some(Some(text)) => text.push_str(more),
        Some(None) | None => more.trim().is_empty().then_some(())?,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::{Message, Writer};

    #[test]
    fn what_is_written_is_read() {
        let mut writer = Writer::new();
        writer.inside("root", |root| root.group("A", &[("B", "<&>\"'"), ("C", "张三")]));
        let text = writer.finish();
        let message = Message::read(&text).unwrap();
        assert_eq!((message.get("root/A/B"), message.get("root/A/C")), (Some("<&>\"'"), Some("张三")));
        assert_eq!(message.get("root/A"), None);
    }

    #[test]
    fn blanks_between_elements_are_nothing_and_doubles_have_no_text() {
        let message = Message::read("<r>\n <a>1</a>\n <b>2</b><b>3</b> </r>\n").unwrap();
        assert_eq!((message.get("r/a"), message.get("r/b"), message.get("r/c")), (Some("1"), None, None));
    }

    #[test]
    fn what_such_messages_do_not_need_is_refused() {
        let deep = format!("{}1{}", "<a>".repeat(9), "</a>".repeat(9));
        let long = format!("<r>{}</r>", "<a>1</a>".repeat(513));
        for text in [
            "",
            "text",
            "<r>1</r><r>2</r>",
            "<r>1",
            "<r>1</s>",
            "<r>text<a>1</a></r>",
            "<r><a>1</a>text</r>",
            "<!DOCTYPE r [<!ENTITY x \"1\">]><r>&x;</r>",
            "<r>&x;</r>",
            "<r>&#65;</r>",
            "<r><![CDATA[1]]></r>",
            "<r><?a b?></r>",
            "<r><a/></r>",
            "<r><!-- --></r>",
            &deep,
            &long,
        ] {
            assert!(Message::read(text).is_none(), "{text:.60}");
        }
    }
}
