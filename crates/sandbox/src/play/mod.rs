//! The day player: one business day of house payments against a real platform and a sandbox bank, each a process of its
//! own, spoken to over HTTP as anyone would.
//!
//! ```text
//!  1 open   customers, merchants, agreements; two officers bound what may leave by a rail in an hour
//!  2 orders rent by card over EPCC or UnionPay, by rules, or at UnionPay's or EPCC's page, where some leave · combined (fund + card) ·
//!           earnest money; one in ten from a sub-account at Ping An; by the curve of the committed plan, with its faults, and one of
//!           EPCC's sites is down while the busiest tenth comes                                                           day D
//!  3 cards  terminals at shops sell through a card network that loses answers and breaks links, and close their batches
//!  4 money  splits over up to 12 roles · refunds, part, full, after a split · a fund's monthly batch · own money advances a
//!           rent (D0)
//!  5 cut    the day in the middle of traffic, then the next working day: clear, the statement's line of each session, settle, pay
//!           out, a payment comes back; the reserve pays the advance back
//!  6 court  two authorities freeze one landlord's money: a queue, a deduction by two officers; a chargeback
//!  7 close  nothing that leaves was stopped; both days: the central bank's closing balance, checks, trial balance, cover, rates,
//!           statements
//! ```

mod advance;
mod browser;
mod card_morning;
pub(crate) mod card_stage;
mod chargeback;
mod close;
mod court;
mod cut;
mod fund_batch;
mod money;
mod network;
pub(crate) mod open;
mod orders;
mod outflow;
mod power;
mod report;
mod staff;
pub(crate) mod stage;
mod statement;
mod sub_accounts;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;

pub use stage::{Stage, Talk};

/// Play one business day.
#[derive(Debug, Clone, Args)]
pub struct Play {
    /// Orders in all.
    #[arg(long, default_value_t = 20_000)]
    orders: u64,
    /// What the day is made from: the same seed gives the same orders.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// End when the day is closed: exit code 0 only if every check holds.
    #[arg(long)]
    exit: bool,
    /// Where the platform keeps its data; a new temporary directory if left out.
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// How many requests are under way at once.
    #[arg(long, default_value_t = 64)]
    concurrency: usize,
    /// Kill the platform (SIGKILL) this many times at moments given by the seed, and start it again.
    #[arg(long, default_value_t = 0)]
    kills: u32,
    /// How UnionPay's forms are signed: `12`, SM3 with a secret, or `01`, RSA.
    #[arg(long, default_value = "12", value_parser = ["12", "01"], value_name = "12|01")]
    unionpay_sign_method: String,
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

impl Play {
    /// Plays the day; true if every check holds.
    ///
    /// # Errors
    /// What kept the day from being played to its end.
    pub fn run(&self) -> Result<bool> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .context("starting the runtime")?;
        runtime.block_on(self.play())
    }

    async fn play(&self) -> Result<bool> {
        let mut talk = Talk::new();
        let stage = Stage::raise(self, &mut talk)?;
        stage.route_notifications().await?;
        let power = power::Cuts::begin(self, &stage);
        let cast = open::open(&stage, &mut talk).await?;
        let mut day = orders::Day::new(self.seed, self.orders, network::day_plan()?);
        let mut staff = staff::Staff::hire(&stage).await?;
        outflow::bounded(&stage, &mut staff, self.orders, &mut talk).await?;
        let mut checks = network::morning(&stage, &cast, &mut day, &mut talk).await?;
        let administrators = staff.administrators()?;
        checks.extend(card_morning::morning(&stage, administrators, (self.seed, self.orders), &mut talk).await?);
        money::split_and_refund(&stage, &cast, &day, &mut talk).await?;
        checks.push(fund_batch::month(&stage, &cast, &mut day, &mut talk).await?);
        outflow::own_bank_bounded(&mut staff, self.orders).await?;
        let advance = advance::asked(&stage, &day, &mut staff, &mut talk).await?;
        cut::afternoon(&stage, &cast, &mut day, &mut talk).await?;
        let mut statement = statement::Statement::default();
        let (cleared, debtor) = cut::next_working_day(&stage, &cast, &mut statement, &mut talk).await?;
        power.end().await?;
        checks.extend(cleared);
        checks.extend(advance::repaid(&stage, advance, &mut statement, &mut talk).await?);
        checks.push(network::faults_played(&stage, &day, &mut talk).await?);
        checks.push(network::cascaded(&stage, &day, &mut talk).await?);
        checks.push(sub_accounts::paid(&stage, &day, &mut talk).await?);
        checks.extend(court::session(&stage, &debtor, &mut staff, &mut talk).await?);
        checks.extend(chargeback::booked(&stage, &cast, &day, &debtor, &mut talk).await?);
        checks.push(outflow::never_stopped(&stage, self.orders, &mut talk).await?);
        let verdict = close::close_both_days(&stage, &cast, &day, &statement, checks, &mut talk).await?;
        let holds = report::report(&stage, &day, verdict, self.json, &mut talk).await?;
        if self.exit {
            stage.strike(self.data_dir.is_none())?;
            return Ok(holds);
        }
        talk.line(&format!("\nThe platform stays up: {}/docs    data: {}", stage.base(), stage.data_dir().display()));
        talk.line("Ctrl-C ends it.");
        tokio::signal::ctrl_c().await.context("waiting for Ctrl-C")?;
        stage.strike(self.data_dir.is_none())?;
        Ok(holds)
    }
}
