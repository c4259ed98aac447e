//! Limits: what is in force, an account's class, what is used. Setting them takes two people, by an approval of kind
//! `limit_policy`.

use axum::extract::State;
use domain::Command;
use domain::Reply;
use domain::calendar::Date;
use domain::ids::{AccountId, CustomerId, LimitPolicyId};
use domain::limit::{AccountClass, AccountLimit, CustomerUse, LimitCommand, LimitPolicy, Limits, SetLimitPolicy};
use domain::operator::Role;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::App;
use super::answer::Answered;
use super::approval::Wire;
use super::auth::Caller;
use super::error::ApiError;
use super::extract::{Id, Json, Query};
use super::list::{ListAnswer, PageView, list_query};
use super::wire::{Amount, date_text, parse, parse_some, time_text, word};

/// The limits, in fen.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WireLimits {
    /// Class I, since the account was opened.
    #[schema(example = 100_000)]
    class_one: Amount,
    /// Class II, a calendar year of all the holder's accounts.
    #[schema(example = 10_000_000)]
    class_two: Amount,
    /// Class III, a calendar year of all the holder's accounts.
    #[schema(example = 20_000_000)]
    class_three: Amount,
    /// Two factors without certificate, a day.
    #[schema(example = 500_000)]
    two_factors: Amount,
    /// Fewer factors, a day.
    #[schema(example = 100_000)]
    fewer_factors: Amount,
}

impl WireLimits {
    const fn read(self) -> Limits {
        Limits {
            class_one: self.class_one.0,
            class_two: self.class_two.0,
            class_three: self.class_three.0,
            two_factors: self.two_factors.0,
            fewer_factors: self.fewer_factors.0,
        }
    }

    const fn show(limits: &Limits) -> Self {
        Self {
            class_one: Amount(limits.class_one),
            class_two: Amount(limits.class_two),
            class_three: Amount(limits.class_three),
            two_factors: Amount(limits.two_factors),
            fewer_factors: Amount(limits.fewer_factors),
        }
    }
}

/// Limits to set.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LimitPolicyBody {
    /// The first day on which they hold; not one that has passed.
    #[schema(example = "2026-04-01")]
    from: String,
    limits: WireLimits,
}

impl Wire for LimitPolicyBody {
    type Of = SetLimitPolicy;

    fn read(self) -> Result<SetLimitPolicy, ApiError> {
        Ok(SetLimitPolicy { from: parse(&self.from, "from")?, limits: self.limits.read() })
    }

    fn show(of: &SetLimitPolicy) -> Self {
        Self { from: date_text(of.from), limits: WireLimits::show(&of.limits) }
    }
}

/// On which day.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct OnQuery {
    /// Today unless said.
    #[param(example = "2026-04-01")]
    date: Option<String>,
}

/// The limits in force on a day.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LimitsView {
    #[schema(example = "2026-04-01")]
    date: String,
    limits: WireLimits,
}

/// A version of the limits.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LimitPolicyView {
    #[schema(example = "lmp_1")]
    id: String,
    /// The first day on which it holds.
    #[schema(example = "2026-04-01")]
    from: String,
    limits: WireLimits,
    set_at: String,
    /// Who proposed it.
    operator: String,
    approver: Option<String>,
    /// Nothing: a later version takes its place.
    allowed_actions: Vec<&'static str>,
}

impl LimitPolicyView {
    fn of(policy: &LimitPolicy) -> Self {
        Self {
            id: policy.id.to_string(),
            from: date_text(policy.from),
            limits: WireLimits::show(&policy.limits),
            set_at: time_text(policy.set_at),
            operator: policy.set_by.clone(),
            approver: policy.approver.clone(),
            allowed_actions: Vec::new(),
        }
    }
}

/// The class of an account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewClass {
    /// `one`, `two` or `three`.
    #[schema(example = "two")]
    class: String,
}

/// The class of a personal payment account, and what left its balance.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AccountLimitView {
    #[schema(example = "acc_42")]
    account: String,
    /// `one`, `two` or `three`; none before it was classed, and then it is bound as `three`.
    #[schema(example = "two")]
    class: Option<&'static str>,
    classed_at: Option<String>,
    classed_by: Option<String>,
    /// Fen that left its balance since it was opened, less what came back.
    since_opening: Amount,
}

impl AccountLimitView {
    fn of(limit: &AccountLimit) -> Self {
        Self {
            account: limit.id.to_string(),
            class: limit.class.map(AccountClass::name),
            classed_at: limit.classed_at.map(time_text),
            classed_by: limit.classed_by.clone(),
            since_opening: Amount(limit.since_opening),
        }
    }
}

/// What a person paid from all its personal payment accounts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CustomerUseView {
    #[schema(example = "cus_12")]
    customer: String,
    #[schema(example = 2026)]
    year: i16,
    /// Fen of the year.
    year_used: Amount,
    #[schema(example = "2026-03-05")]
    day: String,
    /// Fen of the day with two factors without certificate.
    two_factors: Amount,
    /// Fen of the day with fewer factors.
    fewer_factors: Amount,
}

impl CustomerUseView {
    fn of(used: CustomerUse) -> Self {
        Self {
            customer: used.id.to_string(),
            year: used.year,
            year_used: Amount(used.year_used),
            day: date_text(used.day),
            two_factors: Amount(used.two_factors),
            fewer_factors: Amount(used.fewer_factors),
        }
    }
}

/// See the limits in force on a day
#[utoipa::path(
    get, path = "/v1/limits", tag = "limit", params(OnQuery), responses((status = OK, body = LimitsView))
)]
pub(crate) async fn in_force(State(app): State<App>, _: Caller, Query(query): Query<OnQuery>) -> Answered<LimitsView> {
    let date: Option<Date> = parse_some(query.date.as_deref(), "date")?;
    app.look(move |state| {
        let date = date.unwrap_or_else(|| Date::in_shanghai(state.now));
        Ok(LimitsView { date: date_text(date), limits: WireLimits::show(&state.limits(date)) })
    })
    .await
}

/// Look at a version of the limits
#[utoipa::path(
    get, path = "/v1/limit-policies/{id}", tag = "limit", params(("id" = String, Path, example = "lmp_1")),
    responses((status = OK, body = LimitPolicyView))
)]
pub(crate) async fn get_policy(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<LimitPolicyId>,
) -> Answered<LimitPolicyView> {
    caller.operator()?;
    app.look(move |state| state.limit_policy(id).map(LimitPolicyView::of)).await
}

list_query! {
    /// Which versions of the limits.
    pub(crate) struct LimitPolicyQuery {
        /// Holding from this date on or later.
        begins_from,
    }
}

/// List versions of the limits
#[utoipa::path(
    get, path = "/v1/limit-policies", tag = "limit", params(LimitPolicyQuery),
    responses((status = OK, body = PageView<LimitPolicyView>))
)]
pub(crate) async fn list_policies(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<LimitPolicyQuery>,
) -> ListAnswer<LimitPolicyView> {
    caller.operator()?;
    let begins_from = parse_some(query.begins_from.as_deref(), "begins_from")?;
    let filter = store::limit::LimitPolicyFilter { begins_from };
    app.list(filter, query.page(), |_, policy| LimitPolicyView::of(policy)).await
}

/// Class a personal payment account (支付账户分类)
#[utoipa::path(
    post, path = "/v1/accounts/{id}/class", tag = "limit", params(("id" = String, Path, example = "acc_42")),
    responses((status = OK, body = AccountLimitView))
)]
pub(crate) async fn classify(
    State(app): State<App>,
    caller: Caller,
    Id(account): Id<AccountId>,
    Json(new): Json<NewClass>,
) -> Answered<AccountLimitView> {
    caller.operator_with(&[Role::Risk])?;
    let class = word(&new.class, "class", &AccountClass::ALL, AccountClass::name)?;
    let view = |state: &domain::State, reply: &Reply| {
        let Reply::Account(id) = reply else { return None };
        Some(AccountLimitView::of(&state.account_limit(*id)))
    };
    app.change(caller.meta()?, Command::Limit(LimitCommand::Classify { account, class }), view).await
}

/// See an account's class and what left its balance
#[utoipa::path(
    get, path = "/v1/accounts/{id}/limit", tag = "limit", params(("id" = String, Path, example = "acc_42")),
    responses((status = OK, body = AccountLimitView))
)]
pub(crate) async fn of_account(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<AccountId>,
) -> Answered<AccountLimitView> {
    app.owned(&caller, move |state| Ok(state.account(id, "account")?.owner)).await?;
    app.look(move |state| {
        state.account(id, "account")?;
        Ok(AccountLimitView::of(&state.account_limit(id)))
    })
    .await
}

/// See what a person paid this year and today, of what limits count
#[utoipa::path(
    get, path = "/v1/customers/{id}/limit-use", tag = "limit", params(("id" = String, Path, example = "cus_12")),
    responses((status = OK, body = CustomerUseView))
)]
pub(crate) async fn of_customer(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<CustomerId>,
) -> Answered<CustomerUseView> {
    caller.operator()?;
    app.look(move |state| {
        state.customer(id)?;
        Ok(CustomerUseView::of(state.customer_use(id, Date::in_shanghai(state.now))))
    })
    .await
}
