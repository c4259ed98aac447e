//! Operators: the first two, then only by two people.

use super::*;
use crate::approval::Proposal;
use crate::command::Command;
use crate::testkit::Kit;
use alloc::string::ToString;
use alloc::vec;

fn register(login: &str, roles: &[Role]) -> OperatorCommand {
    OperatorCommand::Register { login: login.to_string(), roles: roles.to_vec() }
}

fn begin(kit: &mut Kit, login: &str) -> OperatorId {
    let command = Command::Operator(register(login, &[Role::Administrator]));
    let Reply::Operator(id) = kit.given(command) else { panic!("an operator was registered") };
    id
}

#[test]
fn programs_register_the_first_two_administrators_and_nobody_else() {
    let mut kit = Kit::new();
    kit.refused(Command::Operator(register("clerk", &[Role::Accountant])), RefusalCode::ApprovalRequired);
    let first = begin(&mut kit, "first");
    let (row, now) = (kit.state.operator(first).unwrap().clone(), kit.now);
    assert_eq!((row.status, row.created_at, row.totp_serial, row.last_totp_step), (OperatorStatus::Active, now, 1, 0));
    assert_eq!((row.changed_by.as_str(), row.approved_by), ("tester", None));
    // An operator is no program: one administrator alone registers nobody.
    let second = || Command::Operator(register("second", &[Role::Administrator]));
    kit.refused_by("first", second(), RefusalCode::ApprovalRequired);
    kit.given(second());
    kit.refused(Command::Operator(register("third", &[Role::Administrator])), RefusalCode::ApprovalRequired);
    kit.restore();
    assert_eq!(kit.operator("second"), OperatorId(2));
}

#[test]
fn two_administrators_register_and_change_others_and_both_names_stay() {
    let mut kit = Kit::new();
    kit.people();
    let roles = [Role::Risk, Role::Accountant, Role::Risk];
    let Reply::Operator(id) = kit.decided("administrator", Proposal::Operator(register("clerk", &roles))) else {
        panic!("an operator was registered")
    };
    let row = kit.state.operator(id).unwrap();
    assert_eq!(row.roles, [Role::Accountant, Role::Risk], "each once and in order");
    assert_eq!((row.changed_by.as_str(), row.approved_by.as_deref()), ("administrator-1", Some("administrator-2")));
    let steps = [
        OperatorCommand::ChangeRoles { operator: id, roles: vec![Role::Auditor] },
        OperatorCommand::Suspend(id),
        OperatorCommand::Resume(id),
        OperatorCommand::RenewTotp(id),
    ];
    for command in steps {
        kit.refused(Command::Operator(command.clone()), RefusalCode::ApprovalRequired);
        kit.later(1_000);
        kit.decided("administrator", Proposal::Operator(command));
        kit.restore();
    }
    let row = kit.state.operator(id).unwrap();
    assert_eq!((&row.roles[..], row.status, row.totp_serial), (&[Role::Auditor][..], OperatorStatus::Active, 2));
    assert_eq!(row.changed_at, kit.now);
}

#[test]
fn two_active_administrators_stay() {
    let mut kit = Kit::new();
    kit.people();
    let id = kit.operator("administrator-1");
    let leave =
        [OperatorCommand::Suspend(id), OperatorCommand::ChangeRoles { operator: id, roles: vec![Role::Auditor] }];
    for command in &leave {
        let refused = kit.when_proposed("administrator-2", Proposal::Operator(command.clone()));
        assert_eq!(Kit::code(refused), RefusalCode::AdministratorsTooFew);
    }
    kit.decided("administrator", Proposal::Operator(register("administrator-3", &[Role::Administrator])));
    let [suspend, _] = leave;
    let approval = kit.proposed("administrator-2", Proposal::Operator(suspend));
    kit.checked("administrator-3", approval);
    assert_eq!(kit.state.administrators(), 2);
    // The beginning does not come back.
    let again = kit.proposed("administrator-2", Proposal::Operator(register("clerk", &[Role::Risk])));
    assert_eq!(Kit::code(kit.when_checked("administrator-1", again)), RefusalCode::OperatorState);
    kit.refused(Command::Operator(register("fourth", &[Role::Administrator])), RefusalCode::ApprovalRequired);
}

#[test]
fn an_operator_must_stand_as_the_change_needs() {
    let mut kit = Kit::new();
    kit.people();
    let id = kit.operator("risk-1");
    let refused = |kit: &mut Kit, command| Kit::code(kit.when_proposed("administrator-1", Proposal::Operator(command)));
    assert_eq!(refused(&mut kit, OperatorCommand::Resume(id)), RefusalCode::OperatorState);
    assert_eq!(refused(&mut kit, OperatorCommand::Suspend(OperatorId(99))), RefusalCode::OperatorUnknown);
    kit.decided("administrator", Proposal::Operator(OperatorCommand::Suspend(id)));
    assert_eq!(refused(&mut kit, OperatorCommand::Suspend(id)), RefusalCode::OperatorState);
    let none = OperatorCommand::ChangeRoles { operator: id, roles: vec![] };
    assert_eq!(refused(&mut kit, none), RefusalCode::ValueInvalid);
}

#[test]
fn a_login_is_plain_its_own_and_no_word_of_the_platform() {
    let mut kit = Kit::new();
    let bad = ["", "ab", "Upper", "with space", "名字名", &"x".repeat(33)];
    let taken = ["operator", "timer", "channel", "serve", "executor", "usr_1", "mch_7", "opr_2"];
    for login in bad.into_iter().chain(taken) {
        kit.refused(Command::Operator(register(login, &[Role::Administrator])), RefusalCode::ValueInvalid);
    }
    for login in ["a.b", "x_1-y", &"x".repeat(32)] {
        kit.approved(Command::Operator(register(login, &[Role::Auditor])));
    }
    let taken = kit.when_approved(Command::Operator(register("a.b", &[Role::Risk])));
    assert_eq!(Kit::code(taken), RefusalCode::AlreadyExists);
}

#[test]
fn only_a_registered_active_person_acts() {
    let mut kit = Kit::new();
    kit.people();
    let acting = |kit: &Kit, actor: Actor| kit.state.acting_operator(&actor).map(|operator| operator.id);
    let named = |login: &str| Actor::Operator(login.to_string());
    assert_eq!(acting(&kit, named("risk-1")), Ok(kit.operator("risk-1")));
    for actor in [named("operator"), Actor::Timer, Actor::User(UserId(1)), Actor::Channel("risk-1".to_string())] {
        assert_eq!(acting(&kit, actor).unwrap_err().code, RefusalCode::NotAnOperator);
    }
    let suspend = OperatorCommand::Suspend(kit.operator("risk-1"));
    kit.decided("administrator", Proposal::Operator(suspend));
    assert_eq!(acting(&kit, named("risk-1")).unwrap_err().code, RefusalCode::OperatorState);
}
