//! Links: who is under whom, now and at the end of each day.

use alloc::boxed::Box;
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use super::{LinkAccounts, MAX_ACCOUNTS, MAX_CHILDREN, MAX_DEPTH, MAX_TEXT, Signed, TreeEvent, TreeLink};
use crate::account::{Account, Owner};
use crate::approval;
use crate::calendar::Date;
use crate::command::Reply;
use crate::draft::Draft;
use crate::ids::{AccountId, TreeLinkId};
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;

/// An account of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node {
    /// The account.
    pub account: AccountId,
    /// The link to its parent; none for the account that the walk began at.
    pub link: Option<TreeLinkId>,
    /// Where its parent stands in the walk.
    pub parent: Option<usize>,
    /// 0 for the account that the walk began at, 1 for its children.
    pub depth: usize,
}

/// The account and all below it, each before its children, children by id: the tree of now, or that of a day's end.
#[must_use]
pub fn walk(state: &State, top: AccountId, date: Option<Date>) -> Vec<Node> {
    let mut nodes: Vec<Node> = Vec::new();
    let mut waiting = vec![Node { account: top, link: None, parent: None, depth: 0 }];
    while let Some(node) = waiting.pop() {
        let (at, depth) = (nodes.len(), node.depth + 1);
        // No tree is larger; only broken links could lead round in a circle.
        if at >= MAX_ACCOUNTS {
            break;
        }
        let below = children(state, node.account, date);
        nodes.push(node);
        let child =
            |(account, link): (AccountId, TreeLinkId)| Node { account, link: Some(link), parent: Some(at), depth };
        waiting.extend(below.into_iter().rev().map(child));
    }
    nodes
}

fn children(state: &State, parent: AccountId, date: Option<Date>) -> Vec<(AccountId, TreeLinkId)> {
    match date {
        None => state.links_below(parent).map(|link| (link.child, link.id)).collect(),
        Some(date) => {
            let all = (parent, TreeLinkId(0))..=(parent, TreeLinkId(u64::MAX));
            let ever = state.tree_history.range(all).filter_map(|((_, id), ())| state.tree_links.get(id.0));
            let mut children: Vec<_> =
                ever.filter(|link| link.holds_on(date)).map(|link| (link.child, link.id)).collect();
            children.sort_unstable();
            children
        }
    }
}

impl State {
    /// The accounts below this one now, each before its children.
    #[must_use]
    pub fn descendants(&self, account: AccountId) -> Vec<AccountId> {
        walk(self, account, None).into_iter().skip(1).map(|node| node.account).collect()
    }

    /// The account, its parent, and so on up to the root.
    fn and_above(&self, account: AccountId) -> impl Iterator<Item = AccountId> {
        let parent = |id: &AccountId| self.link_above(*id).map(|link| link.parent);
        core::iter::successors(Some(account), parent).take(MAX_DEPTH + 1)
    }
}

/// Puts an account under another, from the open accounting day on.
///
/// # Errors
/// `account_unknown`, `account_closed`, `subject_not_allowed` for the institution's own, for two books and for an
/// agreement's account as parent, `account_linked` if the child has a parent, `tree_shape` for a cycle or a tree too deep,
/// too broad or too large, `link_agreement_needed` and `approval_required` for two customers, `value_invalid` for the
/// agreement's text.
pub(super) fn decide_link(draft: &mut Draft<'_>, command: LinkAccounts) -> Result<Reply, Refusal> {
    let LinkAccounts { parent, child, agreement } = command;
    let (above, below) = (draft.state.open_account(parent, "parent")?, draft.state.open_account(child, "child")?);
    check_pair(above, below)?;
    if let Some(text) = &agreement
        && (text.trim().is_empty() || text.len() > MAX_TEXT)
    {
        let message = format!("the agreement has {} bytes; use 1 to {MAX_TEXT}, not only blanks", text.len());
        return Err(Refusal::new(RefusalCode::ValueInvalid, "agreement", message));
    }
    let across = draft.state.customer_of(above.owner) != draft.state.customer_of(below.owner);
    if across && agreement.is_none() {
        let message =
            format!("{parent} and {child} are of two customers; name the agreement by which {child} is pooled");
        return Err(Refusal::new(RefusalCode::LinkAgreementNeeded, "agreement", message));
    }
    if let Some(link) = draft.state.link_above(child) {
        let message = format!("{child} is under {} by {}; end that link first", link.parent, link.id);
        return Err(Refusal::new(RefusalCode::AccountLinked, "child", message));
    }
    check_shape(draft.state, parent, child)?;
    if across {
        approval::require(draft, "a link between accounts of two customers")?;
    }
    let from = draft.state.days.posting_date(None)?;
    let id = TreeLinkId(draft.state.tree_links.next_id());
    let made = Signed::of(draft);
    draft.emit_tree(TreeEvent::Linked(Box::new(TreeLink {
        id,
        parent,
        child,
        from,
        until: None,
        agreement,
        made,
        ended: None,
        rule: None,
        due: None,
        rule_set: None,
        quota: None,
        used: None,
        quota_set: None,
    })));
    Ok(Reply::TreeLink(id))
}

/// Whether one may stand above the other.
fn check_pair(above: &Account, below: &Account) -> Result<(), Refusal> {
    for (account, param) in [(above, "parent"), (below, "child")] {
        if account.owner == Owner::Institution {
            let message = format!("{} is the institution's own account and stands in no tree", account.id);
            return Err(Refusal::new(RefusalCode::SubjectNotAllowed, param, message));
        }
    }
    if let Some(agreement) = above.rare.agreement {
        let message = format!("{} belongs to {agreement}, by whose rules alone it pays; it has no children", above.id);
        return Err(Refusal::new(RefusalCode::SubjectNotAllowed, "parent", message));
    }
    let (book, other) = (above.subject.book(), below.subject.book());
    if book != other {
        let message = format!(
            "{} lies in {} and {} in {}; a tree lies in one book",
            above.id,
            book.name(),
            below.id,
            other.name()
        );
        return Err(Refusal::new(RefusalCode::SubjectNotAllowed, "child", message));
    }
    Ok(())
}

/// Whether the tree stays one, within its limits.
fn check_shape(state: &State, parent: AccountId, child: AccountId) -> Result<(), Refusal> {
    let refused = |param, message| Err(Refusal::new(RefusalCode::TreeShape, param, message));
    let above: Vec<AccountId> = state.and_above(parent).collect();
    if above.contains(&child) {
        return refused("child", format!("{parent} is {child} or below it; a tree has no cycle"));
    }
    if state.links_below(parent).count() >= MAX_CHILDREN {
        return refused("parent", format!("{parent} has {MAX_CHILDREN} children, the most there may be"));
    }
    let below = walk(state, child, None);
    let levels = above.len() + below.iter().map(|node| node.depth + 1).max().unwrap_or_default();
    if levels > MAX_DEPTH {
        return refused("child", format!("the tree would have {levels} levels; at most {MAX_DEPTH}"));
    }
    let root = above.last().copied().unwrap_or(parent);
    let accounts = walk(state, root, None).len() + below.len();
    if accounts > MAX_ACCOUNTS {
        return refused("child", format!("the tree would have {accounts} accounts; at most {MAX_ACCOUNTS}"));
    }
    Ok(())
}

/// Ends a link, from the open accounting day on. What is below the child stays below it.
///
/// # Errors
/// `tree_link_unknown`, `tree_link_ended`.
pub(super) fn decide_unlink(draft: &mut Draft<'_>, id: TreeLinkId) -> Result<Reply, Refusal> {
    draft.state.current_link(id)?;
    let until = draft.state.days.posting_date(None)?;
    let ended = Signed::of(draft);
    draft.emit_tree(TreeEvent::Unlinked { link: id, until, ended });
    Ok(Reply::TreeLink(id))
}

/// Refuses to close an account that stands in a tree.
///
/// # Errors
/// `account_linked`.
pub(crate) fn refuse_linked(state: &State, id: AccountId) -> Result<(), Refusal> {
    let above = state.link_above(id).map(|link| format!("is under {} by {}", link.parent, link.id));
    let below = || state.links_below(id).next().map(|link| format!("has {} under it by {}", link.child, link.id));
    match above.or_else(below) {
        None => Ok(()),
        Some(how) => {
            let message = format!("{id} {how}; end its links before it closes");
            Err(Refusal::new(RefusalCode::AccountLinked, "account", message))
        }
    }
}

/// An account came under another.
pub(super) fn apply_linked(state: &mut State, link: &TreeLink) {
    state.tree_parents.insert(link.child, link.id);
    state.tree_children.insert((link.parent, link.child), link.id);
    state.tree_history.insert((link.parent, link.id), ());
    state.tree_links.insert(link.id.0, link.clone());
}

/// A link ended: its rule runs no more and its quota limits nothing.
pub(super) fn apply_unlinked(state: &mut State, id: TreeLinkId, until: Date, ended: &Signed) {
    super::sweep::move_due(state, &[(id, None)]);
    let link = state.link_row(id);
    link.until = Some(until);
    link.ended = Some(ended.clone());
    let (parent, child, limited) = (link.parent, link.child, link.quota.is_some());
    state.tree_parents.remove(&child);
    state.tree_children.remove(&(parent, child));
    if limited {
        state.account_row(child).rare.quota = None;
    }
}
