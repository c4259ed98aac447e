//! `people`, `propose`, `approve`, `reject`, `withdraw`, and what only people do: see [`crate::approval`],
//! [`crate::operator`], [`crate::manual_voucher`], [`crate::suspense`] and [`crate::site_weight`].

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{Read, Script, Step, minor, subject_of};
use crate::advance::AdvanceCommand;
use crate::agreement::AgreementCommand;
use crate::approval::{ApprovalCommand, DigestAlgorithm, Evidence, Proposal, Propose};
use crate::arrears::ArrearsCommand;
use crate::attempt::Rail;
use crate::block_list::BlockListCommand;
use crate::book::Side;
use crate::card_transaction::CardTransactionCommand;
use crate::command::Command;
use crate::conversion::ConversionCommand;
use crate::exchange_rate::ExchangeRateCommand;
use crate::freeze::FreezeCommand;
use crate::ids::{ApprovalId, OperatorId, RefundId, SuspenseId, TemplateId};
use crate::limit::LimitCommand;
use crate::manual_voucher::{Adjustment, ManualVoucher, ManualVoucherCommand, TemplateCommand, TemplateLine};
use crate::money::Currency;
use crate::operator::{OperatorCommand, Role};
use crate::outflow::{OutflowCommand, ResumeOutflow, SetOutflowBound, Waiting};
use crate::own_transfer::OwnTransferCommand;
use crate::site_weight::{SetSiteWeights, SiteWeight, SiteWeightCommand};
use crate::suspense::AllocateSuspense;
use crate::task::{SettleTask, TaskCommand, TaskOf};
use crate::testkit::date;
use crate::tree::TreeCommand;
use crate::voucher::EventCode;

/// Reads a verb of people.
pub(super) fn read(script: &mut Script, words: &[&str]) -> Read {
    let read = decision(script, words).or_else(|| by_hand(script, words));
    read.or_else(|| of_operators(script, words)).or_else(|| of_sites(words)).or_else(|| of_outflow(words))
}

/// `stop-outflow RAIL`, `bound-outflow RAIL FLOOR`, `resume-outflow RAIL`; in minor units of yuan.
fn of_outflow(words: &[&str]) -> Read {
    let rail = |name: &str| Rail::parse(name).expect("a channel is called by its rail");
    let currency = Currency::Cny;
    let command = match *words {
        ["stop-outflow", channel] => {
            OutflowCommand::Stop { rail: rail(channel), currency, reason: String::from("doubled payouts") }
        }
        ["bound-outflow", channel, floor] => {
            let floor = floor.parse().expect("a floor is minor units");
            OutflowCommand::Bound(SetOutflowBound { rail: rail(channel), currency, floor, percent: 300 })
        }
        ["resume-outflow", channel] => {
            OutflowCommand::Resume(ResumeOutflow { rail: rail(channel), currency, waiting: Waiting::Send })
        }
        _ => return None,
    };
    Some(Step::of(Command::Outflow(command)))
}

/// `site-weights RAIL SITE WEIGHT …`, `undo-site-weights RAIL VERSION`.
fn of_sites(words: &[&str]) -> Read {
    let rail = |name: &str| Rail::parse(name).expect("a channel is called by its rail");
    let number = |text: &str| text.parse::<u32>().expect("a weight and a version are numbers");
    let command = match *words {
        ["site-weights", channel, ref sites @ ..] => {
            let weight = |pair: &[&str]| SiteWeight { site: pair[0].to_string(), weight: number(pair[1]) };
            let weights = sites.chunks_exact(2).map(weight).collect();
            SiteWeightCommand::Set(SetSiteWeights { rail: rail(channel), weights, channel: None })
        }
        ["undo-site-weights", channel, version] => {
            SiteWeightCommand::Undo { channel: rail(channel).into(), version: number(version).into() }
        }
        _ => return None,
    };
    Some(Step::of(Command::SiteWeight(command)))
}

fn decision(script: &mut Script, words: &[&str]) -> Read {
    let approval = |name: &str| ApprovalId(script.id(name));
    let command = match *words {
        ["people"] => {
            script.kit.people();
            let logins: Vec<_> =
                script.kit.state.operator_logins.iter().map(|(login, id)| (login.clone(), id.0)).collect();
            for (login, id) in logins {
                script.bind(&login, id);
            }
            return Some(Step::Done);
        }
        ["propose", name, ref step @ ..] => return Some(propose(script, name, step, Some(evidence()))),
        ["propose-bare", name, ref step @ ..] => return Some(propose(script, name, step, None)),
        ["approve", name, ref again @ ..] => {
            let checker = script.kit.state.operator_logins.get(&script.login);
            let last = checker.and_then(|id| script.kit.state.operators.get(id.0)).map_or(0, |row| row.last_totp_step);
            let totp_step = if *again == ["with-the-same-code"] { last } else { last + 1 };
            ApprovalCommand::Approve { approval: approval(name), totp_step, remark: None }
        }
        ["reject", name, ref remark @ ..] => {
            ApprovalCommand::Reject { approval: approval(name), remark: remark.join(" ") }
        }
        ["withdraw", name] => ApprovalCommand::Withdraw(approval(name)),
        _ => return None,
    };
    Some(Step::of(Command::Approval(command)))
}

fn by_hand(script: &mut Script, words: &[&str]) -> Read {
    let manual = |code: &str, entries: &[&str]| {
        let (template, entries) = (code.to_string(), script.entries(entries));
        ManualVoucher { template, entries, contra_of: None, dimensions: None }
    };
    let command = match *words {
        ["template", name, ref lines @ ..] => {
            let line = |line: &[&str]| {
                let [side, subject] = *line else { panic!("a line is a side and a subject: {line:?}") };
                let side = if side == "Dr" { Side::Debit } else { Side::Credit };
                TemplateLine { subject: subject_of(subject), side }
            };
            let (code, lines) = (name.to_string(), lines.chunks(2).map(line).collect());
            let (title, event) = (String::from("for tests"), EventCode::ManualVoucher);
            let set = TemplateCommand::Set { code, title, event, lines };
            return Some(Step::named(name, set.into()));
        }
        ["retire", template] => TemplateCommand::Retire(TemplateId(script.id(template))).into(),
        ["manual", code, ref entries @ ..] => manual(code, entries).into(),
        ["adjust", day, code, ref entries @ ..] => {
            Adjustment { date: date(day), voucher: manual(code, entries) }.into()
        }
        // The newest refund, if its source refused it.
        ["settle-last-refund", code, ref entries @ ..] => {
            let (task, voucher) =
                (TaskOf::Refund(RefundId(script.kit.state.refunds.next_id() - 1)), manual(code, entries));
            Command::Task(TaskCommand::Settle(SettleTask { task, voucher: Some(voucher), amount: None }))
        }
        ["find", item, to, amount] => {
            let (item, to) = (SuspenseId(script.id(item)), script.account(to));
            let amount = (amount != "all").then(|| minor(amount));
            Command::AllocateSuspense(AllocateSuspense { item, to, amount, session: None })
        }
        _ => return None,
    };
    Some(Step::of(command))
}

fn of_operators(script: &mut Script, words: &[&str]) -> Read {
    let operator = |login: &str| OperatorId(script.id(login));
    let roles = |roles: &[&str]| roles.iter().map(|role| Role::parse(role).expect("a role")).collect();
    let command = match *words {
        ["register", login, ref of @ ..] => {
            let register = OperatorCommand::Register { login: login.to_string(), roles: roles(of) };
            return Some(Step::named(login, Command::Operator(register)));
        }
        ["roles", login, ref of @ ..] => OperatorCommand::ChangeRoles { operator: operator(login), roles: roles(of) },
        ["suspend", login] => OperatorCommand::Suspend(operator(login)),
        ["resume", login] => OperatorCommand::Resume(operator(login)),
        ["renew-totp", login] => OperatorCommand::RenewTotp(operator(login)),
        _ => return None,
    };
    Some(Step::of(Command::Operator(command)))
}

/// Proposes what another line would do; what it makes is known by that line's name once it is approved.
fn propose(script: &mut Script, name: &str, step: &[&str], evidence: Option<Evidence>) -> Step {
    let Some(Step::Do(outcome, command)) = script.read(step) else { panic!("{step:?} is no command") };
    if let Some(outcome) = outcome {
        let next = script.kit.state.approvals.next_id();
        script.outcomes.insert(next, outcome);
    }
    let proposal = proposal(*command).unwrap_or_else(|| panic!("{step:?} is decided by one person"));
    let propose = Propose { proposal, reason: String::from("as agreed"), evidence };
    Step::named(name, Command::Approval(ApprovalCommand::Propose(Box::new(propose))))
}

fn evidence() -> Evidence {
    Evidence { name: String::from("memo.pdf"), algorithm: DigestAlgorithm::Sha256, digest: [9; 32].into() }
}

/// The proposal of a command that two people decide.
#[expect(clippy::wildcard_enum_match_arm, reason = "everything else is decided by one person")]
fn proposal(command: Command) -> Option<Proposal> {
    Some(match command {
        Command::Operator(command) => Proposal::Operator(command),
        Command::ManualVoucher(ManualVoucherCommand::Template(command)) => Proposal::VoucherTemplate(command),
        Command::ManualVoucher(ManualVoucherCommand::Post(voucher)) => Proposal::ManualVoucher(voucher),
        Command::ManualVoucher(ManualVoucherCommand::Adjust(adjustment)) => Proposal::Adjustment(adjustment),
        Command::AllocateSuspense(command) => Proposal::SuspenseAllocation(command),
        Command::WaiveChecks(command) => Proposal::CheckWaiver(command),
        Command::SetCalendar(command) => Proposal::Calendar(command),
        Command::Task(TaskCommand::Settle(command)) => Proposal::SettleTask(command),
        Command::SettleDifference(command) => Proposal::SettleDifference(command),
        Command::ReleaseFreeze(command) => Proposal::ReleaseFreeze(command),
        Command::Freeze(FreezeCommand::Deduct(command)) => Proposal::DeductFreeze(command),
        Command::Tree(TreeCommand::Link(command)) => Proposal::LinkAccounts(command),
        Command::Agreement(AgreementCommand::Amend(command)) => Proposal::AmendAgreement(command),
        Command::ExchangeRate(ExchangeRateCommand::Set(command)) => Proposal::SetExchangeRate(command),
        Command::Conversion(ConversionCommand::Reverse(command)) => Proposal::ReverseConversion(command),
        Command::Limit(LimitCommand::SetPolicy(command)) => Proposal::LimitPolicy(command),
        Command::BlockList(BlockListCommand::Remove(command)) => Proposal::RemoveBlock(command),
        Command::SiteWeight(SiteWeightCommand::Set(command)) => Proposal::SiteWeights(command),
        Command::Outflow(OutflowCommand::Bound(command)) => Proposal::OutflowBound(command),
        Command::Outflow(OutflowCommand::Resume(command)) => Proposal::ResumeOutflow(command),
        Command::OwnTransfer(OwnTransferCommand::SweepIncome(command)) => Proposal::SweepIncome(command),
        Command::OwnTransfer(OwnTransferCommand::Inject(command)) => Proposal::InjectOwn(command),
        Command::Arrears(ArrearsCommand::CoverRefund(command)) => Proposal::CoverRefund(command),
        Command::Advance(AdvanceCommand::SetPolicy(command)) => Proposal::AdvancePolicy(command),
        Command::CardFee(command) => Proposal::CardFee(command),
        Command::SetFeePlan(command) => Proposal::FeePlan(command),
        Command::SetSplitPlan(command) => Proposal::SplitPlan(command),
        Command::CardTransaction(CardTransactionCommand::AdjustCredit(command)) => Proposal::CreditAdjustment(command),
        _ => return None,
    })
}
