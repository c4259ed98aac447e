//! Deliveries: written with the checkpoint, one at a time of an object, given up, told again, forgotten, carried over.

use domain::envelope::Time;
use domain::ids::{MerchantId, OrderId, WebhookId};
use domain::money::Currency;
use domain::state::Changes;
use domain::webhook::{Announced, Announcement, WebhookKind};
use store::webhook_delivery::{self as deliveries, Attempt, DeliveryFilter, DeliveryId, DeliveryState, Next, Tried};
use store::{Database, StoreError};

use crate::place::{Place, on_both};
use crate::world::World;

on_both! {
    of_an_object_the_earliest_is_ready_and_the_next_follows_when_it_ended
    a_commit_sent_again_writes_no_delivery_twice
    a_try_is_written_down_and_a_replayed_delivery_is_new_again
    what_is_overdue_or_of_a_removed_webhook_is_given_up
    what_ended_long_ago_is_forgotten
    a_journal_read_anew_tells_nothing_old_again
    states_are_carried_to_a_store_that_was_rebuilt
    a_damaged_row_is_refused_by_name
}

const HOOK: WebhookId = WebhookId(1);

fn told(order: u64, position: u64, at: i64) -> Announcement {
    let object = Announced::Order {
        id: OrderId(order),
        out_trade_no: format!("T{order}"),
        amount: 5_000,
        fee: 10,
        currency: Currency::Cny,
        failure: None,
        close_reason: None,
        fee_on_top: None,
    };
    Announcement {
        webhook: HOOK,
        merchant: MerchantId(1),
        position,
        kind: WebhookKind::OrderPaid,
        at: Time(at),
        object,
    }
}

/// A store with these announcements, each an order and a position, of now, behind the first checkpoint.
fn with(place: &Place, rows: &[(u64, u64)]) -> (Database, World) {
    let database = place.open();
    let mut world = World::full();
    world.store(&database);
    add(&database, &mut world, rows);
    (database, world)
}

fn add(database: &Database, world: &mut World, rows: &[(u64, u64)]) {
    let at = world.state.now.0;
    let announced = rows.iter().map(|(order, position)| told(*order, *position, at)).collect();
    world.commit(database, &Changes { announced, ..Changes::default() }).unwrap();
}

fn id(position: u64) -> DeliveryId {
    DeliveryId { webhook: HOOK, position }
}

fn state(database: &Database, position: u64) -> DeliveryState {
    deliveries::get(database, id(position)).unwrap().unwrap().0.state
}

fn tried(position: u64, number: u32, next: Next) -> Tried {
    let status = if next == Next::Accepted { Some(200) } else { None };
    let error = if next == Next::Accepted { String::new() } else { "timed out".into() };
    Tried { id: id(position), attempt: Attempt { number, at: 1_000, status, duration_ms: 7, error }, next }
}

fn ready(database: &Database) -> Vec<u64> {
    deliveries::ready(database, HOOK, 10).unwrap().iter().map(|row| row.announcement.position).collect()
}

fn of_an_object_the_earliest_is_ready_and_the_next_follows_when_it_ended(place: &Place) {
    let (database, _) = with(place, &[(1, 10), (1, 12), (2, 11), (1, 13)]);
    assert_eq!(ready(&database), []);
    assert_eq!(deliveries::admit(&database, 500, 3).unwrap(), [(HOOK, MerchantId(1)); 3]);
    assert_eq!(deliveries::admit(&database, 501, 3).unwrap().len(), 1);
    assert_eq!((ready(&database), state(&database, 12)), (vec![10, 11], DeliveryState::Behind));
    assert_eq!(deliveries::lanes(&database).unwrap(), [(HOOK, MerchantId(1), 500)]);

    // A failure keeps the others waiting; acceptance and giving up let the next one go.
    deliveries::record(&database, &[tried(10, 1, Next::Again { at: 900 })]).unwrap();
    assert_eq!(ready(&database), [11, 10]);
    deliveries::record(&database, &[tried(10, 2, Next::Accepted), tried(11, 1, Next::GivenUp)]).unwrap();
    assert_eq!((ready(&database), state(&database, 11)), (vec![12], DeliveryState::GivenUp));
    assert_eq!(state(&database, 13), DeliveryState::Behind);

    // Told again, an earlier one goes before those that are outstanding.
    assert_eq!(deliveries::replay(&database, id(10)).unwrap(), Some(true));
    deliveries::admit(&database, 600, 9).unwrap();
    assert_eq!((ready(&database), state(&database, 12)), (vec![10], DeliveryState::Behind));
    // One that was under way meanwhile and was not taken waits behind it again.
    deliveries::record(&database, &[tried(12, 1, Next::Again { at: 1 })]).unwrap();
    assert_eq!(ready(&database), [10]);
    assert_eq!(deliveries::outstanding(&database).unwrap(), (3, Some(500)));
}

fn a_commit_sent_again_writes_no_delivery_twice(place: &Place) {
    let (database, mut world) = with(place, &[(1, 10)]);
    deliveries::admit(&database, 500, 9).unwrap();
    deliveries::record(&database, &[tried(10, 1, Next::Accepted)]).unwrap();
    add(&database, &mut world, &[(1, 10)]);
    assert_eq!(
        (state(&database, 10), deliveries::admit(&database, 501, 9).unwrap()),
        (DeliveryState::Accepted, vec![])
    );
}

fn a_try_is_written_down_and_a_replayed_delivery_is_new_again(place: &Place) {
    let (database, world) = with(place, &[(1, 10), (2, 11)]);
    deliveries::admit(&database, 500, 9).unwrap();
    let first = tried(10, 1, Next::Again { at: 2_000 });
    let second = tried(10, 2, Next::Accepted);
    deliveries::record(&database, &[first.clone(), second.clone()]).unwrap();
    let (row, attempts) = deliveries::get(&database, id(10)).unwrap().unwrap();
    assert_eq!((row.attempts, row.since, row.ended_at), (2, Some(500), Some(1_007)));
    assert_eq!((attempts, &row.announcement), (vec![first.attempt, second.attempt], &told(1, 10, world.state.now.0)));

    assert_eq!(deliveries::replay(&database, id(11)).unwrap(), Some(false), "it is outstanding");
    assert_eq!(deliveries::replay(&database, id(99)).unwrap(), None);
    assert_eq!(deliveries::replay_since(&database, HOOK, world.state.now.0 + 1).unwrap(), 0);
    assert_eq!(deliveries::replay_since(&database, HOOK, world.state.now.0).unwrap(), 1);
    assert_eq!(state(&database, 10), DeliveryState::New);
    deliveries::admit(&database, 700, 9).unwrap();
    let (row, _) = deliveries::get(&database, id(10)).unwrap().unwrap();
    assert_eq!((row.since, row.attempts, row.ended_at), (Some(700), 2, None), "its time begins anew, its tries go on");

    let filter =
        |state, object: Option<&str>| DeliveryFilter { webhook: HOOK, state, object: object.map(str::to_owned) };
    let listed = |filter: &DeliveryFilter, before| -> Vec<u64> {
        let page = deliveries::list(&database, filter, before, 10).unwrap();
        page.iter().map(|row| row.announcement.position).collect()
    };
    assert_eq!(listed(&filter(None, None), None), [11, 10]);
    assert_eq!(listed(&filter(None, None), Some(11)), [10]);
    assert_eq!(listed(&filter(Some(DeliveryState::Ready), Some("ord_2")), None), [11]);
    assert_eq!(listed(&filter(Some(DeliveryState::Accepted), None), None), []);
}

fn what_is_overdue_or_of_a_removed_webhook_is_given_up(place: &Place) {
    let (database, mut world) = with(place, &[(1, 10), (1, 11)]);
    deliveries::admit(&database, 500, 9).unwrap();
    add(&database, &mut world, &[(2, 12)]);
    deliveries::admit(&database, 600, 9).unwrap();
    assert_eq!(deliveries::give_up(&database, HOOK, Some(499), 900, 9).unwrap(), 0);
    assert_eq!(deliveries::give_up(&database, HOOK, Some(500), 900, 9).unwrap(), 1);
    assert_eq!(ready(&database), [11, 12], "the one behind it is ready, and overdue itself");
    assert_eq!(deliveries::give_up(&database, HOOK, Some(500), 900, 9).unwrap(), 1);
    add(&database, &mut world, &[(3, 13)]);
    assert_eq!(deliveries::give_up(&database, HOOK, None, 950, 9).unwrap(), 2);
    assert_eq!(deliveries::outstanding(&database).unwrap(), (0, None));
    // A try that was under way tells what it came to, and changes nothing unless the receiver took it.
    deliveries::record(&database, &[tried(12, 1, Next::Again { at: 1 }), tried(13, 1, Next::Accepted)]).unwrap();
    assert_eq!([12, 13].map(|at| state(&database, at)), [DeliveryState::GivenUp, DeliveryState::Accepted]);
}

fn what_ended_long_ago_is_forgotten(place: &Place) {
    let (database, _) = with(place, &[(1, 10), (2, 11), (3, 12)]);
    deliveries::admit(&database, 500, 9).unwrap();
    deliveries::record(&database, &[tried(10, 1, Next::Accepted), tried(11, 1, Next::GivenUp)]).unwrap();
    assert_eq!(deliveries::forget(&database, 1_007, 9).unwrap(), 0);
    assert_eq!(deliveries::forget(&database, 1_008, 1).unwrap(), 1);
    assert_eq!(deliveries::forget(&database, 1_008, 9).unwrap(), 1);
    assert_eq!(deliveries::get(&database, id(10)).unwrap(), None);
    assert_eq!(
        (state(&database, 12), database.query("SELECT number FROM webhook_attempts", &[]).unwrap().len()),
        (DeliveryState::Ready, 0)
    );
}

fn a_journal_read_anew_tells_nothing_old_again(place: &Place) {
    let database = place.open();
    let mut world = World::full();
    let now = world.state.now.0;
    let announced = vec![told(1, 1, now - 86_400_001), told(2, 2, now - 86_400_000)];
    let changes = Changes { announced, ..world.state.take_changes() };
    world.commit(&database, &changes).unwrap();
    assert_eq!([1, 2].map(|at| state(&database, at)), [DeliveryState::GivenUp, DeliveryState::New]);
    // Behind the first checkpoint an event is new, however old: the platform may have stood still.
    let announced = vec![told(3, 3, now - 9 * 86_400_000)];
    world.commit(&database, &Changes { announced, ..Changes::default() }).unwrap();
    assert_eq!(state(&database, 3), DeliveryState::New);
    assert_eq!(deliveries::settle_rebuilt(&database).unwrap(), 1, "but to a rebuild, which reads it all anew");
}

fn states_are_carried_to_a_store_that_was_rebuilt(place: &Place) {
    let (old, mut world) = with(place, &[(1, 10), (1, 11), (2, 12), (3, 13)]);
    deliveries::admit(&old, 500, 9).unwrap();
    deliveries::record(&old, &[tried(10, 1, Next::Accepted), tried(12, 1, Next::GivenUp)]).unwrap();
    assert_eq!(deliveries::forget(&old, 1_008, 1).unwrap(), 1);
    let seen = store::checkpoint::latest(&old).unwrap().unwrap().position;

    let another = Place::sqlite();
    let new = another.open();
    world.previous = None;
    let announced = [(1, 10), (1, 11), (2, 12), (3, 13), (4, seen + 1)];
    add(&new, &mut world, &announced);
    deliveries::carry(&old, &new).unwrap();
    let states = [10, 11, 12, 13, seen + 1].map(|at| deliveries::get(&new, id(at)).unwrap().map(|row| row.0.state));
    let [accepted, ready, given_up] = [None, Some(DeliveryState::Ready), Some(DeliveryState::GivenUp)];
    assert_eq!(states, [accepted, ready, given_up, ready, Some(DeliveryState::New)]);
    assert_eq!(deliveries::get(&new, id(12)).unwrap(), deliveries::get(&old, id(12)).unwrap());
}

fn a_damaged_row_is_refused_by_name(place: &Place) {
    let (database, _) = with(place, &[(1, 10)]);
    deliveries::admit(&database, 500, 9).unwrap();
    database
        .execute("UPDATE webhook_deliveries SET checksum = $1 WHERE position = $2", &[1.into(), 10.into()])
        .unwrap();
    let refused = deliveries::ready(&database, HOOK, 10).unwrap_err();
    assert!(matches!(&refused, StoreError::Corrupt { id, .. } if id == "whd_10_1"), "{refused}");
}
