//! `lintel ledger import`: another system's history of accounts, brought into empty books.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::client::Client;
use super::inside::{self, Inside};
use super::print;
use super::remote::Connection;
use crate::config::Config;
use crate::import::file::{self, Rejected};
use crate::import::format::Format;
use crate::import::plan::Plan;
use crate::import::report::{Report, write_map, write_rejected};
use crate::import::run::{Outcome, Run};
use crate::import::standing::Standing;

pub(super) const HELP: &str = "\
Each row becomes a voucher between an account of ours, opened for the other system's, and one of the institution's own. Days \
are cut and closed as the dates go by, from the format's first day, whatever the machine's clock says.

Without --url it works on the data directory itself, under its lock, and begins the books if the directory is empty; if a \
platform runs on that directory, it works through it. With --url it works through that platform, whose books must have begun \
on the format's first day or before (`lintel serve --set first_day=DATE`).

It is safe to run again. What was broken off goes on after the last posting that the books answered; what is finished changes \
nothing. Books that hold any voucher but this import's own are refused.

Rows that cannot be read, or that the books refuse, are left out and written to a file with line and reason; the others are \
posted, and the command ends with exit code 1. With --strict nothing is posted if a row cannot be read.

Examples:
  lintel ledger import rows.csv --format bank.toml --dry-run
  lintel --data-dir new ledger import rows.csv --format bank.toml
  lintel ledger import rows.csv --format bank.toml --url http://127.0.0.1:7880 --json

docs/import.md explains the format file with an example.";

/// Bring another system's history into empty books.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Import {
    /// The file with the rows.
    file: PathBuf,
    /// What its columns mean, and what its rows become.
    #[arg(long, value_name = "FORMAT.toml")]
    format: PathBuf,
    /// Say what would be done, and change nothing.
    ///
    /// The books are looked at too if --url names them.
    #[arg(long)]
    dry_run: bool,
    /// Post nothing if a row cannot be read, and stop at the first that the books refuse.
    #[arg(long)]
    strict: bool,
    /// Where rejected rows go: CSV with line and reason.
    ///
    /// `FILE.rejected.csv` in the current directory unless said.
    #[arg(long, value_name = "FILE")]
    rejected: Option<PathBuf>,
    /// Write which account and voucher each row became, as CSV.
    #[arg(long, value_name = "FILE")]
    map: Option<PathBuf>,
}

impl Import {
    /// Does it, and prints the report.
    ///
    /// # Errors
    /// What was refused; rows that were rejected, once all others are posted.
    pub(super) fn run(&self, connection: &Connection, config: &Config) -> Result<()> {
        connection.refuse_idempotency_key()?;
        let began = Instant::now();
        let format = Format::read(&self.format)?;
        let plan = Plan::of(file::read(&self.file, &format)?);
        let path = self.rejected_path()?;
        if self.dry_run {
            return self.dry(connection, config, &format, &plan);
        }
        write_rejected(&path, &plan.rejected)?;
        if self.strict && !plan.rejected.is_empty() {
            bail!("{} rows cannot be read, and nothing was posted: see {}", plan.rejected.len(), path.display());
        }
        if plan.rows.is_empty() {
            bail!("{} has no row that can be posted", self.file.display());
        }
        let (standing, outcome) = self.carry_out(connection, config, &format, &plan)?;
        let rejected: Vec<Rejected> = plan.rejected.iter().chain(&outcome.refused).cloned().collect();
        write_rejected(&path, &rejected)?;
        if let Some(map) = &self.map {
            write_map(map, &plan, &standing)?;
        }
        let state = match (outcome.was_done, outcome.stopped) {
            (true, _) => "nothing_to_do",
            (false, true) => "stopped",
            (false, false) => "finished",
        };
        let in_books = standing.vouchers.iter().filter(|voucher| **voucher != 0).count();
        let report = Report {
            posted_before: Some(in_books.saturating_sub(outcome.posted)),
            posted: outcome.posted,
            refused: outcome.refused.len(),
            days_closed: outcome.closed,
            days_closed_in_all: Some(standing.closed),
            open_day: Some(standing.current.to_string()),
            seconds: began.elapsed().as_secs_f64(),
            ..Report::of(&format, &plan, state)
        };
        let named = (!rejected.is_empty()).then_some(path.as_path());
        tell(connection, &report.rejecting(&rejected, named))?;
        match (outcome.stopped, rejected.len()) {
            (true, _) => bail!("stopped before the end"),
            (false, 0) => Ok(()),
            (false, count) => bail!("{count} rows were rejected: see {}", path.display()),
        }
    }

    fn dry(&self, connection: &Connection, config: &Config, format: &Format, plan: &Plan) -> Result<()> {
        let mut report = Report::of(format, plan, "dry_run").rejecting(&plan.rejected, None);
        if connection.is_named() {
            let standing = Standing::look(&connection.client(config)?, format, plan)?;
            report.posted_before = Some(standing.vouchers.iter().filter(|voucher| **voucher != 0).count());
            report.days_closed_in_all = Some(standing.closed);
            report.open_day = Some(standing.current.to_string());
        }
        tell(connection, &report)
    }

    fn rejected_path(&self) -> Result<PathBuf> {
        if let Some(path) = &self.rejected {
            return Ok(path.clone());
        }
        let name = self.file.file_name().with_context(|| format!("{} is no file", self.file.display()))?;
        let mut name = name.to_owned();
        name.push(".rejected.csv");
        Ok(name.into())
    }

    /// Works through the platform that is named or runs, else through one inside this command.
    fn carry_out(
        &self,
        connection: &Connection,
        config: &Config,
        format: &Format,
        plan: &Plan,
    ) -> Result<(Standing, Outcome)> {
        let stop = stop_on_signals()?;
        if connection.is_named() || inside::is_held(config)? {
            return self.post(&connection.client(config)?, format, plan, &stop);
        }
        let inside = Inside::start(config.clone(), format.first_day)?;
        let posted =
            connection.client_at(inside.address(), config).and_then(|client| self.post(&client, format, plan, &stop));
        let stopped = inside.stop().context("the platform inside this command");
        // What the platform says of itself explains better than what its client saw.
        stopped.and(posted)
    }

    fn post(&self, client: &Client, format: &Format, plan: &Plan, stop: &AtomicBool) -> Result<(Standing, Outcome)> {
        let mut standing = Standing::look(client, format, plan)?;
        let bar = ProgressBar::new(plan.rows.len() as u64);
        let style = "{bar:40} {pos}/{len} rows, {per_sec}, {eta} left";
        bar.set_style(ProgressStyle::with_template(style).context("the form of the progress bar")?);
        bar.enable_steady_tick(Duration::from_millis(200));
        let outcome = Outcome::default();
        let mut run = Run { client, format, plan, strict: self.strict, stop, standing: &mut standing, outcome };
        let ran = run.run(|rows| bar.set_position(rows as u64));
        let outcome = std::mem::take(&mut run.outcome);
        bar.finish_and_clear();
        ran.context("broken off; run the same command again to go on")?;
        Ok((standing, outcome))
    }
}

fn tell(connection: &Connection, report: &Report) -> Result<()> {
    if connection.wants_json() {
        print(&format!("{}\n", serde_json::to_string(report).context("writing the report")?));
    } else {
        print(&report.text());
    }
    Ok(())
}

/// A flag that is set when the process is asked to stop. Asked a second time, it ends at once: the books are none the worse.
fn stop_on_signals() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let asked = stop.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting the runtime")?;
    let listen = move || {
        runtime.block_on(async {
            crate::serve::signalled().await;
            asked.store(true, Ordering::Release);
            crate::serve::signalled().await;
        });
        std::process::exit(130);
    };
    std::thread::Builder::new().name("signals".into()).spawn(listen).context("listening to signals")?;
    Ok(stop)
}
