//! Freezes: scopes and measures, renewal, release, who did what; stops, queues and deductions in files of their own.

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::account::{Account, Owner};
use crate::book::Subject;
use crate::command::{Command, Reply};
use crate::payout::{CancelReason, CreatePayout, PayTo, PayoutStatus};
use crate::testkit::{Kit, court};
use crate::voucher::{BusinessNumber, Entry, EventCode, PostVoucher};

mod deductions;
mod groups;
mod property;
mod queues;
mod stops;

const CNY: Currency = Currency::Cny;
const IN: Restriction = Restriction { in_barred: true, out_barred: false };
const OUT: Restriction = Restriction { in_barred: false, out_barred: true };
const BOTH: Restriction = Restriction { in_barred: true, out_barred: true };

/// A person with `balance` on a 2201.
fn world(balance: Minor) -> (Kit, AccountId) {
    let mut kit = Kit::new();
    let user = kit.user();
    let account = kit.account(Subject::Personal, Owner::User(user));
    if balance > 0 {
        kit.fund(account, balance);
    }
    (kit, account)
}

/// The customer of an account.
fn customer(kit: &Kit, account: AccountId) -> CustomerId {
    kit.state.customer_of(row(kit, account).owner).unwrap()
}

/// Another 2201 of the same person.
fn sibling(kit: &mut Kit, account: AccountId, balance: Minor) -> AccountId {
    let sibling = kit.account(Subject::Personal, row(kit, account).owner);
    if balance > 0 {
        kit.fund(sibling, balance);
    }
    sibling
}

#[track_caller]
fn place(kit: &mut Kit, command: PlaceFreeze) -> FreezeId {
    let Reply::Freeze(id) = kit.given(Command::PlaceFreeze(command)) else { panic!("a freeze was placed") };
    id
}

fn whole(scope: impl Into<FreezeScope>, bars: Restriction) -> PlaceFreeze {
    PlaceFreeze { measure: Measure::Whole(bars), ..court(scope, 1) }
}

fn release(freeze: FreezeId, amount: Option<Minor>) -> Command {
    let (authority, document) = ("district court".to_string(), "2026-0002".to_string());
    Command::ReleaseFreeze(ReleaseFreeze { freeze, authority, document, amount, group: false })
}

fn renew(freeze: FreezeId, expires_at: Time) -> RenewFreeze {
    let (authority, document) = ("district court".to_string(), "2026-0003".to_string());
    RenewFreeze { freeze, authority, document, expires_at }
}

fn renewal(command: RenewFreeze) -> Command {
    Command::Freeze(FreezeCommand::Renew(command))
}

fn transfer(from: AccountId, to: AccountId, amount: Minor) -> Command {
    Command::PostVoucher(PostVoucher {
        business: BusinessNumber::Text("move".into()),
        event: EventCode::Transfer,
        date: None,
        entries: vec![Entry::debit(from, amount, CNY), Entry::credit(to, amount, CNY)],
        dimensions: None,
    })
}

fn pay_out(kit: &Kit, account: AccountId, amount: Minor) -> Command {
    transfer(account, kit.state.institution(Subject::ClearingEpcc, CNY).unwrap(), amount)
}

fn pay_in(kit: &Kit, account: AccountId, amount: Minor) -> Command {
    transfer(kit.state.institution(Subject::ClearingEpcc, CNY).unwrap(), account, amount)
}

fn row(kit: &Kit, account: AccountId) -> &Account {
    kit.state.account(account, "account").unwrap()
}

fn available(kit: &Kit, account: AccountId) -> Minor {
    kit.state.available(row(kit, account))
}

fn status(kit: &Kit, freeze: FreezeId) -> FreezeStatus {
    kit.state.freeze(freeze).unwrap().status
}

/// What a freeze bites on now, all accounts together.
fn bites(kit: &Kit, freeze: FreezeId) -> Minor {
    kit.state.bites(kit.state.freeze(freeze).unwrap()).iter().map(|bite| bite.amount).sum()
}

#[test]
fn placing_and_releasing_write_no_voucher() {
    let (mut kit, account) = world(300);
    let before = row(&kit, account).entries;
    let id = place(&mut kit, court(account, 200));
    kit.approved(release(id, None));
    assert_eq!((row(&kit, account).entries, row(&kit, account).rare.frozen), (before, 0));
}

#[test]
fn parts_are_released_by_the_same_authority_until_nothing_is_left() {
    let (mut kit, account) = world(300);
    let id = place(&mut kit, court(account, 200));
    kit.approved(release(id, Some(150)));
    assert_eq!((kit.state.freeze(id).unwrap().frozen(), available(&kit, account)), (50, 250));
    let refused = |kit: &mut Kit, command, code| {
        assert_eq!(kit.when_approved(command).unwrap_err().code, code);
    };
    refused(&mut kit, release(id, Some(51)), RefusalCode::ValueInvalid);
    refused(&mut kit, release(id, Some(0)), RefusalCode::AmountNotPositive);
    let order = |authority: &str, document: &str| {
        let (authority, document) = (authority.to_string(), document.to_string());
        Command::ReleaseFreeze(ReleaseFreeze { freeze: id, authority, document, amount: None, group: false })
    };
    refused(&mut kit, order("tax office", "1"), RefusalCode::AuthorityMismatch);
    refused(&mut kit, order("district court", " "), RefusalCode::ValueInvalid);
    kit.restore();
    kit.approved(release(id, None));
    assert_eq!(status(&kit, id), FreezeStatus::Released);
    refused(&mut kit, release(id, None), RefusalCode::FreezeState);
    refused(&mut kit, release(FreezeId(9), None), RefusalCode::FreezeUnknown);
}

#[test]
fn a_release_takes_two_people_and_every_change_keeps_who_did_it() {
    let (mut kit, account) = world(300);
    let expires_at = Some(kit.now.plus_ms(1_000));
    let id = place(&mut kit, PlaceFreeze { expires_at, ..court(account, 200) });
    kit.refused(release(id, None), RefusalCode::ApprovalRequired);
    kit.later(10);
    let later = kit.now.plus_ms(5_000);
    kit.given(renewal(renew(id, later)));
    kit.approved(release(id, Some(150)));
    kit.later(5_000);
    kit.given(Command::Tick);
    let freeze = kit.state.freeze(id).unwrap();
    let told = |change: &FreezeChange| {
        let FreezeChange { what, at, operator, approver, document } = change.clone();
        (what, at.0 - freeze.placed_at.0, operator, approver, document)
    };
    let text = |text: &str| Some(text.to_string());
    let expected = [
        (Change::Placed, 0, "tester".to_string(), None, text("2026-0001")),
        (Change::Renewed { expires_at: later }, 10, "tester".to_string(), None, text("2026-0003")),
        (Change::Released { amount: 150 }, 10, "maker".to_string(), text("checker"), text("2026-0002")),
        (Change::Expired, 5_010, "tester".to_string(), None, None),
    ];
    assert_eq!(freeze.changes.iter().map(told).collect::<Vec<_>>(), expected);
    assert_eq!((freeze.amount, freeze.released, freeze.expired, freeze.frozen()), (200, 150, 50, 0));
}

#[test]
fn a_freeze_ends_at_its_expiry_and_not_before() {
    let (mut kit, account) = world(300);
    let expires_at = Some(kit.now.plus_ms(1_000));
    let id = place(&mut kit, PlaceFreeze { expires_at, ..court(account, 200) });
    let released = place(&mut kit, PlaceFreeze { expires_at, ..court(account, 10) });
    kit.approved(release(released, None));
    kit.restore();
    kit.later(999);
    kit.given(Command::Tick);
    assert_eq!(row(&kit, account).rare.frozen, 200);
    kit.later(1);
    kit.given(Command::Tick);
    assert_eq!((row(&kit, account).rare.frozen, available(&kit, account)), (0, 300));
    assert_eq!(status(&kit, id), FreezeStatus::Expired);
    assert_eq!(status(&kit, released), FreezeStatus::Released);
    assert_eq!(kit.when_approved(release(id, None)).unwrap_err().code, RefusalCode::FreezeState);
}

#[test]
fn a_freeze_is_renewed_before_its_expiry_and_not_after() {
    let (mut kit, account) = world(300);
    let (soon, late) = (kit.now.plus_ms(1_000), kit.now.plus_ms(9_000));
    let first = place(&mut kit, PlaceFreeze { expires_at: Some(soon), ..court(account, 300) });
    let second = place(&mut kit, court(account, 300));
    for (command, code) in [
        (RenewFreeze { authority: "tax office".to_string(), ..renew(first, late) }, RefusalCode::AuthorityMismatch),
        (RenewFreeze { document: String::new(), ..renew(first, late) }, RefusalCode::ValueInvalid),
        (renew(first, soon), RefusalCode::ValueInvalid),
        (renew(second, late), RefusalCode::FreezeState),
        (renew(FreezeId(9), late), RefusalCode::FreezeUnknown),
    ] {
        kit.refused(renewal(command), code);
    }
    kit.given(renewal(renew(first, late)));
    kit.later(1_000);
    kit.given(Command::Tick);
    assert_eq!((bites(&kit, first), bites(&kit, second)), (300, 0), "the old time means nothing now");
    kit.later(8_000);
    kit.refused(renewal(renew(first, kit.now.plus_ms(9_000))), RefusalCode::FreezeState);
    kit.given(Command::Tick);
    assert_eq!((bites(&kit, first), bites(&kit, second)), (0, 300), "the next in the queue bites");
    kit.refused(renewal(renew(first, kit.now.plus_ms(9_000))), RefusalCode::FreezeState);
}

#[test]
fn whole_freezes_bar_their_ways_and_releasing_one_does_not_lift_another() {
    let (mut kit, account) = world(300);
    let of_customer = customer(&kit, account);
    let risk = |restriction| Command::RestrictAccount { account, restriction };
    // (step, way in barred, way out barred)
    let first = place(&mut kit, whole(account, OUT));
    let second = place(&mut kit, whole(of_customer, BOTH));
    kit.given(risk(OUT));
    let barred = |kit: &mut Kit, expected: (bool, bool)| {
        let (into, out) = (pay_in(kit, account, 1), pay_out(kit, account, 1));
        let refused = |kit: &mut Kit, command| match kit.when(command) {
            Ok(_) => false,
            Err(refusal) => {
                assert_eq!(refusal.code, RefusalCode::AccountRestricted);
                true
            }
        };
        assert_eq!((refused(kit, into), refused(kit, out)), expected);
        let expires_at = kit.now.plus_ms(1);
        let hold = crate::hold::PlaceHold { account, amount: 1, currency: CNY, expires_at };
        match kit.when(Command::PlaceHold(hold)) {
            Ok(Reply::Hold(hold)) => {
                assert!(!expected.1);
                kit.given(Command::CancelHold(hold));
            }
            other => assert_eq!((other.unwrap_err().code, expected.1), (RefusalCode::AccountRestricted, true)),
        }
    };
    barred(&mut kit, (true, true));
    kit.approved(release(second, None));
    barred(&mut kit, (false, true));
    kit.given(risk(Restriction::default()));
    kit.restore();
    barred(&mut kit, (false, true));
    assert_eq!(kit.when_approved(release(first, Some(1))).unwrap_err().code, RefusalCode::ValueInvalid);
    kit.approved(release(first, None));
    barred(&mut kit, (false, false));
}

#[test]
fn a_refusal_names_who_bars() {
    let (mut kit, account) = world(300);
    let of_customer = customer(&kit, account);
    let frozen = place(&mut kit, whole(of_customer, OUT));
    let out = pay_out(&kit, account, 1);
    let message = kit.when(out.clone()).unwrap_err().message;
    assert_eq!(
        message,
        "acc_14 is restricted: no money may go out; frz_1 of 'district court' bars it until that authority releases it"
            .replace("acc_14", &alloc::format!("{account}"))
    );
    assert_eq!(frozen, FreezeId(1));
    kit.given(Command::RestrictAccount { account, restriction: OUT });
    let message = kit.when(out).unwrap_err().message;
    assert!(message.ends_with("the institution restricted it; lift the restriction first"), "{message}");
}

#[test]
fn a_new_account_of_a_customer_that_is_frozen_as_a_whole_is_barred_from_birth() {
    let (mut kit, account) = world(300);
    let of_customer = customer(&kit, account);
    let id = place(&mut kit, whole(of_customer, OUT));
    let born = sibling(&mut kit, account, 50);
    let deposit = kit.account(Subject::GuaranteeDeposit, row(&kit, account).owner);
    kit.restore();
    let out = pay_out(&kit, born, 1);
    kit.refused(out.clone(), RefusalCode::AccountRestricted);
    kit.fund(deposit, 5);
    let guarantee = pay_out(&kit, deposit, 5);
    kit.given(guarantee);
    kit.approved(release(id, None));
    kit.given(out);
}

#[test]
fn placing_cancels_the_unsent_payouts_of_every_account_in_scope() {
    let table = [(court(AccountId(0), 1).measure, true), (Measure::StopPayment, true)];
    let wholes = [(Measure::Whole(OUT), true), (Measure::Whole(IN), false)];
    for (measure, cancels) in table.into_iter().chain(wholes) {
        let mut kit = Kit::new();
        let merchant = kit.landlord();
        let of_customer = kit.state.merchant(merchant).unwrap().customer;
        let company = kit.account(Subject::Company, Owner::Merchant(merchant));
        let accounts = [kit.state.merchant(merchant).unwrap().available, company];
        let payouts = accounts.map(|account| {
            kit.fund(account, 100);
            let (to, send_now) = (PayTo::Settlement, false);
            let create =
                CreatePayout { account, to, amount: 10, fee: 0, currency: CNY, send_now, bank: None, channel: None };
            let Reply::Payout(id) = kit.given(Command::CreatePayout(create)) else { panic!("a payout was created") };
            id
        });
        place(&mut kit, PlaceFreeze { measure, ..court(of_customer, 1) });
        for payout in payouts {
            let payout = kit.state.payout(payout).unwrap();
            let expected = if cancels {
                (PayoutStatus::Cancelled, Some(CancelReason::Frozen))
            } else {
                (PayoutStatus::Held, None)
            };
            assert_eq!((payout.status, payout.cancelled), expected, "{measure:?}");
        }
    }
}

#[test]
fn a_frozen_account_does_not_close() {
    for measure in [court(AccountId(0), 200).measure, Measure::Whole(IN), Measure::StopPayment] {
        let (mut kit, account) = world(0);
        let id = place(&mut kit, PlaceFreeze { measure, ..court(account, 1) });
        kit.refused(Command::CloseAccount(account), RefusalCode::AccountNotEmpty);
        kit.approved(release(id, None));
        kit.given(Command::CloseAccount(account));
    }
}

#[test]
fn a_closed_account_is_out_of_its_customers_scope() {
    let (mut kit, account) = world(0);
    let other = sibling(&mut kit, account, 70);
    kit.given(Command::CloseAccount(account));
    let of_customer = customer(&kit, account);
    let id = place(&mut kit, whole(of_customer, OUT));
    let amount = place(&mut kit, court(of_customer, 50));
    assert_eq!((available(&kit, other), bites(&kit, amount)), (20, 50));
    kit.restore();
    kit.approved(release(id, None));
}

#[test]
fn bad_input_is_refused() {
    let (mut kit, account) = world(300);
    let of_customer = customer(&kit, account);
    place(&mut kit, court(account, Minor::MAX / 2 - 1));
    place(&mut kit, court(of_customer, Minor::MAX / 2 - 1));
    let own = kit.state.institution(Subject::DueToOwn, CNY).unwrap();
    let now = kit.now;
    let good = || court(account, 1);
    let usd = |scope: FreezeScope| PlaceFreeze {
        measure: Measure::Amount { amount: 1, currency: Currency::Usd },
        ..court(scope, 1)
    };
    let source =
        |voucher, place| PlaceFreeze { source: Some(SourceEntry { voucher: VoucherId(voucher), place }), ..good() };
    let last = kit.state.position;
    let table = [
        (court(account, 0), RefusalCode::AmountNotPositive),
        (court(account, 2), RefusalCode::AmountOverflow),
        (court(account, Minor::MAX), RefusalCode::AmountOverflow),
        (court(of_customer, 2), RefusalCode::AmountOverflow),
        (court(AccountId(999), 1), RefusalCode::AccountUnknown),
        (court(CustomerId(999), 1), RefusalCode::CustomerUnknown),
        (court(own, 1), RefusalCode::SubjectNotAllowed),
        (usd(account.into()), RefusalCode::CurrencyMismatch),
        (whole(account, Restriction::default()), RefusalCode::ValueInvalid),
        (PlaceFreeze { reason: String::new(), ..good() }, RefusalCode::ValueInvalid),
        (PlaceFreeze { authority: " ".to_string(), ..good() }, RefusalCode::ValueInvalid),
        (PlaceFreeze { document: "x".repeat(257), ..good() }, RefusalCode::ValueInvalid),
        (PlaceFreeze { expires_at: Some(now), ..good() }, RefusalCode::ValueInvalid),
        (source(0, 1), RefusalCode::ValueInvalid),
        (source(last + 1, 1), RefusalCode::ValueInvalid),
        (source(last, 0), RefusalCode::ValueInvalid),
        (source(last, 1_001), RefusalCode::ValueInvalid),
    ];
    for (command, code) in table {
        kit.refused(Command::PlaceFreeze(command), code);
    }
    let id = place(&mut kit, source(last, 2));
    assert_eq!(kit.state.freeze(id).unwrap().source, Some(SourceEntry { voucher: VoucherId(last), place: 2 }));
    place(&mut kit, usd(of_customer.into()));
}

/// A freeze as journals had it before there were scopes, queues and changes.
#[derive(Encode)]
struct OldFreeze<'a>(
    #[n(0)] FreezeId,
    #[n(1)] AccountId,
    #[n(2)] Minor,
    #[n(3)] Minor,
    #[n(4)] &'a str,
    #[n(5)] &'a str,
    #[n(6)] &'a str,
    #[n(7)] Option<Time>,
    #[n(8)] FreezeStatus,
    #[n(9)] Time,
);

#[test]
fn old_journals_still_freeze_release_and_expire() {
    let (kit, account) = world(300);
    let mut state = kit.state.clone();
    let status = FreezeStatus::InForce;
    for id in [1, 2] {
        let expires_at = (id == 2).then_some(Time(9));
        let old = OldFreeze(FreezeId(id), account, 100, 0, "case", "court", "1", expires_at, status, Time(1));
        let freeze: Freeze = minicbor::decode(&minicbor::to_vec(old).unwrap()).unwrap();
        assert_eq!((freeze.scope(), freeze.kind, freeze.priority), (account.into(), FreezeKind::Precise, 0));
        crate::event::apply(&mut state, &Event::FreezePlaced(freeze));
    }
    assert_eq!(state.account(account, "account").unwrap().rare.frozen, 200);
    crate::event::apply(&mut state, &Event::FreezeReleased { freeze: FreezeId(1), amount: 30 });
    crate::event::apply(&mut state, &Event::FreezeExpired(FreezeId(2)));
    assert_eq!(state.account(account, "account").unwrap().rare.frozen, 70);
    let statuses: Vec<_> = state.freezes.iter().map(|(_, freeze)| (freeze.status, freeze.frozen())).collect();
    assert_eq!(statuses, [(FreezeStatus::InForce, 70), (FreezeStatus::Expired, 0)]);
    assert!(state.timers.iter().next().is_none());
}
