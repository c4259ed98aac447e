//! The card network of the day, a process of its own, and where terminals connect.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::Stage;
use crate::card_network::process::{MEMBER, NetworkProcess};
use crate::process::free_address;

/// How the network loses, delays and doubles answers and cuts links, of 10,000 messages.
const PLAN: &str = "late_ms = 900\nlost_before = 200\nlost_after = 250\nlate = 150\ntwice = 300\ncut = 100\n";
/// The platform's patience with the network: less than what is late there.
const ANSWER_MS: u32 = 600;

/// The card network, and where the platform lets terminals in.
#[derive(Debug)]
pub(super) struct CardStage {
    pub(super) network: NetworkProcess,
    /// The same through every restart of the platform.
    pub(super) terminals: SocketAddr,
}

impl CardStage {
    /// Starts the network.
    pub(super) fn raise(seed: u64, data_dir: &Path) -> Result<Self> {
        let network = NetworkProcess::start(data_dir, &format!("seed = {seed}\n{PLAN}"), &[])?;
        Ok(Self { network, terminals: free_address()? })
    }

    /// The settings of a platform that is connected to it.
    pub(super) fn settings(&self) -> Vec<String> {
        let answer = format!("answer_timeout_ms={ANSWER_MS}");
        let own = [
            "name=unionpay",
            "pin_block_bytes=16",
            "echo_ms=500",
            "reconnect_ms=20",
            "forward_ms=50",
            "forward_max_ms=1000",
            &answer,
        ];
        let own = own.iter().map(|setting| format!("pos.network.{setting}"));
        let named = [
            format!("pos.network.member={MEMBER}"),
            format!("pos.network.links={}", self.network.links([3, 1])),
            format!("pos.listen={}", self.terminals),
        ];
        own.chain(named).collect()
    }
}

/// Waits until the network owes no answer; the journal's position that lists must show then.
///
/// # Errors
/// If it still does after `patience`, with what is open.
pub(crate) async fn nothing_open(stage: &Stage, patience: Duration) -> Result<u64> {
    let began = Instant::now();
    loop {
        let first = stage.operator.read("/v1/card-transactions/ctx_1", "application/json").await?;
        let position = first.position.context("an answer without its position")?;
        let mut open = Vec::new();
        for status in ["requested", "unknown", "reversing"] {
            let target = format!("/v1/card-transactions?status={status}&limit=500&min_position={position}");
            let mut page = stage.operator.get(&target).await?;
            open.extend(page.get_mut("data").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default());
        }
        if open.is_empty() {
            return Ok(position);
        }
        ensure!(
            began.elapsed() < patience,
            "the card network owes {} answers after {} s, the first of {}",
            open.len(),
            patience.as_secs(),
            open.first().unwrap_or(&Value::Null),
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
