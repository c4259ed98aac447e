//! The statement of the reserve account (备付金账户) at the central bank: taking its lines and closing balances.

use axum::extract::State;
use domain::attempt::Rail;
use domain::ids::{ReserveBalanceId, ReserveLineId};
use domain::money::Currency;
use domain::operator::Role;
use domain::reserve_line::{
    self, AwaitedLine, LineDirection, LineTarget, ReserveBalance, ReserveLine, ReserveLineCommand, Session,
    TakeReserveBalance, TakeReserveLine,
};
use domain::{Command, Reply};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::answer::Answered;
use super::auth::Caller;
use super::error::ApiError;
use super::extract::{Id, Json, Query};
use super::list::{ListAnswer, PageView, list_query};
use super::wire::{Amount, date_text, parse, parse_some, time_text, word};

/// The net of a clearing session.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SessionBody {
    /// Whose file: `epcc`, `unionpay`, `fund` or `pingan`.
    #[schema(example = "epcc")]
    rail: String,
    /// The network's clearing date.
    #[schema(example = "2026-03-05")]
    date: String,
}

impl SessionBody {
    pub(crate) fn read(&self) -> Result<Session, ApiError> {
        let rail =
            word(&self.rail, "clearing.rail", &[Rail::Epcc, Rail::UnionPay, Rail::Fund, Rail::PingAn], Rail::name)?;
        Ok(Session { rail, date: parse(&self.date, "clearing.date")? })
    }

    pub(crate) fn of(session: Session) -> Self {
        Self { rail: session.rail.name().to_owned(), date: date_text(session.date) }
    }
}

/// A line of the statement.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewReserveLine {
    /// The central bank's reference, 1 to 64 bytes; the same line again gets the same answer.
    #[schema(example = "20260306-000017")]
    reference: String,
    /// The day it stands under; not one to come.
    #[schema(example = "2026-03-06")]
    date: String,
    /// `in` or `out`.
    #[schema(example = "in")]
    direction: String,
    /// Minor units above zero.
    amount: Amount,
    #[schema(example = "CNY")]
    currency: String,
    /// The transfer it is for, where the line says so.
    #[schema(example = "otr_3")]
    transfer: Option<String>,
    /// The clearing session it is for, where the line says so.
    clearing: Option<SessionBody>,
    /// It is for none of what awaits lines: it goes to suspense. Only of money that came.
    #[serde(default)]
    suspense: bool,
}

/// A line as it was taken.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReserveLineView {
    #[schema(example = "rln_3")]
    id: String,
    reference: String,
    date: String,
    direction: &'static str,
    amount: Amount,
    #[schema(example = "CNY")]
    currency: &'static str,
    /// The transfer that it booked.
    transfer: Option<String>,
    /// The clearing session that it is the net of.
    clearing: Option<SessionBody>,
    /// Nothing awaited it: it lies in suspense.
    suspended: bool,
    /// Its voucher; none of a clearing session whose files an earlier version took and booked.
    voucher: Option<String>,
    taken_at: String,
    /// Who took it.
    taken_by: String,
    /// Nothing: a line stays as it was taken.
    allowed_actions: Vec<&'static str>,
}

/// The transfer or the session that a line is for.
fn target(target: LineTarget) -> (Option<String>, Option<SessionBody>) {
    match target {
        LineTarget::Transfer(id) => (Some(id.to_string()), None),
        LineTarget::Clearing { rail, date } => (None, Some(SessionBody::of(Session { rail, date }))),
    }
}

impl ReserveLineView {
    fn of(line: &ReserveLine) -> Self {
        let (transfer, clearing) = line.target.map_or((None, None), target);
        Self {
            id: line.id.to_string(),
            reference: line.reference.clone(),
            date: date_text(line.date),
            direction: line.direction.name(),
            amount: Amount(line.amount),
            currency: line.currency.code(),
            transfer,
            clearing,
            suspended: line.target.is_none(),
            voucher: line.voucher.map(|id| id.to_string()),
            taken_at: time_text(line.taken_at),
            taken_by: line.operator.clone(),
            allowed_actions: Vec::new(),
        }
    }
}

fn direction(text: &str) -> Result<LineDirection, ApiError> {
    word(text, "direction", &LineDirection::ALL, LineDirection::name)
}

/// Take a line of the reserve account's statement
///
/// What awaits the line books it: a transfer, or a clearing session, whose net it brings to 1101 from the rail's
/// clearing account or back. Money in that nothing awaits goes to suspense; money out that nothing awaits is refused,
/// and so is what 1101 does not hold (`insufficient_funds`): take lines in before lines out, and such a one again under
/// a new key. A line that is what a clearing session awaits with open differences of its file is refused
/// (`reserve_line_session`) until they are settled, or until it is said to be
/// `suspense`.
#[utoipa::path(
    post, path = "/v1/reserve-lines", tag = "reserve_line", responses((status = OK, body = ReserveLineView))
)]
pub(crate) async fn take(
    State(app): State<App>,
    caller: Caller,
    Json(new): Json<NewReserveLine>,
) -> Answered<ReserveLineView> {
    caller.operator_with(&[Role::Accountant, Role::Treasurer])?;
    let target = match (&new.transfer, &new.clearing) {
        (None, None) => None,
        (Some(transfer), None) => Some(LineTarget::Transfer(parse(transfer, "transfer")?)),
        (None, Some(session)) => {
            let Session { rail, date } = session.read()?;
            Some(LineTarget::Clearing { rail, date })
        }
        (Some(_), Some(_)) => {
            let message = "a line is for a transfer or for a clearing session, not for both";
            return Err(ApiError::malformed("clearing", message));
        }
    };
    let command = ReserveLineCommand::TakeLine(TakeReserveLine {
        reference: new.reference,
        date: parse(&new.date, "date")?,
        direction: direction(&new.direction)?,
        amount: new.amount.0,
        currency: Currency::parse(&new.currency)?,
        target,
        suspense: new.suspense,
    });
    let view = |state: &domain::State, reply: &Reply| {
        let Reply::ReserveLine(id) = reply else { return None };
        state.reserve_lines.get(id.0).map(ReserveLineView::of)
    };
    app.change(caller.meta()?, Command::ReserveLine(command), view).await
}

/// Look at a line of the reserve account's statement
#[utoipa::path(
    get, path = "/v1/reserve-lines/{id}", tag = "reserve_line", params(("id" = String, Path, example = "rln_3")),
    responses((status = OK, body = ReserveLineView))
)]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<ReserveLineId>,
) -> Answered<ReserveLineView> {
    caller.operator()?;
    app.look(move |state| state.reserve_line(id).map(ReserveLineView::of)).await
}

list_query! {
    /// Which lines.
    pub(crate) struct ReserveLineQuery {
        /// Of exactly this reference.
        reference,
        /// Of this day.
        date,
        /// `in` or `out`.
        direction,
        /// `true` or `false`: whether nothing awaited them.
        suspended,
    }
}

/// List lines of the reserve account's statement
#[utoipa::path(
    get, path = "/v1/reserve-lines", tag = "reserve_line", params(ReserveLineQuery),
    responses((status = OK, body = PageView<ReserveLineView>))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ReserveLineQuery>,
) -> ListAnswer<ReserveLineView> {
    caller.operator()?;
    let page = query.page();
    let yes = |text: &str| word(text, "suspended", &[true, false], |yes| if yes { "true" } else { "false" });
    let filter = store::reserve_line::ReserveLineFilter {
        date: parse_some(query.date.as_deref(), "date")?,
        direction: query.direction.as_deref().map(direction).transpose()?,
        suspended: query.suspended.as_deref().map(yes).transpose()?,
        reference: query.reference,
    };
    app.list(filter, page, |_, line| ReserveLineView::of(line)).await
}

/// What awaits lines of the statement.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AwaitedLinesView {
    /// The oldest first.
    data: Vec<AwaitedLineView>,
}

/// A line that has not come.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AwaitedLineView {
    /// The transfer that awaits it.
    #[schema(example = "otr_3")]
    transfer: Option<String>,
    /// The clearing session that awaits it.
    clearing: Option<SessionBody>,
    /// `in` or `out`.
    #[schema(example = "in")]
    direction: &'static str,
    /// Minor units above zero.
    amount: Amount,
    #[schema(example = "CNY")]
    currency: &'static str,
    /// When the transfer was instructed, or the first of the session's files taken whose net has not come.
    #[schema(example = "2026-03-06T02:00:00Z")]
    since: String,
    /// The first eight open differences of the session's files: their settlement may change what it awaits.
    differences: Vec<String>,
}

impl AwaitedLineView {
    fn of(line: &AwaitedLine) -> Self {
        let (transfer, clearing) = target(line.target);
        Self {
            transfer,
            clearing,
            direction: line.direction.name(),
            amount: Amount(line.amount),
            currency: line.currency.code(),
            since: time_text(line.since),
            differences: line.differences.iter().map(ToString::to_string).collect(),
        }
    }
}

/// See what awaits a line of the reserve account's statement
///
/// Clearing sessions whose net has not come, and open transfers of own money. What is older than a network or bank
/// takes to pay has a line that was not taken, or one that lies in suspense.
#[utoipa::path(
    get, path = "/v1/reserve-lines/awaited", tag = "reserve_line", responses((status = OK, body = AwaitedLinesView))
)]
pub(crate) async fn awaited(State(app): State<App>, caller: Caller) -> Answered<AwaitedLinesView> {
    caller.operator()?;
    app.look(|state| {
        let data = reserve_line::awaited(state).iter().map(AwaitedLineView::of).collect();
        Ok(AwaitedLinesView { data })
    })
    .await
}

/// A closing balance.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewReserveBalance {
    /// An accounting day that is not closed.
    #[schema(example = "2026-03-05")]
    date: String,
    /// Minor units, zero or above.
    balance: Amount,
    #[schema(example = "CNY")]
    currency: String,
}

/// The closing balance of the reserve account on a day.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReserveBalanceView {
    #[schema(example = "rbl_3")]
    id: String,
    date: String,
    balance: Amount,
    #[schema(example = "CNY")]
    currency: &'static str,
    taken_at: String,
    /// Who took it last.
    taken_by: String,
    /// Nothing: a later one replaces it until its day is closed.
    allowed_actions: Vec<&'static str>,
}

impl ReserveBalanceView {
    fn of(balance: &ReserveBalance) -> Self {
        Self {
            id: balance.id.to_string(),
            date: date_text(balance.date),
            balance: Amount(balance.balance),
            currency: balance.currency.code(),
            taken_at: time_text(balance.taken_at),
            taken_by: balance.operator.clone(),
            allowed_actions: Vec::new(),
        }
    }
}

/// Take a day's closing balance of the reserve account
///
/// The day's check compares 1101 with it.
#[utoipa::path(
    post, path = "/v1/reserve-balances", tag = "reserve_line", responses((status = OK, body = ReserveBalanceView))
)]
pub(crate) async fn take_balance(
    State(app): State<App>,
    caller: Caller,
    Json(new): Json<NewReserveBalance>,
) -> Answered<ReserveBalanceView> {
    caller.operator_with(&[Role::Accountant, Role::Treasurer])?;
    let NewReserveBalance { date, balance, currency } = new;
    let (date, currency) = (parse(&date, "date")?, Currency::parse(&currency)?);
    let command = ReserveLineCommand::TakeBalance(TakeReserveBalance { date, balance: balance.0, currency });
    let view = |state: &domain::State, reply: &Reply| {
        let Reply::ReserveBalance(ReserveBalanceId(id)) = *reply else { return None };
        state.reserve_balances.get(id).map(ReserveBalanceView::of)
    };
    app.change(caller.meta()?, Command::ReserveLine(command), view).await
}

list_query! {
    /// Which closing balances.
    pub(crate) struct ReserveBalanceQuery {
        /// Of this day.
        date,
    }
}

/// List closing balances of the reserve account
#[utoipa::path(
    get, path = "/v1/reserve-balances", tag = "reserve_line", params(ReserveBalanceQuery),
    responses((status = OK, body = PageView<ReserveBalanceView>))
)]
pub(crate) async fn balances(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ReserveBalanceQuery>,
) -> ListAnswer<ReserveBalanceView> {
    caller.operator()?;
    let filter = store::reserve_line::ReserveBalanceFilter { date: parse_some(query.date.as_deref(), "date")? };
    app.list(filter, query.page(), |_, balance| ReserveBalanceView::of(balance)).await
}
