//! EPCC over HTTP.
//!
//! | path | |
//! |---|---|
//! | `POST /` | a message of the platform; the answer, or the daily file |
//! | `POST /gateway` `ReqMsg=` | a browser brings a payment: the page to pay it at |
//! | `POST /gateway/pay` `transaction=&action=pay│leave` | a browser's click on that page |
//! | `POST /sandbox/epcc/end {transaction}` | the page ends unpaid |
//! | `GET /sandbox/epcc/sms?transaction=` | the code that the holder's phone shows |
//! | `GET /sandbox/epcc/checks?transaction=` | how often a real-name check was sent |
//! | `POST /sandbox/epcc/tell {transaction, amount?, forged?}` | a notification out of turn, of another amount or another's signature |
//! | `POST /sandbox/epcc/route {url}` | where notifications go |

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{ConnectInfo, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::page::FRONT;
use super::{Refused, Said};
use crate::bank::Bank;
use crate::bank::connection::Cutter;
use crate::bank::names::Serial;
use crate::bank::page::{Shown, Twist};
use crate::bank::unionpay::form::Form;

pub(crate) fn routes() -> Router<Arc<Bank>> {
    Router::new()
        .route("/", post(message))
        .route("/gateway", post(front))
        .route("/gateway/pay", post(click))
        .route("/sandbox/epcc/end", post(end))
        .route("/sandbox/epcc/sms", get(sms))
        .route("/sandbox/epcc/checks", get(checks))
        .route("/sandbox/epcc/tell", post(tell))
        .route("/sandbox/epcc/route", post(route))
}

async fn message(State(bank): State<Arc<Bank>>, ConnectInfo(cutter): ConnectInfo<Cutter>, body: Bytes) -> Response {
    match bank.epcc_message(&body).await {
        Ok(Said::Message(text)) => ([(header::CONTENT_TYPE, "application/xml; charset=UTF-8")], text).into_response(),
        Ok(Said::Garbage) => (StatusCode::INTERNAL_SERVER_ERROR, "<html><h1>Oops</h1>").into_response(),
        Ok(Said::Nothing) => {
            cutter.cut();
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
        Ok(Said::NotReady) => StatusCode::CONFLICT.into_response(),
        Ok(Said::NoPart) => StatusCode::NOT_FOUND.into_response(),
        Err(Refused::Unsigned) => (StatusCode::UNAUTHORIZED, "the signature is not the platform's").into_response(),
        Err(Refused::Field(name)) => {
            (StatusCode::BAD_REQUEST, format!("{name} is missing or not in its form")).into_response()
        }
    }
}

async fn front(State(bank): State<Arc<Bank>>, ConnectInfo(cutter): ConnectInfo<Cutter>, body: Bytes) -> Response {
    bank.epcc_front(&Form::read(&body).unwrap_or_default()).await.answered(FRONT, &cutter)
}

async fn click(State(bank): State<Arc<Bank>>, ConnectInfo(cutter): ConnectInfo<Cutter>, body: Bytes) -> Response {
    let form = Form::read(&body).unwrap_or_default();
    let shown = match (form.get(FRONT.field).map(str::parse), form.get("action")) {
        (Some(Ok(serial)), Some(action @ ("pay" | "leave"))) => bank.epcc_click(serial, action == "pay"),
        _ => Shown::Problem(String::from("transaction and action are missing or not in their form")),
    };
    shown.answered(FRONT, &cutter)
}

async fn end(State(bank): State<Arc<Bank>>, Json(which): Json<Which>) -> Response {
    let Ok(serial) = which.transaction.parse::<Serial>() else { return malformed() };
    answer(bank.end_page(serial).then(|| json!({ "done": true })))
}

fn answer(found: Option<Value>) -> Response {
    let none = || (StatusCode::CONFLICT, Json(json!({ "message": "no such transaction, or not so" }))).into_response();
    found.map_or_else(none, |found| Json(found).into_response())
}

fn malformed() -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({ "message": "transaction is not 31 digits" }))).into_response()
}

#[derive(Deserialize)]
struct Which {
    transaction: String,
    amount: Option<i64>,
    #[serde(default)]
    forged: bool,
}

async fn sms(State(bank): State<Arc<Bank>>, Query(which): Query<Which>) -> Response {
    let Ok(serial) = which.transaction.parse::<Serial>() else { return malformed() };
    answer(bank.epcc_sms(serial).map(|code| json!({ "code": code })))
}

async fn checks(State(bank): State<Arc<Bank>>, Query(which): Query<Which>) -> Response {
    let Ok(serial) = which.transaction.parse::<Serial>() else { return malformed() };
    answer(bank.epcc_check_times(serial).map(|times| json!({ "times": times })))
}

async fn tell(State(bank): State<Arc<Bank>>, Json(which): Json<Which>) -> Response {
    let Ok(serial) = which.transaction.parse::<Serial>() else { return malformed() };
    let told = bank.tell_epcc_twisted(serial, Twist { amount: which.amount, forged: which.forged });
    answer(told.then(|| json!({ "done": true })))
}

#[derive(Deserialize)]
struct Route {
    url: Option<String>,
}

async fn route(State(bank): State<Arc<Bank>>, Json(Route { url }): Json<Route>) -> Response {
    bank.route_epcc(url);
    answer(Some(json!({ "done": true })))
}
