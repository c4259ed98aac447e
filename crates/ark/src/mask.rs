//! What of a personal field is shown by default (脱敏).
//!
//! | kind | shown | example |
//! |---|---|---|
//! | bank account, card | first 6, last 4 | `622202*********0123` |
//! | phone | first 3, last 4 | `138****5678` |
//! | identity number | first 3, last 4 | `110***********0012` |
//! | name | first character | `张**` |
//! | login | first character and the domain of an e-mail address; else as a phone | `z***@example.com` |
//! | address | first 6 characters | `北京市朝阳区******` |
//! | credential | nothing | `******` |
//!
//! Card 6+4 and phone 3+4 are the practice under JR/T 0171; the others are our decision. Two invariants hold for
//! numbers: one `*` stands for one character, and at least [`HIDDEN_MIN`] characters are hidden: a text too short for
//! that shows its tail only, a still shorter one nothing. Counted in characters, so no text is ever cut inside one.

/// Numbers hide at least so many characters; fewer could be guessed by trying.
pub const HIDDEN_MIN: usize = 4;

/// Stands where even the length says too much.
const HIDDEN: &str = "******";

/// First 6 and last 4.
#[must_use]
pub fn bank_account(text: &str) -> String {
    keep(text, 6, 4)
}

/// First 3 and last 4.
#[must_use]
pub fn phone(text: &str) -> String {
    keep(text, 3, 4)
}

/// First 3 and last 4: no date of birth, no full region.
#[must_use]
pub fn identity_number(text: &str) -> String {
    keep(text, 3, 4)
}

/// The first character, which of a Chinese name is the family name; a name of one character is hidden.
#[must_use]
pub fn name(text: &str) -> String {
    let length = text.chars().count();
    let shown = usize::from(length > 1);
    text.chars().take(shown).chain(stars(length - shown)).collect()
}

/// First character and domain of an e-mail address; any other login as a phone number.
#[must_use]
pub fn login(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((local, domain)) if local.chars().nth(1).is_some() => {
            local.chars().take(1).chain("***@".chars()).chain(domain.chars()).collect()
        }
        Some((_, domain)) => format!("***@{domain}"),
        None => phone(text),
    }
}

/// The first 6 characters, commonly province and city, of an address with at least as many more.
#[must_use]
pub fn address(text: &str) -> String {
    const SHOWN: usize = 6;
    let shown = if text.chars().count() >= 2 * SHOWN { SHOWN } else { 0 };
    text.chars().take(shown).chain(HIDDEN.chars()).collect()
}

/// Nothing, not even the length.
#[must_use]
pub fn credential(_text: &str) -> String {
    HIDDEN.to_owned()
}

/// Shows `head` first and `tail` last characters if at least [`HIDDEN_MIN`] stay hidden; else the tail, else nothing.
fn keep(text: &str, head: usize, tail: usize) -> String {
    let length = text.chars().count();
    let (head, tail) = if length >= head + tail + HIDDEN_MIN {
        (head, tail)
    } else if length >= tail + HIDDEN_MIN {
        (0, tail)
    } else {
        (0, 0)
    };
    let hidden = length - head - tail;
    text.chars().take(head).chain(stars(hidden)).chain(text.chars().skip(head + hidden)).collect()
}

fn stars(count: usize) -> impl Iterator<Item = char> {
    std::iter::repeat_n('*', count)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{HIDDEN_MIN, address, bank_account, credential, identity_number, login, name, phone};

    #[test]
    fn masks_of_the_table() {
        type Mask = fn(&str) -> String;
        let table: [(Mask, &str, &str); 20] = [
            (bank_account, "6222021234567890123", "622202*********0123"),
            (bank_account, "6222021234567890", "622202******7890"),
            (bank_account, "622202123456", "********3456"),
            (bank_account, "1234567", "*******"),
            (phone, "13812345678", "138****5678"),
            (phone, "+8613812345678", "+86*******5678"),
            (phone, "62345678", "****5678"),
            (phone, "110", "***"),
            (identity_number, "110101199001010012", "110***********0012"),
            (identity_number, "E12345678", "*****5678"),
            (name, "张三", "张*"),
            (name, "欧阳娜娜", "欧***"),
            (name, "𠮷野", "𠮷*"),
            (name, "王", "*"),
            (name, "", ""),
            (login, "zhang@example.com", "z***@example.com"),
            (login, "z@example.com", "***@example.com"),
            (address, "北京市朝阳区建国路一号院二号楼", "北京市朝阳区******"),
            (address, "朝阳路一号", "******"),
            (credential, "0011", "******"),
        ];
        for (mask, text, expected) in table {
            assert_eq!(mask(text), expected, "mask of {text}");
        }
    }

    proptest! {
        #[test]
        fn numbers_keep_their_length_and_hide_enough(text in "\\PC{0,40}") {
            for mask in [bank_account, phone, identity_number] {
                let shown = mask(&text);
                let changed = text.chars().zip(shown.chars()).filter(|(was, is)| was != is || *was == '*').count();
                prop_assert_eq!(shown.chars().count(), text.chars().count());
                prop_assert!(changed >= HIDDEN_MIN.min(text.chars().count()));
            }
        }

        #[test]
        fn no_mask_shows_the_whole_text(text in "[0-9a-z张三李四]{1,40}") {
            for mask in [bank_account, phone, identity_number, name, login, address, credential] {
                prop_assert!(!mask(&text).contains(&text));
            }
        }
    }
}
