//! What must hold afterwards: terminals, platform and network have the same books.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::Value;

use super::load::{Sold, settle};
use super::network::Network;
use crate::play::stage::{Stage, text};
use crate::terminal::Terminal;

/// For what the network still owes an answer to, and for lists to show all.
const PATIENCE: Duration = Duration::from_secs(300);

/// The books, compared.
#[derive(Debug, Default)]
pub(super) struct Books {
    /// Sales that were reversed.
    pub(super) reversed: u64,
    /// Of which the reversal was begun more than once.
    pub(super) reversed_twice: u64,
    /// Batches.
    pub(super) balanced: u64,
    pub(super) unbalanced: u64,
}

impl Books {
    /// Compares them, once the terminals have settled and nothing waits for the network any more.
    ///
    /// # Errors
    /// If they differ, with what differs.
    pub(super) async fn compare(
        stage: &Stage,
        network: &Network,
        terminals: Vec<Terminal>,
        sold: &mut Sold,
    ) -> Result<Self> {
        let [balanced, unbalanced] = settle(terminals).await?;
        let (balanced, unbalanced) = (balanced + sold.closed[0], unbalanced + sold.closed[1]);
        nothing_open(stage, sold.count()).await?;
        let approved = stage.all("/v1/card-transactions?status=approved").await?;
        let reversed = stage.all("/v1/card-transactions?status=reversed").await?;
        let amount: i64 = approved.iter().filter_map(|row| row.get("amount").and_then(Value::as_i64)).sum();
        ensure!(
            (approved.len() as u64, amount) == (sold.approved, sold.amount),
            "terminals saw {} sales of {} approved, the platform has {} of {amount}",
            sold.approved,
            sold.amount,
            approved.len(),
        );
        let theirs = network.books().await?;
        let of = |name: &str| theirs.get(name).and_then(Value::as_i64).unwrap_or(-1);
        ensure!(
            (of("taken_count"), of("taken")) == (i64::try_from(sold.approved)?, sold.amount),
            "the platform has {} sales of {amount}, the network's books hold {theirs}",
            approved.len(),
        );
        let begun = |row: &&Value| row.pointer("/reversal/begun").and_then(Value::as_u64) != Some(1);
        let reversed_twice = reversed.iter().filter(begun).count() as u64;
        ensure!(of("reversed") <= i64::try_from(reversed.len())?, "the network reversed more: {theirs}");
        let failed = sold.declined.get("98").copied().unwrap_or_default() + sold.unheard;
        ensure!(
            reversed.len() as u64 <= failed,
            "{} sales were reversed, and terminals saw {failed} fail without a word of the network",
            reversed.len(),
        );
        let days = stage.operator.get("/v1/days").await?;
        let target = format!("/v1/days/{}/trial-balance", text(&days, "current")?);
        let balance = stage.operator.get(&target).await?;
        ensure!(balance.get("balanced") == Some(&Value::Bool(true)), "the books do not balance: {balance}");
        Ok(Self { reversed: reversed.len() as u64, reversed_twice, balanced, unbalanced })
    }
}

/// Waits until the lists show every sale, and no reversal is under way.
async fn nothing_open(stage: &Stage, count: u64) -> Result<()> {
    let began = Instant::now();
    loop {
        let mut open = 0;
        for status in ["requested", "unknown", "reversing"] {
            let page = stage.operator.get(&format!("/v1/card-transactions?status={status}&limit=500")).await?;
            open += page.get("data").and_then(Value::as_array).map_or(0, Vec::len);
        }
        // Ids count up from one: with the last one shown, all are.
        let last = stage.operator.send("GET", &format!("/v1/card-transactions/ctx_{count}"), &[], Vec::new()).await?;
        let shown = last.status == 200;
        if open == 0 && shown {
            return Ok(());
        }
        ensure!(began.elapsed() < PATIENCE, "{open} sales wait for the network after {} s", PATIENCE.as_secs());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
