//! Clearing sessions and the statement of the reserve account: the operator takes the line that each session awaits,
//! some at once, some after the close, some with the next day's files; and what must be so of 1101 whenever.

use std::collections::BTreeMap;

use domain::attempt::Rail;
use domain::book::Subject;
use domain::calendar::Date;
use domain::money::{Currency, Minor};
use domain::reserve_line::{LineDirection, LineTarget, ReserveLine, ReserveLineCommand, TakeReserveLine};
use domain::{Command, State};

use crate::check::{Checked, broken};
use crate::operator::Chore;
use crate::world::World;

/// The rails with clearing files here.
pub(crate) const CLEARED: [Rail; 3] = [Rail::Epcc, Rail::UnionPay, Rail::Fund];

impl World {
    /// Draws when the line of each session of a day is taken: after its file, with the next day's files, or after the
    /// close, which are returned.
    pub(crate) fn draws_lines(&mut self, date: Date) -> Vec<(Rail, Date)> {
        let mut after_close = Vec::new();
        for rail in CLEARED {
            match self.random.below(3) {
                0 => self.chore(Chore::Line(rail, date)),
                1 => after_close.push((rail, date)),
                _ => self.operator.owed.push((rail, date)),
            }
        }
        after_close
    }

    /// Takes the lines that were put off: money in before money out, as 1101 is never overdrawn.
    pub(crate) fn takes_owed_lines(&mut self) {
        let mut owed = std::mem::take(&mut self.operator.owed);
        let awaited = &self.follower.state().awaited_sessions;
        owed.sort_by_key(|session| std::cmp::Reverse(awaited.get(session).copied().unwrap_or_default()));
        for (rail, date) in owed {
            self.chore(Chore::Line(rail, date));
        }
    }

    /// The command that takes the line of a session; nothing if it awaits none. The line says which session it is of,
    /// or leaves that to be found where no other has its amount.
    pub(crate) fn line(&mut self, rail: Rail, date: Date) -> Option<Command> {
        let names = self.random.chance(500);
        let state = self.follower.state();
        let awaited = state.awaited_sessions.get(&(rail, date)).copied()?;
        let is_alone = state.awaited_sessions.iter().filter(|(_, other)| **other == awaited).count() == 1;
        let direction = if awaited > 0 { LineDirection::In } else { LineDirection::Out };
        Some(Command::ReserveLine(ReserveLineCommand::TakeLine(TakeReserveLine {
            reference: format!("{} {date}", rail.name()),
            date: Date::in_shanghai(state.now),
            direction,
            amount: awaited.saturating_abs(),
            currency: Currency::Cny,
            target: (names || !is_alone).then_some(LineTarget::Clearing { rail, date }),
            suspense: false,
        })))
    }

    /// A session's line was taken, or refused because 1101 has not that much yet: then it is for later. One in five
    /// comes again, as a statement that is read twice would bring it.
    pub(crate) fn line_is_heard(&mut self, line: &TakeReserveLine, (rail, date): (Rail, Date), refused: bool) {
        if refused {
            self.operator.owed.push((rail, date));
        } else if self.random.chance(200) {
            let again = ReserveLineCommand::TakeLine(TakeReserveLine { target: None, ..line.clone() });
            self.operator.chores.insert(1, Chore::Ask(Box::new(Command::ReserveLine(again))));
        }
        self.done_with_chore();
    }
}

/// What a line brings to the reserve account; below zero where it takes out.
fn brings(line: &ReserveLine) -> i128 {
    let amount = i128::from(line.amount);
    match line.direction {
        LineDirection::In => amount,
        LineDirection::Out => -amount,
    }
}

/// The rail and the date of the session that a line is of.
pub(crate) fn session_of(line: &ReserveLine) -> Option<(Rail, Date)> {
    match line.target {
        Some(LineTarget::Clearing { rail, date }) => Some((rail, date)),
        Some(LineTarget::Transfer(_)) | None => None,
    }
}

/// What the lines of a rail's sessions brought to the reserve account.
pub(crate) fn brought(state: &State, rail: Rail) -> i128 {
    let of_rail = |line: &&ReserveLine| session_of(line).is_some_and(|session| session.0 == rail);
    state.reserve_lines.iter().map(|(_, line)| line).filter(of_rail).map(brings).sum()
}

/// 1101 is what the statement's lines brought, whatever files were taken; a session awaits what its files matched and
/// no line brought; the line books that, and the file nothing.
pub(crate) fn sound(state: &State) -> Checked {
    let law = "1101 moves by its statement alone";
    let account = state.institution(Subject::CentralBank, Currency::Cny).ok();
    let Some(account) = account.and_then(|id| state.accounts.get(id.0)) else { return Ok(()) };
    let lines = || state.reserve_lines.iter().map(|(_, line)| line);
    let brought: i128 = lines().map(brings).sum();
    if i128::from(account.balance) != brought {
        return broken(law, format!("1101 is {}, the lines of its statement brought {brought}", account.balance));
    }
    if let Some(line) = lines().find(|line| line.voucher.is_none()) {
        return broken(law, format!("{} of {:?} booked nothing", line.id, line.target));
    }
    if let Some((_, file)) = state.clearings.iter().find(|(_, file)| file.voucher.is_some()) {
        return broken(law, format!("{} booked {:?}", file.id, file.voucher));
    }
    let mut sessions = BTreeMap::<(Rail, Date), i128>::new();
    for (_, file) in state.clearings.iter() {
        *sessions.entry((file.rail, file.date)).or_default() += i128::from(file.session_net());
    }
    for line in lines() {
        if let Some(session) = session_of(line) {
            *sessions.entry(session).or_default() -= brings(line);
        }
    }
    for ((rail, date), left) in sessions {
        let awaited: Minor = state.awaited_sessions.get(&(rail, date)).copied().unwrap_or_default();
        if i128::from(awaited) != left {
            let found = format!("{} {date} awaits {awaited}, its files less its lines are {left}", rail.name());
            return broken("a session awaits what its files matched", found);
        }
    }
    Ok(())
}

/// At the end every session has had its line.
pub(crate) fn all_came(state: &State) -> Checked {
    let Some(((rail, date), awaited)) = state.awaited_sessions.first() else { return Ok(()) };
    broken("every session has its line", format!("{} {date} awaits {awaited}", rail.name()))
}
