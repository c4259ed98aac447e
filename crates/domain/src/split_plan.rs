//! Plans of splits (分账方案): what each role of a broker network (ACN) gets of a commission. It is agreed on once, by two people,
//! and is filled with names at each deal.
//!
//! ```text
//!  the settings' plan of that name, or none ─► version from day A ─► version from day B … in force: the last one that began
//!
//!  plan: role ─ rate     split: role ─ merchant
//!             └────────┬──────────┘
//!                      └─► merchant ─ Σ of its roles' rates ─► a split by rates, as if they had been named
//! ```
//! A version holds from its first accounting day until a later one of its name does, and is never edited; two people set it. A
//! split goes by the version of the accounting day on which it is made, and names it: whatever is set later changes none that
//! there is. The rate of a role that nobody had in a deal goes to whoever has what rounding leaves.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use crate::approval;
use crate::calendar::Date;
use crate::command::Reply;
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::{MerchantId, SplitPlanId};
use crate::money::{Minor, RATE_WHOLE, add};
use crate::order::name_fits;
use crate::refusal::{Refusal, RefusalCode};
use crate::split::MAX_PARTS;
use crate::state::State;

#[cfg(test)]
mod tests;

/// The most roles of a plan: each may be another merchant's, and so a part of its own.
pub const MAX_ROLES: usize = MAX_PARTS;

/// What a role (角色) of a plan gets.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SplitRole {
    /// Its name, 1 to 64 bytes.
    #[n(0)]
    pub name: String,
    /// In parts of [`RATE_WHOLE`], above zero.
    #[n(1)]
    pub rate: Minor,
}

/// What a plan says.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SplitTerms {
    /// 1 to [`MAX_ROLES`], whose rates add up to [`RATE_WHOLE`].
    #[n(0)]
    pub roles: Vec<SplitRole>,
    /// The role whose merchant gets what rounding leaves, and the rates of roles that nobody had.
    #[n(1)]
    pub remainder_to: String,
    /// The roles in the order in which a refund takes their parts back; the last part first if empty.
    #[n(2)]
    pub return_order: Vec<String>,
}

/// A version of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SplitPlan {
    /// Its id.
    #[n(0)]
    pub id: SplitPlanId,
    /// What a split calls it by; all versions have it.
    #[n(1)]
    pub name: String,
    /// The first accounting day on which it holds.
    #[n(2)]
    pub from: Date,
    /// What it says.
    #[n(3)]
    pub terms: SplitTerms,
    /// When it was set.
    #[n(4)]
    pub set_at: Time,
    /// Who proposed it.
    #[n(5)]
    pub set_by: String,
    /// Who approved it.
    #[n(6)]
    pub approver: Option<String>,
}

/// Sets what a plan says from a day on; two people.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SetSplitPlan {
    /// What a split calls it by, 1 to 64 bytes.
    #[n(0)]
    pub name: String,
    /// The first accounting day on which it holds; not one that has passed.
    #[n(1)]
    pub from: Date,
    /// What it says.
    #[n(2)]
    pub terms: SplitTerms,
}

/// What happened to plans of splits.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum SplitPlanEvent {
    /// A version was set.
    #[n(0)]
    Set(#[n(0)] SplitPlan),
}

/// A split by a plan: who had which role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedParts {
    /// The plan's name.
    pub name: String,
    /// What is split, in minor units.
    pub amount: Minor,
    /// The merchants by their roles.
    pub holders: BTreeMap<String, MerchantId>,
    /// What the settings say under this name: it counts while no version in the books has begun.
    pub settings: Option<SplitTerms>,
}

/// What a plan makes of who had which role.
#[derive(Debug)]
pub(crate) struct Filled {
    /// Each receiver once, with the sum of its roles' rates.
    pub(crate) rates: Vec<(MerchantId, Minor)>,
    /// The receiver of what rounding leaves.
    pub(crate) remainder_to: MerchantId,
    /// The receivers in the plan's return order; none where it names none.
    pub(crate) return_order: Vec<MerchantId>,
    /// The version that it was; none where it was the settings' plan.
    pub(crate) plan: Option<SplitPlanId>,
}

/// Sets a version of a plan.
///
/// # Errors
/// `approval_required`; `value_invalid` for names, roles and a day that has passed; `already_exists` for a second version of
/// the same day.
pub fn decide(draft: &mut Draft<'_>, command: SetSplitPlan) -> Result<Reply, Refusal> {
    approval::require(draft, "setting a plan of splits")?;
    let SetSplitPlan { name, from, terms } = command;
    name_fits(&name, "name")?;
    draft.state.days.not_passed(from, "a plan")?;
    terms.check()?;
    let mut plans = draft.state.split_plans.iter();
    if let Some(known) = plans.find(|known| known.name == name && known.from == from) {
        let message = format!("{} is the version of {name} from {from} on; set another day's", known.id);
        return Err(Refusal::new(RefusalCode::AlreadyExists, "from", message));
    }
    let id = SplitPlanId(draft.state.split_plans.last().map_or(1, |last| last.id.0.saturating_add(1)));
    let (set_at, set_by, approver) = (draft.context.now, draft.operator(), draft.approver());
    draft.emit(Event::SplitPlan(SplitPlanEvent::Set(SplitPlan { id, name, from, terms, set_at, set_by, approver })));
    Ok(Reply::SplitPlan(id))
}

fn invalid(param: &'static str, message: String) -> Refusal {
    Refusal::new(RefusalCode::ValueInvalid, param, message)
}

impl SplitTerms {
    /// Whether a split can go by it.
    ///
    /// # Errors
    /// `value_invalid` for no role or too many, one that stands twice, a rate that is not above zero, rates that do not add up to
    /// [`RATE_WHOLE`], and a role that is named and not there; `amount_overflow`.
    pub fn check(&self) -> Result<(), Refusal> {
        let Self { roles, remainder_to, return_order } = self;
        if roles.is_empty() || roles.len() > MAX_ROLES {
            return Err(invalid("roles", format!("{} roles; name 1 to {MAX_ROLES}", roles.len())));
        }
        let mut whole = 0;
        for (at, SplitRole { name, rate }) in roles.iter().enumerate() {
            name_fits(name, "roles.name")?;
            if roles.iter().take(at).any(|earlier| earlier.name == *name) {
                return Err(invalid("roles", format!("the role {name} stands twice; add its rates up")));
            }
            if *rate <= 0 {
                return Err(invalid("roles", format!("the rate of {name} is {rate}; name millionths above zero")));
            }
            whole = add(whole, *rate, "roles")?;
        }
        if whole != RATE_WHOLE {
            let message = format!("the rates add up to {whole}; they must add up to {RATE_WHOLE}");
            return Err(invalid("roles", message));
        }
        self.has(remainder_to, "remainder_to")?;
        return_order.iter().try_for_each(|role| self.has(role, "return_order"))
    }

    fn has(&self, role: &str, param: &'static str) -> Result<(), Refusal> {
        if self.roles.iter().any(|known| known.name == role) {
            return Ok(());
        }
        Err(invalid(param, format!("the plan has no role {role:.64}; name one of its own")))
    }

    /// Each receiver once: those of the plan's order first, at their first role, then the others.
    fn returning(&self, holders: &BTreeMap<String, MerchantId>, rates: &[(MerchantId, Minor)]) -> Vec<MerchantId> {
        let mut order: Vec<MerchantId> = Vec::new();
        if self.return_order.is_empty() {
            return order;
        }
        let named = self.return_order.iter().filter_map(|role| holders.get(role)).copied();
        for merchant in named.chain(rates.iter().map(|(merchant, _)| *merchant)) {
            if !order.contains(&merchant) {
                order.push(merchant);
            }
        }
        order
    }
}

/// The rates that a plan of today makes of who had which role.
///
/// # Errors
/// `split_plan_unknown`, `split_plan_role`.
pub(crate) fn fill(state: &State, parts: &PlannedParts) -> Result<Filled, Refusal> {
    let PlannedParts { name, holders, settings, amount: _ } = parts;
    let version = state.days.current().and_then(|today| state.split_plan_on(name, today));
    let Some(terms) = version.map(|version| &version.terms).or(settings.as_ref()) else {
        let message = format!("no plan of splits {name:.64} holds today; GET /v1/split-plans lists those that do");
        return Err(Refusal::new(RefusalCode::SplitPlanUnknown, "plan.name", message));
    };
    let wrong = |message| Refusal::new(RefusalCode::SplitPlanRole, "plan.roles", message);
    if let Some(role) = holders.keys().find(|name| terms.roles.iter().all(|role| role.name != **name)) {
        return Err(wrong(format!("the plan {name} has no role {role:.64}")));
    }
    let Some(remainder_to) = holders.get(&terms.remainder_to).copied() else {
        return Err(wrong(format!("name who was {}: what rounding leaves is that one's", terms.remainder_to)));
    };
    let mut rates: Vec<(MerchantId, Minor)> = Vec::new();
    for role in &terms.roles {
        let merchant = holders.get(&role.name).copied().unwrap_or(remainder_to);
        match rates.iter_mut().find(|(known, _)| *known == merchant) {
            // The whole is a million, which was checked.
            Some((_, rate)) => *rate = rate.saturating_add(role.rate),
            None => rates.push((merchant, role.rate)),
        }
    }
    let return_order = terms.returning(holders, &rates);
    Ok(Filled { rates, remainder_to, return_order, plan: version.map(|version| version.id) })
}

impl State {
    /// The version of a plan that holds on an accounting day; none before its first one.
    #[must_use]
    pub fn split_plan_on(&self, name: &str, on: Date) -> Option<&SplitPlan> {
        let begun = self.split_plans.iter().filter(|plan| plan.name == name && plan.from <= on);
        begun.max_by_key(|plan| plan.from)
    }
}

/// Folds what happened to plans of splits into the state.
pub(crate) fn apply(state: &mut State, event: &SplitPlanEvent) {
    match event {
        SplitPlanEvent::Set(plan) => state.split_plans.push(plan.clone()),
    }
}
