//! The fee of an advance: whose it is before and after the bank's answer.

use super::*;
use crate::own_transfer::InstructTransfer;
use crate::voucher::Entry;

#[test]
fn a_fee_stays_in_reserve_as_own_income() {
    let (mut kit, merchant, order) = world();
    let policy = SetAdvancePolicy { fee_rate: 1_000, ..kit.open_policy() };
    kit.approved(Command::Advance(AdvanceCommand::SetPolicy(policy)));
    let id = kit.advance(merchant, &[order]);
    // 0.1 % of 4,990 is 5: the merchant gets 4,985.
    assert_eq!(kit.waiting().operation.money(), (4_985, Currency::Cny));
    // Until it arrives the fee waits, and is no income.
    kit.books(&[
        (1121, 5_000),
        (2212, 5),
        (2291, 10),
        (2292, 4_985),
        (1103, 5),
        (1151, 4_985),
        (1291, 10),
        (5001, 10),
        (3001, 4_990),
    ]);
    let row = kit.state.advance(id).unwrap();
    assert_eq!((row.fee, row.outlay()), (5, 4_985));
    kit.answered(declined(FailureClass::Bank));
    kit.books(&[(1121, 5_000), (2291, 10), (1103, 4_990), (1291, 10), (5001, 10), (3001, 4_990)]);

    // Of one that comes back after its repayment it is given back, too.
    let id = kit.advance(merchant, &[order]);
    kit.answered(success(DAY));
    // Dr 2212 5 / Cr 2291 5 · OWN Dr 1291 5 / Cr 5001 5
    kit.books(&[
        (1121, 5_000),
        (2291, 15),
        (2292, 4_985),
        (1103, 5),
        (1151, 4_985),
        (1291, 15),
        (5001, 15),
        (3001, 4_990),
    ]);
    kit.posted_once();
    kit.clear(Rail::Epcc, DAY);
    kit.given(repay(id));
    let line = kit.line("out-1", LineDirection::Out, 4_985);
    kit.take_line(line);
    kit.injected(4_990);
    kit.books(&[(1101, 5_005), (2291, 5_005), (1103, 4_990), (1291, 5_005), (5001, 15), (3001, 9_980)]);
    kit.given(came_back(id));
    kit.books(&[(1101, 5_005), (2291, 15), (1103, 9_975), (1291, 15), (5001, 10), (3001, 9_980)]);
    assert_eq!(kit.available(merchant), 4_990);
}

/// A merchant's advance that was repaid, and another of a fee of 5 whose answer did not come; 2291 has 4,985 beside that fee.
fn repaid_and_unknown() -> (Kit, MerchantId, AdvanceId, AdvanceId) {
    let (mut kit, merchant, _, repaid) = repaid();
    kit.injected(4_965);
    let policy = SetAdvancePolicy { fee_rate: 1_000, ..kit.open_policy() };
    kit.approved(Command::Advance(AdvanceCommand::SetPolicy(policy)));
    let order = kit.paid_rent(merchant, 5_000);
    let unknown = kit.advance(merchant, &[order]);
    kit.answered(Outcome::Unknown);
    kit.books(&[
        (1101, 4_975),
        (1121, 5_000),
        (2212, 5),
        (2291, 4_985),
        (2292, 4_985),
        (1103, 5),
        (1151, 4_985),
        (1291, 4_985),
        (5001, 20),
        (3001, 9_955),
    ]);
    kit.restore();
    (kit, merchant, repaid, unknown)
}

#[test]
fn an_advance_that_came_back_repaid_takes_nothing_of_the_fee_of_one_without_an_answer() {
    let (mut kit, merchant, repaid, unknown) = repaid_and_unknown();
    // With the fee there would be enough; it is the merchant's until that advance arrives.
    kit.refused(came_back(repaid), RefusalCode::InsufficientFunds);
    kit.answered(declined(FailureClass::Bank));
    assert_eq!(kit.state.advance(unknown).unwrap().status, AdvanceStatus::Failed);
    kit.books(&[(1101, 4_975), (1121, 5_000), (2291, 4_985), (1103, 4_990), (1291, 4_985), (5001, 20), (3001, 9_955)]);
    kit.injected(5);
    kit.given(came_back(repaid));
    kit.books(&[(1101, 4_980), (1121, 5_000), (1103, 9_980), (5001, 20), (3001, 9_960)]);
    assert_eq!((kit.pending(merchant), kit.available(merchant)), (4_990, 4_990));
    kit.restore();
}

#[test]
fn no_income_sweep_takes_the_fee_of_an_advance_without_an_answer() {
    let sweep = |amount| OwnTransferCommand::sweep(InstructTransfer { amount, currency: Currency::Cny });
    for (answer, status, earned) in [
        (declined(FailureClass::Bank), AdvanceStatus::Failed, 0),
        (Outcome::NotFound, AdvanceStatus::Failed, 0),
        (success(DAY), AdvanceStatus::Success, 5),
    ] {
        let (mut kit, _, _, unknown) = repaid_and_unknown();
        assert_eq!(kit.when_approved(sweep(4_986)).unwrap_err().code, RefusalCode::InsufficientFunds);
        kit.approved(sweep(4_985));
        kit.answered(answer);
        assert_eq!(kit.state.advance(unknown).unwrap().status, status);
        assert_eq!((kit.own(Subject::DueToOwn), kit.own(Subject::PayoutTransit)), (4_985 + earned, 0));
    }
}

/// Its fee was on 2291 from its sending on, and it is taken from there whatever its answer was.
#[test]
fn the_fee_of_an_advance_of_before_level_15_is_given_back_from_2291() {
    let (kit, _, _, unknown) = repaid_and_unknown();
    let new = kit.state.advance(unknown).unwrap().clone();
    let old = Advance { fee_on: None, ..new.clone() };
    let given_back = |advance: &Advance| -> Vec<u16> {
        let entries = booking::contra(&kit.state, advance, advance.from).unwrap();
        let subject = |entry: &Entry| kit.state.account(entry.account, "account").unwrap().subject.code();
        entries.iter().map(subject).collect()
    };
    assert_eq!(given_back(&new), [1151, 1103, 2202, 2292, 2212]);
    assert_eq!(given_back(&old), [1151, 1103, 2202, 2292, 2291, 1291, 5001]);
    let arrived = Advance { status: AdvanceStatus::Success, ..new };
    assert_eq!(given_back(&arrived), given_back(&old));
}
