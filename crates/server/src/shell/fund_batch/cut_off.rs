//! The city's cut-off as a timer: the platform closes what waits for a month once that month's cut-off is over.
//!
//! ```text
//!  clock ─► is a cut-off over that was not seen off? ─ no ─► nothing
//!                └ yes ─► months that payments wait for ─ none, and it is over for a while ─► seen off
//!                              └ some ─► Close each ─► look again
//! ```
//! Nothing of it is kept: at a start the latest cut-off is looked at as one that was missed. What was closed waits no longer, so a month
//! is closed once however often it is looked at.

use channels::FundCentre;
use domain::envelope::Time;
use domain::fund_batch::FundBatchCommand;
use domain::fund_batch::cut_off::CutOff;
use domain::{Actor, Command, Origin, RefusalCode, State};
use engine::{Meta, Request};

use super::super::clearing::FetchError;
use super::super::executor::Executor;

/// How long after a cut-off it is looked at still: what was asked for just before it may be decided just after a look.
const SEEN_OFF_MS: i64 = 10_000;

/// The timer of one city.
#[derive(Debug)]
pub(super) struct CutOffTimer {
    city: String,
    cut_off: CutOff,
    /// The latest cut-off after which nothing waited any more.
    seen_off: Option<Time>,
    fails: bool,
}

impl CutOffTimer {
    /// That of a centre, if its settings have a cut-off.
    pub(super) fn of(centre: &FundCentre) -> Option<Self> {
        let (city, cut_off) = (centre.city.clone(), centre.cut_off?);
        Some(Self { city, cut_off, seen_off: None, fails: false })
    }

    /// Closes what is due; what cannot be closed now is by a later look.
    pub(super) async fn look(&mut self, executor: &Executor) {
        let Err(error) = self.close_due(executor).await else {
            self.fails = false;
            return;
        };
        metrics::counter!("lintel_fund_cut_off_failures_total").increment(1);
        if !self.fails {
            tracing::error!(city = self.city, cut_off = %self.cut_off, %error, "a fund's batch is not closed at its cut-off; tried again");
        }
        self.fails = true;
    }

    async fn close_due(&mut self, executor: &Executor) -> Result<(), FetchError> {
        let (cut_off, now) = (self.cut_off, executor.clock.now());
        let look = move |state: &State| cut_off.latest(&state.calendar, now);
        let latest = executor.platform.read(look).await?.0?;
        let Some(latest) = latest.filter(|latest| self.seen_off != Some(*latest)) else { return Ok(()) };
        let look = move |state: &State| state.fund_months_due(cut_off, now);
        let due = executor.platform.read(look).await?.0?;
        if due.is_empty() && now >= latest.plus_ms(SEEN_OFF_MS) {
            self.seen_off = Some(latest);
        }
        for period in due {
            self.close(executor, period).await?;
        }
        Ok(())
    }

    async fn close(&self, executor: &Executor, period: String) -> Result<(), FetchError> {
        let command = FundBatchCommand::Close { city: self.city.clone(), period: period.clone() };
        let meta = Meta::unkeyed(Actor::Timer, Origin::Timer);
        let seen = executor.platform.submit(Request { command: Command::FundBatch(command), meta }).await?;
        match seen.result {
            Ok(_) => {
                metrics::counter!("lintel_fund_cut_offs_total").increment(1);
                tracing::info!(city = self.city, period, cut_off = %self.cut_off, "closed a fund's batch at its cut-off");
                Ok(())
            }
            // Somebody closed it by hand meanwhile.
            Err(refusal) if refusal.code == RefusalCode::FundBatchEmpty => Ok(()),
            Err(refusal) => Err(refusal.into()),
        }
    }
}
