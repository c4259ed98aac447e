//! Monthly batches of a provident-fund centre (公积金中心月度批次): what waits for a month is instructed in one file, and the centre's
//! result file answers it, row by row.
//!
//! ```text
//!  PayOrder by a fund's month ─► a try REQUESTED ─ Close(period) ─► UNKNOWN: maybe sent ─ TakeResult ─► SETTLED
//!                                      └ its order is closed ─► not found          │ a row
//!                                                                                  ├ paid in full ─► success
//!                                                                                  ├ paid in part ─► success of what was paid
//!                                                                                  ├ refused ─► declined, with its class
//!                                                                                  ├ not there ─► unknown still: a later file
//!                                                                                  ├ twice, the same ─► once
//!                                                                                  └ paid after it was refused ─► late success
//!  a row of another batch, of another amount, twice with other words, or against an earlier file ─► the whole file is refused
//! ```
//! The file may be handed to the centre again: it is the same bytes under the same number. What becomes of the legs is in
//! [`payment`](crate::payment), with the city's route (`fund_route`) and the shortfall; when the platform closes a month by itself in
//! [`cut_off`], and how much a fund may pay in [`quota`].
//!
//! Invariants:
//! - A try is in one batch at most, and once it is in one, only the centre's word ends it.
//! - Σ paid of a row is what its try brought: nothing is booked that is in no row.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use crate::attempt::{self, Attempt, AttemptStatus, FailureClass, Operation, Outcome, Purpose};
use crate::calendar::Date;
use crate::command::Reply;
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::{AttemptId, FundBatchId, OrderId};
use crate::leg::{Instrument, LegStatus};
use crate::money::{Currency, Minor};
use crate::order::{self, Order, name_fits};
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;

pub mod cut_off;
pub mod quota;
#[cfg(test)]
mod tests;

use quota::FundQuota;

/// The most tries of one batch; the next batch takes the rest.
pub const MAX_ROWS: usize = 1_000;
/// The most rows of a result file: rows may stand there twice.
pub const MAX_RESULT_ROWS: usize = 2 * MAX_ROWS;

/// To whom a city's centre pays (`fund_route`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum FundRoute {
    /// To the institution's reserve: 1131, and from there to the merchant as any payment.
    #[n(0)]
    Reserve,
    /// To the landlord: a memo here, no voucher.
    #[n(1)]
    Direct,
}

impl FundRoute {
    /// Every route.
    pub const ALL: [Self; 2] = [Self::Reserve, Self::Direct];

    /// The name in settings, API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reserve => "reserve",
            Self::Direct => "direct",
        }
    }
}

/// How a fund pays that pays once a month.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Monthly {
    /// The month that the rent is of, `2026-03`: the batch of this month takes it.
    #[n(0)]
    pub period: String,
    /// To whom the centre pays, by the city's settings.
    #[n(1)]
    pub route: FundRoute,
    /// Whether the order's card pays what the centre does not (CONVERT).
    #[n(2)]
    pub converts: bool,
    /// When the month's batch is closed, by the city's settings: the payment must be asked for before. None if they do not say.
    #[n(3)]
    pub cut_off: Option<Time>,
    /// What the fund may pay by the centre's word and the city's rules. None if the centre is not asked.
    #[n(4)]
    pub quota: Option<FundQuota>,
}

/// What the centre says of one row.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct FundResult {
    /// Minor units: 0 if it refused.
    #[n(0)]
    pub paid: Minor,
    /// The centre's code.
    #[n(1)]
    pub code: String,
    /// Whose failure it was that less was paid than applied for; none if all was.
    #[n(2)]
    pub class: Option<FailureClass>,
    /// The bank's reference of the payment; empty if there was none.
    #[n(3)]
    pub reference: String,
    /// The date that the centre's money is cleared under.
    #[n(4)]
    pub date: Date,
}

impl FundResult {
    /// Whether a file that comes later says the same. Its date may be another.
    fn agrees_with(&self, other: &Self) -> bool {
        (self.paid, &self.code, &self.reference) == (other.paid, &other.code, &other.reference)
    }
}

/// A try in a batch.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct FundRow {
    /// The try.
    #[n(0)]
    pub attempt: AttemptId,
    /// Its serial number.
    #[n(1)]
    pub serial: String,
    /// The lease's number at the centre; a token of class C1.
    #[n(2)]
    pub contract: String,
    /// What was applied for, in minor units.
    #[n(3)]
    pub applied: Minor,
    /// What the centre said; none yet while that is unknown.
    #[n(4)]
    pub result: Option<FundResult>,
}

/// A batch.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct FundBatch {
    /// Its id.
    #[n(0)]
    pub id: FundBatchId,
    /// What the centre knows it by: "B", date, and four digits or more.
    #[n(1)]
    pub number: String,
    /// The city.
    #[n(2)]
    pub city: String,
    /// The month.
    #[n(3)]
    pub period: String,
    /// The date in China when it was closed.
    #[n(4)]
    pub date: Date,
    /// What it takes, by the attempts' numbers: 1 to [`MAX_ROWS`].
    #[n(5)]
    pub rows: Vec<FundRow>,
    /// How many result files brought something new.
    #[n(6)]
    pub files: u32,
    /// When it was closed.
    #[n(7)]
    pub closed_at: Time,
    /// Who closed it.
    #[n(8)]
    pub closed_by: String,
}

impl FundBatch {
    /// Σ applied for.
    #[must_use]
    pub fn applied(&self) -> Minor {
        self.rows.iter().fold(0, |sum, row| sum.saturating_add(row.applied))
    }

    /// Σ paid.
    #[must_use]
    pub fn paid(&self) -> Minor {
        let paid = self.rows.iter().filter_map(|row| row.result.as_ref()).map(|result| result.paid);
        paid.fold(0, Minor::saturating_add)
    }

    /// How many rows the centre has said nothing of.
    #[must_use]
    pub fn unanswered(&self) -> usize {
        self.rows.iter().filter(|row| row.result.is_none()).count()
    }

    /// Whether the centre is to be asked for a result still.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.unanswered() > 0
    }
}

/// A row of a result file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FundResultRow {
    /// The try's serial number.
    pub serial: String,
    /// The lease's number.
    pub contract: String,
    /// The month.
    pub period: String,
    /// What was applied for.
    pub applied: Minor,
    /// What the centre says.
    pub result: FundResult,
}

/// A result file whose signature, trailer, count and sum were checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakeFundResult {
    /// The batch.
    pub batch: FundBatchId,
    /// Whose file it says it is.
    pub city: String,
    /// Which batch it says it is of.
    pub number: String,
    /// Its rows, as they stand there.
    pub rows: Vec<FundResultRow>,
}

/// What is wanted of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FundBatchCommand {
    /// Close the batch of a month: take what waits.
    Close {
        /// The city that the channel's settings name.
        city: String,
        /// The month, `2026-03`.
        period: String,
    },
    /// Take a result file.
    TakeResult(TakeFundResult),
}

/// A row that was answered.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct RowAnswered {
    /// Which, from 0.
    #[n(0)]
    pub row: u32,
    /// What the centre said.
    #[n(1)]
    pub result: FundResult,
}

/// What happened to a batch, or to an order that a fund paid outside the reserve.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum FundBatchEvent {
    /// A batch was closed: its tries may have been sent from now on.
    #[n(0)]
    Closed(#[n(0)] FundBatch),
    /// A result file answered these rows. What their tries brought is what was paid.
    #[n(1)]
    ResultTaken {
        /// The batch.
        #[n(0)]
        batch: FundBatchId,
        /// The rows.
        #[n(1)]
        rows: Vec<RowAnswered>,
    },
    /// The centre pays part or all of an order to the landlord: only the rest is the institution's to pass on.
    #[n(2)]
    PaidOutside {
        /// The order.
        #[n(0)]
        order: OrderId,
        /// What the centre pays.
        #[n(1)]
        outside: Minor,
        /// The fee on the rest.
        #[n(2)]
        fee: Minor,
        /// What of the rest reaches the destination.
        #[n(3)]
        net: Minor,
    },
    /// All of an order was paid outside: it is paid, and there is no voucher.
    #[n(3)]
    OrderPaid(#[n(0)] OrderId),
}

/// Closes a batch, or takes a result file.
///
/// # Errors
/// `value_invalid`; to close, `fund_batch_empty` if nothing waits; to take a file, `fund_batch_unknown`, and `fund_result_rejected` if it
/// is of another batch or contradicts itself, the batch or an earlier file.
pub fn decide(draft: &mut Draft<'_>, command: FundBatchCommand) -> Result<Reply, Refusal> {
    match command {
        FundBatchCommand::Close { city, period } => close(draft, city, period),
        FundBatchCommand::TakeResult(file) => take(draft, &file),
    }
}

fn close(draft: &mut Draft<'_>, city: String, period: String) -> Result<Reply, Refusal> {
    month_of(&period)?;
    name_fits(&city, "city")?;
    let waits = |attempt: &&Attempt| waits_for(attempt) == Some(period.as_str());
    let row = |attempt: &Attempt| {
        let Operation::FundBatch { contract, amount, .. } = &attempt.operation else { return None };
        let (contract, applied) = (contract.clone(), *amount);
        Some(FundRow { attempt: attempt.id, serial: attempt.serial(), contract, applied, result: None })
    };
    let rows: Vec<FundRow> = draft.state.in_outbox().filter(waits).filter_map(row).take(MAX_ROWS).collect();
    if rows.is_empty() {
        let message = format!("no payment waits for the batch of {period}; name the month that payments wait for");
        return Err(Refusal::new(RefusalCode::FundBatchEmpty, "period", message));
    }
    let id = FundBatchId(draft.state.fund_batches.next_id());
    let (closed_at, closed_by) = (draft.context.now, draft.operator());
    let date = Date::in_shanghai(closed_at);
    let number = format!("B{}{:04}", format!("{date}").replace('-', ""), id.0);
    let batch = FundBatch { id, number, city, period, date, rows, files: 0, closed_at, closed_by };
    draft.emit(Event::FundBatch(FundBatchEvent::Closed(batch)));
    Ok(Reply::FundBatch(id))
}

/// The month whose batch an attempt waits for, if it waits for one.
fn waits_for(attempt: &Attempt) -> Option<&str> {
    match &attempt.operation {
        Operation::FundBatch { period, .. } if attempt.status == AttemptStatus::Requested => Some(period),
        Operation::FundBatch { .. }
        | Operation::Debit { .. }
        | Operation::FundHold { .. }
        | Operation::FundCapture { .. }
        | Operation::FundRelease { .. }
        | Operation::Refund { .. }
        | Operation::Pay { .. }
        | Operation::Redirect { .. } => None,
    }
}

/// The attempt of an order that waits for its batch, if it has one.
pub(crate) fn waiting<'s>(state: &'s State, order: &Order) -> Option<&'s Attempt> {
    let legs = order.legs.iter().filter_map(|id| state.legs.get(id.0));
    let mut open = legs.filter_map(|leg| leg.open).filter_map(|id| state.attempts.get(id.0));
    open.find(|attempt| waits_for(attempt).is_some())
}

/// The order is being closed: a try that no batch has taken was never sent.
pub(crate) fn withdraw(draft: &mut Draft<'_>, id: OrderId) -> Result<(), Refusal> {
    let order = draft.state.order(id)?;
    match waiting(draft.state, order).map(|attempt| attempt.id) {
        Some(attempt) => attempt::decide_answer(draft, attempt, &Outcome::NotFound).map(|_| ()),
        None => Ok(()),
    }
}

/// Whether an order may be paid so by a fund.
///
/// # Errors
/// `value_invalid`, `instrument_not_allowed`, `currency_mismatch`, `fund_cut_off_passed`; as [`FundQuota::check`].
pub(crate) fn check_instrument(
    order: &Order,
    fund: (&str, bool, &Monthly),
    instruments: &[Instrument],
    now: Time,
) -> Result<(), Refusal> {
    let (contract, holds, monthly) = fund;
    month_of(&monthly.period)?;
    let refuse = |param, message: &str| Err(Refusal::new(RefusalCode::InstrumentNotAllowed, param, message));
    if holds {
        return refuse("holds", "a batch holds nothing first; leave out holds, or the period");
    }
    check_contract(contract)?;
    if order.currency != Currency::Cny {
        let message = format!("the centre pays in CNY, the order is in {}", order.currency.code());
        return Err(Refusal::new(RefusalCode::CurrencyMismatch, "currency", message));
    }
    let card = |instrument: &Instrument| !instrument.is_fund() && !instrument.is_redirect();
    if monthly.converts && !instruments.iter().any(card) {
        return refuse("shortfall", "name the card that pays the shortfall, with amount 0 if it pays nothing else");
    }
    if monthly.route == FundRoute::Direct && !monthly.converts {
        return refuse(
            "shortfall",
            "this city's centre pays the landlord itself and takes nothing back: name a card for the shortfall",
        );
    }
    may_pay(monthly, instruments, now)
}

/// Whether a centre's files can name a lease so.
///
/// # Errors
/// `value_invalid`.
pub fn check_contract(contract: &str) -> Result<(), Refusal> {
    name_fits(contract, "contract")?;
    if contract.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'|') {
        return Ok(());
    }
    let message = "a lease in a batch is named by visible ASCII characters without '|'";
    Err(Refusal::new(RefusalCode::ValueInvalid, "contract", message))
}

/// Whether the month's batch is open still, and the fund pays as much.
fn may_pay(monthly: &Monthly, instruments: &[Instrument], now: Time) -> Result<(), Refusal> {
    if let Some(at) = monthly.cut_off.filter(|at| now >= *at) {
        let (period, at) = (&monthly.period, cut_off::told(at));
        let message =
            format!("the batch of {period} was closed at {at}; name a month whose cut-off is to come, or pay by card");
        return Err(Refusal::new(RefusalCode::FundCutOffPassed, "period", message));
    }
    let funds = instruments.iter().filter(|instrument| instrument.is_fund());
    let amount = funds.fold(0, |sum: Minor, fund| sum.saturating_add(fund.amount()));
    monthly.quota.map_or(Ok(()), |quota| quota.check(amount))
}

/// The first day of a month as `2026-03`.
///
/// # Errors
/// `value_invalid`.
pub fn month_of(period: &str) -> Result<Date, Refusal> {
    let first: Option<Date> = (period.len() == 7).then(|| format!("{period}-01").parse().ok()).flatten();
    first.ok_or_else(|| {
        let message = format!("'{period:.16}' is not a month; months look like 2026-03");
        Refusal::new(RefusalCode::ValueInvalid, "period", message)
    })
}

fn rejected(message: String) -> Refusal {
    Refusal::new(RefusalCode::FundResultRejected, "file", message)
}

fn take(draft: &mut Draft<'_>, file: &TakeFundResult) -> Result<Reply, Refusal> {
    let batch = draft.state.fund_batch(file.batch)?.clone();
    if (&file.city, &file.number) != (&batch.city, &batch.number) {
        let message = format!(
            "it is of {:.32} of {:.32}; {} is {} of {}",
            file.number, file.city, batch.id, batch.number, batch.city
        );
        return Err(rejected(message));
    }
    if file.rows.len() > MAX_RESULT_ROWS {
        return Err(rejected(format!("it has {} rows; at most {MAX_RESULT_ROWS} are possible", file.rows.len())));
    }
    let mut answered = Vec::new();
    let mut answers = Vec::new();
    for (at, result) in read(&batch, &file.rows)? {
        let row = batch.rows.get(at).expect("it was found there");
        if row.result.as_ref().is_some_and(|before| before.agrees_with(result)) {
            continue;
        }
        if let Some(outcome) = outcome_of(draft.state.attempt(row.attempt)?, row, result)? {
            answers.push((row.attempt, outcome));
        }
        answered.push(RowAnswered { row: u32::try_from(at).unwrap_or(u32::MAX), result: result.clone() });
    }
    if !answered.is_empty() {
        draft.emit(Event::FundBatch(FundBatchEvent::ResultTaken { batch: batch.id, rows: answered }));
    }
    for (attempt, outcome) in answers {
        attempt::decide_answer(draft, attempt, &outcome)?;
    }
    Ok(Reply::FundBatch(batch.id))
}

/// What the file says of each row that it has, by the row's place in the batch.
fn read<'f>(batch: &FundBatch, rows: &'f [FundResultRow]) -> Result<BTreeMap<usize, &'f FundResult>, Refusal> {
    let places: BTreeMap<&str, usize> =
        batch.rows.iter().enumerate().map(|(at, row)| (row.serial.as_str(), at)).collect();
    let mut found: BTreeMap<usize, &FundResult> = BTreeMap::new();
    for FundResultRow { serial, contract, period, applied, result } in rows {
        let Some((at, own)) = places.get(serial.as_str()).and_then(|at| Some((*at, batch.rows.get(*at)?))) else {
            return Err(rejected(format!("{serial:.40} is not in {}", batch.number)));
        };
        if (contract, period, *applied) != (&own.contract, &batch.period, own.applied) {
            return Err(rejected(format!("{serial} has another lease, month or amount than {} has", batch.number)));
        }
        let whole = result.paid == *applied;
        if result.paid < 0 || result.paid > *applied || whole != result.class.is_none() {
            let paid = result.paid;
            return Err(rejected(format!("{serial} pays {paid} of {applied} with code {:.16}", result.code)));
        }
        match found.insert(at, result) {
            Some(before) if !before.agrees_with(result) => {
                return Err(rejected(format!("{serial} stands there twice and says two things")));
            }
            Some(_) | None => {}
        }
    }
    Ok(found)
}

/// The answer that a row is to its try; none if the try knows it from elsewhere.
fn outcome_of(attempt: &Attempt, row: &FundRow, result: &FundResult) -> Result<Option<Outcome>, Refusal> {
    let serial = &row.serial;
    if let Some(before) = row.result.as_ref().filter(|before| before.paid > 0 || result.paid == 0) {
        let (was, is) = (before.paid, result.paid);
        return Err(rejected(format!("an earlier file says that {serial} pays {was}, and this one {is}")));
    }
    let outcome = match result.class {
        Some(class) if result.paid == 0 => Outcome::Declined { class, code: result.code.clone() },
        Some(_) | None => {
            Outcome::Success { reference: result.reference.clone(), clearing_date: result.date, part: None }
        }
    };
    match &attempt.status {
        AttemptStatus::Settled(Outcome::Success { .. }) => {
            let had = attempt.operation.money().0;
            if had == result.paid {
                return Ok(None);
            }
            Err(rejected(format!("{serial} brought {had} by a clearing file, and pays {} here", result.paid)))
        }
        AttemptStatus::Settled(_) if result.paid == 0 => Ok(None),
        AttemptStatus::Settled(_) | AttemptStatus::Unknown | AttemptStatus::Requested | AttemptStatus::Waiting => {
            Ok(Some(outcome))
        }
    }
}

impl State {
    /// The batch.
    ///
    /// # Errors
    /// `fund_batch_unknown`.
    pub fn fund_batch(&self, id: FundBatchId) -> Result<&FundBatch, Refusal> {
        let unknown = || Refusal::new(RefusalCode::FundBatchUnknown, "batch", format!("there is no batch {id}"));
        self.fund_batches.get(id.0).ok_or_else(unknown)
    }

    /// The batches whose centre has not said what became of every row, oldest first.
    pub fn open_fund_batches(&self) -> impl Iterator<Item = &FundBatch> {
        self.fund_batches.iter().map(|(_, batch)| batch).filter(|batch| batch.is_open())
    }
}

/// Folds an event into the state.
pub(crate) fn apply(state: &mut State, event: &FundBatchEvent) {
    match event {
        FundBatchEvent::Closed(batch) => apply_closed(state, batch),
        FundBatchEvent::ResultTaken { batch, rows } => apply_result(state, *batch, rows),
        FundBatchEvent::PaidOutside { order: id, outside, fee, net } => order::change(state, *id, |order| {
            order.outside = *outside;
            order.fee = *fee;
            order.net = *net;
        }),
        FundBatchEvent::OrderPaid(id) => order::apply_succeeded(state, *id, None),
    }
}

fn apply_closed(state: &mut State, batch: &FundBatch) {
    for row in &batch.rows {
        let attempt = state.attempts.get_mut(row.attempt.0).expect("decide took the attempt");
        attempt.status = AttemptStatus::Unknown;
        let purpose = attempt.purpose;
        if let Purpose::Leg(leg) = purpose {
            state.legs.get_mut(leg.0).expect("an attempt's leg is there").status = LegStatus::Unknown;
        }
    }
    state.fund_batches.insert(batch.id.0, batch.clone());
}

fn apply_result(state: &mut State, id: FundBatchId, answered: &[RowAnswered]) {
    let batch = state.fund_batches.get_mut(id.0).expect("decide read the batch");
    batch.files = batch.files.saturating_add(1);
    let mut paid = Vec::new();
    for RowAnswered { row, result } in answered {
        let at = usize::try_from(*row).unwrap_or(usize::MAX);
        let row = batch.rows.get_mut(at).expect("decide found the row");
        row.result = Some(result.clone());
        paid.push((row.attempt, result.paid));
    }
    for (attempt, paid) in paid.into_iter().filter(|(_, paid)| *paid > 0) {
        let attempt = state.attempts.get_mut(attempt.0).expect("decide read the attempt");
        if let Operation::FundBatch { amount, .. } = &mut attempt.operation {
            *amount = paid;
        }
    }
}
