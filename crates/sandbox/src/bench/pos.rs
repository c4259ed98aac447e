//! `lintel bench pos`: card transactions from terminals' bytes to books, through the sandbox's card network.
//!
//! ```text
//!  network, platform ─► merchants, terminals ─► all connect and sign in ─► lanes: a terminal, a sale by chip and PIN, the next
//!                                                                             └ at a rate: each sale has its moment, and is timed from it
//!  ─► batches settled ─► both books compared, transaction by transaction ─► report
//! ```
//! A sale is done when the terminal has the platform's answer with its MAC, which comes once network's answer and voucher are
//! durable. Generator, platform and network share the machine.

mod check;
mod load;

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::{Value, json};

use self::check::Books;
use self::load::{Load, Sold};
use super::ledger::asked_to_stop;
use super::load::Stop;
use super::progress::{Progress, thousands};
use super::raw::{Appends, Raw};
use super::report::{Machine, Table};
use super::statistics::Percentiles;
use crate::card_network::process::{MEMBER, NetworkProcess};
use crate::cipher::{CardCipher, CipherName};
use crate::play::stage::{Setting, Stage};
use crate::process::{cpu_seconds, free_address, resident_bytes, resident_peak_bytes};
use crate::terminal::register::{Fleet, Office};
use crate::terminal::{Dialect, Terminal, Way};

const ABOUT: &str = "\
Starts a platform and a sandbox card network of its own, opens merchants and terminals, and sells by chip and PIN over TCP: every \
message has its MAC, every PIN is translated, every sale is booked and durable before its terminal is answered. Without --rate a \
lane sells as fast as it is answered; with it, so many sales a second are begun whatever becomes of those before, and each is timed \
from its moment.

With --lost, so many of 10,000 answers of the network never come: the platform reverses these sales. Afterwards both books are \
compared: every sale that a terminal saw approved is in them once, nothing else is, and each sale that was not answered was \
reversed once.

The rate is counted over wall time, with platform, network and generator on the same machine.";

const EXAMPLES: &str = "\
Examples:
  lintel bench pos                                        as fast as it goes, 64 lanes over 500 terminals
  lintel bench pos --rate 1000                            how long a sale takes at 1,000 a second
  lintel bench pos --lost 100 --rate 500                  1 % of the network's answers lost
  lintel bench pos --terminals 10000 --seconds 5 --json   ends with one object: transactions_per_second, p50_ms, p99_ms, …";

/// Requests under way while merchants and terminals are opened.
const WIDTH: usize = 16;
/// What each card's account holds at first, in fen: nobody runs out of money here.
const BALANCE: &str = "1000000000000";
/// Terminals of a merchant.
const OF_A_MERCHANT: usize = 20;
/// A platform with a clock by hand names no more transactions apart on the host link.
const MOST: u64 = 900_000;

/// Measure card transactions from terminal to books.
#[derive(Debug, Args)]
#[command(long_about = ABOUT, after_help = EXAMPLES)]
pub struct Pos {
    /// Terminals, all connected and signed in
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    terminals: u32,
    /// Sales under way at once, at most one a terminal
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    lanes: u32,
    /// Sales to begin each second; 0 begins one as soon as a lane is free
    #[arg(long, default_value_t = 0)]
    rate: u32,
    /// How long it sells
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    seconds: u32,
    /// Cards that shop
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..))]
    cards: u64,
    /// Of 10,000 answers of the network so many never come
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=5_000))]
    lost: u32,
    /// How long the platform waits for the network
    #[arg(long, default_value_t = 2_000)]
    answer_timeout_ms: u64,
    /// How long issuers take
    #[arg(long, default_value_t = 0)]
    delay_ms: u64,
    /// The cipher of the terminals' keys
    #[arg(long, value_enum, default_value = "sm4")]
    cipher: CipherName,
    /// Decides what is lost
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print one JSON object in place of the table
    #[arg(long)]
    json: bool,
    /// Say nothing while it runs
    #[arg(long)]
    quiet: bool,
    /// The program `lintel`, if it is not beside this one
    #[arg(long)]
    lintel: Option<PathBuf>,
    /// A further setting of the platform, as KEY=VALUE
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
}

/// What was measured.
struct Measured {
    sold: Sold,
    wall_seconds: f64,
    times: Percentiles,
    books: Books,
    /// Resident bytes of the platform: with terminals opened, with all signed in, after the sales, and the most.
    memory: [u64; 4],
    opening_seconds: f64,
    signing_in_seconds: f64,
    /// Of platform, network and this program.
    cpu_seconds: [f64; 3],
    raw: Raw,
    interrupted: bool,
}

impl Pos {
    /// Runs it.
    ///
    /// # Errors
    /// If a process does not start, the platform refuses something, or the books do not hold what was sold.
    pub fn run(&self, out: &mut dyn Write) -> Result<()> {
        let most = u64::from(self.rate) * u64::from(self.seconds);
        ensure!(most <= MOST, "--rate {} for --seconds {} is more than {MOST} sales", self.rate, self.seconds);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("a runtime")?;
        let data_dir = std::env::temp_dir().join(format!("lintel-pos-{}", std::process::id()));
        let (seed, lost, delay_ms) = (self.seed, self.lost, self.delay_ms);
        let plan = format!("seed = {seed}\nlost_after = {lost}\ndelay_ms = {delay_ms}\n");
        let network = NetworkProcess::start(&data_dir, &plan, &["--balance", BALANCE])?;
        let address = free_address()?;
        let setting = Setting {
            data_dir,
            seed: self.seed,
            faults: "none",
            epcc: false,
            unionpay_rsa: false,
            concurrency: WIDTH,
            lintel: self.lintel.clone(),
            sets: self.sets.iter().cloned().chain(self.settings(&network, address)).collect(),
        };
        let progress = Arc::new(Progress::new(self.quiet));
        // The stage's client needs a runtime around it when it is made.
        let stage = runtime.block_on(async { Stage::of(setting) })?;
        progress.line(&format!("platform and card network run in {}", stage.data_dir().display()));
        let measured = runtime.block_on(self.measure(&stage, &network, address, &progress));
        drop(network);
        stage.strike(true)?;
        let measured = measured?;
        if self.json {
            writeln!(out, "{}", self.object(&measured))?;
        } else {
            write!(out, "{}", self.table(&measured))?;
        }
        Ok(())
    }

    fn settings(&self, network: &NetworkProcess, address: SocketAddr) -> Vec<String> {
        let connections = self.terminals.saturating_add(self.lanes);
        let own = [
            "ark.unseal=file".to_owned(),
            format!("pos.listen={address}"),
            format!("pos.connections={connections}"),
            format!("pos.queue={}", self.lanes.max(1_000)),
            "pos.network.name=unionpay".to_owned(),
            format!("pos.network.member={}", MEMBER),
            "pos.network.pin_block_bytes=16".to_owned(),
            "pos.network.echo_ms=1000".to_owned(),
            format!("pos.network.answer_timeout_ms={}", self.answer_timeout_ms),
            format!("pos.network.links={}", network.links([1, 1])),
        ];
        own.to_vec()
    }

    async fn measure(
        &self,
        stage: &Stage,
        network: &NetworkProcess,
        address: SocketAddr,
        progress: &Arc<Progress>,
    ) -> Result<Measured> {
        let stop = Arc::new(Stop::default());
        let stopping = tokio::spawn(asked_to_stop(stop.clone(), progress.clone()));
        let (platform, _) = stage.processes();
        let memory = || resident_bytes(platform).context("this system does not tell a process's memory (/proc)");
        let began = Instant::now();
        let terminals = self.open(stage, address).await?;
        let opening_seconds = began.elapsed().as_secs_f64();
        progress.line(&format!("{} terminals are opened, all sign in", thousands(terminals.len() as u64)));
        let (opened, began) = (memory()?, Instant::now());
        let terminals = load::sign_in(terminals, progress).await?;
        let (signing_in_seconds, signed_in) = (began.elapsed().as_secs_f64(), memory()?);
        progress.line("all have signed in; sales begin");

        let cpu = || [platform, network.id(), std::process::id()].map(|id| cpu_seconds(id).unwrap_or_default());
        let (appends, before, began) = (appends(stage).await?, cpu(), Instant::now());
        let load = Load::new(terminals, (self.rate, self.seconds, self.cards), stop.clone(), progress.clone());
        let (load, mut sold) = load.run(self.lanes.min(self.terminals)).await?;
        let (wall_seconds, after, sales_memory) = (sold.ended.duration_since(began).as_secs_f64(), cpu(), memory()?);
        let appends = self::appends(stage).await?.since(appends);
        let times = Percentiles::of(std::mem::take(&mut sold.times_ms));
        progress.line("the terminals settle, and the books are compared");
        let books = Books::compare(stage, network, load, &mut sold).await?;
        stopping.abort();
        Ok(Measured {
            wall_seconds,
            times,
            books,
            memory: [opened, signed_in, sales_memory, resident_peak_bytes(platform).unwrap_or_default()],
            opening_seconds,
            signing_in_seconds,
            cpu_seconds: std::array::from_fn(|at| after[at] - before[at]),
            raw: appends.repeat(stage.data_dir())?,
            interrupted: stop.is_asked(),
            sold,
        })
    }

    async fn open(&self, stage: &Stage, address: SocketAddr) -> Result<Vec<Terminal>> {
        let (launch, _) = stage.power();
        let count = usize::try_from(self.terminals)?;
        let fleet = Fleet { count, merchants: count.div_ceil(OF_A_MERCHANT), cipher: self.cipher.into(), width: WIDTH };
        let identities = Office::hire(stage.operator.clone(), launch).await?.open(fleet).await?;
        let dialect = Dialect::new()?;
        // Longer than the platform waits, so that a sale is taken back by one of the two.
        let patience = std::time::Duration::from_millis(self.answer_timeout_ms) + std::time::Duration::from_secs(20);
        let way = Way { address, patience };
        Ok(identities.into_iter().map(|identity| Terminal::new(identity, &dialect, way)).collect())
    }

    fn object(&self, measured: &Measured) -> Value {
        let Measured { sold, wall_seconds, times, books, memory, cpu_seconds, raw, interrupted, .. } = measured;
        let rate = sold.count() as f64 / wall_seconds.max(f64::EPSILON);
        json!({
            "bench": "pos", "machine": Machine::here(), "interrupted": interrupted,
            "terminals": self.terminals, "lanes": self.lanes, "rate_asked": self.rate, "lost_of_10000": self.lost,
            "cipher": CardCipher::from(self.cipher).name(), "cards": self.cards, "answer_timeout_ms": self.answer_timeout_ms,
            "transactions": sold.count(), "wall_seconds": wall_seconds, "transactions_per_second": rate,
            "p50_ms": times.p50, "p95_ms": times.p95, "p99_ms": times.p99, "max_ms": times.max,
            "approved": sold.approved, "declined": sold.declined, "unheard": sold.unheard,
            "reversed": books.reversed,
            "reversal_rate": books.reversed as f64 / sold.count().max(1) as f64,
            "batches_balanced": books.balanced, "batches_unbalanced": books.unbalanced,
            "opening_seconds": measured.opening_seconds, "signing_in_seconds": measured.signing_in_seconds,
            "sign_ins_per_second": f64::from(self.terminals) / measured.signing_in_seconds.max(f64::EPSILON),
            "resident_bytes_opened": memory[0], "resident_bytes_signed_in": memory[1],
            "resident_bytes_after": memory[2], "resident_peak_bytes": memory[3],
            "platform_cpu_seconds": cpu_seconds[0], "network_cpu_seconds": cpu_seconds[1],
            "client_cpu_seconds": cpu_seconds[2],
            "raw": raw, "raw_ratio": raw.seconds / wall_seconds.max(f64::EPSILON),
        })
    }

    fn table(&self, measured: &Measured) -> String {
        let Measured { sold, wall_seconds, times, books, memory, cpu_seconds, raw, interrupted, .. } = measured;
        let mut table = Table::default();
        let (count, early) = (sold.count(), if *interrupted { " (stopped early)" } else { "" });
        table.row(
            "load",
            format!(
                "{} sales{early} by chip and PIN at {} terminals, {} under way at most",
                thousands(count),
                thousands(self.terminals.into()),
                self.lanes
            ),
        );
        let rate = thousands((count as f64 / wall_seconds.max(f64::EPSILON)) as u64);
        table.row("rate", format!("{rate} a second over {wall_seconds:.2} s, network and generator included"));
        table.times("terminal to answer", times);
        let declined: Vec<String> = sold.declined.iter().map(|(code, count)| format!("{count} with {code}")).collect();
        table.row(
            "answers",
            format!("{} approved, declined {declined:?}, {} not heard", thousands(sold.approved), sold.unheard),
        );
        let share = books.reversed as f64 * 100.0 / count.max(1) as f64;
        table.row("reversed", format!("{} ({share:.3} %), each once", books.reversed));
        table.row("batches", format!("{} balanced, {} not; both books are equal", books.balanced, books.unbalanced));
        let each = cpu_seconds.map(|seconds| seconds * 1e6 / count.max(1) as f64);
        table.row(
            "processor",
            format!(
                "{:.0} µs a sale in the platform, {:.0} in the network, {:.0} in this program",
                each[0], each[1], each[2]
            ),
        );
        let [opened, signed_in, after, peak] = memory.map(|bytes| bytes >> 20);
        table.row(
            "memory",
            format!(
                "{opened} MiB with terminals opened, {signed_in} signed in, {after} after the sales, {peak} at most"
            ),
        );
        let seconds = measured.signing_in_seconds;
        table.row("sign-ins", format!("{:.0} a second", f64::from(self.terminals) / seconds.max(f64::EPSILON)));
        let part = raw.seconds * 100.0 / wall_seconds.max(f64::EPSILON);
        table.row(
            "bare disk",
            format!(
                "{} appends of the same size take {:.2} s: {part:.0} % of the time",
                thousands(raw.appends),
                raw.seconds
            ),
        );
        table.0
    }
}

async fn appends(stage: &Stage) -> Result<Appends> {
    let text = stage.operator.read("/metrics", "text/plain").await?;
    Ok(Appends::of_metrics(&String::from_utf8_lossy(&text.body)))
}
