//! What terminals and networks send: keys under keys, PIN blocks, card numbers, tracks, MACs.
#![no_main]

use std::sync::OnceLock;

use ark::{
    Financial as _,
    financial::{PinSide, Purpose, TerminalCipher, TerminalKey, TerminalMac, Track, TrackForm, TrackSide},
};
use ark_fuzz::{choice, part, soft};
use libfuzzer_sys::fuzz_target;

const CIPHERS: [TerminalCipher; 2] = [TerminalCipher::TripleDes2, TerminalCipher::Sm4];

fn keys() -> &'static [[TerminalKey; 4]; 2] {
    static KEYS: OnceLock<[[TerminalKey; 4]; 2]> = OnceLock::new();
    KEYS.get_or_init(|| {
        CIPHERS.map(|cipher| {
            [Purpose::Master, Purpose::Pin, Purpose::Mac, Purpose::Data]
                .map(|purpose| soft().generate_terminal_key(purpose, cipher).expect("random bytes"))
        })
    })
}

fuzz_target!(|data: &[u8]| {
    let Some((chosen, input)) = choice(data) else { return };
    let (side, other) = (chosen % 2, chosen / 2 % 2);
    let ([master, pin, mac, data], cipher) = (keys()[side], CIPHERS[side]);
    let (first, second) = part(input);
    if let Ok(key) = soft().import_terminal_key(Purpose::Mac, cipher, first, second, master) {
        soft().destroy_terminal_key(key);
    }
    if let Ok(card_number) = str::from_utf8(first) {
        let (from, to) = (PinSide { key: pin, card_number }, PinSide { key: keys()[other][1], card_number });
        let _ = soft().translate_pin(from, to, second);
    }
    if let Ok(text) = str::from_utf8(second) {
        let track = if chosen & 4 == 0 { Track::Two } else { Track::Three };
        let forms = [TrackForm::Whole, TrackForm::Tail];
        let (from, to) = (
            TrackSide { key: data, form: forms[chosen / 8 % 2] },
            TrackSide { key: keys()[other][3], form: forms[chosen / 16 % 2] },
        );
        let _ = soft().translate_track(from, to, track, text);
        let _ = soft().encrypt_track(from, track, &text.into());
    }
    for form in [TerminalMac::Ecb, TerminalMac::Cbc, TerminalMac::X919, TerminalMac::Cmac] {
        let _ = soft().check_terminal_mac(mac, form, second, first);
    }
});
