//! Income sweeps and injections; repayments of advances are tested with them.

use super::*;
use crate::attempt::Rail;
use crate::command::Command;
use alloc::string::ToString;

use crate::testkit::{Kit, date};

const DAY: &str = "2026-03-05";
use LineDirection::{In, Out};

/// Books with an income of 10 from a rent of 5,000, cleared.
fn world() -> Kit {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    kit.paid_rent(merchant, 5_000);
    kit.clear(Rail::Epcc, DAY);
    kit.books(&[(1101, 5_000), (2291, 10), (1291, 10), (5001, 10)]);
    kit
}

fn sweep(amount: Minor) -> Command {
    Command::OwnTransfer(OwnTransferCommand::SweepIncome(InstructTransfer { amount, currency: Currency::Cny }))
}

fn inject(amount: Minor) -> Command {
    Command::OwnTransfer(OwnTransferCommand::Inject(InstructTransfer { amount, currency: Currency::Cny }))
}

fn cancel(id: OwnTransferId) -> Command {
    Command::OwnTransfer(OwnTransferCommand::Cancel(id))
}

#[test]
fn own_income_leaves_reserve_on_the_statement_line() {
    let mut kit = world();
    let id = kit.sweep(10);
    // Instructed: nothing is booked, and what is held cannot be spent twice.
    kit.books(&[(1101, 5_000), (2291, 10), (1291, 10), (5001, 10)]);
    assert_eq!(kit.when_approved(sweep(1)).unwrap_err().code, RefusalCode::InsufficientFunds);
    let row = kit.state.own_transfer(id).unwrap();
    assert_eq!((row.operator.as_str(), row.approver.as_deref()), ("maker", Some("checker")));
    kit.restore();
    let line = kit.line("out-1", Out, 10);
    let line = kit.take_line(line);
    kit.books(&[(1101, 4_990), (1103, 10), (5001, 10)]);
    let row = kit.state.own_transfer(id).unwrap();
    assert_eq!((row.status, row.line, row.ended_at), (OwnTransferStatus::Done, Some(line), Some(kit.now)));
    let voucher = kit.posted().last().unwrap();
    assert_eq!((voucher.business.to_string().as_str(), voucher.event), ("otr_1", EventCode::IncomeSwept));
    kit.restore();
    kit.refused(cancel(id), RefusalCode::OwnTransferState);
}

#[test]
fn a_shortfall_of_6000_is_injected_on_the_statement_line() {
    let mut kit = Kit::new();
    assert_eq!(kit.when_approved(inject(6_000)).unwrap_err().code, RefusalCode::InsufficientFunds);
    kit.capital(6_000);
    kit.books(&[(1103, 6_000), (3001, 6_000)]);
    let id = kit.inject(6_000);
    kit.books(&[(1103, 6_000), (3001, 6_000)]);
    assert_eq!(kit.when_approved(inject(1)).unwrap_err().code, RefusalCode::InsufficientFunds);
    kit.restore();
    let line = kit.line("in-1", In, 6_000);
    kit.take_line(line);
    kit.books(&[(1101, 6_000), (2291, 6_000), (1291, 6_000), (3001, 6_000)]);
    assert_eq!(kit.state.own_transfer(id).unwrap().status, OwnTransferStatus::Done);
}

#[test]
fn a_cancelled_transfer_frees_its_money_and_awaits_no_line() {
    let mut kit = world();
    let id = kit.sweep(10);
    kit.given(cancel(id));
    let row = kit.state.own_transfer(id).unwrap();
    assert_eq!((row.status, row.cancelled_by.as_deref()), (OwnTransferStatus::Cancelled, Some("tester")));
    assert!(row.allowed_actions().is_empty());
    kit.restore();
    let line = kit.line("out-1", Out, 10);
    let take = |line| Command::ReserveLine(crate::reserve_line::ReserveLineCommand::TakeLine(line));
    kit.refused(take(line.clone()), RefusalCode::ReserveLineUnmatched);
    kit.refused(cancel(id), RefusalCode::OwnTransferState);
    kit.refused(cancel(OwnTransferId(9)), RefusalCode::OwnTransferUnknown);
    // Instructed anew, the same line is taken.
    kit.sweep(10);
    kit.take_line(line);
    kit.books(&[(1101, 4_990), (1103, 10), (5001, 10)]);
}

#[test]
fn its_hold_ends_with_the_transfer_alone() {
    let mut kit = world();
    let id = kit.sweep(10);
    let hold = kit.state.own_transfer(id).unwrap().hold.unwrap();
    let to = kit.state.institution(Subject::Suspense, Currency::Cny).unwrap();
    kit.refused(Command::CancelHold(hold), RefusalCode::HoldState);
    kit.refused(Command::ConfirmHold { hold, amount: None, to }, RefusalCode::HoldState);
    kit.later(10 * 365 * 86_400_000);
    kit.given(Command::Tick);
    assert_eq!(kit.state.hold(hold).unwrap().held(), 10);
}

#[test]
fn sweeps_and_injections_take_two_people() {
    let mut kit = world();
    kit.capital(100);
    kit.refused(sweep(10), RefusalCode::ApprovalRequired);
    kit.refused(inject(10), RefusalCode::ApprovalRequired);
    let dollars = InstructTransfer { amount: 1, currency: Currency::Usd };
    for (command, code) in [
        (sweep(0), RefusalCode::AmountNotPositive),
        (sweep(11), RefusalCode::InsufficientFunds),
        (inject(-1), RefusalCode::AmountNotPositive),
        (inject(101), RefusalCode::InsufficientFunds),
        (Command::OwnTransfer(OwnTransferCommand::SweepIncome(dollars)), RefusalCode::AccountUnknown),
    ] {
        assert_eq!(kit.when_approved(command).unwrap_err().code, code);
    }
}

#[test]
fn a_break_of_the_checks_bars_sweeps_but_not_injections_nor_lines() {
    let mut kit = world();
    kit.capital(100);
    kit.sweep(4);
    kit.broken_day();
    assert!(kit.state.has_break());
    assert_eq!(kit.when_approved(sweep(1)).unwrap_err().code, RefusalCode::ChecksFailed);
    kit.inject(100);
    let line = kit.line("out-1", Out, 4);
    kit.take_line(line);
    kit.fail_checks(date(DAY), true);
    assert!(!kit.state.has_break());
    kit.sweep(1);
}

#[test]
fn a_sweep_that_the_central_bank_account_does_not_hold_is_not_booked() {
    let mut kit = Kit::new();
    let merchant = kit.landlord();
    kit.paid_rent(merchant, 5_000);
    kit.sweep(10);
    let line = kit.line("out-1", Out, 10);
    let take = Command::ReserveLine(crate::reserve_line::ReserveLineCommand::TakeLine(line));
    kit.refused(take, RefusalCode::InsufficientFunds);
}
