//! What terminals and networks send: keys under keys, PIN blocks, card numbers, MACs.
#![no_main]

use std::sync::OnceLock;

use ark::{
    Financial as _,
    financial::{PinSide, Purpose, TerminalCipher, TerminalKey, TerminalMac},
};
use ark_fuzz::{choice, part, soft};
use libfuzzer_sys::fuzz_target;

const CIPHERS: [TerminalCipher; 2] = [TerminalCipher::TripleDes2, TerminalCipher::Sm4];

fn keys() -> &'static [[TerminalKey; 3]; 2] {
    static KEYS: OnceLock<[[TerminalKey; 3]; 2]> = OnceLock::new();
    KEYS.get_or_init(|| {
        CIPHERS.map(|cipher| {
            [Purpose::Master, Purpose::Pin, Purpose::Mac]
                .map(|purpose| soft().generate_terminal_key(purpose, cipher).expect("random bytes"))
        })
    })
}

fuzz_target!(|data: &[u8]| {
    let Some((chosen, data)) = choice(data) else { return };
    let (side, other) = (chosen % 2, chosen / 2 % 2);
    let ([master, pin, mac], cipher) = (keys()[side], CIPHERS[side]);
    let (first, second) = part(data);
    if let Ok(key) = soft().import_terminal_key(Purpose::Mac, cipher, first, second, master) {
        soft().destroy_terminal_key(key);
    }
    if let Ok(card_number) = str::from_utf8(first) {
        let (from, to) = (PinSide { key: pin, card_number }, PinSide { key: keys()[other][1], card_number });
        let _ = soft().translate_pin(from, to, second);
    }
    for form in [TerminalMac::Ecb, TerminalMac::Cbc, TerminalMac::X919] {
        let _ = soft().check_terminal_mac(mac, form, second, first);
    }
});
