//! Steps that seldom are possible: what an advance becomes after its success, what a top-up brings that nobody asked for, and a late word.

use super::*;
use crate::advance::{Advance, ReturnAdvance};
use crate::clearing::{ClearingLine, LineKind};
use crate::ids::AdvanceId;
use crate::reserve_line::{LineDirection, LineTarget, ReserveLineCommand, TakeReserveLine};

impl Walk {
    fn advance_that(&self, at: Index, is: impl Fn(&Advance) -> bool) -> Option<AdvanceId> {
        let advances = self.kit.state.advances.iter().map(|(_, advance)| advance).filter(|advance| is(advance));
        picked(at, &advances.map(|advance| advance.id).collect::<Vec<_>>()).copied()
    }

    /// The reserve is instructed to pay an advance back, and its bank's line says that it did, unless there is too little.
    pub(super) fn repay(&mut self, at: Index) {
        let Some(id) = self.advance_that(at, |advance| advance.status == AdvanceStatus::Success) else { return };
        for rail in RAILS {
            let _ = self.sessions_come(rail);
        }
        let outlay = self.kit.state.advance(id).unwrap().outlay();
        let repay = Command::Advance(AdvanceCommand::Repay(id));
        let Ok(Reply::OwnTransfer(transfer)) = self.kit.when(repay) else { return };
        let line = self.kit.line(&alloc::format!("repaid-{id}"), LineDirection::Out, outlay);
        let line = TakeReserveLine { target: Some(LineTarget::Transfer(transfer)), ..line };
        let _ = self.kit.when(Command::ReserveLine(ReserveLineCommand::TakeLine(line)));
    }

    /// The lines of the statement that a rail's sessions await come, what takes out last; whether there was enough for all.
    pub(super) fn sessions_come(&mut self, rail: Rail) -> bool {
        let awaited = self.kit.state.awaited_sessions.iter();
        let mut awaited: Vec<_> = awaited.map(|((of, date), amount)| (*amount, *of, *date)).collect();
        awaited.retain(|(_, of, _)| *of == rail);
        awaited.sort_unstable_by_key(|(amount, _, date)| (core::cmp::Reverse(*amount), *date));
        let mut all = true;
        for (amount, rail, date) in awaited {
            let direction = if amount > 0 { LineDirection::In } else { LineDirection::Out };
            let line = self.kit.line(
                &alloc::format!("{}-{date}-{}", rail.name(), self.kit.events.len()),
                direction,
                amount.abs(),
            );
            let line = TakeReserveLine { target: Some(LineTarget::Clearing { rail, date }), ..line };
            all &= self.kit.when(Command::ReserveLine(ReserveLineCommand::TakeLine(line))).is_ok();
        }
        all
    }

    /// The merchant's bank sent an advance back, whatever 2291 has: one that arrived, if only after all.
    pub(super) fn comes_back(&self, at: Index) -> Option<Command> {
        let arrived = |advance: &Advance| match advance.status {
            AdvanceStatus::Success | AdvanceStatus::Repaid => true,
            AdvanceStatus::Failed => advance.claim.is_some(),
            AdvanceStatus::Sent | AdvanceStatus::Unknown | AdvanceStatus::Returned => false,
        };
        let advance = self.advance_that(at, arrived)?;
        let (reference, date) = (String::from("back"), self.today());
        Some(Command::Advance(AdvanceCommand::Return(ReturnAdvance { advance, reference, date })))
    }

    /// A file has more of a top-up that has not succeeded than was asked for.
    pub(super) fn brought(&mut self, at: Index, more: Minor) -> Option<Command> {
        let may = |attempt: &Attempt| {
            matches!(attempt.purpose, Purpose::TopUp(_))
                && matches!(attempt.operation, Operation::Debit { .. })
                && !matches!(attempt.status, AttemptStatus::Settled(Outcome::Success { .. }))
        };
        let attempts = self.kit.state.attempts.iter().map(|(_, attempt)| attempt).filter(|attempt| may(attempt));
        let attempt = *picked(at, &attempts.collect::<Vec<_>>())?;
        let ((asked, currency), rail, date) = (attempt.operation.money(), attempt.rail, self.today());
        let (serial, kind, amount) = (attempt.serial(), LineKind::Debit, asked + more);
        let line = ClearingLine { serial, kind, amount, currency, reference: None };
        let part = self.parts.entry((rail, date)).or_default();
        *part += 1;
        Some(Command::TakeClearingFile(TakeClearingFile {
            rail,
            date,
            part: *part,
            last: false,
            lines: vec![line],
            channel: None,
        }))
    }

    /// A channel carried out after all what it had refused. Of what goes back to a payer, and of own money, that is always taken.
    pub(super) fn late(&mut self, at: Index) {
        let failed = |attempt: &&Attempt| {
            matches!(attempt.status, AttemptStatus::Settled(Outcome::Declined { .. } | Outcome::NotFound))
        };
        let all = self.kit.state.attempts.iter().map(|(_, attempt)| attempt);
        let is_taken = |attempt: &Attempt| match attempt.purpose {
            Purpose::Refund(_) | Purpose::TopUp(_) => matches!(attempt.operation, Operation::Refund { .. }),
            Purpose::Advance(_) => true,
            Purpose::Leg(_) | Purpose::Payout(_) => false,
        };
        let failed: Vec<_> = all.filter(failed).map(|attempt| (attempt.id, is_taken(attempt))).collect();
        let Some((attempt, is_taken)) = picked(at, &failed).copied() else { return };
        let outcome = self.success();
        let told = self.kit.when(Command::AnswerAttempt { attempt, outcome });
        assert!(told.is_ok() || !is_taken, "{attempt}: {told:?}");
    }
}
