//! `freeze`, `freeze-tree`, `stop`, `renew`, `release`, `release-group`, `deduct`, `bites`, `is`, `bar`: see [`crate::freeze`] and [`crate::restriction`].

use alloc::format;
use alloc::string::{String, ToString};

use super::{Read, Script, Step, minor};
use crate::command::Command;
use crate::freeze::{DeductFreeze, FreezeCommand, FreezeScope, Measure, PlaceFreeze, ReleaseFreeze, RenewFreeze};
use crate::ids::{CustomerId, FreezeId};
use crate::money::Currency;
use crate::payout::Receiver;
use crate::restriction::Restriction;
use crate::testkit::sealed;

/// Reads a verb of freezes.
pub(super) fn read(script: &mut Script, words: &[&str]) -> Read {
    let freeze = |name: &str| FreezeId(script.id(name));
    let document = String::from("2026-0001");
    let command = match *words {
        ["freeze", name, scope, amount, "by", authority, ref rest @ ..] => {
            let place = place(script, scope, measure(amount), authority, rest);
            return Some(Step::named(name, Command::PlaceFreeze(place)));
        }
        ["freeze-tree", name, scope, amount, "by", authority, ref rest @ ..] => {
            let place = place(script, scope, measure(amount), authority, rest);
            return Some(Step::named(name, Command::Freeze(FreezeCommand::PlaceDownTheTree(place))));
        }
        ["stop", name, scope, "by", authority] => {
            let place = place(script, scope, Measure::StopPayment, authority, &[]);
            return Some(Step::named(name, Command::PlaceFreeze(place)));
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
        ["release-group", name, "by", authority] => {
            let (freeze, authority) = (freeze(name), authority.to_string());
            Command::ReleaseFreeze(ReleaseFreeze { freeze, authority, amount: None, document, group: true })
        }
        ["deduct", payout, name, amount, "by", authority, ref rest @ ..] => {
            let account = rest.last().map(|account| script.account(account));
            let (freeze, authority, amount) = (freeze(name), authority.to_string(), minor(amount));
            let receiver =
                Receiver { account: sealed("1102**********0001"), name: sealed("法院"), own: false, token: None };
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

fn place(script: &Script, scope: &str, measure: Measure, authority: &str, rest: &[&str]) -> PlaceFreeze {
    let after = |word: &str| rest.iter().position(|other| *other == word).and_then(|at| rest.get(at + 1));
    let scope: FreezeScope = match scope.strip_prefix("customer-of-") {
        Some(owner) if owner.starts_with('#') => CustomerId(script.id(owner)).into(),
        Some(owner) => script.kit.state.customer_of(script.owner(owner)).expect("the owner is a customer").into(),
        None => script.account(scope).into(),
    };
    PlaceFreeze {
        scope,
        measure,
        reason: "case".to_string(),
        authority: authority.to_string(),
        document: format!("of {authority}"),
        source: None,
        priority: after("priority").map_or(100, |number| number.parse().expect("a priority is a number")),
        expires_at: after("for").map(|duration| script.at(duration)),
    }
}

/// What is barred, or an amount with its currency behind a colon unless yuan.
fn measure(text: &str) -> Measure {
    if matches!(text, "in" | "out" | "both" | "none") {
        return Measure::Whole(ways(text));
    }
    let (amount, currency) = text.split_once(':').unwrap_or((text, "CNY"));
    Measure::Amount { amount: minor(amount), currency: Currency::parse(currency).expect("a currency") }
}

fn ways(way: &str) -> Restriction {
    Restriction { in_barred: matches!(way, "in" | "both"), out_barred: matches!(way, "out" | "both") }
}
