//! Sales by a payer's one-time code (被扫).

use super::*;

pub(super) fn code() -> Card {
    let card = card(CardType::Debit);
    Card { token: "qr_00112233445566778899aabbccddeeff".into(), mask: "62*************4321".into(), ..card }
}

#[test]
fn a_qr_sale_is_booked_as_a_sale_and_undone_or_refunded_by_its_original() {
    let mut kit = Kit::new();
    let shop = kit.shop();
    let sale = kit.asked(kit.asks(shop, CardKind::QrSale, code(), 10_000, None));
    assert!(kit.card(sale).card.is_code() && !card(CardType::Debit).is_code());
    kit.card_answer(sale, approved("2026-03-05"));
    assert_eq!(kit.card(sale).status, CardStatus::Approved);
    let booked = books(&kit, shop);
    assert_ne!(booked, NOTHING);
    let by_card = kit.asks(shop, CardKind::Void, card(CardType::Debit), 10_000, Some(sale));
    kit.refused_card(by_card, RefusalCode::CardMismatch);
    let void = kit.asked(kit.asks(shop, CardKind::Void, code(), 10_000, Some(sale)));
    kit.card_answer(void, approved("2026-03-05"));
    assert_eq!(books(&kit, shop), NOTHING);

    let sale = kit.asked(kit.asks(shop, CardKind::QrSale, code(), 10_000, None));
    kit.card_answer(sale, approved("2026-03-05"));
    let refund = kit.asked(kit.asks(shop, CardKind::Refund, code(), 10_000, Some(sale)));
    kit.card_answer(refund, approved("2026-03-05"));
    assert_eq!((books(&kit, shop), kit.card(sale).money.refunded), (NOTHING, 10_000));
}

#[test]
fn a_qr_sale_without_a_code_a_tip_on_one_and_its_silence() {
    let mut kit = Kit::new();
    let shop = kit.shop();
    let by_card = kit.asks(shop, CardKind::QrSale, card(CardType::Debit), 10_000, None);
    kit.refused_card(by_card, RefusalCode::ValueInvalid);
    let sale = kit.asked(kit.asks(shop, CardKind::QrSale, code(), 10_000, None));
    kit.card_answer(sale, CardAnswer::NotAnswered);
    assert_eq!((kit.card(sale).status, books(&kit, shop)), (CardStatus::Reversing, NOTHING));
    let paid = kit.asked(kit.asks(shop, CardKind::QrSale, code(), 10_000, None));
    kit.card_answer(paid, approved("2026-03-05"));
    let tip = kit.asks(shop, CardKind::Adjustment, code(), 100, Some(paid));
    kit.refused_card(tip, RefusalCode::CardTransactionState);
}
