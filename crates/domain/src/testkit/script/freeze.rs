//! `freeze`, `release`, `bar`: see [`crate::freeze`] and [`crate::restriction`].

use alloc::string::ToString;

use super::{Read, Script, Step, minor};
use crate::command::Command;
use crate::freeze::{PlaceFreeze, ReleaseFreeze};
use crate::ids::FreezeId;
use crate::money::Currency;
use crate::restriction::Restriction;

/// Reads a verb of freezes.
pub(super) fn read(script: &mut Script, words: &[&str]) -> Read {
    match *words {
        ["freeze", name, account, amount, "by", authority, ref rest @ ..] => {
            let expires_at = match *rest {
                ["for", duration] => Some(script.at(duration)),
                _ => None,
            };
            let place = PlaceFreeze {
                account: script.account(account),
                amount: minor(amount),
                currency: Currency::Cny,
                reason: "case".to_string(),
                authority: authority.to_string(),
                document: "2026-0001".to_string(),
                expires_at,
            };
            Some(Step::named(name, Command::PlaceFreeze(place)))
        }
        ["release", name, amount, "by", authority] => {
            let amount = (amount != "all").then(|| minor(amount));
            let (freeze, authority) = (FreezeId(script.id(name)), authority.to_string());
            Some(Step::of(Command::ReleaseFreeze(ReleaseFreeze { freeze, authority, amount })))
        }
        ["bar", account, ways] => {
            let restriction =
                Restriction { in_barred: matches!(ways, "in" | "both"), out_barred: matches!(ways, "out" | "both") };
            Some(Step::of(Command::RestrictAccount { account: script.account(account), restriction }))
        }
        _ => None,
    }
}
