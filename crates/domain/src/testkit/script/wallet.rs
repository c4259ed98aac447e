//! `top-up`, `top-up-page` and what becomes of one, `transfer`, `withdraw`, `block`, `unblock`, `class`, `limits`, `plan` and its
//! changes, `batch`, `retry`, `verify-card`: see the features of these names.

use alloc::string::{String, ToString};

use super::{Read, Script, Step, minor};
use crate::bank_card::BankCardCommand;
use crate::block_list::{AddBlock, BlockListCommand, Blocked, RemoveBlock};
use crate::command::Command;
use crate::front_page::PageOf;
use crate::ids::{AccountId, BankCardId, BlockEntryId, MerchantId, TopUpId, WithdrawalPlanId};
use crate::limit::{AccountClass, Factors, LimitCommand, Limits, SetLimitPolicy};
use crate::testkit::wallets::{asks, makes, own_card, tops_up, tops_up_by_page, transfer, withdraws};
use crate::testkit::{date, success};
use crate::top_up::TopUpCommand;
use crate::transfer::MakeTransfer;
use crate::withdrawal_batch::WithdrawalBatchCommand;
use crate::withdrawal_plan::{CreateWithdrawalPlan, PlanTerms, PlanTo, WithdrawalPlanCommand};

/// Reads a verb of payment accounts.
pub(super) fn read(script: &mut Script, words: &[&str]) -> Read {
    let step = match *words {
        ["top-up", name, account, amount] => Step::named(name, asks(tops_up(script.account(account), minor(amount)))),
        // At UnionPay's page.
        ["top-up-page", name, account, amount] => {
            Step::named(name, asks(tops_up_by_page(script.account(account), minor(amount))))
        }
        ["hand-out-top-up", name] => {
            Step::of(Command::HandOutPage { of: PageOf::TopUp(TopUpId(script.id(name))), site: None })
        }
        ["close-top-up", name] => Step::of(Command::TopUp(TopUpCommand::Close(TopUpId(script.id(name))))),
        // The channel did carry it out after all; the clearing date is 2026-03-05.
        ["late-top-up", name] => {
            let top_up = script.kit.state.top_up(TopUpId(script.id(name))).expect("the script created it");
            let attempt = top_up.attempt.expect("it was sent");
            Step::of(Command::AnswerAttempt { attempt, outcome: success("2026-03-05") })
        }
        ["top-up-is", name, status, ref code @ ..] => {
            let top_up = script.kit.state.top_up(TopUpId(script.id(name))).expect("the script created it");
            let found = top_up.failure.as_ref().map(|failure| failure.code.as_str());
            assert_eq!((top_up.status.name(), found), (status, code.first().copied()), "{name}");
            Step::Done
        }
        ["transfer", name, from, to, amount, proof] => {
            let (from, to) = (script.account(from), script.account(to));
            let factors = *Factors::ALL.iter().find(|it| it.name() == proof).expect("how the payer proved itself");
            Step::named(name, makes(MakeTransfer { factors, ..transfer(from, to, minor(amount)) }))
        }
        ["withdraw", name, account, amount] => {
            Step::named(name, Command::CreatePayout(withdraws(script.account(account), minor(amount), 0)))
        }
        ["verify-card", name] => Step::of(Command::BankCard(BankCardCommand::Verify(BankCardId(script.id(name))))),
        ["block", name, list, key] => Step::named(name, block(script, list, key)),
        ["unblock", name] => {
            let remove = RemoveBlock { entry: BlockEntryId(script.id(name)), reason: String::from("cleared up") };
            Step::of(Command::BlockList(BlockListCommand::Remove(remove)))
        }
        ["class", account, class] => {
            let (account, class) = (script.account(account), AccountClass::ALL.iter().find(|it| it.name() == class));
            let class = *class.expect("a class is one, two or three");
            Step::of(Command::Limit(LimitCommand::Classify { account, class }))
        }
        ["limits", from, ref amounts @ ..] => limits(from, amounts),
        ["batch", name, number, ref accounts @ ..] => {
            let named = accounts.iter().map(|account| script.account(account)).collect::<alloc::vec::Vec<_>>();
            Step::named(name, script.kit.batch(number.parse().expect("a batch has a number"), &named))
        }
        ["retry", code, retryable] => {
            let (code, retryable) = (code.to_string(), retryable == "yes");
            Step::of(Command::WithdrawalBatch(WithdrawalBatchCommand::SetRetryRule { code, retryable }))
        }
        _ => return plan(script, words),
    };
    Some(step)
}

fn block(script: &Script, list: &str, key: &str) -> Command {
    let blocked = match list {
        "customer" => Blocked::Customer(script.kit.holder(AccountId(script.id(key)))),
        "merchant" => Blocked::Merchant(MerchantId(script.id(key))),
        "device" => Blocked::Device(key.to_string()),
        _ => Blocked::Card(key.to_string()),
    };
    let (reason, source) = (String::from("fraud"), String::from("police"));
    Command::BlockList(BlockListCommand::Add(AddBlock { blocked, reason, source, until: None }))
}

/// `limits` from a day on: class one, two, three, two factors, fewer.
fn limits(from: &str, amounts: &[&str]) -> Step {
    let [class_one, class_two, class_three, two_factors, fewer_factors] = *amounts else {
        panic!("limits are five amounts: {amounts:?}")
    };
    let limits = Limits {
        class_one: minor(class_one),
        class_two: minor(class_two),
        class_three: minor(class_three),
        two_factors: minor(two_factors),
        fewer_factors: minor(fewer_factors),
    };
    Step::of(SetLimitPolicy { from: date(from), limits }.command())
}

/// `plan NAME ACCOUNT card|settlement keep K minimum M fee F`, `change-plan NAME keep K minimum M fee F`, and the rest.
fn plan(script: &Script, words: &[&str]) -> Read {
    let id = |name: &str| WithdrawalPlanId(script.id(name));
    let terms = |keep: &str, minimum: &str, fee: &str| PlanTerms {
        keep: minor(keep),
        minimum: minor(minimum),
        fee: minor(fee),
    };
    let command = match *words {
        ["plan", name, account, to, "keep", keep, "minimum", minimum, "fee", fee] => {
            let to = if to == "settlement" { PlanTo::Settlement } else { PlanTo::Bank(own_card(to)) };
            let (account, terms) = (script.account(account), terms(keep, minimum, fee));
            let create = WithdrawalPlanCommand::Create(CreateWithdrawalPlan { account, to, terms });
            return Some(Step::named(name, Command::WithdrawalPlan(create)));
        }
        ["change-plan", name, "keep", keep, "minimum", minimum, "fee", fee] => {
            WithdrawalPlanCommand::Change { plan: id(name), terms: terms(keep, minimum, fee) }
        }
        ["suspend-plan", name] => WithdrawalPlanCommand::Suspend(id(name)),
        ["resume-plan", name] => WithdrawalPlanCommand::Resume(id(name)),
        ["end-plan", name] => WithdrawalPlanCommand::End(id(name)),
        _ => return None,
    };
    Some(Step::of(Command::WithdrawalPlan(command)))
}
