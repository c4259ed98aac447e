//! The statement of the reserve account (备付金账户) at the central bank: its lines and its closing balances. Nothing but a line
//! moves 1101.
//!
//! ```text
//!  TakeReserveLine(reference, date, direction, amount)
//!    a line ─ one open transfer awaits it (income sweep, injection, repayment of an advance) ─► booked by the transfer
//!           ├ a clearing session's net awaits it ─► Dr 1101 / Cr the rail (turned where it takes out)
//!           ├ none awaits it, and a session would with open differences of its file ─► refused, until they are settled
//!           ├ none awaits it, money in ─► Dr 1101 / Cr 2241: suspense
//!           └ none awaits it, money out ─► refused, for an alarm
//! ```
//! A line comes once: the same reference with the same content gets the same answer and changes nothing; with other content
//! it is refused. A line that several things await must say which it is for, unless all are of one kind, sessions of one rail:
//! then it is for the oldest. Money in that is said to be suspense goes there, whatever awaits its amount. The closing balance of a
//! day is what the day's check compares 1101 with.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use alloc::{format, vec};

use minicbor::{Decode, Encode};

use crate::attempt::Rail;
use crate::book::Subject;
use crate::business_day::DayStatus;
use crate::calendar::Date;
use crate::clearing::difference::twice;
use crate::command::Reply;
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::{OwnTransferId, ReserveBalanceId, ReserveLineId, VoucherId};
use crate::money::{Currency, Minor, positive};
use crate::order::name_fits;
use crate::own_transfer;
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;
use crate::voucher::{BusinessKind, BusinessNumber, Dimensions, Entry, EventCode};

mod awaited;
pub(crate) mod session;
#[cfg(test)]
mod tests;

pub use awaited::{AwaitedLine, awaited};
pub use session::Session;
use session::{await_session, booked_ahead, session_came};

/// How many differences of a session a refusal and what is awaited name.
const MAX_NAMED: usize = 8;

/// Whether money came to the reserve account or left it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum LineDirection {
    /// It came.
    #[n(0)]
    In,
    /// It left.
    #[n(1)]
    Out,
}

impl LineDirection {
    /// Both.
    pub const ALL: [Self; 2] = [Self::In, Self::Out];

    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }

    /// What `amount` brings to the reserve account: below zero where it takes out.
    pub(crate) const fn signed(self, amount: Minor) -> Minor {
        match self {
            Self::In => amount,
            Self::Out => amount.saturating_neg(),
        }
    }
}

/// What a line of the statement is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum LineTarget {
    /// A transfer between own money and reserve.
    #[n(0)]
    Transfer(#[n(0)] OwnTransferId),
    /// The net of a clearing session.
    #[n(1)]
    Clearing {
        /// Whose file.
        #[n(0)]
        rail: Rail,
        /// The network's clearing date.
        #[n(1)]
        date: Date,
    },
}

impl core::fmt::Display for LineTarget {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Transfer(id) => write!(f, "{id}"),
            Self::Clearing { rail, date } => write!(f, "{} {date}", rail.name()),
        }
    }
}

/// A line of the statement as it was taken.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ReserveLine {
    /// Its id.
    #[n(0)]
    pub id: ReserveLineId,
    /// The central bank's reference.
    #[n(1)]
    pub reference: String,
    /// The day it stands under.
    #[n(2)]
    pub date: Date,
    /// In or out.
    #[n(3)]
    pub direction: LineDirection,
    /// Minor units above zero.
    #[n(4)]
    pub amount: Minor,
    /// Its currency.
    #[n(5)]
    pub currency: Currency,
    /// What it was for; none lies in suspense.
    #[n(6)]
    pub target: Option<LineTarget>,
    /// Its voucher; none where the clearing session's files had booked it before (up to level 17).
    #[n(7)]
    pub voucher: Option<VoucherId>,
    /// When it was taken.
    #[n(8)]
    pub taken_at: Time,
    /// Who took it.
    #[n(9)]
    pub operator: String,
}

impl ReserveLine {
    /// The session that awaited it, and what it brought to that.
    pub(crate) fn of_session(&self) -> Option<(Session, Minor)> {
        match self.target {
            Some(LineTarget::Clearing { rail, date }) => {
                Some((Session { rail, date }, self.direction.signed(self.amount)))
            }
            Some(LineTarget::Transfer(_)) | None => None,
        }
    }
}

/// The closing balance of the reserve account on a day.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ReserveBalance {
    /// Its id.
    #[n(0)]
    pub id: ReserveBalanceId,
    /// The day.
    #[n(1)]
    pub date: Date,
    /// Minor units.
    #[n(2)]
    pub balance: Minor,
    /// Its currency.
    #[n(3)]
    pub currency: Currency,
    /// When it was taken last.
    #[n(4)]
    pub taken_at: Time,
    /// Who took it.
    #[n(5)]
    pub operator: String,
}

/// Takes a line of the statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakeReserveLine {
    /// The central bank's reference, unique.
    pub reference: String,
    /// The day it stands under; not one to come.
    pub date: Date,
    /// In or out.
    pub direction: LineDirection,
    /// Minor units above zero.
    pub amount: Minor,
    /// Its currency.
    pub currency: Currency,
    /// What it is for, where the line says so.
    pub target: Option<LineTarget>,
    /// Whether people say that it is for none of what awaits lines: it goes to suspense.
    pub suspense: bool,
}

/// Takes the closing balance of a day that is not closed; a later one replaces it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakeReserveBalance {
    /// An accounting day.
    pub date: Date,
    /// Minor units, zero or above.
    pub balance: Minor,
    /// Its currency.
    pub currency: Currency,
}

/// What is done with the statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReserveLineCommand {
    /// Take a line.
    TakeLine(TakeReserveLine),
    /// Take a day's closing balance.
    TakeBalance(TakeReserveBalance),
}

/// What happened to the statement.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum ReserveLineEvent {
    /// A line was taken and, where it books something, booked before.
    #[n(0)]
    Taken(#[n(0)] ReserveLine),
    /// A day's closing balance was taken, for the first time or anew.
    #[n(1)]
    BalanceTaken(#[n(0)] ReserveBalance),
}

/// Takes a line or a balance.
///
/// # Errors
/// Those of [`take_line`] and [`take_balance`].
pub fn decide(draft: &mut Draft<'_>, command: ReserveLineCommand) -> Result<Reply, Refusal> {
    match command {
        ReserveLineCommand::TakeLine(line) => take_line(draft, line),
        ReserveLineCommand::TakeBalance(balance) => take_balance(draft, balance),
    }
}

/// Takes a line: what awaits it says how it is booked.
///
/// # Errors
/// `value_invalid`, `amount_not_positive`, `account_unknown` for a currency without books, `reserve_line_conflict`,
/// `reserve_line_session` for what a session would await with open differences, `reserve_line_unmatched` for money that left and that
/// nothing awaits, and those of the voucher: `insufficient_funds` for a session that takes out more than 1101 holds.
fn take_line(draft: &mut Draft<'_>, line: TakeReserveLine) -> Result<Reply, Refusal> {
    if let Some(known) = draft.state.line_references.get(&line.reference) {
        return same_again(draft.state, *known, &line);
    }
    check_line(draft.state, &line)?;
    let id = ReserveLineId(draft.state.reserve_lines.next_id());
    let target = match line.target {
        Some(target) => Some(named(draft.state, &line, target)?),
        None if line.suspense => None,
        None => awaiting(draft.state, &line)?,
    };
    let voucher = match target {
        Some(LineTarget::Transfer(transfer)) => Some(own_transfer::line_came(draft, transfer, id)?),
        Some(LineTarget::Clearing { rail, date }) => session_came(draft, Session { rail, date }, id, &line)?,
        None => Some(suspend(draft, id, &line)?),
    };
    let TakeReserveLine { reference, date, direction, amount, currency, .. } = line;
    let (taken_at, operator) = (draft.context.now, draft.operator());
    draft.emit(Event::ReserveLine(ReserveLineEvent::Taken(ReserveLine {
        id,
        reference,
        date,
        direction,
        amount,
        currency,
        target,
        voucher,
        taken_at,
        operator,
    })));
    Ok(Reply::ReserveLine(id))
}

/// The answer to a line that was taken before. What it was for is not compared: a repeated file need not know it.
fn same_again(state: &State, id: ReserveLineId, line: &TakeReserveLine) -> Result<Reply, Refusal> {
    let known = state.reserve_line(id)?;
    let content = (known.date, known.direction, known.amount, known.currency);
    if content == (line.date, line.direction, line.amount, line.currency) {
        return Ok(Reply::ReserveLine(id));
    }
    let message = format!(
        "'{}' was taken as {id}: {} {} {} on {}; a line keeps its content, and another line has another reference",
        line.reference,
        known.amount,
        known.currency.code(),
        known.direction.name(),
        known.date
    );
    Err(Refusal::new(RefusalCode::ReserveLineConflict, "reference", message))
}

fn check_line(state: &State, line: &TakeReserveLine) -> Result<(), Refusal> {
    name_fits(&line.reference, "reference")?;
    positive(line.amount, "amount")?;
    state.institution(Subject::CentralBank, line.currency)?;
    let today = Date::in_shanghai(state.now);
    if line.date > today {
        let message = format!("{} has not come; today is {today}", line.date);
        return Err(Refusal::new(RefusalCode::ValueInvalid, "date", message));
    }
    if line.suspense && (line.target.is_some() || line.direction == LineDirection::Out) {
        let message = "only money that came, and that is for no transfer and no clearing session, goes to suspense";
        return Err(Refusal::new(RefusalCode::ValueInvalid, "suspense", message));
    }
    Ok(())
}

/// The target that the line names, if it awaits just this line.
fn named(state: &State, line: &TakeReserveLine, target: LineTarget) -> Result<LineTarget, Refusal> {
    let amount = line.direction.signed(line.amount);
    if state.awaited_lines.get(&(line.currency, amount, target)).is_some() {
        return Ok(target);
    }
    let awaited = state.awaited_lines.iter().find(|((_, _, awaiting), ())| *awaiting == target);
    let awaits = awaited.map_or_else(
        || String::from("awaits no line"),
        |((currency, amount, _), ())| format!("awaits {} (in above zero, out below)", money(*amount, *currency)),
    );
    let message = format!("{target} {awaits}, and the line is {}", money(amount, line.currency));
    Err(Refusal::new(RefusalCode::ValueInvalid, "target", message))
}

fn money(amount: Minor, currency: Currency) -> String {
    format!("{amount} {}", currency.code())
}

/// What awaits the line: the oldest of one kind, of sessions those of one rail. `None` for money that came and that nothing awaits.
fn awaiting(state: &State, line: &TakeReserveLine) -> Result<Option<LineTarget>, Refusal> {
    let amount = line.direction.signed(line.amount);
    let first = (line.currency, amount, LineTarget::Transfer(OwnTransferId(0)));
    let fits = state.awaited_lines.range(first..).map(|(key, ())| *key);
    let fits: Vec<LineTarget> =
        fits.take_while(|key| (key.0, key.1) == (line.currency, amount)).map(|(_, _, target)| target).collect();
    let Some(oldest) = fits.first() else {
        refuse_session(state, line)?;
        return match line.direction {
            LineDirection::In => Ok(None),
            LineDirection::Out => {
                let message = format!(
                    "{} left the reserve account under '{}' and nothing awaits it; find out who moved it, then instruct it",
                    money(line.amount, line.currency),
                    line.reference
                );
                Err(Refusal::new(RefusalCode::ReserveLineUnmatched, "reference", message))
            }
        };
    };
    if fits.iter().all(|target| kind(state, *target) == kind(state, *oldest)) {
        return Ok(Some(*oldest));
    }
    let names: Vec<String> = fits.iter().map(ToString::to_string).collect();
    let message = format!("{} of this amount are awaited; say which in 'target'", names.join(", "));
    Err(Refusal::new(RefusalCode::ValueInvalid, "target", message))
}

/// Refuses a line that has a session in it and differences of its file that are open: its session would await it for ever.
fn refuse_session(state: &State, line: &TakeReserveLine) -> Result<(), Refusal> {
    let Some(((rail, date), differences)) = twice::session_of(state, line) else { return Ok(()) };
    let mut names: Vec<String> = differences.iter().take(MAX_NAMED).map(ToString::to_string).collect();
    let more = differences.len().saturating_sub(MAX_NAMED);
    if more > 0 {
        names.push(format!("{more} more"));
    }
    let awaited = state.awaited_sessions.get(&(rail, date)).copied().unwrap_or_default();
    let otherwise = match line.direction {
        LineDirection::In => "if it is other money, take it with 'suspense'",
        LineDirection::Out => "if it is other money, find out who moved it",
    };
    let message = format!(
        "'{}' is what {} awaits ({}) with open differences of its file ({}); settle those first, then take the line \
         again; {otherwise}",
        line.reference,
        LineTarget::Clearing { rail, date },
        money(awaited, Currency::Cny),
        names.join(", ")
    );
    Err(Refusal::new(RefusalCode::ReserveLineSession, "reference", message))
}

fn kind(state: &State, target: LineTarget) -> &'static str {
    match target {
        LineTarget::Transfer(id) => state.own_transfers.get(id.0).map_or("", |transfer| transfer.kind.name()),
        // Of which rail's clearing account it is must be known.
        LineTarget::Clearing { rail, .. } => rail.name(),
    }
}

/// Dr 1101 / Cr 2241.
fn suspend(draft: &mut Draft<'_>, id: ReserveLineId, line: &TakeReserveLine) -> Result<VoucherId, Refusal> {
    let bank = draft.state.institution(Subject::CentralBank, line.currency)?;
    let suspense = draft.state.institution(Subject::Suspense, line.currency)?;
    let entries =
        vec![Entry::debit(bank, line.amount, line.currency), Entry::credit(suspense, line.amount, line.currency)];
    let business = BusinessNumber::object(BusinessKind::ReserveLine, id.0);
    draft.post(business, EventCode::ReserveLineSuspended, entries, Dimensions::default())
}

/// Takes the closing balance of a day. The same balance again changes nothing.
///
/// # Errors
/// `value_invalid` for a balance below zero, `account_unknown` for a currency without books, `day_not_open`,
/// `day_closed`.
fn take_balance(draft: &mut Draft<'_>, command: TakeReserveBalance) -> Result<Reply, Refusal> {
    let TakeReserveBalance { date, balance, currency } = command;
    if balance < 0 {
        let message = format!("{balance} is below zero; the reserve account is never overdrawn");
        return Err(Refusal::new(RefusalCode::ValueInvalid, "balance", message));
    }
    draft.state.institution(Subject::CentralBank, currency)?;
    let Some(day) = draft.state.days.get(date) else {
        let message = format!("{date} is not an accounting day of these books");
        return Err(Refusal::new(RefusalCode::DayNotOpen, "date", message));
    };
    if day.status == DayStatus::Closed {
        let message = format!("{date} is closed; its balance was compared then");
        return Err(Refusal::new(RefusalCode::DayClosed, "date", message));
    }
    let known = draft.state.statement_balances.get(&(date, currency)).copied();
    if let Some(id) = known
        && draft.state.reserve_balances.get(id.0).is_some_and(|known| known.balance == balance)
    {
        return Ok(Reply::ReserveBalance(id));
    }
    let id = known.unwrap_or(ReserveBalanceId(draft.state.reserve_balances.next_id()));
    let (taken_at, operator) = (draft.context.now, draft.operator());
    let taken = ReserveBalance { id, date, balance, currency, taken_at, operator };
    draft.emit(Event::ReserveLine(ReserveLineEvent::BalanceTaken(taken)));
    Ok(Reply::ReserveBalance(id))
}

impl State {
    /// The line of the reserve account's statement.
    ///
    /// # Errors
    /// `reserve_line_unmatched` for a line that was never taken.
    pub fn reserve_line(&self, id: ReserveLineId) -> Result<&ReserveLine, Refusal> {
        let unknown = || Refusal::new(RefusalCode::ReserveLineUnmatched, "line", format!("there is no line {id}"));
        self.reserve_lines.get(id.0).ok_or_else(unknown)
    }
}

/// Folds what happened to the statement into the state.
pub(crate) fn apply(state: &mut State, event: &ReserveLineEvent) {
    match event {
        ReserveLineEvent::Taken(line) => {
            state.line_references.insert(line.reference.clone(), line.id);
            if let Some((session, amount)) = line.of_session() {
                await_session(state, session, amount.saturating_neg());
                if line.voucher.is_none() {
                    booked_ahead(state, session, amount.saturating_neg());
                }
            }
            state.reserve_lines.insert(line.id.0, line.clone());
        }
        ReserveLineEvent::BalanceTaken(balance) => {
            state.statement_balances.insert((balance.date, balance.currency), balance.id);
            state.reserve_balances.insert(balance.id.0, balance.clone());
        }
    }
}
