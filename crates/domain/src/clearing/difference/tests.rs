//! How differences of clearing files end: by a later file, or by two people.

use alloc::string::ToString;
use alloc::vec;

use super::*;
use crate::approval::Proposal;
use crate::attempt::{Outcome, serial};
use crate::book::Side;
use crate::clearing::TakeClearingFile;
use crate::command::Command;
use crate::ids::{AccountId, OrderId};
use crate::manual_voucher::{TemplateCommand, TemplateLine};
use crate::payout::{CreatePayout, PayTo, PayoutStatus};
use crate::reserve_line::LineDirection::In;
use crate::reserve_line::TakeReserveLine;
use crate::suspense::AllocateSuspense;
use crate::testkit::orders::card;
use crate::testkit::{Kit, date, success};
use crate::voucher::{Entry, EventCode};

mod statement;

const DAY: &str = "2026-03-05";
const NEXT: &str = "2026-03-06";
const CNY: Currency = Currency::Cny;
const TEMPLATE: &str = "differences";
const FIRST: DifferenceId = DifferenceId { clearing: ClearingId(1), number: 1 };

fn kit() -> Kit {
    let mut kit = Kit::new();
    kit.people();
    let both = |subject| [Side::Debit, Side::Credit].map(|side| TemplateLine { subject, side });
    let mut lines = vec![TemplateLine { subject: Subject::Suspense, side: Side::Credit }];
    let subjects = [Subject::ClearingEpcc, Subject::ClearingUnionPay, Subject::ReceivableFund];
    lines.extend(subjects.into_iter().flat_map(both));
    let (code, title, event) = (TEMPLATE.to_string(), "differences of files".to_string(), EventCode::ManualVoucher);
    kit.decided("accountant", Proposal::VoucherTemplate(TemplateCommand::Set { code, title, event, lines }));
    kit
}

/// An order of 5,000 that its channel said was paid, and its attempt.
fn paid(kit: &mut Kit) -> (OrderId, Attempt) {
    let merchant = kit.landlord();
    let order = kit.paid_rent(merchant, 5_000);
    let attempt = kit.state.attempts.iter().last().unwrap().1.clone();
    (order, attempt)
}

fn line_of(attempt: &Attempt) -> ClearingLine {
    let (amount, currency) = attempt.operation.money();
    let kind = LineKind::of(&attempt.operation).unwrap();
    ClearingLine { serial: attempt.serial(), kind, amount, currency, reference: None }
}

fn open(kit: &Kit) -> Vec<DifferenceId> {
    kit.state.open_differences.iter().map(|(id, ())| *id).collect()
}

fn found(kit: &Kit, file: ClearingId) -> Vec<(DifferenceKind, Option<DifferenceEnd>)> {
    kit.state.clearing(file).unwrap().differences.iter().map(|it| (it.kind, it.end)).collect()
}

/// `amount` from the debit of one account of the institution to the credit of another.
fn voucher(kit: &Kit, debit: Subject, credit: Subject, amount: Minor) -> Option<ManualVoucher> {
    let account = |subject| kit.state.institution(subject, CNY).unwrap();
    let entries = vec![Entry::debit(account(debit), amount, CNY), Entry::credit(account(credit), amount, CNY)];
    Some(ManualVoucher { template: TEMPLATE.to_string(), entries, contra_of: None, dimensions: None })
}

/// Settles by an approval of this number.
fn settles(
    kit: &mut Kit,
    approval: u64,
    (difference, accepted): (DifferenceId, bool),
    voucher: Option<ManualVoucher>,
) -> Result<Reply, RefusalCode> {
    let command = Command::SettleDifference(SettleDifference { difference, accepted, voucher });
    kit.when_approved_as(ApprovalId(approval), command).map_err(|refusal| refusal.code)
}

fn settled(approval: u64, accepted: bool, booked: Minor) -> Option<DifferenceEnd> {
    let by_line = (booked != 0).then_some(true);
    Some(DifferenceEnd::Settled { approval: ApprovalId(approval), accepted, booked, by_line })
}

#[test]
fn a_difference_is_named_by_its_file_and_its_place_in_it() {
    let id = DifferenceId { clearing: ClearingId(3), number: 17 };
    assert_eq!((id.to_string().as_str(), "clr_3_17".parse()), ("clr_3_17", Ok(id)));
    for text in ["", "clr_3", "clr_3_", "clr_3_0", "clr_3_01", "clr_3_+1", "clr_03_1", "ord_3_1", "clr_3_4294967296"] {
        assert!(text.parse::<DifferenceId>().is_err(), "{text}");
    }
}

#[test]
fn a_difference_of_before_ends_were_kept_is_open_and_keeps_its_bytes() {
    let bytes = minicbor::to_vec((4_u32, "7", 9_i64)).unwrap();
    let difference: Difference = minicbor::decode(&bytes).unwrap();
    assert_eq!(difference, Difference::new(DifferenceKind::Missing, "7", 9));
    assert!(difference.is_open());
    assert_eq!(minicbor::to_vec(&difference).unwrap(), bytes);
}

#[test]
fn a_settlement_of_before_the_line_booked_it_keeps_its_bytes() {
    let bytes = minicbor::to_vec((2_u32, (ApprovalId(7), true, 5_001_i64))).unwrap();
    let end: DifferenceEnd = minicbor::decode(&bytes).unwrap();
    assert_eq!(end, DifferenceEnd::Settled { approval: ApprovalId(7), accepted: true, booked: 5_001, by_line: None });
    assert_eq!(minicbor::to_vec(end).unwrap(), bytes);
}

#[test]
fn what_is_missing_is_open_once_and_ends_with_the_file_that_has_it() {
    let mut kit = kit();
    let (order, attempt) = paid(&mut kit);
    kit.take_file_alone(Rail::Epcc, DAY, vec![]);
    assert_eq!(open(&kit), [FIRST]);
    assert_eq!(kit.state.difference(FIRST).unwrap().1.line, Some(LineKind::Debit));
    let again = kit.take_file_alone(Rail::Epcc, NEXT, vec![]);
    assert_eq!(found(&kit, again), [(DifferenceKind::Missing, Some(DifferenceEnd::Again(FIRST)))]);
    kit.take_file_alone(Rail::UnionPay, NEXT, vec![]);
    assert_eq!(open(&kit), [FIRST], "another channel's file says nothing of it");
    kit.restore();
    let file = kit.take_file_alone(Rail::Epcc, "2026-03-09", vec![line_of(&attempt)]);
    assert_eq!(found(&kit, ClearingId(1)), [(DifferenceKind::Missing, Some(DifferenceEnd::Matched(file)))]);
    assert_eq!((open(&kit), found(&kit, file)), (vec![], vec![]));
    assert!(kit.state.order(order).unwrap().due.is_some());
    kit.restore();
}

#[test]
fn the_right_line_ends_what_a_wrong_one_began() {
    let mut kit = kit();
    let (order, attempt) = paid(&mut kit);
    let right = line_of(&attempt);
    let wrong = ClearingLine { amount: 5_001, ..right.clone() };
    let other = ClearingLine { kind: LineKind::Refund, ..right.clone() };
    let file = kit.take_file_alone(Rail::Epcc, DAY, vec![wrong, other]);
    let (content, missing) = (DifferenceKind::OtherContent, DifferenceKind::Missing);
    // That the debit is missing too is no news; a refund under its serial is something else.
    let expected = [(content, None), (content, None), (missing, Some(DifferenceEnd::Again(FIRST)))];
    assert_eq!(found(&kit, file), expected);
    assert_eq!(kit.state.order(order).unwrap().due, None);
    let file = kit.take_file_alone(Rail::Epcc, NEXT, vec![right]);
    assert_eq!(open(&kit), [DifferenceId { number: 2, ..FIRST }]);
    assert_eq!(kit.state.difference(FIRST).unwrap().1.end, Some(DifferenceEnd::Matched(file)));
    assert_eq!(kit.state.order(order).unwrap().due, Some(date("2026-03-09")));
}

#[test]
fn two_lines_in_two_parts_of_one_file_are_no_correction() {
    let mut kit = kit();
    let (_, attempt) = paid(&mut kit);
    let right = line_of(&attempt);
    let wrong = ClearingLine { amount: 5_001, ..right.clone() };
    for (part, line) in [(1, wrong), (2, right)] {
        let (date, lines) = (date(DAY), vec![line]);
        let file = TakeClearingFile { rail: Rail::Epcc, date, part, last: part == 2, lines, channel: None };
        kit.given(Command::TakeClearingFile(file));
    }
    assert_eq!(open(&kit), [FIRST], "people look whether both moved");
    // What is ours was matched: nothing of it is left to take from the rail.
    assert_eq!(settles(&mut kit, 71, (FIRST, false), None), Ok(Reply::Clearing(ClearingId(1))));
}

#[test]
fn an_unknown_serial_ends_with_the_channels_file_that_has_it() {
    let mut kit = kit();
    let (_, attempt) = paid(&mut kit);
    let line = line_of(&attempt);
    let nobodys = ClearingLine { serial: serial(AttemptId(77), kit.now), ..line.clone() };
    kit.take_file_alone(
        Rail::UnionPay,
        DAY,
        vec![line.clone(), ClearingLine { amount: 5_001, ..line.clone() }, nobodys],
    );
    assert_eq!(open(&kit).len(), 3);
    kit.take_file_alone(Rail::Epcc, DAY, vec![line]);
    let others = [2, 3].map(|number| DifferenceId { number, ..FIRST });
    assert_eq!(open(&kit), others, "another amount is not that line");
    kit.restore();
}

#[test]
fn another_amount_that_the_books_took_is_not_open() {
    let mut kit = kit();
    let merchant = kit.landlord();
    let order = kit.order(merchant, &[(crate::order::ItemKind::Rent, 5_000)]);
    kit.pay(order, vec![card(5_000)]);
    let attempt = kit.answered(Outcome::Unknown);
    let file = kit.take_file_alone(Rail::Epcc, DAY, vec![ClearingLine { amount: 5_100, ..line_of(&attempt) }]);
    assert_eq!(found(&kit, file), [(DifferenceKind::OtherContent, Some(DifferenceEnd::Matched(file)))]);
    assert!(open(&kit).is_empty());
}

#[test]
fn a_line_that_stands_is_awaited_makes_the_order_due_and_leaves_nothing_on_the_rail() {
    for (amount, debit, credit, left) in [
        (5_001, Subject::ClearingEpcc, Subject::Suspense, (2241, 1)),
        (4_999, Subject::ReceivableFund, Subject::ClearingEpcc, (1131, 1)),
    ] {
        let mut kit = kit();
        let (order, attempt) = paid(&mut kit);
        let line = ClearingLine { amount, ..line_of(&attempt) };
        kit.take_file_alone(Rail::Epcc, DAY, vec![line]);
        kit.take_file_alone(Rail::Epcc, NEXT, vec![]);
        assert_eq!(open(&kit), [FIRST]);
        kit.books(&[(1121, 5_000), (2291, 10), (1291, 10), (5001, 10)]);

        let one = voucher(&kit, debit, credit, 1);
        let stands = SettleDifference { difference: FIRST, accepted: true, voucher: one.clone() };
        kit.refused(Command::SettleDifference(stands), RefusalCode::ApprovalRequired);
        for wrong in [
            None,
            voucher(&kit, credit, debit, 1).filter(|_| credit != Subject::Suspense),
            voucher(&kit, debit, credit, 2),
        ] {
            assert_eq!(settles(&mut kit, 71, (FIRST, true), wrong), Err(RefusalCode::DifferenceVoucher));
        }
        assert_eq!(settles(&mut kit, 71, (FIRST, true), one), Ok(Reply::Clearing(ClearingId(1))));
        kit.books(&[(1121, amount), left, (2291, 10), (1291, 10), (5001, 10)]);
        assert_eq!(kit.state.order(order).unwrap().due, Some(date(NEXT)));
        assert_eq!(kit.state.difference(FIRST).unwrap().1.end, settled(71, true, amount));
        assert_eq!((open(&kit), kit.state.uncleared.iter().count()), (vec![], 0));
        assert_eq!(kit.state.awaited_sessions.get(&(Rail::Epcc, date(DAY))), Some(&amount), "the statement's line");
        assert_eq!(settles(&mut kit, 72, (FIRST, true), None), Err(RefusalCode::DifferenceState));
        kit.restore();
        kit.take_session(Rail::Epcc, DAY);
        kit.books(&[(1101, amount), left, (2291, 10), (1291, 10), (5001, 10)]);
        kit.posted_once();
        kit.restore();

        // What comes afterwards is one line too many.
        let file = kit.take_file_alone(Rail::Epcc, "2026-03-09", vec![line_of(&attempt)]);
        assert_eq!(found(&kit, file), [(DifferenceKind::Repeated, None)]);
    }
}

#[test]
fn what_did_not_move_is_taken_from_the_rail_and_its_order_is_never_due() {
    let mut kit = kit();
    let (order, _) = paid(&mut kit);
    kit.take_file_alone(Rail::Epcc, DAY, vec![]);
    assert_eq!(settles(&mut kit, 71, (FIRST, false), None), Err(RefusalCode::DifferenceVoucher));
    let claim = voucher(&kit, Subject::ReceivableFund, Subject::ClearingEpcc, 5_000);
    assert_eq!(settles(&mut kit, 71, (FIRST, false), claim), Ok(Reply::Clearing(ClearingId(1))));
    kit.books(&[(1131, 5_000), (2291, 10), (1291, 10), (5001, 10)]);
    assert_eq!(kit.state.difference(FIRST).unwrap().1.end, settled(71, false, 0));
    let file = kit.take_file_alone(Rail::Epcc, NEXT, vec![]);
    assert_eq!((found(&kit, file), open(&kit)), (vec![], vec![]), "no file is awaited any more");
    let order = kit.state.order(order).unwrap();
    assert_eq!((order.due, order.status), (None, crate::order::OrderStatus::Success));
    kit.restore();
}

#[test]
fn what_is_missing_and_did_move_needs_no_voucher() {
    let mut kit = kit();
    let (order, _) = paid(&mut kit);
    kit.take_file_alone(Rail::Epcc, DAY, vec![]);
    assert_eq!(settles(&mut kit, 71, (FIRST, true), None), Ok(Reply::Clearing(ClearingId(1))));
    kit.take_session(Rail::Epcc, DAY);
    kit.books(&[(1101, 5_000), (2291, 10), (1291, 10), (5001, 10)]);
    assert_eq!(kit.state.order(order).unwrap().due, Some(date(NEXT)));
}

/// A claim lies on 1131, which is what a fund is cleared over.
#[test]
fn what_a_fund_owes_stays_where_it_is_and_what_is_over_does_not() {
    for (amount, settled) in [(2_999, Ok(())), (3_001, Err(RefusalCode::DifferenceVoucher))] {
        let mut kit = kit();
        let merchant = kit.landlord();
        kit.combined(merchant);
        (0..3).for_each(|_| drop(kit.answered(success(DAY))));
        let lines = kit.clearing_lines(Rail::Fund, DAY);
        let lines: Vec<_> = lines.into_iter().map(|line| ClearingLine { amount, ..line }).collect();
        assert_eq!(lines.len(), 1);
        kit.take_file_alone(Rail::Fund, DAY, lines);
        assert_eq!(settles(&mut kit, 71, (FIRST, true), None).map(|_| ()), settled);
        kit.take_session(Rail::Fund, DAY);
        let expected = if settled.is_ok() { 1 } else { 3_000 };
        assert_eq!(kit.own(Subject::ReceivableFund), expected);
    }
}

#[test]
fn a_refund_of_another_amount_that_stands_takes_what_left() {
    let mut kit = kit();
    let (order, _) = paid(&mut kit);
    kit.clear(Rail::Epcc, DAY);
    kit.refund(order, 300, true);
    let attempt = kit.answered(success(NEXT));
    let file = kit.take_file_alone(Rail::Epcc, NEXT, vec![ClearingLine { amount: 301, ..line_of(&attempt) }]);
    let id = DifferenceId { clearing: file, number: 1 };
    let claim = voucher(&kit, Subject::ReceivableFund, Subject::ClearingEpcc, 1);
    assert_eq!(settles(&mut kit, 71, (id, true), claim), Ok(Reply::Clearing(file)));
    kit.take_session(Rail::Epcc, NEXT);
    let own = [Subject::CentralBank, Subject::ClearingEpcc, Subject::ReceivableFund].map(|subject| kit.own(subject));
    assert_eq!(own, [4_699, 0, 1]);
    assert_eq!(kit.state.difference(id).unwrap().1.end, settled(71, true, -301));
    kit.restore();
}

#[test]
fn a_line_of_nobodys_is_booked_to_suspense_or_not_at_all() {
    let mut kit = kit();
    let (_, attempt) = paid(&mut kit);
    let right = line_of(&attempt);
    let unknown = |number| ClearingLine { serial: serial(AttemptId(number), kit.now), amount: 700, ..right.clone() };
    let lines = vec![right.clone(), unknown(77), unknown(78), right.clone()];
    let file = kit.take_file_alone(Rail::Epcc, DAY, lines);
    let of = |number| DifferenceId { clearing: file, number };
    let to_suspense = |kit: &Kit, amount| voucher(kit, Subject::ClearingEpcc, Subject::Suspense, amount);
    assert_eq!(settles(&mut kit, 71, (of(1), true), None), Err(RefusalCode::DifferenceVoucher));
    let (seven_hundred, five_thousand) = (to_suspense(&kit, 700), to_suspense(&kit, 5_000));
    assert_eq!(settles(&mut kit, 71, (of(1), true), seven_hundred), Ok(Reply::Clearing(file)));
    assert_eq!(settles(&mut kit, 72, (of(2), false), None), Ok(Reply::Clearing(file)));
    assert_eq!(settles(&mut kit, 73, (of(3), true), five_thousand), Ok(Reply::Clearing(file)), "paid twice, indeed");
    kit.take_session(Rail::Epcc, DAY);
    kit.books(&[(1101, 10_700), (2241, 5_700), (2291, 10), (1291, 10), (5001, 10)]);
    assert_eq!(kit.state.open_suspense_items().count(), 2);
    assert!(open(&kit).is_empty());
    kit.posted_once();
}

/// Allocates what was last brought to suspense, all of it if no amount is said.
fn allocated(kit: &mut Kit, to: AccountId, amount: Option<Minor>) {
    let item = kit.state.suspense_items.iter().last().unwrap().1.id;
    kit.approved(Command::AllocateSuspense(AllocateSuspense { item, to, amount, session: None }));
}

#[test]
fn what_may_lie_in_suspense_already_is_not_booked() {
    let mut kit = kit();
    let (_, wrong) = paid(&mut kit);
    let (_, right) = paid(&mut kit);
    let merchant = kit.landlord();
    let account = kit.state.merchant(merchant).unwrap().available;
    let lines = vec![ClearingLine { amount: 5_001, ..line_of(&wrong) }, line_of(&right)];
    kit.take_file_alone(Rail::Epcc, DAY, lines);
    let accepts = |kit: &mut Kit| settles(kit, 71, (FIRST, true), None);
    // Lines of another amount, or of a day before the file's, bar nothing: what is wrong is that there is no voucher.
    let (other, mut before) = (kit.line("other", In, 10_002), kit.line("before", In, 5_001));
    before.date = date("2026-03-04");
    kit.take_line(other);
    kit.take_line(before);
    assert_eq!(accepts(&mut kit), Err(RefusalCode::DifferenceVoucher));
    // Its own line, and that of the session with it.
    for (reference, amount) in [("alone", 5_001), ("session", 10_001)] {
        let line = TakeReserveLine { suspense: true, ..kit.line(reference, In, amount) };
        kit.take_line(line);
        assert_eq!(accepts(&mut kit), Err(RefusalCode::DifferenceState), "{reference}");
        allocated(&mut kit, account, Some(amount - 1));
        assert_eq!(accepts(&mut kit), Err(RefusalCode::DifferenceState), "some of it is left");
        allocated(&mut kit, account, None);
        assert_eq!(accepts(&mut kit), Err(RefusalCode::DifferenceVoucher), "it was another's");
    }
    assert_eq!(open(&kit), [FIRST]);
}

#[test]
fn what_lies_in_suspense_pays_the_claim_of_what_is_not_accepted() {
    let mut kit = kit();
    paid(&mut kit);
    paid(&mut kit);
    kit.take_file_alone(Rail::Epcc, DAY, vec![]);
    let line = TakeReserveLine { suspense: true, ..kit.line("session", In, 10_000) };
    kit.take_line(line);
    let second = DifferenceId { number: 2, ..FIRST };
    assert_eq!(open(&kit), [FIRST, second]);
    for (approval, id) in [(71, FIRST), (72, second)] {
        assert_eq!(settles(&mut kit, approval, (id, true), None), Err(RefusalCode::DifferenceState), "{id}");
        let claim = voucher(&kit, Subject::ReceivableFund, Subject::ClearingEpcc, 5_000);
        assert_eq!(settles(&mut kit, approval, (id, false), claim), Ok(Reply::Clearing(ClearingId(1))));
        let to = kit.state.institution(Subject::ReceivableFund, CNY).unwrap();
        allocated(&mut kit, to, Some(5_000));
    }
    kit.books(&[(1101, 10_000), (2291, 20), (1291, 20), (5001, 20)]);
    assert!(kit.state.awaited_sessions.is_empty(), "no line is awaited that does not come");
}

#[test]
fn a_line_that_two_people_let_stand_elsewhere_is_not_booked_again() {
    for (accepted, voucher_of, books) in [
        (true, None, vec![(1101, 10_000), (2241, 5_000)]),
        (false, Some(5_000), vec![(1101, 5_000), (1131, 5_000), (2241, 5_000)]),
    ] {
        let mut kit = kit();
        let (order, attempt) = paid(&mut kit);
        let line = line_of(&attempt);
        let elsewhere = kit.take_file_alone(Rail::UnionPay, DAY, vec![line.clone()]);
        let to_suspense = voucher(&kit, Subject::ClearingUnionPay, Subject::Suspense, 5_000);
        assert_eq!(settles(&mut kit, 71, (FIRST, true), to_suspense), Ok(Reply::Clearing(elsewhere)));
        kit.take_session(Rail::UnionPay, DAY);
        kit.take_file_alone(Rail::Epcc, DAY, vec![]);
        let file = kit.take_file_alone(Rail::Epcc, NEXT, vec![line.clone()]);
        let id = DifferenceId { clearing: file, number: 1 };
        let missing = DifferenceId { clearing: ClearingId(2), number: 1 };
        let (repeated, again) = (DifferenceKind::Repeated, Some(DifferenceEnd::Again(missing)));
        assert_eq!(found(&kit, file), [(repeated, None), (DifferenceKind::Missing, again)]);
        assert_eq!(kit.state.difference(id).unwrap().1.before, Some(FIRST));
        assert_eq!(open(&kit), [missing, id]);
        kit.books(&[(1101, 5_000), (1121, 5_000), (2241, 5_000), (2291, 10), (1291, 10), (5001, 10)]);
        assert_eq!(kit.state.order(order).unwrap().due, None);

        // Both moved, or one and the claim on the other is paid from suspense.
        let claim = voucher_of.and_then(|amount| voucher(&kit, Subject::ReceivableFund, Subject::ClearingEpcc, amount));
        assert_eq!(settles(&mut kit, 72, (id, accepted), claim), Ok(Reply::Clearing(file)));
        kit.take_session(Rail::Epcc, NEXT);
        let mut expected: Vec<(u16, Minor)> = vec![(2291, 10), (1291, 10), (5001, 10)];
        expected.extend(books);
        kit.books(&expected);
        assert_eq!(kit.state.order(order).unwrap().due.is_some(), accepted);
        assert!(open(&kit).is_empty());
        kit.restore();

        // What comes afterwards is one line too many, as of any that is cleared.
        let file = kit.take_file_alone(Rail::Epcc, "2026-03-09", vec![line]);
        let last = DifferenceId { clearing: file, number: 1 };
        assert_eq!(found(&kit, file), [(repeated, None)]);
        assert_eq!(settles(&mut kit, 73, (last, false), None), Ok(Reply::Clearing(file)));
        kit.posted_once();
    }
}

/// A payout of 1,000 that arrived.
fn sent(kit: &mut Kit) -> PayoutId {
    let merchant = kit.landlord();
    let account = kit.state.merchant(merchant).unwrap().available;
    kit.fund(account, 5_000);
    let create = CreatePayout {
        account,
        to: PayTo::Settlement,
        amount: 1_000,
        fee: 0,
        currency: CNY,
        send_now: true,
        bank: None,
        channel: None,
    };
    let Reply::Payout(payout) = kit.given(Command::CreatePayout(create)) else { panic!("a payout was created") };
    kit.answered(success(DAY));
    payout
}

fn came_back(kit: &mut Kit, payout: PayoutId) {
    kit.given(Command::ReturnPayout { payout, reference: String::from("back-1"), date: date(DAY) });
}

#[test]
fn a_return_that_two_people_let_stand_elsewhere_is_booked_to_its_account_alone() {
    let mut kit = kit();
    let payout = sent(&mut kit);
    let pay = line_of(kit.state.attempts.iter().last().unwrap().1);
    let back = ClearingLine { kind: LineKind::Return, ..pay.clone() };
    let elsewhere = kit.take_file_alone(Rail::UnionPay, DAY, vec![back.clone()]);
    let to_suspense = voucher(&kit, Subject::ClearingUnionPay, Subject::Suspense, 1_000);
    assert_eq!(settles(&mut kit, 71, (FIRST, true), to_suspense), Ok(Reply::Clearing(elsewhere)));
    kit.take_session(Rail::UnionPay, DAY);
    let file = kit.take_file(Rail::Epcc, DAY, vec![pay, back.clone()]);
    let id = DifferenceId { clearing: file, number: 1 };
    let again = Some(DifferenceEnd::Again(id));
    assert_eq!(found(&kit, file), [(DifferenceKind::Repeated, None), (DifferenceKind::Missing, again)]);
    let row = kit.state.payout(payout).unwrap();
    assert_eq!((row.status, row.return_cleared), (PayoutStatus::Returned, None));
    let own = |kit: &Kit| [Subject::CentralBank, Subject::Suspense].map(|subject| kit.own(subject));
    assert_eq!(own(&kit), [0, 1_000], "the payment left, and of the return nothing came but what was let stand");
    kit.restore();
    assert_eq!(settles(&mut kit, 72, (id, true), None), Ok(Reply::Clearing(file)), "both moved");
    kit.take_session(Rail::Epcc, DAY);
    assert_eq!((own(&kit), open(&kit)), ([1_000, 1_000], vec![]));
    assert_eq!(kit.state.payout(payout).unwrap().return_cleared, Some(date(DAY)));
    let file = kit.take_file_alone(Rail::Epcc, NEXT, vec![back]);
    assert_eq!(found(&kit, file), [(DifferenceKind::Repeated, None)]);
    kit.posted_once();
    kit.restore();
}

#[test]
fn a_missing_return_of_before_lines_were_kept_is_not_over_with_its_payment() {
    let mut kit = kit();
    let payout = sent(&mut kit);
    let attempt = kit.state.attempts.iter().last().unwrap().1.clone();
    let of_before = Difference::new(DifferenceKind::Missing, &attempt.serial(), 1_000);
    let (attempts, returned) = (BTreeSet::from([attempt.id]), BTreeSet::from([payout]));
    let none = BTreeSet::new();
    assert!(has_come(&kit.state, &of_before, &attempts, &none), "it never came back");
    came_back(&mut kit, payout);
    assert!(!has_come(&kit.state, &of_before, &attempts, &none), "it may be the return");
    assert!(has_come(&kit.state, &of_before, &attempts, &returned));
    let of_payment = Difference { line: Some(LineKind::Pay), ..of_before };
    assert!(has_come(&kit.state, &of_payment, &attempts, &none));
}

#[test]
fn a_payout_and_its_return_are_missing_each_for_itself() {
    let mut kit = kit();
    let payout = sent(&mut kit);
    came_back(&mut kit, payout);
    kit.take_file_alone(Rail::Epcc, DAY, vec![]);
    let lines: Vec<_> = kit.state.clearing(ClearingId(1)).unwrap().differences.iter().map(|it| it.line).collect();
    assert_eq!(lines, [Some(LineKind::Pay), Some(LineKind::Return)]);
    let second = DifferenceId { number: 2, ..FIRST };
    // The return first: what was paid leaves the reserve account.
    assert_eq!(settles(&mut kit, 71, (second, true), None), Ok(Reply::Clearing(ClearingId(1))));
    kit.take_session(Rail::Epcc, DAY);
    assert_eq!((open(&kit), kit.own(Subject::CentralBank)), (vec![FIRST], 1_000));
    assert_eq!(kit.state.payout(payout).unwrap().return_cleared, Some(date(DAY)));
    assert_eq!(settles(&mut kit, 72, (FIRST, true), None), Ok(Reply::Clearing(ClearingId(1))));
    kit.take_session(Rail::Epcc, DAY);
    assert_eq!((open(&kit), kit.own(Subject::CentralBank)), (vec![], 0));
    let file = kit.take_file_alone(Rail::Epcc, NEXT, vec![]);
    assert!(found(&kit, file).is_empty());
    kit.restore();
}

#[test]
fn people_settle_it_with_a_document() {
    let mut kit = kit();
    paid(&mut kit);
    kit.take_file_alone(Rail::Epcc, DAY, vec![]);
    let proposal = Proposal::SettleDifference(SettleDifference { difference: FIRST, accepted: true, voucher: None });
    assert!(proposal.needs_evidence());
    let nobodys = SettleDifference { difference: DifferenceId { number: 2, ..FIRST }, accepted: true, voucher: None };
    let refused = kit.when_approved(Command::SettleDifference(nobodys)).unwrap_err();
    assert_eq!(refused.code, RefusalCode::ClearingUnknown);
}
