//! Each row of the table of combined payments: 3,200 by card and 3,000 by fund, fee 12.

use super::*;

use crate::leg::OnPart;
use crate::testkit::in_part;
use crate::testkit::orders::{fund_at_once, fund_in_part};

const DAY: &str = "2026-03-05";

fn begin(kit: &mut Kit) -> (MerchantId, OrderId) {
    let merchant = kit.landlord();
    (merchant, kit.combined(merchant))
}

/// Up to the capture's request: the fund holds and the card has paid.
fn card_in(kit: &mut Kit) -> (MerchantId, OrderId) {
    let (merchant, order) = begin(kit);
    kit.answered(success(DAY));
    kit.answered(success(DAY));
    (merchant, order)
}

/// A centre that pays at once: the fund is in and the card is asked.
fn fund_in(kit: &mut Kit) -> (MerchantId, OrderId) {
    let merchant = kit.landlord();
    let order = kit.order(merchant, &[(ItemKind::Rent, 3_000), (ItemKind::Deposit, 3_200)]);
    kit.pay(order, vec![card(3_200), fund_at_once(3_000)]);
    assert!(matches!(kit.waiting().operation, Operation::Debit { .. }));
    kit.answered(success(DAY));
    kit.books(&[(1131, 3_000), (2205, 3_000)]);
    (merchant, order)
}

#[test]
fn the_order_of_work_is_hold_card_capture() {
    let mut kit = Kit::new();
    let (_, order) = begin(&mut kit);
    let hold = kit.waiting();
    assert!(matches!(hold.operation, Operation::FundHold { amount: 3_000, .. }));
    assert_eq!(kit.legs(order), [LegStatus::Created, LegStatus::Sent]);
    kit.answered(success(DAY));
    kit.books(&[]);
    assert_eq!(kit.legs(order), [LegStatus::Sent, LegStatus::Held]);
    assert!(matches!(kit.waiting().operation, Operation::Debit { amount: 3_200, .. }));
    kit.answered(success(DAY));
    kit.books(&[(1121, 3_200), (2205, 3_200)]);
    assert_eq!(kit.legs(order), [LegStatus::Captured, LegStatus::Held]);
    let original = hold.serial();
    let currency = crate::money::Currency::Cny;
    assert_eq!(kit.waiting().operation, Operation::FundCapture { original, amount: 3_000, currency });
}

#[test]
fn card_ok_fund_captured_is_the_final_entry() {
    let mut kit = Kit::new();
    let (merchant, order) = card_in(&mut kit);
    kit.answered(success(DAY));
    kit.books(&[(1121, 3_200), (1131, 3_000), (2291, 12), (1291, 12), (5001, 12)]);
    assert_eq!(kit.pending(merchant), 6_188);
    assert_eq!(kit.status(order), OrderStatus::Success);
    assert_eq!(kit.legs(order), [LegStatus::Captured, LegStatus::Captured]);
    let merchant_told = kit.events.iter().filter(|event| matches!(event, Event::OrderSucceeded { .. })).count();
    assert_eq!(merchant_told, 1);
}

#[test]
fn card_ok_fund_failed_undoes_the_card() {
    let mut kit = Kit::new();
    let (merchant, order) = card_in(&mut kit);
    kit.answered(declined(FailureClass::Bank));
    kit.books(&[(1121, 3_200), (2211, 3_200)]);
    assert_eq!(kit.legs(order), [LegStatus::Captured, LegStatus::Failed]);
    assert_eq!(kit.status(order), OrderStatus::Paying);
    assert_eq!(kit.waiting().rail, Rail::Epcc);
    kit.answered(success(DAY));
    kit.books(&[]);
    assert_eq!(kit.legs(order), [LegStatus::Reversed, LegStatus::Failed]);
    assert_eq!(kit.status(order), OrderStatus::Failed);
    assert_eq!(kit.pending(merchant), 0);
}

#[test]
fn an_undo_that_the_bank_declines_stays_in_2205_for_a_person() {
    let mut kit = Kit::new();
    let (_, order) = card_in(&mut kit);
    kit.answered(declined(FailureClass::Bank));
    let undo = kit.answered(declined(FailureClass::Bank));
    kit.books(&[(1121, 3_200), (2205, 3_200)]);
    assert_eq!(kit.status(order), OrderStatus::Failed);
    assert_eq!(kit.legs(order), [LegStatus::Captured, LegStatus::Failed]);
    let card = kit.state.order(order).unwrap().legs[0];
    assert!(kit.state.leg(card).unwrap().needs_person);
    assert!(kit.outbox().is_empty());

    // The bank carried it out after all.
    kit.answer(undo.id, success(DAY));
    kit.books(&[]);
    assert_eq!(kit.legs(order), [LegStatus::Reversed, LegStatus::Failed]);
    assert!(!kit.state.leg(card).unwrap().needs_person);
}

/// The order whose centre may pay a part, with the tries that are allowed.
fn begin_in_part(kit: &mut Kit, on_part: OnPart, tries_allowed: u8) -> (MerchantId, OrderId) {
    let merchant = kit.landlord();
    let mut command = kit.create_order(merchant, &[(ItemKind::Rent, 3_000), (ItemKind::Deposit, 3_200)]);
    command.tries_allowed = tries_allowed;
    let order = kit.order_of(command);
    kit.pay(order, vec![card(3_200), fund_in_part(3_000, on_part)]);
    (merchant, order)
}

/// The fund held all, the card paid, and the centre captured 2,000 of the 3,000.
fn captured_in_part(kit: &mut Kit, on_part: OnPart) -> (MerchantId, OrderId, Attempt) {
    let (merchant, order) = begin_in_part(kit, on_part, 1);
    kit.answered(success(DAY));
    kit.answered(success(DAY));
    let capture = kit.answered(in_part(DAY, 2_000));
    assert!(matches!(capture.operation, Operation::FundCapture { amount: 3_000, .. }));
    (merchant, order, capture)
}

#[test]
fn card_ok_fund_captured_in_part_undoes_the_card_and_gives_the_part_back() {
    let mut kit = Kit::new();
    let (merchant, order, capture) = captured_in_part(&mut kit, OnPart::Undo);
    kit.books(&[(1121, 3_200), (1131, 2_000), (2205, 2_000), (2211, 3_200)]);
    assert_eq!(kit.legs(order), [LegStatus::Captured, LegStatus::Captured]);
    let undo = kit.answered(success(DAY));
    assert!(matches!((undo.rail, undo.operation), (Rail::Epcc, Operation::Refund { amount: 3_200, .. })));
    kit.books(&[(1131, 2_000), (2205, 2_000)]);
    let (original, currency) = (capture.serial(), crate::money::Currency::Cny);
    assert_eq!(kit.waiting().operation, Operation::Refund { original, amount: 2_000, currency });
    assert_eq!(crate::outflow::agree(&kit.state, &kit.waiting()), Ok(()));
    assert_eq!((kit.answered(success(DAY)).rail, kit.status(order)), (Rail::Fund, OrderStatus::Failed));
    assert_eq!(kit.legs(order), [LegStatus::Reversed, LegStatus::Reversed]);
    assert_eq!(kit.state.order(order).unwrap().failure, Some(FailureClass::User));
    kit.books(&[]);
    assert_eq!(kit.pending(merchant), 0);
}

#[test]
fn card_ok_fund_captured_in_part_asks_for_the_shortfall() {
    let mut kit = Kit::new();
    let (merchant, order, _) = captured_in_part(&mut kit, OnPart::Convert);
    kit.books(&[(1121, 3_200), (1131, 2_000), (2205, 5_200)]);
    assert_eq!(kit.legs(order), [LegStatus::Captured, LegStatus::Captured, LegStatus::Sent]);
    let (agreement, currency) = (String::from("agreement-1"), crate::money::Currency::Cny);
    assert_eq!(kit.waiting().operation, Operation::Debit { agreement, amount: 1_000, currency });
    // Nothing goes back while the answer is not known.
    kit.answered(Outcome::Unknown);
    assert_eq!(kit.legs(order), [LegStatus::Captured, LegStatus::Captured, LegStatus::Unknown]);
    kit.answered(success(DAY));
    kit.books(&[(1121, 4_200), (1131, 2_000), (2291, 12), (1291, 12), (5001, 12)]);
    assert_eq!((kit.status(order), kit.pending(merchant)), (OrderStatus::Success, 6_188));
    // Every leg goes back where it came from, and no more of it than came.
    kit.refund(order, 6_200, true);
    let back = kit.outbox().into_iter().map(|attempt| (attempt.rail, attempt.operation.money().0));
    let mut back: Vec<_> = back.collect();
    back.sort_unstable();
    assert_eq!(back, [(Rail::Epcc, 1_000), (Rail::Epcc, 3_200), (Rail::Fund, 2_000)]);
}

#[test]
fn a_shortfall_that_the_card_does_not_pay_undoes_the_card_and_the_part() {
    let mut kit = Kit::new();
    let (merchant, order, _) = captured_in_part(&mut kit, OnPart::Convert);
    let shortfall = kit.answered(declined(FailureClass::User));
    kit.books(&[(1121, 3_200), (1131, 2_000), (2205, 2_000), (2211, 3_200)]);
    kit.answered(success(DAY));
    assert!(matches!(kit.waiting().operation, Operation::Refund { amount: 2_000, .. }));
    kit.answered(success(DAY));
    kit.books(&[]);
    assert_eq!(kit.legs(order), [LegStatus::Reversed, LegStatus::Reversed, LegStatus::Failed]);
    assert_eq!((kit.status(order), kit.pending(merchant)), (OrderStatus::Failed, 0));

    // The bank did debit the shortfall: no order can use it.
    kit.answer(shortfall.id, success(DAY));
    kit.books(&[(1121, 1_000), (2211, 1_000)]);
    assert!(matches!(kit.waiting().operation, Operation::Refund { amount: 1_000, .. }));
    kit.answered(success(DAY));
    kit.books(&[]);
}

#[test]
fn a_hold_in_part_is_released_and_the_order_open_for_another_try() {
    let mut kit = Kit::new();
    let (_, order) = begin_in_part(&mut kit, OnPart::Undo, 2);
    let hold = kit.answered(in_part(DAY, 2_000));
    let (original, currency) = (hold.serial(), crate::money::Currency::Cny);
    assert_eq!(kit.waiting().operation, Operation::FundRelease { original, amount: 2_000, currency });
    kit.answered(success(DAY));
    assert_eq!(kit.legs(order), [LegStatus::Failed, LegStatus::Released]);
    assert_eq!(kit.state.attempts.iter().count(), 2, "the card was never asked");
    assert_eq!((kit.status(order), kit.state.order(order).unwrap().trying), (OrderStatus::Paying, false));
    kit.books(&[]);
    kit.pay(order, vec![card(6_200)]);
    kit.answered(success(DAY));
    assert_eq!(kit.status(order), OrderStatus::Success);
}

#[test]
fn a_hold_in_part_lets_the_card_pay_the_shortfall_with_its_own_share() {
    let mut kit = Kit::new();
    let (merchant, order) = begin_in_part(&mut kit, OnPart::Convert, 1);
    kit.answered(in_part(DAY, 2_000));
    assert!(matches!(kit.waiting().operation, Operation::Debit { amount: 4_200, .. }));
    kit.answered(success(DAY));
    assert!(matches!(kit.waiting().operation, Operation::FundCapture { amount: 2_000, .. }));
    kit.answered(success(DAY));
    kit.books(&[(1121, 4_200), (1131, 2_000), (2291, 12), (1291, 12), (5001, 12)]);
    assert_eq!(kit.legs(order), [LegStatus::Captured, LegStatus::Captured]);
    assert_eq!((kit.status(order), kit.pending(merchant)), (OrderStatus::Success, 6_188));
}

#[test]
fn card_ok_fund_failed_asks_for_all_of_its_share() {
    let mut kit = Kit::new();
    let (merchant, order) = begin_in_part(&mut kit, OnPart::Convert, 1);
    kit.answered(success(DAY));
    kit.answered(success(DAY));
    kit.answered(declined(FailureClass::Bank));
    assert_eq!(kit.legs(order), [LegStatus::Captured, LegStatus::Failed, LegStatus::Sent]);
    assert!(matches!(kit.answered(success(DAY)).operation, Operation::Debit { amount: 3_000, .. }));
    kit.books(&[(1121, 6_200), (2291, 12), (1291, 12), (5001, 12)]);
    assert_eq!((kit.status(order), kit.pending(merchant)), (OrderStatus::Success, 6_188));

    // Refused before the card was asked: one debit of all.
    let (merchant, order) = begin_in_part(&mut kit, OnPart::Convert, 1);
    kit.answered(declined(FailureClass::Bank));
    assert!(matches!(kit.answered(success(DAY)).operation, Operation::Debit { amount: 6_200, .. }));
    assert_eq!(kit.legs(order), [LegStatus::Captured, LegStatus::Failed]);
    assert_eq!((kit.status(order), kit.pending(merchant)), (OrderStatus::Success, 6_188));
}

#[test]
fn card_ok_fund_unknown_waits_without_a_refund() {
    let mut kit = Kit::new();
    let (merchant, order) = card_in(&mut kit);
    kit.answered(Outcome::Unknown);
    kit.books(&[(1121, 3_200), (2205, 3_200)]);
    assert_eq!(kit.legs(order), [LegStatus::Captured, LegStatus::Unknown]);
    assert!(matches!(kit.waiting().operation, Operation::FundCapture { .. }));
    kit.refused(Command::CloseOrder(order), RefusalCode::OrderState);
    kit.answered(success(DAY));
    assert_eq!(kit.pending(merchant), 6_188);
    assert_eq!(kit.own(Subject::PaymentInProgress), 0);
}

#[test]
fn card_ok_fund_unknown_then_failed_undoes_the_card() {
    let mut kit = Kit::new();
    let (_, order) = card_in(&mut kit);
    kit.answered(Outcome::Unknown);
    kit.answered(declined(FailureClass::Bank));
    kit.answered(Outcome::Unknown);
    assert_eq!(kit.legs(order), [LegStatus::Captured, LegStatus::Failed]);
    assert_eq!(kit.status(order), OrderStatus::Paying);
    kit.answered(success(DAY));
    kit.books(&[]);
    assert_eq!(kit.status(order), OrderStatus::Failed);
}

#[test]
fn card_unknown_fund_held_does_nothing_until_known() {
    let mut kit = Kit::new();
    let (_, order) = begin(&mut kit);
    kit.answered(success(DAY));
    kit.answered(Outcome::Unknown);
    assert_eq!(kit.legs(order), [LegStatus::Unknown, LegStatus::Held]);
    assert!(matches!(kit.waiting().operation, Operation::Debit { .. }));
    kit.answered(declined(FailureClass::User));
    assert!(matches!(kit.waiting().operation, Operation::FundRelease { .. }));
}

#[test]
fn card_unknown_fund_captured_does_nothing_until_known() {
    let mut kit = Kit::new();
    let (merchant, order) = fund_in(&mut kit);
    kit.answered(Outcome::Unknown);
    kit.books(&[(1131, 3_000), (2205, 3_000)]);
    assert_eq!(kit.legs(order), [LegStatus::Unknown, LegStatus::Captured]);
    kit.answered(success(DAY));
    assert_eq!(kit.pending(merchant), 6_188);
    assert_eq!(kit.own(Subject::PaymentInProgress), 0);
}

#[test]
fn card_failed_fund_held_releases() {
    let mut kit = Kit::new();
    let (_, order) = begin(&mut kit);
    let hold = kit.answered(success(DAY));
    kit.answered(declined(FailureClass::User));
    let (original, currency) = (hold.serial(), crate::money::Currency::Cny);
    assert_eq!(kit.waiting().operation, Operation::FundRelease { original, amount: 3_000, currency });
    assert_eq!(kit.status(order), OrderStatus::Paying);
    kit.answered(success(DAY));
    assert_eq!(kit.legs(order), [LegStatus::Failed, LegStatus::Released]);
    assert_eq!(kit.status(order), OrderStatus::Failed);
    assert_eq!(kit.state.order(order).unwrap().failure, Some(FailureClass::User));
    kit.books(&[]);
}

#[test]
fn card_failed_fund_captured_reverses_at_the_centre() {
    let mut kit = Kit::new();
    let (_, order) = fund_in(&mut kit);
    kit.answered(declined(FailureClass::User));
    let reverse = kit.waiting();
    assert_eq!(reverse.rail, Rail::Fund);
    assert!(matches!(reverse.operation, Operation::Refund { amount: 3_000, .. }));
    kit.books(&[(1131, 3_000), (2205, 3_000)]);
    kit.answered(success(DAY));
    kit.books(&[]);
    assert_eq!(kit.legs(order), [LegStatus::Failed, LegStatus::Reversed]);
    assert_eq!(kit.status(order), OrderStatus::Failed);
}

#[test]
fn a_fund_that_the_centre_will_not_reverse_stays_in_2205_for_a_person() {
    let mut kit = Kit::new();
    let (_, order) = fund_in(&mut kit);
    kit.answered(declined(FailureClass::User));
    kit.answered(declined(FailureClass::Bank));
    kit.books(&[(1131, 3_000), (2205, 3_000)]);
    assert_eq!(kit.status(order), OrderStatus::Failed);
    let fund = kit.state.order(order).unwrap().legs[1];
    assert!(kit.state.leg(fund).unwrap().needs_person);
}

#[test]
fn card_failed_fund_unknown_queries_the_fund_then_its_row() {
    let mut kit = Kit::new();
    let (_, order) = begin(&mut kit);
    kit.answered(success(DAY));
    kit.answered(declined(FailureClass::User));
    kit.answered(Outcome::Unknown);
    assert_eq!(kit.legs(order), [LegStatus::Failed, LegStatus::Unknown]);
    assert_eq!(kit.status(order), OrderStatus::Paying);
    assert!(matches!(kit.waiting().operation, Operation::FundRelease { .. }));
    kit.answered(success(DAY));
    assert_eq!(kit.legs(order), [LegStatus::Failed, LegStatus::Released]);
    assert_eq!(kit.status(order), OrderStatus::Failed);
}

#[test]
fn both_failed_is_failed_and_the_card_was_never_asked() {
    let mut kit = Kit::new();
    let (_, order) = begin(&mut kit);
    kit.answered(declined(FailureClass::User));
    assert_eq!(kit.legs(order), [LegStatus::Failed, LegStatus::Failed]);
    assert_eq!(kit.status(order), OrderStatus::Failed);
    assert_eq!(kit.state.attempts.iter().count(), 1);
    kit.books(&[]);
}

#[test]
fn a_release_that_the_centre_refuses_needs_a_person() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let mut command = kit.create_order(merchant, &[(ItemKind::Rent, 3_000), (ItemKind::Deposit, 3_200)]);
    command.tries_allowed = 5;
    let order = kit.order_of(command);
    kit.pay(order, vec![card(3_200), fund(3_000)]);
    kit.answered(success(DAY));
    kit.answered(declined(FailureClass::User));
    kit.answered(declined(FailureClass::Bank));
    assert_eq!(kit.legs(order), [LegStatus::Failed, LegStatus::Failed]);
    assert_eq!(kit.status(order), OrderStatus::Failed);
}

#[test]
fn a_capture_that_the_centre_never_saw_is_asked_again_under_a_new_serial() {
    let mut kit = Kit::new();
    let (merchant, order) = card_in(&mut kit);
    let first = kit.answered(Outcome::NotFound);
    let second = kit.waiting();
    assert!(matches!(second.operation, Operation::FundCapture { .. }));
    assert_ne!(first.serial(), second.serial());
    kit.answered(success(DAY));
    assert_eq!(kit.status(order), OrderStatus::Success);

    // The centre did see the first: that money goes back to the centre.
    kit.answer(first.id, success(DAY));
    let back = kit.waiting();
    assert_eq!(back.rail, Rail::Fund);
    assert!(matches!(&back.operation, Operation::Refund { original, .. } if *original == first.serial()));
    kit.answered(success(DAY));
    kit.books(&[(1121, 3_200), (1131, 3_000), (2291, 12), (1291, 12), (5001, 12)]);
    assert_eq!(kit.pending(merchant), 6_188);
}

#[test]
fn captures_end_after_three_and_the_card_goes_back() {
    let mut kit = Kit::new();
    let (_, order) = card_in(&mut kit);
    for _ in 0..MAX_CAPTURES {
        assert!(matches!(kit.waiting().operation, Operation::FundCapture { .. }));
        kit.answered(Outcome::NotFound);
    }
    assert!(matches!(kit.waiting().operation, Operation::Refund { .. }));
    kit.answered(success(DAY));
    assert_eq!(kit.legs(order), [LegStatus::Reversed, LegStatus::Failed]);
}

#[test]
fn a_hold_that_comes_late_is_released() {
    let mut kit = Kit::new();
    let (_, order) = begin(&mut kit);
    let hold = kit.answered(Outcome::NotFound);
    assert_eq!(kit.status(order), OrderStatus::Failed);
    kit.answer(hold.id, success(DAY));
    assert!(matches!(&kit.waiting().operation, Operation::FundRelease { original, .. } if *original == hold.serial()));
    kit.answered(success(DAY));
    assert_eq!(kit.legs(order), [LegStatus::Failed, LegStatus::Released]);
    kit.books(&[]);
}

#[test]
fn a_fund_alone_pays_rent() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let order = kit.order(merchant, &[(ItemKind::Rent, 3_000)]);
    kit.pay(order, vec![fund(3_000)]);
    kit.answered(success(DAY));
    kit.answered(success(DAY));
    kit.books(&[(1131, 3_000), (2291, 6), (1291, 6), (5001, 6)]);
    assert_eq!(kit.pending(merchant), 2_994);
    assert_eq!(kit.status(order), OrderStatus::Success);
}

#[test]
fn a_combined_payment_to_a_barred_merchant_goes_back_leg_by_leg() {
    let mut kit = Kit::new();
    let (merchant, order) = card_in(&mut kit);
    let account = kit.state.merchant(merchant).unwrap().pending;
    let restriction = Restriction { in_barred: true, ..Restriction::default() };
    kit.given(Command::RestrictAccount { account, restriction });
    kit.answered(success(DAY));
    assert_eq!(kit.status(order), OrderStatus::Failed);
    kit.books(&[(1121, 3_200), (1131, 3_000), (2211, 6_200)]);
    let rails: Vec<Rail> = kit.outbox().iter().map(|attempt| attempt.rail).collect();
    assert_eq!(rails, [Rail::Epcc, Rail::Fund]);
    for attempt in kit.outbox() {
        kit.answer(attempt.id, success(DAY));
    }
    kit.books(&[]);
}

#[test]
fn the_table_knows_what_follows_from_every_pair() {
    use Stand::{Absent, Held, In, New, Out, Waiting};
    let all = [Absent, New, Waiting, Held, In, Out];
    for card in all {
        for fund in all {
            let next = next(card, fund);
            if card == Waiting || fund == Waiting {
                assert_eq!(next, Next::Wait, "{card:?} {fund:?}");
            }
            if next == Next::Finish {
                assert!(matches!((card, fund), (In, In | Absent) | (Absent, In | Absent)), "{card:?} {fund:?}");
            }
            if next == Next::UndoCard {
                assert_eq!((card, fund), (In, Out));
            }
        }
    }
}
