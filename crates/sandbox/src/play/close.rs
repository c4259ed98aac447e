//! Phase 5: both days are closed, and each merchant's statement of the day is written.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::open::Cast;
use super::stage::{DAY, DAY_AFTER, NEXT_DAY, each};
use super::{Stage, Talk};

/// What the checks of both days found.
#[derive(Debug)]
pub(super) struct Verdict {
    /// The trial balance of the first day.
    pub(super) trial: Value,
    /// (day, check, holds, detail).
    pub(super) checks: Vec<(String, String, bool, String)>,
}

impl Verdict {
    /// Whether every check holds.
    pub(super) fn holds(&self) -> bool {
        !self.checks.is_empty() && self.checks.iter().all(|(_, _, holds, _)| *holds)
    }
}

/// Closes both days and writes the statements.
pub(super) async fn close_both_days(stage: &Stage, cast: &Cast, talk: &mut Talk) -> Result<Verdict> {
    let mut checks = Vec::new();
    close(stage, DAY, &mut checks).await?;
    let trial = stage.operator.get(&format!("/v1/days/{DAY}/trial-balance")).await?;
    stage.done("/v1/days/cut", "cut-2", json!({ "next": DAY_AFTER })).await?;
    close(stage, NEXT_DAY, &mut checks).await?;
    let (folder, written) = statements(stage, cast).await?;
    let broken = checks.iter().filter(|(_, _, holds, _)| !holds).count();
    talk.phase(&format!(
        "5 closed {DAY} and {NEXT_DAY}: {} checks, {broken} broken; {written} statements in {}",
        checks.len(),
        folder.display()
    ));
    Ok(Verdict { trial, checks })
}

async fn close(stage: &Stage, day: &str, checks: &mut Vec<(String, String, bool, String)>) -> Result<()> {
    let answer = stage.done(&format!("/v1/days/{day}/close"), &format!("close-{day}"), Value::Null).await?;
    let found = answer.get("checks").and_then(Value::as_array).context("an answer without 'checks'")?;
    for check in found {
        let of = |key: &str| check.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let holds = check.get("holds").and_then(Value::as_bool).unwrap_or_default();
        checks.push((day.to_owned(), of("name"), holds, of("detail")));
    }
    Ok(())
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
