//! What may leave a child.

use super::*;
use crate::attempt::{FailureClass, Outcome};
use crate::bulk::{BulkVoucher, PostBulk};
use crate::ids::PayoutId;
use crate::payout::{CreatePayout, PayTo, Receiver};
use crate::testkit::{declined, sealed, success};
use crate::voucher::{BusinessNumber, Entry, PostVoucher};

fn set_quota(kit: &mut Kit, link: TreeLinkId, single: Minor, day: Minor, month: Minor) {
    let limit = |amount| (amount > 0).then_some(amount);
    let quota = Some(Quota { single: limit(single), day: limit(day), month: limit(month) });
    kit.given(tree(TreeCommand::SetQuota { link, quota }));
}

fn pay(account: AccountId, amount: Minor) -> Command {
    let to =
        PayTo::Bank(Receiver { account: sealed("6222**********0002"), name: sealed("*五"), own: false, token: None });
    Command::CreatePayout(CreatePayout {
        account,
        to,
        amount,
        fee: 0,
        currency: Currency::Cny,
        send_now: false,
        bank: None,
        channel: None,
    })
}

fn hold(kit: &Kit, account: AccountId, amount: Minor) -> Command {
    let expires_at = kit.now.plus_ms(60_000);
    Command::PlaceHold(PlaceHold { account, amount, currency: Currency::Cny, expires_at })
}

fn transfer(from: AccountId, to: AccountId, amount: Minor) -> Command {
    Command::PostVoucher(PostVoucher {
        business: BusinessNumber::Text("by hand".into()),
        event: EventCode::Transfer,
        date: None,
        entries: vec![Entry::debit(from, amount, Currency::Cny), Entry::credit(to, amount, Currency::Cny)],
        dimensions: None,
    })
}

#[track_caller]
fn paid(kit: &mut Kit, command: Command) -> PayoutId {
    let Reply::Payout(id) = kit.given(command) else { panic!("a payout was created") };
    id
}

/// Used on the open day and in its month.
fn used(kit: &Kit, link: TreeLinkId) -> (Minor, Minor) {
    kit.state.tree_link(link).unwrap().used_on(kit.state.days.current().unwrap())
}

/// A branch with 50,000 under a head.
fn branch() -> (Kit, AccountId, AccountId, TreeLinkId) {
    let Group { kit, head, branches, .. } = group(&[50_000]);
    (kit, head, branches[0].0, branches[0].1)
}

#[test]
fn one_payment_a_day_and_a_month_are_limited_each_by_itself() {
    let (mut kit, _, branch, id) = branch();
    set_quota(&mut kit, id, 1_000, 1_500, 2_000);
    kit.refused(pay(branch, 1_001), RefusalCode::QuotaExceeded);
    kit.given(pay(branch, 1_000));
    kit.refused(pay(branch, 501), RefusalCode::QuotaExceeded);
    kit.given(pay(branch, 500));
    assert_eq!(used(&kit, id), (1_500, 1_500));
    kit.refused(pay(branch, 1), RefusalCode::QuotaExceeded);
    kit.on("2026-03-31");
    kit.restore();
    assert_eq!(used(&kit, id), (0, 1_500));
    kit.refused(pay(branch, 501), RefusalCode::QuotaExceeded);
    kit.given(pay(branch, 500));
    kit.on("2026-04-01");
    assert_eq!(used(&kit, id), (0, 0));
    kit.given(pay(branch, 1_000));
    assert_eq!(used(&kit, id), (1_000, 1_000));
}

#[test]
fn the_fee_counts_and_the_quota_is_of_the_child_alone() {
    let (mut kit, head, branch, id) = branch();
    set_quota(&mut kit, id, 1_000, 0, 0);
    let Command::CreatePayout(payout) = pay(branch, 1_000) else { panic!("it is a payout") };
    kit.refused(Command::CreatePayout(CreatePayout { fee: 1, ..payout }), RefusalCode::QuotaExceeded);
    kit.given(pay(head, 2_000));
}

#[test]
fn holds_and_vouchers_by_the_callers_own_words_count_and_a_holds_confirm_counts_once() {
    let (mut kit, head, branch, id) = branch();
    let stranger = company(&mut kit).1;
    set_quota(&mut kit, id, 0, 1_000, 0);
    let place = hold(&kit, branch, 400);
    let Reply::Hold(held) = kit.given(place) else { panic!("it was held") };
    kit.given(Command::ConfirmHold { hold: held, amount: Some(100), to: stranger });
    assert_eq!(used(&kit, id), (400, 400));
    kit.given(transfer(branch, stranger, 250));
    // By hand to the parent is no sweep and counts too.
    kit.given(transfer(branch, head, 50));
    assert_eq!(used(&kit, id), (700, 700));
    kit.refused(transfer(branch, stranger, 301), RefusalCode::QuotaExceeded);
    let too_much = hold(&kit, branch, 301);
    kit.refused(too_much, RefusalCode::QuotaExceeded);
    // Two entries of one voucher add up; money that comes in counts nothing.
    let both = vec![
        Entry::debit(branch, 200, Currency::Cny),
        Entry::debit(branch, 101, Currency::Cny),
        Entry::credit(stranger, 301, Currency::Cny),
    ];
    let Command::PostVoucher(voucher) = transfer(branch, stranger, 1) else { panic!("it is a voucher") };
    kit.refused(Command::PostVoucher(PostVoucher { entries: both, ..voucher }), RefusalCode::QuotaExceeded);
    kit.given(transfer(stranger, branch, 5));
    // A posting of many: the second of them leaves too little for the third.
    let voucher = |amount| BulkVoucher {
        event: EventCode::Transfer,
        entries: vec![Entry::debit(branch, amount, Currency::Cny), Entry::credit(stranger, amount, Currency::Cny)],
        dimensions: None,
    };
    let bulk = |atomic, number| PostBulk {
        stream: "rent".into(),
        number,
        fingerprint: [7; 16],
        atomic,
        date: None,
        items: [voucher(100), voucher(150), voucher(100), voucher(50)].into_iter().collect(),
    };
    kit.refused(Command::PostBulk(bulk(true, 1)), RefusalCode::QuotaExceeded);
    assert_eq!(used(&kit, id), (700, 700));
    let Reply::Bulk(reply) = kit.given(Command::PostBulk(bulk(false, 1))) else { panic!("it was posted") };
    let refused: Vec<_> = reply.refused.iter().map(|(place, refusal)| (*place, refusal.code)).collect();
    assert_eq!(refused, [(2, RefusalCode::QuotaExceeded)]);
    assert_eq!(used(&kit, id), (1_000, 1_000));
}

#[test]
fn what_a_hold_did_not_move_is_given_back() {
    let (mut kit, _, branch, id) = branch();
    let stranger = company(&mut kit).1;
    set_quota(&mut kit, id, 0, 1_000, 0);
    let place = |kit: &mut Kit, amount| {
        let command = hold(kit, branch, amount);
        let Reply::Hold(id) = kit.given(command) else { panic!("it was held") };
        id
    };
    let (cancelled, expires) = (place(&mut kit, 600), place(&mut kit, 400));
    kit.given(Command::ConfirmHold { hold: cancelled, amount: Some(150), to: stranger });
    kit.restore();
    kit.given(Command::CancelHold(cancelled));
    assert_eq!(used(&kit, id), (550, 550));
    kit.later(60_000);
    kit.given(Command::Tick);
    assert_eq!(used(&kit, id), (150, 150));
    assert!(kit.when(Command::CancelHold(expires)).is_err());
    kit.restore();
}

#[test]
fn a_payout_that_is_cancelled_or_fails_gives_all_back_and_one_that_returns_what_came_back() {
    let (mut kit, _, branch, id) = branch();
    set_quota(&mut kit, id, 0, 2_000, 0);
    let cancelled = paid(&mut kit, pay(branch, 300));
    kit.given(Command::CancelPayout(cancelled));
    assert_eq!(used(&kit, id), (0, 0));

    let Command::CreatePayout(payout) = pay(branch, 1_000) else { panic!("it is a payout") };
    let with_fee = Command::CreatePayout(CreatePayout { fee: 1, send_now: true, ..payout });
    kit.given(with_fee.clone());
    kit.answered(declined(FailureClass::Bank));
    assert_eq!(used(&kit, id), (0, 0));

    kit.given(with_fee.clone());
    kit.answered(Outcome::Unknown);
    assert_eq!(used(&kit, id), (1_001, 1_001));
    let attempt = kit.waiting().id;
    kit.answer(attempt, Outcome::NotFound);
    assert_eq!(used(&kit, id), (0, 0));

    let returned = paid(&mut kit, with_fee);
    kit.answered(success("2026-03-05"));
    assert_eq!(used(&kit, id), (1_001, 1_001));
    kit.restore();
    let reference = "RT1".to_string();
    kit.given(Command::ReturnPayout { payout: returned, reference, date: date("2026-03-06") });
    assert_eq!(used(&kit, id), (1, 1));
}

#[test]
fn what_comes_back_on_a_later_day_lifts_the_day_and_the_month_it_was_used_in() {
    let (mut kit, _, branch, id) = branch();
    set_quota(&mut kit, id, 0, 1_000, 1_500);
    let first = paid(&mut kit, pay(branch, 900));
    let second = paid(&mut kit, pay(branch, 50));
    kit.on("2026-03-30");
    kit.given(pay(branch, 500));
    // Used up in the month; the day of the first payout is over, its month is not.
    kit.refused(pay(branch, 51), RefusalCode::QuotaExceeded);
    kit.given(Command::CancelPayout(first));
    assert_eq!(used(&kit, id), (500, 550));
    kit.given(pay(branch, 500));
    kit.on("2026-04-01");
    kit.given(pay(branch, 10));
    kit.given(Command::CancelPayout(second));
    assert_eq!(used(&kit, id), (10, 10));
}

#[test]
fn sweeps_and_refunds_use_no_quota_and_are_not_refused_by_one() {
    let (mut kit, head, branch, id) = branch();
    set_quota(&mut kit, id, 10, 10, 10);
    kit.given(tree(TreeCommand::Move { link: id, movement: Movement::Sweep(40_000) }));
    assert_eq!((used(&kit, id), kit.balance(head)), ((0, 0), 140_000));
    kit.refused(pay(branch, 11), RefusalCode::QuotaExceeded);

    // A landlord's 2202 under its group: the refund of 5,000 passes a quota of 10.
    let merchant = kit.landlord();
    let order = kit.paid_rent(merchant, 500_000);
    let pending = kit.state.merchant(merchant).unwrap().pending;
    let link = linked(&kit.approved(by_agreement(head, pending)));
    set_quota(&mut kit, link, 10, 10, 10);
    kit.refund(order, 400_000, false);
    assert_eq!((used(&kit, link), kit.pending(merchant)), ((0, 0), 99_000));
}

#[test]
fn a_quota_begins_when_it_is_set_and_ends_with_its_link() {
    let (mut kit, _, branch, id) = branch();
    kit.given(pay(branch, 5_000));
    set_quota(&mut kit, id, 0, 1_000, 0);
    assert_eq!(used(&kit, id), (0, 0));
    kit.given(pay(branch, 1_000));
    kit.given(tree(TreeCommand::SetQuota { link: id, quota: None }));
    assert_eq!(account(&kit, branch).rare.quota, None);
    let free = paid(&mut kit, pay(branch, 3_000));
    set_quota(&mut kit, id, 0, 1_500, 0);
    assert_eq!(kit.state.tree_link(id).unwrap().quota_set.as_ref().unwrap().operator, "tester");
    // It remembers what it counted before; what was free then gives nothing back.
    kit.refused(pay(branch, 501), RefusalCode::QuotaExceeded);
    kit.given(Command::CancelPayout(free));
    kit.refused(pay(branch, 501), RefusalCode::QuotaExceeded);
    kit.restore();
    let charged = paid(&mut kit, pay(branch, 500));
    kit.given(tree(TreeCommand::Unlink(id)));
    assert_eq!(account(&kit, branch).rare.quota, None);
    kit.given(pay(branch, 9_000));
    kit.given(Command::CancelPayout(charged));
    let set = TreeCommand::SetQuota { link: id, quota: None };
    kit.refused(tree(set), RefusalCode::TreeLinkEnded);
}

#[test]
fn a_quota_that_limits_nothing_or_contradicts_itself_is_refused() {
    let (mut kit, _, _, id) = branch();
    for (single, day, month, code) in [
        (None, None, None, RefusalCode::ValueInvalid),
        (Some(0), None, None, RefusalCode::AmountNotPositive),
        (None, Some(-1), None, RefusalCode::AmountNotPositive),
        (Some(10), Some(9), None, RefusalCode::ValueInvalid),
        (Some(10), None, Some(9), RefusalCode::ValueInvalid),
        (None, Some(10), Some(9), RefusalCode::ValueInvalid),
    ] {
        let quota = Some(Quota { single, day, month });
        kit.refused(tree(TreeCommand::SetQuota { link: id, quota }), code);
    }
}
