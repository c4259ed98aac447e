//! The bank is exactly right: one operation a serial number, files that equal the ledger, the same under one seed.

use std::collections::BTreeMap;

use sandbox::bank::{DEFAULT_PLAN, LINES_MAX, Rail};
use serde_json::json;

use crate::support::{DAY, NEXT_DAY, World, key, serial};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_serial_number_posted_fifty_times_at_once_is_done_once() {
    let world = World::start("").await;
    let asked: Vec<_> = (0..50)
        .map(|_| {
            let world = world.clone();
            tokio::spawn(async move { world.debit(1, 500).await.unwrap().code() })
        })
        .collect();
    let mut codes = BTreeMap::new();
    for task in asked {
        *codes.entry(task.await.unwrap()).or_insert(0) += 1;
    }
    assert_eq!(codes, BTreeMap::from([("00000000".to_owned(), 1), ("00000002".to_owned(), 49)]));
    assert_eq!((world.bank.day_totals(DAY, Rail::Epcc).in_sum, world.bank.report().sent_again), (500, 49));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refunds_at_once_take_no_more_than_there_is() {
    let world = World::start("").await;
    world.debit(1, 1_000).await.unwrap();
    let asked: Vec<_> = (2..22)
        .map(|number| {
            let world = world.clone();
            tokio::spawn(async move { world.refund(number, 300, 1).await.unwrap().code() })
        })
        .collect();
    let mut done = 0;
    for task in asked {
        match task.await.unwrap().as_str() {
            "00000000" => done += 1,
            code => assert_eq!(code, "40000003"),
        }
    }
    assert_eq!((done, world.bank.day_totals(DAY, Rail::Epcc).out_sum), (3, 900));
}

#[tokio::test]
async fn what_is_held_is_captured_released_and_refunded() {
    let world = World::start("").await;
    let code = |verb: &'static str, number, amount, original| {
        let world = world.clone();
        async move { world.fund(verb, number, amount, original).await.unwrap().code() }
    };
    assert_eq!(code("hold", 1, 1_000, 0).await, "00000000");
    assert_eq!(code("capture", 2, 700, 1).await, "00000000");
    assert_eq!(code("capture", 3, 301, 1).await, "40000003");
    assert_eq!(code("release", 4, 300, 1).await, "00000000");
    assert_eq!(code("release", 5, 1, 1).await, "40000003");
    assert_eq!(code("refund", 6, 700, 2).await, "00000000");
    assert_eq!(code("refund", 7, 1, 2).await, "40000003");
    assert_eq!(code("refund", 8, 1, 1).await, "40000002", "a hold was not paid");
    assert_eq!(code("capture", 9, 1, 2).await, "40000002", "a capture holds nothing");
    let totals = world.bank.day_totals(DAY, Rail::Fund);
    assert_eq!((totals.in_count, totals.in_sum, totals.out_count, totals.out_sum), (1, 700, 1, 700));
    assert_eq!(world.query("fund", 1).await["code"], "00000000");
    assert_eq!(world.query("bank", 1).await["code"], "00000003", "the bank knows nothing of the centre's");
}

/// Everything at once under the default plan: the file adds up to what the ledger holds, rail by rail and day by day.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clearing_files_equal_the_ledger() {
    let plan = DEFAULT_PLAN.replace("hold_ms = 300 ", "hold_ms = 1 ").replace("late_ms = 150 ", "late_ms = 1 ");
    assert_ne!(plan, DEFAULT_PLAN);
    let world = World::start(&plan).await;
    let tasks: Vec<_> = (0..8_u64)
        .map(|lane| {
            let world = world.clone();
            tokio::spawn(async move {
                for step in 0..100 {
                    let number = 1 + (lane * 100 + step) * 10;
                    let amount = 1_000 + i64::try_from(step).unwrap();
                    world.debit(number, amount).await;
                    world.refund(number + 1, amount / 3, number).await;
                    world.pay(number + 2, amount / 2).await;
                    world.fund("hold", number + 3, amount, 0).await;
                    world.fund("capture", number + 4, amount / 4, number + 3).await;
                    world.fund("refund", number + 5, amount / 8, number + 4).await;
                    for open in [number, number + 2] {
                        world.state(open).await;
                    }
                    if lane == 0 && step == 50 {
                        world.bank.set_clearing_date(NEXT_DAY).unwrap();
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    world.bank.set_clearing_date(jiff::civil::date(2026, 3, 9)).unwrap();
    for date in [DAY, NEXT_DAY] {
        for rail in [Rail::Epcc, Rail::Fund] {
            let house = if rail == Rail::Fund { "fund" } else { "bank" };
            let file = file(&world, house, &format!("date={date}&rail={}", rail.name())).await;
            let ledger = world.bank.ledger_totals(date, rail);
            assert_eq!(world.bank.day_totals(date, rail), ledger);
            assert_eq!(file.header[8..].join("|"), sums(&file.lines));
            assert_eq!(
                file.header[8..].join("|"),
                format!("{}|{}|{}|{}", ledger.in_count, ledger.in_sum, ledger.out_count, ledger.out_sum)
            );
            assert!(ledger.in_count > 50, "the test has done something");
        }
    }
}

/// The counts and sums of lines, as a header has them.
fn sums(lines: &[String]) -> String {
    let mut sums = [0_i64; 4];
    for line in lines {
        let fields: Vec<&str> = line.split('|').collect();
        let side = if matches!(fields[2], "debit" | "return" | "capture") { 0 } else { 2 };
        sums[side] += 1;
        sums[side + 1] += fields[3].parse::<i64>().unwrap();
    }
    sums.map(|sum| sum.to_string()).join("|")
}

struct File {
    header: Vec<String>,
    lines: Vec<String>,
}

/// One part, its trailer checked.
async fn file(world: &World, house: &str, query: &str) -> File {
    let reply = world.get(&format!("/{house}/v1/clearing?{query}")).await;
    assert_eq!(reply.status, 200);
    let text = String::from_utf8(reply.body).unwrap();
    let (signed, trailer) = text.trim_end_matches('\n').rsplit_once('\n').unwrap();
    let signed = format!("{signed}\n");
    let hash = hex::encode(ark::sm3(signed.as_bytes()));
    let tag = hex::encode(key().mac().update(b"FILE\n").update(signed.as_bytes()).finish());
    let mut lines = signed.lines().map(str::to_owned);
    let header = lines.next().unwrap().split('|').map(str::to_owned).collect();
    let lines: Vec<String> = lines.collect();
    assert_eq!(trailer, format!("T|{}|{hash}|{tag}", lines.len()));
    File { header, lines }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_day_comes_in_parts() {
    let world = World::start("").await;
    let count = u64::try_from(LINES_MAX).unwrap() + 1;
    let tasks: Vec<_> = (0..4)
        .map(|lane| {
            let world = world.clone();
            tokio::spawn(async move {
                for number in (1..=count).filter(|number| number % 4 == lane) {
                    world.debit(number, 1).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let target = "/bank/v1/clearing?date=2026-03-05&rail=epcc&part=";
    assert_eq!(world.get(&format!("{target}1")).await.status, 409, "the day is not over");
    world.bank.set_clearing_date(NEXT_DAY).unwrap();
    let mut serials = Vec::new();
    for (part, expected) in [(1, LINES_MAX), (2, 1)] {
        let file = file(&world, "bank", &format!("date=2026-03-05&rail=epcc&part={part}")).await;
        assert_eq!(file.lines.len(), expected);
        let parts = [part.to_string(), String::from("2"), count.to_string(), count.to_string()];
        assert_eq!(file.header[6..10], parts);
        serials.extend(file.lines.iter().map(|line| line.split('|').nth(1).unwrap().to_owned()));
    }
    serials.sort();
    assert_eq!(serials, (1..=count).map(serial).collect::<Vec<_>>());
    assert_eq!(world.get(&format!("{target}3")).await.status, 404);
    assert_eq!(world.get(&format!("{target}0")).await.status, 404);
    let empty = file(&world, "bank", "date=2026-03-05&rail=unionpay").await;
    assert_eq!((empty.lines.len(), empty.header[6..].join("|")), (0, String::from("1|1|0|0|0|0")));
}

const MIXED: &str = "hold_ms = 1\nlate_ms = 1\nin_progress_queries = 1\n[debit]\ndecline = 3000\nlost_before = 500\n\
                     lost_after = 500\nlate = 500\nin_progress = 1000\ngarbage_before = 500\ngarbage_after = 500";

/// What each of the first 200 serial numbers was told, and what the bank says of it in the end.
async fn outcomes(seed: u64, numbers: impl Iterator<Item = u64>) -> BTreeMap<u64, (String, String)> {
    let world = World::start_with(MIXED, seed, None).await;
    let mut outcomes = BTreeMap::new();
    for number in numbers {
        let told = match world.debit(number, 100).await {
            None => String::from("nothing"),
            Some(reply) if reply.status != 200 => reply.status.to_string(),
            Some(reply) => reply.code(),
        };
        outcomes.insert(number, (told, world.state(number).await));
    }
    outcomes
}

#[tokio::test]
async fn a_seed_decides_whatever_the_order_of_arrival() {
    let forwards = outcomes(7, 1..=200).await;
    assert_eq!(outcomes(7, (1..=200).rev()).await, forwards);
    let other = outcomes(8, 1..=200).await;
    let changed = forwards.iter().filter(|(number, outcome)| other[number] != **outcome).count();
    assert!(changed > 50, "another seed changes {changed} of 200");
    for expected in [("nothing", "00000000"), ("nothing", "00000003"), ("500", "00000000"), ("00000001", "00000000")] {
        let expected = (expected.0.to_owned(), expected.1.to_owned());
        assert!(forwards.values().any(|outcome| *outcome == expected), "{expected:?}");
    }
}

#[tokio::test]
async fn the_clock_never_goes_back() {
    let world = World::start("").await;
    assert_eq!(world.sandbox("clock", json!({ "date": "2026-03-06" })).await.0, 200);
    let (status, body) = world.sandbox("clock", json!({ "date": "2026-03-05" })).await;
    assert_eq!(status, 409);
    assert_eq!(body["message"], "the clearing date is 2026-03-06; it cannot go back to 2026-03-05");
    assert_eq!(world.sandbox("clock", json!({ "date": "soon" })).await.0, 400);
    assert_eq!(world.debit(1, 5).await.unwrap().json()["clearing_date"], "2026-03-06");
}
