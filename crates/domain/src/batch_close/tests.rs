//! Batch closes: equal, unequal, asked again.

use alloc::vec;

use super::*;
use crate::card_fee::{CardScheme, CardType, SetCardCost};
use crate::command::Command;
use crate::testkit::Kit;
use crate::testkit::cards::{Shop, UNIONPAY, approved, card};

fn of(command: BatchCloseCommand) -> Command {
    Command::BatchClose(command)
}

fn close(shop: Shop, batch: u32, theirs: BatchTotals) -> Command {
    of(BatchCloseCommand::Close { terminal: shop.terminal, batch, theirs })
}

fn upload(shop: Shop, records: &[(u32, Minor)]) -> Command {
    let record = |(trace, amount): &(u32, Minor)| UploadedRecord { trace: *trace, amount: *amount };
    let records = records.iter().map(record).collect();
    of(BatchCloseCommand::Upload { terminal: shop.terminal, records })
}

fn end(shop: Shop, count: u32) -> Command {
    of(BatchCloseCommand::EndUpload { terminal: shop.terminal, count })
}

/// A batch of all that counts and all that does not, and its totals.
fn shift() -> (Kit, Shop, BatchTotals) {
    let mut kit = Kit::new();
    let shop = kit.shop();
    kit.approved(crate::card_fee::CardFeeCommand::SetCost(SetCardCost { scheme: CardScheme::Visa, ..UNIONPAY }).into());
    let sale = kit.carded(shop, CardKind::Sale, CardType::Credit, 10_000, None);
    kit.carded(shop, CardKind::Adjustment, CardType::Credit, 1_000, Some(sale));
    let voided = kit.carded(shop, CardKind::Sale, CardType::Debit, 500, None);
    kit.carded(shop, CardKind::Void, CardType::Debit, 500, Some(voided));
    kit.carded(shop, CardKind::Refund, CardType::Credit, 4_000, Some(sale));
    let authorised = kit.carded(shop, CardKind::PreAuthorisation, CardType::Debit, 700, None);
    kit.carded(shop, CardKind::Completion, CardType::Debit, 800, Some(authorised));
    let declined = kit.asked(kit.asks(shop, CardKind::Sale, card(CardType::Debit), 9, None));
    kit.card_answer(declined, crate::card_transaction::CardAnswer::Declined { code: "51".into() });
    let silent = kit.asked(kit.asks(shop, CardKind::Sale, card(CardType::Debit), 9, None));
    kit.card_answer(silent, crate::card_transaction::CardAnswer::NotAnswered);
    let mut foreign = kit.asks(shop, CardKind::Sale, card(CardType::Credit), 2_500, None);
    foreign.card.scheme = CardScheme::Visa;
    let foreign = kit.asked(foreign);
    kit.card_answer(foreign, approved("2026-03-05"));
    let totals = BatchTotals {
        domestic: Totals { debit: 11_000 + 500 + 800, debit_count: 3, credit: 500 + 4_000, credit_count: 2 },
        foreign: Totals { debit: 2_500, debit_count: 1, credit: 0, credit_count: 0 },
    };
    (kit, shop, totals)
}

fn batch(kit: &Kit, shop: Shop) -> u32 {
    kit.state.terminal(shop.terminal).unwrap().batch
}

#[test]
fn equal_totals_balance_and_a_new_batch_begins() {
    let (mut kit, shop, totals) = shift();
    let vouchers = kit.posted().count();
    let command = close(shop, 1, totals);
    let reply = kit.given(command.clone());
    let row = kit.state.batch_close(BatchCloseId(1)).unwrap();
    assert_eq!((row.status, row.result(), row.ours), (BatchCloseStatus::Balanced, 1, totals));
    assert_eq!((batch(&kit, shop), kit.posted().count()), (2, vouchers), "a comparison books nothing");
    kit.restore();
    assert_eq!(kit.given(command), reply, "the answer was lost: the same again");
    kit.refused(close(shop, 1, BatchTotals::default()), RefusalCode::BatchMismatch);
    kit.refused(end(shop, 0), RefusalCode::BatchCloseState);
    // A trace begins anew, and the closed batch can still be reversed from; a void cannot reach it.
    let mut sale = kit.asks(shop, CardKind::Sale, card(CardType::Debit), 1, None);
    sale.key.trace = 1;
    kit.asked(sale);
    let mut void = kit.asks(shop, CardKind::Void, card(CardType::Debit), 800, None);
    void.original = Some(crate::card_transaction::OriginalRef::Trace { batch: 1, trace: 7 });
    kit.refused_card(void, RefusalCode::CardTransactionState);
}

#[test]
fn unequal_totals_are_uploaded_and_every_difference_is_named() {
    let (mut kit, shop, totals) = shift();
    let theirs = BatchTotals { foreign: Totals::default(), ..totals };
    kit.given(close(shop, 1, theirs));
    let row = kit.state.batch_close(BatchCloseId(1)).unwrap();
    assert_eq!((row.status, row.result(), batch(&kit, shop)), (BatchCloseStatus::Unbalanced, 2, 1));
    // The power goes, and the terminal closes again.
    kit.given(close(shop, 1, theirs));
    kit.given(upload(shop, &[(1, 11_000), (3, 501), (4, 500)]));
    kit.restore();
    kit.given(upload(shop, &[(5, 4_000), (7, 800), (3, 501), (8, 9)]));
    kit.given(end(shop, 6));
    let row = kit.state.batch_close(BatchCloseId(1)).unwrap();
    let found: Vec<_> = row.differences.iter().map(|it| (it.kind, it.trace, it.theirs, it.ours)).collect();
    use BatchDifferenceKind::{Missing, OtherAmount, Repeated, Unknown};
    assert_eq!(
        found,
        vec![
            (OtherAmount, 3, Some(501), Some(500)),
            (Repeated, 3, Some(501), Some(500)),
            (Unknown, 8, Some(9), None),
            (Missing, 10, None, Some(2_500)),
        ]
    );
    assert_eq!((row.status, row.different, row.claimed), (BatchCloseStatus::Uploaded, 4, Some(6)));
    assert_eq!((batch(&kit, shop), row.uploaded.is_empty()), (2, true));
}

#[test]
fn traces_are_known_until_the_close_after_the_next() {
    let (mut kit, shop, totals) = shift();
    let key = |batch| TraceKey { terminal: shop.terminal, batch, trace: 1 };
    kit.given(close(shop, 1, totals));
    assert!(kit.state.card_transaction_of(key(1)).is_some());
    kit.given(close(shop, 2, BatchTotals::default()));
    assert!(kit.state.card_transaction_of(key(1)).is_none());
    kit.restore();
    assert_eq!(kit.state.batch_close_of(shop.terminal, 2).map(|it| it.status), Some(BatchCloseStatus::Balanced));
}

#[test]
fn bad_closes_are_refused() {
    let (mut kit, shop, _) = shift();
    kit.refused(close(shop, 2, BatchTotals::default()), RefusalCode::BatchMismatch);
    kit.refused(upload(shop, &[(1, 1)]), RefusalCode::BatchCloseState);
    kit.given(close(shop, 1, BatchTotals::default()));
    kit.refused(upload(shop, &[]), RefusalCode::ValueInvalid);
    kit.refused(upload(shop, &[(1, 1); MAX_RECORDS + 1]), RefusalCode::ValueInvalid);
    let idle = Shop { terminal: kit.keyed_terminal(), ..shop };
    kit.refused(close(idle, 1, BatchTotals::default()), RefusalCode::TerminalState);
    kit.refused(
        close(Shop { terminal: TerminalId(99), ..shop }, 1, BatchTotals::default()),
        RefusalCode::TerminalUnknown,
    );
    assert_eq!(kit.state.batch_close(BatchCloseId(99)).unwrap_err().code, RefusalCode::BatchCloseUnknown);
}
