//! What the targets share: the built-in profiles, and a look at everything that a message gives out.

use std::sync::OnceLock;

use iso8583::profile::{ASCII_1987, HOST_LINK, POS_TERMINAL};
use iso8583::{Message, Profile, Value, tlv};

/// `pos_terminal`, `host_link`, `ascii_1987`.
pub fn profiles() -> &'static [Profile; 3] {
    static PROFILES: OnceLock<[Profile; 3]> = OnceLock::new();
    PROFILES.get_or_init(|| {
        [POS_TERMINAL, HOST_LINK, ASCII_1987].map(|text| Profile::parse(text).expect("built in"))
    })
}

/// Reads a message by a profile and, if that is possible, all of it in every way; an error is written out.
pub fn read(profile: &Profile, bytes: &[u8]) {
    let message = match Message::decode(profile, bytes) {
        Ok(message) => message,
        Err(error) => {
            if let Ok((kept, wrong)) = Message::decode_until_wrong(profile, bytes) {
                assert_eq!(wrong, Some(error));
                assert!(kept.fields().all(|number| kept.value(number).is_ok()));
                let _ = format!("{kept:?}");
            }
            assert!(error.offset.is_some_and(|offset| offset <= bytes.len()), "{error}");
            return;
        }
    };
    let _ = format!("{message:?}");
    let mut end = 0;
    let mut out = [0; 999];
    for number in 0..=u8::MAX {
        let Ok(value) = message.value(number) else {
            assert!(message.place(number).is_none() && !message.has(number));
            continue;
        };
        let place = message.place(number).expect("what has a value has a place");
        assert!(place.start >= end && place.end <= bytes.len(), "fields lie one behind the other");
        assert_eq!(message.before(number), bytes.get(..place.start));
        end = place.end;
        let _ = (message.amount(number), message.text(number), message.bytes(number));
        let _ = message.copy_bytes(number, &mut out);
        for index in 0..9 {
            let _ = message.part(number, index).map(|part| format!("{part:?}"));
        }
        if let Value::Digits(digits) = value {
            assert_eq!(digits.iter().count(), digits.len());
        }
    }
    assert_eq!(end.max(1), if end == 0 { 1 } else { bytes.len() }, "nothing follows the last field");
    let _ = message.bytes(55).map(tlv::check);
}
