//! Card transactions, step by step; every figure is in fen.

use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::approval::Proposal;
use crate::book::Subject;
use crate::card_fee::{CardScheme, CardType};
use crate::command::Command;
use crate::ids::{HoldId, MerchantId, TerminalId};
use crate::money::Minor;
use crate::refusal::RefusalCode;
use crate::testkit::cards::{Shop, approved, card, of_card, terms};
use crate::testkit::{Kit, court, date};

mod codes;
mod kinds;
mod property;
mod reversals;
mod scripts;

/// Balances of 1122, 2202 of the merchant, 2291, 6001 and 5001.
fn books(kit: &Kit, shop: Shop) -> [Minor; 5] {
    let own = |subject| kit.own(subject);
    [
        own(Subject::ClearingUnionPay),
        kit.pending(shop.merchant),
        own(Subject::DueToOwn),
        own(Subject::ChannelCost),
        own(Subject::FeeIncome),
    ]
}

const NOTHING: [Minor; 5] = [0; 5];
/// A credit card of 10,000.00 at 0.60 %.
const SOLD: [Minor; 5] = [995_175, 994_000, 1_175, 4_825, 6_000];

fn sold() -> (Kit, Shop, CardTransactionId) {
    let mut kit = Kit::new();
    let shop = kit.shop();
    let sale = kit.carded(shop, CardKind::Sale, CardType::Credit, 1_000_000, None);
    (kit, shop, sale)
}

#[test]
fn a_sale_is_booked_at_the_issuers_yes() {
    let mut kit = Kit::new();
    let shop = kit.shop();
    let sale = kit.asked(kit.asks(shop, CardKind::Sale, card(CardType::Credit), 1_000_000, None));
    assert_eq!((kit.card(sale).status, books(&kit, shop)), (CardStatus::Requested, NOTHING));
    assert_eq!(kit.state.cards_in_outbox().map(|it| it.id).collect::<Vec<_>>(), [sale]);
    kit.card_answer(sale, approved("2026-03-05"));
    assert_eq!(books(&kit, shop), SOLD);
    assert_eq!(kit.own(Subject::DueFromReserve), 1_175);
    let row = kit.card(sale);
    assert_eq!(
        (row.status, row.code.as_deref(), row.authorisation.as_deref()),
        (CardStatus::Approved, Some("00"), Some("A00001"))
    );
    assert_eq!((row.money.pending, row.reference().as_str()), (994_000, "000000000001"));
    kit.card_answer(sale, approved("2026-03-05"));
    kit.card_answer(sale, CardAnswer::NotAnswered);
    assert_eq!(books(&kit, shop), SOLD, "an answer that comes twice books once");
    let no = CardAnswer::Declined { code: "51".into() };
    kit.refused(
        of_card(CardTransactionCommand::Answer { transaction: sale, answer: no }),
        RefusalCode::CardTransactionState,
    );
}

#[test]
fn every_row_of_the_fee_tests_is_booked_to_the_fen() {
    for (kind, amount, clearing, merchant, margin, cost) in [
        (CardType::Credit, 2_000_000, 1_990_675, 1_988_000, 2_675, 9_325),
        (CardType::Debit, 1_000_000, 998_375, 995_000, 3_375, 1_625),
        (CardType::Credit, 10_000, 9_952, 9_940, 12, 48),
    ] {
        let mut kit = Kit::new();
        let shop = kit.shop();
        kit.carded(shop, CardKind::Sale, kind, amount, None);
        assert_eq!(books(&kit, shop), [clearing, merchant, margin, cost, margin + cost]);
    }
}

#[test]
fn a_no_books_nothing_and_gives_the_limit_back() {
    let mut kit = Kit::new();
    kit.card_prices();
    let merchant = kit.landlord();
    let credit = crate::acquiring::CardLimit { single: None, daily: Some(1_000) };
    let acquiring = kit.acquired(merchant, crate::acquiring::AcquiringTerms { credit, ..terms() });
    let shop = kit.online(acquiring);
    let sale = kit.asked(kit.asks(shop, CardKind::Sale, card(CardType::Credit), 700, None));
    kit.refused_card(kit.asks(shop, CardKind::Sale, card(CardType::Credit), 301, None), RefusalCode::LimitExceeded);
    kit.card_answer(sale, CardAnswer::Declined { code: "51".into() });
    assert_eq!((kit.card(sale).status, books(&kit, shop)), (CardStatus::Declined, NOTHING));
    kit.carded(shop, CardKind::Sale, CardType::Credit, 1_000, None);
    kit.refused_card(kit.asks(shop, CardKind::Sale, card(CardType::Credit), 1, None), RefusalCode::LimitExceeded);
    kit.carded(shop, CardKind::Sale, CardType::Debit, 5_000, None);
    kit.on("2026-03-06");
    kit.carded(shop, CardKind::Sale, CardType::Credit, 1_000, None);
}

#[test]
fn a_transaction_is_its_terminal_batch_and_trace() {
    let (mut kit, shop, sale) = sold();
    let mut same = kit.asks(shop, CardKind::Sale, card(CardType::Credit), 1_000_000, None);
    same.key.trace = 1;
    assert_eq!(kit.asked(same.clone()), sale);
    assert_eq!(books(&kit, shop), SOLD);
    let other = |change: fn(&mut RequestCardTransaction)| {
        let mut request = same.clone();
        change(&mut request);
        request
    };
    kit.refused_card(other(|it| it.amount = 1), RefusalCode::TraceReused);
    kit.refused_card(other(|it| it.card = card(CardType::Debit)), RefusalCode::TraceReused);
    kit.refused_card(other(|it| it.local_date = date("2026-03-04")), RefusalCode::TraceReused);
    let another = kit.shop();
    let mut theirs = same.clone();
    theirs.key.terminal = another.terminal;
    assert_ne!(kit.asked(theirs), sale, "another terminal's trace is another transaction");
}

#[test]
fn who_may_not_take_a_card_is_refused() {
    let mut kit = Kit::new();
    let shop = kit.shop();
    let earlier = kit.carded(shop, CardKind::Sale, CardType::Credit, 100, None);
    let sale = |kit: &Kit| kit.asks(shop, CardKind::Sale, card(CardType::Credit), 100, None);
    let mut wrong = sale(&kit);
    wrong.key.terminal = TerminalId(99);
    kit.refused_card(wrong, RefusalCode::TerminalUnknown);
    let mut wrong = sale(&kit);
    wrong.key.batch = 2;
    kit.refused_card(wrong, RefusalCode::BatchMismatch);
    let suspend = crate::acquiring::AcquiringCommand::Suspend { acquiring: shop.acquiring, reason: "x".into() };
    kit.given(Command::Acquiring(suspend));
    kit.refused_card(sale(&kit), RefusalCode::AcquiringState);
    kit.carded(shop, CardKind::Refund, CardType::Credit, 1, Some(earlier));
    kit.given(Command::Acquiring(crate::acquiring::AcquiringCommand::Resume(shop.acquiring)));
    let suspend = crate::terminal::TerminalCommand::Suspend { terminal: shop.terminal, reason: "x".into() };
    kit.given(Command::Terminal(suspend));
    kit.refused_card(sale(&kit), RefusalCode::TerminalState);
    kit.given(Command::Terminal(crate::terminal::TerminalCommand::Resume(shop.terminal)));
    kit.refused_card(sale(&kit), RefusalCode::TerminalState);
    kit.given(kit.sign_in(shop.terminal));
    let serial = kit.state.terminal(shop.terminal).unwrap().serial.clone();
    for blocked in [
        crate::block_list::Blocked::Terminal(serial),
        crate::block_list::Blocked::Card("tok-credit-1".into()),
        crate::block_list::Blocked::Merchant(shop.merchant),
    ] {
        let (reason, source, until) = ("fraud".into(), "police".into(), Some(kit.now.plus_ms(1)));
        let add = crate::block_list::AddBlock { blocked, reason, source, until };
        kit.given(Command::BlockList(crate::block_list::BlockListCommand::Add(add)));
        kit.refused_card(sale(&kit), RefusalCode::Blocked);
        kit.carded(shop, CardKind::Refund, CardType::Credit, 1, Some(earlier));
        kit.later(1);
    }
    kit.asked(sale(&kit));
}

#[test]
fn bad_requests_are_refused() {
    let (mut kit, shop, sale) = sold();
    let good = kit.asks(shop, CardKind::Sale, card(CardType::Credit), 100, None);
    let with = |change: &dyn Fn(&mut RequestCardTransaction)| {
        let mut request = good.clone();
        change(&mut request);
        request
    };
    let table = [
        (with(&|it| it.amount = 0), RefusalCode::AmountNotPositive),
        (with(&|it| it.amount = -5), RefusalCode::AmountNotPositive),
        (with(&|it| it.key.trace = 0), RefusalCode::ValueInvalid),
        (with(&|it| it.key.trace = 1_000_000), RefusalCode::ValueInvalid),
        (with(&|it| it.card.mask = "6259123456780002".into()), RefusalCode::ValueInvalid),
        (with(&|it| it.card.mask = "625912".into()), RefusalCode::ValueInvalid),
        (with(&|it| it.card.token = "6259123456780002".into()), RefusalCode::ValueInvalid),
        (with(&|it| it.card.token = String::new()), RefusalCode::ValueInvalid),
        (with(&|it| it.card.scheme = CardScheme::Visa), RefusalCode::CardFeeUnknown),
        (with(&|it| it.kind = CardKind::Void), RefusalCode::ValueInvalid),
        (with(&|it| it.kind = CardKind::CreditAdjustment), RefusalCode::ValueInvalid),
        (with(&|it| it.original = Some(OriginalRef::Reference(reference(sale)))), RefusalCode::ValueInvalid),
        (with(&|it| it.authorisation = Some("1234567".into())), RefusalCode::ValueInvalid),
    ];
    for (request, code) in table {
        kit.refused_card(request, code);
    }
    assert_eq!(transaction_of_reference("000000000000"), None);
    assert_eq!(transaction_of_reference("00000000001x"), None);
    assert_eq!(transaction_of_reference("000000000042"), Some(CardTransactionId(42)));
}

#[test]
fn a_losing_plan_is_paid_by_2291_as_far_as_it_goes() {
    let mut kit = Kit::new();
    kit.card_prices();
    let rate = |rate| crate::card_fee::CardRate { rate, cap: None };
    let (code, from) = (String::from("charity"), date("2026-03-05"));
    let plan = crate::card_fee::SetCardFeePlan { code: code.clone(), from, debit: rate(0), credit: rate(0) };
    kit.approved(crate::card_fee::CardFeeCommand::SetPlan(plan).into());
    let merchant = kit.landlord();
    let acquiring = kit.acquired(merchant, crate::acquiring::AcquiringTerms { fee_plan: code, ..terms() });
    let shop = kit.online(acquiring);
    // 2291 is empty: nothing of the cost of 48.25 is recognised before the network's file.
    let sale = kit.carded(shop, CardKind::Sale, CardType::Credit, 1_000_000, None);
    assert_eq!(books(&kit, shop), [1_000_000, 1_000_000, 0, 0, 0]);
    assert_eq!(kit.card(sale).money.cost, 0);
    // Another merchant's sale leaves 11.75 there, which the next one takes.
    let other = kit.shop();
    kit.carded(other, CardKind::Sale, CardType::Credit, 1_000_000, None);
    kit.carded(shop, CardKind::Sale, CardType::Credit, 1_000_000, None);
    assert_eq!(books(&kit, shop), [2_000_000 + 995_175 - 1_175, 2_000_000, 0, 4_825 + 1_175, 6_000]);
}

#[test]
fn money_that_2202_takes_no_more_goes_to_suspense() {
    let mut kit = Kit::new();
    let shop = kit.shop();
    let sale = kit.asked(kit.asks(shop, CardKind::Sale, card(CardType::Credit), 1_000_000, None));
    let account = kit.state.merchant(shop.merchant).unwrap().pending;
    let barred = crate::restriction::Restriction { in_barred: true, out_barred: false };
    let restriction = Command::RestrictAccount { account, restriction: barred };
    kit.given(restriction);
    kit.refused_card(kit.asks(shop, CardKind::Sale, card(CardType::Credit), 1, None), RefusalCode::AccountRestricted);
    kit.card_answer(sale, approved("2026-03-05"));
    assert_eq!((kit.pending(shop.merchant), kit.own(Subject::Suspense)), (0, 994_000));
    assert!(kit.card(sale).suspended);
    let refund = kit.asks(shop, CardKind::Refund, card(CardType::Credit), 1, Some(sale));
    kit.refused_card(refund, RefusalCode::CardTransactionState);
    let reverse = CardTransactionCommand::Reverse(kit.reverses(sale));
    kit.given(of_card(reverse));
    kit.reversal_answer(sale, "00");
    assert_eq!((books(&kit, shop), kit.own(Subject::Suspense)), (NOTHING, 0));
}

#[test]
fn two_people_give_back_what_a_terminal_gave_up() {
    let (mut kit, shop, sale) = sold();
    kit.people();
    let adjustment = CreditAdjustment { transaction: sale, amount: 1_000_000, case_number: "case-1".into() };
    kit.refused(CardTransactionCommand::credit(adjustment.clone()), RefusalCode::ApprovalRequired);
    for (wrong, code) in [
        (CreditAdjustment { amount: 1_000_001, ..adjustment.clone() }, RefusalCode::RefundExceeded),
        (CreditAdjustment { amount: 0, ..adjustment.clone() }, RefusalCode::AmountNotPositive),
        (CreditAdjustment { case_number: String::new(), ..adjustment.clone() }, RefusalCode::ValueInvalid),
        (
            CreditAdjustment { transaction: CardTransactionId(99), ..adjustment.clone() },
            RefusalCode::CardTransactionUnknown,
        ),
    ] {
        let refused = kit.when_approved(CardTransactionCommand::credit(wrong)).unwrap_err();
        assert_eq!(refused.code, code, "{refused}");
    }
    let Reply::CardTransaction(id) = kit.decided("risk", Proposal::CreditAdjustment(adjustment.clone())) else {
        panic!("a credit adjustment was made")
    };
    assert_eq!(books(&kit, shop), NOTHING);
    let row = kit.card(id);
    assert_eq!((row.kind, row.status, row.key), (CardKind::CreditAdjustment, CardStatus::Approved, None));
    let again = kit.when_approved(CardTransactionCommand::credit(adjustment)).unwrap_err();
    assert_eq!(again.code, RefusalCode::RefundExceeded);
    kit.restore();
}

#[test]
fn what_is_held_for_an_answer_is_nobody_elses() {
    let (mut kit, shop, sale) = sold();
    kit.asked(kit.asks(shop, CardKind::Refund, card(CardType::Credit), 500_000, Some(sale)));
    let pending = kit.state.merchant(shop.merchant).unwrap().pending;
    assert_eq!(kit.state.account(pending, "account").unwrap().held_out, 497_000);
    kit.refused(Command::CancelHold(HoldId(1)), RefusalCode::HoldState);
    // A freeze of all that is there does not keep the refund, which was promised before.
    kit.given(Command::PlaceFreeze(court(pending, 994_000)));
    let refund = kit.state.cards_in_outbox().next().unwrap().id;
    kit.card_answer(refund, approved("2026-03-05"));
    assert_eq!(kit.pending(shop.merchant), 497_000);
}
