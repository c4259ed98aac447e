//! Phase 6: two authorities freeze one landlord's money. The second waits in the queue for what the first leaves; the first
//! deducts what it froze, by two people, and the second moves up.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::close::Check;
use super::open::Merchant;
use super::staff::Staff;
use super::stage::{NEXT_DAY, text};
use super::{Stage, Talk};

const COURT: &str = "district court";
const TAX: &str = "tax bureau";
/// A bank declines now and then; then the order is carried out again.
const TRIES: usize = 3;

/// What is seen of a freeze.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    status: String,
    place: Option<i64>,
    bitten: i64,
    frozen: i64,
}

/// Freezes, queues, deducts.
pub(super) async fn session(
    stage: &Stage,
    debtor: &Merchant,
    staff: &mut Staff,
    talk: &mut Talk,
) -> Result<Vec<Check>> {
    let available = balance(stage, &debtor.available).await?;
    ensure!(available >= 3, "{} has {available} available, too little for two freezes", debtor.id);
    let (first, second) = (available * 2 / 3, available);
    let court = freeze(stage, debtor, COURT, first).await?;
    let tax = freeze(stage, debtor, TAX, second).await?;
    let queued = (seen(stage, &court).await?, seen(stage, &tax).await?);
    let (payout, status) = deduct(stage, staff, &court, first).await?;
    let after = (seen(stage, &court).await?, seen(stage, &tax).await?);
    let left = balance(stage, &debtor.available).await?;
    talk.phase(&format!(
        "6 froze {first} and {second} of the {available} that {} had: the {TAX} stood at place {} and took the {} that the \
         {COURT} left; deducted {first} by two officers ({payout} {status}), and the {TAX} is at place {}",
        debtor.id,
        queued.1.place.unwrap_or_default(),
        queued.1.bitten,
        after.1.place.unwrap_or_default(),
    ));
    let in_force = |place, bitten, frozen| Seen { status: "in_force".to_owned(), place: Some(place), bitten, frozen };
    let expected = (in_force(1, first, first), in_force(2, available - first, second));
    // Money and freeze go down together when it is sent, and come back together if it does not arrive.
    let came_back = matches!(status.as_str(), "failed" | "returned");
    let stands = if came_back {
        after == queued && left == available
    } else {
        let deducted = Seen { status: "deducted".to_owned(), place: None, bitten: 0, frozen: 0 };
        after == (deducted, in_force(1, available - first, second)) && left == available - first
    };
    let one = |name: &str, holds, detail| Check { day: NEXT_DAY.to_owned(), name: name.to_owned(), holds, detail };
    Ok(vec![
        one("freeze_queued", queued == expected, format!("{queued:?}")),
        one(
            "freeze_deducted",
            stands,
            format!("{payout} {status}: {left} left of {available}; the second then {:?}", after.1),
        ),
    ])
}

async fn balance(stage: &Stage, account: &str) -> Result<i64> {
    let account = stage.operator.get(&format!("/v1/accounts/{account}")).await?;
    account.get("balance").and_then(Value::as_i64).context("an account without 'balance'")
}

async fn freeze(stage: &Stage, debtor: &Merchant, authority: &str, amount: i64) -> Result<String> {
    let body = json!({
        "account": debtor.available, "amount": amount, "currency": "CNY", "reason": "enforcement",
        "authority": authority, "document": format!("2026-{amount}"),
    });
    text(&stage.done("/v1/freezes", &format!("freeze-{authority}"), body).await?, "id")
}

async fn seen(stage: &Stage, freeze: &str) -> Result<Seen> {
    let freeze = stage.operator.get(&format!("/v1/freezes/{freeze}")).await?;
    let number = |key: &str| freeze.get(key).and_then(Value::as_i64);
    Ok(Seen {
        status: text(&freeze, "status")?,
        place: number("queue_place"),
        bitten: number("bitten").unwrap_or_default(),
        frozen: number("frozen").unwrap_or_default(),
    })
}

/// One officer proposes, the other approves; again if the bank declines. The last payout and where it stands.
async fn deduct(stage: &Stage, staff: &mut Staff, freeze: &str, amount: i64) -> Result<(String, String)> {
    let mut last = (String::new(), String::new());
    for number in 1..=TRIES {
        let body = json!({
            "amount": amount, "authority": COURT, "document": format!("2026-{number}"), "reason": "ruling",
            "bank_account": { "account": "6222000000000118", "holder": COURT },
        });
        let path = format!("/v1/freezes/{freeze}/deductions");
        let proposed = staff.person("risk.one")?.api.post(&path, &format!("deduct-{number}"), &body).await?.json()?;
        let payout = staff.approve("risk.two", &proposed).await?;
        stage.settle_down(Duration::from_secs(60)).await?;
        let status = text(&stage.operator.get(&format!("/v1/payouts/{payout}")).await?, "status")?;
        let declined = status == "failed";
        last = (payout, status);
        if !declined {
            break;
        }
    }
    Ok(last)
}
