//! Attempts: what was asked of channels, and what still waits for a certain answer.

use axum::extract::State;
use channels::OperationKind;
use domain::attempt::{Attempt, AttemptStatus, Outcome, Purpose};
use domain::ids::AttemptId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::App;
use super::answer::Answered;
use super::auth::Caller;
use super::error::ApiError;
use super::extract::{Id, Query};
use super::wire::{Amount, date_text, time_text};

/// The attempts listed unless the caller says how many.
const LIMIT: usize = 50;
/// The most attempts listed.
const LIMIT_MAX: usize = 500;

/// How many to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct OutboxQuery {
    /// 1 to 500; 50 unless said.
    limit: Option<usize>,
}

/// The attempts whose answer is not certain.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OutboxView {
    /// How many there are: `requested` and `unknown` together.
    outbox: usize,
    /// To be sent, or being sent.
    requested: usize,
    /// Not sent while what leaves by their channel is stopped.
    waiting: usize,
    /// Maybe sent, and without an answer that settles it: being queried.
    unknown: usize,
    /// The first of them, oldest first.
    data: Vec<AttemptView>,
}

/// One try at a channel.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AttemptView {
    #[schema(example = "att_7")]
    id: String,
    /// The serial number that the channel knows it by.
    #[schema(example = "2026030500000000000000070000007")]
    serial: String,
    /// `epcc`, `unionpay`, `fund` or `pingan`.
    #[schema(example = "epcc")]
    rail: &'static str,
    /// The channel that is asked: called as its rail, or a further one of that.
    #[schema(example = "epcc")]
    channel: String,
    /// `debit`, `refund`, `pay`, `hold`, `capture`, `release` or `redirect`.
    #[schema(example = "debit")]
    operation: &'static str,
    amount: Amount,
    #[schema(example = "CNY")]
    currency: &'static str,
    /// Who is told the answer: a leg, a refund, a payout or a top-up.
    #[schema(example = "leg_7")]
    purpose: String,
    /// `requested`, `unknown`, `success`, `declined` or `not_found`.
    status: &'static str,
    /// Why it was declined.
    failure: Option<FailureView>,
    /// The channel's own reference of a success.
    reference: Option<String>,
    /// The network's clearing date of a success.
    #[schema(example = "2026-03-05")]
    clearing_date: Option<String>,
    /// The date of the clearing file that it was matched in.
    #[schema(example = "2026-03-05")]
    cleared: Option<String>,
    #[schema(example = "2026-03-05T01:00:00Z")]
    requested_at: String,
    /// After this it is not sent any more; the page of a redirect ends then.
    #[schema(example = "2026-03-05T01:00:30Z")]
    send_before: String,
    /// Nothing: only the channel's answer or its clearing file settles an attempt.
    allowed_actions: Vec<&'static str>,
}

/// Whose failure it was.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct FailureView {
    /// `user`, `risk`, `bank` or `system`.
    #[schema(example = "user")]
    class: &'static str,
    /// The channel's code.
    #[schema(example = "51")]
    code: String,
}

const fn status_name(status: &AttemptStatus) -> &'static str {
    match status {
        AttemptStatus::Requested => "requested",
        AttemptStatus::Waiting => "waiting",
        AttemptStatus::Unknown | AttemptStatus::Settled(Outcome::Unknown) => "unknown",
        AttemptStatus::Settled(Outcome::Success { .. }) => "success",
        AttemptStatus::Settled(Outcome::Declined { .. }) => "declined",
        AttemptStatus::Settled(Outcome::NotFound) => "not_found",
    }
}

fn purpose_text(purpose: Purpose) -> String {
    match purpose {
        Purpose::Leg(id) => id.to_string(),
        Purpose::Refund(id) => id.to_string(),
        Purpose::Payout(id) => id.to_string(),
        Purpose::TopUp(id) => id.to_string(),
        Purpose::Advance(id) => id.to_string(),
    }
}

impl AttemptView {
    fn of(attempt: &Attempt) -> Self {
        let (amount, currency) = attempt.operation.money();
        let (failure, success) = match &attempt.status {
            AttemptStatus::Settled(Outcome::Declined { class, code }) => {
                (Some(FailureView { class: class.name(), code: code.clone() }), None)
            }
            AttemptStatus::Settled(Outcome::Success { reference, clearing_date, .. }) => {
                (None, Some((reference.clone(), date_text(*clearing_date))))
            }
            AttemptStatus::Settled(Outcome::NotFound | Outcome::Unknown)
            | AttemptStatus::Requested
            | AttemptStatus::Waiting
            | AttemptStatus::Unknown => (None, None),
        };
        let (reference, clearing_date) = success.unzip();
        Self {
            id: attempt.id.to_string(),
            serial: attempt.serial(),
            rail: attempt.rail.name(),
            channel: attempt.channel_name().to_string(),
            operation: OperationKind::of(&attempt.operation).name(),
            amount: Amount(amount),
            currency: currency.code(),
            purpose: purpose_text(attempt.purpose),
            status: status_name(&attempt.status),
            failure,
            reference,
            clearing_date,
            cleared: attempt.cleared.map(date_text),
            requested_at: time_text(attempt.requested_at),
            send_before: time_text(attempt.send_before),
            allowed_actions: Vec::new(),
        }
    }
}

impl OutboxView {
    fn of(state: &domain::State, limit: usize) -> Self {
        let mut view = Self { outbox: state.outbox.len(), requested: 0, waiting: 0, unknown: 0, data: Vec::new() };
        for attempt in state.in_outbox() {
            match attempt.status {
                AttemptStatus::Requested => view.requested += 1,
                AttemptStatus::Waiting => view.waiting += 1,
                AttemptStatus::Unknown => view.unknown += 1,
                // What is settled has left the outbox.
                AttemptStatus::Settled(_) => {}
            }
            if view.data.len() < limit {
                view.data.push(AttemptView::of(attempt));
            }
        }
        view
    }
}

/// Look at an attempt
#[utoipa::path(
    get, path = "/v1/attempts/{id}", tag = "attempt", params(("id" = String, Path, example = "att_7")),
    responses((status = OK, body = AttemptView))
)]
pub(crate) async fn get(State(app): State<App>, caller: Caller, Id(id): Id<AttemptId>) -> Answered<AttemptView> {
    caller.operator()?;
    app.look(move |state| state.attempt(id).map(AttemptView::of)).await
}

/// Attempts without a certain answer
#[utoipa::path(
    get, path = "/v1/attempts", tag = "attempt", params(OutboxQuery), responses((status = OK, body = OutboxView))
)]
pub(crate) async fn outbox(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<OutboxQuery>,
) -> Answered<OutboxView> {
    caller.operator()?;
    let limit = query.limit.unwrap_or(LIMIT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(ApiError::malformed("limit", format!("{limit} rows are not a page; use 1 to {LIMIT_MAX}")));
    }
    app.look(move |state| Ok(OutboxView::of(state, limit))).await
}

#[cfg(test)]
mod tests {
    use domain::attempt::{FailureClass, Operation, Rail};
    use domain::calendar::Date;
    use domain::envelope::Time;
    use domain::ids::LegId;
    use domain::money::Currency;

    use super::*;

    fn attempt(number: u64, status: AttemptStatus) -> Attempt {
        Attempt {
            id: AttemptId(number),
            rail: Rail::Epcc,
            operation: Operation::Debit { agreement: "agreement".into(), amount: 5_000, currency: Currency::Cny },
            purpose: Purpose::Leg(LegId(3)),
            epoch: 1,
            requested_at: Time(1_772_676_000_000),
            send_before: Time(1_772_676_030_000),
            status,
            cleared: None,
            page_site: None,
            channel: None,
        }
    }

    #[test]
    fn an_attempt_tells_its_answer() {
        let declined = Outcome::Declined { class: FailureClass::User, code: "51".into() };
        let view = AttemptView::of(&attempt(7, AttemptStatus::Settled(declined)));
        assert_eq!((view.status, view.failure), ("declined", Some(FailureView { class: "user", code: "51".into() })));
        assert_eq!((view.serial.as_str(), view.purpose.as_str()), ("2026030500000000000000070000007", "leg_3"));
        assert_eq!((view.operation, view.reference, view.clearing_date), ("debit", None, None));
        let further = Attempt { channel: Some("b".into()), ..attempt(7, AttemptStatus::Unknown) };
        assert_eq!((view.channel.as_str(), AttemptView::of(&further).channel.as_str()), ("epcc", "epcc_b"));

        let clearing_date = Date::in_shanghai(Time(1_772_676_000_000));
        let success = Outcome::Success { reference: "r".into(), clearing_date, part: None };
        let view = AttemptView::of(&attempt(7, AttemptStatus::Settled(success)));
        let found = (view.status, view.reference.as_deref(), view.clearing_date.as_deref());
        assert_eq!(found, ("success", Some("r"), Some("2026-03-05")));
        assert_eq!(AttemptView::of(&attempt(7, AttemptStatus::Settled(Outcome::NotFound))).status, "not_found");
    }

    #[test]
    fn the_outbox_is_counted_whole_and_listed_from_the_oldest() {
        let mut state = domain::State::default();
        for number in 1..=5 {
            let status = if number % 2 == 0 { AttemptStatus::Unknown } else { AttemptStatus::Requested };
            state.attempts.put(number, attempt(number, status));
            state.outbox.insert(AttemptId(number), ());
        }
        let view = OutboxView::of(&state, 2);
        assert_eq!((view.outbox, view.requested, view.unknown), (5, 3, 2));
        let listed: Vec<_> = view.data.iter().map(|attempt| attempt.id.as_str()).collect();
        assert_eq!(listed, ["att_1", "att_2"]);
    }
}
