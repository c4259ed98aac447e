//! Crashes: the platform under mixed load is killed (SIGKILL) at random moments and started again, and everything that was
//! acknowledged must be there, once, whole.
//!
//! ```text
//!  round:  load ─► kill ─► journal verified ─► (start, kill)* ─► start ─► what was in doubt is asked again ─► checks
//!  books:  20 rounds ─► lists, bank, orders ─► every day closed with all checks ─► stop ─► journal verified
//! ```
//! The driver keeps a model of its own: what each command that was acknowledged, or found done, did to each account. After
//! every start it holds the platform against it: balances, holds, numbers of entries, statements, trial balances; and asks
//! again for what was acknowledged, which must be the first answer, marked as repeated.
//!
//! A seed gives the same commands and the same moments; what the machine makes of them differs from run to run.

mod books;
mod check;
mod cold;
mod draw;
mod feeder;
mod model;
mod moment;
mod posting;
mod teller;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;
use serde_json::json;

use self::books::{Books, Round};
use self::moment::Moments;
use crate::bench::numbers::Numbers;
use crate::play::Talk;

/// So many rounds are played on the same books.
const ROUNDS_OF_BOOKS: u64 = 20;

/// Kill the platform under load, again and again, and check that it loses nothing.
#[derive(Debug, Clone, Args)]
pub struct Crash {
    /// How often to kill it under load.
    #[arg(long, default_value_t = 20)]
    rounds: u64,
    /// Where the commands and the moments come from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Transfers that a start at the end must take from the journal alone; 0 leaves that measurement out.
    #[arg(long, default_value_t = 1_000_000)]
    cold: u64,
    /// Keep the data below this directory; a temporary one, removed if all holds, if left out.
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// The program `lintel`, if it is not beside this one.
    #[arg(long)]
    lintel: Option<PathBuf>,
    /// A further setting of the platform, as KEY=VALUE.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    /// End with one JSON object on the last line.
    #[arg(long)]
    json: bool,
}

/// All rounds together.
#[derive(Debug, Default)]
struct Totals {
    rounds: u64,
    kills: u64,
    acknowledged: u64,
    vouchers: u64,
    done: u64,
    not_done: u64,
    recoveries: Vec<Duration>,
}

impl Totals {
    fn add(&mut self, moments: &Moments, round: &Round) {
        self.rounds += 1;
        self.kills += 1 + moments.of_starts.len() as u64;
        self.acknowledged += round.acknowledged;
        self.vouchers += round.vouchers;
        self.done += round.done;
        self.not_done += round.not_done;
        self.recoveries.push(round.recovery);
    }

    fn slowest(&self) -> Duration {
        self.recoveries.iter().max().copied().unwrap_or_default()
    }
}

impl Crash {
    /// Does it.
    ///
    /// # Errors
    /// The first thing that does not hold, with the round and the directory that shows it.
    pub fn run(&self) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .context("starting the runtime")?;
        runtime.block_on(self.play())
    }

    async fn play(&self) -> Result<()> {
        let began = Instant::now();
        let temporary = std::env::temp_dir().join(format!("lintel-crash-{}", std::process::id()));
        let root = self.data_dir.clone().unwrap_or_else(|| temporary.clone());
        let mut talk = Talk::new();
        talk.line(&format!("seed {}, data below {}", self.seed, root.display()));
        talk.line("round  killed under        acknowledged  vouchers  in doubt: done  not done   start");
        let mut totals = Totals::default();
        while totals.rounds < self.rounds {
            let set = totals.rounds / ROUNDS_OF_BOOKS;
            let data_dir = root.join(format!("books-{set}"));
            self.books(data_dir.clone(), set, &mut totals, &mut talk).await.with_context(|| {
                format!("round {} of seed {}; see {}", totals.rounds + 1, self.seed, data_dir.display())
            })?;
            if self.data_dir.is_none() {
                std::fs::remove_dir_all(&data_dir).with_context(|| format!("removing {}", data_dir.display()))?;
            }
        }
        let cold = self.measure_cold(root.join("cold"), &mut talk).await?;
        self.tell(&totals, cold, began.elapsed(), &mut talk);
        if self.data_dir.is_none() && temporary.exists() {
            std::fs::remove_dir_all(&temporary).context("removing the temporary data")?;
        }
        Ok(())
    }

    /// The rounds of one set of books.
    async fn books(&self, data_dir: PathBuf, set: u64, totals: &mut Totals, talk: &mut Talk) -> Result<()> {
        let seed = self.seed.wrapping_mul(0x9e6c_63d0_876a_3f6b) ^ set;
        let mut numbers = Numbers(seed);
        let mut books = Books::open(data_dir, seed, self.lintel.clone(), self.sets.clone()).await?;
        let mut usual = Duration::from_millis(100);
        for _ in 0..ROUNDS_OF_BOOKS.min(self.rounds - totals.rounds) {
            let moments = Moments::draw(&mut numbers);
            let round = books.round(&moments, &mut numbers, usual).await?;
            usual = round.recovery;
            totals.add(&moments, &round);
            let Round { acknowledged, vouchers, done, not_done, recovery } = round;
            talk.line(&format!(
                "{:>5}  {:<19} {acknowledged:>12}  {vouchers:>8}  {done:>14}  {not_done:>8}  {:>4} ms",
                totals.rounds,
                moments.name(),
                recovery.as_millis()
            ));
        }
        let (days, orders) = (books.days.len(), books.orders.len());
        check::at_the_end(books).await?;
        talk.line(&format!("       books {set}: {orders} orders, {days} days closed with every check"));
        Ok(())
    }

    async fn measure_cold(&self, data_dir: PathBuf, talk: &mut Talk) -> Result<Option<cold::Cold>> {
        if self.cold == 0 {
            return Ok(None);
        }
        let cold = cold::measure(data_dir, self.lintel.clone(), &self.sets, self.cold, self.seed).await;
        let cold = cold.context("starting from the journal alone")?;
        talk.line(&format!(
            "a start that took {} transfers from the journal alone, nothing projected: {:.2} s",
            cold.vouchers,
            cold.start.as_secs_f64()
        ));
        Ok(Some(cold))
    }

    fn tell(&self, totals: &Totals, cold: Option<cold::Cold>, took: Duration, talk: &mut Talk) {
        let Totals { rounds, kills, acknowledged, vouchers, done, not_done, .. } = totals;
        let slowest = totals.slowest();
        talk.line(&format!(
            "{rounds} rounds, {kills} kills in {:.0} s: {acknowledged} commands ({vouchers} vouchers in bulk) acknowledged, each \
             there once; {} in doubt, of which {done} were done and {not_done} were not; slowest start {} ms",
            took.as_secs_f64(),
            done + not_done,
            slowest.as_millis()
        ));
        if self.json {
            let object = json!({
                "seed": self.seed, "rounds": rounds, "kills": kills, "acknowledged": acknowledged, "vouchers": vouchers,
                "in_doubt_done": done, "in_doubt_not_done": not_done, "slowest_start_ms": slowest.as_millis() as u64,
                "cold_transfers": cold.map(|cold| cold.vouchers), "cold_start_seconds": cold.map(|cold| cold.start.as_secs_f64()),
            });
            talk.line(&object.to_string());
        }
    }
}
