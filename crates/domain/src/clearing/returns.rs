//! Lines of payments that came back (退票): a payment's serial is in two files then, once going out and once coming in, of
//! the same date or of two. Each clears once.
//!
//! ```text
//!  a return's line ─ its payout arrived ─► booked here, matched
//!                  ├ its payout is RETURNED (the list of returns was faster) ─► matched
//!                  ├ its payment waits for an answer ─► what came back had arrived: success, booked, matched
//!                  └ its payment had failed for us, or it was matched before ─► a difference
//! ```

use alloc::collections::BTreeSet;
use alloc::format;

use super::difference::Told;
use super::{Clearing, ClearingLine, DifferenceKind, LineKind};
use crate::attempt::{self, Attempt, AttemptStatus, Operation, Outcome, Purpose, Rail, attempt_of_serial};
use crate::calendar::Date;
use crate::draft::Draft;
use crate::ids::PayoutId;
use crate::payout::{self, Payout, PayoutStatus};
use crate::refusal::Refusal;
use crate::state::State;

/// The payout that a return's line matches, its return booked.
pub(super) fn match_line(
    draft: &mut Draft<'_>,
    clearing: &Clearing,
    line: &ClearingLine,
) -> Result<Result<PayoutId, DifferenceKind>, Refusal> {
    let known = attempt_of_serial(&line.serial).and_then(|id| draft.state.attempts.get(id.0));
    let Some(attempt) = known.filter(|attempt| clearing.is_about(attempt) && attempt.serial() == line.serial) else {
        return Ok(Err(DifferenceKind::UnknownSerial));
    };
    let paid = matches!(attempt.operation, Operation::Pay { .. });
    let (Purpose::Payout(id), true) = (attempt.purpose, paid) else {
        return Ok(Err(DifferenceKind::OtherContent));
    };
    if attempt.operation.money() != (line.amount, line.currency) {
        return Ok(Err(DifferenceKind::OtherContent));
    }
    let date = clearing.date;
    let reference = format!("file {} {date}", clearing.channel_name());
    match &attempt.status {
        AttemptStatus::Settled(Outcome::Success { .. }) => {}
        AttemptStatus::Settled(_) => return Ok(Err(DifferenceKind::FailedHere)),
        AttemptStatus::Requested | AttemptStatus::Unknown | AttemptStatus::Waiting => {
            let outcome = Outcome::Success { reference: reference.clone(), clearing_date: date, part: None };
            attempt::decide_answer(draft, attempt.id, &outcome)?;
        }
    }
    let payout = draft.state.payout(id)?.clone();
    match payout.status {
        PayoutStatus::Returned if payout.return_cleared.is_some() => Ok(Err(DifferenceKind::Repeated)),
        PayoutStatus::Returned => Ok(Ok(id)),
        PayoutStatus::Success => payout::come_back(draft, &payout, reference, date).map(|()| Ok(id)),
        // It was paid after it had failed.
        PayoutStatus::Failed if payout.claim.is_some() => {
            payout::come_back(draft, &payout, reference, date).map(|()| Ok(id))
        }
        PayoutStatus::Created
        | PayoutStatus::Held
        | PayoutStatus::Sent
        | PayoutStatus::Unknown
        | PayoutStatus::Failed
        | PayoutStatus::Cancelled => Ok(Err(DifferenceKind::FailedHere)),
    }
}

/// After the last part: returns booked up to the file's date that are in no file.
pub(super) fn missing(state: &State, clearing: &mut Clearing, matched: &BTreeSet<PayoutId>, told: &Told) {
    let Clearing { rail, date, .. } = *clearing;
    let range = (rail, Date(i32::MIN), PayoutId(0))..=(rail, date, PayoutId(u64::MAX));
    for (&(_, _, id), ()) in state.uncleared_returns.range(range).filter(|((_, _, id), ())| !matched.contains(id)) {
        let payout = state.payouts.get(id.0).expect("the index names payouts that are there");
        // No file speaks for what another channel of the rail paid.
        if payout.channel != clearing.channel {
            continue;
        }
        // An attempt that is away is asked for here, and all of this happens again once it is back.
        let attempt = payout.attempt.and_then(|attempt| state.attempts.get(attempt.0));
        let serial = attempt.map(Attempt::serial).unwrap_or_default();
        clearing.differs(told.missing(Some(LineKind::Return), &serial, payout.amount));
    }
}

/// The place of a payout that came back in the index of returns that await their clearing file.
pub(crate) fn uncleared_key(payout: &Payout) -> Option<(Rail, Date, PayoutId)> {
    payout.attempt?;
    Some((payout::RAIL, payout.return_date?, payout.id))
}

pub(super) fn apply_cleared(state: &mut State, date: Date, returned: &[PayoutId]) {
    for id in returned {
        let payout = state.payouts.get_mut(id.0).expect("decide matched the payout");
        payout.return_cleared = Some(date);
        if let Some(key) = uncleared_key(payout) {
            state.uncleared_returns.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString};
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;
    use crate::attempt::{Attempt, FailureClass};
    use crate::clearing::TakeClearingFile;
    use crate::command::{Command, Reply};
    use crate::ids::{AccountId, ClearingId};
    use crate::money::Currency;
    use crate::payout::{CreatePayout, PayTo};
    use crate::testkit::{Kit, date, declined, success};

    /// A landlord with 5,000 who was sent 1,000 with a fee of 1: the payout, its account, its attempt.
    fn sent() -> (Kit, PayoutId, AccountId, Attempt) {
        let mut kit = Kit::new();
        let merchant = kit.landlord();
        let account = kit.state.merchant(merchant).unwrap().available;
        kit.fund(account, 5_000);
        let (to, currency) = (PayTo::Settlement, Currency::Cny);
        let create =
            CreatePayout { account, to, amount: 1_000, fee: 1, currency, send_now: true, bank: None, channel: None };
        let Reply::Payout(id) = kit.given(Command::CreatePayout(create)) else { panic!("a payout was created") };
        let attempt = kit.waiting();
        (kit, id, account, attempt)
    }

    /// The same, arrived with the clearing date 2026-03-05.
    fn arrived() -> (Kit, PayoutId, AccountId, Attempt) {
        let (mut kit, id, account, attempt) = sent();
        kit.answered(success("2026-03-05"));
        (kit, id, account, attempt)
    }

    fn line(attempt: &Attempt, kind: LineKind) -> ClearingLine {
        let (amount, currency) = attempt.operation.money();
        ClearingLine { serial: attempt.serial(), kind, amount, currency, reference: None }
    }

    fn return_of(payout: PayoutId, day: &str) -> Command {
        Command::ReturnPayout { payout, reference: String::from("back-1"), date: date(day) }
    }

    #[track_caller]
    fn found(kit: &Kit, id: ClearingId) -> (u32, Vec<DifferenceKind>) {
        let clearing = kit.state.clearing(id).unwrap();
        (clearing.matched, clearing.differences.iter().map(|difference| difference.kind).collect())
    }

    #[test]
    fn what_a_further_channel_paid_comes_back_in_its_own_file_and_is_missing_in_no_other() {
        let mut kit = Kit::new();
        let merchant = kit.landlord();
        let account = kit.state.merchant(merchant).unwrap().available;
        kit.fund(account, 5_000);
        let further = || Some(String::from("b"));
        let (to, currency, channel) = (PayTo::Settlement, Currency::Cny, further());
        let create = CreatePayout { account, to, amount: 1_000, fee: 1, currency, send_now: true, bank: None, channel };
        kit.given(Command::CreatePayout(create));
        let attempt = kit.answered(success("2026-03-05"));
        kit.given(return_of(PayoutId(1), "2026-03-05"));
        let lines = || vec![line(&attempt, LineKind::Pay), line(&attempt, LineKind::Return)];
        let foreign = kit.take_file(Rail::Epcc, "2026-03-05", lines());
        assert_eq!(found(&kit, foreign), (0, vec![DifferenceKind::UnknownSerial; 2]), "and nothing is missing");
        let own = |kit: &mut Kit, day, lines| {
            let (rail, date, channel) = (Rail::Epcc, date(day), further());
            let file = TakeClearingFile { rail, date, part: 1, last: true, lines, channel };
            let Reply::Clearing(id) = kit.given(Command::TakeClearingFile(file)) else { panic!("a file was taken") };
            found(kit, id)
        };
        assert_eq!(own(&mut kit, "2026-03-05", vec![]), (0, vec![DifferenceKind::Missing; 2]));
        assert_eq!(own(&mut kit, "2026-03-06", lines()), (2, vec![]));
        assert!(kit.state.uncleared_returns.iter().next().is_none());
    }

    #[test]
    fn a_line_books_the_return_and_both_lines_clear() {
        let (mut kit, id, account, attempt) = arrived();
        // Without money at the central bank the payment could not clear.
        let bank = kit.state.institution(crate::book::Subject::CentralBank, Currency::Cny).unwrap();
        kit.take_file(Rail::Epcc, "2026-03-05", vec![line(&attempt, LineKind::Pay), line(&attempt, LineKind::Return)]);
        let clearing = kit.state.clearing(ClearingId(1)).unwrap();
        assert_eq!((clearing.paid, clearing.returned, clearing.net(), clearing.voucher), (1_000, 1_000, 0, None));
        assert_eq!((clearing.matched, clearing.different), (2, 0));
        let payout = kit.state.payout(id).unwrap();
        assert_eq!((payout.status, payout.return_cleared), (PayoutStatus::Returned, Some(date("2026-03-05"))));
        assert_eq!(payout.return_reference.as_deref(), Some("file epcc 2026-03-05"));
        assert_eq!((kit.balance(account), kit.balance(bank)), (4_999, 0));
        assert!(kit.state.uncleared_returns.iter().next().is_none());
    }

    #[test]
    fn a_return_alone_in_a_later_file_brings_its_money_to_the_central_bank() {
        let (mut kit, id, account, attempt) = arrived();
        let file = kit.take_file(Rail::Epcc, "2026-03-06", vec![line(&attempt, LineKind::Return)]);
        assert_eq!(found(&kit, file), (1, vec![DifferenceKind::Missing]), "the payment itself is in no file");
        let clearing = kit.state.clearing(file).unwrap();
        assert_eq!((clearing.net(), clearing.returned), (1_000, 1_000));
        assert_eq!(kit.state.payout(id).unwrap().status, PayoutStatus::Returned);
        assert_eq!((kit.balance(account), kit.own(crate::book::Subject::CentralBank)), (4_999, 1_000));
    }

    #[test]
    fn a_return_that_the_list_booked_first_is_only_matched() {
        let (mut kit, id, account, attempt) = arrived();
        kit.given(return_of(id, "2026-03-05"));
        let lines = vec![line(&attempt, LineKind::Pay), line(&attempt, LineKind::Return)];
        let file = kit.take_file(Rail::Epcc, "2026-03-05", lines);
        assert_eq!(found(&kit, file), (2, vec![]));
        let payout = kit.state.payout(id).unwrap();
        assert_eq!(payout.return_reference.as_deref(), Some("back-1"));
        assert_eq!(kit.balance(account), 4_999);
        kit.refused(return_of(id, "2026-03-05"), crate::RefusalCode::PayoutState);
    }

    #[test]
    fn a_return_clears_once() {
        let (mut kit, _, account, attempt) = arrived();
        let (pay, back) = (line(&attempt, LineKind::Pay), line(&attempt, LineKind::Return));
        let file = kit.take_file(Rail::Epcc, "2026-03-05", vec![pay, back.clone(), back.clone()]);
        assert_eq!(found(&kit, file), (2, vec![DifferenceKind::Repeated]));
        let file = kit.take_file(Rail::Epcc, "2026-03-06", vec![back]);
        assert_eq!(found(&kit, file), (0, vec![DifferenceKind::Repeated]));
        assert_eq!(kit.balance(account), 4_999);
    }

    #[test]
    fn a_return_proves_a_payment_whose_answer_never_came() {
        let (mut kit, id, account, attempt) = sent();
        kit.answer(attempt.id, Outcome::Unknown);
        let lines = vec![line(&attempt, LineKind::Return), line(&attempt, LineKind::Pay)];
        let file = kit.take_file(Rail::Epcc, "2026-03-05", lines);
        assert_eq!(found(&kit, file), (2, vec![]));
        assert_eq!(kit.state.payout(id).unwrap().status, PayoutStatus::Returned);
        assert_eq!((kit.outbox().len(), kit.balance(account)), (0, 4_999));
    }

    #[test]
    fn a_booked_return_that_is_in_no_file_is_missing_once_its_date_is_cleared() {
        let (mut kit, id, _, attempt) = arrived();
        kit.clear_with_debit(&attempt);
        kit.given(return_of(id, "2026-03-06"));
        let file = kit.take_file(Rail::UnionPay, "2026-03-06", vec![]);
        assert_eq!(found(&kit, file), (0, vec![]), "another rail");
        let file = kit.take_file(Rail::Epcc, "2026-03-06", vec![]);
        assert_eq!(found(&kit, file), (0, vec![DifferenceKind::Missing]));
    }

    #[test]
    fn lines_that_fit_no_payment_that_arrived_are_differences() {
        let (mut kit, id, account, attempt) = sent();
        kit.answer(attempt.id, declined(FailureClass::Bank));
        let back = line(&attempt, LineKind::Return);
        let lines = vec![
            back.clone(),
            ClearingLine { amount: 999, ..back.clone() },
            ClearingLine { serial: "7".repeat(31), ..back.clone() },
            ClearingLine { serial: back.serial.to_string().replace("20260305", "20260306"), ..back },
        ];
        let file = kit.take_file(Rail::Epcc, "2026-03-05", lines);
        use DifferenceKind::{FailedHere, OtherContent, UnknownSerial};
        assert_eq!(found(&kit, file), (0, vec![FailedHere, OtherContent, UnknownSerial, UnknownSerial]));
        assert_eq!(kit.state.payout(id).unwrap().status, PayoutStatus::Failed);
        assert_eq!(kit.balance(account), 5_000);
    }

    impl Kit {
        /// Clears a payment together with money that came in, so that the central bank's account holds enough.
        fn clear_with_debit(&mut self, attempt: &Attempt) {
            let merchant = self.landlord();
            self.paid_rent(merchant, 5_000);
            let lines = self.clearing_lines(Rail::Epcc, "2026-03-05");
            assert_eq!(lines.len(), 2, "the payment {} and the rent", attempt.id);
            self.take_file(Rail::Epcc, "2026-03-05", lines);
        }
    }
}
