//! What keys cost in memory: the time to bind and to ask, the longest stop, bytes and false positives of filters.
//!
//! ```text
//! cargo run --profile fast -p engine --example keys -- [KEYS]
//! ```
//! Keys are bound as the writer binds them, three a command; each run goes behind its filter when it is full, and sixteen
//! filters become one, built here from the keys' numbers where the platform reads the store.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use domain::Reply;
use domain::ids::OrderId;
use engine::keys::FirstAnswer;
use engine::keys::filter::hash;
use engine::{KeyBinding, KeyFilter, Keys, Span};

/// Keys of a command.
const KEYS_EACH: u64 = 3;
/// New keys that are asked for.
const ASKED: u64 = 1_000_000;

#[expect(clippy::print_stdout, reason = "an example reports on its standard output")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let keys = std::env::args().nth(1).map_or(Ok(10_000_000), |argument| argument.parse::<u64>())?;
    let (mut kept, mut binding, mut building) = (Keys::default(), Times::default(), Duration::ZERO);
    let (mut fullest, before) = (0, resident());
    for number in 0..keys {
        let bound = bound(number);
        binding.time(|| kept.bind(bound));
        while let Some(span) = kept.take_due() {
            fullest = fullest.max(resident().saturating_sub(binding.bytes()));
            let began = Instant::now();
            let filter = KeyFilter::build(span, hashes(span))?;
            building += began.elapsed();
            drop(kept.install(filter).ok_or("the filter is of this span")?);
        }
    }
    let (bytes, filters) = kept.filters();
    let behind = kept.len() - kept.len_in_memory();
    println!("{keys} keys: {behind} behind {filters} filters, {} in memory", kept.len_in_memory());
    println!("bind: {binding}");
    println!("build: {:.0} ns a key, merges included", building.as_nanos() as f64 / behind as f64);
    println!("filters: {:.2} bytes a key", bytes as f64 / behind as f64);
    println!("a full run: {:.0} MB resident at most", fullest.saturating_sub(before) as f64 / 1e6);

    let (mut asking, mut wrong) = (Times::default(), 0_u64);
    for number in keys..keys + ASKED {
        let name = [name(number)];
        asking.time(|| wrong += u64::from(!kept.is_new("mch_1", &name)));
    }
    println!("ask, a new key: {asking}");
    println!("false positives: {wrong} of {ASKED}, {:.5} %", wrong as f64 * 100.0 / ASKED as f64);
    let old = (0..ASKED.min(behind as u64)).filter(|number| kept.is_new("mch_1", &[name(*number)])).count();
    println!("false negatives: {old}");
    drop(kept);

    let (mut growing, mut map) = (Times::default(), HashMap::new());
    for number in 0..keys {
        let KeyBinding { key, position, fingerprint, answer, .. } = bound(number);
        growing.time(|| drop(map.insert(key, (position, fingerprint, answer))));
    }
    println!("for comparison, one map of them all: bind: {growing}; {:.0} MB resident", resident() as f64 / 1e6);
    Ok(())
}

fn name(number: u64) -> String {
    format!("out_trade_no:20261126{number:012}")
}

fn bound(number: u64) -> KeyBinding {
    let position = number / KEYS_EACH + 1;
    let answer = FirstAnswer::Done(Reply::Order(OrderId(position)));
    KeyBinding { scope: "mch_1".into(), key: name(number), position, fingerprint: [7; 16], answer }
}

fn hashes(span: Span) -> Vec<u64> {
    (span.after * KEYS_EACH..span.through * KEYS_EACH).map(|number| hash("mch_1", &name(number))).collect()
}

/// Bytes of the process in memory, where the system says so.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = status.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or_default() * 4_096
}

/// How long something took, each time.
#[derive(Default)]
struct Times {
    /// Nanoseconds.
    all: Vec<u64>,
}

impl Times {
    fn time(&mut self, work: impl FnOnce()) {
        let began = Instant::now();
        work();
        self.all.push(u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX));
    }

    fn bytes(&self) -> u64 {
        self.all.len() as u64 * 8
    }
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut sorted = self.all.clone();
        sorted.sort_unstable();
        let mean = sorted.iter().map(|ns| *ns as f64).sum::<f64>() / sorted.len() as f64;
        let at = |share: f64| sorted[((sorted.len() - 1) as f64 * share) as usize] as f64 / 1e3;
        write!(
            f,
            "mean {mean:.0} ns, p99.9 {:.1} us, p99.999 {:.1} us, longest {:.3} ms",
            at(0.999),
            at(0.999_99),
            at(1.0) / 1e3
        )
    }
}
