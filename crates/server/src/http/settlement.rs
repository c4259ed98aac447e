//! Settlements (T+1): what is due to merchants, and moving it to where they can use it.

use axum::extract::State;
use domain::account::Owner;
use domain::calendar::Date;
use domain::ids::{MerchantId, SettlementId};
use domain::settlement::{self, Settlement};
use domain::{Command, Refusal, Reply};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::App;
use super::answer::Answered;
use super::auth::Caller;
use super::extract::{Id, Json, Query};
use super::list::{ListAnswer, PageView, list_query};
use super::wire::{Amount, date_text, parse, parse_some, time_text};

/// Due by when.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DueQuery {
    /// Today unless said.
    #[param(example = "2026-03-06")]
    date: Option<String>,
}

/// What is due to whom.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DueView {
    #[schema(example = "2026-03-06")]
    date: String,
    /// Merchants to whom more than nothing is due, in the order of their ids.
    data: Vec<MerchantDue>,
}

/// What is due to one merchant.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MerchantDue {
    #[schema(example = "mch_3")]
    merchant: String,
    /// What a settlement would move now.
    amount: Amount,
    /// Of how many orders.
    orders: usize,
    /// Of how many card transactions at terminals.
    cards: usize,
}

/// Whom to settle.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSettlement {
    #[schema(example = "mch_3")]
    merchant: String,
    /// What is due by this date; not one to come.
    #[schema(example = "2026-03-06")]
    date: String,
}

/// A settlement of one merchant.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SettlementView {
    #[schema(example = "stl_5")]
    id: String,
    #[schema(example = "mch_3")]
    merchant: String,
    /// Everything due by then.
    #[schema(example = "2026-03-06")]
    date: String,
    amount: Amount,
    #[schema(example = "CNY")]
    currency: &'static str,
    /// Of how many orders.
    orders: usize,
    /// Of which orders; left out of lists.
    shares: Option<Vec<ShareView>>,
    /// Of how many card transactions at terminals.
    cards: usize,
    /// Of which; left out of lists.
    card_shares: Option<Vec<CardShareView>>,
    /// 2202 of the merchant.
    #[schema(example = "acc_40")]
    from: String,
    /// 2203 of the merchant.
    #[schema(example = "acc_41")]
    to: String,
    #[schema(example = "vch_1042")]
    voucher: String,
    #[schema(example = "2026-03-06T02:00:00Z")]
    created_at: String,
    /// Nothing: a settlement is never changed.
    allowed_actions: Vec<&'static str>,
}

/// One order's part of a settlement.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SettlementShareView)]
pub(crate) struct ShareView {
    #[schema(example = "ord_9")]
    order: String,
    /// Below zero where a refund took more than the order had brought.
    amount: Amount,
}

/// One card transaction's part of a settlement.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CardShareView {
    #[schema(example = "ctx_42")]
    transaction: String,
    amount: Amount,
}

impl DueView {
    fn of(state: &domain::State, date: Date) -> Result<Self, Refusal> {
        let due = |merchant: MerchantId| {
            let settlement::Due { amount, shares, cards } = settlement::due(state, merchant, date)?;
            let (merchant, amount) = (merchant.to_string(), Amount(amount));
            Ok(MerchantDue { merchant, amount, orders: shares.len(), cards: cards.len() })
        };
        let merchants = settlement::merchants_due(state, date);
        Ok(Self { date: date_text(date), data: merchants.into_iter().map(due).collect::<Result<_, Refusal>>()? })
    }
}

impl SettlementView {
    /// Without its shares.
    fn listed(settlement: &Settlement) -> Self {
        Self {
            id: settlement.id.to_string(),
            merchant: settlement.merchant.to_string(),
            date: date_text(settlement.date),
            amount: Amount(settlement.amount),
            currency: settlement.currency.code(),
            orders: settlement.shares.len(),
            shares: None,
            cards: settlement.cards.len(),
            card_shares: None,
            from: settlement.from.to_string(),
            to: settlement.to.to_string(),
            voucher: settlement.voucher.to_string(),
            created_at: time_text(settlement.created_at),
            allowed_actions: Vec::new(),
        }
    }

    fn of(settlement: &Settlement) -> Self {
        let share = |share: &settlement::SettledShare| {
            let (order, amount) = (share.order.to_string(), Amount(share.amount));
            ShareView { order, amount }
        };
        let card_share = |share: &settlement::SettledCard| {
            let (transaction, amount) = (share.transaction.to_string(), Amount(share.amount));
            CardShareView { transaction, amount }
        };
        Self {
            shares: Some(settlement.shares.iter().map(share).collect()),
            card_shares: Some(settlement.cards.iter().map(card_share).collect()),
            ..Self::listed(settlement)
        }
    }
}

/// What is due to merchants
#[utoipa::path(
    get, path = "/v1/settlements/due", tag = "settlement", params(DueQuery), responses((status = OK, body = DueView))
)]
pub(crate) async fn due(State(app): State<App>, caller: Caller, Query(query): Query<DueQuery>) -> Answered<DueView> {
    caller.operator()?;
    let today = Date::in_shanghai(app.clock.now());
    let date = parse_some(query.date.as_deref(), "date")?.unwrap_or(today);
    app.look(move |state| DueView::of(state, date)).await
}

/// Settle a merchant
///
/// Moves what is due from 2202 to 2203 in one voucher; `not_cleared` if nothing is.
#[utoipa::path(post, path = "/v1/settlements", tag = "settlement", responses((status = OK, body = SettlementView)))]
pub(crate) async fn settle(
    State(app): State<App>,
    caller: Caller,
    Json(new): Json<NewSettlement>,
) -> Answered<SettlementView> {
    caller.operator()?;
    let (merchant, today) = (parse(&new.merchant, "merchant")?, parse(&new.date, "date")?);
    let view = |state: &domain::State, reply: &Reply| {
        let Reply::Settlement(id) = reply else { return None };
        state.settlements.get(id.0).map(SettlementView::of)
    };
    app.change(caller.meta()?, Command::Settle { merchant, today }, view).await
}

/// Look at a settlement
#[utoipa::path(
    get, path = "/v1/settlements/{id}", tag = "settlement", params(("id" = String, Path, example = "stl_5")),
    responses((status = OK, body = SettlementView))
)]
pub(crate) async fn get(State(app): State<App>, caller: Caller, Id(id): Id<SettlementId>) -> Answered<SettlementView> {
    app.owned(&caller, move |state| Ok(Owner::Merchant(state.settlement(id)?.merchant))).await?;
    app.look(move |state| state.settlement(id).map(SettlementView::of)).await
}

list_query! {
    /// Which settlements.
    pub(crate) struct SettlementQuery {
        /// Of this merchant; a merchant sees its own.
        merchant,
        /// Made for this date or later.
        from,
        /// Made for this date or earlier.
        to,
    }
}

/// List settlements
#[utoipa::path(
    get, path = "/v1/settlements", tag = "settlement", params(SettlementQuery),
    responses((status = OK, body = PageView<SettlementView>))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<SettlementQuery>,
) -> ListAnswer<SettlementView> {
    let asked: Option<MerchantId> = parse_some(query.merchant.as_deref(), "merchant")?;
    if let Some(asked) = asked {
        caller.merchant_or_operator(asked)?;
    }
    let filter = store::settlement::SettlementFilter {
        merchant: asked.or(caller.merchant),
        from: parse_some(query.from.as_deref(), "from")?,
        to: parse_some(query.to.as_deref(), "to")?,
    };
    app.list(filter, query.page(), |_, settlement| SettlementView::listed(settlement)).await
}

#[cfg(test)]
mod tests {
    use domain::ids::OrderId;

    use super::*;

    #[test]
    fn what_is_due_is_summed_by_merchant_up_to_the_date() {
        let mut state = domain::State::default();
        let (today, tomorrow) = (Date(20_000), Date(20_001));
        for (merchant, date, order, amount) in
            [(2, today, 1, 400), (2, today, 2, 500), (2, tomorrow, 3, 9), (1, tomorrow, 4, 70), (3, today, 5, -6)]
        {
            state.due.insert((MerchantId(merchant), date, OrderId(order)), amount);
        }
        let rows = |date| -> Vec<(String, i64, usize)> {
            let due = DueView::of(&state, date).unwrap().data;
            due.into_iter().map(|row| (row.merchant, row.amount.0, row.orders)).collect()
        };
        assert_eq!(rows(today), [("mch_2".to_owned(), 900, 2)]);
        assert_eq!(rows(tomorrow), [("mch_1".to_owned(), 70, 1), ("mch_2".to_owned(), 909, 3)]);
        assert_eq!(rows(Date(19_999)), []);
    }
}
