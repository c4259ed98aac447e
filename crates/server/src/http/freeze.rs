//! Freezes: an authority freezes an amount, or an account or customer as a whole; renewal, stop-payments. Release and
//! deduction take two people and are proposals, see `approval`.

use axum::extract::State;
use domain::freeze::{
    Change, Freeze, FreezeChange, FreezeCommand, FreezeKind, FreezeScope, FreezeStatus, Measure, PlaceFreeze,
    RenewFreeze, SourceEntry,
};
use domain::ids::FreezeId;
use domain::money::Currency;
use domain::operator::Role;
use domain::restriction::Restriction;
use domain::{Command, Reply};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::answer::Answered;
use super::auth::Caller;
use super::error::ApiError;
use super::extract::{Id, Json, Query};
use super::list::{ListAnswer, PageView, list_query};
use super::wire::{Amount, parse, parse_some, time, time_text, word};

pub(crate) mod proposal;

/// The priority of a freeze whose caller names none.
const PRIORITY: u16 = 100;

/// What to freeze.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewFreeze {
    /// The account; either this or `customer`.
    #[schema(example = "acc_42")]
    account: Option<String>,
    /// The customer, across all its accounts of 2201–2206.
    #[schema(example = "cus_7")]
    customer: Option<String>,
    /// Minor units above zero; may be more than there is, then it bites as money arrives. Either this or `bars`.
    amount: Option<Amount>,
    /// With an amount: its currency, an account's own.
    #[schema(example = "CNY")]
    currency: Option<String>,
    /// What is barred as a whole.
    bars: Option<FreezeBars>,
    /// Why.
    #[schema(example = "case 2026-118")]
    reason: String,
    /// Who orders it; only the same may renew, release or deduct.
    #[schema(example = "Chaoyang court")]
    authority: String,
    /// The number of the authority's document (文书号).
    #[schema(example = "2026-0305-118")]
    document: String,
    /// The entry it is ordered for.
    source: Option<FreezeSource>,
    /// Its priority in the queue: smaller is served first, then the order of placing. 100 unless said.
    priority: Option<u16>,
    /// When it ends by itself; never unless said.
    #[schema(example = "2026-09-05T00:00:00+08:00")]
    expires_at: Option<String>,
    /// Whether every account that stands below the account in its tree is frozen alike, all or none.
    #[serde(default)]
    down_the_tree: bool,
}

/// What a whole freeze bars.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FreezeBars {
    /// No money comes in.
    in_barred: bool,
    /// No money goes out.
    out_barred: bool,
}

/// An entry of a voucher.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FreezeSource {
    /// The voucher.
    #[schema(example = "vch_118")]
    voucher: String,
    /// The entry's place in it, from 1.
    #[schema(example = 2)]
    place: u32,
}

/// What to stop.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewStopPayment {
    /// The account; either this or `customer`.
    #[schema(example = "acc_42")]
    account: Option<String>,
    /// The customer, across all its accounts of 2201–2206.
    #[schema(example = "cus_7")]
    customer: Option<String>,
    /// Why.
    #[schema(example = "fraud report 77")]
    reason: String,
    /// Who orders it.
    #[schema(example = "Chaoyang police")]
    authority: String,
    /// The number of the authority's document.
    #[schema(example = "S-2026-77")]
    document: String,
}

/// Until when to renew.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FreezeRenewal {
    /// Who orders it: the authority that froze.
    #[schema(example = "Chaoyang court")]
    authority: String,
    /// The number of the document that orders it.
    #[schema(example = "2026-0901-118")]
    document: String,
    /// When it ends then; later than it would.
    #[schema(example = "2027-03-05T00:00:00+08:00")]
    expires_at: String,
}

/// What a freeze bites on in one account.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FreezeBiteView {
    #[schema(example = "acc_42")]
    account: String,
    amount: Amount,
}

/// One change of a freeze.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FreezeChangeView {
    /// `placed`, `renewed`, `released`, `deducted`, `given_back`, `expired`, `lapsed` or `followed`.
    what: &'static str,
    at: String,
    /// Who did it, by login.
    operator: String,
    /// Who approved it, where that was needed.
    approver: Option<String>,
    /// The number of the authority's document, where one ordered it.
    document: Option<String>,
    /// What was released, deducted or given back.
    amount: Option<Amount>,
    /// The account that was deducted from.
    account: Option<String>,
    /// The payout of a deduction.
    payout: Option<String>,
    /// When the freeze ends since then.
    expires_at: Option<String>,
    /// The freeze that took a stop-payment over.
    freeze: Option<String>,
}

impl FreezeChangeView {
    fn of(change: &FreezeChange) -> Self {
        let mut view = Self {
            what: "",
            at: time_text(change.at),
            operator: change.operator.clone(),
            approver: change.approver.clone(),
            document: change.document.clone(),
            amount: None,
            account: None,
            payout: None,
            expires_at: None,
            freeze: None,
        };
        view.what = match &change.what {
            Change::Placed => "placed",
            Change::Renewed { expires_at } => {
                view.expires_at = Some(time_text(*expires_at));
                "renewed"
            }
            Change::Released { amount } => {
                view.amount = (*amount != 0).then_some(Amount(*amount));
                "released"
            }
            Change::Deducted { payout, account, amount } => {
                (view.payout, view.account) = (Some(payout.to_string()), Some(account.to_string()));
                view.amount = Some(Amount(*amount));
                "deducted"
            }
            Change::GivenBack { payout, amount, expires_at } => {
                (view.payout, view.amount) = (Some(payout.to_string()), Some(Amount(*amount)));
                view.expires_at = expires_at.map(time_text);
                "given_back"
            }
            Change::Expired => "expired",
            Change::Lapsed => "lapsed",
            Change::Followed { by } => {
                view.freeze = Some(by.to_string());
                "followed"
            }
        };
        view
    }
}

/// A freeze.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FreezeView {
    #[schema(example = "frz_2")]
    id: String,
    /// `precise`, `whole` or `stop_payment`.
    kind: &'static str,
    /// What it lies on, unless on a customer.
    #[schema(example = "acc_42")]
    account: Option<String>,
    /// What it lies on, unless on an account.
    #[schema(example = "cus_7")]
    customer: Option<String>,
    /// Frozen at first; null unless precise, as are the amounts below.
    amount: Option<Amount>,
    #[schema(example = "CNY")]
    currency: Option<&'static str>,
    /// Released so far.
    released: Option<Amount>,
    /// Deducted and not given back.
    deducted: Option<Amount>,
    /// Still frozen; it bites on what the queue before it leaves of the balances.
    frozen: Option<Amount>,
    /// What it bites on now.
    bitten: Option<Amount>,
    /// The same by account.
    bites: Vec<FreezeBiteView>,
    /// Its place, from 1, in the queue for that money; null if it does not queue, or no more.
    queue_place: Option<usize>,
    /// What it bars, unless precise.
    bars: Option<FreezeBars>,
    reason: String,
    authority: String,
    document: String,
    source: Option<FreezeSource>,
    priority: u16,
    expires_at: Option<String>,
    placed_at: String,
    /// `in_force`, `released`, `expired`, `deducted`, `lapsed` or `followed`.
    #[schema(example = "in_force")]
    status: &'static str,
    /// The freeze that followed a stop-payment.
    followed_by: Option<String>,
    /// The first of the freezes that were placed with it down a tree, itself among them; released as one by `group`.
    group: Option<String>,
    /// What was done to it, oldest first.
    changes: Vec<FreezeChangeView>,
    /// What may be done with it now: `renew`; `release` and `deduct` as proposals.
    allowed_actions: Vec<&'static str>,
}

impl FreezeView {
    fn of(state: &domain::State, freeze: &Freeze) -> Self {
        let precise = freeze.kind == FreezeKind::Precise;
        let amount = |amount| precise.then_some(Amount(amount));
        let bites = state.bites(freeze);
        let account = freeze.account.and_then(|id| state.accounts.get(id.0));
        let currency = freeze.currency.or(account.map(|account| account.currency)).filter(|_| precise);
        Self {
            id: freeze.id.to_string(),
            kind: freeze.kind.name(),
            account: freeze.account.map(|id| id.to_string()),
            customer: freeze.customer.map(|id| id.to_string()),
            amount: amount(freeze.amount),
            currency: currency.map(Currency::code),
            released: amount(freeze.released),
            deducted: amount(freeze.deducted),
            frozen: amount(freeze.frozen()),
            bitten: amount(bites.iter().map(|bite| bite.amount).sum()),
            bites: bites
                .iter()
                .map(|bite| FreezeBiteView { account: bite.account.to_string(), amount: Amount(bite.amount) })
                .collect(),
            queue_place: state.place_in_queue(freeze),
            bars: (!precise)
                .then_some(FreezeBars { in_barred: freeze.bars.in_barred, out_barred: freeze.bars.out_barred }),
            reason: freeze.reason.clone(),
            authority: freeze.authority.clone(),
            document: freeze.document.clone(),
            source: freeze
                .source
                .map(|SourceEntry { voucher, place }| FreezeSource { voucher: voucher.to_string(), place }),
            priority: freeze.priority,
            expires_at: freeze.expires_at.map(time_text),
            placed_at: time_text(freeze.placed_at),
            status: freeze.status.name(),
            followed_by: freeze.followed_by.map(|id| id.to_string()),
            group: freeze.group.map(|id| id.to_string()),
            changes: freeze.changes.iter().map(FreezeChangeView::of).collect(),
            allowed_actions: freeze.allowed_actions().to_vec(),
        }
    }
}

fn scope(account: Option<&str>, customer: Option<&str>) -> Result<FreezeScope, ApiError> {
    match (account, customer) {
        (Some(account), None) => parse(account, "account").map(FreezeScope::Account),
        (None, Some(customer)) => parse(customer, "customer").map(FreezeScope::Customer),
        (None, None) => Err(ApiError::malformed("account", "name an account or a customer")),
        (Some(_), Some(_)) => Err(ApiError::malformed("account", "name an account or a customer, not both")),
    }
}

fn measure(new: &NewFreeze) -> Result<Measure, ApiError> {
    match (new.amount, new.currency.as_deref(), new.bars) {
        (Some(amount), Some(currency), None) => {
            Ok(Measure::Amount { amount: amount.0, currency: Currency::parse(currency)? })
        }
        (None, None, Some(FreezeBars { in_barred, out_barred })) => {
            Ok(Measure::Whole(Restriction { in_barred, out_barred }))
        }
        (Some(_), None, None) => Err(ApiError::malformed("currency", "an amount has a currency")),
        (..) => {
            Err(ApiError::malformed("amount", "give an amount with its currency, or what the freeze bars as a whole"))
        }
    }
}

fn source(wire: FreezeSource) -> Result<SourceEntry, ApiError> {
    Ok(SourceEntry { voucher: parse(&wire.voucher, "source.voucher")?, place: wire.place })
}

/// Freeze an amount, or an account or a customer as a whole
///
/// Precise freezes of an account queue by priority, then by the order of placing. Placing one that keeps money in cancels
/// the unsent payouts of every account in scope; a stop-payment of the same authority that it covers ends. `down_the_tree`
/// places one more on each account below, all or none; the answer is the account's own, and `group` names it on each.
#[utoipa::path(post, path = "/v1/freezes", tag = "freeze", responses((status = OK, body = FreezeView)))]
pub(crate) async fn place(State(app): State<App>, caller: Caller, Json(new): Json<NewFreeze>) -> Answered<FreezeView> {
    caller.operator_with(&[Role::Risk])?;
    let command = PlaceFreeze {
        scope: scope(new.account.as_deref(), new.customer.as_deref())?,
        measure: measure(&new)?,
        reason: new.reason,
        authority: new.authority,
        document: new.document,
        source: new.source.map(source).transpose()?,
        priority: new.priority.unwrap_or(PRIORITY),
        expires_at: new.expires_at.map(|text| time(&text, "expires_at")).transpose()?,
    };
    let command = if new.down_the_tree {
        Command::Freeze(FreezeCommand::PlaceDownTheTree(command))
    } else {
        Command::PlaceFreeze(command)
    };
    change(&app, &caller, command).await
}

/// Stop payments for 48 hours (止付)
///
/// No money goes out until the time has run out, or until a freeze of the same authority takes over. The same authority
/// cannot stop the same account or customer again before it has placed a freeze.
#[utoipa::path(post, path = "/v1/stop-payments", tag = "freeze", responses((status = OK, body = FreezeView)))]
pub(crate) async fn stop_payment(
    State(app): State<App>,
    caller: Caller,
    Json(new): Json<NewStopPayment>,
) -> Answered<FreezeView> {
    caller.operator_with(&[Role::Risk])?;
    let command = PlaceFreeze {
        scope: scope(new.account.as_deref(), new.customer.as_deref())?,
        measure: Measure::StopPayment,
        reason: new.reason,
        authority: new.authority,
        document: new.document,
        source: None,
        priority: PRIORITY,
        expires_at: None,
    };
    change(&app, &caller, Command::PlaceFreeze(command)).await
}

/// Renew a freeze before it expires (续冻)
#[utoipa::path(
    post, path = "/v1/freezes/{id}/renew", tag = "freeze", params(("id" = String, Path, example = "frz_2")),
    responses((status = OK, body = FreezeView))
)]
pub(crate) async fn renew(
    State(app): State<App>,
    caller: Caller,
    Id(freeze): Id<FreezeId>,
    Json(body): Json<FreezeRenewal>,
) -> Answered<FreezeView> {
    caller.operator_with(&[Role::Risk])?;
    let FreezeRenewal { authority, document, expires_at } = body;
    let renewal = RenewFreeze { freeze, authority, document, expires_at: time(&expires_at, "expires_at")? };
    change(&app, &caller, Command::Freeze(FreezeCommand::Renew(renewal))).await
}

async fn change(app: &App, caller: &Caller, command: Command) -> Answered<FreezeView> {
    let view = |state: &domain::State, reply: &Reply| {
        let Reply::Freeze(id) = reply else { return None };
        state.freezes.get(id.0).map(|freeze| FreezeView::of(state, freeze))
    };
    app.change(caller.meta()?, command, view).await
}

/// Look at a freeze
#[utoipa::path(
    get, path = "/v1/freezes/{id}", tag = "freeze", params(("id" = String, Path, example = "frz_2")),
    responses((status = OK, body = FreezeView))
)]
pub(crate) async fn get(State(app): State<App>, caller: Caller, Id(id): Id<FreezeId>) -> Answered<FreezeView> {
    caller.operator()?;
    app.look(move |state| state.freeze(id).map(|freeze| FreezeView::of(state, freeze))).await
}

list_query! {
    /// Which freezes.
    pub(crate) struct FreezeQuery {
        /// `precise`, `whole` or `stop_payment`.
        kind,
        /// On this account itself.
        account,
        /// On this customer itself.
        customer,
        /// `in_force`, `released`, `expired`, `deducted`, `lapsed` or `followed`.
        status,
        /// Placed by the document of this number.
        document,
        /// Ordered by this authority.
        authority,
    }
}

/// List freezes
///
/// What they bite on is of now, not of the list's position.
#[utoipa::path(
    get, path = "/v1/freezes", tag = "freeze", params(FreezeQuery),
    responses((status = OK, body = PageView<FreezeView>))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<FreezeQuery>,
) -> ListAnswer<FreezeView> {
    caller.operator()?;
    let page = query.page();
    let filter = store::freeze::FreezeFilter {
        kind: query.kind.as_deref().map(|text| word(text, "kind", &FreezeKind::ALL, FreezeKind::name)).transpose()?,
        account: parse_some(query.account.as_deref(), "account")?,
        customer: parse_some(query.customer.as_deref(), "customer")?,
        status: query
            .status
            .as_deref()
            .map(|text| word(text, "status", &FreezeStatus::ALL, FreezeStatus::name))
            .transpose()?,
        document: query.document,
        authority: query.authority,
    };
    let view = |state: &domain::State, row: &Freeze| FreezeView::of(state, state.freezes.get(row.id.0).unwrap_or(row));
    app.list(filter, page, view).await
}
