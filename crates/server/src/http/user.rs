//! Users: a customer in one product or app.

use axum::extract::State;
use domain::ids::UserId;
use domain::user::User;
use domain::{Command, Reply};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::answer::Answered;
use super::auth::Caller;
use super::extract::{Id, Json, Query};
use super::list::{ListAnswer, PageView, list_query};
use super::wire::{parse, parse_some};

/// Whose user to open, in which product.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewUser {
    /// The customer.
    #[schema(example = "cus_12")]
    customer: String,
    /// 1 to 64 bytes.
    #[schema(example = "rent")]
    product: String,
}

/// A user.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UserView {
    #[schema(example = "usr_7")]
    id: String,
    #[schema(example = "cus_12")]
    customer: String,
    #[schema(example = "rent")]
    product: String,
    /// What may be done with it now.
    allowed_actions: Vec<&'static str>,
}

impl UserView {
    fn of(user: &User) -> Self {
        let (id, customer, product) = (user.id.to_string(), user.customer.to_string(), user.product.clone());
        Self { id, customer, product, allowed_actions: vec!["open_account", "pay"] }
    }
}

/// Open a user
///
/// A customer is one user in a product; a second is `already_exists`.
#[utoipa::path(post, path = "/v1/users", tag = "user", responses((status = OK, body = UserView)))]
pub(crate) async fn open(State(app): State<App>, caller: Caller, Json(new): Json<NewUser>) -> Answered<UserView> {
    caller.operator()?;
    let command = Command::OpenUser { customer: parse(&new.customer, "customer")?, product: new.product };
    let view = |state: &domain::State, reply: &Reply| {
        let Reply::User(id) = reply else { return None };
        state.users.get(id.0).map(UserView::of)
    };
    app.change(caller.meta()?, command, view).await
}

/// Look at a user
#[utoipa::path(
    get, path = "/v1/users/{id}", tag = "user", params(("id" = String, Path, example = "usr_7")),
    responses((status = OK, body = UserView))
)]
pub(crate) async fn get(State(app): State<App>, caller: Caller, Id(id): Id<UserId>) -> Answered<UserView> {
    caller.operator()?;
    app.look(move |state| state.user(id).map(UserView::of)).await
}

list_query! {
    /// Which users.
    pub(crate) struct UserQuery {
        /// Of this customer.
        customer,
        /// Of this product.
        product,
    }
}

/// List users
#[utoipa::path(
    get, path = "/v1/users", tag = "user", params(UserQuery), responses((status = OK, body = PageView<UserView>))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<UserQuery>,
) -> ListAnswer<UserView> {
    caller.operator()?;
    let (page, customer) = (query.page(), parse_some(query.customer.as_deref(), "customer")?);
    let filter = store::user::UserFilter { customer, product: query.product };
    app.list(filter, page, |_, user| UserView::of(user)).await
}
