//! Random bytes and altered messages: read or refused, never a panic, and what was read is written the same.

use iso8583::{Builder, Message, Profile, tlv};
use proptest::prelude::{any, prop};
use proptest::{prop_assert_eq, proptest};

use crate::support::{profiles, sale};

/// Reads and, if that is possible, writes again: the same bytes, or (an equals sign that was packed) the same values.
fn read_and_write(profile: &Profile, bytes: &[u8]) -> Option<(Vec<u8>, String)> {
    let read = Message::decode(profile, bytes).ok()?;
    let _ = tlv::check(read.bytes(55).unwrap_or_default());
    let shown = format!("{read:?}");
    Some((Builder::from_message(profile, &read).unwrap().encode().unwrap(), shown))
}

proptest! {
    #[test]
    fn random_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for profile in profiles() {
            read_and_write(&profile, &bytes);
        }
        let _ = tlv::check(&bytes);
    }

    #[test]
    fn a_sale_with_altered_bytes_is_refused_or_written_the_same(
        changes in prop::collection::vec((0_usize..250, any::<u8>()), 0..4),
    ) {
        let [profile, ..] = profiles();
        let mut bytes = sale(&profile);
        for (at, byte) in changes {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        if let Some((again, _)) = read_and_write(&profile, &bytes) {
            prop_assert_eq!(again, bytes);
        }
    }

    #[test]
    fn what_is_built_is_read(
        card in "[0-9]{0,19}", amount in 0_i64..=999_999_999_999, track in "[0-9=]{0,37}", name in "[ -~]{0,40}",
        pin in any::<[u8; 8]>(), chip in prop::collection::vec(any::<u8>(), 0..=255), second in any::<bool>(),
    ) {
        for profile in profiles() {
            let mut message = Builder::new(&profile, *b"0200").unwrap();
            message.digits(2, &card).unwrap().amount(4, amount).unwrap().digits(35, &track).unwrap();
            message.bytes(52, &pin).unwrap().bytes(55, &chip).unwrap();
            if profile.bitmap().bits == 128 {
                message.text(43, &name).unwrap();
                if second {
                    message.text(102, name.get(..28).unwrap_or(&name)).unwrap();
                }
            }
            let bytes = message.encode().unwrap();
            let read = Message::decode(&profile, &bytes).unwrap();
            prop_assert_eq!(read.digits(2).unwrap().iter().collect::<Vec<_>>(), card.as_bytes());
            prop_assert_eq!(read.amount(4), Ok(amount));
            let mut out = [0; 255];
            prop_assert_eq!(read.copy_bytes(52, &mut out).unwrap(), pin);
            prop_assert_eq!(read.copy_bytes(55, &mut out).unwrap(), &*chip);
            prop_assert_eq!(Builder::from_message(&profile, &read).unwrap().encode().unwrap(), bytes);
        }
    }
}
