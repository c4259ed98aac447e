//! Account statements: opening, every entry with the running balance, closing; in JSON, or as CSV.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::account::Account;
use domain::calendar::Date;
use domain::ids::AccountId;
use domain::money::Currency;
use history::csv::{CsvFormat, statement_csv};
use history::{Cursor, Line, Statement, StatementQuery};
use http::{HeaderMap, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::answer::Answer;
use super::auth::Caller;
use super::error::ApiError;
use super::extract::{Id, Query};
use super::wire::{Amount, parse, time_text};
use crate::shell::Unavailable;

/// The lines of a JSON page unless the caller says how many.
const LIMIT: usize = 100;
/// The most lines of a JSON page.
const LIMIT_MAX: usize = 1_000;
/// The most lines of a CSV file.
const CSV_LIMIT: usize = 1_000_000;

/// Which part of an account's history.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct StatementWanted {
    /// The first accounting date.
    #[param(example = "2026-03-05")]
    from: String,
    /// The last accounting date.
    #[param(example = "2026-03-05")]
    to: String,
    /// 1 to 1,000; 100 unless said. A CSV file has all lines.
    limit: Option<usize>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// One entry of a statement.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LineView {
    /// Its number within the account, from 1.
    number: u64,
    #[schema(example = "2026-03-05")]
    date: String,
    posted_at: String,
    #[schema(example = "vch_1042")]
    voucher: String,
    /// The step of the business.
    #[schema(example = "payment_captured")]
    event: &'static str,
    /// The business number.
    #[schema(example = "ord_7")]
    business: String,
    /// `debit` or `credit`.
    side: &'static str,
    amount: Amount,
    /// Opening and every line up to this one.
    balance: Amount,
    #[schema(example = "acc_3")]
    counterpart: String,
}

/// A statement of one account.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StatementView {
    #[schema(example = "acc_42")]
    account: String,
    #[schema(example = "CNY")]
    currency: &'static str,
    from: String,
    to: String,
    /// The balance at the end of the day before `from`.
    opening: Amount,
    /// The balance at the end of `to`.
    closing: Amount,
    /// How many lines there are on all pages.
    count: u64,
    /// This page, by date and number.
    data: Vec<LineView>,
    next_cursor: Option<String>,
}

impl StatementView {
    fn of(statement: &Statement, currency: Currency) -> Self {
        let line = |Line { entry, balance }: &Line| LineView {
            number: entry.number,
            date: entry.date.to_string(),
            posted_at: time_text(entry.posted_at),
            voucher: entry.voucher.to_string(),
            event: entry.event.name(),
            business: entry.business.to_string(),
            side: entry.side.name(),
            amount: Amount(entry.amount),
            balance: Amount(*balance),
            counterpart: entry.counterpart.to_string(),
        };
        Self {
            account: statement.account.to_string(),
            currency: currency.code(),
            from: statement.from.to_string(),
            to: statement.to.to_string(),
            opening: Amount(statement.opening),
            closing: Amount(statement.closing),
            count: statement.count,
            data: statement.lines.iter().map(line).collect(),
            next_cursor: statement.next.map(|Cursor { date, number }| format!("{date}.{number}")),
        }
    }
}

fn cursor(text: &str) -> Result<Cursor, ApiError> {
    let read = || {
        let (date, number) = text.split_once('.')?;
        Some(Cursor { date: date.parse().ok()?, number: number.parse().ok()? })
    };
    let message = "this is no cursor; pass next_cursor of the page before, unchanged";
    read().ok_or_else(|| ApiError::new("cursor_malformed", Some("cursor"), message))
}

impl StatementWanted {
    fn query(&self, account: &Account, csv: bool) -> Result<StatementQuery, ApiError> {
        let (from, to): (Date, Date) = (parse(&self.from, "from")?, parse(&self.to, "to")?);
        if from > to {
            return Err(ApiError::malformed("from", format!("{from} comes after {to}; name the earlier date first")));
        }
        let limit = match self.limit {
            _ if csv => CSV_LIMIT,
            None => LIMIT,
            Some(limit @ 1..=LIMIT_MAX) => limit,
            Some(limit) => {
                let message = format!("{limit} lines are not a page; use 1 to {LIMIT_MAX}");
                return Err(ApiError::malformed("limit", message));
            }
        };
        let after = self.cursor.as_deref().map(cursor).transpose()?;
        Ok(StatementQuery { account: account.id, side: account.subject.side(), from, to, after, limit })
    }
}

/// Look at an account's statement (明细)
///
/// Shows everything durable when it was asked. With `Accept: text/csv` all lines as one CSV file.
#[utoipa::path(
    get, path = "/v1/accounts/{id}/statement", tag = "statement",
    params(("id" = String, Path, example = "acc_42"), StatementWanted),
    responses((status = OK, content((StatementView = "application/json"), (String = "text/csv"))))
)]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Id(id): Id<AccountId>,
    Query(wanted): Query<StatementWanted>,
) -> Result<Response, ApiError> {
    let Answer { view: account, position, .. } = app.look(move |state| state.account(id, "id").cloned()).await?;
    caller.owner_or_operator(account.owner)?;
    let csv = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let csv = csv.is_some_and(|accept| accept.contains("text/csv"));
    let query = wanted.query(&account, csv)?;
    if !app.books.projector.projected(position).await {
        return Err(Unavailable::Stopped.into());
    }
    let books = app.books.clone();
    let failed = |error: crate::shell::books::BooksError| ApiError::internal("reading the statement", &error);
    let statement = app.blocking(move || books.statement(&query).map_err(failed)).await?;
    let currency = account.currency;
    if csv {
        let text = statement_csv(&statement, CsvFormat { currency, for_excel: false });
        return Ok(([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], text).into_response());
    }
    Ok(Answer { view: StatementView::of(&statement, currency), position, repeated: false }.into_response())
}
