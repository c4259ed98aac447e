//! Card transactions: when they leave, and what brings them back.

use super::*;
use crate::batch_close::{BatchCloseCommand, BatchTotals, Totals};
use crate::card_clearing::TakeCardFile;
use crate::card_fee::CardType;
use crate::card_transaction::{
    CardAnswer, CardKind, CardStatus, CardTransaction, CardTransactionCommand, OriginalRef, RequestCardTransaction,
};
use crate::chargeback::{ChargebackCommand, ReceiveCardChargeback};
use crate::money::Minor;
use crate::testkit::cards::{Shop, approved, card as card_of, of_card};

fn close(kit: &mut Kit, shop: Shop, debit: Minor, count: u32) {
    let domestic = Totals { debit, debit_count: count, ..Totals::default() };
    let theirs = BatchTotals { domestic, ..BatchTotals::default() };
    let (terminal, batch) = (shop.terminal, kit.state.terminal(shop.terminal).unwrap().batch);
    let Reply::BatchClose(close) = kit.given(Command::BatchClose(BatchCloseCommand::Close { terminal, batch, theirs }))
    else {
        panic!("a batch close")
    };
    assert!(kit.state.batch_close(close).unwrap().closed_at.is_some(), "it balances");
}

/// A sale of 10,000.00 by credit card that is cleared and settled, and whose batch and the next are over.
fn over() -> (Kit, Shop, CardTransactionId) {
    let mut kit = Kit::new();
    let shop = kit.shop();
    let sale = kit.carded(shop, CardKind::Sale, CardType::Credit, 1_000_000, None);
    let line = kit.card_line(sale);
    kit.card_file("2026-03-05", vec![line]);
    kit.on("2026-03-06");
    kit.settle(shop.merchant);
    close(&mut kit, shop, 1_000_000, 1);
    close(&mut kit, shop, 0, 0);
    (kit, shop, sale)
}

/// As a store has it, in memory or not.
fn stored(kit: &Kit, id: CardTransactionId) -> CardTransaction {
    kit.rows.card_transactions.iter().find(|(row, _)| *row == id.0).unwrap().1.clone()
}

fn gone(kit: &Kit, id: CardTransactionId) -> bool {
    kit.state.is_away(id.into())
}

fn recalls(kit: &Kit) -> usize {
    kit.events.iter().filter(|event| matches!(event, Event::Recalled(_))).count()
}

#[test]
fn a_sale_leaves_once_it_is_settled_and_nothing_is_asked_under_its_trace() {
    let mut kit = Kit::new();
    let shop = kit.shop();
    let sale = kit.carded(shop, CardKind::Sale, CardType::Credit, 1_000_000, None);
    close(&mut kit, shop, 1_000_000, 1);
    close(&mut kit, shop, 0, 0);
    kit.let_go();
    assert!(!gone(&kit, sale), "the network's file must name it yet");
    let line = kit.card_line(sale);
    kit.card_file("2026-03-05", vec![line]);
    kit.let_go();
    assert!(!gone(&kit, sale), "it is to be settled");
    kit.on("2026-03-06");
    kit.settle(shop.merchant);
    let next = kit.carded(shop, CardKind::Sale, CardType::Credit, 700, None);
    kit.let_go();
    assert!(gone(&kit, sale) && !gone(&kit, next));
    assert_eq!((kit.available(shop.merchant), in_memory_of(&kit, Kind::CardTransaction)), (994_000, Some(1)));
    kit.restore();
    assert_eq!(kit.carded(shop, CardKind::Sale, CardType::Credit, 1, None), CardTransactionId(3));
}

#[test]
fn what_its_terminal_may_repeat_stays_for_two_batches() {
    let mut kit = Kit::new();
    let shop = kit.shop();
    let request = kit.asks(shop, CardKind::Sale, card_of(CardType::Credit), 9, None);
    let declined = kit.asked(request.clone());
    kit.card_answer(declined, CardAnswer::Declined { code: "51".into() });
    let again = |request: &RequestCardTransaction| {
        of_card(CardTransactionCommand::Request(alloc::boxed::Box::new(request.clone())))
    };
    for _ in 0..2 {
        kit.let_go();
        kit.restore();
        assert_eq!(kit.given(again(&request)), Reply::CardTransaction(declined), "the same again is the same");
        close(&mut kit, shop, 0, 0);
    }
    kit.let_go();
    assert!(gone(&kit, declined));
    kit.restore();
    kit.refused(again(&request), RefusalCode::BatchMismatch);
    assert_eq!(recalls(&kit), 0);
}

#[test]
fn a_refund_brings_its_sale_back_when_it_is_asked_for_and_when_it_is_answered() {
    let (mut kit, shop, sale) = over();
    kit.let_go();
    kit.restore();
    let refund = kit.asked(kit.asks(shop, CardKind::Refund, card_of(CardType::Credit), 400_000, Some(sale)));
    assert_eq!((recalls(&kit), stored(&kit, sale).money.refunded), (1, 400_000));
    kit.let_go();
    assert!(gone(&kit, sale) && !gone(&kit, refund), "what it is refunded is with the refund");
    kit.restore();
    kit.card_answer(refund, CardAnswer::Declined { code: "05".into() });
    assert_eq!((recalls(&kit), stored(&kit, sale).money.refunded), (2, 0));
    kit.let_go();
    let refund = kit.carded(shop, CardKind::Refund, CardType::Credit, 1_000_000, Some(sale));
    assert_eq!((kit.available(shop.merchant), kit.own(Subject::DueToOwn)), (0, 0));
    let line = kit.card_line(refund);
    kit.let_go();
    kit.restore();
    assert!(gone(&kit, sale));
    kit.card_file("2026-03-06", vec![line]);
    let more = kit.asks(shop, CardKind::Refund, card_of(CardType::Credit), 1, Some(sale));
    kit.refused_card(more, RefusalCode::RefundExceeded);
}

#[test]
fn a_sale_that_left_is_charged_back_and_won() {
    let (mut kit, shop, sale) = over();
    kit.let_go();
    let (case_number, reason, currency) = ("case-1".into(), "4853".into(), Currency::Cny);
    let receive = ReceiveCardChargeback { transaction: sale, case_number, reason, amount: 400_000, currency };
    let of = Command::Chargeback;
    let Reply::Chargeback(id) = kit.given(of(ChargebackCommand::ReceiveCard(receive))) else { panic!("a chargeback") };
    for step in [ChargebackCommand::Book(id), ChargebackCommand::Win(id)] {
        kit.let_go();
        kit.restore();
        assert!(gone(&kit, sale));
        kit.given(of(step));
    }
    assert_eq!((stored(&kit, sale).charged_back, kit.available(shop.merchant), recalls(&kit)), (0, 994_000, 3));
}

#[test]
fn a_yes_that_comes_after_all_finds_what_left() {
    let mut kit = Kit::new();
    let shop = kit.shop();
    let silent = kit.asked(kit.asks(shop, CardKind::Sale, card_of(CardType::Credit), 900, None));
    kit.card_answer(silent, CardAnswer::NotAnswered);
    kit.reversal_answer(silent, "25");
    close(&mut kit, shop, 0, 0);
    close(&mut kit, shop, 0, 0);
    kit.let_go();
    kit.restore();
    assert!(gone(&kit, silent));
    kit.card_answer(silent, approved("2026-03-05"));
    assert_eq!(kit.state.cards_in_outbox().map(|row| row.id).collect::<Vec<_>>(), [silent]);
    kit.let_go();
    kit.restore();
    kit.reversal_answer(silent, "00");
    kit.let_go();
    assert!(gone(&kit, silent));
    kit.refused(
        of_card(CardTransactionCommand::AnswerReversal { transaction: CardTransactionId(9), code: "00".into() }),
        RefusalCode::CardTransactionUnknown,
    );
}

fn completes(kit: &Kit, shop: Shop, amount: Minor) -> RequestCardTransaction {
    let original = Some(OriginalRef::Authorisation("A00001".into()));
    RequestCardTransaction { original, ..kit.asks(shop, CardKind::Completion, card_of(CardType::Credit), amount, None) }
}

#[test]
fn a_pre_authorisation_stays_until_it_is_completed_and_comes_back_where_that_fails() {
    let mut kit = Kit::new();
    let shop = kit.shop();
    let held = kit.carded(shop, CardKind::PreAuthorisation, CardType::Credit, 10_000, None);
    close(&mut kit, shop, 0, 0);
    close(&mut kit, shop, 0, 0);
    kit.let_go();
    kit.restore();
    assert!(!gone(&kit, held), "it may be completed");
    let completion = kit.asked(completes(&kit, shop, 11_000));
    kit.let_go();
    kit.restore();
    assert!(gone(&kit, held), "it is taken");
    kit.refused_card(completes(&kit, shop, 11_000), RefusalCode::CardTransactionUnknown);
    kit.card_answer(completion, CardAnswer::NotAnswered);
    kit.let_go();
    kit.reversal_answer(completion, "00");
    assert_eq!((kit.card(held).status, kit.card(held).followed_by), (CardStatus::Approved, None));
    kit.let_go();
    kit.restore();
    assert!(!gone(&kit, held), "it may be completed again");
    let completion = kit.asked(completes(&kit, shop, 11_000));
    kit.card_answer(completion, approved("2026-03-05"));
    kit.let_go();
    assert!(gone(&kit, held) && !gone(&kit, completion));
    let cancel = kit.asks(shop, CardKind::PreAuthorisationCancel, card_of(CardType::Credit), 10_000, Some(held));
    kit.refused_card(cancel, RefusalCode::CardTransactionState);
}

#[test]
fn a_card_file_waits_once_for_all_that_it_names_and_that_left() {
    let (mut kit, shop, sale) = over();
    let line = kit.card_line(sale);
    kit.let_go();
    let other = kit.carded(shop, CardKind::Refund, CardType::Credit, 10, Some(sale));
    let refund = kit.card_line(other);
    kit.let_go();
    let file = TakeCardFile { date: date("2026-03-06"), part: 1, last: true, lines: vec![line.clone(), refund, line] };
    let command = Command::TakeCardFile(file);
    assert_eq!(wanted(&kit.state, &command), [RowId::from(sale)], "its own line, and as what is refunded, once");
    let Reply::CardClearing(id) = kit.given(command) else { panic!("the reply names the file") };
    let clearing = kit.state.card_clearing(id).unwrap();
    assert_eq!((clearing.matched, clearing.different), (1, 2), "the sale was cleared before");
}

#[test]
fn what_an_earlier_program_let_go_of_were_no_cards() {
    let (mut kit, _, sale) = over();
    let position = kit.state.position;
    apply(&mut kit.state, &Event::Checkpointed { position, generation: 1 });
    assert!(!gone(&kit, sale));
    assert_eq!(kit.state.left, Left { checkpointed: position, generation: 1 });
    apply(&mut kit.state, &Event::Checkpointed { position, generation: 2 });
    assert!(gone(&kit, sale));
}
