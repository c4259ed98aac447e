//! The financial commands through their boundary, with the vectors of terminals.

use ark::{
    Financial as _, Secret, Soft,
    device::Profile,
    financial::{PinSide, Purpose, TerminalCipher, TerminalKey, TerminalMac, Track, TrackForm, TrackSide},
    provider::KeyError,
};

use crate::support::{bytes, unhex};

const TMK: &str = "CA5D92598DCA48CE8A4C76361A9269E9";
/// What a sign-in answer brings: PIN key, its check value, MAC key of single length, zeros, its check value.
const SIGN_IN: &str = "6701EAD6A9AD51E51AA406E2C27FCFA98D0A74B8B651F9E9BACE9AE10000000000000000AB7153CA";
/// Made up, of 37 characters.
const TRACK: &str = "6230606601007726888D30122010000012345";
const SM4_MAC_KEY: &str = "0123456789ABCDEFFEDCBA9876543210";

fn soft() -> Soft {
    Soft::new().expect("self-tests pass")
}

/// A key whose bytes the test knows: formed of two components, as a custodian would bring it.
fn known(soft: &Soft, purpose: Purpose, cipher: TerminalCipher, key: &str) -> TerminalKey {
    let key = unhex(key);
    let one = bytes(11, key.len());
    let two: Vec<u8> = one.iter().zip(&key).map(|(one, key)| one ^ key).collect();
    soft.form_terminal_key(purpose, cipher, &[&one, &two]).expect("a key")
}

fn check_value(soft: &Soft, key: TerminalKey) -> String {
    hex::encode_upper(soft.terminal_check_value(key).expect("there"))
}

fn code<T>(result: Result<T, KeyError>) -> &'static str {
    result.map_or_else(|error| error.code(), |_| "done")
}

#[test]
fn a_sign_in_answer_gives_the_working_keys() {
    let soft = soft();
    let master = known(&soft, Purpose::Master, TerminalCipher::TripleDes2, TMK);
    let answer = unhex(SIGN_IN);
    let pin = soft
        .import_terminal_key(Purpose::Pin, TerminalCipher::TripleDes2, &answer[..16], &answer[16..20], master)
        .expect("the check value fits");
    let mac = soft
        .import_terminal_key(Purpose::Mac, TerminalCipher::Des, &answer[20..28], &answer[36..40], master)
        .expect("the check value fits");
    let known_pin = known(&soft, Purpose::Pin, TerminalCipher::TripleDes2, "807A23AD32B36D457AE91FDF927570EA");
    let known_mac = known(&soft, Purpose::Mac, TerminalCipher::Des, "5BB5C72CD00B7338");
    assert_eq!(check_value(&soft, pin), check_value(&soft, known_pin));
    assert_eq!(check_value(&soft, mac), check_value(&soft, known_mac));
    assert_eq!(check_value(&soft, pin)[..8], SIGN_IN[32..40]);
    assert_eq!(check_value(&soft, mac)[..8], SIGN_IN[72..80]);
    // And out again as it came in.
    assert_eq!(soft.export_terminal_key(pin, master).expect("out"), answer[..16]);
    assert_eq!(soft.export_terminal_key(mac, master).expect("out"), answer[20..28]);

    let import = |encrypted: &[u8], check: &[u8]| {
        code(soft.import_terminal_key(Purpose::Pin, TerminalCipher::TripleDes2, encrypted, check, master))
    };
    assert_eq!(import(&answer[..16], &answer[17..21]), "decryption_failed", "another check value");
    assert_eq!(import(&answer[1..17], &answer[16..20]), "decryption_failed", "another key");
    assert_eq!(import(&answer[..15], &answer[16..20]), "decryption_failed", "another length");
    assert_eq!(import(b"", &answer[16..20]), "decryption_failed");
    assert_eq!(import(&answer[..16], &answer[16..18]), "length_invalid", "a check value that proves little");
}

#[test]
fn an_sm4_master_key_brings_a_key() {
    let soft = soft();
    let master = known(&soft, Purpose::Master, TerminalCipher::Sm4, "1234567890ABCDEFABCDEF0987654321");
    let (encrypted, check) = (unhex("3D66234C49E4296FF9C78D8BACBD6A76"), unhex("861E83E31FAEBF10"));
    let key = soft.import_terminal_key(Purpose::Mac, TerminalCipher::Sm4, &encrypted, &check, master).expect("fits");
    assert_eq!(check_value(&soft, key), "861E83E31FAEBF10");
    let des = soft.generate_terminal_key(Purpose::Mac, TerminalCipher::Des).expect("random bytes");
    assert_eq!(code(soft.export_terminal_key(des, master)), "key_purpose", "8 bytes are no block of SM4");
}

#[test]
fn macs_of_every_form() {
    let soft = soft();
    let sm4 = known(&soft, Purpose::Mac, TerminalCipher::Sm4, SM4_MAC_KEY);
    let message = b"12345678".repeat(5);
    let mac = soft.terminal_mac(sm4, TerminalMac::Ecb, &message).expect("a MAC");
    assert_eq!(&mac, b"9EC7D31F");
    soft.check_terminal_mac(sm4, TerminalMac::Ecb, &message, &mac).expect("its own");

    // FIPS 113, appendix 2: the chain under DES, X9.9.
    let des = known(&soft, Purpose::Mac, TerminalCipher::Des, "0123456789ABCDEF");
    let message = b"7654321 Now is the time for ";
    let mac = soft.terminal_mac(des, TerminalMac::Cbc, message).expect("a MAC");
    assert_eq!(hex::encode_upper(mac), "F1D30F6849312CA4");

    // ISO/IEC 9797-1, annex B, algorithm 3 with padding 1.
    let two = known(&soft, Purpose::Mac, TerminalCipher::TripleDes2, "0123456789ABCDEFFEDCBA9876543210");
    let mac = soft.terminal_mac(two, TerminalMac::X919, b"Now is the time for all ").expect("a MAC");
    assert_eq!(hex::encode_upper(mac), "A1C72E74EA3FA9B6");

    for (key, form) in [
        (sm4, TerminalMac::Cmac),
        (two, TerminalMac::Cmac),
        (sm4, TerminalMac::Ecb),
        (des, TerminalMac::Ecb),
        (two, TerminalMac::Cbc),
        (two, TerminalMac::X919),
    ] {
        for length in [0, 1, 7, 8, 9, 16, 17, 100] {
            let message = bytes(length as u64, length);
            let mac = soft.terminal_mac(key, form, &message).expect("a MAC");
            assert_eq!(code(soft.check_terminal_mac(key, form, &message, &mac)), "done");
            let longer = [message.as_slice(), &[1]].concat();
            assert_eq!(code(soft.check_terminal_mac(key, form, &longer, &mac)), "tag_mismatch");
            assert_eq!(code(soft.check_terminal_mac(key, form, &message, &mac[..7])), "tag_mismatch");
        }
    }
    assert_eq!(code(soft.terminal_mac(sm4, TerminalMac::X919, b"")), "key_purpose");
    assert_eq!(code(soft.terminal_mac(des, TerminalMac::X919, b"")), "key_purpose");
}

/// A PIN block of the vector goes from SM4 to triple DES and back, and is then the same.
#[test]
fn a_pin_is_translated_between_ciphers_and_cards() {
    let soft = soft();
    let sm4 = known(&soft, Purpose::Pin, TerminalCipher::Sm4, "F351D490994603795C6EBEE8FAEBB481");
    let zone = soft.generate_terminal_key(Purpose::Pin, TerminalCipher::TripleDes2).expect("random bytes");
    let card = "6230606601007726888";
    let block = unhex("CD01D6AD8F0A484C52A9364A0595AD60");
    let side = |key, card_number| PinSide { key, card_number };
    let at_zone = soft.translate_pin(side(sm4, card), side(zone, card), &block).expect("a PIN block");
    assert_eq!(at_zone.len(), 8);
    assert_eq!(soft.translate_pin(side(zone, card), side(sm4, card), &at_zone).expect("a PIN block"), block);
    // Under another card number on the far side, and back.
    let other = "123456789012345678";
    let moved = soft.translate_pin(side(sm4, card), side(zone, other), &block).expect("a PIN block");
    assert_ne!(moved, at_zone);
    assert_eq!(soft.translate_pin(side(zone, other), side(sm4, card), &moved).expect("a PIN block"), block);

    let translate = |from, block: &[u8]| code(soft.translate_pin(from, side(zone, card), block));
    assert_eq!(translate(side(sm4, other), &block), "decryption_failed", "another card");
    assert_eq!(translate(side(sm4, card), &block[..15]), "decryption_failed");
    assert_eq!(translate(side(zone, card), &block), "decryption_failed", "a block of another length");
    assert_eq!(translate(side(sm4, "12345"), &block), "length_invalid");
    for place in 0..block.len() {
        let mut altered = block.clone();
        altered[place] ^= 1;
        assert_eq!(translate(side(sm4, card), &altered), "decryption_failed");
    }
}

#[test]
fn a_production_does_no_financial_commands_in_this_process() {
    let soft = Soft::for_profile(Profile::Production).expect("self-tests pass");
    // Of another provider; in a production it is not looked at.
    let key = self::soft().generate_terminal_key(Purpose::Master, TerminalCipher::Sm4).expect("random bytes");
    let side = PinSide { key, card_number: "6230606601007726888" };
    let track = TrackSide { key, form: TrackForm::Whole };
    let (purpose, cipher) = (Purpose::Pin, TerminalCipher::Sm4);
    for refused in [
        code(soft.generate_terminal_key(purpose, cipher)),
        code(soft.form_terminal_key(purpose, cipher, &[&[1; 16], &[2; 16]])),
        code(soft.import_terminal_key(purpose, cipher, &[0; 16], &[0; 4], key)),
        code(soft.export_terminal_key(key, key)),
        code(soft.terminal_check_value(key)),
        code(soft.terminal_mac(key, TerminalMac::Ecb, b"")),
        code(soft.check_terminal_mac(key, TerminalMac::Ecb, b"", b"")),
        code(soft.translate_pin(side, side, &[0; 16])),
        code(soft.encrypt_track(track, Track::Two, &Secret::new(TRACK.to_owned()))),
        code(soft.translate_track(track, track, Track::Two, TRACK)),
        code(soft.derive_terminal_key(purpose, key, &[0; 8])),
    ] {
        assert_eq!(refused, "profile_production");
    }
}

#[test]
fn a_key_serves_its_purpose_only() {
    let soft = soft();
    let key = |purpose| soft.generate_terminal_key(purpose, TerminalCipher::TripleDes2).expect("random bytes");
    let (master, pin, mac) = (key(Purpose::Master), key(Purpose::Pin), key(Purpose::Mac));
    let card = "6230606601007726888";
    for wrong in [pin, mac] {
        assert_eq!(code(soft.export_terminal_key(pin, wrong)), "key_purpose");
        let import = soft.import_terminal_key(Purpose::Pin, TerminalCipher::Sm4, &[0; 16], &[0; 4], wrong);
        assert_eq!(code(import), "key_purpose");
    }
    for wrong in [master, pin] {
        assert_eq!(code(soft.terminal_mac(wrong, TerminalMac::Cbc, b"")), "key_purpose");
    }
    for wrong in [master, mac] {
        let (wrong, right) = (PinSide { key: wrong, card_number: card }, PinSide { key: pin, card_number: card });
        assert_eq!(code(soft.translate_pin(wrong, right, &[0; 8])), "key_purpose");
        assert_eq!(code(soft.translate_pin(right, wrong, &[0; 8])), "key_purpose");
    }
    for purpose in [Purpose::Master, Purpose::Pin] {
        assert_eq!(code(soft.generate_terminal_key(purpose, TerminalCipher::Des)), "key_purpose");
    }
    soft.destroy_terminal_key(pin);
    assert_eq!(code(soft.terminal_check_value(pin)), "terminal_key_unknown");
}

#[test]
fn components_form_a_key_or_none() {
    let soft = soft();
    let form =
        |components: &[&[u8]]| code(soft.form_terminal_key(Purpose::Master, TerminalCipher::TripleDes2, components));
    let (one, two) = (bytes(1, 16), bytes(2, 16));
    assert_eq!(form(&[&one, &two]), "done");
    assert_eq!(form(&[&one]), "length_invalid", "one custodian would know the key");
    assert_eq!(form(&[one.as_slice(); 10]), "length_invalid");
    assert_eq!(form(&[&one, &two[1..]]), "length_invalid");
    assert_eq!(form(&[&one, &one]), "decryption_failed", "zeros: both parts are equal");
    let ordered = |components: &[&[u8]]| {
        let key = soft.form_terminal_key(Purpose::Master, TerminalCipher::Sm4, components).expect("a key");
        check_value(&soft, key)
    };
    assert_eq!(ordered(&[&one, &two]), ordered(&[&two, &one]), "in any order");
    assert_ne!(ordered(&[&one, &two]), ordered(&[&one, &two, &bytes(3, 16)]));
}

/// What is encrypted is compared block by block with another command over the same key bytes: a key that goes out under
/// a master key is encrypted the same way.
#[test]
fn a_track_is_encrypted_whole_or_its_tail() {
    let soft = soft();
    let (bytes, text) = ("0123456789ABCDEFFEDCBA9876543210", Secret::new(TRACK.to_owned()));
    let data = known(&soft, Purpose::Data, TerminalCipher::TripleDes2, bytes);
    let master = known(&soft, Purpose::Master, TerminalCipher::TripleDes2, bytes);
    let encrypted = |clear: &str| {
        let key = known(&soft, Purpose::Mac, TerminalCipher::TripleDes2, clear);
        hex::encode_upper(soft.export_terminal_key(key, master).expect("out"))
    };
    let side = |form| TrackSide { key: data, form };
    let tail = soft.encrypt_track(side(TrackForm::Tail), Track::Two, &text).expect("a track");
    let block = &encrypted(&format!("{}0000000000000000", &TRACK[20..36]))[..16];
    assert_eq!(tail, format!("{}{block}{}", &TRACK[..20], &TRACK[36..]));
    let whole = soft.encrypt_track(side(TrackForm::Whole), Track::Two, &text).expect("a track");
    let last = format!("{}FFFFFFFFFFF0000000000000000", &TRACK[32..]);
    assert_eq!(whole, format!("{}{}", encrypted(&TRACK[..32]), &encrypted(&last)[..16]));
    let short = Secret::new("6230606601007D".to_owned());
    assert_eq!(code(soft.encrypt_track(side(TrackForm::Tail), Track::Two, &short)), "length_invalid");
    let none = Secret::new("6230606601007726888".to_owned());
    let refused = soft.encrypt_track(side(TrackForm::Whole), Track::Two, &none).expect_err("no separator");
    assert_eq!(refused.code(), "length_invalid");
    assert!(!format!("{refused} {refused:?}").contains("6230606601007726888"));
}

#[test]
fn a_track_is_translated_and_gives_out_its_card_number_only() {
    let soft = soft();
    let (terminal, zone) = (
        soft.generate_terminal_key(Purpose::Data, TerminalCipher::TripleDes2).expect("random bytes"),
        soft.generate_terminal_key(Purpose::Data, TerminalCipher::Sm4).expect("random bytes"),
    );
    let sides =
        [(terminal, TrackForm::Tail), (terminal, TrackForm::Whole), (zone, TrackForm::Tail), (zone, TrackForm::Whole)]
            .map(|(key, form)| TrackSide { key, form });
    let three = format!("99{TRACK}D000000000000D0000");
    for (track, text) in
        [(Track::Two, TRACK), (Track::Two, "6230606601007726D3012201000000123456"), (Track::Three, &three)]
    {
        let all = sides.map(|side| soft.encrypt_track(side, track, &Secret::new(text.to_owned())).expect("a track"));
        for (from, encrypted) in sides.iter().zip(&all) {
            for (to, expected) in sides.iter().zip(&all) {
                let translated = soft.translate_track(*from, *to, track, encrypted);
                let shorter = to.form == TrackForm::Tail && to.key == terminal;
                let shows = to.form == TrackForm::Tail && from.form == TrackForm::Whole;
                if shows || (shorter && from.key == zone) {
                    assert_eq!(code(translated), "key_purpose", "it would show what came encrypted: {from:?} {to:?}");
                    continue;
                }
                let translated = translated.expect("a track");
                assert_eq!(&translated.track, expected, "{from:?} {to:?}");
                let digits = text.trim_start_matches("99").split('D').next().expect("a card number");
                assert_eq!(translated.card_number.expose(), digits);
                assert!(!format!("{translated:?}").contains(digits));
            }
        }
    }
    let whole = soft.encrypt_track(sides[3], Track::Two, &Secret::new(TRACK.to_owned())).expect("a track");
    let translate = |text: &str| code(soft.translate_track(sides[3], sides[1], Track::Two, text));
    assert_eq!(translate(&whole), "done");
    for place in 0..whole.len() {
        let mut altered = whole.clone().into_bytes();
        altered[place] = if altered[place] == b'0' { b'1' } else { b'0' };
        assert_eq!(translate(std::str::from_utf8(&altered).expect("digits")), "decryption_failed", "{place}");
    }
    for bad in ["", "0", &whole[1..], "not hexadecimal at all, I fear", TRACK] {
        assert_eq!(translate(bad), "decryption_failed", "{bad}");
    }
    let other = soft.generate_terminal_key(Purpose::Pin, TerminalCipher::Sm4).expect("random bytes");
    let wrong = TrackSide { key: other, form: TrackForm::Whole };
    assert_eq!(code(soft.translate_track(wrong, sides[1], Track::Two, &whole)), "key_purpose");
    assert_eq!(code(soft.translate_track(sides[3], wrong, Track::Two, &whole)), "key_purpose");
}

/// The derived key is what its factor and complement would be under a master key of the same bytes.
#[test]
fn keys_are_derived_from_factors() {
    let soft = soft();
    for cipher in [TerminalCipher::TripleDes2, TerminalCipher::Sm4] {
        let from = known(&soft, Purpose::Derive, cipher, SM4_MAC_KEY);
        let master = known(&soft, Purpose::Master, cipher, SM4_MAC_KEY);
        let derived = soft.derive_terminal_key(Purpose::Mac, from, &[1, 2, 3, 4, 5, 6, 7, 8]).expect("a key");
        let block = known(&soft, Purpose::Mac, cipher, "0102030405060708FEFDFCFBFAF9F8F7");
        let bytes = hex::encode(soft.export_terminal_key(block, master).expect("out"));
        let expected = known(&soft, Purpose::Mac, cipher, &bytes);
        assert_eq!(check_value(&soft, derived), check_value(&soft, expected));
        soft.terminal_mac(derived, TerminalMac::Cbc, b"m").expect("it has the purpose asked for");
        assert_eq!(code(soft.derive_terminal_key(Purpose::Mac, master, &[0; 8])), "key_purpose");
        assert_eq!(code(soft.export_terminal_key(block, from)), "key_purpose", "it would give out what it derives");
    }
}
