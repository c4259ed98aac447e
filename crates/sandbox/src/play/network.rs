//! EPCC on the day: two sites, one of which is down in the busy time; debits that it refuses and that go on over UnionPay by the
//! rules of a file; payments that it tells have come back. Payers' pages: [`super::orders`].
//!
//! ```text
//!  morning: orders ─ site beijing down ─ orders: drained, nothing sent twice ─ it is back ─ orders
//!  a card with agreements at both networks ─► epcc ─ refused by a bank ─► unionpay
//! ```

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::close::Check;
use super::open::Cast;
use super::orders::Day;
use super::stage::{DAY, NEXT_DAY, each};
use super::{Stage, Talk};
use crate::bank::{DEFAULT_PLAN, EpccKeys, SANDBOX_EPCC_INSTITUTION, SANDBOX_EPCC_NUMBER, SANDBOX_EPCC_PLATFORM_KEY};

/// EPCC's sites, by their number among the bank's addresses; the first address is for everybody else.
const SITES: [(usize, &str, u32); 2] = [(2, "beijing", 8), (3, "shanghai", 1)];
/// How long a site may take to be drained, and a return to be told.
const PATIENCE: Duration = Duration::from_secs(20);
/// How many orders are looked at for the cascade.
const LOOKED_AT: usize = 2_000;

/// What is drained in a minute on a real day is drained in half a second on this one.
const BREAKER: &str = "[executor.breaker]\nprobe_every_ms = 100\nwindow_ms = 2000\ncalls_min = 10\nhold_down_ms = 500\n\
    hold_down_max_ms = 2000\nramp_step_ms = 200\nchannel_open_ms = 200\nchannel_trial_ms = 50\n\n";

/// Where a card goes that has agreements at both networks.
const RULES: &str = "# Written by the day player.
[costs.epcc]
fixed = 30
[costs.unionpay]
rate = 600
cap = 2000

[[rules]]
name = \"debit cards\"
instruments = [\"debit_card\"]
channels = [\"epcc\", \"unionpay\"]
cascade = true
";

/// The default plan, and EPCC's banks refuse a debit now and then for a reason of theirs.
const REFUSALS: &str = "\n[[rail]]\nname = \"epcc\"\ndecline = 500\ncode = \"30000001\"\n";

/// How many addresses the bank needs.
pub(super) const ADDRESSES: usize = 1 + SITES.len();

/// Writes the plan of faults; its path.
pub(super) fn plan(data_dir: &Path) -> Result<PathBuf> {
    let path = data_dir.join("faults.toml");
    std::fs::write(&path, format!("{DEFAULT_PLAN}{REFUSALS}"))
        .with_context(|| format!("writing {}", path.display()))?;
    Ok(path)
}

/// The settings of the channel with its sites, and of routing.
pub(super) fn settings(data_dir: &Path, addresses: &[String]) -> Result<String> {
    let rules = data_dir.join("routing.toml");
    std::fs::write(&rules, RULES).with_context(|| format!("writing {}", rules.display()))?;
    let mut text = format!("[routing]\nfile = \"{}\"\n\n{BREAKER}[[channels]]\nname = \"epcc\"\n", rules.display());
    for (number, name, weight) in SITES {
        let address = addresses.get(number.saturating_sub(1)).context("the bank has too few addresses")?;
        writeln!(text, "[[channels.sites]]\nname = \"{name}\"\nurl = \"http://{address}\"\nweight = {weight}")?;
    }
    let peer_key = EpccKeys::sandbox().public_key();
    write!(
        text,
        "[channels.settings]\ninstitution = \"{SANDBOX_EPCC_INSTITUTION}\"\nepcc = \"{SANDBOX_EPCC_NUMBER}\"\n\
         account = \"42000010101\"\nsign_method = \"sm2\"\nkey = \"{SANDBOX_EPCC_PLATFORM_KEY}\"\nsign_sn = \"4002569999\"\n\
         peer_key = \"{peer_key}\"\n\n"
    )?;
    Ok(text)
}

/// A card that leaves the choice to the rules.
pub(super) fn routed_card(number: u64, amount: i64) -> Value {
    let agreement = format!("AGR{:08}", number % 100_000);
    json!({
        "type": "card", "agreements": { "epcc": agreement, "unionpay": agreement }, "bank": "102",
        "mask": "622202******0011", "amount": amount, "credit": false,
    })
}

/// The morning's orders, with EPCC's first site down in the middle of them.
pub(super) async fn morning(stage: &Stage, cast: &Cast, day: &mut Day, talk: &mut Talk) -> Result<Vec<Check>> {
    let third = day.left() * 7 / 30;
    day.place(stage, cast, third, talk).await?;
    site(stage, false).await?;
    let began = Instant::now();
    let placing = day.place(stage, cast, third, talk);
    let (placed, drained) = tokio::join!(placing, until_drained(stage));
    placed?;
    let drained = drained?.then(|| began.elapsed());
    site(stage, true).await?;
    day.place(stage, cast, third, talk).await?;
    let open = stage.settle_down(Duration::from_secs(120)).await?;
    let per_second = day.placed.len() as f64 / day.spent.as_secs_f64();
    let (_, name, _) = SITES[0];
    let told =
        drained.map_or_else(|| "not drained".to_owned(), |after| format!("drained after {} ms", after.as_millis()));
    talk.phase(&format!(
        "2 took {} orders, {per_second:.0} a second; EPCC's site {name} was down in the middle of them and {told}; {open} \
         attempts are unknown and stay so until the bank or time tells",
        day.placed.len()
    ));
    Ok(vec![check(DAY, "epcc_site_drained", drained.is_some(), format!("site {name} {told}"))])
}

fn check(day: &str, name: &str, holds: bool, detail: String) -> Check {
    Check { day: day.to_owned(), name: name.to_owned(), holds, detail }
}

async fn site(stage: &Stage, up: bool) -> Result<()> {
    let (number, ..) = SITES[0];
    stage.bank("POST", "/sandbox/site", &json!({ "site": number, "up": up })).await.map(|_| ())
}

/// Whether new requests stop going to the site that is down.
async fn until_drained(stage: &Stage) -> Result<bool> {
    let (_, name, _) = SITES[0];
    let line = format!("lintel_site_weight{{channel=\"epcc\",site=\"{name}\"}}");
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        let answer = stage.operator.read("/metrics", "text/plain").await?;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let weight = text.lines().find_map(|told| told.strip_prefix(&line)?.trim().parse::<f64>().ok());
        if weight.is_some_and(|weight| weight < 0.5) {
            return Ok(true);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(false)
}

/// Orders that EPCC refused and UnionPay carried; there must be some once enough were routed.
pub(super) async fn cascaded(stage: &Stage, day: &Day, talk: &mut Talk) -> Result<Check> {
    let routed: Vec<String> =
        day.placed.iter().filter(|placed| placed.routed).take(LOOKED_AT).map(|placed| placed.id.clone()).collect();
    let count = routed.len();
    let went_on = each(routed, stage.concurrency, |_, id| {
        let api = stage.operator.clone();
        async move { Ok(went_on(&api.get(&format!("/v1/orders/{id}")).await?)) }
    })
    .await?;
    let both = went_on.into_iter().filter(|went_on| *went_on).count();
    talk.phase(&format!(
        "  of {count} orders that rules routed, EPCC refused {both} for a bank's sake and UnionPay carried them"
    ));
    let enough = both > 0 || count < 100;
    Ok(check(DAY, "cascade", enough, format!("{both} of {count} routed orders went on to UnionPay after a refusal")))
}

/// Whether one network failed and the next one took it.
fn went_on(order: &Value) -> bool {
    let legs = order.get("legs").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let there = |rail: &str, status: &str| {
        let is = |leg: &Value, key: &str, text: &str| leg.get(key).and_then(Value::as_str) == Some(text);
        legs.iter().any(|leg| is(leg, "rail", rail) && is(leg, "status", status))
    };
    there("epcc", "failed") && there("unionpay", "captured")
}

/// Waits for what EPCC tells to have come back; how many it was, and whether the books have them all.
pub(super) async fn returned(stage: &Stage) -> Result<(u64, Check)> {
    let began = Instant::now();
    loop {
        let stats = stage.bank("GET", "/sandbox/stats", &Value::Null).await?;
        let told = stats.get("returned").and_then(Value::as_u64).unwrap_or_default();
        let booked = stage.all("/v1/payouts?status=returned").await?.len() as u64;
        if booked >= told || began.elapsed() > PATIENCE {
            let detail = format!("{told} payments came back, {booked} are booked as returned");
            return Ok((booked, check(NEXT_DAY, "returns_booked", booked == told, detail)));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
