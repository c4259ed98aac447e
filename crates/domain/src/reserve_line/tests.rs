//! Lines and balances of the reserve account's statement.

use super::*;
use crate::command::Command;
use crate::testkit::{Kit, date};

const DAY: &str = "2026-03-05";
use LineDirection::{In, Out};

fn take(line: TakeReserveLine) -> Command {
    Command::ReserveLine(ReserveLineCommand::TakeLine(line))
}

fn balance(day: &str, balance: Minor) -> Command {
    let (date, currency) = (date(day), Currency::Cny);
    Command::ReserveLine(ReserveLineCommand::TakeBalance(TakeReserveBalance { date, balance, currency }))
}

/// Books with 20 of income on 2291, all of it at the central bank.
fn world() -> Kit {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    kit.paid_rent(merchant, 5_000);
    kit.paid_rent(merchant, 5_000);
    let lines = kit.clearing_lines(Rail::Epcc, DAY);
    kit.take_file_alone(Rail::Epcc, DAY, lines);
    kit.books(&[(1121, 10_000), (2291, 20), (1291, 20), (5001, 20)]);
    // The network's net stands on the statement: its line books it.
    let line = kit.line("net-1", In, 10_000);
    kit.take_line(line);
    kit
}

#[test]
fn the_net_of_a_clearing_session_is_booked_by_its_line() {
    let mut kit = world();
    let row = kit.state.reserve_line(ReserveLineId(1)).unwrap();
    let session = LineTarget::Clearing { rail: Rail::Epcc, date: date(DAY) };
    assert_eq!((row.target, row.voucher.is_some()), (Some(session), true));
    kit.books(&[(1101, 10_000), (2291, 20), (1291, 20), (5001, 20)]);
    assert!(kit.state.awaited_lines.is_empty() && kit.state.awaited_sessions.is_empty());
    kit.restore();
}

#[test]
fn a_session_in_two_parts_is_one_line_and_what_comes_later_is_awaited_again() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    kit.paid_rent(merchant, 5_000);
    kit.paid_rent(merchant, 700);
    let lines = kit.clearing_lines(Rail::Epcc, DAY);
    for (part, line) in (1..).zip(lines) {
        let file = crate::clearing::TakeClearingFile {
            rail: Rail::Epcc,
            date: date(DAY),
            part,
            last: part == 2,
            lines: alloc::vec![line],
            channel: None,
        };
        kit.given(Command::TakeClearingFile(file));
        kit.restore();
    }
    let line = kit.line("net-1", In, 5_700);
    kit.take_line(line);
    kit.restore();
    kit.books(&[(1101, 5_700), (2291, 11), (1291, 11), (5001, 11)]);
    assert!(kit.state.awaited_sessions.is_empty());
    // A third part is a line of its own, under a number of its own.
    kit.paid_rent(merchant, 300);
    let lines = kit.clearing_lines(Rail::Epcc, DAY);
    let (rail, date, channel) = (Rail::Epcc, date(DAY), None);
    let file = crate::clearing::TakeClearingFile { rail, date, part: 3, last: true, lines, channel };
    kit.given(Command::TakeClearingFile(file));
    assert_eq!(kit.own(Subject::CentralBank), 5_700);
    kit.take_session(Rail::Epcc, DAY);
    assert_eq!((kit.own(Subject::CentralBank), kit.own(Subject::ClearingEpcc)), (6_000, 0));
    kit.posted_once();
    kit.restore();
}

#[test]
fn a_line_that_nothing_awaits_goes_to_suspense_coming_in_and_is_refused_going_out() {
    let mut kit = world();
    let line = kit.line("who-1", In, 77);
    let id = kit.take_line(line);
    kit.books(&[(1101, 10_077), (2241, 77), (2291, 20), (1291, 20), (5001, 20)]);
    let row = kit.state.reserve_line(id).unwrap();
    assert_eq!((row.target, row.voucher.is_some(), row.operator.as_str()), (None, true, "tester"));
    let out = kit.line("who-2", Out, 77);
    let refusal = kit.when(take(out)).unwrap_err();
    assert_eq!(refusal.code, RefusalCode::ReserveLineUnmatched);
    assert!(refusal.message.contains("77 CNY") && refusal.message.contains("who-2"), "{refusal}");
    assert!(refusal.code.depends_on_state());
}

#[test]
fn a_line_taken_twice_changes_nothing_and_with_other_content_is_refused() {
    let mut kit = world();
    let line = kit.line("who-1", In, 77);
    let id = kit.take_line(line.clone());
    let events = kit.events.len();
    kit.restore();
    assert_eq!(kit.take_line(line.clone()), id);
    assert_eq!(kit.events.len(), events);
    let others = [
        TakeReserveLine { amount: 78, ..line.clone() },
        TakeReserveLine { direction: Out, ..line.clone() },
        TakeReserveLine { currency: Currency::Usd, ..line.clone() },
        TakeReserveLine { date: date("2026-03-04"), ..line },
    ];
    for other in others {
        kit.refused(take(other), RefusalCode::ReserveLineConflict);
    }
}

#[test]
fn a_line_is_for_the_oldest_of_one_kind_and_must_say_which_of_several() {
    let mut kit = world();
    let (first, second) = (kit.sweep(7), kit.sweep(7));
    let line = kit.line("out-1", Out, 7);
    let id = kit.take_line(line);
    assert_eq!(kit.state.reserve_line(id).unwrap().target, Some(LineTarget::Transfer(first)));

    // A session that takes 7 out stands beside a sweep of 7.
    let merchant = kit.landlord();
    let (account, currency) = (kit.state.merchant(merchant).unwrap().available, Currency::Cny);
    kit.fund(account, 7);
    let to = crate::payout::PayTo::Settlement;
    let create = crate::payout::CreatePayout {
        account,
        to,
        amount: 7,
        fee: 0,
        currency,
        send_now: true,
        bank: None,
        channel: None,
    };
    kit.given(Command::CreatePayout(create));
    kit.answered(crate::testkit::success("2026-03-05"));
    let lines = kit.clearing_lines(Rail::Epcc, DAY);
    let (rail, date_of_file) = (Rail::Epcc, date("2026-03-06"));
    let file =
        crate::clearing::TakeClearingFile { rail, date: date_of_file, part: 1, last: true, lines, channel: None };
    kit.given(Command::TakeClearingFile(file));
    let line = kit.line("out-2", Out, 7);
    let refusal = kit.when(take(line.clone())).unwrap_err();
    assert_eq!((refusal.code, refusal.param.as_ref()), (RefusalCode::ValueInvalid, "target"));
    assert!(refusal.message.contains("otr_2, epcc 2026-03-06"), "{refusal}");
    assert!(!refusal.code.depends_on_state(), "the same key may name it");
    let session = LineTarget::Clearing { rail: Rail::Epcc, date: date("2026-03-06") };
    kit.take_line(TakeReserveLine { target: Some(session), ..line });
    kit.restore();
    let line = kit.line("out-3", Out, 7);
    kit.take_line(TakeReserveLine { target: Some(LineTarget::Transfer(second)), ..line });
    assert!(kit.state.awaited_lines.is_empty());
}

#[test]
fn a_line_that_sessions_of_two_rails_await_says_of_which_it_is() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    kit.paid_rent(merchant, 5_000);
    kit.paid_by_union_card(merchant, 5_000);
    for rail in [Rail::Epcc, Rail::UnionPay] {
        let lines = kit.clearing_lines(rail, DAY);
        kit.take_file_alone(rail, DAY, lines);
    }
    let own = |kit: &Kit| {
        [Subject::CentralBank, Subject::ClearingEpcc, Subject::ClearingUnionPay].map(|subject| kit.own(subject))
    };
    let line = kit.line("net-1", In, 5_000);
    kit.refused(take(line.clone()), RefusalCode::ValueInvalid);
    assert_eq!(own(&kit), [0, 5_000, 5_000]);
    let target = Some(LineTarget::Clearing { rail: Rail::UnionPay, date: date(DAY) });
    kit.take_line(TakeReserveLine { target, ..line });
    assert_eq!(own(&kit), [5_000, 5_000, 0]);
    // Of the two one is left, and its line need not say so.
    let line = kit.line("net-2", In, 5_000);
    kit.take_line(line);
    assert_eq!(own(&kit), [10_000, 0, 0]);
    kit.restore();
}

#[test]
fn a_named_target_must_await_just_this_line() {
    let mut kit = world();
    let sweep = kit.sweep(7);
    let target = Some(LineTarget::Transfer(sweep));
    let right = TakeReserveLine { target, ..kit.line("out-1", Out, 7) };
    let table = [
        (TakeReserveLine { amount: 8, ..right.clone() }, RefusalCode::ValueInvalid),
        (TakeReserveLine { direction: In, ..right.clone() }, RefusalCode::ValueInvalid),
        (
            TakeReserveLine { target: Some(LineTarget::Transfer(OwnTransferId(9))), ..right.clone() },
            RefusalCode::ValueInvalid,
        ),
        (TakeReserveLine { reference: String::new(), ..right.clone() }, RefusalCode::ValueInvalid),
        (TakeReserveLine { reference: "x".repeat(65), ..right.clone() }, RefusalCode::ValueInvalid),
        (TakeReserveLine { date: date("2026-03-06"), ..right.clone() }, RefusalCode::ValueInvalid),
        (TakeReserveLine { amount: 0, ..right.clone() }, RefusalCode::AmountNotPositive),
        (TakeReserveLine { currency: Currency::Usd, ..right.clone() }, RefusalCode::AccountUnknown),
    ];
    for (line, code) in table {
        kit.refused(take(line), code);
    }
    kit.take_line(right);
    assert_eq!(kit.state.reserve_line(ReserveLineId(99)).unwrap_err().code, RefusalCode::ReserveLineUnmatched);
}

fn statement_check(kit: &Kit) -> (bool, String) {
    let checks = crate::checks::run(&kit.state, date(DAY));
    let check = checks.into_iter().find(|check| check.name == "1101_equals_statement").unwrap();
    (check.holds, check.detail)
}

#[test]
fn the_days_check_compares_1101_with_the_closing_balance_that_was_taken() {
    let mut kit = world();
    let (holds, detail) = statement_check(&kit);
    assert!(holds && detail.starts_with("not compared"), "{detail}");
    let Reply::ReserveBalance(id) = kit.given(balance(DAY, 10_000)) else { panic!("a balance") };
    assert_eq!(statement_check(&kit), (true, String::from("10000 CNY")));
    kit.restore();
    // The same again changes nothing; another replaces it.
    let events = kit.events.len();
    assert_eq!(kit.given(balance(DAY, 10_000)), Reply::ReserveBalance(id));
    assert_eq!(kit.events.len(), events);
    kit.when_broken(balance(DAY, 9_999));
    assert_eq!(statement_check(&kit), (false, String::from("1101 10000, statement 9999 in CNY")));
    assert_eq!(kit.given(balance(DAY, 10_000)), Reply::ReserveBalance(id));
    // What later days move does not count.
    kit.given(Command::CutDay { next: None });
    let line = kit.line("who-1", In, 77);
    kit.take_line(line);
    assert_eq!(statement_check(&kit), (true, String::from("10000 CNY")));
}

#[test]
fn a_session_that_takes_out_more_than_there_is_waits_for_what_comes_in() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    let order = kit.paid_rent(merchant, 5_000);
    let lines = kit.clearing_lines(Rail::Epcc, DAY);
    kit.take_file_alone(Rail::Epcc, DAY, lines);
    kit.refund(order, 300, true);
    kit.answered(crate::testkit::success("2026-03-06"));
    kit.on("2026-03-06");
    let lines = kit.clearing_lines(Rail::Epcc, "2026-03-06");
    kit.take_file_alone(Rail::Epcc, "2026-03-06", lines);
    let out = kit.line("out-1", Out, 300);
    kit.refused(take(out.clone()), RefusalCode::InsufficientFunds);
    kit.take_session(Rail::Epcc, DAY);
    kit.take_line(out);
    assert_eq!((kit.own(Subject::CentralBank), kit.own(Subject::ClearingEpcc)), (4_700, 0));
    kit.restore();
}

#[test]
fn wrong_balances_are_refused() {
    let mut kit = world();
    kit.refused(balance(DAY, -1), RefusalCode::ValueInvalid);
    kit.refused(balance("2026-03-09", 1), RefusalCode::DayNotOpen);
    let other = TakeReserveBalance { date: date(DAY), balance: 1, currency: Currency::Usd };
    kit.refused(Command::ReserveLine(ReserveLineCommand::TakeBalance(other)), RefusalCode::AccountUnknown);
    kit.given(Command::CutDay { next: None });
    kit.fail_checks(date(DAY), true);
    kit.refused(balance(DAY, 10_000), RefusalCode::DayClosed);
}

#[test]
fn nothing_moves_1101_by_hand() {
    let mut kit = world();
    let bank = kit.state.institution(Subject::CentralBank, Currency::Cny).unwrap();
    let suspense = kit.state.institution(Subject::Suspense, Currency::Cny).unwrap();
    let entries = vec![Entry::debit(bank, 1, Currency::Cny), Entry::credit(suspense, 1, Currency::Cny)];
    let voucher = crate::voucher::PostVoucher {
        business: BusinessNumber::Text("by-hand".into()),
        event: EventCode::Transfer,
        date: None,
        entries,
        dimensions: None,
    };
    let refusal = kit.when_approved(Command::PostVoucher(voucher)).unwrap_err();
    assert_eq!(refusal.code, RefusalCode::SubjectNotAllowed);
}
