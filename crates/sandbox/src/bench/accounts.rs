//! The accounts of a run: opened over many connections, and funded where they may not go below zero.
//!
//! They are custody sub-accounts (9201) of the institution, which may or may not be overdrawn as they are opened.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, ensure};
use tokio::task::JoinSet;

use super::connection::{Connection, Signer};
use super::load::Stop;
use super::postings::{AMOUNT_MAX, Accounts, Transfer};
use super::preset::{Codec, Plan};
use super::progress::{Progress, thousands};

/// Connections that open accounts.
const WIDTH: u64 = 4;
/// Accounts opened by one request.
const BATCH: u64 = 2_000;
/// Transfers of one funding posting.
const FUNDING_BATCH: u64 = 8_000;

/// Opens the accounts of a plan.
///
/// # Errors
/// If the platform refuses one, or was asked for others meanwhile.
pub(crate) async fn open(plan: &Plan, signer: &Signer, stop: &Arc<Stop>, progress: &Arc<Progress>) -> Result<Accounts> {
    let next = Arc::new(AtomicU64::new(0));
    let mut lanes = JoinSet::new();
    for _ in 0..WIDTH.min(plan.accounts) {
        let (plan, signer, stop, progress, next) =
            (*plan, signer.clone(), stop.clone(), progress.clone(), next.clone());
        lanes.spawn(async move { lane(plan, &signer, &stop, &progress, &next).await });
    }
    let (mut first, mut last, mut count) = (u64::MAX, 0, 0);
    while let Some(lane) = lanes.join_next().await {
        let opened = lane.context("opening accounts")??;
        (first, last, count) = (first.min(opened.first), last.max(opened.last), count + opened.count);
    }
    ensure!(!stop.is_asked(), "stopped while accounts were opened: there is nothing to report");
    ensure!(
        count == plan.accounts && last - first + 1 == count,
        "{count} accounts got the ids {first} to {last}; a benchmark needs books of its own"
    );
    Ok(Accounts { first, count })
}

/// What one connection opened.
struct Opened {
    first: u64,
    last: u64,
    count: u64,
}

async fn lane(plan: Plan, signer: &Signer, stop: &Stop, progress: &Progress, next: &AtomicU64) -> Result<Opened> {
    let mut connection = Connection::open(signer.host()).await?;
    let mut opened = Opened { first: u64::MAX, last: 0, count: 0 };
    loop {
        let from = next.fetch_add(BATCH, Ordering::Relaxed);
        if from >= plan.accounts || stop.is_asked() {
            return Ok(opened);
        }
        let count = BATCH.min(plan.accounts - from);
        let first =
            open_many(&mut connection, signer, stop, &format!("bench-accounts-{from}"), plan.overdraft, count).await?;
        let last = opened.last.max(first + count - 1);
        opened = Opened { first: opened.first.min(first), last, count: opened.count + count };
        progress.now_and_then(|| format!("{} of {} accounts open", thousands(from), thousands(plan.accounts)));
    }
}

/// Opens so many accounts by one request; gives the first one's number.
async fn open_many(
    connection: &mut Connection,
    signer: &Signer,
    stop: &Stop,
    key: &str,
    overdraft: bool,
    count: u64,
) -> Result<u64> {
    let one = format!(r#"{{"subject":9201,"currency":"CNY","owner":"institution","overdraft":{overdraft}}}"#);
    let body = format!(r#"{{"accounts":[{}]}}"#, vec![one; usize::try_from(count)?].join(","));
    let make = || Ok(signer.json("/v1/accounts/batch", key, &body)?.into());
    let reply = connection.patiently(make, || !stop.is_asked()).await?;
    let first = reply.text("first").context("opening accounts")?;
    let number = first.strip_prefix("acc_").and_then(|number| number.parse().ok());
    number.with_context(|| format!("'{first}' is no id of an account"))
}

/// Gives each account more than the whole run can take from it; gives the sum.
///
/// # Errors
/// If the platform refuses it.
pub(crate) async fn fund(plan: &Plan, accounts: Accounts, signer: &Signer, stop: &Stop) -> Result<i128> {
    let mut connection = Connection::open(signer.host()).await?;
    let source = open_many(&mut connection, signer, stop, "bench-source", true, 1).await?;
    let amount = funding(plan);
    let mut funded = 0;
    for (number, from) in (1..).zip((0..accounts.count).step_by(usize::try_from(FUNDING_BATCH)?)) {
        let to = accounts.count.min(from + FUNDING_BATCH);
        let transfers: Vec<Transfer> =
            (from..to).map(|at| Transfer { debit: source, credit: accounts.first + at, amount }).collect();
        let (body, sum) = Codec::Cbor.posting("bench-funding", number, transfers.into_iter());
        let make = || Ok(signer.request("POST", "/v1/postings", Codec::Cbor.header(), &body)?.into());
        let reply = connection.patiently(make, || !stop.is_asked()).await?;
        let words = || String::from_utf8_lossy(reply.body);
        ensure!(reply.status == 200, "funding accounts: {}: {}", reply.status, words());
        ensure!(Codec::Cbor.accepts_all(reply.body), "an account was not funded: {}", words());
        funded += sum;
    }
    Ok(funded)
}

/// What an account is funded with: the sum of all transfers at their largest, or less where all accounts together would
/// leave 64 bits.
fn funding(plan: &Plan) -> i64 {
    let transfers = i64::try_from(plan.transfers).unwrap_or(i64::MAX);
    let accounts = i64::try_from(plan.accounts).unwrap_or(i64::MAX);
    transfers.saturating_mul(AMOUNT_MAX).min(i64::MAX / 4 / accounts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::preset::Preset;

    #[test]
    fn an_account_is_funded_for_all_that_may_leave_it_and_the_source_stays_within_64_bits() {
        let strict = Preset::Strict.plan();
        assert_eq!(funding(&strict), 100_000_000_000);
        let huge = Plan { accounts: 10_000_000, transfers: 100_000_000, ..strict };
        assert!(i128::from(funding(&huge)) * 10_000_000 < i128::from(i64::MAX));
        assert!(funding(&huge) > 1_000 * AMOUNT_MAX);
    }
}
