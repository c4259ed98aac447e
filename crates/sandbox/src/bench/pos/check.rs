//! What must hold afterwards: terminals, platform and network have the same books.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::Value;

use super::load::{Sold, settle};
use crate::card_network::process::NetworkProcess;
use crate::play::card_stage::nothing_open;
use crate::play::stage::{Stage, text};
use crate::terminal::Terminal;

/// For what the network still owes an answer to, and for lists to show all.
const PATIENCE: Duration = Duration::from_secs(300);

/// The books, compared.
#[derive(Debug, Default)]
pub(super) struct Books {
    /// Sales that were reversed, each once.
    pub(super) reversed: u64,
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
        network: &NetworkProcess,
        terminals: Vec<Terminal>,
        sold: &mut Sold,
    ) -> Result<Self> {
        let [balanced, unbalanced] = settle(terminals).await?;
        let (balanced, unbalanced) = (balanced + sold.closed[0], unbalanced + sold.closed[1]);
        let position = nothing_open(stage, PATIENCE).await?;
        let all = async |status: &str| {
            stage.all(&format!("/v1/card-transactions?status={status}&min_position={position}")).await
        };
        let (approved, reversed) = (all("approved").await?, all("reversed").await?);
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
        let failed = sold.declined.get("98").copied().unwrap_or_default() + sold.unheard;
        let reversed_count = reversed.len() as u64;
        ensure!(reversed_count == failed, "{failed} sales timed out, and {reversed_count} were reversed");
        let once = |row: &&Value| row.pointer("/reversal/begun").and_then(Value::as_u64) == Some(1);
        let reversed_once = reversed.iter().filter(once).count() as u64;
        ensure!(reversed_once == reversed_count, "of {reversed_count} reversals {reversed_once} were begun once");
        ensure!(
            of("reversed") == i64::try_from(reversed_count)?,
            "of {reversed_count} reversals, the network has {theirs}"
        );
        let days = stage.operator.get("/v1/days").await?;
        let target = format!("/v1/days/{}/trial-balance", text(&days, "current")?);
        let balance = stage.operator.get(&target).await?;
        ensure!(balance.get("balanced") == Some(&Value::Bool(true)), "the books do not balance: {balance}");
        Ok(Self { reversed: reversed_count, balanced, unbalanced })
    }
}
