//! Plans of splits (分账方案): what each role of a broker network (ACN) gets of a commission. It is agreed on once, stands in the
//! settings, and is filled with names at each deal.
//!
//! ```text
//!  plan: role ─ rate     request: role ─ merchant
//!             └────────┬──────────┘
//!                      └─► merchant ─ Σ of its roles' rates ─► a split by rates, as if they had been sent
//! ```
//! What is journaled is who got what: a plan that changes later changes no split, and a request that is repeated has its first answer.
//! The rate of a role that nobody had in a deal goes to whoever has what rounding leaves.

use std::collections::BTreeMap;

use domain::ids::MerchantId;
use domain::money::{Minor, RATE_WHOLE};
use domain::split::Parts;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A plan of the settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Written")]
pub(crate) struct SplitPlan {
    pub(crate) name: String,
    roles: Vec<Role>,
    remainder_to: String,
    return_order: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Role {
    name: String,
    /// Millionths.
    rate: Minor,
}

/// As it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    roles: Vec<Role>,
    remainder_to: String,
    #[serde(default)]
    return_order: Vec<String>,
}

impl TryFrom<Written> for SplitPlan {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Written { name, roles, remainder_to, return_order } = written;
        let whole = roles.iter().try_fold(0, |sum: Minor, role| {
            let rate = Some(role.rate).filter(|rate| *rate > 0);
            rate.and_then(|rate| sum.checked_add(rate))
                .ok_or_else(|| format!("the rate of {} is not above zero", role.name))
        })?;
        if whole != RATE_WHOLE {
            return Err(format!("the rates of split plan {name} add up to {whole}; they must add up to {RATE_WHOLE}"));
        }
        let mut names: Vec<&str> = roles.iter().map(|role| role.name.as_str()).collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(format!("a role stands twice in split plan {name}"));
        }
        let unknown = |role: &&String| !names.contains(&role.as_str());
        if let Some(role) = std::iter::once(&remainder_to).chain(&return_order).find(unknown) {
            return Err(format!("split plan {name} has no role {role}"));
        }
        Ok(Self { name, roles, remainder_to, return_order })
    }
}

/// A plan of splits.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SplitPlanView {
    /// As a split names it.
    #[schema(example = "agent_network")]
    name: String,
    /// What each role gets; together 1,000,000 millionths.
    roles: Vec<SplitRoleView>,
    /// The role whose merchant gets what rounding leaves, and the rates of roles that nobody had.
    remainder_to: String,
    /// The roles in the order in which a refund takes their parts back; the last part first if empty.
    return_order: Vec<String>,
}

/// A role of a plan.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SplitRoleView {
    #[schema(example = "listing")]
    name: String,
    /// Millionths.
    #[schema(example = 333_333)]
    rate: i64,
}

impl SplitPlanView {
    pub(super) fn of(plan: &SplitPlan) -> Self {
        let role = |role: &Role| SplitRoleView { name: role.name.clone(), rate: role.rate };
        Self {
            name: plan.name.clone(),
            roles: plan.roles.iter().map(role).collect(),
            remainder_to: plan.remainder_to.clone(),
            return_order: plan.return_order.clone(),
        }
    }
}

impl SplitPlan {
    /// The split of `amount` among who had which role, and the order in which a refund takes it back (none if the plan names none).
    ///
    /// # Errors
    /// What is wrong with the roles.
    pub(super) fn fill(
        &self,
        amount: Minor,
        holders: &BTreeMap<String, MerchantId>,
    ) -> Result<(Parts, Vec<MerchantId>), String> {
        if let Some(role) = holders.keys().find(|name| self.roles.iter().all(|role| role.name != **name)) {
            return Err(format!("plan {} has no role {role:.64}", self.name));
        }
        let Some(remainder_to) = holders.get(&self.remainder_to).copied() else {
            return Err(format!("name who was {}: what rounding leaves is that one's", self.remainder_to));
        };
        let mut rates: Vec<(MerchantId, Minor)> = Vec::new();
        for role in &self.roles {
            let merchant = holders.get(&role.name).copied().unwrap_or(remainder_to);
            match rates.iter_mut().find(|(known, _)| *known == merchant) {
                // The whole is a million, which was checked.
                Some((_, rate)) => *rate = rate.saturating_add(role.rate),
                None => rates.push((merchant, role.rate)),
            }
        }
        Ok((Parts::Rates { amount, rates: rates.clone(), remainder_to }, self.returning(holders, &rates)))
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

#[cfg(test)]
mod tests {
    use super::*;

    const NETWORK: &str = r#"
        name = "agent_network"
        remainder_to = "closing"
        return_order = ["closing", "listing"]
        roles = [
            { name = "listing", rate = 300_000 },
            { name = "key", rate = 100_000 },
            { name = "photos", rate = 50_000 },
            { name = "closing", rate = 550_000 },
        ]
    "#;

    fn holders(of: &[(&str, u64)]) -> BTreeMap<String, MerchantId> {
        of.iter().map(|(role, merchant)| ((*role).to_owned(), MerchantId(*merchant))).collect()
    }

    #[test]
    fn a_plan_is_filled_with_names() {
        let plan: SplitPlan = toml::from_str(NETWORK).unwrap();
        // One had two roles, and nobody took photos.
        let (parts, order) = plan.fill(10_001, &holders(&[("listing", 4), ("key", 4), ("closing", 5)])).unwrap();
        let rates = vec![(MerchantId(4), 400_000), (MerchantId(5), 600_000)];
        assert_eq!(parts, Parts::Rates { amount: 10_001, rates, remainder_to: MerchantId(5) });
        assert_eq!(order, [MerchantId(5), MerchantId(4)]);
        for (wrong, what) in
            [(holders(&[("listing", 4)]), "closing"), (holders(&[("closing", 5), ("cook", 6)]), "cook")]
        {
            assert!(plan.fill(1, &wrong).unwrap_err().contains(what));
        }
    }

    #[test]
    fn a_plan_that_cannot_be_filled_is_refused_with_the_settings() {
        for (right, wrong, what) in [
            ("50_000 }", "50_001 }", "add up to 1000001"),
            ("50_000 }", "-50_000 }", "photos"),
            ("\"key\"", "\"photos\"", "twice"),
            ("remainder_to = \"closing\"", "remainder_to = \"cook\"", "cook"),
            ("\"listing\"]", "\"cook\"]", "cook"),
        ] {
            let text = NETWORK.replacen(right, wrong, 1);
            assert_ne!(text, NETWORK);
            let error = toml::from_str::<SplitPlan>(&text).unwrap_err().to_string();
            assert!(error.contains(what), "{what}: {error}");
        }
    }
}
