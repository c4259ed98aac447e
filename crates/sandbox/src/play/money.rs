//! Phase 4: commissions are split over the agents of their branch; some orders are refunded, in part, in full, after a split.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::open::{Branch, Cast};
use super::orders::{Day, Kind};
use super::stage::each;
use super::{Stage, Talk};

/// One order in so many is refunded.
const REFUND_ONE_IN: u64 = 40;

/// Splits every commission that was paid and refunds some orders of each kind.
pub(super) async fn split_and_refund(stage: &Stage, cast: &Cast, day: &Day, talk: &mut Talk) -> Result<()> {
    let paid = paid(stage).await?;
    let splits = split(stage, cast, day, &paid).await?;
    let refunds = refund(stage, day, &paid).await?;
    stage.settle_down(Duration::from_secs(60)).await?;
    talk.phase(&format!("4 split {splits} commissions over up to 12 agents; asked for {refunds} refunds"));
    Ok(())
}

/// Orders that were paid, by id.
pub(super) async fn paid(stage: &Stage) -> Result<BTreeMap<String, Value>> {
    let rows = stage.all("/v1/orders?status=success").await?;
    rows.into_iter()
        .map(|row| {
            let id = row.get("id").and_then(Value::as_str).map(str::to_owned).context("an order without 'id'")?;
            Ok((id, row))
        })
        .collect()
}

fn amount(order: &Value, key: &str) -> i64 {
    order.get(key).and_then(Value::as_i64).unwrap_or_default()
}

async fn split(stage: &Stage, cast: &Cast, day: &Day, paid: &BTreeMap<String, Value>) -> Result<usize> {
    let branches: BTreeMap<&str, &Branch> =
        cast.branches.iter().map(|branch| (branch.company.id.as_str(), branch)).collect();
    let mut wishes = Vec::new();
    for placed in day.placed.iter().filter(|placed| placed.kind == Kind::Commission) {
        let Some(order) = paid.get(&placed.id) else { continue };
        let merchant = order.get("merchant").and_then(Value::as_str).unwrap_or_default();
        let Some(branch) = branches.get(merchant) else { continue };
        // The company keeps 40 % and shares the rest among 3 to 12 agents.
        let agents = usize::try_from(3 + placed.number % 10).unwrap_or(3).min(branch.agents.len());
        let each_gets = amount(order, "net") * 6 / 10 / i64::try_from(agents).unwrap_or(1);
        let parts: Vec<Value> = branch
            .agents
            .iter()
            .take(agents)
            .map(|agent| json!({ "merchant": agent.id, "amount": each_gets }))
            .collect();
        let body = json!({ "out_split_no": format!("S{}", placed.number), "parts": parts });
        wishes.push((placed.id.clone(), body));
    }
    let count = wishes.len();
    each(wishes, stage.concurrency, |at, (order, body)| {
        let api = stage.operator.clone();
        async move { api.post(&format!("/v1/orders/{order}/splits"), &format!("split-{at}"), &body).await?.json() }
    })
    .await?;
    Ok(count)
}

async fn refund(stage: &Stage, day: &Day, paid: &BTreeMap<String, Value>) -> Result<usize> {
    let mut wishes = Vec::new();
    for placed in day.placed.iter().filter(|placed| placed.number.is_multiple_of(REFUND_ONE_IN)) {
        let Some(order) = paid.get(&placed.id) else { continue };
        if placed.kind == Kind::Earnest {
            continue;
        }
        let full = amount(order, "amount");
        let part = if placed.number.is_multiple_of(2 * REFUND_ONE_IN) { full } else { full / 3 };
        let body = json!({ "out_refund_no": format!("R{}", placed.number), "amount": part, "return_fee": true });
        wishes.push((placed.id.clone(), body));
    }
    let count = wishes.len();
    each(wishes, stage.concurrency, |at, (order, body)| {
        let api = stage.operator.clone();
        async move { api.post(&format!("/v1/orders/{order}/refunds"), &format!("refund-{at}"), &body).await?.json() }
    })
    .await?;
    Ok(count)
}
