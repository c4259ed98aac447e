//! `lintel bench keys`: data keys and signatures of the key service (ARK), over HTTP.
//!
//! ```text
//!  platform, its key service open ─► two keys and a policy ─► lanes ask for data keys ─► lanes ask for signatures ─► report
//! ```
//! Every request is signed with HMAC-SM3, checked against a policy and counted in the trail. Platform and generator share the
//! machine; the sandbox bank beside them is idle.

mod rewrap;

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use self::rewrap::Rewrap;
use super::connection::{Connection, Signer};
use super::ledger::asked_to_stop;
use super::load::Stop;
use super::progress::{Progress, thousands};
use super::report::{Machine, Table};
use super::statistics::Percentiles;
use crate::play::stage::{Setting, Stage};
use crate::process::cpu_seconds;

const ABOUT: &str = "\
Starts a platform whose key service is open and asks it over HTTP for data keys under an SM4 key, then for SM2 signatures. Each
request is signed with HMAC-SM3, checked against a policy and counted in the trail; data keys are counted on disk as uses.

Rates are counted over wall time, with platform and generator on the same machine.";

const EXAMPLES: &str = "\
Examples:
  lintel bench keys                               one value a request, sixteen connections
  lintel bench keys --batch 100 --requests 1000   what a batch saves
  lintel bench keys --rewrap 1000000              moves a million values to a new version of their key while others are served
  lintel bench keys --json                        ends with one object: datakey and sign, each with per_second, p50_ms, p99_ms, …";

/// What is asked for: the operation, its key, the kind and purpose of that.
const OPERATIONS: [[&str; 4]; 2] = [["datakey", "bench-data", "sm4", "encrypt"], ["sign", "bench-sign", "sm2", "sign"]];

/// Measure the key service over HTTP.
#[derive(Debug, Args)]
#[command(long_about = ABOUT, after_help = EXAMPLES)]
pub struct Keys {
    /// Requests of each operation
    #[arg(long, default_value_t = 50_000, value_parser = clap::value_parser!(u64).range(1..))]
    requests: u64,
    /// Values in each request
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    batch: u64,
    /// In place of all that: encrypt so many values, rotate their key, and move them to its new version while `--clients` others
    /// sign and ask for data keys; nothing may be refused
    #[arg(long, value_name = "VALUES", conflicts_with_all = ["requests", "batch"], value_parser = clap::value_parser!(u64).range(1..))]
    rewrap: Option<u64>,
    /// Connections, each with one request under way
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u64).range(1..=1_024))]
    clients: u64,
    /// Print one JSON object in place of the table
    #[arg(long)]
    json: bool,
    /// Say nothing while it runs
    #[arg(long)]
    quiet: bool,
    /// Keep the data in this empty directory instead of a temporary one
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// The program `lintel`, if it is not beside this one
    #[arg(long)]
    lintel: Option<PathBuf>,
    /// A further setting of the platform, as KEY=VALUE
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
}

/// What the lanes of an operation share.
struct Work {
    signer: Signer,
    target: String,
    body: String,
    requests: u64,
    next: AtomicU64,
    stop: Arc<Stop>,
    progress: Arc<Progress>,
}

/// What was measured of an operation.
struct Measured {
    operation: &'static str,
    wall_seconds: f64,
    times: Percentiles,
    /// Of platform and this program.
    cpu_seconds: [f64; 2],
}

impl Keys {
    /// Runs it.
    ///
    /// # Errors
    /// If a process does not start, the platform refuses something, or it counted other uses than there were.
    pub fn run(&self, out: &mut dyn Write) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("a runtime")?;
        let temporary = std::env::temp_dir().join(format!("lintel-keys-{}", std::process::id()));
        let setting = Setting {
            data_dir: self.data_dir.clone().unwrap_or(temporary),
            seed: 1,
            faults: "none",
            epcc: false,
            unionpay_rsa: false,
            concurrency: 8,
            lintel: self.lintel.clone(),
            sets: self.sets.iter().cloned().chain(["ark.unseal=file".to_owned()]).collect(),
        };
        let progress = Arc::new(Progress::new(self.quiet));
        // The stage's client needs a runtime around it when it is made.
        let stage = runtime.block_on(async { Stage::of(setting) })?;
        progress.line(&format!("the platform runs in {}", stage.data_dir().display()));
        if let Some(values) = self.rewrap {
            let rewrap = Rewrap { values, clients: self.clients };
            let (found, interrupted) = runtime.block_on(async {
                let stop = Arc::new(Stop::default());
                tokio::spawn(asked_to_stop(stop.clone(), progress.clone()));
                anyhow::Ok((rewrap.run(&stage, stop.clone(), &progress).await?, stop.is_asked()))
            })?;
            stage.strike(self.data_dir.is_none())?;
            if self.json {
                writeln!(out, "{}", rewrap.object(&found, interrupted))?;
            } else {
                write!(out, "{}", rewrap.table(&found, interrupted))?;
            }
            return Ok(());
        }
        let (measured, interrupted) = runtime.block_on(self.measure(&stage, &progress))?;
        stage.strike(self.data_dir.is_none())?;
        if self.json {
            writeln!(out, "{}", self.object(&measured, interrupted))?
        } else {
            write!(out, "{}", self.table(&measured, interrupted))?
        }
        Ok(())
    }

    async fn measure(&self, stage: &Stage, progress: &Arc<Progress>) -> Result<(Vec<Measured>, bool)> {
        let stop = Arc::new(Stop::default());
        tokio::spawn(asked_to_stop(stop.clone(), progress.clone()));
        for [_, name, kind, purpose] in OPERATIONS {
            let key = json!({ "name": name, "kind": kind, "purpose": purpose });
            stage.done("/v1/ark/keys", name, key).await?;
        }
        let operations = OPERATIONS.map(|[operation, ..]| operation);
        let policy = json!({ "action": "allow", "caller": "operator", "prefix": "bench-", "operations": operations });
        stage.done("/v1/ark/access", "policy", policy).await?;
        let mut measured = Vec::new();
        for [operation, name, ..] in OPERATIONS {
            let work = Work {
                signer: stage.signer("operator")?,
                target: format!("/v1/ark/{operation}/{name}"),
                body: body(operation, self.batch),
                requests: self.requests,
                next: AtomicU64::new(0),
                stop: stop.clone(),
                progress: progress.clone(),
            };
            measured.push(self.load(stage, operation, work).await?);
            let found = measured.last().map_or(0, |measured: &Measured| measured.times.count as u64) * self.batch;
            check_uses(stage, name, found).await?;
        }
        Ok((measured, stop.is_asked()))
    }

    async fn load(&self, stage: &Stage, operation: &'static str, work: Work) -> Result<Measured> {
        let (platform, _) = stage.processes();
        let cpu = || [platform, std::process::id()].map(|id| cpu_seconds(id).unwrap_or_default());
        let (work, before, began) = (Arc::new(work), cpu(), Instant::now());
        let mut lanes = JoinSet::new();
        for _ in 0..self.clients.min(self.requests) {
            lanes.spawn(lane(work.clone()));
        }
        let mut times = Vec::new();
        while let Some(lane) = lanes.join_next().await {
            times.extend(lane.context("a lane panicked")??);
        }
        let (wall_seconds, after) = (began.elapsed().as_secs_f64(), cpu());
        let cpu_seconds = std::array::from_fn(|at| after[at] - before[at]);
        Ok(Measured { operation, wall_seconds, times: Percentiles::of(times), cpu_seconds })
    }

    fn per_second(&self, measured: &Measured) -> f64 {
        (measured.times.count as u64 * self.batch) as f64 / measured.wall_seconds.max(f64::EPSILON)
    }

    fn object(&self, measured: &[Measured], interrupted: bool) -> Value {
        let mut object = json!({
            "bench": "keys", "clients": self.clients, "batch": self.batch, "machine": Machine::here(),
            "interrupted": interrupted,
        });
        for one in measured {
            let Measured { operation, wall_seconds, times, cpu_seconds } = one;
            object[*operation] = json!({
                "requests": times.count, "wall_seconds": wall_seconds, "per_second": self.per_second(one),
                "p50_ms": times.p50, "p95_ms": times.p95, "p99_ms": times.p99, "max_ms": times.max,
                "platform_cpu_seconds": cpu_seconds[0], "client_cpu_seconds": cpu_seconds[1],
            });
        }
        object
    }

    fn table(&self, measured: &[Measured], interrupted: bool) -> String {
        let mut table = Table::default();
        let early = if interrupted { " (stopped early)" } else { "" };
        let load = format!(
            "{} requests each, {} values in each, {} under way{early}",
            self.requests, self.batch, self.clients
        );
        table.row("load", load);
        for one in measured {
            let rate = thousands(self.per_second(one) as u64);
            table.row(
                one.operation,
                format!("{rate}/s over {:.2} s of wall time, generator included", one.wall_seconds),
            );
            table.times("each request", &one.times);
            let values = (one.times.count as u64 * self.batch).max(1) as f64;
            let [platform, own] = one.cpu_seconds.map(|seconds| seconds * 1e6 / values);
            table.row("processor", format!("{platform:.0} µs a value in the platform, {own:.0} in this program"));
        }
        table.0
    }
}

/// The body of a request for so many values.
fn body(operation: &str, batch: u64) -> String {
    let value = if operation == "sign" { json!({ "message": "YSBtZXNzYWdl" }) } else { json!({ "bytes": 16 }) };
    let many = || json!({ "batch": (0..batch).map(|_| value.clone()).collect::<Vec<_>>() });
    if batch == 1 { value.to_string() } else { many().to_string() }
}

/// Asks until all is asked for; the times in milliseconds.
async fn lane(work: Arc<Work>) -> Result<Vec<f64>> {
    let mut connection = Connection::open(work.signer.host()).await?;
    let mut times = Vec::new();
    loop {
        let number = work.next.fetch_add(1, Ordering::Relaxed);
        if number >= work.requests || work.stop.is_asked() {
            return Ok(times);
        }
        let began = Instant::now();
        let headers = "content-type: application/json\r\n";
        let request = work.signer.request("POST", &work.target, headers, work.body.as_bytes())?;
        let reply = connection.exchange(&request).await?;
        ensure!(reply.status == 200, "{}: {}: {}", work.target, reply.status, String::from_utf8_lossy(reply.body));
        ensure!(!reply.body.windows(7).any(|seven| seven == b"\"error\""), "{}: a value was refused", work.target);
        times.push(began.elapsed().as_secs_f64() * 1_000.0);
        work.progress
            .now_and_then(|| format!("{} of {} at {}", thousands(number), thousands(work.requests), work.target));
    }
}

/// The key service counted each use once.
async fn check_uses(stage: &Stage, name: &str, uses: u64) -> Result<()> {
    let key = stage.operator.get(&format!("/v1/ark/keys/{name}")).await?;
    let counted = key.pointer("/versions/0/uses").and_then(Value::as_u64);
    ensure!(counted == Some(uses), "{name} was used {uses} times and counted {counted:?}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_is_alone_and_many_are_a_batch() {
        assert_eq!(body("datakey", 1), r#"{"bytes":16}"#);
        assert_eq!(body("sign", 2), r#"{"batch":[{"message":"YSBtZXNzYWdl"},{"message":"YSBtZXNzYWdl"}]}"#);
    }
}
