//! Every account's balances at the end of a day. Of a closed day they come from its end-of-day file and never change, of
//! another one from the engine.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::book::Subject;
use domain::calendar::Date;
use domain::ids::AccountId;
use history::DayBalance;
use history::csv::decimal;
use http::{HeaderMap, header};
use serde::{Deserialize, Serialize};
use store::SegmentKind;
use utoipa::ToSchema;

use super::App;
use super::account::subject;
use super::answer::Answer;
use super::auth::Caller;
use super::business_day::{day, status_name};
use super::error::ApiError;
use super::extract::{Id, Query};
use super::wire::{Amount, date_text, parse_some};

/// The accounts of a JSON page unless the caller says how many.
const LIMIT: usize = 1_000;
/// The most accounts of a JSON page.
const LIMIT_MAX: usize = 10_000;

/// Which accounts.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct BalancesWanted {
    /// Only those of this subject.
    #[param(example = 2201)]
    subject: Option<u16>,
    /// 1 to 10,000; 1,000 unless said. A CSV file has all.
    limit: Option<usize>,
    /// `next_cursor` of the page before: the last account on it.
    #[param(example = "acc_42")]
    cursor: Option<String>,
}

/// Balances at the end of a day.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DayBalancesView {
    #[schema(example = "2026-03-05")]
    date: String,
    /// Where the day stands: `open`, `cutting` or `closed`. The figures of an open day still move.
    status: &'static str,
    /// By account.
    data: Vec<DayBalanceView>,
    next_cursor: Option<String>,
}

/// An account at the end of a day. Amounts count on the side on which its subject grows.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DayBalanceView {
    #[schema(example = "acc_42")]
    account: String,
    #[schema(example = 2201)]
    subject: u16,
    #[schema(example = "CNY")]
    currency: &'static str,
    /// All entries dated this day or before.
    balance: Amount,
    /// The day's debits.
    debit: Amount,
    /// The day's credits.
    credit: Amount,
}

impl DayBalanceView {
    fn of(balance: &DayBalance) -> Self {
        Self {
            account: balance.account.to_string(),
            subject: balance.subject.code(),
            currency: balance.currency.code(),
            balance: Amount(balance.posted),
            debit: Amount(balance.debit),
            credit: Amount(balance.credit),
        }
    }
}

/// The accounts wanted.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    subject: Option<Subject>,
    after: AccountId,
    limit: usize,
}

impl BalancesWanted {
    fn wanted(&self, csv: bool) -> Result<Wanted, ApiError> {
        let limit = match self.limit {
            _ if csv => usize::MAX,
            None => LIMIT,
            Some(limit @ 1..=LIMIT_MAX) => limit,
            Some(limit) => {
                let message = format!("{limit} accounts are not a page; use 1 to {LIMIT_MAX}");
                return Err(ApiError::malformed("limit", message));
            }
        };
        let cursor = parse_some(self.cursor.as_deref(), "cursor").map_err(|_| {
            let message = "this is no cursor; pass next_cursor of the page before, unchanged";
            ApiError::new("cursor_malformed", Some("cursor"), message)
        })?;
        let subject = self.subject.map(subject).transpose()?;
        Ok(Wanted { subject, after: cursor.unwrap_or(AccountId(0)), limit })
    }
}

impl Wanted {
    fn takes(&self, account: AccountId, subject: Subject) -> bool {
        account > self.after && self.subject.is_none_or(|wanted| wanted == subject)
    }

    /// One more than the page has, if there are more.
    fn with_next(&self) -> usize {
        self.limit.saturating_add(1)
    }
}

/// List the balances at the end of a day
///
/// Of every account, by account; with `Accept: text/csv` all of them as one CSV file, amounts as decimals.
#[utoipa::path(
    get, path = "/v1/days/{date}/balances", tag = "day_balances",
    params(("date" = String, Path, example = "2026-03-05"), BalancesWanted),
    responses((status = OK, content((DayBalancesView = "application/json"), (String = "text/csv"))))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Id(date): Id<Date>,
    Query(wanted): Query<BalancesWanted>,
) -> Result<Response, ApiError> {
    caller.operator()?;
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let csv = accept.is_some_and(|accept| accept.contains("text/csv"));
    let wanted = wanted.wanted(csv)?;
    let look = move |state: &domain::State| Ok((day(state, date)?.status, of_open(state, date, wanted)));
    let Answer { view: (status, balances), position, repeated } = app.look(look).await?;
    let mut balances = match balances {
        Some(balances) => balances,
        None => of_closed(&app, date, wanted).await?,
    };
    let more = balances.len() > wanted.limit;
    balances.truncate(wanted.limit);
    if csv {
        return Ok(([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], as_csv(date, &balances)).into_response());
    }
    let next_cursor = balances.last().filter(|_| more).map(|last| last.account.to_string());
    let data = balances.iter().map(DayBalanceView::of).collect();
    let view = DayBalancesView { date: date_text(date), status: status_name(status), data, next_cursor };
    Ok(Answer { view, position, repeated }.into_response())
}

/// The balances of a day that is not closed; `None` of a closed one.
fn of_open(state: &domain::State, date: Date, wanted: Wanted) -> Option<Vec<DayBalance>> {
    state.days.open_days().find(|open| *open == date)?;
    let accounts = state.accounts.iter().map(|(_, account)| account);
    let taken = accounts.filter(|account| wanted.takes(account.id, account.subject)).take(wanted.with_next());
    taken
        .map(|account| {
            let turnover = state.days.turnover(account.id, date)?;
            Some(DayBalance {
                account: account.id,
                subject: account.subject,
                currency: account.currency,
                posted: state.days.closing(account, date)?,
                held_out: account.held_out,
                held_in: account.rare.held_in,
                frozen: account.rare.frozen,
                debit: turnover.debit,
                credit: turnover.credit,
                entries: account.entries,
            })
        })
        .collect()
}

async fn of_closed(app: &App, date: Date, wanted: Wanted) -> Result<Vec<DayBalance>, ApiError> {
    let books = app.books.clone();
    app.blocking(move || {
        let rows = store::run::segments(&books.store, Some(SegmentKind::EndOfDay), Some(date), Some(date), None)
            .map_err(|error| ApiError::internal("finding the end-of-day file", &error))?;
        let end = node::close::end_of_day(&rows, date).ok_or_else(|| {
            let message = format!("{date} is closed and no end-of-day file of it is committed");
            ApiError::new("internal", Some("date"), message)
        })?;
        let failed = |error: history::HistoryError| ApiError::internal("reading the end-of-day file", &error);
        let all = books.history.day_balances(end).map_err(failed)?;
        let taken = all
            .filter(|balance| balance.as_ref().map_or(true, |balance| wanted.takes(balance.account, balance.subject)));
        taken.take(wanted.with_next()).collect::<Result<_, _>>().map_err(failed)
    })
    .await
}

fn as_csv(date: Date, balances: &[DayBalance]) -> String {
    let mut text = String::from("date,account,subject,currency,balance,debit,credit\r\n");
    for balance in balances {
        let of = |amount| decimal(amount, balance.currency);
        text.push_str(&format!(
            "{date},{},{},{},{},{},{}\r\n",
            balance.account,
            balance.subject.code(),
            balance.currency.code(),
            of(balance.posted),
            of(balance.debit),
            of(balance.credit)
        ));
    }
    text
}
