//! The fund's monthly batches: an instruction in one file, and a result file that answers it row by row. `docs/sandbox.md` describes
//! both formats.
//!
//! ```text
//!  POST batch ─ signature, trailer, count, sum ─► taken under its number; the same bytes again: taken already
//!  GET batch-result ─ asked `result_after` times ─► file 1 ─ asked again ─► file 2, which has every row …
//!                  └ before: not ready                │
//!                                                     └ what a row pays for the first time is booked now, under the clock's date
//! ```
//! The plan says of rows, counted from 1 as they arrive, which are paid in part, refused, not in file 1, refused there and paid in
//! file 2, or in every file twice.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Mutex;

use ark::{MacKey, sm3};
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::Bank;
use super::body::{self, DONE, NOT_READY, Problem, reference};
use super::http::{Refused, Signed, not_found};
use super::ledger::{self, Entry, lock};
use super::names::{Rail, Serial, Verb};
use super::order::CURRENCY;

/// The most rows of one batch.
const ROWS_MAX: usize = 1_000;
/// The largest instruction, in bytes.
const LENGTH_MAX: usize = 512 * 1_024;
const PAID_IN_PART: &str = "00000005";
const NO_QUOTA: &str = "10000005";

/// What becomes of rows, counted from 1 as they arrive over all batches. The default is that all is paid.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct BatchPlan {
    /// How often a result is asked for before there is one.
    pub result_after: u32,
    /// Whether the centre pays landlords itself: then no clearing file has what it pays.
    pub direct: bool,
    /// Half of these is paid.
    pub part_nth: Vec<u64>,
    /// These are refused: the quota is used up.
    pub refused_nth: Vec<u64>,
    /// The first file does not have these.
    pub missing_nth: Vec<u64>,
    /// The first file refuses these, the second one pays them.
    pub turned_nth: Vec<u64>,
    /// These stand in every file twice.
    pub twice_nth: Vec<u64>,
}

/// Every batch that was taken.
#[derive(Debug, Default)]
pub(crate) struct Batches {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    rows: u64,
    by_number: BTreeMap<String, Batch>,
    /// What was paid, by the row's serial: lease, month, amount.
    paid: BTreeMap<Serial, (String, String, i64)>,
}

#[derive(Debug)]
struct Batch {
    city: String,
    text: String,
    rows: Vec<Row>,
    asked: u32,
}

#[derive(Debug, Clone)]
struct Row {
    nth: u64,
    serial: Serial,
    contract: String,
    period: String,
    applied: i64,
}

/// What a file says of a row.
struct Said {
    paid: i64,
    code: &'static str,
}

impl Batches {
    /// The months that were paid for a lease, and how much.
    pub(crate) fn paid_for(&self, contract: &str) -> Vec<(String, i64)> {
        let inner = lock(&self.inner);
        let of_it = inner.paid.values().filter(|(lease, ..)| lease == contract);
        of_it.map(|(_, period, paid)| (period.clone(), *paid)).collect()
    }
}

impl BatchPlan {
    /// What file number `file` says of a row; nothing if the row is not in it.
    fn says(&self, row: &Row, file: u32) -> Option<Said> {
        let chosen = |list: &[u64]| list.contains(&row.nth);
        let first = file <= 1;
        if first && chosen(&self.missing_nth) {
            return None;
        }
        let refused = chosen(&self.refused_nth) || (first && chosen(&self.turned_nth));
        let half = row.applied / 2;
        Some(match (refused, chosen(&self.part_nth) && half > 0) {
            (true, _) => Said { paid: 0, code: NO_QUOTA },
            (false, true) => Said { paid: half, code: PAID_IN_PART },
            (false, false) => Said { paid: row.applied, code: DONE },
        })
    }
}

/// Why an instruction is not taken.
const TRAILER: &str = "the trailer is not T|count|SM3|HMAC-SM3 of the lines before it";
const HEADER: &str = "the header is not H|LINTEL-FUND-BATCH-1|sandbox_fund|city|number|date|CNY|count|sum";
const LINE: &str = "a row is not D|serial|contract|period|amount, each serial once";
const SUM: &str = "count and sum of the header are not those of the rows";
const OTHER: &str = "this number was taken with other content";

/// An instruction as it is read: its number, and the batch.
fn read(key: &MacKey, body: &[u8]) -> Result<(String, Batch), &'static str> {
    let text = str::from_utf8(body).map_err(|_| "the instruction is not UTF-8")?;
    let start = text.trim_end_matches('\n').rfind('\n').ok_or(TRAILER)? + 1;
    let (signed, trailer) = text.split_at(start);
    let count = signed.lines().count().saturating_sub(1);
    let hash = hex::encode(sm3(signed.as_bytes()));
    let tag = hex::encode(key.mac().update(b"FUND-BATCH\n").update(signed.as_bytes()).finish());
    if trailer != format!("T|{count}|{hash}|{tag}\n") {
        return Err(TRAILER);
    }
    let mut lines = signed.lines();
    let fields: Vec<&str> = lines.next().unwrap_or_default().split('|').collect();
    let &["H", "LINTEL-FUND-BATCH-1", "sandbox_fund", city, number, date, CURRENCY, told, sum] = fields.as_slice()
    else {
        return Err(HEADER);
    };
    date.parse::<Date>().map_err(|_| HEADER)?;
    let rows = lines.map(row).collect::<Option<Vec<Row>>>().ok_or(LINE)?;
    let serials: std::collections::BTreeSet<Serial> = rows.iter().map(|row| row.serial).collect();
    if serials.len() != rows.len() || rows.len() > ROWS_MAX {
        return Err(LINE);
    }
    let total = rows.iter().try_fold(0_i64, |sum, row| sum.checked_add(row.applied)).ok_or(SUM)?;
    if told != rows.len().to_string() || sum != total.to_string() {
        return Err(SUM);
    }
    Ok((number.to_owned(), Batch { city: city.to_owned(), text: text.to_owned(), rows, asked: 0 }))
}

fn row(line: &str) -> Option<Row> {
    let fields: Vec<&str> = line.split('|').collect();
    let &["D", serial, contract, period, amount] = fields.as_slice() else { return None };
    let applied: i64 = amount.parse().ok().filter(|amount| *amount > 0)?;
    let (serial, contract, period) = (serial.parse().ok()?, contract.to_owned(), period.to_owned());
    Some(Row { nth: 0, serial, contract, period, applied })
}

impl Bank {
    /// Takes an instruction; how many rows it has.
    fn take_batch(&self, body: &[u8]) -> Result<usize, &'static str> {
        let (number, mut batch) = read(&self.key, body)?;
        let mut inner = lock(&self.batches.inner);
        if let Some(before) = inner.by_number.get(&number) {
            return if before.text == batch.text { Ok(before.rows.len()) } else { Err(OTHER) };
        }
        for row in &mut batch.rows {
            inner.rows += 1;
            row.nth = inner.rows;
        }
        let count = batch.rows.len();
        inner.by_number.insert(number, batch);
        Ok(count)
    }

    /// The next result file of a batch: nothing if there is no such batch, an error while there is no result.
    fn batch_result(&self, number: &str) -> Option<Result<String, ()>> {
        let mut inner = lock(&self.batches.inner);
        let batch = inner.by_number.get_mut(number)?;
        batch.asked = batch.asked.saturating_add(1);
        let plan = &self.plan.batch;
        let file = batch.asked.saturating_sub(plan.result_after);
        if file == 0 {
            return Some(Err(()));
        }
        let (mut lines, mut count, mut sum, mut paid) = (String::new(), 0_u64, 0_i64, Vec::new());
        let twice = batch.rows.iter().filter(|row| plan.twice_nth.contains(&row.nth));
        for row in batch.rows.iter().chain(twice) {
            let Some(said) = plan.says(row, file) else { continue };
            if said.paid > 0 {
                self.pay_row(row, said.paid);
                paid.push((row.serial, (row.contract.clone(), row.period.clone(), said.paid)));
            }
            (count, sum) = (count + 1, sum.saturating_add(said.paid));
            writeln!(lines, "{}", line(row, &said)).expect("a String takes every text");
        }
        let (city, date) = (&batch.city, self.days.now());
        let text =
            format!("H|LINTEL-FUND-RESULT-1|sandbox_fund|{city}|{number}|{date}|{CURRENCY}|{count}|{sum}\n{lines}");
        inner.paid.extend(paid);
        let hash = hex::encode(sm3(text.as_bytes()));
        let tag = hex::encode(self.key.mac().update(b"FUND-RESULT\n").update(text.as_bytes()).finish());
        Some(Ok(format!("{text}T|{count}|{hash}|{tag}\n")))
    }

    /// Books what a row pays, once: from then on it is refunded like any capture.
    fn pay_row(&self, row: &Row, paid: i64) {
        let (serial, verb, rail) = (row.serial, Verb::Capture, Rail::Fund);
        let entry = Entry { serial, verb, rail, amount: paid, original: None, currency_taken: true };
        let open = ledger::State::Open { queries_left: None };
        if self.plan.batch.direct || self.ledger.arrive(entry, open) == ledger::Arrival::Again {
            return;
        }
        let (date, _) = self.days.book(&entry, |_| None);
        self.ledger.close(serial, ledger::State::Done { date });
    }
}

fn line(row: &Row, said: &Said) -> String {
    let Row { serial, contract, period, applied, .. } = row;
    let digits = serial.to_string();
    // Made up, as all of the sandbox's people are.
    let masked = format!("310***********{}", &digits[digits.len() - 4..]);
    let reference = if said.paid > 0 { reference(Rail::Fund, Some(Verb::Capture), *serial) } else { String::new() };
    format!("D|{serial}|{contract}|{masked}|{period}|{applied}|{}|{}|{reference}", said.paid, said.code)
}

/// The paths.
pub(crate) fn routes() -> axum::Router<std::sync::Arc<Bank>> {
    axum::Router::new()
        .route("/{house}/v1/quota", post(super::quota::quota))
        .route("/{house}/v1/batch", post(take).layer(DefaultBodyLimit::max(LENGTH_MAX)))
        .route("/{house}/v1/batch-result", get(result))
}

#[derive(Serialize)]
struct Taken {
    code: &'static str,
    message: &'static str,
    rows: usize,
}

async fn take(
    State(bank): State<std::sync::Arc<Bank>>,
    Path(house): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refused> {
    let signed = Signed::of_fund(&bank, &house, (&method, &uri, &headers), &body)?;
    let rows = bank.take_batch(&body).map_err(|message| signed.malformed(message))?;
    Ok(signed.answer(StatusCode::OK, &Taken { code: DONE, message: body::meaning(DONE), rows }))
}

#[derive(Deserialize)]
struct Which {
    number: String,
}

async fn result(
    State(bank): State<std::sync::Arc<Bank>>,
    Path(house): Path<String>,
    Query(Which { number }): Query<Which>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let signed = Signed::of_fund(&bank, &house, (&method, &uri, &headers), b"")?;
    match bank.batch_result(&number) {
        None => Err(not_found()),
        Some(Err(())) => {
            let problem = Problem { code: NOT_READY, message: "the centre has not paid this batch yet" };
            Err(signed.answer(StatusCode::CONFLICT, &problem).into())
        }
        Some(Ok(file)) => {
            let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
            Ok((headers, Body::from(file)).into_response())
        }
    }
}
