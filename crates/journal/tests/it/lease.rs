//! The lease: one holder, by the database's clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use journal::Lease;

use crate::cluster::{Cluster, cluster};
use crate::server::Schema;

const LONG: Duration = Duration::from_secs(600);

fn lease(schema: &Schema, holder: &str, length: Duration) -> Lease {
    Lease::new(schema.config.clone(), holder, length).unwrap()
}

fn two(cluster: &Cluster, length: Duration) -> (Schema, Lease, Lease) {
    let schema = Schema::new(cluster);
    let (one, other) = (lease(&schema, "one", length), lease(&schema, "other", LONG));
    (schema, one, other)
}

#[test]
fn one_holds_it_until_it_lets_go() {
    let Some(cluster) = cluster("one_holds_it_until_it_lets_go") else { return };
    let (_schema, mut one, mut other) = two(cluster, LONG);
    assert_eq!(one.held_until(), None);
    let until = one.acquire().unwrap().expect("nobody holds it");
    assert!(until <= Instant::now() + LONG && until > Instant::now());
    assert_eq!(other.acquire().unwrap(), None);
    assert!(one.renew().unwrap().unwrap() >= until);
    one.release().unwrap();
    assert_eq!((one.held_until(), one.renew().unwrap()), (None, None));
    assert!(other.acquire().unwrap().is_some());
    assert_eq!(one.acquire().unwrap(), None);
}

#[test]
fn what_expired_another_takes_and_the_first_has_lost() {
    let Some(cluster) = cluster("what_expired_another_takes") else { return };
    let (_schema, mut one, mut other) = two(cluster, Duration::ZERO);
    assert!(one.acquire().unwrap().unwrap() <= Instant::now(), "of no use to its holder");
    assert!(other.acquire().unwrap().is_some());
    assert_eq!(one.renew().unwrap(), None);
    assert_eq!(one.held_until(), None);
    assert!(other.renew().unwrap().is_some());
}

#[test]
fn a_node_that_starts_again_takes_its_own_lease_back() {
    let Some(cluster) = cluster("a_node_that_starts_again") else { return };
    let (schema, mut one, mut other) = two(cluster, LONG);
    one.acquire().unwrap().unwrap();
    let mut again = lease(&schema, "one", LONG);
    assert!(again.acquire().unwrap().is_some());
    assert_eq!(one.renew().unwrap(), None, "of the two, the earlier has lost");
    assert_eq!(other.acquire().unwrap(), None);
}

#[test]
fn the_databases_clock_can_be_read() {
    let Some(cluster) = cluster("the_databases_clock_can_be_read") else { return };
    let (_schema, mut one, _other) = two(cluster, LONG);
    let here = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let there = u128::try_from(one.database_time_ms().unwrap()).unwrap();
    assert!(here.abs_diff(there) < 60_000, "one machine, one clock: {here} and {there}");
}
