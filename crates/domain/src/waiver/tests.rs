//! Waivers: two people, one run, just this break.

use super::*;
use crate::account::Owner;
use crate::approval::{DigestAlgorithm, Evidence, Proposal};
use crate::book::{Side, Subject};
use crate::business_day::CheckResult;
use crate::checks;
use crate::command::Command;
use crate::manual_voucher::{Adjustment, ManualVoucher, TemplateCommand, TemplateLine};
use crate::money::Currency;
use crate::testkit::{Kit, date};
use crate::voucher::{Entry, EventCode};
use alloc::string::ToString;
use alloc::vec;

const D: &str = "2026-03-05";

/// A day that failed `breaks` at the position that is given back.
fn failed(breaks: &[&str]) -> (Kit, u64) {
    let mut kit = Kit::new();
    kit.people();
    kit.given(Command::CutDay { next: None });
    let position = seal(&mut kit);
    close(&mut kit, position, breaks, "off by 5");
    (kit, position)
}

fn seal(kit: &mut Kit) -> u64 {
    kit.given(Command::SealDay(date(D)));
    kit.state.days.get(date(D)).unwrap().sealed.unwrap()
}

/// Says that every check holds but these, for this reason.
fn run(kit: &Kit, breaks: &[&str], detail: &str) -> Vec<CheckResult> {
    let mut checks = checks::run(&kit.state, date(D));
    for check in checks.iter_mut().filter(|check| breaks.contains(&check.name.as_str())) {
        (check.holds, check.detail) = (false, detail.to_string());
    }
    checks
}

fn close(kit: &mut Kit, position: u64, breaks: &[&str], detail: &str) {
    let checks = run(kit, breaks, detail);
    kit.given(Command::CloseDay { date: date(D), position, checks });
}

fn waive(position: u64, checks: &[&str]) -> Proposal {
    let checks = checks.iter().map(ToString::to_string).collect();
    Proposal::CheckWaiver(WaiveChecks { date: date(D), position, checks })
}

fn status(kit: &Kit) -> (DayStatus, Option<u64>) {
    let day = kit.state.days.get(date(D)).unwrap();
    (day.status, day.sealed)
}

#[test]
fn a_waived_break_lets_the_day_close_at_the_same_seal_and_is_kept_with_its_approval() {
    let (mut kit, position) = failed(&["holds"]);
    assert!(kit.state.has_break());
    assert_eq!(status(&kit), (DayStatus::Cutting, None));
    assert_eq!(kit.decided("accountant", waive(position, &["holds"])), Reply::Day(date(D)));
    kit.restore();
    assert!(!kit.state.has_break());
    assert_eq!(status(&kit), (DayStatus::Cutting, Some(position)));
    close(&mut kit, position, &["holds"], "off by 5");
    let day = kit.state.days.get(date(D)).unwrap();
    assert_eq!(day.status, DayStatus::Closed);
    let approval = kit.state.approvals.iter().last().unwrap().1.id;
    for check in &day.checks {
        let (holds, waived) = (check.name != "holds", (check.name == "holds").then_some(approval));
        assert_eq!((check.holds, check.waived), (holds, waived), "{}", check.name);
    }
    assert!(!kit.state.has_break(), "a closed day is behind us");
    kit.restore();
}

#[test]
fn every_break_needs_its_waiver() {
    let (mut kit, position) = failed(&["holds", "cover"]);
    kit.decided("accountant", waive(position, &["holds"]));
    assert!(kit.state.has_break());
    close(&mut kit, position, &["holds", "cover"], "off by 5");
    assert_eq!(status(&kit), (DayStatus::Cutting, None));
    kit.decided("accountant", waive(position, &["cover"]));
    close(&mut kit, position, &["holds", "cover"], "off by 5");
    assert_eq!(status(&kit).0, DayStatus::Closed);
}

#[test]
fn another_break_or_another_text_of_it_is_not_waived() {
    for (breaks, detail) in [(&["holds", "freezes"][..], "off by 5"), (&["holds"][..], "off by 500")] {
        let (mut kit, position) = failed(&["holds"]);
        kit.decided("accountant", waive(position, &["holds"]));
        close(&mut kit, position, breaks, detail);
        assert_eq!(status(&kit), (DayStatus::Cutting, None));
        assert!(kit.state.has_break());
    }
}

#[test]
fn a_waiver_is_for_one_run() {
    let (mut kit, first) = failed(&["holds"]);
    let waiting = kit.proposed("accountant-1", waive(first, &["holds"]));
    // Somebody runs the checks again meanwhile.
    let second = seal(&mut kit);
    assert_ne!(first, second);
    assert_eq!(Kit::code(kit.when_checked("accountant-2", waiting)), RefusalCode::DayState);
    close(&mut kit, second, &["holds"], "off by 5");
    assert_eq!(Kit::code(kit.when_checked("accountant-2", waiting)), RefusalCode::DayState);
    kit.decided("accountant", waive(second, &["holds"]));
    // A waived day that is sealed anew has no waiver any more.
    let third = seal(&mut kit);
    close(&mut kit, third, &["holds"], "off by 5");
    assert_eq!(status(&kit), (DayStatus::Cutting, None));
    assert!(kit.state.has_break());
}

#[test]
fn an_adjustment_leaves_a_waiver_without_effect() {
    let (mut kit, position) = failed(&["holds"]);
    let user = kit.user();
    let account = kit.account(Subject::Personal, Owner::User(user));
    let lines = [(Subject::ClearingEpcc, Side::Debit), (Subject::Personal, Side::Credit)];
    let lines = lines.map(|(subject, side)| TemplateLine { subject, side }).to_vec();
    let (code, title) = ("inflow".to_string(), "for tests".to_string());
    let template = TemplateCommand::Set { code: code.clone(), title, event: EventCode::TopUp, lines };
    kit.decided("accountant", Proposal::VoucherTemplate(template));
    kit.decided("accountant", waive(position, &["holds"]));
    let clearing = kit.state.institution(Subject::ClearingEpcc, Currency::Cny).unwrap();
    let entries = vec![Entry::debit(clearing, 5, Currency::Cny), Entry::credit(account, 5, Currency::Cny)];
    let voucher = ManualVoucher { template: code, entries, contra_of: None, dimensions: None };
    let evidence = Evidence { name: "memo".to_string(), algorithm: DigestAlgorithm::Sm3, digest: [1; 32].into() };
    let adjustment = Proposal::Adjustment(Adjustment { date: date(D), voucher });
    let Ok(Reply::Approval(id)) = kit.when_proposed_with("accountant-1", adjustment, Some(evidence)) else {
        panic!("it was proposed")
    };
    kit.checked("accountant-2", id);
    assert!(kit.state.has_break(), "the break was not looked at again");
    assert_eq!(status(&kit), (DayStatus::Cutting, None));
    let again = kit.when_proposed("accountant-1", waive(position, &["holds"]));
    assert_eq!(Kit::code(again), RefusalCode::DayState);
    let position = seal(&mut kit);
    close(&mut kit, position, &[], "");
    assert_eq!(status(&kit).0, DayStatus::Closed);
}

#[test]
fn what_did_not_fail_is_not_waived() {
    let (mut kit, position) = failed(&["holds"]);
    let Proposal::CheckWaiver(direct) = waive(position, &["holds"]) else { panic!("a waiver") };
    kit.refused(Command::WaiveChecks(direct.clone()), RefusalCode::ApprovalRequired);
    let other_day = |day: &str| Proposal::CheckWaiver(WaiveChecks { date: date(day), ..direct.clone() });
    let table = [
        (waive(position, &["cover"]), RefusalCode::WaiverMismatch),
        (waive(position, &["holds", "no such check"]), RefusalCode::WaiverMismatch),
        (waive(position, &[]), RefusalCode::ValueInvalid),
        (waive(position + 1, &["holds"]), RefusalCode::DayState),
        (other_day("2026-03-06"), RefusalCode::DayState),
        (other_day("2026-01-01"), RefusalCode::DayNotOpen),
    ];
    for (proposal, code) in table {
        let what = alloc::format!("{proposal:?}");
        assert_eq!(Kit::code(kit.when_proposed("accountant-1", proposal)), code, "{what}");
    }
    assert_eq!(Kit::code(kit.when_proposed("risk-1", waive(position, &["holds"]))), RefusalCode::RoleMissing);
    kit.decided("accountant", waive(position, &["holds"]));
    let twice = kit.when_proposed("accountant-1", waive(position, &["holds"]));
    assert_eq!(Kit::code(twice), RefusalCode::WaiverMismatch);
}
