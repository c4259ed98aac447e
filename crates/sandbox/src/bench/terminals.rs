//! `lintel bench terminals`: connections of many terminals at once, and what each costs the platform.
//!
//! ```text
//!  platform with its gateway ─► N connections, an echo on each, memory at a tenth and at all ─► echoes on all ─► memory ─► report
//! ```
//! What a connection takes is the slope between a tenth and all: a platform that has just begun gives memory back meanwhile. The
//! terminals are silent while memory is read, as terminals are most of the time.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use iso8583::{Builder, Message, Profile};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::progress::{Progress, thousands};
use super::report::{Machine, Table};
use super::statistics::Percentiles;
use crate::play::stage::{Setting, Stage};
use crate::process::{free_address, resident_bytes};

const ABOUT: &str = "\
Starts a platform whose gateway lets terminals in, connects so many over TCP, has each send an echo and stay, and says how much \
memory the platform took for them, by the difference between a tenth of them and all. Then all send echoes in turn. Buffers of the system's \
own (a socket's) are not in it.

Terminals and platform share the machine. Each connection takes a file descriptor on either side: see `ulimit -n`.";

const EXAMPLES: &str = "\
Examples:
  lintel bench terminals                      10,000 connections
  lintel bench terminals --count 1000 --json  ends with one object: connections, bytes_per_connection, echoes_per_second, p99_ms, …";

/// TPDU and header that a terminal sends, and what comes back.
const ASKED: &str = "6000030001603100000000";
const ANSWERED: &str = "6000010003603100000000";

/// Measure how many terminals may be connected.
#[derive(Debug, Args)]
#[command(long_about = ABOUT, after_help = EXAMPLES)]
pub struct Terminals {
    /// Terminals that are connected at once
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    count: u32,
    /// Echoes that each sends once all are connected
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    echoes: u32,
    /// Echoes under way at once
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=4_096))]
    lanes: u32,
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

/// A connected terminal.
struct Terminal {
    number: usize,
    stream: TcpStream,
}

/// What was measured; memory is the platform's.
struct Measured {
    bytes_before: u64,
    /// With this many connected.
    bytes_few: (u64, u64),
    bytes_connected: u64,
    bytes_after: u64,
    connecting_seconds: f64,
    echoing_seconds: f64,
    times: Percentiles,
}

impl Terminals {
    /// Runs it.
    ///
    /// # Errors
    /// If a process does not start, a terminal is not let in, or an answer is another one.
    pub fn run(&self, out: &mut dyn Write) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("a runtime")?;
        let address = free_address()?;
        let settings =
            ["ark.unseal=file".to_owned(), format!("pos.listen={address}"), format!("pos.connections={}", self.count)];
        let setting = Setting {
            data_dir: std::env::temp_dir().join(format!("lintel-terminals-{}", std::process::id())),
            seed: 1,
            faults: "none",
            epcc: false,
            unionpay_rsa: false,
            concurrency: 8,
            lintel: self.lintel.clone(),
            sets: self.sets.iter().cloned().chain(settings).collect(),
        };
        let progress = Progress::new(self.quiet);
        // The stage's client needs a runtime around it when it is made.
        let stage = runtime.block_on(async { Stage::of(setting) })?;
        let measured = runtime.block_on(self.measure(address, stage.processes().0, &progress));
        stage.strike(true)?;
        let measured = measured?;
        if self.json {
            writeln!(out, "{}", self.object(&measured))?;
        } else {
            write!(out, "{}", self.table(&measured))?;
        }
        Ok(())
    }

    async fn measure(&self, address: SocketAddr, platform: u32, progress: &Progress) -> Result<Measured> {
        let memory = || resident_bytes(platform).context("this system does not tell a process's memory (/proc)");
        let profile = Arc::new(Profile::parse(iso8583::profile::POS_TERMINAL)?);
        let bytes_before = memory()?;
        let began = Instant::now();
        let mut terminals = Vec::new();
        let mut bytes_few = (0, bytes_before);
        while terminals.len() < self.count as usize {
            let end = (terminals.len() + self.lanes as usize).min(self.count as usize);
            let mut connecting = JoinSet::new();
            for number in terminals.len()..end {
                let profile = Arc::clone(&profile);
                connecting.spawn(async move {
                    let stream = TcpStream::connect(address).await.with_context(|| {
                        format!(
                            "connecting terminal {number}; each takes a file descriptor on either side (`ulimit -n`)"
                        )
                    })?;
                    stream.set_nodelay(true)?;
                    let mut terminal = Terminal { number, stream };
                    terminal.echo(&profile, 0).await?;
                    anyhow::Ok(terminal)
                });
            }
            while let Some(connected) = connecting.join_next().await {
                terminals.push(connected.context("a terminal's task")??);
            }
            if bytes_few.0 == 0 && terminals.len() >= self.count as usize / 10 {
                bytes_few = (terminals.len() as u64, memory()?);
            }
            progress.now_and_then(|| format!("{} terminals are connected", thousands(terminals.len() as u64)));
        }
        let (connecting_seconds, bytes_connected) = (began.elapsed().as_secs_f64(), memory()?);
        progress.line(&format!("{} terminals are connected, all send echoes", thousands(terminals.len() as u64)));
        let began = Instant::now();
        let (times, terminals) = self.echo_all(terminals, &profile).await?;
        let (echoing_seconds, bytes_after) = (began.elapsed().as_secs_f64(), memory()?);
        drop(terminals);
        let times = Percentiles::of(times);
        Ok(Measured {
            bytes_before,
            bytes_few,
            bytes_connected,
            bytes_after,
            connecting_seconds,
            echoing_seconds,
            times,
        })
    }

    /// Each terminal's echoes, `lanes` at once; how long each took in milliseconds.
    async fn echo_all(
        &self,
        terminals: Vec<Terminal>,
        profile: &Arc<Profile>,
    ) -> Result<(Vec<f64>, Arc<[Mutex<Terminal>]>)> {
        let terminals: Arc<[_]> = terminals.into_iter().map(Mutex::new).collect();
        let next = Arc::new(AtomicUsize::new(0));
        let mut lanes = JoinSet::new();
        for _ in 0..self.lanes {
            let (terminals, next, profile) = (Arc::clone(&terminals), Arc::clone(&next), Arc::clone(profile));
            let most = terminals.len() * self.echoes as usize;
            lanes.spawn(async move {
                let mut times = Vec::new();
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= most {
                        return anyhow::Ok(times);
                    }
                    let (round, which) = (at / terminals.len(), at % terminals.len());
                    let Some(terminal) = terminals.get(which) else { return Ok(times) };
                    let mut terminal = terminal.lock().await;
                    let began = Instant::now();
                    terminal.echo(&profile, u32::try_from(round + 1).unwrap_or(u32::MAX)).await?;
                    times.push(began.elapsed().as_secs_f64() * 1_000.0);
                }
            });
        }
        let mut times = Vec::new();
        while let Some(lane) = lanes.join_next().await {
            times.extend(lane.context("a lane")??);
        }
        Ok((times, terminals))
    }

    fn object(&self, measured: &Measured) -> Value {
        let Measured { bytes_before, bytes_connected, bytes_after, connecting_seconds, echoing_seconds, times, .. } =
            measured;
        json!({
            "benchmark": "terminals",
            "machine": Machine::here(),
            "connections": self.count,
            "resident_bytes_before": bytes_before,
            "few_connections": measured.bytes_few.0,
            "resident_bytes_few_connected": measured.bytes_few.1,
            "resident_bytes_connected": bytes_connected,
            "resident_bytes_after_echoes": bytes_after,
            "bytes_per_connection": self.each(measured),
            "connections_per_second": f64::from(self.count) / connecting_seconds,
            "echoes_per_second": times.count as f64 / echoing_seconds,
            "p50_ms": times.p50,
            "p99_ms": times.p99,
        })
    }

    fn table(&self, measured: &Measured) -> String {
        let mebibytes = |bytes: u64| format!("{:.1} MiB", bytes as f64 / 1_048_576.0);
        let mut table = Table(String::new());
        let few = format!("memory, {} connected", thousands(measured.bytes_few.0));
        table.row("connections", thousands(self.count.into()));
        table.row("memory before", mebibytes(measured.bytes_before));
        table.row(&few, mebibytes(measured.bytes_few.1));
        table.row("memory, all connected", mebibytes(measured.bytes_connected));
        table.row("memory after echoes", mebibytes(measured.bytes_after));
        table.row("memory a connection", format!("{} bytes", thousands(self.each(measured))));
        table.row("connecting", format!("{:.0} a second", f64::from(self.count) / measured.connecting_seconds));
        table.row("echoes", format!("{:.0} a second", measured.times.count as f64 / measured.echoing_seconds));
        table.times("an echo", &measured.times);
        table.0
    }

    /// What the platform took for each connection after the first tenth.
    fn each(&self, measured: &Measured) -> u64 {
        let (few, bytes_few) = measured.bytes_few;
        let most = measured.bytes_connected.max(measured.bytes_after);
        most.saturating_sub(bytes_few) / u64::from(self.count).saturating_sub(few).max(1)
    }
}

impl Terminal {
    /// Sends an echo and sees that the answer is its own.
    async fn echo(&mut self, profile: &Profile, round: u32) -> Result<()> {
        let (trace, terminal) = (format!("{:06}", round % 1_000_000), format!("{:08}", self.number));
        let mut echo = Builder::new(profile, *b"0820")?;
        echo.digits(11, &trace)?.text(41, &terminal)?.text(42, "898110070110001")?.digits(60, "00000001301")?;
        let content = [hex::decode(ASKED)?, echo.encode()?].concat();
        let length = u16::try_from(content.len()).context("an echo is short")?;
        self.stream.write_all(&[&length.to_be_bytes()[..], &content].concat()).await.context("sending an echo")?;

        let mut length = [0; 2];
        self.stream.read_exact(&mut length).await.with_context(|| format!("terminal {} has no answer", self.number))?;
        let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
        self.stream.read_exact(&mut answer).await.context("reading an answer")?;
        let Some((envelope, message)) = answer.split_at_checked(ASKED.len() / 2) else {
            bail!("an answer is too short")
        };
        ensure!(envelope == hex::decode(ANSWERED)?, "an answer went back as {}", hex::encode(envelope));
        let message = Message::decode(profile, message)?;
        let own = message.digits(11)? == trace.as_str() && message.text(41)? == terminal && message.text(39)? == "00";
        ensure!(message.mti() == *b"0830" && own, "terminal {} has another's answer: {message:?}", self.number);
        Ok(())
    }
}
