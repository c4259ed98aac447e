//! A month's batch: each kind of row, each route, and files that are refused. Rent 5,000 with fee 10 unless said.

use alloc::vec;

use super::*;
use crate::attempt::Rail;
use crate::book::Subject;
use crate::command::Command;
use crate::ids::MerchantId;
use crate::order::{ItemKind, OrderStatus};
use crate::refund::{CreateRefund, ItemRefund, RefundStatus};
use crate::testkit::orders::card;
use crate::testkit::{Kit, date, declined, success};

const DAY: &str = "2026-03-05";
const MONTH: &str = "2026-03";

fn fund_of(amount: Minor, route: FundRoute, converts: bool) -> Instrument {
    let monthly = Some(Monthly { period: String::from(MONTH), route, converts, cut_off: None, quota: None });
    Instrument::Fund { contract: String::from("L2026-118"), amount, holds: false, monthly, on_part: None }
}

/// By the centre to the reserve, without a card for the shortfall.
fn fund(amount: Minor) -> Instrument {
    fund_of(amount, FundRoute::Reserve, false)
}

/// By the centre to the reserve, the shortfall by card.
fn converting(amount: Minor) -> Instrument {
    fund_of(amount, FundRoute::Reserve, true)
}

fn direct(amount: Minor) -> Instrument {
    fund_of(amount, FundRoute::Direct, true)
}

fn closing(period: &str) -> Command {
    Command::FundBatch(FundBatchCommand::Close { city: String::from("310000"), period: String::from(period) })
}

#[track_caller]
fn close(kit: &mut Kit) -> FundBatch {
    let Reply::FundBatch(id) = kit.given(closing(MONTH)) else { panic!("the reply names what was made") };
    kit.state.fund_batch(id).unwrap().clone()
}

/// What the centre says of a row: all, a part or nothing.
fn row(batch: &FundBatch, at: usize, paid: Minor) -> FundResultRow {
    let FundRow { serial, contract, applied, .. } = batch.rows[at].clone();
    let (code, class) = match paid {
        0 => ("10000005", Some(FailureClass::User)),
        paid if paid < applied => ("00000005", Some(FailureClass::User)),
        _ => ("00000000", None),
    };
    let reference = if paid > 0 { format!("F{serial}") } else { String::new() };
    let result = FundResult { paid, code: String::from(code), class, reference, date: date(DAY) };
    FundResultRow { serial, contract, period: batch.period.clone(), applied, result }
}

fn file(batch: &FundBatch, rows: Vec<FundResultRow>) -> Command {
    let (id, city, number) = (batch.id, batch.city.clone(), batch.number.clone());
    Command::FundBatch(FundBatchCommand::TakeResult(TakeFundResult { batch: id, city, number, rows }))
}

/// Takes a file that says of each row, in order, what was paid.
#[track_caller]
fn paid(kit: &mut Kit, batch: &FundBatch, amounts: &[Minor]) {
    let rows = amounts.iter().enumerate().map(|(at, paid)| row(batch, at, *paid)).collect();
    kit.given(file(batch, rows));
}

fn rent(kit: &mut Kit, instruments: Vec<Instrument>) -> (MerchantId, OrderId) {
    let merchant = kit.landlord();
    let order = kit.order(merchant, &[(ItemKind::Rent, 5_000)]);
    kit.pay(order, instruments);
    (merchant, order)
}

/// A rent that the fund alone pays, up to its batch.
fn in_batch(kit: &mut Kit) -> (MerchantId, OrderId, FundBatch) {
    let (merchant, order) = rent(kit, vec![fund(5_000)]);
    (merchant, order, close(kit))
}

fn needs_person(kit: &Kit, order: OrderId) -> Vec<bool> {
    let legs = kit.state.order(order).unwrap().legs.clone();
    legs.into_iter().map(|leg| kit.state.leg(leg).unwrap().needs_person).collect()
}

#[test]
fn a_try_waits_for_its_month_and_one_batch_takes_it() {
    let mut kit = Kit::new();
    let (_, order) = rent(&mut kit, vec![fund(5_000)]);
    let waiting = kit.waiting();
    assert_eq!((waiting.rail, &waiting.status), (Rail::Fund, &AttemptStatus::Requested));
    assert_eq!(kit.legs(order), [LegStatus::Sent]);
    kit.refused(closing("2026-04"), RefusalCode::FundBatchEmpty);
    kit.refused(closing("2026-13"), RefusalCode::ValueInvalid);
    kit.refused(closing("March"), RefusalCode::ValueInvalid);
    let batch = close(&mut kit);
    assert_eq!((batch.number.as_str(), batch.applied(), batch.paid()), ("B202603050001", 5_000, 0));
    assert_eq!(batch.rows[0].serial, waiting.serial());
    assert_eq!(kit.legs(order), [LegStatus::Unknown]);
    kit.refused(closing(MONTH), RefusalCode::FundBatchEmpty);
    kit.refused(Command::CloseOrder(order), RefusalCode::OrderState);
    kit.restore();
    assert_eq!(kit.state.open_fund_batches().count(), 1);
}

#[test]
fn a_batch_takes_what_waits_in_the_order_of_the_attempts() {
    let mut kit = Kit::new();
    for _ in 0..3 {
        rent(&mut kit, vec![fund(5_000)]);
    }
    let batch = close(&mut kit);
    let attempts: Vec<u64> = batch.rows.iter().map(|row| row.attempt.0).collect();
    assert!(attempts.len() == 3 && attempts.is_sorted(), "{attempts:?}");
    let (_, order) = rent(&mut kit, vec![fund(5_000)]);
    let next = close(&mut kit);
    assert_eq!((next.number.as_str(), next.rows.len()), ("B202603050002", 1));
    paid(&mut kit, &next, &[5_000]);
    assert_eq!(kit.status(order), OrderStatus::Success);
    assert_eq!(kit.outbox().len(), 3, "the other batch is unknown still");
}

#[test]
fn paid_in_full_is_posted_to_1131_and_cleared_by_the_centres_file() {
    let mut kit = Kit::new();
    let (merchant, order, batch) = in_batch(&mut kit);
    kit.books(&[]);
    paid(&mut kit, &batch, &[5_000]);
    assert_eq!(kit.status(order), OrderStatus::Success);
    kit.books(&[(1131, 5_000), (2291, 10), (1291, 10), (5001, 10)]);
    assert_eq!(kit.pending(merchant), 4_990);
    assert!(!kit.state.fund_batch(batch.id).unwrap().is_open());
    kit.on("2026-03-06");
    kit.clear(Rail::Fund, DAY);
    assert_eq!(kit.own(Subject::CentralBank), 5_000);
    assert_eq!(kit.state.order(order).unwrap().due, Some(date("2026-03-06")));
    // What goes back goes back to the centre.
    let refund = kit.refund(order, 5_000, true);
    assert_eq!((kit.waiting().rail, kit.waiting().operation.money().0), (Rail::Fund, 5_000));
    kit.answered(success("2026-03-06"));
    assert_eq!(kit.refund_status(refund), RefundStatus::Success);
}

#[test]
fn paid_in_part_without_a_card_goes_back_to_the_centre_and_fails() {
    let mut kit = Kit::new();
    let (merchant, order, batch) = in_batch(&mut kit);
    paid(&mut kit, &batch, &[3_000]);
    kit.books(&[(1131, 3_000), (2205, 3_000)]);
    let back = kit.waiting();
    let original = batch.rows[0].serial.clone();
    assert_eq!(back.operation, Operation::Refund { original, amount: 3_000, currency: Currency::Cny });
    assert_eq!(back.rail, Rail::Fund);
    kit.answered(success(DAY));
    kit.books(&[]);
    assert_eq!((kit.status(order), kit.pending(merchant)), (OrderStatus::Failed, 0));
    assert_eq!(kit.legs(order), [LegStatus::Reversed]);
    assert_eq!(kit.state.order(order).unwrap().failure, Some(FailureClass::User));
}

#[test]
fn what_the_centre_will_not_take_back_stays_in_2205_for_a_person() {
    let mut kit = Kit::new();
    let (_, order, batch) = in_batch(&mut kit);
    paid(&mut kit, &batch, &[3_000]);
    kit.answered(declined(FailureClass::Bank));
    kit.books(&[(1131, 3_000), (2205, 3_000)]);
    assert_eq!((kit.status(order), needs_person(&kit, order)), (OrderStatus::Failed, vec![true]));
}

#[test]
fn a_shortfall_is_asked_of_the_card_that_stands_by() {
    let mut kit = Kit::new();
    let (merchant, order) = rent(&mut kit, vec![converting(5_000), card(0)]);
    let batch = close(&mut kit);
    paid(&mut kit, &batch, &[3_000]);
    kit.books(&[(1131, 3_000), (2205, 3_000)]);
    let shortfall = kit.waiting();
    assert_eq!((shortfall.rail, shortfall.operation.money().0), (Rail::Epcc, 2_000));
    kit.restore();
    kit.answered(success(DAY));
    kit.books(&[(1131, 3_000), (1121, 2_000), (2291, 10), (1291, 10), (5001, 10)]);
    assert_eq!((kit.status(order), kit.pending(merchant)), (OrderStatus::Success, 4_990));
    assert_eq!(kit.legs(order), [LegStatus::Captured, LegStatus::Captured]);
    // Each leg goes back where it came from, and no more than came.
    kit.refund(order, 5_000, true);
    let amounts: Vec<(Rail, Minor)> =
        kit.outbox().iter().map(|attempt| (attempt.rail, attempt.operation.money().0)).collect();
    assert_eq!(amounts, [(Rail::Epcc, 2_000), (Rail::Fund, 3_000)]);
}

#[test]
fn a_shortfall_comes_on_top_of_the_cards_own_part() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let order = kit.order(merchant, &[(ItemKind::Rent, 3_000), (ItemKind::Deposit, 3_200)]);
    kit.pay(order, vec![card(3_200), converting(3_000)]);
    let batch = close(&mut kit);
    paid(&mut kit, &batch, &[1_000]);
    assert_eq!(kit.waiting().operation.money().0, 5_200);
    kit.answered(success(DAY));
    kit.books(&[(1121, 5_200), (1131, 1_000), (2291, 12), (1291, 12), (5001, 12)]);
    assert_eq!((kit.status(order), kit.pending(merchant)), (OrderStatus::Success, 6_188));
}

/// A month lies between the check of a try and its batch's answer.
#[test]
fn a_card_that_was_blocked_since_is_asked_for_no_shortfall_and_the_fund_goes_back() {
    let mut kit = Kit::new();
    let (_, order) = rent(&mut kit, vec![converting(5_000), card(0)]);
    let batch = close(&mut kit);
    kit.blocks(crate::block_list::Blocked::Card(String::from("agreement-1")));
    paid(&mut kit, &batch, &[3_000]);
    let back = kit.answered(success(DAY));
    assert_eq!((back.rail, back.operation.money().0), (Rail::Fund, 3_000));
    kit.books(&[]);
    assert_eq!((kit.status(order), kit.outbox().len()), (OrderStatus::Failed, 0));
    assert_eq!(kit.legs(order), [LegStatus::Reversed, LegStatus::Failed]);
}

#[test]
fn a_card_that_stands_by_is_asked_nothing_when_the_fund_pays_all() {
    let mut kit = Kit::new();
    let (merchant, order) = rent(&mut kit, vec![converting(5_000), card(0)]);
    let batch = close(&mut kit);
    paid(&mut kit, &batch, &[5_000]);
    assert!(kit.outbox().is_empty());
    kit.books(&[(1131, 5_000), (2291, 10), (1291, 10), (5001, 10)]);
    assert_eq!((kit.status(order), kit.pending(merchant)), (OrderStatus::Success, 4_990));
    assert_eq!(kit.legs(order), [LegStatus::Captured, LegStatus::Failed]);
    kit.on("2026-03-06");
    kit.clear(Rail::Fund, DAY);
    assert!(kit.state.order(order).unwrap().due.is_some(), "the leg that paid nothing is in no file");
}

#[test]
fn a_refusal_fails_with_its_class_or_is_the_cards_to_pay() {
    let mut kit = Kit::new();
    let (_, order, batch) = in_batch(&mut kit);
    paid(&mut kit, &batch, &[0]);
    kit.books(&[]);
    assert_eq!((kit.status(order), kit.legs(order)), (OrderStatus::Failed, vec![LegStatus::Failed]));
    assert_eq!(kit.state.order(order).unwrap().failure, Some(FailureClass::User));

    let (merchant, order) = rent(&mut kit, vec![card(0), converting(5_000)]);
    let batch = close(&mut kit);
    paid(&mut kit, &batch, &[0]);
    assert_eq!(kit.waiting().operation.money().0, 5_000);
    kit.answered(success(DAY));
    kit.books(&[(1121, 5_000), (2291, 10), (1291, 10), (5001, 10)]);
    assert_eq!((kit.status(order), kit.pending(merchant)), (OrderStatus::Success, 4_990));
}

#[test]
fn a_card_that_does_not_pay_the_shortfall_sends_the_fund_back_to_the_centre() {
    let mut kit = Kit::new();
    let (_, order) = rent(&mut kit, vec![converting(5_000), card(0)]);
    let batch = close(&mut kit);
    paid(&mut kit, &batch, &[3_000]);
    kit.answered(declined(FailureClass::User));
    assert_eq!((kit.waiting().rail, kit.waiting().operation.money().0), (Rail::Fund, 3_000));
    kit.answered(success(DAY));
    kit.books(&[]);
    assert_eq!(
        (kit.status(order), kit.legs(order)),
        (OrderStatus::Failed, vec![LegStatus::Reversed, LegStatus::Failed])
    );
}

#[test]
fn a_missing_row_stays_unknown_until_a_later_file_and_equal_rows_count_once() {
    let mut kit = Kit::new();
    let (first, one) = rent(&mut kit, vec![fund(5_000)]);
    let (second, two) = rent(&mut kit, vec![fund(5_000)]);
    let batch = close(&mut kit);
    kit.given(file(&batch, vec![row(&batch, 0, 5_000), row(&batch, 0, 5_000)]));
    assert_eq!((kit.status(one), kit.status(two)), (OrderStatus::Success, OrderStatus::Paying));
    assert_eq!((kit.pending(first), kit.legs(two)), (4_990, vec![LegStatus::Unknown]));
    kit.restore();
    let events = kit.events.len();
    kit.given(file(&batch, vec![row(&batch, 0, 5_000)]));
    assert_eq!(kit.events.len(), events, "the same file again brings nothing");
    paid(&mut kit, &batch, &[5_000, 5_000]);
    assert_eq!((kit.status(two), kit.pending(first), kit.pending(second)), (OrderStatus::Success, 4_990, 4_990));
    let batch = kit.state.fund_batch(batch.id).unwrap();
    assert_eq!((batch.files, batch.paid(), batch.unanswered()), (2, 10_000, 0));
}

#[test]
fn a_file_that_contradicts_itself_its_batch_or_an_earlier_one_books_nothing() {
    let mut kit = Kit::new();
    let (_, order) = rent(&mut kit, vec![fund(5_000)]);
    rent(&mut kit, vec![fund(5_000)]);
    let batch = close(&mut kit);
    let with = |change: fn(&mut FundResultRow)| {
        let mut changed = row(&batch, 1, 5_000);
        change(&mut changed);
        vec![row(&batch, 0, 5_000), changed]
    };
    let wrong = [
        vec![row(&batch, 0, 5_000), row(&batch, 1, 5_000), row(&batch, 0, 4_000)],
        with(|row| row.serial.replace_range(..4, "2025")),
        with(|row| row.contract.push('9')),
        with(|row| row.period = String::from("2026-04")),
        with(|row| row.applied = 4_000),
        with(|row| row.result.paid = 5_001),
        with(|row| row.result.paid = -1),
        with(|row| row.result.paid = 4_000),
        with(|row| row.result.class = Some(FailureClass::Bank)),
        (0..=MAX_RESULT_ROWS).map(|_| row(&batch, 0, 5_000)).collect(),
    ];
    for rows in wrong {
        kit.refused(file(&batch, rows), RefusalCode::FundResultRejected);
        assert_eq!((kit.status(order), kit.outbox().len()), (OrderStatus::Paying, 2));
    }
    for other in [
        FundBatch { city: String::from("110000"), ..batch.clone() },
        FundBatch { number: String::from("B202603050009"), ..batch.clone() },
    ] {
        kit.refused(file(&other, vec![row(&batch, 0, 5_000)]), RefusalCode::FundResultRejected);
    }
    let unknown = FundBatch { id: FundBatchId(9), ..batch.clone() };
    kit.refused(file(&unknown, vec![]), RefusalCode::FundBatchUnknown);

    paid(&mut kit, &batch, &[5_000, 5_000]);
    for against in [4_000, 0] {
        kit.refused(file(&batch, vec![row(&batch, 0, against)]), RefusalCode::FundResultRejected);
    }
    kit.books(&[(1131, 10_000), (2291, 20), (1291, 20), (5001, 20)]);
}

#[test]
fn paid_after_it_was_refused_is_money_that_no_order_can_use() {
    let mut kit = Kit::new();
    let (merchant, order, batch) = in_batch(&mut kit);
    paid(&mut kit, &batch, &[0]);
    assert_eq!(kit.status(order), OrderStatus::Failed);
    paid(&mut kit, &batch, &[3_000]);
    kit.books(&[(1131, 3_000), (2211, 3_000)]);
    let back = kit.waiting();
    let original = batch.rows[0].serial.clone();
    assert_eq!(back.operation, Operation::Refund { original, amount: 3_000, currency: Currency::Cny });
    assert_eq!(back.rail, Rail::Fund, "never in cash, never to a card");
    kit.answered(success(DAY));
    kit.books(&[]);
    assert_eq!((kit.status(order), kit.pending(merchant)), (OrderStatus::Failed, 0));
    kit.refused(file(&batch, vec![row(&batch, 0, 0)]), RefusalCode::FundResultRejected);
}

#[test]
fn the_clearing_file_may_say_it_before_the_result_file_does() {
    let mut kit = Kit::new();
    let (merchant, order, batch) = in_batch(&mut kit);
    let row_of = &batch.rows[0];
    let line = crate::clearing::ClearingLine {
        serial: row_of.serial.clone(),
        kind: crate::clearing::LineKind::Debit,
        amount: 5_000,
        currency: Currency::Cny,
        reference: None,
    };
    kit.on("2026-03-06");
    kit.take_file(Rail::Fund, DAY, vec![line]);
    assert_eq!((kit.status(order), kit.pending(merchant)), (OrderStatus::Success, 4_990));
    kit.refused(file(&batch, vec![row(&batch, 0, 4_000)]), RefusalCode::FundResultRejected);
    paid(&mut kit, &batch, &[5_000]);
    assert_eq!(kit.pending(merchant), 4_990);
    assert!(!kit.state.fund_batch(batch.id).unwrap().is_open());
}

#[test]
fn the_centre_pays_the_landlord_and_only_the_rest_is_carried() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let order = kit.order(merchant, &[(ItemKind::Rent, 3_000), (ItemKind::Deposit, 3_200)]);
    kit.pay(order, vec![card(3_200), direct(3_000)]);
    let batch = close(&mut kit);
    paid(&mut kit, &batch, &[2_000]);
    kit.books(&[]);
    assert_eq!(kit.waiting().operation.money().0, 4_200);
    kit.answered(success(DAY));
    // The fee is that of 4,200 at 0.2 %, half up: round(12 × 4,200 / 6,200) = 8.
    kit.books(&[(1121, 4_200), (2291, 8), (1291, 8), (5001, 8)]);
    assert_eq!((kit.status(order), kit.pending(merchant)), (OrderStatus::Success, 4_192));
    let paid = kit.state.order(order).unwrap().clone();
    assert_eq!((paid.outside, paid.fee, paid.net, paid.refundable()), (2_000, 8, 4_192, 4_200));
    kit.on("2026-03-06");
    kit.clear(Rail::Epcc, DAY);
    assert!(kit.state.order(order).unwrap().due.is_some());
    let too_much = kit.create_refund(order, 4_201, true);
    kit.refused(Command::CreateRefund(too_much), RefusalCode::RefundExceeded);
    // Of the rent 1,000 came by the card; what the landlord has of the centre is not here to go to a card.
    let by_item = |kit: &Kit, rent: Minor| {
        let items = [(0, rent), (1, 3_200)].map(|(item, amount)| ItemRefund { item, amount });
        CreateRefund { items: items.to_vec(), ..kit.create_refund(order, 3_200 + rent, true) }
    };
    let mut rent_alone = by_item(&kit, 1_001);
    (rent_alone.amount, rent_alone.items) = (1_001, rent_alone.items[..1].to_vec());
    kit.refused(Command::CreateRefund(rent_alone), RefusalCode::RefundExceeded);
    let all_that_came = by_item(&kit, 1_000);
    kit.given(Command::CreateRefund(all_that_came));
    assert_eq!((kit.waiting().rail, kit.waiting().operation.money().0), (Rail::Epcc, 4_200));
    kit.answered(success("2026-03-06"));
    assert_eq!((kit.pending(merchant), kit.own(Subject::DueToOwn)), (0, 0));
}

#[test]
fn an_order_that_the_centre_pays_the_landlord_whole_is_paid_without_a_voucher() {
    let mut kit = Kit::new();
    let (merchant, order) = rent(&mut kit, vec![direct(5_000), card(0)]);
    let batch = close(&mut kit);
    let vouchers = kit.posted().count();
    paid(&mut kit, &batch, &[5_000]);
    assert_eq!((kit.status(order), kit.posted().count()), (OrderStatus::Success, vouchers));
    kit.books(&[]);
    let paid = kit.state.order(order).unwrap().clone();
    assert_eq!((paid.outside, paid.fee, paid.net, paid.voucher), (5_000, 0, 0, None));
    assert_eq!((kit.pending(merchant), paid.due), (0, Some(date("2026-03-06"))));
    assert!(kit.clearing_lines(Rail::Fund, DAY).is_empty(), "no clearing file of ours has it");
    let refund = kit.create_refund(order, 1, false);
    kit.refused(Command::CreateRefund(refund), RefusalCode::RefundExceeded);
}

#[test]
fn what_the_landlord_has_of_an_order_that_fails_is_for_a_person() {
    let mut kit = Kit::new();
    let (_, order) = rent(&mut kit, vec![direct(5_000), card(0)]);
    let batch = close(&mut kit);
    paid(&mut kit, &batch, &[3_000]);
    kit.answered(declined(FailureClass::User));
    kit.books(&[]);
    assert_eq!((kit.status(order), needs_person(&kit, order)), (OrderStatus::Failed, vec![true, false]));
    assert!(kit.outbox().is_empty());

    // The same for what the landlord was paid late: the card has paid the rent by then.
    let (merchant, order) = rent(&mut kit, vec![direct(5_000), card(0)]);
    let batch = close(&mut kit);
    paid(&mut kit, &batch, &[0]);
    paid(&mut kit, &batch, &[3_000]);
    assert_eq!(needs_person(&kit, order), [true, false]);
    kit.answered(success(DAY));
    assert_eq!((kit.status(order), kit.pending(merchant)), (OrderStatus::Success, 4_990));
    kit.books(&[(1121, 5_000), (2291, 10), (1291, 10), (5001, 10)]);
}

#[test]
fn an_order_is_closed_while_its_fund_waits_and_no_batch_takes_it_then() {
    let mut kit = Kit::new();
    let (_, order) = rent(&mut kit, vec![converting(5_000), card(0)]);
    kit.given(Command::CloseOrder(order));
    assert_eq!((kit.status(order), kit.legs(order)), (OrderStatus::Closed, vec![LegStatus::Failed, LegStatus::Failed]));
    assert!(kit.outbox().is_empty());
    kit.refused(closing(MONTH), RefusalCode::FundBatchEmpty);
}

#[test]
fn instruments_that_do_not_fit_a_batch_are_refused() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let order = kit.order(merchant, &[(ItemKind::Rent, 5_000)]);
    let mut refused = |instruments, code| kit.refused(Command::PayOrder { order, instruments }, code);
    refused(vec![fund_of(5_000, FundRoute::Direct, false)], RefusalCode::InstrumentNotAllowed);
    refused(vec![converting(5_000)], RefusalCode::InstrumentNotAllowed);
    refused(vec![fund(5_000), card(0)], RefusalCode::AmountNotPositive);
    refused(vec![fund(0), card(5_000)], RefusalCode::AmountNotPositive);
    let with = |change: fn(&mut String, &mut bool, &mut Monthly)| {
        let mut instrument = fund(5_000);
        if let Instrument::Fund { contract, holds, monthly: Some(monthly), .. } = &mut instrument {
            change(contract, holds, monthly);
        }
        vec![instrument]
    };
    refused(with(|contract, _, _| contract.push('|')), RefusalCode::ValueInvalid);
    refused(with(|_, holds, _| *holds = true), RefusalCode::InstrumentNotAllowed);
    refused(with(|_, _, monthly| monthly.period = String::from("2026-00")), RefusalCode::ValueInvalid);
}

/// By the centre to the reserve, with a cut-off and a quota.
fn bounded(amount: Minor, cut_off: Option<Time>, quota: Option<FundQuota>) -> Instrument {
    let mut fund = fund(amount);
    if let Instrument::Fund { monthly: Some(monthly), .. } = &mut fund {
        (monthly.cut_off, monthly.quota) = (cut_off, quota);
    }
    fund
}

#[test]
fn a_payment_is_asked_for_before_the_cut_off_and_whatever_waits_then_is_due() {
    let mut kit = Kit::new();
    let cut_off: cut_off::CutOff = "5 17:00".parse().unwrap();
    let at = cut_off.of(MONTH, &kit.state.calendar).unwrap();
    assert_eq!(cut_off.latest(&kit.state.calendar, kit.now), Ok(cut_off.of("2026-02", &kit.state.calendar).ok()));
    rent(&mut kit, vec![bounded(5_000, Some(at), None)]);
    let due = |kit: &Kit| kit.state.fund_months_due(cut_off, kit.now).unwrap();
    assert_eq!(due(&kit), Vec::<String>::new());
    kit.later(at.0 - kit.now.0 - 1);
    let merchant = kit.landlord();
    let last = kit.order(merchant, &[(ItemKind::Rent, 5_000)]);
    kit.pay(last, vec![bounded(5_000, Some(at), None)]);
    assert_eq!(due(&kit), Vec::<String>::new(), "a millisecond before");
    kit.later(1);
    let late = kit.order(merchant, &[(ItemKind::Rent, 5_000)]);
    let instruments = vec![bounded(5_000, Some(at), None)];
    kit.refused(Command::PayOrder { order: late, instruments }, RefusalCode::FundCutOffPassed);
    assert_eq!(due(&kit), [MONTH]);
    assert_eq!(close(&mut kit).rows.len(), 2);
    assert_eq!(due(&kit), Vec::<String>::new(), "closed once");
    // A city without a cut-off then, and with one now: late, and made up.
    kit.pay(late, vec![fund(5_000)]);
    kit.restore();
    assert_eq!(due(&kit), [MONTH]);
    let unknown = kit.state.fund_months_due(cut_off, date("2027-03-05").starts_at());
    assert_eq!(unknown, Ok(vec![String::from(MONTH)]), "the month's own year is known");
}

#[test]
fn a_fund_pays_no_more_than_its_quota() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let order = kit.order(merchant, &[(ItemKind::Rent, 5_000)]);
    let mut refused = |quota: FundQuota, code| {
        kit.refused(Command::PayOrder { order, instruments: vec![bounded(5_000, None, Some(quota))] }, code);
    };
    let (bound, every) = (quota::QuotaBound::Contribution, quota::Every::Month);
    let at_most = |amount, left| FundQuota::AtMost { amount, bound, left };
    refused(at_most(4_999, None), RefusalCode::FundOverQuota);
    refused(FundQuota::Unfiled, RefusalCode::FundLeaseUnknown);
    refused(FundQuota::MonthsTooFew { months: 1, least: 3 }, RefusalCode::FundMonthsTooFew);
    refused(FundQuota::DrawsUsedUp { draws: 1, most: 1, every }, RefusalCode::FundDrawsUsedUp);
    kit.pay(order, vec![bounded(3_000, None, Some(at_most(3_000, None))), card(2_000)]);
    let batch = close(&mut kit);
    assert_eq!(batch.applied(), 3_000);
    paid(&mut kit, &batch, &[3_000]);
    kit.restore();
    assert_eq!(kit.waiting().rail, Rail::Epcc);
}

#[test]
fn what_waits_for_a_batch_counts_against_the_quota_of_its_lease() {
    let mut kit = Kit::new();
    let (bound, every) = (quota::QuotaBound::Cap, quota::Every::Quarter);
    let at_most = |amount, draws| {
        let left = Some(quota::Frequency { draws, every });
        Some(FundQuota::AtMost { amount, bound, left })
    };
    let merchant = kit.landlord();
    let order = |kit: &mut Kit| kit.order(merchant, &[(ItemKind::Rent, 5_000)]);
    let first = order(&mut kit);
    kit.pay(first, vec![bounded(3_000, None, at_most(4_000, 2)), card(2_000)]);
    let second = order(&mut kit);
    let pays = |amount, draws| Command::PayOrder {
        order: second,
        instruments: vec![bounded(amount, None, at_most(4_000, draws)), card(5_000 - amount)],
    };
    kit.refused(pays(1_001, 2), RefusalCode::FundOverQuota);
    kit.refused(pays(1_000, 1), RefusalCode::FundDrawsUsedUp);
    kit.restore();
    kit.refused(pays(1_001, 2), RefusalCode::FundOverQuota);
    // What is paid no longer waits: the centre's word has it.
    let batch = close(&mut kit);
    kit.refused(pays(1_001, 2), RefusalCode::FundOverQuota);
    paid(&mut kit, &batch, &[3_000]);
    kit.given(pays(1_001, 1));
    // Another lease, and a city that is not asked, are none of its business.
    let third = order(&mut kit);
    let mut other = bounded(4_000, None, at_most(4_000, 1));
    if let Instrument::Fund { contract, .. } = &mut other {
        contract.push('X');
    }
    kit.pay(third, vec![other, card(1_000)]);
    let fourth = order(&mut kit);
    kit.pay(fourth, vec![fund(5_000)]);
}
