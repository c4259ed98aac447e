//! Devices of GM/T 0018: a library of the tests' own, loaded as a vendor's, beside the soft provider and `openssl`.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Barrier,
    thread,
    time::Duration,
};

use ark::{
    Financial as _, Provider as _, Soft,
    device::{Limits, Profile},
    financial::{Purpose, TerminalCipher},
    provider::{Authentication, Check, Cipher, KeyError, KeyKind, PublicKeyEncryption, Signing},
    sdf::{Config, DeviceConfig, PairConfig, PairUse, Sdf},
};
use tempfile::TempDir;

use crate::{
    oracle::openssl,
    support::{bytes, said, skip},
};

const PASSWORD: &str = "let-me-in-7";

/// The library of `examples/sdf_device.rs`, which cargo builds with the tests.
pub(crate) fn library() -> PathBuf {
    let test = env::current_exe().expect("this program has a path");
    let folder = test.parent().and_then(Path::parent).expect("target/…/deps/it");
    let (prefix, suffix) = (env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX);
    let library = folder.join("examples").join(format!("{prefix}sdf_device{suffix}"));
    assert!(library.exists(), "{} is missing: cargo build -p ark --example sdf_device", library.display());
    library
}

/// Copies of the library: each is a device of its own, in one process.
struct Devices {
    folder: TempDir,
    config: Config,
}

impl Devices {
    fn new(names: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let device = |name: &&str| {
            let path = folder.path().join(format!("{name}.so"));
            fs::copy(library(), &path).expect("copied");
            DeviceConfig { name: (*name).to_owned(), library: path, decrypt_takes_algorithm: false }
        };
        let devices = names.iter().map(device).collect();
        let pairs = vec![PairConfig { index: 1, password: PASSWORD.into() }];
        let limits = Limits { sessions: 2, wait: Duration::from_millis(20), retry_after: Duration::ZERO };
        let config = Config { profile: Profile::Development, devices, kek: Some(1), pairs, limits };
        Self { folder, config }
    }

    fn faults(&self, name: &str, faults: &str) {
        fs::write(self.folder.path().join(format!("{name}.so.faults")), faults).expect("written");
    }

    fn open(&self) -> Result<Sdf, KeyError> {
        Sdf::open(self.config.clone())
    }
}

fn code<T>(result: Result<T, KeyError>) -> &'static str {
    result.map_or_else(|error| error.code(), |_| "done")
}

fn soft() -> Soft {
    Soft::new().expect("self-tests pass")
}

#[test]
fn signatures_of_the_device_are_valid_elsewhere_and_the_other_way_round() {
    let sdf = Devices::new(&["a"]).open().expect("a device");
    assert_eq!(sdf.info().expect("a device").issuer, "Lintel tests");
    let soft = soft();
    let (inside, outside) = (sdf.pair(1, PairUse::Sign).expect("a pair"), soft.generate(KeyKind::Sm2).expect("a key"));
    for (id, length) in [(b"1234567812345678".as_slice(), 0), (b"ALICE123@YAHOO.COM", 100), (b"", 70_000)] {
        let (scheme, message) = (Signing::Sm2 { id }, bytes(length as u64, length));
        for (signer, key) in [(&sdf as &dyn ark::Provider, inside), (&soft, outside)] {
            let public = signer.public_key(key).expect("a pair");
            let signature = signer.sign(key, scheme, &message).expect("signed");
            let check = Check { public: &public, scheme, message: &message, signature: &signature };
            for verifier in [&sdf as &dyn ark::Provider, &soft] {
                verifier.verify(&check).expect("valid on both sides");
                let other = Check { message: b"another", ..check };
                assert_eq!(code(verifier.verify(&other)), "signature_invalid");
                assert_eq!(code(verifier.verify(&Check { signature: &signature[1..], ..check })), "signature_invalid");
            }
        }
    }
    assert_eq!(sdf.digest(None, b"abc").expect("hashed"), ark::sm3(b"abc"));
    assert_eq!(code(sdf.sign(inside, Signing::Ed25519, b"")), "key_kind");
    assert_eq!(code(sdf.pair(9, PairUse::Sign)), "device_key_missing");
}

#[test]
fn openssl_takes_a_signature_of_the_device() {
    let sdf = Devices::new(&["a"]).open().expect("a device");
    let key = sdf.pair(1, PairUse::Sign).expect("a pair");
    let folder = tempfile::tempdir().expect("a temporary directory");
    let file = |name: &str| folder.path().join(name).display().to_string();
    let front = hex::decode("3059301306072a8648ce3d020106082a811ccf5501822d034200").expect("hex");
    let public = [front, sdf.public_key(key).expect("a pair").bytes].concat();
    fs::write(file("public"), public).expect("written");
    fs::write(file("signature"), sdf.sign(key, Signing::SM2, b"message").expect("signed")).expect("written");
    if openssl(&["genpkey", "-algorithm", "SM2"], b"").is_none() {
        return skip("openssl_takes_a_signature_of_the_device", "apt-get install openssl (version 3, with SM2)");
    }
    fs::write(file("message"), b"message").expect("written");
    let verify = ["pkeyutl", "-verify", "-rawin", "-digest", "sm3", "-pkeyopt", "distid:1234567812345678"];
    let (public, signature, message) = (file("public"), file("signature"), file("message"));
    let files = ["-pubin", "-keyform", "DER", "-inkey", &public, "-sigfile", &signature, "-in", &message];
    assert!(openssl(&[verify.as_slice(), &files].concat(), b"").is_some());
}

#[test]
fn what_is_encrypted_for_a_pair_opens_inside() {
    let sdf = Devices::new(&["a"]).open().expect("a device");
    let (soft, key) = (soft(), sdf.pair(1, PairUse::Encrypt).expect("a pair"));
    let public = sdf.public_key(key).expect("a pair");
    for scheme in [PublicKeyEncryption::Sm2Raw, PublicKeyEncryption::Sm2Der] {
        for maker in [&sdf as &dyn ark::Provider, &soft] {
            let ciphertext = maker.encrypt_for(&public, scheme, b"a secret").expect("encrypted");
            assert_eq!(*sdf.decrypt_with(key, scheme, &ciphertext).expect("opened"), b"a secret");
            for place in [0, 1, 40, 70, ciphertext.len() - 1] {
                let mut altered = ciphertext.clone();
                altered[place] ^= 1;
                assert_eq!(code(sdf.decrypt_with(key, scheme, &altered)), "decryption_failed", "{place}");
            }
        }
    }
    let own = soft.generate(KeyKind::Sm2).expect("a key");
    let public = soft.public_key(own).expect("a pair");
    let ciphertext = sdf.encrypt_for(&public, PublicKeyEncryption::Sm2Der, b"m").expect("encrypted");
    assert_eq!(*soft.decrypt_with(own, PublicKeyEncryption::Sm2Der, &ciphertext).expect("opened"), b"m");
    assert_eq!(code(sdf.encrypt_for(&public, PublicKeyEncryption::Sm2Der, b"")), "length_invalid");
    let signing = sdf.pair(1, PairUse::Sign).expect("a pair");
    assert_eq!(code(sdf.decrypt_with(signing, PublicKeyEncryption::Sm2Der, &ciphertext)), "key_kind");
}

/// A key that the test knows is brought in encrypted for the device's pair.
#[test]
fn ciphers_and_macs_are_those_of_the_soft_provider() {
    let sdf = Devices::new(&["a"]).open().expect("a device");
    let (soft, pair) = (soft(), sdf.pair(1, PairUse::Encrypt).expect("a pair"));
    let key = bytes(5, 16);
    let public = sdf.public_key(pair).expect("a pair");
    let sealed = soft.encrypt_for(&public, PublicKeyEncryption::Sm2Der, &key).expect("encrypted");
    let inside = sdf.import_sealed(pair, &sealed).expect("opened");
    let outside = soft.import(KeyKind::Sm4, &key).expect("a key");
    assert_eq!(sdf.check_value(inside).expect("a cipher"), soft.check_value(outside).expect("a cipher"));
    let iv = [7; 16];
    for length in [16, 32, 64, 8192, 8208, 40_000] {
        let message = bytes(length as u64, length);
        for mode in [Cipher::Ecb, Cipher::Cbc { iv: &iv }] {
            let there = sdf.encrypt(inside, mode, &message);
            assert_eq!(there.as_ref().ok(), soft.encrypt(outside, mode, &message).as_ref().ok(), "{length}");
            if let Ok(ciphertext) = there {
                assert_eq!(*sdf.decrypt(inside, mode, &ciphertext).expect("opened"), message);
            }
        }
    }
    for length in [0, 1, 15, 16, 17, 32, 8192, 8193, 20_000] {
        let message = bytes(length as u64, length);
        let tag = sdf.authenticate(inside, Authentication::Cmac, &message).expect("a tag");
        assert_eq!(tag, soft.authenticate(outside, Authentication::Cmac, &message).expect("a tag"), "{length}");
        assert_eq!(code(sdf.check_tag(inside, Authentication::Cmac, &message, &tag)), "done");
        assert_eq!(code(sdf.check_tag(inside, Authentication::Cmac, &message, &tag[1..])), "tag_mismatch");
    }
    for odd in [&[] as &[u8], &[0; 15]] {
        assert_eq!(code(sdf.encrypt(inside, Cipher::Cbc { iv: &iv }, odd)), "length_invalid");
        assert_eq!(code(sdf.decrypt(inside, Cipher::Cbc { iv: &iv }, odd)), "decryption_failed");
    }
    let altered = [&sealed[..sealed.len() - 1], &[sealed[sealed.len() - 1] ^ 1]].concat();
    assert_eq!(code(sdf.import_sealed(pair, &altered)), "decryption_failed");
}

#[test]
fn keys_leave_only_under_a_key_encryption_key() {
    let devices = Devices::new(&["a", "b"]);
    let sdf = devices.open().expect("devices");
    let (key, kek) = (sdf.generate(KeyKind::Sm4).expect("a key"), sdf.kek(1));
    let wrapped = sdf.wrap(key, kek).expect("wrapped");
    let again = devices.open().expect("devices");
    let kek_again = again.kek(1);
    let came = again.unwrap(&wrapped, KeyKind::Sm4, kek_again).expect("its own");
    assert_eq!(again.check_value(came).expect("a cipher"), sdf.check_value(key).expect("a cipher"));
    for place in 0..wrapped.len() {
        let mut altered = wrapped.clone();
        altered[place] ^= 1;
        assert_eq!(code(again.unwrap(&altered, KeyKind::Sm4, kek_again)), "decryption_failed", "{place}");
    }
    let other = again.kek(2);
    assert_eq!(code(again.unwrap(&wrapped, KeyKind::Sm4, other)), "decryption_failed");
    assert_eq!(code(again.unwrap(&wrapped, KeyKind::Aes128, kek_again)), "decryption_failed");
    assert_eq!(code(again.unwrap(b"", KeyKind::Sm4, kek_again)), "decryption_failed");
    assert_eq!(code(sdf.wrap(key, key)), "key_kind");
    sdf.destroy(key);
    assert_eq!(code(sdf.check_value(key)), "key_unknown");
    // More keys than a session keeps at once.
    let keys: Vec<_> = (0..40).map(|_| sdf.generate(KeyKind::Sm4).expect("a key")).collect();
    for key in &keys {
        sdf.check_value(*key).expect("taken in again");
    }
    let mut random = [[0; 40], [0; 40]];
    random.iter_mut().for_each(|bytes| sdf.random(bytes).expect("random bytes"));
    assert_ne!(random[0], random[1]);
}

#[test]
fn what_a_device_lacks_is_named() {
    let devices = Devices::new(&["a"]);
    let sdf = devices.open().expect("a device");
    let key = sdf.generate(KeyKind::Sm4).expect("a key");
    for kind in KeyKind::ALL.into_iter().filter(|kind| *kind != KeyKind::Sm4) {
        assert_eq!(code(sdf.generate(kind)), "device_unsupported", "{kind}");
    }
    assert_eq!(code(sdf.seal(key, b"", b"m")), "device_unsupported");
    assert_eq!(code(sdf.authenticate(key, Authentication::HmacSm3, b"")), "key_kind");
    devices.faults("a", "unsupported=SDF_HashInit");
    let pair = sdf.pair(1, PairUse::Sign).expect("a pair");
    let error = sdf.sign(pair, Signing::SM2, b"").expect_err("no hash");
    assert_eq!(error.code(), "device_unsupported");
    assert_eq!(error.to_string(), "device a cannot SDF_HashInit: SDR_NOTSUPPORT (0x01000002)");
}

#[test]
fn a_length_of_the_device_is_not_believed() {
    let devices = Devices::new(&["a"]);
    let sdf = devices.open().expect("a device");
    let (key, pair) = (sdf.generate(KeyKind::Sm4).expect("a key"), sdf.pair(1, PairUse::Encrypt).expect("a pair"));
    let public = sdf.public_key(pair).expect("a pair");
    let sealed = sdf.encrypt_for(&public, PublicKeyEncryption::Sm2Der, b"message").expect("encrypted");
    for length in [0, 1, 15, 17, 31, 33, 65_535, 4_294_967_295_u64] {
        devices.faults("a", &format!("length={length}"));
        assert_eq!(code(sdf.check_value(key)), "device_answer", "{length}");
        assert_eq!(code(sdf.digest(None, b"")), "device_answer", "{length}");
        assert_eq!(code(sdf.authenticate(key, Authentication::Cmac, b"")), "device_answer", "{length}");
        assert_eq!(
            code(sdf.encrypt_for(&public, PublicKeyEncryption::Sm2Der, b"message")),
            "device_answer",
            "{length}"
        );
        assert_eq!(code(sdf.decrypt_with(pair, PublicKeyEncryption::Sm2Der, &sealed)), "device_answer", "{length}");
    }
    devices.faults("a", "bits=512");
    assert_eq!(code(sdf.pair(1, PairUse::Sign)), "device_answer");
    devices.faults("a", "");
    assert_eq!(code(sdf.check_value(key)), "done");
}

#[test]
fn a_dead_device_is_routed_around_and_comes_back() {
    let devices = Devices::new(&["a", "b"]);
    let sdf = devices.open().expect("devices");
    let (key, pair) = (sdf.generate(KeyKind::Sm4).expect("a key"), sdf.pair(1, PairUse::Sign).expect("a pair"));
    let value = sdf.check_value(key).expect("a cipher");
    let alive = |sdf: &Sdf| sdf.check().into_iter().map(|health| health.alive).collect::<Vec<_>>();
    assert_eq!(alive(&sdf), [true, true]);
    devices.faults("a", "dead");
    for _ in 0..6 {
        assert_eq!(sdf.check_value(key).expect("the other device"), value);
        assert_eq!(code(sdf.sign(pair, Signing::SM2, b"m")), "done");
    }
    assert_eq!(alive(&sdf), [false, true]);
    devices.faults("b", "dead");
    let error = sdf.check_value(key).expect_err("none left");
    assert_eq!(error.code(), "device_unavailable");
    let said = said(&error);
    assert!(said.contains("device a") && said.contains("device b") && said.contains("SDR_COMMFAIL"), "{said}");
    devices.faults("a", "");
    assert_eq!(sdf.check_value(key).expect("back"), value);
    assert_eq!(alive(&sdf), [true, false]);
    let health = sdf.health();
    assert!(health[1].losses > 0 && health[1].last_error.as_deref().is_some_and(|error| error.contains("COMMFAIL")));
}

/// A lost session is opened again, with its keys and rights, and the caller sees nothing.
#[test]
fn a_session_that_is_lost_is_opened_again() {
    let devices = Devices::new(&["a"]);
    let sdf = devices.open().expect("a device");
    let (key, pair) = (sdf.generate(KeyKind::Sm4).expect("a key"), sdf.pair(1, PairUse::Sign).expect("a pair"));
    let value = sdf.check_value(key).expect("a cipher");
    devices.faults("a", "comm_after=9");
    for _ in 0..20 {
        assert_eq!(sdf.check_value(key).expect("opened again"), value);
        assert_eq!(code(sdf.sign(pair, Signing::SM2, b"m")), "done");
    }
    assert_eq!(sdf.health()[0].losses, 0, "the device was there all the time");
}

#[test]
fn sessions_are_bounded_by_us_and_by_the_device() {
    let mut devices = Devices::new(&["a"]);
    devices.config.limits = Limits { sessions: 8, wait: Duration::from_secs(60), ..devices.config.limits };
    devices.faults("a", "sessions=3");
    let sdf = devices.open().expect("a device");
    let key = sdf.generate(KeyKind::Sm4).expect("a key");
    let value = sdf.check_value(key).expect("a cipher");
    let start = Barrier::new(8);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                start.wait();
                for _ in 0..50 {
                    assert_eq!(sdf.check_value(key).expect("a session becomes free"), value);
                }
            });
        }
    });
    assert!(sdf.health()[0].open <= 3);
    devices.faults("a", "sessions=0");
    assert_eq!(code(devices.open()), "device_busy");
}

#[test]
fn wrong_libraries_settings_and_passwords_say_what_is_wrong() {
    let mut devices = Devices::new(&["a"]);
    devices.config.pairs[0].password = "wrong-9".into();
    let sdf = devices.open().expect("a device");
    let pair = sdf.pair(1, PairUse::Sign).expect("public keys need no password");
    let error = sdf.sign(pair, Signing::SM2, b"").expect_err("the password is wrong");
    assert_eq!(error.code(), "device_password");
    assert!(!said(&error).contains("wrong-9") && !format!("{:?} {sdf:?}", devices.config).contains("wrong-9"));

    let library = |path: &str| {
        let mut config = devices.config.clone();
        config.devices[0].library = path.into();
        Sdf::open(config).expect_err("no such library")
    };
    let error = library("/nowhere/libsdf.so");
    assert_eq!(error.code(), "device_library");
    assert!(error.to_string().contains("/nowhere/libsdf.so"), "{error}");
    let error = library("libc.so.6");
    assert_eq!(error.code(), "device_library");
    assert!(error.to_string().contains("SDF_OpenDevice"), "{error}");

    let config = |text: &str| Config::from_toml(text).map_err(KeyError::from);
    let device = "[[device]]\nname = \"a\"\nlibrary = \"/opt/a.so\"\n";
    assert_eq!(config(device).expect("whole").profile, Profile::Production, "what is not said otherwise");
    assert_eq!(code(config("")), "device_configuration");
    assert_eq!(code(config(&format!("profile = \"test\"\n{device}"))), "device_configuration");
    assert_eq!(code(config(&format!("sesions = 3\n{device}"))), "device_configuration");
    let missing = format!("{device}[[pair]]\nindex = 1\npassword_file = \"/nowhere/password\"\n");
    assert_eq!(code(config(&missing)), "device_configuration");
    devices.config.limits.sessions = 0;
    assert_eq!(code(devices.open()), "device_configuration");
    devices.config.devices.clear();
    assert_eq!(code(devices.open()), "device_configuration");
}

#[test]
fn a_production_does_no_financial_commands_here() {
    let mut devices = Devices::new(&["a"]);
    let generate = |sdf: &Sdf| code(sdf.generate_terminal_key(Purpose::Pin, TerminalCipher::Sm4));
    assert_eq!(generate(&devices.open().expect("a device")), "device_unsupported");
    devices.config.profile = Profile::Production;
    assert_eq!(generate(&devices.open().expect("a device")), "profile_production");
}

/// The faults of a whole process, as the library's environment has them.
#[test]
fn faults_of_the_environment() {
    const CHILD: &str = "SDF_TEST_CHILD";
    if env::var_os(CHILD).is_some() {
        assert_eq!(code(Devices::new(&["a"]).open()), "device_unavailable");
        return;
    }
    let mut command = Command::new(env::current_exe().expect("this program has a path"));
    command.args(["--exact", "sdf::faults_of_the_environment"]).env(CHILD, "1").env("SDF_DEVICE_FAULTS", "dead");
    let output = command.output().expect("the child runs");
    assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("1 passed"), "{output:?}");
}
