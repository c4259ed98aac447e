//! Given, when, then: links, roll-ups, sweeps and allocations. Figures are minor units of what a property group with
//! branches holds; the rules they follow stand in the headers of `tree.rs`, `sweep.rs` and `quota.rs`.

use alloc::format;
use alloc::string::ToString;
use alloc::vec;

use super::*;
use crate::account::{Account, OpenAccount, Owner};
use crate::agreement::CreateAgreement;
use crate::book::{Book, Side, Subject};
use crate::checks;
use crate::command::Command;
use crate::draft::Draft;
use crate::envelope::{Actor, Context, Origin};
use crate::hold::PlaceHold;
use crate::ids::MerchantId;
use crate::merchant::MerchantKind;
use crate::money::Currency;
use crate::restriction::Restriction;
use crate::testkit::{Kit, date};
use crate::voucher::EventCode;

mod property;
mod quotas;
mod runs;
mod shape;

/// A property group's company account with branches of other customers under it, by agreement.
pub(super) struct Group {
    pub(super) kit: Kit,
    pub(super) head: AccountId,
    /// Each with its link.
    pub(super) branches: Vec<(AccountId, TreeLinkId)>,
    pub(super) owners: Vec<MerchantId>,
}

pub(super) fn tree(command: TreeCommand) -> Command {
    Command::Tree(command)
}

pub(super) fn link(parent: AccountId, child: AccountId) -> Command {
    tree(TreeCommand::Link(LinkAccounts { parent, child, agreement: None }))
}

pub(super) fn by_agreement(parent: AccountId, child: AccountId) -> Command {
    let agreement = Some("pooling agreement 2026-7".to_string());
    tree(TreeCommand::Link(LinkAccounts { parent, child, agreement }))
}

pub(super) fn linked(reply: &Reply) -> TreeLinkId {
    let Reply::TreeLink(id) = reply else { panic!("{reply:?} in place of a link") };
    *id
}

pub(super) fn ran(reply: &Reply) -> TreeRunId {
    let Reply::TreeRun(id) = reply else { panic!("{reply:?} in place of a run") };
    *id
}

pub(super) fn company(kit: &mut Kit) -> (MerchantId, AccountId) {
    let merchant = kit.merchant(MerchantKind::Agency, 2_000);
    (merchant, kit.state.merchant(merchant).unwrap().company.unwrap())
}

/// A head with 100,000 and branches with these balances.
pub(super) fn group(balances: &[Minor]) -> Group {
    let mut kit = Kit::new();
    let (owner, head) = company(&mut kit);
    kit.fund(head, 100_000);
    let (mut branches, mut owners) = (Vec::new(), vec![owner]);
    for balance in balances {
        let (owner, branch) = company(&mut kit);
        if *balance > 0 {
            kit.fund(branch, *balance);
        }
        branches.push((branch, linked(&kit.approved(by_agreement(head, branch)))));
        owners.push(owner);
    }
    Group { kit, head, branches, owners }
}

pub(super) fn account(kit: &Kit, id: AccountId) -> &Account {
    kit.state.account(id, "account").unwrap()
}

/// Decides without the checks that the kit makes after every command.
pub(super) fn decide_only(kit: &mut Kit, command: Command) -> Result<Reply, Refusal> {
    let origin = Origin::Api;
    let context = Context { now: kit.now, actor: Actor::Timer, approval: None, origin, epoch: 1 };
    let mut draft = Draft::begin(&mut kit.state, &context, true);
    let result = crate::command::decide(&mut draft, command);
    match &result {
        Ok(_) => drop(draft.commit()),
        Err(_) => draft.rollback(),
    }
    result
}

/// The roll-up of an account now: subject code, currency, balance, held, frozen, available.
fn now(kit: &Kit, top: AccountId) -> Vec<(u16, &'static str, i128, i128, i128, i128)> {
    let nodes = walk(&kit.state, top, None);
    let own = |id: AccountId| {
        let account = account(kit, id);
        Some(((account.subject, account.currency), Figures::now(&kit.state, account)))
    };
    let sums = roll_up(&nodes, own).remove(0);
    let line = |((subject, currency), sum): (&(Subject, Currency), &Figures)| {
        (subject.code(), currency.code(), sum.balance, sum.held, sum.frozen, sum.available)
    };
    sums.iter().map(line).collect()
}

/// The 2206 yuan of a roll-up at the end of a day that is not closed.
pub(super) fn at_end(kit: &Kit, top: AccountId, day: &str) -> i128 {
    let nodes = walk(&kit.state, top, Some(date(day)));
    let sums = roll_up(&nodes, |id| own_at_end(&kit.state, id, date(day))).remove(0);
    sums.get(&(Subject::Company, Currency::Cny)).map_or(0, |sum| sum.balance)
}

#[test]
fn a_group_pools_the_branches_of_other_customers_by_agreement_and_two_people() {
    let mut kit = Kit::new();
    let ((_, head), (_, branch)) = (company(&mut kit), company(&mut kit));
    kit.refused(link(head, branch), RefusalCode::LinkAgreementNeeded);
    kit.refused(by_agreement(head, branch), RefusalCode::ApprovalRequired);
    for agreement in [" ".to_string(), "x".repeat(MAX_TEXT + 1)] {
        let command = LinkAccounts { parent: head, child: branch, agreement: Some(agreement) };
        let refusal = kit.when_approved(tree(TreeCommand::Link(command))).unwrap_err();
        assert_eq!(refusal.code, RefusalCode::ValueInvalid);
    }
    let id = linked(&kit.approved(by_agreement(head, branch)));
    let link = kit.state.tree_link(id).unwrap();
    assert_eq!((link.parent, link.child, link.status()), (head, branch, "linked"));
    assert_eq!(link.agreement.as_deref(), Some("pooling agreement 2026-7"));
    assert_eq!((link.made.operator.as_str(), link.made.approver.as_deref()), ("maker", Some("checker")));
    assert_eq!((link.from, link.until), (date("2026-03-05"), None));
    kit.restore();
}

#[test]
fn two_operators_link_accounts_of_two_customers_through_an_approval() {
    let mut kit = Kit::new();
    kit.people();
    let ((_, parent), (_, child)) = (company(&mut kit), company(&mut kit));
    let agreement = Some("pooling agreement 2026-7".to_string());
    let proposal = crate::approval::Proposal::LinkAccounts(LinkAccounts { parent, child, agreement });
    kit.decided("treasurer", proposal);
    let link = kit.state.link_above(child).unwrap();
    assert_eq!(link.made.operator, "treasurer-1");
    assert_eq!(link.made.approver.as_deref(), Some("treasurer-2"));
}

#[test]
fn one_customers_accounts_need_no_agreement() {
    let mut kit = Kit::new();
    let (owner, head) = company(&mut kit);
    let available = kit.state.merchant(owner).unwrap().available;
    let id = linked(&kit.given(link(head, available)));
    let link = kit.state.tree_link(id).unwrap();
    assert_eq!((link.made.operator.as_str(), link.made.approver.as_deref()), ("tester", None));
}

#[test]
fn a_roll_up_is_by_subject_and_currency_and_shows_what_is_held_and_frozen() {
    let Group { mut kit, head, branches, owners } = group(&[50_000, 30_000]);
    let (first, second) = (branches[0].0, branches[1].0);
    // Under the first branch: its own 2203, and dollars.
    let available = kit.state.merchant(owners[1]).unwrap().available;
    kit.fund(available, 7_000);
    kit.given(link(first, available));
    let open = OpenAccount {
        subject: Subject::Company,
        currency: Currency::Usd,
        owner: Owner::Merchant(owners[1]),
        overdraft: false,
    };
    let Reply::Account(dollars) = kit.given(Command::OpenAccount(open)) else { panic!("an account was opened") };
    kit.given(link(first, dollars));
    let expires_at = kit.now.plus_ms(60_000);
    let hold = PlaceHold { account: second, amount: 4_000, currency: Currency::Cny, expires_at };
    kit.given(Command::PlaceHold(hold));
    freeze(&mut kit, second, 10_000);
    let rows =
        [(2203, "CNY", 7_000, 0, 0, 7_000), (2206, "CNY", 180_000, 4_000, 10_000, 166_000), (2206, "USD", 0, 0, 0, 0)];
    assert_eq!(now(&kit, head), rows);
    kit.restore();
    assert_eq!(now(&kit, head), rows);
    assert_eq!(now(&kit, second), [(2206, "CNY", 30_000, 4_000, 10_000, 16_000)]);
    assert_eq!(kit.state.descendants(head), [first, available, dollars, second]);
}

/// An authority freezes an amount.
pub(super) fn freeze(kit: &mut Kit, account: AccountId, amount: Minor) {
    kit.given(Command::PlaceFreeze(crate::freeze::PlaceFreeze {
        scope: account.into(),
        measure: crate::freeze::Measure::Amount { amount, currency: Currency::Cny },
        reason: "case 7".to_string(),
        authority: "district court".to_string(),
        document: "2026-0001".to_string(),
        source: None,
        priority: 100,
        expires_at: None,
    }));
}

#[test]
fn a_past_day_shows_the_tree_and_the_balances_of_its_end() {
    let Group { mut kit, head, branches, .. } = group(&[50_000, 30_000]);
    let [(first, first_link), (second, second_link)] = branches[..] else { panic!("two branches") };
    kit.on("2026-03-06");
    kit.given(tree(TreeCommand::Unlink(first_link)));
    kit.fund(second, 500);
    kit.on("2026-03-07");
    // Linked and ended on one day: it stands in no day's tree.
    let id = linked(&kit.approved(by_agreement(head, first)));
    kit.given(tree(TreeCommand::Unlink(id)));
    kit.on("2026-03-08");
    kit.approved(by_agreement(second, first));
    kit.fund(first, 9);
    kit.on("2026-03-09");
    kit.given(tree(TreeCommand::Unlink(second_link)));
    // Ended and made anew on one day: it stands in that day's tree.
    kit.approved(by_agreement(head, second));
    kit.restore();
    for (day, whole) in [
        ("2026-03-05", 180_000),
        ("2026-03-06", 130_500),
        ("2026-03-07", 130_500),
        ("2026-03-08", 180_509),
        ("2026-03-09", 180_509),
    ] {
        assert_eq!(at_end(&kit, head, day), whole, "{day}");
    }
    assert_eq!(at_end(&kit, second, "2026-03-07"), 30_500);
    assert_eq!(at_end(&kit, second, "2026-03-08"), 80_509);
    let ended = kit.state.tree_link(first_link).unwrap();
    assert_eq!((ended.until, ended.status()), (Some(date("2026-03-06")), "ended"));
    assert_eq!(ended.ended.as_ref().map(|signed| signed.operator.as_str()), Some("tester"));
}

#[test]
fn an_account_in_a_tree_does_not_close() {
    let Group { mut kit, head, branches, .. } = group(&[0]);
    let [(branch, id)] = branches[..] else { panic!("one branch") };
    let other = company(&mut kit).1;
    kit.approved(by_agreement(other, head));
    kit.refused(Command::CloseAccount(branch), RefusalCode::AccountLinked);
    kit.refused(Command::CloseAccount(other), RefusalCode::AccountLinked);
    kit.given(tree(TreeCommand::Unlink(id)));
    kit.given(Command::CloseAccount(branch));
    kit.refused(tree(TreeCommand::Unlink(id)), RefusalCode::TreeLinkEnded);
    kit.refused(tree(TreeCommand::Unlink(TreeLinkId(99))), RefusalCode::TreeLinkUnknown);
}

#[test]
fn an_agreements_account_is_looked_at_in_a_tree_and_pays_by_its_agreement_alone() {
    let mut kit = Kit::new();
    let (owner, head) = company(&mut kit);
    let agreement = CreateAgreement {
        number: "HS-1".to_string(),
        party: Owner::Merchant(owner),
        purpose: "earnest money".to_string(),
        book: Book::Reserve,
        currency: Currency::Cny,
        receivers: vec![head],
    };
    let Reply::Agreement(agreement) = kit.given(Command::CreateAgreement(agreement)) else { panic!("it was made") };
    let account = kit.state.agreement(agreement).unwrap().account;
    kit.fund(account, 800);
    let child = linked(&kit.given(link(head, account)));
    assert_eq!(now(&kit, head), [(2204, "CNY", 800, 0, 0, 800), (2206, "CNY", 0, 0, 0, 0)]);
    kit.refused(link(account, head), RefusalCode::SubjectNotAllowed);
    let sweep = Movement::Sweep(1);
    kit.refused(tree(TreeCommand::Move { link: child, movement: sweep }), RefusalCode::SubjectNotAllowed);
    let rule = Some(SweepRule { kind: RuleKind::SweepAll, minimum: 1, minute_of_day: None });
    kit.refused(tree(TreeCommand::SetRule { link: child, rule }), RefusalCode::SubjectNotAllowed);
    let quota = Some(Quota { single: Some(5), day: None, month: None });
    kit.refused(tree(TreeCommand::SetQuota { link: child, quota }), RefusalCode::SubjectNotAllowed);
    let pay = crate::agreement::PayFromAgreement { agreement, to: head, amount: 800 };
    kit.given(Command::PayFromAgreement(pay));
    kit.refused(Command::CloseAgreement(agreement), RefusalCode::AccountLinked);
    kit.given(tree(TreeCommand::Unlink(child)));
    kit.given(Command::CloseAgreement(agreement));
}

#[test]
fn a_tree_that_is_not_one_fails_the_check_at_close() {
    let broken = |spoil: fn(&mut State, AccountId, TreeLinkId)| {
        let Group { mut kit, head, branches, .. } = group(&[50_000, 30_000]);
        spoil(&mut kit.state, head, branches[0].1);
        let results = checks::run(&kit.state, date("2026-03-05"));
        let broken: Vec<_> = results.into_iter().filter(|check| !check.holds).collect();
        assert!(broken.iter().all(|check| check.name == "roll_ups"), "{broken:?}");
        broken.into_iter().map(|check| check.detail).collect::<String>()
    };
    assert_eq!(broken(|_, _, _| ()), "");
    // acc_… of the group: the head's 2206 and its first branch's.
    let cycle = broken(|state, head, first| {
        let link = state.tree_links.get(first.0).unwrap().clone();
        let back = TreeLink { id: TreeLinkId(9), parent: link.child, child: head, ..link };
        links::apply_linked(state, &back);
    });
    assert!(cycle.contains("is below itself"), "{cycle}");
    let two_parents = broken(|state, _, first| {
        let link = state.tree_links.get(first.0).unwrap().clone();
        let other = state.tree_links.get(first.0 + 1).unwrap().child;
        links::apply_linked(state, &TreeLink { id: TreeLinkId(9), parent: other, ..link });
    });
    assert!(two_parents.contains(" is under ") && two_parents.contains("2206 CNY: roll-ups"), "{two_parents}");
    let lost = broken(|state, head, first| {
        state.tree_history.remove(&(head, first));
    });
    assert_eq!(lost, "2206 CNY: roll-ups 130000, accounts 180000");
    let unseen = broken(|state, _, first| {
        let child = state.tree_links.get(first.0).unwrap().child;
        state.tree_parents.remove(&child);
    });
    assert!(unseen.contains("is not where it is looked for"), "{unseen}");
    let held = checks::run(&group(&[1, 2]).kit.state, date("2026-03-05"));
    let held = held.iter().find(|check| check.name == "roll_ups").unwrap();
    assert_eq!(held.detail, "1 trees with 2 children roll up to their accounts");
}
