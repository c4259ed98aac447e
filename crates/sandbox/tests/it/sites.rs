//! A bank at several addresses, one of which goes down and comes back.

use serde_json::json;

use crate::support::World;

/// Until new connections are taken, or refused.
async fn until_taken(world: &World, taken: bool) {
    while world.is_taken().await != taken {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_site_that_is_down_takes_no_connection_and_loses_the_answers_of_those_that_are_open() {
    let [first, second] = World::at_two_sites("").await;
    assert_eq!(first.debit(1, 100).await.unwrap().code(), "00000000");
    assert_eq!(second.sandbox("site", json!({"site": 1, "up": false})).await.0, 200);
    until_taken(&first, false).await;
    // The client still has a connection of before.
    assert!(first.debit(2, 100).await.is_none());
    assert_eq!(second.state(2).await, "00000000", "it was carried out");
    assert!(first.debit(3, 100).await.is_none());
    assert_eq!(second.state(3).await, "00000003", "it never arrived");
    assert_eq!(second.debit(3, 100).await.unwrap().code(), "00000000");

    assert_eq!(second.sandbox("site", json!({"site": 1, "up": true})).await.0, 200);
    until_taken(&first, true).await;
    assert_eq!(first.state(3).await, "00000000", "the books are the same");
    assert_eq!(first.bank.report().sent_again, 0);
}

#[tokio::test]
async fn a_plan_takes_a_site_down_and_lets_it_come_back() {
    let [first, second] = World::at_two_sites("[[outage]]\nsite = 2\nafter_ms = 0\nfor_ms = 500").await;
    until_taken(&second, false).await;
    assert!(first.is_taken().await);
    until_taken(&second, true).await;
}

#[tokio::test]
async fn a_site_that_there_is_not_is_refused_by_its_number() {
    let [first, _second] = World::at_two_sites("").await;
    for wrong in [0, 3] {
        let (status, told) = first.sandbox("site", json!({"site": wrong, "up": false})).await;
        assert_eq!((status, told["message"].as_str().unwrap().contains("has 2")), (400, true), "{told}");
    }
}
