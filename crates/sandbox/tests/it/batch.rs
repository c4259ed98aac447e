//! The fund's monthly batch: held to the golden files, and what the plan makes of rows.

use std::fs;

use crate::contract::fixture;
use crate::support::{DAY, NEXT_DAY, World, serial};

fn golden(name: &str) -> String {
    let path = fixture("sandbox_fund").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("reading {}: {error}", path.display()))
}

const NUMBER: &str = "B202603050001";

async fn hand_in(world: &World, text: &str) -> u16 {
    world.send("POST", "/fund/v1/batch", "batch-B202603050001---", text).await.unwrap().status
}

async fn result(world: &World) -> (u16, String) {
    let reply = world.get(&format!("/fund/v1/batch-result?number={NUMBER}")).await;
    (reply.status, String::from_utf8(reply.body).unwrap())
}

#[tokio::test]
async fn an_instruction_of_the_fixtures_is_answered_by_the_fixtures_result() {
    let world = World::start("[batch]\nresult_after = 1\nrefused_nth = [3]").await;
    assert_eq!(result(&world).await.0, 404);
    for _ in 0..2 {
        assert_eq!(hand_in(&world, &golden("batch_instruction.fbt")).await, 200, "the same bytes are taken once");
    }
    assert_eq!(result(&world).await.0, 409);
    let (status, file) = result(&world).await;
    let lines: Vec<&str> = file.lines().collect();
    let theirs = golden("batch_result.fbt");
    let theirs: Vec<&str> = theirs.lines().collect();
    assert_eq!((status, lines.len(), lines[1]), (200, 5, theirs[1]));
    assert_eq!(lines[3].replace("10000005", "10000006"), theirs[3]);
    assert!(lines[0].ends_with("|CNY|3|1100000"), "{}", lines[0]);
    // What was paid is in the day's file, and can be given back.
    world.bank.set_clearing_date(NEXT_DAY).unwrap();
    let clearing = world.get(&format!("/fund/v1/clearing?date={DAY}&rail=fund")).await;
    let clearing = String::from_utf8(clearing.body).unwrap();
    assert!(clearing.contains(&format!("D|{}|capture|600000|", serial(51))), "{clearing}");
    assert!(clearing.contains("|CNY|1|1|2|1100000|0|0\n"), "{clearing}");
    let back = format!(
        r#"{{"serial":"{}","rail":"fund","original":"{}","amount":600000,"currency":"CNY"}}"#,
        serial(90),
        serial(51)
    );
    let reply = world.send("POST", "/fund/v1/refund", &serial(90), &back).await.unwrap();
    assert!(String::from_utf8(reply.body).unwrap().contains(r#""code":"00000000""#));
}

#[tokio::test]
async fn rows_are_paid_in_part_twice_late_and_after_a_refusal_as_the_plan_wants() {
    let plan = "[batch]\npart_nth = [1]\nmissing_nth = [2]\nturned_nth = [3]\ntwice_nth = [1]";
    let world = World::start(plan).await;
    hand_in(&world, &golden("batch_instruction.fbt")).await;
    let (_, first) = result(&world).await;
    assert!(first.lines().next().unwrap().ends_with("|CNY|3|600000"), "{first}");
    assert_eq!(first.matches("|600000|300000|00000005|").count(), 2, "{first}");
    assert!(first.contains("|400000|0|10000005|") && !first.contains("LEASE-78"), "{first}");
    let (_, second) = result(&world).await;
    assert!(second.lines().next().unwrap().ends_with("|CNY|4|1500000"), "{second}");
    assert!(second.contains("|500000|500000|00000000|") && second.contains("|400000|400000|00000000|"), "{second}");
    assert_eq!(world.bank.day_totals(DAY, sandbox::bank::Rail::Fund).in_sum, 1_200_000, "each is booked once");
}

#[tokio::test]
async fn an_instruction_that_does_not_add_up_is_not_taken() {
    let world = World::start("").await;
    let text = golden("batch_instruction.fbt");
    for (from, to) in [("1500000", "1500001"), ("LEASE-77", "LEASE-76"), ("|600000", "|600001"), ("T|3", "T|2")] {
        assert_eq!(hand_in(&world, &text.replacen(from, to, 1)).await, 400, "{to}");
    }
    assert_eq!(result(&world).await.0, 404);
    assert_eq!(world.send("POST", "/bank/v1/batch", "batch-B202603050001---", &text).await.unwrap().status, 404);
}

#[tokio::test]
async fn a_lease_is_answered_as_the_fixtures_have_it_and_what_was_paid_is_taken_from_the_year() {
    let figures = "[quota]\nrent = 600000\ncontribution = 350000\nyear = 1200000\nmonths = 27\ndraws = [\"2026-01\", \"2026-02\"]\nunfiled = [\"LEASE-99\"]";
    let world = World::start(figures).await;
    let ask = async |contract: &str, period: &str| {
        let body = format!(r#"{{"contract":"{contract}","period":"{period}"}}"#);
        let reply = world.send("POST", "/fund/v1/quota", "nonce-of-a-question", &body).await.unwrap();
        (reply.status, serde_json::from_slice::<serde_json::Value>(&reply.body).unwrap_or_default())
    };
    let mut filed: serde_json::Value = serde_json::from_str(&golden("quota_filed.json")).unwrap();
    filed.as_object_mut().unwrap().remove("branch").unwrap();
    assert_eq!(ask("LEASE-77", "2026-03").await, (200, filed.clone()));
    let unfiled = golden("quota_unfiled.json").replace("LEASE-77", "LEASE-99");
    assert_eq!(ask("LEASE-99", "2026-03").await, (200, serde_json::from_str(&unfiled).unwrap()));
    assert_eq!(ask("LEASE-77", "2026-3").await.0, 400);

    hand_in(&world, &golden("batch_instruction.fbt")).await;
    for _ in 0..2 {
        result(&world).await;
    }
    filed["remaining"] = 600_000.into();
    filed["draws"] = serde_json::json!(["2026-01", "2026-02", "2026-03"]);
    assert_eq!(ask("LEASE-77", "2026-03").await, (200, filed), "paid once, however often the file is fetched");
    let (_, next_year) = ask("LEASE-77", "2027-01").await;
    assert_eq!(next_year["remaining"], 1_200_000);
    let reply = world.send("POST", "/bank/v1/quota", "nonce-of-a-question", "{}").await.unwrap();
    assert_eq!(reply.status, 404);
}
