//! Money that a session would await a second time: its line lies in suspense, or two people let it stand in the file of another channel;
//! and a line of the statement that has in it what a session awaits.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Difference, DifferenceEnd, DifferenceId, DifferenceKind, line_of_awaited, signed, state_of};
use crate::attempt::Rail;
use crate::calendar::Date;
use crate::clearing::{Clearing, ClearingLine, LineKind};
use crate::ids::{ClearingId, SuspenseId};
use crate::money::{Currency, Minor};
use crate::refusal::Refusal;
use crate::reserve_line::{ReserveLine, TakeReserveLine};
use crate::state::State;
use crate::suspense::SuspenseItem;
use crate::voucher::{BusinessKind, BusinessNumber};

/// A line's serial and kind, and the difference that has it.
pub(crate) type StoodKey = (String, LineKind, DifferenceId);

/// How many further open differences of a session are looked at together with one: a line of the statement may have any of them in it.
const MAX_FURTHER: usize = 8;

/// The key of a line under a serial that its channel was not asked with, which two people let stand: its money is awaited, whoever else
/// tells of it.
pub(crate) fn stood_key(id: DifferenceId, it: &Difference) -> Option<StoodKey> {
    let accepted = matches!(it.end, Some(DifferenceEnd::Settled { accepted: true, .. }));
    let stands = accepted && it.kind == DifferenceKind::UnknownSerial;
    it.line.filter(|_| stands).map(|line| (it.serial.clone(), line, id))
}

/// The difference by which a line's money is awaited already.
pub(in crate::clearing) fn stood_before(state: &State, line: &ClearingLine) -> Option<DifferenceId> {
    if state.stood_lines.is_empty() {
        return None;
    }
    let of = |clearing| (line.serial.clone(), line.kind, DifferenceId { clearing: ClearingId(clearing), number: 0 });
    state.stood_lines.range(of(0)..of(u64::MAX)).next_back().map(|((_, _, id), ())| *id)
}

/// Refuses to await what a line of the statement may have brought to suspense, while something of it lies there: one from the file's date
/// on, of an amount that would have this money in it, or with such an amount left.
///
/// # Errors
/// `difference_state`.
pub(super) fn refuse_suspended(state: &State, id: DifferenceId, file: &Clearing, booked: Minor) -> Result<(), Refusal> {
    let amounts = amounts(state, id, file, booked);
    let may_be = |item: &SuspenseItem, line: &ReserveLine| {
        let has_amount = amounts.contains(&line.amount) || amounts.contains(&item.rest());
        line.currency == Currency::Cny && line.date >= file.date && has_amount
    };
    let Some((item, line)) = suspended(state).find(|(item, line)| may_be(item, line)) else { return Ok(()) };
    let (item, ReserveLine { reference, date, amount, .. }) = (item.id, line);
    Err(state_of(format!(
        "{item} may be this money: '{reference}' of {date} brought {amount} CNY to suspense; if it is, settle {id} without accepting it \
         and allocate {item} to 1131; if it is not, allocate all of {item} first"
    )))
}

/// What a line of the statement would show that has a difference's money in it: by itself or with what its session awaits, and either
/// with further open differences of that session.
fn amounts(state: &State, id: DifferenceId, file: &Clearing, booked: Minor) -> BTreeSet<Minor> {
    let session = (file.rail, file.date);
    let awaited = state.awaited_sessions.get(&session).copied().unwrap_or_default();
    let further = |other: DifferenceId| {
        let (of, brings) = brings(state, other)?;
        (other != id && of == session).then_some(brings)
    };
    let mut amounts = BTreeSet::from([booked, awaited.saturating_add(booked)]);
    for brings in state.open_differences.iter().filter_map(|(other, ())| further(*other)).take(MAX_FURTHER) {
        let with: Vec<Minor> = amounts.iter().map(|amount| amount.saturating_add(brings)).collect();
        amounts.extend(with);
    }
    amounts
}

/// Which session told of a difference, and what its line brings to the reserve account if it stands; none where its kind is not known.
fn brings(state: &State, id: DifferenceId) -> Option<((Rail, Date), Minor)> {
    let (file, difference) = state.difference(id).ok()?;
    let line = difference.line.or_else(|| line_of_awaited(state, difference))?;
    Some(((file.rail, file.date), signed(line, difference.amount)))
}

/// The session that would await just this line of the statement if two people let open differences of it stand, and those differences.
/// Taken to suspense, the session would await for ever what has come.
pub(crate) fn session_of(state: &State, line: &TakeReserveLine) -> Option<((Rail, Date), Vec<DifferenceId>)> {
    if line.currency != Currency::Cny {
        return None;
    }
    let mut sessions: BTreeMap<(Rail, Date), Vec<(DifferenceId, Minor)>> = BTreeMap::new();
    for (id, ()) in state.open_differences.iter() {
        if let Some((session, brings)) = brings(state, *id)
            && session.1 <= line.date
        {
            sessions.entry(session).or_default().push((*id, brings));
        }
    }
    sessions.into_iter().find_map(|(session, open)| {
        let awaited = state.awaited_sessions.get(&session).copied().unwrap_or_default();
        let of = making_up(line.direction.signed(line.amount), awaited, &open)?;
        Some((session, of))
    })
}

/// The differences that make up an amount with what a session awaits: all, or some of the first.
fn making_up(amount: Minor, awaited: Minor, open: &[(DifferenceId, Minor)]) -> Option<Vec<DifferenceId>> {
    if open.iter().fold(awaited, |sum, (_, brings)| sum.saturating_add(*brings)) == amount {
        return Some(open.iter().map(|(id, _)| *id).collect());
    }
    let mut sums: BTreeMap<Minor, Vec<DifferenceId>> = BTreeMap::from([(awaited, Vec::new())]);
    for (id, brings) in open.iter().take(MAX_FURTHER) {
        let with = sums.iter().map(|(sum, of)| (sum.saturating_add(*brings), [of.as_slice(), &[*id]].concat()));
        for (sum, of) in with.collect::<Vec<_>>() {
            sums.entry(sum).or_insert(of);
        }
    }
    sums.remove(&amount)
}

/// The lines of the statement of which something lies in suspense.
fn suspended(state: &State) -> impl Iterator<Item = (&SuspenseItem, &ReserveLine)> {
    let of = |line| BusinessNumber::object(BusinessKind::ReserveLine, line);
    let all = (of(0), SuspenseId(0))..=(of(u64::MAX), SuspenseId(u64::MAX));
    state.open_suspense.range(all).filter_map(move |((source, item), ())| match source {
        BusinessNumber::Object { id, .. } => state.suspense_items.get(item.0).zip(state.reserve_lines.get(*id)),
        BusinessNumber::Bulk { .. } | BusinessNumber::Text(_) | BusinessNumber::Step { .. } => None,
    })
}
