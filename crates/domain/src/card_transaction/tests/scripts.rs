//! What chips made of issuers' scripts.

use super::*;
use crate::recall::Leaves as _;

fn reports(shop: Shop, of: OriginalRef, results: Vec<u8>) -> Command {
    of_card(CardTransactionCommand::ReportScripts(ReportScripts { terminal: shop.terminal, of, results }))
}

fn taken(transaction: CardTransactionId, code: &str) -> Command {
    of_card(CardTransactionCommand::AnswerScripts { transaction, code: code.into() })
}

fn owed(kit: &Kit) -> Vec<CardTransactionId> {
    kit.state.cards_in_outbox().map(|row| row.id).collect()
}

#[test]
fn a_report_waits_for_the_network_and_is_one_however_often_it_comes() {
    let (mut kit, shop, sale) = sold();
    let by_trace = || OriginalRef::Trace { batch: 1, trace: 1 };
    let results = vec![0x20, 0, 0, 0, 1];
    let command = reports(shop, by_trace(), results.clone());
    assert_eq!(kit.given(command.clone()), Reply::CardTransaction(sale));
    kit.restore();
    assert_eq!(kit.given(command), Reply::CardTransaction(sale));
    kit.given(reports(shop, OriginalRef::Reference(reference(sale)), results.clone()));
    kit.refused(reports(shop, by_trace(), vec![0; 5]), RefusalCode::TraceReused);
    let row = kit.card(sale);
    assert_eq!((owed(&kit), row.status, row.is_closed()), (vec![sale], CardStatus::Approved, false));
    assert_eq!(books(&kit, shop), SOLD);
    kit.given(taken(sale, "00"));
    kit.given(taken(sale, "25"));
    let scripts = kit.card(sale).scripts.clone().unwrap();
    assert_eq!((scripts.results, scripts.code.as_deref(), scripts.taken_at), (results, Some("00"), Some(kit.now)));
    assert!(owed(&kit).is_empty());
    kit.restore();
}

#[test]
fn a_sale_that_is_taken_back_meanwhile_owes_both() {
    let (mut kit, shop, sale) = sold();
    kit.given(reports(shop, OriginalRef::Trace { batch: 1, trace: 1 }, vec![0; 5]));
    kit.given(of_card(CardTransactionCommand::Reverse(kit.reverses(sale))));
    kit.reversal_answer(sale, "00");
    assert_eq!((kit.card(sale).status, owed(&kit)), (CardStatus::Reversed, vec![sale]));
    kit.given(taken(sale, "00"));
    assert_eq!((books(&kit, shop), owed(&kit)), (NOTHING, vec![]));
}

#[test]
fn only_a_terminal_whose_chip_was_answered_reports() {
    let (mut kit, shop, sale) = sold();
    let other = kit.online(shop.acquiring);
    kit.refused(
        reports(other, OriginalRef::Reference(reference(sale)), vec![0; 5]),
        RefusalCode::CardTransactionUnknown,
    );
    let named = OriginalRef::Authorisation("A00001".into());
    kit.refused(reports(shop, named, vec![0; 5]), RefusalCode::CardTransactionUnknown);
    for bytes in [0, 4, 6, 105] {
        kit.refused(reports(shop, OriginalRef::Reference(reference(sale)), vec![0; bytes]), RefusalCode::ValueInvalid);
    }
    let open = kit.asked(kit.asks(shop, CardKind::Sale, card(CardType::Credit), 5, None));
    let of_open = reports(shop, OriginalRef::Reference(reference(open)), vec![0; 5]);
    kit.refused(of_open.clone(), RefusalCode::CardTransactionState);
    kit.card_answer(open, CardAnswer::Declined { code: "51".into() });
    kit.given(of_open);
    let code = Card { token: "qr_1".into(), ..card(CardType::Debit) };
    let scanned = kit.asked(kit.asks(shop, CardKind::QrSale, code, 5, None));
    kit.card_answer(scanned, approved("2026-03-05"));
    let of_code = reports(shop, OriginalRef::Reference(reference(scanned)), vec![0; 5]);
    kit.refused(of_code, RefusalCode::CardTransactionState);
    kit.refused(taken(sale, "00"), RefusalCode::CardTransactionState);
    kit.refused(taken(open, ""), RefusalCode::ValueInvalid);
    kit.refused(taken(CardTransactionId(99), "00"), RefusalCode::CardTransactionUnknown);
}
