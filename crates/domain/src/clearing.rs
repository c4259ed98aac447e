//! Clearing files (清算文件): what a network says it moved, matched line by line with what we know. Nothing is settled to a
//! merchant before its payment is matched here.
//!
//! ```text
//!  TakeClearingFile(rail, date, part 1) … (last part)
//!    a line ─ its attempt succeeded with the same amount ─► matched: its leg is cleared
//!           ├ its attempt waits for an answer ─► the file answers it: success, then matched
//!           ├ its attempt had failed for us ─► a late success: an order's money goes back as money no order can use, a
//!           │                                  top-up's goes to its account, and back if it is another amount; a refund's
//!           │                                  is taken again; what is not there to be taken, and a payout's, is claimed
//!           ├ a payer's debit that has not succeeded brought another amount ─► it failed, what came is such a late success;
//!           │                                  and a difference
//!           ├ it says that a payout came back ─► booked unless it is already, and matched: see [`returns`]
//!           ├ two people let a line of its serial stand in another channel's file ─► nothing is booked: a difference
//!           └ anything else ─► a difference, which ends as [`difference`] says
//!    after the last part: what succeeded up to that date and is in no file ─► a difference, once a file
//!    the net of the matched lines ─► the statement's line of the session books it: see [`session`]
//! ```
//! A file comes once, of each channel of a rail: the same (channel, date, part) again is refused, and no file speaks for what another
//! channel of the rail was asked. An order whose legs are all cleared is due one working
//! day after the latest of their dates.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use crate::attempt::{
    self, Attempt, AttemptStatus, FailureClass, Operation, Outcome, Purpose, Rail, attempt_of_serial,
};
use crate::calendar::Date;
use crate::channel::ChannelName;
use crate::command::Reply;
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::fund_batch::FundRoute;
use crate::ids::{AttemptId, ClearingId, OrderId, PayoutId, VoucherId};
use crate::money::{Currency, Minor, positive};
use crate::order::{ClearedOrder, OrderStatus, name_fits};
use crate::payment::part;
use crate::refusal::{Refusal, RefusalCode};
use crate::reserve_line::{Session, session};
use crate::state::State;
use crate::voucher::{BusinessKind, BusinessNumber};

pub mod difference;
pub(crate) mod returns;
#[cfg(test)]
mod tests;

use difference::twice::stood_before;
pub use difference::{Difference, DifferenceKind};
use difference::{DifferenceEnd, Told};

/// The most lines of one part of a file.
pub const MAX_LINES: usize = 5_000;
/// How many differences a part lists; all are counted.
pub const MAX_DIFFERENCES: usize = 1_000;
/// Working days from clearing to settlement (T+1).
pub const SETTLE_AFTER: u32 = 1;

/// What a line of a clearing file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum LineKind {
    /// Money in: a debit, or a fund's payment.
    #[n(0)]
    Debit,
    /// Money back to a payer.
    #[n(1)]
    Refund,
    /// Money out to a bank account.
    #[n(2)]
    Pay,
    /// Money in: a payment to a bank account that came back (退票), under the payment's own serial.
    #[n(3)]
    Return,
}

impl LineKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Debit, Self::Refund, Self::Pay, Self::Return];

    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Debit => "debit",
            Self::Refund => "refund",
            Self::Pay => "pay",
            Self::Return => "return",
        }
    }

    /// The kind of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The kind of line that an operation brings about, if it moves money.
    #[must_use]
    pub const fn of(operation: &Operation) -> Option<Self> {
        match operation {
            Operation::Debit { .. } | Operation::FundCapture { .. } | Operation::Redirect { .. } => Some(Self::Debit),
            Operation::Refund { .. } => Some(Self::Refund),
            Operation::Pay { .. } => Some(Self::Pay),
            Operation::FundBatch { route: FundRoute::Reserve, .. } => Some(Self::Debit),
            Operation::FundHold { .. }
            | Operation::FundRelease { .. }
            | Operation::FundBatch { route: FundRoute::Direct, .. } => None,
        }
    }
}

/// A line of a clearing file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClearingLine {
    /// The serial that we gave the attempt; of a return, the payment's.
    pub serial: String,
    /// What it is.
    pub kind: LineKind,
    /// Minor units above zero.
    pub amount: Minor,
    /// Its currency.
    pub currency: Currency,
    /// The channel's own reference, 1 to 64 bytes, where the file has one: what a later refund names.
    pub reference: Option<String>,
}

/// Takes a part of a clearing file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakeClearingFile {
    /// Whose file.
    pub rail: Rail,
    /// The network's clearing date.
    pub date: Date,
    /// Which part of it, from 1.
    pub part: u32,
    /// Whether it is the last part.
    pub last: bool,
    /// At most [`MAX_LINES`].
    pub lines: Vec<ClearingLine>,
    /// The word of the rail's further channel whose file it is; the rail's first if none.
    pub channel: Option<String>,
}

impl TakeClearingFile {
    /// Whose file.
    #[must_use]
    pub fn channel_name(&self) -> ChannelName {
        ChannelName { rail: self.rail, word: self.channel.clone() }
    }
}

/// A part of a clearing file as it was taken.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Clearing {
    /// Its id.
    #[n(0)]
    pub id: ClearingId,
    /// Whose file.
    #[n(1)]
    pub rail: Rail,
    /// The network's clearing date.
    #[n(2)]
    pub date: Date,
    /// Which part of it.
    #[n(3)]
    pub part: u32,
    /// Whether it was the last.
    #[n(4)]
    pub last: bool,
    /// How many lines it had.
    #[n(5)]
    pub lines: u32,
    /// How many of them matched.
    #[n(6)]
    pub matched: u32,
    /// Σ matched debits.
    #[n(7)]
    pub debited: Minor,
    /// Σ matched refunds.
    #[n(8)]
    pub refunded: Minor,
    /// Σ matched payouts.
    #[n(9)]
    pub paid: Minor,
    /// How many lines, or attempts after the last part, differ.
    #[n(10)]
    pub different: u32,
    /// The first [`MAX_DIFFERENCES`] of them.
    #[n(11)]
    pub differences: Vec<Difference>,
    /// What booked the net before the statement's line (up to level 17, and parts of a session that began so).
    #[n(12)]
    pub voucher: Option<VoucherId>,
    /// When it was taken.
    #[n(13)]
    pub taken_at: Time,
    /// Σ matched returns of payouts.
    #[n(14)]
    pub returned: Minor,
    /// The word of the rail's further channel whose file it is; the rail's first if none.
    #[n(15)]
    pub channel: Option<String>,
}

impl Clearing {
    /// Whose file.
    #[must_use]
    pub fn channel_name(&self) -> ChannelName {
        ChannelName { rail: self.rail, word: self.channel.clone() }
    }

    /// Its session.
    pub(crate) const fn session(&self) -> Session {
        Session { rail: self.rail, date: self.date }
    }

    /// Whether an attempt is asked of the channel whose file it is.
    fn is_about(&self, attempt: &Attempt) -> bool {
        attempt.rail == self.rail && attempt.channel == self.channel
    }

    /// What the matched lines bring to the central bank account; below zero if more went out.
    #[must_use]
    pub const fn net(&self) -> Minor {
        self.debited.saturating_sub(self.refunded).saturating_sub(self.paid).saturating_add(self.returned)
    }

    /// What of it was booked before its session's line of the statement (up to level 17): its net, and lines that two people let stand.
    pub(crate) fn booked_ahead(&self) -> Minor {
        let stood = self.differences.iter().map(|difference| match difference.end {
            Some(DifferenceEnd::Settled { booked, by_line: None, .. }) => booked,
            Some(
                DifferenceEnd::Settled { by_line: Some(_), .. } | DifferenceEnd::Again(_) | DifferenceEnd::Matched(_),
            )
            | None => 0,
        });
        stood.fold(if self.voucher.is_some() { self.net() } else { 0 }, Minor::saturating_add)
    }

    fn differs(&mut self, difference: Difference) {
        self.different += 1;
        if self.differences.len() < MAX_DIFFERENCES {
            self.differences.push(difference);
        }
    }
}

/// Takes a part of a clearing file.
///
/// # Errors
/// `clearing_duplicate`, `value_invalid` of a part or a reference, `currency_mismatch`, `amount_not_positive`, `amount_overflow`,
/// `calendar_unknown`, and `insufficient_funds` where what goes out is booked before its line.
pub fn decide_take(draft: &mut Draft<'_>, command: &TakeClearingFile) -> Result<Reply, Refusal> {
    check_file(draft.state, command)?;
    let id = ClearingId(draft.state.clearings.next_id());
    let TakeClearingFile { rail, date, part, last, ref lines, ref channel } = *command;
    let mut clearing = Clearing {
        id,
        rail,
        date,
        part,
        last,
        lines: u32::try_from(lines.len()).unwrap_or(u32::MAX),
        matched: 0,
        debited: 0,
        refunded: 0,
        paid: 0,
        different: 0,
        differences: Vec::new(),
        voucher: None,
        taken_at: draft.context.now,
        returned: 0,
        channel: channel.clone(),
    };
    let (mut matched, mut returned) = (BTreeSet::new(), BTreeSet::new());
    for line in lines {
        // What two people booked already is not matched: they look again.
        let before = stood_before(draft.state, line);
        let is_new = match line.kind {
            LineKind::Return => {
                returns::match_line(draft, &clearing, line)?.map(|payout| before.is_none() && returned.insert(payout))
            }
            LineKind::Debit | LineKind::Refund | LineKind::Pay => {
                match_line(draft, &mut clearing, line)?.map(|attempt| before.is_none() && matched.insert(attempt))
            }
        };
        match is_new {
            Ok(true) => count(&mut clearing, line)?,
            Ok(false) => {
                clearing.differs(Difference { before, ..Difference::of_line(DifferenceKind::Repeated, line) });
            }
            Err(kind) => clearing.differs(Difference::of_line(kind, line)),
        }
    }
    if last {
        let told = Told::before(draft.state, &clearing);
        missing(draft.state, &mut clearing, &matched, &told);
        returns::missing(draft.state, &mut clearing, &returned, &told);
    }
    let business = BusinessNumber::object(BusinessKind::Clearing, id.0);
    clearing.voucher = session::book_ahead(draft, clearing.session(), clearing.net(), business)?;
    let orders = orders_of(draft.state, &matched)?;
    let ended = difference::matched(draft.state, &clearing, &matched, &returned);
    let (matched, returned) = (matched.into_iter().collect(), returned.into_iter().collect());
    draft.emit(Event::ClearingTaken { clearing, matched, returned });
    difference::end(draft, id, ended);
    clear_orders(draft, &orders)?;
    Ok(Reply::Clearing(id))
}

fn check_file(state: &State, file: &TakeClearingFile) -> Result<(), Refusal> {
    let TakeClearingFile { rail, date, part, .. } = *file;
    let channel = file.channel_name();
    channel.check()?;
    if part == 0 || file.lines.len() > MAX_LINES {
        let message =
            format!("part {part} has {} lines; parts count from 1 with at most {MAX_LINES}", file.lines.len());
        return Err(Refusal::new(RefusalCode::ValueInvalid, "part", message));
    }
    if let Some(earlier) = state.clearing_files.get(&(channel.clone(), date, part)) {
        let message = format!("part {part} of {channel} for {date} was taken as {earlier}");
        return Err(Refusal::new(RefusalCode::ClearingDuplicate, "part", message));
    }
    if rail == Rail::OwnBank {
        let message =
            "own money moves outside the networks and has no clearing file; name epcc, unionpay, fund or pingan";
        return Err(Refusal::new(RefusalCode::ValueInvalid, "rail", message));
    }
    for line in &file.lines {
        positive(line.amount, "amount")?;
        if line.currency != Currency::Cny {
            let message = format!("the networks clear in CNY, not {}", line.currency.code());
            return Err(Refusal::new(RefusalCode::CurrencyMismatch, "currency", message));
        }
        line.reference.as_deref().map_or(Ok(()), |reference| name_fits(reference, "reference"))?;
    }
    Ok(())
}

/// The attempt that a line matches. A line answers an attempt that waits, and one that had failed for us where the money
/// can go back. Of another amount it is a difference, and goes back too.
fn match_line(
    draft: &mut Draft<'_>,
    clearing: &mut Clearing,
    line: &ClearingLine,
) -> Result<Result<AttemptId, DifferenceKind>, Refusal> {
    let known = attempt_of_serial(&line.serial).and_then(|id| draft.state.attempts.get(id.0));
    let Some(attempt) = known.filter(|attempt| clearing.is_about(attempt) && attempt.serial() == line.serial) else {
        return Ok(Err(DifferenceKind::UnknownSerial));
    };
    let (id, (asked, currency)) = (attempt.id, attempt.operation.money());
    if LineKind::of(&attempt.operation) != Some(line.kind) || currency != line.currency {
        return Ok(Err(DifferenceKind::OtherContent));
    }
    let open = !matches!(attempt.status, AttemptStatus::Settled(Outcome::Success { .. }));
    if asked != line.amount && open && attempt.cleared.is_none() && part::takes(draft.state, attempt, line.amount) {
        return succeed(draft, clearing, id, (line, Some(line.amount)));
    }
    if asked != line.amount {
        if !takes_other_amount(attempt) {
            return Ok(Err(DifferenceKind::OtherContent));
        }
        brought(draft, id, line.amount)?;
        // The books take what came: nobody has to end this one.
        let end = Some(DifferenceEnd::Matched(clearing.id));
        clearing.differs(Difference { end, ..Difference::of_line(DifferenceKind::OtherContent, line) });
        return succeed(draft, clearing, id, (line, None));
    }
    if attempt.cleared.is_some() {
        return Ok(Err(DifferenceKind::Repeated));
    }
    if open { succeed(draft, clearing, id, (line, None)) } else { Ok(Ok(id)) }
}

/// A line of the file says that an attempt succeeded, or that a part of it did. It is referred to by the line's own reference
/// afterwards, where that has one.
fn succeed(
    draft: &mut Draft<'_>,
    clearing: &Clearing,
    id: AttemptId,
    (line, part): (&ClearingLine, Option<Minor>),
) -> Result<Result<AttemptId, DifferenceKind>, Refusal> {
    let (channel, clearing_date) = (clearing.channel_name(), clearing.date);
    let reference = line.reference.clone().unwrap_or_else(|| format!("file {channel} {clearing_date}"));
    let outcome = Outcome::Success { reference, clearing_date, part };
    attempt::decide_answer(draft, id, &outcome)?;
    Ok(Ok(id))
}

/// Whether money of another amount may have come by it: a payer's, of a try that has not brought what was asked for.
fn takes_other_amount(attempt: &Attempt) -> bool {
    let payers = matches!(attempt.operation, Operation::Debit { .. } | Operation::Redirect { .. })
        && matches!(attempt.purpose, Purpose::Leg(_) | Purpose::TopUp(_));
    payers && attempt.cleared.is_none() && !matches!(attempt.status, AttemptStatus::Settled(Outcome::Success { .. }))
}

/// Another amount came than was asked for: no order and no top-up can use it. The try has failed, and what follows is a late success of
/// what came.
fn brought(draft: &mut Draft<'_>, id: AttemptId, amount: Minor) -> Result<(), Refusal> {
    if !matches!(draft.state.attempt(id)?.status, AttemptStatus::Settled(_)) {
        let outcome = Outcome::Declined { class: FailureClass::System, code: String::from("other_amount") };
        attempt::decide_answer(draft, id, &outcome)?;
    }
    draft.emit(Event::AttemptBrought { attempt: id, amount });
    Ok(())
}

fn count(clearing: &mut Clearing, line: &ClearingLine) -> Result<(), Refusal> {
    clearing.matched += 1;
    let sum = match line.kind {
        LineKind::Debit => &mut clearing.debited,
        LineKind::Refund => &mut clearing.refunded,
        LineKind::Pay => &mut clearing.paid,
        LineKind::Return => &mut clearing.returned,
    };
    *sum = crate::money::add(*sum, line.amount, "amount")?;
    Ok(())
}

/// After the last part: what succeeded up to the file's date and is in no file.
fn missing(state: &State, clearing: &mut Clearing, matched: &BTreeSet<AttemptId>, told: &Told) {
    let (channel, date) = (clearing.channel_name(), clearing.date);
    let range = (channel.clone(), Date(i32::MIN), AttemptId(0))..=(channel, date, AttemptId(u64::MAX));
    for (&(_, _, id), ()) in state.uncleared.range(range).filter(|((_, _, id), ())| !matched.contains(id)) {
        // An attempt that awaits its file is open, and in memory.
        let attempt = state.attempts.get(id.0).expect("the index names attempts that are there");
        let (serial, amount) = (attempt.serial(), attempt.operation.money().0);
        clearing.differs(told.missing(LineKind::of(&attempt.operation), &serial, amount));
    }
}

/// The orders whose legs are among the attempts, each once.
fn orders_of(state: &State, attempts: &BTreeSet<AttemptId>) -> Result<Vec<OrderId>, Refusal> {
    let mut orders = BTreeSet::new();
    for id in attempts {
        match state.attempt(*id)?.purpose {
            Purpose::Leg(leg) => {
                orders.insert(state.leg(leg)?.order);
            }
            Purpose::Refund(_) | Purpose::Payout(_) | Purpose::TopUp(_) | Purpose::Advance(_) => {}
        }
    }
    Ok(orders.into_iter().collect())
}

/// Makes due what is paid and whose every leg is cleared.
pub(crate) fn clear_orders(draft: &mut Draft<'_>, orders: &[OrderId]) -> Result<(), Refusal> {
    let mut cleared = Vec::new();
    for id in orders {
        let order = draft.state.order(*id)?;
        if order.status != OrderStatus::Success || order.due.is_some() {
            continue;
        }
        let legs = draft.state.legs_of(order, order.tries).filter(|leg| leg.amount() > 0);
        let dates: Option<Vec<Date>> = legs.map(|leg| leg.cleared).collect();
        if let Some(latest) = dates.and_then(|dates| dates.into_iter().max()) {
            let due = draft.state.calendar.plus_working_days(latest, SETTLE_AFTER)?;
            cleared.push(ClearedOrder { order: *id, due });
        }
    }
    if !cleared.is_empty() {
        draft.emit(Event::OrdersCleared(cleared));
    }
    Ok(())
}

impl State {
    /// The part of a clearing file.
    ///
    /// # Errors
    /// `clearing_unknown`.
    pub fn clearing(&self, id: ClearingId) -> Result<&Clearing, Refusal> {
        let unknown =
            || Refusal::new(RefusalCode::ClearingUnknown, "clearing", format!("there is no clearing file {id}"));
        self.clearings.get(id.0).ok_or_else(unknown)
    }
}

pub(crate) fn apply_taken(state: &mut State, clearing: &Clearing, matched: &[AttemptId], returned: &[PayoutId]) {
    for id in matched {
        leg_cleared(state, *id, clearing.date);
    }
    returns::apply_cleared(state, clearing.date, returned);
    session::await_session(state, clearing.session(), clearing.net());
    if clearing.voucher.is_some() {
        session::booked_ahead(state, clearing.session(), clearing.net());
    }
    difference::open_keys(clearing).for_each(|id| state.open_differences.insert(id, ()));
    state.clearing_files.insert((clearing.channel_name(), clearing.date, clearing.part), clearing.id);
    state.clearings.insert(clearing.id.0, clearing.clone());
}

/// An attempt awaits no file any more.
fn cleared(state: &mut State, id: AttemptId, date: Date) -> Purpose {
    let attempt = state.attempts.get_mut(id.0).expect("decide looked at the attempt");
    attempt.cleared = Some(date);
    let (key, purpose) = (uncleared_key(attempt), attempt.purpose);
    if let Some(key) = key {
        state.uncleared.remove(&key);
    }
    purpose
}

/// Nor does its leg, if it paid one.
fn leg_cleared(state: &mut State, id: AttemptId, date: Date) {
    if let Purpose::Leg(leg) = cleared(state, id, date) {
        let leg = state.legs.get_mut(leg.0).expect("an attempt's leg is there");
        if leg.captured_by == Some(id) {
            leg.cleared = Some(date);
        }
    }
}

/// The place of a successful attempt that moved money in the index of what awaits its clearing file.
pub(crate) fn uncleared_key(attempt: &Attempt) -> Option<(ChannelName, Date, AttemptId)> {
    LineKind::of(&attempt.operation).filter(|_| attempt.rail != Rail::OwnBank)?;
    match &attempt.status {
        AttemptStatus::Settled(Outcome::Success { clearing_date, .. }) => {
            Some((attempt.channel_name(), *clearing_date, attempt.id))
        }
        AttemptStatus::Settled(_) | AttemptStatus::Requested | AttemptStatus::Unknown | AttemptStatus::Waiting => None,
    }
}
