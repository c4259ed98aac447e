//! Freezing down the tree: one freeze on a parent account and one on each account below it, placed and released together.
//!
//! ```text
//!  place down the tree ─► the parent's freeze, the head, and one on each account that stands below it now
//!                          └ all in one step or none: one account that cannot be frozen so refuses them all
//!  release, named with the group ─► every freeze of the group that is still in force, in one step
//! ```
//! Each is a freeze like any other: of the whole measure on its own account, in that account's queue, renewed, released and
//! deducted by itself as well. An account that comes under the parent later is not frozen, one that leaves stays frozen.
//!
//! Invariant: a group is named by its head, and its freezes follow the head without a gap, so no index is kept.

use alloc::format;
use alloc::vec::Vec;

use super::{Change, Freeze, FreezeScope, FreezeStatus, PlaceFreeze, change, steps};
use crate::draft::Draft;
use crate::ids::FreezeId;
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;

/// Freezes an account and every account below it.
///
/// # Errors
/// `value_invalid` for the scope of a customer, and those of placing on any of the accounts.
pub(super) fn place(draft: &mut Draft<'_>, command: &PlaceFreeze) -> Result<FreezeId, Refusal> {
    let FreezeScope::Account(parent) = command.scope else {
        let message = "a customer's freeze reaches all its accounts already; name the account at the top";
        return Err(Refusal::new(RefusalCode::ValueInvalid, "down_the_tree", message));
    };
    let head = FreezeId(draft.state.freezes.next_id());
    let below = draft.state.descendants(parent);
    for account in core::iter::once(parent).chain(below) {
        let scope = FreezeScope::Account(account);
        steps::place_in(draft, PlaceFreeze { scope, ..command.clone() }, Some(head))?;
    }
    Ok(head)
}

/// Releases all that is in force of the group that a freeze belongs to. The caller checked that two people do.
///
/// # Errors
/// `freeze_unknown`, `value_invalid` for a freeze that stands alone, an amount or an empty document, `freeze_state` with none
/// in force, `authority_mismatch`.
pub(super) fn release(draft: &mut Draft<'_>, command: &steps::ReleaseFreeze) -> Result<FreezeId, Refusal> {
    let invalid = |param, message| Err(Refusal::new(RefusalCode::ValueInvalid, param, message));
    let named = draft.state.freeze(command.freeze)?.id;
    let Some(head) = draft.state.freeze(named)?.group else {
        return invalid("group", format!("{named} was not placed down a tree; release it by itself"));
    };
    if command.amount.is_some() {
        return invalid("amount", format!("the group of {head} is released as a whole; leave the amount out"));
    }
    steps::check_texts(&[(&command.document, "document")])?;
    let members = draft.state.freezes_of_group(head).filter(|freeze| freeze.status == FreezeStatus::InForce);
    let members: Vec<FreezeId> = members.map(|freeze| freeze.id).collect();
    if members.is_empty() {
        let message = format!("no freeze of the group of {head} is in force any more");
        return Err(Refusal::new(RefusalCode::FreezeState, "freeze", message));
    }
    for id in members {
        let amount = steps::ordered(draft.state, id, &command.authority)?.frozen();
        change(draft, id, Change::Released { amount }, Some(command.document.clone()));
    }
    Ok(head)
}

impl State {
    /// The freezes that were placed down a tree together, the head first.
    pub fn freezes_of_group(&self, head: FreezeId) -> impl Iterator<Item = &Freeze> {
        let members = (head.0..).map_while(|id| self.freezes.get(id));
        members.take_while(move |freeze| freeze.group == Some(head))
    }
}
