//! Rows of personal accounts' doings: top-ups, transfers, limits, lists, plans and batches of withdrawals.

use domain::Command;
use domain::Reply;
use domain::account::Owner;
use domain::approval::{ApprovalCommand, Proposal, Propose};
use domain::attempt::{FailureClass, Outcome, Purpose, Rail};
use domain::block_list::{AddBlock, BlockListCommand, Blocked, RemoveBlock};
use domain::book::Subject;
use domain::customer::CustomerKind;
use domain::ids::{
    AccountId, ApprovalId, BlockEntryId, CustomerId, PayoutId, TopUpId, WithdrawalBatchId, WithdrawalId,
    WithdrawalPlanId,
};
use domain::limit::{AccountClass, Factors, LimitCommand, Limits, SetLimitPolicy};
use domain::money::Currency;
use domain::notice::NoticeKind;
use domain::operator::{OperatorCommand, Role};
use domain::outflow::SetOutflowBound;
use domain::payout::{Bank, CreatePayout, PayTo, Receiver};
use domain::site_weight::{SetSiteWeights, SiteWeight};
use domain::top_up::{CreateTopUp, TopUpCommand, TopUpFrom, TopUpStatus};
use domain::transfer::{MakeTransfer, TransferCommand};
use domain::withdrawal::WithdrawalStatus;
use domain::withdrawal_batch::{Enriched, RunWithdrawalBatch, WithdrawalBatchCommand};
use domain::withdrawal_plan::{CreateWithdrawalPlan, PlanStatus, PlanTerms, PlanTo, WithdrawalPlanCommand};
use store::attempt::AttemptFilter;
use store::bank_card::BankCardFilter;
use store::block_list::BlockEntryFilter;
use store::limit::{AccountLimitFilter, CustomerUseFilter, LimitPolicyFilter};
use store::notice::NoticeFilter;
use store::site_weight::SiteWeightsFilter;
use store::top_up::TopUpFilter;
use store::transfer::TransferFilter;
use store::withdrawal::WithdrawalFilter;
use store::withdrawal_batch::{RetryRuleFilter, WithdrawalBatchFilter};
use store::withdrawal_plan::WithdrawalPlanFilter;
use store::{Filter, list};

use crate::place::{Place, on_both};
use crate::world::{World, date, sealed};

on_both! {
    filters_narrow_each_list_of_wallets
}

fn own_card() -> Receiver {
    Receiver { account: sealed("6222***"), name: sealed("张*"), own: true, token: Some("card-1".into()) }
}

impl World {
    /// Two wallets and what their holders do, from an empty world or behind a full one.
    pub(crate) fn wallets(&mut self) -> (AccountId, AccountId) {
        let [one, two] = ["one", "two"].map(|product| {
            let person = self.customer(CustomerKind::Person);
            let user = self.user(person, product);
            self.account(Subject::Personal, Owner::User(user))
        });
        self.fund("wallets", 1, &[(one, 50_000), (two, 50_000)]);
        self.given(Command::Limit(LimitCommand::Classify { account: one, class: AccountClass::Two }));
        let currency = Currency::Cny;
        self.given(Command::Transfer(TransferCommand::Make(MakeTransfer {
            from: one,
            to: two,
            amount: 1_000,
            currency,
            factors: Factors::Two,
            note: None,
            device: None,
        })));
        let (agreement, mask) = ("AG-1".into(), "622202******0001".into());
        let from = TopUpFrom::Agreement { rail: Rail::Epcc, agreement, mask, channel: None };
        let top_up = CreateTopUp { account: one, from, amount: 500, currency, device: None };
        self.given(Command::TopUp(TopUpCommand::Create(top_up)));
        self.came_back(one);
        self.planned(two);
        self.listed();
        (one, two)
    }

    /// A withdrawal to an own card that came back.
    fn came_back(&mut self, account: AccountId) {
        let (to, currency) = (PayTo::Bank(own_card()), Currency::Cny);
        let create =
            CreatePayout { account, to, amount: 100, fee: 0, currency, send_now: true, bank: None, channel: None };
        let Reply::Payout(payout) = self.given(Command::CreatePayout(create)) else { panic!("not a payout") };
        self.answered(&Outcome::Success { reference: "ref".into(), clearing_date: date(3, 6), part: None });
        self.given(Command::ReturnPayout { payout, reference: "back".into(), date: date(3, 6) });
    }

    /// A plan, a batch, and a withdrawal that failed for good under a rule.
    fn planned(&mut self, account: AccountId) {
        let terms = PlanTerms { keep: 1_000, minimum: 1, fee: 0 };
        let create = CreateWithdrawalPlan { account, to: PlanTo::Bank(own_card()), terms };
        self.given(Command::WithdrawalPlan(WithdrawalPlanCommand::Create(create)));
        let code = String::from("E1");
        self.given(Command::WithdrawalBatch(WithdrawalBatchCommand::SetRetryRule { code, retryable: false }));
        let bank = Some(Bank { name: "上海银行".into(), code: "313290000017".into() });
        let date = self.state.days.posting_date(None).unwrap();
        let run = RunWithdrawalBatch { date, number: 1, enriched: vec![Enriched { account, bank, channel: None }] };
        self.given(Command::WithdrawalBatch(WithdrawalBatchCommand::Run(run)));
        self.answered(&Outcome::Declined { class: FailureClass::System, code: "E1".into() });
    }

    /// An entry that stands, one that two people removed, limits and weights of sites that they set.
    fn listed(&mut self) {
        let add = |party: &str| {
            let blocked = Blocked::Device(party.into());
            let (reason, source) = ("fraud".into(), "police".into());
            Command::BlockList(BlockListCommand::Add(AddBlock { blocked, reason, source, until: None }))
        };
        for party in ["device-1", "device-2"] {
            self.given(add(party));
        }
        self.people_of_risk();
        let from = date(3, 9);
        let limits = Limits { class_one: 90_000, ..Limits::LAW };
        self.decided_by("risk-1", "risk-2", Proposal::LimitPolicy(SetLimitPolicy { from, limits }));
        let remove = RemoveBlock { entry: BlockEntryId(2), reason: "mistaken".into() };
        self.decided_by("risk-1", "risk-2", Proposal::RemoveBlock(remove));
        let (rail, currency) = (Rail::OwnBank, Currency::Hkd);
        let bound = SetOutflowBound { rail, currency, floor: 100, percent: 300 };
        self.decided_by("risk-1", "risk-2", Proposal::OutflowBound(bound));
        let weights = vec![SiteWeight { site: "bj".into(), weight: 8 }];
        let weights = Proposal::SiteWeights(SetSiteWeights { rail: Rail::Epcc, weights, channel: None });
        self.decided_by("administrator-1", "administrator-2", weights);
    }

    fn people_of_risk(&mut self) {
        let register = |login: &str, role| OperatorCommand::Register { login: login.into(), roles: vec![role] };
        for login in ["administrator-1", "administrator-2"] {
            if self.state.administrators() < 2 {
                self.given(Command::Operator(register(login, Role::Administrator)));
            }
        }
        for login in ["risk-1", "risk-2"] {
            let proposal = Proposal::Operator(register(login, Role::Risk));
            self.decided_by("administrator-1", "administrator-2", proposal);
        }
    }

    fn decided_by(&mut self, maker: &str, checker: &str, proposal: Proposal) {
        let propose = Propose { proposal, reason: "as agreed".into(), evidence: None };
        self.given_by(maker, Command::Approval(ApprovalCommand::Propose(Box::new(propose))));
        let approval = ApprovalId(self.state.approvals.next_id() - 1);
        let checks = self.state.operator_logins.get(checker).and_then(|id| self.state.operators.get(id.0)).unwrap();
        let approve = ApprovalCommand::Approve { approval, totp_step: checks.last_totp_step + 1, remark: None };
        self.given_by(checker, Command::Approval(approve));
    }
}

fn filters_narrow_each_list_of_wallets(place: &Place) {
    let database = place.open();
    let mut world = World::new();
    let (one, two) = world.wallets();
    world.store(&database);
    fn count<F: Filter>(database: &store::Database, filter: F) -> usize {
        list(database, &filter, None, 10).unwrap().data.len()
    }
    let db = &database;
    let (day, next) = (Some(date(3, 5)), Some(date(3, 6)));
    for (filter, found) in [
        (TopUpFilter { account: Some(one), ..Default::default() }, 1),
        (TopUpFilter { account: Some(two), ..Default::default() }, 0),
        (TopUpFilter { status: Some(TopUpStatus::Sent), created_from: day, created_to: day, ..Default::default() }, 1),
        (TopUpFilter { status: Some(TopUpStatus::Success), ..Default::default() }, 0),
        (TopUpFilter { created_from: next, ..Default::default() }, 0),
    ] {
        assert_eq!(count(db, filter), found, "{filter:?}");
    }
    let purpose = Some(Purpose::TopUp(TopUpId(1)));
    assert_eq!(count(db, AttemptFilter { purpose, ..Default::default() }), 1);
    for (filter, found) in [
        (TransferFilter { from: Some(one), to: Some(two), ..Default::default() }, 1),
        (TransferFilter { from: Some(two), ..Default::default() }, 0),
        (TransferFilter { made_from: day, made_to: day, ..Default::default() }, 1),
        (TransferFilter { made_from: next, ..Default::default() }, 0),
    ] {
        assert_eq!(count(db, filter), found, "{filter:?}");
    }
    assert_eq!(count(db, AccountLimitFilter { class: Some(AccountClass::Two) }), 1);
    assert_eq!(count(db, AccountLimitFilter { class: Some(AccountClass::One) }), 0);
    assert_eq!(count(db, AccountLimitFilter::default()), 2);
    assert_eq!(
        (count(db, CustomerUseFilter { year: Some(2026) }), count(db, CustomerUseFilter { year: Some(2025) })),
        (1, 0)
    );
    let policies = [date(3, 9), date(3, 10)].map(|day| count(db, LimitPolicyFilter { begins_from: Some(day) }));
    assert_eq!(policies, [1, 0]);
    let weights = [Rail::Epcc, Rail::Fund].map(|rail| count(db, SiteWeightsFilter { channel: Some(rail.into()) }));
    assert_eq!(weights, [1, 0]);
    let entries = |list: &str, removed| BlockEntryFilter { list: Some(list.into()), removed, party: None };
    assert_eq!(count(db, entries("device", Some(true))), 1);
    assert_eq!((count(db, entries("device", None)), count(db, entries("card", None))), (2, 0));
    assert_eq!(count(db, BlockEntryFilter { party: Some("device-2".into()), ..Default::default() }), 1);
    let stopped = |verified| BankCardFilter { customer: Some(CustomerId(1)), verified };
    assert_eq!((count(db, stopped(Some(false))), count(db, stopped(Some(true)))), (1, 0));
    withdrawals_are_narrowed(db, two);
}

fn withdrawals_are_narrowed(database: &store::Database, account: AccountId) {
    let plans = |status| WithdrawalPlanFilter { account: Some(account), status: Some(status) };
    let found = [PlanStatus::Active, PlanStatus::Ended].map(|status| list(database, &plans(status), None, 9).unwrap());
    assert_eq!(found.map(|page| page.data.len()), [1, 0]);
    let batches = [date(3, 5), date(3, 6)].map(|day| WithdrawalBatchFilter { date: Some(day) });
    assert_eq!(batches.map(|filter| list(database, &filter, None, 9).unwrap().data.len()), [1, 0]);
    let rules = ["E1", "E2"].map(|code| RetryRuleFilter { code: Some(code.into()) });
    assert_eq!(rules.map(|filter| list(database, &filter, None, 9).unwrap().data.len()), [1, 0]);
    let failed = WithdrawalFilter {
        plan: Some(WithdrawalPlanId(1)),
        batch: Some(WithdrawalBatchId(1)),
        account: Some(account),
        status: Some(WithdrawalStatus::Failed),
    };
    let page = list(database, &failed, None, 9).unwrap();
    assert_eq!(
        page.data.iter().map(|it| (it.id, it.tries.clone())).collect::<Vec<_>>(),
        [(WithdrawalId(1), vec![PayoutId(2)])]
    );
    let other = WithdrawalFilter { status: Some(WithdrawalStatus::Success), ..failed };
    assert!(list(database, &other, None, 9).unwrap().data.is_empty());
    let notices =
        |kind| NoticeFilter { customer: Some(CustomerId(2)), kind: Some(kind), withdrawal: Some(WithdrawalId(1)) };
    let told = [NoticeKind::WithdrawalFailed, NoticeKind::WithdrawalSucceeded].map(notices);
    assert_eq!(told.map(|filter| list(database, &filter, None, 9).unwrap().data.len()), [1, 0]);
}
