//! Tokens of PKCS #11: SoftHSM beside the soft provider and `openssl`.
//!
//! SoftHSM finds its tokens by an environment variable, so each test runs once more in a process of its own, with
//! tokens of its own.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use ark::{
    Financial as _, Provider as _, Soft,
    device::{Limits, Profile},
    financial::{Purpose, TerminalCipher},
    pkcs11::{Config, Pkcs11, TokenConfig},
    provider::{Authentication, Check, Cipher, KeyError, KeyHandle, KeyKind, PublicKeyEncryption, Signing},
};

use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11 as Library},
    object::{Attribute, KeyType, ObjectClass},
    session::UserType,
    types::AuthPin,
};

use crate::{
    oracle::openssl,
    support::{bytes, said, skip, skip_anywhere},
};

const PIN: &str = "let-me-in-7";
const INSTALL: &str = "apt-get install softhsm2 (SoftHSM 2.6 and its softhsm2-util)";
/// Set in the process that does the work.
const INSIDE: &str = "LINTEL_TEST_SOFTHSM";
/// Where distributions put the library.
const PLACES: [&str; 6] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
];

fn library() -> Option<PathBuf> {
    PLACES.iter().map(PathBuf::from).find(|path| path.exists())
}

/// The values of the keys that both tokens have: `kek` to wrap under, `shared` to encrypt with.
fn shared(label: &str) -> Vec<u8> {
    bytes(label.len() as u64, 32)
}

/// Runs `body` in a process of its own, `times` times over the same two tokens, `one` and `two`.
fn on_tokens(test: &str, times: usize, body: fn(&Tokens)) {
    if let Some(folder) = env::var_os(INSIDE) {
        let tokens = Tokens { folder: folder.into(), library: library().expect("found before") };
        tokens.share_keys();
        return body(&tokens);
    }
    if library().is_none() || Command::new("softhsm2-util").arg("--version").output().is_err() {
        skip_anywhere("pkcs11", INSTALL);
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary directory");
    let (settings, tokens) = (folder.path().join("softhsm2.conf"), folder.path().join("tokens"));
    fs::create_dir(&tokens).expect("made");
    fs::write(&settings, format!("directories.tokendir = {}\nlog.level = ERROR\n", tokens.display())).expect("written");
    for token in ["one", "two"] {
        let made = ["--init-token", "--free", "--label", token, "--so-pin", "so-pin-7", "--pin", PIN];
        softhsm(&settings, &made);
    }
    for _ in 0..times {
        let program = env::current_exe().expect("this program has a path");
        let mut inside = Command::new(program);
        inside.args(["--exact", &format!("pkcs11::{test}"), "--nocapture", "--test-threads=1"]);
        inside.env("SOFTHSM2_CONF", &settings).env(INSIDE, folder.path());
        let done = inside.output().expect("started");
        let said = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success() && said.contains("1 passed"), "{said}");
    }
}

fn softhsm(settings: &Path, arguments: &[&str]) {
    let done = Command::new("softhsm2-util").args(arguments).env("SOFTHSM2_CONF", settings).output().expect("started");
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}

struct Tokens {
    folder: PathBuf,
    library: PathBuf,
}

impl Tokens {
    /// Gives both tokens the keys that they share, as a vendor's tool would copy them.
    fn share_keys(&self) {
        let library = Library::new(&self.library).expect("loaded");
        library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).expect("initialised");
        for slot in library.get_slots_with_initialized_token().expect("slots") {
            let session = library.open_rw_session(slot).expect("a session");
            session.login(UserType::User, Some(&AuthPin::from(PIN))).expect("logged in");
            for (label, wraps) in [("kek", true), ("shared", false)] {
                let named = Attribute::Label(label.into());
                if !session.find_objects(std::slice::from_ref(&named)).expect("answered").is_empty() {
                    continue;
                }
                let mut key = vec![named, Attribute::Value(shared(label))];
                key.extend([Attribute::Class(ObjectClass::SECRET_KEY), Attribute::KeyType(KeyType::AES)]);
                key.extend([Attribute::Token(true), Attribute::Private(true), Attribute::Sensitive(true)]);
                key.extend([Attribute::Wrap(wraps), Attribute::Unwrap(wraps)]);
                key.extend([Attribute::Encrypt(!wraps), Attribute::Decrypt(!wraps), Attribute::Sign(!wraps)]);
                session.create_object(&key).expect("imported");
            }
        }
    }

    fn config(&self, names: &[&str]) -> Config {
        let token = |name: &&str| TokenConfig {
            name: format!("hsm-{name}"),
            library: self.library.clone(),
            token: (*name).to_owned(),
            pin: PIN.into(),
        };
        let limits = Limits { sessions: 2, wait: Duration::from_secs(60), retry_after: Duration::ZERO };
        let tokens = names.iter().map(token).collect();
        Config { profile: Profile::Development, tokens, kek: Some("kek".to_owned()), limits }
    }

    fn open(&self, names: &[&str]) -> Pkcs11 {
        Pkcs11::open(self.config(names)).expect("tokens")
    }
}

fn code<T>(result: Result<T, KeyError>) -> &'static str {
    result.map_or_else(|error| error.code(), |_| "done")
}

fn soft() -> Soft {
    Soft::new().expect("self-tests pass")
}

#[test]
fn ciphers_and_macs_are_those_of_the_soft_provider_and_openssl() {
    on_tokens("ciphers_and_macs_are_those_of_the_soft_provider_and_openssl", 1, |tokens| {
        let (token, soft) = (tokens.open(&["one"]), soft());
        let inside = token.named("shared").expect("imported");
        let outside = soft.import(KeyKind::Aes256, &shared("shared")).expect("a key");
        assert_eq!(token.kind(inside).expect("there"), KeyKind::Aes256);
        assert_eq!(token.check_value(inside).expect("a cipher"), soft.check_value(outside).expect("a cipher"));
        let (block, nonce, associated) = ([0xf7; 16], [3; 12], b"about".as_slice());
        // Carries into its first byte, and not out of it: SoftHSM does not let a counter begin anew.
        let mut counter = [0xff; 16];
        counter[0] = 1;
        let gcm = Cipher::Gcm { nonce: &nonce, associated };
        let cases = [
            (Cipher::Ecb, [16, 64].as_slice()),
            (Cipher::Cbc { iv: &block }, &[16, 4096]),
            (Cipher::Ctr { counter: &counter }, &[0, 1, 16, 4097]),
            (gcm, &[0, 1, 64, 5000]),
        ];
        for (cipher, lengths) in cases {
            for length in lengths {
                let message = bytes(*length as u64, *length);
                let sealed = token.encrypt(inside, cipher, &message).expect("encrypted");
                assert_eq!(sealed, soft.encrypt(outside, cipher, &message).expect("encrypted"), "{cipher:?} {length}");
                assert_eq!(*token.decrypt(inside, cipher, &sealed).expect("opened"), message, "{cipher:?} {length}");
            }
        }
        for length in [0, 1, 16, 31, 5000] {
            let message = bytes(7, length);
            let tag = token.authenticate(inside, Authentication::Cmac, &message).expect("a tag");
            soft.check_tag(outside, Authentication::Cmac, &message, &tag).expect("the same");
            token.check_tag(inside, Authentication::Cmac, &message, &tag).expect("the same");
            assert_eq!(code(token.check_tag(inside, Authentication::Cmac, b"other", &tag)), "tag_mismatch");
        }
        let sealed = token.seal(inside, associated, b"a secret").expect("sealed");
        assert_eq!(*soft.open(outside, associated, &sealed).expect("opened"), b"a secret");
        for place in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[place] ^= 1;
            assert_eq!(code(token.open(inside, associated, &altered)), "decryption_failed", "{place}");
        }
        // The token is still there after all those refusals.
        assert!(token.check()[0].alive && token.check()[0].losses == 0);
        assert_eq!(code(token.open(inside, b"other", &sealed)), "decryption_failed");
        assert_eq!(code(token.open(inside, associated, &sealed[..20])), "decryption_failed");
        assert_eq!(code(token.encrypt(inside, Cipher::Ecb, &[0; 80])), "length_invalid");
        assert_eq!(code(token.encrypt(inside, Cipher::Cbc { iv: &block }, &[0; 15])), "length_invalid");
        assert_eq!(code(token.encrypt(inside, Cipher::Cbc { iv: &[0; 8] }, &[0; 16])), "length_invalid");
        assert_eq!(code(token.decrypt(inside, Cipher::Cbc { iv: &block }, &[0; 15])), "decryption_failed");

        let (key, iv) = (hex::encode(shared("shared")), hex::encode(block));
        let Some(theirs) = openssl(&["enc", "-aes-256-cbc", "-nopad", "-K", &key, "-iv", &iv], &[9; 4096]) else {
            return skip("pkcs11-openssl", "apt-get install openssl (version 3)");
        };
        assert_eq!(token.encrypt(inside, Cipher::Cbc { iv: &block }, &[9; 4096]).expect("encrypted"), theirs);
    });
}

/// The signature's scheme, and how `openssl` verifies it.
const PAIRS: [(KeyKind, Signing<'static>, &str); 4] = [
    (KeyKind::Rsa2048, Signing::RsaPkcs1Sha256, ""),
    (KeyKind::Rsa3072, Signing::RsaPkcs1Sha256, ""),
    (KeyKind::P256, Signing::P256Sha256, "3059301306072a8648ce3d020106082a8648ce3d030107034200"),
    (KeyKind::Ed25519, Signing::Ed25519, "302a300506032b6570032100"),
];

#[test]
fn signatures_of_the_token_are_valid_elsewhere() {
    on_tokens("signatures_of_the_token_are_valid_elsewhere", 1, |tokens| {
        let (token, soft) = (tokens.open(&["one"]), soft());
        for (kind, scheme, front) in PAIRS {
            let named = token.create(&format!("pair {kind}"), kind).expect("made");
            let passing = generated(&token, kind);
            for key in passing.into_iter().chain([named]) {
                assert_eq!(token.kind(key).expect("there"), kind);
                let public = token.public_key(key).expect("a pair");
                for length in [0, 1, 5000] {
                    let message = bytes(5, length);
                    let signature = token.sign(key, scheme, &message).expect("signed");
                    let check = Check { public: &public, scheme, message: &message, signature: &signature };
                    soft.verify(&check).expect("valid");
                    token.verify(&check).expect("valid");
                    assert_eq!(code(token.verify(&Check { message: b"another", ..check })), "signature_invalid");
                }
                let signature = token.sign(key, scheme, b"message").expect("signed");
                openssl_verifies(&tokens.folder, kind, &[unhex(front), public.bytes].concat(), &signature);
            }
            let other = if kind == KeyKind::P256 { Signing::Ed25519 } else { Signing::P256Sha256 };
            assert_eq!(code(token.sign(named, other, b"")), "key_kind");
            assert_eq!(code(token.encrypt(named, Cipher::Ecb, &[0; 16])), "key_kind");
        }
    });
}

/// A key under the KEK, unless the token does not wrap its kind: SoftHSM up to 2.6 leaves Ed25519 out, and says so.
fn generated(token: &Pkcs11, kind: KeyKind) -> Option<KeyHandle> {
    match token.generate(kind) {
        Ok(key) => Some(key),
        Err(error) => {
            assert_eq!((kind, error.code()), (KeyKind::Ed25519, "device_unsupported"), "{error}");
            assert!(error.to_string().contains("CKR_KEY_NOT_WRAPPABLE in C_WrapKey"), "{error}");
            None
        }
    }
}

fn unhex(text: &str) -> Vec<u8> {
    hex::decode(text).expect("hexadecimal digits")
}

fn openssl_verifies(folder: &Path, kind: KeyKind, public: &[u8], signature: &[u8]) {
    let file = |name: &str, content: &[u8]| {
        let path = folder.join(name).display().to_string();
        fs::write(&path, content).expect("written");
        path
    };
    let (public, signature) = (file("public", public), file("signature", signature));
    let message = file("message", b"message");
    if openssl(&["version"], b"").is_none() {
        return skip("pkcs11-openssl", "apt-get install openssl (version 3)");
    }
    let mut arguments = vec!["pkeyutl", "-verify", "-rawin"];
    if kind != KeyKind::Ed25519 {
        arguments.extend(["-digest", "sha256"]);
    }
    arguments.extend(["-pubin", "-keyform", "DER", "-inkey", &public, "-sigfile", &signature, "-in", &message]);
    assert!(openssl(&arguments, b"").is_some(), "{kind}");
}

#[test]
fn what_is_encrypted_for_a_pair_opens_inside_or_is_refused_by_name() {
    on_tokens("what_is_encrypted_for_a_pair_opens_inside_or_is_refused_by_name", 1, |tokens| {
        let (token, soft) = (tokens.open(&["one"]), soft());
        let key = token.generate(KeyKind::Rsa2048).expect("made");
        let (public, scheme) = (token.public_key(key).expect("a pair"), PublicKeyEncryption::RsaOaepSha256);
        let ciphertext = soft.encrypt_for(&public, scheme, b"a secret").expect("encrypted");
        assert_eq!(token.encrypt_for(&public, scheme, b"a secret").expect("encrypted").len(), ciphertext.len());
        match token.decrypt_with(key, scheme, &ciphertext) {
            Ok(opened) => {
                assert_eq!(*opened, b"a secret");
                assert_eq!(code(token.decrypt_with(key, scheme, &[1; 256])), "decryption_failed");
            }
            // SoftHSM up to 2.6 has OAEP with SHA-1 only.
            Err(error) => {
                assert_eq!(error.code(), "device_unsupported");
                assert!(error.to_string().contains("CKR_ARGUMENTS_BAD in C_DecryptInit"), "{error}");
            }
        }
        assert_eq!(code(token.decrypt_with(key, PublicKeyEncryption::Sm2Der, &ciphertext)), "key_kind");
    });
}

#[test]
fn named_keys_outlive_the_process() {
    on_tokens("named_keys_outlive_the_process", 2, |tokens| {
        let token = tokens.open(&["one"]);
        let (sealed, public) = (tokens.folder.join("sealed"), tokens.folder.join("public-key"));
        if !sealed.exists() {
            let key = token.create("orders", KeyKind::Aes256).expect("made");
            fs::write(&sealed, token.seal(key, b"about", b"a secret").expect("sealed")).expect("written");
            let pair = token.create("signing", KeyKind::P256).expect("made");
            fs::write(&public, token.public_key(pair).expect("a pair").bytes).expect("written");
            let kek = token.create_kek("kek 2").expect("made");
            assert_eq!(code(token.encrypt(kek, Cipher::Ecb, &[0; 16])), "key_kind");
            assert_eq!(code(token.create("orders", KeyKind::Aes128)), "device_configuration");
            assert_eq!(code(token.create("", KeyKind::Aes128)), "device_configuration");
            assert_eq!(code(token.create(&"x".repeat(65), KeyKind::Aes128)), "device_configuration");
            return;
        }
        let key = token.named("orders").expect("still there");
        let sealed = fs::read(&sealed).expect("written before");
        assert_eq!(*token.open(key, b"about", &sealed).expect("opened"), b"a secret");
        let pair = token.named("signing").expect("still there");
        assert_eq!(token.public_key(pair).expect("a pair").bytes, fs::read(&public).expect("written before"));
        assert_eq!(code(token.kek("signing")), "key_kind");
        // A key that was made to stay does not leave, and forgetting its handle does not delete it.
        let kek = token.kek("kek 2").expect("still there");
        assert_eq!(code(token.wrap(key, kek)), "key_kind");
        token.destroy(key);
        assert_eq!(code(token.open(key, b"about", &sealed)), "key_unknown");
        let key = token.named("orders").expect("still there");
        assert_eq!(*token.open(key, b"about", &sealed).expect("opened"), b"a secret");
        // Erased and made again under the same label: sessions that knew the old object find the new one.
        token.erase("orders").expect("erased");
        assert_eq!(code(token.open(key, b"about", &sealed)), "device_key_missing");
        assert_eq!(code(token.named("orders")), "device_key_missing");
        token.create("orders", KeyKind::Aes256).expect("made");
        assert_eq!(code(token.open(key, b"about", &sealed)), "decryption_failed");
        token.erase("signing").expect("erased");
        assert_eq!(code(token.erase("signing")), "device_key_missing");
    });
}

#[test]
fn keys_leave_wrapped_and_come_back_whole() {
    on_tokens("keys_leave_wrapped_and_come_back_whole", 1, |tokens| {
        let token = tokens.open(&["one"]);
        let (kek, other) = (token.kek("kek").expect("imported"), token.create_kek("other").expect("made"));
        for kind in [KeyKind::Aes128, KeyKind::Aes256, KeyKind::Rsa2048, KeyKind::P256, KeyKind::Ed25519] {
            let Some(key) = generated(&token, kind) else { continue };
            let is_aes = matches!(kind, KeyKind::Aes128 | KeyKind::Aes256);
            let same = |again: KeyHandle| {
                if is_aes {
                    token.check_value(again).expect("a cipher") == token.check_value(key).expect("a cipher")
                } else {
                    token.public_key(again).expect("a pair") == token.public_key(key).expect("a pair")
                }
            };
            for under in [kek, other] {
                let wrapped = token.wrap(key, under).expect("wrapped");
                assert!(same(token.unwrap(&wrapped, kind, under).expect("a key")), "{kind}");
                let wrong = if under == kek { other } else { kek };
                assert_eq!(code(token.unwrap(&wrapped, kind, wrong)), "decryption_failed", "{kind}");
                for other_kind in [KeyKind::Aes128, KeyKind::Aes256, KeyKind::P256, KeyKind::Rsa3072, KeyKind::Sm4] {
                    let answer = code(token.unwrap(&wrapped, other_kind, under));
                    assert_eq!(answer, if other_kind == kind { "done" } else { "decryption_failed" }, "{kind}");
                }
                // Every byte of the short ones, some of the long ones.
                for place in (0..wrapped.len()).step_by(1 + wrapped.len() / 100) {
                    let mut altered = wrapped.clone();
                    altered[place] ^= 0x10;
                    assert_eq!(code(token.unwrap(&altered, kind, under)), "decryption_failed", "{kind} {place}");
                    assert_eq!(code(token.unwrap(&wrapped[..place], kind, under)), "decryption_failed", "{place}");
                }
            }
            assert_eq!(code(token.wrap(key, key)), "key_kind");
            token.destroy(key);
            assert_eq!(code(token.kind(key)), "key_unknown");
        }
        wrapping_is_that_of_rfc_3394(&token, kek);
    });
}

/// `openssl` opens what the token wrapped, and the key inside is the one with this check value.
fn wrapping_is_that_of_rfc_3394(token: &Pkcs11, kek: KeyHandle) {
    let key = token.generate(KeyKind::Aes256).expect("made");
    let wrapped = token.wrap(key, kek).expect("wrapped");
    let (front, bytes) = wrapped.split_at(6);
    assert_eq!(front, b"p111\0\0");
    let value = hex::encode(shared("kek"));
    let opened = openssl(&["enc", "-d", "-id-aes256-wrap", "-K", &value, "-iv", "a6a6a6a6a6a6a6a6"], bytes);
    let Some(opened) = opened else {
        return skip("pkcs11-openssl", "apt-get install openssl (version 3)");
    };
    let soft = soft();
    let outside = soft.import(KeyKind::Aes256, &opened).expect("a key");
    assert_eq!(soft.check_value(outside).expect("a cipher"), token.check_value(key).expect("a cipher"));
}

#[test]
fn a_key_of_one_token_opens_on_the_other_and_through_its_loss() {
    on_tokens("a_key_of_one_token_opens_on_the_other_and_through_its_loss", 1, |tokens| {
        let both = tokens.open(&["one", "two"]);
        let key = both.generate(KeyKind::Aes256).expect("made");
        let pair = both.generate(KeyKind::P256).expect("made");
        let public = both.public_key(pair).expect("a pair");
        let work = || {
            for turn in 0..6 {
                let sealed = both.seal(key, b"about", &[turn; 100]).expect("sealed");
                assert_eq!(*both.open(key, b"about", &sealed).expect("opened"), [turn; 100]);
                let signature = both.sign(pair, Signing::P256Sha256, b"m").expect("signed");
                let check =
                    Check { public: &public, scheme: Signing::P256Sha256, message: b"m", signature: &signature };
                both.verify(&check).expect("valid");
            }
        };
        thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(work);
            }
        });
        let health = both.check();
        assert!(health.iter().all(|health| health.alive && health.losses == 0 && health.open > 0), "{health:?}");
        // A label would name another key on each.
        assert_eq!(code(both.create("new", KeyKind::Aes128)), "device_configuration");
        assert_eq!(code(both.create_kek("new")), "device_configuration");
        assert_eq!(code(both.erase("shared")), "device_configuration");

        // As if the devices had been switched off and on: no session, object or login is left.
        let library = || Library::new(&tokens.library).expect("loaded");
        library().finalize().expect("finalised");
        work();
        assert!(both.check().iter().all(|health| health.alive));

        // And now one of them does not come back.
        let folders = fs::read_dir(tokens.folder.join("tokens")).expect("a folder");
        let lost = folders.map(|entry| entry.expect("an entry").path()).find(|path| {
            let object = fs::read(path.join("token.object")).expect("a token");
            object.windows(3).any(|label| label == b"one")
        });
        fs::remove_dir_all(lost.expect("token one")).expect("removed");
        library().finalize().expect("finalised");
        work();
        let health = both.check();
        assert!(!health[0].alive && health[0].losses > 0 && health[1].alive, "{health:?}");
        let why = health[0].last_error.as_deref().unwrap_or_default();
        assert!(why.contains("no token \"one\"; there are: two"), "{why}");
    });
}

#[test]
fn what_a_token_lacks_or_refuses_has_its_name() {
    on_tokens("what_a_token_lacks_or_refuses_has_its_name", 1, |tokens| {
        let with = |change: fn(&mut Config)| {
            let mut config = tokens.config(&["one"]);
            change(&mut config);
            Pkcs11::open(config)
        };
        // First of all: a token that is logged in asks no other session for the PIN.
        let error = with(|config| config.tokens[0].pin = "wrong-pin-8".into()).expect_err("refused");
        assert_eq!(error.code(), "device_password");
        assert!(said(&error).contains("\"one\"") && !said(&error).contains("wrong-pin-8"), "{error}");
        let token = tokens.open(&["one"]);
        let info = token.info().expect("a token");
        assert!(info.manufacturer.contains("SoftHSM"), "{info:?}");
        assert!(info.mechanisms.iter().any(|name| name == "CKM_AES_GCM"), "{info:?}");
        for kind in [KeyKind::Sm2, KeyKind::Sm4, KeyKind::HmacSm3, KeyKind::TripleDes2, KeyKind::TripleDes3] {
            assert_eq!(code(token.generate(kind)), "device_unsupported", "{kind}");
            assert_eq!(code(token.create("new", kind)), "device_unsupported", "{kind}");
        }
        let key = token.generate(KeyKind::Aes128).expect("made");
        assert_eq!(code(token.derive(key, b"", KeyKind::Aes128)), "device_unsupported");
        assert_eq!(code(token.authenticate(key, Authentication::HmacSm3, b"")), "key_kind");
        assert_eq!(code(token.public_key(key)), "key_kind");
        assert_eq!(code(token.named("nothing")), "device_key_missing");
        // A key-encryption key that decrypts would open what it wrapped.
        assert_eq!(code(token.named("kek")), "device_configuration");
        assert_eq!(code(token.kek("shared")), "device_configuration");
        let opens = with(|config| config.kek = Some("shared".into())).expect("a token");
        assert_eq!(code(opens.generate(KeyKind::Aes128)), "device_configuration");
        let (mut first, mut second) = (vec![0; 20_000], vec![0; 20_000]);
        token.random(&mut first).expect("random");
        token.random(&mut second).expect("random");
        assert!(first != second && !first.ends_with(&[0; 16]));

        let error = with(|config| config.tokens[0].token = "three".into()).expect_err("refused");
        assert_eq!(error.code(), "device_unavailable");
        assert!(said(&error).contains("no token \"three\"; there are: one, two"), "{error}");
        let none = with(|config| config.kek = None).expect("a token");
        assert_eq!(code(none.generate(KeyKind::Aes128)), "device_configuration");
        let other = with(|config| config.kek = Some("nothing".into())).expect("a token");
        assert_eq!(code(other.generate(KeyKind::Aes128)), "device_key_missing");

        let (purpose, cipher) = (Purpose::Pin, TerminalCipher::Sm4);
        assert_eq!(code(token.generate_terminal_key(purpose, cipher)), "device_unsupported");
        let production = with(|config| config.profile = Profile::Production).expect("a token");
        assert_eq!(code(production.generate_terminal_key(purpose, cipher)), "profile_production");
        assert!(!format!("{token:?} {:?}", tokens.config(&["one"])).contains(PIN));
    });
}

#[test]
fn a_library_that_is_none_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("no-library.so");
    for content in [None, Some(b"not a library".as_slice())] {
        if let Some(content) = content {
            fs::write(&path, content).expect("written");
        }
        let token = TokenConfig { name: "a".into(), library: path.clone(), token: "one".into(), pin: PIN.into() };
        let limits = Limits::default();
        let config = Config { profile: Profile::Production, tokens: vec![token], kek: None, limits };
        let error = Pkcs11::open(config).expect_err("refused");
        assert_eq!(error.code(), "device_library");
        assert!(error.to_string().contains("no-library.so") && !said(&error).contains(PIN), "{error}");
    }
    // A library of another interface.
    let token = TokenConfig { name: "a".into(), library: crate::sdf::library(), token: "one".into(), pin: PIN.into() };
    let config = Config { profile: Profile::Production, tokens: vec![token], kek: None, limits: Limits::default() };
    let error = Pkcs11::open(config).expect_err("refused");
    assert!(error.to_string().contains("no C_GetFunctionList: it is no library of PKCS #11"), "{error}");
}

#[test]
fn a_configuration_says_what_is_wrong_with_it() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let pin = folder.path().join("pin");
    fs::write(&pin, format!("{PIN}\n")).expect("written");
    fs::set_permissions(&pin, fs::Permissions::from_mode(0o600)).expect("its mode");
    let device = |pin: &Path| {
        let pin = pin.display();
        format!("[[device]]\nname = \"a\"\nlibrary = \"/lib/x.so\"\ntoken = \"one\"\npin_file = \"{pin}\"\n")
    };
    let config = Config::from_toml(&format!("kek = \"kek\"\nsessions = 3\n{}", device(&pin))).expect("a configuration");
    assert_eq!((config.profile, config.limits.sessions), (Profile::Production, 3));
    assert_eq!(config.tokens[0].pin.expose(), PIN);
    let problem = |text: &str| Config::from_toml(text).expect_err("refused").to_string();
    assert!(problem("pin = 7").contains("unknown field `pin`"), "{}", problem("pin = 7"));
    let missing = problem(&device(&folder.path().join("nowhere")));
    assert!(missing.contains("pin_file") && missing.contains("nowhere"), "{missing}");
    assert!(problem(&format!("profile = \"prod\"\n{}", device(&pin))).contains("\"production\""));
    fs::set_permissions(&pin, fs::Permissions::from_mode(0o640)).expect("its mode");
    let shared = problem(&device(&pin));
    assert!(shared.contains("mode 0640") && shared.contains("chmod 600") && !shared.contains(PIN), "{shared}");
}
