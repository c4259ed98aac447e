//! Keys of terminals and zones in the key service: the vectors of terminals by name, what states, sides and callers allow,
//! what a restart finds, in this process and with a financial module.

use std::{fs, path::Path, sync::Arc};

use ark::{
    KeyService, Provider as _, Secret, Soft,
    device::Profile,
    financial::{Purpose as Duty, TerminalCipher, TerminalMac, Track, TrackForm},
    keys::{Birth, By, Error, Info, KEYS_NAME, KeyAt, PinAt, Purpose, Spec, State, Step, TrackAt},
    provider::{Cipher, KeyKind},
};
use rusqlite::Connection;

use crate::{
    fhsm::{self, Module},
    keys::{again, service},
    support::{bytes, unhex},
};

const NOW: i64 = 1_800_000_000_000;
const BY: By<'static> = By::new("test", "why not", NOW);
const TMK: &str = "CA5D92598DCA48CE8A4C76361A9269E9";
/// What a sign-in answer brings: PIN key, its check value, MAC key of single length, zeros, its check value.
const SIGN_IN: &str = "6701EAD6A9AD51E51AA406E2C27FCFA98D0A74B8B651F9E9BACE9AE10000000000000000AB7153CA";
const PIK: &str = "807A23AD32B36D457AE91FDF927570EA";
const SM4_PIK: &str = "F351D490994603795C6EBEE8FAEBB481";
const SM4_MAK: &str = "0123456789ABCDEFFEDCBA9876543210";
const CARD: &str = "6230606601007726888";
const TRACK: &str = "6230606601007726888D30122010000012345";

const DES: TerminalCipher = TerminalCipher::Des;
const TRIPLE: TerminalCipher = TerminalCipher::TripleDes2;
const SM4: TerminalCipher = TerminalCipher::Sm4;

fn code<T>(result: Result<T, Error>) -> &'static str {
    result.map_or_else(|error| error.code(), |_| "ok")
}

fn by(caller: &'static str) -> By<'static> {
    By { caller, ..BY }
}

fn spec(name: &str, cipher: TerminalCipher, purpose: Purpose) -> Spec<'_> {
    Spec { exportable: true, ..Spec::new(name, cipher, purpose) }
}

fn check(info: &Info) -> String {
    let value = info.versions.last().and_then(|version| version.check_value).expect("a check value");
    hex::encode_upper(value)
}

/// A key whose bytes the test knows: two custodians bring their components.
fn known(service: &KeyService, spec: &Spec<'_>, key: &str) -> Info {
    let key = unhex(key);
    let one = bytes(11, key.len());
    let two: Vec<u8> = one.iter().zip(&key).map(|(one, key)| one ^ key).collect();
    service.begin_terminal_key(&BY, spec, Birth::Key, 2).expect("begun");
    let first = service.bring_component(&by("one"), spec.name, &one).expect("brought");
    assert_eq!((first.found, first.wanted, first.key), (1, 2, None));
    service.bring_component(&by("two"), spec.name, &two).expect("brought").key.expect("formed")
}

fn pin<'a>(name: &'a str, card_number: &'a str) -> PinAt<'a> {
    PinAt { key: KeyAt::current(name), card_number }
}

/// One block, or several each by itself, under a key that the test knows.
fn block(cipher: TerminalCipher, key: &str, clear: &[u8], encrypt: bool) -> Vec<u8> {
    let soft = Soft::new().expect("self-tests pass");
    let kind = if cipher == SM4 { KeyKind::Sm4 } else { KeyKind::TripleDes2 };
    let key = soft.import(kind, &unhex(key)).expect("a key");
    if encrypt {
        return soft.encrypt(key, Cipher::Ecb, clear).expect("encrypted");
    }
    soft.decrypt(key, Cipher::Ecb, clear).expect("decrypted").to_vec()
}

#[test]
fn a_sign_in_answer_gives_the_working_keys_by_name() {
    let (_directory, service, _root) = service();
    known(&service, &spec("t1/tmk", TRIPLE, Purpose::Terminal(Duty::Master)), TMK);
    let answer = unhex(SIGN_IN);
    let pik = spec("t1/pik", TRIPLE, Purpose::Terminal(Duty::Pin));
    let mak = spec("t1/mak", DES, Purpose::Terminal(Duty::Mac));
    let import = |spec: &Spec<'_>, birth, from: usize, length: usize, check: usize| {
        let brought = (&answer[from..from + length], &answer[check..check + 4]);
        service.import_terminal_key(&BY, spec, birth, brought, "t1/tmk")
    };
    let info = import(&pik, Birth::Key, 0, 16, 16).expect("its check value fits");
    assert_eq!(check(&info)[..8], SIGN_IN[32..40]);
    assert_eq!(check(&info), check(&known(&service, &spec("same", TRIPLE, Purpose::Terminal(Duty::Pin)), PIK)));
    let info = import(&mak, Birth::Key, 20, 8, 36).expect("its check value fits");
    assert_eq!(check(&info)[..8], SIGN_IN[72..80]);
    let made = service.terminal_check_value(&BY, KeyAt::current("t1/mak")).expect("there");
    assert_eq!(hex::encode_upper(made), check(&info), "the provider says the same as the file");
    // And out again as it came in.
    let out = |name, under| service.export_terminal_key(&BY, KeyAt::current(name), under);
    assert_eq!(out("t1/pik", "t1/tmk").expect("out").encrypted, answer[..16]);
    assert_eq!(out("t1/mak", "t1/tmk").expect("out").encrypted, answer[20..28]);

    assert_eq!(code(import(&pik, Birth::Key, 0, 16, 16)), "key_exists");
    let again = import(&pik, Birth::Version, 0, 16, 16).expect("the next sign-in");
    let states: Vec<State> = again.versions.iter().map(|version| version.state).collect();
    assert_eq!(states, [State::Deactivated, State::Active]);
    let other = spec("t1/pik", SM4, Purpose::Terminal(Duty::Pin));
    assert_eq!(code(import(&other, Birth::Version, 0, 16, 16)), "key_usage", "another kind");
    let fresh = spec("t1/new", TRIPLE, Purpose::Terminal(Duty::Pin));
    assert_eq!(code(import(&fresh, Birth::Version, 0, 16, 16)), "key_not_found");
    assert_eq!(code(import(&fresh, Birth::Key, 0, 16, 17)), "decryption_failed", "another check value");
    assert_eq!(code(import(&fresh, Birth::Key, 1, 16, 16)), "decryption_failed", "another key");
    assert_eq!(code(import(&fresh, Birth::Key, 0, 15, 16)), "decryption_failed", "another length");
}

#[test]
fn an_sm4_master_key_brings_a_key_by_name() {
    let (_directory, service, _root) = service();
    let zmk = spec("zmk", SM4, Purpose::Zone(Duty::Master));
    known(&service, &zmk, "1234567890ABCDEFABCDEF0987654321");
    let (encrypted, check_value) = (unhex("3D66234C49E4296FF9C78D8BACBD6A76"), unhex("861E83E31FAEBF10"));
    let zpk = spec("zpk", SM4, Purpose::Zone(Duty::Pin));
    let info = service.import_terminal_key(&BY, &zpk, Birth::Key, (&encrypted, &check_value), "zmk").expect("fits");
    assert_eq!(check(&info), "861E83E31FAEBF10");
    let pik = spec("pik", SM4, Purpose::Terminal(Duty::Pin));
    let other = service.import_terminal_key(&BY, &pik, Birth::Key, (&encrypted, &check_value), "zmk");
    assert_eq!(code(other), "key_usage", "a zone's master brings no terminal's key");
}

#[test]
fn a_pin_goes_from_a_terminal_to_a_zone_and_never_back() {
    let (_directory, service, _root) = service();
    known(&service, &spec("pik", TRIPLE, Purpose::Terminal(Duty::Pin)), PIK);
    known(&service, &spec("pik4", SM4, Purpose::Terminal(Duty::Pin)), SM4_PIK);
    known(&service, &spec("zpk", TRIPLE, Purpose::Zone(Duty::Pin)), TMK);
    known(&service, &spec("zpk4", SM4, Purpose::Zone(Duty::Pin)), SM4_MAK);
    let translate = |from, to, block: &[u8]| service.translate_pin(&BY, from, to, block);
    // PIN 123456 under 123456789012345678, triple DES to SM4: its clear block is that of the vector.
    let card = "123456789012345678";
    let sent = block(TRIPLE, PIK, &unhex("061253DFFEDCBA98"), true);
    let at_zone = translate(pin("pik", card), pin("zpk4", card), &sent).expect("a PIN block");
    let clear = block(SM4, SM4_MAK, &at_zone, false);
    assert_eq!(hex::encode_upper(clear), "06123456FFFFFFFFFFFF9876FEDCBA98");
    // PIN 123654 under the vector's SM4 key, to triple DES.
    let sent = unhex("CD01D6AD8F0A484C52A9364A0595AD60");
    let at_zone = translate(pin("pik4", CARD), pin("zpk", CARD), &sent).expect("a PIN block");
    assert_eq!(hex::encode_upper(block(TRIPLE, TMK, &at_zone, false)), "06125055FF88D977");
    // From zone to zone, too; to a terminal from nowhere.
    translate(pin("zpk", CARD), pin("zpk4", CARD), &at_zone).expect("a PIN block");
    assert_eq!(code(translate(pin("zpk", CARD), pin("pik4", CARD), &at_zone)), "key_usage");
    assert_eq!(code(translate(pin("pik4", CARD), pin("pik", CARD), &sent)), "key_usage");
    for place in 0..sent.len() {
        let mut altered = sent.clone();
        altered[place] ^= 1;
        assert_eq!(code(translate(pin("pik4", CARD), pin("zpk", CARD), &altered)), "decryption_failed");
    }
    assert_eq!(code(translate(pin("pik4", card), pin("zpk", card), &sent)), "decryption_failed", "another card");
    assert_eq!(code(translate(pin("pik4", "12345"), pin("zpk", CARD), &sent)), "length_invalid");
    assert!(!format!("{:?}", pin("pik4", CARD)).contains(CARD));
}

#[test]
fn macs_of_every_form_by_name() {
    let (_directory, service, _root) = service();
    known(&service, &spec("mak4", SM4, Purpose::Terminal(Duty::Mac)), SM4_MAK);
    known(&service, &spec("zak", TRIPLE, Purpose::Zone(Duty::Mac)), SM4_MAK);
    known(&service, &spec("mak", DES, Purpose::Terminal(Duty::Mac)), "0123456789ABCDEF");
    let mac = |name, form, message: &[u8]| service.terminal_mac(&BY, KeyAt::current(name), form, message);
    let made = mac("mak4", TerminalMac::Ecb, &b"12345678".repeat(5)).expect("a MAC");
    assert_eq!(&made, b"9EC7D31F");
    let x99 = mac("mak", TerminalMac::Cbc, b"7654321 Now is the time for ").expect("a MAC");
    assert_eq!(hex::encode_upper(x99), "F1D30F6849312CA4");
    let x919 = mac("zak", TerminalMac::X919, b"Now is the time for all ").expect("a MAC");
    assert_eq!(hex::encode_upper(x919), "A1C72E74EA3FA9B6");
    assert_eq!(code(mac("mak4", TerminalMac::X919, b"1")), "key_purpose");
    assert_eq!(
        code(mac("mak", TerminalMac::Cbc, b"")),
        "length_invalid",
        "a chain of no blocks is zeros under every key"
    );
    for (name, form) in [
        ("mak4", TerminalMac::Ecb),
        ("mak4", TerminalMac::Cmac),
        ("zak", TerminalMac::Ecb),
        ("zak", TerminalMac::X919),
        ("mak", TerminalMac::Cbc),
    ] {
        let verify = |message: &[u8], mac: &[u8]| {
            code(service.verify_terminal_mac(&BY, KeyAt::current(name), form, message, mac))
        };
        let mac = mac(name, form, b"a message").expect("a MAC");
        assert_eq!(verify(b"a message", &mac), "ok", "{name} {form:?}");
        assert_eq!((verify(b"another", &mac), verify(b"a message", &mac[1..])), ("tag_mismatch", "tag_mismatch"));
    }
    // The version before still verifies, and makes no more.
    service.rotate(&BY, "mak4").expect("rotated");
    let old = KeyAt { name: "mak4", version: Some(1) };
    let message = b"12345678".repeat(5);
    service.verify_terminal_mac(&BY, old, TerminalMac::Ecb, &message, &made).expect("its own");
    assert_eq!(code(service.terminal_mac(&BY, old, TerminalMac::Ecb, &message)), "key_state");
    let current = service.verify_terminal_mac(&BY, KeyAt::current("mak4"), TerminalMac::Ecb, &message, &made);
    assert_eq!(code(current), "tag_mismatch");
    let none = KeyAt { name: "mak4", version: Some(3) };
    assert_eq!(code(service.terminal_mac(&BY, none, TerminalMac::Ecb, b"")), "key_version");
}

#[test]
fn a_track_gives_out_its_card_number_only() {
    let (_directory, service, _root) = service();
    for (name, cipher, purpose) in [
        ("tdk", TRIPLE, Purpose::Terminal(Duty::Data)),
        ("zdk", SM4, Purpose::Zone(Duty::Data)),
        ("tdk4", SM4, Purpose::Terminal(Duty::Data)),
    ] {
        service.create(&BY, &spec(name, cipher, purpose)).expect("a new key");
    }
    let side = |name, form| TrackAt { key: KeyAt::current(name), form };
    let text = Secret::new(TRACK.to_owned());
    for form in [TrackForm::Whole, TrackForm::Tail] {
        let sent = service.encrypt_track(&BY, side("tdk", form), Track::Two, &text).expect("a track");
        let expected = service.encrypt_track(&BY, side("zdk", TrackForm::Whole), Track::Two, &text).expect("a track");
        let zone = side("zdk", TrackForm::Whole);
        let translated = service.translate_track(&BY, side("tdk", form), zone, Track::Two, &sent).expect("a track");
        assert_eq!((translated.card_number.expose(), &translated.track), (CARD, &expected));
        let back = service.translate_track(&BY, zone, side("tdk4", form), Track::Two, &expected);
        assert_eq!(code(back), "key_usage", "to a terminal");
        let shows = service.translate_track(&BY, zone, side("zdk", TrackForm::Tail), Track::Two, &expected);
        assert_eq!(code(shows), "key_purpose", "it would show what came encrypted");
    }
    let whole = side("tdk", TrackForm::Whole);
    let nonsense = service.translate_track(&BY, whole, side("zdk", TrackForm::Whole), Track::Two, "00112233");
    assert_eq!(code(nonsense), "decryption_failed");
    let none = service.encrypt_track(&BY, whole, Track::Two, &Secret::new("622202".to_owned()));
    assert_eq!(code(none), "length_invalid");
}

#[test]
fn a_key_is_derived_on_its_own_side_only() {
    let (_directory, service, _root) = service();
    known(&service, &spec("root", SM4, Purpose::Terminal(Duty::Derive)), SM4_MAK);
    let factor = *b"\x00\x01\x02\x03\x04\x05\x06\x07";
    let derive = |spec: &Spec<'_>| service.derive_terminal_key(&BY, spec, Birth::Key, KeyAt::current("root"), &factor);
    let info = derive(&spec("tmk", SM4, Purpose::Terminal(Duty::Master))).expect("derived");
    let expected = block(SM4, SM4_MAK, &[factor, factor.map(|byte| !byte)].concat(), true);
    let known = known(&service, &spec("same", SM4, Purpose::Terminal(Duty::Master)), &hex::encode(expected));
    assert_eq!(check(&info), check(&known));
    assert_eq!(code(derive(&spec("zmk", SM4, Purpose::Zone(Duty::Master)))), "key_usage");
    assert_eq!(code(derive(&spec("other", TRIPLE, Purpose::Terminal(Duty::Master)))), "key_kind");
    let mac = service.terminal_mac(&BY, KeyAt::current("root"), TerminalMac::Ecb, b"");
    assert_eq!(code(mac), "key_usage", "a key that derives does nothing else");
}

#[test]
fn components_come_from_as_many_custodians_and_not_for_ever() {
    let (_directory, service, _root) = service();
    let tmk = spec("tmk", TRIPLE, Purpose::Terminal(Duty::Master));
    let bring = |who, component: &[u8]| service.bring_component(&by(who), "tmk", component);
    assert_eq!(code(bring("one", &[1; 16])), "key_forming", "nothing was begun");
    for count in [0, 1, 10] {
        assert_eq!(code(service.begin_terminal_key(&BY, &tmk, Birth::Key, count)), "length_invalid");
    }
    let begin = || service.begin_terminal_key(&BY, &tmk, Birth::Key, 3).expect("begun");
    begin();
    bring("one", &bytes(1, 16)).expect("brought");
    assert_eq!(code(bring("one", &bytes(2, 16))), "key_forming", "each from another");
    assert_eq!(code(bring("two", &[0; 257])), "too_large");
    bring("two", &bytes(2, 16)).expect("brought");
    assert_eq!(code(bring("three", &bytes(3, 15))), "length_invalid");
    assert_eq!(code(bring("three", &bytes(3, 16))), "key_forming", "all are forgotten");
    assert_eq!(code(service.info("tmk")), "key_not_found");
    begin();
    for (who, part) in [("one", 1), ("two", 2)] {
        bring(who, &bytes(part, 16)).expect("brought");
    }
    let hour = By { now: NOW + 3_600_000, ..by("three") };
    assert_eq!(code(service.bring_component(&hour, "tmk", &bytes(3, 16))), "key_forming", "an hour is over");
    begin();
    bring("one", &bytes(1, 16)).expect("brought");
    begin();
    let made = [("one", 1), ("two", 2), ("three", 3)].map(|(who, part)| bring(who, &bytes(part, 16)).expect("brought"));
    assert_eq!(made.iter().map(|formed| formed.key.is_some()).collect::<Vec<_>>(), [false, false, true]);
    assert_eq!(code(service.begin_terminal_key(&BY, &tmk, Birth::Key, 2)), "key_exists");
    let general = Spec::new("orders", KeyKind::Sm4, Purpose::Encrypt);
    assert_eq!(code(service.begin_terminal_key(&BY, &general, Birth::Key, 2)), "key_kind");
}

#[test]
fn what_a_key_is_for_is_fixed_when_it_is_made() {
    let (_directory, service, _root) = service();
    for purpose in Purpose::ALL.into_iter().filter(|purpose| purpose.duty().is_some()) {
        for cipher in TerminalCipher::ALL {
            let name = format!("{purpose}/{}", cipher.name());
            let made = code(service.create(&BY, &spec(&name, cipher, purpose)));
            assert_eq!(made, if purpose.takes(cipher) { "ok" } else { "key_kind" }, "{name}");
        }
        let general = Spec::new("x", KeyKind::Sm4, purpose);
        assert_eq!(code(service.create(&BY, &general)), "key_kind", "{purpose}");
    }
    service.create(&BY, &Spec::new("wrap", KeyKind::Sm4, Purpose::Wrap)).expect("a new key");
    service.create(&BY, &Spec::new("zpk-kept", SM4, Purpose::Zone(Duty::Pin))).expect("a new key");
    let out = |name: &str, under: &str| code(service.export_terminal_key(&BY, KeyAt::current(name), under));
    let general = ark::keys::Context::new();
    for purpose in Purpose::ALL.into_iter().filter(|purpose| purpose.duty().is_some()) {
        let name = format!("{purpose}/sm4");
        assert_eq!(code(service.encrypt(&BY, &name, &general, b"x")), "key_usage", "{name}");
        assert_eq!(code(service.decrypt(&BY, &name, &general, "ark:v1:AAAA")), "key_usage", "{name}");
        assert_eq!(code(service.hmac(&BY, &name, b"x")), "key_usage", "{name}");
        assert_eq!(code(service.sign(&BY, &name, b"x")), "key_usage", "{name}");
        assert_eq!(code(service.export(&BY, &name, 1, "wrap")), "key_usage", "{name}: not under a general key");
        let (own, other) = match purpose {
            Purpose::Zone(_) => ("zone-master/sm4", "terminal-master/sm4"),
            Purpose::Terminal(_)
            | Purpose::Encrypt
            | Purpose::Decrypt
            | Purpose::Sign
            | Purpose::Mac
            | Purpose::Wrap => ("terminal-master/sm4", "zone-master/sm4"),
        };
        assert_eq!(out(&name, own), if name == own { "key_usage" } else { "ok" }, "{name}");
        assert_eq!((out(&name, other), out(&name, "wrap")), ("key_usage", "key_usage"), "{name}");
    }
    assert_eq!(out("zpk-kept", "zone-master/sm4"), "key_not_exportable");
    assert_eq!(out("wrap", "zone-master/sm4"), "key_usage");
    let wrapped = Spec::new("y", SM4, Purpose::Terminal(Duty::Pin));
    assert_eq!(code(service.import(&BY, &wrapped, &[0; 44], "wrap")), "key_usage");
    let step = |step| service.step(&BY, "terminal-mac/sm4", 1, step).expect("taken");
    let key = KeyAt::current("terminal-mac/sm4");
    let made = service.terminal_mac(&BY, key, TerminalMac::Ecb, b"x").expect("a MAC");
    step(Step::Suspend);
    assert_eq!(code(service.terminal_mac(&BY, key, TerminalMac::Ecb, b"x")), "key_state");
    service.verify_terminal_mac(&BY, key, TerminalMac::Ecb, b"x", &made).expect("it verifies");
    step(Step::Compromise);
    assert_eq!(code(service.verify_terminal_mac(&BY, key, TerminalMac::Ecb, b"x", &made)), "key_state");
    let knowing = By { compromised_too: true, ..BY };
    service.verify_terminal_mac(&knowing, key, TerminalMac::Ecb, b"x", &made).expect("who knows may");
}

/// Makes keys, re-wraps them under another key-encryption key in between, and finds them again.
#[test]
fn keys_of_terminals_survive_restarts_and_another_wrapping_key() {
    let (directory, service, root) = service();
    known(&service, &spec("pik4", SM4, Purpose::Terminal(Duty::Pin)), SM4_PIK);
    known(&service, &spec("zpk", TRIPLE, Purpose::Zone(Duty::Pin)), TMK);
    let block = unhex("CD01D6AD8F0A484C52A9364A0595AD60");
    let translate = |service: &KeyService| service.translate_pin(&BY, pin("pik4", CARD), pin("zpk", CARD), &block);
    let expected = translate(&service).expect("a PIN block");
    let before = service.list().expect("open");
    service.seal(&BY).expect("its trail is written");
    drop(service);
    let service = again(directory.path(), &root);
    let checks = |infos: &[Info]| infos.iter().map(check).collect::<Vec<_>>();
    assert_eq!(checks(&service.list().expect("open")), checks(&before), "shown before they are used");
    service.rotate_kek(&BY).expect("a new generation");
    assert_eq!(service.rewrap_keys(&BY, 100).expect("moved"), 0);
    assert_eq!(translate(&service).expect("a PIN block"), expected);
    service.seal(&BY).expect("its trail is written");
    drop(service);
    let service = again(directory.path(), &root);
    assert_eq!(translate(&service).expect("a PIN block"), expected);

    // Both keys of the command, in the trail; nothing else of it.
    let trail = service.audit(0, 1_000).expect("the trail");
    for key in ["pik4", "zpk"] {
        let used = |record: &&ark::audit::Record| record.act.key == key && record.act.operation == "translate-pin";
        assert_eq!(trail.iter().filter(used).map(|record| record.count).sum::<u64>(), 3, "{key}: {trail:?}");
    }
    let uses = service.info("zpk").expect("there").versions[0].uses;
    assert!(uses >= 3, "{uses}");
    drop(service);
    no_secret_in(directory.path());

    let file = Connection::open(directory.path().join(KEYS_NAME)).expect("the keys file");
    file.execute_batch(
        "CREATE TEMP TABLE kept AS SELECT version.wrapped FROM version JOIN key USING (uid) WHERE name = 'zpk';
         UPDATE version SET wrapped = (SELECT wrapped FROM kept)",
    )
    .expect("altered");
    drop(file);
    let service = again(directory.path(), &root);
    assert_eq!(code(translate(&service)), "key_damaged");
}

fn no_secret_in(directory: &Path) {
    for entry in fs::read_dir(directory).expect("listed") {
        let path = entry.expect("listed").path();
        let bytes = fs::read(&path).expect("read");
        for key in [SM4_PIK, TMK] {
            let key = unhex(key);
            let one = self::bytes(11, 16);
            let two: Vec<u8> = one.iter().zip(&key).map(|(one, key)| one ^ key).collect();
            for secret in [&key, &one, &two] {
                let texts = [secret.clone(), hex::encode(secret).into_bytes(), hex::encode_upper(secret).into_bytes()];
                let holds = |text: &Vec<u8>| bytes.windows(text.len()).any(|window| window == text.as_slice());
                assert!(!texts.iter().any(holds), "a key or component in {}", path.display());
            }
        }
    }
}

#[test]
fn a_production_has_no_terminal_keys_in_this_process() {
    let (directory, service, root) = service();
    let mak = spec("mak", SM4, Purpose::Terminal(Duty::Mac));
    service.create(&BY, &mak).expect("a new key");
    drop(service);
    let soft = Arc::new(Soft::for_profile(Profile::Production).expect("self-tests pass"));
    let service = KeyService::open(directory.path(), soft).expect("the same key service");
    service.unseal(&root, &BY).expect("its root key");
    let other = spec("other", SM4, Purpose::Zone(Duty::Pin));
    assert_eq!(code(service.create(&BY, &other)), "profile_production");
    assert_eq!(code(service.rotate(&BY, "mak")), "profile_production");
    let key = KeyAt::current("mak");
    assert_eq!(code(service.terminal_mac(&BY, key, TerminalMac::Ecb, b"x")), "profile_production");
    assert_eq!(code(service.terminal_check_value(&BY, key)), "profile_production");
    service.begin_terminal_key(&BY, &other, Birth::Key, 2).expect("begun");
    service.bring_component(&by("one"), "other", &[1; 16]).expect("brought");
    assert_eq!(code(service.bring_component(&by("two"), "other", &[2; 16])), "profile_production");
    service.create(&BY, &Spec::new("orders", KeyKind::Sm4, Purpose::Encrypt)).expect("all else is there");
}

/// Keys in a module, everything else in this process: what lies in the file opens in the module alone, and a module that
/// is away leaves the rest in service.
#[test]
fn with_a_financial_module_keys_lie_under_its_master() {
    let (directory, service, root) = service();
    drop(service);
    let mut module = Module::start(false);
    let opened = |module: &Module| {
        let service = KeyService::open(directory.path(), crate::keys::soft()).expect("the same key service");
        let service = service.with_module(Arc::new(fhsm::open(module)));
        service.unseal(&root, &BY).expect("its root key");
        service
    };
    let service = opened(&module);
    let mak = spec("mak4", SM4, Purpose::Terminal(Duty::Mac));
    let key = unhex(SM4_MAK);
    let one = bytes(11, 16);
    let two: Vec<u8> = one.iter().zip(&key).map(|(one, key)| one ^ key).collect();
    service.begin_terminal_key(&BY, &mak, Birth::Key, 2).expect("begun");
    for (who, component) in [("one", &one), ("two", &two)] {
        let given = hex::decode(module.component(SM4, component)).expect("hexadecimal digits");
        service.bring_component(&by(who), "mak4", &given).expect("brought");
    }
    for (name, purpose) in [("pik", Purpose::Terminal(Duty::Pin)), ("zpk", Purpose::Zone(Duty::Pin))] {
        service.create(&BY, &spec(name, TRIPLE, purpose)).expect("a new key");
    }
    let message = b"12345678".repeat(5);
    let mac = |service: &KeyService| service.terminal_mac(&BY, KeyAt::current("mak4"), TerminalMac::Ecb, &message);
    assert_eq!(&mac(&service).expect("a MAC"), b"9EC7D31F");
    service.rotate_kek(&BY).expect("a new generation");
    assert_eq!(service.rewrap_keys(&BY, 100).expect("moved"), 0);
    drop(service);
    let service = opened(&module);
    assert_eq!(&mac(&service).expect("a MAC"), b"9EC7D31F");
    service.rotate(&BY, "mak4").expect("a new key of the module");
    assert_ne!(&mac(&service).expect("a MAC"), b"9EC7D31F");
    drop(service);
    let service = again(directory.path(), &root);
    assert_eq!(code(mac(&service)), "decryption_failed", "without the module");
    drop(service);
    let service = opened(&module);
    module.end();
    assert_eq!(code(mac(&service)), "device_unavailable");
    service.create(&BY, &Spec::new("orders", KeyKind::Sm4, Purpose::Encrypt)).expect("all else is there");
}

#[test]
fn work_keys_of_terminals_have_two_versions_and_a_restart_finds_them() {
    let (directory, service, root) = service();
    let pik = spec("t1/pik", SM4, Purpose::Terminal(Duty::Pin));
    let zone = spec("z/pik", SM4, Purpose::Zone(Duty::Pin));
    for spec in [&pik, &zone] {
        service.generate_terminal_key(&BY, spec, Birth::Key).expect("made");
        for _ in 0..4 {
            service.generate_terminal_key(&BY, spec, Birth::Version).expect("the next one");
        }
    }
    let numbers = |service: &KeyService, name: &str| {
        let info = service.info(name).expect("there");
        info.versions.iter().map(|version| (version.version, version.state)).collect::<Vec<_>>()
    };
    let two = vec![(4, State::Deactivated), (5, State::Active)];
    assert_eq!(numbers(&service, "t1/pik"), two);
    assert_eq!(numbers(&service, "z/pik").len(), 5, "a zone's stay");
    let old = KeyAt { name: "t1/pik", version: Some(1) };
    assert_eq!(code(service.terminal_check_value(&BY, old)), "key_version");
    let current = service.terminal_check_value(&BY, KeyAt::current("t1/pik")).expect("of the fifth");
    drop(service);
    let service = again(directory.path(), &root);
    assert_eq!(numbers(&service, "t1/pik"), two);
    assert_eq!(service.terminal_check_value(&BY, KeyAt::current("t1/pik")).expect("the same"), current);
    drop(service);
    // One of the two that must be there is damage.
    let file = Connection::open(directory.path().join(KEYS_NAME)).expect("the file");
    file.execute("DELETE FROM version WHERE version = 4 AND uid = (SELECT uid FROM key WHERE name = 't1/pik')", [])
        .expect("taken out");
    drop(file);
    let service = again(directory.path(), &root);
    assert_eq!(code(service.info("t1/pik")), "key_damaged");
}

#[test]
fn a_master_key_is_issued_for_a_public_key_and_for_nothing_else() {
    use ark::provider::{PublicKey, PublicKeyEncryption};

    let (_directory, service, _root) = service();
    let master = spec("t1/tmk", SM4, Purpose::Terminal(Duty::Master));
    known(&service, &master, SM4_PIK);
    let terminal = Soft::new().expect("self-tests pass");
    let pair = terminal.generate(KeyKind::Sm2).expect("a pair");
    let public = terminal.public_key(pair).expect("its public key");
    let issued = service.issue_terminal_key(&BY, KeyAt::current("t1/tmk"), &public).expect("issued");
    let clear = terminal.decrypt_with(pair, PublicKeyEncryption::Sm2Raw, &issued.encrypted).expect("it opens");
    assert_eq!(hex::encode_upper(&*clear), SM4_PIK);
    assert_eq!(issued.encrypted.len(), 113);
    assert_eq!(&block(SM4, SM4_PIK, &[0; 16], true)[..8], issued.check_value);
    let again = service.issue_terminal_key(&BY, KeyAt::current("t1/tmk"), &public).expect("issued");
    assert_ne!(again.encrypted, issued.encrypted, "at random");
    // A point that is none, a key that stays, a key that is no terminal's master.
    let nowhere = PublicKey { kind: KeyKind::Sm2, bytes: vec![4; 65] };
    assert_eq!(code(service.issue_terminal_key(&BY, KeyAt::current("t1/tmk"), &nowhere)), "public_key_invalid");
    let stays = Spec { exportable: false, ..spec("t2/tmk", SM4, Purpose::Terminal(Duty::Master)) };
    service.generate_terminal_key(&BY, &stays, Birth::Key).expect("made");
    assert_eq!(code(service.issue_terminal_key(&BY, KeyAt::current("t2/tmk"), &public)), "key_not_exportable");
    for other in [spec("z/zmk", SM4, Purpose::Zone(Duty::Master)), spec("t1/pik", SM4, Purpose::Terminal(Duty::Pin))] {
        service.generate_terminal_key(&BY, &other, Birth::Key).expect("made");
        assert_eq!(code(service.issue_terminal_key(&BY, KeyAt::current(other.name), &public)), "key_usage");
    }
}

#[test]
fn a_master_key_leaves_at_its_birth_for_a_public_key() {
    use ark::provider::{PublicKey, PublicKeyEncryption};

    let (directory, service, root) = service();
    let terminal = Soft::new().expect("self-tests pass");
    let pair = terminal.generate(KeyKind::Sm2).expect("a pair");
    let public = terminal.public_key(pair).expect("its public key");
    let master = spec("t1/tmk", SM4, Purpose::Terminal(Duty::Master));
    let versions = |service: &KeyService| service.info("t1/tmk").map_or(0, |info| info.versions.len());
    let nowhere = PublicKey { kind: KeyKind::Sm2, bytes: vec![4; 65] };
    let refused = |spec: &Spec<'_>, birth, to| code(service.generate_terminal_key_for(&BY, spec, birth, to));
    assert_eq!(refused(&master, Birth::Key, &nowhere), "public_key_invalid");
    let stays = Spec { exportable: false, ..master };
    assert_eq!(refused(&stays, Birth::Key, &public), "key_not_exportable");
    let pin = spec("t1/pik", SM4, Purpose::Terminal(Duty::Pin));
    assert_eq!(refused(&pin, Birth::Key, &public), "key_usage");
    assert_eq!(versions(&service), 0, "nothing was made");

    let (info, issued) = service.generate_terminal_key_for(&BY, &master, Birth::Key, &public).expect("made");
    let clear = terminal.decrypt_with(pair, PublicKeyEncryption::Sm2Raw, &issued.encrypted).expect("it opens");
    assert_eq!(&block(SM4, &hex::encode(&*clear), &[0; 16], true)[..8], issued.check_value);
    assert_eq!(check(&info), hex::encode_upper(issued.check_value));
    assert_eq!(refused(&master, Birth::Key, &public), "key_exists");
    assert_eq!(refused(&master, Birth::Version, &nowhere), "public_key_invalid");
    assert_eq!(versions(&service), 1, "the terminal keeps the key that it has");
    let (info, next) = service.generate_terminal_key_for(&BY, &master, Birth::Version, &public).expect("made");
    assert_eq!((info.versions.len(), next.check_value == issued.check_value), (2, false));
    drop(service);
    let service = again(directory.path(), &root);
    let kept = service.terminal_check_value(&BY, KeyAt::current("t1/tmk")).expect("kept");
    assert_eq!(kept, next.check_value);
    let trail = service.audit(0, 1_000).expect("the trail");
    let births: Vec<_> = trail.iter().filter(|record| record.act.operation == "terminal-issue").collect();
    assert_eq!(births.iter().filter(|record| record.act.outcome == "ok").count(), 2);
    assert!(births.iter().any(|record| record.act.outcome == "public_key_invalid"));

    // A key that custodians formed to stay is not followed by one that left.
    let formed = Spec { exportable: false, ..spec("t2/tmk", SM4, Purpose::Terminal(Duty::Master)) };
    known(&service, &formed, SM4_PIK);
    let next = spec("t2/tmk", SM4, Purpose::Terminal(Duty::Master));
    assert_eq!(code(service.generate_terminal_key_for(&BY, &next, Birth::Version, &public)), "key_not_exportable");
    assert_eq!(service.info("t2/tmk").expect("there").versions.len(), 1);
}
