//! Financial modules: a process of the tests' own behind two profile files, beside the soft provider.

use std::{
    env, fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use ark::{
    Financial as _, Provider as _, Secret, Soft,
    device::Limits,
    fhsm::{Config, Dialect, Fhsm, ModuleConfig, StoredKey},
    financial::{PinSide, Purpose, TerminalCipher, TerminalKey, TerminalMac, Track, TrackForm, TrackSide},
    provider::{KeyError, KeyKind},
};
use tempfile::TempDir;

use crate::support::{bytes, said, unhex};

const TEXT: &str = include_str!("fhsm/text.toml");
const BINARY: &str = include_str!("fhsm/binary.toml");
const KEY: &str = "0123456789ABCDEFFEDCBA9876543210";
const CARD: &str = "6230606601007726888";
const TRACK: &str = "6230606601007726888D30122010000012345";
const BOTH: [TerminalCipher; 2] = [TerminalCipher::TripleDes2, TerminalCipher::Sm4];

/// The program of `examples/fhsm_device.rs`, which cargo builds with the tests.
fn program() -> PathBuf {
    let test = env::current_exe().expect("this program has a path");
    let folder = test.parent().and_then(Path::parent).expect("target/…/deps/it");
    let program = folder.join("examples").join(format!("fhsm_device{}", env::consts::EXE_SUFFIX));
    assert!(program.exists(), "{} is missing: cargo build -p ark --example fhsm_device", program.display());
    program
}

/// A module's process. It ends with its standard input, so with the test whatever happens.
pub(crate) struct Module {
    process: Child,
    folder: TempDir,
    port: u16,
    binary: bool,
}

impl Module {
    pub(crate) fn start(binary: bool) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let mut process = Command::new(program())
            .arg(if binary { "binary" } else { "text" })
            .arg(folder.path().join("faults"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("piped")).read_line(&mut line).expect("a port");
        let port = line.trim().parse().expect("a port");
        Self { process, folder, port, binary }
    }

    fn faults(&self, faults: &str) {
        fs::write(self.folder.path().join("faults"), faults).expect("written");
    }

    fn config(&self, name: &str) -> ModuleConfig {
        ModuleConfig { name: name.to_owned(), address: format!("127.0.0.1:{}", self.port) }
    }

    pub(crate) fn end(&mut self) {
        self.process.kill().expect("it is ours");
        self.process.wait().expect("it ended");
    }

    /// What a custodian does at the console: a component, encrypted under the module's master.
    pub(crate) fn component(&self, cipher: TerminalCipher, clear: &[u8]) -> Vec<u8> {
        let cipher = match cipher {
            TerminalCipher::Des => 'D',
            TerminalCipher::TripleDes2 => 'T',
            TerminalCipher::Sm4 => 'S',
        };
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        let front = if self.binary { b"\xd0\x0cM".to_vec() } else { b"00000000L1ZCM".to_vec() };
        let clear = if self.binary { clear.to_vec() } else { hex::encode(clear).into_bytes() };
        let frame = [front, vec![u8::try_from(cipher).expect("ASCII")], clear].concat();
        let length = u32::try_from(frame.len()).expect("short").to_be_bytes();
        let width = if self.binary { 4 } else { 2 };
        stream.write_all(&[&length[4 - width..], &frame].concat()).expect("sent");
        let mut length = [0; 4];
        stream.read_exact(&mut length[4 - width..]).expect("an answer");
        let mut answer = vec![0; u32::from_be_bytes(length) as usize];
        stream.read_exact(&mut answer).expect("an answer");
        if self.binary { answer.split_off(3) } else { answer.split_off(14) }
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn config(modules: Vec<ModuleConfig>, binary: bool) -> Config {
    let dialect = Dialect::from_toml(if binary { BINARY } else { TEXT }).expect("a profile");
    let limits = Limits { sessions: 2, wait: Duration::from_secs(10), retry_after: Duration::ZERO };
    let time = Duration::from_secs(60);
    Config { modules, dialect: Arc::new(dialect), limits, connect: time, answer: time }
}

pub(crate) fn open(module: &Module) -> Fhsm {
    Fhsm::open(config(vec![module.config("a")], module.binary)).expect("a module")
}

fn code<T>(result: Result<T, KeyError>) -> &'static str {
    result.map_or_else(|error| error.code(), |_| "done")
}

/// The same key in the module and in the soft provider.
struct Pair {
    inside: TerminalKey,
    soft: TerminalKey,
}

/// One module, and the soft provider beside it.
struct Beside {
    module: Module,
    fhsm: Fhsm,
    soft: Soft,
}

impl Beside {
    fn new(binary: bool) -> Self {
        let module = Module::start(binary);
        let fhsm = open(&module);
        Self { module, fhsm, soft: Soft::new().expect("self-tests pass") }
    }

    fn known(&self, purpose: Purpose, cipher: TerminalCipher, key: &str) -> Pair {
        let key = unhex(key);
        let one = bytes(11, key.len());
        let two: Vec<u8> = one.iter().zip(&key).map(|(one, key)| one ^ key).collect();
        let components = [&one, &two].map(|component| {
            let given = self.module.component(cipher, component);
            if self.module.binary { given } else { hex::decode(given).expect("hexadecimal digits") }
        });
        let inside = self.fhsm.form_terminal_key(purpose, cipher, &[&components[0], &components[1]]).expect("a key");
        let soft = self.soft.form_terminal_key(purpose, cipher, &[&one, &two]).expect("a key");
        let check = self.soft.terminal_check_value(soft).expect("there");
        assert_eq!(self.fhsm.terminal_check_value(inside).expect("there"), check);
        Pair { inside, soft }
    }
}

#[test]
fn keys_are_imported_and_exported_as_the_soft_provider_does() {
    for binary in [false, true] {
        let both = Beside::new(binary);
        for cipher in BOTH {
            let master = both.known(Purpose::Master, cipher, KEY);
            let key = both.known(Purpose::Pin, cipher, "807A23AD32B36D457AE91FDF927570EA");
            let out = both.fhsm.export_terminal_key(key.inside, master.inside).expect("out");
            assert_eq!(out, both.soft.export_terminal_key(key.soft, master.soft).expect("out"));
            let check = both.soft.terminal_check_value(key.soft).expect("there");
            let import = |encrypted: &[u8], check: &[u8]| {
                both.fhsm.import_terminal_key(Purpose::Pin, cipher, encrypted, check, master.inside)
            };
            for length in [3, 4, 8] {
                let again = import(&out, &check[..length]).expect("its check value fits");
                assert_eq!(both.fhsm.terminal_check_value(again).expect("there"), check);
            }
            assert_eq!(code(import(&out, &check[1..])), "decryption_failed");
            assert_eq!(code(import(&out[1..], &check)), "decryption_failed");
            assert_eq!(code(import(&out, &check[..2])), "length_invalid");
            let made = both.fhsm.generate_terminal_key(Purpose::Mac, cipher).expect("made");
            let out = both.fhsm.export_terminal_key(made, master.inside).expect("out");
            let check = both.fhsm.terminal_check_value(made).expect("there");
            let soft =
                both.soft.import_terminal_key(Purpose::Mac, cipher, &out, &check, master.soft).expect("the same");
            let mac = both.soft.terminal_mac(soft, TerminalMac::Cbc, b"message").expect("a MAC");
            assert_eq!(both.fhsm.terminal_mac(made, TerminalMac::Cbc, b"message").expect("a MAC"), mac);
        }
    }
}

#[test]
fn macs_of_the_module_are_the_soft_providers() {
    for binary in [false, true] {
        let both = Beside::new(binary);
        let (sm4, two, des) = (
            both.known(Purpose::Mac, TerminalCipher::Sm4, KEY),
            both.known(Purpose::Mac, TerminalCipher::TripleDes2, KEY),
            both.known(Purpose::Mac, TerminalCipher::Des, "5BB5C72CD00B7338"),
        );
        let message = b"12345678".repeat(5);
        let mac = both.fhsm.terminal_mac(sm4.inside, TerminalMac::Ecb, &message).expect("a MAC");
        assert_eq!(&mac, b"9EC7D31F");
        for (key, form) in [
            (&sm4, TerminalMac::Ecb),
            (&two, TerminalMac::X919),
            (&des, TerminalMac::Cbc),
            (&sm4, TerminalMac::Cmac),
            (&two, TerminalMac::Ecb),
        ] {
            for length in [0, 1, 16, 1000] {
                let message = bytes(length as u64, length);
                let mac = both.fhsm.terminal_mac(key.inside, form, &message).expect("a MAC");
                assert_eq!(mac, both.soft.terminal_mac(key.soft, form, &message).expect("a MAC"), "{form:?} {length}");
                assert_eq!(code(both.fhsm.check_terminal_mac(key.inside, form, &message, &mac)), "done");
                let mut other = mac;
                other[7] ^= 1;
                assert_eq!(code(both.fhsm.check_terminal_mac(key.inside, form, &message, &other)), "tag_mismatch");
                assert_eq!(code(both.fhsm.check_terminal_mac(key.inside, form, &message, &mac[1..])), "tag_mismatch");
            }
        }
        assert_eq!(code(both.fhsm.terminal_mac(sm4.inside, TerminalMac::X919, b"")), "key_purpose");
        let long = both.fhsm.terminal_mac(sm4.inside, TerminalMac::Ecb, &bytes(1, 5000)).expect_err("too long");
        assert_eq!(long.code(), "length_invalid", "{long}");
    }
}

#[test]
fn pins_and_tracks_are_translated_inside() {
    for binary in [false, true] {
        let both = Beside::new(binary);
        let from = both.known(Purpose::Pin, TerminalCipher::Sm4, "F351D490994603795C6EBEE8FAEBB481");
        let to = both.known(Purpose::Pin, TerminalCipher::TripleDes2, KEY);
        let block = unhex("CD01D6AD8F0A484C52A9364A0595AD60");
        let side = |key, card_number| PinSide { key, card_number };
        for card in [CARD, "123456789012345678"] {
            let inside =
                both.fhsm.translate_pin(side(from.inside, CARD), side(to.inside, card), &block).expect("a PIN");
            let soft = both.soft.translate_pin(side(from.soft, CARD), side(to.soft, card), &block).expect("a PIN");
            assert_eq!(inside, soft);
        }
        let translate =
            |card, block: &[u8]| code(both.fhsm.translate_pin(side(from.inside, card), side(to.inside, CARD), block));
        assert_eq!(translate("123456789012345678", &block), "decryption_failed");
        assert_eq!(translate(CARD, &block[1..]), "decryption_failed");
        assert_eq!(translate(CARD, &bytes(1, 16)), "decryption_failed");
        assert_eq!(translate("12", &block), "length_invalid");

        let from = both.known(Purpose::Data, TerminalCipher::TripleDes2, KEY);
        let to = both.known(Purpose::Data, TerminalCipher::Sm4, "F351D490994603795C6EBEE8FAEBB481");
        let text = Secret::new(TRACK.to_owned());
        for form in [TrackForm::Whole, TrackForm::Tail] {
            let side = |key, form| TrackSide { key, form };
            let inside = both.fhsm.encrypt_track(side(from.inside, form), Track::Two, &text).expect("a track");
            assert_eq!(inside, both.soft.encrypt_track(side(from.soft, form), Track::Two, &text).expect("a track"));
            let (at, whole) = (side(from.inside, form), side(to.inside, TrackForm::Whole));
            let out = both.fhsm.translate_track(at, whole, Track::Two, &inside).expect("a track");
            assert_eq!(out.card_number.expose(), CARD);
            let soft = side(to.soft, TrackForm::Whole);
            assert_eq!(out.track, both.soft.encrypt_track(soft, Track::Two, &text).expect("a track"));
            let shows = side(to.inside, TrackForm::Whole);
            let back = both.fhsm.translate_track(shows, side(from.inside, TrackForm::Tail), Track::Two, &out.track);
            assert_eq!(code(back), "key_purpose", "a tail of a whole track shows its front");
            for bad in ["", "zz", &inside[1..], TRACK] {
                let answer = code(both.fhsm.translate_track(at, whole, Track::Two, bad));
                assert!(answer == "decryption_failed" || form == TrackForm::Tail, "{bad}: {answer}");
            }
        }
        let from = both.known(Purpose::Derive, TerminalCipher::Sm4, KEY);
        let inside = both.fhsm.derive_terminal_key(Purpose::Mac, from.inside, b"terminal").expect("a key");
        let soft = both.soft.derive_terminal_key(Purpose::Mac, from.soft, b"terminal").expect("a key");
        let check = both.soft.terminal_check_value(soft).expect("there");
        assert_eq!(both.fhsm.terminal_check_value(inside).expect("there"), check);
    }
}

#[test]
fn a_key_serves_its_purpose_and_outlives_the_process_as_ciphertext() {
    let both = Beside::new(false);
    let (fhsm, cipher) = (&both.fhsm, TerminalCipher::Sm4);
    let key = |purpose| fhsm.generate_terminal_key(purpose, cipher).expect("made");
    let (pin, mac) = (key(Purpose::Pin), key(Purpose::Mac));
    assert_eq!(code(fhsm.terminal_mac(pin, TerminalMac::Cbc, b"")), "key_purpose");
    assert_eq!(code(fhsm.export_terminal_key(pin, mac)), "key_purpose");
    assert_eq!(code(fhsm.derive_terminal_key(Purpose::Pin, mac, &[0; 8])), "key_purpose");
    assert_eq!(code(fhsm.generate_terminal_key(Purpose::Pin, TerminalCipher::Des)), "key_purpose");

    let stored = fhsm.stored(mac).expect("as ciphertext");
    let tag = fhsm.terminal_mac(mac, TerminalMac::Cbc, b"m").expect("a MAC");
    let later = open(&both.module);
    let again = later.take_in(&stored).expect("taken in");
    assert_eq!(later.terminal_mac(again, TerminalMac::Cbc, b"m").expect("a MAC"), tag);
    // The module itself keeps purposes apart.
    let other = |purpose, check, bytes: &[u8]| {
        code(later.take_in(&StoredKey { purpose, cipher, bytes: bytes.to_vec(), check }))
    };
    assert_eq!(other(Purpose::Pin, stored.check, &stored.bytes), "decryption_failed");
    assert_eq!(other(Purpose::Mac, [0; 8], &stored.bytes), "decryption_failed");
    assert_eq!(other(Purpose::Mac, stored.check, &stored.bytes[1..]), "decryption_failed");
    assert!(!format!("{stored:?}").contains(&hex::encode(&stored.bytes[..8])));

    let own = fhsm.key_at(Purpose::Master, TerminalCipher::TripleDes2, 1).expect("it is there");
    assert_eq!(fhsm.export_terminal_key(mac, own).expect("out").len(), 16);
    assert_eq!(code(fhsm.stored(own)), "device_unsupported");
    assert_eq!(code(fhsm.key_at(Purpose::Master, TerminalCipher::TripleDes2, 9)), "device_key_missing");
    assert_eq!(code(fhsm.key_at(Purpose::Master, TerminalCipher::TripleDes2, 1000)), "device_configuration");
    fhsm.destroy_terminal_key(mac);
    assert_eq!(code(fhsm.terminal_check_value(mac)), "terminal_key_unknown");
    assert_eq!(code(fhsm.generate(KeyKind::Sm4)), "device_unsupported");
    let one: &[u8] = &[1; 16];
    assert_eq!(code(fhsm.form_terminal_key(Purpose::Pin, cipher, &[one, one])), "length_invalid", "a clear component");
}

/// Nothing is believed that does not belong to the request, whichever way it is wrong; afterwards the module serves again.
#[test]
fn a_wrong_answer_is_never_believed() {
    for binary in [false, true] {
        let both = Beside::new(binary);
        let key = both.known(Purpose::Mac, TerminalCipher::Sm4, KEY).inside;
        let other = both.known(Purpose::Mac, TerminalCipher::Sm4, "F351D490994603795C6EBEE8FAEBB481").inside;
        let mac = |key| both.fhsm.terminal_mac(key, TerminalMac::Cbc, b"message");
        let right = mac(key).expect("a MAC");
        let faults = [
            ("code", "device_answer"),
            ("short", "device_answer"),
            ("long", "device_answer"),
            ("length=0", "device_answer"),
            ("length=5000", "device_answer"),
            ("length=3", "device_answer"),
            ("drop", "device_unavailable"),
            ("cut_off", "device_unavailable"),
            ("status=77", "device_refused"),
            ("status=50", "device_unavailable"),
            ("status=60", "device_unsupported"),
            ("status=40", "device_busy"),
            ("status=30", "device_key_missing"),
        ];
        for (fault, expected) in faults {
            both.module.faults(fault);
            let error = mac(key).expect_err(fault);
            assert_eq!(error.code(), expected, "{fault}: {error}");
            assert!(!said(&error).contains(&hex::encode_upper(right)), "{error}");
            both.module.faults("");
            assert_eq!(mac(key).expect("healed"), right, "after {fault}");
        }
        // The answer to what was asked before, as it was: the header tells them apart, where there is one.
        both.module.faults("previous");
        let previous = mac(other);
        if binary {
            assert_eq!(previous.expect("nothing in it tells"), right, "why a header is worth having");
        } else {
            assert_eq!(code(previous), "device_answer");
            both.module.faults("header");
            assert_eq!(code(mac(key)), "device_answer");
        }
        // Behind an answer another one: it is not the answer to what is asked next.
        both.module.faults("unasked");
        assert_eq!(mac(key).expect("the first is right"), right);
        both.module.faults("");
        assert_ne!(mac(other).expect("on another connection"), right);
    }
}

#[test]
fn a_dead_module_is_routed_around() {
    let (mut one, two) = (Module::start(false), Module::start(false));
    let fhsm = Fhsm::open(config(vec![one.config("one"), two.config("two")], false)).expect("modules");
    let key = fhsm.generate_terminal_key(Purpose::Mac, TerminalCipher::Sm4).expect("made");
    let mac = || fhsm.terminal_mac(key, TerminalMac::Ecb, b"message");
    let right = mac().expect("a MAC");
    one.end();
    for _ in 0..4 {
        assert_eq!(mac().expect("the other one has the same master"), right);
    }
    let health = fhsm.check();
    assert_eq!(health.iter().map(|health| health.alive).collect::<Vec<_>>(), [false, true], "{health:?}");
    let error = health[0].last_error.as_deref().expect("it was lost");
    assert!(error.contains("device one is lost"), "{error}");
    two.faults("drop");
    let error = mac().expect_err("none is left");
    assert_eq!(error.code(), "device_unavailable");
    assert!(error.to_string().contains("one") && error.to_string().contains("two"), "{error}");
    two.faults("");
    assert_eq!(mac().expect("healed"), right);
}

#[test]
fn a_module_that_hangs_is_given_up() {
    let module = Module::start(false);
    let fhsm = open(&module);
    drop(fhsm);
    module.faults("hang");
    let mut config = config(vec![module.config("slow")], false);
    config.answer = Duration::from_millis(20);
    let error = Fhsm::open(config).expect_err("no answer comes");
    assert_eq!(error.code(), "device_unavailable");
    assert!(error.to_string().contains("within 20 ms (answer_ms)"), "{error}");
}

/// A connection that was good hangs, and so does a fresh one: the other module does it, and is asked first from then on.
#[test]
fn a_module_that_hangs_is_routed_around() {
    let (one, two) = (Module::start(false), Module::start(false));
    let mut config = config(vec![one.config("one"), two.config("two")], false);
    config.answer = Duration::from_millis(1500);
    config.limits.retry_after = Duration::from_secs(600);
    let fhsm = Fhsm::open(config).expect("modules");
    let key = fhsm.generate_terminal_key(Purpose::Mac, TerminalCipher::Sm4).expect("made");
    let mac = || fhsm.terminal_mac(key, TerminalMac::Ecb, b"message");
    let right = mac().expect("a MAC");
    one.faults("hang");
    for _ in 0..4 {
        assert_eq!(mac().expect("the other one has the same master"), right);
    }
    let health = fhsm.health();
    assert_eq!((health[0].alive, health[0].losses), (false, 1), "it was given up once, and left alone: {health:?}");
    assert!(health[1].alive && health[1].losses == 0, "{health:?}");
}

#[test]
fn callers_in_parallel_get_their_own_answers() {
    let both = Beside::new(true);
    let key = both.known(Purpose::Mac, TerminalCipher::Sm4, KEY);
    std::thread::scope(|scope| {
        for caller in 0..6_u64 {
            let (both, key) = (&both, &key);
            scope.spawn(move || {
                for turn in 0..20 {
                    let message = bytes(caller * 100 + turn, 40);
                    let inside = both.fhsm.terminal_mac(key.inside, TerminalMac::Cbc, &message).expect("a MAC");
                    let soft = both.soft.terminal_mac(key.soft, TerminalMac::Cbc, &message).expect("a MAC");
                    assert_eq!(inside, soft);
                }
            });
        }
    });
    let health = both.fhsm.health();
    assert!(health[0].open <= 2 && health[0].losses == 0, "{health:?}");
}

#[test]
fn a_profile_that_cannot_be_is_refused_by_name() {
    let wrong = |from: &str, to: &str| {
        assert!(TEXT.contains(from), "{from}");
        let error = Dialect::from_toml(&TEXT.replacen(from, to, 1)).expect_err(to);
        assert_eq!(error.code(), "device_configuration");
        error.to_string()
    };
    for (from, to, says) in [
        ("length_bytes = 2", "length_bytes = 3", "length_bytes = 3: 2 or 4 bytes"),
        ("max_bytes = 4096", "max_bytes = 70000", "max_bytes = 70000"),
        ("sequence_digits = 8", "sequence_digits = 17", "sequence_digits = 17"),
        ("check_bytes = 8", "check_bytes = 4", "check_bytes = 4"),
        ("coding = \"hex\"", "coding = \"base64\"", "coding = \"base64\""),
        ("pin = \"P\"", "pin = \"M\"", "both \"M\""),
        ("pin = \"P\"", "pix = \"P\"", "[purpose] pix: there are master, pin"),
        ("sm4 = {", "sm5 = {", "[cipher.sm5]: there are des, 3des-2, sm4"),
        ("bytes = 36", "bytes = 7", "[cipher.des] bytes = 7"),
        ("10 = \"decryption\"", "100 = \"decryption\"", "[status] \"100\""),
        ("10 = \"decryption\"", "10 = \"unknown\"", "unknown variant"),
        ("[command.derive]", "[command.destroy]", "[command.destroy]: there are probe"),
        ("\"mac hex\"", "\"mac\"", "mac is followed by hex, binary or text"),
        ("\"mac_form\", \"key\"", "\"mac_form\"", "key is missing"),
        ("\"mac_form\", \"key\"", "\"mac_form\", \"key\", \"key\"", "key twice"),
        ("\"mac_form\", \"key\"", "\"mac_form\", \"key\", \"block hex\"", "block does not belong here"),
        ("\"card text len2\", \"text text len3\"", "\"card text\", \"text text len3\"", "give them a length"),
        ("message binary len4", "message binary len9", "a length is len1 to len6"),
        ("message binary len4", "msg binary len4", "names no field"),
        ("header = \"L1\"", "header = \"hex:4\"", "is not hexadecimal"),
        ("ok = \"00\"", "ok = \"00\"\nlenght = 1", "lenght"),
    ] {
        let said = wrong(from, to);
        assert!(said.contains(says), "{said}");
    }
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("vendor.toml");
    let text = |more: &str| {
        format!(
            "dialect = {:?}\n{more}[[module]]\nname = \"a\"\naddress = \"127.0.0.1:1\"\n",
            path.display().to_string()
        )
    };
    let error = Config::from_toml(&text("")).expect_err("no such file");
    assert!(error.to_string().contains("vendor.toml"), "{error}");
    fs::write(&path, TEXT).expect("written");
    let config = Config::from_toml(&text("answer_ms = 100\n")).expect("a configuration");
    assert_eq!(config.answer, Duration::from_millis(100));
    assert!(Config::from_toml(&text("answer_ms = 0\n")).expect_err("for ever").to_string().contains("answer_ms = 0"));
    assert_eq!(Fhsm::open(config).expect_err("nobody listens").code(), "device_unavailable");
}

/// A command or form that the profile does not have is refused by name, before anything is sent.
#[test]
fn what_the_profile_lacks_is_refused_by_name() {
    let module = Module::start(false);
    let without = TEXT.split("[command.derive]").next().expect("its front").replace("cmac = \"4\"\n", "");
    let mut config = config(vec![module.config("a")], false);
    config.dialect = Arc::new(Dialect::from_toml(&without).expect("a profile"));
    let fhsm = Fhsm::open(config).expect("a module");
    let from = fhsm.generate_terminal_key(Purpose::Derive, TerminalCipher::Sm4).expect("made");
    let error = fhsm.derive_terminal_key(Purpose::Mac, from, &[0; 8]).expect_err("it is not there");
    assert_eq!(error.code(), "device_unsupported");
    assert!(error.to_string().contains("[command.derive]"), "{error}");
    let mac = fhsm.generate_terminal_key(Purpose::Mac, TerminalCipher::Sm4).expect("made");
    let error = fhsm.terminal_mac(mac, TerminalMac::Cmac, b"").expect_err("it is not there");
    assert!(error.code() == "device_unsupported" && error.to_string().contains("cmac in [mac_form]"), "{error}");
}
