//! The outflow breaker (资金流出熔断): what leaves by a channel, and stopping it at once. Its bound, and letting money leave again,
//! take two people, by approvals of kind `outflow_bound` and `resume_outflow`.

use axum::extract::State;
use domain::attempt::{Attempt, Rail};
use domain::envelope::Time;
use domain::ids::OutflowId;
use domain::money::Currency;
use domain::operator::Role;
use domain::outflow::{self, Outflow, OutflowCommand, ResumeOutflow, SetOutflowBound, Waiting};
use domain::{Command, Reply};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::answer::{Answer, Answered};
use super::approval::Wire;
use super::auth::Caller;
use super::channel::rail;
use super::error::ApiError;
use super::extract::{Id, Json};
use super::notification::RailName;
use super::wire::{Amount, time_text, word};

/// What an hour's outflow may come to.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OutflowBoundBody {
    /// The channel, by the rail that it carries.
    #[schema(example = "epcc")]
    channel: String,
    #[schema(example = "CNY")]
    currency: String,
    /// Minor units that an hour may always reach, zero or above.
    floor: Amount,
    /// Percent of the busiest hour of the last seven days that an hour may reach, 100 to 10,000.
    #[schema(example = 300)]
    percent: u32,
}

impl Wire for OutflowBoundBody {
    type Of = SetOutflowBound;

    fn read(self) -> Result<SetOutflowBound, ApiError> {
        let rail = word(&self.channel, "channel", &Rail::ALL, Rail::name)?;
        let currency = Currency::parse(&self.currency)?;
        Ok(SetOutflowBound { rail, currency, floor: self.floor.0, percent: self.percent })
    }

    fn show(of: &SetOutflowBound) -> Self {
        let SetOutflowBound { rail, currency, floor, percent } = *of;
        let (channel, currency) = (rail.name().to_owned(), currency.code().to_owned());
        Self { channel, currency, floor: Amount(floor), percent }
    }
}

/// Let money leave again.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResumptionBody {
    /// The channel, by the rail that it carries.
    #[schema(example = "epcc")]
    channel: String,
    #[schema(example = "CNY")]
    currency: String,
    /// What becomes of what waits: `send` it, or `refuse` it so that its money goes back.
    #[schema(example = "send")]
    waiting: String,
}

impl Wire for ResumptionBody {
    type Of = ResumeOutflow;

    fn read(self) -> Result<ResumeOutflow, ApiError> {
        let rail = word(&self.channel, "channel", &Rail::ALL, Rail::name)?;
        let waiting = word(&self.waiting, "waiting", &[Waiting::Send, Waiting::Refuse], Waiting::name)?;
        Ok(ResumeOutflow { rail, currency: Currency::parse(&self.currency)?, waiting })
    }

    fn show(of: &ResumeOutflow) -> Self {
        let ResumeOutflow { rail, currency, waiting } = *of;
        let (channel, currency) = (rail.name().to_owned(), currency.code().to_owned());
        Self { channel, currency, waiting: waiting.name().to_owned() }
    }
}

/// What leaves by a channel in a currency.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OutflowView {
    #[schema(example = "epcc")]
    channel: &'static str,
    #[schema(example = "CNY")]
    currency: &'static str,
    /// `running`, or `stopped` while nothing leaves.
    #[schema(example = "running")]
    status: &'static str,
    /// Minor units of the last hour that count against the bound.
    last_hour: Amount,
    /// What an hour may come to now; null if no bound was set: then nothing stops by itself.
    bound: Option<Amount>,
    /// What left in the busiest hour of the last seven days: the baseline.
    busiest_hour: Amount,
    /// Minor units that an hour may always reach.
    floor: Option<Amount>,
    /// Percent of the busiest hour that an hour may reach.
    #[schema(example = 300)]
    percent: Option<u32>,
    /// Payouts, refunds and advances that wait.
    #[schema(example = 0)]
    waiting: usize,
    /// Minor units of them.
    waiting_amount: Amount,
    /// Why nothing leaves.
    stop: Option<StopView>,
    /// What may be done.
    allowed_actions: Vec<&'static str>,
}

/// Why nothing leaves by a channel.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StopView {
    #[schema(example = "2026-03-05T01:00:00Z")]
    at: String,
    /// Minor units that the hour would have come to.
    hour: Amount,
    /// What it might come to; null if a person stopped it.
    bound: Option<Amount>,
    /// The attempt that would have passed the bound.
    #[schema(example = "att_42")]
    attempt: Option<String>,
    /// Who stopped it, if a person did.
    operator: Option<String>,
    /// Why, if a person did.
    reason: Option<String>,
}

/// What leaves by a channel, by currency.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OutflowsView {
    /// A row a currency; none before its first bound or stop: it is measured from then on.
    data: Vec<OutflowView>,
}

impl OutflowView {
    fn of(state: &domain::State, row: &Outflow, now: Time) -> Self {
        let amount = |attempt: &Attempt| outflow::leaving(&attempt.operation).map_or(0, |(amount, _)| amount);
        let (waiting, sum) = state
            .waiting(row.rail, row.currency)
            .fold((0, 0_i64), |(count, sum), attempt| (count + 1, sum.saturating_add(amount(attempt))));
        let stop = row.stopped.as_ref().map(|stop| StopView {
            at: time_text(stop.at),
            hour: Amount(stop.hour),
            bound: stop.bound.map(Amount),
            attempt: stop.attempt.map(|attempt| attempt.to_string()),
            operator: stop.by.clone(),
            reason: stop.reason.clone(),
        });
        let (status, action) = if stop.is_some() { ("stopped", "resume") } else { ("running", "stop") };
        Self {
            channel: row.rail.name(),
            currency: row.currency.code(),
            status,
            last_hour: Amount(row.last_hour(now)),
            bound: row.bound_at(now).map(Amount),
            busiest_hour: Amount(row.busiest_hour(now)),
            floor: row.bound.as_ref().map(|bound| Amount(bound.floor)),
            percent: row.bound.as_ref().map(|bound| bound.percent),
            waiting,
            waiting_amount: Amount(sum),
            stop,
            allowed_actions: vec!["bound", action],
        }
    }
}

/// Stop what leaves.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StopBody {
    #[schema(example = "CNY")]
    currency: String,
    /// Why, 1 to 256 bytes.
    #[schema(example = "payouts to one bank doubled")]
    reason: String,
}

/// Show what leaves by a channel
///
/// Payouts, refunds and advances: what the last hour came to, what it may come to, and whether it is stopped.
#[utoipa::path(
    get, path = "/v1/channels/{rail}/outflows", tag = "channel",
    params(("rail" = String, Path, example = "epcc")), responses((status = OK, body = OutflowsView))
)]
pub(crate) async fn outflows(State(app): State<App>, caller: Caller, Id(name): Id<RailName>) -> Answered<OutflowsView> {
    caller.operator()?;
    let (rail, now) = (rail(&name)?, app.clock.now());
    let look = move |state: &domain::State| {
        let rows = state.outflows.iter().map(|(_, row)| row).filter(|row| row.rail == rail);
        OutflowsView { data: rows.map(|row| OutflowView::of(state, row, now)).collect() }
    };
    let (view, position) = app.platform.read(look).await?;
    Ok(Answer { view, position, repeated: false })
}

/// Stop what leaves by a channel, at once
///
/// Payouts, refunds and advances wait from now on; nothing of them is sent. What was asked for before and is not written to the
/// channel yet fails for certain, with the code `not_sent:outflow_stopped`, and its money is back where it was. One person with the
/// role `risk`, `treasurer` or `administrator` is enough. Letting it leave again takes two, by an approval of kind `resume_outflow`.
#[utoipa::path(
    post, path = "/v1/channels/{rail}/outflows/stop", tag = "channel",
    params(("rail" = String, Path, example = "epcc")), responses((status = OK, body = OutflowView))
)]
pub(crate) async fn stop_outflow(
    State(app): State<App>,
    caller: Caller,
    Id(name): Id<RailName>,
    Json(body): Json<StopBody>,
) -> Answered<OutflowView> {
    caller.operator_with(&[Role::Risk, Role::Treasurer, Role::Administrator])?;
    let (rail, currency) = (rail(&name)?, Currency::parse(&body.currency)?);
    let command = OutflowCommand::Stop { rail, currency, reason: body.reason };
    let now = app.clock.now();
    let view = move |state: &domain::State, reply: &Reply| {
        let Reply::Outflow(OutflowId(id)) = reply else { return None };
        state.outflows.get(*id).map(|row| OutflowView::of(state, row, now))
    };
    app.change(caller.meta()?, Command::Outflow(command), view).await
}
