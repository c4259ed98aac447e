//! The bank over HTTP.
//!
//! | path | |
//! |---|---|
//! | `POST /bank/v1/debit`, `refund`, `pay`; `/fund/v1/hold`, `capture`, `release`, `refund` | an operation |
//! | `POST /bank/v1/query`, `/fund/v1/query` | what became of a serial number |
//! | `GET /bank/v1/clearing?date=&rail=&part=`, `/fund/v1/clearing…` | one part of a clearing file |
//! | `POST /fund/v1/batch`, `GET /fund/v1/batch-result?number=` | a month's batch and its result: [`super::batch`] |
//! | `POST /fund/v1/quota` | what a lease may draw: [`super::quota`] |
//! | `GET /bank/v1/returns?date=&rail=` | the payments that came back on a date |
//! | `POST /gateway/…` | UnionPay online: [`super::unionpay::http`] |
//! | `POST /` | EPCC: [`super::epcc::http`] |
//! | `POST /jzb` | Ping An's 见证宝: [`super::pingan_jzb::http`] |
//! | `GET /sandbox/stats`; `POST /sandbox/clock {date}`; `POST /sandbox/return {serial}` or `{}`; `POST /sandbox/site {site, up}` | the sandbox itself, unsigned |

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::body::{self, MALFORMED, NOT_READY, Problem, Return, Returns, UNSIGNED};
use super::clearing::{self, LINES_MAX, Which};
use super::connection::Cutter;
use super::days::NoFile;
use super::names::{House, Rail, Serial, Verb};
use super::stats::{Report, count};
use super::work::Reaction;
use super::{Bank, order, sign};

const BODY_LENGTH_MAX: usize = 16 * 1024;

pub(crate) fn router(bank: Arc<Bank>) -> Router {
    Router::new()
        .route("/{house}/v1/query", post(query))
        .route("/{house}/v1/clearing", get(clearing))
        .route("/{house}/v1/returns", get(returns))
        .route("/{house}/v1/{verb}", post(operation))
        .route("/sandbox/stats", get(stats))
        .route("/sandbox/clock", post(clock))
        .route("/sandbox/return", post(return_payments))
        .route("/sandbox/site", post(set_site))
        .merge(super::batch::routes())
        .merge(super::unionpay::http::routes())
        .merge(super::epcc::http::routes())
        .merge(super::pingan_jzb::http::routes())
        .layer(DefaultBodyLimit::max(BODY_LENGTH_MAX))
        .with_state(bank)
}

/// A request that is not carried out, with the response that says so.
pub(crate) struct Refused(Box<Response>);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        *self.0
    }
}

impl From<Response> for Refused {
    fn from(response: Response) -> Self {
        Self(Box::new(response))
    }
}

/// A request of the platform whose signature was checked.
pub(crate) struct Signed<'r> {
    bank: &'r Bank,
    pub(crate) house: House,
    nonce: &'r str,
}

impl<'r> Signed<'r> {
    pub(crate) fn check(
        bank: &'r Bank,
        house: &str,
        request: (&Method, &Uri, &'r HeaderMap),
        body: &[u8],
    ) -> Result<Self, Refused> {
        let (method, uri, headers) = request;
        let house = House::parse(house).ok_or_else(not_found)?;
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        let nonce = sign::check(&bank.key, method.as_str(), target, headers, body).map_err(|sign::Unsigned| {
            count(&bank.stats.unsigned);
            let problem = Problem { code: UNSIGNED, message: body::meaning(UNSIGNED) };
            Refused::from((StatusCode::UNAUTHORIZED, Json(problem)).into_response())
        })?;
        Ok(Self { bank, house, nonce })
    }

    /// The same, of what the fund's house does and no other.
    pub(crate) fn of_fund(
        bank: &'r Bank,
        house: &str,
        request: (&Method, &Uri, &'r HeaderMap),
        body: &[u8],
    ) -> Result<Self, Refused> {
        let signed = Self::check(bank, house, request, body)?;
        if signed.house == House::Fund { Ok(signed) } else { Err(not_found()) }
    }

    pub(crate) fn answer(&self, status: StatusCode, body: &impl Serialize) -> Response {
        let body = serde_json::to_vec(body).expect("texts and whole numbers always have a JSON form");
        let signature = sign::answer(&self.bank.key, status.as_u16(), self.nonce, &body);
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, text) in [("x-nonce", self.nonce), ("x-signature", &signature)] {
            headers.insert(name, HeaderValue::from_str(text).expect("it came in a header, or is hexadecimal"));
        }
        response
    }

    pub(crate) fn malformed(&self, message: &str) -> Refused {
        count(&self.bank.stats.malformed);
        self.answer(StatusCode::BAD_REQUEST, &Problem { code: MALFORMED, message }).into()
    }
}

pub(crate) fn not_found() -> Refused {
    StatusCode::NOT_FOUND.into_response().into()
}

async fn operation(
    State(bank): State<Arc<Bank>>,
    Path((house, verb)): Path<(String, String)>,
    ConnectInfo(cutter): ConnectInfo<Cutter>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refused> {
    let signed = Signed::check(&bank, &house, (&method, &uri, &headers), &body)?;
    let verb = Verb::parse(&verb).filter(|verb| signed.house.does(*verb)).ok_or_else(not_found)?;
    let entry = order::read(signed.house, verb, &body).map_err(|message| signed.malformed(message))?;
    Ok(match bank.take(entry).await {
        Reaction::Answer(answer) => signed.answer(StatusCode::OK, &answer),
        Reaction::Garbage => (StatusCode::INTERNAL_SERVER_ERROR, "<html><h1>Oops</h1>").into_response(),
        Reaction::Nothing => {
            cutter.cut();
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    })
}

async fn query(
    State(bank): State<Arc<Bank>>,
    Path(house): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refused> {
    let signed = Signed::check(&bank, &house, (&method, &uri, &headers), &body)?;
    let serial = order::read_query(signed.house, &body).map_err(|message| signed.malformed(message))?;
    Ok(signed.answer(StatusCode::OK, &bank.query(signed.house, serial)))
}

#[derive(Deserialize)]
struct DayQuery {
    date: String,
    rail: String,
    part: Option<usize>,
}

impl DayQuery {
    fn read(
        &self,
        house: House,
        rail: fn(House, &str) -> Result<Rail, &'static str>,
    ) -> Result<(Date, Rail), &'static str> {
        let date = self.date.parse().map_err(|_| "date is not of the form 2026-03-05")?;
        Ok((date, rail(house, &self.rail)?))
    }
}

async fn clearing(
    State(bank): State<Arc<Bank>>,
    Path(house): Path<String>,
    Query(day): Query<DayQuery>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let signed = Signed::check(&bank, &house, (&method, &uri, &headers), b"")?;
    let (date, rail) = day.read(signed.house, order::cleared_rail).map_err(|message| signed.malformed(message))?;
    let part = day.part.unwrap_or(1);
    match bank.days.part(date, rail, part, LINES_MAX) {
        Ok(lines) => {
            let which = Which { house: signed.house, rail, date, part };
            let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
            Ok((headers, clearing::write(&bank.key, which, &lines)).into_response())
        }
        Err(NoFile::NotReady) => {
            let problem = Problem { code: NOT_READY, message: body::meaning(NOT_READY) };
            Err(signed.answer(StatusCode::CONFLICT, &problem).into())
        }
        Err(NoFile::NoPart) => Err(not_found()),
    }
}

async fn returns(
    State(bank): State<Arc<Bank>>,
    Path(house): Path<String>,
    Query(day): Query<DayQuery>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let signed = Signed::check(&bank, &house, (&method, &uri, &headers), b"")?;
    let (date, rail) = day.read(signed.house, order::rail).map_err(|message| signed.malformed(message))?;
    let returned = bank.days.returned_on(date, rail);
    let twice = returned.iter().filter(|back| back.twice);
    let returns = returned.iter().chain(twice).map(Return::of).collect();
    Ok(signed.answer(StatusCode::OK, &Returns { date: date.to_string(), returns }))
}

async fn stats(State(bank): State<Arc<Bank>>) -> Json<Report> {
    Json(bank.report())
}

#[derive(Deserialize)]
struct Clock {
    date: String,
}

async fn clock(State(bank): State<Arc<Bank>>, Json(clock): Json<Clock>) -> Response {
    let told = |status, text: String| (status, Json(serde_json::json!({ "message": text }))).into_response();
    let Ok(date) = clock.date.parse() else {
        return told(StatusCode::BAD_REQUEST, String::from("date is not of the form 2026-03-05"));
    };
    match bank.set_clearing_date(date) {
        Ok(()) => Json(serde_json::json!({ "clearing_date": bank.clearing_date().to_string() })).into_response(),
        Err(error) => told(StatusCode::CONFLICT, error.to_string()),
    }
}

#[derive(Deserialize)]
struct ReturnWhat {
    serial: Option<String>,
}

async fn return_payments(State(bank): State<Arc<Bank>>, Json(what): Json<ReturnWhat>) -> Response {
    let count = match what.serial.map(|text| text.parse::<Serial>()) {
        None => bank.return_all(),
        Some(Ok(serial)) => usize::from(bank.return_payment(serial)),
        Some(Err(error)) => {
            let problem = serde_json::json!({ "message": error.to_string() });
            return (StatusCode::BAD_REQUEST, Json(problem)).into_response();
        }
    };
    Json(serde_json::json!({ "returned": count })).into_response()
}

#[derive(Deserialize)]
struct SiteUp {
    site: usize,
    up: bool,
}

async fn set_site(State(bank): State<Arc<Bank>>, Json(SiteUp { site, up }): Json<SiteUp>) -> Response {
    match bank.set_site(site, up) {
        Ok(()) => Json(serde_json::json!({ "site": site, "up": up })).into_response(),
        Err(error) => {
            (StatusCode::BAD_REQUEST, Json(serde_json::json!({ "message": error.to_string() }))).into_response()
        }
    }
}
