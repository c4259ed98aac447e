//! The network's file: what it gates, what it answers, what differs.

use alloc::vec;

use super::*;
use crate::card_fee::CardType;
use crate::chargeback::{ChargebackCommand, ReceiveCardChargeback};
use crate::command::Command;
use crate::ids::MerchantId;
use crate::settlement::merchants_due;
use crate::testkit::cards::{Shop, approved, card, of_card};
use crate::testkit::{Kit, court, date};

/// A sale of 10,000.00 with a credit card on 2026-03-05, a Thursday.
fn sold() -> (Kit, Shop, CardTransactionId) {
    let mut kit = Kit::new();
    let shop = kit.shop();
    let sale = kit.carded(shop, CardKind::Sale, CardType::Credit, 1_000_000, None);
    (kit, shop, sale)
}

fn settle(merchant: MerchantId, day: &str) -> Command {
    Command::Settle { merchant, today: date(day) }
}

#[track_caller]
fn found(kit: &Kit, id: CardClearingId) -> (u32, Vec<DifferenceKind>) {
    let clearing = kit.state.card_clearing(id).unwrap();
    (clearing.matched, clearing.differences.iter().map(|difference| difference.kind).collect())
}

#[test]
fn a_merchant_is_settled_a_working_day_after_the_file_and_never_before() {
    let (mut kit, shop, sale) = sold();
    kit.on("2026-03-06");
    kit.refused(settle(shop.merchant, "2026-03-06"), RefusalCode::NotCleared);
    let line = kit.card_line(sale);
    let file = kit.card_file_alone("2026-03-05", vec![line]);
    assert_eq!(found(&kit, file), (1, vec![]));
    let clearing = kit.state.card_clearing(file).unwrap();
    assert_eq!((clearing.net(), clearing.cost, clearing.cost_difference), (995_175, 4_825, 0));
    kit.books(&[(1122, 995_175), (2291, 1_175), (1291, 1_175), (6001, 4_825), (5001, 6_000)]);
    kit.take_session(Rail::UnionPay, "2026-03-05");
    kit.books(&[(1101, 995_175), (2291, 1_175), (1291, 1_175), (6001, 4_825), (5001, 6_000)]);
    assert_eq!((kit.card(sale).cleared, kit.card(sale).due), (Some(date("2026-03-05")), Some(date("2026-03-06"))));
    kit.restore();
    assert_eq!(merchants_due(&kit.state, date("2026-03-06")), [shop.merchant]);
    kit.refused(settle(shop.merchant, "2026-03-05"), RefusalCode::NotCleared);
    kit.given(settle(shop.merchant, "2026-03-06"));
    assert_eq!((kit.pending(shop.merchant), kit.available(shop.merchant)), (0, 994_000));
    let settlement = kit.state.settlement(crate::ids::SettlementId(1)).unwrap();
    assert_eq!((settlement.amount, settlement.shares.len(), settlement.cards.len()), (994_000, 0, 1));
    kit.refused(settle(shop.merchant, "2026-03-06"), RefusalCode::NotCleared);
}

#[test]
fn orders_and_cards_of_a_merchant_are_settled_together() {
    let (mut kit, shop, sale) = sold();
    let (_, leg) = kit.paid_by_union_card(shop.merchant, 5_000);
    let lines = kit.clearing_lines(Rail::UnionPay, "2026-03-05");
    kit.take_file_alone(Rail::UnionPay, "2026-03-05", lines);
    let line = kit.card_line(sale);
    kit.card_file_alone("2026-03-05", vec![line]);
    assert!(kit.state.leg(leg).unwrap().cleared.is_some());
    kit.on("2026-03-06");
    kit.given(settle(shop.merchant, "2026-03-06"));
    assert_eq!((kit.pending(shop.merchant), kit.available(shop.merchant)), (0, 994_000 + 4_990));
    // One session of the network, and one line on the statement for both files.
    let line = kit.line("net-1", crate::reserve_line::LineDirection::In, 995_175 + 5_000);
    kit.take_line(line);
    assert!(kit.state.awaited_sessions.is_empty());
    assert_eq!((kit.own(Subject::CentralBank), kit.own(Subject::ClearingUnionPay)), (1_000_175, 0));
    kit.restore();
}

#[test]
fn a_refund_after_settlement_takes_2203_and_one_before_it_2202() {
    let (mut kit, shop, sale) = sold();
    let line = kit.card_line(sale);
    kit.card_file("2026-03-05", vec![line]);
    kit.on("2026-03-06");
    let before = kit.carded(shop, CardKind::Refund, CardType::Credit, 400_000, Some(sale));
    assert_eq!((kit.pending(shop.merchant), kit.own(Subject::ClearingUnionPay)), (596_400, -398_070));
    // What is held for a refund under way is not settled.
    let second = kit.asked(kit.asks(shop, CardKind::Refund, card(CardType::Credit), 100_000, Some(sale)));
    kit.given(settle(shop.merchant, "2026-03-06"));
    assert_eq!((kit.pending(shop.merchant), kit.available(shop.merchant)), (99_400, 497_000));
    kit.card_answer(second, CardAnswer::Declined { code: "05".into() });
    kit.given(settle(shop.merchant, "2026-03-06"));
    assert_eq!((kit.pending(shop.merchant), kit.available(shop.merchant)), (0, 596_400));
    let after = kit.carded(shop, CardKind::Refund, CardType::Credit, 600_000, Some(sale));
    assert_eq!((kit.pending(shop.merchant), kit.available(shop.merchant)), (0, 0));
    kit.restore();
    // Both refunds are in the next file: more goes out than came in, so money must be there.
    let lines: Vec<_> = [before, after].map(|id| kit.card_line(id)).into();
    kit.card_file("2026-03-06", lines);
    kit.books(&[]);
}

#[test]
fn what_the_network_took_more_or_less_is_the_institutions() {
    let (mut kit, shop, sale) = sold();
    let second = kit.carded(shop, CardKind::Sale, CardType::Debit, 1_000_000, None);
    let (more, less) = (kit.card_line(sale), kit.card_line(second));
    let lines = vec![CardLine { cost: more.cost + 5, ..more }, CardLine { cost: less.cost - 2, ..less }];
    let file = kit.card_file("2026-03-05", lines);
    let clearing = kit.state.card_clearing(file).unwrap();
    assert_eq!((clearing.cost_difference, clearing.uncovered), (3, 0));
    assert_eq!((kit.own(Subject::Rounding), kit.own(Subject::ClearingUnionPay)), (3, 0));
    assert_eq!((kit.own(Subject::DueToOwn), kit.own(Subject::DueFromReserve)), (1_175 + 3_375 - 3, 1_175 + 3_375 - 3));
    let third = kit.carded(shop, CardKind::Sale, CardType::Debit, 1_000_000, None);
    let line = kit.card_line(third);
    kit.card_file("2026-03-06", vec![CardLine { cost: line.cost - 4, ..line }]);
    assert_eq!((kit.own(Subject::Rounding), kit.own(Subject::ClearingUnionPay)), (-1, 0));
}

#[test]
fn what_2291_cannot_pay_of_a_difference_stays_on_1122() {
    let (mut kit, _, sale) = sold();
    let line = kit.card_line(sale);
    let file = kit.card_file("2026-03-05", vec![CardLine { cost: line.cost + 2_000, ..line }]);
    let clearing = kit.state.card_clearing(file).unwrap();
    assert_eq!((clearing.cost_difference, clearing.uncovered), (2_000, 825));
    assert_eq!((kit.own(Subject::DueToOwn), kit.own(Subject::ClearingUnionPay)), (0, 825));
}

#[test]
fn lines_that_fit_nothing_are_differences() {
    let (mut kit, shop, sale) = sold();
    let reversed = kit.carded(shop, CardKind::Sale, CardType::Credit, 700, None);
    let reverse = CardTransactionCommand::Reverse(kit.reverses(reversed));
    let failed = kit.card_line(reversed);
    kit.given(of_card(reverse));
    let authorised = kit.carded(shop, CardKind::PreAuthorisation, CardType::Credit, 5, None);
    let good = kit.card_line(sale);
    let lines = vec![
        CardLine { reference: "000000000099".into(), ..good.clone() },
        CardLine { reference: "x".into(), ..good.clone() },
        CardLine { amount: 1_000_001, ..good.clone() },
        CardLine { kind: CardLineKind::Out, ..good.clone() },
        CardLine { reference: kit.card(authorised).reference(), amount: 5, cost: 0, kind: CardLineKind::In },
        failed,
        good.clone(),
        good.clone(),
    ];
    use DifferenceKind::{FailedHere, OtherContent, Repeated, UnknownSerial};
    let file = kit.card_file("2026-03-05", lines);
    let expected = vec![UnknownSerial, UnknownSerial, OtherContent, OtherContent, OtherContent, FailedHere, Repeated];
    assert_eq!(found(&kit, file), (1, expected));
    let file = kit.card_file("2026-03-06", vec![good]);
    assert_eq!(found(&kit, file), (0, vec![Repeated]));
}

#[test]
fn what_is_in_no_file_is_missing_and_not_settled() {
    let (mut kit, shop, _) = sold();
    let file = kit.card_file("2026-03-05", vec![]);
    assert_eq!(found(&kit, file), (0, vec![DifferenceKind::Missing]));
    kit.on("2026-03-06");
    kit.refused(settle(shop.merchant, "2026-03-06"), RefusalCode::NotCleared);
}

#[test]
fn a_sale_and_its_void_are_in_the_file_together_or_not_at_all() {
    let (mut kit, shop, sale) = sold();
    let void = kit.carded(shop, CardKind::Void, CardType::Credit, 1_000_000, Some(sale));
    let file = kit.card_file("2026-03-05", vec![]);
    assert_eq!(found(&kit, file), (0, vec![]), "not at all");
    let line = kit.card_line(sale);
    let file = kit.card_file("2026-03-06", vec![line]);
    assert_eq!(found(&kit, file), (1, vec![]));
    kit.restore();
    let file = kit.card_file("2026-03-07", vec![]);
    assert_eq!(found(&kit, file), (0, vec![DifferenceKind::Missing]), "the void is missing then");
    let line = kit.card_line(void);
    let file = kit.card_file("2026-03-08", vec![line]);
    assert_eq!(found(&kit, file), (1, vec![]));
    kit.books(&[]);
    assert_eq!(merchants_due(&kit.state, date("2026-03-31")), []);
}

#[test]
fn a_void_of_what_the_file_named_already_awaits_the_next() {
    let (mut kit, shop, sale) = sold();
    let void = kit.asked(kit.asks(shop, CardKind::Void, card(CardType::Credit), 1_000_000, Some(sale)));
    let line = kit.card_line(sale);
    kit.card_file("2026-03-05", vec![line]);
    kit.card_answer(void, approved("2026-03-06"));
    assert!(kit.card(void).awaits_file);
    let line = kit.card_line(void);
    let file = kit.card_file("2026-03-06", vec![line]);
    assert_eq!(found(&kit, file), (1, vec![]));
    kit.books(&[]);
}

#[test]
fn the_file_answers_what_was_sent_again_and_again() {
    let (mut kit, shop, sale) = sold();
    let refund = kit.asked(kit.asks(shop, CardKind::Refund, card(CardType::Credit), 1_000_000, Some(sale)));
    kit.card_answer(refund, CardAnswer::NotAnswered);
    let lines: Vec<_> = [sale, refund].map(|id| kit.card_line(id)).into();
    let file = kit.card_file("2026-03-05", lines);
    assert_eq!((found(&kit, file), kit.card(refund).status), ((2, vec![]), CardStatus::Approved));
    kit.books(&[]);
    assert_eq!(kit.pending(shop.merchant), 0);
}

#[test]
fn a_frozen_merchant_is_cleared_all_the_same() {
    let (mut kit, shop, sale) = sold();
    let pending = kit.state.merchant(shop.merchant).unwrap().pending;
    kit.given(Command::PlaceFreeze(court(pending, 500_000)));
    let line = kit.card_line(sale);
    kit.card_file("2026-03-05", vec![line]);
    kit.on("2026-03-06");
    kit.refused(settle(shop.merchant, "2026-03-06"), RefusalCode::InsufficientFunds);
    assert_eq!(kit.pending(shop.merchant), 994_000);
}

#[test]
fn bad_files_are_refused() {
    let (mut kit, _, sale) = sold();
    let line = kit.card_line(sale);
    let file = TakeCardFile { date: date("2026-03-05"), part: 1, last: false, lines: vec![line.clone()] };
    let with = |lines| TakeCardFile { lines, ..file.clone() };
    let table = [
        (TakeCardFile { part: 0, ..file.clone() }, RefusalCode::ValueInvalid),
        (with(vec![line.clone(); MAX_LINES + 1]), RefusalCode::ValueInvalid),
        (with(vec![CardLine { amount: 0, ..line.clone() }]), RefusalCode::AmountNotPositive),
        (with(vec![CardLine { cost: -1, ..line.clone() }]), RefusalCode::ValueInvalid),
        (with(vec![CardLine { cost: line.amount + 1, ..line }]), RefusalCode::ValueInvalid),
        (TakeCardFile { date: date("2027-03-05"), ..file.clone() }, RefusalCode::CalendarUnknown),
    ];
    for (command, code) in table {
        kit.refused(Command::TakeCardFile(command), code);
    }
    kit.given(Command::TakeCardFile(file.clone()));
    kit.refused(Command::TakeCardFile(file), RefusalCode::ClearingDuplicate);
    assert_eq!(kit.state.card_clearing(CardClearingId(99)).unwrap_err().code, RefusalCode::ClearingUnknown);
}

#[test]
fn a_card_transaction_is_charged_back_from_2202_then_2203_then_by_own_money() {
    let (mut kit, shop, sale) = sold();
    let receive = |amount, case: &str| {
        let (case_number, reason, currency) = (case.into(), "4853".into(), Currency::Cny);
        let received = ReceiveCardChargeback { transaction: sale, case_number, reason, amount, currency };
        Command::Chargeback(ChargebackCommand::ReceiveCard(received))
    };
    kit.refused(receive(1_000_001, "case-1"), RefusalCode::RefundExceeded);
    kit.refused(receive(0, "case-1"), RefusalCode::AmountNotPositive);
    let Reply::Chargeback(first) = kit.given(receive(400_000, "case-1")) else { panic!("a chargeback") };
    kit.refused(receive(1, "case-1"), RefusalCode::AlreadyExists);
    // What may be taken back is neither voided nor refunded any more.
    let void = kit.asks(shop, CardKind::Void, card(CardType::Credit), 1_000_000, Some(sale));
    kit.refused_card(void, RefusalCode::CardTransactionState);
    let refund = kit.asks(shop, CardKind::Refund, card(CardType::Credit), 600_001, Some(sale));
    kit.refused_card(refund, RefusalCode::RefundExceeded);
    kit.given(Command::Chargeback(ChargebackCommand::Book(first)));
    assert_eq!((kit.pending(shop.merchant), kit.own(Subject::ClearingUnionPay)), (594_000, 595_175));
    kit.restore();
    // The rest is settled, and partly gone when the second comes.
    let line = kit.card_line(sale);
    kit.card_file("2026-03-05", vec![line]);
    kit.on("2026-03-06");
    kit.given(settle(shop.merchant, "2026-03-06"));
    assert_eq!((kit.pending(shop.merchant), kit.available(shop.merchant)), (0, 594_000));
    kit.injected(6_000);
    let Reply::Chargeback(second) = kit.given(receive(600_000, "case-2")) else { panic!("a chargeback") };
    kit.given(Command::Chargeback(ChargebackCommand::Book(second)));
    assert_eq!((kit.available(shop.merchant), kit.owes(shop.merchant)), (0, vec![(6_000, 6_000)]));
    kit.given(Command::Chargeback(ChargebackCommand::Win(first)));
    assert_eq!(kit.available(shop.merchant), 400_000);
    assert_eq!((kit.card(sale).charged_back, kit.card(sale).refundable()), (600_000, 400_000));
    kit.restore();
    let authorised = kit.carded(shop, CardKind::PreAuthorisation, CardType::Credit, 5, None);
    let (case_number, reason, currency) = ("case-3".into(), "4853".into(), Currency::Cny);
    let wrong = ReceiveCardChargeback { transaction: authorised, case_number, reason, amount: 5, currency };
    kit.refused(Command::Chargeback(ChargebackCommand::ReceiveCard(wrong)), RefusalCode::CardTransactionState);
}
