//! Weights of sites: two people set them, one takes them back, and what was in force is in force again.

use alloc::vec;

use super::*;
use crate::approval::Proposal;
use crate::testkit::Kit;

fn weights(all: &[(&str, u32)]) -> Vec<SiteWeight> {
    all.iter().map(|(site, weight)| SiteWeight { site: String::from(*site), weight: *weight }).collect()
}

fn set(all: &[(&str, u32)]) -> SetSiteWeights {
    SetSiteWeights { rail: Rail::Epcc, weights: weights(all), channel: None }
}

fn undo(version: u64) -> Command {
    Command::SiteWeight(SiteWeightCommand::Undo { channel: Rail::Epcc.into(), version })
}

fn in_force(kit: &Kit) -> Option<(u64, Vec<SiteWeight>)> {
    kit.state.site_weights_of(&Rail::Epcc.into()).map(|newest| (newest.version, newest.weights.clone()))
}

#[test]
fn two_people_set_a_version_and_the_newest_is_in_force() {
    let mut kit = Kit::new();
    kit.people();
    kit.refused(set(&[("bj", 8), ("sh", 1)]).command(), RefusalCode::ApprovalRequired);
    let refused = kit.when_proposed("accountant-1", Proposal::SiteWeights(set(&[("bj", 1)])));
    assert_eq!(Kit::code(refused), RefusalCode::RoleMissing);
    let Reply::SiteWeights(id) = kit.decided("treasurer", Proposal::SiteWeights(set(&[("bj", 8), ("sh", 1)]))) else {
        panic!("weights were set")
    };
    let version = kit.state.site_weights.get(id.0).unwrap().clone();
    assert_eq!((version.version, version.undoes), (1, None));
    assert_eq!((version.set_by.as_str(), version.approver.as_deref()), ("treasurer-1", Some("treasurer-2")));
    kit.decided("treasurer", Proposal::SiteWeights(set(&[("bj", 1), ("sh", 8)])));
    kit.restore();
    assert_eq!(in_force(&kit), Some((2, weights(&[("bj", 1), ("sh", 8)]))));
    assert_eq!(kit.state.site_weights_of(&Rail::Fund.into()), None, "another channel");
}

#[test]
fn channels_of_one_rail_have_versions_of_their_own() {
    let mut kit = Kit::new();
    kit.people();
    let further = |word: &str, all: &[(&str, u32)]| SetSiteWeights { channel: Some(String::from(word)), ..set(all) };
    kit.decided("treasurer", Proposal::SiteWeights(set(&[("bj", 8)])));
    kit.decided("treasurer", Proposal::SiteWeights(further("b", &[("bj", 3)])));
    kit.restore();
    let name = ChannelName::parse("epcc_b").unwrap();
    let newest = kit.state.site_weights_of(&name).unwrap();
    assert_eq!((newest.version, newest.weights.clone()), (1, weights(&[("bj", 3)])));
    assert_eq!(in_force(&kit), Some((1, weights(&[("bj", 8)]))));
    kit.given(Command::SiteWeight(SiteWeightCommand::Undo { channel: name.clone(), version: 1 }));
    assert!(kit.state.site_weights_of(&name).unwrap().weights.is_empty(), "those of the settings");
    assert_eq!(in_force(&kit), Some((1, weights(&[("bj", 8)]))), "the first's are as they were");
    let refused = kit.when_approved(further("B", &[("bj", 1)]).command()).unwrap_err();
    assert_eq!(refused.code, RefusalCode::ValueInvalid);
}

#[test]
fn one_person_takes_the_newest_back_and_what_stood_before_is_in_force_again() {
    let mut kit = Kit::new();
    kit.people();
    kit.refused(undo(1), RefusalCode::ValueInvalid);
    kit.decided("treasurer", Proposal::SiteWeights(set(&[("bj", 8), ("sh", 1)])));
    kit.decided("treasurer", Proposal::SiteWeights(set(&[("bj", 0), ("sh", 1)])));
    kit.refused(undo(1), RefusalCode::ValueInvalid);
    kit.given(undo(2));
    assert_eq!(in_force(&kit), Some((3, weights(&[("bj", 8), ("sh", 1)]))));
    assert_eq!(kit.state.site_weights_of(&Rail::Epcc.into()).unwrap().undoes, Some(2));
    // Said twice, it is done once.
    kit.refused(undo(2), RefusalCode::ValueInvalid);
    kit.given(undo(3));
    assert_eq!(in_force(&kit), Some((4, weights(&[("bj", 0), ("sh", 1)]))), "an undo is undone like any other");
}

#[test]
fn the_first_version_taken_back_leaves_the_settings() {
    let mut kit = Kit::new();
    kit.people();
    kit.decided("treasurer", Proposal::SiteWeights(set(&[("bj", 8)])));
    kit.given(undo(1));
    assert_eq!(in_force(&kit), Some((2, vec![])));
}

#[test]
fn weights_that_cannot_be_are_refused() {
    let mut kit = Kit::new();
    let long = "a".repeat(MAX_NAME + 1);
    let many: Vec<_> = (0..=MAX_SITES).map(|number| SiteWeight { site: format!("s{number}"), weight: 1 }).collect();
    let table = [
        vec![],
        many,
        weights(&[("bj", 0), ("sh", 0)]),
        weights(&[("bj", MAX_WEIGHT + 1)]),
        weights(&[("bj", 1), ("bj", 2)]),
        weights(&[("Bei jing", 1)]),
        weights(&[("", 1)]),
        weights(&[(long.as_str(), 1)]),
    ];
    for weights in table {
        let command = SetSiteWeights { rail: Rail::Epcc, weights, channel: None }.command();
        let what = format!("{command:?}");
        assert_eq!(kit.when_approved(command).unwrap_err().code, RefusalCode::ValueInvalid, "{what}");
    }
}
