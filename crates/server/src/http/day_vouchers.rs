//! The vouchers of a day with all their entries, for who takes them elsewhere: a finance ledger, an auditor.

use std::collections::BTreeMap;

use axum::extract::State;
use domain::account::Owner;
use domain::book::Subject;
use domain::business_day::DayStatus;
use domain::calendar::Date;
use domain::ids::{AccountId, VoucherId};
use domain::money::Currency;
use domain::voucher::Dimensions;
use history::{KeptVoucher, VoucherPage, VouchersWanted};
use serde::{Deserialize, Serialize};
use store::Checkpoint;
use utoipa::ToSchema;

use super::App;
use super::answer::{Answer, Answered};
use super::auth::Caller;
use super::business_day::{day, status_name};
use super::error::ApiError;
use super::extract::{Id, Query};
use super::wire::{Amount, date_text, owner_text, parse_some, time_text};
use crate::shell::Unavailable;

/// The vouchers of a page unless the caller says how many.
const LIMIT: usize = 1_000;
/// The most vouchers of a page.
const LIMIT_MAX: usize = 10_000;

/// Which page.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageWanted {
    /// 1 to 10,000; 1,000 unless said.
    limit: Option<usize>,
    /// `next_cursor` of the page before: the last voucher on it.
    #[param(example = "vch_1042")]
    cursor: Option<String>,
}

/// The vouchers of a day.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DayVouchersView {
    #[schema(example = "2026-03-05")]
    date: String,
    /// Where the day stands: `open`, `cutting` or `closed`. An open day may get more.
    status: &'static str,
    /// The journal position behind which no voucher bears its date.
    sealed: Option<u64>,
    /// The journal position that this page shows, and the chain's hash there.
    journal: JournalView,
    /// By id, which is the order of the journal.
    data: Vec<DayVoucherView>,
    next_cursor: Option<String>,
}

/// A place in the journal.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JournalView {
    /// The last event's position.
    #[schema(example = 1042)]
    position: u64,
    /// The chain's hash (SM3) of the row that ends with it.
    hash: String,
}

/// A voucher with all its entries.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DayVoucherView {
    #[schema(example = "vch_1042")]
    id: String,
    date: String,
    posted_at: String,
    /// The step of the business.
    #[schema(example = "payment_captured")]
    event: &'static str,
    /// The business number.
    #[schema(example = "ord_7")]
    business: String,
    /// What it is counted under.
    dimensions: Option<DimensionsView>,
    /// Debits, then credits, each by account.
    entries: Vec<DayEntryView>,
}

/// One entry.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DayEntryView {
    #[schema(example = "acc_42")]
    account: String,
    /// The subject's code.
    #[schema(example = 2201)]
    subject: u16,
    /// RESERVE, OWN or CUSTODY.
    #[schema(example = "RESERVE")]
    book: &'static str,
    #[schema(example = "usr_7")]
    owner: String,
    #[schema(example = "CNY")]
    currency: &'static str,
    /// `debit` or `credit`.
    side: &'static str,
    amount: Amount,
    /// Its number within the account.
    number: u64,
    /// The account's balance after it, in the order of the numbers.
    balance: Amount,
}

/// What a voucher is counted under.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DimensionsView {
    legal_entity: Option<u16>,
    product: Option<String>,
    region: Option<u32>,
    channel: Option<String>,
    merchant: Option<String>,
    clearing_date: Option<String>,
}

impl DimensionsView {
    fn of(dimensions: &Dimensions) -> Self {
        let Dimensions { legal_entity, product, region, channel, merchant, clearing_date } = dimensions.clone();
        Self {
            legal_entity,
            product,
            region,
            channel,
            merchant: merchant.map(|merchant| merchant.to_string()),
            clearing_date: clearing_date.map(date_text),
        }
    }
}

/// What an entry's account is.
#[derive(Debug, Clone, Copy)]
struct Of {
    subject: Subject,
    currency: Currency,
    owner: Owner,
}

type Accounts = BTreeMap<AccountId, Of>;

impl DayVoucherView {
    fn of(voucher: &KeptVoucher, accounts: &Accounts) -> Result<Self, ApiError> {
        let entry = |entry: &history::voucher::KeptEntry| {
            let Of { subject, currency, owner } = *accounts.get(&entry.account).ok_or_else(|| {
                let message = format!("{} has an entry on {}, which the books do not know", voucher.id, entry.account);
                ApiError::new("internal", None, message)
            })?;
            Ok(DayEntryView {
                account: entry.account.to_string(),
                subject: subject.code(),
                book: subject.book().name(),
                owner: owner_text(owner),
                currency: currency.code(),
                side: entry.side.name(),
                amount: Amount(entry.amount),
                number: entry.number,
                balance: Amount(entry.balance),
            })
        };
        Ok(Self {
            id: voucher.id.to_string(),
            date: date_text(voucher.date),
            posted_at: time_text(voucher.posted_at),
            event: voucher.event.name(),
            business: voucher.business.to_string(),
            dimensions: voucher.dimensions.as_deref().map(DimensionsView::of),
            entries: voucher.entries.iter().map(entry).collect::<Result<_, ApiError>>()?,
        })
    }
}

/// List a day's vouchers
///
/// Everything durable when it was asked, from the day's files: they are read beside the writer. Of a closed day they never
/// change.
#[utoipa::path(
    get, path = "/v1/days/{date}/vouchers", tag = "day_vouchers",
    params(("date" = String, Path, example = "2026-03-05"), PageWanted),
    responses((status = OK, body = DayVouchersView))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Id(date): Id<Date>,
    Query(wanted): Query<PageWanted>,
) -> Answered<DayVouchersView> {
    caller.operator()?;
    let wanted = wanted.page()?;
    let look = move |state: &domain::State| day(state, date).map(|day| (day.status, day.sealed));
    let Answer { view: (status, sealed), position, .. } = app.look(look).await?;
    // A closed day lies in its files; of another one what is still in memory goes there first.
    if status != DayStatus::Closed && !app.books.projector.checkpointed(position).await {
        return Err(Unavailable::Stopped.into());
    }
    let (checkpoint, page) = read(&app, date, wanted).await?;
    let accounts = accounts(&app, &page).await?;
    let data: Vec<DayVoucherView> =
        page.vouchers.iter().map(|voucher| DayVoucherView::of(voucher, &accounts)).collect::<Result<_, _>>()?;
    let next_cursor = data.last().filter(|_| page.more).map(|last| last.id.clone());
    let journal = JournalView { position: checkpoint.position, hash: hex::encode(checkpoint.hash) };
    let view =
        DayVouchersView { date: date_text(date), status: status_name(status), sealed, journal, data, next_cursor };
    Ok(Answer { view, position: checkpoint.position, repeated: false })
}

impl PageWanted {
    fn page(&self) -> Result<VouchersWanted, ApiError> {
        let limit = match self.limit {
            None => LIMIT,
            Some(limit @ 1..=LIMIT_MAX) => limit,
            Some(limit) => {
                let message = format!("{limit} vouchers are not a page; use 1 to {LIMIT_MAX}");
                return Err(ApiError::malformed("limit", message));
            }
        };
        let cursor = parse_some(self.cursor.as_deref(), "cursor").map_err(|_| {
            let message = "this is no cursor; pass next_cursor of the page before, unchanged";
            ApiError::new("cursor_malformed", Some("cursor"), message)
        })?;
        Ok(VouchersWanted { after: cursor.unwrap_or(VoucherId(0)), limit })
    }
}

/// The page out of the day's files, as of the checkpoint that the catalogue stands at.
async fn read(app: &App, date: Date, wanted: VouchersWanted) -> Result<(Checkpoint, VoucherPage), ApiError> {
    let books = app.books.clone();
    app.blocking(move || {
        let failed = |error: store::StoreError| ApiError::internal("finding the day's files", &error);
        let _reading = books.history.reading();
        let (checkpoint, rows) = store::run::at_checkpoint(&books.store, date).map_err(failed)?;
        let checkpoint = checkpoint.ok_or_else(|| {
            ApiError::new("unavailable", Some("date"), "no checkpoint is written yet; try again shortly")
        })?;
        let page = books.history.vouchers(&rows, wanted);
        Ok((checkpoint, page.map_err(|error| ApiError::internal("reading the day's files", &error))?))
    })
    .await
}

/// What the accounts of a page are; none of it ever changes.
async fn accounts(app: &App, page: &VoucherPage) -> Result<Accounts, ApiError> {
    let mut ids: Vec<AccountId> =
        page.vouchers.iter().flat_map(|voucher| voucher.entries.iter().map(|entry| entry.account)).collect();
    ids.sort_unstable();
    ids.dedup();
    let look = move |state: &domain::State| {
        let known = ids.into_iter().filter_map(|id| state.accounts.get(id.0));
        let of = |account: &domain::account::Account| {
            let (subject, currency, owner) = (account.subject, account.currency, account.owner);
            (account.id, Of { subject, currency, owner })
        };
        known.map(of).collect::<Accounts>()
    };
    Ok(app.platform.read(look).await?.0)
}
