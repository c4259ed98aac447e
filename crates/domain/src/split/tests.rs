//! Splits: parts, rates, what is left for the payee.

use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::attempt::Rail;
use crate::command::Command;
use crate::merchant::MerchantKind;
use crate::order::ItemKind;
use crate::testkit::orders::card;
use crate::testkit::{Kit, success};

const DAY: &str = "2026-03-05";

/// A commission of 10,000 without fee, paid to an agency.
fn commission(kit: &mut Kit) -> (MerchantId, OrderId) {
    let agency = kit.merchant(MerchantKind::Agency, 0);
    let order = kit.order(agency, &[(ItemKind::Commission, 10_000)]);
    kit.pay(order, vec![card(10_000)]);
    kit.answered(success(DAY));
    (agency, order)
}

/// Agents who may receive from the payee's orders.
fn agents(kit: &mut Kit, payee: MerchantId, count: usize) -> Vec<MerchantId> {
    let agents: Vec<MerchantId> = (0..count).map(|_| kit.merchant(MerchantKind::Agent, 0)).collect();
    agents.iter().for_each(|agent| kit.receives(payee, *agent));
    agents
}

fn make(order: OrderId, parts: Parts) -> MakeSplit {
    MakeSplit { order, out_split_no: "split-1".into(), parts, return_order: vec![] }
}

fn of(parts: &[(MerchantId, Minor)]) -> Parts {
    Parts::Amounts(parts.iter().map(|(merchant, amount)| SplitPart { merchant: *merchant, amount: *amount }).collect())
}

#[test]
fn a_commission_is_split_over_twelve_roles_in_one_voucher() {
    let mut kit = Kit::new();
    let (agency, order) = commission(&mut kit);
    let roles = agents(&mut kit, agency, 12);
    let parts: Vec<_> = roles.iter().map(|role| (*role, 700)).collect();
    kit.given(Command::MakeSplit(make(order, of(&parts))));
    assert_eq!(kit.last_voucher().len(), 13);
    assert_eq!(kit.pending(agency), 10_000 - 12 * 700);
    assert!(roles.iter().all(|role| kit.pending(*role) == 700));
    kit.books(&[(1121, 10_000)]);
    let shares = &kit.state.order(order).unwrap().shares;
    assert_eq!(shares.len(), 13);
    assert_eq!(shares.iter().map(|share| share.amount).sum::<Minor>(), 10_000);
}

#[test]
fn rates_round_down_and_the_remainder_goes_to_one_receiver() {
    let mut kit = Kit::new();
    let (agency, order) = commission(&mut kit);
    let roles = agents(&mut kit, agency, 3);
    let rates = vec![(roles[0], 333_333), (roles[1], 333_333), (roles[2], 333_334)];
    let parts = Parts::Rates { amount: 1_000, rates, remainder_to: roles[1] };
    kit.given(Command::MakeSplit(make(order, parts)));
    let got: Vec<_> = roles.iter().map(|role| kit.pending(*role)).collect();
    assert_eq!(got, [333, 334, 333]);
    assert_eq!(kit.pending(agency), 9_000);
}

#[test]
fn every_merchant_settles_its_own_part() {
    let mut kit = Kit::new();
    let (agency, order) = commission(&mut kit);
    let roles = agents(&mut kit, agency, 2);
    kit.given(Command::MakeSplit(make(order, of(&[(roles[0], 4_000), (roles[1], 1_000)]))));
    kit.clear(Rail::Epcc, DAY);
    kit.on("2026-03-06");
    let due = crate::settlement::merchants_due(&kit.state, "2026-03-06".parse().unwrap());
    assert_eq!(due, [agency, roles[0], roles[1]]);
    due.into_iter().for_each(|merchant| kit.settle(merchant));
    assert_eq!((kit.available(agency), kit.available(roles[0]), kit.available(roles[1])), (5_000, 4_000, 1_000));
    assert!(kit.state.order(order).unwrap().is_settled());
    kit.refused(Command::MakeSplit(make(order, of(&[(roles[0], 1)]))), RefusalCode::SplitState);
}

#[test]
fn a_split_between_clearing_and_settlement_is_due_with_the_rest() {
    let mut kit = Kit::new();
    let (agency, order) = commission(&mut kit);
    let role = agents(&mut kit, agency, 1)[0];
    kit.clear(Rail::Epcc, DAY);
    kit.given(Command::MakeSplit(make(order, of(&[(role, 2_500)]))));
    kit.on("2026-03-06");
    kit.settle(role);
    kit.settle(agency);
    assert_eq!((kit.available(agency), kit.available(role)), (7_500, 2_500));
}

#[test]
fn wrong_splits_are_refused() {
    let mut kit = Kit::new();
    let (agency, order) = commission(&mut kit);
    let roles = agents(&mut kit, agency, 2);
    let (a, b) = (roles[0], roles[1]);
    let mut refused = |parts, code| kit.refused(Command::MakeSplit(make(order, parts)), code);
    refused(of(&[]), RefusalCode::SplitAmount);
    refused(of(&[(a, 10_001)]), RefusalCode::SplitAmount);
    refused(of(&[(a, 6_000), (b, 4_001)]), RefusalCode::SplitAmount);
    refused(of(&[(a, 1), (a, 1)]), RefusalCode::SplitAmount);
    refused(of(&[(a, 0)]), RefusalCode::AmountNotPositive);
    refused(of(&[(a, Minor::MAX), (b, Minor::MAX)]), RefusalCode::AmountOverflow);
    refused(of(&[(agency, 1)]), RefusalCode::ReceiverNotAllowed);
    refused(of(&[(MerchantId(99), 1)]), RefusalCode::MerchantUnknown);
    refused(of(&vec![(a, 1); 31]), RefusalCode::SplitAmount);
    let rates = |rates, remainder_to| Parts::Rates { amount: 100, rates, remainder_to };
    refused(rates(vec![(a, 999_999)], a), RefusalCode::SplitAmount);
    refused(rates(vec![(a, RATE_WHOLE)], b), RefusalCode::SplitAmount);
    let mut with_order = make(order, of(&[(a, 1), (b, 1)]));
    with_order.return_order = vec![a];
    kit.refused(Command::MakeSplit(with_order), RefusalCode::ValueInvalid);
    let unpaid = kit.order(agency, &[(ItemKind::Commission, 100)]);
    kit.refused(Command::MakeSplit(make(unpaid, of(&[(a, 1)]))), RefusalCode::SplitState);
    kit.refused(Command::MakeSplit(make(OrderId(99), of(&[(a, 1)]))), RefusalCode::OrderUnknown);
}

#[test]
fn the_latest_split_is_returned_first_in_its_own_order() {
    let mut kit = Kit::new();
    let (agency, order) = commission(&mut kit);
    let roles = agents(&mut kit, agency, 4);
    kit.given(Command::MakeSplit(make(order, of(&[(roles[0], 10), (roles[1], 10)]))));
    let mut second = make(order, of(&[(roles[2], 10), (roles[3], 10)]));
    second.return_order = vec![roles[2], roles[3]];
    kit.given(Command::MakeSplit(second));
    let expected = [roles[2], roles[3], roles[1], roles[0]];
    assert_eq!(kit.state.order(order).unwrap().return_order, expected);
    assert_eq!(kit.state.split(SplitId(2)).unwrap().amount, 20);
    assert_eq!(kit.state.split(SplitId(9)).unwrap_err().code, RefusalCode::SplitUnknown);
}

/// What a receiver returns of a split.
fn back(split: SplitId, receiver: MerchantId, amount: Minor) -> Command {
    Command::ReturnSplit(ReturnSplit { split, out_return_no: "return-1".into(), receiver, amount })
}

#[track_caller]
fn made(kit: &mut Kit, order: OrderId, parts: &[(MerchantId, Minor)]) -> SplitId {
    let Reply::Split(id) = kit.given(Command::MakeSplit(make(order, of(parts)))) else {
        panic!("the reply names what was made")
    };
    id
}

#[test]
fn a_receiver_returns_what_it_got_and_never_more() {
    let mut kit = Kit::new();
    let (agency, order) = commission(&mut kit);
    let roles = agents(&mut kit, agency, 3);
    let id = made(&mut kit, order, &[(roles[0], 3_001), (roles[1], 2_000)]);
    kit.refused(back(SplitId(99), roles[0], 1), RefusalCode::SplitUnknown);
    kit.refused(back(id, roles[2], 1), RefusalCode::ReceiverNotAllowed);
    kit.refused(back(id, agency, 1), RefusalCode::ReceiverNotAllowed);
    kit.refused(back(id, roles[0], 0), RefusalCode::AmountNotPositive);
    kit.refused(back(id, roles[0], 3_002), RefusalCode::SplitAmount);
    for (amount, left) in [(1_000, 2_001), (2_000, 1)] {
        kit.given(back(id, roles[0], amount));
        assert_eq!(kit.last_voucher().len(), 2);
        assert_eq!((kit.pending(roles[0]), kit.pending(agency)), (left, 8_000 - left));
    }
    kit.restore();
    kit.refused(back(id, roles[0], 2), RefusalCode::SplitAmount);
    kit.given(back(id, roles[0], 1));
    kit.refused(back(id, roles[0], 1), RefusalCode::SplitAmount);
    let split = kit.state.split(id).unwrap();
    assert_eq!(split.returns.iter().map(|given| given.amount).collect::<Vec<_>>(), [1_000, 2_000, 1]);
    assert_eq!(split.allowed_actions(&kit.state), ["return"], "the other receiver has its part");
    assert_eq!((kit.pending(roles[1]), kit.pending(agency)), (2_000, 8_000));
    kit.books(&[(1121, 10_000)]);
    // What came back may be split again.
    made(&mut kit, order, &[(roles[2], 8_000)]);
    assert_eq!((kit.pending(agency), kit.pending(roles[2])), (0, 8_000));
}

#[test]
fn what_a_refund_took_back_is_not_returned_again() {
    let mut kit = Kit::new();
    let (agency, order) = commission(&mut kit);
    let roles = agents(&mut kit, agency, 1);
    let id = made(&mut kit, order, &[(roles[0], 3_000)]);
    kit.refund(order, 1_000, false);
    assert_eq!(kit.pending(roles[0]), 2_000);
    kit.refused(back(id, roles[0], 2_001), RefusalCode::SplitAmount);
    kit.given(back(id, roles[0], 2_000));
    assert!(kit.state.split(id).unwrap().allowed_actions(&kit.state).is_empty());
    // The next refund finds nothing with the receiver: the payee bears it.
    kit.answered(success(DAY));
    kit.refund(order, 9_000, false);
    assert_eq!((kit.pending(roles[0]), kit.pending(agency)), (0, 0));
}

#[test]
fn what_refunds_took_of_a_receiver_of_two_splits_is_counted_against_the_latest() {
    let mut kit = Kit::new();
    let (agency, order) = commission(&mut kit);
    let role = agents(&mut kit, agency, 1)[0];
    let [first, second] = [1_000, 500].map(|amount| made(&mut kit, order, &[(role, amount)]));
    let kept = |kit: &Kit| {
        let [first, second] = [first, second].map(|id| kit.state.split(id).unwrap());
        let order = kit.state.order(order).unwrap();
        (first.kept(&[], order, role), second.kept(&[first], order, role))
    };
    assert_eq!(kept(&kit), (1_000, 500));
    kit.refund(order, 200, false);
    assert_eq!((kept(&kit), kit.pending(role)), ((1_000, 300), 1_300));
    kit.given(back(first, role, 100));
    assert_eq!((kept(&kit), kit.pending(role)), ((900, 300), 1_200));
    kit.refund(order, 400, false);
    assert_eq!((kept(&kit), kit.pending(role)), ((800, 0), 800));
}

#[test]
fn settled_money_of_a_split_goes_back_to_what_the_payee_has_settled() {
    let mut kit = Kit::new();
    let (agency, order) = commission(&mut kit);
    let roles = agents(&mut kit, agency, 1);
    let id = made(&mut kit, order, &[(roles[0], 3_000)]);
    kit.clear(Rail::Epcc, DAY);
    kit.on("2026-03-06");
    kit.settle(roles[0]);
    kit.given(back(id, roles[0], 1_000));
    assert_eq!((kit.available(roles[0]), kit.pending(agency), kit.available(agency)), (2_000, 8_000, 0));
    kit.settle(agency);
    kit.given(back(id, roles[0], 2_000));
    assert_eq!((kit.available(roles[0]), kit.pending(agency), kit.available(agency)), (0, 0, 10_000));
}

#[test]
fn what_no_file_has_yet_waits_for_it_though_the_payee_had_an_advance() {
    let mut kit = Kit::new();
    let (agency, order) = commission(&mut kit);
    let roles = agents(&mut kit, agency, 1);
    let id = made(&mut kit, order, &[(roles[0], 3_000)]);
    kit.capital(7_000);
    kit.open_policy();
    kit.advance(agency, &[order]);
    kit.answered(success(DAY));
    kit.given(back(id, roles[0], 1_000));
    assert_eq!((kit.pending(roles[0]), kit.pending(agency), kit.available(agency)), (2_000, 1_000, 0));
    kit.clear(Rail::Epcc, DAY);
    kit.given(back(id, roles[0], 500));
    assert_eq!((kit.pending(agency), kit.available(agency)), (1_500, 0), "due tomorrow");
    kit.on("2026-03-06");
    kit.settle(agency);
    assert_eq!((kit.pending(agency), kit.available(agency)), (0, 1_500));
    kit.given(back(id, roles[0], 1_500));
    assert_eq!((kit.pending(roles[0]), kit.pending(agency), kit.available(agency)), (0, 0, 3_000));
}
