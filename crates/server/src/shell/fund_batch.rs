//! Monthly batches of a provident-fund centre: handed in, and asked about until every row is answered.
//!
//! ```text
//!  closed ─► ask for the result ─ the centre has no such batch ─► hand it in: the same bytes every time ─► ask again later
//!     ▲                         ├ not paid yet ──────────────────────────────────────────────────────────► ask again later
//!     │                         └ a file ─ verified ─► TakeResult ─ every row answered ─► done
//!     └──────────────────────────────────────────────────────────┴ a row is missing ─► ask again later
//! ```
//! Whether a batch was handed in is for the centre to say, so a start after a crash asks first, as for any try that may have been sent.
//! A file that is not believed, or that the books refuse, changes nothing and is an alarm. A city with a cut-off has its months closed
//! here too: [`cut_off`].

mod cut_off;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use channels::{Batch, BatchResult, BatchRow, Channel, ChannelError};
use domain::attempt::Rail;
use domain::calendar::Date;
use domain::fund_batch::quota::{FundLease, QuotaRules};
use domain::fund_batch::{FundBatch, FundBatchCommand, FundRow, TakeFundResult};
use domain::ids::FundBatchId;
use domain::{Actor, Command, Origin, RefusalCode, State};
use engine::{Meta, Request};

use super::clearing::{FetchError, ask};
use super::executor::{Executor, Route, ark_nonce};
use cut_off::CutOffTimer;

/// How often the open batches are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The longest pause between two questions about one batch; pauses double up to it.
const PAUSE_MAX: Duration = Duration::from_secs(300);
/// What the centre answers about a batch that it does not have, and about one that it has not paid yet.
const NOT_THERE: u16 = 404;
const NOT_PAID: u16 = 409;

/// How far a batch came by asking once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Came {
    /// The centre has it now.
    HandedIn,
    /// It has not paid yet.
    NotPaid,
    /// A result file was taken.
    Taken,
}

impl Came {
    /// The name in API and logs.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::HandedIn => "handed_in",
            Self::NotPaid => "not_paid",
            Self::Taken => "taken",
        }
    }
}

/// The channel behind which the centre is.
///
/// # Errors
/// [`FetchError::NoChannel`].
pub(crate) fn route(executor: &Executor) -> Result<&Route, FetchError> {
    let centre = |route: &&Route| route.channel.fund_centre().is_some();
    executor.first(Rail::Fund).filter(centre).ok_or(FetchError::NoChannel("a fund's monthly batches"))
}

/// What the city lets a lease draw: its rules, and the centre's word of now, which is none if it has no such lease. None if the settings
/// leave all of it to the centre.
///
/// # Errors
/// [`FetchError`].
pub(crate) async fn quota(
    executor: &Executor,
    contract: &str,
    period: &str,
) -> Result<Option<(QuotaRules, Option<FundLease>)>, FetchError> {
    let route = route(executor)?;
    let channel = route.channel.as_ref();
    let Some(rules) = channel.fund_centre().and_then(|centre| centre.quota) else { return Ok(None) };
    let (request, response) = ask(executor, route, || channel.build_quota(contract, period, &ark_nonce())).await?;
    if response.status != 200 {
        let date = Date::in_shanghai(executor.clock.now());
        return Err(FetchError::Status { channel: channel.manifest().name, status: response.status, date });
    }
    Ok(Some((rules, channel.quota(&request, &response)?.into_inner())))
}

/// Asks the centre about a batch once, and does what its answer calls for.
///
/// # Errors
/// [`FetchError`]; nothing is booked then.
pub(crate) async fn carry(executor: &Executor, meta: &Meta, batch: &FundBatch) -> Result<Came, FetchError> {
    let route = route(executor)?;
    let channel = route.channel.as_ref();
    let (_, response) = ask(executor, route, || channel.build_batch_result(&batch.number, &ark_nonce())).await?;
    match response.status {
        200 => {
            take(executor, meta, batch.id, channel, &response.body).await?;
            Ok(Came::Taken)
        }
        NOT_PAID => Ok(Came::NotPaid),
        NOT_THERE => {
            let (_, response) = ask(executor, route, || hand_in(channel, batch)).await?;
            match response.status {
                200 => Ok(Came::HandedIn),
                status => Err(status_of(channel, status, batch)),
            }
        }
        status => Err(status_of(channel, status, batch)),
    }
}

fn hand_in(channel: &dyn Channel, batch: &FundBatch) -> Result<channels::Request, ChannelError> {
    let rows: Vec<BatchRow<'_>> = batch.rows.iter().map(row).collect();
    let (number, city, period) = (&batch.number, &batch.city, &batch.period);
    channel.build_batch(&Batch { number, city, period, date: batch.date, rows: &rows })
}

fn row(row: &FundRow) -> BatchRow<'_> {
    BatchRow { serial: &row.serial, contract: &row.contract, amount: row.applied }
}

fn status_of(channel: &dyn Channel, status: u16, batch: &FundBatch) -> FetchError {
    FetchError::Status { channel: channel.manifest().name, status, date: batch.date }
}

/// Takes a result file, fetched or brought by hand.
///
/// # Errors
/// [`FetchError::Channel`] if it is not believed, [`FetchError::Refused`] if the books refuse it whole; both are alarms.
pub(crate) async fn take(
    executor: &Executor,
    meta: &Meta,
    batch: FundBatchId,
    channel: &dyn Channel,
    file: &[u8],
) -> Result<u64, FetchError> {
    let taken = book(executor, meta, batch, channel, file).await;
    if let Err(error) = &taken
        && is_alarm(error)
    {
        tracing::error!(%batch, %error, "a fund's result file was refused whole; nothing of it is booked");
        metrics::counter!("lintel_fund_results_refused_total").increment(1);
    }
    taken
}

async fn book(
    executor: &Executor,
    meta: &Meta,
    batch: FundBatchId,
    channel: &dyn Channel,
    file: &[u8],
) -> Result<u64, FetchError> {
    let BatchResult { city, number, rows, .. } = channel.batch_result(file)?.into_inner();
    let command = Command::FundBatch(FundBatchCommand::TakeResult(TakeFundResult { batch, city, number, rows }));
    let seen = executor.platform.submit(Request { command, meta: meta.clone() }).await?;
    seen.result?;
    Ok(seen.position)
}

/// Whether a person must look at the file, and not at the platform.
fn is_alarm(error: &FetchError) -> bool {
    match error {
        FetchError::Channel(error) => error.of_keys().is_none(),
        FetchError::Refused(refusal) => refusal.code == RefusalCode::FundResultRejected,
        FetchError::NoChannel(_)
        | FetchError::NotCalled(_)
        | FetchError::NotReady { .. }
        | FetchError::NoAnswer { .. }
        | FetchError::TooLong { .. }
        | FetchError::Status { .. }
        | FetchError::OtherFile { .. }
        | FetchError::Unavailable(_) => false,
    }
}

/// When a batch is asked about next, and after which pause then.
struct Due {
    at: Instant,
    pause: Duration,
}

/// Closes months at the city's cut-off and asks about every open batch until there is none, as long as the platform runs.
pub(crate) async fn run(executor: Executor) {
    let Ok(centre) = route(&executor).map(|route| route.channel.fund_centre().cloned()) else { return };
    let mut timer = centre.as_ref().and_then(CutOffTimer::of);
    let meta = Meta::unkeyed(Actor::Channel("executor".into()), Origin::Channel);
    let first = Duration::from_millis(executor.patience.first_ms.max(1));
    let mut due: BTreeMap<FundBatchId, Due> = BTreeMap::new();
    while executor.platform.is_running() {
        tokio::time::sleep(LOOK_EVERY).await;
        if !executor.platform.leads() {
            continue;
        }
        if let Some(timer) = &mut timer {
            timer.look(&executor).await;
        }
        let look = |state: &State| state.open_fund_batches().cloned().collect::<Vec<_>>();
        let Ok((open, _)) = executor.platform.read(look).await else { continue };
        due.retain(|id, _| open.iter().any(|batch| batch.id == *id));
        for batch in open {
            let now = Instant::now();
            let next = due.entry(batch.id).or_insert(Due { at: now, pause: first });
            if next.at > now {
                continue;
            }
            (next.at, next.pause) = (now + next.pause, (next.pause * 2).min(PAUSE_MAX));
            match carry(&executor, &meta, &batch).await {
                Ok(came) => tracing::info!(batch = %batch.id, number = batch.number, came = came.name(), "asked"),
                Err(error) => tracing::warn!(batch = %batch.id, number = batch.number, %error, "asked in vain"),
            }
        }
    }
}
