//! Bulk postings: many vouchers in one request, in JSON or, faster, in CBOR.
//!
//! CBOR (`application/cbor`) says the same in arrays:
//! `[stream, number, atomic, [[event number, [[account number, side (0 debit, 1 credit), amount, currency number], …]], …]]`,
//! and the answer is `[stream number, number, vouchers, first voucher's position, [[index, [code number, param, message]], …]]`.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use domain::bulk::{BulkReply, BulkVoucher, BulkVouchers, PostBulk};
use domain::ids::{AccountId, VoucherId};
use domain::voucher::Entry;
use domain::{Command, Reply};
use http::{HeaderMap, header};
use minicbor::{Decode, Decoder};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::answer::Answered;
use super::auth::Caller;
use super::error::ApiError;
use super::extract::from_json;
use super::voucher::{WireDimensions, entries, event};
use super::wire::{WireEntry, parse_some};

const CBOR: &str = "application/cbor";

/// Many vouchers under one number of a stream.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WirePosting {
    /// A name of your own for a series of postings.
    #[schema(example = "rent-2026")]
    stream: String,
    /// Above every number the stream has used. The same number with the same body gets the first answer.
    #[schema(example = 1)]
    number: u64,
    /// All or nothing.
    #[serde(default)]
    atomic: bool,
    /// The accounting date you expect; another is refused.
    #[schema(example = "2026-03-05")]
    date: Option<String>,
    /// 1 to 100,000.
    vouchers: Vec<WireVoucher>,
}

/// One voucher: debits equal credits in each book and currency.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WireVoucher {
    /// The step of the business; `transfer` unless said.
    #[schema(example = "transfer")]
    event: Option<String>,
    /// Two or more.
    entries: Vec<WireEntry>,
    /// What it is counted under.
    dimensions: Option<WireDimensions>,
}

/// What became of a posting.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PostingAnswer {
    /// The stream's id.
    #[schema(example = "str_1")]
    stream: String,
    /// The posting's number.
    number: u64,
    /// How many vouchers it had.
    vouchers: u32,
    /// The first accepted voucher; those after it count up by one, in the order of their places.
    #[schema(example = "vch_1042")]
    first_voucher: Option<String>,
    /// The refused vouchers.
    refused: Vec<RefusedVoucher>,
}

/// A voucher that was refused.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RefusedVoucher {
    /// Its place, from 0.
    index: u32,
    /// The stable code.
    code: &'static str,
    /// The parameter it is about.
    param: String,
    /// What was wrong, and what would be right.
    message: String,
}

#[derive(Decode)]
struct CborPosting {
    #[n(0)]
    stream: Box<str>,
    #[n(1)]
    number: u64,
    #[n(2)]
    atomic: bool,
    #[n(3)]
    vouchers: CborVouchers,
}

/// The vouchers, each entry put into the posting's one list as soon as it is read: nothing is kept for a voucher alone.
struct CborVouchers(BulkVouchers);

impl<'b, C> Decode<'b, C> for CborVouchers {
    fn decode(decoder: &mut Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let mut vouchers = BulkVouchers::default();
        for _ in 0..length(decoder)? {
            fields(decoder, 2, "a voucher is [event number, entries]")?;
            let event = decoder.decode()?;
            let mut broken = None;
            let entries =
                (0..length(decoder)?).map_while(|_| entry(decoder).map_err(|error| broken = Some(error)).ok());
            vouchers.push(event, entries, None);
            if let Some(error) = broken {
                return Err(error);
            }
        }
        Ok(Self(vouchers))
    }
}

fn entry(decoder: &mut Decoder<'_>) -> Result<Entry, minicbor::decode::Error> {
    fields(decoder, 4, "an entry is [account number, side, amount, currency number]")?;
    let (account, side) = (AccountId(decoder.u64()?), decoder.decode()?);
    Ok(Entry { account, side, amount: decoder.i64()?, currency: decoder.decode()? })
}

/// The length of an array that says it in front.
fn length(decoder: &mut Decoder<'_>) -> Result<u64, minicbor::decode::Error> {
    let at = decoder.position();
    let length = decoder.array()?;
    length
        .ok_or_else(|| minicbor::decode::Error::message("an array without a length; write its length in front").at(at))
}

/// Reads the head of an array of so many fields.
fn fields(decoder: &mut Decoder<'_>, count: u64, what: &'static str) -> Result<(), minicbor::decode::Error> {
    let at = decoder.position();
    if length(decoder)? == count { Ok(()) } else { Err(minicbor::decode::Error::message(what).at(at)) }
}

/// Post many vouchers
///
/// Each is accepted or refused by itself unless `atomic` is set. (stream, number) is its key, so it needs no
/// `Idempotency-Key`: the same number with the same body gets the first answer. In JSON, or faster in CBOR
/// (`application/cbor`), which says the same in arrays: `[stream, number, atomic, [[event number, [[account number, side
/// (0 debit, 1 credit), amount, currency number], …]], …]]`, answered by `[stream number, number, vouchers, first
/// voucher's position, [[index, [code number, param, message]], …]]`.
#[utoipa::path(
    post,
    path = "/v1/postings",
    tag = "bulk",
    request_body(content((WirePosting = "application/json"), (Vec<u8> = "application/cbor"))),
    responses((status = OK, body = PostingAnswer))
)]
pub(crate) async fn post_bulk(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    caller.operator()?;
    let cbor = headers.get(header::CONTENT_TYPE).is_some_and(|value| value == CBOR);
    let mut posting = if cbor { from_cbor(&body)? } else { from_json::<WirePosting>(&body)?.posting()? };
    posting.fingerprint = caller.fingerprint();
    let reply = |_: &domain::State, reply: &Reply| {
        let Reply::Bulk(reply) = reply else { return None };
        Some(reply.clone())
    };
    let answer = app.change(caller.unkeyed(), Command::PostBulk(posting), reply).await?;
    if cbor {
        let bytes = minicbor::to_vec(&answer.view);
        let bytes = bytes.map_err(|error| ApiError::internal("encoding the answer", &error))?;
        return Ok(([(header::CONTENT_TYPE, CBOR)], bytes).into_response());
    }
    Ok(answer.map(PostingAnswer::of).into_response())
}

/// How far a stream of postings is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StreamView {
    #[schema(example = "rent-2026")]
    name: String,
    /// Its id, which stands in its vouchers' business numbers; null before its first posting.
    #[schema(example = "str_1")]
    stream: Option<String>,
    /// The highest number used; 0 before the first.
    #[schema(example = 17)]
    mark: u64,
}

/// Look at a stream of postings
///
/// Whoever was broken off goes on after its mark.
#[utoipa::path(
    get, path = "/v1/postings/{stream}", tag = "bulk", params(("stream" = String, Path, example = "rent-2026")),
    responses((status = OK, body = StreamView))
)]
pub(crate) async fn stream(State(app): State<App>, caller: Caller, Path(name): Path<String>) -> Answered<StreamView> {
    caller.operator()?;
    app.look(move |state| {
        let id = state.stream_names.get(name.as_str()).copied();
        let stream = id.and_then(|id| state.streams.get(id.0));
        let mark = stream.map_or(0, |stream| stream.mark);
        Ok(StreamView { name, stream: stream.map(|stream| stream.id.to_string()), mark })
    })
    .await
}

impl WirePosting {
    fn posting(self) -> Result<PostBulk, ApiError> {
        let date = parse_some(self.date.as_deref(), "date")?;
        let voucher = |(index, voucher): (usize, WireVoucher)| {
            voucher.voucher().map_err(|error| error.within(&format!("vouchers[{index}]")))
        };
        let vouchers = self.vouchers.into_iter().enumerate().map(voucher).collect::<Result<_, _>>()?;
        Ok(PostBulk {
            stream: self.stream.into(),
            number: self.number,
            fingerprint: [0; 16],
            atomic: self.atomic,
            date,
            vouchers,
        })
    }
}

impl WireVoucher {
    fn voucher(self) -> Result<BulkVoucher, ApiError> {
        Ok(BulkVoucher {
            event: event(self.event.as_deref())?,
            entries: entries(&self.entries)?,
            dimensions: self.dimensions.map(WireDimensions::dimensions).transpose()?,
        })
    }
}

fn from_cbor(body: &[u8]) -> Result<PostBulk, ApiError> {
    let mut decoder = Decoder::new(body);
    let posting: CborPosting = decoder.decode().map_err(|error| {
        ApiError::new("cbor_malformed", Some("body"), format!("{error}; see the documentation for the arrays"))
    })?;
    if decoder.position() != body.len() {
        let message =
            format!("{} bytes follow the posting; send one posting in a request", body.len() - decoder.position());
        return Err(ApiError::new("cbor_malformed", Some("body"), message));
    }
    let CborPosting { stream, number, atomic, vouchers: CborVouchers(vouchers) } = posting;
    Ok(PostBulk { stream, number, fingerprint: [0; 16], atomic, date: None, vouchers })
}

impl PostingAnswer {
    fn of(reply: BulkReply) -> Self {
        let BulkReply { stream, number, vouchers, first: VoucherId(first), refused } = reply;
        let any = (refused.len() as u64) < u64::from(vouchers);
        let refused = refused
            .into_iter()
            .map(|(index, refusal)| RefusedVoucher {
                index,
                code: refusal.code.name(),
                param: refusal.param.into_owned(),
                message: refusal.message,
            })
            .collect();
        let first_voucher = any.then(|| VoucherId(first).to_string());
        Self { stream: stream.to_string(), number, vouchers, first_voucher, refused }
    }
}
