//! Still phase 6: a payer's bank takes a settled rent back. The landlord was paid out, so own money covers what it lacks, and
//! the landlord owes that.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::close::Check;
use super::open::{Cast, Merchant};
use super::orders::{Day, Kind};
use super::stage::{NEXT_DAY, text};
use super::{Stage, Talk};

/// How many orders of rent are looked at.
const LOOKED_AT: usize = 40;

/// Takes one chargeback down and books it.
pub(super) async fn booked(
    stage: &Stage,
    cast: &Cast,
    day: &Day,
    debtor: &Merchant,
    talk: &mut Talk,
) -> Result<Vec<Check>> {
    let own = stage.operator.get("/v1/accounts?owner=institution&subject=2291&min_position=1").await?;
    let yuan = |account: &&Value| account.get("currency").and_then(Value::as_str) == Some("CNY");
    let accounts = own.get("data").and_then(Value::as_array).context("an answer without 'data'")?;
    let own = number(accounts.iter().find(yuan).context("2291 in yuan is there from the beginning")?, "available");
    let Some((order, leg, paid)) = settled_rent(stage, cast, day, debtor).await? else {
        talk.phase("  no rent was settled, so there is nothing to charge back");
        return Ok(Vec::new());
    };
    let amount = paid.min(own);
    let body = json!({
        "leg": leg, "case_number": "CB-2026-1", "reason": "4853", "amount": amount, "currency": "CNY",
    });
    let received = stage.done("/v1/chargebacks", "chargeback-1", body).await?;
    let id = text(&received, "id")?;
    let booked = stage.done(&format!("/v1/chargebacks/{id}/book"), "chargeback-1-book", Value::Null).await?;
    let taken = booked.get("taken").and_then(Value::as_array).context("an answer without 'taken'")?;
    let taken: i64 = taken.iter().map(|share| number(share, "amount")).sum();
    let lack = number(&booked, "lack");
    let arrears = booked.get("arrears").and_then(Value::as_str).unwrap_or("none");
    talk.phase(&format!(
        "  charged back {amount} of {order}: {taken} from the landlord, {lack} from own money as arrears ({arrears})"
    ));
    let status = text(&booked, "status")?;
    let holds = status == "booked" && taken + lack == amount && (lack > 0) == (arrears != "none");
    let detail = format!("{id} {status}: {taken} + {lack} = {amount}");
    Ok(vec![Check { day: NEXT_DAY.to_owned(), name: "chargeback_booked".to_owned(), holds, detail }])
}

/// Of some orders of rent by card that were settled and not refunded, of landlords whom no authority froze, the one whose
/// landlord has least left: order, leg, amount.
async fn settled_rent(
    stage: &Stage,
    cast: &Cast,
    day: &Day,
    debtor: &Merchant,
) -> Result<Option<(String, String, i64)>> {
    let mut found: Option<(i64, (String, String, i64))> = None;
    for placed in day.placed.iter().filter(|placed| placed.kind == Kind::Rent).take(LOOKED_AT) {
        let order = stage.operator.get(&format!("/v1/orders/{}", placed.id)).await?;
        let merchant = text(&order, "merchant")?;
        let landlord = cast.landlords.iter().find(|landlord| landlord.id == merchant && landlord.id != debtor.id);
        let legs = order.get("legs").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let captured = |leg: &&Value| leg.get("status").and_then(Value::as_str) == Some("captured");
        let settled = order.get("settled").and_then(Value::as_bool).unwrap_or_default();
        let fits = settled && number(&order, "refunded") == 0;
        let (Some(landlord), Some(leg), true) = (landlord, legs.iter().find(captured), fits) else { continue };
        let account = stage.operator.get(&format!("/v1/accounts/{}", landlord.available)).await?;
        let available = number(&account, "available");
        if found.as_ref().is_none_or(|(least, _)| available < *least) {
            found = Some((available, (text(&order, "id")?, text(leg, "id")?, number(leg, "amount"))));
        }
    }
    Ok(found.map(|(_, order)| order))
}

fn number(value: &Value, key: &str) -> i64 {
    value.get(key).and_then(Value::as_i64).unwrap_or_default()
}
