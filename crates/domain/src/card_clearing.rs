//! The network's file of card transactions (银联商户清算明细, ZM): what it paid for each of them, matched with what we
//! approved. Nothing of a card transaction is settled to its merchant before it is matched here.
//!
//! ```text
//!  TakeCardFile(date, part 1) … (last part)
//!    a line ─ approved here, with the same amount ─► matched, cleared, due one working day after the file's date
//!           ├ sent again until answered, and unanswered ─► the file answers it: approved, then matched
//!           ├ not approved here, or taken back ─► a difference: the card was charged for what failed; credit adjustment
//!           └ anything else ─► a difference, for a person
//!    after the last part: what was approved up to that date and is in no file ─► a difference, once a file
//!    net = Σ in (amount − cost) − Σ out (amount − cost) ─► the statement's line of the network's session: Dr 1101 / Cr 1122
//!    Σ (the file's cost − ours) ─► Dr 2291 / Cr 1122 · OWN Dr 6003 / Cr 1291          (turned where it took less)
//! ```
//! A sale and its void are in the file together or not at all; one without the other is missing then. What 2291 cannot pay of
//! a difference stays on 1122 and is counted.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use crate::attempt::Rail;
use crate::book::Subject;
use crate::calendar::Date;
use crate::card_transaction::{
    self, CardAnswer, CardKind, CardStatus, CardTransaction, CardTransactionCommand, Effect, transaction_of_reference,
};
use crate::clearing::{Difference, DifferenceKind, MAX_DIFFERENCES, MAX_LINES, SETTLE_AFTER};
use crate::command::Reply;
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::{CardClearingId, CardTransactionId, VoucherId};
use crate::money::{Currency, Minor, add, positive, subtract};
use crate::refusal::{Refusal, RefusalCode};
use crate::reserve_line::{Session, session};
use crate::state::State;
use crate::voucher::{BusinessKind, BusinessNumber, Entry, EventCode};

#[cfg(test)]
mod tests;

/// Which way the money of a line goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CardLineKind {
    /// From the card to us.
    In,
    /// From us to the card.
    Out,
}

impl CardLineKind {
    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }
}

/// A line of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardLine {
    /// The transaction's reference (F37).
    pub reference: String,
    /// Which way.
    pub kind: CardLineKind,
    /// Fen above zero; of a sale, with what adjustments added.
    pub amount: Minor,
    /// What issuer and network kept of it, or gave back with it; fen, not below zero and not above the amount.
    pub cost: Minor,
}

/// Takes a part of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakeCardFile {
    /// The network's clearing date.
    pub date: Date,
    /// Which part of it, from 1.
    pub part: u32,
    /// Whether it is the last part.
    pub last: bool,
    /// At most [`MAX_LINES`].
    pub lines: Vec<CardLine>,
}

/// A transaction that a line matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct ClearedCard {
    /// The transaction.
    #[n(0)]
    pub transaction: CardTransactionId,
    /// From when on it may be settled; none where nothing of it is.
    #[n(1)]
    pub due: Option<Date>,
    /// The void of it, or what it voids, which the network's file must name too.
    #[n(2)]
    pub awaits: Option<CardTransactionId>,
}

/// A part of the file as it was taken.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct CardClearing {
    /// Its id.
    #[n(0)]
    pub id: CardClearingId,
    /// The network's clearing date.
    #[n(1)]
    pub date: Date,
    /// Which part of it.
    #[n(2)]
    pub part: u32,
    /// Whether it was the last.
    #[n(3)]
    pub last: bool,
    /// How many lines it had.
    #[n(4)]
    pub lines: u32,
    /// How many of them matched.
    #[n(5)]
    pub matched: u32,
    /// Σ matched that came in.
    #[n(6)]
    pub paid: Minor,
    /// Σ matched that went out.
    #[n(7)]
    pub refunded: Minor,
    /// What issuers and network kept of the matched, less what they gave back.
    #[n(8)]
    pub cost: Minor,
    /// By how much that is more than what was booked for them.
    #[n(9)]
    pub cost_difference: Minor,
    /// What of the difference 2291 could not pay.
    #[n(10)]
    pub uncovered: Minor,
    /// How many lines, or transactions after the last part, differ.
    #[n(11)]
    pub different: u32,
    /// The first of them.
    #[n(12)]
    pub differences: Vec<Difference>,
    /// What booked the net before the statement's line (up to level 17, and parts of a session that began so).
    #[n(13)]
    pub voucher: Option<VoucherId>,
    /// What booked the difference in cost; none at zero.
    #[n(14)]
    pub cost_voucher: Option<VoucherId>,
    /// When it was taken.
    #[n(15)]
    pub taken_at: Time,
}

impl CardClearing {
    /// What the matched lines bring to the central bank account; below zero if more went out.
    #[must_use]
    pub const fn net(&self) -> Minor {
        self.paid.saturating_sub(self.refunded).saturating_sub(self.cost)
    }

    /// The session of the network, of which its other files are too.
    pub(crate) const fn session(&self) -> Session {
        Session { rail: Rail::UnionPay, date: self.date }
    }

    fn differs(&mut self, kind: DifferenceKind, reference: &str, amount: Minor) {
        self.different += 1;
        if self.differences.len() < MAX_DIFFERENCES {
            self.differences.push(Difference::new(kind, reference, amount));
        }
    }
}

/// What happened to the network's file of card transactions.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum CardClearingEvent {
    /// A part was taken; its vouchers were posted before.
    #[n(0)]
    Taken {
        /// The part.
        #[n(0)]
        clearing: CardClearing,
        /// The transactions that its lines matched.
        #[n(1)]
        cleared: Vec<ClearedCard>,
    },
}

/// Takes a part of the file.
///
/// # Errors
/// `clearing_duplicate`, `value_invalid`, `amount_not_positive`, `amount_overflow`, `calendar_unknown`, and
/// `insufficient_funds` where what goes out is booked before its line.
pub fn decide(draft: &mut Draft<'_>, command: &TakeCardFile) -> Result<Reply, Refusal> {
    check_file(draft.state, command)?;
    let id = CardClearingId(draft.state.card_clearings.next_id());
    let TakeCardFile { date, part, last, ref lines } = *command;
    let mut clearing = CardClearing {
        id,
        date,
        part,
        last,
        lines: u32::try_from(lines.len()).unwrap_or(u32::MAX),
        matched: 0,
        paid: 0,
        refunded: 0,
        cost: 0,
        cost_difference: 0,
        uncovered: 0,
        different: 0,
        differences: Vec::new(),
        voucher: None,
        cost_voucher: None,
        taken_at: draft.context.now,
    };
    let mut matched: BTreeMap<CardTransactionId, ()> = BTreeMap::new();
    for line in lines {
        match match_line(draft, date, line)? {
            Ok(transaction) if matched.insert(transaction.id, ()).is_none() => {
                count(&mut clearing, line, &transaction)?
            }
            Ok(_) => clearing.differs(DifferenceKind::Repeated, &line.reference, line.amount),
            Err(kind) => clearing.differs(kind, &line.reference, line.amount),
        }
    }
    if last {
        missing(draft.state, &mut clearing, &matched);
    }
    clearing.voucher = session::book_ahead(draft, clearing.session(), clearing.net(), number(&clearing))?;
    post_cost(draft, &mut clearing)?;
    let due = draft.state.calendar.plus_working_days(date, SETTLE_AFTER)?;
    let cleared = matched.keys().map(|id| cleared(draft.state, *id, &matched, due)).collect::<Result<_, _>>()?;
    draft.emit(Event::CardClearing(CardClearingEvent::Taken { clearing, cleared }));
    Ok(Reply::CardClearing(id))
}

/// The transactions that a part names, and those that theirs in memory are about or were taken by.
pub(crate) fn named<'s>(state: &'s State, file: &'s TakeCardFile) -> impl Iterator<Item = CardTransactionId> + 's {
    let lines = file.lines.iter().filter_map(|line| transaction_of_reference(&line.reference));
    lines.flat_map(move |id| {
        let known = Some(id).filter(|id| !state.is_away((*id).into()));
        let row = known.and_then(|id| state.card_transactions.get(id.0));
        row.into_iter().flat_map(CardTransaction::relatives).chain([id])
    })
}

fn check_file(state: &State, file: &TakeCardFile) -> Result<(), Refusal> {
    if file.part == 0 || file.lines.len() > MAX_LINES {
        let message =
            format!("part {} has {} lines; parts count from 1 with at most {MAX_LINES}", file.part, file.lines.len());
        return Err(Refusal::new(RefusalCode::ValueInvalid, "part", message));
    }
    if let Some(earlier) = state.card_files.get(&(file.date, file.part)) {
        let message = format!("part {} of the cards of {} was taken as {earlier}", file.part, file.date);
        return Err(Refusal::new(RefusalCode::ClearingDuplicate, "part", message));
    }
    for line in &file.lines {
        positive(line.amount, "amount")?;
        if !(0..=line.amount).contains(&line.cost) {
            let message = format!("{} of {} is no cost; use 0 to the amount", line.cost, line.amount);
            return Err(Refusal::new(RefusalCode::ValueInvalid, "cost", message));
        }
    }
    Ok(())
}

fn direction(transaction: &CardTransaction) -> Option<CardLineKind> {
    match transaction.kind.effect() {
        // It is in the amount of what it adjusts.
        Effect::In if transaction.kind == CardKind::Adjustment => None,
        Effect::In => Some(CardLineKind::In),
        Effect::Undo | Effect::Out => Some(CardLineKind::Out),
        Effect::Nothing => None,
    }
}

/// The transaction that a line matches. A line answers one that is sent again until it is answered.
fn match_line(
    draft: &mut Draft<'_>,
    date: Date,
    line: &CardLine,
) -> Result<Result<CardTransaction, DifferenceKind>, Refusal> {
    let known = transaction_of_reference(&line.reference).and_then(|id| draft.state.card_transactions.get(id.0));
    let Some(transaction) = known.cloned() else { return Ok(Err(DifferenceKind::UnknownSerial)) };
    if direction(&transaction) != Some(line.kind) || transaction.amount != line.amount {
        return Ok(Err(DifferenceKind::OtherContent));
    }
    if transaction.cleared.is_some() {
        return Ok(Err(DifferenceKind::Repeated));
    }
    match transaction.status {
        CardStatus::Approved => return Ok(Ok(transaction)),
        CardStatus::Requested | CardStatus::Unknown if !transaction.kind.is_reversed() => {}
        CardStatus::Requested
        | CardStatus::Unknown
        | CardStatus::Declined
        | CardStatus::Reversing
        | CardStatus::Reversed => return Ok(Err(DifferenceKind::FailedHere)),
    }
    let answer = CardAnswer::Approved { authorisation: None, clearing_date: date };
    card_transaction::decide(draft, CardTransactionCommand::Answer { transaction: transaction.id, answer })?;
    Ok(Ok(draft.state.card_transaction(transaction.id)?.clone()))
}

fn count(clearing: &mut CardClearing, line: &CardLine, transaction: &CardTransaction) -> Result<(), Refusal> {
    clearing.matched += 1;
    match line.kind {
        CardLineKind::In => {
            clearing.paid = add(clearing.paid, line.amount, "amount")?;
            clearing.cost = add(clearing.cost, line.cost, "cost")?;
            let more = subtract(line.cost, transaction.money.cost, "cost")?;
            clearing.cost_difference = add(clearing.cost_difference, more, "cost")?;
        }
        CardLineKind::Out => {
            clearing.refunded = add(clearing.refunded, line.amount, "amount")?;
            clearing.cost = subtract(clearing.cost, line.cost, "cost")?;
            let ours = transaction.taken.as_ref().map_or(0, |taken| taken.cost);
            clearing.cost_difference = add(clearing.cost_difference, subtract(ours, line.cost, "cost")?, "cost")?;
        }
    }
    Ok(())
}

/// After the last part: what was approved up to the file's date and is in no file.
fn missing(state: &State, clearing: &mut CardClearing, matched: &BTreeMap<CardTransactionId, ()>) {
    let range = (Date(i32::MIN), CardTransactionId(0))..=(clearing.date, CardTransactionId(u64::MAX));
    for (&(_, id), ()) in state.uncleared_cards.range(range).filter(|((_, id), ())| !matched.contains_key(id)) {
        let transaction = state.card_transactions.get(id.0).expect("the index names transactions that are there");
        clearing.differs(DifferenceKind::Missing, &transaction.reference(), transaction.amount);
    }
}

fn number(clearing: &CardClearing) -> BusinessNumber {
    BusinessNumber::object(BusinessKind::CardClearing, clearing.id.0)
}

/// What the network took more than was booked is the institution's, as far as 2291 has it.
fn post_cost(draft: &mut Draft<'_>, clearing: &mut CardClearing) -> Result<(), Refusal> {
    let own = |draft: &Draft<'_>, subject| draft.state.institution(subject, Currency::Cny);
    let (due, rail) = (own(draft, Subject::DueToOwn)?, own(draft, Rail::UnionPay.subject())?);
    let (mirror, rounding) = (own(draft, Subject::DueFromReserve)?, own(draft, Subject::Rounding)?);
    let more = clearing.cost_difference;
    let amount = if more > 0 { more.min(draft.state.usable(due, Currency::Cny)) } else { more.saturating_neg() };
    clearing.uncovered = if more > 0 { subtract(more, amount, "cost")? } else { 0 };
    if amount == 0 {
        return Ok(());
    }
    let pairs = if more > 0 { [(due, rail), (rounding, mirror)] } else { [(rail, due), (mirror, rounding)] };
    let of_pair =
        |(debit, credit)| [Entry::debit(debit, amount, Currency::Cny), Entry::credit(credit, amount, Currency::Cny)];
    let entries = pairs.into_iter().flat_map(of_pair).collect();
    let voucher =
        draft.post(number(clearing), EventCode::CardCostDiffered, entries, clearing.session().dimensions())?;
    clearing.cost_voucher = Some(voucher);
    Ok(())
}

fn cleared(
    state: &State,
    id: CardTransactionId,
    matched: &BTreeMap<CardTransactionId, ()>,
    due: Date,
) -> Result<ClearedCard, Refusal> {
    let transaction = state.card_transaction(id)?;
    let due = (transaction.kind.effect() == Effect::In).then_some(due);
    // A sale and its void follow each other into the file.
    let other = match transaction.kind.effect() {
        Effect::In => transaction.followed_by,
        Effect::Undo => transaction.original,
        Effect::Out | Effect::Nothing => None,
    };
    let other = other.filter(|other| !matched.contains_key(other));
    let other = other.and_then(|other| state.card_transactions.get(other.0));
    let awaits = other.filter(|other| other.cleared.is_none() && other.status == CardStatus::Approved);
    let awaits = awaits.filter(|other| direction(other).is_some()).map(|other| other.id);
    Ok(ClearedCard { transaction: id, due, awaits })
}

impl State {
    /// The part of the network's file of card transactions.
    ///
    /// # Errors
    /// `clearing_unknown`.
    pub fn card_clearing(&self, id: CardClearingId) -> Result<&CardClearing, Refusal> {
        let unknown =
            || Refusal::new(RefusalCode::ClearingUnknown, "clearing", format!("there is no file of cards {id}"));
        self.card_clearings.get(id.0).ok_or_else(unknown)
    }
}

/// Folds what happened to the network's file of card transactions into the state.
pub(crate) fn apply(state: &mut State, event: &CardClearingEvent) {
    match event {
        CardClearingEvent::Taken { clearing, cleared } => {
            for ClearedCard { transaction, due, awaits } in cleared {
                card_transaction::change(state, *transaction, |row| {
                    row.cleared = Some(clearing.date);
                    row.due = *due;
                    row.awaits_file = false;
                });
                if let Some(other) = awaits {
                    card_transaction::change(state, *other, |row| row.awaits_file = true);
                }
            }
            session::await_session(state, clearing.session(), clearing.net());
            if clearing.voucher.is_some() {
                session::booked_ahead(state, clearing.session(), clearing.net());
            }
            state.card_files.insert((clearing.date, clearing.part), clearing.id);
            state.card_clearings.insert(clearing.id.0, clearing.clone());
        }
    }
}
