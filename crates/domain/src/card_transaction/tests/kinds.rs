//! Voids, pre-authorisations and what comes of them, refunds, tips, offline sales.

use super::*;

#[test]
fn a_void_undoes_all_of_a_sale_in_its_batch() {
    let (mut kit, shop, sale) = sold();
    let void = |kit: &Kit, amount| kit.asks(shop, CardKind::Void, card(CardType::Credit), amount, Some(sale));
    kit.refused_card(void(&kit, 999_999), RefusalCode::CardAmount);
    let wrong = kit.asks(shop, CardKind::Void, card(CardType::Debit), 1_000_000, Some(sale));
    kit.refused_card(wrong, RefusalCode::CardMismatch);
    let id = kit.asked(void(&kit, 1_000_000));
    assert_eq!(books(&kit, shop), SOLD);
    kit.refused_card(void(&kit, 1_000_000), RefusalCode::CardTransactionState);
    kit.card_answer(id, approved("2026-03-05"));
    assert_eq!(books(&kit, shop), NOTHING);
    let sold = kit.card(sale).voucher;
    let voucher = kit.posted().last().unwrap();
    assert_eq!((voucher.contra_of, voucher.event), (sold, crate::voucher::EventCode::CardVoided));
    kit.refused_card(void(&kit, 1_000_000), RefusalCode::CardTransactionState);
    let refund = kit.asks(shop, CardKind::Refund, card(CardType::Credit), 1, Some(sale));
    kit.refused_card(refund, RefusalCode::CardTransactionState);
}

#[test]
fn a_void_by_trace_that_is_declined_leaves_the_sale() {
    let (mut kit, shop, sale) = sold();
    let mut void = kit.asks(shop, CardKind::Void, card(CardType::Credit), 1_000_000, None);
    void.original = Some(OriginalRef::Trace { batch: 1, trace: 1 });
    let id = kit.asked(void);
    assert_eq!(kit.card(id).original, Some(sale));
    kit.card_answer(id, CardAnswer::Declined { code: "12".into() });
    let account = kit.state.merchant(shop.merchant).unwrap().pending;
    assert_eq!((books(&kit, shop), kit.state.account(account, "account").unwrap().held_out), (SOLD, 0));
    assert_eq!((kit.card(sale).followed_by, kit.card(sale).money.reserved), (None, 0));
    kit.carded(shop, CardKind::Void, CardType::Credit, 1_000_000, Some(sale));
    assert_eq!(books(&kit, shop), NOTHING);
}

#[test]
fn an_original_of_another_terminal_or_merchant_is_not_voided() {
    let (mut kit, shop, sale) = sold();
    let sibling = kit.online(shop.acquiring);
    let void = kit.asks(sibling, CardKind::Void, card(CardType::Credit), 1_000_000, Some(sale));
    kit.refused_card(void, RefusalCode::CardTransactionState);
    let stranger = kit.shop();
    let void = kit.asks(stranger, CardKind::Void, card(CardType::Credit), 1_000_000, Some(sale));
    kit.refused_card(void, RefusalCode::CardTransactionUnknown);
    let void = kit.asks(shop, CardKind::Void, card(CardType::Credit), 1_000_000, Some(CardTransactionId(999)));
    kit.refused_card(void, RefusalCode::CardTransactionUnknown);
}

#[test]
fn a_preauthorisation_posts_nothing_and_its_completion_does() {
    let mut kit = Kit::new();
    let shop = kit.shop();
    let authorised = kit.carded(shop, CardKind::PreAuthorisation, CardType::Credit, 1_000_000, None);
    assert_eq!(books(&kit, shop), NOTHING);
    let complete = |kit: &Kit, amount| {
        let mut request = kit.asks(shop, CardKind::Completion, card(CardType::Credit), amount, None);
        request.original = Some(OriginalRef::Authorisation("A00001".into()));
        request
    };
    kit.refused_card(complete(&kit, 1_150_001), RefusalCode::CardAmount);
    let mut wrong = complete(&kit, 1);
    wrong.original = Some(OriginalRef::Authorisation("B00001".into()));
    kit.refused_card(wrong, RefusalCode::CardTransactionUnknown);
    let completion = kit.asked(complete(&kit, 1_150_000));
    kit.card_answer(completion, approved("2026-03-05"));
    // 0.60 % of 11,500 is 69.00; 0.45 % is 51.75, with 3.25 of the network 55.00.
    assert_eq!(books(&kit, shop), [1_144_500, 1_143_100, 1_400, 5_500, 6_900]);
    kit.refused_card(complete(&kit, 1), RefusalCode::CardTransactionState);
    kit.carded(shop, CardKind::CompletionVoid, CardType::Credit, 1_150_000, Some(completion));
    assert_eq!(books(&kit, shop), NOTHING);
    assert_eq!(kit.card(authorised).followed_by, Some(completion), "it is used up as the acquirer's rules have it");
}

#[test]
fn a_preauthorisation_lapses_and_is_cancelled_in_full() {
    let mut kit = Kit::new();
    let shop = kit.shop();
    let first = kit.carded(shop, CardKind::PreAuthorisation, CardType::Debit, 500, None);
    let cancel = |kit: &Kit, amount| {
        kit.asks(shop, CardKind::PreAuthorisationCancel, card(CardType::Debit), amount, Some(first))
    };
    kit.refused_card(cancel(&kit, 499), RefusalCode::CardAmount);
    let cancelled = kit.asked(cancel(&kit, 500));
    kit.card_answer(cancelled, approved("2026-03-05"));
    let complete = kit.asks(shop, CardKind::Completion, card(CardType::Debit), 500, Some(first));
    kit.refused_card(complete, RefusalCode::CardTransactionState);
    let second = kit.carded(shop, CardKind::PreAuthorisation, CardType::Debit, 500, None);
    let refund = kit.asks(shop, CardKind::Refund, card(CardType::Debit), 1, Some(second));
    kit.refused_card(refund, RefusalCode::CardTransactionState);
    kit.now = date("2026-04-04").starts_at();
    kit.asked(kit.asks(shop, CardKind::Completion, card(CardType::Debit), 500, Some(second)));
    let third = kit.carded(shop, CardKind::PreAuthorisation, CardType::Debit, 500, None);
    kit.now = date("2026-05-05").starts_at();
    let late = kit.asks(shop, CardKind::CompletionAdvice, card(CardType::Debit), 500, Some(third));
    kit.refused_card(late, RefusalCode::PreauthorisationLapsed);
    assert_eq!(books(&kit, shop), NOTHING);
}

#[test]
fn an_advice_is_sent_until_it_is_answered() {
    let mut kit = Kit::new();
    let shop = kit.shop();
    let authorised = kit.carded(shop, CardKind::PreAuthorisation, CardType::Credit, 1_000_000, None);
    let request = kit.asks(shop, CardKind::CompletionAdvice, card(CardType::Credit), 1_000_000, Some(authorised));
    let advice = kit.asked(request);
    kit.card_answer(advice, CardAnswer::NotAnswered);
    assert_eq!((kit.card(advice).status, books(&kit, shop)), (CardStatus::Unknown, NOTHING));
    kit.restore();
    kit.card_answer(advice, CardAnswer::NotAnswered);
    let reverse = of_card(CardTransactionCommand::Reverse(kit.reverses(advice)));
    kit.refused(reverse, RefusalCode::NotReversible);
    kit.card_answer(advice, approved("2026-03-05"));
    assert_eq!(books(&kit, shop), SOLD);
}

#[test]
fn refunds_return_their_part_of_every_fee() {
    let (mut kit, shop, sale) = sold();
    let refund = |kit: &Kit, amount| kit.asks(shop, CardKind::Refund, card(CardType::Credit), amount, Some(sale));
    kit.refused_card(refund(&kit, 1_000_001), RefusalCode::RefundExceeded);
    // A third: 20.00 of 60.00 and 16.08 of 48.25.
    let first = kit.asked(refund(&kit, 333_333));
    kit.card_answer(first, approved("2026-03-05"));
    assert_eq!(books(&kit, shop), [663_450, 662_667, 783, 3_217, 4_000]);
    // One that is declined gives its place back.
    let second = kit.asked(refund(&kit, 666_667));
    kit.refused_card(refund(&kit, 1), RefusalCode::RefundExceeded);
    kit.card_answer(second, CardAnswer::Declined { code: "05".into() });
    let void = kit.asks(shop, CardKind::Void, card(CardType::Credit), 1_000_000, Some(sale));
    kit.refused_card(void, RefusalCode::CardTransactionState);
    let third = kit.asked(refund(&kit, 666_667));
    kit.card_answer(third, CardAnswer::NotAnswered);
    assert_eq!(kit.card(third).status, CardStatus::Unknown, "a refund is not reversed");
    kit.restore();
    kit.card_answer(third, approved("2026-03-05"));
    assert_eq!(books(&kit, shop), NOTHING, "in parts as in one");
}

#[test]
fn a_refund_that_the_merchant_has_no_money_for_is_refused() {
    let (mut kit, shop, sale) = sold();
    let pending = kit.state.merchant(shop.merchant).unwrap().pending;
    kit.given(Command::PlaceFreeze(court(pending, 994_000)));
    let refund = kit.asks(shop, CardKind::Refund, card(CardType::Credit), 1_000_000, Some(sale));
    kit.refused_card(refund, RefusalCode::InsufficientFunds);
}

#[test]
fn a_tip_adds_to_its_sale_with_the_fees_of_the_whole() {
    let mut kit = Kit::new();
    let shop = kit.shop();
    let sale = kit.carded(shop, CardKind::Sale, CardType::Credit, 1_000_000, None);
    let tip = |kit: &Kit, amount| kit.asks(shop, CardKind::Adjustment, card(CardType::Credit), amount, Some(sale));
    kit.refused_card(tip(&kit, 200_001), RefusalCode::CardAmount);
    let id = kit.asked(tip(&kit, 200_000));
    let void = kit.asks(shop, CardKind::Void, card(CardType::Credit), 1_000_000, Some(sale));
    kit.refused_card(void, RefusalCode::CardTransactionState);
    kit.card_answer(id, approved("2026-03-05"));
    // 12,000.00 in one: 72.00, 54.00 and 3.25, whose cap is reached once.
    assert_eq!(books(&kit, shop), [1_194_275, 1_192_800, 1_475, 5_725, 7_200]);
    assert_eq!((kit.card(sale).amount, kit.card(sale).adjustments), (1_200_000, 1));
    kit.refused_card(tip(&kit, 1), RefusalCode::CardAmount);
    let reverse = of_card(CardTransactionCommand::Reverse(kit.reverses(sale)));
    kit.refused(reverse, RefusalCode::CardTransactionState);
    kit.carded(shop, CardKind::Void, CardType::Credit, 1_200_000, Some(sale));
    assert_eq!(books(&kit, shop), NOTHING);
}

#[test]
fn an_offline_sale_is_uploaded_with_its_authorisation() {
    let mut kit = Kit::new();
    let shop = kit.shop();
    let mut request = kit.asks(shop, CardKind::Offline, card(CardType::Credit), 1_000_000, None);
    request.authorisation = Some("V12345".into());
    let offline = kit.asked(request);
    let answer = CardAnswer::Approved { authorisation: None, clearing_date: date("2026-03-05") };
    kit.card_answer(offline, answer);
    assert_eq!((books(&kit, shop), kit.card(offline).authorisation.as_deref()), (SOLD, Some("V12345")));
}
