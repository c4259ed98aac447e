//! How long a start takes when nothing of a million transfers was projected: killed right after the last answer, tables and
//! files of history taken away, so that all of it comes from the journal.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::books::custody_accounts;
use super::posting::{Form, Posting};
use crate::process::{Launch, lintel_binary};

/// Accounts that the transfers go between.
const ACCOUNTS: usize = 10_000;
/// The most vouchers of one posting; on average half of it.
const BATCH: u64 = 16_000;

/// What was measured.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cold {
    /// Vouchers in the journal.
    pub(super) vouchers: u64,
    /// From the program's start until it listened.
    pub(super) start: Duration,
}

/// Measures it with at least so many vouchers.
///
/// # Errors
/// If the platform does not start, or has not everything that was acknowledged.
pub(super) async fn measure(
    data_dir: PathBuf,
    lintel: Option<PathBuf>,
    sets: &[String],
    vouchers: u64,
    seed: u64,
) -> Result<Cold> {
    let args = sets.iter().flat_map(|set| ["--set".to_owned(), set.clone()]).collect();
    let launch =
        Launch { binary: lintel_binary(lintel)?, data_dir, listen: "127.0.0.1:0".into(), args, own_group: false };
    let mut platform = launch.start()?;
    let api = launch.api(&platform, "operator")?;
    let accounts = custody_accounts(&api, ACCOUNTS).await?;
    let (mut sent, mut number, mut balance) = (0, 0, 0_i64);
    let first = accounts.first().copied().context("there are accounts")?;
    while sent < vouchers {
        number += 1;
        let posting = Posting::of("cold", number, seed, &accounts, BATCH);
        let headers = [("content-type", Form::Cbor.content_type())];
        let answer = api.send("POST", "/v1/postings", &headers, posting.body(Form::Cbor)?).await?;
        ensure!(answer.status == 200, "posting {number}: {}", String::from_utf8_lossy(&answer.body));
        posting.check(Form::Cbor, &answer.body)?;
        let own = posting.effects().filter(|effect| effect.account == first);
        balance += own.map(|effect| effect.balance).sum::<i64>();
        sent += posting.len();
    }
    platform.process.kill()?;
    forget(&launch.data_dir)?;
    let began = Instant::now();
    let platform = launch.start()?;
    let start = began.elapsed();
    let api = launch.api(&platform, "operator")?;
    let seen = api.get("/v1/postings/cold").await?;
    ensure!(seen.get("mark").and_then(Value::as_u64) == Some(number), "{number} postings were acknowledged: {seen}");
    let seen = api.get(&format!("/v1/accounts/acc_{first}")).await?;
    ensure!(
        seen.get("balance").and_then(Value::as_i64) == Some(balance),
        "acc_{first} must stand at {balance}: {seen}"
    );
    platform.process.stop()?;
    Ok(Cold { vouchers: sent, start })
}

/// Takes away everything that follows the journal.
fn forget(data_dir: &Path) -> Result<()> {
    for name in ["store.db", "store.db-wal", "store.db-shm"] {
        let path = data_dir.join(name);
        if path.exists() {
            std::fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
        }
    }
    let lake = data_dir.join("lake");
    if lake.exists() {
        std::fs::remove_dir_all(&lake).with_context(|| format!("removing {}", lake.display()))?;
    }
    Ok(())
}
