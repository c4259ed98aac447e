//! Bulk postings (批量记账): many independent vouchers, holds and ends of holds under one number of a stream.
//!
//! The numbers of a stream only grow. The state keeps a stream's mark and its last answers, so a posting sent twice is
//! answered the same and posts once, without a set of all numbers ever used.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use crate::calendar::Date;
use crate::command::Reply;
use crate::draft::Draft;
use crate::event::Event;
use crate::hold::{self, NewHold};
use crate::ids::{AccountId, HoldId, StreamId, VoucherId};
use crate::money::Minor;
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;
use crate::voucher::{BusinessNumber, Dimensions, Entry, EventCode, Voucher, check_by_hand};

#[cfg(test)]
mod tests;

/// The most items of one posting.
pub const MAX_ITEMS: usize = 100_000;
/// For how many entries the accounts are brought near at a time.
const AHEAD: usize = 32;
/// How many answers a stream keeps.
pub const KEPT_ANSWERS: usize = 16;

/// One step of a bulk posting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BulkItem {
    /// Post a voucher.
    Voucher(BulkVoucher),
    /// Hold money, or announce it.
    Hold(Box<NewHold>),
    /// Move held money.
    Confirm(Box<BulkConfirm>),
    /// Let held money go.
    Cancel(HoldId),
}

/// One voucher of a bulk posting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkVoucher {
    /// The step of the business.
    pub event: EventCode,
    /// Two or more.
    pub entries: Vec<Entry>,
    /// What it is counted under.
    pub dimensions: Option<Box<Dimensions>>,
}

/// One confirm of a bulk posting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkConfirm {
    /// The hold, which may have been placed by an earlier item.
    pub hold: HoldId,
    /// Minor units; all that is still held if none.
    pub amount: Option<Minor>,
    /// Who receives it; none for announced money, which comes from its source.
    pub to: Option<AccountId>,
}

/// The items of a posting in their order, the entries of its vouchers side by side in one list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BulkItems {
    steps: Vec<Step>,
    entries: Vec<Entry>,
    /// Whether it has anything but vouchers.
    mixed: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Voucher {
        event: EventCode,
        dimensions: Option<Box<Dimensions>>,
        /// How many entries it and those before it have.
        end: usize,
    },
    Hold(Box<NewHold>),
    Confirm(Box<BulkConfirm>),
    Cancel(HoldId),
}

impl BulkItems {
    /// Adds a voucher.
    pub fn push_voucher(
        &mut self,
        event: EventCode,
        entries: impl IntoIterator<Item = Entry>,
        dimensions: Option<Box<Dimensions>>,
    ) {
        self.entries.extend(entries);
        self.steps.push(Step::Voucher { event, dimensions, end: self.entries.len() });
    }

    /// Adds an item.
    pub fn push(&mut self, item: BulkItem) {
        let step = match item {
            BulkItem::Voucher(BulkVoucher { event, entries, dimensions }) => {
                return self.push_voucher(event, entries, dimensions);
            }
            BulkItem::Hold(new) => Step::Hold(new),
            BulkItem::Confirm(confirm) => Step::Confirm(confirm),
            BulkItem::Cancel(hold) => Step::Cancel(hold),
        };
        self.mixed = true;
        self.steps.push(step);
    }
}

impl BulkItems {
    /// Of a posting that has anything but vouchers: of each item, whether what it makes is known by a hold's number and not by
    /// a voucher's.
    #[must_use]
    pub fn made_by_hold(&self) -> Vec<bool> {
        let of_hold = |step: &Step| match step {
            Step::Voucher { .. } | Step::Confirm(_) => false,
            Step::Hold(_) | Step::Cancel(_) => true,
        };
        if self.mixed { self.steps.iter().map(of_hold).collect() } else { Vec::new() }
    }
}

impl FromIterator<BulkItem> for BulkItems {
    fn from_iter<T: IntoIterator<Item = BulkItem>>(items: T) -> Self {
        let mut all = Self::default();
        items.into_iter().for_each(|item| all.push(item));
        all
    }
}

impl FromIterator<BulkVoucher> for BulkItems {
    fn from_iter<T: IntoIterator<Item = BulkVoucher>>(vouchers: T) -> Self {
        vouchers.into_iter().map(BulkItem::Voucher).collect()
    }
}

/// Posts many vouchers, and holds, confirms and cancels beside them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostBulk {
    /// The stream, by the name its sender gave it.
    pub stream: Box<str>,
    /// Above every number the stream has used.
    pub number: u64,
    /// A keyed digest of the sender's body: the same number with another body is refused.
    pub fingerprint: [u8; 16],
    /// All or nothing.
    pub atomic: bool,
    /// The accounting date the sender expects, if it matters to it.
    pub date: Option<Date>,
    /// What to do, in this order.
    pub items: BulkItems,
}

/// What became of a bulk posting. Where it has vouchers alone, the accepted ones have consecutive ids in the order of their
/// places; else `made` says each.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct BulkReply {
    /// The stream's id.
    #[n(0)]
    pub stream: StreamId,
    /// The posting's number.
    #[n(1)]
    pub number: u64,
    /// How many items it had.
    #[n(2)]
    pub vouchers: u32,
    /// The id of the first accepted one.
    #[n(3)]
    pub first: VoucherId,
    /// The refused ones by their place.
    #[n(4)]
    pub refused: Vec<(u32, Refusal)>,
    /// Of a posting that has anything but vouchers: what each accepted item made, in the order of their places; the voucher
    /// of a voucher or confirm, the hold of a hold or cancel, by its number.
    #[n(5)]
    #[cbor(default, skip_if = "Vec::is_empty")]
    pub made: Vec<u64>,
}

/// A stream of bulk postings.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Stream {
    /// Its id.
    #[n(0)]
    pub id: StreamId,
    /// Its name.
    #[n(1)]
    pub name: String,
    /// The highest number used.
    #[n(2)]
    pub mark: u64,
    /// The last answers, oldest first, each with its posting's fingerprint.
    #[n(3)]
    pub answers: VecDeque<(minicbor::bytes::ByteArray<16>, BulkReply)>,
}

/// Carries the items out one by one; with `atomic` all or none.
///
/// # Errors
/// `key_reused`, `number_expired`, `voucher_too_long`, `value_invalid`, `day_closed`, `day_not_open`; with `atomic`
/// also the first refusal of an item.
pub fn decide_bulk(draft: &mut Draft<'_>, command: PostBulk) -> Result<Reply, Refusal> {
    let known = draft.state.stream_names.get(command.stream.as_ref()).copied();
    if let Some(stream) = known.and_then(|id| draft.state.streams.get(id.0))
        && let Some(reply) = repeated(stream, &command)?
    {
        return Ok(Reply::Bulk(reply));
    }
    let count = command.items.steps.len();
    if count == 0 || count > MAX_ITEMS {
        let message = format!("the posting has {count} items; send 1 to {MAX_ITEMS}");
        return Err(Refusal::new(RefusalCode::VoucherTooLong, "items", message));
    }
    let date = draft.state.days.posting_date(command.date)?;
    let stream = match known {
        Some(id) => id,
        None => open_stream(draft, &command.stream)?,
    };
    let PostBulk { number, fingerprint, atomic, items, .. } = command;
    let mut reply = BulkReply {
        stream,
        number,
        vouchers: u32::try_from(count).unwrap_or(u32::MAX),
        first: VoucherId(draft.state.position.saturating_add(1)),
        refused: Vec::new(),
        made: Vec::new(),
    };
    carry_out(draft, items, date, atomic, &mut reply)?;
    draft.emit(Event::StreamAdvanced { fingerprint: fingerprint.into(), reply: reply.clone() });
    Ok(Reply::Bulk(reply))
}

/// Carries the items out one after the other, each checked before it changes anything.
fn carry_out(
    draft: &mut Draft<'_>,
    items: BulkItems,
    date: Date,
    atomic: bool,
    reply: &mut BulkReply,
) -> Result<(), Refusal> {
    let BulkItems { steps, entries, mixed } = items;
    let (stream, number) = (reply.stream, reply.number);
    let business = BusinessNumber::Bulk { stream, number, index: 0 };
    let mut voucher =
        Voucher { business, event: EventCode::Transfer, date, entries: Vec::new(), dimensions: None, contra_of: None };
    let (mut begin, mut warm) = (0, 0_usize);
    for (index, step) in (0_u32..).zip(steps) {
        let made = match step {
            Step::Voucher { event, dimensions, end } => {
                if end > warm {
                    warm = entries.len().min(end + AHEAD);
                    draft.state.warm(entries.get(begin..warm).unwrap_or_default(), date);
                }
                voucher.business = BusinessNumber::Bulk { stream, number, index };
                (voucher.event, voucher.dimensions) = (event, dimensions);
                voucher.entries.clear();
                voucher.entries.extend_from_slice(entries.get(begin..end).unwrap_or_default());
                begin = end;
                check_by_hand(draft.state, &voucher).map(|()| draft.emit_voucher(&voucher).0)
            }
            Step::Hold(new) => hold::place_new(draft, *new).map(|hold| hold.0),
            Step::Confirm(confirm) => hold::confirm_in_bulk(draft, &confirm, date).map(|voucher| voucher.0),
            Step::Cancel(hold) => hold::decide_cancel(draft, hold).map(|_| hold.0),
        };
        match made {
            Ok(made) if mixed => reply.made.push(made),
            Ok(_) => {}
            Err(refusal) if atomic => return Err(at(if mixed { "item" } else { "voucher" }, index, refusal)),
            Err(refusal) => reply.refused.push((index, refusal)),
        }
    }
    Ok(())
}

fn at(what: &str, index: u32, refusal: Refusal) -> Refusal {
    Refusal { message: format!("{what} {index}: {}; nothing of this posting was posted", refusal.message), ..refusal }
}

/// The first answer to a number used before; `None` for a new number.
fn repeated(stream: &Stream, command: &PostBulk) -> Result<Option<BulkReply>, Refusal> {
    if command.number > stream.mark {
        return Ok(None);
    }
    match stream.answers.iter().find(|(_, reply)| reply.number == command.number) {
        Some((fingerprint, reply)) if **fingerprint == command.fingerprint => Ok(Some(reply.clone())),
        Some(_) => {
            let message = format!(
                "number {} of this stream was used with other content; use {}",
                command.number,
                stream.mark.saturating_add(1)
            );
            Err(Refusal::new(RefusalCode::KeyReused, "number", message))
        }
        None => {
            let message =
                format!("the stream is at {}; the answer to {} is no longer kept", stream.mark, command.number);
            Err(Refusal::new(RefusalCode::NumberExpired, "number", message))
        }
    }
}

/// The holds that a posting confirms and cancels; none of one that is answered without a look at them.
pub(crate) fn holds_named<'a>(state: &State, posting: &'a PostBulk) -> impl Iterator<Item = HoldId> + 'a {
    let known = state.stream_names.get(posting.stream.as_ref()).and_then(|id| state.streams.get(id.0));
    let is_new = known.is_none_or(|stream| posting.number > stream.mark);
    let steps = if posting.items.mixed && is_new { posting.items.steps.as_slice() } else { &[] };
    steps.iter().filter_map(|step| match step {
        Step::Confirm(confirm) => Some(confirm.hold),
        Step::Cancel(hold) => Some(*hold),
        Step::Voucher { .. } | Step::Hold(_) => None,
    })
}

fn open_stream(draft: &mut Draft<'_>, name: &str) -> Result<StreamId, Refusal> {
    if name.is_empty() || name.len() > 64 {
        let message = format!("the stream's name has {} bytes; use 1 to 64", name.len());
        return Err(Refusal::new(RefusalCode::ValueInvalid, "stream", message));
    }
    let id = StreamId(draft.state.streams.next_id());
    draft.emit(Event::StreamOpened { stream: id, name: name.into() });
    Ok(id)
}

/// A stream was named for the first time.
pub(crate) fn apply_opened(state: &mut State, id: StreamId, name: &str) {
    state.stream_names.insert(name.into(), id);
    state.streams.insert(id.0, Stream { id, name: name.into(), mark: 0, answers: VecDeque::new() });
}

/// A posting of the stream was answered.
pub(crate) fn apply_advanced(state: &mut State, fingerprint: [u8; 16], reply: &BulkReply) {
    let stream = state.streams.get_mut(reply.stream.0).expect("the stream was opened before");
    stream.mark = reply.number;
    if stream.answers.len() >= KEPT_ANSWERS {
        stream.answers.pop_front();
    }
    stream.answers.push_back((fingerprint.into(), reply.clone()));
}
