//! Roles, policies and approvals of the key service: who may, who may not, and what an altered row or a restart leaves.

use std::collections::BTreeSet;

use ark::{
    KeyService,
    keys::{APPROVAL_LIFE_MS, ApprovalState, By, Change, Error, KEYS_NAME, Proposal, Role},
};
use rusqlite::Connection;

use crate::keys::{again, service};

const NOW: i64 = 1_800_000_000_000;

/// Who made the key service, in these tests.
fn founder() -> By<'static> {
    By::new("test", "why not", NOW)
}

fn by(caller: &'static str) -> By<'static> {
    By::new(caller, "as agreed", NOW)
}

fn code<T>(result: Result<T, Error>) -> &'static str {
    result.map_or_else(|error| error.code(), |_| "ok")
}

fn grant(caller: &str, role: Role) -> Change {
    Change::Grant { caller: caller.to_owned(), role }
}

fn allow(caller: &str, prefix: &str, operations: &[&str]) -> Change {
    let operations: BTreeSet<String> = operations.iter().map(|operation| (*operation).to_owned()).collect();
    Change::Allow { caller: caller.to_owned(), prefix: prefix.to_owned(), operations }
}

/// Two administrators, given by the founder.
fn administrators(service: &KeyService) {
    for caller in ["one", "two"] {
        service.change_access(&founder(), &grant(caller, Role::Administrator), None).expect("the founder's time");
    }
}

#[test]
fn the_founder_gives_rights_until_two_administrators_stand() {
    let (_directory, service, _root) = service();
    assert!(service.access().expect("open").is_founding());
    assert_eq!(
        code(service.change_access(&by("one"), &grant("one", Role::Administrator), None)),
        "ark_approval_required"
    );
    assert_eq!(code(service.change_access(&founder(), &grant("test", Role::Administrator), None)), "access_invalid");
    administrators(&service);
    assert!(!service.access().expect("open").is_founding());
    let change = grant("three", Role::Auditor);
    assert_eq!(code(service.change_access(&founder(), &change, None)), "ark_approval_required");

    let asked = service.propose(&by("one"), &Proposal::access(&change)).expect("asked");
    assert_eq!(code(service.change_access(&by("one"), &change, Some(asked.id))), "ark_approval_state", "it waits");
    assert_eq!(code(service.decide(&by("one"), asked.id, true)), "ark_approval_state", "nobody approves its own");
    assert_eq!(code(service.decide(&founder(), asked.id, true)), "not_permitted", "no administrator");
    assert_eq!(service.decide(&by("two"), asked.id, true).expect("approved").state, ApprovalState::Approved);
    let other = grant("three", Role::Custodian);
    assert_eq!(code(service.change_access(&by("one"), &other, Some(asked.id))), "ark_approval_state", "another change");
    assert_eq!(
        code(service.change_access(&by("two"), &change, Some(asked.id))),
        "ark_approval_state",
        "another caller"
    );
    service.change_access(&by("one"), &change, Some(asked.id)).expect("as asked, by who asked");
    assert_eq!(code(service.change_access(&by("one"), &change, Some(asked.id))), "ark_approval_state", "once");
    assert!(service.access().expect("open").roles.contains(&("three".to_owned(), Role::Auditor)));

    let last = Change::Revoke { caller: "two".to_owned(), role: Role::Administrator };
    let asked = service.propose(&by("one"), &Proposal::access(&last)).expect("asked").id;
    service.decide(&by("two"), asked, true).expect("approved");
    assert_eq!(code(service.change_access(&by("one"), &last, Some(asked))), "access_invalid", "two must stay");
}

#[test]
fn a_policy_is_for_a_caller_a_prefix_and_operations() {
    let (_directory, service, _root) = service();
    service.change_access(&founder(), &allow("shop", "orders", &["encrypt", "decrypt"]), None).expect("allowed");
    for (caller, key, operation, expected) in [
        ("shop", "orders", "encrypt", "ok"),
        ("shop", "orders/7", "decrypt", "ok"),
        ("shop", "order", "encrypt", "not_permitted"),
        ("shop", "orders", "sign", "not_permitted"),
        ("sho", "orders", "encrypt", "not_permitted"),
        ("test", "orders", "encrypt", "not_permitted"),
    ] {
        assert_eq!(code(service.check_policy(&by(caller), key, operation)), expected, "{caller} {key} {operation}");
    }
    for wrong in [allow("shop", "ORDERS", &["encrypt"]), allow("shop", "", &[]), allow("shop", "", &["create"])] {
        assert_ne!(code(service.change_access(&founder(), &wrong, None)), "ok", "{wrong:?}");
    }
    for caller in ["", "a b", "a\tb", "a\nb", &"x".repeat(65)] {
        assert_eq!(code(service.change_access(&founder(), &grant(caller, Role::Auditor), None)), "access_invalid");
    }
    let forbid = Change::Forbid { caller: "shop".to_owned(), prefix: "orders".to_owned() };
    service.change_access(&founder(), &forbid, None).expect("forbidden");
    assert_eq!(code(service.check_policy(&by("shop"), "orders", "encrypt")), "not_permitted");
    assert_eq!(code(service.change_access(&founder(), &forbid, None)), "access_invalid");

    let trail = service.audit(0, 1_000).expect("the trail");
    let refused = trail.iter().filter(|record| record.act.outcome == "not_permitted").count();
    assert!(refused >= 4, "refusals are in the trail: {trail:?}");
}

#[test]
fn an_approval_lapses_and_a_rejected_one_allows_nothing() {
    let (_directory, service, _root) = service();
    administrators(&service);
    let proposal = Proposal::destroy("orders", 1);
    let lapsed = service.propose(&by("one"), &proposal).expect("asked").id;
    service.decide(&by("two"), lapsed, true).expect("approved");
    let later = By { now: NOW + APPROVAL_LIFE_MS, ..by("one") };
    assert_eq!(code(service.redeem(&later, Some(lapsed), &proposal)), "ark_approval_state");
    let rejected = service.propose(&by("one"), &proposal).expect("asked").id;
    service.decide(&by("two"), rejected, false).expect("rejected");
    assert_eq!(code(service.redeem(&by("one"), Some(rejected), &proposal)), "ark_approval_state");
    assert_eq!(code(service.decide(&by("two"), rejected, true)), "ark_approval_state", "it was decided");
    assert_eq!(code(service.redeem(&by("one"), Some(99), &proposal)), "ark_approval_unknown");
    assert_eq!(code(service.redeem(&by("one"), None, &proposal)), "ark_approval_required");
}

#[test]
fn rights_survive_a_restart_and_an_altered_row_is_seen() {
    let (directory, service, root) = service();
    administrators(&service);
    let proposal = Proposal::compromised("orders");
    let asked = service.propose(&by("one"), &proposal).expect("asked").id;
    let before = service.access().expect("open");
    drop(service);
    let service = again(directory.path(), &root);
    assert_eq!(service.access().expect("open"), before);
    assert_eq!(service.approvals(10).expect("listed").len(), 1);
    drop(service);

    let alter = |sql: &str| {
        let file = Connection::open(directory.path().join(KEYS_NAME)).expect("the keys file");
        assert_eq!(file.execute(sql, []).expect("altered"), 1, "{sql}");
    };
    alter("UPDATE approval SET state = 'approved'");
    let service = again(directory.path(), &root);
    assert_eq!(code(service.redeem(&by("one"), Some(asked), &proposal)), "key_damaged");
    drop(service);
    // Who takes the administrators away does not bring the founder's time back.
    alter("UPDATE access SET text = 'founder\ttest' || char(10)");
    let service = KeyService::open(directory.path(), crate::keys::soft()).expect("sealed");
    assert_eq!(code(service.unseal(&root, &founder())), "key_damaged");
    drop(service);
    alter("DELETE FROM access");
    let service = KeyService::open(directory.path(), crate::keys::soft()).expect("sealed");
    assert_eq!(code(service.unseal(&root, &founder())), "key_damaged");
}

/// An approval that was used or rejected, and a one-time code that was used, count no more after their own rows were put
/// back as they were and the service was started again.
#[test]
fn what_counts_once_does_not_count_again_from_an_old_row() {
    let (directory, service, root) = service();
    administrators(&service);
    let proposal = Proposal::destroy("orders", 1);
    let [used, rejected] = [true, false].map(|approve| {
        let asked = service.propose(&by("one"), &proposal).expect("asked").id;
        if approve {
            service.decide(&by("two"), asked, true).expect("approved");
        }
        asked
    });
    assert!(service.use_code(&by("two"), 1_000).expect("open"), "the first time");
    assert!(!service.use_code(&by("two"), 1_000).expect("open"), "the second time");
    assert!(!service.use_code(&by("two"), 999).expect("open"), "an earlier one");
    assert!(service.use_code(&by("one"), 1_000).expect("open"), "another's");
    assert_eq!(code(service.use_code(&by("a\tb"), 1)), "access_invalid");
    drop(service);

    let file = || Connection::open(directory.path().join(KEYS_NAME)).expect("the keys file");
    file().execute_batch("CREATE TABLE kept AS SELECT * FROM approval").expect("kept");
    let service = again(directory.path(), &root);
    service.redeem(&by("one"), Some(used), &proposal).expect("approved");
    service.decide(&by("two"), rejected, false).expect("rejected");
    drop(service);
    file().execute_batch("DELETE FROM approval; INSERT INTO approval SELECT * FROM kept").expect("put back");
    let service = again(directory.path(), &root);
    assert_eq!(code(service.redeem(&by("one"), Some(used), &proposal)), "key_damaged");
    assert_eq!(code(service.decide(&by("two"), rejected, true)), "key_damaged");
    assert!(!service.use_code(&by("two"), 1_000).expect("open"), "after a restart");
    assert!(service.use_code(&by("two"), 1_001).expect("open"), "the next one");
}
