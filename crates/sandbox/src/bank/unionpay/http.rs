//! UnionPay online over HTTP.
//!
//! | path | |
//! |---|---|
//! | `POST /gateway/api/frontTransReq.do` | a browser brings an order: the page to pay it at |
//! | `POST /gateway/pay.do` `orderId=&action=pay│leave` | a browser's click on that page |
//! | `POST /gateway/api/backTransReq.do`, `queryTrans.do` | the platform's operations and queries |
//! | `GET /sandbox/unionpay/lines?date=` | what was done on a date that is over, as clearing lines |
//! | `POST /sandbox/unionpay/end {order}` | the page ends unpaid |
//! | `POST /sandbox/unionpay/pay {order}` | it is paid all the same, late |
//! | `POST /sandbox/unionpay/tell {order, amount?, forged?}` | a notification out of turn, of another amount or another's signature |
//! | `POST /sandbox/unionpay/route {url}` | where every backUrl is reached from here |

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{ConnectInfo, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::json;

use super::form::Form;
use super::{FRONT, Said, codes};
use crate::bank::Bank;
use crate::bank::connection::Cutter;
use crate::bank::days::NoFile;
use crate::bank::names::Serial;
use crate::bank::page::Twist;
use crate::bank::stats::count;

pub(crate) fn routes() -> Router<Arc<Bank>> {
    Router::new()
        .route("/gateway/api/frontTransReq.do", post(front))
        .route("/gateway/pay.do", post(click))
        .route("/gateway/api/backTransReq.do", post(back))
        .route("/gateway/api/queryTrans.do", post(query))
        .route("/sandbox/unionpay/lines", get(lines))
        .route("/sandbox/unionpay/end", post(end))
        .route("/sandbox/unionpay/pay", post(pay))
        .route("/sandbox/unionpay/tell", post(tell))
        .route("/sandbox/unionpay/route", post(route))
}

async fn front(State(bank): State<Arc<Bank>>, ConnectInfo(cutter): ConnectInfo<Cutter>, body: Bytes) -> Response {
    let Some(form) = Form::read(&body) else { return malformed(&bank, "body") };
    bank.front(form).await.answered(FRONT, &cutter)
}

async fn click(State(bank): State<Arc<Bank>>, ConnectInfo(cutter): ConnectInfo<Cutter>, body: Bytes) -> Response {
    let form = Form::read(&body).unwrap_or_default();
    let (Some(Ok(serial)), Some(action @ ("pay" | "leave"))) =
        (form.get("orderId").map(str::parse), form.get("action"))
    else {
        return malformed(&bank, "orderId and action");
    };
    bank.click(serial, action == "pay").answered(FRONT, &cutter)
}

fn malformed(bank: &Bank, field: &str) -> Response {
    count(&bank.stats.malformed);
    let (code, text) = codes::MALFORMED;
    (StatusCode::BAD_REQUEST, format!("respCode={code}&respMsg={text} {field}")).into_response()
}

/// The form of the platform, if it is one and signed.
fn signed(bank: &Bank, body: &[u8]) -> Result<Form, Box<Response>> {
    let form = Form::read(body).ok_or_else(|| Box::new(malformed(bank, "body")))?;
    if form.is_signed(&bank.unionpay.sign) {
        return Ok(form);
    }
    count(&bank.stats.unsigned);
    let (code, text) = codes::UNSIGNED;
    Err(Box::new((StatusCode::OK, format!("respCode={code}&respMsg={text}")).into_response()))
}

fn answered(bank: &Bank, form: Form) -> Response {
    let body = form.signed(&bank.unionpay.sign).answer();
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], body).into_response()
}

async fn back(State(bank): State<Arc<Bank>>, ConnectInfo(cutter): ConnectInfo<Cutter>, body: Bytes) -> Response {
    let form = match signed(&bank, &body) {
        Ok(form) => form,
        Err(refused) => return *refused,
    };
    match bank.back(&form).await {
        Ok(Said::Form(form)) => answered(&bank, form),
        Ok(Said::Garbage) => (StatusCode::INTERNAL_SERVER_ERROR, "<html><h1>Oops</h1>").into_response(),
        Ok(Said::Nothing) => {
            cutter.cut();
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
        Err(field) => malformed(&bank, field),
    }
}

async fn query(State(bank): State<Arc<Bank>>, body: Bytes) -> Response {
    let form = match signed(&bank, &body) {
        Ok(form) => form,
        Err(refused) => return *refused,
    };
    match bank.asked_about(&form) {
        Ok(form) => answered(&bank, form),
        Err(field) => malformed(&bank, field),
    }
}

#[derive(Deserialize)]
struct Day {
    date: String,
}

async fn lines(State(bank): State<Arc<Bank>>, Query(Day { date }): Query<Day>) -> Response {
    let Ok(date) = date.parse::<Date>() else {
        return problem(StatusCode::BAD_REQUEST, "date is not of the form 2026-03-05");
    };
    match bank.unionpay_lines(date) {
        Ok(lines) => Json(json!({ "date": date.to_string(), "lines": lines })).into_response(),
        Err(NoFile::NotReady | NoFile::NoPart) => problem(StatusCode::CONFLICT, "the clearing date is not over"),
    }
}

fn problem(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "message": message }))).into_response()
}

#[derive(Deserialize)]
struct Which {
    order: String,
    amount: Option<i64>,
    #[serde(default)]
    forged: bool,
}

impl Which {
    fn serial(&self) -> Result<Serial, Box<Response>> {
        self.order.parse().map_err(|_| Box::new(problem(StatusCode::BAD_REQUEST, "order is not 31 digits")))
    }
}

/// Says whether it was so.
fn done(was: bool) -> Response {
    if was {
        Json(json!({ "done": true })).into_response()
    } else {
        problem(StatusCode::CONFLICT, "no such order, or not so")
    }
}

async fn end(State(bank): State<Arc<Bank>>, Json(which): Json<Which>) -> Response {
    which.serial().map_or_else(|refused| *refused, |serial| done(bank.end_page(serial)))
}

async fn pay(State(bank): State<Arc<Bank>>, Json(which): Json<Which>) -> Response {
    which.serial().map_or_else(|refused| *refused, |serial| done(bank.pay_late(serial)))
}

async fn tell(State(bank): State<Arc<Bank>>, Json(which): Json<Which>) -> Response {
    which.serial().map_or_else(
        |refused| *refused,
        |serial| done(bank.tell_unionpay_twisted(serial, Twist { amount: which.amount, forged: which.forged })),
    )
}

#[derive(Deserialize)]
struct Route {
    url: Option<String>,
}

async fn route(State(bank): State<Arc<Bank>>, Json(Route { url }): Json<Route>) -> Response {
    bank.route_notifications(url);
    done(true)
}
