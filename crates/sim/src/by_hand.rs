//! What takes people: two of them, with a fee plan and a template from the opening on, and what they do about what channels refused.
//! Half of it they ask the channel for again; the other half one proposes to settle to a payer's balance, and the other approves.

use domain::account::AccountStatus;
use domain::approval::{ApprovalCommand, ApprovalStatus, DigestAlgorithm, Evidence, Proposal, Propose};
use domain::book::{Side, Subject};
use domain::fee_plan::{FeeOf, FeeOnRefund, FeePayer, FeeTier, SetFeePlan};
use domain::ids::{AccountId, ApprovalId, MerchantId};
use domain::manual_voucher::{ManualVoucher, TemplateCommand, TemplateLine};
use domain::money::Rounding;
use domain::operator::{OperatorCommand, Role};
use domain::task::{SettleTask, TaskCommand, TaskMoney, TaskOf};
use domain::voucher::{Entry, EventCode};
use domain::{Command, State};

use crate::check::Checked;
use crate::commands::first_day;
use crate::world::{Event, World};

/// Who proposes, and who approves.
const MAKER: &str = "maker-1";
const CHECKER: &str = "checker-1";
/// Who registers them: no person's login.
const PROGRAM: &str = "setup";
/// The template of what is settled by hand.
const TEMPLATE: &str = "to-balance";

fn proposes(proposal: Proposal) -> Command {
    let evidence = Evidence { name: "memo.pdf".into(), algorithm: DigestAlgorithm::Sha256, digest: [9; 32].into() };
    let propose = Propose { proposal, reason: "as agreed".into(), evidence: Some(evidence) };
    Command::Approval(ApprovalCommand::Propose(Box::new(propose)))
}

fn approves(approval: ApprovalId, totp_step: u64) -> Command {
    Command::Approval(ApprovalCommand::Approve { approval, totp_step, remark: None })
}

/// Two people; from the second day on the payers of the second merchant pay its fee on top; a template that moves to a balance what no
/// channel gives back.
pub(crate) fn opening() -> Vec<(&'static str, Command)> {
    let register = |login: &str| {
        let roles = vec![Role::Administrator, Role::Accountant, Role::Treasurer];
        Command::Operator(OperatorCommand::Register { login: login.into(), roles })
    };
    let tiers = vec![FeeTier { from: 0, rate: 6_000, fixed: 7 }];
    let (owner, from, payer) = (MerchantId(2).into(), first_day().plus_days(1), FeePayer::Payer);
    let (of, rounding, on_refund) = (FeeOf::Order, Rounding::HalfUp, FeeOnRefund::AsAsked);
    let fees = SetFeePlan { owner, from, tiers, least: None, cap: None, payer, rounding, of, on_refund };
    let line = |subject, side| TemplateLine { subject, side };
    let lines = vec![
        line(Subject::PaymentInProgress, Side::Debit),
        line(Subject::RefundDue, Side::Debit),
        line(Subject::Personal, Side::Credit),
    ];
    let (code, title, event) = (TEMPLATE.into(), "to the payer's balance".into(), EventCode::ManualVoucher);
    let template = TemplateCommand::Set { code, title, event, lines };
    vec![
        (PROGRAM, register(MAKER)),
        (PROGRAM, register(CHECKER)),
        (MAKER, proposes(Proposal::FeePlan(fees))),
        (CHECKER, approves(ApprovalId(1), 1)),
        (MAKER, proposes(Proposal::VoucherTemplate(template))),
        (CHECKER, approves(ApprovalId(2), 2)),
    ]
}

/// What waits for a person, legs first.
pub(crate) fn tasks(state: &State) -> Vec<TaskOf> {
    let legs = state.legs.iter().filter(|(_, leg)| leg.needs_person).map(|(_, leg)| TaskOf::Leg(leg.id));
    let refunds = state.refunds.iter().filter(|(_, refund)| refund.needs_person());
    let payouts = state.payouts.iter().filter(|(_, payout)| payout.needs_person());
    let payouts = payouts.map(|(_, payout)| TaskOf::Payout(payout.id));
    legs.chain(refunds.map(|(_, refund)| TaskOf::Refund(refund.id))).chain(payouts).collect()
}

/// Where the money of a task lies, if it lies here.
fn money_of(state: &State, task: TaskOf) -> Option<TaskMoney> {
    match task {
        TaskOf::Leg(id) => state.legs.get(id.0).and_then(TaskMoney::of_leg),
        TaskOf::Refund(id) => state.refunds.get(id.0).and_then(TaskMoney::of_refund),
        TaskOf::Payout(_) | TaskOf::Advance(_) => None,
        TaskOf::Suspense(id) => state.suspense_items.get(id.0).and_then(TaskMoney::of_suspense),
    }
}

impl World {
    /// The next thing to do about what channels refused: what was proposed is approved, else one more is asked for again or proposed.
    pub(crate) fn acts_by_hand(&mut self) -> Checked {
        if let Some(approval) = self.pending() {
            let used = self.last_step_of_the_checker();
            self.asks_as(Some(CHECKER), approves(approval, used + 1));
            return Ok(());
        }
        let tasks = tasks(self.follower.state());
        let Some(task) = tasks.into_iter().find(|task| !self.operator.acted.contains(task)) else {
            self.operator.chores.pop_front();
            self.soon(1, 200, Event::Operates);
            return Ok(());
        };
        self.operator.acted.insert(task);
        if self.random.chance(500) {
            self.asks_as(Some(MAKER), Command::Task(TaskCommand::Retry(task)));
        } else {
            let voucher = self.voucher_to_a_balance(task);
            self.asks_as(Some(MAKER), proposes(Proposal::SettleTask(SettleTask { task, voucher, amount: None })));
        }
        Ok(())
    }

    /// What was proposed and is neither approved nor given up.
    fn pending(&self) -> Option<ApprovalId> {
        let approvals = self.follower.state().approvals.iter().map(|(_, approval)| approval);
        let mut pending = approvals.filter(|approval| approval.status == ApprovalStatus::Pending);
        pending.find(|approval| !self.operator.given_up.contains(&approval.id)).map(|approval| approval.id)
    }

    fn last_step_of_the_checker(&self) -> u64 {
        let mut operators = self.follower.state().operators.iter().map(|(_, operator)| operator);
        operators.find(|operator| operator.login == CHECKER).map_or(0, |operator| operator.last_totp_step)
    }

    /// What takes a task's money from where it lies to some payer's balance.
    fn voucher_to_a_balance(&mut self, task: TaskOf) -> Option<ManualVoucher> {
        let state = self.follower.state();
        let TaskMoney { lies_on, amount, currency } = money_of(state, task)?;
        let accounts = state.accounts.iter().map(|(_, account)| account);
        let open =
            accounts.filter(|account| account.subject == Subject::Personal && account.status == AccountStatus::Open);
        let open: Vec<AccountId> = open.map(|account| account.id).collect();
        let (from, to) = (state.institution(lies_on, currency).ok()?, *self.random.pick(&open)?);
        let entries = vec![Entry::debit(from, amount, currency), Entry::credit(to, amount, currency)];
        Some(ManualVoucher { template: TEMPLATE.into(), entries, contra_of: None, dimensions: None })
    }
}
