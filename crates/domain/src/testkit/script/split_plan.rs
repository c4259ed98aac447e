//! `split-plan`, `split-by`, `split-went-by`: see [`crate::split_plan`].

use alloc::string::ToString;
use alloc::vec::Vec;

use super::{Read, Script, Step, minor};
use crate::command::Command;
use crate::ids::{MerchantId, OrderId, SplitId, SplitPlanId};
use crate::split::{MakeSplit, Parts};
use crate::split_plan::{PlannedParts, SetSplitPlan, SplitRole, SplitTerms};
use crate::testkit::date;

/// Reads a verb of plans of splits.
pub(super) fn read(script: &mut Script, words: &[&str]) -> Read {
    match *words {
        // `split-plan NAME PLAN from DAY remainder ROLE ROLE:RATE … [returns ROLE …]`
        ["split-plan", name, plan, "from", day, "remainder", role, ref rest @ ..] => {
            let terms = terms(role, rest);
            let set = SetSplitPlan { name: plan.to_string(), from: date(day), terms };
            Some(Step::named(name, Command::SetSplitPlan(set)))
        }
        // So much of an order by a plan: `split-by NAME ORDER PLAN AMOUNT ROLE=MERCHANT …`; the settings name no plan.
        ["split-by", name, order, plan, amount, ref roles @ ..] => {
            let holder = |text: &&str| {
                let (role, merchant) = text.split_once('=').expect("a role and its merchant");
                (role.to_string(), MerchantId(script.id(merchant)))
            };
            let holders = roles.iter().map(holder).collect();
            let planned = PlannedParts { name: plan.to_string(), amount: minor(amount), holders, settings: None };
            let (order, out_split_no) = (OrderId(script.id(order)), name.to_string());
            let split = MakeSplit { order, out_split_no, parts: Parts::Plan(planned), return_order: Vec::new() };
            Some(Step::named(name, Command::MakeSplit(split)))
        }
        // Which version a split went by, and the receivers in its return order.
        ["split-went-by", split, version, ref order @ ..] => {
            let row = script.kit.state.split(SplitId(script.id(split))).expect("a split of these books");
            let order: Vec<MerchantId> = order.iter().map(|merchant| MerchantId(script.id(merchant))).collect();
            let wanted = (Some(SplitPlanId(script.id(version))), order);
            assert_eq!((row.plan, row.return_order.clone()), wanted, "{}", row.id);
            Some(Step::Done)
        }
        _ => None,
    }
}

fn terms(remainder_to: &str, words: &[&str]) -> SplitTerms {
    let role = |text: &&str| {
        let (name, rate) = text.split_once(':').expect("a role is ROLE:RATE");
        SplitRole { name: name.to_string(), rate: minor(rate) }
    };
    let at = words.iter().position(|word| *word == "returns").unwrap_or(words.len());
    let (roles, returns) = (&words[..at], words.get(at + 1..).unwrap_or_default());
    SplitTerms {
        roles: roles.iter().map(role).collect(),
        remainder_to: remainder_to.to_string(),
        return_order: returns.iter().map(ToString::to_string).collect(),
    }
}
