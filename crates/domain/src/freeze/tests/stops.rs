//! Stop-payments: 48 hours, and what follows.

use super::*;

fn stop(scope: impl Into<FreezeScope>) -> PlaceFreeze {
    PlaceFreeze { measure: Measure::StopPayment, ..court(scope, 1) }
}

fn tick_after(kit: &mut Kit, ms: i64) {
    kit.later(ms);
    kit.given(Command::Tick);
}

#[test]
fn a_stop_payment_bars_the_way_out_for_48_hours() {
    let (mut kit, account) = world(300);
    let id = place(&mut kit, stop(account));
    kit.restore();
    kit.fund(account, 1);
    tick_after(&mut kit, EMERGENCY_MS - 1);
    let out = pay_out(&kit, account, 301);
    kit.refused(out.clone(), RefusalCode::AccountRestricted);
    tick_after(&mut kit, 1);
    assert_eq!(status(&kit, id), FreezeStatus::Lapsed);
    kit.given(out);
}

#[test]
fn it_takes_neither_an_expiry_nor_a_renewal() {
    let (mut kit, account) = world(300);
    let expires_at = Some(kit.now.plus_ms(1));
    kit.refused(Command::PlaceFreeze(PlaceFreeze { expires_at, ..stop(account) }), RefusalCode::ValueInvalid);
    let id = place(&mut kit, stop(account));
    let longer = kit.now.plus_ms(EMERGENCY_MS + 1);
    kit.refused(renewal(renew(id, longer)), RefusalCode::FreezeState);
}

#[test]
fn a_second_one_by_the_same_authority_needs_a_freeze_between() {
    let (mut kit, account) = world(300);
    place(&mut kit, stop(account));
    kit.refused(Command::PlaceFreeze(stop(account)), RefusalCode::StopPaymentRepeated);
    place(&mut kit, PlaceFreeze { authority: "police".to_string(), ..stop(account) });
    tick_after(&mut kit, EMERGENCY_MS);
    kit.restore();
    kit.refused(Command::PlaceFreeze(stop(account)), RefusalCode::StopPaymentRepeated);
    // A freeze after the lapse counts as between, and leaves the stop-payment lapsed.
    let freeze = place(&mut kit, court(account, 5));
    let first = kit.state.freeze(FreezeId(1)).unwrap();
    assert_eq!((first.status, first.followed_by), (FreezeStatus::Lapsed, Some(freeze)));
    kit.restore();
    let again = place(&mut kit, stop(account));
    // So does a release: the authority took it back itself.
    kit.approved(release(again, None));
    place(&mut kit, stop(account));
}

#[test]
fn a_freeze_of_the_same_authority_that_covers_it_takes_over_without_a_gap() {
    let (mut kit, account) = world(300);
    let of_customer = customer(&kit, account);
    // What follows, whether it takes the stop-payment of the account over, that of the customer.
    let police = |command| PlaceFreeze { authority: "police".to_string(), ..command };
    let table: [(PlaceFreeze, bool, bool); 7] = [
        (court(account, 100), true, false),
        (court(of_customer, 100), true, true),
        (whole(account, OUT), true, false),
        (whole(account, BOTH), true, false),
        (whole(of_customer, OUT), true, true),
        (whole(account, IN), false, false),
        (police(court(account, 100)), false, false),
    ];
    for (follows, of_account, of_all) in table {
        let stops = [place(&mut kit, stop(account)), place(&mut kit, stop(of_customer))];
        let freeze = place(&mut kit, follows.clone());
        for (stop, taken_over) in stops.into_iter().zip([of_account, of_all]) {
            let expected = if taken_over { FreezeStatus::Followed } else { FreezeStatus::InForce };
            let stop = kit.state.freeze(stop).unwrap().clone();
            assert_eq!((stop.status, stop.followed_by), (expected, taken_over.then_some(freeze)), "{follows:?}");
            if !taken_over {
                kit.approved(release(stop.id, None));
            }
        }
        let authority = follows.authority.clone();
        let end = ReleaseFreeze { freeze, authority, document: "9".to_string(), amount: None, group: false };
        kit.approved(Command::ReleaseFreeze(end));
    }
}

#[test]
fn no_event_leaves_the_account_free_between_stop_payment_and_freeze() {
    let (mut kit, account) = world(300);
    place(&mut kit, stop(account));
    let before = kit.events.len();
    let mut state = kit.state.clone();
    place(&mut kit, whole(account, OUT));
    let events: Vec<_> = kit.events.get(before..).unwrap().to_vec();
    assert_eq!(events.len(), 2);
    for event in events {
        crate::event::apply(&mut state, &event);
        assert!(state.account(account, "account").unwrap().barred().out_barred, "{event:?}");
    }
}
