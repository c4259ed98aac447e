//! Bulk postings (批量记账): many independent vouchers under one number of a stream.
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
use crate::ids::{StreamId, VoucherId};
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;
use crate::voucher::{BusinessNumber, Dimensions, Entry, EventCode, Voucher, check_by_hand};

#[cfg(test)]
mod tests;

/// The most vouchers of one posting.
pub const MAX_VOUCHERS: usize = 100_000;
/// For how many entries the accounts are brought near at a time.
const AHEAD: usize = 32;
/// How many answers a stream keeps.
pub const KEPT_ANSWERS: usize = 16;

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

/// The vouchers of a posting, their entries side by side in one list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BulkVouchers {
    heads: Vec<BulkHead>,
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct BulkHead {
    event: EventCode,
    dimensions: Option<Box<Dimensions>>,
    /// How many entries it and those before it have.
    end: usize,
}

impl BulkVouchers {
    /// Adds a voucher.
    pub fn push(
        &mut self,
        event: EventCode,
        entries: impl IntoIterator<Item = Entry>,
        dimensions: Option<Box<Dimensions>>,
    ) {
        self.entries.extend(entries);
        self.heads.push(BulkHead { event, dimensions, end: self.entries.len() });
    }
}

impl FromIterator<BulkVoucher> for BulkVouchers {
    fn from_iter<T: IntoIterator<Item = BulkVoucher>>(vouchers: T) -> Self {
        let mut all = Self::default();
        for BulkVoucher { event, entries, dimensions } in vouchers {
            all.push(event, entries, dimensions);
        }
        all
    }
}

/// Posts many vouchers.
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
    /// The vouchers.
    pub vouchers: BulkVouchers,
}

/// What became of a bulk posting. Accepted vouchers have consecutive ids in the order of their places.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct BulkReply {
    /// The stream's id.
    #[n(0)]
    pub stream: StreamId,
    /// The posting's number.
    #[n(1)]
    pub number: u64,
    /// How many vouchers it had.
    #[n(2)]
    pub vouchers: u32,
    /// The id of the first accepted one.
    #[n(3)]
    pub first: VoucherId,
    /// The refused ones by their place.
    #[n(4)]
    pub refused: Vec<(u32, Refusal)>,
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

/// Posts the vouchers one by one; with `atomic` all or none.
///
/// # Errors
/// `key_reused`, `number_expired`, `voucher_too_long`, `value_invalid`, `day_closed`, `day_not_open`; with `atomic`
/// also the first refusal of a voucher.
pub fn decide_bulk(draft: &mut Draft<'_>, command: PostBulk) -> Result<Reply, Refusal> {
    let known = draft.state.stream_names.get(command.stream.as_ref()).copied();
    if let Some(stream) = known.and_then(|id| draft.state.streams.get(id.0))
        && let Some(reply) = repeated(stream, &command)?
    {
        return Ok(Reply::Bulk(reply));
    }
    let count = command.vouchers.heads.len();
    if count == 0 || count > MAX_VOUCHERS {
        let message = format!("the posting has {count} vouchers; send 1 to {MAX_VOUCHERS}");
        return Err(Refusal::new(RefusalCode::VoucherTooLong, "vouchers", message));
    }
    let date = draft.state.days.posting_date(command.date)?;
    let stream = match known {
        Some(id) => id,
        None => open_stream(draft, &command.stream)?,
    };
    let PostBulk { number, fingerprint, atomic, vouchers, .. } = command;
    let mut reply = BulkReply {
        stream,
        number,
        vouchers: u32::try_from(count).unwrap_or(u32::MAX),
        first: VoucherId(draft.state.position.saturating_add(1)),
        refused: Vec::new(),
    };
    let BulkVouchers { heads, entries } = vouchers;
    let business = BusinessNumber::Bulk { stream, number, index: 0 };
    let mut voucher =
        Voucher { business, event: EventCode::Transfer, date, entries: Vec::new(), dimensions: None, contra_of: None };
    let (mut begin, mut warm) = (0, 0_usize);
    for (index, head) in (0_u32..).zip(heads) {
        let BulkHead { event, dimensions, end } = head;
        if end > warm {
            warm = entries.len().min(end + AHEAD);
            draft.state.warm(entries.get(begin..warm).unwrap_or_default(), date);
        }
        voucher.business = BusinessNumber::Bulk { stream, number, index };
        (voucher.event, voucher.dimensions) = (event, dimensions);
        voucher.entries.clear();
        voucher.entries.extend_from_slice(entries.get(begin..end).unwrap_or_default());
        begin = end;
        match check_by_hand(draft.state, &voucher) {
            Ok(()) => {
                draft.emit_voucher(&voucher);
            }
            Err(refusal) if atomic => return Err(at(index, refusal)),
            Err(refusal) => reply.refused.push((index, refusal)),
        }
    }
    draft.emit(Event::StreamAdvanced { fingerprint: fingerprint.into(), reply: reply.clone() });
    Ok(Reply::Bulk(reply))
}

fn at(index: u32, refusal: Refusal) -> Refusal {
    Refusal { message: format!("voucher {index}: {}; nothing of this posting was posted", refusal.message), ..refusal }
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
