//! `lintel-sandbox terminals`: simulated terminals that work shifts against a platform, until they are done or stopped.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use sandbox::api::Api;
use sandbox::cipher::{CardCipher, CipherName};
use sandbox::process::{Launch, lintel_binary};
use sandbox::terminal::register::{Fleet, Office, known};
use sandbox::terminal::{Dialect, Identity, Shift, Terminal, Watch, Way, fleet};

use super::bank::stop;

/// How many requests open the fleet at once.
const WIDTH: usize = 16;
/// Terminals of a merchant.
const OF_A_MERCHANT: usize = 20;

const ABOUT: &str = "\
Has simulated terminals work shifts against a platform: each connects, signs in, takes its work keys, sells, voids, pre-authorises, \
completes, refunds, tips and asks for balances by a seeded plan, takes back what it heard no answer to, settles its batch and signs \
out. MACs and PIN blocks are its own.

With --register it opens what is missing at a fresh platform first: two administrators and two treasurers, prices of cards, a \
transport key, the card network's master key, merchants, terminals with keys. Run again, the same terminals are used.";

const EXAMPLES: &str = "\
Examples:
  lintel-sandbox card-network --listen 127.0.0.1:7800 &
  lintel serve --sandbox --set ark.unseal=file --set pos.listen=127.0.0.1:7890 --set pos.network.name=unionpay \\
    --set pos.network.member=48021000 --set pos.network.pin_block_bytes=16 --set pos.network.echo_ms=1000 \\
    --set 'pos.network.links=[{name=\"a\",address=\"127.0.0.1:7800\",weight=1}]' &
  lintel-sandbox terminals --count 1000 --register       1,000 terminals, a shift of 20 transactions each
  lintel-sandbox terminals --count 10 --shifts 3 --transactions 200 --pause-ms 50
  lintel-sandbox terminals --count 100 --json            ends with one object

It ends with 1 if a terminal gave up or a batch did not balance. Ctrl-C has everyone settle and go home; docs/sandbox.md.";

/// Run simulated terminals that work shifts.
#[derive(Debug, Args)]
#[command(long_about = ABOUT, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// How many terminals.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    count: u32,
    /// Where the platform lets terminals in (pos.listen).
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7890")]
    connect: SocketAddr,
    /// Where the platform's API is.
    #[arg(long, default_value = "http://127.0.0.1:7880")]
    url: String,
    /// The platform's data directory, which has the key of its programs.
    #[arg(long, value_name = "FOLDER", default_value = "data")]
    data_dir: PathBuf,
    /// Open merchants and terminals that are not there yet.
    #[arg(long)]
    register: bool,
    /// Merchants that share the terminals; one for each 20 unless given.
    #[arg(long)]
    merchants: Option<u32>,
    /// The cipher of the terminals' keys.
    #[arg(long, value_enum, default_value = "sm4")]
    cipher: CipherName,
    /// Shifts that each terminal works.
    #[arg(long, default_value_t = 1)]
    shifts: u32,
    /// Transactions of a shift.
    #[arg(long, default_value_t = 20)]
    transactions: u32,
    /// Cards that shop at them.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..))]
    cards: u64,
    /// Between two transactions of a terminal, on the mean.
    #[arg(long, default_value_t = 0)]
    pause_ms: u64,
    /// How long a terminal waits for an answer: longer than pos.network.answer_timeout_ms, or both take back.
    #[arg(long, default_value_t = 40_000)]
    patience_ms: u64,
    /// What the plan of each shift is made from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// End with one JSON object.
    #[arg(long)]
    json: bool,
    /// Say nothing while it runs.
    #[arg(long)]
    quiet: bool,
    /// The program `lintel`, if it is not beside this one.
    #[arg(long)]
    lintel: Option<PathBuf>,
    /// A setting that the platform runs with and that says where its keys lie, as KEY=VALUE.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
}

/// Runs it.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting the runtime")?;
    runtime.block_on(arguments.work())
}

impl Arguments {
    fn say(&self, text: &str) {
        if !self.quiet {
            eprintln!("{text}");
        }
    }

    async fn work(&self) -> Result<ExitCode> {
        let stop = stop()?;
        let identities = self.identities().await?;
        let (dialect, patience) = (Dialect::new()?, Duration::from_millis(self.patience_ms));
        let way = Way { address: self.connect, patience };
        let terminals: Vec<Terminal> =
            identities.into_iter().map(|identity| Terminal::new(identity, &dialect, way)).collect();
        self.say(&format!("{} terminals go to work at {}", terminals.len(), self.connect));
        let (transactions, seed, cards) = (self.transactions, self.seed, self.cards);
        let shift = Shift { transactions, seed, cards, pause: Duration::from_millis(self.pause_ms) };
        let (watch, began) = (Arc::new(Watch::default()), Instant::now());
        let told = tokio::spawn(tell(Arc::clone(&watch), self.quiet, self.count));
        let asked = Arc::clone(&watch);
        let stopping = tokio::spawn(async move {
            stop.await;
            asked.stop.store(true, Ordering::Relaxed);
        });
        let summary = fleet::work(terminals, self.shifts, shift, Arc::clone(&watch)).await;
        told.abort();
        stopping.abort();
        let seconds = began.elapsed().as_secs_f64();
        let rate = summary.transactions() as f64 / seconds.max(f64::EPSILON);
        if self.json {
            let mut object = summary.object();
            object["terminals"] = self.count.into();
            object["seconds"] = seconds.into();
            object["transactions_per_second"] = rate.into();
            println!("{object}");
        } else {
            print!("{summary}");
            println!("rate            {rate:.0} a second over {seconds:.1} s, settlements included");
        }
        let well = summary.gave_up.is_empty() && summary.batches_unbalanced == 0;
        Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// The terminals that are there, and with `--register` those that are missing.
    async fn identities(&self) -> Result<Vec<Identity>> {
        let launch = Launch {
            binary: lintel_binary(self.lintel.clone())?,
            data_dir: self.data_dir.clone(),
            listen: self.url.trim_start_matches("http://").to_owned(),
            args: self.sets.iter().flat_map(|set| ["--set".to_owned(), set.clone()]).collect(),
            own_group: false,
        };
        let api = Api::new(&self.url, "operator", launch.key("operator")?)?;
        let cipher = CardCipher::from(self.cipher);
        let count = usize::try_from(self.count)?;
        let mut there = known(&api, cipher).await?;
        if there.len() < count && self.register {
            self.say(&format!("opening {count} terminals at {}", self.url));
            let merchants = self.merchants.map_or(count.div_ceil(OF_A_MERCHANT), |count| count as usize);
            let mut office = Office::hire(api.clone(), launch).await?;
            there = office.open(Fleet { count, merchants, cipher, width: WIDTH }).await?;
        }
        ensure!(
            there.len() >= count,
            "the platform at {} has {} terminals of the sandbox with {} keys, and {count} are wanted: ask for fewer by --count, \
             or with --register open them at a platform that was just begun",
            self.url,
            there.len(),
            cipher.name(),
        );
        there.truncate(count);
        Ok(there)
    }
}

/// A line each second.
async fn tell(watch: Arc<Watch>, quiet: bool, count: u32) {
    let mut before = 0;
    if quiet {
        return;
    }
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let [done, unheard, finished] =
            [&watch.done, &watch.unheard, &watch.finished].map(|counter| counter.load(Ordering::Relaxed));
        eprintln!(
            "{done} transactions, {} in the last second, {unheard} not heard of; {finished} of {count} terminals done",
            done - before
        );
        before = done;
    }
}
