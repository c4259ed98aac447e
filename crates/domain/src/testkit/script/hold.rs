//! `hold`, `confirm`, `cancel`: see [`crate::hold`].

use super::{Read, Script, Step, minor};
use crate::command::Command;
use crate::hold::PlaceHold;
use crate::ids::HoldId;
use crate::money::Currency;

/// Reads a verb of holds.
pub(super) fn read(script: &mut Script, words: &[&str]) -> Read {
    let hold = |name: &str| HoldId(script.id(name));
    let command = match *words {
        ["hold", name, account, amount, "for", duration] => {
            let (account, expires_at) = (script.account(account), script.at(duration));
            let place = PlaceHold { account, amount: minor(amount), currency: Currency::Cny, expires_at };
            return Some(Step::named(name, Command::PlaceHold(place)));
        }
        ["confirm", name, "all", "to", to] => {
            Command::ConfirmHold { hold: hold(name), amount: None, to: script.account(to) }
        }
        ["confirm", name, amount, "to", to] => {
            Command::ConfirmHold { hold: hold(name), amount: Some(minor(amount)), to: script.account(to) }
        }
        ["cancel", name] => Command::CancelHold(hold(name)),
        _ => return None,
    };
    Some(Step::of(command))
}
