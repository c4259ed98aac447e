//! The data elements of chip data by tag (EMV Book 3, annex A), and which of them may be shown.
//!
//! Only what stands here as shown is: a tag that nobody knows may hold a card number.

/// One element.
#[derive(Debug)]
pub(super) struct Tag {
    number: u32,
    pub(super) name: &'static str,
    /// Whether its value may be shown.
    pub(super) shown: bool,
}

const fn shown(number: u32, name: &'static str) -> Tag {
    Tag { number, name, shown: true }
}

const fn hidden(number: u32, name: &'static str) -> Tag {
    Tag { number, name, shown: false }
}

/// Ascending.
const TAGS: [Tag; 56] = [
    shown(0x4F, "application identifier"),
    shown(0x50, "application label"),
    hidden(0x56, "track 1"),
    hidden(0x57, "track 2 equivalent"),
    hidden(0x5A, "card number"),
    shown(0x6F, "file control template"),
    shown(0x70, "record template"),
    shown(0x71, "issuer script 1"),
    shown(0x72, "issuer script 2"),
    shown(0x77, "answer template 2"),
    shown(0x82, "application interchange profile"),
    shown(0x84, "dedicated file name"),
    shown(0x89, "authorisation code"),
    shown(0x8A, "authorisation answer code"),
    shown(0x8E, "cardholder verification list"),
    shown(0x91, "issuer authentication data"),
    shown(0x95, "terminal verification results"),
    shown(0x9A, "transaction date"),
    shown(0x9B, "transaction status information"),
    shown(0x9C, "transaction type"),
    hidden(0x5F20, "cardholder name"),
    hidden(0x5F24, "expiry"),
    shown(0x5F25, "valid from"),
    shown(0x5F28, "issuer country"),
    shown(0x5F2A, "transaction currency"),
    shown(0x5F30, "service code"),
    shown(0x5F34, "card sequence number"),
    shown(0x9F02, "amount"),
    shown(0x9F03, "other amount"),
    shown(0x9F06, "application identifier, terminal"),
    shown(0x9F07, "application usage control"),
    shown(0x9F08, "application version, card"),
    shown(0x9F09, "application version, terminal"),
    hidden(0x9F0B, "cardholder name, extended"),
    shown(0x9F0D, "issuer action code, default"),
    shown(0x9F0E, "issuer action code, denial"),
    shown(0x9F0F, "issuer action code, online"),
    shown(0x9F10, "issuer application data"),
    shown(0x9F12, "preferred name"),
    shown(0x9F1A, "terminal country"),
    shown(0x9F1E, "interface device serial number"),
    hidden(0x9F1F, "track 1 discretionary data"),
    hidden(0x9F20, "track 2 discretionary data"),
    shown(0x9F21, "transaction time"),
    shown(0x9F26, "application cryptogram"),
    shown(0x9F27, "cryptogram information data"),
    shown(0x9F33, "terminal capabilities"),
    shown(0x9F34, "cardholder verification results"),
    shown(0x9F35, "terminal type"),
    shown(0x9F36, "application transaction counter"),
    shown(0x9F37, "unpredictable number"),
    shown(0x9F41, "transaction sequence counter"),
    shown(0x9F53, "transaction category"),
    shown(0x9F63, "card product identification"),
    hidden(0x9F6B, "track 2, contactless"),
    shown(0xDF31, "issuer script results"),
];

/// What a tag is; `None` of one that does not stand here.
pub(super) fn known(number: u32) -> Option<&'static Tag> {
    let found = TAGS.binary_search_by_key(&number, |tag| tag.number).ok()?;
    TAGS.get(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_in_order_and_what_names_card_or_person_is_hidden() {
        assert!(TAGS.is_sorted_by(|one, next| one.number < next.number));
        for number in [0x56, 0x57, 0x5A, 0x5F20, 0x5F24, 0x9F0B, 0x9F1F, 0x9F20, 0x9F6B] {
            assert!(known(number).is_some_and(|tag| !tag.shown), "{number:X}");
        }
        assert!(known(0x9F26).is_some_and(|tag| tag.shown) && known(0xDF8129).is_none());
    }
}
