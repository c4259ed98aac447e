//! Manual vouchers and adjustments: what a template allows, what none allows, and what a late voucher does to its day.

use super::*;
use crate::account::Owner;
use crate::approval::{DigestAlgorithm, Evidence, Proposal};
use crate::checks;
use crate::ids::{AccountId, SuspenseId};
use crate::restriction::Restriction;
use crate::testkit::{Kit, date};
use crate::voucher::PostVoucher;
use alloc::string::ToString;
use alloc::vec;

const D: &str = "2026-03-05";
const NEXT: &str = "2026-03-06";
const CNY: Currency = Currency::Cny;

fn line(subject: Subject, side: Side) -> TemplateLine {
    TemplateLine { subject, side }
}

fn set(code: &str, lines: Vec<TemplateLine>) -> Proposal {
    let (code, title) = (code.to_string(), "for tests".to_string());
    Proposal::VoucherTemplate(TemplateCommand::Set { code, title, event: EventCode::ManualVoucher, lines })
}

fn evidence() -> Option<Evidence> {
    let digest = [9; 32].into();
    Some(Evidence { name: "memo.pdf".to_string(), algorithm: DigestAlgorithm::Sha256, digest })
}

struct World {
    kit: Kit,
    a: AccountId,
    b: AccountId,
}

/// 1,000 on one of two personal accounts, and the template `between` from 2201 to 2201.
fn world() -> World {
    let mut kit = Kit::new();
    kit.people();
    let user = kit.user();
    let [a, b] = [(); 2].map(|()| kit.account(Subject::Personal, Owner::User(user)));
    kit.fund(a, 1_000);
    kit.decided(
        "accountant",
        set("between", vec![line(Subject::Personal, Side::Debit), line(Subject::Personal, Side::Credit)]),
    );
    World { kit, a, b }
}

impl World {
    fn own(&self, subject: Subject) -> AccountId {
        self.kit.state.institution(subject, CNY).unwrap()
    }

    fn template(&mut self, code: &str, lines: &[(Subject, Side)]) {
        let lines = lines.iter().map(|(subject, side)| line(*subject, *side)).collect();
        self.kit.decided("accountant", set(code, lines));
    }

    /// Proposes, and approves if that was let through.
    fn posts(&mut self, proposal: Proposal) -> Result<VoucherId, RefusalCode> {
        let proposed = self.kit.when_proposed_with("accountant-1", proposal, evidence());
        let Reply::Approval(id) = proposed.map_err(|refusal| refusal.code)? else { panic!("it was proposed") };
        self.kit.checked("accountant-2", id);
        match self.kit.state.approval(id).unwrap().outcome {
            Some(Reply::Voucher(voucher)) => Ok(voucher),
            ref other => panic!("{other:?} in place of a voucher"),
        }
    }

    /// Moves money between the two by a transfer of the caller's own words.
    fn transfer(&mut self, from: AccountId, to: AccountId, amount: Minor) {
        self.kit.given(Command::PostVoucher(PostVoucher {
            business: BusinessNumber::Text("t".into()),
            event: EventCode::Transfer,
            date: None,
            entries: pair(from, to, amount),
            dimensions: None,
        }));
    }

    fn closing(&self, account: AccountId, day: &str) -> Minor {
        self.kit.state.days.closing(self.kit.state.account(account, "account").unwrap(), date(day)).unwrap()
    }

    fn sealed(&self, day: &str) -> Option<u64> {
        self.kit.state.days.get(date(day)).unwrap().sealed
    }
}

fn pair(debit: AccountId, credit: AccountId, amount: Minor) -> Vec<Entry> {
    vec![Entry::debit(debit, amount, CNY), Entry::credit(credit, amount, CNY)]
}

fn by(template: &str, entries: Vec<Entry>) -> ManualVoucher {
    ManualVoucher { template: template.to_string(), entries, contra_of: None, dimensions: None }
}

fn adjust(day: &str, voucher: ManualVoucher) -> Proposal {
    Proposal::Adjustment(Adjustment { date: date(day), voucher })
}

#[test]
fn a_manual_voucher_is_posted_for_its_approval_and_names_it() {
    let mut world = world();
    let (a, b) = (world.a, world.b);
    let voucher = world.posts(Proposal::ManualVoucher(by("between", pair(a, b, 300)))).unwrap();
    assert_eq!(world.kit.last_voucher(), [(a, Side::Debit, 300), (b, Side::Credit, 300)]);
    let posted = world.kit.posted().last().unwrap().clone();
    let approval = world.kit.state.approvals.iter().last().unwrap().1;
    assert_eq!(posted.business.to_string(), approval.id.to_string());
    assert_eq!((posted.event, posted.date, posted.contra_of), (EventCode::ManualVoucher, date(D), None));
    assert_eq!(approval.outcome, Some(Reply::Voucher(voucher)));

    let undo = ManualVoucher { contra_of: Some(voucher), ..by("between", pair(b, a, 300)) };
    world.posts(Proposal::ManualVoucher(undo)).unwrap();
    assert_eq!(world.kit.posted().last().unwrap().contra_of, Some(voucher));
    assert_eq!((world.kit.balance(a), world.kit.balance(b)), (1_000, 0));
    world.kit.restore();
}

#[test]
fn without_two_people_and_evidence_nothing_is_posted_by_hand() {
    let mut world = world();
    let voucher = by("between", pair(world.a, world.b, 300));
    world.kit.refused(voucher.clone().into(), RefusalCode::ApprovalRequired);
    let adjustment = Adjustment { date: date(D), voucher: voucher.clone() };
    world.kit.given(Command::CutDay { next: None });
    world.kit.refused(adjustment.clone().into(), RefusalCode::ApprovalRequired);
    for proposal in [Proposal::ManualVoucher(voucher), Proposal::Adjustment(adjustment)] {
        let refused = world.kit.when_proposed("accountant-1", proposal.clone());
        assert_eq!(Kit::code(refused), RefusalCode::EvidenceRequired);
        let refused = world.kit.when_proposed_with("risk-1", proposal, evidence());
        assert_eq!(Kit::code(refused), RefusalCode::RoleMissing);
    }
    let lines = vec![line(Subject::Personal, Side::Debit), line(Subject::Personal, Side::Credit)];
    let Proposal::VoucherTemplate(template) = set("alone", lines) else { panic!("a template") };
    world.kit.refused(template.into(), RefusalCode::ApprovalRequired);
    world.kit.refused(TemplateCommand::Retire(TemplateId(1)).into(), RefusalCode::ApprovalRequired);
}

#[test]
fn a_template_says_which_side_of_which_subject() {
    let mut world = world();
    let (a, b, clearing) = (world.a, world.b, world.own(Subject::ClearingEpcc));
    world.template("inflow", &[(Subject::ClearingEpcc, Side::Debit), (Subject::Personal, Side::Credit)]);
    let voucher = |template: &str, debit, credit| Proposal::ManualVoucher(by(template, pair(debit, credit, 5)));
    assert!(world.posts(voucher("inflow", clearing, a)).is_ok());
    let table = [
        (voucher("inflow", a, clearing), RefusalCode::TemplateMismatch),
        (voucher("inflow", a, b), RefusalCode::TemplateMismatch),
        (voucher("between", clearing, a), RefusalCode::TemplateMismatch),
        (voucher("nowhere", a, b), RefusalCode::TemplateUnknown),
        (Proposal::ManualVoucher(by("between", pair(a, b, 0))), RefusalCode::AmountNotPositive),
        (Proposal::ManualVoucher(by("between", pair(a, b, 9_999))), RefusalCode::InsufficientFunds),
        (Proposal::ManualVoucher(by("between", vec![])), RefusalCode::VoucherTooShort),
        (Proposal::ManualVoucher(by("between", pair(a, AccountId(999), 1))), RefusalCode::AccountUnknown),
        (
            Proposal::ManualVoucher(ManualVoucher {
                contra_of: Some(VoucherId(999_999)),
                ..by("between", pair(a, b, 1))
            }),
            RefusalCode::ValueInvalid,
        ),
    ];
    for (proposal, code) in table {
        let what = format!("{proposal:?}");
        assert_eq!(world.posts(proposal), Err(code), "{what}");
    }
}

#[test]
fn a_template_is_replaced_by_its_code_and_retired() {
    let mut world = world();
    let id = *world.kit.state.template_codes.get("between").unwrap();
    world.template("between", &[(Subject::Personal, Side::Credit), (Subject::ClearingEpcc, Side::Debit)]);
    let row = world.kit.state.voucher_template(id).unwrap();
    assert_eq!(row.lines, [line(Subject::ClearingEpcc, Side::Debit), line(Subject::Personal, Side::Credit)]);
    assert_eq!((row.changed_by.as_str(), row.approved_by.as_deref()), ("accountant-1", Some("accountant-2")));
    assert_eq!(world.kit.state.voucher_templates.iter().count(), 1);
    world.kit.decided("accountant", Proposal::VoucherTemplate(TemplateCommand::Retire(id)));
    world.kit.restore();
    let entries = pair(world.own(Subject::ClearingEpcc), world.a, 1);
    assert_eq!(world.posts(Proposal::ManualVoucher(by("between", entries.clone()))), Err(RefusalCode::TemplateUnknown));
    let again = world.kit.when_proposed("accountant-1", Proposal::VoucherTemplate(TemplateCommand::Retire(id)));
    assert_eq!(Kit::code(again), RefusalCode::TemplateUnknown);
    world.template("between", &[(Subject::Personal, Side::Credit), (Subject::ClearingEpcc, Side::Debit)]);
    assert!(world.posts(Proposal::ManualVoucher(by("between", entries))).is_ok());
}

#[test]
fn a_bad_template_is_refused() {
    let mut world = world();
    let good = || vec![line(Subject::Personal, Side::Debit), line(Subject::Personal, Side::Credit)];
    let table = [
        (set("ab", good()), RefusalCode::ValueInvalid),
        (set("Upper", good()), RefusalCode::ValueInvalid),
        (set("code", vec![line(Subject::Personal, Side::Debit); 2]), RefusalCode::ValueInvalid),
        (
            set("code", vec![line(Subject::CentralBank, Side::Debit), line(Subject::Personal, Side::Credit)]),
            RefusalCode::SubjectNotAllowed,
        ),
        (
            set("code", vec![line(Subject::Suspense, Side::Debit), line(Subject::Personal, Side::Credit)]),
            RefusalCode::SubjectNotAllowed,
        ),
        (Proposal::VoucherTemplate(TemplateCommand::Retire(TemplateId(9))), RefusalCode::TemplateUnknown),
    ];
    for (proposal, code) in table {
        let what = format!("{proposal:?}");
        assert_eq!(Kit::code(world.kit.when_proposed("accountant-1", proposal)), code, "{what}");
    }
    let Proposal::VoucherTemplate(TemplateCommand::Set { code, event, .. }) = set("code", good()) else {
        panic!("a template")
    };
    let blank = TemplateCommand::Set { code, title: " ".to_string(), event, lines: good() };
    let refused = world.kit.when_proposed("accountant-1", Proposal::VoucherTemplate(blank));
    assert_eq!(Kit::code(refused), RefusalCode::ValueInvalid);
}

#[test]
fn no_template_reaches_agreement_money_or_breaks_a_mirror() {
    let mut world = world();
    let agreement = world.kit.agreement_account();
    world.kit.fund(agreement, 500);
    world.template("agreement", &[(Subject::Agreement, Side::Debit), (Subject::Personal, Side::Credit)]);
    let out = by("agreement", pair(agreement, world.a, 100));
    assert_eq!(world.posts(Proposal::ManualVoucher(out)), Err(RefusalCode::SubjectNotAllowed));

    world.template(
        "fee",
        &[
            (Subject::Personal, Side::Debit),
            (Subject::DueToOwn, Side::Credit),
            (Subject::DueFromReserve, Side::Debit),
            (Subject::FeeIncome, Side::Credit),
        ],
    );
    let reserve = pair(world.a, world.own(Subject::DueToOwn), 7);
    let own = pair(world.own(Subject::DueFromReserve), world.own(Subject::FeeIncome), 7);
    for half in [&reserve, &own] {
        assert_eq!(world.posts(Proposal::ManualVoucher(by("fee", half.clone()))), Err(RefusalCode::MirrorBroken));
    }
    assert!(world.posts(Proposal::ManualVoucher(by("fee", [reserve, own].concat()))).is_ok());
    world.kit.books(&[(1121, 1_500), (2291, 7), (1291, 7), (5001, 7)]);
}

#[test]
fn two_people_pay_a_channels_invoice_from_own_money_with_the_invoice() {
    let mut world = world();
    world.kit.capital(8_000);
    let (cost, bank) = (world.own(Subject::ChannelCost), world.own(Subject::OwnBank));
    world.template("channel-invoice", &[(Subject::ChannelCost, Side::Debit), (Subject::OwnBank, Side::Credit)]);
    let invoice = |amount| {
        let dimensions = Dimensions { channel: Some("epcc".to_string()), ..Dimensions::default() };
        let voucher = by("channel-invoice", pair(cost, bank, amount));
        Proposal::ManualVoucher(ManualVoucher { dimensions: Some(Box::new(dimensions)), ..voucher })
    };
    let bare = world.kit.when_proposed("accountant-1", invoice(5_300));
    assert_eq!(Kit::code(bare), RefusalCode::EvidenceRequired);
    let proposed = world.kit.when_proposed_with("accountant-1", invoice(5_300), evidence()).unwrap();
    let Reply::Approval(id) = proposed else { panic!("it was proposed") };
    assert_eq!(Kit::code(world.kit.when_checked("accountant-1", id)), RefusalCode::SamePerson);
    world.kit.books(&[(1121, 1_000), (1103, 8_000), (3001, 8_000)]);

    world.kit.checked("accountant-2", id);
    assert_eq!(world.kit.last_voucher(), [(cost, Side::Debit, 5_300), (bank, Side::Credit, 5_300)]);
    world.kit.books(&[(1121, 1_000), (1103, 2_700), (3001, 8_000), (6001, 5_300)]);
    let posted = world.kit.posted().last().unwrap().clone();
    assert_eq!((posted.event, posted.business.to_string()), (EventCode::ManualVoucher, id.to_string()));
    assert_eq!(posted.dimensions.unwrap().channel.as_deref(), Some("epcc"));
    let approval = world.kit.state.approval(id).unwrap();
    assert_eq!(approval.evidence, evidence());
    assert_ne!(Some(approval.maker), approval.checker);
    assert_eq!(world.posts(invoice(2_701)), Err(RefusalCode::InsufficientFunds), "own money at banks has 2,700");
    world.kit.restore();
}

#[test]
fn a_channels_invoice_is_never_paid_from_the_reserve() {
    let mut world = world();
    world.kit.capital(8_000);
    world.kit.injected(500);
    let cost = world.own(Subject::ChannelCost);
    let before = [(1101, 500), (1121, 1_000), (2291, 500), (1103, 8_000), (1291, 500), (3001, 8_500)];
    world.kit.books(&before);
    world.template("channel-invoice", &[(Subject::ChannelCost, Side::Debit), (Subject::OwnBank, Side::Credit)]);
    let mut from = |template: &str, subject: Subject| {
        let account = world.own(subject);
        world.posts(Proposal::ManualVoucher(by(template, pair(cost, account, 300))))
    };
    assert_eq!(from("channel-invoice", Subject::CentralBank), Err(RefusalCode::TemplateMismatch));
    assert_eq!(from("channel-invoice", Subject::ClearingEpcc), Err(RefusalCode::TemplateMismatch));
    // No template has 1101, and what has another account of the reserve makes no voucher: each book balances by itself.
    let lines = |subject| vec![line(Subject::ChannelCost, Side::Debit), line(subject, Side::Credit)];
    let bank = world.kit.when_proposed("accountant-1", set("from-reserve", lines(Subject::CentralBank)));
    assert_eq!(Kit::code(bank), RefusalCode::SubjectNotAllowed);
    world.kit.decided("accountant", set("from-clearing", lines(Subject::ClearingEpcc)));
    let clearing = pair(cost, world.own(Subject::ClearingEpcc), 300);
    let posted = world.posts(Proposal::ManualVoucher(by("from-clearing", clearing)));
    assert_eq!(posted, Err(RefusalCode::VoucherUnbalanced));
    world.kit.books(&before);
}

#[test]
fn a_contra_by_hand_brings_no_money_to_a_barred_account() {
    let mut world = world();
    let (a, b) = (world.a, world.b);
    let voucher = world.posts(Proposal::ManualVoucher(by("between", pair(a, b, 300)))).unwrap();
    let restriction = Restriction { in_barred: true, out_barred: false };
    world.kit.given(Command::RestrictAccount { account: a, restriction });
    let undo = ManualVoucher { contra_of: Some(voucher), ..by("between", pair(b, a, 300)) };
    assert_eq!(world.posts(Proposal::ManualVoucher(undo)), Err(RefusalCode::AccountRestricted));
}

#[test]
fn a_manual_credit_to_suspense_opens_an_item() {
    let mut world = world();
    world.template("unknown", &[(Subject::ClearingEpcc, Side::Debit), (Subject::Suspense, Side::Credit)]);
    let entries = pair(world.own(Subject::ClearingEpcc), world.own(Subject::Suspense), 80);
    let voucher = world.posts(Proposal::ManualVoucher(by("unknown", entries.clone()))).unwrap();
    let item = world.kit.state.suspense_item(SuspenseId(1)).unwrap();
    assert_eq!((item.rest(), item.voucher, item.date), (80, voucher, date(D)));
    // An adjustment opens one of its own day.
    world.kit.on(NEXT);
    world.posts(adjust(D, by("unknown", entries))).unwrap();
    assert_eq!(world.kit.state.suspense_item(SuspenseId(2)).unwrap().date, date(D));
}

#[test]
fn an_adjustment_counts_in_the_column_of_its_own_day() {
    let mut world = world();
    let (a, b) = (world.a, world.b);
    world.kit.given(Command::CutDay { next: None });
    world.transfer(a, b, 200);
    world.kit.given(Command::CutDay { next: None });
    world.transfer(b, a, 50);
    let voucher = world.posts(adjust(D, by("between", pair(a, b, 300)))).unwrap();
    let posted = world.kit.posted().last().unwrap();
    assert_eq!((posted.date, posted.entries.len()), (date(D), 2));
    assert_eq!([D, NEXT, "2026-03-07"].map(|day| world.closing(a, day)), [700, 500, 550]);
    assert_eq!([D, NEXT, "2026-03-07"].map(|day| world.closing(b, day)), [300, 500, 450]);
    let turnover = world.kit.state.days.turnover(a, date(D)).unwrap();
    assert_eq!((turnover.debit, turnover.credit), (300, 1_000));
    world.kit.restore();
    let undo = ManualVoucher { contra_of: Some(voucher), ..by("between", pair(b, a, 300)) };
    world.posts(adjust(D, undo)).unwrap();
    assert_eq!([D, NEXT].map(|day| world.closing(a, day)), [1_000, 800]);
}

#[test]
fn only_a_day_that_is_cut_and_not_closed_is_adjusted() {
    let mut world = world();
    let voucher = || by("between", pair(world.a, world.b, 1));
    let (open, unknown, late) = (adjust(D, voucher()), adjust("2026-03-01", voucher()), adjust(D, voucher()));
    assert_eq!(world.posts(open.clone()), Err(RefusalCode::DayState));
    assert_eq!(world.posts(unknown), Err(RefusalCode::DayState));
    world.kit.given(Command::CutDay { next: None });
    let waiting = world.kit.when_proposed_with("accountant-1", late, evidence()).unwrap();
    let Reply::Approval(waiting) = waiting else { panic!("it was proposed") };
    world.kit.given(Command::SealDay(date(D)));
    let (position, checks) = (world.sealed(D).unwrap(), checks::run(&world.kit.state, date(D)));
    world.kit.given(Command::CloseDay { date: date(D), position, checks });
    // It closed while the proposal waited.
    assert_eq!(Kit::code(world.kit.when_checked("accountant-2", waiting)), RefusalCode::DayState);
    assert_eq!(world.posts(open), Err(RefusalCode::DayState));
}

#[test]
fn an_adjustment_overdraws_nobody_at_any_days_end() {
    let mut world = world();
    let (a, b) = (world.a, world.b);
    // b: 0 at the end of D, 400 at the end of the next day, 100 now; a: 1,000, 600, 900.
    world.kit.given(Command::CutDay { next: None });
    world.transfer(a, b, 400);
    world.kit.given(Command::CutDay { next: None });
    world.transfer(b, a, 300);
    let take = |day: &str, from, to, amount| adjust(day, by("between", pair(from, to, amount)));
    assert_eq!(
        world.posts(take(D, b, a, 50)),
        Err(RefusalCode::InsufficientFunds),
        "nothing was there at the end of D"
    );
    assert_eq!(world.posts(take(NEXT, b, a, 101)), Err(RefusalCode::InsufficientFunds), "100 are there now");
    assert_eq!(world.posts(take(D, a, b, 601)), Err(RefusalCode::InsufficientFunds), "600 at the end of the next day");
    assert!(world.posts(take(D, a, b, 600)).is_ok());
    assert_eq!([D, NEXT, "2026-03-07"].map(|day| world.closing(a, day)), [400, 0, 300]);
}

#[test]
fn an_adjustment_takes_the_seals_of_its_day_and_later_ones_off() {
    let mut world = world();
    let (a, b) = (world.a, world.b);
    world.kit.given(Command::CutDay { next: None });
    world.kit.given(Command::CutDay { next: None });
    world.kit.given(Command::CutDay { next: None });
    let days = [D, NEXT, "2026-03-07"];
    days.iter().for_each(|day| drop(world.kit.given(Command::SealDay(date(day)))));
    let sealed = days.map(|day| world.sealed(day));
    assert!(sealed.iter().all(Option::is_some));
    world.posts(adjust(NEXT, by("between", pair(a, b, 10)))).unwrap();
    assert_eq!(days.map(|day| world.sealed(day)), [sealed[0], None, None]);
    world.posts(adjust(D, by("between", pair(a, b, 10)))).unwrap();
    assert_eq!(days.map(|day| world.sealed(day)), [None; 3]);
    // Checks of the old seal close nothing; new ones do.
    let checks = checks::run(&world.kit.state, date(D));
    let old = Command::CloseDay { date: date(D), position: sealed[0].unwrap(), checks };
    world.kit.refused(old, RefusalCode::DayState);
    world.kit.restore();
    world.kit.given(Command::SealDay(date(D)));
    let (position, checks) = (world.sealed(D).unwrap(), checks::run(&world.kit.state, date(D)));
    world.kit.given(Command::CloseDay { date: date(D), position, checks });
    assert_eq!(world.kit.state.days.get(date(D)).unwrap().status, DayStatus::Closed);
}
