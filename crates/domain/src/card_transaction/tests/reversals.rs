//! Reversals: whoever asks, however often, whatever comes between.

use super::*;

fn reverse(kit: &Kit, id: CardTransactionId) -> Command {
    of_card(CardTransactionCommand::Reverse(kit.reverses(id)))
}

fn asked(kit: &mut Kit, shop: Shop) -> CardTransactionId {
    kit.asked(kit.asks(shop, CardKind::Sale, card(CardType::Credit), 1_000_000, None))
}

fn begun(kit: &Kit, id: CardTransactionId) -> u32 {
    kit.card(id).reversal.as_ref().map_or(0, |reversal| reversal.begun)
}

#[test]
fn an_answer_that_does_not_come_is_taken_back_by_the_switch() {
    let mut kit = Kit::new();
    let shop = kit.shop();
    let sale = asked(&mut kit, shop);
    kit.card_answer(sale, CardAnswer::NotAnswered);
    let row = kit.card(sale);
    let reversal = row.reversal.as_ref().unwrap();
    assert_eq!((row.status, reversal.by, reversal.reason.code()), (CardStatus::Reversing, Reverser::Switch, "98"));
    // The terminal asks too: one reversal, and the same answer.
    let command = reverse(&kit, sale);
    assert_eq!(kit.given(command.clone()), Reply::CardTransaction(sale));
    kit.restore();
    kit.reversal_answer(sale, "96");
    assert_eq!((kit.card(sale).status, begun(&kit, sale)), (CardStatus::Reversing, 1), "it is sent on");
    kit.reversal_answer(sale, "00");
    kit.reversal_answer(sale, "00");
    assert_eq!((kit.card(sale).status, books(&kit, shop)), (CardStatus::Reversed, NOTHING));
    assert_eq!(kit.given(command), Reply::CardTransaction(sale));
    assert_eq!((begun(&kit, sale), kit.state.cards_in_outbox().count()), (1, 0));
}

#[test]
fn an_approved_sale_is_taken_back_with_an_exact_contra() {
    let (mut kit, shop, sale) = sold();
    kit.given(reverse(&kit, sale));
    assert_eq!(
        (kit.card(sale).status, books(&kit, shop)),
        (CardStatus::Reversing, SOLD),
        "booked once the network took it"
    );
    let refund = kit.asks(shop, CardKind::Refund, card(CardType::Credit), 1, Some(sale));
    kit.refused_card(refund, RefusalCode::CardTransactionState);
    kit.reversal_answer(sale, "00");
    assert_eq!(books(&kit, shop), NOTHING);
    let voucher = kit.posted().last().unwrap();
    assert_eq!((voucher.contra_of, voucher.event), (kit.card(sale).voucher, crate::voucher::EventCode::CardReversed));
}

#[test]
fn a_late_approval_of_a_reversed_sale_is_reversed() {
    let mut kit = Kit::new();
    let shop = kit.shop();
    let sale = asked(&mut kit, shop);
    kit.card_answer(sale, CardAnswer::NotAnswered);
    kit.card_answer(sale, approved("2026-03-05"));
    assert_eq!((kit.card(sale).status, begun(&kit, sale)), (CardStatus::Reversing, 1), "while one is under way");
    kit.reversal_answer(sale, "25");
    assert_eq!(kit.card(sale).status, CardStatus::Reversed);
    kit.card_answer(sale, approved("2026-03-05"));
    assert_eq!((kit.card(sale).status, begun(&kit, sale)), (CardStatus::Reversing, 2), "after it: once more");
    kit.restore();
    kit.reversal_answer(sale, "00");
    assert_eq!((kit.card(sale).status, books(&kit, shop)), (CardStatus::Reversed, NOTHING));
    let declined = asked(&mut kit, shop);
    kit.card_answer(declined, CardAnswer::Declined { code: "91".into() });
    kit.card_answer(declined, approved("2026-03-05"));
    assert_eq!(kit.card(declined).status, CardStatus::Reversing, "the terminal saw it fail");
    kit.reversal_answer(declined, "00");
    assert_eq!(books(&kit, shop), NOTHING);
}

#[test]
fn a_sale_that_was_booked_and_reversed_twice_is_undone_once() {
    let (mut kit, shop, sale) = sold();
    kit.given(reverse(&kit, sale));
    kit.reversal_answer(sale, "00");
    kit.card_answer(sale, approved("2026-03-05"));
    kit.reversal_answer(sale, "00");
    assert_eq!((begun(&kit, sale), books(&kit, shop)), (2, NOTHING));
    assert_eq!(kit.posted().count(), 2);
}

#[test]
fn an_unknown_original_books_nothing_and_is_answered_25() {
    let (mut kit, shop, sale) = sold();
    let good = kit.reverses(sale);
    let mut unknown = good.clone();
    unknown.key.trace = 77;
    let other_day = ReverseCardTransaction { local_date: date("2026-03-04"), ..good.clone() };
    for wrong in [unknown, other_day] {
        let refused = kit.when(of_card(CardTransactionCommand::Reverse(wrong))).unwrap_err();
        assert_eq!((refused.code, answer_code::of(refused.code)), (RefusalCode::CardTransactionUnknown, "25"));
    }
    let other_amount = ReverseCardTransaction { amount: 1, ..good };
    kit.refused(of_card(CardTransactionCommand::Reverse(other_amount)), RefusalCode::CardAmount);
    assert_eq!((kit.card(sale).status, books(&kit, shop)), (CardStatus::Approved, SOLD));
    let answer = CardTransactionCommand::AnswerReversal { transaction: sale, code: "00".into() };
    kit.refused(of_card(answer), RefusalCode::CardTransactionState);
}

#[test]
fn a_void_is_reversed_and_the_sale_stands_again() {
    let (mut kit, shop, sale) = sold();
    let void = kit.carded(shop, CardKind::Void, CardType::Credit, 1_000_000, Some(sale));
    kit.refused(reverse(&kit, sale), RefusalCode::CardTransactionState);
    kit.given(reverse(&kit, void));
    kit.reversal_answer(void, "00");
    assert_eq!(books(&kit, shop), SOLD);
    assert_eq!((kit.card(sale).followed_by, kit.card(sale).money.pending), (None, 994_000));
    // A void whose answer never came held money, and lets it go.
    let second = kit.asked(kit.asks(shop, CardKind::Void, card(CardType::Credit), 1_000_000, Some(sale)));
    kit.card_answer(second, CardAnswer::NotAnswered);
    let account = kit.state.merchant(shop.merchant).unwrap().pending;
    assert_eq!(kit.state.account(account, "account").unwrap().held_out, 0);
    let third = kit.asks(shop, CardKind::Void, card(CardType::Credit), 1_000_000, Some(sale));
    kit.refused_card(third, RefusalCode::CardTransactionState);
    kit.reversal_answer(second, "00");
    assert_eq!(books(&kit, shop), SOLD);
    kit.carded(shop, CardKind::Void, CardType::Credit, 1_000_000, Some(sale));
    assert_eq!(books(&kit, shop), NOTHING);
}

#[test]
fn what_was_completed_is_reversed_latest_first() {
    let mut kit = Kit::new();
    let shop = kit.shop();
    let authorised = kit.carded(shop, CardKind::PreAuthorisation, CardType::Credit, 1_000_000, None);
    let completion = kit.carded(shop, CardKind::Completion, CardType::Credit, 1_000_000, Some(authorised));
    kit.refused(reverse(&kit, authorised), RefusalCode::CardTransactionState);
    kit.given(reverse(&kit, completion));
    kit.reversal_answer(completion, "00");
    assert_eq!((books(&kit, shop), kit.card(authorised).followed_by), (NOTHING, None));
    let again = kit.carded(shop, CardKind::Completion, CardType::Credit, 1_000_000, Some(authorised));
    assert_eq!(books(&kit, shop), SOLD);
    let void = kit.carded(shop, CardKind::CompletionVoid, CardType::Credit, 1_000_000, Some(again));
    kit.given(reverse(&kit, void));
    kit.reversal_answer(void, "00");
    assert_eq!(books(&kit, shop), SOLD);
    let cancelled = kit.carded(shop, CardKind::PreAuthorisation, CardType::Credit, 5, None);
    let cancel = kit.carded(shop, CardKind::PreAuthorisationCancel, CardType::Credit, 5, Some(cancelled));
    kit.given(reverse(&kit, cancel));
    kit.reversal_answer(cancel, "00");
    assert_eq!(kit.card(cancelled).followed_by, None);
    kit.given(reverse(&kit, cancelled));
    kit.reversal_answer(cancelled, "00");
    assert_eq!((kit.card(cancelled).status, books(&kit, shop)), (CardStatus::Reversed, SOLD));
}

#[test]
fn a_reversal_that_frozen_money_keeps_is_booked_once_it_is_free() {
    let (mut kit, shop, sale) = sold();
    kit.given(reverse(&kit, sale));
    let pending = kit.state.merchant(shop.merchant).unwrap().pending;
    kit.given(Command::PlaceFreeze(court(pending, 994_000)));
    let answer = of_card(CardTransactionCommand::AnswerReversal { transaction: sale, code: "00".into() });
    kit.refused(answer.clone(), RefusalCode::InsufficientFunds);
    assert_eq!(kit.card(sale).status, CardStatus::Reversing);
    let release = crate::freeze::ReleaseFreeze {
        freeze: crate::ids::FreezeId(1),
        amount: None,
        authority: "district court".into(),
        document: "2026-0002".into(),
        group: false,
    };
    kit.approved(Command::ReleaseFreeze(release));
    kit.given(answer);
    assert_eq!(books(&kit, shop), NOTHING);
}
