//! `lintel bench ledger`: transfers in postings through the public API, each durable before it is answered.
//!
//! A transfer is a two-entry voucher like any other: decided, chained, projected and kept in the accounts' history.
//!
//! ```text
//!  place ─► server ─► accounts (funded) ─► load │ statements │ monitor ─► statements ─► books checked ─► server stops
//!    ─► disk counted ─► start-up timed, if the plan says so ─► the same bytes on the bare disk ─► report
//! ```

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde_json::Value;

use super::accounts;
use super::connection::{Connection, Signer};
use super::load::{Load, Measured, Shared, Stop, run, statement};
use super::monitor::{Monitor, Point};
use super::numbers::Numbers;
use super::place::{Disk, Place};
use super::plot;
use super::preset::{Overrides, Plan, Preset};
use super::progress::{Progress, thousands};
use super::raw::Appends;
use super::report::{Machine, Report};
use super::statistics::Percentiles;
use crate::process::{Launch, Platform, cpu_seconds, lintel_binary, resident_bytes, resident_peak_bytes};

const ABOUT: &str = "\
Starts a server of its own, opens accounts, sends transfers over loopback, and says what it measured. Every transfer is durable
before it is answered, and is a voucher like any other: in the journal, in the lists, in its accounts' statements.

The rate is counted over wall time, from the making of the first request to the last answer, with the generator on the same
machine. Batch latency is from send to answer. While it runs a line a second goes to standard error; Ctrl-C ends the load early
and reports what was done.";

const EXAMPLES: &str = "\
Examples:
  lintel bench ledger                                     the first row of docs/performance.md
  lintel bench ledger --preset single --transfers 50000   a short look at small requests
  lintel bench ledger --preset grown --plot grown.svg     a hundred million transfers, drawn
  lintel bench ledger --clients 4 --batch 2000 --json     a shape of your own, as one JSON object
  lintel bench ledger --preset postgres --postgres 'host=127.0.0.1 user=me dbname=bench'";

/// Measure the account engine.
#[derive(Debug, Args)]
#[command(long_about = ABOUT, after_help = EXAMPLES)]
pub struct Ledger {
    /// The shape of the load
    #[arg(long, value_enum, default_value_t = Preset::Uniform)]
    preset: Preset,
    #[command(flatten)]
    overrides: Overrides,
    /// Statements asked for each second while the load runs, on a connection of their own; 0 for none
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(0..=1_000))]
    statements: u16,
    /// Statements asked for one after the other once the load is over
    #[arg(long, default_value_t = 100)]
    queries: u64,
    /// Connections for holds and their confirms, beside those of the other transfers
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1_024))]
    hold_clients: u64,
    /// Where the drawing of accounts and amounts begins
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print one JSON object in place of the table
    #[arg(long)]
    json: bool,
    /// Write a plot of rate, memory and disk over the run, as SVG
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
    /// Say nothing while it runs
    #[arg(long)]
    quiet: bool,
    /// Keep the data in this empty directory instead of a temporary one
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// For journal and store on PostgreSQL: its address, in place of a throw-away cluster. Schemas of this run are left there
    #[arg(long, value_name = "URL")]
    postgres: Option<String>,
    /// The program `lintel`, if it is not beside this one
    #[arg(long)]
    lintel: Option<PathBuf>,
    /// A further setting of the server, as KEY=VALUE
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
}

/// What is measured while the server is up.
struct Live {
    measured: Measured,
    points: Vec<Point>,
    query: Percentiles,
    opening_seconds: f64,
    server_cpu_seconds: f64,
    client_cpu_seconds: f64,
    appends: Appends,
    disk_before: Disk,
}

impl Ledger {
    /// Runs it.
    ///
    /// # Errors
    /// If the platform does not start, refuses a transfer or breaks off.
    pub fn run(&self, out: &mut dyn Write) -> Result<()> {
        let plan = self.overrides.over(self.preset.plan())?;
        let place = Place::prepare(self.data_dir.as_deref(), plan.storage, self.postgres.as_deref())?;
        let settings = place.settings.iter().chain(&self.sets);
        let launch = Launch {
            binary: lintel_binary(self.lintel.clone())?,
            data_dir: place.directory.clone(),
            listen: "127.0.0.1:0".into(),
            args: settings.flat_map(|set| ["--set".to_owned(), set.clone()]).collect(),
            own_group: true,
        };
        let progress = Arc::new(Progress::new(self.quiet));
        let platform = launch.start()?;
        progress.line(&format!("server {} in {}", platform.process.id(), place.directory.display()));
        let signer = Signer::new(&platform.base, "operator", launch.key("operator")?);
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting the runtime")?;
        let shared = Arc::new(Shared::default());
        runtime.spawn(asked_to_stop(shared.stop.clone(), progress.clone()));
        let live = runtime.block_on(self.live(&plan, &place, &platform, &signer, &shared, &progress))?;
        let process = platform.process.id();
        let resident_bytes = resident_bytes(process).unwrap_or_default();
        let resident_peak_bytes = resident_peak_bytes(process).unwrap_or_default();
        platform.process.stop()?;
        let disk = place.disk();
        let start_up_seconds = if plan.restart { Some(start_up(&launch, &progress)?) } else { None };
        progress.line("appending the same bytes to a plain file");
        let raw = live.appends.repeat(&place.directory)?;
        let Live { measured, points, query, opening_seconds, server_cpu_seconds, client_cpu_seconds, .. } = live;
        let waited_ms: f64 = measured.postings.times_ms.iter().chain(&measured.holds.times_ms).sum();
        let lanes = plan.clients + if plan.two_phase > 0 { self.hold_clients } else { 0 };
        let report = Report {
            preset: self.preset.name(),
            plan,
            machine: Machine::here(),
            transfers: measured.transfers(),
            wall_seconds: measured.wall.as_secs_f64(),
            waited_seconds: waited_ms / 1_000.0 / lanes as f64,
            batch: Percentiles::of(measured.postings.times_ms),
            hold: Percentiles::of(measured.holds.times_ms),
            statement: Percentiles::of(measured.statements_ms),
            query,
            opening_seconds,
            server_cpu_seconds,
            client_cpu_seconds,
            resident_bytes,
            resident_peak_bytes,
            disk,
            disk_before: live.disk_before,
            start_up_seconds,
            raw,
            points,
            overloaded: shared.overloaded.load(Ordering::Relaxed),
            interrupted: shared.stop.is_asked(),
        };
        self.print(out, &report)
    }

    fn print(&self, out: &mut dyn Write, report: &Report) -> Result<()> {
        if let Some(path) = &self.plot {
            let title = format!("lintel bench ledger --preset {}", report.preset);
            let drawing = plot::svg(&title, &report.points);
            std::fs::write(path, drawing).with_context(|| format!("writing {}", path.display()))?;
        }
        if self.json {
            writeln!(out, "{}", report.json())?
        } else {
            write!(out, "{}", report.table())?
        }
        Ok(())
    }

    async fn live(
        &self,
        plan: &Plan,
        place: &Place,
        platform: &Platform,
        signer: &Signer,
        shared: &Arc<Shared>,
        progress: &Arc<Progress>,
    ) -> Result<Live> {
        let mut asker = Connection::open(signer.host()).await?;
        let began = Instant::now();
        let accounts = accounts::open(plan, signer, &shared.stop, progress).await?;
        let opening_seconds = began.elapsed().as_secs_f64();
        let funded = if plan.overdraft { 0 } else { accounts::fund(plan, accounts, signer, &shared.stop).await? };
        progress.line(&format!("{} accounts open", thousands(accounts.count)));
        let today = today(&mut asker, signer).await?;
        let (own, process, disk_before) = (std::process::id(), platform.process.id(), place.disk());
        let cpu = || (cpu_seconds(process).unwrap_or_default(), cpu_seconds(own).unwrap_or_default());
        let (cpu_before, appends_before) = (cpu(), appends(&mut asker, signer).await?);
        let monitor = Monitor {
            shared: shared.clone(),
            process,
            directory: place.directory.clone(),
            transfers: plan.transfers,
            slices: plan.slices,
            progress: progress.clone(),
        };
        let watching = std::thread::Builder::new().name("monitor".into()).spawn(move || monitor.watch())?;
        let load = Load {
            plan: *plan,
            accounts,
            seed: self.seed,
            signer: signer.clone(),
            hold_clients: self.hold_clients,
            today: today.clone(),
            statement_pause: Duration::from_secs(1).checked_div(u32::from(self.statements)).unwrap_or_default(),
        };
        let measured = run(&load, shared).await;
        shared.end();
        let measured = measured?;
        let Ok(points) = watching.join() else { bail!("the monitor panicked; its words are above") };
        let (cpu_after, appends_after) = (cpu(), appends(&mut asker, signer).await?);
        let mut numbers = Numbers(self.seed ^ 0xffff);
        let mut query = Vec::new();
        for _ in 0..self.queries {
            query.push(statement(&mut asker, signer, accounts.pick(&mut numbers), &today).await?);
        }
        check_books(&mut asker, signer, &today, funded + measured.amount()).await?;
        progress.line("the books hold what was sent");
        Ok(Live {
            measured,
            points,
            query: Percentiles::of(query),
            opening_seconds,
            server_cpu_seconds: cpu_after.0 - cpu_before.0,
            client_cpu_seconds: cpu_after.1 - cpu_before.1,
            appends: appends_after.since(appends_before),
            disk_before,
        })
    }
}

/// Starts a stopped server again; the time from start to listening in seconds.
fn start_up(launch: &Launch, progress: &Progress) -> Result<f64> {
    progress.line("starting the server again");
    let began = Instant::now();
    let platform = launch.start().context("starting the server again")?;
    let seconds = began.elapsed().as_secs_f64();
    platform.process.stop()?;
    Ok(seconds)
}

/// Asks for something; the body of the answer.
async fn get(connection: &mut Connection, signer: &Signer, target: &str) -> Result<Vec<u8>> {
    let request = signer.request("GET", target, "", &[])?;
    let reply = connection.exchange(&request).await?;
    ensure!(reply.status == 200, "{target}: {}: {}", reply.status, String::from_utf8_lossy(reply.body));
    Ok(reply.body.to_vec())
}

async fn today(connection: &mut Connection, signer: &Signer) -> Result<String> {
    let days: Value = serde_json::from_slice(&get(connection, signer, "/v1/days").await?)?;
    let today = days.get("current").and_then(Value::as_str);
    today.map(str::to_owned).context("the books have an open day")
}

async fn appends(connection: &mut Connection, signer: &Signer) -> Result<Appends> {
    let text = get(connection, signer, "/metrics").await?;
    Ok(Appends::of_metrics(&String::from_utf8_lossy(&text)))
}

/// The day's debits of the accounts' subject are what was sent, no more and no less, and the books balance.
async fn check_books(connection: &mut Connection, signer: &Signer, today: &str, sent: i128) -> Result<()> {
    let target = format!("/v1/days/{today}/trial-balance");
    let balance: Value = serde_json::from_slice(&get(connection, signer, &target).await?)?;
    ensure!(balance.get("balanced") == Some(&Value::Bool(true)), "the books do not balance: {balance}");
    let lines = balance.get("lines").and_then(Value::as_array).context("a trial balance has lines")?;
    let ours = lines.iter().filter(|line| line.get("subject") == Some(&Value::from(9_201)));
    let debits = ours.filter_map(|line| line.get("debit")?.to_string().parse::<i128>().ok()).sum::<i128>();
    ensure!(debits == sent, "the books hold {debits} of debits on 9201; {sent} were sent and answered");
    Ok(())
}

/// Asks the run to stop at Ctrl-C or SIGTERM.
pub(super) async fn asked_to_stop(stop: Arc<Stop>, progress: Arc<Progress>) {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
    }
    #[cfg(not(unix))]
    drop(tokio::signal::ctrl_c().await);
    progress.line("stopping; what was done is reported");
    stop.ask();
}
