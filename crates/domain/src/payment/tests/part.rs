//! Parts that come late, twice or where none may, by a file, at a centre that debits at once; and what may follow from one.

use super::*;
use crate::block_list::Blocked;
use crate::clearing::{ClearingLine, DifferenceKind, LineKind};
use crate::fund_batch::{FundRoute, Monthly};
use crate::leg::OnPart;
use crate::money::Currency;
use crate::testkit::in_part;
use crate::testkit::orders::{fund_in_part, redirect};

const DAY: &str = "2026-03-05";

/// Rent of 3,000 and a deposit of 3,200.
fn both(kit: &mut Kit) -> (MerchantId, OrderId) {
    let merchant = kit.landlord();
    (merchant, kit.order(merchant, &[(ItemKind::Rent, 3_000), (ItemKind::Deposit, 3_200)]))
}

/// The same up to the capture's request.
fn capture_asked(kit: &mut Kit, on_part: OnPart) -> (MerchantId, OrderId) {
    let (merchant, order) = both(kit);
    kit.pay(order, vec![card(3_200), fund_in_part(3_000, on_part)]);
    kit.answered(success(DAY));
    kit.answered(success(DAY));
    (merchant, order)
}

fn line(attempt: &Attempt, amount: Minor) -> ClearingLine {
    let (kind, currency) = (LineKind::Debit, Currency::Cny);
    ClearingLine { serial: attempt.serial(), kind, amount, currency, reference: None }
}

#[test]
fn a_part_is_taken_only_of_a_fund_whose_centre_may_and_never_more_than_was_asked() {
    let mut kit = Kit::new();
    capture_asked(&mut kit, OnPart::Convert);
    let capture = kit.waiting().id;
    let answers = |attempt, part| Command::AnswerAttempt { attempt, outcome: in_part(DAY, part) };
    for part in [-1, 0, 3_000, 3_001] {
        kit.refused(answers(capture, part), RefusalCode::PartNotTaken);
    }
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    kit.combined(merchant);
    for _ in ["hold", "debit", "capture"] {
        let attempt = kit.waiting().id;
        kit.refused(answers(attempt, 2_000), RefusalCode::PartNotTaken);
        kit.answered(success(DAY));
    }
    assert!(kit.outbox().is_empty());
}

#[test]
fn a_card_never_pays_a_part() {
    let mut kit = Kit::new();
    let (_, order) = both(&mut kit);
    kit.pay(order, vec![card(3_200), fund_in_part(3_000, OnPart::Convert)]);
    kit.answered(success(DAY));
    let attempt = kit.waiting().id;
    kit.refused(Command::AnswerAttempt { attempt, outcome: in_part(DAY, 3_000) }, RefusalCode::PartNotTaken);
}

#[test]
fn a_part_told_twice_is_taken_once() {
    for on_part in [OnPart::Undo, OnPart::Convert] {
        let mut kit = Kit::new();
        capture_asked(&mut kit, on_part);
        let attempt = kit.answered(in_part(DAY, 2_000)).id;
        for outcome in [in_part(DAY, 2_000), in_part(DAY, 1_500), success(DAY), declined(FailureClass::Bank)] {
            kit.refused(Command::AnswerAttempt { attempt, outcome }, RefusalCode::AttemptState);
        }
        assert_eq!((kit.own(Subject::ReceivableFund), kit.outbox().len()), (2_000, 1));
    }
}

#[test]
fn a_part_that_comes_late_goes_back_to_the_centre() {
    let mut kit = Kit::new();
    let (merchant, order) = capture_asked(&mut kit, OnPart::Convert);
    let first = kit.answered(Outcome::NotFound);
    kit.answered(success(DAY));
    assert_eq!((kit.status(order), kit.pending(merchant)), (OrderStatus::Success, 6_188));
    kit.answer(first.id, in_part(DAY, 2_000));
    let (original, currency) = (first.serial(), Currency::Cny);
    assert_eq!(kit.waiting().operation, Operation::Refund { original, amount: 2_000, currency });
    kit.answered(success(DAY));
    kit.books(&[(1121, 3_200), (1131, 3_000), (2291, 12), (1291, 12), (5001, 12)]);
}

#[test]
fn a_hold_that_comes_late_is_released_of_what_it_holds_though_the_card_pays_all() {
    let mut kit = Kit::new();
    let (merchant, order) = both(&mut kit);
    kit.pay(order, vec![card(3_200), fund_in_part(3_000, OnPart::Convert)]);
    let hold = kit.answered(declined(FailureClass::Bank));
    let debit = kit.waiting();
    kit.answer(hold.id, in_part(DAY, 2_000));
    let outbox = kit.outbox();
    let release = outbox.iter().find(|attempt| attempt.id != debit.id).unwrap();
    let (original, currency) = (hold.serial(), Currency::Cny);
    assert_eq!(release.operation, Operation::FundRelease { original, amount: 2_000, currency });
    kit.answer(release.id, success(DAY));
    assert_eq!(kit.waiting().operation.money().0, 6_200);
    kit.answered(success(DAY));
    kit.books(&[(1121, 6_200), (2291, 12), (1291, 12), (5001, 12)]);
    assert_eq!((kit.status(order), kit.pending(merchant)), (OrderStatus::Success, 6_188));
    assert_eq!(kit.legs(order), [LegStatus::Captured, LegStatus::Released]);
}

/// The card's further leg, or its only one, is none that was checked when the try began: then it is as if its bank had declined.
#[test]
fn a_card_that_was_blocked_since_is_not_asked_for_the_shortfall() {
    let blocks = |kit: &mut Kit| kit.blocks(Blocked::Card(String::from("agreement-1")));
    let mut kit = Kit::new();
    let (_, order) = capture_asked(&mut kit, OnPart::Convert);
    blocks(&mut kit);
    kit.answered(in_part(DAY, 2_000));
    for (rail, amount) in [(Rail::Epcc, 3_200), (Rail::Fund, 2_000)] {
        let back = kit.answered(success(DAY));
        assert!(matches!(back.operation, Operation::Refund { .. }), "{back:?}");
        assert_eq!((back.rail, back.operation.money().0), (rail, amount));
    }
    kit.books(&[]);
    assert_eq!(kit.legs(order), [LegStatus::Reversed, LegStatus::Reversed, LegStatus::Failed]);
    let further = *kit.state.order(order).unwrap().legs.last().unwrap();
    assert_eq!(kit.state.leg(further).unwrap().failure, Some(FailureClass::User));
    assert_eq!(kit.status(order), OrderStatus::Failed);

    for held in [in_part(DAY, 2_000), success(DAY)] {
        let mut kit = Kit::new();
        let (_, order) = both(&mut kit);
        kit.pay(order, vec![card(3_200), fund_in_part(3_000, OnPart::Convert)]);
        blocks(&mut kit);
        kit.answered(held);
        let release = kit.answered(success(DAY));
        assert!(matches!(release.operation, Operation::FundRelease { .. }), "{release:?}");
        kit.books(&[]);
        assert_eq!(kit.legs(order), [LegStatus::Failed, LegStatus::Released]);
        assert_eq!((kit.status(order), kit.outbox().len()), (OrderStatus::Failed, 0));
    }
}

#[test]
fn the_centres_file_answers_a_capture_in_part_and_clears_the_part() {
    let mut kit = Kit::new();
    let (merchant, order) = capture_asked(&mut kit, OnPart::Convert);
    let capture = kit.answered(Outcome::Unknown);
    let lines = vec![line(&capture, 2_000), line(&capture, 2_000)];
    let id = kit.take_file(Rail::Fund, DAY, lines);
    let clearing = kit.state.clearing(id).unwrap();
    let kinds: Vec<DifferenceKind> = clearing.differences.iter().map(|difference| difference.kind).collect();
    assert_eq!((clearing.matched, clearing.debited, kinds), (1, 2_000, vec![DifferenceKind::Repeated]));
    assert!(matches!(kit.waiting().operation, Operation::Debit { amount: 1_000, .. }));
    kit.answered(success(DAY));
    kit.clear(Rail::Epcc, DAY);
    kit.books(&[(1101, 6_200), (2291, 12), (1291, 12), (5001, 12)]);
    assert_eq!((kit.status(order), kit.pending(merchant)), (OrderStatus::Success, 6_188));
    assert_eq!(kit.state.order(order).unwrap().due, Some(date("2026-03-06")));
}

#[test]
fn a_line_of_the_whole_after_a_part_is_a_difference_for_a_person() {
    let mut kit = Kit::new();
    capture_asked(&mut kit, OnPart::Convert);
    let capture = kit.answered(in_part(DAY, 2_000));
    let id = kit.take_file(Rail::Fund, DAY, vec![line(&capture, 3_000)]);
    let clearing = kit.state.clearing(id).unwrap();
    let kinds: Vec<DifferenceKind> = clearing.differences.iter().map(|difference| difference.kind).collect();
    assert_eq!((clearing.matched, kinds), (0, vec![DifferenceKind::OtherContent, DifferenceKind::Missing]));
}

#[test]
fn a_centre_that_debits_a_part_at_once_is_reversed_or_the_card_pays_besides() {
    let at_once = |on_part| {
        let mut instrument = fund_in_part(3_000, on_part);
        if let Instrument::Fund { holds, .. } = &mut instrument {
            *holds = false;
        }
        vec![card(3_200), instrument]
    };
    let mut kit = Kit::new();
    let (_, order) = both(&mut kit);
    kit.pay(order, at_once(OnPart::Undo));
    kit.answered(in_part(DAY, 2_000));
    kit.books(&[(1131, 2_000), (2205, 2_000)]);
    assert!(matches!(kit.answered(success(DAY)).operation, Operation::Refund { amount: 2_000, .. }));
    kit.books(&[]);
    assert_eq!(kit.legs(order), [LegStatus::Failed, LegStatus::Reversed]);
    assert_eq!((kit.status(order), kit.state.attempts.iter().count()), (OrderStatus::Failed, 2));

    let (merchant, order) = both(&mut kit);
    kit.pay(order, at_once(OnPart::Convert));
    kit.answered(in_part(DAY, 2_000));
    assert!(matches!(kit.answered(success(DAY)).operation, Operation::Debit { amount: 4_200, .. }));
    kit.books(&[(1121, 4_200), (1131, 2_000), (2291, 12), (1291, 12), (5001, 12)]);
    assert_eq!((kit.status(order), kit.pending(merchant)), (OrderStatus::Success, 6_188));
}

#[test]
fn a_card_that_stands_by_pays_the_shortfall_and_nothing_of_a_whole() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let order = kit.order(merchant, &[(ItemKind::Rent, 3_000)]);
    kit.pay(order, vec![card(0), fund_in_part(3_000, OnPart::Convert)]);
    kit.answered(success(DAY));
    kit.answered(in_part(DAY, 2_999));
    assert!(matches!(kit.answered(success(DAY)).operation, Operation::Debit { amount: 1, .. }));
    kit.books(&[(1121, 1), (1131, 2_999), (2291, 6), (1291, 6), (5001, 6)]);
    assert_eq!((kit.status(order), kit.pending(merchant)), (OrderStatus::Success, 2_994));

    let order = kit.order(merchant, &[(ItemKind::Rent, 3_000)]);
    kit.pay(order, vec![card(0), fund_in_part(3_000, OnPart::Convert)]);
    kit.answered(success(DAY));
    kit.answered(success(DAY));
    assert!(kit.outbox().is_empty());
    assert_eq!(kit.legs(order), [LegStatus::Failed, LegStatus::Captured]);
    assert_eq!((kit.status(order), kit.pending(merchant)), (OrderStatus::Success, 5_988));
}

#[test]
fn a_fund_alone_that_pays_a_part_gets_it_back() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let order = kit.order(merchant, &[(ItemKind::Rent, 3_000)]);
    kit.pay(order, vec![fund_in_part(3_000, OnPart::Undo)]);
    kit.answered(success(DAY));
    kit.answered(in_part(DAY, 2_000));
    kit.books(&[(1131, 2_000), (2205, 2_000)]);
    kit.answered(success(DAY));
    kit.books(&[]);
    assert_eq!((kit.status(order), kit.legs(order)), (OrderStatus::Failed, vec![LegStatus::Reversed]));
}

#[test]
fn a_part_that_the_centre_does_not_take_back_waits_for_a_person() {
    let mut kit = Kit::new();
    let (_, order) = capture_asked(&mut kit, OnPart::Undo);
    kit.answered(in_part(DAY, 2_000));
    kit.answered(success(DAY));
    kit.answered(declined(FailureClass::Bank));
    kit.books(&[(1131, 2_000), (2205, 2_000)]);
    let leg = kit.state.order(order).unwrap().legs[1];
    assert!(kit.state.leg(leg).unwrap().needs_person);
    assert_eq!(kit.status(order), OrderStatus::Failed);
}

#[test]
fn a_shortfall_is_asked_of_a_card_that_the_payment_names() {
    let mut kit = Kit::new();
    let (_, order) = both(&mut kit);
    let mut refused = |instruments, code| kit.refused(Command::PayOrder { order, instruments }, code);
    let converts = || fund_in_part(3_000, OnPart::Convert);
    refused(vec![redirect(3_200), converts()], RefusalCode::InstrumentNotAllowed);
    refused(vec![card(0), fund_in_part(3_000, OnPart::Undo)], RefusalCode::AmountNotPositive);
    let mut twice = converts();
    if let Instrument::Fund { holds, monthly, .. } = &mut twice {
        let (period, route) = (String::from("2026-03"), FundRoute::Reserve);
        *holds = false;
        *monthly = Some(Monthly { period, route, converts: true, cut_off: None, quota: None });
    }
    refused(vec![card(3_200), twice], RefusalCode::InstrumentNotAllowed);
}

/// What a channel says by a digit: done, refused, never seen, or, where it may, half done.
fn told(kit: &Kit, attempt: &Attempt, digit: u32) -> Outcome {
    let half = attempt.operation.money().0 / 2;
    match digit {
        0 => success(DAY),
        1 => declined(FailureClass::Bank),
        2 => Outcome::NotFound,
        _ if crate::payment::part::takes(&kit.state, attempt, half) => in_part(DAY, half),
        _ => success(DAY),
    }
}

/// Everything that is asked is done.
fn all_done(kit: &mut Kit) {
    for _ in 0..20 {
        let Some(attempt) = kit.outbox().pop() else { return };
        kit.answer(attempt.id, success(DAY));
    }
    assert!(kit.outbox().is_empty(), "it ends");
}

#[test]
fn whatever_the_channels_answer_each_fen_is_paid_or_went_back() {
    let mut ends = alloc::collections::BTreeMap::<&str, u32>::new();
    for (on_part, run) in
        [OnPart::Undo, OnPart::Convert].into_iter().flat_map(|how| (0..256_u32).map(move |run| (how, run)))
    {
        let mut kit = Kit::new();
        let (merchant, order) = both(&mut kit);
        kit.pay(order, vec![card(3_200), fund_in_part(3_000, on_part)]);
        for place in 0..4 {
            let Some(attempt) = kit.outbox().pop() else { break };
            let outcome = told(&kit, &attempt, run / 4_u32.pow(place) % 4);
            kit.answer(attempt.id, outcome);
        }
        all_done(&mut kit);
        // What was refused or never seen was done after all.
        let all: Vec<_> = kit.state.attempts.iter().map(|(_, attempt)| attempt.id).collect();
        for attempt in all {
            let _ = kit.when(Command::AnswerAttempt { attempt, outcome: success(DAY) });
            all_done(&mut kit);
        }
        let row = kit.state.order(order).unwrap();
        let captured = |fund: bool| -> Minor {
            let legs = kit.state.legs_of(row, row.tries);
            let there = legs.filter(|leg| leg.status == LegStatus::Captured && leg.instrument.is_fund() == fund);
            there.map(Leg::amount).sum()
        };
        let (cards, funds, paid) = (captured(false), captured(true), row.status == OrderStatus::Success);
        let found = [Subject::ClearingEpcc, Subject::ReceivableFund].map(|subject| kit.own(subject));
        assert_eq!(found, [cards, funds], "{on_part:?} {run}");
        let waits = [Subject::PaymentInProgress, Subject::RefundTransit, Subject::RefundDue];
        let waits = waits.map(|subject| kit.own(subject));
        assert_eq!(waits, [if paid { 0 } else { cards + funds }, 0, 0], "{on_part:?} {run}");
        let sums = if paid { (6_200, 6_188) } else { (cards + funds, 0) };
        assert_eq!((cards + funds, kit.pending(merchant)), sums, "{on_part:?} {run}");
        assert!(!row.trying, "{on_part:?} {run}");
        *ends.entry(row.status.name()).or_default() += 1;
    }
    assert!(ends["success"] > 0 && ends["failed"] > 0, "{ends:?}");
}
