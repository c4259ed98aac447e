//! Roll-ups: what an account and all below it hold, now or at the end of a day. The tree of a day is in the engine; its
//! balances are there too until the day is closed, and in its end-of-day file from then on.

use std::collections::BTreeMap;

use axum::extract::State;
use domain::account::Account;
use domain::book::Subject;
use domain::business_day::DayStatus;
use domain::calendar::Date;
use domain::ids::{AccountId, TreeLinkId};
use domain::money::Currency;
use domain::tree::{Figures, Node, Sums, own_at_end, roll_up, walk};
use serde::{Deserialize, Serialize};
use store::SegmentKind;
use utoipa::ToSchema;

use super::super::App;
use super::super::answer::{Answer, Answered};
use super::super::auth::Caller;
use super::super::business_day::{day, status_name};
use super::super::error::ApiError;
use super::super::extract::{Id, Query};
use super::super::trial_balance::Sum;
use super::super::wire::{date_text, owner_text, parse_some};

/// Of when, and how much of it.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RollUpWanted {
    /// At the end of this accounting day; now unless said.
    #[param(example = "2026-03-05")]
    date: Option<String>,
    /// Every account of the tree with its own roll-up; else only the account asked about.
    #[serde(default)]
    tree: bool,
}

/// A sum by subject and currency, on the side on which the subject grows.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SumView {
    /// The subject's code.
    #[schema(example = 2206)]
    subject: u16,
    #[schema(example = "company payment account")]
    name: &'static str,
    #[schema(example = "单位支付账户")]
    name_zh: &'static str,
    #[schema(example = "CNY")]
    currency: &'static str,
    /// Posted.
    balance: Sum,
    /// Reserved to go out; of now only.
    held: Option<Sum>,
    /// What freezes bite on; of now only.
    frozen: Option<Sum>,
    /// What may go out; of now only.
    available: Option<Sum>,
}

impl SumView {
    fn of((subject, currency): (Subject, Currency), figures: Figures, now: bool) -> Self {
        let live = |sum: i128| now.then_some(Sum(sum));
        Self {
            subject: subject.code(),
            name: subject.name(),
            name_zh: subject.name_zh(),
            currency: currency.code(),
            balance: Sum(figures.balance),
            held: live(figures.held),
            frozen: live(figures.frozen),
            available: live(figures.available),
        }
    }

    fn all(sums: &Sums, now: bool) -> Vec<Self> {
        sums.iter().map(|(key, figures)| Self::of(*key, *figures, now)).collect()
    }
}

/// An account of the tree.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NodeView {
    #[schema(example = "acc_43")]
    account: String,
    /// The account above it in this tree.
    #[schema(example = "acc_42")]
    parent: Option<String>,
    /// The link to it.
    #[schema(example = "lnk_3")]
    link: Option<String>,
    /// 0 for the account asked about, 1 for its children.
    depth: usize,
    /// `usr_…` or `mch_…`.
    #[schema(example = "mch_7")]
    owner: String,
    /// What it holds itself.
    own: SumView,
    /// What it and all below it hold.
    roll_up: Vec<SumView>,
}

/// What an account and all below it hold.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RollUpView {
    #[schema(example = "acc_42")]
    account: String,
    /// The accounting day; null for now.
    date: Option<String>,
    /// `now`, or where the day stands: `open`, `cutting` or `closed`. The figures of an open day still move.
    status: &'static str,
    /// How many accounts it is over.
    accounts: usize,
    /// By subject and currency.
    roll_up: Vec<SumView>,
    /// With `tree`: each account before its children.
    tree: Option<Vec<NodeView>>,
}

/// What the engine tells.
struct Told {
    status: Option<DayStatus>,
    nodes: Vec<Node>,
    accounts: BTreeMap<AccountId, Account>,
    /// Own figures; of a closed day they come from its file.
    own: BTreeMap<AccountId, Figures>,
}

fn told(state: &domain::State, id: AccountId, date: Option<Date>) -> Result<Told, domain::Refusal> {
    state.account(id, "id")?;
    let status = date.map(|date| day(state, date).map(|day| day.status)).transpose()?;
    let nodes = walk(state, id, date);
    let account = |node: &Node| state.accounts.get(node.account.0).map(|account| (node.account, account.clone()));
    let accounts: BTreeMap<_, _> = nodes.iter().filter_map(account).collect();
    let own = accounts.values().filter_map(|account| match date {
        None => Some((account.id, Figures::now(state, account))),
        Some(date) => own_at_end(state, account.id, date).map(|(_, figures)| (account.id, figures)),
    });
    Ok(Told { status, own: own.collect(), nodes, accounts })
}

/// The posted balances of a closed day. Its file stands before the day is closed.
async fn of_closed(app: &App, date: Date, accounts: Vec<AccountId>) -> Result<BTreeMap<AccountId, Figures>, ApiError> {
    let books = app.books.clone();
    app.blocking(move || {
        let rows = store::run::segments(&books.store, Some(SegmentKind::EndOfDay), Some(date), Some(date), None)
            .map_err(|error| ApiError::internal("finding the end-of-day file", &error))?;
        let end = node::close::end_of_day(&rows, date).ok_or_else(|| {
            let message = format!("{date} is closed and no end-of-day file of it is committed");
            ApiError::new("internal", Some("date"), message)
        })?;
        let mut figures = BTreeMap::new();
        for account in accounts {
            let balance = books.history.day_balance(end, account);
            let balance = balance.map_err(|error| ApiError::internal("reading the end-of-day file", &error))?;
            figures.extend(balance.map(|balance| (account, Figures::at_end(balance.posted))));
        }
        Ok(figures)
    })
    .await
}

/// Look at an account's roll-up (汇总余额)
///
/// Own and all below it, by subject and currency: now, or by the tree and the balances of a day's end.
#[utoipa::path(
    get, path = "/v1/accounts/{id}/roll-up", tag = "tree",
    params(("id" = String, Path, example = "acc_42"), RollUpWanted),
    responses((status = OK, body = RollUpView))
)]
pub(crate) async fn get_roll_up(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<AccountId>,
    Query(wanted): Query<RollUpWanted>,
) -> Answered<RollUpView> {
    app.owned(&caller, move |state| Ok(state.account(id, "id")?.owner)).await?;
    let date: Option<Date> = parse_some(wanted.date.as_deref(), "date")?;
    let Answer { view: mut told, position, repeated } = app.look(move |state| told(state, id, date)).await?;
    if let Some((date, DayStatus::Closed)) = date.zip(told.status) {
        told.own = of_closed(&app, date, told.accounts.keys().copied().collect()).await?;
    }
    Ok(Answer { view: view(&told, id, date, wanted.tree), position, repeated })
}

fn view(told: &Told, id: AccountId, date: Option<Date>, tree: bool) -> RollUpView {
    let own = |id: AccountId| {
        let account = told.accounts.get(&id)?;
        Some(((account.subject, account.currency), *told.own.get(&id)?))
    };
    let (sums, now) = (roll_up(&told.nodes, own), date.is_none());
    let node = |(node, sums): (&Node, &Sums)| {
        let account = told.accounts.get(&node.account)?;
        let key = (account.subject, account.currency);
        let parent = node.parent.and_then(|parent| told.nodes.get(parent));
        Some(NodeView {
            account: node.account.to_string(),
            parent: parent.map(|parent| parent.account.to_string()),
            link: node.link.as_ref().map(TreeLinkId::to_string),
            depth: node.depth,
            owner: owner_text(account.owner),
            own: SumView::of(key, told.own.get(&node.account).copied().unwrap_or_default(), now),
            roll_up: SumView::all(sums, now),
        })
    };
    RollUpView {
        account: id.to_string(),
        date: date.map(date_text),
        status: told.status.map_or("now", status_name),
        accounts: told.nodes.len(),
        roll_up: sums.first().map(|sums| SumView::all(sums, now)).unwrap_or_default(),
        tree: tree.then(|| told.nodes.iter().zip(&sums).filter_map(node).collect()),
    }
}
