//! Receivers of splits (分账接收方): who may receive from a merchant's orders.
//!
//! A merchant says itself who its receivers are, or the institution's programs say it for it; splits pay nobody else.

use axum::extract::State;
use domain::ids::{MerchantId, ReceiverId};
use domain::receiver::{ReceiverCommand, RegisterReceiver, Relation, SplitReceiver};
use domain::{Command, Reply};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::answer::Answered;
use super::auth::Caller;
use super::extract::{Id, Json, Query};
use super::list::{ListAnswer, PageView, list_query};
use super::wire::{parse, parse_some, time_text, word};

/// Who may receive.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewReceiver {
    /// Another merchant.
    #[schema(example = "mch_4")]
    receiver: String,
    /// What it is to the payee: `agent`, `store`, `headquarters`, `partner`, `service_provider`, `landlord`, `supplier` or
    /// `other`.
    #[schema(example = "agent")]
    relation: String,
    /// The most of one order's amount that it may have, over all splits, in millionths: 300000 is 30 %. All of it unless said.
    #[schema(example = 300_000)]
    max_share: Option<i64>,
}

/// A receiver of splits.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReceiverView {
    #[schema(example = "rcv_1")]
    id: String,
    /// Whose orders are split.
    #[schema(example = "mch_3")]
    payee: String,
    /// Who receives.
    #[schema(example = "mch_4")]
    receiver: String,
    /// What it is to the payee.
    #[schema(example = "agent")]
    relation: &'static str,
    /// The most of one order's amount, in millionths; none: all of it.
    #[schema(example = 300_000)]
    max_share: Option<i64>,
    /// `registered` or `removed`.
    #[schema(example = "registered")]
    status: &'static str,
    registered_at: String,
    registered_by: String,
    removed_at: Option<String>,
    removed_by: Option<String>,
    /// What may be done with it now.
    allowed_actions: Vec<&'static str>,
}

impl ReceiverView {
    fn of(row: &SplitReceiver) -> Self {
        Self {
            id: row.id.to_string(),
            payee: row.payee.to_string(),
            receiver: row.receiver.to_string(),
            relation: row.relation.name(),
            max_share: row.max_share,
            status: row.status(),
            registered_at: time_text(row.registered_at),
            registered_by: row.registered_by.clone(),
            removed_at: row.removed.as_ref().map(|removed| time_text(removed.at)),
            removed_by: row.removed.as_ref().map(|removed| removed.by.clone()),
            allowed_actions: row.allowed_actions().to_vec(),
        }
    }
}

/// Register a receiver of splits
///
/// From now on splits of the merchant's orders may pay it. Who is registered already, or was removed, is so as this says from now on.
#[utoipa::path(
    post, path = "/v1/merchants/{id}/receivers", tag = "receiver",
    params(("id" = String, Path, example = "mch_3")), responses((status = OK, body = ReceiverView))
)]
pub(crate) async fn register(
    State(app): State<App>,
    caller: Caller,
    Id(payee): Id<MerchantId>,
    Json(new): Json<NewReceiver>,
) -> Answered<ReceiverView> {
    caller.merchant_or_operator(payee)?;
    let receiver = parse(&new.receiver, "receiver")?;
    let relation = word(&new.relation, "relation", &Relation::ALL, Relation::name)?;
    let command = RegisterReceiver { payee, receiver, relation, max_share: new.max_share };
    change(&app, &caller, ReceiverCommand::Register(command)).await
}

/// Remove a receiver of splits
///
/// No new split pays it. What was split stays, is settled, and is returned by refunds.
#[utoipa::path(
    post, path = "/v1/receivers/{id}/remove", tag = "receiver", params(("id" = String, Path, example = "rcv_1")),
    responses((status = OK, body = ReceiverView))
)]
pub(crate) async fn remove(State(app): State<App>, caller: Caller, Id(id): Id<ReceiverId>) -> Answered<ReceiverView> {
    let payee = app.look(move |state| state.split_receiver(id).map(|row| row.payee)).await?.view;
    caller.merchant_or_operator(payee)?;
    change(&app, &caller, ReceiverCommand::Remove(id)).await
}

async fn change(app: &App, caller: &Caller, command: ReceiverCommand) -> Answered<ReceiverView> {
    let view = |state: &domain::State, reply: &Reply| {
        let Reply::Receiver(id) = reply else { return None };
        state.split_receiver(*id).ok().map(ReceiverView::of)
    };
    app.change(caller.meta()?, Command::Receiver(command), view).await
}

/// Look at a receiver of splits
#[utoipa::path(
    get, path = "/v1/receivers/{id}", tag = "receiver", params(("id" = String, Path, example = "rcv_1")),
    responses((status = OK, body = ReceiverView))
)]
pub(crate) async fn get(State(app): State<App>, caller: Caller, Id(id): Id<ReceiverId>) -> Answered<ReceiverView> {
    let answer = app.look(move |state| state.split_receiver(id).map(|row| (row.payee, ReceiverView::of(row)))).await?;
    caller.merchant_or_operator(answer.view.0)?;
    Ok(answer.map(|(_, view)| view))
}

list_query! {
    /// Which receivers.
    pub(crate) struct ReceiverQuery {
        /// Of this merchant's orders; a merchant sees its own.
        payee,
        /// This one.
        receiver,
        /// `true` for those that were removed, `false` for the others.
        removed,
    }
}

/// List receivers of splits
#[utoipa::path(
    get, path = "/v1/receivers", tag = "receiver", params(ReceiverQuery),
    responses((status = OK, body = PageView<ReceiverView>))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ReceiverQuery>,
) -> ListAnswer<ReceiverView> {
    let (page, payee) = (query.page(), parse_some::<MerchantId>(query.payee.as_deref(), "payee")?);
    payee.map(|payee| caller.merchant_or_operator(payee)).transpose()?;
    let filter = store::receiver::ReceiverFilter {
        payee: payee.or(caller.merchant),
        receiver: parse_some(query.receiver.as_deref(), "receiver")?,
        removed: parse_some(query.removed.as_deref(), "removed")?,
    };
    app.list(filter, page, |_, row| ReceiverView::of(row)).await
}
