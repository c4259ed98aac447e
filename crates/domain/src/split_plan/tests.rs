//! Plans of splits: what one may say, which version holds, and what it makes of who had which role.

use alloc::string::ToString;
use alloc::vec;

use super::*;
use crate::approval::Proposal;
use crate::command::Command;
use crate::merchant::MerchantKind;
use crate::order::ItemKind;
use crate::restore::Core;
use crate::split::{MakeSplit, Parts};
use crate::testkit::orders::card;
use crate::testkit::{Kit, date, success};

fn terms(roles: &[(&str, Minor)], remainder_to: &str, return_order: &[&str]) -> SplitTerms {
    let role = |(name, rate): &(&str, Minor)| SplitRole { name: name.to_string(), rate: *rate };
    SplitTerms {
        roles: roles.iter().map(role).collect(),
        remainder_to: remainder_to.to_string(),
        return_order: return_order.iter().map(ToString::to_string).collect(),
    }
}

fn network(from: &str) -> SetSplitPlan {
    let roles = [("listing", 300_000), ("key", 100_000), ("photos", 50_000), ("closing", 550_000)];
    SetSplitPlan { name: "network".to_string(), from: date(from), terms: terms(&roles, "closing", &["closing"]) }
}

/// All of it to one role.
fn whole(name: &str, from: &str, role: &str) -> SetSplitPlan {
    SetSplitPlan { name: name.to_string(), from: date(from), terms: terms(&[(role, RATE_WHOLE)], role, &[]) }
}

fn set(kit: &mut Kit, plan: SetSplitPlan) -> SplitPlanId {
    let Reply::SplitPlan(id) = kit.approved(Command::SetSplitPlan(plan)) else { panic!("a plan was set") };
    id
}

fn planned(name: &str, holders: &[(&str, u64)], settings: Option<SplitTerms>) -> PlannedParts {
    let holders = holders.iter().map(|(role, merchant)| (role.to_string(), MerchantId(*merchant))).collect();
    PlannedParts { name: name.to_string(), amount: 10_001, holders, settings }
}

#[test]
fn a_plan_is_filled_with_names() {
    let mut kit = Kit::new();
    let id = set(&mut kit, network("2026-03-05"));
    // One had two roles, and nobody took photos.
    let parts = planned("network", &[("listing", 4), ("key", 4), ("closing", 5)], None);
    let filled = fill(&kit.state, &parts).unwrap();
    assert_eq!(filled.rates, [(MerchantId(4), 400_000), (MerchantId(5), 600_000)]);
    assert_eq!((filled.remainder_to, filled.plan), (MerchantId(5), Some(id)));
    assert_eq!(filled.return_order, [MerchantId(5), MerchantId(4)]);
    for (wrong, told) in [(&[("listing", 4)][..], "closing"), (&[("closing", 5), ("cook", 6)][..], "cook")] {
        let refusal = fill(&kit.state, &planned("network", wrong, None)).unwrap_err();
        assert_eq!((refusal.code, &*refusal.param), (RefusalCode::SplitPlanRole, "plan.roles"));
        assert!(refusal.message.contains(told), "{refusal}");
    }
}

#[test]
fn the_settings_plan_holds_until_a_version_of_its_name_does() {
    let mut kit = Kit::new();
    let settings = || Some(terms(&[("all", RATE_WHOLE)], "all", &[]));
    let refusal = fill(&kit.state, &planned("network", &[("all", 4)], None)).unwrap_err();
    assert_eq!((refusal.code, &*refusal.param), (RefusalCode::SplitPlanUnknown, "plan.name"));

    let other = set(&mut kit, whole("other", "2026-03-05", "one"));
    let id = set(&mut kit, network("2026-03-06"));
    assert_eq!((other, id), (SplitPlanId(1), SplitPlanId(2)));
    let of_settings = fill(&kit.state, &planned("network", &[("all", 4)], settings())).unwrap();
    assert_eq!((of_settings.rates, of_settings.plan), (vec![(MerchantId(4), RATE_WHOLE)], None));
    assert!(of_settings.return_order.is_empty());

    kit.on("2026-03-06");
    let refusal = fill(&kit.state, &planned("network", &[("all", 4)], settings())).unwrap_err();
    assert_eq!(refusal.code, RefusalCode::SplitPlanRole, "the version has no such role");
    assert_eq!(fill(&kit.state, &planned("network", &[("closing", 4)], settings())).unwrap().plan, Some(id));
    assert_eq!(fill(&kit.state, &planned("other", &[("one", 4)], settings())).unwrap().plan, Some(other));
}

#[test]
fn the_version_of_the_day_holds_in_whatever_order_they_were_set() {
    let mut kit = Kit::new();
    let late = set(&mut kit, whole("network", "2026-03-10", "late"));
    let early = set(&mut kit, whole("network", "2026-03-06", "early"));
    let on = |day: &str| kit.state.split_plan_on("network", date(day)).map(|plan| plan.id);
    assert_eq!(on("2026-03-05"), None);
    assert_eq!((on("2026-03-06"), on("2026-03-09")), (Some(early), Some(early)));
    assert_eq!((on("2026-03-10"), on("2027-01-01")), (Some(late), Some(late)));
    kit.restore();
    assert_eq!(kit.state.split_plans.len(), 2);
    let core = kit.state.core();
    let bytes = minicbor::to_vec(&core).unwrap();
    assert_eq!(minicbor::decode::<Core>(&bytes).unwrap(), core);
}

#[test]
fn a_plan_that_no_split_could_go_by_is_refused() {
    let mut kit = Kit::new();
    let long = "x".repeat(65);
    let long = long.as_str();
    let many: Vec<(&str, Minor)> = vec![("a", 1); MAX_ROLES + 1];
    let (all, most) = ("all", RATE_WHOLE - 1);
    for (wrong, param) in [
        (terms(&[], all, &[]), "roles"),
        (terms(&many, "a", &[]), "roles"),
        (terms(&[(all, most)], all, &[]), "roles"),
        (terms(&[(all, most), (all, 1)], all, &[]), "roles"),
        (terms(&[(all, RATE_WHOLE), ("none", 0)], all, &[]), "roles"),
        (terms(&[(all, RATE_WHOLE + 1), ("less", -1)], all, &[]), "roles"),
        (terms(&[(long, RATE_WHOLE)], long, &[]), "roles.name"),
        (terms(&[("", RATE_WHOLE)], "", &[]), "roles.name"),
        (terms(&[(all, RATE_WHOLE)], "cook", &[]), "remainder_to"),
        (terms(&[(all, RATE_WHOLE)], all, &["cook"]), "return_order"),
    ] {
        let set = SetSplitPlan { name: "network".to_string(), from: date("2026-03-05"), terms: wrong };
        let refusal = kit.when_approved(Command::SetSplitPlan(set)).unwrap_err();
        assert_eq!((refusal.code, &*refusal.param), (RefusalCode::ValueInvalid, param), "{refusal}");
    }
    for name in ["", long] {
        let refusal = kit.when_approved(Command::SetSplitPlan(whole(name, "2026-03-05", all))).unwrap_err();
        assert_eq!((refusal.code, &*refusal.param), (RefusalCode::ValueInvalid, "name"));
    }
    assert!(kit.state.split_plans.is_empty());
}

#[test]
fn a_proposal_that_waits_is_no_version_and_names_its_two_people_once_it_is_one() {
    let mut kit = Kit::new();
    kit.people();
    let approval = kit.proposed("treasurer-1", Proposal::SplitPlan(network("2026-03-05")));
    assert!(kit.state.split_plans.is_empty(), "it was tried and taken back");
    let core = minicbor::to_vec(kit.state.core()).unwrap();
    assert_eq!(core[0], 0x88, "without plans it is the array of eight fields that an older program wrote");
    kit.checked("treasurer-2", approval);
    let [plan] = &kit.state.split_plans[..] else { panic!("one version") };
    assert_eq!(kit.state.approval(approval).unwrap().outcome, Some(Reply::SplitPlan(plan.id)));
    assert_eq!((plan.set_by.as_str(), plan.approver.as_deref()), ("treasurer-1", Some("treasurer-2")));
    assert_eq!(plan.terms, network("2026-03-05").terms);
}

#[test]
fn a_split_by_a_plan_goes_back_as_the_plan_says_unless_it_says_otherwise() {
    let mut kit = Kit::new();
    let agency = kit.merchant(MerchantKind::Agency, 0);
    let agents: Vec<MerchantId> = (0..2).map(|_| kit.merchant(MerchantKind::Agent, 0)).collect();
    agents.iter().for_each(|agent| kit.receives(agency, *agent));
    let order = kit.order(agency, &[(ItemKind::Commission, 10_000)]);
    kit.pay(order, vec![card(10_000)]);
    kit.answered(success("2026-03-05"));
    set(&mut kit, network("2026-03-05"));
    let holders: Vec<(&str, u64)> = vec![("listing", agents[0].0), ("closing", agents[1].0)];
    let mut split = |number: &str, return_order: Vec<MerchantId>| {
        let planned = PlannedParts { amount: 1_000, ..planned("network", &holders, None) };
        let (out_split_no, parts) = (number.to_string(), Parts::Plan(planned));
        let Reply::Split(id) = kit.given(Command::MakeSplit(MakeSplit { order, out_split_no, parts, return_order }))
        else {
            panic!("the reply names what was made")
        };
        kit.state.split(id).unwrap().clone()
    };
    let first = split("s-1", vec![]);
    assert_eq!((first.plan, first.return_order), (Some(SplitPlanId(1)), vec![agents[1], agents[0]]));
    assert_eq!(first.parts.iter().map(|part| part.amount).collect::<Vec<_>>(), [300, 700]);
    let second = split("s-2", agents.clone());
    assert_eq!((second.plan, second.return_order), (Some(SplitPlanId(1)), agents));
}
