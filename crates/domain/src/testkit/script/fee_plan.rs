//! `fee-plan`, `order`, `costs`, `payout-costs`, `withdrawal-costs`: see [`crate::fee_plan`]. Rent that is paid is `rent`,
//! see [`super::own_money`].

use alloc::string::ToString;
use alloc::vec::Vec;

use super::{Read, Script, Step, minor};
use crate::command::Command;
use crate::fee_plan::{FeeOf, FeeOnRefund, FeeOwner, FeePayer, FeeTier, SetFeePlan};
use crate::ids::{FeePlanId, MerchantId, OrderId, PayoutId, WithdrawalId};
use crate::money::{Minor, Rounding};
use crate::order::ItemKind;
use crate::testkit::date;

/// Reads a verb of fees.
pub(super) fn read(script: &mut Script, words: &[&str]) -> Read {
    match *words {
        // `fee-plan NAME MERCHANT|product:NAME [of WHAT] from DAY FROM:RATE:FIXED …
        // [least N] [cap N] [rounding RULE] [payer WHO]`
        ["fee-plan", name, owner, "from", day, ref rest @ ..] => plan(script, name, (owner, "order"), day, rest),
        ["fee-plan", name, owner, "of", what, "from", day, ref rest @ ..] => {
            plan(script, name, (owner, what), day, rest)
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
            assert_eq!((order.fee, order.fee_plan), (minor(fee), version(script, by)), "{}", order.id);
            Some(Step::Done)
        }
        // What a payout's fee is, by which plan or by `none`.
        ["payout-costs", payout, fee, by] => {
            let payout = script.kit.state.payout(PayoutId(script.id(payout))).expect("a payout of these books");
            assert_eq!((payout.fee, payout.fee_plan), (minor(fee), version(script, by)), "{}", payout.id);
            Some(Step::Done)
        }
        // What an automatic withdrawal's is, and that of each of its tries.
        ["withdrawal-costs", withdrawal, fee, by] => {
            let (state, wanted) = (&script.kit.state, (minor(fee), version(script, by)));
            let withdrawal = state.withdrawal(WithdrawalId(script.id(withdrawal))).expect("one of these books");
            assert_eq!((withdrawal.snapshot.fee, withdrawal.snapshot.fee_plan), wanted, "{}", withdrawal.id);
            for payout in &withdrawal.tries {
                let payout = state.payout(*payout).expect("a try of it");
                assert_eq!((payout.fee, payout.fee_plan), wanted, "{}", payout.id);
            }
            Some(Step::Done)
        }
        _ => None,
    }
}

/// The version of a name; `rate` and `none` are none.
fn version(script: &Script, by: &str) -> Option<FeePlanId> {
    (!matches!(by, "rate" | "none")).then(|| FeePlanId(script.id(by)))
}

fn plan(script: &Script, name: &str, (owner, what): (&str, &str), day: &str, rest: &[&str]) -> Read {
    let owner = match owner.strip_prefix("product:") {
        Some(product) => FeeOwner::Product(product.to_string()),
        None => MerchantId(script.id(owner)).into(),
    };
    let (tiers, bounds): (Vec<&str>, Vec<&str>) = rest.iter().copied().partition(|word| word.contains(':'));
    let mut set = SetFeePlan {
        owner,
        from: date(day),
        tiers: tiers.into_iter().map(tier).collect(),
        least: None,
        cap: None,
        payer: FeePayer::Merchant,
        rounding: Rounding::HalfUp,
        of: FeeOf::ALL.into_iter().find(|it| it.name() == what).expect("what a plan prices"),
        on_refund: FeeOnRefund::AsAsked,
    };
    bounds_of(&mut set, &bounds);
    Some(Step::named(name, Command::SetFeePlan(set)))
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
