//! Large change sets: written in chunks, all of them there, and how fast.
#![expect(clippy::print_stdout, reason = "the test says how fast it was")]

use std::time::Instant;

use domain::user::User;
use store::user::UserFilter;
use store::{list, recovery};

use crate::place::{Place, on_both};
use crate::world::World;

on_both! {
    ten_thousand_rows_go_in_one_checkpoint
}

const ROWS: u64 = 10_000;

fn ten_thousand_rows_go_in_one_checkpoint(place: &Place) {
    let database = place.open();
    let mut world = World::new();
    world.store(&database);
    let customer = world.customer(domain::customer::CustomerKind::Person);
    for number in 0..ROWS {
        world.user(customer, &format!("product {number}"));
    }
    let changes = world.state.take_changes();
    let began = Instant::now();
    world.commit(&database, &changes).unwrap();
    let inserted = began.elapsed();
    // The same rows once more, now in place of themselves.
    world.user(customer, "one more");
    let began = Instant::now();
    world.commit(&database, &changes).unwrap();
    let updated = began.elapsed();
    let began = Instant::now();
    let loaded = recovery::load_all(&database).unwrap();
    let read = began.elapsed();
    let rate = |elapsed: std::time::Duration| u128::from(ROWS) * 1_000_000 / elapsed.as_micros().max(1);
    println!("{}: {} rows/s inserted, {} updated, {} loaded", place.name(), rate(inserted), rate(updated), rate(read));
    assert_eq!(loaded.rows.users.len() as u64, ROWS);
    let last: User =
        list(&database, &UserFilter { product: Some("product 9999".into()), ..Default::default() }, None, 2)
            .unwrap()
            .data
            .remove(0);
    assert_eq!(last.id.0, ROWS);
}
