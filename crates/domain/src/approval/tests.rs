//! Two people: who may make, who may check, what becomes of a proposal.

use super::*;
use crate::account::Owner;
use crate::book::Subject;
use crate::command::Command;
use crate::freeze::{FreezeStatus, ReleaseFreeze};
use crate::ids::FreezeId;
use crate::money::Minor;
use crate::operator::OperatorCommand;
use crate::testkit::{Kit, court};
use alloc::string::ToString;
use alloc::vec;

/// People, and a freeze of 200 on an account of 300.
fn world() -> (Kit, FreezeId) {
    let mut kit = Kit::new();
    kit.people();
    let user = kit.user();
    let account = kit.account(Subject::Personal, Owner::User(user));
    kit.fund(account, 300);
    let place = Command::PlaceFreeze(court(account, 200));
    let Reply::Freeze(id) = kit.given(place) else { panic!("a freeze was placed") };
    (kit, id)
}

fn release(freeze: FreezeId, amount: Option<Minor>) -> Proposal {
    let (authority, document) = ("district court".to_string(), "2026-0002".to_string());
    Proposal::ReleaseFreeze(ReleaseFreeze { freeze, authority, amount, document, group: false })
}

fn approve(approval: ApprovalId, totp_step: u64) -> Command {
    Command::Approval(ApprovalCommand::Approve { approval, totp_step, remark: None })
}

fn reject(approval: ApprovalId) -> Command {
    Command::Approval(ApprovalCommand::Reject { approval, remark: "not so".to_string() })
}

fn withdraw(approval: ApprovalId) -> Command {
    Command::Approval(ApprovalCommand::Withdraw(approval))
}

fn register(login: &str) -> Proposal {
    Proposal::Operator(OperatorCommand::Register { login: login.to_string(), roles: vec![Role::Auditor] })
}

#[track_caller]
fn status(kit: &Kit, id: ApprovalId) -> ApprovalStatus {
    kit.state.approval(id).unwrap().status
}

#[test]
fn one_proposes_another_approves_and_it_is_done_at_once() {
    let (mut kit, freeze) = world();
    let evidence =
        Evidence { name: "ruling.pdf".to_string(), algorithm: DigestAlgorithm::Sm3, digest: ByteArray::from([7; 32]) };
    let proposed_at = kit.now;
    let Ok(Reply::Approval(id)) = kit.when_proposed_with("risk-1", release(freeze, Some(150)), Some(evidence.clone()))
    else {
        panic!("it was proposed")
    };
    let row = kit.state.approval(id).unwrap();
    assert_eq!(
        (row.status, row.maker, row.evidence.as_ref()),
        (ApprovalStatus::Pending, kit.operator("risk-1"), Some(&evidence))
    );
    assert_eq!((row.created_at, row.expires_at), (proposed_at, proposed_at.plus_ms(7 * 24 * 3_600_000)));
    assert_eq!(kit.state.freeze(freeze).unwrap().frozen(), 200, "a proposal does nothing");
    kit.restore();
    kit.later(60_000);
    let remark = Some("seen".to_string());
    kit.when_by("risk-2", Command::Approval(ApprovalCommand::Approve { approval: id, totp_step: 9, remark })).unwrap();
    kit.restore();
    let row = kit.state.approval(id).unwrap();
    assert_eq!((row.status, row.checker), (ApprovalStatus::Approved, Some(kit.operator("risk-2"))));
    assert_eq!((row.decided_at, row.remark.as_deref()), (Some(kit.now), Some("seen")));
    assert_eq!(row.outcome, Some(Reply::Freeze(freeze)));
    assert_eq!(row.allowed_actions(), [""; 0]);
    assert_eq!(kit.state.freeze(freeze).unwrap().frozen(), 50);
}

#[test]
fn maker_and_checker_are_two_people() {
    let (mut kit, freeze) = world();
    let id = kit.proposed("risk-1", release(freeze, None));
    kit.refused_by("risk-1", approve(id, 1), RefusalCode::SamePerson);
    kit.refused_by("risk-1", reject(id), RefusalCode::SamePerson);
    assert_eq!(status(&kit, id), ApprovalStatus::Pending);
    kit.checked("risk-2", id);
}

#[test]
fn each_kind_asks_for_its_roles_of_both() {
    let (mut kit, freeze) = world();
    for maker in ["administrator-1", "accountant-1", "treasurer-1"] {
        assert_eq!(Kit::code(kit.when_proposed(maker, release(freeze, None))), RefusalCode::RoleMissing);
    }
    let id = kit.proposed("risk-1", release(freeze, None));
    for checker in ["administrator-1", "accountant-1", "treasurer-1"] {
        kit.refused_by(checker, approve(id, 1), RefusalCode::RoleMissing);
        kit.refused_by(checker, reject(id), RefusalCode::RoleMissing);
    }
    assert_eq!(Kit::code(kit.when_proposed("risk-1", register("clerk"))), RefusalCode::RoleMissing);
}

#[test]
fn programs_and_strangers_neither_make_nor_check() {
    let (mut kit, freeze) = world();
    let id = kit.proposed("risk-1", release(freeze, None));
    for login in ["operator", "nobody", "maker"] {
        assert_eq!(Kit::code(kit.when_proposed(login, release(freeze, None))), RefusalCode::NotAnOperator);
        for command in [approve(id, 1), reject(id), withdraw(id)] {
            kit.refused_by(login, command, RefusalCode::NotAnOperator);
        }
    }
}

#[test]
fn a_suspended_operator_decides_nothing_and_its_proposals_wait() {
    let (mut kit, freeze) = world();
    let id = kit.proposed("risk-1", release(freeze, None));
    let suspend = |kit: &Kit, login: &str| Proposal::Operator(OperatorCommand::Suspend(kit.operator(login)));
    let of_checker = suspend(&kit, "risk-2");
    kit.decided("administrator", of_checker);
    kit.refused_by("risk-2", approve(id, 1), RefusalCode::OperatorState);
    let resume = Proposal::Operator(OperatorCommand::Resume(kit.operator("risk-2")));
    kit.decided("administrator", resume);
    let of_maker = suspend(&kit, "risk-1");
    kit.decided("administrator", of_maker);
    kit.refused_by("risk-2", approve(id, 1), RefusalCode::OperatorState);
    kit.refused_by("risk-1", withdraw(id), RefusalCode::OperatorState);
    assert_eq!(Kit::code(kit.when_proposed("risk-1", release(freeze, None))), RefusalCode::OperatorState);
    kit.when_by("risk-2", reject(id)).unwrap();
}

#[test]
fn a_maker_who_lost_the_role_is_no_maker_any_more() {
    let (mut kit, freeze) = world();
    let id = kit.proposed("risk-1", release(freeze, None));
    let operator = kit.operator("risk-1");
    let change = OperatorCommand::ChangeRoles { operator, roles: vec![Role::Auditor] };
    kit.decided("administrator", Proposal::Operator(change));
    kit.refused_by("risk-2", approve(id, 1), RefusalCode::RoleMissing);
    assert_eq!(kit.state.freeze(freeze).unwrap().frozen(), 200);
}

#[test]
fn a_code_is_used_once_and_older_ones_never_again() {
    let (mut kit, freeze) = world();
    let first = kit.proposed("risk-1", release(freeze, Some(50)));
    let second = kit.proposed("risk-1", release(freeze, Some(60)));
    kit.when_by("risk-2", approve(first, 1_000)).unwrap();
    kit.restore();
    for step in [1_000, 999, 0] {
        kit.refused_by("risk-2", approve(second, step), RefusalCode::TotpReplayed);
    }
    assert_eq!(kit.state.freeze(freeze).unwrap().frozen(), 150);
    kit.when_by("risk-2", approve(second, 1_001)).unwrap();
    assert_eq!(kit.state.operator(kit.operator("risk-2")).unwrap().last_totp_step, 1_001);
    assert_eq!(kit.state.operator(kit.operator("risk-1")).unwrap().last_totp_step, 0, "the maker's code is not used");
}

#[test]
fn nobody_checks_a_change_of_their_own_rights() {
    let mut kit = Kit::new();
    kit.people();
    let own = kit.operator("administrator-2");
    let roles = vec![Role::Administrator, Role::Risk];
    let change = Proposal::Operator(OperatorCommand::ChangeRoles { operator: own, roles });
    let id = kit.proposed("administrator-1", change.clone());
    kit.refused_by("administrator-2", approve(id, 100), RefusalCode::SamePerson);
    let id = kit.proposed("administrator-2", change);
    kit.checked("administrator-1", id);
    assert!(kit.state.operator(own).unwrap().roles.contains(&Role::Risk));
}

#[test]
fn a_rejected_or_withdrawn_proposal_stays_so() {
    let (mut kit, freeze) = world();
    let rejected = kit.proposed("risk-1", release(freeze, None));
    kit.when_by("risk-2", reject(rejected)).unwrap();
    let withdrawn = kit.proposed("risk-1", release(freeze, None));
    kit.refused_by("risk-2", withdraw(withdrawn), RefusalCode::NotTheMaker);
    kit.when_by("risk-1", withdraw(withdrawn)).unwrap();
    kit.restore();
    assert_eq!(
        (status(&kit, rejected), status(&kit, withdrawn)),
        (ApprovalStatus::Rejected, ApprovalStatus::Withdrawn)
    );
    assert_eq!(kit.state.approval(rejected).unwrap().remark.as_deref(), Some("not so"));
    for id in [rejected, withdrawn] {
        kit.refused_by("risk-2", approve(id, 9), RefusalCode::ApprovalState);
        kit.refused_by("risk-2", reject(id), RefusalCode::ApprovalState);
        kit.refused_by("risk-1", withdraw(id), RefusalCode::ApprovalState);
    }
    assert_eq!(kit.state.freeze(freeze).unwrap().status, FreezeStatus::InForce);
    assert!(kit.state.timers.is_empty());
}

#[test]
fn a_proposal_lapses_after_seven_days_and_not_before() {
    let (mut kit, freeze) = world();
    let id = kit.proposed("risk-1", release(freeze, None));
    kit.later(LIFETIME_MS - 1);
    kit.given(Command::Tick);
    assert_eq!(status(&kit, id), ApprovalStatus::Pending);
    kit.restore();
    kit.later(1);
    // The tick has not come yet, and it is late all the same.
    for (login, command) in [("risk-2", approve(id, 1)), ("risk-2", reject(id)), ("risk-1", withdraw(id))] {
        kit.refused_by(login, command, RefusalCode::ApprovalExpired);
    }
    kit.given(Command::Tick);
    let row = kit.state.approval(id).unwrap();
    assert_eq!((row.status, row.decided_at), (ApprovalStatus::Expired, Some(kit.now)));
    kit.refused_by("risk-2", approve(id, 1), RefusalCode::ApprovalState);
    kit.restore();
}

#[test]
fn what_would_be_refused_now_is_refused_to_its_maker_and_leaves_nothing() {
    let (mut kit, freeze) = world();
    let position = kit.state.position;
    assert_eq!(Kit::code(kit.when_proposed("risk-1", release(freeze, Some(201)))), RefusalCode::ValueInvalid);
    assert_eq!(Kit::code(kit.when_proposed("risk-1", release(FreezeId(9), None))), RefusalCode::FreezeUnknown);
    assert_eq!(kit.state.position, position);
    kit.proposed("risk-1", release(freeze, None));
    assert_eq!(kit.state.position, position + 1, "the trial took no position");
    assert_eq!(kit.state.freeze(freeze).unwrap().frozen(), 200);
}

#[test]
fn a_world_that_changed_meanwhile_refuses_and_the_proposal_stays_pending() {
    let (mut kit, freeze) = world();
    let all = kit.proposed("risk-1", release(freeze, Some(200)));
    let part = kit.proposed("risk-1", release(freeze, Some(150)));
    kit.checked("risk-2", part);
    let step = kit.state.operator(kit.operator("risk-2")).unwrap().last_totp_step;
    kit.refused_by("risk-2", approve(all, step + 1), RefusalCode::ValueInvalid);
    assert_eq!(status(&kit, all), ApprovalStatus::Pending);
    let kept = kit.state.operator(kit.operator("risk-2")).unwrap().last_totp_step;
    assert_eq!(kept, step, "a refusal uses no code up");
    kit.when_by("risk-2", reject(all)).unwrap();
}

#[test]
fn of_two_who_approve_at_once_one_does() {
    let (mut kit, freeze) = world();
    let third = OperatorCommand::Register { login: "risk-3".to_string(), roles: vec![Role::Risk] };
    kit.decided("administrator", Proposal::Operator(third));
    let id = kit.proposed("risk-1", release(freeze, Some(50)));
    kit.checked("risk-2", id);
    kit.refused_by("risk-3", approve(id, 1), RefusalCode::ApprovalState);
    assert_eq!(kit.state.freeze(freeze).unwrap().frozen(), 150, "released once");
}

#[test]
fn a_guarded_step_is_done_for_its_own_approval_alone() {
    let (mut kit, freeze) = world();
    let id = kit.proposed("risk-1", release(freeze, None));
    kit.checked("risk-2", id);
    // What an approval let through opens nothing for the next command.
    let direct = Command::Operator(OperatorCommand::Suspend(kit.operator("risk-1")));
    kit.refused_by("risk-2", direct, RefusalCode::ApprovalRequired);
}

#[test]
fn bad_input_is_refused() {
    let (mut kit, freeze) = world();
    let with = |reason: &str, evidence| {
        let (reason, proposal) = (reason.to_string(), release(freeze, None));
        Command::Approval(ApprovalCommand::Propose(Box::new(Propose { proposal, reason, evidence })))
    };
    let unnamed =
        Evidence { name: String::new(), algorithm: DigestAlgorithm::Sha256, digest: ByteArray::from([0; 32]) };
    for command in [with("", None), with(" ", None), with(&"x".repeat(513), None), with("why", Some(unnamed))] {
        kit.refused_by("risk-1", command, RefusalCode::ValueInvalid);
    }
    for command in [approve(ApprovalId(9), 1), reject(ApprovalId(9)), withdraw(ApprovalId(9))] {
        kit.refused_by("risk-2", command, RefusalCode::ApprovalUnknown);
    }
    let id = kit.proposed("risk-1", release(freeze, None));
    let blank = Some(" ".to_string());
    let approve = ApprovalCommand::Approve { approval: id, totp_step: 1, remark: blank };
    let reject = ApprovalCommand::Reject { approval: id, remark: String::new() };
    for command in [approve, reject] {
        kit.refused_by("risk-2", Command::Approval(command), RefusalCode::ValueInvalid);
    }
}

#[test]
fn every_kind_of_proposal_has_a_name_of_its_own() {
    let mut names = Proposal::KINDS.to_vec();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Proposal::KINDS.len());
    assert_eq!(DigestAlgorithm::Sha256.name(), "SHA-256");
}
