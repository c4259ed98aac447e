//! How long a start takes for its keys, and a look-up of one.
//!
//! ```text
//! cargo run --profile fast -p node --example keys_on_disk -- [KEYS] [DIRECTORY]
//! ```
//! Makes a store of so many keys, without filters; a second run on the same directory takes the keys that are there.

use std::path::PathBuf;
use std::time::Instant;

use domain::Reply;
use domain::ids::OrderId;
use domain::restore::Core;
use domain::state::Changes;
use engine::keys::{FirstAnswer, RUN_KEYS};
use store::{Checkpoint, Database, KeyRow};

/// Keys of a command.
const KEYS_EACH: u64 = 3;
/// Keys of a checkpoint.
const COMMITTED: u64 = 100_000;
/// Keys that are looked up.
const LOOKED_UP: u64 = 20_000;

#[expect(clippy::print_stdout, reason = "an example reports on its standard output")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let keys = arguments.next().map_or(Ok(10_000_000), |argument| argument.parse::<u64>())?;
    let directory = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let store = Database::sqlite(&directory.join("keys-example.db"))?;
    let began = Instant::now();
    let position = fill(&store, keys)?;
    println!("{keys} keys, made in {:.1} s", began.elapsed().as_secs_f64());

    store.execute("DELETE FROM key_filters", &[])?;
    for way in ["filters built from the keys", "filters that were kept"] {
        let (began, before) = (Instant::now(), resident());
        let (loaded, _) = node::keys::load(&store, position, RUN_KEYS)?;
        let ((bytes, filters), in_memory) = (loaded.filters(), loaded.len_in_memory());
        let (seconds, grown) = (began.elapsed().as_secs_f64(), resident().saturating_sub(before));
        println!(
            "start, {way}: {seconds:.2} s; {filters} filters of {:.1} MB, {in_memory} keys in memory; grown by {:.0} MB",
            bytes as f64 / 1e6,
            grown as f64 / 1e6
        );
        assert_eq!(loaded.len() as u64, keys);
    }

    let began = Instant::now();
    for number in 0..LOOKED_UP {
        // Spread over all of them: neighbours lie on one page.
        let key = name(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % keys);
        let (_, found) = store::key::find_all(&store, "mch_1", &[key])?;
        assert_eq!(found.len(), 1);
    }
    println!("look-up of a key: {:.0} us", began.elapsed().as_secs_f64() * 1e6 / LOOKED_UP as f64);
    Ok(())
}

fn name(number: u64) -> String {
    format!("out_trade_no:20261126{number:012}")
}

/// Commits what is missing of the keys; the position behind them.
fn fill(store: &Database, keys: u64) -> Result<u64, Box<dyn std::error::Error>> {
    let mut previous = store::checkpoint::latest(store)?;
    let mut number = previous.map_or(0, |checkpoint| checkpoint.position * KEYS_EACH);
    while number < keys {
        let end = keys.min(number + COMMITTED * KEYS_EACH);
        let rows: Vec<KeyRow> = (number..end).map(row).collect();
        let position = end.div_ceil(KEYS_EACH);
        let next = Checkpoint { position, hash: [1; 32], epoch: 1 };
        let (core, changes) = (Core::default(), Changes::default());
        store::checkpoint::commit(store, previous.as_ref(), &next, &core, &changes, &[], &rows)?;
        (previous, number) = (Some(next), end);
    }
    Ok(previous.map_or(0, |checkpoint| checkpoint.position))
}

fn row(number: u64) -> KeyRow {
    let position = number / KEYS_EACH + 1;
    let answer = FirstAnswer::Done(Reply::Order(OrderId(position)));
    KeyRow {
        scope: "mch_1".into(),
        key: name(number),
        position,
        fingerprint: vec![7; 16],
        reply: minicbor::to_vec(answer).expect("writing CBOR to memory does not fail"),
        month: 202_611,
    }
}

/// Bytes of the process in memory, where the system says so.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = status.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or_default() * 4_096
}
