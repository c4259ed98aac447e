//! `hold`, `announce`, `confirm`, `receive`, `extend`, `cancel`: see [`crate::hold`].

use super::{Read, Script, Step, minor};
use crate::command::Command;
use crate::hold::{HoldCommand, HoldPart, NewHold, PlaceHold};
use crate::ids::HoldId;
use crate::money::{Currency, Minor};

/// Reads a verb of holds.
pub(super) fn read(script: &mut Script, words: &[&str]) -> Read {
    let hold = |name: &str| HoldId(script.id(name));
    let all_or = |amount: &str| -> Option<Minor> { (amount != "all").then(|| minor(amount)) };
    let command = match *words {
        ["hold", name, account, amount, "for", duration] => {
            return Some(Step::named(name, Command::PlaceHold(terms(script, account, amount, duration))));
        }
        ["announce", name, account, amount, "from", source, "for", duration] => {
            let (terms, source) = (terms(script, account, amount, duration), Some(script.account(source)));
            let new = NewHold { terms, source, reference: None };
            return Some(Step::named(name, Command::Hold(HoldCommand::Place(new))));
        }
        ["confirm", name, amount, "to", to] => {
            Command::ConfirmHold { hold: hold(name), amount: all_or(amount), to: script.account(to) }
        }
        // To several by one voucher: `confirm h1 B 100 C 200`.
        ["confirm", name, ref parts @ ..] => {
            let part = |part: &[&str]| {
                let [account, amount] = *part else { panic!("a part is an account and an amount: {part:?}") };
                HoldPart { account: script.account(account), amount: minor(amount) }
            };
            let (hold, parts) = (hold(name), parts.chunks(2).map(part).collect());
            Command::Hold(HoldCommand::Confirm { hold, parts })
        }
        ["receive", name, amount] => Command::Hold(HoldCommand::Receive { hold: hold(name), amount: all_or(amount) }),
        ["extend", name, "for", duration] => {
            let (hold, expires_at) = (hold(name), script.at(duration));
            Command::Hold(HoldCommand::Extend { hold, expires_at })
        }
        ["cancel", name] => Command::CancelHold(hold(name)),
        _ => return None,
    };
    Some(Step::of(command))
}

/// What to hold, in yuan unless a currency stands behind the amount.
fn terms(script: &Script, account: &str, amount: &str, duration: &str) -> PlaceHold {
    let (amount, currency) = amount.split_once(':').unwrap_or((amount, "CNY"));
    let currency = Currency::parse(currency).expect("a currency");
    PlaceHold { account: script.account(account), amount: minor(amount), currency, expires_at: script.at(duration) }
}
