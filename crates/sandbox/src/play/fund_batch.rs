//! Still phase 4: rents that a provident fund pays by its centre's monthly batch, and what the centre does not pay by card.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::close::Check;
use super::open::Cast;
use super::orders::{Day, Kind, Placed};
use super::stage::{DAY, each, text};
use super::{Stage, Talk};
use crate::api::Api;

/// How many rents the batch takes; the bank's plan says which are paid in part, and which only in the second file.
const RENTS: u64 = 6;
/// What each is, in fen.
const RENT: i64 = 300_000;
/// Numbers of these orders, beyond those of the day's own.
const FIRST_NUMBER: u64 = 1_000_000_000;
const MONTH: &str = "2026-03";
/// How long the centre may take for all of it.
const PATIENCE: Duration = Duration::from_secs(120);

/// Places the rents, closes the month's batch, and waits for the centre's word on each.
pub(super) async fn month(stage: &Stage, cast: &Cast, day: &mut Day, talk: &mut Talk) -> Result<Check> {
    let mut ids = Vec::new();
    for nth in 0..RENTS {
        let id = rent(stage, cast, nth).await?;
        day.placed.push(Placed {
            number: FIRST_NUMBER + nth,
            kind: Kind::Month,
            id: id.clone(),
            routed: false,
            by_sub_account: false,
        });
        ids.push(id);
    }
    let closed = stage.done("/v1/fund-batches", "fund-batch-1", json!({ "period": MONTH })).await?;
    let (id, number) = (text(&closed, "id")?, text(&closed, "number")?);
    let target = format!("/v1/fund-batches/{id}");
    let batch = until(&stage.operator, &target, |batch| is(batch, "status", "answered")).await?;
    // What the card's bank has not said yet is told like any other order's: by a query, or the next day's file.
    let orders = each(ids, stage.concurrency, |_, id| {
        let api = stage.operator.clone();
        async move { until(&api, &format!("/v1/orders/{id}"), answered).await }
    })
    .await?;
    let told = orders.iter().filter(|order| answered(order)).count();
    let paid = orders.iter().filter(|order| is(order, "status", "success")).count();
    let count = |key: &str| batch.get(key).and_then(Value::as_i64).unwrap_or_default();
    let (rows, unanswered, files) = (count("rows"), count("unanswered"), count("files"));
    let detail = format!(
        "{rows} rows of {number}, {unanswered} unanswered after {files} result files; the centre's word is on {told} of {RENTS} orders, {paid} are paid"
    );
    talk.phase(&format!("  closed a fund's batch of {MONTH}: {detail}"));
    let holds = rows == i64::try_from(RENTS).unwrap_or_default() && unanswered == 0 && told == orders.len();
    Ok(Check { day: DAY.to_owned(), name: "fund_batch_answered".to_owned(), holds, detail })
}

/// One rent by fund, with a card that stands by for the shortfall.
async fn rent(stage: &Stage, cast: &Cast, nth: u64) -> Result<String> {
    let at = usize::try_from(nth).unwrap_or_default();
    let landlord = cast.landlords.get(at % cast.landlords.len().max(1)).context("the cast has landlords")?;
    let payer = cast.payers.get(at % cast.payers.len().max(1)).context("the cast has payers")?;
    let order = json!({
        "merchant": landlord.id, "out_trade_no": format!("F{nth}"), "payer": payer, "currency": "CNY",
        "items": [{ "kind": "rent", "amount": RENT }], "tries_allowed": 1,
    });
    let id = text(&stage.done("/v1/orders", &format!("fund-order-{nth}"), order).await?, "id")?;
    let instruments = json!([
        { "type": "fund", "contract": format!("MONTH{nth:04}"), "amount": RENT, "period": MONTH, "shortfall_by_card": true },
        { "type": "card", "agreement": format!("AGR{nth:08}"), "mask": "622202******0011", "rail": "epcc", "amount": 0 },
    ]);
    let body = json!({ "instruments": instruments });
    stage.done(&format!("/v1/orders/{id}/pay"), &format!("fund-pay-{nth}"), body).await?;
    Ok(id)
}

/// Whether an order shows the centre's word on its fund.
fn answered(order: &Value) -> bool {
    let legs = order.get("legs").and_then(Value::as_array);
    let is_told = |leg: &Value| !is(leg, "type", "fund") || !is(leg, "status", "sent");
    legs.is_some_and(|legs| legs.iter().all(is_told))
}

fn is(object: &Value, key: &str, text: &str) -> bool {
    object.get(key).and_then(Value::as_str) == Some(text)
}

/// The object, once it is so or patience ends.
async fn until(api: &Api, target: &str, so: impl Fn(&Value) -> bool) -> Result<Value> {
    let began = Instant::now();
    loop {
        let found = api.get(target).await?;
        if so(&found) || began.elapsed() > PATIENCE {
            return Ok(found);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
