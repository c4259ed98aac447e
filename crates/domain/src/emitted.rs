//! A command's events as the journal keeps them: encoded one by one as they are emitted, and read back one by one.
//!
//! ```text
//!  event ─► [number, fields]                                any event, by its derived code
//!  voucher behind its neighbour in a bulk posting ─► NEXT [account, kind, amount, account, kind, amount, …]
//! ```
//! The vouchers of a bulk posting differ in their entries alone, so a voucher whose index is one above that of the voucher
//! before it, with the same stream, number, step and date and without dimensions, is written as its entries: 16 bytes in
//! place of 42 for a transfer, which hashing, checksum, database and disk all feel. `kind` is twice the currency's number,
//! plus one for a credit. What is read back is the same event.

use alloc::vec::Vec;

use minicbor::data::Tag;
use minicbor::decode::Error;
use minicbor::{Decoder, Encode, Encoder};

use crate::book::Side;
use crate::calendar::Date;
use crate::event::Event;
use crate::ids::{AccountId, StreamId};
use crate::money::Currency;
use crate::voucher::{BusinessNumber, Entry, EventCode, MAX_ENTRIES, Voucher};

#[cfg(test)]
mod tests;

/// Marks a voucher that is written as its entries. The number is of the range that belongs to nobody, and for ever.
const NEXT: Tag = Tag::new(8);
/// What a head takes at most.
const HEAD_BYTES: usize = 9;
/// The three upper bits of a head (RFC 8949, section 3): a number, an array, a tag.
const UNSIGNED: u8 = 0x00;
const ARRAY: u8 = 0x80;
const TAG: u8 = 0xc0;
/// Writing to memory that is large enough.
const IN_MEMORY: &str = "writing CBOR to memory does not fail";

/// The events of one command, encoded in order.
#[derive(Debug, Clone, Default)]
pub struct Emitted {
    count: u32,
    bytes: Vec<u8>,
    before: Option<Place>,
    /// What was added, for tests to compare with what comes back.
    #[cfg(test)]
    added: Vec<Event>,
}

/// Where in a bulk posting a voucher stands, and what it shares with its neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    stream: StreamId,
    number: u64,
    index: u32,
    event: EventCode,
    date: Date,
}

impl Place {
    fn of(voucher: &Voucher) -> Option<Self> {
        let Voucher { business: BusinessNumber::Bulk { stream, number, index }, event, date, .. } = *voucher else {
            return None;
        };
        Some(Self { stream, number, index, event, date })
    }

    fn next(self) -> Option<Self> {
        Some(Self { index: self.index.checked_add(1)?, ..self })
    }

    fn voucher(self, entries: Vec<Entry>) -> Voucher {
        let Self { stream, number, index, event, date } = self;
        let business = BusinessNumber::Bulk { stream, number, index };
        Voucher { business, event, date, entries, dimensions: None, contra_of: None }
    }
}

impl Emitted {
    /// How many events.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// True without events.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Their bytes, to be read by [`Events`].
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Adds an event.
    ///
    /// # Panics
    /// Above 2^32 events, of which memory holds fewer.
    pub fn push(&mut self, event: &Event) {
        if let Event::VoucherPosted(voucher) = event {
            self.push_voucher(voucher);
            return;
        }
        #[cfg(test)]
        self.added.push(event.clone());
        self.before = None;
        self.count += 1;
        minicbor::encode(event, &mut self.bytes).expect(IN_MEMORY);
    }

    /// Adds a voucher that was posted.
    pub(crate) fn push_voucher(&mut self, voucher: &Voucher) {
        #[cfg(test)]
        self.added.push(Event::VoucherPosted(voucher.clone()));
        let place = Place::of(voucher);
        let expected = self.before.and_then(Place::next);
        let plain = voucher.dimensions.is_none() && voucher.contra_of.is_none();
        if plain && place.is_some() && place == expected {
            self.push_entries(&voucher.entries);
        } else {
            // What the derived code of `Event::VoucherPosted` gives; a test compares.
            let mut out = Encoder::new(&mut self.bytes);
            out.array(2).and_then(|out| out.u32(0)).and_then(|out| out.array(1)).expect(IN_MEMORY);
            voucher.encode(&mut out, &mut ()).expect(IN_MEMORY);
        }
        self.before = place;
        self.count += 1;
    }

    /// Writes the few kinds of head that this takes itself: the encoder grows the vector at every call.
    fn push_entries(&mut self, entries: &[Entry]) {
        self.bytes.reserve(HEAD_BYTES * (2 + 3 * entries.len()));
        head(&mut self.bytes, TAG, NEXT.as_u64());
        head(&mut self.bytes, ARRAY, 3 * entries.len() as u64);
        for entry in entries {
            head(&mut self.bytes, UNSIGNED, entry.account.0);
            head(&mut self.bytes, UNSIGNED, u64::from(kind(entry)));
            head(&mut self.bytes, UNSIGNED, u64::try_from(entry.amount).expect("decide checked that it is positive"));
        }
    }

    /// The events, read back from their bytes.
    ///
    /// # Panics
    /// Never: what was encoded here decodes.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        let mut decoder = Decoder::new(&self.bytes);
        let events: Result<Vec<Event>, _> = Events::new(&mut decoder, self.count).collect();
        let events = events.expect("what was encoded decodes");
        #[cfg(test)]
        assert_eq!(events, self.added);
        events
    }

    /// Lets go of all of them.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Writes a head in its shortest form, as the encoder does.
fn head(bytes: &mut Vec<u8>, major: u8, value: u64) {
    let [.., e, f, g, h] = value.to_be_bytes();
    match value {
        0..=0x17 => bytes.push(major | h),
        0x18..=0xff => bytes.extend([major | 0x18, h]),
        0x100..=0xffff => bytes.extend([major | 0x19, g, h]),
        0x1_0000..=0xffff_ffff => bytes.extend([major | 0x1a, e, f, g, h]),
        0x1_0000_0000.. => {
            bytes.push(major | 0x1b);
            bytes.extend(value.to_be_bytes());
        }
    }
}

const fn kind(entry: &Entry) -> u8 {
    2 * entry.currency as u8 + entry.side as u8
}

fn of_kind(kind: u8) -> Option<(Currency, Side)> {
    let side = if kind % 2 == Side::Debit as u8 { Side::Debit } else { Side::Credit };
    Some((*Currency::ALL.get(usize::from(kind / 2))?, side))
}

/// Reads the events of one command one by one. The decoder then stands behind them.
#[derive(Debug)]
pub struct Events<'a, 'b> {
    decoder: &'a mut Decoder<'b>,
    left: u32,
    before: Option<Place>,
}

impl<'a, 'b> Events<'a, 'b> {
    /// The next `count` events of a decoder.
    #[must_use]
    pub fn new(decoder: &'a mut Decoder<'b>, count: u32) -> Self {
        Self { decoder, left: count, before: None }
    }

    fn read(&mut self) -> Result<Event, Error> {
        if self.decoder.datatype()? != minicbor::data::Type::Tag {
            let event = self.decoder.decode()?;
            self.before = if let Event::VoucherPosted(voucher) = &event { Place::of(voucher) } else { None };
            return Ok(event);
        }
        let at = self.decoder.position();
        let place = self.before.and_then(Place::next);
        let place = place.ok_or_else(|| Error::message("a bulk voucher without the one before it").at(at))?;
        let entries = self.entries()?;
        self.before = Some(place);
        Ok(Event::VoucherPosted(place.voucher(entries)))
    }

    fn entries(&mut self) -> Result<Vec<Entry>, Error> {
        let at = self.decoder.position();
        let tag = self.decoder.tag()?;
        let numbers = self.decoder.array()?.and_then(|numbers| usize::try_from(numbers).ok()).unwrap_or_default();
        if tag != NEXT || !numbers.is_multiple_of(3) || numbers > 3 * MAX_ENTRIES {
            return Err(Error::message("expected the entries of a bulk voucher").at(at));
        }
        let mut entries = Vec::with_capacity(numbers / 3);
        for _ in 0..numbers / 3 {
            let account = AccountId(self.decoder.u64()?);
            let at = self.decoder.position();
            let kind = of_kind(self.decoder.u8()?);
            let (currency, side) = kind.ok_or_else(|| Error::message("no currency has this number").at(at))?;
            entries.push(Entry { account, side, amount: self.decoder.i64()?, currency });
        }
        Ok(entries)
    }
}

impl Iterator for Events<'_, '_> {
    type Item = Result<Event, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let read = self.read();
        if read.is_err() {
            self.left = 0;
        }
        Some(read)
    }
}
