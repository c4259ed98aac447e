//! The outflow breaker: what passes the bound waits with all that follows, two people decide, and the second look before money
//! leaves tells what does not agree.

use alloc::vec;

use super::*;
use crate::approval::Proposal;
use crate::attempt::Purpose;
use crate::clearing::{ClearingLine, LineKind};
use crate::freeze::{Change, DeductFreeze, Freeze, FreezeChange};
use crate::ids::{AccountId, MerchantId, OrderId, PayoutId};
use crate::order::ItemKind;
use crate::payout::{CreatePayout, PayTo, PayoutStatus, Receiver};
use crate::refund::RefundKind;
use crate::sealed::Sealed;
use crate::testkit::orders::card;
use crate::testkit::wallets::{asks, tops_up};
use crate::testkit::{Kit, court, declined, sealed, success};

const YUAN: Minor = 100;
const MINUTE: i64 = 60_000;

/// A landlord with a million yuan on 2203, and people who decide.
fn landlord() -> (Kit, MerchantId, AccountId) {
    let mut kit = Kit::new();
    kit.people();
    let merchant = kit.landlord();
    let account = kit.state.merchant(merchant).unwrap().available;
    kit.fund(account, 1_000_000 * YUAN);
    (kit, merchant, account)
}

fn bounded(kit: &mut Kit, floor: Minor, percent: u32) {
    let bound = SetOutflowBound { rail: Rail::Epcc, currency: Currency::Cny, floor, percent };
    kit.decided("treasurer", Proposal::OutflowBound(bound));
}

#[track_caller]
fn pay(kit: &mut Kit, account: AccountId, amount: Minor) -> PayoutId {
    let (to, fee, currency) = (PayTo::Settlement, 0, Currency::Cny);
    let command = CreatePayout { account, to, amount, fee, currency, send_now: true, bank: None, channel: None };
    let Reply::Payout(id) = kit.given(Command::CreatePayout(command)) else { panic!("a payout was created") };
    id
}

fn attempt(kit: &Kit, payout: PayoutId) -> Attempt {
    kit.state.attempt(kit.state.payout(payout).unwrap().attempt.unwrap()).unwrap().clone()
}

fn row(kit: &Kit) -> Outflow {
    kit.state.outflow(Rail::Epcc, Currency::Cny).unwrap().clone()
}

fn stop(reason: &str) -> Command {
    Command::Outflow(OutflowCommand::Stop { rail: Rail::Epcc, currency: Currency::Cny, reason: reason.into() })
}

fn resume(waiting: Waiting) -> ResumeOutflow {
    ResumeOutflow { rail: Rail::Epcc, currency: Currency::Cny, waiting }
}

#[test]
fn it_is_measured_from_the_first_bound_on() {
    let (mut kit, _, account) = landlord();
    let payout = pay(&mut kit, account, 400_000 * YUAN);
    assert_eq!(attempt(&kit, payout).status, AttemptStatus::Requested);
    assert_eq!(kit.state.outflow(Rail::Epcc, Currency::Cny), None, "a journal of before gives the rows that it gave");
    bounded(&mut kit, 1_000_000 * YUAN, 100);
    let payout = pay(&mut kit, account, 300_000 * YUAN);
    assert_eq!(attempt(&kit, payout).status, AttemptStatus::Requested);
    assert_eq!((row(&kit).last_hour(kit.now), row(&kit).bound_at(kit.now)), (300_000 * YUAN, Some(1_000_000 * YUAN)));
}

#[test]
fn what_would_pass_the_bound_waits_and_so_does_all_that_follows() {
    let (mut kit, _, account) = landlord();
    bounded(&mut kit, 1_000 * YUAN, 300);
    let within = pay(&mut kit, account, 1_000 * YUAN);
    assert_eq!(attempt(&kit, within).status, AttemptStatus::Requested, "the bound itself may be reached");
    let beyond = pay(&mut kit, account, 1);
    let stopped = row(&kit).stopped.unwrap();
    assert_eq!((stopped.hour, stopped.bound), (1_000 * YUAN + 1, Some(1_000 * YUAN)));
    assert_eq!((stopped.attempt, stopped.by), (kit.state.payout(beyond).unwrap().attempt, None));
    kit.later(3 * 60 * MINUTE);
    let later = pay(&mut kit, account, 1);
    for payout in [beyond, later] {
        assert_eq!(attempt(&kit, payout).status, AttemptStatus::Waiting, "it stays stopped until people looked");
        assert_eq!(kit.state.payout(payout).unwrap().status, PayoutStatus::Sent, "its money is in transit");
    }
    assert_eq!(row(&kit).last_hour(kit.now), 0, "what waits does not count");
    kit.restore();
    assert_eq!(kit.state.waiting(Rail::Epcc, Currency::Cny).count(), 2);
    assert_eq!(kit.state.waiting(Rail::Fund, Currency::Cny).count(), 0, "another channel");
    kit.refused(stop("again"), RefusalCode::OutflowState);
}

#[test]
fn two_people_let_it_go_and_it_may_be_sent_from_then_on() {
    let (mut kit, _, account) = landlord();
    bounded(&mut kit, 100, 100);
    let payout = pay(&mut kit, account, 101);
    kit.refused(resume(Waiting::Send).command(), RefusalCode::ApprovalRequired);
    kit.later(5 * MINUTE);
    kit.decided("risk", Proposal::ResumeOutflow(resume(Waiting::Send)));
    let sent = attempt(&kit, payout);
    assert_eq!((&sent.status, sent.send_before), (&AttemptStatus::Requested, kit.now.plus_ms(attempt::SEND_WITHIN_MS)));
    assert_eq!(row(&kit).stopped, None);
    assert_eq!(row(&kit).last_hour(kit.now), 0, "the hour begins anew");
    assert_eq!(agree(&kit.state, &sent), Ok(()));
    kit.answer(sent.id, success("2026-03-05"));
    assert_eq!(kit.state.payout(payout).unwrap().status, PayoutStatus::Success);
    let refused = kit.when_proposed("risk-1", Proposal::ResumeOutflow(resume(Waiting::Send)));
    assert_eq!(Kit::code(refused), RefusalCode::OutflowState);
}

#[test]
fn two_people_refuse_it_and_the_money_is_back() {
    let (mut kit, merchant, account) = landlord();
    bounded(&mut kit, 100, 100);
    let payouts = [pay(&mut kit, account, 101), pay(&mut kit, account, 7)];
    kit.decided("treasurer", Proposal::ResumeOutflow(resume(Waiting::Refuse)));
    for payout in payouts {
        let payout = kit.state.payout(payout).unwrap();
        assert_eq!((payout.status, payout.failure.as_ref().unwrap().code.as_str()), (PayoutStatus::Failed, REFUSED));
    }
    assert_eq!(kit.available(merchant), 1_000_000 * YUAN);
    assert!(kit.outbox().is_empty());
}

#[test]
fn one_person_stops_it_and_refunds_wait_too() {
    let (mut kit, merchant, _) = landlord();
    let order = kit.paid_rent(merchant, 5_000);
    kit.refused(stop("  "), RefusalCode::ValueInvalid);
    kit.given(stop("doubled payouts"));
    kit.refund(order, 5_000, true);
    assert_eq!(kit.waiting().status, AttemptStatus::Waiting);
    let stopped = row(&kit).stopped.unwrap();
    assert_eq!((stopped.by.as_deref(), stopped.reason.as_deref()), (Some("tester"), Some("doubled payouts")));
    // What comes in is not stopped.
    let next = kit.order(merchant, &[(ItemKind::Rent, 5_000)]);
    kit.pay(next, vec![card(5_000)]);
    assert_eq!(kit.outbox().last().unwrap().status, AttemptStatus::Requested);
}

#[test]
fn what_was_asked_for_before_a_stop_must_not_be_written_and_its_money_goes_back() {
    let (mut kit, merchant, account) = landlord();
    let payout = pay(&mut kit, account, 500);
    let asked = attempt(&kit, payout);
    assert!(!is_stopped_by_person(&kit.state, &asked));
    kit.given(stop("doubled payouts"));
    assert_eq!(attempt(&kit, payout).status, AttemptStatus::Requested, "it was let, and does not wait");
    assert!(is_stopped_by_person(&kit.state, &asked));
    assert!(!is_stopped_by_person(&kit.state, &Attempt { rail: Rail::UnionPay, ..asked.clone() }), "another channel");
    let held_back = Outcome::Declined { class: FailureClass::Risk, code: STOPPED.into() };
    kit.answer(asked.id, held_back);
    let failed = kit.state.payout(payout).unwrap();
    assert_eq!((failed.status, failed.failure.as_ref().unwrap().code.as_str()), (PayoutStatus::Failed, STOPPED));
    assert_eq!(kit.available(merchant), 1_000_000 * YUAN);
    // What comes in is not stopped.
    let order = kit.order(merchant, &[(ItemKind::Rent, 5_000)]);
    kit.pay(order, vec![card(5_000)]);
    assert!(!is_stopped_by_person(&kit.state, kit.outbox().last().unwrap()));
    kit.decided("risk", Proposal::ResumeOutflow(resume(Waiting::Send)));
    assert!(!is_stopped_by_person(&kit.state, &asked));
}

#[test]
fn what_was_let_within_the_bound_goes_though_the_next_one_stops_the_channel() {
    let (mut kit, _, account) = landlord();
    bounded(&mut kit, 100, 100);
    let (within, beyond) = (pay(&mut kit, account, 100), pay(&mut kit, account, 1));
    assert_eq!(attempt(&kit, beyond).status, AttemptStatus::Waiting);
    let within = attempt(&kit, within);
    assert_eq!((within.status.clone(), is_stopped_by_person(&kit.state, &within)), (AttemptStatus::Requested, false));
}

#[test]
fn the_baseline_is_the_busiest_hour_of_seven_days() {
    let (mut kit, _, account) = landlord();
    bounded(&mut kit, 100, 200);
    // 80 an hour within the floor, then 160 are twice the busiest.
    pay(&mut kit, account, 80);
    kit.later(61 * MINUTE);
    pay(&mut kit, account, 160);
    assert_eq!((row(&kit).busiest_hour(kit.now), row(&kit).bound_at(kit.now)), (80, Some(160)));
    kit.later(61 * MINUTE);
    assert_eq!(row(&kit).bound_at(kit.now), Some(320));
    kit.later(8 * 24 * 60 * MINUTE);
    assert_eq!((row(&kit).busiest_hour(kit.now), row(&kit).bound_at(kit.now)), (0, Some(100)), "too long ago");
    let first = row(&kit).hours.len();
    pay(&mut kit, account, 1);
    assert_eq!((first, row(&kit).hours.len()), (2, 1), "what is too old is let go");
}

#[test]
fn an_hour_rolls_by_sixths() {
    let (mut kit, _, account) = landlord();
    bounded(&mut kit, 100, 100);
    pay(&mut kit, account, 60);
    kit.later(30 * MINUTE);
    pay(&mut kit, account, 40);
    assert_eq!(row(&kit).last_hour(kit.now), 100);
    kit.later(31 * MINUTE);
    assert_eq!(row(&kit).last_hour(kit.now), 40);
    kit.later(60 * MINUTE);
    assert_eq!(row(&kit).last_hour(kit.now), 0);
}

#[test]
fn bounds_that_cannot_be_are_refused_by_name() {
    let (mut kit, ..) = landlord();
    for (floor, percent, param) in [(-1, 100, "floor"), (0, 99, "percent"), (0, MAX_PERCENT + 1, "percent")] {
        let bound = SetOutflowBound { rail: Rail::Epcc, currency: Currency::Cny, floor, percent };
        let refusal = kit.when_proposed("risk-1", Proposal::OutflowBound(bound)).unwrap_err();
        assert_eq!((refusal.code, &*refusal.param), (RefusalCode::ValueInvalid, param), "{refusal}");
    }
}

/// An attempt that was changed on its way, or books that were, and what the second look says.
#[test]
fn what_does_not_agree_is_told() {
    let (mut kit, merchant, account) = landlord();
    let payout = pay(&mut kit, account, 5_000);
    let right = attempt(&kit, payout);
    assert_eq!(agree(&kit.state, &right), Ok(()));
    let told = |kit: &Kit, change: &dyn Fn(&mut Attempt)| {
        let mut changed = right.clone();
        change(&mut changed);
        agree(&kit.state, &changed)
    };
    let with = |amount, currency, holder: &str| Operation::Pay {
        account: sealed(holder),
        name: kit.state.merchant(merchant).unwrap().settlement.name.clone(),
        amount,
        currency,
        bank: None,
    };
    let own = "6222**********0001";
    for (operation, what) in [
        (with(5_001, Currency::Cny, own), Disagreement::Amount),
        (with(5_000, Currency::Usd, own), Disagreement::Amount),
        (with(5_000, Currency::Cny, "6222**********0009"), Disagreement::Receiver),
        (
            Operation::Refund { original: right.serial(), amount: 5_000, currency: Currency::Cny },
            Disagreement::Receiver,
        ),
    ] {
        assert_eq!(told(&kit, &|changed| changed.operation = operation.clone()), Err(what), "{operation:?}");
    }
    assert_eq!(told(&kit, &|changed| changed.id = AttemptId(right.id.0 + 1)), Err(Disagreement::Object));
    let nobody = Purpose::Payout(PayoutId(payout.0 + 1));
    assert_eq!(told(&kit, &|changed| changed.purpose = nobody), Err(Disagreement::Object));
    assert_eq!(told(&kit, &|changed| changed.channel = Some("b".into())), Err(Disagreement::Channel));
    let mut elsewhere = kit.state.clone();
    elsewhere.payouts.get_mut(payout.0).unwrap().channel = Some("b".into());
    assert_eq!(agree(&elsewhere, &right), Err(Disagreement::Channel), "it was asked for over a further channel");
    let hold = kit.state.payout(payout).unwrap().hold.unwrap();
    let mut books = kit.state.clone();
    books.holds.get_mut(hold.0).unwrap().confirmed -= 1;
    assert_eq!(agree(&books, &right), Err(Disagreement::Hold));
    kit.answer(right.id, success("2026-03-05"));
    assert_eq!(agree(&kit.state, &right), Err(Disagreement::Object), "it has ended");
}

#[test]
fn a_refund_gives_back_what_came_in_by_it_and_no_more() {
    let (mut kit, merchant, _) = landlord();
    let order = kit.paid_rent(merchant, 5_000);
    let other = kit.paid_rent(merchant, 9_000);
    kit.refund(order, 3_000, false);
    let right = kit.waiting();
    assert_eq!(agree(&kit.state, &right), Ok(()));
    let leg = |kit: &Kit, order| {
        let order = kit.state.order(order).unwrap().clone();
        kit.state.legs_of(&order, 1).next().unwrap().clone()
    };
    let elsewhere = kit.state.attempt(leg(&kit, other).captured_by.unwrap()).unwrap().serial();
    let mut changed = right.clone();
    changed.operation = Operation::Refund { original: elsewhere, amount: 3_000, currency: Currency::Cny };
    assert_eq!(agree(&kit.state, &changed), Err(Disagreement::Original));
    let astray = Attempt { channel: Some("acme".into()), ..right.clone() };
    assert_eq!(agree(&kit.state, &astray), Err(Disagreement::Original), "another channel than brought it");
    let id = leg(&kit, order).id;
    kit.state.legs.get_mut(id.0).unwrap().refunded = 5_001;
    assert_eq!(agree(&kit.state, &right), Err(Disagreement::Original), "more than came in");
}

/// An authority's deduction: what leaves is what its freeze fell by for it, from that account, and was not given back.
#[test]
fn a_deduction_takes_what_its_freeze_fell_by_to_the_fen() {
    let (mut kit, _, account) = landlord();
    let Reply::Freeze(freeze) = kit.given(Command::PlaceFreeze(court(account, 800))) else { panic!("a freeze") };
    let deduct = |kit: &mut Kit, amount| {
        let receiver =
            Receiver { account: sealed("6222**********0007"), name: sealed("*院"), own: false, token: None };
        let (authority, document) = (String::from("district court"), String::from("2026-0004"));
        let order = DeductFreeze { freeze, account: None, amount, authority, document, receiver };
        let Reply::Payout(id) = kit.approved(order.command()) else { panic!("a deduction is a payout") };
        id
    };
    let (payout, later) = (deduct(&mut kit, 500), deduct(&mut kit, 300));
    let right = attempt(&kit, payout);
    for asked in [&right, &attempt(&kit, later)] {
        assert_eq!(agree(&kit.state, asked), Ok(()), "two of one freeze");
    }
    let told = |change: &dyn Fn(&mut Freeze)| {
        let mut books = kit.state.clone();
        change(books.freezes.get_mut(freeze.0).unwrap());
        agree(&books, &right)
    };
    let hold = Err(Disagreement::Hold);
    // The first of its changes is that it was placed, the second this deduction.
    for (account, amount) in [(account, 499), (account, 501), (AccountId(account.0 + 1), 500)] {
        let other = Change::Deducted { payout, account, amount };
        let sum = amount + 300;
        assert_eq!(told(&|row| (row.changes[1].what, row.deducted) = (other.clone(), sum)), hold, "{other:?}");
    }
    assert_eq!(told(&|row| row.deducted = 801), hold, "more than its changes tell");
    let back = Change::GivenBack { payout, amount: 1, expires_at: None };
    let given_back = |row: &mut Freeze| {
        let change = FreezeChange { what: back.clone(), ..row.changes[1].clone() };
        row.changes.push(change);
        row.deducted -= 1;
    };
    assert_eq!(told(&given_back), hold, "a fen of it was given back");
    let mut books = kit.state.clone();
    books.payouts.get_mut(payout.0).unwrap().freeze = None;
    assert_eq!(agree(&books, &right), hold, "nothing was held for it");
}

/// An attempt with another operation, of which something is not as it was asked.
#[track_caller]
fn changed(kit: &Kit, right: &Attempt, operations: Vec<(Operation, Disagreement)>) {
    assert_eq!(agree(&kit.state, right), Ok(()));
    for (operation, what) in operations {
        let changed = Attempt { operation, ..right.clone() };
        assert_eq!(agree(&kit.state, &changed), Err(what), "{changed:?}");
    }
    let other = Attempt { id: AttemptId(right.id.0 + 1), ..right.clone() };
    assert_eq!(agree(&kit.state, &other), Err(Disagreement::Object));
}

#[test]
fn own_money_pays_what_was_advanced_to_the_merchants_own_account_alone() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let order = kit.paid_rent(merchant, 5_000);
    kit.capital(4_990);
    kit.open_policy();
    kit.advance(merchant, &[order]);
    let right = kit.waiting();
    let Operation::Pay { account: own, name, .. } = right.operation.clone() else { panic!("{right:?}") };
    let pay = |account: &Sealed, amount, currency| Operation::Pay {
        account: account.clone(),
        name: name.clone(),
        amount,
        currency,
        bank: None,
    };
    let refund = Operation::Refund { original: right.serial(), amount: 4_990, currency: Currency::Cny };
    let operations = vec![
        (pay(&own, 4_991, Currency::Cny), Disagreement::Amount),
        (pay(&own, 4_990, Currency::Usd), Disagreement::Amount),
        (pay(&sealed("6222**********0009"), 4_990, Currency::Cny), Disagreement::Receiver),
        (refund, Disagreement::Receiver),
    ];
    changed(&kit, &right, operations);
    let astray = Attempt { channel: Some("b".into()), ..right.clone() };
    assert_eq!(agree(&kit.state, &astray), Err(Disagreement::Channel), "own money leaves by its rail's first channel");
    kit.answer(right.id, success("2026-03-05"));
    assert_eq!(agree(&kit.state, &right), Err(Disagreement::Object), "it has ended");
}

#[test]
fn an_undo_gives_back_all_that_its_card_brought_and_nothing_else() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    kit.combined(merchant);
    kit.answered(success("2026-03-05"));
    let card = kit.answered(success("2026-03-05"));
    kit.answered(declined(FailureClass::Bank));
    let right = kit.waiting();
    let refund = |original: String, amount, currency| Operation::Refund { original, amount, currency };
    let operations = vec![
        (refund(card.serial(), 3_201, Currency::Cny), Disagreement::Original),
        (refund(card.serial(), 3_199, Currency::Cny), Disagreement::Original),
        (refund(card.serial(), 3_200, Currency::Usd), Disagreement::Amount),
        (refund(right.serial(), 3_200, Currency::Cny), Disagreement::Original),
    ];
    changed(&kit, &right, operations);
}

/// The books with one attempt's operation changed.
fn brought(kit: &Kit, attempt: AttemptId, amount: Minor) -> State {
    let mut books = kit.state.clone();
    books.attempts.get_mut(attempt.0).unwrap().operation.set_amount(amount);
    books
}

/// What the channel is asked to give back.
fn gives_back(original: &str, amount: Minor, currency: Currency) -> Operation {
    Operation::Refund { original: original.into(), amount, currency }
}

fn pays(amount: Minor) -> Operation {
    let (account, name) = (sealed("6222**********0009"), sealed("*五"));
    Operation::Pay { account, name, amount, currency: Currency::Cny, bank: None }
}

/// A card that had been refused, and paid after all: the try that brought it is not the one that the leg was captured by.
#[test]
fn what_no_order_can_use_goes_back_whole_to_the_try_that_brought_it_and_nowhere_else() {
    let (mut kit, merchant, _) = landlord();
    let other = kit.paid_rent(merchant, 5_000);
    let other = kit.state.order(other).unwrap().legs[0];
    let other = kit.state.attempt(kit.state.leg(other).unwrap().captured_by.unwrap()).unwrap().serial();
    let order = kit.order(merchant, &[(ItemKind::Rent, 5_000)]);
    kit.pay(order, vec![card(5_000)]);
    let debit = kit.answered(declined(FailureClass::Bank));
    kit.answer(debit.id, success("2026-03-05"));
    let right = kit.waiting();
    let Purpose::Refund(id) = right.purpose else { panic!("{right:?}") };
    assert_eq!(kit.state.refund(id).unwrap().kind, RefundKind::Useless);
    let (serial, cny) = (debit.serial(), Currency::Cny);
    let another_day = serial.replacen("2026", "2025", 1);
    let operations = vec![
        (gives_back(&serial, 5_001, cny), Disagreement::Amount),
        (gives_back(&serial, 4_999, cny), Disagreement::Amount),
        (gives_back(&serial, 5_000, Currency::Usd), Disagreement::Amount),
        (gives_back(&other, 5_000, cny), Disagreement::Original),
        (gives_back(&another_day, 5_000, cny), Disagreement::Original),
        (gives_back(&right.serial(), 5_000, cny), Disagreement::Original),
        (gives_back("nonsense", 5_000, cny), Disagreement::Original),
        (pays(5_000), Disagreement::Receiver),
    ];
    changed(&kit, &right, operations);
    let astray = Attempt { channel: Some("acme".into()), ..right.clone() };
    assert_eq!(agree(&kit.state, &astray), Err(Disagreement::Original), "another channel than brought it");
    for amount in [4_999, 5_001] {
        let books = brought(&kit, debit.id, amount);
        assert_eq!(agree(&books, &right), Err(Disagreement::Original), "{amount} came in");
    }
    let mut books = kit.state.clone();
    books.attempts.get_mut(debit.id.0).unwrap().status = AttemptStatus::Settled(declined(FailureClass::Bank));
    assert_eq!(agree(&books, &right), Err(Disagreement::Original), "nothing came in");
    let mut books = kit.state.clone();
    books.refunds.get_mut(id.0).unwrap().order = OrderId(order.0 + 1);
    assert_eq!(agree(&books, &right), Err(Disagreement::Object), "its leg is of another order");
    kit.answer(right.id, success("2026-03-05"));
    assert_eq!(agree(&kit.state, &right), Err(Disagreement::Object), "it has ended");
}

/// Its channel's file told another amount than was asked for.
#[test]
fn a_top_up_of_another_amount_goes_back_whole_to_the_try_that_brought_it_and_nowhere_else() {
    let mut kit = Kit::new();
    let account = kit.wallet(0);
    kit.given(asks(tops_up(account, 1_000 * YUAN)));
    let other = kit.answered(success("2026-03-05")).serial();
    kit.given(asks(tops_up(account, 1_000 * YUAN)));
    let debit = kit.waiting();
    let (serial, amount, currency) = (debit.serial(), 900 * YUAN, Currency::Cny);
    let told = ClearingLine { serial: serial.clone(), kind: LineKind::Debit, amount, currency, reference: None };
    kit.take_file(Rail::Epcc, "2026-03-05", vec![told]);
    let right = kit.waiting();
    let Purpose::TopUp(id) = right.purpose else { panic!("{right:?}") };
    assert_eq!(right.operation, gives_back(&serial, amount, currency));
    let operations = vec![
        (gives_back(&serial, amount + 1, currency), Disagreement::Amount),
        (gives_back(&serial, amount - 1, currency), Disagreement::Amount),
        (gives_back(&serial, amount, Currency::Usd), Disagreement::Amount),
        (gives_back(&other, amount, currency), Disagreement::Original),
        (gives_back(&right.serial(), amount, currency), Disagreement::Original),
        (pays(amount), Disagreement::Receiver),
    ];
    changed(&kit, &right, operations);
    let astray = Attempt { channel: Some("acme".into()), ..right.clone() };
    assert_eq!(agree(&kit.state, &astray), Err(Disagreement::Original), "another channel than brought it");
    for came in [amount - 1, amount + 1, 1_000 * YUAN] {
        let books = brought(&kit, debit.id, came);
        assert_eq!(agree(&books, &right), Err(Disagreement::Original), "{came} came in");
    }
    let mut books = kit.state.clone();
    books.top_ups.get_mut(id.0).unwrap().attempt = None;
    assert_eq!(agree(&books, &right), Err(Disagreement::Original), "no try of it brought anything");
    kit.answer(right.id, success("2026-03-05"));
    assert_eq!(agree(&kit.state, &right), Err(Disagreement::Object), "it has ended");
}
