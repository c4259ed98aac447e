//! Differences between clearing files and these books (清算差异), and how each ends.
//!
//! ```text
//!  a line that the books know otherwise, or what is in no file ─► OPEN
//!     OPEN ─ a later file's line matches it, or brings what was missing ─► MATCHED, by itself
//!      │ └─ two people settle it: its line stands, and is booked, or it does not ─► SETTLED
//!      └─ missing still in a later file: OPEN as before, and the later one is AGAIN from its birth
//!  another amount that the books took all the same ─► MATCHED from its birth
//! ```
//! A difference is kept in the file that told of it, and nowhere else: open is what has no end. What is open of an attempt that
//! succeeded lies on the rail's clearing account, so a settlement leaves nothing of it there once its session's line of the statement
//! has come: that brings what stands to 1101, as if the file had matched it, and a voucher takes the rest. An order is due by a line
//! that stands, and by no other settlement.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use minicbor::{Decode, Encode};

use super::{Clearing, ClearingLine, LineKind, clear_orders, cleared, leg_cleared, orders_of, returns, uncleared_key};
use crate::approval;
use crate::attempt::{Attempt, Purpose, Rail, attempt_of_serial};
use crate::book::Subject;
use crate::command::Reply;
use crate::draft::Draft;
use crate::event::Event;
use crate::ids::{ApprovalId, AttemptId, ClearingId, IdError, PayoutId, VoucherId};
use crate::manual_voucher::{self, ManualVoucher};
use crate::money::{Currency, Minor};
use crate::refusal::{Refusal, RefusalCode};
use crate::reserve_line::session;
use crate::state::State;
use crate::task;
use crate::voucher::{BusinessKind, BusinessNumber};

#[cfg(test)]
mod tests;
pub(crate) mod twice;

use twice::stood_key;

/// Why a line or an attempt does not match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum DifferenceKind {
    /// The serial is none of ours, or of another channel.
    #[n(0)]
    UnknownSerial,
    /// The kind, amount or currency is not what was asked for.
    #[n(1)]
    OtherContent,
    /// An earlier line matched it already, or two people let one of its serial stand in another channel's file.
    #[n(2)]
    Repeated,
    /// It had failed for us, and nothing of it can be booked by the file: a return of what did not arrive.
    #[n(3)]
    FailedHere,
    /// It succeeded for us and is in no file up to this date.
    #[n(4)]
    Missing,
}

impl DifferenceKind {
    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnknownSerial => "unknown_serial",
            Self::OtherContent => "other_content",
            Self::Repeated => "repeated",
            Self::FailedHere => "failed_here",
            Self::Missing => "missing",
        }
    }
}

/// Which difference, by its file and its place in it, from 1: `clr_3_17`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct DifferenceId {
    /// The part of a file that told of it.
    #[n(0)]
    pub clearing: ClearingId,
    /// Its place among the differences of that part, from 1.
    #[n(1)]
    pub number: u32,
}

impl DifferenceId {
    /// Where it lies in its part's list; none for 0, which names nothing.
    fn at(self) -> Option<usize> {
        usize::try_from(self.number).ok()?.checked_sub(1)
    }
}

impl fmt::Display for DifferenceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.clearing, self.number)
    }
}

impl FromStr for DifferenceId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let wrong = || IdError { text: format!("{text:.64}"), prefix: "clr_3" };
        let (clearing, number) = text.rsplit_once('_').ok_or_else(wrong)?;
        let digits = !number.starts_with('0') && number.bytes().all(|byte| byte.is_ascii_digit());
        let number = number.parse::<u32>().ok().filter(|_| digits).ok_or_else(wrong)?;
        Ok(Self { clearing: clearing.parse().map_err(|_| wrong())?, number })
    }
}

/// How a difference ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum DifferenceEnd {
    /// It was told before: that one stands for it.
    #[n(0)]
    Again(#[n(0)] DifferenceId),
    /// A line of this part matched it.
    #[n(1)]
    Matched(#[n(0)] ClearingId),
    /// Two people settled it.
    #[n(2)]
    Settled {
        /// Whose decision it was; a voucher of theirs bears its number.
        #[n(0)]
        approval: ApprovalId,
        /// Whether the line stands.
        #[n(1)]
        accepted: bool,
        /// What of its session's line of the statement that is, in minor units; below zero if it takes out.
        #[n(2)]
        booked: Minor,
        /// Whether the statement's line books it (level 18); before, the settlement did.
        #[n(3)]
        by_line: Option<bool>,
    },
}

/// A difference between a clearing file and what we know.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Difference {
    /// Why.
    #[n(0)]
    pub kind: DifferenceKind,
    /// The line's serial, or the missing attempt's.
    #[n(1)]
    pub serial: String,
    /// Minor units, of the line or the missing attempt.
    #[n(2)]
    pub amount: Minor,
    /// What kind of line it is, or would be of what is missing. None in files of before level 16, and of cards.
    #[n(3)]
    pub line: Option<LineKind>,
    /// How it ended; none while it is open.
    #[n(4)]
    pub end: Option<DifferenceEnd>,
    /// Of a line that would have matched, the difference by which two people had let it stand before (level 16).
    #[n(5)]
    pub before: Option<DifferenceId>,
}

impl Difference {
    /// One that is open.
    pub(crate) fn new(kind: DifferenceKind, serial: &str, amount: Minor) -> Self {
        Self { kind, serial: format!("{serial:.40}"), amount, line: None, end: None, before: None }
    }

    /// A line that differs.
    pub(super) fn of_line(kind: DifferenceKind, line: &ClearingLine) -> Self {
        Self { line: Some(line.kind), ..Self::new(kind, &line.serial, line.amount) }
    }

    /// Whether nothing ended it.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.end.is_none()
    }
}

/// Says how a difference is settled; takes two people.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SettleDifference {
    /// Which.
    #[n(0)]
    pub difference: DifferenceId,
    /// Whether its line stands, and what is missing did move: then it is booked, and its order is due, as if the file had matched it.
    #[n(1)]
    pub accepted: bool,
    /// What takes from the rail's clearing account what the settlement leaves there; none where it leaves nothing.
    #[n(2)]
    pub voucher: Option<ManualVoucher>,
}

/// A difference as two people settled it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SettledDifference {
    /// Which.
    #[n(0)]
    pub difference: DifferenceId,
    /// Those that told of the same attempt or return as missing.
    #[n(1)]
    pub also: Vec<DifferenceId>,
    /// The attempt that awaits no file any more.
    #[n(2)]
    pub attempt: Option<AttemptId>,
    /// The payout whose return awaits no file any more.
    #[n(3)]
    pub payout: Option<PayoutId>,
    /// Whether the line stands.
    #[n(4)]
    pub accepted: bool,
    /// What of its session's line of the statement that is, in minor units.
    #[n(5)]
    pub booked: Minor,
    /// What booked that before the statement's line (up to level 17, and of a session that began so).
    #[n(6)]
    pub session: Option<VoucherId>,
    /// What took the rest from the rail's clearing account.
    #[n(7)]
    pub voucher: Option<VoucherId>,
    /// Whose decision it was.
    #[n(8)]
    pub approval: ApprovalId,
}

/// What became of differences.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum DifferenceEvent {
    /// A part of a later file matched them.
    #[n(0)]
    Matched {
        /// The part.
        #[n(0)]
        clearing: ClearingId,
        /// Which.
        #[n(1)]
        differences: Vec<DifferenceId>,
    },
    /// Two people settled one; its vouchers were posted before.
    #[n(1)]
    Settled(#[n(0)] SettledDifference),
}

impl Clearing {
    /// Its differences with their ids.
    pub fn numbered(&self) -> impl Iterator<Item = (DifferenceId, &Difference)> {
        let clearing = self.id;
        (1_u32..).zip(&self.differences).map(move |(number, it)| (DifferenceId { clearing, number }, it))
    }

    /// How many of its differences are open.
    #[must_use]
    pub fn open_differences(&self) -> u32 {
        u32::try_from(self.differences.iter().filter(|it| it.is_open()).count()).unwrap_or(u32::MAX)
    }

    /// What the statement of the reserve account shows of it: the net of its lines that matched, and of those that two people let stand.
    #[must_use]
    pub fn session_net(&self) -> Minor {
        let stands = |difference: &Difference| match difference.end {
            Some(DifferenceEnd::Settled { booked, .. }) => booked,
            Some(DifferenceEnd::Again(_) | DifferenceEnd::Matched(_)) | None => 0,
        };
        self.differences.iter().map(stands).fold(self.net(), Minor::saturating_add)
    }
}

/// The differences of a part that are open.
pub(crate) fn open_keys(clearing: &Clearing) -> impl Iterator<Item = DifferenceId> {
    clearing.numbered().filter(|(_, it)| it.is_open()).map(|(id, _)| id)
}

/// Whose serial it is.
fn attempt_of<'s>(state: &'s State, serial: &str) -> Option<&'s Attempt> {
    let attempt = state.attempts.get(attempt_of_serial(serial)?.0)?;
    (attempt.serial() == serial).then_some(attempt)
}

/// What is open of what a channel's files may still bring: each file tells of it, and it is open once.
#[derive(Debug)]
pub(super) struct Told(BTreeMap<(String, LineKind), DifferenceId>);

impl Told {
    /// What earlier files of the channel and the lines of this part told.
    pub(super) fn before(state: &State, clearing: &Clearing) -> Self {
        let channel = clearing.channel_name();
        let mut told = BTreeMap::new();
        let mut tell = |id: DifferenceId, difference: &Difference| {
            if let Some(line) = line_of_awaited(state, difference) {
                told.entry((difference.serial.clone(), line)).or_insert(id);
            }
        };
        for (id, ()) in state.open_differences.iter() {
            if let Ok((file, difference)) = state.difference(*id)
                && file.channel_name() == channel
            {
                tell(*id, difference);
            }
        }
        clearing.numbered().filter(|(_, it)| it.is_open()).for_each(|(id, it)| tell(id, it));
        Self(told)
    }

    /// That something is missing: once more, if it was told.
    pub(super) fn missing(&self, line: Option<LineKind>, serial: &str, amount: Minor) -> Difference {
        let before = line.and_then(|line| self.0.get(&(String::from(serial), line)));
        let end = before.map(|id| DifferenceEnd::Again(*id));
        Difference { line, end, ..Difference::new(DifferenceKind::Missing, serial, amount) }
    }
}

/// Which line would match, of a difference that is about one of ours.
fn line_of_awaited(state: &State, difference: &Difference) -> Option<LineKind> {
    match difference.kind {
        DifferenceKind::Missing | DifferenceKind::OtherContent => {}
        DifferenceKind::Repeated if difference.before.is_some() => {}
        DifferenceKind::UnknownSerial | DifferenceKind::Repeated | DifferenceKind::FailedHere => return None,
    }
    difference.line.or_else(|| LineKind::of(&attempt_of(state, &difference.serial)?.operation))
}

/// The open differences that a part ends which matched these.
pub(super) fn matched(
    state: &State,
    clearing: &Clearing,
    attempts: &BTreeSet<AttemptId>,
    returned: &BTreeSet<PayoutId>,
) -> Vec<DifferenceId> {
    let channel = clearing.channel_name();
    let is_over = |id: &DifferenceId| {
        state.difference(*id).is_ok_and(|(file, difference)| match difference.kind {
            // The line that matched, or that two people let stand, came before it.
            DifferenceKind::Repeated => false,
            DifferenceKind::Missing => {
                file.channel_name() == channel && has_come(state, difference, attempts, returned)
            }
            // Another part of one file takes nothing back: the file says that both lines moved.
            DifferenceKind::UnknownSerial | DifferenceKind::OtherContent | DifferenceKind::FailedHere => {
                let same_file = file.date == clearing.date && file.channel_name() == channel;
                !same_file && has_matched(state, difference, attempts, returned)
            }
        })
    };
    state.open_differences.iter().map(|(id, ())| *id).filter(is_over).collect()
}

/// Whether what was missing is in a file: this one, or one of before ends were kept.
fn has_come(
    state: &State,
    difference: &Difference,
    attempts: &BTreeSet<AttemptId>,
    returned: &BTreeSet<PayoutId>,
) -> bool {
    let Some(attempt) = attempt_of(state, &difference.serial) else { return false };
    let went = attempt.cleared.is_some() || attempts.contains(&attempt.id);
    let Purpose::Payout(id) = attempt.purpose else { return went && difference.line != Some(LineKind::Return) };
    let payout = || state.payouts.get(id.0);
    let back = || returned.contains(&id) || payout().is_some_and(|payout| payout.return_cleared.is_some());
    match difference.line {
        Some(LineKind::Return) => back(),
        Some(LineKind::Debit | LineKind::Refund | LineKind::Pay) => went,
        // Before level 16 a file said the same of a payment and of its return.
        None => went && (back() || payout().is_some_and(|payout| returns::uncleared_key(payout).is_none())),
    }
}

/// Whether a line of this part, under the serial of one that differed, matched: of a serial that was unknown the same line, which
/// another channel's file may bring.
fn has_matched(
    state: &State,
    difference: &Difference,
    attempts: &BTreeSet<AttemptId>,
    returned: &BTreeSet<PayoutId>,
) -> bool {
    let of_return = difference.line == Some(LineKind::Return);
    let possible =
        attempt_of_serial(&difference.serial).filter(|id| (of_return && !returned.is_empty()) || attempts.contains(id));
    let Some(attempt) = possible.and_then(|_| attempt_of(state, &difference.serial)) else { return false };
    let same_line = match (difference.line, attempt.purpose) {
        (Some(LineKind::Return), Purpose::Payout(payout)) => returned.contains(&payout),
        (Some(LineKind::Return), _) => false,
        (line, _) => attempts.contains(&attempt.id) && (line.is_none() || line == LineKind::of(&attempt.operation)),
    };
    same_line && (difference.kind != DifferenceKind::UnknownSerial || attempt.operation.money().0 == difference.amount)
}

/// Ends what a part matched.
pub(super) fn end(draft: &mut Draft<'_>, clearing: ClearingId, differences: Vec<DifferenceId>) {
    if !differences.is_empty() {
        draft.emit(Event::Difference(DifferenceEvent::Matched { clearing, differences }));
    }
}

/// What of ours awaits a file, and lies on the rail's clearing account until then.
#[derive(Debug, Clone, Copy)]
enum Awaiting {
    Attempt(AttemptId),
    Return(PayoutId),
}

/// What of ours awaits the line of a difference, the kind of its line and minor units.
fn awaiting(state: &State, file: &Clearing, difference: &Difference) -> Option<(Awaiting, LineKind, Minor)> {
    let line = line_of_awaited(state, difference)?;
    let attempt = attempt_of(state, &difference.serial).filter(|attempt| file.is_about(attempt))?;
    if line == LineKind::Return {
        let Purpose::Payout(id) = attempt.purpose else { return None };
        let payout = state.payouts.get(id.0)?;
        let awaits = payout.return_cleared.is_none() && returns::uncleared_key(payout).is_some();
        return awaits.then_some((Awaiting::Return(id), line, payout.amount));
    }
    let awaits = attempt.cleared.is_none() && uncleared_key(attempt).is_some();
    let ours = (awaits && LineKind::of(&attempt.operation) == Some(line)).then_some(attempt)?;
    Some((Awaiting::Attempt(ours.id), line, ours.operation.money().0))
}

/// What a line brings to the reserve account: below zero where it takes out.
const fn signed(line: LineKind, amount: Minor) -> Minor {
    match line {
        LineKind::Debit | LineKind::Return => amount,
        LineKind::Refund | LineKind::Pay => amount.saturating_neg(),
    }
}

/// Settles a difference, as two people saw it.
///
/// # Errors
/// `approval_required`; `clearing_unknown`; `difference_state` if it is not open, its line cannot stand or its money may lie in suspense
/// already; `difference_voucher` for a voucher that does not leave the rail's clearing account even once the session's line has come;
/// `calendar_unknown`, those of a manual voucher, and `insufficient_funds` where what goes out is booked before its line.
pub fn decide_settle(draft: &mut Draft<'_>, command: SettleDifference) -> Result<Reply, Refusal> {
    let approval = approval::require(draft, "settling a difference of a clearing file")?.id;
    let SettleDifference { difference: id, accepted, voucher } = command;
    let (file, difference) = draft.state.difference(id)?;
    let (file, difference) = (file.clone(), difference.clone());
    if !difference.is_open() {
        return Err(state_of(format!("{id} has ended; look at how")));
    }
    let ours = awaiting(draft.state, &file, &difference);
    let booked = if accepted { stands(id, &difference, ours)? } else { 0 };
    if accepted {
        twice::refuse_suspended(draft.state, id, &file, booked)?;
    }
    let lies = ours.map_or(0, |(_, line, asked)| signed(line, asked));
    // What is left on the rail's account, on its credit side.
    let left = i128::from(booked).saturating_sub(i128::from(lies));
    takes(draft.state, file.rail, voucher.as_ref(), left)?;
    let step = BusinessNumber::step(BusinessKind::Clearing, id.clearing.0, id.number);
    let ahead = session::book_ahead(draft, file.session(), booked, step)?;
    let voucher = voucher.map(|voucher| manual_voucher::post(draft, voucher)).transpose()?;
    let (attempt, payout) = match ours {
        Some((Awaiting::Attempt(attempt), ..)) => (Some(attempt), None),
        Some((Awaiting::Return(payout), ..)) => (None, Some(payout)),
        None => (None, None),
    };
    let due = attempt.filter(|_| accepted).into_iter().collect();
    let orders = orders_of(draft.state, &due)?;
    let also = also_missing(draft.state, id, ours.is_some().then_some((&file, &difference)));
    let settled = SettledDifference {
        difference: id,
        also,
        attempt,
        payout,
        accepted,
        booked,
        session: ahead,
        voucher,
        approval,
    };
    draft.emit(Event::Difference(DifferenceEvent::Settled(settled)));
    clear_orders(draft, &orders)?;
    Ok(Reply::Clearing(id.clearing))
}

fn state_of(message: String) -> Refusal {
    Refusal::new(RefusalCode::DifferenceState, "difference", message)
}

/// What a line that stands brings.
fn stands(
    id: DifferenceId,
    difference: &Difference,
    ours: Option<(Awaiting, LineKind, Minor)>,
) -> Result<Minor, Refusal> {
    if difference.kind == DifferenceKind::Missing && ours.is_none() {
        return Err(state_of(format!(
            "nothing of {id} awaits a file any more, so nothing of it is booked; do not accept it"
        )));
    }
    let line = difference.line.or(ours.map(|(_, line, _)| line));
    let line = line.ok_or_else(|| state_of(format!("which kind of line {id} was is not known; do not accept it")))?;
    Ok(signed(line, difference.amount))
}

/// Whether a voucher takes from the rail's clearing account just what is left there. What a fund's centre or a bank owes lies on 1131, as
/// any claim does, so it may stay there without a voucher.
fn takes(state: &State, rail: Rail, voucher: Option<&ManualVoucher>, left: i128) -> Result<(), Refusal> {
    let subject = rail.subject();
    if subject == Subject::ReceivableFund && voucher.is_none() && left < 0 {
        return Ok(());
    }
    let taken = voucher.map_or(Ok(0), |voucher| task::taken_from(state, voucher, subject, Currency::Cny))?;
    if taken == left {
        return Ok(());
    }
    let subject = subject.code();
    let message = format!(
        "the settlement leaves {left} CNY on {subject} and the voucher takes {taken} from it (debit above zero, credit below); take {left}"
    );
    Err(Refusal::new(RefusalCode::DifferenceVoucher, "voucher", message))
}

/// The other open differences that tell of what two people settle as missing.
fn also_missing(state: &State, id: DifferenceId, of: Option<(&Clearing, &Difference)>) -> Vec<DifferenceId> {
    let Some((file, difference)) = of else { return Vec::new() };
    let (channel, line) = (file.channel_name(), line_of_awaited(state, difference));
    let is_same = |other: &DifferenceId| {
        state.difference(*other).is_ok_and(|(told_by, it)| {
            it.kind == DifferenceKind::Missing
                && it.serial == difference.serial
                && line_of_awaited(state, it) == line
                && told_by.channel_name() == channel
        })
    };
    state.open_differences.iter().map(|(other, ())| *other).filter(|other| *other != id && is_same(other)).collect()
}

impl State {
    /// A difference and the part of a file that told of it.
    ///
    /// # Errors
    /// `clearing_unknown`.
    pub fn difference(&self, id: DifferenceId) -> Result<(&Clearing, &Difference), Refusal> {
        let file = self.clearing(id.clearing)?;
        let unknown = || {
            let message = format!("{} lists {} differences, and not {id}", id.clearing, file.differences.len());
            Refusal::new(RefusalCode::ClearingUnknown, "difference", message)
        };
        id.at().and_then(|at| file.differences.get(at)).map(|difference| (file, difference)).ok_or_else(unknown)
    }
}

/// Folds what became of differences into the state.
pub(crate) fn apply(state: &mut State, event: &DifferenceEvent) {
    match event {
        DifferenceEvent::Matched { clearing, differences } => {
            ended(state, differences, DifferenceEnd::Matched(*clearing));
        }
        DifferenceEvent::Settled(settled) => {
            let SettledDifference { difference, attempt, payout, accepted, booked, session: ahead, approval, .. } =
                *settled;
            let by_line = (booked != 0 && ahead.is_none()).then_some(true);
            ended(state, &[difference], DifferenceEnd::Settled { approval, accepted, booked, by_line });
            ended(state, &settled.also, DifferenceEnd::Settled { approval, accepted, booked: 0, by_line: None });
            let file = state.clearings.get(difference.clearing.0).expect("decide looked at the file");
            let (of, date) = (file.session(), file.date);
            session::await_session(state, of, booked);
            if ahead.is_some() {
                session::booked_ahead(state, of, booked);
            }
            match attempt {
                Some(id) if accepted => leg_cleared(state, id, date),
                Some(id) => {
                    cleared(state, id, date);
                }
                None => {}
            }
            returns::apply_cleared(state, date, payout.as_slice());
        }
    }
}

/// A file is changed once for all of its own that follow on each other: an image of it has them all.
fn ended(state: &mut State, ids: &[DifferenceId], end: DifferenceEnd) {
    for of_file in ids.chunk_by(|one, next| one.clearing == next.clearing) {
        let Some(DifferenceId { clearing, .. }) = of_file.first() else { continue };
        let file = state.clearings.get_mut(clearing.0).expect("decide looked at the file");
        for id in of_file {
            let difference =
                id.at().and_then(|at| file.differences.get_mut(at)).expect("decide looked at the difference");
            difference.end = Some(end);
            if let Some(key) = stood_key(*id, difference) {
                state.stood_lines.insert(key, ());
            }
        }
        of_file.iter().for_each(|id| state.open_differences.remove(id));
    }
}
