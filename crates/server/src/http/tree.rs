//! Parent and child accounts: links, the rules and quotas on them. Roll-ups and runs have files of their own below this one.

use axum::extract::State;
use domain::ids::{AccountId, TreeLinkId};
use domain::tree::{LinkAccounts, Quota, RuleKind, Signed, SweepRule, TreeCommand, TreeLink};
use domain::{Command, Reply};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::account::AccountView;
use super::answer::Answered;
use super::approval::Wire;
use super::auth::Caller;
use super::error::ApiError;
use super::extract::{Id, Json, Query};
use super::list::{ListAnswer, PageView, list_query};
use super::wire::{Amount, date_text, parse, parse_some, time_text, word};

pub(crate) mod roll_up;
pub(crate) mod run;

/// What to link.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewLink {
    /// The account above.
    #[schema(example = "acc_42")]
    parent: String,
    /// The account below, of the same book.
    #[schema(example = "acc_43")]
    child: String,
    /// The agreement by which the owner of the child lets another customer pool it; needed where the two are of different
    /// customers, and then by two people.
    #[schema(example = "pooling agreement 2026-7")]
    agreement: Option<String>,
}

/// Two accounts of different customers to link, as two people decide it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LinkBody {
    /// The account above.
    #[schema(example = "acc_42")]
    parent: String,
    /// The account below, of the same book.
    #[schema(example = "acc_43")]
    child: String,
    /// The agreement by which the owner of the child lets the other customer pool it.
    agreement: Option<String>,
}

impl Wire for LinkBody {
    type Of = LinkAccounts;

    fn read(self) -> Result<LinkAccounts, ApiError> {
        let (parent, child) = (parse(&self.parent, "parent")?, parse(&self.child, "child")?);
        Ok(LinkAccounts { parent, child, agreement: self.agreement })
    }

    fn show(of: &LinkAccounts) -> Self {
        Self { parent: of.parent.to_string(), child: of.child.to_string(), agreement: of.agreement.clone() }
    }
}

/// A rule on a child.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewRule {
    /// `sweep_all` (all that is available goes up), `sweep_above` (what is available above `keep`) or `top_up_to` (the
    /// child's balance less holds is filled up to `target`).
    #[schema(example = "sweep_above")]
    kind: String,
    /// Of `sweep_above`: what stays available on the child.
    keep: Option<Amount>,
    /// Of `top_up_to`: what the child shall hold.
    target: Option<Amount>,
    /// Less than this does not move; 1 unless said.
    minimum: Option<Amount>,
    /// The time of day in Shanghai at which it runs by itself; by command alone unless said.
    #[schema(example = "23:00")]
    at: Option<String>,
}

/// What may leave a child for anyone but its parent; at least one of the three.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewQuota {
    /// The most of one payment.
    single: Option<Amount>,
    /// The most of one accounting day.
    day: Option<Amount>,
    /// The most of the accounting days of one month.
    month: Option<Amount>,
}

/// Nothing to say beside the path.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

/// Who did it and when.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SignedView {
    operator: String,
    /// The second person, where one was needed.
    approver: Option<String>,
    at: String,
}

impl SignedView {
    fn of(signed: &Signed) -> Self {
        let Signed { operator, approver, at } = signed;
        Self { operator: operator.clone(), approver: approver.clone(), at: time_text(*at) }
    }
}

/// A rule on a child.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RuleView {
    /// `sweep_all`, `sweep_above` or `top_up_to`.
    kind: &'static str,
    keep: Option<Amount>,
    target: Option<Amount>,
    minimum: Amount,
    /// The time of day in Shanghai at which it runs by itself.
    #[schema(example = "23:00")]
    at: Option<String>,
    /// When that is next.
    due: Option<String>,
}

impl RuleView {
    fn of(rule: SweepRule, link: &TreeLink) -> Self {
        let (keep, target) = match rule.kind {
            RuleKind::SweepAll => (None, None),
            RuleKind::SweepAbove(keep) => (Some(Amount(keep)), None),
            RuleKind::TopUpTo(target) => (None, Some(Amount(target))),
        };
        let at = rule.minute_of_day.map(|minute| format!("{:02}:{:02}", minute / 60, minute % 60));
        let (kind, minimum) = (rule.kind.name(), Amount(rule.minimum));
        Self { kind, keep, target, minimum, at, due: link.due.map(time_text) }
    }
}

/// A child's quota and what is used of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct QuotaView {
    single: Option<Amount>,
    day: Option<Amount>,
    month: Option<Amount>,
    /// Used on the open accounting day.
    used_today: Amount,
    /// Used in its month.
    used_this_month: Amount,
}

/// A link between a parent and a child account.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LinkView {
    #[schema(example = "lnk_3")]
    id: String,
    #[schema(example = "acc_42")]
    parent: String,
    #[schema(example = "acc_43")]
    child: String,
    /// The first accounting day at whose end it holds.
    #[schema(example = "2026-03-05")]
    from: String,
    /// The first accounting day at whose end it no longer holds.
    until: Option<String>,
    /// The agreement, where the two are of different customers.
    agreement: Option<String>,
    /// `linked` or `ended`.
    status: &'static str,
    made: SignedView,
    ended: Option<SignedView>,
    rule: Option<RuleView>,
    rule_set: Option<SignedView>,
    quota: Option<QuotaView>,
    quota_set: Option<SignedView>,
    /// What may be done with it now.
    allowed_actions: Vec<&'static str>,
}

impl LinkView {
    fn of(state: &domain::State, link: &TreeLink) -> Self {
        let today = state.days.current().unwrap_or_default();
        let (used_today, used_this_month) = link.used_on(today);
        let limit = |limit: Option<i64>| limit.map(Amount);
        let quota = link.quota.map(|Quota { single, day, month }| QuotaView {
            single: limit(single),
            day: limit(day),
            month: limit(month),
            used_today: Amount(used_today),
            used_this_month: Amount(used_this_month),
        });
        let actions: &[&str] =
            if link.is_current() { &["sweep", "allocate", "set_rule", "set_quota", "end"] } else { &[] };
        Self {
            id: link.id.to_string(),
            parent: link.parent.to_string(),
            child: link.child.to_string(),
            from: date_text(link.from),
            until: link.until.map(date_text),
            agreement: link.agreement.clone(),
            status: link.status(),
            made: SignedView::of(&link.made),
            ended: link.ended.as_ref().map(SignedView::of),
            rule: link.rule.map(|rule| RuleView::of(rule, link)),
            rule_set: link.rule_set.as_ref().map(SignedView::of),
            quota,
            quota_set: link.quota_set.as_ref().map(SignedView::of),
            allowed_actions: actions.to_vec(),
        }
    }
}

/// Put an account under another
///
/// From the open accounting day on. Accounts of two customers are linked only by an agreement, and by two people: propose it
/// as `link_accounts`.
#[utoipa::path(post, path = "/v1/tree-links", tag = "tree", responses((status = OK, body = LinkView)))]
pub(crate) async fn link(State(app): State<App>, caller: Caller, Json(new): Json<NewLink>) -> Answered<LinkView> {
    caller.operator()?;
    let (parent, child) = (parse(&new.parent, "parent")?, parse(&new.child, "child")?);
    change(&app, &caller, TreeCommand::Link(LinkAccounts { parent, child, agreement: new.agreement })).await
}

/// End a link
///
/// From the open accounting day on. What is below the child stays below it; its rule and quota end.
#[utoipa::path(
    post, path = "/v1/tree-links/{id}/end", tag = "tree", params(("id" = String, Path, example = "lnk_3")),
    responses((status = OK, body = LinkView))
)]
pub(crate) async fn end(
    State(app): State<App>,
    caller: Caller,
    Id(link): Id<TreeLinkId>,
    Json(Nothing {}): Json<Nothing>,
) -> Answered<LinkView> {
    caller.operator()?;
    change(&app, &caller, TreeCommand::Unlink(link)).await
}

/// Set a child's rule
#[utoipa::path(
    post, path = "/v1/tree-links/{id}/rule", tag = "tree", params(("id" = String, Path, example = "lnk_3")),
    responses((status = OK, body = LinkView))
)]
pub(crate) async fn set_rule(
    State(app): State<App>,
    caller: Caller,
    Id(link): Id<TreeLinkId>,
    Json(new): Json<NewRule>,
) -> Answered<LinkView> {
    caller.operator()?;
    let kind = kind(&new.kind, new.keep, new.target)?;
    let minute_of_day = new.at.as_deref().map(minute_of_day).transpose()?;
    let rule = Some(SweepRule { kind, minimum: new.minimum.map_or(1, |minimum| minimum.0), minute_of_day });
    change(&app, &caller, TreeCommand::SetRule { link, rule }).await
}

/// The kind of a rule by its name; what belongs to another kind is refused.
fn kind(name: &str, keep: Option<Amount>, target: Option<Amount>) -> Result<RuleKind, ApiError> {
    let all = [RuleKind::SweepAll, RuleKind::SweepAbove(0), RuleKind::TopUpTo(0)];
    let wrong = |param, message: &str| Err(ApiError::malformed(param, message));
    match (word(name, "kind", &all, RuleKind::name)?, keep, target) {
        (RuleKind::SweepAll, None, None) => Ok(RuleKind::SweepAll),
        (RuleKind::SweepAbove(_), Some(keep), None) => Ok(RuleKind::SweepAbove(keep.0)),
        (RuleKind::TopUpTo(_), None, Some(target)) => Ok(RuleKind::TopUpTo(target.0)),
        (RuleKind::SweepAbove(_), None, _) => wrong("keep", "sweep_above needs keep, what stays on the child"),
        (RuleKind::TopUpTo(_), _, None) => wrong("target", "top_up_to needs target, what the child shall hold"),
        (RuleKind::SweepAll | RuleKind::TopUpTo(_), Some(_), _) => wrong("keep", "keep belongs to sweep_above"),
        (RuleKind::SweepAll | RuleKind::SweepAbove(_), _, Some(_)) => wrong("target", "target belongs to top_up_to"),
    }
}

/// The minute of a time of day such as 23:00.
fn minute_of_day(text: &str) -> Result<u16, ApiError> {
    let two_digits = |part: &str| {
        let shape = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        if shape { part.parse::<u16>().ok() } else { None }
    };
    let read = || {
        let (hour, minute) = text.split_once(':')?;
        let (hour, minute) = (two_digits(hour)?, two_digits(minute)?);
        (hour < 24 && minute < 60).then_some(hour * 60 + minute)
    };
    read().ok_or_else(|| {
        ApiError::malformed("at", format!("'{text:.64}' is no time of day; times of day look like 23:00"))
    })
}

/// Take a child's rule away
#[utoipa::path(
    post, path = "/v1/tree-links/{id}/rule/remove", tag = "tree", params(("id" = String, Path, example = "lnk_3")),
    responses((status = OK, body = LinkView))
)]
pub(crate) async fn remove_rule(
    State(app): State<App>,
    caller: Caller,
    Id(link): Id<TreeLinkId>,
    Json(Nothing {}): Json<Nothing>,
) -> Answered<LinkView> {
    caller.operator()?;
    change(&app, &caller, TreeCommand::SetRule { link, rule: None }).await
}

/// Set a child's quota (额度)
///
/// It limits payouts, holds and vouchers by hand, not sweeps to the parent and not refunds. It counts from when it is set.
#[utoipa::path(
    post, path = "/v1/tree-links/{id}/quota", tag = "tree", params(("id" = String, Path, example = "lnk_3")),
    responses((status = OK, body = LinkView))
)]
pub(crate) async fn set_quota(
    State(app): State<App>,
    caller: Caller,
    Id(link): Id<TreeLinkId>,
    Json(new): Json<NewQuota>,
) -> Answered<LinkView> {
    caller.operator()?;
    let of = |limit: Option<Amount>| limit.map(|limit| limit.0);
    let quota = Some(Quota { single: of(new.single), day: of(new.day), month: of(new.month) });
    change(&app, &caller, TreeCommand::SetQuota { link, quota }).await
}

/// Take a child's quota away
#[utoipa::path(
    post, path = "/v1/tree-links/{id}/quota/remove", tag = "tree", params(("id" = String, Path, example = "lnk_3")),
    responses((status = OK, body = LinkView))
)]
pub(crate) async fn remove_quota(
    State(app): State<App>,
    caller: Caller,
    Id(link): Id<TreeLinkId>,
    Json(Nothing {}): Json<Nothing>,
) -> Answered<LinkView> {
    caller.operator()?;
    change(&app, &caller, TreeCommand::SetQuota { link, quota: None }).await
}

async fn change(app: &App, caller: &Caller, command: TreeCommand) -> Answered<LinkView> {
    let view = |state: &domain::State, reply: &Reply| {
        let Reply::TreeLink(id) = reply else { return None };
        state.tree_links.get(id.0).map(|link| LinkView::of(state, link))
    };
    app.change(caller.meta()?, Command::Tree(command), view).await
}

/// Look at a link
#[utoipa::path(
    get, path = "/v1/tree-links/{id}", tag = "tree", params(("id" = String, Path, example = "lnk_3")),
    responses((status = OK, body = LinkView))
)]
pub(crate) async fn get(State(app): State<App>, caller: Caller, Id(id): Id<TreeLinkId>) -> Answered<LinkView> {
    app.owned(&caller, move |state| Ok(state.account(state.tree_link(id)?.parent, "link")?.owner)).await?;
    app.look(move |state| state.tree_link(id).map(|link| LinkView::of(state, link))).await
}

list_query! {
    /// Which links.
    pub(crate) struct LinkQuery {
        /// Under this account.
        parent,
        /// Of this account.
        child,
        /// `linked` or `ended`.
        status,
    }
}

/// List links between accounts
#[utoipa::path(
    get, path = "/v1/tree-links", tag = "tree", params(LinkQuery),
    responses((status = OK, body = PageView<LinkView>))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<LinkQuery>,
) -> ListAnswer<LinkView> {
    caller.operator()?;
    let page = query.page();
    let status = query.status.as_deref();
    let filter = store::tree::TreeLinkFilter {
        parent: parse_some(query.parent.as_deref(), "parent")?,
        child: parse_some(query.child.as_deref(), "child")?,
        status: status.map(|text| word(text, "status", &["linked", "ended"], |name| name)).transpose()?,
    };
    app.list(filter, page, |state, link| LinkView::of(state, state.tree_links.get(link.id.0).unwrap_or(link))).await
}

/// A child with its link.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChildView {
    link: LinkView,
    account: AccountView,
}

/// The children of an account.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChildrenView {
    #[schema(example = "acc_42")]
    account: String,
    /// The link to its own parent.
    parent: Option<LinkView>,
    /// By account.
    data: Vec<ChildView>,
}

/// Look at an account's children
#[utoipa::path(
    get, path = "/v1/accounts/{id}/children", tag = "tree", params(("id" = String, Path, example = "acc_42")),
    responses((status = OK, body = ChildrenView))
)]
pub(crate) async fn children(State(app): State<App>, caller: Caller, Id(id): Id<AccountId>) -> Answered<ChildrenView> {
    app.owned(&caller, move |state| Ok(state.account(id, "id")?.owner)).await?;
    let look = move |state: &domain::State| {
        state.account(id, "id")?;
        let child = |link: &TreeLink| {
            let account = state.accounts.get(link.child.0)?;
            Some(ChildView { link: LinkView::of(state, link), account: AccountView::of(state, account) })
        };
        Ok(ChildrenView {
            account: id.to_string(),
            parent: state.link_above(id).map(|link| LinkView::of(state, link)),
            data: state.links_below(id).filter_map(child).collect(),
        })
    };
    app.look(look).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_day_has_two_digits_and_two_digits() {
        for (text, minute) in [("00:00", 0), ("08:05", 485), ("23:59", 1_439)] {
            assert_eq!(minute_of_day(text).unwrap(), minute);
        }
        for text in ["24:00", "23:60", "8:05", "0805", "+8:05", "08:5", "08:05:00", ""] {
            assert_eq!(minute_of_day(text).unwrap_err().code(), "field_malformed", "{text}");
        }
    }

    #[test]
    fn a_rule_says_what_its_kind_needs_and_nothing_else() {
        let (some, none) = (Some(Amount(5)), None);
        assert_eq!(kind("sweep_all", none, none).unwrap(), RuleKind::SweepAll);
        assert_eq!(kind("sweep_above", some, none).unwrap(), RuleKind::SweepAbove(5));
        assert_eq!(kind("top_up_to", none, some).unwrap(), RuleKind::TopUpTo(5));
        for (name, keep, target) in [
            ("sweep_all", some, none),
            ("sweep_all", none, some),
            ("sweep_above", none, none),
            ("sweep_above", some, some),
            ("top_up_to", none, none),
            ("top_up_to", some, some),
            ("sweep", none, none),
        ] {
            assert!(kind(name, keep, target).is_err(), "{name} {keep:?} {target:?}");
        }
    }
}
