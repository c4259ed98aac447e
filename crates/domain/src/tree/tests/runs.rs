//! Sweeps and allocations, by command and by rule.

use super::*;
use crate::state::Timer;

fn moves(link: TreeLinkId, movement: Movement) -> Command {
    tree(TreeCommand::Move { link, movement })
}

fn set_rule(kit: &mut Kit, link: TreeLinkId, kind: RuleKind, minimum: Minor, minute_of_day: Option<u16>) {
    let rule = Some(SweepRule { kind, minimum, minute_of_day });
    kit.given(tree(TreeCommand::SetRule { link, rule }));
}

fn run_rules(kit: &mut Kit, parent: AccountId, number: &str) -> TreeRun {
    let id = ran(&kit.given(tree(TreeCommand::RunRules { parent, number: number.to_string() })));
    kit.state.tree_run(id).unwrap().clone()
}

/// Child, way, minor units, why none.
fn lines(run: &TreeRun) -> Vec<(AccountId, &'static str, Minor, Option<&'static str>)> {
    run.lines.iter().map(|it| (it.child, it.way.name(), it.amount, it.skipped.map(Skipped::name))).collect()
}

#[test]
fn money_goes_up_and_down_by_command_as_far_as_it_is_available() {
    let Group { mut kit, head, branches, owners } = group(&[50_000]);
    let [(branch, id)] = branches[..] else { panic!("one branch") };
    freeze(&mut kit, branch, 5_000);
    let expires_at = kit.now.plus_ms(60_000);
    let hold = PlaceHold { account: branch, amount: 3_000, currency: Currency::Cny, expires_at };
    kit.given(Command::PlaceHold(hold));
    // (movement, moved, the branch's balance and the head's after it)
    for (movement, amount, balance, of_head) in [
        (Movement::Sweep(2_000), 2_000, 48_000, 102_000),
        (Movement::Rule(RuleKind::SweepAbove(10_000)), 30_000, 18_000, 132_000),
        (Movement::Rule(RuleKind::SweepAll), 10_000, 8_000, 142_000),
        (Movement::Allocate(1_000), 1_000, 9_000, 141_000),
        (Movement::Rule(RuleKind::TopUpTo(20_000)), 14_000, 23_000, 127_000),
    ] {
        let run = ran(&kit.given(moves(id, movement)));
        let run = kit.state.tree_run(run).unwrap();
        assert_eq!((run.cause.name(), run.lines.len(), run.lines[0].amount), ("command", 1, amount), "{movement:?}");
        assert_eq!((kit.balance(branch), kit.balance(head)), (balance, of_head), "{movement:?}");
    }
    let voucher = kit.posted().last().unwrap();
    assert_eq!((voucher.event, voucher.business.to_string()), (EventCode::AllocatedDown, "trn_5/1".to_string()));
    assert_eq!(voucher.dimensions.as_ref().unwrap().merchant, Some(owners[1]));
    assert_eq!(kit.last_voucher(), [(head, Side::Debit, 14_000), (branch, Side::Credit, 14_000)]);
    for (movement, code) in [
        (Movement::Sweep(15_001), RefusalCode::InsufficientFunds),
        (Movement::Allocate(127_001), RefusalCode::InsufficientFunds),
        (Movement::Sweep(0), RefusalCode::AmountNotPositive),
        (Movement::Allocate(-1), RefusalCode::AmountNotPositive),
        (Movement::Rule(RuleKind::SweepAbove(15_000)), RefusalCode::NothingToMove),
        (Movement::Rule(RuleKind::TopUpTo(20_000)), RefusalCode::NothingToMove),
        (Movement::Rule(RuleKind::SweepAbove(-1)), RefusalCode::ValueInvalid),
        (Movement::Rule(RuleKind::TopUpTo(0)), RefusalCode::ValueInvalid),
    ] {
        kit.refused(moves(id, movement), code);
    }
    kit.given(moves(id, Movement::Rule(RuleKind::SweepAll)));
    assert_eq!(kit.last_voucher(), [(branch, Side::Debit, 15_000), (head, Side::Credit, 15_000)]);
    assert_eq!(kit.posted().last().unwrap().event, EventCode::SweptUp);
    kit.given(tree(TreeCommand::Unlink(id)));
    kit.refused(moves(id, Movement::Allocate(1)), RefusalCode::TreeLinkEnded);
}

#[test]
fn a_run_sweeps_first_then_tops_up_and_says_what_it_skipped_and_why() {
    let Group { mut kit, head, branches, .. } = group(&[50_000, 12_000, 500, 40_000, 9_000, 2_000, 1_000]);
    let account = |at: usize| branches[at].0;
    kit.given(moves(branches[0].1, Movement::Allocate(99_000)));
    set_rule(&mut kit, branches[0].1, RuleKind::SweepAll, 1, None);
    set_rule(&mut kit, branches[1].1, RuleKind::SweepAbove(10_000), 2_000, None);
    set_rule(&mut kit, branches[2].1, RuleKind::SweepAll, 1_000, None);
    set_rule(&mut kit, branches[3].1, RuleKind::SweepAll, 1, None);
    set_rule(&mut kit, branches[4].1, RuleKind::SweepAbove(9_000), 1, None);
    set_rule(&mut kit, branches[5].1, RuleKind::TopUpTo(150_000), 1, None);
    set_rule(&mut kit, branches[6].1, RuleKind::TopUpTo(5_000), 1, None);
    let restriction = Restriction { in_barred: false, out_barred: true };
    kit.given(Command::RestrictAccount { account: account(3), restriction });

    let run = run_rules(&mut kit, head, "night-1");
    // 1,000 were left at the head; 149,000 and 2,000 come up, 148,000 and what is left of them go down.
    assert_eq!(
        lines(&run),
        [
            (account(0), "sweep", 149_000, None),
            (account(1), "sweep", 2_000, None),
            (account(2), "sweep", 0, Some("below_minimum")),
            (account(3), "sweep", 0, Some("account_restricted")),
            (account(4), "sweep", 0, Some("nothing_to_move")),
            (account(5), "allocate", 148_000, None),
            (account(6), "allocate", 4_000, None),
        ]
    );
    assert_eq!((kit.balance(head), kit.balance(account(5)), kit.balance(account(6))), (0, 150_000, 5_000));
    assert_eq!((run.moved(Way::Up), run.moved(Way::Down)), (151_000, 152_000));
    let vouchers = run.lines.iter().filter_map(|line| line.voucher).count();
    assert_eq!((vouchers, run.cause.name(), run.made.operator.as_str()), (4, "rules", "tester"));
    let numbers: Vec<_> = kit.posted().filter(|it| it.event == EventCode::SweptUp).collect();
    assert_eq!(numbers.len(), 2);

    // The same number again, with more to move: nothing moves.
    kit.fund(account(0), 700);
    kit.restore();
    let again = run_rules(&mut kit, head, "night-1");
    assert_eq!((again, kit.balance(account(0))), (run, 700));
    let next = run_rules(&mut kit, head, "night-2");
    assert_eq!((next.lines[0].amount, kit.balance(head)), (700, 700));
    assert_eq!(next.lines[5].skipped, Some(Skipped::NothingToMove));
    for number in ["", " ", &"x".repeat(MAX_NUMBER + 1)] {
        let run = TreeCommand::RunRules { parent: head, number: number.to_string() };
        kit.refused(tree(run), RefusalCode::ValueInvalid);
    }
    let unknown = TreeCommand::RunRules { parent: AccountId(999), number: "n".to_string() };
    kit.refused(tree(unknown), RefusalCode::AccountUnknown);
}

#[test]
fn a_parent_without_money_tops_nothing_up_and_a_parent_that_takes_none_is_swept_into_by_no_one() {
    let Group { mut kit, head, branches, .. } = group(&[500, 0]);
    kit.given(moves(branches[0].1, Movement::Allocate(100_000)));
    set_rule(&mut kit, branches[1].1, RuleKind::TopUpTo(10), 1, None);
    let run = run_rules(&mut kit, head, "1");
    assert_eq!(lines(&run), [(branches[1].0, "allocate", 0, Some("parent_empty"))]);
    set_rule(&mut kit, branches[0].1, RuleKind::SweepAll, 1, None);
    let restriction = Restriction { in_barred: true, out_barred: false };
    kit.given(Command::RestrictAccount { account: head, restriction });
    let run = run_rules(&mut kit, head, "2");
    assert_eq!(run.lines[0].skipped, Some(Skipped::Refused(RefusalCode::AccountRestricted)));
}

#[test]
fn frozen_money_counts_towards_a_top_up_so_that_no_run_feeds_a_freeze() {
    let Group { mut kit, head, branches, .. } = group(&[3_000]);
    let [(branch, id)] = branches[..] else { panic!("one branch") };
    freeze(&mut kit, branch, 90_000);
    set_rule(&mut kit, id, RuleKind::TopUpTo(5_000), 1, None);
    for (number, skipped) in [("1", None), ("2", Some(Skipped::NothingToMove))] {
        let run = run_rules(&mut kit, head, number);
        assert_eq!((run.lines[0].skipped, kit.balance(branch)), (skipped, 5_000));
    }
}

#[test]
fn money_moves_only_where_the_subjects_allow_it() {
    let mut kit = Kit::new();
    let (owner, head) = company(&mut kit);
    let holder = Owner::Merchant(owner);
    let merchant = kit.state.merchant(owner).unwrap().clone();
    let user = kit.user();
    let (wallet, purse) =
        (kit.account(Subject::Personal, Owner::User(user)), kit.account(Subject::Personal, Owner::User(user)));
    let (custody, sub) = (kit.account(Subject::CustodySub, holder), kit.account(Subject::CustodySub, holder));
    let other = company(&mut kit);
    let stranger = kit.state.merchant(other.0).unwrap().available;
    let second = kit.account(Subject::Company, holder);
    let guarantee = kit.account(Subject::GuaranteeDeposit, holder);
    let dollars = OpenAccount { subject: Subject::Company, currency: Currency::Usd, owner: holder, overdraft: false };
    let Reply::Account(dollars) = kit.given(Command::OpenAccount(dollars)) else { panic!("it was opened") };
    let strange_purse = {
        let user = kit.user();
        kit.account(Subject::Personal, Owner::User(user))
    };
    let (not, far) = (Some(RefusalCode::SubjectNotAllowed), Some(RefusalCode::CurrencyMismatch));
    // (parent, child, refusal of the way up, of the way down)
    for (parent, child, up, down) in [
        (head, second, None, None),
        (head, merchant.available, None, not),
        (head, merchant.pending, not, not),
        (head, guarantee, not, not),
        (head, stranger, not, not),
        (head, dollars, far, far),
        (head, wallet, not, not),
        (custody, sub, None, None),
        (wallet, purse, None, None),
        (purse, strange_purse, not, not),
    ] {
        let id = linked(&kit.approved(by_agreement(parent, child)));
        for (kind, expected) in [(RuleKind::SweepAll, up), (RuleKind::TopUpTo(1), down)] {
            let rule = Some(SweepRule { kind, minimum: 1, minute_of_day: None });
            let result = kit.when(tree(TreeCommand::SetRule { link: id, rule }));
            assert_eq!(result.err().map(|refusal| refusal.code), expected, "{child} under {parent}: {kind:?}");
        }
        for (movement, expected) in [(Movement::Sweep(1), up), (Movement::Allocate(1), down)] {
            let code = kit.when(moves(id, movement)).unwrap_err().code;
            assert_eq!(
                code,
                expected.unwrap_or(RefusalCode::InsufficientFunds),
                "{child} under {parent}: {movement:?}"
            );
        }
    }
}

#[test]
fn rules_that_mean_nothing_are_refused_and_a_rule_is_taken_away() {
    let Group { mut kit, head, branches, .. } = group(&[3_000]);
    let id = branches[0].1;
    for (kind, minimum, minute_of_day) in [
        (RuleKind::SweepAbove(-1), 1, None),
        (RuleKind::TopUpTo(0), 1, None),
        (RuleKind::SweepAll, 0, None),
        (RuleKind::SweepAll, 1, Some(1_440)),
    ] {
        let rule = Some(SweepRule { kind, minimum, minute_of_day });
        kit.refused(tree(TreeCommand::SetRule { link: id, rule }), RefusalCode::ValueInvalid);
    }
    set_rule(&mut kit, id, RuleKind::SweepAll, 1, None);
    kit.given(tree(TreeCommand::SetRule { link: id, rule: None }));
    assert_eq!(run_rules(&mut kit, head, "1").lines, []);
    let link = kit.state.tree_link(id).unwrap();
    assert_eq!(link.rule_set.as_ref().map(|signed| signed.operator.as_str()), Some("tester"));
}

/// The books begin at 09:00.
#[test]
fn rules_with_a_time_of_day_run_together_once_a_day_by_the_timer() {
    let Group { mut kit, head, branches, .. } = group(&[1_000, 2_000, 3_000]);
    let (late, early) = (Some(23 * 60), Some(8 * 60));
    set_rule(&mut kit, branches[0].1, RuleKind::SweepAll, 1, late);
    set_rule(&mut kit, branches[1].1, RuleKind::SweepAll, 1, late);
    set_rule(&mut kit, branches[2].1, RuleKind::SweepAll, 1, early);
    let timers = |kit: &Kit| {
        let ours = kit.state.timers.iter().filter(|((_, timer), ())| matches!(timer, Timer::TreeRules(_)));
        ours.map(|((at, _), ())| (at.0 - date("2026-03-05").starts_at().0) / 60_000).collect::<Vec<_>>()
    };
    assert_eq!(timers(&kit), [1_380, 1_920]);
    kit.restore();
    kit.later(14 * 3_600_000 - 1);
    kit.given(Command::Tick);
    assert_eq!(kit.state.tree_runs.next_id(), 1);
    kit.later(1);
    kit.given(Command::Tick);
    let run = kit.state.tree_run(TreeRunId(1)).unwrap().clone();
    assert_eq!(lines(&run), [(branches[0].0, "sweep", 1_000, None), (branches[1].0, "sweep", 2_000, None)]);
    assert_eq!((run.cause.name(), run.parent), ("timer", head));
    kit.given(Command::Tick);
    assert_eq!((kit.state.tree_runs.next_id(), timers(&kit)), (2, vec![1_920, 2_820]));
    // Nobody ticked for three days: what is due runs once, and next at its own time.
    kit.fund(branches[0].0, 70);
    kit.later(3 * 86_400_000 - 3_600_000);
    kit.restore();
    kit.given(Command::Tick);
    let run = kit.state.tree_run(TreeRunId(2)).unwrap().clone();
    assert_eq!(
        lines(&run),
        [
            (branches[0].0, "sweep", 70, None),
            (branches[1].0, "sweep", 0, Some("nothing_to_move")),
            (branches[2].0, "sweep", 3_000, None)
        ]
    );
    assert_eq!((kit.state.tree_runs.next_id(), timers(&kit)), (3, vec![5_700, 6_240]));
    // A link that ends and a rule that goes take the timer along only when they were the last.
    kit.given(tree(TreeCommand::Unlink(branches[0].1)));
    assert_eq!(timers(&kit), [5_700, 6_240]);
    kit.given(tree(TreeCommand::SetRule { link: branches[1].1, rule: None }));
    assert_eq!(timers(&kit), [6_240]);
    set_rule(&mut kit, branches[2].1, RuleKind::SweepAll, 1, None);
    assert_eq!(timers(&kit), [0; 0]);
    kit.restore();
}

#[test]
fn a_tick_that_has_looked_at_a_thousand_children_leaves_the_other_parents_to_the_next() {
    let mut kit = Kit::new();
    let owner = Owner::Merchant(company(&mut kit).0);
    let open = OpenAccount { subject: Subject::CustodySub, currency: Currency::Cny, owner, overdraft: false };
    let account = |kit: &mut Kit| match decide_only(kit, Command::OpenAccount(open.clone())) {
        Ok(Reply::Account(id)) => id,
        other => panic!("{other:?} in place of an account"),
    };
    for children in [600, 400, 1] {
        let parent = account(&mut kit);
        for _ in 0..children {
            let child = account(&mut kit);
            let link = linked(&decide_only(&mut kit, link(parent, child)).unwrap());
            let rule = Some(SweepRule { kind: RuleKind::SweepAll, minimum: 1, minute_of_day: Some(0) });
            decide_only(&mut kit, tree(TreeCommand::SetRule { link, rule })).unwrap();
        }
    }
    kit.later(86_400_000);
    for runs in [2, 3, 3] {
        decide_only(&mut kit, Command::Tick).unwrap();
        assert_eq!(kit.state.tree_runs.next_id() - 1, runs);
    }
    let sizes: Vec<_> = kit.state.tree_runs.iter().map(|(_, run)| run.lines.len()).collect();
    assert_eq!(sizes, [600, 400, 1]);
}
