//! The networks on the day, by the committed plan ([`crate::day_plan`]): answers of all of them that are lost, slow or doubled; EPCC's
//! two sites, one of which is down while the busiest tenth of the orders comes; debits that it refuses and that go on over UnionPay by
//! the rules of a file; payments that it tells have come back. Payers' pages: [`super::orders`].
//!
//! ```text
//!  hours of the curve ─ site beijing down ─ busiest tenth: found, drained, nothing sent twice ─ it is back ─ hours of the curve
//!  a card with agreements at both networks ─► epcc ─ refused by a bank ─► unionpay
//! ```

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::close::Check;
use super::open::Cast;
use super::orders::Day;
use super::stage::{DAY, NEXT_DAY, each};
use super::{Stage, Talk};
use crate::bank::{
    DEFAULT_PLAN, EpccKeys, Plan, RailRates, Rates, SANDBOX_EPCC_INSTITUTION, SANDBOX_EPCC_NUMBER,
    SANDBOX_EPCC_PLATFORM_KEY, Shares, Verb,
};
use crate::day_plan::{DayPlan, HOUR};

/// EPCC's sites, by their number among the bank's addresses; the first address is for everybody else.
const SITES: [(usize, &str); 2] = [(2, "beijing"), (3, "shanghai")];
/// How long a site may take to be drained, and a return to be told.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long the platform waits for an answer on this day, in milliseconds. On the plan's it is longer: so much faster is this clock.
pub(super) const TIMEOUT_MS: u64 = 250;
/// The hour from which on the cards, splits and refunds of the day are played; the orders that come later, when it is cut.
const EVENING: usize = 19 * HOUR;
/// From so many operations on each kind of fault must have been there.
const EACH_FROM: u64 = 150;
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

/// So many debits of 10,000 EPCC's banks refuse for a reason of theirs.
const REFUSED: u32 = 500;

/// How many addresses the bank needs.
pub(super) const ADDRESSES: usize = 1 + SITES.len();

/// Writes what goes wrong at the bank; its path.
pub(super) fn plan(data_dir: &Path) -> Result<PathBuf> {
    let path = data_dir.join("faults.toml");
    let text = toml::to_string(&faults(&day_plan()?)?).context("writing the plan of faults")?;
    std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    Ok(path)
}

/// The committed plan of the day.
pub(super) fn day_plan() -> Result<DayPlan> {
    let plan = DayPlan::committed().context("reading the plan of the day")?;
    let (rail, site) = (&plan.outage.rail, plan.outage.site);
    ensure!(
        rail == "epcc" && site == 1,
        "the plan of the day: [outage]: the day plays site 1 of epcc, not {site} of {rail}"
    );
    ensure!(
        plan.executor.timeout_ms >= TIMEOUT_MS,
        "the plan of the day: [executor]: timeout_ms is below {TIMEOUT_MS}"
    );
    Ok(plan)
}

/// The plan's shares of lost, slow and doubled answers, of every verb and network; of what it does not name, the sandbox's default.
fn faults(day: &DayPlan) -> Result<Plan> {
    let mut plan = Plan::parse(DEFAULT_PLAN).context("reading the default plan of faults")?;
    let verbs = [
        &mut plan.debit,
        &mut plan.refund,
        &mut plan.pay,
        &mut plan.hold,
        &mut plan.capture,
        &mut plan.release,
        &mut plan.redirect,
    ];
    for rates in verbs {
        *rates = Rates { lost_after: 0, late: 0, twice: 0, ..std::mem::take(rates) };
    }
    plan.shares = Shares { lost: day.faults.lost, slow: day.faults.slow, doubled: day.faults.doubled };
    // In the middle of the time in which the plan lets a slow answer come.
    plan.late_ms = TIMEOUT_MS + (day.faults.slow_ms * TIMEOUT_MS / day.executor.timeout_ms / 2).max(1);
    plan.rail = vec![RailRates { name: "epcc".to_owned(), decline: REFUSED, code: "30000001".to_owned() }];
    Ok(plan)
}

/// The settings of the channel with its sites, and of routing.
pub(super) fn settings(data_dir: &Path, addresses: &[String]) -> Result<String> {
    let rules = data_dir.join("routing.toml");
    std::fs::write(&rules, RULES).with_context(|| format!("writing {}", rules.display()))?;
    let mut text = format!("[routing]\nfile = \"{}\"\n\n{BREAKER}[[channels]]\nname = \"epcc\"\n", rules.display());
    let weights = day_plan()?.sites.weights;
    for ((number, name), weight) in SITES.into_iter().zip(weights) {
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

/// The orders until the evening by the curve, with EPCC's first site down in the busiest tenth of them all.
pub(super) async fn morning(stage: &Stage, cast: &Cast, day: &mut Day, talk: &mut Talk) -> Result<Vec<Check>> {
    let (down, up) = day.plan.outage_minutes();
    day.play(stage, cast, down, talk).await?;
    let before = day.placed.len();
    site(stage, false).await?;
    let began = Instant::now();
    let placing = day.play(stage, cast, up, talk);
    let (placed, drained) = tokio::join!(placing, until_drained(stage));
    placed?;
    let drained = drained?.then(|| began.elapsed());
    let down_ms = began.elapsed().as_millis();
    site(stage, true).await?;
    let inside = day.placed.len() - before;
    day.play(stage, cast, EVENING, talk).await?;
    let open = stage.settle_down(Duration::from_secs(120)).await?;
    let per_second = day.placed.len() as f64 / day.spent.as_secs_f64();
    let (_, name) = SITES[0];
    let told =
        drained.map_or_else(|| "not drained".to_owned(), |after| format!("drained after {} ms", after.as_millis()));
    talk.phase(&format!(
        "2 took {} orders by the plan's curve, {per_second:.0} a second; EPCC's site {name} was down for {down_ms} ms, in which \
         {inside} of them came, and {told}; {open} attempts are unknown and stay so until the bank or time tells",
        day.placed.len()
    ));
    Ok(vec![check(DAY, "epcc_site_drained", drained.is_some(), format!("site {name} {told}"))])
}

fn check(day: &str, name: &str, holds: bool, detail: String) -> Check {
    Check { day: day.to_owned(), name: name.to_owned(), holds, detail }
}

async fn site(stage: &Stage, up: bool) -> Result<()> {
    let (number, _) = SITES[0];
    stage.bank("POST", "/sandbox/site", &json!({ "site": number, "up": up })).await.map(|_| ())
}

/// Whether new requests stop going to the site that is down.
async fn until_drained(stage: &Stage) -> Result<bool> {
    let (_, name) = SITES[0];
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

/// Whether the bank lost, delayed and doubled as many answers as the plan has of what it was asked.
pub(super) async fn faults_played(stage: &Stage, day: &Day, talk: &mut Talk) -> Result<Check> {
    let stats = stage.bank("GET", "/sandbox/stats", &Value::Null).await?;
    let count = |verbs: &[Verb], key: &str| -> u64 {
        let of = |verb: &Verb| stats.pointer(&format!("/verbs/{}/{key}", verb.name())).and_then(Value::as_u64);
        verbs.iter().filter_map(of).sum()
    };
    let told: &[Verb] = &[Verb::Debit, Verb::Refund, Verb::Pay];
    let faults = &day.plan.faults;
    let kinds = [
        ("lost", Verb::ALL, "lost_after", faults.lost),
        ("slow past the time-out", Verb::ALL, "late", faults.slow),
        ("doubled", told, "twice", faults.doubled),
    ];
    let (mut holds, mut lines) = (true, Vec::new());
    for (what, verbs, key, share) in kinds {
        let (received, found) = (count(verbs, "received"), count(verbs, key));
        holds &= as_planned(received, found, share);
        lines.push(format!("{found} of {received} {what} (planned {} %)", f64::from(share) / 100.0));
    }
    let detail = lines.join(", ");
    talk.phase(&format!("  the bank's answers: {detail}"));
    Ok(check(DAY, "faults_as_planned", holds, detail))
}

/// Whether of so many operations as many have a fault as its share of 10,000 asks for: one more or less, and one at least once there
/// are some operations.
fn as_planned(received: u64, found: u64, share: u32) -> bool {
    let due = received * u64::from(share) / 10_000;
    let some = found > 0 || received < EACH_FROM || share == 0;
    some && found + 1 >= due && found <= due + 1
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_has_the_faults_of_the_committed_plan() {
        let day = day_plan().unwrap();
        let plan = faults(&day).unwrap();
        assert_eq!(plan.shares, Shares { lost: 100, slow: 50, doubled: 10 });
        for rates in Verb::ALL.iter().map(|verb| plan.rates(*verb)) {
            assert_eq!((rates.lost_after, rates.late, rates.twice), (0, 0, 0));
        }
        // A slow answer never comes in time.
        assert!(plan.late_ms > TIMEOUT_MS);
        assert_eq!(Plan::parse(&toml::to_string(&plan).unwrap()).unwrap(), plan);
    }

    #[test]
    fn faults_are_as_planned_within_one() {
        assert!(as_planned(10_000, 100, 100) && as_planned(10_000, 101, 100) && as_planned(10_000, 99, 100));
        assert!(!as_planned(10_000, 102, 100) && !as_planned(10_000, 98, 100));
        assert!(as_planned(300, 1, 10) && !as_planned(300, 0, 10) && as_planned(100, 0, 10));
    }
}
