//! Clearing files: what matches, what differs, what is booked.

use alloc::string::ToString;
use alloc::vec;

use super::*;
use crate::book::{Side, Subject};
use crate::command::Command;
use crate::leg::{Instrument, LegStatus};
use crate::order::ItemKind;
use crate::payout::{CreatePayout, PayTo};
use crate::testkit::orders::card;
use crate::testkit::{Kit, date, declined, success};
use crate::voucher::EventCode;

const DAY: &str = "2026-03-05";

fn kinds(clearing: &Clearing) -> Vec<DifferenceKind> {
    clearing.differences.iter().map(|difference| difference.kind).collect()
}

fn file(lines: Vec<ClearingLine>) -> TakeClearingFile {
    TakeClearingFile { rail: Rail::Epcc, date: date(DAY), part: 1, last: true, lines, channel: None }
}

fn line_of(attempt: &Attempt) -> ClearingLine {
    let (amount, currency) = attempt.operation.money();
    let kind = LineKind::of(&attempt.operation).unwrap();
    ClearingLine { serial: attempt.serial(), kind, amount, currency, reference: None }
}

#[test]
fn a_session_of_5000_in_1000_out_and_300_refunded_moves_3700() {
    let mut kit = Kit::new();
    let (paid, landlord) = (kit.landlord(), kit.landlord());
    let order = kit.paid_rent(paid, 5_000);
    kit.refund(order, 300, true);
    kit.answered(success(DAY));
    let account = kit.state.merchant(landlord).unwrap().available;
    kit.fund(account, 1_000);
    let (to, currency) = (PayTo::Settlement, Currency::Cny);
    let payout =
        CreatePayout { account, to, amount: 1_000, fee: 0, currency, send_now: true, bank: None, channel: None };
    kit.given(Command::CreatePayout(payout));
    kit.answered(success(DAY));
    assert_eq!(kit.own(Subject::ClearingEpcc), 5_000 - 300 + 1_000 - 1_000);
    let lines = kit.clearing_lines(Rail::Epcc, DAY);
    let id = kit.take_file_alone(Rail::Epcc, DAY, lines);
    // The file books nothing of it: the statement's line does.
    let on_1121 = kit.own(Subject::ClearingEpcc);
    assert_eq!(kit.own(Subject::CentralBank), 0);
    let clearing = kit.state.clearing(id).unwrap();
    assert_eq!((clearing.debited, clearing.paid, clearing.refunded, clearing.voucher), (5_000, 1_000, 300, None));
    kit.restore();
    let line = kit.line("net-1", crate::reserve_line::LineDirection::In, 3_700);
    let line = kit.take_line(line);
    let own = |subject| kit.state.institution(subject, Currency::Cny).unwrap();
    let (bank, rail) = (own(Subject::CentralBank), own(Subject::ClearingEpcc));
    assert_eq!(kit.last_voucher(), [(bank, Side::Debit, 3_700), (rail, Side::Credit, 3_700)]);
    let voucher = kit.posted().last().unwrap();
    let number = BusinessNumber::object(BusinessKind::ReserveLine, line.0);
    assert_eq!((voucher.event, &voucher.business), (EventCode::ClearingSession, &number));
    let dimensions = voucher.dimensions.as_ref().unwrap();
    assert_eq!((dimensions.channel.as_deref(), dimensions.clearing_date), (Some("epcc"), Some(date(DAY))));
    assert_eq!((kit.own(Subject::CentralBank), kit.own(Subject::ClearingEpcc)), (3_700, on_1121 - 3_700));
    assert!(kit.state.awaited_sessions.is_empty() && kit.state.booked_sessions.is_empty());
}

#[test]
fn a_session_moves_the_net_to_the_central_bank() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let order = kit.paid_rent(merchant, 5_000);
    kit.refund(order, 300, true);
    kit.answered(success(DAY));
    let id = kit.clear(Rail::Epcc, DAY);
    let clearing = kit.state.clearing(id).unwrap();
    assert_eq!((clearing.debited, clearing.refunded, clearing.paid, clearing.net()), (5_000, 300, 0, 4_700));
    assert_eq!((clearing.lines, clearing.matched, clearing.different), (2, 2, 0));
    assert_eq!((kit.own(Subject::CentralBank), kit.own(Subject::ClearingEpcc)), (4_700, 0));
}

#[test]
fn a_session_with_more_out_than_in_is_turned() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let order = kit.paid_rent(merchant, 5_000);
    kit.clear(Rail::Epcc, DAY);
    kit.refund(order, 300, true);
    kit.answered(success("2026-03-06"));
    kit.on("2026-03-06");
    kit.clear(Rail::Epcc, "2026-03-06");
    assert_eq!((kit.own(Subject::CentralBank), kit.own(Subject::ClearingEpcc)), (4_700, 0));
}

#[test]
fn a_combined_order_is_due_when_both_rails_are_cleared() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let order = kit.combined(merchant);
    (0..3).for_each(|_| drop(kit.answered(success(DAY))));
    kit.clear(Rail::Epcc, DAY);
    assert_eq!(kit.state.order(order).unwrap().due, None);
    kit.clear(Rail::Fund, "2026-03-06");
    // Cleared on Thursday and on Friday: due on Monday.
    assert_eq!(kit.state.order(order).unwrap().due, Some(date("2026-03-09")));
    assert_eq!(kit.own(Subject::CentralBank), 6_200);
    kit.books(&[(1101, 6_200), (2291, 12), (1291, 12), (5001, 12)]);
}

#[test]
fn a_leg_cleared_before_the_order_is_paid_counts() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let order = kit.combined(merchant);
    kit.answered(success(DAY));
    kit.answered(success(DAY));
    kit.clear(Rail::Epcc, DAY);
    let capture = kit.waiting();
    let line = line_of(&capture);
    // The centre's file answers the capture that nobody had answered.
    kit.take_file(Rail::Fund, DAY, vec![line]);
    assert_eq!(kit.legs(order), [LegStatus::Captured, LegStatus::Captured]);
    assert_eq!(kit.pending(merchant), 6_188);
    assert_eq!(kit.state.order(order).unwrap().due, Some(date("2026-03-06")));
}

#[test]
fn a_file_answers_what_was_unknown() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let order = kit.order(merchant, &[(ItemKind::Rent, 5_000)]);
    kit.pay(order, vec![card(5_000)]);
    let attempt = kit.answered(Outcome::Unknown);
    kit.take_file(Rail::Epcc, DAY, vec![line_of(&attempt)]);
    assert_eq!(kit.status(order), OrderStatus::Success);
    assert_eq!(kit.state.order(order).unwrap().due, Some(date("2026-03-06")));
    assert!(kit.outbox().is_empty());
    assert_eq!(kit.own(Subject::CentralBank), 5_000);
}

#[test]
fn a_line_of_a_failed_debit_is_a_late_success() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let order = kit.order(merchant, &[(ItemKind::Rent, 5_000)]);
    kit.pay(order, vec![card(5_000)]);
    let attempt = kit.answered(declined(FailureClass::Bank));
    kit.take_file(Rail::Epcc, DAY, vec![line_of(&attempt)]);
    assert_eq!(kit.status(order), OrderStatus::Failed);
    kit.books(&[(1101, 5_000), (2211, 5_000)]);
    kit.answered(success(DAY));
    kit.books(&[(1101, 5_000), (1121, -5_000)]);
}

/// No order can use it: without fee it goes to 2243, and back to where it came from. The difference stands for a person to see.
#[test]
fn money_of_another_amount_goes_to_2243_and_back() {
    for (amount, outcome) in [(5_100, Outcome::Unknown), (4_900, declined(FailureClass::Bank))] {
        let mut kit = Kit::new();
        let merchant = kit.landlord();
        let order = kit.order(merchant, &[(ItemKind::Rent, 5_000)]);
        kit.pay(order, vec![card(5_000)]);
        let attempt = kit.answered(outcome);
        let line = ClearingLine { amount, ..line_of(&attempt) };
        let id = kit.take_file(Rail::Epcc, DAY, vec![line.clone(), line]);
        let clearing = kit.state.clearing(id).unwrap();
        assert_eq!(kinds(clearing), [DifferenceKind::OtherContent, DifferenceKind::Repeated]);
        assert_eq!((clearing.matched, clearing.different, clearing.debited), (1, 2, amount));
        assert_eq!(kit.status(order), OrderStatus::Failed);
        kit.books(&[(1101, amount), (2211, amount)]);
        let back = kit.waiting();
        let (original, currency) = (attempt.serial(), Currency::Cny);
        assert_eq!(back.operation, Operation::Refund { original, amount, currency });
        assert_eq!(crate::outflow::agree(&kit.state, &back), Ok(()));
        kit.answered(success(DAY));
        kit.books(&[(1101, amount), (1121, -amount)]);
        assert_eq!(kit.pending(merchant), 0);
    }
}

#[test]
fn what_does_not_match_is_a_difference_and_posts_nothing() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    kit.paid_rent(merchant, 5_000);
    let paid = kit.state.attempt(AttemptId(1)).unwrap().clone();
    let right = line_of(&paid);
    let lines = vec![
        ClearingLine { serial: "nonsense".to_string(), ..right.clone() },
        ClearingLine { serial: attempt::serial(AttemptId(77), kit.now), ..right.clone() },
        ClearingLine { amount: 5_100, ..right.clone() },
        ClearingLine { kind: LineKind::Refund, ..right.clone() },
        right.clone(),
        right,
    ];
    let id = kit.take_file(Rail::Epcc, DAY, lines);
    let clearing = kit.state.clearing(id).unwrap();
    use DifferenceKind::{OtherContent, Repeated, UnknownSerial};
    let expected = [UnknownSerial, UnknownSerial, OtherContent, OtherContent, Repeated];
    assert_eq!(kinds(clearing), expected);
    assert_eq!((clearing.lines, clearing.matched, clearing.different), (6, 1, 5));
    assert_eq!(kit.own(Subject::CentralBank), 5_000);
}

#[test]
fn a_line_of_another_rail_is_not_ours() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    kit.paid_rent(merchant, 5_000);
    let lines = kit.clearing_lines(Rail::Epcc, DAY);
    let id = kit.take_file(Rail::UnionPay, DAY, lines);
    assert_eq!(kinds(kit.state.clearing(id).unwrap()), [DifferenceKind::UnknownSerial]);
    assert_eq!(kit.own(Subject::CentralBank), 0);
}

#[test]
fn the_last_part_names_what_is_missing_and_a_later_file_may_bring_it() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let order = kit.paid_rent(merchant, 5_000);
    let late = kit.paid_rent(merchant, 700);
    let mut lines = kit.clearing_lines(Rail::Epcc, DAY);
    let missing = lines.pop().unwrap();
    let first = TakeClearingFile { part: 1, last: false, ..file(lines) };
    kit.given(Command::TakeClearingFile(first));
    let second = TakeClearingFile { part: 2, ..file(vec![]) };
    kit.given(Command::TakeClearingFile(second));
    let clearing = kit.state.clearing(ClearingId(2)).unwrap();
    let line = Some(LineKind::Debit);
    assert_eq!(
        clearing.differences,
        [Difference { line, ..Difference::new(DifferenceKind::Missing, &missing.serial, 700) }]
    );
    assert!(kit.state.order(order).unwrap().due.is_some());
    assert_eq!(kit.state.order(late).unwrap().due, None);
    let id = kit.take_file(Rail::Epcc, "2026-03-06", vec![missing]);
    assert_eq!(kit.state.clearing(id).unwrap().different, 0);
    assert_eq!(kit.state.order(late).unwrap().due, Some(date("2026-03-09")));
}

#[test]
fn the_same_part_is_taken_once() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    kit.paid_rent(merchant, 5_000);
    let lines = kit.clearing_lines(Rail::Epcc, DAY);
    kit.take_file(Rail::Epcc, DAY, lines.clone());
    kit.refused(Command::TakeClearingFile(file(lines.clone())), RefusalCode::ClearingDuplicate);
    // Under another part its lines are no news.
    let again = TakeClearingFile { part: 2, ..file(lines) };
    kit.given(Command::TakeClearingFile(again));
    assert_eq!(kinds(kit.state.clearing(ClearingId(2)).unwrap()), [DifferenceKind::Repeated]);
    assert_eq!(kit.own(Subject::CentralBank), 5_000);
}

#[test]
fn what_a_file_alone_knows_is_referred_to_as_the_file_does() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let references = [Some(String::from("B1-7")), None].map(|reference| {
        let order = kit.order(merchant, &[(ItemKind::Rent, 5_000)]);
        kit.pay(order, vec![card(5_000)]);
        ClearingLine { reference, ..line_of(kit.outbox().last().unwrap()) }
    });
    let [named, unnamed] = references;
    let ids = [&named, &unnamed].map(|line| attempt_of_serial(&line.serial).unwrap());
    kit.given(Command::TakeClearingFile(file(vec![named, unnamed])));
    for (id, expected) in ids.into_iter().zip(["B1-7", "file epcc 2026-03-05"]) {
        let status = &kit.state.attempt(id).unwrap().status;
        let AttemptStatus::Settled(Outcome::Success { reference, .. }) = status else { panic!("{status:?}") };
        assert_eq!(reference, expected);
    }
}

#[test]
fn a_file_is_of_one_channel_and_speaks_for_no_other_of_its_rail() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let paid = |kit: &mut Kit, word: Option<&str>| {
        let mut instrument = card(5_000);
        if let Instrument::Card { rail, channel, .. } = &mut instrument {
            (*rail, *channel) = (Rail::UnionPay, word.map(String::from));
        }
        let order = kit.order(merchant, &[(ItemKind::Rent, 5_000)]);
        kit.pay(order, vec![instrument]);
        kit.answered(success(DAY))
    };
    let (first, further) = (paid(&mut kit, None), paid(&mut kit, Some("acme")));
    let of = |word: Option<&str>, part, attempt: &Attempt| {
        let (channel, file) = (word.map(String::from), file(vec![line_of(attempt)]));
        TakeClearingFile { rail: Rail::UnionPay, part, channel, ..file }
    };
    let take = |kit: &mut Kit, file| {
        let Reply::Clearing(id) = kit.given(Command::TakeClearingFile(file)) else { panic!("a file is taken") };
        kit.restore();
        let clearing = kit.state.clearing(id).unwrap();
        (kinds(clearing), clearing.matched)
    };
    let foreign = take(&mut kit, of(Some("acme"), 1, &first));
    assert_eq!(foreign, (vec![DifferenceKind::UnknownSerial, DifferenceKind::Missing], 0));
    assert_eq!(take(&mut kit, of(Some("acme"), 2, &further)), (vec![], 1));
    // Of the same rail, day and part, and another channel's.
    assert_eq!(take(&mut kit, of(None, 1, &first)), (vec![], 1));
    kit.take_session(Rail::UnionPay, DAY);
    assert_eq!(kit.own(Subject::CentralBank), 10_000, "one session of both");
    kit.refused(Command::TakeClearingFile(of(Some("acme"), 2, &further)), RefusalCode::ClearingDuplicate);
    kit.refused(Command::TakeClearingFile(of(Some("A"), 1, &further)), RefusalCode::ValueInvalid);
    let of_fund = TakeClearingFile { rail: Rail::Fund, ..of(Some("acme"), 1, &further) };
    kit.refused(Command::TakeClearingFile(of_fund), RefusalCode::ValueInvalid);
}

#[test]
fn wrong_files_are_refused() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    kit.paid_rent(merchant, 5_000);
    let right = kit.clearing_lines(Rail::Epcc, DAY).remove(0);
    let refused = |kit: &mut Kit, file, code| kit.refused(Command::TakeClearingFile(file), code);
    refused(&mut kit, TakeClearingFile { part: 0, ..file(vec![]) }, RefusalCode::ValueInvalid);
    refused(&mut kit, file(vec![right.clone(); MAX_LINES + 1]), RefusalCode::ValueInvalid);
    refused(&mut kit, file(vec![ClearingLine { amount: 0, ..right.clone() }]), RefusalCode::AmountNotPositive);
    for reference in [String::new(), "7".repeat(65)] {
        let unnamed = ClearingLine { reference: Some(reference), ..right.clone() };
        refused(&mut kit, file(vec![unnamed]), RefusalCode::ValueInvalid);
    }
    let dollars = ClearingLine { currency: Currency::Usd, ..right.clone() };
    refused(&mut kit, file(vec![dollars]), RefusalCode::CurrencyMismatch);
    // The working days of 2027 are not known: the file waits for the calendar.
    let unknown_year = TakeClearingFile { date: date("2026-12-31"), ..file(vec![right]) };
    refused(&mut kit, unknown_year, RefusalCode::CalendarUnknown);
    assert_eq!(kit.state.clearing(ClearingId(9)).unwrap_err().code, RefusalCode::ClearingUnknown);
}
