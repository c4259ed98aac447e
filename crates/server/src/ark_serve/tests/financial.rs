//! Financial commands over TLS against the same key service asked in its own process.

use std::sync::Arc;

use ark::financial::{Purpose as Duty, TerminalCipher, TerminalMac, Track, TrackForm};
use ark::keys::{Birth, By, Change, Error, FinancialUse, KeyAt, PinAt, Purpose, Role, Spec, TrackAt};
use ark::provider::{KeyError, KeyKind, Provider as _, PublicKey, PublicKeyEncryption};
use ark::{Secret, Soft};
use domain::ids::TerminalId;

use super::{BY, OPERATOR, Served, authority};
use crate::pos::keys::TerminalKeys;

const CARD: &str = "6230606601007726888";
const COMMANDS: &[&str] = &[
    "terminal-import",
    "terminal-derive",
    "terminal-export",
    "check-value",
    "terminal-mac",
    "terminal-verify-mac",
    "translate-pin",
    "encrypt-track",
    "translate-track",
];

fn permitted(served: &Served) {
    let by = By::new(OPERATOR, "", 1_000);
    let caller = || "platform".to_owned();
    let service = served.service();
    service.change_access(&by, &Change::Grant { caller: caller(), role: Role::Operator }, None).unwrap();
    for prefix in ["t1/", "zone/"] {
        let operations = COMMANDS.iter().map(|name| (*name).to_owned()).collect();
        let allow = Change::Allow { caller: caller(), prefix: prefix.to_owned(), operations };
        service.change_access(&by, &allow, None).unwrap();
    }
}

fn terminal(name: &str, duty: Duty) -> Spec<'_> {
    Spec { exportable: true, ..Spec::new(name, TerminalCipher::Sm4, Purpose::Terminal(duty)) }
}

fn zone(name: &str, duty: Duty) -> Spec<'_> {
    Spec { exportable: true, ..Spec::new(name, TerminalCipher::TripleDes2, Purpose::Zone(duty)) }
}

/// The same keys by the trait, wherever they are: the master, and a key for each duty of both sides.
fn made(keys: &dyn FinancialUse) {
    let specs = [
        terminal("t1/tmk", Duty::Master),
        terminal("t1/pik", Duty::Pin),
        terminal("t1/mak", Duty::Mac),
        terminal("t1/tdk", Duty::Data),
        terminal("t1/root", Duty::Derive),
        zone("zone/pin", Duty::Pin),
        zone("zone/track", Duty::Data),
    ];
    for spec in specs {
        let info = keys.generate_terminal_key(&BY, &spec, Birth::Key).unwrap();
        assert_eq!((info.name.as_str(), info.kind, info.purpose), (spec.name, spec.kind, spec.purpose));
    }
}

#[test]
fn keys_of_terminals_come_and_go_as_in_one_process() {
    let Some(authority) = authority() else { return };
    let served = Served::new(&authority);
    permitted(&served);
    let (keys, here) = (served.remote(&authority, "platform", 10_000), served.service());
    made(&keys);
    let again = keys.generate_terminal_key(&BY, &terminal("t1/pik", Duty::Pin), Birth::Key);
    assert!(matches!(again, Err(Error::Exists(name)) if name == "t1/pik"));
    let next = keys.generate_terminal_key(&BY, &terminal("t1/pik", Duty::Pin), Birth::Version).unwrap();
    assert_eq!(next.versions.len(), 2);
    assert_eq!(next, here.info("t1/pik").unwrap());

    let pik = KeyAt::current("t1/pik");
    let out = keys.export_terminal_key(&BY, pik, "t1/tmk").unwrap();
    assert_eq!(out, here.export_terminal_key(&BY, pik, "t1/tmk").unwrap());
    assert_eq!(out.check_value, keys.terminal_check_value(&BY, pik).unwrap());
    let first = KeyAt { name: "t1/pik", version: Some(1) };
    assert_ne!(out.check_value, keys.terminal_check_value(&BY, first).unwrap());

    let copy = terminal("t1/copy", Duty::Pin);
    let wrong = keys.import_terminal_key(&BY, &copy, Birth::Key, (&out.encrypted, &[0; 4]), "t1/tmk");
    assert!(matches!(wrong, Err(Error::Decryption)));
    let brought = (out.encrypted.as_slice(), &out.check_value[..4]);
    let unknown = keys.import_terminal_key(&BY, &copy, Birth::Key, brought, "t1/none");
    assert!(matches!(unknown, Err(Error::Unknown(name)) if name == "t1/none"));
    keys.import_terminal_key(&BY, &copy, Birth::Key, brought, "t1/tmk").unwrap();
    assert_eq!(keys.terminal_check_value(&BY, KeyAt::current("t1/copy")).unwrap(), out.check_value);

    let derived = terminal("t1/derived", Duty::Mac);
    let root = KeyAt::current("t1/root");
    keys.derive_terminal_key(&BY, &derived, Birth::Key, root, b"factor-1").unwrap();
    here.derive_terminal_key(&BY, &terminal("t1/same", Duty::Mac), Birth::Key, root, b"factor-1").unwrap();
    let check = |name| here.terminal_check_value(&BY, KeyAt::current(name)).unwrap();
    assert_eq!(check("t1/derived"), check("t1/same"));

    let refused = |result: Result<_, Error>| result.map(drop).map_err(|error| error.code()).err();
    keys.generate_terminal_key(&BY, &terminal("t1/other", Duty::Master), Birth::Key).unwrap();
    let master = keys.export_terminal_key(&BY, KeyAt::current("t1/other"), "t1/tmk");
    assert_eq!(refused(master), Some("ark_approval_required"));
    let stranger = served.remote(&authority, "stranger", 10_000);
    assert_eq!(refused(stranger.export_terminal_key(&BY, pik, "t1/tmk")), Some("not_permitted"));
}

#[test]
fn macs_pins_and_tracks_are_as_in_one_process() {
    let Some(authority) = authority() else { return };
    let served = Served::new(&authority);
    permitted(&served);
    let (keys, here) = (served.remote(&authority, "platform", 10_000), served.service());
    made(&keys);
    let mak = KeyAt::current("t1/mak");
    for form in [TerminalMac::Ecb, TerminalMac::Cbc, TerminalMac::Cmac] {
        let mac = keys.terminal_mac(&BY, mak, form, b"a message of a terminal").unwrap();
        assert_eq!(mac, here.terminal_mac(&BY, mak, form, b"a message of a terminal").unwrap());
        keys.verify_terminal_mac(&BY, mak, form, b"a message of a terminal", &mac).unwrap();
        let altered = keys.verify_terminal_mac(&BY, mak, form, b"a message of no terminal", &mac);
        assert!(matches!(altered, Err(Error::Provider(KeyError::Tag))));
    }
    let first = KeyAt { name: "t1/mak", version: Some(1) };
    let before = keys.terminal_mac(&BY, first, TerminalMac::Cbc, b"1").unwrap();
    keys.generate_terminal_key(&BY, &terminal("t1/mak", Duty::Mac), Birth::Version).unwrap();
    assert_ne!(keys.terminal_mac(&BY, mak, TerminalMac::Cbc, b"1").unwrap(), before);
    let nothing = keys.verify_terminal_mac(&BY, mak, TerminalMac::Cbc, b"", &[0; 8]).map_err(|error| error.code());
    assert_eq!(nothing.err(), Some("length_invalid"));
    let wrong_key =
        keys.terminal_mac(&BY, KeyAt::current("t1/pik"), TerminalMac::Cbc, b"1").map_err(|error| error.code());
    assert_eq!(wrong_key.err(), Some("key_usage"));

    let (terminal_side, zone_side) = (
        PinAt { key: KeyAt::current("t1/pik"), card_number: CARD },
        PinAt { key: KeyAt::current("zone/pin"), card_number: CARD },
    );
    let no_block = keys.translate_pin(&BY, terminal_side, zone_side, &[7; 16]);
    assert!(matches!(no_block, Err(Error::Decryption)));
    let to_terminal = keys.translate_pin(&BY, zone_side, terminal_side, &[7; 8]).map_err(|error| error.code());
    assert_eq!(to_terminal.err(), Some("key_usage"), "never back to a terminal");
    let track = |key, form| TrackAt { key: KeyAt::current(key), form };
    let readable = Secret::from("6230606601007726888D30122010000012300");
    let source = track("t1/tdk", TrackForm::Tail);
    let sent = keys.encrypt_track(&BY, source, Track::Two, &readable).unwrap();
    assert_eq!(sent, here.encrypt_track(&BY, source, Track::Two, &readable).unwrap());
    let target = track("zone/track", TrackForm::Whole);
    let translated = keys.translate_track(&BY, source, target, Track::Two, &sent).unwrap();
    assert_eq!(translated.card_number.expose(), CARD);
    assert_eq!(translated.track, here.translate_track(&BY, source, target, Track::Two, &sent).unwrap().track);
    // No more of it is told than its length and that it is none.
    let error = keys.encrypt_track(&BY, source, Track::Two, &Secret::from("4111")).unwrap_err();
    assert_eq!(error.code(), "length_invalid");
    assert!(!error.to_string().contains("4111"));
    assert!(!format!("{keys:?}{translated:?}").contains(CARD));
}

/// What `lintel terminal issue-key` asks of a key service that is a process of its own.
#[test]
fn a_master_key_is_issued_to_a_terminal_by_a_policy() {
    let Some(authority) = authority() else { return };
    let served = Served::new(&authority);
    permitted(&served);
    let (terminals, here) =
        (TerminalKeys::new(Arc::new(served.remote(&authority, "platform", 10_000))), served.service());
    let own = Soft::new().unwrap();
    let pair = own.generate(KeyKind::Sm2).unwrap();
    let public = own.public_key(pair).unwrap();
    let issue = |to: &PublicKey| terminals.issue(&BY, TerminalId(7), to);
    let code = |to: &PublicKey| issue(to).map_or_else(|error| error.code(), |_| "ok");
    assert_eq!(code(&public), "not_permitted", "the role operator alone gives no key out");
    let allow = |operation: &str| {
        let (caller, prefix) = ("platform".to_owned(), "terminal/".to_owned());
        let change = Change::Allow { caller, prefix, operations: [operation.to_owned()].into() };
        here.change_access(&By::new(OPERATOR, "", 1_000), &change, None).unwrap();
    };
    allow("terminal-export");
    assert_eq!(code(&public), "not_permitted");
    allow("terminal-issue");
    assert_eq!(code(&PublicKey { kind: KeyKind::Sm2, bytes: vec![4; 65] }), "public_key_invalid");
    assert!(here.info("terminal/7/master").is_err(), "nothing was made");

    let (name, first) = issue(&public).unwrap();
    let check = || here.terminal_check_value(&BY, KeyAt::current(&name)).unwrap();
    assert_eq!((name.as_str(), first.check_value), ("terminal/7/master", check()));
    assert_eq!(own.decrypt_with(pair, PublicKeyEncryption::Sm2Raw, &first.encrypted).unwrap().len(), 16);
    let (_, next) = issue(&public).unwrap();
    assert_eq!((next.check_value, here.info(&name).unwrap().versions.len()), (check(), 2));
    assert_ne!(next.check_value, first.check_value, "another key each time");
    // The key that is there leaves by two people still, and one that was made to stay is not followed by one that leaves.
    let remote = served.remote(&authority, "platform", 10_000);
    allow("terminal-export");
    let out = remote.export_terminal_key(&BY, KeyAt::current(&name), "terminal/8/master");
    assert_eq!(out.map_or_else(|error| error.code(), |_| "ok"), "ark_approval_required");
    allow("terminal-issue");
    let stays = Spec::new("terminal/9/master", TerminalCipher::Sm4, Purpose::Terminal(Duty::Master));
    here.generate_terminal_key(&BY, &stays, Birth::Key).unwrap();
    let refused = terminals.issue(&BY, TerminalId(9), &public).map(drop).unwrap_err();
    assert_eq!((refused.code(), here.info("terminal/9/master").unwrap().versions.len()), ("key_not_exportable", 1));
}
