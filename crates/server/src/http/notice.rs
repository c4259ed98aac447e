//! Notices: what customers are to be told of their automatic withdrawals. Whoever sends messages reads them in order.

use axum::extract::State;
use domain::ids::NoticeId;
use domain::notice::{Notice, NoticeKind};
use serde::Serialize;
use utoipa::ToSchema;

use super::App;
use super::answer::Answered;
use super::auth::Caller;
use super::extract::{Id, Query};
use super::list::{ListAnswer, PageView, list_query};
use super::wire::{Amount, parse_some, time_text, word};

/// What a customer is to be told.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NoticeView {
    #[schema(example = "ntc_7")]
    id: String,
    #[schema(example = "cus_12")]
    customer: String,
    /// `withdrawal_succeeded`, `withdrawal_failed` or `withdrawal_returned`.
    #[schema(example = "withdrawal_succeeded")]
    kind: &'static str,
    #[schema(example = "wdr_4")]
    withdrawal: String,
    #[schema(example = "acc_51")]
    account: String,
    amount: Amount,
    #[schema(example = "CNY")]
    currency: &'static str,
    /// The bank account as it may be shown.
    #[schema(example = "622202******2230")]
    mask: String,
    /// Why it failed: the channel's code, or that of a refusal.
    code: Option<String>,
    raised_at: String,
    /// Nothing: a notice is never changed.
    allowed_actions: Vec<&'static str>,
}

impl NoticeView {
    fn of(notice: &Notice) -> Self {
        Self {
            id: notice.id.to_string(),
            customer: notice.customer.to_string(),
            kind: notice.kind.name(),
            withdrawal: notice.withdrawal.to_string(),
            account: notice.account.to_string(),
            amount: Amount(notice.amount),
            currency: notice.currency.code(),
            mask: notice.mask.clone(),
            code: notice.code.clone(),
            raised_at: time_text(notice.raised_at),
            allowed_actions: Vec::new(),
        }
    }
}

/// Look at a notice
#[utoipa::path(
    get, path = "/v1/notices/{id}", tag = "notice", params(("id" = String, Path, example = "ntc_7")),
    responses((status = OK, body = NoticeView))
)]
pub(crate) async fn get(State(app): State<App>, caller: Caller, Id(id): Id<NoticeId>) -> Answered<NoticeView> {
    caller.operator()?;
    app.look(move |state| state.notice(id).map(NoticeView::of)).await
}

list_query! {
    /// Which notices.
    pub(crate) struct NoticeQuery {
        /// To this customer.
        customer,
        /// `withdrawal_succeeded`, `withdrawal_failed` or `withdrawal_returned`.
        kind,
        /// About this withdrawal.
        withdrawal,
    }
}

/// List notices, in the order in which they were raised
#[utoipa::path(
    get, path = "/v1/notices", tag = "notice", params(NoticeQuery),
    responses((status = OK, body = PageView<NoticeView>))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<NoticeQuery>,
) -> ListAnswer<NoticeView> {
    caller.operator()?;
    let kind = query.kind.as_deref().map(|text| word(text, "kind", &NoticeKind::ALL, NoticeKind::name));
    let filter = store::notice::NoticeFilter {
        customer: parse_some(query.customer.as_deref(), "customer")?,
        kind: kind.transpose()?,
        withdrawal: parse_some(query.withdrawal.as_deref(), "withdrawal")?,
    };
    app.list(filter, query.page(), |_, notice| NoticeView::of(notice)).await
}
