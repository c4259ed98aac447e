//! What leaves by each rail is bounded before the first order comes, by two officers, as a platform of production is. An honest day passes:
//! at its end no bound has stopped anything.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::close::Check;
use super::staff::Staff;
use super::stage::NEXT_DAY;
use super::{Stage, Talk};

/// The rails by which payouts and refunds leave, those by which most leaves first.
static RAILS: [&str; 4] = ["epcc", "unionpay", "pingan", "fund"];
/// The institution's own bank, from which it advances.
const OWN_BANK: &str = "own_bank";
/// A day of fewer orders is over before an officer has a third one-time code: two rails are bounded on it, by a code of each.
const ALL_FROM: u64 = 5_000;
/// What an hour may always reach, in minor units for each order of the day: what an order brings is 8,000 yuan on the mean and
/// 30,000 at most (earnest money stays), and on the next working day all of it is paid out within an hour.
const FLOOR_BY_ORDER: i64 = 4_000_000;
/// Orders that are not counted by `--orders`: a fund's month.
const FURTHER_ORDERS: u64 = 100;
/// Percent of the busiest hour that an hour may reach.
const PERCENT: u32 = 300;

/// One officer proposes the bound of a rail, the other approves it, by turns.
pub(super) async fn bounded(stage: &Stage, staff: &mut Staff, orders: u64, talk: &mut Talk) -> Result<()> {
    let rails = rails(orders);
    for (at, rail) in rails.iter().enumerate() {
        let turn = if at % 2 == 0 { ["risk.one", "risk.two"] } else { ["risk.two", "risk.one"] };
        bound(staff, turn, rail, orders).await?;
    }
    let row = row(stage, RAILS[0]).await?;
    let each = number(&row, "bound").unwrap_or_default();
    talk.phase(&format!("  two officers bounded what leaves by {} in an hour: {each} each", rails.join(", ")));
    Ok(())
}

/// The same of the institution's own bank, before it advances anything, when the officers have new codes.
pub(super) async fn own_bank_bounded(staff: &mut Staff, orders: u64) -> Result<()> {
    if orders < ALL_FROM {
        return Ok(());
    }
    bound(staff, ["risk.one", "risk.two"], OWN_BANK, orders).await
}

/// The rails that are bounded before the first order of a day of so many.
fn rails(orders: u64) -> &'static [&'static str] {
    if orders < ALL_FROM { &RAILS[..2] } else { &RAILS }
}

async fn bound(staff: &mut Staff, [maker, checker]: [&str; 2], rail: &str, orders: u64) -> Result<()> {
    let bound = json!({
        "kind": "outflow_bound", "channel": rail, "currency": "CNY", "floor": floor(orders), "percent": PERCENT,
    });
    let reason = "several times what an honest day lets out";
    let proposed = staff.person(maker)?.propose(&format!("bound-{rail}"), &bound, reason).await?;
    staff.decide(checker, &proposed).await.map(|_| ())
}

/// Minor units that an hour may always reach on a day of so many orders.
fn floor(orders: u64) -> i64 {
    let orders = i64::try_from(orders.saturating_add(FURTHER_ORDERS)).unwrap_or(i64::MAX);
    orders.saturating_mul(FLOOR_BY_ORDER)
}

/// Whether no rail that was bounded is stopped, and nothing waits: what is stopped stays so until two people let it go, which nobody did.
pub(super) async fn never_stopped(stage: &Stage, orders: u64, talk: &mut Talk) -> Result<Check> {
    let (mut holds, mut lines) = (true, Vec::new());
    let own_bank = (orders >= ALL_FROM).then_some(OWN_BANK);
    for rail in rails(orders).iter().copied().chain(own_bank) {
        let row = row(stage, rail).await?;
        let running = row.get("status").and_then(Value::as_str) == Some("running");
        let bound = number(&row, "bound");
        holds &= running && bound.is_some() && number(&row, "waiting") == Some(0);
        let most = number(&row, "last_hour").max(number(&row, "busiest_hour")).unwrap_or_default();
        lines.push(format!("{rail} {most} of {}", bound.unwrap_or_default()));
    }
    let detail = format!("most that left in an hour: {}", lines.join(", "));
    talk.phase(&format!(
        "  {} ({detail})",
        if holds { "no bound stopped anything" } else { "a bound STOPPED something" }
    ));
    Ok(Check { day: NEXT_DAY.to_owned(), name: "outflow_never_stopped".to_owned(), holds, detail })
}

/// What leaves by a rail in yuan, as the platform shows it.
async fn row(stage: &Stage, rail: &str) -> Result<Value> {
    let shown = stage.operator.get(&format!("/v1/channels/{rail}/outflows")).await?;
    let rows = shown.get("data").and_then(Value::as_array).context("an answer without 'data'")?;
    let yuan = |row: &&Value| row.get("currency").and_then(Value::as_str) == Some("CNY");
    rows.iter().find(yuan).cloned().with_context(|| format!("{rail} has no bound"))
}

fn number(row: &Value, key: &str) -> Option<i64> {
    row.get(key).and_then(Value::as_i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_order_brings_what_its_share_of_the_bound_is() {
        // A combined payment of the dearest rent brings twice that and a twentieth, a commission three times.
        let dearest = 200_000 + 799 * 1_000;
        assert!(dearest * 3 * 100 < floor(0), "a hundred of them");
        assert_eq!(floor(20_000), 20_100 * FLOOR_BY_ORDER);
        assert_eq!(floor(u64::MAX), i64::MAX);
        assert_eq!((rails(300).len(), rails(20_000).len()), (2, 4));
    }
}
