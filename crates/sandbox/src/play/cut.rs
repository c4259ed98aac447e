//! Phase 5: the day is cut while orders come in; on the next working day the networks' files and the statement's line
//! of each of their sessions are taken, what they match is settled, merchants are paid out, and one payment comes back.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::card_morning;
use super::close::Check;
use super::network;
use super::open::{Cast, Merchant};
use super::orders::Day;
use super::stage::{DAY, NEXT_DAY, each};
use super::statement::Statement;
use super::{Stage, Talk};
use crate::day_plan::{HOUR, MINUTES};

/// The hour up to which orders come before the one in which the day is cut.
const LATE: usize = 20 * HOUR;

/// Places the rest of the day's orders and cuts the day in the middle of them.
pub(super) async fn afternoon(stage: &Stage, cast: &Cast, day: &mut Day, talk: &mut Talk) -> Result<()> {
    let left = day.left();
    day.play(stage, cast, LATE, talk).await?;
    let api = stage.operator.clone();
    let cut = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(50)).await;
        api.post("/v1/days/cut", "cut-1", &json!({ "next": NEXT_DAY })).await?.json()
    });
    let slowest = day.play(stage, cast, MINUTES, talk).await?;
    cut.await.context("cutting the day")??;
    stage.settle_down(Duration::from_secs(120)).await?;
    talk.phase(&format!(
        "5 cut {DAY} amid {left} orders; the slowest order around the cut took {} ms",
        slowest.as_millis()
    ));
    Ok(())
}

/// Clears, takes the sessions' lines of the statement, settles, pays out, takes returns. The landlord with most money
/// is not paid out: authorities will freeze it.
pub(super) async fn next_working_day(
    stage: &Stage,
    cast: &Cast,
    statement: &mut Statement,
    talk: &mut Talk,
) -> Result<(Vec<Check>, Merchant)> {
    stage.move_clocks(NEXT_DAY).await?;
    let open = stage.settle_down(Duration::from_secs(120)).await?;
    let (mut lines, mut checks) = (Vec::new(), Vec::new());
    checks.push(card_morning::clear(stage, statement, talk).await?);
    for rail in ["epcc", "unionpay", "fund", "pingan"] {
        let [matched, count, different, net] = match rail {
            "unionpay" => take_lines(stage).await?,
            rail => {
                let body = json!({ "rail": rail, "date": DAY });
                counts(&stage.done("/v1/clearing/fetch", &format!("clearing-{rail}"), body).await?)
            }
        };
        let detail = format!("{matched} of {count} lines matched, {different} different");
        let holds = matched == count && different == 0;
        checks.push(Check { day: DAY.to_owned(), name: format!("clearing_{rail}"), holds, detail });
        lines.push(format!("{rail} {matched}/{count} lines"));
        statement.moved(rail, DAY, net);
    }
    talk.phase(&format!("  matched the clearing files of {DAY}: {}; {open} attempts still open", lines.join(", ")));
    checks.push(statement.take_sessions(stage, talk).await?);
    let settled = settle(stage).await?;
    let debtor = richest(stage, cast).await?;
    let payouts = pay_out(stage, cast, &debtor).await?;
    stage.settle_down(Duration::from_secs(120)).await?;
    stage.bank("POST", "/sandbox/return", &json!({})).await?;
    let (booked, returns) = network::returned(stage).await?;
    checks.push(returns);
    talk.phase(&format!(
        "  settled {settled} merchants (T+1), sent {payouts} payouts; {booked} came back after success"
    ));
    Ok((checks, debtor))
}

/// Lines that matched, lines, differences, and what the session brings by it.
fn counts(file: &Value) -> [i64; 4] {
    ["matched", "lines", "different", "net"].map(|key| file.get(key).and_then(Value::as_i64).unwrap_or_default())
}

/// UnionPay's own file is not read: an operator brings its lines, part by part.
async fn take_lines(stage: &Stage) -> Result<[i64; 4]> {
    const PART: usize = 5_000;
    let day = stage.bank("GET", &format!("/sandbox/unionpay/lines?date={DAY}"), &Value::Null).await?;
    let lines = day.get("lines").and_then(Value::as_array).context("an answer without 'lines'")?;
    let parts = lines.len().div_ceil(PART).max(1);
    let mut sums = [0_i64; 4];
    for part in 1..=parts {
        let of_part: Vec<&Value> = lines.iter().skip((part - 1) * PART).take(PART).collect();
        let body = json!({ "rail": "unionpay", "date": DAY, "part": part, "last": part == parts, "lines": of_part });
        let taken = stage.done("/v1/clearing", &format!("clearing-unionpay-{part}"), body).await?;
        sums.iter_mut().zip(counts(&taken)).for_each(|(sum, count)| *sum += count);
    }
    Ok(sums)
}

/// The landlord who has most available.
async fn richest(stage: &Stage, cast: &Cast) -> Result<Merchant> {
    let landlords = cast.landlords.clone();
    let held = each(landlords, stage.concurrency, |_, landlord| {
        let api = stage.operator.clone();
        async move {
            let account = api.get(&format!("/v1/accounts/{}", landlord.available)).await?;
            Ok((account.get("available").and_then(Value::as_i64).unwrap_or_default(), landlord))
        }
    })
    .await?;
    held.into_iter()
        .max_by_key(|(available, _)| *available)
        .map(|(_, landlord)| landlord)
        .context("there are landlords")
}

async fn settle(stage: &Stage) -> Result<usize> {
    let due = stage.operator.get(&format!("/v1/settlements/due?date={NEXT_DAY}")).await?;
    let due = due.get("data").and_then(Value::as_array).cloned().unwrap_or_default();
    let count = due.len();
    for row in due {
        let merchant = row.get("merchant").and_then(Value::as_str).context("a row without 'merchant'")?;
        let body = json!({ "merchant": merchant, "date": NEXT_DAY });
        stage.done("/v1/settlements", &format!("settle-{merchant}"), body).await?;
    }
    Ok(count)
}

/// Pays each merchant but one in two parts what it may use, less the fee.
async fn pay_out(stage: &Stage, cast: &Cast, debtor: &Merchant) -> Result<usize> {
    const FEE: i64 = 100;
    let merchants: Vec<Merchant> = cast.merchants().filter(|merchant| merchant.id != debtor.id).cloned().collect();
    let sent = each(merchants, stage.concurrency, |_, merchant| {
        let api = stage.operator.clone();
        async move {
            let account = api.get(&format!("/v1/accounts/{}", merchant.available)).await?;
            let available = account.get("available").and_then(Value::as_i64).unwrap_or_default();
            let half = available / 2 - FEE;
            let mut sent = 0_usize;
            for part in 1..=2 {
                if half <= 0 {
                    continue;
                }
                let body = json!({
                    "account": merchant.available, "to": { "type": "settlement" }, "amount": half, "fee": FEE,
                    "currency": "CNY", "send_now": true,
                });
                api.post("/v1/payouts", &format!("payout-{}-{part}", merchant.id), &body).await?.json()?;
                sent += 1;
            }
            Ok(sent)
        }
    })
    .await?;
    Ok(sent.into_iter().sum())
}
