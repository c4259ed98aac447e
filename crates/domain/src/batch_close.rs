//! Batch closes (批结算): a terminal and the platform compare what each counted in a batch. Nothing is booked by it, and
//! T+1 never waits for it.
//!
//! ```text
//!  close with the terminal's totals ─┬─ equal ─► BALANCED                                       (a new batch begins)
//!                                    └─ not ──► UNBALANCED ─ upload … upload ─ end ─► UPLOADED   (a new batch begins)
//!                                                   ▲ └─ close again, as after a power cut
//!                                                   └──┘
//! ```
//! Totals stand by scheme, domestic and foreign (F48): debits are sales, completions and offline sales with what adjustments
//! added, credits are their voids and refunds; what was reversed or declined counts nowhere, nor does a pre-authorisation.
//! [ours: which side a void counts on is the acquirer's choice.] After a close whose answer was lost the terminal closes
//! again and gets the same answer. Traces of the closed batch stay known until the next close.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use crate::card_transaction::{self, CardKind, CardStatus, CardTransaction, Effect, TraceKey};
use crate::command::Reply;
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::{BatchCloseId, CardTransactionId, TerminalId};
use crate::money::{Minor, add};
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;
use crate::terminal::{self, Terminal, next_number};

#[cfg(test)]
mod tests;

/// The most records of one upload message.
pub const MAX_RECORDS: usize = 100;
/// How many differences a close lists; all are counted.
pub const MAX_DIFFERENCES: usize = 1_000;

/// Sums and counts, in fen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
pub struct Totals {
    /// Σ of what cards paid.
    #[n(0)]
    pub debit: Minor,
    /// How many.
    #[n(1)]
    pub debit_count: u32,
    /// Σ of what went back.
    #[n(2)]
    pub credit: Minor,
    /// How many.
    #[n(3)]
    pub credit_count: u32,
}

/// Totals by whose cards they are (F48).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
pub struct BatchTotals {
    /// 内卡.
    #[n(0)]
    pub domestic: Totals,
    /// 外卡.
    #[n(1)]
    pub foreign: Totals,
}

/// Where a batch close stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum BatchCloseStatus {
    /// Both counted the same.
    #[n(0)]
    Balanced,
    /// They did not; the terminal uploads its batch.
    #[n(1)]
    Unbalanced,
    /// It did.
    #[n(2)]
    Uploaded,
}

impl BatchCloseStatus {
    /// Every status.
    pub const ALL: [Self; 3] = [Self::Balanced, Self::Unbalanced, Self::Uploaded];

    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Balanced => "balanced",
            Self::Unbalanced => "unbalanced",
            Self::Uploaded => "uploaded",
        }
    }
}

/// How an uploaded record and ours differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum BatchDifferenceKind {
    /// We approved nothing under this trace.
    #[n(0)]
    Unknown,
    /// It has another amount here.
    #[n(1)]
    OtherAmount,
    /// The terminal sent it twice.
    #[n(2)]
    Repeated,
    /// We approved it and the terminal did not send it.
    #[n(3)]
    Missing,
}

impl BatchDifferenceKind {
    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::OtherAmount => "other_amount",
            Self::Repeated => "repeated",
            Self::Missing => "missing",
        }
    }
}

/// A difference between terminal and platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct BatchDifference {
    /// How.
    #[n(0)]
    pub kind: BatchDifferenceKind,
    /// Under which trace.
    #[n(1)]
    pub trace: u32,
    /// Fen as the terminal has it.
    #[n(2)]
    pub theirs: Option<Minor>,
    /// Fen as we have it.
    #[n(3)]
    pub ours: Option<Minor>,
}

/// A batch close.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct BatchClose {
    /// Its id.
    #[n(0)]
    pub id: BatchCloseId,
    /// The terminal.
    #[n(1)]
    pub terminal: TerminalId,
    /// The batch.
    #[n(2)]
    pub batch: u32,
    /// What the terminal counted.
    #[n(3)]
    pub theirs: BatchTotals,
    /// What we counted.
    #[n(4)]
    pub ours: BatchTotals,
    /// Where it stands.
    #[n(5)]
    pub status: BatchCloseStatus,
    /// The traces uploaded so far, until the upload ends.
    #[n(6)]
    pub uploaded: Vec<u32>,
    /// How many records the terminal says that it uploaded.
    #[n(7)]
    pub claimed: Option<u32>,
    /// How many records or traces differ.
    #[n(8)]
    pub different: u32,
    /// The first [`MAX_DIFFERENCES`] of them.
    #[n(9)]
    pub differences: Vec<BatchDifference>,
    /// When it was asked for.
    #[n(10)]
    pub asked_at: Time,
    /// When a new batch began.
    #[n(11)]
    pub closed_at: Option<Time>,
}

impl BatchClose {
    /// What F48 of the answer says: 1 both agree, 2 they do not.
    #[must_use]
    pub const fn result(&self) -> u8 {
        match self.status {
            BatchCloseStatus::Balanced => 1,
            BatchCloseStatus::Unbalanced | BatchCloseStatus::Uploaded => 2,
        }
    }
}

/// A record of a batch as a terminal uploads it; its card number stays outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UploadedRecord {
    /// The trace.
    pub trace: u32,
    /// Fen.
    pub amount: Minor,
}

/// A step of a batch close.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BatchCloseCommand {
    /// Compare totals.
    Close {
        /// The terminal.
        terminal: TerminalId,
        /// The batch that it closes.
        batch: u32,
        /// What it counted.
        theirs: BatchTotals,
    },
    /// Compare records.
    Upload {
        /// The terminal.
        terminal: TerminalId,
        /// At most [`MAX_RECORDS`].
        records: Vec<UploadedRecord>,
    },
    /// All records were uploaded.
    EndUpload {
        /// The terminal.
        terminal: TerminalId,
        /// How many, by its count.
        count: u32,
    },
}

/// What happened to a batch close.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum BatchCloseEvent {
    /// Totals were compared: its image.
    #[n(0)]
    Compared(#[n(0)] BatchClose),
    /// Records were compared.
    #[n(1)]
    Uploaded {
        /// The close.
        #[n(0)]
        close: BatchCloseId,
        /// Their traces.
        #[n(1)]
        traces: Vec<u32>,
        /// How they differ.
        #[n(2)]
        differences: Vec<BatchDifference>,
    },
    /// The upload ended.
    #[n(2)]
    Ended {
        /// The close.
        #[n(0)]
        close: BatchCloseId,
        /// How many records the terminal counted.
        #[n(1)]
        claimed: u32,
        /// What it did not send.
        #[n(2)]
        missing: Vec<BatchDifference>,
    },
}

/// Decides a step of a batch close.
///
/// # Errors
/// `terminal_unknown`, `terminal_state` for a terminal that is with nobody, `batch_mismatch`, `batch_close_state` where no
/// upload is awaited, `value_invalid` for too many records, `amount_overflow`.
pub fn decide(draft: &mut Draft<'_>, command: BatchCloseCommand) -> Result<Reply, Refusal> {
    match command {
        BatchCloseCommand::Close { terminal, batch, theirs } => close(draft, terminal, batch, theirs),
        BatchCloseCommand::Upload { terminal, records } => upload(draft, terminal, &records),
        BatchCloseCommand::EndUpload { terminal, count } => end_upload(draft, terminal, count),
    }
}

fn close(draft: &mut Draft<'_>, id: TerminalId, batch: u32, theirs: BatchTotals) -> Result<Reply, Refusal> {
    let now = with_merchant(draft.state, id)?.batch;
    let known = draft.state.batch_close_of(id, batch);
    if let Some(known) = known.filter(|known| known.closed_at.is_some() && known.theirs == theirs) {
        return Ok(Reply::BatchClose(known.id));
    }
    if batch != now {
        let message = format!("{id} is in batch {now}, not {batch}; sign in");
        return Err(Refusal::new(RefusalCode::BatchMismatch, "batch", message));
    }
    let next = BatchCloseId(draft.state.batch_closes.next_id());
    let close = known.filter(|known| known.closed_at.is_none()).map_or(next, |known| known.id);
    let ours = totals(draft.state, id, batch)?;
    let status = if ours == theirs { BatchCloseStatus::Balanced } else { BatchCloseStatus::Unbalanced };
    let asked_at = draft.context.now;
    draft.emit(Event::BatchClose(BatchCloseEvent::Compared(BatchClose {
        id: close,
        terminal: id,
        batch,
        theirs,
        ours,
        status,
        uploaded: Vec::new(),
        claimed: None,
        different: 0,
        differences: Vec::new(),
        asked_at,
        closed_at: (status == BatchCloseStatus::Balanced).then_some(asked_at),
    })));
    Ok(Reply::BatchClose(close))
}

fn with_merchant(state: &State, id: TerminalId) -> Result<&Terminal, Refusal> {
    let terminal = state.terminal(id)?;
    if terminal.binding.is_some() {
        return Ok(terminal);
    }
    let message = format!("{id} is {} and with nobody; it has no batch", terminal.status.name());
    Err(Refusal::new(RefusalCode::TerminalState, "terminal", message))
}

/// What counts in a batch, with the side on which it does.
fn counted(state: &State, terminal: TerminalId, batch: u32) -> impl Iterator<Item = (&CardTransaction, bool)> {
    state.cards_of_batch(terminal, batch).filter_map(|row| {
        let is_debit = match row.kind.effect() {
            // It stands in the amount of what it adjusts.
            Effect::In if row.kind == CardKind::Adjustment => return None,
            Effect::In => true,
            Effect::Undo | Effect::Out => false,
            Effect::Nothing => return None,
        };
        (row.status == CardStatus::Approved).then_some((row, is_debit))
    })
}

fn totals(state: &State, terminal: TerminalId, batch: u32) -> Result<BatchTotals, Refusal> {
    let mut totals = BatchTotals::default();
    for (row, is_debit) in counted(state, terminal, batch) {
        let of = if row.card.scheme.is_domestic() { &mut totals.domestic } else { &mut totals.foreign };
        let (sum, count) =
            if is_debit { (&mut of.debit, &mut of.debit_count) } else { (&mut of.credit, &mut of.credit_count) };
        *sum = add(*sum, row.amount, "batch")?;
        *count = count.saturating_add(1);
    }
    Ok(totals)
}

fn awaited(state: &State, id: TerminalId) -> Result<&BatchClose, Refusal> {
    let batch = with_merchant(state, id)?.batch;
    let awaited = state.batch_close_of(id, batch).filter(|close| close.status == BatchCloseStatus::Unbalanced);
    awaited.ok_or_else(|| {
        let message = format!("no upload of batch {batch} of {id} is awaited; close it first");
        Refusal::new(RefusalCode::BatchCloseState, "terminal", message)
    })
}

fn upload(draft: &mut Draft<'_>, id: TerminalId, records: &[UploadedRecord]) -> Result<Reply, Refusal> {
    let close = awaited(draft.state, id)?;
    if records.is_empty() || records.len() > MAX_RECORDS {
        let message = format!("{} records; send 1 to {MAX_RECORDS}", records.len());
        return Err(Refusal::new(RefusalCode::ValueInvalid, "records", message));
    }
    let mut seen: BTreeSet<u32> = close.uploaded.iter().copied().collect();
    let (mut traces, mut differences) = (Vec::new(), Vec::new());
    for UploadedRecord { trace, amount } in records.iter().copied() {
        let ours = counted(draft.state, id, close.batch).find(|(row, _)| row.key.is_some_and(|key| key.trace == trace));
        let ours = ours.map(|(row, _)| row.amount);
        let kind = if seen.insert(trace) {
            traces.push(trace);
            match ours {
                None => Some(BatchDifferenceKind::Unknown),
                Some(ours) if ours != amount => Some(BatchDifferenceKind::OtherAmount),
                Some(_) => None,
            }
        } else {
            Some(BatchDifferenceKind::Repeated)
        };
        differences.extend(kind.map(|kind| BatchDifference { kind, trace, theirs: Some(amount), ours }));
    }
    let close = close.id;
    draft.emit(Event::BatchClose(BatchCloseEvent::Uploaded { close, traces, differences }));
    Ok(Reply::BatchClose(close))
}

fn end_upload(draft: &mut Draft<'_>, id: TerminalId, claimed: u32) -> Result<Reply, Refusal> {
    let close = awaited(draft.state, id)?;
    let seen: BTreeSet<u32> = close.uploaded.iter().copied().collect();
    let not_sent = |(row, _): (&CardTransaction, bool)| {
        let trace = row.key.map(|key| key.trace).filter(|trace| !seen.contains(trace))?;
        Some(BatchDifference { kind: BatchDifferenceKind::Missing, trace, theirs: None, ours: Some(row.amount) })
    };
    let missing = counted(draft.state, id, close.batch).filter_map(not_sent).collect();
    let close = close.id;
    draft.emit(Event::BatchClose(BatchCloseEvent::Ended { close, claimed, missing }));
    Ok(Reply::BatchClose(close))
}

impl State {
    /// The batch close.
    ///
    /// # Errors
    /// `batch_close_unknown`.
    pub fn batch_close(&self, id: BatchCloseId) -> Result<&BatchClose, Refusal> {
        let unknown =
            || Refusal::new(RefusalCode::BatchCloseUnknown, "batch_close", format!("there is no batch close {id}"));
        self.batch_closes.get(id.0).ok_or_else(unknown)
    }

    /// The latest close of a terminal's batch.
    #[must_use]
    pub fn batch_close_of(&self, terminal: TerminalId, batch: u32) -> Option<&BatchClose> {
        self.terminal_batches.get(&(terminal, batch)).and_then(|id| self.batch_closes.get(id.0))
    }

    /// What a terminal asked for in its batch now or the one before, by trace.
    pub fn cards_of_batch(&self, terminal: TerminalId, batch: u32) -> impl Iterator<Item = &CardTransaction> {
        let key = |trace| TraceKey { terminal, batch, trace };
        self.card_traces.range(key(0)..=key(u32::MAX)).filter_map(|(_, id)| self.card_transactions.get(id.0))
    }
}

/// Folds what happened to a batch close into the state.
pub(crate) fn apply(state: &mut State, event: &BatchCloseEvent) {
    match event {
        BatchCloseEvent::Compared(close) => {
            state.terminal_batches.insert((close.terminal, close.batch), close.id);
            state.batch_closes.insert(close.id.0, close.clone());
            if close.closed_at.is_some() {
                begin_batch(state, close.terminal, close.batch);
            }
        }
        BatchCloseEvent::Uploaded { close, traces, differences } => {
            let close = row(state, *close);
            close.uploaded.extend(traces);
            differ(close, differences);
        }
        BatchCloseEvent::Ended { close, claimed, missing } => {
            let now = state.now;
            let close = row(state, *close);
            close.uploaded = Vec::new();
            close.claimed = Some(*claimed);
            close.closed_at = Some(now);
            close.status = BatchCloseStatus::Uploaded;
            differ(close, missing);
            let (terminal, batch) = (close.terminal, close.batch);
            begin_batch(state, terminal, batch);
        }
    }
}

fn row(state: &mut State, id: BatchCloseId) -> &mut BatchClose {
    state.batch_closes.get_mut(id.0).expect("decide checked the batch close")
}

fn differ(close: &mut BatchClose, differences: &[BatchDifference]) {
    close.different += u32::try_from(differences.len()).expect("a batch has fewer traces than that");
    let room = MAX_DIFFERENCES.saturating_sub(close.differences.len());
    close.differences.extend(differences.iter().take(room));
}

/// The terminal goes on in a new batch; traces of the closed one stay known, those of earlier ones do not.
fn begin_batch(state: &mut State, terminal: TerminalId, closed: u32) {
    terminal::row(state, terminal).batch = next_number(closed);
    let key = |batch, trace| TraceKey { terminal, batch, trace };
    let of_terminal = state.card_traces.range(key(0, 0)..=key(u32::MAX, u32::MAX));
    let old = of_terminal.filter(|(key, _)| key.batch != closed).map(|(_, id)| *id);
    let old: Vec<CardTransactionId> = old.collect();
    for id in old {
        card_transaction::change(state, id, |row| row.traced = false);
    }
}
