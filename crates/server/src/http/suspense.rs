//! Suspense: the items that lie in 2241, how old they are, and what a proposal to allocate one says. Items are allocated by
//! approvals of kind `suspense_allocation`.

use std::collections::BTreeMap;

use axum::extract::State;
use domain::ids::SuspenseId;
use domain::money::Currency;
use domain::suspense::{Age, AllocateSuspense, Allocation, SuspenseItem, SuspenseStatus};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::answer::Answered;
use super::approval::Wire;
use super::auth::Caller;
use super::error::ApiError;
use super::extract::{Id, Query};
use super::list::{ListAnswer, PageView, list_query};
use super::reserve_line::SessionBody;
use super::wire::{Amount, date_text, parse, time_text, word};

/// What of an item goes where.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AllocationBody {
    /// The item.
    #[schema(example = "sus_3")]
    item: String,
    /// Whose money it is: an account in RESERVE that someone else holds, 2243 to give it back, or 1131 if a bank paid
    /// what it owes; 1101 of a clearing session's, which goes to the rail's clearing account.
    #[schema(example = "acc_42")]
    to: String,
    /// All that is left unless said, or what the session awaits.
    amount: Option<Amount>,
    /// The clearing session that awaits this: its line of the statement was taken to suspense. It clears the rail's
    /// account, as the line would have.
    clearing: Option<SessionBody>,
}

impl Wire for AllocationBody {
    type Of = AllocateSuspense;

    fn read(self) -> Result<AllocateSuspense, ApiError> {
        let (item, to) = (parse(&self.item, "item")?, parse(&self.to, "to")?);
        let session = self.clearing.as_ref().map(SessionBody::read).transpose()?;
        Ok(AllocateSuspense { item, to, amount: self.amount.map(|amount| amount.0), session })
    }

    fn show(of: &AllocateSuspense) -> Self {
        let (item, to, amount) = (of.item.to_string(), of.to.to_string(), of.amount.map(Amount));
        Self { item, to, amount, clearing: of.session.map(SessionBody::of) }
    }
}

/// Money that left an item.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AllocationView {
    /// The voucher that debits 2241.
    #[schema(example = "vch_1042")]
    voucher: String,
    /// Its accounting date.
    date: String,
    amount: Amount,
    /// The account found.
    #[schema(example = "acc_42")]
    to: String,
    at: String,
    /// Who wanted it.
    operator: String,
    /// Who approved it; none where the step that brought it in took it out again.
    approver: Option<String>,
    /// The clearing session that awaited it.
    clearing: Option<SessionBody>,
}

/// Money in 2241.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SuspenseView {
    #[schema(example = "sus_3")]
    id: String,
    #[schema(example = "CNY")]
    currency: &'static str,
    /// At first.
    amount: Amount,
    /// What still lies in 2241.
    rest: Amount,
    /// The business number of the voucher that brought it.
    #[schema(example = "apr_7")]
    source: String,
    /// That voucher.
    #[schema(example = "vch_1042")]
    voucher: String,
    /// Its accounting date.
    #[schema(example = "2026-03-05")]
    date: String,
    opened_at: String,
    /// `open` or `allocated`.
    #[schema(example = "open")]
    status: &'static str,
    /// Days since it was opened: `0-1`, `2-7`, `8-30` or `over_30`.
    #[schema(example = "2-7")]
    age: &'static str,
    /// What left it, in order.
    allocations: Vec<AllocationView>,
    /// What may be proposed for it now.
    allowed_actions: Vec<&'static str>,
}

/// What lies in 2241 of one currency and age.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AgeView {
    #[schema(example = "CNY")]
    currency: &'static str,
    /// Days since they were opened: `0-1`, `2-7`, `8-30` or `over_30`.
    #[schema(example = "2-7")]
    age: &'static str,
    /// Open items.
    #[schema(example = 3)]
    count: u64,
    /// What is left of them.
    rest: Amount,
}

/// What lies in 2241, by age.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AgeingView {
    /// By currency, the youngest first; what is empty is left out.
    data: Vec<AgeView>,
}

impl AllocationView {
    fn of(allocation: &Allocation) -> Self {
        Self {
            voucher: allocation.voucher.to_string(),
            date: date_text(allocation.date),
            amount: Amount(allocation.amount),
            to: allocation.to.to_string(),
            at: time_text(allocation.at),
            operator: allocation.operator.clone(),
            approver: allocation.approver.clone(),
            clearing: allocation.session.map(SessionBody::of),
        }
    }
}

impl SuspenseView {
    fn of(state: &domain::State, item: &SuspenseItem) -> Self {
        Self {
            id: item.id.to_string(),
            currency: item.currency.code(),
            amount: Amount(item.amount),
            rest: Amount(item.rest()),
            source: item.source.to_string(),
            voucher: item.voucher.to_string(),
            date: date_text(item.date),
            opened_at: time_text(item.opened_at),
            status: item.status.name(),
            age: item.age(state.now).name(),
            allocations: item.allocations.iter().map(AllocationView::of).collect(),
            allowed_actions: item.allowed_actions().to_vec(),
        }
    }
}

/// Look at an item of suspense
#[utoipa::path(
    get, path = "/v1/suspense/{id}", tag = "suspense", params(("id" = String, Path, example = "sus_3")),
    responses((status = OK, body = SuspenseView))
)]
pub(crate) async fn get(State(app): State<App>, caller: Caller, Id(id): Id<SuspenseId>) -> Answered<SuspenseView> {
    caller.operator()?;
    app.look(move |state| state.suspense_item(id).map(|item| SuspenseView::of(state, item))).await
}

/// See how old what lies in suspense is (账龄)
#[utoipa::path(get, path = "/v1/suspense/ageing", tag = "suspense", responses((status = OK, body = AgeingView)))]
pub(crate) async fn ageing(State(app): State<App>, caller: Caller) -> Answered<AgeingView> {
    caller.operator()?;
    app.look(|state| {
        let mut sums: BTreeMap<(&'static str, Age), (u64, i64)> = BTreeMap::new();
        for item in state.open_suspense_items() {
            let (count, rest) = sums.entry((item.currency.code(), item.age(state.now))).or_default();
            // Each is what lies on one account, which was checked when it was posted.
            (*count, *rest) = (*count + 1, rest.saturating_add(item.rest()));
        }
        let view = |((currency, age), (count, rest)): ((&'static str, Age), (u64, i64))| AgeView {
            currency,
            age: age.name(),
            count,
            rest: Amount(rest),
        };
        Ok(AgeingView { data: sums.into_iter().map(view).collect() })
    })
    .await
}

list_query! {
    /// Which items.
    pub(crate) struct SuspenseQuery {
        /// `open` or `allocated`.
        status,
        /// In this currency.
        currency,
        /// Brought by a voucher of exactly this business number.
        source,
    }
}

/// List items of suspense
#[utoipa::path(
    get, path = "/v1/suspense", tag = "suspense", params(SuspenseQuery),
    responses((status = OK, body = PageView<SuspenseView>))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<SuspenseQuery>,
) -> ListAnswer<SuspenseView> {
    caller.operator()?;
    let all = [SuspenseStatus::Open, SuspenseStatus::Allocated];
    let page = query.page();
    let filter = store::suspense::SuspenseFilter {
        status: query.status.as_deref().map(|text| word(text, "status", &all, SuspenseStatus::name)).transpose()?,
        currency: query.currency.as_deref().map(Currency::parse).transpose()?,
        source: query.source,
        needs_person: None,
    };
    app.list(filter, page, SuspenseView::of).await
}
