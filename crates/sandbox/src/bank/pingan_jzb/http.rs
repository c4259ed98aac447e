//! Ping An's 见证宝 over HTTP.
//!
//! | path | |
//! |---|---|
//! | `POST /jzb` | a message of the platform; the answer, or a file |
//! | `POST /sandbox/pingan/tell {transaction, amount?, forged?}` | a notification out of turn, of another amount or another's signature |
//! | `POST /sandbox/pingan/route {url}` | where notifications go |

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{ConnectInfo, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;

use super::{Refused, Said};
use crate::bank::Bank;
use crate::bank::connection::Cutter;
use crate::bank::names::Serial;

pub(crate) fn routes() -> Router<Arc<Bank>> {
    Router::new()
        .route("/jzb", post(message))
        .route("/sandbox/pingan/tell", post(tell))
        .route("/sandbox/pingan/route", post(route))
}

async fn message(State(bank): State<Arc<Bank>>, ConnectInfo(cutter): ConnectInfo<Cutter>, body: Bytes) -> Response {
    match bank.pingan_message(&body).await {
        Ok(Said::Message(bytes)) => ([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response(),
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

#[derive(Deserialize)]
struct Which {
    transaction: String,
    amount: Option<i64>,
    #[serde(default)]
    forged: bool,
}

async fn tell(State(bank): State<Arc<Bank>>, Json(which): Json<Which>) -> Response {
    let Ok(serial) = which.transaction.parse::<Serial>() else {
        return (StatusCode::BAD_REQUEST, Json(json!({ "message": "transaction is not 31 digits" }))).into_response();
    };
    if bank.tell_pingan_twisted(serial, which.amount, which.forged) {
        return Json(json!({ "done": true })).into_response();
    }
    (StatusCode::CONFLICT, Json(json!({ "message": "no such transaction" }))).into_response()
}

#[derive(Deserialize)]
struct Route {
    url: Option<String>,
}

async fn route(State(bank): State<Arc<Bank>>, Json(Route { url }): Json<Route>) -> Response {
    bank.route_pingan(url);
    Json(json!({ "done": true })).into_response()
}
