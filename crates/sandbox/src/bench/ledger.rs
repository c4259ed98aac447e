//! `lintel bench ledger`: transfers in batches through the public API, each durable before it is answered.
//!
//! A transfer is a two-entry voucher like any other: decided, chained, projected and kept in the accounts' history.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use minicbor::Encode;
use serde_json::json;

use super::percentile;
use crate::api::Api;
use crate::process::{Launch, disk_bytes, lintel_binary, resident_bytes};

/// Measure the account engine.
#[derive(Debug, Args)]
pub struct Ledger {
    /// Transfers in all.
    #[arg(long, default_value_t = 2_000_000)]
    transfers: u64,
    /// Accounts they go between.
    #[arg(long, default_value_t = 10_000)]
    accounts: u64,
    /// Transfers in one request.
    #[arg(long, default_value_t = 8_189)]
    batch: u64,
    /// Statements asked for at the end.
    #[arg(long, default_value_t = 100)]
    queries: u64,
    /// Where the figures of the choice of accounts begin.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// End with one JSON object on the last line.
    #[arg(long)]
    json: bool,
    /// Keep the data in this directory instead of a temporary one.
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// The program `lintel`, if it is not beside this one.
    #[arg(long)]
    lintel: Option<PathBuf>,
    /// A further setting of the server, as KEY=VALUE.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
}

#[derive(Encode)]
struct Posting<'a> {
    #[n(0)]
    stream: &'a str,
    #[n(1)]
    number: u64,
    #[n(2)]
    atomic: bool,
    #[n(3)]
    vouchers: Vec<Voucher>,
}

#[derive(Encode)]
struct Voucher {
    #[n(0)]
    event: u16,
    #[n(1)]
    entries: [Entry; 2],
}

#[derive(Encode)]
struct Entry {
    #[n(0)]
    account: u64,
    #[n(1)]
    side: u8,
    #[n(2)]
    amount: i64,
    #[n(3)]
    currency: u8,
}

/// A small generator of numbers that are the same for the same seed (splitmix64).
#[derive(Debug)]
pub struct Numbers(pub u64);

impl Numbers {
    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

struct Figures {
    seconds: f64,
    latencies_ms: Vec<f64>,
}

impl Ledger {
    /// Runs it.
    ///
    /// # Errors
    /// If the platform does not start, refuses a transfer or breaks off.
    pub fn run(&self, out: &mut dyn std::io::Write) -> Result<()> {
        ensure!(self.accounts >= 2, "a transfer needs two accounts; give --accounts 2 or more");
        ensure!(self.batch >= 1 && self.transfers >= self.batch, "give at least one full batch of transfers");
        let temporary = std::env::temp_dir().join(format!("lintel-bench-{}", std::process::id()));
        let data_dir = self.data_dir.clone().unwrap_or_else(|| temporary.clone());
        let args = self.sets.iter().flat_map(|set| ["--set".to_owned(), set.clone()]).collect();
        let launch = Launch {
            binary: lintel_binary(self.lintel.clone())?,
            data_dir: data_dir.clone(),
            listen: "127.0.0.1:0".into(),
            args,
        };
        let platform = launch.start()?;
        let api = launch.api(&platform, "operator")?;
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting the runtime")?;
        let accounts = runtime.block_on(open_accounts(&api, self.accounts))?;
        let figures = runtime.block_on(self.post(&api, &accounts))?;
        let mut queries = runtime.block_on(self.query(&api, &accounts))?;
        let resident = resident_bytes(platform.process.id()).unwrap_or_default();
        platform.process.stop()?;
        let disk = disk_bytes(&data_dir);
        if self.data_dir.is_none() {
            drop(std::fs::remove_dir_all(&temporary));
        }
        queries.sort_by(f64::total_cmp);
        self.print(out, figures, &queries, resident, disk)
    }

    async fn post(&self, api: &Api, accounts: &[u64]) -> Result<Figures> {
        let mut numbers = Numbers(self.seed);
        let batches = self.transfers / self.batch;
        let mut latencies_ms = Vec::new();
        let mut waited = Duration::ZERO;
        for number in 1..=batches {
            let body = minicbor::to_vec(posting(number, self.batch, accounts, &mut numbers))?;
            let began = Instant::now();
            let answer = api.send("POST", "/v1/postings", &[("content-type", "application/cbor")], body).await?;
            let took = began.elapsed();
            waited += took;
            latencies_ms.push(took.as_secs_f64() * 1_000.0);
            ensure!(answer.status == 200, "posting {number}: {}", String::from_utf8_lossy(&answer.body));
            ensure!(answer.body.last() == Some(&0x80), "posting {number} had refused vouchers");
        }
        Ok(Figures { seconds: waited.as_secs_f64(), latencies_ms })
    }

    async fn query(&self, api: &Api, accounts: &[u64]) -> Result<Vec<f64>> {
        let mut numbers = Numbers(self.seed ^ 0xffff);
        let mut latencies = Vec::new();
        let days = api.get("/v1/days").await?;
        let today = days.get("current").and_then(serde_json::Value::as_str).context("the books have an open day")?;
        for _ in 0..self.queries {
            let account = pick(accounts, &mut numbers);
            let began = Instant::now();
            api.get(&format!("/v1/accounts/acc_{account}/statement?from={today}&to={today}&limit=100")).await?;
            latencies.push(began.elapsed().as_secs_f64() * 1_000.0);
        }
        Ok(latencies)
    }

    fn print(
        &self,
        out: &mut dyn std::io::Write,
        figures: Figures,
        queries: &[f64],
        resident: u64,
        disk: u64,
    ) -> Result<()> {
        let Figures { seconds, mut latencies_ms } = figures;
        latencies_ms.sort_by(f64::total_cmp);
        let transfers = latencies_ms.len() as u64 * self.batch;
        let per_second = transfers as f64 / seconds;
        let at = |percent| percentile(&latencies_ms, percent);
        writeln!(out, "{transfers} transfers in {} batches of {}", latencies_ms.len(), self.batch)?;
        writeln!(out, "{per_second:.0} transfers/s, answered when durable, one client, one batch under way")?;
        writeln!(out, "batch latency ms: p1 {:.2}, p50 {:.2}, p99 {:.2}, p100 {:.2}", at(1), at(50), at(99), at(100))?;
        let query = |percent| percentile(queries, percent);
        writeln!(out, "{} statements ms: p50 {:.2}, p99 {:.2}", queries.len(), query(50), query(99))?;
        writeln!(
            out,
            "{} MiB resident, {} MiB on disk ({} bytes a transfer)",
            resident >> 20,
            disk >> 20,
            disk / transfers.max(1)
        )?;
        if self.json {
            let object = json!({
                "transfers_per_second": per_second, "batch_p50_ms": at(50), "batch_p99_ms": at(99),
                "query_p99_ms": query(99), "resident_bytes": resident, "disk_bytes": disk,
            });
            writeln!(out, "{object}")?;
        }
        Ok(())
    }
}

fn pick(accounts: &[u64], numbers: &mut Numbers) -> u64 {
    let at = usize::try_from(numbers.draw() % accounts.len() as u64).unwrap_or_default();
    accounts.get(at).copied().unwrap_or_default()
}

fn posting(number: u64, count: u64, accounts: &[u64], numbers: &mut Numbers) -> Posting<'static> {
    let voucher = |numbers: &mut Numbers| {
        let debit = pick(accounts, numbers);
        let credit = loop {
            let other = pick(accounts, numbers);
            if other != debit {
                break other;
            }
        };
        let amount = i64::try_from(numbers.draw() % 10_000 + 1).unwrap_or(1);
        let entry = |account, side| Entry { account, side, amount, currency: 0 };
        Voucher { event: 0, entries: [entry(debit, 0), entry(credit, 1)] }
    };
    Posting { stream: "bench", number, atomic: false, vouchers: (0..count).map(|_| voucher(numbers)).collect() }
}

/// Opens custody sub-accounts that may go below zero, many at a time.
async fn open_accounts(api: &Api, count: u64) -> Result<Vec<u64>> {
    let mut tasks = tokio::task::JoinSet::new();
    let mut accounts = Vec::new();
    for number in 0..count {
        let api = api.clone();
        tasks.spawn(async move {
            let body = json!({ "subject": 9201, "currency": "CNY", "owner": "institution", "overdraft": true });
            let answer = api.post("/v1/accounts", &format!("bench-account-{number}"), &body).await?.json()?;
            let id = answer.get("id").and_then(|id| id.as_str()?.strip_prefix("acc_")?.parse().ok());
            id.context("an opened account has an id")
        });
        while tasks.len() >= 64 {
            if let Some(done) = tasks.join_next().await {
                accounts.push(done??);
            }
        }
    }
    while let Some(done) = tasks.join_next().await {
        accounts.push(done??);
    }
    accounts.sort_unstable();
    Ok(accounts)
}
