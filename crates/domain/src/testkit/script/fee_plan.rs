//! `fee-plan`, `order`, `costs`: see [`crate::fee_plan`]. Rent that is paid is `rent`, see [`super::own_money`].

use alloc::string::ToString;
use alloc::vec::Vec;

use super::{Read, Script, Step, minor};
use crate::command::Command;
use crate::fee_plan::{FeePayer, FeeTier, SetFeePlan};
use crate::ids::{FeePlanId, MerchantId, OrderId};
use crate::money::{Minor, Rounding};
use crate::order::ItemKind;
use crate::testkit::date;

/// Reads a verb of order fees.
pub(super) fn read(script: &mut Script, words: &[&str]) -> Read {
    match *words {
        // `fee-plan NAME MERCHANT from DAY FROM:RATE:FIXED … [least N] [cap N] [rounding RULE] [payer WHO]`
        ["fee-plan", name, merchant, "from", day, ref rest @ ..] => {
            let (tiers, bounds): (Vec<&str>, Vec<&str>) = rest.iter().copied().partition(|word| word.contains(':'));
            let mut set = SetFeePlan {
                merchant: MerchantId(script.id(merchant)),
                from: date(day),
                tiers: tiers.into_iter().map(tier).collect(),
                least: None,
                cap: None,
                payer: FeePayer::Merchant,
                rounding: Rounding::HalfUp,
            };
            bounds_of(&mut set, &bounds);
            Some(Step::named(name, Command::SetFeePlan(set)))
        }
        // Of rent, unpaid; a payer of its own.
        ["order", name, merchant, amount] => {
            let items = &[(ItemKind::Rent, minor(amount))];
            let merchant = MerchantId(script.id(merchant));
            Some(Step::named(name, Command::CreateOrder(script.kit.create_order(merchant, items))))
        }
        // What an order's fee is, by which plan or by the merchant's `rate`.
        ["costs", order, fee, by] => {
            let order = script.kit.state.order(OrderId(script.id(order))).expect("an order of these books");
            let plan = order.fee_plan.map_or_else(|| "rate".to_string(), |plan| plan.to_string());
            let wanted = if by == "rate" { by.to_string() } else { FeePlanId(script.id(by)).to_string() };
            assert_eq!((order.fee, plan), (minor(fee), wanted), "{}", order.id);
            Some(Step::Done)
        }
        _ => None,
    }
}

fn tier(text: &str) -> FeeTier {
    let parts: Vec<Minor> = text.split(':').map(minor).collect();
    let [from, rate, fixed] = *parts else { panic!("a tier is FROM:RATE:FIXED, not {text}") };
    FeeTier { from, rate, fixed }
}

fn bounds_of(set: &mut SetFeePlan, bounds: &[&str]) {
    for pair in bounds.chunks(2) {
        match *pair {
            ["least", least] => set.least = Some(minor(least)),
            ["cap", cap] => set.cap = Some(minor(cap)),
            ["rounding", rule] => {
                set.rounding = Rounding::ALL.into_iter().find(|it| it.name() == rule).expect("a rule of rounding");
            }
            ["payer", who] => set.payer = FeePayer::ALL.into_iter().find(|it| it.name() == who).expect("who pays"),
            ref other => panic!("no bound of a fee plan: {other:?}"),
        }
    }
}
