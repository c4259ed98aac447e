//! Measures appends: `cargo run --profile fast -p journal --example append [DIRECTORY
//! [POSTGRES_URL]]`.
//!
//! For batches of 800 KB and 4 KB it prints megabytes a second and milliseconds a batch, for the
//! journal in SQLite, for the journal in PostgreSQL where a URL is given, and, in the same run on
//! the same disk, for a bare file with `fdatasync` after each batch, which is what the disk itself
//! allows, and for the SM3 hash alone, which the journals' figures include.

#![expect(clippy::print_stdout, reason = "a program that prints its figures")]

use std::error::Error;
use std::fs::File;
use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use journal::{Batch, DirectoryLock, Journal, Postgres, PostgresConfig, Sqlite};
use sm3::{Digest, Sm3};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let root = tempfile::tempdir_in(arguments.next().unwrap_or_else(|| ".".to_owned()))?;
    let url = arguments.next();
    println!("{:<12} {:>8} {:>7} {:>8} {:>8} {:>8}", "journal", "bytes", "batches", "MB/s", "p50 ms", "p99 ms");
    for (bytes, batches) in [(800_000, 500), (4_096, 2_000)] {
        // Bytes that no file system can compress away.
        let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
        let payload: Vec<u8> = std::iter::repeat_with(|| next(&mut seed)).take(bytes).collect();
        let place = root.path().join(bytes.to_string());
        std::fs::create_dir(&place)?;
        print("file", bytes, measure(batches, bare_file(&place, &payload)?)?);
        print("sm3 alone", bytes, measure(batches, |_| hash(&payload))?);

        let mut sqlite = Sqlite::open(&DirectoryLock::acquire(&place)?, 0)?;
        print("sqlite", bytes, measure(batches, |_| append(&mut sqlite, &payload))?);
        if let Some(url) = &url {
            let config = PostgresConfig::new(url, format!("append_{bytes}_{}", std::process::id()));
            let mut postgres = Postgres::open(&config, 0)?;
            print("postgres", bytes, measure(batches, |_| append(&mut postgres, &payload))?);
        }
    }
    Ok(())
}

/// One step of xorshift, a generator good enough to defeat compression.
fn next(seed: &mut u64) -> u8 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    seed.to_be_bytes()[0]
}

fn bare_file(place: &Path, payload: &[u8]) -> Outcome<impl FnMut(usize) -> Outcome<()>> {
    let mut file = File::create(place.join("bare"))?;
    Ok(move |_| {
        file.write_all(payload)?;
        Ok(file.sync_data()?)
    })
}

fn hash(payload: &[u8]) -> Outcome<()> {
    black_box(Sm3::digest(payload));
    Ok(())
}

fn append(journal: &mut impl Journal, payload: &[u8]) -> Outcome<()> {
    let first = journal.tip().next;
    journal.append(&Batch { first, count: 100, level: 1, time_ms: 0, payload: payload.to_vec() })?;
    Ok(())
}

/// Seconds of each of `batches` appends.
fn measure(batches: usize, mut append: impl FnMut(usize) -> Outcome<()>) -> Outcome<Vec<f64>> {
    (0..batches)
        .map(|number| {
            let began = Instant::now();
            append(number)?;
            Ok(began.elapsed().as_secs_f64())
        })
        .collect()
}

fn print(name: &str, bytes: usize, mut seconds: Vec<f64>) {
    let batches = seconds.len();
    let megabytes = (bytes * batches) as f64 / 1e6 / seconds.iter().sum::<f64>();
    seconds.sort_by(f64::total_cmp);
    let (p50, p99) = (seconds[batches / 2] * 1e3, seconds[batches * 99 / 100] * 1e3);
    println!("{name:<12} {bytes:>8} {batches:>7} {megabytes:>8.1} {p50:>8.2} {p99:>8.2}");
}
