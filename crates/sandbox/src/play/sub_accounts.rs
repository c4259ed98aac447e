//! Payers who have their money at Ping An, in sub-accounts (见证宝): one order in so many is debited there, and refunded to there.
//!
//! ```text
//!  order ─ card `pingan` ─ 6034 ─► taken ─ 6110 ─► done ─► 1131, cleared by the bank's own files of the day (JY, TX)
//! ```

use anyhow::Result;
use serde_json::{Value, json};

use super::close::Check;
use super::orders::Day;
use super::stage::{DAY, each};
use super::{Stage, Talk};
use crate::bank::{
    PingAnSettings, SANDBOX_PINGAN_ACCOUNT, SANDBOX_PINGAN_MARKET, SANDBOX_PINGAN_PLATFORM_KEY, SANDBOX_PINGAN_SUMMARY,
};

/// One order in so many.
const ONE_IN: u64 = 10;
/// How many orders are looked at.
const LOOKED_AT: usize = 1_000;

/// Whether the order of a number is paid from a sub-account.
pub(super) const fn pays(number: u64) -> bool {
    number % ONE_IN == 7
}

/// The channel, at the bank's path for it.
pub(super) fn settings(bank: &str) -> String {
    let peer_key = PingAnSettings::default().keys.public_key();
    format!(
        "[[channels]]\nname = \"pingan_jzb\"\nurl = \"{bank}\"\n[channels.settings]\nmarket = \"{SANDBOX_PINGAN_MARKET}\"\n\
         summary_account = \"{SANDBOX_PINGAN_SUMMARY}\"\naccount = \"{SANDBOX_PINGAN_ACCOUNT}\"\nmember = \"LINTEL\"\n\
         name = \"平台\"\nsign_method = \"sm2\"\nkey = \"{SANDBOX_PINGAN_PLATFORM_KEY}\"\npeer_key = \"{peer_key}\"\n\
         path = \"/jzb\"\n\n"
    )
}

/// The sub-account that pays, and its owner's number as a member.
pub(super) fn instrument(number: u64, amount: i64) -> Value {
    let account = number % 100_000;
    json!({
        "type": "card", "rail": "pingan", "agreement": format!("30451{account:011}-M{account:05}"),
        "mask": "304510******0011", "amount": amount, "credit": false,
    })
}

/// How many orders sub-accounts paid; there must be some once enough were placed.
pub(super) async fn paid(stage: &Stage, day: &Day, talk: &mut Talk) -> Result<Check> {
    let from_there = day.placed.iter().filter(|placed| placed.by_sub_account).take(LOOKED_AT);
    let orders: Vec<String> = from_there.map(|placed| placed.id.clone()).collect();
    let count = orders.len();
    let captured = each(orders, stage.concurrency, |_, id| {
        let api = stage.operator.clone();
        async move { Ok(captured(&api.get(&format!("/v1/orders/{id}")).await?)) }
    })
    .await?;
    let paid = captured.into_iter().filter(|paid| *paid).count();
    let detail = format!("{paid} of {count} orders were paid from sub-accounts at Ping An");
    talk.phase(&format!("  {detail}"));
    Ok(Check { day: DAY.to_owned(), name: "sub_accounts".to_owned(), holds: paid > 0 || count < 20, detail })
}

fn captured(order: &Value) -> bool {
    let legs = order.get("legs").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let is = |leg: &Value, key: &str, text: &str| leg.get(key).and_then(Value::as_str) == Some(text);
    legs.iter().any(|leg| is(leg, "rail", "pingan") && is(leg, "status", "captured"))
}

/// Lets the bank's notifications reach the platform.
pub(super) async fn route_notifications(stage: &Stage) -> Result<()> {
    let url = format!("{}/v1/channels/pingan/notify", stage.base());
    stage.bank("POST", "/sandbox/pingan/route", &json!({ "url": url })).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_of_the_orders_pays_from_sub_accounts_of_their_own() {
        assert_eq!((1..=1_000).filter(|number| pays(*number)).count(), 100);
        let instrument = instrument(7, 5_000);
        assert_eq!(instrument.get("agreement").and_then(Value::as_str), Some("3045100000000007-M00007"));
        assert!(settings("http://bank").contains(SANDBOX_PINGAN_ACCOUNT));
    }
}
