//! Merchants: landlords, agencies and agents who are paid through the platform.

use axum::extract::State;
use domain::account::Owner;
use domain::api_key::KeyOwner;
use domain::ids::{CustomerId, MerchantId};
use domain::merchant::{Merchant, MerchantKind, OpenMerchant};
use domain::{Command, Reply};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::answer::{Answer, Answered};
use super::auth::{Caller, api_key};
use super::bank_account::{BankAccountView, WireBankAccount};
use super::extract::{Id, Json, Query};
use super::list::{ListAnswer, PageView, list_query};
use super::wire::{parse, parse_some, word};

/// Who to open as a merchant.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewMerchant {
    /// Who it is in law.
    #[schema(example = "cus_12")]
    customer: String,
    /// `landlord`, `agency` or `agent`.
    #[schema(example = "landlord")]
    kind: String,
    /// The name it trades under; public.
    #[schema(example = "Lamp Lane Homes")]
    name: String,
    /// Its fee in millionths, of orders until its first fee plan begins: 6000 is 0.60 %.
    #[schema(example = 2000)]
    fee_rate: i64,
    /// Where settlements go: a bank account in its own name.
    settlement: WireBankAccount,
}

/// What a merchant's settlement account is from now on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Verification {
    /// Another account in place of the present one, in the merchant's own name too.
    replacement: Option<WireBankAccount>,
}

/// A merchant.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MerchantView {
    #[schema(example = "mch_3")]
    id: String,
    #[schema(example = "cus_12")]
    customer: String,
    /// `landlord`, `agency` or `agent`.
    #[schema(example = "landlord")]
    kind: &'static str,
    name: String,
    /// In millionths, of orders until its first fee plan begins.
    #[schema(example = 2000)]
    fee_rate: i64,
    /// Where settlements go.
    settlement: BankAccountView,
    /// A payout to it came back: nothing goes there until it is verified.
    settlement_suspended: bool,
    /// 2202, to be settled.
    #[schema(example = "acc_50")]
    pending: String,
    /// 2203, available.
    #[schema(example = "acc_51")]
    available: String,
    /// 2206, a company's payment account.
    company: Option<String>,
    /// What may be done with it now.
    allowed_actions: Vec<&'static str>,
}

/// The secret of a merchant's key. It is derived, so it is the same each time.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KeyView {
    /// Whose.
    #[schema(example = "mch_3")]
    mch_id: String,
    /// The key's serial number.
    #[schema(example = "1")]
    serial_no: String,
    /// 64 hexadecimal digits.
    secret: String,
}

const KINDS: [MerchantKind; 3] = [MerchantKind::Landlord, MerchantKind::Agency, MerchantKind::Agent];

impl MerchantView {
    fn of(merchant: &Merchant) -> Self {
        let mut allowed_actions = vec!["order", "settle", "verify_settlement"];
        if !merchant.settlement_suspended {
            allowed_actions.push("withdraw");
        }
        Self {
            id: merchant.id.to_string(),
            customer: merchant.customer.to_string(),
            kind: merchant.kind.name(),
            name: merchant.name.clone(),
            fee_rate: merchant.fee_rate,
            settlement: BankAccountView::of(&merchant.settlement.account, &merchant.settlement.name),
            settlement_suspended: merchant.settlement_suspended,
            pending: merchant.pending.to_string(),
            available: merchant.available.to_string(),
            company: merchant.company.map(|id| id.to_string()),
            allowed_actions,
        }
    }
}

/// Open a merchant
///
/// With its accounts: 2202 to be settled, 2203 available, and 2206 for an agency. The settlement account's holder must be
/// the customer.
#[utoipa::path(post, path = "/v1/merchants", tag = "merchant", responses((status = OK, body = MerchantView)))]
pub(crate) async fn open(
    State(app): State<App>,
    caller: Caller,
    Json(new): Json<NewMerchant>,
) -> Answered<MerchantView> {
    caller.operator()?;
    let customer: CustomerId = parse(&new.customer, "customer")?;
    let command = OpenMerchant {
        customer,
        kind: word(&new.kind, "kind", &KINDS, MerchantKind::name)?,
        name: new.name,
        fee_rate: new.fee_rate,
        settlement: app.seal_settlement_account(customer, new.settlement, "settlement").await?,
    };
    change(&app, &caller, Command::OpenMerchant(command)).await
}

/// Verify a merchant's settlement account
///
/// After a payout to it came back: the same account, or another in its place.
#[utoipa::path(
    post, path = "/v1/merchants/{id}/settlement-account", tag = "merchant",
    params(("id" = String, Path, example = "mch_3")), responses((status = OK, body = MerchantView))
)]
pub(crate) async fn verify_settlement(
    State(app): State<App>,
    caller: Caller,
    Id(merchant): Id<MerchantId>,
    Json(body): Json<Verification>,
) -> Answered<MerchantView> {
    caller.operator()?;
    let customer = app.look(move |state| state.merchant(merchant).map(|merchant| merchant.customer)).await?.view;
    let replacement = match body.replacement {
        Some(account) => Some(app.seal_settlement_account(customer, account, "replacement").await?),
        None => None,
    };
    change(&app, &caller, Command::VerifySettlementAccount { merchant, replacement }).await
}

async fn change(app: &App, caller: &Caller, command: Command) -> Answered<MerchantView> {
    let view = |state: &domain::State, reply: &Reply| {
        let Reply::Merchant(id) = reply else { return None };
        state.merchants.get(id.0).map(MerchantView::of)
    };
    app.change(caller.meta()?, command, view).await
}

/// Show the secret of a merchant's API key
///
/// The newest. Secrets are derived, so this gives the same one each time, until it is rotated (`/v1/api-keys/{id}/rotate`).
#[utoipa::path(
    post, path = "/v1/merchants/{id}/key", tag = "merchant", params(("id" = String, Path, example = "mch_3")),
    responses((status = OK, body = KeyView))
)]
pub(crate) async fn key(State(app): State<App>, caller: Caller, Id(id): Id<MerchantId>) -> Answered<KeyView> {
    caller.operator()?;
    let newest = move |state: &domain::State| {
        state.merchant(id)?;
        Ok(state.newest_api_key(KeyOwner::Merchant(id)))
    };
    let Answer { view: newest, position, .. } = app.look(newest).await?;
    let (mch_id, serial_no) = (id.to_string(), newest.to_string());
    let secret = api_key(&app.api_root()?, &mch_id, &serial_no).to_hex().expose().to_owned();
    Ok(Answer { view: KeyView { mch_id, serial_no, secret }, position, repeated: false })
}

/// Look at a merchant
#[utoipa::path(
    get, path = "/v1/merchants/{id}", tag = "merchant", params(("id" = String, Path, example = "mch_3")),
    responses((status = OK, body = MerchantView))
)]
pub(crate) async fn get(State(app): State<App>, caller: Caller, Id(id): Id<MerchantId>) -> Answered<MerchantView> {
    caller.owner_or_operator(Owner::Merchant(id))?;
    app.look(move |state| state.merchant(id).map(MerchantView::of)).await
}

list_query! {
    /// Which merchants.
    pub(crate) struct MerchantQuery {
        /// Of this customer.
        customer,
        /// `landlord`, `agency` or `agent`.
        kind,
        /// Trading under this name.
        name,
    }
}

/// List merchants
#[utoipa::path(
    get, path = "/v1/merchants", tag = "merchant", params(MerchantQuery),
    responses((status = OK, body = PageView<MerchantView>))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<MerchantQuery>,
) -> ListAnswer<MerchantView> {
    caller.operator()?;
    let page = query.page();
    let filter = store::merchant::MerchantFilter {
        customer: parse_some(query.customer.as_deref(), "customer")?,
        kind: query.kind.as_deref().map(|text| word(text, "kind", &KINDS, MerchantKind::name)).transpose()?,
        name: query.name,
    };
    app.list(filter, page, |_, merchant| MerchantView::of(merchant)).await
}
