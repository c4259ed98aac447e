//! Bulk postings: many vouchers, holds, confirms and cancels in one request, in JSON or, faster, in CBOR (see [`cbor`]).

mod cbor;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use domain::bulk::{BulkConfirm, BulkItem, BulkReply, BulkVoucher, PostBulk};
use domain::ids::{HoldId, VoucherId};
use domain::{Command, Reply};
use http::{HeaderMap, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::answer::Answered;
use super::auth::Caller;
use super::error::ApiError;
use super::extract::from_json;
use super::hold::NewHold;
use super::voucher::{WireDimensions, entries, event};
use super::wire::{Amount, WireEntry, parse, parse_some};

const CBOR: &str = "application/cbor";

/// Many vouchers, or items of several kinds, under one number of a stream.
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
    /// 1 to 100,000; or `items`.
    vouchers: Option<Vec<WireVoucher>>,
    /// 1 to 100,000 of several kinds, carried out in this order; or `vouchers`.
    items: Option<Vec<WireItem>>,
}

/// One item of a posting.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum WireItem {
    /// Post a voucher.
    Voucher(WireVoucher),
    /// Hold money, or announce it.
    Hold(Box<NewHold>),
    /// Move held money; it may have been held by an item before.
    Confirm(WireConfirm),
    /// Let the rest of a hold go, by its id.
    #[schema(example = "hld_7")]
    Cancel(String),
}

/// What of a hold to move, and where.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WireConfirm {
    #[schema(example = "hld_7")]
    hold: String,
    /// All that is still held unless said.
    amount: Option<Amount>,
    /// Where the money goes; left out for announced money, which comes from its source.
    #[schema(example = "acc_43")]
    to: Option<String>,
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
    /// How many vouchers or items it had.
    vouchers: u32,
    /// Of vouchers alone: the first accepted one; those after it count up by one, in the order of their places.
    #[schema(example = "vch_1042")]
    first_voucher: Option<String>,
    /// Of items: what each accepted one made, in the order of their places: the voucher of a voucher or confirm, the hold of a
    /// hold or cancel.
    #[schema(example = json!(["hld_7", "vch_1043"]))]
    made: Vec<String>,
    /// The refused vouchers or items.
    refused: Vec<RefusedItem>,
}

/// A voucher or item that was refused.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RefusedItem {
    /// Its place, from 0.
    index: u32,
    /// The stable code.
    code: &'static str,
    /// The parameter it is about.
    param: String,
    /// What was wrong, and what would be right.
    message: String,
}

/// Post many vouchers, or hold and move money many times
///
/// Each voucher or item is accepted or refused by itself unless `atomic` is set. (stream, number) is its key, so it needs no
/// `Idempotency-Key`: the same number with the same body gets the first answer. In JSON, or faster in CBOR
/// (`application/cbor`), which says the same in arrays: `[stream, number, atomic, [item, …]]`, an item being a voucher
/// `[event number, [[account number, side (0 debit, 1 credit), amount, currency number], …]]`, a confirm `[hold number,
/// amount or null, receiver's account number or null]`, a hold `[account number, amount, currency number, expiry in ms since
/// 1970, source's account number or null, reference or null]`, or a cancel `[hold number]`. It is answered by `[stream
/// number, number, items, first voucher's position, [[index, [code number, param, message]], …], [made, …]]`, `made` as in
/// JSON, left out where it is empty.
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
    let mut posting = if cbor { cbor::posting(&body)? } else { from_json::<WirePosting>(&body)?.posting()? };
    posting.fingerprint = caller.fingerprint();
    let by_hold = if cbor { Vec::new() } else { posting.items.made_by_hold() };
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
    Ok(answer.map(|reply| PostingAnswer::of(reply, &by_hold)).into_response())
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
        Ok(StreamView { name: name.clone(), stream: stream.map(|stream| stream.id.to_string()), mark })
    })
    .await
}

impl WirePosting {
    fn posting(self) -> Result<PostBulk, ApiError> {
        let date = parse_some(self.date.as_deref(), "date")?;
        let items = match (self.vouchers, self.items) {
            (Some(vouchers), None) => each(vouchers, "vouchers", |voucher| voucher.voucher().map(BulkItem::Voucher))?,
            (None, Some(items)) => each(items, "items", WireItem::item)?,
            (Some(_), Some(_)) | (None, None) => {
                let message = "send `vouchers`, or `items` where there are holds, confirms or cancels among them";
                return Err(ApiError::malformed("vouchers", message.to_owned()));
            }
        };
        let (stream, number, atomic) = (self.stream.into(), self.number, self.atomic);
        Ok(PostBulk { stream, number, fingerprint: [0; 16], atomic, date, items })
    }
}

/// Reads each of a list into what is collected; an error names its place.
fn each<T, C: FromIterator<BulkItem>>(
    list: Vec<T>,
    name: &str,
    read: impl Fn(T) -> Result<BulkItem, ApiError>,
) -> Result<C, ApiError> {
    let one = |(at, item)| read(item).map_err(|error| error.within(&format!("{name}[{at}]")));
    list.into_iter().enumerate().map(one).collect()
}

impl WireItem {
    fn item(self) -> Result<BulkItem, ApiError> {
        match self {
            Self::Voucher(voucher) => voucher.voucher().map(BulkItem::Voucher),
            Self::Hold(new) => new.place().map(|new| BulkItem::Hold(Box::new(new))),
            Self::Confirm(WireConfirm { hold, amount, to }) => Ok(BulkItem::Confirm(Box::new(BulkConfirm {
                hold: parse(&hold, "hold")?,
                amount: amount.map(|amount| amount.0),
                to: parse_some(to.as_deref(), "to")?,
            }))),
            Self::Cancel(hold) => parse::<HoldId>(&hold, "cancel").map(BulkItem::Cancel),
        }
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

impl PostingAnswer {
    /// `by_hold` says of each item of a mixed posting which kind of number it made.
    fn of(reply: BulkReply, by_hold: &[bool]) -> Self {
        let BulkReply { stream, number, vouchers, first: VoucherId(first), refused, made } = reply;
        let any = made.is_empty() && (refused.len() as u64) < u64::from(vouchers);
        let mut refused_at = refused.iter().map(|(index, _)| *index).peekable();
        let accepted = (0_u32..).zip(by_hold).filter(|(at, _)| refused_at.next_if_eq(at).is_none());
        let made = made
            .into_iter()
            .zip(accepted)
            .map(|(made, (_, by_hold))| if *by_hold { HoldId(made).to_string() } else { VoucherId(made).to_string() })
            .collect();
        let refused = refused
            .into_iter()
            .map(|(index, refusal)| RefusedItem {
                index,
                code: refusal.code.name(),
                param: refusal.param.into_owned(),
                message: refusal.message,
            })
            .collect();
        let first_voucher = any.then(|| VoucherId(first).to_string());
        Self { stream: stream.to_string(), number, vouchers, first_voucher, made, refused }
    }
}
