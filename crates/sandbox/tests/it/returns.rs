//! Payments that come back after they succeeded.

use sandbox::bank::Rail;
use serde_json::{Value, json};

use crate::faults::platform;
use crate::support::{DAY, NEXT_DAY, World, serial};

async fn returns(world: &World, date: &str) -> Vec<Value> {
    let reply = world.get(&format!("/bank/v1/returns?date={date}&rail=epcc")).await;
    assert_eq!(reply.status, 200);
    reply.json()["returns"].as_array().unwrap().clone()
}

#[tokio::test]
async fn the_nth_payment_comes_back_when_the_clock_gets_there() {
    let world = World::start("return_nth = [2]\nreturn_after_days = 1").await;
    for number in 1..=3 {
        assert_eq!(world.pay(number, 100 * i64::try_from(number).unwrap()).await.unwrap().code(), "00000000");
    }
    assert!(returns(&world, "2026-03-05").await.is_empty());

    let (status, _) = world.sandbox("clock", json!({ "date": "2026-03-06" })).await;
    assert_eq!(status, 200);
    let expected = json!({
        "serial": serial(2), "amount": 200, "currency": "CNY", "return_date": "2026-03-06",
        "reference": format!("R{}", serial(2)), "code": "50000001",
    });
    assert_eq!(returns(&world, "2026-03-06").await, [expected]);
    assert_eq!(world.state(2).await, "00000000", "the payment itself stays a success");
    let (paid, back) = (world.bank.day_totals(DAY, Rail::Epcc), world.bank.day_totals(NEXT_DAY, Rail::Epcc));
    assert_eq!((paid.out_sum, paid.in_sum, back.out_sum, back.in_sum), (600, 0, 0, 200));
    assert_eq!(world.bank.report().returned, 1);
}

#[tokio::test]
async fn without_days_it_comes_back_at_once() {
    let world = World::start("return_after_days = 0\n[pay]\nreturned = 10000").await;
    world.pay(1, 100).await.unwrap();
    assert_eq!(returns(&world, "2026-03-05").await.len(), 1);
    assert!(world.get("/bank/v1/returns?date=2026-03-05&rail=unionpay").await.json()["returns"] == json!([]));
}

#[tokio::test]
async fn a_payment_can_be_sent_back_by_hand_and_only_once() {
    let world = World::start("return_nth = [1]\nreturn_after_days = 9").await;
    world.pay(1, 100).await.unwrap();
    world.pay(2, 200).await.unwrap();
    world.debit(3, 300).await.unwrap();
    let back = |body: Value| {
        let world = world.clone();
        async move { world.sandbox("return", body).await.1["returned"].clone() }
    };
    assert_eq!(back(json!({ "serial": serial(2) })).await, 1);
    assert_eq!(back(json!({ "serial": serial(2) })).await, 0, "once");
    assert_eq!(back(json!({ "serial": serial(3) })).await, 0, "a debit is no payment");
    assert_eq!(back(json!({})).await, 1, "what the plan has chosen");
    assert_eq!(back(json!({})).await, 0);
    world.bank.set_clearing_date(jiff::civil::date(2026, 4, 1)).unwrap();
    assert_eq!((returns(&world, "2026-03-05").await.len(), world.bank.report().returned), (2, 2));
    assert_eq!(world.sandbox("return", json!({ "serial": "42" })).await.0, 400);
}

#[tokio::test]
async fn twice_lists_and_tells_a_return_twice_but_books_it_once() {
    let (url, mut told) = platform().await;
    let plan = "return_nth = [1]\nreturn_after_days = 0\n[pay]\ntwice = 10000";
    let world = World::start_with(plan, 1, Some(url)).await;
    world.pay(1, 100).await.unwrap();
    let listed = returns(&world, "2026-03-05").await;
    assert_eq!((listed.len(), &listed[0]), (2, &listed[1]));
    assert_eq!(world.bank.day_totals(DAY, Rail::Epcc).in_count, 1);
    let mut events = Vec::new();
    for _ in 0..4 {
        events.push(told.recv().await.unwrap().1["event"].as_str().unwrap().to_owned());
    }
    events.sort();
    assert_eq!(events, ["answered", "answered", "returned", "returned"]);
}
