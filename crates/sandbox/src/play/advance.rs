//! Still phase 4: own money pays a landlord a rent at once (垫付, D0). On the next working day, when the rent stands in its
//! network's file, the reserve pays it back.
//!
//! Two officers set the rules. The landlords here are open since this morning, so the rules ask for no age and for one trading
//! day; the trade asks for 90 days and 30.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::close::Check;
use super::orders::{Day, Kind};
use super::staff::Staff;
use super::stage::{NEXT_DAY, text};
use super::statement::Statement;
use super::{Stage, Talk};

/// How many orders of rent are looked at.
const LOOKED_AT: usize = 40;

/// Advances one rent that is paid; the advance, if there is such a rent.
pub(super) async fn asked(stage: &Stage, day: &Day, staff: &mut Staff, talk: &mut Talk) -> Result<Option<String>> {
    let Some(order) = paid_rent(stage, day).await? else {
        talk.phase("  no rent is paid, so own money advances none");
        return Ok(None);
    };
    let (net, merchant, id) = (number(&order, "net"), text(&order, "merchant")?, text(&order, "id")?);
    rules(staff, net).await?;
    capital(stage, net).await?;
    let body = json!({ "merchant": merchant, "orders": [id] });
    let advance = text(&stage.done("/v1/advances", "advance-1", body).await?, "id")?;
    stage.settle_down(Duration::from_secs(60)).await?;
    let status = text(&stage.operator.get(&format!("/v1/advances/{advance}")).await?, "status")?;
    talk.phase(&format!("  own money advanced {net} of {id} to {merchant} the same day (D0): {advance} is {status}"));
    Ok(Some(advance))
}

/// Has the reserve pay it back by a line of its statement; whether that, or the bank's refusal, ended it.
pub(super) async fn repaid(
    stage: &Stage,
    advance: Option<String>,
    statement: &mut Statement,
    talk: &mut Talk,
) -> Result<Vec<Check>> {
    let Some(advance) = advance else { return Ok(Vec::new()) };
    let target = format!("/v1/advances/{advance}");
    let before = stage.operator.get(&target).await?;
    let outstanding = number(&before, "outstanding");
    if text(&before, "status")? == "success" {
        let transfer = stage.done(&format!("{target}/repay"), "advance-1-repay", json!({})).await?;
        let line = json!({ "transfer": text(&transfer, "id")? });
        statement.take(stage, "ADVANCE-1", -outstanding, line).await?;
    }
    let after = stage.operator.get(&target).await?;
    let (status, left) = (text(&after, "status")?, number(&after, "outstanding"));
    let detail = format!("{advance} is {status}: {left} of {outstanding} outstanding");
    talk.phase(&format!("  the reserve paid own money back: {detail}"));
    // What the bank refused never left, and its rent was settled as any other.
    let holds = left == 0 && matches!(status.as_str(), "repaid" | "failed");
    Ok(vec![Check { day: NEXT_DAY.to_owned(), name: "advance_paid_back".to_owned(), holds, detail }])
}

/// A rent of the day that is paid, and of which nothing was refunded.
async fn paid_rent(stage: &Stage, day: &Day) -> Result<Option<Value>> {
    for placed in day.placed.iter().filter(|placed| placed.kind == Kind::Rent).take(LOOKED_AT) {
        let order = stage.operator.get(&format!("/v1/orders/{}", placed.id)).await?;
        if text(&order, "status")? == "success" && number(&order, "refunded") == 0 {
            return Ok(Some(order));
        }
    }
    Ok(None)
}

async fn rules(staff: &mut Staff, quota: i64) -> Result<()> {
    let rules = json!({
        "kind": "advance_policy", "fee_rate": 0, "merchant_quota": quota, "total_quota": quota, "min_days": 0,
        "min_trading_days": 1,
    });
    let proposed = staff.person("risk.two")?.propose("advance-rules", &rules, "a rent the same day").await?;
    staff.decide("risk.one", &proposed).await.map(|_| ())
}

/// Owners bring in what is advanced: own money is never overdrawn.
async fn capital(stage: &Stage, amount: i64) -> Result<()> {
    let entry =
        |account: String, side: &str| json!({ "account": account, "side": side, "amount": amount, "currency": "CNY" });
    let entries = [entry(own(stage, 1103).await?, "debit"), entry(own(stage, 3001).await?, "credit")];
    stage.done("/v1/vouchers", "capital-1", json!({ "business_number": "CAPITAL-1", "entries": entries })).await?;
    Ok(())
}

/// The institution's own account of a subject in yuan.
async fn own(stage: &Stage, subject: u16) -> Result<String> {
    let target = format!("/v1/accounts?owner=institution&subject={subject}&min_position=1");
    let accounts = stage.operator.get(&target).await?;
    let accounts = accounts.get("data").and_then(Value::as_array).context("an answer without 'data'")?;
    let yuan = |account: &&Value| account.get("currency").and_then(Value::as_str) == Some("CNY");
    text(accounts.iter().find(yuan).with_context(|| format!("{subject} in yuan is there from the beginning"))?, "id")
}

fn number(value: &Value, key: &str) -> i64 {
    value.get(key).and_then(Value::as_i64).unwrap_or_default()
}
