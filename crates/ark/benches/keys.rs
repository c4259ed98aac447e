//! What the provider does a second on one core, beside what OpenSSL's own `speed` says in the same run.
//!
//! `cargo bench -p ark` prints a table, `cargo bench -p ark -- --json` the same as JSON; a word behind `--` measures only
//! the lines that have it in their name. Figures are of processor time of
//! the measuring thread where the system tells it (Linux), as `openssl speed` counts processor time too: so another
//! program beside it costs less than it would on the clock, not nothing. Ours and OpenSSL's take turns, three times, and
//! the median counts.

#![expect(clippy::print_stdout, reason = "a benchmark prints what it found")]

use std::{
    fmt::Write as _,
    fs,
    hint::black_box,
    process::Command,
    sync::{Arc, OnceLock},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use ark::{
    KeyService, Provider as _, Soft,
    ceremony::RootKey,
    keys::{By, Context, Purpose, Spec},
    provider::{Check, Cipher, KeyKind, Signing},
    sm3,
};

/// How long each thing is measured, each time.
const SLICE: Duration = Duration::from_millis(500);
const ROUNDS: usize = 3;

/// One line of the table.
struct Line {
    name: &'static str,
    ours: Box<dyn FnMut() -> u64>,
    /// What OpenSSL does that is most like it.
    theirs: Theirs,
    found: Vec<f64>,
    found_theirs: Vec<f64>,
    theirs_name: &'static str,
}

/// What to ask `openssl speed` for.
#[derive(Clone, Copy)]
enum Theirs {
    Sm2Sign,
    Sm2Verify,
    /// A digest over messages of so many bytes.
    Digest(&'static str, u64),
    /// A cipher, by the first of these names that this OpenSSL knows.
    Cipher(&'static [&'static str], u64),
}

const SM4: &[&str] = &["sm4-gcm", "sm4-ctr"];

fn main() {
    let json = std::env::args().any(|argument| argument == "--json");
    let words: Vec<_> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let mut lines = lines();
    lines.retain(|line| words.iter().all(|word| line.name.contains(word.as_str())));
    for _ in 0..ROUNDS {
        for line in &mut lines {
            let ours = rate(&mut line.ours);
            line.found.push(ours);
            if let Some((theirs, name)) = line.theirs.rate() {
                line.found_theirs.push(theirs);
                line.theirs_name = name;
            }
        }
    }
    print(&mut lines, json);
}

/// A key service with one key, in a directory that goes away with it.
fn service(name: &str, kind: KeyKind, purpose: Purpose) -> (tempfile::TempDir, KeyService) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let root = RootKey::generate().expect("random bytes");
    let soft = Arc::new(Soft::new().expect("self-tests pass"));
    let service = KeyService::init(directory.path(), soft, &root, &now()).expect("a key service");
    service.create(&now(), &Spec::new(name, kind, purpose)).expect("a key");
    (directory, service)
}

/// The clock as a server gives it: the trail is written when its second is over.
fn now() -> By<'static> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    By::new("bench", "", i64::try_from(since.as_millis()).expect("not yet"))
}

fn lines() -> Vec<Line> {
    let line = |name, theirs, ours: Box<dyn FnMut() -> u64>| Line {
        name,
        ours,
        theirs,
        found: vec![],
        found_theirs: vec![],
        theirs_name: "-",
    };
    let message = |length| vec![0x5a_u8; length];
    let gcm = |length: usize| {
        let (soft, data) = (Soft::new().expect("self-tests pass"), message(length));
        let key = soft.generate(KeyKind::Sm4).expect("random bytes");
        Box::new(move || {
            let cipher = Cipher::Gcm { nonce: &[7; 12], associated: b"" };
            black_box(soft.encrypt(key, cipher, &data).expect("encrypted"));
            1
        })
    };
    vec![
        line("SM2 sign", Theirs::Sm2Sign, {
            let soft = Soft::new().expect("self-tests pass");
            let key = soft.generate(KeyKind::Sm2).expect("random bytes");
            Box::new(move || {
                black_box(soft.sign(key, Signing::SM2, &[1; 256]).expect("signed"));
                1
            })
        }),
        line("SM2 sign, through the key service", Theirs::Sm2Sign, {
            let (directory, service) = service("k", KeyKind::Sm2, Purpose::Sign);
            Box::new(move || {
                let _alive = &directory;
                black_box(service.sign(&now(), "k", &[1; 256]).expect("signed"));
                1
            })
        }),
        line("data key, through the key service", Theirs::Cipher(SM4, 64), {
            let (directory, service) = service("k", KeyKind::Sm4, Purpose::Encrypt);
            let context = Context::from([("merchant".to_owned(), "1".to_owned())]);
            Box::new(move || {
                let _alive = &directory;
                black_box(service.datakey(&now(), "k", &context, 16).expect("a data key"));
                1
            })
        }),
        line("SM2 verify, new key", Theirs::Sm2Verify, verify(0, 1)),
        line("SM2 verify, known key", Theirs::Sm2Verify, verify(64, 1)),
        line("SM2 verify, known key, 64 at once", Theirs::Sm2Verify, verify(64, 64)),
        line("SM3, 64 B", Theirs::Digest("sm3", 64), {
            let data = message(64);
            Box::new(move || {
                black_box(sm3(black_box(&data)));
                1
            })
        }),
        line("SM3, 4 KiB", Theirs::Digest("sm3", 4096), {
            let data = message(4096);
            Box::new(move || {
                black_box(sm3(black_box(&data)));
                1
            })
        }),
        line("SM4-GCM, 64 B", Theirs::Cipher(SM4, 64), gcm(64)),
        line("SM4-GCM, 4 KiB", Theirs::Cipher(SM4, 4096), gcm(4096)),
    ]
}

/// Verifying signatures of 16 keys in turn, `at_once` in one call.
fn verify(tables: usize, at_once: usize) -> Box<dyn FnMut() -> u64> {
    let soft = Soft::with_known_keys(tables).expect("self-tests pass");
    let signed: Vec<_> = (0..16_u8)
        .map(|number| {
            let key = soft.generate(KeyKind::Sm2).expect("random bytes");
            let message = [number; 256];
            let signature = soft.sign(key, Signing::SM2, &message).expect("signed");
            (soft.public_key(key).expect("a pair"), message, signature)
        })
        .collect();
    let mut next = 0;
    Box::new(move || {
        let checks: Vec<_> = (0..at_once)
            .map(|_| {
                next = (next + 1) % signed.len();
                let (public, message, signature) = &signed[next];
                Check { public, scheme: Signing::SM2, message, signature }
            })
            .collect();
        match checks.as_slice() {
            [check] => soft.verify(check).expect("valid"),
            many => assert!(soft.verify_many(many).iter().all(Result::is_ok)),
        }
        at_once as u64
    })
}

/// Operations a second of processor time.
fn rate(work: &mut dyn FnMut() -> u64) -> f64 {
    // Tables, caches and the processor's clock settle first.
    let warm = Instant::now();
    while warm.elapsed() < SLICE / 4 {
        work();
    }
    let (start, clock) = (processor_time(), Instant::now());
    let mut done = 0;
    while clock.elapsed() < SLICE {
        for _ in 0..16 {
            done += work();
        }
    }
    let took = match (start, processor_time()) {
        (Some(start), Some(end)) => end - start,
        (None, _) | (_, None) => clock.elapsed(),
    };
    done as f64 / took.as_secs_f64()
}

/// Of this thread; `None` where the system does not say.
fn processor_time() -> Option<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(Duration::from_nanos(text.split(' ').next()?.parse().ok()?))
}

impl Theirs {
    /// Operations a second and what they were, or `None` without the program or the algorithm.
    fn rate(self) -> Option<(f64, &'static str)> {
        match self {
            Self::Sm2Sign => Some((sm2_speed()?.0, "sm2")),
            Self::Sm2Verify => Some((sm2_speed()?.1, "sm2")),
            Self::Digest(name, bytes) => Some((evp_speed(name, bytes)?, name)),
            Self::Cipher(names, bytes) => names.iter().find_map(|name| Some((evp_speed(name, bytes)?, *name))),
        }
    }
}

/// `+F7:0:256:CurveSM2:SIGNS:VERIFIES`
fn sm2_speed() -> Option<(f64, f64)> {
    let output = speed(&["sm2"])?;
    let line = output.lines().find(|line| line.starts_with("+F7:"))?;
    let mut numbers = line.rsplit(':').map(str::parse);
    let (verify, sign) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    Some((sign, verify))
}

/// `+F:NUMBER:NAME:BYTES_A_SECOND`
fn evp_speed(name: &'static str, bytes: u64) -> Option<f64> {
    static UNKNOWN: OnceLock<bool> = OnceLock::new();
    if name == "sm4-gcm" && *UNKNOWN.get_or_init(|| speed(&["-bytes", "64", "-evp", "sm4-gcm"]).is_none()) {
        return None;
    }
    let output = speed(&["-bytes", &bytes.to_string(), "-evp", name])?;
    let line = output.lines().find(|line| line.starts_with("+F:"))?;
    let rate: f64 = line.rsplit(':').next()?.parse().ok()?;
    Some(rate / bytes as f64)
}

fn speed(arguments: &[&str]) -> Option<String> {
    let output = Command::new("openssl").args(["speed", "-mr", "-seconds", "1"]).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn version() -> String {
    let output = Command::new("openssl").arg("version").output().ok();
    output.map_or_else(
        || "no openssl program here: only our own figures".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}

fn median(found: &mut [f64]) -> Option<f64> {
    found.sort_by(f64::total_cmp);
    found.get(found.len() / 2).copied()
}

fn print(lines: &mut [Line], json: bool) {
    let mut text = String::new();
    if !json {
        let _ = writeln!(text, "one core, operations a second of processor time, median of {ROUNDS}; {}", version());
        let _ = writeln!(text, "{:<36}{:>12}{:>12}  {:<10}{:>7}", "", "here", "OpenSSL", "its name", "ratio");
    }
    for line in lines {
        let theirs_name = line.theirs_name;
        let ours = median(&mut line.found).unwrap_or_default();
        let theirs = median(&mut line.found_theirs);
        let name = line.name;
        if json {
            let theirs = theirs.map_or_else(|| "null".to_owned(), |rate| format!("{rate:.0}"));
            let _ = writeln!(
                text,
                r#"{{"name":"{name}","per_second":{ours:.0},"openssl_per_second":{theirs},"openssl_name":"{theirs_name}"}}"#
            );
        } else {
            let (rate, ratio) = theirs.map_or_else(
                || ("-".to_owned(), "-".to_owned()),
                |rate| (format!("{rate:.0}"), format!("{:.1}", ours / rate)),
            );
            let _ = writeln!(text, "{name:<36}{ours:>12.0}{rate:>12}  {theirs_name:<10}{ratio:>7}");
        }
    }
    print!("{text}");
}
