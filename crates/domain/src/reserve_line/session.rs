//! A clearing session: the net of a network's files of one clearing date, which is one line of the statement.
//!
//! ```text
//!  files taken, and differences of them that two people let stand ─► the session awaits their sum
//!    its line ─► Dr 1101 / Cr the rail (turned where it takes out), under the line's own number
//!    two people find it in suspense, which the line brought to 1101 ─► Dr 2241 / Cr the rail
//! ```
//! Up to level 17 its files booked it, ahead of the line, and the line booked nothing. A session of which something is booked so
//! ends so: what else files and people bring to it is booked ahead too, its line books nothing, and what suspense has of it leaves
//! 1101, where it is twice. So of what a session awaits all was booked before, or nothing, and no line has some of both in it.

use alloc::collections::BTreeMap;
use alloc::vec;

use minicbor::{Decode, Encode};

use super::{LineTarget, TakeReserveLine};
use crate::attempt::Rail;
use crate::book::Subject;
use crate::calendar::Date;
use crate::draft::Draft;
use crate::ids::{ReserveLineId, VoucherId};
use crate::money::{Currency, Minor};
use crate::refusal::Refusal;
use crate::state::State;
use crate::voucher::{BusinessKind, BusinessNumber, Dimensions, Entry, EventCode};

#[cfg(test)]
mod tests;

/// A clearing session: the net of its file is one line of the statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Session {
    /// Whose file.
    #[n(0)]
    pub rail: Rail,
    /// The network's clearing date.
    #[n(1)]
    pub date: Date,
}

impl Session {
    /// Whether what it awaits is on 1101 already: its files booked it (up to level 17).
    pub(crate) fn is_booked(self, state: &State) -> bool {
        state.booked_sessions.get(&(self.rail, self.date)).is_some()
    }

    /// What its vouchers say of it.
    pub(crate) fn dimensions(self) -> Dimensions {
        let Self { rail, date } = self;
        Dimensions { channel: Some(rail.name().into()), clearing_date: Some(date), ..Dimensions::default() }
    }
}

/// Books what a session's line brings, unless its files booked that before.
pub(super) fn session_came(
    draft: &mut Draft<'_>,
    session: Session,
    id: ReserveLineId,
    line: &TakeReserveLine,
) -> Result<Option<VoucherId>, Refusal> {
    if session.is_booked(draft.state) {
        return Ok(None);
    }
    let business = BusinessNumber::object(BusinessKind::ReserveLine, id.0);
    post_session(draft, session, line.direction.signed(line.amount), business)
}

/// Books what a file or two people bring to a session of which something was booked before its line (up to level 17): it ends as it
/// began. Of any other nothing is booked before its line.
pub(crate) fn book_ahead(
    draft: &mut Draft<'_>,
    session: Session,
    net: Minor,
    business: BusinessNumber,
) -> Result<Option<VoucherId>, Refusal> {
    if session.is_booked(draft.state) { post_session(draft, session, net, business) } else { Ok(None) }
}

/// Dr 1101 / Cr the rail, or turned where more went out than came in.
fn post_session(
    draft: &mut Draft<'_>,
    session: Session,
    net: Minor,
    business: BusinessNumber,
) -> Result<Option<VoucherId>, Refusal> {
    if net == 0 {
        return Ok(None);
    }
    let bank = draft.state.institution(Subject::CentralBank, Currency::Cny)?;
    let rail = draft.state.institution(session.rail.subject(), Currency::Cny)?;
    let (debit, credit) = if net > 0 { (bank, rail) } else { (rail, bank) };
    let amount = net.saturating_abs();
    let entries = vec![Entry::debit(debit, amount, Currency::Cny), Entry::credit(credit, amount, Currency::Cny)];
    draft.post(business, EventCode::ClearingSession, entries, session.dimensions()).map(Some)
}

/// Changes what a clearing session awaits by `change`.
pub(crate) fn await_session(state: &mut State, Session { rail, date }: Session, change: Minor) {
    let target = LineTarget::Clearing { rail, date };
    let awaited = state.awaited_sessions.get(&(rail, date)).copied().unwrap_or_default();
    state.awaited_lines.remove(&(Currency::Cny, awaited, target));
    let awaited = awaited.saturating_add(change);
    if awaited == 0 {
        state.awaited_sessions.remove(&(rail, date));
    } else {
        state.awaited_sessions.insert((rail, date), awaited);
        state.awaited_lines.insert((Currency::Cny, awaited, target), ());
    }
}

/// Changes by `change` what of a session's money was booked before its line. It is nothing, or all that the session awaits: up to level
/// 17 whatever was awaited was booked too, and what is booked of a session changes only with what it awaits.
pub(crate) fn booked_ahead(state: &mut State, session: Session, change: Minor) {
    let key = (session.rail, session.date);
    let booked = state.booked_sessions.get(&key).copied().unwrap_or_default().saturating_add(change);
    if booked == 0 {
        state.booked_sessions.remove(&key);
    } else {
        state.booked_sessions.insert(key, booked);
    }
}

/// What is left of each session: what came to it less what went, without those that are even.
pub(crate) fn restored(
    came: impl Iterator<Item = (Session, Minor)>,
    went: impl Iterator<Item = (Session, Minor)>,
) -> BTreeMap<(Rail, Date), Minor> {
    let mut sessions: BTreeMap<(Rail, Date), Minor> = BTreeMap::new();
    let less = went.map(|(session, amount)| (session, amount.saturating_neg()));
    for (Session { rail, date }, amount) in came.chain(less) {
        let sum = sessions.entry((rail, date)).or_default();
        *sum = sum.saturating_add(amount);
    }
    sessions.retain(|_, sum| *sum != 0);
    sessions
}
