//! Refunds by leg: rent to the fund that paid it, anything else to the card, and legs by name.

use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::ids::LegId;
use crate::testkit::orders::fund;

/// Rent 3,000 by the fund and deposit 3,200 by the card, paid.
fn combined(kit: &mut Kit) -> (MerchantId, OrderId) {
    let merchant = kit.landlord();
    let order = kit.combined(merchant);
    (0..3).for_each(|_| drop(kit.answered(success(DAY))));
    (merchant, order)
}

/// A refund of these items.
fn of_items(kit: &Kit, order: OrderId, items: &[(u32, Minor)]) -> CreateRefund {
    let mut command = kit.create_refund(order, items.iter().map(|(_, amount)| *amount).sum(), true);
    command.items = items.iter().map(|(item, amount)| ItemRefund { item: *item, amount: *amount }).collect();
    command
}

/// The same to these legs, the card's being 0 and the fund's 1.
fn to_legs(kit: &Kit, command: CreateRefund, legs: &[(usize, Minor)]) -> CreateRefund {
    let paid = &kit.state.order(command.order).unwrap().legs;
    let legs = legs.iter().map(|(at, amount)| LegRefund { leg: paid[*at], amount: *amount }).collect();
    CreateRefund { legs, ..command }
}

#[track_caller]
fn made(kit: &mut Kit, command: CreateRefund) -> Refund {
    let Reply::Refund(id) = kit.given(Command::CreateRefund(command)) else { panic!("the reply names what was made") };
    kit.state.refund(id).unwrap().clone()
}

/// A rail, what goes back by it, and of which items.
type PartBack = (Rail, Minor, Vec<(u32, Minor)>);

/// By which rail how much of which items goes back.
fn parts(refund: &Refund) -> Vec<PartBack> {
    let of = |part: &RefundPart| {
        let items = part.items.iter().map(|of| (of.item, of.amount)).collect();
        (part.rail.unwrap(), part.amount, items)
    };
    refund.parts.iter().map(of).collect()
}

#[test]
fn rent_that_the_fund_paid_goes_back_to_the_fund_and_the_deposit_to_the_card() {
    let mut kit = Kit::new();
    let (merchant, order) = combined(&mut kit);
    kit.books(&[(1121, 3_200), (1131, 3_000), (2291, 12), (1291, 12), (5001, 12)]);
    let rent = of_items(&kit, order, &[(0, 3_000)]);
    let rent = made(&mut kit, rent);
    assert_eq!(parts(&rent), [(Rail::Fund, 3_000, vec![(0, 3_000)])]);
    kit.answered(success(DAY));
    // round(12 × 3,000 / 6,200) = 6
    kit.books(&[(1121, 3_200), (2291, 6), (1291, 6), (5001, 6)]);
    let deposit = of_items(&kit, order, &[(1, 3_200)]);
    let deposit = made(&mut kit, deposit);
    assert_eq!(parts(&deposit), [(Rail::Epcc, 3_200, vec![(1, 3_200)])]);
    kit.answered(success(DAY));
    kit.books(&[]);
    assert_eq!(kit.pending(merchant), 0);
}

#[test]
fn rent_of_a_fund_and_a_card_goes_back_to_the_fund_until_it_has_all_again() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let order = kit.order(merchant, &[(ItemKind::Rent, 5_001)]);
    kit.pay(order, vec![card(2_001), fund(3_000)]);
    (0..3).for_each(|_| drop(kit.answered(success(DAY))));
    let whole = kit.create_refund(order, 2_000, true);
    assert_eq!(parts(&made(&mut kit, whole)), [(Rail::Fund, 2_000, vec![])]);
    kit.answered(success(DAY));
    let by_item = of_items(&kit, order, &[(0, 1_999)]);
    let by_item = made(&mut kit, by_item);
    assert_eq!(parts(&by_item), [(Rail::Epcc, 999, vec![(0, 999)]), (Rail::Fund, 1_000, vec![(0, 1_000)])]);
    for attempt in kit.outbox() {
        kit.answer(attempt.id, success(DAY));
    }
    kit.books(&[(1121, 1_002), (2291, 2), (1291, 2), (5001, 2)]);
    let rest = kit.create_refund(order, 1_002, true);
    assert_eq!(parts(&made(&mut kit, rest)), [(Rail::Epcc, 1_002, vec![])]);
    kit.answered(success(DAY));
    kit.books(&[]);
    assert_eq!(kit.pending(merchant), 0);
}

#[test]
fn without_items_what_is_not_rent_goes_back_before_rent() {
    let mut kit = Kit::new();
    let (_, order) = combined(&mut kit);
    let deposit = of_items(&kit, order, &[(1, 3_000)]);
    made(&mut kit, deposit);
    kit.answered(success(DAY));
    // 200 of the deposit are left; the next cent is rent's.
    let next = kit.create_refund(order, 201, true);
    assert_eq!(parts(&made(&mut kit, next)), [(Rail::Epcc, 200, vec![]), (Rail::Fund, 1, vec![])]);
}

#[test]
fn a_refund_says_which_leg_gets_how_much_and_never_more_than_the_leg_paid() {
    let mut kit = Kit::new();
    let (_, order) = combined(&mut kit);
    let refused = |kit: &mut Kit, amount, legs: &[(usize, Minor)], code| {
        let command = to_legs(kit, kit.create_refund(order, amount, true), legs);
        kit.refused(Command::CreateRefund(command), code);
    };
    refused(&mut kit, 3_201, &[(0, 3_201)], RefusalCode::RefundExceeded);
    refused(&mut kit, 3_001, &[(1, 3_001)], RefusalCode::RefundExceeded);
    refused(&mut kit, 2, &[(0, 1), (0, 1)], RefusalCode::ValueInvalid);
    refused(&mut kit, 2, &[(0, 1)], RefusalCode::ValueInvalid);
    refused(&mut kit, 1, &[(0, 1), (1, 0)], RefusalCode::AmountNotPositive);
    let mut foreign = kit.create_refund(order, 1, true);
    foreign.legs = vec![LegRefund { leg: LegId(99), amount: 1 }];
    kit.refused(Command::CreateRefund(foreign), RefusalCode::ValueInvalid);

    let both = to_legs(&kit, kit.create_refund(order, 1_500, true), &[(1, 1_000), (0, 500)]);
    assert_eq!(parts(&made(&mut kit, both)), [(Rail::Epcc, 500, vec![]), (Rail::Fund, 1_000, vec![])]);
    // What is on its way counts: nobody can ask for it a second time.
    refused(&mut kit, 2_001, &[(1, 2_001)], RefusalCode::RefundExceeded);
    let attempts = kit.outbox();
    kit.answer(attempts[0].id, Outcome::Unknown);
    refused(&mut kit, 2_701, &[(0, 2_701)], RefusalCode::RefundExceeded);
    kit.answer(attempts[1].id, declined(FailureClass::Bank));
    kit.answer(attempts[0].id, success(DAY));
    let again = to_legs(&kit, kit.create_refund(order, 3_000, true), &[(1, 3_000)]);
    assert_eq!(parts(&made(&mut kit, again)), [(Rail::Fund, 3_000, vec![])]);
}

#[test]
fn legs_and_items_of_one_refund_agree_on_what_is_the_funds() {
    let mut kit = Kit::new();
    let (_, order) = combined(&mut kit);
    let refused = |kit: &mut Kit, items: &[(u32, Minor)], legs: &[(usize, Minor)]| {
        let command = to_legs(kit, of_items(kit, order, items), legs);
        kit.refused(Command::CreateRefund(command), RefusalCode::ValueInvalid);
    };
    refused(&mut kit, &[(0, 3_000)], &[(0, 3_000)]);
    refused(&mut kit, &[(0, 3_000)], &[(0, 1), (1, 2_999)]);
    refused(&mut kit, &[(1, 3_000)], &[(1, 3_000)]);
    let right = to_legs(&kit, of_items(&kit, order, &[(1, 200), (0, 1_000)]), &[(0, 200), (1, 1_000)]);
    let right = made(&mut kit, right);
    assert_eq!(parts(&right), [(Rail::Epcc, 200, vec![(1, 200)]), (Rail::Fund, 1_000, vec![(0, 1_000)])]);
}

#[test]
fn what_fails_is_counted_back_of_the_items_of_its_leg() {
    let mut kit = Kit::new();
    let (merchant, order) = combined(&mut kit);
    let whole = of_items(&kit, order, &[(0, 3_000), (1, 3_200)]);
    let whole = made(&mut kit, whole);
    assert_eq!(parts(&whole), [(Rail::Epcc, 3_200, vec![(1, 3_200)]), (Rail::Fund, 3_000, vec![(0, 3_000)])]);
    let attempts = kit.outbox();
    kit.answer(attempts[1].id, declined(FailureClass::Bank));
    kit.restore();
    assert_eq!(kit.state.order(order).unwrap().items_refunded, [0, 3_200]);
    kit.answer(attempts[0].id, success(DAY));
    let deposit = of_items(&kit, order, &[(1, 1)]);
    kit.refused(Command::CreateRefund(deposit), RefusalCode::RefundExceeded);
    let rent = of_items(&kit, order, &[(0, 3_000)]);
    assert_eq!(parts(&made(&mut kit, rent)), [(Rail::Fund, 3_000, vec![(0, 3_000)])]);
    kit.answered(success(DAY));
    kit.books(&[]);
    assert_eq!(kit.pending(merchant), 0);
}

#[test]
fn a_refund_of_an_earlier_journal_counts_back_from_its_last_item_on() {
    let mut kit = Kit::new();
    let (_, order) = combined(&mut kit);
    let whole = of_items(&kit, order, &[(0, 3_000), (1, 3_200)]);
    let id = made(&mut kit, whole).id;
    // Its parts did not say of which items they were.
    let refund = kit.state.refunds.get_mut(id.0).unwrap();
    refund.parts.iter_mut().for_each(|part| part.items.clear());
    let answered = Answered {
        refund: id,
        part: 1,
        part_status: RefundStatus::Failed,
        status: RefundStatus::InTransit,
        shares: vec![],
        suspense: 0,
        beside: None,
        claimed: false,
        late: false,
    };
    apply_answered(&mut kit.state, &answered);
    assert_eq!(kit.state.order(order).unwrap().items_refunded, [3_000, 200]);
}
