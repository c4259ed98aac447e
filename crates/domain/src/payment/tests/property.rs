//! Random walks over orders, answers, splits, refunds, clearing files and settlements. After every step each account that
//! these features use must hold exactly what the orders, legs and refunds say it holds.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::attempt::AttemptStatus;
use crate::clearing::TakeClearingFile;
use crate::fee_plan::{FeeOf, FeePayer, FeeTier, SetFeePlan};
use crate::front_page::PageOf;
use crate::fund_batch::{FundBatchCommand, FundResult, FundResultRow, FundRoute, Monthly, TakeFundResult};
use crate::leg::OnPart;
use crate::merchant::MerchantKind;
use crate::money::{Minor, Rounding};
use crate::order::Item;
use crate::refund::{CreateRefund, ItemRefund, Refund, RefundKind};
use crate::split::{MakeSplit, Parts, SplitPart};
use crate::testkit::orders::{fund_at_once, fund_in_part, redirect};

/// The events of these features; every one that a walk emits went through CBOR and a replay in the kit.
const EVENTS: [&str; 16] = [
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
];

const RAILS: [Rail; 3] = [Rail::Epcc, Rail::UnionPay, Rail::Fund];

#[derive(Debug, Clone)]
enum Step {
    Order {
        merchant: Index,
        rent: Minor,
        deposit: Minor,
        tries: u8,
        agreement: bool,
        expires: bool,
    },
    Pay {
        order: Index,
        how: u8,
    },
    Answer {
        attempt: Index,
        how: u8,
    },
    Late {
        attempt: Index,
    },
    Close {
        order: Index,
    },
    /// A batch of the month is closed.
    Batch,
    /// A result file of a batch, a word a row in turn.
    Result {
        batch: Index,
        says: [u8; 4],
    },
    HandOut {
        order: Index,
    },
    Later,
    Split {
        order: Index,
        permille: Minor,
        receivers: usize,
    },
    Refund {
        order: Index,
        permille: Minor,
        return_fee: bool,
    },
    Clear {
        rail: Index,
        skip: usize,
    },
    NextDay,
    Settle {
        merchant: Index,
    },
    Bar {
        merchant: Index,
        in_barred: bool,
        out_barred: bool,
    },
    Restore,
}

/// The ways to pay at centres that pay all or nothing at once.
const WHOLE: u8 = 11;
/// Those of centres that may pay a part besides.
const IN_PART: u8 = 14;

fn step(ways: u8) -> impl Strategy<Value = Step> {
    let index = any::<Index>;
    prop_oneof![
        3 => (index(), 1..10_000_i64, 0..5_000_i64, 1..4_u8, any::<u8>()).prop_map(
            |(merchant, rent, deposit, tries, kind)| {
                let (agreement, expires) = (kind < 25, kind >= 240);
                Step::Order { merchant, rent, deposit, tries, agreement, expires }
            }),
        8 => (index(), 0..ways).prop_map(|(order, how)| Step::Pay { order, how }),
        16 => (index(), 0..10_u8).prop_map(|(attempt, how)| Step::Answer { attempt, how }),
        2 => index().prop_map(|attempt| Step::Late { attempt }),
        2 => index().prop_map(|order| Step::Close { order }),
        3 => Just(Step::Batch),
        4 => (index(), any::<[u8; 4]>()).prop_map(|(batch, says)| Step::Result { batch, says }),
        6 => index().prop_map(|order| Step::HandOut { order }),
        1 => Just(Step::Later),
        3 => (index(), 1..1_100_i64, 1..4_usize).prop_map(
            |(order, permille, receivers)| Step::Split { order, permille, receivers }),
        6 => (index(), 1..1_050_i64, any::<bool>()).prop_map(
            |(order, permille, return_fee)| Step::Refund { order, permille, return_fee }),
        5 => (index(), 0..16_usize).prop_map(|(rail, skip)| Step::Clear { rail, skip }),
        3 => Just(Step::NextDay),
        6 => index().prop_map(|merchant| Step::Settle { merchant }),
        1 => (index(), any::<bool>(), any::<bool>()).prop_map(
            |(merchant, in_barred, out_barred)| Step::Bar { merchant, in_barred, out_barred }),
        3 => Just(Step::Restore),
    ]
}

/// Provident fund by the month's batch.
fn monthly(amount: Minor, route: FundRoute, converts: bool) -> Instrument {
    let monthly = Some(Monthly { period: String::from("2026-03"), route, converts, cut_off: None, quota: None });
    Instrument::Fund { contract: String::from("lease-1"), amount, holds: false, monthly, on_part: None }
}

/// The month's batch is closed.
fn closing() -> Command {
    let (city, period) = (String::from("310000"), String::from("2026-03"));
    Command::FundBatch(FundBatchCommand::Close { city, period })
}

/// What pays an order that has rent, in one of the ways.
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
    let (payer, rounding) = (FeePayer::Payer, Rounding::HalfUp);
    kit.approved(Command::SetFeePlan(SetFeePlan { owner, from, tiers, least: None, cap: None, payer, rounding, of }));
}

struct Walk {
    kit: Kit,
    merchants: Vec<MerchantId>,
    agreement: crate::ids::AccountId,
    parts: BTreeMap<(Rail, Date), u32>,
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
        let agreement = kit.agreement_account();
        Self { kit, merchants, agreement, parts: BTreeMap::new() }
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
        let command = match step {
            Step::Order { merchant, rent, deposit, tries, agreement, expires } => {
                let mut items = vec![(ItemKind::Rent, *rent)];
                items.extend((*deposit > 0).then_some((ItemKind::Deposit, *deposit)));
                let mut command = self.kit.create_order(*merchant.get(&self.merchants), &items);
                command.tries_allowed = *tries;
                command.destination = agreement.then_some(self.agreement);
                command.expires_at = expires.then(|| self.kit.now.plus_ms(crate::front_page::PAGE_MS));
                Command::CreateOrder(command)
            }
            Step::Pay { order, how } => {
                let Some(order) = self.order_at(*order) else { return };
                Command::PayOrder { order: order.id, instruments: instruments(&order, *how) }
            }
            Step::Answer { attempt, how } => return self.answer(*attempt, *how),
            Step::Late { attempt } => {
                let failed = |attempt: &Attempt| {
                    matches!(attempt.status, AttemptStatus::Settled(Outcome::Declined { .. } | Outcome::NotFound))
                };
                let all = self.kit.state.attempts.iter().map(|(_, attempt)| attempt);
                let failed: Vec<_> = all.filter(|attempt| failed(attempt)).map(|attempt| attempt.id).collect();
                if failed.is_empty() {
                    return;
                }
                Command::AnswerAttempt { attempt: *attempt.get(&failed), outcome: self.success() }
            }
            Step::Close { order } => match self.order_at(*order) {
                Some(order) => Command::CloseOrder(order.id),
                None => return,
            },
            Step::Batch => closing(),
            Step::Result { batch, says } => return self.result(*batch, *says),
            Step::HandOut { order } => match self.order_at(*order) {
                Some(order) => Command::HandOutPage { of: PageOf::Order(order.id), site: None },
                None => return,
            },
            Step::Later => {
                self.kit.later(crate::front_page::PAGE_MS);
                Command::Tick
            }
            Step::Split { order, permille, receivers } => match self.order_at(*order) {
                Some(order) => self.split(&order, *permille, *receivers),
                None => return,
            },
            Step::Refund { order, permille, return_fee } => match self.order_at(*order) {
                Some(order) => self.refund(&order, *permille, *return_fee),
                None => return,
            },
            Step::Restore => return self.kit.restore(),
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
        };
        let _ = self.kit.when(command);
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
        self.kit.answer(attempt.id, outcome);
    }

    fn split(&mut self, order: &Order, permille: Minor, receivers: usize) -> Command {
        let others: Vec<_> = self.merchants.iter().copied().filter(|merchant| *merchant != order.merchant).collect();
        let amount = (order.share(order.merchant, false) * permille / 1_000 / receivers as Minor).max(1);
        let parts = others.into_iter().take(receivers).map(|merchant| SplitPart { merchant, amount }).collect();
        let (out_split_no, parts) = (String::from("split"), Parts::Amounts(parts));
        Command::MakeSplit(MakeSplit { order: order.id, out_split_no, parts, return_order: vec![] })
    }

    /// Of the order as a whole, or of the same share of each item.
    fn refund(&self, order: &Order, permille: Minor, return_fee: bool) -> Command {
        let of = |amount: Minor| (amount * permille / 1_000).max(1);
        if permille % 3 > 0 {
            return Command::CreateRefund(self.kit.create_refund(order.id, of(order.amount), return_fee));
        }
        let item = |(item, line): (u32, &Item)| ItemRefund { item, amount: of(line.amount) };
        let items: Vec<ItemRefund> = (0..).zip(&order.items).map(item).collect();
        let amount = items.iter().map(|part| part.amount).sum();
        Command::CreateRefund(CreateRefund { items, ..self.kit.create_refund(order.id, amount, return_fee) })
    }

    fn file(&mut self, rail: Rail, skip: usize) -> Command {
        let date = self.today();
        let mut lines = self.kit.clearing_lines(rail, &alloc::format!("{date}"));
        if skip < lines.len() {
            lines.remove(skip);
        }
        let part = self.parts.entry((rail, date)).or_default();
        *part += 1;
        Command::TakeClearingFile(TakeClearingFile { rail, date, part: *part, last: true, lines })
    }

    fn laws(&self) {
        let state = &self.kit.state;
        let orders = || state.orders.iter().map(|(_, order)| order);
        let refunds = || state.refunds.iter().map(|(_, refund)| refund);
        for merchant in &self.merchants {
            let unsettled = orders().filter(|order| order.settles).map(|order| order.share(*merchant, false));
            assert_eq!(self.kit.pending(*merchant), unsettled.sum::<Minor>(), "2202 of {merchant}");
            let settled = orders().map(|order| order.share(*merchant, true));
            assert_eq!(self.kit.available(*merchant), settled.sum::<Minor>(), "2203 of {merchant}");
        }
        let legs = || state.legs.iter().map(|(_, leg)| leg);
        let waiting = legs().filter(|leg| {
            let order = state.order(leg.order).unwrap();
            let carried = |leg: &&Leg| leg.amount() > 0 && !leg.instrument.pays_directly();
            let legs = || state.legs_of(order, leg.try_number);
            // A fund that paid in part, and no card for the rest, waits to go back.
            let short = legs().map(Leg::amount).sum::<Minor>() != order.payable();
            let combined = carried(leg) && (short || legs().filter(carried).count() > 1);
            leg.status == LegStatus::Captured && combined && leg.undo.is_none() && (order.trying || leg.needs_person)
        });
        assert_eq!(self.kit.own(Subject::PaymentInProgress), waiting.map(Leg::amount).sum::<Minor>(), "2205");
        let moving = |status| matches!(status, RefundStatus::InTransit | RefundStatus::Unknown);
        let parts = refunds().flat_map(|refund| &refund.parts);
        let back: Minor = parts.filter(|part| moving(part.status)).map(|part| part.amount).sum();
        let undone: Minor = legs().filter(|leg| leg.undo.is_some()).map(Leg::amount).sum();
        assert_eq!(self.kit.own(Subject::RefundTransit), back + undone, "2211");
        let useless = refunds().filter(|refund| refund.kind == RefundKind::Useless);
        let failed = useless.flat_map(|refund| &refund.parts).filter(|part| part.status == RefundStatus::Failed);
        assert_eq!(self.kit.own(Subject::RefundDue), failed.map(|part| part.amount).sum::<Minor>(), "2243");
        assert_eq!(self.kit.own(Subject::Suspense), refunds().map(|refund| refund.suspense).sum::<Minor>(), "2241");
        let paid = orders().filter(|order| order.status == OrderStatus::Success);
        let fees = paid.map(|order| order.fee - order.fee_returned);
        assert_eq!(self.kit.own(Subject::DueToOwn), fees.sum::<Minor>(), "2291");
        orders().for_each(|order| self.law_of_order(order));
        let due: Minor = state.due.iter().map(|(_, amount)| amount).sum();
        let counted = orders().filter(|order| order.settles).flat_map(|order| {
            order.shares.iter().filter(|share| !share.settled && (order.due.is_some() || share.amount < 0))
        });
        assert_eq!(due, counted.map(|share| share.amount).sum::<Minor>(), "the index of what is due");
    }

    fn law_of_order(&self, order: &Order) {
        let state = &self.kit.state;
        let of_order = |refund: &&Refund| refund.order == order.id && refund.kind == RefundKind::Order;
        let refunds: Vec<_> = state.refunds.iter().map(|(_, refund)| refund).filter(of_order).collect();
        let alive =
            || refunds.iter().flat_map(|refund| &refund.parts).filter(|part| part.status != RefundStatus::Failed);
        assert_eq!(order.refunded, alive().map(|part| part.amount).sum::<Minor>(), "{}", order.id);
        assert_eq!(order.fee_returned, alive().map(|part| part.fee).sum::<Minor>(), "{}", order.id);
        assert!((0..=order.fee).contains(&order.fee_returned) && order.refunded <= order.payable(), "{order:?}");
        for leg in order.legs.iter().map(|leg| state.leg(*leg).unwrap()) {
            let back: Minor = alive().filter(|part| part.leg == leg.id).map(|part| part.amount).sum();
            assert!(leg.refunded == back && back <= leg.amount(), "{}", leg.id);
        }
        for ((at, item), refunded) in (0_u32..).zip(&order.items).zip(&order.items_refunded) {
            let of_item = alive().flat_map(|part| &part.items).filter(|of| of.item == at);
            let back: Minor = of_item.map(|of| of.amount).sum();
            assert!(*refunded == back && back <= item.amount, "item {at} of {}", order.id);
        }
        if order.status == OrderStatus::Success {
            let suspense: Minor = refunds.iter().map(|refund| refund.suspense).sum();
            let left = order.net - (order.refunded - order.fee_returned) - suspense;
            assert_eq!(order.shares.iter().map(|share| share.amount).sum::<Minor>(), left, "{order:?}");
        } else {
            assert!(order.shares.is_empty() && order.refunded == 0, "{order:?}");
        }
        assert!(!order.expired || order.closing, "what expired is being closed, or was: {order:?}");
        assert!(!order.closing || order.trying || order.ended_at.is_some(), "what is being closed waits: {order:?}");
        let open = state.legs_of(order, order.tries).any(|leg| leg.open.is_some());
        assert!(!order.trying || open, "a try waits for an answer: {order:?}");
    }

    /// Every channel answers, every line comes: nothing is left on its way.
    fn finish(&mut self) {
        for _ in 0..1_000 {
            let Some(attempt) = self.kit.outbox().pop() else { break };
            self.kit.answer(attempt.id, self.success());
            self.laws();
        }
        assert!(self.kit.outbox().is_empty());
        assert!(self.kit.state.orders.iter().all(|(_, order)| !order.trying));
        for rail in RAILS {
            let file = self.file(rail, usize::MAX);
            if self.kit.when(file).is_ok() {
                assert_eq!(self.kit.own(rail.subject()), 0, "{}", rail.name());
            }
        }
        assert_eq!(self.kit.own(Subject::RefundTransit), 0);
        self.laws();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn accounts_hold_what_orders_legs_and_refunds_say(steps in prop::collection::vec(step(IN_PART), 1..90)) {
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
        for step in &prop::collection::vec(step(WHOLE), 90).new_tree(&mut runner).unwrap().current() {
            walk.take(step);
        }
        let state = &walk.kit.state;
        let mut reach = |name, is: bool| *reached.entry(name).or_default() += u32::from(is);
        state.orders.iter().for_each(|(_, order)| {
            reach(order.status.name(), true);
            reach("paid outside", order.outside > 0);
            reach("paid on top", order.on_top() > 0 && order.status == OrderStatus::Success);
        });
        state.legs.iter().for_each(|(_, leg)| {
            reach(leg.status.name(), true);
            reach("needs a person", leg.needs_person);
            reach("page expired", leg.expired);
        });
        state.refunds.iter().for_each(|(_, refund)| {
            reach("useless", refund.kind == RefundKind::Useless);
            reach("refund paid", refund.status == RefundStatus::Success);
            reach("refund failed", refund.status == RefundStatus::Failed);
            reach("parts returned", !refund.returned.is_empty());
            reach("two legs", refund.parts.len() > 1);
            reach("by item", !refund.items.is_empty());
        });
        state.orders.iter().for_each(|(_, order)| reach("settled", order.is_settled()));
        reach("split", state.splits.iter().count() > 0);
        reach("settlement", state.settlements.iter().count() > 0);
        for event in &walk.kit.events {
            let text = alloc::format!("{event:?}");
            for kind in EVENTS {
                reach(kind, text.starts_with(kind));
            }
        }
    }
    let missing: Vec<_> = reached.iter().filter(|(_, count)| **count == 0).collect();

    assert!(missing.is_empty() && reached.len() >= 20 + EVENTS.len(), "{reached:?}");
}
