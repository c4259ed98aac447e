//! What the fund says of a lease before a payment: rent, monthly contribution, what is left of the year, months with contributions, and
//! the months that it has paid for. `docs/sandbox.md` describes the format.
//!
//! The plan gives every lease the same figures; what the fund's batches paid of a lease is taken from the year's rest, and its months
//! stand among the draws.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::Bank;
use super::body::{DONE, meaning};
use super::http::{Refused, Signed};

const UNFILED: &str = "10000006";
const MALFORMED: &str = "the question is not {\"contract\",\"period\"} with a month as 2026-03";

/// What the fund says of every lease. The default bounds nothing that a test pays.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct QuotaPlan {
    /// The rent of a month, in fen.
    pub rent: i64,
    /// What is paid in a month, in fen.
    pub contribution: i64,
    /// What the fund pays a year, in fen.
    pub year: i64,
    /// Months with contributions.
    pub months: u32,
    /// Months, `2026-03`, that were paid for elsewhere.
    pub draws: Vec<String>,
    /// Leases that nobody filed.
    pub unfiled: Vec<String>,
}

impl Default for QuotaPlan {
    fn default() -> Self {
        let (rent, contribution, year) = (10_000_000, 10_000_000, 100_000_000);
        Self { rent, contribution, year, months: 120, draws: Vec::new(), unfiled: Vec::new() }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    contract: String,
    period: String,
}

#[derive(Serialize)]
struct Answer<'a> {
    contract: &'a str,
    period: &'a str,
    code: &'static str,
    message: &'static str,
    #[serde(flatten)]
    figures: Option<Figures>,
}

#[derive(Serialize)]
struct Figures {
    rent: i64,
    contribution: i64,
    remaining: i64,
    months: u32,
    draws: Vec<String>,
}

impl Bank {
    /// What there is to say of a lease; nothing if nobody filed it.
    fn figures(&self, contract: &str, period: &str) -> Option<Figures> {
        let QuotaPlan { rent, contribution, year, months, draws, unfiled } = &self.plan.quota;
        if unfiled.iter().any(|lease| lease == contract) {
            return None;
        }
        let paid = self.batches.paid_for(contract);
        let of_year = paid.iter().filter(|(month, _)| month.get(..4) == period.get(..4));
        let drawn = of_year.fold(0_i64, |sum, (_, paid)| sum.saturating_add(*paid));
        Some(Figures {
            rent: *rent,
            contribution: *contribution,
            remaining: year.saturating_sub(drawn).max(0),
            months: *months,
            draws: draws.iter().cloned().chain(paid.into_iter().map(|(month, _)| month)).collect(),
        })
    }
}

fn is_month(period: &str) -> bool {
    period.len() == 7 && format!("{period}-01").parse::<jiff::civil::Date>().is_ok()
}

/// `POST /fund/v1/quota`.
pub(crate) async fn quota(
    State(bank): State<Arc<Bank>>,
    Path(house): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refused> {
    let signed = Signed::of_fund(&bank, &house, (&method, &uri, &headers), &body)?;
    let question: Option<Question> = serde_json::from_slice(&body).ok();
    let Some(Question { contract, period }) = question.filter(|question| is_month(&question.period)) else {
        return Err(signed.malformed(MALFORMED));
    };
    let figures = bank.figures(&contract, &period);
    let code = if figures.is_some() { DONE } else { UNFILED };
    let answer = Answer { contract: &contract, period: &period, code, message: meaning(code), figures };
    Ok(signed.answer(StatusCode::OK, &answer))
}
