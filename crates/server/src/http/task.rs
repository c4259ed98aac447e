//! Tasks: what channels refused, or two people allocated to 2243, and only a person can move on. An operator has a channel asked again;
//! two people settle by hand, by approvals of kind `settle_task`.

use axum::extract::State;
use domain::advance::Advance;
use domain::attempt::{FailureClass, Rail};
use domain::leg::Leg;
use domain::money::Currency;
use domain::operator::Role;
use domain::payout::Payout;
use domain::refund::{Refund, RefundPart};
use domain::suspense::SuspenseItem;
use domain::task::{self, Claim, SettleTask, TaskCommand, TaskMoney, TaskOf};
use domain::{Command, Reply};
use serde::{Deserialize, Serialize};
use store::advance::AdvanceFilter;
use store::leg::LegFilter;
use store::payout::PayoutFilter;
use store::refund::RefundFilter;
use store::suspense::SuspenseFilter;
use utoipa::ToSchema;

use super::App;
use super::answer::Answered;
use super::approval::Wire;
use super::auth::Caller;
use super::error::ApiError;
use super::extract::{Id, Query};
use super::list::{ListAnswer, PageView, list_query};
use super::manual_voucher::ManualVoucherBody;
use super::payment::NO_RAIL;
use super::wire::{Amount, parse, parse_some, time_text};

/// What no channel refused has no rail.
const NO_CHANNEL: &str = "none";

/// What two people settle by hand.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TaskSettlementBody {
    /// The leg, the refund, the payout, the item of suspense or the advance.
    #[schema(example = "leg_9")]
    task: String,
    /// What takes its money, no more and no less, from where it lies; nothing where it lies nowhere on these books.
    voucher: Option<ManualVoucherBody>,
    /// What waits for a person of it, as `amount` of the task says: no other amount is settled. What waits when this is proposed, unless
    /// said.
    amount: Option<Amount>,
}

impl Wire for TaskSettlementBody {
    type Of = SettleTask;

    fn read(self) -> Result<SettleTask, ApiError> {
        let voucher = self.voucher.map(ManualVoucherBody::read).transpose();
        let (voucher, amount) = (voucher.map_err(|error| error.within("voucher"))?, self.amount.map(|amount| amount.0));
        Ok(SettleTask { task: parse(&self.task, "task")?, voucher, amount })
    }

    fn show(of: &SettleTask) -> Self {
        let (task, voucher) = (of.task.to_string(), of.voucher.as_ref().map(ManualVoucherBody::show));
        Self { task, voucher, amount: of.amount.map(Amount) }
    }
}

/// What a channel refused and only a person can move on.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TaskView {
    /// The leg, the refund, the payout, the item of suspense or the advance that it is about.
    #[schema(example = "leg_9")]
    id: String,
    /// Whose order; of a payout, of an item of suspense and of an advance null.
    #[schema(example = "ord_7")]
    order: Option<String>,
    /// `epcc`, `unionpay`, `fund`, `pingan` or `own_bank`: which channel refused; `none` of an item of suspense.
    #[schema(example = "epcc")]
    rail: &'static str,
    /// What only a person can move on; of what a bank owes, all that it owes.
    amount: Amount,
    #[schema(example = "CNY")]
    currency: &'static str,
    /// Where the leg, the refund, the payout, the item or the advance stands.
    #[schema(example = "captured")]
    status: &'static str,
    /// Whose failure the refusal was, where a leg, a payout or an advance failed: `user`, `risk`, `bank` or `system`.
    failure: Option<&'static str>,
    /// The subject on which its money lies: 2205 or 2243; null where a centre holds it or paid it out, or a bank owes it.
    #[schema(example = 2205)]
    lies_on: Option<u16>,
    /// The institution's account of that subject, which a voucher debits.
    #[schema(example = "acc_6")]
    account: Option<String>,
    /// Whether it waits for a person now.
    needs_person: bool,
    /// Since when, if it does: when its order, its refund, its payout or its advance ended, or people allocated what lies on 2243. Of what a
    /// bank owes that is before the bank carried out what it had refused, whose time is on no row.
    #[schema(example = "2026-03-05T01:30:00Z")]
    since: Option<String>,
    /// The attempt whose answer it waits for, once it was retried.
    #[schema(example = "att_21")]
    open_attempt: Option<String>,
    /// The refund that was made in its place when it was retried.
    #[schema(example = "rfd_4")]
    retried_as: Option<String>,
    /// The approval by which two people settled it by hand.
    #[schema(example = "apr_7")]
    settled_by: Option<String>,
    /// `retry` by one operator, `settle` by two.
    allowed_actions: Vec<&'static str>,
}

fn place(state: &domain::State, money: Option<TaskMoney>) -> (Option<u16>, Option<String>) {
    let account = |money: TaskMoney| state.institution(money.lies_on, money.currency).ok().map(|id| id.to_string());
    (money.map(|money| money.lies_on.code()), money.and_then(account))
}

impl TaskView {
    fn of_leg(state: &domain::State, leg: &Leg) -> Self {
        let money = TaskMoney::of_leg(leg).filter(|_| leg.needs_person);
        let (lies_on, account) = place(state, money);
        Self {
            id: leg.id.to_string(),
            order: Some(leg.order.to_string()),
            rail: leg.instrument.rail().map_or(NO_RAIL, Rail::name),
            amount: Amount(leg.waiting()),
            currency: leg.currency.code(),
            status: leg.status.name(),
            failure: leg.failure.map(FailureClass::name),
            lies_on,
            account,
            needs_person: leg.needs_person,
            since: task::since_of_leg(state, leg).map(time_text),
            open_attempt: leg.open.map(|id| id.to_string()),
            retried_as: None,
            settled_by: leg.settled_by.map(|id| id.to_string()),
            allowed_actions: task::actions_of_leg(leg).to_vec(),
        }
    }

    fn of_refund(state: &domain::State, refund: &Refund) -> Self {
        let (lies_on, account) = place(state, TaskMoney::of_refund(refund));
        let is_owed = |part: &&RefundPart| part.claim == Some(Claim::Open);
        let part = refund.parts.iter().find(is_owed).or_else(|| refund.parts.first());
        Self {
            id: refund.id.to_string(),
            order: Some(refund.order.to_string()),
            rail: part.and_then(|part| part.rail).map_or(NO_RAIL, Rail::name),
            amount: Amount(if refund.needs_person() { refund.waiting() } else { refund.amount }),
            currency: refund.currency.code(),
            status: refund.status.name(),
            failure: None,
            lies_on,
            account,
            needs_person: refund.needs_person(),
            since: task::since_of_refund(refund).map(time_text),
            open_attempt: part
                .filter(|_| refund.ended_at.is_none())
                .and_then(|part| part.attempt)
                .map(|id| id.to_string()),
            retried_as: refund.retried_as.map(|id| id.to_string()),
            settled_by: refund.last_settled_by().map(|id| id.to_string()),
            allowed_actions: task::actions_of_refund(refund).to_vec(),
        }
    }

    fn of_payout(payout: &Payout) -> Self {
        Self {
            id: payout.id.to_string(),
            order: None,
            rail: Rail::Epcc.name(),
            amount: Amount(payout.amount),
            currency: payout.currency.code(),
            status: payout.status.name(),
            failure: payout.failure.as_ref().map(|failure| failure.class.name()),
            lies_on: None,
            account: None,
            needs_person: payout.needs_person(),
            since: task::since_of_payout(payout).map(time_text),
            open_attempt: None,
            retried_as: None,
            settled_by: payout.claim.and_then(Claim::settled_by).map(|id| id.to_string()),
            allowed_actions: task::actions_of_payout(payout).to_vec(),
        }
    }

    fn of_advance(advance: &Advance) -> Self {
        Self {
            id: advance.id.to_string(),
            order: None,
            rail: Rail::OwnBank.name(),
            amount: Amount(advance.outlay()),
            currency: advance.currency.code(),
            status: advance.status.name(),
            failure: advance.failure.as_ref().map(|failure| failure.class.name()),
            lies_on: None,
            account: None,
            needs_person: advance.needs_person(),
            since: task::since_of_advance(advance).map(time_text),
            open_attempt: None,
            retried_as: None,
            settled_by: advance.claim.and_then(Claim::settled_by).map(|id| id.to_string()),
            allowed_actions: task::actions_of_advance(advance).to_vec(),
        }
    }

    fn of_suspense(state: &domain::State, item: &SuspenseItem) -> Self {
        let (lies_on, account) = place(state, TaskMoney::of_suspense(item));
        Self {
            id: item.id.to_string(),
            order: None,
            rail: NO_CHANNEL,
            amount: Amount(item.waiting()),
            currency: item.currency.code(),
            status: item.status.name(),
            failure: None,
            lies_on,
            account,
            needs_person: item.needs_person(),
            since: task::since_of_suspense(state, item).map(time_text),
            open_attempt: None,
            retried_as: None,
            settled_by: item.settled_by.map(|id| id.to_string()),
            allowed_actions: task::actions_of_suspense(item).to_vec(),
        }
    }
}

/// Look at a leg, a refund, a payout, an item of suspense or an advance as a task
#[utoipa::path(
    get, path = "/v1/tasks/{id}", tag = "task", params(("id" = String, Path, example = "leg_9")),
    responses((status = OK, body = TaskView))
)]
pub(crate) async fn get(State(app): State<App>, caller: Caller, Id(of): Id<TaskOf>) -> Answered<TaskView> {
    caller.operator()?;
    app.look(move |state| match of {
        TaskOf::Leg(id) => state.leg(id).map(|leg| TaskView::of_leg(state, leg)),
        TaskOf::Refund(id) => state.refund(id).map(|refund| TaskView::of_refund(state, refund)),
        TaskOf::Payout(id) => state.payout(id).map(TaskView::of_payout),
        TaskOf::Suspense(id) => state.suspense_item(id).map(|item| TaskView::of_suspense(state, item)),
        TaskOf::Advance(id) => state.advance(id).map(TaskView::of_advance),
    })
    .await
}

list_query! {
    /// Which tasks.
    pub(crate) struct TaskQuery {
        /// Of this order.
        order,
    }
}

/// List legs that wait for a person
///
/// Their undo, reversal or release was refused, a centre paid the landlord of a failed order, or a channel gave them back twice.
#[utoipa::path(
    get, path = "/v1/tasks/legs", tag = "task", params(TaskQuery),
    responses((status = OK, body = PageView<TaskView>))
)]
pub(crate) async fn legs(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<TaskQuery>,
) -> ListAnswer<TaskView> {
    caller.operator()?;
    let (page, order) = (query.page(), parse_some(query.order.as_deref(), "order")?);
    app.list(LegFilter { order, needs_person: Some(true), ..LegFilter::default() }, page, TaskView::of_leg).await
}

/// List refunds that wait for a person
///
/// Money that no order can use: its source refused to take it back, so it lies on 2243. And a failed refund that its channel carried out
/// after all when its money was gone: `amount` is what the bank owes.
#[utoipa::path(
    get, path = "/v1/tasks/refunds", tag = "task", params(TaskQuery),
    responses((status = OK, body = PageView<TaskView>))
)]
pub(crate) async fn refunds(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<TaskQuery>,
) -> ListAnswer<TaskView> {
    caller.operator()?;
    let (page, order) = (query.page(), parse_some(query.order.as_deref(), "order")?);
    let filter = RefundFilter { order, needs_person: Some(true), ..RefundFilter::default() };
    app.list(filter, page, TaskView::of_refund).await
}

list_query! {
    /// Which payouts.
    pub(crate) struct PayoutTaskQuery {
        /// From this account.
        account,
    }
}

/// List payouts that wait for a person
///
/// A bank paid them after they had failed, and their money was back on their account: the bank owes them.
#[utoipa::path(
    get, path = "/v1/tasks/payouts", tag = "task", params(PayoutTaskQuery),
    responses((status = OK, body = PageView<TaskView>))
)]
pub(crate) async fn payouts(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<PayoutTaskQuery>,
) -> ListAnswer<TaskView> {
    caller.operator()?;
    let (page, account) = (query.page(), parse_some(query.account.as_deref(), "account")?);
    let filter = PayoutFilter { account, needs_person: Some(true), ..PayoutFilter::default() };
    app.list(filter, page, |_, payout| TaskView::of_payout(payout)).await
}

list_query! {
    /// Which tasks of suspense.
    pub(crate) struct SuspenseTaskQuery {
        /// In this currency.
        currency,
    }
}

/// List items of suspense that wait for a person
///
/// What two people allocated to 2243, to be given back to its payer, and nobody has given back yet. And what people allocated after the
/// source of a top-up had refused to take it back, which it did after all: the bank owes it.
#[utoipa::path(
    get, path = "/v1/tasks/suspense", tag = "task", params(SuspenseTaskQuery),
    responses((status = OK, body = PageView<TaskView>))
)]
pub(crate) async fn suspense(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<SuspenseTaskQuery>,
) -> ListAnswer<TaskView> {
    caller.operator()?;
    let page = query.page();
    let currency = query.currency.as_deref().map(Currency::parse).transpose()?;
    let filter = SuspenseFilter { currency, needs_person: Some(true), ..SuspenseFilter::default() };
    app.list(filter, page, TaskView::of_suspense).await
}

list_query! {
    /// Which advances.
    pub(crate) struct AdvanceTaskQuery {
        /// Of this merchant.
        merchant,
    }
}

/// List advances that wait for a person
///
/// The own bank paid them after it had refused them, when their orders were to be settled as ever: `amount` left own money, and is owed by
/// the bank or the merchant.
#[utoipa::path(
    get, path = "/v1/tasks/advances", tag = "task", params(AdvanceTaskQuery),
    responses((status = OK, body = PageView<TaskView>))
)]
pub(crate) async fn advances(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<AdvanceTaskQuery>,
) -> ListAnswer<TaskView> {
    caller.operator()?;
    let (page, merchant) = (query.page(), parse_some(query.merchant.as_deref(), "merchant")?);
    let filter = AdvanceFilter { merchant, needs_person: Some(true), ..AdvanceFilter::default() };
    app.list(filter, page, |_, advance| TaskView::of_advance(advance)).await
}

/// Have the channel asked again
///
/// By a new attempt, which there is only once the one before is final. A leg stays what it is about; money that no order can use goes
/// back by a refund of its own, which is answered.
#[utoipa::path(
    post, path = "/v1/tasks/{id}/retry", tag = "task", params(("id" = String, Path, example = "leg_9")),
    responses((status = OK, body = TaskView))
)]
pub(crate) async fn retry(State(app): State<App>, caller: Caller, Id(of): Id<TaskOf>) -> Answered<TaskView> {
    caller.operator_with(&[Role::Accountant, Role::Treasurer])?;
    let view = |state: &domain::State, reply: &Reply| {
        let Reply::Task(of) = reply else { return None };
        match of {
            TaskOf::Leg(id) => state.legs.get(id.0).map(|leg| TaskView::of_leg(state, leg)),
            TaskOf::Refund(id) => state.refunds.get(id.0).map(|refund| TaskView::of_refund(state, refund)),
            TaskOf::Payout(id) => state.payouts.get(id.0).map(TaskView::of_payout),
            TaskOf::Suspense(id) => state.suspense_items.get(id.0).map(|item| TaskView::of_suspense(state, item)),
            TaskOf::Advance(id) => state.advances.get(id.0).map(TaskView::of_advance),
        }
    };
    app.change(caller.meta()?, Command::Task(TaskCommand::Retry(of)), view).await
}
