//! `freeze`, `stop`, `renew`, `release`, `deduct`, `bites`, `bar`: see [`crate::freeze`] and [`crate::restriction`].

use alloc::format;
use alloc::string::{String, ToString};

use super::{Read, Script, Step, minor};
use crate::command::Command;
use crate::freeze::{DeductFreeze, FreezeCommand, FreezeScope, Measure, PlaceFreeze, ReleaseFreeze, RenewFreeze};
use crate::ids::FreezeId;
use crate::money::Currency;
use crate::payout::Receiver;
use crate::restriction::Restriction;
use crate::testkit::sealed;

/// Reads a verb of freezes.
pub(super) fn read(script: &mut Script, words: &[&str]) -> Read {
    let freeze = |name: &str| FreezeId(script.id(name));
    let (document, currency) = (String::from("2026-0001"), Currency::Cny);
    let command = match *words {
        ["freeze", name, scope, amount, "by", authority, ref rest @ ..] => {
            let measure = match amount {
                "in" | "out" | "both" => Measure::Whole(ways(amount)),
                amount => Measure::Amount { amount: minor(amount), currency },
            };
            return Some(Step::named(name, place(script, scope, measure, authority, rest)));
        }
        ["stop", name, scope, "by", authority] => {
            return Some(Step::named(name, place(script, scope, Measure::StopPayment, authority, &[])));
        }
        ["renew", name, "by", authority, "for", duration] => {
            let (freeze, authority, expires_at) = (freeze(name), authority.to_string(), script.at(duration));
            Command::Freeze(FreezeCommand::Renew(RenewFreeze { freeze, authority, document, expires_at }))
        }
        ["release", name, amount, "by", authority] => {
            let amount = (amount != "all").then(|| minor(amount));
            let (freeze, authority) = (freeze(name), authority.to_string());
            Command::ReleaseFreeze(ReleaseFreeze { freeze, authority, amount, document, group: false })
        }
        ["deduct", payout, name, amount, "by", authority, ref rest @ ..] => {
            let account = rest.last().map(|account| script.account(account));
            let (freeze, authority, amount) = (freeze(name), authority.to_string(), minor(amount));
            let receiver = Receiver { account: sealed("1102**********0001"), name: sealed("法院"), own: false };
            let deduct = DeductFreeze { freeze, account, amount, authority, document, receiver };
            let next = script.kit.state.payouts.next_id();
            script.bind(payout, next);
            Command::Freeze(FreezeCommand::Deduct(deduct))
        }
        ["bar", account, way] => Command::RestrictAccount { account: script.account(account), restriction: ways(way) },
        // The freeze bites on so much in all, of so much that is frozen.
        ["bites", name, wanted, "of", frozen] => {
            let row = script.kit.state.freeze(freeze(name)).expect("the script named it");
            let bites: i64 = script.kit.state.bites(row).iter().map(|bite| bite.amount).sum();
            assert_eq!((bites, row.frozen()), (minor(wanted), minor(frozen)), "{name}");
            return Some(Step::Done);
        }
        ["is", name, status] => {
            let row = script.kit.state.freeze(freeze(name)).expect("the script named it");
            assert_eq!(row.status.name(), status, "{name}");
            return Some(Step::Done);
        }
        _ => return None,
    };
    Some(Step::of(command))
}

fn place(script: &Script, scope: &str, measure: Measure, authority: &str, rest: &[&str]) -> Command {
    let after = |word: &str| rest.iter().position(|other| *other == word).and_then(|at| rest.get(at + 1));
    let scope: FreezeScope = match scope.strip_prefix("customer-of-") {
        Some(owner) => script.kit.state.customer_of(script.owner(owner)).expect("the owner is a customer").into(),
        None => script.account(scope).into(),
    };
    Command::PlaceFreeze(PlaceFreeze {
        scope,
        measure,
        reason: "case".to_string(),
        authority: authority.to_string(),
        document: format!("of {authority}"),
        source: None,
        priority: after("priority").map_or(100, |number| number.parse().expect("a priority is a number")),
        expires_at: after("for").map(|duration| script.at(duration)),
    })
}

fn ways(way: &str) -> Restriction {
    Restriction { in_barred: matches!(way, "in" | "both"), out_barred: matches!(way, "out" | "both") }
}
