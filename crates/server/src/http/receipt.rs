//! Electronic receipts (电子回单): what became of one object, told once and for all in a text that the platform signs.
//!
//! ```text
//!  object that ended well ─► content, the same text whenever it is asked for ─► SM3 digest, SM2 signature
//!  whoever holds it ─► verify: authentic? ─► how the object stands now
//! ```
//! Nothing of a receipt is kept: it follows from the object, and its proof is the signature. What happens to the object later
//! (a refund, a return, a chargeback) changes no receipt; whoever has a receipt verified is told.

mod capital;
mod content;
mod page;
mod pdf;
mod sheet;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use ::ark::keys::{SIGNING_KEY, by_platform, text_of};
use ::ark::sm3;
use axum::Json as Answer;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{Html, IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use domain::account::Owner;
use domain::certificate::CertificateAlgorithm;
use domain::ids::{
    AdvanceId, CardTransactionId, ChargebackId, MerchantId, OrderId, PayoutId, RefundId, SettlementId, SplitId,
    TopUpId, TransferId, VoucherId,
};
use domain::{Refusal, State as Books};
use serde::{Deserialize, Serialize};
use store::split::SplitFilter;
use store::{Database, StoreError};
use utoipa::ToSchema;

use self::content::ReceiptContent;
use super::App;
use super::answer::{Answered, blocking};
use super::auth::Caller;
use super::certificate::{SM2_SERIAL, platform_signature};
use super::error::ApiError;
use super::extract::{Id, Json, Query};

/// Why the key is used, for the trail.
const REASON: &str = "electronic receipt";
/// The longest content that is verified; ours are a few hundred bytes.
const LONGEST: usize = 8_192;
/// How many splits of an order are read at a time.
const SPLITS_AT_ONCE: u32 = 500;
/// How often a store that does not have a split yet is looked at again, and how many times: about five seconds.
const LOOK_AGAIN: (Duration, u32) = (Duration::from_millis(50), 100);

/// What a receipt is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Receipted {
    Order(OrderId),
    Refund(RefundId),
    Payout(PayoutId),
    TopUp(TopUpId),
    Transfer(TransferId),
    Card(CardTransactionId),
    Settlement(SettlementId),
    Advance(AdvanceId),
    /// What a split gave one of its receivers.
    Split(SplitId, MerchantId),
    /// What a receiver of a split gave back, by its voucher.
    SplitReturn(SplitId, VoucherId),
    Chargeback(ChargebackId),
}

/// A text that names no object of which there are receipts.
#[derive(Debug)]
pub(crate) struct NoReceipt;

impl fmt::Display for NoReceipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "receipts are of ord_7, rfd_3, pay_5, tup_5, trf_5, ctx_42, stl_5, adv_3 and cbk_2: orders, refunds, payouts and \
             withdrawals, top-ups, transfers, card transactions, settlements, advances, chargebacks; and of spl_3-mch_4 and \
             spl_3-vch_9, what a split gave a receiver and what came back by that voucher",
        )
    }
}

impl FromStr for Receipted {
    type Err = NoReceipt;

    fn from_str(text: &str) -> Result<Self, NoReceipt> {
        let order = text.parse().map(Self::Order).ok();
        let refund = || text.parse().map(Self::Refund).ok();
        let payout = || text.parse().map(Self::Payout).ok();
        let top_up = || text.parse().map(Self::TopUp).ok();
        let transfer = || text.parse().map(Self::Transfer).ok();
        let card = || text.parse().map(Self::Card).ok();
        let settlement = || text.parse().map(Self::Settlement).ok();
        let advance = || text.parse().map(Self::Advance).ok();
        let chargeback = || text.parse().map(Self::Chargeback).ok();
        let found = order.or_else(refund).or_else(payout).or_else(top_up).or_else(transfer).or_else(card);
        let found = found.or_else(settlement).or_else(advance).or_else(|| Self::of_split(text)).or_else(chargeback);
        found.ok_or(NoReceipt)
    }
}

impl Receipted {
    /// A split pays several receivers, each of whom sees its own part alone: `spl_3-mch_4`. Its returns go by their vouchers.
    fn of_split(text: &str) -> Option<Self> {
        let (split, of) = text.split_once('-')?;
        let split: SplitId = split.parse().ok()?;
        let given = of.parse().map(|receiver: MerchantId| Self::Split(split, receiver)).ok();
        given.or_else(|| of.parse().map(|voucher: VoucherId| Self::SplitReturn(split, voucher)).ok())
    }

    /// Whose it is. A transfer, a part of a split and its return are of both their sides: the second's, if that is `asks`.
    fn owner(self, state: &Books, asks: Option<Owner>) -> Result<Owner, Refusal> {
        let of_account = |account| Ok(state.account(account, "account")?.owner);
        let of_both = |first: Owner, second: Owner| if Some(second) == asks { second } else { first };
        match self {
            Self::Order(id) => Ok(Owner::Merchant(state.order(id)?.merchant)),
            Self::Refund(id) => Ok(Owner::Merchant(state.order(state.refund(id)?.order)?.merchant)),
            Self::Payout(id) => of_account(state.payout(id)?.account),
            Self::TopUp(id) => of_account(state.top_up(id)?.account),
            Self::Transfer(id) => {
                let transfer = state.transfer(id)?;
                Ok(of_both(of_account(transfer.from)?, of_account(transfer.to)?))
            }
            Self::Card(id) => Ok(Owner::Merchant(state.card_transaction(id)?.merchant)),
            Self::Settlement(id) => Ok(Owner::Merchant(state.settlement(id)?.merchant)),
            Self::Advance(id) => Ok(Owner::Merchant(state.advance(id)?.merchant)),
            // Who received anything of a split is told to nobody but the two: whether there is such a part is looked at afterwards.
            Self::Split(id, receiver) => {
                Ok(of_both(Owner::Merchant(state.split(id)?.payee), Owner::Merchant(receiver)))
            }
            Self::SplitReturn(id, voucher) => {
                let split = state.split(id)?;
                let payee = Owner::Merchant(split.payee);
                let given = split.returns.iter().find(|given| given.voucher == voucher);
                Ok(given.map_or(payee, |given| of_both(payee, Owner::Merchant(given.receiver))))
            }
            Self::Chargeback(id) => Ok(Owner::Merchant(state.chargeback(id)?.merchant)),
        }
    }
}

/// A receipt.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReceiptView {
    /// What is signed, byte by byte: a JSON object. The same whenever it is asked for.
    content: String,
    /// The SM3 of it, in hexadecimal.
    #[schema(example = "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0")]
    digest: String,
    /// Of `GET /v1/platform-keys`: the key that verifies it.
    #[schema(example = "PLATFORM-SM2-1")]
    serial_no: String,
    /// SM2 with SM3 over the content, DER in base64.
    signature: String,
    /// The content, read.
    receipt: ReceiptContent,
}

/// A receipt as its holder has it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HeldReceipt {
    /// As it was issued, byte by byte.
    content: String,
    #[schema(example = "PLATFORM-SM2-1")]
    serial_no: String,
    signature: String,
}

/// What is known of a receipt.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VerifiedReceipt {
    /// Whether the platform issued exactly this. If not, nothing else is said.
    authentic: bool,
    /// The SM3 of the content, in hexadecimal.
    digest: String,
    /// How its object stands now, and what was given back of it since.
    now: Option<content::Standing>,
}

async fn issued(app: &App, caller: &Caller, of: Receipted) -> Answered<ReceiptView> {
    let asks = caller.merchant.map(Owner::Merchant);
    app.owned(caller, move |state| of.owner(state, asks)).await?;
    let seen =
        app.look(move |state| Ok(ReceiptContent::of(state, of)?.ok_or(content::standing(state, of, &[])?))).await?;
    let receipt = seen.view.map_err(|now| {
        let message = format!("there is a receipt of what ended well; this is {}", now.status);
        ApiError::new("receipt_not_yet", Some("id"), message)
    })?;
    let (content, keys) = (receipt.text(), app.ark.keys());
    let digest = hex::encode(sm3(content.as_bytes()));
    let signed = move || {
        let signature = platform_signature(&*keys, CertificateAlgorithm::Sm2WithSm3, content.as_bytes(), REASON)?;
        Ok((content, signature))
    };
    let (content, (serial_no, signature)) = blocking(signed).await?;
    let view = ReceiptView { content, digest, serial_no, signature, receipt };
    Ok(super::answer::Answer { view, position: seen.position, repeated: false })
}

/// Take the electronic receipt of an object (电子回单)
///
/// Of an order that was paid, a refund, payout, withdrawal, top-up or transfer that succeeded, a card transaction that was
/// approved, a settlement, an advance that arrived, a chargeback that was booked. Of a split there is one for each receiver
/// (`spl_3-mch_4`) and one for each return, by its voucher (`spl_3-vch_9`): payee and receiver see it. Whoever holds a receipt has
/// it verified by `POST /v1/receipts/verify`, without an account here.
#[utoipa::path(
    get, path = "/v1/receipts/{id}", tag = "receipt", params(("id" = String, Path, example = "pay_5")),
    responses((status = OK, body = ReceiptView))
)]
pub(crate) async fn get(State(app): State<App>, caller: Caller, Id(of): Id<Receipted>) -> Answered<ReceiptView> {
    issued(&app, &caller, of).await
}

/// Take an electronic receipt as a page to print
///
/// In Chinese and English, on one sheet, with digest and signature; it needs nothing else to be shown.
#[utoipa::path(
    get, path = "/v1/receipts/{id}/page", tag = "receipt", params(("id" = String, Path, example = "pay_5")),
    responses((status = OK, body = String, content_type = "text/html"))
)]
pub(crate) async fn page(
    State(app): State<App>,
    caller: Caller,
    Id(of): Id<Receipted>,
) -> Result<Html<String>, ApiError> {
    Ok(Html(page::of(&issued(&app, &caller, of).await?.view)))
}

/// Take an electronic receipt as a PDF
///
/// One sheet (A5, across), in Chinese: parties, amount in figures and in capital numerals, digest, signature, a QR code that leads
/// to `GET /v1/receipts/{id}/verify`. Attached to it is `receipt.json`, the receipt as `GET /v1/receipts/{id}` answers it.
#[utoipa::path(
    get, path = "/v1/receipts/{id}/pdf", tag = "receipt", params(("id" = String, Path, example = "pay_5")),
    responses((status = OK, body = Vec<u8>, content_type = "application/pdf"))
)]
pub(crate) async fn pdf(State(app): State<App>, caller: Caller, Id(of): Id<Receipted>) -> Result<Response, ApiError> {
    let view = issued(&app, &caller, of).await?.view;
    let sheet = pdf::of(&view, &app.public_url).ok_or_else(|| {
        ApiError::new("internal", None, "the address that verifies this receipt is too long for a QR code")
    })?;
    Ok(([(CONTENT_TYPE, "application/pdf")], sheet).into_response())
}

/// What a receipt's QR code carries beside its object.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Proof {
    serial_no: String,
    signature: String,
}

/// Verify an electronic receipt by its QR code
///
/// Anyone may ask, without a signature of their own; the answer is a page. The platform says what it signed for this object, if it
/// signed that with this signature (DER in base64url, without padding), and how the object stands now. Else it says that the receipt
/// is not authentic, and nothing more.
#[utoipa::path(
    get, path = "/v1/receipts/{id}/verify", tag = "receipt",
    params(
        ("id" = String, Path, example = "pay_5"), ("serial_no" = String, Query, example = "PLATFORM-SM2-1"),
        ("signature" = String, Query),
    ),
    responses((status = OK, body = String, content_type = "text/html"))
)]
pub(crate) async fn verified(
    State(app): State<App>,
    Id(of): Id<Receipted>,
    Query(proof): Query<Proof>,
) -> Result<Html<String>, ApiError> {
    // Whether there is such an object is nobody's business who has no signature over it.
    let receipt = app.look(move |state| Ok(ReceiptContent::of(state, of).ok().flatten())).await?.view;
    let signature = BASE64_URL_SAFE_NO_PAD.decode(&proof.signature).ok();
    let (Some(receipt), Some(signature)) = (receipt, signature) else { return Ok(Html(page::not_authentic())) };
    let content = receipt.text();
    if !is_signed(&app, &content, &proof.serial_no, &signature).await? {
        return Ok(Html(page::not_authentic()));
    }
    let now = standing(&app, of).await?;
    let digest = hex::encode(sm3(content.as_bytes()));
    let signature = BASE64_STANDARD.encode(signature);
    let view = ReceiptView { content, digest, serial_no: proof.serial_no, signature, receipt };
    Ok(Html(page::authentic(&view, &now)))
}

/// How what a receipt is of stands now; a part of a split comes behind what earlier splits of the order gave its receiver.
async fn standing(app: &App, of: Receipted) -> Result<content::Standing, ApiError> {
    let earlier =
        if let Receipted::Split(id, receiver) = of { earlier_splits(app, id, receiver).await? } else { Vec::new() };
    Ok(app.look(move |state| content::standing(state, of, &earlier)).await?.view)
}

/// The splits that gave a receiver of the same order before this one did. The store has them once it has this one.
async fn earlier_splits(app: &App, id: SplitId, receiver: MerchantId) -> Result<Vec<SplitId>, ApiError> {
    let order = app.look(move |state| Ok(state.split(id)?.order)).await?.view;
    for _ in 0..LOOK_AGAIN.1 {
        let store = app.books.store.clone();
        let failed = |error: StoreError| ApiError::internal("reading an order's splits", &error);
        let read = move || splits_before(&store, order, id, receiver).map_err(failed);
        if let Some(found) = app.blocking(read).await? {
            return Ok(found);
        }
        tokio::time::sleep(LOOK_AGAIN.0).await;
    }
    Err(ApiError::new("unavailable", None, format!("lists do not show {id} yet; try again shortly")))
}

/// Those of them that the store has; none if it does not have the split itself yet.
fn splits_before(
    store: &Database,
    order: OrderId,
    id: SplitId,
    receiver: MerchantId,
) -> Result<Option<Vec<SplitId>>, StoreError> {
    let filter = SplitFilter { order: Some(order), ..SplitFilter::default() };
    let (mut found, mut cursor) = (Vec::new(), None);
    loop {
        let page = store::list(store, &filter, cursor, SPLITS_AT_ONCE)?;
        for split in page.data {
            if split.id == id {
                return Ok(Some(found));
            }
            if split.parts.iter().any(|part| part.merchant == receiver) {
                found.push(split.id);
            }
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(None);
        }
    }
}

/// Whether the platform signed a text so.
async fn is_signed(app: &App, content: &str, serial_no: &str, signature: &[u8]) -> Result<bool, ApiError> {
    let version = serial_no.strip_prefix(SM2_SERIAL).and_then(|version| version.parse::<u32>().ok());
    let Some(version) = version else { return Ok(false) };
    let (keys, content, signature) = (app.ark.keys(), content.to_owned(), text_of(version, signature));
    let verified = move || match keys.verify(&by_platform(REASON), SIGNING_KEY, content.as_bytes(), &signature) {
        Ok(()) => Ok(true),
        Err(error) => content::is_no(&error).then_some(false).ok_or_else(|| super::ark::error_of(&error)),
    };
    blocking(verified).await
}

/// Verify an electronic receipt
///
/// Anyone may ask, without a signature of their own. What the platform did not issue, or what was changed since, is not
/// authentic, and nothing is told of it.
#[utoipa::path(post, path = "/v1/receipts/verify", tag = "receipt", responses((status = OK, body = VerifiedReceipt)))]
pub(crate) async fn verify(
    State(app): State<App>,
    Json(held): Json<HeldReceipt>,
) -> Result<Answer<VerifiedReceipt>, ApiError> {
    let HeldReceipt { content, serial_no, signature } = held;
    if content.len() > LONGEST {
        let message = format!("{} bytes are no receipt; it has at most {LONGEST}", content.len());
        return Err(ApiError::malformed("content", message));
    }
    let digest = hex::encode(sm3(content.as_bytes()));
    let authentic = match BASE64_STANDARD.decode(&signature) {
        Ok(signature) => is_signed(&app, &content, &serial_no, &signature).await?,
        Err(_) => false,
    };
    // Whatever else the platform's key signs is no receipt.
    let named = ReceiptContent::read(&content).and_then(|receipt| receipt.object());
    let Some(of) = named.filter(|_| authentic) else {
        return Ok(Answer(VerifiedReceipt { authentic: false, digest, now: None }));
    };
    let now = standing(&app, of).await?;
    Ok(Answer(VerifiedReceipt { authentic, digest, now: Some(now) }))
}
