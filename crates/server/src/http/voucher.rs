//! Vouchers by the caller's own words: one at a time, each with a business number of its own.

use axum::extract::State;
use domain::voucher::{BusinessNumber, Dimensions, EventCode, PostVoucher};
use domain::{Command, Reply};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::answer::Answered;
use super::auth::Caller;
use super::error::ApiError;
use super::extract::Json;
use super::wire::{WireEntry, date_text, parse_some, word};

/// The most bytes of a business number.
const MAX_NUMBER: usize = 128;

/// A voucher: debits equal credits in each book and currency.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewVoucher {
    /// Your own number, 1 to 128 bytes; with the event it is unique for ever.
    #[schema(example = "2026-03-05/0001")]
    business_number: String,
    /// The step of the business; `transfer` unless said.
    #[schema(example = "transfer")]
    event: Option<String>,
    /// The accounting date you expect; another is refused. The open day unless said.
    #[schema(example = "2026-03-05")]
    date: Option<String>,
    /// Two to a thousand.
    entries: Vec<WireEntry>,
    /// What it is counted under.
    dimensions: Option<WireDimensions>,
}

/// What a voucher is counted under beside its accounts.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WireDimensions {
    /// The legal entity, where one platform serves several.
    legal_entity: Option<u16>,
    /// The product.
    #[schema(example = "rent")]
    product: Option<String>,
    /// The region: GB/T 2260, six digits.
    #[schema(example = 110_105)]
    region: Option<u32>,
    /// The channel.
    #[schema(example = "epcc")]
    channel: Option<String>,
    /// The merchant.
    #[schema(example = "mch_3")]
    merchant: Option<String>,
    /// The network's clearing date.
    #[schema(example = "2026-03-05")]
    clearing_date: Option<String>,
}

impl WireDimensions {
    /// How dimensions are shown.
    pub(crate) fn show(dimensions: &Dimensions) -> Self {
        Self {
            legal_entity: dimensions.legal_entity,
            product: dimensions.product.clone(),
            region: dimensions.region,
            channel: dimensions.channel.clone(),
            merchant: dimensions.merchant.map(|id| id.to_string()),
            clearing_date: dimensions.clearing_date.map(date_text),
        }
    }

    /// The dimensions they stand for.
    pub(crate) fn dimensions(self) -> Result<Box<Dimensions>, ApiError> {
        Ok(Box::new(Dimensions {
            legal_entity: self.legal_entity,
            region: self.region,
            merchant: parse_some(self.merchant.as_deref(), "dimensions.merchant")?,
            clearing_date: parse_some(self.clearing_date.as_deref(), "dimensions.clearing_date")?,
            product: self.product,
            channel: self.channel,
        }))
    }
}

/// A voucher as it was posted.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VoucherView {
    /// Its address in the journal.
    #[schema(example = "vch_1042")]
    id: String,
    /// Your number.
    #[schema(example = "2026-03-05/0001")]
    business_number: String,
    /// The step of the business.
    #[schema(example = "transfer")]
    event: &'static str,
    /// The entries.
    entries: Vec<WireEntry>,
    /// Nothing: a voucher is never changed. A mistake is undone by another.
    allowed_actions: Vec<&'static str>,
}

/// Reads the step of the business; `transfer` unless said.
pub(crate) fn event(name: Option<&str>) -> Result<EventCode, ApiError> {
    name.map_or(Ok(EventCode::Transfer), |name| word(name, "event", EventCode::ALL, EventCode::name))
}

/// Post a voucher
///
/// For what no feature books by itself. Entries on 1101 and out of agreement accounts are not made by hand.
#[utoipa::path(post, path = "/v1/vouchers", tag = "voucher", responses((status = OK, body = VoucherView)))]
pub(crate) async fn post(State(app): State<App>, caller: Caller, Json(new): Json<NewVoucher>) -> Answered<VoucherView> {
    caller.operator()?;
    let NewVoucher { business_number, event: name, date, entries: wire, dimensions } = new;
    if !(1..=MAX_NUMBER).contains(&business_number.len()) {
        let message = format!("the number has {} bytes; use 1 to {MAX_NUMBER}", business_number.len());
        return Err(ApiError::malformed("business_number", message));
    }
    let event = event(name.as_deref())?;
    let entries = entries(&wire)?;
    let command = PostVoucher {
        business: BusinessNumber::Text(business_number.as_str().into()),
        event,
        date: parse_some(date.as_deref(), "date")?,
        entries,
        dimensions: dimensions.map(WireDimensions::dimensions).transpose()?,
    };
    let meta = caller.meta_with("business_number", &format!("{business_number}/{}", event.name()))?;
    let mut said = (business_number, wire);
    let view = move |_: &domain::State, reply: &Reply| {
        let Reply::Voucher(id) = reply else { return None };
        let (id, event, allowed_actions) = (id.to_string(), event.name(), Vec::new());
        let (business_number, entries) = std::mem::take(&mut said);
        Some(VoucherView { id, business_number, event, entries, allowed_actions })
    };
    app.change(meta, Command::PostVoucher(command), view).await
}

/// Reads entries; an error names which.
pub(crate) fn entries(wire: &[WireEntry]) -> Result<Vec<domain::voucher::Entry>, ApiError> {
    let entry =
        |(index, entry): (usize, &WireEntry)| entry.entry().map_err(|error| error.within(&format!("entries[{index}]")));
    wire.iter().enumerate().map(entry).collect()
}
