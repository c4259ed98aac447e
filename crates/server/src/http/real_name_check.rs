//! Real-name checks (实名核验): a bank says whether name, certificate, card and phone are one person's.
//!
//! The books are told before the channel is asked, and what it answers after. Who asks may wait for that answer; one that does not come is
//! no failure, and is asked for by the platform itself.

use axum::extract::State;
use domain::attempt::Rail;
use domain::customer::Customer;
use domain::ids::{MerchantId, RealNameCheckId, UserId};
use domain::real_name_check::{RealNameCheck, RealNameCheckCommand, RealNameCheckStatus, RequestRealNameCheck};
use domain::{Command, Reply};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::answer::{Answer, Answered};
use super::auth::Caller;
use super::error::ApiError;
use super::extract::{Id, Json, Query};
use super::list::{ListAnswer, PageView, list_query};
use super::payout::FailureView;
use super::sensitive::Encrypted;
use super::sign_up::{RAILS, asked_by, check_holder, seal_phone};
use super::wait::Wait;
use super::wire::{parse, parse_some, time_text, word};
use crate::shell::real_name_check::{route, send};

/// Who to check. The elements are taken encrypted alone.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewRealNameCheck {
    /// The user.
    #[schema(example = "usr_7")]
    user: String,
    /// The network: `epcc` unless said.
    #[schema(example = "epcc")]
    rail: Option<String>,
    /// The bank's interbank number (联行号), 12 digits.
    #[schema(example = "102100099996")]
    bank: String,
    /// Whether it is a credit card.
    #[serde(default)]
    credit: bool,
    /// The card's number.
    account: Encrypted,
    /// The person's name: the user's registered one.
    name: Encrypted,
    /// The number of the person's certificate: the user's registered one.
    certificate: Encrypted,
    /// The phone that the bank knows: with it four elements are compared (四要素), without it three (三要素).
    phone: Option<Encrypted>,
}

/// A real-name check.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RealNameCheckView {
    #[schema(example = "rnc_2")]
    id: String,
    /// The merchant that asked; none: the institution.
    #[schema(example = "mch_3")]
    merchant: Option<String>,
    #[schema(example = "usr_7")]
    user: String,
    #[schema(example = "epcc")]
    rail: &'static str,
    /// The serial number that the channel knows it by.
    #[schema(example = "2026030580000000000000020000002")]
    serial: String,
    #[schema(example = "102100099996")]
    bank: String,
    credit: bool,
    /// The card's mask.
    #[schema(example = "622202******2230")]
    account: String,
    /// The phone's mask; null where three elements are compared.
    #[schema(example = "138****1234")]
    phone: Option<String>,
    /// How many elements are compared: 3 or 4.
    #[schema(example = 4)]
    elements: u8,
    /// `requested`, `unknown`, `matched`, `mismatched`, `failed` or `not_found`. In `requested` and `unknown` the answer is still to
    /// come: that is no failure. `failed` and `not_found` say nothing of the person.
    #[schema(example = "matched")]
    status: &'static str,
    /// Why they do not match, or were not compared.
    failure: Option<FailureView>,
    requested_at: String,
    /// When the answer came.
    ended_at: Option<String>,
}

impl RealNameCheckView {
    fn of(row: &RealNameCheck) -> Self {
        let failure = row.failure.as_ref();
        Self {
            id: row.id.to_string(),
            merchant: row.merchant.map(|id| id.to_string()),
            user: row.user.to_string(),
            rail: row.rail.name(),
            serial: row.serial(),
            bank: row.bank.clone(),
            credit: row.credit,
            account: row.account.mask.clone(),
            phone: row.phone.as_ref().map(|phone| phone.mask.clone()),
            elements: row.elements().count(),
            status: row.status.name(),
            failure: failure.map(|failure| FailureView::of(failure.class, &failure.code)),
            requested_at: time_text(row.requested_at),
            ended_at: row.ended_at.map(time_text),
        }
    }
}

impl App {
    /// Seals card and phone; name and certificate must be the user's.
    async fn seal_real_name_check(
        &self,
        customer: Customer,
        merchant: Option<MerchantId>,
        user: UserId,
        new: NewRealNameCheck,
    ) -> Result<RequestRealNameCheck, ApiError> {
        let rail = new.rail.as_deref().map_or(Ok(Rail::Epcc), |text| word(text, "rail", &RAILS, Rail::name))?;
        route(&self.executor, rail)?;
        let vault = std::sync::Arc::clone(&self.vault);
        self.blocking(move || {
            check_holder(&vault, &customer, &new.name, &new.certificate)?;
            let (account, token) =
                super::bank_account::seal_card(&vault, customer.id, new.account.checked("account")?)?;
            let phone = new.phone.as_ref().map(|phone| seal_phone(&vault, customer.id, phone)).transpose()?;
            let NewRealNameCheck { bank, credit, .. } = new;
            Ok(RequestRealNameCheck { merchant, user, rail, bank, credit, account, token, phone })
        })
        .await
    }

    /// A check as it is, or, if somebody waits, once its answer came or the time is over.
    async fn when_checked(&self, id: RealNameCheckId, wait: &Wait) -> Answered<RealNameCheckView> {
        let ends = wait.time()?.map(|time| tokio::time::Instant::now() + time);
        let awaited = self.platform.awaited();
        loop {
            // Before the look, so that no answer comes between the two.
            let told = awaited.checked();
            let look = move |state: &domain::State| {
                let row = state.real_name_check(id)?;
                Ok((RealNameCheckView::of(row), row.status.is_open()))
            };
            let answer = self.look(look).await?;
            let is_open = answer.view.1;
            let answer = answer.map(|(view, _)| view);
            let Some(ends) = ends.filter(|_| is_open) else { return Ok(answer) };
            if tokio::time::timeout_at(ends, told).await.is_err() {
                return Ok(answer);
            }
        }
    }
}

/// Refuses a merchant what another asked for.
async fn own(app: &App, caller: &Caller, id: RealNameCheckId) -> Result<(), ApiError> {
    app.owned(caller, move |state| Ok(asked_by(state.real_name_check(id)?.merchant))).await
}

/// Check a person's real name (实名核验)
///
/// A bank compares name, certificate, card and, if it is named, phone. What matches is kept with the customer as a level. With `wait` the
/// answer comes once the bank has answered; an answer that does not come leaves the check `unknown`: look at it later, it is asked about.
#[utoipa::path(
    post, path = "/v1/real-name-checks", tag = "real_name_check", params(Wait),
    responses((status = OK, body = RealNameCheckView))
)]
pub(crate) async fn request(
    State(app): State<App>,
    caller: Caller,
    Query(wait): Query<Wait>,
    Json(new): Json<NewRealNameCheck>,
) -> Answered<RealNameCheckView> {
    wait.time()?;
    let meta = caller.meta()?;
    let user: UserId = parse(&new.user, "user")?;
    let look = move |state: &domain::State| state.customer(state.user(user)?.customer).cloned();
    let customer = app.look(look).await?.view;
    let command = app.seal_real_name_check(customer, caller.merchant, user, new).await?;
    let command = Command::RealNameCheck(RealNameCheckCommand::Request(Box::new(command)));
    let view = |state: &domain::State, reply: &Reply| {
        let Reply::RealNameCheck(id) = reply else { return None };
        let row = state.real_name_check(*id).ok()?;
        Some((row.clone(), state.customer(row.customer).ok()?.clone()))
    };
    let Answer { view: (row, customer), repeated, .. } = app.change(meta, command, view).await?;
    let id = row.id;
    // One that was asked for before was sent then, or cannot be sent any more.
    if !repeated {
        tokio::spawn(send(app.executor.clone(), row, customer));
    }
    Ok(Answer { repeated, ..app.when_checked(id, &wait).await? })
}

/// Look at a real-name check
#[utoipa::path(
    get, path = "/v1/real-name-checks/{id}", tag = "real_name_check",
    params(("id" = String, Path, example = "rnc_2"), Wait), responses((status = OK, body = RealNameCheckView))
)]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<RealNameCheckId>,
    Query(wait): Query<Wait>,
) -> Answered<RealNameCheckView> {
    own(&app, &caller, id).await?;
    app.when_checked(id, &wait).await
}

list_query! {
    /// Which real-name checks.
    pub(crate) struct RealNameCheckQuery {
        /// Asked for by this merchant; a merchant sees its own.
        merchant,
        /// Of this user.
        user,
        /// `requested`, `unknown`, `matched`, `mismatched`, `failed` or `not_found`.
        status,
    }
}

/// List real-name checks
#[utoipa::path(
    get, path = "/v1/real-name-checks", tag = "real_name_check", params(RealNameCheckQuery),
    responses((status = OK, body = PageView<RealNameCheckView>))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<RealNameCheckQuery>,
) -> ListAnswer<RealNameCheckView> {
    let asked: Option<MerchantId> = parse_some(query.merchant.as_deref(), "merchant")?;
    if let Some(merchant) = asked {
        caller.merchant_or_operator(merchant)?;
    }
    let all = &RealNameCheckStatus::ALL;
    let status = query.status.as_deref().map(|text| word(text, "status", all, RealNameCheckStatus::name));
    let filter = store::real_name_check::RealNameCheckFilter {
        merchant: asked.or(caller.merchant),
        user: parse_some(query.user.as_deref(), "user")?,
        status: status.transpose()?,
    };
    app.list(filter, query.page(), |_, row| RealNameCheckView::of(row)).await
}
