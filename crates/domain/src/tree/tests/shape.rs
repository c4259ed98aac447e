//! What may stand above what.

use super::*;

fn custody(kit: &mut Kit, owner: Owner) -> AccountId {
    kit.account(Subject::CustodySub, owner)
}

#[test]
fn no_account_is_above_itself() {
    let Group { mut kit, head, branches, .. } = group(&[0, 0]);
    let (first, second) = (branches[0].0, branches[1].0);
    let below = company(&mut kit).1;
    kit.approved(by_agreement(first, below));
    for (parent, child) in [(head, head), (first, head), (below, head)] {
        let refusal = kit.when_approved(by_agreement(parent, child)).unwrap_err();
        assert_eq!(refusal.code, RefusalCode::TreeShape, "{refusal}");
    }
    // It has a parent already.
    for (parent, child) in [(second, below), (below, first)] {
        let refusal = kit.when_approved(by_agreement(parent, child)).unwrap_err();
        assert_eq!(refusal.code, RefusalCode::AccountLinked, "{refusal}");
    }
}

#[test]
fn a_tree_lies_in_one_book_and_holds_no_account_of_the_institution() {
    let mut kit = Kit::new();
    let (owner, head) = company(&mut kit);
    let own = kit.state.institution(Subject::DueToOwn, Currency::Cny).unwrap();
    let custody = custody(&mut kit, Owner::Merchant(owner));
    let its_custody = kit.account(Subject::CustodySub, Owner::Institution);
    let closed = kit.account(Subject::Company, Owner::Merchant(owner));
    kit.given(Command::CloseAccount(closed));
    for (parent, child, code) in [
        (head, own, RefusalCode::SubjectNotAllowed),
        (own, head, RefusalCode::SubjectNotAllowed),
        (custody, its_custody, RefusalCode::SubjectNotAllowed),
        (head, custody, RefusalCode::SubjectNotAllowed),
        (head, closed, RefusalCode::AccountClosed),
        (closed, head, RefusalCode::AccountClosed),
        (head, AccountId(999), RefusalCode::AccountUnknown),
        (AccountId(999), head, RefusalCode::AccountUnknown),
    ] {
        kit.refused(link(parent, child), code);
    }
}

#[test]
fn a_tree_has_eight_levels_at_most_wherever_it_is_joined() {
    let mut kit = Kit::new();
    let owner = Owner::Merchant(company(&mut kit).0);
    let chain = |kit: &mut Kit, count: usize| {
        let accounts: Vec<_> = (0..count).map(|_| custody(kit, owner)).collect();
        for pair in accounts.windows(2) {
            kit.given(link(pair[0], pair[1]));
        }
        accounts
    };
    let (upper, lower) = (chain(&mut kit, 4), chain(&mut kit, 5));
    kit.refused(link(upper[3], lower[0]), RefusalCode::TreeShape);
    kit.given(link(upper[2], lower[0]));
    let one_more = custody(&mut kit, owner);
    kit.refused(link(lower[4], one_more), RefusalCode::TreeShape);
    kit.given(link(lower[3], one_more));
    kit.restore();
}

#[test]
fn a_tree_has_a_thousand_children_an_account_and_ten_thousand_accounts_at_most() {
    let mut kit = Kit::new();
    let owner = Owner::Merchant(company(&mut kit).0);
    let open = OpenAccount { subject: Subject::CustodySub, currency: Currency::Cny, owner, overdraft: false };
    let account = |kit: &mut Kit| match decide_only(kit, Command::OpenAccount(open.clone())) {
        Ok(Reply::Account(id)) => id,
        other => panic!("{other:?} in place of an account"),
    };
    let pattern = {
        let (parent, child) = (account(&mut kit), account(&mut kit));
        let id = linked(&decide_only(&mut kit, link(parent, child)).unwrap());
        decide_only(&mut kit, tree(TreeCommand::Unlink(id))).unwrap();
        TreeLink { until: None, ended: None, ..kit.state.tree_link(id).unwrap().clone() }
    };
    // Deciding each of them would walk the tree each time.
    let full = |kit: &mut Kit, count: usize| {
        let parent = account(kit);
        for _ in 0..count {
            let (child, id) = (account(kit), TreeLinkId(kit.state.tree_links.next_id()));
            links::apply_linked(&mut kit.state, &TreeLink { id, parent, child, ..pattern.clone() });
        }
        parent
    };
    let root = account(&mut kit);
    for _ in 0..9 {
        let parent = full(&mut kit, MAX_CHILDREN);
        let child = account(&mut kit);
        assert_eq!(decide_only(&mut kit, link(parent, child)).unwrap_err().code, RefusalCode::TreeShape);
        decide_only(&mut kit, link(root, parent)).unwrap();
    }
    // 1 + 9 × 1,001 = 9,010 so far; 989 more and their parent make 10,000.
    let (too_many, last) = (full(&mut kit, 990), full(&mut kit, 989));
    let refusal = decide_only(&mut kit, link(root, too_many)).unwrap_err();
    assert!(refusal.code == RefusalCode::TreeShape && refusal.message.contains("10001 accounts"), "{refusal}");
    decide_only(&mut kit, link(root, last)).unwrap();
    assert_eq!(walk(&kit.state, root, None).len(), MAX_ACCOUNTS);
    assert_eq!(kit.state.descendants(root).len(), MAX_ACCOUNTS - 1);
    let (breaks, held) = roll_up::check(&kit.state, date("2026-03-05"));
    assert!(breaks.is_empty(), "{breaks:?}");
    assert!(held.starts_with("2 trees with 10989 children"), "{held}");
}
