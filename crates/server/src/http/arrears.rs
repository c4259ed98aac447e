//! Arrears: what a merchant owes for what own money paid in its place. A refund that own money covers is an approval of kind
//! `cover_refund`.

use axum::extract::State;
use domain::arrears::{Arrears, ArrearsCommand, ArrearsSource};
use domain::ids::{ArrearsId, MerchantId};
use domain::operator::Role;
use domain::refund::CreateRefund;
use domain::{Command, Reply};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::answer::Answered;
use super::approval::Wire;
use super::auth::Caller;
use super::error::ApiError;
use super::extract::{Id, Query};
use super::list::{ListAnswer, PageView, list_query};
use super::refund::{WireItemRefund, WireLegRefund};
use super::wire::{Amount, parse, parse_some, time_text, word};

/// What one receiver of a split returns.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CoveredTaking {
    #[schema(example = "mch_4")]
    merchant: String,
    /// Minor units above zero.
    amount: Amount,
}

/// A refund to make though its merchant lacks some of it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CoveredRefundBody {
    #[schema(example = "ord_7")]
    order: String,
    /// A number of the merchant's, 1 to 64 bytes.
    #[schema(example = "F2026030500017")]
    out_refund_no: String,
    /// Minor units above zero, at most what is left of the payment.
    amount: Amount,
    /// Whether the fee is returned too, in proportion.
    #[serde(default)]
    return_fee: bool,
    /// What receivers of splits return; in the order's return order unless said.
    #[serde(default)]
    take_from: Vec<CoveredTaking>,
    /// What of which items goes back, together `amount`; the order as a whole unless said.
    #[serde(default)]
    items: Vec<WireItemRefund>,
    /// What goes back to which leg, together `amount` and a fee on top that goes back beside it; as of any refund unless said.
    #[serde(default)]
    legs: Vec<WireLegRefund>,
}

impl Wire for CoveredRefundBody {
    type Of = CreateRefund;

    fn read(self) -> Result<CreateRefund, ApiError> {
        let taking = |taking: CoveredTaking| Ok((parse(&taking.merchant, "take_from.merchant")?, taking.amount.0));
        Ok(CreateRefund {
            order: parse(&self.order, "order")?,
            out_refund_no: self.out_refund_no,
            amount: self.amount.0,
            return_fee: self.return_fee,
            take_from: self.take_from.into_iter().map(taking).collect::<Result<_, ApiError>>()?,
            items: self.items.iter().map(WireItemRefund::read).collect(),
            legs: self.legs.iter().map(WireLegRefund::read).collect::<Result<_, ApiError>>()?,
        })
    }

    fn show(of: &CreateRefund) -> Self {
        let taking = |(merchant, amount): &(MerchantId, i64)| CoveredTaking {
            merchant: merchant.to_string(),
            amount: Amount(*amount),
        };
        Self {
            order: of.order.to_string(),
            out_refund_no: of.out_refund_no.clone(),
            amount: Amount(of.amount),
            return_fee: of.return_fee,
            take_from: of.take_from.iter().map(taking).collect(),
            items: of.items.iter().map(WireItemRefund::of).collect(),
            legs: of.legs.iter().map(WireLegRefund::of).collect(),
        }
    }
}

/// What a merchant owes.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ArrearsView {
    #[schema(example = "arr_3")]
    id: String,
    #[schema(example = "mch_4")]
    merchant: String,
    /// The chargeback or refund that own money paid for.
    #[schema(example = "cbk_2")]
    source: String,
    /// At first.
    amount: Amount,
    /// Taken from the merchant so far.
    collected: Amount,
    /// Owed no more, as what they were for was undone.
    undone: Amount,
    /// Still owed.
    left: Amount,
    #[schema(example = "CNY")]
    currency: &'static str,
    /// `open` or `settled`.
    #[schema(example = "open")]
    status: &'static str,
    opened_at: String,
    settled_at: Option<String>,
    /// `collect` while something is owed.
    allowed_actions: Vec<&'static str>,
}

impl ArrearsView {
    fn of(arrears: &Arrears) -> Self {
        Self {
            id: arrears.id.to_string(),
            merchant: arrears.merchant.to_string(),
            source: match arrears.source {
                ArrearsSource::Chargeback(id) => id.to_string(),
                ArrearsSource::Refund(id) => id.to_string(),
            },
            amount: Amount(arrears.amount),
            collected: Amount(arrears.collected),
            undone: Amount(arrears.undone),
            left: Amount(arrears.left()),
            currency: arrears.currency.code(),
            status: arrears.status(),
            opened_at: time_text(arrears.opened_at),
            settled_at: arrears.settled_at.map(time_text),
            allowed_actions: if arrears.left() > 0 { vec!["collect"] } else { Vec::new() },
        }
    }
}

/// What was collected of a merchant's arrears.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CollectionView {
    /// Together.
    collected: Amount,
    /// The arrears that were reduced, oldest first, as they are now.
    arrears: Vec<ArrearsView>,
}

/// Take what a merchant owes from what it has available
///
/// Oldest first, from 2203: what is held, frozen or barred stays.
#[utoipa::path(
    post, path = "/v1/merchants/{id}/arrears/collect", tag = "arrears",
    params(("id" = String, Path, example = "mch_4")), responses((status = OK, body = CollectionView))
)]
pub(crate) async fn collect(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<MerchantId>,
) -> Answered<CollectionView> {
    caller.operator_with(&[Role::Accountant, Role::Treasurer])?;
    let view = |state: &domain::State, reply: &Reply| {
        let Reply::Arrears { arrears, collected } = reply else { return None };
        let arrears = arrears.iter().filter_map(|id| state.arrears.get(id.0)).map(ArrearsView::of).collect();
        Some(CollectionView { collected: Amount(*collected), arrears })
    };
    app.change(caller.meta()?, Command::Arrears(ArrearsCommand::Collect(id)), view).await
}

/// Look at arrears
#[utoipa::path(
    get, path = "/v1/arrears/{id}", tag = "arrears", params(("id" = String, Path, example = "arr_3")),
    responses((status = OK, body = ArrearsView))
)]
pub(crate) async fn get(State(app): State<App>, caller: Caller, Id(id): Id<ArrearsId>) -> Answered<ArrearsView> {
    caller.operator()?;
    app.look(move |state| state.arrears(id).map(ArrearsView::of)).await
}

list_query! {
    /// Which arrears.
    pub(crate) struct ArrearsQuery {
        /// Of this merchant.
        merchant,
        /// `open` or `settled`.
        status,
    }
}

/// List arrears
#[utoipa::path(
    get, path = "/v1/arrears", tag = "arrears", params(ArrearsQuery),
    responses((status = OK, body = PageView<ArrearsView>))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ArrearsQuery>,
) -> ListAnswer<ArrearsView> {
    caller.operator()?;
    let status = |text: &str| word(text, "status", &["open", "settled"], |status| status);
    let filter = store::arrears::ArrearsFilter {
        merchant: parse_some(query.merchant.as_deref(), "merchant")?,
        status: query.status.as_deref().map(status).transpose()?,
    };
    app.list(filter, query.page(), |_, arrears| ArrearsView::of(arrears)).await
}
