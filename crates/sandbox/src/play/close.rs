//! Phase 7: both days are closed, and each merchant's statement of the day is written.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::open::Cast;
use super::orders::Day;
use super::stage::{DAY, DAY_AFTER, NEXT_DAY, each};
use super::statement::Statement;
use super::{Stage, Talk};

/// One thing that must be so: a check at close, or what the player itself counts.
#[derive(Debug)]
pub(super) struct Check {
    /// The accounting day.
    pub(super) day: String,
    /// What is checked.
    pub(super) name: String,
    /// Whether it is so.
    pub(super) holds: bool,
    /// What was compared.
    pub(super) detail: String,
}

/// What the checks of both days found.
#[derive(Debug)]
pub(super) struct Verdict {
    /// The trial balances of both days.
    pub(super) trials: Vec<Value>,
    /// Every check.
    pub(super) checks: Vec<Check>,
}

impl Verdict {
    /// Whether every check holds.
    pub(super) fn holds(&self) -> bool {
        !self.checks.is_empty() && self.checks.iter().all(|check| check.holds)
    }
}

/// Declares the central bank's balances, closes both days and writes the statements; `checks` are those made before.
pub(super) async fn close_both_days(
    stage: &Stage,
    cast: &Cast,
    day: &Day,
    statement: &Statement,
    mut checks: Vec<Check>,
    talk: &mut Talk,
) -> Result<Verdict> {
    statement.declare(stage).await?;
    close(stage, DAY, &mut checks).await?;
    stage.done("/v1/days/cut", "cut-2", json!({ "next": DAY_AFTER })).await?;
    close(stage, NEXT_DAY, &mut checks).await?;
    let mut trials = Vec::new();
    for day in [DAY, NEXT_DAY] {
        trials.push(stage.operator.get(&format!("/v1/days/{day}/trial-balance")).await?);
    }
    checks.extend(statement.agrees(&trials)?);
    checks.push(every_order_once(stage, day).await?);
    let (folder, written) = statements(stage, cast).await?;
    let broken = checks.iter().filter(|check| !check.holds).count();
    talk.phase(&format!(
        "7 closed {DAY} and {NEXT_DAY}: {} checks, {broken} broken; {written} statements in {}",
        checks.len(),
        folder.display()
    ));
    Ok(Verdict { trials, checks })
}

async fn close(stage: &Stage, day: &str, checks: &mut Vec<Check>) -> Result<()> {
    let answer = stage.done(&format!("/v1/days/{day}/close"), &format!("close-{day}"), Value::Null).await?;
    let found = answer.get("checks").and_then(Value::as_array).context("an answer without 'checks'")?;
    for check in found {
        let of = |key: &str| check.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let holds = check.get("holds").and_then(Value::as_bool).unwrap_or_default();
        checks.push(Check { day: day.to_owned(), name: of("name"), holds, detail: of("detail") });
    }
    Ok(())
}

/// Every order that was acknowledged is there, once, and no other.
async fn every_order_once(stage: &Stage, day: &Day) -> Result<Check> {
    let placed: BTreeSet<&str> = day.placed.iter().map(|placed| placed.id.as_str()).collect();
    let mut listed = Vec::new();
    // Lists follow about a second behind.
    for _ in 0..50 {
        listed = stage.all("/v1/orders").await?;
        if listed.len() >= placed.len() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let of = |row: &Value, key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let ids: BTreeSet<String> = listed.iter().map(|row| of(row, "id")).collect();
    let numbers: BTreeSet<String> = listed.iter().map(|row| of(row, "out_trade_no")).collect();
    let same = ids.len() == placed.len() && placed.iter().all(|id| ids.contains(*id));
    let holds = same && numbers.len() == listed.len() && placed.len() == day.placed.len();
    let detail =
        format!("{} acknowledged, {} on the books, {} different numbers", placed.len(), ids.len(), numbers.len());
    Ok(Check { day: DAY.to_owned(), name: "every_order_once".to_owned(), holds, detail })
}

async fn statements(stage: &Stage, cast: &Cast) -> Result<(PathBuf, usize)> {
    let folder = stage.data_dir().join("statements").join(DAY);
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let merchants: Vec<_> = cast.merchants().cloned().collect();
    let written = each(merchants, stage.concurrency, |_, merchant| {
        let (api, folder) = (stage.operator.clone(), folder.clone());
        async move {
            for (name, account) in [("pending", &merchant.pending), ("available", &merchant.available)] {
                let target = format!("/v1/accounts/{account}/statement?from={DAY}&to={DAY}&limit=100000");
                let answer = api.read(&target, "text/csv").await?;
                ensure!(answer.status == 200, "{target}: {}", String::from_utf8_lossy(&answer.body));
                let path = folder.join(format!("{}-{name}.csv", merchant.id));
                std::fs::write(&path, &answer.body).with_context(|| format!("writing {}", path.display()))?;
            }
            Ok(1_usize)
        }
    })
    .await?;
    Ok((folder, written.into_iter().sum()))
}
