//! Two-phase transfers: money is held, then moved. Two requests each, for there is no bulk form of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow};
use tokio::sync::mpsc::Receiver;

use super::connection::{Connection, Signer};
use super::load::{Lane, Shared};
use super::postings::Transfer;

/// How long a hold lasts unless it is confirmed, in seconds: longer than any run.
const LASTS: u64 = 86_400;

/// Holds and confirms what comes.
///
/// # Errors
/// If the platform refuses something or the connection breaks.
pub(crate) async fn lane(
    mut chunks: Receiver<Vec<Transfer>>,
    mut connection: Connection,
    signer: Signer,
    shared: Arc<Shared>,
) -> Result<Lane> {
    /// Keys are the process's: lanes share them.
    static KEYS: AtomicU64 = AtomicU64::new(1);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let until = jiff::Timestamp::from_second(i64::try_from(now + LASTS)?).map_err(|error| anyhow!("{error}"))?;
    let mut lane = Lane::default();
    while let Some(chunk) = chunks.recv().await {
        for Transfer { debit, credit, amount } in chunk {
            if shared.stop.is_asked() {
                return Ok(lane);
            }
            let key = KEYS.fetch_add(1, Ordering::Relaxed);
            let body =
                format!(r#"{{"account":"acc_{debit}","amount":{amount},"currency":"CNY","expires_at":"{until}"}}"#);
            let place = signer.json("/v1/holds", &format!("bench-hold-{key}"), &body)?;
            let began = Instant::now();
            let hold = connection.exchange(&place).await?.text("id").context("holding money")?;
            let to = format!(r#"{{"to":"acc_{credit}"}}"#);
            let confirm = signer.json(&format!("/v1/holds/{hold}/confirm"), &format!("bench-confirm-{key}"), &to)?;
            connection.exchange(&confirm).await?.text("id").context("confirming a hold")?;
            lane.times_ms.push(began.elapsed().as_secs_f64() * 1_000.0);
            lane.transfers += 1;
            lane.amount += i128::from(amount);
            shared.done.fetch_add(1, Ordering::Relaxed);
        }
    }
    Ok(lane)
}
