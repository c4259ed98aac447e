//! `pay`, `send`, `cancel-payout`, `return-payout` and the channel's `answer`: see [`crate::payout`].

use alloc::string::String;

use super::{Read, Script, Step, minor};
use crate::attempt::{FailureClass, Outcome};
use crate::command::Command;
use crate::ids::PayoutId;
use crate::money::Currency;
use crate::payout::{CreatePayout, PayTo, Receiver};
use crate::testkit::{date, sealed};

/// Reads a verb of payouts.
pub(super) fn read(script: &mut Script, words: &[&str]) -> Read {
    let payout = |name: &str| PayoutId(script.id(name));
    let command = match *words {
        ["pay", name, account, amount, "fee", fee, "to", to, ref rest @ ..] => {
            let receiver = |own| {
                PayTo::Bank(Receiver { account: sealed("6222**********0002"), name: sealed("*五"), own, token: None })
            };
            let to = match to {
                "settlement" => PayTo::Settlement,
                "company" => PayTo::Company,
                "own-card" => receiver(true),
                _ => receiver(false),
            };
            let create = CreatePayout {
                account: script.account(account),
                to,
                amount: minor(amount),
                fee: minor(fee),
                currency: Currency::Cny,
                send_now: *rest == ["now"],
                bank: None,
                channel: None,
            };
            return Some(Step::named(name, Command::CreatePayout(create)));
        }
        ["send", name] => Command::SendPayout(payout(name)),
        ["cancel-payout", name] => Command::CancelPayout(payout(name)),
        ["return-payout", name, day] => {
            Command::ReturnPayout { payout: payout(name), reference: String::from("back"), date: date(day) }
        }
        ["answer", outcome, ref rest @ ..] => {
            let outcome = match outcome {
                "success" => {
                    let clearing_date = date(rest.first().copied().unwrap_or("2026-03-05"));
                    Outcome::Success { reference: String::from("ref"), clearing_date, part: None }
                }
                "declined" => Outcome::Declined { class: FailureClass::Bank, code: String::from("51") },
                "system" => Outcome::Declined { class: FailureClass::System, code: String::from("51") },
                "not-found" => Outcome::NotFound,
                _ => Outcome::Unknown,
            };
            Command::AnswerAttempt { attempt: script.kit.waiting().id, outcome }
        }
        _ => return None,
    };
    Some(Step::of(command))
}
