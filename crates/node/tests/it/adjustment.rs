//! A voucher dated a day that was sealed, written to its file and found wanting before.

use domain::approval::{ApprovalCommand, DigestAlgorithm, Evidence, Proposal, Propose};
use domain::book::{Side, Subject};
use domain::business_day::{CheckResult, DayStatus};
use domain::ids::{AccountId, ApprovalId};
use domain::manual_voucher::{Adjustment, ManualVoucher, TemplateCommand, TemplateLine};
use domain::money::{Currency, Minor};
use domain::operator::{OperatorCommand, Role};
use domain::voucher::{Entry, EventCode};
use domain::waiver::WaiveChecks;
use domain::{Command, Reply};
use history::StatementQuery;
use node::close::{self, DaySnapshot};

use crate::world::{World, day, transfer};

/// Operators, the template `between` on 9201, 500 moved on the first day and 70 on the second.
fn books() -> (World, AccountId, AccountId) {
    let mut world = World::of("Test Pay");
    for login in ["admin-1", "admin-2"] {
        let (login, roles) = (login.into(), vec![Role::Administrator, Role::Accountant]);
        world.given(Command::Operator(OperatorCommand::Register { login, roles }));
    }
    let line = |side| TemplateLine { subject: Subject::CustodySub, side };
    let (code, title, event) = ("between".into(), "between sub-accounts".into(), EventCode::ManualVoucher);
    let lines = vec![line(Side::Debit), line(Side::Credit)];
    decided(&mut world, Proposal::VoucherTemplate(TemplateCommand::Set { code, title, event, lines }));
    let (from, to) = (world.open_account(), world.open_account());
    world.given(transfer(from, to, 500));
    world.given(Command::CutDay { next: None });
    world.given(transfer(from, to, 70));
    world.flush();
    (world, from, to)
}

/// One proposes, the other approves.
fn decided(world: &mut World, proposal: Proposal) {
    let evidence = Evidence { name: "memo".into(), algorithm: DigestAlgorithm::Sm3, digest: [5; 32].into() };
    let propose = Propose { proposal, reason: "found late".into(), evidence: Some(evidence) };
    let command = Command::Approval(ApprovalCommand::Propose(Box::new(propose)));
    let Reply::Approval(approval) = world.when_by("admin-1", command).unwrap() else { panic!("not proposed") };
    let ApprovalId(totp_step) = approval;
    let approve = ApprovalCommand::Approve { approval, totp_step, remark: None };
    world.when_by("admin-2", Command::Approval(approve)).unwrap();
    world.flush();
}

fn adjust(world: &mut World, number: i32, from: AccountId, to: AccountId, amount: Minor) {
    let entries = vec![Entry::debit(from, amount, Currency::Cny), Entry::credit(to, amount, Currency::Cny)];
    let voucher = ManualVoucher { template: "between".into(), entries, contra_of: None, dimensions: None };
    decided(world, Proposal::Adjustment(Adjustment { date: day(number), voucher }));
}

/// Seals a day, writes its file and gives what was found.
fn look(world: &mut World, number: i32) -> (DaySnapshot, CheckResult) {
    world.given(Command::SealDay(day(number)));
    world.flush();
    look_again(world, number)
}

/// As [`look`], at the seal that stands.
fn look_again(world: &mut World, number: i32) -> (DaySnapshot, CheckResult) {
    let snapshot = close::snapshot(world.engine.state(), day(number)).unwrap();
    let found = world.projector.close(&snapshot).unwrap();
    assert!(found.holds, "{}", found.detail);
    (snapshot, found)
}

/// Tries to close with what was found and a check of the test's own, which holds or does not.
fn close_with(world: &mut World, (snapshot, found): &(DaySnapshot, CheckResult), holds: bool) -> DayStatus {
    let own = CheckResult { name: "own".into(), holds, detail: "off by 30".into(), vouchers: vec![], waived: None };
    let checks = snapshot.checks.iter().chain([found, &own]).cloned().collect();
    world.given(Command::CloseDay { date: snapshot.date, position: snapshot.sealed, checks });
    world.flush();
    world.engine.state().days.get(snapshot.date).unwrap().status
}

/// The balance of an account in the end-of-day file that counts.
fn filed(world: &World, number: i32, account: AccountId) -> Minor {
    let rows = world.rows();
    let end = close::end_of_day(&rows, day(number)).expect("the day has its file");
    world.history.day_balance(end, account).unwrap().expect("the account is in the file").posted
}

/// Opening, signed lines and closing of one day's statement.
fn told(world: &World, number: i32, account: AccountId) -> (Minor, Vec<Minor>, Minor) {
    let date = day(number);
    let query = StatementQuery { account, side: Side::Credit, from: date, to: date, after: None, limit: 100 };
    let statement = world.history.statement(&query, &world.tail.snapshot(), &world.rows()).unwrap();
    let balances = statement.lines.iter().map(|line| line.balance).collect();
    (statement.opening, balances, statement.closing)
}

#[test]
fn an_adjustment_after_the_seal_is_in_its_day_in_every_later_day_and_in_the_statements() {
    let (mut world, from, to) = books();
    let first = look(&mut world, 0);
    assert_eq!(close_with(&mut world, &first, false), DayStatus::Cutting, "a check of the day fails");
    assert_eq!(filed(&world, 0, to), 500);

    adjust(&mut world, 0, from, to, 30);
    // The file of the old seal still lies there; neither statements nor the next day's check are misled by it.
    assert_eq!(told(&world, 0, to), (0, vec![500, 530], 530));
    assert_eq!(told(&world, 1, to), (530, vec![600], 600));
    world.given(Command::CutDay { next: None });
    let second = look(&mut world, 1);
    assert_eq!(filed(&world, 1, to), 600);

    let mut world = world.reopened();
    assert!(close::snapshot(world.engine.state(), day(0)).is_err(), "the seal is off");
    let first = look(&mut world, 0);
    assert_eq!(filed(&world, 0, to), 530, "EOD(D) = EOD(D - 1) + entries dated D");
    assert_eq!(close_with(&mut world, &first, true), DayStatus::Closed);
    assert_eq!(
        close_with(&mut world, &second, true),
        DayStatus::Closed,
        "sealed after the adjustment, so still sealed"
    );
    assert_eq!([0, 1].map(|number| filed(&world, number, to)), [530, 600]);
    assert_eq!((told(&world, 0, to), told(&world, 1, to)), ((0, vec![500, 530], 530), (530, vec![600], 600)));
    world.checkpoint();
    world.store_equals_state();
    for row in world.rows() {
        world.history.verify(&row).unwrap();
    }
    let world = world.reopened();
    assert_eq!(world.engine.state().account(to, "account").unwrap().balance, 600);
}

#[test]
fn an_adjustment_takes_off_the_seal_of_the_next_day_whose_file_no_longer_tells_its_end() {
    let (mut world, from, to) = books();
    world.given(Command::CutDay { next: None });
    let _first = look(&mut world, 0);
    let second = look(&mut world, 1);
    assert_eq!(filed(&world, 1, to), 570);
    adjust(&mut world, 0, from, to, 30);
    let checks = vec![second.1];
    let stale = Command::CloseDay { date: day(1), position: second.0.sealed, checks };
    assert_eq!(world.when(stale).unwrap_err().code, domain::RefusalCode::DayState);
    for number in [0, 1] {
        let found = look(&mut world, number);
        assert_eq!(close_with(&mut world, &found, true), DayStatus::Closed);
    }
    assert_eq!([0, 1].map(|number| filed(&world, number, to)), [530, 600]);
}

#[test]
fn a_waived_day_closes_at_the_seal_and_with_the_file_of_the_run_that_failed() {
    let (mut world, _, to) = books();
    let first = look(&mut world, 0);
    assert_eq!(close_with(&mut world, &first, false), DayStatus::Cutting);
    let (date, position, checks) = (day(0), first.0.sealed, vec!["own".into()]);
    decided(&mut world, Proposal::CheckWaiver(WaiveChecks { date, position, checks }));
    world.checkpoint();
    let files = world.rows();
    let mut world = world.reopened();
    let again = look_again(&mut world, 0);
    assert_eq!(again.0.sealed, first.0.sealed);
    assert_eq!(world.rows(), files, "the file of this seal is left as it was");
    assert_eq!(close_with(&mut world, &again, false), DayStatus::Closed);
    let day = world.engine.state().days.get(day(0)).unwrap();
    let waived: Vec<_> = day.checks.iter().filter(|check| check.waived.is_some()).map(|check| &check.name).collect();
    assert_eq!((waived, filed(&world, 0, to)), (vec![&"own".to_owned()], 500));
}
