//! Freezing down the tree: a parent account and all below it, placed and released as one.

use super::*;
use crate::tree::{LinkAccounts, TreeCommand};

/// Three accounts of one person, each under the one before, with these balances.
fn line(balances: [Minor; 3]) -> (Kit, [AccountId; 3]) {
    let [first, second, third] = balances;
    let (mut kit, top) = world(first);
    let (middle, bottom) = (sibling(&mut kit, top, second), sibling(&mut kit, top, third));
    for (parent, child) in [(top, middle), (middle, bottom)] {
        kit.given(TreeCommand::link(LinkAccounts { parent, child, agreement: None }));
    }
    (kit, [top, middle, bottom])
}

fn down(command: PlaceFreeze) -> Command {
    Command::Freeze(FreezeCommand::PlaceDownTheTree(command))
}

fn release_group(freeze: FreezeId, authority: &str, amount: Option<Minor>) -> Command {
    let (authority, document) = (authority.to_string(), "2026-0002".to_string());
    Command::ReleaseFreeze(ReleaseFreeze { freeze, authority, document, amount, group: true })
}

fn group(kit: &Kit, head: FreezeId) -> Vec<(FreezeId, AccountId, FreezeStatus)> {
    kit.state.freezes_of_group(head).map(|freeze| (freeze.id, freeze.account.unwrap(), freeze.status)).collect()
}

#[test]
fn a_parent_is_frozen_with_all_below_it_only_when_asked() {
    let (mut kit, [top, middle, bottom]) = line([300, 200, 100]);
    let alone = place(&mut kit, court(top, 10));
    assert_eq!(kit.state.freeze(alone).unwrap().group, None);
    let Reply::Freeze(head) = kit.given(down(court(top, 150))) else { panic!("a freeze was placed") };
    let other = place(&mut kit, court(bottom, 1));
    kit.restore();
    let ids = [head, FreezeId(head.0 + 1), FreezeId(head.0 + 2)];
    let stand = [(ids[0], top), (ids[1], middle), (ids[2], bottom)];
    assert_eq!(group(&kit, head), stand.map(|(id, account)| (id, account, FreezeStatus::InForce)));
    assert_eq!([top, middle, bottom].map(|id| kit.state.available(row(&kit, id))), [140, 50, 0]);

    // Each is a freeze by itself: one is released alone, and the group without it.
    kit.approved(release(ids[1], None));
    kit.approved(release_group(ids[2], "district court", None));
    kit.restore();
    assert!(group(&kit, head).iter().all(|(_, _, status)| *status == FreezeStatus::Released));
    let standing = [alone, other].map(|id| kit.state.freeze(id).unwrap().status);
    assert_eq!(standing, [FreezeStatus::InForce; 2], "the freezes around the group stand");
    assert_eq!([top, middle, bottom].map(|id| kit.state.available(row(&kit, id))), [290, 200, 99]);
    let refused = kit.when_approved(release_group(head, "district court", None)).unwrap_err();
    assert_eq!(refused.code, RefusalCode::FreezeState);
}

#[test]
fn a_tree_is_frozen_in_one_step_or_not_at_all() {
    let (mut kit, [top, _, bottom]) = line([300, 200, 100]);
    let owner = row(&kit, top).owner;
    let (subject, overdraft) = (Subject::Personal, false);
    let open = crate::account::OpenAccount { subject, currency: Currency::Usd, owner, overdraft };
    let Reply::Account(child) = kit.given(Command::OpenAccount(open)) else { panic!("an account was opened") };
    kit.given(TreeCommand::link(LinkAccounts { parent: bottom, child, agreement: None }));
    // The last of the four is of another currency than the amount.
    kit.refused(down(court(top, 150)), RefusalCode::CurrencyMismatch);
    assert_eq!(kit.state.freezes.iter().count(), 0);
    kit.refused(down(court(customer(&kit, top), 150)), RefusalCode::ValueInvalid);
    // What bars a way is of no currency; it ends every account's unsent payouts.
    kit.given(down(whole(top, OUT)));
    let barred = [top, bottom, child].map(|id| row(&kit, id).barred().out_barred);
    assert_eq!(barred, [true; 3]);
}

#[test]
fn a_group_is_released_by_two_people_and_its_authority() {
    let (mut kit, [top, ..]) = line([300, 200, 100]);
    let alone = place(&mut kit, court(top, 1));
    let Reply::Freeze(head) = kit.given(down(court(top, 150))) else { panic!("a freeze was placed") };
    kit.refused(release_group(head, "district court", None), RefusalCode::ApprovalRequired);
    for (freeze, authority, amount, code) in [
        (FreezeId(99), "district court", None, RefusalCode::FreezeUnknown),
        (alone, "district court", None, RefusalCode::ValueInvalid),
        (head, "district court", Some(1), RefusalCode::ValueInvalid),
        (head, "police", None, RefusalCode::AuthorityMismatch),
    ] {
        let refused = kit.when_approved(release_group(freeze, authority, amount)).unwrap_err();
        assert_eq!(refused.code, code);
    }
    let document = String::from(" ");
    let authority = String::from("district court");
    let unsaid = ReleaseFreeze { freeze: head, authority, document, amount: None, group: true };
    let refused = kit.when_approved(Command::ReleaseFreeze(unsaid)).unwrap_err();
    assert_eq!((refused.code, refused.param.as_ref()), (RefusalCode::ValueInvalid, "document"));
}
