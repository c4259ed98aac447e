//! `lintel bench keys --rewrap N`: so many values are moved to a new version of their key while others use the key service.
//!
//! ```text
//!  encrypt N values ─► others begin: data keys under the same key, signatures ─► rotate ─► re-wrap all, a thousand a request
//!                                                                              ─► keys under a new key-encryption key
//!  ─► others end ─► a sample is decrypted ─► report: nothing was refused, to nobody
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::{Measured, Stop, Table};
use crate::bench::connection::{Connection, Signer};
use crate::bench::progress::{Progress, thousands};
use crate::bench::report::Machine;
use crate::bench::statistics::Percentiles;
use crate::play::stage::Stage;
use crate::process::cpu_seconds;

/// Values in a request.
const BATCH: u64 = 1_000;
/// Connections that encrypt and re-wrap.
const LANES: u64 = 4;
/// Of so many values one is decrypted in the end.
const SAMPLE: u64 = 997;
/// The key whose values move, and the one that signs meanwhile.
const KEYS: [[&str; 3]; 2] = [["bench-rewrap", "sm4", "encrypt"], ["bench-sign", "sm2", "sign"]];
const HEADERS: &str = "content-type: application/json\r\n";

/// What is run.
pub(super) struct Rewrap {
    pub(super) values: u64,
    pub(super) clients: u64,
}

/// What came of it.
pub(super) struct Found {
    encrypted: Measured,
    moved: Measured,
    /// What the others asked for meanwhile.
    served: Measured,
    refused: u64,
    sampled: u64,
}

/// Refusals, by whomever, and the first one's words.
#[derive(Default)]
struct Refusals {
    count: AtomicU64,
    first: Mutex<Option<String>>,
}

impl Refusals {
    async fn add(&self, count: u64, words: impl FnOnce() -> String) {
        if count > 0 {
            self.count.fetch_add(count, Ordering::Relaxed);
            self.first.lock().await.get_or_insert_with(words);
        }
    }
}

/// What the lanes share.
struct Work {
    signer: Signer,
    stop: Arc<Stop>,
    progress: Arc<Progress>,
    refusals: Refusals,
    next: AtomicU64,
    over: AtomicBool,
}

/// Ciphertexts, a batch each.
type Batches = Vec<Vec<String>>;

impl Rewrap {
    pub(super) async fn run(&self, stage: &Stage, stop: Arc<Stop>, progress: &Arc<Progress>) -> Result<Found> {
        for [name, kind, purpose] in KEYS {
            stage.done("/v1/ark/keys", name, json!({ "name": name, "kind": kind, "purpose": purpose })).await?;
        }
        let operations = ["encrypt", "decrypt", "rewrap", "datakey", "sign"];
        let policy = json!({ "action": "allow", "caller": "operator", "prefix": "bench-", "operations": operations });
        stage.done("/v1/ark/access", "policy", policy).await?;
        let work = Arc::new(Work {
            signer: stage.signer("operator")?,
            stop,
            progress: progress.clone(),
            refusals: Refusals::default(),
            next: AtomicU64::new(0),
            over: AtomicBool::new(false),
        });
        let plain = (0..self.values.div_ceil(BATCH)).map(|batch| self.plaintexts(batch)).collect();
        let (encrypted, ciphertexts) = each(stage, &work, "encrypt", plain).await?;

        let (began, before) = (Instant::now(), cpu(stage));
        let mut others = JoinSet::new();
        for number in 0..self.clients {
            others.spawn(other(work.clone(), number));
        }
        stage.done("/v1/ark/keys/bench-rewrap/rotate", "rotate", json!({})).await?;
        let (moved, ciphertexts) = each(stage, &work, "rewrap", ciphertexts).await?;
        stage.done("/v1/ark/rewrap-keys", "rewrap-keys", json!({})).await?;
        work.over.store(true, Ordering::Relaxed);
        let mut times = Vec::new();
        while let Some(lane) = others.join_next().await {
            times.extend(lane.context("a lane panicked")??);
        }
        let served = measured("served", began, before, stage, times);
        let refused = work.refusals.count.load(Ordering::Relaxed);
        let first = work.refusals.first.lock().await.take().unwrap_or_default();
        ensure!(refused == 0, "{refused} requests or values were refused; the first: {first}");
        // What was stopped early has not moved.
        let sampled = if work.stop.is_asked() { 0 } else { self.sample(&work, &ciphertexts).await? };
        Ok(Found { encrypted, moved, served, refused, sampled })
    }

    /// Values of a batch, each another.
    fn plaintexts(&self, batch: u64) -> Vec<String> {
        let first = batch * BATCH;
        (first..self.values.min(first + BATCH)).map(plaintext).collect()
    }

    /// Decrypts one of so many, from the new version.
    async fn sample(&self, work: &Work, batches: &Batches) -> Result<u64> {
        let mut connection = Connection::open(work.signer.host()).await?;
        let mut sampled = 0;
        for (number, ciphertext) in (0..).zip(batches.iter().flatten()) {
            ensure!(ciphertext.starts_with("ark:v2:"), "value {number} is not of version 2: {ciphertext:.10}");
            if number % SAMPLE != 0 {
                continue;
            }
            let body = json!({ "ciphertext": ciphertext }).to_string();
            let request = work.signer.request("POST", "/v1/ark/decrypt/bench-rewrap", HEADERS, body.as_bytes())?;
            let found = connection.exchange(&request).await?.text("plaintext")?;
            ensure!(found == plaintext(number), "value {number} opens to another");
            sampled += 1;
        }
        Ok(sampled)
    }

    pub(super) fn object(&self, found: &Found, interrupted: bool) -> Value {
        let part = |measured: &Measured, values: u64| {
            json!({
                "requests": measured.times.count, "wall_seconds": measured.wall_seconds,
                "per_second": values as f64 / measured.wall_seconds.max(f64::EPSILON),
                "p50_ms": measured.times.p50, "p95_ms": measured.times.p95, "p99_ms": measured.times.p99,
                "max_ms": measured.times.max,
                "platform_cpu_seconds": measured.cpu_seconds[0], "client_cpu_seconds": measured.cpu_seconds[1],
            })
        };
        json!({
            "bench": "keys", "values": self.values, "clients": self.clients, "machine": Machine::here(),
            "interrupted": interrupted, "refused": found.refused, "sampled": found.sampled,
            "encrypt": part(&found.encrypted, self.values), "rewrap": part(&found.moved, self.values),
            "served": part(&found.served, found.served.times.count as u64),
        })
    }

    pub(super) fn table(&self, found: &Found, interrupted: bool) -> String {
        let mut table = Table::default();
        let early = if interrupted { " (stopped early)" } else { "" };
        let values = thousands(self.values);
        table.row("load", format!("{values} values, {} others meanwhile{early}", self.clients));
        for (name, measured, count) in [
            ("encrypt", &found.encrypted, self.values),
            ("rewrap", &found.moved, self.values),
            ("served", &found.served, found.served.times.count as u64),
        ] {
            let rate = thousands((count as f64 / measured.wall_seconds.max(f64::EPSILON)) as u64);
            table.row(name, format!("{rate}/s over {:.2} s of wall time, generator included", measured.wall_seconds));
            table.times("each request", &measured.times);
        }
        table.row("refused", format!("{}; {} values opened as they were encrypted", found.refused, found.sampled));
        table.0
    }
}

/// Twelve digits, which are base64 of nine bytes as they stand.
fn plaintext(number: u64) -> String {
    format!("{number:012}")
}

fn cpu(stage: &Stage) -> [f64; 2] {
    let (platform, _) = stage.processes();
    [platform, std::process::id()].map(|id| cpu_seconds(id).unwrap_or_default())
}

fn measured(operation: &'static str, began: Instant, before: [f64; 2], stage: &Stage, times: Vec<f64>) -> Measured {
    let (wall_seconds, after) = (began.elapsed().as_secs_f64(), cpu(stage));
    let cpu_seconds = std::array::from_fn(|at| after[at] - before[at]);
    Measured { operation, wall_seconds, times: Percentiles::of(times), cpu_seconds }
}

/// Sends every batch; the ciphertexts that came back, in their order.
async fn each(
    stage: &Stage,
    work: &Arc<Work>,
    operation: &'static str,
    batches: Batches,
) -> Result<(Measured, Batches)> {
    let (began, before) = (Instant::now(), cpu(stage));
    work.next.store(0, Ordering::Relaxed);
    let batches = Arc::new(batches);
    let mut lanes = JoinSet::new();
    for _ in 0..LANES {
        lanes.spawn(lane(work.clone(), operation, batches.clone()));
    }
    let (mut times, mut made) = (Vec::new(), Vec::new());
    while let Some(lane) = lanes.join_next().await {
        for (number, took, ciphertexts) in lane.context("a lane panicked")?? {
            times.push(took);
            made.push((number, ciphertexts));
        }
    }
    made.sort_by_key(|(number, _)| *number);
    let made = made.into_iter().map(|(_, ciphertexts)| ciphertexts).collect();
    Ok((measured(operation, began, before, stage, times), made))
}

/// One lane: the number of each batch that it sent, how long it took in milliseconds, and what came back.
async fn lane(work: Arc<Work>, operation: &'static str, batches: Arc<Batches>) -> Result<Vec<(u64, f64, Vec<String>)>> {
    let mut connection = Connection::open(work.signer.host()).await?;
    let target = format!("/v1/ark/{operation}/bench-rewrap");
    let name = if operation == "encrypt" { "plaintext" } else { "ciphertext" };
    let mut made = Vec::new();
    loop {
        let number = work.next.fetch_add(1, Ordering::Relaxed);
        let Some(batch) = usize::try_from(number).ok().and_then(|number| batches.get(number)) else { return Ok(made) };
        if work.stop.is_asked() {
            return Ok(made);
        }
        let values: Vec<Value> = batch.iter().map(|value| json!({ name: value })).collect();
        let body = json!({ "batch": values }).to_string();
        let request = work.signer.request("POST", &target, HEADERS, body.as_bytes())?;
        let began = Instant::now();
        let reply = connection.exchange(&request).await?;
        let took = began.elapsed().as_secs_f64() * 1_000.0;
        let words = String::from_utf8_lossy(reply.body).chars().take(300).collect::<String>();
        if reply.status != 200 {
            work.refusals.add(1, || words).await;
            continue;
        }
        let answer: Value = serde_json::from_slice(reply.body).context("reading an answer")?;
        let outcomes = answer["batch"].as_array().context("an answer without a batch")?;
        let texts: Vec<String> =
            outcomes.iter().filter_map(|outcome| outcome["ciphertext"].as_str()).map(str::to_owned).collect();
        work.refusals.add((batch.len() - texts.len()) as u64, || words).await;
        made.push((number, took, texts));
        work.progress.now_and_then(|| format!("{operation}: {} batches of {BATCH}", thousands(number + 1)));
    }
}

/// Someone else: data keys and signatures in turn until the values have moved; the times in milliseconds.
async fn other(work: Arc<Work>, number: u64) -> Result<Vec<f64>> {
    let mut connection = Connection::open(work.signer.host()).await?;
    let asked =
        [("/v1/ark/datakey/bench-rewrap", r#"{"bytes":16}"#), ("/v1/ark/sign/bench-sign", r#"{"message":"YQ=="}"#)];
    let mut times = Vec::new();
    for (target, body) in asked.into_iter().cycle().skip(usize::from(number % 2 == 1)) {
        if work.over.load(Ordering::Relaxed) || work.stop.is_asked() {
            break;
        }
        let request = work.signer.request("POST", target, HEADERS, body.as_bytes())?;
        let began = Instant::now();
        let reply = connection.exchange(&request).await?;
        if reply.status != 200 {
            let words = format!("{target}: {}: {}", reply.status, String::from_utf8_lossy(reply.body));
            work.refusals.add(1, || words).await;
        }
        times.push(began.elapsed().as_secs_f64() * 1_000.0);
    }
    Ok(times)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_batches_hold_every_value_once() {
        let rewrap = Rewrap { values: 2_001, clients: 1 };
        let batches: Batches = (0..3).map(|batch| rewrap.plaintexts(batch)).collect();
        assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [1_000, 1_000, 1]);
        let all: std::collections::BTreeSet<_> = batches.iter().flatten().collect();
        assert_eq!(all.len(), 2_001);
    }
}
