//! Postings in CBOR (`application/cbor`): arrays, the kind of an item known by its length.
//!
//! | item | array |
//! |---|---|
//! | cancel | `[hold number]` |
//! | voucher | `[event number, [[account number, side (0 debit, 1 credit), amount, currency number], …]]` |
//! | confirm | `[hold number, amount \| null, receiver \| null]` |
//! | hold | `[account number, amount, currency number, expiry in ms since 1970, source \| null, reference \| null]` |

use domain::bulk::{BulkConfirm, BulkItem, BulkItems, PostBulk};
use domain::envelope::Time;
use domain::hold::{NewHold, PlaceHold};
use domain::ids::{AccountId, HoldId};
use domain::voucher::Entry;
use minicbor::decode::Error;
use minicbor::{Decode, Decoder};

use crate::http::error::ApiError;

#[derive(Decode)]
struct CborPosting {
    #[n(0)]
    stream: Box<str>,
    #[n(1)]
    number: u64,
    #[n(2)]
    atomic: bool,
    #[n(3)]
    items: CborItems,
}

/// The items; an entry is put into the posting's one list as soon as it is read: nothing is kept for a voucher alone.
struct CborItems(BulkItems);

impl<'b, C> Decode<'b, C> for CborItems {
    fn decode(decoder: &mut Decoder<'b>, _: &mut C) -> Result<Self, Error> {
        let mut items = BulkItems::default();
        for _ in 0..length(decoder)? {
            let at = decoder.position();
            match length(decoder)? {
                1 => items.push(BulkItem::Cancel(HoldId(decoder.u64()?))),
                2 => voucher(decoder, &mut items)?,
                3 => items.push(BulkItem::Confirm(Box::new(confirm(decoder)?))),
                6 => items.push(BulkItem::Hold(Box::new(hold(decoder)?))),
                _ => {
                    let message = "an item has 1 field (cancel), 2 (voucher), 3 (confirm) or 6 (hold)";
                    return Err(Error::message(message).at(at));
                }
            }
        }
        Ok(Self(items))
    }
}

fn voucher(decoder: &mut Decoder<'_>, items: &mut BulkItems) -> Result<(), Error> {
    let event = decoder.decode()?;
    let mut broken = None;
    let entries = (0..length(decoder)?).map_while(|_| entry(decoder).map_err(|error| broken = Some(error)).ok());
    items.push_voucher(event, entries, None);
    broken.map_or(Ok(()), Err)
}

fn entry(decoder: &mut Decoder<'_>) -> Result<Entry, Error> {
    let at = decoder.position();
    if length(decoder)? != 4 {
        return Err(Error::message("an entry is [account number, side, amount, currency number]").at(at));
    }
    let (account, side) = (AccountId(decoder.u64()?), decoder.decode()?);
    Ok(Entry { account, side, amount: decoder.i64()?, currency: decoder.decode()? })
}

fn confirm(decoder: &mut Decoder<'_>) -> Result<BulkConfirm, Error> {
    Ok(BulkConfirm { hold: HoldId(decoder.u64()?), amount: decoder.decode()?, to: account(decoder)? })
}

fn hold(decoder: &mut Decoder<'_>) -> Result<NewHold, Error> {
    let (account_id, amount) = (AccountId(decoder.u64()?), decoder.i64()?);
    let (currency, expires_at) = (decoder.decode()?, Time(decoder.i64()?));
    let terms = PlaceHold { account: account_id, amount, currency, expires_at };
    Ok(NewHold { terms, source: account(decoder)?, reference: decoder.decode()? })
}

fn account(decoder: &mut Decoder<'_>) -> Result<Option<AccountId>, Error> {
    decoder.decode().map(|id: Option<u64>| id.map(AccountId))
}

/// The length of an array that says it in front.
fn length(decoder: &mut Decoder<'_>) -> Result<u64, Error> {
    let at = decoder.position();
    let length = decoder.array()?;
    length.ok_or_else(|| Error::message("an array without a length; write its length in front").at(at))
}

/// Reads a posting; the caller sets its fingerprint.
///
/// # Errors
/// `cbor_malformed`, with the byte that is wrong.
pub(super) fn posting(body: &[u8]) -> Result<PostBulk, ApiError> {
    let mut decoder = Decoder::new(body);
    let posting: CborPosting = decoder.decode().map_err(|error| {
        ApiError::new("cbor_malformed", Some("body"), format!("{error}; see the documentation for the arrays"))
    })?;
    if decoder.position() != body.len() {
        let message =
            format!("{} bytes follow the posting; send one posting in a request", body.len() - decoder.position());
        return Err(ApiError::new("cbor_malformed", Some("body"), message));
    }
    let CborPosting { stream, number, atomic, items: CborItems(items) } = posting;
    Ok(PostBulk { stream, number, fingerprint: [0; 16], atomic, date: None, items })
}
