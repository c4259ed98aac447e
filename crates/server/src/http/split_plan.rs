//! Plans of splits (分账方案): what each role of a broker network (ACN) gets of a commission. Setting a version takes two people, by an
//! approval of kind `split_plan`; a plan of the settings holds until a version of its name does.

use axum::extract::State;
use domain::split_plan::{SetSplitPlan, SplitPlan, SplitRole, SplitTerms};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::answer::Answered;
use super::approval::Wire;
use super::auth::Caller;
use super::error::ApiError;
use super::wire::{date_text, parse, time_text};

/// A role of a plan.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SplitRole)]
pub(crate) struct WireSplitRole {
    /// 1 to 64 bytes.
    #[schema(example = "listing")]
    name: String,
    /// Millionths.
    #[schema(example = 333_333)]
    rate: i64,
}

impl WireSplitRole {
    fn read(self) -> SplitRole {
        SplitRole { name: self.name, rate: self.rate }
    }

    fn show(of: &SplitRole) -> Self {
        Self { name: of.name.clone(), rate: of.rate }
    }
}

/// A plan of the settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Written")]
pub(crate) struct SettingsPlan {
    name: String,
    terms: SplitTerms,
}

/// As it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    roles: Vec<WireSplitRole>,
    remainder_to: String,
    #[serde(default)]
    return_order: Vec<String>,
}

impl TryFrom<Written> for SettingsPlan {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Written { name, roles, remainder_to, return_order } = written;
        let roles = roles.into_iter().map(WireSplitRole::read).collect();
        let terms = SplitTerms { roles, remainder_to, return_order };
        match terms.check() {
            Ok(()) => Ok(Self { name, terms }),
            Err(refusal) => Err(format!("split plan {name}, {}: {}", refusal.param, refusal.message)),
        }
    }
}

/// What the settings say under this name.
pub(super) fn of_settings(plans: &[SettingsPlan], name: &str) -> Option<SplitTerms> {
    plans.iter().find(|plan| plan.name == name).map(|plan| plan.terms.clone())
}

/// What each role is to get from a day on.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SplitPlanBody {
    /// What a split calls it by, 1 to 64 bytes; a version of a name that there is takes over from its day on.
    #[schema(example = "agent_network")]
    name: String,
    /// The first accounting day on which it holds; not one that has passed.
    #[schema(example = "2026-04-01")]
    from: String,
    /// 1 to 30, whose rates are together 1,000,000 millionths.
    roles: Vec<WireSplitRole>,
    /// The role whose merchant gets what rounding leaves, and the rates of roles that nobody had.
    #[schema(example = "closing")]
    remainder_to: String,
    /// The roles in the order in which a refund takes their parts back; the last part first unless said.
    #[serde(default)]
    return_order: Vec<String>,
}

impl Wire for SplitPlanBody {
    type Of = SetSplitPlan;

    fn read(self) -> Result<SetSplitPlan, ApiError> {
        let Self { name, from, roles, remainder_to, return_order } = self;
        let roles = roles.into_iter().map(WireSplitRole::read).collect();
        Ok(SetSplitPlan { name, from: parse(&from, "from")?, terms: SplitTerms { roles, remainder_to, return_order } })
    }

    fn show(of: &SetSplitPlan) -> Self {
        Self {
            name: of.name.clone(),
            from: date_text(of.from),
            roles: of.terms.roles.iter().map(WireSplitRole::show).collect(),
            remainder_to: of.terms.remainder_to.clone(),
            return_order: of.terms.return_order.clone(),
        }
    }
}

/// A version of a plan of splits, or a plan of the settings.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SplitPlanView {
    /// Of a version; none of a plan of the settings.
    #[schema(example = "spp_1")]
    id: Option<String>,
    /// As a split names it.
    #[schema(example = "agent_network")]
    name: String,
    /// The first accounting day on which it holds, until a later version does; none of a plan of the settings.
    #[schema(example = "2026-04-01")]
    from: Option<String>,
    /// Whether a split of today that names it goes by it.
    in_force: bool,
    /// What each role gets; together 1,000,000 millionths.
    roles: Vec<WireSplitRole>,
    /// The role whose merchant gets what rounding leaves, and the rates of roles that nobody had.
    #[schema(example = "closing")]
    remainder_to: String,
    /// The roles in the order in which a refund takes their parts back; the last part first if empty.
    return_order: Vec<String>,
    set_at: Option<String>,
    /// Who proposed it.
    operator: Option<String>,
    approver: Option<String>,
}

impl SplitPlanView {
    fn of(name: &str, terms: &SplitTerms, in_force: bool) -> Self {
        Self {
            id: None,
            name: name.to_owned(),
            from: None,
            in_force,
            roles: terms.roles.iter().map(WireSplitRole::show).collect(),
            remainder_to: terms.remainder_to.clone(),
            return_order: terms.return_order.clone(),
            set_at: None,
            operator: None,
            approver: None,
        }
    }

    fn version(plan: &SplitPlan, in_force: bool) -> Self {
        Self {
            id: Some(plan.id.to_string()),
            from: Some(date_text(plan.from)),
            set_at: Some(time_text(plan.set_at)),
            operator: Some(plan.set_by.clone()),
            approver: plan.approver.clone(),
            ..Self::of(&plan.name, &plan.terms, in_force)
        }
    }
}

/// Every plan of splits.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SplitPlansView {
    /// Those of the settings, then versions, oldest first.
    data: Vec<SplitPlanView>,
}

impl SplitPlansView {
    fn of(state: &domain::State, settings: &[SettingsPlan]) -> Self {
        let in_force = |name: &str| state.days.current().and_then(|today| state.split_plan_on(name, today));
        let of_settings =
            settings.iter().map(|plan| SplitPlanView::of(&plan.name, &plan.terms, in_force(&plan.name).is_none()));
        let versions = state.split_plans.iter().map(|plan| {
            let holds = in_force(&plan.name).is_some_and(|version| version.id == plan.id);
            SplitPlanView::version(plan, holds)
        });
        Self { data: of_settings.chain(versions).collect() }
    }
}

/// List the plans of splits
///
/// What `plan` of a split names, and which roles it may fill: plans of the platform's settings, and the versions that two people set by
/// an approval of kind `split_plan`. A version takes over from its day on.
#[utoipa::path(get, path = "/v1/split-plans", tag = "split", responses((status = OK, body = SplitPlansView)))]
pub(crate) async fn plans(State(app): State<App>, _: Caller) -> Answered<SplitPlansView> {
    let settings = app.split_plans.clone();
    app.look(move |state| Ok(SplitPlansView::of(state, &settings))).await
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

    #[test]
    fn a_plan_of_the_settings_is_found_by_its_name() {
        let plan: SettingsPlan = toml::from_str(NETWORK).unwrap();
        let terms = of_settings(&[plan], "agent_network").unwrap();
        assert_eq!((terms.roles.len(), terms.remainder_to.as_str()), (4, "closing"));
        assert_eq!(terms.return_order, ["closing", "listing"]);
        let plan: SettingsPlan = toml::from_str(NETWORK).unwrap();
        assert!(of_settings(&[plan], "other_network").is_none());
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
            let error = toml::from_str::<SettingsPlan>(&text).unwrap_err().to_string();
            assert!(error.contains(what) && error.contains("split plan agent_network"), "{what}: {error}");
        }
    }
}
