//! Random walks over orders, answers, splits and their returns, refunds, tasks, clearing files, settlements, and what payers do with a
//! balance. After every step each account that these features use must hold exactly what orders, legs and refunds say: see [`laws`].

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::account::Owner;
use crate::advance::{AdvanceCommand, AdvanceStatus, RequestAdvance, SetAdvancePolicy};
use crate::attempt::AttemptStatus;
use crate::book::Side;
use crate::clearing::TakeClearingFile;
use crate::fee_plan::{FeeOf, FeeOnRefund, FeePayer, FeeTier, SetFeePlan};
use crate::front_page::PageOf;
use crate::fund_batch::{FundBatchCommand, FundResult, FundResultRow, FundRoute, Monthly, TakeFundResult};
use crate::ids::{AccountId, ApprovalId};
use crate::leg::OnPart;
use crate::manual_voucher::{ManualVoucher, TemplateCommand, TemplateLine};
use crate::merchant::MerchantKind;
use crate::money::{Minor, Rounding};
use crate::order::Item;
use crate::refund::{CreateRefund, ItemRefund, LegRefund, RefundKind, RefundPart};
use crate::split::{MakeSplit, Parts, ReturnSplit, SplitPart};
use crate::task::{SettleTask, TaskCommand, TaskMoney, TaskOf};
use crate::testkit::orders::{balance, fund_at_once, fund_in_part, redirect};
use crate::testkit::wallets::{asks, makes, tops_up, transfer};

mod laws;
mod rare;
mod steps;

use steps::{Step, step};

/// The events of these features; every one that a walk emits went through CBOR and a replay in the kit.
const EVENTS: [&str; 22] = [
    "OrderCreated",
    "OrderTried",
    "LegMoved",
    "OrderSucceeded",
    "OrderTryFailed",
    "OrderClosed",
    "OrderClosing",
    "OrderExpired",
    "PageHandedOut",
    "OrdersCleared",
    "SplitMade",
    "RefundCreated",
    "RefundAnswered",
    "ClearingTaken",
    "MerchantSettled",
    "FundBatch",
    "SplitReturned",
    "Task(",
    "TopUp(",
    "AttemptBrought",
    "Transfer(",
    "Advance(",
];

/// The template of what is settled by hand.
const BY_HAND: &str = "to-balance";
/// What pays an order may be one of so many things.
const WAYS: u8 = IN_PART + 3;
/// Those of an instrument each; a balance is the others.
const IN_PART: u8 = 14;

/// What [`Walk::happened`] must have.
const HAPPENS: [&str; 4] = ["by leg", "by leg and item", "leg asked for again", "refund asked for again"];

const RAILS: [Rail; 3] = [Rail::Epcc, Rail::UnionPay, Rail::Fund];

/// Provident fund by the month's batch.
fn monthly(amount: Minor, route: FundRoute, converts: bool) -> Instrument {
    let monthly = Some(Monthly { period: String::from("2026-03"), route, converts, cut_off: None, quota: None });
    Instrument::Fund { contract: String::from("lease-1"), amount, holds: false, monthly, on_part: None }
}

/// One of these, if there is any.
fn picked<T>(at: Index, all: &[T]) -> Option<&T> {
    (!all.is_empty()).then(|| at.get(all))
}

/// The month's batch is closed.
fn closing() -> Command {
    let (city, period) = (String::from("310000"), String::from("2026-03"));
    Command::FundBatch(FundBatchCommand::Close { city, period })
}

/// What pays an order that has rent, in one of these ways, from 0 on; a balance is another.
fn instruments(order: &Order, how: u8) -> Vec<Instrument> {
    let rent = order.sum_of(ItemKind::Rent);
    let rest = order.payable() - rent;
    match how {
        0 | 1 => vec![card(order.payable())],
        2 if rest > 0 => vec![card(rest), fund(rent)],
        3 if rest > 0 => vec![card(rest), fund_at_once(rent)],
        4 => vec![fund(order.payable())],
        5 if rest > 0 => vec![redirect(rest), fund(rent)],
        6 if rest > 0 => vec![card(rest), monthly(rent, FundRoute::Reserve, false)],
        7 if rest == 0 => vec![monthly(rent, FundRoute::Reserve, false)],
        7 | 8 => vec![card(rest), monthly(rent, FundRoute::Reserve, true)],
        9 => vec![monthly(rent, FundRoute::Direct, true), card(rest)],
        11 if rest > 0 => vec![card(rest), fund_in_part(rent, OnPart::Undo)],
        12 => vec![card(rest), fund_in_part(rent, OnPart::Convert)],
        13 if rest == 0 => vec![fund_in_part(rent, OnPart::Undo)],
        _ => vec![redirect(order.payable())],
    }
}

/// A merchant's payers pay its fee: much of a small order, and no whole part of any.
fn fee_on_top(kit: &mut Kit, merchant: MerchantId) {
    let tiers = vec![FeeTier { from: 0, rate: 60_000, fixed: 3 }];
    let (owner, from, of) = (merchant.into(), date("2026-03-05"), FeeOf::Order);
    let (payer, rounding, on_refund) = (FeePayer::Payer, Rounding::HalfUp, FeeOnRefund::AsAsked);
    let set = SetFeePlan { owner, from, tiers, least: None, cap: None, payer, rounding, of, on_refund };
    kit.approved(Command::SetFeePlan(set));
}

/// What is settled by hand goes from 2205 or 2243 to a balance.
fn by_hand(kit: &mut Kit) {
    let line = |subject, side| TemplateLine { subject, side };
    let lines = vec![
        line(Subject::PaymentInProgress, Side::Debit),
        line(Subject::RefundDue, Side::Debit),
        line(Subject::Personal, Side::Credit),
    ];
    let (code, title, event) = (String::from(BY_HAND), String::from("to the payer"), EventCode::ManualVoucher);
    kit.approved(Command::from(TemplateCommand::Set { code, title, event, lines }));
}

/// Own money for advances, and rules that a merchant meets on the day of its first paid order.
fn advances(kit: &mut Kit) {
    kit.capital(1_000_000);
    let (fee_rate, merchant_quota, total_quota) = (6_000, 20_000, 60_000);
    let policy = SetAdvancePolicy { fee_rate, merchant_quota, total_quota, min_days: 0, min_trading_days: 1 };
    kit.approved(Command::Advance(AdvanceCommand::SetPolicy(policy)));
}

struct Walk {
    kit: Kit,
    merchants: Vec<MerchantId>,
    agreement: AccountId,
    /// Balances of two people.
    wallets: Vec<AccountId>,
    /// Where what is settled by hand goes.
    by_hand: AccountId,
    /// What of which leg went there.
    legs_by_hand: BTreeMap<LegId, Minor>,
    approvals: u64,
    parts: BTreeMap<(Rail, Date), u32>,
    /// What is not seen in the state afterwards: how often it happened.
    happened: BTreeMap<&'static str, u32>,
}

impl Walk {
    fn new() -> Self {
        let mut kit = Kit::new();
        let rates = [2_000, 0, 60_000, 999_999, 0];
        let merchants = rates.map(|rate| kit.merchant(MerchantKind::Agency, rate)).to_vec();
        for payee in &merchants {
            merchants.iter().filter(|other| *other != payee).for_each(|other| kit.receives(*payee, *other));
        }
        fee_on_top(&mut kit, merchants[4]);
        by_hand(&mut kit);
        advances(&mut kit);
        let agreement = kit.agreement_account();
        let (wallets, by_hand) = (vec![kit.wallet(0), kit.wallet(0)], kit.wallet(0));
        let (parts, happened, legs_by_hand) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { kit, merchants, agreement, wallets, by_hand, legs_by_hand, approvals: 1_000, parts, happened }
    }

    fn order_at(&self, at: Index) -> Option<Order> {
        let orders: Vec<_> = self.kit.state.orders.iter().map(|(_, order)| order.clone()).collect();
        (!orders.is_empty()).then(|| at.get(&orders).clone())
    }

    fn today(&self) -> Date {
        Date::in_shanghai(self.kit.now)
    }

    fn success(&self) -> Outcome {
        Outcome::Success { reference: String::from("ref"), clearing_date: self.today(), part: None }
    }

    /// A refusal is an answer too: what matters are the laws after it.
    fn take(&mut self, step: &Step) {
        match step {
            Step::Answer { attempt, how } => self.answer(*attempt, *how),
            Step::Result { batch, says } => self.result(*batch, *says),
            Step::Restore => self.kit.restore(),
            Step::Act { task, by_hand } => self.act(*task, *by_hand),
            Step::Late { attempt } => self.late(*attempt),
            Step::Repay { advance } => self.repay(*advance),
            Step::Order { .. }
            | Step::Pay { .. }
            | Step::Close { .. }
            | Step::Batch
            | Step::HandOut { .. }
            | Step::Later
            | Step::Split { .. }
            | Step::Return { .. }
            | Step::Refund { .. }
            | Step::Advance { .. }
            | Step::ComeBack { .. }
            | Step::TopUp { .. }
            | Step::Brought { .. }
            | Step::Transfer { .. }
            | Step::Clear { .. }
            | Step::NextDay
            | Step::Settle { .. }
            | Step::Bar { .. } => {
                let Some(command) = self.command(step) else { return };
                let named = if let Command::CreateRefund(CreateRefund { legs, items, .. }) = &command
                    && !legs.is_empty()
                {
                    Some(if items.is_empty() { "by leg" } else { "by leg and item" })
                } else {
                    None
                };
                if self.kit.when(command).is_ok() {
                    named.into_iter().for_each(|name| self.happens(name));
                }
            }
        }
    }

    fn happens(&mut self, what: &'static str) {
        *self.happened.entry(what).or_default() += 1;
    }

    /// The command of a step; none if nothing is there yet that it would be about, and of the steps that are more than one command.
    fn command(&mut self, step: &Step) -> Option<Command> {
        Some(match step {
            Step::Order { .. } => self.order(step)?,
            Step::Pay { order, how } => {
                let order = self.order_at(*order)?;
                let wallet = self.wallet_of(&order).filter(|_| *how >= IN_PART);
                let how = if *how >= IN_PART { 0 } else { *how };
                let from_balance = |wallet| vec![balance(wallet, order.payable())];
                let instruments = wallet.map_or_else(|| instruments(&order, how), from_balance);
                Command::PayOrder { order: order.id, instruments }
            }
            Step::Close { order } => Command::CloseOrder(self.order_at(*order)?.id),
            Step::Batch => closing(),
            Step::HandOut { order } => {
                Command::HandOutPage { of: PageOf::Order(self.order_at(*order)?.id), site: None }
            }
            Step::Later => {
                self.kit.later(crate::front_page::PAGE_MS);
                Command::Tick
            }
            Step::Split { order, permille, receivers } => {
                let order = self.order_at(*order)?;
                self.split(&order, *permille, *receivers)
            }
            Step::Return { split, part, permille } => self.give_back(*split, *part, *permille)?,
            Step::Refund { order, permille, return_fee, names } => {
                let order = self.order_at(*order)?;
                self.refund(&order, *permille, *return_fee, *names)
            }
            Step::Advance { order } => self.advance(*order)?,
            Step::ComeBack { advance } => self.comes_back(*advance)?,
            Step::Brought { top_up, more } => self.brought(*top_up, *more)?,
            Step::TopUp { wallet, amount } => asks(tops_up(*wallet.get(&self.wallets), *amount)),
            Step::Transfer { from, permille } => self.transfer(*from, *permille),
            Step::Clear { rail, skip } => self.file(*rail.get(&RAILS), *skip),
            Step::NextDay => {
                self.kit.now = self.today().plus_days(1).starts_at().plus_ms(9 * 3_600_000);
                Command::CutDay { next: None }
            }
            Step::Settle { merchant } => {
                Command::Settle { merchant: *merchant.get(&self.merchants), today: self.today() }
            }
            Step::Bar { merchant, in_barred, out_barred } => {
                let account = self.kit.state.merchant(*merchant.get(&self.merchants)).unwrap().pending;
                let restriction = Restriction { in_barred: *in_barred, out_barred: *out_barred };
                Command::RestrictAccount { account, restriction }
            }
            Step::Answer { .. }
            | Step::Late { .. }
            | Step::Result { .. }
            | Step::Act { .. }
            | Step::Repay { .. }
            | Step::Restore => return None,
        })
    }

    fn order(&mut self, step: &Step) -> Option<Command> {
        let Step::Order { merchant, rent, deposit, tries, agreement, expires, wallet } = step else { return None };
        let mut items = vec![(ItemKind::Rent, *rent)];
        items.extend((*deposit > 0).then_some((ItemKind::Deposit, *deposit)));
        let mut command = self.kit.create_order(*merchant.get(&self.merchants), &items);
        command.tries_allowed = *tries;
        command.destination = agreement.then_some(self.agreement);
        command.expires_at = expires.then(|| self.kit.now.plus_ms(crate::front_page::PAGE_MS));
        // Of one of the two people who have a balance.
        let account = self.wallets[usize::from(*tries) % self.wallets.len()];
        if let Owner::User(user) = self.kit.state.account(account, "account").unwrap().owner
            && *wallet
        {
            command.payer = user;
        }
        Some(Command::CreateOrder(command))
    }

    /// An advance of an order of which nothing was settled, split whole or refunded.
    fn advance(&self, at: Index) -> Option<Command> {
        let may = |order: &&Order| order.settles && order.refunded == 0 && order.share(order.merchant, false) > 0;
        let orders: Vec<&Order> = self.kit.state.orders.iter().map(|(_, order)| order).filter(may).collect();
        let order = *picked(at, &orders)?;
        let (merchant, orders) = (order.merchant, vec![order.id]);
        Some(Command::Advance(AdvanceCommand::Request(RequestAdvance { merchant, orders })))
    }

    /// The balance of who pays an order, if that one has a balance here.
    fn wallet_of(&self, order: &Order) -> Option<AccountId> {
        let owner = |account: AccountId| self.kit.state.account(account, "account").unwrap().owner;
        self.wallets.iter().copied().find(|account| owner(*account) == Owner::User(order.payer))
    }

    /// All or a part of a balance goes to the other one.
    fn transfer(&self, from: Index, permille: Minor) -> Command {
        let at = from.index(self.wallets.len());
        let (from, to) = (self.wallets[at], self.wallets[(at + 1) % self.wallets.len()]);
        makes(transfer(from, to, (self.kit.balance(from) * permille / 1_000).max(1)))
    }

    /// A result file of one of the batches.
    fn result(&mut self, at: Index, says: [u8; 4]) {
        let batches: Vec<_> = self.kit.state.fund_batches.iter().map(|(_, batch)| batch.clone()).collect();
        if batches.is_empty() {
            return;
        }
        let batch = at.get(&batches).clone();
        let mut rows = Vec::new();
        for (row, says) in batch.rows.iter().zip(says.into_iter().cycle()) {
            let (paid, class, copies) = match says % 8 {
                0 => continue,
                1 => (0, Some(FailureClass::Bank), 1),
                2 | 3 if row.applied > 1 => (row.applied / 2, Some(FailureClass::User), 1),
                4 => (row.applied, None, 2),
                _ => (row.applied, None, 1),
            };
            let (code, reference) = (alloc::format!("{paid}"), String::from("ref"));
            let result = FundResult { paid, code, class, reference, date: self.today() };
            let (serial, contract, period) = (row.serial.clone(), row.contract.clone(), batch.period.clone());
            let row = FundResultRow { serial, contract, period, applied: row.applied, result };
            rows.extend((0..copies).map(|_| row.clone()));
        }
        let file = TakeFundResult { batch: batch.id, city: batch.city, number: batch.number, rows };
        let _ = self.kit.when(Command::FundBatch(FundBatchCommand::TakeResult(file)));
    }

    /// An attempt that waits takes every answer.
    fn answer(&mut self, at: Index, how: u8) {
        let outbox = self.kit.outbox();
        if outbox.is_empty() {
            return;
        }
        let attempt = at.get(&outbox);
        let half = attempt.operation.money().0 / 2;
        let in_part = crate::payment::part::takes(&self.kit.state, attempt, half);
        let outcome = match (how, self.success()) {
            (0, _) => declined(FailureClass::User),
            (1, _) => declined(FailureClass::System),
            (2, _) => Outcome::NotFound,
            (3, _) => Outcome::Unknown,
            (4..=6, Outcome::Success { reference, clearing_date, .. }) if in_part => {
                Outcome::Success { reference, clearing_date, part: Some(half) }
            }
            (_, success) => success,
        };
        self.tell(attempt.id, outcome);
    }

    /// What a channel says of an attempt that waits is taken, whatever was done about its leg meanwhile.
    fn tell(&mut self, attempt: AttemptId, outcome: Outcome) {
        let told = self.kit.when(Command::AnswerAttempt { attempt, outcome });
        assert!(told.is_ok(), "{attempt}: {told:?}");
    }

    /// Asks a channel again for what it refused, or settles it by hand.
    fn act(&mut self, at: Index, by_hand: bool) {
        let state = &self.kit.state;
        let legs = state.legs.iter().filter(|(_, leg)| leg.needs_person).map(|(_, leg)| TaskOf::Leg(leg.id));
        let refunds = state.refunds.iter().filter(|(_, it)| it.needs_person()).map(|(_, it)| TaskOf::Refund(it.id));
        let tasks: Vec<TaskOf> = legs.chain(refunds).collect();
        let Some(task) = picked(at, &tasks).copied() else { return };
        if by_hand {
            let voucher = self.voucher_of(task);
            if let (TaskOf::Leg(id), Some(voucher)) = (task, &voucher) {
                self.legs_by_hand.insert(id, voucher.entries[0].amount);
            }
            self.approvals += 1;
            let (id, command) = (ApprovalId(self.approvals), Command::from(SettleTask { task, voucher, amount: None }));
            let settled = self.kit.when_approved_as(id, command);
            settled.unwrap_or_else(|refusal| panic!("{refusal} for {task}"));
        } else if self.kit.when(Command::Task(TaskCommand::Retry(task))).is_ok() {
            self.happens(if matches!(task, TaskOf::Leg(_)) { "leg asked for again" } else { "refund asked for again" });
        }
    }

    /// What takes a task's money from where it lies; none if it lies elsewhere.
    fn voucher_of(&self, task: TaskOf) -> Option<ManualVoucher> {
        let state = &self.kit.state;
        let TaskMoney { lies_on, amount, currency } = match task {
            TaskOf::Leg(id) => TaskMoney::of_leg(state.leg(id).unwrap())?,
            TaskOf::Refund(id) => TaskMoney::of_refund(state.refund(id).unwrap())?,
            TaskOf::Payout(_) | TaskOf::Advance(_) => return None,
            TaskOf::Suspense(id) => TaskMoney::of_suspense(state.suspense_item(id).unwrap())?,
        };
        let from = state.institution(lies_on, currency).unwrap();
        let entries = vec![Entry::debit(from, amount, currency), Entry::credit(self.by_hand, amount, currency)];
        Some(ManualVoucher { template: String::from(BY_HAND), entries, contra_of: None, dimensions: None })
    }

    /// A receiver of a split gives all or a part of its own back.
    fn give_back(&self, split: Index, part: Index, permille: Minor) -> Option<Command> {
        let splits: Vec<_> = self.kit.state.splits.iter().map(|(_, split)| split).collect();
        let split = *picked(split, &splits)?;
        let SplitPart { merchant, amount } = *part.get(&split.parts);
        let (amount, out_return_no) = ((amount * permille / 1_000).max(1), String::from("return"));
        Some(Command::ReturnSplit(ReturnSplit { split: split.id, out_return_no, receiver: merchant, amount }))
    }

    fn split(&mut self, order: &Order, permille: Minor, receivers: usize) -> Command {
        let others: Vec<_> = self.merchants.iter().copied().filter(|merchant| *merchant != order.merchant).collect();
        let amount = (order.share(order.merchant, false) * permille / 1_000 / receivers as Minor).max(1);
        let parts = others.into_iter().take(receivers).map(|merchant| SplitPart { merchant, amount }).collect();
        let (out_split_no, parts) = (String::from("split"), Parts::Amounts(parts));
        Command::MakeSplit(MakeSplit { order: order.id, out_split_no, parts, return_order: vec![] })
    }

    /// Of the order as a whole, of the same share of each item or of each leg, or of items with the legs that paid them.
    fn refund(&self, order: &Order, permille: Minor, return_fee: bool, names: u8) -> Command {
        let of = |amount: Minor| (amount * permille / 1_000).max(1);
        let paying = || self.kit.state.legs_of(order, order.tries).filter(|leg| leg.refundable() > 0);
        let item = |(item, line): (u32, &Item)| ItemRefund { item, amount: of(line.amount) };
        let items: Vec<ItemRefund> = (0..).zip(&order.items).map(item).collect();
        let sum: Minor = items.iter().map(|part| part.amount).sum();
        let (amount, items, legs) = match names {
            0 | 1 => (of(order.amount), Vec::new(), Vec::new()),
            2 | 3 => (sum, items, Vec::new()),
            4 => {
                let legs: Vec<LegRefund> =
                    paying().map(|leg| LegRefund { leg: leg.id, amount: of(leg.amount()) }).collect();
                (legs.iter().map(|leg| leg.amount).sum(), Vec::new(), legs)
            }
            _ => {
                let is_rent = |part: &&ItemRefund| order.items[part.item as usize].kind == ItemKind::Rent;
                let rents = items.iter().filter(is_rent);
                let rent: Minor = rents.map(|part| part.amount).sum();
                let funds =
                    paying().filter(|leg| leg.instrument.is_fund()).map(Leg::refundable).sum::<Minor>().min(rent);
                let to = |leg: &Leg| if leg.instrument.is_fund() { funds } else { sum - funds };
                let legs = paying().map(|leg| LegRefund { leg: leg.id, amount: to(leg) });
                (sum, items, legs.filter(|leg| leg.amount > 0).collect())
            }
        };
        let plain = self.kit.create_refund(order.id, amount, return_fee);
        Command::CreateRefund(CreateRefund { items, legs, ..plain })
    }

    fn file(&mut self, rail: Rail, skip: usize) -> Command {
        let date = self.today();
        let mut lines = self.kit.clearing_lines(rail, &alloc::format!("{date}"));
        if skip < lines.len() {
            lines.remove(skip);
        }
        let part = self.parts.entry((rail, date)).or_default();
        *part += 1;
        Command::TakeClearingFile(TakeClearingFile { rail, date, part: *part, last: true, lines, channel: None })
    }

    /// Every channel answers, every line comes: nothing is left on its way.
    fn finish(&mut self) {
        for _ in 0..1_000 {
            let Some(attempt) = self.kit.outbox().pop() else { break };
            self.tell(attempt.id, self.success());
            self.laws();
        }
        assert!(self.kit.outbox().is_empty());
        assert!(self.kit.state.orders.iter().all(|(_, order)| !order.trying));
        for rail in RAILS {
            let file = self.file(rail, usize::MAX);
            if self.kit.when(file).is_ok() && self.sessions_come(rail) {
                // The claims lie where a fund is cleared.
                let of_legs: Minor = self.kit.state.legs.iter().map(|(_, leg)| self.claimed(leg)).sum();
                let claims = if rail == Rail::Fund { of_legs + self.claimed_of_refunds() } else { 0 };
                assert_eq!(self.kit.own(rail.subject()), claims, "{}", rail.name());
            }
        }
        assert_eq!(self.kit.own(Subject::RefundTransit), 0);
        self.laws();
        self.kit.posted_once();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn accounts_hold_what_orders_legs_and_refunds_say(steps in prop::collection::vec(step(), 1..100)) {
        let mut walk = Walk::new();
        for step in &steps {
            walk.take(step);
            walk.laws();
        }
        walk.finish();
    }
}

/// The walks must be able to find what they look for: together they reach the rare ends.
#[test]
fn walks_reach_the_rare_ends() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut reached: BTreeMap<&str, u32> = BTreeMap::new();
    for _ in 0..96 {
        let mut walk = Walk::new();
        walk.kit.hurry();
        for step in &prop::collection::vec(step(), 113).new_tree(&mut runner).unwrap().current() {
            walk.take(step);
        }
        let state = &walk.kit.state;
        for name in HAPPENS {
            *reached.entry(name).or_default() += walk.happened.get(name).copied().unwrap_or_default();
        }
        let mut reach = |name, is: bool| *reached.entry(name).or_default() += u32::from(is);
        state.orders.iter().for_each(|(_, order)| {
            reach(order.status.name(), true);
            reach("paid outside", order.outside > 0);
            reach("paid on top", order.on_top() > 0 && order.status == OrderStatus::Success);
            reach("fee on top returned", order.on_top() > 0 && order.fee_returned > 0);
            reach("order expired", order.expired);
        });
        state.legs.iter().for_each(|(_, leg)| {
            reach(leg.status.name(), true);
            reach("page expired", leg.expired);
            reach("leg settled by hand", leg.settled_by.is_some());
            reach("paid from a balance", leg.instrument.is_balance() && leg.status == LegStatus::Captured);
            reach("back to a balance", leg.instrument.is_balance() && leg.refunded > 0);
        });
        state.refunds.iter().for_each(|(_, refund)| {
            reach("useless", refund.kind == RefundKind::Useless);
            reach("refund paid", refund.status == RefundStatus::Success);
            reach("refund failed", refund.status == RefundStatus::Failed);
            reach("parts returned", !refund.returned.is_empty());
            reach("two legs", refund.parts.len() > 1);
            reach("by item", !refund.items.is_empty());
            let refused = |part: &RefundPart| part.status == RefundStatus::Failed && !part.items.is_empty();
            reach("part of an item refused", refund.parts.iter().any(refused));
            reach("refund settled by hand", refund.settled_by.is_some());
            reach("refund retried", refund.retried_as.is_some());
            let late = |part: &RefundPart| part.beside.is_some() && part.status == RefundStatus::Success;
            reach("refund taken again", refund.parts.iter().any(late));
            reach("refund claimed", refund.parts.iter().any(|part| part.claim.is_some()));
        });
        state.orders.iter().for_each(|(_, order)| reach("settled", order.is_settled()));
        reach("split", state.splits.iter().count() > 0);
        reach("returned of a split", state.splits.iter().any(|(_, split)| !split.returns.is_empty()));
        state.advances.iter().for_each(|(_, advance)| {
            reach("advanced", advance.status == AdvanceStatus::Success);
            reach("not advanced", advance.status == AdvanceStatus::Failed);
            reach("an advance came back", advance.status == AdvanceStatus::Returned);
            reach("an advance claimed", advance.claim.is_some());
        });
        state.top_ups.iter().filter_map(|(_, top_up)| top_up.back).for_each(|back| {
            reach("another amount went back", back.status == RefundStatus::Success);
            reach("another amount in suspense", back.status == RefundStatus::Failed);
        });
        reach("settlement", state.settlements.iter().count() > 0);
        for event in &walk.kit.events {
            let text = alloc::format!("{event:?}");
            for kind in EVENTS {
                reach(kind, text.starts_with(kind));
            }
        }
    }
    let missing: Vec<_> = reached.iter().filter(|(_, count)| **count == 0).collect();

    assert!(missing.is_empty() && reached.len() >= 32 + HAPPENS.len() + EVENTS.len(), "{reached:?}");
}
